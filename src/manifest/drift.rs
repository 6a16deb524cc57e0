//! `drift:` of a stack: what is done about it, and differences that are put up with.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Deserialize;

use super::maker::Maker;
use crate::model::{DriftAction, Tolerance};

/// What is done about drift.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Drift")]
pub(super) struct DriftDocument {
    /// What is done about the others: `report`, or `revert`, which puts them back. What the environment's policy says,
    /// unless said here.
    #[serde(default)]
    pub(super) action: Option<DriftAction>,
    /// Differences that are put up with: shown, and not counted.
    #[serde(default)]
    ignore: Vec<ToleranceDocument>,
}

/// Differences that are put up with.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Tolerance")]
struct ToleranceDocument {
    /// The logical id of the resource, `Nested/Resource` in a nested stack; `*` stands for any letters.
    resource: String,
    /// The property and all below it, as the report writes it: `/Tags`. Left out: the whole resource.
    #[serde(default)]
    #[schemars(regex(pattern = r"^/|\$\{"))]
    property: Option<String>,
    /// Why. It is in every report.
    reason: String,
    /// The last day on which it counts: `2027-01-31`.
    #[serde(default)]
    until: Option<String>,
}

impl DriftDocument {
    /// The rules, as far as they make sense.
    pub(super) fn tolerances(&self, maker: &mut Maker<'_>) -> Vec<Tolerance> {
        let rules = maker.at(&["spec", "drift", "ignore"]);
        let mut made = Vec::new();
        for (rule, at) in self.ignore.iter().zip(rules.items()) {
            let resource = maker.closed(&rule.resource, at.key("resource"));
            let reason = maker.closed(&rule.reason, at.key("reason"));
            let property = rule.property.as_ref().map(|text| maker.closed(text, at.key("property")));
            if let Some(Some(path)) = &property
                && (!path.starts_with('/') || path.ends_with('/'))
            {
                maker.wrong(format!("`{path}` is not a property; write `/Name` or `/Name/Part`"), at.key("property"));
            }
            if reason.as_ref().is_some_and(|reason| reason.trim().is_empty()) {
                maker.wrong("say why it is put up with", at.key("reason"));
            }
            let until = rule.until.as_ref().map(|text| {
                let text = maker.closed(text, at.key("until"))?;
                let day = text.parse::<Date>().ok();
                if day.is_none() {
                    maker.wrong(format!("`{text}` is not a day; write `2027-01-31`"), at.key("until"));
                }
                day
            });
            let (Some(resource), Some(reason)) = (resource, reason) else { continue };
            if property == Some(None) || until == Some(None) {
                continue;
            }
            made.push(Tolerance { resource, property: property.flatten(), reason, until: until.flatten() });
        }
        made
    }
}

//! `drift:` of a stack: what is done about it, and differences that are put up with.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Deserialize;

use super::maker::Maker;
use crate::model::{DriftAction, Tolerance};

/// What happens when resources drift.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Drift")]
pub(super) struct DriftDocument {
    /// What happens with all other differences: `report` or `revert`. Default: the environment's policy.
    #[serde(default)]
    pub(super) action: Option<DriftAction>,
    /// Tolerated differences: shown, but not counted.
    #[serde(default)]
    ignore: Vec<ToleranceDocument>,
}

/// Tolerated differences.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Tolerance")]
struct ToleranceDocument {
    /// The logical ID of the resource, `Nested/Resource` in a nested stack; `*` matches any characters.
    resource: String,
    /// The property and everything below it, as shown in the report: `/Tags`. If omitted, the whole resource.
    #[serde(default)]
    #[schemars(regex(pattern = r"^/|\$\{"))]
    property: Option<String>,
    /// The reason, shown in every report.
    reason: String,
    /// The last day on which the rule is valid: `2027-01-31`.
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
                maker.wrong(
                    format!("`{path}` is not a property path; write `/Name` or `/Name/Part`"),
                    at.key("property"),
                );
            }
            if reason.as_ref().is_some_and(|reason| reason.trim().is_empty()) {
                maker.wrong("give the reason why it is tolerated", at.key("reason"));
            }
            let until = rule.until.as_ref().map(|text| {
                let text = maker.closed(text, at.key("until"))?;
                let day = text.parse::<Date>().ok();
                if day.is_none() {
                    maker.wrong(format!("`{text}` is not a date; write it as `2027-01-31`"), at.key("until"));
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

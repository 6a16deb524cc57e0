//! How AWS differs from what was deployed: for people, for programs, for CI systems and code hosts.

mod html;
mod junit;
mod markdown;
mod sarif;
mod text;

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::json::{API_VERSION, to_json};
use super::{Paint, safe, words};
use crate::model::{
    By, Compared, Deed, DriftAction, DriftMemory, Environment, Finding, FromParameter, Severity, Verdict,
};

/// In which form a drift report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriftFormat {
    /// For a terminal.
    Text,
    /// All of it, as a document.
    Json,
    /// For a merge request or a chat.
    Markdown,
    /// One page that needs nothing else.
    Html,
    /// For code hosts that show findings beside the code (SARIF 2.1.0).
    Sarif,
    /// For CI systems that show tests.
    Junit,
}

/// What `drift -o json` writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DriftReport {
    /// `landfast/v1`.
    #[schemars(extend("const" = "landfast/v1"))]
    pub api_version: String,
    /// `DriftReport`.
    #[schemars(extend("const" = "DriftReport"))]
    pub kind: String,
    /// When it was created.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// Counts.
    pub summary: DriftSummary,
    /// One for each stack.
    pub items: Vec<ObjectDrift>,
}

/// Counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DriftSummary {
    /// Objects that were checked: stacks, and others that drifted or could not be read.
    pub stacks: usize,
    /// Objects that drifted.
    pub drifted: usize,
    /// Resources that were compared.
    pub compared: usize,
    /// Differences that are drift.
    pub differences: usize,
    /// What could not be compared.
    pub unknown: usize,
    /// Differences that manifests tolerate.
    pub tolerated: usize,
    /// Differences that another controller manages.
    pub delegated: usize,
    /// Differences that are not significant.
    pub noise: usize,
}

/// The drift of one stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectDrift {
    /// Its address.
    pub object: String,
    /// Its name in CloudFormation.
    pub stack: String,
    /// Its account and region.
    pub scope: String,
    /// The file of its manifest, relative to the manifests' root.
    pub file: String,
    /// Its line in that file.
    pub line: usize,
    /// Resources that were compared.
    pub compared: usize,
    /// What was found, worst first.
    pub findings: Vec<DriftFinding>,
    /// The number of differences in recent detections, oldest first.
    pub history: Vec<DriftPoint>,
}

/// The number of differences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DriftPoint {
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// How many.
    pub differences: u32,
}

/// What a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FindingKind {
    /// It was changed outside Landfast.
    Drift,
    /// It could not be compared.
    Unknown,
    /// The manifest tolerates it.
    Tolerated,
    /// Another controller manages it.
    Delegated,
    /// It is not significant.
    Noise,
}

/// One difference, or one thing that could not be compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DriftFinding {
    /// What it is.
    pub verdict: FindingKind,
    /// How bad it is, if it is drift.
    pub severity: Option<Severity>,
    /// Why it is not drift, or could not be compared.
    pub why: Option<String>,
    /// The last day on which the manifest tolerates it.
    pub until: Option<String>,
    /// The resource's logical id; `null`: the whole stack.
    pub resource: Option<String>,
    /// Its name in AWS.
    pub physical_id: Option<String>,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The property; `null`: the whole resource.
    pub property: Option<String>,
    /// The deployed value.
    pub expected: Option<String>,
    /// The live value.
    pub live: Option<String>,
    /// When it was first seen.
    #[schemars(with = "String")]
    pub since: Timestamp,
    /// Who changed it, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Author>,
    /// Why that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_unknown: Option<String>,
    /// Options about it, if it is drift.
    pub advice: Option<Advice>,
}

/// Who changed it: the last call that changed the resource before the drift was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Author {
    /// Who: an ARN, or a name.
    pub actor: String,
    /// From which address, or by which service.
    pub from: Option<String>,
    /// Which call.
    pub call: String,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
}

impl Author {
    /// In a sentence.
    fn sentence(&self) -> String {
        let from = self.from.as_deref().map(|from| format!(" from {}", words::clean(from))).unwrap_or_default();
        format!("{}{from}, by {} at {}", words::clean(&self.actor), words::clean(&self.call), words::time(self.at))
    }
}

/// Options about a difference: one of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Advice {
    /// Revert it: the command that requests it; the next plan shows the change. In a nested stack: AWS CLI commands,
    /// one per line.
    pub revert: String,
    /// True if Landfast reverts it without a request, because of `drift: revert`.
    #[serde(default)]
    pub automatic: bool,
    /// Keep it: a diff of the template if the template has a literal value, the new value of the field if a parameter
    /// supplies it; `null` if unknown.
    pub adopt: Option<String>,
    /// The file in which to write that, with line and field if they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt_in: Option<String>,
    /// Tolerate it: the required rule in the stack's manifest; `null` outside a stack.
    pub tolerate: Option<String>,
}

impl DriftReport {
    /// What was found in some environments.
    #[must_use]
    pub fn of<'a>(
        environments: impl IntoIterator<Item = (&'a Environment, &'a [(Compared, DriftMemory)])>,
        at: Timestamp,
    ) -> Self {
        let mut items = Vec::new();
        for (environment, found) in environments {
            items.extend(found.iter().filter_map(|(compared, memory)| ObjectDrift::of(environment, compared, memory)));
        }
        // The worst first; clean ones last, in their order.
        items.sort_by_key(|item| std::cmp::Reverse(item.drift().filter_map(|finding| finding.severity).max()));
        let summary = DriftSummary::of(&items);
        Self { api_version: API_VERSION.to_owned(), kind: "DriftReport".to_owned(), at, summary, items }
    }

    /// Something has drifted.
    #[must_use]
    pub fn has_drift(&self) -> bool {
        self.summary.differences > 0
    }

    /// A whole object could not be compared.
    #[must_use]
    pub fn has_unseen(&self) -> bool {
        self.items.iter().any(ObjectDrift::is_unseen)
    }

    /// In that form.
    ///
    /// # Errors
    ///
    /// If a document cannot be written, which no content can bring about.
    pub fn render(
        &self,
        format: DriftFormat,
        paint: Paint,
    ) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
        let rendered = match format {
            DriftFormat::Text => text::text(self, paint),
            DriftFormat::Json => return Ok(to_json(self)?),
            DriftFormat::Markdown => markdown::markdown(self),
            DriftFormat::Html => html::html(self),
            DriftFormat::Sarif => return Ok(to_json(&sarif::sarif(self))?),
            DriftFormat::Junit => junit::junit(self)?,
        };
        // Also where it goes to a file: a CI job prints it from there.
        Ok(safe::text(&rendered, paint).into_owned())
    }
}

impl DriftSummary {
    fn of(items: &[ObjectDrift]) -> Self {
        let count = |kind| items.iter().flat_map(|item| &item.findings).filter(|found| found.verdict == kind).count();
        Self {
            stacks: items.len(),
            drifted: items.iter().filter(|item| item.drift().next().is_some()).count(),
            compared: items.iter().map(|item| item.compared).sum(),
            differences: count(FindingKind::Drift),
            unknown: count(FindingKind::Unknown),
            tolerated: count(FindingKind::Tolerated),
            delegated: count(FindingKind::Delegated),
            noise: count(FindingKind::Noise),
        }
    }

    /// In a sentence. What was not compared is never left out.
    fn sentence(&self) -> String {
        let mut parts = vec![match self.differences {
            0 => format!("No drift in {}", words::count(self.stacks, "stack")),
            some => format!(
                "{} in {} of {}",
                words::count(some, "difference"),
                self.drifted,
                words::count(self.stacks, "stack")
            ),
        }];
        parts.push(format!("{} compared", words::count(self.compared, "resource")));
        for (number, what) in [
            (self.unknown, "not compared"),
            (self.tolerated, "tolerated"),
            (self.delegated, "delegated"),
            (self.noise, "not significant"),
        ] {
            if number > 0 {
                parts.push(format!("{number} {what}"));
            }
        }
        parts.join(", ") + "."
    }
}

impl ObjectDrift {
    fn of(environment: &Environment, compared: &Compared, memory: &DriftMemory) -> Option<Self> {
        let history = memory.history.iter();
        let spec = environment.stacks.get(&compared.object);
        let reverts = spec.and_then(|spec| spec.drift).unwrap_or(environment.policy.drift) == DriftAction::Revert;
        let mut findings: Vec<DriftFinding> = compared
            .findings
            .iter()
            .map(|finding| {
                DriftFinding::of(finding, spec.map(|spec| spec.template_file.as_str()), spec.is_some() && reverts)
            })
            .collect();
        // Worst first; what is alike stays in its order.
        findings.sort_by_key(|finding| (finding.verdict, std::cmp::Reverse(finding.severity)));
        let named = compared.findings.iter().find_map(|finding| finding.physical_id.clone());
        let (stack, scope, file, line) = match environment.stacks.get(&compared.object) {
            Some(spec) => {
                let place = &spec.manifest;
                (spec.stack_name.to_string(), spec.scope.to_string(), place.file.to_string(), place.line)
            }
            None => (named?, environment.scope.to_string(), String::new(), 0),
        };
        Some(Self {
            object: compared.object.to_string(),
            stack,
            scope,
            file,
            line,
            compared: compared.compared,
            findings,
            history: history.map(|(at, differences)| DriftPoint { at: *at, differences: *differences }).collect(),
        })
    }

    /// Nothing of it could be compared.
    fn is_unseen(&self) -> bool {
        self.of_kind(FindingKind::Unknown).any(|finding| finding.resource.is_none() && finding.property.is_none())
    }

    fn drift(&self) -> impl Iterator<Item = &DriftFinding> {
        self.of_kind(FindingKind::Drift)
    }

    fn of_kind(&self, kind: FindingKind) -> impl Iterator<Item = &DriftFinding> {
        self.findings.iter().filter(move |finding| finding.verdict == kind)
    }
}

impl DriftFinding {
    fn of(finding: &Finding, template: Option<&str>, reverts: bool) -> Self {
        let (by, by_unknown) = match &finding.by {
            By::NotAsked => (None, None),
            By::NotKnown(why) => (None, Some(why.clone())),
            By::Somebody(deed) => {
                let Deed { at, actor, from, call, .. } = &**deed;
                (Some(Author { actor: actor.clone(), from: from.clone(), call: call.clone(), at: *at }), None)
            }
        };
        let (verdict, severity, why, until) = match &finding.verdict {
            Verdict::Drift(severity) => (FindingKind::Drift, Some(*severity), None, None),
            Verdict::Tolerated { reason, until } => {
                (FindingKind::Tolerated, None, Some(reason.clone()), until.map(|day| day.to_string()))
            }
            Verdict::Delegated { to } => (FindingKind::Delegated, None, Some(format!("managed by {to}")), None),
            Verdict::Noise { why } => (FindingKind::Noise, None, Some(why.clone()), None),
            Verdict::Unknown { why } => (FindingKind::Unknown, None, Some(why.clone()), None),
        };
        Self {
            verdict,
            severity,
            why,
            until,
            resource: finding.resource.clone(),
            physical_id: finding.physical_id.clone(),
            kind: finding.kind.clone(),
            property: finding.property.clone(),
            expected: finding.expected.clone(),
            live: finding.live.clone(),
            since: finding.since,
            by,
            by_unknown,
            advice: finding.is_drift().then(|| Advice::of(finding, template, reverts)),
        }
    }

    /// Resource and property, for people.
    fn place(&self) -> String {
        match (&self.resource, &self.property) {
            (None, Some(property)) => words::clean(property),
            (None, None) => "the stack".to_owned(),
            (Some(resource), None) => words::clean(resource),
            (Some(resource), Some(property)) => words::clean(&format!("{resource} {property}")),
        }
    }

    /// What was deployed and what there is, where one of them is known.
    fn sides(&self) -> Option<String> {
        let nothing = || "nothing".to_owned();
        let (expected, live) = (self.expected.clone(), self.live.clone());
        let known = expected.is_some() || live.is_some();
        known.then(|| format!("deployed {}, live {}", expected.unwrap_or_else(nothing), live.unwrap_or_else(nothing)))
    }

    /// It differs as a whole: the resource is gone.
    fn is_gone(&self) -> bool {
        self.verdict == FindingKind::Drift && self.property.is_none() && self.resource.is_some()
    }
}

impl Advice {
    fn of(finding: &Finding, template: Option<&str>, reverts: bool) -> Self {
        let Some(resource) = finding.resource.clone() else {
            // What differs of an object itself is what the next plan is about.
            let revert = format!("landfast apply {}", finding.object.environment);
            return Self { revert, automatic: false, adopt: None, adopt_in: None, tolerate: None };
        };
        let revert = match finding.by_hand.as_slice() {
            [] => format!("landfast drift --revert {}", finding.object),
            commands => commands.join("\n"),
        };
        let mut rule = serde_json::Map::from_iter([("resource".to_owned(), json!(resource))]);
        if let Some(property) = &finding.property {
            rule.insert("property".to_owned(), json!(property));
        }
        rule.insert("reason".to_owned(), json!("…"));
        rule.insert("until".to_owned(), json!("YYYY-MM-DD"));
        let automatic = reverts && finding.by_hand.is_empty();
        let tolerate = Some(yaml(&json!({ "drift": { "ignore": [rule] } })));
        if let Some(FromParameter { name, given }) = &finding.parameter {
            let field =
                given.as_ref().map_or_else(|| format!("Parameters.{name}.Default"), |given| given.field.clone());
            let place = match given {
                Some(given) => Some(format!("{}:{}", given.place.file, given.place.line)),
                None => template.map(str::to_owned),
            };
            let live = finding.live.as_deref().filter(|live| !is_unfit(live));
            let adopt = live.map(|live| format!("{field}: {live}\n"));
            return Self { revert, automatic, adopt_in: adopt.as_ref().and(place), adopt, tolerate };
        }
        let adopt = finding.patch.clone().or_else(|| adopted(finding));
        let adopt_in = adopt.as_ref().and(template).map(str::to_owned);
        Self { revert, automatic, adopt, adopt_in, tolerate }
    }
}

/// The part of the template that would say what there is. Elements of lists, what must not be shown, and nested stacks
/// (whose templates are others) cannot be written so.
fn adopted(finding: &Finding) -> Option<String> {
    let (resource, property, live) = (finding.resource.as_ref()?, finding.property.as_ref()?, finding.live.as_ref()?);
    let parts: Vec<&str> = property.split('/').filter(|part| !part.is_empty()).collect();
    let in_a_list = parts.iter().any(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    if in_a_list || is_unfit(live) || resource.contains('/') {
        return None;
    }
    let live = serde_json::from_str(live).unwrap_or_else(|_| Value::String(live.clone()));
    let nested = parts
        .iter()
        .rev()
        .fold(live, |inner, part| Value::Object(serde_json::Map::from_iter([((*part).to_owned(), inner)])));
    Some(yaml(&json!({ "Resources": { resource: { "Properties": nested } } })))
}

/// A value that cannot be written anywhere: it is hidden, or there is none.
fn is_unfit(live: &str) -> bool {
    live == "(hidden)" || live == "null" || live.is_empty()
}

fn yaml(value: &Value) -> String {
    serde_yaml::to_string(value).unwrap_or_else(|_| value.to_string())
}

/// Severities with how many differences have them, worst first.
fn by_severity(report: &DriftReport) -> BTreeMap<std::cmp::Reverse<Severity>, usize> {
    let mut counts = BTreeMap::new();
    for severity in report.items.iter().flat_map(ObjectDrift::drift).filter_map(|finding| finding.severity) {
        *counts.entry(std::cmp::Reverse(severity)).or_default() += 1;
    }
    counts
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
    }
}

#[cfg(test)]
mod tests;

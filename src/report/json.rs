//! The documents that machines read: `plan -o json`, and what all other documents have in common.
//!
//! A contract. Within `landfast/v1` fields are added and never renamed, removed or given another meaning; a reader
//! ignores fields it does not know. Every document says its `apiVersion` and `kind`, and has a JSON Schema
//! ([`schemas`]), generated from the types here, that the tests hold the documents against. Objects are named by their
//! address (`dev/stack/network`), times are RFC 3339 in UTC, and no document has a field that a secret could be in.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};

use super::{
    ApprovalList, BackupList, Broadened, CoverageList, DoctorReport, DriftReport, EventList, EventSource, ImageList,
    OutputList, PreflightList, QueueList, RenderList, StatusList, Timeline, access, order, safe, words,
};
use crate::model::{
    Act, Action, Changes, Cut, Difference, Entry, Guard, Key, Plan, ResourceChange, Revision, Scope, Waiting,
};

/// The version of every document.
pub const API_VERSION: &str = "landfast/v1";

/// A document as text, for people who look at it too: indented, with a line end.
///
/// # Errors
/// A map in it has keys that are not text; no document of this room has.
pub fn to_json<T: Serialize + ?Sized>(document: &T) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(document).map(|text| safe::json(&text).into_owned() + "\n")
}

/// The plans of some environments as text: one as a `Plan`, any other number as a `PlanList`.
///
/// # Errors
/// As [`to_json`].
pub fn plans_json(plans: &[Plan]) -> Result<String, serde_json::Error> {
    match plans {
        [plan] => to_json(&PlanDocument::of(plan)),
        plans => to_json(&PlanList::of(plans)),
    }
}

/// The JSON Schema of every document, by `kind`.
#[must_use]
pub fn schemas() -> BTreeMap<&'static str, Schema> {
    BTreeMap::from([
        ("ApprovalList", schema_for!(ApprovalList)),
        ("DoctorReport", schema_for!(DoctorReport)),
        ("DriftReport", schema_for!(DriftReport)),
        ("EventList", schema_for!(EventList)),
        ("BackupList", schema_for!(BackupList)),
        ("CoverageList", schema_for!(CoverageList)),
        ("ImageList", schema_for!(ImageList)),
        ("OutputList", schema_for!(OutputList)),
        ("Plan", schema_for!(PlanDocument)),
        ("PlanList", schema_for!(PlanList)),
        ("EventSource", schema_for!(EventSource)),
        ("PreflightList", schema_for!(PreflightList)),
        ("QueueList", schema_for!(QueueList)),
        ("RenderList", schema_for!(RenderList)),
        ("StatusList", schema_for!(StatusList)),
        ("Timeline", schema_for!(Timeline)),
    ])
}

/// What `plan -o json` writes for one environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanDocument {
    /// `landfast/v1`.
    #[schemars(extend("const" = "landfast/v1"))]
    pub api_version: String,
    /// `Plan`.
    #[schemars(extend("const" = "Plan"))]
    pub kind: String,
    /// The environment.
    pub environment: String,
    /// The revision of the manifests: the Git commit, or the digest of the files outside Git.
    pub revision: String,
    /// Orders the revisions that this installation has loaded.
    pub revision_sequence: u64,
    /// Identifies the plan. `landfast apply --plan` and `landfast approve` take it, or its first twelve digits.
    pub digest: String,
    /// Everything is in sync, everything could be read, and nothing is refused. Then `steps` is empty.
    pub in_sync: bool,
    /// The number of objects in each state.
    pub summary: Summary,
    /// What the operator's configuration reduced in the environment's policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cuts: Vec<Cut>,
    /// New access that the plan grants.
    #[serde(default)]
    pub broadenings: Vec<Broadened>,
    /// Every object that is not in sync, dependencies first and deletions last.
    pub steps: Vec<PlannedStep>,
    /// Objects that wait: one entry for each object and reason.
    pub waiting: Vec<Held>,
    /// Refused objects: one entry for each object and rule.
    pub refused: Vec<RefusedObject>,
}

/// What `plan -o json` writes for several environments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanList {
    /// `landfast/v1`.
    #[schemars(extend("const" = "landfast/v1"))]
    pub api_version: String,
    /// `PlanList`.
    #[schemars(extend("const" = "PlanList"))]
    pub kind: String,
    /// One for each environment.
    pub items: Vec<PlanDocument>,
}

/// Counts over the objects of a plan. The actions add up to `objects`; an object that waits or is refused is counted
/// under its action too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// All objects.
    pub objects: usize,
    /// As desired.
    pub in_sync: usize,
    /// To be created.
    pub create: usize,
    /// To be updated.
    pub update: usize,
    /// May be updated.
    pub may_update: usize,
    /// To be adopted.
    pub adopt: usize,
    /// To be deleted and created again.
    pub recreate: usize,
    /// To be recovered.
    pub recover: usize,
    /// Drifted; to be reverted.
    #[serde(default)]
    pub revert: usize,
    /// To be deleted.
    pub delete: usize,
    /// Kept without a manifest.
    pub retain: usize,
    /// Could not be read.
    pub unknown: usize,
    /// Objects that wait for something.
    pub waiting: usize,
    /// Objects that a rule forbids to change.
    pub refused: usize,
    /// Resources that are or may be replaced or deleted, including retained ones.
    pub replaced_or_removed: usize,
}

/// One object and its planned change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedStep {
    /// The object's address.
    pub object: String,
    /// What will be done.
    pub action: Action,
    /// Why, in words; the same as `differences`.
    pub reason: String,
    /// Why.
    pub differences: Vec<Difference>,
    /// What happens to resources.
    pub changes: Vec<ResourceChange>,
    /// Where `changes` comes from.
    pub changes_from: ChangesFrom,
    /// Its name in AWS.
    pub name: String,
    /// Its account.
    pub account: String,
    /// Its region.
    pub region: String,
    /// Its last status; `null` if it does not exist or could not be read.
    pub status: Option<String>,
    /// The objects it depends on.
    pub depends_on: Vec<String>,
    /// The next step, if one can be executed now: `create`, `prepare`, `execute`, …
    pub next: Option<String>,
}

/// Where a list of resource changes comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ChangesFrom {
    /// A change set that CloudFormation computed.
    ChangeSet,
    /// A comparison of the templates, without a change set.
    Prediction,
    /// Unknown: it depends on values that are known only after apply.
    AfterApply,
    /// There are no changes.
    None,
}

/// An object that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// The object's address.
    pub object: String,
    /// What it waits for.
    pub on: Waiting,
    /// The same in words.
    pub message: String,
}

/// An object that a rule forbids to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusedObject {
    /// The object's address.
    pub object: String,
    /// The rule.
    pub guard: Guard,
    /// What it found.
    pub reason: String,
    /// How to resolve it.
    pub release: String,
}

impl PlanDocument {
    /// The document of a plan.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let entries = order::entries(plan);
        let held = |(key, entry): &(&Key, &Entry)| {
            let object = key.to_string();
            let held = |on: &Waiting| Held { object: object.clone(), on: on.clone(), message: words::waiting(on) };
            entry.waiting.iter().map(held).collect::<Vec<_>>()
        };
        let refused = |(key, entry): &(&Key, &Entry)| {
            let object = key.to_string();
            let refused = |refusal: &crate::model::Refusal| RefusedObject {
                object: object.clone(),
                guard: refusal.guard,
                reason: refusal.reason.clone(),
                release: refusal.release.clone(),
            };
            entry.refused.iter().map(refused).collect::<Vec<_>>()
        };
        Self {
            api_version: API_VERSION.to_owned(),
            kind: "Plan".to_owned(),
            environment: plan.environment.to_string(),
            revision: revision(&plan.revision),
            revision_sequence: plan.revision.sequence,
            digest: plan.digest.code(),
            in_sync: plan.is_as_asked(),
            summary: Summary::of(plan),
            cuts: plan.cuts.clone(),
            broadenings: access::documents(plan),
            waiting: entries.iter().flat_map(held).collect(),
            refused: entries.iter().flat_map(refused).collect(),
            steps: entries
                .iter()
                .filter(|(_, entry)| entry.action != Action::None)
                .map(|(key, entry)| PlannedStep::of(key, entry))
                .collect(),
        }
    }
}

impl PlanList {
    /// The document of several plans.
    #[must_use]
    pub fn of<'a>(plans: impl IntoIterator<Item = &'a Plan>) -> Self {
        let items = plans.into_iter().map(PlanDocument::of).collect();
        Self { api_version: API_VERSION.to_owned(), kind: "PlanList".to_owned(), items }
    }
}

impl PlannedStep {
    fn of(key: &Key, entry: &Entry) -> Self {
        let Scope { account, region } = &entry.address.scope;
        let reasons: Vec<String> = entry.differences.iter().map(words::difference).collect();
        Self {
            object: key.to_string(),
            action: entry.action,
            reason: if reasons.is_empty() { words::intent(entry.action).to_owned() } else { reasons.join("; ") },
            differences: entry.differences.clone(),
            changes: entry.changes.list().to_vec(),
            changes_from: match entry.changes {
                Changes::Known(_) => ChangesFrom::ChangeSet,
                Changes::Predicted(_) => ChangesFrom::Prediction,
                Changes::AfterApply => ChangesFrom::AfterApply,
                Changes::None => ChangesFrom::None,
            },
            name: entry.address.name.to_string(),
            account: account.to_string(),
            region: region.to_string(),
            status: entry.status.clone(),
            depends_on: entry.depends_on.iter().map(ToString::to_string).collect(),
            next: entry.step.as_ref().map(|step| step.action.verb().to_owned()),
        }
    }
}

impl Summary {
    /// The counts of a plan.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let mut summary = Self { objects: plan.entries.len(), ..Self::default() };
        for entry in plan.entries.values() {
            *summary.of_action(entry.action) += 1;
            summary.waiting += usize::from(!entry.waiting.is_empty());
            summary.refused += usize::from(!entry.refused.is_empty());
            summary.replaced_or_removed += entry.changes.list().iter().filter(|change| change.is_destructive()).count();
        }
        summary
    }

    fn of_action(&mut self, action: Action) -> &mut usize {
        match action {
            Action::None => &mut self.in_sync,
            Action::Create => &mut self.create,
            Action::Update => &mut self.update,
            Action::MayUpdate => &mut self.may_update,
            Action::Adopt => &mut self.adopt,
            Action::Recreate => &mut self.recreate,
            Action::Recover => &mut self.recover,
            Action::Revert => &mut self.revert,
            Action::Delete => &mut self.delete,
            Action::Retain => &mut self.retain,
            Action::Unknown => &mut self.unknown,
        }
    }
}

/// The commit, or the digest of the files, in full.
pub(super) fn revision(revision: &Revision) -> String {
    revision.commit.clone().unwrap_or_else(|| revision.content.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn the_document_of_a_plan_reads_back_and_fits_its_schema() {
        for plan in [fixtures::everything(), fixtures::in_sync()] {
            let document = PlanDocument::of(&plan);
            fixtures::check_contract("Plan", &document);
            assert_eq!(document.in_sync, document.steps.is_empty());
        }
        fixtures::check_contract("PlanList", &PlanList::of(&[fixtures::everything(), fixtures::in_sync()]));
    }

    #[test]
    fn the_document_has_the_fields_that_machines_were_promised() {
        let document = serde_json::to_value(PlanDocument::of(&fixtures::everything())).unwrap();
        for field in
            ["apiVersion", "kind", "environment", "revision", "digest", "inSync", "steps", "waiting", "refused"]
        {
            assert!(document.get(field).is_some(), "{field}");
        }
        for step in document["steps"].as_array().unwrap() {
            for field in ["object", "action", "reason", "changes"] {
                assert!(step.get(field).is_some(), "{field}");
            }
        }
        let change = document["steps"].as_array().unwrap().iter().find_map(|step| step["changes"].get(0)).unwrap();
        for field in ["resource", "type", "action", "replacement"] {
            assert!(change.get(field).is_some(), "{field}");
        }
        assert!(document["waiting"][0]["on"]["for"].is_string());
        assert!(document["refused"][0]["release"].is_string());
    }

    #[test]
    fn the_actions_add_up_to_the_objects() {
        let s = Summary::of(&fixtures::everything());
        let sum = s.in_sync + s.create + s.update + s.may_update + s.adopt + s.recreate + s.recover + s.delete;
        assert_eq!(sum + s.retain + s.unknown, s.objects);
    }

    #[test]
    fn one_plan_is_a_plan_and_any_other_number_a_list() {
        let kind = |plans: &[Plan]| {
            let text = plans_json(plans).unwrap();
            serde_json::from_str::<serde_json::Value>(&text).unwrap()["kind"].as_str().unwrap().to_owned()
        };
        assert_eq!(kind(&[fixtures::in_sync()]), "Plan");
        assert_eq!(kind(&[fixtures::in_sync(), fixtures::everything()]), "PlanList");
        assert_eq!(kind(&[]), "PlanList");
    }

    #[test]
    fn the_contract_with_machines_is_as_it_was() {
        fixtures::golden("schemas.json", &to_json(&schemas()).unwrap());
    }

    #[test]
    fn the_json_of_a_plan_is_as_it_was() {
        let text = to_json(&PlanDocument::of(&fixtures::everything())).unwrap();
        fixtures::golden("plan.json", &text);
    }
}

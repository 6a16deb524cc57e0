//! How every object is, in the conditions that Kubernetes users know.
//!
//! Two questions are kept apart, as Argo CD does: [`SyncStatus`], whether the object matches its manifest, and [`HealthStatus`],
//! whether what is there works. The conditions are those of Kubernetes: `Ready`, it is in sync; `Reconciling`, an operation
//! is in progress; `Stalled`, it is refused or overdue, and needs a person. What waits for an approval is not stalled, and
//! what nobody has started yet is not reconciling. What could not be read is `Unknown`, never `True`. All is derived from
//! the plan each time, never stored.

use std::fmt::Write as _;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::json::{API_VERSION, revision};
use super::{Paint, doctor, order, words};
use crate::model::{Action, Ailment, Cut, DriftStanding, Entry, FailedRestore, Key, Memory, Plan, Severity, Waiting};

mod condition;

use self::condition::{APPROVAL_REQUIRED, conditions, health, sync};
pub use self::condition::{Condition, ConditionStatus, ConditionType, HealthStatus, SyncStatus};

/// What `status -o json` writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusList {
    /// `landfast/v1`.
    #[schemars(extend("const" = "landfast/v1"))]
    pub api_version: String,
    /// `StatusList`.
    #[schemars(extend("const" = "StatusList"))]
    pub kind: String,
    /// What the operator's configuration reduced in the environments' policies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cuts: Vec<PolicyCut>,
    /// One for each object, dependencies first and deletions last.
    pub items: Vec<Status>,
}

/// What the operator's configuration reduced in the policy of an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyCut {
    /// The environment.
    pub environment: String,
    /// What was cut.
    #[serde(flatten)]
    pub cut: Cut,
}

/// The status of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The object's address.
    pub object: String,
    /// Its name in AWS.
    pub name: String,
    /// Its account.
    pub account: String,
    /// Its region.
    pub region: String,
    /// Its AWS status; `null` if it does not exist or could not be read.
    pub status: Option<String>,
    /// Whether it matches its manifest.
    pub sync: SyncStatus,
    /// Whether what is there works.
    pub health: HealthStatus,
    /// The planned change.
    pub action: Action,
    /// The revision of the manifests that this status is for.
    pub observed_revision: String,
    /// `Ready`, `Reconciling` and `Stalled`, in this order.
    pub conditions: Vec<Condition>,
    /// The drift of a stack's resources, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftStatus>,
    /// Problems, worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ailments: Vec<Ailment>,
    /// Start of the running operation.
    #[schemars(with = "Option<String>")]
    pub operation_since: Option<Timestamp>,
}

/// The drift of a stack's resources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DriftStatus {
    /// When it was checked; `null`: not since the stack's last operation.
    #[schemars(with = "Option<String>")]
    pub at: Option<Timestamp>,
    /// Differences that are drift.
    pub differences: usize,
    /// The highest severity.
    pub worst: Option<Severity>,
    /// Resources that could not be compared.
    pub unknown: usize,
    /// Why the last check failed.
    pub failed: Option<String>,
}

impl From<&DriftStanding> for DriftStatus {
    fn from(standing: &DriftStanding) -> Self {
        let DriftStanding { at, differences, worst, unknown, failed } = standing.clone();
        Self { at, differences, worst, unknown, failed }
    }
}

impl StatusList {
    /// The status of every object of some environments, from their last plans and what is remembered.
    #[must_use]
    pub fn of<'a>(environments: impl IntoIterator<Item = (&'a Plan, &'a Memory)>) -> Self {
        let (mut items, mut cuts) = (Vec::new(), Vec::new());
        for (plan, memory) in environments {
            let environment = || plan.environment.to_string();
            cuts.extend(plan.cuts.iter().map(|cut| PolicyCut { environment: environment(), cut: cut.clone() }));
            let entries = order::entries(plan).into_iter();
            items.extend(entries.map(|(key, entry)| Status::of(plan, memory, key, entry)));
        }
        Self { api_version: API_VERSION.to_owned(), kind: "StatusList".to_owned(), cuts, items }
    }

    /// Objects whose status is known already.
    pub fn listed(items: impl IntoIterator<Item = Status>) -> Self {
        let items = items.into_iter().collect();
        Self { api_version: API_VERSION.to_owned(), kind: "StatusList".to_owned(), cuts: Vec::new(), items }
    }

    /// As a table, with a line of counts below it.
    #[must_use]
    pub fn text(&self, now: Timestamp, paint: Paint) -> String {
        if self.items.is_empty() {
            return "No objects.\n".to_owned();
        }
        self.table(&["OBJECT", "READY", "SYNC", "HEALTH", "STATUS", "MESSAGE"], now, paint)
    }

    /// The same with more columns.
    #[must_use]
    pub fn wide(&self, now: Timestamp, paint: Paint) -> String {
        let columns =
            ["OBJECT", "READY", "SYNC", "HEALTH", "STATUS", "FOR", "NAME", "ACCOUNT", "REGION", "REVISION", "MESSAGE"];
        self.table(&columns, now, paint)
    }

    /// The objects' addresses, one on each line.
    #[must_use]
    pub fn names(&self) -> String {
        self.items.iter().fold(String::new(), |text, item| text + &item.object + "\n")
    }

    fn table(&self, columns: &[&str], now: Timestamp, paint: Paint) -> String {
        if self.items.is_empty() {
            return "No objects.\n".to_owned();
        }
        let mut rows = vec![columns.iter().map(|column| (*column).to_owned()).collect::<Vec<_>>()];
        rows.extend(self.items.iter().map(|item| columns.iter().map(|column| item.cell(column, now)).collect()));
        let mut text = words::table(&rows, |y, x, cell| match (y.checked_sub(1).and_then(|y| self.items.get(y)), x) {
            (None, _) => paint.title(cell),
            (Some(item), 2) => match item.sync {
                SyncStatus::Synced => paint.good(cell),
                SyncStatus::Drifted | SyncStatus::Unknown => paint.danger(cell),
                SyncStatus::OutOfSync | SyncStatus::Retained => paint.change(cell),
            },
            (Some(item), 3) => match item.health {
                HealthStatus::Healthy => paint.good(cell),
                HealthStatus::Degraded | HealthStatus::Unknown => paint.danger(cell),
                HealthStatus::Progressing | HealthStatus::Missing => paint.change(cell),
            },
            _ => cell,
        });
        text.push('\n');
        text.push_str(&self.summary(paint));
        text
    }

    fn summary(&self, paint: Paint) -> String {
        let number = |is: &dyn Fn(&Status) -> bool| self.items.iter().filter(|item| is(item)).count();
        let mut text = format!("{} of {} in sync", number(&Status::is_ready), words::count(self.items.len(), "object"));
        for (number, what) in [
            (number(&|item| item.is(ConditionType::Reconciling, ConditionStatus::True)), "progressing"),
            (number(&Status::is_pending), "pending"),
            (number(&Status::awaits_approval), "waiting for approval"),
            (number(&Status::is_stalled), "stalled"),
            (number(&|item| item.sync == SyncStatus::Drifted), "drifted"),
            (number(&|item| item.health == HealthStatus::Degraded), "degraded"),
            (number(&|item| item.sync == SyncStatus::Unknown), "unknown"),
        ] {
            if number > 0 {
                let _ = write!(text, ", {number} {what}");
            }
        }
        text.push_str(".\n");
        if let Some(stalled) = self.items.iter().find(|item| item.is_stalled()) {
            let command = paint.command(format!("landfast why {}", stalled.object));
            let _ = writeln!(text, "To see what resolves it: {command}");
        }
        if let Some(first) = self.items.iter().find(|item| item.awaits_approval()) {
            let environment = first.object.split('/').next().unwrap_or_default();
            let command = paint.command(format!("landfast plan {environment}"));
            let _ = writeln!(text, "To review and approve: {command}");
        }
        if self.items.iter().any(|item| !item.ailments.is_empty()) {
            let _ = writeln!(text, "Problems and their remedies: {}", paint.command("landfast doctor"));
        }
        text
    }
}

/// A failed restore, for people.
fn said(failed: &FailedRestore<'_>) -> String {
    let FailedRestore { table, to, why, .. } = failed;
    match to {
        Some(to) if to == table => format!("the restore of {table} in place failed: {why}"),
        Some(to) => format!("the restore of {table} to {to} failed: {why}"),
        None => format!("the restore test of {table} failed: {why}"),
    }
}

impl Status {
    /// The status of one object.
    #[must_use]
    pub fn of(plan: &Plan, memory: &Memory, key: &Key, entry: &Entry) -> Self {
        let pending =
            memory.objects.stacks.get(key).and_then(|memory| memory.pending.as_ref()).map(|pending| pending.started);
        let seen = entry.waiting.iter().find_map(|waiting| match waiting {
            Waiting::Operation { since, .. } | Waiting::Rollout { since, .. } | Waiting::Job { since, .. } => {
                Some(*since)
            }
            _ => None,
        });
        let failed = memory.objects.backups.get(key).and_then(|memory| memory.failed_restores().last().map(said));
        Self {
            object: key.to_string(),
            name: entry.address.name.to_string(),
            account: entry.address.scope.account.to_string(),
            region: entry.address.scope.region.to_string(),
            status: entry.status.clone(),
            sync: sync(entry),
            health: health(entry, failed.is_some()),
            action: entry.action,
            observed_revision: revision(&plan.revision),
            conditions: conditions(entry, failed),
            drift: entry.drift.as_deref().map(DriftStatus::from),
            ailments: entry.ailments.iter().map(|one| one.ailment).collect(),
            operation_since: seen.and_then(|since| since.or(pending)),
        }
    }

    /// Whether a condition has this status.
    #[must_use]
    pub fn is(&self, kind: ConditionType, status: ConditionStatus) -> bool {
        self.condition(kind).is_some_and(|condition| condition.status == status)
    }

    fn condition(&self, kind: ConditionType) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }

    /// As desired.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.is(ConditionType::Ready, ConditionStatus::True)
    }

    /// It will change, and nobody has started that yet.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        let settled = self.is_ready() || self.is_stalled() || self.awaits_approval();
        let fixed = matches!(self.sync, SyncStatus::Unknown | SyncStatus::Retained);
        !settled && !fixed && !self.is(ConditionType::Reconciling, ConditionStatus::True)
    }

    /// Waits for an approval, and for nothing else that a person has to do.
    #[must_use]
    pub fn awaits_approval(&self) -> bool {
        self.condition(ConditionType::Ready).is_some_and(|ready| ready.reason == APPROVAL_REQUIRED)
    }

    /// Needs a person.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.is(ConditionType::Stalled, ConditionStatus::True)
    }

    fn cell(&self, column: &str, now: Timestamp) -> String {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        match column {
            "READY" => or_dash(self.condition(ConditionType::Ready).map(|ready| format!("{:?}", ready.status))),
            "SYNC" => format!("{:?}", self.sync),
            "HEALTH" => format!("{:?}", self.health),
            "STATUS" => or_dash(self.status.clone()),
            "FOR" => or_dash(self.operation_since.map(|since| words::duration(words::between(since, now)))),
            "NAME" => words::clean(&self.name),
            "ACCOUNT" => self.account.clone(),
            "REGION" => self.region.clone(),
            "REVISION" => words::clean(&self.observed_revision),
            "MESSAGE" => self.message(),
            _ => self.object.clone(),
        }
    }

    fn message(&self) -> String {
        let message = |kind| self.condition(kind).map(|condition| words::clean(&condition.message)).unwrap_or_default();
        let message = if self.is_stalled() {
            format!("STALLED, {}", message(ConditionType::Stalled))
        } else {
            message(ConditionType::Ready)
        };
        match self.ailments.first() {
            Some(ailment) => format!("{}: {message}", doctor::ailment(*ailment)),
            None => message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Guard, Refusal};
    use crate::report::fixtures::{self, at, key};

    fn list() -> StatusList {
        StatusList::of([(&fixtures::everything(), &fixtures::memory())])
    }

    #[test]
    fn the_table_reads_as_it_did() {
        fixtures::golden("status.txt", &list().text(at("03:12:30"), Paint::Plain));
    }

    #[test]
    fn the_document_reads_back_and_fits_its_schema() {
        fixtures::check_contract("StatusList", &list());
        fixtures::golden("status.json", &crate::report::to_json(&list()).unwrap());
    }

    #[test]
    fn only_what_is_in_sync_and_was_seen_is_ready() {
        for status in list().items {
            assert_eq!(status.is_ready(), status.action == Action::None, "{}", status.object);
        }
        let mut plan = fixtures::in_sync();
        let entry = plan.entries.get_mut(&key("ecr")).unwrap();
        entry.waiting.push(Waiting::Unknown { why: "throttled".to_owned() });
        let statuses = StatusList::of([(&plan, &fixtures::memory())]);
        let ecr = statuses.items.iter().find(|status| status.object == "dev/stack/ecr").unwrap();
        assert!(ecr.is(ConditionType::Ready, ConditionStatus::Unknown));
    }

    #[test]
    fn an_object_in_sync_that_a_rule_refuses_is_ready_and_says_so() {
        let mut plan = fixtures::in_sync();
        let refusal = Refusal {
            guard: Guard::RequiredTags,
            reason: "tag CostCenter is missing".to_owned(),
            release: "add it".to_owned(),
        };
        plan.entries.get_mut(&key("ecr")).unwrap().refused.push(refusal);
        let list = StatusList::of([(&plan, &fixtures::memory())]);
        let text = list.text(at("03:12:30"), Paint::Plain);
        assert!(
            text.contains(
                "Synced  Healthy  UPDATE_COMPLETE  STALLED, refused (required tag): tag CostCenter is missing"
            ),
            "{text}"
        );
        let text = crate::report::plan(&plan, Paint::Plain);
        assert!(text.contains("0 to delete; 1 refused.") && !text.contains("In sync"), "{text}");
    }

    #[test]
    fn what_is_gone_is_not_healthy() {
        let mut plan = fixtures::in_sync();
        let entry = plan.entries.get_mut(&key("ecr")).unwrap();
        let (reason, release) = ("it was deleted".to_owned(), "restore it".to_owned());
        entry.refused.push(Refusal { guard: Guard::Missing, reason, release });
        for (status, health) in [
            (None, HealthStatus::Missing),
            (Some("DELETED"), HealthStatus::Missing),
            (Some("CURRENT"), HealthStatus::Healthy),
        ] {
            plan.entries.get_mut(&key("ecr")).unwrap().status = status.map(str::to_owned);
            let list = StatusList::of([(&plan, &fixtures::memory())]);
            let ecr = list.items.iter().find(|status| status.object == "dev/stack/ecr").unwrap();
            assert_eq!(ecr.health, health, "{status:?}");
        }
    }

    #[test]
    fn nothing_is_both_under_way_and_stalled() {
        for status in list().items {
            let under_way = status.is(ConditionType::Reconciling, ConditionStatus::True);
            assert!(!(under_way && status.is_stalled()), "{}", status.object);
        }
    }
}

//! What follows from an entry of a plan for the status of its object: whether it is in sync, whether it works, and the three
//! conditions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Act, Action, Entry, Guard, Waiting};
use crate::report::words;

/// Whether an object matches its manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum SyncStatus {
    /// It matches its manifest.
    Synced,
    /// Its stack matches the manifest, but resources of it were changed outside CloudFormation.
    Drifted,
    /// It differs from its manifest.
    OutOfSync,
    /// Its manifest was removed, and the policy keeps it.
    Retained,
    /// It could not be read.
    Unknown,
}

/// Whether what is there works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum HealthStatus {
    /// It works.
    Healthy,
    /// An operation or a rollout is in progress.
    Progressing,
    /// It failed, or it has a problem.
    Degraded,
    /// It does not exist.
    Missing,
    /// It could not be read.
    Unknown,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Which.
    #[serde(rename = "type")]
    pub kind: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// The reason as one word, for programs.
    pub reason: String,
    /// The reason as text, for people.
    pub message: String,
}

/// The check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ConditionType {
    /// Whether it is in sync and healthy.
    Ready,
    /// Whether Landfast is reconciling it.
    Reconciling,
    /// Whether it needs an operator.
    Stalled,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// Yes.
    True,
    /// No.
    False,
    /// A read failed.
    Unknown,
}

/// The reason of what waits for an approval.
pub(super) const APPROVAL_REQUIRED: &str = "ApprovalRequired";

/// It could not be read, or something that decides about it.
fn is_unknown(entry: &Entry) -> bool {
    entry.action == Action::Unknown || entry.waiting.iter().any(|waiting| matches!(waiting, Waiting::Unknown { .. }))
}

pub(super) fn sync(entry: &Entry) -> SyncStatus {
    match entry.action {
        _ if is_unknown(entry) => SyncStatus::Unknown,
        Action::None if entry.drift.as_ref().is_some_and(|drift| drift.differences > 0) => SyncStatus::Drifted,
        Action::None => SyncStatus::Synced,
        Action::Retain => SyncStatus::Retained,
        _ => SyncStatus::OutOfSync,
    }
}

pub(super) fn health(entry: &Entry, restore_failed: bool) -> HealthStatus {
    let waits = |is: fn(&Waiting) -> bool| entry.waiting.iter().any(is);
    let failed =
        entry.status.as_deref().is_some_and(|status| status.ends_with("_FAILED") || status == "ROLLBACK_COMPLETE");
    let stuck =
        entry.refused.iter().any(|refusal| matches!(refusal.guard, Guard::Stalled | Guard::Stuck | Guard::OutOfStep));
    let gone = entry.refused.iter().any(|refusal| refusal.guard == Guard::Missing)
        && entry.status.as_deref().is_none_or(|status| status == "DELETED");
    match () {
        () if is_unknown(entry) => HealthStatus::Unknown,
        () if waits(is_running) => HealthStatus::Progressing,
        () if gone => HealthStatus::Missing,
        () if failed || stuck || restore_failed || !entry.ailments.is_empty() => HealthStatus::Degraded,
        () if waits(|one| matches!(one, Waiting::Backoff { .. } | Waiting::Readiness { overdue: true, .. })) => {
            HealthStatus::Degraded
        }
        () if waits(|one| matches!(one, Waiting::Readiness { .. })) => HealthStatus::Progressing,
        () if matches!(entry.action, Action::Create | Action::Recreate) => HealthStatus::Missing,
        () => HealthStatus::Healthy,
    }
}

/// Something has begun that AWS is doing.
fn is_running(waiting: &Waiting) -> bool {
    matches!(
        waiting,
        Waiting::Operation { .. } | Waiting::Rollout { .. } | Waiting::Job { .. } | Waiting::Propagation { .. }
    )
}

/// The three conditions of an entry.
pub(super) fn conditions(entry: &Entry, failed: Option<String>) -> Vec<Condition> {
    let needs_person = |waiting: &&Waiting| matches!(waiting, Waiting::Readiness { overdue: true, .. });
    let approval = entry.waiting.iter().find(|waiting| matches!(waiting, Waiting::Approval { .. }));
    let unready = entry.waiting.iter().any(|waiting| matches!(waiting, Waiting::Readiness { .. }));
    let others = || {
        entry.waiting.iter().filter(|waiting| !matches!(waiting, Waiting::Approval { .. }) && !needs_person(waiting))
    };

    let stalled = match (entry.refused.first(), entry.waiting.iter().find(needs_person)) {
        (Some(first), _) => Some((words::guard_reason(first.guard), refused(entry))),
        (None, Some(overdue)) => Some((waiting_reason(overdue), waits(entry, overdue))),
        (None, None) => None,
    };
    let running = others().find(|waiting| is_running(waiting) || matches!(waiting, Waiting::Readiness { .. }));
    let reconciling =
        running.filter(|_| stalled.is_none()).map(|waiting| (waiting_reason(waiting), waits(entry, waiting)));
    let idle = matches!(entry.action, Action::None | Action::Retain);
    let pending = match (approval, others().next()) {
        _ if stalled.is_some() || reconciling.is_some() => None,
        (Some(approval), _) => Some((APPROVAL_REQUIRED, waits(entry, approval))),
        (None, Some(waiting)) => Some((waiting_reason(waiting), waits(entry, waiting))),
        // A step for an object that is as desired only writes down or tidies up.
        (None, None) if !idle => Some(("Pending", next(entry))),
        (None, None) => None,
    };
    let ready = match stalled.as_ref().or(reconciling.as_ref()).or(pending.as_ref()) {
        _ if is_unknown(entry) => {
            let why = others().next().map_or_else(|| words::intent(Action::Unknown).to_owned(), |w| waits(entry, w));
            (ConditionStatus::Unknown, "ReadFailed", why)
        }
        _ if entry.action == Action::None && !unready => (ConditionStatus::True, "InSync", in_sync(entry, failed)),
        Some((reason, message)) => (ConditionStatus::False, *reason, message.clone()),
        None => (ConditionStatus::False, "Retained", words::intent(entry.action).to_owned()),
    };
    let yes_or_no = |kind, answer: Option<(&str, String)>, unless: (&str, String)| {
        let status = if answer.is_some() { ConditionStatus::True } else { ConditionStatus::False };
        let (reason, message) = answer.unwrap_or(unless);
        Condition { kind, status, reason: reason.to_owned(), message }
    };
    let not_begun = pending.unwrap_or(("Idle", "no operation is in progress".to_owned()));
    vec![
        Condition { kind: ConditionType::Ready, status: ready.0, reason: ready.1.to_owned(), message: ready.2 },
        yes_or_no(ConditionType::Reconciling, reconciling, not_begun),
        yes_or_no(ConditionType::Stalled, stalled, ("NotStalled", "no action is needed".to_owned())),
    ]
}

/// As the manifest asks; what was changed past its stack is said all the same.
fn in_sync(entry: &Entry, failed: Option<String>) -> String {
    if let Some(failed) = failed {
        return format!("in sync; {failed}");
    }
    match entry.drift.as_ref().map(|drift| (drift.differences, &drift.failed)) {
        Some((some, _)) if some > 0 => format!("in sync; drift: {}", words::count(some, "difference")),
        Some((0, Some(why))) => format!("in sync; drift unknown: {why}"),
        _ => "in sync".to_owned(),
    }
}

fn next(entry: &Entry) -> String {
    let intent = words::intent(entry.action);
    match entry.step.as_ref().map(|step| step.action.verb()) {
        Some(verb) if verb != entry.action.to_string() => format!("{intent} (next step: {verb})"),
        _ => intent.to_owned(),
    }
}

/// The first refusal, and how many there are beside it.
fn refused(entry: &Entry) -> String {
    let Some(first) = entry.refused.first() else { return String::new() };
    let more = match entry.refused.len() {
        0 | 1 => String::new(),
        number => format!(" ({} more)", words::count(number - 1, "refusal")),
    };
    let action = if entry.action == Action::None { String::new() } else { format!("{} ", entry.action) };
    format!("{action}refused ({}): {}{more}", words::guard(first.guard), first.reason)
}

fn waits(entry: &Entry, waiting: &Waiting) -> String {
    let waiting = words::waiting(waiting);
    match entry.action {
        Action::None | Action::Unknown => format!("waits for {waiting}"),
        action => format!("{action}: waits for {waiting}"),
    }
}

fn waiting_reason(waiting: &Waiting) -> &'static str {
    match waiting {
        Waiting::Dependency { .. } => "WaitingForDependency",
        Waiting::Operation { .. } => "OperationInProgress",
        Waiting::ChangeSet { .. } => "ComputingChangeSet",
        Waiting::Backoff { .. } => "Backoff",
        Waiting::Unknown { .. } => "ReadFailed",
        Waiting::Approval { .. } => APPROVAL_REQUIRED,
        Waiting::Turn => "ConcurrencyLimit",
        Waiting::Frozen { .. } => "Frozen",
        Waiting::Window { .. } => "OutsideMaintenanceWindow",
        Waiting::Readiness { overdue: false, .. } => "WaitingForReadiness",
        Waiting::Readiness { overdue: true, .. } => "NotReady",
        Waiting::Propagation { .. } => "Propagating",
        Waiting::Pause { .. } => "TooEarly",
        Waiting::Someone { .. } => "WaitingForExternalAction",
        Waiting::Image { .. } => "NoImage",
        Waiting::Rollout { .. } => "RolloutInProgress",
        Waiting::Job { .. } => "JobInProgress",
    }
}

//! When to look again if nothing says so earlier.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::{Entry, Plan, Waiting};

/// How often everything is looked at although nothing happened.
pub const RESYNC: Duration = Duration::from_mins(5);

/// A change set of a few resources takes AWS one to five seconds.
const CHANGE_SET: Duration = Duration::from_secs(1);

/// How late the end of an operation may be noticed, at most. A chain of six stacks that take 40 minutes together is late by
/// at most 6 × 3 s, under one percent; and one list page every 3 s is a fifteenth of the rate that AWS allows.
const OPERATION: Duration = Duration::from_secs(3);

/// And at least: an operation that has just begun is looked at so often.
const OPERATION_MIN: Duration = Duration::from_millis(250);

/// In between, this part of the time that it has taken so far: a minute after it has begun, `OPERATION`.
const OPERATION_PART: u32 = 20;

/// Only so many operations at once: as soon as one has ended, which the looks at those that run notice.
const TURN: Duration = OPERATION;

/// A rollout takes minutes, and a task half a minute to start.
const ROLLOUT: Duration = Duration::from_secs(5);

/// A backup of AWS Backup takes minutes, and a copy longer.
const JOB: Duration = Duration::from_secs(20);

/// Nothing says that an image was pushed; somebody who has just pushed the first one waits for it.
const IMAGE: Duration = Duration::from_secs(30);

/// After a look in which something could not be read. Retries of single calls are the governor's.
const UNKNOWN: Duration = Duration::from_secs(10);

/// A check that does not hold yet: as often as a load balancer's own health checks by default ask at their fastest.
const READINESS: Duration = Duration::from_secs(5);

/// One that has not held for longer than it may: it may still come right, but nothing is expected of it.
const OVERDUE: Duration = Duration::from_secs(30);

/// Route 53's changes take about a minute to reach all servers, and it takes five calls a second from all callers.
const PROPAGATION: Duration = Duration::from_secs(10);

/// Where events tell how things go on, looking beside them is for those that are lost: half the time that an operation has
/// taken so far, and a minute at most.
const TOLD_MIN: Duration = Duration::from_secs(2);
const TOLD: Duration = Duration::from_mins(1);

/// How often everything is looked at although nothing happened, where events tell what happens.
pub(super) const AUDIT: Duration = Duration::from_hours(1);

/// How long to wait after this plan. `told` by events is how what goes on at AWS ends.
pub(super) fn pause(plan: &Plan, now: Timestamp, resync: Duration, told: bool) -> Duration {
    let unless_told = |pause| Some(if told { TOLD } else { pause });
    let waits = plan.entries.values().flat_map(|entry| &entry.waiting);
    let soonest = waits.filter_map(|waiting| match waiting {
        Waiting::ChangeSet { .. } => Some(CHANGE_SET),
        Waiting::Operation { since, .. } => Some(operation(*since, now, told)),
        Waiting::Turn => unless_told(TURN),
        Waiting::Rollout { .. } => unless_told(ROLLOUT),
        Waiting::Job { .. } => unless_told(JOB),
        Waiting::Image { .. } => unless_told(IMAGE),
        Waiting::Unknown { .. } => Some(UNKNOWN),
        Waiting::Backoff { until, .. } | Waiting::Pause { until, .. } => Some(until.duration_since(now).unsigned_abs()),
        // To the moment: what is held begins by itself when nothing holds it any more.
        Waiting::Frozen { until, .. } | Waiting::Window { opens: until, .. } => {
            until.map(|until| Duration::try_from(until.duration_since(now)).unwrap_or_default())
        }
        Waiting::Readiness { overdue: false, .. } => Some(READINESS),
        Waiting::Readiness { overdue: true, .. } => Some(OVERDUE),
        Waiting::Propagation { .. } => Some(PROPAGATION),
        Waiting::Dependency { .. } | Waiting::Approval { .. } | Waiting::Someone { .. } => None,
    });
    soonest.min().unwrap_or(resync).min(resync)
}

/// The youngest one says how often.
fn operation(since: Option<Timestamp>, now: Timestamp, told: bool) -> Duration {
    let age = since.and_then(|since| Duration::try_from(now.duration_since(since)).ok());
    match (age, told) {
        (None, false) => OPERATION,
        (None, true) => TOLD,
        (Some(age), false) => (age / OPERATION_PART).clamp(OPERATION_MIN, OPERATION),
        (Some(age), true) => (age / 2).clamp(TOLD_MIN, TOLD),
    }
}

/// Something is moving by itself, so that waiting for it makes sense.
pub(super) fn is_moving<'e>(mut entries: impl Iterator<Item = &'e Entry>, now: Timestamp, patience: Duration) -> bool {
    entries.any(|entry| {
        entry.step.is_some()
            || entry.waiting.iter().any(|waiting| match waiting {
                Waiting::ChangeSet { .. }
                | Waiting::Operation { .. }
                | Waiting::Turn
                | Waiting::Unknown { .. }
                | Waiting::Propagation { .. }
                | Waiting::Job { .. }
                | Waiting::Rollout { .. } => true,
                Waiting::Readiness { overdue, .. } => !overdue,
                Waiting::Backoff { until, .. } | Waiting::Pause { until, .. } => {
                    until.duration_since(now).unsigned_abs() <= patience
                }
                Waiting::Dependency { .. }
                | Waiting::Approval { .. }
                | Waiting::Frozen { .. }
                | Waiting::Window { .. }
                | Waiting::Someone { .. }
                | Waiting::Image { .. } => false,
            })
    })
}

//! What has failed: tried again later, when its inputs change, or not at all (invariant L7).

use jiff::{SignedDuration, Timestamp};

use super::planner::refuse;
use super::{Goal, Input};
use crate::model::{Attempts, Digest, Entry, Failure, Guard, Refusal, Waiting};
use crate::sabotage::{self, Bug};

/// Those of these inputs.
pub(super) fn of<'m>(remembered: Option<&'m Attempts>, inputs: &Digest) -> Option<&'m Attempts> {
    remembered.filter(|attempts| attempts.inputs == *inputs)
}

/// Whether they keep what is wanted from being tried now. `most` tries are made without a person; what is invalid is
/// tried once.
pub(super) fn hold(input: &Input<'_>, attempts: Option<&Attempts>, most: u32, entry: &mut Entry) -> bool {
    let Some(attempts) = attempts else { return false };
    let terminal = !attempts.failure.transient && !sabotage::is(Bug::RetryTerminal);
    if terminal || attempts.count >= most {
        let Failure { resource, reason, .. } = &attempts.failure;
        refuse(
            entry,
            Refusal {
                guard: Guard::Stalled,
                reason: format!("failed {}: {resource}: {reason}", times(attempts.count)),
                release: "fix the cause and commit: Landfast retries when its inputs change".to_owned(),
            },
        );
        return true;
    }
    let until = attempts.last.saturating_add(backoff(attempts.count)).unwrap_or(Timestamp::MAX);
    if input.now >= until || input.goal == Goal::Destroy {
        return false;
    }
    let (attempt, failure) = (attempts.count, attempts.failure.clone());
    entry.step = None;
    entry.waiting.push(Waiting::Backoff { until, attempt, failure });
    true
}

/// What AWS has accepted several times, and does not show.
pub(super) fn in_vain(what: &str) -> Refusal {
    Refusal {
        guard: Guard::Stuck,
        reason: format!("AWS accepted the change {what} several times, and does not show it"),
        release:
            "compare the value in the manifest with what AWS shows, and use the same form; Landfast retries hourly"
                .to_owned(),
    }
}

/// 30 s, 2 min, 8 min, 32 min, then every hour.
pub(super) fn backoff(count: u32) -> SignedDuration {
    let seconds = 30_i64.saturating_mul(4_i64.saturating_pow(count.saturating_sub(1)));
    SignedDuration::from_secs(seconds.min(3_600))
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

//! What has failed: tried again later, when its inputs change, or not at all.

use jiff::{SignedDuration, Timestamp};

use super::Deciding;
use crate::model::{Action, Attempts, Digest, Entry, Failure, Guard, Refusal, Waiting};
use crate::plan::Goal;
use crate::plan::planner::refuse;
use crate::sabotage::{self, Bug};

/// Creations of the same inputs that are tried before it is left to a person: two that may have been bad luck, and one
/// that shows that it was not.
const CREATIONS_MAX: u32 = 3;

impl Deciding<'_> {
    pub(super) fn attempts(&self, inputs: &Digest) -> Option<&Attempts> {
        self.memory.attempts.as_ref().filter(|attempts| attempts.inputs == *inputs)
    }

    /// What failed is tried again later, if that can help, and otherwise when the manifest changes (invariant L7).
    pub(super) fn is_held_by_attempts(&self, entry: &mut Entry, inputs: &Digest) -> bool {
        let Some(attempts) = self.attempts(inputs) else { return false };
        let creates = matches!(entry.action, Action::Create | Action::Recreate);
        let terminal = !attempts.failure.transient && !sabotage::is(Bug::RetryTerminal);
        if terminal || (creates && attempts.count >= CREATIONS_MAX) {
            let Failure { resource, reason, .. } = &attempts.failure;
            refuse(
                entry,
                Refusal {
                    guard: Guard::Stalled,
                    reason: format!("failed {}: {resource}: {reason}", times(attempts.count)),
                    release: "fix the cause and commit: it is tried again when its inputs change".to_owned(),
                },
            );
            return true;
        }
        let until = attempts.last.saturating_add(backoff(attempts.count)).unwrap_or(Timestamp::MAX);
        if self.planner.input.now < until && self.planner.input.goal == Goal::Converge {
            let (attempt, failure) = (attempts.count, attempts.failure.clone());
            entry.waiting.push(Waiting::Backoff { until, attempt, failure });
            return true;
        }
        false
    }
}

/// 30 s, 2 min, 8 min, 32 min, then every hour.
pub(in crate::plan) fn backoff(count: u32) -> SignedDuration {
    let seconds = 30_i64.saturating_mul(4_i64.saturating_pow(count.saturating_sub(1)));
    SignedDuration::from_secs(seconds.min(3_600))
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

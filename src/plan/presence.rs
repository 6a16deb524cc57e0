//! A manifest that is there is not gone (invariant S25).
//!
//! What no manifest asks for is deleted only if everything that could have held its manifest was read and understood. The
//! environment says where that is not so ([`Gaps`](crate::model::Gaps)); whatever may be in such a gap stays as it is.
//! Decided here for all kinds at once, after everything else, so that no kind can forget it.

use super::Goal;
use super::planner::{Planner, refuse};
use crate::model::{Act, Action, Changes, Difference, Entry, Guard, Refusal, Waiting};
use crate::sabotage::{self, Bug};

/// Holds every deletion for which there is no evidence.
pub(super) fn hold(planner: &mut Planner<'_>) {
    let input = planner.input;
    let gaps = &input.environment.gaps;
    // A destruction is asked for by a person, of whatever is there.
    if input.goal == Goal::Destroy || gaps.is_complete() || sabotage::is(Bug::UnreadIsGone) {
        return;
    }
    for (key, entry) in &mut planner.entries {
        let Some(gap) = gaps.against(key).filter(|_| leaves(entry) && !has_begun(entry)) else { continue };
        entry.differences.clear();
        entry.changes = Changes::None;
        entry.waiting.retain(|waiting| !matches!(waiting, Waiting::Approval { .. }));
        if entry.action != Action::Unknown {
            entry.action = Action::Retain;
        }
        entry.refused.clear();
        refuse(entry, Refusal { guard: Guard::Unread, reason: gap.why.clone(), release: gap.release.clone() });
    }
}

/// It is in no manifest that was read.
pub(super) fn leaves(entry: &Entry) -> bool {
    entry.differences.contains(&Difference::NotDesired)
}

/// Its deletion has been sent, or has ended and is written down: no decision changes that.
fn has_begun(entry: &Entry) -> bool {
    entry.step.as_ref().is_some_and(|step| !step.action.mutates())
        || entry.waiting.iter().any(|waiting| matches!(waiting, Waiting::Operation { .. }))
}

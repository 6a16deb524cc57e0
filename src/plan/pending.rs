//! An operation of ours on a stack that has not been seen to end: followed until it has, before anything else is
//! decided.

use jiff::{SignedDuration, Timestamp};

use super::planner::Planner;
use super::standing::{Standing, row};
use crate::model::{
    Action, Conclusion, Entry, Key, Operation, Seen, StackAddress, StackDo, StackId, StackNeed, StackState, Waiting,
};
use crate::sabotage::{self, Bug};

/// What has begun is shown within so long: reads lag behind by seconds, and AWS gives no figure.
const SHOWN_WITHIN: SignedDuration = SignedDuration::from_secs(90);

/// The operation, and the stack that it is on.
pub(super) struct Pending<'a> {
    pub(super) planner: &'a Planner<'a>,
    pub(super) key: &'a Key,
    pub(super) address: StackAddress,
    pub(super) operation: &'a Operation,
}

impl Pending<'_> {
    /// What concludes it. Where nothing does yet, the entry says what it waits for.
    pub(super) fn follow(&self, state: &StackState, entry: &mut Entry) -> Option<StackDo> {
        let version = state.version();
        let conclusion = if state.status.is_in_progress() {
            Conclusion::Running
        } else if sabotage::is(Bug::ConcludeByStatus) && row(state.status).standing == Standing::Steady {
            Conclusion::Succeeded
        } else {
            self.conclusion(&state.id, Some(version.moved), entry)?
        };
        if conclusion == Conclusion::Running {
            let since = Some(self.operation.started);
            entry.waiting.push(Waiting::Operation { status: state.status, ours: true, since });
            return None;
        }
        // Reads lag behind calls, and both may show the stack as it was before: an update that began is not to be forgotten.
        if conclusion == Conclusion::NotSeen
            && self.planner.input.now.duration_since(self.operation.started).abs() < SHOWN_WITHIN
        {
            entry.action = Action::Unknown;
            let why = "whether its last operation began is not known yet: AWS may not show it for a while".to_owned();
            entry.waiting.push(Waiting::Unknown { why });
            return None;
        }
        Some(StackDo::Conclude { conclusion, version: Some(version) })
    }

    /// The same for a stack that is not there.
    pub(super) fn follow_absent(&self, stack: &StackId, entry: &mut Entry) -> Option<StackDo> {
        let conclusion = self.conclusion(stack, None, entry)?;
        Some(StackDo::Conclude { conclusion, version: None })
    }

    fn conclusion(&self, stack: &StackId, moved: Option<Timestamp>, entry: &mut Entry) -> Option<Conclusion> {
        let why = match self.planner.input.observation.conclusions.get(self.key) {
            Some(Seen::Present(conclusion)) => return Some(conclusion.clone()),
            Some(Seen::Absent) => return Some(Conclusion::NotSeen),
            Some(Seen::Unknown(why)) => format!("the events of its last operation could not be read: {why}"),
            None => {
                let (key, operation) = (self.key.clone(), Box::new(self.operation.clone()));
                self.planner.need(StackNeed::Conclusion(key, self.address.clone(), stack.clone(), moved, operation));
                "the events of its last operation have not been read".to_owned()
            }
        };
        entry.action = Action::Unknown;
        entry.waiting.push(Waiting::Unknown { why });
        None
    }
}

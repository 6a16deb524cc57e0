//! An operation of ours on a stack that has not been seen to end: followed until it has, before anything else is
//! decided.
//!
//! How it ended is known from the stack itself where that says it beyond doubt, and from its events otherwise: where it
//! failed, and where somebody else may have had a hand in it. A read that is older than AWS's answer to our call says
//! nothing of it.

use jiff::{SignedDuration, Timestamp};

use super::planner::Planner;
use super::standing::{Standing, row};
use crate::model::{
    Action, Conclusion, Entry, Key, Operation, OperationKind, Seen, StackAddress, StackDo, StackId, StackNeed,
    StackState, StackStatus, Waiting,
};
use crate::sabotage::{self, Bug};

/// How long a stack may be missing from the listing after it was created. Reads follow within seconds; longer is for a
/// bad day. A creation that was really lost is late by as much.
pub(super) const LISTED_WITHIN: SignedDuration = SignedDuration::from_secs(90);

/// What AWS calls the execution of a change set among the last operations of a stack (AWS: *`OperationEntry`*).
const UPDATE: &str = "UPDATE_STACK";

/// What changes no stack, among these.
const CHANGE_SET: &str = "CREATE_CHANGESET";

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
        if state.status.is_in_progress() {
            self.waits(state.status, entry);
            return None;
        }
        if self.is_behind() || self.is_as_before(state) {
            self.waits(self.begun(), entry);
            return None;
        }
        let by_status = sabotage::is(Bug::ConcludeByStatus) && row(state.status).standing == Standing::Steady;
        let conclusion = if by_status || self.is_told_by(state) {
            Conclusion::Succeeded
        } else {
            self.conclusion(&state.id, Some(version.moved), entry)?
        };
        if conclusion == Conclusion::Running {
            self.waits(state.status, entry);
            return None;
        }
        Some(StackDo::Conclude { conclusion, version: Some(version), template: None })
    }

    /// The same for a stack that is not there.
    pub(super) fn follow_absent(&self, stack: &StackId, entry: &mut Entry) -> Option<StackDo> {
        if self.is_behind() {
            self.waits(self.begun(), entry);
            return None;
        }
        let conclusion = self.conclusion(stack, None, entry)?;
        Some(StackDo::Conclude { conclusion, version: None, template: None })
    }

    fn waits(&self, status: StackStatus, entry: &mut Entry) {
        let since = Some(self.operation.started);
        entry.waiting.push(Waiting::Operation { status, ours: true, since });
    }

    /// How the stack reads as soon as AWS shows that it has begun.
    fn begun(&self) -> StackStatus {
        match self.operation.kind {
            OperationKind::Create => StackStatus::CreateInProgress,
            OperationKind::Update | OperationKind::Cancel | OperationKind::Resync => StackStatus::UpdateInProgress,
            OperationKind::Delete | OperationKind::Clear => StackStatus::DeleteInProgress,
            OperationKind::ContinueRollback => StackStatus::UpdateRollbackInProgress,
        }
    }

    /// Our call is on its way, or what was read of the stack is older than its answer.
    fn is_behind(&self) -> bool {
        let input = self.planner.input;
        let Some(answered) = self.operation.answered else { return input.busy.contains(self.key) };
        // A clock that went back would keep it waiting for ever.
        self.is_recent(answered, LISTED_WITHIN) && input.observation.read_at(&self.address) < answered
    }

    /// AWS has answered that the update has begun, and the stack reads as it did before: the read lags behind (any update
    /// moves `LastUpdatedTime`; AWS: *`Stack`*).
    fn is_as_before(&self, state: &StackState) -> bool {
        let updates = matches!(self.operation.kind, OperationKind::Update | OperationKind::Resync);
        let before = self.operation.from.as_ref().is_some_and(|before| before.version == state.version());
        let answered = self.operation.answered.is_some_and(|at| self.is_recent(at, LISTED_WITHIN));
        updates && before && answered
    }

    fn is_recent(&self, at: Timestamp, within: SignedDuration) -> bool {
        let passed = self.planner.input.now.duration_since(at);
        passed >= SignedDuration::ZERO && passed < within
    }

    /// Whether the stack itself says that the operation has succeeded, and that it was ours.
    ///
    /// A creation: the id is the one that our own call was answered with, and only its creation makes a stack
    /// `CREATE_COMPLETE`. An update: it is complete, by our change set, and nothing else was done to it since it was read
    /// right before our call. `ChangeSetId` alone does not say so: an update without a change set may leave it as it was.
    fn is_told_by(&self, state: &StackState) -> bool {
        let operation = self.operation;
        if operation.answered.is_none() || operation.stack.as_ref() != Some(&state.id) {
            return false;
        }
        match operation.kind {
            OperationKind::Create => state.status == StackStatus::CreateComplete,
            OperationKind::Update => {
                state.status == StackStatus::UpdateComplete
                    && operation.change_set.is_some()
                    && state.change_set == operation.change_set
                    && self.is_last(state)
            }
            _ => false,
        }
    }

    /// Whether exactly one update has been made since the stack was read before ours. Only where the endpoint names more
    /// than the last update: one that names the last of each kind could hide ours behind somebody's.
    fn is_last(&self, state: &StackState) -> bool {
        let Some(before) = &self.operation.from else { return false };
        let known = |id: &str| before.operations.iter().any(|one| one.id == id);
        let changing = state.operations.iter().filter(|one| one.kind != CHANGE_SET);
        let (old, new): (Vec<_>, Vec<_>) = changing.partition(|one| known(&one.id));
        let remembers = old.iter().any(|one| one.kind == UPDATE);
        remembers && matches!(new.as_slice(), [only] if only.kind == UPDATE)
    }

    fn conclusion(&self, stack: &StackId, moved: Option<Timestamp>, entry: &mut Entry) -> Option<Conclusion> {
        let why = match self.planner.input.observation.conclusions.get(self.key) {
            Some(Seen::Present(Conclusion::NotSeen) | Seen::Absent) if self.may_show_yet() => {
                self.waits(self.begun(), entry);
                return None;
            }
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

    /// Stack and events may both be older than our call: that neither shows it says nothing yet.
    fn may_show_yet(&self) -> bool {
        self.is_recent(self.operation.answered.unwrap_or(self.operation.started), LISTED_WITHIN)
    }
}

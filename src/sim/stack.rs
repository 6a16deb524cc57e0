//! A stack and what is being done to it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::resource::{Resource, ResourceOperation};
use crate::model::{ChangeSetName, ChangeSetState, OnFailure, Output, SmallMap, StackEvent, StackState};

/// A stack, as AWS keeps it.
#[derive(Serialize, Deserialize)]
pub(super) struct Stack {
    pub(super) region: usize,
    /// What `DescribeStacks` says. Shared with the versions kept for stale reads.
    pub(super) state: Arc<StackState>,
    pub(super) template: Arc<str>,
    /// What macros made of it; none: it has none.
    #[serde(default)]
    pub(super) processed: Option<Arc<str>>,
    /// Real values, `NoEcho` ones too: AWS has to know them.
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) policy: Option<String>,
    pub(super) resources: BTreeMap<String, Resource>,
    /// Exports of other stacks that it holds.
    pub(super) imports: BTreeSet<String>,
    /// Oldest first.
    pub(super) events: Vec<StackEvent>,
    pub(super) change_sets: BTreeMap<ChangeSetName, ChangeSet>,
    pub(super) operation: Option<Operation>,
    /// The token of the operation that is running, or was last.
    pub(super) token: Option<String>,
    pub(super) create_token: Option<String>,
    pub(super) on_failure: OnFailure,
    /// What was ever done to each logical resource.
    pub(super) counts: BTreeMap<String, Counts>,
    #[serde(skip)]
    pub(super) history: VecDeque<Version>,
}

/// A stack as it was at a time.
#[derive(Clone)]
pub(super) struct Version {
    pub(super) at: Timestamp,
    pub(super) state: Arc<StackState>,
    pub(super) template: Arc<str>,
}

/// How often something really happened to a logical resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Made, also as a replacement.
    pub creates: u32,
    /// Changed in place, also back again.
    pub updates: u32,
    /// Removed.
    pub deletes: u32,
}

/// What a stack is to become.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Submission {
    pub(super) template: Arc<str>,
    /// What macros made of it; none: it has none.
    #[serde(default)]
    pub(super) processed: Option<Arc<str>>,
    /// All of them, defaults too.
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) tags: SmallMap<String>,
    pub(super) role_arn: Option<String>,
    pub(super) notifications: BTreeSet<String>,
    pub(super) rollback_alarms: BTreeSet<String>,
    pub(super) monitoring_minutes: Option<i32>,
    #[serde(default)]
    pub(super) capabilities: BTreeSet<String>,
}

impl Submission {
    /// The template that is deployed: what macros made of the one that was submitted.
    pub(super) fn deployed(&self) -> &Arc<str> {
        self.processed.as_ref().unwrap_or(&self.template)
    }
}

/// A change set and what it was made from.
#[derive(Serialize, Deserialize)]
pub(super) struct ChangeSet {
    pub(super) state: ChangeSetState,
    pub(super) submission: Submission,
    pub(super) created: Timestamp,
    /// When it was computed.
    pub(super) ready: Option<Timestamp>,
    /// It includes nested stacks.
    #[serde(default)]
    pub(super) nested: bool,
    /// The change sets that belong to it: of which stacks, and their names.
    #[serde(default)]
    pub(super) below: Vec<(usize, ChangeSetName)>,
    /// Tells it apart from an earlier one of its name.
    pub(super) serial: u64,
}

/// What an update goes back to when it fails.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Before {
    pub(super) submission: Submission,
    pub(super) outputs: SmallMap<Output>,
    pub(super) imports: BTreeSet<String>,
}

/// Which part of an operation is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    Create,
    CreateRollback,
    Delete,
    Update,
    Cleanup,
    UpdateRollback,
    RollbackCleanup,
    Import,
    ImportRollback,
}

/// An operation on a stack.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
pub(super) struct Operation {
    /// Tells operations apart.
    pub(super) number: u64,
    pub(super) phase: Phase,
    /// Tells phases apart, so that what was put on the agenda for an earlier one is ignored.
    pub(super) serial: u64,
    pub(super) tasks: BTreeMap<String, Task>,
    pub(super) before: Option<Before>,
    /// What an update did, for going back.
    pub(super) undo: BTreeMap<String, Undo>,
    /// Resources to delete at the end, by the name of their task.
    pub(super) leftovers: BTreeMap<String, (String, Resource)>,
    /// Leave everything as it is when it fails.
    pub(super) keep_failed: bool,
    /// What was changed past the stack is put back.
    #[serde(default)]
    pub(super) reverts: bool,
    /// Resources that stay in the account when the stack is deleted.
    #[serde(default)]
    pub(super) retain: BTreeSet<String>,
    /// What is being made what it was, as it is until that has worked: and the replacement in whose place it comes.
    #[serde(default)]
    pub(super) reverting: BTreeMap<String, Resource>,
    /// What the rollback itself failed on: all that may be skipped.
    #[serde(default)]
    pub(super) irreversible: BTreeSet<String>,
    pub(super) change_set: Option<ChangeSetName>,
    /// The phase is over as soon as its [`super::world::Due::Settle`] comes.
    pub(super) settling: bool,
    /// A nested stack that has been updated waits for its root before it removes anything.
    #[serde(default)]
    pub(super) held: bool,
    /// The phase ends badly for a reason that is not a resource's.
    pub(super) doomed: Option<String>,
}

impl Operation {
    pub(super) fn new(number: u64, phase: Phase) -> Self {
        Self {
            number,
            phase,
            serial: number,
            tasks: BTreeMap::new(),
            before: None,
            undo: BTreeMap::new(),
            leftovers: BTreeMap::new(),
            keep_failed: false,
            reverts: false,
            retain: BTreeSet::new(),
            reverting: BTreeMap::new(),
            irreversible: BTreeSet::new(),
            change_set: None,
            settling: false,
            held: false,
            doomed: None,
        }
    }

    /// Tasks that failed, in order of their names.
    pub(super) fn failed(&self) -> Vec<String> {
        let failed = self.tasks.iter().filter(|(_, task)| task.state == TaskState::Failed);
        failed.map(|(name, _)| name.split('#').next().unwrap_or(name).to_owned()).collect()
    }
}

/// How to go back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Undo {
    /// It was not there.
    Created,
    /// It was this.
    Was(Box<Resource>),
}

/// Work on one resource.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) work: Work,
    /// Tasks of the same phase that must be done before.
    pub(super) needs: BTreeSet<String>,
    pub(super) state: TaskState,
}

impl Task {
    pub(super) fn new(work: Work, needs: BTreeSet<String>) -> Self {
        Self { work, needs, state: TaskState::Waiting }
    }
}

/// What a task is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Work {
    /// Make the resource what the template says.
    Apply,
    /// Delete a resource of the stack.
    Delete,
    /// Delete one of the operation's leftovers.
    Discard,
    /// Make it what it was.
    Revert,
}

/// How far a task is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum TaskState {
    Waiting,
    Running {
        doing: ResourceOperation,
        /// It will fail, for this reason.
        failure: Option<String>,
        stuck: bool,
    },
    Done,
    Failed,
}

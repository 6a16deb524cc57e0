//! Operations on a stack: how they begin, go from phase to phase, fail, and go back.
//!
//! Statuses and their order are those of AWS's pages *Stack status codes*, *Stack failure options* and *Continue rolling
//! back an update*. Resources are worked on in the order of their dependencies, and side by side where there are none.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;

use super::evaluate::{Env, Resolve};
use super::reader::{Parsed, ResourceDecl};
use super::stack::{Before, Operation, Phase, Submission, Task, TaskState, Work};
use super::wanted::{Live, Wanted};
use super::world::{Due, TICK, World};
use crate::model::{
    ChangeSetId, ChangeSetName, ChangeSetStatus, DeploymentMode, LastOperation, OnFailure, SmallMap, StackStatus,
};

/// How long a phase stays visible after its last resource.
const SETTLE: Duration = Duration::from_secs(1);

/// So many of the last operations of a stack are named. AWS does not say how many it names.
const OPERATIONS_NAMED: usize = 5;

impl World {
    /// Evaluates something of a stack's template with `resources` as they are, or as they are thought to become.
    pub(super) fn with_env<T>(
        &self,
        ix: usize,
        parsed: &Parsed,
        submission: &Submission,
        resources: &dyn Resolve,
        what: impl FnOnce(&Env<'_>) -> T,
    ) -> T {
        let stack = &self.data.stacks[ix];
        let region = &self.data.regions[stack.region];
        let parameters = self.looked_up(stack.region, parsed, &submission.parameters);
        let exports = |name: &str| region.exports.get(name).map(|(_, value)| value.clone());
        what(&Env {
            parsed,
            parameters: &parameters,
            scope: &region.scope,
            stack_id: stack.state.id.as_str(),
            stack_name: stack.state.name.as_str(),
            notifications: &submission.notifications,
            resources,
            exports: &exports,
            imports: RefCell::default(),
        })
    }

    /// What the stack is now, as it would be submitted.
    pub(super) fn submitted(&self, ix: usize) -> Submission {
        let stack = &self.data.stacks[ix];
        Submission {
            template: Arc::clone(&stack.template),
            processed: stack.processed.clone(),
            parameters: stack.parameters.clone(),
            tags: stack.state.tags.clone(),
            role_arn: stack.state.role_arn.clone(),
            notifications: stack.state.notifications.clone(),
            rollback_alarms: stack.state.rollback_alarms.clone(),
            monitoring_minutes: stack.state.monitoring_minutes,
            capabilities: stack.state.capabilities.clone(),
        }
    }

    /// Makes a submission what the stack is.
    pub(super) fn submit(&mut self, ix: usize, submission: Submission, change_set: Option<ChangeSetId>) {
        let shown = self.shown_parameters(&submission);
        let parsed = self.parsed(submission.deployed()).unwrap_or_default();
        let stored = self.resolved(self.data.stacks[ix].region, &parsed, &submission.parameters);
        self.data.stacks[ix].template = submission.template;
        self.data.stacks[ix].processed = submission.processed;
        self.data.stacks[ix].parameters = submission.parameters;
        self.change(ix, |state| {
            state.parameters = shown;
            state.stored = stored;
            state.tags = submission.tags;
            state.role_arn = submission.role_arn.or(state.role_arn.take());
            state.notifications = submission.notifications;
            state.rollback_alarms = submission.rollback_alarms;
            state.monitoring_minutes = submission.monitoring_minutes;
            state.capabilities = submission.capabilities;
            if change_set.is_some() {
                state.change_set = change_set;
            }
        });
    }

    pub(super) fn shown_parameters(&mut self, submission: &Submission) -> SmallMap<String> {
        let parsed = self.parsed(submission.deployed()).unwrap_or_default();
        let hidden = |name: &String| parsed.parameters.get(name).is_some_and(|decl| decl.no_echo);
        let parameters = submission.parameters.iter();
        parameters
            .map(|(name, value)| (name.clone(), if hidden(name) { "****".to_owned() } else { value.clone() }))
            .collect()
    }

    /// The resource of a task as the stack's template wants it.
    pub(super) fn wanted(&mut self, ix: usize, name: &str) -> Result<(Wanted, ResourceDecl), String> {
        let submission = self.submitted(ix);
        let parsed = self.parsed(submission.deployed())?;
        let decl = parsed.resources.get(name).ok_or("Template error: the resource is not in the template")?;
        let stack = &self.data.stacks[ix];
        let live = Live { scope: self.scope_of(ix), resources: &stack.resources };
        let (properties, metadata) = self.with_env(ix, &parsed, &submission, &live, |env| {
            Ok::<_, String>((
                env.eval(&decl.properties)?.unwrap_or_default(),
                env.eval(&decl.metadata)?.unwrap_or_default(),
            ))
        })?;
        let wanted = Wanted::new(decl, properties, metadata, &submission.tags);
        Ok((wanted, ResourceDecl { properties: Json::Null, metadata: Json::Null, ..decl.clone() }))
    }

    pub(super) fn kind_in_template(&mut self, ix: usize, name: &str) -> String {
        let submission = self.submitted(ix);
        let parsed = self.parsed(submission.deployed()).unwrap_or_default();
        parsed.resources.get(name).map(|decl| decl.kind.clone()).unwrap_or_default()
    }

    /// Begins to create a stack that was taken in.
    pub(super) fn begin_create(&mut self, ix: usize, timeout: Option<Duration>) {
        let number = self.serial();
        self.data.stacks[ix].operation = Some(Operation::new(number, Phase::Create));
        self.name_operation(ix, "CREATE_STACK", number);
        self.set_status(ix, StackStatus::CreateInProgress, Some("User Initiated".to_owned()));
        if let Some(timeout) = timeout {
            self.later(timeout, Due::Timeout { stack: ix, operation: number });
        }
        self.begin_applying(ix, Phase::Create);
    }

    /// Begins to make a stack what was submitted.
    pub(super) fn begin_update(
        &mut self,
        ix: usize,
        submission: Submission,
        token: Option<String>,
        change_set: Option<(ChangeSetName, ChangeSetId)>,
        keep_failed: bool,
    ) {
        let number = self.serial();
        let before = Before {
            submission: self.submitted(ix),
            outputs: self.data.stacks[ix].state.outputs.clone(),
            imports: self.data.stacks[ix].imports.clone(),
        };
        let (name, id) = change_set.unzip();
        let mut operation = Operation::new(number, Phase::Update);
        operation.before = Some(before);
        operation.keep_failed = keep_failed;
        operation.change_set.clone_from(&name);
        let now = self.data.now;
        let stack = &mut self.data.stacks[ix];
        let mode = name.as_ref().and_then(|name| stack.change_sets.get(name)).map(|set| set.state.mode);
        operation.reverts = mode == Some(DeploymentMode::RevertDrift);
        stack.token = token;
        stack.operation = Some(operation);
        if let Some(name) = &name {
            self.spend_change_sets(ix, name);
        }
        let stack = &mut self.data.stacks[ix];
        for change_set in stack.change_sets.values_mut() {
            // The one being executed, or those that an update of another kind makes obsolete.
            change_set.state.status = ChangeSetStatus::Spent;
        }
        let last = stack.state.updated.unwrap_or(stack.state.created);
        self.submit(ix, submission, id);
        self.name_operation(ix, "UPDATE_STACK", number);
        self.change(ix, |state| state.updated = Some(now.max(last.saturating_add(TICK).unwrap_or(now))));
        self.set_status(ix, StackStatus::UpdateInProgress, Some("User Initiated".to_owned()));
        self.begin_applying(ix, Phase::Update);
    }

    /// An operation becomes the last of those that `DescribeStacks` names.
    fn name_operation(&mut self, ix: usize, kind: &str, number: u64) {
        self.change(ix, |state| {
            state.operations.insert(0, LastOperation { kind: kind.to_owned(), id: format!("operation-{number}") });
            state.operations.truncate(OPERATIONS_NAMED);
        });
    }

    /// Begins to delete a stack, whatever is being created in it.
    pub(super) fn begin_delete(&mut self, ix: usize, retain: BTreeSet<String>, token: Option<String>, reason: &str) {
        let number = self.serial();
        self.data.stacks[ix].token = token;
        self.cancel_tasks(ix);
        // What an earlier operation replaced and did not come to delete goes with the stack.
        self.collect_replaced(ix);
        for name in self.data.stacks[ix].change_sets.keys().cloned().collect::<Vec<_>>() {
            self.drop_nested(ix, &name);
        }
        let left = self.data.stacks[ix].operation.take().map(|operation| operation.leftovers).unwrap_or_default();
        let mut operation = Operation::new(number, Phase::Delete);
        operation.leftovers = left;
        operation.retain = retain;
        self.data.stacks[ix].operation = Some(operation);
        self.name_operation(ix, "DELETE_STACK", number);
        self.set_status(ix, StackStatus::DeleteInProgress, Some(reason.to_owned()));
        self.begin_deleting(ix, Phase::Delete);
    }

    /// All resources of the template that exist by their conditions, dependencies first.
    fn begin_applying(&mut self, ix: usize, phase: Phase) {
        let submission = self.submitted(ix);
        let planned = self.parsed(submission.deployed()).and_then(|parsed| {
            let stack = &self.data.stacks[ix];
            let live = Live { scope: self.scope_of(ix), resources: &stack.resources };
            self.with_env(ix, &parsed, &submission, &live, |env| {
                let mut wanted = BTreeSet::new();
                for (name, decl) in &parsed.resources {
                    if env.holds(decl.condition.as_ref())? {
                        wanted.insert(name.clone());
                    }
                }
                let tasks = wanted.iter().map(|name| {
                    let needs = parsed.resources.get(name).map(|decl| &decl.depends_on);
                    let needs = needs.into_iter().flatten().filter(|need| wanted.contains(*need)).cloned().collect();
                    (name.clone(), Task::new(Work::Apply, needs))
                });
                Ok(tasks.collect::<BTreeMap<_, _>>())
            })
        });
        let imports = self.imported(ix, &submission);
        let doomed = match (&planned, &imports) {
            (Err(reason), _) | (_, Err(reason)) => Some(reason.clone()),
            _ => None,
        };
        self.hold_imports(ix, imports.unwrap_or_default());
        let tasks = if doomed.is_some() { BTreeMap::new() } else { planned.unwrap_or_default() };
        if let Some(operation) = self.data.stacks[ix].operation.as_mut() {
            operation.doomed = doomed;
        }
        self.begin_phase(ix, phase, tasks);
    }

    fn begin_deleting(&mut self, ix: usize, phase: Phase) {
        let resources = &self.data.stacks[ix].resources;
        let needs = |name: &String| {
            let users = resources.iter().filter(|(_, resource)| resource.depends_on.contains(name));
            users.map(|(user, _)| user.clone()).collect()
        };
        let tasks = resources.keys().map(|name| (name.clone(), Task::new(Work::Delete, needs(name))));
        let left = self.data.stacks[ix].operation.iter().flat_map(|operation| operation.leftovers.keys());
        let left = left.filter(|name| !resources.contains_key(*name));
        let left = left.map(|name| (name.clone(), Task::new(Work::Discard, BTreeSet::new())));
        let tasks = tasks.chain(left).collect();
        self.begin_phase(ix, phase, tasks);
    }

    pub(super) fn begin_discarding(&mut self, ix: usize, phase: Phase) {
        let Some(operation) = self.data.stacks[ix].operation.as_ref() else { return };
        let leftovers = &operation.leftovers;
        let needs = |logical: &String| {
            let users = leftovers.iter().filter(|(_, (_, resource))| resource.depends_on.contains(logical));
            users.map(|(user, _)| user.clone()).collect()
        };
        let tasks =
            leftovers.iter().map(|(name, (logical, _))| (name.clone(), Task::new(Work::Discard, needs(logical))));
        let tasks = tasks.collect();
        self.begin_phase(ix, phase, tasks);
    }

    pub(super) fn begin_phase(&mut self, ix: usize, phase: Phase, tasks: BTreeMap<String, Task>) {
        let serial = self.serial();
        if let Some(operation) = self.data.stacks[ix].operation.as_mut() {
            operation.phase = phase;
            operation.serial = serial;
            operation.tasks = tasks;
            operation.settling = false;
        }
        self.pump(ix);
    }

    /// Begins every task that can begin; ends the phase if there is nothing left to wait for.
    fn pump(&mut self, ix: usize) {
        loop {
            let Some(operation) = self.data.stacks[ix].operation.as_mut() else { return };
            let tasks = &operation.tasks;
            let done = |need: &String| tasks.get(need).is_none_or(|task| task.state == TaskState::Done);
            let waiting = tasks.iter().filter(|(_, task)| task.state == TaskState::Waiting);
            let ready: Vec<String> =
                waiting.filter(|(_, task)| task.needs.iter().all(done)).map(|(name, _)| name.clone()).collect();
            if ready.is_empty() {
                let running = tasks.values().any(|task| matches!(task.state, TaskState::Running { .. }));
                if !running && !operation.settling {
                    operation.settling = true;
                    let serial = operation.serial;
                    self.later(SETTLE, Due::Settle { stack: ix, serial });
                }
                return;
            }
            for name in ready {
                self.begin_task(ix, &name);
            }
        }
    }

    /// A task has ended. A failed one ends the phase when something is being built; what is being torn down goes on.
    pub(super) fn after_task(&mut self, ix: usize, failed: bool) {
        let Some(operation) = self.data.stacks[ix].operation.as_mut() else { return };
        // A rollback that fails stops there too, with what else is on its way: "Resource update cancelled".
        let building = matches!(operation.phase, Phase::Create | Phase::Update | Phase::UpdateRollback);
        if failed && building {
            if !operation.keep_failed {
                self.cancel_tasks(ix);
            }
            if let Some(operation) = self.data.stacks[ix].operation.as_mut() {
                operation.tasks.retain(|_, task| task.state != TaskState::Waiting);
            }
        }
        self.pump(ix);
    }

    /// The time that `CreateStack` allowed is over.
    pub(super) fn creation_timed_out(&mut self, ix: usize, number: u64) {
        let Some(operation) = self.data.stacks[ix].operation.as_mut() else { return };
        if operation.number != number || operation.phase != Phase::Create {
            return;
        }
        operation.doomed = Some("Stack creation time exceeded the specified timeout".to_owned());
        self.cancel_tasks(ix);
        if let Some(operation) = self.data.stacks[ix].operation.as_mut() {
            operation.tasks.retain(|_, task| task.state != TaskState::Waiting);
        }
        self.pump(ix);
    }

    /// A phase is over: what comes next.
    pub(super) fn phase_is_over(&mut self, ix: usize, serial: u64) {
        let Some(operation) = self.data.stacks[ix].operation.as_ref().filter(|operation| operation.serial == serial)
        else {
            return;
        };
        let failed = operation.failed();
        let (phase, doomed) = (operation.phase, operation.doomed.clone());
        let names = failed.join(", ");
        match phase {
            Phase::Create => self.creation_is_over(ix, &failed, doomed),
            Phase::CreateRollback if failed.is_empty() => self.finish(ix, StackStatus::RollbackComplete, None),
            Phase::CreateRollback => {
                self.finish(
                    ix,
                    StackStatus::RollbackFailed,
                    Some(format!("The following resource(s) failed to delete: [{names}]. ")),
                );
            }
            Phase::Delete if failed.is_empty() => self.deletion_is_over(ix),
            Phase::Delete => {
                self.finish(
                    ix,
                    StackStatus::DeleteFailed,
                    Some(format!("The following resource(s) failed to delete: [{names}]. ")),
                );
            }
            Phase::Update => self.update_is_over(ix, &failed, doomed),
            Phase::Cleanup => {
                let left = (!failed.is_empty())
                    .then(|| "Update successful. One or more resources could not be deleted.".to_owned());
                self.finish(ix, StackStatus::UpdateComplete, left);
                self.data.stacks[ix].change_sets.clear();
            }
            Phase::UpdateRollback => self.update_rollback_is_over(ix, &failed),
            Phase::RollbackCleanup => self.finish(ix, StackStatus::UpdateRollbackComplete, None),
            Phase::Import => match doomed {
                None => self.finish(ix, StackStatus::ImportComplete, None),
                Some(reason) => {
                    self.set_status(ix, StackStatus::ImportRollbackInProgress, Some(reason));
                    self.begin_phase(ix, Phase::ImportRollback, BTreeMap::new());
                }
            },
            Phase::ImportRollback => {
                let stays = operation.keep_failed;
                let status =
                    if stays { StackStatus::ImportRollbackFailed } else { StackStatus::ImportRollbackComplete };
                self.finish(ix, status, None);
            }
        }
    }

    fn finish(&mut self, ix: usize, status: StackStatus, reason: Option<String>) {
        self.data.stacks[ix].operation = None;
        if matches!(status, StackStatus::RollbackComplete | StackStatus::RollbackFailed) {
            self.hold_imports(ix, BTreeSet::new());
        }
        self.set_status(ix, status, reason);
    }

    fn creation_is_over(&mut self, ix: usize, failed: &[String], doomed: Option<String>) {
        let trouble = match (doomed, failed) {
            (Some(reason), _) => Some(format!("{reason}.")),
            (None, []) => self.publish(ix).err().map(|reason| format!("{reason}.")),
            (None, failed) => Some(format!("The following resource(s) failed to create: [{}].", failed.join(", "))),
        };
        let Some(trouble) = trouble.map(|trouble| trouble.replace("..", ".")) else {
            self.finish(ix, StackStatus::CreateComplete, None);
            return;
        };
        match self.data.stacks[ix].on_failure {
            OnFailure::Nothing => {
                self.hold_imports(ix, BTreeSet::new());
                self.finish(ix, StackStatus::CreateFailed, Some(trouble));
            }
            OnFailure::Rollback => {
                let reason = format!("{trouble} Rollback requested by user.");
                self.set_status(ix, StackStatus::RollbackInProgress, Some(reason));
                self.begin_deleting(ix, Phase::CreateRollback);
            }
            OnFailure::Delete => {
                let token = self.data.stacks[ix].token.clone();
                self.begin_delete(ix, BTreeSet::new(), token, &format!("{trouble} Delete requested by user."));
            }
        }
    }

    fn deletion_is_over(&mut self, ix: usize) {
        self.hold_imports(ix, BTreeSet::new());
        let stack = &mut self.data.stacks[ix];
        stack.change_sets.clear();
        let name = stack.state.name.clone();
        let region = &mut self.data.regions[stack.region];
        region.live.remove(&name);
        region.exports.retain(|_, (owner, _)| *owner != name);
        self.finish(ix, StackStatus::DeleteComplete, None);
    }

    fn update_is_over(&mut self, ix: usize, failed: &[String], doomed: Option<String>) {
        let trouble = match (doomed, failed) {
            (Some(reason), _) => Some(reason),
            (None, []) => self.removal_denied(ix).or_else(|| self.publish(ix).err()),
            (None, failed) => Some(format!("The following resource(s) failed to update: [{}]. ", failed.join(", "))),
        };
        match trouble {
            Some(reason) if self.data.stacks[ix].operation.as_ref().is_some_and(|operation| operation.keep_failed) => {
                self.finish(ix, StackStatus::UpdateFailed, Some(reason));
            }
            Some(reason) => self.roll_back_update(ix, &reason),
            None => {
                self.set_status(ix, StackStatus::UpdateCompleteCleanupInProgress, None);
                if !self.is_held(ix) {
                    self.clean_up(ix);
                }
            }
        }
    }

    /// Removes what an update no longer needs, in nested stacks too.
    pub(super) fn clean_up(&mut self, ix: usize) {
        self.release_inners(ix);
        self.collect_leftovers(ix);
        self.begin_discarding(ix, Phase::Cleanup);
    }
}

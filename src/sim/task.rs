//! Work on one resource: what begins, how it ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;

use super::custom;
use super::ecs::Standing;
use super::fault::ResourceFailure;
use super::limit;
use super::reader::ResourceDecl;
use super::resource::{self, Resource, ResourceOperation, STACK};
use super::stack::{Task, TaskState, Undo, Work};
use super::wanted::{Delta, Wanted};
use super::world::{Due, World};
use crate::ports::{Class, PortError};

/// How often it is looked whether a service is steady.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// How often it is looked how far a nested stack is.
const LOOK_INSIDE: Duration = Duration::from_secs(1);

impl World {
    /// Begins a task. True if it is over already.
    pub(super) fn begin_task(&mut self, ix: usize, name: &str) {
        let Some(work) = self.task(ix, name).map(|task| task.work) else { return };
        let begun = match work {
            Work::Apply => self.begin_apply(ix, name),
            Work::Delete => self.begin_delete_of(ix, name, false),
            Work::Discard => self.begin_delete_of(ix, name, true),
            Work::Revert => self.begin_revert(ix, name),
        };
        let Some((doing, failure)) = begun else {
            self.set_task(ix, name, TaskState::Done);
            return;
        };
        self.run_task(ix, name, doing, failure);
    }

    /// Lets a task run for as long as its kind takes, or for ever.
    fn run_task(&mut self, ix: usize, name: &str, doing: ResourceOperation, mut failure: Option<String>) {
        let logical = logical(name);
        let kind = self.resource_of(ix, name).map(|resource| resource.kind.clone()).unwrap_or_default();
        let mut stuck = false;
        let mut seconds = resource::seconds(&kind, doing);
        if failure.is_some() {
            // What the service refuses, it refuses soon.
            seconds = seconds.min(2);
        } else {
            let stack_name = self.data.stacks[ix].state.name.clone();
            match self.faults.for_resource(&stack_name, logical, doing) {
                Some(ResourceFailure::Fails { reason, code }) => failure = Some(handler_message(&reason, &code)),
                Some(ResourceFailure::Sticks) => stuck = true,
                None => {}
            }
        }
        self.set_task(ix, name, TaskState::Running { doing, failure, stuck });
        if !stuck {
            self.schedule_task(ix, name, Duration::from_secs(seconds));
        }
    }

    pub(super) fn schedule_task(&mut self, ix: usize, name: &str, after: Duration) {
        let Some(serial) = self.data.stacks[ix].operation.as_ref().map(|operation| operation.serial) else { return };
        self.later(after, Due::Task { stack: ix, serial, task: name.to_owned() });
    }

    /// A task's time is over.
    pub(super) fn task_is_due(&mut self, ix: usize, serial: u64, name: &str) {
        let current = self.data.stacks[ix].operation.as_ref().is_some_and(|operation| operation.serial == serial);
        let Some(TaskState::Running { doing, mut failure, .. }) = self.task(ix, name).map(|task| task.state.clone())
        else {
            return;
        };
        if !current {
            return;
        }
        let verb = doing.verb();
        let logical = logical(name).to_owned();
        let Some(resource) = self.resource_of(ix, name).cloned() else { return };
        if failure.is_none() && resource.kind == STACK {
            match self.standing_of_inner(ix, name, &resource) {
                Standing::Steady => self.take_outputs(ix, &logical),
                Standing::Moving => return self.schedule_task(ix, name, LOOK_INSIDE),
                Standing::Failed(why) => failure = Some(why),
            }
        } else if doing != ResourceOperation::Delete && failure.is_none() {
            match self.standing_of(ix, &resource) {
                Standing::Steady => {}
                Standing::Moving => return self.schedule_task(ix, name, LOOK_AGAIN),
                Standing::Failed(why) => failure = Some(handler_message(&why, "GeneralServiceException")),
            }
        }
        let (state, outcome) =
            if failure.is_some() { (TaskState::Failed, "FAILED") } else { (TaskState::Done, "COMPLETE") };
        let status = format!("{verb}_{outcome}");
        self.event(ix, &logical, &resource.kind, Some(&resource.physical_id), &status, failure.clone());
        self.set_task(ix, name, state);
        if failure.is_some() {
            self.stays_as_it_is(ix, name, true);
        } else if self.task(ix, name).is_some_and(|task| task.work == Work::Revert)
            && let Some(operation) = self.data.stacks[ix].operation.as_mut()
        {
            // What is as it was is not worked on again when the rollback is continued.
            operation.undo.remove(name);
        }
        if let Some(resource) = self.resource_mut(ix, name) {
            resource.status = status;
        }
        if doing == ResourceOperation::Delete && failure.is_none() {
            self.forget(ix, name);
        }
        self.after_task(ix, failure.is_some());
    }

    /// Whatever is still running for a stack ends as cancelled.
    pub(super) fn cancel_tasks(&mut self, ix: usize) {
        let Some(operation) = self.data.stacks[ix].operation.as_mut() else { return };
        let mut cancelled = Vec::new();
        for (name, task) in &mut operation.tasks {
            if let TaskState::Running { doing, .. } = task.state {
                task.state = TaskState::Failed;
                cancelled.push((name.clone(), doing));
            }
        }
        for (name, doing) in cancelled {
            let Some(resource) = self.resource_of(ix, &name).cloned() else { continue };
            let what = if doing == ResourceOperation::Create { "creation" } else { "update" };
            let status = format!("{}_FAILED", doing.verb());
            let reason = Some(format!("Resource {what} cancelled"));
            self.event(ix, logical(&name), &resource.kind, Some(&resource.physical_id), &status, reason);
            self.stays_as_it_is(ix, &name, false);
            if let Some(resource) = self.resource_mut(ix, &name) {
                resource.status = status;
            }
        }
    }

    fn begin_apply(&mut self, ix: usize, name: &str) -> Option<(ResourceOperation, Option<String>)> {
        let wanted = match self.wanted(ix, name) {
            Ok((wanted, decl_extra)) => {
                let existing = self.data.stacks[ix].resources.get(name).cloned();
                return self.apply(ix, name, &wanted, decl_extra, existing);
            }
            Err(reason) => reason,
        };
        // An expression that cannot be evaluated fails the resource.
        let exists = self.data.stacks[ix].resources.contains_key(name);
        if !exists {
            let stub = stub(self.kind_in_template(ix, name));
            self.data.stacks[ix].resources.insert(name.to_owned(), stub);
            self.note_undo(ix, name, Undo::Created);
        }
        Some((if exists { ResourceOperation::Update } else { ResourceOperation::Create }, Some(wanted)))
    }

    fn apply(
        &mut self,
        ix: usize,
        name: &str,
        wanted: &Wanted,
        extra: ResourceDecl,
        existing: Option<Resource>,
    ) -> Option<(ResourceOperation, Option<String>)> {
        let actual = self.as_compared(ix, existing.as_ref().filter(|now| now.exists()));
        let mut delta = actual.as_ref().map(|now| wanted.delta(now));
        if delta == Some(Delta::Same)
            && let Some(now) = &actual
            && self.inner_differs(ix, wanted, now)
        {
            delta = Some(Delta::InPlace);
        }
        let mut made = Resource {
            kind: wanted.kind.clone(),
            physical_id: String::new(),
            properties: wanted.properties.clone(),
            metadata: wanted.metadata.clone(),
            tags: wanted.tags.clone(),
            depends_on: extra.depends_on,
            deletion_policy: extra.deletion_policy,
            update_replace_policy: extra.update_replace_policy,
            status: String::new(),
            tampered: self.quirks(&wanted.kind),
            skipped: false,
            holds: None,
            outputs: BTreeMap::new(),
        };
        if let (None, Some(holds)) = (&actual, existing.as_ref().and_then(|gone| gone.holds.as_ref())) {
            // What is gone holds no name.
            self.data.names.remove(holds);
        }
        let existing = existing.filter(|now| now.exists() && actual.is_some());
        match (delta, existing) {
            (Some(Delta::Same), Some(mut now)) => {
                // Policies and dependencies are the template's alone: nothing is done to the resource for them.
                now.depends_on = made.depends_on;
                now.deletion_policy = made.deletion_policy;
                now.update_replace_policy = made.update_replace_policy;
                now.skipped &= !self.reverts(ix);
                self.data.stacks[ix].resources.insert(name.to_owned(), now);
                None
            }
            (Some(Delta::InPlace), Some(now)) => {
                made.physical_id.clone_from(&now.physical_id);
                made.holds.clone_from(&now.holds);
                made.outputs.clone_from(&now.outputs);
                let left = now.tampered.without(&wanted.changed(actual.as_ref().unwrap_or(&now)));
                made.tampered = left.and(&made.tampered);
                let mut denied = self.policy_denies(ix, name, &now.kind, "Update:Modify");
                denied = denied.or_else(|| {
                    custom::refused(self.scope_of(ix), &made.kind, &made.properties, Some(&now.properties))
                });
                if now.skipped && !self.reverts(ix) {
                    // AWS: *Continue rolling back an update*: "If you don't, subsequent stack updates might fail".
                    let reason = "The resource is not in the state that the stack takes it for";
                    denied = denied.or_else(|| Some(handler_message(reason, "InvalidRequest")));
                    made.skipped = true;
                }
                self.note_undo(ix, name, Undo::Was(Box::new(now)));
                "UPDATE_IN_PROGRESS".clone_into(&mut made.status);
                self.event(ix, name, &made.kind, Some(&made.physical_id), "UPDATE_IN_PROGRESS", None);
                if denied.is_none() {
                    self.count(ix, name).updates += 1;
                    let within = made.kind == STACK;
                    let done = if within { self.update_inner(ix, &made) } else { self.update_of_stack(ix, &made) };
                    denied = done.err().as_ref().map(handled);
                }
                self.data.stacks[ix].resources.insert(name.to_owned(), made);
                Some((ResourceOperation::Update, denied))
            }
            (Some(Delta::Replace), Some(now)) => Some(self.begin_replacement(ix, name, wanted, made, &now)),
            (_, _) => {
                self.note_undo(ix, name, Undo::Created);
                "CREATE_IN_PROGRESS".clone_into(&mut made.status);
                self.event(ix, name, &made.kind, None, "CREATE_IN_PROGRESS", None);
                let failure = self.make(ix, name, wanted, &mut made);
                self.data.stacks[ix].resources.insert(name.to_owned(), made);
                Some((ResourceOperation::Create, failure))
            }
        }
    }

    /// The operation puts back what was changed past the stack.
    fn reverts(&self, ix: usize) -> bool {
        self.data.stacks[ix].operation.as_ref().is_some_and(|operation| operation.reverts)
    }

    /// A new resource in place of one: the old one is deleted when everything else worked.
    fn begin_replacement(
        &mut self,
        ix: usize,
        name: &str,
        wanted: &Wanted,
        mut made: Resource,
        now: &Resource,
    ) -> (ResourceOperation, Option<String>) {
        let kind = made.kind.clone();
        let reason = "Requested update requires the creation of a new physical resource; hence creating one.";
        self.event(ix, name, &kind, Some(&now.physical_id), "UPDATE_IN_PROGRESS", Some(reason.to_owned()));
        let mut failure = self.policy_denies(ix, name, &now.kind, "Update:Replace");
        if failure.is_none() && now.holds.is_some() && now.kind == kind && now.holds == self.hold_key(ix, wanted) {
            let given = wanted.name().unwrap_or_default();
            failure = Some(format!(
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename {given} and update the stack again."
            ));
        }
        self.note_undo(ix, name, Undo::Was(Box::new(now.clone())));
        if failure.is_none() {
            failure = self.make(ix, name, wanted, &mut made);
        }
        if made.exists() {
            "UPDATE_IN_PROGRESS".clone_into(&mut made.status);
            self.data.stacks[ix].resources.insert(name.to_owned(), made);
        }
        (ResourceOperation::Update, failure)
    }

    /// Lets the service make a resource, or say why it does not.
    fn make(&mut self, ix: usize, name: &str, wanted: &Wanted, made: &mut Resource) -> Option<String> {
        if let Some(why) = custom::refused(self.scope_of(ix), &made.kind, &made.properties, None) {
            return Some(why);
        }
        let holds = self.hold_key(ix, wanted);
        if let Some(holds) = &holds {
            if self.data.names.contains_key(holds) {
                let given = wanted.name().unwrap_or_default();
                return Some(handler_message(
                    &format!("Resource of type '{}' with identifier '{given}' already exists.", made.kind),
                    "AlreadyExists",
                ));
            }
            let stack = self.data.stacks[ix].state.name.clone();
            self.data.names.insert(holds.clone(), stack);
        }
        let generation = self.count(ix, name).creates.to_string();
        let state = Arc::clone(&self.data.stacks[ix].state);
        let seed = [state.id.as_str(), name, generation.as_str()];
        made.physical_id =
            resource::physical_id(&made.kind, self.scope_of(ix), state.name.as_str(), name, &seed, wanted.name());
        made.holds = holds;
        let within = made.kind == STACK;
        let called = if within { self.make_inner(ix, name, made).map(Some) } else { self.make_of_stack(ix, made) };
        if within {
            // What could not be begun has no name.
            made.physical_id.clear();
        }
        let refused = match called {
            Ok(called) => {
                if let Some(called) = called {
                    made.physical_id = called;
                }
                None
            }
            Err(error) => Some(handled(&error)),
        };
        self.count(ix, name).creates += 1;
        let status = made.status.clone();
        if status == "CREATE_IN_PROGRESS" {
            let reason = Some("Resource creation Initiated".to_owned());
            self.event(ix, name, &made.kind, Some(&made.physical_id), "CREATE_IN_PROGRESS", reason);
        }
        refused
    }

    fn hold_key(&self, ix: usize, wanted: &Wanted) -> Option<String> {
        let name = wanted.name()?;
        Some(format!("{}|{}|{name}", resource::name_space(&wanted.kind, self.scope_of(ix)), wanted.kind))
    }

    fn begin_delete_of(
        &mut self,
        ix: usize,
        name: &str,
        discarded: bool,
    ) -> Option<(ResourceOperation, Option<String>)> {
        let resource = self.resource_of(ix, name)?.clone();
        let logical = logical(name).to_owned();
        if !resource.exists() {
            self.forget(ix, name);
            return None;
        }
        let policy =
            if discarded && name.contains('#') { &resource.update_replace_policy } else { &resource.deletion_policy };
        let kept = self.data.stacks[ix].operation.as_ref().is_some_and(|operation| operation.retain.contains(&logical));
        if kept || matches!(policy.as_deref(), Some("Retain")) {
            self.event(ix, &logical, &resource.kind, Some(&resource.physical_id), "DELETE_SKIPPED", None);
            self.drop_resource(ix, name);
            return None;
        }
        self.event(ix, &logical, &resource.kind, Some(&resource.physical_id), "DELETE_IN_PROGRESS", None);
        if let Some(resource) = self.resource_mut(ix, name) {
            "DELETE_IN_PROGRESS".clone_into(&mut resource.status);
        }
        let full = resource.kind == "AWS::S3::Bucket"
            && self.data.objects.get(&resource.physical_id).is_some_and(|objects| !objects.is_empty());
        let failure = self.keeps_table_of_stack(ix, &resource).map(|why| handler_message(&why, "InvalidRequest"));
        let failure = failure.or_else(|| self.delete_inner(ix, &resource));
        let failure = failure.or_else(|| {
            full.then(|| {
                handler_message(
                    "The bucket you tried to delete is not empty (Service: S3, Status Code: 409)",
                    "GeneralServiceException",
                )
            })
        });
        Some((ResourceOperation::Delete, failure))
    }

    fn begin_revert(&mut self, ix: usize, name: &str) -> Option<(ResourceOperation, Option<String>)> {
        let undo = self.data.stacks[ix].operation.as_ref()?.undo.get(name)?.clone();
        let Undo::Was(was) = undo else { return None };
        let current = self.data.stacks[ix].resources.get(name)?.clone();
        let within = self.inner(&was).is_some_and(|child| self.revert_inner(child));
        if current == *was && !within {
            return None;
        }
        self.event(ix, name, &was.kind, Some(&was.physical_id), "UPDATE_IN_PROGRESS", None);
        if let Some(operation) = self.data.stacks[ix].operation.as_mut() {
            operation.reverting.insert(name.to_owned(), current.clone());
        }
        let refused = self.update_of_stack(ix, &was).err();
        self.data.stacks[ix].resources.insert(name.to_owned(), (*was).clone());
        let refused = refused.as_ref().map(handled);
        if current.physical_id == was.physical_id {
            self.count(ix, name).updates += 1;
        } else {
            self.leave_over(ix, &format!("{name}#new"), name, current);
        }
        Some((ResourceOperation::Update, refused))
    }

    /// What could not be made what it was stays what it is. `itself`: for a reason of its own, and not because another
    /// failed.
    fn stays_as_it_is(&mut self, ix: usize, name: &str, itself: bool) {
        let stack = &mut self.data.stacks[ix];
        let Some(operation) = stack.operation.as_mut() else { return };
        if work_of(operation.tasks.get(name)) != Some(Work::Revert) {
            return;
        }
        if itself {
            operation.irreversible.insert(name.to_owned());
        }
        if let Some(live) = operation.reverting.remove(name) {
            operation.leftovers.remove(&format!("{name}#new"));
            stack.resources.insert(name.to_owned(), live);
        }
    }

    /// Whether a rollback can be continued without a resource: `Resource`, or `Stack.Resource` of a nested one.
    pub(super) fn may_be_skipped(&self, ix: usize, name: &str) -> bool {
        if let Some((child, name)) = self.within(ix, name) {
            return self.may_be_skipped(child, &name);
        }
        let operation = self.data.stacks[ix].operation.as_ref();
        operation.is_some_and(|operation| {
            operation.irreversible.contains(name) && matches!(operation.undo.get(name), Some(Undo::Was(_)))
        })
    }

    /// A resource is left as it is, and its stack takes it for what it was (AWS: *Continue rolling back an update*: "sets
    /// the status of the specified resources to `UPDATE_COMPLETE`"; after that "the state of the skipped resources will be
    /// inconsistent with the state of the resources in the stack template").
    pub(super) fn skip(&mut self, ix: usize, name: &str) {
        if let Some((child, name)) = self.within(ix, name) {
            return self.skip(child, &name);
        }
        let Some(operation) = self.data.stacks[ix].operation.as_mut() else { return };
        operation.irreversible.remove(name);
        let Some(Undo::Was(was)) = operation.undo.remove(name) else { return };
        let Some(live) = self.data.stacks[ix].resources.get(name).cloned() else { return };
        let mut skipped = *was;
        skipped.tampered = skipped.tampered.with(&skipped.properties, &live.properties);
        skipped.physical_id.clone_from(&live.physical_id);
        skipped.holds.clone_from(&live.holds);
        skipped.skipped = true;
        "UPDATE_COMPLETE".clone_into(&mut skipped.status);
        self.event(ix, name, &live.kind, Some(&live.physical_id), "UPDATE_COMPLETE", None);
        self.data.stacks[ix].resources.insert(name.to_owned(), skipped);
        let id = self.data.stacks[ix].state.id.clone();
        self.not_checked(&id, name);
    }

    /// Remembers a resource for deletion at the end of the operation.
    pub(super) fn leave_over(&mut self, ix: usize, task: &str, logical: &str, resource: Resource) {
        if let Some(operation) = self.data.stacks[ix].operation.as_mut() {
            operation.leftovers.insert(task.to_owned(), (logical.to_owned(), resource));
        }
    }

    fn note_undo(&mut self, ix: usize, name: &str, undo: Undo) {
        if let Some(operation) = self.data.stacks[ix].operation.as_mut() {
            operation.undo.entry(name.to_owned()).or_insert(undo);
        }
    }

    /// A resource is gone: it is counted, and its name is free.
    fn forget(&mut self, ix: usize, name: &str) {
        let Some(resource) = self.drop_resource(ix, name) else { return };
        if resource.exists() {
            self.count(ix, logical(name)).deletes += 1;
            self.delete_of_stack(ix, &resource);
        }
        if let Some(holds) = &resource.holds {
            self.data.names.remove(holds);
        }
    }

    fn drop_resource(&mut self, ix: usize, name: &str) -> Option<Resource> {
        let stack = &mut self.data.stacks[ix];
        let discarded = self::work_of(stack.operation.as_ref()?.tasks.get(name)) == Some(Work::Discard);
        if discarded {
            return stack.operation.as_mut()?.leftovers.remove(name).map(|(_, resource)| resource);
        }
        stack.resources.remove(name)
    }

    pub(super) fn count(&mut self, ix: usize, logical: &str) -> &mut super::stack::Counts {
        self.data.stacks[ix].counts.entry(logical.to_owned()).or_default()
    }

    pub(super) fn task(&self, ix: usize, name: &str) -> Option<&Task> {
        self.data.stacks[ix].operation.as_ref()?.tasks.get(name)
    }

    fn set_task(&mut self, ix: usize, name: &str, state: TaskState) {
        if let Some(task) = self.data.stacks[ix].operation.as_mut().and_then(|operation| operation.tasks.get_mut(name))
        {
            task.state = state;
        }
    }

    fn resource_of(&self, ix: usize, name: &str) -> Option<&Resource> {
        let stack = &self.data.stacks[ix];
        let operation = stack.operation.as_ref()?;
        match work_of(operation.tasks.get(name)) {
            Some(Work::Discard) => operation.leftovers.get(name).map(|(_, resource)| resource),
            _ => stack.resources.get(name),
        }
    }

    fn resource_mut(&mut self, ix: usize, name: &str) -> Option<&mut Resource> {
        let stack = &mut self.data.stacks[ix];
        let operation = stack.operation.as_mut()?;
        match work_of(operation.tasks.get(name)) {
            Some(Work::Discard) => operation.leftovers.get_mut(name).map(|(_, resource)| resource),
            _ => stack.resources.get_mut(name),
        }
    }
}

fn work_of(task: Option<&Task>) -> Option<Work> {
    task.map(|task| task.work)
}

/// The logical id in a task's name.
pub(super) fn logical(task: &str) -> &str {
    task.split('#').next().unwrap_or(task)
}

fn stub(kind: String) -> Resource {
    Resource {
        kind,
        physical_id: String::new(),
        properties: Json::Null,
        metadata: Json::Null,
        tags: BTreeMap::new(),
        depends_on: std::collections::BTreeSet::new(),
        deletion_policy: None,
        update_replace_policy: None,
        status: "CREATE_IN_PROGRESS".to_owned(),
        tampered: super::tampered::Tampered::default(),
        skipped: false,
        holds: None,
        outputs: BTreeMap::new(),
    }
}

/// How `CloudFormation` passes on what a service has refused (AWS: *Handler error codes*).
fn handled(error: &PortError) -> String {
    if error.code.as_deref() == Some(limit::CODE) {
        return error.message.clone();
    }
    let code = if error.class == Class::NotFound { "NotFound" } else { "InvalidRequest" };
    handler_message(&error.message, code)
}

/// How `CloudFormation` passes on what a resource handler says.
fn handler_message(reason: &str, code: &str) -> String {
    format!("Resource handler returned message: \"{reason}\" (HandlerErrorCode: {code})")
}

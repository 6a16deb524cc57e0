//! Stacks within stacks (AWS: *Split a template into reusable pieces using nested stacks*, *`AWS::CloudFormation::Stack`*).
//!
//! A nested stack is a stack like any other, with its own resources, events and status. Its root decides when it moves: it is
//! created, updated, rolled back and deleted as a resource of the stack that it is in. What an update no longer needs is
//! removed only when the whole hierarchy has been updated, so that everything can still go back.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value as Json;

use super::ecs::Standing;
use super::evaluate::shown;
use super::resource::{Resource, STACK};
use super::spelling::digits;
use super::stack::{Phase, Submission, TaskState, Work};
use super::validate::invalid;
use super::world::World;
use crate::model::{DeploymentMode, OnFailure, SmallMap, StackId, StackOptions, StackStatus, Value};
use crate::ports::{CreateStack, PortError, TemplateSource};

/// AWS names no limit; here one ends what nests itself.
pub(super) const DEPTH_MAX: usize = 12;

/// Letters that a stack's name may have.
const NAME_MAX: usize = 128;

/// What the properties of a nested stack ask for.
struct Wish {
    template: TemplateSource,
    options: StackOptions,
    timeout: Option<Duration>,
}

impl World {
    /// The stack that a resource is, deleted or not.
    pub(super) fn inner(&self, resource: &Resource) -> Option<usize> {
        let id: StackId = (resource.kind == STACK).then(|| resource.physical_id.parse().ok())??;
        self.index(&id)
    }

    /// The stacks within a stack, one level down.
    pub(super) fn inners(&self, ix: usize) -> Vec<usize> {
        self.data.stacks[ix].resources.values().filter_map(|resource| self.inner(resource)).collect()
    }

    fn depth(&self, ix: usize) -> usize {
        let parent = |ix: &usize| self.index(self.data.stacks[*ix].state.parent.as_ref()?);
        std::iter::successors(Some(ix), parent).count()
    }

    fn wish(
        &self,
        ix: usize,
        properties: &Json,
        tags: &BTreeMap<String, String>,
        submission: &Submission,
    ) -> Result<Wish, PortError> {
        const OPERATION: &str = "CreateStack";
        let url = properties.get("TemplateURL").map(shown).unwrap_or_default();
        if !url.starts_with("https://") || !url.contains(".amazonaws.com") {
            return Err(invalid(OPERATION, "TemplateURL must be a supported URL."));
        }
        if self.depth(ix) > DEPTH_MAX {
            return Err(invalid(OPERATION, "stacks are nested too deeply"));
        }
        let given = properties.get("Parameters").and_then(Json::as_object).into_iter().flatten();
        let parameters = given.map(|(name, value)| (name.clone(), Value::Plain(shown(value)))).collect();
        let list = |name: &str| properties.get(name).and_then(Json::as_array).into_iter().flatten();
        let mut all: SmallMap<String> = tags.clone().into();
        all.extend(list("Tags").filter_map(|tag| Some((shown(tag.get("Key")?), shown(tag.get("Value")?)))));
        let minutes = properties.get("TimeoutInMinutes").map(shown).and_then(|text| text.parse().ok());
        Ok(Wish {
            template: TemplateSource::Url(url),
            options: StackOptions {
                parameters,
                tags: all,
                role_arn: submission.role_arn.clone(),
                notifications: list("NotificationARNs").map(shown).collect(),
                // "You must acknowledge IAM capabilities for nested stacks" (AWS: *`AWS::CloudFormation::Stack`*): with the
                // request for the root.
                capabilities: submission.capabilities.clone(),
                ..StackOptions::default()
            },
            timeout: minutes.map(Duration::from_mins),
        })
    }

    /// What a nested stack is to become by what its parent says of it.
    pub(super) fn inner_submission(
        &mut self,
        ix: usize,
        properties: &Json,
        tags: &BTreeMap<String, String>,
        submission: &Submission,
    ) -> Result<Submission, PortError> {
        let wish = self.wish(ix, properties, tags, submission)?;
        self.accept(self.data.stacks[ix].region, "UpdateStack", &wish.template, wish.options)
    }

    /// Whether an update reaches into a nested stack of which its parent says the same as before: the template that it
    /// names may be another one by now.
    pub(super) fn inner_differs(&mut self, ix: usize, wanted: &super::wanted::Wanted, now: &Resource) -> bool {
        let Some(child) = self.inner(now) else { return false };
        let parent = self.submitted(ix);
        let Ok(submission) = self.inner_submission(ix, &wanted.properties, &wanted.tags, &parent) else { return true };
        self.compute(child, &submission, DeploymentMode::Ordinary).map_or(true, |computed| !computed.empty)
    }

    /// Begins to create a nested stack; what it is called.
    pub(super) fn make_inner(&mut self, ix: usize, name: &str, made: &Resource) -> Result<String, PortError> {
        let parent = self.submitted(ix);
        let wish = self.wish(ix, &made.properties, &made.tags, &parent)?;
        let region = self.data.stacks[ix].region;
        let timeout = wish.timeout;
        let child = if let Some(shell) = self.shell_of(ix, name) {
            let submission = self.accept(region, "CreateStack", &wish.template, wish.options)?;
            self.submit(shell, submission, None);
            shell
        } else {
            self.take_in_nested(ix, name, wish)?
        };
        let token = self.data.stacks[ix].token.clone();
        self.data.stacks[child].token = token;
        self.begin_create(child, timeout);
        Ok(self.data.stacks[child].state.id.to_string())
    }

    /// A stack that a change set has made for the change set of a nested stack that is not there yet.
    fn shell_of(&self, ix: usize, name: &str) -> Option<usize> {
        let stack = &self.data.stacks[ix];
        let prefix = inner_name(stack.state.name.as_str(), name, "");
        let live = self.data.regions[stack.region].live.values();
        live.copied().find(|other| {
            let other = &self.data.stacks[*other].state;
            other.parent.as_ref() == Some(&stack.state.id)
                && other.status == StackStatus::ReviewInProgress
                && other.name.as_str().starts_with(&prefix)
        })
    }

    fn take_in_nested(&mut self, ix: usize, name: &str, wish: Wish) -> Result<usize, PortError> {
        let serial = self.serial().to_string();
        let parent = std::sync::Arc::clone(&self.data.stacks[ix].state);
        let suffix = digits(&[parent.id.as_str(), name, &serial], 12).to_uppercase();
        let called = inner_name(parent.name.as_str(), name, &suffix);
        let request = CreateStack {
            name: called.parse().map_err(|_| invalid("CreateStack", "Invalid stack name"))?,
            template: wish.template,
            options: wish.options,
            termination_protection: false,
            stack_policy: None,
            // Its parent says what becomes of it.
            on_failure: OnFailure::Nothing,
            timeout: wish.timeout,
            token: String::new(),
        };
        let child = self.take_in(self.data.stacks[ix].region, request, None)?;
        self.change(child, |state| state.parent = Some(parent.id.clone()));
        Ok(child)
    }

    /// Makes a nested stack in which there is nothing, for its change set (AWS: *`DeleteChangeSet`*: "change sets for nested
    /// stacks with the status of `REVIEW_IN_PROGRESS`").
    pub(super) fn make_shell(
        &mut self,
        ix: usize,
        name: &str,
        properties: &Json,
        tags: &BTreeMap<String, String>,
        submission: &Submission,
    ) -> Result<usize, PortError> {
        let wish = self.wish(ix, properties, tags, submission)?;
        let shell = self.take_in_nested(ix, name, wish)?;
        self.set_status(shell, StackStatus::ReviewInProgress, Some("User Initiated".to_owned()));
        Ok(shell)
    }

    /// Begins to update a nested stack, if that changes anything in it.
    pub(super) fn update_inner(&mut self, ix: usize, made: &Resource) -> Result<(), PortError> {
        const OPERATION: &str = "UpdateStack";
        let Some(child) = self.inner(made) else { return Ok(()) };
        let parent = self.submitted(ix);
        let submission = self.inner_submission(ix, &made.properties, &made.tags, &parent)?;
        let computed = self.compute(child, &submission, DeploymentMode::Ordinary);
        if computed.map_err(|reason| invalid(OPERATION, reason))?.empty {
            return Ok(());
        }
        self.check_updatable(child, OPERATION)?;
        let token = self.data.stacks[ix].token.clone();
        self.begin_update(child, submission, token, None, false);
        Ok(())
    }

    /// Begins to delete a nested stack; why it cannot be, if so.
    pub(super) fn delete_inner(&mut self, ix: usize, resource: &Resource) -> Option<String> {
        let child = self.inner(resource)?;
        let state = std::sync::Arc::clone(&self.data.stacks[child].state);
        if matches!(state.status, StackStatus::DeleteComplete | StackStatus::DeleteInProgress) {
            return None;
        }
        if let Some(why) = self.exports_in_use(child) {
            return Some(format!("Embedded stack {} was not successfully deleted: {why}", state.id));
        }
        let token = self.data.stacks[ix].token.clone();
        self.begin_delete(child, std::collections::BTreeSet::new(), token, "User Initiated");
        None
    }

    /// Begins to make a nested stack what it was; false: it is.
    pub(super) fn revert_inner(&mut self, child: usize) -> bool {
        let held = self.data.stacks[child].operation.as_ref().is_some_and(|operation| operation.held);
        match self.data.stacks[child].state.status {
            StackStatus::UpdateInProgress => self.roll_back_update(child, "User Initiated"),
            StackStatus::UpdateCompleteCleanupInProgress if held => {
                if let Some(operation) = self.data.stacks[child].operation.as_mut() {
                    operation.held = false;
                }
                self.roll_back_update(child, "User Initiated");
            }
            StackStatus::UpdateRollbackFailed => {
                self.set_status(child, StackStatus::UpdateRollbackInProgress, Some("User Initiated".to_owned()));
                self.resume_rollback(child);
            }
            StackStatus::UpdateRollbackInProgress | StackStatus::UpdateRollbackCompleteCleanupInProgress => {}
            _ => return false,
        }
        true
    }

    /// The hierarchy has been updated: nested stacks remove what they no longer need.
    pub(super) fn release_inners(&mut self, ix: usize) {
        for child in self.inners(ix) {
            let Some(operation) = self.data.stacks[child].operation.as_mut().filter(|operation| operation.held) else {
                continue;
            };
            operation.held = false;
            self.clean_up(child);
        }
    }

    /// Tells the parent of a nested stack that its update fails.
    pub(super) fn tell_parent(&mut self, child: usize, reason: &str) {
        let state = std::sync::Arc::clone(&self.data.stacks[child].state);
        let Some(parent) = state.parent.as_ref().and_then(|id| self.index(id)) else { return };
        let stack = &mut self.data.stacks[parent];
        let named = stack.resources.iter().find(|(_, resource)| resource.physical_id == state.id.as_str());
        let Some((name, _)) = named else { return };
        let task = stack.operation.as_mut().and_then(|operation| operation.tasks.get_mut(name));
        if let Some(task) = task.filter(|task| task.work == Work::Apply)
            && let TaskState::Running { failure, .. } = &mut task.state
        {
            failure.get_or_insert_with(|| {
                format!(
                    "Embedded stack {} was not successfully updated. Currently in UPDATE_ROLLBACK_IN_PROGRESS with reason: \
                     {reason}",
                    state.id
                )
            });
        }
    }

    /// Whether what is being done to a nested stack is done.
    pub(super) fn standing_of_inner(&self, ix: usize, name: &str, resource: &Resource) -> Standing {
        let Some(child) = self.inner(resource) else { return Standing::Steady };
        let stack = &self.data.stacks[child];
        let (status, reason) = (stack.state.status, stack.state.status_reason.clone().unwrap_or_default());
        let held = stack.operation.as_ref().is_some_and(|operation| operation.held);
        let verb = match self.task(ix, name).map(|task| task.work) {
            Some(Work::Delete | Work::Discard) => match status {
                StackStatus::DeleteComplete => return Standing::Steady,
                StackStatus::DeleteInProgress => return Standing::Moving,
                _ => "deleted",
            },
            Some(Work::Revert) => match status {
                StackStatus::UpdateRollbackFailed => "updated",
                status if status.is_in_progress() => return Standing::Moving,
                _ => return Standing::Steady,
            },
            _ => match status {
                StackStatus::CreateFailed => "created",
                _ if held => return Standing::Steady,
                status if status.is_in_progress() => return Standing::Moving,
                _ => return Standing::Steady,
            },
        };
        let id = &stack.state.id;
        Standing::Failed(match verb {
            "updated" => {
                format!("Embedded stack {id} was not successfully updated. Currently in {status} with reason: {reason}")
            }
            verb => format!("Embedded stack {id} was not successfully {verb}: {reason}"),
        })
    }

    /// What `Fn::GetAtt` gives of a nested stack from here on.
    pub(super) fn take_outputs(&mut self, ix: usize, name: &str) {
        let resource = self.data.stacks[ix].resources.get(name);
        let Some(child) = resource.and_then(|resource| self.inner(resource)) else { return };
        let outputs = self.data.stacks[child].state.outputs.iter();
        let outputs = outputs.map(|(name, output)| (name.clone(), output.value.clone())).collect();
        if let Some(resource) = self.data.stacks[ix].resources.get_mut(name) {
            resource.outputs = outputs;
        }
    }

    /// The stack and the resource that `Stack.Resource` names (AWS: *`ContinueUpdateRollback`*, `ResourcesToSkip`).
    pub(super) fn within(&self, ix: usize, name: &str) -> Option<(usize, String)> {
        let (stack, resource) = name.split_once('.')?;
        let mut below = self.inners(ix);
        while let Some(child) = below.pop() {
            if self.data.stacks[child].state.name.as_str() == stack {
                return Some((child, resource.to_owned()));
            }
            below.extend(self.inners(child));
        }
        None
    }

    /// Whether an update of this stack waits for its root before it removes anything.
    pub(super) fn is_held(&mut self, ix: usize) -> bool {
        let nested = self.data.stacks[ix].state.parent.as_ref().and_then(|id| self.index(id));
        let updating = |parent: usize| {
            let operation = self.data.stacks[parent].operation.as_ref();
            operation.is_some_and(|operation| operation.phase == Phase::Update)
        };
        if !nested.is_some_and(updating) {
            return false;
        }
        if let Some(operation) = self.data.stacks[ix].operation.as_mut() {
            operation.held = true;
        }
        true
    }
}

/// What CloudFormation calls a nested stack.
fn inner_name(parent: &str, name: &str, suffix: &str) -> String {
    let room = NAME_MAX - 12 - 1;
    let stem: String = format!("{parent}-{name}").chars().take(room).collect();
    format!("{stem}-{suffix}")
}

//! The SDK's answers in our nouns.
//!
//! An answer that lacks what we rely on, or has a word we do not know where the difference matters (a stack's status,
//! a change's action), is an error and never a guess: what is unknown must not look like absent or harmless.

use std::collections::BTreeSet;

use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types as sdk;
use aws_smithy_types::DateTime;
use jiff::Timestamp;

use super::error::unreadable;
use crate::model::{
    ChangeAction, ChangeContext, ChangeSetInputs, ChangeSetState, ChangeSetStatus, ChangeSetSummary, DeletedStack,
    DeploymentMode, InvalidName, LastOperation, Output, Replacement, ResourceChange, SmallMap, StackEvent, StackState,
    ValueChange,
};
use crate::ports::{PageToken, PortError};

/// The operation whose answer is read, for errors.
#[derive(Clone, Copy)]
pub(super) struct Reader(pub(super) &'static str);

impl Reader {
    pub(super) fn need<T>(self, value: Option<T>, field: &str) -> Result<T, PortError> {
        value.ok_or_else(|| unreadable(self.0, &format!("it has no {field}")))
    }

    pub(super) fn parse<T: std::str::FromStr<Err = InvalidName>>(
        self,
        text: Option<&str>,
        field: &str,
    ) -> Result<T, PortError> {
        self.need(text, field)?.parse().map_err(|error: InvalidName| unreadable(self.0, &format!("{field} {error}")))
    }

    pub(super) fn time(self, time: &DateTime) -> Result<Timestamp, PortError> {
        let nanos = i32::try_from(time.subsec_nanos()).unwrap_or(0);
        Timestamp::new(time.secs(), nanos).map_err(|error| unreadable(self.0, &error.to_string()))
    }

    pub(super) fn stack(self, stack: sdk::Stack) -> Result<StackState, PortError> {
        let (rollback_alarms, monitoring_minutes) = rollback(stack.rollback_configuration);
        Ok(StackState {
            id: self.parse(stack.stack_id.as_deref(), "StackId")?,
            name: self.parse(stack.stack_name.as_deref(), "StackName")?,
            status: self.parse(stack.stack_status.as_ref().map(sdk::StackStatus::as_str), "StackStatus")?,
            status_reason: stack.stack_status_reason,
            created: self.time(&self.need(stack.creation_time, "CreationTime")?)?,
            updated: stack.last_updated_time.map(|time| self.time(&time)).transpose()?,
            stored: stored(stack.parameters.as_deref().unwrap_or_default()),
            parameters: parameters(stack.parameters.unwrap_or_default()),
            tags: tags(stack.tags.unwrap_or_default()),
            outputs: stack.outputs.unwrap_or_default().into_iter().filter_map(output).collect(),
            termination_protection: stack.enable_termination_protection.unwrap_or(false),
            role_arn: stack.role_arn,
            notifications: stack.notification_arns.unwrap_or_default().into_iter().collect(),
            rollback_alarms,
            monitoring_minutes,
            capabilities: stack.capabilities.unwrap_or_default().iter().map(|one| one.as_str().to_owned()).collect(),
            timeout_minutes: stack.timeout_in_minutes.filter(|minutes| *minutes > 0),
            change_set: stack.change_set_id.and_then(|id| id.parse().ok()),
            parent: stack.parent_id.map(|id| self.parse(Some(&id), "ParentId")).transpose()?,
            operations: stack.last_operations.unwrap_or_default().into_iter().filter_map(operation).collect(),
        })
    }

    /// A line of the list of deleted stacks.
    pub(super) fn deleted(self, stack: &sdk::StackSummary) -> Result<DeletedStack, PortError> {
        Ok(DeletedStack {
            id: self.parse(stack.stack_id.as_deref(), "StackId")?,
            name: self.parse(stack.stack_name.as_deref(), "StackName")?,
            at: stack.deletion_time.as_ref().map(|time| self.time(time)).transpose()?,
        })
    }

    pub(super) fn event(self, event: sdk::StackEvent) -> Result<StackEvent, PortError> {
        Ok(StackEvent {
            id: self.need(event.event_id, "EventId")?,
            at: self.time(&self.need(event.timestamp, "Timestamp")?)?,
            resource: event.logical_resource_id.unwrap_or_default(),
            kind: event.resource_type.unwrap_or_default(),
            physical_id: event.physical_resource_id.filter(|id| !id.is_empty()),
            status: event.resource_status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
            reason: event.resource_status_reason.filter(|reason| !reason.is_empty()),
            token: event.client_request_token,
        })
    }

    pub(super) fn summary(self, summary: &sdk::ChangeSetSummary) -> Result<ChangeSetSummary, PortError> {
        Ok(ChangeSetSummary {
            id: self.parse(summary.change_set_id.as_deref(), "ChangeSetId")?,
            name: self.parse(summary.change_set_name.as_deref(), "ChangeSetName")?,
            status: self.change_set_status(
                summary.status.as_ref(),
                summary.execution_status.as_ref(),
                summary.status_reason.as_deref(),
            )?,
        })
    }

    /// A change set with a page of its changes, and where the next begins.
    pub(super) fn change_set(
        self,
        answer: DescribeChangeSetOutput,
    ) -> Result<(ChangeSetState, Option<PageToken>), PortError> {
        let parent = answer.parent_change_set_id.as_deref().filter(|id| !id.is_empty());
        let parent = parent.map(|id| self.parse(Some(id), "ParentChangeSetId")).transpose()?;
        let execution = match answer.execution_status.clone() {
            // Only the root's can be executed; what was computed of a nested one can be read all the same.
            Some(sdk::ExecutionStatus::Unavailable) if parent.is_some() => Some(sdk::ExecutionStatus::Available),
            other => other,
        };
        let inputs = change_set_inputs(&answer);
        let changes = answer.changes.unwrap_or_default();
        let contexts = changes.iter().filter_map(context).collect();
        let state = ChangeSetState {
            id: self.parse(answer.change_set_id.as_deref(), "ChangeSetId")?,
            name: self.parse(answer.change_set_name.as_deref(), "ChangeSetName")?,
            stack: self.parse(answer.stack_id.as_deref(), "StackId")?,
            status: self.change_set_status(
                answer.status.as_ref(),
                execution.as_ref(),
                answer.status_reason.as_deref(),
            )?,
            mode: match answer.deployment_mode {
                Some(sdk::DeploymentMode::RevertDrift) => DeploymentMode::RevertDrift,
                // "Only present for drift-aware change sets" (AWS: *`DescribeChangeSet`*).
                _ => DeploymentMode::Ordinary,
            },
            parent,
            inputs,
            contexts,
            changes: changes
                .into_iter()
                .filter_map(|change| self.change(change).transpose())
                .collect::<Result<_, _>>()?,
        };
        Ok((state, answer.next_token))
    }

    /// A change set has two statuses: what became of computing it, and whether it may be executed.
    pub(super) fn change_set_status(
        self,
        status: Option<&sdk::ChangeSetStatus>,
        execution: Option<&sdk::ExecutionStatus>,
        reason: Option<&str>,
    ) -> Result<ChangeSetStatus, PortError> {
        use sdk::{ChangeSetStatus as Status, ExecutionStatus as Execution};
        Ok(match (self.need(status, "Status")?, execution) {
            (Status::Failed, _) => {
                let reason = reason.unwrap_or("CloudFormation gives no reason");
                let empty = ["didn't contain changes", "No updates are to be performed"];
                if empty.iter().any(|phrase| reason.contains(phrase)) {
                    ChangeSetStatus::Empty
                } else {
                    ChangeSetStatus::Failed(reason.to_owned())
                }
            }
            (Status::CreateComplete, Some(Execution::Available)) => ChangeSetStatus::Available,
            // Complete but unavailable: between computing it and saying that it may be executed.
            (Status::CreatePending | Status::CreateInProgress, _)
            | (Status::CreateComplete, Some(Execution::Unavailable)) => ChangeSetStatus::Creating,
            (
                Status::CreateComplete
                | Status::DeletePending
                | Status::DeleteInProgress
                | Status::DeleteComplete
                | Status::DeleteFailed,
                _,
            ) => ChangeSetStatus::Spent,
            (other, _) => return Err(unreadable(self.0, &format!("change set status {}", other.as_str()))),
        })
    }

    /// One change; `None` for what is not about a resource (hooks).
    pub(super) fn change(self, change: sdk::Change) -> Result<Option<ResourceChange>, PortError> {
        let Some(change) = change.resource_change else { return Ok(None) };
        let action = match self.need(change.action, "Action")? {
            sdk::ChangeAction::Add => ChangeAction::Add,
            sdk::ChangeAction::Modify => ChangeAction::Modify,
            sdk::ChangeAction::SyncWithActual => ChangeAction::Sync,
            sdk::ChangeAction::Remove => ChangeAction::Remove,
            sdk::ChangeAction::Import => ChangeAction::Import,
            sdk::ChangeAction::Dynamic => ChangeAction::Dynamic,
            other => return Err(unreadable(self.0, &format!("change action {}", other.as_str()))),
        };
        let details = change.details.unwrap_or_default();
        Ok(Some(ResourceChange {
            resource: self.need(change.logical_resource_id, "LogicalResourceId")?,
            kind: self.need(change.resource_type, "ResourceType")?,
            physical_id: change.physical_resource_id.filter(|id| !id.is_empty()),
            action,
            replacement: replacement(action, change.replacement.as_ref()),
            values: details.iter().filter_map(value).collect(),
            properties: details.into_iter().filter_map(property).collect(),
            retained: matches!(
                change.policy_action,
                Some(sdk::PolicyAction::Retain | sdk::PolicyAction::ReplaceAndRetain)
            ),
            only_tags: change.scope.as_deref() == Some(&[sdk::ResourceAttribute::Tags]),
            nested: change.change_set_id.and_then(|id| id.parse().ok()),
            unknown: None,
        }))
    }
}

/// Only a modification can replace. Where AWS does not say, or says what we do not know, it may.
fn replacement(action: ChangeAction, said: Option<&sdk::Replacement>) -> Replacement {
    match (action, said) {
        (ChangeAction::Add | ChangeAction::Remove | ChangeAction::Import | ChangeAction::Sync, _)
        | (_, Some(sdk::Replacement::False)) => Replacement::Never,
        (_, Some(sdk::Replacement::True)) => Replacement::Always,
        _ => Replacement::Conditional,
    }
}

/// A value before and after; `None` where AWS says neither. It says so where the change set was asked for with
/// `IncludePropertyValues`, and cuts off large ones.
fn value(detail: &sdk::ResourceChangeDetail) -> Option<ValueChange> {
    let target = detail.target.as_ref()?;
    let (before, after) = (target.before_value.clone(), target.after_value.clone());
    if before.is_none() && after.is_none() {
        return None;
    }
    let name = || target.name.as_ref().map(|name| format!("/Properties/{name}"));
    let attribute = || Some(format!("/{}", target.attribute.as_ref()?.as_str()));
    Some(ValueChange { path: target.path.clone().or_else(name).or_else(attribute)?, before, after })
}

/// A resource as a whole, by its logical id.
fn context(change: &sdk::Change) -> Option<(String, ChangeContext)> {
    let change = change.resource_change.as_ref()?;
    let context = ChangeContext { before: change.before_context.clone(), after: change.after_context.clone() };
    let said = context.before.is_some() || context.after.is_some();
    said.then(|| Some((change.logical_resource_id.clone()?, context))).flatten()
}

/// The property a detail is about, or the part of the resource (`Tags`, `UpdatePolicy`) where it is not a property.
fn property(detail: sdk::ResourceChangeDetail) -> Option<String> {
    let target = detail.target?;
    target.name.or_else(|| Some(target.attribute?.as_str().to_owned()))
}

fn operation(entry: sdk::OperationEntry) -> Option<LastOperation> {
    Some(LastOperation { kind: entry.operation_type?.as_str().to_owned(), id: entry.operation_id? })
}

fn output(output: sdk::Output) -> Option<(String, Output)> {
    Some((output.output_key?, Output { value: output.output_value.unwrap_or_default(), export: output.export_name }))
}

/// What `DescribeChangeSet` says of the inputs: the same on every page.
fn change_set_inputs(answer: &DescribeChangeSetOutput) -> ChangeSetInputs {
    let (rollback_alarms, monitoring_minutes) = rollback(answer.rollback_configuration.clone());
    ChangeSetInputs {
        template: None,
        stored: stored(answer.parameters()),
        parameters: parameters(answer.parameters.clone().unwrap_or_default()),
        capabilities: answer.capabilities().iter().map(|one| one.as_str().to_owned()).collect(),
        tags: tags(answer.tags.clone().unwrap_or_default()),
        notifications: answer.notification_arns().iter().cloned().collect(),
        rollback_alarms,
        monitoring_minutes,
    }
}

fn parameters(all: Vec<sdk::Parameter>) -> SmallMap<String> {
    let one =
        |parameter: sdk::Parameter| Some((parameter.parameter_key?, parameter.parameter_value.unwrap_or_default()));
    all.into_iter().filter_map(one).collect()
}

/// What was looked up in Parameter Store.
fn stored(all: &[sdk::Parameter]) -> SmallMap<String> {
    let one = |parameter: &sdk::Parameter| Some((parameter.parameter_key.clone()?, parameter.resolved_value.clone()?));
    all.iter().filter_map(one).collect()
}

fn tags(all: Vec<sdk::Tag>) -> SmallMap<String> {
    all.into_iter().filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect()
}

/// Alarms, and for how many minutes they are watched: AWS answers 0 where nothing was asked for.
fn rollback(configuration: Option<sdk::RollbackConfiguration>) -> (BTreeSet<String>, Option<i32>) {
    let Some(rollback) = configuration else { return (BTreeSet::new(), None) };
    let triggers = rollback.rollback_triggers.unwrap_or_default().into_iter();
    let minutes = rollback.monitoring_time_in_minutes.filter(|minutes| *minutes != 0);
    (triggers.filter_map(|trigger| trigger.arn).collect(), minutes)
}

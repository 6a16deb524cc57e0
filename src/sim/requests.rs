//! The mutating requests, as the world answers them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::change_set::updatable;
use super::config::DriftAware;
use super::spelling::partition;
use super::spelling::uuid;
use super::stack::Stack;
use super::validate::{conflict, invalid};
use super::world::World;
use crate::model::{
    ChangeSetId, ChangeSetName, ChangeSetStatus, DeploymentMode, Redacted, SmallMap, StackId, StackOptions, StackState,
    StackStatus, Value,
};
use crate::ports::{Class, CreateChangeSet, CreateStack, PortError, TemplateSource};

impl World {
    /// AWS: *`CreateStack`*.
    pub(super) fn create_stack(
        &mut self,
        region: usize,
        request: CreateStack,
        token: Option<String>,
    ) -> Result<StackId, PortError> {
        if let Some(ix) = self.named(region, &request.name) {
            let stack = &self.data.stacks[ix];
            // The same request again, because its answer was lost.
            if token.is_some() && stack.create_token == token {
                return Ok(stack.state.id.clone());
            }
        } else if token.is_some()
            && self.data.stacks.iter().any(|gone| gone.region == region && gone.create_token == token)
        {
            // AWS does not say for how long it remembers a token. The stricter reading is the safer one to test with.
            let message = "A stack operation with the specified identifier already exists";
            let error = PortError::new(Class::Conflict, "CreateStack", message);
            return Err(error.with_code("TokenAlreadyExistsException"));
        }
        let timeout = request.timeout;
        let ix = self.take_in(region, request, token)?;
        self.begin_create(ix, timeout);
        Ok(self.data.stacks[ix].state.id.clone())
    }

    /// Checks a request for a new stack and makes the stack, without anything in it.
    pub(super) fn take_in(
        &mut self,
        region: usize,
        request: CreateStack,
        token: Option<String>,
    ) -> Result<usize, PortError> {
        const OPERATION: &str = "CreateStack";
        if self.named(region, &request.name).is_some() {
            let message = format!("Stack [{}] already exists", request.name);
            return Err(PortError::new(Class::Conflict, OPERATION, message).with_code("AlreadyExistsException"));
        }
        let submission = self.accept(region, OPERATION, &request.template, request.options)?;
        if self.data.regions[region].live.len() >= self.config.stack_quota {
            let message = "Limit for stack has been exceeded";
            return Err(PortError::new(Class::Limit, OPERATION, message).with_code("LimitExceededException"));
        }
        if let Some(policy) = &request.stack_policy {
            check_policy(OPERATION, policy)?;
        }
        let mut state = self.new_state(region, request.name, request.termination_protection)?;
        let minutes = |timeout: std::time::Duration| i32::try_from(timeout.as_secs().div_ceil(60)).unwrap_or(i32::MAX);
        state.timeout_minutes = request.timeout.map(minutes);
        let ix = self.admit(Stack {
            region,
            state: Arc::new(state),
            template: Arc::clone(&submission.template),
            processed: None,
            parameters: BTreeMap::new(),
            policy: request.stack_policy.map(|policy| policy.to_string()),
            resources: BTreeMap::new(),
            imports: BTreeSet::new(),
            events: Vec::new(),
            change_sets: BTreeMap::new(),
            operation: None,
            create_token: token.clone(),
            token,
            on_failure: request.on_failure,
            counts: BTreeMap::new(),
            history: VecDeque::new(),
        });
        self.submit(ix, submission, None);
        Ok(ix)
    }

    fn new_state(
        &mut self,
        region: usize,
        name: crate::model::StackName,
        protected: bool,
    ) -> Result<StackState, PortError> {
        let serial = self.serial().to_string();
        let scope = &self.data.regions[region].scope;
        let (partition, _) = partition(scope.region.as_str());
        let uuid = uuid(&[scope.account.as_str(), scope.region.as_str(), name.as_str(), &serial]);
        let arn = format!("arn:{partition}:cloudformation:{}:{}:stack/{name}/{uuid}", scope.region, scope.account);
        let id = arn.parse().map_err(|_| invalid("CreateStack", "Invalid stack name"))?;
        Ok(StackState {
            id,
            name,
            status: StackStatus::CreateInProgress,
            status_reason: None,
            created: self.data.now,
            updated: None,
            stored: SmallMap::new(),
            parameters: SmallMap::new(),
            tags: SmallMap::new(),
            outputs: SmallMap::new(),
            termination_protection: protected,
            role_arn: None,
            notifications: BTreeSet::new(),
            rollback_alarms: BTreeSet::new(),
            monitoring_minutes: None,
            capabilities: std::collections::BTreeSet::new(),
            timeout_minutes: None,
            change_set: None,
            parent: None,
            operations: Vec::new(),
        })
    }

    /// AWS: *`CreateChangeSet`*, type `UPDATE`.
    pub(super) fn create_change_set(
        &mut self,
        region: usize,
        request: CreateChangeSet,
    ) -> Result<ChangeSetId, PortError> {
        const OPERATION: &str = "CreateChangeSet";
        let ix = self.existing(region, &request.stack, OPERATION)?;
        if self.data.stacks[ix].change_sets.contains_key(&request.name) {
            let message = format!("ChangeSet {} already exists", request.name);
            return Err(PortError::new(Class::Conflict, OPERATION, message).with_code("AlreadyExistsException"));
        }
        self.check_updatable(ix, OPERATION)?;
        let mode = match (request.mode, self.config.drift_aware) {
            (DeploymentMode::RevertDrift, DriftAware::Refused) => {
                return Err(invalid(OPERATION, "DeploymentMode is not supported"));
            }
            (_, DriftAware::Ignored) => DeploymentMode::Ordinary,
            (mode, _) => mode,
        };
        if mode == DeploymentMode::RevertDrift && request.nested {
            return Err(invalid(OPERATION, "Nested stacks is not supported with DeploymentMode REVERT_DRIFT"));
        }
        let (template, options) = self.again(ix, request.template, request.options);
        let submission = self.accept(region, OPERATION, &template, options)?;
        let id = self.change_set_id(ix, &request.name).ok_or_else(|| invalid(OPERATION, "Invalid change set name"))?;
        self.begin_change_set(ix, id.clone(), request.name, submission, mode, request.nested);
        Ok(id)
    }

    /// What a new change set of a stack is called.
    pub(super) fn change_set_id(&mut self, ix: usize, name: &ChangeSetName) -> Option<ChangeSetId> {
        let serial = self.serial().to_string();
        let scope = self.scope_of(ix);
        let (partition, _) = partition(scope.region.as_str());
        let uuid = uuid(&[self.data.stacks[ix].state.id.as_str(), name.as_str(), &serial]);
        format!("arn:{partition}:cloudformation:{}:{}:changeSet/{name}/{uuid}", scope.region, scope.account)
            .parse()
            .ok()
    }

    /// The deployed template and values in the place of what says to use them again.
    fn again(&self, ix: usize, template: TemplateSource, options: StackOptions) -> (TemplateSource, StackOptions) {
        let stack = &self.data.stacks[ix];
        let template = match template {
            TemplateSource::Previous => TemplateSource::Body(Arc::clone(&stack.template)),
            given => given,
        };
        // Whether it may be shown is the template's to say, and is said where it is shown: from here on nobody sees it.
        let known = |name: &String| stack.parameters.get(name).cloned().map(Redacted::new).map(Value::NoEcho);
        let parameters = options.parameters.into_iter().map(|(name, value)| match value {
            Value::Previous => (name.clone(), known(&name).unwrap_or(Value::Previous)),
            given => (name, given),
        });
        let parameters = parameters.collect();
        (template, StackOptions { parameters, ..options })
    }

    /// The stack of that id, if it is not deleted.
    pub(super) fn existing(&self, region: usize, id: &StackId, operation: &'static str) -> Result<usize, PortError> {
        let found =
            self.find(region, id).filter(|ix| self.data.stacks[*ix].state.status != StackStatus::DeleteComplete);
        found.ok_or_else(|| {
            PortError::new(Class::NotFound, operation, format!("Stack [{id}] does not exist"))
                .with_code("ValidationError")
        })
    }

    pub(super) fn check_updatable(&self, ix: usize, operation: &'static str) -> Result<(), PortError> {
        let state = &self.data.stacks[ix].state;
        if updatable(state.status) {
            return Ok(());
        }
        Err(conflict(operation, format!("Stack:{} is in {} state and can not be updated.", state.id, state.status)))
    }

    /// AWS: *`ExecuteChangeSet`*.
    pub(super) fn execute_change_set(&mut self, region: usize, id: &ChangeSetId, token: &str) -> Result<(), PortError> {
        const OPERATION: &str = "ExecuteChangeSet";
        let Some((ix, name)) = self.change_set_by_id(region, id) else {
            let message = format!("ChangeSet [{id}] does not exist");
            return Err(PortError::new(Class::NotFound, OPERATION, message).with_code("ChangeSetNotFound"));
        };
        let stack = &self.data.stacks[ix];
        // The same request again, because its answer was lost.
        let running = stack.operation.as_ref().is_some_and(|operation| operation.change_set.as_ref() == Some(&name));
        if running && stack.token.as_deref() == Some(token) {
            return Ok(());
        }
        let Some(change_set) =
            stack.change_sets.get(&name).filter(|set| set.state.status == ChangeSetStatus::Available)
        else {
            let message = format!("ChangeSet [{id}] cannot be executed in its current status");
            return Err(PortError::new(Class::Conflict, OPERATION, message).with_code("InvalidChangeSetStatus"));
        };
        if change_set.state.parent.is_some() {
            return Err(invalid(OPERATION, format!("ChangeSet [{id}] must be executed from the root change set")));
        }
        let submission = change_set.submission.clone();
        self.check_updatable(ix, OPERATION)?;
        self.begin_update(ix, submission, Some(token.to_owned()), Some((name, id.clone())), false);
        Ok(())
    }

    pub(super) fn change_set_by_id(&self, region: usize, id: &ChangeSetId) -> Option<(usize, ChangeSetName)> {
        let ix = self.owner(id).filter(|ix| self.data.stacks[*ix].region == region)?;
        let mut all = self.data.stacks[ix].change_sets.iter();
        all.find(|(_, set)| set.state.id == *id).map(|(name, _)| (ix, name.clone()))
    }

    /// AWS: *`DeleteChangeSet`*.
    pub(super) fn delete_change_set(
        &mut self,
        region: usize,
        stack: &StackId,
        name: &ChangeSetName,
    ) -> Result<(), PortError> {
        const OPERATION: &str = "DeleteChangeSet";
        let Some(ix) = self.find(region, stack) else { return Ok(()) };
        let stack = &mut self.data.stacks[ix];
        let busy = stack.change_sets.get(name).is_some_and(|set| set.state.status == ChangeSetStatus::Creating)
            || stack.operation.as_ref().is_some_and(|operation| operation.change_set.as_ref() == Some(name));
        if busy {
            let message = format!("An operation on ChangeSet [{name}] is currently in progress.");
            return Err(PortError::new(Class::Conflict, OPERATION, message).with_code("InvalidChangeSetStatus"));
        }
        if stack.change_sets.get(name).is_some_and(|set| set.state.parent.is_some()) {
            // AWS: *Change sets for nested stacks*: "execute or delete change sets for nested stacks from the root".
            return Err(invalid(OPERATION, format!("ChangeSet [{name}] must be deleted from the root change set")));
        }
        self.drop_change_set(ix, name);
        Ok(())
    }

    /// AWS: *`DeleteStack`*.
    pub(super) fn delete_stack(
        &mut self,
        region: usize,
        id: &StackId,
        retain: &BTreeSet<String>,
        token: Option<String>,
    ) -> Result<(), PortError> {
        const OPERATION: &str = "DeleteStack";
        let Ok(ix) = self.existing(region, id, OPERATION) else { return Ok(()) };
        let state = Arc::clone(&self.data.stacks[ix].state);
        if state.termination_protection {
            let message = format!("Stack [{}] cannot be deleted while TerminationProtection is enabled", state.name);
            return Err(conflict(OPERATION, message));
        }
        if state.status == StackStatus::DeleteInProgress {
            return Ok(());
        }
        let stoppable = matches!(state.status, StackStatus::CreateInProgress | StackStatus::RollbackInProgress);
        if state.status.is_in_progress() && !stoppable {
            let message = format!("Stack [{}] cannot be deleted while in status {}", state.id, state.status);
            return Err(conflict(OPERATION, message));
        }
        if let Some(refused) = self.may_not_retain(ix, retain) {
            return Err(invalid(OPERATION, &refused));
        }
        if let Some(reason) = self.exports_in_use(ix) {
            // AWS accepts and begins, and gives the stack back the status it had: there is no DELETE_FAILED. Its reason
            // and an event say why (users' reports: aws/aws-sdk#383, boto/botocore#2590, aws/aws-cdk#604; the words:
            // re:Post, *Remediating "Cannot delete/update export"*).
            self.data.stacks[ix].token = token;
            self.set_status(ix, StackStatus::DeleteInProgress, Some("User Initiated".to_owned()));
            self.set_status(ix, state.status, Some(reason));
            return Ok(());
        }
        self.begin_delete(ix, retain.clone(), token, "User Initiated");
        Ok(())
    }

    /// AWS: *`DeleteStack`*, `RetainResources`: "For stacks in the `DELETE_FAILED` state".
    fn may_not_retain(&self, ix: usize, retain: &BTreeSet<String>) -> Option<String> {
        if retain.is_empty() {
            return None;
        }
        let stack = &self.data.stacks[ix];
        if stack.state.status != StackStatus::DeleteFailed {
            let (name, status) = (&stack.state.name, stack.state.status);
            return Some(format!(
                "Invalid operation on stack [{name}]. Resources can be retained only in DELETE_FAILED, not in {status}"
            ));
        }
        let unknown = retain.iter().find(|name| !stack.resources.contains_key(*name));
        unknown.map(|name| format!("The specified resources to retain must be in a valid state: {name} does not exist"))
    }

    /// AWS: *`CancelUpdateStack`*.
    pub(super) fn cancel_update(
        &mut self,
        region: usize,
        id: &StackId,
        token: Option<String>,
    ) -> Result<(), PortError> {
        const OPERATION: &str = "CancelUpdateStack";
        let ix = self.existing(region, id, OPERATION)?;
        if self.data.stacks[ix].state.parent.is_some() {
            return Err(invalid(OPERATION, "CancelUpdateStack cannot be invoked on child stacks"));
        }
        if self.data.stacks[ix].state.status != StackStatus::UpdateInProgress {
            return Err(conflict(OPERATION, "CancelUpdateStack cannot be called from current stack status"));
        }
        self.data.stacks[ix].token = token;
        self.roll_back_update(ix, "User Initiated");
        Ok(())
    }

    /// AWS: *`ContinueUpdateRollback`*.
    pub(super) fn continue_rollback(
        &mut self,
        region: usize,
        id: &StackId,
        skip: &BTreeSet<String>,
        token: Option<String>,
    ) -> Result<(), PortError> {
        const OPERATION: &str = "ContinueUpdateRollback";
        let ix = self.existing(region, id, OPERATION)?;
        let state = &self.data.stacks[ix].state;
        if state.parent.is_some() {
            // AWS: *Continue rolling back an update*: "from the root stack".
            return Err(invalid(OPERATION, "RollbackUpdatedStack cannot be invoked on child stacks"));
        }
        if state.status != StackStatus::UpdateRollbackFailed {
            let message = format!("Stack:{} is in {} state and can not continue rollback.", state.id, state.status);
            return Err(conflict(OPERATION, message));
        }
        if let Some(name) = skip.iter().find(|name| !self.may_be_skipped(ix, name)) {
            // AWS: *Continue rolling back an update*: only those that are in UPDATE_FAILED because a rollback failed, not
            // because an update was cancelled.
            let message =
                format!("The resource {name} is not in UPDATE_FAILED because of the rollback and cannot be skipped");
            return Err(invalid(OPERATION, &message));
        }
        self.data.stacks[ix].token = token;
        self.set_status(ix, StackStatus::UpdateRollbackInProgress, Some("User Initiated".to_owned()));
        for name in skip {
            self.skip(ix, name);
        }
        self.resume_rollback(ix);
        Ok(())
    }

    /// AWS: *`UpdateTerminationProtection`*.
    pub(super) fn protect(&mut self, region: usize, id: &StackId, on: bool) -> Result<(), PortError> {
        const OPERATION: &str = "UpdateTerminationProtection";
        let ix = self.existing(region, id, OPERATION)?;
        if self.data.stacks[ix].state.status == StackStatus::DeleteInProgress {
            return Err(conflict(
                OPERATION,
                "Stack is in DELETE_IN_PROGRESS state and its termination protection cannot be updated",
            ));
        }
        self.change(ix, |state| state.termination_protection = on);
        Ok(())
    }

    /// AWS: *`SetStackPolicy`*.
    pub(super) fn set_policy(&mut self, region: usize, id: &StackId, body: &str) -> Result<(), PortError> {
        const OPERATION: &str = "SetStackPolicy";
        let ix = self.existing(region, id, OPERATION)?;
        check_policy(OPERATION, body)?;
        self.data.stacks[ix].policy = Some(body.to_owned());
        Ok(())
    }
}

/// AWS: *`SetStackPolicy`*: at most 16 KB of JSON with statements.
fn check_policy(operation: &'static str, body: &str) -> Result<(), PortError> {
    let parsed = serde_json::from_str::<serde_json::Value>(body).ok();
    let statements = parsed.as_ref().and_then(|policy| policy.get("Statement")).and_then(|all| all.as_array());
    if statements.is_none() || body.len() > 16_384 {
        return Err(invalid(operation, "Error validating stack policy: Policy is not valid"));
    }
    Ok(())
}

//! Somebody else at work in the same account: a person at the console, a pipeline, a script. And the levers of a test.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::cloud::SimCloud;
use super::stack::{Operation, Phase, Submission, TaskState};
use super::validate::invalid;
use super::world::World;
use crate::model::{
    ChangeSetId, ChangeSetName, DeploymentMode, OnFailure, Scope, SmallMap, StackId, StackName, StackOptions,
    StackStatus, Value,
};
use crate::ports::{Class, CreateChangeSet, CreateStack, PortError, TemplateSource};

/// The console of one account and region. What it does is not audited as a call, takes no time to be accepted, and
/// leaves events with the console's own tokens.
#[derive(Clone)]
pub struct Console {
    cloud: SimCloud,
    scope: Scope,
}

/// How an import of resources ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportOutcome {
    /// `IMPORT_COMPLETE`.
    Complete,
    /// `IMPORT_ROLLBACK_COMPLETE`.
    RolledBack,
    /// `IMPORT_ROLLBACK_FAILED`.
    RollbackFailed,
}

impl SimCloud {
    /// Somebody else at the console of an account and region.
    #[must_use]
    pub fn console(&self, scope: &Scope) -> Console {
        Console { cloud: self.clone(), scope: scope.clone() }
    }
}

impl Console {
    /// The console of another account or region.
    #[must_use]
    pub fn elsewhere(&self, scope: &Scope) -> Self {
        Self { cloud: self.cloud.clone(), scope: scope.clone() }
    }

    /// Does something in the region of this console.
    pub(super) fn at<T>(&self, what: impl FnOnce(&mut World, usize) -> T) -> T {
        let mut world = self.cloud.lock();
        let region = world.region(&self.scope);
        what(&mut world, region)
    }

    pub(super) fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.cloud.lock()
    }

    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(super) fn with<T>(
        &self,
        what: impl FnOnce(&mut World, usize, String) -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        let mut world = self.cloud.lock();
        let region = world.region(&self.scope);
        let token = format!("Console-{}", super::spelling::uuid(&[&world.serial().to_string()]));
        what(&mut world, region, token)
    }

    /// Creates a stack. Capabilities are ticked, as a person would.
    pub fn create_stack(
        &self,
        name: &StackName,
        template: &str,
        parameters: &BTreeMap<String, String>,
        tags: &BTreeMap<String, String>,
    ) -> Result<StackId, PortError> {
        self.with(|world, region, token| {
            let options = StackOptions { parameters: plain(parameters), tags: tags.clone().into(), ..ticked() };
            let request = by_hand(name, template, options, &token);
            world.create_stack(region, request, Some(token))
        })
    }

    /// Updates some parameters, with everything else as it is (AWS: *`UpdateStack`*).
    pub fn update_parameters(&self, name: &StackName, parameters: &BTreeMap<String, String>) -> Result<(), PortError> {
        self.update(name, false, |submission| submission.parameters.extend(parameters.clone()))
    }

    /// Sets a stack tag. On AWS that is an update like any other.
    pub fn set_tag(&self, name: &StackName, key: &str, value: &str) -> Result<(), PortError> {
        self.update(name, false, |submission| _ = submission.tags.insert(key.to_owned(), value.to_owned()))
    }

    /// Removes a stack tag.
    pub fn remove_tag(&self, name: &StackName, key: &str) -> Result<(), PortError> {
        self.update(name, false, |submission| _ = submission.tags.remove(key))
    }

    /// Updates the template.
    pub fn update_template(&self, name: &StackName, template: &str) -> Result<(), PortError> {
        self.update(name, false, |submission| submission.template = template.into())
    }

    /// Updates the template, to stop where it fails: the way to `UPDATE_FAILED`.
    pub fn update_template_without_rollback(&self, name: &StackName, template: &str) -> Result<(), PortError> {
        self.update(name, true, |submission| submission.template = template.into())
    }

    fn update(&self, name: &StackName, keep_failed: bool, edit: impl FnOnce(&mut Submission)) -> Result<(), PortError> {
        const OPERATION: &str = "UpdateStack";
        self.with(|world, region, token| {
            let ix = world.live(region, name, OPERATION)?;
            world.check_updatable(ix, OPERATION)?;
            let mut submission = world.submitted(ix);
            edit(&mut submission);
            let template = TemplateSource::Body(Arc::clone(&submission.template));
            let (parameters, tags) = (plain(&submission.parameters), submission.tags.clone());
            let options = StackOptions { parameters, tags, ..ticked() };
            let accepted = world.accept(region, OPERATION, &template, options)?;
            submission.parameters = accepted.parameters;
            submission.processed = accepted.processed;
            let computed = world
                .compute(ix, &submission, DeploymentMode::Ordinary)
                .map_err(|reason| invalid(OPERATION, reason))?;
            if computed.empty {
                return Err(invalid(OPERATION, "No updates are to be performed."));
            }
            world.begin_update(ix, submission, Some(token), None, keep_failed);
            Ok(())
        })
    }

    /// Deletes a stack.
    pub fn delete_stack(&self, name: &StackName) -> Result<(), PortError> {
        self.with(|world, region, token| {
            let Some(ix) = world.named(region, name) else { return Ok(()) };
            let id = world.state_of(ix).id.clone();
            world.tell(region, name.as_str(), "DeleteStack".to_owned());
            world.delete_stack(region, &id, &BTreeSet::new(), Some(token))
        })
    }

    /// Cancels a running update.
    pub fn cancel_update(&self, name: &StackName) -> Result<(), PortError> {
        self.with(|world, region, token| {
            let ix = world.live(region, name, "CancelUpdateStack")?;
            let id = world.state_of(ix).id.clone();
            world.cancel_update(region, &id, Some(token))
        })
    }

    /// Continues a failed rollback.
    pub fn continue_rollback(&self, name: &StackName) -> Result<(), PortError> {
        self.continue_rollback_without(name, &BTreeSet::new())
    }

    /// Continues it without these resources.
    pub fn continue_rollback_without(&self, name: &StackName, skip: &BTreeSet<String>) -> Result<(), PortError> {
        self.with(|world, region, token| {
            let ix = world.live(region, name, "ContinueUpdateRollback")?;
            let id = world.state_of(ix).id.clone();
            world.continue_rollback(region, &id, skip, Some(token))
        })
    }

    /// Takes it upon itself to repair what a rollback was continued without: the resource is as its stack takes it for.
    pub fn repair(&self, name: &StackName, resource: &str) -> Result<(), PortError> {
        self.with(|world, region, _| {
            let ix = world.live(region, name, "repair")?;
            if let Some(resource) = world.data.stacks[ix].resources.get_mut(resource) {
                resource.skipped = false;
                resource.tampered = super::tampered::Tampered::default();
            }
            Ok(())
        })
    }

    /// Switches termination protection.
    pub fn set_termination_protection(&self, name: &StackName, on: bool) -> Result<(), PortError> {
        self.with(|world, region, _| {
            let ix = world.live(region, name, "UpdateTerminationProtection")?;
            let id = world.state_of(ix).id.clone();
            world.protect(region, &id, on)
        })
    }

    /// Sets the stack policy.
    pub fn set_stack_policy(&self, name: &StackName, body: &str) -> Result<(), PortError> {
        self.with(|world, region, _| {
            let ix = world.live(region, name, "SetStackPolicy")?;
            let id = world.state_of(ix).id.clone();
            world.set_policy(region, &id, body)
        })
    }

    /// Previews a stack that does not exist, which leaves a shell in `REVIEW_IN_PROGRESS`.
    pub fn review(&self, name: &StackName, template: &str) -> Result<StackId, PortError> {
        self.with(|world, region, token| world.review(region, name, template, token))
    }

    /// Makes a change set, as anybody may who is allowed to.
    pub fn create_change_set(&self, request: CreateChangeSet) -> Result<ChangeSetId, PortError> {
        self.with(|world, region, _| world.create_change_set(region, request))
    }

    /// Deletes a change set.
    pub fn delete_change_set(&self, stack: &StackId, name: &ChangeSetName) -> Result<(), PortError> {
        self.with(|world, region, _| world.delete_change_set(region, stack, name))
    }

    /// The template that a stack has.
    pub fn template(&self, stack: &StackId) -> Result<String, PortError> {
        self.at(|world, region| {
            world.any(region, stack, "GetTemplate").map(|ix| world.data.stacks[ix].template.to_string())
        })
    }

    /// Imports resources into a stack.
    pub fn import(&self, name: &StackName, outcome: ImportOutcome) -> Result<(), PortError> {
        self.with(|world, region, token| {
            let ix = world.live(region, name, "ExecuteChangeSet")?;
            world.check_updatable(ix, "ExecuteChangeSet")?;
            world.begin_import(ix, token, outcome);
            Ok(())
        })
    }

    /// Lets everything that is stuck in a stack go on, as if its time began now.
    pub fn release(&self, name: &StackName) -> Result<(), PortError> {
        self.with(|world, region, _| {
            let ix = world.live(region, name, "release")?;
            world.release(ix);
            Ok(())
        })
    }

    /// Says when the newest backup of a resource was completed; `None`: there is none.
    pub fn set_newest_backup(&self, kind: &str, physical_id: &str, completed: Option<Timestamp>) {
        let key = format!("{}|{kind}|{physical_id}", self.scope);
        let mut world = self.cloud.lock();
        match completed {
            Some(at) => _ = world.data.backups.insert(key, at),
            None => _ = world.data.backups.remove(&key),
        }
    }

    /// Puts a parameter into the Systems Manager store.
    pub fn put_parameter(&self, name: &str, value: &str) {
        let key = format!("{}|{name}", self.scope);
        self.cloud.lock().data.stored.insert(key, value.to_owned());
    }

    /// Puts an object into a bucket. A bucket that is not empty cannot be deleted.
    pub fn put_object(&self, bucket: &str, key: &str, body: &str) {
        let mut world = self.cloud.lock();
        let _version = world.put_object(bucket, key, body);
    }

    /// Empties a bucket.
    pub fn empty_bucket(&self, bucket: &str) {
        let mut world = self.cloud.lock();
        world.data.objects.remove(bucket);
        world.data.versions.retain(|place, _| place.split('/').next() != Some(bucket));
    }
}

impl World {
    /// The stack of that name.
    pub(super) fn live(&self, region: usize, name: &StackName, operation: &'static str) -> Result<usize, PortError> {
        self.named(region, name).ok_or_else(|| {
            PortError::new(Class::NotFound, operation, format!("Stack [{name}] does not exist"))
                .with_code("ValidationError")
        })
    }

    /// AWS: *`CreateChangeSet`*, type `CREATE`: the stack exists from then on, without a template or resources.
    fn review(&mut self, region: usize, name: &StackName, template: &str, token: String) -> Result<StackId, PortError> {
        let request = by_hand(name, template, ticked(), &token);
        let ix = self.take_in(region, request, Some(token))?;
        self.set_status(ix, StackStatus::ReviewInProgress, Some("User Initiated".to_owned()));
        Ok(self.state_of(ix).id.clone())
    }

    fn begin_import(&mut self, ix: usize, token: String, outcome: ImportOutcome) {
        let number = self.serial();
        let mut operation = Operation::new(number, Phase::Import);
        operation.keep_failed = outcome == ImportOutcome::RollbackFailed;
        operation.doomed =
            (outcome != ImportOutcome::Complete).then(|| "The following resource(s) failed to import".to_owned());
        self.data.stacks[ix].token = Some(token);
        self.data.stacks[ix].operation = Some(operation);
        self.set_status(ix, StackStatus::ImportInProgress, Some("User Initiated".to_owned()));
        self.begin_phase(ix, Phase::Import, BTreeMap::new());
    }

    fn release(&mut self, ix: usize) {
        let Some(operation) = self.data.stacks[ix].operation.as_mut() else { return };
        let mut released = Vec::new();
        for (name, task) in &mut operation.tasks {
            if let TaskState::Running { stuck, .. } = &mut task.state
                && std::mem::take(stuck)
            {
                released.push(name.clone());
            }
        }
        for name in released {
            self.schedule_task(ix, &name, Duration::from_secs(1));
        }
    }
}

fn plain(parameters: &BTreeMap<String, String>) -> SmallMap<Value> {
    parameters.iter().map(|(name, value)| (name.clone(), Value::Plain(value.clone()))).collect()
}

/// Every capability, and nothing else.
fn ticked() -> StackOptions {
    let capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"].map(str::to_owned).into();
    StackOptions { capabilities, ..StackOptions::default() }
}

fn by_hand(name: &StackName, template: &str, options: StackOptions, token: &str) -> CreateStack {
    CreateStack {
        name: name.clone(),
        template: TemplateSource::Body(template.into()),
        options,
        termination_protection: false,
        stack_policy: None,
        on_failure: OnFailure::Rollback,
        timeout: None,
        token: token.to_owned(),
    }
}

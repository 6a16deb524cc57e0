//! Steps on stacks.

use std::sync::Arc;

use super::{Executor, Outcome, journal};
use crate::model::{
    Act, AssumeRole, ChangeSetName, DeploymentMode, Expect, Inputs, StackDo, StackId, StackMemory, StackStep, Step,
};
use crate::ports::{Class, CreateChangeSet, CreateStack, Fence, PortError, Priority, Stacks, TemplateSource};
use crate::sabotage::{self, Bug};
use crate::store::{Record, RecordOutcome};
use crate::template;

impl Executor {
    /// Takes a step on a stack.
    pub(super) async fn take_on_stack(&self, step: &Step, stack: &StackStep, role: Option<&AssumeRole>) -> Outcome {
        if !stack.action.mutates() {
            return self.remember(step, stack);
        }
        let fence = match self.fence(step) {
            Ok(fence) => fence,
            Err(outcome) => return outcome,
        };
        let port = self.governor.stacks(&step.address.scope, role, Priority::Deploy);
        if let Err(outcome) = holds(&*port, stack).await {
            return outcome;
        }
        if !sabotage::is(Bug::JournalAfter)
            && let Err(error) = self.begin(step, stack)
        {
            return Outcome::NotJournaled(error);
        }
        let answer = Call { port: &*port, fence, step: stack }.make().await;
        if sabotage::is(Bug::JournalAfter)
            && let Err(error) = self.begin(step, stack)
        {
            return Outcome::NotJournaled(error);
        }
        match self.finish(step, stack, answer) {
            Ok(outcome) => outcome,
            // The call was made; the journal says "begun", which is what a crash here would have left behind too.
            Err(error) => Outcome::NotJournaled(error),
        }
    }

    /// Steps that change only what is remembered.
    fn remember(&self, step: &Step, stack: &StackStep) -> Outcome {
        let now = self.cx.now();
        let outcome = match &stack.action {
            StackDo::Conclude { conclusion, .. } => RecordOutcome::Concluded(conclusion.clone()),
            _ => RecordOutcome::Done,
        };
        let record = Record::new(step.key.clone(), step.revision, step.action.verb(), outcome);
        let written = self.store.update_with(&step.key, record, None, |memory: &mut StackMemory| match &stack.action {
            StackDo::Conclude { conclusion, version } => journal::conclude(memory, conclusion, version.as_ref(), now),
            StackDo::Settle { version, inputs, no_echo } => journal::settle(memory, version, inputs, no_echo),
            StackDo::Reject { inputs, failure } => journal::reject(memory, inputs, failure, now),
            StackDo::Notice { skipped } => {
                if let Some(stack) = call_stack(stack) {
                    journal::notice(memory, stack, skipped, now);
                }
            }
            _ => {}
        });
        written.map_or_else(Outcome::NotJournaled, |()| Outcome::Done)
    }

    fn begin(&self, step: &Step, stack: &StackStep) -> Result<(), crate::store::StoreError> {
        let now = self.cx.now();
        let mut record = Record::new(step.key.clone(), step.revision, step.action.verb(), RecordOutcome::Begun);
        record.token = journal::begins(stack, step.revision, now).map(|operation| operation.token);
        self.store.update_with(&step.key, record, journal::spends(step, now), |memory: &mut StackMemory| {
            journal::before(step, stack, memory, now);
        })
    }

    fn finish(
        &self,
        step: &Step,
        stack: &StackStep,
        answer: Result<Option<StackId>, PortError>,
    ) -> Result<Outcome, crate::store::StoreError> {
        let now = self.cx.now();
        let outcome = RecordOutcome::of(&answer);
        let record = Record::new(step.key.clone(), step.revision, step.action.verb(), outcome);
        self.store.update_with(&step.key, record, None, |memory: &mut StackMemory| match &answer {
            Ok(id) => {
                if let (Some(id), Some(pending)) = (id, &mut memory.pending) {
                    pending.stack = Some(id.clone());
                }
                match &stack.action {
                    StackDo::Discard { names } => memory.change_sets.retain(|name| !names.contains(name)),
                    // Executing a change set removes every other one of its stack. Itself it is gone when the update
                    // succeeds, and stays where it fails.
                    StackDo::Execute { change_set, .. } => {
                        memory.change_sets.retain(|name| change_set.as_str().contains(&format!("/{name}/")));
                    }
                    StackDo::SetPolicy { body } => {
                        if let Expect::Stack(version, _) = &stack.expect {
                            memory.stack_policy = Some((version.clone(), Some(template::json_digest(body))));
                        }
                    }
                    _ => {}
                }
            }
            Err(error) => journal::refused(step, stack, error, memory, now),
        })?;
        Ok(answer.map_or_else(Outcome::from, |_| Outcome::Done))
    }
}

/// Reads the stack again, now, and compares it with what the plan saw (invariant S5). Making and removing change sets
/// needs no such read: a change set that was made from another state of the stack cannot be executed.
async fn holds(port: &dyn Stacks, step: &StackStep) -> Result<(), Outcome> {
    if matches!(step.action, StackDo::Prepare { .. } | StackDo::Discard { .. }) || sabotage::is(Bug::NoSecondLook) {
        return Ok(());
    }
    let seen = match port.describe(&step.address.name).await {
        Err(_) if sabotage::is(Bug::UnknownIsAbsent) => None,
        seen => seen.map_err(Outcome::Failed)?,
    };
    match (&step.expect, seen) {
        (Expect::Nothing, _) | (Expect::Absent, None) => Ok(()),
        (Expect::Absent, Some(state)) => Err(Outcome::Moved(format!("{} exists", state.name))),
        (Expect::Stack(..), None) => Err(Outcome::Moved(format!("{} is gone", step.address.name))),
        (Expect::Stack(version, status), Some(state)) if state.version() == *version && state.status == *status => {
            Ok(())
        }
        (Expect::Stack(..), Some(state)) => {
            Err(Outcome::Moved(format!("{} is {} since {}", state.name, state.status, state.version().moved)))
        }
    }
}

/// The one mutating call of a step (and the upload that it may need first).
struct Call<'a> {
    port: &'a dyn Stacks,
    fence: Fence,
    step: &'a StackStep,
}

impl Call<'_> {
    async fn make(&self) -> Result<Option<StackId>, PortError> {
        let (port, fence) = (self.port, self.fence);
        match &self.step.action {
            StackDo::Create { .. } => return self.create().await.map(Some),
            StackDo::Prepare { inputs, name, mode } => {
                let request = self.change_set(inputs, name.clone(), *mode).await?;
                match port.create_change_set(fence, request).await {
                    // It is ours, made before a crash or a lost answer: the name says from what.
                    Err(error) if error.class == Class::Conflict => {}
                    answer => drop(answer?),
                }
            }
            StackDo::Execute { change_set, token, .. } => port.execute_change_set(fence, change_set, token).await?,
            StackDo::Discard { names } => {
                let Some(stack) = self.stack() else { return Ok(None) };
                for name in names {
                    match port.delete_change_set(fence, stack, name).await {
                        // Executed or deleted. While it is being computed or executed it is in conflict, and tried again.
                        Err(error) if error.class == Class::NotFound => {}
                        answer => answer?,
                    }
                }
            }
            StackDo::Delete { stack, token, retain, .. } => port.delete(fence, stack, retain, token).await?,
            StackDo::Cancel { token } => {
                let Some(stack) = self.stack() else { return Ok(None) };
                port.cancel_update(fence, stack, token).await?;
            }
            StackDo::ContinueRollback { token, skip } => {
                let Some(stack) = self.stack() else { return Ok(None) };
                port.continue_rollback(fence, stack, skip, token).await?;
            }
            StackDo::Protect { on } => {
                let Some(stack) = self.stack() else { return Ok(None) };
                port.set_termination_protection(fence, stack, *on).await?;
            }
            StackDo::SetPolicy { body } => {
                let Some(stack) = self.stack() else { return Ok(None) };
                port.set_stack_policy(fence, stack, body).await?;
            }
            StackDo::Conclude { .. } | StackDo::Settle { .. } | StackDo::Notice { .. } | StackDo::Reject { .. } => {}
        }
        Ok(None)
    }

    fn stack(&self) -> Option<&StackId> {
        call_stack(self.step)
    }

    async fn create(&self) -> Result<StackId, PortError> {
        let StackDo::Create { inputs, token, termination_protection, stack_policy, on_failure, timeout, .. } =
            &self.step.action
        else {
            return Err(PortError::new(Class::Invalid, "CreateStack", "not a creation"));
        };
        let template = self.template(inputs).await?;
        let request = CreateStack {
            name: self.step.address.name.clone(),
            template,
            options: inputs.options.clone(),
            termination_protection: *termination_protection,
            stack_policy: stack_policy.clone(),
            on_failure: *on_failure,
            timeout: *timeout,
            token: token.clone(),
        };
        self.port.create(self.fence, request).await
    }

    async fn change_set(
        &self,
        inputs: &Inputs,
        name: ChangeSetName,
        mode: DeploymentMode,
    ) -> Result<CreateChangeSet, PortError> {
        let Some(stack) = self.stack() else {
            return Err(PortError::new(Class::Invalid, "CreateChangeSet", "the step names no stack"));
        };
        let template = self.template(inputs).await?;
        Ok(CreateChangeSet { stack: stack.clone(), name, template, options: inputs.options.clone(), mode })
    }

    async fn template(&self, inputs: &Inputs) -> Result<TemplateSource, PortError> {
        match &inputs.upload {
            None if inputs.previous => Ok(TemplateSource::Previous),
            None => Ok(TemplateSource::Body(Arc::clone(&inputs.body))),
            Some((bucket, key)) => {
                self.port.upload_template(self.fence, bucket, key, &inputs.body).await.map(TemplateSource::Url)
            }
        }
    }
}

/// The stack that a step is about, where it is there.
fn call_stack(step: &StackStep) -> Option<&StackId> {
    match &step.expect {
        Expect::Stack(version, _) => Some(&version.id),
        Expect::Absent | Expect::Nothing => None,
    }
}

//! Steps on stacks.

use std::sync::Arc;

use super::{Executor, Outcome, Terms, journal};
use crate::model::{
    Act, Applied, Before, ChangeSetId, ChangeSetName, DeploymentMode, Expect, Inputs, StackDo, StackId, StackMemory,
    StackState, StackStep, Step,
};
use crate::ports::{Class, CreateChangeSet, CreateStack, Fence, PortError, Priority, Stacks, TemplateSource, Uploaded};
use crate::sabotage::{self, Bug};
use crate::store::{Record, RecordOutcome};
use crate::template;

impl Executor {
    /// Takes a step on a stack.
    pub(super) async fn take_on_stack(&self, step: &Step, stack: &StackStep, terms: &Terms) -> Outcome {
        if !stack.action.mutates() {
            return self.remember(step, stack);
        }
        let fence = match self.fence(step) {
            Ok(fence) => fence,
            Err(outcome) => return outcome,
        };
        let port = self.governor.stacks(&step.address.scope, terms.role.as_ref(), Priority::Deploy);
        let before = match holds(&*port, stack).await {
            Ok(before) => before,
            Err(outcome) => return outcome,
        };
        if !sabotage::is(Bug::JournalAfter)
            && let Err(outcome) = self.begin(step, stack, terms, before.as_ref())
        {
            return outcome;
        }
        let answer = Call { port: &*port, fence, step: stack }.make().await;
        if sabotage::is(Bug::JournalAfter)
            && let Err(outcome) = self.begin(step, stack, terms, before.as_ref())
        {
            return outcome;
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
        let written = self.store.update_with(&step.key, record, None, |memory: &mut StackMemory| {
            match &stack.action {
                StackDo::Conclude { conclusion, version, template } => {
                    if let (Some(version), Some(facts)) = (version, template) {
                        memory.template = Some((version.clone(), Arc::clone(facts)));
                    }
                    return journal::conclude(memory, conclusion, version.as_ref(), now);
                }
                StackDo::Settle { version, inputs, no_echo } => journal::settle(memory, version, inputs, no_echo),
                StackDo::Reject { inputs, failure, spoiled } => {
                    if let Some(name) = spoiled {
                        journal::spoil(memory, name);
                    }
                    journal::reject(memory, inputs, failure, now);
                }
                StackDo::Notice { skipped } => {
                    if let Some(stack) = call_stack(stack) {
                        journal::notice(memory, stack, skipped, now);
                    }
                }
                _ => {}
            }
            Applied::default()
        });
        written.map_or_else(Outcome::NotJournaled, |()| Outcome::Done)
    }

    fn begin(&self, step: &Step, stack: &StackStep, terms: &Terms, before: Option<&StackState>) -> Result<(), Outcome> {
        let now = self.cx.now();
        let mut record = Record::new(step.key.clone(), step.revision, step.action.verb(), RecordOutcome::Begun);
        record.token = journal::begins(stack, step.revision, now).map(|operation| operation.token);
        let begun = (record, journal::spends(step, now));
        self.begin_step(step, terms, begun, |memory: &mut StackMemory| {
            journal::before(step, stack, memory, now);
            if let (Some(before), Some(pending)) = (before, &mut memory.pending)
                && stack.action.begins_operation()
            {
                let operations = before.operations.clone();
                pending.from = Some(Before { version: before.version(), operations });
            }
        })
    }

    fn finish(
        &self,
        step: &Step,
        stack: &StackStep,
        answer: Result<Answered, PortError>,
    ) -> Result<Outcome, crate::store::StoreError> {
        let now = self.cx.now();
        let outcome = RecordOutcome::of(&answer);
        let record = Record::new(step.key.clone(), step.revision, step.action.verb(), outcome);
        self.store.update_with(&step.key, record, None, |memory: &mut StackMemory| match &answer {
            Ok(answered) => {
                if stack.action.begins_operation()
                    && let Some(pending) = &mut memory.pending
                {
                    pending.answered = Some(now);
                }
                if let Answered::Stack(id) = answered {
                    memory.made = Some(id.clone());
                    if let Some(pending) = &mut memory.pending {
                        pending.stack = Some(id.clone());
                    }
                }
                match (&stack.action, answered) {
                    (StackDo::Prepare { name, .. }, Answered::ChangeSet(id)) => journal::prepared(memory, name, id),
                    (StackDo::Discard { names }, _) => memory.prepared.retain(|name, _| !names.contains_key(name)),
                    // Executing a change set removes every other one of its stack. Itself it is gone when the update
                    // succeeds, and stays where it fails.
                    (StackDo::Execute { change_set, .. }, _) => memory
                        .prepared
                        .retain(|_, prepared| prepared.id.as_ref() == Some(change_set) || prepared.upload.is_some()),
                    (StackDo::SetPolicy { body }, _) => {
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

/// Reads the stack again, now, and compares it with what the plan saw (invariant S5); what was read. Making and removing
/// change sets needs no such read: a change set that was made from another state of the stack cannot be executed. Nor does
/// a creation: AWS refuses one where there is a stack of that name (AWS: *`CreateStack`*, `AlreadyExistsException`), and no
/// read of ours could say so better, because another one may be created right after it.
async fn holds(port: &dyn Stacks, step: &StackStep) -> Result<Option<StackState>, Outcome> {
    use StackDo::{Create, Discard, Prepare};
    if matches!(step.action, Create { .. } | Prepare { .. } | Discard { .. }) || sabotage::is(Bug::NoSecondLook) {
        return Ok(None);
    }
    let seen = port.describe(&step.address.name).await.map_err(Outcome::Failed)?;
    match (&step.expect, seen) {
        (Expect::Nothing, seen) => Ok(seen),
        (Expect::Absent, None) => Ok(None),
        (Expect::Absent, Some(state)) => Err(Outcome::Moved(format!("{} exists", state.name))),
        (Expect::Stack(..), None) => Err(Outcome::Moved(format!("{} no longer exists", step.address.name))),
        (Expect::Stack(version, status), Some(state)) if state.version() == *version && state.status == *status => {
            Ok(Some(state))
        }
        (Expect::Stack(..), Some(state)) => {
            Err(Outcome::Moved(format!("{} is {} since {}", state.name, state.status, state.version().moved)))
        }
    }
}

/// Versions of one upload that are taken away in one step: ours is one, and each lost answer may have left another.
const UPLOADS_MAX: usize = 10;

/// What the call of a step was answered with.
enum Answered {
    /// That it was done.
    Nothing,
    /// The stack that was created.
    Stack(StackId),
    /// The change set that was created.
    ChangeSet(ChangeSetId),
}

/// The one mutating call of a step (and the upload that it may need first).
struct Call<'a> {
    port: &'a dyn Stacks,
    fence: Fence,
    step: &'a StackStep,
}

impl Call<'_> {
    async fn make(&self) -> Result<Answered, PortError> {
        let (port, fence) = (self.port, self.fence);
        match &self.step.action {
            StackDo::Create { .. } => return self.create().await.map(Answered::Stack),
            StackDo::Prepare { inputs, name, mode, .. } => {
                let request = self.change_set(inputs, name.clone(), *mode).await?;
                // That one of this name exists says nothing of whose it is: only the ARN in the answer does.
                let answer = port.create_change_set(fence, request).await;
                if sabotage::is(Bug::ExistsIsOurs)
                    && matches!(&answer, Err(error) if error.class == Class::Conflict)
                    && let Some(stack) = self.stack()
                    && let Some((found, _)) = port.describe_change_set(stack, name, None).await?
                {
                    return Ok(Answered::ChangeSet(found.id));
                }
                return answer.map(Answered::ChangeSet);
            }
            StackDo::Execute { change_set, token, .. } => port.execute_change_set(fence, change_set, token).await?,
            StackDo::Discard { names } => {
                let Some(stack) = self.stack() else { return Ok(Answered::Nothing) };
                for (name, upload) in names {
                    match port.delete_change_set(fence, stack, name).await {
                        // Executed or deleted. While it is being computed or executed it is in conflict, and tried again.
                        Err(error) if error.class == Class::NotFound => {}
                        answer => answer?,
                    }
                    if let Some((bucket, key)) = upload {
                        self.clear(bucket, key).await?;
                    }
                }
            }
            StackDo::Delete { stack, token, retain, .. } => port.delete(fence, stack, retain, token).await?,
            StackDo::Cancel { token } => {
                let Some(stack) = self.stack() else { return Ok(Answered::Nothing) };
                port.cancel_update(fence, stack, token).await?;
            }
            StackDo::ContinueRollback { token, skip } => {
                let Some(stack) = self.stack() else { return Ok(Answered::Nothing) };
                port.continue_rollback(fence, stack, skip, token).await?;
            }
            StackDo::Protect { on } => {
                let Some(stack) = self.stack() else { return Ok(Answered::Nothing) };
                port.set_termination_protection(fence, stack, *on).await?;
            }
            StackDo::SetPolicy { body } => {
                let Some(stack) = self.stack() else { return Ok(Answered::Nothing) };
                port.set_stack_policy(fence, stack, body).await?;
            }
            StackDo::Conclude { .. } | StackDo::Settle { .. } | StackDo::Notice { .. } | StackDo::Reject { .. } => {}
        }
        Ok(Answered::Nothing)
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
            return Err(PortError::new(Class::Invalid, "CreateChangeSet", "the step has no stack"));
        };
        let template = self.template(inputs).await?;
        let nested = mode == DeploymentMode::Ordinary && !sabotage::is(Bug::NestedLeftOut);
        Ok(CreateChangeSet { stack: stack.clone(), name, template, options: inputs.options.clone(), nested, mode })
    }

    async fn template(&self, inputs: &Inputs) -> Result<TemplateSource, PortError> {
        match &inputs.upload {
            None if inputs.previous => Ok(TemplateSource::Previous),
            None => Ok(TemplateSource::Body(Arc::clone(&inputs.body))),
            Some((bucket, key)) => self.upload(bucket, key, &inputs.body).await.map(TemplateSource::Url),
        }
    }

    /// Puts a template where AWS can read it, and reads it back: what is read later under the URL is this version, whoever
    /// writes to the bucket in between (invariant S23).
    async fn upload(&self, bucket: &str, key: &str, body: &str) -> Result<String, PortError> {
        const OPERATION: &str = "PutObject";
        let uploaded = match self.port.upload_template(self.fence, bucket, key, body).await {
            // A bucket that is not there is not a stack that is not there.
            Err(error) if error.class == Class::NotFound => return Err(PortError { class: Class::Invalid, ..error }),
            uploaded => uploaded?,
        };
        let place = format!("s3://{bucket}/{key}");
        let Some(version) = &uploaded.version else {
            let message = format!("{place} has no version: versioning of the bucket must be enabled");
            return Err(PortError::new(Class::Invalid, OPERATION, message));
        };
        let held = self.port.uploaded_template(bucket, key, version).await?;
        if held.as_deref() != Some(body) {
            let message = format!("the content of {place} differs from what was uploaded");
            return Err(PortError::new(Class::Denied, OPERATION, message));
        }
        if sabotage::is(Bug::NewestObject) {
            return Ok(uploaded.url.split('?').next().unwrap_or_default().to_owned());
        }
        Ok(uploaded.url)
    }

    /// Takes away what was uploaded for a change set that is gone, every version of it, also where an answer was lost.
    async fn clear(&self, bucket: &str, key: &str) -> Result<(), PortError> {
        for _ in 0..UPLOADS_MAX {
            let found = match self.port.newest_upload(bucket, key).await {
                Err(error) if error.class == Class::NotFound => None,
                found => found?,
            };
            let Some(Uploaded { version, .. }) = found else { return Ok(()) };
            self.port.delete_upload(self.fence, bucket, key, version.as_deref()).await?;
        }
        Ok(())
    }
}

/// The stack that a step is about, where it is there.
fn call_stack(step: &StackStep) -> Option<&StackId> {
    match &step.expect {
        Expect::Stack(version, _) => Some(&version.id),
        Expect::Absent | Expect::Nothing => None,
    }
}

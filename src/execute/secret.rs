//! Steps on secrets. Values exist here and nowhere else: made or opened, sent, and wiped.

mod generate;
mod journal;

use std::collections::{BTreeMap, BTreeSet};

use super::{Executor, Outcome, Terms};
use crate::model::{
    AWSCURRENT, AWSPENDING, Act, Applied, Binding, Digest, EnvName, Fingerprint, GeneratedField, Make, OWNER_TAG,
    Redacted, SecretArn, SecretDo, SecretExpect, SecretFields, SecretMemory, SecretStep, Step, VersionId,
};
use crate::ports::{Class, CreateSecret, Fence, PortError, Priority, PutSecretValue, SealError, Secrets, UpdateSecret};
use crate::store::{Record, RecordOutcome, StoreError};

/// What is known of the value once a step is done.
struct Made {
    version: VersionId,
    source: Option<Digest>,
    fields: BTreeMap<String, Fingerprint>,
    /// A version was made, and not only recognised.
    is_new: bool,
}

/// What a call came to.
#[derive(Default)]
struct Answer {
    arn: Option<SecretArn>,
    made: Option<Made>,
}

impl Executor {
    /// Takes a step on a secret.
    pub(super) async fn take_on_secret(&self, step: &Step, secret: &SecretStep, terms: &Terms) -> Outcome {
        if !secret.mutates() {
            let written = self.write(step, RecordOutcome::Done, |memory, now| journal::remember(memory, secret, now));
            return written.map_or_else(Outcome::NotJournaled, |()| Outcome::Done);
        }
        let fence = match self.fence(step) {
            Ok(fence) => fence,
            Err(outcome) => return outcome,
        };
        let port = self.governor.secrets(&step.address.scope, terms.role.as_ref(), Priority::Deploy);
        if let Err(outcome) = holds(&*port, secret).await {
            return outcome;
        }
        let now = self.cx.now();
        let mut record = Record::new(step.key.clone(), step.revision, step.action.verb(), RecordOutcome::Begun);
        record.token = journal::token(secret);
        let begun = (record, super::journal::spends(step, now));
        let begun = self.begin_step(step, terms, begun, |memory: &mut SecretMemory| {
            journal::before(memory, step, secret, now);
        });
        if let Err(outcome) = begun {
            return outcome;
        }
        let answer =
            Call { executor: self, port: &*port, fence, environment: &step.key.environment, step: secret }.make().await;
        let outcome = RecordOutcome::of(&answer);
        let written = self.write(step, outcome, |memory, now| match &answer {
            Ok(answer) => journal::done(memory, step, secret, answer, now),
            Err(error) => {
                journal::refused(memory, step, error, now);
                Applied::default()
            }
        });
        match written {
            Ok(()) => answer.map_or_else(Outcome::from, |_| Outcome::Done),
            // The call was made; the journal says "begun", which is what a crash here would have left behind too.
            Err(error) => Outcome::NotJournaled(error),
        }
    }

    fn write<A: Into<Applied>>(
        &self,
        step: &Step,
        outcome: RecordOutcome,
        change: impl FnOnce(&mut SecretMemory, jiff::Timestamp) -> A,
    ) -> Result<(), StoreError> {
        let now = self.cx.now();
        let record = Record::new(step.key.clone(), step.revision, step.action.verb(), outcome);
        self.store.update_with(&step.key, record, None, |memory: &mut SecretMemory| change(memory, now))
    }
}

/// Reads the secret again, now, and compares it with what the plan saw (invariant S5).
async fn holds(port: &dyn Secrets, step: &SecretStep) -> Result<(), Outcome> {
    let found = match (port.describe(&step.address.name).await, &step.expect) {
        (Err(error), _) => return Err(Outcome::Failed(unsent(error))),
        (Ok(None), SecretExpect::Absent) | (Ok(_), SecretExpect::Nothing) => return Ok(()),
        (Ok(None), SecretExpect::Present { .. }) => return Err(Outcome::Moved("it does not exist".to_owned())),
        (Ok(Some(_)), SecretExpect::Absent) => return Err(Outcome::Moved("it exists".to_owned())),
        (Ok(Some(found)), SecretExpect::Present { .. }) => found,
    };
    if SecretExpect::unmoved(&found, OWNER_TAG) == step.expect {
        return Ok(());
    }
    Err(Outcome::Moved("its versions, labels or owner changed since the plan".to_owned()))
}

/// A read failed before anything was sent, so nothing can have taken effect.
fn unsent(error: PortError) -> PortError {
    let class = if error.class == Class::Transient { Class::Throttled } else { error.class };
    PortError { class, ..error }
}

struct Call<'a> {
    executor: &'a Executor,
    port: &'a dyn Secrets,
    fence: Fence,
    environment: &'a EnvName,
    step: &'a SecretStep,
}

impl Call<'_> {
    async fn make(&self) -> Result<Answer, PortError> {
        let (port, fence) = (self.port, self.fence);
        if let SecretDo::Create { token, make, description, kms_key, tags } = &self.step.action {
            let (fields, source) = self.value(make, None)?;
            let made = self.made(token, &fields, source);
            let request = CreateSecret {
                name: self.step.address.name.to_string(),
                value: fields.write(),
                token: token.clone(),
                description: description.clone(),
                kms_key: kms_key.clone(),
                tags: tags.clone(),
            };
            let arn = port.create(fence, request).await?;
            return Ok(Answer { arn: Some(arn), made: Some(made) });
        }
        let SecretExpect::Present { arn, .. } = &self.step.expect else {
            return Err(PortError::new(Class::Invalid, "DescribeSecret", "the step has no secret"));
        };
        let mut answer = Answer { arn: Some(arn.clone()), made: None };
        match &self.step.action {
            SecretDo::Restore => port.restore(fence, arn).await?,
            SecretDo::Tag { tags } => port.tag(fence, arn, tags).await?,
            SecretDo::Untag { keys } => port.untag(fence, arn, keys).await?,
            SecretDo::Configure { description, kms_key } => {
                let (description, kms_key) = (description.clone(), kms_key.clone());
                port.update(fence, UpdateSecret { secret: arn.clone(), description, kms_key }).await?;
            }
            SecretDo::SetPolicy { body } => port.put_policy(fence, arn, body).await?,
            SecretDo::Put { token, make, from, known } => {
                answer.made = Some(self.put(arn, token, make, from.as_ref(), known.as_ref()).await?);
            }
            SecretDo::Stage { token, fields, from, .. } => self.stage(arn, token, fields, from).await?,
            SecretDo::Promote { to, from, fields, .. } => {
                answer.made = Some(self.promote(arn, to, from, fields).await?);
            }
            SecretDo::Unlabel { version, .. } => port.move_label(fence, arn, AWSPENDING, Some(version), None).await?,
            SecretDo::Replicate { regions } => port.replicate(fence, arn, regions).await?,
            SecretDo::RemoveReplicas { regions } => port.remove_replicas(fence, arn, regions).await?,
            SecretDo::Delete { recovery_days } => port.delete(fence, arn, *recovery_days).await?,
            SecretDo::Create { .. } | SecretDo::Settle { .. } | SecretDo::Restarted { .. } | SecretDo::Forget => {}
        }
        Ok(answer)
    }

    fn made(&self, version: &VersionId, fields: &SecretFields, source: Option<Digest>) -> Made {
        let key = self.executor.store.fingerprint_key();
        Made { version: version.clone(), source, fields: fields.fingerprints(&key, &self.step.address), is_new: true }
    }

    /// A value, made as the plan says from what there is.
    fn value(&self, make: &Make, current: Option<SecretFields>) -> Result<(SecretFields, Option<Digest>), PortError> {
        match make {
            Make::Unseal(file, source) => {
                let wanted = Binding { environment: self.environment.clone(), secret: self.step.address.clone() };
                let opened = self.executor.unseal.unseal(&file.ciphertext, &wanted, file.unbound);
                let value = opened.map_err(|error| {
                    let class = match error {
                        SealError::NoIdentity | SealError::NotForUs => Class::Denied,
                        _ => Class::Invalid,
                    };
                    PortError::new(class, "Unseal", format!("{}: {error}", file.file))
                })?;
                Ok((SecretFields::of(&value), Some(source.clone())))
            }
            Make::Fields(fields) => {
                let mut value = current.unwrap_or_else(SecretFields::none);
                if !value.is_object() {
                    return Err(PortError::new(Class::Invalid, "PutSecretValue", "its value is not a JSON object"));
                }
                let has = value.names();
                let missing = fields.iter().filter(|(name, _)| !has.contains(*name));
                self.generate(&mut value, missing)?;
                Ok((value, None))
            }
        }
    }

    fn generate<'f>(
        &self,
        value: &mut SecretFields,
        fields: impl Iterator<Item = (&'f String, &'f GeneratedField)>,
    ) -> Result<(), PortError> {
        for (name, field) in fields {
            let text: Redacted = generate::field(&self.executor.cx, *field).map_err(|_| {
                PortError::new(Class::Throttled, "PutSecretValue", "the operating system provides no random numbers")
            })?;
            value.set(name, &text);
        }
        Ok(())
    }

    /// The value of a version that has to be there.
    async fn read(&self, arn: &SecretArn, version: &VersionId) -> Result<SecretFields, PortError> {
        let found = self.port.value(arn, version).await.map_err(unsent)?;
        let value = found.and_then(|found| found.value);
        let value =
            value.ok_or_else(|| PortError::new(Class::Invalid, "GetSecretValue", "the version has no text value"))?;
        Ok(SecretFields::of(&value))
    }

    async fn put(
        &self,
        arn: &SecretArn,
        token: &VersionId,
        make: &Make,
        from: Option<&VersionId>,
        known: Option<&BTreeMap<String, Fingerprint>>,
    ) -> Result<Made, PortError> {
        let current = match (from, make) {
            (Some(from), Make::Fields(_)) => Some(self.read(arn, from).await?),
            _ => None,
        };
        let (fields, source) = self.value(make, current)?;
        let new = self.made(token, &fields, source);
        if let (Some(known), Some(from)) = (known, from)
            && *known == new.fields
        {
            // The same value as before, sealed again, say: no version is made for it.
            return Ok(Made { version: from.clone(), is_new: false, ..new });
        }
        let labels = BTreeSet::from([AWSCURRENT.to_owned()]);
        let request = PutSecretValue { secret: arn.clone(), value: fields.write(), token: token.clone(), labels };
        self.port.put_value(self.fence, request).await?;
        Ok(new)
    }

    /// Makes the version that is to become current: the generated fields anew, the others as they are.
    async fn stage(
        &self,
        arn: &SecretArn,
        token: &VersionId,
        fields: &BTreeMap<String, GeneratedField>,
        from: &VersionId,
    ) -> Result<(), PortError> {
        let mut value = self.read(arn, from).await?;
        if !value.is_object() {
            return Err(PortError::new(Class::Invalid, "PutSecretValue", "its value is not a JSON object"));
        }
        self.generate(&mut value, fields.iter())?;
        let labels = BTreeSet::from([AWSPENDING.to_owned()]);
        let request = PutSecretValue { secret: arn.clone(), value: value.write(), token: token.clone(), labels };
        self.port.put_value(self.fence, request).await
    }

    /// Makes a pending version current, if it is whole (invariant S13).
    async fn promote(
        &self,
        arn: &SecretArn,
        to: &VersionId,
        from: &VersionId,
        needed: &BTreeSet<String>,
    ) -> Result<Made, PortError> {
        let value = self.read(arn, to).await?;
        let has = value.names();
        if let Some(missing) = needed.iter().find(|name| !has.contains(*name)) {
            let message = format!("the pending version has no field `{missing}`");
            return Err(PortError::new(Class::Invalid, "UpdateSecretVersionStage", message));
        }
        let made = self.made(to, &value, None);
        self.port.move_label(self.fence, arn, AWSCURRENT, Some(from), Some(to)).await?;
        Ok(made)
    }
}

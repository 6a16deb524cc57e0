//! What each step on a secret changes in memory: before the call, and after it. Version ids, names of fields and
//! fingerprints; no value is in reach here.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Answer, Made};
use crate::model::{
    Act, Applied, AppliedValue, Attempts, Digest, FailedRotation, Failure, Key, RotationMemory, SecretDo, SecretMemory,
    SecretStep, Step, Taken, VersionId,
};
use crate::ports::{Class, PortError};

/// The idempotency token that is about to be sent.
pub(super) fn token(step: &SecretStep) -> Option<String> {
    match &step.action {
        SecretDo::Create { token, .. } | SecretDo::Put { token, .. } | SecretDo::Stage { token, .. } => {
            Some(token.to_string())
        }
        SecretDo::Promote { to, .. } => Some(to.to_string()),
        _ => None,
    }
}

/// Written before the call.
pub(super) fn before(memory: &mut SecretMemory, step: &Step, secret: &SecretStep, now: Timestamp) {
    memory.touched = Some(now);
    memory.depends_on.clone_from(&step.depends_on);
    match &secret.action {
        SecretDo::Stage { token, due, attempt, .. } => begin(memory, token, *due, *attempt),
        SecretDo::Promote { to, due, attempt, .. } => begin(memory, to, *due, *attempt),
        SecretDo::Unlabel { version, failed: Some(failed) } => fail(memory, version, failed, now),
        SecretDo::Tag { tags } => memory.tags.extend(tags.keys().cloned()),
        SecretDo::Create { tags, .. } => memory.tags = tags.keys().cloned().collect(),
        _ => {}
    }
}

fn begin(memory: &mut SecretMemory, version: &VersionId, due: Timestamp, attempt: u8) {
    let promoted = memory.rotation.as_ref().is_some_and(|known| known.version == *version && known.promoted);
    memory.rotation = Some(RotationMemory { due, attempt, version: version.clone(), promoted, failed: false });
}

/// Each version fails once, however often its label has to be taken off.
fn fail(memory: &mut SecretMemory, version: &VersionId, failed: &FailedRotation, now: Timestamp) {
    if memory.rotation.as_ref().is_some_and(|known| known.version == *version && known.failed) {
        return;
    }
    let FailedRotation { due, attempt, inputs, failure } = failed.clone();
    memory.rotation = Some(RotationMemory { due, attempt, version: version.clone(), promoted: false, failed: true });
    memory.rotation_failed = Some(Attempts::counted(memory.rotation_failed.as_ref(), inputs, failure, now));
}

/// Written after the call.
pub(super) fn done(
    memory: &mut SecretMemory,
    step: &Step,
    secret: &SecretStep,
    answer: &Answer,
    now: Timestamp,
) -> Applied {
    memory.touched = Some(now);
    let (verb, inputs) = (step.action.verb().to_owned(), Digest::of(&step.action.identity()));
    memory.refused.remove(&verb);
    if matches!(
        &secret.action,
        SecretDo::Tag { .. } | SecretDo::Untag { .. } | SecretDo::Configure { .. } | SecretDo::SetPolicy { .. }
    ) {
        let taken = Taken::counted(memory.taken.get(&verb), inputs, now);
        memory.taken.insert(verb, taken);
    }
    if let Some(arn) = &answer.arn {
        memory.arn = Some(arn.clone());
    }
    if let Some(Made { version, source, fields, is_new }) = &answer.made {
        let made = if *is_new { Some(now) } else { memory.applied.as_ref().and_then(|applied| applied.made) };
        let (version, source, fields) = (version.clone(), source.clone(), fields.clone());
        memory.applied = Some(AppliedValue { version, source, fields, made });
    }
    match &secret.action {
        SecretDo::Put { .. } if answer.made.as_ref().is_some_and(|made| made.is_new) => memory.written = Some(now),
        SecretDo::Stage { .. } => memory.written = Some(now),
        SecretDo::Promote { to, restart, .. } => became_current(memory, to, restart, now),
        SecretDo::Untag { keys } => memory.tags.retain(|tag| !keys.contains(tag)),
        SecretDo::Delete { .. } => {
            let arn = memory.arn.take();
            *memory = SecretMemory { arn, touched: Some(now), ..SecretMemory::default() };
        }
        _ => {}
    }
    Applied(Some(step.revision))
}

/// A version of a rotation is current: it is over, and whoever uses the secret has to be told.
fn became_current(memory: &mut SecretMemory, version: &VersionId, restart: &BTreeSet<Key>, since: Timestamp) {
    if let Some(rotation) = memory.rotation.as_mut().filter(|rotation| rotation.version == *version) {
        rotation.promoted = true;
        memory.rotation_failed = None;
        // Also one that was asked for while this one was overdue: its version was made after that.
        let (due, made) = (rotation.due.as_second(), memory.written);
        let met = |asked: Timestamp| asked.as_second() <= due || made.is_some_and(|made| asked <= made);
        if memory.rotation_asked.is_some_and(met) {
            memory.rotation_asked = None;
        }
    }
    if !restart.is_empty() {
        memory.current_since = Some(since);
    }
    for service in restart {
        memory.restarts.entry(service.clone()).or_default().insert(version.clone());
    }
}

/// Written after AWS has refused the call, or its answer was lost.
pub(super) fn refused(memory: &mut SecretMemory, step: &Step, error: &PortError, now: Timestamp) {
    if matches!(error.class, Class::Transient | Class::Conflict) {
        // It may have made a version.
        if matches!(step.action.verb(), "put-value" | "stage") {
            memory.written = Some(now);
        }
        return;
    }
    if !matches!(error.class, Class::Invalid | Class::Denied | Class::Limit) {
        return;
    }
    let inputs = Digest::of(&step.action.identity());
    let failure = Failure {
        resource: step.address.name.to_string(),
        kind: "AWS::SecretsManager::Secret".to_owned(),
        reason: error.to_string(),
        // Permissions, identities and quotas may come without a change of the manifest.
        transient: error.class != Class::Invalid,
    };
    let verb = step.action.verb();
    let counted = Attempts::counted(memory.refused.get(verb), inputs, failure, now);
    memory.refused.insert(verb.to_owned(), counted);
}

/// Written by steps that change only what is remembered.
pub(super) fn remember(memory: &mut SecretMemory, secret: &SecretStep, now: Timestamp) {
    match &secret.action {
        SecretDo::Settle { arn, version, source, fields, made, restart, since } => {
            // What an earlier incarnation of the name was is nothing to this one.
            if memory.arn.as_ref().is_some_and(|known| known != arn) {
                *memory = SecretMemory { rotation_asked: memory.rotation_asked, ..SecretMemory::default() };
            }
            memory.arn = Some(arn.clone());
            let (version, source) = (version.clone(), source.clone());
            became_current(memory, &version, restart, *since);
            memory.applied = Some(AppliedValue { version, source, fields: fields.clone(), made: *made });
        }
        SecretDo::Restarted { services } => {
            for (service, got) in services {
                if let Some(wanted) = memory.restarts.get_mut(service) {
                    wanted.retain(|version| !got.contains(version));
                }
            }
            memory.restarts.retain(|_, wanted| !wanted.is_empty());
        }
        SecretDo::Forget => *memory = SecretMemory { touched: Some(now), ..SecretMemory::default() },
        _ => {}
    }
}

//! What each step changes in memory: before the call, and after it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::{
    Applied, Attempts, ChangeSetId, ChangeSetName, Conclusion, Digest, DriftMemory, Expect, Failure, Fingerprint,
    Operation, OperationKind, Prepared, REVERTS_KEPT, Settled, Skipped, Spent, StackDo, StackId, StackMemory,
    StackStep, StackVersion, Step, Writes, Written,
};
use crate::ports::{Class, PortError};
use crate::sabotage::{self, Bug};

/// The operation that a step is about to begin, if it begins one.
pub(super) fn begins(step: &StackStep, revision: u64, now: Timestamp) -> Option<Operation> {
    let id = match &step.expect {
        Expect::Stack(version, _) => Some(version.id.clone()),
        Expect::Absent | Expect::Nothing => None,
    };
    let operation = |kind, token: &String, inputs: &Digest, no_echo: &BTreeMap<String, Fingerprint>| Operation {
        kind,
        token: token.clone(),
        stack: id.clone(),
        change_set: None,
        inputs: inputs.clone(),
        no_echo: no_echo.clone(),
        skip: BTreeSet::new(),
        started: now,
        revision,
        writes: Writes::Nothing,
        from: None,
        answered: None,
    };
    let none = BTreeMap::new();
    match &step.action {
        StackDo::Create { inputs, token, .. } => {
            let writes = Writes::All;
            Some(Operation { writes, ..operation(OperationKind::Create, token, &inputs.digest, &inputs.no_echo) })
        }
        StackDo::Execute { change_set, token, inputs, no_echo, writes, resyncs } => {
            let kind = if resyncs.is_empty() { OperationKind::Update } else { OperationKind::Resync };
            Some(Operation {
                change_set: Some(change_set.clone()),
                skip: resyncs.clone(),
                writes: writes.clone(),
                ..operation(kind, token, inputs, no_echo)
            })
        }
        StackDo::Delete { kind, token, inputs, .. } => Some(operation(*kind, token, inputs, &none)),
        StackDo::ContinueRollback { token, skip } => Some(Operation {
            skip: skip.clone(),
            ..operation(OperationKind::ContinueRollback, token, &Operation::skipping(skip), &none)
        }),
        _ => None,
    }
}

/// Written before the call.
pub(super) fn before(step: &Step, stack: &StackStep, memory: &mut StackMemory, now: Timestamp) {
    if let Some(operation) = begins(stack, step.revision, now) {
        memory.pending = Some(Box::new(operation));
        memory.depends_on.clone_from(&step.depends_on);
    }
    match &stack.action {
        StackDo::Create { leaves: Some(left), .. } => {
            // What is remembered from here on is of the new one.
            memory.left.insert(left.clone());
            memory.healthy = None;
        }
        StackDo::Prepare { inputs, name, of, attempt, .. } => {
            let (of, upload) = (of.clone(), inputs.upload.clone());
            let prepared = Prepared { of, attempt: *attempt, at: now, id: None, spoiled: false, upload };
            memory.prepared.insert(name.clone(), prepared);
        }
        // Still the same operation, under the token it was begun with; only how it is meant to end has changed.
        StackDo::Cancel { .. } => {
            if let Some(pending) = &mut memory.pending {
                pending.kind = OperationKind::Cancel;
            }
        }
        StackDo::ContinueRollback { skip, .. } => {
            if let Expect::Stack(version, _) = &stack.expect {
                memory.continued = Some(version.clone());
                skips(memory, version, skip, now);
            }
        }
        _ => {}
    }
}

/// Before it is asked for: were it forgotten, something else could update the stack.
fn skips(memory: &mut StackMemory, version: &StackVersion, skip: &BTreeSet<String>, now: Timestamp) {
    if skip.is_empty() || sabotage::is(Bug::ForgetsSkipped) {
        return;
    }
    let before = memory.skipped.take().filter(|before| before.stack == version.id);
    let mut resources = before.map(|before| before.resources).unwrap_or_default();
    resources.extend(skip.iter().cloned());
    memory.skipped = Some(Box::new(Skipped { stack: version.id.clone(), resources, since: now, failed: None }));
}

/// Somebody has continued its rollback without these.
pub(super) fn notice(memory: &mut StackMemory, stack: &StackId, skipped: &BTreeSet<String>, now: Timestamp) {
    let (stack, resources) = (stack.clone(), skipped.clone());
    memory.skipped = Some(Box::new(Skipped { stack, resources, since: now, failed: None }));
}

/// Part of what was out of step is in step now, and part of it was not looked at.
fn failed_to_compare(operation: &Operation) -> Failure {
    Failure {
        resource: operation.skip.iter().cloned().collect::<Vec<_>>().join(", "),
        kind: "AWS::CloudFormation::Stack".to_owned(),
        reason: "the change set synced only part of it: CloudFormation does not compare the other resource types"
            .to_owned(),
        transient: false,
    }
}

/// These are in step: the rollback was not continued without them after all, or they were brought into step since.
fn did_not_skip(memory: &mut StackMemory, operation: &Operation) {
    let Some(mut skipped) = memory.skipped.take() else { return };
    skipped.resources.retain(|name| !operation.skip.contains(name));
    memory.skipped = Some(skipped).filter(|skipped| !skipped.resources.is_empty());
}

/// Written after AWS has refused the call. What is ambiguous stays pending: the next look finds out.
pub(super) fn refused(step: &Step, stack: &StackStep, error: &PortError, memory: &mut StackMemory, now: Timestamp) {
    let ambiguous = matches!(error.class, Class::Transient | Class::Conflict);
    let Some(operation) = begins(stack, step.revision, now) else {
        if let StackDo::Prepare { inputs, name, .. } = &stack.action {
            not_prepared(memory, name, error);
            if matches!(error.class, Class::Invalid | Class::Denied | Class::Limit) {
                reject(memory, &inputs.digest, &failure_of(step, error), now);
            }
        }
        return;
    };
    if !ambiguous {
        memory.pending = None;
    }
    if operation.kind == OperationKind::ContinueRollback {
        let later = matches!(error.class, Class::Throttled | Class::Stopped | Class::NotFound);
        if later && operation.skip.is_empty() {
            memory.continued = None;
        }
        if !ambiguous {
            did_not_skip(memory, &operation);
        }
    }
    let used_token = error.code.as_deref().is_some_and(|code| code.starts_with("TokenAlreadyExists"));
    if used_token || matches!(error.class, Class::Invalid | Class::Denied | Class::Limit) {
        attempt(memory, &operation.inputs, &failure_of(step, error), now);
    }
}

/// There is a change set of that name. Whether ours or not cannot be told: it is not used, and another one is made.
fn not_prepared(memory: &mut StackMemory, name: &ChangeSetName, error: &PortError) {
    let exists = error.code.as_deref().is_some_and(|code| code.starts_with("AlreadyExists"));
    if let Some(prepared) = memory.prepared.get_mut(name).filter(|_| exists) {
        prepared.spoiled = true;
    }
}

/// AWS has answered with the ARN of the change set: from now on it is known to be ours.
pub(super) fn prepared(memory: &mut StackMemory, name: &ChangeSetName, id: &ChangeSetId) {
    if let Some(prepared) = memory.prepared.get_mut(name) {
        prepared.id = Some(id.clone());
    }
}

/// The stack was updated: there are no change sets of it any more, but what was uploaded for them is still there.
fn outlived(memory: &mut StackMemory) {
    memory.prepared.retain(|_, prepared| prepared.upload.is_some());
}

/// What is invalid stays invalid; permissions and quotas may come without a change of the manifest.
fn failure_of(step: &Step, error: &PortError) -> Failure {
    Failure {
        resource: step.address.name.to_string(),
        kind: "AWS::CloudFormation::Stack".to_owned(),
        reason: error.to_string(),
        transient: error.class != Class::Invalid,
    }
}

fn attempt(memory: &mut StackMemory, inputs: &Digest, failure: &Failure, now: Timestamp) {
    let attempts = Attempts::counted(memory.attempts.as_deref(), inputs.clone(), failure.clone(), now);
    memory.attempts = Some(Box::new(attempts));
}

/// Written when our operation has been seen to end.
pub(super) fn conclude(
    memory: &mut StackMemory,
    conclusion: &Conclusion,
    version: Option<&StackVersion>,
    now: Timestamp,
) -> Applied {
    let Some(operation) = memory.pending.take().map(|operation| *operation) else { return Applied::default() };
    let brings = matches!(operation.kind, OperationKind::Create | OperationKind::Update | OperationKind::Cancel);
    let applied = (brings && *conclusion == Conclusion::Succeeded).then_some(operation.revision);
    // Its answer was lost, and its events have said that it is ours.
    let seen = !matches!(conclusion, Conclusion::NotSeen);
    if let Some(version) = version.filter(|_| seen && operation.kind == OperationKind::Create) {
        memory.made = Some(version.id.clone());
    }
    match (conclusion, operation.kind) {
        (Conclusion::Running, _) => memory.pending = Some(Box::new(operation)),
        // It was not continued, so it may be.
        (Conclusion::NotSeen, OperationKind::ContinueRollback) => {
            if operation.skip.is_empty() {
                memory.continued = None;
            }
            did_not_skip(memory, &operation);
        }
        (Conclusion::NotSeen, _) | (Conclusion::Failed(_) | Conclusion::Succeeded, OperationKind::ContinueRollback) => {
        }
        (Conclusion::Failed(failure), OperationKind::Resync) => {
            if let Some(skipped) = &mut memory.skipped {
                let failed = Attempts::counted(skipped.failed.as_ref(), operation.inputs, failure.clone(), now);
                skipped.failed = Some(failed);
            }
        }
        // What has failed before has not been tried again by that.
        (Conclusion::Succeeded, OperationKind::Resync) => {
            // What such a change set does not compare is in step when a person says so.
            did_not_skip(memory, &operation);
            if let Some(left) = &mut memory.skipped {
                left.failed =
                    Some(Attempts::counted(None, operation.inputs.clone(), failed_to_compare(&operation), now));
            }
            memory.continued = None;
            outlived(memory);
            wrote(&mut memory.drift, operation.writes, now);
            if let Some(version) = version {
                memory.healthy = Some(version.id.clone());
                memory.no_echo = Some((version.clone(), operation.no_echo));
            }
        }
        // Kept by itself: that the stack is as its manifest says, which is found out next, says nothing of it.
        (Conclusion::Failed(failure), _) if matches!(operation.writes, Writes::Back(_)) => {
            let before = memory.drift.in_vain.as_deref();
            let again = Attempts::counted(before, operation.inputs.clone(), failure.clone(), now);
            memory.drift.in_vain = Some(Box::new(again));
        }
        (Conclusion::Failed(failure), _) => attempt(memory, &operation.inputs, failure, now),
        (Conclusion::Succeeded, OperationKind::Delete) => *memory = StackMemory::default(),
        (Conclusion::Succeeded, OperationKind::Clear) => {
            let (attempts, left) = (memory.attempts.take(), std::mem::take(&mut memory.left));
            *memory = StackMemory { attempts, left, ..StackMemory::default() };
        }
        (Conclusion::Succeeded, OperationKind::Create | OperationKind::Update | OperationKind::Cancel) => {
            memory.attempts = None;
            memory.continued = None;
            outlived(memory);
            wrote(&mut memory.drift, operation.writes, now);
            // Where it is gone since, it was there all the same.
            memory.healthy = version.map(|version| version.id.clone()).or(operation.stack).or(memory.healthy.take());
            if let Some(version) = version {
                memory.no_echo = Some((version.clone(), operation.no_echo));
            }
        }
    }
    Applied(applied)
}

/// What an operation has written differs from now on only by AWS's doing, or by somebody's; and what it has put back is
/// counted.
fn wrote(memory: &mut DriftMemory, writes: Writes, now: Timestamp) {
    if let Writes::Back(places) = &writes {
        memory.reverts.push((now, places.clone()));
        let old = memory.reverts.len().saturating_sub(REVERTS_KEPT);
        memory.reverts.drain(..old);
        (memory.asked, memory.in_vain) = (None, None);
    }
    let before = memory.written.take().map(|written| written.what).unwrap_or_default();
    memory.written = Some(Box::new(Written { at: now, what: before.and(writes) }));
}

/// Written when AWS has said that the inputs change nothing.
pub(super) fn settle(
    memory: &mut StackMemory,
    version: &StackVersion,
    inputs: &Digest,
    no_echo: &BTreeMap<String, Fingerprint>,
) {
    memory.settled = Some(Settled { version: version.clone(), inputs: inputs.clone() });
    memory.no_echo = Some((version.clone(), no_echo.clone()));
    memory.healthy = Some(version.id.clone());
    memory.attempts = None;
}

/// It does not hold what was asked for.
pub(super) fn spoil(memory: &mut StackMemory, name: &ChangeSetName) {
    if let Some(prepared) = memory.prepared.get_mut(name) {
        prepared.spoiled = true;
    }
}

/// Written when AWS has refused to compute the change set.
pub(super) fn reject(memory: &mut StackMemory, inputs: &Digest, failure: &Failure, now: Timestamp) {
    match &mut memory.skipped {
        // While something is out of step, nothing else is tried.
        Some(skipped) => {
            skipped.failed = Some(Attempts::counted(skipped.failed.as_ref(), inputs.clone(), failure.clone(), now));
        }
        None => attempt(memory, inputs, failure, now),
    }
}

/// What the step takes from the budget.
pub(super) fn spends(step: &Step, now: Timestamp) -> Option<Spent> {
    let (stacks, replacements, deletions) = step.cost;
    (step.cost != (0, 0, 0)).then(|| Spent { at: now, key: step.key.clone(), stacks, replacements, deletions })
}

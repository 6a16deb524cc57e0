//! Checks every plan against what must always hold, before anything of it is executed (invariant P5).
//!
//! The planner should never make such a plan. If it does, that is a bug, and nothing is done.

use super::handover::{former_of_stack, heir};
use super::names::{OWNER_TAG, owner};
use super::service::collect::proven;
use super::standing::{Standing, row};
use super::{Goal, Input, consent};
use crate::model::{
    Act, Action, Do, Entry, Expect, Guard, Key, Mode, OperationKind, Plan, RecordBatch, RecordChange, RecordDo,
    RecordPlace, RecordStep, Refusal, SecretDo, SecretExpect, SecretStep, Seen, ServiceDo, ServiceStep, StackDo,
    StackStep, Step,
};
use crate::sabotage::{self, Bug};

/// Something in a plan that must never be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {rule}")]
pub struct Fault {
    /// Where.
    pub key: Key,
    /// The rule that is broken, with its invariant.
    pub rule: &'static str,
}

/// Everything that is wrong with a plan.
#[must_use]
pub fn lint(plan: &Plan, input: &Input<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (key, entry) in &plan.entries {
        let Some(step) = &entry.step else { continue };
        let mut rules = of_any(key, entry, step, input);
        match &step.action {
            Do::Stack(stack) => rules.extend(of_a_stack(key, entry, stack, input)),
            Do::Service(service) => rules.extend(of_a_service(key, service, input)),
            Do::Secret(secret) => rules.extend(of_a_secret(key, secret, input)),
            Do::Record(record) => rules.extend(of_a_record(key, step, record, input)),
            Do::Backup(backup) => rules.extend(super::backup::faults(key, entry, backup, input)),
        }
        faults.extend(rules.into_iter().map(|rule| Fault { key: key.clone(), rule }));
    }
    faults
}

/// The rules of which at least one condition holds: `(broken, rule)`.
fn broken(rules: impl IntoIterator<Item = (bool, &'static str)>) -> Vec<&'static str> {
    rules.into_iter().filter(|(broken, _)| *broken).map(|(_, rule)| rule).collect()
}

/// What must hold of every step.
fn of_any(key: &Key, entry: &Entry, step: &Step, input: &Input<'_>) -> Vec<&'static str> {
    let (mutates, operates) = (step.action.mutates(), step.action.begins_operation());
    let restarts = matches!(&step.action, Do::Service(ServiceStep { action: ServiceDo::Restart { .. }, .. }));
    let told = |refusal: &Refusal| matches!(refusal.guard, Guard::MovedTag | Guard::ImageElsewhere);
    let refused = entry.refused.iter().any(|refusal| !(restarts && told(refusal)));
    let unread = input.goal == Goal::Converge && input.environment.gaps.against(key).is_some();
    // Planted, the mistake is the planner's and this one's: otherwise what is planned wrongly would only not be done.
    let unread = unread && !sabotage::is(Bug::UnreadIsGone);
    broken([
        (step.key != *key || step.address != entry.address, "a step belongs to another object (S6)"),
        (mutates && entry.action == Action::Unknown, "a step is based on something that could not be read (S10)"),
        (refused && operates, "a refused object is operated on"),
        (
            mutates && unread && super::presence::leaves(entry),
            "something that a manifest may still describe is deleted (S25)",
        ),
        (mutates && input.environment.older_than.is_some(), "an older commit changes something (S8)"),
        (mutates && input.environment.policy.mode == Mode::Observe, "an observed environment is changed (S11)"),
        (
            !super::hold(
                key,
                super::effect(&step.action),
                &input.environment.windows,
                &input.memory.freezes,
                input.now,
            )
            .is_empty(),
            "a frozen object is changed, or one outside of its maintenance windows (S11)",
        ),
        (input.busy.contains(key), "an object has two steps at once (S6)"),
    ])
}

/// What must hold of a step on a DNS record.
fn of_a_record(key: &Key, whole: &Step, step: &RecordStep, input: &Input<'_>) -> Vec<&'static str> {
    let RecordDo::Send(batch) = &step.action else { return Vec::new() };
    let RecordBatch { set, marker, changes, removes, replaces, .. } = &**batch;
    let spec = input.environment.records.get(key).filter(|_| input.goal == Goal::Converge);
    let renamed = |marker| super::record::is_former(marker, key, whole.takes_over.as_ref());
    let ours = marker.as_ref().is_some_and(|marker| super::record::is_ours(marker, key) || renamed(marker));
    let adopts = spec.is_some_and(|spec| spec.adopt) && marker.is_none();
    let memory = input.memory.objects.records.get(key);
    let former = |place: &RecordPlace| memory.is_some_and(|memory| memory.former.contains(place));
    let made = |place: &RecordPlace| former(place) || memory.is_some_and(|memory| memory.place.as_ref() == Some(place));
    let elsewhere = |change: &RecordChange| !super::record::is_its_own(&change.set.of, step, replaces.as_ref());
    let desired = spec.is_some() && !former(&step.place);
    broken([
        (changes.is_empty(), "an empty batch is sent"),
        (changes.iter().any(elsewhere), "a batch changes another record (S1)"),
        (super::record::is_in_use(input, &step.place), "a zone has two batches at once (S6)"),
        (changes.iter().any(|change| change.set.content.is_empty()), "an empty record set is written"),
        (set.is_some() && !ours && !adopts, "a record that Landfast does not own is changed (S1)"),
        (replaces.as_ref().is_some_and(|place| !made(place)), "a record that Landfast did not create is replaced (S1)"),
        (*removes && (desired || !ours), "a desired record, or one that Landfast does not own, is deleted (S2)"),
        (!*removes && spec.is_none(), "a record that no manifest describes is written (S2)"),
    ])
}

/// What must hold of a step on a secret.
fn of_a_secret(key: &Key, step: &SecretStep, input: &Input<'_>) -> Vec<&'static str> {
    let state = match input.observation.secrets.secret(&step.address) {
        Seen::Present(state) => Some(state),
        Seen::Absent | Seen::Unknown(_) => None,
    };
    let spec = input.environment.secrets.get(key).filter(|_| input.goal == Goal::Converge);
    let renamed = |owner: &str| super::secret::former(input, key, Some(owner)).is_some();
    let foreign = state.is_some_and(|state| match state.tags.get(OWNER_TAG) {
        Some(owner) => *owner != key.to_string() && !renamed(owner),
        None => !spec.is_some_and(|spec| spec.adopt),
    });
    let writes = matches!(step.action, SecretDo::Put { .. } | SecretDo::Stage { .. } | SecretDo::Promote { .. });
    let deletes = matches!(step.action, SecretDo::Delete { .. });
    let creates = matches!(step.action, SecretDo::Create { .. });
    let early = matches!(step.action, SecretDo::Delete { recovery_days } if !(7..=30).contains(&recovery_days));
    broken([
        (step.mutates() && step.expect == SecretExpect::Nothing, "a mutation has no precondition (S5)"),
        (step.mutates() && foreign, "a secret that Landfast does not own is changed (S1)"),
        (creates && (state.is_some() || step.expect != SecretExpect::Absent), "a secret is created over another (S9)"),
        (creates && spec.is_none(), "a secret that no manifest describes is created (S2)"),
        (deletes && spec.is_some(), "a desired secret is deleted (S2)"),
        (early, "a secret is deleted with a recovery window of less than a week (S2)"),
        (writes && state.is_some_and(|state| state.rotates), "a value that AWS rotates is written (S21)"),
    ])
}

/// What must hold of a step on a service.
fn of_a_service(key: &Key, step: &ServiceStep, input: &Input<'_>) -> Vec<&'static str> {
    let spec = input.environment.services.get(key);
    let memory = input.memory.objects.services.get(key);
    let state = step.service.as_ref().zip(spec).and_then(|(service, spec)| {
        let at = (spec.scope.clone(), service.clone());
        input.observation.services.services.get(&at).and_then(Seen::present)
    });
    let changes = matches!(
        step.action,
        ServiceDo::Register { .. } | ServiceDo::Deploy { .. } | ServiceDo::Restart { .. } | ServiceDo::Stop { .. }
    );
    let owner = state.and_then(|state| state.tags.get(OWNER_TAG));
    let renamed = owner.is_some_and(|owner| super::service::former(input, key, Some(owner)).is_some());
    let takes = matches!(step.action, ServiceDo::Own { .. }) && owner.is_some() && !renamed;
    let intended = memory.and_then(|memory| memory.rollout.as_ref()).map(|rollout| &rollout.intended);
    let failed = memory
        .zip(intended)
        .is_some_and(|(memory, intended)| intended.values().any(|digest| memory.quarantine.contains_key(digest)));
    let collected = match &step.action {
        ServiceDo::Collect { task_definition, .. } => Some(task_definition),
        _ => None,
    };
    let in_use = collected.is_some_and(|old| {
        state.is_some_and(|state| state.uses(old)) || memory.is_none_or(|memory| proven(&memory.releases, old))
    });
    let unknown = collected.is_some_and(|old| memory.is_none_or(|memory| !memory.registered.contains(old)));
    // A restart replaces tasks by their like: a stack's service too, while the stack is at rest.
    let restarts = matches!(step.action, ServiceDo::Restart { .. });
    let restarting = restarts
        || matches!(step.action, ServiceDo::Stop { .. })
            && memory.and_then(|memory| memory.rollout.as_ref()).is_some_and(|rollout| rollout.restart.is_some());
    let stack = spec.and_then(|spec| spec.stack());
    let moves = |stack: &Key| {
        input.memory.objects.stacks.get(stack).is_some_and(|memory| memory.pending.is_some())
            || input.busy.contains(stack)
    };
    let brings = matches!(step.action, ServiceDo::Register { .. } | ServiceDo::Deploy { .. });
    broken([
        (
            changes && stack.is_none() && owner != Some(&key.to_string()),
            "a service that Landfast does not own is changed (S1)",
        ),
        (takes, "a service with another owner is adopted (S1)"),
        (in_use, "a task definition that is deployed, or is a rollback target, is deregistered (S14)"),
        (unknown, "a task definition that Landfast did not register is deregistered (S1)"),
        (brings && failed, "an image in quarantine is deployed again (S14)"),
        (
            (changes && (spec.is_none() || (stack.is_some() && !restarting)))
                || (collected.is_some() && spec.is_none_or(|spec| spec.stack().is_some())),
            "a service that a stack deploys is changed directly (S6)",
        ),
        (restarts && stack.is_some_and(moves), "a service is restarted during an operation on its stack (S6)"),
    ])
}

/// What must hold of a step on a stack.
fn of_a_stack(key: &Key, entry: &Entry, step: &StackStep, input: &Input<'_>) -> Vec<&'static str> {
    let stack = match input.observation.stack(&step.address) {
        Seen::Present(stack) if row(stack.state.status).standing != Standing::Gone => Some(stack),
        Seen::Present(_) | Seen::Absent | Seen::Unknown(_) => None,
    };
    let state = stack.map(|stack| &stack.state);
    let standing = state.map(|state| row(state.status).standing);
    let (mutates, operates) = (step.action.mutates(), step.action.begins_operation());
    let renamed = |owner| {
        let spec = input.environment.stacks.get(key);
        spec.is_some_and(|spec| former_of_stack(input, spec, Some(owner)).is_some())
    };
    let foreign = state.is_some_and(|state| match owner(state) {
        Some(owner) => owner != key.to_string() && !renamed(owner),
        None => !input.environment.stacks.get(key).is_some_and(|spec| spec.adopt),
    });
    let mut rules = broken([
        (mutates && step.expect == Expect::Nothing, "a mutation has no precondition (S5)"),
        (operates && standing == Some(Standing::Busy), "a busy stack is operated on (S7)"),
        (mutates && foreign, "a stack that Landfast does not own is changed (S1)"),
    ]);
    let asked_for = input.environment.stacks.contains_key(key);
    let agreed = consent::covers(input, key, entry);
    match &step.action {
        StackDo::Create { .. } => rules.extend(broken([
            (state.is_some() || step.expect != Expect::Absent, "a stack is created over another (S9)"),
            (!asked_for, "a stack that no manifest describes is created (S2)"),
        ])),
        StackDo::Delete { kind, stack, retain, .. } => {
            let desired = asked_for && input.goal == Goal::Converge;
            let never = standing == Some(Standing::NeverHealthy);
            rules.extend(broken([
                (state.map(|state| &state.id) != Some(stack), "another stack with the same name is deleted (S2)"),
                (state.is_some_and(|state| state.termination_protection), "a protected stack is deleted (S2)"),
                (heir(input, &step.address, key).is_some(), "a stack that another object adopts is deleted (S25)"),
                (*kind == OperationKind::Delete && desired, "a desired stack is deleted (S2)"),
                (*kind == OperationKind::Clear && !never, "a stack that was healthy before is deleted to fix it (S2)"),
                (!retain.is_empty() && !agreed, "resources are retained without approval (S2)"),
            ]));
        }
        StackDo::ContinueRollback { skip, .. } => rules.extend(broken([
            (standing != Some(Standing::RollbackStuck), "a rollback is continued that has not failed (S7)"),
            (!skip.is_empty() && !agreed, "resources are skipped in a rollback without approval (S2)"),
        ])),
        StackDo::Execute { resyncs, change_set, .. } => {
            let memory = input.memory.objects.stacks.get(key);
            let ours = memory.is_some_and(|memory| {
                memory.prepared.values().any(|prepared| prepared.id.as_ref() == Some(change_set))
            });
            let trusts = sabotage::is(Bug::TrustsNames);
            rules.extend(broken([(!ours && !trusts, "a change set that is not in the journal is executed (S23)")]));
            let skipped = input.memory.objects.stacks.get(key).and_then(|memory| memory.skipped.as_deref());
            let open = skipped.is_some_and(|skipped| Some(&skipped.stack) == state.map(|state| &state.id));
            rules.extend(broken([(
                open && resyncs.is_empty(),
                "a stack is updated before its skipped resources are synced (S7)",
            )]));
        }
        _ => {}
    }
    rules
}

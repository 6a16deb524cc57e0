//! The order of decisions, on one screen.

use std::collections::{BTreeMap, BTreeSet};

use super::planner::Planner;
use super::{
    Goal, Input, MAX_OPERATIONS, backup, consent, doctor, guard, hold, order, presence, readiness, record, removal,
    secret, service, stack,
};
use crate::model::{Act, Digest, Do, Entry, Key, Kind, Need, Plan, Scope, Waiting};

/// The plan for an environment, with what is known.
#[must_use]
pub fn plan(input: &Input<'_>) -> Plan {
    let (entries, _) = decided(Planner::new(input));
    finished(input, entries)
}

/// The plan, if nothing is missing.
///
/// # Errors
///
/// What must be known before the plan can say more.
pub fn complete(input: &Input<'_>) -> Result<Plan, BTreeSet<Need>> {
    let (entries, needs) = decided(Planner::new(input));
    if needs.is_empty() { Ok(finished(input, entries)) } else { Err(needs) }
}

/// What must be known before the plan can say more. Empty when nothing is missing.
#[must_use]
pub fn needs(input: &Input<'_>) -> BTreeSet<Need> {
    decided(Planner::new(input)).1
}

fn decided(mut planner: Planner<'_>) -> (BTreeMap<Key, Entry>, BTreeSet<Need>) {
    if planner.input.goal == Goal::Converge {
        // The manifests are loaded without cycles; whatever is on one nevertheless would simply have no entry.
        let (ordered, _cycles) = order(planner.input.environment.dependencies());
        for key in ordered {
            if let Some(mut entry) = decide(&planner, &key) {
                readiness::check(&planner, &key, &mut entry);
                planner.entries.insert(key, entry);
            }
        }
    }
    removal::decide(&mut planner);
    secret::decide_removals(&mut planner);
    presence::hold(&mut planner);
    guard::older_commit(&mut planner);
    planner.hold_stacks();
    planner.hold_owners();
    hold::withhold(&mut planner);
    guard::budget(&mut planner);
    take_turns(&mut planner);
    doctor::examine(&mut planner);
    planner.finish()
}

/// What belongs to the plan as a whole.
fn finished(input: &Input<'_>, mut entries: BTreeMap<Key, Entry>) -> Plan {
    // Of what a manifest describes, it is there since that was decided.
    let others = entries.iter_mut().filter(|(key, entry)| key.kind == Kind::Stack && entry.basis.stack.is_none());
    for (_, entry) in others {
        entry.basis.stack = input.observation.stack_at(&entry.address).present().map(|stack| stack.state.version());
    }
    let mut plan = Plan {
        environment: input.environment.name.clone(),
        revision: input.desired.revision.clone(),
        digest: Digest::of_bytes(b""),
        command: guard::approval_command(input),
        entries,
        cuts: input.environment.limits.cuts.clone(),
    };
    plan.digest = consent::digest(&plan);
    guard::name_commands(&mut plan);
    plan
}

/// Decides on one desired object. Its dependencies have been decided before.
fn decide(planner: &Planner<'_>, key: &Key) -> Option<Entry> {
    let environment = planner.input.environment;
    match key.kind {
        Kind::Stack => environment.stacks.get(key).map(|spec| stack::decide(planner, spec)),
        Kind::Service => environment.services.get(key).map(|spec| service::decide(planner, spec)),
        Kind::Secret => environment.secrets.get(key).map(|spec| secret::decide(planner, spec)),
        Kind::DnsRecord => environment.records.get(key).map(|spec| record::decide(planner, spec)),
        Kind::BackupPolicy => environment.backups.get(key).map(|spec| backup::decide(planner, spec)),
    }
}

/// Only so many operations at once in an account and region, one batch for each zone; and an object whose step is being
/// executed gets no second one.
fn take_turns(planner: &mut Planner<'_>) {
    let (input, mut running) = (planner.input, BTreeMap::<Scope, usize>::new());
    for key in input.memory.objects.pending_stacks() {
        let scope = planner.entries.get(key).map_or(&input.environment.scope, |entry| &entry.address.scope);
        *running.entry(scope.clone()).or_default() += 1;
    }
    let room = |scope: &Scope| input.observation.room.get(scope).copied().unwrap_or(MAX_OPERATIONS);
    let free = |scope: &Scope| room(scope).saturating_sub(running.get(scope).copied().unwrap_or_default());
    let mut left: BTreeMap<Scope, usize> = BTreeMap::new();
    for (key, entry) in planner.entries.iter_mut().filter(|(_, entry)| entry.step.is_some()) {
        if planner.input.busy.contains(key) {
            entry.step = None;
        }
        let begins_operation = entry.step.as_ref().is_some_and(|step| step.action.begins_operation());
        let in_use = entry.step.as_ref().is_some_and(|step| match &step.action {
            Do::Record(record) => step.action.mutates() && record::is_in_use(planner.input, &record.place),
            _ => false,
        });
        let scope = &entry.address.scope;
        let left = left.entry(scope.clone()).or_insert_with(|| free(scope));
        if in_use || begins_operation && *left == 0 {
            entry.step = None;
            entry.waiting.push(Waiting::Turn);
        } else if begins_operation {
            *left -= 1;
        }
    }
}

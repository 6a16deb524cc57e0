//! Stacks that are ours and that no manifest asks for any more.
//!
//! Absence is not an instruction (invariant S2). A stack is only deleted if its environment loaded from a revision that
//! still describes something, its owner tag says that it is this environment's, the policy or a person says so, and
//! nothing protects it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::doctor::{NoSet, blockers};
use super::handover::heir;
use super::names::{RETAIN_TAG, owner, token};
use super::pending::Pending;
use super::planner::{Planner, refuse};
use super::stack::expect;
use super::standing::{Standing, row};
use super::{Goal, attempts, consent, exports, guard, record};
use crate::model::{
    Action, Address, Changes, Conclusion, Contained, Difference, Digest, Do, Entry, Expect, Guard, Key, Mode,
    ObservedStack, OperationKind, Prune, Refusal, ResourceChange, Seen, StackAddress, StackDo, StackId, StackMemory,
    StackNeed, StackState, StackStatus, StackStep, Step, Waiting,
};
use crate::sabotage::{self, Bug};

/// Adds an entry for every stack of ours that is not desired.
pub(super) fn decide(planner: &mut Planner<'_>) {
    let input = planner.input;
    let mut leaving: BTreeMap<Key, (&StackAddress, &ObservedStack)> = BTreeMap::new();
    let mut handed: BTreeMap<Key, Entry> = BTreeMap::new();
    for (address, stack) in &input.observation.stacks {
        let Some(key) = owner(&stack.state).and_then(|owner| owner.parse::<Key>().ok()) else { continue };
        let ours = key.environment == input.environment.name;
        let desired =
            input.goal == Goal::Converge && input.environment.stacks.get(&key).is_some_and(|spec| spec.is_at(address));
        if !ours || desired {
            continue;
        }
        // A key whose stack moved to another name or region is desired there; here its old stack is in nobody's
        // manifest, but shares the key. It is reported once the new one is gone from the plan's way: never deleted.
        let moved = planner.entries.contains_key(&key);
        if moved || stack.state.parent.is_some() {
            continue;
        }
        match heir(input, address, &key) {
            None => _ = leaving.insert(key, (address, stack)),
            // Within one environment the entry of the one that takes it over says it all.
            Some(heir) if heir.environment == key.environment => {}
            Some(heir) => _ = handed.insert(key, handed_over(address, &stack.state, &heir)),
        }
    }
    planner.entries.extend(handed);
    let unseen = unseen(planner, &leaving);
    // Of the other kinds: they go before the stacks that they depend on.
    let others = record::leaving(planner);
    let mut dependants = dependants(planner, leaving.keys().chain(unseen.keys()));
    for (key, entry) in &others {
        for dependency in &entry.depends_on {
            dependants.entry(dependency.clone()).or_default().insert(key.clone());
        }
    }
    for (key, (address, stack)) in &leaving {
        let waits_for: BTreeSet<String> = dependants
            .get(key)
            .into_iter()
            .flatten()
            .filter(|dependant| {
                leaving.contains_key(*dependant)
                    || unseen.contains_key(*dependant)
                    || others.get(*dependant).is_some_and(|entry| entry.action != Action::Retain)
            })
            .map(ToString::to_string)
            .collect();
        let entry = Removing { planner, key, address, stack }.entry(waits_for);
        planner.entries.insert(key.clone(), entry);
    }
    planner.entries.extend(unseen);
    planner.entries.extend(others);
    finished(planner, &leaving);
}

/// Another environment takes it over.
fn handed_over(address: &StackAddress, state: &StackState, heir: &Key) -> Entry {
    Entry {
        action: Action::Retain,
        differences: vec![Difference::HandedOver { to: heir.to_string() }],
        ..blank(address, Some(state))
    }
}

/// What a destruction would have to delete and may be there: not seen is not gone (invariant S10).
fn unseen(planner: &Planner<'_>, leaving: &BTreeMap<Key, (&StackAddress, &ObservedStack)>) -> BTreeMap<Key, Entry> {
    let input = planner.input;
    let specs = input.environment.stacks.iter().filter(|_| input.goal == Goal::Destroy);
    let unseen = specs.filter(|(key, _)| !leaving.contains_key(*key)).filter_map(|(key, spec)| {
        let Seen::Unknown(why) = input.observation.stack(&spec.address()) else { return None };
        let mut entry = blank(&spec.address(), None);
        entry.action = Action::Unknown;
        entry.differences.clear();
        entry.waiting.push(Waiting::Unknown { why: why.to_string() });
        Some((key.clone(), entry))
    });
    unseen.collect()
}

/// Who depended on whom, by the manifests where there are some, else by what was remembered at the last deployment.
fn dependants<'a>(planner: &Planner<'_>, leaving: impl Iterator<Item = &'a Key>) -> BTreeMap<Key, BTreeSet<Key>> {
    let mut dependants: BTreeMap<Key, BTreeSet<Key>> = BTreeMap::new();
    for key in leaving {
        let spec = planner.input.environment.stacks.get(key);
        let on = spec
            .map_or_else(|| planner.remembered::<StackMemory>(key).depends_on.clone(), |spec| spec.depends_on.clone());
        for dependency in on {
            dependants.entry(dependency).or_default().insert(key.clone());
        }
    }
    dependants
}

/// Deletions that have succeeded: the stack is gone from a complete listing, and the journal does not know yet.
fn finished(planner: &mut Planner<'_>, leaving: &BTreeMap<Key, (&StackAddress, &ObservedStack)>) {
    let input = planner.input;
    for (key, memory) in &input.memory.objects.stacks {
        let Some(operation) = &memory.pending else { continue };
        let known = planner.entries.contains_key(key) || leaving.contains_key(key);
        if known || key.environment != input.environment.name {
            continue;
        }
        let Some(address) = operation.stack.as_ref().and_then(StackId::address) else { continue };
        let Some(Ok(())) = input.observation.listings.get(&address.scope) else { continue };
        if heir(input, &address, key).is_some() {
            continue;
        }
        let mut entry = blank(&address, None);
        entry.action = Action::Delete;
        let conclusion = match operation.kind {
            OperationKind::Delete | OperationKind::Clear => Conclusion::Succeeded,
            _ => Conclusion::NotSeen,
        };
        let action = StackDo::Conclude { conclusion, version: None, template: None };
        entry.step = Some(step(planner, key, &address, Expect::Absent, action));
        planner.entries.insert(key.clone(), entry);
    }
}

fn blank(address: &StackAddress, stack: Option<&StackState>) -> Entry {
    Entry {
        status: stack.map(|state| state.status.to_string()),
        action: Action::Delete,
        differences: vec![Difference::NotDesired],
        ..Entry::new(Address::from(address))
    }
}

fn step(planner: &Planner<'_>, key: &Key, address: &StackAddress, expect: Expect, action: StackDo) -> Box<Step> {
    Box::new(Step {
        key: key.clone(),
        address: Address::from(address),
        revision: planner.input.desired.revision.sequence,
        cost: (0, 0, 0),
        takes_over: None,
        depends_on: planner.remembered::<StackMemory>(key).depends_on.clone(),
        action: Do::Stack(StackStep { address: address.clone(), expect, action }),
    })
}

struct Removing<'a> {
    planner: &'a Planner<'a>,
    key: &'a Key,
    address: &'a StackAddress,
    stack: &'a ObservedStack,
}

impl Removing<'_> {
    fn memory(&self) -> Arc<StackMemory> {
        self.planner.remembered(self.key)
    }

    fn entry(&self, waits_for: BTreeSet<String>) -> Entry {
        let state = &self.stack.state;
        let mut entry = blank(self.address, Some(state));
        entry.depends_on.clone_from(&self.memory().depends_on);
        if let Seen::Unknown(why) = self.planner.input.observation.stack(self.address) {
            entry.action = Action::Unknown;
            entry.waiting.push(Waiting::Unknown { why: why.to_string() });
            return entry;
        }
        if state.tags.contains_key(RETAIN_TAG) && self.planner.input.goal == Goal::Converge {
            entry.action = Action::Retain;
            return entry;
        }
        if self.follow(&mut entry) {
            return entry;
        }
        if waits_for.is_empty() {
            exports::in_use(self.planner, self.address, self.stack, exports::all(state), &mut entry);
        } else {
            entry.waiting.push(Waiting::Dependency { objects: waits_for });
        }
        self.leaves(&mut entry);
        self.permission(&mut entry);
        if entry.refused.is_empty() && entry.waiting.is_empty() {
            self.delete(&mut entry);
        }
        entry
    }

    /// Its deletion has failed: deleted again without what it failed on, if a person agrees to exactly that.
    fn leaves(&self, entry: &mut Entry) {
        if self.stack.state.status != StackStatus::DeleteFailed {
            return;
        }
        match blockers(self.address, self.stack) {
            Ok(found) => {
                let resources: BTreeSet<String> = found.into_iter().map(|blocker| blocker.resource).collect();
                entry.differences.push(Difference::Leave { resources });
            }
            Err(NoSet::Need(need)) => {
                self.planner.need(*need);
                entry
                    .waiting
                    .push(Waiting::Unknown { why: "the events of its deletion have not been read".to_owned() });
            }
            Err(NoSet::Unknown(why)) => entry.waiting.push(Waiting::Unknown { why }),
            Err(NoSet::Nothing) => {
                let row = row(self.stack.state.status);
                let reason = format!("it is {}, and no event shows which resource failed", row.status);
                refuse(entry, Refusal { guard: Guard::Stuck, reason, release: row.asks.to_owned() });
            }
        }
    }

    /// An operation is open or has just ended: that comes first.
    fn follow(&self, entry: &mut Entry) -> bool {
        let state = &self.stack.state;
        let (planner, key, address) = (self.planner, self.key, self.address.clone());
        if let Some(operation) = &self.memory().pending {
            let concluded = Pending { planner, key, address, operation }.follow(state, entry);
            entry.step = concluded.map(|action| step(planner, key, self.address, Expect::Nothing, action));
            return true;
        }
        if state.status.is_in_progress() {
            entry.waiting.push(Waiting::Operation { status: state.status, ours: false, since: None });
            return true;
        }
        false
    }

    fn permission(&self, entry: &mut Entry) {
        let input = self.planner.input;
        let environment = input.environment;
        self.describe_loss(entry);
        let kept = left(entry);
        let proven = self.memory().has_made(&self.stack.state.id) || sabotage::is(Bug::TrustsTags);
        let approved = consent::covers(input, self.key, entry);
        if input.goal == Goal::Converge && environment.stacks.is_empty() && !sabotage::is(Bug::PruneOnEmpty) {
            refuse(
                entry,
                refusal(
                    Guard::Prune,
                    "no manifest of this environment describes any stack",
                    "a revision without any objects is treated as a mistake: to delete an environment, use `landfast \
                    destroy`",
                ),
            );
        } else if environment.policy.mode == Mode::Observe {
            refuse(
                entry,
                refusal(Guard::Mode, "the environment is in observe mode", "set `policy.mode` to `approve` or `apply`"),
            );
        } else if !approved {
            match environment.policy.prune {
                Prune::Never => {
                    refuse(
                        entry,
                        refusal(
                            Guard::Prune,
                            "its manifest was removed, and pruning is off",
                            "set `policy.prune` to `confirm` or `always`, or restore the manifest",
                        ),
                    );
                }
                Prune::Confirm => entry.waiting.push(guard::approval(input)),
                Prune::Always if guard::asks_to_delete(input, self.key, entry) || !kept.is_empty() || !proven => {
                    entry.waiting.push(guard::approval(input));
                }
                Prune::Always => {}
            }
        }
        self.state_is_kept(entry, approved);
        if self.stack.state.termination_protection {
            refuse(
                entry,
                refusal(
                    Guard::TerminationProtection,
                    "termination protection is on",
                    "set `terminationProtection: false` in its manifest and apply that before you remove the manifest",
                ),
            );
        }
        let row = row(self.stack.state.status);
        let deletable = row.status == StackStatus::DeleteFailed;
        if !deletable && (row.standing == Standing::Human || row.standing == Standing::RollbackStuck) {
            let reason = format!("it is {}: {}", row.status, row.meaning);
            refuse(entry, Refusal { guard: Guard::Stuck, reason, release: row.asks.to_owned() });
        }
    }

    /// Stateful resources that would go with the stack need a person's consent (invariant S4).
    fn state_is_kept(&self, entry: &mut Entry, approved: bool) {
        let lost: Vec<&ResourceChange> = entry
            .changes
            .list()
            .iter()
            .filter(|change| !change.retained && guard::is_lost(self.planner.input.environment, change))
            .collect();
        if lost.is_empty() || approved || !entry.refused.is_empty() {
            return;
        }
        if !entry.waiting.iter().any(|waiting| matches!(waiting, Waiting::Approval { .. })) {
            entry.waiting.push(guard::approval(self.planner.input));
        }
    }

    /// Which resources go with it, nested stacks included: by what there is, and not by what a template says.
    fn describe_loss(&self, entry: &mut Entry) {
        let (state, memory) = (&self.stack.state, self.memory());
        let remembered = memory.contents.as_ref().filter(|(version, _)| *version == state.version());
        let contents = match (self.stack.contents.get(&state.id), remembered) {
            (Some(Seen::Present(contents)), _) | (None, Some((_, contents))) => contents,
            (Some(Seen::Absent), _) => {
                entry
                    .waiting
                    .push(Waiting::Unknown { why: "it is listed, but its resources cannot be read".to_owned() });
                return;
            }
            (Some(Seen::Unknown(why)), _) => {
                entry.waiting.push(Waiting::Unknown { why: format!("its resources could not be read: {why}") });
                return;
            }
            (None, None) => return self.read_contents(entry),
        };
        let kept = left(entry);
        let mut lost: Vec<ResourceChange> = contents.iter().map(Contained::removed).collect();
        for change in &mut lost {
            let own = change.resource.split('/').next().unwrap_or_default();
            change.retained |= kept.contains(own);
        }
        entry.changes = Changes::Predicted(lost);
    }

    fn read_contents(&self, entry: &mut Entry) {
        self.planner.need(StackNeed::Contents(self.address.clone(), self.stack.state.id.clone()));
        entry.waiting.push(Waiting::Unknown { why: "its resources have not been read".to_owned() });
    }

    fn delete(&self, entry: &mut Entry) {
        let retain = left(entry);
        let inputs = if retain.is_empty() { consent::absent() } else { Digest::of(&("retain", &retain)) };
        let (memory, state) = (self.memory(), &self.stack.state);
        let failed = attempts::of(memory.attempts.as_deref(), &inputs);
        if let Some(attempts) = failed.filter(|_| state.status == StackStatus::DeleteFailed) {
            let reason = format!("its deletion failed: {}: {}", attempts.failure.resource, attempts.failure.reason);
            let release = row(state.status).asks.to_owned();
            return refuse(entry, Refusal { guard: Guard::Stalled, reason, release });
        }
        // The stack is what it was: AWS did not begin.
        if attempts::hold(self.planner.input, failed, u32::MAX, entry) {
            return;
        }
        if !self.stack.contents.contains_key(&state.id) {
            // What is remembered may be of before a nested stack was changed: read once more, now that it is meant.
            return self.read_contents(entry);
        }
        let attempt = failed.map_or(0, |attempts| attempts.count);
        let action = StackDo::Delete {
            kind: OperationKind::Delete,
            stack: state.id.clone(),
            token: if retain.is_empty() {
                token(self.key, "delete", &(state.version(), attempt))
            } else {
                token(self.key, "delete", &(state.version(), &retain))
            },
            inputs,
            retain,
        };
        let mut step = step(self.planner, self.key, self.address, expect(state), action);
        step.cost = (1, 0, 1);
        entry.step = Some(step);
    }
}

/// What would stay in the account because the stack cannot be deleted with it.
fn left(entry: &Entry) -> BTreeSet<String> {
    let left = entry.differences.iter().find_map(|difference| match difference {
        Difference::Leave { resources } => Some(resources.clone()),
        _ => None,
    });
    left.unwrap_or_default()
}

fn refusal(guard: Guard, reason: &str, release: &str) -> Refusal {
    Refusal { guard, reason: reason.to_owned(), release: release.to_owned() }
}

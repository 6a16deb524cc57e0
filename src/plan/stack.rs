//! What a desired stack needs.

mod access;
mod dependencies;
mod forecast;
mod gone;
mod moved;
mod ours;
mod revert;
mod stored;
mod stuck;
mod update;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::SignedDuration;

use self::forecast::all_added;
pub(super) use self::forecast::output_may_change;
use super::diff::differences;
use super::handover::{former_of_stack, heir};
use super::names::{owner, token};
use super::pending::{LISTED_WITHIN, Pending};
use super::planner::{Planner, refuse};
use super::resolve::{Resolved, spec_digest};
use super::standing::{Standing, row};
use super::{attempts, drift, exports, guard};
use crate::model::{
    Act, Action, Address, Basis, Changes, Conclusion, Difference, Digest, Do, Entry, Expect, Guard, Key, ObservedStack,
    Operation, OperationKind, Parameter, Refusal, Seen, StackDo, StackMemory, StackNeed, StackSpec, StackState,
    StackStatus, StackStep, Step, TemplateFacts, Waiting,
};

/// Creations of the same inputs that are tried before it is left to a person: two that may have been bad luck, and one
/// that shows that it was not.
const CREATIONS_MAX: u32 = 3;

/// Decides on one desired stack. Its dependencies have been decided before.
pub(super) fn decide(planner: &Planner<'_>, spec: &StackSpec) -> Entry {
    let address = spec.address();
    let seen = planner.input.observation.stack(&address);
    if !planner.input.observation.listings.contains_key(&address.scope) {
        planner.need(StackNeed::Listing(address.scope.clone()));
    }
    let former = seen.present().and_then(|stack| former_of_stack(planner.input, spec, owner(&stack.state)));
    let mut memory = planner.remembered::<StackMemory>(&spec.key);
    let blank = memory.healthy.is_none() && memory.pending.is_none();
    let former = former.filter(|_| blank || seen.present().map(|stack| &stack.state.id) == memory.healthy.as_ref());
    // Until it goes over, what is remembered is under the key that it had; what is read meanwhile, under its own.
    if let Some(before) = former.as_ref().and_then(|from| planner.input.memory.objects.stacks.get(from)) {
        memory = Arc::new(memory.reads_before(before));
    }
    let deciding = Deciding { planner, spec, memory: &memory, former };
    let mut entry = deciding.entry(seen.present().map(|stack| &stack.state));
    match (seen, &deciding.memory.pending) {
        (Seen::Unknown(why), _) => Deciding::unknown(&mut entry, why.to_string()),
        (Seen::Absent, Some(operation)) => deciding.pending_absent(&mut entry, operation),
        (Seen::Present(stack), Some(operation)) => deciding.pending_present(&mut entry, operation, &stack.state),
        (Seen::Absent, None) => deciding.create(&mut entry),
        (Seen::Present(stack), None) => deciding.present(&mut entry, stack),
    }
    deciding.look_back();
    deciding.left_behind(&mut entry);
    exports::explain_missing(planner, spec, &mut entry);
    if entry.action != Action::None {
        guard::conventions(planner, spec, &mut entry);
        guard::broadening(planner.input, &spec.key, &mut entry);
        guard::mode(planner.input, &spec.key, &mut entry);
        guard::never_older(planner.input, &spec.key, &mut entry);
    }
    entry
}

/// What its manifest asks for, with references filled in as far as they are known.
pub(super) fn resolved(planner: &Planner<'_>, spec: &StackSpec) -> Resolved {
    let memory = planner.remembered(&spec.key);
    Deciding { planner, spec, memory: &memory, former: None }.resolved()
}

struct Deciding<'a> {
    planner: &'a Planner<'a>,
    spec: &'a StackSpec,
    memory: &'a StackMemory,
    /// The key that the stack says it belongs to, where that is its name before it was renamed or moved.
    former: Option<Key>,
}

impl Deciding<'_> {
    fn entry(&self, state: Option<&StackState>) -> Entry {
        let secret =
            |(name, parameter): (&String, &Parameter)| matches!(parameter, Parameter::NoEcho(_)).then(|| name.clone());
        let keyed = self.spec.parameters.iter().filter_map(secret).collect();
        let manifest = spec_digest(self.spec, &self.planner.input.memory.fingerprint_key);
        Entry {
            basis: Basis { keyed, stack: state.map(StackState::version), ..Basis::of(manifest) },
            status: state.map(|state| state.status.to_string()),
            depends_on: self.spec.depends_on.clone(),
            ..Entry::new(Address::from(&self.spec.address()))
        }
    }

    fn step(&self, expect: Expect, action: StackDo) -> Box<Step> {
        let address = self.spec.address();
        Box::new(Step {
            key: self.spec.key.clone(),
            address: Address::from(&address),
            revision: self.planner.input.desired.revision.sequence,
            cost: (0, 0, 0),
            takes_over: self.former.clone(),
            depends_on: self.spec.depends_on.clone(),
            action: Do::Stack(StackStep { address, expect, action }),
        })
    }

    fn unknown(entry: &mut Entry, why: String) {
        entry.action = Action::Unknown;
        entry.waiting.push(Waiting::Unknown { why });
    }

    // ---- an operation of ours that has not been seen to end ----

    fn pending_absent(&self, entry: &mut Entry, operation: &Operation) {
        entry.action = action_of(operation.kind);
        let conclude = |conclusion| Some(StackDo::Conclude { conclusion, version: None, template: None });
        let action = match (operation.kind, &operation.stack) {
            (OperationKind::Delete | OperationKind::Clear, _) => conclude(Conclusion::Succeeded),
            // It had an id, so it was there; it is gone again because its creation failed with `OnFailure: DELETE`, or
            // because somebody deleted it, or it is not gone and the listing lags behind. Its events outlive it, and tell.
            (_, Some(id)) => self.pending(operation).follow_absent(id, entry),
            // The call is on its way.
            (_, None) if self.planner.input.busy.contains(&self.spec.key) => None,
            // Its answer was lost, and the listing may be older than it.
            (_, None) if self.planner.input.now.duration_since(operation.started) < LISTED_WITHIN => {
                entry.action = Action::Unknown;
                let why = "the answer to its creation was lost, and it may not be listed yet".to_owned();
                entry.waiting.push(Waiting::Unknown { why });
                None
            }
            (_, None) => conclude(Conclusion::NotSeen),
        };
        entry.step = action.map(|action| self.step(Expect::Absent, action));
    }

    fn pending_present(&self, entry: &mut Entry, operation: &Operation, state: &StackState) {
        entry.action = action_of(operation.kind);
        entry.differences.push(Difference::Status { status: state.status });
        let mut concluded = self.pending(operation).follow(state, entry);
        if let Some(StackDo::Conclude { conclusion: Conclusion::Succeeded, template, .. }) = &mut concluded {
            *template = self.has_deployed(operation);
            // It is what its manifest asks for: what depends on it need not wait until that is written down.
            entry.ready = template.is_some();
        }
        entry.step = concluded.map(|action| self.step(Expect::Nothing, action));
        let given_up = self.is_overdue(operation) || self.planner.is_doomed(&self.spec.key);
        if given_up && is_running_forward(operation, state) {
            let token = token(&self.spec.key, "cancel", &operation.token);
            entry.step = Some(self.step(expect(state), StackDo::Cancel { token }));
        }
    }

    /// What an operation has deployed, where it was made of what the manifest says now: AWS need not be asked.
    fn has_deployed(&self, operation: &Operation) -> Option<Arc<TemplateFacts>> {
        if !matches!(operation.kind, OperationKind::Create | OperationKind::Update) {
            return None;
        }
        let same = resolved(self.planner, self.spec).inputs().digest == operation.inputs;
        same.then(|| Arc::clone(&self.spec.template.facts))
    }

    fn pending<'b>(&'b self, operation: &'b Operation) -> Pending<'b> {
        Pending { planner: self.planner, key: &self.spec.key, address: self.spec.address(), operation }
    }

    fn is_overdue(&self, operation: &Operation) -> bool {
        let Some(timeout) = self.spec.timeout else { return false };
        let running = self.planner.input.now.duration_since(operation.started);
        running > SignedDuration::try_from(timeout).unwrap_or(SignedDuration::MAX)
    }

    // ---- no operation of ours is open ----

    fn create(&self, entry: &mut Entry) {
        entry.action = Action::Create;
        entry.differences.push(Difference::Absent);
        entry.changes = Changes::Predicted(all_added(self.spec));
        self.look_back();
        let elsewhere = self.elsewhere();
        let mut leaves = None;
        if let Some(other) = elsewhere.filter(|other| other.scope != self.spec.scope) {
            if self.waits_to_move(entry, other) {
                return;
            }
            leaves = self.planner.input.observation.stacks.get(other).map(|stack| stack.state.id.clone());
        } else if let Some(other) = elsewhere {
            let reason = format!("its stack is deployed as {other}; a second one would be created");
            let release = format!("restore `stackName` and `region`, or delete {other} first");
            return refuse(entry, Refusal { guard: Guard::Ownership, reason, release });
        } else {
            self.find_gone(entry);
        }
        if self.lacks_previous_values(entry) {
            return;
        }
        let resolved = self.resolve(entry);
        self.opens(entry, &resolved);
        // Said at once: it does not get better by waiting for others.
        guard::template_size(self.spec, resolved.inputs(), entry);
        guard::template_bucket(self.planner, self.spec, resolved.inputs(), entry);
        if !entry.refused.is_empty() || entry.action == Action::Unknown {
            return;
        }
        if self.waits_for_dependencies(entry, &resolved)
            || exports::taken(self.planner, self.spec, None, resolved.inputs(), entry)
            || self.is_held_by_attempts(entry, &resolved.inputs().digest)
        {
            return;
        }
        if (leaves.is_none() && self.waits_as_gone(entry)) || self.lacks_stored_values(entry, &resolved) {
            return;
        }
        // What was deleted and is asked for again is another stack, also when it is made of the same.
        let failed = self.memory.attempts.as_ref().map(|attempts| (&attempts.inputs, attempts.count, attempts.last));
        let life = (&self.memory.healthy, failed, self.planner.input.desired.revision.sequence);
        let token = token(&self.spec.key, "create", &(&resolved.inputs().digest, life));
        let inputs = Arc::clone(resolved.inputs());
        entry.step = Some(self.step(
            Expect::Absent,
            StackDo::Create {
                inputs,
                token,
                termination_protection: self.spec.termination_protection,
                stack_policy: self.spec.stack_policy.clone(),
                on_failure: self.spec.on_failure,
                timeout: self.spec.timeout.or_else(|| self.planner.patience(self.spec)),
                leaves,
            },
        ));
    }

    /// A parameter is to stay as it is, where there is nothing that it could stay as. Refused before a failed stack is
    /// cleared away, too: with it would go the only place that has the value.
    fn lacks_previous_values(&self, entry: &mut Entry) -> bool {
        let kept = self.spec.parameters.iter().filter(|(_, value)| matches!(value, Parameter::Previous));
        let names: Vec<&str> = kept.map(|(name, _)| name.as_str()).collect();
        if names.is_empty() {
            return false;
        }
        let reason = format!("{} uses its previous value, but a new stack has none", names.join(", "));
        let release = "give it a value in the manifest, or in the environment's parameter file".to_owned();
        refuse(entry, Refusal { guard: Guard::NoPreviousValue, reason, release });
        true
    }

    /// A stack that carries this object's tag under another name or in another region: the manifest was renamed.
    fn elsewhere(&self) -> Option<&crate::model::StackAddress> {
        let key = self.spec.key.to_string();
        let stacks = &self.planner.input.observation.stacks;
        let ours = |stack: &ObservedStack| {
            // A nested stack has the tags of its root.
            let root = stack.state.parent.is_none();
            root && owner(&stack.state) == Some(key.as_str()) && row(stack.state.status).standing != Standing::Gone
        };
        // One that another object takes over is that one's.
        let stays = |address: &crate::model::StackAddress| heir(self.planner.input, address, &self.spec.key).is_none();
        let found = stacks.iter().find(|(address, stack)| ours(stack) && stays(address));
        found.map(|(address, _)| address)
    }

    fn present(&self, entry: &mut Entry, stack: &ObservedStack) {
        let state = &stack.state;
        let row = row(state.status);
        match row.standing {
            Standing::Steady => self.steady(entry, stack),
            Standing::Gone => self.create(entry),
            Standing::Busy => {
                entry.action = Action::MayUpdate;
                entry.differences.push(Difference::Status { status: state.status });
                entry.waiting.push(Waiting::Operation { status: state.status, ours: false, since: state.updated });
            }
            Standing::NeverHealthy => {
                entry.action = Action::Recreate;
                entry.differences.push(Difference::Status { status: state.status });
                self.clear(entry, state);
            }
            Standing::RollbackStuck => {
                entry.action = Action::Recover;
                entry.differences.push(Difference::Status { status: state.status });
                self.continue_rollback(entry, stack);
            }
            Standing::Human => {
                entry.action = Action::Recover;
                entry.differences.push(Difference::Status { status: state.status });
                refuse(entry, stuck(state, row.meaning, row.asks));
            }
        }
    }

    fn clear(&self, entry: &mut Entry, state: &StackState) {
        if !self.is_ours(entry, state) {
            return;
        }
        if self.memory.healthy.as_ref() == Some(&state.id) {
            let meaning = "it was healthy before, so Landfast does not delete it to repair it";
            return refuse(entry, stuck(state, meaning, "repair it or delete it manually"));
        }
        if self.lacks_previous_values(entry) {
            return;
        }
        let resolved = self.resolve(entry);
        self.opens(entry, &resolved);
        if self.waits_for_dependencies(entry, &resolved) || self.is_held_by_attempts(entry, &resolved.inputs().digest) {
            return;
        }
        let failed = attempts::of(self.memory.attempts.as_deref(), &resolved.inputs().digest);
        let attempt = failed.map_or(0, |attempts| attempts.count);
        entry.step = Some(if state.termination_protection {
            self.step(expect(state), StackDo::Protect { on: false })
        } else {
            let token = token(&self.spec.key, "clear", &(&state.id, attempt));
            let (kind, stack, inputs) = (OperationKind::Clear, state.id.clone(), resolved.inputs().digest.clone());
            self.step(expect(state), StackDo::Delete { kind, stack, token, inputs, retain: BTreeSet::new() })
        });
    }

    fn is_held_by_attempts(&self, entry: &mut Entry, inputs: &Digest) -> bool {
        let creates = matches!(entry.action, Action::Create | Action::Recreate);
        let most = if creates { CREATIONS_MAX } else { u32::MAX };
        let failed = attempts::of(self.memory.attempts.as_deref(), inputs);
        let failed = failed.filter(|failed| !self.planner.is_decided_anew(self.spec, failed.last));
        attempts::hold(self.planner.input, failed, most, entry)
    }

    fn steady(&self, entry: &mut Entry, stack: &ObservedStack) {
        let state = &stack.state;
        if !self.is_ours(entry, state) {
            entry.action = Action::Adopt;
            return;
        }
        if let Some(skipped) = self.skipped(state) {
            return self.bring_into_step(entry, stack, skipped);
        }
        entry.drift = drift::standing(self.spec, &self.memory.drift, &state.version(), self.planner.input.now);
        let deployed = match self.deployed(stack) {
            Ok(deployed) => deployed,
            Err(why) => return Self::unknown(entry, why),
        };
        let resolved = self.resolved();
        let found = differences(self.spec, &resolved, state, deployed, self.memory);
        let checked = self.planner.input.environment.ready.contains_key(&self.spec.key);
        // What is at rest is not decided from anything: nobody approves it.
        if !found.is_empty() || !resolved.stored.is_empty() || checked {
            Self::decided_from(entry, &resolved);
        }
        if self.lacks_stored_values(entry, &resolved) {
            return;
        }
        let settled = || {
            self.memory
                .settled
                .as_ref()
                .is_some_and(|settled| settled.version == state.version() && settled.inputs == resolved.inputs().digest)
        };
        let protection = match self.protection(stack) {
            Ok(protection) => protection,
            Err(why) => {
                Self::decided_from(entry, &resolved);
                return Self::unknown(entry, why);
            }
        };
        if found.is_empty() || settled() {
            if resolved.uncertain && !self.dependencies_ready() {
                entry.action = Action::MayUpdate;
                entry.changes = Changes::AfterApply;
                self.waits_for_dependencies(entry, &resolved);
                return;
            }
            entry.ready = true;
            if let Some((difference, action)) = protection {
                Self::decided_from(entry, &resolved);
                entry.action = Action::Update;
                entry.differences.push(difference);
                entry.step = Some(self.step(expect(state), action));
            } else if !self.revert(entry, stack, &resolved) {
                self.collect_change_sets(entry, state, None);
            }
            return;
        }
        let adopts = found.iter().any(|one| matches!(one, Difference::Owner | Difference::Renamed { .. }));
        entry.action = if adopts { Action::Adopt } else { Action::Update };
        entry.differences = found;
        self.change(entry, stack, deployed, &resolved);
        if let Some((difference, action)) = protection {
            entry.differences.push(difference);
            let prepares = entry.step.as_ref().is_some_and(|step| step.action.is_preparation());
            if !prepares && entry.action != Action::Unknown {
                // A protection comes before the update that it may concern, and also where that is refused.
                entry.step = Some(self.step(expect(state), action));
            }
        }
    }

    // ---- what all of them ask ----

    /// Ours, or to be adopted. Refuses otherwise (invariant S1).
    fn is_ours(&self, entry: &mut Entry, state: &StackState) -> bool {
        match owner(state) {
            Some(owner) if self.spec.key.is(owner) => true,
            Some(_) if self.former.is_some() => true,
            None if state.parent.is_some() => {
                // Its parent updates it, and would undo what is changed past it.
                let reason = format!("the stack {} is nested: its parent manages it", state.name);
                let release = "adopt its parent, and remove this manifest".to_owned();
                refuse(entry, Refusal { guard: Guard::Ownership, reason, release });
                false
            }
            None if self.spec.adopt => true,
            None => {
                refuse(
                    entry,
                    Refusal {
                        guard: Guard::Ownership,
                        reason: format!("the stack {} exists and was not created by Landfast", state.name),
                        release: "set `adopt: true` in its manifest to adopt it".to_owned(),
                    },
                );
                false
            }
            Some(owner) => {
                refuse(
                    entry,
                    Refusal {
                        guard: Guard::Ownership,
                        reason: format!("the stack {} belongs to {owner}", state.name),
                        release: format!("choose another `stackName`, or remove it from {owner} first"),
                    },
                );
                false
            }
        }
    }

    fn deployed<'b>(&'b self, stack: &'b ObservedStack) -> Result<&'b TemplateFacts, String> {
        if let Some((version, facts)) = &self.memory.template
            && *version == stack.state.version()
        {
            return Ok(facts);
        }
        match &stack.template {
            Some(Seen::Present(facts)) => Ok(facts),
            Some(Seen::Absent) => Err("its template no longer exists".to_owned()),
            Some(Seen::Unknown(why)) => Err(format!("its template could not be read: {why}")),
            None => {
                self.planner.need(StackNeed::Template(self.spec.address(), stack.state.id.clone()));
                Err("its template has not been read".to_owned())
            }
        }
    }
}

fn stuck(state: &StackState, meaning: &str, asks: &str) -> Refusal {
    Refusal {
        guard: Guard::Stuck,
        reason: format!("{} is {}: {meaning}", state.name, state.status),
        release: asks.to_owned(),
    }
}

/// An update of ours may be cancelled, and only while it is running forward (AWS: *`CancelUpdateStack`*). One that was
/// cancelled and runs forward all the same was not: that call was lost. A creation is ended by AWS itself, which was
/// given the timeout.
fn is_running_forward(operation: &Operation, state: &StackState) -> bool {
    matches!(operation.kind, OperationKind::Update | OperationKind::Cancel)
        && state.status == StackStatus::UpdateInProgress
}

pub(super) fn expect(state: &StackState) -> Expect {
    Expect::Stack(state.version(), state.status)
}

fn action_of(kind: OperationKind) -> Action {
    match kind {
        OperationKind::Create => Action::Create,
        OperationKind::Update | OperationKind::Cancel => Action::Update,
        OperationKind::Clear => Action::Recreate,
        OperationKind::Delete => Action::Delete,
        OperationKind::ContinueRollback | OperationKind::Resync => Action::Recover,
    }
}

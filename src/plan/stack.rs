//! What a desired stack needs.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::diff::differences;
use super::names::{change_set, owner, token};
use super::planner::{Planner, refuse};
use super::resolve::{Lookup, Resolved, resolve, spec_digest};
use super::root_cause::failure;
use super::standing::{Standing, row};
use super::{Goal, exports, guard};
use crate::model::{
    Action, Attempts, ChangeAction, ChangeSetStatus, Changes, Conclusion, Difference, Digest, Do, Entry, Expect,
    Failure, Guard, Inputs, Key, Need, ObservedStack, Operation, OperationKind, OutputRef, Refusal, Replacement,
    ResourceChange, Seen, StackMemory, StackSpec, StackState, StackStatus, Step, TemplateFacts, Waiting,
};
use crate::sabotage::{self, Bug};
use crate::template;

/// Creations of the same inputs that are tried before it is left to a person: two that may have been bad luck, and one
/// that shows that it was not.
const CREATIONS_MAX: u32 = 3;

/// Decides on one desired stack. Its dependencies have been decided before.
pub(super) fn decide(planner: &Planner<'_>, spec: &StackSpec) -> Entry {
    let address = spec.address();
    let seen = planner.input.observation.stack(&address);
    if !planner.input.observation.listings.contains_key(&address.scope) {
        planner.need(Need::Listing(address.scope.clone()));
    }
    let deciding = Deciding { planner, spec, memory: planner.memory(&spec.key) };
    let mut entry = deciding.entry(seen.present().map(|stack| stack.state.status));
    match seen {
        Seen::Unknown(why) => deciding.unknown(&mut entry, why.to_string()),
        Seen::Absent if deciding.memory.pending.is_some() => deciding.pending_absent(&mut entry),
        Seen::Present(stack) if deciding.memory.pending.is_some() => deciding.pending_present(&mut entry, stack),
        Seen::Absent => deciding.create(&mut entry),
        Seen::Present(stack) => deciding.present(&mut entry, stack),
    }
    if entry.action != Action::None {
        guard::conventions(planner.input.environment, spec, &mut entry);
        guard::mode(planner.input, &spec.key, &deciding.spec_digest(), &mut entry);
        guard::revision(planner.input, deciding.memory, &mut entry);
    }
    entry
}

struct Deciding<'a> {
    planner: &'a Planner<'a>,
    spec: &'a StackSpec,
    memory: &'a StackMemory,
}

impl Deciding<'_> {
    fn entry(&self, status: Option<StackStatus>) -> Entry {
        Entry {
            address: self.spec.address(),
            status,
            action: Action::None,
            differences: Vec::new(),
            changes: Changes::None,
            waiting: Vec::new(),
            refused: Vec::new(),
            depends_on: self.spec.depends_on.clone(),
            step: None,
            ready: false,
        }
    }

    fn spec_digest(&self) -> Digest {
        spec_digest(self.spec, &self.planner.input.memory.fingerprint_key)
    }

    fn step(&self, expect: Expect, action: Do) -> Step {
        Step {
            key: self.spec.key.clone(),
            address: self.spec.address(),
            expect,
            revision: self.planner.input.desired.revision.sequence,
            cost: (0, 0, 0),
            depends_on: self.spec.depends_on.clone(),
            action,
        }
    }

    fn unknown(&self, entry: &mut Entry, why: String) {
        entry.action = Action::Unknown;
        entry.waiting.push(Waiting::Unknown { why });
    }

    // ---- an operation of ours that has not been seen to end ----

    fn pending_absent(&self, entry: &mut Entry) {
        let Some(operation) = &self.memory.pending else { return };
        entry.action = action_of(operation.kind);
        let conclusion = match (operation.kind, &operation.stack) {
            (OperationKind::Delete | OperationKind::Clear, _) => Conclusion::Succeeded,
            // It had an id, so it was created; it is gone again because it failed with `OnFailure: DELETE`, or because
            // somebody deleted it. Its events, which outlive it, tell.
            (OperationKind::Create, Some(id)) => match self.conclusion(id.clone(), operation) {
                Some(conclusion) => conclusion,
                None => return self.unknown(entry, "the events of its last operation have not been read".to_owned()),
            },
            _ => Conclusion::NotSeen,
        };
        entry.step = Some(self.step(Expect::Absent, Do::Conclude { conclusion, version: None }));
    }

    fn pending_present(&self, entry: &mut Entry, stack: &ObservedStack) {
        let Some(operation) = &self.memory.pending else { return };
        let state = &stack.state;
        entry.action = action_of(operation.kind);
        entry.differences.push(Difference::Status { status: state.status });
        if state.status.is_in_progress() {
            entry.waiting.push(Waiting::Operation { status: state.status, ours: true, since: Some(operation.started) });
            if self.is_overdue(operation, state) {
                let token = token(&self.spec.key, "cancel", &operation.token);
                entry.step = Some(self.step(expect(state), Do::Cancel { token }));
            }
            return;
        }
        let by_status = sabotage::is(Bug::ConcludeByStatus) && row(state.status).standing == Standing::Steady;
        let conclusion =
            if by_status { Some(Conclusion::Succeeded) } else { self.conclusion(state.id.clone(), operation) };
        let Some(conclusion) = conclusion else {
            return self.unknown(entry, "the events of its last operation have not been read".to_owned());
        };
        if conclusion == Conclusion::Running {
            entry.waiting.push(Waiting::Operation { status: state.status, ours: true, since: Some(operation.started) });
            return;
        }
        entry.step = Some(self.step(Expect::Nothing, Do::Conclude { conclusion, version: Some(state.version()) }));
    }

    fn conclusion(&self, stack: crate::model::StackId, operation: &Operation) -> Option<Conclusion> {
        match self.planner.input.observation.conclusions.get(&self.spec.key) {
            Some(Seen::Present(conclusion)) => Some(conclusion.clone()),
            Some(Seen::Absent) => Some(Conclusion::NotSeen),
            Some(Seen::Unknown(_)) => None,
            None => {
                self.planner.need(Need::Conclusion(
                    self.spec.key.clone(),
                    self.spec.address(),
                    stack,
                    operation.clone(),
                ));
                None
            }
        }
    }

    /// An update of ours may be cancelled, and only while it is running forward (AWS: *`CancelUpdateStack`*). A
    /// creation is ended by AWS itself, which was given the timeout.
    fn is_overdue(&self, operation: &Operation, state: &StackState) -> bool {
        let Some(timeout) = self.spec.timeout else { return false };
        let running = self.planner.input.now.duration_since(operation.started);
        operation.kind == OperationKind::Update
            && state.status == StackStatus::UpdateInProgress
            && running > SignedDuration::try_from(timeout).unwrap_or(SignedDuration::MAX)
    }

    // ---- no operation of ours is open ----

    fn create(&self, entry: &mut Entry) {
        entry.action = Action::Create;
        entry.differences.push(Difference::Absent);
        entry.changes = Changes::Predicted(all_added(self.spec));
        if let Some(other) = self.elsewhere() {
            let reason = format!("its stack is deployed as {other}, and a second one would be created");
            let release = format!("set `stackName` and `region` back, or delete {other} first");
            return refuse(entry, Refusal { guard: Guard::Ownership, reason, release });
        }
        let resolved = self.resolve();
        if self.waits_for_dependencies(entry, &resolved) || self.is_held_by_attempts(entry, &resolved.inputs.digest) {
            return;
        }
        let attempt = self.attempts(&resolved.inputs.digest).map_or(0, |attempts| attempts.count);
        let token = token(&self.spec.key, "create", &(&resolved.inputs.digest, attempt));
        let inputs = Arc::clone(&resolved.inputs);
        entry.step = Some(self.step(
            Expect::Absent,
            Do::Create {
                inputs,
                token,
                termination_protection: self.spec.termination_protection,
                stack_policy: self.spec.stack_policy.clone(),
                on_failure: self.spec.on_failure,
                timeout: self.spec.timeout,
            },
        ));
        guard::template_size(self.spec, &resolved.inputs, entry);
    }

    /// A stack that carries this object's tag under another name or in another region: the manifest was renamed.
    fn elsewhere(&self) -> Option<&crate::model::StackAddress> {
        let key = self.spec.key.to_string();
        let stacks = &self.planner.input.observation.stacks;
        let ours = |stack: &ObservedStack| {
            owner(&stack.state) == Some(key.as_str()) && row(stack.state.status).standing != Standing::Gone
        };
        stacks.iter().find(|(_, stack)| ours(stack)).map(|(address, _)| address)
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
                self.continue_rollback(entry, state);
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
            let meaning = "it has been healthy before, so it is not deleted to repair it";
            return refuse(entry, stuck(state, meaning, "repair it, or delete it by hand"));
        }
        let resolved = self.resolve();
        if self.waits_for_dependencies(entry, &resolved) || self.is_held_by_attempts(entry, &resolved.inputs.digest) {
            return;
        }
        let attempt = self.attempts(&resolved.inputs.digest).map_or(0, |attempts| attempts.count);
        entry.step = Some(if state.termination_protection {
            self.step(expect(state), Do::Protect { on: false })
        } else {
            let token = token(&self.spec.key, "clear", &(&state.id, attempt));
            let (kind, stack, inputs) = (OperationKind::Clear, state.id.clone(), resolved.inputs.digest.clone());
            self.step(expect(state), Do::Delete { kind, stack, token, inputs })
        });
    }

    fn continue_rollback(&self, entry: &mut Entry, state: &StackState) {
        if !self.is_ours(entry, state) {
            return;
        }
        if self.memory.continued.as_ref().is_some_and(|version| version.id == state.id) {
            let row = row(state.status);
            return refuse(entry, stuck(state, "continuing its rollback did not help", row.asks));
        }
        let token = token(&self.spec.key, "continue", &state.version());
        entry.step = Some(self.step(expect(state), Do::ContinueRollback { token }));
    }

    fn steady(&self, entry: &mut Entry, stack: &ObservedStack) {
        let state = &stack.state;
        if !self.is_ours(entry, state) {
            entry.action = Action::Adopt;
            return;
        }
        let deployed = match self.deployed(stack) {
            Ok(deployed) => deployed,
            Err(why) => return self.unknown(entry, why),
        };
        let resolved = self.resolve();
        let found = differences(self.spec, &resolved, state, deployed, self.memory);
        let settled = self
            .memory
            .settled
            .as_ref()
            .is_some_and(|settled| settled.version == state.version() && settled.inputs == resolved.inputs.digest);
        if found.is_empty() || settled {
            if resolved.uncertain && !self.dependencies_ready() {
                entry.action = Action::MayUpdate;
                entry.changes = Changes::AfterApply;
                self.waits_for_dependencies(entry, &resolved);
            } else {
                self.at_rest(entry, stack);
            }
            return;
        }
        let adopts = found.contains(&Difference::Owner);
        entry.action = if adopts { Action::Adopt } else { Action::Update };
        entry.differences = found;
        entry.changes = Changes::Predicted(predicted(deployed, self.spec));
        if self.waits_for_dependencies(entry, &resolved) {
            if !resolved.pending.is_empty() || resolved.uncertain {
                entry.changes = Changes::AfterApply;
            }
            return;
        }
        if exports::in_use(self.planner, self.spec, stack, deployed, entry) {
            return;
        }
        if !self.is_held_by_attempts(entry, &resolved.inputs.digest) {
            self.update(entry, stack, &resolved.inputs);
        }
    }

    /// Nothing in it differs. What is left are the protections, which are settings of the stack and not part of an
    /// update, and the change sets that we have left behind.
    fn at_rest(&self, entry: &mut Entry, stack: &ObservedStack) {
        let state = &stack.state;
        entry.ready = true;
        if state.termination_protection != self.spec.termination_protection {
            let on = self.spec.termination_protection;
            entry.action = Action::Update;
            entry.differences.push(Difference::TerminationProtection { to: on });
            entry.step = Some(self.step(expect(state), Do::Protect { on }));
            return;
        }
        if let Some(body) = &self.spec.stack_policy {
            let known = self.memory.stack_policy.as_ref().filter(|(version, _)| *version == state.version());
            let deployed = match (known, &stack.stack_policy) {
                (Some((_, digest)), _) => digest.clone(),
                (None, Some(Seen::Present(digest))) => Some(digest.clone()),
                (None, Some(Seen::Absent)) => None,
                (None, Some(Seen::Unknown(why))) => {
                    entry.ready = false;
                    return self.unknown(entry, format!("its stack policy could not be read: {why}"));
                }
                (None, None) => {
                    self.planner.need(Need::StackPolicy(self.spec.address(), state.id.clone()));
                    return;
                }
            };
            if deployed.as_ref() != Some(&template::json_digest(body)) {
                entry.action = Action::Update;
                entry.differences.push(Difference::StackPolicy);
                entry.step = Some(self.step(expect(state), Do::SetPolicy { body: Arc::clone(body) }));
                return;
            }
        }
        self.collect_change_sets(entry, state);
    }

    fn collect_change_sets(&self, entry: &mut Entry, state: &StackState) {
        if !self.memory.change_sets.is_empty() {
            let names = self.memory.change_sets.clone();
            entry.step = Some(self.step(expect(state), Do::Discard { names }));
        }
    }

    /// The way to an update: change set made, read, judged, executed.
    fn update(&self, entry: &mut Entry, stack: &ObservedStack, inputs: &Arc<Inputs>) {
        let state = &stack.state;
        let version = state.version();
        guard::template_size(self.spec, inputs, entry);
        let Some(name) = change_set(&inputs.digest, &version) else { return };
        if !entry.refused.is_empty() || guard::is_observed_only(self.planner.input.environment) {
            return;
        }
        let Some(sets) = &stack.change_sets else {
            self.planner.need(Need::ChangeSets(self.spec.address(), state.id.clone(), Some(name)));
            return self.unknown(entry, "its change sets have not been listed".to_owned());
        };
        let stale: BTreeSet<_> = match &sets.all {
            Seen::Unknown(why) => return self.unknown(entry, format!("its change sets could not be listed: {why}")),
            Seen::Absent => BTreeSet::new(),
            Seen::Present(all) => all
                .iter()
                .map(|set| set.name.clone())
                .filter(|other| other.as_str().starts_with(super::change_set_prefix()) && *other != name)
                .collect(),
        };
        if !stale.is_empty() {
            entry.step = Some(self.step(expect(state), Do::Discard { names: stale }));
            return;
        }
        match &sets.described {
            None | Some(Seen::Absent) => {
                let inputs = Arc::clone(inputs);
                entry.step = Some(self.step(expect(state), Do::Prepare { inputs, name }));
            }
            Some(Seen::Unknown(why)) => self.unknown(entry, format!("its change set could not be read: {why}")),
            Some(Seen::Present(set)) => match &set.status {
                ChangeSetStatus::Creating => entry.waiting.push(Waiting::ChangeSet { name: name.to_string() }),
                ChangeSetStatus::Spent => {
                    entry.step = Some(self.step(expect(state), Do::Discard { names: [name].into() }));
                }
                ChangeSetStatus::Empty => self.settle(entry, stack, inputs),
                ChangeSetStatus::Failed(reason) => {
                    let failure = failure(state.name.as_str(), "AWS::CloudFormation::Stack", reason);
                    let inputs = inputs.digest.clone();
                    entry.step = Some(self.step(Expect::Nothing, Do::Reject { inputs, failure }));
                }
                ChangeSetStatus::Available => {
                    entry.changes = Changes::Known(set.changes.clone());
                    let token = token(&self.spec.key, "execute", &set.id);
                    let mut step = self.step(
                        expect(state),
                        Do::Execute {
                            change_set: set.id.clone(),
                            token,
                            inputs: inputs.digest.clone(),
                            no_echo: inputs.no_echo.clone(),
                        },
                    );
                    let destroyed = set.changes.iter().filter(|change| change.is_destructive()).count();
                    step.cost = (1, u32::try_from(destroyed).unwrap_or(u32::MAX), 0);
                    entry.step = Some(step);
                    guard::replacements(self.planner, self.spec, stack, &self.spec_digest(), entry);
                }
            },
        }
    }

    /// AWS says that the inputs change nothing: the stack is as desired, whatever the texts look like.
    fn settle(&self, entry: &mut Entry, stack: &ObservedStack, inputs: &Arc<Inputs>) {
        entry.action = Action::None;
        entry.changes = Changes::None;
        entry.differences.clear();
        entry.ready = true;
        let version = stack.state.version();
        let (inputs, no_echo) = (inputs.digest.clone(), inputs.no_echo.clone());
        entry.step = Some(self.step(Expect::Nothing, Do::Settle { version, inputs, no_echo }));
    }

    // ---- what all of them ask ----

    /// Ours, or to be adopted. Refuses otherwise (invariant S1).
    fn is_ours(&self, entry: &mut Entry, state: &StackState) -> bool {
        let key = self.spec.key.to_string();
        match owner(state) {
            Some(owner) if owner == key => true,
            None if self.spec.adopt => true,
            None => {
                refuse(
                    entry,
                    Refusal {
                        guard: Guard::Ownership,
                        reason: format!("the stack {} exists and was not made by Landfast", state.name),
                        release: "set `adopt: true` in its manifest to take it over".to_owned(),
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
            Some(Seen::Absent) => Err("its template is gone".to_owned()),
            Some(Seen::Unknown(why)) => Err(format!("its template could not be read: {why}")),
            None => {
                self.planner.need(Need::Template(self.spec.address(), stack.state.id.clone()));
                Err("its template has not been read".to_owned())
            }
        }
    }

    fn resolve(&self) -> Resolved {
        let input = self.planner.input;
        resolve(input.environment, self.spec, &input.memory.fingerprint_key, &|reference| self.lookup(reference))
    }

    /// An output of another stack, and how far it can be relied on.
    fn lookup(&self, reference: &OutputRef) -> Lookup {
        let input = self.planner.input;
        let home = input.desired.environments.get(&reference.stack.environment);
        let Some(spec) = home.and_then(|home| home.stacks.get(&reference.stack)) else { return Lookup::Pending };
        let address = spec.address();
        if !input.observation.listings.contains_key(&address.scope) {
            self.planner.need(Need::Listing(address.scope.clone()));
        }
        let Seen::Present(stack) = input.observation.stack(&address) else { return Lookup::Pending };
        if row(stack.state.status).standing != Standing::Steady {
            return Lookup::Pending;
        }
        let Some(output) = stack.state.outputs.get(&reference.output) else { return Lookup::Pending };
        match self.planner.entries.get(&reference.stack) {
            Some(entry) if outputs_may_change(entry) => Lookup::MayChange(output.value.clone()),
            _ => Lookup::Known(output.value.clone()),
        }
    }

    fn dependencies_ready(&self) -> bool {
        self.unready().is_empty()
    }

    fn unready(&self) -> BTreeSet<Key> {
        self.spec.depends_on.iter().filter(|key| !self.is_ready(key)).cloned().collect()
    }

    fn is_ready(&self, key: &Key) -> bool {
        if let Some(entry) = self.planner.entries.get(key) {
            // It may be waiting for *us* to stop importing an export of its: then it is as ready as it will get.
            let waits_for_us = entry.waiting.iter().any(|waiting| {
                matches!(waiting, Waiting::Dependency { objects } if objects.contains(&self.spec.key.to_string()))
            });
            return entry.ready || waits_for_us;
        }
        // In another environment: at rest is all that can be asked of it here.
        let home = self.planner.input.desired.environments.get(&key.environment);
        home.and_then(|home| home.stacks.get(key)).is_some_and(|spec| {
            let seen = self.planner.input.observation.stack(&spec.address());
            seen.present().is_some_and(|stack| row(stack.state.status).standing == Standing::Steady)
        })
    }

    fn waits_for_dependencies(&self, entry: &mut Entry, resolved: &Resolved) -> bool {
        let unready = self.unready();
        if unready.is_empty() && resolved.pending.is_empty() {
            return false;
        }
        let objects = if unready.is_empty() { &self.spec.depends_on } else { &unready };
        entry.waiting.push(Waiting::Dependency { objects: objects.iter().map(ToString::to_string).collect() });
        true
    }

    fn attempts(&self, inputs: &Digest) -> Option<&Attempts> {
        self.memory.attempts.as_ref().filter(|attempts| attempts.inputs == *inputs)
    }

    /// What failed is tried again later, if that can help, and otherwise when the manifest changes (invariant L7).
    fn is_held_by_attempts(&self, entry: &mut Entry, inputs: &Digest) -> bool {
        let Some(attempts) = self.attempts(inputs) else { return false };
        let creates = matches!(entry.action, Action::Create | Action::Recreate);
        if (!attempts.failure.transient && !sabotage::is(Bug::RetryTerminal))
            || (creates && attempts.count >= CREATIONS_MAX)
        {
            let Failure { resource, reason, .. } = &attempts.failure;
            refuse(
                entry,
                Refusal {
                    guard: Guard::Stalled,
                    reason: format!("failed {}: {resource}: {reason}", times(attempts.count)),
                    release: "fix the cause and commit: it is tried again when its inputs change".to_owned(),
                },
            );
            return true;
        }
        let until = attempts.last.saturating_add(backoff(attempts.count)).unwrap_or(Timestamp::MAX);
        if self.planner.input.now < until && self.planner.input.goal == Goal::Converge {
            let (attempt, failure) = (attempts.count, attempts.failure.clone());
            entry.waiting.push(Waiting::Backoff { until, attempt, failure });
            return true;
        }
        false
    }
}

/// 30 s, 2 min, 8 min, 32 min, then every hour.
fn backoff(count: u32) -> SignedDuration {
    let seconds = 30_i64.saturating_mul(4_i64.saturating_pow(count.saturating_sub(1)));
    SignedDuration::from_secs(seconds.min(3_600))
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

fn stuck(state: &StackState, meaning: &str, asks: &str) -> Refusal {
    Refusal {
        guard: Guard::Stuck,
        reason: format!("{} is {}: {meaning}", state.name, state.status),
        release: asks.to_owned(),
    }
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
        OperationKind::ContinueRollback => Action::Recover,
    }
}

/// Whether the outputs of a stack with this entry may be others afterwards.
fn outputs_may_change(entry: &Entry) -> bool {
    match entry.action {
        Action::None | Action::Retain => false,
        Action::Update | Action::Adopt => match &entry.changes {
            Changes::None => false,
            Changes::Known(changes) => {
                entry.differences.contains(&Difference::Template)
                    || changes.iter().any(|change| change.action != ChangeAction::Modify || change.is_destructive())
            }
            Changes::Predicted(_) | Changes::AfterApply => true,
        },
        _ => true,
    }
}

fn all_added(spec: &StackSpec) -> Vec<ResourceChange> {
    let added = |(id, resource): (&String, &crate::model::TemplateResource)| ResourceChange {
        resource: id.clone(),
        kind: resource.kind.clone(),
        physical_id: None,
        action: ChangeAction::Add,
        replacement: Replacement::Never,
        properties: BTreeSet::new(),
        retained: false,
    };
    spec.template.resources.iter().map(added).collect()
}

fn predicted(deployed: &TemplateFacts, spec: &StackSpec) -> Vec<ResourceChange> {
    template::predict(deployed, &spec.template.facts)
}

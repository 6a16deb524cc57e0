//! One look: observe, ask for what is missing, plan, check the plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tracing::error;

use super::{Controller, freshness};
use crate::model::{
    Action, Address, CheckStanding, CheckedSettings, Desired, Environment, Key, Memory, ObjectMemory, Observation,
    Plan, ReadinessMemory, Scope, SecretMemory, SecretSpec, Seen, ServiceMemory, StackId, StackMemory,
    TaskDefinitionState,
};
use crate::observe::Observer;
use crate::plan::{self, Goal, Input};
use crate::store::StoreError;

/// Rounds of questions before the planner has to decide with what it knows. The longest chain is five: another
/// environment's listing, template, change sets, importers, backups.
const ROUNDS_MAX: usize = 8;

/// After so long the event history of an account names whoever has done something (AWS: *CloudTrail event history*: "within
/// an average of about 5 minutes").
const TRAIL_WITHIN: SignedDuration = SignedDuration::from_mins(30);

/// What was seen, and what follows.
#[derive(Clone, Debug)]
pub struct Looked {
    /// What was seen.
    pub observation: Observation,
    /// What was remembered.
    pub memory: Memory,
    /// What follows.
    pub plan: Plan,
}

impl Controller {
    /// Looks at an environment and plans it. What is still good of an earlier look is not read again.
    pub(super) async fn look(
        &self,
        desired: &Desired,
        environment: &Environment,
        goal: Goal,
        busy: &BTreeSet<Key>,
        good: Observation,
    ) -> Result<Looked, StoreError> {
        self.governor.hush().learn(environment, desired.revision.sequence);
        let observer =
            Observer::new(&self.cx, &self.governor, &self.ledger, desired, environment).probing(&*self.probes);
        let mut observation = observer.look(good).await;
        let mut memory = self.store.memory(&environment.name)?;
        self.make_room(environment, &memory, &mut observation);
        recall(environment, &memory, &mut observation);
        self.texts.recall(&mut observation);
        let (mut complete, mut asked_again) = (None, false);
        for _ in 0..ROUNDS_MAX {
            let now = self.cx.now();
            let input = Input { desired, environment, observation: &observation, memory: &memory, now, goal, busy };
            let needs = match plan::complete(&input) {
                Err(needs) => needs,
                Ok(plan) if asked_again || freshness::is_up_to_date(&mut observation, &plan, now) => {
                    complete = Some((plan, now));
                    break;
                }
                // Once more: an answer that takes so long is never younger.
                Ok(_) => {
                    asked_again = true;
                    continue;
                }
            };
            observer.answer(&mut observation, needs, &memory.fingerprint_key).await;
            self.remember(environment, &mut observation);
            self.remember_secrets(environment, &observation);
            memory = self.store.memory(&environment.name)?;
        }
        self.texts.keep(&observation);
        let now = complete.as_ref().map_or_else(|| self.cx.now(), |(_, now)| *now);
        let input = Input { desired, environment, observation: &observation, memory: &memory, now, goal, busy };
        let mut plan = complete.map_or_else(|| plan::plan(&input), |(plan, _)| plan);
        for fault in plan::lint(&plan, &input) {
            error!(object = %fault.key, rule = fault.rule, "the plan violates an invariant; the step is not executed");
            if let Some(entry) = plan.entries.get_mut(&fault.key) {
                entry.step = None;
            }
        }
        self.remember_definitions(environment, &memory, &observation, &plan);
        if goal == Goal::Converge {
            self.remember_healthy(&input);
            self.remember_checks(environment, &memory, &plan);
            self.remember_synced(&input, &plan);
            self.remember_differences(&input, &plan);
        }
        Ok(Looked { observation, memory, plan })
    }

    /// How many operations may run at once where the environment has stacks.
    fn make_room(&self, environment: &Environment, memory: &Memory, observation: &mut Observation) {
        let mut running: BTreeMap<Scope, usize> = BTreeMap::new();
        for key in memory.objects.pending_stacks() {
            let scope = environment.stacks.get(key).map_or(&environment.scope, |spec| &spec.scope);
            *running.entry(scope.clone()).or_default() += 1;
        }
        self.governor.has_running(&environment.name, running);
        let room = |scope: &Scope| (scope.clone(), self.governor.room(&environment.name, scope));
        observation.room = observation.listings.keys().map(room).collect();
    }

    /// Keeps the task definitions that services run.
    fn remember_definitions(&self, environment: &Environment, memory: &Memory, observation: &Observation, plan: &Plan) {
        let seen = &observation.services;
        let running = seen.services.iter().filter_map(|((scope, service), state)| {
            let running = state.present()?.task_definition.clone()?;
            let definition = seen.task_definitions.get(&(scope.clone(), running))?.present()?;
            Some((Address { scope: scope.clone(), name: service.to_string().into() }, definition))
        });
        let running: BTreeMap<Address, &TaskDefinitionState> = running.collect();
        for key in environment.services.keys() {
            let Some(definition) = plan.entries.get(key).and_then(|entry| running.get(&entry.address)) else {
                continue;
            };
            let known = memory.objects.services.get(key).and_then(|memory| memory.definition.as_ref());
            if known.is_none_or(|known| known.arn != definition.arn) {
                let definition = Some((*definition).clone());
                self.store.cache(key, |memory: &mut ServiceMemory| memory.definition = definition);
            }
        }
    }

    /// Keeps since when checks hold or fail, also over a restart: how long one may fail counts from when its object was
    /// first as desired. An object that is not so itself begins anew.
    fn remember_checks(&self, environment: &Environment, memory: &Memory, plan: &Plan) {
        let rotates = |spec: &SecretSpec| spec.rotation.as_ref().is_some_and(|rotation| rotation.check.is_some());
        let rotating = environment.secrets.iter().filter(|(_, spec)| rotates(spec)).map(|(key, _)| key);
        let checked: BTreeSet<&Key> = environment.ready.keys().chain(rotating).collect();
        for key in checked {
            let Some(entry) = plan.entries.get(key) else { continue };
            let before = memory.objects.of(key).map(|memory| memory.ready.clone()).unwrap_or_default();
            let seen = |check: &CheckStanding| {
                // What could not be asked stands as it stood.
                let since = check.since.or_else(|| before.checks.get(&check.check).copied())?;
                Some((check.check.clone(), since))
            };
            let after = ReadinessMemory { checks: entry.checks.iter().filter_map(seen).collect() };
            if after == before || entry.action == Action::Unknown {
                continue;
            }
            self.store.cache(key, |memory: &mut ObjectMemory| memory.ready = after);
        }
    }

    /// Keeps for which manifest objects were as desired: what differs under the same one was not asked for.
    fn remember_synced(&self, input: &Input<'_>, plan: &Plan) {
        for (key, entry) in plan.entries.iter().filter(|(_, entry)| entry.action == Action::None) {
            let digest = entry.basis.manifest.clone();
            if input.memory.objects.of(key).and_then(|memory| memory.synced.as_ref()) == Some(&digest) {
                continue;
            }
            self.store.cache(key, |memory: &mut ObjectMemory| memory.synced = Some(digest));
        }
    }

    /// Keeps since when what somebody has changed of objects is there.
    fn remember_differences(&self, input: &Input<'_>, plan: &Plan) {
        let mut found: BTreeMap<Key, BTreeMap<String, Timestamp>> = BTreeMap::new();
        for compared in plan::drift_beside(plan, input) {
            let since = compared.findings.into_iter().filter_map(|finding| Some((finding.property?, finding.since)));
            found.insert(compared.object, since.collect());
        }
        for (key, entry) in plan.entries.iter().filter(|(_, entry)| entry.action != Action::Unknown) {
            let since = found.remove(key).unwrap_or_default();
            let before = input.memory.objects.of(key);
            if before.map_or(since.is_empty(), |before| before.differs == since) {
                continue;
            }
            let news = since.keys().any(|what| before.is_none_or(|before| !before.differs.contains_key(what)));
            let record = input.memory.objects.records.get(key).and_then(|memory| memory.place.as_ref());
            let told = || match record {
                Some(place) => self.signals.culprit_of_record(place, self.cx.now()),
                None => self.signals.culprit(key.kind, &entry.address, self.cx.now()),
            };
            let known = before.and_then(|before| before.by.clone());
            let by = if news { told().map(Box::new).or(known) } else { known }.filter(|_| !since.is_empty());
            self.store.cache(key, |memory: &mut ObjectMemory| {
                memory.differs = since;
                memory.by = by;
            });
        }
    }

    /// Keeps the replicas of secrets, which a listing does not say, so that it is not read again while nothing changes.
    fn remember_secrets(&self, environment: &Environment, observation: &Observation) {
        let seen = &observation.secrets;
        let at = self.cx.now();
        for (key, spec) in &environment.secrets {
            let address = spec.address();
            let Some(Seen::Present(state)) = seen.described.get(&address) else { continue };
            let Some(replicas) = state.replicas.clone().filter(|_| spec.replicas.is_some()) else { continue };
            self.store.cache(key, |memory: &mut SecretMemory| {
                let known = memory.checked.take().filter(|known| known.changed == state.changed);
                // Looked at again within the hour it says the same: not worth a write.
                let same = known.filter(|known| known.replicas.as_ref() == Some(&replicas)).map(|known| known.at);
                let fresh = same.filter(|since| at.duration_since(*since) < jiff::SignedDuration::from_mins(30));
                let (changed, at) = (state.changed, fresh.unwrap_or(at));
                memory.checked = Some(CheckedSettings { changed, at, replicas: Some(replicas) });
            });
        }
    }

    /// Keeps which stacks were healthy, whoever made them so: of those that are gone later, only that says that they were
    /// there. And what was read of one that is gone, once it is all that will be told.
    fn remember_healthy(&self, input: &Input<'_>) {
        for (key, spec) in &input.environment.stacks {
            let known = input.memory.objects.stacks.get(key);
            if let Seen::Present(stack) = input.observation.stack(&spec.address()) {
                let state = &stack.state;
                let ours = plan::owner(state).is_some_and(|owner| key.is(owner));
                let steady = plan::row(state.status).standing == plan::Standing::Steady;
                let same = known.is_some_and(|known| known.healthy.as_ref() == Some(&state.id) && known.gone.is_none());
                let left = |id: &StackId| !left_behind(input.observation, id);
                if let Some(known) = known.filter(|known| known.left.iter().any(left)) {
                    let gone: Vec<StackId> = known.left.iter().filter(|id| left(id)).cloned().collect();
                    self.store.cache(key, |memory: &mut StackMemory| memory.left.retain(|id| !gone.contains(id)));
                }
                if ours && steady && !same {
                    self.store.cache(key, |memory: &mut StackMemory| {
                        memory.healthy = Some(state.id.clone());
                        memory.gone = None;
                    });
                }
            } else if let Some(id) = known.and_then(|known| known.healthy.as_ref())
                && let Some(Seen::Present(gone)) = input.observation.gone.get(id)
                && (gone.by.is_some() || gone.at.is_some_and(|at| input.now.duration_since(at) > TRAIL_WITHIN))
            {
                self.store.cache(key, |memory: &mut StackMemory| memory.gone = Some(Box::new(gone.clone())));
            }
        }
    }

    /// Keeps what was read of stacks that have not moved since, so that it is not read again. What is remembered of
    /// this version of a stack goes before what is observed, so that templates are moved, not copied: there are
    /// thousands.
    fn remember(&self, environment: &Environment, observation: &mut Observation) {
        let by_address = environment.stacks.values().map(|spec| (spec.address(), &spec.key));
        let by_address: BTreeMap<_, _> = by_address.collect();
        for (address, stack) in &mut observation.stacks {
            if stack.template.is_none()
                && stack.stack_policy.is_none()
                && stack.events.is_empty()
                && stack.contents.is_empty()
            {
                continue;
            }
            let owned = || plan::owner(&stack.state).and_then(|owner| owner.parse::<Key>().ok());
            let Some(key) = by_address.get(address).map(|key| (*key).clone()).or_else(owned) else { continue };
            let version = stack.state.version();
            let read = stack.template.take_if(|template| template.present().is_some());
            let events = stack.events.get(&stack.state.id).and_then(Seen::present).cloned();
            let watched = events.filter(|_| stack.state.status.is_in_progress());
            let watched = watched.and_then(|events| plan::watch(stack, &events, self.cx.now()));
            self.store.cache(&key, |memory: &mut StackMemory| {
                if watched.is_some() {
                    memory.watched = watched.map(Box::new);
                }
                if let Some(Seen::Present(facts)) = read {
                    memory.template = Some((version.clone(), facts));
                }
                if let Some(Seen::Present(contents)) = stack.contents.get(&stack.state.id) {
                    memory.contents = Some((version.clone(), Arc::clone(contents)));
                }
                match &stack.stack_policy {
                    Some(Seen::Present(digest)) => memory.stack_policy = Some((version.clone(), Some(digest.clone()))),
                    Some(Seen::Absent) => memory.stack_policy = Some((version.clone(), None)),
                    Some(Seen::Unknown(_)) | None => {}
                }
            });
        }
    }
}

/// Whether a stack that a change of region has left where it was may still be there.
fn left_behind(observation: &Observation, id: &StackId) -> bool {
    let Some(address) = id.address() else { return false };
    match observation.stack(&address) {
        Seen::Present(stack) => stack.state.id == *id,
        Seen::Absent => false,
        Seen::Unknown(_) => true,
    }
}

/// Task definitions never change: those that are remembered count as seen.
fn recall(environment: &Environment, memory: &Memory, observation: &mut Observation) {
    for (key, spec) in &environment.services {
        let known = memory.objects.services.get(key).and_then(|memory| memory.definition.clone());
        if let Some(known) = known {
            let place = (spec.scope.clone(), known.arn.clone());
            observation.services.task_definitions.entry(place).or_insert(Seen::Present(known));
        }
    }
}

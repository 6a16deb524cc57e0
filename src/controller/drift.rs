//! A look at what AWS runs instead of at what was deployed: every resource, compared with its template.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tracing::{info, warn};

use super::{Controller, Looked};
use crate::model::{
    By, Compared, Desired, DriftMemory, DriftSeen, Environment, Key, Seen, StackAddress, StackId, StackMemory,
    StackSpec, StackVersion, Unknown,
};
use crate::observe::Observer;
use crate::plan::{self, Due, Goal, Input, drift_looked, judge_drift};
use crate::ports::Priority;
use crate::store::StoreError;

/// What was found inside stacks and of objects themselves, by object.
fn joined(mut inside: Vec<(Compared, DriftMemory)>, beside: Vec<Compared>) -> Vec<(Compared, DriftMemory)> {
    for more in beside {
        match inside.iter_mut().find(|(compared, _)| compared.object == more.object) {
            Some((compared, _)) => compared.findings.splice(0..0, more.findings).for_each(drop),
            None => inside.push((more, DriftMemory::default())),
        }
    }
    inside
}

fn with_advice(environment: &Environment, mut found: Vec<(Compared, DriftMemory)>) -> Vec<(Compared, DriftMemory)> {
    for (compared, _) in &mut found {
        let Some(spec) = environment.stacks.get(&compared.object) else { continue };
        for finding in &mut compared.findings {
            finding.patch = plan::drift_adopted(spec, finding);
            finding.parameter = plan::drift_from_parameter(spec, finding);
            finding.by_hand = plan::drift_by_hand(spec, finding);
        }
    }
    found
}

/// Resources of a stack of which it is asked who changed them: the worst come first, and the trail is slow.
const ASKED_MAX: usize = 10;

impl Controller {
    /// How far those objects of an environment have drifted that are meant, and had before. Takes minutes: CloudFormation
    /// reads every resource.
    pub async fn drift(
        &self,
        desired: &Desired,
        environment: &Environment,
        meant: impl Fn(&Key) -> bool,
    ) -> Result<Vec<(Compared, DriftMemory)>, StoreError> {
        let looked = self.glance(desired, environment).await?;
        let begun = self.cx.now();
        let observer = Observer::new(&self.cx, &self.governor, &self.ledger, desired, environment);
        let stacks = environment.stacks.values().filter(|spec| meant(&spec.key));
        let seen = stacks.map(|spec| (spec, looked.observation.stack(&spec.address())));
        let stacks = seen.clone().filter_map(|(spec, seen)| {
            let Seen::Present(stack) = seen else { return None };
            Some((spec.address(), stack.state.id.clone()))
        });
        let mut found = observer.drift(stacks.collect::<BTreeMap<_, _>>()).await;
        let mut compared = Vec::new();
        for (spec, seen) in seen {
            let drift = match (seen.clone(), found.remove(&spec.address())) {
                (_, Some(drift)) => drift,
                (Seen::Unknown(why), None) => Err(why),
                // It is for the plan to say that it is to be created.
                (Seen::Absent | Seen::Present(_), None) => Err(Unknown::because("it is not deployed")),
            };
            let version = seen.present().map(|stack| stack.state.version());
            compared.push(self.recorded(&observer, environment, spec, &drift, version.as_ref(), begun).await?);
        }
        self.store.flush()?;
        let mut found = self.with_beside(desired, environment, &looked, compared);
        found.retain(|(compared, _)| meant(&compared.object));
        Ok(found)
    }

    /// How far an environment has drifted: inside stacks as of when each was last looked at, which takes no time, and what
    /// objects themselves are as of now.
    pub(super) async fn known_drift(
        &self,
        desired: &Desired,
        environment: &Environment,
    ) -> Result<Vec<(Compared, DriftMemory)>, StoreError> {
        let looked = self.glance(desired, environment).await?;
        let now = self.cx.now();
        let inside = environment.stacks.iter().map(|(key, spec)| {
            let drift = looked.memory.objects.stacks.get(key).map(|memory| memory.drift.clone()).unwrap_or_default();
            (plan::drift_remembered(spec, &drift, now), drift)
        });
        Ok(self.with_beside(desired, environment, &looked, inside.collect()))
    }

    /// With what is deployed beside stacks, and what can be done about each finding.
    fn with_beside(
        &self,
        desired: &Desired,
        environment: &Environment,
        looked: &Looked,
        inside: Vec<(Compared, DriftMemory)>,
    ) -> Vec<(Compared, DriftMemory)> {
        let busy = BTreeSet::new();
        let input = Input {
            desired,
            environment,
            observation: &looked.observation,
            memory: &looked.memory,
            now: self.cx.now(),
            goal: Goal::Converge,
            busy: &busy,
        };
        with_advice(environment, joined(inside, plan::drift_beside(&looked.plan, &input)))
    }

    /// Looks at one stack whose turn it is.
    pub(super) async fn patrol(
        &self,
        desired: &Desired,
        environment: &Environment,
        due: &Due,
    ) -> Result<(), StoreError> {
        let Some(spec) = environment.stacks.get(&due.key) else { return Ok(()) };
        let begun = self.cx.now();
        let observer = Observer::new(&self.cx, &self.governor, &self.ledger, desired, environment);
        let stacks: BTreeMap<StackAddress, StackId> = [(due.address.clone(), due.id.clone())].into();
        let seen = observer.drift(stacks).await.remove(&due.address);
        let mut seen = seen.unwrap_or_else(|| Err(Unknown::because("it was not checked")));
        if seen.is_ok() && !self.still(environment, due).await {
            seen = Err(Unknown::because("an operation on it started during the check"));
        }
        let (found, _) = self.recorded(&observer, environment, spec, &seen, Some(&due.version), begun).await?;
        self.store.flush()?;
        let drift = found.findings.iter().filter(|finding| finding.is_drift()).count();
        match seen {
            Ok(_) if drift == 0 => info!(object = %due.key, compared = found.compared, "no drift"),
            Ok(_) => warn!(object = %due.key, compared = found.compared, differences = drift, "drift"),
            Err(why) => warn!(object = %due.key, %why, "drift could not be checked"),
        }
        Ok(())
    }

    /// The stack is as it was when the look at it began: what was read of it belongs together.
    async fn still(&self, environment: &Environment, due: &Due) -> bool {
        let role = environment.role.as_ref().filter(|_| due.address.scope.account == environment.scope.account);
        let port = self.governor.stacks(&due.address.scope, role, Priority::Drift);
        let state = port.describe(&due.address.name).await;
        matches!(state, Ok(Some(state)) if state.version() == due.version && !state.status.is_in_progress())
    }

    /// Judges what was seen of a stack, asks who it was, and remembers it.
    async fn recorded(
        &self,
        observer: &Observer<'_>,
        environment: &Environment,
        spec: &StackSpec,
        seen: &DriftSeen,
        version: Option<&StackVersion>,
        begun: Timestamp,
    ) -> Result<(Compared, DriftMemory), StoreError> {
        let judged = self.judged(observer, environment, spec, seen).await?;
        // What was remembered while it was asked is not forgotten.
        let (memory, now) = (self.drift_memory(environment, &spec.key)?, self.cx.now());
        let Some(version) = version else { return Ok((judged, memory)) };
        let (after, judged) = drift_looked(&memory, seen, judged, version, (begun, now));
        self.store.cache(&spec.key, |memory: &mut StackMemory| memory.drift.clone_from(&after));
        Ok((judged, after))
    }

    /// What was seen of a stack, judged, and who has made the differences.
    pub(super) async fn judged(
        &self,
        observer: &Observer<'_>,
        environment: &Environment,
        spec: &StackSpec,
        seen: &DriftSeen,
    ) -> Result<Compared, StoreError> {
        let before = self.drift_memory(environment, &spec.key)?;
        let key = self.store.fingerprint_key();
        let mut judged = judge_drift(environment, spec, seen, &before, &key, self.cx.now());
        self.who(observer, spec, &before, &mut judged).await;
        Ok(judged)
    }

    pub(super) fn drift_memory(&self, environment: &Environment, key: &Key) -> Result<DriftMemory, StoreError> {
        let memory = self.store.memory(&environment.name)?;
        Ok(memory.objects.stacks.get(key).map(|memory| memory.drift.clone()).unwrap_or_default())
    }

    /// Who has made the differences: one question for each resource, the worst first.
    async fn who(&self, observer: &Observer<'_>, spec: &StackSpec, memory: &DriftMemory, judged: &mut Compared) {
        let mut known: BTreeMap<String, By> = BTreeMap::new();
        for finding in &mut judged.findings {
            if !finding.is_drift() || matches!(finding.by, By::Somebody(_)) {
                continue;
            }
            let (Some(kind), Some(id)) = (&finding.kind, &finding.physical_id) else { continue };
            if let Some(by) = known.get(id) {
                finding.by = by.clone();
            } else if known.len() < ASKED_MAX {
                // Since it was last seen as it should be: the look before the first that has found it.
                let looks = memory.history.iter().map(|(at, _)| *at).filter(|at| *at < finding.since);
                let since = looks.max().unwrap_or(Timestamp::UNIX_EPOCH);
                // What events have told is there at once; the trail has it minutes later.
                let told = self.signals.deeds(&spec.scope, id, since);
                let deeds = if told.is_empty() { observer.deeds(&spec.scope, kind, id, since).await } else { Ok(told) };
                let by = plan::culprit(deeds, self.cx.now());
                known.insert(id.clone(), by.clone());
                finding.by = by;
            }
        }
    }
}

//! What a desired service needs.
//!
//! Which image each container is to run is a decision of its own ([`decision`]), written down before anything follows from
//! it: the stack that owns the service takes its parameter from there ([`Planner::image`]), and so does a deployment
//! through ECS. What was decided is a *rollout* until it has been seen to run, or to fail ([`outcome`]).

pub(super) mod collect;
mod decision;
mod deliver;
mod elsewhere;
mod follow;
pub(super) mod hopeless;
mod making;
mod outcome;
mod platform;
mod restart;
mod select;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::names::OWNER_TAG;
use super::planner::{Planner, refuse};
use super::standing::{Standing, row};
use super::{Input, guard, handover};
use crate::model::{
    Action, Address, Basis, Decision, DeploymentController, Digest, Do, Entry, Guard, ImageDigest, ImageParameter, Key,
    Refusal, Rollout, Seen, ServiceDo, ServiceMemory, ServiceNeed, ServiceRef, ServiceSpec, ServiceState,
    ServiceStatus, ServiceStep, StackSpec, StackStatus, Step, TaskDefinitionArn, TaskDefinitionState, Text, Waiting,
    digests,
};

/// So long after its stack has come to rest a service is shown by ECS, if it is there.
const SHOWN: SignedDuration = SignedDuration::from_mins(2);

/// What a new stack needs beside its services: a cluster of brokers takes half an hour and more.
const BESIDE_A_ROLLOUT: Duration = Duration::from_hours(1);

/// Decides on one desired service. Its dependencies have been decided before.
pub(super) fn decide(planner: &Planner<'_>, spec: &ServiceSpec) -> Entry {
    let memory = planner.remembered(&spec.key);
    let service = resolve(planner, spec, &memory);
    let mut deciding = Deciding { planner, spec, memory: &memory, service };
    // Until it goes over, what is remembered is under the key that it had.
    let before = deciding.former().and_then(|from| planner.input.memory.objects.services.get(&from));
    if let Some(before) = before {
        deciding.memory = before;
    }
    let mut entry = deciding.entry();
    deciding.run(&mut entry);
    if entry.step.is_some() {
        guard::mode(planner.input, &spec.key, &mut entry);
        guard::never_older(planner.input, &spec.key, &mut entry);
    }
    entry
}

/// Digest of what an approval is bound to: the manifest's side, and what was decided on it.
fn manifest_side(spec: &ServiceSpec, memory: &ServiceMemory) -> Digest {
    Digest::of(&(&spec.digest, digests(&memory.decisions)))
}

/// The service that a manifest names, as far as its stack has shown it.
pub(super) fn shown(planner: &Planner<'_>, spec: &ServiceSpec) -> Option<ServiceRef> {
    let named = planner.text_as_shown(&spec.cluster).zip(planner.text_as_shown(&spec.service));
    let named = named.map(|(cluster, service)| ServiceRef { cluster, service });
    named.or_else(|| resolve(planner, spec, &planner.remembered(&spec.key)))
}

/// The service that a manifest names, where that is known yet. While its own stack brings a rollout, it is the service
/// that the stack has shown so far: otherwise nobody would see that the rollout fails before the stack gives up.
fn resolve(planner: &Planner<'_>, spec: &ServiceSpec, memory: &ServiceMemory) -> Option<ServiceRef> {
    let follows = spec.stack().is_some() && memory.rollout.is_some();
    let text = |text: &Text| {
        let known = planner.text(text).ok();
        if follows { known.or_else(|| planner.text_as_shown(text)) } else { known }
    };
    let named = text(&spec.cluster).zip(text(&spec.service));
    let named = named.map(|(cluster, service)| ServiceRef { cluster, service });
    named.or_else(|| planner.is_making(spec, spec.stack().filter(|_| follows)?))
}

impl Planner<'_> {
    /// The image that a parameter of a stack is to have; `None`: there is none yet, or none that may be deployed anew.
    pub(super) fn image(&self, parameter: &ImageParameter) -> Option<String> {
        let spec = self.input.environment.services.get(&parameter.service)?;
        let memory = self.input.memory.objects.services.get(&parameter.service)?;
        let decision = memory.decisions.get(&parameter.container)?;
        let released = !memory.quarantine.contains_key(&decision.digest);
        released.then(|| decision.uri(&spec.scope))
    }

    /// An image that a stack brings was decided on since then: what has failed before may be tried again, because a person
    /// has released it.
    pub(super) fn is_decided_anew(&self, stack: &StackSpec, since: Timestamp) -> bool {
        stack.images.values().any(|image| {
            let memory = self.input.memory.objects.services.get(&image.service);
            let rollout = memory.and_then(|memory| memory.rollout.as_ref());
            rollout.is_some_and(|rollout| rollout.opened > since)
        })
    }

    /// A stack is being created for the first time: CloudFormation cannot cancel that, and nothing of it has ever run.
    pub(super) fn is_being_created(&self, stack: &Key) -> bool {
        let address = self.input.environment.stacks.get(stack).map(|spec| spec.address());
        let seen = address.map(|address| self.input.observation.stack(&address));
        matches!(seen, Some(Seen::Present(seen)) if seen.state.status == StackStatus::CreateInProgress)
    }

    /// How long the creation of a stack may take that brings images, where its manifest does not say: as long as their
    /// rollouts, and what else is in it. CloudFormation alone would wait three hours for a service.
    pub(super) fn patience(&self, stack: &StackSpec) -> Option<Duration> {
        let services = stack.images.values().filter_map(|image| self.input.environment.services.get(&image.service));
        let rollouts = services.filter(|spec| spec.rolls_back()).map(|spec| spec.rollout.timeout);
        rollouts.max().map(|longest| longest + BESIDE_A_ROLLOUT)
    }

    /// A rollout that a stack brings cannot succeed: its update is to be cancelled.
    pub(super) fn is_doomed(&self, stack: &Key) -> bool {
        let services = self.input.environment.services.values();
        let mut brought = services.filter(|spec| spec.stack() == Some(stack));
        brought.any(|spec| {
            let memory = self.input.memory.objects.services.get(&spec.key);
            let rollout = memory.and_then(|memory| memory.rollout.as_ref());
            let doomed = rollout.is_some_and(|rollout| rollout.doomed.is_some() && rollout.restart.is_none());
            doomed && spec.rolls_back()
        })
    }
}

/// The key that `owner` names, if the service goes over from it to `key`.
pub(super) fn former(input: &Input<'_>, key: &Key, owner: Option<&str>) -> Option<Key> {
    handover::former(input, key, owner, |home, key| home.services.contains_key(key))
}

struct Deciding<'a> {
    planner: &'a Planner<'a>,
    spec: &'a ServiceSpec,
    memory: &'a ServiceMemory,
    /// Which service it is, once that is known.
    service: Option<ServiceRef>,
}

impl Deciding<'_> {
    fn entry(&self) -> Entry {
        let mut basis = Basis::of(manifest_side(self.spec, self.memory));
        basis.inputs = self.service.as_ref().map(|service| Digest::of(&service.to_string()));
        Entry { depends_on: self.spec.depends_on.clone(), basis, ..Entry::new(self.address()) }
    }

    /// The service as it was seen, if it is known and there.
    fn seen(&self) -> Option<&ServiceState> {
        let at = (self.spec.scope.clone(), self.service.clone()?);
        self.planner.input.observation.services.services.get(&at)?.present()
    }

    /// The key that the service says it belongs to, where that is its name before it was renamed or moved.
    fn former(&self) -> Option<Key> {
        let state = self.seen()?;
        former(self.planner.input, &self.spec.key, state.tags.get(OWNER_TAG).map(String::as_str))
    }

    fn address(&self) -> Address {
        let name = match &self.service {
            Some(service) => service.to_string(),
            None => format!("{}/{}", self.spec.cluster, self.spec.service),
        };
        Address { scope: self.spec.scope.clone(), name: name.into() }
    }

    fn step(&self, action: ServiceDo) -> Box<Step> {
        Box::new(Step {
            key: self.spec.key.clone(),
            address: self.address(),
            revision: self.planner.input.desired.revision.sequence,
            cost: (0, 0, 0),
            takes_over: self.former(),
            depends_on: self.spec.depends_on.clone(),
            action: Do::Service(ServiceStep { service: self.service.clone(), action }),
        })
    }

    /// First what is decided, then what runs, then what leads from one to the other.
    fn run(&self, entry: &mut Entry) {
        entry.status = self.seen().map(status);
        if self.deployed_by_others(entry) || self.choose(entry) {
            return;
        }
        if self.memory.decisions.is_empty() {
            if entry.action != Action::Unknown {
                entry.action = Action::MayUpdate;
            }
            return;
        }
        if self.waits_for_dependencies(entry) {
            entry.action = Action::MayUpdate;
            if self.spec.stack().is_none() || self.service.is_none() {
                return;
            }
        }
        let Some(service) = self.service.clone() else {
            return unknown(entry, "its cluster or its name is not known yet");
        };
        let Some(state) = self.live(&service, entry) else { return };
        let Some(arn) = state.task_definition.clone() else {
            return refuse(
                entry,
                refusal(
                    Guard::Stuck,
                    format!("{service} is deployed by task sets ({})", state.controller),
                    "let ECS deploy it (deployment controller `ECS`), or remove the manifest",
                ),
            );
        };
        let Some(definition) = self.definition(&arn, entry) else { return };
        match &self.memory.rollout {
            Some(rollout) => self.follow(entry, &service, state, definition, rollout),
            None => self.rest(entry, &service, state, definition),
        }
    }

    /// Another deployment controller than ECS: no rollout of it could be followed, so nothing is decided for it (AWS:
    /// *`UpdateService`*: with `CODE_DEPLOY` and `EXTERNAL` the task definition cannot be changed).
    fn deployed_by_others(&self, entry: &mut Entry) -> bool {
        let Some(service) = &self.service else { return false };
        let at = (self.spec.scope.clone(), service.clone());
        let Some(seen) = self.planner.input.observation.services.services.get(&at) else {
            self.planner.need(ServiceNeed::Service(at.0, at.1));
            return false;
        };
        let Some(state) = seen.present() else { return false };
        if state.status != ServiceStatus::Active || state.controller == DeploymentController::Ecs {
            return false;
        }
        entry.action = Action::Update;
        let reason = format!("{} is deployed by {}, not by ECS", state.name, state.controller);
        let release = "let ECS deploy it (deployment controller `ECS`), or remove the manifest";
        refuse(entry, refusal(Guard::Stuck, reason, release));
        true
    }

    /// Nothing is on its way: what runs is held against what was decided.
    fn rest(&self, entry: &mut Entry, service: &ServiceRef, state: &ServiceState, definition: &TaskDefinitionState) {
        let intended = digests(&self.memory.decisions);
        let here = outcome::runs(&intended, definition);
        if !here {
            entry.action = Action::Update;
            self.differences(entry, definition, &intended);
            return refuse(entry, self.gone_back().unwrap_or_else(|| self.somebody_else()));
        }
        entry.waiting.retain(|waiting| !matches!(waiting, Waiting::Dependency { .. }));
        if let Some(failed) = self.failed() {
            entry.action = Action::Update;
            return refuse(entry, failed);
        }
        let images = self.spec.images.keys().all(|container| intended.contains_key(container));
        entry.ready = images && self.unready().is_empty();
        let gone = entry.refused.iter().any(|refusal| refusal.guard == Guard::ImageGone);
        if entry.waiting.is_empty() {
            entry.action = if gone { Action::Update } else { Action::None };
        }
        self.elsewhere(entry);
        let proven = self.memory.releases.first();
        if let Some(release) = proven
            && release.digests() == intended
            && release.task_definition != definition.arn
            && entry.ready
        {
            entry.step = Some(self.step(ServiceDo::Renew { task_definition: definition.arn.clone() }));
            return;
        }
        // A tag that moved is reported, and nothing that a restart would bring.
        if entry.refused.iter().all(|refusal| matches!(refusal.guard, Guard::MovedTag | Guard::ImageElsewhere)) {
            self.restart(entry, service, state);
        }
        self.collect(entry, service, state);
    }

    /// What runs is not what was decided, and no rollout of ours is open: it was deployed by others. They are not fought:
    /// somebody who goes back in the console must be able to.
    fn somebody_else(&self) -> Refusal {
        refusal(
            Guard::Superseded,
            format!("{} was deployed outside Landfast with other images", self.address().name),
            "commit the images that should run, or wait for a newer one; `landfast rollback` returns to an earlier \
            release",
        )
    }

    /// What was decided has failed and still runs.
    fn failed(&self) -> Option<Refusal> {
        let (bad, why) = self.bad()?;
        let reason = format!("{} failed and still runs: {why}", bad.name());
        Some(refusal(Guard::Stalled, reason, "push a newer image, or run `landfast rollback` to an earlier release"))
    }

    /// What was decided has failed, and ECS went back without ending that.
    fn gone_back(&self) -> Option<Refusal> {
        let (bad, why) = self.bad()?;
        let reason = format!("{} failed and was rolled back: {why}", bad.name());
        Some(refusal(Guard::Stalled, reason, "push a newer image, or run `landfast rollback` to an earlier release"))
    }

    /// What was decided and is held to have failed, and why.
    fn bad(&self) -> Option<(&Decision, &str)> {
        let quarantine = &self.memory.quarantine;
        let mut decisions = self.memory.decisions.values();
        decisions.find_map(|decision| Some((decision, quarantine.get(&decision.digest)?.why.as_str())))
    }

    // ---- what all of them ask ----

    fn live(&self, service: &ServiceRef, entry: &mut Entry) -> Option<&ServiceState> {
        let at = (self.spec.scope.clone(), service.clone());
        match self.planner.input.observation.services.services.get(&at) {
            Some(Seen::Present(state)) if state.status == ServiceStatus::Active => return Some(state),
            Some(Seen::Present(_) | Seen::Absent) if self.spec.stack().is_some_and(|stack| !self.is_settled(stack)) => {
                entry.action = Action::MayUpdate;
                if entry.waiting.is_empty() {
                    let objects = self.spec.stack().into_iter().map(ToString::to_string).collect();
                    entry.waiting.push(Waiting::Dependency { objects });
                }
            }
            Some(Seen::Present(_) | Seen::Absent) => self.bereft(entry, service),
            Some(Seen::Unknown(why)) => unknown(entry, &format!("the service could not be read: {why}")),
            None => {
                self.planner.need(ServiceNeed::Service(at.0, at.1));
                unknown(entry, "the service has not been read");
            }
        }
        None
    }

    /// Nothing is done to a stack, and nothing was done lately: what it has made is there, or somebody has deleted it.
    fn is_settled(&self, stack: &Key) -> bool {
        let input = self.planner.input;
        let Some(spec) = input.environment.stacks.get(stack) else { return false };
        let at_rest = self.planner.entries.get(stack).is_some_and(|entry| entry.action == Action::None);
        let Seen::Present(seen) = input.observation.stack(&spec.address()) else { return false };
        let moved = seen.state.updated.unwrap_or(seen.state.created);
        at_rest && row(seen.state.status).standing == Standing::Steady && input.now.duration_since(moved) > SHOWN
    }

    /// There is no such service. What has run there says whether there was one.
    fn bereft(&self, entry: &mut Entry, service: &ServiceRef) {
        if entry.action != Action::Unknown {
            entry.action = Action::Create;
        }
        let (mut reason, mut release) = (
            format!("service {service} does not exist"),
            "create it with any image; Landfast deploys to existing services and does not create them".to_owned(),
        );
        if let Some(last) = self.memory.releases.first() {
            let images: Vec<String> = last.images.values().map(Decision::name).collect();
            reason = format!("the service {service} was deleted outside Landfast; it ran {}", images.join(", "));
            release = format!(
                "create it again, with task definition {} if that still exists; or remove its manifest",
                last.task_definition.short()
            );
            entry.differences.push(crate::model::Difference::Missing { name: format!("the service {service}") });
        }
        if let Some(stack) = self.spec.stack() {
            // CloudFormation does not look, and its stack is as the manifest asks.
            reason = format!("{reason}, and {stack} still lists it");
            release = format!("revert the drift of {stack}, or remove the service from its template and add it again");
        }
        refuse(entry, Refusal { guard: Guard::Missing, reason, release });
    }

    fn definition(&self, arn: &TaskDefinitionArn, entry: &mut Entry) -> Option<&TaskDefinitionState> {
        let at = (self.spec.scope.clone(), arn.clone());
        match self.planner.input.observation.services.task_definitions.get(&at) {
            Some(Seen::Present(definition)) => return Some(definition),
            Some(Seen::Absent) => unknown(entry, &format!("task definition {} no longer exists", arn.short())),
            Some(Seen::Unknown(why)) => unknown(entry, &format!("its task definition could not be read: {why}")),
            None => {
                self.planner.need(ServiceNeed::TaskDefinition(at.0, at.1));
                unknown(entry, "its task definition has not been read");
            }
        }
        None
    }

    fn unready(&self) -> BTreeSet<Key> {
        self.planner.unready(&self.spec.key, &self.spec.depends_on)
    }

    fn waits_for_dependencies(&self, entry: &mut Entry) -> bool {
        let objects: BTreeSet<String> = self.unready().iter().map(ToString::to_string).collect();
        if objects.is_empty() {
            return false;
        }
        entry.waiting.push(Waiting::Dependency { objects });
        true
    }

    fn differences(
        &self,
        entry: &mut Entry,
        definition: &TaskDefinitionState,
        intended: &BTreeMap<String, ImageDigest>,
    ) {
        for (container, digest) in intended {
            let found = definition.containers.iter().find(|found| found.name == *container);
            if found.is_some_and(|found| outcome::names(&found.image, digest)) {
                continue;
            }
            let from = found.map(|found| self.called(&found.image));
            let to = self.memory.decisions.get(container).map_or_else(|| digest.short().to_owned(), Decision::name);
            entry.differences.push(crate::model::Difference::Image { container: container.clone(), from, to });
        }
    }

    /// How people call an image that a task definition names.
    fn called(&self, image: &str) -> String {
        let releases = self.memory.releases.iter().flat_map(|release| release.images.values());
        let known = releases.into_iter().find(|decision| outcome::names(image, &decision.digest)).map(Decision::name);
        known.unwrap_or_else(|| match image.rsplit_once('@') {
            Some((_, digest)) => digest.get(..19).unwrap_or(digest).to_owned(),
            None => image.rsplit('/').next().unwrap_or(image).to_owned(),
        })
    }

    fn rollout(&self) -> Option<&Rollout> {
        self.memory.rollout.as_ref()
    }
}

fn status(state: &ServiceState) -> String {
    let rollout = state.primary().and_then(|primary| primary.rollout);
    rollout.map_or_else(|| state.status.to_string(), |rollout| rollout.to_string())
}

pub(super) fn unknown(entry: &mut Entry, why: &str) {
    entry.action = Action::Unknown;
    entry.waiting.push(Waiting::Unknown { why: why.to_owned() });
}

fn refusal(guard: Guard, reason: String, release: &str) -> Refusal {
    Refusal { guard, reason, release: release.to_owned() }
}

#[cfg(test)]
mod tests;

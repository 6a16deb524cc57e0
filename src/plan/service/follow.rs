//! What follows from how a rollout goes.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::outcome::{self, Carrier, Case, Judgement, judge};
use super::{Deciding, unknown};
use crate::model::{
    Action, Deployed, Doom, Ended, Entry, Evidence, ImageDigest, Key, Quarantined, Release, Rollout, RolloutCause,
    RolloutOutcome, Seen, ServiceDeploymentArn, ServiceDeploymentStatus, ServiceDo, ServiceNeed, ServiceRef,
    ServiceState, StackMemory, StopDeployment, TaskDefinitionState, TasksSeen, Waiting, digests,
};
use crate::plan::planner::Planner;

/// Lines of a log that are kept, and how much of each.
const LINES: usize = 10;
const LINE: usize = 300;

/// Service deployments are listed from so long before the rollout was opened: clocks differ.
const BEFORE: SignedDuration = SignedDuration::from_mins(5);

impl Planner<'_> {
    /// An operation of ours is open on a stack, or a step for it is being executed.
    pub(super) fn is_operated_on(&self, stack: &Key) -> bool {
        self.operated_on_since(stack).is_some() || self.input.busy.contains(stack)
    }

    fn operated_on_since(&self, stack: &Key) -> Option<Timestamp> {
        self.remembered::<StackMemory>(stack).pending.as_ref().map(|operation| operation.started)
    }
}

impl Deciding<'_> {
    pub(super) fn follow(
        &self,
        entry: &mut Entry,
        service: &ServiceRef,
        state: &ServiceState,
        definition: &TaskDefinitionState,
        rollout: &Rollout,
    ) {
        entry.action = Action::Update;
        self.differences(entry, definition, &rollout.intended);
        let carrier = self.carrier();
        let untold = carrier == Carrier::Direct && rollout.begun.is_none() && rollout.restart.is_none();
        if untold && !outcome::runs(&rollout.intended, definition) {
            return self.deliver(entry, state, rollout);
        }
        let Some(deployments) = self.deployments(entry, service, rollout.opened) else { return };
        let Some(tasks) = self.tasks(entry, service) else { return };
        let case = Case {
            rollout,
            spec: &self.spec.rollout,
            carrier,
            service: state,
            primary: definition,
            deployments,
            tasks,
            last: self.memory.last.as_ref(),
            asked: self.spec.stack().map_or(rollout.begun, |stack| self.planner.operated_on_since(stack)),
            now: self.planner.input.now,
        };
        if let Some(restart) = &rollout.restart {
            return self.follow_restart(entry, &case, restart);
        }
        match judge(&case) {
            Judgement::NotBegun if carrier == Carrier::Direct => self.deliver(entry, state, rollout),
            Judgement::NotBegun => {
                let objects = self.spec.stack().into_iter().map(ToString::to_string).collect();
                let waits = Waiting::Dependency { objects };
                if !entry.waiting.contains(&waits) {
                    entry.waiting.push(waits);
                }
            }
            Judgement::Running { status, since } => {
                entry.waiting.push(Waiting::Rollout { status, since });
                self.stop(entry, deployments, rollout, carrier);
            }
            Judgement::Doomed(how, evidence) => {
                let deployment = evidence.deployment.as_ref().and_then(|arn| arn.parse().ok());
                let Some(evidence) = self.enriched(entry, state, tasks, definition, evidence) else { return };
                self.give_up(entry, how, evidence, deployment);
            }
            Judgement::Over(outcome, evidence) => {
                let known = rollout.doomed.is_some() || !is_bad(outcome);
                let enriched =
                    if known { Some(evidence) } else { self.enriched(entry, state, tasks, definition, evidence) };
                if let Some(evidence) = enriched {
                    self.conclude(entry, definition, outcome, evidence);
                }
            }
        }
    }

    /// How the images get there, and how far that is.
    pub(super) fn carrier(&self) -> Carrier {
        let Some(stack) = self.spec.stack() else { return Carrier::Direct };
        if self.planner.is_operated_on(stack) {
            return Carrier::StackMoving;
        }
        let address = self.planner.input.environment.stacks.get(stack).map(|spec| spec.address());
        let seen = address.map(|address| self.planner.input.observation.stack(&address));
        match seen {
            Some(Seen::Present(seen)) if !seen.state.status.is_in_progress() => {
                if self.has_brought(stack) {
                    Carrier::StackBrought
                } else {
                    Carrier::StackElsewhere
                }
            }
            _ => Carrier::StackMoving,
        }
    }

    /// The stack is deployed with what was decided.
    pub(super) fn has_brought(&self, stack: &Key) -> bool {
        let Some(spec) = self.planner.input.environment.stacks.get(stack) else { return false };
        let Seen::Present(seen) = self.planner.input.observation.stack(&spec.address()) else { return false };
        let mut ours = spec.images.iter().filter(|(_, image)| image.service == self.spec.key).peekable();
        ours.peek().is_some()
            && ours.all(|(name, image)| {
                let decided = self.memory.decisions.get(&image.container).map(|image| image.uri(&self.spec.scope));
                decided.is_some() && seen.state.parameters.get(name) == decided.as_ref()
            })
    }

    /// Service deployments since that moment, and some that are older.
    pub(super) fn deployments(
        &self,
        entry: &mut Entry,
        service: &ServiceRef,
        opened: Timestamp,
    ) -> Option<&[Deployed]> {
        let at = (self.spec.scope.clone(), service.clone());
        match self.planner.input.observation.services.deployments.get(&at) {
            Some(Seen::Present(deployments)) => return Some(deployments),
            Some(Seen::Absent) => return Some(&[]),
            Some(Seen::Unknown(why)) => unknown(entry, &format!("its service deployments could not be read: {why}")),
            None => {
                let since = opened.saturating_sub(BEFORE).unwrap_or(opened);
                self.planner.need(ServiceNeed::Deployments(at.0, at.1, since));
                unknown(entry, "its service deployments have not been read");
            }
        }
        None
    }

    pub(super) fn tasks(&self, entry: &mut Entry, service: &ServiceRef) -> Option<&TasksSeen> {
        let at = (self.spec.scope.clone(), service.clone());
        match self.planner.input.observation.services.tasks.get(&at) {
            Some(Seen::Present(tasks)) => return Some(tasks),
            Some(Seen::Absent) => unknown(entry, "its tasks could not be read: the service no longer exists"),
            Some(Seen::Unknown(why)) => unknown(entry, &format!("its tasks could not be read: {why}")),
            None => {
                self.planner.need(ServiceNeed::Tasks(at.0, at.1));
                unknown(entry, "its tasks have not been read");
            }
        }
        None
    }

    /// A rollout that cannot succeed is written down as such, and then stopped.
    pub(super) fn give_up(
        &self,
        entry: &mut Entry,
        cause: RolloutCause,
        evidence: Evidence,
        deployment: Option<ServiceDeploymentArn>,
    ) {
        if let Some(restart) = self.rollout().and_then(|rollout| rollout.restart.as_ref())
            && !self.spec.rolls_back()
        {
            return self.conclude_restart(entry, &restart.versions, RolloutOutcome::Failed, evidence);
        }
        // The creation of a stack cannot be cancelled. It ends at its timeout, and is not begun again with this image.
        let created = self.spec.stack().is_some_and(|stack| self.planner.is_being_created(stack));
        if !self.spec.rolls_back() || created {
            let ended = self.ended(RolloutOutcome::Failed, evidence);
            let quarantine = self.quarantine(&ended.evidence);
            let ended = Box::new(ended);
            let conclude = ServiceDo::Conclude { ended, quarantine, release: None, back_to: None };
            entry.step = Some(self.step(conclude));
            return;
        }
        let doom = Doom { cause, deployment, evidence, at: self.planner.input.now };
        entry.step = Some(self.step(ServiceDo::Doom { doom: Box::new(doom) }));
    }

    /// What was given up and is still going on is stopped; of a stack, its update is cancelled.
    pub(super) fn stop(&self, entry: &mut Entry, deployments: &[Deployed], rollout: &Rollout, carrier: Carrier) {
        use ServiceDeploymentStatus::{InProgress, Pending};
        let Some(arn) = rollout.doomed.as_ref().and_then(|doom| doom.deployment.as_ref()) else { return };
        let goes_on = deployments
            .iter()
            .any(|deployed| deployed.state.arn == *arn && matches!(deployed.state.status, Pending | InProgress));
        if (carrier == Carrier::Direct || rollout.restart.is_some()) && goes_on {
            let (deployment, how) = (arn.clone(), StopDeployment::Rollback);
            entry.step = Some(self.step(ServiceDo::Stop { deployment, how }));
        }
    }

    fn conclude(
        &self,
        entry: &mut Entry,
        definition: &TaskDefinitionState,
        outcome: RolloutOutcome,
        evidence: Evidence,
    ) {
        let ended = self.ended(outcome, evidence);
        let quarantine = if is_bad(outcome) { self.quarantine(&ended.evidence) } else { BTreeMap::new() };
        let release = (outcome == RolloutOutcome::Proven).then(|| {
            Box::new(Release {
                images: self.memory.decisions.clone(),
                task_definition: definition.arn.clone(),
                at: self.planner.input.now,
            })
        });
        let proven = || self.memory.releases.first().map(|release| release.images.clone()).unwrap_or_default();
        let back_to = (outcome == RolloutOutcome::RolledBack).then(proven);
        let ended = Box::new(ended);
        entry.step = Some(self.step(ServiceDo::Conclude { ended, quarantine, release, back_to }));
    }

    pub(super) fn ended(&self, outcome: RolloutOutcome, evidence: Evidence) -> Ended {
        let decisions = &self.memory.decisions;
        Ended {
            outcome,
            intended: digests(decisions),
            images: decisions.iter().map(|(container, image)| (container.clone(), image.name())).collect(),
            opened: self.rollout().map(|rollout| rollout.opened),
            evidence,
            at: self.planner.input.now,
        }
    }

    /// Images that are held to have failed: those that the rollout changed. What was proven before is not to blame.
    fn quarantine(&self, evidence: &Evidence) -> BTreeMap<ImageDigest, Quarantined> {
        let proven = self.memory.releases.first().map(Release::digests).unwrap_or_default();
        let changed = self.memory.decisions.iter().filter(|(name, image)| proven.get(*name) != Some(&image.digest));
        let why = evidence.why();
        let at = self.planner.input.now;
        changed
            .map(|(_, image)| (image.digest.clone(), Quarantined { tag: image.tag.clone(), why: why.clone(), at }))
            .collect()
    }

    /// Evidence with the health of the targets and the last lines of a stopped task, as far as they may be read; `None`
    /// while they have not been asked for.
    pub(super) fn enriched(
        &self,
        entry: &mut Entry,
        state: &ServiceState,
        tasks: &TasksSeen,
        definition: &TaskDefinitionState,
        mut evidence: Evidence,
    ) -> Option<Evidence> {
        let scope = &self.spec.scope;
        let seen = &self.planner.input.observation.services;
        let mut missing = false;
        for group in &state.target_groups {
            match seen.targets.get(&(scope.clone(), group.clone())) {
                Some(Seen::Present(targets)) => {
                    for target in targets {
                        *evidence.targets.entry(target.state.to_string()).or_default() += 1;
                    }
                }
                Some(Seen::Absent | Seen::Unknown(_)) => {}
                None => {
                    missing = true;
                    self.planner.need(ServiceNeed::Targets(scope.clone(), group.clone()));
                }
            }
        }
        let failed = evidence.task_definition.clone();
        let stopped = tasks.stopped.iter().filter(|task| failed.as_deref() == Some(task.task_definition.as_str()));
        let newest = stopped.max_by_key(|task| (task.stopped, task.arn.clone()));
        let stream = newest.and_then(|task| {
            let mut containers =
                definition.containers.iter().filter(|found| self.spec.images.contains_key(&found.name));
            containers.find_map(|found| found.log.as_ref()?.stream(&found.name, &task.arn))
        });
        if let Some(stream) = stream {
            match seen.logs.get(&(scope.clone(), stream.clone())) {
                Some(Seen::Present(lines)) => {
                    let last = lines.iter().rev().take(LINES).rev();
                    evidence.log = last.map(|line| line.message.chars().take(LINE).collect()).collect();
                }
                Some(Seen::Absent | Seen::Unknown(_)) => {}
                None => {
                    missing = true;
                    self.planner.need(ServiceNeed::Log(scope.clone(), stream));
                }
            }
        }
        if missing {
            unknown(entry, "the logs of its tasks have not been read");
            return None;
        }
        Some(evidence)
    }
}

fn is_bad(outcome: RolloutOutcome) -> bool {
    matches!(outcome, RolloutOutcome::RolledBack | RolloutOutcome::Failed)
}

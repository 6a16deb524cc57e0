//! Tasks that were started before a secret got the value that it has: ECS gives a container its secrets once, at its start.
//!
//! A restart is a rollout that brings nothing but tasks like those there are. It is asked for with no token, so what tells
//! that it took effect is the primary deployment, which is another one then; and its tasks say which deployment started
//! them. Whoever has deployed the service since the value changed has restarted it just as well.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::hopeless::hopeless;
use super::outcome::{CLOCKS_DIFFER, Carrier, Case, Judgement, running, waits};
use super::{Deciding, refusal};
use crate::model::{
    Action, Attempts, Deployed, Difference, Digest, Do, Ended, Entry, Evidence, Failure, Guard, Key, Primary, Restart,
    Rollout, RolloutCause, RolloutOutcome, RolloutState, Seen, ServiceDeploymentStatus, ServiceDo, ServiceRef,
    ServiceState, StackDo, StackStep, TaskState, VersionId, Waiting, digests,
};
use crate::plan::planner::{Planner, refuse};
use crate::plan::secret::{Stale, Versions};
use crate::plan::{attempts, owner};

/// What was asked for is to be seen after so long, or was lost.
const SEEN_WITHIN: SignedDuration = SignedDuration::from_secs(60);

/// A restart that fails is tried so often.
const RETRIES: u32 = 5;

impl Deciding<'_> {
    /// Nothing else is on its way: are there tasks from before the current value of a secret?
    pub(super) fn restart(&self, entry: &mut Entry, service: &ServiceRef, state: &ServiceState) {
        let Some(lacking) = self.planner.stale(&self.spec.key, entry) else { return };
        tell(entry, &lacking.versions);
        let Some(tasks) = self.tasks(entry, service) else { return };
        let Some(primary) = state.primary() else { return };
        if let Some(waits) = self.is_being_deployed(state) {
            return entry.waiting.push(waits);
        }
        let since = lacking.since.saturating_add(CLOCKS_DIFFER).unwrap_or(Timestamp::MAX);
        let newer = tasks.running.iter().all(|task| task.created.is_some_and(|created| created > since));
        if newer && (!tasks.running.is_empty() || state.desired == 0) {
            // Whoever replaced them did what was to be done.
            entry.step = Some(self.step(self.restarted(&lacking.versions, None, None)));
            return;
        }
        if self.has_failed(entry, &lacking) || !self.may_restart(entry, state) {
            return;
        }
        // Asked for from a moment that stays the same: it is what tells whose deployments are older.
        let opened = lacking.since.min(self.planner.input.now);
        let Some(known) = self.deployments(entry, service, opened) else { return };
        let restart = Restart {
            versions: lacking.versions,
            before: known.iter().map(|deployed| deployed.state.arn.clone()).collect(),
        };
        let rollout = Rollout {
            task_definition: Some(primary.task_definition.clone()),
            restart: Some(restart),
            ..Rollout::open(
                digests(&self.memory.decisions),
                self.planner.input.desired.revision.sequence,
                self.planner.input.now,
            )
        };
        self.ask_for(entry, state, rollout);
    }

    /// A restart was asked for: how far is it?
    pub(super) fn follow_restart(&self, entry: &mut Entry, case: &Case<'_>, restart: &Restart) {
        tell(entry, &restart.versions);
        entry.ready = self.unready().is_empty();
        match case.restarted(restart) {
            Judgement::NotBegun => {
                if self.may_restart(entry, case.service) {
                    self.ask_for(entry, case.service, case.rollout.clone());
                }
            }
            Judgement::Running { status, since } => {
                entry.waiting.push(Waiting::Rollout { status, since });
                self.stop(entry, case.deployments, case.rollout, case.carrier);
            }
            Judgement::Doomed(how, evidence) => {
                let deployment = evidence.deployment.as_ref().and_then(|arn| arn.parse().ok());
                let Some(evidence) = self.enriched(entry, case.service, case.tasks, case.primary, evidence) else {
                    return;
                };
                self.give_up(entry, how, evidence, deployment);
            }
            Judgement::Over(outcome, evidence) => self.conclude_restart(entry, &restart.versions, outcome, evidence),
        }
    }

    /// Written down: what the tasks have now, or that they have not got it.
    pub(super) fn conclude_restart(
        &self,
        entry: &mut Entry,
        versions: &Versions,
        outcome: RolloutOutcome,
        evidence: Evidence,
    ) {
        let failure = (outcome != RolloutOutcome::Proven).then(|| {
            let reason = evidence.why();
            let kind = "AWS::ECS::Service".to_owned();
            Failure { resource: self.address().name.to_string(), kind, reason, transient: true }
        });
        let ended = self.ended(outcome, evidence);
        let versions = if failure.is_some() { Versions::new() } else { versions.clone() };
        let failed = failure.map(|failure| self.counted(failure));
        entry.step = Some(self.step(self.restarted(&versions, Some(ended), failed)));
    }

    /// What is remembered afterwards. Of versions that no secret asks for any more nothing is.
    fn restarted(&self, got: &Versions, ended: Option<Ended>, failed: Option<Attempts>) -> ServiceDo {
        let mut has = Versions::new();
        for (key, secret) in &self.planner.input.memory.objects.secrets {
            let Some(wanted) = secret.restarts.get(&self.spec.key) else { continue };
            let before = self.memory.has.get(key).into_iter().flatten();
            let now = before.chain(got.get(key).into_iter().flatten()).filter(|version| wanted.contains(*version));
            let now: BTreeSet<VersionId> = now.cloned().collect();
            if !now.is_empty() {
                has.insert(key.clone(), now);
            }
        }
        ServiceDo::Restarted { has, ended: ended.map(Box::new), failed: failed.map(Box::new) }
    }

    fn counted(&self, failure: Failure) -> Attempts {
        Attempts::counted(self.memory.restart_failed.as_ref(), self.trial(), failure, self.planner.input.now)
    }

    /// What is to be tried now.
    fn trial(&self) -> Digest {
        let versions = crate::plan::secret::restarts(&self.planner.input.memory.objects, &self.spec.key);
        Restart::trial(&versions, &digests(&self.memory.decisions))
    }

    /// Somebody deploys it: that may be all there is to do.
    fn is_being_deployed(&self, state: &ServiceState) -> Option<Waiting> {
        let primary = state.primary()?;
        let moving = state.deployments.len() > 1 || primary.rollout == Some(RolloutState::InProgress);
        let timeout = SignedDuration::try_from(self.spec.rollout.timeout).unwrap_or(SignedDuration::MAX);
        let lately = primary.created.is_none_or(|since| self.planner.input.now.duration_since(since) <= timeout);
        let status = "a deployment from outside Landfast is in progress".to_owned();
        (moving && lately).then_some(Waiting::Rollout { status, since: primary.created })
    }

    /// It has failed for these versions: later once more, and in the end not without a person.
    fn has_failed(&self, entry: &mut Entry, stale: &Stale) -> bool {
        let Some(failed) = attempts::of(self.memory.restart_failed.as_ref(), &self.trial()) else { return false };
        if failed.count >= RETRIES {
            let secrets: Vec<String> = stale.versions.keys().map(ToString::to_string).collect();
            let reason =
                format!("its tasks fail with the current value of {}: {}", secrets.join(", "), failed.failure.reason);
            let release = "fix it and force a new deployment, or rotate again (`landfast secret rotate`)";
            refuse(entry, refusal(Guard::Stalled, reason, release));
            return true;
        }
        attempts::hold(self.planner.input, Some(failed), RETRIES, entry)
    }

    /// It is ours, or that of a stack of ours that is at rest (invariants S1, S6).
    fn may_restart(&self, entry: &mut Entry, state: &ServiceState) -> bool {
        let Some(stack) = self.spec.stack() else { return self.is_ours(entry, state) };
        let planned = self.planner.entries.get(stack).is_some_and(|entry| entry.step.is_some());
        let spec = self.planner.input.environment.stacks.get(stack);
        let seen = spec.map(|spec| self.planner.input.observation.stack(&spec.address()));
        let ours = matches!(seen, Some(Seen::Present(seen)) if owner(&seen.state) == Some(stack.to_string().as_str()));
        if ours && !planned && self.carrier() == Carrier::StackBrought {
            return true;
        }
        let waits = Waiting::Dependency { objects: BTreeSet::from([stack.to_string()]) };
        if !entry.waiting.contains(&waits) {
            entry.waiting.push(waits);
        }
        false
    }

    fn ask_for(&self, entry: &mut Entry, state: &ServiceState, rollout: Rollout) {
        let Some(primary) = state.primary() else { return };
        let expect = Primary { id: primary.id.clone(), task_definition: primary.task_definition.clone() };
        entry.step = Some(self.step(ServiceDo::Restart { expect, rollout: Box::new(rollout) }));
    }
}

/// Says what the tasks do not have.
fn tell(entry: &mut Entry, versions: &Versions) {
    if entry.action == Action::None {
        entry.action = Action::Update;
    }
    let secrets = versions.keys().map(ToString::to_string).collect();
    entry.differences.push(Difference::Restart { secrets });
}

impl Planner<'_> {
    /// While a service is being restarted, the stack that owns it is not updated: one after the other.
    pub(in crate::plan) fn hold_stacks(&mut self) {
        let services = self.input.environment.services.iter();
        let restarting: BTreeMap<Key, (Key, Option<Timestamp>)> = services
            .filter_map(|(key, spec)| {
                let rollout = self.input.memory.objects.services.get(key)?.rollout.as_ref()?;
                rollout.restart.as_ref()?;
                Some((spec.stack()?.clone(), (key.clone(), rollout.begun)))
            })
            .collect();
        for (stack, (service, since)) in restarting {
            let Some(entry) = self.entries.get_mut(&stack) else { continue };
            let updates = entry.step.as_ref().is_some_and(|step| {
                matches!(&step.action, Do::Stack(StackStep { action: StackDo::Execute { .. }, .. }))
            });
            if updates {
                entry.step = None;
                entry.waiting.push(Waiting::Rollout { status: format!("{service} is being restarted"), since });
            }
        }
    }
}

impl<'a> Case<'a> {
    /// How a restart goes.
    pub(super) fn restarted(&self, restart: &Restart) -> Judgement {
        use ServiceDeploymentStatus as S;
        let Some(primary) = self.service.primary() else { return Judgement::NotBegun };
        let begun = self.rollout.begun.unwrap_or(self.rollout.opened);
        let own = self.own_restart(restart);
        let evidence = self.evidence(own);
        match own {
            None if self.rollout.replaces.as_ref() == Some(&primary.id) => {
                if self.now.duration_since(begun) > SEEN_WITHIN {
                    return Judgement::NotBegun;
                }
                Judgement::Running { status: "it was requested".to_owned(), since: Some(begun) }
            }
            None => match primary.rollout {
                Some(RolloutState::Completed) => self.renewed(&primary.id, begun, evidence),
                Some(RolloutState::Failed) => self.failed(RolloutOutcome::Failed, evidence),
                Some(RolloutState::InProgress) | None => {
                    self.is_hopeless(&primary.id, begun, evidence).unwrap_or_else(|| waits(primary, begun))
                }
            },
            Some(own) => match own.state.status {
                S::Pending | S::InProgress => {
                    let since = self.counted_since(own, begun);
                    self.is_hopeless(&primary.id, since, evidence).unwrap_or_else(|| running(own))
                }
                // Back to tasks that are like these: they may fail as well.
                S::StopRequested | S::RollbackRequested | S::RollbackInProgress if self.is_overdue(begun) => {
                    self.failed(RolloutOutcome::Failed, evidence)
                }
                S::StopRequested | S::RollbackRequested | S::RollbackInProgress => running(own),
                S::Successful => self.renewed(&primary.id, own.state.finished.unwrap_or(begun), evidence),
                S::RollbackSuccessful => self.failed(RolloutOutcome::RolledBack, evidence),
                S::RollbackFailed | S::Stopped => self.failed(RolloutOutcome::Failed, evidence),
            },
        }
    }

    /// The newest service deployment that was not there before.
    fn own_restart(&self, restart: &Restart) -> Option<&'a Deployed> {
        let since = self.rollout.opened.saturating_sub(CLOCKS_DIFFER).unwrap_or(Timestamp::MIN);
        self.deployments
            .iter()
            .find(|deployed| !restart.before.contains(&deployed.state.arn) && deployed.state.created >= since)
    }

    /// The deployment is complete; now every task has to be one of its own.
    fn renewed(&self, deployment: &str, since: Timestamp, evidence: Evidence) -> Judgement {
        let running: Vec<&TaskState> = self.tasks.running.iter().filter(|task| task.started.is_some()).collect();
        let own = running.iter().filter(|task| task.started_by.as_deref() == Some(deployment)).count();
        let wanted = usize::try_from(self.service.desired).unwrap_or(usize::MAX);
        if own == running.len() && own >= wanted {
            return Judgement::Over(RolloutOutcome::Proven, evidence);
        }
        if self.is_late(since) {
            return Judgement::Over(RolloutOutcome::Unproven, evidence);
        }
        let status = format!("{own} of {wanted} tasks have been replaced");
        Judgement::Running { status, since: Some(self.rollout.opened) }
    }

    /// Its tasks do not start: those of the deployment itself, which are otherwise like those before.
    fn is_hopeless(&self, deployment: &str, since: Timestamp, evidence: Evidence) -> Option<Judgement> {
        if self.rollout.doomed.is_some() {
            return self.stopping(evidence);
        }
        let own = self.tasks.stopped.iter().filter(|task| task.started_by.as_deref() == Some(deployment));
        let own: Vec<TaskState> = own.cloned().collect();
        let cause = hopeless(&self.primary.arn, &own);
        let cause = cause.or_else(|| self.is_overdue(since).then_some(RolloutCause::Timeout))?;
        Some(Judgement::Doomed(cause, Evidence { cause: Some(cause), ..evidence }))
    }
}

//! How a rollout goes, and how it ended: by our own service deployment and the digests that run, never by "it is steady".
//!
//! A service is steady after a rollback too; a stack says `UPDATE_COMPLETE` over a service that went back; somebody else
//! may have deployed in between. So the question is always: which service deployment brings what we intend, how did
//! *that* one end, and do the tasks that run now have those digests?

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::hopeless::hopeless;
use crate::model::{
    ContainerState, Deployed, DeploymentState, Ended, Evidence, ImageDigest, Rollout, RolloutCause, RolloutOutcome,
    RolloutSpec, RolloutState, ServiceDeploymentStatus, ServiceRevisionState, ServiceState, TaskDefinitionArn,
    TaskDefinitionState, TaskState, TasksSeen,
};
use crate::sabotage::{self, Bug};

/// By how much the clock of whoever wrote the journal may be ahead of that of ECS.
pub(super) const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(60);

/// A deployment that has ended another one is listed within so long, by our clock and that of ECS.
const LISTED_WITHIN: SignedDuration = SignedDuration::from_secs(30);

/// What is delivered through a stack ends with the stack's update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    /// ECS itself.
    Direct,
    /// A stack that is being created or updated, or waits for that.
    StackMoving,
    /// A stack at rest that was deployed with the intended images.
    StackBrought,
    /// A stack at rest that has other images.
    StackElsewhere,
}

/// All that a judgement depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub(super) rollout: &'a Rollout,
    pub(super) spec: &'a RolloutSpec,
    pub(super) carrier: Carrier,
    pub(super) service: &'a ServiceState,
    /// What the primary deployment runs.
    pub(super) primary: &'a TaskDefinitionState,
    /// Service deployments since the rollout was opened, the newest first.
    pub(super) deployments: &'a [Deployed],
    pub(super) tasks: &'a TasksSeen,
    /// How the rollout before ended: its deployment is not ours to judge again.
    pub(super) last: Option<&'a Ended>,
    /// When whatever carries it was asked for, by our clock.
    pub(super) asked: Option<Timestamp>,
    pub(super) now: Timestamp,
}

/// What is to be said of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// The service has not been told yet.
    NotBegun,
    /// It is under way.
    Running { status: String, since: Option<Timestamp> },
    /// It is under way and cannot succeed.
    Doomed(RolloutCause, Evidence),
    /// It has ended.
    Over(RolloutOutcome, Evidence),
}

/// Whether every intended container runs the intended image, as a task definition names it.
pub(super) fn runs(intended: &BTreeMap<String, ImageDigest>, definition: &TaskDefinitionState) -> bool {
    intended.iter().all(|(container, digest)| {
        definition.containers.iter().any(|found| found.name == *container && names(&found.image, digest))
    })
}

/// An image that is named by its digest is that image: whoever pulls it checks the digest.
pub(super) fn names(image: &str, digest: &ImageDigest) -> bool {
    image.rsplit_once('@').is_some_and(|(_, named)| named == digest.as_str())
}

fn brings(intended: &BTreeMap<String, ImageDigest>, revision: &ServiceRevisionState) -> bool {
    intended.iter().all(|(container, digest)| {
        revision.images.iter().any(|image| {
            image.container == *container && (image.digest.as_ref() == Some(digest) || names(&image.image, digest))
        })
    })
}

/// Judges a rollout.
pub(super) fn judge(case: &Case<'_>) -> Judgement {
    let intended = &case.rollout.intended;
    let arrived = runs(intended, case.primary);
    let steady = || case.service.primary().is_some_and(|primary| primary.rollout == Some(RolloutState::Completed));
    if sabotage::is(Bug::SteadyIsSuccess) && case.own().is_some() && steady() {
        return Judgement::Over(RolloutOutcome::Proven, case.evidence(None));
    }
    match case.own() {
        Some(own) => case.by_deployment(own, arrived),
        None if arrived => case.by_primary(),
        None => case.without_deployment(),
    }
}

impl<'a> Case<'a> {
    /// The newest service deployment that brings what is intended, and was asked for by this rollout.
    fn own(&self) -> Option<&'a Deployed> {
        let since = self.rollout.opened.saturating_sub(CLOCKS_DIFFER).unwrap_or(Timestamp::MIN);
        let judged = self.last.and_then(|last| last.evidence.deployment.as_deref());
        self.deployments.iter().find(|deployed| {
            let target = deployed.target.as_ref();
            let definition = target.and_then(|target| target.task_definition.as_ref());
            let ours = match &self.rollout.task_definition {
                Some(registered) => definition == Some(registered),
                None => target.is_some_and(|target| brings(&self.rollout.intended, target)),
            };
            ours && deployed.state.created >= since && judged != Some(deployed.state.arn.as_str())
        })
    }

    fn by_deployment(&self, own: &Deployed, arrived: bool) -> Judgement {
        use ServiceDeploymentStatus as S;
        let evidence = self.evidence(Some(own));
        match own.state.status {
            S::Pending | S::InProgress => self.in_progress(own, evidence),
            S::StopRequested | S::RollbackRequested | S::RollbackInProgress => self.going_back(own, evidence),
            S::Successful if !arrived && self.is_behind(own) => running(own),
            S::Successful if !arrived => Judgement::Over(RolloutOutcome::Superseded, evidence),
            S::Successful => self.proof(own.state.finished.unwrap_or(own.state.created), evidence),
            S::RollbackSuccessful => self.failed(RolloutOutcome::RolledBack, evidence),
            S::RollbackFailed => self.failed(RolloutOutcome::Failed, evidence),
            S::Stopped if arrived && !self.is_replaced(own) && self.has_just_ended(own) => running(own),
            S::Stopped if arrived && !self.is_replaced(own) => self.failed(RolloutOutcome::Failed, evidence),
            S::Stopped if self.rollout.doomed.is_some() => self.failed(RolloutOutcome::RolledBack, evidence),
            S::Stopped => self.replaced(evidence),
        }
    }

    /// ECS goes back for as long as it takes: without a circuit breaker for ever, where what ran before does not run either.
    /// A newer image must not wait for that.
    fn going_back(&self, own: &Deployed, evidence: Evidence) -> Judgement {
        let state = &own.state;
        let since = state.rollback.as_ref().and_then(|rollback| rollback.started);
        let since = since.or(self.rollout.doomed.as_ref().map(|doom| doom.at)).or(state.started);
        if self.is_overdue(since.unwrap_or(state.created)) {
            return self.failed(RolloutOutcome::Failed, evidence);
        }
        running(own)
    }

    /// What was read of the service is from before our deployment: reads lag behind each other. Not for ever.
    fn is_behind(&self, own: &Deployed) -> bool {
        let primary = self.service.primary();
        let behind = match &self.rollout.replaces {
            Some(replaced) => primary.is_some_and(|primary| primary.id == *replaced),
            None => primary.and_then(|primary| primary.created).is_some_and(|created| created < own.state.created),
        };
        behind && !self.is_late(own.state.finished.unwrap_or(own.state.created))
    }

    /// A newer deployment was asked for. The service may have been read before that.
    fn is_replaced(&self, own: &Deployed) -> bool {
        self.deployments.first().is_some_and(|newest| newest.state.created > own.state.created)
    }

    /// What has replaced it may be newer than the list that was read: the list and what is on it are two reads.
    fn has_just_ended(&self, own: &Deployed) -> bool {
        own.state.finished.is_some_and(|at| self.now.duration_since(at).abs() < LISTED_WITHIN)
    }

    /// It was ended by a newer deployment that is not ours. Where the stack went back because of something else, that
    /// says nothing about the image.
    fn replaced(&self, evidence: Evidence) -> Judgement {
        match self.carrier {
            Carrier::Direct | Carrier::StackBrought => Judgement::Over(RolloutOutcome::Superseded, evidence),
            Carrier::StackMoving => {
                Judgement::Running { status: "the stack is rolling back".to_owned(), since: Some(self.rollout.opened) }
            }
            Carrier::StackElsewhere => Judgement::NotBegun,
        }
    }

    fn in_progress(&self, own: &Deployed, evidence: Evidence) -> Judgement {
        if self.rollout.doomed.is_some() {
            return self.stopping(evidence).unwrap_or_else(|| running(own));
        }
        let since = self.counted_since(own, own.state.started.unwrap_or(own.state.created));
        self.doom(own.target.as_ref().and_then(|target| target.task_definition.as_ref()), since, evidence)
            .unwrap_or_else(|| running(own))
    }

    /// The intended images run, and no service deployment of this rollout brought them: they ran already, or AWS keeps no
    /// record of how they came.
    fn by_primary(&self) -> Judgement {
        let evidence = self.evidence(None);
        let Some(primary) = self.service.primary() else { return Judgement::NotBegun };
        match primary.rollout {
            Some(RolloutState::Completed) => self.proof(self.rollout.opened, evidence),
            Some(RolloutState::Failed) => self.failed(RolloutOutcome::Failed, evidence),
            Some(RolloutState::InProgress) | None => {
                let since = self.rollout.begun.or(primary.created).unwrap_or(self.rollout.opened);
                let since = since.max(self.rollout.opened);
                if self.rollout.doomed.is_some() {
                    return self.stopping(evidence).unwrap_or_else(|| waits(primary, since));
                }
                self.doom(Some(&primary.task_definition), since, evidence).unwrap_or_else(|| waits(primary, since))
            }
        }
    }

    fn without_deployment(&self) -> Judgement {
        let primary = self.service.primary();
        match self.carrier {
            Carrier::StackMoving => {
                Judgement::Running { status: "the stack deploys it".to_owned(), since: Some(self.rollout.opened) }
            }
            Carrier::StackElsewhere if self.rollout.doomed.is_some() => {
                self.failed(RolloutOutcome::RolledBack, self.evidence(None))
            }
            Carrier::StackElsewhere => Judgement::NotBegun,
            // The stack says that it brought them, and they are not there: ECS went back behind its back, or somebody
            // else has deployed.
            Carrier::StackBrought => Judgement::Over(RolloutOutcome::Superseded, self.evidence(None)),
            Carrier::Direct => {
                // The call may have been lost: as long as what it would have replaced is there, it may be made again.
                let replaced = self.rollout.replaces.as_deref() != primary.map(|primary| primary.id.as_str());
                if self.rollout.begun.is_some() && replaced {
                    return Judgement::Over(RolloutOutcome::Superseded, self.evidence(None));
                }
                Judgement::NotBegun
            }
        }
    }

    /// The deployment succeeded; now the tasks that run must show it.
    fn proof(&self, since: Timestamp, evidence: Evidence) -> Judgement {
        if self.service.desired == 0 {
            return Judgement::Over(RolloutOutcome::Unproven, evidence);
        }
        let running = self.tasks.running.iter().filter(|task| task.started.is_some()).collect::<Vec<_>>();
        let wanted = usize::try_from(self.service.desired).unwrap_or(usize::MAX);
        let proven = running.len() >= wanted && running.iter().all(|task| self.has_digests(task));
        if proven {
            return Judgement::Over(RolloutOutcome::Proven, evidence);
        }
        if self.is_late(since) {
            return Judgement::Over(RolloutOutcome::Unproven, evidence);
        }
        Judgement::Running {
            status: format!(
                "{} of {wanted} tasks run the new images",
                running.iter().filter(|task| self.has_digests(task)).count()
            ),
            since: Some(self.rollout.opened),
        }
    }

    fn has_digests(&self, task: &TaskState) -> bool {
        self.rollout.intended.iter().all(|(name, digest)| {
            let has = |container: &ContainerState| {
                // Of an image for several platforms, ECS may name the one that runs; the reference is the proof then.
                container.digest.as_ref() == Some(digest)
                    || container.image.as_deref().is_some_and(|image| names(image, digest))
            };
            task.containers.iter().any(|container| container.name == *name && has(container))
        })
    }

    /// Whether what is under way can still succeed.
    fn doom(&self, definition: Option<&TaskDefinitionArn>, since: Timestamp, evidence: Evidence) -> Option<Judgement> {
        let cause = definition.and_then(|definition| hopeless(definition, &self.tasks.stopped));
        let cause = cause.or_else(|| self.is_overdue(since).then_some(RolloutCause::Timeout))?;
        Some(Judgement::Doomed(cause, Evidence { cause: Some(cause), ..evidence }))
    }

    /// What began then is not going to end. The time that its strategy waits, for a canary or while both sets of tasks
    /// are kept, comes on top: nothing is wrong with an image because it is watched.
    pub(super) fn is_overdue(&self, since: Timestamp) -> bool {
        let waits = self.service.configuration.waits();
        let waits = if sabotage::is(Bug::BakeIsHopeless) { SignedDuration::ZERO } else { waits };
        self.is_late(since.saturating_add(waits).unwrap_or(Timestamp::MAX))
    }

    /// Since when the time counts against what a deployment brings. Where hooks decide whether it goes on, somebody may be
    /// thinking: only the start of its tasks counts then, and ECS itself ends each of the other stages within a day (AWS:
    /// *Lifecycle hooks*).
    pub(super) fn counted_since(&self, own: &Deployed, since: Timestamp) -> Timestamp {
        let hooks = &self.service.configuration.hooks;
        let Some(stage) = own.state.stage.as_deref().filter(|_| !hooks.is_empty()) else { return since };
        if sabotage::is(Bug::HookIsHopeless)
            || (matches!(stage, "RECONCILE_SERVICE" | "PRE_SCALE_UP") && !hooks.contains(stage))
        {
            return since;
        }
        let all = self.tasks.running.iter().chain(&self.tasks.stopped).filter_map(|task| task.created);
        let first = all.filter(|created| *created >= since).min();
        first.filter(|_| stage == "SCALE_UP").unwrap_or(self.now)
    }

    /// It takes longer than a rollout may, by AWS's clock and by ours: a clock that is wrong makes no image bad. Nor does a
    /// stack that has others to wait for.
    pub(super) fn is_late(&self, since: Timestamp) -> bool {
        let timeout = SignedDuration::try_from(self.spec.timeout).unwrap_or(SignedDuration::MAX);
        let since = since.max(self.rollout.opened).max(self.asked.unwrap_or(Timestamp::MIN));
        self.now.duration_since(since) > timeout
    }

    /// It was given up, and AWS is still at it: for as long as a rollout may take, then that is how it is.
    pub(super) fn stopping(&self, evidence: Evidence) -> Option<Judgement> {
        let doomed = self.rollout.doomed.as_ref()?;
        self.is_late(doomed.at).then(|| self.failed(RolloutOutcome::Failed, evidence))
    }

    pub(super) fn failed(&self, outcome: RolloutOutcome, evidence: Evidence) -> Judgement {
        let known = self.rollout.doomed.as_ref();
        let cause = known.map_or(RolloutCause::Stopped, |doom| doom.cause);
        let mut evidence = Evidence { cause: Some(cause), ..evidence };
        if let Some(doom) = known {
            // What was seen while it failed is worth more than what is left of it.
            evidence.stopped.clone_from(&doom.evidence.stopped);
            evidence.targets.clone_from(&doom.evidence.targets);
            evidence.log.clone_from(&doom.evidence.log);
        }
        Judgement::Over(outcome, evidence)
    }

    /// What there is to see, in AWS's words.
    pub(super) fn evidence(&self, own: Option<&Deployed>) -> Evidence {
        let target = own.and_then(|own| own.target.as_ref()).and_then(|target| target.task_definition.as_ref());
        let definition = target.unwrap_or(&self.primary.arn);
        let mut evidence = Evidence {
            deployment: own.map(|own| own.state.arn.to_string()),
            status: own.map(|own| match &own.state.status_reason {
                Some(reason) => format!("{}: {reason}", own.state.status),
                None => own.state.status.to_string(),
            }),
            task_definition: Some(definition.to_string()),
            ..Evidence::default()
        };
        for task in &self.tasks.running {
            let digests = task.containers.iter().filter(|found| self.rollout.intended.contains_key(&found.name));
            let digests = digests.map(|found| format!("{} {}", found.name, shown(found)));
            *evidence.running.entry(digests.collect::<Vec<_>>().join(", ")).or_default() += 1;
        }
        for task in self.tasks.stopped.iter().filter(|task| task.task_definition == *definition) {
            *evidence.stopped.entry(why_stopped(task)).or_default() += 1;
        }
        evidence
    }
}

pub(super) fn running(own: &Deployed) -> Judgement {
    let state = &own.state;
    let status = match &state.stage {
        Some(at) => format!("{}, {at}", state.status),
        None => state.status.to_string(),
    };
    Judgement::Running { status, since: state.started.or(Some(state.created)) }
}

pub(super) fn waits(primary: &DeploymentState, since: Timestamp) -> Judgement {
    let status = primary.rollout.map_or("progressing", RolloutState::as_str);
    Judgement::Running { status: status.to_owned(), since: Some(since) }
}

fn shown(container: &ContainerState) -> String {
    container.digest.as_ref().map_or_else(|| "not pulled".to_owned(), |digest| digest.short().to_owned())
}

/// Why a task stopped, without what differs from task to task, so that equal reasons are counted together.
fn why_stopped(task: &TaskState) -> String {
    let said = task.stopped_reason.as_deref().or(task.stop_code.as_deref()).unwrap_or("no reason was given");
    let exited = task.containers.iter().find_map(|container| {
        let code = container.exit_code.filter(|code| *code != 0)?;
        Some(format!(" ({} exited with {code})", container.name))
    });
    let words = said.split_whitespace().map(|word| if word.contains(task.arn.id()) { "…" } else { word });
    words.collect::<Vec<_>>().join(" ") + &exited.unwrap_or_default()
}

//! Deployments with a second set of tasks: blue/green, canary and linear (AWS: *Amazon ECS blue/green deployments*).
//!
//! The second set is started beside the first, gets test traffic where there is a listener for it, then the traffic at
//! once or in steps, is watched for the bake time, and only then is the first one stopped. Hooks decide between the
//! stages whether it goes on. To go back is to hand the traffic to the first set, which has run all the time. The circuit
//! breaker has no part in it; alarms, hooks and people have.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Service, Stage};
use crate::model::{
    AlarmState, AlarmsState, DeploymentStatus, MonitorStatus, RollbackState, RolloutState, ServiceArn,
    ServiceDeploymentArn, ServiceDeploymentStatus, ServiceRevisionArn,
};
use crate::sim::world::World;

/// From the request to the first task.
pub(super) const PENDING: Duration = Duration::from_secs(10);
/// Traffic that moves at once has moved after this long; and back.
const SHIFT: Duration = Duration::from_secs(20);

/// A stage is over after this long, whatever its hook says (AWS: *Lifecycle hooks*).
const STAGE_MAX: Duration = Duration::from_hours(24);

/// What comes after what.
const ORDER: [Stage; 9] = [
    Stage::PreScaleUp,
    Stage::ScaleUp,
    Stage::PostScaleUp,
    Stage::TestShift,
    Stage::PostTestShift,
    Stage::Shift,
    Stage::PostShift,
    Stage::Bake,
    Stage::CleanUp,
];

/// A function that ECS asks whether a deployment goes on (AWS: *Lambda hooks*): `IN_PROGRESS` until it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleHook {
    /// For how long it does not know.
    pub takes: Duration,
    /// What it says then: `SUCCEEDED`, or `FAILED`.
    pub succeeds: bool,
}

fn minutes(given: Option<u32>) -> Duration {
    Duration::from_mins(given.map_or(0, u64::from))
}

impl Service {
    /// The first set of tasks is kept whole.
    pub(super) fn keeps_both(&self) -> bool {
        let stage = self.primary().and_then(|ix| self.rollouts[ix].stage);
        stage.is_some_and(|(stage, _)| stage != Stage::CleanUp)
    }

    /// How long the hooks of a stage take together, and whether it goes on then. Of those on the way back, too.
    fn hooked(&self, stage: Stage) -> (Duration, bool) {
        let asked: &[Stage] = if stage == Stage::Back { &[Stage::TestShift, Stage::Shift] } else { &[stage] };
        let hooks = asked.iter().filter_map(|stage| self.hooks.get(stage.as_str()));
        let each = hooks.map(|hook| (hook.takes.min(STAGE_MAX), hook.succeeds && hook.takes <= STAGE_MAX));
        each.fold((Duration::ZERO, true), |(takes, goes_on), (more, also)| (takes + more, goes_on && also))
    }

    /// How long a stage lasts that ends by itself; `None`: there is nothing to be done in it.
    fn lasts(&self, stage: Stage) -> Option<Duration> {
        let configuration = &self.state.configuration;
        let own = match stage {
            Stage::Bake => minutes(configuration.bake_minutes),
            Stage::Shift => SHIFT + minutes(configuration.shift_minutes),
            Stage::Back => SHIFT,
            Stage::TestShift if self.test_traffic => SHIFT,
            // Nothing but what their hooks take.
            Stage::PreScaleUp
            | Stage::ScaleUp
            | Stage::PostScaleUp
            | Stage::TestShift
            | Stage::PostTestShift
            | Stage::PostShift
            | Stage::CleanUp => Duration::ZERO,
        };
        let lasts = own + self.hooked(stage).0;
        (stage == Stage::Bake || !lasts.is_zero()).then_some(lasts)
    }
}

impl World {
    /// A stage that ends by itself has ended; and so has a deployment that was stopped.
    pub(super) fn stage_moves(&mut self, region: usize, arn: &ServiceArn) {
        let now = self.data.now;
        let Some(service) = self.service(region, arn) else { return };
        let Some(ix) = service.primary() else { return };
        let record = service.rollouts[ix].record.clone();
        if service.rollouts[ix].stops.is_some_and(|at| at <= now) {
            self.has_stopped(region, arn, &record);
            return;
        }
        let Some((stage, Some(_))) = service.rollouts[ix].stage.filter(|(_, until)| until.is_some_and(|at| at <= now))
        else {
            return;
        };
        let goes_on = service.hooked(stage).1;
        let of_it = service.records.iter().find(|found| found.arn == record);
        let is_pending = of_it.is_some_and(|record| record.status == ServiceDeploymentStatus::Pending);
        let lasts = service.lasts(stage);
        match stage {
            Stage::PreScaleUp if is_pending && lasts.is_some() => self.enter(region, arn, stage, lasts),
            Stage::ScaleUp | Stage::CleanUp => {}
            Stage::Back if goes_on => self.go_blue(region, arn),
            Stage::Back => {
                let reason = "Service deployment rollback failed because a lifecycle hook has failed.";
                self.end_record(region, arn, &record, ServiceDeploymentStatus::RollbackFailed, reason);
                self.hold(region, arn);
            }
            _ if goes_on => self.next_stage(region, arn, stage),
            _ => {
                self.give_up(region, arn, "lifecycle hook failed.");
                self.go_back(
                    region,
                    arn,
                    &record,
                    "Service deployment rolled back because a lifecycle hook has failed.",
                );
            }
        }
    }

    /// Into the next stage in which there is something to be done.
    fn next_stage(&mut self, region: usize, arn: &ServiceArn, from: Stage) {
        let Some(service) = self.service(region, arn) else { return };
        let after = ORDER.into_iter().skip_while(|stage| *stage != from).skip(1);
        let mut steps = after.filter_map(|stage| match stage {
            Stage::ScaleUp | Stage::CleanUp => Some((stage, None)),
            _ => service.lasts(stage).map(|lasts| (stage, Some(lasts))),
        });
        if let Some((stage, lasts)) = steps.next() {
            self.enter(region, arn, stage, lasts);
        }
    }

    /// Nobody moves anything any more: where there are two sets of tasks, both stay.
    fn hold(&mut self, region: usize, arn: &ServiceArn) {
        let Some(service) = self.service_mut(region, arn).filter(|service| service.is_staged()) else { return };
        if let Some(ix) = service.primary() {
            service.rollouts[ix].stage = Some((Stage::Back, None));
        }
    }

    /// AWS: *`StopServiceDeployment`*, `ABORT`: it stays where it is, but not at once.
    pub(super) fn request_stop(
        &mut self,
        region: usize,
        arn: &ServiceArn,
        record: &ServiceDeploymentArn,
        reason: &str,
    ) {
        let until = self.in_a_while(SHIFT);
        let Some(service) = self.service_mut(region, arn) else { return };
        if let Some(ix) = service.primary() {
            service.rollouts[ix].stops = Some(until);
        }
        if let Some(record) = service.records.iter_mut().find(|found| found.arn == *record) {
            record.status = ServiceDeploymentStatus::StopRequested;
            record.status_reason = Some(reason.to_owned());
        }
        self.step_service(region, arn);
    }

    fn has_stopped(&mut self, region: usize, arn: &ServiceArn, record: &ServiceDeploymentArn) {
        let Some(service) = self.service_mut(region, arn) else { return };
        if let Some(ix) = service.primary() {
            service.rollouts[ix].stops = None;
        }
        let found = service.records.iter().find(|found| found.arn == *record);
        let reason = found.and_then(|found| found.status_reason.clone()).unwrap_or_default();
        self.end_record(region, arn, record, ServiceDeploymentStatus::Stopped, &reason);
        self.hold(region, arn);
    }

    fn enter(&mut self, region: usize, arn: &ServiceArn, stage: Stage, lasts: Option<Duration>) {
        let (now, until) = (self.data.now, lasts.map(|lasts| self.in_a_while(lasts)));
        let Some(service) = self.service_mut(region, arn) else { return };
        let Some(ix) = service.primary() else { return };
        service.rollouts[ix].stage = Some((stage, until));
        let record = service.rollouts[ix].record.clone();
        let Some(record) = service.records.iter_mut().find(|found| found.arn == record) else { return };
        record.stage = Some(stage.as_str().to_owned());
        if record.status == ServiceDeploymentStatus::Pending {
            record.status = ServiceDeploymentStatus::InProgress;
            record.started = Some(now);
        }
    }

    /// A second set that is complete gets the traffic; one that an alarm speaks against is taken back.
    pub(super) fn judge_stage(&mut self, region: usize, arn: &ServiceArn, complete: bool) {
        let Some(service) = self.service(region, arn) else { return };
        let Some(ix) = service.primary() else { return };
        let (stage, record) = (service.rollouts[ix].stage, service.rollouts[ix].record.clone());
        let configuration = &service.state.configuration;
        let alarms = &self.ecs(region).alarms;
        let loud = configuration.alarms.iter().filter(|name| {
            alarms.get(*name).is_some_and(|alarm| alarm.state == AlarmState::Alarm) && configuration.alarm_rollback
        });
        let triggered: std::collections::BTreeSet<String> = loud.cloned().collect();
        if !triggered.is_empty() {
            if let Some(service) = self.service_mut(region, arn)
                && let Some(record) = service.records.iter_mut().find(|found| found.arn == record)
            {
                record.alarms = Some(AlarmsState { status: MonitorStatus::Triggered, triggered });
            }
            self.give_up(region, arn, "alarm detected.");
            self.go_back(region, arn, &record, "Service deployment rolled back because of an alarm.");
        } else if complete && matches!(stage, Some((Stage::ScaleUp, _))) {
            self.next_stage(region, arn, Stage::ScaleUp);
        }
    }

    /// Asks for the way back to the first set, where it still runs.
    pub(super) fn hand_back(
        &mut self,
        region: usize,
        arn: &ServiceArn,
        record: &ServiceDeploymentArn,
        to: &ServiceRevisionArn,
        reason: &str,
    ) -> bool {
        let now = self.data.now;
        let Some(service) = self.service_mut(region, arn) else { return false };
        let kept = service.keeps_both() && service.rollouts.iter().any(|rollout| rollout.revision == *to);
        if !kept {
            return false;
        }
        if let Some(record) = service.records.iter_mut().find(|found| found.arn == *record) {
            record.status = ServiceDeploymentStatus::RollbackRequested;
            record.status_reason = Some(reason.to_owned());
            record.started.get_or_insert(now);
            record.rollback =
                Some(RollbackState { reason: Some(reason.to_owned()), started: Some(now), to: Some(to.clone()) });
        }
        let lasts = self.service(region, arn).and_then(|service| service.lasts(Stage::Back));
        self.enter(region, arn, Stage::Back, lasts);
        self.step_service(region, arn);
        true
    }

    /// The first set has the traffic again; the second is stopped.
    fn go_blue(&mut self, region: usize, arn: &ServiceArn) {
        let now = self.data.now;
        let Some(service) = self.service_mut(region, arn) else { return };
        let Some(green) = service.primary() else { return };
        let Some(blue) =
            service.rollouts.iter().position(|rollout| Some(&rollout.revision) == service.completed.as_ref())
        else {
            return;
        };
        let record = service.rollouts[green].record.clone();
        let replaced = &mut service.rollouts[green];
        replaced.stage = None;
        replaced.given_up = true;
        replaced.deployment.status = DeploymentStatus::Active;
        let mut back = service.rollouts.remove(blue);
        back.deployment.status = DeploymentStatus::Primary;
        back.deployment.rollout = Some(RolloutState::InProgress);
        back.deployment.updated = Some(now);
        back.record = record.clone();
        back.going_back = true;
        service.state.task_definition = Some(back.deployment.task_definition.clone());
        service.rollouts.insert(0, back);
        if let Some(record) = service.records.iter_mut().find(|found| found.arn == record) {
            record.status = ServiceDeploymentStatus::RollbackInProgress;
            record.stage = Some(Stage::CleanUp.as_str().to_owned());
        }
    }
}

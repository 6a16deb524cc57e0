//! Deployments with a second set of tasks: blue/green, canary and linear (AWS: *Amazon ECS blue/green deployments*).
//!
//! The second set is started beside the first, gets the traffic at once or in steps, is watched for the bake time, and
//! only then is the first one stopped. To go back is to hand the traffic to the first set, which has run all the time.
//! The circuit breaker has no part in it; alarms and people have.

use std::time::Duration;

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

fn minutes(given: Option<u32>) -> Duration {
    Duration::from_mins(given.map_or(0, u64::from))
}

impl Service {
    /// The first set of tasks is kept whole.
    pub(super) fn keeps_both(&self) -> bool {
        let stage = self.primary().and_then(|ix| self.rollouts[ix].stage);
        stage.is_some_and(|(stage, _)| stage != Stage::CleanUp)
    }
}

impl World {
    /// A stage that ends by itself has ended.
    pub(super) fn stage_moves(&mut self, region: usize, arn: &ServiceArn) {
        let now = self.data.now;
        let Some(service) = self.service(region, arn) else { return };
        let Some(ix) = service.primary() else { return };
        let Some((stage, Some(_))) = service.rollouts[ix].stage.filter(|(_, until)| until.is_some_and(|at| at <= now))
        else {
            return;
        };
        match stage {
            Stage::PreScaleUp => self.enter(region, arn, Stage::ScaleUp, None),
            Stage::Shift => {
                let bake = minutes(service.state.configuration.bake_minutes);
                self.enter(region, arn, Stage::Bake, Some(bake));
            }
            Stage::Bake => self.enter(region, arn, Stage::CleanUp, None),
            Stage::Back => self.go_blue(region, arn),
            Stage::ScaleUp | Stage::CleanUp => {}
        }
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
        let shift = SHIFT + minutes(configuration.shift_minutes);
        if !triggered.is_empty() {
            if let Some(service) = self.service_mut(region, arn)
                && let Some(record) = service.records.iter_mut().find(|found| found.arn == record)
            {
                record.alarms = Some(AlarmsState { status: MonitorStatus::Triggered, triggered });
            }
            self.give_up(region, arn, "alarm detected.");
            self.go_back(region, arn, &record, "Service deployment rolled back because of an alarm.");
        } else if complete && matches!(stage, Some((Stage::ScaleUp, _))) {
            self.enter(region, arn, Stage::Shift, Some(shift));
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
        self.enter(region, arn, Stage::Back, Some(SHIFT));
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

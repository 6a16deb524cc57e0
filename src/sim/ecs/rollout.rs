//! Changes of a service: how one begins, succeeds, fails and goes back.

use jiff::Timestamp;

use super::stages::PENDING;
use super::{Rollout, Stage, arn, short};
use crate::model::{
    CircuitBreakerState, ContainerImage, DeploymentState, DeploymentStatus, MonitorStatus, RollbackState, RolloutState,
    ServiceArn, ServiceDeploymentArn, ServiceDeploymentState, ServiceDeploymentStatus, ServiceEvent,
    ServiceRevisionArn, ServiceRevisionState, TaskDefinitionArn, TaskDefinitionState,
};
use crate::ports::PortError;
use crate::sim::world::World;

/// Failures at which the circuit breaker gives up (AWS: *Deployment circuit breaker*): half of the desired count, but
/// not less than 3 and not more than 200.
pub(super) fn threshold(desired: u32) -> u32 {
    desired.div_ceil(2).clamp(3, 200)
}

impl World {
    /// A new revision of a service, with what its images mean now (AWS: *Container image resolution*).
    fn revise(
        &mut self,
        region: usize,
        service: &ServiceArn,
        definition: &TaskDefinitionState,
    ) -> Result<ServiceRevisionArn, PortError> {
        let number = self.fresh_digits(19);
        let scope = self.data.regions[region].scope.clone();
        let path = service.as_str().split_once(":service/").map_or(service.as_str(), |(_, path)| path).to_owned();
        let arn: ServiceRevisionArn = arn(&scope, &format!("service-revision/{path}/{number}"))?;
        let images = definition.containers.iter().map(|container| ContainerImage {
            container: container.name.clone(),
            image: container.image.clone(),
            digest: self.resolve_image(&container.image).ok(),
        });
        let revision = ServiceRevisionState {
            arn: arn.clone(),
            service: service.clone(),
            task_definition: Some(definition.arn.clone()),
            images: images.collect(),
            created: Some(self.data.now),
        };
        if let Some(service) = self.service_mut(region, service) {
            service.revisions.push(revision);
        }
        Ok(arn)
    }

    /// Begins to deploy a task definition: a new service deployment, which replaces one that is under way.
    pub(in crate::sim) fn deploy(
        &mut self,
        region: usize,
        service: &ServiceArn,
        definition: &TaskDefinitionState,
    ) -> Result<(), PortError> {
        let revision = self.revise(region, service, definition)?;
        let digits = self.fresh_digits(20);
        let (scope, now) = (self.data.regions[region].scope.clone(), self.data.now);
        let path = service.as_str().split_once(":service/").map_or(service.as_str(), |(_, path)| path).to_owned();
        let record: ServiceDeploymentArn = arn(&scope, &format!("service-deployment/{path}/{digits}"))?;
        let Some(found) = self.service_mut(region, service) else { return Ok(()) };
        if let Some(last) = found.records.last_mut().filter(|record| !record.status.is_final()) {
            last.status = ServiceDeploymentStatus::Stopped;
            last.status_reason = Some("A newer service deployment was started.".to_owned());
            last.stopped = Some(now);
            last.finished = Some(now);
            last.stage = None;
        }
        let configuration = &found.state.configuration;
        // Of a service without tasks so far there is nothing to keep, and no stage to go through.
        let staged = found.is_staged() && !found.rollouts.is_empty();
        let breaker = CircuitBreakerState {
            // It is for rolling deployments alone (AWS: *`DeploymentCircuitBreaker`*).
            status: if configuration.circuit_breaker && !found.is_staged() {
                MonitorStatus::Monitoring
            } else {
                MonitorStatus::Disabled
            },
            failures: 0,
            threshold: threshold(found.state.desired),
        };
        let sources = found.rollouts.iter().map(|rollout| rollout.revision.clone()).collect();
        found.records.push(ServiceDeploymentState {
            arn: record.clone(),
            service: service.clone(),
            status: if staged { ServiceDeploymentStatus::Pending } else { ServiceDeploymentStatus::InProgress },
            status_reason: None,
            stage: None,
            sources,
            target: Some(revision.clone()),
            circuit_breaker: Some(breaker),
            alarms: None,
            rollback: None,
            created: now,
            started: (!staged).then_some(now),
            finished: None,
            stopped: None,
        });
        self.roll(region, service, &definition.arn, revision, record, false);
        Ok(())
    }

    /// Makes a revision the primary one. The others lose their tasks as its own become healthy.
    fn roll(
        &mut self,
        region: usize,
        service: &ServiceArn,
        definition: &TaskDefinitionArn,
        revision: ServiceRevisionArn,
        record: ServiceDeploymentArn,
        going_back: bool,
    ) {
        let number = self.serial();
        let (now, pending) = (self.data.now, self.in_a_while(PENDING));
        let Some(found) = self.service_mut(region, service) else { return };
        let staged = found.is_staged() && !found.rollouts.is_empty() && !going_back;
        for rollout in &mut found.rollouts {
            if rollout.deployment.status == DeploymentStatus::Primary {
                rollout.deployment.status = DeploymentStatus::Active;
                rollout.deployment.updated = Some(now);
            }
        }
        found.state.task_definition = Some(definition.clone());
        let id = format!("ecs-svc/{:019}", 1_000_000_000_000_000_000 + number);
        let deployment = DeploymentState {
            rollout_reason: Some(format!("ECS deployment {id} in progress.")),
            id,
            status: DeploymentStatus::Primary,
            task_definition: definition.clone(),
            desired: found.state.desired,
            running: 0,
            pending: 0,
            failed_tasks: 0,
            rollout: Some(RolloutState::InProgress),
            created: Some(now),
            updated: Some(now),
        };
        let stage = staged.then_some((Stage::PreScaleUp, Some(pending)));
        let (ran, given_up) = (false, false);
        let rollout =
            Rollout { deployment, revision, record, going_back, ran, not_before: None, given_up, stage, stops: None };
        found.rollouts.insert(0, rollout);
        self.step_service(region, service);
    }

    /// The newest deployment has brought everything that it should.
    pub(super) fn rollout_completed(&mut self, region: usize, service: &ServiceArn) {
        let now = self.data.now;
        let Some(found) = self.service_mut(region, service) else { return };
        let name = found.state.name.clone();
        let Some(ix) = found.primary() else { return };
        let rollout = &mut found.rollouts[ix];
        let (record, going_back, revision) = (rollout.record.clone(), rollout.going_back, rollout.revision.clone());
        let id = rollout.deployment.id.clone();
        rollout.deployment.rollout = Some(RolloutState::Completed);
        rollout.deployment.rollout_reason = Some(format!("ECS deployment {id} completed."));
        rollout.deployment.updated = Some(now);
        rollout.deployment.failed_tasks = 0;
        found.completed = Some(revision);
        if let Some(record) = found.records.iter_mut().find(|found| found.arn == record) {
            record.status = if going_back {
                ServiceDeploymentStatus::RollbackSuccessful
            } else {
                ServiceDeploymentStatus::Successful
            };
            record.finished = Some(now);
            record.stage = None;
            if let Some(breaker) = &mut record.circuit_breaker
                && breaker.status == MonitorStatus::Monitoring
            {
                breaker.status = MonitorStatus::Complete;
            }
        }
        self.say(region, service, format!("(service {name}) (deployment {id}) deployment completed."));
        self.say(region, service, format!("(service {name}) has reached a steady state."));
    }

    /// The newest deployment has failed too often.
    pub(super) fn breaker_tripped(&mut self, region: usize, service: &ServiceArn) {
        let Some(found) = self.service_mut(region, service) else { return };
        let (name, back) = (found.state.name.clone(), found.state.configuration.circuit_breaker_rollback);
        let Some(ix) = found.primary() else { return };
        let rollout = &found.rollouts[ix];
        let (record, id, going_back) = (rollout.record.clone(), rollout.deployment.id.clone(), rollout.going_back);
        if let Some(breaker) = found
            .records
            .iter_mut()
            .find(|found| found.arn == record)
            .and_then(|record| record.circuit_breaker.as_mut())
        {
            breaker.status = MonitorStatus::Triggered;
        }
        self.say(
            region,
            service,
            format!("(service {name}) (deployment {id}) deployment failed: tasks failed to start."),
        );
        let reason = "Service deployment rolled back because the circuit breaker threshold was exceeded.";
        if going_back {
            self.end_record(region, service, &record, ServiceDeploymentStatus::RollbackFailed, reason);
            self.give_up(region, service, "tasks failed to start.");
        } else if back {
            self.give_up(region, service, "tasks failed to start.");
            self.go_back(region, service, &record, reason);
        } else {
            self.give_up(region, service, "tasks failed to start.");
            let reason = "Service deployment failed because the circuit breaker threshold was exceeded.";
            self.end_record(region, service, &record, ServiceDeploymentStatus::Stopped, reason);
        }
    }

    /// The newest deployment starts no task any more.
    pub(super) fn give_up(&mut self, region: usize, service: &ServiceArn, why: &str) {
        let now = self.data.now;
        let Some(found) = self.service_mut(region, service) else { return };
        let Some(ix) = found.primary() else { return };
        let rollout = &mut found.rollouts[ix];
        rollout.given_up = true;
        rollout.deployment.rollout = Some(RolloutState::Failed);
        rollout.deployment.rollout_reason = Some(format!("ECS deployment {} failed: {why}", rollout.deployment.id));
        rollout.deployment.updated = Some(now);
    }

    pub(super) fn end_record(
        &mut self,
        region: usize,
        service: &ServiceArn,
        record: &ServiceDeploymentArn,
        status: ServiceDeploymentStatus,
        reason: &str,
    ) {
        let now = self.data.now;
        let Some(found) = self.service_mut(region, service) else { return };
        let Some(record) = found.records.iter_mut().find(|found| found.arn == *record) else { return };
        record.status = status;
        record.status_reason = Some(reason.to_owned());
        record.stage = None;
        record.finished = Some(now);
        if status == ServiceDeploymentStatus::Stopped {
            record.stopped = Some(now);
        }
    }

    /// Back to the last revision that was deployed completely. If there is none, the deployment stalls: no task is
    /// started any more, and nothing replaces it (AWS: *Deployment circuit breaker*, "no previous deployment").
    pub(in crate::sim) fn go_back(
        &mut self,
        region: usize,
        service: &ServiceArn,
        record: &ServiceDeploymentArn,
        reason: &str,
    ) {
        let now: Timestamp = self.data.now;
        let Some(found) = self.service(region, service) else { return };
        let target = found.completed.clone().and_then(|revision| {
            let definition = found.revision(&revision)?.task_definition.clone()?;
            Some((revision, definition))
        });
        let Some((revision, definition)) = target else {
            self.end_record(region, service, record, ServiceDeploymentStatus::RollbackFailed, reason);
            return;
        };
        if self.hand_back(region, service, record, &revision, reason) {
            return;
        }
        if let Some(found) = self.service_mut(region, service)
            && let Some(record) = found.records.iter_mut().find(|found| found.arn == *record)
        {
            record.status = ServiceDeploymentStatus::RollbackInProgress;
            record.status_reason = Some(reason.to_owned());
            record.rollback =
                Some(RollbackState { reason: Some(reason.to_owned()), started: Some(now), to: Some(revision.clone()) });
        }
        let text =
            format!("(service {}) rolling back to deployment of {}.", short(service.as_str()), definition.short());
        self.say(region, service, text);
        self.roll(region, service, &definition, revision, record.clone(), true);
    }

    /// An event of a service.
    pub(super) fn say(&mut self, region: usize, service: &ServiceArn, message: String) {
        let id = self.fresh_digits(32);
        let at = self.data.now;
        let Some(found) = self.service_mut(region, service) else { return };
        found.state.events.insert(0, ServiceEvent { id, at, message });
        found.state.events.truncate(100);
    }
}

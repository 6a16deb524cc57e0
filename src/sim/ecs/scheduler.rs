//! The scheduler of ECS: it starts tasks, sees what becomes of them, and replaces those of older deployments.

use std::time::Duration;

use jiff::Timestamp;

use super::{Service, Stage, Task, TaskEvent};
use crate::model::{
    ContainerState, DeploymentStatus, RolloutState, ServiceArn, ServiceStatus, TaskHealth, TaskState, TaskStatus,
};
use crate::sim::ImageBehaviour;
use crate::sim::world::{Due, World};

/// A pull of an ordinary image on Fargate.
const PULL: Duration = Duration::from_secs(20);
/// Until a load balancer or a container's health check calls a task healthy.
const HEALTH: Duration = Duration::from_secs(30);
/// A container that crashes does so after this long.
const CRASH: Duration = Duration::from_secs(10);
/// Until failing health checks stop a task.
const UNHEALTHY: Duration = Duration::from_mins(1);
/// Restarts of tasks that never run are put off, up to this (AWS: *Service throttle logic*).
const LONGEST_PAUSE: Duration = Duration::from_mins(27);
/// AWS tells of a stopped task for this long.
pub(super) const KEPT: Duration = Duration::from_hours(1);

/// How many tasks of a service there may be, and how many healthy ones there must be.
fn bounds(service: &Service) -> (usize, usize) {
    let desired = u64::from(service.state.desired);
    let percent = |given: Option<u32>, usual: u64| given.map_or(usual, u64::from);
    let least = (desired * percent(service.state.configuration.minimum_healthy_percent, 100)).div_ceil(100);
    let most = desired * percent(service.state.configuration.maximum_percent, 200) / 100;
    (usize::try_from(least).unwrap_or(usize::MAX), usize::try_from(most).unwrap_or(usize::MAX))
}

impl World {
    /// Something is due in a service.
    pub(in crate::sim) fn service_is_due(&mut self, region: usize, arn: &ServiceArn, serial: u64) {
        if self.service(region, arn).is_some_and(|service| service.serial == serial) {
            self.step_service(region, arn);
        }
    }

    /// Brings a service up to now, and puts what is next on the agenda.
    pub(in crate::sim) fn step_service(&mut self, region: usize, arn: &ServiceArn) {
        self.tasks_move(region, arn);
        self.stage_moves(region, arn);
        self.stop_surplus(region, arn);
        self.start_missing(region, arn);
        self.count_tasks(region, arn);
        self.judge(region, arn);
        self.remember(region, arn);
        self.plan_next(region, arn);
        self.announce_service(region, arn);
    }

    fn tasks_move(&mut self, region: usize, arn: &ServiceArn) {
        let now = self.data.now;
        let oldest = self.ago(KEPT);
        let Some(service) = self.service_mut(region, arn) else { return };
        service.tasks.retain(|task| task.state.stopped.is_none_or(|stopped| stopped > oldest));
        let due: Vec<(usize, TaskEvent)> = service
            .tasks
            .iter()
            .enumerate()
            .filter_map(|(ix, task)| task.next.filter(|(at, _)| *at <= now).map(|(_, event)| (ix, event)))
            .collect();
        for (ix, event) in due {
            match event {
                TaskEvent::Pulled => self.task_pulled(region, arn, ix),
                TaskEvent::Steady => {
                    if let Some(task) = self.service_mut(region, arn).and_then(|service| service.tasks.get_mut(ix)) {
                        task.steady = true;
                        task.next = None;
                        task.state.health = TaskHealth::Healthy;
                        for container in &mut task.state.containers {
                            container.health = TaskHealth::Healthy;
                        }
                    }
                }
                TaskEvent::Exits => {
                    self.task_stops(
                        region,
                        arn,
                        ix,
                        "EssentialContainerExited",
                        "Essential container in task exited",
                        false,
                    );
                }
                TaskEvent::Unhealthy => {
                    let why = "Task failed container health checks";
                    self.task_stops(region, arn, ix, "ServiceSchedulerInitiated", why, true);
                }
            }
        }
    }

    /// The images of a task were to be pulled by now. A tag means what it meant when the revision was deployed.
    fn task_pulled(&mut self, region: usize, arn: &ServiceArn, ix: usize) {
        let Some(service) = self.service(region, arn) else { return };
        let Some(task) = service.tasks.get(ix) else { return };
        let Some(rollout) = service.rollouts.iter().find(|rollout| task.is_of(rollout)) else { return };
        let revision = rollout.revision.clone();
        let images = service.revision(&revision).map(|revision| revision.images.clone()).unwrap_or_default();
        let mut pulled = Vec::new();
        let mut worst = ImageBehaviour::Runs;
        for image in &images {
            let reference = match &image.digest {
                Some(digest) => format!("{}@{digest}", image.image.split('@').next().unwrap_or(&image.image)),
                None => image.image.clone(),
            };
            let found = self.resolve_image(&reference).and_then(|digest| match self.behaviour(region, &digest) {
                ImageBehaviour::CannotBePulled => {
                    Err(format!("pull image manifest has been retried 5 time(s): failed to resolve ref {reference}"))
                }
                behaviour => Ok((digest, behaviour)),
            });
            match found {
                Ok((digest, behaviour)) => {
                    worst = worst.max(behaviour);
                    pulled.push((image.container.clone(), digest));
                }
                Err(why) => {
                    let why = format!("CannotPullContainerError: {why}");
                    self.task_stops(region, arn, ix, "TaskFailedToStart", &why, true);
                    return;
                }
            }
        }
        self.task_runs(region, arn, ix, worst, &pulled);
        // What could not be resolved when the revision was made is resolved by the first task that is pulled.
        if let Some(service) = self.service_mut(region, arn)
            && let Some(revision) = service.revisions.iter_mut().find(|found| found.arn == revision)
        {
            for (container, digest) in pulled {
                let image = revision.images.iter_mut().find(|image| image.container == container);
                if let Some(image) = image {
                    image.digest.get_or_insert(digest);
                }
            }
        }
    }

    fn task_runs(
        &mut self,
        region: usize,
        arn: &ServiceArn,
        ix: usize,
        behaviour: ImageBehaviour,
        pulled: &[(String, crate::model::ImageDigest)],
    ) {
        let now = self.data.now;
        let (after, event) = match behaviour {
            ImageBehaviour::Runs | ImageBehaviour::CannotBePulled => (HEALTH, TaskEvent::Steady),
            ImageBehaviour::Crashes => (CRASH, TaskEvent::Exits),
            ImageBehaviour::NeverHealthy => (UNHEALTHY, TaskEvent::Unhealthy),
        };
        let next = self.in_a_while(after);
        let Some(service) = self.service_mut(region, arn) else { return };
        let Some(task) = service.tasks.get_mut(ix) else { return };
        task.state.status = TaskStatus::Running;
        task.state.started = Some(now);
        task.next = Some((next, event));
        for container in &mut task.state.containers {
            let digest = pulled.iter().find(|(name, _)| *name == container.name);
            container.digest = digest.map(|(_, digest)| digest.clone());
            container.runtime_id = Some(format!("{}-{}", task.state.arn.id(), container.name));
        }
        let by = task.state.started_by.clone();
        if let Some(rollout) = service.rollouts.iter_mut().find(|rollout| Some(&rollout.deployment.id) == by.as_ref()) {
            rollout.ran = true;
        }
    }

    /// A task stops by itself. Whether that counts as a failure of its deployment: those that never ran and those that
    /// were unhealthy do, those that ran and then exited do not (AWS: *Deployment*, `failedTasks`).
    fn task_stops(&mut self, region: usize, arn: &ServiceArn, ix: usize, code: &str, why: &str, counts: bool) {
        let now = self.data.now;
        let Some(service) = self.service_mut(region, arn) else { return };
        let Some(task) = service.tasks.get_mut(ix) else { return };
        let never_ran = task.state.started.is_none();
        stop(task, now, code, why);
        if code == "EssentialContainerExited" {
            for container in &mut task.state.containers {
                container.exit_code = Some(1);
            }
        }
        let (id, by, name) =
            (task.state.arn.id().to_owned(), task.state.started_by.clone(), service.state.name.clone());
        let desired = service.state.desired.max(1);
        let rollout = service.rollouts.iter_mut().find(|rollout| Some(&rollout.deployment.id) == by.as_ref());
        let mut pause = None;
        if let Some(rollout) = rollout.filter(|_| counts) {
            rollout.deployment.failed_tasks += 1;
            rollout.deployment.updated = Some(now);
            // The breaker's first stage ends when one task has run; then only health checks count.
            let record = rollout.record.clone();
            if !rollout.going_back && (!never_ran || !rollout.ran) {
                let record = service.records.iter_mut().find(|found| found.arn == record);
                if let Some(breaker) = record.and_then(|record| record.circuit_breaker.as_mut()) {
                    breaker.failures += 1;
                }
            }
            if never_ran {
                let rounds = rollout.deployment.failed_tasks / desired;
                let doubled = Duration::from_secs(10).saturating_mul(1 << rounds.min(12));
                pause = (rounds >= 1).then(|| (rollout.deployment.id.clone(), doubled.min(LONGEST_PAUSE)));
            }
        }
        if let Some((deployment, pause)) = pause {
            let until = self.in_a_while(pause);
            if let Some(service) = self.service_mut(region, arn)
                && let Some(rollout) = service.rollouts.iter_mut().find(|found| found.deployment.id == deployment)
            {
                rollout.not_before = Some(until);
            }
            self.say(region, arn, format!("(service {name}) is unable to consistently start tasks successfully."));
        }
        self.say(region, arn, format!("(service {name}) has stopped 1 running tasks: (task {id}). {why}"));
    }

    /// Stops tasks of older deployments as far as enough healthy ones are left, and those above the desired count.
    fn stop_surplus(&mut self, region: usize, arn: &ServiceArn) {
        let now = self.data.now;
        let Some(service) = self.service_mut(region, arn) else { return };
        let gone = service.state.status != ServiceStatus::Active;
        let (least, _) = bounds(service);
        let desired = usize::try_from(service.state.desired).unwrap_or(usize::MAX);
        let primary = service.primary().map(|ix| service.rollouts[ix].deployment.id.clone());
        let is_primary = |task: &Task| task.state.started_by == primary;
        let kept = !gone && service.keeps_both();
        let healthy = service.tasks.iter().filter(|task| task.is_alive() && task.steady).count();
        let mut spare = if gone { usize::MAX } else { healthy.saturating_sub(least) };
        let mut ours = service.tasks.iter().filter(|task| task.is_alive() && is_primary(task)).count();
        let why = "Scaling activity initiated by deployment";
        for task in &mut service.tasks {
            if !task.is_alive() || (is_primary(task) && !gone && ours <= desired) || (kept && !is_primary(task)) {
                continue;
            }
            if task.steady {
                if spare == 0 {
                    continue;
                }
                spare -= 1;
            }
            if is_primary(task) {
                ours -= 1;
            }
            stop(task, now, "ServiceSchedulerInitiated", why);
        }
    }

    /// Starts what the newest deployment lacks, as far as there is room; and replaces what older ones lose while the
    /// newest has been given up.
    fn start_missing(&mut self, region: usize, arn: &ServiceArn) {
        let now = self.data.now;
        let Some(service) = self.service(region, arn) else { return };
        if service.state.status != ServiceStatus::Active {
            return;
        }
        let (_, most) = bounds(service);
        let alive = service.tasks.iter().filter(|task| task.is_alive()).count();
        let desired = usize::try_from(service.state.desired).unwrap_or(usize::MAX);
        let Some(rollout) = service.rollouts.iter().find(|rollout| !rollout.given_up) else { return };
        let waits = matches!(rollout.stage, Some((Stage::PreScaleUp, _)));
        if waits || rollout.not_before.is_some_and(|until| until > now) {
            return;
        }
        // A second set is as large as the first.
        let most = if rollout.stage.is_some() { usize::MAX } else { most };
        let ours = service.tasks.iter().filter(|task| task.is_alive() && task.is_of(rollout)).count();
        let missing = desired.saturating_sub(ours).min(most.saturating_sub(alive));
        let rollout = rollout.clone();
        for _ in 0..missing {
            self.start_task(region, arn, &rollout);
        }
    }

    fn start_task(&mut self, region: usize, arn: &ServiceArn, rollout: &super::Rollout) {
        let id = self.fresh_digits(32);
        let (now, pulled) = (self.data.now, self.in_a_while(PULL));
        let scope = self.data.regions[region].scope.clone();
        let Some(service) = self.service_mut(region, arn) else { return };
        let cluster = super::short(service.state.cluster.as_str());
        let Ok(task) = super::arn(&scope, &format!("task/{cluster}/{id}")) else { return };
        let images = service.revision(&rollout.revision).map(|revision| revision.images.clone()).unwrap_or_default();
        let containers = images.into_iter().map(|image| ContainerState {
            name: image.container,
            image: Some(image.image),
            digest: None,
            exit_code: None,
            reason: None,
            health: TaskHealth::Unknown,
            runtime_id: None,
        });
        service.tasks.push(Task {
            state: TaskState {
                arn: task,
                task_definition: rollout.deployment.task_definition.clone(),
                status: TaskStatus::Pending,
                health: TaskHealth::Unknown,
                stop_code: None,
                stopped_reason: None,
                started_by: Some(rollout.deployment.id.clone()),
                created: Some(now),
                started: None,
                stopped: None,
                containers: containers.collect(),
            },
            next: Some((pulled, TaskEvent::Pulled)),
            steady: false,
        });
    }

    fn count_tasks(&mut self, region: usize, arn: &ServiceArn) {
        let Some(service) = self.service_mut(region, arn) else { return };
        let desired = service.state.desired;
        for rollout in &mut service.rollouts {
            let of = |status: TaskStatus| {
                let tasks = service.tasks.iter().filter(|task| {
                    task.is_alive()
                        && task.state.started_by.as_ref() == Some(&rollout.deployment.id)
                        && task.state.status == status
                });
                u32::try_from(tasks.count()).unwrap_or(u32::MAX)
            };
            let (running, pending) = (of(TaskStatus::Running), of(TaskStatus::Pending));
            rollout.deployment.running = running;
            rollout.deployment.pending = pending;
            rollout.deployment.desired =
                if rollout.deployment.status == DeploymentStatus::Primary { desired } else { running + pending };
        }
        // A deployment that was replaced completely is not told of any more.
        service.rollouts.retain(|rollout| {
            let tasks = rollout.deployment.running + rollout.deployment.pending;
            rollout.deployment.status == DeploymentStatus::Primary || tasks > 0
        });
    }

    fn judge(&mut self, region: usize, arn: &ServiceArn) {
        let Some(service) = self.service(region, arn) else { return };
        let Some(ix) = service.primary() else { return };
        let rollout = &service.rollouts[ix];
        if rollout.deployment.rollout != Some(RolloutState::InProgress) {
            return;
        }
        let record = service.records.iter().find(|record| record.arn == rollout.record);
        let breaker = record.and_then(|record| record.circuit_breaker.as_ref());
        // The record counts for the change that failed; the way back has a count of its own.
        let tripped = service.state.configuration.circuit_breaker
            && !service.is_staged()
            && breaker.is_some_and(|breaker| {
                let failures = if rollout.going_back { rollout.deployment.failed_tasks } else { breaker.failures };
                failures >= breaker.threshold
            });
        let desired = usize::try_from(service.state.desired).unwrap_or(usize::MAX);
        let steady = service.tasks.iter().filter(|task| task.is_alive() && task.steady && task.is_of(rollout)).count();
        if rollout.stage.is_some_and(|(stage, _)| stage != Stage::CleanUp) {
            self.judge_stage(region, arn, steady >= desired);
        } else if steady >= desired && service.rollouts.len() == 1 {
            self.rollout_completed(region, arn);
        } else if tripped {
            self.breaker_tripped(region, arn);
        }
    }

    /// What `DescribeServices` says now, for reads that see the past.
    fn remember(&mut self, region: usize, arn: &ServiceArn) {
        let (at, kept) = (self.data.now, self.config.history);
        let Some(service) = self.service_mut(region, arn).filter(|_| kept > 0) else { return };
        if service.history.len() >= kept {
            service.history.pop_front();
        }
        let told = service.told();
        service.history.push_back((at, told));
    }

    fn plan_next(&mut self, region: usize, arn: &ServiceArn) {
        let serial = self.serial();
        let now = self.data.now;
        let Some(service) = self.service_mut(region, arn) else { return };
        let tasks = service.tasks.iter().filter(|task| task.is_alive()).filter_map(|task| task.next.map(|(at, _)| at));
        let paused = service.rollouts.iter().filter(|rollout| !rollout.given_up);
        let paused = paused.filter_map(|rollout| rollout.not_before).filter(|until| *until > now);
        let stages = service.rollouts.iter().filter_map(|rollout| rollout.stage?.1).filter(|until| *until > now);
        let stops = service.rollouts.iter().filter_map(|rollout| rollout.stops).filter(|until| *until > now);
        let Some(next) = tasks.chain(paused).chain(stages).chain(stops).min() else { return };
        service.serial = serial;
        let next = next.max(now);
        self.data.agenda.insert((next, serial), Due::Service { region, service: arn.clone(), serial });
    }

    /// The time after a while, at the speed of the simulation.
    pub(super) fn in_a_while(&self, after: Duration) -> Timestamp {
        let after = after.div_f64(self.config.speed.max(1e-6));
        let at = self.data.now.saturating_add(after).unwrap_or(Timestamp::MAX);
        // AWS tells times in milliseconds, and nothing takes no time.
        Timestamp::from_millisecond(at.as_millisecond().saturating_add(1)).unwrap_or(at)
    }
}

fn stop(task: &mut Task, now: Timestamp, code: &str, why: &str) {
    task.state.status = TaskStatus::Stopped;
    task.state.stopped = Some(now);
    task.state.stop_code = Some(code.to_owned());
    task.state.stopped_reason = Some(why.to_owned());
    task.steady = false;
    task.next = None;
    if code == "TaskFailedToStart" {
        for container in &mut task.state.containers {
            container.reason = Some(why.to_owned());
        }
    }
}

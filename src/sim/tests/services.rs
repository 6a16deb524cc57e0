//! Services that no stack owns, held to what AWS documents of ECS.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{FENCE, Rig};
use crate::model::{
    DeploymentStatus, ImageDigest, ImageId, MonitorStatus, Repository, RolloutState, ServiceDeploymentState,
    ServiceDeploymentStatus, ServiceRef, ServiceState, StopDeployment, TaskDefinitionStatus, TaskState, TaskStatus,
};
use crate::ports::{Class, Cloud as _, Containers, CopyTaskDefinition, TasksWanted, UpdateService};
use crate::sim::{ImageBehaviour, NewService};

const REGISTRY: &str = "111122223333.dkr.ecr.us-east-1.amazonaws.com";
const MINUTE: Duration = Duration::from_mins(1);

/// A service `web` of two tasks in the cluster `dev`, which runs the image `good`.
struct Web {
    rig: Rig,
    containers: Arc<dyn Containers>,
    service: ServiceRef,
    good: ImageDigest,
}

impl Web {
    fn new(edit: impl FnOnce(&mut NewService)) -> Self {
        let rig = Rig::new();
        let containers = rig.cloud.containers(&rig.scope, None);
        rig.console.create_repository("team/web");
        let good = rig.console.push_image("team/web", "good", &["1.0.0"], None).unwrap();
        let image = format!("{REGISTRY}/team/web:1.0.0");
        let definition = rig.console.register_task_definition("web", &[("web", &image)]).unwrap();
        let mut request = NewService::new("dev", "web", definition);
        edit(&mut request);
        rig.console.create_service(&request).unwrap();
        let service = ServiceRef { cluster: "dev".to_owned(), service: "web".to_owned() };
        Self { rig, containers, service, good }
    }

    /// The same, once it is steady.
    fn steady(edit: impl FnOnce(&mut NewService)) -> Self {
        let web = Self::new(edit);
        web.rig.pass(MINUTE);
        assert_eq!(web.last().status, ServiceDeploymentStatus::Successful);
        web
    }

    fn state(&self) -> ServiceState {
        let found = self.rig.run(self.containers.services("dev", &["web".to_owned()])).unwrap();
        found.into_iter().next().unwrap().unwrap()
    }

    /// The last service deployment.
    fn last(&self) -> ServiceDeploymentState {
        let listed = self.rig.run(self.containers.list_service_deployments(&self.service, None, None)).unwrap();
        let arn = listed.items[0].arn.clone();
        self.rig.run(self.containers.service_deployments(&[arn])).unwrap().remove(0)
    }

    fn tasks(&self, wanted: TasksWanted) -> Vec<TaskState> {
        let listed = self.rig.run(self.containers.list_tasks(&self.service, wanted, None)).unwrap().items;
        if listed.is_empty() { Vec::new() } else { self.rig.run(self.containers.tasks("dev", &listed)).unwrap() }
    }

    /// Deploys an image with this behaviour.
    fn deploy(&self, content: &str, behaviour: ImageBehaviour) -> ImageDigest {
        let digest = self.rig.console.push_image("team/web", content, &[content], None).unwrap();
        self.rig.console.set_image_behaviour(&digest, behaviour);
        let request = CopyTaskDefinition {
            from: self.state().task_definition.unwrap(),
            images: [("web".to_owned(), format!("{REGISTRY}/team/web@{digest}"))].into(),
            tags: BTreeMap::new(),
        };
        let made = self.rig.run(self.containers.copy_task_definition(FENCE, request)).unwrap();
        let update =
            UpdateService { service: self.service.clone(), task_definition: Some(made.arn.clone()), force: false };
        let state = self.rig.run(self.containers.update_service(FENCE, update)).unwrap();
        assert_eq!(state.primary().unwrap().task_definition, made.arn);
        digest
    }
}

#[test]
fn a_rolling_deployment_takes_time_and_keeps_the_old_tasks_until_the_new_ones_are_healthy() {
    let web = Web::steady(|_| {});
    let before = web.last();
    let digest = web.deploy("next", ImageBehaviour::Runs);
    web.rig.pass(Duration::from_secs(25));
    let state = web.state();
    assert_eq!((state.desired, state.running), (2, 4));
    let deployments: Vec<_> = state.deployments.iter().map(|found| (found.status, found.rollout)).collect();
    let expected = [
        (DeploymentStatus::Primary, Some(RolloutState::InProgress)),
        (DeploymentStatus::Active, Some(RolloutState::Completed)),
    ];
    assert_eq!(deployments, expected);
    web.rig.pass(MINUTE);
    let (state, after) = (web.state(), web.last());
    assert_eq!((state.running, state.deployments.len()), (2, 1));
    assert_eq!(after.status, ServiceDeploymentStatus::Successful);
    assert_eq!(state.current_deployment.as_ref(), Some(&after.arn));
    assert_eq!(after.sources, [before.target.unwrap()]);
    let revision = web.rig.run(web.containers.service_revisions(&[after.target.unwrap()])).unwrap().remove(0);
    assert_eq!(revision.images[0].digest.as_ref(), Some(&digest));
    let running = web.tasks(TasksWanted::Running);
    assert!(running.iter().all(|task| task.containers[0].digest.as_ref() == Some(&digest)), "{running:?}");
    let stopped = web.tasks(TasksWanted::Stopped);
    assert_eq!(stopped.len(), 2);
    web.rig.pass(Duration::from_mins(61));
    assert!(web.tasks(TasksWanted::Stopped).is_empty(), "stopped tasks are told of for an hour");
}

#[test]
fn an_image_that_cannot_be_pulled_trips_the_breaker_and_the_service_goes_back() {
    let web = Web::steady(|_| {});
    let old = web.state().task_definition;
    web.deploy("bad", ImageBehaviour::CannotBePulled);
    web.rig.pass(Duration::from_secs(25));
    let stopped = web.tasks(TasksWanted::Stopped);
    assert_eq!(stopped[0].stop_code.as_deref(), Some("TaskFailedToStart"));
    assert!(stopped[0].stopped_reason.as_ref().unwrap().starts_with("CannotPullContainerError:"));
    assert_eq!(stopped[0].started, None);
    web.rig.pass(5 * MINUTE);
    let (state, last) = (web.state(), web.last());
    assert_eq!(last.status, ServiceDeploymentStatus::RollbackSuccessful);
    let breaker = last.circuit_breaker.unwrap();
    assert_eq!((breaker.status, breaker.threshold), (MonitorStatus::Triggered, 3));
    assert!(breaker.failures >= 3);
    assert!(last.rollback.unwrap().to.is_some());
    assert_eq!(state.task_definition, old, "what runs is what ran");
    assert_eq!((state.running, state.deployments.len()), (2, 1));
    assert_eq!(state.primary().unwrap().rollout, Some(RolloutState::Completed), "steady, and yet not a success");
}

#[test]
fn failing_health_checks_trip_the_breaker_too() {
    let web = Web::steady(|_| {});
    web.deploy("sick", ImageBehaviour::NeverHealthy);
    web.rig.pass(10 * MINUTE);
    assert_eq!(web.last().status, ServiceDeploymentStatus::RollbackSuccessful);
}

#[test]
fn a_container_that_starts_and_crashes_is_not_counted_and_the_deployment_never_ends() {
    let web = Web::steady(|_| {});
    web.deploy("crash", ImageBehaviour::Crashes);
    web.rig.pass(60 * MINUTE);
    let (state, last) = (web.state(), web.last());
    assert_eq!(last.status, ServiceDeploymentStatus::InProgress);
    assert_eq!(last.circuit_breaker.unwrap().failures, 0);
    assert_eq!(state.primary().unwrap().failed_tasks, 0);
    let stopped = web.tasks(TasksWanted::Stopped);
    assert!(stopped.len() > 50, "restarts are not throttled: {}", stopped.len());
    assert_eq!(stopped[0].stop_code.as_deref(), Some("EssentialContainerExited"));
    assert_eq!(stopped[0].containers[0].exit_code, Some(1));
    let old = &state.deployments[1];
    assert_eq!(old.running, 2, "the old tasks stay");
}

#[test]
fn without_a_breaker_failing_tasks_are_tried_for_ever_more_and_more_slowly() {
    let web = Web::steady(|new| new.circuit_breaker = false);
    web.deploy("bad", ImageBehaviour::CannotBePulled);
    web.rig.pass(60 * MINUTE);
    let first = web.state().primary().unwrap().failed_tasks;
    web.rig.pass(60 * MINUTE);
    let state = web.state();
    let second = state.primary().unwrap().failed_tasks - first;
    assert_eq!(web.last().status, ServiceDeploymentStatus::InProgress);
    assert!(second > 0 && second < first, "{first}, then {second}");
    assert!(state.events.iter().any(|event| event.message.contains("unable to consistently start tasks")));
    assert_eq!(state.deployments[1].running, 2);
}

#[test]
fn a_first_deployment_that_fails_has_nothing_to_go_back_to_and_stalls() {
    let web = Web::new(|_| {});
    web.rig.console.set_image_behaviour(&web.good, ImageBehaviour::CannotBePulled);
    web.rig.pass(30 * MINUTE);
    let state = web.state();
    assert_eq!(web.last().status, ServiceDeploymentStatus::RollbackFailed);
    assert_eq!(state.primary().unwrap().rollout, Some(RolloutState::Failed));
    assert_eq!((state.running, state.pending), (0, 0));
}

#[test]
fn a_breaker_without_rollback_leaves_the_old_tasks_and_starts_no_more() {
    let web = Web::steady(|new| new.rollback = false);
    web.deploy("bad", ImageBehaviour::CannotBePulled);
    web.rig.pass(10 * MINUTE);
    let (state, last) = (web.state(), web.last());
    assert_eq!(last.status, ServiceDeploymentStatus::Stopped);
    assert!(last.stopped.is_some());
    assert_eq!(state.primary().unwrap().rollout, Some(RolloutState::Failed));
    assert_eq!((state.running, state.pending), (2, 0));
}

#[test]
fn a_stopped_deployment_goes_back_and_cannot_be_stopped_twice() {
    let web = Web::steady(|new| new.circuit_breaker = false);
    web.deploy("crash", ImageBehaviour::Crashes);
    web.rig.pass(MINUTE);
    let arn = web.last().arn;
    web.rig.run(web.containers.stop_service_deployment(FENCE, &arn, StopDeployment::Rollback)).unwrap();
    assert_eq!(web.last().status, ServiceDeploymentStatus::RollbackInProgress);
    web.rig.pass(2 * MINUTE);
    assert_eq!(web.last().status, ServiceDeploymentStatus::RollbackSuccessful);
    let again = web.rig.run(web.containers.stop_service_deployment(FENCE, &arn, StopDeployment::Rollback));
    assert_eq!(again.unwrap_err().class, Class::Conflict);
}

#[test]
fn a_foreign_deployment_in_the_middle_stops_ours() {
    let web = Web::steady(|_| {});
    web.deploy("ours", ImageBehaviour::Runs);
    let ours = web.last().arn;
    web.rig.pass(Duration::from_secs(5));
    let again = UpdateService { service: web.service.clone(), task_definition: None, force: true };
    web.rig.console.deploy_service(&again).unwrap();
    web.rig.pass(2 * MINUTE);
    let record = web.rig.run(web.containers.service_deployments(std::slice::from_ref(&ours))).unwrap().remove(0);
    assert_eq!(record.status, ServiceDeploymentStatus::Stopped);
    assert_ne!(web.last().arn, ours);
    assert_eq!(web.last().status, ServiceDeploymentStatus::Successful);
}

#[test]
fn an_inactive_task_definition_is_kept_by_who_runs_it_and_refused_to_everybody_else() {
    let web = Web::steady(|_| {});
    let old = web.state().task_definition.unwrap();
    web.deploy("next", ImageBehaviour::Runs);
    web.rig.pass(2 * MINUTE);
    let next = web.state().task_definition.unwrap();
    for definition in [&old, &next] {
        web.rig.run(web.containers.deregister_task_definition(FENCE, definition)).unwrap();
    }
    web.rig.console.scale_service(&web.service, 3);
    web.rig.pass(2 * MINUTE);
    assert_eq!(web.state().running, 3, "the running revision is kept, also when it is scaled");
    let back = UpdateService { service: web.service.clone(), task_definition: Some(old), force: false };
    let error = web.rig.run(web.containers.update_service(FENCE, back)).unwrap_err();
    assert_eq!((error.class, error.message.as_str()), (Class::Invalid, "TaskDefinition is inactive"));
    let active = web.containers.task_definitions("web", TaskDefinitionStatus::Active, None);
    assert!(web.rig.run(active).unwrap().items.is_empty());
}

#[test]
fn the_desired_count_is_no_deployment() {
    let web = Web::steady(|_| {});
    let before = web.last();
    web.rig.console.scale_service(&web.service, 5);
    web.rig.pass(2 * MINUTE);
    assert_eq!((web.state().desired, web.state().running), (5, 5));
    web.rig.console.scale_service(&web.service, 1);
    web.rig.pass(2 * MINUTE);
    assert_eq!(web.state().running, 1);
    assert_eq!(web.last(), before);
}

#[test]
fn a_tag_means_what_it_meant_when_it_was_deployed_until_the_image_is_gone() {
    let web = Web::steady(|_| {});
    let newer = web.rig.console.push_image("team/web", "newer", &["1.0.0"], None).unwrap();
    let repository = Repository { registry: None, name: "team/web".to_owned() };
    let tag = ImageId::Tag("1.0.0".to_owned());
    let meant = web.rig.run(web.containers.image(&repository, &tag)).unwrap().unwrap();
    assert_eq!(meant.digest, newer);
    web.rig.console.scale_service(&web.service, 4);
    web.rig.pass(2 * MINUTE);
    let running = web.tasks(TasksWanted::Running);
    assert_eq!(running.len(), 4);
    assert!(running.iter().all(|task| task.containers[0].digest.as_ref() == Some(&web.good)));
    web.rig.console.delete_image("team/web", &web.good);
    let gone = web.rig.run(web.containers.image(&repository, &ImageId::Digest(web.good.clone()))).unwrap();
    assert_eq!(gone, None);
    web.rig.console.scale_service(&web.service, 5);
    web.rig.pass(2 * MINUTE);
    assert_eq!(web.state().running, 4, "what is not in the registry cannot be started");
}

#[test]
fn what_is_missing_is_told_apart_from_what_cannot_be_asked() {
    let web = Web::steady(|_| {});
    let asked = ["none".to_owned(), web.state().arn.to_string()];
    let found = web.rig.run(web.containers.services("dev", &asked)).unwrap();
    assert!(found[0].is_none() && found[1].is_some());
    let error = web.rig.run(web.containers.services("prod", &asked)).unwrap_err();
    assert_eq!((error.class, error.code.as_deref()), (Class::NotFound, Some("ClusterNotFoundException")));
    assert_eq!(web.rig.run(web.containers.services("dev", &[])).unwrap_err().class, Class::Invalid);
    assert_eq!(web.rig.run(web.containers.task_definition("web:9")).unwrap(), None);
    web.rig.console.delete_service(&web.service);
    web.rig.pass(MINUTE);
    assert_eq!(web.state().status, crate::model::ServiceStatus::Inactive);
    let update = UpdateService { service: web.service.clone(), task_definition: None, force: true };
    assert_eq!(web.rig.run(web.containers.update_service(FENCE, update)).unwrap_err().class, Class::Conflict);
    assert!(web.tasks(TasksWanted::Stopped).iter().all(|task| task.status == TaskStatus::Stopped));
}

#[test]
fn a_service_survives_a_restart_of_the_simulation() {
    let web = Web::steady(|_| {});
    web.deploy("next", ImageBehaviour::Runs);
    let snapshot = web.rig.cloud.snapshot().unwrap();
    web.rig.cloud.restore(snapshot).unwrap();
    web.rig.pass(2 * MINUTE);
    assert_eq!(web.last().status, ServiceDeploymentStatus::Successful);
}

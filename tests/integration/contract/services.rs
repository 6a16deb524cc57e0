//! Services, their deployments, tasks and task definitions, and the images of a registry: what ECS and ECR document.
//!
//! The emulator knows the deployments of services, and that they take time and fail, from `tests/emulator/services.py`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use landfast::model::{
    DeploymentController, DeploymentStatus, ImageDigest, ImageId, ImageManifest, LogStream, MonitorStatus, Platform,
    Repository, RolloutState, Scope, ServiceDeploymentState, ServiceDeploymentStatus, ServiceRef, ServiceState,
    ServiceStatus, StopDeployment, TaskArn, TaskDefinitionArn, TaskDefinitionStatus, TaskState,
};
use landfast::ports::{Class, Containers, CopyTaskDefinition, PortError, TasksWanted, UpdateService};

use super::{Backend, FENCE, all, tags};
use crate::workshop::{Fares, MakeService, Workshop};

const PATIENCE: Duration = Duration::from_mins(20);

/// The service `web` of two tasks in the cluster `dev`, which runs version 1 of its image.
struct Web<'a> {
    backend: &'a Backend,
    containers: Arc<dyn Containers>,
    service: ServiceRef,
    first: TaskDefinitionArn,
    one: ImageDigest,
}

fn door(backend: &Backend) -> Arc<dyn Containers> {
    let scope = Scope { account: backend.account.clone(), region: "us-east-1".parse().unwrap() };
    backend.cloud.containers(&scope, None)
}

fn repository() -> Repository {
    Repository { registry: None, name: "team/web".to_owned() }
}

impl<'a> Web<'a> {
    async fn new(backend: &'a Backend, breaker: bool) -> Self {
        let workshop = &backend.workshop;
        workshop.cluster("dev").await;
        workshop.repository("team/web").await;
        let one = workshop.push("team/web", "one", "1.0.0", Fares::Well).await;
        let image = format!("{}.dkr.ecr.us-east-1.amazonaws.com/team/web:1.0.0", backend.account);
        let first = workshop.define("web", &[("web", &image), ("side", "public.ecr.aws/x/side:3")]).await;
        let service = ServiceRef { cluster: "dev".to_owned(), service: "web".to_owned() };
        let tags = vec![("Team".to_owned(), "people".to_owned())];
        let request = MakeService { service: service.clone(), definition: first.clone(), desired: 2, breaker, tags };
        workshop.service(&request).await;
        let web = Self { backend, containers: door(backend), service, first, one };
        assert_eq!(web.ended().await.status, ServiceDeploymentStatus::Successful);
        web
    }

    async fn state(&self) -> ServiceState {
        let names = [self.service.service.clone()];
        self.containers.services("dev", &names).await.unwrap().remove(0).unwrap()
    }

    async fn newest(&self) -> ServiceDeploymentState {
        let listed = self.containers.list_service_deployments(&self.service, None, None).await.unwrap();
        self.containers.service_deployments(&[listed.items[0].arn.clone()]).await.unwrap().remove(0)
    }

    /// The newest service deployment, once it has ended.
    async fn ended(&self) -> ServiceDeploymentState {
        self.once("its deployment ends", async || Some(self.newest().await).filter(|found| found.status.is_final()))
            .await
    }

    async fn once<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        let deadline = self.backend.cx.elapsed() + PATIENCE;
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(self.backend.cx.elapsed() < deadline, "it never is so that {what}");
            self.backend.cx.sleep(self.backend.interval).await;
        }
    }

    async fn tasks(&self, wanted: TasksWanted) -> Vec<TaskState> {
        let arns = all(|page| self.containers.list_tasks(&self.service, wanted, page)).await;
        if arns.is_empty() { Vec::new() } else { self.containers.tasks("dev", &arns).await.unwrap() }
    }

    async fn copy(&self, digest: &ImageDigest) -> TaskDefinitionArn {
        let image = format!("{}.dkr.ecr.us-east-1.amazonaws.com/team/web@{digest}", self.backend.account);
        let images = BTreeMap::from([("web".to_owned(), image)]);
        let request =
            CopyTaskDefinition { from: self.first.clone(), images, tags: tags(&[("landfast:owner", "test")]) };
        self.containers.copy_task_definition(FENCE, request).await.unwrap().arn
    }

    async fn update(&self, definition: &TaskDefinitionArn) -> Result<ServiceState, PortError> {
        let task_definition = Some(definition.clone());
        let request = UpdateService { service: self.service.clone(), task_definition, force: false };
        self.containers.update_service(FENCE, request).await
    }

    /// Deploys an image of its own.
    async fn deploy(&self, content: &str, fares: Fares) -> (TaskDefinitionArn, ImageDigest) {
        let digest = self.backend.workshop.push("team/web", content, content, fares).await;
        let definition = self.copy(&digest).await;
        let state = self.update(&definition).await.unwrap();
        assert_eq!(state.primary().unwrap().task_definition, definition);
        (definition, digest)
    }
}

pub async fn a_service_says_what_it_was_created_with(backend: &Backend) {
    let web = Web::new(backend, true).await;
    let state = web.state().await;
    assert_eq!((state.name.as_str(), state.status), ("web", ServiceStatus::Active));
    assert_eq!((state.desired, state.running, state.pending), (2, 2, 0));
    assert_eq!(state.task_definition.as_ref(), Some(&web.first));
    assert_eq!(state.controller, DeploymentController::Ecs);
    assert!(state.configuration.circuit_breaker && state.configuration.circuit_breaker_rollback);
    assert_eq!(state.tags, tags(&[("Team", "people")]));
    let primary = state.primary().unwrap();
    assert_eq!((primary.rollout, primary.desired, primary.running), (Some(RolloutState::Completed), 2, 2));
    assert_eq!(state.deployments.len(), 1);
    // By its ARN, by the cluster's, and beside one that does not exist.
    let asked = ["missing".to_owned(), state.arn.to_string(), "web".to_owned()];
    let found = web.containers.services(state.cluster.as_str(), &asked).await.unwrap();
    let names: Vec<_> = found.iter().map(|found| found.as_ref().map(|found| found.name.as_str())).collect();
    assert_eq!(names, [None, Some("web"), Some("web")]);
}

pub async fn a_missing_cluster_is_not_found_and_a_deleted_service_is_inactive(backend: &Backend) {
    let web = Web::new(backend, true).await;
    let names = ["web".to_owned()];
    let error = web.containers.services("nowhere", &names).await.unwrap_err();
    assert_eq!(error.class, Class::NotFound, "{error}");
    backend.workshop.delete(&web.service).await;
    // *DeleteService*: it can still be viewed.
    assert_ne!(web.state().await.status, ServiceStatus::Active);
    let error = web.update(&web.copy(&web.one).await).await.unwrap_err();
    assert_eq!(error.class, Class::Conflict, "{error}");
    let missing = ServiceRef { cluster: "dev".to_owned(), service: "missing".to_owned() };
    let request = UpdateService { service: missing, task_definition: Some(web.first.clone()), force: false };
    let error = web.containers.update_service(FENCE, request).await.unwrap_err();
    assert_eq!(error.class, Class::NotFound, "{error}");
}

/// *`ListClusters`*, *`ListServices`*: ARNs; of services, those that are there.
pub async fn clusters_and_their_services_are_listed_by_arn(backend: &Backend) {
    let web = Web::new(backend, true).await;
    backend.workshop.cluster("empty").await;
    let clusters = all(|page| web.containers.clusters(page)).await;
    let mut names: Vec<&str> = clusters.iter().filter_map(|arn| arn.as_str().rsplit('/').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["dev", "empty"]);
    let state = web.state().await;
    for cluster in ["dev", state.cluster.as_str()] {
        assert_eq!(
            all(|page| web.containers.list_services(cluster, page)).await,
            std::slice::from_ref(&state.arn),
            "{cluster}"
        );
    }
    assert_eq!(all(|page| web.containers.list_services("empty", page)).await, []);
    // AWS: `ClusterNotFoundException`. The emulator has an empty list instead.
    match web.containers.list_services("nowhere", None).await {
        Ok(page) => assert!(page.items.is_empty() && page.next.is_none()),
        Err(error) => assert_eq!(error.class, Class::NotFound, "{error}"),
    }
    backend.workshop.delete(&web.service).await;
    web.once("a deleted service is listed no more", async || {
        all(|page| web.containers.list_services("dev", page)).await.is_empty().then_some(())
    })
    .await;
}

pub async fn a_copied_task_definition_differs_in_what_was_asked_for(backend: &Backend) {
    let web = Web::new(backend, true).await;
    let like = web.containers.task_definition(web.first.as_str()).await.unwrap().unwrap();
    assert_eq!(like.status, TaskDefinitionStatus::Active);
    let two = web.copy(&web.one).await;
    let copy = web.containers.task_definition(two.as_str()).await.unwrap().unwrap();
    assert_eq!((copy.arn.family(), copy.arn.revision()), ("web", like.arn.revision() + 1));
    assert!(copy.containers[0].image.ends_with(web.one.as_str()));
    assert_eq!(copy.containers[1], like.containers[1]);
    assert_eq!((&copy.containers[0].log, &copy.platform), (&like.containers[0].log, &like.platform));
    assert_eq!(copy.containers[0].log.as_ref().unwrap().prefix.as_deref(), Some("web"));
    assert_eq!(copy.tags, tags(&[("landfast:owner", "test")]));
    // A copy of the copy keeps its tags, and gets others beside them.
    let more = tags(&[("landfast:rollout", "1")]);
    let request = CopyTaskDefinition { from: two, images: BTreeMap::new(), tags: more };
    let third = web.containers.copy_task_definition(FENCE, request).await.unwrap();
    assert_eq!(third.tags, tags(&[("landfast:owner", "test"), ("landfast:rollout", "1")]));
    let newest = web.containers.task_definition("web").await.unwrap().unwrap();
    assert_eq!(newest.arn, third.arn, "a family is its newest active revision");
    let images = BTreeMap::from([("nobody".to_owned(), "x".to_owned())]);
    let request = CopyTaskDefinition { from: web.first.clone(), images, tags: BTreeMap::new() };
    let error = web.containers.copy_task_definition(FENCE, request).await.unwrap_err();
    assert_eq!(error.class, Class::Invalid, "{error}");
    assert_eq!(web.containers.task_definition("web:99").await.unwrap(), None);
    assert_eq!(web.containers.task_definition("nothing").await.unwrap(), None);
}

pub async fn revisions_of_one_family_are_listed_newest_first_on_pages(backend: &Backend) {
    const COUNT: u32 = 120;
    let containers = door(backend);
    for _ in 0..COUNT {
        backend.workshop.define("api", &[("app", "x")]).await;
    }
    let other = backend.workshop.define("api-admin", &[("app", "x")]).await;
    let list = |status| {
        all(move |page| {
            let containers = door(backend);
            async move { containers.task_definitions("api", status, page).await }
        })
    };
    let found = list(TaskDefinitionStatus::Active).await;
    let revisions: Vec<u32> = found.iter().map(TaskDefinitionArn::revision).collect();
    assert_eq!(revisions, (1..=COUNT).rev().collect::<Vec<_>>());
    assert!(!found.contains(&other));
    let first = containers.task_definitions("api", TaskDefinitionStatus::Active, None).await.unwrap();
    assert!(first.next.is_some());
    // *DeregisterTaskDefinition*: it is still there, as inactive; once more changes nothing.
    for _ in 0..2 {
        containers.deregister_task_definition(FENCE, &found[0]).await.unwrap();
    }
    assert_eq!(list(TaskDefinitionStatus::Inactive).await, [found[0].clone()]);
    assert_eq!(list(TaskDefinitionStatus::Active).await[0], found[1]);
    let inactive = containers.task_definition(found[0].as_str()).await.unwrap().unwrap();
    assert_eq!(inactive.status, TaskDefinitionStatus::Inactive);
}

pub async fn a_deployment_has_a_record_that_says_how_it_ended(backend: &Backend) {
    let web = Web::new(backend, true).await;
    let (before, began) = (web.newest().await, web.backend.cx.now());
    let running = web.tasks(TasksWanted::Running).await;
    assert!(running.iter().all(|task| task.containers[0].digest.as_ref() == Some(&web.one)), "{running:?}");
    let (definition, two) = web.deploy("two", Fares::Well).await;
    let moving = web.state().await;
    assert_eq!(moving.primary().unwrap().rollout, Some(RolloutState::InProgress));
    assert!(moving.deployments.iter().any(|old| old.status == DeploymentStatus::Active), "{:?}", moving.deployments);
    let ended = web.ended().await;
    assert_eq!(ended.status, ServiceDeploymentStatus::Successful);
    assert_eq!(ended.sources, before.target.into_iter().collect::<Vec<_>>());
    assert!(ended.finished.is_some() && ended.started.is_some() && ended.created >= before.created);
    let state = web.state().await;
    assert_eq!((state.running, state.current_deployment.as_ref()), (2, Some(&ended.arn)));
    assert_eq!(state.primary().unwrap().task_definition, definition);
    let revision = web.containers.service_revisions(&[ended.target.clone().unwrap()]).await.unwrap().remove(0);
    assert_eq!((revision.task_definition.as_ref(), &revision.service), (Some(&definition), &state.arn));
    let image = revision.images.iter().find(|image| image.container == "web").unwrap();
    assert_eq!(image.digest.as_ref(), Some(&two));
    let running = web.tasks(TasksWanted::Running).await;
    assert_eq!(running.len(), 2);
    for task in &running {
        assert_eq!((&task.task_definition, task.containers[0].digest.as_ref()), (&definition, Some(&two)));
        assert_eq!(task.started_by.as_deref(), Some(state.primary().unwrap().id.as_str()));
        assert!(task.started.is_some() && task.stopped.is_none());
    }
    let stopped = web.tasks(TasksWanted::Stopped).await;
    assert_eq!(stopped.iter().filter(|task| task.task_definition == web.first).count(), 2, "{stopped:?}");
    // The newest is the first; what was asked for before is not listed with *createdAt.after*.
    let listed = all(|page| web.containers.list_service_deployments(&web.service, None, page)).await;
    assert_eq!(listed.iter().map(|found| &found.arn).collect::<Vec<_>>(), [&ended.arn, &before.arn]);
    let since = began.min(ended.created).saturating_sub(jiff::SignedDuration::from_millis(1)).unwrap();
    let after = all(|page| web.containers.list_service_deployments(&web.service, Some(since), page)).await;
    assert_eq!(after.iter().map(|found| &found.arn).collect::<Vec<_>>(), [&ended.arn]);
}

pub async fn to_deploy_what_runs_already_is_no_deployment(backend: &Backend) {
    let web = Web::new(backend, true).await;
    let before = web.state().await;
    let after = web.update(&web.first).await.unwrap();
    assert_eq!(after.primary().unwrap().id, before.primary().unwrap().id);
    let listed = all(|page| web.containers.list_service_deployments(&web.service, None, page)).await;
    assert_eq!(listed.len(), 1);
    // *UpdateService*, forceNewDeployment.
    let request = UpdateService { service: web.service.clone(), task_definition: None, force: true };
    let forced = web.containers.update_service(FENCE, request).await.unwrap();
    assert_ne!(forced.primary().unwrap().id, before.primary().unwrap().id);
    assert_eq!(web.ended().await.status, ServiceDeploymentStatus::Successful);
}

pub async fn an_inactive_task_definition_cannot_be_deployed_and_the_count_stays(backend: &Backend) {
    let web = Web::new(backend, true).await;
    let two = web.copy(&web.one).await;
    web.containers.deregister_task_definition(FENCE, &two).await.unwrap();
    let error = web.update(&two).await.unwrap_err();
    assert_eq!(error.class, Class::Invalid, "{error}");
    backend.workshop.scale(&web.service, 3).await;
    web.once("it is scaled", async || Some(web.state().await).filter(|state| state.running == 3)).await;
    web.deploy("three", Fares::Well).await;
    assert_eq!(web.ended().await.status, ServiceDeploymentStatus::Successful);
    let state = web.state().await;
    assert_eq!((state.desired, state.running), (3, 3), "an update without a desired count keeps it");
}

pub async fn what_cannot_be_pulled_says_so_and_a_stopped_deployment_goes_back(backend: &Backend) {
    let web = Web::new(backend, false).await;
    let (definition, _) = web.deploy("bad", Fares::CannotBePulled).await;
    let stopped = web
        .once("two tasks have stopped", async || {
            let mut stopped = web.tasks(TasksWanted::Stopped).await;
            stopped.retain(|task| task.task_definition == definition);
            Some(stopped).filter(|stopped| stopped.len() >= 2)
        })
        .await;
    for task in &stopped {
        assert_eq!(task.stop_code.as_deref(), Some("TaskFailedToStart"));
        assert!(task.stopped_reason.as_deref().unwrap().starts_with("CannotPullContainerError: "), "{task:?}");
        assert!(task.started.is_none() && task.stopped.is_some());
    }
    let record = web.newest().await;
    assert_eq!(record.status, ServiceDeploymentStatus::InProgress, "without a circuit breaker it goes on for ever");
    web.containers.stop_service_deployment(FENCE, &record.arn, StopDeployment::Rollback).await.unwrap();
    let ended = web.ended().await;
    assert_eq!((ended.status, &ended.arn), (ServiceDeploymentStatus::RollbackSuccessful, &record.arn));
    let state = web.state().await;
    assert_eq!((state.primary().unwrap().task_definition.clone(), state.running), (web.first.clone(), 2));
    assert_eq!(state.task_definition.as_ref(), Some(&web.first));
    let error = web.containers.stop_service_deployment(FENCE, &record.arn, StopDeployment::Rollback).await.unwrap_err();
    assert_eq!(error.class, Class::Conflict, "{error}");
}

pub async fn a_container_that_exits_says_so_and_its_task_has_run(backend: &Backend) {
    let web = Web::new(backend, false).await;
    let (definition, _) = web.deploy("crash", Fares::Crashes).await;
    let stopped = web
        .once("a task has crashed", async || {
            let stopped = web.tasks(TasksWanted::Stopped).await;
            stopped.into_iter().find(|task| task.task_definition == definition)
        })
        .await;
    assert_eq!(stopped.stop_code.as_deref(), Some("EssentialContainerExited"));
    assert!(stopped.started.is_some() && stopped.stopped_reason.is_some(), "{stopped:?}");
    assert_eq!(stopped.containers[0].exit_code, Some(1));
    assert_eq!(web.newest().await.status, ServiceDeploymentStatus::InProgress);
}

pub async fn the_circuit_breaker_goes_back_and_says_so(backend: &Backend) {
    let web = Web::new(backend, true).await;
    let before = web.newest().await;
    web.deploy("bad", Fares::CannotBePulled).await;
    let ended = web.ended().await;
    assert_eq!(ended.status, ServiceDeploymentStatus::RollbackSuccessful);
    let breaker = ended.circuit_breaker.unwrap();
    assert_eq!((breaker.status, breaker.threshold), (MonitorStatus::Triggered, 3));
    assert_eq!(ended.rollback.unwrap().to, before.target);
    let state = web.state().await;
    assert_eq!(state.primary().unwrap().rollout, Some(RolloutState::Completed), "steady, and yet no success");
    assert_eq!(state.task_definition.as_ref(), Some(&web.first));
}

pub async fn a_newer_deployment_stops_the_one_under_way(backend: &Backend) {
    let web = Web::new(backend, false).await;
    web.deploy("bad", Fares::CannotBePulled).await;
    let bad = web.newest().await;
    backend.workshop.deploy(&web.service, &web.first).await;
    assert_eq!(web.ended().await.status, ServiceDeploymentStatus::Successful);
    let found = web.containers.service_deployments(&[bad.arn]).await.unwrap().remove(0);
    assert_eq!(found.status, ServiceDeploymentStatus::Stopped);
}

pub async fn what_is_not_there_is_left_out_and_no_error(backend: &Backend) {
    let web = Web::new(backend, true).await;
    let record = web.newest().await;
    let fake = |kind: &str| format!("arn:aws:ecs:us-east-1:{}:{kind}/dev/web/0123456789", backend.account);
    let deployments = [record.arn.clone(), fake("service-deployment").parse().unwrap()];
    assert_eq!(web.containers.service_deployments(&deployments).await.unwrap(), std::slice::from_ref(&record));
    let revisions = [fake("service-revision").parse().unwrap(), record.target.unwrap()];
    assert_eq!(web.containers.service_revisions(&revisions).await.unwrap().len(), 1);
    let running = web.tasks(TasksWanted::Running).await;
    let gone: TaskArn = fake("task").replace("/web/", "/").parse().unwrap();
    assert_eq!(web.containers.tasks("dev", &[running[0].arn.clone(), gone]).await.unwrap().len(), 1);
    let error =
        web.containers.stop_service_deployment(FENCE, &deployments[1], StopDeployment::Rollback).await.unwrap_err();
    assert_eq!(error.class, Class::NotFound, "{error}");
}

pub async fn tags_are_added_to_a_service(backend: &Backend) {
    let web = Web::new(backend, true).await;
    let state = web.state().await;
    let ours = tags(&[("landfast:owner", "dev/service/web")]);
    for _ in 0..2 {
        web.containers.tag_service(FENCE, &state.arn, &ours).await.unwrap();
    }
    let expected = tags(&[("Team", "people"), ("landfast:owner", "dev/service/web")]);
    assert_eq!(web.state().await.tags, expected);
}

pub async fn an_image_is_found_by_tag_and_digest_and_a_tag_moves(backend: &Backend) {
    let (workshop, containers) = (&backend.workshop, door(backend));
    workshop.repository("team/web").await;
    let one = workshop.push("team/web", "one", "1.0.0", Fares::Well).await;
    assert_eq!(workshop.push("team/web", "one", "stable", Fares::Well).await, one);
    let image = containers.image(&repository(), &ImageId::Tag("stable".to_owned())).await.unwrap().unwrap();
    assert_eq!((&image.digest, image.archived), (&one, false));
    assert_eq!(image.tags, BTreeSet::from(["1.0.0".to_owned(), "stable".to_owned()]));
    let two = workshop.push("team/web", "two", "stable", Fares::Well).await;
    let image = containers.image(&repository(), &ImageId::Tag("stable".to_owned())).await.unwrap().unwrap();
    assert_eq!(image.digest, two);
    let image = containers.image(&repository(), &ImageId::Digest(one)).await.unwrap().unwrap();
    assert_eq!(image.tags, BTreeSet::from(["1.0.0".to_owned()]));
    assert_eq!(containers.image(&repository(), &ImageId::Tag("none".to_owned())).await.unwrap(), None);
    let missing = Repository { registry: None, name: "team/none".to_owned() };
    let error = containers.images(&missing, None).await.unwrap_err();
    assert_eq!(error.class, Class::NotFound, "{error}");
    let error = containers.image(&missing, &ImageId::Tag("x".to_owned())).await.unwrap_err();
    assert_eq!(error.class, Class::NotFound, "{error}");
}

pub async fn a_list_has_every_image_once_however_many_pages_it_takes(backend: &Backend) {
    // As many as need a second page of a thousand.
    const COUNT: usize = 1_005;
    let (workshop, containers) = (&backend.workshop, door(backend));
    workshop.repository("team/web").await;
    let mut wanted = BTreeSet::new();
    for number in 0..COUNT {
        let content = format!("{number}");
        wanted.insert(workshop.push("team/web", &content, &format!("build-{number}"), Fares::Well).await);
    }
    let repository = repository();
    assert!(containers.images(&repository, None).await.unwrap().next.is_some());
    let listed = all(|page| containers.images(&repository, page)).await;
    assert_eq!(listed.len(), COUNT);
    assert_eq!(listed.into_iter().map(|image| image.digest).collect::<BTreeSet<_>>(), wanted);
}

pub async fn an_index_names_its_platforms_and_a_single_image_its_configuration(backend: &Backend) {
    let (workshop, containers) = (&backend.workshop, door(backend));
    workshop.repository("team/web").await;
    let platform = |cpu: &str| Platform { os: "linux".to_owned(), architecture: cpu.to_owned() };
    let both = [platform("amd64"), platform("arm64")];
    let index = workshop.push_index("team/web", "both", &both).await;
    let manifest = containers.image_manifest(&repository(), &index).await.unwrap();
    assert_eq!(manifest, ImageManifest::Index(both.to_vec()));
    let single = workshop.push_built_for("team/web", "one", platform("arm64")).await;
    let manifest = containers.image_manifest(&repository(), &single).await.unwrap();
    let ImageManifest::Single(Some(config)) = manifest else { panic!("{manifest:?}") };
    // Where the emulator says that the configuration is, it is not.
    if matches!(workshop, Workshop::Simulated(_)) {
        let built_for = containers.built_for(&repository(), &config).await.unwrap();
        assert_eq!(built_for, Some(platform("arm64")));
    }
    let none: ImageDigest = format!("sha256:{}", "0".repeat(64)).parse().unwrap();
    let error = containers.image_manifest(&repository(), &none).await.unwrap_err();
    assert_eq!(error.class, Class::NotFound, "{error}");
}

pub async fn the_newest_lines_of_a_log_come_oldest_first(backend: &Backend) {
    let containers = door(backend);
    let stream = LogStream { group: "/ecs/web".to_owned(), stream: "web/web/0123".to_owned() };
    assert_eq!(containers.log_lines(&stream, 10).await.unwrap(), None);
    for number in 0..5 {
        backend.workshop.log(&stream, &format!("line {number}"), backend.cx.now()).await;
        backend.cx.sleep(Duration::from_millis(5)).await;
    }
    let lines = containers.log_lines(&stream, 3).await.unwrap().unwrap();
    assert_eq!(lines.iter().map(|line| line.message.as_str()).collect::<Vec<_>>(), ["line 2", "line 3", "line 4"]);
    let other = LogStream { stream: "web/web/4567".to_owned(), ..stream };
    assert_eq!(containers.log_lines(&other, 10).await.unwrap(), None);
}

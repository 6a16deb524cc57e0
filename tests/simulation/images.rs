//! The rules of images and services (S14, S21), checked at every call that deploys something, against the truth.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use landfast::model::{
    ClusterArn, Deployed, ImageDigest, ImageId, ImageManifest, ImageState, LogLine, LogStream, Platform, Repository,
    ServiceArn, ServiceDeploymentArn, ServiceDeploymentState, ServiceDeploymentStatus, ServiceDeploymentSummary,
    ServiceRef, ServiceRevisionArn, ServiceRevisionState, ServiceState, SmallMap, StopDeployment, TaskArn,
    TaskDefinitionArn, TaskDefinitionState, TaskDefinitionStatus, TaskState, Value,
};
use landfast::ports::{Containers, CopyTaskDefinition, Fence, Page, PageToken, PortError, TasksWanted, UpdateService};
use landfast::sim::Console;

use crate::fleet::REPOSITORY;
use crate::spy::Life;

type Answer<T> = Result<T, PortError>;

/// How old what a registry said may be when something is deployed by it: the 15 seconds that it is good for, a read of the
/// precondition that hangs, and a call that waits for its turn.
const JUST: SignedDuration = SignedDuration::from_secs(60);

/// The service of the fleet.
pub(crate) fn web() -> ServiceRef {
    ServiceRef { cluster: "shop".to_owned(), service: "web".to_owned() }
}

/// What a monitor knows of images beside the world itself.
#[derive(Default)]
pub(crate) struct Images {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Where each image stands that the manifest allows: the greater, the newer.
    ranks: BTreeMap<ImageDigest, usize>,
    /// Images that fail wherever they run, and since when they may be tried: a person's word counts anew.
    bad: BTreeMap<ImageDigest, Timestamp>,
    /// A commit or a person has said that older ones may run.
    may_go_back: bool,
    /// What the autoscaler says, of the service that was created then.
    desired: Option<(Option<Timestamp>, u32)>,
    /// Images that change sets bring.
    proposed: BTreeMap<String, String>,
    /// When the registry last answered that it has an image: when it was asked.
    listed: BTreeMap<ImageDigest, Timestamp>,
}

/// The digest in a reference that has one.
fn named(image: &str) -> Option<ImageDigest> {
    image.rsplit_once('@').and_then(|(_, digest)| digest.parse().ok())
}

/// Whether a deployment brings an image.
pub(crate) fn brings(deployed: &Deployed, digest: &ImageDigest) -> bool {
    let images = deployed.target.iter().flat_map(|target| &target.images);
    images
        .into_iter()
        .any(|image| image.digest.as_ref() == Some(digest) || named(&image.image).as_ref() == Some(digest))
}

impl Images {
    /// An image that the manifest allows, newer than all before.
    pub(crate) fn pushed(&self, digest: &ImageDigest, is_bad: bool, now: Timestamp) {
        let mut inner = self.inner.lock().unwrap();
        let rank = inner.ranks.len();
        inner.ranks.entry(digest.clone()).or_insert(rank);
        if is_bad {
            inner.bad.insert(digest.clone(), now);
        }
    }

    /// A person has released it.
    pub(crate) fn released(&self, digest: &ImageDigest, now: Timestamp) {
        self.inner.lock().unwrap().bad.insert(digest.clone(), now);
    }

    /// A commit or a person has said that older ones may run.
    pub(crate) fn may_go_back(&self) {
        self.inner.lock().unwrap().may_go_back = true;
    }

    /// The autoscaler has set the count.
    pub(crate) fn scaled(&self, service: &ServiceState, desired: u32) {
        self.inner.lock().unwrap().desired = Some((service.created, desired));
    }

    /// Nobody knows any more what was decided and what has failed: whatever is the newest may be tried.
    pub(crate) fn forgotten(&self) {
        let mut inner = self.inner.lock().unwrap();
        inner.bad.clear();
        inner.may_go_back = true;
    }

    /// A change set was made with these parameters.
    pub(crate) fn proposes(&self, change_set: &str, parameters: &SmallMap<Value>) {
        if let Some(Value::Plain(image)) = parameters.get("Image") {
            self.inner.lock().unwrap().proposed.insert(change_set.to_owned(), image.clone());
        }
    }

    /// A change set is executed: what it changes of the image, if anything.
    pub(crate) fn executes(&self, change_set: &str, console: &Console, now: Timestamp) -> Vec<String> {
        let image = self.inner.lock().unwrap().proposed.get(change_set).cloned();
        let Some(image) = image else { return Vec::new() };
        if console.service(&web()).is_none() || running(console).as_deref() == Some(&image) {
            return Vec::new();
        }
        self.deploys(&image, console, now)
    }

    /// A page of the registry's images was asked for then.
    fn listed(&self, images: &[ImageState], at: Timestamp) {
        let there = images.iter().filter(|image| !image.archived).map(|image| (image.digest.clone(), at));
        self.inner.lock().unwrap().listed.extend(there);
    }

    /// S14: what is wrong with deploying this image now.
    fn deploys(&self, image: &str, console: &Console, now: Timestamp) -> Vec<String> {
        let inner = self.inner.lock().unwrap();
        let mut wrong = Vec::new();
        let Some(digest) = named(image) else { return vec![format!("S14 images: {image} is deployed by a tag")] };
        // It may have expired since it was listed: AWS has no condition on that.
        let is_there = console.images(REPOSITORY).iter().any(|found| found.digest == digest && !found.archived);
        let was_there = inner.listed.get(&digest).is_some_and(|at| now.duration_since(*at) <= JUST);
        if !is_there && !was_there {
            wrong.push(format!("S14 images: {} is deployed and not in the registry", digest.short()));
        }
        let Some(rank) = inner.ranks.get(&digest) else {
            wrong.push(format!("S14 images: {} is deployed and no manifest allows it", digest.short()));
            return wrong;
        };
        let tried = console.service_deployments(&web()).into_iter().filter(|deployed| brings(deployed, &digest));
        let since = inner.bad.get(&digest);
        // Deployed where no task was wanted, it has shown nothing.
        let has_failed =
            |status: ServiceDeploymentStatus| status.is_final() && status != ServiceDeploymentStatus::Successful;
        let mut failed = tried.filter(|tried| has_failed(tried.state.status));
        if since.is_some_and(|since| failed.any(|tried| tried.state.created > *since)) {
            wrong.push(format!("S14 images: {} has failed and is deployed again", digest.short()));
        }
        let runs = running(console).as_deref().and_then(named).and_then(|running| inner.ranks.get(&running).copied());
        if runs.is_some_and(|runs| runs > *rank) && !inner.may_go_back {
            wrong.push(format!("S14 images: {} is older than what runs", digest.short()));
        }
        wrong
    }

    /// S21: what is wrong with the service as it is.
    pub(crate) fn wrong(&self, console: &Console) -> Vec<String> {
        let mut wrong = Vec::new();
        let desired = self.inner.lock().unwrap().desired;
        let found = console.service(&web()).map(|service| (service.created, service.desired));
        // One that a stack has made anew has a count anew.
        let same = desired.zip(found).is_some_and(|(desired, found)| desired.0 == found.0);
        if same && desired != found {
            wrong.push(format!("S21 delegated: the desired count is {found:?}, and the autoscaler said {desired:?}"));
        }
        wrong
    }
}

/// The image of the task definition that is deployed.
fn running(console: &Console) -> Option<String> {
    let definition = console.service(&web())?.task_definition?;
    let definition = console.task_definition(definition.as_str())?;
    definition.containers.into_iter().find(|container| container.name == "web").map(|container| container.image)
}

/// One door is opened for each step: what was read through it is what the step was checked against.
pub(crate) struct Door {
    pub(crate) inner: Arc<dyn Containers>,
    pub(crate) life: Arc<Life>,
    pub(crate) console: Console,
    /// The id of the primary deployment that was read.
    pub(crate) read: Mutex<Option<String>>,
}

impl Door {
    fn departs(&self, operation: &'static str) -> crate::spy::Flight<'_> {
        for wrong in self.life.truth.images.wrong(&self.console) {
            self.life.truth.blame(format!("{wrong} [before {operation}]"));
        }
        self.life.depart(operation, "service/web")
    }

    fn deploys(&self, request: &UpdateService) {
        let truth = &self.life.truth;
        let primary = self.console.service(&request.service).and_then(|service| Some(service.primary()?.id.clone()));
        match &*self.read.lock().unwrap() {
            None => truth.blame("S5 fresh evidence: UpdateService without reading the service first".to_owned()),
            read if *read != primary => {
                truth.blame(format!("S5 fresh evidence: {read:?} was read, and {primary:?} is replaced"));
            }
            Some(_) => {}
        }
        let wanted = request.task_definition.as_ref();
        let Some(wanted) = wanted.and_then(|wanted| self.console.task_definition(wanted.as_str())) else { return };
        let Some(container) = wanted.containers.iter().find(|container| container.name == "web") else { return };
        if running(&self.console).as_deref() == Some(&container.image) {
            return;
        }
        for wrong in truth.images.deploys(&container.image, &self.console, self.life.cx.now()) {
            truth.blame(wrong);
        }
    }
}

#[async_trait]
impl Containers for Door {
    async fn clusters(&self, page: Option<PageToken>) -> Answer<Page<ClusterArn>> {
        self.inner.clusters(page).await
    }
    async fn list_services(&self, cluster: &str, page: Option<PageToken>) -> Answer<Page<ServiceArn>> {
        self.inner.list_services(cluster, page).await
    }
    async fn services(&self, cluster: &str, services: &[String]) -> Answer<Vec<Option<ServiceState>>> {
        let answer = self.inner.services(cluster, services).await;
        if let Ok(states) = &answer {
            let primary = states.iter().flatten().find_map(|state| Some(state.primary()?.id.clone()));
            *self.read.lock().unwrap() = primary;
        }
        answer
    }
    async fn task_definition(&self, name: &str) -> Answer<Option<TaskDefinitionState>> {
        self.inner.task_definition(name).await
    }
    async fn task_definitions(
        &self,
        family: &str,
        status: TaskDefinitionStatus,
        page: Option<PageToken>,
    ) -> Answer<Page<TaskDefinitionArn>> {
        self.inner.task_definitions(family, status, page).await
    }
    async fn list_service_deployments(
        &self,
        service: &ServiceRef,
        after: Option<Timestamp>,
        page: Option<PageToken>,
    ) -> Answer<Page<ServiceDeploymentSummary>> {
        self.inner.list_service_deployments(service, after, page).await
    }
    async fn service_deployments(&self, arns: &[ServiceDeploymentArn]) -> Answer<Vec<ServiceDeploymentState>> {
        self.inner.service_deployments(arns).await
    }
    async fn service_revisions(&self, arns: &[ServiceRevisionArn]) -> Answer<Vec<ServiceRevisionState>> {
        self.inner.service_revisions(arns).await
    }
    async fn list_tasks(
        &self,
        service: &ServiceRef,
        wanted: TasksWanted,
        page: Option<PageToken>,
    ) -> Answer<Page<TaskArn>> {
        self.inner.list_tasks(service, wanted, page).await
    }
    async fn tasks(&self, cluster: &str, tasks: &[TaskArn]) -> Answer<Vec<TaskState>> {
        self.inner.tasks(cluster, tasks).await
    }
    async fn log_lines(&self, stream: &LogStream, count: u32) -> Answer<Option<Vec<LogLine>>> {
        self.inner.log_lines(stream, count).await
    }
    async fn images(&self, repository: &Repository, page: Option<PageToken>) -> Answer<Page<ImageState>> {
        let asked = self.life.cx.now();
        let answer = self.inner.images(repository, page).await;
        if let Ok(page) = &answer {
            self.life.truth.images.listed(&page.items, asked);
        }
        answer
    }
    async fn image(&self, repository: &Repository, image: &ImageId) -> Answer<Option<ImageState>> {
        self.inner.image(repository, image).await
    }
    async fn image_manifest(&self, repository: &Repository, digest: &ImageDigest) -> Answer<ImageManifest> {
        self.inner.image_manifest(repository, digest).await
    }
    async fn built_for(&self, repository: &Repository, config: &ImageDigest) -> Answer<Option<Platform>> {
        self.inner.built_for(repository, config).await
    }
    async fn copy_task_definition(&self, fence: Fence, request: CopyTaskDefinition) -> Answer<TaskDefinitionState> {
        let _flight = self.departs("RegisterTaskDefinition");
        self.inner.copy_task_definition(fence, request).await
    }
    async fn update_service(&self, fence: Fence, request: UpdateService) -> Answer<ServiceState> {
        let _flight = self.departs("UpdateService");
        self.deploys(&request);
        self.inner.update_service(fence, request).await
    }
    async fn stop_service_deployment(
        &self,
        fence: Fence,
        deployment: &ServiceDeploymentArn,
        how: StopDeployment,
    ) -> Answer<()> {
        let _flight = self.departs("StopServiceDeployment");
        self.inner.stop_service_deployment(fence, deployment, how).await
    }
    async fn deregister_task_definition(&self, fence: Fence, definition: &TaskDefinitionArn) -> Answer<()> {
        let _flight = self.departs("DeregisterTaskDefinition");
        if self.console.service(&web()).and_then(|service| service.task_definition).as_ref() == Some(definition) {
            self.life.truth.blame(format!("S14 images: {definition} runs and is deregistered"));
        }
        self.inner.deregister_task_definition(fence, definition).await
    }
    async fn tag_service(&self, fence: Fence, service: &ServiceArn, tags: &BTreeMap<String, String>) -> Answer<()> {
        let _flight = self.departs("TagResource");
        self.inner.tag_service(fence, service, tags).await
    }
}

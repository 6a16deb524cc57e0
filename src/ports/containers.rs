//! ECS services, their tasks and task definitions, and the images of ECR, of one account in one region.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Fence, Page, PageToken, PortError};
use crate::model::{
    ClusterArn, ImageDigest, ImageId, ImageManifest, ImageState, LogLine, LogStream, Platform, Repository, ServiceArn,
    ServiceDeploymentArn, ServiceDeploymentState, ServiceDeploymentSummary, ServiceRef, ServiceRevisionArn,
    ServiceRevisionState, ServiceState, StopDeployment, TaskArn, TaskDefinitionArn, TaskDefinitionState,
    TaskDefinitionStatus, TaskState,
};

/// A request to register a task definition that is like another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyTaskDefinition {
    /// The one that is copied.
    pub from: TaskDefinitionArn,
    /// The images that differ, by container. A container that it does not have is an error (`Invalid`).
    pub images: BTreeMap<String, String>,
    /// Tags beside those that it has.
    pub tags: BTreeMap<String, String>,
}

/// A request to deploy a service (AWS: *`UpdateService`*). It has no desired count: that is never ours to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateService {
    /// The service.
    pub service: ServiceRef,
    /// What it is to run; `None`: what it runs.
    pub task_definition: Option<TaskDefinitionArn>,
    /// Deploy even if that changes nothing.
    pub force: bool,
}

/// Which tasks are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TasksWanted {
    /// Those that are to run, whether they do yet or not.
    Running,
    /// Those that are to stop or have stopped within the last hour.
    Stopped,
}

/// ECS services, their tasks and task definitions, and the images of ECR, of one account in one region.
#[async_trait]
pub trait Containers: Send + Sync {
    /// One page of the ARNs of all clusters that are active.
    async fn clusters(&self, page: Option<PageToken>) -> Result<Page<ClusterArn>, PortError>;

    /// One page of the ARNs of the services of a cluster, those that were deleted left out. Answers `NotFound` if there
    /// is no such cluster.
    async fn list_services(&self, cluster: &str, page: Option<PageToken>) -> Result<Page<ServiceArn>, PortError>;

    /// Services of a cluster, one to ten of them, each by name or ARN: for each that was asked for, in that order,
    /// what it is, or `None` if there is none. A service that was deleted may still be told of as `Inactive`.
    /// Answers `NotFound` if there is no such cluster.
    async fn services(&self, cluster: &str, services: &[String]) -> Result<Vec<Option<ServiceState>>, PortError>;

    /// A task definition by family (the newest active revision), `family:revision` or ARN; `None` if there is none.
    async fn task_definition(&self, name: &str) -> Result<Option<TaskDefinitionState>, PortError>;

    /// One page of the revisions of a family with this status, the newest first.
    async fn task_definitions(
        &self,
        family: &str,
        status: TaskDefinitionStatus,
        page: Option<PageToken>,
    ) -> Result<Page<TaskDefinitionArn>, PortError>;

    /// One page of the service deployments of a service, the newest first; those asked for after a moment, if there
    /// is one. AWS keeps them for 90 days.
    async fn list_service_deployments(
        &self,
        service: &ServiceRef,
        after: Option<Timestamp>,
        page: Option<PageToken>,
    ) -> Result<Page<ServiceDeploymentSummary>, PortError>;

    /// Service deployments, one to twenty of them. Those that AWS does not know are left out.
    async fn service_deployments(
        &self,
        deployments: &[ServiceDeploymentArn],
    ) -> Result<Vec<ServiceDeploymentState>, PortError>;

    /// Service revisions, one to twenty of them. Those that AWS does not know are left out.
    async fn service_revisions(&self, revisions: &[ServiceRevisionArn])
    -> Result<Vec<ServiceRevisionState>, PortError>;

    /// One page of the tasks of a service.
    async fn list_tasks(
        &self,
        service: &ServiceRef,
        wanted: TasksWanted,
        page: Option<PageToken>,
    ) -> Result<Page<TaskArn>, PortError>;

    /// Tasks of a cluster, one to a hundred of them. Those that AWS does not know are left out.
    async fn tasks(&self, cluster: &str, tasks: &[TaskArn]) -> Result<Vec<TaskState>, PortError>;

    /// The newest lines of a log stream, the oldest of them first, at most `count` (1 to 10,000); `None` if there is no
    /// such stream.
    async fn log_lines(&self, stream: &LogStream, count: u32) -> Result<Option<Vec<LogLine>>, PortError>;

    /// One page of the images of a repository, in no particular order. Answers `NotFound` if there is no such
    /// repository.
    async fn images(&self, repository: &Repository, page: Option<PageToken>) -> Result<Page<ImageState>, PortError>;

    /// One image; `None` if the repository has none like it. Answers `NotFound` if there is no such repository.
    async fn image(&self, repository: &Repository, image: &ImageId) -> Result<Option<ImageState>, PortError>;

    /// What the manifest of an image says of platforms. Answers `NotFound` if there is no such repository or image.
    async fn image_manifest(&self, repository: &Repository, digest: &ImageDigest) -> Result<ImageManifest, PortError>;

    /// What a single image was built for, as its configuration says, by that one's digest; `None` if it does not say.
    /// Answers `NotFound` if there is no such repository or configuration, `Invalid` if it is none of an image.
    ///
    /// Two requests (AWS: *`GetDownloadUrlForLayer`*, and a download), because what is between them is a signed
    /// address: whoever has it can read.
    async fn built_for(&self, repository: &Repository, config: &ImageDigest) -> Result<Option<Platform>, PortError>;

    /// Registers a task definition that is like another one but for images and tags. It keeps the tags of the other one
    /// but those of AWS (`aws:…`), which nobody may set.
    ///
    /// Two requests (AWS: *`DescribeTaskDefinition`*, *`RegisterTaskDefinition`*), because what is between them is a
    /// type with dozens of fields that must pass through unread. Nothing can come between the two: a revision never
    /// changes. There is no idempotency token: a lost answer may leave a revision behind that nobody uses.
    async fn copy_task_definition(
        &self,
        fence: Fence,
        request: CopyTaskDefinition,
    ) -> Result<TaskDefinitionState, PortError>;

    /// Deploys a service, and says what it is then, with the new deployment as its primary one. With the task definition
    /// that it runs already, and without force, nothing happens. There is no idempotency token. Answers `NotFound` if
    /// there is no such service, `Conflict` if it is not active, `Invalid` if the task definition is inactive.
    async fn update_service(&self, fence: Fence, request: UpdateService) -> Result<ServiceState, PortError>;

    /// Stops a service deployment. Answers `Conflict` if it has ended or cannot be stopped any more.
    async fn stop_service_deployment(
        &self,
        fence: Fence,
        deployment: &ServiceDeploymentArn,
        how: StopDeployment,
    ) -> Result<(), PortError>;

    /// Makes a task definition inactive. Services that run it keep it; no update can choose it again. Succeeds if it is
    /// inactive already.
    async fn deregister_task_definition(
        &self,
        fence: Fence,
        task_definition: &TaskDefinitionArn,
    ) -> Result<(), PortError>;

    /// Adds tags to a service.
    async fn tag_service(
        &self,
        fence: Fence,
        service: &ServiceArn,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), PortError>;
}

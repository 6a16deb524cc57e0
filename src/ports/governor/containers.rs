//! The governed door to [`Containers`].

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use super::api;
use super::door::Door;
use crate::model::{
    ClusterArn, ImageDigest, ImageId, ImageManifest, ImageState, LogLine, LogStream, Platform, Repository, ServiceArn,
    ServiceDeploymentArn, ServiceDeploymentState, ServiceDeploymentSummary, ServiceRef, ServiceRevisionArn,
    ServiceRevisionState, ServiceState, StopDeployment, TaskArn, TaskDefinitionArn, TaskDefinitionState,
    TaskDefinitionStatus, TaskState,
};
use crate::ports::{Containers, CopyTaskDefinition, Fence, Page, PageToken, PortError, TasksWanted, UpdateService};

#[async_trait]
impl Containers for Door<dyn Containers> {
    async fn clusters(&self, page: Option<PageToken>) -> Result<Page<ClusterArn>, PortError> {
        self.read(&api::LIST_CLUSTERS, || self.inner.clusters(page.clone())).await
    }

    async fn list_services(&self, cluster: &str, page: Option<PageToken>) -> Result<Page<ServiceArn>, PortError> {
        self.read(&api::LIST_SERVICES, || self.inner.list_services(cluster, page.clone())).await
    }

    async fn services(&self, cluster: &str, services: &[String]) -> Result<Vec<Option<ServiceState>>, PortError> {
        self.read(&api::DESCRIBE_SERVICES, || self.inner.services(cluster, services)).await
    }

    async fn task_definition(&self, name: &str) -> Result<Option<TaskDefinitionState>, PortError> {
        self.read(&api::DESCRIBE_TASK_DEFINITION, || self.inner.task_definition(name)).await
    }

    async fn task_definitions(
        &self,
        family: &str,
        status: TaskDefinitionStatus,
        page: Option<PageToken>,
    ) -> Result<Page<TaskDefinitionArn>, PortError> {
        let call = || self.inner.task_definitions(family, status, page.clone());
        self.read(&api::LIST_TASK_DEFINITIONS, call).await
    }

    async fn list_service_deployments(
        &self,
        service: &ServiceRef,
        after: Option<Timestamp>,
        page: Option<PageToken>,
    ) -> Result<Page<ServiceDeploymentSummary>, PortError> {
        let call = || self.inner.list_service_deployments(service, after, page.clone());
        self.read(&api::LIST_SERVICE_DEPLOYMENTS, call).await
    }

    async fn service_deployments(
        &self,
        deployments: &[ServiceDeploymentArn],
    ) -> Result<Vec<ServiceDeploymentState>, PortError> {
        self.read(&api::DESCRIBE_SERVICE_DEPLOYMENTS, || self.inner.service_deployments(deployments)).await
    }

    async fn service_revisions(
        &self,
        revisions: &[ServiceRevisionArn],
    ) -> Result<Vec<ServiceRevisionState>, PortError> {
        self.read(&api::DESCRIBE_SERVICE_REVISIONS, || self.inner.service_revisions(revisions)).await
    }

    async fn list_tasks(
        &self,
        service: &ServiceRef,
        wanted: TasksWanted,
        page: Option<PageToken>,
    ) -> Result<Page<TaskArn>, PortError> {
        self.read(&api::LIST_TASKS, || self.inner.list_tasks(service, wanted, page.clone())).await
    }

    async fn tasks(&self, cluster: &str, tasks: &[TaskArn]) -> Result<Vec<TaskState>, PortError> {
        self.read(&api::DESCRIBE_TASKS, || self.inner.tasks(cluster, tasks)).await
    }

    async fn log_lines(&self, stream: &LogStream, count: u32) -> Result<Option<Vec<LogLine>>, PortError> {
        self.read(&api::GET_LOG_EVENTS, || self.inner.log_lines(stream, count)).await
    }

    async fn images(&self, repository: &Repository, page: Option<PageToken>) -> Result<Page<ImageState>, PortError> {
        self.read(&api::DESCRIBE_IMAGES, || self.inner.images(repository, page.clone())).await
    }

    async fn image(&self, repository: &Repository, image: &ImageId) -> Result<Option<ImageState>, PortError> {
        self.read(&api::DESCRIBE_IMAGES, || self.inner.image(repository, image)).await
    }

    async fn image_manifest(&self, repository: &Repository, digest: &ImageDigest) -> Result<ImageManifest, PortError> {
        self.read(&api::BATCH_GET_IMAGE, || self.inner.image_manifest(repository, digest)).await
    }

    async fn built_for(&self, repository: &Repository, config: &ImageDigest) -> Result<Option<Platform>, PortError> {
        self.read(&api::GET_DOWNLOAD_URL_FOR_LAYER, || self.inner.built_for(repository, config)).await
    }

    async fn copy_task_definition(
        &self,
        fence: Fence,
        request: CopyTaskDefinition,
    ) -> Result<TaskDefinitionState, PortError> {
        let call = || self.inner.copy_task_definition(fence, request.clone());
        self.change(&api::REGISTER_TASK_DEFINITION, fence, call).await
    }

    async fn update_service(&self, fence: Fence, request: UpdateService) -> Result<ServiceState, PortError> {
        let call = || self.inner.update_service(fence, request.clone());
        self.change(&api::UPDATE_SERVICE, fence, call).await
    }

    async fn stop_service_deployment(
        &self,
        fence: Fence,
        deployment: &ServiceDeploymentArn,
        how: StopDeployment,
    ) -> Result<(), PortError> {
        let call = || self.inner.stop_service_deployment(fence, deployment, how);
        self.change(&api::STOP_SERVICE_DEPLOYMENT, fence, call).await
    }

    async fn deregister_task_definition(
        &self,
        fence: Fence,
        task_definition: &TaskDefinitionArn,
    ) -> Result<(), PortError> {
        let call = || self.inner.deregister_task_definition(fence, task_definition);
        self.change(&api::DEREGISTER_TASK_DEFINITION, fence, call).await
    }

    async fn tag_service(
        &self,
        fence: Fence,
        service: &ServiceArn,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), PortError> {
        self.change(&api::TAG_RESOURCE, fence, || self.inner.tag_service(fence, service, tags)).await
    }
}

//! `ports::Containers`, simulated.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use super::cloud::SimDoor;
use super::ecs::{config_of, page};
use crate::model::{
    ClusterArn, ImageDigest, ImageId, ImageManifest, ImageState, LogLine, LogStream, Platform, Repository, ServiceArn,
    ServiceDeploymentArn, ServiceDeploymentState, ServiceDeploymentSummary, ServiceRef, ServiceRevisionArn,
    ServiceRevisionState, ServiceState, StopDeployment, TaskArn, TaskDefinitionArn, TaskDefinitionState,
    TaskDefinitionStatus, TaskState,
};
use crate::ports::{
    Class, Containers, CopyTaskDefinition, Fence, Page, PageToken, PortError, TasksWanted, UpdateService,
};

#[async_trait]
impl Containers for SimDoor {
    async fn clusters(&self, token: Option<PageToken>) -> Result<Page<ClusterArn>, PortError> {
        const OPERATION: &str = "ListClusters";
        self.read(OPERATION, "", |world, lens| {
            let all = world.ecs(self.region).clusters.iter().map(|name| world.cluster_arn(self.region, name));
            let all: Vec<ClusterArn> = all.collect::<Result<_, _>>()?;
            page(OPERATION, &all, world.config.page_size, lens, token.as_ref())
        })
        .await
    }

    async fn list_services(&self, cluster: &str, token: Option<PageToken>) -> Result<Page<ServiceArn>, PortError> {
        const OPERATION: &str = "ListServices";
        self.read(OPERATION, cluster, |world, lens| {
            let all = world.services_of(self.region, cluster)?;
            page(OPERATION, &all, world.config.page_size, lens, token.as_ref())
        })
        .await
    }

    async fn services(&self, cluster: &str, services: &[String]) -> Result<Vec<Option<ServiceState>>, PortError> {
        self.read("DescribeServices", cluster, |world, lens| {
            world.describe_services(self.region, lens, cluster, services)
        })
        .await
    }

    async fn task_definition(&self, name: &str) -> Result<Option<TaskDefinitionState>, PortError> {
        self.read("DescribeTaskDefinition", name, |world, _| Ok(world.definition(self.region, name).cloned())).await
    }

    async fn task_definitions(
        &self,
        family: &str,
        status: TaskDefinitionStatus,
        token: Option<PageToken>,
    ) -> Result<Page<TaskDefinitionArn>, PortError> {
        const OPERATION: &str = "ListTaskDefinitions";
        self.read(OPERATION, family, |world, lens| {
            let all = world.definitions(self.region, family, status);
            page(OPERATION, &all, world.config.page_size, lens, token.as_ref())
        })
        .await
    }

    async fn list_service_deployments(
        &self,
        service: &ServiceRef,
        after: Option<Timestamp>,
        token: Option<PageToken>,
    ) -> Result<Page<ServiceDeploymentSummary>, PortError> {
        const OPERATION: &str = "ListServiceDeployments";
        self.read(OPERATION, &service.to_string(), |world, lens| {
            let all = world.service_records(self.region, service, after)?;
            page(OPERATION, &all, world.config.page_size, lens, token.as_ref())
        })
        .await
    }

    async fn service_deployments(
        &self,
        deployments: &[ServiceDeploymentArn],
    ) -> Result<Vec<ServiceDeploymentState>, PortError> {
        let target = deployments.first().map_or("", ServiceDeploymentArn::as_str);
        self.read("DescribeServiceDeployments", target, |world, _| world.describe_records(self.region, deployments))
            .await
    }

    async fn service_revisions(
        &self,
        revisions: &[ServiceRevisionArn],
    ) -> Result<Vec<ServiceRevisionState>, PortError> {
        let target = revisions.first().map_or("", ServiceRevisionArn::as_str);
        self.read("DescribeServiceRevisions", target, |world, _| world.describe_revisions(self.region, revisions)).await
    }

    async fn list_tasks(
        &self,
        service: &ServiceRef,
        wanted: TasksWanted,
        token: Option<PageToken>,
    ) -> Result<Page<TaskArn>, PortError> {
        const OPERATION: &str = "ListTasks";
        self.read(OPERATION, &service.to_string(), |world, lens| {
            let all = world.service_tasks(self.region, service, wanted)?;
            page(OPERATION, &all, world.config.page_size, lens, token.as_ref())
        })
        .await
    }

    async fn tasks(&self, cluster: &str, tasks: &[TaskArn]) -> Result<Vec<TaskState>, PortError> {
        self.read("DescribeTasks", cluster, |world, _| world.describe_tasks(self.region, cluster, tasks)).await
    }

    async fn log_lines(&self, stream: &LogStream, count: u32) -> Result<Option<Vec<LogLine>>, PortError> {
        let key = format!("{}|{}", stream.group, stream.stream);
        self.read("GetLogEvents", &stream.stream, |world, _| {
            let lines = world.data.regions[self.region].ecs.logs.get(&key);
            let newest = |lines: &Vec<LogLine>| {
                let skipped = lines.len().saturating_sub(usize::try_from(count).unwrap_or(usize::MAX));
                lines.iter().skip(skipped).cloned().collect()
            };
            Ok(lines.map(newest))
        })
        .await
    }

    async fn images(&self, repository: &Repository, token: Option<PageToken>) -> Result<Page<ImageState>, PortError> {
        const OPERATION: &str = "DescribeImages";
        self.read(OPERATION, &repository.name, |world, lens| {
            let all = world.images(self.region, repository)?;
            page(OPERATION, &all, world.config.page_size, lens, token.as_ref())
        })
        .await
    }

    async fn image(&self, repository: &Repository, image: &ImageId) -> Result<Option<ImageState>, PortError> {
        self.read("DescribeImages", &repository.name, |world, _| {
            Ok(world.image(self.region, repository, image)?.map(|image| image.state))
        })
        .await
    }

    async fn image_manifest(&self, repository: &Repository, digest: &ImageDigest) -> Result<ImageManifest, PortError> {
        const OPERATION: &str = "BatchGetImage";
        self.read(OPERATION, &repository.name, |world, _| {
            let image = world.image(self.region, repository, &ImageId::Digest(digest.clone()))?;
            let image = image.ok_or_else(|| {
                PortError::new(Class::NotFound, OPERATION, "Requested image not found").with_code("ImageNotFound")
            })?;
            Ok(match (image.platforms, image.built_for) {
                (Some(platforms), _) => ImageManifest::Index(platforms),
                (None, Some(_)) => ImageManifest::Single(config_of(digest)),
                (None, None) => ImageManifest::Single(None),
            })
        })
        .await
    }

    async fn built_for(&self, repository: &Repository, config: &ImageDigest) -> Result<Option<Platform>, PortError> {
        const OPERATION: &str = "GetDownloadUrlForLayer";
        self.read(OPERATION, &repository.name, |world, _| {
            let images = world.repository(self.region, repository, OPERATION)?;
            let of_it = images.values().find(|image| config_of(&image.state.digest).as_ref() == Some(config));
            let image = of_it.ok_or_else(|| {
                PortError::new(Class::NotFound, OPERATION, "The layer does not exist")
                    .with_code("LayersNotFoundException")
            })?;
            Ok(image.built_for.clone())
        })
        .await
    }

    async fn copy_task_definition(
        &self,
        fence: Fence,
        request: CopyTaskDefinition,
    ) -> Result<TaskDefinitionState, PortError> {
        let target = request.from.to_string();
        let copy = |world: &mut super::world::World| world.copy_definition(self.region, request);
        self.write("RegisterTaskDefinition", &target, fence, None, copy).await
    }

    async fn update_service(&self, fence: Fence, request: UpdateService) -> Result<ServiceState, PortError> {
        let update = |world: &mut super::world::World| world.update_ecs_service(self.region, &request);
        self.write("UpdateService", &request.service.to_string(), fence, None, update).await
    }

    async fn stop_service_deployment(
        &self,
        fence: Fence,
        deployment: &ServiceDeploymentArn,
        how: StopDeployment,
    ) -> Result<(), PortError> {
        let stop = |world: &mut super::world::World| world.stop_record(self.region, deployment, how);
        self.write("StopServiceDeployment", deployment.as_str(), fence, None, stop).await
    }

    async fn deregister_task_definition(
        &self,
        fence: Fence,
        task_definition: &TaskDefinitionArn,
    ) -> Result<(), PortError> {
        let deregister = |world: &mut super::world::World| world.deregister(self.region, task_definition);
        self.write("DeregisterTaskDefinition", task_definition.as_str(), fence, None, deregister).await
    }

    async fn tag_service(
        &self,
        fence: Fence,
        service: &ServiceArn,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), PortError> {
        let tag = |world: &mut super::world::World| world.tag_ecs_service(self.region, service, tags);
        self.write("TagResource", service.as_str(), fence, None, tag).await
    }
}

//! `ports::Containers` over the SDK: one method, one request.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_ecr::types::ImageIdentifier;
use aws_sdk_ecs::types::{
    CreatedAt, DesiredStatus, ServiceField, SortOrder, StopServiceDeploymentStopType, Tag, TaskDefinitionField,
    TaskDefinitionStatus as SdkStatus,
};
use aws_smithy_types::DateTime;
use jiff::Timestamp;

use super::answer::Reader;
use super::blobs::Blobs;
use super::definition;
use super::error::{port_error, unreadable};
use crate::model::{
    ClusterArn, ImageDigest, ImageId, ImageManifest, ImageState, LogLine, LogStream, Platform, Repository, ServiceArn,
    ServiceDeploymentArn, ServiceDeploymentState, ServiceDeploymentSummary, ServiceRef, ServiceRevisionArn,
    ServiceRevisionState, ServiceState, StopDeployment, TaskArn, TaskDefinitionArn, TaskDefinitionState,
    TaskDefinitionStatus, TaskState,
};
use crate::ports::{
    Class, Containers, CopyTaskDefinition, Fence, Page, PageToken, PortError, TasksWanted, UpdateService, found,
};

/// As many images as one answer can hold.
const IMAGES: i32 = 1000;
/// As many lines of other lists as one answer can hold.
const LINES: i32 = 100;
/// The media types of manifests that we can read: those of one image, and those of an index of images.
const MANIFESTS: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// One account in one region.
pub(super) struct Client {
    ecs: aws_sdk_ecs::Client,
    ecr: aws_sdk_ecr::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
    blobs: Blobs,
}

impl Client {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self {
            ecs: aws_sdk_ecs::Client::new(config),
            ecr: aws_sdk_ecr::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            blobs: Blobs::new(config),
        }
    }
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

fn image_id(image: &ImageId) -> ImageIdentifier {
    match image {
        ImageId::Digest(digest) => ImageIdentifier::builder().image_digest(digest.as_str()).build(),
        ImageId::Tag(tag) => ImageIdentifier::builder().image_tag(tag).build(),
    }
}

fn registry(repository: &Repository) -> Option<String> {
    repository.registry.as_ref().map(ToString::to_string)
}

/// The state of each service that was asked for, by whichever of its names it was asked for.
fn in_order(asked: &[String], found: Vec<ServiceState>) -> Vec<Option<ServiceState>> {
    let mut states: Vec<Option<ServiceState>> = vec![None; asked.len()];
    for state in found {
        for (slot, name) in states.iter_mut().zip(asked) {
            let same = *name == state.name || name == state.arn.as_str();
            if same && slot.is_none() {
                *slot = Some(state.clone());
            }
        }
    }
    states
}

#[async_trait]
impl Containers for Client {
    async fn clusters(&self, page: Option<PageToken>) -> Result<Page<ClusterArn>, PortError> {
        const OPERATION: &str = "ListClusters";
        let request = self.ecs.list_clusters().max_results(LINES).set_next_token(page);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let arns = answer.cluster_arns().iter().map(|arn| Reader(OPERATION).parse(Some(arn), "clusterArn"));
        Ok(Page { items: arns.collect::<Result<_, _>>()?, next: answer.next_token.clone() })
    }

    async fn list_services(&self, cluster: &str, page: Option<PageToken>) -> Result<Page<ServiceArn>, PortError> {
        const OPERATION: &str = "ListServices";
        let request = self.ecs.list_services().cluster(cluster).max_results(LINES).set_next_token(page);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let arns = answer.service_arns().iter().map(|arn| Reader(OPERATION).parse(Some(arn), "serviceArn"));
        Ok(Page { items: arns.collect::<Result<_, _>>()?, next: answer.next_token.clone() })
    }

    async fn services(&self, cluster: &str, services: &[String]) -> Result<Vec<Option<ServiceState>>, PortError> {
        const OPERATION: &str = "DescribeServices";
        let request = self.ecs.describe_services().cluster(cluster).set_services(Some(services.to_vec()));
        let answer = request.include(ServiceField::Tags).send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        // Anything but MISSING is a failure that says nothing of whether the service exists.
        if let Some(failure) = answer.failures().iter().find(|failure| failure.reason() != Some("MISSING")) {
            let (arn, reason) = (failure.arn().unwrap_or("a service"), failure.reason().unwrap_or("no reason"));
            return Err(unreadable(OPERATION, &format!("{arn} could not be described: {reason}")));
        }
        let found = answer.services.unwrap_or_default().into_iter();
        let found = found.map(|service| Reader(OPERATION).service(service)).collect::<Result<Vec<_>, _>>()?;
        let known = found.len();
        let states = in_order(services, found);
        let missing = states.iter().filter(|state| state.is_none()).count();
        if missing > answer.failures.unwrap_or_default().len() {
            let told = format!("it describes {known} services, but {} were requested", services.len());
            return Err(unreadable(OPERATION, &told));
        }
        Ok(states)
    }

    async fn task_definition(&self, name: &str) -> Result<Option<TaskDefinitionState>, PortError> {
        const OPERATION: &str = "DescribeTaskDefinition";
        let request = self.ecs.describe_task_definition().task_definition(name).include(TaskDefinitionField::Tags);
        let answer = found(request.send().await.map_err(|e| port_error(OPERATION, e, &[])))?;
        let Some(answer) = answer else { return Ok(None) };
        let read = Reader(OPERATION);
        let found = read.need(answer.task_definition, "taskDefinition")?;
        read.task_definition(found, answer.tags.unwrap_or_default()).map(Some)
    }

    async fn task_definitions(
        &self,
        family: &str,
        status: TaskDefinitionStatus,
        page: Option<PageToken>,
    ) -> Result<Page<TaskDefinitionArn>, PortError> {
        const OPERATION: &str = "ListTaskDefinitions";
        let request = self
            .ecs
            .list_task_definitions()
            .family_prefix(family)
            .status(SdkStatus::from(status.as_str()))
            .sort(SortOrder::Desc)
            .max_results(LINES)
            .set_next_token(page);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let arns = answer.task_definition_arns().iter().map(|arn| Reader(OPERATION).parse(Some(arn), "ARN"));
        let arns: Vec<TaskDefinitionArn> = arns.collect::<Result<_, _>>()?;
        // The name is a prefix for AWS: `api` finds `api-admin` as well.
        let items = arns.into_iter().filter(|arn| arn.family() == family).collect();
        Ok(Page { items, next: answer.next_token })
    }

    async fn list_service_deployments(
        &self,
        service: &ServiceRef,
        after: Option<Timestamp>,
        page: Option<PageToken>,
    ) -> Result<Page<ServiceDeploymentSummary>, PortError> {
        const OPERATION: &str = "ListServiceDeployments";
        let after = after.map(|at| CreatedAt::builder().after(DateTime::from_millis(at.as_millisecond())).build());
        let request = self
            .ecs
            .list_service_deployments()
            .cluster(&service.cluster)
            .service(&service.service)
            .set_created_at(after)
            .max_results(LINES)
            .set_next_token(page);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let found = answer.service_deployments.unwrap_or_default().into_iter();
        let items = found.map(|brief| Reader(OPERATION).brief(brief)).collect::<Result<_, _>>()?;
        Ok(Page { items, next: answer.next_token })
    }

    async fn service_deployments(
        &self,
        deployments: &[ServiceDeploymentArn],
    ) -> Result<Vec<ServiceDeploymentState>, PortError> {
        const OPERATION: &str = "DescribeServiceDeployments";
        let arns = deployments.iter().map(ToString::to_string).collect();
        let request = self.ecs.describe_service_deployments().set_service_deployment_arns(Some(arns));
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        Reader(OPERATION).only_missing(answer.failures())?;
        let found = answer.service_deployments.unwrap_or_default().into_iter();
        found.map(|deployment| Reader(OPERATION).service_deployment(deployment)).collect()
    }

    async fn service_revisions(
        &self,
        revisions: &[ServiceRevisionArn],
    ) -> Result<Vec<ServiceRevisionState>, PortError> {
        const OPERATION: &str = "DescribeServiceRevisions";
        let arns = revisions.iter().map(ToString::to_string).collect();
        let request = self.ecs.describe_service_revisions().set_service_revision_arns(Some(arns));
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        Reader(OPERATION).only_missing(answer.failures())?;
        let found = answer.service_revisions.unwrap_or_default().into_iter();
        found.map(|revision| Reader(OPERATION).service_revision(revision)).collect()
    }

    async fn list_tasks(
        &self,
        service: &ServiceRef,
        wanted: TasksWanted,
        page: Option<PageToken>,
    ) -> Result<Page<TaskArn>, PortError> {
        const OPERATION: &str = "ListTasks";
        let status = match wanted {
            TasksWanted::Running => DesiredStatus::Running,
            TasksWanted::Stopped => DesiredStatus::Stopped,
        };
        let request = self.ecs.list_tasks().cluster(&service.cluster).service_name(&service.service);
        let request = request.desired_status(status).max_results(LINES).set_next_token(page);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let arns = answer.task_arns().iter().map(|arn| Reader(OPERATION).parse(Some(arn), "taskArn"));
        Ok(Page { items: arns.collect::<Result<_, _>>()?, next: answer.next_token.clone() })
    }

    async fn tasks(&self, cluster: &str, tasks: &[TaskArn]) -> Result<Vec<TaskState>, PortError> {
        const OPERATION: &str = "DescribeTasks";
        let arns = tasks.iter().map(ToString::to_string).collect();
        let request = self.ecs.describe_tasks().cluster(cluster).set_tasks(Some(arns));
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        Reader(OPERATION).only_missing(answer.failures())?;
        answer.tasks.unwrap_or_default().into_iter().map(|task| Reader(OPERATION).task(task)).collect()
    }

    async fn log_lines(&self, stream: &LogStream, count: u32) -> Result<Option<Vec<LogLine>>, PortError> {
        const OPERATION: &str = "GetLogEvents";
        let request = self.logs.get_log_events().log_group_name(&stream.group).log_stream_name(&stream.stream);
        let request = request.limit(i32::try_from(count).unwrap_or(i32::MAX)).start_from_head(false);
        let answer = found(request.send().await.map_err(|e| port_error(OPERATION, e, &[])))?;
        let Some(answer) = answer else { return Ok(None) };
        let lines = answer.events.unwrap_or_default().into_iter().map(|event| {
            let millis = Reader(OPERATION).need(event.timestamp, "timestamp")?;
            let at = Timestamp::from_millisecond(millis).map_err(|error| unreadable(OPERATION, &error.to_string()))?;
            Ok(LogLine { at, message: event.message.unwrap_or_default() })
        });
        lines.collect::<Result<_, _>>().map(Some)
    }

    async fn images(&self, repository: &Repository, page: Option<PageToken>) -> Result<Page<ImageState>, PortError> {
        const OPERATION: &str = "DescribeImages";
        let request = self.ecr.describe_images().set_registry_id(registry(repository));
        let request = request.repository_name(&repository.name).max_results(IMAGES).set_next_token(page);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let found = answer.image_details.unwrap_or_default().into_iter();
        let items = found.map(|image| Reader(OPERATION).image(image)).collect::<Result<_, _>>()?;
        Ok(Page { items, next: answer.next_token })
    }

    async fn image(&self, repository: &Repository, image: &ImageId) -> Result<Option<ImageState>, PortError> {
        const OPERATION: &str = "DescribeImages";
        let request = self.ecr.describe_images().set_registry_id(registry(repository));
        let request = request.repository_name(&repository.name).image_ids(image_id(image));
        let answer = match request.send().await.map_err(|e| port_error(OPERATION, e, &[])) {
            Ok(answer) => answer,
            Err(error) if error.code.as_deref().is_some_and(|code| code.starts_with("ImageNotFound")) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let found = answer.image_details.unwrap_or_default().into_iter().next();
        Reader(OPERATION).image(Reader(OPERATION).need(found, "imageDetails")?).map(Some)
    }

    async fn image_manifest(&self, repository: &Repository, digest: &ImageDigest) -> Result<ImageManifest, PortError> {
        const OPERATION: &str = "BatchGetImage";
        let request = self.ecr.batch_get_image().set_registry_id(registry(repository));
        let request = request
            .repository_name(&repository.name)
            .image_ids(image_id(&ImageId::Digest(digest.clone())))
            .set_accepted_media_types(Some(MANIFESTS.map(str::to_owned).to_vec()));
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        if let Some(failure) = answer.failures().first() {
            let code = failure.failure_code().map_or("no reason", |code| code.as_str());
            let class = if code == "ImageNotFound" { Class::NotFound } else { Class::Invalid };
            let message = failure.failure_reason().unwrap_or("the image cannot be read");
            return Err(PortError::new(class, OPERATION, message).with_code(code));
        }
        let found = answer.images.unwrap_or_default().into_iter().next();
        let manifest = Reader(OPERATION).need(found.and_then(|image| image.image_manifest), "imageManifest")?;
        Reader(OPERATION).manifest(&manifest)
    }

    async fn built_for(&self, repository: &Repository, config: &ImageDigest) -> Result<Option<Platform>, PortError> {
        const OPERATION: &str = "GetDownloadUrlForLayer";
        let request = self.ecr.get_download_url_for_layer().set_registry_id(registry(repository));
        let request = request.repository_name(&repository.name).layer_digest(config.as_str());
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let address = Reader(OPERATION).need(answer.download_url, "downloadUrl")?;
        let config = self.blobs.get(OPERATION, &address, config).await?;
        Reader(OPERATION).built_for(&config)
    }

    async fn copy_task_definition(
        &self,
        _fence: Fence,
        request: CopyTaskDefinition,
    ) -> Result<TaskDefinitionState, PortError> {
        const REGISTER: &str = "RegisterTaskDefinition";
        let answer = definition::copy(&self.ecs, request).await?;
        let read = Reader(REGISTER);
        let made = read.need(answer.task_definition, "taskDefinition")?;
        read.task_definition(made, answer.tags.unwrap_or_default())
    }

    async fn update_service(&self, _fence: Fence, request: UpdateService) -> Result<ServiceState, PortError> {
        const OPERATION: &str = "UpdateService";
        let call = self
            .ecs
            .update_service()
            .cluster(request.service.cluster)
            .service(request.service.service)
            .set_task_definition(request.task_definition.map(String::from))
            .set_force_new_deployment(request.force.then_some(true));
        let answer = call.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let read = Reader(OPERATION);
        read.service(read.need(answer.service, "service")?)
    }

    async fn stop_service_deployment(
        &self,
        _fence: Fence,
        deployment: &ServiceDeploymentArn,
        how: StopDeployment,
    ) -> Result<(), PortError> {
        let call = self.ecs.stop_service_deployment().service_deployment_arn(deployment.as_str());
        let call = call.stop_type(StopServiceDeploymentStopType::from(how.as_str()));
        call.send().await.map_err(|e| port_error("StopServiceDeployment", e, &[]))?;
        Ok(())
    }

    async fn deregister_task_definition(
        &self,
        _fence: Fence,
        task_definition: &TaskDefinitionArn,
    ) -> Result<(), PortError> {
        let call = self.ecs.deregister_task_definition().task_definition(task_definition.as_str());
        call.send().await.map_err(|e| port_error("DeregisterTaskDefinition", e, &[]))?;
        Ok(())
    }

    async fn tag_service(
        &self,
        _fence: Fence,
        service: &ServiceArn,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), PortError> {
        let tags = tags.iter().map(|(key, value)| tag(key, value)).collect();
        let call = self.ecs.tag_resource().resource_arn(service.as_str()).set_tags(Some(tags));
        call.send().await.map_err(|e| port_error("TagResource", e, &[]))?;
        Ok(())
    }
}

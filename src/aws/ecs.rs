//! ECS's and ECR's answers in our nouns.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecr::types as ecr;
use aws_sdk_ecs::types as sdk;
use aws_smithy_types::DateTime;
use jiff::Timestamp;

use super::answer::Reader;
use super::error::unreadable;
use crate::model::{
    AlarmsState, CircuitBreakerState, ContainerDefinition, ContainerImage, ContainerState, DeploymentConfiguration,
    DeploymentController, DeploymentState, ImageManifest, ImageState, LogConfiguration, Platform, RollbackState,
    RuntimePlatform, ServiceDeploymentState, ServiceDeploymentSummary, ServiceEvent, ServiceRevisionState,
    ServiceState, TaskDefinitionState, TaskHealth, TaskState, linear_minutes,
};
use crate::ports::PortError;

/// As many events of a service as anybody reads; AWS sends a hundred.
const EVENTS: usize = 20;

/// The media types of an image's configuration: what a manifest of anything else names as such is something else.
const CONFIGURATIONS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

fn count(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

fn tags(tags: Vec<sdk::Tag>) -> BTreeMap<String, String> {
    tags.into_iter().filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect()
}

fn configuration(found: Option<sdk::DeploymentConfiguration>) -> DeploymentConfiguration {
    let Some(found) = found else { return DeploymentConfiguration::default() };
    let breaker = found.deployment_circuit_breaker;
    let alarms = found.alarms.filter(|alarms| alarms.enable);
    let linear = found.linear_configuration.map(|linear| {
        let (percent, minutes) = (linear.step_percent.unwrap_or(10.0), linear.step_bake_time_in_minutes.unwrap_or(6));
        linear_minutes(percent, count(minutes))
    });
    let canary = found.canary_configuration.map(|canary| count(canary.canary_bake_time_in_minutes.unwrap_or(10)));
    let hooks = found.lifecycle_hooks.unwrap_or_default().into_iter();
    let stages = hooks.flat_map(|hook| hook.lifecycle_stages.unwrap_or_default());
    DeploymentConfiguration {
        strategy: found.strategy.and_then(|strategy| strategy.as_str().parse().ok()),
        circuit_breaker: breaker.as_ref().is_some_and(|breaker| breaker.enable),
        circuit_breaker_rollback: breaker.as_ref().is_some_and(|breaker| breaker.enable && breaker.rollback),
        alarm_rollback: alarms.as_ref().is_some_and(|alarms| alarms.rollback),
        alarms: alarms.map(|alarms| alarms.alarm_names.into_iter().collect()).unwrap_or_default(),
        minimum_healthy_percent: found.minimum_healthy_percent.map(count),
        maximum_percent: found.maximum_percent.map(count),
        bake_minutes: found.bake_time_in_minutes.map(count),
        shift_minutes: linear.or(canary),
        hooks: stages.map(|stage| stage.as_str().to_owned()).collect(),
    }
}

fn log(found: sdk::LogConfiguration) -> Option<LogConfiguration> {
    if found.log_driver != sdk::LogDriver::Awslogs {
        return None;
    }
    let mut options = found.options.unwrap_or_default();
    Some(LogConfiguration {
        group: options.remove("awslogs-group")?,
        region: options.remove("awslogs-region"),
        prefix: options.remove("awslogs-stream-prefix"),
    })
}

impl Reader {
    fn moment(self, time: Option<DateTime>) -> Result<Option<Timestamp>, PortError> {
        time.map(|time| self.time(&time)).transpose()
    }

    /// Objects that AWS does not know may be asked for; any other failure says nothing of whether they exist.
    pub(super) fn only_missing(self, failures: &[sdk::Failure]) -> Result<(), PortError> {
        match failures.iter().find(|failure| failure.reason() != Some("MISSING")) {
            None => Ok(()),
            Some(failure) => {
                let (arn, reason) = (failure.arn().unwrap_or("something"), failure.reason().unwrap_or("no reason"));
                Err(unreadable(self.0, &format!("{arn} could not be described: {reason}")))
            }
        }
    }

    pub(super) fn service(self, found: sdk::Service) -> Result<ServiceState, PortError> {
        let deployments = found.deployments.unwrap_or_default().into_iter();
        let events = found.events.unwrap_or_default().into_iter().take(EVENTS);
        let targets = found.load_balancers.unwrap_or_default().into_iter();
        Ok(ServiceState {
            arn: self.parse(found.service_arn.as_deref(), "serviceArn")?,
            name: self.need(found.service_name, "serviceName")?,
            cluster: self.parse(found.cluster_arn.as_deref(), "clusterArn")?,
            status: self.parse(found.status.as_deref(), "status")?,
            created: self.moment(found.created_at)?,
            desired: count(found.desired_count),
            running: count(found.running_count),
            pending: count(found.pending_count),
            task_definition: found
                .task_definition
                .filter(|arn| !arn.is_empty())
                .map(|arn| self.parse(Some(&arn), "taskDefinition"))
                .transpose()?,
            deployments: deployments.map(|deployment| self.deployment(deployment)).collect::<Result<_, _>>()?,
            current_deployment: found
                .current_service_deployment
                .filter(|arn| !arn.is_empty())
                .map(|arn| self.parse(Some(&arn), "currentServiceDeployment"))
                .transpose()?,
            configuration: configuration(found.deployment_configuration),
            // AWS leaves it out where it is its own.
            controller: found
                .deployment_controller
                .map(|controller| self.parse(Some(controller.r#type.as_str()), "deploymentController"))
                .transpose()?
                .unwrap_or(DeploymentController::Ecs),
            target_groups: targets.filter_map(|balancer| balancer.target_group_arn).collect(),
            tags: tags(found.tags.unwrap_or_default()),
            events: events.filter_map(|event| self.service_event(event).transpose()).collect::<Result<_, _>>()?,
        })
    }

    fn deployment(self, found: sdk::Deployment) -> Result<DeploymentState, PortError> {
        Ok(DeploymentState {
            id: self.need(found.id, "deployments.id")?,
            status: self.parse(found.status.as_deref(), "deployments.status")?,
            task_definition: self.parse(found.task_definition.as_deref(), "deployments.taskDefinition")?,
            desired: count(found.desired_count),
            running: count(found.running_count),
            pending: count(found.pending_count),
            failed_tasks: count(found.failed_tasks),
            rollout: found
                .rollout_state
                .map(|state| self.parse(Some(state.as_str()), "deployments.rolloutState"))
                .transpose()?,
            rollout_reason: found.rollout_state_reason.filter(|reason| !reason.is_empty()),
            created: self.moment(found.created_at)?,
            updated: self.moment(found.updated_at)?,
        })
    }

    /// An event; `None` for what nobody could tell from another. Nothing is decided by events.
    fn service_event(self, found: sdk::ServiceEvent) -> Result<Option<ServiceEvent>, PortError> {
        let (Some(id), Some(at)) = (found.id, found.created_at) else { return Ok(None) };
        Ok(Some(ServiceEvent { id, at: self.time(&at)?, message: found.message.unwrap_or_default() }))
    }

    pub(super) fn task_definition(
        self,
        found: sdk::TaskDefinition,
        given: Vec<sdk::Tag>,
    ) -> Result<TaskDefinitionState, PortError> {
        let platform = found.runtime_platform;
        // AWS: *RuntimePlatform*: on Fargate, X86_64 where nothing is said.
        let fargate = found.requires_compatibilities.unwrap_or_default().contains(&sdk::Compatibility::Fargate);
        let cpu = platform.as_ref().and_then(|on| Some(on.cpu_architecture.as_ref()?.as_str().to_owned()));
        let containers = found.container_definitions.unwrap_or_default().into_iter().map(|container| {
            Ok(ContainerDefinition {
                name: self.need(container.name, "containerDefinitions.name")?,
                image: container.image.unwrap_or_default(),
                essential: container.essential.unwrap_or(true),
                log: container.log_configuration.and_then(log),
            })
        });
        Ok(TaskDefinitionState {
            arn: self.parse(found.task_definition_arn.as_deref(), "taskDefinitionArn")?,
            status: self.parse(found.status.as_ref().map(sdk::TaskDefinitionStatus::as_str), "status")?,
            containers: containers.collect::<Result<_, PortError>>()?,
            platform: RuntimePlatform {
                os: platform.as_ref().and_then(|on| Some(on.operating_system_family.as_ref()?.as_str().to_owned())),
                cpu: cpu.or_else(|| fargate.then(|| "X86_64".to_owned())),
            },
            tags: tags(given),
            registered: self.moment(found.registered_at)?,
        })
    }

    pub(super) fn brief(self, found: sdk::ServiceDeploymentBrief) -> Result<ServiceDeploymentSummary, PortError> {
        Ok(ServiceDeploymentSummary {
            arn: self.parse(found.service_deployment_arn.as_deref(), "serviceDeploymentArn")?,
            status: self.parse(found.status.as_ref().map(sdk::ServiceDeploymentStatus::as_str), "status")?,
            status_reason: found.status_reason.filter(|reason| !reason.is_empty()),
            target: self.revision(found.target_service_revision_arn.as_deref())?,
            created: self.time(&self.need(found.created_at, "createdAt")?)?,
            started: self.moment(found.started_at)?,
            finished: self.moment(found.finished_at)?,
        })
    }

    fn revision<T: std::str::FromStr<Err = crate::model::InvalidName>>(
        self,
        arn: Option<&str>,
    ) -> Result<Option<T>, PortError> {
        arn.filter(|arn| !arn.is_empty()).map(|arn| self.parse(Some(arn), "serviceRevisionArn")).transpose()
    }

    pub(super) fn service_deployment(self, found: sdk::ServiceDeployment) -> Result<ServiceDeploymentState, PortError> {
        let sources = found.source_service_revisions.unwrap_or_default();
        let sources = sources.iter().map(|source| self.parse(source.arn(), "sourceServiceRevisions"));
        let target = found.target_service_revision.as_ref().and_then(|target| target.arn());
        let monitor = |status: Option<&sdk::ServiceDeploymentRollbackMonitorsStatus>| {
            self.parse(status.map(sdk::ServiceDeploymentRollbackMonitorsStatus::as_str), "monitor status")
        };
        let rollback = found.rollback.map(|rollback| {
            let to = self.revision(rollback.service_revision_arn.as_deref())?;
            Ok(RollbackState { reason: rollback.reason, started: self.moment(rollback.started_at)?, to })
        });
        let breaker = found.deployment_circuit_breaker.map(|breaker| {
            Ok(CircuitBreakerState {
                status: monitor(breaker.status.as_ref())?,
                failures: count(breaker.failure_count),
                threshold: count(breaker.threshold),
            })
        });
        let alarms = found.alarms.map(|alarms| {
            let triggered: BTreeSet<String> = alarms.triggered_alarm_names.unwrap_or_default().into_iter().collect();
            Ok(AlarmsState { status: monitor(alarms.status.as_ref())?, triggered })
        });
        Ok(ServiceDeploymentState {
            arn: self.parse(found.service_deployment_arn.as_deref(), "serviceDeploymentArn")?,
            service: self.parse(found.service_arn.as_deref(), "serviceArn")?,
            status: self.parse(found.status.as_ref().map(sdk::ServiceDeploymentStatus::as_str), "status")?,
            status_reason: found.status_reason.filter(|reason| !reason.is_empty()),
            stage: found.lifecycle_stage.map(|stage| stage.as_str().to_owned()),
            sources: sources.collect::<Result<_, _>>()?,
            target: self.revision(target)?,
            circuit_breaker: breaker.transpose()?,
            alarms: alarms.transpose()?,
            rollback: rollback.transpose()?,
            created: self.time(&self.need(found.created_at, "createdAt")?)?,
            started: self.moment(found.started_at)?,
            finished: self.moment(found.finished_at)?,
            stopped: self.moment(found.stopped_at)?,
        })
    }

    pub(super) fn service_revision(self, found: sdk::ServiceRevision) -> Result<ServiceRevisionState, PortError> {
        let images = found.container_images.unwrap_or_default().into_iter().map(|image| {
            Ok(ContainerImage {
                container: self.need(image.container_name, "containerImages.containerName")?,
                image: image.image.unwrap_or_default(),
                digest: self.digest(image.image_digest)?,
            })
        });
        Ok(ServiceRevisionState {
            arn: self.parse(found.service_revision_arn.as_deref(), "serviceRevisionArn")?,
            service: self.parse(found.service_arn.as_deref(), "serviceArn")?,
            task_definition: found.task_definition.map(|arn| self.parse(Some(&arn), "taskDefinition")).transpose()?,
            images: images.collect::<Result<_, PortError>>()?,
            created: self.moment(found.created_at)?,
        })
    }

    fn digest(self, found: Option<String>) -> Result<Option<crate::model::ImageDigest>, PortError> {
        found.filter(|digest| !digest.is_empty()).map(|digest| self.parse(Some(&digest), "imageDigest")).transpose()
    }

    fn health(self, found: Option<&sdk::HealthStatus>) -> Result<TaskHealth, PortError> {
        found.map_or(Ok(TaskHealth::Unknown), |health| self.parse(Some(health.as_str()), "healthStatus"))
    }

    pub(super) fn task(self, found: sdk::Task) -> Result<TaskState, PortError> {
        let containers = found.containers.unwrap_or_default().into_iter().map(|container| {
            Ok(ContainerState {
                name: self.need(container.name, "containers.name")?,
                image: container.image,
                digest: self.digest(container.image_digest)?,
                exit_code: container.exit_code,
                reason: container.reason.filter(|reason| !reason.is_empty()),
                health: self.health(container.health_status.as_ref())?,
                runtime_id: container.runtime_id,
            })
        });
        Ok(TaskState {
            arn: self.parse(found.task_arn.as_deref(), "taskArn")?,
            task_definition: self.parse(found.task_definition_arn.as_deref(), "taskDefinitionArn")?,
            status: self.parse(found.last_status.as_deref(), "lastStatus")?,
            health: self.health(found.health_status.as_ref())?,
            stop_code: found.stop_code.map(|code| code.as_str().to_owned()),
            stopped_reason: found.stopped_reason.filter(|reason| !reason.is_empty()),
            started_by: found.started_by,
            created: self.moment(found.created_at)?,
            started: self.moment(found.started_at)?,
            stopped: self.moment(found.stopped_at)?,
            containers: containers.collect::<Result<_, PortError>>()?,
        })
    }

    pub(super) fn image(self, found: ecr::ImageDetail) -> Result<ImageState, PortError> {
        Ok(ImageState {
            digest: self.parse(found.image_digest.as_deref(), "imageDigest")?,
            tags: found.image_tags.unwrap_or_default().into_iter().collect(),
            pushed: self.time(&self.need(found.image_pushed_at, "imagePushedAt")?)?,
            media_type: found.image_manifest_media_type,
            bytes: found.image_size_in_bytes.and_then(|bytes| u64::try_from(bytes).ok()),
            // Only an active one can be pulled.
            archived: found.image_status.is_some_and(|status| status != ecr::ImageStatus::Active),
        })
    }

    /// The platforms that an index names, or the configuration of a single image. What is for no platform
    /// (`unknown/unknown`) is an attestation and not an image.
    pub(super) fn manifest(self, manifest: &str) -> Result<ImageManifest, PortError> {
        let read: serde_json::Value =
            serde_json::from_str(manifest).map_err(|error| unreadable(self.0, &format!("the manifest: {error}")))?;
        let Some(entries) = read.get("manifests").and_then(serde_json::Value::as_array) else {
            let field = |name| read.get("config")?.get(name)?.as_str();
            let config = field("mediaType").filter(|media| CONFIGURATIONS.contains(media)).and(field("digest"));
            return Ok(ImageManifest::Single(config.and_then(|digest| digest.parse().ok())));
        };
        let platform = |entry: &serde_json::Value| {
            let field = |name| Some(entry.get("platform")?.get(name)?.as_str()?.to_owned());
            Some(Platform { os: field("os")?, architecture: field("architecture")? })
        };
        let named = entries.iter().filter_map(platform).filter(|platform| platform.os != "unknown");
        Ok(ImageManifest::Index(named.collect()))
    }

    /// What the configuration of an image says it was built for (OCI: *Image Configuration*).
    pub(super) fn built_for(self, config: &[u8]) -> Result<Option<Platform>, PortError> {
        let read: serde_json::Value =
            serde_json::from_slice(config).map_err(|_| unreadable(self.0, "the configuration is not valid JSON"))?;
        let field = |name| read.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let platform = field("os").zip(field("architecture"));
        Ok(platform.map(|(os, architecture)| Platform { os, architecture }))
    }
}

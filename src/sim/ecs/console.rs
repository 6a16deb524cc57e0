//! Somebody else at work with services and images, and the levers of a test.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Image, LifecycleHook, Service, arn, short};
use crate::model::{
    AlarmSeen, AlarmState, ContainerDefinition, Deployed, DeploymentConfiguration, DeploymentController,
    DeploymentStrategy, ImageDigest, ImageState, LogConfiguration, LogLine, LogStream, Platform, RuntimePlatform,
    ServiceArn, ServiceDeploymentArn, ServiceRef, ServiceState, ServiceStatus, StopDeployment, TargetHealth,
    TaskDefinitionArn, TaskDefinitionState, TaskState,
};
use crate::ports::{Class, PortError, UpdateService};
use crate::sim::Console;
use crate::sim::world::World;

/// How containers of an image fare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ImageBehaviour {
    /// They run.
    #[default]
    Runs,
    /// The image is there and cannot be pulled.
    CannotBePulled,
    /// They fail their health checks.
    NeverHealthy,
    /// They exit soon after they started.
    Crashes,
}

/// A service that is made by hand.
#[derive(Clone, Debug)]
pub struct NewService {
    /// Its cluster, which is made with it where there is none.
    pub cluster: String,
    /// Its name.
    pub name: String,
    /// How many tasks.
    pub desired: u32,
    /// What it runs.
    pub task_definition: TaskDefinitionArn,
    /// The circuit breaker gives up.
    pub circuit_breaker: bool,
    /// And goes back.
    pub rollback: bool,
    /// Who deploys it.
    pub controller: DeploymentController,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its target groups.
    pub target_groups: BTreeSet<String>,
}

impl NewService {
    /// One with two tasks, deployed by ECS, with a circuit breaker that goes back.
    #[must_use]
    pub fn new(cluster: &str, name: &str, task_definition: TaskDefinitionArn) -> Self {
        Self {
            cluster: cluster.to_owned(),
            name: name.to_owned(),
            desired: 2,
            task_definition,
            circuit_breaker: true,
            rollback: true,
            controller: DeploymentController::Ecs,
            tags: BTreeMap::new(),
            target_groups: BTreeSet::new(),
        }
    }
}

impl World {
    /// AWS: *`CreateService`*.
    pub(in crate::sim) fn create_ecs_service(
        &mut self,
        region: usize,
        request: &NewService,
        configuration: DeploymentConfiguration,
    ) -> Result<ServiceArn, PortError> {
        const OPERATION: &str = "CreateService";
        let scope = self.data.regions[region].scope.clone();
        let cluster = short(&request.cluster).to_owned();
        let service: ServiceArn = arn(&scope, &format!("service/{cluster}/{}", request.name))?;
        let taken = self.service(region, &service).is_some_and(|found| found.state.status == ServiceStatus::Active);
        if taken {
            let message = "Creation of service was not idempotent.";
            return Err(PortError::new(Class::Invalid, OPERATION, message).with_code("InvalidParameterException"));
        }
        let definition = self.definition(region, request.task_definition.as_str()).cloned().ok_or_else(|| {
            PortError::new(Class::NotFound, OPERATION, "TaskDefinition not found.").with_code("ClientException")
        })?;
        let now = self.data.now;
        let state = ServiceState {
            arn: service.clone(),
            name: request.name.clone(),
            cluster: self.cluster_arn(region, &cluster)?,
            status: ServiceStatus::Active,
            created: Some(now),
            desired: request.desired,
            running: 0,
            pending: 0,
            task_definition: None,
            deployments: Vec::new(),
            current_deployment: None,
            configuration,
            controller: request.controller,
            target_groups: request.target_groups.clone(),
            tags: request.tags.clone(),
            events: Vec::new(),
        };
        let ecs = self.ecs_mut(region);
        ecs.clusters.insert(cluster);
        ecs.services.insert(
            service.clone(),
            Service {
                state,
                rollouts: Vec::new(),
                records: Vec::new(),
                revisions: Vec::new(),
                tasks: Vec::new(),
                completed: None,
                serial: 0,
                asked: now,
                hooks: std::collections::BTreeMap::new(),
                test_traffic: false,
                history: std::collections::VecDeque::new(),
            },
        );
        self.deploy(region, &service, &definition)?;
        Ok(service)
    }

    /// AWS: *`DeleteService`*, with force.
    pub(in crate::sim) fn delete_ecs_service(&mut self, region: usize, service: &ServiceArn) {
        let Some(found) = self.service_mut(region, service) else { return };
        found.state.desired = 0;
        found.state.status = ServiceStatus::Inactive;
        self.step_service(region, service);
    }

    /// AWS: *`UpdateService`*, `desiredCount`: it starts no deployment.
    pub(in crate::sim) fn scale(&mut self, region: usize, service: &ServiceArn, desired: u32) {
        let Some(found) = self.service_mut(region, service) else { return };
        found.state.desired = desired;
        self.step_service(region, service);
    }
}

/// Services, as somebody else changes them.
impl Console {
    /// Makes an empty cluster.
    pub fn create_cluster(&self, name: &str) {
        self.at(|world, region| _ = world.ecs_mut(region).clusters.insert(name.to_owned()));
    }

    /// Registers a task definition: containers by name, with their images. Their output goes to the log group
    /// `/ecs/FAMILY`, with the family as the prefix of the streams.
    pub fn register_task_definition(
        &self,
        family: &str,
        containers: &[(&str, &str)],
    ) -> Result<TaskDefinitionArn, PortError> {
        let log = LogConfiguration { group: format!("/ecs/{family}"), region: None, prefix: Some(family.to_owned()) };
        let containers = containers.iter().map(|(name, image)| ContainerDefinition {
            name: (*name).to_owned(),
            image: (*image).to_owned(),
            essential: true,
            log: Some(log.clone()),
        });
        let platform = RuntimePlatform { os: Some("LINUX".to_owned()), cpu: Some("X86_64".to_owned()) };
        self.at(|world, region| {
            let made = world.register_definition(region, family, containers.collect(), platform, BTreeMap::new())?;
            Ok(made.arn)
        })
    }

    /// Creates a service.
    pub fn create_service(&self, request: &NewService) -> Result<ServiceArn, PortError> {
        let configuration = DeploymentConfiguration {
            strategy: Some(DeploymentStrategy::Rolling),
            circuit_breaker: request.circuit_breaker,
            circuit_breaker_rollback: request.circuit_breaker && request.rollback,
            alarms: BTreeSet::new(),
            alarm_rollback: false,
            minimum_healthy_percent: Some(100),
            maximum_percent: Some(200),
            bake_minutes: None,
            shift_minutes: None,
            hooks: BTreeSet::new(),
        };
        self.at(|world, region| world.create_ecs_service(region, request, configuration))
    }

    /// Deletes a service.
    pub fn delete_service(&self, service: &ServiceRef) {
        self.on(service, World::delete_ecs_service);
    }

    /// Deploys something else to a service, or the same once more: the foreign deployment in the middle of ours.
    pub fn deploy_service(&self, request: &UpdateService) -> Result<ServiceState, PortError> {
        self.at(|world, region| world.update_ecs_service(region, request))
    }

    /// Sets the desired count, as an autoscaler does.
    pub fn scale_service(&self, service: &ServiceRef, desired: u32) {
        self.on(service, |world, region, arn| world.scale(region, arn, desired));
    }

    /// Sets and removes tags of a service.
    pub fn set_service_tag(&self, service: &ServiceRef, key: &str, value: Option<&str>) {
        self.on(service, |world, region, arn| {
            let Some(found) = world.service_mut(region, arn) else { return };
            match value {
                Some(value) => _ = found.state.tags.insert(key.to_owned(), value.to_owned()),
                None => _ = found.state.tags.remove(key),
            }
        });
    }

    /// Changes how a service is deployed.
    pub fn configure_service(&self, service: &ServiceRef, edit: impl FnOnce(&mut DeploymentConfiguration)) {
        self.on(service, |world, region, arn| {
            let Some(found) = world.service_mut(region, arn) else { return };
            edit(&mut found.state.configuration);
        });
    }

    /// Has a hook decide at a lifecycle stage (`POST_SCALE_UP`) whether deployments go on; or none.
    pub fn set_hook(&self, service: &ServiceRef, stage: &str, hook: Option<LifecycleHook>) {
        self.on(service, |world, region, arn| {
            let Some(found) = world.service_mut(region, arn) else { return };
            match hook {
                Some(hook) => _ = found.hooks.insert(stage.to_owned(), hook),
                None => _ = found.hooks.remove(stage),
            }
        });
    }

    /// Says whether there is a listener for test traffic.
    pub fn set_test_traffic(&self, service: &ServiceRef, on: bool) {
        self.on(service, |world, region, arn| {
            if let Some(found) = world.service_mut(region, arn) {
                found.test_traffic = on;
            }
        });
    }

    /// Stops a service deployment.
    pub fn stop_deployment(&self, deployment: &ServiceDeploymentArn, how: StopDeployment) -> Result<(), PortError> {
        self.at(|world, region| world.stop_record(region, deployment, how))
    }

    /// Makes a task definition inactive.
    pub fn deregister_task_definition(&self, definition: &TaskDefinitionArn) -> Result<(), PortError> {
        self.at(|world, region| world.deregister(region, definition))
    }

    /// Writes a line into a log stream, which is made with it.
    pub fn write_log(&self, stream: &LogStream, message: &str) {
        self.at(|world, region| {
            let at = world.data.now;
            let lines = world.ecs_mut(region).logs.entry(format!("{}|{}", stream.group, stream.stream)).or_default();
            lines.push(LogLine { at, message: message.to_owned() });
        });
    }

    fn on(&self, service: &ServiceRef, what: impl FnOnce(&mut World, usize, &ServiceArn)) {
        self.at(|world, region| {
            if let Some(arn) = world.service_arn(region, &service.cluster, &service.service) {
                what(world, region, &arn);
            }
        });
    }
}

/// What is true, whatever reads say of it.
impl Console {
    /// A service.
    #[must_use]
    pub fn service(&self, service: &ServiceRef) -> Option<ServiceState> {
        self.at(|world, region| {
            let arn = world.service_arn(region, &service.cluster, &service.service)?;
            world.service(region, &arn).map(Service::told)
        })
    }

    /// Every change of a service, the oldest first.
    #[must_use]
    pub fn service_deployments(&self, service: &ServiceRef) -> Vec<Deployed> {
        self.at(|world, region| {
            let arn = world.service_arn(region, &service.cluster, &service.service);
            let Some(found) = arn.and_then(|arn| world.service(region, &arn)) else { return Vec::new() };
            let deployed = found.records.iter().map(|record| {
                let target = record.target.as_ref().and_then(|target| found.revision(target)).cloned();
                Deployed { state: record.clone(), target }
            });
            deployed.collect()
        })
    }

    /// Tasks of a service that are to run.
    #[must_use]
    pub fn service_tasks(&self, service: &ServiceRef) -> Vec<TaskState> {
        self.at(|world, region| {
            let arn = world.service_arn(region, &service.cluster, &service.service);
            let Some(found) = arn.and_then(|arn| world.service(region, &arn)) else { return Vec::new() };
            found.tasks.iter().filter(|task| task.is_alive()).map(|task| task.state.clone()).collect()
        })
    }

    /// A task definition by family, `family:revision` or ARN.
    #[must_use]
    pub fn task_definition(&self, name: &str) -> Option<TaskDefinitionState> {
        self.at(|world, region| world.definition(region, name).cloned())
    }

    /// The images of a repository.
    #[must_use]
    pub fn images(&self, repository: &str) -> Vec<ImageState> {
        self.at(|world, region| {
            let found = world.ecs(region).repositories.get(repository);
            found.map(|found| found.images.values().map(|image| image.state.clone()).collect()).unwrap_or_default()
        })
    }
}

/// Images, as a build pushes them.
impl Console {
    /// Makes a repository with nothing in it. What is not pushed to it cannot be pulled from it.
    pub fn create_repository(&self, name: &str) {
        self.at(|world, region| world.ecs_mut(region).repositories.entry(name.to_owned()).or_default().lenient = false);
    }

    /// Pushes an image of this content: the same content has the same digest. Its tags move to it from others. It was
    /// pushed now, unless it is said when.
    #[must_use = "the digest is the only name that lasts"]
    pub fn push_image(
        &self,
        repository: &str,
        content: &str,
        tags: &[&str],
        at: Option<Timestamp>,
    ) -> Option<ImageDigest> {
        self.at(|world, region| world.push_image(region, repository, content, tags, at))
    }

    /// A build has an image with this tag, and pushes it to the repository as soon as there is one.
    pub fn build(&self, repository: &str, tag: &str) {
        self.at(|world, region| {
            world.ecs_mut(region).builds.entry(repository.to_owned()).or_default().insert(tag.to_owned());
            world.push_builds(region, repository);
        });
    }

    /// Deletes an image, as a lifecycle policy does.
    pub fn delete_image(&self, repository: &str, digest: &ImageDigest) {
        self.at(|world, region| {
            if let Some(repository) = world.ecs_mut(region).repositories.get_mut(repository) {
                repository.images.remove(digest);
            }
        });
    }

    /// Says what an image was built for: its manifest is an index from then on.
    pub fn set_platforms(&self, repository: &str, digest: &ImageDigest, platforms: &[Platform]) {
        self.image(repository, digest, |image| {
            image.platforms = Some(platforms.to_vec());
            image.state.media_type = Some("application/vnd.oci.image.index.v1+json".to_owned());
        });
    }

    /// Says what a single image was built for; `None`: its manifest names no configuration.
    pub fn set_platform(&self, repository: &str, digest: &ImageDigest, platform: Option<Platform>) {
        self.image(repository, digest, |image| image.built_for = platform);
    }

    /// Archives an image, or activates it.
    pub fn archive_image(&self, repository: &str, digest: &ImageDigest, archived: bool) {
        self.image(repository, digest, |image| image.state.archived = archived);
    }

    fn image(&self, repository: &str, digest: &ImageDigest, edit: impl FnOnce(&mut Image)) {
        self.at(|world, region| {
            let repository = world.ecs_mut(region).repositories.get_mut(repository);
            if let Some(image) = repository.and_then(|repository| repository.images.get_mut(digest)) {
                edit(image);
            }
        });
    }

    /// Says how containers of an image fare from now on.
    pub fn set_image_behaviour(&self, digest: &ImageDigest, behaviour: ImageBehaviour) {
        self.at(|world, region| _ = world.ecs_mut(region).behaviours.insert(digest.clone(), behaviour));
    }
}

/// What the health of things is, by hand.
impl Console {
    /// Says what a target group's targets are from now on; `None`: what the services imply.
    pub fn set_targets(&self, group: &str, targets: Option<Vec<TargetHealth>>) {
        self.at(|world, region| {
            let set = &mut world.ecs_mut(region).targets;
            match targets {
                Some(targets) => _ = set.insert(group.to_owned(), targets),
                None => _ = set.remove(group),
            }
        });
    }

    /// Says what an alarm says, which is made with it.
    pub fn set_alarm(&self, name: &str, state: AlarmState) {
        self.at(|world, region| {
            let since = Some(world.data.now);
            let alarm = AlarmSeen { name: name.to_owned(), state, reason: Some("set by hand".to_owned()), since };
            world.ecs_mut(region).alarms.insert(name.to_owned(), alarm);
            let services = world.ecs(region).services.values();
            let watched = services.filter(|service| service.state.configuration.alarms.contains(name));
            for service in watched.map(|service| service.state.arn.clone()).collect::<Vec<_>>() {
                world.step_service(region, &service);
            }
        });
    }
}

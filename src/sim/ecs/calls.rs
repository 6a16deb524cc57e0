//! The requests to ECS, as the world answers them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Service, arn, short};
use crate::model::{
    ContainerDefinition, RuntimePlatform, ServiceArn, ServiceDeploymentArn, ServiceDeploymentState,
    ServiceDeploymentStatus, ServiceDeploymentSummary, ServiceRef, ServiceRevisionArn, ServiceRevisionState,
    ServiceState, ServiceStatus, StopDeployment, TaskArn, TaskDefinitionArn, TaskDefinitionState, TaskDefinitionStatus,
    TaskState, TaskStatus,
};
use crate::ports::{Class, CopyTaskDefinition, Page, PageToken, PortError, TasksWanted, UpdateService};
use crate::sim::reads::Lens;
use crate::sim::world::World;

fn refused(class: Class, operation: &'static str, code: &str, message: &str) -> PortError {
    PortError::new(class, operation, message).with_code(code)
}

fn client(operation: &'static str, message: &str) -> PortError {
    refused(Class::Invalid, operation, "ClientException", message)
}

/// AWS refuses requests that name nothing, or too much at once.
fn between(operation: &'static str, number: usize, most: usize) -> Result<(), PortError> {
    if (1..=most).contains(&number) {
        return Ok(());
    }
    let message = format!("{number} identifiers were given where 1 to {most} are accepted");
    Err(refused(Class::Invalid, operation, "InvalidParameterException", &message))
}

/// One page of a list: a token is where to go on.
pub(in crate::sim) fn page<T: Clone>(
    operation: &'static str,
    all: &[T],
    full: usize,
    lens: Lens,
    token: Option<&PageToken>,
) -> Result<Page<T>, PortError> {
    let bad = || refused(Class::Invalid, operation, "InvalidParameterException", "The token is not valid.");
    let from: usize = token.map_or(Ok(0), |token| token.parse().map_err(|_| bad()))?;
    let rest = all.get(from..).ok_or_else(bad)?;
    let items: Vec<T> = rest.iter().take(lens.size(full.max(1), rest.len())).cloned().collect();
    let next = (items.len() < rest.len()).then(|| (from + items.len()).to_string());
    Ok(Page { items, next })
}

impl World {
    fn cluster(&self, region: usize, cluster: &str, operation: &'static str) -> Result<(), PortError> {
        if self.ecs(region).clusters.contains(short(cluster)) {
            return Ok(());
        }
        Err(refused(Class::NotFound, operation, "ClusterNotFoundException", "Cluster not found."))
    }

    fn found(&self, region: usize, service: &ServiceRef, operation: &'static str) -> Result<&Service, PortError> {
        self.cluster(region, &service.cluster, operation)?;
        let found = self.service_arn(region, &service.cluster, &service.service);
        found
            .and_then(|arn| self.service(region, &arn))
            .ok_or_else(|| refused(Class::NotFound, operation, "ServiceNotFoundException", "Service not found."))
    }

    /// AWS: *`ListServices`*: those that are not deleted.
    pub(in crate::sim) fn services_of(&self, region: usize, cluster: &str) -> Result<Vec<ServiceArn>, PortError> {
        self.cluster(region, cluster, "ListServices")?;
        let services = self.ecs(region).services.values();
        let here = services.filter(|service| short(service.state.cluster.as_str()) == short(cluster));
        let here = here.filter(|service| service.state.status != ServiceStatus::Inactive);
        Ok(here.map(|service| service.state.arn.clone()).collect())
    }

    /// AWS: *`DescribeServices`*.
    pub(in crate::sim) fn describe_services(
        &self,
        region: usize,
        lens: Lens,
        cluster: &str,
        services: &[String],
    ) -> Result<Vec<Option<ServiceState>>, PortError> {
        const OPERATION: &str = "DescribeServices";
        between(OPERATION, services.len(), 10)?;
        self.cluster(region, cluster, OPERATION)?;
        let told = services.iter().map(|service| {
            let found = self.service_arn(region, cluster, service).and_then(|arn| self.service(region, &arn))?;
            match lens.stale {
                None => Some(found.told()),
                Some(age) => {
                    let then = self.ago(age);
                    found.history.iter().rev().find(|(at, _)| *at <= then).map(|(_, state)| state.clone())
                }
            }
        });
        Ok(told.collect())
    }

    /// A task definition by family, `family:revision` or ARN.
    pub(in crate::sim) fn definition(&self, region: usize, name: &str) -> Option<&TaskDefinitionState> {
        let name = short(name);
        let definitions = &self.ecs(region).definitions;
        if let Some((family, revision)) = name.rsplit_once(':') {
            let revision: u32 = revision.parse().ok()?;
            return definitions.get(family)?.iter().find(|definition| definition.arn.revision() == revision);
        }
        let active = |definition: &&TaskDefinitionState| definition.status == TaskDefinitionStatus::Active;
        definitions.get(name)?.iter().rev().find(active)
    }

    /// AWS: *`ListTaskDefinitions`*, newest first.
    pub(in crate::sim) fn definitions(
        &self,
        region: usize,
        family: &str,
        status: TaskDefinitionStatus,
    ) -> Vec<TaskDefinitionArn> {
        let family = self.ecs(region).definitions.get(family).map(Vec::as_slice).unwrap_or_default();
        let wanted = family.iter().rev().filter(|definition| definition.status == status);
        wanted.map(|definition| definition.arn.clone()).collect()
    }

    /// AWS: *`RegisterTaskDefinition`*.
    pub(in crate::sim) fn register_definition(
        &mut self,
        region: usize,
        family: &str,
        containers: Vec<ContainerDefinition>,
        platform: RuntimePlatform,
        tags: BTreeMap<String, String>,
    ) -> Result<TaskDefinitionState, PortError> {
        let (scope, now) = (self.data.regions[region].scope.clone(), self.data.now);
        let revisions = self.ecs_mut(region).definitions.entry(family.to_owned()).or_default();
        let made = TaskDefinitionState {
            arn: arn(&scope, &format!("task-definition/{family}:{}", revisions.len() + 1))?,
            status: TaskDefinitionStatus::Active,
            containers,
            platform,
            tags,
            registered: Some(now),
        };
        revisions.push(made.clone());
        Ok(made)
    }

    /// What an adapter does with two requests.
    pub(in crate::sim) fn copy_definition(
        &mut self,
        region: usize,
        request: CopyTaskDefinition,
    ) -> Result<TaskDefinitionState, PortError> {
        const OPERATION: &str = "RegisterTaskDefinition";
        let like = self.definition(region, request.from.as_str()).cloned().ok_or_else(|| {
            let message = "Unable to describe task definition.";
            refused(Class::NotFound, "DescribeTaskDefinition", "ClientException", message)
        })?;
        let mut containers = like.containers;
        for (name, image) in request.images {
            let container = containers.iter_mut().find(|container| container.name == name);
            let container = container
                .ok_or_else(|| client(OPERATION, &format!("the task definition has no container `{name}`")))?;
            container.image = image;
        }
        let mut tags = like.tags;
        tags.retain(|key, _| !key.starts_with("aws:"));
        tags.extend(request.tags);
        self.register_definition(region, request.from.family(), containers, like.platform, tags)
    }

    /// AWS: *`DeregisterTaskDefinition`*.
    pub(in crate::sim) fn deregister(
        &mut self,
        region: usize,
        definition: &TaskDefinitionArn,
    ) -> Result<(), PortError> {
        let revisions = self.ecs_mut(region).definitions.get_mut(definition.family());
        let found = revisions.and_then(|found| found.iter_mut().find(|found| found.arn == *definition));
        let found = found.ok_or_else(|| {
            let message = "The specified task definition does not exist.";
            refused(Class::NotFound, "DeregisterTaskDefinition", "ClientException", message)
        })?;
        found.status = TaskDefinitionStatus::Inactive;
        Ok(())
    }

    /// AWS: *`UpdateService`*.
    pub(in crate::sim) fn update_ecs_service(
        &mut self,
        region: usize,
        request: &UpdateService,
    ) -> Result<ServiceState, PortError> {
        const OPERATION: &str = "UpdateService";
        let found = self.found(region, &request.service, OPERATION)?;
        if found.state.status != ServiceStatus::Active {
            let message = "Service was not ACTIVE.";
            return Err(refused(Class::Conflict, OPERATION, "ServiceNotActiveException", message));
        }
        let (service, current) = (found.state.arn.clone(), found.state.task_definition.clone());
        let wanted = match &request.task_definition {
            Some(wanted) => {
                let definition = self.definition(region, wanted.as_str()).ok_or_else(|| {
                    refused(Class::NotFound, OPERATION, "ClientException", "TaskDefinition not found.")
                })?;
                if definition.status != TaskDefinitionStatus::Active {
                    return Err(client(OPERATION, "TaskDefinition is inactive"));
                }
                Some(definition.clone())
            }
            // What runs may be inactive, and is deployed again all the same.
            None => current.as_ref().and_then(|arn| self.definition(region, arn.as_str())).cloned(),
        };
        if let Some(definition) = wanted.filter(|wanted| request.force || Some(&wanted.arn) != current.as_ref()) {
            self.deploy(region, &service, &definition)?;
        }
        self.found(region, &request.service, OPERATION).map(Service::told)
    }

    /// AWS: *`ListServiceDeployments`*, newest first.
    pub(in crate::sim) fn service_records(
        &self,
        region: usize,
        service: &ServiceRef,
        after: Option<Timestamp>,
    ) -> Result<Vec<ServiceDeploymentSummary>, PortError> {
        let found = self.found(region, service, "ListServiceDeployments")?;
        let records = found.records.iter().rev().filter(|record| after.is_none_or(|after| record.created > after));
        let summaries = records.map(|record| ServiceDeploymentSummary {
            arn: record.arn.clone(),
            status: record.status,
            status_reason: record.status_reason.clone(),
            target: record.target.clone(),
            created: record.created,
            started: record.started,
            finished: record.finished,
        });
        Ok(summaries.collect())
    }

    /// AWS: *`DescribeServiceDeployments`*.
    pub(in crate::sim) fn describe_records(
        &self,
        region: usize,
        arns: &[ServiceDeploymentArn],
    ) -> Result<Vec<ServiceDeploymentState>, PortError> {
        between("DescribeServiceDeployments", arns.len(), 20)?;
        let all = self.ecs(region).services.values().flat_map(|service| &service.records);
        Ok(all.filter(|record| arns.contains(&record.arn)).cloned().collect())
    }

    /// AWS: *`DescribeServiceRevisions`*.
    pub(in crate::sim) fn describe_revisions(
        &self,
        region: usize,
        arns: &[ServiceRevisionArn],
    ) -> Result<Vec<ServiceRevisionState>, PortError> {
        between("DescribeServiceRevisions", arns.len(), 20)?;
        let all = self.ecs(region).services.values().flat_map(|service| &service.revisions);
        Ok(all.filter(|revision| arns.contains(&revision.arn)).cloned().collect())
    }

    /// AWS: *`StopServiceDeployment`*.
    pub(in crate::sim) fn stop_record(
        &mut self,
        region: usize,
        deployment: &ServiceDeploymentArn,
        how: StopDeployment,
    ) -> Result<(), PortError> {
        const OPERATION: &str = "StopServiceDeployment";
        let all = self.ecs(region).services.values();
        let found = all.flat_map(|service| service.records.iter().map(|record| (service.state.arn.clone(), record)));
        let mut found = found.filter(|(_, record)| record.arn == *deployment).map(|(arn, record)| (arn, record.status));
        let Some((service, status)) = found.next() else {
            let message = "Service deployment not found.";
            return Err(refused(Class::NotFound, OPERATION, "ServiceDeploymentNotFoundException", message));
        };
        if status.is_final() {
            let message = "The service deployment cannot be stopped in its current status.";
            return Err(refused(Class::Conflict, OPERATION, "ConflictException", message));
        }
        // What stops or goes back already goes on with it (AWS: *Stopping service deployments*).
        if matches!(status, ServiceDeploymentStatus::Pending | ServiceDeploymentStatus::InProgress) {
            self.stop_deployment(region, &service, deployment, how);
        }
        Ok(())
    }

    fn stop_deployment(
        &mut self,
        region: usize,
        service: &ServiceArn,
        deployment: &ServiceDeploymentArn,
        how: StopDeployment,
    ) {
        let reason = "Service deployment was stopped by a user.";
        self.give_up(region, service, "it was stopped by a user.");
        match how {
            StopDeployment::Rollback => self.go_back(region, service, deployment, reason),
            StopDeployment::Abort => self.request_stop(region, service, deployment, reason),
        }
    }

    /// AWS: *`ListTasks`*.
    pub(in crate::sim) fn service_tasks(
        &self,
        region: usize,
        service: &ServiceRef,
        wanted: TasksWanted,
    ) -> Result<Vec<TaskArn>, PortError> {
        let found = self.found(region, service, "ListTasks")?;
        let oldest = self.ago(super::scheduler::KEPT);
        let tasks = found.tasks.iter().filter(|task| match wanted {
            TasksWanted::Running => task.is_alive(),
            TasksWanted::Stopped => task.state.stopped.is_some_and(|stopped| stopped > oldest),
        });
        Ok(tasks.map(|task| task.state.arn.clone()).collect())
    }

    /// AWS: *`DescribeTasks`*.
    pub(in crate::sim) fn describe_tasks(
        &self,
        region: usize,
        cluster: &str,
        tasks: &[TaskArn],
    ) -> Result<Vec<TaskState>, PortError> {
        const OPERATION: &str = "DescribeTasks";
        between(OPERATION, tasks.len(), 100)?;
        self.cluster(region, cluster, OPERATION)?;
        let oldest = self.ago(super::scheduler::KEPT);
        let all = self.ecs(region).services.values().flat_map(|service| &service.tasks);
        let told = all.filter(|task| {
            let kept = task.state.status != TaskStatus::Stopped || task.state.stopped.is_some_and(|at| at > oldest);
            kept && tasks.contains(&task.state.arn)
        });
        Ok(told.map(|task| task.state.clone()).collect())
    }

    /// AWS: *`TagResource`*.
    pub(in crate::sim) fn tag_ecs_service(
        &mut self,
        region: usize,
        service: &ServiceArn,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), PortError> {
        const OPERATION: &str = "TagResource";
        if tags.keys().any(|key| key.starts_with("aws:")) {
            let message = "Tag keys that begin with aws: are reserved.";
            return Err(refused(Class::Invalid, OPERATION, "InvalidParameterException", message));
        }
        let found = self.service_mut(region, service).filter(|found| found.state.status == ServiceStatus::Active);
        let found = found.ok_or_else(|| {
            refused(Class::NotFound, OPERATION, "ResourceNotFoundException", "The specified service was not found.")
        })?;
        found.state.tags.extend(tags.clone());
        Ok(())
    }
}

//! What the resources of stacks are to ECS, ECR and `DynamoDB`: a stack's service is updated by the stack, and the stack waits for
//! it (AWS: *`AWS::ECS::Service`*).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value as Json;

use super::{NewService, short};
use crate::model::{
    ContainerDefinition, DeploymentConfiguration, DeploymentController, DeploymentStrategy, LogConfiguration,
    MonitorStatus, RolloutState, RuntimePlatform, ServiceArn, TaskDefinitionArn, TaskDefinitionStatus, linear_minutes,
};
use crate::ports::PortError;
use crate::sim::dynamo::TABLE;
use crate::sim::evaluate::shown;
use crate::sim::resource::Resource;
use crate::sim::world::World;

/// For this long `CloudFormation` waits for a service to become steady.
const PATIENCE: Duration = Duration::from_hours(3);

/// Whether a stack's service is as the stack wants it.
pub(in crate::sim) enum Standing {
    /// It is, or it is no service.
    Steady,
    /// Not yet.
    Moving,
    /// It will not be.
    Failed(String),
}

fn text(value: &Json, name: &str) -> Option<String> {
    value.get(name).filter(|value| !value.is_null()).map(shown)
}

fn number(value: &Json, name: &str) -> Option<u32> {
    text(value, name)?.parse().ok()
}

fn truth(value: &Json, name: &str) -> bool {
    text(value, name).is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

fn list<'a>(value: &'a Json, name: &str) -> &'a [Json] {
    value.get(name).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn configuration(properties: &Json) -> DeploymentConfiguration {
    let given = properties.get("DeploymentConfiguration").unwrap_or(&Json::Null);
    let breaker = given.get("DeploymentCircuitBreaker").unwrap_or(&Json::Null);
    let linear = given.get("LinearConfiguration").map(|linear| {
        let percent = text(linear, "StepPercent").and_then(|text| text.parse().ok()).unwrap_or(10.0);
        linear_minutes(percent, number(linear, "StepBakeTimeInMinutes").unwrap_or(6))
    });
    let canary = given.get("CanaryConfiguration").map(|canary| number(canary, "CanaryBakeTimeInMinutes").unwrap_or(10));
    let alarms = given.get("Alarms").filter(|alarms| truth(alarms, "Enable")).unwrap_or(&Json::Null);
    DeploymentConfiguration {
        strategy: text(given, "Strategy").map_or(Some(DeploymentStrategy::Rolling), |word| word.parse().ok()),
        circuit_breaker: truth(breaker, "Enable"),
        circuit_breaker_rollback: truth(breaker, "Enable") && truth(breaker, "Rollback"),
        alarms: list(alarms, "AlarmNames").iter().map(shown).collect(),
        alarm_rollback: truth(alarms, "Rollback"),
        minimum_healthy_percent: number(given, "MinimumHealthyPercent").or(Some(100)),
        maximum_percent: number(given, "MaximumPercent").or(Some(200)),
        bake_minutes: number(given, "BakeTimeInMinutes"),
        shift_minutes: linear.or(canary),
        hooks: std::collections::BTreeSet::new(),
    }
}

fn target_groups(properties: &Json) -> BTreeSet<String> {
    list(properties, "LoadBalancers").iter().filter_map(|balancer| text(balancer, "TargetGroupArn")).collect()
}

fn container(definition: &Json) -> ContainerDefinition {
    let log = definition.get("LogConfiguration").filter(|log| text(log, "LogDriver").as_deref() == Some("awslogs"));
    let options = log.and_then(|log| log.get("Options")).unwrap_or(&Json::Null);
    ContainerDefinition {
        name: text(definition, "Name").unwrap_or_default(),
        image: text(definition, "Image").unwrap_or_default(),
        essential: text(definition, "Essential").is_none_or(|text| text.eq_ignore_ascii_case("true")),
        log: text(options, "awslogs-group").map(|group| LogConfiguration {
            group,
            region: text(options, "awslogs-region"),
            prefix: text(options, "awslogs-stream-prefix"),
        }),
    }
}

impl World {
    /// Lets ECS or ECR make what a stack wants. What it is called then, where that is theirs to say.
    pub(in crate::sim) fn make_of_stack(&mut self, ix: usize, made: &Resource) -> Result<Option<String>, PortError> {
        let region = self.data.stacks[ix].region;
        let properties = &made.properties;
        match made.kind.as_str() {
            "AWS::ECS::Cluster" => {
                self.ecs_mut(region).clusters.insert(made.physical_id.clone());
                Ok(None)
            }
            "AWS::ECR::Repository" => {
                let repositories = &mut self.ecs_mut(region).repositories;
                repositories.entry(made.physical_id.clone()).or_default().lenient = true;
                self.push_builds(region, &made.physical_id);
                Ok(None)
            }
            "AWS::ECS::TaskDefinition" => {
                let own = || short(&made.physical_id).split(':').next().unwrap_or_default().to_owned();
                let family = text(properties, "Family").unwrap_or_else(own);
                let containers = list(properties, "ContainerDefinitions").iter().map(container).collect();
                let platform = properties.get("RuntimePlatform").unwrap_or(&Json::Null);
                let platform = RuntimePlatform {
                    os: text(platform, "OperatingSystemFamily"),
                    cpu: text(platform, "CpuArchitecture"),
                };
                let made = self.register_definition(region, &family, containers, platform, made.tags.clone())?;
                Ok(Some(made.arn.to_string()))
            }
            "AWS::ECS::Service" => self.make_service(ix, region, made).map(Some),
            TABLE => self.make_table_of_stack(ix, made).map(|()| None),
            _ => Ok(None),
        }
    }

    fn make_service(&mut self, ix: usize, region: usize, made: &Resource) -> Result<String, PortError> {
        let properties = &made.properties;
        let configuration = configuration(properties);
        let (id, name) = (self.data.stacks[ix].state.id.to_string(), self.data.stacks[ix].state.name.to_string());
        let mut tags = made.tags.clone();
        tags.extend([
            ("aws:cloudformation:stack-name".to_owned(), name),
            ("aws:cloudformation:stack-id".to_owned(), id),
        ]);
        let wanted = text(properties, "TaskDefinition").unwrap_or_default();
        let definition = self.wanted_definition(region, &wanted)?;
        let request = NewService {
            cluster: text(properties, "Cluster").unwrap_or_else(|| "default".to_owned()),
            name: short(&made.physical_id).to_owned(),
            desired: number(properties, "DesiredCount").unwrap_or(1),
            task_definition: definition,
            circuit_breaker: configuration.circuit_breaker,
            rollback: configuration.circuit_breaker_rollback,
            controller: DeploymentController::Ecs,
            tags,
            target_groups: target_groups(properties),
        };
        self.create_ecs_service(region, &request, configuration).map(|arn| arn.to_string())
    }

    fn wanted_definition(&self, region: usize, wanted: &str) -> Result<TaskDefinitionArn, PortError> {
        use crate::ports::Class;
        let refused = |message: &str| PortError::new(Class::Invalid, "UpdateService", message);
        let found = self.definition(region, wanted).ok_or_else(|| refused("TaskDefinition not found."))?;
        if found.status != TaskDefinitionStatus::Active {
            return Err(refused("TaskDefinition is inactive"));
        }
        Ok(found.arn.clone())
    }

    /// Lets ECS change what a stack has changed. It asserts everything that the template says, the desired count too.
    pub(in crate::sim) fn update_of_stack(&mut self, ix: usize, resource: &Resource) -> Result<(), PortError> {
        if resource.kind == TABLE {
            self.update_table_of_stack(ix, resource)?;
        }
        if resource.kind != "AWS::ECS::Service" {
            return Ok(());
        }
        let region = self.data.stacks[ix].region;
        let Ok(service) = resource.physical_id.parse::<ServiceArn>() else { return Ok(()) };
        let properties = &resource.properties;
        let wanted = self.wanted_definition(region, &text(properties, "TaskDefinition").unwrap_or_default())?;
        let now = self.data.now;
        let Some(found) = self.service_mut(region, &service) else { return Ok(()) };
        found.asked = now;
        found.state.configuration = configuration(properties);
        found.state.target_groups = target_groups(properties);
        found.state.tags.retain(|key, _| key.starts_with("aws:") || key.starts_with("landfast:"));
        let own: BTreeMap<String, String> = resource.tags.clone();
        found.state.tags.extend(own);
        if let Some(desired) = number(properties, "DesiredCount") {
            found.state.desired = desired;
        }
        if found.state.task_definition.as_ref() == Some(&wanted) {
            self.step_service(region, &service);
            return Ok(());
        }
        let Some(definition) = self.definition(region, wanted.as_str()).cloned() else { return Ok(()) };
        self.deploy(region, &service, &definition)
    }

    /// A stack has deleted a resource.
    pub(in crate::sim) fn delete_of_stack(&mut self, ix: usize, resource: &Resource) {
        let region = self.data.stacks[ix].region;
        match resource.kind.as_str() {
            "AWS::ECS::Cluster" => _ = self.ecs_mut(region).clusters.remove(&resource.physical_id),
            TABLE => self.delete_table_of_stack(ix, resource),
            "AWS::ECR::Repository" => _ = self.ecs_mut(region).repositories.remove(&resource.physical_id),
            "AWS::ECS::TaskDefinition" => {
                if let Ok(arn) = resource.physical_id.parse() {
                    // It may have been deregistered by somebody else, which is the same.
                    _ = self.deregister(region, &arn);
                }
            }
            "AWS::ECS::Service" => {
                if let Ok(arn) = resource.physical_id.parse() {
                    self.delete_ecs_service(region, &arn);
                }
            }
            _ => {}
        }
    }

    /// Whether what a stack changed has become what it should.
    pub(in crate::sim) fn standing_of(&self, ix: usize, resource: &Resource) -> Standing {
        if resource.kind != "AWS::ECS::Service" {
            return Standing::Steady;
        }
        let found = resource.physical_id.parse().ok();
        let found = found.and_then(|arn: ServiceArn| self.service(self.data.stacks[ix].region, &arn));
        // Somebody deleted it: that is another test's business.
        let Some(found) = found else { return Standing::Steady };
        let tripped = found.records.iter().filter(|record| record.created >= found.asked).any(|record| {
            record.circuit_breaker.as_ref().is_some_and(|breaker| breaker.status == MonitorStatus::Triggered)
        });
        if tripped {
            let what = "Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'.";
            return Standing::Failed(what.to_owned());
        }
        // Without a circuit breaker, a second set of tasks that was taken back is an update that failed all the same.
        let mut recent = found.records.iter().filter(|record| record.created >= found.asked);
        let back = found.is_staged() && recent.any(|record| record.status.is_final() && record.rollback.is_some());
        if back {
            return Standing::Failed("Service deployment was rolled back".to_owned());
        }
        let primary = found.primary().map(|ix| &found.rollouts[ix].deployment);
        if primary.is_some_and(|primary| primary.rollout == Some(RolloutState::Completed)) {
            return Standing::Steady;
        }
        let patience = PATIENCE.div_f64(self.config.speed.max(1e-6));
        let waited = self.data.now.duration_since(found.asked);
        if waited.unsigned_abs() >= patience {
            return Standing::Failed("Service did not become steady within three hours".to_owned());
        }
        Standing::Moving
    }
}

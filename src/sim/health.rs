//! `ports::Health`, simulated: what the services imply, unless it was set by hand.

use async_trait::async_trait;

use super::cloud::SimDoor;
use super::ecs::page;
use super::metrics::rule;
use super::world::World;
use crate::model::{AlarmSeen, AlarmState, TargetHealth, TargetState, TaskStatus};
use crate::ports::{Class, Health, Page, PageToken, PortError};

impl World {
    /// AWS: *`DescribeTargetHealth`*: a target for each running task of the services that use the group.
    pub(super) fn target_health(&self, region: usize, group: &str) -> Result<Vec<TargetHealth>, PortError> {
        let ecs = &self.data.regions[region].ecs;
        if let Some(set) = ecs.targets.get(group) {
            return Ok(set.clone());
        }
        let services: Vec<_> =
            ecs.services.values().filter(|service| service.state.target_groups.contains(group)).collect();
        let of_a_stack = self.data.stacks.iter().filter(|stack| stack.region == region);
        let exists = of_a_stack.flat_map(|stack| stack.resources.values()).any(|found| found.physical_id == group);
        if services.is_empty() && !exists {
            let message = format!("Target groups '{group}' not found");
            return Err(
                PortError::new(Class::NotFound, "DescribeTargetHealth", message).with_code("TargetGroupNotFound")
            );
        }
        let tasks = services.iter().flat_map(|service| &service.tasks);
        let running = tasks.filter(|task| task.state.status == TaskStatus::Running);
        Ok(running
            .map(|task| {
                let (state, reason) = if task.steady {
                    (TargetState::Healthy, None)
                } else {
                    (TargetState::Initial, Some("Elb.InitialHealthChecking".to_owned()))
                };
                TargetHealth { id: task.state.arn.id().to_owned(), port: Some(80), state, reason, description: None }
            })
            .collect())
    }

    /// AWS: *`DescribeAlarms`*: those that were set, and those of stacks, which say what the data of their metric say, and
    /// that all is well where nobody publishes any.
    fn alarm_states(&self, region: usize, names: &[String]) -> Vec<AlarmSeen> {
        let ecs = &self.data.regions[region].ecs;
        let of_a_stack = |name: &String| {
            let stacks = self.data.stacks.iter().filter(|stack| stack.region == region);
            let mut resources = stacks.flat_map(|stack| stack.resources.values());
            let kinds = ["AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"];
            let found = resources.any(|found| kinds.contains(&found.kind.as_str()) && found.physical_id == *name);
            let judged = self.alarm(region, name).and_then(|alarm| self.judge_metric(region, &rule(alarm)?));
            let state = match judged {
                Some(judged) if !judged.sufficient => AlarmState::InsufficientData,
                Some(judged) if judged.alarm => AlarmState::Alarm,
                _ => AlarmState::Ok,
            };
            found.then(|| AlarmSeen { name: name.clone(), state, reason: None, since: None })
        };
        names.iter().filter_map(|name| ecs.alarms.get(name).cloned().or_else(|| of_a_stack(name))).collect()
    }
}

#[async_trait]
impl Health for SimDoor {
    async fn targets(&self, group: &str) -> Result<Vec<TargetHealth>, PortError> {
        self.read("DescribeTargetHealth", group, |world, _| world.target_health(self.region, group)).await
    }

    async fn alarms(&self, names: &[String], token: Option<PageToken>) -> Result<Page<AlarmSeen>, PortError> {
        const OPERATION: &str = "DescribeAlarms";
        let target = names.first().map_or("", String::as_str);
        self.read(OPERATION, target, |world, lens| {
            let all = world.alarm_states(self.region, names);
            page(OPERATION, &all, 100, lens, token.as_ref())
        })
        .await
    }
}

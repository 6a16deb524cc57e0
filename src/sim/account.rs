//! `ports::Account`, simulated: an account with AWS's default quotas, in which everything is allowed.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value as Json;

use super::cloud::SimDoor;
use super::resource::Resource;
use super::world::World;
use crate::model::{Certificate, Principal, QuotaState, TypeFacts, UsageMetric};
use crate::ports::{Account, Class, Page, PageToken, PortError};

/// Default quotas, by code (AWS: *service endpoints and quotas*).
const QUOTAS: [(&str, f64); 7] = [
    ("L-F678F1CE", 5.0),
    ("L-FE5A380F", 5.0),
    ("L-0263D0A3", 5.0),
    ("L-F98FE922", 2_500.0),
    ("L-EDD31C36", 90.0),
    ("L-3032A538", 6.0),
    ("L-53DA6B97", 50.0),
];

/// The quota of Fargate's processors, which a metric measures.
const FARGATE: &str = "L-3032A538";

fn number(value: &Json) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

impl World {
    pub(super) fn resources_of(&self, region: usize, kind: &str) -> impl Iterator<Item = &Resource> {
        let stacks = self.data.stacks.iter().filter(move |stack| stack.region == region);
        let resources = stacks.flat_map(|stack| stack.resources.values());
        resources.filter(move |resource| resource.kind == kind && resource.exists())
    }

    /// What the services of stacks have of processors. Where there is none, nothing is published.
    fn processors(&self, region: usize) -> Option<f64> {
        let of = |service: &Resource| -> Option<f64> {
            let definition = service.properties.get("TaskDefinition")?.as_str()?;
            let mut all = self.resources_of(region, "AWS::ECS::TaskDefinition");
            let cpu = number(all.find(|found| found.physical_id == definition)?.properties.get("Cpu")?)?;
            let tasks = service.properties.get("DesiredCount").and_then(number).unwrap_or(1.0);
            Some(tasks * cpu / 1024.0)
        };
        let used: Vec<f64> = self.resources_of(region, "AWS::ECS::Service").filter_map(of).collect();
        (!used.is_empty()).then(|| used.iter().sum())
    }
}

#[async_trait]
impl Account for SimDoor {
    async fn principal(&self) -> Result<Principal, PortError> {
        let account = self.account.clone();
        self.read("GetCallerIdentity", "", move |_, _| {
            let arn = format!("arn:aws:iam::{account}:user/simulated");
            Ok(Principal { account, arn })
        })
        .await
    }

    async fn resource_type(&self, name: &str) -> Result<Option<TypeFacts>, PortError> {
        self.read("DescribeType", name, |_, _| {
            Ok(name.starts_with("AWS::").then(|| TypeFacts { create: BTreeSet::new() }))
        })
        .await
    }

    async fn denied(
        &self,
        principal: &str,
        actions: &[String],
        resource: Option<&str>,
        _: Option<PageToken>,
    ) -> Result<Page<String>, PortError> {
        let denied = |world: &mut World| {
            let is_denied = |action: &&String| {
                world.config.denied.iter().any(|(what, on)| what == *action && resource == Some(on.as_str()))
            };
            Ok(Page { items: actions.iter().filter(is_denied).cloned().collect(), next: None })
        };
        self.read("SimulatePrincipalPolicy", principal, |world, _| denied(world)).await
    }

    async fn resources(&self, kind: &str, page: Option<PageToken>) -> Result<Page<String>, PortError> {
        let (region, kind) = (self.region, kind.to_owned());
        let first = page
            .as_deref()
            .map_or(Ok(0), str::parse::<usize>)
            .map_err(|_| PortError::new(Class::Invalid, "ListResources", "The provided NextToken is invalid"))?;
        self.read("ListResources", &kind.clone(), move |world, _| {
            let all = world.resources_of(region, &kind).map(|resource| resource.physical_id.clone());
            let mut all: Vec<String> = all.skip(first).collect();
            let next = (all.len() > world.config.page_size).then(|| (first + world.config.page_size).to_string());
            all.truncate(world.config.page_size);
            Ok(Page { items: all, next })
        })
        .await
    }

    async fn size(&self, kind: &str, id: &str, property: &str) -> Result<Option<f64>, PortError> {
        let region = self.region;
        self.read("GetResource", id, move |world, _| {
            let mut resources = world.resources_of(region, kind);
            let found = resources.find(|resource| resource.physical_id == id);
            Ok(found.and_then(|resource| number(resource.properties.get(property)?)))
        })
        .await
    }

    async fn quota(&self, service: &str, code: &str) -> Result<Option<QuotaState>, PortError> {
        let code = code.to_owned();
        self.read("GetServiceQuota", service, move |world, _| {
            let stacks = (code == "L-0485CB21").then_some(world.config.stack_quota as f64);
            let value = stacks.or_else(|| QUOTAS.iter().find(|(known, _)| *known == code).map(|(_, value)| *value));
            let usage = (code == FARGATE).then(|| UsageMetric {
                namespace: "AWS/Usage".to_owned(),
                name: "ResourceCount".to_owned(),
                dimensions: BTreeMap::from([("Service".to_owned(), "Fargate".to_owned())]),
                statistic: "Maximum".to_owned(),
            });
            Ok(value.map(|value| QuotaState { value, usage }))
        })
        .await
    }

    async fn usage(&self, metric: &UsageMetric, _: Timestamp, _: Timestamp) -> Result<Option<f64>, PortError> {
        let region = self.region;
        self.read("GetMetricStatistics", &metric.name, move |world, _| Ok(world.processors(region))).await
    }

    async fn certificate(&self, arn: &str) -> Result<Option<Certificate>, PortError> {
        self.read("DescribeCertificate", arn, |world, _| {
            let half_a_year = jiff::SignedDuration::from_hours(24 * 182);
            let not_after = world.data.now.saturating_add(half_a_year).ok();
            Ok(Some(Certificate { domain: "simulated".to_owned(), status: "ISSUED".to_owned(), not_after }))
        })
        .await
    }
}

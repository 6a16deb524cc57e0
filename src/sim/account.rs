//! `ports::Account`, simulated: an account with AWS's default quotas, in which everything is allowed.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::cloud::SimDoor;
use crate::model::{Certificate, Principal, TypeFacts};
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

    async fn denied(&self, principal: &str, _: &[String], _: Option<PageToken>) -> Result<Page<String>, PortError> {
        self.read("SimulatePrincipalPolicy", principal, |_, _| Ok(Page { items: Vec::new(), next: None })).await
    }

    async fn resources(&self, kind: &str, page: Option<PageToken>) -> Result<Page<String>, PortError> {
        let (region, kind) = (self.region, kind.to_owned());
        let first = page
            .as_deref()
            .map_or(Ok(0), str::parse::<usize>)
            .map_err(|_| PortError::new(Class::Invalid, "ListResources", "The provided NextToken is invalid"))?;
        self.read("ListResources", &kind.clone(), move |world, _| {
            let stacks = world.data.stacks.iter().filter(|stack| stack.region == region);
            let resources = stacks.flat_map(|stack| stack.resources.values());
            let all = resources.filter(|resource| resource.kind == kind && resource.exists());
            let mut all: Vec<String> = all.map(|resource| resource.physical_id.clone()).skip(first).collect();
            let next = (all.len() > world.config.page_size).then(|| (first + world.config.page_size).to_string());
            all.truncate(world.config.page_size);
            Ok(Page { items: all, next })
        })
        .await
    }

    async fn quota(&self, service: &str, code: &str) -> Result<Option<f64>, PortError> {
        let code = code.to_owned();
        self.read("GetServiceQuota", service, move |world, _| {
            let stacks = (code == "L-0485CB21").then_some(world.config.stack_quota as f64);
            Ok(stacks.or_else(|| QUOTAS.iter().find(|(known, _)| *known == code).map(|(_, value)| *value)))
        })
        .await
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

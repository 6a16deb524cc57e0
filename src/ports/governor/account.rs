//! The governed door to [`Account`].

use async_trait::async_trait;
use jiff::Timestamp;

use super::api;
use super::door::Door;
use super::pass::Sort;
use crate::model::{Certificate, Principal, QuotaState, TypeFacts, UsageMetric};
use crate::ports::{Account, Page, PageToken, PortError};

#[async_trait]
impl Account for Door<dyn Account> {
    async fn principal(&self) -> Result<Principal, PortError> {
        // Whose they are is the question itself: there is nothing to be verified first.
        self.pass(&api::CALLER, Sort::Read).send(|| self.inner.principal()).await
    }

    async fn resource_type(&self, name: &str) -> Result<Option<TypeFacts>, PortError> {
        self.read(&api::DESCRIBE_TYPE, || self.inner.resource_type(name)).await
    }

    async fn denied(
        &self,
        principal: &str,
        actions: &[String],
        resource: Option<&str>,
        page: Option<PageToken>,
    ) -> Result<Page<String>, PortError> {
        self.read(&api::SIMULATE_POLICY, || self.inner.denied(principal, actions, resource, page.clone())).await
    }

    async fn resources(&self, kind: &str, page: Option<PageToken>) -> Result<Page<String>, PortError> {
        self.read(&api::LIST_RESOURCES, || self.inner.resources(kind, page.clone())).await
    }

    async fn size(&self, kind: &str, id: &str, property: &str) -> Result<Option<f64>, PortError> {
        self.read(&api::GET_RESOURCE, || self.inner.size(kind, id, property)).await
    }

    async fn quota(&self, service: &str, code: &str) -> Result<Option<QuotaState>, PortError> {
        self.read(&api::GET_SERVICE_QUOTA, || self.inner.quota(service, code)).await
    }

    async fn usage(&self, metric: &UsageMetric, from: Timestamp, to: Timestamp) -> Result<Option<f64>, PortError> {
        self.read(&api::GET_METRIC_STATISTICS, || self.inner.usage(metric, from, to)).await
    }

    async fn certificate(&self, arn: &str) -> Result<Option<Certificate>, PortError> {
        self.read(&api::DESCRIBE_CERTIFICATE, || self.inner.certificate(arn)).await
    }
}

//! What an account allows: identity, permissions, quotas, resource types, certificates. Only `preflight` asks.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Page, PageToken, PortError};
use crate::model::{Certificate, Principal, QuotaState, TypeFacts, UsageMetric};

/// What one account allows in one region. Nothing here changes anything.
#[async_trait]
pub trait Account: Send + Sync {
    /// Whose credentials these are (AWS: *`GetCallerIdentity`*).
    async fn principal(&self) -> Result<Principal, PortError>;

    /// What the registry says of a resource type; `None` if there is none of this name in the region
    /// (AWS: *`DescribeType`*, *resource type schema*, `handlers`).
    async fn resource_type(&self, name: &str) -> Result<Option<TypeFacts>, PortError>;

    /// Which of these actions the policies of a user or role deny, or do not allow, on the resource of this ARN, or on any:
    /// one page (AWS: *`SimulatePrincipalPolicy`*). What the resource's own policy says is not known to it. Answers
    /// `NotFound` if there is no such user or role.
    async fn denied(
        &self,
        principal: &str,
        actions: &[String],
        resource: Option<&str>,
        page: Option<PageToken>,
    ) -> Result<Page<String>, PortError>;

    /// One page of the ids of all resources of a type (AWS: *Cloud Control `ListResources`*).
    async fn resources(&self, kind: &str, page: Option<PageToken>) -> Result<Page<String>, PortError>;

    /// A property of one resource that is a number; `None` if there is no such resource, or it does not say
    /// (AWS: *Cloud Control `GetResource`*).
    async fn size(&self, kind: &str, id: &str, property: &str) -> Result<Option<f64>, PortError>;

    /// A quota as it is applied; `None` where there is none of this code (AWS: *`GetServiceQuota`*).
    async fn quota(&self, service: &str, code: &str) -> Result<Option<QuotaState>, PortError>;

    /// The newest value of a metric between two moments, of five minutes each; `None` where there is none
    /// (AWS: *`GetMetricStatistics`*).
    async fn usage(&self, metric: &UsageMetric, from: Timestamp, to: Timestamp) -> Result<Option<f64>, PortError>;

    /// A certificate; `None` if no certificate has this ARN (AWS: *ACM `DescribeCertificate`*).
    async fn certificate(&self, arn: &str) -> Result<Option<Certificate>, PortError>;
}

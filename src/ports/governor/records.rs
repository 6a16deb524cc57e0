//! The governed door to [`Records`].

use async_trait::async_trait;

use super::api;
use super::door::Door;
use crate::model::{ChangeId, DnsName, HealthCheck, HostedZone, RecordChange, ZoneId};
use crate::ports::{Fence, Page, PageToken, PortError, RecordPage, Records, RecordsFrom};

#[async_trait]
impl Records for Door<dyn Records> {
    async fn zones(&self, from: &DnsName, page: Option<PageToken>) -> Result<Page<HostedZone>, PortError> {
        self.read(&api::ROUTE53, || self.inner.zones(from, page.clone())).await
    }

    async fn zone(&self, id: &ZoneId) -> Result<Option<HostedZone>, PortError> {
        self.read(&api::ROUTE53, || self.inner.zone(id)).await
    }

    async fn record_sets(&self, zone: &ZoneId, from: Option<RecordsFrom>) -> Result<RecordPage, PortError> {
        self.read(&api::ROUTE53, || self.inner.record_sets(zone, from.clone())).await
    }

    async fn change(
        &self,
        fence: Fence,
        zone: &ZoneId,
        changes: &[RecordChange],
        comment: &str,
    ) -> Result<ChangeId, PortError> {
        let call = || self.inner.change(fence, zone, changes, comment);
        self.change(&api::ROUTE53_CHANGE, fence, call).await
    }

    async fn health_check(&self, id: &str) -> Result<Option<HealthCheck>, PortError> {
        self.read(&api::ROUTE53, || self.inner.health_check(id)).await
    }

    async fn is_in_sync(&self, change: &ChangeId) -> Result<Option<bool>, PortError> {
        self.read(&api::ROUTE53, || self.inner.is_in_sync(change)).await
    }
}

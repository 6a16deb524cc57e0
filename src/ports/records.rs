//! Route 53 of one account.

use async_trait::async_trait;

use super::{Fence, Page, PageToken, PortError};
use crate::model::{ChangeId, DnsName, HealthCheck, HostedZone, RecordChange, RecordSet, ZoneId};

/// Where a list of record sets begins: at the first set that is not before this one, in Route 53's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordsFrom {
    /// The name, as Route 53 writes it.
    pub name: String,
    /// The type.
    pub kind: Option<String>,
    /// The set identifier.
    pub set: Option<String>,
}

/// One page of record sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordPage {
    /// What is on it.
    pub items: Vec<RecordSet>,
    /// Where to read on, if there is more.
    pub next: Option<RecordsFrom>,
}

/// Route 53 of one account. It has no regions; what the region of the door says is in which partition it is.
#[async_trait]
pub trait Records: Send + Sync {
    /// One page of hosted zones from this name on, ordered by their labels from the last to the first, so that a
    /// domain is followed by those below it (AWS: *`ListHostedZonesByName`*).
    async fn zones(&self, from: &DnsName, page: Option<PageToken>) -> Result<Page<HostedZone>, PortError>;

    /// One hosted zone; `None` if there is none.
    async fn zone(&self, id: &ZoneId) -> Result<Option<HostedZone>, PortError>;

    /// One page of a zone's record sets. Includes changes that have not reached all servers yet (AWS:
    /// *`ListResourceRecordSets`*).
    async fn record_sets(&self, zone: &ZoneId, from: Option<RecordsFrom>) -> Result<RecordPage, PortError>;

    /// Sends a batch: all of it takes effect, or nothing. Answers `Conflict` if a set to create exists or one to
    /// delete is not exactly that.
    async fn change(
        &self,
        fence: Fence,
        zone: &ZoneId,
        changes: &[RecordChange],
        comment: &str,
    ) -> Result<ChangeId, PortError>;

    /// A health check; `None` if there is none of this id (AWS: *`GetHealthCheck`*).
    async fn health_check(&self, id: &str) -> Result<Option<HealthCheck>, PortError>;

    /// Whether a batch has reached all servers; `None` if there is no such batch.
    async fn is_in_sync(&self, change: &ChangeId) -> Result<Option<bool>, PortError>;
}

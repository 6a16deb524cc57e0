//! Who has changed what: the event history of one account in one region.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Page, PageToken, PortError};
use crate::model::Deed;

/// Who has changed what: the event history of one account in one region (AWS: *Working with CloudTrail event history*).
///
/// It has the management events of the last 90 days, minutes late, and what one API call concerns under names that each
/// service chooses: it may know, and its silence means nothing.
#[async_trait]
pub trait Trail: Send + Sync {
    /// One page of the calls that concern a resource of this name, newest first.
    async fn deeds(&self, resource: &str, since: Timestamp, page: Option<PageToken>) -> Result<Page<Deed>, PortError>;
}

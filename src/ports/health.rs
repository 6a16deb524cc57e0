//! What AWS says of the health of what runs: target groups and alarms of one account in one region.

use async_trait::async_trait;

use super::{Page, PageToken, PortError};
use crate::model::{AlarmSeen, TargetHealth};

/// What AWS says of the health of what runs: target groups and alarms of one account in one region.
#[async_trait]
pub trait Health: Send + Sync {
    /// Every target of a target group. Answers `NotFound` if there is no such group.
    async fn targets(&self, group: &str) -> Result<Vec<TargetHealth>, PortError>;

    /// One page of the alarms with these names, one to a hundred of them, of metrics and composite. Those that do not
    /// exist are left out.
    async fn alarms(&self, names: &[String], page: Option<PageToken>) -> Result<Page<AlarmSeen>, PortError>;
}

//! What AWS says of the health of what runs: target groups and alarms of one account in one region.

use async_trait::async_trait;

/// What AWS says of the health of what runs: target groups and alarms of one account in one region.
#[async_trait]
pub trait Health: Send + Sync {}

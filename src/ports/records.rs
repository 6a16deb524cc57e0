//! Route 53 of one account.

use async_trait::async_trait;

/// Route 53 of one account.
#[async_trait]
pub trait Records: Send + Sync {}

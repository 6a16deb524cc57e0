//! Secrets Manager of one account in one region.

use async_trait::async_trait;

/// Secrets Manager of one account in one region.
#[async_trait]
pub trait Secrets: Send + Sync {}

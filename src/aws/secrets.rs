//! `ports::Secrets` over the SDK: one method, one request.

use async_trait::async_trait;
use aws_config::SdkConfig;

use crate::ports::Secrets;

/// One account in one region.
pub(super) struct Client {}

impl Client {
    pub(super) fn new(_config: &SdkConfig) -> Self {
        Self {}
    }
}

#[async_trait]
impl Secrets for Client {}

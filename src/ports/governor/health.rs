//! The governed door to [`Health`].

use async_trait::async_trait;

use super::api;
use super::door::Door;
use crate::model::{AlarmSeen, TargetHealth};
use crate::ports::{Health, Page, PageToken, PortError};

#[async_trait]
impl Health for Door<dyn Health> {
    async fn targets(&self, group: &str) -> Result<Vec<TargetHealth>, PortError> {
        self.read(&api::DESCRIBE_TARGET_HEALTH, || self.inner.targets(group)).await
    }

    async fn alarms(&self, names: &[String], page: Option<PageToken>) -> Result<Page<AlarmSeen>, PortError> {
        self.read(&api::DESCRIBE_ALARMS, || self.inner.alarms(names, page.clone())).await
    }
}

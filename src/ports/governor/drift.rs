//! The governed door to [`Drift`].

use async_trait::async_trait;

use super::api;
use super::door::Door;
use crate::model::{Detection, DetectionId, ResourceDrift, ResourceState, StackId};
use crate::ports::{Drift, Page, PageToken, PortError};

#[async_trait]
impl Drift for Door<dyn Drift> {
    async fn detect(&self, stack: &StackId) -> Result<DetectionId, PortError> {
        // It changes nothing of the stack: sent twice, it costs a detection.
        self.read(&api::DETECT_DRIFT, || self.inner.detect(stack)).await
    }

    async fn owner(&self, physical_id: &str) -> Result<Option<(StackId, String)>, PortError> {
        self.read(&api::DESCRIBE_RESOURCES, || self.inner.owner(physical_id)).await
    }

    async fn compare(&self, stack: &StackId, resource: &str) -> Result<ResourceDrift, PortError> {
        self.read(&api::DETECT_RESOURCE_DRIFT, || self.inner.compare(stack, resource)).await
    }

    async fn detection(&self, id: &DetectionId) -> Result<Detection, PortError> {
        self.read(&api::DETECTION_STATUS, || self.inner.detection(id)).await
    }

    async fn resources(&self, stack: &StackId, page: Option<PageToken>) -> Result<Page<ResourceState>, PortError> {
        self.read(&api::LIST_STACK_RESOURCES, || self.inner.resources(stack, page.clone())).await
    }

    async fn drifts(&self, stack: &StackId, page: Option<PageToken>) -> Result<Page<ResourceDrift>, PortError> {
        self.read(&api::RESOURCE_DRIFTS, || self.inner.drifts(stack, page.clone())).await
    }
}

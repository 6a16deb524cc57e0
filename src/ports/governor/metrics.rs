//! The governed door to [`Metrics`].

use async_trait::async_trait;

use super::api;
use super::door::Door;
use crate::model::Metric;
use crate::ports::{Fence, Metrics, PortError};

#[async_trait]
impl Metrics for Door<dyn Metrics> {
    async fn put(&self, fence: Fence, metric: &Metric, value: f64) -> Result<(), PortError> {
        self.change(&api::PUT_METRIC_DATA, fence, || self.inner.put(fence, metric, value)).await
    }
}

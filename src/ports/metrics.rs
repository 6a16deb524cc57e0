//! CloudWatch's metrics of one account in one region: what Landfast publishes there.

use async_trait::async_trait;

use super::{Fence, PortError};
use crate::model::Metric;

/// CloudWatch's metrics of one account in one region.
#[async_trait]
pub trait Metrics: Send + Sync {
    /// Publishes one value of a metric, as of now by AWS's clock and in standard resolution (AWS: *`PutMetricData`*). It is
    /// a call to the data plane of the region. The same again is one sample more, which changes no minimum, maximum or
    /// average.
    async fn put(&self, fence: Fence, metric: &Metric, value: f64) -> Result<(), PortError>;
}

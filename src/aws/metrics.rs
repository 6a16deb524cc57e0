//! `ports::Metrics` over the SDK: one method, one request.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_cloudwatch::types as sdk;

use super::error::port_error;
use crate::model::Metric;
use crate::ports::{Fence, Metrics, PortError};

/// One account in one region.
pub(super) struct Client {
    cloudwatch: aws_sdk_cloudwatch::Client,
}

impl Client {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self { cloudwatch: aws_sdk_cloudwatch::Client::new(config) }
    }
}

#[async_trait]
impl Metrics for Client {
    async fn put(&self, _fence: Fence, metric: &Metric, value: f64) -> Result<(), PortError> {
        let dimensions = metric.dimensions.iter();
        let dimensions = dimensions.map(|(name, value)| sdk::Dimension::builder().name(name).value(value).build());
        // Without a time of ours: what a clock that is wrong here says would be of another minute, or refused.
        let datum = sdk::MetricDatum::builder()
            .metric_name(&metric.name)
            .set_dimensions(Some(dimensions.collect()))
            .value(value)
            .build();
        let call = self.cloudwatch.put_metric_data().namespace(&metric.namespace).metric_data(datum);
        call.send().await.map(drop).map_err(|error| port_error("PutMetricData", error, &[]))
    }
}

//! `ports::Health` over the SDK: one method, one request.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_cloudwatch::types::{AlarmType, StateValue};
use aws_sdk_elasticloadbalancingv2::types::TargetHealthStateEnum;
use aws_smithy_types::DateTime;

use super::answer::Reader;
use super::error::port_error;
use crate::model::{AlarmSeen, TargetHealth};
use crate::ports::{Health, Page, PageToken, PortError};

/// As many alarms as one answer can hold.
const PAGE: i32 = 100;

/// One account in one region.
pub(super) struct Client {
    targets: aws_sdk_elasticloadbalancingv2::Client,
    alarms: aws_sdk_cloudwatch::Client,
}

impl Client {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self {
            targets: aws_sdk_elasticloadbalancingv2::Client::new(config),
            alarms: aws_sdk_cloudwatch::Client::new(config),
        }
    }
}

fn alarm(
    name: Option<&str>,
    state: Option<&StateValue>,
    reason: Option<&str>,
    since: Option<&DateTime>,
) -> Result<AlarmSeen, PortError> {
    let read = Reader("DescribeAlarms");
    Ok(AlarmSeen {
        name: read.need(name, "AlarmName")?.to_owned(),
        state: read.parse(state.map(StateValue::as_str), "StateValue")?,
        reason: reason.filter(|reason| !reason.is_empty()).map(str::to_owned),
        since: since.map(|time| read.time(time)).transpose()?,
    })
}

#[async_trait]
impl Health for Client {
    async fn targets(&self, group: &str) -> Result<Vec<TargetHealth>, PortError> {
        const OPERATION: &str = "DescribeTargetHealth";
        let request = self.targets.describe_target_health().target_group_arn(group);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let read = Reader(OPERATION);
        let targets = answer.target_health_descriptions.unwrap_or_default().into_iter().map(|described| {
            let target = read.need(described.target, "Target")?;
            let health = read.need(described.target_health, "TargetHealth")?;
            Ok(TargetHealth {
                id: read.need(target.id, "Id")?,
                port: target.port.and_then(|port| u16::try_from(port).ok()),
                state: read.parse(health.state.as_ref().map(TargetHealthStateEnum::as_str), "State")?,
                reason: health.reason.map(|reason| reason.as_str().to_owned()),
                description: health.description.filter(|text| !text.is_empty()),
            })
        });
        targets.collect()
    }

    async fn alarms(&self, names: &[String], page: Option<PageToken>) -> Result<Page<AlarmSeen>, PortError> {
        const OPERATION: &str = "DescribeAlarms";
        let request = self
            .alarms
            .describe_alarms()
            .set_alarm_names(Some(names.to_vec()))
            // Without them AWS answers with those of metrics only.
            .set_alarm_types(Some(vec![AlarmType::MetricAlarm, AlarmType::CompositeAlarm]))
            .max_records(PAGE)
            .set_next_token(page);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let metric = answer.metric_alarms().iter().map(|found| {
            let since = found.state_transitioned_timestamp().or(found.state_updated_timestamp());
            alarm(found.alarm_name(), found.state_value(), found.state_reason(), since)
        });
        let composite = answer.composite_alarms().iter().map(|found| {
            let since = found.state_transitioned_timestamp().or(found.state_updated_timestamp());
            alarm(found.alarm_name(), found.state_value(), found.state_reason(), since)
        });
        Ok(Page { items: metric.chain(composite).collect::<Result<_, _>>()?, next: answer.next_token.clone() })
    }
}

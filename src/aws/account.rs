//! `ports::Account` over the SDK: one method, one request.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_cloudformation::types::RegistryType;
use aws_sdk_cloudwatch::types::{Datapoint, Dimension, Statistic};
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType};
use aws_sdk_servicequotas::types::MetricInfo;
use aws_smithy_types::DateTime;
use jiff::Timestamp;

use super::answer::Reader;
use super::error::{port_error, unreadable};
use crate::model::{Certificate, Principal, QuotaState, TRAFFIC_NAMESPACE, TypeFacts, UsageMetric};
use crate::ports::{Account, Page, PageToken, PortError, found};

/// Of how many seconds one value of a metric is: usage is published every minute, and kept so for fifteen days.
const PERIOD: i32 = 300;

/// One account in one region.
pub(super) struct Client {
    caller: aws_sdk_sts::Client,
    registry: aws_sdk_cloudformation::Client,
    policies: aws_sdk_iam::Client,
    resources: aws_sdk_cloudcontrol::Client,
    quotas: aws_sdk_servicequotas::Client,
    certificates: aws_sdk_acm::Client,
    metrics: aws_sdk_cloudwatch::Client,
}

impl Client {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self {
            caller: aws_sdk_sts::Client::new(config),
            registry: aws_sdk_cloudformation::Client::new(config),
            policies: aws_sdk_iam::Client::new(config),
            resources: aws_sdk_cloudcontrol::Client::new(config),
            quotas: aws_sdk_servicequotas::Client::new(config),
            certificates: aws_sdk_acm::Client::new(config),
            metrics: aws_sdk_cloudwatch::Client::new(config),
        }
    }
}

fn usage_metric(found: MetricInfo) -> Option<UsageMetric> {
    Some(UsageMetric {
        namespace: found.metric_namespace?,
        name: found.metric_name?,
        dimensions: found.metric_dimensions.unwrap_or_default().into_iter().collect(),
        statistic: found.metric_statistic_recommendation.unwrap_or_else(|| "Maximum".to_owned()),
    })
}

/// The value of the newest of the points, which come in no order.
fn newest(points: &[Datapoint], statistic: &str) -> Option<f64> {
    let newest = points.iter().max_by_key(|point| point.timestamp().map(DateTime::secs))?;
    match statistic {
        "Sum" => newest.sum(),
        "Average" => newest.average(),
        "Minimum" => newest.minimum(),
        _ => newest.maximum(),
    }
}

/// The permissions that a resource type's schema names for its creation.
fn create_permissions(schema: &str) -> Result<TypeFacts, serde_json::Error> {
    let schema: serde_json::Value = serde_json::from_str(schema)?;
    let permissions = schema.pointer("/handlers/create/permissions").and_then(serde_json::Value::as_array);
    let texts = permissions.into_iter().flatten().filter_map(serde_json::Value::as_str);
    Ok(TypeFacts { create: texts.map(str::to_owned).collect() })
}

#[async_trait]
impl Account for Client {
    async fn principal(&self) -> Result<Principal, PortError> {
        const OPERATION: &str = "GetCallerIdentity";
        let answer = self.caller.get_caller_identity().send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let reader = Reader(OPERATION);
        Ok(Principal {
            account: reader.parse(answer.account(), "Account")?,
            arn: reader.need(answer.arn(), "Arn")?.to_owned(),
        })
    }

    async fn resource_type(&self, name: &str) -> Result<Option<TypeFacts>, PortError> {
        const OPERATION: &str = "DescribeType";
        let request = self.registry.describe_type().r#type(RegistryType::Resource).type_name(name);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]));
        let Some(answer) = found(answer)? else { return Ok(None) };
        let schema = answer.schema().unwrap_or("{}");
        create_permissions(schema).map(Some).map_err(|_| unreadable(OPERATION, "its schema is not JSON"))
    }

    async fn denied(
        &self,
        principal: &str,
        actions: &[String],
        resource: Option<&str>,
        page: Option<PageToken>,
    ) -> Result<Page<String>, PortError> {
        const OPERATION: &str = "SimulatePrincipalPolicy";
        let request = self.policies.simulate_principal_policy().policy_source_arn(principal);
        let request = request.set_action_names(Some(actions.to_vec())).set_marker(page);
        let request = request.set_resource_arns(resource.map(|resource| vec![resource.to_owned()]));
        // What moves traffic is allowed for its namespace alone: a condition that no other action knows.
        let namespace = ContextEntry::builder()
            .context_key_name("cloudwatch:namespace")
            .context_key_type(ContextKeyTypeEnum::String)
            .context_key_values(TRAFFIC_NAMESPACE)
            .build();
        let request = request.context_entries(namespace);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let denied = answer.evaluation_results().iter();
        let denied = denied.filter(|result| *result.eval_decision() != PolicyEvaluationDecisionType::Allowed);
        let items = denied.map(|result| result.eval_action_name().to_owned()).collect();
        Ok(Page { items, next: answer.marker.filter(|_| answer.is_truncated) })
    }

    async fn resources(&self, kind: &str, page: Option<PageToken>) -> Result<Page<String>, PortError> {
        const OPERATION: &str = "ListResources";
        let request = self.resources.list_resources().type_name(kind).set_next_token(page);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let descriptions = answer.resource_descriptions.unwrap_or_default();
        Ok(Page {
            items: descriptions.into_iter().filter_map(|resource| resource.identifier).collect(),
            next: answer.next_token,
        })
    }

    async fn size(&self, kind: &str, id: &str, property: &str) -> Result<Option<f64>, PortError> {
        const OPERATION: &str = "GetResource";
        let request = self.resources.get_resource().type_name(kind).identifier(id);
        let answer = found(request.send().await.map_err(|e| port_error(OPERATION, e, &[])))?;
        let Some(text) = answer.and_then(|answer| answer.resource_description?.properties) else { return Ok(None) };
        let read: serde_json::Value =
            serde_json::from_str(&text).map_err(|_| unreadable(OPERATION, "its properties are not JSON"))?;
        Ok(read.get(property).and_then(serde_json::Value::as_f64))
    }

    async fn quota(&self, service: &str, code: &str) -> Result<Option<QuotaState>, PortError> {
        const OPERATION: &str = "GetServiceQuota";
        let request = self.quotas.get_service_quota().service_code(service).quota_code(code);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]));
        let Some(quota) = found(answer)?.and_then(|answer| answer.quota) else { return Ok(None) };
        Ok(quota.value.map(|value| QuotaState { value, usage: quota.usage_metric.and_then(usage_metric) }))
    }

    async fn usage(&self, metric: &UsageMetric, from: Timestamp, to: Timestamp) -> Result<Option<f64>, PortError> {
        const OPERATION: &str = "GetMetricStatistics";
        let dimensions = metric.dimensions.iter();
        let dimensions = dimensions.map(|(name, value)| Dimension::builder().name(name).value(value).build()).collect();
        let request = self.metrics.get_metric_statistics().namespace(&metric.namespace).metric_name(&metric.name);
        let request = request
            .set_dimensions(Some(dimensions))
            .start_time(DateTime::from_secs(from.as_second()))
            .end_time(DateTime::from_secs(to.as_second()))
            .period(PERIOD)
            .statistics(Statistic::from(metric.statistic.as_str()));
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        Ok(newest(answer.datapoints(), &metric.statistic))
    }

    async fn certificate(&self, arn: &str) -> Result<Option<Certificate>, PortError> {
        const OPERATION: &str = "DescribeCertificate";
        let request = self.certificates.describe_certificate().certificate_arn(arn);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]));
        let Some(detail) = found(answer)?.and_then(|answer| answer.certificate) else { return Ok(None) };
        Ok(Some(Certificate {
            domain: detail.domain_name().unwrap_or_default().to_owned(),
            status: detail.status().map_or("UNKNOWN", |status| status.as_str()).to_owned(),
            not_after: detail.not_after().map(|at| Reader(OPERATION).time(at)).transpose()?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::wire::{Answer, Wire, scope};
    use crate::ports::Cloud as _;

    #[tokio::test]
    async fn a_quota_names_the_metric_that_measures_it_and_a_resource_its_size() {
        let metric = r#"{"MetricNamespace":"AWS/Usage","MetricName":"ResourceCount","MetricDimensions":{"Resource":"vCPU"},
            "MetricStatisticRecommendation":"Maximum"}"#;
        let cluster = r#"{"ResourceDescription":{"Identifier":"arn","Properties":"{\"NumberOfBrokerNodes\":6}"}}"#;
        let wire = Wire::answering([
            Answer::Http(200, format!(r#"{{"Quota":{{"Value":6.0,"UsageMetric":{metric}}}}}"#)),
            Answer::Http(200, r#"{"Quota":{"Value":30.0}}"#.to_owned()),
            Answer::Http(200, cluster.to_owned()),
            Answer::Http(400, r#"{"__type":"ResourceNotFoundException"}"#.to_owned()),
        ]);
        let door = wire.cloud(None).await.account(&scope(), None);
        let usage = UsageMetric {
            namespace: "AWS/Usage".to_owned(),
            name: "ResourceCount".to_owned(),
            dimensions: [("Resource".to_owned(), "vCPU".to_owned())].into(),
            statistic: "Maximum".to_owned(),
        };
        let quota = door.quota("fargate", "L-3032A538").await.unwrap();
        assert_eq!(quota, Some(QuotaState { value: 6.0, usage: Some(usage) }));
        let quota = door.quota("kafka", "L-EDD31C36").await.unwrap();
        assert_eq!(quota, Some(QuotaState { value: 30.0, usage: None }));
        let size = || door.size("AWS::MSK::Cluster", "arn", "NumberOfBrokerNodes");
        assert_eq!((size().await.unwrap(), size().await.unwrap()), (Some(6.0), None));
    }

    #[tokio::test]
    async fn what_is_used_of_a_quota_is_asked_of_its_metric_and_read_from_the_newest_point() {
        // {"Datapoints": [{"Timestamp": 900, "Maximum": 1.5}, {"Timestamp": 300, "Maximum": 4.0}]}
        let text = |text: &str| [&[0x60 | u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        let point = |at: u32, value: f64| {
            let (at, value) = (at.to_be_bytes(), value.to_be_bytes());
            [&[0xa2], &*text("Timestamp"), &[0xc1, 0x1a], &at, &text("Maximum"), &[0xfb], &value].concat()
        };
        let answer = [&[0xa1], &*text("Datapoints"), &[0x82], &point(900, 1.5), &point(300, 4.0)].concat();
        let wire = Wire::answering([Answer::Cbor(answer)]);
        let metric = UsageMetric {
            namespace: "AWS/Usage".to_owned(),
            name: "ResourceCount".to_owned(),
            dimensions: [("Resource".to_owned(), "vCPU".to_owned())].into(),
            statistic: "Maximum".to_owned(),
        };
        let door = wire.cloud(None).await.account(&scope(), None);
        let (from, to) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(1_000).unwrap());
        assert_eq!(door.usage(&metric, from, to).await.unwrap(), Some(1.5));
        let [sent] = &wire.sent()[..] else { panic!() };
        assert!(sent.uri.ends_with("/GetMetricStatistics"), "{}", sent.uri);
        for word in ["AWS/Usage", "ResourceCount", "vCPU", "Maximum"] {
            assert!(sent.body.contains(word), "{word}: {}", sent.body);
        }
    }

    #[test]
    fn the_newest_of_the_points_counts_in_the_statistic_that_was_asked_for() {
        let point = |at: i64, value: f64| {
            Datapoint::builder().timestamp(DateTime::from_secs(at)).maximum(value).sum(value * 2.0).build()
        };
        let points = [point(300, 4.0), point(900, 1.5), point(600, 9.0)];
        assert_eq!((newest(&points, "Maximum"), newest(&points, "Sum")), (Some(1.5), Some(3.0)));
        assert_eq!(newest(&[], "Maximum"), None);
    }

    #[test]
    fn the_permissions_of_a_creation_are_those_of_the_schema() {
        let facts = create_permissions(r#"{"handlers":{"create":{"permissions":["ec2:CreateVpc"]}}}"#).unwrap();
        assert_eq!(facts.create, ["ec2:CreateVpc".to_owned()].into());
        assert!(create_permissions("{}").unwrap().create.is_empty(), "old types have no handlers");
        assert!(create_permissions("no").is_err());
    }
}

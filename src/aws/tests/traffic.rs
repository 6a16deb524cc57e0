//! What moves traffic, on the wire.

use crate::aws::wire::{Answer, FENCE, Wire, refusal, scope};
use crate::model::{DnsName, HealthCheck, Metric, Serving};
use crate::ports::{Class, Cloud as _};

fn metric() -> Metric {
    Metric::of_traffic(&DnsName::new("Api.Example.com."))
}

#[tokio::test]
async fn a_value_is_published_with_the_name_of_the_record_and_without_a_time_of_ours() {
    let wire = Wire::answering([Answer::Cbor(vec![0xa0])]);
    let metrics = wire.cloud(None).await.metrics(&scope(), None);
    metrics.put(FENCE, &metric(), Serving::Standby.value()).await.unwrap();
    let sent = wire.sent();
    assert_eq!(sent.len(), 1);
    assert!(sent[0].uri.ends_with("/operation/PutMetricData"), "{}", sent[0].uri);
    let body = &sent[0].body;
    for text in ["Landfast/Traffic", "PrimaryServes", "Record", "api.example.com"] {
        assert!(body.contains(text), "{text} is not in {body:?}");
    }
    for text in ["Timestamp", "StorageResolution", "StatisticValues"] {
        assert!(!body.contains(text), "{text} is in {body:?}");
    }
}

#[tokio::test]
async fn a_lost_answer_to_a_publication_is_no_success() {
    let wire = Wire::answering([Answer::Broken]);
    let metrics = wire.cloud(None).await.metrics(&scope(), None);
    let error = metrics.put(FENCE, &metric(), 1.0).await.unwrap_err();
    assert_eq!((error.class, error.operation), (Class::Transient, "PutMetricData"));
}

async fn health_check(config: &str, rest: &str) -> Option<HealthCheck> {
    let text = format!(
        "<?xml version=\"1.0\"?><GetHealthCheckResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
         <HealthCheck><Id>abcdef11-2222-3333-4444-555555fedcba</Id><CallerReference>r</CallerReference>\
         <HealthCheckConfig>{config}</HealthCheckConfig><HealthCheckVersion>1</HealthCheckVersion>{rest}\
         </HealthCheck></GetHealthCheckResponse>"
    );
    let wire = Wire::answering([Answer::Http(200, text)]);
    let records = wire.cloud(None).await.records(&scope(), None);
    let found = records.health_check("abcdef11-2222-3333-4444-555555fedcba").await.unwrap();
    assert!(wire.sent()[0].uri.ends_with("/2013-04-01/healthcheck/abcdef11-2222-3333-4444-555555fedcba"));
    found
}

#[tokio::test]
async fn a_health_check_is_read_with_the_copy_of_its_alarm_that_route_53_evaluates() {
    let config = "<Type>CLOUDWATCH_METRIC</Type><Inverted>false</Inverted><Disabled>true</Disabled>\
        <AlarmIdentifier><Region>us-west-2</Region><Name>prod-traffic</Name></AlarmIdentifier>\
        <InsufficientDataHealthStatus>LastKnownStatus</InsufficientDataHealthStatus>";
    let rule = "<CloudWatchAlarmConfiguration><EvaluationPeriods>1</EvaluationPeriods><Threshold>1.0</Threshold>\
        <ComparisonOperator>LessThanThreshold</ComparisonOperator><Period>60</Period>\
        <MetricName>PrimaryServes</MetricName><Namespace>Landfast/Traffic</Namespace><Statistic>Minimum</Statistic>\
        <Dimensions><Dimension><Name>Record</Name><Value>api.example.com</Value></Dimension></Dimensions>\
        </CloudWatchAlarmConfiguration>";
    let check = health_check(config, rule).await.unwrap();
    assert_eq!((check.kind.as_str(), check.inverted, check.disabled), ("CLOUDWATCH_METRIC", false, true));
    assert_eq!(check.without_data.as_deref(), Some("LastKnownStatus"));
    let alarm = check.alarm.unwrap();
    assert_eq!((alarm.region.as_str(), alarm.name.as_str()), ("us-west-2", "prod-traffic"));
    let rule = alarm.rule.unwrap();
    assert_eq!((rule.metric.clone(), rule.period, rule.periods), (metric(), 60, 1));
    assert_eq!((rule.is_breached_by(0.0), rule.is_breached_by(1.0)), (Some(true), Some(false)));
}

#[tokio::test]
async fn a_check_of_an_endpoint_watches_no_alarm_and_one_that_is_gone_is_absent() {
    let config = "<Type>HTTPS</Type><FullyQualifiedDomainName>api.example.com</FullyQualifiedDomainName>";
    let check = health_check(config, "").await.unwrap();
    assert_eq!((check.kind.as_str(), check.alarm), ("HTTPS", None));
    let wire = Wire::answering([refusal(404, "NoSuchHealthCheck", "A health check with id x does not exist")]);
    assert_eq!(wire.cloud(None).await.records(&scope(), None).health_check("x").await.unwrap(), None);
}

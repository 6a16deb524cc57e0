//! `ports::Records` over the SDK: one method, one request.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_route53::types as sdk;

use super::answer::Reader;
use super::error::{classify_batch, port_error, unreadable};
use crate::model::{
    AlarmRule, ChangeId, DnsName, FailoverRole, HealthCheck, HostedZone, Metric, RecordChange, RecordContent,
    RecordSet, RecordVerb, RecordsOf, SetRouting, WatchedAlarm, ZoneId,
};
use crate::ports::{Class, Fence, Page, PageToken, PortError, RecordPage, Records, RecordsFrom, found};

/// One account. Which partition's Route 53 is called, and with which region it is signed, the SDK knows.
pub(super) struct Client {
    route53: aws_sdk_route53::Client,
}

impl Client {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self { route53: aws_sdk_route53::Client::new(config) }
    }
}

#[async_trait]
impl Records for Client {
    async fn zones(&self, from: &DnsName, page: Option<PageToken>) -> Result<Page<HostedZone>, PortError> {
        const OPERATION: &str = "ListHostedZonesByName";
        let call = self.route53.list_hosted_zones_by_name();
        // A token is the next name and the next id.
        let call = match page.as_deref().and_then(|token| token.split_once('|')) {
            Some((name, id)) => call.dns_name(name).hosted_zone_id(id),
            // From the first one on.
            None if from.as_str().is_empty() => call,
            None => call.dns_name(from.wire()),
        };
        let answer = call.send().await.map_err(|error| port_error(OPERATION, error, &[]))?;
        let next = match (answer.is_truncated, &answer.next_dns_name, &answer.next_hosted_zone_id) {
            (false, ..) => None,
            (true, Some(name), Some(id)) => Some(format!("{name}|{id}")),
            (true, ..) => return Err(unreadable(OPERATION, "it is truncated without a continuation token")),
        };
        let items = answer.hosted_zones.iter().map(|zone| hosted_zone(OPERATION, zone));
        Ok(Page { items: items.collect::<Result<_, _>>()?, next })
    }

    async fn zone(&self, id: &ZoneId) -> Result<Option<HostedZone>, PortError> {
        const OPERATION: &str = "GetHostedZone";
        let answer = self.route53.get_hosted_zone().id(id.as_str()).send().await;
        let Some(answer) = found(answer.map_err(|error| port_error(OPERATION, error, &[])))? else { return Ok(None) };
        let zone = Reader(OPERATION).need(answer.hosted_zone, "HostedZone")?;
        hosted_zone(OPERATION, &zone).map(Some)
    }

    async fn record_sets(&self, zone: &ZoneId, from: Option<RecordsFrom>) -> Result<RecordPage, PortError> {
        const OPERATION: &str = "ListResourceRecordSets";
        let mut call = self.route53.list_resource_record_sets().hosted_zone_id(zone.as_str());
        if let Some(from) = from {
            call = call
                .start_record_name(from.name)
                .set_start_record_type(from.kind.as_deref().map(sdk::RrType::from))
                .set_start_record_identifier(from.set);
        }
        let answer = call.send().await.map_err(|error| port_error(OPERATION, error, &[]))?;
        let next = match (answer.is_truncated, answer.next_record_name) {
            (false, _) => None,
            (true, Some(name)) => {
                let kind = answer.next_record_type.map(|kind| kind.as_str().to_owned());
                Some(RecordsFrom { name, kind, set: answer.next_record_identifier })
            }
            (true, None) => return Err(unreadable(OPERATION, "it is truncated without a continuation token")),
        };
        Ok(RecordPage { items: answer.resource_record_sets.into_iter().map(record_set).collect(), next })
    }

    async fn change(
        &self,
        _fence: Fence,
        zone: &ZoneId,
        changes: &[RecordChange],
        comment: &str,
    ) -> Result<ChangeId, PortError> {
        const OPERATION: &str = "ChangeResourceRecordSets";
        let wrong = |error: &dyn std::fmt::Display| PortError::new(Class::Invalid, OPERATION, error.to_string());
        let mut batch = sdk::ChangeBatch::builder().comment(comment);
        for change in changes {
            let set = request(&change.set).map_err(|error| wrong(&error))?;
            let action = match change.verb {
                RecordVerb::Create => sdk::ChangeAction::Create,
                RecordVerb::Delete => sdk::ChangeAction::Delete,
                RecordVerb::Upsert => sdk::ChangeAction::Upsert,
            };
            let one = sdk::Change::builder().action(action).resource_record_set(set).build();
            batch = batch.changes(one.map_err(|error| wrong(&error))?);
        }
        let batch = batch.build().map_err(|error| wrong(&error))?;
        let call = self.route53.change_resource_record_sets().hosted_zone_id(zone.as_str()).change_batch(batch);
        let answer = call.send().await.map_err(|error| refused(OPERATION, error))?;
        let info = Reader(OPERATION).need(answer.change_info, "ChangeInfo")?;
        Reader(OPERATION).parse(Some(bare(&info.id)), "Id")
    }

    async fn health_check(&self, id: &str) -> Result<Option<HealthCheck>, PortError> {
        const OPERATION: &str = "GetHealthCheck";
        let answer = self.route53.get_health_check().health_check_id(id).send().await;
        let Some(answer) = found(answer.map_err(|error| port_error(OPERATION, error, &[])))? else { return Ok(None) };
        let read = Reader(OPERATION);
        let check = read.need(answer.health_check, "HealthCheck")?;
        let config = read.need(check.health_check_config, "HealthCheckConfig")?;
        let rule = check.cloud_watch_alarm_configuration.map(|rule| alarm_rule(OPERATION, rule)).transpose()?;
        let alarm = config.alarm_identifier.map(|alarm| {
            let region = read.parse(Some(alarm.region.as_str()), "AlarmIdentifier")?;
            Ok::<_, PortError>(WatchedAlarm { region, name: alarm.name, rule })
        });
        Ok(Some(HealthCheck {
            kind: config.r#type.as_str().to_owned(),
            inverted: config.inverted.unwrap_or(false),
            disabled: config.disabled.unwrap_or(false),
            alarm: alarm.transpose()?,
            without_data: config.insufficient_data_health_status.map(|status| status.as_str().to_owned()),
        }))
    }

    async fn is_in_sync(&self, change: &ChangeId) -> Result<Option<bool>, PortError> {
        const OPERATION: &str = "GetChange";
        let answer = self.route53.get_change().id(change.as_str()).send().await;
        let Some(answer) = found(answer.map_err(|error| port_error(OPERATION, error, &[])))? else { return Ok(None) };
        match Reader(OPERATION).need(answer.change_info, "ChangeInfo")?.status {
            sdk::ChangeStatus::Insync => Ok(Some(true)),
            sdk::ChangeStatus::Pending => Ok(Some(false)),
            other => Err(unreadable(OPERATION, &format!("{other} is not a change status"))),
        }
    }
}

/// What is wrong with a batch. Route 53 answers like everywhere else, or with a document of its own, which the SDK does not
/// read: `InvalidChangeBatch` at its root and a list of messages in it (AWS: *`ChangeResourceRecordSets`*, sample error).
fn refused(
    operation: &'static str,
    error: aws_sdk_route53::error::SdkError<
        aws_sdk_route53::operation::change_resource_record_sets::ChangeResourceRecordSetsError,
    >,
) -> PortError {
    let body = error.raw_response().and_then(|answer| answer.body().bytes());
    let listed = body.and_then(|body| std::str::from_utf8(body).ok()).and_then(listed);
    let mut error = port_error(operation, error, &[]);
    if let Some(messages) = listed {
        error.class = classify_batch(&messages);
        error.code = Some("InvalidChangeBatch".to_owned());
        error.message = messages;
    }
    error
}

/// The messages of an `InvalidChangeBatch` document.
fn listed(body: &str) -> Option<String> {
    let inner = body.split_once("<InvalidChangeBatch")?.1;
    let texts = inner.split("<Message>").skip(1).filter_map(|rest| Some(rest.split_once("</Message>")?.0.trim()));
    let text = texts.collect::<Vec<_>>().join(", ");
    let plain = [("&apos;", "'"), ("&#39;", "'"), ("&quot;", "\""), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")]
        .into_iter()
        .fold(text, |text, (escaped, plain)| text.replace(escaped, plain));
    Some(plain).filter(|text| !text.is_empty())
}

/// What Route 53 evaluates of an alarm.
fn alarm_rule(operation: &'static str, rule: sdk::CloudWatchAlarmConfiguration) -> Result<AlarmRule, PortError> {
    let number = |number: i32, field: &str| {
        u32::try_from(number).map_err(|_| unreadable(operation, &format!("{field} is {number}")))
    };
    let dimensions = rule.dimensions.unwrap_or_default().into_iter();
    let dimensions = dimensions.map(|dimension| (dimension.name, dimension.value)).collect();
    Ok(AlarmRule {
        metric: Metric { namespace: rule.namespace, name: rule.metric_name, dimensions },
        statistic: rule.statistic.as_str().to_owned(),
        period: number(rule.period, "Period")?,
        periods: number(rule.evaluation_periods, "EvaluationPeriods")?,
        threshold: rule.threshold,
        comparison: rule.comparison_operator.as_str().to_owned(),
    })
}

/// An id without `/hostedzone/` or `/change/`.
fn bare(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

fn hosted_zone(operation: &'static str, zone: &sdk::HostedZone) -> Result<HostedZone, PortError> {
    Ok(HostedZone {
        id: Reader(operation).parse(Some(bare(&zone.id)), "Id")?,
        name: DnsName::new(&zone.name),
        private: zone.config.as_ref().is_some_and(|config| config.private_zone),
        records: zone.resource_record_set_count.and_then(|count| u64::try_from(count).ok()).unwrap_or(u64::MAX),
    })
}

fn record_set(set: sdk::ResourceRecordSet) -> RecordSet {
    let routing = routing(&set);
    let content = match set.alias_target {
        Some(alias) => RecordContent::Alias {
            dns_name: alias.dns_name,
            zone: alias.hosted_zone_id,
            evaluate_health: alias.evaluate_target_health,
        },
        None => RecordContent::Values {
            values: set.resource_records.unwrap_or_default().into_iter().map(|record| record.value).collect(),
            ttl: set.ttl.and_then(|ttl| u32::try_from(ttl).ok()).unwrap_or_default(),
        },
    };
    RecordSet {
        of: RecordsOf { name: DnsName::new(&set.name), kind: set.r#type.as_str().to_owned() },
        set: set.set_identifier,
        content,
        routing,
        health_check: set.health_check_id,
    }
}

/// By which rule it is chosen. Those that are not ours to write are named, so that they differ from all that are.
fn routing(set: &sdk::ResourceRecordSet) -> SetRouting {
    let other = |what: &str| SetRouting::Other(what.to_owned());
    let weight = set.weight.and_then(|weight| u8::try_from(weight).ok());
    match (weight, &set.failover) {
        _ if set.region.is_some() => other("latency"),
        _ if set.geo_location.is_some() => other("geolocation"),
        _ if set.geo_proximity_location.is_some() => other("geoproximity"),
        _ if set.cidr_routing_config.is_some() => other("address ranges"),
        _ if set.multi_value_answer == Some(true) => other("several values"),
        _ if set.traffic_policy_instance_id.is_some() => other("traffic policy"),
        (Some(weight), _) => SetRouting::Weighted(weight),
        (None, Some(sdk::ResourceRecordSetFailover::Primary)) => SetRouting::Failover(FailoverRole::Primary),
        (None, Some(sdk::ResourceRecordSetFailover::Secondary)) => SetRouting::Failover(FailoverRole::Secondary),
        (None, Some(role)) => other(role.as_str()),
        (None, None) => SetRouting::Simple,
    }
}

fn request(set: &RecordSet) -> Result<sdk::ResourceRecordSet, aws_smithy_types::error::operation::BuildError> {
    let mut request = sdk::ResourceRecordSet::builder()
        .name(set.of.name.wire())
        .r#type(sdk::RrType::from(set.of.kind.as_str()))
        .set_set_identifier(set.set.clone())
        .set_health_check_id(set.health_check.clone());
    match &set.routing {
        // `Other` is never written: it has no form here, and AWS would refuse the set that lacks it.
        SetRouting::Simple | SetRouting::Other(_) => {}
        SetRouting::Weighted(weight) => request = request.weight(i64::from(*weight)),
        SetRouting::Failover(FailoverRole::Primary) => {
            request = request.failover(sdk::ResourceRecordSetFailover::Primary);
        }
        SetRouting::Failover(FailoverRole::Secondary) => {
            request = request.failover(sdk::ResourceRecordSetFailover::Secondary);
        }
    }
    match &set.content {
        RecordContent::Values { values, ttl } => {
            request = request.ttl(i64::from(*ttl));
            for value in values {
                request = request.resource_records(sdk::ResourceRecord::builder().value(value).build()?);
            }
        }
        RecordContent::Alias { dns_name, zone, evaluate_health } => {
            let target = sdk::AliasTarget::builder()
                .dns_name(dns_name)
                .hosted_zone_id(zone)
                .evaluate_target_health(*evaluate_health);
            request = request.alias_target(target.build()?);
        }
    }
    request.build()
}

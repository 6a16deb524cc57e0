//! What is scaled of a table, and the alarms on it: Application Auto Scaling and `CloudWatch`, in our nouns and back.

use aws_sdk_applicationautoscaling::types as scaling;
use aws_sdk_cloudwatch::types as watch;

use super::answer::Reader;
use super::error::{port_error, unreadable};
use crate::model::{AlarmDefinition, ScalingPolicy, ScalingTarget, TableName, TableState};
use crate::ports::{Class, PortError};

/// Pages that are read of one list. A table has two dimensions and twenty indexes at most; fifty entries are on a page.
const MAX_PAGES: usize = 20;

/// The role that AWS makes for itself (AWS: *Service-linked roles for Application Auto Scaling*).
const OWN_ROLE: &str = "/aws-service-role/";

/// What a table, or an index of it, is to Application Auto Scaling.
fn resource(table: &TableName, index: Option<&str>) -> String {
    index.map_or_else(|| format!("table/{table}"), |index| format!("table/{table}/index/{index}"))
}

fn dimension(index: bool, writes: bool) -> scaling::ScalableDimension {
    match (index, writes) {
        (false, false) => scaling::ScalableDimension::DynamoDbTableReadCapacityUnits,
        (false, true) => scaling::ScalableDimension::DynamoDbTableWriteCapacityUnits,
        (true, false) => scaling::ScalableDimension::DynamoDbIndexReadCapacityUnits,
        (true, true) => scaling::ScalableDimension::DynamoDbIndexWriteCapacityUnits,
    }
}

/// What is scaled of a table: its targets, and of each its policies.
pub(super) async fn targets(
    client: &aws_sdk_applicationautoscaling::Client,
    table: &TableState,
) -> Result<Vec<ScalingTarget>, PortError> {
    const OPERATION: &str = "DescribeScalableTargets";
    let mut resources = vec![resource(&table.name, None)];
    resources.extend(
        table.indexes.iter().filter(|(_, index)| !index.local).map(|(name, _)| resource(&table.name, Some(name))),
    );
    let request = client.describe_scalable_targets().service_namespace(scaling::ServiceNamespace::Dynamodb);
    let request = request.set_resource_ids(Some(resources));
    let (mut targets, mut next) = (Vec::new(), None);
    for _ in 0..MAX_PAGES {
        let page = request.clone().set_next_token(next).send().await;
        let page = page.map_err(|e| port_error(OPERATION, e, &[]))?;
        for found in page.scalable_targets.unwrap_or_default() {
            targets.push((found.resource_id.clone(), target(Reader(OPERATION), &found)?));
        }
        next = page.next_token;
        if next.is_none() {
            break;
        }
    }
    let mut read = std::collections::BTreeSet::new();
    let mut policies = Vec::new();
    for (resource, _) in &targets {
        if read.insert(resource.clone()) {
            policies.extend(policies_of(client, resource).await?);
        }
    }
    for (resource, target) in &mut targets {
        let dimension = dimension(target.index.is_some(), target.writes);
        let own = policies.iter().filter(|(of, over, _)| of == resource && *over == dimension);
        target.policies = own.map(|(_, _, policy)| policy.clone()).collect();
    }
    Ok(targets.into_iter().map(|(_, target)| target).collect())
}

fn target(read: Reader, found: &scaling::ScalableTarget) -> Result<ScalingTarget, PortError> {
    let words = found.scalable_dimension.as_str();
    let units =
        |units: i32, field: &str| u64::try_from(units).map_err(|_| unreadable(read.0, &format!("{field} is {units}")));
    Ok(ScalingTarget {
        index: found.resource_id.split_once("/index/").map(|(_, index)| index.to_owned()),
        writes: words.ends_with("WriteCapacityUnits"),
        min: units(found.min_capacity, "MinCapacity")?,
        max: units(found.max_capacity, "MaxCapacity")?,
        role: Some(found.role_arn.clone()).filter(|role| !role.is_empty() && !role.contains(OWN_ROLE)),
        policies: Vec::new(),
    })
}

type PolicyOf = (String, scaling::ScalableDimension, ScalingPolicy);

async fn policies_of(
    client: &aws_sdk_applicationautoscaling::Client,
    resource: &str,
) -> Result<Vec<PolicyOf>, PortError> {
    const OPERATION: &str = "DescribeScalingPolicies";
    let request = client.describe_scaling_policies().service_namespace(scaling::ServiceNamespace::Dynamodb);
    let request = request.resource_id(resource);
    let (mut policies, mut next) = (Vec::new(), None);
    for _ in 0..MAX_PAGES {
        let page = request.clone().set_next_token(next).send().await;
        let page = page.map_err(|e| port_error(OPERATION, e, &[]))?;
        policies.extend(page.scaling_policies.unwrap_or_default().into_iter().filter_map(policy));
        next = page.next_token;
        if next.is_none() {
            break;
        }
    }
    Ok(policies)
}

/// A policy that tracks one of AWS's metrics; tables have no others (AWS: *Managing throughput capacity automatically
/// with `DynamoDB` auto scaling*).
fn policy(found: scaling::ScalingPolicy) -> Option<PolicyOf> {
    let tracking = found.target_tracking_scaling_policy_configuration?;
    let metric = tracking.predefined_metric_specification?.predefined_metric_type.as_str().to_owned();
    let seconds = |seconds: Option<i32>| seconds.and_then(|seconds| u32::try_from(seconds).ok());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a percentage, in thousandths")]
    let target_milli = (tracking.target_value * 1000.0).round().max(0.0) as u64;
    let policy = ScalingPolicy {
        name: found.policy_name,
        metric,
        target_milli,
        scale_in_cooldown: seconds(tracking.scale_in_cooldown),
        scale_out_cooldown: seconds(tracking.scale_out_cooldown),
        only_out: tracking.disable_scale_in.unwrap_or(false),
    };
    Some((found.resource_id, found.scalable_dimension, policy))
}

/// Registers a target, and puts its policies.
pub(super) async fn put(
    client: &aws_sdk_applicationautoscaling::Client,
    table: &TableName,
    target: &ScalingTarget,
) -> Result<(), PortError> {
    const OPERATION: &str = "RegisterScalableTarget";
    let resource = resource(table, target.index.as_deref());
    let dimension = dimension(target.index.is_some(), target.writes);
    let capacity = |units: u64| {
        i32::try_from(units)
            .map_err(|_| PortError::new(Class::Invalid, OPERATION, format!("{units} units exceed the limit")))
    };
    let call = client
        .register_scalable_target()
        .service_namespace(scaling::ServiceNamespace::Dynamodb)
        .resource_id(&resource)
        .scalable_dimension(dimension.clone())
        .min_capacity(capacity(target.min)?)
        .max_capacity(capacity(target.max)?)
        .set_role_arn(target.role.clone());
    call.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
    for policy in &target.policies {
        let call = client
            .put_scaling_policy()
            .policy_name(&policy.name)
            .service_namespace(scaling::ServiceNamespace::Dynamodb)
            .resource_id(&resource)
            .scalable_dimension(dimension.clone())
            .policy_type(scaling::PolicyType::TargetTrackingScaling)
            .target_tracking_scaling_policy_configuration(tracking(policy)?);
        call.send().await.map_err(|e| port_error("PutScalingPolicy", e, &[]))?;
    }
    Ok(())
}

fn tracking(policy: &ScalingPolicy) -> Result<scaling::TargetTrackingScalingPolicyConfiguration, PortError> {
    const OPERATION: &str = "PutScalingPolicy";
    let unusable = |error: aws_smithy_types::error::operation::BuildError| {
        PortError::new(Class::Invalid, OPERATION, error.to_string())
    };
    let metric = scaling::PredefinedMetricSpecification::builder()
        .predefined_metric_type(policy.metric.as_str().into())
        .build()
        .map_err(unusable)?;
    let seconds = |seconds: Option<u32>| seconds.and_then(|seconds| i32::try_from(seconds).ok());
    #[expect(clippy::cast_precision_loss, reason = "a percentage, in thousandths")]
    let target = policy.target_milli as f64 / 1000.0;
    scaling::TargetTrackingScalingPolicyConfiguration::builder()
        .target_value(target)
        .predefined_metric_specification(metric)
        .set_scale_in_cooldown(seconds(policy.scale_in_cooldown))
        .set_scale_out_cooldown(seconds(policy.scale_out_cooldown))
        .set_disable_scale_in(policy.only_out.then_some(true))
        .build()
        .map_err(unusable)
}

/// An alarm on one metric of a table; `None`: it is on something else, or on an expression.
pub(super) fn alarm(read: Reader, alarm: watch::MetricAlarm) -> Result<Option<AlarmDefinition>, PortError> {
    let dimensions = alarm.dimensions.unwrap_or_default().into_iter();
    let dimensions: std::collections::BTreeMap<String, String> =
        dimensions.filter_map(|dimension| Some((dimension.name?, dimension.value?))).collect();
    let (Some(metric), true) = (alarm.metric_name, dimensions.contains_key("TableName")) else { return Ok(None) };
    let number = |number: Option<i32>, field: &str| {
        let number = read.need(number, field)?;
        u32::try_from(number).map_err(|_| unreadable(read.0, &format!("{field} is {number}")))
    };
    let statistic = alarm.statistic.map(|statistic| statistic.as_str().to_owned()).or(alarm.extended_statistic);
    Ok(Some(AlarmDefinition {
        name: read.need(alarm.alarm_name, "AlarmName")?,
        description: alarm.alarm_description,
        namespace: read.need(alarm.namespace, "Namespace")?,
        metric,
        dimensions,
        statistic: read.need(statistic, "Statistic")?,
        period: number(alarm.period, "Period")?,
        evaluation_periods: number(alarm.evaluation_periods, "EvaluationPeriods")?,
        datapoints: alarm.datapoints_to_alarm.and_then(|points| u32::try_from(points).ok()),
        threshold: read.need(alarm.threshold, "Threshold")?.to_string(),
        comparison: read.need(alarm.comparison_operator, "ComparisonOperator")?.as_str().to_owned(),
        missing: alarm.treat_missing_data,
        alarm_actions: alarm.alarm_actions.unwrap_or_default().into_iter().collect(),
        ok_actions: alarm.ok_actions.unwrap_or_default().into_iter().collect(),
        no_data_actions: alarm.insufficient_data_actions.unwrap_or_default().into_iter().collect(),
    }))
}

/// Puts an alarm.
pub(super) async fn put_alarm(client: &aws_sdk_cloudwatch::Client, alarm: &AlarmDefinition) -> Result<(), PortError> {
    const OPERATION: &str = "PutMetricAlarm";
    let invalid =
        |what: &str| PortError::new(Class::Invalid, OPERATION, format!("{what} of {} cannot be sent", alarm.name));
    let whole = |number: u32, what: &str| i32::try_from(number).map_err(|_| invalid(what));
    let threshold: f64 = alarm.threshold.parse().map_err(|_| invalid("the threshold"))?;
    let dimensions = alarm.dimensions.iter();
    let dimensions = dimensions.map(|(name, value)| watch::Dimension::builder().name(name).value(value).build());
    // Percentiles and the like are not in the list of statistics (AWS: *`PutMetricAlarm`*, `ExtendedStatistic`).
    let statistic = watch::Statistic::try_parse(&alarm.statistic).ok();
    let extended = statistic.is_none().then(|| alarm.statistic.clone());
    let list = |all: &std::collections::BTreeSet<String>| Some(all.iter().cloned().collect::<Vec<_>>());
    let call = client
        .put_metric_alarm()
        .alarm_name(&alarm.name)
        .set_alarm_description(alarm.description.clone())
        .namespace(&alarm.namespace)
        .metric_name(&alarm.metric)
        .set_dimensions(Some(dimensions.collect()))
        .set_statistic(statistic)
        .set_extended_statistic(extended)
        .period(whole(alarm.period, "the period")?)
        .evaluation_periods(whole(alarm.evaluation_periods, "the evaluation periods")?)
        .set_datapoints_to_alarm(alarm.datapoints.and_then(|points| i32::try_from(points).ok()))
        .threshold(threshold)
        .comparison_operator(alarm.comparison.as_str().into())
        .set_treat_missing_data(alarm.missing.clone())
        .set_alarm_actions(list(&alarm.alarm_actions))
        .set_ok_actions(list(&alarm.ok_actions))
        .set_insufficient_data_actions(list(&alarm.no_data_actions));
    call.send().await.map(drop).map_err(|e| port_error(OPERATION, e, &[]))
}

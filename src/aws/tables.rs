//! `ports::Tables` over the SDK.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::types as sdk;
use aws_smithy_types::DateTime;
use jiff::Timestamp;

use super::answer::Reader;
use super::error::port_error;
use super::{dynamo, items, scaling};
use crate::model::{
    AlarmDefinition, Billing, ContinuousBackups, Item, ItemKey, PointId, RecoveryPoint, ScalingTarget, TableArn,
    TableKey, TableName, TableProfile, TableState, TimeToLive,
};
use crate::ports::{Class, Fence, ItemsRead, Page, PageToken, PortError, TableChange, Tables, found};

/// One account in one region.
pub(super) struct Client {
    tables: aws_sdk_dynamodb::Client,
    scaling: aws_sdk_applicationautoscaling::Client,
    alarms: aws_sdk_cloudwatch::Client,
}

impl Client {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self {
            tables: aws_sdk_dynamodb::Client::new(config),
            scaling: aws_sdk_applicationautoscaling::Client::new(config),
            alarms: aws_sdk_cloudwatch::Client::new(config),
        }
    }
}

/// An error of a request that carried items' keys or would have been answered with items: nothing of it is repeated, and
/// the SDK's own error would hold the answer.
fn hidden(error: PortError) -> PortError {
    let message = match error.class {
        Class::Invalid => {
            "the request was refused (AWS's message is hidden because it may contain item data)".to_owned()
        }
        _ => error.message,
    };
    PortError { message, source: None, ..error }
}

fn unbuilt(operation: &'static str, error: &aws_smithy_types::error::operation::BuildError) -> PortError {
    PortError::new(Class::Invalid, operation, error.to_string())
}

#[async_trait]
impl Tables for Client {
    async fn list(&self, page: Option<PageToken>) -> Result<Page<TableName>, PortError> {
        const OPERATION: &str = "ListTables";
        let request = self.tables.list_tables().limit(100).set_exclusive_start_table_name(page);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let names = answer.table_names.unwrap_or_default();
        let items = names.iter().map(|name| Reader(OPERATION).parse(Some(name), "TableNames"));
        Ok(Page { items: items.collect::<Result<_, _>>()?, next: answer.last_evaluated_table_name })
    }

    async fn describe(&self, table: &TableName) -> Result<Option<TableState>, PortError> {
        const OPERATION: &str = "DescribeTable";
        let answer = self.tables.describe_table().table_name(table.as_str()).send().await;
        let Some(answer) = found(answer.map_err(|e| port_error(OPERATION, e, &[])))? else { return Ok(None) };
        let read = Reader(OPERATION);
        dynamo::table(read, read.need(answer.table, "Table")?).map(Some)
    }

    async fn continuous_backups(&self, table: &TableName) -> Result<Option<ContinuousBackups>, PortError> {
        const OPERATION: &str = "DescribeContinuousBackups";
        let answer = self.tables.describe_continuous_backups().table_name(table.as_str()).send().await;
        let Some(answer) = found(answer.map_err(|e| port_error(OPERATION, e, &[])))? else { return Ok(None) };
        let read = Reader(OPERATION);
        let described = read.need(answer.continuous_backups_description, "ContinuousBackupsDescription")?;
        dynamo::continuous(read, described.point_in_time_recovery_description).map(Some)
    }

    async fn time_to_live(&self, table: &TableName) -> Result<TimeToLive, PortError> {
        const OPERATION: &str = "DescribeTimeToLive";
        let answer = self.tables.describe_time_to_live().table_name(table.as_str()).send().await;
        let answer = answer.map_err(|e| port_error(OPERATION, e, &[]))?;
        let described = Reader(OPERATION).need(answer.time_to_live_description, "TimeToLiveDescription")?;
        let status = described.time_to_live_status.as_ref();
        let switching = matches!(status, Some(sdk::TimeToLiveStatus::Enabling | sdk::TimeToLiveStatus::Disabling));
        Ok(TimeToLive { attribute: dynamo::attribute(described), switching })
    }

    async fn tags(&self, table: &TableArn, page: Option<PageToken>) -> Result<Page<(String, String)>, PortError> {
        let request = self.tables.list_tags_of_resource().resource_arn(table.as_str()).set_next_token(page);
        let answer = request.send().await.map_err(|e| port_error("ListTagsOfResource", e, &[]))?;
        let items = answer.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect();
        Ok(Page { items, next: answer.next_token.filter(|token| !token.is_empty()) })
    }

    async fn policy(&self, table: &TableArn) -> Result<Option<String>, PortError> {
        let answer = self.tables.get_resource_policy().resource_arn(table.as_str()).send().await;
        match answer.map_err(|e| port_error("GetResourcePolicy", e, &[])) {
            Ok(answer) => Ok(answer.policy),
            // That the table is not there is another error.
            Err(error) if error.code.as_deref() == Some("PolicyNotFoundException") => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn scaling(&self, table: &TableState) -> Result<Vec<ScalingTarget>, PortError> {
        scaling::targets(&self.scaling, table).await
    }

    async fn streams_to(&self, table: &TableName) -> Result<BTreeSet<String>, PortError> {
        use sdk::DestinationStatus as Status;
        const OPERATION: &str = "DescribeKinesisStreamingDestination";
        let answer = self.tables.describe_kinesis_streaming_destination().table_name(table.as_str()).send().await;
        let answer = answer.map_err(|e| port_error(OPERATION, e, &[]))?;
        let all = answer.kinesis_data_stream_destinations.unwrap_or_default().into_iter();
        let off = [Status::Disabled, Status::Disabling, Status::EnableFailed];
        let on = all.filter(|found| found.destination_status.as_ref().is_some_and(|status| !off.contains(status)));
        Ok(on.filter_map(|found| found.stream_arn).collect())
    }

    async fn has_insights(&self, table: &TableName) -> Result<bool, PortError> {
        use sdk::ContributorInsightsStatus as Status;
        const OPERATION: &str = "DescribeContributorInsights";
        let answer = self.tables.describe_contributor_insights().table_name(table.as_str()).send().await;
        let answer = answer.map_err(|e| port_error(OPERATION, e, &[]))?;
        Ok(matches!(answer.contributor_insights_status, Some(Status::Enabled | Status::Enabling)))
    }

    async fn alarms(&self, page: Option<PageToken>) -> Result<Page<AlarmDefinition>, PortError> {
        const OPERATION: &str = "DescribeAlarms";
        let request = self.alarms.describe_alarms().alarm_types(aws_sdk_cloudwatch::types::AlarmType::MetricAlarm);
        let answer = request.max_records(100).set_next_token(page).send().await;
        let answer = answer.map_err(|e| port_error(OPERATION, e, &[]))?;
        let all = answer.metric_alarms.unwrap_or_default().into_iter();
        let items = all.filter_map(|alarm| scaling::alarm(Reader(OPERATION), alarm).transpose());
        Ok(Page { items: items.collect::<Result<_, _>>()?, next: answer.next_token.filter(|token| !token.is_empty()) })
    }

    async fn backups(&self, page: Option<PageToken>) -> Result<Page<RecoveryPoint>, PortError> {
        const OPERATION: &str = "ListBackups";
        let request = self.tables.list_backups().backup_type(sdk::BackupTypeFilter::All).limit(100);
        let answer = request.set_exclusive_start_backup_arn(page).send().await;
        let answer = answer.map_err(|e| port_error(OPERATION, e, &[]))?;
        let all = answer.backup_summaries.unwrap_or_default().into_iter();
        let items = all.map(|backup| dynamo::summary(Reader(OPERATION), backup)).collect::<Result<_, _>>()?;
        Ok(Page { items, next: answer.last_evaluated_backup_arn })
    }

    async fn backup(&self, point: &PointId) -> Result<Option<(RecoveryPoint, TableProfile)>, PortError> {
        const OPERATION: &str = "DescribeBackup";
        let answer = self.tables.describe_backup().backup_arn(point.as_str()).send().await;
        let Some(answer) = found(answer.map_err(|e| port_error(OPERATION, e, &[])))? else { return Ok(None) };
        let read = Reader(OPERATION);
        dynamo::described(read, read.need(answer.backup_description, "BackupDescription")?).map(Some)
    }

    async fn sample(
        &self,
        table: &TableName,
        key: &TableKey,
        segment: u32,
        of: u32,
        limit: u32,
    ) -> Result<Vec<Item>, PortError> {
        const OPERATION: &str = "Scan";
        let whole = |number: u32| {
            i32::try_from(number)
                .map_err(|_| PortError::new(Class::Invalid, OPERATION, format!("{number} exceeds the limit")))
        };
        let request = self.tables.scan().table_name(table.as_str()).consistent_read(true).limit(whole(limit)?);
        let request = request.segment(whole(segment)?).total_segments(whole(of)?);
        let answer = request.send().await.map_err(|e| hidden(port_error(OPERATION, e, &[])))?;
        let names = items::names(key);
        let read = |found: &items::Attributes| items::item(&names, found).ok_or_else(|| items::unreadable(OPERATION));
        answer.items.unwrap_or_default().iter().map(read).collect()
    }

    async fn count(&self, table: &TableName, from: Option<&ItemKey>) -> Result<(u64, Option<ItemKey>), PortError> {
        const OPERATION: &str = "Scan";
        let unusable = || PortError::new(Class::Invalid, OPERATION, "a key is not a valid item key");
        let from = from.map(|key| items::sent(key).ok_or_else(unusable)).transpose()?;
        let request = self.tables.scan().table_name(table.as_str()).select(sdk::Select::Count).consistent_read(true);
        let answer = request.set_exclusive_start_key(from).send().await;
        let answer = answer.map_err(|e| hidden(port_error(OPERATION, e, &[])))?;
        let next = answer.last_evaluated_key.filter(|key| !key.is_empty());
        let next = next.map(|key| items::returned(&key).ok_or_else(|| items::unreadable(OPERATION))).transpose()?;
        Ok((u64::try_from(answer.count).unwrap_or(0), next))
    }

    async fn items(&self, table: &TableName, keys: &[ItemKey]) -> Result<ItemsRead, PortError> {
        const OPERATION: &str = "BatchGetItem";
        let sent: Option<Vec<_>> = keys.iter().map(items::sent).collect();
        let unusable = || PortError::new(Class::Invalid, OPERATION, "a key is not a valid item key");
        let names: Vec<&str> =
            keys.first().map(|key| key.expose().keys().map(String::as_str).collect()).unwrap_or_default();
        let wanted = sdk::KeysAndAttributes::builder().set_keys(Some(sent.ok_or_else(unusable)?)).consistent_read(true);
        let wanted = wanted.build().map_err(|_| unusable())?;
        let answer = self.tables.batch_get_item().request_items(table.as_str(), wanted).send().await;
        let answer = answer.map_err(|e| hidden(port_error(OPERATION, e, &[])))?;
        // AWS may name the table by its ARN: there is only this one.
        let there = answer.responses.unwrap_or_default().into_values().flatten();
        let there = there.map(|found| items::item(&names, &found).ok_or_else(|| items::unreadable(OPERATION)));
        let later = answer.unprocessed_keys.unwrap_or_default().into_values().flat_map(|left| left.keys);
        let later = later.map(|key| items::returned(&key).ok_or_else(|| items::unreadable(OPERATION)));
        Ok(ItemsRead { items: there.collect::<Result<_, _>>()?, unprocessed: later.collect::<Result<_, _>>()? })
    }

    async fn set_continuous_backups(
        &self,
        _fence: Fence,
        table: &TableName,
        window_days: Option<u16>,
    ) -> Result<(), PortError> {
        const OPERATION: &str = "UpdateContinuousBackups";
        let wanted = sdk::PointInTimeRecoverySpecification::builder()
            .point_in_time_recovery_enabled(window_days.is_some())
            .set_recovery_period_in_days(window_days.map(i32::from))
            .build()
            .map_err(|e| unbuilt(OPERATION, &e))?;
        let call = self.tables.update_continuous_backups().table_name(table.as_str());
        let call = call.point_in_time_recovery_specification(wanted);
        call.send().await.map(drop).map_err(|e| port_error(OPERATION, e, &[]))
    }

    async fn update(&self, _fence: Fence, table: &TableName, change: &TableChange) -> Result<(), PortError> {
        const OPERATION: &str = "UpdateTable";
        let call = self.tables.update_table().table_name(table.as_str());
        let call = match change {
            TableChange::DeletionProtection(on) => call.deletion_protection_enabled(*on),
            TableChange::Class(class) => call.table_class(class.as_str().into()),
            TableChange::Billing(Billing::OnDemand) => call.billing_mode(sdk::BillingMode::PayPerRequest),
            TableChange::Billing(Billing::Provisioned { read, write }) => {
                let reserved = sdk::ProvisionedThroughput::builder()
                    .read_capacity_units(i64::try_from(*read).unwrap_or(i64::MAX))
                    .write_capacity_units(i64::try_from(*write).unwrap_or(i64::MAX))
                    .build()
                    .map_err(|e| unbuilt(OPERATION, &e))?;
                call.billing_mode(sdk::BillingMode::Provisioned).provisioned_throughput(reserved)
            }
            TableChange::Stream(view) => {
                let wanted = sdk::StreamSpecification::builder()
                    .stream_enabled(view.is_some())
                    .set_stream_view_type(view.map(|view| view.as_str().into()))
                    .build()
                    .map_err(|e| unbuilt(OPERATION, &e))?;
                call.stream_specification(wanted)
            }
        };
        call.send().await.map(drop).map_err(|e| port_error(OPERATION, e, &[]))
    }

    async fn set_time_to_live(
        &self,
        _fence: Fence,
        table: &TableName,
        attribute: &str,
        on: bool,
    ) -> Result<(), PortError> {
        const OPERATION: &str = "UpdateTimeToLive";
        let wanted = sdk::TimeToLiveSpecification::builder().attribute_name(attribute).enabled(on).build();
        let wanted = wanted.map_err(|e| unbuilt(OPERATION, &e))?;
        let call = self.tables.update_time_to_live().table_name(table.as_str()).time_to_live_specification(wanted);
        call.send().await.map(drop).map_err(|e| port_error(OPERATION, e, &[]))
    }

    async fn tag(&self, _fence: Fence, table: &TableArn, tags: &BTreeMap<String, String>) -> Result<(), PortError> {
        const OPERATION: &str = "TagResource";
        let tags = tags.iter().map(|(key, value)| sdk::Tag::builder().key(key).value(value).build());
        let tags = tags.collect::<Result<Vec<_>, _>>().map_err(|e| unbuilt(OPERATION, &e))?;
        let call = self.tables.tag_resource().resource_arn(table.as_str()).set_tags(Some(tags));
        call.send().await.map(drop).map_err(|e| port_error(OPERATION, e, &[]))
    }

    async fn put_policy(&self, _fence: Fence, table: &TableArn, body: &str) -> Result<(), PortError> {
        let call = self.tables.put_resource_policy().resource_arn(table.as_str()).policy(body);
        call.send().await.map(drop).map_err(|e| port_error("PutResourcePolicy", e, &[]))
    }

    async fn put_scaling(&self, _fence: Fence, table: &TableName, target: &ScalingTarget) -> Result<(), PortError> {
        scaling::put(&self.scaling, table, target).await
    }

    async fn put_alarm(&self, _fence: Fence, alarm: &AlarmDefinition) -> Result<(), PortError> {
        scaling::put_alarm(&self.alarms, alarm).await
    }

    async fn create_backup(&self, _fence: Fence, table: &TableName, name: &str) -> Result<RecoveryPoint, PortError> {
        const OPERATION: &str = "CreateBackup";
        let answer = self.tables.create_backup().table_name(table.as_str()).backup_name(name).send().await;
        let answer = answer.map_err(|e| port_error(OPERATION, e, &[]))?;
        let read = Reader(OPERATION);
        let details = read.need(answer.backup_details, "BackupDetails")?;
        let arn = read.parse(details.backup_arn.split("/backup/").next(), "BackupArn")?;
        dynamo::backup(read, table.clone(), arn, details)
    }

    async fn delete_backup(&self, _fence: Fence, point: &PointId) -> Result<(), PortError> {
        let answer = self.tables.delete_backup().backup_arn(point.as_str()).send().await;
        found(answer.map(drop).map_err(|e| port_error("DeleteBackup", e, &[]))).map(drop)
    }

    async fn restore_backup(&self, _fence: Fence, point: &PointId, to: &TableName) -> Result<TableState, PortError> {
        const OPERATION: &str = "RestoreTableFromBackup";
        let call = self.tables.restore_table_from_backup().backup_arn(point.as_str()).target_table_name(to.as_str());
        let answer = call.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let read = Reader(OPERATION);
        dynamo::table(read, read.need(answer.table_description, "TableDescription")?)
    }

    async fn restore_to(
        &self,
        _fence: Fence,
        source: &TableArn,
        to: &TableName,
        at: Option<Timestamp>,
    ) -> Result<TableState, PortError> {
        const OPERATION: &str = "RestoreTableToPointInTime";
        let call = self.tables.restore_table_to_point_in_time().source_table_arn(source.as_str());
        let call = call.target_table_name(to.as_str());
        let call = match at {
            Some(at) => call.restore_date_time(DateTime::from_secs(at.as_second())),
            None => call.use_latest_restorable_time(true),
        };
        let answer = call.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let read = Reader(OPERATION);
        dynamo::table(read, read.need(answer.table_description, "TableDescription")?)
    }

    async fn delete(&self, _fence: Fence, table: &TableName) -> Result<(), PortError> {
        let answer = self.tables.delete_table().table_name(table.as_str()).send().await;
        found(answer.map(drop).map_err(|e| port_error("DeleteTable", e, &[]))).map(drop)
    }
}

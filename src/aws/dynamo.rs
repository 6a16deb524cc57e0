//! What `DynamoDB` answers of tables and backups, in our nouns.
//!
//! As in [`super::answer`]: what we rely on and is not there, or is a word that we do not know, is an error.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types as sdk;
use aws_smithy_types::DateTime;
use jiff::Timestamp;

use super::answer::Reader;
use super::error::unreadable;
use crate::model::{
    Billing, ContinuousBackups, KeyType, OnDemandLimits, PointKeeper, PointStatus, RecoveryPoint, RestoreOrigin,
    StreamView, TableArn, TableClass, TableIndex, TableKey, TableName, TableProfile, TableState, TableStatus,
};
use crate::ports::PortError;

/// The longest window of point-in-time recovery, and the one where AWS does not say (AWS:
/// *`PointInTimeRecoverySpecification`*).
const WINDOW: u16 = 35;

/// The types of a table's key attributes, as far as they are said.
type Types = BTreeMap<String, KeyType>;

fn types(read: Reader, definitions: Option<Vec<sdk::AttributeDefinition>>) -> Result<Types, PortError> {
    let each = definitions.unwrap_or_default().into_iter().map(|definition| {
        let kind = read.parse(Some(definition.attribute_type.as_str()), "AttributeType")?;
        Ok((definition.attribute_name, kind))
    });
    each.collect()
}

fn key(read: Reader, schema: &[sdk::KeySchemaElement], types: &Types) -> Result<TableKey, PortError> {
    let part = |sort: &sdk::KeyType| {
        let found = schema.iter().find(|part| part.key_type == *sort);
        found.map(|part| {
            let kind = types.get(&part.attribute_name).copied().unwrap_or(KeyType::Unsaid);
            (part.attribute_name.clone(), kind)
        })
    };
    let partition = read.need(part(&sdk::KeyType::Hash), "partition key")?;
    Ok(TableKey { partition, sort: part(&sdk::KeyType::Range) })
}

/// One secondary index, of which several types of the SDK tell.
struct Index {
    name: Option<String>,
    local: bool,
    schema: Option<Vec<sdk::KeySchemaElement>>,
    projection: Option<sdk::Projection>,
}

impl Index {
    fn told(self, read: Reader, types: &Types) -> Result<(String, TableIndex), PortError> {
        let projection = read.need(self.projection, "Projection")?;
        let kind = projection.projection_type.as_ref().map_or("ALL", sdk::ProjectionType::as_str).to_owned();
        let index = TableIndex {
            local: self.local,
            key: key(read, &read.need(self.schema, "KeySchema")?, types)?,
            projection: kind,
            attributes: projection.non_key_attributes.unwrap_or_default().into_iter().collect(),
        };
        Ok((read.need(self.name, "IndexName")?, index))
    }
}

fn units(units: Option<i64>) -> u64 {
    units.and_then(|units| u64::try_from(units).ok()).unwrap_or_default()
}

fn stream(read: Reader, stream: Option<sdk::StreamSpecification>) -> Result<Option<StreamView>, PortError> {
    let on = stream.filter(|stream| stream.stream_enabled);
    let view = on.map(|stream| {
        let view = stream.stream_view_type;
        read.parse(view.as_ref().map(sdk::StreamViewType::as_str), "StreamViewType")
    });
    view.transpose()
}

fn time(read: Reader, time: Option<DateTime>) -> Result<Option<Timestamp>, PortError> {
    time.map(|time| read.time(&time)).transpose()
}

/// A table (AWS: *`TableDescription`*).
pub(super) fn table(read: Reader, table: sdk::TableDescription) -> Result<TableState, PortError> {
    let types = types(read, table.attribute_definitions)?;
    let (mut indexes, mut indexes_busy) = (BTreeMap::new(), BTreeSet::new());
    for index in table.local_secondary_indexes.unwrap_or_default() {
        let (name, schema, projection) = (index.index_name, index.key_schema, index.projection);
        let (name, index) = Index { name, local: true, schema, projection }.told(read, &types)?;
        indexes.insert(name, index);
    }
    for index in table.global_secondary_indexes.unwrap_or_default() {
        let busy = index.index_status.as_ref() != Some(&sdk::IndexStatus::Active);
        let (name, schema, projection) = (index.index_name, index.key_schema, index.projection);
        let (name, index) = Index { name, local: false, schema, projection }.told(read, &types)?;
        if busy {
            indexes_busy.insert(name.clone());
        }
        indexes.insert(name, index);
    }
    // A table that always was provisioned has no summary of it (AWS: *`BillingModeSummary`*).
    let mode = table.billing_mode_summary.and_then(|summary| summary.billing_mode);
    let billing = if mode == Some(sdk::BillingMode::PayPerRequest) {
        Billing::OnDemand
    } else {
        let reserved = read.need(table.provisioned_throughput, "ProvisionedThroughput")?;
        Billing::Provisioned { read: units(reserved.read_capacity_units), write: units(reserved.write_capacity_units) }
    };
    let class = table.table_class_summary.and_then(|summary| summary.table_class);
    let class = class.map(|class| read.parse(Some(class.as_str()), "TableClass")).transpose()?;
    let mut replicas = BTreeSet::new();
    for replica in table.replicas.unwrap_or_default() {
        replicas.insert(read.parse(replica.region_name.as_deref(), "RegionName")?);
    }
    Ok(TableState {
        name: read.parse(table.table_name.as_deref(), "TableName")?,
        arn: read.parse(table.table_arn.as_deref(), "TableArn")?,
        id: read.parse(table.table_id.as_deref(), "TableId")?,
        status: read.need(table.table_status, "TableStatus")?.as_str().parse().unwrap_or(TableStatus::Unclear),
        created: time(read, table.creation_date_time)?,
        items: units(table.item_count),
        bytes: units(table.table_size_bytes),
        key: key(read, &read.need(table.key_schema, "KeySchema")?, &types)?,
        indexes,
        indexes_busy,
        billing,
        class: class.unwrap_or(TableClass::Standard),
        deletion_protected: table.deletion_protection_enabled.unwrap_or(false),
        stream: stream(read, table.stream_specification)?,
        kms_key: table.sse_description.and_then(|description| description.kms_master_key_arn),
        replicas,
        limits: table.on_demand_throughput.as_ref().and_then(limits),
        restored: table.restore_summary.map(|summary| origin(read, &summary)).transpose()?,
    })
}

/// A limit of -1 is none (AWS: *`OnDemandThroughput`*).
fn limits(said: &sdk::OnDemandThroughput) -> Option<OnDemandLimits> {
    let limit = |units: Option<i64>| units.and_then(|units| u64::try_from(units).ok());
    let limits =
        OnDemandLimits { read: limit(said.max_read_request_units), write: limit(said.max_write_request_units) };
    (limits != OnDemandLimits::default()).then_some(limits)
}

fn origin(read: Reader, summary: &sdk::RestoreSummary) -> Result<RestoreOrigin, PortError> {
    let point = summary.source_backup_arn.as_deref().map(|arn| read.parse(Some(arn), "SourceBackupArn"));
    let table = summary.source_table_arn.as_deref().map(|arn| read.parse(Some(arn), "SourceTableArn"));
    Ok(RestoreOrigin {
        point: point.transpose()?,
        table: table.transpose()?,
        at: read.time(&summary.restore_date_time)?,
        in_progress: summary.restore_in_progress,
    })
}

/// Point-in-time recovery (AWS: *`ContinuousBackupsDescription`*).
pub(super) fn continuous(
    read: Reader,
    description: Option<sdk::PointInTimeRecoveryDescription>,
) -> Result<ContinuousBackups, PortError> {
    let Some(recovery) = description else {
        return Ok(ContinuousBackups { window_days: WINDOW, ..ContinuousBackups::default() });
    };
    let on = match recovery.point_in_time_recovery_status {
        Some(sdk::PointInTimeRecoveryStatus::Enabled) => true,
        Some(sdk::PointInTimeRecoveryStatus::Disabled) => false,
        other => return Err(unreadable(read.0, &format!("point-in-time recovery is {other:?}"))),
    };
    Ok(ContinuousBackups {
        on,
        window_days: recovery.recovery_period_in_days.and_then(|days| u16::try_from(days).ok()).unwrap_or(WINDOW),
        earliest: time(read, recovery.earliest_restorable_date_time)?,
        latest: time(read, recovery.latest_restorable_date_time)?,
    })
}

fn status(read: Reader, status: Option<&sdk::BackupStatus>) -> Result<PointStatus, PortError> {
    Ok(read.need(status, "BackupStatus")?.as_str().parse().unwrap_or(PointStatus::Unclear))
}

/// A backup as it is listed (AWS: *`BackupSummary`*).
pub(super) fn summary(read: Reader, backup: sdk::BackupSummary) -> Result<RecoveryPoint, PortError> {
    Ok(RecoveryPoint {
        id: read.parse(backup.backup_arn.as_deref(), "BackupArn")?,
        keeper: PointKeeper::Table,
        table: read.parse(backup.table_name.as_deref(), "TableName")?,
        table_arn: read.parse(backup.table_arn.as_deref(), "TableArn")?,
        name: backup.backup_name,
        status: status(read, backup.backup_status.as_ref())?,
        created: read.time(&read.need(backup.backup_creation_date_time, "BackupCreationDateTime")?)?,
        completed: None,
        bytes: backup.backup_size_bytes.and_then(|bytes| u64::try_from(bytes).ok()),
        items: None,
        expires: time(read, backup.backup_expiry_date_time)?,
        tags: None,
    })
}

/// A backup of a table (AWS: *`BackupDetails`*).
pub(super) fn backup(
    read: Reader,
    table: TableName,
    arn: TableArn,
    details: sdk::BackupDetails,
) -> Result<RecoveryPoint, PortError> {
    Ok(RecoveryPoint {
        id: read.parse(Some(&details.backup_arn), "BackupArn")?,
        keeper: PointKeeper::Table,
        table,
        table_arn: arn,
        name: Some(details.backup_name),
        status: status(read, Some(&details.backup_status))?,
        created: read.time(&details.backup_creation_date_time)?,
        completed: None,
        bytes: details.backup_size_bytes.and_then(|bytes| u64::try_from(bytes).ok()),
        items: None,
        expires: time(read, details.backup_expiry_date_time)?,
        tags: None,
    })
}

/// A backup with what it keeps of its table (AWS: *`BackupDescription`*).
pub(super) fn described(
    read: Reader,
    description: sdk::BackupDescription,
) -> Result<(RecoveryPoint, TableProfile), PortError> {
    let details = read.need(description.backup_details, "BackupDetails")?;
    let source = read.need(description.source_table_details, "SourceTableDetails")?;
    let features = description.source_table_feature_details;
    let arn = match source.table_arn.as_deref() {
        Some(arn) => read.parse(Some(arn), "TableArn")?,
        None => read.parse(details.backup_arn.split("/backup/").next(), "TableArn")?,
    };
    let table = read.parse(Some(&source.table_name), "TableName")?;
    let items = source.item_count.and_then(|count| u64::try_from(count).ok());
    let point = RecoveryPoint { items, ..backup(read, table, arn, details)? };
    let (mut indexes, mut expiry, mut view) = (BTreeMap::new(), None, None);
    let types = Types::new();
    if let Some(features) = features {
        for index in features.local_secondary_indexes.unwrap_or_default() {
            let (name, schema, projection) = (index.index_name, index.key_schema, index.projection);
            indexes.extend([Index { name, local: true, schema, projection }.told(read, &types)?]);
        }
        for index in features.global_secondary_indexes.unwrap_or_default() {
            let (name, schema, projection) = (index.index_name, index.key_schema, index.projection);
            indexes.extend([Index { name, local: false, schema, projection }.told(read, &types)?]);
        }
        view = stream(read, features.stream_description)?;
        expiry = features.time_to_live_description.and_then(attribute);
    }
    let billing = match (source.billing_mode, source.provisioned_throughput) {
        (Some(sdk::BillingMode::PayPerRequest), _) | (_, None) => Billing::OnDemand,
        (_, Some(reserved)) => Billing::Provisioned {
            read: units(Some(reserved.read_capacity_units)),
            write: units(Some(reserved.write_capacity_units)),
        },
    };
    let profile = TableProfile {
        key: key(read, &source.key_schema, &types)?,
        indexes,
        billing,
        class: TableClass::Standard,
        deletion_protected: false,
        recovery_days: None,
        stream: view,
        time_to_live: expiry,
        tags: BTreeMap::new(),
        policy: None,
        scaling: Vec::new(),
        alarms: Vec::new(),
        unread: BTreeSet::new(),
        by_hand: BTreeSet::new(),
    };
    Ok((point, profile))
}

/// The attribute by which items expire, where they do, or are about to.
pub(super) fn attribute(description: sdk::TimeToLiveDescription) -> Option<String> {
    use sdk::TimeToLiveStatus as Status;
    let on = matches!(description.time_to_live_status, Some(Status::Enabled | Status::Enabling));
    description.attribute_name.filter(|_| on)
}

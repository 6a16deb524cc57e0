//! `DynamoDB` tables of one account in one region, their on-demand backups, and what else belongs to a table.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Fence, Page, PageToken, PortError};
use crate::model::{
    AlarmDefinition, Billing, ContinuousBackups, Item, ItemKey, PointId, RecoveryPoint, ScalingTarget, StreamView,
    TableArn, TableClass, TableKey, TableName, TableProfile, TableState, TimeToLive,
};

/// Settings of a table to change (AWS: *`UpdateTable`*). AWS takes one of these changes at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableChange {
    /// Whether it can be deleted.
    DeletionProtection(bool),
    /// Its class. Twice in thirty days at most.
    Class(TableClass),
    /// How it is paid for.
    Billing(Billing),
    /// What its stream tells; none: no stream.
    Stream(Option<StreamView>),
}

/// One answer to a request for items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemsRead {
    /// Those that there are.
    pub items: Vec<Item>,
    /// Keys that AWS has not come to: ask again.
    pub unprocessed: Vec<ItemKey>,
}

/// `DynamoDB` tables of one account in one region, their on-demand backups, and what else belongs to a table.
///
/// `DynamoDB` is eventually consistent about its tables: what was just made may not be seen for some seconds.
#[async_trait]
pub trait Tables: Send + Sync {
    /// One page of the names of all tables, at most a hundred (AWS: *`ListTables`*).
    async fn list(&self, page: Option<PageToken>) -> Result<Page<TableName>, PortError>;

    /// One table; `None` if there is none.
    async fn describe(&self, table: &TableName) -> Result<Option<TableState>, PortError>;

    /// How far back a table can be restored to any second; `None` if the table does not exist.
    async fn continuous_backups(&self, table: &TableName) -> Result<Option<ContinuousBackups>, PortError>;

    /// When its items expire. Answers `NotFound` if the table does not exist.
    async fn time_to_live(&self, table: &TableName) -> Result<TimeToLive, PortError>;

    /// One page of its tags, AWS's own included (AWS: *`ListTagsOfResource`*). Answers `NotFound` if there is no such
    /// table.
    async fn tags(&self, table: &TableArn, page: Option<PageToken>) -> Result<Page<(String, String)>, PortError>;

    /// Its resource policy, if it has one. It may lag behind (AWS: *`GetResourcePolicy`*).
    async fn policy(&self, table: &TableArn) -> Result<Option<String>, PortError>;

    /// What is scaled of a table and its indexes, each target with its policies (AWS: *Application Auto Scaling,
    /// `DescribeScalableTargets`* and *`DescribeScalingPolicies`*: more than one request, with all pages, because neither
    /// says anything without the other).
    async fn scaling(&self, table: &TableState) -> Result<Vec<ScalingTarget>, PortError>;

    /// The Kinesis data streams that changes of its items go to, as ARNs (AWS: *`DescribeKinesisStreamingDestination`*).
    /// Answers `NotFound` if the table does not exist.
    async fn streams_to(&self, table: &TableName) -> Result<BTreeSet<String>, PortError>;

    /// Whether `CloudWatch` Contributor Insights is on (AWS: *`DescribeContributorInsights`*). Answers `NotFound` if the table
    /// does not exist.
    async fn has_insights(&self, table: &TableName) -> Result<bool, PortError>;

    /// One page of the metric alarms of the account and region whose dimensions name a table (AWS: *`CloudWatch`,
    /// `DescribeAlarms`*).
    async fn alarms(&self, page: Option<PageToken>) -> Result<Page<AlarmDefinition>, PortError>;

    /// One page of all backups of the account and region, those that AWS Backup made included (AWS: *`ListBackups`*).
    async fn backups(&self, page: Option<PageToken>) -> Result<Page<RecoveryPoint>, PortError>;

    /// One on-demand backup, and what it keeps of its table's settings: key, indexes, stream, time to live, billing (AWS:
    /// *`SourceTableDetails`*, *`SourceTableFeatureDetails`*). Of what types the keys are it does not say; all else is as it
    /// is in a table that is new. `None` if there is no such backup.
    async fn backup(&self, point: &PointId) -> Result<Option<(RecoveryPoint, TableProfile)>, PortError>;

    /// Up to `limit` items from one of `of` segments of a table with this key (AWS: *`Scan`*, consistent). Fewer does not
    /// mean that there are no more.
    async fn sample(
        &self,
        table: &TableName,
        key: &TableKey,
        segment: u32,
        of: u32,
        limit: u32,
    ) -> Result<Vec<Item>, PortError>;

    /// The items with these keys, one to a hundred of them (AWS: *`BatchGetItem`*, consistent).
    async fn items(&self, table: &TableName, keys: &[ItemKey]) -> Result<ItemsRead, PortError>;

    /// How many items one page of a table has, and where the next page begins (AWS: *`Scan`*, consistent, `Select` is `COUNT`;
    /// a page is a megabyte).
    async fn count(&self, table: &TableName, from: Option<&ItemKey>) -> Result<(u64, Option<ItemKey>), PortError>;

    /// Switches point-in-time recovery on, with a window of so many days (1 to 35); `None`: off, which destroys its
    /// history. Answers `Conflict` while another change of it runs.
    async fn set_continuous_backups(
        &self,
        fence: Fence,
        table: &TableName,
        window_days: Option<u16>,
    ) -> Result<(), PortError>;

    /// Changes a setting. Answers `Conflict` while the table is being changed.
    async fn update(&self, fence: Fence, table: &TableName, change: &TableChange) -> Result<(), PortError>;

    /// Switches the expiry of items; the attribute that is on has to be named to switch it off. One switch an hour.
    async fn set_time_to_live(
        &self,
        fence: Fence,
        table: &TableName,
        attribute: &str,
        on: bool,
    ) -> Result<(), PortError>;

    /// Adds tags to a table.
    async fn tag(&self, fence: Fence, table: &TableArn, tags: &BTreeMap<String, String>) -> Result<(), PortError>;

    /// Sets the resource policy.
    async fn put_policy(&self, fence: Fence, table: &TableArn, body: &str) -> Result<(), PortError>;

    /// Has a dimension of a table scaled: registers the target, then puts its policies. The same again changes nothing.
    async fn put_scaling(&self, fence: Fence, table: &TableName, target: &ScalingTarget) -> Result<(), PortError>;

    /// Puts an alarm; one of that name is overwritten.
    async fn put_alarm(&self, fence: Fence, alarm: &AlarmDefinition) -> Result<(), PortError>;

    /// Makes an on-demand backup. It has what the table has now, and can be restored "within minutes" (AWS: *Backing up and
    /// restoring DynamoDB tables with DynamoDB: How it works*); while it is being made, the table cannot be deleted. There is
    /// no idempotency token, and names need not differ: a lost answer may leave a backup behind. Answers `NotFound` if the table does not exist, `Conflict` while the table is
    /// being made or deleted or another backup of it is, `Throttled` above 50 a second.
    async fn create_backup(&self, fence: Fence, table: &TableName, name: &str) -> Result<RecoveryPoint, PortError>;

    /// Deletes an on-demand backup; succeeds if it is gone already. Answers `Conflict` while it is being made or used, and
    /// `Invalid` for the one that a deleted table left behind.
    async fn delete_backup(&self, fence: Fence, point: &PointId) -> Result<(), PortError>;

    /// Begins to restore an on-demand backup to a new table. Answers `Conflict` if a table with that name exists,
    /// `NotFound` if there is no such backup.
    async fn restore_backup(&self, fence: Fence, point: &PointId, to: &TableName) -> Result<TableState, PortError>;

    /// Begins to restore a table, as it was at a moment, to a new table in the region of this door; `None`: at the latest
    /// moment there is. Answers `Conflict` if a table with that name exists, `Invalid` if the moment cannot be restored.
    async fn restore_to(
        &self,
        fence: Fence,
        source: &TableArn,
        to: &TableName,
        at: Option<Timestamp>,
    ) -> Result<TableState, PortError>;

    /// Begins to delete a table; succeeds if it is gone already. Answers `Invalid` if it is protected, `Conflict` while it
    /// is being made or changed.
    async fn delete(&self, fence: Fence, table: &TableName) -> Result<(), PortError>;
}

//! The governed door to [`Tables`].

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::Timestamp;

use super::api;
use super::door::Door;
use crate::model::{
    AlarmDefinition, ContinuousBackups, Item, ItemKey, PointId, RecoveryPoint, ScalingTarget, TableArn, TableKey,
    TableName, TableProfile, TableState, TimeToLive,
};
use crate::ports::{Fence, ItemsRead, Page, PageToken, PortError, TableChange, Tables};

#[async_trait]
impl Tables for Door<dyn Tables> {
    async fn list(&self, page: Option<PageToken>) -> Result<Page<TableName>, PortError> {
        self.read(&api::LIST_TABLES, || self.inner.list(page.clone())).await
    }

    async fn describe(&self, table: &TableName) -> Result<Option<TableState>, PortError> {
        self.read(&api::DESCRIBE_TABLE, || self.inner.describe(table)).await
    }

    async fn continuous_backups(&self, table: &TableName) -> Result<Option<ContinuousBackups>, PortError> {
        self.read(&api::DESCRIBE_CONTINUOUS_BACKUPS, || self.inner.continuous_backups(table)).await
    }

    async fn time_to_live(&self, table: &TableName) -> Result<TimeToLive, PortError> {
        self.read(&api::DESCRIBE_TIME_TO_LIVE, || self.inner.time_to_live(table)).await
    }

    async fn tags(&self, table: &TableArn, page: Option<PageToken>) -> Result<Page<(String, String)>, PortError> {
        self.read(&api::LIST_TABLE_TAGS, || self.inner.tags(table, page.clone())).await
    }

    async fn policy(&self, table: &TableArn) -> Result<Option<String>, PortError> {
        self.read(&api::GET_TABLE_POLICY, || self.inner.policy(table)).await
    }

    async fn scaling(&self, table: &TableState) -> Result<Vec<ScalingTarget>, PortError> {
        self.read(&api::DESCRIBE_SCALING, || self.inner.scaling(table)).await
    }

    async fn streams_to(&self, table: &TableName) -> Result<BTreeSet<String>, PortError> {
        self.read(&api::DESCRIBE_STREAMS_TO, || self.inner.streams_to(table)).await
    }

    async fn has_insights(&self, table: &TableName) -> Result<bool, PortError> {
        self.read(&api::DESCRIBE_INSIGHTS, || self.inner.has_insights(table)).await
    }

    async fn alarms(&self, page: Option<PageToken>) -> Result<Page<AlarmDefinition>, PortError> {
        self.read(&api::DESCRIBE_ALARMS, || self.inner.alarms(page.clone())).await
    }

    async fn backups(&self, page: Option<PageToken>) -> Result<Page<RecoveryPoint>, PortError> {
        self.read(&api::LIST_BACKUPS, || self.inner.backups(page.clone())).await
    }

    async fn backup(&self, point: &PointId) -> Result<Option<(RecoveryPoint, TableProfile)>, PortError> {
        self.read(&api::DESCRIBE_BACKUP, || self.inner.backup(point)).await
    }

    async fn sample(
        &self,
        table: &TableName,
        key: &TableKey,
        segment: u32,
        of: u32,
        limit: u32,
    ) -> Result<Vec<Item>, PortError> {
        self.read(&api::SCAN, || self.inner.sample(table, key, segment, of, limit)).await
    }

    async fn count(&self, table: &TableName, from: Option<&ItemKey>) -> Result<(u64, Option<ItemKey>), PortError> {
        self.read(&api::SCAN, || self.inner.count(table, from)).await
    }

    async fn items(&self, table: &TableName, keys: &[ItemKey]) -> Result<ItemsRead, PortError> {
        self.read(&api::BATCH_GET_ITEM, || self.inner.items(table, keys)).await
    }

    async fn set_continuous_backups(
        &self,
        fence: Fence,
        table: &TableName,
        window_days: Option<u16>,
    ) -> Result<(), PortError> {
        self.change(&api::UPDATE_CONTINUOUS_BACKUPS, fence, || {
            self.inner.set_continuous_backups(fence, table, window_days)
        })
        .await
    }

    async fn update(&self, fence: Fence, table: &TableName, change: &TableChange) -> Result<(), PortError> {
        self.change(&api::UPDATE_TABLE, fence, || self.inner.update(fence, table, change)).await
    }

    async fn set_time_to_live(
        &self,
        fence: Fence,
        table: &TableName,
        attribute: &str,
        on: bool,
    ) -> Result<(), PortError> {
        self.change(&api::UPDATE_TIME_TO_LIVE, fence, || self.inner.set_time_to_live(fence, table, attribute, on)).await
    }

    async fn tag(&self, fence: Fence, table: &TableArn, tags: &BTreeMap<String, String>) -> Result<(), PortError> {
        self.change(&api::TAG_TABLE, fence, || self.inner.tag(fence, table, tags)).await
    }

    async fn put_policy(&self, fence: Fence, table: &TableArn, body: &str) -> Result<(), PortError> {
        self.change(&api::PUT_TABLE_POLICY, fence, || self.inner.put_policy(fence, table, body)).await
    }

    async fn put_scaling(&self, fence: Fence, table: &TableName, target: &ScalingTarget) -> Result<(), PortError> {
        self.change(&api::PUT_SCALING, fence, || self.inner.put_scaling(fence, table, target)).await
    }

    async fn put_alarm(&self, fence: Fence, alarm: &AlarmDefinition) -> Result<(), PortError> {
        self.change(&api::PUT_ALARM, fence, || self.inner.put_alarm(fence, alarm)).await
    }

    async fn create_backup(&self, fence: Fence, table: &TableName, name: &str) -> Result<RecoveryPoint, PortError> {
        self.change(&api::CREATE_BACKUP, fence, || self.inner.create_backup(fence, table, name)).await
    }

    async fn delete_backup(&self, fence: Fence, point: &PointId) -> Result<(), PortError> {
        self.change(&api::DELETE_BACKUP, fence, || self.inner.delete_backup(fence, point)).await
    }

    async fn restore_backup(&self, fence: Fence, point: &PointId, to: &TableName) -> Result<TableState, PortError> {
        self.change(&api::RESTORE_BACKUP, fence, || self.inner.restore_backup(fence, point, to)).await
    }

    async fn restore_to(
        &self,
        fence: Fence,
        source: &TableArn,
        to: &TableName,
        at: Option<Timestamp>,
    ) -> Result<TableState, PortError> {
        self.change(&api::RESTORE_TO_TIME, fence, || self.inner.restore_to(fence, source, to, at)).await
    }

    async fn delete(&self, fence: Fence, table: &TableName) -> Result<(), PortError> {
        self.change(&api::DELETE_TABLE, fence, || self.inner.delete(fence, table)).await
    }
}

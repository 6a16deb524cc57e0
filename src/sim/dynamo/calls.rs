//! `ports::Tables`, simulated.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::Timestamp;

use super::items::{id_of_key, place, told};
use super::{invalid, no_table};
use crate::model::{
    AlarmDefinition, ContinuousBackups, Item, ItemKey, PointId, RecoveryPoint, ScalingTarget, TableArn, TableKey,
    TableName, TableProfile, TableState, TableStatus, TimeToLive,
};
use crate::ports::{Fence, ItemsRead, Page, PageToken, PortError, TableChange, Tables};
use crate::sim::cloud::SimDoor;
use crate::sim::reads::Lens;
use crate::sim::world::World;

/// Keys in one request (AWS: *`BatchGetItem`*).
const KEYS_MAX: usize = 100;

impl World {
    /// The items of one segment, in the order in which they are scanned.
    fn sample(
        &mut self,
        region: usize,
        name: &TableName,
        (segment, of): (u32, u32),
        limit: u32,
    ) -> Result<Vec<Item>, PortError> {
        const OPERATION: &str = "Scan";
        let now = self.data.now;
        let table = self.table_mut(region, name, OPERATION)?;
        if table.status(now) == TableStatus::Creating {
            return Err(no_table(OPERATION, name));
        }
        if segment >= of || limit == 0 {
            return Err(invalid(OPERATION, "The Segment parameter is zero-based and must be less than TotalSegments"));
        }
        let mut found: Vec<_> = table
            .items
            .at(now)
            .filter_map(|(id, attributes)| {
                let (at, order) = place(id, of);
                (at == segment).then(|| (order.to_string(), told(&table.settings.key, attributes)))
            })
            .collect();
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(found.into_iter().take(usize::try_from(limit).unwrap_or(usize::MAX)).map(|(_, item)| item).collect())
    }

    /// The items of one page, and the last of them if there are more.
    fn count_items(
        &mut self,
        region: usize,
        name: &TableName,
        from: Option<&ItemKey>,
    ) -> Result<(u64, Option<ItemKey>), PortError> {
        const OPERATION: &str = "Scan";
        let (now, size) = (self.data.now, self.config.page_size);
        let table = self.table_mut(region, name, OPERATION)?;
        if table.status(now) == TableStatus::Creating {
            return Err(no_table(OPERATION, name));
        }
        let from = from.map(id_of_key);
        let mut page = table.items.at(now).filter(|(id, _)| from.as_ref().is_none_or(|from| *id > from)).peekable();
        let (mut count, mut last) = (0, None);
        while let Some((_, attributes)) = page.next_if(|_| count < size) {
            (count, last) = (count + 1, Some(attributes));
        }
        let more = page.peek().is_some();
        let next = last.filter(|_| more).map(|attributes| told(&table.settings.key, attributes).key);
        Ok((count as u64, next))
    }

    fn items_of(
        &mut self,
        region: usize,
        name: &TableName,
        keys: &[ItemKey],
        lens: Lens,
    ) -> Result<ItemsRead, PortError> {
        const OPERATION: &str = "BatchGetItem";
        let now = self.data.now;
        let table = self.table_mut(region, name, OPERATION)?;
        if table.status(now) == TableStatus::Creating {
            return Err(no_table(OPERATION, name));
        }
        if keys.is_empty() || keys.len() > KEYS_MAX {
            return Err(invalid(OPERATION, "Too many items requested for the BatchGetItem call"));
        }
        let read = lens.size(keys.len(), keys.len());
        let (now_read, later) = keys.split_at(read.min(keys.len()));
        let items = now_read.iter().filter_map(|key| table.items.get(key, now));
        let items = items.map(|attributes| told(&table.settings.key, attributes)).collect();
        Ok(ItemsRead { items, unprocessed: later.to_vec() })
    }
}

#[async_trait]
impl Tables for SimDoor {
    async fn list(&self, page: Option<PageToken>) -> Result<Page<TableName>, PortError> {
        self.read("ListTables", "", |world, lens| Ok(world.list_tables(self.region, lens, page.as_ref()))).await
    }

    async fn describe(&self, table: &TableName) -> Result<Option<TableState>, PortError> {
        let read = |world: &mut World, lens| Ok(world.describe_table(self.region, lens, table));
        self.read("DescribeTable", table.as_str(), read).await
    }

    async fn continuous_backups(&self, table: &TableName) -> Result<Option<ContinuousBackups>, PortError> {
        let read = |world: &mut World, _| Ok(world.continuous_backups(self.region, table));
        self.read("DescribeContinuousBackups", table.as_str(), read).await
    }

    async fn time_to_live(&self, table: &TableName) -> Result<TimeToLive, PortError> {
        self.read("DescribeTimeToLive", table.as_str(), |world, _| world.time_to_live(self.region, table)).await
    }

    async fn tags(&self, table: &TableArn, page: Option<PageToken>) -> Result<Page<(String, String)>, PortError> {
        let read = |world: &mut World, lens| world.table_tags(self.region, table, lens, page.as_ref());
        self.read("ListTagsOfResource", table.as_str(), read).await
    }

    async fn policy(&self, table: &TableArn) -> Result<Option<String>, PortError> {
        self.read("GetResourcePolicy", table.as_str(), |world, _| world.table_policy(self.region, table)).await
    }

    async fn scaling(&self, table: &TableState) -> Result<Vec<ScalingTarget>, PortError> {
        let read = |world: &mut World, _| Ok(world.table_scaling(self.region, &table.name));
        self.read("DescribeScalableTargets", table.name.as_str(), read).await
    }

    async fn streams_to(&self, table: &TableName) -> Result<BTreeSet<String>, PortError> {
        const OPERATION: &str = "DescribeKinesisStreamingDestination";
        let read = |world: &mut World, _| Ok(world.table_mut(self.region, table, OPERATION)?.streams_to.clone());
        self.read(OPERATION, table.as_str(), read).await
    }

    async fn has_insights(&self, table: &TableName) -> Result<bool, PortError> {
        const OPERATION: &str = "DescribeContributorInsights";
        let read = |world: &mut World, _| Ok(world.table_mut(self.region, table, OPERATION)?.insights);
        self.read(OPERATION, table.as_str(), read).await
    }

    async fn alarms(&self, page: Option<PageToken>) -> Result<Page<AlarmDefinition>, PortError> {
        self.read("DescribeAlarms", "", |world, lens| world.table_alarms(self.region, lens, page.as_ref())).await
    }

    async fn backups(&self, page: Option<PageToken>) -> Result<Page<RecoveryPoint>, PortError> {
        self.read("ListBackups", "", |world, lens| world.list_backups(self.region, lens, page.as_ref())).await
    }

    async fn backup(&self, point: &PointId) -> Result<Option<(RecoveryPoint, TableProfile)>, PortError> {
        let read = |world: &mut World, lens| Ok(world.describe_backup(self.region, lens, point));
        self.read("DescribeBackup", point.as_str(), read).await
    }

    async fn sample(
        &self,
        table: &TableName,
        _key: &TableKey,
        segment: u32,
        of: u32,
        limit: u32,
    ) -> Result<Vec<Item>, PortError> {
        self.read("Scan", table.as_str(), |world, _| world.sample(self.region, table, (segment, of), limit)).await
    }

    async fn count(&self, table: &TableName, from: Option<&ItemKey>) -> Result<(u64, Option<ItemKey>), PortError> {
        self.read("Scan", table.as_str(), |world, _| world.count_items(self.region, table, from)).await
    }

    async fn items(&self, table: &TableName, keys: &[ItemKey]) -> Result<ItemsRead, PortError> {
        let read = |world: &mut World, lens| world.items_of(self.region, table, keys, lens);
        self.read("BatchGetItem", table.as_str(), read).await
    }

    async fn set_continuous_backups(
        &self,
        fence: Fence,
        table: &TableName,
        window_days: Option<u16>,
    ) -> Result<(), PortError> {
        let set = |world: &mut World| world.set_continuous_backups(self.region, table, window_days);
        self.write("UpdateContinuousBackups", table.as_str(), fence, None, set).await
    }

    async fn update(&self, fence: Fence, table: &TableName, change: &TableChange) -> Result<(), PortError> {
        let update = |world: &mut World| world.update_table(self.region, table, change);
        self.write("UpdateTable", table.as_str(), fence, None, update).await
    }

    async fn set_time_to_live(
        &self,
        fence: Fence,
        table: &TableName,
        attribute: &str,
        on: bool,
    ) -> Result<(), PortError> {
        let set = |world: &mut World| world.set_time_to_live(self.region, table, attribute, on);
        self.write("UpdateTimeToLive", table.as_str(), fence, None, set).await
    }

    async fn tag(&self, fence: Fence, table: &TableArn, tags: &BTreeMap<String, String>) -> Result<(), PortError> {
        let tag = |world: &mut World| world.tag_table(self.region, table, tags);
        self.write("TagResource", table.as_str(), fence, None, tag).await
    }

    async fn put_policy(&self, fence: Fence, table: &TableArn, body: &str) -> Result<(), PortError> {
        let put = |world: &mut World| world.put_table_policy(self.region, table, body);
        self.write("PutResourcePolicy", table.as_str(), fence, None, put).await
    }

    async fn put_scaling(&self, fence: Fence, table: &TableName, target: &ScalingTarget) -> Result<(), PortError> {
        let put = |world: &mut World| world.put_scaling(self.region, table, target);
        self.write("RegisterScalableTarget", table.as_str(), fence, None, put).await
    }

    async fn put_alarm(&self, fence: Fence, alarm: &AlarmDefinition) -> Result<(), PortError> {
        let put = |world: &mut World| world.put_alarm(self.region, alarm);
        self.write("PutMetricAlarm", &alarm.name, fence, None, put).await
    }

    async fn create_backup(&self, fence: Fence, table: &TableName, name: &str) -> Result<RecoveryPoint, PortError> {
        let create = |world: &mut World| world.create_backup(self.region, table, name);
        self.write("CreateBackup", table.as_str(), fence, None, create).await
    }

    async fn delete_backup(&self, fence: Fence, point: &PointId) -> Result<(), PortError> {
        let delete = |world: &mut World| world.delete_backup(self.region, point);
        self.write("DeleteBackup", point.as_str(), fence, None, delete).await
    }

    async fn restore_backup(&self, fence: Fence, point: &PointId, to: &TableName) -> Result<TableState, PortError> {
        let restore = |world: &mut World| world.restore_backup(self.region, point, to);
        self.write("RestoreTableFromBackup", to.as_str(), fence, None, restore).await
    }

    async fn restore_to(
        &self,
        fence: Fence,
        source: &TableArn,
        to: &TableName,
        at: Option<Timestamp>,
    ) -> Result<TableState, PortError> {
        let restore = |world: &mut World| world.restore_to_time(self.region, source, to, at);
        self.write("RestoreTableToPointInTime", to.as_str(), fence, None, restore).await
    }

    async fn delete(&self, fence: Fence, table: &TableName) -> Result<(), PortError> {
        let delete = |world: &mut World| world.delete_table(self.region, table);
        self.write("DeleteTable", table.as_str(), fence, None, delete).await
    }
}

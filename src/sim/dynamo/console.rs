//! Tables, as somebody else at the console makes, fills and changes them; and the truth about them, for monitors.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::{Attributes, MAKING, Made, Settings, invalid};
use crate::model::{
    AlarmDefinition, Billing, ContinuousBackups, KeyType, RecoveryPoint, ScalingTarget, Scope, StreamView, TableArn,
    TableClass, TableId, TableIndex, TableKey, TableName, TableState, TableStatus,
};
use crate::ports::{PortError, TableChange};
use crate::sim::SimCloud;
use crate::sim::console::Console;
use crate::sim::inventory::View;
use crate::sim::world::World;

/// A table to be made by hand.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTable {
    /// Its name.
    pub name: TableName,
    /// Its key.
    pub key: TableKey,
    /// Its indexes.
    pub indexes: BTreeMap<String, TableIndex>,
    /// How it is paid for.
    pub billing: Billing,
    /// Its class.
    pub class: TableClass,
    /// It cannot be deleted.
    pub deletion_protected: bool,
    /// What its stream tells.
    pub stream: Option<StreamView>,
    /// The attribute by which items expire.
    pub time_to_live: Option<String>,
    /// Days of point-in-time recovery.
    pub recovery_days: Option<u16>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The KMS key that encrypts it, where it is not `DynamoDB`'s own.
    pub kms_key: Option<String>,
}

impl NewTable {
    /// A table with one text as its key, and nothing else.
    #[must_use]
    pub fn keyed(name: TableName, by: &str) -> Self {
        Self {
            name,
            key: TableKey { partition: (by.to_owned(), KeyType::Text), sort: None },
            indexes: BTreeMap::new(),
            billing: Billing::OnDemand,
            class: TableClass::Standard,
            deletion_protected: false,
            stream: None,
            time_to_live: None,
            recovery_days: None,
            tags: BTreeMap::new(),
            kms_key: None,
        }
    }
}

/// The truth about a table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableTruth {
    /// Account and region.
    pub scope: Scope,
    /// What AWS says of it when nothing is stale.
    pub state: TableState,
    /// How far back it can be restored.
    pub continuous: ContinuousBackups,
    /// The attribute by which items expire.
    pub time_to_live: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its resource policy.
    pub policy: Option<String>,
    /// What of it is scaled.
    pub scaling: Vec<ScalingTarget>,
    /// Its items, each in AWS's JSON.
    pub items: Vec<BTreeMap<String, Json>>,
}

/// The truth about a recovery point, wherever it is kept, deleted ones included.
#[derive(Clone, Debug, PartialEq)]
pub struct BackupTruth {
    /// Account and region.
    pub scope: Scope,
    /// What AWS says of it.
    pub point: RecoveryPoint,
    /// A deleted table left it.
    pub system: bool,
    /// Which incarnation of the table it is of.
    pub table_id: TableId,
    /// When it was deleted.
    pub deleted: Option<Timestamp>,
    /// The items that it has.
    pub items: Vec<BTreeMap<String, Json>>,
}

impl World {
    /// Makes a table as it is asked for, ready after so long.
    pub(super) fn make_new_table(
        &mut self,
        region: usize,
        new: NewTable,
        takes: Duration,
    ) -> Result<TableArn, PortError> {
        let settings = Settings {
            key: new.key,
            indexes: new.indexes,
            billing: new.billing,
            class: new.class,
            deletion_protected: new.deletion_protected,
            stream: new.stream,
            kms_key: new.kms_key,
            replicas: BTreeSet::new(),
            limits: None,
        };
        let name = new.name.clone();
        let made = Made { name: new.name, settings, tags: new.tags, origin: None, items: Vec::new(), takes };
        let state = self.make_table(region, made, "CreateTable")?;
        let now = self.data.now;
        let table = self.table_mut(region, &name, "CreateTable")?;
        table.expiry = new.time_to_live;
        table.recovery = new.recovery_days.map(|days| (days, now));
        Ok(state.arn)
    }

    /// All tables that there are.
    fn table_truths(&self) -> Vec<TableTruth> {
        let now = self.data.now;
        let tables = self.data.dynamo.tables.iter().filter(|table| table.exists(now));
        tables
            .map(|table| TableTruth {
                scope: self.data.regions[table.region].scope.clone(),
                state: table.state(now, Duration::ZERO),
                continuous: table.continuous(now),
                time_to_live: table.expiry.clone(),
                tags: table.tags.clone(),
                policy: table.policy.clone(),
                scaling: table.scaling.clone(),
                items: table.items.all(now),
            })
            .collect()
    }

    /// All recovery points that there are and were.
    fn backup_truths(&self) -> Vec<BackupTruth> {
        let now = self.data.now;
        let on_demand = self.data.dynamo.backups.iter().map(|backup| BackupTruth {
            scope: self.data.regions[backup.region].scope.clone(),
            point: backup.point(now, true),
            system: backup.system,
            table_id: backup.kept.table_id.clone(),
            deleted: backup.deleted,
            items: backup.kept.items.clone(),
        });
        on_demand.chain(self.vaulted_truths()).collect()
    }
}

impl View<'_> {
    /// All tables that there are.
    #[must_use]
    pub fn tables(&self) -> Vec<TableTruth> {
        self.0.table_truths()
    }

    /// All recovery points that there are and were.
    #[must_use]
    pub fn backups(&self) -> Vec<BackupTruth> {
        self.0.backup_truths()
    }
}

impl SimCloud {
    /// All tables that there are, everywhere.
    #[must_use]
    pub fn tables_of_all(&self) -> Vec<TableTruth> {
        self.lock().table_truths()
    }

    /// All recovery points that there are and were, everywhere.
    #[must_use]
    pub fn backups_of_all(&self) -> Vec<BackupTruth> {
        self.lock().backup_truths()
    }
}

/// Tables, past `CloudFormation`. What is done here is done at once.
impl Console {
    /// Makes a table.
    pub fn create_table(&self, new: &NewTable) -> Result<TableArn, PortError> {
        self.with(|world, region, _| world.make_new_table(region, new.clone(), Duration::ZERO))
    }

    /// Makes a table as AWS does: it takes its time.
    pub fn begin_table(&self, new: &NewTable) -> Result<TableArn, PortError> {
        self.with(|world, region, _| world.make_new_table(region, new.clone(), MAKING))
    }

    /// Writes an item: all its attributes in AWS's JSON, `{"id":{"S":"…"}}`.
    pub fn put_item(&self, table: &TableName, item: &Json) -> Result<(), PortError> {
        let attributes = attributes(item)?;
        self.with(|world, region, _| {
            let now = world.data.now;
            let table = world.table_mut(region, table, "PutItem")?;
            let key = table.settings.key.clone();
            let put = table.items.put(&key, attributes, now);
            if put { Ok(()) } else { Err(invalid("PutItem", "One of the required keys was not given a value")) }
        })
    }

    /// Deletes an item by its key.
    pub fn delete_item(&self, table: &TableName, key: &Json) -> Result<(), PortError> {
        let attributes = attributes(key)?;
        self.with(|world, region, _| {
            let now = world.data.now;
            let table = world.table_mut(region, table, "DeleteItem")?;
            let key = table.settings.key.clone();
            let deleted = table.items.delete(&key, &attributes, now);
            if deleted {
                Ok(())
            } else {
                Err(invalid("DeleteItem", "The provided key element does not match the schema"))
            }
        })
    }

    /// Says that a table has so many bytes more than its items, which is what decides how long a restore takes.
    pub fn weigh_table(&self, table: &TableName, bytes: u64) -> Result<(), PortError> {
        self.with(|world, region, _| {
            world.table_mut(region, table, "weigh")?.weight = bytes;
            Ok(())
        })
    }

    /// Changes a setting.
    pub fn update_table(&self, table: &TableName, change: &TableChange) -> Result<(), PortError> {
        self.with(|world, region, _| {
            world.table_mut(region, table, "UpdateTable")?.busy = None;
            world.update_table(region, table, change)?;
            world.table_mut(region, table, "UpdateTable")?.busy = None;
            world.table_moved(region, table);
            Ok(())
        })
    }

    /// Switches point-in-time recovery.
    pub fn set_recovery(&self, table: &TableName, days: Option<u16>) -> Result<(), PortError> {
        self.with(|world, region, _| {
            world.table_mut(region, table, "UpdateContinuousBackups")?.recovery_moves = None;
            world.set_continuous_backups(region, table, days)
        })
    }

    /// Says by which attribute items expire.
    pub fn set_time_to_live(&self, table: &TableName, attribute: Option<&str>) -> Result<(), PortError> {
        self.with(|world, region, _| {
            world.table_mut(region, table, "UpdateTimeToLive")?.expiry = attribute.map(str::to_owned);
            Ok(())
        })
    }

    /// Sets its tags: these and no others.
    pub fn set_table_tags(&self, table: &TableName, tags: &BTreeMap<String, String>) -> Result<(), PortError> {
        self.with(|world, region, _| {
            world.table_mut(region, table, "TagResource")?.tags.clone_from(tags);
            Ok(())
        })
    }

    /// Sets its resource policy.
    pub fn set_table_policy(&self, table: &TableName, body: Option<&str>) -> Result<(), PortError> {
        self.with(|world, region, _| {
            world.table_mut(region, table, "PutResourcePolicy")?.policy = body.map(str::to_owned);
            Ok(())
        })
    }

    /// Gives it what no restore brings: limits of an on-demand table, Kinesis data streams, Contributor Insights.
    pub fn furnish_table(
        &self,
        table: &TableName,
        limits: (Option<u64>, Option<u64>),
        streams: &[&str],
    ) -> Result<(), PortError> {
        self.with(|world, region, _| {
            let table = world.table_mut(region, table, "UpdateTable")?;
            table.settings.limits = Some(limits);
            table.streams_to = streams.iter().map(|stream| (*stream).to_owned()).collect();
            table.insights = true;
            let name = table.name.clone();
            world.table_moved(region, &name);
            Ok(())
        })
    }

    /// Has a dimension scaled.
    pub fn scale_table(&self, table: &TableName, target: &ScalingTarget) -> Result<(), PortError> {
        self.with(|world, region, _| world.put_scaling(region, table, target))
    }

    /// Puts an alarm.
    pub fn put_alarm(&self, alarm: &AlarmDefinition) -> Result<(), PortError> {
        self.with(|world, region, _| world.put_alarm(region, alarm))
    }

    /// The alarms on tables' metrics.
    #[must_use]
    pub fn alarms(&self) -> Vec<AlarmDefinition> {
        self.at(|world, region| {
            let all = world.data.dynamo.alarms.iter().filter(|(at, _)| *at == region);
            all.map(|(_, alarm)| alarm.clone()).collect()
        })
    }

    /// Deletes a table, protected or not.
    pub fn delete_table(&self, table: &TableName) -> Result<(), PortError> {
        self.with(|world, region, _| {
            let found = world.table_mut(region, table, "DeleteTable")?;
            found.settings.deletion_protected = false;
            found.busy = None;
            world.delete_table(region, table)?;
            let now = world.data.now;
            world.table_mut(region, table, "DeleteTable")?.gone = Some(now);
            Ok(())
        })
    }

    /// A table that is being made is not done with until this is taken back.
    pub fn keep_table_creating(&self, table: &TableName, kept: bool) -> Result<(), PortError> {
        self.with(|world, region, _| {
            let until = if kept { Timestamp::MAX } else { world.data.now };
            world.table_mut(region, table, "CreateTable")?.busy = Some((TableStatus::Creating, until));
            world.table_moved(region, table);
            Ok(())
        })
    }

    /// Makes an on-demand backup by hand.
    pub fn back_up_table(&self, table: &TableName, name: &str) -> Result<RecoveryPoint, PortError> {
        self.with(|world, region, _| world.create_backup(region, table, name))
    }

    /// The truth about a table.
    #[must_use]
    pub fn table(&self, table: &TableName) -> Option<TableTruth> {
        let scope = self.scope().clone();
        let all = self.world().table_truths();
        all.into_iter().find(|truth| truth.scope == scope && truth.state.name == *table)
    }

    /// The truth about the recovery points of this account and region, deleted ones included.
    #[must_use]
    pub fn table_backups(&self) -> Vec<BackupTruth> {
        let scope = self.scope().clone();
        let all = self.world().backup_truths();
        all.into_iter().filter(|truth| truth.scope == scope).collect()
    }
}

fn attributes(item: &Json) -> Result<Attributes, PortError> {
    serde_json::from_value(item.clone()).map_err(|_| invalid("PutItem", "An item is an object of attributes"))
}

//! On-demand backups, point-in-time recovery, and what both are for: restores.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Attributes, Made, Settings, invalid, no_backup, no_table, refused};
use crate::model::{
    KeyType, PointId, PointKeeper, PointStatus, RecoveryPoint, RestoreOrigin, Scope, StreamView, TableArn, TableClass,
    TableId, TableIndex, TableKey, TableName, TableProfile, TableState, TableStatus,
};
use crate::ports::{Class, Page, PageToken, PortError};
use crate::sim::ecs::page;
use crate::sim::reads::Lens;
use crate::sim::spelling::uuid;
use crate::sim::world::World;

/// How long a backup cannot be restored yet: "processed instantaneously and become available for restore within minutes"
/// (AWS: *Backing up and restoring DynamoDB tables with DynamoDB: How it works*).
const MAKING: Duration = Duration::from_secs(5);
/// A restore takes at least this long from a backup …
const RESTORING: Duration = Duration::from_mins(4);
/// … and this long to a moment, "no matter the size of the table" (AWS re:Post: *Why is my `DynamoDB` restore taking so
/// long?*).
const RESTORING_TO_TIME: Duration = Duration::from_mins(20);
/// What a gigabyte adds.
const EACH_GIGABYTE: Duration = Duration::from_secs(30);
/// Restores that may run at once in an account (AWS: *`RestoreTableFromBackup`*).
const RESTORES_MAX: usize = 50;
/// For this long the backup of a deleted table is kept (AWS: *`DeleteTable`*).
const SYSTEM_BACKUP: SignedDuration = SignedDuration::from_hours(35 * 24);

/// What a backup has, wherever it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::sim) struct Kept {
    pub(in crate::sim) table: TableName,
    pub(in crate::sim) arn: TableArn,
    pub(in crate::sim) table_id: TableId,
    pub(in crate::sim) settings: Settings,
    pub(in crate::sim) expiry: Option<String>,
    /// When it was taken.
    pub(in crate::sim) at: Timestamp,
    pub(in crate::sim) items: Vec<Attributes>,
    /// As they were last counted, which may be hours before.
    pub(in crate::sim) counted: u64,
    pub(in crate::sim) bytes: u64,
    /// What it weighs.
    pub(in crate::sim) weight: u64,
}

/// An on-demand backup, or the one that a deleted table left.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::sim) struct Backup {
    pub(super) region: usize,
    pub(super) id: PointId,
    pub(super) name: String,
    pub(super) system: bool,
    pub(super) created: Timestamp,
    pub(super) ready: Timestamp,
    pub(super) deleted: Option<Timestamp>,
    pub(super) expires: Option<Timestamp>,
    pub(super) kept: Kept,
}

impl Backup {
    pub(super) fn exists(&self, at: Timestamp) -> bool {
        self.created <= at && self.deleted.is_none_or(|deleted| deleted > at)
    }

    pub(super) fn point(&self, at: Timestamp, with_items: bool) -> RecoveryPoint {
        RecoveryPoint {
            id: self.id.clone(),
            keeper: PointKeeper::Table,
            table: self.kept.table.clone(),
            table_arn: self.kept.arn.clone(),
            name: Some(self.name.clone()),
            status: if self.ready <= at { PointStatus::Available } else { PointStatus::Creating },
            created: self.created,
            completed: None,
            bytes: Some(self.kept.bytes),
            items: with_items.then_some(self.kept.counted),
            expires: self.expires,
            tags: None,
        }
    }

    /// AWS: *`SourceTableDetails`* and *`SourceTableFeatureDetails`*; of all else a backup knows nothing.
    fn profile(&self) -> TableProfile {
        let settings = self.kept.settings.clone();
        let untyped = |(name, index): (String, TableIndex)| (name, TableIndex { key: untyped(index.key), ..index });
        TableProfile {
            key: self::untyped(settings.key),
            indexes: settings.indexes.into_iter().map(untyped).collect(),
            billing: settings.billing,
            class: TableClass::Standard,
            deletion_protected: false,
            recovery_days: None,
            stream: settings.stream,
            time_to_live: self.kept.expiry.clone(),
            tags: std::collections::BTreeMap::new(),
            policy: None,
            scaling: Vec::new(),
            alarms: Vec::new(),
            unread: std::collections::BTreeSet::new(),
            by_hand: std::collections::BTreeSet::new(),
        }
    }
}

/// A key as a backup tells of it.
fn untyped(key: TableKey) -> TableKey {
    TableKey { partition: (key.partition.0, KeyType::Unsaid), sort: key.sort.map(|(name, _)| (name, KeyType::Unsaid)) }
}

/// What a restored table has of its source's settings: neither stream nor protection nor class (AWS: *Restoring a
/// `DynamoDB` table from a backup*; *`RestoreTableToPointInTime`*).
fn restored(settings: &Settings) -> Settings {
    Settings {
        class: TableClass::Standard,
        deletion_protected: false,
        stream: None::<StreamView>,
        replicas: std::collections::BTreeSet::new(),
        limits: None,
        ..settings.clone()
    }
}

fn takes(least: Duration, bytes: u64) -> Duration {
    let gigabytes = u32::try_from(bytes >> 30).unwrap_or(u32::MAX);
    least.saturating_add(EACH_GIGABYTE.saturating_mul(gigabytes))
}

impl World {
    /// A table as a backup has it now.
    pub(in crate::sim) fn keep_table(
        &mut self,
        region: usize,
        name: &TableName,
        operation: &'static str,
    ) -> Result<Kept, PortError> {
        let (now, every) = (self.data.now, self.config.table_counts);
        let table = self.table_mut(region, name, operation).map_err(|error| match error.class {
            Class::NotFound => refused(Class::NotFound, operation, "TableNotFoundException", &error.message),
            _ => error,
        })?;
        if matches!(table.status(now), TableStatus::Creating | TableStatus::Deleting) {
            let message = format!("Table is being created or deleted: {name}");
            return Err(refused(Class::Conflict, operation, "TableInUseException", &message));
        }
        let (counted, bytes) = table.counted(now, every);
        Ok(Kept {
            table: name.clone(),
            arn: table.arn.clone(),
            table_id: table.id.clone(),
            settings: table.settings.clone(),
            expiry: table.expiry.clone(),
            at: now,
            items: table.items.all(now),
            counted,
            bytes,
            weight: table.weight,
        })
    }

    /// AWS: *`CreateBackup`*.
    pub(super) fn create_backup(
        &mut self,
        region: usize,
        table: &TableName,
        name: &str,
    ) -> Result<RecoveryPoint, PortError> {
        const OPERATION: &str = "CreateBackup";
        let legal = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if !(3..=255).contains(&name.len()) || !name.chars().all(legal) {
            return Err(invalid(
                OPERATION,
                "1 validation error detected: Value at 'backupName' failed to satisfy constraint",
            ));
        }
        if self.is_being_backed_up(region, table) {
            let message =
                format!("There is another ongoing conflicting backup control plane operation on the table {table}");
            return Err(refused(Class::Conflict, OPERATION, "BackupInUseException", &message));
        }
        let kept = self.keep_table(region, table, OPERATION)?;
        let ready = self.after(MAKING);
        let backup = self.file_backup(region, kept, name, false, ready, None)?;
        Ok(backup.point(self.data.now, false))
    }

    fn file_backup(
        &mut self,
        region: usize,
        kept: Kept,
        name: &str,
        system: bool,
        ready: Timestamp,
        expires: Option<Timestamp>,
    ) -> Result<Backup, PortError> {
        let (now, serial) = (self.data.now, self.serial());
        let seed = uuid(&["backup", &serial.to_string()]);
        let tail = seed.get(..8).unwrap_or_default();
        let id = format!("{}/backup/{:014}-{tail}", kept.arn, now.as_millisecond());
        let id = id.parse().map_err(|_| invalid("CreateBackup", "no id could be made"))?;
        let name = name.to_owned();
        let backup = Backup { region, id, name, system, created: now, ready, deleted: None, expires, kept };
        self.data.dynamo.backups.push(backup.clone());
        Ok(backup)
    }

    /// AWS: *`DeleteTable`*: "a system backup … retained for 35 days".
    pub(super) fn keep_deleted_table(&mut self, region: usize, name: &TableName) {
        if self.table(region, name).is_none_or(|table| table.recovery.is_none()) {
            return;
        }
        let now = self.data.now;
        let Ok(kept) = self.keep_table(region, name, "DeleteTable") else { return };
        let expires = now.saturating_add(SYSTEM_BACKUP).ok();
        // It always can be made: a name of a table is one of a backup.
        _ = self.file_backup(region, kept, &format!("{name}$DeletedTableBackup"), true, now, expires);
    }

    pub(super) fn is_being_backed_up(&self, region: usize, table: &TableName) -> bool {
        let now = self.data.now;
        let on_demand = self.data.dynamo.backups.iter().any(|backup| {
            backup.region == region && backup.kept.table == *table && backup.exists(now) && backup.ready > now
        });
        on_demand || self.is_being_vaulted(region, table)
    }

    /// AWS: *`ListBackups`*, all sorts, oldest first. It lags behind.
    pub(super) fn list_backups(
        &mut self,
        region: usize,
        lens: Lens,
        token: Option<&PageToken>,
    ) -> Result<Page<RecoveryPoint>, PortError> {
        self.tidy_tables();
        let (at, full) = (self.seen_at(lens, true), self.config.page_size.max(1));
        let backups = self.data.dynamo.backups.iter();
        let seen = backups.filter(|backup| backup.region == region && backup.exists(at));
        let points: Vec<RecoveryPoint> = seen.map(|backup| backup.point(at, false)).collect();
        page("ListBackups", &points, full, lens, token)
    }

    /// AWS: *`DescribeBackup`*.
    pub(super) fn describe_backup(
        &mut self,
        region: usize,
        lens: Lens,
        point: &PointId,
    ) -> Option<(RecoveryPoint, TableProfile)> {
        self.tidy_tables();
        let at = self.seen_at(lens, false);
        let found = self.backup(region, point).filter(|backup| backup.exists(at))?;
        Some((found.point(at, true), found.profile()))
    }

    fn backup(&self, region: usize, point: &PointId) -> Option<&Backup> {
        self.data.dynamo.backups.iter().find(|backup| backup.region == region && backup.id == *point)
    }

    /// AWS: *`DeleteBackup`*.
    pub(super) fn delete_backup(&mut self, region: usize, point: &PointId) -> Result<(), PortError> {
        const OPERATION: &str = "DeleteBackup";
        self.tidy_tables();
        let now = self.data.now;
        let in_use = self.data.dynamo.tables.iter().any(|table| {
            table.exists(now)
                && table.status(now) == TableStatus::Creating
                && table.origin.as_ref().and_then(|origin| origin.point.as_ref()) == Some(point)
        });
        let mut backups = self.data.dynamo.backups.iter_mut();
        let Some(backup) = backups.find(|backup| backup.region == region && backup.id == *point) else { return Ok(()) };
        if backup.deleted.is_some() {
            return Ok(());
        }
        if backup.system {
            return Err(invalid(OPERATION, "A system backup cannot be deleted"));
        }
        if in_use || backup.ready > now {
            let message = format!("The backup is either being created, deleted or restored to a table: {point}");
            return Err(refused(Class::Conflict, OPERATION, "BackupInUseException", &message));
        }
        backup.deleted = Some(now);
        Ok(())
    }

    /// AWS: *`RestoreTableFromBackup`*.
    pub(super) fn restore_backup(
        &mut self,
        region: usize,
        point: &PointId,
        to: &TableName,
    ) -> Result<TableState, PortError> {
        const OPERATION: &str = "RestoreTableFromBackup";
        self.tidy_tables();
        let now = self.data.now;
        let found = self.backup(region, point).filter(|backup| backup.exists(now)).cloned();
        let backup = found.ok_or_else(|| no_backup(OPERATION, point))?;
        if backup.ready > now {
            let message = format!("The backup is either being created, deleted or restored to a table: {point}");
            return Err(refused(Class::Conflict, OPERATION, "BackupInUseException", &message));
        }
        self.restore_kept(region, backup.kept, Some(point), to, OPERATION)
    }

    /// What a backup has becomes a table.
    pub(in crate::sim) fn restore_kept(
        &mut self,
        region: usize,
        kept: Kept,
        point: Option<&PointId>,
        to: &TableName,
        operation: &'static str,
    ) -> Result<TableState, PortError> {
        self.may_restore(region, operation)?;
        let origin = RestoreOrigin { point: point.cloned(), table: Some(kept.arn), at: kept.at, in_progress: true };
        let made = Made {
            name: to.clone(),
            settings: restored(&kept.settings),
            tags: std::collections::BTreeMap::new(),
            origin: Some(origin),
            items: kept.items,
            takes: takes(RESTORING, kept.weight),
        };
        self.make_table(region, made, operation)?;
        self.weigh(region, to, kept.weight, operation)
    }

    /// AWS: *`RestoreTableToPointInTime`*. The region of the source has to answer.
    pub(super) fn restore_to_time(
        &mut self,
        region: usize,
        source: &TableArn,
        to: &TableName,
        at: Option<Timestamp>,
    ) -> Result<TableState, PortError> {
        const OPERATION: &str = "RestoreTableToPointInTime";
        self.tidy_tables();
        let now = self.data.now;
        let here = self.data.regions[region].scope.clone();
        let there = home(source, &here).ok_or_else(|| invalid(OPERATION, "Invalid SourceTableArn"))?;
        let there = self.region(&there);
        if there != region && self.is_lost(there) {
            let message = "The source region cannot be reached.";
            return Err(refused(Class::Transient, OPERATION, "InternalServerError", message));
        }
        let name = source.name().ok_or_else(|| invalid(OPERATION, "Invalid SourceTableArn"))?;
        let missing =
            || refused(Class::NotFound, OPERATION, "TableNotFoundException", &no_table(OPERATION, &name).message);
        let table = self.table(there, &name).ok_or_else(missing)?;
        if table.status(now) == TableStatus::Creating {
            let message = format!("Table is being created: {name}");
            return Err(refused(Class::Conflict, OPERATION, "TableInUseException", &message));
        }
        let continuous = table.continuous(now);
        let (Some(earliest), Some(latest)) = (continuous.earliest, continuous.latest) else {
            let message = format!("Point in time recovery is not enabled for table '{name}'");
            return Err(refused(Class::Invalid, OPERATION, "PointInTimeRecoveryUnavailableException", &message));
        };
        let at = at.unwrap_or(latest);
        // Moments are whole seconds, and the first one has begun before.
        if at.as_second() < earliest.as_second() || at > latest {
            let message = format!("{at} is not between {earliest} and {latest}");
            return Err(refused(Class::Invalid, OPERATION, "InvalidRestoreTimeException", &message));
        }
        let (settings, items, weight) = (restored(&table.settings), table.items.all(at), table.weight);
        self.may_restore(region, OPERATION)?;
        let origin = RestoreOrigin { point: None, table: Some(source.clone()), at, in_progress: true };
        let made = Made {
            name: to.clone(),
            settings,
            tags: std::collections::BTreeMap::new(),
            origin: Some(origin),
            items,
            takes: takes(RESTORING_TO_TIME, weight),
        };
        self.make_table(region, made, OPERATION)?;
        self.weigh(region, to, weight, OPERATION)
    }

    fn weigh(
        &mut self,
        region: usize,
        name: &TableName,
        weight: u64,
        operation: &'static str,
    ) -> Result<TableState, PortError> {
        let (now, every) = (self.data.now, self.config.table_counts);
        let table = self.table_mut(region, name, operation)?;
        table.weight = weight;
        Ok(table.state(now, every))
    }

    fn may_restore(&self, region: usize, operation: &'static str) -> Result<(), PortError> {
        let now = self.data.now;
        let account = &self.data.regions[region].scope.account;
        let running = self.data.dynamo.tables.iter().filter(|table| {
            self.data.regions[table.region].scope.account == *account
                && table.origin.is_some()
                && table.exists(now)
                && table.status(now) == TableStatus::Creating
        });
        if running.count() >= RESTORES_MAX {
            let message = "Subscriber limit exceeded: there are too many restores running";
            return Err(refused(Class::Limit, operation, "LimitExceededException", message));
        }
        Ok(())
    }
}

/// Where a table is: other accounts' cannot be restored from here.
fn home(table: &TableArn, here: &Scope) -> Option<Scope> {
    let mut parts = table.as_str().split(':').skip(3);
    let (region, account) = (parts.next()?.parse().ok()?, parts.next()?);
    (account == here.account.as_str()).then(|| Scope { account: here.account.clone(), region })
}

//! `DynamoDB`, as its documentation says: tables that are busy for a while, items with their history, backups, restores.
//!
//! A table's status follows from the time: what was begun is over when its time is. What was written stays known for as
//! long as point-in-time recovery can go back, so that a restore to a moment has exactly what was there at that moment.

mod backups;
mod calls;
mod console;
mod items;
mod settings;
mod stacks;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::reads::Lens;
use super::spelling::uuid;
use super::world::World;
use crate::model::{
    AlarmDefinition, Billing, ContinuousBackups, OnDemandLimits, PointId, Region, RestoreOrigin, ScalingTarget,
    StreamView, TableArn, TableClass, TableId, TableIndex, TableKey, TableName, TableState, TableStatus,
};
use crate::ports::{Class, Page, PageToken, PortError};

pub(super) use backups::Kept;
pub use console::{BackupTruth, NewTable, TableTruth};
pub(super) use items::{Attributes, Items};
pub(super) use stacks::TABLE;

/// How long a table is being made.
const MAKING: Duration = Duration::from_secs(10);
/// How long a table is being changed.
const CHANGING: Duration = Duration::from_secs(8);
/// How long a table is being deleted.
const DELETING: Duration = Duration::from_secs(10);
/// What is gone is remembered for stale reads, and then for nothing.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);
/// How far behind a table its latest restorable moment is (AWS: *`PointInTimeRecoveryDescription`*: "typically 5 minutes").
const BEHIND: SignedDuration = SignedDuration::from_mins(5);
/// Names on a page (AWS: *`ListTables`*).
const PAGE: usize = 100;

/// All tables and backups, of all accounts and regions.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Dynamo {
    tables: Vec<Table>,
    backups: Vec<backups::Backup>,
    /// By region and name.
    alarms: Vec<(usize, AlarmDefinition)>,
}

/// What a description tells, of what can be set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) key: TableKey,
    pub(super) indexes: BTreeMap<String, TableIndex>,
    pub(super) billing: Billing,
    pub(super) class: TableClass,
    pub(super) deletion_protected: bool,
    pub(super) stream: Option<StreamView>,
    pub(super) kms_key: Option<String>,
    pub(super) replicas: BTreeSet<Region>,
    /// The most that it may use: reads and writes.
    #[serde(default)]
    pub(super) limits: Option<(Option<u64>, Option<u64>)>,
}

/// What a table is doing, and until when.
type Busy = Option<(TableStatus, Timestamp)>;

/// What was said of a table since then.
type Said = (Timestamp, Settings, Busy);

/// One incarnation of a table.
#[derive(Serialize, Deserialize)]
pub(super) struct Table {
    pub(super) region: usize,
    pub(super) name: TableName,
    pub(super) arn: TableArn,
    pub(super) id: TableId,
    created: Timestamp,
    /// When it is gone: it is being deleted until then.
    gone: Option<Timestamp>,
    /// What it is doing, and until when.
    busy: Busy,
    pub(super) settings: Settings,
    origin: Option<RestoreOrigin>,
    /// Days that point-in-time recovery goes back, and since when it is on.
    recovery: Option<(u16, Timestamp)>,
    recovery_moves: Option<Timestamp>,
    pub(super) expiry: Option<String>,
    expiry_switched: Option<Timestamp>,
    pub(super) tags: BTreeMap<String, String>,
    policy: Option<String>,
    scaling: Vec<ScalingTarget>,
    /// Kinesis data streams that its changes go to.
    #[serde(default)]
    streams_to: BTreeSet<String>,
    /// Contributor Insights is on.
    #[serde(default)]
    insights: bool,
    pub(super) items: Items,
    /// Bytes that it is said to have beside those of its items.
    weight: u64,
    class_changes: Vec<Timestamp>,
    /// What was said of it before, for stale reads.
    #[serde(skip)]
    history: VecDeque<Said>,
}

impl Table {
    fn exists(&self, at: Timestamp) -> bool {
        self.created <= at && self.gone.is_none_or(|gone| gone > at)
    }

    /// Its status then.
    fn status(&self, at: Timestamp) -> TableStatus {
        match self.busy {
            Some((status, until)) if until > at => status,
            _ => TableStatus::Active,
        }
    }

    /// As it was described then.
    fn state(&self, at: Timestamp, counts_every: Duration) -> TableState {
        let known = self.history.iter().rev().find(|(since, ..)| *since <= at);
        let (settings, busy) = known.map_or((&self.settings, self.busy), |(_, settings, busy)| (settings, *busy));
        let status = match busy {
            Some((status, until)) if until > at => status,
            _ => TableStatus::Active,
        };
        let (items, bytes) = self.counted(at, counts_every);
        let origin = self.origin.clone();
        TableState {
            name: self.name.clone(),
            arn: self.arn.clone(),
            id: self.id.clone(),
            status,
            created: Some(self.created),
            items,
            bytes,
            key: settings.key.clone(),
            indexes: settings.indexes.clone(),
            indexes_busy: BTreeSet::new(),
            billing: settings.billing,
            class: settings.class,
            deletion_protected: settings.deletion_protected,
            stream: settings.stream,
            kms_key: settings.kms_key.clone(),
            replicas: settings.replicas.clone(),
            limits: settings.limits.map(|(read, write)| OnDemandLimits { read, write }),
            restored: origin.map(|origin| RestoreOrigin { in_progress: status == TableStatus::Creating, ..origin }),
        }
    }

    /// Items and bytes as they were last counted: "approximately every six hours" (AWS: *`TableDescription`*). Nothing is
    /// counted yet in a table that is new, nor in one that was just restored.
    fn counted(&self, at: Timestamp, every: Duration) -> (u64, u64) {
        let Ok(every) = SignedDuration::try_from(every) else { return (0, 0) };
        let when = if every.is_zero() {
            at
        } else {
            let rounds = at.duration_since(self.created).as_secs() / every.as_secs().max(1);
            if rounds < 1 {
                return (0, 0);
            }
            let passed = i32::try_from(rounds).ok().and_then(|rounds| every.checked_mul(rounds));
            passed.and_then(|passed| self.created.saturating_add(passed).ok()).unwrap_or(at)
        };
        let (items, bytes) = self.items.size(when);
        (items, bytes + self.weight)
    }

    /// How far back it can be restored.
    fn continuous(&self, now: Timestamp) -> ContinuousBackups {
        let Some((days, since)) = self.recovery else {
            return ContinuousBackups { window_days: 35, ..ContinuousBackups::default() };
        };
        let reach = now.saturating_sub(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(since);
        let earliest = since.max(reach);
        let latest = now.saturating_sub(BEHIND).unwrap_or(now).max(earliest);
        ContinuousBackups { on: true, window_days: days, earliest: Some(earliest), latest: Some(latest) }
    }
}

/// What a new table is made from.
pub(super) struct Made {
    pub(super) name: TableName,
    pub(super) settings: Settings,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) origin: Option<RestoreOrigin>,
    pub(super) items: Vec<Attributes>,
    pub(super) takes: Duration,
}

impl World {
    /// This much later, at the speed of the simulation.
    pub(super) fn after(&self, duration: Duration) -> Timestamp {
        self.data.now.saturating_add(duration.div_f64(self.config.speed.max(1e-6))).unwrap_or(Timestamp::MAX)
    }

    /// As of when a read sees things: listings lag behind by themselves.
    pub(super) fn seen_at(&self, lens: Lens, lists: bool) -> Timestamp {
        let lag = if lists { self.config.listing_lag } else { Duration::ZERO };
        match lens.stale.unwrap_or_default().max(lag) {
            Duration::ZERO => self.data.now,
            age => self.ago(age),
        }
    }

    /// Tables that have been gone for long, and backups that are past their retention, are forgotten.
    fn tidy_tables(&mut self) {
        let now = self.data.now;
        let long_ago = now.saturating_sub(REMEMBERED).unwrap_or(now);
        let dynamo = &mut self.data.dynamo;
        dynamo.tables.retain(|table| table.gone.is_none_or(|gone| gone > long_ago));
        for backup in &mut dynamo.backups {
            if backup.deleted.is_none() && backup.expires.is_some_and(|expires| expires <= now) {
                backup.deleted = backup.expires;
            }
        }
    }

    fn table_at(&self, region: usize, name: &TableName, at: Timestamp) -> Option<&Table> {
        let mut tables = self.data.dynamo.tables.iter();
        tables.find(|table| table.region == region && table.name == *name && table.exists(at))
    }

    pub(super) fn table(&self, region: usize, name: &TableName) -> Option<&Table> {
        self.table_at(region, name, self.data.now)
    }

    pub(super) fn table_mut(
        &mut self,
        region: usize,
        name: &TableName,
        operation: &'static str,
    ) -> Result<&mut Table, PortError> {
        let now = self.data.now;
        let mut tables = self.data.dynamo.tables.iter_mut();
        let found = tables.find(|table| table.region == region && table.name == *name && table.exists(now));
        found.ok_or_else(|| no_table(operation, name))
    }

    /// The table, if nothing is being done to it.
    fn idle_table(
        &mut self,
        region: usize,
        name: &TableName,
        operation: &'static str,
    ) -> Result<&mut Table, PortError> {
        let now = self.data.now;
        let table = self.table_mut(region, name, operation)?;
        match table.status(now) {
            TableStatus::Active => Ok(table),
            status => {
                let message =
                    format!("Attempt to change a resource which is still in use: Table is being {status}: {name}");
                Err(refused(Class::Conflict, operation, "ResourceInUseException", &message))
            }
        }
    }

    /// Writes down what is said of a table from now on.
    pub(super) fn table_moved(&mut self, region: usize, name: &TableName) {
        self.announce_call(region, "dynamodb", "UpdateTable", &serde_json::json!({ "tableName": name.as_str() }));
        let (now, kept) = (self.data.now, self.config.history);
        let mut tables = self.data.dynamo.tables.iter_mut();
        let found = tables.find(|table| table.region == region && table.name == *name && table.exists(now));
        if let Some(table) = found.filter(|_| kept > 0) {
            if table.history.len() >= kept {
                table.history.pop_front();
            }
            table.history.push_back((now, table.settings.clone(), table.busy));
        }
    }

    /// AWS: *`CreateTable`*, and the beginning of every restore.
    pub(super) fn make_table(
        &mut self,
        region: usize,
        made: Made,
        operation: &'static str,
    ) -> Result<TableState, PortError> {
        self.tidy_tables();
        if self.table(region, &made.name).is_some() {
            let message = format!("Table already exists: {}", made.name);
            let code = if made.origin.is_some() { "TableAlreadyExistsException" } else { "ResourceInUseException" };
            return Err(refused(Class::Conflict, operation, code, &message));
        }
        let (now, serial) = (self.data.now, self.serial());
        let scope = self.data.regions[region].scope.clone();
        let arn = format!("arn:aws:dynamodb:{}:{}:table/{}", scope.region, scope.account, made.name);
        let bad = |_| refused(Class::Invalid, operation, "ValidationException", "Invalid table name");
        let mut items = Items::default();
        for attributes in made.items {
            items.put(&made.settings.key, attributes, now);
        }
        let name = made.name.clone();
        self.data.dynamo.tables.push(Table {
            region,
            name: made.name,
            arn: arn.parse().map_err(bad)?,
            id: uuid(&["table", &serial.to_string()]).parse().map_err(bad)?,
            created: now,
            gone: None,
            busy: Some((TableStatus::Creating, self.after(made.takes))),
            settings: made.settings,
            origin: made.origin,
            recovery: None,
            recovery_moves: None,
            expiry: None,
            expiry_switched: None,
            tags: made.tags,
            policy: None,
            scaling: Vec::new(),
            streams_to: BTreeSet::new(),
            insights: false,
            items,
            weight: 0,
            class_changes: Vec::new(),
            history: VecDeque::new(),
        });
        self.table_moved(region, &name);
        self.table_returns(region, &name);
        let every = self.config.table_counts;
        let table = self.table_mut(region, &name, operation)?;
        Ok(table.state(now, every))
    }

    /// AWS: *`DeleteTable`*. A table with point-in-time recovery leaves a system backup behind.
    pub(super) fn delete_table(&mut self, region: usize, name: &TableName) -> Result<(), PortError> {
        const OPERATION: &str = "DeleteTable";
        self.tidy_tables();
        let now = self.data.now;
        let until = self.after(DELETING);
        let table = match self.table_mut(region, name, OPERATION) {
            Err(error) if error.class == Class::NotFound => return Ok(()),
            table => table?,
        };
        if table.settings.deletion_protected {
            let message = format!(
                "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first: {name}"
            );
            return Err(refused(Class::Invalid, OPERATION, "ValidationException", &message));
        }
        match table.status(now) {
            TableStatus::Deleting => return Ok(()),
            TableStatus::Active => {}
            status => {
                let message =
                    format!("Attempt to change a resource which is still in use: Table is being {status}: {name}");
                return Err(refused(Class::Conflict, OPERATION, "ResourceInUseException", &message));
            }
        }
        if self.is_being_backed_up(region, name) {
            let message = format!("A backup of the table is being made: {name}");
            return Err(refused(Class::Conflict, OPERATION, "ResourceInUseException", &message));
        }
        self.keep_deleted_table(region, name);
        let table = self.table_mut(region, name, OPERATION)?;
        table.busy = Some((TableStatus::Deleting, until));
        table.gone = Some(until);
        self.table_moved(region, name);
        self.table_drifts(region, name, None);
        Ok(())
    }

    /// AWS: *`ListTables`*. A token is the last name that was given.
    fn list_tables(&mut self, region: usize, lens: Lens, page: Option<&PageToken>) -> Page<TableName> {
        self.tidy_tables();
        let at = self.seen_at(lens, true);
        let mut names: Vec<TableName> = self
            .data
            .dynamo
            .tables
            .iter()
            .filter(|table| table.region == region && table.exists(at))
            .map(|table| table.name.clone())
            .filter(|name| page.is_none_or(|after| name.as_str() > after.as_str()))
            .collect();
        names.sort();
        let size = lens.size(PAGE.min(self.config.page_size.max(1)), names.len());
        let more = names.len() > size;
        names.truncate(size);
        let last = names.last().map(ToString::to_string).or(page.cloned()).unwrap_or_default();
        Page { items: names, next: more.then_some(last) }
    }

    fn describe_table(&mut self, region: usize, lens: Lens, name: &TableName) -> Option<TableState> {
        let at = self.seen_at(lens, false);
        let every = self.config.table_counts;
        self.table_at(region, name, at).map(|table| table.state(at, every))
    }

    /// When the newest backup of a table was made, on demand: what a guard asks for before a table is replaced.
    /// Those of an earlier table of that name have nothing of this one.
    pub(super) fn newest_table_backup(&self, region: usize, table: &str) -> Option<Timestamp> {
        let now = self.data.now;
        let id = &self.table(region, &table.parse().ok()?)?.id;
        let of_it = self.data.dynamo.backups.iter().filter(|backup| {
            backup.region == region && backup.kept.table_id == *id && backup.deleted.is_none() && backup.ready <= now
        });
        of_it.map(|backup| backup.created).max()
    }
}

pub(super) fn refused(class: Class, operation: &'static str, code: &str, message: &str) -> PortError {
    PortError::new(class, operation, message).with_code(code)
}

pub(super) fn invalid(operation: &'static str, message: &str) -> PortError {
    refused(Class::Invalid, operation, "ValidationException", message)
}

fn no_table(operation: &'static str, name: &TableName) -> PortError {
    let message = format!("Requested resource not found: Table: {name} not found");
    refused(Class::NotFound, operation, "ResourceNotFoundException", &message)
}

fn no_backup(operation: &'static str, point: &PointId) -> PortError {
    refused(Class::NotFound, operation, "BackupNotFoundException", &format!("Backup not found: {point}"))
}

//! A backup policy: which tables it covers, how they are kept restorable, was seen of them, is remembered and done.
//!
//! One object is one policy over many tables. What it covers is decided at every look, so that a table that is new and
//! matches is covered without anybody having to think of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Address, Digest, Key, Region, Scope, TableName, Text, VaultName};

mod in_place;
mod keep;
mod left;
mod memory;
mod name;
mod plans;
mod restore;
mod schedule;
mod seen;
mod step;

pub use in_place::{InPlace, Replaced};
pub use keep::KeepSettings;
pub use left::{LeftTable, LeftTables};
pub use memory::{BackupMemory, FailedRestore, PendingBackup, PendingCopy, PointMemory, TableMemory};
pub use name::{ITEMS_TAG, PROFILE_TAG, PointName, SLOT_TAG};
pub use plans::{TagCondition, VaultCopy, VaultPlan, VaultRule, VaultSelection};
pub use restore::{
    BeginRestore, Comparison, Counted, ItemCount, Proof, RESTORED_TAG, Restore, RestoreDo, RestoreFrom, RestoreNote,
    RestoreStep, RestoreWhy, Setting, TEST_PREFIX,
};
pub use schedule::{Schedule, WrongSchedule};
pub use seen::{AlarmsRead, BackupNeed, BackupsSeen, Coverage, CoveredTable, PointsListed, ProfileSeen, TableSeen};
pub use step::{
    BackupDo, BackupNote, BackupStep, CopyPoint, ExpirePoint, MakeBackup, MakeWay, Noted, ProtectTable, SetRecovery,
    Tried,
};

/// A backup policy as its manifest wants it.
#[derive(Clone, Debug)]
pub struct BackupSpec {
    /// Its address.
    pub key: Key,
    /// Account and region of the tables.
    pub scope: Scope,
    /// Which tables it covers.
    pub tables: TableSelection,
    /// Of those, the ones that it does not.
    pub except: BTreeSet<TableName>,
    /// Days that point-in-time recovery goes back: 1 to 35. Absent: not managed.
    pub recovery_days: Option<u16>,
    /// Deletion protection is switched on. It is never switched off.
    pub deletion_protection: bool,
    /// When backups are made; never by itself without it.
    pub schedule: Option<Schedule>,
    /// How long recovery points are kept; for ever without it.
    pub retention: Option<Retention>,
    /// Where recovery points that can be copied are kept.
    pub vault: Option<VaultSpec>,
    /// Regions with copies, each with the vault there.
    pub copy_to: BTreeMap<Region, VaultName>,
    /// When it is tried whether recovery points can be restored.
    pub verify: Option<VerifySpec>,
    /// Recovery objectives.
    pub objectives: Objectives,
    /// Everything it waits for.
    pub depends_on: BTreeSet<Key>,
    /// Digest of all that the manifest says of it.
    pub digest: Digest,
}

impl BackupSpec {
    /// Where it is, and what it covers, in words.
    #[must_use]
    pub fn address(&self) -> Address {
        Address { scope: self.scope.clone(), name: self.tables.to_string().into() }
    }

    /// It makes recovery points.
    #[must_use]
    pub fn makes_points(&self) -> bool {
        self.schedule.is_some()
    }
}

/// Which tables a policy covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TableSelection {
    /// Every table of a stack, and of the stacks within it.
    Stack(Key),
    /// These.
    Names(Vec<Text>),
    /// Every table whose name begins so.
    Prefix(String),
    /// Every table that carries all of these tags.
    Tagged(BTreeMap<String, String>),
}

impl fmt::Display for TableSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stack(stack) => write!(f, "tables of stack {}", stack.name),
            Self::Names(names) if names.len() == 1 => f.write_str("1 table"),
            Self::Names(names) => write!(f, "{} tables", names.len()),
            Self::Prefix(prefix) => write!(f, "tables {prefix}*"),
            Self::Tagged(tags) => {
                let tags: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
                write!(f, "tables with {}", tags.join(", "))
            }
        }
    }
}

/// How long recovery points are kept: whatever one of these keeps, stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Retention {
    /// The newest so many; one at least.
    pub last: u16,
    /// The newest of each of so many days that have one.
    pub daily: u16,
    /// Likewise of weeks, which begin on Mondays.
    pub weekly: u16,
    /// Likewise of months.
    pub monthly: u16,
    /// Nothing younger than this goes.
    pub min_age: Duration,
    /// The newest so many of those that a restore test has proven.
    pub keep_verified: u16,
}

/// A vault of AWS Backup, and who puts recovery points there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VaultSpec {
    /// Its name.
    pub name: VaultName,
    /// The role that AWS Backup takes.
    pub role: Text,
}

/// When it is tried whether recovery points can be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifySpec {
    /// How often for each table.
    pub every: Duration,
    /// How many items are compared.
    pub sample: u32,
    /// Which recovery point is restored.
    pub point: TestedPoint,
    /// How many of a thousand items may differ for each day of the point's age: the table has gone on since.
    pub tolerance_milli: u32,
}

/// Which recovery point a restore test restores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TestedPoint {
    /// The newest.
    #[default]
    Newest,
    /// Any one.
    Random,
}

/// Recovery objectives. A measured figure over its objective is no readiness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Objectives {
    /// Maximum duration of a restore.
    pub rto: Option<Duration>,
    /// Maximum age of the restored data.
    pub rpo: Option<Duration>,
}

//! What AWS says of tables and recovery points.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::{Comparison, Counted};
use crate::model::{
    AlarmDefinition, ContinuousBackups, JobId, Key, Need, PointId, RecoveryPoint, Scope, Seen, StackAddress, StackId,
    TableId, TableName, TableProfile, TableState, Unread, VaultJob, VaultName,
};

/// A table, and how far back it can be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSeen {
    /// When it was read.
    pub at: Timestamp,
    /// The table.
    pub state: TableState,
    /// Its point-in-time recovery.
    pub recovery: ContinuousBackups,
}

/// Recovery points, as of a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointsListed {
    /// When they were listed.
    pub at: Timestamp,
    /// Those that are of this environment.
    pub points: Vec<RecoveryPoint>,
    /// Those in the vault that are not: copies that other environments have sent there, and what backup plans make. With
    /// their tags, as far as these were read.
    pub others: Vec<RecoveryPoint>,
    /// Tables with points of which it is not known whose they are, and why.
    pub unread: BTreeMap<TableName, String>,
}

/// All settings of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileSeen {
    /// Which incarnation.
    pub id: TableId,
    /// Something of it is being changed.
    pub busy: bool,
    /// The settings.
    pub profile: TableProfile,
    /// What of them could not be read, by name.
    pub unread: BTreeMap<String, Unread>,
}

/// The alarms on tables, or why they are not known.
pub type AlarmsRead = Result<Arc<[AlarmDefinition]>, Unread>;

/// What was seen of tables and recovery points.
#[derive(Clone, Debug, Default)]
pub struct BackupsSeen {
    /// Names of all tables.
    pub tables: BTreeMap<Scope, Seen<BTreeSet<TableName>>>,
    /// Tables of a stack and of the stacks within it, by their names; each with its logical id.
    pub of_stacks: BTreeMap<(StackAddress, StackId), Seen<BTreeMap<TableName, String>>>,
    /// Tags.
    pub tags: BTreeMap<(Scope, TableName), Seen<BTreeMap<String, String>>>,
    /// Tables that were asked for by name.
    pub described: BTreeMap<(Scope, TableName), Seen<TableSeen>>,
    /// On-demand backups of this environment's policies, by their names.
    pub points: BTreeMap<Scope, Seen<PointsListed>>,
    /// Recovery points in vaults that are of this environment's policies, with their tags.
    pub vaults: BTreeMap<(Scope, VaultName), Seen<PointsListed>>,
    /// Alarms on tables: one list for all tables of an account and region.
    pub alarms: BTreeMap<Scope, AlarmsRead>,
    /// All settings of tables.
    pub profiles: BTreeMap<(Scope, TableName), Seen<ProfileSeen>>,
    /// How items of a table compare with those of one that was restored from it.
    pub compared: BTreeMap<(Scope, TableName, TableName, u32), Seen<Comparison>>,
    /// How many items tables were counted to have.
    pub counted: BTreeMap<(Scope, TableName), Seen<Counted>>,
    /// Settings that are kept in a bucket, by the object that has them.
    pub settings: BTreeMap<(Scope, String, String), Seen<String>>,
    /// On-demand backups that were asked for by name, and the settings that AWS keeps with them.
    pub kept: BTreeMap<(Scope, PointId), Seen<(RecoveryPoint, TableProfile)>>,
    /// What AWS Backup says of how to restore a recovery point.
    pub metadata: BTreeMap<(Scope, PointId), Seen<BTreeMap<String, String>>>,
    /// Restore jobs.
    pub restores: BTreeMap<(Scope, JobId), Seen<VaultJob>>,
    /// Backup jobs.
    pub jobs: BTreeMap<(Scope, JobId), Seen<VaultJob>>,
    /// Copy jobs.
    pub copies: BTreeMap<(Scope, JobId), Seen<VaultJob>>,
}

/// Which policies cover which tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Every table.
    pub tables: BTreeMap<(Scope, TableName), CoveredTable>,
    /// What could not be seen.
    pub unknown: Vec<String>,
}

/// What covers a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoveredTable {
    /// The policy.
    pub by: Option<Key>,
    /// The policy that excludes it.
    pub excepted: Option<Key>,
    /// It is being restored in place: until that has ended it is neither protected nor backed up.
    pub restoring: bool,
}

/// What must be known to decide on a backup policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BackupNeed {
    /// Which tables an account and region has.
    Tables(Scope),
    /// Which tables a stack has.
    OfStack(StackAddress, StackId),
    /// The tags of a table.
    Tags(Scope, TableName),
    /// One table and its point-in-time recovery.
    Table(Scope, TableName),
    /// Which on-demand backups of ours there are.
    Points(Scope),
    /// Which recovery points of ours there are in a vault. The tags of these are known.
    Vault(Scope, VaultName, BTreeSet<PointId>),
    /// How far a backup job is.
    Job(Scope, JobId),
    /// All settings of a table.
    Profile(Scope, TableName),
    /// How so many items of a table compare with those of one that was restored from it.
    Compare(Scope, TableName, TableName, u32),
    /// How many items a table has, as far as they are counted.
    Count(Scope, TableName),
    /// One on-demand backup, and the settings that AWS keeps with it.
    Point(Scope, PointId),
    /// The settings that an object in a bucket has.
    Settings(Scope, String, String),
    /// How a recovery point in a vault is to be restored.
    Metadata(Scope, VaultName, PointId),
    /// How far a restore job is.
    RestoreJob(Scope, JobId),
    /// How far a copy job is.
    CopyJob(Scope, JobId),
}

impl From<BackupNeed> for Need {
    fn from(need: BackupNeed) -> Self {
        Self::Backup(need)
    }
}

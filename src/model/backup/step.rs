//! What is done for a backup policy: each step to a batch of tables, every one with its own precondition and its own
//! outcome, so that one that fails holds up no other.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::{KeepSettings, RestoreDo, RestoreNote, RestoreStep};
use crate::model::{
    Act, Digest, Failure, PointId, PointKeeper, Region, TableArn, TableId, TableName, TableProfile, VaultName,
};

/// A step of a backup policy.
#[derive(Clone, Debug)]
pub struct BackupStep {
    /// What to do.
    pub action: BackupDo,
}

/// What is done.
#[derive(Clone, Debug)]
pub enum BackupDo {
    /// Switches point-in-time recovery on, or changes its window.
    Recover(Vec<SetRecovery>),
    /// Switches deletion protection on.
    Protect(Vec<ProtectTable>),
    /// Makes backups.
    Make(Vec<MakeBackup>),
    /// Restores tables into new ones.
    Restore(Vec<RestoreStep>),
    /// Copies recovery points to other regions.
    Copy(Vec<CopyPoint>),
    /// Keeps settings of tables beside their recovery points, or lets them go with these.
    Keep(Vec<KeepSettings>),
    /// Deletes recovery points whose retention is over.
    Expire(Vec<ExpirePoint>),
    /// Writes down what was found out.
    Note(Vec<BackupNote>),
}

/// Point-in-time recovery of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetRecovery {
    /// The table.
    pub table: TableName,
    /// Which incarnation.
    pub id: TableId,
    /// The window that it had when it was seen, in days; none: it was off.
    pub from: Option<u16>,
    /// The window that it gets.
    pub to: u16,
}

/// Deletion protection of a table, which it had not when it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectTable {
    /// The table.
    pub table: TableName,
    /// Which incarnation.
    pub id: TableId,
}

/// A backup of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MakeBackup {
    /// The table.
    pub table: TableName,
    /// Its ARN.
    pub arn: TableArn,
    /// Which incarnation.
    pub id: TableId,
    /// For when.
    pub slot: Timestamp,
    /// Which settings are kept with it.
    pub profile: Option<String>,
    /// Those settings, where they are not kept yet.
    pub settings: Option<Box<TableProfile>>,
    /// How many items its table has by AWS's count, where it is kept in a vault.
    pub items: Option<u64>,
    /// How.
    pub way: MakeWay,
}

/// How a backup is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MakeWay {
    /// By `DynamoDB`, under this name.
    OnDemand {
        /// The name: it stands in for an idempotency token.
        name: String,
    },
    /// By AWS Backup.
    Vault {
        /// Where it is kept.
        vault: VaultName,
        /// The role that AWS Backup takes.
        role: String,
        /// Idempotency token.
        token: String,
        /// Its tags.
        tags: BTreeMap<String, String>,
    },
}

impl MakeWay {
    /// What it is found by again: its name, or the token of its job.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::OnDemand { name } => name,
            Self::Vault { token, .. } => token,
        }
    }
}

/// A copy of a recovery point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyPoint {
    /// The table.
    pub table: TableName,
    /// Which point.
    pub point: PointId,
    /// The vault that has it.
    pub from: VaultName,
    /// The region that gets it.
    pub region: Region,
    /// The ARN of the vault there.
    pub to: String,
    /// The role that AWS Backup takes.
    pub role: String,
    /// Idempotency token.
    pub token: String,
}

/// A recovery point that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpirePoint {
    /// The table.
    pub table: TableName,
    /// Which point.
    pub point: PointId,
    /// Where it is kept.
    pub keeper: PointKeeper,
    /// In which region.
    pub region: Region,
    /// Its scheduled time.
    pub slot: Timestamp,
    /// The name that it must have still, where it has one.
    pub name: Option<String>,
    /// Which settings are kept with it.
    pub profile: Option<String>,
}

/// Something that is tried for a table: what its failures are counted under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Among other things that are tried for the table.
    pub label: String,
    /// Names exactly what: another one begins anew.
    pub inputs: Digest,
}

impl Tried {
    fn new(label: String, what: &impl Serialize) -> Self {
        Self { inputs: Digest::of(&(&label, what)), label }
    }

    /// Point-in-time recovery is set.
    #[must_use]
    pub fn recovery(from: Option<u16>, to: u16) -> Self {
        Self::new("recover".to_owned(), &(from, to))
    }

    /// Deletion protection is switched on.
    #[must_use]
    pub fn protection() -> Self {
        Self::new("protect".to_owned(), &true)
    }

    /// A backup is made.
    #[must_use]
    pub fn backup(slot: Timestamp) -> Self {
        Self::new("back-up".to_owned(), &slot.as_second())
    }

    /// A table is restored.
    #[must_use]
    pub fn restore(to: &TableName) -> Self {
        Self::new("restore".to_owned(), to)
    }

    /// A point is copied.
    #[must_use]
    pub fn copy(point: &PointId, region: &Region) -> Self {
        Self::new(format!("copy {region}"), point)
    }

    /// Settings are kept with a point, or go.
    #[must_use]
    pub fn keeping(one: &KeepSettings) -> Self {
        Self::new(Self::keeping_label(&one.point), &(&one.bucket, one.settings.is_some()))
    }

    /// What that is counted under.
    #[must_use]
    pub fn keeping_label(point: &PointId) -> String {
        format!("keep {point}")
    }

    /// A point is deleted.
    #[must_use]
    pub fn expiry(point: &PointId) -> Self {
        Self::new(format!("expire {point}"), &true)
    }
}

/// Something that was found out about a table's backups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupNote {
    /// The table.
    pub table: TableName,
    /// What.
    pub what: Noted,
}

/// What was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noted {
    /// The backup that was begun is there.
    Made {
        /// Which point it is.
        point: PointId,
        /// For when.
        slot: Timestamp,
        /// When AWS began to make it.
        created: Timestamp,
        /// Which settings are kept with it.
        profile: Option<String>,
        /// How many items its table had, where it says so.
        items: Option<u64>,
    },
    /// The backup that was begun is not there, and will not be: another one may be made.
    Lost,
    /// It has failed.
    Failed(Tried, Failure),
    /// A recovery point in a vault is ours: its tags need not be read again.
    Known {
        /// Which.
        point: PointId,
        /// For when.
        slot: Timestamp,
        /// When AWS began to make it.
        created: Timestamp,
        /// Which settings are kept with it.
        profile: Option<String>,
        /// How many items its table had, where it says so.
        items: Option<u64>,
    },
    /// A copy job has ended: its copy is listed, or it has failed.
    Copied {
        /// Of which point.
        point: PointId,
        /// Where.
        region: Region,
        /// How it failed, if it did: what was tried, and why.
        failed: Option<(Tried, Failure)>,
    },
    /// Recovery points that do not exist any more.
    Gone(BTreeSet<PointId>),
    /// Something about the restore that makes this table.
    Restore(RestoreNote),
    /// The table is not covered any more, and has nothing that is worth remembering.
    Left,
}

impl BackupDo {
    /// The tables that it is done to.
    #[must_use]
    pub fn tables(&self) -> BTreeSet<&TableName> {
        match self {
            Self::Recover(list) => list.iter().map(|one| &one.table).collect(),
            Self::Protect(list) => list.iter().map(|one| &one.table).collect(),
            Self::Make(list) => list.iter().map(|one| &one.table).collect(),
            Self::Restore(list) => list.iter().map(|one| &one.to).collect(),
            Self::Copy(list) => list.iter().map(|one| &one.table).collect(),
            Self::Keep(list) => list.iter().map(|one| &one.table).collect(),
            Self::Expire(list) => list.iter().map(|one| &one.table).collect(),
            Self::Note(list) => list.iter().map(|one| &one.table).collect(),
        }
    }

    /// It takes nothing away and changes nothing that runs: where changes need approval, backups go on.
    #[must_use]
    pub fn only_adds(&self) -> bool {
        matches!(self, Self::Make(_) | Self::Restore(_) | Self::Copy(_) | Self::Keep(_) | Self::Note(_))
    }

    /// It takes empty tables away whose names restores need. A person has asked for that by name.
    #[must_use]
    pub fn clears(&self) -> bool {
        matches!(self, Self::Restore(list) if list.iter().any(|one| one.action.clears()))
    }

    /// It makes recovery points, or deletes them: a listing of before is out of date.
    #[must_use]
    pub fn moves_points(&self) -> bool {
        matches!(self, Self::Make(_) | Self::Copy(_) | Self::Expire(_))
    }
}

impl Act for BackupStep {
    fn verb(&self) -> &'static str {
        match &self.action {
            BackupDo::Recover(_) => "recover",
            BackupDo::Protect(_) => "protect",
            BackupDo::Make(_) => "back-up",
            BackupDo::Restore(list) => match list.first().map(|one| &one.action) {
                Some(RestoreDo::Begin(_)) | None => "restore",
                Some(RestoreDo::Mark { .. }) => "mark-restored",
                Some(RestoreDo::Set { .. }) => "set-restored",
                Some(RestoreDo::Remove { .. }) => "remove-restored",
                Some(RestoreDo::Unprotect { .. }) => "unprotect-empty",
                Some(RestoreDo::Clear { .. }) => "delete-empty",
            },
            BackupDo::Copy(_) => "copy",
            BackupDo::Keep(_) => "keep-settings",
            BackupDo::Expire(_) => "expire",
            BackupDo::Note(_) => "note",
        }
    }

    fn identity(&self) -> String {
        let each: Vec<String> = match &self.action {
            BackupDo::Recover(list) => list.iter().map(|one| format!("{}={}", one.table, one.to)).collect(),
            BackupDo::Protect(list) => list.iter().map(|one| one.table.to_string()).collect(),
            BackupDo::Make(list) => list.iter().map(|one| format!("{} {}", one.table, one.way.name())).collect(),
            BackupDo::Restore(list) => list.iter().map(|one| format!("{} {:?}", one.to, one.action)).collect(),
            BackupDo::Copy(list) => list.iter().map(|one| one.token.clone()).collect(),
            BackupDo::Keep(list) => list.iter().map(|one| format!("{} {}", one.key, one.settings.is_some())).collect(),
            BackupDo::Expire(list) => list.iter().map(|one| one.point.to_string()).collect(),
            BackupDo::Note(list) => list.iter().map(|one| format!("{one:?}")).collect(),
        };
        format!("{} {}", self.verb(), each.join(","))
    }

    fn mutates(&self) -> bool {
        !matches!(self.action, BackupDo::Note(_))
    }

    fn begins_operation(&self) -> bool {
        false
    }

    fn is_preparation(&self) -> bool {
        matches!(self.action, BackupDo::Note(_))
    }
}

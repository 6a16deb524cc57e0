//! Recovery points: what a table can be restored from.
//!
//! There are two sorts, and AWS has an API for each. An *on-demand backup* is `DynamoDB`'s: made in an instant, kept
//! until it is deleted, in its region. A *recovery point* of AWS Backup is kept in a vault, takes minutes, and alone can
//! be copied to another region.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::aws::{InvalidName, identifier};
use super::ecs::words;
use super::{Region, TableArn, TableName};

identifier! {
    /// The ARN of an on-demand backup or of a recovery point in a vault.
    PointId, "a backup ARN",
    |text| text.starts_with("arn:") && (text.contains("/backup/") || text.contains(":recovery-point:"))
}

impl PointId {
    /// An on-demand backup of `DynamoDB`; otherwise it is in a vault.
    #[must_use]
    pub fn is_on_demand(&self) -> bool {
        self.as_str().contains("/backup/")
    }

    /// AWS Backup alone manages it, so that it can have tags (AWS: *AWS Backup, `ListTags`*: "include only values
    /// representing resource types that are fully managed by AWS Backup. These have an ARN that begins `arn:aws:backup`").
    #[must_use]
    pub fn is_taggable(&self) -> bool {
        self.as_str().split(':').nth(2) == Some("backup")
    }

    /// The region that it is in.
    #[must_use]
    pub fn region(&self) -> Option<Region> {
        self.as_str().split(':').nth(3)?.parse().ok()
    }
}

identifier! {
    /// The name of a backup vault (AWS: *`CreateBackupVault`*).
    VaultName, "the name of a backup vault (2 to 50 letters, digits, hyphens and underscores)",
    |text| {
        (2..=50).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    }
}

identifier! {
    /// The id of a job of AWS Backup.
    JobId, "the id of a backup job",
    |text| !text.is_empty()
}

words! {
    /// How far a recovery point is (AWS: *`BackupDetails`*, `BackupStatus`, and *`RecoveryPointByBackupVault`*,
    /// `Status`, whose `COMPLETED` is `AVAILABLE` here).
    PointStatus, "a status of a backup", {
        /// It is being made.
        Creating = "CREATING",
        /// It can be restored.
        Available = "AVAILABLE",
        /// It was not made as a whole: it cannot be restored.
        Partial = "PARTIAL",
        /// It is deleted, or on the way.
        Deleted = "DELETED",
        /// Its retention is over, and AWS could not delete it.
        Expired = "EXPIRED",
        /// A status that AWS did not document when this was written.
        Unclear = "UNKNOWN",
    }
}

words! {
    /// How far a job of AWS Backup is (AWS: *`BackupJob`*, *`CopyJob`*, `State`; *`RestoreJobsListMember`*, `Status`).
    JobState, "a state of a backup job", {
        /// It was asked for.
        Created = "CREATED",
        /// It waits.
        Pending = "PENDING",
        /// It runs.
        Running = "RUNNING",
        /// It is being ended.
        Aborting = "ABORTING",
        /// It was ended.
        Aborted = "ABORTED",
        /// It has done what was asked.
        Completed = "COMPLETED",
        /// It has not.
        Failed = "FAILED",
        /// Its time was over before it began.
        Expired = "EXPIRED",
        /// It has done a part.
        Partial = "PARTIAL",
    }
}

impl JobState {
    /// It moves by itself.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Created | Self::Pending | Self::Running | Self::Aborting)
    }
}

/// Where a recovery point is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PointKeeper {
    /// With its table: an on-demand backup.
    Table,
    /// In a vault of AWS Backup.
    Vault(VaultName),
}

/// What AWS says of a recovery point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryPoint {
    /// Which.
    pub id: PointId,
    /// Where it is kept.
    pub keeper: PointKeeper,
    /// The table.
    pub table: TableName,
    /// The table's ARN.
    pub table_arn: TableArn,
    /// The name it was given: on-demand backups have one.
    pub name: Option<String>,
    /// How far it is.
    pub status: PointStatus,
    /// When it was asked for: what was written within about a minute of it may be in it or not (AWS: *`CreateBackup`*).
    pub created: Timestamp,
    /// When it was done; AWS does not say it of on-demand backups, which are done at once.
    pub completed: Option<Timestamp>,
    /// Its bytes.
    pub bytes: Option<u64>,
    /// Items that its table had by AWS's count of within about six hours before, where that is kept: by AWS with on-demand
    /// backups (*`DescribeBackup`*), by us in a tag of those in a vault.
    pub items: Option<u64>,
    /// When AWS deletes it by itself, if it does.
    pub expires: Option<Timestamp>,
    /// Its tags; `None` where they were not read. On-demand backups cannot have any.
    pub tags: Option<BTreeMap<String, String>>,
}

impl RecoveryPoint {
    /// It can be restored.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.status == PointStatus::Available
    }
}

/// A job of AWS Backup: a backup, a copy or a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultJob {
    /// Which.
    pub id: JobId,
    /// How far it is.
    pub state: JobState,
    /// What AWS says of it.
    pub message: Option<String>,
    /// The recovery point that it makes or made: of a copy, the copy.
    pub point: Option<PointId>,
    /// What a restore makes or made.
    pub table: Option<TableArn>,
    /// When it was asked for.
    pub created: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sorts_of_backups_have_an_id() {
        for id in [
            "arn:aws:dynamodb:us-east-1:111122223333:table/people/backup/01700000000000-abcdef01",
            "arn:aws:backup:us-west-2:111122223333:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45",
        ] {
            assert!(id.parse::<PointId>().is_ok(), "{id}");
        }
        assert!("arn:aws:dynamodb:us-east-1:111122223333:table/people".parse::<PointId>().is_err());
    }
}

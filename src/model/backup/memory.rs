//! What is remembered of a backup policy: what was begun, and what no listing says of a recovery point.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Proof, Restore};
use crate::model::{Attempts, JobId, Key, PointId, Region, TableName, TableProfile, Taken};

/// What is remembered of a backup policy. Losing it costs calls, and the proof that points can be restored: whose a point
/// is and for when it was made, is in its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackupMemory {
    /// By table.
    pub tables: BTreeMap<TableName, TableMemory>,
    /// A person has asked for a backup, then.
    pub asked: Option<Timestamp>,
    /// When points were expired within the last hour.
    pub expired: Vec<Timestamp>,
    /// Tables that are restored, or were lately, by the new table.
    pub restores: BTreeMap<TableName, Restore>,
    /// What the last restore test has shown, by table.
    pub proofs: BTreeMap<TableName, Proof>,
    /// Restores and tests that had failed until then, a person was told of.
    pub told: Option<Timestamp>,
    /// A person has asked for a restore test of a table, then.
    pub verify_asked: BTreeMap<TableName, Timestamp>,
    /// A person has asked for one of every table that is covered, then.
    pub verify_all: Option<Timestamp>,
    /// Settings that are kept with recovery points, by the beginning of their digest.
    pub profiles: BTreeMap<String, TableProfile>,
    /// What it depends on.
    pub depends_on: BTreeSet<Key>,
}

/// A restore, or a restore test, that has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FailedRestore<'a> {
    /// When it had failed.
    pub at: Timestamp,
    /// The table that was to be restored.
    pub table: &'a TableName,
    /// The new table; `None` for a restore test, whose table goes again.
    pub to: Option<&'a TableName>,
    /// Why.
    pub why: &'a str,
}

impl BackupMemory {
    /// Restores that have failed and of which nobody was told, and the restore tests that failed last, the oldest first.
    #[must_use]
    pub fn failed_restores(&self) -> Vec<FailedRestore<'_>> {
        let restores = self.restores.iter().filter(|(_, restore)| !restore.is_test());
        let restores = restores.filter_map(|(to, restore)| {
            let (at, why) = restore.ended.as_ref()?;
            Some(FailedRestore { at: *at, table: &restore.table, to: Some(to), why: why.as_deref()? })
        });
        let proofs = self.proofs.iter().filter_map(|(table, proof)| {
            Some(FailedRestore { at: proof.at, table, to: None, why: proof.failed.as_deref()? })
        });
        let mut failed: Vec<_> = restores.filter(|failed| !self.is_told(failed)).chain(proofs).collect();
        failed.sort();
        failed
    }

    /// A person was told of it.
    #[must_use]
    pub fn is_told(&self, failed: &FailedRestore<'_>) -> bool {
        self.told.is_some_and(|told| failed.at <= told)
    }
}

/// What is remembered of one table of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TableMemory {
    /// A backup that was begun, and not seen to be there.
    pub pending: Option<PendingBackup>,
    /// What a listing does not say of recovery points, or not yet.
    pub points: BTreeMap<PointId, PointMemory>,
    /// Failures, by what was tried ([`Tried`](super::Tried)).
    pub attempts: BTreeMap<String, Attempts>,
    /// What was done to its settings, by the same names.
    pub taken: BTreeMap<String, Taken>,
}

/// A backup that was begun: written down before the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingBackup {
    /// For when.
    pub slot: Timestamp,
    /// Its name, or the token of its job.
    pub name: String,
    /// When it was begun.
    pub started: Timestamp,
    /// The job, where AWS Backup makes it and its answer was not lost.
    pub job: Option<JobId>,
    /// Which settings are kept with it.
    #[serde(default)]
    pub profile: Option<String>,
    /// How many items its table had by AWS's count, where it is kept in a vault.
    #[serde(default)]
    pub items: Option<u64>,
}

/// A copy that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingCopy {
    /// The token of its job.
    pub token: String,
    /// When it was begun.
    pub started: Timestamp,
    /// The job, where its answer was not lost.
    pub job: Option<JobId>,
}

/// What a listing does not say of a recovery point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointMemory {
    /// Its scheduled time.
    pub slot: Timestamp,
    /// When AWS began to make it.
    pub created: Timestamp,
    /// When this was written down: a listing of before says nothing of it.
    pub noted: Timestamp,
    /// Which settings of its table are kept with it.
    #[serde(default)]
    pub profile: Option<String>,
    /// How many items its table had by AWS's count of within about six hours before, where it is kept in a vault and says so.
    #[serde(default)]
    pub items: Option<u64>,
    /// The bucket that has them too.
    #[serde(default)]
    pub kept: Option<String>,
    /// When a restore test verified it.
    #[serde(default)]
    pub verified: Option<Timestamp>,
    /// When we had it deleted: a listing may show it for a while.
    #[serde(default)]
    pub deleted: Option<Timestamp>,
    /// Copies of it that are being made, by region.
    #[serde(default)]
    pub copying: BTreeMap<Region, PendingCopy>,
}

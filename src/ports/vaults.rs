//! Backup vaults of one account in one region (AWS Backup), as far as they keep tables.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{Fence, Page, PageToken, PortError};
use crate::model::{
    JobId, PointId, RecoveryPoint, RoleArn, TableArn, TableName, VaultJob, VaultName, VaultRule, VaultSelection,
};

/// A request to back a table up (AWS: *`StartBackupJob`*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartBackup {
    /// The table.
    pub table: TableArn,
    /// Where it is kept.
    pub vault: VaultName,
    /// The role that AWS Backup takes.
    pub role: RoleArn,
    /// Idempotency token.
    pub token: String,
    /// Tags of the recovery point.
    pub tags: BTreeMap<String, String>,
}

/// A request to copy a recovery point (AWS: *`StartCopyJob`*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartCopy {
    /// Which.
    pub point: PointId,
    /// The vault that has it.
    pub from: VaultName,
    /// The ARN of the vault that gets it, in any region or account.
    pub to: String,
    /// The role that AWS Backup takes.
    pub role: RoleArn,
    /// Idempotency token.
    pub token: String,
}

/// A request to restore a recovery point to a new table (AWS: *`StartRestoreJob`*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartRestore {
    /// Which.
    pub point: PointId,
    /// The name of the new table.
    pub to: TableName,
    /// The role that AWS Backup takes.
    pub role: RoleArn,
    /// How it is encrypted, in AWS Backup's words (AWS: *Restore an Amazon DynamoDB table*, `encryptionType` and
    /// `kmsMasterKeyArn`); nothing: with a key of `DynamoDB`'s own, whatever its table had.
    pub encryption: BTreeMap<String, String>,
    /// Idempotency token.
    pub token: String,
}

/// Backup vaults of one account in one region (AWS Backup), as far as they keep tables.
///
/// Tokens of AWS Backup make a request that is sent again the same request: it answers with the job that there is.
#[async_trait]
pub trait Vaults: Send + Sync {
    /// One page of the recovery points of tables in a vault (AWS: *`ListRecoveryPointsByBackupVault`*). Answers `NotFound`
    /// if there is no such vault.
    async fn points(&self, vault: &VaultName, page: Option<PageToken>) -> Result<Page<RecoveryPoint>, PortError>;

    /// One page of the tags of a recovery point (AWS: *AWS Backup, `ListTags`*).
    async fn tags(&self, point: &PointId, page: Option<PageToken>) -> Result<Page<(String, String)>, PortError>;

    /// What the table of a recovery point was like when it was backed up, as a request to restore it says it (AWS:
    /// *`GetRecoveryPointRestoreMetadata`*); `None` if there is no such point.
    async fn restore_metadata(
        &self,
        vault: &VaultName,
        point: &PointId,
    ) -> Result<Option<BTreeMap<String, String>>, PortError>;

    /// A backup job; `None` if there is none.
    async fn backup_job(&self, job: &JobId) -> Result<Option<VaultJob>, PortError>;

    /// A copy job; `None` if there is none.
    async fn copy_job(&self, job: &JobId) -> Result<Option<VaultJob>, PortError>;

    /// A restore job; `None` if there is none.
    async fn restore_job(&self, job: &JobId) -> Result<Option<VaultJob>, PortError>;

    /// One page of the backup plans of the account and region: id and name (AWS: *`ListBackupPlans`*).
    async fn plans(&self, page: Option<PageToken>) -> Result<Page<(String, String)>, PortError>;

    /// The rules of a backup plan (AWS: *`GetBackupPlan`*); `None` if there is none.
    async fn rules(&self, plan: &str) -> Result<Option<Vec<VaultRule>>, PortError>;

    /// One page of the ids of what is assigned to a plan (AWS: *`ListBackupSelections`*). Answers `NotFound` if there is no
    /// such plan.
    async fn selections(&self, plan: &str, page: Option<PageToken>) -> Result<Page<String>, PortError>;

    /// What is assigned to a plan by one selection (AWS: *`GetBackupSelection`*); `None` if there is none.
    async fn selection(&self, plan: &str, id: &str) -> Result<Option<VaultSelection>, PortError>;

    /// Begins to back a table up.
    async fn start_backup(&self, fence: Fence, request: StartBackup) -> Result<JobId, PortError>;

    /// Begins to copy a recovery point.
    async fn start_copy(&self, fence: Fence, request: StartCopy) -> Result<JobId, PortError>;

    /// Begins to restore a recovery point.
    async fn start_restore(&self, fence: Fence, request: StartRestore) -> Result<JobId, PortError>;

    /// Deletes a recovery point; succeeds if it is gone already.
    async fn delete_point(&self, fence: Fence, vault: &VaultName, point: &PointId) -> Result<(), PortError>;
}

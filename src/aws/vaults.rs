//! `ports::Vaults` over the SDK: one method, one request.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_backup::types as sdk;
use aws_smithy_types::DateTime;
use jiff::Timestamp;

use super::answer::Reader;
use super::error::port_error;
use super::plans;
use crate::model::{
    InvalidName, JobId, PointId, PointKeeper, PointStatus, RecoveryPoint, TableArn, VaultJob, VaultName, VaultRule,
    VaultSelection,
};
use crate::ports::{Fence, Page, PageToken, PortError, StartBackup, StartCopy, StartRestore, Vaults, found};

/// What AWS Backup calls a table.
const TABLES: &str = "DynamoDB";

/// One account in one region.
pub(super) struct Client {
    vaults: aws_sdk_backup::Client,
}

impl Client {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self { vaults: aws_sdk_backup::Client::new(config) }
    }
}

fn time(read: Reader, time: Option<DateTime>) -> Result<Option<Timestamp>, PortError> {
    time.map(|time| read.time(&time)).transpose()
}

/// What is said of a job, of whichever sort.
struct Said {
    id: Option<String>,
    state: Option<String>,
    message: Option<String>,
    point: Option<String>,
    table: Option<String>,
    created: Option<DateTime>,
    ended: Option<DateTime>,
}

fn maybe<T: std::str::FromStr<Err = InvalidName>>(
    read: Reader,
    text: Option<&str>,
    field: &str,
) -> Result<Option<T>, PortError> {
    text.filter(|text| !text.is_empty()).map(|text| read.parse(Some(text), field)).transpose()
}

fn job(read: Reader, said: Said) -> Result<VaultJob, PortError> {
    Ok(VaultJob {
        id: read.parse(said.id.as_deref(), "job id")?,
        state: read.parse(said.state.as_deref(), "State")?,
        message: said.message.filter(|message| !message.is_empty()),
        point: maybe(read, said.point.as_deref(), "RecoveryPointArn")?,
        table: maybe(read, said.table.as_deref(), "CreatedResourceArn")?,
        created: time(read, said.created)?,
        ended: time(read, said.ended)?,
    })
}

fn point(read: Reader, point: sdk::RecoveryPointByBackupVault) -> Result<RecoveryPoint, PortError> {
    use sdk::RecoveryPointStatus as Status;
    let status = match read.need(point.status, "Status")? {
        Status::Completed | Status::Available => PointStatus::Available,
        Status::Creating => PointStatus::Creating,
        Status::Partial | Status::Stopped => PointStatus::Partial,
        Status::Deleting => PointStatus::Deleted,
        Status::Expired => PointStatus::Expired,
        _ => PointStatus::Unclear,
    };
    let table_arn: TableArn = read.parse(point.resource_arn.as_deref(), "ResourceArn")?;
    Ok(RecoveryPoint {
        id: read.parse(point.recovery_point_arn.as_deref(), "RecoveryPointArn")?,
        keeper: PointKeeper::Vault(read.parse(point.backup_vault_name.as_deref(), "BackupVaultName")?),
        table: read.need(table_arn.name(), "table in its ResourceArn")?,
        table_arn,
        name: None,
        status,
        created: read.time(&read.need(point.creation_date, "CreationDate")?)?,
        completed: time(read, point.completion_date)?,
        bytes: point.backup_size_in_bytes.and_then(|bytes| u64::try_from(bytes).ok()),
        items: None,
        expires: time(read, point.calculated_lifecycle.and_then(|lifecycle| lifecycle.delete_at))?,
        tags: None,
    })
}

#[async_trait]
impl Vaults for Client {
    async fn points(&self, vault: &VaultName, page: Option<PageToken>) -> Result<Page<RecoveryPoint>, PortError> {
        const OPERATION: &str = "ListRecoveryPointsByBackupVault";
        let request = self.vaults.list_recovery_points_by_backup_vault().backup_vault_name(vault.as_str());
        let request = request.by_resource_type(TABLES).max_results(1000).set_next_token(page);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let all = answer.recovery_points.unwrap_or_default().into_iter();
        // The filter is AWS's to apply, and what it lets through is none of ours.
        let tables = all.filter(|found| found.resource_type.as_deref().is_none_or(|kind| kind == TABLES));
        let items = tables.map(|found| point(Reader(OPERATION), found)).collect::<Result<_, _>>()?;
        Ok(Page { items, next: answer.next_token.filter(|token| !token.is_empty()) })
    }

    async fn tags(&self, point: &PointId, page: Option<PageToken>) -> Result<Page<(String, String)>, PortError> {
        let request = self.vaults.list_tags().resource_arn(point.as_str()).set_next_token(page);
        let answer = request.send().await.map_err(|e| port_error("ListTags", e, &[]))?;
        let items = answer.tags.unwrap_or_default().into_iter().collect();
        Ok(Page { items, next: answer.next_token.filter(|token| !token.is_empty()) })
    }

    async fn restore_metadata(
        &self,
        vault: &VaultName,
        point: &PointId,
    ) -> Result<Option<BTreeMap<String, String>>, PortError> {
        const OPERATION: &str = "GetRecoveryPointRestoreMetadata";
        let request = self.vaults.get_recovery_point_restore_metadata().backup_vault_name(vault.as_str());
        let answer = request.recovery_point_arn(point.as_str()).send().await;
        let answer = found(answer.map_err(|e| port_error(OPERATION, e, &[])))?;
        Ok(answer.map(|answer| answer.restore_metadata.unwrap_or_default().into_iter().collect()))
    }

    async fn backup_job(&self, id: &JobId) -> Result<Option<VaultJob>, PortError> {
        const OPERATION: &str = "DescribeBackupJob";
        let answer = self.vaults.describe_backup_job().backup_job_id(id.as_str()).send().await;
        let Some(said) = found(answer.map_err(|e| port_error(OPERATION, e, &[])))? else { return Ok(None) };
        let said = Said {
            id: said.backup_job_id,
            state: said.state.map(|state| state.as_str().to_owned()),
            message: said.status_message,
            point: said.recovery_point_arn,
            table: None,
            created: said.creation_date,
            ended: said.completion_date,
        };
        job(Reader(OPERATION), said).map(Some)
    }

    async fn copy_job(&self, id: &JobId) -> Result<Option<VaultJob>, PortError> {
        const OPERATION: &str = "DescribeCopyJob";
        let answer = self.vaults.describe_copy_job().copy_job_id(id.as_str()).send().await;
        let Some(answer) = found(answer.map_err(|e| port_error(OPERATION, e, &[])))? else { return Ok(None) };
        let said = Reader(OPERATION).need(answer.copy_job, "CopyJob")?;
        let said = Said {
            id: said.copy_job_id,
            state: said.state.map(|state| state.as_str().to_owned()),
            message: said.status_message,
            point: said.destination_recovery_point_arn,
            table: None,
            created: said.creation_date,
            ended: said.completion_date,
        };
        job(Reader(OPERATION), said).map(Some)
    }

    async fn restore_job(&self, id: &JobId) -> Result<Option<VaultJob>, PortError> {
        const OPERATION: &str = "DescribeRestoreJob";
        let answer = self.vaults.describe_restore_job().restore_job_id(id.as_str()).send().await;
        let Some(said) = found(answer.map_err(|e| port_error(OPERATION, e, &[])))? else { return Ok(None) };
        let said = Said {
            id: said.restore_job_id,
            state: said.status.map(|status| status.as_str().to_owned()),
            message: said.status_message,
            point: said.recovery_point_arn,
            table: said.created_resource_arn,
            created: said.creation_date,
            ended: said.completion_date,
        };
        job(Reader(OPERATION), said).map(Some)
    }

    async fn plans(&self, page: Option<PageToken>) -> Result<Page<(String, String)>, PortError> {
        const OPERATION: &str = "ListBackupPlans";
        let request = self.vaults.list_backup_plans().max_results(1000).set_next_token(page);
        let answer = request.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let read = Reader(OPERATION);
        let all = answer.backup_plans_list.unwrap_or_default().into_iter();
        let items = all.map(|plan| {
            let id = read.need(plan.backup_plan_id, "BackupPlanId")?;
            Ok((id.clone(), plan.backup_plan_name.unwrap_or(id)))
        });
        let items = items.collect::<Result<_, PortError>>()?;
        Ok(Page { items, next: answer.next_token.filter(|token| !token.is_empty()) })
    }

    async fn rules(&self, plan: &str) -> Result<Option<Vec<VaultRule>>, PortError> {
        const OPERATION: &str = "GetBackupPlan";
        let answer = self.vaults.get_backup_plan().backup_plan_id(plan).send().await;
        let Some(answer) = found(answer.map_err(|e| port_error(OPERATION, e, &[])))? else { return Ok(None) };
        let plan = Reader(OPERATION).need(answer.backup_plan, "BackupPlan")?;
        Ok(Some(plan.rules.into_iter().map(plans::rule).collect()))
    }

    async fn selections(&self, plan: &str, page: Option<PageToken>) -> Result<Page<String>, PortError> {
        const OPERATION: &str = "ListBackupSelections";
        let request = self.vaults.list_backup_selections().backup_plan_id(plan).max_results(1000);
        let answer = request.set_next_token(page).send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let all = answer.backup_selections_list.unwrap_or_default().into_iter();
        let items = all.map(|found| Reader(OPERATION).need(found.selection_id, "SelectionId"));
        let items = items.collect::<Result<_, _>>()?;
        Ok(Page { items, next: answer.next_token.filter(|token| !token.is_empty()) })
    }

    async fn selection(&self, plan: &str, id: &str) -> Result<Option<VaultSelection>, PortError> {
        const OPERATION: &str = "GetBackupSelection";
        let answer = self.vaults.get_backup_selection().backup_plan_id(plan).selection_id(id).send().await;
        let Some(answer) = found(answer.map_err(|e| port_error(OPERATION, e, &[])))? else { return Ok(None) };
        Reader(OPERATION).need(answer.backup_selection, "BackupSelection").map(plans::selection).map(Some)
    }

    async fn start_backup(&self, _fence: Fence, request: StartBackup) -> Result<JobId, PortError> {
        const OPERATION: &str = "StartBackupJob";
        let call = self
            .vaults
            .start_backup_job()
            .backup_vault_name(request.vault.as_str())
            .resource_arn(request.table.as_str())
            .iam_role_arn(request.role.as_str())
            .idempotency_token(request.token)
            .set_recovery_point_tags(Some(request.tags.into_iter().collect()));
        let answer = call.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        Reader(OPERATION).parse(answer.backup_job_id.as_deref(), "BackupJobId")
    }

    async fn start_copy(&self, _fence: Fence, request: StartCopy) -> Result<JobId, PortError> {
        const OPERATION: &str = "StartCopyJob";
        let call = self
            .vaults
            .start_copy_job()
            .recovery_point_arn(request.point.as_str())
            .source_backup_vault_name(request.from.as_str())
            .destination_backup_vault_arn(request.to)
            .iam_role_arn(request.role.as_str())
            .idempotency_token(request.token);
        let answer = call.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        Reader(OPERATION).parse(answer.copy_job_id.as_deref(), "CopyJobId")
    }

    async fn start_restore(&self, _fence: Fence, request: StartRestore) -> Result<JobId, PortError> {
        const OPERATION: &str = "StartRestoreJob";
        let name = ("targetTableName".to_owned(), request.to.to_string());
        let metadata = request.encryption.into_iter().chain([name]);
        let call = self
            .vaults
            .start_restore_job()
            .recovery_point_arn(request.point.as_str())
            .set_metadata(Some(metadata.collect()))
            .iam_role_arn(request.role.as_str())
            .resource_type(TABLES)
            .idempotency_token(request.token);
        let answer = call.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        Reader(OPERATION).parse(answer.restore_job_id.as_deref(), "RestoreJobId")
    }

    async fn delete_point(&self, _fence: Fence, vault: &VaultName, point: &PointId) -> Result<(), PortError> {
        let call = self.vaults.delete_recovery_point().backup_vault_name(vault.as_str());
        let answer = call.recovery_point_arn(point.as_str()).send().await;
        found(answer.map(drop).map_err(|e| port_error("DeleteRecoveryPoint", e, &[]))).map(drop)
    }
}

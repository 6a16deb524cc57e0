//! The governed door to [`Vaults`].

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::api;
use super::door::Door;
use crate::model::{JobId, PointId, RecoveryPoint, VaultJob, VaultName, VaultRule, VaultSelection};
use crate::ports::{Fence, Page, PageToken, PortError, StartBackup, StartCopy, StartRestore, Vaults};

#[async_trait]
impl Vaults for Door<dyn Vaults> {
    async fn points(&self, vault: &VaultName, page: Option<PageToken>) -> Result<Page<RecoveryPoint>, PortError> {
        self.read(&api::LIST_POINTS, || self.inner.points(vault, page.clone())).await
    }

    async fn tags(&self, point: &PointId, page: Option<PageToken>) -> Result<Page<(String, String)>, PortError> {
        self.read(&api::LIST_POINT_TAGS, || self.inner.tags(point, page.clone())).await
    }

    async fn restore_metadata(
        &self,
        vault: &VaultName,
        point: &PointId,
    ) -> Result<Option<BTreeMap<String, String>>, PortError> {
        self.read(&api::RESTORE_METADATA, || self.inner.restore_metadata(vault, point)).await
    }

    async fn backup_job(&self, job: &JobId) -> Result<Option<VaultJob>, PortError> {
        self.read(&api::DESCRIBE_BACKUP_JOB, || self.inner.backup_job(job)).await
    }

    async fn copy_job(&self, job: &JobId) -> Result<Option<VaultJob>, PortError> {
        self.read(&api::DESCRIBE_COPY_JOB, || self.inner.copy_job(job)).await
    }

    async fn restore_job(&self, job: &JobId) -> Result<Option<VaultJob>, PortError> {
        self.read(&api::DESCRIBE_RESTORE_JOB, || self.inner.restore_job(job)).await
    }

    async fn plans(&self, page: Option<PageToken>) -> Result<Page<(String, String)>, PortError> {
        self.read(&api::LIST_PLANS, || self.inner.plans(page.clone())).await
    }

    async fn rules(&self, plan: &str) -> Result<Option<Vec<VaultRule>>, PortError> {
        self.read(&api::GET_PLAN, || self.inner.rules(plan)).await
    }

    async fn selections(&self, plan: &str, page: Option<PageToken>) -> Result<Page<String>, PortError> {
        self.read(&api::LIST_SELECTIONS, || self.inner.selections(plan, page.clone())).await
    }

    async fn selection(&self, plan: &str, id: &str) -> Result<Option<VaultSelection>, PortError> {
        self.read(&api::GET_SELECTION, || self.inner.selection(plan, id)).await
    }

    async fn start_backup(&self, fence: Fence, request: StartBackup) -> Result<JobId, PortError> {
        self.change(&api::START_BACKUP_JOB, fence, || self.inner.start_backup(fence, request.clone())).await
    }

    async fn start_copy(&self, fence: Fence, request: StartCopy) -> Result<JobId, PortError> {
        self.change(&api::START_COPY_JOB, fence, || self.inner.start_copy(fence, request.clone())).await
    }

    async fn start_restore(&self, fence: Fence, request: StartRestore) -> Result<JobId, PortError> {
        self.change(&api::START_RESTORE_JOB, fence, || self.inner.start_restore(fence, request.clone())).await
    }

    async fn delete_point(&self, fence: Fence, vault: &VaultName, point: &PointId) -> Result<(), PortError> {
        self.change(&api::DELETE_POINT, fence, || self.inner.delete_point(fence, vault, point)).await
    }
}

//! `ports::Vaults`, simulated; and the console of AWS Backup.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::Work;
use crate::model::{JobId, PointId, RecoveryPoint, VaultJob, VaultName, VaultPlan, VaultRule, VaultSelection};
use crate::ports::{Fence, Page, PageToken, PortError, StartBackup, StartCopy, StartRestore, Vaults};
use crate::sim::cloud::SimDoor;
use crate::sim::console::Console;
use crate::sim::world::World;

#[async_trait]
impl Vaults for SimDoor {
    async fn points(&self, vault: &VaultName, page: Option<PageToken>) -> Result<Page<RecoveryPoint>, PortError> {
        let read = |world: &mut World, lens| world.vault_points(self.region, vault, lens, page.as_ref());
        self.read("ListRecoveryPointsByBackupVault", vault.as_str(), read).await
    }

    async fn tags(&self, point: &PointId, page: Option<PageToken>) -> Result<Page<(String, String)>, PortError> {
        let read = |world: &mut World, lens| world.point_tags(self.region, point, lens, page.as_ref());
        self.read("ListTags", point.as_str(), read).await
    }

    async fn restore_metadata(
        &self,
        vault: &VaultName,
        point: &PointId,
    ) -> Result<Option<BTreeMap<String, String>>, PortError> {
        let read = |world: &mut World, _| Ok(world.restore_metadata(self.region, vault, point));
        self.read("GetRecoveryPointRestoreMetadata", point.as_str(), read).await
    }

    async fn backup_job(&self, job: &JobId) -> Result<Option<VaultJob>, PortError> {
        let read = |world: &mut World, _| Ok(world.vault_job(self.region, Work::Backup, job));
        self.read("DescribeBackupJob", job.as_str(), read).await
    }

    async fn copy_job(&self, job: &JobId) -> Result<Option<VaultJob>, PortError> {
        let read = |world: &mut World, _| Ok(world.vault_job(self.region, Work::Copy, job));
        self.read("DescribeCopyJob", job.as_str(), read).await
    }

    async fn restore_job(&self, job: &JobId) -> Result<Option<VaultJob>, PortError> {
        let read = |world: &mut World, _| Ok(world.vault_job(self.region, Work::Restore, job));
        self.read("DescribeRestoreJob", job.as_str(), read).await
    }

    async fn plans(&self, page: Option<PageToken>) -> Result<Page<(String, String)>, PortError> {
        let read = |world: &mut World, lens| world.vault_plans(self.region, lens, page.as_ref());
        self.read("ListBackupPlans", "", read).await
    }

    async fn rules(&self, plan: &str) -> Result<Option<Vec<VaultRule>>, PortError> {
        let read = |world: &mut World, _| Ok(world.vault_plan(self.region, plan).map(|plan| plan.rules.clone()));
        self.read("GetBackupPlan", plan, read).await
    }

    async fn selections(&self, plan: &str, page: Option<PageToken>) -> Result<Page<String>, PortError> {
        let read = |world: &mut World, lens| world.vault_selections(self.region, plan, lens, page.as_ref());
        self.read("ListBackupSelections", plan, read).await
    }

    async fn selection(&self, plan: &str, id: &str) -> Result<Option<VaultSelection>, PortError> {
        let number = id.parse::<usize>().ok();
        let read = |world: &mut World, _| {
            let plan = world.vault_plan(self.region, plan);
            Ok(plan.and_then(|plan| plan.selections.get(number?)).cloned())
        };
        self.read("GetBackupSelection", plan, read).await
    }

    async fn start_backup(&self, fence: Fence, request: StartBackup) -> Result<JobId, PortError> {
        let (table, token) = (request.table.clone(), request.token.clone());
        let start = |world: &mut World| world.start_backup(self.region, request);
        self.write("StartBackupJob", table.as_str(), fence, Some(&token), start).await
    }

    async fn start_copy(&self, fence: Fence, request: StartCopy) -> Result<JobId, PortError> {
        let (point, token) = (request.point.clone(), request.token.clone());
        let start = |world: &mut World| world.start_copy(self.region, &request);
        self.write("StartCopyJob", point.as_str(), fence, Some(&token), start).await
    }

    async fn start_restore(&self, fence: Fence, request: StartRestore) -> Result<JobId, PortError> {
        let (to, token) = (request.to.clone(), request.token.clone());
        let start = |world: &mut World| world.start_restore(self.region, &request);
        self.write("StartRestoreJob", to.as_str(), fence, Some(&token), start).await
    }

    async fn delete_point(&self, fence: Fence, vault: &VaultName, point: &PointId) -> Result<(), PortError> {
        let delete = |world: &mut World| world.delete_point(self.region, vault, point);
        self.write("DeleteRecoveryPoint", point.as_str(), fence, None, delete).await
    }
}

impl Console {
    /// Makes a backup vault.
    pub fn create_vault(&self, vault: &VaultName) {
        self.at(|world, region| world.make_vault(region, vault.clone()));
    }

    /// Makes a backup plan. Nothing follows from it: what it would make is nobody's here.
    pub fn create_vault_plan(&self, plan: &VaultPlan) {
        self.at(|world, region| world.make_vault_plan(region, plan.clone()));
    }

    /// So many of the next jobs of AWS Backup fail, wherever they are begun.
    pub fn fail_vault_jobs(&self, times: u32, why: &str) {
        self.world().fail_vault_jobs(times, why);
    }
}

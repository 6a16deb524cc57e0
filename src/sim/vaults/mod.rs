//! AWS Backup, as far as it keeps tables: vaults, recovery points, and jobs that take their time.
//!
//! A job answers at once with its id; what becomes of it is asked for. A backup has what the table had when it was asked
//! for. A copy is a recovery point of its own, in the region of its vault, and needs nothing of where it comes from.

mod calls;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::dynamo::{BackupTruth, Kept};
use super::ecs::page;
use super::reads::Lens;
use super::spelling::uuid;
use super::world::{Due, World};
use crate::model::{
    JobId, JobState, PointId, PointKeeper, PointStatus, RecoveryPoint, Scope, TableArn, TableName, VaultJob, VaultName,
    VaultPlan,
};
use crate::ports::{Class, Page, PageToken, PortError, StartBackup, StartCopy, StartRestore};

/// A job waits this long before it begins.
const WAITING: Duration = Duration::from_secs(20);
/// A backup takes this long: "not instantaneous" (AWS: *Backing up and restoring DynamoDB tables with AWS Backup: How it
/// works*).
const BACKING_UP: Duration = Duration::from_mins(3);
/// A copy to another region takes this long.
const COPYING: Duration = Duration::from_mins(6);
/// A restore takes this long, as the table that it makes does.
const RESTORING: Duration = Duration::from_mins(5);
/// Copies that may run at once from an account to a region (AWS: *AWS Backup quotas*).
const COPIES_MAX: usize = 100;

/// All vaults, points and jobs, of all accounts and regions.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Vaulted {
    vaults: BTreeSet<(usize, VaultName)>,
    /// Backup plans; the id of one, and of a selection in it, is its number.
    #[serde(default)]
    plans: Vec<(usize, VaultPlan)>,
    points: Vec<Point>,
    jobs: Vec<Job>,
    /// So many of the next jobs fail, and why.
    failing: Option<(u32, String)>,
}

/// A recovery point in a vault.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Point {
    region: usize,
    vault: VaultName,
    id: PointId,
    created: Timestamp,
    /// When it was complete.
    completed: Option<Timestamp>,
    deleted: Option<Timestamp>,
    tags: BTreeMap<String, String>,
    kept: Kept,
}

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Work {
    Backup,
    Copy,
    Restore,
}

/// A job, or one that was.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Job {
    region: usize,
    id: JobId,
    work: Work,
    token: String,
    created: Timestamp,
    begins: Timestamp,
    ended: Option<Timestamp>,
    /// Why it fails, or will.
    failure: Option<String>,
    /// The point that it makes, or restores.
    point: PointId,
    /// Where what it makes goes.
    target: usize,
    /// The table that it reads, or makes.
    table: TableArn,
}

impl Job {
    fn state(&self, now: Timestamp) -> JobState {
        match (self.ended, &self.failure) {
            (Some(_), Some(_)) => JobState::Failed,
            (Some(_), None) => JobState::Completed,
            (None, _) if self.begins <= now => JobState::Running,
            (None, _) => JobState::Created,
        }
    }
}

impl Point {
    fn exists(&self, at: Timestamp) -> bool {
        self.created <= at && self.deleted.is_none_or(|deleted| deleted > at)
    }

    fn told(&self) -> RecoveryPoint {
        RecoveryPoint {
            id: self.id.clone(),
            keeper: PointKeeper::Vault(self.vault.clone()),
            table: self.kept.table.clone(),
            table_arn: self.kept.arn.clone(),
            name: None,
            status: if self.completed.is_some() { PointStatus::Available } else { PointStatus::Creating },
            created: self.created,
            completed: self.completed,
            bytes: self.completed.map(|_| self.kept.bytes),
            items: None,
            expires: None,
            tags: None,
        }
    }
}

impl World {
    /// A vault that exists, made by hand or by a stack.
    fn vault(&self, region: usize, vault: &VaultName, operation: &'static str) -> Result<(), PortError> {
        let of_a_stack = || {
            let stacks = self.data.stacks.iter().filter(|stack| stack.region == region);
            let mut resources = stacks.flat_map(|stack| stack.resources.values());
            resources.any(|found| found.kind == "AWS::Backup::BackupVault" && found.physical_id == vault.as_str())
        };
        if self.data.vaulted.vaults.contains(&(region, vault.clone())) || of_a_stack() {
            return Ok(());
        }
        Err(missing(operation, &format!("Backup vault {vault} does not exist")))
    }

    pub(super) fn make_vault(&mut self, region: usize, vault: VaultName) {
        self.data.vaulted.vaults.insert((region, vault));
    }

    pub(super) fn make_vault_plan(&mut self, region: usize, plan: VaultPlan) {
        self.data.vaulted.plans.push((region, plan));
    }

    /// AWS: *`ListBackupPlans`*.
    fn vault_plans(
        &self,
        region: usize,
        lens: Lens,
        token: Option<&PageToken>,
    ) -> Result<Page<(String, String)>, PortError> {
        let plans = self.data.vaulted.plans.iter().enumerate().filter(|(_, (home, _))| *home == region);
        let told: Vec<_> = plans.map(|(number, (_, plan))| (number.to_string(), plan.name.clone())).collect();
        page("ListBackupPlans", &told, self.config.page_size.max(1), lens, token)
    }

    fn vault_plan(&self, region: usize, id: &str) -> Option<&VaultPlan> {
        let (home, plan) = self.data.vaulted.plans.get(id.parse::<usize>().ok()?)?;
        (*home == region).then_some(plan)
    }

    /// AWS: *`ListBackupSelections`*.
    fn vault_selections(
        &self,
        region: usize,
        plan: &str,
        lens: Lens,
        token: Option<&PageToken>,
    ) -> Result<Page<String>, PortError> {
        const OPERATION: &str = "ListBackupSelections";
        let plan = self.vault_plan(region, plan).ok_or_else(|| missing(OPERATION, "Backup plan does not exist"))?;
        let ids: Vec<String> = (0..plan.selections.len()).map(|number| number.to_string()).collect();
        page(OPERATION, &ids, self.config.page_size.max(1), lens, token)
    }

    /// So many of the next jobs fail.
    pub(super) fn fail_vault_jobs(&mut self, times: u32, why: &str) {
        self.data.vaulted.failing = Some((times, why.to_owned()));
    }

    /// Whether a backup of the table is being made.
    pub(super) fn is_being_vaulted(&self, region: usize, table: &TableName) -> bool {
        self.data.vaulted.jobs.iter().any(|job| {
            job.work == Work::Backup
                && job.region == region
                && job.ended.is_none()
                && job.table.name().is_some_and(|name| name == *table)
        })
    }

    fn known_job(&self, region: usize, work: Work, token: &str) -> Option<JobId> {
        let mut jobs = self.data.vaulted.jobs.iter();
        jobs.find(|job| job.region == region && job.work == work && job.token == token).map(|job| job.id.clone())
    }

    fn new_point(&mut self, region: usize, operation: &'static str) -> Result<PointId, PortError> {
        let serial = self.serial();
        let scope = &self.data.regions[region].scope;
        let id = uuid(&["point", &serial.to_string()]).to_uppercase();
        let arn = format!("arn:aws:backup:{}:{}:recovery-point:{id}", scope.region, scope.account);
        arn.parse().map_err(|_| refused(Class::Transient, operation, "ServiceUnavailableException", "no id"))
    }

    /// Begins a job; what it makes is there when it is over.
    fn begin_job(&mut self, job: Job, takes: Duration) -> JobId {
        let id = job.id.clone();
        let number = self.data.vaulted.jobs.len();
        self.data.vaulted.jobs.push(job);
        self.later(WAITING + takes, Due::Vault { job: number });
        id
    }

    fn job(
        &mut self,
        region: usize,
        work: Work,
        token: &str,
        point: PointId,
        table: TableArn,
    ) -> Result<Job, PortError> {
        let serial = self.serial();
        let id = uuid(&["job", &serial.to_string()]).to_uppercase();
        let id =
            id.parse().map_err(|_| refused(Class::Transient, "StartJob", "ServiceUnavailableException", "no id"))?;
        let failure = self.data.vaulted.failing.as_mut().filter(|(times, _)| *times > 0).map(|(times, why)| {
            *times -= 1;
            why.clone()
        });
        Ok(Job {
            region,
            id,
            work,
            token: token.to_owned(),
            created: self.data.now,
            begins: self.after(WAITING),
            ended: None,
            failure,
            point,
            target: region,
            table,
        })
    }

    /// AWS: *`StartBackupJob`*. One job at a time for a table; another one fails.
    fn start_backup(&mut self, region: usize, request: StartBackup) -> Result<JobId, PortError> {
        const OPERATION: &str = "StartBackupJob";
        if let Some(known) = self.known_job(region, Work::Backup, &request.token) {
            return Ok(known);
        }
        self.vault(region, &request.vault, OPERATION)?;
        let name = request.table.name().filter(|_| self.is_here(region, &request.table));
        let name = name.ok_or_else(|| missing(OPERATION, "The resource is not in this region"))?;
        let busy = self.is_being_vaulted(region, &name);
        let kept = self.keep_table(region, &name, OPERATION).map_err(|error| match error.class {
            Class::NotFound => missing(OPERATION, &format!("Resource {} does not exist", request.table)),
            _ => error,
        })?;
        let point = self.new_point(region, OPERATION)?;
        let mut job = self.job(region, Work::Backup, &request.token, point.clone(), request.table)?;
        if busy {
            let why = "Backup job failed because there was a running backup job for the same resource.";
            job.failure = Some(why.to_owned());
        }
        let created = self.data.now;
        let (vault, tags) = (request.vault, request.tags);
        self.data.vaulted.points.push(Point {
            region,
            vault,
            id: point,
            created,
            completed: None,
            deleted: None,
            tags,
            kept,
        });
        Ok(self.begin_job(job, BACKING_UP))
    }

    /// AWS: *`StartCopyJob`*.
    fn start_copy(&mut self, region: usize, request: &StartCopy) -> Result<JobId, PortError> {
        const OPERATION: &str = "StartCopyJob";
        if let Some(known) = self.known_job(region, Work::Copy, &request.token) {
            return Ok(known);
        }
        self.vault(region, &request.from, OPERATION)?;
        let now = self.data.now;
        let found = self.data.vaulted.points.iter().find(|point| {
            point.region == region && point.vault == request.from && point.id == request.point && point.exists(now)
        });
        let source = found.cloned().ok_or_else(|| missing(OPERATION, "Recovery point does not exist"))?;
        if source.completed.is_none() {
            let message = "Recovery point is not in a valid state to be copied.";
            return Err(refused(Class::Conflict, OPERATION, "InvalidRequestException", message));
        }
        let (scope, vault) = vault_arn(&request.to).ok_or_else(|| {
            let message = "Invalid DestinationBackupVaultArn";
            refused(Class::Invalid, OPERATION, "InvalidParameterValueException", message)
        })?;
        let target = self.region(&scope);
        self.vault(target, &vault, OPERATION)?;
        let running = self.data.vaulted.jobs.iter().filter(|job| job.work == Work::Copy && job.ended.is_none());
        if running.filter(|job| job.region == region && job.target == target).count() >= COPIES_MAX {
            let message = "Too many copies are running to this region";
            return Err(refused(Class::Limit, OPERATION, "LimitExceededException", message));
        }
        let point = self.new_point(target, OPERATION)?;
        let mut job = self.job(region, Work::Copy, &request.token, point.clone(), source.kept.arn.clone())?;
        job.target = target;
        self.data.vaulted.points.push(Point {
            region: target,
            vault,
            id: point,
            created: source.created,
            completed: None,
            ..source
        });
        Ok(self.begin_job(job, COPYING))
    }

    /// AWS: *`GetRecoveryPointRestoreMetadata`*.
    fn restore_metadata(&self, region: usize, vault: &VaultName, point: &PointId) -> Option<BTreeMap<String, String>> {
        let now = self.data.now;
        let mut points = self.data.vaulted.points.iter();
        let mine = |known: &&Point| known.region == region && known.vault == *vault && known.id == *point;
        let found = points.find(mine).filter(|point| point.exists(now))?;
        let words = match &found.kept.settings.kms_key {
            Some(key) => [("encryptionType", "KMS"), ("kmsMasterKeyArn", key.as_str())],
            None => [("encryptionType", "Default"), ("kmsMasterKeyArn", "Not Applicable")],
        };
        Some(words.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// AWS: *`StartRestoreJob`*. Where nothing is said of encryption, the new table has a key of `DynamoDB`'s own.
    fn start_restore(&mut self, region: usize, request: &StartRestore) -> Result<JobId, PortError> {
        const OPERATION: &str = "StartRestoreJob";
        if let Some(known) = self.known_job(region, Work::Restore, &request.token) {
            return Ok(known);
        }
        let now = self.data.now;
        let mut points = self.data.vaulted.points.iter();
        let found = points.find(|point| point.region == region && point.id == request.point && point.exists(now));
        let point = found.cloned().ok_or_else(|| missing(OPERATION, "Recovery point does not exist"))?;
        if point.completed.is_none() {
            let message = "Recovery point is not in a valid state to be restored.";
            return Err(refused(Class::Conflict, OPERATION, "InvalidRequestException", message));
        }
        let scope = self.data.regions[region].scope.clone();
        let arn = format!("arn:aws:dynamodb:{}:{}:table/{}", scope.region, scope.account, request.to);
        let arn: TableArn = arn.parse().map_err(|_| {
            refused(Class::Invalid, OPERATION, "InvalidParameterValueException", "Invalid targetTableName")
        })?;
        let mut job = self.job(region, Work::Restore, &request.token, point.id.clone(), arn)?;
        if job.failure.is_none() {
            // What DynamoDB refuses, the job says later.
            let key = request.encryption.get("kmsMasterKeyArn");
            let own = request.encryption.get("encryptionType").is_some_and(|kind| kind == "KMS");
            let mut kept = point.kept;
            kept.settings.kms_key = key.filter(|_| own).cloned();
            let begun = self.restore_kept(region, kept, Some(&point.id), &request.to, OPERATION);
            job.failure = begun.err().map(|error| error.message);
        }
        Ok(self.begin_job(job, RESTORING))
    }

    /// A job's time is over.
    pub(super) fn vault_job_is_due(&mut self, number: usize) {
        let now = self.data.now;
        let Some(job) = self.data.vaulted.jobs.get(number).cloned() else { return };
        let mut failure = job.failure;
        if job.work == Work::Copy && failure.is_none() && (self.is_lost(job.region) || self.is_lost(job.target)) {
            failure = Some("The copy job failed because a region did not answer.".to_owned());
        }
        if job.work != Work::Restore
            && let Some(point) = self.data.vaulted.points.iter_mut().find(|point| point.id == job.point)
        {
            match failure {
                None => point.completed = Some(now),
                Some(_) => point.deleted = Some(now),
            }
        }
        let job = &mut self.data.vaulted.jobs[number];
        job.ended = Some(now);
        job.failure = failure;
        let state = if job.failure.is_some() { "FAILED" } else { "COMPLETED" };
        let what = match job.work {
            Work::Copy => "Copy Job State Change",
            Work::Restore => "Restore Job State Change",
            Work::Backup => "Backup Job State Change",
        };
        let (region, table) = (job.region, job.table.clone());
        self.announce_job(region, what, &table, state);
    }

    fn vault_job(&self, region: usize, work: Work, id: &JobId) -> Option<VaultJob> {
        let now = self.data.now;
        let mut jobs = self.data.vaulted.jobs.iter();
        let job = jobs.find(|job| job.region == region && job.work == work && job.id == *id)?;
        Some(VaultJob {
            id: job.id.clone(),
            state: job.state(now),
            message: job.failure.clone().filter(|_| job.ended.is_some()),
            point: Some(job.point.clone()),
            table: (work == Work::Restore && job.begins <= now).then(|| job.table.clone()),
            created: Some(job.created),
            ended: job.ended,
        })
    }

    /// AWS: *`ListRecoveryPointsByBackupVault`*, newest first. It lags behind.
    fn vault_points(
        &self,
        region: usize,
        vault: &VaultName,
        lens: Lens,
        token: Option<&PageToken>,
    ) -> Result<Page<RecoveryPoint>, PortError> {
        const OPERATION: &str = "ListRecoveryPointsByBackupVault";
        self.vault(region, vault, OPERATION)?;
        let at = self.seen_at(lens, true);
        let points = self.data.vaulted.points.iter().rev();
        let seen = points.filter(|point| point.region == region && point.vault == *vault && point.exists(at));
        let told: Vec<RecoveryPoint> = seen.map(Point::told).collect();
        page(OPERATION, &told, self.config.page_size.max(1), lens, token)
    }

    fn point_tags(
        &self,
        region: usize,
        point: &PointId,
        lens: Lens,
        token: Option<&PageToken>,
    ) -> Result<Page<(String, String)>, PortError> {
        const OPERATION: &str = "ListTags";
        let now = self.data.now;
        let mut points = self.data.vaulted.points.iter();
        let found = points.find(|known| known.region == region && known.id == *point && known.exists(now));
        let found = found.ok_or_else(|| missing(OPERATION, "Recovery point does not exist"))?;
        let tags: Vec<(String, String)> = found.tags.clone().into_iter().collect();
        page(OPERATION, &tags, self.config.page_size.max(1), lens, token)
    }

    /// AWS: *`DeleteRecoveryPoint`*.
    fn delete_point(&mut self, region: usize, vault: &VaultName, point: &PointId) -> Result<(), PortError> {
        const OPERATION: &str = "DeleteRecoveryPoint";
        self.vault(region, vault, OPERATION)?;
        let now = self.data.now;
        let mut points = self.data.vaulted.points.iter_mut();
        let found = points.find(|known| known.region == region && known.vault == *vault && known.id == *point);
        let Some(found) = found.filter(|point| point.deleted.is_none()) else { return Ok(()) };
        if found.completed.is_none() {
            let message = "Recovery point is being made, and cannot be deleted.";
            return Err(refused(Class::Conflict, OPERATION, "InvalidResourceStateException", message));
        }
        found.deleted = Some(now);
        Ok(())
    }

    fn is_here(&self, region: usize, table: &TableArn) -> bool {
        let scope = &self.data.regions[region].scope;
        table.as_str().starts_with(&format!("arn:aws:dynamodb:{}:{}:", scope.region, scope.account))
    }

    /// The truth about all points in vaults.
    pub(super) fn vaulted_truths(&self) -> impl Iterator<Item = BackupTruth> {
        self.data.vaulted.points.iter().map(|point| BackupTruth {
            scope: self.data.regions[point.region].scope.clone(),
            point: RecoveryPoint { tags: Some(point.tags.clone()), ..point.told() },
            system: false,
            table_id: point.kept.table_id.clone(),
            deleted: point.deleted,
            items: point.kept.items.clone(),
        })
    }
}

/// Account, region and name in the ARN of a vault.
fn vault_arn(arn: &str) -> Option<(Scope, VaultName)> {
    let mut parts = arn.strip_prefix("arn:aws:backup:")?.splitn(3, ':');
    let (region, account) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let name = parts.next()?.strip_prefix("backup-vault:")?.parse().ok()?;
    Some((Scope { account, region }, name))
}

fn refused(class: Class, operation: &'static str, code: &str, message: &str) -> PortError {
    PortError::new(class, operation, message).with_code(code)
}

fn missing(operation: &'static str, message: &str) -> PortError {
    refused(Class::NotFound, operation, "ResourceNotFoundException", message)
}

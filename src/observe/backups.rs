//! What is read of tables and recovery points.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::iter;
use jiff::Timestamp;

use super::Observer;
use super::restores::count_of;
use crate::model::{
    BackupNeed, Comparison, Counted, ITEMS_TAG, JobId, NESTED_STACK, OWNER_TAG, Observation, PointId, PointName,
    PointsListed, ProfileSeen, RecoveryPoint, Scope, Seen, StackAddress, StackId, TableName, TableProfile, TableSeen,
    VaultJob, VaultName,
};
use crate::ports::{Drift, PortError, Priority, Tables, Vaults, all, found};

/// Reads at the same time.
const AT_ONCE: usize = 8;

/// Stacks within stacks are followed so far down.
const DEPTH_MAX: usize = 5;

pub(super) const TABLE: &str = "AWS::DynamoDB::Table";
pub(super) const GLOBAL_TABLE: &str = "AWS::DynamoDB::GlobalTable";

enum Answer {
    Tables(Scope, Seen<BTreeSet<TableName>>),
    OfStack(Box<(StackAddress, StackId)>, Seen<BTreeMap<TableName, String>>),
    Tags(Scope, TableName, Seen<BTreeMap<String, String>>),
    Table(Scope, TableName, Box<Seen<TableSeen>>),
    Points(Scope, Seen<PointsListed>),
    Vault(Scope, VaultName, Seen<PointsListed>),
    Profile(Scope, TableName, Box<Seen<ProfileSeen>>),
    Compare(Box<(Scope, TableName, TableName, u32)>, Seen<Comparison>),
    Count(Scope, TableName, Seen<Counted>),
    Point(Scope, PointId, Box<Seen<(RecoveryPoint, TableProfile)>>),
    Settings(Scope, String, String, Seen<String>),
    Metadata(Scope, PointId, Seen<BTreeMap<String, String>>),
    RestoreJob(Scope, JobId, Seen<VaultJob>),
    Job(Scope, JobId, Seen<VaultJob>),
    CopyJob(Scope, JobId, Seen<VaultJob>),
}

impl Observer<'_> {
    /// Reads what the planner needs to know of tables and recovery points, and adds it to the observation.
    pub(super) async fn answer_backups(&self, observation: &mut Observation, needs: BTreeSet<BackupNeed>) {
        let seen = &mut observation.backups;
        let mut answers = iter(needs).map(|need| self.ask_backups(need)).buffered(AT_ONCE);
        while let Some(answer) = answers.next().await {
            match answer {
                Answer::Tables(scope, names) => drop(seen.tables.insert(scope, names)),
                Answer::OfStack(stack, names) => drop(seen.of_stacks.insert(*stack, names)),
                Answer::Tags(scope, table, tags) => drop(seen.tags.insert((scope, table), tags)),
                Answer::Table(scope, table, state) => drop(seen.described.insert((scope, table), *state)),
                Answer::Points(scope, listed) => drop(seen.points.insert(scope, listed)),
                Answer::Vault(scope, vault, listed) => drop(seen.vaults.insert((scope, vault), listed)),
                Answer::Profile(scope, table, profile) => drop(seen.profiles.insert((scope, table), *profile)),
                Answer::Compare(which, compared) => drop(seen.compared.insert(*which, compared)),
                Answer::Count(scope, table, counted) => drop(seen.counted.insert((scope, table), counted)),
                Answer::Point(scope, point, kept) => drop(seen.kept.insert((scope, point), *kept)),
                Answer::Settings(scope, bucket, key, text) => drop(seen.settings.insert((scope, bucket, key), text)),
                Answer::Metadata(scope, point, words) => drop(seen.metadata.insert((scope, point), words)),
                Answer::RestoreJob(scope, job, state) => drop(seen.restores.insert((scope, job), state)),
                Answer::Job(scope, job, state) => drop(seen.jobs.insert((scope, job), state)),
                Answer::CopyJob(scope, job, state) => drop(seen.copies.insert((scope, job), state)),
            }
        }
    }

    async fn ask_backups(&self, need: BackupNeed) -> Answer {
        match need {
            BackupNeed::Tables(scope) => {
                let port = self.tables(&scope);
                let read = async {
                    let names = all("ListTables", |page| port.list(page)).await?;
                    Ok(Some(names.into_iter().collect()))
                };
                let names = self.within(read).await;
                Answer::Tables(scope, names)
            }
            BackupNeed::OfStack(address, id) => {
                let port = self.governor.drift(&address.scope, self.role(&address.scope));
                let names = self.within(tables_of(&*port, &id, DEPTH_MAX)).await;
                Answer::OfStack(Box::new((address, id)), names)
            }
            BackupNeed::Tags(scope, table) => {
                let port = self.tables(&scope);
                let tags = self.within(read_tags(&*port, &table)).await;
                Answer::Tags(scope, table, tags)
            }
            BackupNeed::Table(scope, table) => {
                let port = self.tables(&scope);
                let state = self.within(read_table(&*port, &table, self.cx.now())).await;
                Answer::Table(scope, table, Box::new(state))
            }
            BackupNeed::Points(scope) => {
                let listed = self.within(self.read_points(&scope)).await;
                Answer::Points(scope, listed)
            }
            BackupNeed::Vault(scope, vault, known) => {
                let listed = self.within(self.read_vault(&scope, &vault, &known)).await;
                Answer::Vault(scope, vault, listed)
            }
            BackupNeed::Profile(scope, table) => {
                let profile = self.within(self.read_profile(&scope, &table)).await;
                Answer::Profile(scope, table, Box::new(profile))
            }
            BackupNeed::Compare(scope, source, restored, sample) => {
                let compared = self.within(self.compare_tables(&scope, &source, &restored, sample)).await;
                Answer::Compare(Box::new((scope, source, restored, sample)), compared)
            }
            BackupNeed::Count(scope, table) => {
                let port = self.tables(&scope);
                let counted = self.within(count_of(&*port, &table)).await;
                Answer::Count(scope, table, counted)
            }
            BackupNeed::Point(scope, point) => {
                let port = self.tables(&scope);
                let kept = self.within(port.backup(&point)).await;
                Answer::Point(scope, point, Box::new(kept))
            }
            BackupNeed::Settings(scope, bucket, key) => {
                let port = self.governor.objects(&scope, self.role(&scope), Priority::Status);
                let text = self.within(port.get(&bucket, &key)).await;
                Answer::Settings(scope, bucket, key, text)
            }
            BackupNeed::Metadata(scope, vault, point) => {
                let port = self.vaults(&scope);
                let words = self.within(port.restore_metadata(&vault, &point)).await;
                Answer::Metadata(scope, point, words)
            }
            BackupNeed::RestoreJob(scope, job) => {
                let port = self.vaults(&scope);
                let state = self.within(port.restore_job(&job)).await;
                Answer::RestoreJob(scope, job, state)
            }
            BackupNeed::Job(scope, job) => {
                let port = self.vaults(&scope);
                let state = self.within(port.backup_job(&job)).await;
                Answer::Job(scope, job, state)
            }
            BackupNeed::CopyJob(scope, job) => {
                let port = self.vaults(&scope);
                let state = self.within(port.copy_job(&job)).await;
                Answer::CopyJob(scope, job, state)
            }
        }
    }

    pub(super) fn tables(&self, scope: &Scope) -> Arc<dyn Tables> {
        self.governor.tables(scope, self.role(scope), Priority::Status)
    }

    pub(super) fn vaults(&self, scope: &Scope) -> Arc<dyn Vaults> {
        self.governor.vaults(scope, self.role(scope), Priority::Status)
    }

    /// On-demand backups of this environment's policies: whose one is, is in its name.
    async fn read_points(&self, scope: &Scope) -> Result<Option<PointsListed>, PortError> {
        let (port, at) = (self.tables(scope), self.cx.now());
        let listed = all("ListBackups", |page| port.backups(page)).await?;
        let ours = |point: &RecoveryPoint| {
            let name = point.name.as_deref().and_then(|name| name.parse::<PointName>().ok());
            name.is_some_and(|name| name.environment == self.environment.name)
        };
        Ok(Some(PointsListed { at, points: listed.into_iter().filter(ours).collect() }))
    }

    /// Recovery points in a vault of this environment's policies: whose one is, its tags say. Those of points that are
    /// known are not read again.
    async fn read_vault(
        &self,
        scope: &Scope,
        vault: &VaultName,
        known: &BTreeSet<PointId>,
    ) -> Result<Option<PointsListed>, PortError> {
        let (port, at) = (self.vaults(scope), self.cx.now());
        let listed = all("ListRecoveryPointsByBackupVault", |page| port.points(vault, page)).await;
        let Some(listed) = found(listed)? else { return Ok(None) };
        let prefix = format!("{}/", self.environment.name);
        let mut points = Vec::new();
        for mut point in listed {
            if known.contains(&point.id) {
                points.push(point);
                continue;
            }
            let tags = all("ListTags", |page| port.tags(&point.id, page)).await;
            // Deleted since it was listed.
            let Some(tags) = found(tags)? else { continue };
            let tags: BTreeMap<String, String> = tags.into_iter().collect();
            if tags.get(OWNER_TAG).is_some_and(|owner| owner.starts_with(&prefix)) {
                point.items = tags.get(ITEMS_TAG).and_then(|items| items.parse().ok());
                point.tags = Some(tags);
                points.push(point);
            }
        }
        Ok(Some(PointsListed { at, points }))
    }
}

async fn read_table(port: &dyn Tables, table: &TableName, at: Timestamp) -> Result<Option<TableSeen>, PortError> {
    let Some(state) = port.describe(table).await? else { return Ok(None) };
    let Some(recovery) = port.continuous_backups(table).await? else { return Ok(None) };
    Ok(Some(TableSeen { at, state, recovery }))
}

async fn read_tags(port: &dyn Tables, table: &TableName) -> Result<Option<BTreeMap<String, String>>, PortError> {
    let Some(state) = port.describe(table).await? else { return Ok(None) };
    let tags = found(all("ListTagsOfResource", |page| port.tags(&state.arn, page)).await)?;
    Ok(tags.map(|tags| tags.into_iter().collect()))
}

/// Tables of a stack and of the stacks within it. One that is not made yet has no name.
fn tables_of<'p>(
    port: &'p dyn Drift,
    stack: &'p StackId,
    depth: usize,
) -> BoxFuture<'p, Result<Option<BTreeMap<TableName, String>>, PortError>> {
    async move {
        let listed = all("ListStackResources", |page| port.resources(stack, page)).await;
        let Some(resources) = found(listed)? else { return Ok(None) };
        let mut tables = BTreeMap::new();
        for resource in resources {
            let Some(id) = resource.physical_id else { continue };
            match resource.kind.as_str() {
                TABLE | GLOBAL_TABLE => {
                    if let Ok(name) = id.parse() {
                        tables.insert(name, resource.resource);
                    }
                }
                NESTED_STACK if depth > 0 => {
                    let Ok(nested) = id.parse::<StackId>() else { continue };
                    let within = tables_of(port, &nested, depth - 1).await?.unwrap_or_default();
                    let inside = |(name, inner)| (name, format!("{}/{inner}", resource.resource));
                    tables.extend(within.into_iter().map(inside));
                }
                _ => {}
            }
        }
        Ok(Some(tables))
    }
    .boxed()
}

//! What is read of tables and recovery points.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, FutureExt as _, ready};
use futures_util::stream::iter;
use jiff::{SignedDuration, Timestamp};

use super::Observer;
use super::ledger::{Alarms, Place};
use super::restores::count_of;
use crate::model::{
    AlarmsRead, BackupNeed, BackupsSeen, Comparison, Counted, ITEMS_TAG, JobId, NESTED_STACK, OWNER_TAG, Observation,
    PointId, PointName, PointsListed, ProfileSeen, RecoveryPoint, Scope, Seen, StackAddress, StackId, TableName,
    TableProfile, TableSeen, Unread, VaultJob, VaultName,
};
use crate::ports::{Class, Drift, PortError, Priority, Tables, Vaults, all, found};

/// Reads at the same time.
const AT_ONCE: usize = 8;

/// Tags that are read at the same time, and for how long in one look; the governor decides how fast.
const TAGS_AT_ONCE: usize = 4;
const TAGS: Duration = Duration::from_secs(15);

/// After so long a recovery point has the tags that it was made with, a copy too. Until then they are read again.
const TAGGED_WITHIN: SignedDuration = SignedDuration::from_hours(1);

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
    /// Reads what the planner needs to know of tables and recovery points, and adds it to the observation. What several need
    /// is read once.
    pub(super) async fn answer_backups(&self, observation: &mut Observation, needs: BTreeSet<BackupNeed>) {
        let seen = &mut observation.backups;
        let alarms = self.alarms_for(&needs, seen);
        let asked = together(needs).into_iter().map(|need| {
            let alarms = match &need {
                BackupNeed::Profile(scope, _) => alarms.get(scope).cloned(),
                _ => None,
            };
            self.ask_backups(need, alarms)
        });
        let mut answers = iter(asked).buffered(AT_ONCE);
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
        drop(answers);
        for (scope, read) in alarms {
            seen.alarms.insert(scope, read.await);
        }
    }

    /// The alarms of each account and region in which settings of tables are read: one list for all of them.
    fn alarms_for<'s>(&'s self, needs: &BTreeSet<BackupNeed>, seen: &BackupsSeen) -> BTreeMap<Scope, Alarms<'s>> {
        let scopes: BTreeSet<&Scope> = needs
            .iter()
            .filter_map(|need| match need {
                BackupNeed::Profile(scope, _) => Some(scope),
                _ => None,
            })
            .collect();
        let read = |scope: &Scope| {
            let read = match seen.alarms.get(scope) {
                Some(known) => ready(known.clone()).boxed(),
                None => self.read_alarms(scope.clone()).boxed(),
            };
            (scope.clone(), read.shared())
        };
        scopes.into_iter().map(read).collect()
    }

    async fn read_alarms(&self, scope: Scope) -> AlarmsRead {
        let port = self.tables(&scope);
        let place = self.place(&scope, "");
        let read = self.ledger.alarms.read(self.cx, &place, "DescribeAlarms", |page| port.alarms(page));
        match read.await {
            Ok((_, alarms)) => Ok(alarms.into()),
            Err(error) => Err(Unread { denied: error.class == Class::Denied, why: error.to_string() }),
        }
    }

    fn place(&self, scope: &Scope, of: &str) -> Place {
        (self.environment.name.clone(), scope.clone(), of.to_owned())
    }

    async fn ask_backups(&self, need: BackupNeed, alarms: Option<Alarms<'_>>) -> Answer {
        match need {
            BackupNeed::Tables(scope) => {
                let port = self.tables(&scope);
                let read = async {
                    let place = self.place(&scope, "");
                    let names = self.ledger.tables.read(self.cx, &place, "ListTables", |page| port.list(page));
                    Ok(Some(names.await?.1.into_iter().collect()))
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
                let profile = self.within(self.read_profile(&scope, &table, alarms)).await;
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
        let port = self.tables(scope);
        let place = self.place(scope, "");
        let (at, listed) = self.ledger.points.read(self.cx, &place, "ListBackups", |page| port.backups(page)).await?;
        let ours = |point: &RecoveryPoint| {
            let name = point.name.as_deref().and_then(|name| name.parse::<PointName>().ok());
            name.is_some_and(|name| name.environment == self.environment.name)
        };
        let points = listed.into_iter().filter(ours).collect();
        Ok(Some(PointsListed { at, points, others: Vec::new(), unread: BTreeMap::new() }))
    }

    /// Recovery points in a vault, those of this environment's policies and others: whose one is, its tags say. Those of
    /// points that are known are not read again, and where some cannot be read, that is unknown of these points alone.
    async fn read_vault(
        &self,
        scope: &Scope,
        vault: &VaultName,
        known: &BTreeSet<PointId>,
    ) -> Result<Option<PointsListed>, PortError> {
        const OPERATION: &str = "ListRecoveryPointsByBackupVault";
        let port = self.vaults(scope);
        let place = self.place(scope, vault.as_str());
        let listed = self.ledger.points.read(self.cx, &place, OPERATION, |page| port.points(vault, page)).await;
        let Some((at, listed)) = found(listed)? else { return Ok(None) };
        let ids: BTreeSet<PointId> = listed.iter().map(|point| point.id.clone()).collect();
        let (place, now) = ((scope.clone(), vault.clone()), self.cx.now());
        let mut read = self.ledger.tags(&place);
        let unread = |point: &&RecoveryPoint| {
            point.id.is_taggable() && !known.contains(&point.id) && !read.contains_key(&point.id)
        };
        let mut ask: Vec<RecoveryPoint> = listed.iter().filter(unread).cloned().collect();
        // What is newest decides most.
        ask.sort_by_key(|point| std::cmp::Reverse(point.created));
        let until = self.cx.elapsed() + TAGS;
        let (cx, port) = (self.cx, &port);
        let asked = ask.into_iter().map(|point| async move {
            let left = until.saturating_sub(cx.elapsed());
            let id = point.id.clone();
            let tags = async { found(all("ListTags", |page| port.tags(&id, page)).await) };
            let answer = if left.is_zero() { None } else { cx.timeout(left, tags).await };
            (point, answer)
        });
        let mut asked = iter(asked).buffered(TAGS_AT_ONCE);
        let (mut keep, mut missing) = (BTreeMap::new(), BTreeMap::new());
        while let Some((point, answer)) = asked.next().await {
            let tags = match answer {
                Some(Ok(tags)) => tags.map(|tags| tags.into_iter().collect::<BTreeMap<String, String>>()),
                Some(Err(error)) => {
                    missing.insert(point.table.clone(), error.to_string());
                    continue;
                }
                None => {
                    let why = "not all tags were read in time; the next look reads the rest";
                    missing.entry(point.table.clone()).or_insert_with(|| why.to_owned());
                    continue;
                }
            };
            let tags = tags.filter(|tags| tags.contains_key(OWNER_TAG));
            if now.duration_since(point.created) > TAGGED_WITHIN {
                keep.insert(point.id.clone(), tags.clone());
            }
            read.insert(point.id.clone(), tags);
        }
        drop(asked);
        self.ledger.keep_tags(place, &ids, keep);
        let prefix = format!("{}/", self.environment.name);
        let (mut points, mut others) = (Vec::new(), Vec::new());
        for mut point in listed {
            if known.contains(&point.id) {
                points.push(point);
                continue;
            }
            point.tags = read.get(&point.id).cloned().flatten();
            let tag = |name: &str| point.tags.as_ref().and_then(|tags| tags.get(name));
            let ours = tag(OWNER_TAG).is_some_and(|owner| owner.starts_with(&prefix));
            point.items = tag(ITEMS_TAG).and_then(|items| items.parse().ok());
            if ours { points.push(point) } else { others.push(point) }
        }
        Ok(Some(PointsListed { at, points, others, unread: missing }))
    }
}

/// What can be answered at once: a vault is listed once, whoever asks.
fn together(needs: BTreeSet<BackupNeed>) -> BTreeSet<BackupNeed> {
    let mut vaults: BTreeMap<(Scope, VaultName), BTreeSet<PointId>> = BTreeMap::new();
    let mut others = BTreeSet::new();
    for need in needs {
        match need {
            BackupNeed::Vault(scope, vault, known) => vaults.entry((scope, vault)).or_default().extend(known),
            other => drop(others.insert(other)),
        }
    }
    others.extend(vaults.into_iter().map(|((scope, vault), known)| BackupNeed::Vault(scope, vault, known)));
    others
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

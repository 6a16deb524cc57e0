//! What AWS says of tables and recovery points.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::{Comparison, Counted};
use crate::model::{
    AlarmDefinition, ContinuousBackups, JobId, Key, Need, PointId, RecoveryPoint, Scope, Seen, StackAddress, StackId,
    TableId, TableName, TableProfile, TableState, TableStatus, Unread, VaultJob, VaultName,
};

/// A table, and how far back it can be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSeen {
    /// When it was read.
    pub at: Timestamp,
    /// The table.
    pub state: TableState,
    /// Its point-in-time recovery.
    pub recovery: ContinuousBackups,
}

/// Recovery points, as of a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointsListed {
    /// When they were listed.
    pub at: Timestamp,
    /// Those that are of this environment.
    pub points: Vec<RecoveryPoint>,
    /// Tables with points of which it is not known whose they are, and why.
    pub unread: BTreeMap<TableName, String>,
}

/// All settings of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileSeen {
    /// Which incarnation.
    pub id: TableId,
    /// Something of it is being changed.
    pub busy: bool,
    /// The settings.
    pub profile: TableProfile,
    /// What of them could not be read, by name.
    pub unread: BTreeMap<String, Unread>,
}

/// The alarms on tables, or why they are not known.
pub type AlarmsRead = Result<Arc<[AlarmDefinition]>, Unread>;

/// What was seen of tables and recovery points.
#[derive(Clone, Debug, Default)]
pub struct BackupsSeen {
    /// Names of all tables.
    pub tables: BTreeMap<Scope, Seen<BTreeSet<TableName>>>,
    /// Tables of a stack and of the stacks within it, by their names; each with its logical id.
    pub of_stacks: BTreeMap<(StackAddress, StackId), Seen<BTreeMap<TableName, String>>>,
    /// Tags.
    pub tags: BTreeMap<(Scope, TableName), Seen<BTreeMap<String, String>>>,
    /// Tables that were asked for by name.
    pub described: BTreeMap<(Scope, TableName), Seen<TableSeen>>,
    /// On-demand backups of this environment's policies, by their names.
    pub points: BTreeMap<Scope, Seen<PointsListed>>,
    /// Recovery points in vaults that are of this environment's policies, with their tags.
    pub vaults: BTreeMap<(Scope, VaultName), Seen<PointsListed>>,
    /// Alarms on tables: one list for all tables of an account and region.
    pub alarms: BTreeMap<Scope, AlarmsRead>,
    /// All settings of tables.
    pub profiles: BTreeMap<(Scope, TableName), Seen<ProfileSeen>>,
    /// How items of a table compare with those of one that was restored from it.
    pub compared: BTreeMap<(Scope, TableName, TableName, u32), Seen<Comparison>>,
    /// How many items tables were counted to have.
    pub counted: BTreeMap<(Scope, TableName), Seen<Counted>>,
    /// Settings that are kept in a bucket, by the object that has them.
    pub settings: BTreeMap<(Scope, String, String), Seen<String>>,
    /// On-demand backups that were asked for by name, and the settings that AWS keeps with them.
    pub kept: BTreeMap<(Scope, PointId), Seen<(RecoveryPoint, TableProfile)>>,
    /// What AWS Backup says of how to restore a recovery point.
    pub metadata: BTreeMap<(Scope, PointId), Seen<BTreeMap<String, String>>>,
    /// Restore jobs.
    pub restores: BTreeMap<(Scope, JobId), Seen<VaultJob>>,
    /// Backup jobs.
    pub jobs: BTreeMap<(Scope, JobId), Seen<VaultJob>>,
    /// Copy jobs.
    pub copies: BTreeMap<(Scope, JobId), Seen<VaultJob>>,
}

/// Tables that are read again although nothing says that they have changed, each time that everything is: a thousand are
/// looked at once in an hour.
const AGAIN: usize = 100;

impl BackupsSeen {
    /// What is not read again when everything is: of tables that rest, those that were read last.
    #[must_use]
    pub fn rested(self) -> Self {
        let rest = self.described.into_iter().filter(|(_, seen)| is_at_rest(seen));
        let mut rest: Vec<_> = rest.collect();
        rest.sort_by_key(|(_, seen)| seen.present().map(|seen| seen.at));
        Self { described: rest.into_iter().skip(AGAIN).collect(), ..Self::default() }
    }

    /// Forgets what may have moved: jobs, what could not be read, and, where points were made or go, their listings.
    pub fn forget(&mut self, points_move: bool, touched: &BTreeSet<TableName>) {
        fn known<K: Ord, T>(map: &mut BTreeMap<K, Seen<T>>) {
            map.retain(|_, seen| !matches!(seen, Seen::Unknown(_)));
        }
        self.jobs.clear();
        self.copies.clear();
        self.restores.clear();
        self.alarms.clear();
        self.profiles.clear();
        self.compared.clear();
        self.counted.clear();
        self.metadata.clear();
        self.kept.clear();
        self.settings.clear();
        known(&mut self.tables);
        known(&mut self.of_stacks);
        known(&mut self.tags);
        known(&mut self.points);
        known(&mut self.vaults);
        // What is missing of a listing is read in the next look.
        self.vaults.retain(|_, seen| seen.present().is_none_or(|listed| listed.unread.is_empty()));
        // One that is not there may be by the next look; one that moves has.
        self.described.retain(|(_, table), seen| is_at_rest(seen) && !touched.contains(table));
        if points_move {
            self.points.clear();
            self.vaults.clear();
        }
    }
}

fn is_at_rest(seen: &Seen<TableSeen>) -> bool {
    seen.present().is_some_and(|seen| seen.state.status == TableStatus::Active)
}

/// Which policies cover which tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Every table.
    pub tables: BTreeMap<(Scope, TableName), CoveredTable>,
    /// What could not be seen.
    pub unknown: Vec<String>,
}

/// What covers a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoveredTable {
    /// The policy.
    pub by: Option<Key>,
    /// The policy that excludes it.
    pub excepted: Option<Key>,
}

/// What must be known to decide on a backup policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BackupNeed {
    /// Which tables an account and region has.
    Tables(Scope),
    /// Which tables a stack has.
    OfStack(StackAddress, StackId),
    /// The tags of a table.
    Tags(Scope, TableName),
    /// One table and its point-in-time recovery.
    Table(Scope, TableName),
    /// Which on-demand backups of ours there are.
    Points(Scope),
    /// Which recovery points of ours there are in a vault. The tags of these are known.
    Vault(Scope, VaultName, BTreeSet<PointId>),
    /// How far a backup job is.
    Job(Scope, JobId),
    /// All settings of a table.
    Profile(Scope, TableName),
    /// How so many items of a table compare with those of one that was restored from it.
    Compare(Scope, TableName, TableName, u32),
    /// How many items a table has, as far as they are counted.
    Count(Scope, TableName),
    /// One on-demand backup, and the settings that AWS keeps with it.
    Point(Scope, PointId),
    /// The settings that an object in a bucket has.
    Settings(Scope, String, String),
    /// How a recovery point in a vault is to be restored.
    Metadata(Scope, VaultName, PointId),
    /// How far a restore job is.
    RestoreJob(Scope, JobId),
    /// How far a copy job is.
    CopyJob(Scope, JobId),
}

impl From<BackupNeed> for Need {
    fn from(need: BackupNeed) -> Self {
        Self::Backup(need)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Billing, KeyType, TableClass, TableKey};

    fn read(minute: usize, status: TableStatus) -> ((Scope, TableName), Seen<TableSeen>) {
        let name: TableName = format!("table-{minute:03}").parse().unwrap();
        let state = TableState {
            arn: format!("arn:aws:dynamodb:us-east-1:111122223333:table/{name}").parse().unwrap(),
            name: name.clone(),
            id: "0a1b2c3d-0000-0000-0000-000000000001".parse().unwrap(),
            status,
            created: None,
            items: 0,
            bytes: 0,
            key: TableKey { partition: ("id".to_owned(), KeyType::Text), sort: None },
            indexes: BTreeMap::new(),
            indexes_busy: BTreeSet::new(),
            billing: Billing::OnDemand,
            class: TableClass::Standard,
            deletion_protected: true,
            stream: None,
            kms_key: None,
            replicas: BTreeSet::new(),
            limits: None,
            restored: None,
        };
        let at = Timestamp::from_second(60 * i64::try_from(minute).unwrap()).unwrap();
        let scope = Scope { account: "111122223333".parse().unwrap(), region: "us-east-1".parse().unwrap() };
        ((scope, name), Seen::Present(TableSeen { at, state, recovery: ContinuousBackups::default() }))
    }

    #[test]
    fn the_tables_that_were_read_longest_ago_are_read_again_and_those_that_move() {
        let mut described: BTreeMap<_, _> = (0..AGAIN + 3).map(|minute| read(minute, TableStatus::Active)).collect();
        described.extend([read(AGAIN + 1, TableStatus::Updating)]);
        let rested = BackupsSeen { described, ..BackupsSeen::default() }.rested();
        let kept: Vec<&str> = rested.described.keys().map(|(_, name)| name.as_str()).collect();
        assert_eq!(kept, ["table-100", "table-102"]);
    }
}

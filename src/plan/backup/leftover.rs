//! Tables of restore tests that no journal knows any more: it was lost while the test ran.
//!
//! A table goes if it says itself that it is this policy's, and is older than any test may become. One that says nothing
//! is nobody's to delete; a person is told of it, with the command.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::restore::DEADLINE;
use super::select::{Selected, tables};
use super::{BATCH, Deciding, Wanted};
use crate::model::{
    BackupNeed, Entry, Key, LeftTable, LeftTables, Need, OWNER_TAG, Remedy, RestoreDo, RestoreStep, Scope, Seen,
    TEST_PREFIX, TableId, TableName, TableSeen, TableStatus, Tried, Unknown, Waiting,
};
use crate::plan::{Input, attempts};

impl Deciding<'_> {
    /// Adds what becomes of tables that restore tests have left. Nothing is asked for it where no test is ever made.
    pub(super) fn leftovers(&self, entry: &mut Entry, selected: &Selected, wanted: &mut Wanted) {
        let input = self.planner.input;
        if self.spec.verify.is_none() && !input.observation.backups.tables.contains_key(&self.spec.scope) {
            return;
        }
        let Ok(all) = tables(self.planner, &self.spec.scope) else { return };
        let left = all.iter().filter(|table| is_forgotten(table, input)).take(BATCH);
        for table in left {
            let place = (self.spec.scope.clone(), table.clone());
            let Some(seen) = input.observation.backups.described.get(&place) else {
                self.planner.need(BackupNeed::Table(place.0, place.1));
                continue;
            };
            if !seen.present().is_some_and(|seen| is_over(seen, input)) {
                continue;
            }
            let Some(tags) = input.observation.backups.tags.get(&place) else {
                self.planner.need(BackupNeed::Tags(place.0, place.1));
                continue;
            };
            if let Some(id) = owned(&self.spec.key, &place, input) {
                let (tried, memory) = (Tried::restore(table), self.memory.tables.get(table));
                let failed = memory.and_then(|memory| memory.attempts.get(&tried.label));
                if !attempts::hold(input, attempts::of(failed, &tried.inputs), u32::MAX, entry) {
                    let action = RestoreDo::Remove { id, owner: self.spec.key.clone() };
                    wanted.restore.push(RestoreStep { to: table.clone(), action });
                }
            } else if tags.present().is_some_and(|tags| !tags.contains_key(OWNER_TAG))
                && origin(seen).is_some_and(|origin| selected.contains_key(&origin))
            {
                let what = format!(
                    "{table} looks like the table of a restore test but has no owner tag, so Landfast does not delete \
                    it. If it is one: `{}`",
                    deletion(&place)
                );
                entry.waiting.push(Waiting::Someone { what });
            }
        }
    }
}

/// It is called as a test's table, and no policy of this environment remembers it.
pub(super) fn is_forgotten(table: &TableName, input: &Input<'_>) -> bool {
    let mut policies = input.memory.objects.backups.values();
    table.as_str().starts_with(TEST_PREFIX) && !policies.any(|memory| memory.restores.contains_key(table))
}

/// It was restored, and longer ago than a test may take: by AWS's clock, and ours.
fn is_over(seen: &TableSeen, input: &Input<'_>) -> bool {
    let state = &seen.state;
    let old = |created| input.now >= over_at(created);
    state.status == TableStatus::Active && state.restored.is_some() && state.created.is_some_and(old)
}

/// From when on no test can need a table that was made then.
fn over_at(created: Timestamp) -> Timestamp {
    created.saturating_add(DEADLINE + SignedDuration::from_hours(1)).unwrap_or(Timestamp::MAX)
}

/// What a person deletes a table with.
fn deletion((scope, table): &(Scope, TableName)) -> String {
    format!("aws dynamodb delete-table --region {} --table-name {table}", scope.region)
}

/// The table that it was restored from.
fn origin(seen: &Seen<TableSeen>) -> Option<TableName> {
    seen.present()?.state.restored.as_ref()?.table.as_ref()?.name()
}

/// The incarnation of a forgotten table of a test, if it is over and its tag proves that it is this policy's.
pub(super) fn owned(key: &Key, place: &(Scope, TableName), input: &Input<'_>) -> Option<TableId> {
    let seen = input.observation.backups.described.get(place)?.present()?;
    let tags = input.observation.backups.tags.get(place)?.present()?;
    let proven = tags.get(OWNER_TAG).is_some_and(|owner| *owner == key.to_string());
    (proven && is_forgotten(&place.1, input) && is_over(seen, input)).then(|| seen.state.id.clone())
}

/// Every table that a restore test has left in the accounts and regions of an environment and its policies, and what must
/// be known to say more. Those that carry the tag of another environment that there is are that one's to tell of.
#[must_use]
pub fn left(input: &Input<'_>) -> (LeftTables, BTreeSet<Need>) {
    let (mut found, mut needs) = (LeftTables::default(), BTreeSet::new());
    let policies = input.environment.backups.values().map(|spec| &spec.scope);
    let scopes: BTreeSet<&Scope> = policies.chain([&input.environment.scope]).collect();
    let seen = &input.observation.backups;
    for scope in scopes {
        let all = match seen.tables.get(scope) {
            Some(Seen::Present(all)) => all,
            Some(Seen::Absent) => continue,
            Some(Seen::Unknown(Unknown(why))) => {
                found.unknown.push(format!("the tables of {scope} could not be listed: {why}"));
                continue;
            }
            None => {
                needs.insert(BackupNeed::Tables(scope.clone()).into());
                continue;
            }
        };
        for table in all.iter().filter(|table| is_forgotten(table, input)) {
            let place = (scope.clone(), table.clone());
            let (state, tags) = match (seen.described.get(&place), seen.tags.get(&place)) {
                (Some(Seen::Present(state)), Some(Seen::Present(tags))) => (state, tags),
                // Deleted since it was listed.
                (Some(Seen::Absent), _) | (_, Some(Seen::Absent)) => continue,
                (Some(Seen::Unknown(Unknown(why))), _) | (_, Some(Seen::Unknown(Unknown(why)))) => {
                    found.unknown.push(format!("the owner of {table} in {scope} could not be read: {why}"));
                    continue;
                }
                (None, _) | (_, None) => {
                    needs.insert(BackupNeed::Table(place.0.clone(), place.1.clone()).into());
                    needs.insert(BackupNeed::Tags(place.0, place.1).into());
                    continue;
                }
            };
            found.tables.extend(told(input, &place, state, tags.get(OWNER_TAG)));
        }
    }
    (found, needs)
}

/// What is told of one of them, if it is one: it was restored, is not going already, and is not somebody else's to follow.
fn told(input: &Input<'_>, place: &(Scope, TableName), seen: &TableSeen, owner: Option<&String>) -> Option<LeftTable> {
    let state = &seen.state;
    let restored = state.restored.as_ref()?;
    let key: Option<Key> = owner.and_then(|owner| owner.parse().ok());
    let foreign = key.as_ref().is_some_and(|key| {
        key.environment != input.environment.name && input.desired.environments.contains_key(&key.environment)
    });
    if foreign || state.status == TableStatus::Deleting {
        return None;
    }
    // It looks for what its tests have left as long as it makes tests.
    let policy = key.as_ref().and_then(|key| input.environment.backups.get(key));
    let looks = policy.is_some_and(|spec| spec.verify.is_some() && spec.scope == place.0);
    let (over, at) = (is_over(seen, input), state.created.map(over_at));
    let at = at.map_or_else(|| "one day after it becomes available".to_owned(), |at| format!("at {at}"));
    let remedy = match (looks, over) {
        (true, true) => {
            Remedy::Automatic { what: "deletes it in the next reconciliation, if the policy allows it".to_owned() }
        }
        (true, false) => Remedy::Automatic { what: format!("deletes it when no test can need it: {at}") },
        (false, over) => {
            let whose = match owner {
                None => "it has no owner tag, so Landfast does not do this".to_owned(),
                Some(owner) => format!("it has the tag of {owner}, which no longer deletes anything"),
            };
            let wait = if over { String::new() } else { format!("; not before a running test can have ended: {at}") };
            Remedy::Command { what: format!("deletes it; {whose}{wait}"), commands: vec![deletion(place)] }
        }
    };
    Some(LeftTable {
        table: place.1.to_string(),
        account: place.0.account.to_string(),
        region: place.0.region.to_string(),
        of: restored.table.as_ref().and_then(crate::model::TableArn::name).map(|table| table.to_string()),
        policy: owner.cloned(),
        since: state.created,
        over,
        remedy,
    })
}

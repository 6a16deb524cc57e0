//! Tables of restore tests that no journal knows any more: it was lost while the test ran.
//!
//! A table goes if it says itself that it is this policy's, and is older than any test may become. One that says nothing
//! is nobody's to delete; a person is told of it, with the command.

use jiff::SignedDuration;

use super::restore::DEADLINE;
use super::select::{Selected, tables};
use super::{BATCH, Deciding, Wanted};
use crate::model::{
    BackupNeed, Entry, Key, OWNER_TAG, RestoreDo, RestoreStep, Scope, Seen, TEST_PREFIX, TableId, TableName, TableSeen,
    TableStatus, Tried, Waiting,
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
                let region = &self.spec.scope.region;
                let what = format!(
                    "{table} looks like the table of a restore test, carries no tag of ours, and is nobody's to delete: `aws \
                     dynamodb delete-table --region {region} --table-name {table}`, if it is one"
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
    let old = |created| input.now.duration_since(created) >= DEADLINE + SignedDuration::from_hours(1);
    state.status == TableStatus::Active && state.restored.is_some() && state.created.is_some_and(old)
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

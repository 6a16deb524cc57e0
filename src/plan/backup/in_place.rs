//! What comes before a restore in place: the recovery point is chosen, and the name is free.
//!
//! A table of that name goes only if it is empty, and only the incarnation that is remembered. All that the restore needs is
//! known before anything is taken away: the point, the role, the key, and the settings that the table has. That it is empty
//! is not decided here: the executor scans it right before each call, and one item ends the restore.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::select::{Blocked, covered};
use super::{Deciding, Wanted, compare, points, unknown};
use crate::model::{
    Act, BackupMemory, BackupNeed, Comparison, Entry, Key, Kind, PointId, RecoveryPoint, Region, Replaced, Restore,
    RestoreDo, RestoreFrom, RestoreNote, RestoreStep, Scope, Seen, Setting, StackAddress, TEST_PREFIX, TableName,
    TableSeen, TableSelection, TableState, TableStatus, Waiting,
};
use crate::plan::Input;
use crate::plan::planner::Planner;
use crate::plan::standing::{Standing, row};

/// Restores that an account may have running at once (AWS: *`RestoreTableFromBackup`*: "up to 50 concurrent restores (any
/// type of restore) in a given account").
const RUNNING_MAX: usize = 50;

/// Parts of a table's settings that do not go with it.
const STAYS: [&str; 3] = ["alarms", "contributor insights", "Kinesis data streams"];

/// The tag by which CloudFormation says which stack a resource is of (AWS: *Resource tag*).
const STACK_TAG: &str = "aws:cloudformation:stack-name";

impl Deciding<'_> {
    /// What is done before a restore in place is begun.
    pub(super) fn make_room(
        &self,
        entry: &mut Entry,
        table: &TableName,
        restore: &Restore,
        seen: Option<&TableSeen>,
        wanted: &mut Wanted,
    ) -> Option<RestoreNote> {
        if let Some(why) = &restore.doomed {
            return Self::give_up(entry, table, restore, seen, why.clone(), wanted);
        }
        // What is gone by us was this policy's.
        if !restore.has_cleared()
            && let Some(why) = self.is_not_ours(entry, table, seen)?
        {
            return Self::give_up(entry, table, restore, seen, why, wanted);
        }
        if restore.from == RestoreFrom::NewestPoint {
            return self.choose_point(entry, table, restore, seen);
        }
        let Some(found) = seen else {
            if !restore.is_running() && !self.has_room(wanted) {
                entry.waiting.push(Waiting::Turn);
                return None;
            }
            return self.not_begun(entry, table, restore, wanted);
        };
        match &restore.replaced {
            Some(replaced) if replaced.id == found.state.id => match self.clear(entry, table, restore, found, wanted) {
                Ok(()) => None,
                Err(why) => Self::give_up(entry, table, restore, seen, why, wanted),
            },
            Some(_) if restore.has_cleared() => Some(RestoreNote::Ended(Some(format!(
                "a table {table} was created outside Landfast in the meantime; it was not touched"
            )))),
            _ => self.remember(entry, table, found),
        }
    }

    /// It ends without having deleted anything. What was switched off of the table is switched on first.
    fn give_up(
        entry: &mut Entry,
        table: &TableName,
        restore: &Restore,
        seen: Option<&TableSeen>,
        why: String,
        wanted: &mut Wanted,
    ) -> Option<RestoreNote> {
        let state = seen.map(|seen| &seen.state);
        let bare = state.zip(restore.replaced.as_ref()).filter(|(state, replaced)| {
            state.id == replaced.id && replaced.profile.deletion_protected && !state.deletion_protected
        });
        let Some((state, _)) = bare else { return Some(RestoreNote::Ended(Some(why))) };
        if state.status == TableStatus::Active {
            let action = RestoreDo::Set { id: state.id.clone(), setting: Setting::DeletionProtection };
            wanted.restore.push(RestoreStep { to: table.clone(), action });
        } else {
            Self::waits(entry, table, restore, state.status.as_str());
        }
        None
    }

    /// The newest point from which the table can be restored here: one of this policy, or one that a backup policy of
    /// another environment, region or account has sent to this policy's vault. What a backup plan has made is named by
    /// whoever wants it (S23). What was backed up of the empty table itself is never meant, however new it is: a policy of a
    /// standby region backs its empty tables up too.
    fn choose_point(
        &self,
        entry: &mut Entry,
        table: &TableName,
        restore: &Restore,
        seen: Option<&TableSeen>,
    ) -> Option<RestoreNote> {
        let (scope, backups) = (&self.spec.scope, &self.planner.input.observation.backups);
        let mut listed = vec![self.listed(entry, backups.points.get(scope), BackupNeed::Points(scope.clone()))?];
        if let Some(vault) = &self.spec.vault {
            let found = backups.vaults.get(&(scope.clone(), vault.name.clone()));
            let need = BackupNeed::Vault(scope.clone(), vault.name.clone(), self.known());
            listed.push(self.listed(entry, found, need)?);
        }
        if let Some(why) = listed.iter().find_map(|listed| listed.unread.get(table)) {
            unknown(entry, format!("not all recovery points of {table} could be read: {why}"));
            return None;
        }
        // The newest may have come since.
        if listed.iter().any(|listed| listed.at < restore.asked) {
            unknown(entry, format!("recovery points of {table} have not been listed since its restore was requested"));
            return None;
        }
        let known = self.memory.tables.get(table);
        let is_known = |id: &PointId| known.is_some_and(|known| known.points.contains_key(id));
        let is_made = |point: &RecoveryPoint| {
            let owner = points::said(point).and_then(|(owner, ..)| owner.parse::<Key>().ok());
            let vaulted = !point.id.is_on_demand() && owner.as_ref().is_some_and(|key| key.kind == Kind::BackupPolicy);
            vaulted || owner.as_ref() == Some(&self.spec.key) || is_known(&point.id)
        };
        let home = format!(":dynamodb:{}:{}:", scope.region, scope.account);
        let replaced = restore.replaced.as_ref().map(|replaced| replaced.created);
        let empty = seen.map(|seen| seen.state.created).or(replaced);
        let is_of_empty = |point: &RecoveryPoint| {
            let here = point.table_arn.as_str().contains(&home);
            here && empty.is_some_and(|since| since.is_none_or(|since| point.created >= since))
        };
        let all = listed.iter().flat_map(|listed| listed.points.iter().chain(&listed.others));
        let usable = all.filter(|point| point.table == *table && point.is_available() && is_made(point));
        let items = |point: &RecoveryPoint| {
            let noted = || known.and_then(|known| known.points.get(&point.id)?.items);
            point.items.or_else(noted)
        };
        // One that had nothing in it is better than none, and worse than any other.
        let rank = |point: &RecoveryPoint| (items(point) != Some(0), as_of(point), point.id.clone());
        let newest = usable.filter(|point| !is_of_empty(point)).max_by_key(|point| rank(point));
        Some(match newest {
            Some(point) => RestoreNote::Chosen(point.id.clone(), as_of(point)),
            None => RestoreNote::Ended(Some(format!(
                "no backup policy has made or copied a recovery point of {table} to {scope}, other than of the table that is \
                there now; nothing was changed. To restore another one, name it (`--point`)"
            ))),
        })
    }

    /// Why a table is not this policy's to restore. `None` as long as that is not known.
    #[expect(clippy::option_option, reason = "not known and no objection")]
    fn is_not_ours(&self, entry: &mut Entry, table: &TableName, seen: Option<&TableSeen>) -> Option<Option<String>> {
        let selected = match covered(self.planner, self.spec) {
            Ok(selected) => selected,
            Err(Blocked::Unknown(why)) => {
                unknown(entry, why);
                return None;
            }
            Err(Blocked::Pending(stack)) => {
                entry.waiting.push(Waiting::Dependency { objects: [stack.to_string()].into() });
                return None;
            }
        };
        let gone = seen.is_none()
            && match &self.spec.tables {
                TableSelection::Prefix(prefix) => table.as_str().starts_with(prefix.as_str()),
                // Its tags went with it; it was covered if it was backed up.
                TableSelection::Tagged(_) => self.memory.tables.contains_key(table),
                TableSelection::Stack(_) | TableSelection::Names(_) => false,
            };
        let meant = selected.contains_key(table)
            || gone && !self.spec.except.contains(table) && !table.as_str().starts_with(TEST_PREFIX);
        Some((!meant).then(|| format!("{} does not cover {table}; nothing was changed", self.spec.key)))
    }

    /// What the table is like whose name is needed: written down before anything is done to it.
    fn remember(&self, entry: &mut Entry, table: &TableName, found: &TableSeen) -> Option<RestoreNote> {
        if let Some(why) = cannot_go(table, &found.state, &self.spec.scope.region) {
            return Some(RestoreNote::Ended(Some(why)));
        }
        let live = self.profile_of(entry, table).ok()??;
        if live.id != found.state.id {
            unknown(entry, format!("{table} was replaced while it was read"));
            return None;
        }
        let mut unread = live.unread.iter().filter(|(part, _)| !STAYS.contains(&part.as_str()));
        if let Some((part, unread)) = unread.next() {
            let why = format!("settings of {table} ({part}) could not be read: {}", unread.why);
            if unread.denied {
                return Some(RestoreNote::Ended(Some(format!("{why}; they would be lost, so nothing was changed"))));
            }
            unknown(entry, why);
            return None;
        }
        let place = (self.spec.scope.clone(), table.clone());
        let tags = self.planner.input.observation.backups.tags.get(&place);
        let says =
            (&*format!("the tags of {table} could not be read"), format!("the tags of {table} have not been read"));
        let tags = self.looked_at(entry, tags, BackupNeed::Tags(place.0, place.1), says).ok()??;
        Some(RestoreNote::Replaces(Box::new(Replaced {
            id: found.state.id.clone(),
            created: found.state.created,
            profile: live.profile.clone(),
            kms_key: found.state.kms_key.clone(),
            stack: tags.get(STACK_TAG).and_then(|name| name.parse().ok()),
            cleared: None,
        })))
    }

    /// Takes away the table whose name is needed, as soon as that can be done, or says why not.
    fn clear(
        &self,
        entry: &mut Entry,
        table: &TableName,
        restore: &Restore,
        found: &TableSeen,
        wanted: &mut Wanted,
    ) -> Result<(), String> {
        let state = &found.state;
        if state.status == TableStatus::Deleting && restore.has_cleared() {
            Self::waits(entry, table, restore, state.status.as_str());
            return Ok(());
        }
        if let Some(why) = cannot_go(table, state, &self.spec.scope.region) {
            return Err(why);
        }
        // Whatever keeps the restore from being begun is found out while the table is there.
        if self.begin(entry, table, restore)?.is_none() {
            return Ok(());
        }
        if let Some(stack) = self.moving_stack(table) {
            entry.waiting.push(Waiting::Dependency { objects: [stack].into() });
            return Ok(());
        }
        if state.status != TableStatus::Active {
            Self::waits(entry, table, restore, state.status.as_str());
            return Ok(());
        }
        if !restore.is_running() && !self.has_room(wanted) {
            entry.waiting.push(Waiting::Turn);
            return Ok(());
        }
        let id = state.id.clone();
        let action = if state.deletion_protected { RestoreDo::Unprotect { id } } else { RestoreDo::Clear { id } };
        wanted.clear.push(RestoreStep { to: table.clone(), action });
        Ok(())
    }

    /// Whether one more restore may run in the account.
    fn has_room(&self, wanted: &Wanted) -> bool {
        let all = &self.planner.input.memory.objects.backups;
        let others =
            all.iter().filter(|(key, _)| **key != self.spec.key).flat_map(|(_, memory)| memory.restores.values());
        let others = others.filter(|restore| restore.is_running()).count();
        let mine = self.memory.restores.iter().filter(|(_, restore)| restore.is_running()).map(|(table, _)| table);
        let begins = wanted.restore.iter().filter(|step| matches!(step.action, RestoreDo::Begin(_)));
        let soon = wanted.clear.iter().chain(begins).map(|step| &step.to);
        others + mine.chain(soon).collect::<BTreeSet<_>>().len() < RUNNING_MAX
    }

    /// The stack that has the table, while an operation of it runs.
    fn moving_stack(&self, table: &TableName) -> Option<String> {
        let input = self.planner.input;
        let address = stack_of(input, &self.spec.scope, table, self.memory)?;
        let key = self.planner.entries.iter().find(|(_, entry)| entry.address.as_stack().as_ref() == Some(&address));
        let busy = key.is_some_and(|(key, _)| input.busy.contains(key));
        let rests = match input.observation.stack(&address) {
            Seen::Present(stack) => row(stack.state.status).standing != Standing::Busy,
            Seen::Absent => true,
            Seen::Unknown(_) => false,
        };
        (busy || !rests).then(|| key.map_or_else(|| address.to_string(), |(key, _)| key.to_string()))
    }

    /// What a table has that has come back: its items are counted, and it has the shape that is expected.
    pub(super) fn compare_in_place(
        &self,
        entry: &mut Entry,
        table: &TableName,
        restore: &Restore,
        state: &TableState,
    ) -> Option<RestoreNote> {
        if restore.items.is_none() {
            return Some(match self.counted(entry, table).ok()? {
                Some(counted) => RestoreNote::Counted(counted),
                None => RestoreNote::Ended(Some(format!("{table} was deleted outside Landfast"))),
            });
        }
        let mut compared = Comparison::default();
        if let Some(replaced) = &restore.replaced {
            compared.shape = compare::shape(&replaced.profile.key, &replaced.profile.indexes, state);
            if state.kms_key != replaced.kms_key {
                let name = |key: &Option<String>| key.clone().unwrap_or_else(|| "a key of DynamoDB's own".to_owned());
                let (has, had) = (name(&state.kms_key), name(&replaced.kms_key));
                compared.shape.push(format!("it is encrypted with {has}; expected {had}"));
            }
        } else if let Some(kept) = self.kept(entry, restore).ok()? {
            compared.shape = compare::shape(&kept.key, &kept.indexes, state);
        }
        compared.count = self.count(entry, table, restore, false).ok()?;
        Some(RestoreNote::Compared(compared))
    }

    /// Why a table that has come back under its name is not what is expected there.
    pub(super) fn misshapen(table: &TableName, restore: &Restore) -> Option<String> {
        let shape = restore.compared.as_ref().filter(|_| restore.is_in_place()).map(|compared| &compared.shape)?;
        (!shape.is_empty()).then(|| format!("its items are in {table}, but {}", shape.join("; ")))
    }
}

/// Why a table is not deleted for a restore, whatever is in it.
fn cannot_go(table: &TableName, state: &TableState, here: &Region) -> Option<String> {
    if state.replicas.iter().any(|region| region != here) {
        return Some(format!("{table} is a replica of a global table: its items are in its other regions too"));
    }
    match state.status {
        TableStatus::Active | TableStatus::Updating | TableStatus::Creating => None,
        other => Some(format!("{table} is {other}; nothing was changed")),
    }
}

/// The moment until which what was written is in a recovery point. A copy may say when it was copied; when its backup was
/// due, its tag says.
fn as_of(point: &RecoveryPoint) -> Timestamp {
    let due = points::said(point).map(|(_, slot, _)| slot).filter(|_| point.tags.is_some());
    due.map_or(point.created, |due| due.min(point.created))
}

/// The stack that owns a table which is restored in place, by what the table said before it went or what the stack lists.
fn stack_of(input: &Input<'_>, scope: &Scope, table: &TableName, memory: &BackupMemory) -> Option<StackAddress> {
    let seen = &input.observation;
    let listed = seen.backups.of_stacks.iter().find_map(|((address, _), tables)| {
        let has = tables.present().is_some_and(|tables| tables.contains_key(table));
        (has && address.scope == *scope).then(|| address.clone())
    });
    let replaced = memory.restores.get(table).and_then(|restore| restore.replaced.as_ref());
    let tagged = replaced.and_then(|replaced| replaced.stack.clone());
    let mut address = listed.or_else(|| tagged.map(|name| StackAddress { scope: scope.clone(), name }))?;
    // A nested stack is updated by its root.
    let mut above = BTreeSet::new();
    while let Some(parent) = seen.stacks.get(&address).and_then(|stack| stack.state.parent.as_ref()) {
        let Some((next, _)) = seen.stacks.iter().find(|(_, stack)| stack.state.id == *parent) else { break };
        if !above.insert(next.clone()) {
            break;
        }
        address = next.clone();
    }
    Some(address)
}

/// Since when nothing that was seen of a table says what it is like: it is being restored in place (`Timestamp::MAX`), or was
/// until then.
pub(in crate::plan) fn restored_since(input: &Input<'_>, scope: &Scope, table: &str) -> Option<Timestamp> {
    let policies = input.environment.backups.values().filter(|spec| spec.scope == *scope);
    let memories = policies.filter_map(|spec| input.memory.objects.backups.get(&spec.key));
    let restores = memories
        .flat_map(|memory| &memory.restores)
        .filter(|(name, restore)| name.as_str() == table && restore.is_in_place());
    restores.map(|(_, restore)| restore.ended.as_ref().map_or(Timestamp::MAX, |(at, _)| *at)).max()
}

impl Planner<'_> {
    /// While a table is restored in place, its stack is not changed: an update that meets a table which is not there fails,
    /// and its rollback too (AWS: *Troubleshooting CloudFormation*, *Update rollback failed*).
    pub(in crate::plan) fn hold_owners(&mut self) {
        let input = self.input;
        for spec in input.environment.backups.values() {
            let Some(memory) = input.memory.objects.backups.get(&spec.key) else { continue };
            for table in memory.being_restored() {
                let Some(address) = stack_of(input, &spec.scope, table, memory) else { continue };
                let of_stack = |entry: &&mut Entry| entry.address.as_stack().as_ref() == Some(&address);
                let Some(entry) = self.entries.values_mut().find(of_stack) else { continue };
                if entry.step.as_ref().is_some_and(|step| step.action.begins_operation()) {
                    entry.step = None;
                    let (since, status) =
                        (memory.restores.get(table).map(|restore| restore.asked), "IN PROGRESS".to_owned());
                    let what = format!("the restore of {table} in place");
                    entry.waiting.push(Waiting::Job { what, status, since });
                }
            }
        }
    }
}

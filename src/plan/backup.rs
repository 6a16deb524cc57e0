//! What a backup policy needs: which tables it covers, how they are protected, which backups are due, where their copies
//! are, and which recovery points may go.
//!
//! Whose a recovery point is and for when it was made is read from itself, so that nothing is made twice because we forgot
//! it. What fails for one table holds up no other: each has its own precondition, its own outcome and its own memory.

mod compare;
mod copy;
mod count;
mod coverage;
mod encryption;
mod gone;
mod in_place;
mod keep;
mod leftover;
mod lint;
mod make;
mod points;
mod profile;
mod protect;
mod restore;
mod retention;
mod seen;
mod select;
mod verify;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::planner::{Planner, refuse};
use super::{attempts, consent, guard};
use crate::model::{
    Action, Attempts, BackupDo, BackupMemory, BackupNote, BackupSpec, BackupStep, Basis, Changes, Difference, Digest,
    Do, Entry, Guard, Mode, Noted, Refusal, ResourceChange, Seen, Step, TableMemory, TableName, TableSeen, TableStatus,
    Tried, Waiting,
};

pub use compare::compare_items;
pub use coverage::coverage;
pub(super) use gone::{newest_point, restoring};
pub(super) use in_place::restored_since;
pub use leftover::left;
pub(super) use lint::faults;
use select::{Blocked, Selected, select};

/// Tables that one step is done to: a thousand take twenty looks, and one look takes seconds.
pub(super) const BATCH: usize = 50;

/// Decides on one desired backup policy. Its dependencies have been decided before.
pub(super) fn decide(planner: &Planner<'_>, spec: &BackupSpec) -> Entry {
    let memory = planner.remembered(&spec.key);
    let deciding = Deciding { planner, spec, memory: &memory };
    let mut entry = Entry {
        depends_on: spec.depends_on.clone(),
        basis: Basis::of(spec.digest.clone()),
        ..Entry::new(spec.address())
    };
    let selected = select(planner, spec);
    entry.basis.inputs = selected.as_ref().ok().map(|selected| Digest::of(&selected.keys().collect::<Vec<_>>()));
    let restoring = memory.being_restored().next().is_some();
    let covers = selected.as_ref().is_ok_and(|selected| restoring || !selected.is_empty());
    match selected {
        Err(Blocked::Unknown(why)) => unknown(&mut entry, why),
        Err(Blocked::Pending(key)) => {
            entry.action = Action::Create;
            entry.waiting.push(Waiting::Dependency { objects: [key.to_string()].into() });
        }
        Ok(_) if !covers => {
            entry.action = Action::Create;
            let reason = format!("no {} found, so nothing is backed up", spec.tables);
            refused(&mut entry, Guard::NoTable, reason, "correct `tables` in the manifest, or remove the policy");
        }
        Ok(selected) => deciding.covered(&mut entry, &selected),
    }
    if !covers {
        // What is restored does not wait for tables that are gone: that may be why it is restored.
        let mut wanted = Wanted::default();
        deciding.restores(&mut entry, &mut wanted);
        deciding.choose(&mut entry, wanted);
    }
    if entry.action != Action::None {
        guard::mode(planner.input, &spec.key, &mut entry);
        guard::never_older(planner.input, &spec.key, &mut entry);
    }
    entry
}

fn unknown(entry: &mut Entry, why: String) {
    if entry.action == Action::None {
        entry.action = Action::Unknown;
    }
    entry.waiting.push(Waiting::Unknown { why });
}

fn refused(entry: &mut Entry, guard: Guard, reason: impl Into<String>, release: impl Into<String>) {
    if matches!(entry.action, Action::None | Action::Unknown) {
        entry.action = Action::Update;
    }
    refuse(entry, Refusal { guard, reason: reason.into(), release: release.into() });
}

struct Deciding<'a> {
    planner: &'a Planner<'a>,
    spec: &'a BackupSpec,
    memory: &'a BackupMemory,
}

/// A table that is covered and could be seen.
struct Covered<'a> {
    name: &'a TableName,
    seen: &'a TableSeen,
    memory: TableMemory,
    /// The stack and the logical id, where it is known for one of a stack.
    origin: Option<&'a (crate::model::Key, String)>,
}

impl Covered<'_> {
    /// Failures of the same.
    fn failures(&self, tried: &Tried) -> Option<&Attempts> {
        attempts::of(self.memory.attempts.get(&tried.label), &tried.inputs)
    }

    /// How often the same has failed.
    fn tries(&self, tried: &Tried) -> u32 {
        self.failures(tried).map_or(0, |attempts| attempts.count)
    }
}

/// What could be done, most urgent first.
#[derive(Default)]
struct Wanted {
    notes: Vec<BackupNote>,
    make: Vec<crate::model::MakeBackup>,
    /// Tables whose settings are read so that they can be backed up: as many as one step takes.
    making: usize,
    recover: Vec<crate::model::SetRecovery>,
    /// Windows that become shorter: what they lose is approved by a person.
    shorten: Vec<crate::model::SetRecovery>,
    protect: Vec<crate::model::ProtectTable>,
    restore: Vec<crate::model::RestoreStep>,
    /// Empty tables whose names are needed: a person has named them.
    clear: Vec<crate::model::RestoreStep>,
    copy: Vec<crate::model::CopyPoint>,
    keep: Vec<crate::model::KeepSettings>,
    expire: Vec<crate::model::ExpirePoint>,
    /// Points of tables of which so many would go at once that a person approves it.
    purge: Vec<crate::model::ExpirePoint>,
    /// What is lost with those.
    lost: Vec<ResourceChange>,
}

impl Deciding<'_> {
    fn now(&self) -> Timestamp {
        self.planner.input.now
    }

    fn covered(&self, entry: &mut Entry, selected: &Selected) {
        let mut wanted = Wanted::default();
        let others = self.covered_by_others(selected);
        let listings = self.listings(entry);
        let (mut ready, mut count) = (listings.is_some() || !self.has_points(), 0_usize);
        for (table, origin) in selected {
            if let Some(other) = others.get(table) {
                let reason = format!("{table} is also covered by {other}");
                refused(entry, Guard::TwoWriters, reason, "exclude the table from one of the two (`except`)");
                ready = false;
                continue;
            }
            let Ok(seen) = self.told(entry, table) else {
                ready = false;
                continue;
            };
            let Some(seen) = seen else {
                self.bereft(entry, table, origin.as_ref(), listings.as_ref());
                ready = false;
                continue;
            };
            if !Self::is_usable(entry, seen) {
                ready = false;
                continue;
            }
            count += 1;
            let memory = self.memory.tables.get(table).cloned().unwrap_or_default();
            let table = Covered { name: table, seen, memory, origin: origin.as_ref() };
            ready &= self.protection(entry, &table, &mut wanted);
            match listings.as_ref().map(|listings| (listings, listings.unread(table.name))) {
                None => {}
                Some((listings, None)) => ready &= self.points(entry, &table, listings, &mut wanted),
                Some((_, Some(why))) => {
                    unknown(entry, format!("not all recovery points of {} could be read: {why}", table.name));
                    ready = false;
                }
            }
            let points = self.points_here(&table, listings.as_ref());
            ready &= self.proof(entry, &table, &points, &mut wanted);
        }
        if let Some(listings) = &listings {
            ready &= self.lost(entry, selected, listings);
        }
        let tables = if count == 1 { "1 TABLE".to_owned() } else { format!("{count} TABLES") };
        entry.status = Some(tables + &self.measured());
        self.restores(entry, &mut wanted);
        self.leftovers(entry, selected, &mut wanted);
        self.leave(selected, &mut wanted);
        if !wanted.lost.is_empty() {
            entry.changes = Changes::Known(std::mem::take(&mut wanted.lost));
        }
        self.choose(entry, wanted);
        ready &= self.memory.being_restored().next().is_none();
        entry.ready = ready && entry.refused.is_empty() && entry.action != Action::Unknown;
    }

    /// Tables that another policy of this environment covers too, of those that come before this one.
    fn covered_by_others(&self, selected: &Selected) -> BTreeMap<TableName, String> {
        let mut others = BTreeMap::new();
        let before = self.planner.input.environment.backups.range(..&self.spec.key);
        for (key, other) in before.filter(|(_, other)| other.scope == self.spec.scope) {
            let Ok(theirs) = select(self.planner, other) else { continue };
            for table in theirs.keys().filter(|table| selected.contains_key(*table)) {
                others.insert(table.clone(), key.to_string());
            }
        }
        others
    }

    fn has_points(&self) -> bool {
        self.spec.makes_points()
            || self.memory.tables.values().any(|table| table.pending.is_some())
            || self.asked().is_some()
    }

    /// Whether something can be done to a table.
    fn is_usable(entry: &mut Entry, seen: &TableSeen) -> bool {
        let table = &seen.state.name;
        match seen.state.status {
            TableStatus::Active | TableStatus::Updating | TableStatus::ReplicationNotAuthorized => true,
            TableStatus::Unclear => {
                unknown(entry, format!("{table} has a status that this version of Landfast does not know"));
                false
            }
            TableStatus::Creating => {
                let status = seen.state.status.to_string();
                let what = format!("the table {table} to be created");
                entry.waiting.push(Waiting::Job { what, status, since: seen.state.created });
                Self::pends(entry);
                false
            }
            other => {
                let reason = format!("{table} is {other}, and cannot be backed up");
                let release = "make its KMS key usable again, or remove the table from the policy";
                refused(entry, Guard::Stuck, reason, release);
                false
            }
        }
    }

    fn pends(entry: &mut Entry) {
        if matches!(entry.action, Action::None | Action::Unknown) {
            entry.action = Action::Update;
        }
    }

    fn differs(entry: &mut Entry, table: &TableName, why: impl Into<String>) {
        Self::pends(entry);
        entry.differences.push(Difference::Table { name: table.to_string(), why: why.into() });
    }

    fn unprotected(entry: &mut Entry, table: &TableName, setting: &str, from: String, to: String) {
        Self::pends(entry);
        let (table, setting) = (table.to_string(), setting.to_owned());
        entry.differences.push(Difference::Protection { table, setting, from, to });
    }

    /// Whether an earlier failure keeps this from being tried now (invariant L7), or that it was done in vain.
    fn is_held(&self, entry: &mut Entry, table: &Covered<'_>, tried: &Tried) -> bool {
        let taken = table.memory.taken.get(&tried.label);
        if taken.is_some_and(|taken| taken.is_in_vain(&tried.inputs, self.now())) {
            refuse(entry, attempts::in_vain(&format!("{} ({})", tried.label, table.name)));
            return true;
        }
        attempts::hold(self.planner.input, table.failures(tried), u32::MAX, entry)
    }

    /// What is remembered of tables that are not covered any more and have nothing left that is worth it.
    fn leave(&self, selected: &Selected, wanted: &mut Wanted) {
        let listed = self.planner.input.observation.backups.tables.get(&self.spec.scope).and_then(Seen::present);
        // What has failed of one that a test has left is counted as long as it is there.
        let stays = |table: &TableName| {
            leftover::is_forgotten(table, self.planner.input) && listed.is_none_or(|all| all.contains(table))
        };
        let nothing = |memory: &TableMemory| memory.pending.is_none() && memory.points.is_empty();
        let left = self
            .memory
            .tables
            .iter()
            .filter(|(table, memory)| !selected.contains_key(*table) && nothing(memory) && !stays(table));
        wanted.notes.extend(left.map(|(table, _)| BackupNote { table: table.clone(), what: Noted::Left }));
    }

    /// The one step that can be taken now: the most urgent one that nothing forbids.
    fn choose(&self, entry: &mut Entry, wanted: Wanted) {
        let Wanted { notes, make, restore, clear, recover, shorten, protect, copy, keep, expire, purge, .. } = wanted;
        let quiet = self.planner.unready(&self.spec.key, &self.spec.depends_on).is_empty();
        let settles = !recover.is_empty() || !protect.is_empty() || !shorten.is_empty();
        if settles && !quiet {
            let objects = self.planner.unready(&self.spec.key, &self.spec.depends_on);
            let objects = objects.iter().map(ToString::to_string).collect();
            entry.waiting.push(Waiting::Dependency { objects });
        }
        // While what makes the tables moves, their settings are left alone; backups go on.
        let settings = |action: Option<BackupDo>| action.filter(|_| quiet);
        let candidates = [
            (batch(notes).map(BackupDo::Note), false),
            (settings(batch(recover).map(BackupDo::Recover)), false),
            (settings(batch(protect).map(BackupDo::Protect)), false),
            (batch(make).map(BackupDo::Make), false),
            (batch(restore).map(BackupDo::Restore), false),
            (batch(clear).map(BackupDo::Restore), false),
            (batch(copy).map(BackupDo::Copy), false),
            (batch(keep).map(BackupDo::Keep), false),
            (self.expiring(expire).map(BackupDo::Expire), false),
            (settings(batch(shorten).map(BackupDo::Recover)), true),
            (self.expiring(purge).map(BackupDo::Expire), true),
        ];
        let approved = consent::covers(self.planner.input, &self.spec.key, entry);
        let mut asks = false;
        for (action, destroys) in candidates {
            let Some(action) = action else { continue };
            let step = BackupStep { action };
            let person =
                destroys || self.planner.input.environment.policy.mode == Mode::Approve && !step.action.only_adds();
            if person && !approved {
                asks = true;
            } else if entry.step.is_none() {
                entry.step = Some(self.step(step));
            }
        }
        if asks && !guard::is_observed_only(self.planner.input.environment) {
            entry.waiting.push(guard::approval(self.planner.input));
        }
    }

    fn step(&self, action: BackupStep) -> Box<Step> {
        Box::new(Step {
            key: self.spec.key.clone(),
            address: self.spec.address(),
            revision: self.planner.input.desired.revision.sequence,
            cost: (0, 0, 0),
            takes_over: None,
            depends_on: self.spec.depends_on.clone(),
            action: Do::Backup(action),
        })
    }
}

/// The first of these, if there are any.
fn batch<T>(mut all: Vec<T>) -> Option<Vec<T>> {
    all.truncate(BATCH);
    (!all.is_empty()).then_some(all)
}

/// Tables, as a sentence counts them.
fn names(tables: &BTreeSet<&TableName>) -> String {
    tables.iter().map(|table| table.as_str()).collect::<Vec<_>>().join(", ")
}

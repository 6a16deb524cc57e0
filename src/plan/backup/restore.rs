//! What comes next of a restore that was asked for or begun.
//!
//! What is known of a restore is in memory, and what became of it is seen in AWS: so whenever the process dies, the next
//! look goes on from there. The new table is found by its name and by where it says that it comes from; from then on it is
//! known by its id, and no table of another id is ever touched.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::SignedDuration;

use super::encryption::{as_replaced, here};
use super::seen::NotYet;
use super::{Deciding, Wanted, compare, profile, unknown};
use crate::model::{
    BackupNeed, BackupNote, BeginRestore, Comparison, Digest, Entry, Noted, PointId, PointKeeper, ProfileSeen, Restore,
    RestoreDo, RestoreFrom, RestoreNote, RestoreStep, RestoreWhy, Seen, Setting, TableName, TableProfile, TableSeen,
    TableState, TableStatus, Unknown, VaultJob, Waiting,
};
use crate::plan::names::token;
use crate::plan::{attempts, guard};
use crate::sabotage::{self, Bug};

/// A restore test that takes longer proves the contrary. AWS: "can take several hours".
pub(super) const DEADLINE: SignedDuration = SignedDuration::from_hours(24);

/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;

/// Of a thousand items so many may differ, where no manifest says so.
pub(super) const TOLERANCE: u32 = 100;

/// After so long a table that was made is seen.
const SHOWN: SignedDuration = SignedDuration::from_mins(2);

/// How far AWS's clock and ours may differ.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// After so many refusals a setting is left to a person: two hours after the first.
const SETTING_TRIES: u32 = 6;

/// What came of a restore is told for so long.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What is wanted of a new table: its settings, and where they come from.
type Settings = (TableProfile, String);

impl Deciding<'_> {
    /// Adds what the restores of this policy need.
    pub(super) fn restores(&self, entry: &mut Entry, wanted: &mut Wanted) {
        if guard::is_observed_only(self.planner.input.environment) {
            return;
        }
        for (to, restore) in &self.memory.restores {
            match &restore.ended {
                Some((at, _)) => {
                    if self.now().duration_since(*at) >= KEPT {
                        wanted.notes.push(note(to, RestoreNote::Forgotten));
                    }
                }
                None => self.restore(entry, to, restore, wanted),
            }
        }
    }

    fn restore(&self, entry: &mut Entry, to: &TableName, restore: &Restore, wanted: &mut Wanted) {
        if !matches!(restore.why, RestoreWhy::Test { asked: false }) {
            let where_to = if restore.is_in_place() { "in place".to_owned() } else { format!("to {to}") };
            Self::differs(entry, &restore.table, format!("it is restored {where_to}"));
        }
        let inputs = Digest::of(&(to, restore.made.is_some(), restore.compared.is_some()));
        if attempts::hold(self.planner.input, attempts::of(restore.attempts.as_ref(), &inputs), u32::MAX, entry) {
            return;
        }
        let Ok(seen) = self.told(entry, to) else { return };
        let told = match (&restore.made, seen) {
            (None, seen) if restore.is_in_place() && restore.begun.is_none() => {
                self.make_room(entry, to, restore, seen, wanted)
            }
            // It was seen to be gone, and this read is older.
            (_, Some(found)) if restore.replaced.as_ref().is_some_and(|replaced| replaced.id == found.state.id) => {
                Self::waits(entry, to, restore, "DELETING");
                None
            }
            (None, None) => self.not_begun(entry, to, restore, wanted),
            (None, Some(found)) => Some(unknown_table(to, restore, &found.state)),
            (Some(_), None) => self.gone(entry, to, restore),
            (Some(id), Some(found)) if found.state.id != *id => {
                Some(RestoreNote::Ended(Some(format!("the name {to} is now used by another table"))))
            }
            (Some(_), Some(found)) => self.made(entry, to, restore, found, wanted),
        };
        wanted.notes.extend(told.map(|told| note(to, told)));
    }

    /// No new table is seen, and none is known.
    pub(super) fn not_begun(
        &self,
        entry: &mut Entry,
        to: &TableName,
        restore: &Restore,
        wanted: &mut Wanted,
    ) -> Option<RestoreNote> {
        if let Some(begun) = restore.begun {
            if restore.is_test() && self.now().duration_since(begun) > DEADLINE {
                return Some(RestoreNote::Ended(Some("no table was created within a day".to_owned())));
            }
            if let Some(job) = &restore.job {
                return self.job_of(entry, to, restore, job);
            }
        }
        match self.begin(entry, to, restore) {
            Ok(Some(begin)) => {
                let action = RestoreDo::Begin(Box::new(begin));
                wanted.restore.push(RestoreStep { to: to.clone(), action });
                None
            }
            Ok(None) => None,
            Err(why) => Some(RestoreNote::Ended(Some(why))),
        }
    }

    /// How it is begun, or why it cannot be. `None` as long as that is not known.
    pub(super) fn begin(
        &self,
        entry: &mut Entry,
        to: &TableName,
        restore: &Restore,
    ) -> Result<Option<BeginRestore>, String> {
        let table = &restore.table;
        let Ok(source) = self.told(entry, table) else { return Ok(None) };
        let mut begun = restore.clone();
        let (mut keeper, mut role, mut encryption) = (None, None, BTreeMap::new());
        let source = match (&restore.from, source) {
            (RestoreFrom::Latest | RestoreFrom::Moment(_), None) => {
                return Err(format!(
                    "table {table} does not exist; a deleted table can be restored only from a recovery point \
                    (`--point`)"
                ));
            }
            (from @ (RestoreFrom::Latest | RestoreFrom::Moment(_)), Some(source)) => {
                begun.as_of = moment(table, from, source)?;
                source.state.arn.clone()
            }
            (RestoreFrom::NewestPoint, _) => return Ok(None),
            (RestoreFrom::Point(id), source) => {
                let Some((kept, arn, created)) = self.point_of(entry, table, id)? else { return Ok(None) };
                if let PointKeeper::Vault(name) = &kept {
                    let Some(vault) = &self.spec.vault else {
                        return Err(format!("{id} is in a vault, but the policy has no role to restore it"));
                    };
                    let Some(found) = self.role(entry, &vault.role) else { return Ok(None) };
                    role = Some(found);
                    let Ok(words) = self.encryption(entry, name, id) else { return Ok(None) };
                    encryption = match &restore.replaced {
                        Some(replaced) => as_replaced(replaced),
                        None => here(words, &self.spec.scope.region)
                            .map_err(|why| format!("{id} cannot be restored here: {why}"))?,
                    };
                }
                keeper = Some(kept);
                begun.as_of = begun.as_of.or(Some(created));
                source.map_or(arn, |source| source.state.arn.clone())
            }
        };
        let token = token(&self.spec.key, "restore", &(to, restore.asked));
        Ok(Some(BeginRestore { restore: begun, source, keeper, role, encryption, token }))
    }

    /// A recovery point that can be restored: where it is kept, of which table it is, and when it was made.
    fn point_of(
        &self,
        entry: &mut Entry,
        table: &TableName,
        id: &PointId,
    ) -> Result<Option<(PointKeeper, crate::model::TableArn, jiff::Timestamp)>, String> {
        let none = || format!("recovery point {id} does not exist: `landfast backup list` shows all");
        let Ok(point) = self.point_seen(entry, id) else { return Ok(None) };
        let point = point.ok_or_else(none)?;
        if point.table != *table {
            return Err(format!("{id} is a recovery point of {}, not of {table}", point.table));
        }
        if !point.is_available() {
            return Err(format!("{id} is {} and cannot be restored", point.status));
        }
        Ok(Some((point.keeper.clone(), point.table_arn.clone(), point.created)))
    }

    fn job_of(
        &self,
        entry: &mut Entry,
        to: &TableName,
        restore: &Restore,
        job: &crate::model::JobId,
    ) -> Option<RestoreNote> {
        let place = (self.spec.scope.clone(), job.clone());
        match self.planner.input.observation.backups.restores.get(&place) {
            None => {
                self.planner.need(BackupNeed::RestoreJob(place.0, place.1));
                unknown(entry, format!("the restore job of {} has not been read", restore.table));
            }
            Some(Seen::Unknown(Unknown(why))) => {
                unknown(entry, format!("the restore job of {} could not be read: {why}", restore.table));
            }
            Some(Seen::Present(VaultJob { state, message, .. })) if !state.is_open() => {
                if *state != crate::model::JobState::Completed {
                    let message = message.clone().unwrap_or_else(|| "AWS gives no reason".to_owned());
                    return Some(RestoreNote::Ended(Some(format!("{state}: {message}"))));
                }
                Self::waits(entry, to, restore, "COMPLETED");
            }
            Some(Seen::Present(VaultJob { state, .. })) => Self::waits(entry, to, restore, state.as_str()),
            Some(Seen::Absent) => return Some(RestoreNote::Ended(Some("AWS has no record of its job".to_owned()))),
        }
        None
    }

    pub(super) fn waits(entry: &mut Entry, to: &TableName, restore: &Restore, status: &str) {
        let what = match restore.why {
            RestoreWhy::Test { .. } => format!("the restore test of {} to {to}", restore.table),
            RestoreWhy::Asked { .. } => format!("the restore of {} to {to}", restore.table),
            RestoreWhy::InPlace { .. } => format!("the restore of {to} in place"),
        };
        entry.waiting.push(Waiting::Job { what, status: status.to_owned(), since: restore.begun });
    }

    /// The new table was known, and is not there.
    fn gone(&self, entry: &mut Entry, to: &TableName, restore: &Restore) -> Option<RestoreNote> {
        let fresh = restore.begun.is_none_or(|begun| self.now().duration_since(begun) < SHOWN);
        if restore.is_test() && (restore.compared.is_some() || restore.doomed.is_some()) {
            return Some(RestoreNote::Ended(self.verdict(restore)));
        }
        if fresh {
            Self::waits(entry, to, restore, "NOT SEEN YET");
            return None;
        }
        Some(RestoreNote::Ended(Some(format!("{to} was deleted outside Landfast"))))
    }

    /// What a test has shown, if it failed.
    fn verdict(&self, restore: &Restore) -> Option<String> {
        if sabotage::is(Bug::ProvesAnything) {
            return None;
        }
        let tolerance = self.spec.verify.map_or(TOLERANCE, |verify| verify.tolerance_milli);
        let age = restore.as_of.zip(restore.begun).map_or(0, |(as_of, begun)| begun.duration_since(as_of).as_secs());
        let days = u32::try_from(age / DAY + 1).unwrap_or(1);
        restore.doomed.clone().or_else(|| compare::verdict(restore.compared.as_ref()?, tolerance, days))
    }

    /// The new table is there.
    fn made(
        &self,
        entry: &mut Entry,
        to: &TableName,
        restore: &Restore,
        found: &TableSeen,
        wanted: &mut Wanted,
    ) -> Option<RestoreNote> {
        let state = &found.state;
        match state.status {
            TableStatus::Active | TableStatus::Updating | TableStatus::ReplicationNotAuthorized => {}
            TableStatus::Creating => {
                let late = restore.begun.is_some_and(|begun| self.now().duration_since(begun) > DEADLINE);
                if restore.is_test() && restore.doomed.is_none() && late {
                    return Some(RestoreNote::Doomed("it did not become available within a day".to_owned()));
                }
                Self::waits(entry, to, restore, state.status.as_str());
                return None;
            }
            TableStatus::Deleting if restore.is_test() => {
                Self::waits(entry, to, restore, state.status.as_str());
                return None;
            }
            other => return Some(RestoreNote::Ended(Some(format!("{to} is {other}")))),
        }
        if restore.active.is_none() {
            return Some(RestoreNote::Active);
        }
        // It says itself whose it is before anything else is done with it: should the journal be lost, that is left.
        let unmarked = restore.is_test() && !restore.tagged;
        if restore.compared.is_none() && restore.doomed.is_none() && !unmarked {
            return self.compare(entry, to, restore, state);
        }
        if !restore.is_test() {
            return self.settle(entry, to, restore, state, wanted);
        }
        let (id, owner) = (state.id.clone(), self.spec.key.clone());
        let action = if unmarked { RestoreDo::Mark { id, owner } } else { RestoreDo::Remove { id, owner } };
        if state.status == TableStatus::Active {
            wanted.restore.push(RestoreStep { to: to.clone(), action });
        } else {
            Self::waits(entry, to, restore, state.status.as_str());
        }
        None
    }

    /// How a sample of the restored items compares with what the table has now.
    fn items(&self, entry: &mut Entry, to: &TableName, restore: &Restore) -> Result<Comparison, NotYet> {
        let sample = self.spec.verify.map_or(1_000, |verify| verify.sample);
        let place = (self.spec.scope.clone(), restore.table.clone(), to.clone(), sample);
        let found = self.planner.input.observation.backups.compared.get(&place);
        let need = BackupNeed::Compare(place.0, place.1, place.2, place.3);
        let says = (&*format!("items of {to} could not be compared"), format!("items of {to} have not been compared"));
        Ok(self.looked_at(entry, found, need, says)?.cloned().unwrap_or_default())
    }

    fn compare(&self, entry: &mut Entry, to: &TableName, restore: &Restore, state: &TableState) -> Option<RestoreNote> {
        if restore.is_in_place() {
            return self.compare_in_place(entry, to, restore, state);
        }
        let source = self.told(entry, &restore.table).ok()?;
        let kept = self.kept(entry, restore).ok()?;
        // What it could be compared with may be gone: that is why it is restored, perhaps.
        let mut compared = if source.is_some() { self.items(entry, to, restore).ok()? } else { Comparison::default() };
        compared.shape = match (kept, source) {
            (Some(kept), _) => compare::shape(&kept.key, &kept.indexes, state),
            (None, Some(source)) => compare::shape(&source.state.key, &source.state.indexes, state),
            (None, None) => Vec::new(),
        };
        compared.count = self.count(entry, to, restore, source.is_some()).ok()?;
        Some(RestoreNote::Compared(compared))
    }

    /// The settings that the new table gets, and where they come from.
    fn settings(&self, entry: &mut Entry, restore: &Restore) -> Result<Option<Settings>, NotYet> {
        if let Some(replaced) = &restore.replaced {
            let origin = told(&replaced.profile, "the empty table that it replaced".to_owned());
            return Ok(Some((replaced.profile.clone(), origin)));
        }
        if let Some(kept) = self.kept(entry, restore)? {
            let origin = told(&kept, "the recovery point".to_owned());
            return Ok(Some((kept, origin)));
        }
        if let Some(live) = self.live(entry, restore)? {
            let passes = live.unread.iter().find(|(_, unread)| !unread.denied);
            if let Some((part, unread)) = passes.filter(|_| restore.settings.is_none()) {
                let table = &restore.table;
                unknown(entry, format!("settings of {table} ({part}) could not be read: {}", unread.why));
                return Err(NotYet);
            }
            let profile = live.profile.clone();
            let origin = told(&profile, format!("the current table {}", restore.table));
            return Ok(Some((profile, origin)));
        }
        let RestoreFrom::Point(id) = &restore.from else { return Ok(None) };
        if !id.is_on_demand() {
            return Ok(None);
        }
        let few = "the backup itself (without scaling, alarms and tags)";
        Ok(self.backup_seen(entry, id)?.map(|(_, profile)| (profile.clone(), few.to_owned())))
    }

    /// Gives the new table its settings, one after the other, until none is lacking.
    fn settle(
        &self,
        entry: &mut Entry,
        to: &TableName,
        restore: &Restore,
        state: &TableState,
        wanted: &mut Wanted,
    ) -> Option<RestoreNote> {
        let Some((settings, origin)) = self.settings(entry, restore).ok()? else {
            return Some(RestoreNote::Ended(Some(format!(
                "its items are in {to}, but the settings of {} are unknown: configure them manually",
                restore.table
            ))));
        };
        if restore.settings.is_none() {
            return Some(RestoreNote::Settings(origin));
        }
        let Some(has) = self.profile_of(entry, to).ok()? else {
            return Some(RestoreNote::Ended(Some(format!("{to} was deleted outside Landfast"))));
        };
        let settings = if restore.is_in_place() {
            profile::given_back(&settings, restore.replaced.is_some())
        } else {
            profile::retarget(&settings, &restore.table, to)
        };
        let mut lacking = profile::lacks(&settings, &has.profile);
        if lacking.is_empty() {
            return Some(RestoreNote::Ended(Self::misshapen(to, restore)));
        }
        // Of what could not be read it is not known whether it is lacking.
        let unread = |setting: &Setting| profile::part(setting).and_then(|part| has.unread.get_key_value(part));
        let mut left: Vec<String> = Vec::new();
        lacking.retain(|setting| match unread(setting) {
            Some((part, unread)) if unread.denied => {
                left.push(format!("{part}: {}", unread.why));
                false
            }
            Some((part, unread)) => {
                unknown(entry, format!("settings of {to} ({part}) could not be read: {}", unread.why));
                false
            }
            None => true,
        });
        lacking.retain(|setting| !self.is_given_up(entry, restore, setting, &mut left));
        let Some(setting) = lacking.into_iter().next() else {
            if entry.waiting.is_empty() && !left.is_empty() {
                left.dedup();
                let left = left.join("; ");
                let why =
                    format!("its items are in {to}, but not all settings could be set: {left}: set them manually");
                return Some(RestoreNote::Ended(Some(why)));
            }
            return None;
        };
        if state.status != TableStatus::Active || has.busy {
            Self::waits(entry, to, restore, state.status.as_str());
            return None;
        }
        if profile::acts_on_items(&setting) && restore.compared.is_none() {
            return None;
        }
        let action = RestoreDo::Set { id: state.id.clone(), setting };
        wanted.restore.push(RestoreStep { to: to.clone(), action });
        None
    }

    /// Whether a setting is not tried now: AWS has refused it, or has accepted it in vain. Others go on meanwhile.
    fn is_given_up(&self, entry: &mut Entry, restore: &Restore, setting: &Setting, left: &mut Vec<String>) -> bool {
        let (label, inputs) = (setting.name(), setting.identity());
        if restore.taken.get(&inputs).is_some_and(|taken| taken.is_in_vain(&inputs, self.now())) {
            left.push(format!("{label}: AWS accepted the change several times, and does not show it"));
            return true;
        }
        let failed = restore.refused.get(&inputs);
        if let Some(failed) = failed.filter(|failed| !failed.failure.transient || failed.count >= SETTING_TRIES) {
            left.push(format!("{label}: {}", failed.failure.reason));
            return true;
        }
        attempts::hold(self.planner.input, failed, u32::MAX, entry)
    }
}

/// Where settings come from, and what they lack: for people.
fn told(settings: &TableProfile, origin: String) -> String {
    let list = |all: &std::collections::BTreeSet<String>| all.iter().cloned().collect::<Vec<_>>().join(", ");
    let mut text = origin;
    if !settings.unread.is_empty() {
        let _ = write!(text, ", where these could not be read and are missing: {}", list(&settings.unread));
    }
    if !settings.by_hand.is_empty() {
        let _ = write!(text, "; not restored, set up manually: {}", list(&settings.by_hand));
    }
    text
}

impl Deciding<'_> {
    /// The settings of the table that it is a restore of, if that is another table.
    fn live(&self, entry: &mut Entry, restore: &Restore) -> Result<Option<&ProfileSeen>, NotYet> {
        if restore.is_in_place() { Ok(None) } else { self.profile_of(entry, &restore.table) }
    }
}

fn note(to: &TableName, what: RestoreNote) -> BackupNote {
    BackupNote { table: to.clone(), what: Noted::Restore(what) }
}

/// The moment that is restored, if there is such a moment.
fn moment(table: &TableName, from: &RestoreFrom, source: &TableSeen) -> Result<Option<jiff::Timestamp>, String> {
    let recovery = source.recovery;
    if !recovery.on {
        return Err(format!(
            "point-in-time recovery of {table} is off: restore a recovery point (`--point`; `landfast backup list` \
            shows all)"
        ));
    }
    let RestoreFrom::Moment(at) = from else { return Ok(recovery.latest) };
    let early = recovery.earliest.is_some_and(|earliest| *at < earliest);
    let late = recovery.latest.is_some_and(|latest| *at > latest);
    if early || late {
        let shown = |at: Option<jiff::Timestamp>| at.map_or_else(|| "?".to_owned(), |at| at.to_string());
        let (earliest, latest) = (shown(recovery.earliest), shown(recovery.latest));
        return Err(format!(
            "{at} is not available: {table} can be restored to any second from {earliest} to {latest}"
        ));
    }
    Ok(Some(*at))
}

/// A table of the name is there that we do not know: ours, whose answer was lost, or somebody else's.
fn unknown_table(to: &TableName, restore: &Restore, state: &TableState) -> RestoreNote {
    let Some(begun) = restore.begun else {
        return RestoreNote::Ended(Some(format!("table {to} exists already: choose another name with `--as`")));
    };
    let fits = state.restored.as_ref().is_some_and(|origin| {
        let point = matches!(&restore.from, RestoreFrom::Point(id) if origin.point.as_ref() == Some(id));
        let table = origin.table.as_ref().and_then(crate::model::TableArn::name);
        point || table.as_ref() == Some(&restore.table)
    });
    let since = state.created.is_none_or(|created| created.duration_since(begun) >= -SKEW);
    if fits && since {
        return RestoreNote::Found(state.id.clone());
    }
    RestoreNote::Ended(Some(format!("a table {to} was created outside Landfast in the meantime")))
}

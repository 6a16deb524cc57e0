//! Which backups are due, what came of those that were begun, and which points may go.
//!
//! A table needs one point for the newest slot of the schedule; so what was missed is made up for once, however much it
//! was, and a table that is new is backed up at once. Whether a slot has its point is told by the point's own name, or by
//! AWS having made one since: no clock of ours can make two of one, nor keep the next from being made.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::points::{self, Point};
use super::retention::{Kept, over};
use super::{Covered, Deciding, Wanted, refused, unknown};
use crate::model::{
    BackupNeed, BackupNote, ChangeAction, Entry, ExpirePoint, Failure, Guard, ITEMS_TAG, JobId, MakeBackup, MakeWay,
    Noted, OWNER_TAG, PROFILE_TAG, PendingBackup, PointId, PointName, PointStatus, PointsListed, RecoveryPoint,
    Replacement, ResourceChange, Retention, SLOT_TAG, Seen, Tried, Unknown, VaultJob, Waiting,
};
use crate::plan::names::token;
use crate::sabotage::{self, Bug};

/// After so long a listing shows every backup that was made (AWS: *`ListBackups`* is eventually consistent, and gives no
/// figure: seconds, as for tables).
const SHOWN: SignedDuration = SignedDuration::from_mins(2);

/// What a person asked for is meant for a day.
const ASKED: SignedDuration = SignedDuration::from_hours(24);

/// So long a backup waits for settings that may be read by the next look.
const SETTINGS: SignedDuration = SignedDuration::from_mins(15);

/// Points of one table that go without a person, in one look. A slot makes one, and one goes for it.
const UNASKED: usize = 3;

/// Points of a policy that go in one look, and within an hour.
const AT_ONCE: usize = 10;
const HOURLY: usize = 50;
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Listings of recovery points, where those of the tables' own region and of each region with copies are told apart.
pub(super) struct Listings<'a> {
    pub(super) home: Vec<&'a PointsListed>,
    pub(super) copies: BTreeMap<&'a crate::model::Region, &'a PointsListed>,
}

impl Deciding<'_> {
    /// When a person has asked for backups, as long as that is meant still.
    pub(super) fn asked(&self) -> Option<Timestamp> {
        let asked = self.memory.asked.filter(|asked| self.now().duration_since(*asked).abs() < ASKED)?;
        // A slot has no fractions: the next second, so that a backup of just before it is not taken for this one.
        Timestamp::from_second(asked.as_second().saturating_add(1)).ok()
    }

    /// All listings that recovery points of this policy are in. `None` as long as one is missing.
    pub(super) fn listings(&self, entry: &mut Entry) -> Option<Listings<'_>> {
        if !self.has_points() {
            return None;
        }
        let (scope, seen) = (&self.spec.scope, &self.planner.input.observation.backups);
        let on_demand = BackupNeed::Points(scope.clone());
        let mut home = vec![self.listed(entry, seen.points.get(scope), on_demand)];
        if let Some(vault) = &self.spec.vault {
            let found = seen.vaults.get(&(scope.clone(), vault.name.clone()));
            let known = self.known();
            home.push(self.listed(entry, found, BackupNeed::Vault(scope.clone(), vault.name.clone(), known)));
        }
        let mut copies = BTreeMap::new();
        for (region, vault) in &self.spec.copy_to {
            let scope = crate::model::Scope { region: region.clone(), ..scope.clone() };
            let found = seen.vaults.get(&(scope.clone(), vault.clone()));
            let listed = self.listed(entry, found, BackupNeed::Vault(scope, vault.clone(), self.known()));
            copies.insert(region, listed?);
        }
        Some(Listings { home: home.into_iter().collect::<Option<Vec<_>>>()?, copies })
    }

    pub(super) fn known(&self) -> BTreeSet<PointId> {
        self.memory.tables.values().flat_map(|table| table.points.keys().cloned()).collect()
    }

    pub(super) fn listed<'s>(
        &self,
        entry: &mut Entry,
        seen: Option<&'s Seen<PointsListed>>,
        need: BackupNeed,
    ) -> Option<&'s PointsListed> {
        match seen {
            Some(Seen::Present(listed)) => return Some(listed),
            Some(Seen::Absent) => unknown(entry, "the backup vault does not exist".to_owned()),
            Some(Seen::Unknown(Unknown(why))) => unknown(entry, format!("recovery points could not be listed: {why}")),
            None => {
                self.planner.need(need);
                unknown(entry, "recovery points have not been listed".to_owned());
            }
        }
        None
    }

    /// Adds what a table's recovery points need. False while it has none that counts.
    pub(super) fn points(
        &self,
        entry: &mut Entry,
        table: &Covered<'_>,
        listings: &Listings<'_>,
        wanted: &mut Wanted,
    ) -> bool {
        let home = &self.spec.scope.region;
        let here = |id: &PointId| id.region().as_ref() == Some(home);
        let mine = points::of_table(self.spec, table.name, &table.memory, &listings.home, &here);
        let copies: BTreeMap<&crate::model::Region, Vec<Point>> = listings
            .copies
            .iter()
            .map(|(region, listed)| {
                let there = |id: &PointId| id.region().as_ref() == Some(*region);
                (*region, points::of_table(self.spec, table.name, &table.memory, &[listed], &there))
            })
            .collect();
        let all: Vec<&Point> = mine.iter().chain(copies.values().flatten()).collect();
        self.tidy(entry, table, listings, &all, wanted);
        self.keep(entry, table, &mine, wanted);
        let pending =
            table.memory.pending.as_ref().is_some_and(|pending| self.follow(entry, table, pending, listings, wanted));
        if !pending {
            self.due(entry, table, &mine, wanted);
        }
        let plausible = points::plausible(&mine);
        if let (Some(newest), Some(false)) = (mine.last(), plausible.last()) {
            let reason = format!(
                "the newest backup of {} has {} bytes, less than half of the previous one: it is not counted",
                table.name,
                newest.bytes.unwrap_or(0)
            );
            refused(
                entry,
                Guard::Implausible,
                reason,
                "check the table; the next backup will be compared with this one",
            );
        }
        let everywhere = |point: &Point| {
            copies.values().all(|there| there.iter().any(|copy| copy.slot == point.slot && copy.is_available()))
        };
        let counts: Vec<bool> = mine
            .iter()
            .zip(&plausible)
            .map(|(point, good)| point.is_available() && *good && everywhere(point))
            .collect();
        self.copies(entry, table, &mine, &copies, wanted);
        if let Some(retention) = &self.spec.retention {
            self.retain(entry, table, retention, &mine, &counts, wanted);
            for there in copies.values() {
                let counts: Vec<bool> = there.iter().map(Point::is_available).collect();
                self.retain(entry, table, retention, there, &counts, wanted);
            }
        }
        counts.iter().any(|counts| *counts) || !self.spec.makes_points()
    }

    /// What is remembered and need not be: points that are gone; and what need not be read again.
    fn tidy(
        &self,
        entry: &mut Entry,
        table: &Covered<'_>,
        listings: &Listings<'_>,
        all: &[&Point],
        wanted: &mut Wanted,
    ) {
        let listed = |id: &PointId| listings.all().any(|listing| listing.points.iter().any(|point| point.id == *id));
        let oldest = listings.all().map(|listing| listing.at).min();
        let gone = table.memory.points.iter().filter(|(id, known)| {
            let since = known.deleted.unwrap_or(known.noted);
            !listed(id) && oldest.is_some_and(|at| at.duration_since(since) >= points::LAG)
        });
        let gone: BTreeSet<PointId> = gone.map(|(id, _)| id.clone()).collect();
        let known = |id: &PointId| table.memory.points.get(id).cloned();
        let over = gone.iter().filter(|id| {
            known(id).is_none_or(|known| self.is_let_go(entry, table, (id, &known), (listings, &gone), wanted))
        });
        let gone: BTreeSet<PointId> = over.cloned().collect();
        if !gone.is_empty() {
            wanted.notes.push(BackupNote { table: table.name.clone(), what: Noted::Gone(gone) });
        }
        let unknown = all
            .iter()
            .filter(|point| point.listed && !point.id.is_on_demand() && !table.memory.points.contains_key(&point.id));
        wanted.notes.extend(unknown.map(|point| BackupNote {
            table: table.name.clone(),
            what: Noted::Known {
                point: point.id.clone(),
                slot: point.slot,
                created: point.created,
                profile: point.profile.clone(),
                items: point.items,
            },
        }));
    }

    /// A backup was begun: what came of it. False once another one may be made.
    fn follow(
        &self,
        entry: &mut Entry,
        table: &Covered<'_>,
        pending: &PendingBackup,
        listings: &Listings<'_>,
        wanted: &mut Wanted,
    ) -> bool {
        Self::differs(entry, table.name, format!("the backup for {} was started", shown(pending.slot)));
        let note = |what| BackupNote { table: table.name.clone(), what };
        if let Ok(name) = pending.name.parse::<PointName>() {
            let named = |point: &&RecoveryPoint| {
                point.table == *table.name && point.name.as_deref() == Some(pending.name.as_str())
            };
            let mut all = listings.all().flat_map(|listing| &listing.points);
            if let Some(point) = all.find(named) {
                let (id, created) = (point.id.clone(), point.created);
                let made = Noted::Made { point: id, slot: name.slot, created, profile: name.profile, items: None };
                wanted.notes.push(note(made));
            } else if listings.all().all(|listing| listing.at.duration_since(pending.started) >= SHOWN)
                || sabotage::is(Bug::ForgetBackup)
            {
                wanted.notes.push(note(Noted::Lost));
            } else {
                let why = format!("it is unknown whether the backup {} of {} was created", pending.name, table.name);
                entry.waiting.push(Waiting::Unknown { why });
            }
            return true;
        }
        let Some(job) = &pending.job else {
            // Its answer was lost: sent again with its token, it is the same request.
            if !self.is_held(entry, table, &Tried::backup(pending.slot)) {
                wanted.make.extend(self.backup(entry, table, pending.slot, Some(&pending.name)));
            }
            return true;
        };
        if let Some(what) = self.job(entry, table, pending, job) {
            wanted.notes.push(note(what));
        }
        true
    }

    fn job(&self, entry: &mut Entry, table: &Covered<'_>, pending: &PendingBackup, job: &JobId) -> Option<Noted> {
        let place = (self.spec.scope.clone(), job.clone());
        match self.planner.input.observation.backups.jobs.get(&place) {
            None => {
                self.planner.need(BackupNeed::Job(place.0, place.1));
                unknown(entry, format!("the backup job of {} has not been read", table.name));
                None
            }
            Some(Seen::Unknown(Unknown(why))) => {
                unknown(entry, format!("the backup job of {} could not be read: {why}", table.name));
                None
            }
            Some(Seen::Absent) => Some(Noted::Lost),
            Some(Seen::Present(state)) if state.state.is_open() => {
                let what = format!("the backup of {}", table.name);
                entry.waiting.push(Waiting::Job { what, status: state.state.to_string(), since: state.created });
                None
            }
            Some(Seen::Present(VaultJob {
                state: crate::model::JobState::Completed,
                point: Some(point),
                created,
                ..
            })) => {
                let created = created.unwrap_or(pending.started);
                Some(Noted::Made {
                    point: point.clone(),
                    slot: pending.slot,
                    created,
                    profile: pending.profile.clone(),
                    items: pending.items,
                })
            }
            Some(Seen::Present(job)) => {
                Some(Noted::Failed(Tried::backup(pending.slot), failed(table, "AWS::Backup::BackupJob", job)))
            }
        }
    }

    /// Whether a backup is due, and what makes it.
    fn due(&self, entry: &mut Entry, table: &Covered<'_>, points: &[Point], wanted: &mut Wanted) {
        let scheduled = self.spec.schedule.as_ref().and_then(|schedule| schedule.last(self.now()));
        let lacks = |slot: &Timestamp| {
            !points.iter().any(|point| point.stands() && (point.slot == *slot || point.created >= *slot))
        };
        let Some(slot) = [scheduled, self.asked()].into_iter().flatten().filter(lacks).max() else { return };
        Self::differs(entry, table.name, format!("a backup is due since {}", shown(slot)));
        if wanted.making >= super::BATCH || self.is_held(entry, table, &Tried::backup(slot)) {
            return;
        }
        wanted.making += 1;
        wanted.make.extend(self.backup(entry, table, slot, None));
    }

    /// The backup for a slot; `token` is that of the request, where it was sent before.
    fn backup(
        &self,
        entry: &mut Entry,
        table: &Covered<'_>,
        slot: Timestamp,
        sent: Option<&str>,
    ) -> Option<MakeBackup> {
        let pending = table.memory.pending.as_ref().filter(|_| sent.is_some());
        // What is sent again is the same request, with the count of then.
        let counted = pending.map_or(Some(table.seen.state.items), |pending| pending.items);
        let items = counted.filter(|_| self.spec.vault.is_some());
        let kept = pending.map(|pending| pending.profile.clone());
        // A backup without its settings is better than none.
        let settings = match kept {
            Some(_) => None,
            None => self.settings_kept(entry, table, slot)?,
        };
        let profile = kept.unwrap_or_else(|| settings.as_ref().map(|settings| settings.name()));
        let name = PointName::new(&self.spec.key, slot, profile.clone());
        let way = match &self.spec.vault {
            None => MakeWay::OnDemand { name: name.to_string() },
            Some(vault) => {
                let role = self.role(entry, &vault.role)?;
                let attempt = table.tries(&Tried::backup(slot));
                let fresh = || token(&self.spec.key, "back-up", &(table.name, slot, attempt));
                let mut tags = BTreeMap::from([
                    (OWNER_TAG.to_owned(), self.spec.key.to_string()),
                    (SLOT_TAG.to_owned(), PointName::slot_text(slot)),
                ]);
                tags.extend(profile.clone().map(|profile: String| (PROFILE_TAG.to_owned(), profile)));
                tags.extend(items.map(|items| (ITEMS_TAG.to_owned(), items.to_string())));
                MakeWay::Vault { vault: vault.name.clone(), role, token: sent.map_or_else(fresh, str::to_owned), tags }
            }
        };
        let state = &table.seen.state;
        let (table, arn, id) = (table.name.clone(), state.arn.clone(), state.id.clone());
        Some(MakeBackup { table, arn, id, slot, profile, settings, items, way })
    }

    /// The settings that are kept with a backup. `None` as long as they have not been asked for.
    #[expect(clippy::option_option, reason = "not requested and not available")]
    fn settings_kept(
        &self,
        entry: &mut Entry,
        table: &Covered<'_>,
        slot: Timestamp,
    ) -> Option<Option<Box<crate::model::TableProfile>>> {
        let place = (self.spec.scope.clone(), table.name.clone());
        let name = table.name;
        let lacks = |entry: &mut Entry, what: &str, why: &str| {
            Self::differs(
                entry,
                name,
                format!("{what} could not be read and will not be stored with the backup: {why}"),
            );
        };
        match self.planner.input.observation.backups.profiles.get(&place) {
            Some(Seen::Present(seen)) if seen.id == table.seen.state.id => {
                // What will be read by the next look is worth waiting for, but not for long.
                let passes = seen.unread.iter().find(|(_, unread)| !unread.denied);
                if let Some((part, unread)) = passes
                    && self.now().duration_since(slot).abs() < SETTINGS
                {
                    unknown(entry, format!("settings of {name} ({part}) have not been read: {}", unread.why));
                    return None;
                }
                for (part, unread) in &seen.unread {
                    lacks(entry, part, &unread.why);
                }
                Some(Some(Box::new(seen.profile.clone())))
            }
            Some(Seen::Unknown(Unknown(why))) => {
                lacks(entry, "its settings", why);
                Some(None)
            }
            Some(_) => {
                lacks(entry, "its settings", "the table is another one now");
                Some(None)
            }
            None => {
                self.planner.need(BackupNeed::Profile(place.0, place.1));
                unknown(entry, format!("the settings of {} have not been read", table.name));
                None
            }
        }
    }

    /// The role that AWS Backup takes, once it is known.
    pub(super) fn role(&self, entry: &mut Entry, role: &crate::model::Text) -> Option<String> {
        self.planner
            .text(role)
            .map_err(|stack| entry.waiting.push(Waiting::Dependency { objects: [stack.to_string()].into() }))
            .ok()
    }

    /// Which points go (invariant S15).
    fn retain(
        &self,
        entry: &mut Entry,
        table: &Covered<'_>,
        retention: &Retention,
        points: &[Point],
        counts: &[bool],
        wanted: &mut Wanted,
    ) {
        let kept: Vec<Kept> = points
            .iter()
            .zip(counts)
            .map(|(point, counts)| Kept {
                made: point.created,
                counts: *counts && is_ours(table, point),
                verified: point.verified,
            })
            .collect();
        let utc = jiff::tz::TimeZone::UTC;
        let zone = self.spec.schedule.as_ref().map_or(&utc, |schedule| schedule.zone());
        let going = over(&kept, retention, zone, self.now());
        // What is only remembered may have been changed since.
        let going: Vec<&Point> = going
            .iter()
            .filter_map(|index| points.get(*index))
            .filter(|point| point.listed && point.stands() && point.status != PointStatus::Unclear)
            .collect();
        if going.is_empty() {
            return;
        }
        let count = going.len();
        let many = if count == 1 { "1 recovery point is".to_owned() } else { format!("{count} recovery points are") };
        Self::differs(entry, table.name, format!("{many} beyond the retention"));
        let expire = |point: &&Point| ExpirePoint {
            table: table.name.clone(),
            point: point.id.clone(),
            keeper: point.keeper.clone(),
            region: point.id.region().unwrap_or_else(|| self.spec.scope.region.clone()),
            slot: point.slot,
            name: point.name.clone(),
            profile: point.profile.clone(),
        };
        let held = |point: &ExpirePoint, entry: &mut Entry| self.is_held(entry, table, &Tried::expiry(&point.point));
        let going: Vec<ExpirePoint> = going.iter().map(expire).filter(|point| !held(point, entry)).collect();
        if count <= UNASKED {
            wanted.expire.extend(going);
            return;
        }
        wanted.lost.extend(going.iter().map(|point| ResourceChange {
            resource: format!("{}: the backup for {}", table.name, shown(point.slot)),
            kind: "AWS::DynamoDB::Backup".to_owned(),
            physical_id: Some(point.point.to_string()),
            action: ChangeAction::Remove,
            replacement: Replacement::Never,
            properties: BTreeSet::new(),
            values: Vec::new(),
            retained: false,
            nested: None,
            only_tags: false,
            unknown: None,
        }));
        wanted.purge.extend(going);
    }

    /// Of points that go, those that may go now: so many in a look, and so many in an hour.
    pub(super) fn expiring(&self, mut going: Vec<ExpirePoint>) -> Option<Vec<ExpirePoint>> {
        let lately = self.memory.expired.iter().filter(|at| self.now().duration_since(**at).abs() < HOUR).count();
        going.truncate(HOURLY.saturating_sub(lately).min(AT_ONCE));
        (!going.is_empty()).then_some(going)
    }
}

impl<'a> Listings<'a> {
    /// Why it is not known which of a table's points are ours, where that is so.
    pub(super) fn unread(&self, table: &crate::model::TableName) -> Option<&'a str> {
        self.all().find_map(|listing| listing.unread.get(table)).map(String::as_str)
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &'a PointsListed> {
        self.home.iter().copied().chain(self.copies.values().copied())
    }
}

/// How a job failed.
pub(super) fn failed(table: &Covered<'_>, kind: &str, job: &VaultJob) -> Failure {
    let message = job.message.clone().unwrap_or_else(|| "AWS gives no reason".to_owned());
    Failure {
        resource: table.name.to_string(),
        kind: kind.to_owned(),
        reason: format!("{}: {message}", job.state),
        transient: true,
    }
}

/// A slot for people.
pub(super) fn shown(slot: Timestamp) -> String {
    slot.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// It fills a place of a retention: the journal says that a call of ours has made it, or read its tags in the vault. A name
/// proves nothing, because whoever may back the table up can give theirs any name, and would push ours out (S23). Where the
/// journal was lost, what it knew takes no place and stays for as long as it would if it did.
fn is_ours(table: &Covered<'_>, point: &Point) -> bool {
    sabotage::is(Bug::TrustsPoints) || !point.id.is_on_demand() || table.memory.points.contains_key(&point.id)
}

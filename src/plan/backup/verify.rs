//! When it is tried whether a table can be restored, from which point, and what the last try has measured.
//!
//! A test costs a restore. So there is one at a time in an account, and the plan does not count it as a change: nothing is
//! missing while a test is due.

use jiff::{SignedDuration, Timestamp};

use super::points::{self, Point};
use super::seen::NotYet;
use super::{Covered, Deciding, Wanted, refused};
use crate::model::{
    BackupDo, BeginRestore, Digest, Do, Entry, Guard, PointKeeper, Proof, Restore, RestoreDo, RestoreFrom, RestoreStep,
    RestoreWhy, TEST_PREFIX, TableName, TestedPoint, Waiting,
};
use crate::plan::guard;
use crate::plan::names::token;

/// What a person asked for is meant for a day.
const ASKED: SignedDuration = SignedDuration::from_hours(24);

/// Names that are tried for the table of a test.
const NAMES: u32 = 8;

/// The longest name of a table.
const NAME_MAX: usize = 255;

impl Deciding<'_> {
    /// What the last test of a table has shown, and whether another one is due. False while it is not as asked.
    pub(super) fn proof(&self, entry: &mut Entry, table: &Covered<'_>, points: &[Point], wanted: &mut Wanted) -> bool {
        let proof = self.memory.proofs.get(table.name);
        let good =
            self.is_timely(entry, table.name) && proof.is_none_or(|proof| self.is_within(entry, table.name, proof));
        if !guard::is_observed_only(self.planner.input.environment) {
            self.test(entry, table, proof, points, wanted);
        }
        good
    }

    /// The worst figures that restore tests have measured, for `status`.
    pub(super) fn measured(&self) -> String {
        let proofs = || self.memory.proofs.values();
        let figure = |name: &str, worst: Option<u64>| worst.map(|worst| format!(", {name} {}", span(worst)));
        let rto = figure("RTO", proofs().filter_map(|proof| proof.took).max());
        let rpo = figure("RPO", proofs().filter_map(|proof| proof.loss).max());
        rto.into_iter().chain(rpo).collect()
    }

    /// Whether no test has failed whose table is there still.
    fn is_timely(&self, entry: &mut Entry, table: &TableName) -> bool {
        let of_table = |restore: &Restore| restore.is_test() && restore.is_open() && restore.table == *table;
        let mut tests = self.memory.restores.iter().filter(|(_, restore)| of_table(restore));
        let Some((to, why)) = tests.find_map(|(to, restore)| Some((to, restore.doomed.as_ref()?))) else { return true };
        let reason = format!("the restore test of {table} failed: {why}");
        refused(
            entry,
            Guard::Unproven,
            reason,
            format!("{to} is deleted as soon as AWS allows it; check what prevents the deletion"),
        );
        false
    }

    fn is_within(&self, entry: &mut Entry, table: &TableName, proof: &Proof) -> bool {
        let again = format!("fix the cause, then run `landfast backup verify {} --table {table}`", self.spec.key);
        if let Some(why) = &proof.failed {
            refused(entry, Guard::Unproven, format!("the restore test of {table} failed: {why}"), again);
            return false;
        }
        let objectives = self.spec.objectives;
        for (measured, objective, what) in
            [(proof.took, objectives.rto, "the restore took"), (proof.loss, objectives.rpo, "the data loss would be")]
        {
            let (Some(measured), Some(objective)) = (measured, objective) else { continue };
            if measured > objective.as_secs() {
                let reason =
                    format!("{table}: {what} {}; the objective is {}", span(measured), span(objective.as_secs()));
                refused(entry, Guard::Objective, reason, again);
                return false;
            }
        }
        true
    }

    fn test(
        &self,
        entry: &mut Entry,
        table: &Covered<'_>,
        proof: Option<&Proof>,
        points: &[Point],
        wanted: &mut Wanted,
    ) {
        let now = self.now();
        let open = |restore: &Restore| restore.is_test() && restore.is_open();
        if self.memory.restores.values().any(|restore| open(restore) && restore.table == *table.name) {
            return;
        }
        let all = self.memory.verify_all.filter(|asked| proof.is_none_or(|proof| proof.at < *asked));
        let asked = self.memory.verify_asked.get(table.name).copied().max(all);
        let asked = asked.filter(|asked| now.duration_since(*asked).abs() < ASKED);
        let due = self.spec.verify.is_some_and(|verify| {
            let every = SignedDuration::try_from(verify.every).unwrap_or(SignedDuration::MAX);
            proof.is_none_or(|proof| now.duration_since(proof.at) >= every)
        });
        if asked.is_none() && !due {
            return;
        }
        if asked.is_some() {
            Self::differs(entry, table.name, "a restore test was requested");
        }
        let Some((from, keeper, as_of)) = self.tested(table, proof, points) else {
            if asked.is_some() {
                entry.waiting.push(Waiting::Someone { what: format!("a recovery point of {}", table.name) });
            }
            return;
        };
        if self.is_another_tested(wanted) {
            // It comes when the other one has ended.
            if asked.is_some() {
                entry.waiting.push(Waiting::Turn);
            }
            return;
        }
        let encryption = match (&keeper, &from) {
            (Some(PointKeeper::Vault(name)), RestoreFrom::Point(id)) => match self.encryption(entry, name, id) {
                Ok(words) => words,
                Err(NotYet) => return,
            },
            _ => std::collections::BTreeMap::new(),
        };
        let role = match (&keeper, &self.spec.vault) {
            (Some(PointKeeper::Vault(_)), Some(vault)) => match self.role(entry, &vault.role) {
                Some(role) => Some(role),
                None => return,
            },
            _ => None,
        };
        let slot = asked.or(proof.map(|proof| proof.at));
        let Some(to) = self.name_of_test(entry, table.name, slot) else { return };
        let recovery = table.seen.recovery;
        let latest = recovery.latest.filter(|_| recovery.on);
        let newest = points.iter().filter(|point| point.is_available()).map(|point| point.created).max();
        let loss = latest.max(newest).map(|safe| seconds(safe, now));
        let asks = RestoreWhy::Test { asked: asked.is_some() };
        let mut restore = Restore::new(table.name.clone(), asks, from, now);
        (restore.as_of, restore.loss) = (as_of, loss);
        let token = token(&self.spec.key, "restore", &(&to, slot));
        let begin = BeginRestore { restore, source: table.seen.state.arn.clone(), keeper, role, encryption, token };
        wanted.restore.push(RestoreStep { to, action: RestoreDo::Begin(Box::new(begin)) });
    }

    /// What the new table of a test is called: a name that nothing has. A test of which the journal was lost has one.
    fn name_of_test(&self, entry: &mut Entry, table: &TableName, slot: Option<Timestamp>) -> Option<TableName> {
        for attempt in 0..NAMES {
            let to = name(&Digest::of(&(&self.spec.key, table, slot, attempt)), table)?;
            if self.memory.restores.contains_key(&to) {
                return None;
            }
            if self.told(entry, &to).ok()?.is_none() {
                return Some(to);
            }
        }
        None
    }

    /// What is restored to test a table.
    fn tested(
        &self,
        table: &Covered<'_>,
        proof: Option<&Proof>,
        all: &[Point],
    ) -> Option<(RestoreFrom, Option<PointKeeper>, Option<Timestamp>)> {
        let available: Vec<&Point> = all.iter().filter(|point| point.is_available() && point.listed).collect();
        let point = match self.spec.verify.map(|verify| verify.point).unwrap_or_default() {
            TestedPoint::Newest => available.last(),
            TestedPoint::Random => {
                let digest = Digest::of(&(&self.spec.key, table.name, proof.map(|proof| proof.at)));
                let number = digest.as_str().get(..8).and_then(|hex| usize::from_str_radix(hex, 16).ok()).unwrap_or(0);
                number.checked_rem(available.len()).and_then(|index| available.get(index))
            }
        };
        if let Some(point) = point {
            return Some((RestoreFrom::Point(point.id.clone()), Some(point.keeper.clone()), Some(point.created)));
        }
        let recovery = table.seen.recovery;
        let untaken = all.is_empty() && !self.spec.makes_points();
        (recovery.on && recovery.latest.is_some() && untaken).then_some((RestoreFrom::Latest, None, recovery.latest))
    }

    /// One test at a time, of all policies of the account.
    fn is_another_tested(&self, wanted: &Wanted) -> bool {
        let begins = |step: &RestoreStep| matches!(&step.action, RestoreDo::Begin(begin) if begin.restore.is_test());
        let planned = self.planner.entries.values().filter_map(|entry| entry.step.as_ref()).any(|step| {
            matches!(&step.action, Do::Backup(step) if matches!(&step.action, BackupDo::Restore(list) if list.iter().any(begins)))
        });
        let open = |restore: &Restore| restore.is_test() && restore.is_open();
        let policies = self.planner.input.memory.objects.backups.values();
        planned || wanted.restore.iter().any(begins) || policies.flat_map(|memory| memory.restores.values()).any(open)
    }
}

/// What the new table of a test is called.
fn name(digest: &Digest, table: &TableName) -> Option<TableName> {
    let name = format!("{TEST_PREFIX}{}-{table}", digest.as_str().get(..12)?);
    name.get(..name.len().min(NAME_MAX))?.parse().ok()
}

pub(super) fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_secs()).unwrap_or(0)
}

/// Seconds for people.
fn span(seconds: u64) -> String {
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// The points of a table in its own region.
impl Deciding<'_> {
    pub(super) fn points_here(&self, table: &Covered<'_>, listings: Option<&super::make::Listings<'_>>) -> Vec<Point> {
        let home = &self.spec.scope.region;
        let here = |id: &crate::model::PointId| id.region().as_ref() == Some(home);
        let Some(listings) = listings else { return Vec::new() };
        points::of_table(self.spec, table.name, &table.memory, &listings.home, &here)
    }
}

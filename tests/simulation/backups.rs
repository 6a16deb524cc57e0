//! Backup policies in virtual time: tables are protected, every slot has one point of each table whatever is lost or
//! crashes (S9), and no recovery point goes that is young, proven or the newest (S4, S10, S15).

mod going;
mod settings;
mod strangers;
mod universe;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use landfast::controller::{Controller, answer, preview};
use landfast::model::{
    BackupMemory, BackupSpec, Digest, Environment, Finding, Key, Mode, OWNER_TAG, Objectives, PointName, Request,
    Retention, Schedule, Scope, TableName, TableSelection, Text, VaultSpec, Verdict, Wish,
};
use landfast::plan::Goal;
use landfast::sabotage::{self, Bug};
use landfast::sim::{BackupTruth, Call, Fault, FaultPlan, NewTable, SimConfig, View, Window};

use crate::stage::{self, DAY, FOREVER, HOUR, Stage};

const START: &str = "2026-01-01T00:00:00Z";
const BUCKET: &str = "kept";
const TABLES: [&str; 3] = ["dev-Feedback", "dev-ReviewCycles", "dev-Users"];

fn scope() -> Scope {
    Scope { account: "111122223333".parse().unwrap(), region: "eu-central-1".parse().unwrap() }
}

fn key() -> Key {
    "dev/backuppolicy/tables".parse().unwrap()
}

fn table(name: &str) -> TableName {
    name.parse().unwrap()
}

fn retention() -> Retention {
    Retention { last: 3, daily: 7, weekly: 4, monthly: 2, min_age: DAY, keep_verified: 2 }
}

/// Every table of the environment by its prefix: recovery for a week, a backup every night, kept as [`retention`] says.
fn spec() -> BackupSpec {
    BackupSpec {
        key: key(),
        scope: scope(),
        tables: TableSelection::Prefix("dev-".to_owned()),
        except: BTreeSet::new(),
        recovery_days: Some(7),
        deletion_protection: true,
        schedule: Some(Schedule::new("0 3 * * *", "Europe/Berlin").unwrap()),
        retention: Some(retention()),
        vault: None,
        copy_to: BTreeMap::new(),
        verify: None,
        objectives: Objectives::default(),
        depends_on: BTreeSet::new(),
        digest: Digest::of("policy"),
    }
}

/// Three tables, and a bucket.
struct World {
    stage: Stage,
    mode: Mode,
}

stage::set_on_a_stage!(World);

impl World {
    fn new() -> Self {
        let stage = Stage::new("eu-central-1", START, SimConfig::default());
        for name in TABLES {
            stage.console().create_table(&NewTable::keyed(table(name), "id")).unwrap();
        }
        Self { stage, mode: Mode::Apply }
    }

    fn environment(&self, policy: Option<BackupSpec>) -> Environment {
        let mut environment = stage::environment(&scope());
        environment.policy.mode = self.mode;
        environment.template_bucket = Some(BUCKET.to_owned());
        environment.backups = policy.into_iter().map(|spec| (spec.key.clone(), Arc::new(spec))).collect();
        environment
    }

    /// A daemon runs for so long, or until it has waited `dies_at` times. Says how often it has waited.
    fn run(&mut self, policy: Option<BackupSpec>, duration: Duration, dies_at: u64) -> u64 {
        let controller = self.begin(|_| {});
        // Over days nothing is lost by looking less often, and much time is gained.
        let controller = if duration > DAY { controller.resyncing_every(HOUR / 2) } else { controller };
        let desired = stage::wanted(controller.store(), self.environment(policy));
        self.tend(&controller, desired, duration, dies_at)
    }

    /// What somebody has changed of it.
    fn drift(&mut self) -> Vec<Finding> {
        self.found().into_iter().filter(Finding::is_drift).collect()
    }

    /// What a look for drift finds.
    fn found(&mut self) -> Vec<Finding> {
        let controller = self.begin(|_| {});
        let environment = self.environment(Some(spec()));
        let desired = stage::wanted(controller.store(), environment.clone());
        let found = self.clock.drive(controller.drift(&desired, &environment, |_| true)).unwrap().unwrap();
        found.into_iter().flat_map(|(compared, _)| compared.findings).collect()
    }

    fn remembered(&self) -> BackupMemory {
        let memory = self.memory();
        memory.objects.backups.get(&key()).map(|memory| BackupMemory::clone(memory)).unwrap_or_default()
    }

    /// The first backup was asked for while the faults lasted: a fault that hits nothing shows nothing.
    fn was_hit(&self, until: Duration) {
        let audit = self.cloud.audit();
        let first = audit.iter().find(|call| call.operation == "CreateBackup").expect("a backup was asked for");
        let after = first.at.duration_since(START.parse().unwrap());
        assert!(after.unsigned_abs() < until, "no fault was hit: the first is asked for after {after:#}");
    }

    /// How many backups were ever made of each table for each slot.
    fn slots(&self) -> BTreeMap<(String, Timestamp), usize> {
        let mut slots = BTreeMap::new();
        for backup in self.console().table_backups() {
            let Some(name) = backup.point.name.as_deref().and_then(|name| name.parse::<PointName>().ok()) else {
                continue;
            };
            *slots.entry((backup.point.table.to_string(), name.slot)).or_default() += 1;
        }
        slots
    }

    /// The settings that are in the bucket, by the table and the slot of their point.
    fn kept(&self) -> BTreeSet<(String, Timestamp)> {
        let objects = self.cloud.inventory().objects;
        let settings = objects.into_iter().map(|(_, key)| {
            let (table, object) = key.strip_prefix("landfast/settings/dev/tables/").unwrap().split_once('/').unwrap();
            (table.to_owned(), PointName::slot_of(object.split('.').next().unwrap()).unwrap())
        });
        settings.collect()
    }

    /// The slots of which there is a point.
    fn standing(&self) -> BTreeSet<(String, Timestamp)> {
        let all = self.console().table_backups().into_iter().filter(|backup| backup.deleted.is_none());
        let named = |backup: BackupTruth| {
            let name: PointName = backup.point.name.as_deref()?.parse().ok()?;
            (name.key() == key()).then(|| (backup.point.table.to_string(), name.slot))
        };
        all.filter_map(named).collect()
    }

    /// Points of a table that there are.
    fn points(&self, name: &str) -> Vec<BackupTruth> {
        let all = self.console().table_backups().into_iter();
        all.filter(|backup| backup.point.table.as_str() == name && backup.deleted.is_none() && !backup.system).collect()
    }

    /// At every deletion of a backup, wherever it is: it was ours, a day old by AWS's clock, and there was a newer one of its
    /// table in its region (S4, S15).
    fn watch(&self) -> Arc<Mutex<Vec<String>>> {
        let blames = Arc::new(Mutex::new(Vec::new()));
        let (found, cx) = (Arc::clone(&blames), self.cx.clone());
        let before: Mutex<BTreeSet<String>> = Mutex::default();
        self.cloud.set_monitor(Box::new(move |view: &View<'_>, call: &Call| {
            let backups = view.backups();
            let now = START.parse::<Timestamp>().unwrap().saturating_add(cx.elapsed()).unwrap();
            let mut gone = before.lock().unwrap();
            // What AWS Backup could not make was never there.
            let made = |backup: &&BackupTruth| backup.point.is_available();
            for backup in backups.iter().filter(|backup| backup.deleted.is_some()).filter(made) {
                if !gone.insert(backup.point.id.to_string()) {
                    continue;
                }
                let blame =
                    |why: &str| found.lock().unwrap().push(format!("{}: {} {why}", call.operation, backup.point.id));
                let named = backup.point.name.as_deref().is_some_and(|name| name.starts_with("landfast.dev.tables."));
                let tagged =
                    backup.point.tags.as_ref().and_then(|tags| tags.get(OWNER_TAG)) == Some(&key().to_string());
                if !named && !tagged {
                    blame("was not ours (S1)");
                }
                if now.duration_since(backup.point.created) < SignedDuration::from_hours(24) {
                    blame("was younger than the minimum age (S15)");
                }
                let newer = |other: &&BackupTruth| {
                    (&other.scope, &other.point.table) == (&backup.scope, &backup.point.table)
                        && other.point.created > backup.point.created
                        && other.deleted.is_none()
                };
                if !backups.iter().any(|other| newer(&other)) {
                    blame("had nothing newer (S15)");
                }
            }
        }));
        blames
    }
}

fn blameless(blames: &Arc<Mutex<Vec<String>>>) {
    assert_eq!(blames.lock().unwrap().as_slice(), [] as [String; 0]);
}

fn failing(operation: &str, fault: Fault, until: Duration) -> FaultPlan {
    let operations = BTreeSet::from([operation.to_owned()]);
    let window = Window { from: Duration::ZERO, until, scope: None, operations, fault };
    FaultPlan { windows: vec![window], ..FaultPlan::default() }
}

#[test]
fn tables_are_protected_and_backed_up_once_and_then_left_alone() {
    let mut world = World::new();
    let blames = world.watch();
    world.run(Some(spec()), HOUR, FOREVER);
    for name in TABLES {
        let truth = world.console().table(&table(name)).unwrap();
        assert!(truth.state.deletion_protected && truth.continuous.on, "{name}");
        assert_eq!((truth.continuous.window_days, world.points(name).len()), (7, 1), "{name}");
    }
    let (mutations, calls) = (world.mutations().len(), world.cloud.audit().len());
    world.run(Some(spec()), Duration::from_mins(10), FOREVER);
    assert_eq!(world.mutations().len(), mutations, "L2: nothing is written again");
    assert!(world.cloud.audit().len() - calls < 60, "L5: {} calls", world.cloud.audit().len() - calls);
    blameless(&blames);
}

/// It is drift where the policy had it in order before, and a table that is new to the policy is none.
#[test]
fn a_protection_that_somebody_takes_away_is_drift_until_it_is_back() {
    let mut world = World::new();
    world.run(Some(spec()), 2 * DAY, FOREVER);
    world.console().set_recovery(&table("dev-Users"), None).unwrap();
    world.console().create_table(&NewTable::keyed(table("dev-New"), "id")).unwrap();
    world.clock.drive(world.cx.sleep(Duration::from_mins(1)));
    let found = world.drift();
    let [finding] = found.as_slice() else { panic!("one is found: {found:?}") };
    assert_eq!(finding.property.as_deref(), Some("point-in-time recovery of dev-Users"));
    let side = |text: &str| Some(text.to_owned());
    assert_eq!((&finding.expected, &finding.live), (&side("7 days"), &side("off")));
    world.run(Some(spec()), HOUR, FOREVER);
    assert_eq!(world.found(), []);
    // Not to be allowed to look is not to find nothing.
    let now = world.cx.elapsed();
    let denied = Window {
        from: now,
        until: now + HOUR,
        scope: None,
        operations: ["DescribeContinuousBackups".to_owned()].into(),
        fault: Fault::Denied,
    };
    world.cloud.set_faults(FaultPlan { windows: vec![denied], ..FaultPlan::default() });
    let unknown = world.found();
    let [Finding { object, verdict: Verdict::Unknown { why }, .. }] = unknown.as_slice() else { panic!("{unknown:?}") };
    assert!(*object == key() && why.contains("could not be read"), "{why}");
}

#[test]
fn a_month_of_backups_keeps_what_the_retention_says() {
    let mut world = World::new();
    let blames = world.watch();
    // Somebody's own backup is nobody's to expire, and one of another policy neither.
    world.console().back_up_table(&table("dev-Users"), "before-the-migration").unwrap();
    world.run(None, Duration::from_mins(5), FOREVER);
    world.console().back_up_table(&table("dev-Users"), "landfast.dev.gone.20250101T030000Z").unwrap();
    world.run(Some(spec()), DAY * 30, FOREVER);
    assert!(world.slots().values().all(|made| *made == 1), "S9: {:?}", world.slots());
    assert_eq!(world.slots().len(), 3 * 30 + 3 + 1, "one point for each night, and one to begin with");
    for name in TABLES {
        let ours = world
            .points(name)
            .into_iter()
            .filter(|backup| backup.point.name.as_deref().is_some_and(|name| name.starts_with("landfast.dev.tables.")));
        let days: Vec<String> = ours.map(|backup| backup.point.created.strftime("%d").to_string()).collect();
        // Seven days, among them the newest of two weeks; the Sundays before. The month has but begun to have a last day.
        assert_eq!(days, ["11", "18", "24", "25", "26", "27", "28", "29", "30"], "{name}");
    }
    assert_eq!(
        world
            .points("dev-Users")
            .iter()
            .filter(|backup| backup.point.name.as_deref() == Some("before-the-migration"))
            .count(),
        1
    );
    blameless(&blames);
}

#[test]
fn what_was_missed_is_made_up_for_once() {
    let mut world = World::new();
    world.run(Some(spec()), HOUR, FOREVER);
    world.run(None, DAY * 10, FOREVER);
    assert_eq!(world.slots().len(), 3, "without a manifest nothing is made, and nothing goes");
    world.run(Some(spec()), HOUR, FOREVER);
    assert_eq!(world.slots().len(), 6);
    assert!(world.slots().values().all(|made| *made == 1));
}

#[test]
fn a_new_table_is_covered_and_one_that_is_gone_keeps_its_points() {
    let mut world = World::new();
    world.run(Some(spec()), HOUR, FOREVER);
    world.console().create_table(&NewTable::keyed(table("dev-New"), "id")).unwrap();
    world.console().create_table(&NewTable::keyed(table("prod-Other"), "id")).unwrap();
    world.console().delete_table(&table("dev-Users")).unwrap();
    world.run(Some(spec()), DAY * 5, FOREVER);
    assert!(world.console().table(&table("dev-New")).unwrap().state.deletion_protected);
    assert!(world.points("dev-New").len() >= 5 && world.points("prod-Other").is_empty());
    assert_eq!(world.points("dev-Users").len(), 1);
}

/// Killed at every await of its first minutes and started again, it ends with one point of each table (S9).
#[test]
fn a_crash_at_any_await_makes_nothing_twice() {
    let whole = World::new().run(Some(spec()), Duration::from_mins(4), FOREVER);
    for dies_at in 0..whole.min(400) {
        let mut world = World::new();
        world.run(Some(spec()), Duration::from_mins(4), dies_at);
        world.run(Some(spec()), Duration::from_mins(20), FOREVER);
        let slots = world.slots();
        assert_eq!((slots.len(), slots.values().sum::<usize>()), (3, 3), "killed at {dies_at}: {slots:?}");
        assert!(world.remembered().tables.values().all(|table| table.pending.is_none()), "killed at {dies_at}");
        assert_eq!(world.kept(), world.standing(), "killed at {dies_at}");
    }
}

fn loses_answers(fault: &Fault) -> World {
    let mut world = World::new();
    world.cloud.set_faults(failing("CreateBackup", fault.clone(), Duration::from_mins(10)));
    world.run(Some(spec()), HOUR * 2, FOREVER);
    world.was_hit(Duration::from_mins(10));
    world
}

#[test]
fn a_lost_answer_makes_no_second_backup() {
    for fault in [Fault::ErrorAfter, Fault::TimeoutAfter, Fault::HangAfter, Fault::Throttle, Fault::ErrorBefore] {
        let world = loses_answers(&fault);
        let slots = world.slots();
        assert_eq!((slots.len(), slots.values().sum::<usize>()), (3, 3), "S9: {fault:?}: {slots:?}");
    }
}

/// The answer of the first backups is lost, and for a minute and a half each no listing shows what was made.
fn loses_answers_behind_a_lagging_listing() -> World {
    let mut world = World::new();
    let mut faults = failing("CreateBackup", Fault::TimeoutAfter, Duration::from_mins(30));
    let stale = failing("ListBackups", Fault::Stale(Duration::from_secs(90)), HOUR);
    faults.windows.extend(stale.windows);
    world.cloud.set_faults(faults);
    world.run(Some(spec()), HOUR, FOREVER);
    world.was_hit(Duration::from_mins(30));
    world
}

#[test]
fn a_lost_answer_behind_a_lagging_listing_makes_no_second_backup() {
    let slots = loses_answers_behind_a_lagging_listing().slots();
    assert_eq!((slots.len(), slots.values().sum::<usize>()), (3, 3), "S9: {slots:?}");
}

#[test]
fn the_harness_finds_a_backup_that_is_forgotten() {
    sabotage::plant(Some(Bug::ForgetBackup));
    let world = loses_answers_behind_a_lagging_listing();
    sabotage::plant(None);
    assert!(world.slots().values().any(|made| *made > 1), "the planted bug makes nothing twice: {:?}", world.slots());
}

#[test]
fn nothing_is_made_or_goes_while_points_cannot_be_listed() {
    let mut world = World::new();
    world.run(Some(spec()), DAY * 12, FOREVER);
    let before = (world.slots(), TABLES.map(|name| world.points(name).len()));
    let until = world.cx.elapsed() + DAY * 2;
    world.cloud.set_faults(failing("ListBackups", Fault::Denied, until));
    world.run(Some(spec()), DAY, FOREVER);
    assert_eq!((world.slots(), TABLES.map(|name| world.points(name).len())), before, "S10");
}

#[test]
fn a_shorter_window_waits_for_a_person_and_holds_up_no_backup() {
    let mut world = World::new();
    for name in TABLES {
        world.console().set_recovery(&table(name), Some(35)).unwrap();
    }
    world.run(Some(spec()), DAY * 2, FOREVER);
    for name in TABLES {
        assert_eq!(world.console().table(&table(name)).unwrap().continuous.window_days, 35, "S4: {name}");
        assert!(world.points(name).len() >= 3);
    }
}

#[test]
fn where_changes_need_approval_backups_go_on_and_nothing_goes() {
    let mut world = World::new();
    world.mode = Mode::Approve;
    world.run(Some(spec()), DAY * 14, FOREVER);
    for name in TABLES {
        assert!(!world.console().table(&table(name)).unwrap().continuous.on);
        assert_eq!(world.points(name).len(), 15);
    }
    let mut world = World::new();
    world.mode = Mode::Observe;
    world.run(Some(spec()), DAY, FOREVER);
    assert!(world.mutations().is_empty(), "S11");
}

#[test]
fn a_table_that_is_not_there_holds_up_no_other() {
    let mut world = World::new();
    let names = ["dev-Users", "dev-Missing"].map(Text::literal).to_vec();
    world.run(Some(BackupSpec { tables: TableSelection::Names(names), ..spec() }), HOUR, FOREVER);
    assert_eq!(world.points("dev-Users").len(), 1);
    assert!(world.points("dev-Feedback").is_empty());
}

/// A plan shows what is due, and neither makes it nor writes down that it was begun; what a person asks for neither.
#[test]
fn a_plan_makes_no_backup() {
    let mut world = World::new();
    world.run(Some(BackupSpec { schedule: None, retention: None, ..spec() }), HOUR, FOREVER);
    assert!(world.slots().is_empty(), "nothing is due without a schedule");
    let mutations = world.mutations().len();
    let store = world.store();
    let environment = world.environment(Some(spec()));
    let (id, by, at) = ("one".to_owned(), "ann".to_owned(), world.cx.now());
    let request = Request { id, key: key(), wish: Wish::BackUp, by, at };
    answer(&store, &environment, &request, at).unwrap().unwrap();
    let desired = stage::wanted(&store, environment.clone());
    let controller = Controller::new(world.cx.clone(), Arc::new(world.cloud.clone()), store, Arc::new(|_, _| {}));
    for _ in 0..2 {
        let shown = preview(&controller, &desired, &environment, Goal::Converge);
        let shown = world.clock.drive(shown).unwrap().unwrap();
        let step = shown.looked.plan.entries[&key()].step.as_ref().unwrap();
        assert_eq!(landfast::model::Act::verb(&step.action), "back-up");
    }
    drop(controller);
    assert_eq!(world.mutations().len(), mutations);
    assert!(world.slots().is_empty());
    assert!(world.remembered().tables.values().all(|table| table.pending.is_none()));
}

/// With a vault AWS Backup makes the backups, and each is copied to another region once; copies go as their sources do.
#[test]
fn every_backup_is_copied_to_another_region_and_goes_by_the_same_rules() {
    let mut world = World::new();
    let away = Scope { region: "us-west-2".parse().unwrap(), ..scope() };
    let vault = "landfast".parse::<landfast::model::VaultName>().unwrap();
    for place in [scope(), away.clone()] {
        world.cloud.console(&place).create_vault(&vault);
    }
    let role = Text::literal("arn:aws:iam::111122223333:role/backup");
    let copied = BackupSpec {
        vault: Some(VaultSpec { name: vault.clone(), role }),
        copy_to: BTreeMap::from([(away.region.clone(), vault)]),
        retention: Some(Retention { last: 2, daily: 2, weekly: 1, monthly: 1, min_age: DAY, keep_verified: 1 }),
        ..spec()
    };
    let blames = world.watch();
    // The first answers are lost, and the first job fails.
    world.console().fail_vault_jobs(1, "its role may not use the key");
    let mut faults = failing("StartBackupJob", Fault::TimeoutAfter, Duration::from_mins(1));
    faults.windows.extend(failing("StartCopyJob", Fault::ErrorAfter, Duration::from_mins(8)).windows);
    world.cloud.set_faults(faults);
    world.run(Some(copied.clone()), HOUR, FOREVER);
    let all = world.cloud.backups_of_all();
    let made = |place: &Scope, all: &[BackupTruth]| -> BTreeMap<String, usize> {
        let mut made = BTreeMap::new();
        for backup in all.iter().filter(|backup| backup.scope == *place && backup.deleted.is_none()) {
            *made.entry(backup.point.table.to_string()).or_default() += 1;
        }
        made
    };
    // One for the slot of before the policy, and none beside it (S9).
    let one = TABLES.map(|name| (name.to_owned(), 1)).into_iter().collect::<BTreeMap<_, _>>();
    let first = made(&scope(), &all);
    assert_eq!((first, made(&away, &all)), (one.clone(), one), "S9");
    world.run(Some(copied), DAY * 6, FOREVER);
    let all = world.cloud.backups_of_all();
    for place in [scope(), away] {
        let here: Vec<&BackupTruth> = all.iter().filter(|backup| backup.scope == place).collect();
        let left = here.iter().filter(|backup| backup.deleted.is_none()).count();
        assert!((6..=9).contains(&left), "{left} in {place}");
        let days: BTreeSet<_> = here.iter().map(|backup| (&backup.point.table, backup.point.created)).collect();
        assert_eq!(days.len(), here.len(), "S9: {place}");
        for name in TABLES {
            let made = here.iter().filter(|backup| backup.point.table.as_str() == name);
            let newest = made.max_by_key(|backup| backup.point.created).unwrap();
            assert!(newest.deleted.is_none() && newest.point.is_available(), "S15: {name} in {place}");
        }
    }
    blameless(&blames);
}

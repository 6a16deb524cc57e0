//! Restores in virtual time: a restore test proves what can be restored and nothing else, whatever is lost or crashes
//! there is one new table and it goes again (S9), no other table is ever deleted (S2, S15), and a table that somebody has
//! asked for has all its settings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use landfast::context::{Context, Virtual};
use landfast::controller::{Controller, Tender, Until, answer};
use landfast::model::{
    BackupMemory, BackupSpec, Budget, Desired, Digest, Environment, Key, Mode, OWNER_TAG, Objectives, Policy, Prune,
    Replace, Request, RestoreFrom, Revision, Schedule, Scope, StreamView, TEST_PREFIX, TableName, TableSelection,
    TestedPoint, VerifySpec, Wish,
};
use landfast::plan::Goal;
use landfast::sabotage::{self, Bug};
use landfast::sim::{Call, Console, Fault, FaultPlan, NewTable, SimCloud, SimConfig, TableTruth, View};
use landfast::store::{Disk, Store};
use serde_json::json;

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const FOREVER: u64 = u64::MAX;
const TABLE: &str = "dev-ReviewCycles";

fn scope() -> Scope {
    Scope { account: "111122223333".parse().unwrap(), region: "eu-central-1".parse().unwrap() }
}

fn key() -> Key {
    "dev/backuppolicy/tables".parse().unwrap()
}

fn table(name: &str) -> TableName {
    name.parse().unwrap()
}

fn spec(tolerance_milli: u32) -> BackupSpec {
    BackupSpec {
        key: key(),
        scope: scope(),
        tables: TableSelection::Prefix("dev-ReviewCycles".to_owned()),
        except: BTreeSet::from([table("dev-ReviewCycles-restored")]),
        recovery_days: Some(35),
        deletion_protection: false,
        schedule: Some(Schedule::new("0 3 * * *", "UTC").unwrap()),
        retention: None,
        vault: None,
        copy_to: BTreeMap::new(),
        verify: Some(VerifySpec { every: 30 * DAY, sample: 40, point: TestedPoint::Newest, tolerance_milli }),
        objectives: Objectives::default(),
        depends_on: BTreeSet::new(),
        digest: Digest::of("policy"),
    }
}

fn environment(spec: BackupSpec, mode: Mode) -> Environment {
    let budget = Budget { stacks: 0, replacements: 0, deletions: 0, per: HOUR };
    Environment {
        name: "dev".parse().unwrap(),
        system: "app".to_owned(),
        scope: scope(),
        role: None,
        tags: BTreeMap::new(),
        policy: Policy {
            mode,
            prune: Prune::Always,
            replace: Replace::Allow,
            budget,
            stack_name: ".*".to_owned(),
            required_tags: BTreeSet::new(),
            stateful_types: BTreeSet::new(),
            backup_max_age: HOUR,
            drift: landfast::model::DriftAction::Report,
            drift_every: None,
        },
        template_bucket: None,
        stacks: BTreeMap::new(),
        services: BTreeMap::new(),
        secrets: BTreeMap::new(),
        records: BTreeMap::new(),
        backups: BTreeMap::from([(spec.key.clone(), Arc::new(spec))]),
        ready: BTreeMap::new(),
    }
}

/// A simulated AWS with one table of twenty items, a disk, and daemons that come and go.
struct World {
    clock: Virtual,
    cx: Context,
    cloud: SimCloud,
    disk: Disk,
    lives: u64,
    spec: BackupSpec,
    mode: Mode,
    blamed: Arc<Mutex<Vec<String>>>,
}

impl World {
    fn new(spec: BackupSpec) -> Self {
        let clock = Virtual::starting_at("2026-01-01T04:00:00Z".parse().unwrap());
        let cx = Context::simulated(&clock, 5);
        let cloud = SimCloud::new(cx.clone(), SimConfig::default());
        let world =
            Self { clock, cx, cloud, disk: Disk::new(), lives: 0, spec, mode: Mode::Apply, blamed: Arc::default() };
        let new = NewTable {
            stream: Some(StreamView::NewImage),
            time_to_live: Some("until".to_owned()),
            tags: BTreeMap::from([("Team".to_owned(), "people".to_owned())]),
            recovery_days: Some(35),
            ..NewTable::keyed(table(TABLE), "id")
        };
        world.console().create_table(&new).unwrap();
        for id in 0..20 {
            world.put(TABLE, id, "good");
        }
        world.watch();
        world
    }

    fn console(&self) -> Console {
        self.cloud.console(&scope())
    }

    fn put(&self, name: &str, id: u32, text: &str) {
        let item = json!({"id": {"S": format!("item-{id}")}, "text": {"S": text}});
        self.console().put_item(&table(name), &item).unwrap();
    }

    /// Holds every call that deletes a table, or makes one by a restore, to the invariants.
    fn watch(&self) {
        let blamed = Arc::clone(&self.blamed);
        self.cloud.set_monitor(Box::new(move |view: &View<'_>, call: &Call| {
            if call.fence.is_none() || !call.applied {
                return;
            }
            let tables = view.tables();
            let tests = tables.iter().filter(|one| one.state.name.as_str().starts_with(TEST_PREFIX)).count();
            if call.operation.starts_with("Restore") && tests > 1 {
                blamed.lock().unwrap().push(format!("S9: {} beside a test table", call.operation));
            }
            if call.operation == "DeleteTable" {
                let ours = |one: &&TableTruth| one.tags.get(OWNER_TAG) == Some(&key().to_string());
                let named = tables.iter().filter(|one| call.target == one.state.name.as_str());
                let foreign =
                    named.filter(|one| !ours(one) || !one.state.name.as_str().starts_with(TEST_PREFIX)).count();
                if foreign > 0 {
                    blamed.lock().unwrap().push(format!("S15: {} is deleted", call.target));
                }
            }
        }));
    }

    /// A daemon runs for so long, or until it has waited `dies_at` times. Says how often it has waited.
    fn run(&mut self, duration: Duration, dies_at: u64) -> u64 {
        self.lives += 1;
        let cx = Context::simulated(&self.clock, 100 + self.lives);
        let store = Store::on(&self.disk, &cx).unwrap();
        let revision: Revision = store.revise(&self.spec.digest, None).unwrap();
        let environment = Arc::new(environment(self.spec.clone(), self.mode));
        let environments = BTreeMap::from([(environment.name.clone(), environment)]);
        let controller = Controller::new(cx.clone(), Arc::new(self.cloud.clone()), store, Arc::new(|_, _| {}));
        controller.board.publish(Desired { revision, environments }, &BTreeSet::new());
        let polls = AtomicU64::new(0);
        let mut tender =
            Box::pin(Tender::new(&controller, "dev".parse().unwrap(), Goal::Converge, Until::Stopped).run());
        let mortal = std::future::poll_fn(|task: &mut TaskContext<'_>| {
            if polls.fetch_add(1, Ordering::Relaxed) >= dies_at {
                return Poll::Ready(());
            }
            match tender.as_mut().poll(task) {
                Poll::Ready(ended) => panic!("the daemon ended: {ended:?}"),
                Poll::Pending => Poll::Pending,
            }
        });
        self.clock.drive(self.cx.timeout(duration, mortal)).unwrap();
        polls.load(Ordering::Relaxed)
    }

    fn ask(&self, wish: Wish) {
        let store = Store::on(&self.disk, &self.cx).unwrap();
        let now = self.cx.now();
        let request = Request { id: format!("{wish}"), key: key(), wish, by: "ann".to_owned(), at: now };
        answer(&store, &environment(self.spec.clone(), self.mode), &request, now).unwrap().unwrap();
    }

    fn memory(&self) -> BackupMemory {
        let store = Store::on(&self.disk, &self.cx).unwrap();
        let memory = store.memory(&"dev".parse().unwrap()).unwrap();
        memory.objects.backups.get(&key()).map(|memory| BackupMemory::clone(memory)).unwrap_or_default()
    }

    fn test_tables(&self) -> Vec<TableName> {
        let tables = self.cloud.tables_of_all();
        tables.into_iter().map(|one| one.state.name).filter(|name| name.as_str().starts_with(TEST_PREFIX)).collect()
    }

    fn hold(&self) {
        assert_eq!(*self.blamed.lock().unwrap(), Vec::<String>::new());
        assert!(
            self.console().table(&table(TABLE)).is_some_and(|one| one.items.len() >= 20),
            "the original is touched"
        );
    }
}

#[test]
fn a_restore_test_proves_a_good_point_measures_it_and_leaves_nothing_behind() {
    let mut world = World::new(spec(100));
    world.run(2 * HOUR, FOREVER);
    let memory = world.memory();
    let proof = memory.proofs.get(&table(TABLE)).expect("it was tested");
    assert_eq!(proof.failed, None);
    let compared = proof.compared.as_ref().unwrap();
    assert!(compared.compared >= 20 && compared.equal == compared.compared, "{compared:?}");
    assert!((200..600).contains(&proof.took.unwrap()), "{proof:?}");
    assert!(proof.loss.unwrap() < 600, "{proof:?}");
    let point = proof.point.as_ref().unwrap();
    assert!(memory.tables[&table(TABLE)].points[point].verified.is_some());
    assert_eq!(memory.profiles.len(), 1);
    assert_eq!(world.test_tables(), Vec::<TableName>::new());
    world.hold();
}

/// What was backed up is not what the table has: nearly all of it was overwritten since.
fn tampered() -> World {
    let mut world = World::new(BackupSpec { verify: None, ..spec(100) });
    world.run(HOUR, FOREVER);
    for id in 0..15 {
        world.put(TABLE, id, "tampered");
    }
    world.spec = spec(100);
    world.run(2 * HOUR, FOREVER);
    world
}

#[test]
fn a_restore_test_fails_where_too_many_items_differ() {
    let world = tampered();
    let memory = world.memory();
    let proof = &memory.proofs[&table(TABLE)];
    assert!(proof.failed.as_ref().unwrap().contains("differ"), "{proof:?}");
    let verified = memory.tables[&table(TABLE)].points.values().filter(|point| point.verified.is_some()).count();
    assert_eq!((verified, world.test_tables().len()), (0, 0));
    world.hold();
}

#[test]
fn the_planted_bug_that_proves_anything_is_seen() {
    sabotage::plant(Some(Bug::ProvesAnything));
    let world = tampered();
    sabotage::plant(None);
    assert_eq!(world.memory().proofs[&table(TABLE)].failed, None);
}

#[test]
fn whatever_answer_is_lost_there_is_one_test_table_and_it_goes_again() {
    for operation in ["RestoreTableFromBackup", "TagResource", "DeleteTable", "DescribeTable", "Scan", "BatchGetItem"] {
        for fault in [Fault::ErrorBefore, Fault::ErrorAfter, Fault::TimeoutAfter, Fault::HangAfter, Fault::Throttle] {
            let mut world = World::new(spec(100));
            let faults = FaultPlan {
                windows: vec![landfast::sim::Window {
                    from: Duration::ZERO,
                    until: Duration::from_mins(12),
                    scope: None,
                    operations: BTreeSet::from([operation.to_owned()]),
                    fault: fault.clone(),
                }],
                ..FaultPlan::default()
            };
            world.cloud.set_faults(faults);
            world.run(4 * HOUR, FOREVER);
            let memory = world.memory();
            let proof = memory.proofs.get(&table(TABLE)).unwrap_or_else(|| panic!("{operation} {fault:?}: {memory:?}"));
            assert_eq!(proof.failed, None, "{operation} {fault:?}");
            assert_eq!(world.test_tables().len(), 0, "{operation} {fault:?}");
            world.hold();
        }
    }
}

#[test]
fn killed_at_any_moment_a_test_comes_to_its_end() {
    let whole = World::new(spec(100)).run(HOUR, FOREVER);
    let step = (whole / 40).max(1);
    for dies_at in (1..whole).step_by(usize::try_from(step).unwrap()) {
        let mut world = World::new(spec(100));
        world.run(HOUR, dies_at);
        world.run(HOUR, dies_at / 2 + 7);
        world.run(3 * HOUR, FOREVER);
        let memory = world.memory();
        assert_eq!(memory.proofs.get(&table(TABLE)).expect("it was tested").failed, None, "killed at {dies_at}");
        assert_eq!(world.test_tables().len(), 0, "killed at {dies_at}");
        world.hold();
    }
}

fn wish(from: RestoreFrom, to: &str) -> Wish {
    Wish::Restore { table: table(TABLE), from, to: Some(table(to)) }
}

#[test]
fn a_table_that_is_asked_for_is_as_of_its_time_and_has_all_its_settings() {
    let mut world = World::new(BackupSpec { verify: None, ..spec(100) });
    world.run(HOUR, FOREVER);
    let good = world.cx.now();
    world.run(HOUR, FOREVER);
    world.put(TABLE, 3, "bad");
    world.ask(wish(RestoreFrom::Moment(good), "dev-ReviewCycles-restored"));
    world.run(4 * HOUR, FOREVER);
    let memory = world.memory();
    let restore = &memory.restores[&table("dev-ReviewCycles-restored")];
    assert_eq!(restore.ended.as_ref().map(|(_, failed)| failed.clone()), Some(None), "{restore:?}");
    let made = world.console().table(&table("dev-ReviewCycles-restored")).unwrap();
    assert_eq!(made.items.len(), 20);
    assert!(!format!("{:?}", made.items).contains("bad"));
    assert_eq!(made.state.stream, Some(StreamView::NewImage));
    assert_eq!(made.time_to_live.as_deref(), Some("until"));
    assert_eq!(made.tags.get("Team").map(String::as_str), Some("people"));
    assert_eq!(made.tags.get(OWNER_TAG), None, "a restored table is nobody's to delete");
    assert_eq!(made.continuous.window_days, 35);
    assert!(restore.compared.as_ref().unwrap().changed >= 1);
    world.hold();
}

#[test]
fn what_cannot_be_restored_is_told_with_what_to_do() {
    let mut world = World::new(BackupSpec { verify: None, ..spec(100) });
    world.run(HOUR, FOREVER);
    let point = "arn:aws:dynamodb:eu-central-1:111122223333:table/dev-ReviewCycles/backup/01700000000000-abcdef01";
    for (from, to, told) in [
        (
            RestoreFrom::Moment("2020-01-01T00:00:00Z".parse().unwrap()),
            "dev-early",
            "can be restored to any second from",
        ),
        (RestoreFrom::Latest, TABLE, "choose another name"),
        (RestoreFrom::Point(point.parse().unwrap()), "dev-none", "landfast backup list"),
    ] {
        world.ask(wish(from, to));
        world.run(HOUR, FOREVER);
        let restore = &world.memory().restores[&table(to)];
        let (_, failed) = restore.ended.clone().expect("it has ended");
        assert!(failed.as_ref().is_some_and(|why| why.contains(told)), "{failed:?}");
    }
    world.console().set_recovery(&table(TABLE), None).unwrap();
    world.spec.recovery_days = None;
    world.ask(wish(RestoreFrom::Latest, "dev-off"));
    world.run(HOUR, FOREVER);
    let restore = world.memory().restores[&table("dev-off")].clone();
    assert!(restore.ended.unwrap().1.unwrap().contains("is off"));
    world.hold();
}

#[test]
fn a_foreign_table_of_the_name_of_a_test_is_never_deleted() {
    let mut world = World::new(spec(100));
    for _ in 0..60 {
        if !world.test_tables().is_empty() {
            break;
        }
        world.run(Duration::from_secs(30), FOREVER);
    }
    let tests = world.test_tables();
    let [name] = tests.as_slice() else { panic!("no test runs: {tests:?}") };
    // Somebody deletes it once it is there, and makes his own of that name.
    world.clock.drive(world.cx.sleep(Duration::from_mins(4))).unwrap();
    world.console().delete_table(name).unwrap();
    world.clock.drive(world.cx.sleep(Duration::from_mins(1))).unwrap();
    world.console().create_table(&NewTable::keyed(name.clone(), "id")).unwrap();
    world.run(2 * HOUR, FOREVER);
    assert_eq!(world.test_tables(), tests);
    assert!(world.memory().proofs[&table(TABLE)].failed.as_ref().unwrap().contains("another table"));
    world.hold();
}

#[test]
fn over_its_objective_a_policy_is_not_ready() {
    let mut over = spec(100);
    over.objectives = Objectives { rto: Some(Duration::from_mins(1)), rpo: None };
    let mut world = World::new(over);
    world.run(2 * HOUR, FOREVER);
    assert!(world.memory().proofs[&table(TABLE)].took.unwrap() > 60);
    world.hold();
}

/// Where changes need approval, what a test makes for itself comes and goes, and what a person has asked for is made. No
/// other table is changed or goes.
#[test]
fn where_changes_need_approval_only_what_a_test_has_made_goes_unasked() {
    let mut world = World::new(spec(100));
    world.mode = Mode::Approve;
    world.run(2 * HOUR, FOREVER);
    assert_eq!(world.memory().proofs.get(&table(TABLE)).expect("it was tested").failed, None);
    assert_eq!(world.test_tables(), Vec::<TableName>::new());
    let wanted = "dev-ReviewCycles-restored";
    world.ask(wish(RestoreFrom::Latest, wanted));
    world.run(DAY, FOREVER);
    assert_eq!(world.console().table(&table(wanted)).expect("a person has asked for it").items.len(), 20);
    let audit = world.cloud.audit();
    let changed = audit.iter().filter(|call| call.mutating && call.applied);
    let others = changed.filter(|call| !call.target.contains(TEST_PREFIX) && !call.target.contains(wanted));
    let others: BTreeSet<(&str, &str)> = others.map(|call| (call.operation, call.target.as_str())).collect();
    assert_eq!(others, BTreeSet::from([("CreateBackup", TABLE)]));
    world.hold();
}

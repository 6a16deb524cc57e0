//! Restores in virtual time: a restore test proves what can be restored and nothing else, whatever is lost or crashes
//! there is one new table and it goes again (S9), no other table is ever deleted (S2, S15), and a table that somebody has
//! asked for has all its settings.

pub(crate) mod in_place;
mod kept;
mod leftovers;
mod requests;
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use landfast::controller::answer;
use landfast::model::{
    BackupMemory, BackupSpec, Digest, Entry, Environment, Key, Mode, OWNER_TAG, Objectives, Request, Schedule, Scope,
    StreamView, TEST_PREFIX, TableName, TableSelection, TestedPoint, VerifySpec, Wish,
};
use landfast::sabotage;
use landfast::sim::{Call, NewTable, SimConfig, TableTruth, View};
use serde_json::json;

use crate::stage::{self, DAY, FOREVER, HOUR, Stage};

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

/// One table of twenty items.
struct World {
    stage: Stage,
    spec: BackupSpec,
    mode: Mode,
    /// Where settings are kept beside the journal.
    bucket: Option<&'static str>,
    blamed: Arc<Mutex<Vec<String>>>,
}

stage::set_on_a_stage!(World);

impl World {
    fn new(spec: BackupSpec) -> Self {
        let stage = Stage::new("eu-central-1", "2026-01-01T04:00:00Z", SimConfig::default());
        let world = Self { stage, spec, mode: Mode::Apply, bucket: None, blamed: Arc::default() };
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

    fn put(&self, name: &str, id: u32, text: &str) {
        let item = json!({"id": {"S": format!("item-{id}")}, "text": {"S": text}});
        self.console().put_item(&table(name), &item).unwrap();
    }

    /// Holds every call that deletes a table, or makes one by a restore, to the invariants.
    fn watch(&self) {
        let blamed = Arc::clone(&self.blamed);
        self.cloud.set_monitor(Box::new(move |view: &View<'_>, call: &Call| {
            if call.fence.is_none() {
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

    fn environment(&self) -> Environment {
        let mut environment = stage::environment(&scope());
        environment.policy.mode = self.mode;
        environment.template_bucket = self.bucket.map(str::to_owned);
        environment.backups.insert(key(), Arc::new(self.spec.clone()));
        environment
    }

    /// A daemon runs for so long, or until it has waited `dies_at` times. Says how often it has waited.
    fn run(&mut self, duration: Duration, dies_at: u64) -> u64 {
        let controller = self.begin(|_| {});
        // Over many hours nothing is lost by looking less often, and much time is gained.
        let controller = if duration > 12 * HOUR { controller.resyncing_every(HOUR / 4) } else { controller };
        let desired = stage::wanted(controller.store(), self.environment());
        self.tend(&controller, desired, duration, dies_at)
    }

    fn ask(&self, wish: Wish) {
        let now = self.cx.now();
        let request = Request { id: format!("{wish}"), key: key(), wish, by: "ann".to_owned(), at: now };
        answer(&self.store(), &self.environment(), &request, now).unwrap().unwrap();
    }

    fn remembered(&self) -> BackupMemory {
        let memory = self.memory();
        memory.objects.backups.get(&key()).map(|memory| BackupMemory::clone(memory)).unwrap_or_default()
    }

    /// What would be done now.
    fn entry(&self) -> Entry {
        self.plan(|store| stage::wanted(store, self.environment())).entries[&key()].clone()
    }

    /// A daemon runs until the table of a test is there. The object's metadata.
    fn run_until_tested(&mut self) -> TableName {
        for _ in 0..60 {
            if let Some(name) = self.test_tables().pop() {
                return name;
            }
            self.run(Duration::from_secs(30), FOREVER);
        }
        panic!("no test runs")
    }

    /// What is against the rules: what the calls were blamed for, and points that are said to be proven although what
    /// they have is not what the table has.
    fn wrong(&self) -> Vec<String> {
        let mut wrong = self.blamed.lock().unwrap().clone();
        let tolerance = usize::try_from(self.spec.verify.map_or(0, |verify| verify.tolerance_milli)).unwrap();
        for (name, proof) in self.remembered().proofs.iter().filter(|(_, proof)| proof.failed.is_none()) {
            let backups = self.console().table_backups().into_iter();
            let Some(kept) = backups.into_iter().find(|backup| Some(&backup.point.id) == proof.point.as_ref()) else {
                continue;
            };
            let has = self.console().table(name).map(|one| one.items).unwrap_or_default();
            let differ = kept.items.iter().filter(|item| !has.contains(item)).count();
            if differ * 1_000 > tolerance * kept.items.len() {
                wrong.push(format!("S15 proof: {} is proven, and {differ} of its items differ", kept.point.id));
            }
        }
        wrong
    }

    fn test_tables(&self) -> Vec<TableName> {
        let tables = self.cloud.tables_of_all();
        tables.into_iter().map(|one| one.state.name).filter(|name| name.as_str().starts_with(TEST_PREFIX)).collect()
    }

    fn hold(&self) {
        assert_eq!(self.wrong(), Vec::<String>::new());
        assert!(
            self.console().table(&table(TABLE)).is_some_and(|one| one.items.len() >= 20),
            "the original is touched"
        );
    }
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

/// What is wrong after a backup was made of what the table has no more, with a bug or without.
pub(crate) fn play_planted(bug: Option<sabotage::Bug>) -> Vec<String> {
    sabotage::plant(bug);
    let world = tampered();
    sabotage::plant(None);
    world.wrong()
}

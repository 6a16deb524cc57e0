//! What follows from a rotation for those who use the secret: each service that it names is deployed anew, once.

use jiff::{SignedDuration, Timestamp};
use landfast::model::{
    Delivery, ImageDigest, ImageSpec, MovedTag, OWNER_TAG, RolloutFailure, RolloutOutcome, RolloutSpec, Select,
    ServiceMemory, ServiceRef, VersionId,
};
use landfast::ports::{TasksWanted, UpdateService};
use landfast::sim::{ImageBehaviour, NewService};

use super::*;

const MINUTE: Duration = Duration::from_mins(1);
const REGISTRY: &str = "111122223333.dkr.ecr.eu-central-1.amazonaws.com";

pub(super) fn api() -> Key {
    "dev/service/api".parse().unwrap()
}

fn service() -> ServiceRef {
    ServiceRef { cluster: "dev".to_owned(), service: "web".to_owned() }
}

fn service_spec() -> ServiceSpec {
    let image = ImageSpec {
        registry: None,
        repository: "team/web".to_owned(),
        select: Select::Tag("1.0.0".to_owned()),
        prereleases: false,
        soak: Duration::ZERO,
        allow: Vec::new(),
        deny: Vec::new(),
        moved: MovedTag::Report,
        also_in: std::collections::BTreeSet::new(),
    };
    ServiceSpec {
        key: api(),
        scope: scope(),
        cluster: Text::literal("dev"),
        service: Text::literal("web"),
        images: BTreeMap::from([("web".to_owned(), image)]),
        delivery: Delivery::Direct,
        rollout: RolloutSpec { timeout: Duration::from_mins(15), on_failure: RolloutFailure::Rollback },
        revisions_kept: 5,
        adopt: false,
        depends_on: BTreeSet::new(),
        digest: Digest::of("service"),
    }
}

/// A service of two tasks that is ours, and a secret that names it.
pub(super) fn world() -> (World, ImageDigest) {
    let mut world = World::new();
    let console = world.console();
    console.create_repository("team/web");
    let good = console.push_image("team/web", "good", &["1.0.0"], None).unwrap();
    let image = format!("{REGISTRY}/team/web@{good}");
    let definition = console.register_task_definition("web", &[("web", &image)]).unwrap();
    let mut request = NewService::new("dev", "web", definition);
    request.tags.insert(OWNER_TAG.to_owned(), api().to_string());
    console.create_service(&request).unwrap();
    world.services.push(service_spec());
    (world, good)
}

impl World {
    fn restarts(&self) -> usize {
        self.mutations().into_iter().filter(|operation| *operation == "UpdateService").count()
    }

    /// When the oldest of the running tasks was made.
    fn oldest_task(&self) -> Timestamp {
        let port = self.cloud.containers(&scope(), None);
        let service = service();
        let tasks = async {
            let listed = port.list_tasks(&service, TasksWanted::Running, None).await.unwrap();
            port.tasks("dev", &listed.items).await.unwrap()
        };
        let tasks = self.clock.drive(tasks).unwrap();
        tasks.iter().filter_map(|task| task.created).min().expect("tasks run")
    }

    pub(super) fn service_memory(&self) -> ServiceMemory {
        let store = self.store();
        let memory = store.memory(&"dev".parse().unwrap()).unwrap();
        memory.objects.services.get(&api()).map(|memory| ServiceMemory::clone(memory)).unwrap_or_default()
    }

    /// As if a version had just become current.
    fn promoted(&self, version: &str, since: Timestamp) {
        let store = self.store();
        let version: VersionId = version.parse().unwrap();
        store
            .update(&key(), |memory: &mut SecretMemory| {
                memory.restarts.entry(api()).or_default().insert(version);
                memory.current_since = Some(since);
            })
            .unwrap();
    }

    /// When the current version of the secret was made current, at the latest.
    fn changed(&self) -> Timestamp {
        self.console().secret(NAME).unwrap().changed.unwrap()
    }
}

fn desired() -> Vec<SecretSpec> {
    vec![rotating(&["password", "token"], HOUR * 2)]
}

#[test]
fn a_service_that_a_rotation_names_is_deployed_anew_once() {
    let (mut world, _) = world();
    world.run(desired(), HOUR, FOREVER);
    assert_eq!(world.restarts(), 0, "L2: {:?}", world.mutations());
    world.run(desired(), HOUR * 2, FOREVER);
    assert_eq!(world.truth().len(), 2);
    assert_eq!(world.restarts(), 1);
    assert!(
        world.oldest_task() >= world.console().secret(NAME).unwrap().changed.unwrap() - SignedDuration::from_secs(5)
    );
    assert_eq!((world.remembered().restarts, world.service_memory().rollout), (BTreeMap::new(), None));
    let last = world.service_memory().last.unwrap();
    assert_eq!(last.outcome, RolloutOutcome::Proven, "{last:?}");
    // Starting the operator again starts nothing else again (hashicorp/vault-secrets-operator#285).
    world.run(desired(), HOUR, FOREVER);
    assert_eq!(world.restarts(), 1);
}

#[test]
fn two_secrets_that_rotate_together_are_one_restart() {
    let (mut world, _) = world();
    let desired = || {
        let other = SecretSpec { key: other().key, name: other().name, ..rotating(&["x"], HOUR * 2) };
        vec![rotating(&["password"], HOUR * 2), other]
    };
    world.run(desired(), HOUR * 3, FOREVER);
    let rotated = world.mutations().into_iter().filter(|operation| *operation == "PutSecretValue").count();
    assert_eq!((rotated, world.restarts()), (2, 1));
}

/// hashicorp/vault-secrets-operator#1228: of two rotations within a second, the second was never restarted for.
#[test]
fn of_two_rotations_within_a_second_neither_restart_is_lost() {
    let (mut world, _) = world();
    world.run(desired(), HOUR, FOREVER);
    let now = world.cx.now();
    world.promoted("0123456789abcdef0123456789abcdef-1", now);
    // Until the restart for it is under way; then another one, in the same second as far as anybody wrote down.
    world.run(desired(), Duration::from_secs(25), FOREVER);
    assert_eq!(world.restarts(), 1);
    assert!(world.service_memory().rollout.is_some_and(|rollout| rollout.restart.is_some()));
    let second = world.cx.now();
    world.promoted("0123456789abcdef0123456789abcdef-2", now);
    world.run(desired(), HOUR / 2, FOREVER);
    assert_eq!(world.restarts(), 2);
    assert!(world.oldest_task() >= second);
    assert_eq!(world.remembered().restarts, BTreeMap::new());
}

#[test]
fn a_service_whose_tasks_are_all_newer_needs_no_restart() {
    let (mut world, _) = world();
    world.run(desired(), HOUR, FOREVER);
    // Somebody has deployed it since.
    let since = world.cx.now();
    world.clock.drive(world.cx.sleep(MINUTE * 3)).unwrap();
    let again = UpdateService { service: service(), task_definition: None, force: true };
    let _ = world.console().deploy_service(&again).unwrap();
    world.clock.drive(world.cx.sleep(MINUTE * 5)).unwrap();
    world.promoted("0123456789abcdef0123456789abcdef-1", since);
    world.run(desired(), HOUR / 4, FOREVER);
    assert_eq!((world.restarts(), world.remembered().restarts), (0, BTreeMap::new()));
}

#[test]
fn a_restart_waits_until_every_replica_has_the_value() {
    let (mut world, _) = world();
    let desired = || {
        let replicas = Some(BTreeMap::from([("us-east-1".parse().unwrap(), None)]));
        vec![SecretSpec { replicas, ..rotating(&["password", "token"], HOUR * 2) }]
    };
    world.run(desired(), HOUR * 3, FOREVER);
    assert_eq!((world.truth().len(), world.restarts()), (2, 1));
    let audit = world.cloud.audit();
    let promoted = audit.iter().rposition(|call| call.operation == "UpdateSecretVersionStage").unwrap();
    let restart = audit.iter().position(|call| call.operation == "UpdateService").unwrap();
    assert!(
        audit[promoted..restart].iter().any(|call| call.operation == "DescribeSecret"),
        "the replicas were not read"
    );
}

#[test]
fn wherever_the_daemon_dies_the_restart_is_made_and_made_once() {
    let mut waits = 0;
    loop {
        let (mut world, _) = world();
        world.run(desired(), HOUR * 2 - MINUTE * 6, FOREVER);
        let polls = world.run(desired(), MINUTE * 25, waits);
        world.run(desired(), MINUTE * 30, FOREVER);
        assert_eq!((world.truth().len(), world.restarts()), (2, 1), "dead after {waits}: {:?}", world.mutations());
        assert_eq!(world.remembered().restarts, BTreeMap::new(), "dead after {waits}");
        assert!(world.oldest_task() >= world.changed() - SignedDuration::from_secs(5), "dead after {waits}");
        if polls <= waits {
            println!("{waits} crash points");
            assert!(waits > 30, "{waits}");
            return;
        }
        waits += 1;
    }
}

#[test]
fn a_journal_that_is_lost_costs_no_restart() {
    let (mut world, _) = world();
    world.run(desired(), HOUR * 2 - MINUTE, FOREVER);
    world.run(desired(), MINUTE * 7, FOREVER);
    assert_eq!(world.truth().len(), 2);
    world.disk = Disk::new();
    world.run(desired(), HOUR, FOREVER);
    let made = world.restarts();
    assert!((1..=2).contains(&made), "{made}");
    assert!(world.oldest_task() >= world.changed() - SignedDuration::from_secs(5));
}

#[test]
fn tasks_that_do_not_start_with_the_new_value_end_the_restart_and_the_image_is_not_blamed() {
    let (mut world, good) = world();
    world.run(desired(), HOUR * 2 - MINUTE, FOREVER);
    world.console().set_image_behaviour(&good, ImageBehaviour::Crashes);
    world.run(desired(), MINUTE * 50, FOREVER);
    let memory = world.service_memory();
    assert!(memory.quarantine.is_empty(), "{:?}", memory.quarantine);
    let failed = memory.restart_failed.clone().unwrap_or_else(|| panic!("{memory:#?}\n{:?}", world.mutations()));
    assert!(failed.count >= 1, "{failed:?}");
    assert_eq!(world.remembered().restarts.len(), 1);
    world.console().set_image_behaviour(&good, ImageBehaviour::Runs);
    world.run(desired(), HOUR * 2 - MINUTE * 20, FOREVER);
    assert_eq!((world.remembered().restarts, world.service_memory().restart_failed), (BTreeMap::new(), None));
    assert!(world.oldest_task() >= world.changed() - SignedDuration::from_secs(5));
}

#[test]
fn a_call_whose_answer_is_lost_restarts_nothing_twice() {
    let calm = {
        let (mut world, _) = world();
        world.run(desired(), HOUR * 3, FOREVER);
        world.cloud.audit()
    };
    let calls = calm.iter().filter(|call| call.mutating && !call.operation.contains("CreateSecret"));
    for call in calls {
        for fault in [Fault::ErrorBefore, Fault::ErrorAfter, Fault::TimeoutAfter, Fault::HangAfter, Fault::Hang] {
            let (mut world, _) = world();
            let calls = BTreeMap::from([(call.index, fault.clone())]);
            world.cloud.set_faults(FaultPlan { calls, ..FaultPlan::default() });
            world.run(desired(), HOUR * 3, FOREVER);
            let at = format!("{fault:?} at {}", call.operation);
            assert_eq!((world.truth().len(), world.restarts()), (2, 1), "{at}: {:?}", world.mutations());
            assert_eq!(world.remembered().restarts, BTreeMap::new(), "{at}");
        }
    }
}

/// Rotation, check-free, and restart: killed at one moment, started again, and killed at another.
#[test]
fn killed_twice_it_rotates_and_restarts_once_all_the_same() {
    let pairs = stage::killed_twice(17, |first, second| {
        let (mut world, _) = world();
        world.run(desired(), HOUR * 2 - MINUTE * 6, FOREVER);
        let polls = world.run(desired(), MINUTE * 20, first);
        let more = world.run(desired(), MINUTE * 20, second);
        world.run(desired(), MINUTE * 30, FOREVER);
        let at = format!("dead after {first} and {second}");
        assert_eq!((world.truth().len(), world.restarts()), (2, 1), "{at}: {:?}", world.mutations());
        assert_eq!((world.remembered().restarts, world.value(AWSPENDING)), (BTreeMap::new(), None), "{at}");
        (polls, more)
    });
    assert!(pairs > 10, "{pairs}");
}

//! Secrets in virtual time: at every moment the current version is whole, and nothing that was made once is made again
//! because it was forgotten (S12, S13).

mod checks;
mod requests;
mod restarts;
mod universe;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use landfast::model::{
    AWSCURRENT, AWSPENDING, AWSPREVIOUS, Binding, Budget, Charset, DeletionPolicy, Digest, Environment, GeneratedField,
    Key, Memory, Prune, Redacted, RotationSpec, Scope, SealedFile, SecretMemory, SecretSource, SecretSpec, ServiceSpec,
    Taken, Text,
};
use landfast::ports::{Cloud as _, Identities, Probes, SealError, Unseal};
use landfast::sim::{Call, Fault, FaultPlan, SecretTruth, SimConfig, View};
use landfast::store::{Disk, Inbox};

use crate::stage::{self, FOREVER, HOUR, Stage};

const NAME: &str = "dev/app-secrets";
const CANARY: &str = "canary-7f3a";

fn scope() -> Scope {
    Scope { account: "111122223333".parse().unwrap(), region: "eu-central-1".parse().unwrap() }
}

fn key() -> Key {
    "dev/secret/app-secrets".parse().unwrap()
}

fn generated(names: &[&str]) -> SecretSource {
    let field = GeneratedField { length: 24, charset: Charset::Base64url };
    SecretSource::Generated(names.iter().map(|name| ((*name).to_owned(), field)).collect())
}

fn sealed(value: &str) -> SecretSource {
    SecretSource::Sealed(SealedFile {
        file: "app.age".into(),
        ciphertext: format!("sealed:{value}").into(),
        unbound: false,
    })
}

/// Opens what [`sealed`] has sealed: real age files are opened in `ports`.
struct Opener;

impl Unseal for Opener {
    fn unseal(&self, ciphertext: &str, _: &Binding, _: bool) -> Result<Redacted, SealError> {
        ciphertext.strip_prefix("sealed:").map(|value| Redacted::new(value.to_owned())).ok_or(SealError::Damaged)
    }
}

fn spec(source: SecretSource) -> SecretSpec {
    let digest = Digest::of(&format!("{source:?}"));
    SecretSpec {
        key: key(),
        scope: scope(),
        name: NAME.to_owned(),
        description: Some("what the app needs".to_owned()),
        kms_key: None,
        source,
        tags: BTreeMap::from([("Team".to_owned(), Text::literal("people"))]),
        resource_policy: None,
        replicas: None,
        rotation: None,
        deletion_policy: DeletionPolicy::Retain,
        recovery_days: 30,
        adopt: false,
        depends_on: BTreeSet::new(),
        digest,
    }
}

fn rotating(names: &[&str], every: Duration) -> SecretSpec {
    let restart = BTreeSet::from(["dev/service/api".parse().unwrap()]);
    SecretSpec { rotation: Some(RotationSpec { every, restart, check: None }), ..spec(generated(names)) }
}

fn environment(secrets: Vec<SecretSpec>, prune: Prune) -> Environment {
    let mut environment = stage::environment(&scope());
    environment.policy.prune = prune;
    environment.policy.budget = Budget { stacks: 100, replacements: 100, deletions: 100, per: HOUR };
    environment.secrets = secrets.into_iter().map(|spec| (spec.key.clone(), Arc::new(spec))).collect();
    environment
}

fn remembered(memory: &Memory) -> SecretMemory {
    memory.objects.secrets.get(&key()).map(|memory| SecretMemory::clone(memory)).unwrap_or_default()
}

/// A secret, and what is around it.
struct World {
    stage: Stage,
    prune: Prune,
    /// Where other processes leave notes.
    inbox: Option<Inbox>,
    /// Who is asked about a pending version.
    probes: Arc<dyn Probes>,
    /// Services beside the secrets.
    services: Vec<ServiceSpec>,
}

stage::set_on_a_stage!(World);

impl World {
    fn new() -> Self {
        let stage = Stage::new("eu-central-1", "2026-01-01T00:00:00Z", SimConfig::default());
        let probes = Arc::new(stage.cloud.clone());
        Self { stage, prune: Prune::Always, inbox: None, probes, services: Vec::new() }
    }

    /// A daemon runs for so long, or until it has waited `dies_at` times. Says how often it has waited.
    fn run(&mut self, secrets: Vec<SecretSpec>, duration: Duration, dies_at: u64) -> u64 {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&told);
        let controller = self.begin(move |progress| heard.lock().unwrap().push(format!("{progress:?}")));
        let mut controller = controller.unsealing_with(Arc::new(Opener)).probing(Arc::clone(&self.probes));
        if let Some(inbox) = &self.inbox {
            controller = controller.with_inbox(inbox.clone());
        }
        let mut environment = environment(secrets, self.prune);
        environment.services.extend(self.services.iter().map(|spec| (spec.key.clone(), Arc::new(spec.clone()))));
        let store = controller.store().clone();
        let desired = stage::wanted(&store, environment);
        let polls = self.tend(&controller, desired, duration, dies_at);
        assert!(!told.lock().unwrap().concat().contains(CANARY), "S12: a value is told");
        let journal = format!("{:?}", store.history(None, 10_000).unwrap());
        let remembered = serde_json::to_string(&remembered(&store.memory(&"dev".parse().unwrap()).unwrap())).unwrap();
        for (_, (value, _)) in self.console().secret_truth(NAME).unwrap_or_default() {
            let parts: Vec<&str> = value.split('"').filter(|part| part.len() >= 10).collect();
            for part in parts {
                assert!(!journal.contains(part) && !remembered.contains(part), "S12: a value is written down");
            }
        }
        polls
    }

    fn remembered(&self) -> SecretMemory {
        remembered(&self.memory())
    }

    fn truth(&self) -> SecretTruth {
        self.console().secret_truth(NAME).expect("the secret exists")
    }

    fn value(&self, label: &str) -> Option<String> {
        let truth = self.truth();
        truth.values().find(|(_, labels)| labels.contains(label)).map(|(value, _)| value.clone())
    }

    fn reads_of_values(&self) -> usize {
        self.cloud.audit().iter().filter(|call| call.operation == "GetSecretValue").count()
    }

    /// At every mutating call: whatever is current has all of these fields.
    fn watch(&self, names: &'static [&'static str]) -> Arc<Mutex<Vec<String>>> {
        let blames = Arc::new(Mutex::new(Vec::new()));
        let found = Arc::clone(&blames);
        self.cloud.set_monitor(Box::new(move |view: &View<'_>, call: &Call| {
            let Some(truth) = view.secret(&scope(), NAME) else { return };
            let current: Vec<_> = truth.values().filter(|(_, labels)| labels.contains(AWSCURRENT)).collect();
            let whole = |value: &str| names.iter().all(|name| value.contains(&format!("\"{name}\":\"")));
            if current.len() != 1 || !whole(&current[0].0) {
                found.lock().unwrap().push(format!("before {}: the current version is not whole", call.operation));
            }
        }));
        blames
    }
}

#[test]
fn a_generated_secret_is_made_once_and_then_left_alone() {
    let mut world = World::new();
    let desired = || vec![spec(generated(&["password", "token"]))];
    world.run(desired(), HOUR, FOREVER);
    assert_eq!(world.mutations(), ["CreateSecret"]);
    let first = world.truth();
    let reads = world.reads_of_values();
    world.run(desired(), HOUR * 5, FOREVER);
    assert_eq!((world.mutations().len(), world.reads_of_values()), (1, reads), "L2: nothing is written or read again");
    // Forgotten, it is read once, and kept.
    world.disk = Disk::new();
    world.run(desired(), HOUR, FOREVER);
    assert_eq!((world.truth(), world.mutations().len(), world.reads_of_values()), (first, 1, reads + 1));
}

#[test]
fn a_field_that_is_missing_is_added_and_the_others_stay() {
    let mut world = World::new();
    world.run(vec![spec(generated(&["password"]))], HOUR, FOREVER);
    let before: serde_json::Value = serde_json::from_str(&world.value(AWSCURRENT).unwrap()).unwrap();
    world.run(vec![spec(generated(&["password", "token"]))], HOUR, FOREVER);
    let after: serde_json::Value = serde_json::from_str(&world.value(AWSCURRENT).unwrap()).unwrap();
    assert_eq!(after["password"], before["password"]);
    assert_eq!(after["token"].as_str().unwrap().len(), 24);
    assert_eq!(world.mutations(), ["CreateSecret", "PutSecretValue"]);
}

#[test]
fn a_sealed_value_is_put_when_it_changes_and_put_back_when_somebody_changes_it() {
    let mut world = World::new();
    let one = || vec![spec(sealed(r#"{"password":"canary-7f3a-one"}"#))];
    world.run(one(), HOUR, FOREVER);
    // Sealed again, the ciphertext is another and the value the same: no version.
    let again = SecretSource::Sealed(SealedFile {
        file: "app.age".into(),
        ciphertext: r#"sealed:{ "password": "canary-7f3a-one" }"#.into(),
        unbound: false,
    });
    world.run(vec![spec(again)], HOUR, FOREVER);
    assert_eq!(world.mutations(), ["CreateSecret"]);
    world.run(one(), HOUR, FOREVER);
    world.console().put_secret(NAME, r#"{"password":"by hand"}"#).unwrap();
    world.run(one(), HOUR, FOREVER);
    assert!(world.value(AWSCURRENT).unwrap().contains("one"));
    // Forgotten, it is compared and found equal.
    world.disk = Disk::new();
    world.run(one(), HOUR, FOREVER);
    world.run(vec![spec(sealed(r#"{"password":"canary-7f3a-two"}"#))], HOUR, FOREVER);
    assert!(world.value(AWSCURRENT).unwrap().contains("two"));
    assert_eq!(world.mutations(), ["CreateSecret", "PutSecretValue", "PutSecretValue"]);
}

/// A policy as people write it, and as AWS does not show it.
const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Read","Effect":"Allow","Principal":{"AWS":["444455556666"]},"Action":["secretsmanager:GetSecretValue"],"Resource":["*"]}]}"#;

/// What is wrong when a secret with a resource policy is looked at for hours, and somebody puts another policy there.
pub(crate) fn play_planted(bug: Option<landfast::sabotage::Bug>) -> Vec<String> {
    landfast::sabotage::plant(bug);
    let mut world = World::new();
    let desired = || vec![SecretSpec { resource_policy: Some(POLICY.into()), ..spec(generated(&["password"])) }];
    world.run(desired(), HOUR * 3, FOREVER);
    let mut wrong = Vec::new();
    let puts =
        |world: &World| world.mutations().into_iter().filter(|operation| *operation == "PutResourcePolicy").count();
    if puts(&world) != 1 {
        wrong.push(format!("L2: the same policy is put {} times", puts(&world)));
    }
    let before = world.console().secret_policy(NAME).unwrap();
    let other = POLICY.replace("444455556666", "777788889999");
    world.console().put_secret_policy(NAME, &other).unwrap();
    world.run(desired(), HOUR / 4, FOREVER);
    if world.console().secret_policy(NAME).unwrap() != before {
        wrong.push("L3: a policy that somebody has put stays".to_owned());
    }
    landfast::sabotage::plant(None);
    wrong
}

#[test]
fn a_resource_policy_is_put_once_and_put_back_within_a_resync() {
    assert_eq!(play_planted(None), Vec::<String>::new());
}

/// AWS leaves its own key out of what it says of a secret: a manifest that names it is as desired without it.
#[test]
fn the_key_that_aws_manages_is_no_difference_and_a_key_that_is_not_asked_for_any_more_goes() {
    let mut world = World::new();
    let with = |key: Option<&str>| {
        let digest = Digest::of(&key);
        vec![SecretSpec { kms_key: key.map(Text::literal), digest, ..spec(generated(&["password"])) }]
    };
    world.run(with(Some("alias/aws/secretsmanager")), HOUR * 3, FOREVER);
    assert_eq!(world.mutations(), ["CreateSecret"]);
    world.run(with(Some("alias/app")), HOUR, FOREVER);
    world.run(with(None), HOUR * 3, FOREVER);
    assert_eq!(world.mutations(), ["CreateSecret", "UpdateSecret", "UpdateSecret"]);
    let seen = world.clock.drive(world.cloud.secrets(&scope(), None).describe(NAME)).unwrap().unwrap().unwrap();
    assert_eq!(seen.kms_key, None);
}

/// AWS accepts a change and does not show it; or refuses it. What comes after it is done all the same (L8).
#[test]
fn a_setting_that_never_settles_or_is_refused_holds_up_none_of_the_others() {
    for refused in [false, true] {
        let mut world = World::new();
        world.run(vec![spec(generated(&["password"]))], HOUR, FOREVER);
        let key = Some(Text::literal("alias/app"));
        let digest = Digest::of("more");
        let more = SecretSpec { kms_key: key, digest, ..spec(generated(&["password", "token"])) };
        if refused {
            let operations = BTreeSet::from(["UpdateSecret".to_owned()]);
            let until = world.cx.elapsed() + HOUR * 9;
            let window =
                landfast::sim::Window { from: Duration::ZERO, until, scope: None, operations, fault: Fault::Denied };
            world.cloud.set_faults(FaultPlan { windows: vec![window], ..FaultPlan::default() });
        } else {
            let (now, minute) = (world.cx.now(), jiff::SignedDuration::from_mins(1));
            let (none, key): (Option<String>, _) = (None, Some("alias/app".to_owned()));
            let inputs = Digest::of(&format!("configure {}", Digest::of(&(none, key))));
            let taken = Taken { inputs, count: 9, since: now - minute * 10, last: now };
            let store = world.store();
            store.cache(&self::key(), |memory: &mut SecretMemory| {
                memory.taken.insert("configure".to_owned(), taken);
            });
            store.flush().unwrap();
        }
        world.run(vec![more], HOUR / 2, FOREVER);
        assert_eq!(world.mutations(), ["CreateSecret", "PutSecretValue"], "refused: {refused}");
    }
}

/// Tags of a stack propagate to what it makes, Landfast's owner tag too.
#[test]
fn a_secret_that_one_of_our_stacks_has_made_is_made_elsewhere() {
    let mut world = World::new();
    let tags = BTreeMap::from([("landfast:owner".to_owned(), "dev/stack/app".to_owned())]);
    world.console().create_secret(NAME, r#"{"password":"made-by-a-stack"}"#, &tags).unwrap();
    let environment = environment(vec![spec(SecretSource::External)], Prune::Always);
    let entry = world.plan(|store| stage::wanted(store, environment)).entries.remove(&key()).unwrap();
    assert!(entry.ready && entry.refused.is_empty() && entry.step.is_none(), "{entry:?}");
    world.run(vec![spec(SecretSource::External)], HOUR, FOREVER);
    assert!(world.mutations().is_empty());
    // One of ours it is not.
    world.run(vec![spec(generated(&["password"]))], HOUR, FOREVER);
    assert!(world.mutations().is_empty());
}

/// The name is taken in the other region: it is said, it has an end, and everything else goes on.
#[test]
fn a_replica_whose_name_is_taken_is_refused_with_its_reason() {
    let mut world = World::new();
    let west = Scope { region: "us-west-2".parse().unwrap(), ..scope() };
    world.cloud.console(&west).create_secret(NAME, "theirs", &BTreeMap::new()).unwrap();
    let replicas = Some(BTreeMap::from([(west.region.clone(), None)]));
    let wanted = || vec![SecretSpec { replicas: replicas.clone(), ..spec(generated(&["password"])) }];
    world.run(wanted(), HOUR * 3, FOREVER);
    assert_eq!(world.mutations(), ["CreateSecret", "ReplicateSecretToRegions"]);
    let environment = environment(wanted(), Prune::Always);
    let entry = world.plan(|store| stage::wanted(store, environment)).entries.remove(&key()).unwrap();
    let [refusal] = entry.refused.as_slice() else { panic!("{entry:?}") };
    assert!(!entry.ready && refusal.reason.contains("the replica in us-west-2 failed"), "{entry:?}");
}

#[test]
fn what_is_not_ours_is_touched_only_when_it_is_to_be_adopted() {
    let mut world = World::new();
    world.console().create_secret(NAME, r#"{"password":"theirs-and-kept"}"#, &BTreeMap::new()).unwrap();
    world.run(vec![spec(generated(&["password"]))], HOUR, FOREVER);
    assert_eq!(world.mutations(), Vec::<&str>::new());
    let adopted = SecretSpec { adopt: true, ..spec(generated(&["password", "token"])) };
    world.run(vec![adopted], HOUR, FOREVER);
    assert_eq!(world.mutations(), ["TagResource", "UpdateSecret", "PutSecretValue"]);
    assert!(world.value(AWSCURRENT).unwrap().contains("theirs-and-kept"));
}

#[test]
fn a_secret_in_its_recovery_window_is_restored_and_not_made_again() {
    let mut world = World::new();
    let desired = || vec![spec(generated(&["password"]))];
    world.run(desired(), HOUR, FOREVER);
    let before = world.truth();
    world.console().delete_secret(NAME, 7).unwrap();
    world.run(desired(), HOUR, FOREVER);
    assert_eq!((world.truth(), world.console().secret(NAME).unwrap().deleted), (before, None));
    assert_eq!(world.mutations(), ["CreateSecret", "RestoreSecret"]);
}

fn other() -> SecretSpec {
    let key = "dev/secret/other".parse().unwrap();
    SecretSpec { key, name: "dev/other".to_owned(), ..spec(generated(&["x"])) }
}

#[test]
fn a_secret_whose_manifest_is_gone_stays_unless_its_manifest_said_otherwise() {
    let mut world = World::new();
    world.run(vec![spec(generated(&["password"])), other()], HOUR, FOREVER);
    world.run(vec![other()], HOUR, FOREVER);
    assert_eq!(world.console().secret(NAME).unwrap().deleted, None);
    let mut delete = spec(generated(&["password"]));
    delete.deletion_policy = DeletionPolicy::Delete;
    delete.replicas = Some(BTreeMap::from([("us-east-1".parse().unwrap(), None)]));
    world.run(vec![delete, other()], HOUR, FOREVER);
    assert_eq!(world.console().secret(NAME).unwrap().replicas.unwrap().len(), 1);
    // Its value was read lately: that asks for a person.
    let state = world.console().secret(NAME).unwrap();
    let port = world.cloud.secrets(&scope(), None);
    world.clock.drive(port.value(&state.arn, state.current().unwrap())).unwrap().unwrap();
    world.run(vec![other()], HOUR, FOREVER);
    assert_eq!(world.console().secret(NAME).unwrap().deleted, None);
    world.run(vec![other()], HOUR * 24 * 9, FOREVER);
    let state = world.console().secret(NAME).unwrap();
    assert!(state.deleted.is_some() && state.replicas.unwrap().is_empty());
    let deletions =
        world.mutations().into_iter().filter(|operation| operation.contains("Dele") || operation.contains("Remove"));
    assert_eq!(deletions.collect::<Vec<_>>(), ["RemoveRegionsFromReplication", "DeleteSecret"]);
}

#[test]
fn what_a_rotation_function_makes_is_no_drift() {
    let mut world = World::new();
    let desired = || vec![spec(generated(&["password"]))];
    world.run(desired(), HOUR, FOREVER);
    world.console().rotate_by_function(NAME, r#"{"password":"made by the function"}"#).unwrap();
    let (before, reads) = (world.truth(), world.reads_of_values());
    world.run(desired(), HOUR, FOREVER);
    assert_eq!((world.truth(), world.reads_of_values()), (before, reads));
    // With a value from Git there would be two writers: nothing is written.
    world.run(vec![spec(sealed("{}"))], HOUR, FOREVER);
    assert_eq!(world.mutations(), ["CreateSecret"]);
}

#[test]
fn a_rotation_makes_one_new_version_and_keeps_the_one_before() {
    let mut world = World::new();
    let desired = || vec![rotating(&["password"], HOUR * 10)];
    let blames = world.watch(&["password"]);
    world.run(desired(), HOUR, FOREVER);
    let first = world.value(AWSCURRENT).unwrap();
    world.run(desired(), HOUR * 10, FOREVER);
    assert_ne!(world.value(AWSCURRENT).unwrap(), first);
    assert_eq!(world.value(AWSPREVIOUS), Some(first));
    assert_eq!(world.value(AWSPENDING), None);
    assert_eq!(
        world.mutations(),
        ["CreateSecret", "PutSecretValue", "UpdateSecretVersionStage", "UpdateSecretVersionStage"]
    );
    assert_eq!(*blames.lock().unwrap(), Vec::<String>::new());
    let restarts = world.remembered().restarts;
    assert_eq!(restarts.values().map(BTreeSet::len).collect::<Vec<_>>(), [1], "{restarts:?}");
}

#[test]
fn a_person_who_goes_back_after_a_rotation_is_not_overruled() {
    let mut world = World::new();
    let desired = || vec![rotating(&["password"], HOUR * 10)];
    world.run(desired(), HOUR * 11, FOREVER);
    let state = world.console().secret(NAME).unwrap();
    let (new, old) = (state.version(AWSCURRENT).unwrap().clone(), state.version(AWSPREVIOUS).unwrap().clone());
    world.console().make_current(NAME, &new, &old).unwrap();
    world.run(desired(), HOUR * 5, FOREVER);
    assert_eq!(world.console().secret(NAME).unwrap().version(AWSCURRENT), Some(&old));
}

/// Each moment at which a daemon can die while it does this, and forgets or does not.
fn dies_everywhere(prepare: Duration, rest: Duration, desired: impl Fn() -> Vec<SecretSpec>, versions: usize) {
    dies_everywhere_in(&|_| {}, prepare, rest, desired, versions);
}

/// The same, in a world that is set up first.
fn dies_everywhere_in(
    set_up: &dyn Fn(&mut World),
    prepare: Duration,
    rest: Duration,
    desired: impl Fn() -> Vec<SecretSpec>,
    versions: usize,
) {
    let mut waits = 0;
    let mut points = 0;
    loop {
        for forgets in [false, true] {
            let mut world = World::new();
            set_up(&mut world);
            let blames = world.watch(&["password", "token"]);
            if !prepare.is_zero() {
                world.run(desired(), prepare, FOREVER);
            }
            let polls = world.run(desired(), rest, waits);
            if forgets {
                world.disk = Disk::new();
            }
            world.run(desired(), rest, FOREVER);
            assert_eq!(*blames.lock().unwrap(), Vec::<String>::new(), "dead after {waits}, forgets: {forgets}");
            let truth = world.truth();
            assert_eq!(truth.len(), versions, "dead after {waits}, forgets: {forgets}: {:?}", world.mutations());
            assert_eq!(world.value(AWSPENDING), None, "dead after {waits}, forgets: {forgets}");
            points += 1;
            if polls <= waits && forgets {
                println!("{points} crash points");
                assert!(points > 20, "{points}");
                return;
            }
        }
        waits += 1;
    }
}

#[test]
fn a_daemon_that_dies_while_it_makes_a_secret_makes_it_once() {
    dies_everywhere(Duration::ZERO, Duration::from_mins(10), || vec![spec(generated(&["password", "token"]))], 1);
}

#[test]
fn a_daemon_that_dies_while_it_rotates_takes_it_up_again() {
    let desired = || vec![rotating(&["password", "token"], HOUR * 2)];
    dies_everywhere(HOUR * 2 - Duration::from_mins(6), Duration::from_mins(30), desired, 2);
}

#[test]
fn a_call_whose_answer_is_lost_makes_nothing_twice() {
    let desired = || vec![rotating(&["password", "token"], HOUR * 2)];
    let calm = {
        let mut world = World::new();
        world.run(desired(), HOUR * 3, FOREVER);
        world.cloud.audit()
    };
    for call in calm.iter().filter(|call| call.mutating) {
        for fault in [Fault::ErrorBefore, Fault::ErrorAfter, Fault::TimeoutAfter, Fault::HangAfter, Fault::Hang] {
            let mut world = World::new();
            let blames = world.watch(&["password", "token"]);
            let calls = BTreeMap::from([(call.index, fault.clone())]);
            world.cloud.set_faults(FaultPlan { calls, ..FaultPlan::default() });
            world.run(desired(), HOUR * 3, FOREVER);
            assert_eq!(*blames.lock().unwrap(), Vec::<String>::new(), "{fault:?} at {}", call.operation);
            assert_eq!(world.truth().len(), 2, "{fault:?} at {}: {:?}", call.operation, world.mutations());
            assert_eq!(world.value(AWSPENDING), None, "{fault:?} at {}", call.operation);
        }
    }
}

#[test]
fn without_an_identity_nothing_is_written_and_the_error_names_the_file() {
    let error = Identities::default().open("x").unwrap_err();
    assert_eq!(error, SealError::NoIdentity);
}

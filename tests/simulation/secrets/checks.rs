//! Rotations whose consumers are asked first: at every moment the current value is one that works (S13).

use async_trait::async_trait;
use landfast::context::Context;
use landfast::model::{ConsumerCheck, HttpProbe, HttpRequest, Reach, Tls, VersionId};
use landfast::ports::{HttpAnswer, NoHttpAnswer};
use landfast::sim::{SimCloud, Site};

use super::*;

const MINUTE: Duration = Duration::from_mins(1);
const HOST: &str = "app.example";

fn checked(every: Duration, url: &str) -> SecretSpec {
    let probe = HttpProbe {
        url: Text::literal(url),
        expect: 200,
        body: None,
        tls: Tls::Verify,
        timeout: Duration::from_secs(2),
    };
    let check = Some(ConsumerCheck { probe, within: MINUTE * 5 });
    let restart = BTreeSet::from(["dev/service/api".parse().unwrap()]);
    SecretSpec { rotation: Some(RotationSpec { every, restart, check }), ..spec(generated(&["password", "token"])) }
}

fn desired() -> Vec<SecretSpec> {
    vec![checked(HOUR * 2, "http://app.example/try")]
}

fn answers(world: &World, status: u16) {
    world.console().set_site(HOST, Some(Site::Answers { status, body: String::new() }));
}

/// A consumer that tries the version it is asked about: it gets along with one that is pending, and with nothing else.
struct Consumer {
    cloud: SimCloud,
    asked: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Probes for Consumer {
    async fn get(&self, request: &HttpRequest, _: &Reach) -> Result<HttpAnswer, NoHttpAnswer> {
        self.asked.lock().unwrap().push(request.url.clone());
        let version: VersionId = request.url.rsplit('=').next().unwrap().parse().unwrap();
        let truth = self.cloud.console(&scope()).secret_truth(NAME).unwrap();
        let pending = truth.get(&version).is_some_and(|(_, labels)| labels.contains(AWSPENDING));
        Ok(HttpAnswer { status: if pending { 200 } else { 500 }, body: Vec::new() })
    }
}

#[test]
fn a_version_becomes_current_only_when_its_consumers_get_along_with_it() {
    let mut world = World::new();
    let blames = world.watch(&["password", "token"]);
    answers(&world, 503);
    world.run(desired(), HOUR * 2 - MINUTE, FOREVER);
    let first = world.value(AWSCURRENT);
    let reads = world.reads_of_values();
    // It is looked at every five minutes.
    world.run(desired(), MINUTE * 8, FOREVER);
    assert_eq!(world.value(AWSCURRENT), first);
    assert!(world.value(AWSPENDING).is_some());
    // It is asked every few seconds, and for that no value is read: one read is that of the version's making.
    assert_eq!(world.reads_of_values(), reads + 1);
    answers(&world, 200);
    world.run(desired(), MINUTE, FOREVER);
    assert_eq!((world.value(AWSPREVIOUS), world.value(AWSPENDING)), (first, None));
    assert_eq!(*blames.lock().unwrap(), Vec::<String>::new());
}

#[test]
fn the_check_may_name_the_pending_version() {
    let mut world = World::new();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    world.probes = Arc::new(Consumer { cloud: world.cloud.clone(), asked: Arc::clone(&asked) });
    let desired = || vec![checked(HOUR * 2, "http://app.example/try?version={version}")];
    world.run(desired(), HOUR * 3, FOREVER);
    let current = world.console().secret(NAME).unwrap().current().unwrap().clone();
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked, [format!("http://app.example/try?version={current}")]);
    assert_eq!(world.truth().len(), 2);
}

#[test]
fn a_check_that_fails_ends_the_rotation_and_it_is_tried_again_later_and_later() {
    let mut world = World::new();
    answers(&world, 500);
    world.run(desired(), HOUR, FOREVER);
    let first = world.value(AWSCURRENT);
    // Due at two hours. Five minutes of asking; then pauses of 10, 20, 40, 80 minutes.
    world.run(desired(), HOUR * 2, FOREVER);
    let failed = world.remembered().rotation_failed.unwrap();
    assert_eq!(failed.count, 3, "{failed:?}");
    assert!(failed.failure.reason.contains("answered 500"), "{failed:?}");
    assert_eq!((world.value(AWSCURRENT), world.value(AWSPENDING)), (first.clone(), None));
    world.run(desired(), HOUR * 24 * 10, FOREVER);
    let tries = world.mutations().into_iter().filter(|call| *call == "PutSecretValue").count();
    assert!((8..=20).contains(&tries), "{tries}");
    assert_eq!((world.value(AWSCURRENT), world.value(AWSPREVIOUS)), (first.clone(), None));
    // The consumer is mended, and a person does not want to wait for a day.
    answers(&world, 200);
    let store = world.store();
    let now = world.cx.now();
    store.update(&key(), |memory: &mut SecretMemory| memory.rotation_asked = Some(now)).unwrap();
    drop(store);
    world.run(desired(), HOUR, FOREVER);
    assert_eq!(world.value(AWSPREVIOUS), first);
    let remembered = world.remembered();
    assert_eq!((remembered.rotation_failed, remembered.rotation_asked), (None, None));
}

#[test]
fn what_cannot_be_asked_neither_fails_nor_becomes_current() {
    let mut world = World::new();
    world.console().set_site(HOST, Some(Site::OutOfReach));
    world.run(desired(), HOUR * 6, FOREVER);
    assert!(world.value(AWSPENDING).is_some());
    assert_eq!((world.value(AWSPREVIOUS), world.remembered().rotation_failed), (None, None));
    answers(&world, 200);
    world.run(desired(), HOUR, FOREVER);
    assert_eq!((world.value(AWSPENDING), world.truth().len()), (None, 2));
}

/// A consumer that is not ready for the new version at once.
struct Slow {
    cx: Context,
    first: Mutex<Option<jiff::Timestamp>>,
}

#[async_trait]
impl Probes for Slow {
    async fn get(&self, _: &HttpRequest, _: &Reach) -> Result<HttpAnswer, NoHttpAnswer> {
        let now = self.cx.now();
        let first = *self.first.lock().unwrap().get_or_insert(now);
        let ready = now.duration_since(first) > jiff::SignedDuration::from_secs(20);
        Ok(HttpAnswer { status: if ready { 200 } else { 503 }, body: Vec::new() })
    }
}

#[test]
fn a_daemon_that_dies_during_the_check_takes_the_rotation_up_again() {
    let slow = |world: &mut World| {
        world.probes = Arc::new(Slow { cx: world.cx.clone(), first: Mutex::default() });
    };
    dies_everywhere_in(&slow, HOUR * 2 - MINUTE * 6, MINUTE * 30, desired, 2);
}

#[test]
fn a_failed_rotation_is_counted_once_wherever_the_daemon_dies() {
    let mut waits = 0;
    loop {
        let mut world = World::new();
        let blames = world.watch(&["password", "token"]);
        answers(&world, 500);
        world.run(desired(), HOUR * 2 - MINUTE, FOREVER);
        world.run(desired(), MINUTE * 8, FOREVER);
        let polls = world.run(desired(), MINUTE * 4, waits);
        world.run(desired(), MINUTE * 6, FOREVER);
        let failed = world.remembered().rotation_failed.unwrap();
        assert_eq!((failed.count, world.value(AWSPENDING)), (1, None), "dead after {waits}");
        assert_eq!((world.truth().len(), blames.lock().unwrap().len()), (2, 0), "dead after {waits}");
        if polls <= waits {
            assert!(waits > 10, "{waits}");
            return;
        }
        waits += 1;
    }
}

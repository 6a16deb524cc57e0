//! What people ask of a daemon that has the journal: taken once, whatever happens in between.

use landfast::controller::answer;
use landfast::model::{Declined, ImageDigest, Quarantined, Request, ServiceMemory, Wish};
use landfast::store::{Note, Record, RecordOutcome};

use super::*;

const MINUTE: Duration = Duration::from_mins(1);

fn asked(world: &World, id: &str) -> Request {
    Request { id: id.to_owned(), key: key(), wish: Wish::Rotate, by: "ada".to_owned(), at: world.cx.now() }
}

/// A world with an inbox, and a secret that is older than the ten minutes between two of its versions.
fn world() -> (World, tempfile::TempDir, Inbox) {
    let state = tempfile::tempdir().unwrap();
    let inbox = Inbox::of(state.path());
    let mut world = World::new();
    world.run(desired(), HOUR, FOREVER);
    world.inbox = Some(inbox.clone());
    (world, state, inbox)
}

fn desired() -> Vec<SecretSpec> {
    vec![spec(generated(&["password", "token"]))]
}

fn lines(world: &World) -> Vec<Record> {
    let store = world.store();
    let mut lines = store.history(Some(&key()), 1_000).unwrap();
    lines.retain(|line| line.step == "rotate");
    lines
}

fn waiting(world: &World) -> usize {
    let inbox = world.inbox.as_ref().unwrap();
    inbox.requests(&"dev".parse().unwrap(), world.cx.now()).len()
}

#[test]
fn a_note_is_taken_by_a_daemon_that_has_nothing_else_to_do() {
    let (mut world, _state, inbox) = world();
    let first = world.value(AWSCURRENT).unwrap();
    inbox.leave(&Note::Request(asked(&world, "one"))).unwrap();
    world.run(desired(), MINUTE, FOREVER);
    assert_eq!(waiting(&world), 0);
    assert_ne!(world.value(AWSCURRENT).unwrap(), first);
    let lines = lines(&world);
    assert_eq!(lines.len(), 1);
    assert_eq!((lines[0].outcome.clone(), lines[0].token.as_deref()), (RecordOutcome::Done, Some("one")));
}

#[test]
fn a_note_that_was_taken_before_a_crash_is_not_taken_again() {
    let (mut world, _state, inbox) = world();
    let request = asked(&world, "one");
    inbox.leave(&Note::Request(request.clone())).unwrap();
    world.run(desired(), HOUR, FOREVER);
    assert_eq!(world.truth().len(), 2);
    // As if the process had died between the journal and the note.
    inbox.leave(&Note::Request(request)).unwrap();
    world.run(desired(), HOUR, FOREVER);
    assert_eq!((world.truth().len(), lines(&world).len(), waiting(&world)), (2, 1, 0));
    // Asked once more it is another request.
    inbox.leave(&Note::Request(asked(&world, "two"))).unwrap();
    world.run(desired(), HOUR, FOREVER);
    assert_eq!((world.truth().len(), lines(&world).len(), waiting(&world)), (3, 2, 0));
}

#[test]
fn wherever_the_daemon_dies_a_request_is_granted_once() {
    let mut waits = 0;
    loop {
        let (mut world, _state, inbox) = world();
        inbox.leave(&Note::Request(asked(&world, "one"))).unwrap();
        let polls = world.run(desired(), MINUTE, waits);
        world.run(desired(), HOUR, FOREVER);
        assert_eq!((world.truth().len(), lines(&world).len(), waiting(&world)), (2, 1, 0), "dead after {waits}");
        assert_eq!(world.value(AWSPENDING), None, "dead after {waits}");
        if polls <= waits {
            println!("{waits} crash points");
            assert!(waits > 10, "{waits}");
            return;
        }
        waits += 1;
    }
}

#[test]
fn what_cannot_be_granted_is_declined_and_the_journal_says_why() {
    let (mut world, _state, inbox) = world();
    let old = Request { at: "2025-12-30T20:00:00Z".parse().unwrap(), ..asked(&world, "old") };
    let wrong = Request { wish: Wish::Rollback { to: None }, ..asked(&world, "wrong") };
    for request in [&old, &wrong] {
        inbox.leave(&Note::Request(request.clone())).unwrap();
    }
    world.run(desired(), MINUTE, FOREVER);
    assert_eq!((world.truth().len(), waiting(&world)), (1, 0));
    let store = world.store();
    let lines = store.history(Some(&key()), 1_000).unwrap();
    for id in ["old", "wrong"] {
        let line = lines.iter().find(|line| line.token.as_deref() == Some(id)).unwrap();
        assert!(matches!(line.outcome, RecordOutcome::Failed { .. }), "{line:?}");
    }
    // A command that has the journal itself is told so at once.
    let environment = environment(desired(), Prune::Always);
    let declined = answer(&store, &environment, &wrong, world.cx.now()).unwrap();
    assert_eq!(declined, Err(Declined::Kind("secret")));
}

#[test]
fn what_is_asked_of_a_service_is_taken_from_the_same_box() {
    let (mut world, good) = super::restarts::world();
    world.run(Vec::new(), HOUR, FOREVER);
    let bad: ImageDigest = format!("sha256:{:064x}", 7).parse().unwrap();
    {
        let store = world.store();
        let quarantined =
            Quarantined { tag: Some("2.0.0".to_owned()), why: "it crashed".to_owned(), at: world.cx.now() };
        let insert = |memory: &mut ServiceMemory| _ = memory.quarantine.insert(bad, quarantined);
        store.update(&super::restarts::api(), insert).unwrap();
    }
    let state = tempfile::tempdir().unwrap();
    let inbox = Inbox::of(state.path());
    world.inbox = Some(inbox.clone());
    let asked = |id: &str, wish| Request { key: super::restarts::api(), wish, ..asked(&world, id) };
    let release = asked("release", Wish::Release { image: "2.0.0".to_owned() });
    let back = asked("back", Wish::Rollback { to: Some(good.short().to_owned()) });
    let nothing = asked("nothing", Wish::Release { image: "3.0.0".to_owned() });
    for request in [release, back, nothing] {
        inbox.leave(&Note::Request(request)).unwrap();
    }
    world.run(Vec::new(), MINUTE, FOREVER);
    let memory = world.service_memory();
    assert!(memory.quarantine.is_empty() && memory.pin.is_some_and(|pin| pin.by.contains("claims to be \"ada\"")));
    assert_eq!(waiting(&world), 0);
    let store = world.store();
    let lines = store.history(Some(&super::restarts::api()), 1_000).unwrap();
    let line = |id: &str| lines.iter().find(|line| line.token.as_deref() == Some(id)).unwrap().outcome.clone();
    assert_eq!((line("release"), line("back")), (RecordOutcome::Done, RecordOutcome::Done));
    assert!(matches!(line("nothing"), RecordOutcome::Failed { message, .. } if message.contains("no such image")));
}

//! What the store promises, crashes and damaged files included.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::*;
use crate::context::Virtual;
use crate::model::{Attempts, Failure, ObjectMemory, StackMemory, StackVersion, TemplateFacts};
use crate::store::RecordOutcome;

fn clock() -> Virtual {
    Virtual::starting_at("2026-01-01T00:00:00Z".parse().unwrap())
}

fn cx() -> Context {
    Context::simulated(&clock(), 1)
}

fn key(name: &str) -> Key {
    format!("dev/stack/{name}").parse().unwrap()
}

fn dev() -> EnvName {
    "dev".parse().unwrap()
}

fn record(name: &str, step: &str) -> Record {
    Record::new(key(name), 1, step, RecordOutcome::Begun)
}

fn spent(at: Timestamp) -> Spent {
    Spent { at, key: key("network"), stacks: 1, replacements: 0, deletions: 0 }
}

fn memory_of(store: &Store, name: &str) -> Option<Arc<ObjectMemory>> {
    store.memory(&dev()).unwrap().objects.common.get(&key(name)).cloned()
}

/// Opens a store again and again, over crashes: on a disk in memory, and on a file.
fn on_both(check: impl Fn(&dyn Fn() -> Store)) {
    let disk = Disk::new();
    check(&|| Store::on(&disk, &cx()).unwrap());
    let directory = tempfile::tempdir().unwrap();
    check(&|| Store::open(&directory.path().join("deep/state"), &cx()).unwrap());
}

#[test]
fn what_was_committed_survives_a_crash_and_what_was_cached_does_not() {
    on_both(|open| {
        let store = open();
        let fingerprint = store.memory(&dev()).unwrap().fingerprint_key.fingerprint("value");
        store.update(&key("network"), |memory: &mut ObjectMemory| memory.applied = Some(7)).unwrap();
        let begun = record("iam", "create").with_token("token").with_detail("detail");
        store.update_with(&key("iam"), begun, Some(spent(cx().now())), |_: &mut StackMemory| Applied(Some(8))).unwrap();
        store.cache(&key("alb"), |memory: &mut ObjectMemory| memory.applied = Some(9));
        assert_eq!(memory_of(&store, "alb").unwrap().applied, Some(9));
        drop(store);

        let store = open();
        let memory = store.memory(&dev()).unwrap();
        assert_eq!(memory.fingerprint_key.fingerprint("value"), fingerprint);
        assert_eq!(memory.objects.common[&key("network")].applied, Some(7));
        assert_eq!(memory.objects.common[&key("iam")].applied, Some(8));
        assert_eq!(memory.spent, [spent(cx().now())]);
        assert_eq!(memory.objects.common.get(&key("alb")), None);
        let history = store.history(None, 10).unwrap();
        assert_eq!(history.len(), 1);
        assert_eq!((history[0].sequence, history[0].epoch, history[0].at), (1, 1, cx().now()));
        assert_eq!(history[0].token.as_deref(), Some("token"));
    });
}

#[test]
fn a_process_that_is_killed_leaves_a_good_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let store = Store::open(&path, &cx()).unwrap();
    for round in 0..20_u64 {
        store.update(&key("a"), |memory: &mut ObjectMemory| memory.applied = Some(round)).unwrap();
        // What is on the disk now is what a kill at this moment would leave.
        let left = open_bytes(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(memory_of(&left, "a").unwrap().applied, Some(round));
        assert_eq!(left.epoch(), 2);
    }
}

#[test]
fn caches_are_written_by_a_flush_and_with_the_next_durable_change() {
    on_both(|open| {
        let store = open();
        store.cache(&key("a"), |memory: &mut ObjectMemory| memory.applied = Some(1));
        store.flush().unwrap();
        store.flush().unwrap();
        store.cache(&key("b"), |memory: &mut ObjectMemory| memory.applied = Some(2));
        store.cache(&key("c"), |memory: &mut ObjectMemory| memory.applied = Some(3));
        store.update(&key("c"), |memory: &mut StackMemory| memory.healthy = None).unwrap();
        store.update(&key("d"), |memory: &mut ObjectMemory| memory.applied = Some(4)).unwrap();
        drop(store);
        let store = open();
        for (name, applied) in [("a", 1), ("b", 2), ("c", 3), ("d", 4)] {
            assert_eq!(memory_of(&store, name).unwrap().applied, Some(applied), "{name}");
        }
    });
}

#[test]
fn a_store_of_the_layout_before_keeps_what_was_applied() {
    let disk = Disk::new();
    let rows = disk.take().unwrap();
    let mut batch = state::initial(&cx(), None).unwrap();
    batch.push(Write::put(Table::Meta, "schema", &"landfast 1").unwrap());
    let stack = serde_json::json!({ "applied": 7, "synced": null, "healthy": null });
    let secret = serde_json::json!({ "revision": 8, "applied": null });
    batch.push(Write::put(Table::Objects, "dev/stack/a", &stack).unwrap());
    batch.push(Write::put(Table::Objects, "dev/secret/b", &secret).unwrap());
    rows.commit(&mut batch.into_iter().map(Ok)).unwrap();
    drop(rows);
    for _ in 0..2 {
        let store = Store::on(&disk, &cx()).unwrap();
        let common = store.memory(&dev()).unwrap().objects.common.clone();
        let applied = |key: &str| common[&key.parse::<Key>().unwrap()].applied;
        assert_eq!((applied("dev/stack/a"), applied("dev/secret/b")), (Some(7), Some(8)));
    }
}

#[test]
fn what_is_remembered_of_every_object_goes_with_what_is_remembered_of_its_kind() {
    on_both(|open| {
        let store = open();
        let healthy = "arn:aws:cloudformation:us-east-1:111122223333:stack/a/1".parse().ok();
        store
            .update_with(&key("a"), record("a", "create"), None, |memory: &mut StackMemory| {
                memory.healthy = healthy;
                Applied(Some(1))
            })
            .unwrap();
        assert_eq!(memory_of(&store, "a").unwrap().applied, Some(1));
        store
            .update_with(&key("a"), record("a", "delete"), None, |memory: &mut StackMemory| {
                *memory = StackMemory::default();
            })
            .unwrap();
        assert_eq!(memory_of(&store, "a"), None);
        drop(store);
        assert_eq!(memory_of(&open(), "a"), None);
    });
}

#[test]
fn a_memory_that_is_empty_again_leaves_no_trace() {
    on_both(|open| {
        let store = open();
        store.update(&key("a"), |memory: &mut ObjectMemory| memory.applied = Some(1)).unwrap();
        store.update(&key("a"), |memory: &mut ObjectMemory| *memory = ObjectMemory::default()).unwrap();
        assert_eq!(memory_of(&store, "a"), None);
        drop(store);
        assert_eq!(memory_of(&open(), "a"), None);
    });
}

#[test]
fn epochs_grow_with_every_opening() {
    on_both(|open| {
        assert_eq!(open().epoch(), 1);
        assert_eq!(open().epoch(), 2);
        assert_eq!(open().epoch(), 3);
    });
}

#[test]
fn a_revision_counts_up_when_its_content_changes_and_only_then() {
    on_both(|open| {
        let (one, two) = (Digest::of("one"), Digest::of("two"));
        let store = open();
        assert_eq!(store.revise(&one, None).unwrap().sequence, 1);
        let again = store.revise(&one, Some("abc")).unwrap();
        assert_eq!((again.sequence, again.commit.as_deref()), (1, Some("abc")));
        assert_eq!(store.revise(&two, None).unwrap().sequence, 2);
        drop(store);
        let store = open();
        assert_eq!(store.revise(&two, None).unwrap().sequence, 2);
        assert_eq!(store.revise(&one, None).unwrap().sequence, 3, "going back is a new revision");
        assert_eq!(store.revision().map(|revision| revision.sequence), Some(3));
    });
}

#[test]
fn what_is_accepted_is_kept_by_environment_and_looking_accepts_nothing() {
    on_both(|open| {
        let store = open();
        let revision = store.revise(&Digest::of("one"), Some("abc")).unwrap();
        assert!(store.accepted().is_empty());
        store.accept([(dev(), revision.clone())].into()).unwrap();
        store.revise(&Digest::of("two"), Some("def")).unwrap();
        drop(store);
        assert_eq!(open().accepted(), [(dev(), revision)].into());
    });
}

#[test]
fn consent_is_kept_by_environment_and_can_be_withdrawn() {
    on_both(|open| {
        let consent = Consent {
            plan: Digest::of("plan"),
            by: "someone".to_owned(),
            at: cx().now(),
            exclusive: false,
            until: None,
            reviews: [].into(),
            grants: [].into(),
        };
        let store = open();
        store.consent(&dev(), Some(consent.clone())).unwrap();
        drop(store);
        let store = open();
        assert_eq!(store.memory(&dev()).unwrap().consent, Some(consent));
        assert_eq!(store.memory(&"prod".parse().unwrap()).unwrap().consent, None);
        store.consent(&dev(), None).unwrap();
        drop(store);
        assert_eq!(open().memory(&dev()).unwrap().consent, None);
    });
}

#[test]
fn history_is_newest_first_of_one_object_or_of_all() {
    let store = Store::in_memory(&cx()).unwrap();
    for (name, step) in [("a", "create"), ("b", "create"), ("a", "update"), ("a", "delete")] {
        store.update_with(&key(name), record(name, step), None, |_: &mut StackMemory| {}).unwrap();
    }
    let steps = |key: Option<&Key>, limit| -> Vec<String> {
        store.history(key, limit).unwrap().into_iter().map(|record| record.step).collect()
    };
    assert_eq!(steps(Some(&key("a")), 10), ["delete", "update", "create"]);
    assert_eq!(steps(None, 2), ["delete", "update"]);
    assert_eq!(steps(None, 0), Vec::<String>::new());
}

#[test]
fn the_journal_is_bounded_by_number_and_by_age() {
    let clock = clock();
    let cx = Context::simulated(&clock, 1);
    let disk = Disk::new();
    let store = Store::on(&disk, &cx).unwrap();
    for _ in 0..RECORDS_KEPT + 3 * PRUNE_EVERY {
        store.update_with(&key("a"), record("a", "update"), None, |_: &mut StackMemory| {}).unwrap();
    }
    assert!(store.history(None, usize::MAX).unwrap().len() as u64 <= RECORDS_KEPT + PRUNE_EVERY);
    store.prune_history().unwrap();
    let kept = store.history(None, usize::MAX).unwrap();
    assert_eq!(kept.len() as u64, RECORDS_KEPT);
    clock.step_clock(91 * 24 * 3600);
    store.update_with(&key("a"), record("a", "new"), None, |_: &mut StackMemory| {}).unwrap();
    drop(store);
    let store = Store::on(&disk, &cx).unwrap();
    let kept = store.history(None, usize::MAX).unwrap();
    assert_eq!(kept.iter().map(|record| record.step.as_str()).collect::<Vec<_>>(), ["new"]);
    assert_eq!(kept[0].sequence, RECORDS_KEPT + 3 * PRUNE_EVERY + 1, "sequences are never used again");
}

#[test]
fn what_was_spent_long_ago_is_dropped() {
    let clock = clock();
    let cx = Context::simulated(&clock, 1);
    let disk = Disk::new();
    let store = Store::on(&disk, &cx).unwrap();
    store.spend(spent(cx.now())).unwrap();
    clock.step_clock(31 * 24 * 3600);
    store.spend(spent(cx.now())).unwrap();
    assert_eq!(store.memory(&dev()).unwrap().spent.len(), 1);
    drop(store);
    clock.step_clock(31 * 24 * 3600);
    assert_eq!(Store::on(&disk, &cx).unwrap().memory(&dev()).unwrap().spent.len(), 0);
}

#[test]
fn a_store_that_is_open_is_refused_a_second_time() {
    let disk = Disk::new();
    let store = Store::on(&disk, &cx()).unwrap();
    assert!(matches!(Store::on(&disk, &cx()), Err(StoreError::Locked { .. })));
    drop(store);
    Store::on(&disk, &cx()).unwrap();

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let store = Store::open(&path, &cx()).unwrap();
    let clone = store.clone();
    drop(store);
    let error = Store::open(&path, &cx()).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("--state"), "{error}");
    drop(clone);
    Store::open(&path, &cx()).unwrap();
}

/// The other half of the test below, run by it in a process of its own.
#[test]
#[ignore = "run by `another_process_is_refused_while_the_store_is_open`"]
fn child_opens_the_store() {
    let Ok(path) = std::env::var("LANDFAST_TEST_STATE") else { return };
    match Store::open(Path::new(&path), &cx()) {
        Ok(_) => println!("child: opened"),
        Err(StoreError::Locked { .. }) => println!("child: locked"),
        Err(error) => println!("child: {error}"),
    }
}

#[test]
fn another_process_is_refused_while_the_store_is_open() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let child = || {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "store::handle::tests::child_opens_the_store"])
            .env("LANDFAST_TEST_STATE", &path)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let store = Store::open(&path, &cx()).unwrap();
    assert!(child().contains("child: locked"));
    drop(store);
    assert!(child().contains("child: opened"));
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    drop(Store::open(&path, &cx()).unwrap());
    assert_eq!(mode(), 0o600);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    drop(Store::open(&path, &cx()).unwrap());
    assert_eq!(mode(), 0o600);
}

/// Opens a file of these bytes and checks that, if it is refused, it is left as it was.
fn open_bytes(bytes: &[u8]) -> Result<Store, StoreError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    std::fs::write(&path, bytes).unwrap();
    let opened = Store::open(&path, &cx());
    if opened.is_err() {
        assert!(std::fs::read(&path).unwrap() == bytes, "a refused file was written to");
    }
    opened
}

/// A closed store with something in it.
fn good_bytes() -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let store = Store::open(&path, &cx()).unwrap();
    for index in 0..50_u32 {
        let attempts = Attempts {
            inputs: Digest::of("inputs"),
            count: index,
            last: cx().now(),
            failure: Failure {
                resource: "a".repeat(200),
                kind: String::new(),
                reason: String::new(),
                transient: false,
            },
        };
        store
            .update(&key(&format!("s{index}")), |memory: &mut StackMemory| memory.attempts = Some(Box::new(attempts)))
            .unwrap();
    }
    drop(store);
    std::fs::read(&path).unwrap()
}

#[test]
fn a_file_of_something_else_is_refused_and_left_alone() {
    for bytes in [&b"#!/bin/sh\necho a script of twenty lines\n"[..], b"x", &vec![0; 100_000]] {
        assert!(matches!(open_bytes(bytes), Err(StoreError::Foreign { .. })));
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("other");
    let database = redb::Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let table = redb::TableDefinition::<&str, u64>::new("meta");
    transaction.open_table(table).unwrap().insert("theirs", 1).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let refused = open_bytes(&std::fs::read(&path).unwrap());
    assert!(refused.is_err());
}

#[test]
fn a_damaged_file_is_refused_and_left_alone_wherever_the_damage_is() {
    let good = good_bytes();
    assert!(open_bytes(&good).is_ok());
    for length in [good.len() / 4, good.len() / 2, good.len() - 1, 20, 4096] {
        let refused = open_bytes(&good[..length]).unwrap_err();
        assert!(matches!(refused, StoreError::Damaged { .. }), "{length}: {refused}");
        assert!(refused.to_string().contains("backup"), "{refused}");
    }
    // A damage that nothing refers to does no harm; any other is found. None makes the database panic.
    for at in (0..good.len()).step_by(good.len() / 61) {
        let mut bytes = good.clone();
        bytes[at..].iter_mut().take(64).for_each(|byte| *byte ^= 0x5a);
        let _ = open_bytes(&bytes);
    }
}

#[test]
fn a_file_of_a_newer_version_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    drop(Store::open(&path, &cx()).unwrap());
    let rows = Locked::take(&path).unwrap().open().unwrap();
    rows.commit(&mut [Write::put(Table::Meta, "schema", &"landfast 9")].into_iter()).unwrap();
    drop(rows);
    let error = open_bytes(&std::fs::read(&path).unwrap()).unwrap_err();
    assert!(error.to_string().contains("newer Landfast (layout `landfast 9`)"), "{error}");
}

#[test]
fn a_creation_that_was_interrupted_is_begun_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    std::fs::write(&path, b"").unwrap();
    std::fs::write(directory.path().join("state.new"), b"half").unwrap();
    assert_eq!(Store::open(&path, &cx()).unwrap().epoch(), 1);
}

#[test]
fn the_fingerprint_key_is_never_shown() {
    let disk = Disk::new();
    let store = Store::on(&disk, &cx()).unwrap();
    let memory = store.memory(&dev()).unwrap();
    let shown = format!("{store:?} {disk:?} {memory:?}");
    let bytes = format!("{:?}", memory.fingerprint_key.expose());
    assert!(!shown.contains(bytes.trim_matches(['[', ']'])), "{shown}");
    assert!(shown.contains("<redacted>"));
}

#[test]
fn a_store_in_memory_costs_next_to_nothing_to_open() {
    let cx = cx();
    let (rounds, started) = (200, Instant::now());
    for _ in 0..rounds {
        let store = Store::in_memory(&cx).unwrap();
        for index in 0..10 {
            store.update(&key("a"), |memory: &mut ObjectMemory| memory.applied = Some(index)).unwrap();
        }
    }
    let each = started.elapsed() / rounds;
    assert!(each < Duration::from_millis(20), "{each:?}");
    println!("memory: opened and updated ten times in {each:?}");
    let started = Instant::now();
    for _ in 0..20 {
        let database = redb::Database::builder().create_with_backend(redb::backends::InMemoryBackend::new()).unwrap();
        for index in 0..10_u64 {
            let transaction = database.begin_write().unwrap();
            let table = redb::TableDefinition::<&str, u64>::new("meta");
            transaction.open_table(table).unwrap().insert("a", index).unwrap();
            transaction.commit().unwrap();
        }
    }
    println!("redb in memory: the same in {:?}", started.elapsed() / 20);
}

#[test]
fn ten_thousand_caches_are_one_transaction() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let store = Store::open(&path, &cx()).unwrap();
    let started = Instant::now();
    for index in 0..10_000 {
        store.cache(&key(&format!("s{index}")), |memory: &mut ObjectMemory| memory.applied = Some(index));
    }
    store.flush().unwrap();
    println!("10,000 caches in {:?}", started.elapsed());
    let started = Instant::now();
    drop(store);
    let store = Store::open(&path, &cx()).unwrap();
    println!("opened again in {:?}", started.elapsed());
    let started = Instant::now();
    assert_eq!(store.memory(&dev()).unwrap().objects.common.len(), 10_000);
    println!("read in {:?}", started.elapsed());
}

#[test]
fn what_stacks_of_one_template_remember_of_it_is_kept_once_also_after_a_restart() {
    on_both(|open| {
        let version = |name: &str| {
            let id = format!("arn:aws:cloudformation:us-east-1:111122223333:stack/{name}/0a1b");
            StackVersion { id: id.parse().unwrap(), moved: cx().now() }
        };
        let store = open();
        for (name, of) in
            [("one", "Resources: { A: { Type: T } }"), ("two", "Resources: { A: { Type: T } }"), ("other", "")]
        {
            let facts = Arc::new(TemplateFacts { gives_access: of.is_empty(), ..template(of) });
            store.cache(&key(name), |memory: &mut StackMemory| memory.template = Some((version(name), facts)));
        }
        let shared = |store: &Store| {
            let memory = store.memory(&dev()).unwrap();
            let [one, two, other] =
                ["one", "two", "other"].map(|name| memory.objects.stacks[&key(name)].template.clone().unwrap().1);
            assert!(!Arc::ptr_eq(&one, &other) && one != other);
            Arc::ptr_eq(&one, &two)
        };
        assert!(shared(&store));
        store.flush().unwrap();
        drop(store);
        assert!(shared(&open()));
    });
}

fn template(body: &str) -> TemplateFacts {
    TemplateFacts {
        digest: Digest::of(body),
        outputs: BTreeMap::new(),
        resources: BTreeMap::new(),
        retained: std::collections::BTreeSet::new(),
        gives_access: false,
        generated: false,
    }
}

#[test]
fn whoever_looks_at_what_was_remembered_goes_on_seeing_that() {
    let store = Store::in_memory(&cx()).unwrap();
    store.update(&key("network"), |memory: &mut ObjectMemory| memory.applied = Some(7)).unwrap();
    let before = store.memory(&dev()).unwrap();
    store.update(&key("network"), |memory: &mut ObjectMemory| memory.applied = Some(8)).unwrap();
    store.cache(&key("iam"), |memory: &mut ObjectMemory| memory.applied = Some(1));
    assert_eq!(before.objects.common.len(), 1);
    assert_eq!(before.objects.common[&key("network")].applied, Some(7));
    assert_eq!(memory_of(&store, "network").unwrap().applied, Some(8));
    // Nothing changed: nothing is copied.
    let (one, other) = (store.memory(&dev()).unwrap(), store.memory(&dev()).unwrap());
    assert!(Arc::ptr_eq(&one.objects, &other.objects));
}

#[test]
fn with_a_key_file_the_file_alone_does_not_give_the_fingerprint_key_away() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.redb");
    let cx = cx();
    let identity = |_: u8| {
        use age::secrecy::ExposeSecret as _;
        let text = age::x25519::Identity::generate().to_string().expose_secret().to_owned();
        Identities::parse(&crate::model::Redacted::new(text)).unwrap()
    };
    let (ours, other) = (identity(0), identity(1));
    // It was kept as it is; the key stays the same, and is sealed from here on.
    let key = *Store::open(&path, &cx).unwrap().fingerprint_key().expose();
    assert_eq!(*Store::open_with(&path, &cx, Some(&ours)).unwrap().fingerprint_key().expose(), key);
    assert!(matches!(Store::open(&path, &cx), Err(StoreError::KeyIsSealed { .. })));
    assert!(matches!(Store::open_with(&path, &cx, Some(&other)), Err(StoreError::OtherKey { .. })));
    assert_eq!(*Store::peek_with(&path, &cx, Some(&ours)).unwrap().fingerprint_key().expose(), key);
    // One that begins with a key file never had it in the clear.
    let path = directory.path().join("new.redb");
    let key = *Store::open_with(&path, &cx, Some(&ours)).unwrap().fingerprint_key().expose();
    assert!(matches!(Store::peek(&path, &cx), Err(StoreError::KeyIsSealed { .. })));
    let bytes = std::fs::read(&path).unwrap();
    let plain = serde_json::to_vec(&key).unwrap();
    assert!(!bytes.windows(plain.len()).any(|window| window == plain));
}

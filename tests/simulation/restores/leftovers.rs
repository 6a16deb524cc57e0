//! The journal is lost while a test runs: its table goes again if it proves whose it is, and is told of if it does not.

use landfast::store::Disk;

use super::*;

/// What is wrong but that two tests run beside each other: one is forgotten, and nobody knows of it.
fn deleted_wrongly(world: &World) -> Vec<String> {
    world.wrong().into_iter().filter(|wrong| !wrong.starts_with("S9")).collect()
}

/// A test runs, and its table has been there for so long when the journal is lost.
fn forgotten(after: Duration) -> (World, TableName) {
    let mut world = World::new(spec(100));
    let left = world.run_until_tested();
    if !after.is_zero() {
        // It is held up once it carries its tag.
        while !world.console().table(&left).is_some_and(|one| one.tags.contains_key(OWNER_TAG)) {
            world.run(Duration::from_secs(2), FOREVER);
        }
    }
    world.disk = Disk::new();
    (world, left)
}

#[test]
fn a_table_that_says_it_is_ours_goes_when_it_is_older_than_any_test() {
    let (mut world, left) = forgotten(HOUR);
    world.run(22 * HOUR, FOREVER);
    assert_eq!(
        world.test_tables(),
        std::slice::from_ref(&left),
        "it may be another journal's as long as a test may run"
    );
    let proof = world.remembered().proofs[&table(TABLE)].clone();
    assert_eq!(proof.failed, None, "what a forgotten test has left fails no other");
    world.run(5 * HOUR, FOREVER);
    assert_eq!(world.test_tables(), Vec::<TableName>::new());
    assert_eq!(deleted_wrongly(&world), Vec::<String>::new());
}

#[test]
fn a_table_that_does_not_say_whose_it_is_stays_and_is_told_of() {
    let (mut world, left) = forgotten(Duration::ZERO);
    // Somebody's own, that has such a name and was never restored.
    let theirs = table("landfast-test-run");
    world.console().create_table(&NewTable::keyed(theirs.clone(), "id")).unwrap();
    world.run(30 * HOUR, FOREVER);
    assert_eq!(world.test_tables(), [left.clone(), theirs]);
    let entry = world.entry();
    let told = format!("{:?}", entry.waiting);
    assert!(entry.ready && told.contains(&format!("--table-name {left}")), "{told}");
    assert!(!told.contains("landfast-test-run"), "{told}");
    assert_eq!(deleted_wrongly(&world), Vec::<String>::new());
    world.console().delete_table(&left).unwrap();
    world.run(HOUR, FOREVER);
    assert!(world.entry().waiting.is_empty());
}

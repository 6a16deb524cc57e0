//! The journal is lost while a test runs: its table goes again if it proves whose it is, and is told of if it does not.

use landfast::controller::Controller;
use landfast::model::{LeftTable, Remedy};
use landfast::report::{BackupList, DoctorReport, Examination, Health, Paint};
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

/// What `backup list` and the doctor say of what tests have left.
fn listed(world: &World) -> (BackupList, DoctorReport) {
    let (store, cloud) = (world.store(), Arc::new(world.cloud.clone()));
    let desired = stage::wanted(&store, world.environment());
    let environment = Arc::clone(&desired.environments[&world.environment().name]);
    let controller = Controller::new(world.cx.clone(), cloud, store, Arc::new(|_, _| {}));
    let look = controller.recovery_points(&desired, &environment);
    let (observation, memory, left) = world.clock.drive(look).unwrap().unwrap();
    let mut list = BackupList::default();
    list.add(&environment, &observation, &memory);
    list.leave(left);
    let found = world.clock.drive(controller.examine(&desired, &environment)).unwrap().unwrap();
    let examination = Examination::of(&environment.name, found.stacks, found.diagnoses, found.unknown);
    (list, DoctorReport::of(vec![Examination { left_tables: found.left, ..examination }]))
}

#[test]
fn whoever_looks_sees_what_a_lost_journal_has_left_and_what_removes_it() {
    let (mut world, left) = forgotten(HOUR);
    let theirs = table("landfast-test-run");
    world.console().create_table(&NewTable::keyed(theirs, "id")).unwrap();
    let (list, doctor) = listed(&world);
    let [found] = &list.left_tables[..] else { panic!("{:?}", list.left_tables) };
    let LeftTable { table: name, of, policy, since, over, remedy, .. } = found;
    assert_eq!((name, *over), (&left.to_string(), false));
    assert_eq!((of.as_deref(), policy.as_deref()), (Some(TABLE), Some("dev/backuppolicy/tables")));
    let goes = since.unwrap().checked_add(25 * HOUR).unwrap().to_string();
    assert!(matches!(remedy, Remedy::Automatic { what } if what.contains(&goes)), "{remedy:?}");
    assert_eq!(doctor.health(), Health::Well, "it may be another journal's test still");

    // Nobody runs for two days: what is over is an ailment, and goes with the next daemon.
    world.clock.drive(world.cx.sleep(2 * DAY)).unwrap();
    let (list, doctor) = listed(&world);
    assert_eq!(list.left_tables, doctor.items[0].left_tables);
    assert!(list.text(Paint::Plain).contains(left.as_str()) && doctor.text(Paint::Plain).contains(left.as_str()));
    assert_eq!(doctor.health(), Health::Ailing);

    // Without a policy that makes tests nothing removes it: here is what does.
    world.spec.verify = None;
    let command = format!("aws dynamodb delete-table --region eu-central-1 --table-name {left}");
    let by_hand = |list: &BackupList| match &list.left_tables[0].remedy {
        Remedy::Command { commands, .. } => commands.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(by_hand(&listed(&world).0), [command]);
    world.spec.verify = spec(100).verify;
    world.run(HOUR, FOREVER);
    assert_eq!(listed(&world).0.left_tables, Vec::new());
    assert_eq!(deleted_wrongly(&world), Vec::<String>::new());
}

#[test]
fn a_test_that_runs_has_left_nothing() {
    let mut world = World::new(spec(100));
    world.run_until_tested();
    assert_eq!(listed(&world).0.left_tables, Vec::new());
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

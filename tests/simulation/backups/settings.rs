//! Settings that are kept beside recovery points: they come and go with these.

use landfast::store::Disk;

use super::*;

fn short() -> BackupSpec {
    BackupSpec { retention: Some(Retention { last: 1, daily: 3, weekly: 1, monthly: 1, ..retention() }), ..spec() }
}

/// Settings come and go with their points, whatever becomes of the calls and of the journal.
#[test]
fn settings_are_kept_in_the_bucket_for_as_long_as_their_points_are() {
    for fault in [Fault::ErrorBefore, Fault::ErrorAfter, Fault::TimeoutAfter, Fault::Throttle] {
        let mut world = World::new();
        let mut faults = failing("PutObject", fault.clone(), HOUR / 2);
        faults.windows.extend(failing("DeleteObject", fault.clone(), DAY + 4 * HOUR).windows);
        world.cloud.set_faults(faults);
        world.run(Some(short()), DAY * 3, FOREVER);
        assert_eq!(world.kept(), world.standing(), "{fault:?}");
        // The daemon that has no journal knows from the points themselves what is theirs.
        world.disk = Disk::new();
        world.run(Some(short()), DAY * 6, FOREVER);
        assert_eq!(world.kept(), world.standing(), "{fault:?}");
        assert!(world.standing().len() < world.slots().len(), "nothing has gone");
    }
}

#[test]
fn a_bucket_that_takes_nothing_holds_up_no_backup() {
    let mut world = World::new();
    world.cloud.set_faults(failing("PutObject", Fault::Denied, DAY * 3));
    world.run(Some(spec()), DAY * 2, FOREVER);
    assert!(TABLES.iter().all(|name| world.points(name).len() >= 3));
    assert!(world.kept().is_empty());
    let refused = world.cloud.audit().iter().filter(|call| call.operation == "PutObject").count();
    assert!(refused < 48 * 40, "L5: {refused} calls");
    let plan = world.stage.plan(|store| stage::wanted(store, world.environment(Some(spec()))));
    let waiting = format!("{:?}", plan.entries[&key()].waiting);
    assert!(waiting.contains("PutObject"), "{waiting}");
    world.run(Some(spec()), DAY * 2, FOREVER);
    assert_eq!(world.kept(), world.standing(), "L1: once it may, it keeps what it has");
}

#[test]
fn the_harness_finds_settings_that_outlive_their_points() {
    sabotage::plant(Some(Bug::LeavesSettings));
    let mut world = World::new();
    world.run(Some(short()), DAY * 5, FOREVER);
    sabotage::plant(None);
    assert!(world.kept().is_superset(&world.standing()) && world.kept() != world.standing());
}

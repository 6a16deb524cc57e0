//! What goes, and what never may: whatever the clock says, and whatever the schedule is.

use super::*;

/// Our clock is wrong for hours or days, and right again. AWS's is not moved by it.
#[test]
fn a_clock_that_jumps_makes_no_slot_twice_and_lets_nothing_go_early() {
    let short = || BackupSpec {
        retention: Some(Retention { last: 1, daily: 2, weekly: 1, monthly: 1, ..retention() }),
        ..spec()
    };
    for hours in [3_i64, -3, 30, -30, 24 * 40] {
        let mut world = World::new();
        let blames = world.watch();
        world.run(Some(short()), DAY * 3, FOREVER);
        let calm = world.slots().len();
        world.clock.step_clock(hours * 3_600);
        world.run(Some(short()), HOUR * 5, FOREVER);
        world.clock.step_clock(-hours * 3_600);
        world.run(Some(short()), DAY * 4, FOREVER);
        let slots = world.slots();
        // A point for a night that was none may be gone by the time that night comes.
        let left: usize = TABLES.iter().map(|name| world.points(name).len()).sum();
        assert_eq!(left, world.standing().len(), "S9: {hours} h: {slots:?}");
        // One for each night, and for each table at most one more for a night that was none, and one less for it when it comes.
        let made = slots.len() - calm;
        assert!((3 * 3..=3 * 6).contains(&made), "{hours} h: {made}: {slots:?}");
        assert!(TABLES.iter().all(|name| world.points(name).len() >= 2), "{hours} h");
        blameless(&blames);
    }
}

/// The minutes in which a night's backup is made and older ones go: killed at one moment, started again, and killed at
/// another.
#[test]
fn killed_twice_the_same_is_made_and_the_same_goes() {
    const MINUTE: Duration = Duration::from_mins(1);
    let one = || BackupSpec {
        retention: Some(Retention { last: 1, daily: 1, weekly: 1, monthly: 1, ..retention() }),
        ..spec()
    };
    let mut ends = BTreeSet::new();
    let pairs = stage::killed_twice(23, |first, second| {
        let mut world = World::new();
        let blames = world.watch();
        world.run(Some(one()), HOUR * 50 - MINUTE, FOREVER);
        let polls = world.run(Some(one()), MINUTE * 15, first);
        let more = world.run(Some(one()), MINUTE * 15, second);
        world.run(Some(one()), HOUR, FOREVER);
        let at = format!("dead after {first} and {second}");
        assert!(world.slots().values().all(|made| *made == 1), "S9: {at}: {:?}", world.slots());
        assert_eq!(world.kept(), world.standing(), "{at}");
        blameless(&blames);
        ends.insert((world.slots().len(), world.standing()));
        (polls, more)
    });
    assert!(pairs > 10, "{pairs}");
    let [(made, left)] = ends.into_iter().collect::<Vec<_>>().try_into().expect("all come to one end");
    assert!(left.len() < made, "nothing has gone");
}

/// Four backups a day, of which one a day is kept.
fn often() -> Vec<String> {
    let often = BackupSpec {
        schedule: Some(Schedule::new("0 */6 * * *", "UTC").unwrap()),
        retention: Some(Retention { last: 1, daily: 3, weekly: 1, monthly: 1, ..retention() }),
        ..spec()
    };
    let mut world = World::new();
    let blames = world.watch();
    world.run(Some(often), DAY * 5, FOREVER);
    assert!(world.standing().len() < world.slots().len(), "nothing has gone");
    blames.lock().unwrap().clone()
}

#[test]
fn the_harness_finds_points_that_go_too_young() {
    assert_eq!(often(), Vec::<String>::new());
    sabotage::plant(Some(Bug::ExpiresYoung));
    let found = often();
    sabotage::plant(None);
    assert!(found.iter().any(|blame| blame.contains("younger than the minimum age (S15)")), "{found:?}");
}

//! Whoever may back a table up can give theirs names like ours, and pushes none of ours out of the retention (S15, S23).

use std::collections::BTreeSet;

use landfast::sabotage::{Bug, plant};

use super::{World, blameless, spec, table};
use crate::stage::{DAY, FOREVER, HOUR};

/// The days of which our own backups are left after ten days, with or without theirs at noon of each day.
fn left(theirs: bool) -> BTreeSet<String> {
    let mut world = World::new();
    let blames = world.watch();
    world.run(Some(spec()), 12 * HOUR, FOREVER);
    let mut names = BTreeSet::new();
    for _ in 0..10 {
        if theirs {
            let slot = world.cx.now().strftime("%Y%m%dT%H%M%SZ");
            let name = format!("landfast.dev.tables.{slot}");
            world.console().back_up_table(&table("dev-Users"), &name).unwrap();
            names.insert(name);
        }
        world.run(Some(spec()), DAY, FOREVER);
    }
    blameless(&blames);
    let ours = world.points("dev-Users").into_iter();
    let ours = ours.filter(|backup| !backup.point.name.as_ref().is_some_and(|name| names.contains(name)));
    ours.map(|backup| backup.point.created.strftime("%d").to_string()).collect()
}

#[test]
fn backups_of_others_with_names_like_ours_push_none_of_ours_out() {
    let alone = left(false);
    assert!(alone.len() >= 7, "{alone:?}");
    assert_eq!(left(true), alone);
    plant(Some(Bug::TrustsPoints));
    let pushed = left(true);
    plant(None);
    assert!(pushed.len() < alone.len(), "the name is trusted, and nothing is pushed out: {pushed:?}");
}

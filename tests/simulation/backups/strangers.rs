//! Whoever may back a table up can give theirs names like ours, and pushes none of ours out of the retention (S15, S23).

use std::collections::BTreeSet;

use landfast::model::{BackupSpec, RoleArn, TableArn, Text, VaultName, VaultSpec};
use landfast::ports::{Cloud as _, Fence, StartBackup};
use landfast::sabotage::{Bug, plant};
use landfast::sim::Fault;

use super::{World, blameless, failing, scope, spec, table};
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

/// Recovery points of others are in the same vault, and their tags cannot be read.
#[test]
fn points_of_others_in_a_vault_hold_up_only_the_tables_that_they_are_of() {
    let mut world = World::new();
    let vault = "landfast".parse::<VaultName>().unwrap();
    world.console().create_vault(&vault);
    world.console().create_table(&landfast::sim::NewTable::keyed(table("other-People"), "id")).unwrap();
    let role: RoleArn = "arn:aws:iam::111122223333:role/backup".parse().unwrap();
    let theirs = |name: &str, token: &str| StartBackup {
        table: format!("arn:aws:dynamodb:eu-central-1:111122223333:table/{name}").parse::<TableArn>().unwrap(),
        vault: vault.clone(),
        role: role.clone(),
        token: token.to_owned(),
        tags: std::collections::BTreeMap::from([("Team".to_owned(), "others".to_owned())]),
    };
    let door = world.cloud.vaults(&scope(), None);
    let fence = Fence { epoch: 1, revision: 1 };
    for request in [theirs("other-People", "1"), theirs("dev-Users", "2")] {
        world.clock.drive(door.start_backup(fence, request)).unwrap().unwrap();
    }
    world.clock.drive(world.cx.sleep(HOUR)).unwrap();
    let policy =
        BackupSpec { vault: Some(VaultSpec { name: vault.clone(), role: Text::literal(role.as_str()) }), ..spec() };
    world.cloud.set_faults(failing("ListTags", Fault::Denied, 3 * HOUR));
    world.run(Some(policy.clone()), HOUR, FOREVER);
    let made = |world: &World| -> BTreeSet<String> {
        let all = world.cloud.backups_of_all();
        let ours = all.iter().filter(|backup| {
            backup.point.tags.as_ref().is_some_and(|tags| tags.contains_key(landfast::model::OWNER_TAG))
        });
        ours.map(|backup| backup.point.table.to_string()).collect()
    };
    let others: BTreeSet<String> =
        super::TABLES.iter().filter(|name| **name != "dev-Users").map(ToString::to_string).collect();
    assert_eq!(made(&world), others, "what is unknown of one table is unknown of that one");
    world.run(Some(policy), 2 * HOUR, FOREVER);
    assert_eq!(made(&world).len(), super::TABLES.len());
    // What was found to be of others is not asked for at every look.
    let asked = world.cloud.audit().iter().filter(|call| call.operation == "ListTags" && call.applied).count();
    assert!(asked < 20, "{asked}");
}

//! Somebody deletes a table past its stack, at three in the morning: what it is and what brings it back is said at once,
//! nothing is tried again and again, and what was restored under its name is the stack's again.

use landfast::model::{Ailment, Diagnosis, PointId, Remedy, RestoreFrom, StackStatus, TableName};

use super::*;

const POLICY: &str = "---\napiVersion: landfast/v1\nkind: BackupPolicy\nmetadata: { name: tables }\nspec:\n  tables: { stack: \
                      app }\n  schedule: \"0 3 * * *\"\n";

fn table() -> TableName {
    "reviews".parse().unwrap()
}

/// Backed up, and gone.
fn lost() -> (World, PointId) {
    let mut world = World::new(REPORT);
    POLICY.clone_into(&mut world.stack);
    world.run(HOUR);
    for id in 0..20 {
        world.console().put_item(&table(), &json!({"id": {"S": format!("item-{id}")}})).unwrap();
    }
    world.run(HOUR * 6);
    let backups = world.console().table_backups();
    let newest = backups.iter().filter(|backup| !backup.system && backup.items.len() == 20);
    let point = newest.max_by_key(|backup| backup.point.created).expect("it is backed up").point.id.clone();
    world.console().delete_table(&table()).unwrap();
    (world, point)
}

fn stack_diagnoses(world: &World) -> Vec<Diagnosis> {
    let plan = world.plan();
    plan.entries[&"dev/stack/app".parse().unwrap()].ailments.clone()
}

fn commands(found: &[Diagnosis], ailment: Ailment) -> Vec<String> {
    let found = found.iter().find(|one| one.ailment == ailment).unwrap_or_else(|| panic!("{found:#?}"));
    match &found.remedy {
        Remedy::Decision { choices, .. } => choices.iter().flat_map(|choice| choice.commands.clone()).collect(),
        other => panic!("{other:?}"),
    }
}

fn ask(world: &World, point: &PointId) {
    let store = world.store();
    let desired = world.desired(&store);
    let environment = &desired.environments[&"dev".parse().unwrap()];
    let wish = Wish::Restore { table: table(), from: RestoreFrom::Point(point.clone()), to: Some(table()) };
    let (key, at) = ("dev/backuppolicy/tables".parse().unwrap(), world.cx.now());
    let request = Request { id: format!("{at}"), key, wish, by: "ann".to_owned(), at };
    landfast::controller::answer(&store, environment, &request, at).unwrap().unwrap();
}

fn status(world: &World) -> StackStatus {
    world.cloud.inventory().stacks.iter().find(|found| found.state.name == stack()).unwrap().state.status
}

#[test]
fn a_table_that_was_deleted_past_its_stack_is_told_of_with_what_brings_it_back() {
    let (mut world, point) = lost();
    let calls = world.mutations().len();
    world.run(HOUR);
    let back = format!("landfast restore dev/backuppolicy/tables --table reviews --point {point} --as reviews");
    let plan = world.plan();
    let entry = &plan.entries[&"dev/backuppolicy/tables".parse().unwrap()];
    assert!(!entry.ready && entry.refused.iter().any(|refusal| refusal.release.contains(&back)), "{:?}", entry.refused);
    let told = commands(&stack_diagnoses(&world), Ailment::TableGone);
    assert_eq!(told, [back, "landfast drift --revert dev/stack/app".to_owned()]);
    // The next look for drift finds it too, and who it was.
    world.run(HOUR * 8);
    assert_eq!(world.places(), ["Table"]);
    let found = stack_diagnoses(&world);
    assert!(found[0].evidence.iter().any(|line| line.contains("DELETED")), "{found:#?}");
    assert_eq!(world.mutations().len(), calls, "nobody has decided anything");

    ask(&world, &point);
    world.run(HOUR * 8);
    let truth = world.console().table(&table()).expect("it is back");
    assert_eq!((truth.items.len(), truth.continuous.on), (20, true), "with all its settings");
    assert_eq!((stack_diagnoses(&world), world.places()), (vec![], vec![]), "and is the stack's again");
    assert!(world.plan().entries.values().all(|entry| entry.ready));
}

#[test]
fn an_update_that_meets_it_fails_once_and_goes_on_when_it_is_restored() {
    let (mut world, point) = lost();
    world.template =
        TEMPLATE.replace("TableName: reviews", "TableName: reviews\n      DeletionProtectionEnabled: true");
    world.run(HOUR * 24);
    assert_eq!(status(&world), StackStatus::UpdateRollbackFailed);
    let calls = world.mutations().len();
    world.run(HOUR * 24);
    assert_eq!(world.mutations().len(), calls, "L7: {:?}", world.mutations());
    let found = stack_diagnoses(&world);
    let back = format!("landfast restore dev/backuppolicy/tables --table reviews --point {point} --as reviews");
    assert!(commands(&found, Ailment::TableGone).contains(&back), "{found:#?}");
    let ailing = found.iter().find(|one| one.ailment == Ailment::RollbackFailed).expect("it is stuck");
    assert!(ailing.evidence.iter().any(|line| line.contains("reviews not found")), "{ailing:#?}");

    ask(&world, &point);
    world.run(HOUR * 4);
    world.console().continue_rollback(&stack()).unwrap();
    world.run(HOUR * 8);
    let truth = world.console().table(&table()).expect("it is back");
    assert_eq!(truth.items.len(), 20);
    assert_eq!(stack_diagnoses(&world), vec![]);
}

//! Settings that outlive the journal: a table that is gone comes back with all of them, from what is in the bucket.

use landfast::model::{PointId, RestoreFrom};
use landfast::ports::TableChange;
use landfast::sim::{Fault, FaultPlan, Window};
use landfast::store::Disk;

use super::requests::wish;
use super::*;

const RESTORED: &str = "dev-ReviewCycles-restored";

/// Backed up with all its settings; then the table goes, and the journal too.
fn disaster(bucket: Option<&'static str>) -> (World, PointId) {
    let mut world = World::new(BackupSpec { verify: None, ..spec(100) });
    world.bucket = bucket;
    world.run(HOUR, FOREVER);
    let backups = world.console().table_backups();
    let point = backups.iter().find(|backup| !backup.system).unwrap().point.id.clone();
    world.console().update_table(&table(TABLE), &TableChange::DeletionProtection(false)).unwrap();
    world.console().delete_table(&table(TABLE)).unwrap();
    world.clock.drive(world.cx.sleep(HOUR)).unwrap();
    world.disk = Disk::new();
    (world, point)
}

fn settings(world: &World) -> (Option<StreamView>, Option<String>, Option<String>, bool) {
    let made = world.console().table(&table(RESTORED)).expect("it is restored");
    assert_eq!(made.items.len(), 20);
    let team = made.tags.get("Team").cloned();
    (made.state.stream, made.time_to_live.clone(), team, made.continuous.on)
}

#[test]
fn a_table_that_is_gone_comes_back_with_all_its_settings_although_the_journal_is_lost() {
    let (mut world, point) = disaster(Some("kept"));
    world.ask(wish(RestoreFrom::Point(point), RESTORED));
    world.run(4 * HOUR, FOREVER);
    let restore = world.remembered().restores[&table(RESTORED)].clone();
    assert_eq!(restore.ended.as_ref().map(|(_, failed)| failed.clone()), Some(None), "{restore:?}");
    assert!(restore.settings.as_ref().unwrap().contains("the recovery point"), "{restore:?}");
    let all = (Some(StreamView::NewImage), Some("until".to_owned()), Some("people".to_owned()), true);
    assert_eq!(settings(&world), all);
}

#[test]
fn without_a_bucket_it_is_said_that_only_the_few_of_aws_are_left() {
    let (mut world, point) = disaster(None);
    world.ask(wish(RestoreFrom::Point(point), RESTORED));
    world.run(4 * HOUR, FOREVER);
    let restore = world.remembered().restores[&table(RESTORED)].clone();
    assert!(restore.settings.as_ref().unwrap().contains("the backup itself"), "{restore:?}");
    assert_eq!(settings(&world).2, None);
}

#[test]
fn settings_that_cannot_be_read_or_were_changed_are_given_to_no_table() {
    for tampered in [false, true] {
        let (mut world, point) = disaster(Some("kept"));
        let (bucket, object) = world.cloud.inventory().objects.pop_first().unwrap();
        if tampered {
            world.console().put_object(&bucket, &object, "{}");
        } else {
            let operations = BTreeSet::from(["GetObject".to_owned()]);
            let until = world.cx.elapsed() + 5 * HOUR;
            let window = Window { from: Duration::ZERO, until, scope: None, operations, fault: Fault::Denied };
            world.cloud.set_faults(FaultPlan { windows: vec![window], ..FaultPlan::default() });
        }
        world.ask(wish(RestoreFrom::Point(point), RESTORED));
        world.run(4 * HOUR, FOREVER);
        let waiting = format!("{:?}", world.entry().waiting);
        let told = if tampered { "the stored settings were changed" } else { "could not be read" };
        assert!(waiting.contains(told), "{waiting}");
        let (stream, expiry, team, _) = settings(&world);
        assert_eq!((stream, expiry, team), (None, None, None), "S10");
        // What is wrong with it is put right, or taken away: then it goes on.
        if tampered {
            world.console().empty_bucket(&bucket);
        }
        world.run(4 * HOUR, FOREVER);
        assert!(world.remembered().restores[&table(RESTORED)].ended.is_some());
    }
}

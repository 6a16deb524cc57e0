//! Tables that somebody asks for: as of a moment or a point, under a name of their own, with all their settings.

use landfast::model::{AlarmDefinition, RestoreFrom, ScalingPolicy, ScalingTarget, Text, VaultName, VaultSpec};
use landfast::sim::{Fault, FaultPlan, Window};

use super::*;

pub(super) fn wish(from: RestoreFrom, to: &str) -> Wish {
    Wish::Restore { table: table(TABLE), from, to: Some(table(to)) }
}

#[test]
fn a_table_that_is_asked_for_is_as_of_its_time_and_has_all_its_settings() {
    let mut world = World::new(BackupSpec { verify: None, ..spec(100) });
    world.run(HOUR, FOREVER);
    let good = world.cx.now();
    world.run(HOUR, FOREVER);
    world.put(TABLE, 3, "bad");
    world.ask(wish(RestoreFrom::Moment(good), "dev-ReviewCycles-restored"));
    world.run(4 * HOUR, FOREVER);
    let memory = world.remembered();
    let restore = &memory.restores[&table("dev-ReviewCycles-restored")];
    assert_eq!(restore.ended.as_ref().map(|(_, failed)| failed.clone()), Some(None), "{restore:?}");
    let made = world.console().table(&table("dev-ReviewCycles-restored")).unwrap();
    assert_eq!(made.items.len(), 20);
    assert!(!format!("{:?}", made.items).contains("bad"));
    assert_eq!(made.state.stream, Some(StreamView::NewImage));
    assert_eq!(made.time_to_live.as_deref(), Some("until"));
    assert_eq!(made.tags.get("Team").map(String::as_str), Some("people"));
    assert_eq!(made.tags.get(OWNER_TAG), None, "a restored table is nobody's to delete");
    assert_eq!(made.continuous.window_days, 35);
    assert!(restore.compared.as_ref().unwrap().changed >= 1);
    world.hold();
}

#[test]
fn what_cannot_be_restored_is_told_with_what_to_do() {
    let mut world = World::new(BackupSpec { verify: None, ..spec(100) });
    world.run(HOUR, FOREVER);
    let point = "arn:aws:dynamodb:eu-central-1:111122223333:table/dev-ReviewCycles/backup/01700000000000-abcdef01";
    for (from, to, told) in [
        (
            RestoreFrom::Moment("2020-01-01T00:00:00Z".parse().unwrap()),
            "dev-early",
            "can be restored to any second from",
        ),
        (RestoreFrom::Latest, TABLE, "choose another name"),
        (RestoreFrom::Point(point.parse().unwrap()), "dev-none", "landfast backup list"),
    ] {
        world.ask(wish(from, to));
        world.run(HOUR, FOREVER);
        let restore = &world.remembered().restores[&table(to)];
        let (_, failed) = restore.ended.clone().expect("it has ended");
        assert!(failed.as_ref().is_some_and(|why| why.contains(told)), "{failed:?}");
    }
    world.console().set_recovery(&table(TABLE), None).unwrap();
    world.spec.recovery_days = None;
    world.ask(wish(RestoreFrom::Latest, "dev-off"));
    world.run(HOUR, FOREVER);
    let restore = world.remembered().restores[&table("dev-off")].clone();
    assert!(restore.ended.unwrap().1.unwrap().contains("is off"));
    world.hold();
}

/// Where changes need approval, what a test makes for itself comes and goes, and what a person has asked for is made. No
/// other table is changed or goes.
#[test]
fn where_changes_need_approval_only_what_a_test_has_made_goes_unasked() {
    let mut world = World::new(spec(100));
    world.mode = Mode::Approve;
    world.run(2 * HOUR, FOREVER);
    assert_eq!(world.remembered().proofs.get(&table(TABLE)).expect("it was tested").failed, None);
    assert_eq!(world.test_tables(), Vec::<TableName>::new());
    let wanted = "dev-ReviewCycles-restored";
    world.ask(wish(RestoreFrom::Latest, wanted));
    world.run(DAY, FOREVER);
    assert_eq!(world.console().table(&table(wanted)).expect("a person has asked for it").items.len(), 20);
    let audit = world.cloud.audit();
    let changed = audit.iter().filter(|call| call.mutating && call.applied);
    let others = changed.filter(|call| !call.target.contains(TEST_PREFIX) && !call.target.contains(wanted));
    let others: BTreeSet<(&str, &str)> = others.map(|call| (call.operation, call.target.as_str())).collect();
    assert_eq!(others, BTreeSet::from([("CreateBackup", TABLE)]));
    world.hold();
}

/// AWS Backup would take a key of `DynamoDB`'s own.
#[test]
fn a_table_that_is_restored_from_a_vault_is_encrypted_as_it_was() {
    let vault = "landfast".parse::<VaultName>().unwrap();
    let role = Text::literal("arn:aws:iam::111122223333:role/backup");
    let kept = Some(VaultSpec { name: vault.clone(), role });
    let mut world = World::new(BackupSpec { vault: kept, verify: None, ..spec(100) });
    world.console().create_vault(&vault);
    let keyed = table("dev-ReviewCycles-keyed");
    let key = "arn:aws:kms:eu-central-1:111122223333:key/1";
    let new = NewTable { kms_key: Some(key.to_owned()), ..NewTable::keyed(keyed.clone(), "id") };
    world.console().create_table(&new).unwrap();
    world.put(keyed.as_str(), 1, "secret");
    world.run(HOUR, FOREVER);
    for (of, to, has) in [(keyed, "dev-ReviewCycles-restored", Some(key)), (table(TABLE), "plain-restored", None)] {
        let points = world.cloud.backups_of_all();
        let point = points.iter().find(|backup| backup.point.table == of).expect("it is backed up").point.id.clone();
        world.ask(Wish::Restore { table: of, from: RestoreFrom::Point(point), to: Some(table(to)) });
        world.run(2 * HOUR, FOREVER);
        let restore = world.remembered().restores[&table(to)].clone();
        assert_eq!(restore.ended.map(|(_, failed)| failed), Some(None));
        let made = world.console().table(&table(to)).unwrap();
        assert_eq!((made.state.kms_key.as_deref(), made.items.is_empty()), (has, false), "{to}");
    }
    world.hold();
}

/// AWS Backup keeps no count of items: it is kept with the point, as of when the backup was begun.
#[test]
fn a_test_of_a_point_in_a_vault_counts_its_items_too() {
    let vault = "landfast".parse::<VaultName>().unwrap();
    let role = Text::literal("arn:aws:iam::111122223333:role/backup");
    let kept = Some(VaultSpec { name: vault.clone(), role });
    let mut world = World::new(BackupSpec { vault: kept, ..spec(100) });
    world.console().create_vault(&vault);
    // AWS has counted its items by then.
    world.clock.drive(world.cx.sleep(7 * HOUR)).unwrap();
    world.run(2 * HOUR, FOREVER);
    let points = world.cloud.backups_of_all();
    let made = points.iter().find(|backup| !backup.point.id.is_on_demand()).expect("it is backed up");
    let tags = made.point.tags.as_ref().unwrap();
    assert_eq!(tags.get("landfast:items").map(String::as_str), Some("20"));
    let proof = world.remembered().proofs.get(&table(TABLE)).cloned().expect("it was tested");
    let count = proof.compared.as_ref().and_then(|compared| compared.count).expect("its items are counted");
    assert_eq!((count.restored, count.recorded, proof.failed), (20, 20, None));
    // A journal that knows nothing reads it from the point.
    world.disk = landfast::store::Disk::new();
    world.ask(Wish::Verify { table: None });
    world.run(4 * HOUR, FOREVER);
    let proof = world.remembered().proofs.get(&table(TABLE)).cloned().expect("it was tested again");
    assert_eq!(proof.compared.and_then(|compared| compared.count).map(|count| count.recorded), Some(20));
    world.hold();
}

/// Which tables those are, is decided when it is looked, and not when it is asked.
#[test]
fn a_test_of_every_table_is_one_of_each_that_is_covered() {
    let mut world = World::new(BackupSpec { verify: None, ..spec(100) });
    let other = table("dev-ReviewCycles-old");
    world.console().create_table(&NewTable::keyed(other.clone(), "id")).unwrap();
    world.ask(Wish::Verify { table: None });
    world.run(3 * HOUR, FOREVER);
    let proofs = world.remembered().proofs;
    assert_eq!(proofs.keys().collect::<Vec<_>>(), [&table(TABLE), &other]);
    assert!(proofs.values().all(|proof| proof.failed.is_none()), "{proofs:?}");
    world.run(3 * HOUR, FOREVER);
    assert_eq!(world.remembered().proofs, proofs, "it was asked for once");
    world.hold();
}

fn alarm(name: &str, of: &str) -> AlarmDefinition {
    AlarmDefinition {
        name: name.to_owned(),
        description: None,
        namespace: "AWS/DynamoDB".to_owned(),
        metric: "ThrottledRequests".to_owned(),
        dimensions: BTreeMap::from([("TableName".to_owned(), of.to_owned())]),
        statistic: "Sum".to_owned(),
        period: 60,
        evaluation_periods: 1,
        datapoints: None,
        threshold: "1".to_owned(),
        comparison: "GreaterThanThreshold".to_owned(),
        missing: None,
        alarm_actions: BTreeSet::from(["arn:aws:sns:eu-central-1:111122223333:pages".to_owned()]),
        ok_actions: BTreeSet::new(),
        no_data_actions: BTreeSet::new(),
    }
}

/// Scaled, with an alarm of its own beside those of its policy.
fn scaled_world() -> World {
    let mut world = World::new(BackupSpec { verify: None, ..spec(100) });
    let policy = ScalingPolicy {
        name: "writes".to_owned(),
        metric: "DynamoDBWriteCapacityUtilization".to_owned(),
        target_milli: 70_000,
        scale_in_cooldown: None,
        scale_out_cooldown: None,
        only_out: false,
    };
    let target = ScalingTarget { index: None, writes: true, min: 1, max: 9, role: None, policies: vec![policy] };
    world.console().scale_table(&table(TABLE), &target).unwrap();
    world.console().put_alarm(&alarm("dev-ReviewCycles-throttles", TABLE)).unwrap();
    let stream = "arn:aws:kinesis:eu-central-1:111122223333:stream/changes";
    world.console().furnish_table(&table(TABLE), (Some(100), None), &[stream]).unwrap();
    world.run(HOUR, FOREVER);
    world
}

/// Alarms of a scaling policy are Application Auto Scaling's: copied, they would drive the policy of the original table.
#[test]
fn alarms_of_scaling_policies_are_not_copied_and_what_no_restore_brings_is_told() {
    let mut world = scaled_world();
    let point = world.console().table_backups()[0].point.id.clone();
    for (from, to) in [(RestoreFrom::Latest, "dev-latest"), (RestoreFrom::Point(point), "dev-point")] {
        world.ask(wish(from, to));
        world.run(4 * HOUR, FOREVER);
        let restore = world.remembered().restores[&table(to)].clone();
        assert_eq!(restore.ended.map(|(_, failed)| failed), Some(None), "{to}");
        let made = world.console().table(&table(to)).unwrap();
        assert_eq!(made.scaling[0].policies.len(), 1, "the policy makes alarms of its own");
        let told = restore.settings.unwrap();
        for what in ["Kinesis data stream arn:aws:kinesis", "Contributor Insights", "100 reads per second"] {
            assert!(told.contains(what), "{told}");
        }
    }
    let put: Vec<String> = world.console().alarms().into_iter().map(|alarm| alarm.name).collect();
    assert_eq!(put, ["dev-ReviewCycles-throttles", "dev-latest-throttles", "dev-point-throttles"]);
    world.hold();
}

fn denied(world: &World, operation: &str, duration: Duration) {
    let operations = BTreeSet::from([operation.to_owned()]);
    let until = world.cx.elapsed() + duration;
    let window = Window { from: Duration::ZERO, until, scope: None, operations, fault: Fault::Denied };
    world.cloud.set_faults(FaultPlan { windows: vec![window], ..FaultPlan::default() });
}

/// An alarm list that cannot be read is no reason for having no settings, and is not taken for no alarms.
#[test]
fn what_cannot_be_read_of_the_settings_is_missing_by_itself_and_is_told() {
    let mut world = World::new(BackupSpec { verify: None, ..spec(100) });
    world.console().put_alarm(&alarm("dev-ReviewCycles-throttles", TABLE)).unwrap();
    denied(&world, "DescribeAlarms", 2 * HOUR);
    world.run(2 * HOUR, FOREVER);
    let (_, kept) = world.remembered().profiles.into_iter().next().expect("the other settings are kept");
    assert_eq!(kept.tags.get("Team").map(String::as_str), Some("people"));
    assert_eq!(kept.unread, BTreeSet::from(["alarms".to_owned()]));
    let point = world.console().table_backups()[0].point.id.clone();
    world.ask(wish(RestoreFrom::Point(point), "dev-restored"));
    world.run(4 * HOUR, FOREVER);
    let restore = world.remembered().restores[&table("dev-restored")].clone();
    assert_eq!(restore.ended.map(|(_, failed)| failed), Some(None));
    let told = restore.settings.unwrap();
    assert!(told.contains("could not be read and are missing: alarms"), "{told}");
    world.hold();
}

/// One setting that AWS refuses holds up none of the others, and a restore has an end.
#[test]
fn a_setting_that_is_refused_holds_up_no_other_and_is_told_in_the_end() {
    let mut world = World::new(BackupSpec { verify: None, ..spec(100) });
    world.console().put_alarm(&alarm("dev-ReviewCycles-throttles", TABLE)).unwrap();
    world.run(HOUR, FOREVER);
    denied(&world, "PutMetricAlarm", 30 * HOUR);
    world.ask(wish(RestoreFrom::Latest, "dev-restored"));
    world.run(HOUR, FOREVER);
    let made = world.console().table(&table("dev-restored")).unwrap();
    assert_eq!((made.state.stream, made.time_to_live.as_deref()), (Some(StreamView::NewImage), Some("until")));
    world.run(DAY, FOREVER);
    let (_, failed) = world.remembered().restores[&table("dev-restored")].ended.clone().expect("it has an end");
    let failed = failed.expect("not everything was set");
    assert!(failed.contains("an alarm") && failed.contains("PutMetricAlarm"), "{failed}");
    world.hold();
}

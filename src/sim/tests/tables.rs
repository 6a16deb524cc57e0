//! Tables, backups, restores and vaults.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{FENCE, Rig};
use crate::model::{
    JobState, PointId, PointStatus, RecoveryPoint, Scope, TableClass, TableName, TableState, TableStatus, VaultName,
};
use crate::ports::{Class, Cloud as _, PortError, StartBackup, StartCopy, StartRestore, TableChange, Tables};
use crate::sim::{Console, Fault, FaultPlan, NewTable, SimConfig, Window};

const PEOPLE: &str = "people";

pub(super) fn name(text: &str) -> TableName {
    text.parse().unwrap()
}

pub(super) fn tables(rig: &Rig) -> Arc<dyn Tables> {
    rig.cloud.tables(&rig.scope, None)
}

fn west(rig: &Rig) -> Scope {
    Scope { region: "us-west-2".parse().unwrap(), ..rig.scope.clone() }
}

fn with_table(new: impl FnOnce(&mut NewTable)) -> Rig {
    let rig = Rig::new();
    let mut table = NewTable::keyed(name(PEOPLE), "id");
    new(&mut table);
    rig.console.create_table(&table).unwrap();
    put(&rig, "a", 1);
    rig.pass(Duration::from_secs(5));
    rig
}

fn put(rig: &Rig, id: &str, value: u32) {
    rig.console.put_item(&name(PEOPLE), &json!({ "id": { "S": id }, "v": { "N": value.to_string() } })).unwrap();
}

/// The values of a table's items.
fn values(console: &Console, table: &str) -> Vec<(String, String)> {
    let table = console.table(&name(table)).expect("no such table");
    let text = |item: &BTreeMap<String, serde_json::Value>, of: &str, kind: &str| {
        item[of][kind].as_str().unwrap_or_default().to_owned()
    };
    table.items.iter().map(|item| (text(item, "id", "S"), text(item, "v", "N"))).collect()
}

fn value(id: &str, value: &str) -> (String, String) {
    (id.to_owned(), value.to_owned())
}

pub(super) fn describe(rig: &Rig, table: &str) -> Option<TableState> {
    rig.run(tables(rig).describe(&name(table))).unwrap()
}

fn back_up(rig: &Rig, called: &str) -> RecoveryPoint {
    let point = rig.run(tables(rig).create_backup(FENCE, &name(PEOPLE), called)).unwrap();
    rig.pass(Duration::from_secs(10));
    point
}

fn class<T: std::fmt::Debug>(answer: Result<T, PortError>) -> Class {
    answer.unwrap_err().class
}

fn listed(rig: &Rig) -> Vec<RecoveryPoint> {
    rig.run(tables(rig).backups(None)).unwrap().items
}

#[test]
fn a_backup_has_what_the_table_had_and_outlives_it() {
    let rig = with_table(|_| {});
    let point = back_up(&rig, "one");
    put(&rig, "a", 2);
    put(&rig, "b", 1);
    rig.run(tables(&rig).delete(FENCE, &name(PEOPLE))).unwrap();
    assert_eq!(describe(&rig, PEOPLE).unwrap().status, TableStatus::Deleting);
    rig.pass(Duration::from_mins(1));
    assert_eq!(describe(&rig, PEOPLE), None);
    assert_eq!(listed(&rig).len(), 1, "without point-in-time recovery a deleted table leaves nothing of its own");
    let state = rig.run(tables(&rig).restore_backup(FENCE, &point.id, &name("again"))).unwrap();
    assert_eq!(state.status, TableStatus::Creating);
    assert!(state.restored.as_ref().is_some_and(|origin| origin.in_progress && origin.point == Some(point.id.clone())));
    let unread = rig.run(tables(&rig).sample(&name("again"), &state.key, 0, 1, 10));
    assert_eq!(class(unread), Class::NotFound);
    rig.pass(Duration::from_mins(3));
    assert_eq!(describe(&rig, "again").unwrap().status, TableStatus::Creating, "it takes minutes");
    rig.pass(Duration::from_mins(3));
    let state = describe(&rig, "again").unwrap();
    assert_eq!((state.status, state.restored.unwrap().in_progress), (TableStatus::Active, false));
    assert_eq!(values(&rig.console, "again"), [value("a", "1")]);
}

#[test]
fn a_restore_to_a_moment_has_what_was_there_then() {
    let rig = with_table(|table| table.recovery_days = Some(35));
    rig.pass(Duration::from_mins(30));
    let then: Timestamp = rig.cx.now();
    rig.pass(Duration::from_mins(1));
    put(&rig, "a", 2);
    rig.console.put_item(&name(PEOPLE), &json!({ "id": { "S": "b" } })).unwrap();
    rig.pass(Duration::from_mins(1));
    rig.console.delete_item(&name(PEOPLE), &json!({ "id": { "S": "b" } })).unwrap();
    rig.pass(Duration::from_hours(2));
    let source = describe(&rig, PEOPLE).unwrap().arn;
    let restore = |to: &str, at| rig.run(tables(&rig).restore_to(FENCE, &source, &name(to), at));
    let state = restore("then", Some(then)).unwrap();
    assert_ne!(state.id, describe(&rig, PEOPLE).unwrap().id);
    restore("latest", None).unwrap();
    rig.pass(Duration::from_mins(19));
    assert_eq!(describe(&rig, "then").unwrap().status, TableStatus::Creating, "20 minutes, whatever the size");
    rig.pass(Duration::from_mins(2));
    assert_eq!(describe(&rig, "then").unwrap().status, TableStatus::Active);
    assert_eq!(values(&rig.console, "then"), [value("a", "1")]);
    assert_eq!(values(&rig.console, "latest"), [value("a", "2")]);
    assert_eq!(class(restore("then", Some(then))), Class::Conflict);
    let now = rig.cx.now();
    assert_eq!(class(restore("future", Some(now))), Class::Invalid, "the latest moment is five minutes behind");
    assert_eq!(class(restore("past", Some(now - SignedDuration::from_hours(4)))), Class::Invalid);
}

#[test]
fn a_window_that_was_made_smaller_has_lost_its_history() {
    let rig = with_table(|table| table.recovery_days = Some(35));
    let set = |days| rig.run(tables(&rig).set_continuous_backups(FENCE, &name(PEOPLE), days)).unwrap();
    let seen = || rig.run(tables(&rig).continuous_backups(&name(PEOPLE))).unwrap().unwrap();
    // In whole days: calls take their time.
    let reach = || (rig.cx.now().duration_since(seen().earliest.unwrap()).as_hours() + 1) / 24;
    rig.pass(Duration::from_hours(24 * 20));
    assert_eq!(reach(), 20);
    set(Some(7));
    assert_eq!((reach(), seen().window_days), (7, 7));
    rig.pass(Duration::from_hours(24));
    set(Some(35));
    assert_eq!(reach(), 7, "what was given up does not come back");
    rig.pass(Duration::from_hours(24 * 2));
    assert_eq!(reach(), 9);
    set(None);
    assert!(!seen().on && seen().earliest.is_none());
    rig.pass(Duration::from_mins(1));
    set(Some(35));
    assert_eq!(reach(), 0);
    let again = rig.run(tables(&rig).set_continuous_backups(FENCE, &name(PEOPLE), Some(3)));
    assert_eq!(class(again), Class::Conflict, "while it is being switched");
}

#[test]
fn a_deleted_table_with_point_in_time_recovery_leaves_a_backup_for_35_days() {
    let rig = with_table(|table| table.recovery_days = Some(7));
    rig.run(tables(&rig).delete(FENCE, &name(PEOPLE))).unwrap();
    rig.pass(Duration::from_hours(24 * 34));
    let points = listed(&rig);
    assert_eq!(points.len(), 1);
    assert_eq!(points[0].name.as_deref(), Some("people$DeletedTableBackup"));
    assert_eq!(class(rig.run(tables(&rig).delete_backup(FENCE, &points[0].id))), Class::Invalid);
    rig.run(tables(&rig).restore_backup(FENCE, &points[0].id, &name(PEOPLE))).unwrap();
    rig.pass(Duration::from_hours(24 * 2));
    assert_eq!(values(&rig.console, PEOPLE), [value("a", "1")]);
    assert!(listed(&rig).is_empty());
}

#[test]
fn a_restored_table_lacks_all_that_aws_says_it_lacks() {
    let rig = with_table(|table| {
        table.class = TableClass::InfrequentAccess;
        table.deletion_protected = true;
        table.stream = Some(crate::model::StreamView::NewImage);
        table.time_to_live = Some("until".to_owned());
        table.recovery_days = Some(35);
        table.tags = BTreeMap::from([("team".to_owned(), "hr".to_owned())]);
    });
    rig.console.set_table_policy(&name(PEOPLE), Some("{}")).unwrap();
    let point = back_up(&rig, "one");
    rig.run(tables(&rig).restore_backup(FENCE, &point.id, &name("again"))).unwrap();
    rig.pass(Duration::from_mins(10));
    let (old, new) = (rig.console.table(&name(PEOPLE)).unwrap(), rig.console.table(&name("again")).unwrap());
    assert_eq!((old.state.key, old.state.billing), (new.state.key, new.state.billing));
    assert_eq!(new.state.class, TableClass::Standard);
    assert!(!new.state.deletion_protected && new.state.stream.is_none() && !new.continuous.on);
    assert!(new.time_to_live.is_none() && new.tags.is_empty() && new.policy.is_none());
    assert_eq!(new.state.items, 1);
    assert_eq!(describe(&rig, "again").unwrap().items, 0, "it is counted every six hours, and not before");
    rig.pass(Duration::from_hours(7));
    assert_eq!(describe(&rig, "again").unwrap().items, 1);
}

#[test]
fn what_is_busy_or_protected_is_not_touched() {
    let rig = with_table(|table| table.deletion_protected = true);
    let tables = tables(&rig);
    assert_eq!(class(rig.run(tables.delete(FENCE, &name(PEOPLE)))), Class::Invalid);
    rig.run(tables.update(FENCE, &name(PEOPLE), &TableChange::DeletionProtection(false))).unwrap();
    assert_eq!(describe(&rig, PEOPLE).unwrap().status, TableStatus::Updating);
    let class_of = TableChange::Class(TableClass::InfrequentAccess);
    assert_eq!(class(rig.run(tables.update(FENCE, &name(PEOPLE), &class_of))), Class::Conflict, "one at a time");
    rig.pass(Duration::from_secs(20));
    rig.run(tables.set_time_to_live(FENCE, &name(PEOPLE), "until", true)).unwrap();
    let off = || rig.run(tables.set_time_to_live(FENCE, &name(PEOPLE), "until", false));
    assert_eq!(class(off()), Class::Invalid, "one switch an hour");
    rig.pass(Duration::from_mins(61));
    off().unwrap();
    let point = rig.run(tables.create_backup(FENCE, &name(PEOPLE), "one")).unwrap();
    assert_eq!(point.status, PointStatus::Creating);
    assert_eq!(class(rig.run(tables.delete(FENCE, &name(PEOPLE)))), Class::Conflict, "a backup is being made");
    assert_eq!(class(rig.run(tables.create_backup(FENCE, &name(PEOPLE), "two"))), Class::Conflict);
    rig.pass(Duration::from_secs(10));
    rig.run(tables.restore_backup(FENCE, &point.id, &name("again"))).unwrap();
    assert_eq!(class(rig.run(tables.delete_backup(FENCE, &point.id))), Class::Conflict, "it is being restored");
    rig.pass(Duration::from_mins(10));
    rig.run(tables.delete_backup(FENCE, &point.id)).unwrap();
    rig.run(tables.delete_backup(FENCE, &point.id)).unwrap();
    assert_eq!(class(rig.run(tables.restore_backup(FENCE, &point.id, &name("third")))), Class::NotFound);
}

#[test]
fn a_lost_answer_leaves_a_backup_that_is_listed_a_little_later() {
    let rig = with_table(|_| {});
    let next = rig.cloud.calls();
    rig.cloud.set_faults(FaultPlan { calls: BTreeMap::from([(next, Fault::TimeoutAfter)]), ..FaultPlan::default() });
    assert_eq!(class(rig.run(tables(&rig).create_backup(FENCE, &name(PEOPLE), "one"))), Class::Transient);
    assert!(listed(&rig).is_empty(), "listings lag behind");
    rig.pass(Duration::from_secs(10));
    assert_eq!(listed(&rig).iter().map(|point| point.name.as_deref()).collect::<Vec<_>>(), [Some("one")]);
}

#[test]
fn a_lost_region_cannot_be_restored_from_and_a_copy_can() {
    let rig = with_table(|table| table.recovery_days = Some(35));
    let there = west(&rig);
    let role = "arn:aws:iam::111122223333:role/backup";
    let vault: VaultName = "landfast".parse().unwrap();
    rig.console.create_vault(&vault);
    rig.cloud.console(&there).create_vault(&vault);
    let (here, away) = (rig.cloud.vaults(&rig.scope, None), rig.cloud.vaults(&there, None));
    let source = describe(&rig, PEOPLE).unwrap().arn;
    let request = StartBackup {
        table: source.clone(),
        vault: vault.clone(),
        role: role.parse().unwrap(),
        token: "t1".to_owned(),
        tags: BTreeMap::from([("landfast/owner".to_owned(), "x".to_owned())]),
    };
    let job = rig.run(here.start_backup(FENCE, request.clone())).unwrap();
    assert_eq!(rig.run(here.start_backup(FENCE, request)).unwrap(), job, "the token says that it is the same");
    put(&rig, "a", 2);
    assert_eq!(rig.run(here.backup_job(&job)).unwrap().unwrap().state, JobState::Created);
    let locked = rig.run(tables(&rig).delete(FENCE, &name(PEOPLE)));
    assert_eq!(class(locked), Class::Conflict, "a backup of it is running");
    rig.pass(Duration::from_mins(5));
    let done = rig.run(here.backup_job(&job)).unwrap().unwrap();
    assert_eq!(done.state, JobState::Completed);
    let copy = StartCopy {
        point: done.point.unwrap(),
        from: vault.clone(),
        to: "arn:aws:backup:us-west-2:111122223333:backup-vault:landfast".to_owned(),
        role: role.parse().unwrap(),
        token: "t2".to_owned(),
    };
    let job = rig.run(here.start_copy(FENCE, copy)).unwrap();
    rig.pass(Duration::from_mins(10));
    let copied = rig.run(here.copy_job(&job)).unwrap().unwrap();
    assert_eq!(copied.state, JobState::Completed);
    lose(&rig);
    let across = rig.cloud.tables(&there, None);
    let to_time = rig.run(across.restore_to(FENCE, &source, &name("time"), None));
    assert_eq!(class(to_time), Class::Transient, "the source has to answer");
    let points: Vec<PointId> =
        rig.run(away.points(&vault, None)).unwrap().items.into_iter().map(|point| point.id).collect();
    assert_eq!(points, [copied.point.clone().unwrap()]);
    let tags = rig.run(away.tags(&points[0], None)).unwrap().items;
    assert_eq!(tags, [("landfast/owner".to_owned(), "x".to_owned())]);
    let restore = StartRestore {
        point: points[0].clone(),
        to: name("again"),
        role: role.parse().unwrap(),
        encryption: BTreeMap::new(),
        token: "t3".to_owned(),
    };
    let job = rig.run(away.start_restore(FENCE, restore)).unwrap();
    rig.pass(Duration::from_mins(10));
    let done = rig.run(away.restore_job(&job)).unwrap().unwrap();
    assert_eq!((done.state, done.table.unwrap().name()), (JobState::Completed, Some(name("again"))));
    assert_eq!(values(&rig.cloud.console(&there), "again"), [value("a", "1")]);
    rig.run(away.delete_point(FENCE, &vault, &points[0])).unwrap();
    rig.pass(Duration::from_secs(5));
    assert!(rig.run(away.points(&vault, None)).unwrap().items.is_empty());
}

/// The region of the rig is gone from now on.
fn lose(rig: &Rig) {
    let window = Window {
        from: Duration::ZERO,
        until: Duration::MAX,
        scope: Some(rig.scope.clone()),
        operations: std::collections::BTreeSet::new(),
        fault: Fault::TimeoutBefore,
    };
    rig.cloud.set_faults(FaultPlan { windows: vec![window], ..FaultPlan::default() });
}

#[test]
fn a_failed_job_says_why_and_leaves_no_point() {
    let rig = with_table(|_| {});
    let vault: VaultName = "landfast".parse().unwrap();
    rig.console.create_vault(&vault);
    rig.console.fail_vault_jobs(1, "The role cannot be assumed");
    let vaults = rig.cloud.vaults(&rig.scope, None);
    let request = StartBackup {
        table: describe(&rig, PEOPLE).unwrap().arn,
        vault: vault.clone(),
        role: "arn:aws:iam::111122223333:role/backup".parse().unwrap(),
        token: "t1".to_owned(),
        tags: BTreeMap::new(),
    };
    let job = rig.run(vaults.start_backup(FENCE, request)).unwrap();
    rig.pass(Duration::from_mins(5));
    let ended = rig.run(vaults.backup_job(&job)).unwrap().unwrap();
    assert_eq!((ended.state, ended.message.as_deref()), (JobState::Failed, Some("The role cannot be assumed")));
    assert!(rig.run(vaults.points(&vault, None)).unwrap().items.is_empty());
    let missing = rig.run(vaults.points(&"other".parse().unwrap(), None));
    assert_eq!(class(missing), Class::NotFound);
}

#[test]
fn a_backup_is_the_newest_of_its_table_for_a_guard() {
    let rig = with_table(|_| {});
    let newest = || rig.run(rig.stacks.newest_backup("AWS::DynamoDB::Table", PEOPLE)).unwrap();
    assert_eq!(newest(), None);
    let point = back_up(&rig, "one");
    assert_eq!(newest(), Some(point.created));
    rig.run(tables(&rig).delete_backup(FENCE, &point.id)).unwrap();
    assert_eq!(newest(), None);
    // A backup of an earlier table of that name has nothing of this one.
    back_up(&rig, "two");
    rig.console.delete_table(&name(PEOPLE)).unwrap();
    rig.console.create_table(&NewTable::keyed(name(PEOPLE), "id")).unwrap();
    rig.pass(Duration::from_mins(5));
    assert_eq!(newest(), None);
}

#[test]
fn pages_are_read_to_the_end_and_keys_are_asked_for_again() {
    let rig = Rig::with(SimConfig { page_size: 2, ..SimConfig::default() });
    for table in ["aaa", "bbb", "ccc", PEOPLE] {
        rig.console.create_table(&NewTable::keyed(name(table), "id")).unwrap();
    }
    for id in ["a", "b", "c", "d"] {
        put(&rig, id, 1);
    }
    rig.pass(Duration::from_secs(5));
    let (mut names, mut page) = (Vec::new(), None);
    loop {
        let read = rig.run(tables(&rig).list(page)).unwrap();
        names.extend(read.items);
        page = read.next;
        if page.is_none() {
            break;
        }
    }
    assert_eq!(names, ["aaa", "bbb", "ccc", PEOPLE].map(name));
    let key = describe(&rig, PEOPLE).unwrap().key;
    let scanned: Vec<_> =
        (0..2).flat_map(|segment| rig.run(tables(&rig).sample(&name(PEOPLE), &key, segment, 2, 10)).unwrap()).collect();
    assert_eq!(scanned.len(), 4, "every item is in one segment");
    let keys: Vec<_> = scanned.iter().map(|item| item.key.clone()).collect();
    let next = rig.cloud.calls();
    rig.cloud.set_faults(FaultPlan { calls: BTreeMap::from([(next, Fault::PartialPage)]), ..FaultPlan::default() });
    let half = rig.run(tables(&rig).items(&name(PEOPLE), &keys)).unwrap();
    assert_eq!((half.items.len(), half.unprocessed.len()), (2, 2));
    let rest = rig.run(tables(&rig).items(&name(PEOPLE), &half.unprocessed)).unwrap();
    let mut all = half.items;
    all.extend(rest.items);
    assert_eq!(all, scanned);
}

#[test]
fn a_stale_read_sees_a_table_as_it_was_and_none_before_it_was_made() {
    let rig = with_table(|_| {});
    rig.run(tables(&rig).update(FENCE, &name(PEOPLE), &TableChange::DeletionProtection(true))).unwrap();
    rig.pass(Duration::from_secs(20));
    let seen = |ago: u64| {
        let next = rig.cloud.calls();
        let calls = BTreeMap::from([(next, Fault::Stale(Duration::from_secs(ago)))]);
        rig.cloud.set_faults(FaultPlan { calls, ..FaultPlan::default() });
        describe(&rig, PEOPLE)
    };
    assert!(seen(1).unwrap().deletion_protected);
    let then = seen(23).unwrap();
    assert_eq!((then.deletion_protected, then.status), (false, TableStatus::Active));
    assert_eq!(seen(600), None);
}

#[test]
fn tables_points_and_jobs_survive_a_snapshot() {
    let rig = with_table(|table| table.recovery_days = Some(7));
    let vault: VaultName = "landfast".parse().unwrap();
    rig.console.create_vault(&vault);
    back_up(&rig, "one");
    let request = StartBackup {
        table: describe(&rig, PEOPLE).unwrap().arn,
        vault: vault.clone(),
        role: "arn:aws:iam::111122223333:role/backup".parse().unwrap(),
        token: "t1".to_owned(),
        tags: BTreeMap::new(),
    };
    let vaults = rig.cloud.vaults(&rig.scope, None);
    let job = rig.run(vaults.start_backup(FENCE, request)).unwrap();
    let (before, snapshot) = (rig.cloud.tables_of_all(), rig.cloud.snapshot().unwrap());
    rig.console.delete_item(&name(PEOPLE), &json!({ "id": { "S": "a" } })).unwrap();
    rig.cloud.restore(snapshot).unwrap();
    assert_eq!(rig.cloud.tables_of_all().len(), before.len());
    assert_eq!(values(&rig.console, PEOPLE), [value("a", "1")]);
    rig.pass(Duration::from_mins(5));
    assert_eq!(rig.run(vaults.backup_job(&job)).unwrap().unwrap().state, JobState::Completed);
    assert_eq!(rig.cloud.backups_of_all().len(), 2);
}

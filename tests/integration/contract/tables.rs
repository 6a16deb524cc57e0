//! Tables, their on-demand backups and point-in-time recovery: what `DynamoDB` documents.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use landfast::model::{
    AlarmDefinition, Billing, Item, KeyType, PointStatus, RecoveryPoint, StreamView, TableClass, TableKey, TableName,
    TableState, TableStatus,
};
use landfast::ports::{Class, TableChange, Tables};

use super::{Backend, FENCE, PATIENCE, all, tags};

fn door(backend: &Backend) -> Arc<dyn Tables> {
    backend.cloud.tables(&backend.scope(), backend.role.as_ref())
}

fn name(text: &str) -> TableName {
    text.parse().unwrap()
}

/// Time passes: enough for point-in-time recovery to reach what was just written (AWS: five minutes; the emulator: none).
async fn pass(backend: &Backend) {
    let pause = if backend.is_emulator { Duration::from_millis(1100) } else { Duration::from_mins(6) };
    backend.cx.sleep(pause).await;
}

/// A table, once nothing is being done to it.
pub async fn active(backend: &Backend, tables: &dyn Tables, table: &str) -> TableState {
    let deadline = backend.cx.elapsed() + PATIENCE * 2;
    loop {
        let found = tables.describe(&name(table)).await.unwrap().expect("no such table");
        if found.status == TableStatus::Active {
            return found;
        }
        assert!(backend.cx.elapsed() < deadline, "{table} stays {}", found.status);
        backend.cx.sleep(backend.interval).await;
    }
}

async fn gone(backend: &Backend, tables: &dyn Tables, table: &str) {
    let deadline = backend.cx.elapsed() + PATIENCE;
    while tables.describe(&name(table)).await.unwrap().is_some() {
        assert!(backend.cx.elapsed() < deadline, "{table} is never gone");
        backend.cx.sleep(backend.interval).await;
    }
}

/// A backup, once it can be restored; a listing may lag behind.
async fn backed_up(backend: &Backend, tables: &dyn Tables, table: &str, called: &str) -> RecoveryPoint {
    let made = tables.create_backup(FENCE, &name(table), called).await.unwrap();
    let deadline = backend.cx.elapsed() + PATIENCE;
    loop {
        let listed = all(|page| tables.backups(page)).await;
        let found = listed.into_iter().find(|point| point.id == made.id);
        if let Some(found) = found.filter(|point| point.status == PointStatus::Available) {
            return found;
        }
        assert!(backend.cx.elapsed() < deadline, "{called} is never available");
        backend.cx.sleep(backend.interval).await;
    }
}

async fn made(backend: &Backend, table: &str) -> TableState {
    backend.workshop.make_table(&name(table), "id", backend.role.as_ref()).await;
    active(backend, &*door(backend), table).await
}

async fn put(backend: &Backend, table: &str, id: &str, value: &str) {
    let item = serde_json::json!({ "id": { "S": id }, "v": { "N": value }, "t": { "SS": ["b", "a"] } });
    backend.workshop.put_item(&name(table), &item, backend.role.as_ref()).await;
}

async fn items(tables: &dyn Tables, table: &str) -> Vec<Item> {
    let key = TableKey { partition: ("id".to_owned(), KeyType::Text), sort: None };
    let mut items = tables.sample(&name(table), &key, 0, 1, 100).await.unwrap();
    items.sort_by(|one, other| one.key.cmp(&other.key));
    items
}

pub async fn a_table_says_what_it_was_made_with(backend: &Backend) {
    let tables = door(backend);
    let found = made(backend, "people").await;
    assert_eq!((found.name.as_str(), found.arn.name()), ("people", Some(name("people"))));
    assert_eq!(found.key, TableKey { partition: ("id".to_owned(), KeyType::Text), sort: None });
    assert_eq!((found.billing, found.class), (Billing::OnDemand, TableClass::Standard));
    assert!(!found.deletion_protected && found.stream.is_none() && found.restored.is_none());
    let recovery = tables.continuous_backups(&found.name).await.unwrap().unwrap();
    assert!(!recovery.on && recovery.earliest.is_none());
    assert_eq!(tables.time_to_live(&found.name).await.unwrap().attribute, None);
    assert_eq!(tables.policy(&found.arn).await.unwrap(), None);
    backend.cx.sleep(Duration::from_secs(2)).await;
    assert_eq!(all(|page| tables.list(page)).await, [name("people")]);
}

pub async fn a_missing_table_is_none_and_not_an_error(backend: &Backend) {
    let tables = door(backend);
    assert_eq!(tables.describe(&name("people")).await.unwrap(), None);
    assert_eq!(tables.continuous_backups(&name("people")).await.unwrap(), None);
    assert_eq!(tables.time_to_live(&name("people")).await.unwrap_err().class, Class::NotFound);
    assert_eq!(tables.create_backup(FENCE, &name("people"), "one").await.unwrap_err().class, Class::NotFound);
    tables.delete(FENCE, &name("people")).await.unwrap();
}

pub async fn the_window_of_recovery_is_what_was_asked_for(backend: &Backend) {
    let tables = door(backend);
    let people = made(backend, "people").await.name;
    for days in [7, 35] {
        tables.set_continuous_backups(FENCE, &people, Some(days)).await.unwrap();
        let found = tables.continuous_backups(&people).await.unwrap().unwrap();
        assert_eq!((found.on, found.window_days), (true, days));
        assert!(found.earliest.unwrap() <= found.latest.unwrap());
        pass(backend).await;
    }
    tables.set_continuous_backups(FENCE, &people, None).await.unwrap();
    assert!(!tables.continuous_backups(&people).await.unwrap().unwrap().on);
    pass(backend).await;
    let refused = tables.set_continuous_backups(FENCE, &people, Some(36)).await.unwrap_err();
    assert_eq!(refused.class, Class::Invalid);
}

pub async fn a_backup_outlives_its_table_and_is_restored_to_another(backend: &Backend) {
    let tables = door(backend);
    let old = made(backend, "people").await;
    put(backend, "people", "a", "1").await;
    tables.update(FENCE, &old.name, &TableChange::Stream(Some(StreamView::NewImage))).await.unwrap();
    active(backend, &*tables, "people").await;
    let point = backed_up(backend, &*tables, "people", "landfast.one").await;
    assert_eq!((point.name.as_deref(), &point.table, &point.table_arn), (Some("landfast.one"), &old.name, &old.arn));
    let before = items(&*tables, "people").await;
    put(backend, "people", "a", "2").await;
    tables.delete(FENCE, &old.name).await.unwrap();
    gone(backend, &*tables, "people").await;
    let (described, kept) = tables.backup(&point.id).await.unwrap().unwrap();
    assert_eq!((described.id, kept.key.partition.0.as_str()), (point.id.clone(), "id"));
    assert_eq!((kept.billing, kept.stream), (Billing::OnDemand, Some(StreamView::NewImage)));
    let begun = tables.restore_backup(FENCE, &point.id, &name("again")).await.unwrap();
    assert_eq!(begun.status, TableStatus::Creating);
    let found = active(backend, &*tables, "again").await;
    let origin = found.restored.unwrap();
    assert_eq!((origin.point, origin.table), (Some(point.id.clone()), Some(old.arn)));
    assert!(!origin.in_progress && found.id != old.id);
    assert_eq!(found.stream, None, "*Restoring a table from a backup*: streams are not restored");
    assert_eq!(items(&*tables, "again").await, before);
    let taken = tables.restore_backup(FENCE, &point.id, &name("again")).await.unwrap_err();
    assert_eq!(taken.class, Class::Conflict);
    tables.delete_backup(FENCE, &point.id).await.unwrap();
    tables.delete_backup(FENCE, &point.id).await.unwrap();
    assert!(tables.backup(&point.id).await.unwrap().is_none());
    let missing = tables.restore_backup(FENCE, &point.id, &name("third")).await.unwrap_err();
    assert_eq!(missing.class, Class::NotFound);
}

pub async fn a_restore_to_a_moment_has_what_was_there_then(backend: &Backend) {
    let tables = door(backend);
    let old = made(backend, "people").await;
    let refused = tables.restore_to(FENCE, &old.arn, &name("never"), None).await.unwrap_err();
    assert_eq!(refused.class, Class::Invalid, "point-in-time recovery is off: {refused}");
    tables.set_continuous_backups(FENCE, &old.name, Some(35)).await.unwrap();
    put(backend, "people", "a", "1").await;
    let before = items(&*tables, "people").await;
    pass(backend).await;
    let then: Timestamp = backend.cx.now();
    pass(backend).await;
    put(backend, "people", "a", "2").await;
    put(backend, "people", "b", "1").await;
    pass(backend).await;
    let begun = tables.restore_to(FENCE, &old.arn, &name("then"), Some(then)).await.unwrap();
    assert_eq!(begun.status, TableStatus::Creating);
    tables.restore_to(FENCE, &old.arn, &name("latest"), None).await.unwrap();
    let found = active(backend, &*tables, "then").await;
    let origin = found.restored.unwrap();
    assert_eq!((origin.point, origin.table, origin.at.as_second()), (None, Some(old.arn.clone()), then.as_second()));
    assert!(!tables.continuous_backups(&name("then")).await.unwrap().unwrap().on);
    assert_eq!(items(&*tables, "then").await, before);
    active(backend, &*tables, "latest").await;
    assert_eq!(items(&*tables, "latest").await, items(&*tables, "people").await);
    let early = then - Duration::from_hours(24);
    let refused = tables.restore_to(FENCE, &old.arn, &name("early"), Some(early)).await.unwrap_err();
    assert_eq!(refused.class, Class::Invalid);
    let taken = tables.restore_to(FENCE, &old.arn, &name("then"), Some(then)).await.unwrap_err();
    assert_eq!(taken.class, Class::Conflict);
    let elsewhere = landfast::model::Scope { region: "us-west-2".parse().unwrap(), ..backend.scope() };
    let west = backend.cloud.tables(&elsewhere, backend.role.as_ref());
    west.restore_to(FENCE, &old.arn, &name("away"), Some(then)).await.unwrap();
    active(backend, &*west, "away").await;
    assert_eq!(items(&*west, "away").await, before);
}

pub async fn a_deleted_table_with_recovery_leaves_a_backup(backend: &Backend) {
    let tables = door(backend);
    let old = made(backend, "people").await;
    tables.set_continuous_backups(FENCE, &old.name, Some(7)).await.unwrap();
    put(backend, "people", "a", "1").await;
    tables.delete(FENCE, &old.name).await.unwrap();
    gone(backend, &*tables, "people").await;
    let left = all(|page| tables.backups(page)).await;
    assert_eq!(left.iter().map(|point| point.name.as_deref()).collect::<Vec<_>>(), [Some("people$DeletedTableBackup")]);
    assert_eq!(tables.delete_backup(FENCE, &left[0].id).await.unwrap_err().class, Class::Invalid);
}

pub async fn settings_are_changed_one_by_one(backend: &Backend) {
    let tables = door(backend);
    let people = made(backend, "people").await;
    tables.update(FENCE, &people.name, &TableChange::DeletionProtection(true)).await.unwrap();
    active(backend, &*tables, "people").await;
    assert_eq!(tables.delete(FENCE, &people.name).await.unwrap_err().class, Class::Invalid);
    let changes = [
        TableChange::DeletionProtection(false),
        TableChange::Class(TableClass::InfrequentAccess),
        TableChange::Stream(Some(StreamView::KeysOnly)),
        TableChange::Billing(Billing::Provisioned { read: 5, write: 5 }),
    ];
    for change in &changes {
        tables.update(FENCE, &people.name, change).await.unwrap();
        active(backend, &*tables, "people").await;
    }
    let found = active(backend, &*tables, "people").await;
    assert_eq!((found.class, found.stream), (TableClass::InfrequentAccess, Some(StreamView::KeysOnly)));
    assert_eq!(found.billing, Billing::Provisioned { read: 5, write: 5 });
    assert!(!found.deletion_protected);
    tables.update(FENCE, &people.name, &TableChange::Stream(None)).await.unwrap();
    assert_eq!(active(backend, &*tables, "people").await.stream, None);
    tables.set_time_to_live(FENCE, &people.name, "until", true).await.unwrap();
    assert_eq!(tables.time_to_live(&people.name).await.unwrap().attribute.as_deref(), Some("until"));
    let again = tables.set_time_to_live(FENCE, &people.name, "until", true).await.unwrap_err();
    assert_eq!(again.class, Class::Invalid);
    let many: BTreeMap<String, String> = (0..30).map(|number| (format!("k{number:02}"), "v".to_owned())).collect();
    tables.tag(FENCE, &people.arn, &many).await.unwrap();
    let read: BTreeMap<String, String> = all(|page| tables.tags(&people.arn, page)).await.into_iter().collect();
    assert_eq!(read, many);
    tables.tag(FENCE, &people.arn, &tags(&[("k00", "other")])).await.unwrap();
    assert!(all(|page| tables.tags(&people.arn, page)).await.contains(&("k00".to_owned(), "other".to_owned())));
    let body = r#"{"Version":"2012-10-17","Statement":[]}"#;
    tables.put_policy(FENCE, &people.arn, body).await.unwrap();
    assert_eq!(tables.policy(&people.arn).await.unwrap().as_deref(), Some(body));
}

pub async fn items_are_sampled_by_segment_and_read_by_key(backend: &Backend) {
    let tables = door(backend);
    let people = made(backend, "people").await;
    for number in 0..20 {
        put(backend, "people", &format!("id-{number:02}"), "1.50").await;
    }
    let mut sampled = Vec::new();
    for segment in 0..4 {
        sampled.extend(tables.sample(&people.name, &people.key, segment, 4, 100).await.unwrap());
    }
    let keys: BTreeSet<_> = sampled.iter().map(|item| item.key.clone()).collect();
    assert_eq!((sampled.len(), keys.len()), (20, 20), "each in one segment");
    let few = tables.sample(&people.name, &people.key, 0, 1, 3).await.unwrap();
    assert!((1..=3).contains(&few.len()));
    let (mut wanted, mut read): (Vec<_>, Vec<Item>) = (keys.into_iter().collect(), Vec::new());
    while !wanted.is_empty() {
        let answer = tables.items(&people.name, &wanted).await.unwrap();
        read.extend(answer.items);
        wanted = answer.unprocessed;
    }
    let order = |items: &mut Vec<Item>| items.sort_by(|one, other| one.key.cmp(&other.key));
    order(&mut sampled);
    order(&mut read);
    assert_eq!(read, sampled);
    put(backend, "people", "id-00", "1.51").await;
    let changed = tables.items(&people.name, &[sampled[0].key.clone()]).await.unwrap();
    assert_ne!(changed.items, [sampled[0].clone()], "what was written is another content");
}

pub async fn an_alarm_on_a_table_comes_back_as_it_was_put(backend: &Backend) {
    let tables = door(backend);
    let alarm = AlarmDefinition {
        name: "people-throttled".to_owned(),
        description: Some("Reads are throttled".to_owned()),
        namespace: "AWS/DynamoDB".to_owned(),
        metric: "ReadThrottleEvents".to_owned(),
        dimensions: tags(&[("TableName", "people")]),
        statistic: "Sum".to_owned(),
        period: 60,
        evaluation_periods: 3,
        datapoints: Some(2),
        threshold: "10.5".to_owned(),
        comparison: "GreaterThanThreshold".to_owned(),
        missing: Some("notBreaching".to_owned()),
        alarm_actions: [format!("arn:aws:sns:us-east-1:{}:alarms", backend.account)].into(),
        ok_actions: BTreeSet::new(),
        no_data_actions: BTreeSet::new(),
    };
    tables.put_alarm(FENCE, &alarm).await.unwrap();
    let other =
        AlarmDefinition { name: "of-a-queue".to_owned(), dimensions: tags(&[("QueueName", "q")]), ..alarm.clone() };
    tables.put_alarm(FENCE, &other).await.unwrap();
    let changed = AlarmDefinition { threshold: "11".to_owned(), ..alarm.clone() };
    tables.put_alarm(FENCE, &changed).await.unwrap();
    assert_eq!(all(|page| tables.alarms(page)).await, [changed]);
}

pub async fn what_is_scaled_comes_back_as_it_was_put(backend: &Backend) {
    if backend.is_emulator && !backend.is_moto {
        // It has no Application Auto Scaling: that is what the second opinion is asked for.
        return;
    }
    let tables = door(backend);
    let people = made(backend, "people").await;
    let policy = landfast::model::ScalingPolicy {
        name: "reads".to_owned(),
        metric: "DynamoDBReadCapacityUtilization".to_owned(),
        target_milli: 70_000,
        scale_in_cooldown: Some(60),
        scale_out_cooldown: None,
        only_out: false,
    };
    let target = landfast::model::ScalingTarget {
        index: None,
        writes: false,
        min: 5,
        max: 50,
        role: None,
        policies: vec![policy],
    };
    assert!(tables.scaling(&people).await.unwrap().is_empty());
    tables.put_scaling(FENCE, &people.name, &target).await.unwrap();
    tables.put_scaling(FENCE, &people.name, &target).await.unwrap();
    assert_eq!(tables.scaling(&people).await.unwrap(), [target]);
}

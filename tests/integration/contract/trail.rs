//! Who has changed what (AWS: *Working with CloudTrail event history*).
//!
//! Of the emulators only ministack tells it, of some services, at once and on one page; moto does not know
//! `LookupEvents`. That events come late, and on pages, is left to the simulation.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use landfast::model::{Deed, Scope, StackName, StackOptions};
use landfast::ports::{CreateStack, TemplateSource, Trail};

use super::{Backend, all, create};

/// As many as one answer holds (AWS: *`LookupEvents`*, `MaxResults`).
const PAGE: usize = 50;

const TABLE: &str = "contract-trail";

const TEMPLATE: &str = r#"AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: contract-trail
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
"#;

/// A stack with a table, the trail, and since when it is asked.
async fn deployed(backend: &Backend) -> (StackName, Arc<dyn Trail>, Timestamp) {
    let began = backend.cx.now();
    let request = CreateStack {
        template: TemplateSource::Body(TEMPLATE.into()),
        options: StackOptions::default(),
        ..create("trail")
    };
    let stack = backend.created(&*backend.stacks(), request).await;
    (stack.name, backend.cloud.trail(&backend.scope(), None), began)
}

async fn changes(backend: &Backend, stack: &StackName, count: usize) {
    for number in 0..count {
        backend.workshop.protect(stack, "Table", &TABLE.parse().unwrap(), number % 2 == 0).await;
        backend.cx.sleep(backend.interval).await;
    }
}

/// The calls that changed something, once there are as many: they are told minutes late.
async fn told(backend: &Backend, trail: &dyn Trail, since: Timestamp, count: usize) -> Vec<Deed> {
    let deadline = backend.cx.elapsed() + Duration::from_mins(15);
    loop {
        let deeds = all(|page| trail.deeds(TABLE, since, page)).await;
        let changes: Vec<Deed> = deeds.into_iter().filter(|deed| !deed.reads).collect();
        if changes.len() >= count {
            return changes;
        }
        assert!(backend.cx.elapsed() < deadline, "{count} changes, and told are {changes:?}");
        backend.cx.sleep(backend.interval).await;
    }
}

pub async fn what_somebody_changed_is_told_newest_first_with_who_it_was(backend: &Backend) {
    let (stack, trail, began) = deployed(backend).await;
    changes(backend, &stack, 2).await;
    let deeds = told(backend, &*trail, began, 2).await;
    let [newer, older] = deeds.as_slice() else { panic!("{deeds:?}") };
    for deed in &deeds {
        assert_eq!(deed.call, "UpdateTable");
        assert!(deed.actor.starts_with("arn:aws:iam::") && deed.actor.contains(backend.account.as_str()), "{deed:?}");
        assert!(deed.from.is_some() && deed.at >= began, "{deed:?}");
    }
    assert!(newer.at > older.at && newer.id != older.id, "{deeds:?}");
    // Seconds are as fine as it can be asked.
    backend.cx.sleep(Duration::from_secs(2)).await;
    let later = all(|page| trail.deeds(TABLE, backend.cx.now(), page)).await;
    assert!(later.is_empty(), "{later:?} was before that");
}

pub async fn a_call_that_only_reads_is_told_as_one_if_at_all(backend: &Backend) {
    let (stack, trail, began) = deployed(backend).await;
    let tables = backend.cloud.tables(&backend.scope(), None);
    tables.describe(&TABLE.parse().unwrap()).await.unwrap().unwrap();
    changes(backend, &stack, 1).await;
    assert_eq!(told(backend, &*trail, began, 1).await.len(), 1);
    let deeds = all(|page| trail.deeds(TABLE, began, page)).await;
    assert!(deeds.iter().all(|deed| deed.reads == deed.call.starts_with("Describe")), "{deeds:?}");
    // The simulation tells of changes alone.
    assert_eq!(deeds.iter().any(|deed| deed.reads), backend.is_emulator, "{deeds:?}");
}

pub async fn of_another_resource_or_region_nothing_is_told(backend: &Backend) {
    let (stack, trail, began) = deployed(backend).await;
    changes(backend, &stack, 1).await;
    told(backend, &*trail, began, 1).await;
    // The whole name, and not how it begins.
    for other in ["contract-trail-2", "contract"] {
        assert_eq!(all(|page| trail.deeds(other, began, page)).await, []);
    }
    let elsewhere = Scope { region: "eu-west-1".parse().unwrap(), ..backend.scope() };
    let elsewhere = backend.cloud.trail(&elsewhere, None);
    assert_eq!(all(|page| elsewhere.deeds(TABLE, began, page)).await, []);
}

pub async fn every_change_is_told_once_however_many_pages_it_takes(backend: &Backend) {
    let (stack, trail, began) = deployed(backend).await;
    changes(backend, &stack, PAGE + 5).await;
    if backend.is_emulator {
        let first = trail.deeds(TABLE, began, None).await.unwrap();
        assert_eq!((first.items.len(), first.next), (PAGE, None), "the emulator has learnt pages: hold it to the rest");
        return;
    }
    let deeds = told(backend, &*trail, began, PAGE + 5).await;
    let first = trail.deeds(TABLE, began, None).await.unwrap();
    assert!(first.next.is_some() && first.items.len() <= PAGE, "one page has {}", first.items.len());
    let ids: std::collections::BTreeSet<&str> = deeds.iter().map(|deed| deed.id.as_str()).collect();
    assert_eq!((deeds.len(), ids.len()), (PAGE + 5, PAGE + 5));
    assert!(deeds.is_sorted_by(|newer, older| newer.at > older.at), "newest first, over all pages");
}

//! Faults on the wire, under the whole loop. In this process, because the program takes no HTTP client.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use landfast::context::Context;
use landfast::controller::{Controller, Ended, Tender, Until};
use landfast::manifest;
use landfast::plan::Goal;
use landfast::store::Store;

use super::place::Place;
use crate::contract::events;
use crate::faults::{Fault, Faults};

/// Carries `dev` to what the manifests say, through these faults.
async fn settle(place: &Place, store: &Store, faults: &Faults) {
    let snapshot = landfast::source::read(&place.manifests()).unwrap();
    let revision = store.revise(&snapshot.content, None).unwrap();
    let loaded = manifest::load(&snapshot, revision);
    assert!(loaded.broken.is_empty(), "{:?}", loaded.diagnostics);
    let cloud = Arc::new(place.account.cloud(Some(faults.client())).await);
    let controller = Controller::new(Context::system().unwrap(), cloud, store.clone(), Arc::new(|_, _| {}));
    controller.board.publish(loaded.desired, &BTreeSet::new());
    let tender = Tender::new(&controller, "dev".parse().unwrap(), Goal::Converge, Until::Settled);
    let Ended::Settled(plan) = tender.run().await.unwrap() else { panic!("it was stopped") };
    assert!(plan.in_sync(), "{plan:#?}");
}

#[tokio::test]
async fn throttled_delayed_and_unanswered_it_does_everything_once() {
    let Some(place) = Place::new(Duration::ZERO) else { return };
    let store = Store::in_memory(&Context::system().unwrap()).unwrap();
    let faults = Faults::none()
        .on("DescribeStacks", 2..=4, Fault::Throttled)
        .on("DescribeStacks", 9..=9, Fault::Unavailable)
        .on("CreateStack", 1..=1, Fault::AnswerLost)
        .on("CreateStack", 4..=4, Fault::Unavailable)
        .on("CreateStack", 7..=7, Fault::AnswerLost)
        .on("CreateStack", 9..=9, Fault::Late(Duration::from_secs(1)));
    settle(&place, &store, &faults).await;
    let created = place.list().await;
    assert_eq!(created.len(), 12);
    let stacks = place.stacks().await;
    for stack in created.values() {
        let begun = events(&*stacks, &stack.id).await;
        let begun = begun.iter().filter(|event| event.resource == stack.name.as_str());
        assert_eq!(begun.filter(|event| event.status == "CREATE_IN_PROGRESS").count(), 1, "{}", stack.name);
    }
    assert!(faults.calls("CreateStack") <= 15, "{}", faults.calls("CreateStack"));

    // An update, whose answers are lost as well.
    place.edit("environments/dev/dev-parameters.json", r#""LogRetentionDays": "7""#, r#""LogRetentionDays": "14""#);
    let faults = Faults::none()
        .on("CreateChangeSet", 1..=1, Fault::AnswerLost)
        .on("CreateChangeSet", 3..=3, Fault::Throttled)
        .on("DescribeChangeSet", 2..=2, Fault::Unavailable)
        .on("ExecuteChangeSet", 1..=1, Fault::AnswerLost)
        .on("ExecuteChangeSet", 3..=3, Fault::Unavailable)
        .on("DescribeStackEvents", 1..=2, Fault::Throttled);
    settle(&place, &store, &faults).await;
    let updated = place.list().await;
    let moved = updated.iter().filter(|(name, stack)| stack.updated != created[*name].updated);
    assert_eq!(moved.count(), 6);
    for (name, stack) in &updated {
        let history = events(&*stacks, &stack.id).await;
        let own = history.iter().filter(|event| event.resource == stack.name.as_str());
        let begun = own.filter(|event| event.status == "UPDATE_IN_PROGRESS").count();
        assert_eq!(begun, usize::from(stack.updated != created[name].updated), "{name}");
    }
}

//! What is stuck, and the ways out of it (AWS: *Continue rolling back an update*; *`DeleteStack`*, `RetainResources`).

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::model::ResourceDriftStatus;
use crate::ports::Class;

/// A queue and a table, neither of which needs the other; the table takes longer.
const BESIDE: &str = "
Parameters:
  Size: { Type: String, Default: small }
Resources:
  Queue: { Type: AWS::SQS::Queue, Properties: { Note: !Ref Size } }
  Table: { Type: AWS::DynamoDB::Table, Properties: { BillingMode: PAY_PER_REQUEST, Note: !Ref Size } }
";

fn names(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

/// A stack whose rollback fails on the queue as often as it is tried, and takes the table with it.
fn stuck() -> (Rig, StackId) {
    let rig = Rig::new();
    let id = rig.deployed("one", BESIDE);
    rig.fail("Queue", ResourceOperation::Update, 99);
    rig.update(&id, "c1", &BESIDE.replace("small", "large"));
    assert_eq!(rig.status_after("one", 5), StackStatus::UpdateRollbackFailed);
    (rig, id)
}

/// The last that happened to each resource: its status and why.
fn last(rig: &Rig, id: &StackId, resource: &str) -> (String, String) {
    let event = rig.events(id).into_iter().find(|event| event.resource == resource).unwrap();
    (event.status, event.reason.unwrap_or_default())
}

#[test]
fn a_rollback_that_fails_cancels_what_else_is_on_its_way_and_says_which_is_which() {
    let (rig, id) = stuck();
    let (queue, table) = (last(&rig, &id, "Queue"), last(&rig, &id, "Table"));
    assert_eq!((queue.0.as_str(), table.0.as_str()), ("UPDATE_FAILED", "UPDATE_FAILED"));
    assert!(queue.1.contains("no capacity"), "{queue:?}");
    assert_eq!(table.1, "Resource update cancelled");
    assert!(rig.state("one").status_reason.unwrap().contains("[Queue, Table]"), "both are in the stack's reason");
}

#[test]
fn only_what_the_rollback_failed_on_can_be_skipped() {
    let (rig, id) = stuck();
    for wrong in [&["Table"][..], &["Queue", "Table"], &["Nothing"]] {
        let refused = rig.run(rig.stacks.continue_rollback(FENCE, &id, &names(wrong), "go-on")).unwrap_err();
        assert_eq!(refused.class, Class::Invalid, "{wrong:?}: {refused}");
    }
    assert_eq!(rig.state("one").status, StackStatus::UpdateRollbackFailed, "what is refused changes nothing");
}

#[test]
fn what_is_skipped_stays_as_it_is_and_is_not_what_the_stack_takes_it_for() {
    let (rig, id) = stuck();
    rig.run(rig.stacks.continue_rollback(FENCE, &id, &names(&["Queue"]), "go-on")).unwrap();
    assert_eq!(rig.status_after("one", 5), StackStatus::UpdateRollbackComplete);
    assert_eq!(last(&rig, &id, "Queue").0, "UPDATE_COMPLETE");
    let drift = rig.cloud.drift(&rig.scope, None);
    let listed = rig.run(drift.resources(&id, None)).unwrap().items;
    assert!(listed.iter().all(|resource| resource.drift == ResourceDriftStatus::NotChecked), "{listed:?}");
    rig.run(drift.detect(&id)).unwrap();
    rig.pass(Duration::from_mins(1));
    let found = rig.run(async {
        let detection = drift.detect(&id).await.unwrap();
        rig.cx.sleep(Duration::from_mins(1)).await;
        drift.detection(&detection).await.unwrap();
        drift.drifts(&id, None).await.unwrap().items
    });
    let queue = found.iter().find(|drift| drift.resource == "Queue").unwrap();
    assert_eq!(queue.status, ResourceDriftStatus::Modified);
    assert_eq!((queue.differences[0].expected.as_str(), queue.differences[0].live.as_str()), ("small", "large"));
    let table = found.iter().find(|drift| drift.resource == "Table").unwrap();
    assert_eq!(table.status, ResourceDriftStatus::InSync);
}

#[test]
fn an_update_fails_on_what_was_skipped_until_a_drift_aware_change_set_has_brought_it_into_step() {
    let (rig, id) = stuck();
    rig.run(rig.stacks.continue_rollback(FENCE, &id, &names(&["Queue"]), "go-on")).unwrap();
    assert_eq!(rig.status_after("one", 5), StackStatus::UpdateRollbackComplete);
    rig.cloud.clear_faults();
    rig.update(&id, "c2", &BESIDE.replace("small", "huge"));
    assert_eq!(
        rig.status_after("one", 5),
        StackStatus::UpdateRollbackComplete,
        "it is not in the state it is taken for"
    );

    let again = CreateChangeSet {
        template: TemplateSource::Previous,
        options: StackOptions { parameters: [("Size".to_owned(), Value::Previous)].into(), ..StackOptions::default() },
        nested: false,
        mode: DeploymentMode::RevertDrift,
        ..change(&id, "c3", "")
    };
    let (set, state) = rig.change_set(again);
    assert_eq!(state.changes.iter().map(|change| change.resource.as_str()).collect::<Vec<_>>(), ["Queue"]);
    rig.run(rig.stacks.execute_change_set(FENCE, &set, "c3")).unwrap();
    assert_eq!(rig.status_after("one", 5), StackStatus::UpdateComplete);
    rig.update(&id, "c4", &BESIDE.replace("small", "huge"));
    assert_eq!(rig.status_after("one", 5), StackStatus::UpdateComplete);
}

#[test]
fn a_failed_deletion_names_everything_that_blocks_it_and_goes_on_without() {
    let rig = Rig::new();
    let id = rig.deployed("one", TWO);
    let bucket = rig.state("one").outputs["Bucket"].value.clone();
    rig.console.put_object(&bucket, "a", "b");
    let early = rig.run(rig.stacks.delete(FENCE, &id, &names(&["Data"]), "d0")).unwrap_err();
    assert_eq!(early.class, Class::Invalid, "only where a deletion has failed: {early}");
    rig.fail("Table", ResourceOperation::Delete, 1);
    rig.run(rig.stacks.delete(FENCE, &id, &BTreeSet::new(), "d1")).unwrap();
    assert_eq!(rig.status_after("one", 5), StackStatus::DeleteFailed);
    assert!(last(&rig, &id, "Table").1.contains("no capacity"));

    rig.run(rig.stacks.delete(FENCE, &id, &BTreeSet::new(), "d2")).unwrap();
    assert_eq!(rig.status_after("one", 5), StackStatus::DeleteFailed);
    assert!(last(&rig, &id, "Data").1.contains("not empty"), "what is behind the first is found next");

    rig.run(rig.stacks.delete(FENCE, &id, &names(&["Data"]), "d3")).unwrap();
    rig.pass(Duration::from_mins(1));
    assert_eq!(rig.events(&id)[0].status, "DELETE_COMPLETE");
    assert_eq!(last(&rig, &id, "Data").0, "DELETE_SKIPPED");
}

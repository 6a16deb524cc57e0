//! The ways a stack goes (AWS: *Stack status codes*).

use std::time::Duration;

use super::{FENCE, Rig, TWO, change, map, request, stack_name};
use crate::model::{ChangeSetStatus, OnFailure, StackStatus};
use crate::ports::{Class, CreateStack};
use crate::sim::{Counts, ImportOutcome, ResourceOperation};

/// `TWO` with other properties for both resources.
fn changed() -> String {
    TWO.replace("PAY_PER_REQUEST", "PROVISIONED").replace("Note:", "Remark:")
}

#[test]
fn a_stack_is_created_in_the_order_of_its_dependencies_and_all_events_carry_the_token() {
    let rig = Rig::new();
    let id = rig.create(request("one", TWO)).unwrap();
    assert_eq!(rig.state("one").status, StackStatus::CreateInProgress);
    // The bucket takes 20 s and the table 30 s more.
    rig.pass(Duration::from_secs(45));
    assert_eq!(rig.state("one").status, StackStatus::CreateInProgress);
    rig.pass(Duration::from_secs(10));
    let state = rig.state("one");
    assert_eq!(state.status, StackStatus::CreateComplete);
    assert!(state.outputs["Bucket"].value.starts_with("one-data-"));
    assert_eq!(state.updated, None);
    let events = rig.events(&id);
    assert!(events.iter().all(|event| event.token.as_deref() == Some("create-one")));
    assert_eq!((events[0].resource.as_str(), events[0].status.as_str()), ("one", "CREATE_COMPLETE"));
    let at = |resource: &str, status: &str| {
        events.iter().rev().find(|event| event.resource == resource && event.status == status).unwrap().at
    };
    assert!(at("Data", "CREATE_COMPLETE") <= at("Table", "CREATE_IN_PROGRESS"));
    assert!(events.windows(2).all(|pair| pair[0].at >= pair[1].at));
}

#[test]
fn a_failed_creation_is_rolled_back_and_can_only_be_deleted() {
    let rig = Rig::new();
    rig.fail("Table", ResourceOperation::Create, 1);
    let id = rig.create(request("one", TWO)).unwrap();
    assert_eq!(rig.status_after("one", 5), StackStatus::RollbackComplete);
    assert_eq!(rig.passed_through(&id), ["CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"]);
    let failure = rig.events(&id).into_iter().find(|event| event.status == "CREATE_FAILED").unwrap();
    assert!(failure.reason.unwrap().contains("HandlerErrorCode: NotStabilized"));
    let record = rig.cloud.inventory();
    assert!(record.stack("one").unwrap().resources.is_empty());
    let refused = rig.run(rig.stacks.create_change_set(FENCE, change(&id, "c1", TWO))).unwrap_err();
    assert_eq!(refused.class, Class::Conflict);
    rig.run(rig.stacks.delete(FENCE, &id, &std::collections::BTreeSet::new(), "d")).unwrap();
    rig.pass(Duration::from_mins(1));
    assert!(rig.run(rig.stacks.describe(&stack_name("one"))).unwrap().is_none());
    assert_eq!(rig.events(&id)[0].status, "DELETE_COMPLETE");
}

#[test]
fn a_failed_creation_is_deleted_or_left_as_it_is_if_asked_for() {
    let rig = Rig::new();
    rig.fail("Table", ResourceOperation::Create, 2);
    let mut wanted = request("gone", TWO);
    wanted.on_failure = OnFailure::Delete;
    let gone = rig.create(wanted).unwrap();
    let mut wanted = request("kept", TWO);
    wanted.on_failure = OnFailure::Nothing;
    rig.create(wanted).unwrap();
    rig.pass(Duration::from_mins(5));
    assert!(rig.run(rig.stacks.describe(&stack_name("gone"))).unwrap().is_none());
    assert_eq!(rig.passed_through(&gone), ["CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"]);
    assert_eq!(rig.state("kept").status, StackStatus::CreateFailed);
    assert!(rig.cloud.inventory().stack("kept").unwrap().resources.contains_key("Data"));
}

#[test]
fn a_rollback_that_fails_leaves_rollback_failed_and_deleting_again_finishes() {
    let rig = Rig::new();
    let mut faults = crate::sim::FaultPlan::default();
    for (resource, operation) in [("Table", ResourceOperation::Create), ("Data", ResourceOperation::Delete)] {
        faults.resources.push(crate::sim::ResourceFault {
            stack: "one".into(),
            resource: resource.into(),
            operation,
            what: crate::sim::ResourceFailure::Fails { reason: "no".into(), code: "InternalFailure".into() },
            times: 1,
        });
    }
    rig.cloud.set_faults(faults);
    let id = rig.create(request("one", TWO)).unwrap();
    assert_eq!(rig.status_after("one", 5), StackStatus::RollbackFailed);
    rig.run(rig.stacks.delete(FENCE, &id, &std::collections::BTreeSet::new(), "d")).unwrap();
    rig.pass(Duration::from_mins(1));
    assert_eq!(rig.passed_through(&id).last().unwrap(), "DELETE_COMPLETE");
    assert_eq!(rig.cloud.inventory().stacks[0].counts["Data"], Counts { creates: 1, updates: 0, deletes: 1 });
}

#[test]
fn a_creation_that_takes_too_long_is_rolled_back() {
    let rig = Rig::new();
    rig.stick("Table", ResourceOperation::Create);
    let mut wanted = request("one", TWO);
    wanted.timeout = Some(Duration::from_mins(10));
    let id = rig.create(wanted).unwrap();
    assert_eq!(rig.status_after("one", 9), StackStatus::CreateInProgress);
    assert_eq!(rig.status_after("one", 5), StackStatus::RollbackComplete);
    let why = rig.events(&id).into_iter().find(|event| event.status == "ROLLBACK_IN_PROGRESS").unwrap().reason.unwrap();
    assert!(why.contains("timeout"), "{why}");
}

#[test]
fn an_update_passes_through_cleanup_and_moves_the_stack_when_it_starts() {
    let rig = Rig::new();
    let id = rig.deployed("one", TWO);
    let before = rig.state("one");
    rig.update(&id, "c1", &changed());
    let during = rig.state("one");
    assert_eq!(during.status, StackStatus::UpdateInProgress);
    assert!(during.version() > before.version());
    assert_eq!(rig.status_after("one", 5), StackStatus::UpdateComplete);
    assert_eq!(rig.state("one").version(), during.version());
    let path = rig.passed_through(&id);
    assert_eq!(path[2..], ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"]);
    assert_eq!(
        rig.cloud.inventory().stack("one").unwrap().counts["Table"],
        Counts { creates: 1, updates: 1, deletes: 0 }
    );
    assert!(rig.cloud.inventory().leftovers().is_empty(), "AWS deletes all change sets after one was executed");
}

#[test]
fn a_replacement_makes_the_new_resource_first_and_deletes_the_old_one_last() {
    let rig = Rig::new();
    let id = rig.deployed("one", TWO);
    let bucket = rig.state("one").outputs["Bucket"].value.clone();
    rig.update(&id, "c1", &TWO.replace("Note:", "BucketName: other, Note:"));
    assert_eq!(rig.status_after("one", 5), StackStatus::UpdateComplete);
    assert_eq!(rig.state("one").outputs["Bucket"].value, "other");
    let events = rig.events(&id);
    let at = |physical: &str, status: &str| {
        events.iter().find(|e| e.physical_id.as_deref() == Some(physical) && e.status == status).map(|e| e.at).unwrap()
    };
    assert!(at("other", "UPDATE_COMPLETE") < at(&bucket, "DELETE_COMPLETE"));
    let counts = rig.cloud.inventory().stack("one").unwrap().counts.clone();
    assert_eq!(counts["Data"], Counts { creates: 2, updates: 0, deletes: 1 });
    assert_eq!(counts["Table"], Counts { creates: 1, updates: 1, deletes: 0 });
}

#[test]
fn a_failed_update_goes_back_to_what_was_before() {
    let rig = Rig::new();
    let id = rig.deployed("one", TWO);
    let before = rig.cloud.inventory();
    rig.fail("Table", ResourceOperation::Update, 1);
    let with_more = format!("{}\n", changed()).replace("Outputs:", "  More: { Type: AWS::SQS::Queue }\nOutputs:");
    rig.update(&id, "c1", &with_more);
    assert_eq!(rig.status_after("one", 5), StackStatus::UpdateRollbackComplete);
    assert_eq!(
        rig.passed_through(&id)[2..],
        [
            "UPDATE_IN_PROGRESS",
            "UPDATE_ROLLBACK_IN_PROGRESS",
            "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
            "UPDATE_ROLLBACK_COMPLETE"
        ]
    );
    let after = rig.cloud.inventory();
    let (before, after) = (before.stack("one").unwrap(), after.stack("one").unwrap());
    assert_eq!(after.resources, before.resources);
    assert_eq!(after.template, before.template);
    assert_eq!(after.state.outputs, before.state.outputs);
    assert_eq!(after.counts["More"], Counts { creates: 1, updates: 0, deletes: 1 });
}

#[test]
fn a_replacement_is_rolled_back_to_the_old_resource() {
    let rig = Rig::new();
    let id = rig.deployed("one", TWO);
    let before = rig.cloud.inventory().stack("one").unwrap().resources.clone();
    rig.fail("Table", ResourceOperation::Update, 1);
    rig.update(&id, "c1", &TWO.replace("Note:", "BucketName: other, Note:"));
    assert_eq!(rig.status_after("one", 5), StackStatus::UpdateRollbackComplete);
    assert_eq!(rig.cloud.inventory().stack("one").unwrap().resources, before);
    // Its name is free again.
    rig.deployed("two", "Resources: { B: { Type: AWS::S3::Bucket, Properties: { BucketName: other } } }");
}

#[test]
fn a_rollback_that_fails_is_continued_and_by_nothing_else_ended() {
    let rig = Rig::new();
    let id = rig.deployed("one", TWO);
    let mut faults = crate::sim::FaultPlan::default();
    faults.resources.push(crate::sim::ResourceFault {
        stack: "one".into(),
        resource: "*".into(),
        operation: ResourceOperation::Update,
        what: crate::sim::ResourceFailure::Fails { reason: "no".into(), code: "InternalFailure".into() },
        times: 2,
    });
    rig.cloud.set_faults(faults);
    rig.update(&id, "c1", &changed());
    assert_eq!(rig.status_after("one", 5), StackStatus::UpdateRollbackFailed);
    let refused = rig.run(rig.stacks.create_change_set(FENCE, change(&id, "c2", TWO))).unwrap_err();
    assert_eq!(refused.class, Class::Conflict);
    rig.run(rig.stacks.continue_rollback(FENCE, &id, &std::collections::BTreeSet::new(), "go-on")).unwrap();
    assert_eq!(rig.state("one").status, StackStatus::UpdateRollbackInProgress);
    assert_eq!(
        rig.run(rig.stacks.continue_rollback(FENCE, &id, &std::collections::BTreeSet::new(), "again"))
            .unwrap_err()
            .class,
        Class::Conflict
    );
    assert_eq!(rig.status_after("one", 5), StackStatus::UpdateRollbackComplete);
    assert_eq!(rig.events(&id)[0].token.as_deref(), Some("go-on"));
}

#[test]
fn an_update_without_rollback_stops_where_it_failed_and_can_be_tried_again() {
    let rig = Rig::new();
    let id = rig.deployed("one", TWO);
    rig.fail("Table", ResourceOperation::Update, 1);
    rig.console.update_template_without_rollback(&stack_name("one"), &changed()).unwrap();
    assert_eq!(rig.status_after("one", 5), StackStatus::UpdateFailed);
    rig.update(&id, "c2", &TWO.replace("PAY_PER_REQUEST", "PROVISIONED"));
    assert_eq!(rig.status_after("one", 5), StackStatus::UpdateComplete);
}

#[test]
fn only_a_running_update_can_be_cancelled_even_if_it_is_stuck() {
    let rig = Rig::new();
    let id = rig.deployed("one", TWO);
    assert_eq!(rig.run(rig.stacks.cancel_update(FENCE, &id, "x")).unwrap_err().class, Class::Conflict);
    rig.stick("Data", ResourceOperation::Update);
    rig.update(&id, "c1", &changed());
    assert_eq!(rig.status_after("one", 600), StackStatus::UpdateInProgress);
    rig.run(rig.stacks.cancel_update(FENCE, &id, "x")).unwrap();
    assert_eq!(rig.status_after("one", 5), StackStatus::UpdateRollbackComplete);
}

#[test]
fn what_is_stuck_goes_on_when_it_is_released() {
    let rig = Rig::new();
    rig.stick("Data", ResourceOperation::Create);
    rig.create(request("one", TWO)).unwrap();
    assert_eq!(rig.status_after("one", 600), StackStatus::CreateInProgress);
    rig.console.release(&stack_name("one")).unwrap();
    assert_eq!(rig.status_after("one", 5), StackStatus::CreateComplete);
}

#[test]
fn a_full_bucket_fails_the_deletion_and_an_empty_one_does_not() {
    let rig = Rig::new();
    let id = rig.deployed("one", TWO);
    let bucket = rig.state("one").outputs["Bucket"].value.clone();
    rig.console.put_object(&bucket, "a", "b");
    rig.run(rig.stacks.delete(FENCE, &id, &std::collections::BTreeSet::new(), "d1")).unwrap();
    assert_eq!(rig.state("one").status, StackStatus::DeleteInProgress);
    assert_eq!(rig.status_after("one", 5), StackStatus::DeleteFailed);
    rig.console.empty_bucket(&bucket);
    rig.run(rig.stacks.delete(FENCE, &id, &std::collections::BTreeSet::new(), "d2")).unwrap();
    rig.pass(Duration::from_mins(1));
    assert_eq!(rig.events(&id)[0].status, "DELETE_COMPLETE");
}

#[test]
fn a_deleted_stack_is_gone_by_name_and_its_id_is_never_used_again() {
    let rig = Rig::new();
    let id = rig.deployed("one", TWO);
    rig.run(rig.stacks.delete(FENCE, &id, &std::collections::BTreeSet::new(), "d")).unwrap();
    rig.run(rig.stacks.delete(FENCE, &id, &std::collections::BTreeSet::new(), "d")).unwrap();
    rig.pass(Duration::from_mins(2));
    assert!(rig.run(rig.stacks.list(None)).unwrap().items.is_empty());
    rig.run(rig.stacks.delete(FENCE, &id, &std::collections::BTreeSet::new(), "d")).unwrap();
    let same_token = rig.create(request("one", TWO)).unwrap_err();
    assert_eq!(same_token.code.as_deref(), Some("TokenAlreadyExistsException"), "a token is for one stack");
    let again = rig.create(CreateStack { token: "again".to_owned(), ..request("one", TWO) }).unwrap();
    rig.pass(Duration::from_mins(2));
    assert_ne!(id, again);
    assert_eq!(rig.events(&id)[0].status, "DELETE_COMPLETE");
    rig.run(rig.stacks.delete(FENCE, &id, &std::collections::BTreeSet::new(), "late")).unwrap();
    assert_eq!(rig.state("one").status, StackStatus::CreateComplete, "an old id does not reach the new stack");
}

#[test]
fn a_stack_that_is_being_created_can_be_deleted_and_leaves_nothing() {
    let rig = Rig::new();
    let id = rig.create(request("one", TWO)).unwrap();
    rig.pass(Duration::from_secs(25));
    rig.run(rig.stacks.delete(FENCE, &id, &std::collections::BTreeSet::new(), "d")).unwrap();
    rig.pass(Duration::from_mins(5));
    assert_eq!(rig.passed_through(&id).last().unwrap(), "DELETE_COMPLETE");
    assert!(rig.cloud.inventory().stacks[0].resources.is_empty());
}

#[test]
fn imports_and_reviews_have_their_own_statuses() {
    let rig = Rig::new();
    for (name, outcome, end) in [
        ("one", ImportOutcome::Complete, StackStatus::ImportComplete),
        ("two", ImportOutcome::RolledBack, StackStatus::ImportRollbackComplete),
        ("three", ImportOutcome::RollbackFailed, StackStatus::ImportRollbackFailed),
    ] {
        let id = rig.deployed(name, TWO);
        rig.console.import(&stack_name(name), outcome).unwrap();
        assert_eq!(rig.state(name).status, StackStatus::ImportInProgress);
        assert_eq!(rig.status_after(name, 1), end);
        assert!(
            end == StackStatus::ImportComplete
                || rig.passed_through(&id).contains(&"IMPORT_ROLLBACK_IN_PROGRESS".to_owned())
        );
    }
    let id = rig.console.review(&stack_name("shell"), TWO).unwrap();
    assert_eq!(rig.state("shell").status, StackStatus::ReviewInProgress);
    assert_eq!(rig.cloud.inventory().leftovers(), ["shell shell"]);
    assert_eq!(rig.create(request("shell", TWO)).unwrap_err().class, Class::Conflict);
    rig.run(rig.stacks.delete(FENCE, &id, &std::collections::BTreeSet::new(), "d")).unwrap();
    rig.pass(Duration::from_mins(1));
    assert!(rig.cloud.inventory().leftovers().is_empty());
}

#[test]
fn what_is_retained_stays_and_keeps_its_name() {
    let rig = Rig::new();
    let kept =
        "Resources: { T: { Type: AWS::DynamoDB::Table, DeletionPolicy: Retain, Properties: { TableName: people } } }";
    let id = rig.deployed("one", kept);
    rig.run(rig.stacks.delete(FENCE, &id, &std::collections::BTreeSet::new(), "d")).unwrap();
    rig.pass(Duration::from_mins(1));
    assert_eq!(rig.events(&id).iter().filter(|event| event.status == "DELETE_SKIPPED").count(), 1);
    rig.create(request("two", kept)).unwrap();
    assert_eq!(rig.status_after("two", 5), StackStatus::RollbackComplete, "the table's name is taken");
}

#[test]
fn somebody_else_at_the_console_is_not_us() {
    let rig = Rig::new();
    let id = rig.deployed("one", TWO);
    rig.console.update_parameters(&stack_name("one"), &map(&[("Size", "large")])).unwrap();
    assert_eq!(rig.state("one").status, StackStatus::UpdateInProgress);
    assert_eq!(rig.status_after("one", 5), StackStatus::UpdateComplete);
    assert_eq!(rig.state("one").parameters["Size"], "large");
    assert!(rig.events(&id)[0].token.as_ref().unwrap().starts_with("Console-"));
    let again = rig.console.update_parameters(&stack_name("one"), &map(&[("Size", "large")])).unwrap_err();
    assert!(again.message.contains("No updates are to be performed"));
    rig.console.set_tag(&stack_name("one"), "owner", "me").unwrap();
    assert_eq!(rig.status_after("one", 5), StackStatus::UpdateComplete);
    let (_, state) = rig.change_set(change(&id, "c1", TWO));
    assert_eq!(state.status, ChangeSetStatus::Available, "the tag and the parameter would go back");
}

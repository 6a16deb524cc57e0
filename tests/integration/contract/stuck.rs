//! Stacks that are stuck, and what they go on without.

use std::collections::BTreeSet;
use std::time::Duration;

use landfast::model::{StackId, StackOptions, StackState, StackStatus, TableName};
use landfast::ports::{Class, CreateChangeSet, CreateStack, TemplateSource};
use landfast::sim::{FaultPlan, ResourceFailure, ResourceFault, ResourceOperation};

use super::{Backend, FENCE, change, create, events};

const HEAD: &str = r#"AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Queue:
    Type: AWS::SQS::Queue
"#;

fn table(resource: &str, name: &str, more: &str) -> String {
    format!(
        "  {resource}:\n    Type: AWS::DynamoDB::Table\n    Properties:\n      TableName: {name}\n      BillingMode: PAY_PER_REQUEST\n      \
         AttributeDefinitions: [{{ AttributeName: id, AttributeType: S }}]\n      KeySchema: [{{ AttributeName: id, \
         KeyType: HASH }}]\n      {more}\n"
    )
}

/// What the update cannot make, after a while in which somebody can do something: the emulator waits in vain for a
/// signal, and the simulation, where nobody has to signal, finds the name taken.
const FAILS: &str = r"  Handle:
    Type: AWS::CloudFormation::WaitConditionHandle
  Gate:
    Type: AWS::CloudFormation::WaitCondition
    DependsOn: Table
    Properties: { Handle: !Ref Handle, Timeout: 3 }
  Taken:
    Type: AWS::DynamoDB::Table
    DependsOn: Gate
    Properties:
      TableName: contract-other
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
";

fn body(recoverable: bool) -> String {
    let setting = format!("PointInTimeRecoverySpecification: {{ PointInTimeRecoveryEnabled: {recoverable} }}");
    format!("{HEAD}{}{}", table("Other", "contract-other", ""), table("Table", "contract-stuck", &setting))
}

async fn made(backend: &Backend, name: &str, body: String) -> StackState {
    let request =
        CreateStack { template: TemplateSource::Body(body.into()), options: StackOptions::default(), ..create(name) };
    backend.created(&*backend.stacks(), request).await
}

async fn has(backend: &Backend, table: &str) -> bool {
    let table: TableName = table.parse().unwrap();
    backend.cloud.tables(&backend.scope(), None).describe(&table).await.unwrap().is_some()
}

/// Whether there is an event of this status, of that request.
async fn happened(backend: &Backend, stack: &StackId, resource: &str, status: &str, token: &str) -> bool {
    let events = events(&*backend.stacks(), stack).await;
    let mut of_it = events.iter().filter(|event| event.token.as_deref() == Some(token));
    of_it.any(|event| event.resource == resource && event.status == status)
}

/// From here on the table of the stack cannot be changed back: it is deleted past its stack, or, in the simulation, fails
/// twice.
async fn break_table(backend: &Backend, stack: &StackState) {
    let Some(simulation) = &backend.simulation else {
        return backend.workshop.remove_table(&stack.name, "Table", &"contract-stuck".parse().unwrap()).await;
    };
    let what = ResourceFailure::Fails { reason: "Table is not found".into(), code: "NotFound".into() };
    let (stack, resource) = (stack.name.to_string(), "Table".to_owned());
    let fault = ResourceFault { stack, resource, operation: ResourceOperation::Update, what, times: 2 };
    simulation.set_faults(FaultPlan { resources: vec![fault], ..FaultPlan::default() });
}

/// A stack whose update fails, and whose rollback fails on its table.
async fn rolled_back_in_vain(backend: &Backend) -> StackState {
    let stacks = backend.stacks();
    let stack = made(backend, "stuck", body(false)).await;
    let request = CreateChangeSet {
        template: TemplateSource::Body(format!("{}{FAILS}", body(true)).into()),
        options: StackOptions::default(),
        ..change(&stack, "fails", &[])
    };
    let id = stacks.create_change_set(FENCE, request).await.unwrap();
    backend.computed(&*stacks, &stack.id, "fails").await.unwrap();
    stacks.execute_change_set(FENCE, &id, "update").await.unwrap();
    let deadline = backend.cx.elapsed() + Duration::from_mins(5);
    while !happened(backend, &stack.id, "Table", "UPDATE_COMPLETE", "update").await {
        assert!(backend.cx.elapsed() < deadline, "the table is never changed");
        backend.cx.sleep(backend.interval).await;
    }
    break_table(backend, &stack).await;
    backend.settled(&*stacks, "stuck").await.unwrap()
}

pub async fn a_rollback_goes_on_without_what_it_failed_on_and_nothing_else(backend: &Backend) {
    let stacks = backend.stacks();
    let stack = rolled_back_in_vain(backend).await;
    assert_eq!(stack.status, StackStatus::UpdateRollbackFailed, "{:?}", stack.status_reason);
    assert!(happened(backend, &stack.id, "Table", "UPDATE_FAILED", "update").await);
    // AWS: *Continue rolling back an update*: only those that are in UPDATE_FAILED because the rollback failed.
    for other in ["Other", "Nobody"] {
        let skip = BTreeSet::from([other.to_owned()]);
        let error = stacks.continue_rollback(FENCE, &stack.id, &skip, "wrong").await.unwrap_err();
        assert_eq!(error.class, Class::Invalid, "{error}");
    }
    // With everything, it fails on the same again.
    stacks.continue_rollback(FENCE, &stack.id, &BTreeSet::new(), "again").await.unwrap();
    assert_eq!(backend.settled(&*stacks, "stuck").await.unwrap().status, StackStatus::UpdateRollbackFailed);
    assert!(happened(backend, &stack.id, "Table", "UPDATE_FAILED", "again").await);
    let there = has(backend, "contract-stuck").await;
    let skip = BTreeSet::from(["Table".to_owned()]);
    stacks.continue_rollback(FENCE, &stack.id, &skip, "without").await.unwrap();
    let after = backend.settled(&*stacks, "stuck").await.unwrap();
    assert_eq!((&after.id, after.status), (&stack.id, StackStatus::UpdateRollbackComplete));
    // "Sets the status of the specified resources to UPDATE_COMPLETE", and leaves them as they are.
    assert!(happened(backend, &stack.id, "Table", "UPDATE_COMPLETE", "without").await);
    assert_eq!((has(backend, "contract-stuck").await, has(backend, "contract-other").await), (there, true));
    // What does not fail any more cannot be continued: look again.
    let error = stacks.continue_rollback(FENCE, &stack.id, &skip, "late").await.unwrap_err();
    assert_eq!(error.class, Class::Conflict, "{error}");
}

pub async fn a_deletion_goes_on_without_what_is_retained_and_only_once_it_has_failed(backend: &Backend) {
    let stacks = backend.stacks();
    let stack =
        made(backend, "kept", format!("{HEAD}{}", table("Table", "contract-kept", "DeletionProtectionEnabled: true")))
            .await;
    let retain = BTreeSet::from(["Table".to_owned()]);
    // AWS: *`DeleteStack`*, `RetainResources`: "For stacks in the DELETE_FAILED state".
    let error = stacks.delete(FENCE, &stack.id, &retain, "early").await.unwrap_err();
    assert_eq!(error.class, Class::Invalid, "{error}");
    assert_eq!(backend.settled(&*stacks, "kept").await.unwrap().status, StackStatus::CreateComplete);
    stacks.delete(FENCE, &stack.id, &BTreeSet::new(), "delete").await.unwrap();
    let failed = backend.settled(&*stacks, "kept").await.unwrap();
    assert_eq!((&failed.id, failed.status), (&stack.id, StackStatus::DeleteFailed));
    assert!(happened(backend, &stack.id, "Table", "DELETE_FAILED", "delete").await);
    assert!(happened(backend, &stack.id, "Queue", "DELETE_COMPLETE", "delete").await, "what can go is gone");
    let error = stacks.delete(FENCE, &stack.id, &BTreeSet::from(["Nobody".to_owned()]), "wrong").await.unwrap_err();
    assert_eq!(error.class, Class::Invalid, "{error}");
    stacks.delete(FENCE, &stack.id, &retain, "without").await.unwrap();
    assert_eq!(backend.settled(&*stacks, "kept").await, None);
    assert!(happened(backend, &stack.id, "Table", "DELETE_SKIPPED", "without").await);
    assert!(has(backend, "contract-kept").await, "it stays in the account");
}

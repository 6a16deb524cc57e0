//! What detections of drift find (AWS: *Detect unmanaged configuration changes to stacks and resources with drift
//! detection*).

use std::sync::Arc;

use landfast::model::{
    ChangeAction, ChangeSetState, ChangeSetStatus, DeploymentMode, DetectionStatus, Replacement, ResourceDrift,
    ResourceDriftStatus, StackId, StackState, StackStatus,
};
use landfast::ports::{Class, CreateChangeSet, CreateStack, Drift, TemplateSource};

use super::{Backend, FENCE, all, change, create};

const TEMPLATE: &str = r#"AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Log:
    Type: AWS::Logs::LogGroup
    Properties: { LogGroupName: contract-drift, RetentionInDays: 7 }
  Other:
    Type: AWS::Logs::LogGroup
    Properties: { LogGroupName: contract-drift-other }
  Handle:
    Type: AWS::CloudFormation::WaitConditionHandle
"#;

async fn deployed(backend: &Backend) -> (Arc<dyn Drift>, StackState) {
    let request = CreateStack {
        template: TemplateSource::Body(TEMPLATE.into()),
        options: landfast::model::StackOptions::default(),
        ..create("drift")
    };
    let stack = backend.created(&*backend.stacks(), request).await;
    (backend.cloud.drift(&backend.scope(), None), stack)
}

async fn detected(backend: &Backend, port: &dyn Drift, stack: &StackId) -> Vec<ResourceDrift> {
    let id = port.detect(stack).await.unwrap();
    loop {
        let detection = port.detection(&id).await.unwrap();
        if detection.status != DetectionStatus::InProgress {
            assert_eq!((detection.status, detection.reason), (DetectionStatus::Complete, None));
            break;
        }
        backend.cx.sleep(backend.interval).await;
    }
    all(|page| port.drifts(stack, page)).await
}

fn of<'d>(drifts: &'d [ResourceDrift], name: &str) -> &'d ResourceDrift {
    drifts.iter().find(|drift| drift.resource == name).unwrap_or_else(|| panic!("{name} was not checked: {drifts:?}"))
}

pub async fn what_was_deployed_and_left_alone_has_not_drifted(backend: &Backend) {
    let (port, stack) = deployed(backend).await;
    let drifts = detected(backend, &*port, &stack.id).await;
    for name in ["Log", "Other"] {
        assert_eq!((of(&drifts, name).status, of(&drifts, name).differences.len()), (ResourceDriftStatus::InSync, 0));
    }
    let resources = all(|page| port.resources(&stack.id, page)).await;
    let mut names: Vec<&str> = resources.iter().map(|resource| resource.resource.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Handle", "Log", "Other"]);
    let handle = resources.iter().find(|resource| resource.resource == "Handle").unwrap();
    assert_eq!(handle.drift, ResourceDriftStatus::NotChecked, "its type cannot be checked, and that is said");
}

pub async fn a_changed_property_is_found_with_both_of_its_values(backend: &Backend) {
    let (port, stack) = deployed(backend).await;
    backend.workshop.retain(&stack.name, "Log", "contract-drift", 30).await;
    // The template does not say how long it keeps what it has: that is not compared.
    backend.workshop.retain(&stack.name, "Other", "contract-drift-other", 30).await;
    let drifts = detected(backend, &*port, &stack.id).await;
    let log = of(&drifts, "Log");
    assert_eq!((log.status, log.kind.as_str()), (ResourceDriftStatus::Modified, "AWS::Logs::LogGroup"));
    let differences: Vec<_> = log.differences.iter().collect();
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert_eq!(
        (&*differences[0].path, &*differences[0].expected, &*differences[0].live),
        ("/RetentionInDays", "7", "30")
    );
    assert_eq!(of(&drifts, "Other").status, ResourceDriftStatus::InSync);
}

pub async fn what_is_gone_is_said_to_be(backend: &Backend) {
    let (port, stack) = deployed(backend).await;
    backend.workshop.remove(&stack.name, "Log", "contract-drift").await;
    let drifts = detected(backend, &*port, &stack.id).await;
    assert_eq!(of(&drifts, "Log").status, ResourceDriftStatus::Deleted);
}

pub async fn a_detection_that_nobody_began_is_not_there(backend: &Backend) {
    let (port, _) = deployed(backend).await;
    let error = port.detection(&"00000000-0000-0000-0000-000000000000".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error.class, Class::NotFound | Class::Invalid), "{error}");
}

async fn prepared(backend: &Backend, stack: &StackState, name: &str, mode: DeploymentMode) -> ChangeSetState {
    let request = CreateChangeSet {
        template: TemplateSource::Body(TEMPLATE.into()),
        options: landfast::model::StackOptions::default(),
        nested: mode == DeploymentMode::Ordinary,
        mode,
        ..change(stack, name, &[])
    };
    let stacks = backend.stacks();
    stacks.create_change_set(FENCE, request).await.unwrap();
    backend.computed(&*stacks, &stack.id, name).await.unwrap()
}

/// Whether the back end knows of such change sets. One that does not must not say that it has made one: what is asked
/// for and ignored would put nothing back, and look as if it had (AWS: *`DescribeChangeSet`*, `DeploymentMode`: "Only
/// present for drift-aware change sets").
fn knows(backend: &Backend, change_set: &ChangeSetState) -> bool {
    if backend.is_emulator {
        assert_eq!(change_set.mode, DeploymentMode::Ordinary, "the emulator has learnt it: hold it to the rest");
        return false;
    }
    assert_eq!((change_set.mode, &change_set.status), (DeploymentMode::RevertDrift, &ChangeSetStatus::Available));
    true
}

pub async fn an_ordinary_change_set_sees_nothing_of_what_was_changed_past_its_stack(backend: &Backend) {
    let (_, stack) = deployed(backend).await;
    backend.workshop.retain(&stack.name, "Log", "contract-drift", 30).await;
    let change_set = prepared(backend, &stack, "ordinary", DeploymentMode::Ordinary).await;
    assert_eq!((change_set.mode, change_set.status), (DeploymentMode::Ordinary, ChangeSetStatus::Empty));
}

pub async fn a_change_set_that_reverts_drift_puts_back_what_was_changed(backend: &Backend) {
    let (port, stack) = deployed(backend).await;
    backend.workshop.retain(&stack.name, "Log", "contract-drift", 30).await;
    let change_set = prepared(backend, &stack, "revert", DeploymentMode::RevertDrift).await;
    if !knows(backend, &change_set) {
        return;
    }
    let [log] = change_set.changes.as_slice() else { panic!("{:?}", change_set.changes) };
    assert_eq!((log.resource.as_str(), log.action, log.replacement), ("Log", ChangeAction::Modify, Replacement::Never));
    assert!(log.properties.contains("RetentionInDays"), "{log:?}");
    backend.stacks().execute_change_set(FENCE, &change_set.id, "revert").await.unwrap();
    let after = backend.settled(&*backend.stacks(), stack.name.as_str()).await.unwrap();
    assert_eq!(after.status, StackStatus::UpdateComplete);
    assert!(after.version().moved > stack.version().moved, "it is an update like any other");
    assert_eq!(of(&detected(backend, &*port, &stack.id).await, "Log").status, ResourceDriftStatus::InSync);
}

pub async fn a_change_set_that_reverts_drift_makes_again_what_is_gone(backend: &Backend) {
    let (port, stack) = deployed(backend).await;
    backend.workshop.remove(&stack.name, "Log", "contract-drift").await;
    let change_set = prepared(backend, &stack, "remake", DeploymentMode::RevertDrift).await;
    if !knows(backend, &change_set) {
        return;
    }
    let [log] = change_set.changes.as_slice() else { panic!("{:?}", change_set.changes) };
    assert_eq!((log.resource.as_str(), log.action), ("Log", ChangeAction::Add));
    backend.stacks().execute_change_set(FENCE, &change_set.id, "remake").await.unwrap();
    let after = backend.settled(&*backend.stacks(), stack.name.as_str()).await.unwrap();
    assert_eq!(after.status, StackStatus::UpdateComplete, "{:?}", after.status_reason);
    assert_eq!(of(&detected(backend, &*port, &stack.id).await, "Log").status, ResourceDriftStatus::InSync);
}

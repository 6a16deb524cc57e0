//! What detections of drift find (AWS: *Detect unmanaged configuration changes to stacks and resources with drift
//! detection*).

use std::sync::Arc;

use landfast::model::{DetectionStatus, ResourceDrift, ResourceDriftStatus, StackId, StackState};
use landfast::ports::{Class, CreateStack, Drift, TemplateSource};

use super::{Backend, all, create};

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

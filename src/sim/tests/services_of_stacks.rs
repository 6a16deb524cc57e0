//! Services that stacks own: the stack waits for the service.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Rig, stack_name};
use crate::model::{ServiceState, StackStatus, TaskDefinitionStatus};
use crate::ports::Cloud as _;
use crate::sim::ImageBehaviour;

const SERVICE: &str = "
Parameters:
  Tag: { Type: String }
  Breaker: { Type: String, Default: 'true' }
Resources:
  Cluster: { Type: AWS::ECS::Cluster, Properties: { ClusterName: dev } }
  Definition:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: web
      ContainerDefinitions:
        - { Name: web, Image: !Sub '111122223333.dkr.ecr.us-east-1.amazonaws.com/team/web:${Tag}' }
  Service:
    Type: AWS::ECS::Service
    Properties:
      ServiceName: web
      Cluster: !Ref Cluster
      TaskDefinition: !Ref Definition
      DesiredCount: 2
      DeploymentConfiguration:
        DeploymentCircuitBreaker: { Enable: !Ref Breaker, Rollback: !Ref Breaker }
";

fn with(tag: &str, breaker: &str) -> BTreeMap<String, String> {
    [("Tag", tag), ("Breaker", breaker)].map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// A stack whose service runs the image `good`, which has the tag `1`. The tag `2` is an image with this behaviour.
fn stack(breaker: &str, next: ImageBehaviour) -> Rig {
    let rig = Rig::new();
    rig.console.create_repository("team/web");
    let _ = rig.console.push_image("team/web", "good", &["1"], None);
    let digest = rig.console.push_image("team/web", "next", &["2"], None).unwrap();
    rig.console.set_image_behaviour(&digest, next);
    rig.console.create_stack(&stack_name("web"), SERVICE, &with("1", breaker), &BTreeMap::new()).unwrap();
    assert_eq!(rig.status_after("web", 10), StackStatus::CreateComplete);
    rig.console.update_parameters(&stack_name("web"), &with("2", breaker)).unwrap();
    rig
}

fn service(rig: &Rig) -> ServiceState {
    let containers = rig.cloud.containers(&rig.scope, None);
    rig.run(containers.services("dev", &["web".to_owned()])).unwrap().remove(0).unwrap()
}

#[test]
fn a_new_image_is_a_deployment_that_the_stack_waits_for() {
    let rig = stack("true", ImageBehaviour::Runs);
    rig.pass(Duration::from_secs(90));
    assert_eq!(rig.state("web").status, StackStatus::UpdateInProgress);
    assert_eq!(rig.status_after("web", 10), StackStatus::UpdateComplete);
    let state = service(&rig);
    assert_eq!(state.task_definition.unwrap().revision(), 2);
    assert_eq!((state.running, state.deployments.len()), (2, 1));
    assert_eq!(state.tags["aws:cloudformation:stack-name"], "web");
    let containers = rig.cloud.containers(&rig.scope, None);
    let old = rig.run(containers.task_definition("web:1")).unwrap().unwrap();
    assert_eq!(old.status, TaskDefinitionStatus::Inactive, "the stack deregisters what it replaced");
}

#[test]
fn a_bad_image_trips_the_breaker_and_the_stack_goes_back() {
    let rig = stack("true", ImageBehaviour::CannotBePulled);
    assert_eq!(rig.status_after("web", 30), StackStatus::UpdateRollbackComplete);
    let state = service(&rig);
    assert_eq!(state.task_definition.unwrap().revision(), 1);
    assert_eq!(state.running, 2);
}

#[test]
fn without_a_breaker_the_stack_waits_for_three_hours() {
    let rig = stack("false", ImageBehaviour::CannotBePulled);
    assert_eq!(rig.status_after("web", 170), StackStatus::UpdateInProgress);
    assert_eq!(rig.status_after("web", 30), StackStatus::UpdateRollbackComplete);
    assert_eq!(service(&rig).task_definition.unwrap().revision(), 1);
}

#[test]
fn an_update_of_the_stack_reverts_what_others_deployed_and_scaled() {
    let rig = stack("true", ImageBehaviour::Runs);
    rig.pass(Duration::from_mins(10));
    let service_ref = crate::model::ServiceRef { cluster: "dev".to_owned(), service: "web".to_owned() };
    rig.console.scale_service(&service_ref, 7);
    rig.pass(Duration::from_mins(2));
    rig.console.update_parameters(&stack_name("web"), &with("1", "true")).unwrap();
    assert_eq!(rig.status_after("web", 15), StackStatus::UpdateComplete);
    assert_eq!(service(&rig).desired, 2, "the template says so");
}

#[test]
fn deleting_the_stack_deletes_the_service() {
    let rig = stack("true", ImageBehaviour::Runs);
    rig.pass(Duration::from_mins(10));
    rig.console.delete_stack(&stack_name("web")).unwrap();
    rig.pass(Duration::from_mins(10));
    let containers = rig.cloud.containers(&rig.scope, None);
    let error = rig.run(containers.services("dev", &["web".to_owned()])).unwrap_err();
    assert_eq!(error.code.as_deref(), Some("ClusterNotFoundException"));
}

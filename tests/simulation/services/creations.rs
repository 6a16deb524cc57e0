//! A stack that is created with an image that cannot run: CloudFormation cannot cancel that, and waits three hours.

use landfast::model::{Ailment, Remedy, StackStatus};

use super::*;

/// A daemon that is about to create the stack of the service, with an image that fares like this.
fn created_with(behaviour: ImageBehaviour) -> (World, ImageDigest) {
    created_beside("", behaviour)
}

/// The same, with these lines of further resources in its template.
fn created_beside(lines: &str, behaviour: ImageBehaviour) -> (World, ImageDigest) {
    let web_of = Web {
        stack: true,
        breaker: false,
        select: "semver: '1'".to_owned(),
        strategy: String::new(),
        beside: lines.to_owned(),
    };
    let rig = Rig::new(12, Fleet::of_service(web_of), None);
    rig.console().create_repository(REPOSITORY);
    let mut world = World { rig, first: format!("sha256:{:064}", 0).parse().unwrap(), versions: BTreeMap::new() };
    let bad = world.push("1.0.0", behaviour);
    world.rig.start();
    (world, bad)
}

fn status(world: &World) -> Option<StackStatus> {
    world.rig.cloud.inventory().stack("dev-shop-web").map(|record| record.state.status)
}

fn creations(world: &World) -> usize {
    world.rig.cloud.audit().iter().filter(|call| call.operation == "CreateStack" && call.applied).count()
}

#[test]
fn a_creation_that_waits_for_a_bad_image_is_told_of_in_minutes_and_ends_at_its_timeout() {
    for behaviour in [ImageBehaviour::CannotBePulled, ImageBehaviour::Crashes, ImageBehaviour::NeverHealthy] {
        let (mut world, bad) = created_with(behaviour);
        world.until(20 * MINUTE, |world| world.memory().quarantine.contains_key(&bad));
        let last = world.last().unwrap();
        assert_eq!(last.outcome, RolloutOutcome::Failed, "{last:#?}");
        assert!(last.evidence.cause.is_some() && !last.evidence.stopped.is_empty(), "{last:#?}");
        assert_eq!(status(&world), Some(StackStatus::CreateInProgress), "nobody ends it but CloudFormation");
        world.run(80 * MINUTE);
        assert_eq!(status(&world), Some(StackStatus::RollbackComplete), "{behaviour:?}");
        world.run(180 * MINUTE);
        assert_eq!(creations(&world), 1, "{behaviour:?}: what has failed is not created again");
        let good = world.push("1.1.0", ImageBehaviour::Runs);
        world.until(30 * MINUTE, |world| world.runs() == Some(good.clone()));
        world.is_quiet();
    }
}

#[test]
fn a_newer_image_that_is_pushed_meanwhile_is_the_one_of_the_next_creation() {
    let (mut world, bad) = created_with(ImageBehaviour::CannotBePulled);
    world.until(20 * MINUTE, |world| world.memory().quarantine.contains_key(&bad));
    let good = world.push("1.1.0", ImageBehaviour::Runs);
    world.until(120 * MINUTE, |world| world.runs() == Some(good.clone()));
    assert_eq!(creations(&world), 2);
    world.is_quiet();
}

/// Its events tell of two services: what the other one does says nothing of this one's image.
#[test]
fn of_a_new_stack_with_several_services_the_right_one_is_followed() {
    let worker = "  Other:\n    Type: AWS::ECS::TaskDefinition\n    Properties: { Family: other, ContainerDefinitions: [{ Name: other, \
                  Image: 'public.ecr.aws/other:1' }] }\n  Another: { Type: AWS::ECS::Service, Properties: { ServiceName: another, \
                  Cluster: !Ref Cluster, TaskDefinition: !Ref Other } }\n";
    let (mut world, bad) = created_beside(worker, ImageBehaviour::Crashes);
    world.until(20 * MINUTE, |world| world.memory().quarantine.contains_key(&bad));
    assert!(world.last().unwrap().evidence.cause.is_some());
    world.run(100 * MINUTE);
    let good = world.push("1.1.0", ImageBehaviour::Runs);
    world.until(60 * MINUTE, |world| world.runs() == Some(good.clone()));
    world.is_quiet();
}

/// Nobody but a person can end the wait sooner. The stack has no outputs yet that would name the service: its deployment does.
#[test]
fn the_doctor_leaves_a_creation_that_waits_in_vain_to_a_person_for_as_long_as_it_waits() {
    let (mut world, bad) = created_with(ImageBehaviour::Crashes);
    let unsteady = |world: &World| {
        let ailments = world.entry("dev/stack/web").ailments;
        ailments.into_iter().find(|one| one.ailment == Ailment::ServiceNotSteady)
    };
    let before = world.rig.cloud.audit().len();
    world.run(MINUTE);
    assert!(unsteady(&world).is_none(), "that it takes a while is no finding");
    world.until(20 * MINUTE, |world| unsteady(world).is_some());
    assert_eq!(status(&world), Some(StackStatus::CreateInProgress));
    world.until(20 * MINUTE, |world| world.memory().quarantine.contains_key(&bad));
    world.run(30 * MINUTE);
    // It stays one when the image is known to be bad: a creation cannot be cancelled.
    let found = unsteady(&world).unwrap();
    assert!(found.evidence.iter().any(|line| line.starts_with("dev/service/web: ")), "{found:#?}");
    let Remedy::Decision { choices, .. } = &found.remedy else { panic!("{found:#?}") };
    let commands: Vec<&str> = choices.iter().flat_map(|choice| &choice.commands).map(String::as_str).collect();
    let [finds, scales] = commands.as_slice() else { panic!("{commands:#?}") };
    assert!(finds.contains("describe-stack-resources --region us-east-1 --stack-name dev-shop-web"), "{finds}");
    assert!(scales.starts_with("aws ecs update-service ") && scales.ends_with(" --desired-count 0"), "{scales}");
    assert!(!scales.contains("CLUSTER") && !scales.contains("SERVICE"), "{scales}");
    assert!(choices.iter().any(|choice| choice.what.contains("`timeout`")), "{choices:#?}");
    let since: Vec<_> = world.rig.cloud.audit().into_iter().skip(before).filter(|call| call.applied).collect();
    assert!(since.iter().all(|call| call.operation != "CancelUpdateStack" && call.operation != "DeleteStack"));
    // Without tasks to wait for, it is created.
    world.scale(0);
    world.until(10 * MINUTE, |world| status(world) == Some(StackStatus::CreateComplete));
    assert!(unsteady(&world).is_none(), "{:#?}", unsteady(&world));
}

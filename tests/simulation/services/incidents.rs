//! What has gone wrong elsewhere, replayed. Each is named after where it was reported (see `research`: operations, A).

use landfast::model::TaskDefinitionStatus;
use landfast::ports::UpdateService;
use landfast::sim::{Fault, FaultPlan, Window};

use super::*;

/// The same fault for these operations from now on.
fn broken(world: &World, operations: &[&str], fault: Fault, minutes: u64) {
    let from = world.rig.cx.elapsed();
    let operations = operations.iter().map(|operation| (*operation).to_owned()).collect();
    let window = Window { from, until: from + Duration::from_mins(minutes), scope: None, operations, fault };
    world.rig.cloud.set_faults(FaultPlan { windows: vec![window], ..FaultPlan::default() });
}

#[test]
fn fabfuel_ecs_deploy_185_a_rollback_is_no_success_and_what_runs_is_not_deregistered() {
    let mut world = World::new(How { stack: false, breaker: true });
    let before = world.rig.console().service(&web()).unwrap().task_definition.unwrap();
    world.push("1.1.0", ImageBehaviour::NeverHealthy);
    world.run(60 * MINUTE);
    let last = world.last().unwrap();
    assert_eq!(last.outcome, RolloutOutcome::RolledBack);
    assert!(last.evidence.status.as_deref().unwrap().starts_with("ROLLBACK_SUCCESSFUL"), "{last:?}");
    assert_eq!(world.memory().releases.len(), 1);
    let console = world.rig.console();
    assert_eq!(console.service(&web()).unwrap().task_definition.as_ref(), Some(&before));
    assert_eq!(console.task_definition(before.as_str()).unwrap().status, TaskDefinitionStatus::Active);
    world.is_quiet();
}

#[test]
fn containers_roadmap_493_a_new_tag_leaves_a_hundred_tasks_a_hundred_tasks() {
    for how in [DIRECT, STACK] {
        let mut world = World::new(how);
        world.scale(100);
        world.run(5 * MINUTE);
        let newer = world.push("1.1.0", ImageBehaviour::Runs);
        world.run(30 * MINUTE);
        // In the middle of the next rollout the autoscaler moves it.
        let newest = world.push("1.2.0", ImageBehaviour::Runs);
        world.until(10 * MINUTE, |world| !world.deployments(&newest).is_empty());
        world.scale(80);
        world.run(30 * MINUTE);
        assert_eq!(world.rig.console().service_tasks(&web()).len(), 80, "{how:?}");
        assert_eq!((world.runs(), world.deployments(&newer).len()), (Some(newest), 1), "{how:?}");
        world.is_quiet();
    }
}

#[test]
fn shepherdjerred_monorepo_2560_an_empty_answer_of_the_registry_is_no_instruction() {
    for how in [DIRECT, STACK] {
        let mut world = World::new(how);
        let newer = world.push("1.1.0", ImageBehaviour::Runs);
        world.run(30 * MINUTE);
        let before = world.rig.truth.mutations();
        // A lifecycle policy takes the newest away, and then everything.
        world.rig.console().delete_image(REPOSITORY, &newer);
        world.run(60 * MINUTE);
        assert_eq!(world.runs(), Some(newer.clone()), "{how:?}: what is left is older, and nobody has said so");
        world.rig.console().delete_image(REPOSITORY, &world.first);
        world.run(60 * MINUTE);
        // And then the registry cannot be asked at all.
        for fault in [Fault::Denied, Fault::Throttle, Fault::ErrorBefore, Fault::Hang] {
            broken(&world, &["DescribeImages"], fault, 30);
            world.run(40 * MINUTE);
        }
        assert_eq!((world.runs(), world.rig.truth.mutations()), (Some(newer), before), "{how:?}");
        assert_eq!(world.memory().decisions["web"].tag.as_deref(), Some("1.1.0"), "{how:?}");
        world.is_right();
    }
}

#[test]
fn amazon_ecs_deploy_task_definition_728_two_controllers_do_not_fight_over_one_image() {
    let mut world = World::new(DIRECT);
    let theirs = world.rig.console().push_image("theirs", "theirs", &["1"], None).unwrap();
    let image = format!("{REGISTRY}/theirs@{theirs}");
    let definition = world.rig.console().register_task_definition("web", &[("web", &image)]).unwrap();
    let deploy = UpdateService { service: web(), task_definition: Some(definition.clone()), force: false };
    // While nothing of ours is on its way.
    world.rig.console().deploy_service(&deploy).unwrap();
    world.run(90 * MINUTE);
    assert_eq!(world.runs(), Some(theirs.clone()), "what somebody deploys by hand stays: {:#?}", world.memory());
    world.is_quiet();
    // A newer version is what Git asks for; and in the middle of its rollout they deploy theirs once more.
    let newer = world.push("1.1.0", ImageBehaviour::Runs);
    world.until(20 * MINUTE, |world| !world.deployments(&newer).is_empty());
    world.rig.console().deploy_service(&deploy).unwrap();
    world.run(60 * MINUTE);
    assert_eq!(world.last().map(|last| last.outcome), Some(RolloutOutcome::Superseded), "{:#?}", world.memory());
    assert_eq!((world.runs(), world.deployments(&newer).len()), (Some(theirs), 1));
    assert!(world.memory().quarantine.is_empty(), "what others replaced has not failed");
    world.is_quiet();
}

#[test]
fn containers_roadmap_1205_a_stack_that_says_complete_over_a_service_that_went_back_is_no_success() {
    let mut world = World::new(STACK);
    let newer = world.push("1.1.0", ImageBehaviour::Runs);
    world.until(20 * MINUTE, |world| world.runs() == Some(newer.clone()));
    // The stack is done with it, or nearly; somebody goes back behind its back.
    let before = world.deployments(&world.first)[0].target.as_ref().unwrap().task_definition.clone().unwrap();
    let image = format!("{REGISTRY}/{REPOSITORY}@{}", world.first);
    let definition = world.rig.console().register_task_definition("web", &[("web", &image)]).unwrap();
    assert_ne!(before, definition);
    let deploy = UpdateService { service: web(), task_definition: Some(definition), force: false };
    world.rig.console().deploy_service(&deploy).unwrap();
    world.run(60 * MINUTE);
    assert_ne!(world.last().map(|last| last.outcome), Some(RolloutOutcome::RolledBack));
    assert_eq!(world.runs().as_ref(), Some(&world.first), "{:#?}", world.memory());
    world.is_quiet();
}

#[test]
fn what_cannot_be_read_ends_no_rollout() {
    let reads = [
        &["ListServiceDeployments"][..],
        &["DescribeServiceDeployments", "DescribeServiceRevisions"],
        &["ListTasks", "DescribeTasks"],
        &["DescribeServices"],
    ];
    for operations in reads {
        for (behaviour, outcome) in [
            (ImageBehaviour::Runs, RolloutOutcome::Proven),
            (ImageBehaviour::CannotBePulled, RolloutOutcome::RolledBack),
        ] {
            let mut world = World::new(DIRECT);
            let digest = world.push("1.1.0", behaviour);
            world.until(10 * MINUTE, |world| !world.deployments(&digest).is_empty());
            broken(&world, operations, Fault::Denied, 20);
            world.run(19 * MINUTE);
            assert_eq!(
                world.last().map(|last| last.intended["web"].clone()),
                Some(world.first.clone()),
                "{operations:?}"
            );
            world.run(20 * MINUTE);
            let last = world.last().unwrap();
            assert_eq!((last.outcome, &last.intended["web"]), (outcome, &digest), "{operations:?} {last:#?}");
            world.is_quiet();
        }
    }
}

#[test]
fn a_service_as_it_was_minutes_ago_misleads_nobody() {
    for behaviour in [ImageBehaviour::Runs, ImageBehaviour::CannotBePulled] {
        let mut world = World::new(DIRECT);
        let digest = world.push("1.1.0", behaviour);
        broken(&world, &["DescribeServices"], Fault::Stale(Duration::from_mins(4)), 60);
        world.run(90 * MINUTE);
        let last = world.last().unwrap();
        assert_eq!(last.intended["web"], digest, "{last:#?}");
        assert_eq!(last.outcome == RolloutOutcome::Proven, behaviour == ImageBehaviour::Runs, "{last:#?}");
        assert_eq!(world.deployments(&digest).len(), 1);
        world.is_quiet();
    }
}

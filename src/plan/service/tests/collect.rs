//! Old task definitions.

use super::*;

/// Version 9 runs in revision 9; revisions 2 to 9 are ours, and as many as the manifest says are kept.
fn world() -> World {
    let mut world = World::new();
    world.spec.revisions_kept = 3;
    world.memory.decisions = decisions(9);
    world.memory.releases = vec![release(9, 9), release(8, 3)];
    world.memory.registered = (2..=9).map(definition_arn).collect();
    world.definitions = (2..=9).map(|revision| (u32::from(revision), revision)).collect();
    world.ours = world.definitions.keys().copied().collect();
    world.push(&[9]);
    world.deploy("ecs-svc/9", 9, 9, RolloutState::Completed);
    world.run(9, 9, 2);
    world
}

fn collected(world: &World) -> Option<(u32, bool)> {
    match world.step()? {
        ServiceDo::Collect { task_definition, gone } => Some((task_definition.revision(), gone)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_oldest_that_nothing_can_use_goes_one_at_a_look_and_the_newest_stay() {
    let mut world = world();
    let mut went = Vec::new();
    while let Some((revision, gone)) = collected(&world) {
        assert!(!gone);
        assert_eq!(world.entry().action, Action::None, "it is in sync all the while");
        went.push(revision);
        world.memory.registered.retain(|kept| kept.revision() != revision);
    }
    // 3 can be gone back to; 7, 8 and 9 are the newest.
    assert_eq!(went, [2, 4, 5, 6]);
}

#[test]
fn what_a_task_or_another_deployment_still_uses_stays() {
    let mut world = world();
    world.tasks.running.push(task(7, 2, 2));
    assert_eq!(collected(&world), None);
    world.tasks.running.pop();
    let old = DeploymentState { status: DeploymentStatus::Active, ..world.service.deployments[0].clone() };
    world.service.deployments.push(DeploymentState { task_definition: definition_arn(2), ..old });
    assert_eq!(collected(&world), Some((4, false)));
}

#[test]
fn what_is_not_ours_or_is_inactive_is_only_forgotten() {
    let mut world = world();
    world.ours.remove(&2);
    assert_eq!(collected(&world), Some((2, true)));
}

#[test]
fn nothing_is_collected_while_something_moves_or_a_person_has_to_approve() {
    let mut world = world();
    world.mode = Mode::Approve;
    assert_eq!(collected(&world), None);
    world.mode = Mode::Apply;
    world.memory.rollout = Some(Rollout::open(intended(9), 1, at(0)));
    assert!(!matches!(world.step(), Some(ServiceDo::Collect { .. })));
}

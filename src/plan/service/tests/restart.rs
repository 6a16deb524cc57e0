//! Services that have to be restarted because a secret has another value.

use super::*;

fn version(number: u8) -> VersionId {
    format!("0123456789abcdef0123456789abcd-{number}").parse().unwrap()
}

/// Version 1 of the image runs, in tasks of the deployment `ecs-svc/1`, and the secret got another value at minute 10.
fn stale(world: &mut World) {
    let restarts = BTreeMap::from([(KEY.parse().unwrap(), BTreeSet::from([version(1)]))]);
    world.secret = Some(SecretMemory { restarts, current_since: Some(at(10)), ..SecretMemory::default() });
    started_by(world, "ecs-svc/1", 0);
    world.now = at(20);
}

fn started_by(world: &mut World, deployment: &str, minute: i64) {
    for task in &mut world.tasks.running {
        task.started_by = Some(deployment.to_owned());
        (task.created, task.started) = (Some(at(minute)), Some(at(minute)));
    }
}

/// The step is taken, and the service has been told.
fn told(world: &mut World) {
    let Some(ServiceDo::Restart { expect, rollout }) = world.step() else { panic!("{:?}", world.entry()) };
    world.memory.rollout = Some(Rollout { begun: Some(world.now), replaces: Some(expect.id), ..*rollout });
}

fn has(world: &World) -> Option<BTreeSet<VersionId>> {
    match world.step() {
        Some(ServiceDo::Restarted { has, .. }) => Some(has.get(&secret_key()).cloned().unwrap_or_default()),
        _ => None,
    }
}

#[test]
fn a_restart_has_succeeded_when_every_task_is_one_of_its_own_deployment() {
    let mut world = World::new();
    stale(&mut world);
    told(&mut world);
    // Not to be seen yet, then under way, then done; and the tasks decide.
    assert!(world.step().is_none());
    world.deploy("ecs-svc/2", 1, 1, RolloutState::InProgress);
    world.record(2, 1, 1, ServiceDeploymentStatus::InProgress, 20);
    assert!(world.step().is_none());
    world.deployments.clear();
    world.record(2, 1, 1, ServiceDeploymentStatus::Successful, 20);
    world.deploy("ecs-svc/2", 1, 1, RolloutState::Completed);
    assert!(world.step().is_none(), "its tasks are those from before");
    started_by(&mut world, "ecs-svc/2", 21);
    assert_eq!(has(&world), Some(BTreeSet::from([version(1)])));
}

#[test]
fn a_deployment_from_before_is_not_taken_for_the_restart() {
    let mut world = World::new();
    stale(&mut world);
    // It was made within the minute by which clocks may differ.
    world.record(1, 1, 1, ServiceDeploymentStatus::Successful, 20);
    told(&mut world);
    let restart = world.memory.rollout.as_ref().unwrap().restart.clone().unwrap();
    assert_eq!(restart.before.len(), 1);
    assert!(world.step().is_none(), "{:?}", world.step());
    // Lost: what would have been replaced is still there after a minute, and it is asked for once more.
    world.now = at(22);
    assert!(matches!(world.step(), Some(ServiceDo::Restart { .. })));
}

#[test]
fn a_version_that_came_during_a_restart_is_restarted_for_afterwards() {
    let mut world = World::new();
    stale(&mut world);
    told(&mut world);
    let wanted = BTreeSet::from([version(1), version(2)]);
    world.secret.as_mut().unwrap().restarts.insert(KEY.parse().unwrap(), wanted);
    world.deploy("ecs-svc/2", 1, 1, RolloutState::Completed);
    world.record(2, 1, 1, ServiceDeploymentStatus::Successful, 20);
    started_by(&mut world, "ecs-svc/2", 21);
    assert_eq!(has(&world), Some(BTreeSet::from([version(1)])));
    world.memory = ServiceMemory {
        has: BTreeMap::from([(secret_key(), BTreeSet::from([version(1)]))]),
        rollout: None,
        ..world.memory
    };
    world.secret.as_mut().unwrap().current_since = Some(at(21));
    world.now = at(25);
    assert!(matches!(world.step(), Some(ServiceDo::Restart { .. })), "{:?}", world.entry());
}

#[test]
fn tasks_that_are_all_newer_are_as_good_as_a_restart() {
    let mut world = World::new();
    stale(&mut world);
    started_by(&mut world, "ecs-svc/1", 12);
    assert_eq!(has(&world), Some(BTreeSet::from([version(1)])));
    // One of them is not, or may be by its clock.
    started_by(&mut world, "ecs-svc/1", 10);
    assert!(matches!(world.step(), Some(ServiceDo::Restart { .. })));
    // Nothing runs: nothing has the old value.
    world.tasks.running.clear();
    world.service.desired = 0;
    assert_eq!(has(&world), Some(BTreeSet::from([version(1)])));
}

#[test]
fn somebody_elses_deployment_is_waited_for() {
    let mut world = World::new();
    stale(&mut world);
    world.deploy("ecs-svc/9", 1, 1, RolloutState::InProgress);
    world.service.deployments[0].created = Some(at(15));
    assert!(matches!(world.entry().waiting.as_slice(), [Waiting::Rollout { .. }]), "{:?}", world.entry());
    // But not for ever.
    world.now = at(31);
    assert!(matches!(world.step(), Some(ServiceDo::Restart { .. })));
}

#[test]
fn a_service_of_a_stack_is_restarted_while_the_stack_rests_and_the_stack_waits_meanwhile() {
    let mut world = World::in_a_stack();
    stale(&mut world);
    world.stack_is(1, StackStatus::UpdateInProgress);
    assert!(world.entry().step.is_none());
    world.stack_is(1, StackStatus::UpdateComplete);
    told(&mut world);
    world.deploy("ecs-svc/2", 1, 1, RolloutState::InProgress);
    world.record(2, 1, 1, ServiceDeploymentStatus::InProgress, 20);
    assert!(matches!(world.entry().waiting.as_slice(), [Waiting::Rollout { .. }]), "{:?}", world.entry());
    // A newer image has to wait too: one after the other.
    world.push(&[1, 2]);
    assert!(world.step().is_none());
    assert!(world.stack().step.is_none());
}

#[test]
fn a_stack_that_is_not_ours_keeps_its_service() {
    let mut world = World::in_a_stack();
    stale(&mut world);
    world.foreign_stack = true;
    assert!(world.entry().step.is_none(), "{:?}", world.entry());
}

#[test]
fn a_hopeless_restart_is_stopped_counted_and_blamed_on_no_image() {
    let mut world = World::new();
    stale(&mut world);
    told(&mut world);
    world.deploy("ecs-svc/2", 1, 1, RolloutState::InProgress);
    world.record(2, 1, 1, ServiceDeploymentStatus::InProgress, 20);
    // Those of the deployment before are of the same task definition.
    world.stop(1, 1, 5, "EssentialContainerExited", "Essential container in task exited");
    assert!(world.step().is_none());
    world.tasks.stopped.iter_mut().for_each(|task| task.started_by = Some("ecs-svc/2".to_owned()));
    let Some(ServiceDo::Doom { doom }) = world.step() else { panic!("{:?}", world.entry()) };
    world.memory.rollout.as_mut().unwrap().doomed = Some(*doom);
    let Some(ServiceDo::Stop { how, .. }) = world.step() else { panic!("{:?}", world.entry()) };
    assert_eq!(how, StopDeployment::Rollback);
    world.deployments.clear();
    world.record(2, 1, 1, ServiceDeploymentStatus::RollbackSuccessful, 20);
    let Some(ServiceDo::Restarted { has, ended, failed }) = world.step() else { panic!("{:?}", world.entry()) };
    assert_eq!((has.len(), ended.unwrap().outcome), (0, RolloutOutcome::RolledBack));
    world.memory.rollout = None;
    world.memory.restart_failed = failed.map(|failed| *failed);
    world.tasks.stopped.clear();
    assert!(matches!(world.entry().waiting.as_slice(), [Waiting::Backoff { attempt: 1, .. }]));
    world.now = at(21);
    assert!(matches!(world.step(), Some(ServiceDo::Restart { .. })));
    world.memory.restart_failed.as_mut().unwrap().count = 5;
    assert_eq!(world.entry().refused[0].guard, Guard::Stalled);
    assert!(world.memory.quarantine.is_empty());
}

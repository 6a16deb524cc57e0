//! Services that get their image through a parameter of their stack.

use super::*;
use ServiceDeploymentStatus::{InProgress, RollbackSuccessful, Stopped};

#[test]
fn a_stack_takes_its_image_from_what_was_decided_and_from_nothing_else() {
    let mut world = World::in_a_stack();
    assert_eq!((world.stack().action, world.entry().action), (Action::None, Action::None));
    world.push(&[1, 2]);
    // Not written down yet: the stack stays as it is.
    assert_eq!(world.stack().action, Action::None);
    let Some(ServiceDo::Decide { decisions, rollout, .. }) = world.step() else { panic!() };
    (world.memory.decisions, world.memory.rollout) = (decisions, rollout.map(|rollout| *rollout));
    let Some(Do::Stack(StackStep { action: StackDo::Prepare { inputs, .. }, .. })) =
        world.stack().step.map(|step| step.action)
    else {
        panic!()
    };
    assert_eq!(inputs.options.parameters["Image"], Value::Plain(uri(2)));
    // The service itself is never touched: its stack does it.
    assert!(world.step().is_none());
}

/// A stack update that put back an image which somebody had deployed: here nothing but a decision changes it, and losing
/// what was decided leaves what is deployed.
#[test]
fn a_stack_update_does_not_change_an_image_that_nobody_decided_on() {
    let mut world = World::in_a_stack();
    world.memory = ServiceMemory::default();
    world.images = Seen::Unknown(Unknown::because("throttled"));
    assert_eq!(world.stack().action, Action::None);
    world.images = Seen::Absent;
    assert_eq!(world.stack().action, Action::None);
}

/// aws/containers-roadmap#1205: the circuit breaker went back, and CloudFormation said `UPDATE_COMPLETE`.
#[test]
fn a_complete_stack_over_a_service_that_went_back_is_no_success() {
    let mut world = World::in_a_stack();
    world.memory.decisions = decisions(2);
    world.memory.rollout = Some(Rollout::open(intended(2), 1, at(0)));
    world.stack_is(2, StackStatus::UpdateComplete);
    world.record(2, 2, 2, RollbackSuccessful, 0);
    let (outcome, _, quarantined) = world.ended();
    assert_eq!((outcome, quarantined), (RolloutOutcome::RolledBack, BTreeSet::from([digest(2)])));
}

#[test]
fn a_hopeless_rollout_through_a_stack_cancels_its_update_and_quarantines_the_image() {
    let mut world = World::in_a_stack();
    world.memory.decisions = decisions(2);
    world.memory.rollout = Some(Rollout::open(intended(2), 1, at(0)));
    world.stack_is(2, StackStatus::UpdateInProgress);
    world.deploy("ecs-svc/2", 2, 2, RolloutState::InProgress);
    world.record(2, 2, 2, InProgress, 0);
    world.stop(2, 2, 3, "EssentialContainerExited", "Essential container in task exited");
    let Some(ServiceDo::Doom { doom }) = world.step() else { panic!() };
    assert!(world.stack().step.is_none());
    world.memory.rollout.as_mut().unwrap().doomed = Some(*doom);
    let cancels = |entry: Entry| {
        matches!(entry.step.map(|step| step.action), Some(Do::Stack(StackStep { action: StackDo::Cancel { .. }, .. })))
    };
    assert!(cancels(world.stack()));
    // A creation cannot be cancelled, and what goes back already needs no second word.
    world.stack_is(2, StackStatus::UpdateRollbackInProgress);
    assert!(!cancels(world.stack()));
    world.stack_is(1, StackStatus::UpdateRollbackComplete);
    world.deployments[0].state.status = Stopped;
    world.deploy("ecs-svc/3", 1, 1, RolloutState::Completed);
    let (outcome, evidence, quarantined) = world.ended();
    assert_eq!((outcome, evidence.cause), (RolloutOutcome::RolledBack, Some(RolloutCause::Crash)));
    assert_eq!(quarantined, BTreeSet::from([digest(2)]));
}

#[test]
fn a_stack_that_went_back_for_another_reason_says_nothing_about_the_image() {
    let mut world = World::in_a_stack();
    world.memory.decisions = decisions(2);
    world.memory.rollout = Some(Rollout::open(intended(2), 1, at(0)));
    world.push(&[1, 2]);
    world.stack_is(1, StackStatus::UpdateRollbackComplete);
    world.record(2, 2, 2, Stopped, 0);
    let entry = world.entry();
    assert!(entry.step.is_none() && world.memory.quarantine.is_empty());
    assert!(matches!(&entry.waiting[..], [Waiting::Dependency { .. }]), "{:?}", entry.waiting);
}

/// A rollout replaces tasks, and whoever looks at it must not be told that the service is stuck.
#[test]
fn tasks_that_a_deployment_replaces_are_no_finding_and_those_that_fail_are() {
    let ailing = |revision: u32, code: &str, reason: &str| {
        let mut world = World::in_a_stack();
        world.memory.decisions = decisions(2);
        world.memory.rollout = Some(Rollout::open(intended(2), 1, at(0)));
        world.stack_is(2, StackStatus::UpdateInProgress);
        world.deploy("ecs-svc/2", 2, 2, RolloutState::InProgress);
        world.record(2, 2, 2, InProgress, 0);
        world.stop(revision, 2, 2, code, reason);
        let ailments = world.stack().ailments;
        ailments.iter().any(|one| one.ailment == Ailment::ServiceNotSteady)
    };
    let scaled = "Scaling activity initiated by (deployment ecs-svc/2)";
    assert!(!ailing(1, "ServiceSchedulerInitiated", scaled) && !ailing(2, "ServiceSchedulerInitiated", scaled));
    assert!(ailing(2, "EssentialContainerExited", "Essential container in task exited"));
    assert!(ailing(2, "ServiceSchedulerInitiated", "Task failed ELB health checks in (target-group arn)"));
    // What crashed before is what the rollout is to mend.
    assert!(!ailing(1, "EssentialContainerExited", "Essential container in task exited"));
}

/// Clocks differ by up to forty-five minutes in the simulation, and a stack may wait as long for another: neither is the
/// image's doing.
#[test]
fn a_rollout_that_waited_for_its_stack_is_not_late_by_a_clock_that_is_ahead() {
    let mut world = World::in_a_stack();
    world.memory.decisions = decisions(2);
    world.memory.rollout = Some(Rollout::open(intended(2), 1, at(-200)));
    world.stack_is(2, StackStatus::UpdateInProgress);
    world.deploy("ecs-svc/2", 2, 2, RolloutState::InProgress);
    world.record(2, 2, 2, InProgress, -45);
    let begun = |world: &mut World, minute| {
        world.stack.as_mut().unwrap().2.pending.as_mut().unwrap().started = at(minute);
        world.step()
    };
    assert!(matches!(begun(&mut world, -100), Some(ServiceDo::Doom { .. })));
    assert!(begun(&mut world, -5).is_none());
}

/// CloudFormation does not look: its stack is as desired, and the service that it made is gone.
#[test]
fn a_service_that_somebody_deleted_is_missing_although_its_stack_is_as_desired() {
    let mut world = World::in_a_stack();
    world.service.status = ServiceStatus::Inactive;
    let entry = world.entry();
    assert_eq!((world.stack().action, entry.action, entry.ready), (Action::None, Action::Create, false));
    let [refusal] = entry.refused.as_slice() else { panic!("{entry:?}") };
    assert_eq!(refusal.guard, Guard::Missing);
    assert!(refusal.reason.contains("deleted outside Landfast"), "{refusal:?}");
}

//! Deployments with a second set of tasks: blue/green, canary, linear. ECS moves the traffic and waits; we only follow.
//! Here the time that ECS waits is far longer than `rollout.timeout`, which is 15 minutes.

use std::collections::BTreeSet;

use landfast::model::{AlarmState, DeploymentStrategy, StopDeployment, TaskArn};
use landfast::sim::LifecycleHook;

use super::*;

pub(super) const WATCHED: &str = "too-many-errors";

/// Blue/green with a bake time of so many minutes, and an alarm.
pub(super) fn blue_green(how: How, bake: u32) -> World {
    let strategy = format!(
        "Strategy: BLUE_GREEN, BakeTimeInMinutes: {bake}, \
         Alarms: {{ Enable: true, Rollback: true, AlarmNames: [{WATCHED}] }}, "
    );
    World::with(how, &strategy, |configuration| {
        configuration.strategy = Some(DeploymentStrategy::BlueGreen);
        configuration.bake_minutes = Some(bake);
        configuration.alarms = [WATCHED.to_owned()].into();
        configuration.alarm_rollback = true;
    })
}

fn canary(how: How) -> World {
    let strategy = "Strategy: CANARY, BakeTimeInMinutes: 10, CanaryConfiguration: { CanaryBakeTimeInMinutes: 50 }, ";
    World::with(how, strategy, |configuration| {
        configuration.strategy = Some(DeploymentStrategy::Canary);
        (configuration.shift_minutes, configuration.bake_minutes) = (Some(50), Some(10));
    })
}

fn linear(how: How) -> World {
    let strategy = "Strategy: LINEAR, BakeTimeInMinutes: 10, \
                    LinearConfiguration: { StepPercent: 20, StepBakeTimeInMinutes: 10 }, ";
    World::with(how, strategy, |configuration| {
        configuration.strategy = Some(DeploymentStrategy::Linear);
        (configuration.shift_minutes, configuration.bake_minutes) = (Some(50), Some(10));
    })
}

/// Blue/green with test traffic, a bake time of ten minutes, and a hook that takes so many minutes to answer.
pub(super) fn hooked(how: How, stage: &str, minutes: u32, succeeds: bool) -> World {
    let world = blue_green(how, 10);
    world.rig.console().set_test_traffic(&web(), true);
    let hook = LifecycleHook { takes: minutes * MINUTE, succeeds };
    world.rig.console().set_hook(&web(), stage, Some(hook));
    world
}

impl World {
    fn tasks(&self) -> BTreeSet<TaskArn> {
        self.rig.console().service_tasks(&web()).into_iter().map(|task| task.arn).collect()
    }

    fn state(&self, digest: &ImageDigest) -> Option<(ServiceDeploymentStatus, Option<String>)> {
        self.deployments(digest).pop().map(|found| (found.state.status, found.state.stage))
    }

    /// Nothing is wrong with an image but what a hook says.
    fn push_unwanted(&mut self) -> ImageDigest {
        let digest = self.push("1.1.0", ImageBehaviour::Runs);
        let now = self.rig.cx.now();
        self.rig.truth.images.released(&digest, now);
        digest
    }

    fn calls(&self, operation: &str) -> usize {
        self.rig.cloud.audit().iter().filter(|call| call.operation == operation).count()
    }

    /// Lets time pass until the second set of tasks has all traffic, and is watched.
    fn until_watched(&mut self, digest: &ImageDigest) {
        let watched = (ServiceDeploymentStatus::InProgress, Some("BAKE_TIME".to_owned()));
        self.until(90 * MINUTE, |world| world.state(digest).as_ref() == Some(&watched));
    }
}

#[test]
fn the_time_for_which_a_deployment_is_only_watched_is_not_held_against_its_image() {
    for how in [DIRECT, STACK] {
        for (name, new) in
            [("blue/green", (|how| blue_green(how, 60)) as fn(How) -> World), ("canary", canary), ("linear", linear)]
        {
            let mut world = new(how);
            let newer = world.push("1.1.0", ImageBehaviour::Runs);
            world.until(10 * MINUTE, |world| !world.deployments(&newer).is_empty());
            world.run(40 * MINUTE);
            let (status, stage) = world.state(&newer).unwrap();
            assert_eq!(status, ServiceDeploymentStatus::InProgress, "{how:?} {name}: {stage:?}");
            assert_eq!(world.tasks().len(), 6, "{how:?} {name}: the first set is kept");
            let rollout = world.memory().rollout.expect("it is under way");
            assert_eq!(rollout.doomed, None, "{how:?} {name}");
            // The autoscaler goes on in the middle of it.
            world.scale(4);
            world.run(40 * MINUTE);
            assert_eq!(world.runs(), Some(newer.clone()), "{how:?} {name}: {:#?}", world.memory());
            assert_eq!(world.last().as_ref().map(failed), Some((RolloutOutcome::Proven, None)), "{how:?} {name}");
            assert_eq!((world.deployments(&newer).len(), world.tasks().len()), (1, 4), "{how:?} {name}");
            assert_eq!(world.memory().quarantine.len(), 0, "{how:?} {name}");
            world.is_quiet();
        }
    }
}

#[test]
fn a_second_set_of_tasks_that_cannot_run_is_taken_back_in_minutes_and_the_first_never_stopped() {
    for how in [DIRECT, STACK] {
        for (behaviour, cause) in NO_GOOD {
            let mut world = blue_green(how, 60);
            let first = world.tasks();
            let bad = world.push("1.1.0", behaviour);
            world.until(10 * MINUTE, |world| !world.deployments(&bad).is_empty());
            world.until(10 * MINUTE, |world| world.last().is_some_and(|last| last.outcome != RolloutOutcome::Proven));
            let last = world.last().unwrap();
            assert_eq!(failed(&last), (RolloutOutcome::RolledBack, Some(cause)), "{how:?}: {last:#?}");
            assert_eq!(world.memory().quarantine.keys().collect::<Vec<_>>(), [&bad], "{how:?} {behaviour:?}");
            assert!(first.is_subset(&world.tasks()), "{how:?} {behaviour:?}");
            // A stack goes back with one more deployment, which is watched as long.
            world.run(90 * MINUTE);
            assert_eq!(world.runs().as_ref(), Some(&world.first), "{how:?} {behaviour:?}");
            assert_eq!(world.deployments(&bad).len(), 1, "{how:?} {behaviour:?}");
            assert!(how.stack || first == world.tasks(), "{behaviour:?}");
            world.is_quiet();
        }
    }
}

#[test]
fn an_alarm_while_it_is_watched_takes_it_back_and_its_image_is_not_tried_again() {
    for how in [DIRECT, STACK] {
        let mut world = blue_green(how, 60);
        let bad = world.push("1.1.0", ImageBehaviour::Runs);
        world.until_watched(&bad);
        world.run(20 * MINUTE);
        let now = world.rig.cx.now();
        world.rig.truth.images.released(&bad, now);
        world.rig.console().set_alarm(WATCHED, AlarmState::Alarm);
        let requested = world.state(&bad).map(|(status, _)| status);
        assert_eq!(requested, Some(ServiceDeploymentStatus::RollbackRequested), "{how:?}");
        world.run(5 * MINUTE);
        world.rig.console().set_alarm(WATCHED, AlarmState::Ok);
        world.until(60 * MINUTE, |world| world.last().is_some_and(|last| last.outcome != RolloutOutcome::Proven));
        let last = world.last().unwrap();
        assert_eq!(last.outcome, RolloutOutcome::RolledBack, "{how:?}: {last:#?}");
        assert!(last.evidence.status.as_deref().unwrap().starts_with("ROLLBACK_SUCCESSFUL"), "{how:?}: {last:#?}");
        world.run(120 * MINUTE);
        assert_eq!(world.runs().as_ref(), Some(&world.first), "{how:?}");
        assert_eq!(world.memory().quarantine.keys().collect::<Vec<_>>(), [&bad], "{how:?}");
        assert_eq!(world.deployments(&bad).len(), 1, "{how:?}");
        world.is_quiet();
    }
}

#[test]
fn what_a_person_stops_while_it_is_watched_goes_back_to_tasks_that_were_never_stopped() {
    let mut world = blue_green(DIRECT, 60);
    let first = world.tasks();
    let stopped = world.push("1.1.0", ImageBehaviour::Runs);
    world.until_watched(&stopped);
    let deployment = world.deployments(&stopped)[0].state.arn.clone();
    world.rig.console().stop_deployment(&deployment, StopDeployment::Rollback).unwrap();
    world.run(10 * MINUTE);
    let last = world.last().unwrap();
    assert_eq!(failed(&last), (RolloutOutcome::RolledBack, Some(RolloutCause::Stopped)), "{last:#?}");
    assert!(world.memory().quarantine.contains_key(&stopped));
    assert_eq!((world.tasks(), world.runs()), (first, Some(world.first.clone())));
    world.is_quiet();
    let newer = world.push("1.2.0", ImageBehaviour::Runs);
    world.run(90 * MINUTE);
    assert_eq!(world.runs(), Some(newer), "{:#?}", world.memory());
    world.is_quiet();
}

#[test]
fn a_hook_that_says_no_takes_the_deployment_back_and_its_image_is_not_tried_again() {
    for how in [DIRECT, STACK] {
        for stage in ["PRE_SCALE_UP", "POST_SCALE_UP", "POST_TEST_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT"] {
            let mut world = hooked(how, stage, 3, false);
            let first = world.tasks();
            let bad = world.push_unwanted();
            let asked = (ServiceDeploymentStatus::InProgress, Some(stage.to_owned()));
            world.until(20 * MINUTE, |world| world.state(&bad).as_ref() == Some(&asked));
            world.until(5 * MINUTE, |world| world.state(&bad).as_ref() != Some(&asked));
            // A stack goes back with one more deployment, to which the hook has nothing to say.
            world.rig.console().set_hook(&web(), stage, None);
            world.until(60 * MINUTE, |world| world.last().is_some_and(|last| last.outcome != RolloutOutcome::Proven));
            let last = world.last().unwrap();
            assert_eq!(last.outcome, RolloutOutcome::RolledBack, "{how:?} {stage}: {last:#?}");
            assert!(last.evidence.status.as_deref().unwrap().contains("lifecycle hook"), "{how:?} {stage}: {last:#?}");
            world.run(60 * MINUTE);
            assert_eq!(world.runs().as_ref(), Some(&world.first), "{how:?} {stage}");
            assert!(how.stack || world.tasks() == first, "{stage}: the first set was never stopped");
            assert_eq!(world.memory().quarantine.keys().collect::<Vec<_>>(), [&bad], "{how:?} {stage}");
            assert_eq!(
                (world.deployments(&bad).len(), world.calls("StopServiceDeployment")),
                (1, 0),
                "{how:?} {stage}"
            );
            world.is_quiet();
        }
    }
}

#[test]
fn the_time_that_a_hook_takes_is_not_held_against_an_image() {
    for stage in ["PRE_SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT"] {
        let mut world = hooked(DIRECT, stage, 90, true);
        let newer = world.push("1.1.0", ImageBehaviour::Runs);
        world.run(80 * MINUTE);
        assert_eq!(world.state(&newer), Some((ServiceDeploymentStatus::InProgress, Some(stage.to_owned()))));
        world.run(40 * MINUTE);
        assert_eq!(world.runs(), Some(newer.clone()), "{stage}: {:#?}", world.memory());
        assert_eq!((world.deployments(&newer).len(), world.memory().quarantine.len()), (1, 0), "{stage}");
        world.is_quiet();
    }
}

#[test]
fn tasks_that_do_not_start_are_given_up_after_a_hook_as_before() {
    let mut world = hooked(DIRECT, "PRE_SCALE_UP", 60, true);
    let bad = world.push("1.1.0", ImageBehaviour::CannotBePulled);
    world.run(55 * MINUTE);
    assert!(world.memory().rollout.is_some_and(|rollout| rollout.doomed.is_none()));
    world.until(20 * MINUTE, |world| world.memory().quarantine.contains_key(&bad));
    assert_eq!(failed(&world.last().unwrap()).1, Some(RolloutCause::Pull));
    world.is_quiet();
}

#[test]
fn a_rollback_that_fails_is_left_to_a_person_and_said() {
    // Of the stages of the way back it is asked as well (AWS: *Lifecycle hooks*).
    let mut world = hooked(DIRECT, "PRODUCTION_TRAFFIC_SHIFT", 1, false);
    let bad = world.push_unwanted();
    world.until(30 * MINUTE, |world| world.last().is_some_and(|last| last.outcome != RolloutOutcome::Proven));
    let last = world.last().unwrap();
    assert_eq!(last.outcome, RolloutOutcome::Failed, "{last:#?}");
    assert!(last.evidence.status.as_deref().unwrap().starts_with("ROLLBACK_FAILED"), "{last:#?}");
    world.is_quiet();
    let refused = world.refused();
    assert!(refused.iter().any(|refusal| refusal.release.contains("landfast rollback")), "{refused:#?}");
    assert_eq!(world.deployments(&bad).len(), 1);
    // Whoever pushes what the hook likes has decided.
    world.rig.console().set_hook(&web(), "PRODUCTION_TRAFFIC_SHIFT", None);
    let newer = world.push("1.2.0", ImageBehaviour::Runs);
    world.run(60 * MINUTE);
    assert_eq!(world.runs(), Some(newer), "{:#?}", world.memory());
    world.is_quiet();
}

#[test]
fn what_a_person_stops_where_it_is_is_followed_to_its_end_and_not_stopped_once_more() {
    let mut world = blue_green(DIRECT, 60);
    let stopped = world.push_unwanted();
    world.until_watched(&stopped);
    let deployment = world.deployments(&stopped)[0].state.arn.clone();
    world.rig.console().stop_deployment(&deployment, StopDeployment::Abort).unwrap();
    assert_eq!(world.state(&stopped).map(|(status, _)| status), Some(ServiceDeploymentStatus::StopRequested));
    // AWS takes a second word for the first one.
    world.rig.console().stop_deployment(&deployment, StopDeployment::Rollback).unwrap();
    world.run(10 * MINUTE);
    assert_eq!(world.state(&stopped).map(|(status, _)| status), Some(ServiceDeploymentStatus::Stopped));
    let last = world.last().unwrap();
    assert_eq!(failed(&last), (RolloutOutcome::Failed, Some(RolloutCause::Stopped)), "{last:#?}");
    assert!(world.memory().quarantine.contains_key(&stopped));
    assert_eq!(world.calls("StopServiceDeployment"), 0);
    world.is_quiet();
    assert!(world.refused().iter().any(|refusal| refusal.release.contains("landfast rollback")));
}

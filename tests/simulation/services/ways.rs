//! The ways of an image: into the service and proven; or back, and into quarantine.

use landfast::model::{Ailment, Pin, Platform};

use super::*;

#[test]
fn a_new_version_is_rolled_out_and_proven_and_the_count_stays() {
    for how in [DIRECT, STACK] {
        let mut world = World::new(how);
        assert_eq!(world.runs().as_ref(), Some(&world.first), "{how:?}");
        world.is_quiet();
        world.scale(5);
        let newer = world.push("1.1.0", ImageBehaviour::Runs);
        world.run(30 * MINUTE);
        assert_eq!(world.runs(), Some(newer.clone()), "{how:?}: {:#?}", world.memory());
        let memory = world.memory();
        assert_eq!(memory.last.as_ref().map(failed), Some((RolloutOutcome::Proven, None)), "{how:?}");
        assert_eq!((memory.rollout, memory.releases.len()), (None, 2), "{how:?}");
        assert_eq!(world.deployments(&newer).len(), 1, "{how:?}");
        world.is_quiet();
    }
}

#[test]
fn a_bad_image_is_recognised_in_minutes_taken_back_and_not_tried_again_before_there_is_a_newer_one() {
    for how in [DIRECT, STACK] {
        for (behaviour, cause) in NO_GOOD {
            let mut world = World::new(how);
            let bad = world.push("1.1.0", behaviour);
            world.until(10 * MINUTE, |world| !world.deployments(&bad).is_empty());
            // ECS would go on for ever, CloudFormation for three hours, and `rollout.timeout` is 15 minutes.
            let took = world
                .until(10 * MINUTE, |world| world.last().is_some_and(|last| last.outcome != RolloutOutcome::Proven));
            println!("{how:?} {behaviour:?}: taken back after {took:?}");
            let memory = world.memory();
            assert_eq!(memory.last.as_ref().map(failed), Some((RolloutOutcome::RolledBack, Some(cause))), "{how:?}");
            assert_eq!(memory.quarantine.keys().collect::<Vec<_>>(), [&bad], "{how:?} {behaviour:?}");
            assert_eq!(memory.quarantine[&bad].tag.as_deref(), Some("1.1.0"));
            world.run(3 * MINUTE);
            assert_eq!(world.runs().as_ref(), Some(&world.first), "{how:?} {behaviour:?}");
            world.is_quiet();
            world.run(300 * MINUTE);
            assert_eq!(world.deployments(&bad).len(), 1, "{how:?} {behaviour:?}");
            world.is_quiet();
            let newer = world.push("1.2.0", ImageBehaviour::Runs);
            world.run(30 * MINUTE);
            assert_eq!(world.runs(), Some(newer), "{how:?} {behaviour:?}: {:#?}", world.memory());
            world.is_quiet();
        }
    }
}

#[test]
fn with_a_circuit_breaker_it_is_the_same() {
    for stack in [false, true] {
        for behaviour in [ImageBehaviour::CannotBePulled, ImageBehaviour::Crashes, ImageBehaviour::NeverHealthy] {
            let mut world = World::new(How { stack, breaker: true });
            let bad = world.push("1.1.0", behaviour);
            world.run(60 * MINUTE);
            let last = world.last().unwrap();
            assert_eq!(last.outcome, RolloutOutcome::RolledBack, "stack: {stack}, {behaviour:?}: {last:#?}");
            assert!(world.memory().quarantine.contains_key(&bad), "stack: {stack}, {behaviour:?}");
            assert_eq!(world.runs().as_ref(), Some(&world.first), "stack: {stack}, {behaviour:?}");
            assert_eq!(world.deployments(&bad).len(), 1, "stack: {stack}, {behaviour:?}");
            world.is_quiet();
        }
    }
}

#[test]
fn a_released_image_is_tried_once_more() {
    for how in [DIRECT, STACK] {
        let mut world = World::new(how);
        let bad = world.push("1.1.0", ImageBehaviour::CannotBePulled);
        world.run(40 * MINUTE);
        assert!(world.memory().quarantine.contains_key(&bad), "{how:?}");
        // The repository's permissions were the reason; they are set right.
        world.rig.console().set_image_behaviour(&bad, ImageBehaviour::Runs);
        world.run(60 * MINUTE);
        assert_eq!(world.deployments(&bad).len(), 1, "{how:?}: nobody has said that it may be tried again");
        world.rig.truth.images.released(&bad, world.rig.cx.now());
        world.person(|memory| _ = memory.quarantine.remove(&bad));
        world.run(30 * MINUTE);
        let last = world.last().map(|last| last.outcome);
        assert_eq!((world.runs(), last), (Some(bad), Some(RolloutOutcome::Proven)), "{how:?}: {:#?}", world.memory());
        world.is_quiet();
    }
}

#[test]
fn a_release_that_a_person_goes_back_to_holds_until_the_manifest_moves() {
    for how in [DIRECT, STACK] {
        let mut world = World::new(how);
        world.push("1.1.0", ImageBehaviour::Runs);
        world.run(30 * MINUTE);
        let release = world.memory().releases[1].clone();
        let spec = {
            let desired = world.rig.controller().unwrap().board.desired();
            let environment = desired.environments.values().find(|found| !found.services.is_empty()).unwrap();
            environment.services.values().next().unwrap().digest.clone()
        };
        world.rig.truth.images.may_go_back();
        let at = world.rig.cx.now();
        world.person(|memory| {
            memory.pin = Some(Pin { images: release.images, spec, by: "somebody".to_owned(), at });
        });
        world.run(30 * MINUTE);
        assert_eq!(world.runs().as_ref(), Some(&world.first), "{how:?}: {:#?}", world.memory());
        // argocd-image-updater#1249: the updater overruled the rollback with the next push.
        world.push("1.2.0", ImageBehaviour::Runs);
        world.run(60 * MINUTE);
        assert_eq!(world.runs().as_ref(), Some(&world.first), "{how:?}: {:#?}", world.memory());
        world.is_quiet();
        // Git has the last word.
        let web = |repo: &mut crate::rig::Repo| {
            repo.fleet.web.as_mut().unwrap().select = "semver: '>=1.1, <2'".to_owned();
        };
        world.rig.commit(web, true);
        world.run(30 * MINUTE);
        assert_eq!(world.runs().as_ref(), world.versions.get("1.2.0"), "{how:?}: {:#?}", world.memory());
        assert_eq!(world.memory().pin, None);
        world.is_quiet();
    }
}

#[test]
fn an_image_that_was_built_for_other_processors_is_never_rolled_out() {
    let mut world = World::new(DIRECT);
    let other = world.push("1.1.0", ImageBehaviour::Crashes);
    let arm = Platform { os: "linux".to_owned(), architecture: "arm64".to_owned() };
    world.rig.console().set_platform(REPOSITORY, &other, Some(arm));
    world.run(30 * MINUTE);
    assert_eq!((world.runs().as_ref(), world.deployments(&other).len()), (Some(&world.first), 0));
    assert!(world.memory().quarantine.is_empty() && world.memory().rollout.is_none());
    // What cannot be found out is not held against an image.
    let unsaid = world.push("1.2.0", ImageBehaviour::Runs);
    world.rig.console().set_platform(REPOSITORY, &unsaid, None);
    world.run(30 * MINUTE);
    assert_eq!(world.runs(), Some(unsaid), "{:#?}", world.memory());
    world.is_quiet();
}

#[test]
fn the_doctor_takes_no_ordinary_rollout_for_one_that_is_stuck() {
    let mut world = World::new(STACK);
    let waits_for_a_service = |world: &World| {
        let ailments = world.entry("dev/stack/web").ailments;
        ailments.iter().any(|one| one.ailment == Ailment::ServiceNotSteady)
    };
    let newer = world.push("1.1.0", ImageBehaviour::Runs);
    let mut under_way = 0;
    for _ in 0..60 {
        world.run(Duration::from_secs(10));
        under_way += u32::from(world.memory().rollout.is_some());
        assert!(!waits_for_a_service(&world), "{:#?}", world.entry("dev/stack/web").ailments);
    }
    assert_eq!(world.runs(), Some(newer));
    assert!(under_way > 3, "it was looked at in the middle of it");
    world.push("1.2.0", ImageBehaviour::Crashes);
    world.until(10 * MINUTE, waits_for_a_service);
    world.until(60 * MINUTE, |world| !waits_for_a_service(world));
}

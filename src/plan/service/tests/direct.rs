//! Services that are deployed through ECS itself.

use super::*;
use ServiceDeploymentStatus::{InProgress, RollbackSuccessful, Stopped, Successful};

#[test]
fn what_was_proven_and_runs_is_in_sync_and_asks_for_nothing() {
    let entry = World::new().entry();
    assert_eq!((entry.action, entry.ready), (Action::None, true));
    assert!(entry.step.is_none() && entry.waiting.is_empty() && entry.refused.is_empty());
}

#[test]
fn a_newer_image_is_decided_on_before_anything_follows_from_it() {
    let mut world = World::new();
    world.push(&[1, 2]);
    let Some(ServiceDo::Decide { decisions, rollout, .. }) = world.step() else { panic!() };
    assert_eq!(decisions["app"].digest, digest(2));
    assert_eq!(rollout.clone().unwrap().intended, intended(2));
    (world.memory.decisions, world.memory.rollout) = (decisions, rollout.map(|rollout| *rollout));
    let Some(ServiceDo::Register { expect, images, tags, token }) = world.step() else { panic!() };
    assert_eq!(expect, Primary { id: "ecs-svc/1".to_owned(), task_definition: definition_arn(1) });
    assert_eq!(images, BTreeMap::from([("app".to_owned(), uri(2))]));
    assert_eq!(tags[ROLLOUT_TAG], token);
    let rollout = world.memory.rollout.as_mut().unwrap();
    (rollout.token, rollout.task_definition) = (Some(token), Some(definition_arn(2)));
    let Some(ServiceDo::Deploy { expect, task_definition }) = world.step() else { panic!() };
    assert_eq!((expect.id.as_str(), task_definition), ("ecs-svc/1", definition_arn(2)));
}

#[test]
fn a_rollout_is_proven_by_its_own_deployment_and_the_digests_that_run() {
    let mut world = World::new();
    world.roll_out(2, 2);
    world.deploy("ecs-svc/2", 2, 2, RolloutState::InProgress);
    world.record(2, 2, 2, InProgress, 0);
    assert!(matches!(world.entry().waiting[..], [Waiting::Rollout { .. }]));
    world.deployments[0].state.status = Successful;
    // One of the tasks still runs what ran before.
    world.tasks.running.push(task(9, 2, 2));
    assert!(matches!(world.entry().waiting[..], [Waiting::Rollout { .. }]));
    world.run(2, 2, 2);
    let Some(ServiceDo::Conclude { ended, quarantine, release, back_to }) = world.step() else { panic!() };
    assert_eq!(ended.outcome, RolloutOutcome::Proven);
    assert_eq!(release.unwrap().task_definition, definition_arn(2));
    assert!(quarantine.is_empty() && back_to.is_none());
}

/// aws-actions/amazon-ecs-deploy-task-definition#191, fabfuel/ecs-deploy#185: the service is steady, on what ran before.
#[test]
fn success_is_not_reported_after_a_rollback() {
    let mut world = World::new();
    world.roll_out(2, 2);
    world.deploy("ecs-svc/3", 1, 1, RolloutState::Completed);
    world.record(2, 2, 2, RollbackSuccessful, 0);
    let (outcome, evidence, quarantined) = world.ended();
    assert_eq!(outcome, RolloutOutcome::RolledBack);
    assert_eq!(quarantined, BTreeSet::from([digest(2)]));
    assert!(evidence.deployment.is_some() && evidence.status.as_deref() == Some("ROLLBACK_SUCCESSFUL"));
    let Some(ServiceDo::Conclude { back_to, .. }) = world.step() else { panic!() };
    assert_eq!(back_to, Some(decisions(1)));
}

/// argoproj-labs/argocd-image-updater and every other of its kind: what failed is tried again and again.
#[test]
fn an_image_that_failed_is_not_tried_again_until_there_is_a_newer_one() {
    let mut world = World::new();
    world.memory.quarantine.insert(digest(2), Quarantined { tag: None, why: "it crashed".to_owned(), at: at(0) });
    world.push(&[1, 2]);
    assert_eq!((world.step().is_none(), world.entry().action), (true, Action::None));
    world.push(&[1, 2, 3]);
    let Some(ServiceDo::Decide { decisions, .. }) = world.step() else { panic!() };
    assert_eq!(decisions["app"].digest, digest(3));
    world.memory.quarantine.clear();
    world.push(&[1, 2]);
    assert!(matches!(world.step(), Some(ServiceDo::Decide { .. })), "a person has released it");
}

/// An empty digest map was read as "nothing is wanted".
#[test]
fn a_registry_that_lists_nothing_or_cannot_be_read_changes_nothing() {
    let mut world = World::new();
    world.images = Seen::Present(Vec::new().into());
    assert_eq!((world.step().is_none(), world.entry().action), (true, Action::None));
    // That the whole repository is gone is a finding: no further task could be started.
    world.images = Seen::Absent;
    let entry = world.entry();
    assert_eq!((entry.step.is_none(), entry.action), (true, Action::Update));
    assert_eq!(entry.refused.iter().map(|refusal| refusal.guard).collect::<Vec<_>>(), [Guard::ImageGone]);
    world.images = Seen::Unknown(Unknown::because("throttled"));
    let entry = world.entry();
    assert_eq!((entry.step.is_none(), entry.action), (true, Action::Unknown));
}

#[test]
fn an_image_that_is_gone_from_the_registry_is_reported_while_it_runs() {
    let mut world = World::new();
    world.memory.decisions = decisions(2);
    world.memory.releases = vec![release(2, 1)];
    world.definitions.insert(1, 2);
    world.run(1, 2, 2);
    let entry = world.entry();
    assert!(entry.ready && entry.step.is_none());
    assert_eq!(entry.refused.iter().map(|refusal| refusal.guard).collect::<Vec<_>>(), [Guard::ImageGone]);
}

/// ECR replicates only what is pushed after replication was set up (aws/containers-roadmap#1289): a region that takes over
/// finds out too late.
#[test]
fn an_image_that_the_standby_region_lacks_is_told_and_unknown_is_unknown() {
    let mut world = World::new();
    world.spec.images.get_mut("app").unwrap().also_in.insert("us-west-2".parse().unwrap());
    let (plan, needs) = world.planned();
    let unread = &plan.entries[&world.spec.key];
    let (region, other) = ("us-west-2".parse().unwrap(), world.spec.scope.clone());
    let wanted = |need: &Need| matches!(need, Need::Service(ServiceNeed::Images(scope, _)) if scope.region == region && *scope != other);
    assert!(needs.len() == 1 && needs.iter().all(wanted), "{needs:?}");
    assert!(unread.ready && unread.refused.is_empty());
    assert!(matches!(unread.waiting.as_slice(), [Waiting::Unknown { .. }]), "{unread:?}");
    world.standby = Some(Seen::Unknown(Unknown::because("throttled")));
    let unknown = world.entry();
    assert!(unknown.refused.is_empty() && format!("{:?}", unknown.waiting).contains("throttled"), "{unknown:?}");
    for there in [Seen::Absent, Seen::Present(Vec::new().into())] {
        world.standby = Some(there);
        let entry = world.entry();
        assert!(entry.ready && entry.step.is_none() && entry.waiting.is_empty());
        assert_eq!(entry.refused.iter().map(|refusal| refusal.guard).collect::<Vec<_>>(), [Guard::ImageElsewhere]);
    }
    world.standby = Some(world.images.clone());
    let there = world.entry();
    assert!(there.refused.is_empty() && there.waiting.is_empty(), "{there:?}");
}

/// Two controllers on one image: each takes the other's work for drift.
#[test]
fn what_somebody_else_has_deployed_is_reported_and_not_fought() {
    let mut world = World::new();
    world.deploy("ecs-svc/7", 7, 9, RolloutState::Completed);
    let entry = world.entry();
    assert!(entry.step.is_none() && !entry.ready);
    assert_eq!(entry.refused[0].guard, Guard::Superseded);
    world.roll_out(2, 2);
    world.record(2, 2, 2, Successful, 0);
    let (outcome, _, quarantined) = world.ended();
    assert_eq!((outcome, quarantined.len()), (RolloutOutcome::Superseded, 0));
}

#[test]
fn a_rollout_without_tasks_proves_nothing() {
    let mut world = World::new();
    world.roll_out(2, 2);
    world.service.desired = 0;
    world.deploy("ecs-svc/2", 2, 2, RolloutState::Completed);
    world.record(2, 2, 2, Successful, 0);
    world.tasks = TasksSeen::default();
    assert_eq!(world.ended().0, RolloutOutcome::Unproven);
}

#[test]
fn a_hopeless_rollout_is_recognised_by_its_stopped_tasks_and_stopped() {
    let cases = [
        (2, "TaskFailedToStart", "CannotPullContainerError: not found", RolloutCause::Pull),
        (3, "EssentialContainerExited", "Essential container in task exited", RolloutCause::Crash),
        (3, "ServiceSchedulerInitiated", "Task failed ELB health checks in (target-group x)", RolloutCause::Health),
    ];
    for (count, code, reason, cause) in cases {
        let mut world = World::new();
        world.roll_out(2, 2);
        world.deploy("ecs-svc/2", 2, 2, RolloutState::InProgress);
        world.record(2, 2, 2, InProgress, 0);
        world.now = at(2);
        world.stop(2, 2, count - 1, code, reason);
        assert!(world.step().is_none(), "{cause:?} after one fewer");
        world.stop(1, 1, count, code, reason);
        assert!(world.step().is_none(), "{cause:?} of what ran before");
        world.stop(2, 2, count, code, reason);
        let Some(ServiceDo::Doom { doom }) = world.step() else { panic!("{cause:?}") };
        assert_eq!((doom.cause, doom.evidence.stopped.values().sum::<u32>()), (cause, count));
        world.memory.rollout.as_mut().unwrap().doomed = Some(*doom);
        let Some(ServiceDo::Stop { deployment, how }) = world.step() else { panic!("{cause:?}") };
        assert_eq!((deployment, how), (world.deployments[0].state.arn.clone(), StopDeployment::Rollback));
        world.deployments[0].state.status = RollbackSuccessful;
        world.deploy("ecs-svc/3", 1, 1, RolloutState::Completed);
        let (outcome, evidence, quarantined) = world.ended();
        assert_eq!((outcome, evidence.cause), (RolloutOutcome::RolledBack, Some(cause)));
        assert_eq!(quarantined, BTreeSet::from([digest(2)]));
    }
}

#[test]
fn a_rollout_that_takes_too_long_is_given_up() {
    let mut world = World::new();
    world.roll_out(2, 2);
    world.deploy("ecs-svc/2", 2, 2, RolloutState::InProgress);
    world.record(2, 2, 2, InProgress, 0);
    world.now = at(16);
    let Some(ServiceDo::Doom { doom }) = world.step() else { panic!() };
    assert_eq!(doom.cause, RolloutCause::Timeout);
    world.spec.rollout.on_failure = RolloutFailure::Report;
    assert_eq!(world.ended().0, RolloutOutcome::Failed);
}

/// Reads lag behind each other: the record of a deployment may tell of what the service does not show yet.
#[test]
fn a_service_that_was_read_before_its_deployment_is_read_again() {
    let mut world = World::new();
    world.roll_out(2, 2);
    world.record(2, 2, 2, Successful, 0);
    world.now = at(2);
    assert!(world.step().is_none());
    assert!(matches!(world.entry().waiting[..], [Waiting::Rollout { .. }]), "{:?}", world.entry().waiting);
    // The other way round: our deployment was replaced after the service had been read.
    let mut world = World::new();
    world.roll_out(2, 2);
    world.deploy("ecs-svc/2", 2, 2, RolloutState::InProgress);
    world.record(2, 2, 2, Stopped, 0);
    world.record(3, 9, 9, InProgress, 1);
    let (outcome, _, quarantined) = world.ended();
    assert_eq!((outcome, quarantined.len()), (RolloutOutcome::Superseded, 0));
}

/// A deployment that was replaced by hand in the middle says nothing about the image.
#[test]
fn a_deployment_that_was_replaced_by_another_is_superseded_and_nothing_is_quarantined() {
    let mut world = World::new();
    world.roll_out(2, 2);
    world.record(2, 2, 2, Stopped, 0);
    world.deploy("ecs-svc/9", 9, 9, RolloutState::InProgress);
    let (outcome, _, quarantined) = world.ended();
    assert_eq!((outcome, quarantined.len()), (RolloutOutcome::Superseded, 0));
}

#[test]
fn a_call_that_was_lost_is_made_again_and_one_that_was_not_is_followed() {
    let mut world = World::new();
    world.push(&[1, 2]);
    world.memory.decisions = decisions(2);
    world.memory.rollout = Some(Rollout::open(intended(2), 1, at(0)));
    let Some(ServiceDo::Register { token, .. }) = world.step() else { panic!() };
    let rollout = world.memory.rollout.as_mut().unwrap();
    rollout.token = Some(token);
    assert!(matches!(world.step(), Some(ServiceDo::Register { .. })), "its answer was lost");
    let rollout = world.memory.rollout.as_mut().unwrap();
    rollout.task_definition = Some(definition_arn(2));
    (rollout.begun, rollout.replaces) = (Some(at(0)), Some("ecs-svc/1".to_owned()));
    assert!(matches!(world.step(), Some(ServiceDo::Deploy { .. })), "the update was lost");
    world.deploy("ecs-svc/2", 2, 2, RolloutState::InProgress);
    world.record(2, 2, 2, InProgress, 0);
    assert!(world.step().is_none());
}

/// A person who goes back in Git, or by `landfast rollback`, wins over automation.
#[test]
fn a_pin_holds_until_git_moves_the_manifest() {
    let mut world = World::new();
    world.push(&[1, 2]);
    let pin = Pin { images: decisions(1), spec: world.spec.digest.clone(), by: "ada".to_owned(), at: at(0) };
    world.memory.pin = Some(pin);
    assert!(world.step().is_none());
    world.spec.digest = Digest::of("another manifest");
    let Some(ServiceDo::Decide { decisions, unpin, .. }) = world.step() else { panic!() };
    assert_eq!((decisions["app"].digest.clone(), unpin), (digest(2), true));
}

#[test]
fn a_service_that_is_nobodys_is_only_deployed_to_where_the_manifest_adopts_it() {
    let mut world = World::new();
    world.service.tags.clear();
    world.memory.decisions = decisions(2);
    world.memory.rollout = Some(Rollout::open(intended(2), 1, at(0)));
    assert_eq!(world.entry().refused[0].guard, Guard::Ownership);
    world.spec.adopt = true;
    assert!(matches!(world.step(), Some(ServiceDo::Own { .. })));
    world.mode = Mode::Observe;
    assert_eq!(world.entry().refused[0].guard, Guard::Mode);
}

/// The plan says so, before anything is decided or tagged.
#[test]
fn a_service_that_ecs_does_not_deploy_itself_is_refused_and_not_taken_over() {
    for controller in [DeploymentController::CodeDeploy, DeploymentController::External] {
        let mut world = World::new();
        world.service.tags.clear();
        world.spec.adopt = true;
        world.service.controller = controller;
        world.push(&[1, 2]);
        let entry = world.entry();
        assert!(entry.step.is_none() && entry.refused[0].reason.contains("is deployed by"), "{:?}", entry.refused);
        assert!(entry.status.is_some(), "it is there");
        world.memory.decisions = decisions(2);
        world.memory.rollout = Some(Rollout::open(intended(2), 1, at(0)));
        let entry = world.entry();
        assert!(entry.step.is_none() && entry.refused[0].reason.contains("is deployed by"), "{:?}", entry.refused);
    }
}

#[test]
fn an_environment_that_already_runs_the_chosen_image_is_proven_without_a_deployment() {
    let mut world = World::new();
    world.memory = ServiceMemory::default();
    let Some(ServiceDo::Decide { decisions, rollout, .. }) = world.step() else { panic!() };
    (world.memory.decisions, world.memory.rollout) = (decisions, rollout.map(|rollout| *rollout));
    assert_eq!(world.ended().0, RolloutOutcome::Proven);
}

/// AWS takes a second request for the first one; a plan that repeats it would never be silent.
#[test]
fn what_stops_or_goes_back_already_is_not_stopped_once_more() {
    use ServiceDeploymentStatus::{RollbackInProgress, RollbackRequested, StopRequested};
    for (status, stops) in
        [(InProgress, true), (StopRequested, false), (RollbackRequested, false), (RollbackInProgress, false)]
    {
        let mut world = World::new();
        world.roll_out(2, 2);
        world.deploy("ecs-svc/2", 2, 2, RolloutState::InProgress);
        world.record(2, 2, 2, InProgress, 0);
        world.stop(2, 2, 3, "EssentialContainerExited", "Essential container in task exited");
        let Some(ServiceDo::Doom { doom }) = world.step() else { panic!() };
        world.memory.rollout.as_mut().unwrap().doomed = Some(*doom);
        world.deployments[0].state.status = status;
        assert_eq!(matches!(world.step(), Some(ServiceDo::Stop { .. })), stops, "{status}");
    }
}

/// No rollout of it could be followed: it is refused before anything is decided on.
#[test]
fn a_service_that_ecs_does_not_deploy_itself_is_refused_when_it_is_planned() {
    for controller in [DeploymentController::CodeDeploy, DeploymentController::External] {
        let mut world = World::new();
        world.service.controller = controller;
        world.push(&[1, 2]);
        let entry = world.entry();
        assert!(entry.step.is_none() && !entry.ready && entry.waiting.is_empty(), "{entry:?}");
        assert!(entry.refused[0].reason.contains(controller.as_str()), "{entry:?}");
    }
}

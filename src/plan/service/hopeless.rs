//! Rollouts that cannot succeed, recognised by how the tasks of their task definition stop.
//!
//! ECS goes on trying for ever, waits up to 27 minutes between two starts, and does not count tasks that ran before they
//! died; CloudFormation waits three hours for it. A person who looks at the stopped tasks knows after minutes.

use crate::model::{RolloutCause, TaskDefinitionArn, TaskHealth, TaskState};

/// Tasks that could not pull their image, before it is held against the image: one may be the network's fault.
const PULLS: usize = 2;

/// Tasks that ended after their start.
const CRASHES: usize = 3;

/// Tasks that were stopped because they failed a health check.
const UNHEALTHY: usize = 3;

/// Why a rollout of this task definition cannot succeed, as far as its stopped tasks say.
pub(super) fn hopeless(definition: &TaskDefinitionArn, stopped: &[TaskState]) -> Option<RolloutCause> {
    let count = |cause: RolloutCause| {
        let of_it = stopped.iter().filter(|task| task.task_definition == *definition);
        of_it.filter(|task| cause_of(task) == Some(cause)).count()
    };
    let limits = [(RolloutCause::Pull, PULLS), (RolloutCause::Crash, CRASHES), (RolloutCause::Health, UNHEALTHY)];
    limits.into_iter().find(|(cause, limit)| count(*cause) >= *limit).map(|(cause, _)| cause)
}

/// How a task failed; `None` if it was stopped for a reason that says nothing about what it runs: scaling, a newer
/// deployment, a host that went away.
pub(in crate::plan) fn cause_of(task: &TaskState) -> Option<RolloutCause> {
    let said = |text: &Option<String>, part: &str| text.as_deref().is_some_and(|text| text.contains(part));
    let pull = |text: &Option<String>| said(text, "CannotPull");
    if pull(&task.stopped_reason) || task.containers.iter().any(|container| pull(&container.reason)) {
        return Some(RolloutCause::Pull);
    }
    // Whatever else is said of it: its deployment was scaled down, because another one has come.
    if said(&task.stopped_reason, "Scaling activity initiated by") {
        return None;
    }
    let unhealthy = ["health check", "Health check"].iter().any(|part| said(&task.stopped_reason, part));
    if unhealthy || task.health == TaskHealth::Unhealthy {
        return Some(RolloutCause::Health);
    }
    let exited = task.stop_code.as_deref() == Some("EssentialContainerExited");
    let never_started = task.stop_code.as_deref() == Some("TaskFailedToStart")
        && task.containers.iter().any(|container| said(&container.reason, "CannotStartContainer"));
    (exited || never_started).then_some(RolloutCause::Crash)
}

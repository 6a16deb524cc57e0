//! ECS services that their stack waits for and that do not become steady. `CloudFormation` waits three hours; how its tasks
//! stop says after minutes that it waits in vain.

use std::collections::BTreeMap;

use super::command::aws;
use crate::model::{
    Ailment, Choice, Diagnosis, Evidence, Key, Remedy, RolloutOutcome, Seen, ServiceMemory, ServiceRef, ServiceSpec,
    StackAddress, StackState, StackStatus, TaskState,
};
use crate::plan::planner::Planner;
use crate::plan::service;
use crate::plan::service::hopeless::cause_of;

/// Tasks that must have failed before a service is said to be stuck: one may be anything.
const FAILED_MIN: usize = 2;

/// Of a stack that works on a service.
pub(super) fn diagnosis(
    planner: &Planner<'_>,
    key: &Key,
    address: &StackAddress,
    stack: &StackState,
) -> Option<Diagnosis> {
    let input = planner.input;
    let services = input.environment.services.values().filter(|spec| spec.stack() == Some(key));
    services.into_iter().find_map(|spec| {
        let evidence = evidence(planner, spec, stack)?;
        let doomed = planner.is_doomed(key);
        let named = service::shown(planner, spec).or_else(|| {
            let memory = input.memory.objects.services.get(&spec.key)?;
            ServiceRef::of_deployment(given_up(memory, stack)?.deployment.as_deref()?)
        });
        let remedy = remedy(address, stack.status, doomed, named.as_ref());
        Some(Diagnosis::of(address, Ailment::ServiceNotSteady, remedy).about(key).shown_by(evidence))
    })
}

/// What shows that the service cannot become steady: how its tasks have stopped.
fn evidence(planner: &Planner<'_>, spec: &ServiceSpec, stack: &StackState) -> Option<Vec<String>> {
    let input = planner.input;
    let memory = input.memory.objects.services.get(&spec.key);
    let doom = memory.and_then(|memory| memory.rollout.as_ref()).and_then(|rollout| rollout.doomed.as_ref());
    let doom = doom.map(|doom| &doom.evidence).or_else(|| given_up(memory?, stack));
    if let Some(doom) = doom {
        let log = doom.log.iter().map(|line| format!("its log says: {line}"));
        return Some([format!("{}: {}", spec.key, doom.why())].into_iter().chain(log).collect());
    }
    let service = (spec.scope.clone(), service::shown(planner, spec)?);
    let seen = &input.observation.services;
    let tasks = seen.tasks.get(&service)?.present()?;
    // What the last deployment has replaced says nothing of the one that is waited for.
    let deployed = seen.services.get(&service).and_then(Seen::present).and_then(|state| state.task_definition.as_ref());
    let of_it = tasks.stopped.iter().filter(|task| deployed.is_none_or(|deployed| task.task_definition == *deployed));
    let failed: Vec<&TaskState> = of_it.filter(|task| cause_of(task).is_some()).collect();
    if failed.len() < FAILED_MIN {
        return None;
    }
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for task in &failed {
        *reasons.entry(task.stopped_reason.as_deref().unwrap_or("no reason given")).or_default() += 1;
    }
    let (running, failed) = (tasks.running.len(), failed.len());
    let all = [format!("{}: {running} tasks running, {failed} failed in the last hour", spec.key)];
    Some(all.into_iter().chain(reasons.into_iter().map(|(reason, count)| format!("{count} × {reason}"))).collect())
}

/// Why the rollout of a creation was given up. Nobody cancels that: `CloudFormation` waits on.
fn given_up<'m>(memory: &'m ServiceMemory, stack: &StackState) -> Option<&'m Evidence> {
    let last = memory.last.as_ref()?;
    let of_it = memory.rollout.is_none() && last.outcome == RolloutOutcome::Failed && last.at >= stack.created;
    (stack.status == StackStatus::CreateInProgress && of_it).then_some(&last.evidence)
}

fn remedy(address: &StackAddress, status: StackStatus, doomed: bool, named: Option<&ServiceRef>) -> Remedy {
    match status {
        StackStatus::UpdateInProgress if doomed => {
            Remedy::Automatic { what: "cancels the update; CloudFormation then rolls it back".to_owned() }
        }
        StackStatus::UpdateInProgress => Remedy::Command {
            what: "cancels the update; CloudFormation then rolls it back".to_owned(),
            commands: vec![aws(address, "cancel-update-stack", "")],
        },
        // A creation cannot be cancelled. With no tasks to wait for, the service is steady at once.
        _ => Remedy::Decision {
            what: "how to end the wait for the service".to_owned(),
            choices: vec![
                Choice::new(
                    "let the service reach a steady state without tasks, and fix its image or its health check in the \
                    meantime",
                    [
                        aws(
                            address,
                            "describe-stack-resources",
                            "--query \"StackResources[?ResourceType=='AWS::ECS::Service']\"",
                        ),
                        format!(
                            "aws ecs update-service --region {} --cluster {} --service {} --desired-count 0",
                            address.scope.region,
                            named.map_or("CLUSTER", |named| named.cluster.as_str()),
                            named.map_or("SERVICE", |named| named.service.as_str()),
                        ),
                    ],
                ),
                Choice::new(
                    "set `timeout` in the stack's manifest: the next creation then fails automatically after that time",
                    [],
                ),
            ],
        },
    }
}

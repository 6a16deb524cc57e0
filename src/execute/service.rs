//! Steps on services.

use super::{Executor, Outcome, Terms};
use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    Act, Applied, Attempts, Evidence, Failure, Key, Primary, RELEASES_KEPT, Release, Restart, Rollout, ServiceDo,
    ServiceMemory, ServiceRef, ServiceState, ServiceStep, Step, TaskDefinitionArn, TaskDefinitionStatus, VersionId,
};
use crate::ports::{Class, Containers, CopyTaskDefinition, Fence, PortError, Priority, UpdateService};
use crate::sabotage::{self, Bug};
use crate::store::{Record, RecordOutcome, StoreError};

/// Revisions of a family among which a copy of ours is looked for: between a lost answer and the next try, nobody
/// registers more.
const LOOKED_THROUGH: usize = 5;

/// Task definitions of ours that are remembered: more than a manifest may ask to keep. What is forgotten stays.
const REGISTERED_KEPT: usize = 1_200;

impl Executor {
    /// Takes a step on a service.
    pub(super) async fn take_on_service(&self, step: &Step, service: &ServiceStep, terms: &Terms) -> Outcome {
        if service.mutates() {
            return self.change_service(step, service, terms).await;
        }
        let record = record(step, RecordOutcome::Done).with_detail(detail(&service.action));
        let now = self.cx.now();
        let begun =
            self.begin_step(step, terms, (record, None), |memory: &mut ServiceMemory| remember(service, memory, now));
        begun.map_or_else(|outcome| outcome, |()| Outcome::Done)
    }

    async fn change_service(&self, step: &Step, service: &ServiceStep, terms: &Terms) -> Outcome {
        let fence = match self.fence(step) {
            Ok(fence) => fence,
            Err(outcome) => return outcome,
        };
        let port = self.governor.containers(&step.address.scope, terms.role.as_ref(), Priority::Deploy);
        let Some(name) = &service.service else {
            return Outcome::Failed(PortError::new(Class::Invalid, "UpdateService", "the step has no service"));
        };
        if let Err(outcome) = holds(&*port, name, &service.action).await {
            return outcome;
        }
        if let Err(outcome) = self.begin_on_service(step, service, terms) {
            return outcome;
        }
        let answer = make(&*port, fence, name, &service.action).await;
        match self.finish_on_service(step, service, answer) {
            Ok(outcome) => outcome,
            Err(error) => Outcome::NotJournaled(error),
        }
    }

    fn begin_on_service(&self, step: &Step, service: &ServiceStep, terms: &Terms) -> Result<(), Outcome> {
        let now = self.cx.now();
        let mut begun = record(step, RecordOutcome::Begun).with_detail(detail(&service.action));
        if let ServiceDo::Register { token, .. } = &service.action {
            begun = begun.with_token(token.clone());
        }
        self.begin_step(step, terms, (begun, None), |memory: &mut ServiceMemory| {
            if let ServiceDo::Restart { expect, rollout } = &service.action {
                // Asked for once more because the first time was lost, it is another one.
                let replaces = Some(expect.id.clone());
                memory.rollout = Some(Rollout { begun: Some(now), replaces, ..(**rollout).clone() });
            }
            let Some(rollout) = &mut memory.rollout else { return };
            match &service.action {
                ServiceDo::Register { token, .. } => {
                    rollout.token = Some(token.clone());
                    rollout.task_definition = None;
                }
                ServiceDo::Deploy { expect, .. } => {
                    // Told once more because the first time was lost: the clock of the rollout runs on.
                    rollout.begun = rollout.begun.or(Some(now));
                    rollout.replaces = Some(expect.id.clone());
                }
                _ => {}
            }
        })
    }

    fn finish_on_service(
        &self,
        step: &Step,
        service: &ServiceStep,
        answer: Result<Option<TaskDefinitionArn>, PortError>,
    ) -> Result<Outcome, StoreError> {
        let now = self.cx.now();
        let outcome = RecordOutcome::of(&answer);
        self.store.update_with(&step.key, record(step, outcome), None, |memory: &mut ServiceMemory| {
            match (&service.action, &answer) {
                (ServiceDo::Register { .. }, Ok(Some(registered))) if !memory.registered.contains(registered) => {
                    memory.registered.push(registered.clone());
                    let surplus = memory.registered.len().saturating_sub(REGISTERED_KEPT);
                    memory.registered.drain(..surplus);
                }
                (ServiceDo::Collect { task_definition, .. }, Ok(_)) => forget(memory, task_definition),
                _ => {}
            }
            if let (ServiceDo::Restart { .. }, Err(error)) = (&service.action, &answer)
                && !matches!(error.class, Class::Transient | Class::Conflict)
            {
                // It did not take effect, for certain.
                memory.rollout = None;
                if matches!(error.class, Class::Invalid | Class::Denied | Class::Limit) {
                    refused_restart(memory, service, error, now);
                }
                return Applied::default();
            }
            let Some(rollout) = &mut memory.rollout else { return Applied::default() };
            match (&service.action, &answer) {
                (ServiceDo::Register { .. }, Ok(registered)) => rollout.task_definition.clone_from(registered),
                (ServiceDo::Deploy { .. } | ServiceDo::Restart { .. }, Ok(_)) => return Applied(Some(step.revision)),
                // It did not take effect, for certain: the service has not been told.
                (ServiceDo::Deploy { .. }, Err(error))
                    if !matches!(error.class, Class::Transient | Class::Conflict) =>
                {
                    rollout.begun = None;
                    rollout.replaces = None;
                    if error.class == Class::Invalid {
                        // The task definition cannot be deployed (any more): another copy may be.
                        rollout.task_definition = None;
                        rollout.token = None;
                    }
                }
                _ => {}
            }
            Applied::default()
        })?;
        Ok(answer.map_or_else(Outcome::from, |_| Outcome::Done))
    }
}

fn record(step: &Step, outcome: RecordOutcome) -> Record {
    Record::new(step.key.clone(), step.revision, step.action.verb(), outcome)
}

/// What a step changes in memory alone.
fn remember(step: &ServiceStep, memory: &mut ServiceMemory, now: jiff::Timestamp) -> Applied {
    match &step.action {
        ServiceDo::Decide { decisions, rollout, unpin } => {
            memory.decisions.clone_from(decisions);
            memory.rollout = rollout.as_deref().cloned();
            if *unpin {
                memory.pin = None;
            }
        }
        ServiceDo::Doom { doom } => {
            if let Some(rollout) = &mut memory.rollout {
                rollout.doomed = Some((**doom).clone());
            }
        }
        ServiceDo::Conclude { ended, quarantine, release, back_to } => {
            let applied = memory.rollout.take().map(|rollout| rollout.revision);
            memory.last = Some((**ended).clone());
            if !sabotage::is(Bug::ForgetsQuarantine) {
                memory.quarantine.extend(quarantine.clone());
            }
            if let Some(release) = release {
                keep(&mut memory.releases, release);
            }
            if let Some(decisions) = back_to {
                memory.decisions.clone_from(decisions);
            }
            return Applied(applied);
        }
        ServiceDo::Collect { task_definition, .. } => forget(memory, task_definition),
        ServiceDo::Restarted { has, ended, failed } => {
            memory.has.clone_from(has);
            memory.restart_failed = failed.as_deref().cloned();
            if memory.rollout.as_ref().is_some_and(|rollout| rollout.restart.is_some()) {
                memory.rollout = None;
            }
            if let Some(ended) = ended {
                memory.last = Some((**ended).clone());
            }
        }
        ServiceDo::Renew { task_definition } => {
            if let Some(release) = memory.releases.first_mut() {
                release.task_definition.clone_from(task_definition);
                release.at = now;
            }
        }
        ServiceDo::Own { .. }
        | ServiceDo::Register { .. }
        | ServiceDo::Deploy { .. }
        | ServiceDo::Restart { .. }
        | ServiceDo::Stop { .. } => {}
    }
    Applied::default()
}

fn forget(memory: &mut ServiceMemory, collected: &TaskDefinitionArn) {
    memory.registered.retain(|registered| registered != collected);
}

/// Puts a release in front; the same images are kept once.
fn keep(releases: &mut Vec<Release>, release: &Release) {
    releases.retain(|kept| kept.digests() != release.digests());
    releases.insert(0, release.clone());
    releases.truncate(RELEASES_KEPT);
}

/// Reads the service again, now, and compares it with what the plan saw (invariant S5).
async fn holds(port: &dyn Containers, service: &ServiceRef, action: &ServiceDo) -> Result<(), Outcome> {
    if let ServiceDo::Collect { task_definition, .. } = action {
        // No deployment of the service has come back to it since.
        if live(port, service).await?.uses(task_definition) {
            return Err(Outcome::Moved(format!("{service} is deployed with {}", task_definition.short())));
        }
        return Ok(());
    }
    let (ServiceDo::Register { expect, .. } | ServiceDo::Deploy { expect, .. } | ServiceDo::Restart { expect, .. }) =
        action
    else {
        return Ok(());
    };
    if sabotage::is(Bug::NoSecondLook) {
        return Ok(());
    }
    let state = live(port, service).await?;
    let primary = state
        .primary()
        .map(|primary| Primary { id: primary.id.clone(), task_definition: primary.task_definition.clone() });
    match primary {
        Some(primary) if primary == *expect => Ok(()),
        Some(primary) => Err(Outcome::Moved(format!("{service} is deployed with {}", primary.task_definition.short()))),
        None => Err(Outcome::Moved(format!("{service} has no primary deployment"))),
    }
}

/// The service, as it is now.
async fn live(port: &dyn Containers, service: &ServiceRef) -> Result<ServiceState, Outcome> {
    let names = std::slice::from_ref(&service.service);
    let seen = port.services(&service.cluster, names).await.map_err(Outcome::Failed)?;
    seen.into_iter().next().flatten().ok_or_else(|| Outcome::Moved(format!("{service} no longer exists")))
}

/// The one mutating call of a step.
async fn make(
    port: &dyn Containers,
    fence: Fence,
    service: &ServiceRef,
    action: &ServiceDo,
) -> Result<Option<TaskDefinitionArn>, PortError> {
    match action {
        ServiceDo::Own { arn, tags } => port.tag_service(fence, arn, tags).await?,
        ServiceDo::Register { expect, images, tags, .. } => {
            let from = &expect.task_definition;
            if let Some(found) = registered(port, from, tags).await? {
                return Ok(Some(found));
            }
            let request = CopyTaskDefinition { from: from.clone(), images: images.clone(), tags: tags.clone() };
            return port.copy_task_definition(fence, request).await.map(|copy| Some(copy.arn));
        }
        ServiceDo::Deploy { task_definition, .. } => {
            let request = UpdateService {
                service: service.clone(),
                task_definition: Some(task_definition.clone()),
                force: false,
            };
            port.update_service(fence, request).await?;
        }
        ServiceDo::Collect { task_definition, .. } => port.deregister_task_definition(fence, task_definition).await?,
        ServiceDo::Restart { .. } => {
            let request = UpdateService { service: service.clone(), task_definition: None, force: true };
            port.update_service(fence, request).await?;
        }
        ServiceDo::Stop { deployment, how } => port.stop_service_deployment(fence, deployment, *how).await?,
        ServiceDo::Decide { .. }
        | ServiceDo::Restarted { .. }
        | ServiceDo::Doom { .. }
        | ServiceDo::Conclude { .. }
        | ServiceDo::Renew { .. } => {}
    }
    Ok(None)
}

/// The copy that was registered before a crash, or before an answer was lost: ECS knows no idempotency token here, so
/// that ours is a tag (invariant S9).
async fn registered(
    port: &dyn Containers,
    from: &TaskDefinitionArn,
    tags: &std::collections::BTreeMap<String, String>,
) -> Result<Option<TaskDefinitionArn>, PortError> {
    let newest = port.task_definitions(from.family(), TaskDefinitionStatus::Active, None).await?;
    for arn in newest.items.iter().take(LOOKED_THROUGH).filter(|arn| arn.revision() > from.revision()) {
        let Some(definition) = port.task_definition(arn.as_str()).await? else { continue };
        if tags.iter().all(|(name, value)| definition.tags.get(name) == Some(value)) {
            return Ok(Some(definition.arn));
        }
    }
    Ok(None)
}

/// For people, in the journal.
fn detail(action: &ServiceDo) -> String {
    match action {
        ServiceDo::Decide { decisions, .. } => {
            let each =
                decisions.iter().map(|(container, image)| format!("{container} {}: {}", image.name(), image.why));
            each.collect::<Vec<_>>().join("; ")
        }
        ServiceDo::Deploy { task_definition, .. }
        | ServiceDo::Collect { task_definition, .. }
        | ServiceDo::Renew { task_definition } => task_definition.short().to_owned(),
        ServiceDo::Register { images, .. } => images.values().cloned().collect::<Vec<_>>().join(", "),
        ServiceDo::Doom { doom } => told(&format!("{:?}", doom.cause).to_lowercase(), &doom.evidence),
        ServiceDo::Conclude { ended, .. } => told(&format!("{:?}", ended.outcome).to_lowercase(), &ended.evidence),
        ServiceDo::Stop { deployment, .. } => deployment.to_string(),
        ServiceDo::Restart { rollout, .. } => versions(rollout.restart.as_ref().map(|restart| &restart.versions)),
        ServiceDo::Restarted { has, ended, failed } => {
            let how = ended.as_ref().map(|ended| told(&format!("{:?}", ended.outcome).to_lowercase(), &ended.evidence));
            let why = failed.as_ref().map(|failed| failed.failure.reason.clone());
            let parts = [Some(versions(Some(has))), how, why];
            parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
        }
        ServiceDo::Own { .. } => String::new(),
    }
}

fn versions(by_secret: Option<&BTreeMap<Key, BTreeSet<VersionId>>>) -> String {
    let secrets = by_secret.into_iter().flatten();
    let each = secrets.flat_map(|(key, versions)| versions.iter().map(move |version| format!("{key} {version}")));
    each.collect::<Vec<_>>().join(", ")
}

/// What was refused is tried again later: permissions and quotas may come.
fn refused_restart(memory: &mut ServiceMemory, service: &ServiceStep, error: &PortError, now: jiff::Timestamp) {
    let ServiceDo::Restart { rollout, .. } = &service.action else { return };
    let Some(restart) = &rollout.restart else { return };
    let inputs = Restart::trial(&restart.versions, &rollout.intended);
    let failure = Failure {
        resource: service.service.as_ref().map(ToString::to_string).unwrap_or_default(),
        kind: "AWS::ECS::Service".to_owned(),
        reason: error.to_string(),
        transient: true,
    };
    memory.restart_failed = Some(Attempts::counted(memory.restart_failed.as_ref(), inputs, failure, now));
}

fn told(how: &str, evidence: &Evidence) -> String {
    let mut parts = vec![how.to_owned()];
    parts.extend(evidence.status.clone());
    parts.extend(evidence.stopped.iter().map(|(reason, count)| format!("{count} × {reason}")));
    parts.join("; ")
}

//! Task definitions that we registered and that nothing can use any more: the oldest of them is deregistered, one at a
//! look, and the newest few are kept in any case.
//!
//! What we registered is in the journal, and on the revision as a tag; both have to say so. Deregistering stops nothing
//! that runs (AWS: *`DeregisterTaskDefinition`*), but nothing can be deployed with it again: so whatever might want that
//! keeps it. Outside of this environment nobody can be asked, which is why the newest are kept.

use super::Deciding;
use crate::model::{
    Entry, Mode, Parameter, Release, Seen, ServiceDo, ServiceNeed, ServiceRef, ServiceState, TaskDefinitionArn,
    TaskDefinitionStatus,
};
use crate::plan::OWNER_TAG;

impl Deciding<'_> {
    /// Adds the step, where a service is at rest and there is something to collect.
    pub(super) fn collect(&self, entry: &mut Entry, service: &ServiceRef, state: &ServiceState) {
        let environment = self.planner.input.environment;
        // Nobody is asked to approve that something is tidied up: then it stays.
        let tidies = environment.policy.mode == Mode::Apply && self.spec.stack().is_none();
        let rests = entry.ready && entry.step.is_none() && entry.waiting.is_empty() && entry.refused.is_empty();
        if !tidies || !rests || self.memory.rollout.is_some() {
            return;
        }
        let kept = usize::try_from(self.spec.revisions_kept).unwrap_or(usize::MAX);
        let surplus = self.memory.registered.len().saturating_sub(kept);
        let mut old = self.memory.registered.iter().take(surplus).filter(|old| !self.is_wanted(old, state));
        let Some(oldest) = old.next() else { return };
        // Only now what costs a call. What cannot be read keeps it, and is no reason to wait.
        if self.runs_somewhere(service, oldest) {
            return;
        }
        let Some(gone) = self.is_gone(oldest) else { return };
        entry.step = Some(self.step(ServiceDo::Collect { task_definition: oldest.clone(), gone }));
    }

    /// A service of this environment may still want it, or a stack.
    fn is_wanted(&self, old: &TaskDefinitionArn, state: &ServiceState) -> bool {
        let input = self.planner.input;
        let mut services = input.observation.services.services.values().filter_map(Seen::present).chain([state]);
        let mut memories = input.memory.objects.services.values();
        services.any(|service| service.uses(old))
            || memories.any(|memory| {
                let open = memory.rollout.as_ref().and_then(|rollout| rollout.task_definition.as_ref());
                open == Some(old) || proven(&memory.releases, old)
            })
            || self.is_named_by_a_stack(old)
    }

    /// By `family:revision`, wherever that stands: in a template, in a parameter, in an output.
    fn is_named_by_a_stack(&self, old: &TaskDefinitionArn) -> bool {
        let name = old.short();
        let input = self.planner.input;
        let desired = input.desired.environments.values().flat_map(|environment| environment.stacks.values());
        let mut desired = desired.into_iter();
        let mut seen = input.observation.stacks.values().map(|stack| &stack.state);
        desired.any(|spec| {
            let given = |parameter: &Parameter| match parameter {
                Parameter::Plain(text) => text.to_string().contains(name),
                // What it is nobody may see: it cannot be a task definition.
                Parameter::NoEcho(_) | Parameter::Previous => false,
            };
            spec.template.body.contains(name) || spec.parameters.values().any(given)
        }) || seen.any(|stack| {
            let outputs = stack.outputs.values().map(|output| &output.value);
            stack.parameters.values().chain(outputs).any(|text| text.contains(name))
        })
    }

    /// A task of the service runs it, or that is not known.
    fn runs_somewhere(&self, service: &ServiceRef, old: &TaskDefinitionArn) -> bool {
        let at = (self.spec.scope.clone(), service.clone());
        match self.planner.input.observation.services.tasks.get(&at) {
            Some(Seen::Present(tasks)) => tasks.running.iter().any(|task| task.task_definition == *old),
            Some(Seen::Absent | Seen::Unknown(_)) => true,
            None => {
                self.planner.need(ServiceNeed::Tasks(at.0, at.1));
                true
            }
        }
    }

    /// Whether there is nothing to deregister, because somebody has or because it is not ours any more; `None` where that
    /// is not known.
    fn is_gone(&self, old: &TaskDefinitionArn) -> Option<bool> {
        let at = (self.spec.scope.clone(), old.clone());
        match self.planner.input.observation.services.task_definitions.get(&at) {
            Some(Seen::Present(definition)) => {
                let ours = definition.tags.get(OWNER_TAG) == Some(&self.spec.key.to_string());
                Some(!ours || definition.status != TaskDefinitionStatus::Active)
            }
            Some(Seen::Absent) => Some(true),
            Some(Seen::Unknown(_)) => None,
            None => {
                self.planner.need(ServiceNeed::TaskDefinition(at.0, at.1));
                None
            }
        }
    }
}

/// It can be gone back to.
pub(in crate::plan) fn proven(releases: &[Release], old: &TaskDefinitionArn) -> bool {
    releases.iter().any(|release| release.task_definition == *old)
}

//! The way to an update: change set made, read, judged, executed.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::forecast::predicted;
use super::{Deciding, expect};
use crate::model::{
    Act, Action, ChangeSetStatus, Changes, DeploymentMode, Difference, Entry, Expect, Inputs, ObservedStack,
    ResourceChange, Seen, StackDo, StackNeed, StackState, TemplateFacts, Waiting, Writes,
};
use crate::plan::names::{change_set, change_set_prefix, token};
use crate::plan::resolve::Resolved;
use crate::plan::root_cause::failure;
use crate::plan::{attempts, exports, guard};
use crate::sabotage::{self, Bug};
use crate::template;

/// The endpoint has made an ordinary change set of one that was to revert drift.
const NOT_REVERTING: &str = "this endpoint does not make change sets that revert drift (`DeploymentMode=REVERT_DRIFT`)";

/// What was found, and what such a change set would put back, are not the same: a property that replaces its resource, one
/// that can only be written, one that AWS manages, or a type that it does not compare.
const NOTHING_TO_REVERT: &str = "CloudFormation's drift-aware change set has nothing to put back: it does not compare \
    properties that replace their resource, those that can only be written or that AWS manages, and some types";

impl Deciding<'_> {
    /// Its inputs differ: the way to an update, as far as it is open. Where nothing that it refers to will change, its
    /// change set is made and judged while its dependencies are still at work; not where it imports exports, which AWS
    /// looks up when the change set is made.
    pub(super) fn change(
        &self,
        entry: &mut Entry,
        stack: &ObservedStack,
        deployed: &TemplateFacts,
        resolved: &Resolved,
    ) {
        let uncertain = resolved.uncertain || !self.spec.template.imports.is_empty();
        if !resolved.pending.is_empty() || (uncertain && !self.dependencies_ready()) {
            entry.changes = Changes::AfterApply;
            self.waits_for_dependencies(entry, resolved);
            return;
        }
        entry.changes = Changes::Predicted(predicted(deployed, self.spec));
        let failed = attempts::of(self.memory.attempts.as_ref(), &resolved.inputs.digest);
        let mut touched = exports::touched(self.spec, &stack.state, deployed, &resolved.inputs);
        touched.extend(failed.into_iter().flat_map(|failed| exports::failed_on(&stack.state, &failed.failure)));
        if exports::in_use(self.planner, &self.spec.address(), stack, touched, entry)
            || self.is_held_by_attempts(entry, &resolved.inputs.digest)
        {
            return;
        }
        self.update(entry, stack, &self.with_what_is_deployed(deployed, &resolved.inputs), DeploymentMode::Ordinary);
        let prepares = entry.step.as_ref().is_some_and(|step| step.action.is_preparation());
        if self.waits_for_dependencies(entry, resolved) && !prepares {
            entry.step = None;
        }
    }

    /// The same inputs, with the template that is deployed in the place of one that looks like it.
    ///
    /// `GetTemplate` shows a `?` for every character outside ASCII. A manifest that was written from that says nothing
    /// against what is really there, so nothing of the template is changed as long as it is the one that AWS shows. Not
    /// with a transform: then AWS wants to be given the template (AWS: *`CreateChangeSet`*, `UsePreviousTemplate`).
    fn with_what_is_deployed(&self, deployed: &TemplateFacts, inputs: &Arc<Inputs>) -> Arc<Inputs> {
        let template = &self.spec.template;
        let shown = deployed.digest == template.facts.digest && template.body.contains('?');
        if !shown || template.has_transform || sabotage::is(Bug::TakesQuestionMarks) {
            return Arc::clone(inputs);
        }
        Arc::new(Inputs { body: "".into(), previous: true, upload: None, ..Inputs::clone(inputs) })
    }

    /// Termination protection and the stack policy: settings of the stack, and not part of an update.
    pub(super) fn protection(&self, stack: &ObservedStack) -> Result<Option<(Difference, StackDo)>, String> {
        let state = &stack.state;
        let on = self.spec.termination_protection;
        if state.termination_protection != on {
            return Ok(Some((Difference::TerminationProtection { to: on }, StackDo::Protect { on })));
        }
        let Some(body) = &self.spec.stack_policy else { return Ok(None) };
        let known = self.memory.stack_policy.as_ref().filter(|(version, _)| *version == state.version());
        let deployed = match (known, &stack.stack_policy) {
            (Some((_, digest)), _) => digest.clone(),
            (None, Some(Seen::Present(digest))) => Some(digest.clone()),
            (None, Some(Seen::Absent)) => None,
            (None, Some(Seen::Unknown(why))) => return Err(format!("its stack policy could not be read: {why}")),
            (None, None) => {
                self.planner.need(StackNeed::StackPolicy(self.spec.address(), state.id.clone()));
                return Err("its stack policy has not been read".to_owned());
            }
        };
        if deployed.as_ref() == Some(&template::json_digest(body)) {
            return Ok(None);
        }
        Ok(Some((Difference::StackPolicy, StackDo::SetPolicy { body: Arc::clone(body) })))
    }

    pub(super) fn collect_change_sets(&self, entry: &mut Entry, state: &StackState) {
        if !self.memory.change_sets.is_empty() {
            let names = self.memory.change_sets.clone();
            entry.step = Some(self.step(expect(state), StackDo::Discard { names }));
        }
    }

    /// The way to an update: change set made, read, judged, executed.
    ///
    /// One that is to revert drift is made of the inputs that are deployed, under a digest of its own. An endpoint that
    /// makes something else of it has refused: an ordinary change set would put nothing back, and look as if it had.
    pub(super) fn update(&self, entry: &mut Entry, stack: &ObservedStack, inputs: &Arc<Inputs>, mode: DeploymentMode) {
        let state = &stack.state;
        let version = state.version();
        guard::template_size(self.spec, inputs, entry);
        let Some(name) = change_set(&inputs.digest, &version, mode) else { return };
        if !entry.refused.is_empty() || guard::is_observed_only(self.planner.input.environment) {
            return;
        }
        if self.was_skipped_by_hand(entry, stack) {
            return;
        }
        let Some(sets) = &stack.change_sets else {
            self.planner.need(StackNeed::ChangeSets(self.spec.address(), state.id.clone(), Some(name)));
            return Self::unknown(entry, "its change sets have not been listed".to_owned());
        };
        let superseded: BTreeSet<_> = match &sets.all {
            Seen::Unknown(why) => return Self::unknown(entry, format!("its change sets could not be listed: {why}")),
            Seen::Absent => BTreeSet::new(),
            Seen::Present(all) => all
                .iter()
                .map(|set| set.name.clone())
                .filter(|other| other.as_str().starts_with(change_set_prefix()) && *other != name)
                .collect(),
        };
        if !superseded.is_empty() {
            entry.step = Some(self.step(expect(state), StackDo::Discard { names: superseded }));
            return;
        }
        match &sets.described {
            None | Some(Seen::Absent) => {
                let inputs = Arc::clone(inputs);
                entry.step = Some(self.step(expect(state), StackDo::Prepare { inputs, name, mode }));
            }
            Some(Seen::Unknown(why)) => Self::unknown(entry, format!("its change set could not be read: {why}")),
            Some(Seen::Present(set)) => match &set.status {
                _ if set.mode != mode => self.reject(entry, state, inputs, NOT_REVERTING),
                ChangeSetStatus::Creating => entry.waiting.push(Waiting::ChangeSet { name: name.to_string() }),
                ChangeSetStatus::Spent => {
                    entry.step = Some(self.step(expect(state), StackDo::Discard { names: [name].into() }));
                }
                ChangeSetStatus::Empty if mode == DeploymentMode::RevertDrift => {
                    self.reject(entry, state, inputs, NOTHING_TO_REVERT);
                }
                ChangeSetStatus::Empty => self.settle(entry, stack, inputs),
                ChangeSetStatus::Failed(reason) => self.reject(entry, state, inputs, reason),
                ChangeSetStatus::Available => {
                    entry.changes = Changes::Known(set.changes.clone());
                    let replaced = exports::replaced(self.spec, state, &set.changes);
                    if exports::in_use(self.planner, &self.spec.address(), stack, replaced, entry) {
                        return;
                    }
                    let token = token(&self.spec.key, "execute", &set.id);
                    let mut step = self.step(
                        expect(state),
                        StackDo::Execute {
                            change_set: set.id.clone(),
                            token,
                            inputs: inputs.digest.clone(),
                            no_echo: inputs.no_echo.clone(),
                            resyncs: BTreeSet::new(),
                            writes: Writes::of(&set.changes),
                        },
                    );
                    let environment = self.planner.input.environment;
                    let lost = |change: &&ResourceChange| guard::is_lost(environment, change);
                    let destroyed = set.changes.iter().filter(lost).count();
                    step.cost = (1, u32::try_from(destroyed).unwrap_or(u32::MAX), 0);
                    entry.step = Some(step);
                    guard::replacements(self.planner, self.spec, stack, entry);
                }
            },
        }
    }

    fn reject(&self, entry: &mut Entry, state: &StackState, inputs: &Inputs, reason: &str) {
        let failure = failure(state.name.as_str(), "AWS::CloudFormation::Stack", reason);
        let inputs = inputs.digest.clone();
        entry.step = Some(self.step(Expect::Nothing, StackDo::Reject { inputs, failure }));
    }

    /// AWS says that the inputs change nothing: the stack is as desired, whatever the texts look like.
    pub(super) fn settle(&self, entry: &mut Entry, stack: &ObservedStack, inputs: &Arc<Inputs>) {
        entry.action = Action::None;
        entry.changes = Changes::None;
        entry.differences.clear();
        entry.ready = true;
        let version = stack.state.version();
        let (inputs, no_echo) = (inputs.digest.clone(), inputs.no_echo.clone());
        entry.step = Some(self.step(Expect::Nothing, StackDo::Settle { version, inputs, no_echo }));
    }
}

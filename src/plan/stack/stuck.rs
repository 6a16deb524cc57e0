//! The way out of a rollback that failed: continued as it is, once; then, with a person's consent, without the fewest
//! resources that it fails on; and then, before anything else, what was left out is brought into step again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Deciding, expect, stuck};
use crate::model::{
    Action, Attempts, ChangeSetStatus, Changes, DeploymentMode, Difference, Digest, Do, Entry, Guard, Inputs,
    ObservedStack, Operation, Refusal, Seen, Skipped, StackDo, StackNeed, StackOptions, StackState, StackStatus,
    StackStep, Value,
};
use crate::plan::doctor::{NoSet, by_hand, culprits, names};
use crate::plan::names::token;
use crate::plan::standing::row;
use crate::plan::{attempts, consent, guard};
use crate::sabotage::{self, Bug};

/// Attempts to bring resources into step that are made without a person.
const RESYNCS_MAX: u32 = 3;

/// A change set of AWS's that leaves out what it should bring into step.
const NOT_COMPARED: &str = "CloudFormation's drift-aware change set does not change them: they match the template, or \
it does not compare them";

impl Deciding<'_> {
    pub(super) fn continue_rollback(&self, entry: &mut Entry, stack: &ObservedStack) {
        let state = &stack.state;
        if !self.is_ours(entry, state) {
            return;
        }
        if self.memory.continued.as_ref().is_some_and(|version| version.id == state.id) {
            return self.continue_without(entry, stack);
        }
        let token = token(&self.spec.key, "continue", &state.version());
        entry.step = Some(self.step(expect(state), StackDo::ContinueRollback { token, skip: BTreeSet::new() }));
    }

    /// Continuing it did not help. What it fails on may be left out, if a person agrees to exactly that.
    fn continue_without(&self, entry: &mut Entry, stack: &ObservedStack) {
        let state = &stack.state;
        let asks = row(state.status).asks;
        let failing = match culprits(&self.spec.address(), stack) {
            Ok(culprits) => names(&culprits),
            Err(NoSet::Need(need)) => {
                self.planner.need(*need);
                return Self::unknown(entry, "the events of its rollback have not been read".to_owned());
            }
            Err(NoSet::Unknown(why)) => return Self::unknown(entry, why),
            Err(NoSet::Nothing) => {
                return refuse(
                    entry,
                    state,
                    "continuing its rollback failed, and no event shows the failed resource",
                    asks,
                );
            }
        };
        // What was left out already fails no more, unless leaving it out did not take effect: then twice is enough.
        let already = self.skipped(state).map(|skipped| skipped.resources.clone()).unwrap_or_default();
        let skip: BTreeSet<String> = failing.difference(&already).cloned().collect();
        let listed = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
        if skip.is_empty() {
            let meaning = format!("its rollback fails on {}, although it was skipped", listed(&failing));
            return refuse(entry, state, &meaning, asks);
        }
        if let Some(failed) = attempts::of(self.memory.attempts.as_deref(), &Operation::skipping(&skip)) {
            let meaning =
                format!("AWS refused to continue its rollback without {}: {}", listed(&skip), failed.failure.reason);
            return refuse(entry, state, &meaning, asks);
        }
        entry.differences.push(Difference::Skip { resources: skip.clone() });
        let input = self.planner.input;
        if guard::is_observed_only(input.environment) {
            return;
        }
        if !consent::covers(input, &self.spec.key, entry) {
            entry.waiting.push(guard::approval(input));
            return;
        }
        let token = token(&self.spec.key, "continue", &(state.version(), &skip));
        entry.step = Some(self.step(expect(state), StackDo::ContinueRollback { token, skip }));
    }

    /// Its last update was rolled back: before anything updates it again, what a person may have left out of that is found,
    /// and written down. False: nothing was.
    pub(super) fn was_skipped_by_hand(&self, entry: &mut Entry, stack: &ObservedStack) -> bool {
        let state = &stack.state;
        let rolled_back = state.status == StackStatus::UpdateRollbackComplete && !sabotage::is(Bug::ForgetsSkipped);
        if !rolled_back || self.skipped(state).is_some() {
            return false;
        }
        let events = match stack.events.get(&state.id) {
            Some(Seen::Present(events)) => events,
            Some(Seen::Absent) => return false,
            Some(Seen::Unknown(why)) => {
                Self::unknown(entry, format!("the events of its rollback could not be read: {why}"));
                return true;
            }
            None => {
                let need = StackNeed::Events(self.spec.address(), state.id.clone(), Some(state.status));
                self.planner.need(need);
                Self::unknown(entry, "the events of its rollback have not been read".to_owned());
                return true;
            }
        };
        match by_hand(events, &state.id) {
            Some((skipped, at)) if self.memory.in_step.is_none_or(|said| said < at) => {
                entry.action = Action::Recover;
                entry.differences = vec![Difference::OutOfStep { resources: skipped.clone() }];
                entry.step = Some(self.step(expect(state), StackDo::Notice { skipped }));
                true
            }
            _ => false,
        }
    }

    /// What a rollback of this incarnation was continued without.
    pub(super) fn skipped(&self, state: &StackState) -> Option<&Skipped> {
        self.memory.skipped.as_deref().filter(|skipped| skipped.stack == state.id)
    }

    /// Brings what was left out into step with the stack, by a change set of what is deployed that looks at what there is.
    /// Nothing else updates the stack before: what the manifest says has to wait, whatever it says.
    pub(super) fn bring_into_step(&self, entry: &mut Entry, stack: &ObservedStack, skipped: &Skipped) {
        let state = &stack.state;
        entry.action = Action::Recover;
        entry.differences.push(Difference::OutOfStep { resources: skipped.resources.clone() });
        if self.is_given_up(entry, state, skipped) || self.is_all_nested(entry, state, skipped) {
            return;
        }
        let inputs = Arc::new(self.as_deployed(state, skipped));
        self.update(entry, stack, &inputs, DeploymentMode::RevertDrift, None);
        self.puts_back(entry, stack, None, &[]);
        let touched = touched(entry, stack);
        let covered: BTreeSet<String> = skipped.resources.intersection(&touched).cloned().collect();
        let Some(Do::Stack(StackStep { action, .. })) = entry.step.as_mut().map(|step| &mut step.action) else {
            return;
        };
        let rejected = match action {
            StackDo::Execute { .. } if covered.is_empty() => Some(StackDo::Reject {
                inputs: inputs.digest.clone(),
                failure: crate::plan::failure(state.name.as_str(), "AWS::CloudFormation::Stack", NOT_COMPARED),
                spoiled: None,
            }),
            StackDo::Execute { resyncs, .. } => {
                resyncs.clone_from(&covered);
                None
            }
            _ => None,
        };
        let input = self.planner.input;
        let more = rejected.is_none() && !covered.is_empty() && consent::goes_beyond(entry);
        if more && !consent::covers(input, &self.spec.key, entry) {
            entry.step = None;
            entry.waiting.push(guard::approval(input));
        }
        if let Some(reject) = rejected {
            entry.changes = Changes::None;
            entry.broadenings.clear();
            entry.waiting.clear();
            entry.step = Some(self.step(crate::model::Expect::Nothing, reject));
        }
    }

    /// It has failed for good, or often enough: a person has to say that they are in step.
    fn is_given_up(&self, entry: &mut Entry, state: &StackState, skipped: &Skipped) -> bool {
        let Some(Attempts { count, failure, .. }) = &skipped.failed else { return false };
        if failure.transient && *count < RESYNCS_MAX {
            return attempts::hold(self.planner.input, skipped.failed.as_ref(), RESYNCS_MAX, entry);
        }
        let names = skipped.resources.iter().cloned().collect::<Vec<_>>().join(", ");
        let reason = format!("its rollback skipped {names}, and the resync with the stack failed: {}", failure.reason);
        let release =
            format!("make {names} match the stack's template, then run `landfast doctor --in-step {}`", self.spec.key);
        entry.step = None;
        entry.refused.push(Refusal { guard: Guard::OutOfStep, reason, release });
        self.collect_change_sets(entry, state, None);
        true
    }

    /// All of it is in nested stacks: no change set of this one brings that into step (`plan::drift::by_hand`).
    fn is_all_nested(&self, entry: &mut Entry, state: &StackState, skipped: &Skipped) -> bool {
        if !skipped.resources.iter().all(|name| name.contains('.')) {
            return false;
        }
        let names = skipped.resources.iter().cloned().collect::<Vec<_>>().join(", ");
        let reason = format!(
            "its rollback skipped {names} in a nested stack; CloudFormation cannot create a change set that reverts \
            drift and includes nested stacks"
        );
        let release = format!(
            "sync it there (`landfast doctor {}` prints the commands), then run `landfast doctor --in-step {}`",
            self.spec.key.environment, self.spec.key
        );
        entry.refused.push(Refusal { guard: Guard::OutOfStep, reason, release });
        self.collect_change_sets(entry, state, None);
        true
    }

    /// What is deployed, to be deployed again: the template and the parameters that the stack has (AWS: *`CreateChangeSet`*,
    /// `UsePreviousTemplate`, `UsePreviousValue`).
    fn as_deployed(&self, state: &StackState, skipped: &Skipped) -> Inputs {
        let previous = |name: &String| (name.clone(), Value::Previous);
        let options = StackOptions {
            parameters: state.parameters.keys().map(previous).collect(),
            // Of this or of an earlier manifest: acknowledging more than is needed changes nothing.
            capabilities: self.spec.capabilities.clone(),
            tags: state.tags.clone(),
            role_arn: state.role_arn.clone(),
            notifications: state.notifications.clone(),
            rollback_alarms: state.rollback_alarms.clone(),
            monitoring_minutes: state.monitoring_minutes,
        };
        let no_echo = match &self.memory.no_echo {
            Some((_, known)) => known.clone(),
            None => BTreeMap::new(),
        };
        let digest = Digest::of(&(&skipped.stack, &skipped.resources, skipped.since));
        Inputs { body: "".into(), previous: true, upload: None, options, digest, no_echo, stored: BTreeMap::new() }
    }
}

/// The resources that the change set at hand touches.
fn touched(entry: &Entry, stack: &ObservedStack) -> BTreeSet<String> {
    let described = stack.change_sets.as_ref().and_then(|sets| sets.described.as_ref());
    let available = matches!(described, Some(Seen::Present(set)) if set.status == ChangeSetStatus::Available);
    if !available {
        return BTreeSet::new();
    }
    entry.changes.list().iter().map(|change| change.resource.clone()).collect()
}

fn refuse(entry: &mut Entry, state: &StackState, meaning: &str, asks: &str) {
    crate::plan::planner::refuse(entry, stuck(state, meaning, asks));
}

//! The way to an update: change set made, read, judged, executed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::access::Sides;
use super::forecast::predicted;
use super::ours::{self, Choice, uploading};
use super::{Deciding, expect};
use crate::model::{
    Act, Action, ChangeSetName, ChangeSetState, ChangeSetStatus, Changes, DeploymentMode, Difference, Entry, Expect,
    Failure, Inputs, ObservedStack, Seen, StackDo, StackNeed, StackState, Step, TemplateFacts, Waiting, Writes,
};
use crate::plan::names::{change_set, purpose, token};
use crate::plan::resolve::Resolved;
use crate::plan::root_cause::failure;
use crate::plan::{attempts, exports, guard, inside};
use crate::sabotage::{self, Bug};
use crate::template;

/// A stack policy that protects nothing.
const ALLOWS_ALL: &str = r#"{"Statement":[{"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"*"}]}"#;

/// The endpoint has made an ordinary change set of one that was to revert drift.
const NOT_REVERTING: &str =
    "this endpoint does not support change sets that revert drift (`DeploymentMode=REVERT_DRIFT`)";

/// What was found, and what such a change set would put back, are not the same: a property that replaces its resource, one
/// that can only be written, one that AWS manages, or a type that it does not compare.
const NOTHING_TO_REVERT: &str = "CloudFormation's drift-aware change set is empty: it does not compare properties that \
require replacement, write-only or read-only properties, and some resource types";

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
        let sides = match self.sides(stack, deployed, resolved) {
            Ok(sides) => sides,
            Err(why) => return Self::unknown(entry, why),
        };
        entry.broadenings = sides.as_ref().map(Sides::broadenings).unwrap_or_default();
        let uncertain = resolved.uncertain || !self.spec.template.imports.is_empty();
        if !resolved.pending.is_empty() || (uncertain && !self.dependencies_ready()) {
            entry.changes = Changes::AfterApply;
            self.waits_for_dependencies(entry, resolved);
            return;
        }
        entry.changes = Changes::Predicted(self.shown(&predicted(deployed, self.spec), sides.as_ref()));
        let failed = attempts::of(self.memory.attempts.as_deref(), &resolved.inputs().digest);
        let mut touched = exports::touched(self.spec, &stack.state, deployed, resolved.inputs());
        touched.extend(failed.into_iter().flat_map(|failed| exports::failed_on(&stack.state, &failed.failure)));
        if exports::taken(self.planner, self.spec, Some(&stack.state), resolved.inputs(), entry)
            || exports::in_use(self.planner, &self.spec.address(), stack, touched, entry)
            || self.is_held_by_attempts(entry, &resolved.inputs().digest)
        {
            return;
        }
        let inputs = self.with_what_is_deployed(deployed, resolved.inputs());
        self.update(entry, stack, &inputs, DeploymentMode::Ordinary, sides.as_ref());
        let prepares = entry.step.as_ref().is_some_and(|step| step.action.is_preparation());
        if self.waits_for_dependencies(entry, resolved) && !prepares {
            entry.step = None;
        }
    }

    /// The same inputs, with the template that is deployed in the place of one that looks like it.
    ///
    /// `GetTemplate` shows a `?` for every character outside ASCII. A manifest that was written from that says nothing
    /// against what is really there, so nothing of the template is changed as long as it is the one that AWS shows. Not
    /// with the one transform of which AWS says that it needs the template to see new values (AWS: *`CreateChangeSet`*,
    /// `UsePreviousTemplate`: "When using templates with the `AWS::LanguageExtensions` transform, provide the template").
    fn with_what_is_deployed(&self, deployed: &TemplateFacts, inputs: &Arc<Inputs>) -> Arc<Inputs> {
        let template = &self.spec.template;
        let shown = deployed.digest == template.facts.digest && template.body.contains('?');
        let needed = template.has_transform && template.body.contains("AWS::LanguageExtensions");
        if !shown || needed || sabotage::is(Bug::TakesQuestionMarks) {
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
        let Some(body) = &self.spec.stack_policy else { return Ok(self.lifted()) };
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

    /// The policy that we have set, and the manifest does not have any more, allows everything again: AWS removes none (AWS:
    /// *Prevent updates to stack resources*: "To remove all protection, you must modify the policy to explicitly allow all
    /// actions on all resources"). One that somebody else has set is not looked at.
    fn lifted(&self) -> Option<(Difference, StackDo)> {
        let (_, set) = self.memory.stack_policy.as_ref()?;
        let set = set.as_ref()?;
        (*set != template::json_digest(ALLOWS_ALL))
            .then(|| (Difference::StackPolicyLifted, StackDo::SetPolicy { body: ALLOWS_ALL.into() }))
    }

    /// Removes what we have asked for and do not use any more.
    pub(super) fn collect_change_sets(&self, entry: &mut Entry, state: &StackState, but: Option<&ChangeSetName>) {
        entry.step = self.discard(state, |name| Some(name) != but);
    }

    fn discard(&self, state: &StackState, which: impl Fn(&ChangeSetName) -> bool) -> Option<Box<Step>> {
        let left = self.memory.prepared.iter().filter(|(name, _)| which(name));
        let names: BTreeMap<_, _> = left.map(|(name, prepared)| (name.clone(), prepared.upload.clone())).collect();
        (!names.is_empty()).then(|| self.step(expect(state), StackDo::Discard { names }))
    }

    /// The way to an update: change set made, read, judged, executed.
    ///
    /// One that is to revert drift is made of the inputs that are deployed, under a digest of its own. An endpoint that
    /// makes something else of it has refused: an ordinary change set would put nothing back, and look as if it had.
    pub(super) fn update(
        &self,
        entry: &mut Entry,
        stack: &ObservedStack,
        inputs: &Arc<Inputs>,
        mode: DeploymentMode,
        sides: Option<&Sides>,
    ) {
        let state = &stack.state;
        let version = state.version();
        guard::template_size(self.spec, inputs, entry);
        guard::template_bucket(self.planner, self.spec, inputs, entry);
        if !entry.refused.is_empty()
            || entry.action == Action::Unknown
            || guard::is_observed_only(self.planner.input.environment)
        {
            return;
        }
        if self.was_skipped_by_hand(entry, stack) {
            return;
        }
        let purpose = purpose(&inputs.digest, &version, mode);
        let Some(sets) = &stack.change_sets else {
            let known = self.asked_for(&purpose).map(|(name, _)| name.clone());
            self.planner.need(StackNeed::ChangeSets(self.spec.address(), state.id.clone(), known));
            return Self::unknown(entry, "its change sets have not been listed".to_owned());
        };
        let listed = match &sets.all {
            Seen::Unknown(why) => return Self::unknown(entry, format!("its change sets could not be listed: {why}")),
            Seen::Absent => &[],
            Seen::Present(all) => all.as_slice(),
        };
        let own = match self.choose(&purpose, listed) {
            Choice::Ours(name) => {
                self.judge(entry, stack, inputs, name, sets.described.as_ref(), (mode, sides));
                Some(name)
            }
            Choice::NotListed(name) => {
                entry.waiting.push(Waiting::ChangeSet { name: name.to_string() });
                Some(name)
            }
            Choice::Another(attempt) => {
                let Some(name) = change_set(&self.planner.input.memory.fingerprint_key, &purpose, attempt) else {
                    return;
                };
                let inputs = Arc::new(uploading(inputs, &name));
                let action = StackDo::Prepare { inputs, name, of: purpose, attempt, mode };
                entry.step = Some(self.step(expect(state), action));
                None
            }
        };
        // What is left of earlier ones goes while nothing else can be done: it holds nothing up, however often somebody
        // brings it back.
        if entry.step.is_none() && own.is_some() {
            self.collect_change_sets(entry, state, own);
        }
    }

    /// A change set that is ours: followed until it is computed, and then judged.
    fn judge(
        &self,
        entry: &mut Entry,
        stack: &ObservedStack,
        inputs: &Arc<Inputs>,
        name: &ChangeSetName,
        described: Option<&Seen<ChangeSetState>>,
        (mode, sides): (DeploymentMode, Option<&Sides>),
    ) {
        let state = &stack.state;
        let set = match described {
            // It was listed a moment ago.
            None | Some(Seen::Absent) => {
                return entry.waiting.push(Waiting::ChangeSet { name: name.to_string() });
            }
            Some(Seen::Unknown(why)) => {
                return Self::unknown(entry, format!("its change set could not be read: {why}"));
            }
            Some(Seen::Present(set)) => set,
        };
        match &set.status {
            ChangeSetStatus::Creating => entry.waiting.push(Waiting::ChangeSet { name: name.to_string() }),
            _ if set.mode != mode => self.reject(entry, state, inputs, NOT_REVERTING),
            ChangeSetStatus::Spent => {
                entry.step = self.discard(state, |other| other == name);
            }
            ChangeSetStatus::Empty if mode == DeploymentMode::RevertDrift => {
                self.reject(entry, state, inputs, NOTHING_TO_REVERT);
            }
            ChangeSetStatus::Empty => self.settle(entry, stack, inputs),
            ChangeSetStatus::Failed(reason) => self.reject(entry, state, inputs, reason),
            ChangeSetStatus::Available => match ours::otherwise(self.spec, inputs, &set.inputs) {
                Some(what) => self.spoiled(entry, state, inputs, set, &what),
                None => self.execute(entry, stack, inputs, set, sides),
            },
        }
    }

    /// It can be executed, as far as the guards let it.
    fn execute(
        &self,
        entry: &mut Entry,
        stack: &ObservedStack,
        inputs: &Inputs,
        set: &ChangeSetState,
        sides: Option<&Sides>,
    ) {
        let state = &stack.state;
        let changes = inside::opened(self.planner, &self.spec.address(), stack, &set.changes);
        let environment = self.planner.input.environment;
        let destroyed = changes.iter().filter(|change| guard::is_lost(environment, change)).count();
        entry.changes = Changes::Known(self.shown(&changes, sides));
        self.judge_access(entry, set, sides);
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
        step.cost = (1, u32::try_from(destroyed).unwrap_or(u32::MAX), 0);
        entry.step = Some(step);
        guard::replacements(self.planner, self.spec, stack, entry);
    }

    /// It does not hold what was asked for, so it is not used. What does may follow: another one is made, later.
    fn spoiled(&self, entry: &mut Entry, state: &StackState, inputs: &Inputs, set: &ChangeSetState, what: &str) {
        let reason = format!("the change set {} does not match the request ({what}) and is not executed", set.name);
        let failure =
            Failure { transient: true, ..failure(state.name.as_str(), "AWS::CloudFormation::Stack", &reason) };
        let (inputs, spoiled) = (inputs.digest.clone(), Some(set.name.clone()));
        entry.step = Some(self.step(Expect::Nothing, StackDo::Reject { inputs, failure, spoiled }));
    }

    fn reject(&self, entry: &mut Entry, state: &StackState, inputs: &Inputs, reason: &str) {
        let failure = failure(state.name.as_str(), "AWS::CloudFormation::Stack", reason);
        let inputs = inputs.digest.clone();
        entry.step = Some(self.step(Expect::Nothing, StackDo::Reject { inputs, failure, spoiled: None }));
    }

    /// AWS says that the inputs change nothing: the stack is as desired, whatever the texts look like.
    pub(super) fn settle(&self, entry: &mut Entry, stack: &ObservedStack, inputs: &Arc<Inputs>) {
        entry.action = Action::None;
        entry.changes = Changes::None;
        entry.broadenings.clear();
        entry.differences.clear();
        entry.ready = true;
        let version = stack.state.version();
        let (inputs, no_echo) = (inputs.digest.clone(), inputs.no_echo.clone());
        entry.step = Some(self.step(Expect::Nothing, StackDo::Settle { version, inputs, no_echo }));
    }
}

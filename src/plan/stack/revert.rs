//! What was changed past a stack, put back: by a change set that reverts drift, judged as any other.
//!
//! Only of a stack that is as desired otherwise: an update is decided on what it is to become, and what of its drift is
//! left is found after it. `CloudFormation` puts back all of a stack's drift or none (AWS: *Using drift-aware change
//! sets*): where that would undo what the manifest puts up with, or what something else is there to change, nothing is
//! done.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Deciding;
use crate::model::{
    Act, Action, Attempts, ChangeAction, Changes, Difference, Digest, DriftAction, Entry, Finding, Guard, Inputs, Mode,
    ObservedStack, Refusal, ResourceChange, Verdict,
};
use crate::plan::planner::refuse;
use crate::plan::resolve::Resolved;
use crate::plan::{attempts, backup, consent, drift, guard};
use crate::sabotage::{self, Bug};

/// So often drift of one stack is put back in an hour; and so often at one place in a day. What is changed once more then
/// is changed by somebody who means it.
const REVERTS_MAX: usize = 3;

impl Deciding<'_> {
    /// Puts drift back, if that is what is to be done about it. False: nothing is.
    pub(super) fn revert(&self, entry: &mut Entry, stack: &ObservedStack, resolved: &Resolved) -> bool {
        let (memory, input) = (&self.memory.drift, self.planner.input);
        let version = stack.state.version();
        let Some(look) = memory.seen.as_ref().filter(|look| look.version == version) else { return false };
        let asked = memory.asked.is_some_and(|asked| asked >= look.at);
        let action = self.spec.drift.unwrap_or(input.environment.policy.drift);
        if input.environment.policy.mode == Mode::Observe || (action == DriftAction::Report && !asked) {
            return false;
        }
        let findings = drift::current(self.spec, look, input.now);
        let drifted: Vec<&Finding> = findings.iter().filter(|finding| finding.is_drift()).collect();
        if drifted.is_empty() {
            return false;
        }
        let scope = &self.spec.scope;
        let restored = |finding: &Finding| {
            let table = finding.physical_id.as_deref();
            table.and_then(|table| backup::restored_since(input, scope, table)).is_some_and(|since| since > look.at)
        };
        // What the table lacks comes with its restore; the look after its end says what is left.
        if drifted.iter().any(|finding| restored(finding)) {
            return false;
        }
        Self::decided_from(entry, resolved);
        entry.action = Action::Revert;
        entry.differences = drifted.iter().map(|finding| difference(finding)).collect();
        // No change set that reverts drift includes nested stacks (`plan::drift::by_hand`).
        let own: Vec<&Finding> = drifted.iter().filter(|finding| !finding.is_nested()).copied().collect();
        let places: BTreeSet<String> = own.iter().map(|finding| finding.place()).collect();
        let refused = if own.is_empty() {
            Some(self.nested())
        } else if asked {
            None
        } else {
            self.is_fought(&places, &own)
        };
        let inputs = reverting(resolved.inputs(), &own);
        let refused = refused.or_else(|| self.in_vain(&inputs.digest));
        if let Some(refusal) = refused {
            refuse(entry, refusal);
            self.tidy_up(entry, stack);
            return true;
        }
        if attempts::hold(input, self.failed_to_revert(&inputs.digest), u32::MAX, entry) {
            return true;
        }
        self.update(entry, stack, &Arc::new(inputs), crate::model::DeploymentMode::RevertDrift, None);
        self.puts_back(entry, stack, Some(resolved), &findings);
        self.judge_revert(entry, &findings, places);
        true
    }

    fn nested(&self) -> Refusal {
        Refusal {
            guard: Guard::Revert,
            reason: "the drift is in a nested stack; CloudFormation cannot create a change set that reverts drift and \
            includes nested stacks"
                .to_owned(),
            release: format!(
                "`landfast drift {}` prints the commands to revert it there; or tolerate it (`drift.ignore`)",
                self.spec.key.environment
            ),
        }
    }

    /// Somebody changes it again and again.
    fn is_fought(&self, places: &BTreeSet<String>, own: &[&Finding]) -> Option<Refusal> {
        if sabotage::is(Bug::FightsOn) {
            return None;
        }
        let since = |hours| self.planner.input.now.saturating_sub(SignedDuration::from_hours(hours));
        let within = |hours| {
            let since = since(hours).unwrap_or(Timestamp::MIN);
            self.memory.drift.reverts.iter().filter(move |(at, _)| *at > since)
        };
        let hourly = within(1).count();
        let again = |place: &&String| within(24).filter(|(_, back)| back.contains(*place)).count() >= REVERTS_MAX;
        let fought = places.iter().find(again);
        if hourly < REVERTS_MAX && fought.is_none() {
            return None;
        }
        let times = if hourly < REVERTS_MAX { "three times in a day" } else { "three times within an hour" };
        let who = own.iter().find_map(|finding| match &finding.by {
            crate::model::By::Somebody(deed) => Some(format!(" (changed by {})", deed.actor)),
            _ => None,
        });
        Some(Refusal {
            guard: Guard::Fight,
            reason: format!("it was reverted {times} and drifted again{}", who.unwrap_or_default()),
            release: format!(
                "find out who changes it (`landfast drift {}`); to revert it again: `landfast drift --revert {}`",
                self.spec.key.environment, self.spec.key
            ),
        })
    }

    /// It was tried before, and AWS has nothing to put back, or does not know how.
    fn in_vain(&self, inputs: &Digest) -> Option<Refusal> {
        let failed = self.failed_to_revert(inputs)?;
        (!failed.failure.transient).then(|| not_here(&failed.failure.reason))
    }

    /// How it failed when just this was to be put back: when it was executed, or when its changes were computed.
    fn failed_to_revert(&self, inputs: &Digest) -> Option<&Attempts> {
        let executed = attempts::of(self.memory.drift.in_vain.as_deref(), inputs);
        executed.or_else(|| attempts::of(self.memory.attempts.as_deref(), inputs))
    }

    /// A change set of ours that nobody will execute.
    fn tidy_up(&self, entry: &mut Entry, stack: &ObservedStack) {
        if entry.step.is_none() {
            self.collect_change_sets(entry, &stack.state, None);
        }
    }

    /// What a change set would do beside putting back: that needs a person.
    fn judge_revert(&self, entry: &mut Entry, findings: &[Finding], places: BTreeSet<String>) {
        if !matches!(entry.changes, Changes::Known(_)) || sabotage::is(Bug::Unguarded) {
            return;
        }
        if let Some(crate::model::Do::Stack(step)) = entry.step.as_mut().map(|step| &mut step.action)
            && let crate::model::StackDo::Execute { writes, .. } = &mut step.action
        {
            *writes = crate::model::Writes::Back(places);
        }
        let environment = self.planner.input.environment;
        let kept = |change: &&ResourceChange| {
            findings.iter().any(|finding| {
                let meant = matches!(finding.verdict, Verdict::Tolerated { .. } | Verdict::Delegated { .. });
                meant && finding.resource.as_deref() == Some(&change.resource) && touches(change, finding)
            })
        };
        let changes = entry.changes.list();
        let undone: Vec<&str> = changes.iter().filter(kept).map(|change| change.resource.as_str()).collect();
        if !undone.is_empty() {
            let reason = format!(
                "CloudFormation would revert the whole stack, including tolerated drift: {}",
                undone.join(", ")
            );
            let release = "revert the rest manually, or remove the rule from the manifest's `drift.ignore`".to_owned();
            return refuse(entry, Refusal { guard: Guard::Revert, reason, release });
        }
        // An empty one in the place of what is gone looks whole, and is in the way of a restore.
        let empty = |change: &ResourceChange| {
            change.action == ChangeAction::Add && guard::holds_state(environment, &change.kind)
        };
        let serious = changes.iter().any(|change| change.may_destroy() || empty(change));
        let begins = entry.step.as_ref().is_some_and(|step| step.action.begins_operation());
        if serious && begins && !consent::covers(self.planner.input, &self.spec.key, entry) {
            entry.step = None;
            entry.waiting.push(guard::approval(self.planner.input));
        }
    }
}

/// The same inputs, to put back just this: what is found next is another thing to be done, and tried anew.
fn reverting(inputs: &Inputs, own: &[&Finding]) -> Inputs {
    let prints: Vec<_> = own.iter().map(|finding| (finding.place(), &finding.print)).collect();
    Inputs { digest: Digest::of(&("revert", &inputs.digest, prints)), ..inputs.clone() }
}

fn not_here(why: &str) -> Refusal {
    Refusal {
        guard: Guard::Revert,
        reason: format!("it cannot be reverted: {why}"),
        release: "revert it manually, add it to the template, or tolerate it (`drift.ignore`)".to_owned(),
    }
}

/// Whether a change is about the property that differs, as far as AWS names properties.
fn touches(change: &ResourceChange, finding: &Finding) -> bool {
    let property = finding.property.as_deref().and_then(|path| path.split('/').nth(1));
    change.properties.is_empty() || property.is_none_or(|property| change.properties.contains(property))
}

fn difference(finding: &Finding) -> Difference {
    Difference::Drift {
        resource: finding.resource.clone().unwrap_or_default(),
        property: finding.property.clone(),
        live: finding.live.clone(),
        deployed: finding.expected.clone(),
    }
}

//! Checks every plan against what must always hold, before anything of it is executed (invariant P5).
//!
//! The planner should never make such a plan. If it does, that is a bug, and nothing is done.

use super::guard::begins_operation;
use super::names::owner;
use super::standing::{Standing, row};
use super::{Goal, Input};
use crate::model::{Action, Do, Entry, Expect, Key, Mode, ObservedStack, OperationKind, Plan, Seen};

/// Something in a plan that must never be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {rule}")]
pub struct Fault {
    /// Where.
    pub key: Key,
    /// The rule that is broken, with its invariant.
    pub rule: &'static str,
}

/// Everything that is wrong with a plan.
#[must_use]
pub fn lint(plan: &Plan, input: &Input<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (key, entry) in &plan.entries {
        let stack = match input.observation.stack(&entry.address) {
            Seen::Present(stack) if row(stack.state.status).standing != Standing::Gone => Some(stack),
            Seen::Present(_) | Seen::Absent | Seen::Unknown(_) => None,
        };
        faults.extend(broken(key, entry, stack, input).into_iter().map(|rule| Fault { key: key.clone(), rule }));
    }
    faults
}

fn broken(key: &Key, entry: &Entry, stack: Option<&ObservedStack>, input: &Input<'_>) -> Vec<&'static str> {
    let mut rules = Vec::new();
    let mut rule = |broken: bool, text: &'static str| {
        if broken {
            rules.push(text);
        }
    };
    let Some(step) = &entry.step else { return rules };
    let mutates = step.action.mutates();
    let state = stack.map(|stack| &stack.state);
    let standing = state.map(|state| row(state.status).standing);
    rule(step.key != *key || step.address != entry.address, "a step belongs to another object (S6)");
    rule(mutates && entry.action == Action::Unknown, "a step follows from what could not be seen (S10)");
    rule(!entry.refused.is_empty() && begins_operation(&step.action), "a refused object is operated on");
    rule(mutates && input.environment.policy.mode == Mode::Observe, "an observed environment is changed (S11)");
    rule(mutates && step.expect == Expect::Nothing, "a mutation has no precondition (S5)");
    rule(begins_operation(&step.action) && standing == Some(Standing::Busy), "a busy stack is operated on (S7)");
    rule(input.busy.contains(key), "an object has two steps at once (S6)");
    let foreign = state.is_some_and(|state| match owner(state) {
        Some(owner) => owner != key.to_string(),
        None => !input.environment.stacks.get(key).is_some_and(|spec| spec.adopt),
    });
    rule(mutates && foreign, "a stack that is not ours is changed (S1)");
    match &step.action {
        Do::Create { .. } => {
            rule(state.is_some() || step.expect != Expect::Absent, "a stack is created over another (S9)");
            rule(!input.environment.stacks.contains_key(key), "a stack is created that nobody asks for (S2)");
        }
        Do::Delete { kind, stack, .. } => {
            rule(state.map(|state| &state.id) != Some(stack), "another incarnation is deleted (S2)");
            rule(state.is_some_and(|state| state.termination_protection), "a protected stack is deleted (S2)");
            let desired = input.environment.stacks.contains_key(key) && input.goal == Goal::Converge;
            rule(*kind == OperationKind::Delete && desired, "a desired stack is deleted (S2)");
            let never = standing == Some(Standing::NeverHealthy);
            rule(*kind == OperationKind::Clear && !never, "a stack that was healthy is deleted to fix it (S2)");
        }
        _ => {}
    }
    rules
}

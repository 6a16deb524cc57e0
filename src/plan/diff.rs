//! Where a deployed stack is not as desired, found without a change set.

use std::collections::BTreeSet;

use super::names::owner;
use super::resolve::Resolved;
use crate::model::{Difference, StackMemory, StackSpec, StackState, TemplateFacts, Value};

/// Differences that only an update can remove. Capabilities are not among them: they acknowledge a request and are not
/// part of what is deployed.
pub(super) fn differences(
    spec: &StackSpec,
    resolved: &Resolved,
    state: &StackState,
    deployed: &TemplateFacts,
    memory: &StackMemory,
) -> Vec<Difference> {
    let mut found = Vec::new();
    if deployed.digest != spec.template.facts.digest {
        found.push(Difference::Template);
    }
    parameters(spec, resolved, state, memory, &mut found);
    for (name, stored) in &resolved.stored {
        let from = state.stored.get(name);
        if from != stored.value.as_ref() {
            let (name, from, to) = (name.clone(), from.cloned(), stored.value.clone());
            found.push(Difference::Stored { name, stored: stored.name.clone(), from, to });
        }
    }
    tags(resolved, state, &mut found);
    let options = &resolved.options;
    if options.role_arn.is_some() && options.role_arn != state.role_arn {
        found.push(Difference::Role);
    }
    if options.notifications != state.notifications {
        found.push(Difference::Notifications);
    }
    let minutes = |minutes: Option<i32>| minutes.unwrap_or(0);
    if options.rollback_alarms != state.rollback_alarms
        || minutes(options.monitoring_minutes) != minutes(state.monitoring_minutes)
    {
        found.push(Difference::RollbackAlarms);
    }
    found
}

fn parameters(
    spec: &StackSpec,
    resolved: &Resolved,
    state: &StackState,
    memory: &StackMemory,
    found: &mut Vec<Difference>,
) {
    let remembered = memory.no_echo.as_ref().filter(|(version, _)| *version == state.version()).map(|(_, known)| known);
    for (name, declared) in &spec.template.parameters {
        let deployed = state.parameters.get(name);
        if resolved.pending.contains(name) {
            found.push(Difference::Parameter { name: name.clone(), from: deployed.cloned(), to: None });
            continue;
        }
        match resolved.options.parameters.get(name) {
            Some(Value::NoEcho(_)) => {
                let known = remembered.and_then(|known| known.get(name));
                if known.is_none() || known != resolved.no_echo.get(name) {
                    found.push(Difference::NoEcho { name: name.clone() });
                }
            }
            // An omitted `NoEcho` parameter has the template's default, which is in the template's digest.
            None if declared.no_echo => {}
            Some(Value::Previous) => {}
            Some(Value::Plain(value)) => push_parameter(name, deployed, Some(value), found),
            None => push_parameter(name, deployed, declared.default.as_ref(), found),
        }
    }
}

fn push_parameter(name: &str, from: Option<&String>, to: Option<&String>, found: &mut Vec<Difference>) {
    if from != to {
        found.push(Difference::Parameter { name: name.to_owned(), from: from.cloned(), to: to.cloned() });
    }
}

/// Stack tags are ours as a whole, except those that AWS itself sets.
fn tags(resolved: &Resolved, state: &StackState, found: &mut Vec<Difference>) {
    let desired = &resolved.options.tags;
    match owner(state) {
        None => found.push(Difference::Owner),
        // That it may be taken over was found out before.
        Some(owner) if desired.get(super::OWNER_TAG).is_none_or(|ours| ours != owner) => {
            found.push(Difference::Renamed { from: owner.to_owned() });
        }
        Some(_) => {}
    }
    if *desired == state.tags {
        return;
    }
    let names: BTreeSet<&String> = desired.keys().chain(state.tags.keys()).collect();
    for name in names {
        let (from, to) = (state.tags.get(name), desired.get(name));
        if from != to && !name.starts_with("aws:") && name != super::OWNER_TAG {
            found.push(Difference::Tag { name: name.clone(), from: from.cloned(), to: to.cloned() });
        }
    }
}

//! Exports in use: consumers first.
//!
//! CloudFormation refuses to remove or change an export while another stack imports it, and finds out in the middle of
//! the update; a stack that is to be deleted it leaves as it was, and says so in an event alone. So the planner finds
//! out before: a consumer whose manifest has stopped importing goes first; one that still imports is named.

use std::collections::{BTreeMap, BTreeSet};

use super::names::owner;
use super::planner::{Planner, refuse};
use super::root_cause;
use super::standing::{Standing, row};
use crate::model::{
    Entry, Environment, Failure, Guard, Inputs, ObservedStack, Output, Parameter, Refusal, Replacement, ResourceChange,
    Seen, StackAddress, StackName, StackNeed, StackSpec, StackState, TemplateFacts, Value, Waiting,
};
use crate::sabotage::{self, Bug};
use crate::template;

/// Whether what would be done with these exports of the stack has to wait for consumers, or is refused because of them. Asked
/// before there is a step.
pub(super) fn in_use(
    planner: &Planner<'_>,
    address: &StackAddress,
    stack: &ObservedStack,
    exports: impl IntoIterator<Item = String>,
    entry: &mut Entry,
) -> bool {
    let mut first: BTreeSet<String> = BTreeSet::new();
    let mut free = true;
    for export in exports {
        let consumers = match stack.importers.get(&export) {
            Some(Seen::Present(consumers)) => consumers,
            Some(Seen::Absent) => continue,
            Some(Seen::Unknown(why)) => {
                entry
                    .waiting
                    .push(Waiting::Unknown { why: format!("the importers of {export} could not be read: {why}") });
                return true;
            }
            None => {
                planner.need(StackNeed::Importers(address.clone(), export.clone()));
                entry.waiting.push(Waiting::Unknown { why: format!("the importers of {export} have not been read") });
                free = false;
                continue;
            }
        };
        let mut holding = Vec::new();
        for consumer in consumers {
            match lets_go(planner.input.environment, address, consumer, &export) {
                Some(other) => drop(first.insert(other.key.to_string())),
                None => holding.push(consumer.to_string()),
            }
        }
        if !holding.is_empty() {
            let consumers = holding.join(", ");
            let release = match moves_to(planner.input.environment, address, &export) {
                None => format!("remove the import in {consumers} first; both changes can be in one commit"),
                Some(to) => format!(
                    "an imported export cannot move to {} in one step: first replace the import in {consumers} by its \
                    value, then move the export, then import it again",
                    to.key
                ),
            };
            let refusal = Refusal {
                guard: Guard::ExportInUse,
                reason: format!("the export {export} would be removed or changed, but {consumers} imports it"),
                release,
            };
            refuse(entry, refusal);
            free = false;
        }
    }
    if !first.is_empty() {
        entry.waiting.push(Waiting::Dependency { objects: first });
        free = false;
    }
    !free
}

/// Whether an export that the stack is to have is still another's: the other one lets go first (two stacks of an account and
/// region cannot have one of the same name). Asked before there is a step.
pub(super) fn taken(
    planner: &Planner<'_>,
    spec: &StackSpec,
    own: Option<&StackState>,
    inputs: &Inputs,
    entry: &mut Entry,
) -> bool {
    if sabotage::is(Bug::ExportsAtOnce) {
        return false;
    }
    let value = |name: &str| match inputs.options.parameters.get(name)? {
        Value::Plain(value) => Some(value.clone()),
        Value::Previous => own.and_then(|state| state.parameters.get(name).cloned()),
        Value::NoEcho(_) => None,
    };
    let mut first: BTreeSet<String> = BTreeSet::new();
    let refused = entry.refused.len();
    for output in spec.template.facts.outputs.values() {
        let Some(export) = output.export.as_ref().and_then(|name| resolve_by(spec, name, &value)) else { continue };
        if own.is_some_and(|state| all(state).any(|own| own == export)) {
            continue;
        }
        let Some((address, other)) = exporter(planner, spec, &export) else { continue };
        match keeper(planner, address, &other.state, &export) {
            Keeper::LetsGo(key) => _ = first.insert(key),
            // It may be that a condition keeps this one from being made.
            Keeper::Keeps if !output.conditional => {
                let refusal = Refusal {
                    guard: Guard::ExportTaken,
                    reason: format!("stack {} already exports {export}", address.name),
                    release: format!(
                        "remove the export from the template of {}; both changes can be in one commit",
                        address.name
                    ),
                };
                refuse(entry, refusal);
            }
            Keeper::Keeps | Keeper::Nobody => {}
        }
    }
    let waits = !first.is_empty();
    if waits {
        entry.waiting.push(Waiting::Dependency { objects: first });
    }
    waits || entry.refused.len() > refused
}

/// The stack beside this one that has an export of that name.
fn exporter<'p>(
    planner: &Planner<'p>,
    spec: &StackSpec,
    export: &str,
) -> Option<(&'p StackAddress, &'p ObservedStack)> {
    let stacks = planner.input.observation.stacks.iter();
    let mut others = stacks.filter(|(address, stack)| {
        address.scope == spec.scope
            && address.name != spec.stack_name
            && row(stack.state.status).standing != Standing::Gone
    });
    others.find(|(_, stack)| all(&stack.state).any(|other| other == export))
}

/// What becomes of an export where it is.
enum Keeper {
    /// This object is about to lose it, or is about to be deleted.
    LetsGo(String),
    /// Its manifest asks for it.
    Keeps,
    /// It is in nobody's manifest here.
    Nobody,
}

fn keeper(planner: &Planner<'_>, address: &StackAddress, state: &StackState, export: &str) -> Keeper {
    let specs = planner.input.desired.environments.values().flat_map(|environment| environment.stacks.values());
    if let Some(spec) = specs.into_iter().find(|spec| spec.address() == *address) {
        let has = |name: &String| resolve(spec, name).is_none_or(|name| name == export);
        let keeps = spec.template.facts.outputs.values().any(|output| output.export.as_ref().is_some_and(has));
        return if keeps { Keeper::Keeps } else { Keeper::LetsGo(spec.key.to_string()) };
    }
    match owner(state) {
        Some(owner) if owner.starts_with(&format!("{}/", planner.input.environment.name)) => {
            Keeper::LetsGo(owner.to_owned())
        }
        _ => Keeper::Nobody,
    }
}

/// The stack that is to have an export that another is to lose.
fn moves_to<'e>(environment: &'e Environment, address: &StackAddress, export: &str) -> Option<&'e StackSpec> {
    let mut others = environment
        .stacks
        .values()
        .map(AsRef::as_ref)
        .filter(|spec: &&StackSpec| spec.scope == address.scope && spec.stack_name != address.name);
    others.find(|spec| {
        let mut exports = spec.template.facts.outputs.values().filter_map(|output| output.export.as_ref());
        exports.any(|name| resolve(spec, name).is_some_and(|name| name == export))
    })
}

/// The manifest of a stack that imports.
pub(super) fn desired<'e>(
    environment: &'e Environment,
    exporter: &StackAddress,
    consumer: &StackName,
) -> Option<&'e StackSpec> {
    let mut stacks = environment.stacks.values().map(AsRef::as_ref);
    stacks.find(|other: &&StackSpec| other.stack_name == *consumer && other.scope == exporter.scope)
}

/// The manifest of a consumer that has stopped importing, where the stack does still.
pub(super) fn lets_go<'e>(
    environment: &'e Environment,
    exporter: &StackAddress,
    consumer: &StackName,
    export: &str,
) -> Option<&'e StackSpec> {
    desired(environment, exporter, consumer).filter(|spec| !imports(spec, export))
}

/// All that a stack exports: they go with it.
pub(super) fn all(state: &StackState) -> impl Iterator<Item = String> {
    exported(state).map(|(_, export, _)| export.clone())
}

/// Names of deployed exports that the desired template does not have, or has with another value.
pub(super) fn touched(
    spec: &StackSpec,
    state: &StackState,
    deployed: &TemplateFacts,
    inputs: &Inputs,
) -> BTreeSet<String> {
    let value = |name: &str| match inputs.options.parameters.get(name)? {
        Value::Plain(value) => Some(value.clone()),
        Value::Previous => state.parameters.get(name).cloned(),
        Value::NoEcho(_) => None,
    };
    let is_kept = |(id, export, now): (&String, &String, &Output)| {
        let desired = spec.template.facts.outputs.get(id)?;
        let name = resolve_by(spec, desired.export.as_ref()?, &value);
        let same_value = match desired.text.as_ref().and_then(|text| resolve_by(spec, text, &value)) {
            Some(value) => value == now.value,
            None => deployed.outputs.get(id).is_none_or(|before| before.value == desired.value),
        };
        (name.is_none_or(|name| name == *export) && same_value).then_some(())
    };
    exported(state).filter(|one| is_kept(*one).is_none()).map(|(_, export, _)| export.clone()).collect()
}

/// Names of deployed exports that an operation has failed on: of those that conditions decide, that is how it is found out.
pub(super) fn failed_on(state: &StackState, failure: &Failure) -> impl Iterator<Item = String> {
    let reason = failure.reason.contains(root_cause::IN_USE).then_some(failure.reason.as_str());
    all(state).filter(move |export| reason.is_some_and(|reason| reason.contains(export.as_str())))
}

/// Says of a failure for want of an export who has to be deployed first: CloudFormation names the export alone.
pub(super) fn explain_missing(planner: &Planner<'_>, spec: &StackSpec, entry: &mut Entry) {
    let needed = |reason: &str| {
        let (_, rest) = reason.split_once(root_cause::MISSING)?;
        let export = rest.split_once(" found")?.0.trim();
        Some(match provider(planner, spec, export) {
            Some(other) => format!("deploy {} first, which exports {export}", other.key),
            None => format!(
                "no stack of these manifests exports {export}: some other stack of account {} in {} has to",
                spec.scope.account, spec.scope.region
            ),
        })
    };
    for refusal in &mut entry.refused {
        if let Some(needed) = needed(&refusal.reason) {
            refusal.release = format!("{needed}; or correct the import");
        }
    }
    for waiting in &mut entry.waiting {
        if let Waiting::Backoff { failure, .. } = waiting
            && let Some(needed) = needed(&failure.reason)
        {
            failure.reason = format!("{}; {needed}", failure.reason.trim_end_matches('.'));
        }
    }
}

/// The stack of any environment whose manifest says that it exports this.
fn provider<'p>(planner: &Planner<'p>, spec: &StackSpec, export: &str) -> Option<&'p StackSpec> {
    let environments = planner.input.desired.environments.values();
    let mut others = environments.flat_map(|environment| environment.stacks.values()).map(AsRef::as_ref);
    others.find(|other: &&StackSpec| {
        let names = other.template.facts.outputs.values().filter_map(|output| output.export.as_deref());
        other.scope == spec.scope && names.into_iter().any(|name| resolve(other, name).as_deref() == Some(export))
    })
}

/// Names of deployed exports whose value is made from a resource that is to be replaced, and so will have another id.
pub(super) fn replaced(spec: &StackSpec, state: &StackState, changes: &[ResourceChange]) -> Vec<String> {
    let replaced: BTreeSet<&String> = changes
        .iter()
        .filter(|change| change.replacement == Replacement::Always)
        .map(|change| &change.resource)
        .collect();
    let outputs: &BTreeMap<_, _> = &spec.template.facts.outputs;
    let moves =
        |id: &String| outputs.get(id).is_some_and(|output| output.uses.iter().any(|used| replaced.contains(used)));
    exported(state).filter(|(id, ..)| moves(id)).map(|(_, export, _)| export.clone()).collect()
}

fn exported(state: &StackState) -> impl Iterator<Item = (&String, &String, &Output)> {
    state.outputs.iter().filter_map(|(id, output)| Some((id, output.export.as_ref()?, output)))
}

/// Whether its template still imports it.
fn imports(spec: &StackSpec, export: &str) -> bool {
    // A name that cannot be worked out before deployment counts as still imported.
    spec.template.imports.iter().any(|name| resolve(spec, name).is_none_or(|name| name == export))
}

/// The name of an export as it is in AWS, where the manifest alone says it.
pub(super) fn resolve(spec: &StackSpec, name: &str) -> Option<String> {
    resolve_by(spec, name, &|parameter| match spec.parameters.get(parameter)? {
        Parameter::Plain(text) => text.as_literal().map(str::to_owned),
        Parameter::NoEcho(_) | Parameter::Previous => None,
    })
}

/// A text with placeholders, where all of them are known; `value` knows the parameters that are given.
fn resolve_by(spec: &StackSpec, text: &str, value: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    template::resolve_name(text, |name| match name {
        "AWS::Region" => Some(spec.scope.region.to_string()),
        "AWS::AccountId" => Some(spec.scope.account.to_string()),
        "AWS::StackName" => Some(spec.stack_name.to_string()),
        _ if spec.parameters.contains_key(name) => value(name),
        _ => spec.template.parameters.get(name).and_then(|declared| declared.default.clone()),
    })
}

//! Exports in use: consumers first.
//!
//! CloudFormation refuses to remove or change an export while another stack imports it, and finds out in the middle of
//! the update. So the planner finds out before: a consumer whose manifest has stopped importing goes first; one that
//! still imports is named.

use std::collections::BTreeSet;

use super::planner::{Planner, refuse};
use crate::model::{
    Entry, Guard, ObservedStack, Parameter, Refusal, Seen, StackNeed, StackSpec, TemplateFacts, Waiting,
};
use crate::template;

/// Whether the update has to wait for consumers, or is refused because of them.
pub(super) fn in_use(
    planner: &Planner<'_>,
    spec: &StackSpec,
    stack: &ObservedStack,
    deployed: &TemplateFacts,
    entry: &mut Entry,
) -> bool {
    let mut first: BTreeSet<String> = BTreeSet::new();
    for export in touched(spec, stack, deployed) {
        let consumers = match stack.importers.get(&export) {
            Some(Seen::Present(consumers)) => consumers,
            Some(Seen::Absent) => continue,
            Some(Seen::Unknown(why)) => {
                entry.waiting.push(Waiting::Unknown { why: format!("who imports {export} could not be read: {why}") });
                return true;
            }
            None => {
                planner.need(StackNeed::Importers(spec.address(), export.clone()));
                entry.waiting.push(Waiting::Unknown { why: format!("who imports {export} has not been read") });
                continue;
            }
        };
        let mut holding = Vec::new();
        for consumer in consumers {
            let desired = planner
                .input
                .environment
                .stacks
                .values()
                .find(|other| other.stack_name == *consumer && other.scope == spec.scope);
            match desired {
                Some(other) if !imports(other, &export) => {
                    first.insert(other.key.to_string());
                }
                _ => holding.push(consumer.to_string()),
            }
        }
        if !holding.is_empty() {
            let consumers = holding.join(", ");
            refuse(
                entry,
                Refusal {
                    guard: Guard::ExportInUse,
                    reason: format!("the export {export} would be removed or changed, and {consumers} imports it"),
                    release: format!("stop importing it in {consumers} first; both may be in one commit"),
                },
            );
        }
    }
    if !first.is_empty() {
        entry.waiting.push(Waiting::Dependency { objects: first });
    }
    !entry.waiting.is_empty() || !entry.refused.is_empty()
}

/// Names of deployed exports that the desired template does not have, or has with another value.
pub(super) fn touched(spec: &StackSpec, stack: &ObservedStack, deployed: &TemplateFacts) -> Vec<String> {
    let mut names = Vec::new();
    for (id, output) in &stack.state.outputs {
        let Some(export) = &output.export else { continue };
        let kept = spec.template.facts.outputs.get(id).is_some_and(|desired| {
            let same_name =
                desired.export.as_ref().and_then(|name| resolve(spec, name)).is_none_or(|name| name == *export);
            let same_value = deployed.outputs.get(id).is_none_or(|before| before.value == desired.value);
            desired.export.is_some() && same_name && same_value
        });
        if !kept {
            names.push(export.clone());
        }
    }
    names
}

/// Whether its template still imports it.
pub(super) fn imports(spec: &StackSpec, export: &str) -> bool {
    // A name that cannot be worked out before deployment counts as still imported.
    spec.template.imports.iter().any(|name| resolve(spec, name).is_none_or(|name| name == export))
}

/// The name of an export as it is in AWS, where that can be known before deployment.
pub(super) fn resolve(spec: &StackSpec, name: &str) -> Option<String> {
    template::resolve_name(name, |parameter| match parameter {
        "AWS::Region" => Some(spec.scope.region.to_string()),
        "AWS::AccountId" => Some(spec.scope.account.to_string()),
        "AWS::StackName" => Some(spec.stack_name.to_string()),
        _ => match spec.parameters.get(parameter) {
            Some(Parameter::Plain(text)) => text.as_literal().map(str::to_owned),
            Some(Parameter::NoEcho(_) | Parameter::Previous) => None,
            None => spec.template.parameters.get(parameter).and_then(|declared| declared.default.clone()),
        },
    })
}

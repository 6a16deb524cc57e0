//! The deadly embrace: an export cannot change while another stack imports it, and that stack cannot let go while it is
//! not told another value. The way out is always the same three steps.

use super::aws;
use crate::model::{Ailment, Choice, Diagnosis, Key, ObservedStack, Remedy, Seen, StackAddress};
use crate::plan::exports::{imports, touched};
use crate::plan::planner::Planner;

/// One for each export in use that the update would remove or change.
pub(super) fn diagnoses(
    planner: &Planner<'_>,
    key: &Key,
    address: &StackAddress,
    stack: &ObservedStack,
) -> Vec<Diagnosis> {
    let environment = planner.input.environment;
    let Some(spec) = environment.stacks.get(key) else { return Vec::new() };
    let memory = planner.remembered::<crate::model::StackMemory>(key);
    let deployed = match (&memory.template, &stack.template) {
        (Some((version, facts)), _) if *version == stack.state.version() => facts,
        (_, Some(Seen::Present(facts))) => facts,
        _ => return Vec::new(),
    };
    let mut found = Vec::new();
    for export in touched(spec, stack, deployed) {
        let Some(Seen::Present(consumers)) = stack.importers.get(&export) else { continue };
        let value = stack.state.outputs.values().find(|output| output.export.as_ref() == Some(&export));
        let value = value.map(|output| output.value.clone()).unwrap_or_default();
        let mut steps = Vec::new();
        for consumer in consumers {
            let ours =
                environment.stacks.values().find(|other| other.stack_name == *consumer && other.scope == spec.scope);
            let edit = format!("replace `Fn::ImportValue: {export}` by the literal `{value}`");
            match ours {
                Some(other) if !imports(other, &export) => {}
                Some(other) => steps.push(Choice::new(
                    format!(
                        "1. in the template of {} (its manifest: {}:{}), {edit}; commit, and let it be deployed",
                        other.key, other.manifest.file, other.manifest.line
                    ),
                    [format!("landfast apply {}", environment.name)],
                )),
                None => {
                    let at = StackAddress { scope: spec.scope.clone(), name: consumer.clone() };
                    steps.push(Choice::new(
                        format!("1. in the template of {consumer}, which is not ours, {edit}; deploy it"),
                        [aws(&at, "get-template", "--query TemplateBody --output text")],
                    ));
                }
            }
        }
        steps.push(Choice::new(
            format!("2. then the export {export} of {key} is removed or changed, as the manifest says, by itself"),
            [],
        ));
        steps.push(Choice::new("3. import the new value where the literal stands, if there still is one", []));
        let names = consumers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let evidence = format!("{names} imports {export}, which is `{value}` now");
        let what = "in three steps, this order: pin the value in the consumer, deploy that, drop the export".to_owned();
        let remedy = Remedy::Decision { what, choices: steps };
        found.push(Diagnosis::of(address, Ailment::ExportInUse, remedy).about(key).shown_by([evidence]));
    }
    found
}

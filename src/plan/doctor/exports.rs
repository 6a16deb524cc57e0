//! The deadly embrace: an export cannot change or go while another stack imports it, and that stack cannot let go while
//! it is not told another value. The way out is always the same three steps.

use super::command::aws;
use crate::model::{Ailment, Choice, Diagnosis, Key, ObservedStack, Remedy, Seen, StackAddress, StackName};
use crate::plan::exports::{desired, lets_go};
use crate::plan::planner::Planner;

/// One for each export that somebody needs as it is. Who imports an export is only asked of those that would be removed
/// or changed.
pub(super) fn diagnoses(
    planner: &Planner<'_>,
    key: &Key,
    address: &StackAddress,
    stack: &ObservedStack,
) -> Vec<Diagnosis> {
    let environment = planner.input.environment;
    let mut found = Vec::new();
    for (export, importers) in &stack.importers {
        let Seen::Present(importers) = importers else { continue };
        let holds = |consumer: &&StackName| lets_go(environment, address, consumer, export).is_none();
        let holding: Vec<&StackName> = importers.iter().filter(holds).collect();
        if holding.is_empty() {
            continue;
        }
        let value = stack.state.outputs.values().find(|output| output.export.as_ref() == Some(export));
        let value = value.map(|output| output.value.clone()).unwrap_or_default();
        let edit = format!("replace `Fn::ImportValue: {export}` by the literal `{value}`");
        let pin = |consumer: &&StackName| match desired(environment, address, consumer) {
            Some(other) => Choice::new(
                format!(
                    "1. in the template of {} (manifest {}:{}), {edit}; commit and deploy it",
                    other.key, other.manifest.file, other.manifest.line
                ),
                [format!("landfast apply {}", environment.name)],
            ),
            None => Choice::new(
                format!("1. in the template of {consumer} (not managed by Landfast), {edit}; deploy it"),
                [aws(
                    &StackAddress { scope: address.scope.clone(), name: (*consumer).clone() },
                    "get-template",
                    "--query TemplateBody --output text",
                )],
            ),
        };
        let mut steps: Vec<Choice> = holding.iter().map(pin).collect();
        if environment.stacks.contains_key(key) {
            let then = format!("2. then Landfast removes or changes the export {export} of {key} automatically");
            steps.push(Choice::new(then, []));
            steps.push(Choice::new(
                "3. replace the literal by an import of the new value, if the export still exists",
                [],
            ));
        } else {
            steps.push(Choice::new(
                format!("2. then Landfast deletes {key} automatically, because its manifest was removed"),
                [],
            ));
        }
        let names = holding.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let evidence = format!("{names} imports {export}, whose value is `{value}`");
        let what = "in this order: pin the value in the consumer, deploy it, remove the export".to_owned();
        let remedy = Remedy::Decision { what, choices: steps };
        found.push(Diagnosis::of(address, Ailment::ExportInUse, remedy).about(key).shown_by([evidence]));
    }
    found
}

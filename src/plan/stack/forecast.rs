//! What will become of the resources of a stack, before AWS has said so.

use std::collections::BTreeSet;

use crate::model::{
    Action, ChangeAction, Changes, Difference, Entry, Replacement, ResourceChange, StackSpec, TemplateFacts,
};
use crate::template;

/// A creation adds everything.
pub(super) fn all_added(spec: &StackSpec) -> Vec<ResourceChange> {
    let added = |(id, resource): (&String, &crate::model::TemplateResource)| ResourceChange {
        resource: id.clone(),
        kind: resource.kind.clone(),
        physical_id: None,
        action: ChangeAction::Add,
        replacement: Replacement::Never,
        properties: BTreeSet::new(),
        values: Vec::new(),
        retained: false,
        nested: None,
        only_tags: false,
        unknown: None,
    };
    spec.template.resources.iter().map(added).collect()
}

/// What follows from the two templates alone.
pub(super) fn predicted(deployed: &TemplateFacts, spec: &StackSpec) -> Vec<ResourceChange> {
    template::predict(deployed, &spec.template.facts)
}

/// Whether an output of a stack with this entry may be another afterwards.
pub(in crate::plan) fn output_may_change(entry: &Entry, spec: &StackSpec, output: &str) -> bool {
    let uses = |name: &String| spec.template.facts.outputs.get(output).is_some_and(|output| output.uses.contains(name));
    match entry.action {
        Action::None | Action::Retain => false,
        Action::Update | Action::Adopt => match &entry.changes {
            Changes::None => false,
            Changes::Known(changes) => {
                entry.differences.iter().any(|difference| match difference {
                    Difference::Template => true,
                    Difference::Parameter { name, .. }
                    | Difference::Stored { name, .. }
                    | Difference::NoEcho { name } => uses(name),
                    _ => false,
                }) || changes.iter().any(|change| {
                    !matches!(change.action, ChangeAction::Modify | ChangeAction::Sync) || change.is_destructive()
                })
            }
            Changes::Predicted(_) | Changes::AfterApply => true,
        },
        _ => true,
    }
}

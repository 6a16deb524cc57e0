//! What will become of the resources of a stack, before AWS has said so.

use std::collections::BTreeSet;

use crate::model::{ChangeAction, Replacement, ResourceChange, StackSpec, TemplateFacts};
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
        retained: false,
    };
    spec.template.resources.iter().map(added).collect()
}

/// What follows from the two templates alone.
pub(super) fn predicted(deployed: &TemplateFacts, spec: &StackSpec) -> Vec<ResourceChange> {
    template::predict(deployed, &spec.template.facts)
}

//! What an update would touch, as far as two templates can tell.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ChangeAction, Digest, Replacement, ResourceChange, TemplateFacts};

/// The changes from one template to another, by logical id. Parameters are not looked at, nor whether a property can
/// be changed in place: every modification may be a replacement until AWS says otherwise. A resource that changes its
/// type is removed and added.
#[must_use]
pub fn predict(old: &TemplateFacts, new: &TemplateFacts) -> Vec<ResourceChange> {
    let names: BTreeSet<&String> = old.resources.keys().chain(new.resources.keys()).collect();
    names.into_iter().flat_map(|name| one(name, &old.resources, &new.resources)).collect()
}

fn one(
    name: &str,
    old: &BTreeMap<String, (String, Digest)>,
    new: &BTreeMap<String, (String, Digest)>,
) -> Vec<ResourceChange> {
    match (old.get(name), new.get(name)) {
        (Some((before, old)), Some((after, new))) if before == after => {
            if old == new {
                Vec::new()
            } else {
                vec![change(name, after, ChangeAction::Modify)]
            }
        }
        (before, after) => {
            let removed = before.map(|(kind, _)| change(name, kind, ChangeAction::Remove));
            let added = after.map(|(kind, _)| change(name, kind, ChangeAction::Add));
            removed.into_iter().chain(added).collect()
        }
    }
}

fn change(resource: &str, kind: &str, action: ChangeAction) -> ResourceChange {
    let replacement = if action == ChangeAction::Modify { Replacement::Conditional } else { Replacement::Never };
    ResourceChange {
        resource: resource.to_owned(),
        kind: kind.to_owned(),
        physical_id: None,
        action,
        replacement,
        properties: BTreeSet::new(),
        values: Vec::new(),
        retained: false,
        nested: None,
        only_tags: false,
        unknown: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(resources: &str) -> std::sync::Arc<TemplateFacts> {
        crate::template::parse(&format!("Resources:\n{resources}")).unwrap().facts
    }

    #[test]
    fn resources_are_added_changed_and_removed_and_a_new_type_is_both() {
        let old =
            facts("  A: { Type: T::A::A }\n  B: { Type: T::B::B }\n  C: { Type: T::C::C }\n  D: { Type: T::D::D }\n");
        let new = facts(
            "  A: { Type: T::A::A }\n  B: { Type: T::B::B, Properties: { X: 1 } }\n  C: { Type: T::C::D }\n  E: { Type: T::E::E }\n",
        );
        let seen: Vec<_> = predict(&old, &new)
            .into_iter()
            .map(|change| (change.resource, change.action, change.replacement))
            .collect();
        assert_eq!(
            seen,
            [
                ("B".to_owned(), ChangeAction::Modify, Replacement::Conditional),
                ("C".to_owned(), ChangeAction::Remove, Replacement::Never),
                ("C".to_owned(), ChangeAction::Add, Replacement::Never),
                ("D".to_owned(), ChangeAction::Remove, Replacement::Never),
                ("E".to_owned(), ChangeAction::Add, Replacement::Never),
            ]
        );
    }
}

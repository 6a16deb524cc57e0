//! What the events of a deletion say: when it was, whether the request was like ours, and what became of each resource.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::names::change_set_prefix;
use crate::model::{GoneResource, StackAddress, StackEvent, StackId};

/// How a stack was deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deletion {
    /// When it was complete.
    pub at: Option<Timestamp>,
    /// The request had a token like ours. Anybody can write one.
    pub ours: bool,
    /// What was in it.
    pub resources: Vec<GoneResource>,
}

/// Reads the events of a deletion, newest first.
#[must_use]
pub fn deletion(events: &[StackEvent], stack: &StackId) -> Deletion {
    let own = |event: &&StackEvent| event.physical_id.as_deref() == Some(stack.as_str());
    let at = events.iter().find(own).map(|event| event.at);
    let mut tokens = events.iter().filter(own).filter_map(|event| event.token.as_deref());
    let ours = tokens.next_back().is_some_and(|token| token.starts_with(change_set_prefix()));
    let mut last: BTreeMap<&str, &StackEvent> = BTreeMap::new();
    for event in events.iter().filter(|event| !own(event)) {
        last.entry(event.resource.as_str()).or_insert(event);
    }
    let resources = last.into_values().map(|event| GoneResource {
        resource: event.resource.clone(),
        kind: event.kind.clone(),
        physical_id: event.physical_id.clone(),
        kept: event.status == "DELETE_SKIPPED",
    });
    Deletion { at, ours, resources: resources.collect() }
}

/// The command that deletes a stack that was left behind. By its id: one of the same name that is made since is another.
pub(super) fn delete_by_id(address: &StackAddress, id: &StackId) -> String {
    format!("aws cloudformation delete-stack --region {} --stack-name {id}", address.scope.region)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(resource: &str, status: &str, id: &str, token: Option<&str>) -> StackEvent {
        StackEvent {
            id: String::new(),
            at: "2026-01-01T00:00:00Z".parse().unwrap(),
            resource: resource.to_owned(),
            kind: "AWS::DynamoDB::Table".to_owned(),
            physical_id: Some(id.to_owned()),
            status: status.to_owned(),
            reason: None,
            token: token.map(str::to_owned),
        }
    }

    #[test]
    fn what_went_and_what_was_kept_are_told_apart_and_so_is_whose_deletion_it_was() {
        let id = "arn:aws:cloudformation:us-east-1:111122223333:stack/dev-a/1";
        let events = |token| {
            [
                event("dev-a", "DELETE_COMPLETE", id, Some(token)),
                event("Orders", "DELETE_COMPLETE", "orders", Some(token)),
                event("Users", "DELETE_SKIPPED", "users", Some(token)),
                event("Orders", "DELETE_IN_PROGRESS", "orders", Some(token)),
                event("dev-a", "DELETE_IN_PROGRESS", id, Some(token)),
            ]
        };
        let theirs = deletion(&events("Console-DeleteStack-1"), &id.parse().unwrap());
        assert!(theirs.at.is_some() && !theirs.ours);
        let kept: Vec<_> = theirs.resources.iter().map(|one| (one.resource.as_str(), one.kept)).collect();
        assert_eq!(kept, [("Orders", false), ("Users", true)]);
        assert!(deletion(&events("landfast-delete-0123"), &id.parse().unwrap()).ours);
    }
}

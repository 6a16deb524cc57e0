//! What the events of an operation say of its resources.

use std::collections::BTreeMap;

use crate::model::{StackEvent, StackId, StackStatus, Working};

/// Whether the newest event of the stack itself says what its status says: reads lag behind, and older events would
/// blame what failed the last time.
pub(crate) fn are_recent(events: &[StackEvent], stack: &StackId, status: Option<StackStatus>) -> bool {
    let Some(status) = status else { return true };
    let newest = events.iter().find(|event| is_of(event, stack));
    newest.is_some_and(|event| event.status == status.as_str())
}

/// The events of the last phase, newest first, with that of the stack itself which begins it. `None`: the beginning is not
/// among them; read on.
pub(crate) fn last_phase<'e>(events: &'e [StackEvent], stack: &StackId) -> Option<&'e [StackEvent]> {
    let begins = |event: &StackEvent| is_of(event, stack) && event.status.ends_with("_IN_PROGRESS");
    let begin = events.iter().position(begins)?;
    events.get(..=begin)
}

/// The events of the last update and of everything that became of it, newest first. `None`: its beginning is not among
/// them; read on.
pub(crate) fn last_update<'e>(events: &'e [StackEvent], stack: &StackId) -> Option<&'e [StackEvent]> {
    let begin = events.iter().position(|event| is_of(event, stack) && event.status == "UPDATE_IN_PROGRESS")?;
    events.get(..=begin)
}

pub(super) fn is_of(event: &StackEvent, stack: &StackId) -> bool {
    event.physical_id.as_deref() == Some(stack.as_str())
}

/// The last that happened to each resource, in the order of their names; the stack's own events left out.
pub(super) fn last_of_each<'e>(phase: &'e [StackEvent], stack: &StackId) -> BTreeMap<&'e str, &'e StackEvent> {
    let mut last = BTreeMap::new();
    for event in phase.iter().filter(|event| !is_of(event, stack)) {
        last.entry(event.resource.as_str()).or_insert(event);
    }
    last
}

/// Resources that ended in `status` for a reason of their own, and not because another was given up.
pub(super) fn failed_for_themselves<'e>(
    phase: &'e [StackEvent],
    stack: &StackId,
    status: &str,
) -> impl Iterator<Item = &'e StackEvent> {
    last_of_each(phase, stack).into_values().filter(move |event| event.status == status).filter(|event| is_own(event))
}

/// A failure has a reason of its own.
pub(super) fn is_own(event: &StackEvent) -> bool {
    !is_consequence(event.reason.as_deref().unwrap_or_default())
}

/// "Resource update cancelled", and what a stack says of the stacks in it.
fn is_consequence(reason: &str) -> bool {
    let reason = reason.to_lowercase();
    reason.contains("update cancelled")
        || reason.contains("creation cancelled")
        || reason.contains("deletion cancelled")
}

/// When the newest event happened, and what is in progress. `newest` is that of the stack's own beginning, where nothing
/// has happened since.
pub(crate) fn working(phase: &[StackEvent], stack: &StackId) -> Vec<Working> {
    let last = last_of_each(phase, stack);
    let going = last.into_values().filter(|event| event.status.ends_with("_IN_PROGRESS"));
    let mut working: Vec<Working> = going
        .map(|event| Working {
            resource: event.resource.clone(),
            kind: event.kind.clone(),
            status: event.status.clone(),
            since: began(phase, event),
        })
        .collect();
    working.sort_by(|a, b| (a.since, &a.resource).cmp(&(b.since, &b.resource)));
    working
}

/// When what is in progress began: the oldest of its events that say so.
fn began(phase: &[StackEvent], last: &StackEvent) -> jiff::Timestamp {
    let same = phase.iter().filter(|event| event.resource == last.resource);
    same.take_while(|event| event.status == last.status).last().map_or(last.at, |event| event.at)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::plan::doctor) fn stack() -> StackId {
        "arn:aws:cloudformation:us-east-1:111122223333:stack/dev-a/1".parse().unwrap()
    }

    pub(in crate::plan::doctor) const NESTED: &str =
        "arn:aws:cloudformation:us-east-1:111122223333:stack/dev-a-Inner-1ABC/2";

    /// Events in the order in which they happened, one a minute, read newest first as AWS gives them.
    pub(in crate::plan::doctor) fn events(of: &StackId, list: &[(&str, &str, &str)]) -> Vec<StackEvent> {
        let mut events: Vec<StackEvent> = list
            .iter()
            .enumerate()
            .map(|(index, (resource, status, reason))| StackEvent {
                id: index.to_string(),
                at: format!("2026-01-01T00:{index:02}:00Z").parse().unwrap(),
                resource: (*resource).to_owned(),
                kind: if *resource == "Inner" { "AWS::CloudFormation::Stack" } else { "AWS::SQS::Queue" }.to_owned(),
                physical_id: Some(match *resource {
                    "stack" => of.to_string(),
                    "Inner" => NESTED.to_owned(),
                    other => format!("physical-{other}"),
                }),
                status: (*status).to_owned(),
                reason: (!reason.is_empty()).then(|| (*reason).to_owned()),
                token: None,
            })
            .collect();
        events.reverse();
        events
    }

    #[test]
    fn a_phase_is_read_back_to_its_own_beginning_and_no_further() {
        let events = events(
            &stack(),
            &[
                ("stack", "UPDATE_IN_PROGRESS", ""),
                ("Queue", "UPDATE_FAILED", "no"),
                ("stack", "UPDATE_ROLLBACK_IN_PROGRESS", ""),
                ("Topic", "UPDATE_FAILED", "gone"),
                ("stack", "UPDATE_ROLLBACK_FAILED", ""),
            ],
        );
        let phase = last_phase(&events, &stack()).unwrap();
        assert_eq!(phase.len(), 3);
        let stack = stack();
        let failed = failed_for_themselves(phase, &stack, "UPDATE_FAILED").map(|event| event.resource.as_str());
        assert_eq!(failed.collect::<Vec<_>>(), ["Topic"]);
        assert_eq!(last_phase(&events[..2], &stack), None, "the beginning is not there");
        assert!(are_recent(&events, &stack, Some(StackStatus::UpdateRollbackFailed)));
        assert!(!are_recent(&events[1..], &stack, Some(StackStatus::UpdateRollbackFailed)));
    }

    #[test]
    fn what_is_in_progress_is_so_since_it_began() {
        let events = events(
            &stack(),
            &[
                ("stack", "UPDATE_IN_PROGRESS", ""),
                ("Queue", "UPDATE_IN_PROGRESS", ""),
                ("Topic", "UPDATE_IN_PROGRESS", ""),
                ("Queue", "UPDATE_IN_PROGRESS", "Requested update requires the creation of a new physical resource"),
                ("Topic", "UPDATE_COMPLETE", ""),
            ],
        );
        let working = working(last_phase(&events, &stack()).unwrap(), &stack());
        assert_eq!(working.len(), 1);
        assert_eq!(
            (working[0].resource.as_str(), working[0].since.to_string().as_str()),
            ("Queue", "2026-01-01T00:01:00Z")
        );
    }
}

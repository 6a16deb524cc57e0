//! How an operation of ours ended, read from the stack's events: by its own token, never by "the stack looks stable".

use jiff::{SignedDuration, Timestamp};

use crate::model::{Conclusion, Failure, Operation, OperationKind, StackEvent, StackId, StackStatus};

/// Handler error codes after which trying again may help (AWS: CloudFormation CLI, *Handler error codes*), and the
/// words that older resource types, and CloudFormation itself, use instead. A missing export may yet come, and who imports
/// one may let go.
const TRANSIENT: [&str; 15] = [
    "HandlerErrorCode: Throttling",
    "HandlerErrorCode: ServiceInternalError",
    "HandlerErrorCode: InternalFailure",
    "HandlerErrorCode: NetworkFailure",
    "HandlerErrorCode: ServiceTimeout",
    "HandlerErrorCode: NotStabilized",
    "HandlerErrorCode: ResourceConflict",
    "HandlerErrorCode: ServiceLimitExceeded",
    "Rate exceeded",
    "Internal Failure",
    "Service Unavailable",
    "timed out",
    MISSING,
    IN_USE,
    EXPORTED,
];

/// What CloudFormation says of an export that others import (AWS: re:Post, *Remediating "Cannot delete/update export"*).
pub(super) const IN_USE: &str = "as it is in use by";

/// What CloudFormation says of an export that is not there.
pub(super) const MISSING: &str = "No export named";

/// What CloudFormation says of an export that another stack has: that one may let go.
const EXPORTED: &str = "is already exported by stack";

/// By how much the time of a stack's change and that of its event may differ.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(5);

/// By how much the clock of whoever wrote the journal and that of AWS may differ. More than that, and AWS refuses
/// signatures.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_hours(1);

/// Whether trying again may help.
#[must_use]
pub fn is_transient(reason: &str) -> bool {
    TRANSIENT.iter().any(|sign| reason.contains(sign))
}

/// Words of a service that was asked too often.
const THROTTLED: [&str; 3] = ["HandlerErrorCode: Throttling", "Rate exceeded", "Too Many Requests"];

/// Whether an operation failed because `CloudFormation` asked a service too often: fewer at once may not.
#[must_use]
pub fn is_throttling(reason: &str) -> bool {
    THROTTLED.iter().any(|sign| reason.contains(sign))
}

/// A failure with this reason.
#[must_use]
pub fn failure(resource: &str, kind: &str, reason: &str) -> Failure {
    let transient = is_transient(reason);
    Failure { resource: resource.to_owned(), kind: kind.to_owned(), reason: reason.to_owned(), transient }
}

/// Whether the events, newest first, reach up to the stack's last change: reads are eventually consistent, and events
/// that are older than the stack say nothing about how its last operation went.
#[must_use]
pub fn reach(events: &[StackEvent], moved: Option<Timestamp>) -> bool {
    let Some(moved) = moved else { return true };
    events.first().is_some_and(|newest| newest.at >= moved.saturating_sub(TOLERANCE).unwrap_or(Timestamp::MIN))
}

/// What the events, newest first, say of `operation` on `stack`. `None`: they do not reach back far enough; read on.
///
/// Events carry the token of the request that caused them. Back ends that leave it out are read by time instead:
/// nothing else of ours can have run on that stack since the operation began, because it is journaled first.
#[must_use]
pub fn conclude(events: &[StackEvent], complete: bool, operation: &Operation, stack: &StackId) -> Option<Conclusion> {
    let tokens = events.iter().any(|event| event.token.is_some());
    let ours: Vec<&StackEvent> = events
        .iter()
        .filter(|event| match &event.token {
            Some(token) => *token == operation.token,
            None => !tokens && event.at >= operation.started,
        })
        .collect();
    let begin = events
        .iter()
        .position(|event| is_of_stack(event, stack) && begins(operation.kind, &event.status) && ours.contains(&event));
    let long_before = operation.started.saturating_sub(CLOCKS_DIFFER).unwrap_or(Timestamp::MIN);
    let older = events.last().is_some_and(|event| event.at < long_before);
    if begin.is_none()
        && let Some(refused) = ours.iter().find(|event| refuses(operation.kind, event, stack))
    {
        return Some(Conclusion::Failed(root_cause(&ours, stack, refused)));
    }
    // Some of it without its beginning is not all of it, even where AWS has no further page. Nor is nothing at all:
    // every stack has the event of its own beginning.
    if begin.is_none() && (events.is_empty() || !ours.is_empty() || !(older || complete)) {
        return None;
    }
    let end = ours.iter().find(|event| is_of_stack(event, stack) && ends(&event.status));
    Some(match (end, begin) {
        (Some(end), _) if succeeded(operation.kind, &end.status) => Conclusion::Succeeded,
        (Some(end), _) => Conclusion::Failed(root_cause(&ours, stack, end)),
        (None, None) => Conclusion::NotSeen,
        (None, Some(begin)) => taken_over(events, begin, operation, stack),
    })
}

/// It began, and nothing of it has ended. Another request may have ended it: one that cancels an update (ours or
/// somebody's) or deletes a stack that is being created. What happens from then on carries that request's token.
fn taken_over(events: &[StackEvent], begin: usize, operation: &Operation, stack: &StackId) -> Conclusion {
    let since = events.iter().take(begin).rev().filter(|event| is_of_stack(event, stack));
    let Some(end) = since.into_iter().find(|event| ends(&event.status)) else { return Conclusion::Running };
    if succeeded(operation.kind, &end.status) {
        return Conclusion::Succeeded;
    }
    let deleted = end.status.starts_with("DELETE_");
    let reason = match operation.kind {
        OperationKind::Cancel => "it was cancelled: it exceeded its `timeout`, or its image cannot run",
        _ if deleted => "the stack was deleted in the meantime outside Landfast",
        _ => "it was cancelled outside Landfast",
    };
    Conclusion::Failed(Failure {
        resource: end.resource.clone(),
        kind: end.kind.clone(),
        reason: reason.to_owned(),
        // What somebody stops on purpose is not begun again; what somebody deletes is missing, and is created again.
        transient: deleted,
    })
}

/// The first resource that failed for a reason of its own. What is cancelled because of another is not a cause.
fn root_cause(ours: &[&StackEvent], stack: &StackId, end: &StackEvent) -> Failure {
    let cause = ours.iter().rev().find(|event| {
        let reason = event.reason.as_deref().unwrap_or_default();
        event.status.ends_with("_FAILED") && !is_of_stack(event, stack) && !reason.contains("cancelled")
    });
    let fallback =
        || ours.iter().rev().find(|event| event.reason.is_some() && is_of_stack(event, stack) && is_bad(&event.status));
    let event = cause.or_else(fallback).copied().unwrap_or(end);
    failure(&event.resource, &event.kind, event.reason.as_deref().unwrap_or("AWS gives no reason"))
}

fn is_of_stack(event: &StackEvent, stack: &StackId) -> bool {
    event.physical_id.as_deref() == Some(stack.as_str())
}

fn is_bad(status: &str) -> bool {
    status.contains("FAILED") || status.contains("ROLLBACK")
}

fn begins(kind: OperationKind, status: &str) -> bool {
    match kind {
        OperationKind::Create => status == "CREATE_IN_PROGRESS",
        OperationKind::Update | OperationKind::Cancel | OperationKind::Resync => status == "UPDATE_IN_PROGRESS",
        OperationKind::Delete | OperationKind::Clear => status == "DELETE_IN_PROGRESS",
        OperationKind::ContinueRollback => status == "UPDATE_ROLLBACK_IN_PROGRESS",
    }
}

/// A deletion that AWS takes and does not begin leaves the status as it was, and an event that says why: the stack's
/// exports are in use (users' reports: rlister/stax#40, aws/aws-sdk-java#1712).
fn refuses(kind: OperationKind, event: &StackEvent, stack: &StackId) -> bool {
    matches!(kind, OperationKind::Delete | OperationKind::Clear)
        && is_of_stack(event, stack)
        && event.reason.is_some()
        && ends(&event.status)
        && !event.status.starts_with("DELETE_")
}

fn ends(status: &str) -> bool {
    status
        .parse::<StackStatus>()
        .is_ok_and(|status| !status.is_in_progress() && status != StackStatus::ReviewInProgress)
}

fn succeeded(kind: OperationKind, status: &str) -> bool {
    match kind {
        OperationKind::Create => status == "CREATE_COMPLETE",
        OperationKind::Update | OperationKind::Cancel | OperationKind::Resync => status == "UPDATE_COMPLETE",
        OperationKind::Delete | OperationKind::Clear => status == "DELETE_COMPLETE",
        OperationKind::ContinueRollback => status == "UPDATE_ROLLBACK_COMPLETE",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::Digest;

    fn stack() -> StackId {
        "arn:aws:cloudformation:us-east-1:111122223333:stack/dev-a/1".parse().unwrap()
    }

    fn operation(kind: OperationKind) -> Operation {
        Operation {
            kind,
            token: "ours".to_owned(),
            stack: Some(stack()),
            change_set: None,
            inputs: Digest::of_bytes(b""),
            no_echo: BTreeMap::new(),
            skip: std::collections::BTreeSet::new(),
            started: "2026-01-01T00:00:10Z".parse().unwrap(),
            revision: 1,
            writes: crate::model::Writes::Nothing,
            from: None,
            answered: None,
        }
    }

    /// Events in the order in which they happened, one a second, read newest first as AWS gives them.
    fn events(list: &[(&str, &str, &str, Option<&str>)]) -> Vec<StackEvent> {
        let mut events: Vec<StackEvent> = list
            .iter()
            .enumerate()
            .map(|(index, (resource, status, reason, token))| StackEvent {
                id: index.to_string(),
                at: format!("2026-01-01T00:00:{:02}Z", 10 + index).parse().unwrap(),
                resource: (*resource).to_owned(),
                kind: "AWS::X::Y".to_owned(),
                physical_id: (*resource == "stack").then(|| stack().to_string()),
                status: (*status).to_owned(),
                reason: (!reason.is_empty()).then(|| (*reason).to_owned()),
                token: token.map(str::to_owned),
            })
            .collect();
        events.reverse();
        events
    }

    #[test]
    fn the_first_failure_of_its_own_is_the_cause_and_not_what_it_cancelled() {
        let token = Some("ours");
        let events = events(&[
            ("stack", "UPDATE_IN_PROGRESS", "User Initiated", token),
            ("Table", "UPDATE_FAILED", "Table is being restored (HandlerErrorCode: ResourceConflict)", token),
            ("Queue", "UPDATE_FAILED", "Resource update cancelled", token),
            ("stack", "UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to update: [Table]", token),
            ("stack", "UPDATE_ROLLBACK_COMPLETE", "", token),
        ]);
        let Some(Conclusion::Failed(failure)) = conclude(&events, true, &operation(OperationKind::Update), &stack())
        else {
            panic!("not a failure")
        };
        assert_eq!((failure.resource.as_str(), failure.transient), ("Table", true));
    }

    #[test]
    fn an_update_of_somebody_else_is_not_the_end_of_ours() {
        let events = events(&[
            ("stack", "UPDATE_IN_PROGRESS", "", Some("theirs")),
            ("stack", "UPDATE_COMPLETE", "", Some("theirs")),
        ]);
        let conclusion = conclude(&events, true, &operation(OperationKind::Update), &stack());
        assert_eq!(conclusion, Some(Conclusion::NotSeen));
    }

    #[test]
    fn an_operation_whose_beginning_is_missing_has_not_been_read_as_a_whole() {
        let events = events(&[
            ("Topic", "CREATE_FAILED", "it is wrong", Some("ours")),
            ("stack", "ROLLBACK_IN_PROGRESS", "", Some("ours")),
        ]);
        assert_eq!(conclude(&events, true, &operation(OperationKind::Create), &stack()), None);
    }

    #[test]
    fn a_stack_without_any_event_has_not_been_read() {
        assert_eq!(conclude(&[], true, &operation(OperationKind::Create), &stack()), None);
    }

    #[test]
    fn events_that_end_before_the_last_change_of_the_stack_are_out_of_date() {
        let events = events(&[("stack", "CREATE_COMPLETE", "", None)]);
        let moved = |text: &str| Some(text.parse().unwrap());
        assert!(reach(&events, moved("2026-01-01T00:00:10Z")));
        assert!(!reach(&events, moved("2026-01-01T00:10:00Z")));
        assert!(!reach(&[], moved("2026-01-01T00:00:10Z")));
    }

    #[test]
    fn a_page_that_does_not_reach_back_is_not_enough_to_say_not_seen() {
        let events = events(&[("stack", "UPDATE_COMPLETE", "", Some("theirs"))]);
        assert_eq!(conclude(&events, false, &operation(OperationKind::Update), &stack()), None);
    }

    #[test]
    fn a_deletion_that_leaves_the_status_as_it_was_has_failed_whether_it_began_or_not() {
        let why = "Export vpc cannot be deleted as it is in use by user";
        for token in [Some("ours"), None] {
            let began = ("stack", "DELETE_IN_PROGRESS", "User Initiated", token);
            let ended = ("stack", "UPDATE_COMPLETE", why, token);
            for list in [&[began, ended][..], &[ended]] {
                let conclusion = conclude(&events(list), true, &operation(OperationKind::Delete), &stack());
                let Some(Conclusion::Failed(failure)) = conclusion else { panic!("{list:?}: {conclusion:?}") };
                assert_eq!((failure.reason.as_str(), failure.transient), (why, true), "{list:?}");
            }
        }
    }

    #[test]
    fn an_operation_without_an_end_is_running() {
        let events = events(&[("stack", "CREATE_IN_PROGRESS", "", Some("ours"))]);
        let conclusion = conclude(&events, true, &operation(OperationKind::Create), &stack());
        assert_eq!(conclusion, Some(Conclusion::Running));
    }

    #[test]
    fn events_without_tokens_are_read_by_time() {
        let events = events(&[("stack", "UPDATE_IN_PROGRESS", "", None), ("stack", "UPDATE_COMPLETE", "", None)]);
        let conclusion = conclude(&events, true, &operation(OperationKind::Update), &stack());
        assert_eq!(conclusion, Some(Conclusion::Succeeded));
    }

    #[test]
    fn a_rolled_back_creation_failed_even_though_the_stack_is_at_rest() {
        let token = Some("ours");
        let events = events(&[
            ("stack", "CREATE_IN_PROGRESS", "", token),
            ("Role", "CREATE_FAILED", "denied (HandlerErrorCode: AccessDenied)", token),
            ("stack", "ROLLBACK_IN_PROGRESS", "", token),
            ("stack", "ROLLBACK_COMPLETE", "", token),
        ]);
        let conclusion = conclude(&events, true, &operation(OperationKind::Create), &stack());
        assert!(
            matches!(conclusion, Some(Conclusion::Failed(failure)) if failure.resource == "Role" && !failure.transient)
        );
    }
}

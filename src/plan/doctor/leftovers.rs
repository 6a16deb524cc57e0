//! What creations have left behind: stacks that failed and stay as evidence, and shells of change sets that were never
//! executed. Both count against the account's stacks, and stand in the way of a stack of their name.

use super::command::aws;
use crate::model::{Ailment, Choice, Diagnosis, Entry, Guard, Key, ObservedStack, Remedy, StackAddress, StackStatus};
use crate::plan::names::owner;

/// Of a stack that was never healthy.
pub(super) fn diagnosis(key: &Key, address: &StackAddress, stack: &ObservedStack, entry: &Entry) -> Diagnosis {
    let state = &stack.state;
    let shell = state.status == StackStatus::ReviewInProgress;
    let ailment = if shell { Ailment::Shell } else { Ailment::NeverHealthy };
    let evidence = match owner(state) {
        Some(owner) => format!("it is in {} since {} and belongs to {owner}", state.status, state.created),
        None => format!("it is in {} since {}, and it has no owner tag", state.status, state.created),
    };
    let reason = state.status_reason.clone().map(|reason| format!("AWS says: {reason}"));
    Diagnosis::of(address, ailment, remedy(address, shell, entry))
        .about(key)
        .since(Some(state.updated.unwrap_or(state.created)))
        .shown_by([evidence])
        .shown_by(reason)
}

fn remedy(address: &StackAddress, shell: bool, entry: &Entry) -> Remedy {
    let refused = |guard| entry.refused.iter().find(|refusal| refusal.guard == guard);
    let delete = aws(address, "delete-stack", "");
    if let Some(refusal) = refused(Guard::Stalled) {
        let choices = vec![Choice::new(refusal.release.clone(), [])];
        return Remedy::Decision { what: format!("what to change: {}", refusal.reason), choices };
    }
    if refused(Guard::Ownership).is_some() {
        let mut choices = vec![Choice::new("delete it; Landfast then creates the manifest's stack", [delete])];
        if shell {
            let list = aws(address, "list-change-sets", "");
            choices.push(Choice::new("execute its change set, if it is still needed", [list]));
        }
        return Remedy::Decision {
            what: "who owns it: it has the name of a stack in the manifests".to_owned(),
            choices,
        };
    }
    if entry.refused.is_empty() {
        return Remedy::Automatic { what: "deletes it and creates it again, with limited retries".to_owned() };
    }
    let choices = vec![Choice::new("delete it", [delete])];
    Remedy::Decision { what: "what to do with it".to_owned(), choices }
}

//! Which of the stacks that there are can be adopted.

use std::collections::BTreeSet;

use super::survey::{Ask, Left, Which};
use crate::model::{OWNER_TAG, StackName, StackState, StackStatus};

/// Names that other tools give to stacks that are theirs. One of them is adopted only if it is named.
const THEIRS: [(&str, &str); 5] = [
    ("CDKToolkit", "the CDK's own"),
    ("aws-sam-cli-managed-", "the SAM CLI's own"),
    ("awseb-", "Elastic Beanstalk's"),
    ("eksctl-", "eksctl's"),
    ("amplify-", "Amplify's"),
];

/// Stacks to read, and those that are left where they are.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// To read, in the order of their names.
    pub stacks: Vec<StackState>,
    /// Left out.
    pub left: Vec<Left>,
}

/// Chooses from a whole listing.
#[must_use]
pub fn choose(listed: &[StackState], ask: &Ask) -> Choice {
    let mut choice = Choice::default();
    for state in listed {
        let named = match &ask.which {
            Which::All { prefix } if state.name.as_str().starts_with(prefix.as_str()) => false,
            Which::Named(names) if names.contains(&state.name) => true,
            Which::All { .. } | Which::Named(_) => continue,
        };
        match reason(state, listed, named) {
            None => choice.stacks.push(state.clone()),
            Some((why, partial)) => {
                let what = format!("stack {}", state.name);
                choice.left.push(Left { what, why, partial: partial || named });
            }
        }
    }
    if let Which::Named(names) = &ask.which {
        let known: BTreeSet<&StackName> = listed.iter().map(|state| &state.name).collect();
        let missing = names.iter().filter(|name| !known.contains(name));
        choice.left.extend(
            missing.map(|name| {
                Left::missing(format!("stack {name}"), format!("no stack with this name in {}", ask.scope))
            }),
        );
    }
    choice.stacks.sort_by(|one, other| one.name.cmp(&other.name));
    choice.left.sort();
    choice
}

/// Why a stack is left where it is, and whether it is missing then.
fn reason(state: &StackState, listed: &[StackState], named: bool) -> Option<(String, bool)> {
    let name = state.name.as_str();
    if let Some(parent) = &state.parent {
        let above =
            listed.iter().find(|other| other.id == *parent).map_or(parent.as_str(), |above| above.name.as_str());
        return Some((format!("it is nested in {above}, whose template describes it"), false));
    }
    if let Some(owner) = state.tags.get(OWNER_TAG) {
        return Some((format!("Landfast already manages it as {owner}"), false));
    }
    if name.starts_with("StackSet-") {
        return Some(("a stack set manages it; change it there".to_owned(), false));
    }
    if let Some((_, whose)) = THEIRS.iter().find(|(beginning, _)| name.starts_with(beginning) && !named) {
        return Some((format!("its name suggests that it is {whose}; `--stack {name}` adopts it anyway"), false));
    }
    standing(state.status)
}

/// What an update cannot be made of.
fn standing(status: StackStatus) -> Option<(String, bool)> {
    use StackStatus as S;
    match status {
        S::CreateComplete
        | S::UpdateComplete
        | S::UpdateRollbackComplete
        | S::ImportComplete
        | S::ImportRollbackComplete => None,
        S::ReviewInProgress => Some(("it is empty (REVIEW_IN_PROGRESS)".to_owned(), false)),
        S::CreateFailed | S::RollbackComplete | S::RollbackFailed | S::DeleteFailed | S::DeleteComplete => {
            Some((format!("it is {status} and cannot be updated: delete it"), false))
        }
        S::UpdateFailed | S::UpdateRollbackFailed | S::ImportRollbackFailed => {
            Some((format!("it is {status}: repair it, then adopt it"), true))
        }
        S::CreateInProgress
        | S::RollbackInProgress
        | S::DeleteInProgress
        | S::UpdateInProgress
        | S::UpdateCompleteCleanupInProgress
        | S::UpdateRollbackInProgress
        | S::UpdateRollbackCompleteCleanupInProgress
        | S::ImportInProgress
        | S::ImportRollbackInProgress => Some((format!("it is {status}: wait until the operation has ended"), true)),
    }
}

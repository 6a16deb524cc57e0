//! Change sets that carry names like ours and that no call of ours has made: somebody else's, or of a journal that was lost.
//! They are never executed (invariant S23), and hold nothing up. And a stack that says that it is ours: a tag proves nothing
//! either.

use std::collections::{BTreeMap, BTreeSet};

use super::command::aws;
use crate::model::{
    Ailment, ChangeSetName, ChangeSetSummary, Choice, Diagnosis, Key, ObservedStack, Prepared, Remedy, Seen,
    StackAddress, StackMemory,
};
use crate::plan::names::change_set_prefix;

/// Of a stack whose change sets were listed.
pub(super) fn diagnosis(
    key: &Key,
    address: &StackAddress,
    memory: &StackMemory,
    stack: &ObservedStack,
) -> Option<Diagnosis> {
    let Some(Seen::Present(listed)) = stack.change_sets.as_ref().map(|sets| &sets.all) else { return None };
    let found = strangers(&memory.prepared, listed);
    let first = found.first()?;
    let names = found.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    let look = aws(address, "describe-change-set", &format!("--change-set-name {first}"));
    let delete = aws(address, "delete-change-set", &format!("--change-set-name {first}"));
    let remedy = Remedy::Decision {
        what: "who created it: CloudTrail shows the caller of CreateChangeSet".to_owned(),
        choices: vec![
            Choice::new("review its changes", [look]),
            Choice::new("delete it; the next update by Landfast also deletes it", [delete]),
        ],
    };
    let evidence =
        format!("{names}: not created by this Landfast, or created before its journal was lost; never executed");
    Some(Diagnosis::of(address, Ailment::ForeignChangeSet, remedy).about(key).shown_by([evidence]))
}

/// Of a stack that nothing asks for, carries our tag and is not in the journal: somebody else's, or of a journal that was lost.
/// It is deleted when a person says so.
pub(super) fn unproven(
    key: &Key,
    address: &StackAddress,
    memory: &StackMemory,
    stack: &ObservedStack,
) -> Option<Diagnosis> {
    if memory.has_made(&stack.state.id) {
        return None;
    }
    let remedy = Remedy::Decision {
        what: "who owns it: anyone who can update a stack can set its tags".to_owned(),
        choices: vec![
            Choice::new("inspect it", [aws(address, "describe-stacks", "")]),
            Choice::new("delete it: approve the plan", [format!("landfast plan {}", key.environment)]),
            Choice::new("keep it: remove its tag `landfast:owner`", []),
        ],
    };
    let evidence =
        format!("it has the owner tag of {key}, but the journal has no record that Landfast created or deployed it");
    Some(Diagnosis::of(address, Ailment::UnprovenOwner, remedy).about(key).shown_by([evidence]))
}

/// Change sets that carry names like ours and are not in the journal: somebody else's, or of a journal that was lost.
fn strangers<'a>(
    prepared: &BTreeMap<ChangeSetName, Prepared>,
    listed: &'a [ChangeSetSummary],
) -> BTreeSet<&'a ChangeSetName> {
    let ours = |set: &&ChangeSetSummary| {
        // An answer that was lost, or that was deleted a moment ago, is in nobody's way.
        prepared.get(&set.name).is_some_and(|prepared| prepared.id.as_ref().is_none_or(|id| *id == set.id))
    };
    let named = listed.iter().filter(|set| set.name.as_str().starts_with(change_set_prefix()));
    named.filter(|set| !ours(set)).map(|set| &set.name).collect()
}

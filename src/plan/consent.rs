//! What a person sees of a plan, approved by its digest.
//!
//! Consent covers content. The digest is made of what was decided *and* of what it was decided from, and a grant holds as
//! long as both are the same. The id of a change set is not part of either: `plan` removes the change sets that it had
//! computed, so that the same revision and the same stack have the same digest wherever they are planned. What AWS had
//! computed is, change by change; and only a change set that is proven to be ours is executed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Input, approval};
use crate::model::{
    Action, Address, Basis, Broaden, Broadening, Changes, Consent, Difference, Digest, Entry, Grant, Guard, Key, Kind,
    Plan, ResourceChange, Seen, StackId, Waiting,
};
use crate::sabotage::{self, Bug};

/// The digest of what a person sees: for each object that is not in sync what it was decided from, its action, its
/// differences and changes, and what forbids it. It does not change by waiting, and it changes when anything else does.
pub(super) fn digest(plan: &Plan) -> Digest {
    #[derive(Serialize)]
    struct Shown<'a> {
        address: &'a Address,
        depends_on: &'a BTreeSet<Key>,
        basis: Option<&'a Basis>,
        action: Action,
        differences: &'a [Difference],
        changes: &'a [ResourceChange],
        broadenings: &'a [Broadening],
        // Reasons say how long something has taken, and how often it was tried.
        refused: BTreeSet<Guard>,
    }
    let shown: BTreeMap<&Key, Shown<'_>> = plan
        .entries
        .iter()
        .filter(|(_, entry)| entry.action != Action::None || follows(entry))
        .map(|(key, entry)| {
            let shown = Shown {
                address: &entry.address,
                depends_on: &entry.depends_on,
                basis: Some(&entry.basis).filter(|_| !sabotage::is(Bug::ConsentToNames)),
                action: entry.action,
                differences: &entry.differences,
                changes: entry.changes.list(),
                broadenings: &entry.broadenings,
                refused: entry.refused.iter().map(|refusal| refusal.guard).collect(),
            };
            (key, shown)
        })
        .collect();
    Digest::of(&(&plan.environment, shown))
}

/// The approval of `plan`, as it was shown. An exclusive one is for this plan and nothing else; any other lets the
/// environment be reconciled as its policy says. It ends as the operator says, and is given by whoever owns the state
/// directory: one that is made of reviews says so itself.
#[must_use]
pub fn consent(plan: &Plan, input: &Input<'_>, by: String, at: Timestamp, exclusive: bool) -> Consent {
    let grants = plan
        .entries
        .iter()
        .filter(|(_, entry)| is_granted(entry))
        .map(|(object, entry)| {
            let changes = match &entry.changes {
                Changes::Known(list) => Some(list.iter().map(Digest::of).collect()),
                Changes::Predicted(_) | Changes::AfterApply | Changes::None => None,
            };
            let grant = Grant {
                action: entry.action,
                spec: entry.basis.manifest.clone(),
                inputs: entry.basis.inputs.clone(),
                changes,
                destructive: destroyed(entry),
                broadened: entry.broadenings.iter().map(Broadening::approved).collect(),
                stack: incarnation(input, entry),
            };
            (object.clone(), grant)
        })
        .collect();
    let expires = SignedDuration::try_from(input.environment.limits.approvals.expires).unwrap_or(SignedDuration::MAX);
    let until = Some(at.checked_add(expires).unwrap_or(Timestamp::MAX));
    Consent { plan: plan.digest.clone(), by, at, exclusive, until, reviews: BTreeSet::new(), grants }
}

/// Whether a person who approves a plan approves anything of this entry.
fn is_granted(entry: &Entry) -> bool {
    match entry.action {
        Action::Retain => false,
        Action::None => follows(entry),
        // What could not be seen is approved as far as its manifest and policy say.
        _ => true,
    }
}

/// Something is to be done when something else is there.
fn follows(entry: &Entry) -> bool {
    let waits = |waiting: &Waiting| {
        matches!(waiting, Waiting::Dependency { .. } | Waiting::Image { .. } | Waiting::Someone { .. })
    };
    !entry.ready && entry.waiting.iter().any(waits)
}

/// The digest that stands for a manifest that is gone.
pub(super) fn absent() -> Digest {
    Basis::absent().manifest
}

/// Whether a person approved what this entry does, all of it.
pub(super) fn covers(input: &Input<'_>, key: &Key, entry: &Entry) -> bool {
    // Whoever may not approve has not (invariant S26), and what has ended is none (S22).
    let consent = input.memory.consent.as_ref().filter(|consent| is_good(input, consent));
    let Some(grant) = consent.and_then(|consent| consent.grants.get(key)) else { return false };
    let same_kind = match entry.action {
        // What was approved as a creation may have to be cleared and repeated; what may change, may turn out to.
        Action::Create | Action::Recreate => matches!(grant.action, Action::Create | Action::Recreate),
        // The policy of a secret is set once it is there.
        Action::Update if key.kind == Kind::Secret && grant.action == Action::Create => true,
        Action::Update | Action::MayUpdate => matches!(grant.action, Action::Update | Action::MayUpdate),
        Action::Delete | Action::Recover => grant.action == entry.action && grant.stack == incarnation(input, entry),
        other => grant.action == other,
    };
    let shown = |one: &Broadening| one.is_covered(&grant.broadened);
    let opens = input.environment.policy.broaden == Broaden::Allow || entry.broadenings.iter().all(shown);
    let same = same_kind && grant.spec == entry.basis.manifest && destroyed(entry).is_subset(&grant.destructive);
    same && opens && (is_same_content(grant, entry) || sabotage::is(Bug::ConsentToNames))
}

/// It may still be acted on.
fn is_good(input: &Input<'_>, consent: &Consent) -> bool {
    approval::stands(consent, &input.memory.reviews, &input.environment.limits, input.now).is_ok()
}

/// What was known when it was approved is still so.
fn is_same_content(grant: &Grant, entry: &Entry) -> bool {
    let inputs = match (&grant.inputs, &entry.basis.inputs) {
        (Some(approved), Some(now)) => approved == now,
        // It was known only after apply, or is not known now, and then nothing is done.
        (None, _) | (_, None) => true,
    };
    let changes = match (&grant.changes, &entry.changes) {
        (Some(approved), Changes::Known(now)) => now.iter().all(|change| approved.contains(&Digest::of(change))),
        _ => true,
    };
    inputs && changes
}

/// Whether an approval of this plan and nothing else forbids what this entry does, although policy allows it.
pub(super) fn excludes(input: &Input<'_>, key: &Key, entry: &Entry) -> bool {
    let Some(consent) = input.memory.consent.as_ref().filter(|consent| consent.exclusive) else { return false };
    let Some(grant) = consent.grants.get(key).filter(|_| is_good(input, consent)) else { return true };
    // It was to follow when something else was there: as its manifest says, and as far as nothing is lost.
    let open = matches!(grant.action, Action::None | Action::Unknown);
    let follows = open && grant.spec == entry.basis.manifest && destroyed(entry).is_empty();
    !follows && !covers(input, key, entry)
}

/// What is lost, and what is left out: a resource that may be deleted may not for that be left behind.
fn destroyed(entry: &Entry) -> BTreeSet<String> {
    let left = entry.differences.iter().filter_map(|difference| match difference {
        Difference::Skip { resources } => Some((resources, "skipped")),
        Difference::Leave { resources } => Some((resources, "left")),
        _ => None,
    });
    let left = left.flat_map(|(resources, how)| resources.iter().map(move |name| format!("{name} ({how})")));
    lost(entry).into_iter().chain(left).chain(beside(entry)).chain(again(entry)).collect()
}

/// What is made again, empty, in the place of what somebody has deleted: a consent to its first creation, or to another
/// time that it was gone, does not cover that.
fn again(entry: &Entry) -> impl Iterator<Item = String> {
    entry.differences.iter().filter_map(|difference| match difference {
        Difference::Gone { stack, .. } => Some(format!("{stack} (recreated)")),
        Difference::Elsewhere { stack, .. } => Some(format!("{stack} (left behind)")),
        _ => None,
    })
}

/// What a change set that brings resources into step would change beside them: it puts back all of a stack's drift, also
/// what somebody meant.
fn beside(entry: &Entry) -> impl Iterator<Item = String> {
    let meant = entry.differences.iter().find_map(|difference| match difference {
        Difference::OutOfStep { resources } => Some(resources),
        _ => None,
    });
    let changes =
        entry.changes.list().iter().filter(move |change| meant.is_some_and(|meant| !meant.contains(&change.resource)));
    changes.map(|change| format!("{} (reverted with it)", change.resource))
}

/// Whether there is anything of that kind.
pub(super) fn goes_beyond(entry: &Entry) -> bool {
    beside(entry).next().is_some()
}

/// The resources that AWS says go. What is only predicted of an update is no basis for consent; of a deletion, all
/// there is goes.
fn lost(entry: &Entry) -> BTreeSet<String> {
    if matches!(entry.changes, Changes::Predicted(_)) && entry.action != Action::Delete {
        return BTreeSet::new();
    }
    entry.changes.list().iter().filter(|change| change.may_destroy()).map(|change| change.resource.clone()).collect()
}

fn incarnation(input: &Input<'_>, entry: &Entry) -> Option<StackId> {
    match input.observation.stack_at(&entry.address) {
        Seen::Present(stack) => Some(stack.state.id.clone()),
        Seen::Absent | Seen::Unknown(_) => None,
    }
}

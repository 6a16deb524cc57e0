//! What a person sees of a plan, approved by its digest.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::resolve::spec_digest;
use super::{Goal, Input, service};
use crate::model::{
    Action, Address, Changes, Consent, Difference, Digest, Entry, Grant, Key, Kind, Plan, ResourceChange, Seen, StackId,
};

/// The digest of what a person sees: for each object that is not in sync its action, its differences and changes, and
/// what would be refused. It does not change by waiting, and it changes when the world moves.
pub(super) fn digest(plan: &Plan) -> Digest {
    #[derive(Serialize)]
    struct Shown<'a> {
        address: &'a Address,
        action: Action,
        differences: &'a [Difference],
        changes: &'a [ResourceChange],
        refused: &'a [crate::model::Refusal],
    }
    let shown: BTreeMap<&Key, Shown<'_>> = plan
        .entries
        .iter()
        .filter(|(_, entry)| entry.action != Action::None)
        .map(|(key, entry)| {
            let shown = Shown {
                address: &entry.address,
                action: entry.action,
                differences: &entry.differences,
                changes: entry.changes.list(),
                refused: &entry.refused,
            };
            (key, shown)
        })
        .collect();
    Digest::of(&(&plan.environment, shown))
}

/// The approval of `plan`, as it was shown.
#[must_use]
pub fn consent(plan: &Plan, input: &Input<'_>, by: String, at: Timestamp) -> Consent {
    let grants = plan
        .entries
        .iter()
        .filter(|(_, entry)| !matches!(entry.action, Action::None | Action::Unknown | Action::Retain))
        .map(|(object, entry)| {
            let spec = match input.goal {
                Goal::Converge => manifest(input, object),
                Goal::Destroy => absent(),
            };
            let grant =
                Grant { action: entry.action, spec, destructive: destroyed(entry), stack: incarnation(input, entry) };
            (object.clone(), grant)
        })
        .collect();
    Consent { plan: plan.digest.clone(), by, at, grants }
}

/// The digest of what the manifest says of an object.
#[must_use]
pub fn manifest(input: &Input<'_>, key: &Key) -> Digest {
    let environment = input.environment;
    let digest = match key.kind {
        Kind::Stack => environment.stacks.get(key).map(|spec| spec_digest(spec, &input.memory.fingerprint_key)),
        Kind::Service => service_digest(input, key),
        Kind::Secret => environment.secrets.get(key).map(|spec| spec.digest.clone()),
        Kind::DnsRecord => environment.records.get(key).map(|spec| spec.digest.clone()),
        Kind::BackupPolicy => environment.backups.get(key).map(|spec| spec.digest.clone()),
    };
    digest.unwrap_or_else(absent)
}

/// The digest that stands for a manifest that is gone.
pub(super) fn absent() -> Digest {
    Digest::of_bytes(b"")
}

/// Whether a person approved what this entry does, all of it.
pub(super) fn covers(input: &Input<'_>, key: &Key, entry: &Entry, spec: &Digest) -> bool {
    let Some(grant) = input.memory.consent.as_ref().and_then(|consent| consent.grants.get(key)) else { return false };
    let same_kind = match entry.action {
        // What was approved as a creation may have to be cleared and repeated; what may change, may turn out to.
        Action::Create | Action::Recreate => matches!(grant.action, Action::Create | Action::Recreate),
        Action::Update | Action::MayUpdate => matches!(grant.action, Action::Update | Action::MayUpdate),
        Action::Delete | Action::Recover => grant.action == entry.action && grant.stack == incarnation(input, entry),
        other => grant.action == other,
    };
    same_kind && grant.spec == *spec && destroyed(entry).is_subset(&grant.destructive)
}

/// The same, for an entry of either side: desired, or no longer desired.
pub(super) fn grants(input: &Input<'_>, key: &Key, entry: &Entry) -> bool {
    let spec = if entry.action == Action::Delete { absent() } else { manifest(input, key) };
    covers(input, key, entry, &spec)
}

/// The manifest's side of a service, and what was decided on it.
fn service_digest(input: &Input<'_>, key: &Key) -> Option<Digest> {
    let spec = input.environment.services.get(key)?;
    let memory = input.memory.objects.services.get(key).cloned().unwrap_or_default();
    Some(service::manifest_side(spec, &memory))
}

/// What is lost, and what is left out: a resource that may be deleted may not for that be left behind.
fn destroyed(entry: &Entry) -> BTreeSet<String> {
    let left = entry.differences.iter().filter_map(|difference| match difference {
        Difference::Skip { resources } => Some((resources, "skipped")),
        Difference::Leave { resources } => Some((resources, "left")),
        _ => None,
    });
    let left = left.flat_map(|(resources, how)| resources.iter().map(move |name| format!("{name} ({how})")));
    lost(entry).into_iter().chain(left).chain(beside(entry)).collect()
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
    changes.map(|change| format!("{} (put back with it)", change.resource))
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
    entry.changes.list().iter().filter(|change| change.is_destructive()).map(|change| change.resource.clone()).collect()
}

fn incarnation(input: &Input<'_>, entry: &Entry) -> Option<StackId> {
    match input.observation.stack_at(&entry.address) {
        Seen::Present(stack) => Some(stack.state.id.clone()),
        Seen::Absent | Seen::Unknown(_) => None,
    }
}

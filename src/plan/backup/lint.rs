//! What must hold of every step of a backup policy.

use jiff::SignedDuration;

use super::{BATCH, names};
use super::{leftover, points};
use crate::model::{
    Act, BackupDo, BackupSpec, BackupStep, Entry, ExpirePoint, KeepSettings, Key, Mode, RecoveryPoint, RestoreDo,
    RestoreStep, Seen, SetRecovery, TEST_PREFIX,
};
use crate::plan::Input;
use crate::plan::consent;
use crate::sabotage::{self, Bug};

/// The rules that a step breaks.
pub(in crate::plan) fn faults(key: &Key, entry: &Entry, step: &BackupStep, input: &Input<'_>) -> Vec<&'static str> {
    let spec = input.environment.backups.get(key);
    let size = match &step.action {
        BackupDo::Recover(list) => list.len(),
        BackupDo::Protect(list) => list.len(),
        BackupDo::Make(list) => list.len(),
        BackupDo::Restore(list) => list.len(),
        BackupDo::Copy(list) => list.len(),
        BackupDo::Keep(list) => list.len(),
        BackupDo::Expire(list) => list.len(),
        BackupDo::Note(list) => list.len(),
    };
    let approved = consent::covers(input, key, entry);
    let shortens = |one: &SetRecovery| one.from.is_some_and(|from| from > one.to);
    let rules = [
        (spec.is_none() && step.mutates(), "tables that no policy covers are backed up (S2)"),
        (size == 0 || size > BATCH, "a batch is empty or too large (S3)"),
        (
            matches!(&step.action, BackupDo::Recover(list) if list.iter().any(shortens)) && !approved,
            "backup history is deleted without approval (S4)",
        ),
        (
            matches!(&step.action, BackupDo::Make(list) if names(&step.action.tables()).is_empty() || step.action.tables().len() != list.len()),
            "a table is backed up twice (S9)",
        ),
        (
            input.environment.policy.mode == Mode::Approve && matches!(step.action, BackupDo::Expire(_)) && !approved,
            "recovery points are deleted without approval (S11)",
        ),
        (
            matches!(&step.action, BackupDo::Restore(list) if list.iter().any(|one| !is_of_a_test(key, one, input))),
            "a table that no restore test created is deleted (S2)",
        ),
        (
            matches!(&step.action, BackupDo::Restore(list) if list.iter().any(|one| !is_asked_for(key, one, input))),
            "a table is deleted that nobody has asked to be replaced (S2)",
        ),
        (
            matches!(&step.action, BackupDo::Keep(list) if list.iter().any(|one| !is_own(key, one, input))),
            "settings are stored outside the policy, or deleted before their recovery point (S1, S15)",
        ),
        (
            matches!(&step.action, BackupDo::Expire(list) if list.iter().any(|one| !may_go(one, spec, input))),
            "a recovery point is deleted that is not Landfast's, too young, or the newest (S15)",
        ),
    ];
    rules.into_iter().filter(|(broken, _)| *broken).map(|(_, rule)| rule).collect()
}

/// Only a table that a restore test has made is marked or removed: it is remembered by its incarnation, or says so itself.
fn is_of_a_test(key: &Key, step: &RestoreStep, input: &Input<'_>) -> bool {
    let (RestoreDo::Mark { id, owner } | RestoreDo::Remove { id, owner }) = &step.action else { return true };
    if let (RestoreDo::Remove { .. }, Some(spec)) = (&step.action, input.environment.backups.get(key))
        && leftover::owned(key, &(spec.scope.clone(), step.to.clone()), input).as_ref() == Some(id)
    {
        return owner == key;
    }
    let restore = input.memory.objects.backups.get(key).and_then(|memory| memory.restores.get(&step.to));
    let made = restore.filter(|restore| restore.is_test()).and_then(|restore| restore.made.as_ref());
    owner == key && made == Some(id) && step.to.as_str().starts_with(TEST_PREFIX)
}

/// Only a table that a restore in place was asked for is taken away: the incarnation that is remembered.
fn is_asked_for(key: &Key, step: &RestoreStep, input: &Input<'_>) -> bool {
    let (RestoreDo::Unprotect { id } | RestoreDo::Clear { id }) = &step.action else { return true };
    let memory = input.memory.objects.backups.get(key);
    let restore = memory.and_then(|memory| memory.restores.get(&step.to));
    let open = restore.filter(|restore| restore.is_in_place() && restore.is_open() && restore.begun.is_none());
    open.and_then(|restore| restore.replaced.as_ref()).is_some_and(|replaced| replaced.id == *id)
}

/// It is in this policy's own place; and it goes only with a point that no listing shows.
fn is_own(key: &Key, one: &KeepSettings, input: &Input<'_>) -> bool {
    let place = format!("landfast/settings/{}/{}/{}/", key.environment, key.name, one.table);
    let seen = &input.observation.backups;
    let mut listed = seen.points.values().chain(seen.vaults.values()).filter_map(Seen::present);
    let stands = listed.any(|listed| listed.points.iter().any(|point| point.id == one.point));
    one.key.starts_with(&place) && one.settings.is_some() == stands
}

/// Judged by what was listed alone: it is this policy's, old enough, and there is one of its table that is newer.
fn may_go(going: &ExpirePoint, spec: Option<&std::sync::Arc<BackupSpec>>, input: &Input<'_>) -> bool {
    let Some((spec, retention)) = spec.and_then(|spec| Some((spec, spec.retention?))) else { return false };
    let seen = &input.observation.backups;
    let scope = crate::model::Scope { region: going.region.clone(), ..spec.scope.clone() };
    let listed = seen.points.iter().filter(|(place, _)| **place == scope).map(|(_, listed)| listed);
    let kept = seen.vaults.iter().filter(|((place, _), _)| *place == scope).map(|(_, listed)| listed);
    let all: Vec<&RecoveryPoint> =
        listed.chain(kept).filter_map(Seen::present).flat_map(|listed| &listed.points).collect();
    let memory = input.memory.objects.backups.get(&spec.key);
    let known = memory.and_then(|memory| memory.tables.get(&going.table));
    let ours = |point: &RecoveryPoint| match points::said(point) {
        Some((owner, ..)) => owner == spec.key.to_string(),
        None => known.is_some_and(|known| known.points.contains_key(&point.id)),
    };
    let Some(point) = all.iter().find(|point| point.id == going.point) else { return false };
    let min_age = SignedDuration::try_from(retention.min_age).unwrap_or(SignedDuration::MAX);
    let old = |than: jiff::Timestamp| than.duration_since(point.created) >= min_age || sabotage::is(Bug::ExpiresYoung);
    let newer = all.iter().any(|other| {
        let after = other.created > point.created && old(other.created);
        other.table == point.table && after && other.is_available() && ours(other)
    });
    ours(point) && point.table == going.table && newer && old(input.now)
}

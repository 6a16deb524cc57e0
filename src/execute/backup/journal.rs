//! What each step of a backup policy changes in memory: before the calls, and after them.

use jiff::{SignedDuration, Timestamp};

use super::{Answer, Part, Trouble};
use crate::model::{
    Attempts, BackupDo, BackupMemory, BackupNote, Do, Failure, Noted, PendingBackup, PendingCopy, PointId, PointMemory,
    Step, TableMemory, Taken, Tried,
};
use crate::ports::{Class, PortError};

/// Expiries of so long are remembered: their bound is by the hour.
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// For people: which tables.
pub(super) fn detail(action: &Do) -> String {
    let Do::Backup(step) = action else { return String::new() };
    if let BackupDo::Restore(list) = &step.action {
        return list.iter().map(super::restore::told).collect::<Vec<_>>().join(", ");
    }
    let tables: Vec<&str> = step.action.tables().into_iter().map(crate::model::TableName::as_str).collect();
    tables.join(", ")
}

/// Written before the calls.
pub(super) fn before(memory: &mut BackupMemory, step: &Step, action: &BackupDo, now: Timestamp) {
    memory.depends_on.clone_from(&step.depends_on);
    match action {
        BackupDo::Make(list) => {
            for one in list {
                if let (Some(name), Some(settings)) = (&one.profile, &one.settings) {
                    memory.profiles.insert(name.clone(), (**settings).clone());
                }
                let pending = PendingBackup {
                    slot: one.slot,
                    name: one.way.name().to_owned(),
                    started: now,
                    job: None,
                    profile: one.profile.clone(),
                    items: one.items,
                };
                memory.tables.entry(one.table.clone()).or_default().pending = Some(pending);
            }
        }
        BackupDo::Restore(list) => super::restore::before(memory, list, now),
        BackupDo::Copy(list) => {
            for one in list {
                let Some(point) = point_of(memory, one) else { continue };
                let copy = PendingCopy { token: one.token.clone(), started: now, job: None };
                point.copying.insert(one.region.clone(), copy);
            }
        }
        BackupDo::Expire(list) => {
            memory.expired.retain(|at| now.duration_since(*at).abs() < HOUR);
            memory.expired.extend(list.iter().map(|_| now));
        }
        BackupDo::Recover(_) | BackupDo::Protect(_) | BackupDo::Keep(_) | BackupDo::Note(_) => {}
    }
}

fn point_of<'m>(memory: &'m mut BackupMemory, one: &crate::model::CopyPoint) -> Option<&'m mut PointMemory> {
    memory.tables.get_mut(&one.table)?.points.get_mut(&one.point)
}

/// Written after the calls: of each table what came of its own.
pub(super) fn after(memory: &mut BackupMemory, action: &BackupDo, parts: &[Part], now: Timestamp) {
    if let BackupDo::Restore(list) = action {
        for (step, part) in list.iter().zip(parts) {
            super::restore::after(memory, step, part, now);
        }
        return;
    }
    for part in parts {
        let table = memory.tables.entry(part.table.clone()).or_default();
        match &part.answer {
            Ok(answer) => {
                table.attempts.remove(&part.tried.label);
                if matches!(action, BackupDo::Recover(_) | BackupDo::Protect(_)) {
                    let tried = &part.tried;
                    let taken = Taken::counted(table.taken.get(&tried.label), tried.inputs.clone(), now);
                    table.taken.insert(tried.label.clone(), taken);
                }
                done(table, action, part, answer, now);
            }
            Err(Trouble::Moved(_) | Trouble::Forbidden(_)) => unbegun(table, action, part),
            Err(Trouble::Failed(error)) => {
                // What is ambiguous stays pending: the next look finds out.
                if !matches!(error.class, Class::Transient | Class::Conflict) {
                    unbegun(table, action, part);
                }
                refused(table, part, error, now);
            }
        }
    }
    memory.tables.retain(|_, table| *table != TableMemory::default());
}

fn done(table: &mut TableMemory, action: &BackupDo, part: &Part, answer: &Answer, now: Timestamp) {
    match (action, answer) {
        (BackupDo::Make(list), Answer::Made(point)) => {
            let Some(one) = list.iter().find(|one| one.table == part.table) else { return };
            table.pending = None;
            table.points.insert(point.id.clone(), known(one.slot, point.created, (one.profile.clone(), None), now));
        }
        (BackupDo::Make(_), Answer::Begun(job)) => {
            if let Some(pending) = &mut table.pending {
                pending.job = Some(job.clone());
            }
        }
        (BackupDo::Copy(list), Answer::Begun(job)) => {
            let one = list.iter().find(|one| Tried::copy(&one.point, &one.region) == part.tried);
            let Some(one) = one else { return };
            let copying = table.points.get_mut(&one.point).and_then(|point| point.copying.get_mut(&one.region));
            if let Some(copying) = copying {
                copying.job = Some(job.clone());
            }
        }
        (BackupDo::Keep(list), _) => {
            let Some(one) = list.iter().find(|one| Tried::keeping(one) == part.tried) else { return };
            let Some(point) = table.points.get_mut(&one.point) else { return };
            point.kept = one.settings.as_ref().map(|_| one.bucket.clone());
            if one.settings.is_none() {
                point.profile = None;
            }
        }
        (BackupDo::Expire(list), _) => {
            let one = list.iter().find(|one| Tried::expiry(&one.point) == part.tried);
            let Some(one) = one else { return };
            let known = table
                .points
                .entry(one.point.clone())
                .or_insert_with(|| known(one.slot, one.slot, (one.profile.clone(), None), now));
            known.deleted = Some(now);
        }
        _ => {}
    }
}

/// What a point says of its table: which settings are kept with it, and how many items it had.
type Said = (Option<String>, Option<u64>);

pub(super) fn known(slot: Timestamp, created: Timestamp, (profile, items): Said, now: Timestamp) -> PointMemory {
    let copying = std::collections::BTreeMap::new();
    PointMemory { slot, created, noted: now, profile, items, kept: None, verified: None, deleted: None, copying }
}

/// Nothing was sent, or it took no effect.
fn unbegun(table: &mut TableMemory, action: &BackupDo, part: &Part) {
    match action {
        BackupDo::Make(_) => table.pending = None,
        BackupDo::Copy(list) => {
            let one = list.iter().find(|one| Tried::copy(&one.point, &one.region) == part.tried);
            if let Some(one) = one
                && let Some(point) = table.points.get_mut(&one.point)
            {
                point.copying.remove(&one.region);
            }
        }
        _ => {}
    }
}

/// What AWS refuses is counted; what it throttles is simply tried again.
pub(super) fn refused(table: &mut TableMemory, part: &Part, error: &PortError, now: Timestamp) {
    if !matches!(error.class, Class::Invalid | Class::Denied | Class::Limit | Class::NotFound | Class::Conflict) {
        return;
    }
    let failure = Failure {
        resource: part.table.to_string(),
        kind: "AWS::DynamoDB::Table".to_owned(),
        reason: error.to_string(),
        // Permissions, quotas and vaults may come without a change of the manifest, and what is busy will rest.
        transient: error.class != Class::Invalid,
    };
    count(table, &part.tried, failure, now);
}

fn count(table: &mut TableMemory, tried: &Tried, failure: Failure, now: Timestamp) {
    let earlier = table.attempts.get(&tried.label);
    let attempts = Attempts::counted(earlier, tried.inputs.clone(), failure, now);
    table.attempts.insert(tried.label.clone(), attempts);
}

/// Written by steps that change only what is remembered.
pub(super) fn note(memory: &mut BackupMemory, note: &BackupNote, now: Timestamp) {
    if let Noted::Restore(what) = &note.what {
        return super::restore::note(memory, &note.table, what, now);
    }
    let table = memory.tables.entry(note.table.clone()).or_default();
    match &note.what {
        Noted::Restore(_) => {}
        Noted::Made { point, slot, created, profile, items } => {
            table.pending = None;
            table.attempts.remove(&Tried::backup(*slot).label);
            learn(table, point, *slot, *created, (profile.clone(), *items), now);
        }
        Noted::Lost => table.pending = None,
        Noted::Failed(tried, failure) => {
            table.pending = None;
            count(table, tried, failure.clone(), now);
        }
        Noted::Known { point, slot, created, profile, items } => {
            learn(table, point, *slot, *created, (profile.clone(), *items), now);
        }
        Noted::Copied { point, region, failed } => {
            if let Some(point) = table.points.get_mut(point) {
                point.copying.remove(region);
            }
            if let Some((tried, failure)) = failed {
                count(table, tried, failure.clone(), now);
            }
        }
        Noted::Gone(points) => {
            for point in points {
                table.points.remove(point);
                table.attempts.remove(&Tried::expiry(point).label);
                table.attempts.remove(&Tried::keeping_label(point));
            }
        }
        Noted::Left => *table = TableMemory::default(),
    }
    forget_profiles(memory);
    memory.tables.retain(|_, table| *table != TableMemory::default());
}

fn learn(table: &mut TableMemory, point: &PointId, slot: Timestamp, created: Timestamp, said: Said, now: Timestamp) {
    table.points.entry(point.clone()).or_insert_with(|| known(slot, created, said, now));
}

/// Settings are kept for as long as a point is, or is being made, that names them.
fn forget_profiles(memory: &mut BackupMemory) {
    let BackupMemory { tables, profiles, .. } = memory;
    let named = |name: &String| {
        tables.values().any(|table| {
            let pending = table.pending.as_ref().and_then(|pending| pending.profile.as_ref());
            pending == Some(name) || table.points.values().any(|point| point.profile.as_ref() == Some(name))
        })
    };
    profiles.retain(|name, _| named(name));
}

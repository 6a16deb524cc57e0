//! What follows from what a person asks: decided from what is desired and remembered, wherever the request came from.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    Decision, Declined, Environment, FailoverRole, Freeze, Granted, ImageDigest, Kind, Memory, Mode, Objects, Pin,
    PointId, Request, Restore, RestoreFrom, RestoreWhy, Routing, SecretSource, ServiceMemory, TableName, TrafficOrder,
    Wish, digests,
};

/// A request that nobody took for so long is not carried out any more: whoever made it has helped himself since.
const EXPIRES: SignedDuration = SignedDuration::from_hours(24);

/// Decides on a request.
///
/// # Errors
/// It cannot be granted, or is too old.
pub fn grant(
    request: &Request,
    environment: &Environment,
    memory: &Memory,
    now: Timestamp,
) -> Result<Granted, Declined> {
    let objects = &memory.objects;
    if now.duration_since(request.at) > EXPIRES {
        return Err(Declined::Expired(request.at));
    }
    environment.limits.may_approve(&request.by).map_err(Declined::NotApprover)?;
    let key = &request.key;
    match (&request.wish, key.kind) {
        (Wish::Rotate, Kind::Secret) => {
            let spec = environment.secrets.get(key).ok_or(Declined::NotDesired)?;
            match spec.source {
                SecretSource::Generated(_) => Ok(Granted::Rotate),
                SecretSource::Sealed(_) | SecretSource::External => Err(Declined::NotGenerated),
            }
        }
        (Wish::Restore { table, from, to }, Kind::BackupPolicy) => {
            environment.backups.get(key).ok_or(Declined::NotDesired)?;
            let to = to.clone().unwrap_or_else(|| restored_name(table, request.at));
            let known = objects.backups.get(key);
            // One that has ended holds no name: what it was asked for wrongly is asked for again.
            if known.and_then(|known| known.restores.get(&to)).is_some_and(Restore::is_open) {
                return Err(Declined::Restored(to));
            }
            let why = RestoreWhy::Asked { by: request.by.clone() };
            let restore = Restore::new(table.clone(), why, from.clone(), now);
            Ok(Granted::Restore(to, Box::new(restore)))
        }
        (Wish::RestoreInPlace { table, point }, Kind::BackupPolicy) => {
            environment.backups.get(key).ok_or(Declined::NotDesired)?;
            in_place(request, objects, (table, point.as_ref()), now)
        }
        (Wish::Verify { table }, Kind::BackupPolicy) => {
            environment.backups.get(key).ok_or(Declined::NotDesired)?;
            Ok(Granted::Verify(table.clone()))
        }
        (Wish::Rollback { to }, Kind::Service) => {
            let spec = environment.services.get(key).ok_or(Declined::NotDesired)?;
            let memory = remembered(request, objects);
            let images = release(&memory, to.as_deref())?;
            Ok(Granted::Pin(Pin { images, spec: spec.digest.clone(), by: request.by.clone(), at: now }))
        }
        (Wish::Release { image }, Kind::Service) => {
            environment.services.get(key).ok_or(Declined::NotDesired)?;
            quarantined(&remembered(request, objects), image).map(Granted::Release)
        }
        // Also of a stack that no manifest describes any more: nothing else would ever let go of it.
        (Wish::InStep, Kind::Stack) => {
            let skipped = objects.stacks.get(key).and_then(|memory| memory.skipped.as_deref());
            skipped.map(|skipped| Granted::InStep(skipped.resources.clone())).ok_or(Declined::NotOutOfStep)
        }
        (Wish::BackUp, Kind::BackupPolicy) => {
            environment.backups.get(key).ok_or(Declined::NotDesired)?;
            Ok(Granted::BackUp)
        }
        (Wish::Revert, Kind::Stack) => {
            let spec = environment.stacks.get(key).ok_or(Declined::NotDesired)?;
            let look = objects.stacks.get(key).and_then(|memory| memory.drift.seen.as_ref());
            let found = look.map(|look| super::drift::current(spec, look, now)).unwrap_or_default();
            match found.iter().filter(|finding| finding.is_drift()).count() {
                0 => Err(Declined::NoDrift),
                some => Ok(Granted::Revert(some)),
            }
        }
        (Wish::Send { to, region, because }, Kind::DnsRecord) => {
            let spec = environment.records.get(key).ok_or(Declined::NotDesired)?;
            let is_primary = matches!(spec.routing, Routing::Failover { role: FailoverRole::Primary, .. });
            if !is_primary || spec.health_check.is_none() {
                return Err(Declined::NotPrimary);
            }
            if environment.policy.mode == Mode::Observe {
                return Err(Declined::OnlyObserved);
            }
            let frozen = memory.freezes.iter().find(|freeze| freeze.is_active(now) && freeze.scope.includes(key));
            if let Some(Freeze { by, because, .. }) = frozen {
                return Err(Declined::Frozen { by: by.clone(), because: because.clone() });
            }
            if objects.records.get(key).is_none_or(|known| known.place.is_none()) {
                return Err(Declined::NoRecordSet);
            }
            let (region, because, by) = (region.clone(), because.clone(), request.by.clone());
            Ok(Granted::Send(Box::new(TrafficOrder { to: *to, region, by, because, at: now })))
        }
        (_, kind) => Err(Declined::Kind(kind.noun())),
    }
}

/// A restore in place. Asked for once more by the same request, it is the one that there is. What a failed one has deleted is
/// remembered by the next: nothing else knows what the table was like.
fn in_place(
    request: &Request,
    objects: &Objects,
    (table, point): (&TableName, Option<&PointId>),
    now: Timestamp,
) -> Result<Granted, Declined> {
    let known = objects.backups.get(&request.key).and_then(|known| known.restores.get(table));
    if let Some(same) = known.filter(|known| known.request() == Some(&request.id)) {
        return Ok(Granted::Restore(table.clone(), Box::new(same.clone())));
    }
    let mut policies = objects.backups.values();
    if policies.any(|memory| memory.restores.get(table).is_some_and(Restore::is_open)) {
        return Err(Declined::RestoredInPlace(table.clone()));
    }
    let why = RestoreWhy::InPlace { by: request.by.clone(), request: request.id.clone() };
    let from = point.map_or(RestoreFrom::NewestPoint, |point| RestoreFrom::Point(point.clone()));
    let mut restore = Restore::new(table.clone(), why, from, now);
    let deleted = known.and_then(|known| known.replaced.clone()).filter(|replaced| replaced.cleared.is_some());
    restore.replaced = deleted.filter(|_| known.is_some_and(|known| known.made.is_none()));
    Ok(Granted::Restore(table.clone(), Box::new(restore)))
}

/// The longest name of a table.
const TABLE_NAME_MAX: usize = 255;

/// What a restored table is called where nobody says it.
fn restored_name(table: &TableName, at: Timestamp) -> TableName {
    let tail = format!("-restored-{}", at.strftime("%Y%m%dT%H%M%SZ"));
    let head = table.as_str().get(..table.as_str().len().min(TABLE_NAME_MAX - tail.len())).unwrap_or_default();
    format!("{head}{tail}").parse().unwrap_or_else(|_| table.clone())
}

fn remembered(request: &Request, objects: &Objects) -> Arc<ServiceMemory> {
    objects.services.get(&request.key).cloned().unwrap_or_default()
}

/// The proven release that is meant.
fn release(memory: &ServiceMemory, to: Option<&str>) -> Result<BTreeMap<String, Decision>, Declined> {
    let current = digests(&memory.decisions);
    let meant = |images: &BTreeMap<String, Decision>| match to {
        None => digests(images) != current,
        Some(to) => images.values().any(|image| is(to, &image.digest, image.tag.as_deref())),
    };
    let found = memory.releases.iter().find(|release| meant(&release.images));
    found.map(|release| release.images.clone()).ok_or_else(|| {
        let names =
            |images: &BTreeMap<String, Decision>| images.values().map(Decision::name).collect::<Vec<_>>().join(", ");
        Declined::NoSuchImage(memory.releases.iter().map(|release| names(&release.images)).collect())
    })
}

/// The one image in quarantine that is meant.
fn quarantined(memory: &ServiceMemory, image: &str) -> Result<ImageDigest, Declined> {
    let mut found = memory.quarantine.iter().filter(|(digest, bad)| is(image, digest, bad.tag.as_deref()));
    if let (Some((digest, _)), None) = (found.next(), found.next()) {
        return Ok(digest.clone());
    }
    let known = memory.quarantine.iter();
    let known = known.map(|(digest, bad)| bad.tag.clone().unwrap_or_else(|| digest.to_string()));
    Err(Declined::NoSuchImage(known.collect()))
}

fn is(named: &str, digest: &ImageDigest, tag: Option<&str>) -> bool {
    tag == Some(named) || (!named.is_empty() && digest.as_str().starts_with(named))
}

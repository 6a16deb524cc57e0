//! The recovery points that a table has by this policy: as listed, and as remembered where a listing lags behind.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    BackupSpec, OWNER_TAG, PROFILE_TAG, PointId, PointKeeper, PointName, PointStatus, PointsListed, RecoveryPoint,
    SLOT_TAG, TableMemory, TableName,
};

/// How far a listing may be behind what was answered.
pub(super) const LAG: SignedDuration = SignedDuration::from_mins(10);

/// One of less than this is too small to be judged by its size.
const JUDGED: u64 = 1 << 20;

/// A recovery point of this policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) id: PointId,
    pub(super) keeper: PointKeeper,
    pub(super) slot: Timestamp,
    pub(super) created: Timestamp,
    pub(super) status: PointStatus,
    pub(super) bytes: Option<u64>,
    pub(super) profile: Option<String>,
    pub(super) items: Option<u64>,
    pub(super) name: Option<String>,
    pub(super) verified: bool,
    /// It is listed, and not only remembered.
    pub(super) listed: bool,
}

impl Point {
    pub(super) fn is_available(&self) -> bool {
        self.status == PointStatus::Available
    }

    /// It is there, or is being made.
    pub(super) fn stands(&self) -> bool {
        matches!(self.status, PointStatus::Available | PointStatus::Creating | PointStatus::Unclear)
    }
}

/// Whose a point is, for when it was made and which settings are kept with it, where it says so.
pub(super) fn said(point: &RecoveryPoint) -> Option<(String, Timestamp, Option<String>)> {
    if let Some(tags) = &point.tags {
        let slot = tags.get(SLOT_TAG).and_then(|slot| PointName::slot_of(slot))?;
        return Some((tags.get(OWNER_TAG)?.clone(), slot, tags.get(PROFILE_TAG).cloned()));
    }
    let name: PointName = point.name.as_deref()?.parse().ok()?;
    Some((name.key().to_string(), name.slot, name.profile))
}

/// The points of a table in one place, oldest first: those of the listing, without those that we had deleted, and those
/// that were made since.
pub(super) fn of_table(
    spec: &BackupSpec,
    table: &TableName,
    memory: &TableMemory,
    listings: &[&PointsListed],
    is_here: &dyn Fn(&PointId) -> bool,
) -> Vec<Point> {
    let owner = spec.key.to_string();
    let mut found: BTreeMap<PointId, Point> = BTreeMap::new();
    for listing in listings {
        for point in listing.points.iter().filter(|point| point.table == *table) {
            let known = memory.points.get(&point.id);
            let said = said(point).or_else(|| known.map(|known| (owner.clone(), known.slot, known.profile.clone())));
            let Some((whose, slot, profile)) = said else { continue };
            let deleted = known.and_then(|known| known.deleted);
            let gone = deleted.is_some_and(|at| listing.at.duration_since(at) < LAG)
                || matches!(point.status, PointStatus::Deleted);
            if whose != owner || gone {
                continue;
            }
            let verified = known.is_some_and(|known| known.verified.is_some());
            found.insert(
                point.id.clone(),
                Point {
                    id: point.id.clone(),
                    keeper: point.keeper.clone(),
                    slot,
                    created: point.created,
                    status: point.status,
                    bytes: point.bytes,
                    profile,
                    items: point.items,
                    name: point.name.clone(),
                    verified,
                    listed: true,
                },
            );
        }
    }
    let oldest = listings.iter().map(|listing| listing.at).min();
    for (id, known) in memory.points.iter().filter(|(id, known)| known.deleted.is_none() && is_here(id)) {
        let fresh = oldest.is_none_or(|listed| listed.duration_since(known.noted) < LAG);
        if !fresh || found.contains_key(id) {
            continue;
        }
        let keeper = match (&spec.vault, id.is_on_demand()) {
            (Some(vault), false) => PointKeeper::Vault(vault.name.clone()),
            _ => PointKeeper::Table,
        };
        found.insert(
            id.clone(),
            Point {
                id: id.clone(),
                keeper,
                slot: known.slot,
                created: known.created,
                status: PointStatus::Available,
                bytes: None,
                profile: known.profile.clone(),
                items: known.items,
                name: None,
                verified: known.verified.is_some(),
                listed: false,
            },
        );
    }
    let mut points: Vec<Point> = found.into_values().collect();
    points.sort_by(|one, other| (one.created, &one.id).cmp(&(other.created, &other.id)));
    points
}

/// Which of these points, oldest first, are plausible: not less than half of the one before. A table that has lost half
/// of its data since yesterday has lost it in its backup too; that is said once, and the next one is compared with this.
pub(super) fn plausible(points: &[Point]) -> Vec<bool> {
    let mut before: Option<u64> = None;
    let judge = |point: &Point| {
        let good = match (before, point.bytes) {
            (Some(before), Some(bytes)) => before < JUDGED || bytes.saturating_mul(2) >= before,
            _ => true,
        };
        if point.is_available() {
            before = point.bytes.or(before);
        }
        good
    };
    points.iter().map(judge).collect()
}

//! What was seen of zones and record sets, or what has to be looked at first.

use super::{Blocked, Deciding};
use crate::model::{Claim, HostedZone, RecordNeed, RecordPlace, RecordSet, RecordsOf, Scope, Seen, ZoneId};
use crate::plan::planner::Planner;

impl Deciding<'_> {
    /// The zones that the manifest may mean.
    pub(super) fn zones(&self, asked: &str) -> Result<&[HostedZone], Blocked> {
        let scope = &self.spec.scope;
        match self.planner.input.observation.records.zones.get(&(scope.clone(), asked.to_owned())) {
            Some(Seen::Present(zones)) => Ok(zones),
            Some(Seen::Absent) => Ok(&[]),
            Some(Seen::Unknown(why)) => Err(Blocked::Unknown(format!("hosted zone {asked} could not be read: {why}"))),
            None => {
                self.planner.need(RecordNeed::Zones(scope.clone(), asked.to_owned()));
                Err(Blocked::Unknown(format!("hosted zone {asked} has not been read yet")))
            }
        }
    }
}

/// All record sets of a name and type.
pub(super) fn sets<'a>(
    planner: &Planner<'a>,
    scope: &Scope,
    zone: &ZoneId,
    of: &RecordsOf,
) -> Result<&'a [RecordSet], Blocked> {
    let RecordsOf { name, kind } = of;
    match planner.input.observation.records.sets.get(&(scope.clone(), zone.clone(), of.clone())) {
        Some(Seen::Present(sets)) => Ok(sets),
        Some(Seen::Absent) => Ok(&[]),
        Some(Seen::Unknown(why)) => Err(Blocked::Unknown(format!("{kind} {name} could not be read: {why}"))),
        None => {
            planner.need(RecordNeed::Sets(scope.clone(), zone.clone(), of.clone()));
            Err(Blocked::Unknown(format!("{kind} {name} has not been read yet")))
        }
    }
}

/// Who else keeps the record sets of this name, if anybody says so.
pub(super) fn claim<'a>(planner: &Planner<'a>, place: &RecordPlace) -> Result<Option<&'a Claim>, Blocked> {
    let (scope, zone) = (&place.scope, &place.zone);
    match planner.input.observation.records.claims.get(&(scope.clone(), zone.clone())) {
        Some(Seen::Present(claims)) => Ok(claims.get(&place.of.name)),
        Some(Seen::Absent) => Ok(None),
        Some(Seen::Unknown(why)) => {
            Err(Blocked::Unknown(format!("the owner records of {zone} could not be read: {why}")))
        }
        None => {
            planner.need(RecordNeed::Claims(scope.clone(), zone.clone()));
            Err(Blocked::Unknown(format!("the owner records of {zone} have not been read yet")))
        }
    }
}

/// The record set at a place, if there is one.
pub(super) fn set<'a>(planner: &Planner<'a>, place: &RecordPlace) -> Result<Option<&'a RecordSet>, Blocked> {
    let all = sets(planner, &place.scope, &place.zone, &place.of)?;
    Ok(all.iter().find(|set| set.set == place.set))
}

/// The record set of a name and type that has no set identifier, if there is one.
pub(super) fn one<'a>(
    planner: &Planner<'a>,
    scope: &Scope,
    zone: &ZoneId,
    of: &RecordsOf,
) -> Result<Option<&'a RecordSet>, Blocked> {
    Ok(sets(planner, scope, zone, of)?.first())
}

//! A record whose manifest names another record set than it did.
//!
//! The new one is made first and followed until it is everywhere; only then does the old one go, by the rules of a deletion.
//! Where Route 53 does not take both beside each other (a CNAME and another type, two routing rules), they change places
//! in one batch.

use super::leaving::Leaving;
use super::names::marker_of;
use super::{Blocked, Deciding, Wanted, is_ours, seen};
use crate::model::{Action, DeletionPolicy, Difference, Entry, RecordDo, RecordPlace, RecordSet, RecordType};

/// A record set of this object that has to go for the wanted one to come.
pub(super) struct InTheWay<'a> {
    pub(super) place: &'a RecordPlace,
    pub(super) set: &'a RecordSet,
    pub(super) marker: &'a RecordSet,
}

impl<'a> Deciding<'a> {
    /// Every other place where this object's record set was made.
    fn former(&self, wanted: &Wanted) -> impl Iterator<Item = &'a RecordPlace> {
        let place = wanted.place.clone();
        self.memory.place.iter().chain(&self.memory.former).filter(move |one| **one != place)
    }

    /// What of this object's own cannot stay beside what is wanted.
    pub(super) fn in_the_way(&self, wanted: &Wanted) -> Result<Option<InTheWay<'a>>, Blocked> {
        let here = |place: &&RecordPlace| {
            (&place.scope, &place.zone, &place.of.name)
                == (&wanted.place.scope, &wanted.place.zone, &wanted.place.of.name)
        };
        for place in self.former(wanted).filter(here) {
            let Some(set) = seen::set(self.planner, place)? else { continue };
            let cname =
                [&place.of.kind, &wanted.place.of.kind].into_iter().any(|kind| kind == RecordType::Cname.as_str());
            let rules = std::mem::discriminant(&set.routing) != std::mem::discriminant(&wanted.set.routing);
            let beside = if place.of.kind == wanted.place.of.kind { !rules } else { !cname };
            let marker = seen::one(self.planner, &place.scope, &place.zone, &marker_of(place))?;
            if let Some(marker) = marker.filter(|marker| !beside && is_ours(marker, &self.spec.key)) {
                return Ok(Some(InTheWay { place, set, marker }));
            }
        }
        Ok(None)
    }

    /// The record set is as desired: what is remembered of it is brought up to date, and what was made before it goes.
    pub(super) fn tidy(&self, entry: &mut Entry, wanted: &Wanted) -> Result<(), Blocked> {
        let retain = self.spec.deletion_policy == DeletionPolicy::Retain;
        let memory = self.memory;
        let known = memory.place.as_ref() == Some(&wanted.place) && !memory.former.contains(&wanted.place);
        if !known || memory.retain != retain || memory.depends_on != self.spec.depends_on {
            entry.step = Some(self.step(wanted, RecordDo::Remember { retain }));
            return Ok(());
        }
        let Some(place) = memory.former.first() else { return Ok(()) };
        let leaving = Leaving { planner: self.planner, key: &self.spec.key, memory, place };
        let (set, marker) = leaving.seen()?;
        if retain || marker.is_none() {
            // It stays, or there is nothing left of it that is ours.
            let mut step = super::step(self.planner, &self.spec.key, &entry.depends_on, place, RecordDo::Forget);
            step.address = entry.address.clone();
            entry.step = Some(step);
            return Ok(());
        }
        entry.action = Action::Update;
        let (from, to) = (Some(place.to_string()), Some(wanted.place.to_string()));
        entry.differences.push(Difference::Value { name: "record set".to_owned(), from, to });
        leaving.permission(entry);
        if entry.refused.is_empty() && entry.waiting.is_empty() {
            leaving.delete(entry, set, marker);
        }
        if let Some(step) = &mut entry.step {
            step.address = entry.address.clone();
        }
        Ok(())
    }
}

//! What is at a name, or above it, that a new record set cannot be beside: Route 53 would refuse it, or nobody would see it.
//!
//! Asked only before a record set is made: what is there already is there.

use std::collections::BTreeSet;

use super::{Blocked, Deciding, Wanted, seen};
use crate::model::{DnsName, Guard, RecordType, RecordsOf};

/// The types that a name usually has. AWS: *`ChangeResourceRecordSets`*, a CNAME is refused beside any other.
const USUAL: [&str; 4] = ["A", "AAAA", "MX", "TXT"];

impl Deciding<'_> {
    /// Refuses where a record set of another type is in the way (`goes`: one that goes in the same batch), and where an NS
    /// record set gives the name to other name servers (RFC 1034, 4.2.1).
    pub(super) fn is_free(&self, wanted: &Wanted, goes: Option<&RecordsOf>) -> Result<(), Blocked> {
        let place = &wanted.place;
        let zone = self.zone(&place.of.name)?;
        let of = |name: &DnsName, kind: &str| RecordsOf { name: name.clone(), kind: kind.to_owned() };
        let cname = place.of.kind == RecordType::Cname.as_str();
        let others: &[&str] = if cname { &USUAL } else { &["CNAME"] };
        let beside = others.iter().map(|kind| of(&place.of.name, kind));
        let inside = |name: &DnsName| *name != zone.name && name.is_within(&zone.name);
        let names = std::iter::successors(Some(place.of.name.clone()), DnsName::above).take_while(inside);
        let asked: BTreeSet<RecordsOf> = beside.chain(names.map(|name| of(&name, "NS"))).collect();
        let there = asked.iter().filter(|of| Some(*of) != goes).map(|of| {
            let sets = seen::sets(self.planner, &place.scope, &place.zone, of);
            sets.map(|sets| (!sets.is_empty()).then_some(of))
        });
        // All of them are asked for before one is missed.
        let there: Vec<Result<Option<&RecordsOf>, Blocked>> = there.collect();
        let there: Vec<&RecordsOf> = there.into_iter().filter_map(Result::transpose).collect::<Result<_, _>>()?;
        if let Some(ns) = there.iter().find(|of| of.kind == "NS") {
            let reason = format!(
                "{} is delegated to other name servers (NS record {}), so a record in zone {} would never be used",
                place.of.name, ns.name, zone.name
            );
            return Err(Blocked::refused(Guard::Zone, reason, "set `zone` to the hosted zone of the delegated domain"));
        }
        if let Some(other) = there.first() {
            let reason = format!(
                "{} already has a record of type {}; DNS does not allow a CNAME beside another record",
                other.name, other.kind
            );
            return Err(Blocked::refused(Guard::Zone, reason, "choose another name, or remove the other record set"));
        }
        Ok(())
    }
}

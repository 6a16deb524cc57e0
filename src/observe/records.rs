//! What is read of DNS records.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::iter;

use super::Observer;
use crate::model::{
    Claims, DnsName, HostedZone, Observation, RecordNeed, RecordSet, RecordsOf, Scope, Seen, ZoneId, claims,
};
use crate::ports::{PAGES_MAX, PortError, Priority, Records, RecordsFrom, endless};

/// Reads at the same time: Route 53 takes five calls a second.
const AT_ONCE: usize = 5;

/// Record sets on a page (AWS: *`ListResourceRecordSets`*, `MaxItems`).
const PAGE: u64 = 300;

/// Record sets of one zone that are asked for.
type Asked = BTreeSet<RecordsOf>;

impl Observer<'_> {
    /// Reads what the planner needs to know of DNS records, and adds it to the observation.
    pub(super) async fn answer_records(&self, observation: &mut Observation, needs: BTreeSet<RecordNeed>) {
        let (mut zones, mut sets, mut changes) = (Vec::new(), BTreeMap::<(Scope, ZoneId), Asked>::new(), Vec::new());
        let mut claimed = Vec::new();
        for need in needs {
            match need {
                RecordNeed::Zones(scope, asked) => zones.push((scope, asked)),
                RecordNeed::Sets(scope, zone, of) => {
                    sets.entry((scope, zone)).or_default().insert(of);
                }
                RecordNeed::Claims(scope, zone) => claimed.push((scope, zone)),
                RecordNeed::Change(scope, change) => changes.push((scope, change)),
            }
        }
        let mut zones = iter(zones).map(|place| self.zones(place)).buffered(AT_ONCE);
        while let Some((place, seen)) = zones.next().await {
            observation.records.zones.insert(place, seen);
        }
        for ((scope, zone), asked) in sets {
            let seen = self.sets(observation, &scope, &zone, asked).await;
            let seen = seen.into_iter().map(|(of, seen)| ((scope.clone(), zone.clone(), of), seen));
            observation.records.sets.extend(seen);
        }
        for (scope, zone) in claimed {
            let seen = self.claims(&scope, &zone).await;
            observation.records.claims.insert((scope, zone), seen);
        }
        let mut changes = iter(changes)
            .map(async |(scope, change)| {
                let port = self.records(&scope);
                let seen = self.within(port.is_in_sync(&change)).await;
                ((scope, change), seen)
            })
            .buffered(AT_ONCE);
        while let Some((place, seen)) = changes.next().await {
            observation.records.changes.insert(place, seen);
        }
    }

    fn records(&self, scope: &Scope) -> Arc<dyn Records> {
        self.governor.records(scope, self.role(scope), Priority::Status)
    }

    async fn zones(&self, (scope, asked): (Scope, String)) -> ((Scope, String), Seen<Vec<HostedZone>>) {
        let port = self.records(&scope);
        let seen = self.within(read_zones(&*port, &asked)).await;
        ((scope, asked), seen)
    }

    /// What the whole zone says of who else keeps its record sets: their marks may have any name.
    async fn claims(&self, scope: &Scope, zone: &ZoneId) -> Seen<Claims> {
        let port = self.records(scope);
        self.within(async { read_sets(&*port, zone, None).await.map(|sets| Some(claims(&sets))) }).await
    }

    /// Record sets of one zone: one by one, or all of the zone where that takes fewer calls.
    async fn sets(
        &self,
        observation: &Observation,
        scope: &Scope,
        zone: &ZoneId,
        asked: Asked,
    ) -> BTreeMap<RecordsOf, Seen<Vec<RecordSet>>> {
        let port = self.records(scope);
        let known = observation.records.zones.values().filter_map(Seen::present).flatten();
        let size = known.into_iter().find(|known| known.id == *zone).map(|known| known.records);
        let pages = size.map(|size| size.div_ceil(PAGE).max(1));
        if pages.is_some_and(|pages| pages <= asked.len() as u64) {
            let all = self.within(async { read_sets(&*port, zone, None).await.map(Some) }).await;
            let of = |of: RecordsOf| {
                let seen = match &all {
                    Seen::Present(all) => some(all.iter().filter(|set| set.of == of).cloned().collect()),
                    Seen::Absent => Seen::Absent,
                    Seen::Unknown(why) => Seen::Unknown(why.clone()),
                };
                (of, seen)
            };
            return asked.into_iter().map(of).collect();
        }
        let one = async |of: RecordsOf| {
            let seen = self.within(async { read_sets(&*port, zone, Some(&of)).await.map(Some) }).await;
            let seen = match seen {
                Seen::Present(sets) => some(sets),
                other => other,
            };
            (of, seen)
        };
        iter(asked).map(one).buffered(AT_ONCE).collect().await
    }
}

fn some(sets: Vec<RecordSet>) -> Seen<Vec<RecordSet>> {
    if sets.is_empty() { Seen::Absent } else { Seen::Present(sets) }
}

/// The zone of that id, or all zones at and below that domain; below none are all.
pub(super) async fn read_zones(port: &dyn Records, asked: &str) -> Result<Option<Vec<HostedZone>>, PortError> {
    if let Ok(id) = asked.parse::<ZoneId>() {
        return Ok(port.zone(&id).await?.map(|zone| vec![zone]));
    }
    let domain = DnsName::new(asked);
    let (mut found, mut next) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let page = port.zones(&domain, next).await?;
        // They are in an order in which those of a domain follow each other: the first other one ends them.
        let within = |zone: &HostedZone| domain.as_str().is_empty() || zone.name.is_within(&domain);
        let passed = page.items.iter().any(|zone| !within(zone));
        found.extend(page.items.into_iter().filter(within));
        next = page.next;
        if passed || next.is_none() {
            return Ok((!found.is_empty()).then_some(found));
        }
    }
    Err(endless("ListHostedZonesByName"))
}

/// The record sets of a name and type, or all of a zone.
pub(super) async fn read_sets(
    port: &dyn Records,
    zone: &ZoneId,
    of: Option<&RecordsOf>,
) -> Result<Vec<RecordSet>, PortError> {
    let mut next = of.map(|of| RecordsFrom { name: of.name.wire(), kind: Some(of.kind.clone()), set: None });
    let mut found = Vec::new();
    for _ in 0..PAGES_MAX {
        let page = port.record_sets(zone, next).await?;
        let wanted = |set: &RecordSet| of.is_none_or(|of| set.of == *of);
        let passed = page.items.iter().any(|set| !wanted(set));
        found.extend(page.items.into_iter().filter(wanted));
        next = page.next;
        if passed || next.is_none() {
            return Ok(found);
        }
    }
    Err(endless("ListResourceRecordSets"))
}

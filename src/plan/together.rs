//! Which steps of a plan are sent in one request: the changes to the records of one zone.
//!
//! Route 53 takes one batch at a time for each zone and five requests a second for an account, and a batch takes effect as a
//! whole. So records that change together are changed together.

use std::collections::BTreeMap;

use crate::model::{Do, RecordChange, RecordContent, RecordDo, RecordVerb, Scope, Step, ZoneId};

/// Resource records in one batch, where an `UPSERT` counts twice (AWS: *Route 53 quotas*, `ChangeResourceRecordSets`).
const RECORDS_MAX: usize = 1_000;

/// Characters of all values of one batch, counted in the same way (same page).
const CHARACTERS_MAX: usize = 32_000;

/// The steps of a plan in groups, each of which is one request. What cannot be sent with others is a group by itself.
#[must_use]
pub fn together(steps: impl IntoIterator<Item = Step>) -> Vec<Vec<Step>> {
    let mut groups: Vec<Vec<Step>> = Vec::new();
    // The group of a zone that is being filled, and how full it is.
    let mut open: BTreeMap<(Scope, ZoneId), (usize, Size)> = BTreeMap::new();
    for step in steps {
        let Some((zone, size)) = batch(&step) else {
            groups.push(vec![step]);
            continue;
        };
        let (at, filled) = open.get(&zone).copied().unwrap_or((usize::MAX, Size::default()));
        let after = filled.with(size);
        if let Some(group) = groups.get_mut(at).filter(|_| after.fits()) {
            group.push(step);
            open.insert(zone, (at, after));
        } else {
            open.insert(zone, (groups.len(), size));
            groups.push(vec![step]);
        }
    }
    groups
}

/// What counts against the limits of a batch.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    records: usize,
    characters: usize,
}

impl Size {
    fn with(self, more: Self) -> Self {
        Self {
            records: self.records.saturating_add(more.records),
            characters: self.characters.saturating_add(more.characters),
        }
    }

    fn fits(self) -> bool {
        self.records <= RECORDS_MAX && self.characters <= CHARACTERS_MAX
    }
}

/// The zone that a step sends a batch to, and how large that is.
fn batch(step: &Step) -> Option<((Scope, ZoneId), Size)> {
    let Do::Record(record) = &step.action else { return None };
    let RecordDo::Send(batch) = &record.action else { return None };
    let size = batch.changes.iter().map(size).fold(Size::default(), Size::with);
    Some(((record.place.scope.clone(), record.place.zone.clone()), size))
}

fn size(change: &RecordChange) -> Size {
    let times = if change.verb == RecordVerb::Upsert { 2 } else { 1 };
    let (records, characters) = match &change.set.content {
        RecordContent::Values { values, .. } => {
            (values.len(), values.iter().map(|value| value.chars().count()).sum::<usize>())
        }
        RecordContent::Alias { dns_name, .. } => (1, dns_name.chars().count()),
    };
    Size { records: records.saturating_mul(times), characters: characters.saturating_mul(times) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::{
        Address, Digest, DnsName, RecordBatch, RecordPlace, RecordSet, RecordStep, RecordsOf, SetRouting,
    };

    fn step(name: &str, zone: &str, verb: RecordVerb, values: &[String]) -> Step {
        let scope = Scope { account: "111122223333".parse().unwrap(), region: "us-east-1".parse().unwrap() };
        let of = RecordsOf { name: DnsName::new(name), kind: "A".to_owned() };
        let content = RecordContent::Values { values: values.to_vec(), ttl: 60 };
        let (routing, health_check) = (SetRouting::Simple, None);
        let set = RecordSet { of: of.clone(), set: None, content, routing, health_check };
        let batch = RecordBatch {
            verb: "create",
            set: None,
            marker: None,
            changes: vec![RecordChange { verb, set }],
            token: name.to_owned(),
            inputs: Digest::of("inputs"),
            removes: false,
            replaces: None,
            retain: false,
        };
        let place = RecordPlace { scope: scope.clone(), zone: zone.parse().unwrap(), of: of.clone(), set: None };
        Step {
            key: format!("dev/dnsrecord/{name}").parse().unwrap(),
            address: Address { scope, name: name.into() },
            revision: 1,
            cost: (0, 0, 0),
            takes_over: None,
            depends_on: BTreeSet::new(),
            action: Do::Record(RecordStep { place, marker: of, action: RecordDo::Send(Box::new(batch)) }),
        }
    }

    fn groups(steps: Vec<Step>) -> Vec<Vec<String>> {
        let names = |group: Vec<Step>| group.into_iter().map(|step| step.address.name.to_string()).collect();
        together(steps).into_iter().map(names).collect()
    }

    #[test]
    fn the_changes_of_one_zone_go_together_and_those_of_another_by_themselves() {
        let one = ["192.0.2.1".to_owned()];
        let create = |name, zone| step(name, zone, RecordVerb::Create, &one);
        let mut conclude = create("c", "Z1");
        if let Do::Record(record) = &mut conclude.action {
            record.action = RecordDo::Forget;
        }
        let steps = vec![create("a", "Z1"), create("b", "Z2"), conclude, create("d", "Z1")];
        assert_eq!(groups(steps), [vec!["a", "d"], vec!["b"], vec!["c"]]);
    }

    #[test]
    fn a_batch_stays_within_what_route_53_takes() {
        let many: Vec<String> = (0..400).map(|number| format!("192.0.2.{number}")).collect();
        let create = |name| step(name, "Z1", RecordVerb::Create, &many);
        assert_eq!(groups(vec![create("a"), create("b"), create("c")]), [vec!["a", "b"], vec!["c"]]);
        // Each of these counts twice.
        let upsert = |name| step(name, "Z1", RecordVerb::Upsert, &many);
        assert_eq!(groups(vec![upsert("a"), upsert("b")]), [vec!["a"], vec!["b"]]);
        let long = |name| step(name, "Z1", RecordVerb::Create, &["x".repeat(20_000)]);
        assert_eq!(groups(vec![long("a"), long("b")]), [vec!["a"], vec!["b"]]);
    }
}

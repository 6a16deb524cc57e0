//! The rules of DNS records (S1, S2), checked at every batch that is sent, against the truth.

use std::sync::Arc;

use async_trait::async_trait;
use landfast::model::{
    ChangeId, DnsName, HealthCheck, HostedZone, RecordChange, RecordContent, RecordSet, RecordVerb, ZoneId,
};
use landfast::ports::{Fence, Page, PageToken, PortError, RecordPage, Records, RecordsFrom};
use landfast::sim::Console;

use crate::spy::Life;

type Answer<T> = Result<T, PortError>;

pub(crate) struct Door {
    pub(crate) inner: Arc<dyn Records>,
    pub(crate) life: Arc<Life>,
    pub(crate) console: Console,
}

fn is_marker(set: &RecordSet) -> bool {
    set.of.kind == "TXT" && set.of.name.as_str().starts_with("_landfast-")
}

/// Whether a record says that this one is ours.
fn is_marked(set: &RecordSet, zone: &[RecordSet]) -> bool {
    let name = DnsName::new(&format!("_landfast-{}.{}", set.of.kind.to_lowercase(), set.of.name));
    zone.iter().any(|other| is_marker(other) && other.of.name == name)
}

impl Door {
    fn sends(&self, fence: Fence, zone: &ZoneId, changes: &[RecordChange]) {
        let truth = &self.life.truth;
        let before = self.console.record_sets(zone);
        let desired = truth.desired(fence.revision);
        let specs = || {
            let environments = desired.iter().flat_map(|desired| desired.environments.values());
            environments.flat_map(|environment| environment.records.values())
        };
        let wanted = |set: &RecordSet| {
            specs().any(|spec| DnsName::new(&spec.name.to_string()) == set.of.name && spec.kind.as_str() == set.of.kind)
        };
        for change in changes {
            let set = &change.set;
            if let RecordContent::Values { values, .. } = &set.content
                && values.is_empty()
            {
                truth.blame(format!("S10 unknown: {} is written without a value", set.of.name));
            }
            let there = before.iter().find(|other| other.of == set.of && other.set == set.set);
            let Some(there) = there.filter(|_| change.verb != RecordVerb::Create && !is_marker(set)) else { continue };
            if !is_marked(there, &before) && !specs().any(|spec| spec.adopt) {
                truth.blame(format!("S1 ownership: {} is not ours, and is changed ({:?})", set.of.name, change.verb));
            }
            let again =
                changes.iter().any(|other| other.verb != RecordVerb::Delete && other.set.of.name == set.of.name);
            if change.verb == RecordVerb::Delete && wanted(set) && !again {
                truth.blame(format!("S2 consent: {} is wanted, and is deleted", set.of.name));
            }
        }
    }
}

#[async_trait]
impl Records for Door {
    async fn zones(&self, from: &DnsName, page: Option<PageToken>) -> Answer<Page<HostedZone>> {
        self.inner.zones(from, page).await
    }
    async fn zone(&self, id: &ZoneId) -> Answer<Option<HostedZone>> {
        self.inner.zone(id).await
    }
    async fn record_sets(&self, zone: &ZoneId, from: Option<RecordsFrom>) -> Answer<RecordPage> {
        self.inner.record_sets(zone, from).await
    }
    async fn change(&self, fence: Fence, zone: &ZoneId, changes: &[RecordChange], comment: &str) -> Answer<ChangeId> {
        let _flight = self.life.depart("ChangeResourceRecordSets", &format!("zone/{zone}"));
        self.sends(fence, zone, changes);
        self.inner.change(fence, zone, changes, comment).await
    }
    async fn health_check(&self, id: &str) -> Answer<Option<HealthCheck>> {
        self.inner.health_check(id).await
    }
    async fn is_in_sync(&self, change: &ChangeId) -> Answer<Option<bool>> {
        self.inner.is_in_sync(change).await
    }
}

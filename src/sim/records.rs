//! `ports::Records`, simulated.

use async_trait::async_trait;

use super::cloud::SimDoor;
use crate::model::{ChangeId, DnsName, HealthCheck, HostedZone, RecordChange, ZoneId};
use crate::ports::{Fence, Page, PageToken, PortError, RecordPage, Records, RecordsFrom};

#[async_trait]
impl Records for SimDoor {
    async fn zones(&self, from: &DnsName, page: Option<PageToken>) -> Result<Page<HostedZone>, PortError> {
        self.read("ListHostedZonesByName", from.as_str(), |world, lens| {
            Ok(world.hosted_zones(self.account(), from, lens, page.as_ref()))
        })
        .await
    }

    async fn zone(&self, id: &ZoneId) -> Result<Option<HostedZone>, PortError> {
        self.read("GetHostedZone", id.as_str(), |world, _| Ok(world.hosted_zone(self.account(), id))).await
    }

    async fn record_sets(&self, zone: &ZoneId, from: Option<RecordsFrom>) -> Result<RecordPage, PortError> {
        self.read("ListResourceRecordSets", zone.as_str(), |world, lens| {
            world.record_sets(self.account(), zone, lens, from.as_ref())
        })
        .await
    }

    async fn change(
        &self,
        fence: Fence,
        zone: &ZoneId,
        changes: &[RecordChange],
        comment: &str,
    ) -> Result<ChangeId, PortError> {
        let send = |world: &mut super::world::World| world.change_record_sets(self.account(), zone, changes);
        self.write("ChangeResourceRecordSets", zone.as_str(), fence, Some(comment), send).await
    }

    async fn health_check(&self, id: &str) -> Result<Option<HealthCheck>, PortError> {
        self.read("GetHealthCheck", id, |world, _| Ok(world.health_check(self.account(), id))).await
    }

    async fn is_in_sync(&self, change: &ChangeId) -> Result<Option<bool>, PortError> {
        self.read("GetChange", change.as_str(), |world, _| Ok(world.change_in_sync(self.account(), change))).await
    }
}

//! `ports::Trail`, simulated: what the console did to resources, told some minutes later.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::cloud::SimDoor;
use super::ecs::page;
use super::tampered::Told;
use super::world::World;
use crate::model::Deed;
use crate::ports::{Page, PageToken, PortError, Trail};

/// "Within an average of about 5 minutes of an API call" (AWS: *Finding your CloudTrail log files*).
const DELIVERED: Duration = Duration::from_mins(5);

/// Events that are kept; older ones are dropped.
const KEPT: usize = 10_000;

/// Events on a page.
const PAGE: usize = 50;

impl World {
    /// Writes down what somebody at the console did to a resource.
    pub(super) fn tell(&mut self, region: usize, resource: &str, call: String) {
        self.announce_call(region, "resource", &call, &serde_json::json!({ "name": resource }));
        let id = super::spelling::uuid(&["event", &self.serial().to_string()]);
        let account = &self.data.regions[region].scope.account;
        let actor = format!("arn:aws:iam::{account}:user/console");
        let from = Some("203.0.113.7".to_owned());
        let deed = Deed { id, at: self.data.now, actor, from, call, reads: false };
        self.data.told.push(Told { region, resource: resource.to_owned(), deed });
        let old = self.data.told.len().saturating_sub(KEPT);
        self.data.told.drain(..old);
    }

    fn deeds(&self, region: usize, resource: &str, since: Timestamp) -> Vec<Deed> {
        let until = self.ago(DELIVERED.div_f64(self.config.speed.max(1e-6)));
        let told = self.data.told.iter().rev().filter(|told| told.region == region && told.resource == resource);
        told.map(|told| &told.deed).filter(|deed| deed.at >= since && deed.at <= until).cloned().collect()
    }
}

#[async_trait]
impl Trail for SimDoor {
    async fn deeds(&self, resource: &str, since: Timestamp, token: Option<PageToken>) -> Result<Page<Deed>, PortError> {
        const OPERATION: &str = "LookupEvents";
        self.read(OPERATION, resource, |world, lens| {
            page(OPERATION, &world.deeds(self.region, resource, since), PAGE, lens, token.as_ref())
        })
        .await
    }
}

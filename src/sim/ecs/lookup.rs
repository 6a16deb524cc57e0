//! Where the world keeps what ECS has.

use super::{Ecs, Service, arn, short};
use crate::model::{ClusterArn, ServiceArn};
use crate::ports::PortError;
use crate::sim::spelling;
use crate::sim::world::World;

impl World {
    pub(in crate::sim) fn ecs(&self, region: usize) -> &Ecs {
        &self.data.regions[region].ecs
    }

    pub(in crate::sim) fn ecs_mut(&mut self, region: usize) -> &mut Ecs {
        &mut self.data.regions[region].ecs
    }

    /// The service of that name or ARN in a cluster.
    pub(in crate::sim) fn service_arn(&self, region: usize, cluster: &str, service: &str) -> Option<ServiceArn> {
        let services = &self.ecs(region).services;
        let of_cluster = |found: &&Service| short(found.state.cluster.as_str()) == short(cluster);
        let named = |found: &&Service| found.state.name == service || found.state.arn.as_str() == service;
        services.values().filter(of_cluster).find(named).map(|found| found.state.arn.clone())
    }

    pub(in crate::sim) fn service(&self, region: usize, arn: &ServiceArn) -> Option<&Service> {
        self.ecs(region).services.get(arn)
    }

    pub(in crate::sim) fn service_mut(&mut self, region: usize, arn: &ServiceArn) -> Option<&mut Service> {
        self.ecs_mut(region).services.get_mut(arn)
    }

    pub(in crate::sim) fn cluster_arn(&self, region: usize, cluster: &str) -> Result<ClusterArn, PortError> {
        arn(&self.data.regions[region].scope, &format!("cluster/{}", short(cluster)))
    }

    /// Hexadecimal digits that were never given before.
    pub(in crate::sim) fn fresh_digits(&mut self, length: usize) -> String {
        let serial = self.serial().to_string();
        spelling::digits(&["ecs", &serial], length)
    }
}

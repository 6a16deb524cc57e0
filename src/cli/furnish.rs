//! What manifests take for granted, put into the simulated account: the hosted zones that their records are in, and
//! builds that have a first image ready for each of their repositories.
//!
//! On AWS somebody else brings both. Here nobody else is there, and a deployment would wait for them for ever.

use crate::model::{Desired, ImageSpec, Scope, Select, VersionRange, ZoneId};
use crate::ports::Cloud as _;
use crate::sim::SimCloud;

/// Furnishes the accounts of all environments. What is there stays as it is.
pub(super) fn furnish(simulation: &SimCloud, desired: &Desired) {
    for environment in desired.environments.values() {
        for scope in environment.scopes() {
            // An account and region that nobody has asked for is not there yet, and sends no heartbeat.
            drop(simulation.stacks(&scope, None));
        }
        for record in environment.records.values() {
            let named = record.zone.as_literal().filter(|zone| zone.parse::<ZoneId>().is_err());
            if let Some(zone) = named {
                // Every name makes an id; and without the zone, the record says that it is not there.
                _ = simulation.console(&record.scope).zone(zone);
            }
        }
        for service in environment.services.values() {
            for image in service.images.values() {
                build(simulation, &service.scope, image);
            }
        }
    }
}

fn build(simulation: &SimCloud, scope: &Scope, image: &ImageSpec) {
    let account = image.registry.clone().unwrap_or_else(|| scope.account.clone());
    let scope = Scope { account, region: scope.region.clone() };
    if let Some(tag) = first(&image.select) {
        simulation.console(&scope).build(&image.repository, &tag);
    }
}

/// The tag that a first build could have; `None` where that is anybody's guess.
fn first(select: &Select) -> Option<String> {
    match select {
        Select::Tag(tag) => Some(tag.clone()),
        Select::Semver(range) => VersionRange::parse(range).ok()?.example().map(|version| version.to_string()),
        Select::Digest(_) | Select::Newest { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_build_has_a_tag_that_the_manifest_asks_for() {
        let range = Select::Semver(">=1.4, <2".to_owned());
        assert_eq!(first(&range).as_deref(), Some("1.4.0"));
        assert_eq!(first(&Select::Tag("latest".to_owned())).as_deref(), Some("latest"));
    }
}

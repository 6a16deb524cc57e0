//! What manifests take for granted, put into the simulated account: the hosted zones that their records are in, and
//! builds that have a first image ready for each of their repositories.
//!
//! On AWS somebody else brings both. Here nobody else is there, and a deployment would wait for them for ever.

use semver::{Comparator, Prerelease, Version, VersionReq};

use crate::model::{Desired, ImageSpec, Scope, Select, ZoneId};
use crate::sim::SimCloud;

/// Furnishes the accounts of all environments. What is there stays as it is.
pub(super) fn furnish(simulation: &SimCloud, desired: &Desired) {
    for environment in desired.environments.values() {
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
        Select::Semver(range) => lowest(&VersionReq::parse(range).ok()?).map(|version| version.to_string()),
        Select::Digest(_) | Select::Newest { .. } => None,
    }
}

/// A version in a range, a release if there is one.
fn lowest(range: &VersionReq) -> Option<Version> {
    let bounds = range.comparators.iter().flat_map(|bound: &Comparator| {
        let (minor, patch) = (bound.minor.unwrap_or(0), bound.patch.unwrap_or(0));
        let at = Version::new(bound.major, minor, patch);
        let (next, major) = (Version::new(bound.major, minor, patch + 1), Version::new(bound.major + 1, 0, 0));
        [at.clone(), next, major, Version { pre: bound.pre.clone(), ..at }]
    });
    let bounds = bounds.chain([Version::new(1, 0, 0), Version::new(0, 1, 0)]);
    bounds
        .filter(|version| range.matches(version))
        .min_by_key(|version| (version.pre != Prerelease::EMPTY, version.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_build_has_a_tag_that_the_manifest_asks_for() {
        let of = |range: &str| first(&Select::Semver(range.to_owned()));
        for (range, tag) in [
            (">=1.0.0-0, <2", "1.0.0"),
            ("=1.4.2", "1.4.2"),
            (">1", "2.0.0"),
            ("<1", "0.1.0"),
            ("*", "0.1.0"),
            ("=1.0.0-rc.1", "1.0.0-rc.1"),
        ] {
            assert_eq!(of(range).as_deref(), Some(tag), "{range}");
        }
        assert_eq!(first(&Select::Tag("latest".to_owned())).as_deref(), Some("latest"));
    }
}

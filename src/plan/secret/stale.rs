//! What services do not have yet: versions that became current after their tasks were started.
//!
//! A secret remembers which services have to get which of its versions, and a service which of them its tasks have: what is
//! left of the one without the other is what a restart is for. Versions are named, and no time is compared with a time:
//! two rotations within a second are two versions.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    Entry, Key, Objects, ReplicaStatus, SecretMemory, SecretNeed, SecretSpec, Seen, ServiceMemory, VersionId, Waiting,
};
use crate::plan::planner::Planner;

/// Versions by secret.
pub(in crate::plan) type Versions = BTreeMap<Key, BTreeSet<VersionId>>;

/// So long after a version became current its restarts begin: replicas have then begun to follow, and a secret that was
/// rotated together with it is in the same restart.
const SETTLES: SignedDuration = SignedDuration::from_secs(10);

/// What a service is to be restarted for.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::plan) struct Stale {
    /// The versions that it does not have.
    pub(in crate::plan) versions: Versions,
    /// When the newest of them became current: tasks that were made since have it.
    pub(in crate::plan) since: Timestamp,
}

/// Versions that a service does not have, whether they are everywhere yet or not.
#[must_use]
pub fn restarts(objects: &Objects, service: &Key) -> BTreeMap<Key, BTreeSet<VersionId>> {
    let nothing = ServiceMemory::default();
    let memory = objects.services.get(service).map_or(&nothing, |memory| memory);
    let secrets = objects.secrets.iter().filter_map(|(key, secret)| {
        let wanted = secret.restarts.get(service)?;
        let has = memory.has.get(key);
        let missing: BTreeSet<VersionId> =
            wanted.iter().filter(|version| !has.is_some_and(|has| has.contains(*version))).cloned().collect();
        (!missing.is_empty()).then(|| (key.clone(), missing))
    });
    secrets.collect()
}

impl Planner<'_> {
    /// What a service is to be restarted for now. What is waited for is added to its entry.
    pub(in crate::plan) fn stale(&self, service: &Key, entry: &mut Entry) -> Option<Stale> {
        let now = self.input.now;
        let mut stale = Stale { versions: Versions::new(), since: Timestamp::MIN };
        let mut moving = None;
        for (key, versions) in restarts(&self.input.memory.objects, service) {
            let Some(memory) = self.input.memory.objects.secrets.get(&key) else { continue };
            match self.is_everywhere(&key, memory) {
                Reached::Everywhere => {
                    // Not remembered, it was long enough ago to have settled, and later than any task.
                    let settled = now.saturating_sub(SETTLES).unwrap_or(now);
                    stale.since = stale.since.max(memory.current_since.unwrap_or(settled));
                    stale.versions.insert(key, versions);
                }
                Reached::Soon(why) => moving = Some(why),
                // The others need not wait for what a person has to put right.
                Reached::Stuck(why) => entry.waiting.push(Waiting::Someone { what: why }),
            }
        }
        let settled = stale.since.saturating_add(SETTLES).unwrap_or(now);
        let pause = |until, why| Waiting::Pause { until, why };
        if let Some(why) = moving {
            // One restart for all of them.
            entry.waiting.push(pause(now.saturating_add(SETTLES).unwrap_or(now), why));
            return None;
        }
        if stale.versions.is_empty() {
            return None;
        }
        if settled > now && stale.since <= now {
            entry.waiting.push(pause(settled, "a secret has just been rotated".to_owned()));
            return None;
        }
        Some(stale)
    }

    /// Whether the current version of a secret is in every region that has a replica.
    fn is_everywhere(&self, key: &Key, memory: &SecretMemory) -> Reached {
        let spec: Option<&SecretSpec> = self.input.environment.secrets.get(key).map(|spec| &**spec);
        let Some(spec) = spec.filter(|spec| spec.replicas.as_ref().is_some_and(|replicas| !replicas.is_empty())) else {
            return Reached::Everywhere;
        };
        let soon = |why: &str| Reached::Soon(format!("{key}: {why}"));
        let Some(described) = self.input.observation.secrets.described.get(&spec.address()) else {
            self.need(SecretNeed::Describe(spec.address()));
            return soon("its replicas have not been read");
        };
        let Seen::Present(state) = described else { return soon("its replicas could not be read") };
        // What was read may be from before its last change.
        if memory.touched.is_some_and(|touched| self.input.now.duration_since(touched).abs() < SETTLES) {
            return soon("its replicas are being updated");
        }
        let replicas = state.replicas.iter().flatten();
        let behind = replicas.filter(|(_, replica)| replica.status != ReplicaStatus::InSync).min();
        match behind {
            None => Reached::Everywhere,
            Some((region, replica)) if replica.status == ReplicaStatus::Failed => {
                Reached::Stuck(format!("the replica of {key} in {region}, which failed"))
            }
            Some((region, _)) => soon(&format!("its replica in {region} is being updated")),
        }
    }
}

/// How far a version has come.
enum Reached {
    /// It is in every region.
    Everywhere,
    /// It is on its way.
    Soon(String),
    /// It will not get everywhere by itself.
    Stuck(String),
}

//! A secret: its versions, their labels, its copies in other regions, and what is said of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{AWSCURRENT, AWSPREVIOUS, Region, ReplicaState, ReplicaStatus, SecretArn, SecretState, VersionId};

/// A secret. It holds its values: this is AWS.
#[derive(Serialize, Deserialize)]
pub(super) struct Secret {
    pub(super) region: usize,
    pub(super) arn: SecretArn,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) kms_key: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) created: Timestamp,
    pub(super) changed: Timestamp,
    pub(super) accessed: Option<Timestamp>,
    /// Since when, and when it is gone for good.
    pub(super) deleted: Option<(Timestamp, Timestamp)>,
    pub(super) versions: BTreeMap<VersionId, Version>,
    pub(super) rotates: bool,
    pub(super) rotated: Option<Timestamp>,
    pub(super) policy: Option<String>,
    pub(super) replicas: BTreeMap<Region, Replica>,
    /// What was said of it before, for stale reads.
    #[serde(skip)]
    pub(super) history: VecDeque<(Timestamp, SecretState)>,
}

/// One of its versions.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) value: String,
    pub(super) made: Timestamp,
    pub(super) labels: BTreeSet<String>,
}

/// Its copy in another region.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Replica {
    pub(super) kms_key: Option<String>,
    /// When it has the value; `None`: it could not be made.
    pub(super) ready: Option<Timestamp>,
}

impl Secret {
    pub(super) fn state(&self, primary: &Region, now: Timestamp) -> SecretState {
        let replicas = self.replicas.iter().map(|(region, replica)| {
            let (status, message) = match replica.ready {
                Some(ready) if ready <= now => (ReplicaStatus::InSync, None),
                Some(_) => (ReplicaStatus::InProgress, None),
                None => {
                    let message = "Secret with this name already exists in this region";
                    (ReplicaStatus::Failed, Some(message.to_owned()))
                }
            };
            (region.clone(), ReplicaState { status, message, kms_key: replica.kms_key.clone() })
        });
        let labelled = self.versions.iter().filter(|(_, version)| !version.labels.is_empty());
        SecretState {
            arn: self.arn.clone(),
            name: self.name.clone(),
            description: self.description.clone(),
            kms_key: self.kms_key.clone(),
            tags: self.tags.clone(),
            created: Some(self.created),
            changed: Some(self.changed),
            accessed: self.accessed,
            deleted: self.deleted.map(|(since, _)| since),
            versions: labelled.map(|(id, version)| (id.clone(), version.labels.clone())).collect(),
            rotates: self.rotates,
            rotated: self.rotated,
            primary: (!self.replicas.is_empty()).then(|| primary.clone()),
            owning_service: None,
            replicas: Some(replicas.collect()),
        }
    }

    /// Puts a label on a version and takes it off every other. `AWSPREVIOUS` follows `AWSCURRENT` by itself.
    pub(super) fn put_label(&mut self, label: &str, to: &VersionId) {
        let from = self.versions.iter().find(|(_, version)| version.labels.contains(label));
        let from = from.map(|(id, _)| id.clone()).filter(|from| from != to);
        for version in self.versions.values_mut() {
            version.labels.remove(label);
        }
        if let Some(version) = self.versions.get_mut(to) {
            version.labels.insert(label.to_owned());
        }
        if let Some(from) = from.filter(|_| label == AWSCURRENT) {
            self.put_label(AWSPREVIOUS, &from);
        }
    }
}

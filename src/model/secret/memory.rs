//! What is remembered of a secret: version ids, names of fields and fingerprints, and never a value.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::seen::{ReplicaState, SecretArn, VersionId};
use crate::model::{Attempts, Digest, Fingerprint, Key, Region, Taken};

/// What is remembered of a secret. Losing it costs a read of the value, and nothing is made again because of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SecretMemory {
    /// The secret.
    pub arn: Option<SecretArn>,
    /// The current value, as far as it is known.
    pub applied: Option<AppliedValue>,
    /// When we last made a version, or began to.
    pub written: Option<Timestamp>,
    /// When we last changed anything: a listing may be five minutes behind.
    pub touched: Option<Timestamp>,
    /// Keys of the tags that we have set.
    pub tags: BTreeSet<String>,
    /// What a listing does not say, as it was read last.
    pub checked: Option<CheckedSettings>,
    /// The rotation that was begun last.
    pub rotation: Option<RotationMemory>,
    /// How often the consumers' check of a rotation has failed.
    pub rotation_failed: Option<Attempts>,
    /// A person has asked for a rotation, then.
    pub rotation_asked: Option<Timestamp>,
    /// Services that have to be deployed again to get a new value, each with the versions it does not have yet. A set
    /// of ids and no time: two rotations within a second are two versions.
    pub restarts: BTreeMap<Key, BTreeSet<VersionId>>,
    /// When the newest of these versions became current: tasks that were made later have it.
    pub current_since: Option<Timestamp>,
    /// Failures of steps, by their verbs: what one is refused holds up no other.
    pub refused: BTreeMap<String, Attempts>,
    /// Settings that were sent, by the verbs of their steps.
    pub taken: BTreeMap<String, Taken>,
    /// What it depends on: deletions go in the reverse order.
    pub depends_on: BTreeSet<Key>,
}

/// The value of the current version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedValue {
    /// The version.
    pub version: VersionId,
    /// Digest of the ciphertext it was decrypted from; none for a value that was not sealed.
    pub source: Option<Digest>,
    /// Fingerprints by field.
    pub fields: BTreeMap<String, Fingerprint>,
    /// When the version was made.
    pub made: Option<Timestamp>,
}

/// Settings that only their own requests tell, as of a version of the secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedSettings {
    /// When anything about the secret had last been changed.
    pub changed: Option<Timestamp>,
    /// When they were read.
    pub at: Timestamp,
    /// The replicas; `None`: were not read.
    pub replicas: Option<BTreeMap<Region, ReplicaState>>,
}

/// A rotation of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationMemory {
    /// When it was due.
    pub due: Timestamp,
    /// How often its version had to be made under another id.
    pub attempt: u8,
    /// The version it makes.
    pub version: VersionId,
    /// It was made current by us. If it is not any more, somebody has gone back, and that is not undone.
    pub promoted: bool,
    /// Its consumers did not get along with it in time: it never becomes current.
    #[serde(default)]
    pub failed: bool,
}

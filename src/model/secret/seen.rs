//! What AWS says of a secret, without its value.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::aws::identifier;
use crate::model::{Address, Digest, Fingerprint, Key, Region, Scope, Seen, Unknown};

/// The tag that says whose an object is. Its value is the object's address.
pub const OWNER_TAG: &str = "landfast:owner";

/// The staging label of the version that consumers get.
pub const AWSCURRENT: &str = "AWSCURRENT";
/// The staging label of the version that is about to become current.
pub const AWSPENDING: &str = "AWSPENDING";
/// The staging label of the version that was current before.
pub const AWSPREVIOUS: &str = "AWSPREVIOUS";

identifier! {
    /// The id of a version, which is also the idempotency token of the request that made it: 32 to 64 characters
    /// (AWS: *`PutSecretValue`*, parameter `ClientRequestToken`).
    VersionId, "a version id of 32 to 64 characters",
    |text| (32..=64).contains(&text.len())
}

identifier! {
    /// The ARN of a secret. It ends in six random characters: a secret that is made again under its name is another.
    SecretArn, "the ARN of a secret",
    |text| text.starts_with("arn:") && text.contains(":secretsmanager:") && text.contains(":secret:")
}

impl VersionId {
    /// The id of a version that is made because of `parts`: the same again after a crash.
    #[must_use]
    pub fn made_of(key: &Key, verb: &str, parts: &impl Serialize) -> Self {
        let digest = Digest::of(&(key, verb, parts));
        Self(format!("landfast-{}", digest.as_str().get(..48).unwrap_or_default()).into())
    }

    /// The id of the version that a rotation makes, which was due at `due`, at its `attempt`. What it was made for is
    /// in the id, so that it is known for ours when all else is forgotten.
    #[must_use]
    pub fn of_rotation(key: &Key, due: Timestamp, attempt: u8) -> Self {
        let seconds = due.as_second().max(0);
        let digest = Digest::of(&(key, "rotate", seconds, attempt));
        let digest = digest.as_str().get(..32).unwrap_or_default();
        Self(format!("landfast-{seconds:010x}-{attempt:02x}-{digest}").into())
    }

    /// When the rotation that made this version was due, and its attempt; `None` if it was none of ours.
    #[must_use]
    pub fn rotation_of(&self, key: &Key) -> Option<(Timestamp, u8)> {
        let mut parts = self.0.strip_prefix("landfast-")?.split('-');
        let due = Timestamp::from_second(i64::from_str_radix(parts.next()?, 16).ok()?).ok()?;
        let attempt = u8::from_str_radix(parts.next()?, 16).ok()?;
        (Self::of_rotation(key, due, attempt) == *self).then_some((due, attempt))
    }
}

/// How far a replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ReplicaStatus {
    /// It has the current value.
    InSync,
    /// It is being made or brought up to date.
    InProgress,
    /// It could not be made.
    Failed,
    /// A status that AWS did not document when this was written.
    Unclear,
}

/// A replica in another region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReplicaState {
    /// How far it is.
    pub status: ReplicaStatus,
    /// What AWS says of it.
    pub message: Option<String>,
    /// The KMS key that encrypts it, where it is not AWS's own.
    pub kms_key: Option<String>,
}

/// What AWS says of a secret, without its value (AWS: *`DescribeSecret`*, *`SecretListEntry`*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretState {
    /// Its ARN.
    pub arn: SecretArn,
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
    /// The KMS key that encrypts it, where it is not AWS's own.
    pub kms_key: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// When anything about it was changed.
    pub changed: Option<Timestamp>,
    /// The day on which its value was read last.
    pub accessed: Option<Timestamp>,
    /// Since when it is deleted and can be restored.
    pub deleted: Option<Timestamp>,
    /// Versions that have a staging label, with their labels. Others are deprecated, and AWS may remove them.
    pub versions: BTreeMap<VersionId, BTreeSet<String>>,
    /// AWS rotates it by a function or by the service that owns it.
    pub rotates: bool,
    /// When AWS rotated it last.
    pub rotated: Option<Timestamp>,
    /// The region of the primary, if it has replicas or is one.
    pub primary: Option<Region>,
    /// The AWS service that made it, if one did.
    pub owning_service: Option<String>,
    /// Its replicas. A listing does not say: `None`.
    pub replicas: Option<BTreeMap<Region, ReplicaState>>,
}

impl SecretState {
    /// The version that has a staging label.
    #[must_use]
    pub fn version(&self, label: &str) -> Option<&VersionId> {
        self.versions.iter().find(|(_, labels)| labels.contains(label)).map(|(version, _)| version)
    }

    /// The version that consumers get.
    #[must_use]
    pub fn current(&self) -> Option<&VersionId> {
        self.version(AWSCURRENT)
    }

    /// A version that is about to become current: `AWSPENDING` on the current version is what a rotation leaves behind.
    #[must_use]
    pub fn pending(&self) -> Option<&VersionId> {
        self.version(AWSPENDING).filter(|pending| Some(*pending) != self.current())
    }
}

/// What is known of the value of one version: names and fingerprints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueFacts {
    /// By field; a value that is no JSON object is one field without a name.
    pub fields: BTreeMap<String, Fingerprint>,
    /// When the version was made.
    pub made: Option<Timestamp>,
}

/// What was seen of secrets.
#[derive(Clone, Debug, Default)]
pub struct SecretsSeen {
    /// For every account and region that was asked for: were all pages read?
    pub listings: BTreeMap<Scope, Result<(), Unknown>>,
    /// What the listings say of secrets that concern us. They may be five minutes behind.
    pub listed: BTreeMap<Address, SecretState>,
    /// Those that events have named, and when they say that something happened: a listing is behind that for five minutes.
    pub changed: BTreeMap<Address, Timestamp>,
    /// What was asked for by name: up to date.
    pub described: BTreeMap<Address, Seen<SecretState>>,
    /// Digests of resource policies.
    pub policies: BTreeMap<Address, Seen<Digest>>,
    /// What these say, of those that were read.
    pub policy_texts: BTreeMap<Address, std::sync::Arc<str>>,
    /// Values that were read, by version.
    pub values: BTreeMap<(Address, VersionId), Seen<ValueFacts>>,
}

impl SecretsSeen {
    /// The newest that is known of a secret.
    #[must_use]
    pub fn secret(&self, address: &Address) -> Seen<&SecretState> {
        match self.described.get(address) {
            Some(Seen::Present(state)) => return Seen::Present(state),
            Some(Seen::Absent) => return Seen::Absent,
            Some(Seen::Unknown(why)) => return Seen::Unknown(why.clone()),
            None => {}
        }
        match (self.listings.get(&address.scope), self.listed.get(address)) {
            (Some(Ok(())), Some(state)) => Seen::Present(state),
            (Some(Ok(())), None) => Seen::Absent,
            (Some(Err(why)), _) => Seen::Unknown(why.clone()),
            (None, _) => Seen::Unknown(Unknown::because("not checked yet")),
        }
    }
}

/// What must be known to decide on a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretNeed {
    /// Which secrets an account and region has.
    Listing(Scope),
    /// One secret, up to date and with its replicas.
    Describe(Address),
    /// Its resource policy.
    Policy(Address, SecretArn),
    /// Names and fingerprints of the fields of one version.
    Value(Address, SecretArn, VersionId),
}

impl From<SecretNeed> for crate::model::Need {
    fn from(need: SecretNeed) -> Self {
        Self::Secret(need)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_a_rotation_made_says_so_and_no_other_does() {
        let key: Key = "dev/secret/app".parse().unwrap();
        let other: Key = "dev/secret/other".parse().unwrap();
        let due = "2026-01-01T00:00:00Z".parse().unwrap();
        let version = VersionId::of_rotation(&key, due, 3);
        assert!((32..=64).contains(&version.as_str().len()));
        assert_eq!(version.rotation_of(&key), Some((due, 3)));
        assert_eq!(version.rotation_of(&other), None);
        assert_eq!(VersionId::made_of(&key, "put", &1).rotation_of(&key), None);
        assert!((32..=64).contains(&VersionId::made_of(&key, "put", &1).as_str().len()));
    }
}

//! What is done to a secret.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::seen::{SecretArn, SecretState, VersionId};
use super::{GeneratedField, SealedFile};
use crate::model::{Act, Address, Digest, Failure, Fingerprint, Key, Region};

/// What must still be true of a secret at the moment of acting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretExpect {
    /// There is none of that name, not even a deleted one.
    Absent,
    /// It is this one, with these versions under these labels.
    Present {
        /// Which.
        arn: SecretArn,
        /// Whose it is, as its tag says.
        owner: Option<String>,
        /// It is deleted and can be restored.
        deleted: bool,
        /// Its labelled versions.
        versions: BTreeMap<VersionId, BTreeSet<String>>,
    },
    /// The step changes only what we remember.
    Nothing,
}

impl SecretExpect {
    /// That it stays as it was seen.
    #[must_use]
    pub fn unmoved(state: &SecretState, owner_tag: &str) -> Self {
        Self::Present {
            arn: state.arn.clone(),
            owner: state.tags.get(owner_tag).cloned(),
            deleted: state.deleted.is_some(),
            versions: state.versions.clone(),
        }
    }
}

/// How a value is made. The value itself exists only while the step is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Make {
    /// These fields are made; those of the current version stay as they are.
    Fields(BTreeMap<String, GeneratedField>),
    /// It is decrypted.
    Unseal(Arc<SealedFile>, Digest),
}

/// A rotation whose consumers did not get along with the new value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedRotation {
    /// When it was due.
    pub due: Timestamp,
    /// Its attempt.
    pub attempt: u8,
    /// Names what was tried: what is due, and how it is checked.
    pub inputs: Digest,
    /// Why.
    pub failure: Failure,
}

/// A step on a secret.
#[derive(Clone, Debug)]
pub struct SecretStep {
    /// Where it is.
    pub address: Address,
    /// The precondition.
    pub expect: SecretExpect,
    /// What to do.
    pub action: SecretDo,
}

/// What is done to a secret.
#[derive(Clone, Debug)]
pub enum SecretDo {
    /// Creates it with its first value.
    Create {
        /// The id of the first version, and the idempotency token.
        token: VersionId,
        /// Its value.
        make: Make,
        /// Description.
        description: Option<String>,
        /// KMS key.
        kms_key: Option<String>,
        /// Tags, ours included.
        tags: BTreeMap<String, String>,
    },
    /// Restores it within its recovery window.
    Restore,
    /// Sets tags.
    Tag {
        /// These.
        tags: BTreeMap<String, String>,
    },
    /// Removes tags that we have set.
    Untag {
        /// These.
        keys: BTreeSet<String>,
    },
    /// Sets description and KMS key.
    Configure {
        /// The description, if it differs.
        description: Option<String>,
        /// The KMS key, if it differs.
        kms_key: Option<String>,
    },
    /// Sets the resource policy.
    SetPolicy {
        /// The policy, as JSON.
        body: Arc<str>,
    },
    /// Makes a new current version, if the value differs from the current one.
    Put {
        /// Its id, and the idempotency token.
        token: VersionId,
        /// Its value.
        make: Make,
        /// The version that is current now.
        from: Option<VersionId>,
        /// Fingerprints of the current value, where they are known; otherwise it is read and compared.
        known: Option<BTreeMap<String, Fingerprint>>,
    },
    /// Makes the version that a rotation will make current.
    Stage {
        /// Its id, and the idempotency token.
        token: VersionId,
        /// The fields that are made anew.
        fields: BTreeMap<String, GeneratedField>,
        /// The version that is current now.
        from: VersionId,
        /// When the rotation was due.
        due: Timestamp,
        /// Its attempt.
        attempt: u8,
    },
    /// Makes a pending version current. AWS keeps the one before as `AWSPREVIOUS`.
    Promote {
        /// The pending version.
        to: VersionId,
        /// The version that is current now.
        from: VersionId,
        /// Fields that it must have.
        fields: BTreeSet<String>,
        /// Services that have to get it.
        restart: BTreeSet<Key>,
        /// When the rotation was due.
        due: Timestamp,
        /// Its attempt.
        attempt: u8,
    },
    /// Takes the label `AWSPENDING` off a version.
    Unlabel {
        /// Which.
        version: VersionId,
        /// The rotation that made it has failed, in this way.
        failed: Option<Box<FailedRotation>>,
    },
    /// Makes replicas.
    Replicate {
        /// Where, each with its KMS key.
        regions: BTreeMap<Region, Option<String>>,
    },
    /// Deletes replicas. That is immediate.
    RemoveReplicas {
        /// Where.
        regions: BTreeSet<Region>,
    },
    /// Deletes it; it can be restored for a while.
    Delete {
        /// For so many days.
        recovery_days: u8,
    },
    /// Writes down what the current version is.
    Settle {
        /// The secret.
        arn: SecretArn,
        /// The version.
        version: VersionId,
        /// Digest of the ciphertext that it is known to come from.
        source: Option<Digest>,
        /// Fingerprints of its fields.
        fields: BTreeMap<String, Fingerprint>,
        /// When it was created.
        made: Option<Timestamp>,
        /// Services that have to get it, because it differs from what was current before.
        restart: BTreeSet<Key>,
        /// When it became current, or later.
        since: Timestamp,
    },
    /// Writes down that services have got versions, or will not any more.
    Restarted {
        /// Which, by service.
        services: BTreeMap<Key, BTreeSet<VersionId>>,
    },
    /// Forgets a secret that is gone.
    Forget,
}

impl Act for SecretStep {
    fn verb(&self) -> &'static str {
        match self.action {
            SecretDo::Create { .. } => "create",
            SecretDo::Restore => "restore",
            SecretDo::Tag { .. } => "tag",
            SecretDo::Untag { .. } => "untag",
            SecretDo::Configure { .. } => "configure",
            SecretDo::SetPolicy { .. } => "set-policy",
            SecretDo::Put { .. } => "put-value",
            SecretDo::Stage { .. } => "stage",
            SecretDo::Promote { .. } => "promote",
            SecretDo::Unlabel { .. } => "unlabel",
            SecretDo::Replicate { .. } => "replicate",
            SecretDo::RemoveReplicas { .. } => "remove-replicas",
            SecretDo::Delete { .. } => "delete",
            SecretDo::Settle { .. } => "settle",
            SecretDo::Restarted { .. } => "restarted",
            SecretDo::Forget => "forget",
        }
    }

    fn identity(&self) -> String {
        let with = match &self.action {
            SecretDo::Create { token, .. } | SecretDo::Put { token, .. } | SecretDo::Stage { token, .. } => {
                token.to_string()
            }
            SecretDo::Promote { to, .. } => to.to_string(),
            SecretDo::Unlabel { version, .. } => version.to_string(),
            SecretDo::Tag { tags } => Digest::of(tags).to_string(),
            SecretDo::Untag { keys } => Digest::of(keys).to_string(),
            SecretDo::Configure { description, kms_key } => Digest::of(&(description, kms_key)).to_string(),
            SecretDo::SetPolicy { body } => Digest::of_bytes(body.as_bytes()).to_string(),
            SecretDo::Replicate { regions } => Digest::of(regions).to_string(),
            SecretDo::RemoveReplicas { regions } => Digest::of(regions).to_string(),
            SecretDo::Restarted { services } => Digest::of(services).to_string(),
            SecretDo::Restore | SecretDo::Delete { .. } | SecretDo::Settle { .. } | SecretDo::Forget => String::new(),
        };
        format!("{} {with}", self.verb())
    }

    fn mutates(&self) -> bool {
        !matches!(self.action, SecretDo::Settle { .. } | SecretDo::Restarted { .. } | SecretDo::Forget)
    }

    fn begins_operation(&self) -> bool {
        false
    }

    fn is_preparation(&self) -> bool {
        !self.mutates()
    }
}

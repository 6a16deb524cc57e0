//! A secret in Secrets Manager: what is wanted of it, was seen of it, is remembered of it and done to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Address, DeletionPolicy, Digest, HttpProbe, Key, Region, Scope, Text};

mod binding;
mod memory;
mod seen;
mod step;
mod value;

pub use binding::Binding;
pub use memory::{AppliedValue, CheckedSettings, RotationMemory, SecretMemory};
pub use seen::{
    AWSCURRENT, AWSPENDING, AWSPREVIOUS, OWNER_TAG, ReplicaState, ReplicaStatus, SecretArn, SecretNeed, SecretState,
    SecretsSeen, ValueFacts, VersionId,
};
pub use step::{FailedRotation, Make, SecretDo, SecretExpect, SecretStep};
pub use value::{SecretFields, VALUE_MAX};

/// A secret as its manifest wants it.
#[derive(Clone, Debug)]
pub struct SecretSpec {
    /// Its address.
    pub key: Key,
    /// Account and region of the primary.
    pub scope: Scope,
    /// Its name in Secrets Manager.
    pub name: String,
    /// Its description; absent: not managed.
    pub description: Option<String>,
    /// The KMS key that encrypts it; absent: AWS's own for one that we create, not managed for one that exists.
    pub kms_key: Option<Text>,
    /// Where its value comes from.
    pub source: SecretSource,
    /// Tags, the environment's included, Landfast's own not.
    pub tags: BTreeMap<String, Text>,
    /// Its resource policy, as JSON text; absent: not managed.
    pub resource_policy: Option<Arc<str>>,
    /// Regions with a replica, each with the KMS key there, where it is not AWS's own. Absent: not managed.
    pub replicas: Option<BTreeMap<Region, Option<Text>>>,
    /// When generated fields are regenerated.
    pub rotation: Option<RotationSpec>,
    /// What happens when its manifest is removed. It is kept by default.
    pub deletion_policy: DeletionPolicy,
    /// How long it can be restored after its deletion: 7 to 30 days.
    pub recovery_days: u8,
    /// Adopt an existing secret of this name that has no owner.
    pub adopt: bool,
    /// Everything it waits for.
    pub depends_on: BTreeSet<Key>,
    /// Digest of all that the manifest says of it: of a sealed file, the digest of what is encrypted.
    pub digest: Digest,
}

impl SecretSpec {
    /// Where it is.
    #[must_use]
    pub fn address(&self) -> Address {
        Address { scope: self.scope.clone(), name: self.name.as_str().into() }
    }
}

/// Where a secret's value comes from. None of these holds a value in the clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// Made once by us, by field; the value is a JSON object.
    Generated(BTreeMap<String, GeneratedField>),
    /// Decrypted from a file beside the manifest.
    Sealed(SealedFile),
    /// Somebody else's: only its settings are ours.
    External,
}

/// How a field is generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GeneratedField {
    /// Characters: 1 to 1,024.
    pub length: u16,
    /// Of which.
    pub charset: Charset,
}

/// The characters of a generated field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Charset {
    /// `A`–`Z`, `a`–`z`, `0`–`9`.
    #[default]
    Alphanumeric,
    /// `A`–`Z`, `a`–`z`, `0`–`9`, `-`, `_`.
    Base64url,
    /// `0`–`9`, `a`–`f`.
    Hex,
    /// `0`–`9`.
    Digits,
    /// All printable ASCII except space, quotes, `@`, `/` and `\`, which databases and URLs refuse.
    Printable,
}

/// An age-encrypted file (<https://age-encryption.org/v1>), ASCII-armored, with a JSON object or a text in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedFile {
    /// Its path, for people.
    pub file: Arc<str>,
    /// What is in it: the armored ciphertext.
    pub ciphertext: Arc<str>,
    /// It is opened although it may have been sealed for no secret in particular.
    pub unbound: bool,
}

/// When generated fields are regenerated.
#[derive(Clone, Debug)]
pub struct RotationSpec {
    /// How long a value is used.
    pub every: Duration,
    /// Services that get a new deployment once the new value is current.
    pub restart: BTreeSet<Key>,
    /// What must succeed while the new value is pending, before it becomes current.
    pub check: Option<ConsumerCheck>,
}

/// Asks whoever uses a secret whether it gets along with the pending value. `{version}` in the URL stands for the id of
/// the pending version, which the consumer can then read by itself; the value is never in the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerCheck {
    /// The check.
    pub probe: HttpProbe,
    /// How long it may take to hold, from when it was first asked, until the rotation has failed.
    pub within: Duration,
}

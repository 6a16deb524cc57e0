//! Secrets Manager of one account in one region.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Fence, Page, PageToken, PortError};
use crate::model::{Redacted, Region, SecretArn, SecretState, VersionId};

/// A request to create a secret (AWS: *`CreateSecret`*).
#[derive(Clone, Debug)]
pub struct CreateSecret {
    /// Its name.
    pub name: String,
    /// Its first value.
    pub value: Redacted,
    /// Idempotency token, and the id of the first version.
    pub token: VersionId,
    /// Its description.
    pub description: Option<String>,
    /// The KMS key; AWS's own, if there is none.
    pub kms_key: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A request to make a version (AWS: *`PutSecretValue`*).
#[derive(Clone, Debug)]
pub struct PutSecretValue {
    /// The secret.
    pub secret: SecretArn,
    /// The value.
    pub value: Redacted,
    /// Idempotency token, and the id of the version.
    pub token: VersionId,
    /// Its staging labels. Those that another version has are moved.
    pub labels: BTreeSet<String>,
}

/// A request to change settings (AWS: *`UpdateSecret`* without a value).
#[derive(Clone, Debug)]
pub struct UpdateSecret {
    /// The secret.
    pub secret: SecretArn,
    /// The description, if it is to change.
    pub description: Option<String>,
    /// The KMS key, if it is to change.
    pub kms_key: Option<String>,
}

/// A version with its value.
#[derive(Clone, Debug)]
pub struct SecretVersion {
    /// Its id.
    pub id: VersionId,
    /// When it was created.
    pub made: Option<Timestamp>,
    /// Its value, where it is a text. Binary values are not ours to read.
    pub value: Option<Redacted>,
}

/// Secrets Manager of one account in one region.
///
/// Nothing here answers with the text of what it was given: an error of AWS that repeats a value has it taken out.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// One page of all secrets, deleted ones that can be restored included (AWS: *`ListSecrets`* with
    /// `IncludePlannedDeletion`). It may be five minutes behind.
    async fn list(&self, page: Option<PageToken>) -> Result<Page<SecretState>, PortError>;

    /// One secret by name or ARN, a deleted one that can be restored included; `None` if there is none.
    async fn describe(&self, secret: &str) -> Result<Option<SecretState>, PortError>;

    /// The value of one version; `None` if there is no such version, or it has no value.
    async fn value(&self, secret: &SecretArn, version: &VersionId) -> Result<Option<SecretVersion>, PortError>;

    /// Creates a secret. The same token with the same value again changes nothing; with another value, or where the
    /// name is taken or in its recovery window, it answers `Conflict`.
    async fn create(&self, fence: Fence, request: CreateSecret) -> Result<SecretArn, PortError>;

    /// Makes a version. The same token with the same value again changes nothing; with another value it answers
    /// `Conflict`.
    async fn put_value(&self, fence: Fence, request: PutSecretValue) -> Result<(), PortError>;

    /// Changes settings.
    async fn update(&self, fence: Fence, request: UpdateSecret) -> Result<(), PortError>;

    /// Moves a staging label (AWS: *`UpdateSecretVersionStage`*): off `from`, on to `to`.
    async fn move_label(
        &self,
        fence: Fence,
        secret: &SecretArn,
        label: &str,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Result<(), PortError>;

    /// Sets tags; others stay.
    async fn tag(&self, fence: Fence, secret: &SecretArn, tags: &BTreeMap<String, String>) -> Result<(), PortError>;

    /// Removes tags.
    async fn untag(&self, fence: Fence, secret: &SecretArn, keys: &BTreeSet<String>) -> Result<(), PortError>;

    /// The resource policy, if there is one.
    async fn policy(&self, secret: &SecretArn) -> Result<Option<String>, PortError>;

    /// Sets the resource policy. One that would open the secret to everybody is refused by AWS.
    async fn put_policy(&self, fence: Fence, secret: &SecretArn, body: &str) -> Result<(), PortError>;

    /// Begins to make replicas, each with its KMS key. One that exists under this name is not overwritten.
    async fn replicate(
        &self,
        fence: Fence,
        secret: &SecretArn,
        regions: &BTreeMap<Region, Option<String>>,
    ) -> Result<(), PortError>;

    /// Deletes replicas, at once.
    async fn remove_replicas(
        &self,
        fence: Fence,
        secret: &SecretArn,
        regions: &BTreeSet<Region>,
    ) -> Result<(), PortError>;

    /// Deletes a secret; for `recovery_days`, 7 to 30, it can be restored.
    async fn delete(&self, fence: Fence, secret: &SecretArn, recovery_days: u8) -> Result<(), PortError>;

    /// Restores a deleted secret.
    async fn restore(&self, fence: Fence, secret: &SecretArn) -> Result<(), PortError>;
}

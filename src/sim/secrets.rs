//! `ports::Secrets`, simulated; and the console of Secrets Manager.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::cloud::SimDoor;
use super::console::Console;
use super::world::World;
use crate::model::{Redacted, Region, SecretArn, SecretState, VersionId};
use crate::ports::{
    CreateSecret, Fence, Page, PageToken, PortError, PutSecretValue, SecretVersion, Secrets, UpdateSecret,
};

#[async_trait]
impl Secrets for SimDoor {
    async fn list(&self, page: Option<PageToken>) -> Result<Page<SecretState>, PortError> {
        self.read("ListSecrets", "", |world, lens| world.list_secrets(self.region, lens, page.as_ref())).await
    }

    async fn describe(&self, secret: &str) -> Result<Option<SecretState>, PortError> {
        let read = |world: &mut World, lens| Ok(world.describe_secret(self.region, lens, secret));
        self.read("DescribeSecret", secret, read).await
    }

    async fn value(&self, secret: &SecretArn, version: &VersionId) -> Result<Option<SecretVersion>, PortError> {
        let read = |world: &mut World, _| world.secret_value(self.region, secret, version);
        self.read("GetSecretValue", secret.as_str(), read).await
    }

    async fn create(&self, fence: Fence, request: CreateSecret) -> Result<SecretArn, PortError> {
        let (name, token) = (request.name.clone(), request.token.clone());
        let create = |world: &mut World| world.create_secret(self.region, request);
        self.write("CreateSecret", &name, fence, Some(token.as_str()), create).await
    }

    async fn put_value(&self, fence: Fence, request: PutSecretValue) -> Result<(), PortError> {
        let (secret, token) = (request.secret.clone(), request.token.clone());
        let put = |world: &mut World| world.put_secret_value(self.region, request);
        self.write("PutSecretValue", secret.as_str(), fence, Some(token.as_str()), put).await
    }

    async fn update(&self, fence: Fence, request: UpdateSecret) -> Result<(), PortError> {
        let secret = request.secret.clone();
        let update = |world: &mut World| world.update_secret(self.region, request);
        self.write("UpdateSecret", secret.as_str(), fence, None, update).await
    }

    async fn move_label(
        &self,
        fence: Fence,
        secret: &SecretArn,
        label: &str,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Result<(), PortError> {
        let shift = |world: &mut World| world.move_secret_label(self.region, secret, label, from, to);
        self.write("UpdateSecretVersionStage", secret.as_str(), fence, None, shift).await
    }

    async fn tag(&self, fence: Fence, secret: &SecretArn, tags: &BTreeMap<String, String>) -> Result<(), PortError> {
        let tag = |world: &mut World| world.tag_secret(self.region, secret, tags, &BTreeSet::new());
        self.write("TagResource", secret.as_str(), fence, None, tag).await
    }

    async fn untag(&self, fence: Fence, secret: &SecretArn, keys: &BTreeSet<String>) -> Result<(), PortError> {
        let untag = |world: &mut World| world.tag_secret(self.region, secret, &BTreeMap::new(), keys);
        self.write("UntagResource", secret.as_str(), fence, None, untag).await
    }

    async fn policy(&self, secret: &SecretArn) -> Result<Option<String>, PortError> {
        let read = |world: &mut World, _| world.secret_policy(self.region, secret);
        self.read("GetResourcePolicy", secret.as_str(), read).await
    }

    async fn put_policy(&self, fence: Fence, secret: &SecretArn, body: &str) -> Result<(), PortError> {
        let put = |world: &mut World| world.put_secret_policy(self.region, secret, body);
        self.write("PutResourcePolicy", secret.as_str(), fence, None, put).await
    }

    async fn replicate(
        &self,
        fence: Fence,
        secret: &SecretArn,
        regions: &BTreeMap<Region, Option<String>>,
    ) -> Result<(), PortError> {
        let replicate = |world: &mut World| world.replicate_secret(self.region, secret, regions);
        self.write("ReplicateSecretToRegions", secret.as_str(), fence, None, replicate).await
    }

    async fn remove_replicas(
        &self,
        fence: Fence,
        secret: &SecretArn,
        regions: &BTreeSet<Region>,
    ) -> Result<(), PortError> {
        let remove = |world: &mut World| world.remove_secret_replicas(self.region, secret, regions);
        self.write("RemoveRegionsFromReplication", secret.as_str(), fence, None, remove).await
    }

    async fn delete(&self, fence: Fence, secret: &SecretArn, recovery_days: u8) -> Result<(), PortError> {
        let delete = |world: &mut World| world.delete_secret(self.region, secret, recovery_days);
        self.write("DeleteSecret", secret.as_str(), fence, None, delete).await
    }

    async fn restore(&self, fence: Fence, secret: &SecretArn) -> Result<(), PortError> {
        let restore = |world: &mut World| world.restore_secret(self.region, secret);
        self.write("RestoreSecret", secret.as_str(), fence, None, restore).await
    }
}

/// Versions with their values and labels.
pub type SecretTruth = BTreeMap<VersionId, (String, BTreeSet<String>)>;

impl Console {
    /// Creates a secret.
    pub fn create_secret(
        &self,
        name: &str,
        value: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<SecretArn, PortError> {
        self.with(|world, region, token| {
            let request = CreateSecret {
                name: name.to_owned(),
                value: Redacted::new(value.to_owned()),
                token: token.parse().map_err(|_| unusable())?,
                description: None,
                kms_key: None,
                tags: tags.clone(),
            };
            world.create_secret(region, request)
        })
    }

    /// Makes a version of a secret, current at once, as the console does.
    pub fn put_secret(&self, name: &str, value: &str) -> Result<VersionId, PortError> {
        self.put_secret_as(name, value, &BTreeSet::new())
    }

    /// Makes a version of a secret under these labels.
    pub fn put_secret_as(&self, name: &str, value: &str, labels: &BTreeSet<String>) -> Result<VersionId, PortError> {
        self.with(|world, region, token| {
            let token: VersionId = token.parse().map_err(|_| unusable())?;
            let request = PutSecretValue {
                secret: arn(world, region, name)?,
                value: Redacted::new(value.to_owned()),
                token: token.clone(),
                labels: labels.clone(),
            };
            world.put_secret_value(region, request)?;
            Ok(token)
        })
    }

    /// Makes another version current.
    pub fn make_current(&self, name: &str, from: &VersionId, to: &VersionId) -> Result<(), PortError> {
        self.with(|world, region, _| {
            let arn = arn(world, region, name)?;
            world.move_secret_label(region, &arn, crate::model::AWSCURRENT, Some(from), Some(to))
        })
    }

    /// Has AWS rotate a secret by a function.
    pub fn rotate_by_function(&self, name: &str, value: &str) -> Result<(), PortError> {
        self.with(|world, region, _| world.rotate_by_function(region, name, value))
    }

    /// Puts another resource policy on a secret.
    pub fn put_secret_policy(&self, name: &str, body: &str) -> Result<(), PortError> {
        self.with(|world, region, _| {
            let arn = arn(world, region, name)?;
            world.put_secret_policy(region, &arn, body)
        })
    }

    /// The resource policy of a secret, as AWS shows it.
    pub fn secret_policy(&self, name: &str) -> Result<Option<String>, PortError> {
        self.with(|world, region, _| {
            let arn = arn(world, region, name)?;
            world.secret_policy(region, &arn)
        })
    }

    /// Takes a tag away from a secret.
    pub fn remove_secret_tag(&self, name: &str, key: &str) -> Result<(), PortError> {
        self.with(|world, region, _| {
            let arn = arn(world, region, name)?;
            world.tag_secret(region, &arn, &BTreeMap::new(), &BTreeSet::from([key.to_owned()]))
        })
    }

    /// Deletes a secret with a recovery window.
    pub fn delete_secret(&self, name: &str, days: u8) -> Result<(), PortError> {
        self.with(|world, region, _| {
            let arn = arn(world, region, name)?;
            world.delete_secret(region, &arn, days)
        })
    }

    /// What *`DescribeSecret`* says, now.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<SecretState> {
        self.with(|world, region, _| Ok(world.describe_secret(region, super::reads::Lens::default(), name))).ok()?
    }

    /// The truth: every version, with its value and labels.
    #[must_use]
    pub fn secret_truth(&self, name: &str) -> Option<SecretTruth> {
        self.with(|world, region, _| Ok(world.secret_truth(region, name))).ok()?
    }
}

fn arn(world: &mut World, region: usize, name: &str) -> Result<SecretArn, PortError> {
    let state = world.describe_secret(region, super::reads::Lens::default(), name);
    state.map(|state| state.arn).ok_or_else(unusable)
}

fn unusable() -> PortError {
    PortError::new(crate::ports::Class::NotFound, "DescribeSecret", "there is no such secret")
}

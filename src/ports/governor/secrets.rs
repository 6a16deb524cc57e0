//! The governed door to [`Secrets`].

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::api;
use super::door::Door;
use crate::model::{Region, SecretArn, SecretState, VersionId};
use crate::ports::{
    CreateSecret, Fence, Page, PageToken, PortError, PutSecretValue, SecretVersion, Secrets, UpdateSecret,
};

#[async_trait]
impl Secrets for Door<dyn Secrets> {
    async fn list(&self, page: Option<PageToken>) -> Result<Page<SecretState>, PortError> {
        self.read(&api::LIST_SECRETS, || self.inner.list(page.clone())).await
    }

    async fn describe(&self, secret: &str) -> Result<Option<SecretState>, PortError> {
        self.read(&api::DESCRIBE_SECRET, || self.inner.describe(secret)).await
    }

    async fn value(&self, secret: &SecretArn, version: &VersionId) -> Result<Option<SecretVersion>, PortError> {
        self.read(&api::GET_SECRET_VALUE, || self.inner.value(secret, version)).await
    }

    async fn create(&self, fence: Fence, request: CreateSecret) -> Result<SecretArn, PortError> {
        self.change(&api::CREATE_SECRET, fence, || self.inner.create(fence, request.clone())).await
    }

    async fn put_value(&self, fence: Fence, request: PutSecretValue) -> Result<(), PortError> {
        self.change(&api::PUT_SECRET_VALUE, fence, || self.inner.put_value(fence, request.clone())).await
    }

    async fn update(&self, fence: Fence, request: UpdateSecret) -> Result<(), PortError> {
        self.change(&api::UPDATE_SECRET, fence, || self.inner.update(fence, request.clone())).await
    }

    async fn move_label(
        &self,
        fence: Fence,
        secret: &SecretArn,
        label: &str,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Result<(), PortError> {
        let call = || self.inner.move_label(fence, secret, label, from, to);
        self.change(&api::MOVE_SECRET_LABEL, fence, call).await
    }

    async fn tag(&self, fence: Fence, secret: &SecretArn, tags: &BTreeMap<String, String>) -> Result<(), PortError> {
        self.change(&api::TAG_SECRET, fence, || self.inner.tag(fence, secret, tags)).await
    }

    async fn untag(&self, fence: Fence, secret: &SecretArn, keys: &BTreeSet<String>) -> Result<(), PortError> {
        self.change(&api::UNTAG_SECRET, fence, || self.inner.untag(fence, secret, keys)).await
    }

    async fn policy(&self, secret: &SecretArn) -> Result<Option<String>, PortError> {
        self.read(&api::GET_SECRET_POLICY, || self.inner.policy(secret)).await
    }

    async fn put_policy(&self, fence: Fence, secret: &SecretArn, body: &str) -> Result<(), PortError> {
        self.change(&api::PUT_SECRET_POLICY, fence, || self.inner.put_policy(fence, secret, body)).await
    }

    async fn replicate(
        &self,
        fence: Fence,
        secret: &SecretArn,
        regions: &BTreeMap<Region, Option<String>>,
    ) -> Result<(), PortError> {
        self.change(&api::REPLICATE_SECRET, fence, || self.inner.replicate(fence, secret, regions)).await
    }

    async fn remove_replicas(
        &self,
        fence: Fence,
        secret: &SecretArn,
        regions: &BTreeSet<Region>,
    ) -> Result<(), PortError> {
        self.change(&api::REMOVE_SECRET_REPLICAS, fence, || self.inner.remove_replicas(fence, secret, regions)).await
    }

    async fn delete(&self, fence: Fence, secret: &SecretArn, recovery_days: u8) -> Result<(), PortError> {
        self.change(&api::DELETE_SECRET, fence, || self.inner.delete(fence, secret, recovery_days)).await
    }

    async fn restore(&self, fence: Fence, secret: &SecretArn) -> Result<(), PortError> {
        self.change(&api::RESTORE_SECRET, fence, || self.inner.restore(fence, secret)).await
    }
}

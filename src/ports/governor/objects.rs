//! The governed door to [`Objects`].

use async_trait::async_trait;

use super::api;
use super::door::Door;
use crate::ports::{Fence, Objects, Page, PageToken, PortError};

#[async_trait]
impl Objects for Door<dyn Objects> {
    async fn keys(&self, bucket: &str, prefix: &str, page: Option<PageToken>) -> Result<Page<String>, PortError> {
        self.read(&api::LIST_OBJECTS, || self.inner.keys(bucket, prefix, page.clone())).await
    }

    async fn get(&self, bucket: &str, key: &str) -> Result<Option<String>, PortError> {
        self.read(&api::GET_OBJECT, || self.inner.get(bucket, key)).await
    }

    async fn key(&self, bucket: &str) -> Result<Option<String>, PortError> {
        self.read(&api::BUCKET_ENCRYPTION, || self.inner.key(bucket)).await
    }

    async fn put(&self, fence: Fence, bucket: &str, key: &str, media: &str, body: &str) -> Result<(), PortError> {
        self.change(&api::PUT_OBJECT, fence, || self.inner.put(fence, bucket, key, media, body)).await
    }

    async fn delete(&self, fence: Fence, bucket: &str, key: &str) -> Result<(), PortError> {
        self.change(&api::DELETE_OBJECT, fence, || self.inner.delete(fence, bucket, key)).await
    }
}

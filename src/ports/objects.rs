//! What we leave in buckets, and take away again.

use async_trait::async_trait;

use super::{Fence, Page, PageToken, PortError};

/// Bytes of an object that is read: what we read are kilobytes, and what is larger is none of ours.
pub const OBJECT_MAX: u64 = 1 << 20;

/// Objects in the buckets that one account may reach (AWS: *Amazon S3*). What is written can be listed at once (AWS:
/// *Amazon S3 data consistency model*).
#[async_trait]
pub trait Objects: Send + Sync {
    /// One page of the keys that begin so, in their order (AWS: *`ListObjectsV2`*).
    async fn keys(&self, bucket: &str, prefix: &str, page: Option<PageToken>) -> Result<Page<String>, PortError>;

    /// The text of an object; `None` if the bucket has none of that key. Whoever may not list the bucket is told `Denied`
    /// then (AWS: *`GetObject`*, "Permissions"). Answers `NotFound` if there is no such bucket.
    async fn get(&self, bucket: &str, key: &str) -> Result<Option<String>, PortError>;

    /// The key of the account's own that encrypts what is written into a bucket, by its id, ARN or alias; `None` if S3 or
    /// AWS manages the key, which takes no permission (AWS: *`GetBucketEncryption`*, `KMSMasterKeyID`).
    async fn key(&self, bucket: &str) -> Result<Option<String>, PortError>;

    /// Writes an object of this media type, over what is there (AWS: *`PutObject`*).
    async fn put(&self, fence: Fence, bucket: &str, key: &str, media: &str, body: &str) -> Result<(), PortError>;

    /// Deletes an object. One that is not there is deleted (AWS: *`DeleteObject`*).
    async fn delete(&self, fence: Fence, bucket: &str, key: &str) -> Result<(), PortError>;
}

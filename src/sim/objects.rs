//! `ports::Objects`, simulated: buckets are named across all accounts, and what is written is listed at once.

use std::ops::Bound;

use async_trait::async_trait;

use super::cloud::SimDoor;
use super::world::World;
use crate::ports::{Class, Fence, Objects, Page, PageToken, PortError};

/// Keys on a page (AWS: *`ListObjectsV2`*, `MaxKeys`).
const PAGE: usize = 1_000;

impl World {
    /// There is such a bucket: one that a stack has made, or one of those that somebody else has.
    pub(super) fn check_bucket(&self, operation: &'static str, bucket: &str) -> Result<(), PortError> {
        let made = self.data.names.contains_key(&format!("everywhere|AWS::S3::Bucket|{bucket}"));
        if made || self.config.buckets.as_ref().is_none_or(|buckets| buckets.contains(bucket)) {
            return Ok(());
        }
        let message = "The specified bucket does not exist";
        Err(PortError::new(Class::NotFound, operation, message).with_code("NoSuchBucket"))
    }

    fn keys(&self, bucket: &str, prefix: &str, after: Option<&PageToken>) -> Result<Page<String>, PortError> {
        self.check_bucket("ListObjectsV2", bucket)?;
        let from = after.map_or(Bound::Included(prefix), |last| Bound::Excluded(last.as_str()));
        let objects = self.data.objects.get(bucket).into_iter();
        let keys = objects.flat_map(|objects| objects.range::<str, _>((from, Bound::Unbounded)));
        let mut keys = keys.map(|(key, _)| key.clone()).take_while(|key| key.starts_with(prefix));
        let items: Vec<String> = keys.by_ref().take(PAGE).collect();
        let next = keys.next().and(items.last().cloned());
        Ok(Page { items, next })
    }
}

#[async_trait]
impl Objects for SimDoor {
    async fn keys(&self, bucket: &str, prefix: &str, page: Option<PageToken>) -> Result<Page<String>, PortError> {
        self.read("ListObjectsV2", bucket, |world, _| world.keys(bucket, prefix, page.as_ref())).await
    }

    async fn get(&self, bucket: &str, key: &str) -> Result<Option<String>, PortError> {
        let read = |world: &mut World| {
            world.check_bucket("GetObject", bucket)?;
            let object = world.data.objects.get(bucket).and_then(|objects| objects.get(key));
            Ok(object.map(ToString::to_string))
        };
        self.read("GetObject", key, |world, _| read(world)).await
    }

    async fn put(&self, fence: Fence, bucket: &str, key: &str, _media: &str, body: &str) -> Result<(), PortError> {
        let put = |world: &mut World| {
            world.check_bucket("PutObject", bucket)?;
            world.data.objects.entry(bucket.to_owned()).or_default().insert(key.to_owned(), body.into());
            Ok(())
        };
        self.write("PutObject", key, fence, None, put).await
    }

    async fn delete(&self, fence: Fence, bucket: &str, key: &str) -> Result<(), PortError> {
        let delete = |world: &mut World| {
            world.check_bucket("DeleteObject", bucket)?;
            if let Some(objects) = world.data.objects.get_mut(bucket) {
                objects.remove(key);
            }
            Ok(())
        };
        self.write("DeleteObject", key, fence, None, delete).await
    }
}

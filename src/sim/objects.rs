//! `ports::Objects`, simulated: buckets are named across all accounts, and what is written is listed at once.

use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;

use super::cloud::SimDoor;
use super::config::BucketFlaw;
use super::resource::Resource;
use super::spelling::partition;
use super::world::World;
use crate::ports::{Class, Fence, Objects, Page, PageToken, PortError, Uploaded};

/// Keys on a page (AWS: *`ListObjectsV2`*, `MaxKeys`).
const PAGE: usize = 1_000;

impl World {
    /// There is such a bucket: one that a stack has made, or one of those that somebody else has.
    pub(super) fn check_bucket(&self, operation: &'static str, bucket: &str) -> Result<(), PortError> {
        let made = self.data.names.contains_key(&format!("everywhere|AWS::S3::Bucket|{bucket}"));
        match self.config.flawed.get(bucket) {
            // AWS: *Error responses*; *Verifying bucket ownership with bucket owner condition*.
            Some(BucketFlaw::Elsewhere) => {
                let message = "The bucket you are attempting to access must be addressed using the specified endpoint.";
                return Err(PortError::new(Class::Invalid, operation, message).with_code("PermanentRedirect"));
            }
            Some(BucketFlaw::Foreign) => {
                return Err(PortError::new(Class::Denied, operation, "Access Denied").with_code("AccessDenied"));
            }
            Some(BucketFlaw::Unversioned) => return Ok(()),
            None => {}
        }
        if made || self.config.buckets.as_ref().is_none_or(|buckets| buckets.contains(bucket)) {
            return Ok(());
        }
        let message = "The specified bucket does not exist";
        Err(PortError::new(Class::NotFound, operation, message).with_code("NoSuchBucket"))
    }

    /// AWS: *`GetBucketVersioning`*.
    pub(super) fn keeps_versions(&self, bucket: &str) -> Result<bool, PortError> {
        self.check_bucket("GetBucketVersioning", bucket)?;
        let all = self.data.stacks.iter().flat_map(|stack| stack.resources.values());
        let mut buckets = all.filter(|resource| resource.kind == "AWS::S3::Bucket" && resource.exists());
        let made = buckets.find(|resource| resource.physical_id == bucket);
        let enabled = |made: &Resource| {
            made.properties.pointer("/VersioningConfiguration/Status").is_some_and(|status| status == "Enabled")
        };
        Ok(made.is_none_or(enabled) && !self.config.flawed.contains_key(bucket))
    }

    /// AWS: *`GetBucketEncryption`*: as the stack that has made the bucket says.
    fn bucket_key(&self, bucket: &str) -> Result<Option<String>, PortError> {
        self.check_bucket("GetBucketEncryption", bucket)?;
        let all = self.data.stacks.iter().flat_map(|stack| stack.resources.values());
        let mut buckets = all.filter(|resource| resource.kind == "AWS::S3::Bucket" && resource.exists());
        let made = buckets.find(|resource| resource.physical_id == bucket);
        let rules =
            made.and_then(|made| made.properties.pointer("/BucketEncryption/ServerSideEncryptionConfiguration"));
        let rules = rules.and_then(|rules| rules.as_array()).into_iter().flatten();
        let mut keys = rules.filter_map(|rule| rule.pointer("/ServerSideEncryptionByDefault/KMSMasterKeyID")?.as_str());
        Ok(keys.find(|key| !key.ends_with("alias/aws/s3")).map(str::to_owned))
    }

    /// Writes an object, and returns the version that it has become, where the bucket keeps versions.
    pub(super) fn put_object(&mut self, bucket: &str, key: &str, body: &str) -> Option<String> {
        let versioned = self.keeps_versions(bucket).unwrap_or(false);
        let id = versioned.then(|| format!("v{}", self.serial()));
        let body: Arc<str> = body.into();
        let versions = self.data.versions.entry(format!("{bucket}/{key}")).or_default();
        if !versioned {
            versions.retain(|(id, _)| id != "null");
        }
        versions.push((id.clone().unwrap_or_else(|| "null".to_owned()), Arc::clone(&body)));
        self.data.objects.entry(bucket.to_owned()).or_default().insert(key.to_owned(), body);
        id
    }

    /// What is in a version of an object, or in the object.
    pub(super) fn object_version(&self, bucket: &str, key: &str, version: Option<&str>) -> Option<Arc<str>> {
        let Some(version) = version else { return self.data.objects.get(bucket)?.get(key).cloned() };
        let versions = self.data.versions.get(&format!("{bucket}/{key}"))?;
        versions.iter().find(|(id, _)| id == version).map(|(_, body)| Arc::clone(body))
    }

    /// AWS: *`HeadObject`*.
    pub(super) fn newest_upload(&self, region: usize, bucket: &str, key: &str) -> Result<Option<Uploaded>, PortError> {
        self.check_bucket("HeadObject", bucket)?;
        if self.object_version(bucket, key, None).is_none() {
            return Ok(None);
        }
        let versions = self.data.versions.get(&format!("{bucket}/{key}"));
        let id = versions.and_then(|versions| versions.last()).map(|(id, _)| id.clone());
        let version = id.filter(|id| id != "null");
        Ok(Some(Uploaded { url: self.object_url(region, bucket, key, version.as_deref()), version }))
    }

    /// AWS: *`DeleteObject`*: one version of it, or, without, only what is read without naming one.
    pub(super) fn erase(&mut self, bucket: &str, key: &str, version: Option<&str>) -> Result<(), PortError> {
        self.check_bucket("DeleteObject", bucket)?;
        let place = format!("{bucket}/{key}");
        let left = match version {
            Some(version) => {
                let versions = self.data.versions.entry(place).or_default();
                versions.retain(|(id, _)| id != version);
                versions.last().map(|(_, body)| Arc::clone(body))
            }
            None => None,
        };
        let objects = self.data.objects.entry(bucket.to_owned()).or_default();
        match left {
            Some(body) => _ = objects.insert(key.to_owned(), body),
            None => _ = objects.remove(key),
        }
        Ok(())
    }

    fn object_url(&self, region: usize, bucket: &str, key: &str, version: Option<&str>) -> String {
        let name = self.data.regions[region].scope.region.as_str();
        let query = version.map_or_else(String::new, |version| format!("?versionId={version}"));
        format!("https://{bucket}.s3.{name}.{}/{key}{query}", partition(name).1)
    }

    /// AWS: *`PutObject`*.
    pub(super) fn upload(&mut self, region: usize, bucket: &str, key: &str, body: &str) -> Result<Uploaded, PortError> {
        self.check_bucket("PutObject", bucket)?;
        let version = self.put_object(bucket, key, body);
        Ok(Uploaded { url: self.object_url(region, bucket, key, version.as_deref()), version })
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

    async fn key(&self, bucket: &str) -> Result<Option<String>, PortError> {
        self.read("GetBucketEncryption", bucket, |world, _| world.bucket_key(bucket)).await
    }

    async fn put(&self, fence: Fence, bucket: &str, key: &str, _media: &str, body: &str) -> Result<(), PortError> {
        let put = |world: &mut World| {
            world.check_bucket("PutObject", bucket)?;
            world.put_object(bucket, key, body);
            Ok(())
        };
        self.write("PutObject", key, fence, None, put).await
    }

    async fn delete(&self, fence: Fence, bucket: &str, key: &str) -> Result<(), PortError> {
        self.write("DeleteObject", key, fence, None, |world| world.erase(bucket, key, None)).await
    }
}

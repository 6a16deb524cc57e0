//! `ports::Objects` over the SDK: one method, one request.

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::types::BucketVersioningStatus;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::answer::Reader;
use super::error::{port_error, unreadable};
use crate::model::Scope;
use crate::ports::{Class, Fence, OBJECT_MAX, Objects, Page, PageToken, PortError, Uploaded};

/// S3, as everything here asks it: with the account that the bucket has to belong to in every request (AWS: *Verifying bucket
/// ownership with bucket owner condition*).
pub(super) struct Client {
    objects: aws_sdk_s3::Client,
    scope: Scope,
}

impl Client {
    pub(super) fn new(config: &SdkConfig, scope: &Scope) -> Self {
        // What stands in for AWS at one endpoint has no host name for each bucket.
        let objects = aws_sdk_s3::config::Builder::from(config).force_path_style(config.endpoint_url().is_some());
        Self { objects: aws_sdk_s3::Client::from_conf(objects.build()), scope: scope.clone() }
    }

    fn owner(&self) -> &str {
        self.scope.account.as_str()
    }

    /// An error, with what it says of the bucket in words: S3's own do not name it.
    fn error<E>(&self, operation: &'static str, bucket: &str, error: SdkError<E, HttpResponse>) -> PortError
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let lives = error.raw_response().and_then(|response| response.headers().get("x-amz-bucket-region"));
        let lives = lives.filter(|region| *region != self.scope.region.as_str()).map(str::to_owned);
        let mut error = port_error(operation, error, &[]);
        let elsewhere = matches!(
            error.code.as_deref(),
            Some("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException")
        );
        let hint = match status {
            _ if error.code.as_deref() == Some("NoSuchBucket") => format!("bucket {bucket} does not exist"),
            Some(300..=399) => self.elsewhere(bucket, lives.as_deref()),
            _ if elsewhere => self.elsewhere(bucket, lives.as_deref()),
            Some(403) => {
                format!("the bucket {bucket} does not belong to account {}, or access is denied", self.owner())
            }
            _ => return error,
        };
        error.message = format!("{hint}: {}", error.message);
        error
    }

    fn elsewhere(&self, bucket: &str, lives: Option<&str>) -> String {
        let lives = lives.map_or_else(|| "another region".to_owned(), |region| format!("the region {region}"));
        format!("the bucket {bucket} is in {lives}, not in {}", self.scope.region)
    }

    /// AWS: *`GetBucketVersioning`*.
    pub(super) async fn keeps_versions(&self, bucket: &str) -> Result<bool, PortError> {
        const OPERATION: &str = "GetBucketVersioning";
        let call = self.objects.get_bucket_versioning().bucket(bucket).expected_bucket_owner(self.owner());
        let answer = call.send().await.map_err(|e| self.error(OPERATION, bucket, e))?;
        Ok(answer.status == Some(BucketVersioningStatus::Enabled))
    }

    /// Writes an object; the version that it has become, where the bucket keeps versions.
    pub(super) async fn write(
        &self,
        bucket: &str,
        key: &str,
        media: Option<&str>,
        body: &str,
    ) -> Result<Option<String>, PortError> {
        let content = body.as_bytes().to_vec().into();
        let call = self.objects.put_object().bucket(bucket).key(key).expected_bucket_owner(self.owner()).body(content);
        let call = call.set_content_type(media.map(str::to_owned));
        let answer = call.send().await.map_err(|e| self.error("PutObject", bucket, e))?;
        Ok(version(answer.version_id))
    }

    /// The text of an object, of this version or the newest.
    pub(super) async fn read(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<Option<String>, PortError> {
        const OPERATION: &str = "GetObject";
        let call = self.objects.get_object().bucket(bucket).key(key).expected_bucket_owner(self.owner());
        let answer = call.set_version_id(version.map(str::to_owned)).send().await;
        let object = match answer.map_err(|e| self.error(OPERATION, bucket, e)) {
            Ok(object) => object,
            // That there is no such bucket says nothing of the object.
            Err(error) if matches!(error.code.as_deref(), Some("NoSuchKey" | "NoSuchVersion")) => return Ok(None),
            Err(error) => return Err(error),
        };
        let length = object.content_length.and_then(|length| u64::try_from(length).ok());
        if length.is_none_or(|length| length > OBJECT_MAX) {
            return Err(unreadable(OPERATION, "it is larger than any object that Landfast stores"));
        }
        let body = object.body.collect().await.map_err(|_| unreadable(OPERATION, "its body was interrupted"))?;
        let text =
            String::from_utf8(body.into_bytes().into()).map_err(|_| unreadable(OPERATION, "it is not a text file"))?;
        Ok(Some(text))
    }

    /// The newest version of an object; `None` if there is none.
    pub(super) async fn newest(&self, bucket: &str, key: &str) -> Result<Option<Uploaded>, PortError> {
        let call = self.objects.head_object().bucket(bucket).key(key).expected_bucket_owner(self.owner());
        let answer = call.send().await;
        // An answer to `HEAD` has no words: that there is no such object, or no such bucket.
        let status = answer.as_ref().err().and_then(SdkError::raw_response).map(|response| response.status().as_u16());
        if status == Some(404) {
            return Ok(None);
        }
        let answer = answer.map_err(|e| self.error("HeadObject", bucket, e))?;
        let version = version(answer.version_id);
        Ok(Some(Uploaded { url: self.url(bucket, key, version.as_deref()).await?, version }))
    }

    pub(super) async fn erase(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<(), PortError> {
        let call = self.objects.delete_object().bucket(bucket).key(key).expected_bucket_owner(self.owner());
        let call = call.set_version_id(version.map(str::to_owned));
        call.send().await.map_err(|e| self.error("DeleteObject", bucket, e))?;
        Ok(())
    }

    /// Where an object is, in the form that the partition and the endpoint ask for: the SDK knows, we do not. Nothing
    /// is sent. `CloudFormation` reads with the caller's credentials, so the signature is not needed.
    pub(super) async fn url(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<String, PortError> {
        const OPERATION: &str = "PutObject";
        let expiry = PresigningConfig::expires_in(Duration::from_mins(1))
            .map_err(|error| PortError::new(Class::Invalid, OPERATION, error.to_string()))?;
        let plain = aws_sdk_s3::config::Builder::new().use_fips(false).use_dual_stack(false);
        let request = self.objects.get_object().bucket(bucket).key(key).set_version_id(version.map(str::to_owned));
        let request = request.customize().config_override(plain);
        let signed = request.presigned(expiry).await.map_err(|error| port_error(OPERATION, error, &[]))?;
        let (place, query) = signed.uri().split_once('?').unwrap_or((signed.uri(), ""));
        let version = query.split('&').find(|part| part.starts_with("versionId="));
        Ok(version.map_or_else(|| place.to_owned(), |version| format!("{place}?{version}")))
    }
}

/// What was written while versions are not kept has the version `null`, and is written over (AWS: *Using versioning in S3
/// buckets*).
fn version(id: Option<String>) -> Option<String> {
    id.filter(|id| !id.is_empty() && id != "null")
}

/// The key that AWS manages for S3 in the account may be used by whoever may use the bucket (AWS: *Using server-side
/// encryption with AWS KMS keys*).
fn own_key(id: Option<String>) -> Option<String> {
    id.filter(|id| !id.is_empty() && !id.ends_with("alias/aws/s3"))
}

#[async_trait]
impl Objects for Client {
    async fn keys(&self, bucket: &str, prefix: &str, page: Option<PageToken>) -> Result<Page<String>, PortError> {
        const OPERATION: &str = "ListObjectsV2";
        let call = self.objects.list_objects_v2().bucket(bucket).prefix(prefix).set_continuation_token(page);
        let call = call.expected_bucket_owner(self.owner());
        let answer = call.send().await.map_err(|e| self.error(OPERATION, bucket, e))?;
        let read = Reader(OPERATION);
        let objects = answer.contents.unwrap_or_default().into_iter();
        let items = objects.map(|object| read.need(object.key, "Key")).collect::<Result<_, _>>()?;
        Ok(Page { items, next: answer.next_continuation_token })
    }

    async fn get(&self, bucket: &str, key: &str) -> Result<Option<String>, PortError> {
        self.read(bucket, key, None).await
    }

    async fn key(&self, bucket: &str) -> Result<Option<String>, PortError> {
        const OPERATION: &str = "GetBucketEncryption";
        let call = self.objects.get_bucket_encryption().bucket(bucket).expected_bucket_owner(self.owner());
        let answer = match call.send().await.map_err(|e| self.error(OPERATION, bucket, e)) {
            Ok(answer) => answer,
            // Of before there was one by default.
            Err(error) if error.code.as_deref() == Some("ServerSideEncryptionConfigurationNotFoundError") => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let rules = answer.server_side_encryption_configuration.map(|found| found.rules).unwrap_or_default();
        let mut defaults = rules.into_iter().filter_map(|rule| rule.apply_server_side_encryption_by_default);
        Ok(defaults.find_map(|rule| own_key(rule.kms_master_key_id)))
    }

    async fn put(&self, _fence: Fence, bucket: &str, key: &str, media: &str, body: &str) -> Result<(), PortError> {
        self.write(bucket, key, Some(media), body).await.map(drop)
    }

    async fn delete(&self, _fence: Fence, bucket: &str, key: &str) -> Result<(), PortError> {
        self.erase(bucket, key, None).await
    }
}

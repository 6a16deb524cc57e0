//! `ports::Objects` over the SDK: one method, one request.

use async_trait::async_trait;
use aws_config::SdkConfig;

use super::answer::Reader;
use super::error::{port_error, unreadable};
use crate::ports::{Class, Fence, OBJECT_MAX, Objects, Page, PageToken, PortError};

/// One account in one region.
pub(super) struct Client {
    objects: aws_sdk_s3::Client,
}

impl Client {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self { objects: client(config) }
    }
}

/// S3, as everything here asks it.
pub(super) fn client(config: &SdkConfig) -> aws_sdk_s3::Client {
    // What stands in for AWS at one endpoint has no host name for each bucket.
    let objects = aws_sdk_s3::config::Builder::from(config).force_path_style(config.endpoint_url().is_some());
    aws_sdk_s3::Client::from_conf(objects.build())
}

#[async_trait]
impl Objects for Client {
    async fn keys(&self, bucket: &str, prefix: &str, page: Option<PageToken>) -> Result<Page<String>, PortError> {
        const OPERATION: &str = "ListObjectsV2";
        let call = self.objects.list_objects_v2().bucket(bucket).prefix(prefix).set_continuation_token(page);
        let answer = call.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let read = Reader(OPERATION);
        let objects = answer.contents.unwrap_or_default().into_iter();
        let items = objects.map(|object| read.need(object.key, "Key")).collect::<Result<_, _>>()?;
        Ok(Page { items, next: answer.next_continuation_token })
    }

    async fn get(&self, bucket: &str, key: &str) -> Result<Option<String>, PortError> {
        const OPERATION: &str = "GetObject";
        let answer = self.objects.get_object().bucket(bucket).key(key).send().await;
        let object = match answer.map_err(|e| port_error(OPERATION, e, &[])) {
            Ok(object) => object,
            // That there is no such bucket says nothing of the object.
            Err(error) if error.class == Class::NotFound && error.code.as_deref() == Some("NoSuchKey") => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let length = object.content_length.and_then(|length| u64::try_from(length).ok());
        if length.is_none_or(|length| length > OBJECT_MAX) {
            return Err(unreadable(OPERATION, "it is larger than anything that Landfast keeps"));
        }
        let body = object.body.collect().await.map_err(|_| unreadable(OPERATION, "its body broke off"))?;
        let text = String::from_utf8(body.into_bytes().into()).map_err(|_| unreadable(OPERATION, "it is no text"))?;
        Ok(Some(text))
    }

    async fn put(&self, _fence: Fence, bucket: &str, key: &str, media: &str, body: &str) -> Result<(), PortError> {
        let content = body.as_bytes().to_vec().into();
        let call = self.objects.put_object().bucket(bucket).key(key).content_type(media).body(content);
        call.send().await.map_err(|e| port_error("PutObject", e, &[]))?;
        Ok(())
    }

    async fn delete(&self, _fence: Fence, bucket: &str, key: &str) -> Result<(), PortError> {
        let call = self.objects.delete_object().bucket(bucket).key(key);
        call.send().await.map_err(|e| port_error("DeleteObject", e, &[]))?;
        Ok(())
    }
}

//! `ports::Secrets` over the SDK: one method, one request.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_secretsmanager::types as sdk;
use aws_smithy_types::DateTime;
use jiff::Timestamp;

use super::answer::Reader;
use super::error::port_error;
use crate::model::{Redacted, Region, ReplicaState, ReplicaStatus, SecretArn, SecretState, VersionId};
use crate::ports::{
    CreateSecret, Fence, Page, PageToken, PortError, PutSecretValue, SecretVersion, Secrets, UpdateSecret, found,
};

/// One account in one region.
pub(super) struct Client {
    secrets: aws_sdk_secretsmanager::Client,
}

impl Client {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self { secrets: aws_sdk_secretsmanager::Client::new(config) }
    }
}

#[async_trait]
impl Secrets for Client {
    async fn list(&self, page: Option<PageToken>) -> Result<Page<SecretState>, PortError> {
        const OPERATION: &str = "ListSecrets";
        let request = self.secrets.list_secrets().include_planned_deletion(true).max_results(100);
        let answer = request.set_next_token(page).send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let reader = Reader(OPERATION);
        let items = answer.secret_list.unwrap_or_default().into_iter().map(|entry| listed(reader, entry));
        let next = answer.next_token.filter(|token| !token.is_empty());
        Ok(Page { items: items.collect::<Result<_, _>>()?, next })
    }

    async fn describe(&self, secret: &str) -> Result<Option<SecretState>, PortError> {
        const OPERATION: &str = "DescribeSecret";
        let answer = self.secrets.describe_secret().secret_id(secret).send().await;
        let answer = found(answer.map_err(|e| port_error(OPERATION, e, &[])))?;
        answer.map(|answer| described(Reader(OPERATION), answer)).transpose()
    }

    async fn value(&self, secret: &SecretArn, version: &VersionId) -> Result<Option<SecretVersion>, PortError> {
        const OPERATION: &str = "GetSecretValue";
        let request = self.secrets.get_secret_value().secret_id(secret.as_str()).version_id(version.as_str());
        // What is read is never the source of an error: the SDK's own would hold the answer.
        let answer = request.send().await.map_err(|e| PortError { source: None, ..port_error(OPERATION, e, &[]) });
        let Some(answer) = found(answer)? else { return Ok(None) };
        let reader = Reader(OPERATION);
        Ok(Some(SecretVersion {
            id: reader.parse(answer.version_id.as_deref(), "VersionId")?,
            made: time(reader, answer.created_date)?,
            value: answer.secret_string.map(Redacted::new),
        }))
    }

    async fn create(&self, _fence: Fence, request: CreateSecret) -> Result<SecretArn, PortError> {
        const OPERATION: &str = "CreateSecret";
        let answer = self
            .secrets
            .create_secret()
            .name(&request.name)
            .client_request_token(request.token.as_str())
            .secret_string(request.value.expose())
            .set_description(request.description)
            .set_kms_key_id(request.kms_key)
            .set_tags(Some(tags(&request.tags)))
            .send()
            .await
            .map_err(|e| port_error(OPERATION, e, &[&request.value]))?;
        Reader(OPERATION).parse(answer.arn.as_deref(), "ARN")
    }

    async fn put_value(&self, _fence: Fence, request: PutSecretValue) -> Result<(), PortError> {
        let answer = self
            .secrets
            .put_secret_value()
            .secret_id(request.secret.as_str())
            .client_request_token(request.token.as_str())
            .secret_string(request.value.expose())
            .set_version_stages(Some(request.labels.into_iter().collect()).filter(|labels: &Vec<_>| !labels.is_empty()))
            .send()
            .await;
        answer.map(drop).map_err(|e| port_error("PutSecretValue", e, &[&request.value]))
    }

    async fn update(&self, _fence: Fence, request: UpdateSecret) -> Result<(), PortError> {
        let call = self.secrets.update_secret().secret_id(request.secret.as_str());
        let call = call.set_description(request.description).set_kms_key_id(request.kms_key);
        call.send().await.map(drop).map_err(|e| port_error("UpdateSecret", e, &[]))
    }

    async fn move_label(
        &self,
        _fence: Fence,
        secret: &SecretArn,
        label: &str,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Result<(), PortError> {
        let call = self.secrets.update_secret_version_stage().secret_id(secret.as_str()).version_stage(label);
        let call = call.set_remove_from_version_id(from.map(ToString::to_string));
        let call = call.set_move_to_version_id(to.map(ToString::to_string));
        call.send().await.map(drop).map_err(|e| port_error("UpdateSecretVersionStage", e, &[]))
    }

    async fn tag(&self, _fence: Fence, secret: &SecretArn, set: &BTreeMap<String, String>) -> Result<(), PortError> {
        let call = self.secrets.tag_resource().secret_id(secret.as_str()).set_tags(Some(tags(set)));
        call.send().await.map(drop).map_err(|e| port_error("TagResource", e, &[]))
    }

    async fn untag(&self, _fence: Fence, secret: &SecretArn, keys: &BTreeSet<String>) -> Result<(), PortError> {
        let keys = keys.iter().cloned().collect();
        let call = self.secrets.untag_resource().secret_id(secret.as_str()).set_tag_keys(Some(keys));
        call.send().await.map(drop).map_err(|e| port_error("UntagResource", e, &[]))
    }

    async fn policy(&self, secret: &SecretArn) -> Result<Option<String>, PortError> {
        let answer = self.secrets.get_resource_policy().secret_id(secret.as_str()).send().await;
        let answer = answer.map_err(|e| port_error("GetResourcePolicy", e, &[]))?;
        Ok(answer.resource_policy.filter(|policy| !policy.is_empty()))
    }

    async fn put_policy(&self, _fence: Fence, secret: &SecretArn, body: &str) -> Result<(), PortError> {
        let call = self.secrets.put_resource_policy().secret_id(secret.as_str());
        let call = call.resource_policy(body).block_public_policy(true);
        call.send().await.map(drop).map_err(|e| port_error("PutResourcePolicy", e, &[]))
    }

    async fn replicate(
        &self,
        _fence: Fence,
        secret: &SecretArn,
        regions: &BTreeMap<Region, Option<String>>,
    ) -> Result<(), PortError> {
        let regions = regions.iter().map(|(region, key)| {
            sdk::ReplicaRegionType::builder().region(region.as_str()).set_kms_key_id(key.clone()).build()
        });
        let call = self.secrets.replicate_secret_to_regions().secret_id(secret.as_str());
        let call = call.set_add_replica_regions(Some(regions.collect())).force_overwrite_replica_secret(false);
        call.send().await.map(drop).map_err(|e| port_error("ReplicateSecretToRegions", e, &[]))
    }

    async fn remove_replicas(
        &self,
        _fence: Fence,
        secret: &SecretArn,
        regions: &BTreeSet<Region>,
    ) -> Result<(), PortError> {
        let regions = regions.iter().map(ToString::to_string).collect();
        let call = self.secrets.remove_regions_from_replication().secret_id(secret.as_str());
        let call = call.set_remove_replica_regions(Some(regions));
        call.send().await.map(drop).map_err(|e| port_error("RemoveRegionsFromReplication", e, &[]))
    }

    async fn delete(&self, _fence: Fence, secret: &SecretArn, recovery_days: u8) -> Result<(), PortError> {
        let call = self.secrets.delete_secret().secret_id(secret.as_str());
        let call = call.recovery_window_in_days(i64::from(recovery_days));
        call.send().await.map(drop).map_err(|e| port_error("DeleteSecret", e, &[]))
    }

    async fn restore(&self, _fence: Fence, secret: &SecretArn) -> Result<(), PortError> {
        let call = self.secrets.restore_secret().secret_id(secret.as_str());
        call.send().await.map(drop).map_err(|e| port_error("RestoreSecret", e, &[]))
    }
}

fn tags(tags: &BTreeMap<String, String>) -> Vec<sdk::Tag> {
    tags.iter().map(|(key, value)| sdk::Tag::builder().key(key).value(value).build()).collect()
}

fn tag_map(tags: Option<Vec<sdk::Tag>>) -> BTreeMap<String, String> {
    let pairs = tags.unwrap_or_default().into_iter();
    pairs.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect()
}

fn time(reader: Reader, time: Option<DateTime>) -> Result<Option<Timestamp>, PortError> {
    time.map(|time| reader.time(&time)).transpose()
}

type Stages = std::collections::HashMap<String, Vec<String>>;

fn versions(reader: Reader, stages: Option<Stages>) -> Result<BTreeMap<VersionId, BTreeSet<String>>, PortError> {
    let stages = stages.unwrap_or_default().into_iter().filter(|(_, labels)| !labels.is_empty());
    stages.map(|(id, labels)| Ok((reader.parse(Some(&id), "VersionId")?, labels.into_iter().collect()))).collect()
}

fn region(reader: Reader, text: Option<&str>) -> Result<Option<Region>, PortError> {
    text.filter(|text| !text.is_empty()).map(|text| reader.parse(Some(text), "Region")).transpose()
}

/// `ListSecrets` and `DescribeSecret` say the same of a secret, in two types of which one field has two names.
macro_rules! state {
    ($reader:ident, $found:ident, $stages:ident, $replicas:expr) => {
        Ok(SecretState {
            arn: $reader.parse($found.arn.as_deref(), "ARN")?,
            name: $reader.need($found.name, "Name")?,
            description: $found.description.filter(|text| !text.is_empty()),
            kms_key: $found.kms_key_id.filter(|key| !key.is_empty()),
            tags: tag_map($found.tags),
            created: time($reader, $found.created_date)?,
            changed: time($reader, $found.last_changed_date)?,
            accessed: time($reader, $found.last_accessed_date)?,
            deleted: time($reader, $found.deleted_date)?,
            versions: versions($reader, $found.$stages)?,
            rotates: $found.rotation_enabled.unwrap_or(false),
            rotated: time($reader, $found.last_rotated_date)?,
            primary: region($reader, $found.primary_region.as_deref())?,
            owning_service: $found.owning_service.filter(|service| !service.is_empty()),
            replicas: $replicas,
        })
    };
}

fn listed(reader: Reader, entry: sdk::SecretListEntry) -> Result<SecretState, PortError> {
    state!(reader, entry, secret_versions_to_stages, None)
}

fn described(
    reader: Reader,
    answer: aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput,
) -> Result<SecretState, PortError> {
    let replicas = answer.replication_status.unwrap_or_default().into_iter().map(|replica| replica_of(reader, replica));
    let replicas = replicas.collect::<Result<_, _>>()?;
    state!(reader, answer, version_ids_to_stages, Some(replicas))
}

fn replica_of(reader: Reader, replica: sdk::ReplicationStatusType) -> Result<(Region, ReplicaState), PortError> {
    let status = match reader.need(replica.status, "Status")? {
        sdk::StatusType::InSync => ReplicaStatus::InSync,
        sdk::StatusType::InProgress => ReplicaStatus::InProgress,
        sdk::StatusType::Failed => ReplicaStatus::Failed,
        _ => ReplicaStatus::Unclear,
    };
    let region = reader.parse(replica.region.as_deref(), "Region")?;
    let kms_key = replica.kms_key_id.filter(|key| !key.is_empty());
    Ok((region, ReplicaState { status, message: replica.status_message, kms_key }))
}

//! `ports::Drift` over the SDK: one method, one request.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_cloudformation::types as sdk;

use super::answer::Reader;
use super::error::port_error;
use crate::model::{Detection, DetectionId, PropertyDrift, ResourceDrift, ResourceDriftStatus, ResourceState, StackId};
use crate::ports::{Drift, Page, PageToken, PortError, found};

/// As many as one answer can hold (AWS: *`DescribeStackResourceDrifts`*, `MaxResults`).
const PAGE: i32 = 100;

/// One account in one region.
pub(super) struct Client {
    stacks: aws_sdk_cloudformation::Client,
}

impl Client {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self { stacks: aws_sdk_cloudformation::Client::new(config) }
    }
}

#[async_trait]
impl Drift for Client {
    async fn detect(&self, stack: &StackId) -> Result<DetectionId, PortError> {
        const OPERATION: &str = "DetectStackDrift";
        let answer = self.stacks.detect_stack_drift().stack_name(stack.as_str()).send().await;
        let answer = answer.map_err(|e| port_error(OPERATION, e, &[]))?;
        Reader(OPERATION).parse(answer.stack_drift_detection_id(), "StackDriftDetectionId")
    }

    async fn owner(&self, physical_id: &str) -> Result<Option<(StackId, String)>, PortError> {
        const OPERATION: &str = "DescribeStackResources";
        let answer = self.stacks.describe_stack_resources().physical_resource_id(physical_id).send().await;
        let answer = match found(answer.map_err(|e| port_error(OPERATION, e, &[])))? {
            Some(answer) => answer.stack_resources.unwrap_or_default(),
            None => return Ok(None),
        };
        // It answers with all resources of that stack, and knows deleted stacks for 90 days.
        let is_it = |resource: &sdk::StackResource| {
            resource.physical_resource_id.as_deref() == Some(physical_id)
                && resource.resource_status != Some(sdk::ResourceStatus::DeleteComplete)
        };
        let Some(resource) = answer.into_iter().find(is_it) else { return Ok(None) };
        let read = Reader(OPERATION);
        let stack = read.parse(resource.stack_id.as_deref(), "StackId")?;
        Ok(Some((stack, read.need(resource.logical_resource_id, "LogicalResourceId")?)))
    }

    async fn compare(&self, stack: &StackId, resource: &str) -> Result<ResourceDrift, PortError> {
        const OPERATION: &str = "DetectStackResourceDrift";
        let call = self.stacks.detect_stack_resource_drift().stack_name(stack.as_str()).logical_resource_id(resource);
        let answer = call.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let read = Reader(OPERATION);
        self::resource(read, read.need(answer.stack_resource_drift, "StackResourceDrift")?)
    }

    async fn detection(&self, id: &DetectionId) -> Result<Detection, PortError> {
        const OPERATION: &str = "DescribeStackDriftDetectionStatus";
        let call = self.stacks.describe_stack_drift_detection_status().stack_drift_detection_id(id.as_str());
        let answer = call.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        Ok(Detection {
            status: Reader(OPERATION)
                .parse(answer.detection_status().map(sdk::StackDriftDetectionStatus::as_str), "DetectionStatus")?,
            reason: answer.detection_status_reason.filter(|reason| !reason.is_empty()),
        })
    }

    async fn resources(&self, stack: &StackId, page: Option<PageToken>) -> Result<Page<ResourceState>, PortError> {
        const OPERATION: &str = "ListStackResources";
        let call = self.stacks.list_stack_resources().stack_name(stack.as_str()).set_next_token(page);
        let answer = call.send().await.map_err(|e| port_error(OPERATION, e, &[]))?;
        let read = Reader(OPERATION);
        let items = answer.stack_resource_summaries.unwrap_or_default().into_iter().filter(is_there).map(|found| {
            let drift = found.drift_information.as_ref().and_then(|drift| drift.stack_resource_drift_status.as_ref());
            Ok(ResourceState {
                resource: read.need(found.logical_resource_id, "LogicalResourceId")?,
                physical_id: found.physical_resource_id.filter(|id| !id.is_empty()),
                kind: read.need(found.resource_type, "ResourceType")?,
                drift: match drift {
                    Some(status) => read.parse(Some(status.as_str()), "StackResourceDriftStatus")?,
                    None => ResourceDriftStatus::NotChecked,
                },
            })
        });
        Ok(Page { items: items.collect::<Result<_, _>>()?, next: answer.next_token })
    }

    async fn drifts(&self, stack: &StackId, page: Option<PageToken>) -> Result<Page<ResourceDrift>, PortError> {
        const OPERATION: &str = "DescribeStackResourceDrifts";
        let call = self.stacks.describe_stack_resource_drifts().stack_name(stack.as_str());
        let answer = call.max_results(PAGE).set_next_token(page).send().await;
        let answer = answer.map_err(|e| port_error(OPERATION, e, &[]))?;
        let found = answer.stack_resource_drifts.unwrap_or_default().into_iter();
        let items = found.map(|drift| resource(Reader(OPERATION), drift)).collect::<Result<_, _>>()?;
        Ok(Page { items, next: answer.next_token })
    }
}

/// Of a stack whose deletion failed, AWS lists what it has deleted, too.
fn is_there(found: &sdk::StackResourceSummary) -> bool {
    let status = found.resource_status.as_ref();
    !matches!(status, Some(sdk::ResourceStatus::DeleteComplete | sdk::ResourceStatus::DeleteSkipped))
}

fn resource(read: Reader, found: sdk::StackResourceDrift) -> Result<ResourceDrift, PortError> {
    let status = found.stack_resource_drift_status.as_ref().map(sdk::StackResourceDriftStatus::as_str);
    let status = read.parse(status, "StackResourceDriftStatus")?;
    let differences = found.property_differences.unwrap_or_default().into_iter().map(|difference| {
        let how = difference.difference_type.as_ref().map(sdk::DifferenceType::as_str);
        Ok(PropertyDrift {
            how: read.parse(how, "DifferenceType")?,
            path: read.need(difference.property_path, "PropertyPath")?,
            expected: difference.expected_value.unwrap_or_default(),
            live: difference.actual_value.unwrap_or_default(),
        })
    });
    Ok(ResourceDrift {
        resource: read.need(found.logical_resource_id, "LogicalResourceId")?,
        physical_id: found.physical_resource_id.filter(|id| !id.is_empty()),
        kind: read.need(found.resource_type, "ResourceType")?,
        status,
        reason: found.drift_status_reason.filter(|reason| !reason.is_empty()),
        differences: differences.collect::<Result<_, _>>()?,
    })
}

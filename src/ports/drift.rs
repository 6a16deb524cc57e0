//! What `CloudFormation` finds out about drift, of the stacks of one account in one region.

use async_trait::async_trait;

use super::{Page, PageToken, PortError};
use crate::model::{Detection, DetectionId, ResourceDrift, ResourceState, StackId};

/// What `CloudFormation` finds out about drift, of the stacks of one account in one region.
///
/// A detection compares only properties that the template names, does not follow nested stacks, and changes nothing but
/// its own results (AWS: *Detect unmanaged configuration changes*).
#[async_trait]
pub trait Drift: Send + Sync {
    /// Begins a detection of the whole stack. Answers `Conflict` while another one runs, or an operation on the stack.
    async fn detect(&self, stack: &StackId) -> Result<DetectionId, PortError>;

    /// The stack that a resource belongs to, and its logical id there, by its physical id; none: it belongs to none (AWS:
    /// *`DescribeStackResources`*, `PhysicalResourceId`).
    async fn owner(&self, physical_id: &str) -> Result<Option<(StackId, String)>, PortError>;

    /// Compares one resource, and answers when that is done (AWS: *`DetectStackResourceDrift`*).
    async fn compare(&self, stack: &StackId, resource: &str) -> Result<ResourceDrift, PortError>;

    /// How far a detection is.
    async fn detection(&self, id: &DetectionId) -> Result<Detection, PortError>;

    /// One page of a stack's resources, with what the last detection made of each.
    async fn resources(&self, stack: &StackId, page: Option<PageToken>) -> Result<Page<ResourceState>, PortError>;

    /// One page of what the last detection found, of resources that it could check.
    async fn drifts(&self, stack: &StackId, page: Option<PageToken>) -> Result<Page<ResourceDrift>, PortError>;
}

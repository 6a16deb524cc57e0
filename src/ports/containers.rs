//! ECS services, their tasks and task definitions, and the images of ECR, of one account in one region.

use async_trait::async_trait;

/// ECS services, their tasks and task definitions, and the images of ECR, of one account in one region.
#[async_trait]
pub trait Containers: Send + Sync {}

//! `ports::Containers`, simulated.

use async_trait::async_trait;

use super::cloud::SimDoor;
use crate::ports::Containers;

#[async_trait]
impl Containers for SimDoor {}

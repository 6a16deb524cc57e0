//! `ports::Records`, simulated.

use async_trait::async_trait;

use super::cloud::SimDoor;
use crate::ports::Records;

#[async_trait]
impl Records for SimDoor {}

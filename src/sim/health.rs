//! `ports::Health`, simulated.

use async_trait::async_trait;

use super::cloud::SimDoor;
use crate::ports::Health;

#[async_trait]
impl Health for SimDoor {}

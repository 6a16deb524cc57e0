//! `ports::Secrets`, simulated.

use async_trait::async_trait;

use super::cloud::SimDoor;
use crate::ports::Secrets;

#[async_trait]
impl Secrets for SimDoor {}

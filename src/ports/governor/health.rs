//! The governed door to [`Health`].

use async_trait::async_trait;

use super::door::Door;
use crate::ports::Health;

#[async_trait]
impl Health for Door<dyn Health> {}

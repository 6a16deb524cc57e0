//! The governed door to [`Containers`].

use async_trait::async_trait;

use super::door::Door;
use crate::ports::Containers;

#[async_trait]
impl Containers for Door<dyn Containers> {}

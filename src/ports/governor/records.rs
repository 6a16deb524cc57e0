//! The governed door to [`Records`].

use async_trait::async_trait;

use super::door::Door;
use crate::ports::Records;

#[async_trait]
impl Records for Door<dyn Records> {}

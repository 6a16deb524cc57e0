//! The governed door to [`Secrets`].

use async_trait::async_trait;

use super::door::Door;
use crate::ports::Secrets;

#[async_trait]
impl Secrets for Door<dyn Secrets> {}

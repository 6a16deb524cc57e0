//! The queue that events of AWS arrive in.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::PortError;
pub use crate::model::QueueState;

/// Messages that one call answers with or deletes, at most (AWS: *`ReceiveMessage`*, `MaxNumberOfMessages`;
/// *`DeleteMessageBatch`*).
pub const MESSAGES_MAX: usize = 10;

/// The queue that events of AWS arrive in (AWS: *Amazon SQS standard queues*): each at least once, in any order.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Up to [`MESSAGES_MAX`] messages. Waits for one for up to `wait`, at most 20 s. What is received is hidden from other
    /// receivers for `hidden`, and arrives again after that if it is not deleted.
    async fn receive(&self, wait: Duration, hidden: Duration) -> Result<Vec<Message>, PortError>;

    /// Deletes up to [`MESSAGES_MAX`] messages, and answers with the receipts of those that were not deleted, and why.
    async fn delete(&self, receipts: &[String]) -> Result<Vec<(String, PortError)>, PortError>;

    /// How it is set up.
    async fn state(&self) -> Result<QueueState, PortError>;
}

/// A message that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its text: an event as EventBridge sends it.
    pub body: String,
    /// What deletes it.
    pub receipt: String,
    /// When it came to the queue.
    pub sent: Option<Timestamp>,
    /// How often it was received, this time included.
    pub received: u32,
}

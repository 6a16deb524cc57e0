//! One line of the journal.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{Conclusion, Key};
use crate::ports::{Class, PortError};

/// Something that was attempted, and how it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Counts up by one with every record; the store sets it.
    pub sequence: u64,
    /// When it was written; the store sets it.
    pub at: Timestamp,
    /// The fencing epoch of the process that wrote it; the store sets it.
    pub epoch: u64,
    /// The object.
    pub key: Key,
    /// The sequence of the revision that it was done for.
    pub revision: u64,
    /// What was done, as a verb: `create`.
    pub step: String,
    /// The idempotency token of the call, where it had one.
    pub token: Option<String>,
    /// For people.
    pub detail: String,
    /// How it went.
    pub outcome: RecordOutcome,
}

/// How something that was attempted went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RecordOutcome {
    /// It is about to be sent: written before the call.
    Begun,
    /// The call succeeded.
    Done,
    /// The call failed.
    Failed {
        /// What sort of failure.
        class: Class,
        /// The error, without secrets.
        message: String,
    },
    /// The operation that the call began has come to an end.
    Concluded(Conclusion),
}

impl RecordOutcome {
    /// What a call came to.
    #[must_use]
    pub fn of<T>(answer: &Result<T, PortError>) -> Self {
        match answer {
            Ok(_) => Self::Done,
            Err(error) => Self::Failed { class: error.class, message: error.to_string() },
        }
    }
}

impl Record {
    /// A record without token and detail. Sequence, time and epoch are set when it is stored.
    #[must_use]
    pub fn new(key: Key, revision: u64, step: impl Into<String>, outcome: RecordOutcome) -> Self {
        Self {
            sequence: 0,
            at: Timestamp::UNIX_EPOCH,
            epoch: 0,
            key,
            revision,
            step: step.into(),
            token: None,
            detail: String::new(),
            outcome,
        }
    }

    /// The same, with the idempotency token of the call.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// The same, with a detail for people.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }
}

/// Whether a step has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Begun {
    /// That it begins is written down: now it is sent.
    Begun,
    /// Something holds it; nothing was written down.
    Held,
}

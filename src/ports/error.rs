//! What can go wrong with a call.

use std::error::Error;

use serde::{Deserialize, Serialize};

/// What to do about a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Class {
    /// It may succeed if tried again: 5xx, connection lost, timeout. Whether it took effect is not known.
    Transient,
    /// Too many calls: try again, more slowly. It did not take effect.
    Throttled,
    /// The object is not in the state that the call needs (another operation is running, it exists already, the token
    /// was used): look again.
    Conflict,
    /// Not allowed, or the credentials are not good.
    Denied,
    /// The request can never succeed as it is.
    Invalid,
    /// There is no such object.
    NotFound,
    /// An account limit is reached.
    Limit,
    /// It was refused on our side before anything was sent: the lease is lost, or the daemon is stopping.
    Stopped,
}

/// A call that failed.
#[derive(Debug, thiserror::Error)]
#[error("{operation} failed: {message}{}", code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default())]
pub struct PortError {
    /// What to do about it.
    pub class: Class,
    /// The API operation: `DescribeStacks`.
    pub operation: &'static str,
    /// AWS's error code, where there was an answer.
    pub code: Option<String>,
    /// AWS's message, or what happened to the connection.
    pub message: String,
    /// AWS's request id, for a support case.
    pub request_id: Option<String>,
    /// The underlying error, where there is one.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl PortError {
    /// An error without an answer from AWS behind it.
    #[must_use]
    pub fn new(class: Class, operation: &'static str, message: impl Into<String>) -> Self {
        Self { class, operation, code: None, message: message.into(), request_id: None, source: None }
    }

    /// The same, with AWS's code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }
}

/// `None` where AWS says that there is no such thing. For reads of what may be gone; elsewhere it is an error.
///
/// # Errors
///
/// Every other error of the call.
pub fn found<T>(answer: Result<T, PortError>) -> Result<Option<T>, PortError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.class == Class::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

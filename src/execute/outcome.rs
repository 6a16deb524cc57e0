//! How a step went. Never an error: what went wrong is told, and the next look starts from what is.

use crate::ports::{Class, PortError};
use crate::store::StoreError;

/// How a step went.
#[derive(Debug)]
pub enum Outcome {
    /// It was done.
    Done,
    /// Its precondition no longer holds: nothing was sent.
    Moved(String),
    /// A freeze or a maintenance window holds it, or its approval has ended: nothing was sent.
    Held,
    /// It was refused by AWS, or before it got there; it did not take effect.
    Failed(PortError),
    /// It was sent, and whether it took effect is not known. The next look finds out.
    Ambiguous(PortError),
    /// The journal could not be written: nothing was sent.
    NotJournaled(StoreError),
}

impl Outcome {
    /// The step went as planned.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }
}

impl From<PortError> for Outcome {
    fn from(error: PortError) -> Self {
        match error.class {
            // Answered with a conflict, a mutation may be one of ours that took effect unseen.
            Class::Transient | Class::Conflict => Self::Ambiguous(error),
            _ => Self::Failed(error),
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Moved(why) => write!(f, "skipped: the stack changed since the plan: {why}"),
            Self::Held => {
                f.write_str("not begun: a freeze or a maintenance window holds it, or its approval has ended")
            }
            Self::Failed(error) => write!(f, "{error}"),
            Self::Ambiguous(error) => write!(f, "{error}; checking whether it took effect"),
            Self::NotJournaled(error) => write!(f, "request not sent: {error}"),
        }
    }
}

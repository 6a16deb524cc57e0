//! What the simulation cannot do and `CloudFormation` can.
//!
//! It is said by name, with an error code of its own, and never taken for the template's fault: AWS's own words are used only
//! for what AWS would refuse too.

use std::fmt::Display;

use crate::ports::{Class, PortError};

/// The error code of what only the simulation cannot do. AWS has no such code.
pub(super) const CODE: &str = "SimulationLimit";

/// Why a request is refused.
#[derive(Debug)]
pub(super) enum Refusal {
    /// In AWS's words: the request can never succeed as it is.
    Aws(String),
    /// The simulation cannot do this.
    Limit(String),
}

impl Refusal {
    /// A limit of the simulation: `what` goes on after "the simulation cannot".
    pub(super) fn cannot(what: impl Display) -> Self {
        Self::Limit(format!("the simulation cannot {what}. AWS CloudFormation can; the template is not at fault"))
    }

    /// The error of a call.
    pub(super) fn of(self, operation: &'static str) -> PortError {
        match self {
            Self::Aws(reason) => invalid(operation, reason),
            Self::Limit(reason) => PortError::new(Class::Invalid, operation, reason).with_code(CODE),
        }
    }
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self::Aws(reason)
    }
}

impl From<&str> for Refusal {
    fn from(reason: &str) -> Self {
        Self::Aws(reason.to_owned())
    }
}

/// `ValidationError`: the request can never succeed as it is.
pub(super) fn invalid(operation: &'static str, message: impl Into<String>) -> PortError {
    PortError::new(Class::Invalid, operation, message).with_code("ValidationError")
}

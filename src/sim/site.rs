//! What a web server does when it is asked.

use serde::{Deserialize, Serialize};

/// What a web server does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Site {
    /// It answers.
    Answers {
        /// With this status.
        status: u16,
        /// And this body.
        body: String,
    },
    /// Nobody listens.
    Refuses,
    /// It takes the connection and says nothing.
    Silent,
    /// The request cannot be made from where we are.
    OutOfReach,
}

//! Why a Git host could not be told.

use std::time::Duration;

/// What went wrong between us and a Git host's API. The texts hold no credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForgeError {
    /// It could not be asked, or has failed itself: another time it may work.
    #[error("the Git host's API could not be reached: {0}")]
    Unreachable(String),
    /// It asks for a pause.
    #[error("the Git host's API limits requests; next attempt in {}", humantime::format_duration(Duration::from_secs(.0.as_secs())))]
    Later(Duration),
    /// It refuses this, and will again.
    #[error("the Git host's API refused the request ({status}): {why}")]
    Refused {
        /// The status of its answer.
        status: u16,
        /// What it says.
        why: String,
    },
    /// We have nothing to show it, or it does not say who we are.
    #[error("no credentials for feedback: {0}")]
    Credentials(String),
    /// Its answer is none that is understood.
    #[error("the Git host's answer is not understood: {0}")]
    Answer(String),
}

//! One immutable state of the manifests.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Digest;

/// A revision of the manifests. `sequence` orders the revisions that this installation has loaded: a step made for
/// an older one is dropped when a newer one is known (invariant S8).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Revision {
    /// Counts up by one with every change that was loaded; persisted, so that it survives a restart.
    pub sequence: u64,
    /// The digest of every file that was read.
    pub content: Digest,
    /// What Git calls it, where the manifests are in a work tree.
    pub commit: Option<String>,
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.commit {
            Some(commit) => write!(f, "{}", commit.get(..12).unwrap_or(commit)),
            None => write!(f, "{}", self.content),
        }
    }
}

//! One immutable state of the manifests.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Digest;

/// A revision of the manifests. `sequence` orders the revisions that this installation has loaded: a step made for
/// an older one is dropped when a newer one is known. Where the manifests are in a Git work tree, history says also which
/// of two commits is older, whichever was loaded first ([`Ancestry`]; invariant S8).
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
            Some(commit) => f.write_str(short_commit(commit)),
            None => write!(f, "{}", self.content),
        }
    }
}

/// A commit's id as people write it.
#[must_use]
pub fn short_commit(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

/// How a commit stands to another, by Git's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ancestry {
    /// It is the same.
    Same,
    /// The other is its ancestor.
    Newer,
    /// It is an ancestor of the other.
    Older,
    /// Neither is an ancestor of the other: another branch, or history that was rewritten.
    Diverged,
    /// The history that would say it is not there: a shallow clone, or a commit that is gone.
    Unknown,
}

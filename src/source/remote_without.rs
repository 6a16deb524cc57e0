//! A build that fetches nothing follows no repository on a host.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::Timestamp;

use super::chosen::Chosen;
use crate::model::{Ancestry, EnvName, GitSource, Revision, Snapshot};

/// Why a repository is not followed.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// Git is left out.
    #[error("this build does not support Git sources: build with the feature `git`")]
    Without,
}

/// There are no clones.
pub fn forget_others(_: &Path, _: &[Remote]) {}

/// A repository that is not followed.
#[derive(Clone, Debug)]
pub struct Remote {
    source: GitSource,
}

impl Remote {
    /// The repository of a source.
    #[must_use]
    pub fn new(source: GitSource, _: &Path) -> Self {
        Self { source }
    }

    /// What would be followed.
    #[must_use]
    pub fn source(&self) -> &GitSource {
        &self.source
    }

    /// Always fails.
    ///
    /// # Errors
    /// Nothing is fetched.
    pub fn choose(
        &self,
        _: &BTreeMap<EnvName, Revision>,
        _: Option<&str>,
        _: Timestamp,
        _: Option<&Chosen>,
    ) -> Result<Chosen, RemoteError> {
        Err(RemoteError::Without)
    }

    /// Nothing is.
    #[must_use]
    pub fn may_follow(&self, _: &str, _: Timestamp) -> bool {
        false
    }

    /// Nothing is known of commits.
    #[must_use]
    pub fn ancestry(&self, _: &str, _: &str) -> Ancestry {
        Ancestry::Unknown
    }

    /// Always fails.
    ///
    /// # Errors
    /// Nothing was fetched.
    pub fn read(&self, _: &str, _: &BTreeSet<String>) -> Result<Snapshot, RemoteError> {
        Err(RemoteError::Without)
    }

    /// Always fails.
    ///
    /// # Errors
    /// Nothing is fetched.
    pub fn find(&self, _: &str, _: Timestamp) -> Result<String, RemoteError> {
        Err(RemoteError::Without)
    }

    /// Always fails.
    ///
    /// # Errors
    /// Nothing was fetched.
    pub fn read_aside(&self, _: &str, _: &BTreeSet<String>) -> Result<Snapshot, RemoteError> {
        Err(RemoteError::Without)
    }
}

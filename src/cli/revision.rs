//! One commit, named by a person or by a pull request: planned, and neither checked out nor followed.
//!
//! It is held against nothing that was accepted before: what it would do if it were followed is the question.

use std::fmt;
use std::path::Path;

use super::args::Global;
use super::directory::with_aside;
use super::exit::Trouble;
use super::history::History;
use super::manifests::{Against, Fixed, Manifests, Read, real_time, trouble};
use super::place;
use crate::manifest;
use crate::model::{EnvName, Revision, Snapshot, short_commit};
use crate::source::{LocalCommit, Remote, SourceError};

/// A commit, and where it is read from.
#[derive(Clone)]
pub(super) enum Pinned {
    /// The repository that the manifests' directory is in.
    Local(LocalCommit),
    /// A repository on a host.
    Hosted {
        /// The repository.
        remote: Box<Remote>,
        /// The commit.
        commit: String,
        /// All repositories that are followed: each environment is of one of them.
        all: Manifests,
    },
}

impl Pinned {
    /// The commit of this name: in the repository that is followed, or in the one that the directory is in. `words` are
    /// what the command is about: they say which repository is meant, where there are several.
    pub(super) fn find(manifests: &Manifests, global: &Global, words: &[String], name: &str) -> Result<Self, Trouble> {
        let remote = match manifests.remotes() {
            [] => {
                let root = place::root(global);
                let root: &Path = manifests.directory().unwrap_or(&root);
                let local = LocalCommit::find(root, name).map_err(|why| Trouble::Source(SourceError::Commit(why)))?;
                return Ok(Self::Local(local));
            }
            [one] => one,
            several => {
                let named = words.first().map(String::as_str).or(global.env.as_deref());
                let environment = named.and_then(|word| word.split('/').next()?.parse().ok());
                let of_it = environment.and_then(|environment| manifests.remote_of(&environment));
                of_it.ok_or_else(|| {
                    let all: Vec<&str> = several.iter().map(|remote| remote.source().name.as_str()).collect();
                    Trouble::WhichSource(all.join(", "))
                })?
            }
        };
        let commit = remote.find(name, real_time()).map_err(|why| trouble(remote.source(), &why.to_string()))?;
        Ok(Self::hosted(manifests, remote, commit))
    }

    /// A commit of one of the repositories that are followed.
    pub(super) fn hosted(manifests: &Manifests, remote: &Remote, commit: String) -> Self {
        Self::Hosted { remote: Box::new(remote.clone()), commit, all: manifests.clone() }
    }

    /// Its id.
    pub(super) fn commit(&self) -> &str {
        match self {
            Self::Local(local) => &local.commit,
            Self::Hosted { commit, .. } => commit,
        }
    }

    fn snapshot(&self) -> Result<Snapshot, Trouble> {
        match self {
            Self::Local(local) => {
                with_aside(|opened| local.read(opened)).map_err(|why| Trouble::Source(SourceError::Commit(why)))
            }
            Self::Hosted { remote, commit, .. } => with_aside(|opened| remote.read_aside(commit, opened))
                .map_err(|why| trouble(remote.source(), &why.to_string())),
        }
    }
}

impl Fixed for Pinned {
    fn load(&self, against: &Against) -> Result<Read, Trouble> {
        let snapshot = self.snapshot()?;
        let revision = Revision { sequence: 0, content: snapshot.content.clone(), commit: snapshot.commit.clone() };
        let mut loaded = manifest::load_under(&snapshot, revision.clone(), &against.operator);
        if let Self::Hosted { remote, all, .. } = self {
            let name = &remote.source().name;
            let is_ours =
                |environment: &EnvName| all.remote_of(environment).is_some_and(|of| of.source().name == *name);
            loaded.desired.environments.retain(|name, _| is_ours(name));
            loaded.broken.retain(is_ours);
        }
        Ok((loaded, History::nothing(revision)))
    }
}

impl fmt::Display for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "commit {}", short_commit(self.commit()))
    }
}

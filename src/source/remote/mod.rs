//! A Git repository on a host, followed by Landfast itself: fetched into a clone of its own, judged, and read from there.
//!
//! Two things are kept apart. What the host shows is fetched and is somebody else's word. What is followed is decided by
//! [`accept`] from what our own store remembers. Where the two differ, or the host is gone, the last good commit goes on:
//! its objects are in the clone.

mod accept;
mod authority;
mod bare;
mod bound;
mod credentials;
mod error;
mod fetch;
mod forget;
mod fork;
#[cfg(feature = "openpgp")]
mod openpgp;
#[cfg(not(feature = "openpgp"))]
#[path = "openpgp_without.rs"]
mod openpgp;
mod preview;
mod seen;
mod signature;
mod signers;
#[cfg(feature = "ssh")]
mod ssh;
#[cfg(not(feature = "ssh"))]
#[path = "ssh_without.rs"]
mod ssh;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gix::{ObjectId, Repository};
use jiff::Timestamp;

use self::accept::{Signed, Verdict};
use self::bare::Place;
use self::credentials::Tokens;
pub use self::credentials::secret;
pub use self::error::RemoteError;
pub use self::forget::forget_others;
use super::chosen::Chosen;
use super::{history, tree};
use crate::model::{Ancestry, EnvName, GitSource, Redacted, Revision, Snapshot, short_commit};

/// A repository that is followed, and its clone.
#[derive(Clone, Debug)]
pub struct Remote {
    source: GitSource,
    place: Place,
    tokens: Tokens,
}

impl Remote {
    /// The repository of a source, cloned into a state directory.
    #[must_use]
    pub fn new(source: GitSource, state: &Path) -> Self {
        let place = Place { directory: state.join("git").join(source.place()) };
        Self { source, place, tokens: Tokens::default() }
    }

    /// What is followed.
    #[must_use]
    pub fn source(&self) -> &GitSource {
        &self.source
    }

    /// Fetches, and says which commit to follow. `accepted` is what the environments of this source follow; `named` is a
    /// commit that a person accepts whatever history says. What was `fetched` just now is not fetched again. This blocks, for little longer than the source's timeout.
    ///
    /// # Errors
    /// There is none: nothing was ever fetched, or nothing that was fetched may be followed.
    pub fn choose(
        &self,
        accepted: &BTreeMap<EnvName, Revision>,
        named: Option<&str>,
        now: Timestamp,
        fetched: Option<&Chosen>,
    ) -> Result<Chosen, RemoteError> {
        let stale = match fetched {
            Some(chosen) => chosen.stale.clone(),
            None => match self.fetch(accepted, now) {
                Ok(()) => None,
                Err(why) if self.known().is_some() => Some(why.to_string()),
                Err(why) => return Err(why),
            },
        };
        let repository = self.place.open()?;
        let Some((tip, tag)) = bare::tip(&repository)? else {
            return Err(RemoteError::Objects("the newest commit is missing".to_owned()));
        };
        let commit = tip.to_string();
        let ancestry = |of: &str, to: &str| history::between(&repository, of, to);
        let signed = self.signed(&repository, tip, tag, now)?;
        match accept::judge(&commit, accepted, named, &signed, ancestry) {
            Verdict::Follow => Ok(Chosen { newest: commit.clone(), commit, stale, refused: None }),
            Verdict::Refuse(why) => {
                let good = self.last_good(&repository, accepted, &why, now)?;
                Ok(Chosen { commit: good, stale, refused: Some(why), newest: commit })
            }
        }
    }

    /// The commit that goes on although the newest is refused. It needs a good signature like any other.
    fn last_good(
        &self,
        repository: &Repository,
        accepted: &BTreeMap<EnvName, Revision>,
        why: &str,
        now: Timestamp,
    ) -> Result<String, RemoteError> {
        let refused = |more: String| RemoteError::Refused(format!("{why}{more}"));
        let last = accept::last_good(accepted, |of, to| history::between(repository, of, to));
        let Some(last) = last else { return Err(refused(String::new())) };
        let missing = || refused(format!("; the last accepted commit {} is not in the clone", short_commit(&last)));
        let id = ObjectId::from_hex(last.as_bytes()).map_err(|_| missing())?;
        if !repository.has_object(id) {
            return Err(missing());
        }
        match self.signed(repository, id, None, now)? {
            Signed::Not(wrong) => {
                Err(refused(format!("; nor is the last accepted commit {}: {wrong}", short_commit(&last))))
            }
            Signed::NotAsked | Signed::By(_) => Ok(last),
        }
    }

    /// Whether a commit that was accepted before may still be followed: it is in the clone, and has the signature that is
    /// asked for.
    #[must_use]
    pub fn may_follow(&self, commit: &str, now: Timestamp) -> bool {
        let check = || {
            let (repository, id) = (self.place.open().ok()?, ObjectId::from_hex(commit.as_bytes()).ok()?);
            repository.has_object(id).then(|| self.signed(&repository, id, None, now).ok())?
        };
        matches!(check(), Some(Signed::NotAsked | Signed::By(_)))
    }

    fn signed(
        &self,
        repository: &Repository,
        commit: ObjectId,
        tag: Option<ObjectId>,
        now: Timestamp,
    ) -> Result<Signed, RemoteError> {
        let (ssh, openpgp) = (self.source.signers.as_deref(), self.source.openpgp_keys.as_deref());
        if ssh.is_none() && openpgp.is_none() {
            return Ok(Signed::NotAsked);
        }
        let allowed = signature::Allowed::read(ssh, openpgp)?;
        let seen = seen::first(&self.place.seen(), &commit.to_string(), now)?;
        signature::check(repository, commit, tag, &allowed, seen)
    }

    /// The newest commit that was fetched.
    fn known(&self) -> Option<String> {
        let repository = self.place.open().ok()?;
        Some(bare::tip(&repository).ok()??.0.to_string())
    }

    fn fetch(&self, accepted: &BTreeMap<EnvName, Revision>, now: Timestamp) -> Result<(), RemoteError> {
        let needs_only_tip = self.known().is_some_and(|tip| accept::only_needs(&tip, accepted));
        fetch::fetch(fetch::Wanted {
            source: self.source.clone(),
            place: self.place.clone(),
            accepted: accepted.values().filter_map(|revision| revision.commit.clone()).collect(),
            anew: needs_only_tip && self.place.has_grown(),
            tokens: self.tokens.clone(),
            now,
        })
    }

    /// What feedback is given with: a token, and the GitHub App that it is of, if it is one's. This may block for as long as
    /// it takes to be given one.
    ///
    /// # Errors
    /// There is none.
    pub fn feedback_token(&self, now: Timestamp) -> Result<(Redacted, Option<String>), RemoteError> {
        credentials::of_feedback(&self.source, &self.tokens, now)
    }

    /// How one commit stands to another, as far as the clone knows. This blocks while it reads.
    #[must_use]
    pub fn ancestry(&self, of: &str, to: &str) -> Ancestry {
        self.place.open().map_or(Ancestry::Unknown, |repository| history::between(&repository, of, to))
    }

    /// Reads the manifests of a commit. Of what is passed over by name, the files below those that are `opened` are read
    /// too, aside.
    ///
    /// # Errors
    /// The clone does not have them, or they are too many.
    pub fn read(&self, commit: &str, opened: &BTreeSet<String>) -> Result<Snapshot, RemoteError> {
        self.read_in(&self.place.open()?, commit, opened)
    }

    fn read_in(
        &self,
        repository: &Repository,
        commit: &str,
        opened: &BTreeSet<String>,
    ) -> Result<Snapshot, RemoteError> {
        let id = ObjectId::from_hex(commit.as_bytes()).map_err(|error| RemoteError::Objects(error.to_string()))?;
        let path = if self.source.path.is_empty() { String::new() } else { format!("/{}", self.source.path) };
        let shown = format!("{}@{}{path}", self.source.url, short_commit(commit));
        Ok(tree::read(repository, id, &self.source.path, &shown, opened)?)
    }
}

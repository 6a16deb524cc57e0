//! Commits that are looked at and not followed: heads of pull requests, and what a person names.
//!
//! They are fetched into a clone of their own, without the history of the branch (`fork.rs`). So nothing that a stranger has pushed is ever in
//! the clone that is followed, and what is known of its history does not change by a look.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use gix::ObjectId;
use gix::remote::fetch::Shallow;
use jiff::Timestamp;

use super::bare::Place;
use super::fetch::{self, Wanted};
use super::{Remote, RemoteError};
use crate::model::{GitRef, Snapshot};
use crate::source::commit::resolve;

impl Remote {
    pub(super) fn aside(&self) -> Place {
        Place { directory: self.place.directory.join("preview") }
    }

    /// The id of the commit that is called so: an id, a branch, a tag, or a full name (`refs/pull/7/head`). What is not
    /// known is fetched, and so is every name that may have moved. This blocks, for little longer than the source's timeout.
    ///
    /// # Errors
    /// The repository has no such commit, or cannot be asked.
    pub fn find(&self, name: &str, now: Timestamp) -> Result<String, RemoteError> {
        if is_id(name) {
            if let Some(known) = self.known_as(name) {
                return Ok(known);
            }
            if name.len() >= 40 {
                return self.fetch_one(name, name, now);
            }
        }
        let names = match name.strip_prefix("refs/") {
            Some(_) => vec![name.to_owned()],
            None if name == "HEAD" => vec!["HEAD".to_owned()],
            None => vec![format!("refs/heads/{name}"), format!("refs/tags/{name}")],
        };
        let plain = GitRef::branch(name.strip_prefix("refs/").unwrap_or(name));
        plain.map_err(|_| RemoteError::NoReference(format!("branch, tag or commit `{name}`")))?;
        let mut missing = None;
        for full in names {
            match self.fetch_one(&full, name, now) {
                Err(why @ RemoteError::NoReference(_)) => missing = Some(why),
                found => return found,
            }
        }
        Err(missing.unwrap_or_else(|| RemoteError::NoReference(name.to_owned())))
    }

    /// Reads the manifests of a commit that [`Remote::find`] has found.
    ///
    /// # Errors
    /// Neither clone has them, or they are too many.
    pub fn read_aside(&self, commit: &str, opened: &BTreeSet<String>) -> Result<Snapshot, RemoteError> {
        let id = ObjectId::from_hex(commit.as_bytes()).map_err(|error| RemoteError::Objects(error.to_string()))?;
        match self.place.open() {
            Ok(followed) if followed.has_object(id) => self.read_in(&followed, commit, opened),
            _ => self.read_in(&self.aside().open()?, commit, opened),
        }
    }

    /// The whole id of a commit that is in one of the clones.
    fn known_as(&self, id: &str) -> Option<String> {
        let places = [self.place.open().ok(), self.aside().open().ok()];
        places.into_iter().flatten().find_map(|repository| Some(resolve(&repository, id)?.to_string()))
    }

    fn fetch_one(&self, full: &str, shown: &str, now: Timestamp) -> Result<String, RemoteError> {
        self.fetch_aside(full, shown, "refs/landfast/preview", Shallow::DepthAtRemote(NonZeroU32::MIN), now)
    }

    /// Fetches what the repository calls `full` with no more than `so_much` of its history, and says which commit it is.
    pub(super) fn fetch_aside(
        &self,
        full: &str,
        shown: &str,
        to: &str,
        so_much: Shallow,
        now: Timestamp,
    ) -> Result<String, RemoteError> {
        let place = self.aside();
        let wanted = Wanted {
            source: self.source.clone(),
            place: place.clone(),
            accepted: Vec::new(),
            anew: place.has_grown(),
            tokens: self.tokens.clone(),
            now,
        };
        let fetched = fetch::fetch_alone(wanted, full.to_owned(), to.to_owned(), so_much);
        fetched.map_err(|why| match why {
            RemoteError::NoReference(_) => RemoteError::NoReference(format!("branch, tag or commit `{shown}`")),
            why => why,
        })?;
        let repository = place.open()?;
        let commit = resolve(&repository, to).ok_or_else(|| RemoteError::Objects(format!("{shown} is no commit")))?;
        Ok(commit.to_string())
    }
}

/// Whether it can be nothing but an id, whole or in part.
fn is_id(name: &str) -> bool {
    (7..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

//! Where a commit that is looked at has left the branch that is followed (Git's *merge base*). What a pull request changes is
//! what differs from there: what others have merged since is not its doing.
//!
//! The host leaves out what the branch has, so that no more than the commits of a pull request is fetched; their parents
//! beyond are on the branch. Where several are, the clone that is followed says which of them is the newest.

use std::collections::BTreeSet;

use gix::refs::PartialName;
use gix::remote::fetch::Shallow;
use gix::{ObjectId, Repository};
use jiff::Timestamp;

use super::{Remote, RemoteError};
use crate::model::Ancestry;
use crate::source::history;

/// More commits than a pull request has that people review.
const MOST: usize = 1000;

impl Remote {
    /// The commit that [`Remote::find`] would find, and where it has left the branch; where that is not known, the commit
    /// that is `followed`. This blocks, for little longer than the source's timeout.
    ///
    /// # Errors
    /// The repository has no such commit, or cannot be asked.
    pub fn find_with_base(&self, name: &str, followed: &str, now: Timestamp) -> Result<(String, String), RemoteError> {
        let own = || {
            let branch = PartialName::try_from(self.source.reference.full_name()).ok()?;
            let own = Shallow::Exclude { remote_refs: vec![branch], since_cutoff: None };
            self.fetch_aside(name, name, "refs/landfast/preview", own, now).ok()
        };
        // A host refuses where nothing is left: the branch has all of it.
        let head = match own() {
            Some(head) => head,
            None => self.find(name, now)?,
        };
        let base = self.base(&head, followed, now).unwrap_or_else(|| followed.to_owned());
        Ok((head, base))
    }

    fn base(&self, head: &str, followed: &str, now: Timestamp) -> Option<String> {
        let (known, aside) = (self.place.open().ok()?, self.aside().open().ok()?);
        let is_merged = |commit: &str, into: &str| {
            matches!(history::between(&known, commit, into), Ancestry::Same | Ancestry::Older)
        };
        if is_merged(head, followed) {
            return Some(head.to_owned());
        }
        let head = ObjectId::from_hex(head.as_bytes()).ok()?;
        let bases = beyond(&aside, head, |parent| is_merged(&parent.to_string(), followed))?;
        let bases: Vec<String> = bases.iter().map(ToString::to_string).collect();
        // What the clone does not have of the branch is older than what it has.
        let has = |commit: &str| ObjectId::from_hex(commit.as_bytes()).is_ok_and(|id| known.has_object(id));
        let is_older = |other: &String, base: &String| is_merged(other, base) || has(base) && !has(other);
        let newest = |base: &&String| bases.iter().all(|other| other == *base || is_older(other, base));
        let base = if let [base] = bases.as_slice() { base } else { bases.iter().find(newest)? };
        let id = ObjectId::from_hex(base.as_bytes()).ok()?;
        if !known.has_object(id) && !aside.has_object(id) {
            let once = Shallow::DepthAtRemote(std::num::NonZeroU32::MIN);
            self.fetch_aside(base, base, &place_of(id), once, now).ok()?;
        }
        Some(base.clone())
    }
}

/// Where a commit is kept that was fetched because it is on the branch.
fn place_of(base: ObjectId) -> String {
    format!("refs/landfast/base/{base}")
}

/// The commits of the branch that a commit's own ones come from; `None`: there are too many, or some are missing.
fn beyond(aside: &Repository, head: ObjectId, is_merged: impl Fn(ObjectId) -> bool) -> Option<BTreeSet<ObjectId>> {
    let is_base = |id: ObjectId| matches!(aside.try_find_reference(place_of(id).as_str()), Ok(Some(_)));
    let (mut bases, mut seen, mut open) = (BTreeSet::new(), BTreeSet::new(), vec![head]);
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        if seen.len() > MOST {
            return None;
        }
        for parent in aside.find_commit(id).ok()?.parent_ids().map(gix::Id::detach) {
            if is_merged(parent) || is_base(parent) || !aside.has_object(parent) {
                bases.insert(parent);
            } else {
                open.push(parent);
            }
        }
    }
    Some(bases)
}

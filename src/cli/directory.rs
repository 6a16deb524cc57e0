//! A directory of manifests, and what of it is followed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::exit::Trouble;
use crate::manifest;
use crate::model::{EnvName, Environment, Revision, Snapshot};
use crate::operator::Operator;
use crate::source::{self, Kept};

/// The directory.
pub(super) struct Directory {
    root: PathBuf,
    /// Where what is followed is kept.
    kept: Option<Kept>,
    /// What was loaded last, until it is decided whether that is followed.
    loaded: Mutex<Option<Snapshot>>,
}

impl Directory {
    /// The directory at this path, of which this state directory keeps what is followed.
    pub(super) fn new(root: PathBuf, state: Option<&Path>) -> Self {
        Self { root, kept: state.map(Kept::within), loaded: Mutex::default() }
    }

    /// Where it is.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// These files of it were loaded.
    pub(super) fn has_loaded(&self, snapshot: Snapshot) {
        *self.last() = Some(snapshot);
    }

    /// How these environments were in the revisions that they follow, as far as those were kept.
    pub(super) fn last_good(
        &self,
        of: &BTreeSet<EnvName>,
        accepted: &BTreeMap<EnvName, Revision>,
        operator: &Operator,
    ) -> Vec<(Revision, Arc<Environment>)> {
        let Some(kept) = &self.kept else { return Vec::new() };
        let mut by_revision: BTreeMap<&Revision, Vec<&EnvName>> = BTreeMap::new();
        for (name, revision) in accepted.iter().filter(|(name, _)| of.contains(*name)) {
            by_revision.entry(revision).or_default().push(name);
        }
        let mut found = Vec::new();
        for (revision, names) in by_revision {
            let Some(snapshot) = kept.read(&revision.content) else { continue };
            let loaded = manifest::load_under(&snapshot, revision.clone(), operator);
            let environments = names.into_iter().filter_map(|name| loaded.desired.environments.get(name));
            found.extend(environments.map(|environment| (revision.clone(), Arc::clone(environment))));
        }
        found
    }

    /// Keeps what was loaded last, if it is followed now.
    pub(super) fn keep(&self, accepted: &BTreeMap<EnvName, Revision>) -> std::io::Result<()> {
        let loaded = self.last().take();
        match (&self.kept, loaded) {
            (Some(kept), Some(snapshot)) => {
                kept.keep(&snapshot, &accepted.values().map(|revision| &revision.content).collect())
            }
            _ => Ok(()),
        }
    }

    fn last(&self) -> MutexGuard<'_, Option<Snapshot>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the files of a directory.
pub(super) fn read(root: &Path) -> Result<Snapshot, Trouble> {
    with_aside(|opened| source::read_with(root, opened).map_err(Trouble::Source))
}

/// Reads files; hidden ones where manifests are read, too: what they describe is not gone.
pub(super) fn with_aside<E>(read: impl Fn(&BTreeSet<String>) -> Result<Snapshot, E>) -> Result<Snapshot, E> {
    let snapshot = read(&BTreeSet::new())?;
    let aside = manifest::aside(&snapshot);
    if aside.is_empty() { Ok(snapshot) } else { read(&aside) }
}

//! What the manifests say, as of the newest revision of which anything could be loaded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::model::{Desired, Digest, EnvName, Environment, Gap, Revision};

/// Where revisions are pinned up. Readers take what is there and are woken when it changes; they are never handed a
/// change.
pub struct Board {
    /// Held for the length of a clone: a plain mutex.
    desired: Mutex<Arc<Desired>>,
    changed: Notify,
}

impl Default for Board {
    fn default() -> Self {
        let revision = Revision { sequence: 0, content: Digest::of_bytes(b""), commit: None };
        let desired = Desired { revision, environments: BTreeMap::new() };
        Self { desired: Mutex::new(Arc::new(desired)), changed: Notify::new() }
    }
}

impl Board {
    /// What is wanted now.
    #[must_use]
    pub fn desired(&self) -> Arc<Desired> {
        Arc::clone(&self.lock())
    }

    /// Pins up what a revision says. Environments that are `broken` in it stay as they were: a mistake in one of them
    /// neither stops the others nor takes effect. Nothing of theirs is deleted meanwhile: what the last good revision did
    /// not ask for, this one may (invariant S25).
    pub fn publish(&self, mut loaded: Desired, broken: &BTreeSet<EnvName>) {
        {
            let mut current = self.lock();
            for name in broken {
                if let Some(last_good) = current.environments.get(name) {
                    let mut kept = Environment::clone(last_good);
                    kept.gaps.add(unread());
                    loaded.environments.insert(name.clone(), Arc::new(kept));
                }
            }
            *current = Arc::new(loaded);
        }
        self.wake();
    }

    /// Says *look now* to everybody.
    pub fn wake(&self) {
        self.changed.notify_waiters();
    }

    /// Completes when something may have changed since this was called.
    pub fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Desired>> {
        self.desired.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an environment with errors may hold: anything.
fn unread() -> Gap {
    Gap {
        why: "the newest revision of this environment has errors and may contain its manifest".to_owned(),
        release: "fix the errors that `landfast validate` shows".to_owned(),
        holds: None,
    }
}

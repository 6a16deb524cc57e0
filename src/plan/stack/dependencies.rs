//! What a stack takes from others, and whether they are ready to give it.

use std::collections::BTreeSet;

use super::Deciding;
use crate::model::{Entry, Key, Waiting};
use crate::plan::resolve::{Resolved, resolve};

impl Deciding<'_> {
    pub(super) fn resolve(&self) -> Resolved {
        let input = self.planner.input;
        resolve(input.environment, self.spec, &input.memory.fingerprint_key, &|reference| {
            self.planner.lookup(reference)
        })
    }

    pub(super) fn dependencies_ready(&self) -> bool {
        self.unready().is_empty()
    }

    fn unready(&self) -> BTreeSet<Key> {
        self.planner.unready(&self.spec.key, &self.spec.depends_on)
    }

    pub(super) fn waits_for_dependencies(&self, entry: &mut Entry, resolved: &Resolved) -> bool {
        let unready = self.unready();
        if unready.is_empty() && resolved.pending.is_empty() {
            return false;
        }
        let objects = if unready.is_empty() { &self.spec.depends_on } else { &unready };
        entry.waiting.push(Waiting::Dependency { objects: objects.iter().map(ToString::to_string).collect() });
        true
    }
}

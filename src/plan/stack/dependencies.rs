//! What a stack takes from others, and whether they are ready to give it.

use std::collections::BTreeSet;

use super::Deciding;
use crate::model::{Entry, ImageParameter, Key, Waiting};
use crate::plan::resolve::{Resolved, resolve};
use crate::plan::standing::{Standing, row};

impl Deciding<'_> {
    /// The inputs as far as they are known. What is known for good is what the entry is decided from.
    pub(super) fn resolve(&self, entry: &mut Entry) -> Resolved {
        let resolved = self.resolved();
        Self::decided_from(entry, &resolved);
        resolved
    }

    /// What is known for good is what the entry is decided from: its digest is what an approval is bound to.
    pub(super) fn decided_from(entry: &mut Entry, resolved: &Resolved) {
        let is_known = resolved.pending.is_empty() && !resolved.uncertain;
        entry.basis.inputs = is_known.then(|| resolved.inputs().digest.clone());
    }

    /// The inputs as far as they are known.
    pub(super) fn resolved(&self) -> Resolved {
        let input = self.planner.input;
        let resolved = resolve(
            input.environment,
            self.spec,
            &input.memory.fingerprint_key,
            &|reference| self.planner.lookup(reference),
            &|name, parameter| self.image(name, parameter),
        );
        let stored = self.stored(&resolved);
        if stored.is_empty() { resolved } else { resolved.taking(stored) }
    }

    /// The image that a parameter is to have: what was decided for its service, or what is deployed until something is.
    fn image(&self, name: &str, parameter: &ImageParameter) -> Option<String> {
        self.planner.image(parameter).or_else(|| {
            let seen = self.planner.input.observation.stack(&self.spec.address());
            let state = &seen.present()?.state;
            let steady = row(state.status).standing == Standing::Steady;
            state.parameters.get(name).filter(|_| steady).cloned()
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
        for (name, image) in self.spec.images.iter().filter(|(name, _)| resolved.pending.contains(*name)) {
            let why = format!("no image is selected for {} yet (parameter {name})", image.service);
            entry.waiting.push(Waiting::Image { container: image.container.clone(), why });
        }
        let objects = if unready.is_empty() { &self.spec.depends_on } else { &unready };
        let images_only = unready.is_empty() && resolved.pending.iter().all(|name| self.spec.images.contains_key(name));
        if !images_only {
            entry.waiting.push(Waiting::Dependency { objects: objects.iter().map(ToString::to_string).collect() });
        }
        true
    }
}

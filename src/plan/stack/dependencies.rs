//! What a stack takes from others, and whether they are ready to give it.

use std::collections::BTreeSet;

use super::Deciding;
use super::forecast::outputs_may_change;
use crate::model::{Entry, ImageParameter, Key, OutputRef, Seen, StackNeed, Text, Waiting};
use crate::plan::planner::Planner;
use crate::plan::resolve::{Lookup, Resolved, resolve};
use crate::plan::standing::{Standing, row};

impl Deciding<'_> {
    pub(super) fn resolve(&self) -> Resolved {
        let input = self.planner.input;
        let key = &input.memory.fingerprint_key;
        let image = |name: &str, parameter: &ImageParameter| self.image(name, parameter);
        resolve(input.environment, self.spec, key, &|reference| self.lookup(reference), &image)
    }

    fn lookup(&self, reference: &OutputRef) -> Lookup {
        self.planner.output(reference)
    }

    /// The image that a parameter is to have: what was decided for its service, or what is deployed until something is.
    fn image(&self, name: &str, parameter: &ImageParameter) -> Option<String> {
        self.planner.image(parameter).or_else(|| {
            let seen = self.planner.input.observation.stack(&self.spec.address());
            let state = &seen.present()?.state;
            let healthy = row(state.status).standing == Standing::Steady;
            state.parameters.get(name).filter(|_| healthy).cloned()
        })
    }
}

impl Planner<'_> {
    /// An output of another stack, and how far it can be relied on.
    pub(in crate::plan) fn output(&self, reference: &OutputRef) -> Lookup {
        let input = self.input;
        let home = input.desired.environments.get(&reference.stack.environment);
        let Some(spec) = home.and_then(|home| home.stacks.get(&reference.stack)) else { return Lookup::Pending };
        let address = spec.address();
        if !input.observation.listings.contains_key(&address.scope) {
            self.need(StackNeed::Listing(address.scope.clone()));
        }
        let Seen::Present(stack) = input.observation.stack(&address) else { return Lookup::Pending };
        if row(stack.state.status).standing != Standing::Steady {
            return Lookup::Pending;
        }
        let Some(output) = stack.state.outputs.get(&reference.output) else { return Lookup::Pending };
        match self.entries.get(&reference.stack) {
            Some(entry) if outputs_may_change(entry) => Lookup::MayChange(output.value.clone()),
            _ => Lookup::Known(output.value.clone()),
        }
    }

    /// A text whose references are all known for good.
    pub(in crate::plan) fn text(&self, text: &Text) -> Option<String> {
        let known = |reference: &OutputRef| match self.output(reference) {
            Lookup::Known(value) | Lookup::MayChange(value) => Some(value),
            Lookup::Pending => None,
        };
        text.resolve(known).ok()
    }

    /// An object that others depend on is ready for them; of another environment, its stack is at rest.
    pub(in crate::plan) fn is_at_rest(&self, key: &Key) -> bool {
        if let Some(entry) = self.entries.get(key) {
            return entry.ready;
        }
        let home = self.input.desired.environments.get(&key.environment);
        home.and_then(|home| home.stacks.get(key)).is_some_and(|spec| {
            let seen = self.input.observation.stack(&spec.address());
            seen.present().is_some_and(|stack| row(stack.state.status).standing == Standing::Steady)
        })
    }
}

impl Deciding<'_> {
    pub(super) fn dependencies_ready(&self) -> bool {
        self.unready().is_empty()
    }

    pub(super) fn unready(&self) -> BTreeSet<Key> {
        self.spec.depends_on.iter().filter(|key| !self.is_ready(key)).cloned().collect()
    }

    pub(super) fn is_ready(&self, key: &Key) -> bool {
        if let Some(entry) = self.planner.entries.get(key) {
            // It may be waiting for *us* to stop importing an export of its: then it is as ready as it will get.
            let waits_for_us = entry.waiting.iter().any(|waiting| {
                matches!(waiting, Waiting::Dependency { objects } if objects.contains(&self.spec.key.to_string()))
            });
            return entry.ready || waits_for_us;
        }
        // In another environment: at rest is all that can be asked of it here.
        self.planner.is_at_rest(key)
    }

    pub(super) fn waits_for_dependencies(&self, entry: &mut Entry, resolved: &Resolved) -> bool {
        let unready = self.unready();
        if unready.is_empty() && resolved.pending.is_empty() {
            return false;
        }
        for (name, image) in self.spec.images.iter().filter(|(name, _)| resolved.pending.contains(*name)) {
            let why = format!("no image was decided on for {} yet (parameter {name})", image.service);
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

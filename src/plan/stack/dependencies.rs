//! What a stack takes from others, and whether they are ready to give it.

use std::collections::BTreeSet;

use super::Deciding;
use super::forecast::outputs_may_change;
use crate::model::{Entry, Key, OutputRef, Seen, StackNeed, Waiting};
use crate::plan::resolve::{Lookup, Resolved, resolve};
use crate::plan::standing::{Standing, row};

impl Deciding<'_> {
    pub(super) fn resolve(&self) -> Resolved {
        let input = self.planner.input;
        resolve(input.environment, self.spec, &input.memory.fingerprint_key, &|reference| self.lookup(reference))
    }

    /// An output of another stack, and how far it can be relied on.
    pub(super) fn lookup(&self, reference: &OutputRef) -> Lookup {
        let input = self.planner.input;
        let home = input.desired.environments.get(&reference.stack.environment);
        let Some(spec) = home.and_then(|home| home.stacks.get(&reference.stack)) else { return Lookup::Pending };
        let address = spec.address();
        if !input.observation.listings.contains_key(&address.scope) {
            self.planner.need(StackNeed::Listing(address.scope.clone()));
        }
        let Seen::Present(stack) = input.observation.stack(&address) else { return Lookup::Pending };
        if row(stack.state.status).standing != Standing::Steady {
            return Lookup::Pending;
        }
        let Some(output) = stack.state.outputs.get(&reference.output) else { return Lookup::Pending };
        match self.planner.entries.get(&reference.stack) {
            Some(entry) if outputs_may_change(entry) => Lookup::MayChange(output.value.clone()),
            _ => Lookup::Known(output.value.clone()),
        }
    }

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
        let home = self.planner.input.desired.environments.get(&key.environment);
        home.and_then(|home| home.stacks.get(key)).is_some_and(|spec| {
            let seen = self.planner.input.observation.stack(&spec.address());
            seen.present().is_some_and(|stack| row(stack.state.status).standing == Standing::Steady)
        })
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

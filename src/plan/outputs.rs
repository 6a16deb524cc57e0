//! What objects take from stacks, and whether those they depend on are ready to give it.

use std::collections::BTreeSet;

use super::planner::Planner;
use super::resolve::Lookup;
use super::stack::output_may_change;
use super::standing::{Standing, row};
use crate::model::{Key, Kind, OutputRef, SecretNeed, SecretSpec, Seen, StackNeed, Text, Waiting};

impl Planner<'_> {
    /// An output of a stack, and how far it can be relied on.
    pub(super) fn lookup(&self, reference: &OutputRef) -> Lookup {
        let input = self.input;
        let home = input.desired.environments.get(&reference.stack.environment);
        if reference.stack.kind == Kind::Secret {
            return home
                .and_then(|home| home.secrets.get(&reference.stack))
                .map_or(Lookup::Pending, |spec| self.arn(spec));
        }
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
            Some(entry) if output_may_change(entry, spec, &reference.output) => Lookup::MayChange(output.value.clone()),
            _ => Lookup::Known(output.value.clone()),
        }
    }

    /// The ARN of a secret. It stays for as long as the secret is not deleted.
    fn arn(&self, spec: &SecretSpec) -> Lookup {
        let (seen, address) = (&self.input.observation.secrets, spec.address());
        if !seen.listings.contains_key(&address.scope) {
            self.need(SecretNeed::Listing(address.scope.clone()));
        }
        match seen.secret(&address) {
            Seen::Present(state) if state.deleted.is_none() => Lookup::Known(state.arn.to_string()),
            Seen::Present(_) | Seen::Absent | Seen::Unknown(_) => Lookup::Pending,
        }
    }

    /// A text with all references filled in, also by what may still change.
    ///
    /// # Errors
    /// The stack whose output is not known yet.
    pub(super) fn text(&self, text: &Text) -> Result<String, Key> {
        let value = text.resolve(|reference| match self.lookup(reference) {
            Lookup::Known(value) | Lookup::MayChange(value) => Some(value),
            Lookup::Pending => None,
        });
        value.map_err(|reference| reference.stack.clone())
    }

    /// A text with all references filled in by what the stacks show, even while they change: for following what was begun,
    /// never for beginning anything.
    pub(super) fn text_as_shown(&self, text: &Text) -> Option<String> {
        let shown = |reference: &OutputRef| {
            let home = self.input.desired.environments.get(&reference.stack.environment)?;
            let address = home.stacks.get(&reference.stack)?.address();
            let Seen::Present(stack) = self.input.observation.stack(&address) else { return None };
            stack.state.outputs.get(&reference.output).map(|output| output.value.clone())
        };
        text.resolve(shown).ok()
    }

    /// Whether everything that a text refers to is known for good.
    pub(super) fn is_certain(&self, text: &Text) -> bool {
        text.references().all(|reference| matches!(self.lookup(reference), Lookup::Known(_)))
    }

    /// Those that `dependant` depends on and that are not ready.
    pub(super) fn unready(&self, dependant: &Key, on: &BTreeSet<Key>) -> BTreeSet<Key> {
        on.iter().filter(|key| !self.is_ready(dependant, key)).cloned().collect()
    }

    fn is_ready(&self, dependant: &Key, key: &Key) -> bool {
        if let Some(entry) = self.entries.get(key) {
            // It may be waiting for *us* to stop importing an export of its: then it is as ready as it will get.
            let waits_for_us = entry.waiting.iter().any(|waiting| {
                matches!(waiting, Waiting::Dependency { objects } if objects.contains(&dependant.to_string()))
            });
            return entry.ready || waits_for_us;
        }
        // In another environment: at rest is all that can be asked of it here.
        let home = self.input.desired.environments.get(&key.environment);
        home.and_then(|home| home.stacks.get(key)).is_some_and(|spec| {
            let seen = self.input.observation.stack(&spec.address());
            seen.present().is_some_and(|stack| row(stack.state.status).standing == Standing::Steady)
        })
    }
}

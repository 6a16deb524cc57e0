//! A stack whose manifest names another region than it did. CloudFormation moves no stack: a second one is created, and the
//! first stays where it is, with everything in it. It is never deleted because of that; it is reported for as long as it
//! is there, and where it holds state, the second one waits for a person.

use std::collections::BTreeSet;

use super::Deciding;
use crate::model::{Difference, Entry, Seen, StackAddress, StackId, StackNeed, TemplateFacts, Waiting};
use crate::plan::{consent, gone, guard};

impl Deciding<'_> {
    /// Where the stack was when it was last seen to be healthy.
    pub(super) fn was_at(&self) -> Option<StackAddress> {
        self.memory.healthy.as_ref().and_then(StackId::address)
    }

    /// The regions in which the stack was, beside the one where it is to be.
    pub(super) fn look_back(&self) {
        let here = &self.spec.scope;
        let elsewhere = self.memory.healthy.iter().chain(&self.memory.left).filter(|id| !id.is_in(here));
        let scopes = elsewhere.filter_map(StackId::address).map(|address| address.scope);
        for scope in scopes.filter(|scope| scope.account == here.account && scope != here) {
            if !self.planner.input.observation.listings.contains_key(&scope) {
                self.planner.need(StackNeed::Listing(scope));
            }
        }
    }

    /// Stacks of this object in other regions that are still there.
    pub(super) fn left_behind(&self, entry: &mut Entry) {
        for id in &self.memory.left {
            let Some(address) = id.address() else { continue };
            let Seen::Present(stack) = self.planner.input.observation.stack(&address) else { continue };
            if stack.state.id == *id {
                let what = format!(
                    "deletion of its former stack in {}: `{}`",
                    address.scope.region,
                    gone::delete_by_id(&address, id)
                );
                entry.waiting.push(Waiting::Someone { what });
            }
        }
    }

    /// A second stack would be created, because this one is in another region. Whether that waits for a person.
    pub(super) fn waits_to_move(&self, entry: &mut Entry, other: &StackAddress) -> bool {
        let Seen::Present(stack) = self.planner.input.observation.stack(other) else { return true };
        let id = &stack.state.id;
        let remembered = self.memory.template.as_ref().filter(|(version, _)| *version == stack.state.version());
        let facts = match (remembered, &stack.template) {
            (Some((_, facts)), _) | (None, Some(Seen::Present(facts))) => Some(facts),
            (None, Some(_)) => None,
            (None, None) => {
                self.planner.need(StackNeed::Template(other.clone(), id.clone()));
                None
            }
        };
        let holds = facts.and_then(|facts| self.known_to_hold(facts));
        let stateful = holds.as_ref().is_none_or(|holds| !holds.is_empty());
        let (stack, region) = (id.to_string(), other.scope.region.to_string());
        entry.differences.push(Difference::Elsewhere { stack, region, holds });
        if !stateful || consent::covers(self.planner.input, &self.spec.key, entry) {
            return false;
        }
        entry.waiting.push(guard::approval(self.planner.input));
        true
    }

    /// What holds state, by a template.
    pub(super) fn holding(&self, facts: &TemplateFacts) -> BTreeSet<String> {
        let holding = facts.resources.iter().filter(|(_, (kind, _))| self.holds_state(kind));
        holding.map(|(name, (kind, _))| format!("{name} ({kind})")).collect()
    }

    /// The same; `None` where nobody knows, because what a macro makes is in no template.
    pub(super) fn known_to_hold(&self, facts: &TemplateFacts) -> Option<BTreeSet<String>> {
        let holds = self.holding(facts);
        (!facts.generated || !holds.is_empty()).then_some(holds)
    }
}

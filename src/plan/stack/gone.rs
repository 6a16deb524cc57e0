//! A desired stack that is not there, and was. What somebody has deleted is a finding, and not an absence: whatever held
//! state is not made again, empty, before a person agrees. Everything else is, and the plan says what happened.
//!
//! That it was there is remembered. Where the journal was lost, AWS is asked: it lists deleted stacks for 90 days. That is
//! only asked for a stack that is about to be created and may hold state. What we have deleted ourselves is forgotten in
//! the journal, or has our token; anybody could write one, so a token counts only where nothing is remembered.

use std::collections::BTreeSet;

use super::Deciding;
use crate::model::{
    Difference, Entry, GoneResource, GoneStack, NESTED_STACK, Seen, StackId, StackNeed, TemplateFacts, Unknown, Waiting,
};
use crate::plan::{consent, guard};
use crate::sabotage::{self, Bug};

/// What is known of a stack that is not there.
enum Before {
    /// There was none, as far as anybody knows.
    Nothing,
    /// There was this one.
    Gone(StackId, Option<GoneStack>),
    /// That could not be read.
    Unknown(String),
}

impl Deciding<'_> {
    /// Says of a stack that is remembered that it is gone.
    pub(super) fn find_gone(&self, entry: &mut Entry) {
        if let Some(id) = self.memory.healthy.as_ref().filter(|_| !sabotage::is(Bug::GoneIsAbsent)) {
            let gone = self.told_of(id).ok().flatten();
            entry.differences = vec![self.difference(id, gone)];
        }
    }

    /// Whether the creation waits because the stack was there before. Asked when there is nothing else that it waits for.
    pub(super) fn waits_as_gone(&self, entry: &mut Entry) -> bool {
        let holds = match self.before() {
            Before::Nothing => false,
            Before::Gone(id, gone) => {
                entry.differences = vec![self.difference(&id, gone.as_ref())];
                let lost = match entry.differences.first() {
                    Some(Difference::Gone { lost, .. }) => lost.clone(),
                    _ => None,
                };
                let holds = lost.is_none_or(|lost| !lost.is_empty());
                if holds && !self.is_agreed(entry) {
                    entry.waiting.push(guard::approval(self.planner.input));
                    return true;
                }
                return false;
            }
            Before::Unknown(why) => {
                entry.waiting.push(Waiting::Unknown { why });
                true
            }
        };
        holds && !self.is_agreed(entry)
    }

    fn is_agreed(&self, entry: &Entry) -> bool {
        consent::covers(self.planner.input, &self.spec.key, entry)
    }

    fn before(&self) -> Before {
        if sabotage::is(Bug::GoneIsAbsent) {
            return Before::Nothing;
        }
        if let Some(id) = &self.memory.healthy {
            // It may still be in the region where it was.
            let listed = self.was_at().map(|address| self.planner.input.observation.stack(&address));
            if let Some(Seen::Unknown(Unknown(why))) = listed {
                return Before::Unknown(format!("its former location could not be read: {why}"));
            }
            return match self.told_of(id) {
                Ok(gone) => Before::Gone(id.clone(), gone.cloned()),
                Err(why) => Before::Unknown(why),
            };
        }
        if !self.may_hold_state() {
            return Before::Nothing;
        }
        let scope = &self.spec.scope;
        let deleted = match self.planner.input.observation.deleted.get(scope) {
            Some(Seen::Present(deleted)) => deleted,
            Some(Seen::Absent) => return Before::Nothing,
            Some(Seen::Unknown(Unknown(why))) => {
                let why = format!(
                    "recently deleted stacks could not be read: {why}; if approved, the stack is created anyway"
                );
                return Before::Unknown(why);
            }
            None => {
                self.planner.need(StackNeed::Deleted(scope.clone()));
                return Before::Unknown("recently deleted stacks have not been read".to_owned());
            }
        };
        let Some(deleted) = deleted.get(&self.spec.stack_name) else { return Before::Nothing };
        match self.told_of(&deleted.id) {
            Err(why) => Before::Unknown(why),
            Ok(Some(gone)) if gone.owner.as_deref() == Some(&self.spec.key.to_string()) && !gone.ours => {
                Before::Gone(gone.id.clone(), Some(gone.clone()))
            }
            // Somebody else's, ours to delete, or of more than 90 days ago.
            Ok(_) => Before::Nothing,
        }
    }

    /// What is known of a stack that is gone; nothing, where AWS has forgotten it.
    fn told_of(&self, id: &StackId) -> Result<Option<&GoneStack>, String> {
        if let Some(gone) = self.memory.gone.as_deref().filter(|gone| gone.id == *id) {
            return Ok(Some(gone));
        }
        match self.planner.input.observation.gone.get(id) {
            Some(Seen::Present(gone)) => Ok(Some(gone)),
            Some(Seen::Absent) => Ok(None),
            Some(Seen::Unknown(Unknown(why))) => Err(format!("the events of its deletion could not be read: {why}")),
            None => {
                let address = self.was_at().unwrap_or_else(|| self.spec.address());
                self.planner.need(StackNeed::Gone(address, id.clone()));
                Err("the events of its deletion have not been read".to_owned())
            }
        }
    }

    fn difference(&self, id: &StackId, gone: Option<&GoneStack>) -> Difference {
        Difference::Gone { stack: id.to_string(), at: gone.and_then(|gone| gone.at), lost: self.lost(id, gone) }
    }

    /// What held state in it: by the events of its deletion, and by its template as it was remembered. A deletion that was
    /// tried again names only what was left by then, so that what the template had and no event names counts too. What is
    /// still in the account counts: a new stack would have an empty one beside it.
    fn lost(&self, id: &StackId, gone: Option<&GoneStack>) -> Option<BTreeSet<String>> {
        let told = |one: &GoneResource| {
            let name = one.physical_id.as_ref().unwrap_or(&one.resource);
            let kept = if one.kept { ", still in the account" } else { "" };
            format!("{name} ({}{kept})", one.kind)
        };
        let resources = gone.map(|gone| gone.resources.as_slice()).unwrap_or_default();
        let known = self.memory.template.as_ref().filter(|(version, _)| version.id == *id).map(|(_, facts)| facts);
        if resources.is_empty() {
            return known.and_then(|facts| self.known_to_hold(facts));
        }
        // Where nothing is remembered, what it is made of now is the best that there is.
        let mut facts = TemplateFacts::clone(known.unwrap_or(&self.spec.template.facts));
        facts.resources.retain(|name, _| resources.iter().all(|one| one.resource != *name));
        let told = resources.iter().filter(|one| self.holds_state(&one.kind)).map(told);
        Some(told.chain(self.holding(&facts)).collect())
    }

    pub(super) fn holds_state(&self, kind: &str) -> bool {
        // What is in a nested stack is not in the template.
        kind == NESTED_STACK || guard::holds_state(self.planner.input.environment, kind)
    }

    /// What cannot be judged counts.
    fn may_hold_state(&self) -> bool {
        let template = &self.spec.template;
        template.facts.generated || template.resources.values().any(|resource| self.holds_state(&resource.kind))
    }
}

//! `UPDATE_ROLLBACK_FAILED`: the fewest resources without which the rollback can go on.
//!
//! Only what is in `UPDATE_FAILED` because the rollback itself failed on it may be skipped, and not what was cancelled
//! because another failed; of a nested stack not the stack, but what failed in it, as `Stack.Resource` (AWS: *Continue
//! rolling back an update*). Everything that is skipped is out of step with its stack afterwards, so that one resource
//! more is one too many: what fails next is asked for next.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::events::{failed_for_themselves, is_of, is_own, last_phase, last_update};
use crate::model::{NESTED_STACK, ObservedStack, Seen, StackAddress, StackEvent, StackId, StackNeed};

/// Stacks within stacks are followed so far down.
const DEPTH_MAX: usize = 5;

/// Why a set could not be worked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::plan) enum NoSet {
    /// This has to be read first.
    Need(Box<StackNeed>),
    /// Events could not be read.
    Unknown(String),
    /// No event names a resource of its own that failed: AWS may not have skipped any.
    Nothing,
}

/// A resource on which the rollback failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::plan) struct Culprit {
    /// As it is named to be skipped.
    pub(in crate::plan) name: String,
    /// Its type.
    pub(in crate::plan) kind: String,
    /// Why, as AWS says.
    pub(in crate::plan) reason: String,
}

/// The resources to skip, and why.
pub(in crate::plan) fn culprits(address: &StackAddress, stack: &ObservedStack) -> Result<Vec<Culprit>, NoSet> {
    let looking = Looking { address, stack };
    let found = looking.within(&stack.state.id, None, DEPTH_MAX)?;
    if found.is_empty() { Err(NoSet::Nothing) } else { Ok(found) }
}

/// Their names.
pub(in crate::plan) fn names(culprits: &[Culprit]) -> BTreeSet<String> {
    culprits.iter().map(|culprit| culprit.name.clone()).collect()
}

/// What the rollback of the last update was continued without, by its events, and when it was continued last: a resource that
/// is complete without having been worked on was skipped (AWS: *Continue rolling back an update*: it "sets the status of the
/// specified resources to `UPDATE_COMPLETE`"). Only what a rollback had failed on can have been: what was cancelled with it, or
/// failed in the update alone, is put back without work too if it was never touched, and one event of another resource that is
/// missing says nothing. What was skipped in a nested stack its events alone would tell.
pub(in crate::plan) fn by_hand(events: &[StackEvent], stack: &StackId) -> Option<(BTreeSet<String>, Timestamp)> {
    let (mut skipped, mut worked): (BTreeSet<String>, BTreeSet<&str>) = (BTreeSet::new(), BTreeSet::new());
    let (mut failed, mut continued) = (false, None);
    let mut failing: BTreeSet<&str> = BTreeSet::new();
    for event in last_update(events, stack).unwrap_or(events).iter().rev() {
        if is_of(event, stack) {
            failed |= event.status == "UPDATE_ROLLBACK_FAILED";
            if event.status == "UPDATE_ROLLBACK_IN_PROGRESS" && !failed {
                failing.clear();
            }
            if event.status == "UPDATE_ROLLBACK_IN_PROGRESS" && failed {
                worked.clear();
                continued = Some(event.at);
            }
        } else if event.status.ends_with("_IN_PROGRESS") {
            worked.insert(&event.resource);
        } else if event.status == "UPDATE_FAILED" && is_own(event) {
            failing.insert(&event.resource);
        } else if continued.is_some()
            && event.status == "UPDATE_COMPLETE"
            && failing.contains(event.resource.as_str())
            && event.kind != NESTED_STACK
            && !worked.contains(event.resource.as_str())
        {
            skipped.insert(event.resource.clone());
        }
    }
    continued.filter(|_| !skipped.is_empty()).map(|at| (skipped, at))
}

struct Looking<'a> {
    address: &'a StackAddress,
    stack: &'a ObservedStack,
}

impl Looking<'_> {
    /// Of a stack, or of one nested in it, which is then called `name`.
    fn within(&self, id: &StackId, name: Option<&str>, depth: usize) -> Result<Vec<Culprit>, NoSet> {
        let events = self.events(id, name.is_none())?;
        let phase = last_phase(events, id).unwrap_or(events);
        let mut found = Vec::new();
        for event in failed_for_themselves(phase, id, "UPDATE_FAILED") {
            let inner: Option<StackId> = event.physical_id.as_deref().and_then(|id| id.parse().ok());
            match inner.filter(|_| event.kind == NESTED_STACK) {
                // Its own stack can only be named where it is being deleted: what failed in it is.
                Some(inner) if depth > 0 => {
                    let inner_name = name_of(&inner).to_owned();
                    found.extend(self.within(&inner, Some(&inner_name), depth - 1)?);
                }
                _ => found.push(culprit(event, name)),
            }
        }
        Ok(found)
    }

    fn events(&self, id: &StackId, own: bool) -> Result<&[StackEvent], NoSet> {
        match self.stack.events.get(id) {
            Some(Seen::Present(events)) => Ok(events),
            Some(Seen::Absent) => Ok(&[]),
            Some(Seen::Unknown(why)) => Err(NoSet::Unknown(format!("its events could not be read: {why}"))),
            None => {
                let status = own.then_some(self.stack.state.status);
                Err(NoSet::Need(Box::new(StackNeed::Events(self.address.clone(), id.clone(), status))))
            }
        }
    }
}

fn culprit(event: &StackEvent, nested: Option<&str>) -> Culprit {
    let name = match nested {
        Some(stack) => format!("{stack}.{}", event.resource),
        None => event.resource.clone(),
    };
    let reason = event.reason.clone().unwrap_or_else(|| "AWS gives no reason".to_owned());
    Culprit { name, kind: event.kind.clone(), reason }
}

/// The name in `arn:aws:cloudformation:REGION:ACCOUNT:stack/NAME/UUID`.
fn name_of(id: &StackId) -> &str {
    id.as_str().split('/').nth(1).unwrap_or(id.as_str())
}

#[cfg(test)]
mod tests {
    use super::super::events::tests::{NESTED as INNER, events, stack};
    use super::*;
    use crate::model::fixtures;

    fn observed(lists: &[(StackId, Vec<StackEvent>)]) -> ObservedStack {
        let mut state = fixtures::stack_state("dev-a", crate::model::StackStatus::UpdateRollbackFailed);
        state.id = stack();
        let mut observed = ObservedStack::listed(state);
        for (id, list) in lists {
            observed.events.insert(id.clone(), Seen::Present(list.clone().into()));
        }
        observed
    }

    fn address() -> StackAddress {
        let scope =
            crate::model::Scope { account: "111122223333".parse().unwrap(), region: "us-east-1".parse().unwrap() };
        StackAddress { scope, name: "dev-a".parse().unwrap() }
    }

    fn skipped(observed: &ObservedStack) -> Result<BTreeSet<String>, NoSet> {
        culprits(&address(), observed).map(|found| names(&found))
    }

    #[test]
    fn only_what_failed_for_its_own_reason_is_skipped_and_not_what_it_cancelled() {
        let list = events(
            &stack(),
            &[
                ("stack", "UPDATE_IN_PROGRESS", ""),
                ("Role", "UPDATE_FAILED", "no such policy"),
                ("stack", "UPDATE_ROLLBACK_IN_PROGRESS", ""),
                ("Queue", "UPDATE_IN_PROGRESS", ""),
                ("Topic", "UPDATE_IN_PROGRESS", ""),
                ("Queue", "UPDATE_FAILED", "the queue is gone"),
                ("Topic", "UPDATE_FAILED", "Resource update cancelled"),
                ("stack", "UPDATE_ROLLBACK_FAILED", "The following resource(s) failed to update: [Queue, Topic]."),
            ],
        );
        assert_eq!(skipped(&observed(&[(stack(), list)])), Ok(["Queue".to_owned()].into()));
    }

    #[test]
    fn of_a_nested_stack_what_failed_in_it_is_skipped_and_not_the_stack() {
        let inner: StackId = INNER.parse().unwrap();
        let outer = events(
            &stack(),
            &[
                ("stack", "UPDATE_ROLLBACK_IN_PROGRESS", ""),
                ("Inner", "UPDATE_FAILED", "Embedded stack was not successfully updated"),
                ("stack", "UPDATE_ROLLBACK_FAILED", ""),
            ],
        );
        let within = events(
            &inner,
            &[
                ("stack", "UPDATE_ROLLBACK_IN_PROGRESS", ""),
                ("Table", "UPDATE_FAILED", "throttled"),
                ("stack", "UPDATE_ROLLBACK_FAILED", ""),
            ],
        );
        let blind = observed(&[(stack(), outer.clone())]);
        assert_eq!(skipped(&blind), Err(NoSet::Need(Box::new(StackNeed::Events(address(), inner.clone(), None)))));
        let seen = observed(&[(stack(), outer), (inner, within)]);
        assert_eq!(skipped(&seen), Ok(["dev-a-Inner-1ABC.Table".to_owned()].into()));
    }

    #[test]
    fn what_is_complete_without_having_been_worked_on_was_skipped() {
        let list = |continued: &[(&str, &str, &str)]| {
            let update = [
                ("stack", "UPDATE_IN_PROGRESS", ""),
                ("Topic", "UPDATE_IN_PROGRESS", ""),
                ("Topic", "UPDATE_COMPLETE", ""),
                ("Queue", "UPDATE_IN_PROGRESS", ""),
                ("Queue", "UPDATE_FAILED", "no"),
                ("stack", "UPDATE_ROLLBACK_IN_PROGRESS", ""),
                ("Topic", "UPDATE_COMPLETE", "it was on its way"),
                ("Queue", "UPDATE_FAILED", "no"),
                ("stack", "UPDATE_ROLLBACK_FAILED", ""),
            ];
            events(&stack(), &[update.as_slice(), continued].concat())
        };
        let skip = [
            ("stack", "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated"),
            ("Queue", "UPDATE_COMPLETE", ""),
            ("Topic", "UPDATE_IN_PROGRESS", ""),
            ("Topic", "UPDATE_COMPLETE", ""),
            ("stack", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", ""),
            ("stack", "UPDATE_ROLLBACK_COMPLETE", ""),
        ];
        let found = by_hand(&list(&skip), &stack());
        assert_eq!(
            found.map(|(names, at)| (names, at.to_string())),
            Some((["Queue".to_owned()].into(), "2026-01-01T00:09:00Z".to_owned()))
        );
        let repaired = [
            ("stack", "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated"),
            ("Queue", "UPDATE_IN_PROGRESS", ""),
            ("Queue", "UPDATE_COMPLETE", ""),
            ("stack", "UPDATE_ROLLBACK_COMPLETE", ""),
        ];
        assert_eq!(by_hand(&list(&repaired), &stack()), None);
        assert_eq!(by_hand(&list(&[]), &stack()), None, "nobody has continued it");
        // Topic had not failed: that no event says that it was worked on proves nothing.
        let behind = [
            ("stack", "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated"),
            ("Queue", "UPDATE_IN_PROGRESS", ""),
            ("Queue", "UPDATE_COMPLETE", ""),
            ("Topic", "UPDATE_COMPLETE", ""),
            ("stack", "UPDATE_ROLLBACK_COMPLETE", ""),
        ];
        assert_eq!(by_hand(&list(&behind), &stack()), None);
    }

    #[test]
    fn what_was_cancelled_or_failed_before_the_rollback_was_not_skipped() {
        let list = [
            ("stack", "UPDATE_IN_PROGRESS", ""),
            ("Queue", "UPDATE_FAILED", "no"),
            ("Table", "UPDATE_FAILED", "Resource update cancelled"),
            ("stack", "UPDATE_ROLLBACK_IN_PROGRESS", ""),
            ("Role", "UPDATE_FAILED", "no"),
            ("Topic", "UPDATE_FAILED", "Resource update cancelled"),
            ("stack", "UPDATE_ROLLBACK_FAILED", ""),
            ("stack", "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated"),
            ("Queue", "UPDATE_COMPLETE", ""),
            ("Table", "UPDATE_COMPLETE", ""),
            ("Topic", "UPDATE_COMPLETE", ""),
            ("Role", "UPDATE_COMPLETE", ""),
            ("stack", "UPDATE_ROLLBACK_COMPLETE", ""),
        ];
        let found = by_hand(&events(&stack(), &list), &stack());
        assert_eq!(found.map(|(names, _)| names), Some(["Role".to_owned()].into()));
    }

    #[test]
    fn what_was_not_read_skips_nothing() {
        let mut blind = observed(&[]);
        assert!(matches!(skipped(&blind), Err(NoSet::Need(_))));
        blind.events.insert(stack(), Seen::Unknown(crate::model::Unknown::because("throttled")));
        assert!(matches!(skipped(&blind), Err(NoSet::Unknown(_))));
        let nothing =
            events(&stack(), &[("stack", "UPDATE_ROLLBACK_IN_PROGRESS", ""), ("stack", "UPDATE_ROLLBACK_FAILED", "")]);
        assert_eq!(skipped(&observed(&[(stack(), nothing)])), Err(NoSet::Nothing));
    }
}

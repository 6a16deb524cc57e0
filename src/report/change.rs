//! What a change does: the plan of one commit beside the plan of another.
//!
//! Both are of the same moment, so what AWS has anyway is in both. What differs is the change's own.

use std::collections::BTreeSet;

use crate::model::{Action, Entry, Key, Plan};

/// The objects of a plan, told apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Those for which the change makes a difference.
    pub changed: BTreeSet<Key>,
    /// Those for which the other plan says the same: it happens with or without the change.
    pub anyway: BTreeSet<Key>,
    /// Those for which only the other plan had something to do, and what.
    pub no_longer: Vec<(Key, Action)>,
}

/// Tells the objects of a plan apart by the plan of what it is compared with; `None`: that has no such environment.
#[must_use]
pub fn tell(plan: &Plan, base: Option<&Plan>) -> Told {
    let mut told = Told::default();
    for (key, entry) in plan.entries.iter().filter(|(_, entry)| !is_quiet(entry)) {
        let same = base.and_then(|base| base.entries.get(key)).is_some_and(|before| says_the_same(entry, before));
        if same { &mut told.anyway } else { &mut told.changed }.insert(key.clone());
    }
    for (key, before) in base.iter().flat_map(|base| &base.entries).filter(|(_, before)| !is_quiet(before)) {
        if plan.entries.get(key).is_none_or(is_quiet) && before.action != Action::None {
            told.no_longer.push((key.clone(), before.action));
        }
    }
    told
}

/// There is nothing to say about it.
pub(super) fn is_quiet(entry: &Entry) -> bool {
    entry.action == Action::None && entry.waiting.is_empty() && entry.refused.is_empty()
}

/// What they wait for may hold a digest or a time, and is not the change's.
fn says_the_same(one: &Entry, other: &Entry) -> bool {
    let rules = |entry: &Entry| entry.refused.iter().map(|refusal| refusal.guard).collect::<BTreeSet<_>>();
    one.action == other.action
        && one.basis.manifest == other.basis.manifest
        && one.basis.inputs == other.basis.inputs
        && one.differences == other.differences
        && one.changes == other.changes
        && one.broadenings == other.broadenings
        && rules(one) == rules(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Difference;
    use crate::report::fixtures;

    #[test]
    fn what_the_other_plan_says_too_is_not_the_changes() {
        let base = fixtures::everything();
        let all: BTreeSet<Key> =
            base.entries.iter().filter(|(_, entry)| !is_quiet(entry)).map(|(key, _)| key.clone()).collect();
        assert_eq!(tell(&base, Some(&base)), Told { anyway: all.clone(), ..Told::default() });
        assert_eq!(tell(&base, None), Told { changed: all.clone(), ..Told::default() });
        let mut head = base.clone();
        let (created, kept) = (all.iter().next().unwrap(), all.iter().last().unwrap());
        head.entries.get_mut(created).unwrap().differences.push(Difference::NoEcho { name: "Token".to_owned() });
        let before = head.entries.remove(kept).unwrap();
        let told = tell(&head, Some(&base));
        assert_eq!(told.changed, BTreeSet::from([created.clone()]));
        assert_eq!(told.no_longer, [(kept.clone(), before.action)]);
        assert_eq!(told.anyway.len(), all.len() - 2);
    }
}

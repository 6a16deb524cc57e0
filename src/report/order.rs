//! The order in which objects are read: what others build on comes first, what is taken away comes last.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Action, Entry, Key, Plan};

/// Dependencies of each object, as far as they are objects of the same map.
pub(super) type Dependencies = BTreeMap<Key, BTreeSet<Key>>;

/// Every key after all that it depends on, equals by name. Keys on a cycle come last, by name: a report shows
/// everything it is given, and judging it is for the manifests' room.
pub(super) fn dependencies_first(dependencies: &Dependencies) -> Vec<Key> {
    let mut open: BTreeMap<&Key, usize> = BTreeMap::new();
    let mut dependents: BTreeMap<&Key, Vec<&Key>> = BTreeMap::new();
    for (key, needs) in dependencies {
        let within = needs.iter().filter(|need| *need != key && dependencies.contains_key(*need));
        open.insert(key, within.clone().count());
        for need in within {
            dependents.entry(need).or_default().push(key);
        }
    }
    let mut next: BTreeSet<&Key> = open.iter().filter(|(_, count)| **count == 0).map(|(key, _)| *key).collect();
    let mut order = Vec::with_capacity(dependencies.len());
    while let Some(key) = next.pop_first() {
        open.remove(key);
        order.push(key.clone());
        for dependent in dependents.get(key).into_iter().flatten() {
            if let Some(count) = open.get_mut(dependent) {
                *count -= 1;
                if *count == 0 {
                    next.insert(dependent);
                }
            }
        }
    }
    order.extend(open.into_keys().cloned());
    order
}

/// A plan's entries in the order in which they happen: creations and updates along the graph, then deletions against it.
pub(super) fn entries(plan: &Plan) -> Vec<(&Key, &Entry)> {
    let goes = |action: Action| matches!(action, Action::Delete | Action::Retain);
    let order = dependencies_first(&dependencies(plan));
    let pick = |key: &Key| plan.entries.get_key_value(key);
    let stays = order.iter().filter_map(pick).filter(|(_, entry)| !goes(entry.action));
    let leaves = order.iter().rev().filter_map(pick).filter(|(_, entry)| goes(entry.action));
    stays.chain(leaves).collect()
}

/// The dependencies of a plan's objects.
pub(super) fn dependencies(plan: &Plan) -> Dependencies {
    plan.entries.iter().map(|(key, entry)| (key.clone(), entry.depends_on.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::{self, key};

    #[test]
    fn deletions_come_last_and_against_the_graph() {
        let plan = fixtures::everything();
        let order: Vec<&str> = entries(&plan).iter().map(|(key, _)| key.name.as_str()).collect();
        assert_eq!(order[order.len() - 3..], ["consumer", "legacy", "kept"]);
        let position = |name| order.iter().position(|other| *other == name);
        assert!(position("network") < position("alb") && position("alb") < position("ecs-service"));
    }

    #[test]
    fn dependencies_come_first_and_a_cycle_hides_nothing() {
        let graph: Dependencies = [
            (key("alb"), [key("network")].into()),
            (key("network"), [key("elsewhere")].into()),
            (key("x"), [key("y")].into()),
            (key("y"), [key("x"), key("alb")].into()),
        ]
        .into();
        let order: Vec<String> = dependencies_first(&graph).iter().map(|key| key.name.to_string()).collect();
        assert_eq!(order, ["network", "alb", "x", "y"]);
    }
}

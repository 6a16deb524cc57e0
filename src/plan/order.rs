//! Dependencies first.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

use crate::model::Key;

/// Objects that depend on each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle(pub Vec<Key>);

/// All keys of `edges` (object → what it depends on), dependencies before dependants. Keys that are not themselves
/// objects are left out. Objects on a cycle are returned apart: they have no order.
#[must_use]
pub fn order(edges: &BTreeMap<Key, BTreeSet<Key>>) -> (Vec<Key>, Vec<Cycle>) {
    let mut graph: DiGraphMap<&Key, ()> = DiGraphMap::new();
    for key in edges.keys() {
        graph.add_node(key);
    }
    for (key, on) in edges {
        for dependency in on.iter().filter(|dependency| edges.contains_key(*dependency)) {
            graph.add_edge(key, dependency, ());
        }
    }
    let mut ordered = Vec::with_capacity(edges.len());
    let mut cycles = Vec::new();
    // Tarjan's algorithm gives components in reverse topological order of the edges: dependencies first.
    for component in tarjan_scc(&graph) {
        match component.as_slice() {
            [one] if !graph.contains_edge(one, one) => ordered.push((*one).clone()),
            many => cycles.push(Cycle(many.iter().map(|key| (*key).clone()).collect())),
        }
    }
    (ordered, cycles)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        format!("dev/stack/{name}").parse().unwrap()
    }

    fn edges(list: &[(&str, &[&str])]) -> BTreeMap<Key, BTreeSet<Key>> {
        list.iter().map(|(name, on)| (key(name), on.iter().map(|name| key(name)).collect())).collect()
    }

    #[test]
    fn dependencies_come_before_dependants() {
        let edges = edges(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &["elsewhere"]), ("d", &[])]);
        let (ordered, cycles) = order(&edges);
        assert!(cycles.is_empty());
        assert_eq!(ordered.len(), 4);
        let place = |name: &str| ordered.iter().position(|other| *other == key(name)).unwrap();
        assert!(place("c") < place("b") && place("b") < place("a"));
    }

    #[test]
    fn a_cycle_is_named_and_does_not_stop_the_rest() {
        let (ordered, cycles) = order(&edges(&[("a", &["b"]), ("b", &["a"]), ("c", &["c"]), ("d", &[])]));
        assert_eq!(ordered, [key("d")]);
        assert_eq!(cycles.len(), 2);
    }
}

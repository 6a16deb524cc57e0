//! Dependencies first.

use std::collections::BTreeSet;

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::model::Key;

/// Objects that depend on each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle(pub Vec<Key>);

/// All keys of `edges` (object → what it depends on), dependencies before dependants. Keys that are not themselves
/// objects are left out. Objects on a cycle are returned apart: they have no order.
#[must_use]
pub fn order<'a>(edges: impl IntoIterator<Item = (&'a Key, &'a BTreeSet<Key>)>) -> (Vec<Key>, Vec<Cycle>) {
    let mut edges: Vec<(&Key, &BTreeSet<Key>)> = edges.into_iter().collect();
    edges.sort_unstable_by_key(|(key, _)| *key);
    // By their places in that list: hashing thousands of keys costs more than the search.
    let mut graph: DiGraph<(), ()> = DiGraph::with_capacity(edges.len(), 0);
    for _ in &edges {
        graph.add_node(());
    }
    for (place, (_, on)) in edges.iter().enumerate() {
        // The graph gives the edges of a node back in reverse.
        for dependency in on.iter().rev() {
            if let Ok(found) = edges.binary_search_by_key(&dependency, |(key, _)| *key) {
                graph.add_edge(NodeIndex::new(place), NodeIndex::new(found), ());
            }
        }
    }
    let key = |node: &NodeIndex| edges.get(node.index()).map(|(key, _)| (*key).clone());
    let mut ordered = Vec::with_capacity(edges.len());
    let mut cycles = Vec::new();
    // Tarjan's algorithm gives components in reverse topological order of the edges: dependencies first.
    for component in tarjan_scc(&graph) {
        match component.as_slice() {
            [one] if graph.find_edge(*one, *one).is_none() => ordered.extend(key(one)),
            many => cycles.push(Cycle(many.iter().filter_map(key).collect())),
        }
    }
    (ordered, cycles)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

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

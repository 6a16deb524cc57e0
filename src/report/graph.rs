//! Who waits for whom in an environment: as a tree for the terminal, as Mermaid for a page, as DOT for Graphviz.
//!
//! Drawn from what is depended on to what depends on it: the way in which a deployment runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::order::{Dependencies, dependencies_first};
use crate::model::{Environment, Key, Kind};

/// How it is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Indented text.
    Tree,
    /// A Mermaid flowchart.
    Mermaid,
    /// Graphviz.
    Dot,
}

/// The dependency graph of an environment.
#[must_use]
pub fn graph(environment: &Environment, format: Format) -> String {
    let graph = Graph::of(environment);
    match format {
        Format::Tree => graph.tree(environment.name.as_str()),
        Format::Mermaid => graph.mermaid(),
        Format::Dot => graph.dot(environment.name.as_str()),
    }
}

/// A stack by its bare name, everything else as `kind/name`: as `dependsOn` names them.
fn name(key: &Key) -> String {
    match key.kind {
        Kind::Stack => key.name.to_string(),
        kind => format!("{}/{}", kind.as_str(), key.name),
    }
}

struct Graph {
    /// Every object, also those that are only referred to, after all that it depends on.
    nodes: Vec<Key>,
    dependencies: Dependencies,
    dependents: Dependencies,
}

impl Graph {
    fn of(environment: &Environment) -> Self {
        let known = environment.dependencies();
        let mut dependencies: Dependencies = known.map(|(key, needs)| (key.clone(), needs.clone())).collect();
        for key in environment.dependencies().flat_map(|(_, needs)| needs) {
            dependencies.entry(key.clone()).or_default();
        }
        let mut dependents: Dependencies = BTreeMap::new();
        for (key, needs) in &dependencies {
            for need in needs {
                dependents.entry(need.clone()).or_default().insert(key.clone());
            }
        }
        Self { nodes: dependencies_first(&dependencies), dependencies, dependents }
    }

    /// Depth first, from those that depend on nothing. The stack of open branches is ours, not the machine's.
    fn tree(&self, environment: &str) -> String {
        let mut text = format!("{environment}\n");
        let mut drawn: BTreeSet<&Key> = BTreeSet::new();
        let is_root = |key: &&Key| self.dependencies.get(*key).is_none_or(BTreeSet::is_empty);
        // What only a cycle could reach is drawn too, at the end.
        let starts: Vec<&Key> = self.nodes.iter().filter(is_root).chain(self.nodes.iter()).collect();
        for start in starts {
            if drawn.contains(start) {
                continue;
            }
            let mut open: Vec<(&Key, String, &str, &str)> = vec![(start, String::new(), "", "")];
            while let Some((key, indent, branch, below)) = open.pop() {
                let children: Vec<&Key> = self.dependents.get(key).into_iter().flatten().collect();
                let known = !drawn.insert(key);
                let remark = if known && !children.is_empty() { " (see above)" } else { "" };
                let _ = writeln!(text, "{indent}{branch}{}{remark}", name(key));
                if known {
                    continue;
                }
                let indent = format!("{indent}{below}");
                for (index, child) in children.into_iter().rev().enumerate() {
                    let (branch, below) = if index == 0 { ("└── ", "    ") } else { ("├── ", "│   ") };
                    open.push((child, indent.clone(), branch, below));
                }
            }
        }
        text
    }

    fn mermaid(&self) -> String {
        let numbers: BTreeMap<&Key, usize> = self.nodes.iter().enumerate().map(|(number, key)| (key, number)).collect();
        let mut text = "flowchart LR\n".to_owned();
        for (number, key) in self.nodes.iter().enumerate() {
            let _ = writeln!(text, "  n{number}[\"{}\"]", name(key));
        }
        for (from, to) in self.edges() {
            if let (Some(from), Some(to)) = (numbers.get(from), numbers.get(to)) {
                let _ = writeln!(text, "  n{from} --> n{to}");
            }
        }
        text
    }

    fn dot(&self, environment: &str) -> String {
        let mut text = format!("digraph \"{environment}\" {{\n  rankdir=LR;\n  node [shape=box];\n");
        for key in &self.nodes {
            let _ = writeln!(text, "  \"{}\";", name(key));
        }
        for (from, to) in self.edges() {
            let _ = writeln!(text, "  \"{}\" -> \"{}\";", name(from), name(to));
        }
        text.push_str("}\n");
        text
    }

    /// From what is depended on to what depends on it, in the order of the nodes.
    fn edges(&self) -> impl Iterator<Item = (&Key, &Key)> {
        let dependents = |key| self.dependents.get(key).into_iter().flatten().map(move |dependent| (key, dependent));
        self.nodes.iter().flat_map(dependents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    fn sample() -> Environment {
        fixtures::environment(&[
            ("network", &[]),
            ("iam", &[]),
            ("alb", &["network"]),
            ("msk", &["iam", "network"]),
            ("ecs-service", &["alb", "msk"]),
            ("dashboards", &["ecs-service"]),
        ])
    }

    #[test]
    fn a_shared_branch_is_drawn_once() {
        fixtures::golden("graph.txt", &graph(&sample(), Format::Tree));
    }

    #[test]
    fn mermaid_and_dot_say_the_same() {
        fixtures::golden("graph.mmd", &graph(&sample(), Format::Mermaid));
        fixtures::golden("graph.dot", &graph(&sample(), Format::Dot));
    }

    #[test]
    fn a_cycle_is_drawn_and_ends() {
        let text = graph(&fixtures::environment(&[("a", &["b"]), ("b", &["a"])]), Format::Tree);
        assert_eq!(text, "dev\na\n└── b\n    └── a (see above)\n");
    }
}

//! Who waits for whom: references, imports of exports, `dependsOn`; and that nobody waits for himself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use petgraph::graphmap::DiGraphMap;

use super::diagnostic::{Problem, typed};
use crate::model::{Key, Kind, Parameter, Scope, StackSpec};
use crate::template::resolve_name;
use crate::yaml::Span;

/// Why one object waits for another.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) file: Arc<str>,
    pub(super) span: Span,
    /// The reference itself, `dependsOn`, or `Fn::ImportValue: name`.
    pub(super) reason: String,
}

/// What each object waits for.
pub(super) type Edges = BTreeMap<Key, BTreeMap<Key, Origin>>;

/// The value of a placeholder in the name of an export, as far as it is known before anything is deployed.
fn placeholder(spec: &StackSpec, name: &str) -> Option<String> {
    let region = spec.scope.region.as_str();
    let partition = spec.scope.region.partition();
    let suffix = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    match name {
        "AWS::Region" => return Some(region.to_owned()),
        "AWS::AccountId" => return Some(spec.scope.account.to_string()),
        "AWS::StackName" => return Some(spec.stack_name.to_string()),
        "AWS::Partition" => return Some(partition.to_owned()),
        "AWS::URLSuffix" => return Some(suffix.to_owned()),
        _ => {}
    }
    match spec.parameters.get(name) {
        _ if spec.images.contains_key(name) => None,
        Some(Parameter::Plain(text)) => text.as_literal().map(str::to_owned),
        Some(Parameter::NoEcho(_) | Parameter::Previous) => None,
        None => spec.template.parameters.get(name)?.default.clone(),
    }
}

/// Adds an edge for every import of an export of another stack in the same account and region.
pub(super) fn imports<'s>(stacks: impl Iterator<Item = (&'s StackSpec, &'s Origin)> + Clone, edges: &mut Edges) {
    let mut exports: BTreeMap<(&Scope, String), &Key> = BTreeMap::new();
    for (spec, _) in stacks.clone() {
        for expression in spec.template.facts.outputs.values().filter_map(|output| output.export.as_deref()) {
            if let Some(name) = resolve_name(expression, |name| placeholder(spec, name)) {
                exports.entry((&spec.scope, name)).or_insert(&spec.key);
            }
        }
    }
    for (spec, site) in stacks {
        for expression in &spec.template.imports {
            let Some(name) = resolve_name(expression, |name| placeholder(spec, name)) else { continue };
            let Some(exporter) = exports.get(&(&spec.scope, name.clone())) else { continue };
            if **exporter != spec.key {
                let origin = Origin { reason: format!("Fn::ImportValue: {name}"), ..site.clone() };
                edges.entry(spec.key.clone()).or_default().entry((*exporter).clone()).or_insert(origin);
            }
        }
    }
}

/// One problem for each set of objects that wait for each other, with the objects in it.
pub(super) fn cycles(edges: &Edges, root: &str) -> Vec<(Problem, BTreeSet<Key>)> {
    let mut numbers: BTreeMap<&Key, u32> = BTreeMap::new();
    for key in edges.iter().flat_map(|(from, to)| std::iter::once(from).chain(to.keys())) {
        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        numbers.entry(key).or_insert(next);
    }
    let mut graph: DiGraphMap<u32, ()> = DiGraphMap::new();
    for (from, tos) in edges {
        for to in tos.keys() {
            graph.add_edge(numbers[from], numbers[to], ());
        }
    }
    let keys: BTreeMap<u32, &Key> = numbers.iter().map(|(key, number)| (*number, *key)).collect();
    // Kosaraju's, because petgraph's Tarjan recurses as deep as the longest chain of objects.
    let mut found: Vec<(Problem, BTreeSet<Key>)> = petgraph::algo::kosaraju_scc(&graph)
        .into_iter()
        .filter_map(|component| {
            let members: BTreeSet<&Key> = component.iter().filter_map(|number| keys.get(number).copied()).collect();
            let path = shortest(edges, &members)?;
            Some((describe(edges, &path, root)?, members.into_iter().cloned().collect()))
        })
        .collect();
    found.sort_by(|(_, a), (_, b)| a.cmp(b));
    found
}

/// The shortest way from the first member back to itself; `None` if there is none.
fn shortest<'e>(edges: &'e Edges, members: &BTreeSet<&'e Key>) -> Option<Vec<&'e Key>> {
    let start = *members.first()?;
    let mut before: BTreeMap<&Key, &Key> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(key) = queue.pop_front() {
        for next in edges.get(key).into_iter().flat_map(BTreeMap::keys).filter(|next| members.contains(next)) {
            if next == start {
                let mut path = vec![start, key];
                let mut at = key;
                while at != start {
                    at = before.get(at)?;
                    path.push(at);
                }
                path.reverse();
                return Some(path);
            }
            if !before.contains_key(next) {
                before.insert(next, key);
                queue.push_back(next);
            }
        }
    }
    None
}

fn describe(edges: &Edges, path: &[&Key], root: &str) -> Option<Problem> {
    let way: Vec<String> = path.iter().map(ToString::to_string).collect();
    let hops: Vec<(&Key, &Key, &Origin)> = path
        .windows(2)
        .filter_map(|pair| match pair {
            [from, to] => Some((*from, *to, edges.get(from)?.get(to)?)),
            _ => None,
        })
        .collect();
    let (_, _, first) = hops.first()?;
    let reasons: Vec<String> = hops
        .iter()
        .map(|(from, to, origin)| {
            let place =
                format!("{}:{}:{}", typed(root, &origin.file), origin.span.start.line, origin.span.start.column);
            format!("{from} depends on {to}: {} ({place})", origin.reason)
        })
        .collect();
    let what = if path.iter().all(|key| key.kind == Kind::Stack) { "stacks" } else { "objects" };
    let message = format!("{what} form a dependency cycle: {}", way.join(" → "));
    Some(Problem::error("cycle", message, &first.file, first.span).help(reasons.join("\n")))
}

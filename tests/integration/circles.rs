//! Files of a room that import each other in a circle: neither can be read, moved or tested without all of the others.
//!
//! What is read are `use` lines that say where they begin (`super`, `self`, `crate`). What a `mod.rs` passes on is the room's
//! vocabulary and ties nothing; and a module with those inside it is one thing, which may know its parts.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use regex::Regex;

/// A module within its room: `["stack", "update"]` of `plan/stack/update.rs`; nothing of `plan/mod.rs`.
type Module = Vec<String>;

/// The code of each module of a room. `name` is the room's.
pub(crate) struct Sources<'s> {
    pub(crate) name: &'s str,
    pub(crate) code: BTreeMap<Module, String>,
}

/// Each group of modules that need each other, with what ties them.
pub(crate) fn circles(room: &Sources<'_>) -> Vec<String> {
    let named: BTreeMap<&Module, BTreeSet<Module>> =
        room.code.iter().map(|(module, code)| (module, room.named(module, code))).collect();
    let mut graph: DiGraphMap<usize, ()> = DiGraphMap::new();
    let numbers: BTreeMap<&Module, usize> = room.code.keys().zip(0..).collect();
    for (module, paths) in &named {
        for path in paths {
            let Some(used) = room.file_of(path) else { continue };
            if !module.is_empty() && !used.is_empty() && !used.starts_with(module) {
                graph.add_edge(numbers[module], numbers[used], ());
            }
        }
    }
    let modules: Vec<&Module> = room.code.keys().collect();
    let mut groups: Vec<String> = tarjan_scc(&graph)
        .into_iter()
        .filter(|group| group.len() > 1)
        .map(|tied| {
            let mut listed: Vec<String> = tied.iter().map(|at| modules[*at].join("/")).collect();
            listed.sort();
            format!("{}: {}", room.name, listed.join(", "))
        })
        .collect();
    groups.sort();
    groups
}

impl Sources<'_> {
    /// The module that a path leads into.
    fn file_of(&self, path: &[String]) -> Option<&Module> {
        (0..=path.len()).rev().find_map(|length| Some(self.code.get_key_value(&path[..length])?.0))
    }

    /// The paths within its own room that a module names.
    fn named(&self, module: &Module, code: &str) -> BTreeSet<Module> {
        let imports = Regex::new(r"(?m)^\s*(?:pub(?:\([^)]*\))?\s+)?use ([^;]+);").unwrap();
        let trees = imports.captures_iter(code).flat_map(|found| expanded(&found[1]));
        trees.filter_map(|path| self.absolute(module, &path)).collect()
    }

    fn absolute(&self, module: &Module, path: &str) -> Option<Module> {
        let mut parts: Vec<&str> = path.split("::").collect();
        let mut base: Vec<String> = module.clone();
        match *parts.first()? {
            "super" => {
                while parts.first() == Some(&"super") {
                    base.pop()?;
                    parts.remove(0);
                }
            }
            "self" => _ = parts.remove(0),
            "crate" if parts.get(1) == Some(&self.name) => {
                base.clear();
                parts.drain(..2);
            }
            _ => return None,
        }
        base.extend(parts.into_iter().map(str::to_owned));
        Some(base)
    }
}

/// `a::{b, c::{d, self}}` as `a::b`, `a::c::d` and `a::c`.
fn expanded(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((before, inner)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default().trim();
        return vec![path.strip_suffix("::self").unwrap_or(path).to_owned()];
    };
    let inner = inner.trim_end().strip_suffix('}').unwrap_or(inner);
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for c in inner.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c == ',' && depth == 0 {
            parts.push(String::new());
        } else {
            parts.last_mut().unwrap().push(c);
        }
    }
    let parts = parts.iter().filter(|part| !part.trim().is_empty());
    parts.flat_map(|part| expanded(&format!("{before}{}", part.trim()))).collect()
}

#[test]
fn a_circle_is_found_and_a_line_is_none() {
    let made = |files: &[(&str, &str)]| Sources {
        name: "plan",
        code: files
            .iter()
            .map(|(path, code)| {
                let module = path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
                (module, (*code).to_owned())
            })
            .collect(),
    };
    let root = ("", "mod a;\nmod b;\npub use a::Thing;\npub use self::b::Other;\n");
    let line = [root, ("a", "use super::b::{Other, more};\n"), ("b", "use crate::model::X;\n")];
    assert_eq!(circles(&made(&line)), Vec::<String>::new());
    let by_import = [root, ("a", "use super::b::{Other, more};\n"), ("b", "use super::{\n    a,\n    c::D,\n};\n")];
    assert_eq!(circles(&made(&by_import)), ["plan: a, b"]);
    let from_the_top = [root, ("a", "use crate::plan::b;\n"), ("b", "use crate::plan::a as x;\n")];
    assert_eq!(circles(&made(&from_the_top)), ["plan: a, b"]);
    let vocabulary = [root, ("a", "use super::Other;\n"), ("b", "use crate::plan::a;\n")];
    assert_eq!(circles(&made(&vocabulary)), Vec::<String>::new());
    let parts = [root, ("a", "use self::c::C;\n"), ("a/c", "use super::Thing;\n"), ("b", "")];
    assert_eq!(circles(&made(&parts)), Vec::<String>::new());
    let around = [root, ("a", ""), ("a/c", "use super::Thing;\nuse crate::plan::b;\n"), ("b", "use super::a::c;\n")];
    assert_eq!(circles(&made(&around)), ["plan: a/c, b"]);
}

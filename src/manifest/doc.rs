//! One document of a manifest, as a tree with its kind and its place.

use std::sync::Arc;

use super::diagnostic::Problem;
use super::nouns::Noun;
use crate::yaml::{Content, Entry, Node, Span};

/// One document of a manifest.
pub(super) struct Doc<'s> {
    pub(super) noun: &'static Noun,
    pub(super) file: Arc<str>,
    pub(super) source: &'s str,
    pub(super) root: Node,
    /// What its schema has to complain about.
    pub(super) problems: Vec<Problem>,
}

impl Doc<'_> {
    /// The node at a path.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(&self.root, |node, key| node.get(key))
    }

    /// The entries of the mapping at a path; none where there is none.
    pub(super) fn entries(&self, path: &[&str]) -> &[Entry] {
        self.at(path).map(Node::entries).unwrap_or_default()
    }

    /// The items of the list at a path; none where there is none.
    pub(super) fn items(&self, path: &[&str]) -> &[Node] {
        self.at(path).map(Node::items).unwrap_or_default()
    }

    /// Where the value at a path stands; the key, where the value is more than a scalar.
    pub(super) fn span(&self, path: &[&str]) -> Span {
        span(&self.root, path)
    }

    /// What it is called, where that can be read.
    pub(super) fn name(&self) -> Option<&str> {
        self.root.get("metadata")?.get("name")?.text()
    }
}

/// Where the value at a path below a node stands; the key, where the value is more than a scalar.
pub(super) fn span(node: &Node, path: &[&str]) -> Span {
    let (mut node, mut span) = (node, node.span);
    for key in path {
        let Some(entry) = node.entry(key) else { break };
        node = &entry.value;
        let scalar = matches!(node.content, Content::Scalar(_)) && !node.span.is_empty();
        span = if scalar { node.span } else { entry.key_span };
    }
    span
}

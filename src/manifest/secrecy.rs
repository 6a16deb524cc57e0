//! What no snippet may show, found in the text itself: what is broken has no tree, and a key that is there twice is in
//! none.

use super::nouns::{NOUNS, Secrecy};
use crate::yaml::{Content, Node, Place, Span};

/// Words before a colon that a hidden document still shows, so that its snippet can be read.
const SHOWN: [&str; 33] = [
    "metadata",
    "spec",
    "generate",
    "length",
    "charset",
    "sealed",
    "external",
    "tags",
    "resourcePolicy",
    "replicas",
    "kmsKey",
    "rotate",
    "every",
    "restart",
    "check",
    "http",
    "expect",
    "timeout",
    "deletionPolicy",
    "recoveryWindow",
    "region",
    "adopt",
    "ready",
    "dependsOn",
    "name",
    "description",
    "value",
    "values",
    "plain",
    "data",
    "stringData",
    "secretString",
    "password",
];

/// A stretch from one byte to another, as a mask takes it.
fn stretch(start: usize, end: usize) -> Span {
    Span { start: Place { offset: start, line: 1, column: 1 }, end }
}

/// The documents of a text, as their byte offsets.
fn documents(source: &str) -> Vec<(usize, usize)> {
    let (mut found, mut start, mut at) = (Vec::new(), 0, 0);
    for line in source.split_inclusive('\n') {
        if line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace)) {
            found.push((start, at));
            start = at;
        }
        at += line.len();
    }
    found.push((start, at));
    found
}

/// Hides the document at a byte offset.
pub(super) fn document_at(source: &str, offset: usize) -> Vec<Span> {
    let around = documents(source).into_iter().filter(|(start, end)| (*start..*end).contains(&offset));
    around.flat_map(|(start, end)| hidden(source, start, end)).collect()
}

/// Hides every document of a file that cannot be read, but those that say that they are of a kind without secrets.
pub(super) fn unreadable(source: &str) -> Vec<Span> {
    let secret = documents(source).into_iter().filter(|(start, end)| {
        let text = source.get(*start..*end).unwrap_or_default();
        let mut kinds = text.lines().filter_map(|line| line.strip_prefix("kind:")).map(str::trim).peekable();
        kinds.peek().is_none() || kinds.any(|kind| !is_public(kind))
    });
    secret.flat_map(|(start, end)| hidden(source, start, end)).collect()
}

fn is_public(kind: &str) -> bool {
    NOUNS.iter().any(|noun| noun.word == kind && noun.secrecy != Secrecy::Document)
}

/// Everything between two offsets, but the words of fields and what sort of document this is.
fn hidden(source: &str, start: usize, end: usize) -> Vec<Span> {
    let (mut masks, mut at) = (Vec::new(), start);
    for line in source.get(start..end).unwrap_or_default().split_inclusive('\n') {
        let body = line.trim();
        let begin = at + (line.len() - line.trim_start().len());
        let stop = at + line.trim_end().len();
        at += line.len();
        let kind = body.strip_prefix("kind:").is_some_and(|kind| NOUNS.iter().any(|noun| noun.word == kind.trim()));
        let version = body.strip_prefix("apiVersion:").is_some_and(|version| version.trim().starts_with("landfast/"));
        if body.is_empty() || body == "---" || (kind || version) && !body.contains('#') {
            continue;
        }
        let field = body.strip_prefix("- ").unwrap_or(body);
        let word = field.split_once(':').map(|(word, _)| word).filter(|word| SHOWN.contains(word));
        let shown = word.map_or(0, |word| body.len() - field.len() + word.len() + 1);
        masks.push(stretch(begin + shown, stop));
    }
    masks
}

/// Hides everything below `parameters:`: without the template it cannot be told which of them are `NoEcho`.
pub(super) fn parameters(source: &str) -> Vec<Span> {
    let mut masks = Vec::new();
    let mut offset = 0;
    // The indentation that ends the block; in flow style only the end of the document does.
    let mut inside: Option<Option<usize>> = None;
    for line in source.split_inclusive('\n') {
        let body = line.trim_start();
        let indent = line.len() - body.len();
        let ends = |outer: Option<usize>| outer.is_some_and(|outer| indent <= outer) && !body.is_empty();
        if line.starts_with("---") || inside.is_some_and(ends) {
            inside = None;
        }
        let mut skip = if inside.is_some() { line.find(':').map_or(0, |colon| colon + 1) } else { line.len() };
        if inside.is_none()
            && let Some(found) = line.find("parameters")
        {
            inside = Some(body.starts_with("parameters:").then_some(indent));
            skip = found + "parameters".len();
        }
        let end = offset + line.trim_end().len();
        masks.push(stretch((offset + skip).min(end), end));
        offset += line.len();
    }
    masks
}

/// Hides every scalar of a tree.
pub(super) fn scalars(node: &Node) -> Vec<Span> {
    match &node.content {
        Content::Scalar(_) => vec![node.span],
        Content::Sequence(items) => items.iter().flat_map(scalars).collect(),
        Content::Mapping(entries) => entries.iter().flat_map(|entry| scalars(&entry.value)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source: &str, masks: &[Span]) -> String {
        let mut bytes = source.as_bytes().to_vec();
        for mask in masks {
            bytes[mask.start.offset..mask.end].fill(b'*');
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_hidden_document_shows_its_fields_and_nothing_they_hold() {
        let source = "kind: Stack\n---\nkind: Secret\nspec:\n  value: a: b\n  # c\n  - name: d\n  e: |\n    f: g\n--- # h\ni: j\n";
        let offset = source.find("kind: Secret").unwrap();
        assert_eq!(
            shown(source, &document_at(source, offset)),
            "kind: Stack\n---\nkind: Secret\nspec:\n  value:*****\n  ***\n  - name:**\n  ****\n    ****\n--- # h\ni: j\n"
        );
    }

    #[test]
    fn what_cannot_be_read_is_hidden_unless_it_says_that_it_is_no_secret() {
        let source = "kind: Stack\na: b\n---\nkind: Sercet\nc: d\n---\ne: f\n---\n{ kind: Stack, g: h }\n";
        assert_eq!(
            shown(source, &unreadable(source)),
            "kind: Stack\na: b\n---\n************\n****\n---\n****\n---\n*********************\n"
        );
    }
}

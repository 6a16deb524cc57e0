//! What a text looks like that does not call itself ours: something else that is known, or a manifest that went wrong.

use std::collections::BTreeSet;

use super::files::group;
use super::nouns::NOUNS;
use crate::model::{Kind, ObjectName};
use crate::yaml::{self, Content, Node, Scalar};

/// What our manifests say of themselves, in one way or another.
const US: &str = "landfast";
/// The fields of a manifest.
const FIELDS: [&str; 4] = ["apiVersion", "kind", "metadata", "spec"];

/// What a document is.
pub(super) enum Shape {
    /// There is nothing in it.
    Nothing,
    /// Something else: the rule that excludes it.
    Known(&'static str),
    /// It cannot be told, and why it is no manifest.
    Unknown(String),
}

/// What a document is that does not call itself ours. `json`: files in which manifests are seldom written.
pub(super) fn shape(root: &Node, json: bool) -> Shape {
    match &root.content {
        Content::Scalar(scalar) if scalar.is_null() => Shape::Nothing,
        Content::Scalar(scalar) => Shape::Unknown(of_scalar(scalar)),
        Content::Sequence(items) => {
            let parameters = !items.is_empty() && items.iter().all(|item| item.get("ParameterKey").is_some());
            match (parameters, json) {
                (true, _) => Shape::Known("a parameter file of the AWS CLI"),
                (false, true) => Shape::Known("a JSON list"),
                (false, false) => Shape::Unknown("it is a list".to_owned()),
            }
        }
        Content::Mapping(entries) => {
            let has = |key: &str| root.get(key).is_some();
            let ours = |wanted: &str| entries.iter().find(|entry| near(&entry.key, wanted)).map(|entry| &*entry.key);
            let any = FIELDS.iter().any(|field| ours(field).is_some());
            if has("AWSTemplateFormatVersion") || has("Resources") && ours("apiVersion").is_none() {
                return Shape::Known("a CloudFormation template");
            }
            if has("Parameters") && !any {
                return Shape::Known("a parameter file");
            }
            if is_foreign(root) {
                return Shape::Known("a manifest of another tool: its `apiVersion` has another group");
            }
            if json && !any {
                return Shape::Known("JSON without `apiVersion` and `kind`");
            }
            Shape::Unknown(match ours("apiVersion") {
                Some("apiVersion") => "its `apiVersion` is not `landfast/v1`".to_owned(),
                Some(other) => format!("`{other}` is not `apiVersion`"),
                None => "it has no `apiVersion: landfast/v1`".to_owned(),
            })
        }
    }
}

/// A document of another tool: its group is nothing like ours, and its kind is none of ours.
fn is_foreign(root: &Node) -> bool {
    let of_ours = |kind: &str| NOUNS.iter().any(|noun| near(kind, noun.word));
    let text = |key: &str| root.get(key).and_then(Node::text);
    match (text("apiVersion"), text("kind")) {
        (Some(version), Some(kind)) => {
            group(root).is_none() && !version.is_empty() && !version.to_ascii_lowercase().contains(US) && !of_ours(kind)
        }
        _ => false,
    }
}

/// A slip of the pen away. `Version` is not: it is a field of many other things.
fn near(word: &str, wanted: &str) -> bool {
    let slips = if wanted.len() > 5 { 2 } else { 1 };
    // Nobody mistypes a name of hundreds of characters.
    word.len() <= 2 * wanted.len()
        && strsim::osa_distance(&word.to_ascii_lowercase(), &wanted.to_ascii_lowercase()) <= slips
}

fn of_scalar(scalar: &Scalar) -> String {
    if scalar.text.starts_with("version https://git-lfs.github.com/") {
        return "it is a Git LFS pointer; the file was not fetched (`git lfs pull`)".to_owned();
    }
    "it is plain text".to_owned()
}

/// Whether a text is meant to be a manifest, as far as words tell.
pub(super) fn resembles(source: &str) -> bool {
    let words = || NOUNS.iter().any(|noun| source.contains(noun.word));
    claims(source.as_bytes()) || source.contains("kind") && source.contains("spec") && words()
}

/// Whether there is the word for us in it, in whatever encoding has the letters of ASCII.
pub(super) fn claims(bytes: &[u8]) -> bool {
    let letters: Vec<u8> = bytes.iter().filter(|byte| **byte != 0).map(u8::to_ascii_lowercase).collect();
    letters.windows(US.len()).any(|window| window == US.as_bytes())
}

/// Whether this is no text at all.
pub(super) fn is_no_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).map_or(true, |text| text.contains('\0'))
}

/// The objects that a text describes, if it can be read as manifests or as anything else; `None` if it cannot.
pub(super) fn describes(bytes: &[u8]) -> Option<BTreeSet<(Kind, ObjectName)>> {
    let source = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))?;
    let stream = yaml::parse(source);
    if stream.fault.is_some() {
        return None;
    }
    let mut objects = BTreeSet::new();
    for document in &stream.documents {
        let root = &document.root;
        if root.as_scalar().is_some() || root.get("kind").is_none() && group(root).is_none() {
            continue;
        }
        let kind = root.get("kind").and_then(Node::text)?;
        let noun = NOUNS.iter().find(|noun| noun.word == kind)?;
        let name = root.get("metadata")?.get("name")?.text()?.parse().ok()?;
        objects.extend(noun.kind.map(|kind| (kind, name)));
    }
    Some(objects)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_else_there_may_be_is_known_by_its_shape_and_a_manifest_that_went_wrong_is_not() {
        let known = |text: &str, json: bool| match shape(&yaml::parse(text).documents[0].root, json) {
            Shape::Nothing => "nothing".to_owned(),
            Shape::Known(rule) => rule.to_owned(),
            Shape::Unknown(why) => format!("? {why}"),
        };
        for (text, expected) in [
            ("Resources: {}", "a CloudFormation template"),
            ("AWSTemplateFormatVersion: 2010-09-09", "a CloudFormation template"),
            ("Parameters: { A: b }", "a parameter file"),
            ("- { ParameterKey: a, ParameterValue: b }", "a parameter file of the AWS CLI"),
            (
                "{ apiVersion: apps/v1, kind: Deployment }",
                "a manifest of another tool: its `apiVersion` has another group",
            ),
            ("~", "nothing"),
            ("apiversion: landfast/v1", "? `apiversion` is not `apiVersion`"),
            ("apiVersion : landfast.io/v1\nkind: Stack", "? its `apiVersion` is not `landfast/v1`"),
            ("{ apiVersion: v1, kind: Service }", "? its `apiVersion` is not `landfast/v1`"),
            ("{ apiVersion: my.landfast.io/v1, kind: Thing }", "? its `apiVersion` is not `landfast/v1`"),
            ("{ kind: Stack, spec: {} }", "? it has no `apiVersion: landfast/v1`"),
            ("{ services: {} }", "? it has no `apiVersion: landfast/v1`"),
            ("template: t.yaml", "? it has no `apiVersion: landfast/v1`"),
            ("[a]", "? it is a list"),
            ("../elsewhere/b.yaml", "? it is plain text"),
        ] {
            assert_eq!(known(text, false), expected, "{text}");
        }
        assert_eq!(known("{ Statement: [] }", true), "JSON without `apiVersion` and `kind`");
        assert!(known("{ kind: Stack, spec: {} }", true).starts_with('?'));
    }
}

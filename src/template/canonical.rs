//! One form for all ways of writing the same template.
//!
//! Short intrinsics become long ones, keys are sorted, comments and styles are gone. Numbers and texts stay apart
//! (`80` is not `"80"`), so that two templates with the same digest are the same to CloudFormation; the converse is
//! not promised, and a difference that turns out to be none costs one empty change set.

use serde_json::{Map, Value};

use super::scalar;
use crate::yaml::{Content, Node};

/// The canonical form of a node.
pub(super) fn canonical(node: &Node) -> Value {
    let plain = match &node.content {
        Content::Scalar(scalar) => scalar::value(scalar, node.tag.is_some()),
        Content::Sequence(items) => Value::Array(items.iter().map(canonical).collect()),
        Content::Mapping(entries) => {
            let mut entries: Vec<(&str, Value)> =
                entries.iter().map(|entry| (entry.key.as_str(), canonical(&entry.value))).collect();
            entries.sort_by_key(|(key, _)| *key);
            if let [("Fn::GetAtt", value)] = entries.as_mut_slice() {
                *value = attribute(value.take());
            }
            Value::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
        }
    };
    let Some(tag) = node.tag.as_deref() else { return plain };
    let (key, value) = match tag {
        "Ref" | "Condition" => (tag.to_owned(), plain),
        "GetAtt" => ("Fn::GetAtt".to_owned(), attribute(plain)),
        _ => (format!("Fn::{tag}"), plain),
    };
    Value::Object(Map::from_iter([(key, value)]))
}

/// `A.B` as `[A, B]`.
pub(super) fn attribute(value: Value) -> Value {
    match &value {
        Value::String(text) => match text.split_once('.') {
            Some((resource, attribute)) => Value::from(vec![resource, attribute]),
            None => value,
        },
        _ => value,
    }
}

/// Whether the declaration of a parameter says that its value is secret.
pub(super) fn is_no_echo(declaration: &Value) -> bool {
    declaration.get("NoEcho").and_then(shown).is_some_and(|flag| flag.eq_ignore_ascii_case("true"))
}

/// A scalar value as CloudFormation shows it.
pub(super) fn shown(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The intrinsic that a value is: its name and its argument.
pub(super) fn intrinsic(value: &Value) -> Option<(&str, &Value)> {
    let object = value.as_object()?;
    let mut entries = object.iter();
    match (entries.next(), entries.next()) {
        (Some((key, argument)), None) if key == "Ref" || key.starts_with("Fn::") => Some((key, argument)),
        _ => None,
    }
}

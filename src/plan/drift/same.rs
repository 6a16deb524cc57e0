//! Whether two values mean the same.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::model::{PropertyDifference, PropertyDrift};

/// Why a difference is none; `None`: it is one.
pub(super) fn means_the_same(difference: &PropertyDrift) -> Option<&'static str> {
    let (expected, live) = (read(&difference.expected), read(&difference.live));
    if expected == live {
        return Some("the same value in another form");
    }
    if ordered(&expected) == ordered(&live) {
        return Some("the same values in another order");
    }
    if difference.how == PropertyDifference::Add && is_own_tag(&difference.path, &live) {
        return Some("a tag that AWS sets");
    }
    let only_filled = match difference.how {
        PropertyDifference::Add => is_nothing(&live),
        PropertyDifference::Remove => is_nothing(&expected),
        PropertyDifference::NotEqual => is_nothing(&expected) && is_nothing(&live) && expected.is_null(),
    };
    if only_filled || contains(&expected, &live) {
        return Some("a default that AWS fills in");
    }
    None
}

/// Which of the differences of a resource are only that the elements of a list stand in another order, so that each
/// element differs from what was in its place.
pub(super) fn reordered(differences: &[PropertyDrift]) -> BTreeSet<usize> {
    let mut lists: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, difference) in differences.iter().enumerate() {
        if let Some((list, _)) = element(&difference.path) {
            lists.entry(list).or_default().push(index);
        }
    }
    let mut found = BTreeSet::new();
    for indexes in lists.into_values() {
        let (mut expected, mut live) = (Vec::new(), Vec::new());
        for index in &indexes {
            let Some(difference) = differences.get(*index) else { continue };
            let within = element(&difference.path).map_or("", |(_, within)| within);
            match difference.how {
                PropertyDifference::Add => live.push((within, text(&difference.live))),
                PropertyDifference::Remove => expected.push((within, text(&difference.expected))),
                PropertyDifference::NotEqual => {
                    expected.push((within, text(&difference.expected)));
                    live.push((within, text(&difference.live)));
                }
            }
        }
        expected.sort();
        live.sort();
        if expected == live {
            found.extend(indexes);
        }
    }
    found
}

/// The list that a path goes into, and where in its element: `/Rules/0/Port` is `/Rules` and `/Port`.
fn element(path: &str) -> Option<(&str, &str)> {
    let mut from = 0;
    for part in path.split('/') {
        let to = from + part.len();
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some((path.get(..from.saturating_sub(1))?, path.get(to..)?));
        }
        from = to + 1;
    }
    None
}

fn text(value: &str) -> String {
    ordered(&read(value)).to_string()
}

/// A value as it is meant: JSON in a text is JSON, and numbers and truths are their texts, because templates write both.
fn read(text: &str) -> Value {
    plain(serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())))
}

fn plain(value: Value) -> Value {
    match value {
        Value::String(text) => match serde_json::from_str(&text) {
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => plain(inner),
            _ => Value::String(text),
        },
        Value::Number(number) => Value::String(number.as_f64().map_or_else(|| number.to_string(), whole)),
        Value::Bool(truth) => Value::String(truth.to_string()),
        Value::Array(items) => Value::Array(items.into_iter().map(plain).collect()),
        Value::Object(members) => {
            let mut members: Vec<(String, Value)> =
                members.into_iter().map(|(name, value)| (name, plain(value))).collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(Map::from_iter(members))
        }
        Value::Null => Value::Null,
    }
}

/// `5.0` is `5`.
fn whole(number: f64) -> String {
    format!("{number}")
}

/// With lists in an order of their own.
fn ordered(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(ordered).collect();
            items.sort_by_cached_key(Value::to_string);
            Value::Array(items)
        }
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), ordered(value))).collect(),
        other => other.clone(),
    }
}

/// Says no more than if it were left out.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => matches!(text.as_str(), "" | "false" | "0"),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.values().all(is_nothing),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Everything that is expected is there, and what else is there says nothing.
fn contains(expected: &Value, live: &Value) -> bool {
    match (expected, live) {
        (Value::Object(expected), Value::Object(live)) => {
            let kept = expected.iter().all(|(name, value)| match live.get(name) {
                Some(live) => ordered(value) == ordered(live) || contains(value, live),
                None => is_nothing(value),
            });
            kept && live.iter().all(|(name, value)| expected.contains_key(name) || is_nothing(value))
        }
        (Value::Array(expected), Value::Array(live)) => {
            expected.len() == live.len() && expected.iter().zip(live).all(|(a, b)| a == b || contains(a, b))
        }
        _ => false,
    }
}

/// `aws:…` are AWS's (AWS: *Tag naming limits and requirements*).
fn is_own_tag(path: &str, live: &Value) -> bool {
    let of_aws = |name: &str| name.starts_with("aws:");
    let named = live.get("Key").and_then(Value::as_str).is_some_and(of_aws);
    path.contains("/Tags") && (named || path.rsplit('/').next().is_some_and(of_aws))
}

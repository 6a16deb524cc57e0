//! Conditions of statements: whether one set of them lets through no more than another one.
//!
//! All conditions of a statement have to hold. So one more is stricter, and one less is not. One that both have is as
//! strict if it takes no value more, or, where it is a negation, excludes no value less (AWS: *IAM JSON policy
//! elements: Condition operators*, *Multivalued context keys*).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::pattern::{Letters, Pattern};

/// Values by operator and key.
pub(super) type Conditions = BTreeMap<(String, String), BTreeSet<Pattern>>;

/// Reads a `Condition` block. `None`: it is not one, or an expression.
pub(super) fn read(block: &Value) -> Option<Conditions> {
    let mut conditions = Conditions::new();
    for (operator, keys) in block.as_object()? {
        if operator == "Ref" || operator.starts_with("Fn::") {
            return None;
        }
        for (key, values) in keys.as_object()? {
            if key == "Ref" || key.starts_with("Fn::") {
                return None;
            }
            let letters = letters(operator);
            let values = match values {
                Value::Array(items) => items.iter().map(|item| Pattern::of(item, letters)).collect(),
                one => BTreeSet::from([Pattern::of(one, letters)]),
            };
            // Keys have no case; operators that are written in another case than ours are compared as they are.
            conditions.insert((operator.clone(), key.to_ascii_lowercase()), values);
        }
    }
    Some(conditions)
}

/// Whether `new` lets through no more than `old`.
pub(super) fn is_as_strict(new: &Conditions, old: &Conditions) -> bool {
    old.iter().all(|(place, old)| new.get(place).is_some_and(|new| is_narrower(&place.0, new, old)))
}

fn is_narrower(operator: &str, new: &BTreeSet<Pattern>, old: &BTreeSet<Pattern>) -> bool {
    if new == old {
        return true;
    }
    let within = |part: &BTreeSet<Pattern>, whole: &BTreeSet<Pattern>| {
        part.iter().all(|one| whole.iter().any(|other| covers(operator, other, one)))
    };
    match sort(operator) {
        // An empty list matches nothing, and is not what somebody means to write.
        Sort::Positive => !new.is_empty() && within(new, old),
        Sort::Negative => within(old, new),
        Sort::Other => false,
    }
}

fn covers(operator: &str, whole: &Pattern, part: &Pattern) -> bool {
    if base(operator).ends_with("IpAddress")
        && let (Some(whole), Some(part)) = (network(whole), network(part))
    {
        return whole.contains(&part);
    }
    whole.covers(part)
}

fn network(pattern: &Pattern) -> Option<IpNet> {
    let text = pattern.literal()?;
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    /// One of the values must match.
    Positive,
    /// None may.
    Negative,
    /// Only equal to itself: an order, a flag, or something that is not known here.
    Other,
}

fn sort(operator: &str) -> Sort {
    match base(operator) {
        "StringEquals"
        | "StringEqualsIgnoreCase"
        | "StringLike"
        | "ArnEquals"
        | "ArnLike"
        | "NumericEquals"
        | "DateEquals"
        | "BinaryEquals"
        | "IpAddress" => Sort::Positive,
        "StringNotEquals"
        | "StringNotEqualsIgnoreCase"
        | "StringNotLike"
        | "ArnNotEquals"
        | "ArnNotLike"
        | "NumericNotEquals"
        | "DateNotEquals"
        | "NotIpAddress" => Sort::Negative,
        _ => Sort::Other,
    }
}

/// Which letters are wildcards: `ArnEquals` behaves as `ArnLike`.
fn letters(operator: &str) -> Letters {
    match base(operator) {
        name if name.ends_with("Like") || name.starts_with("Arn") => Letters::Wild,
        name if name.ends_with("IgnoreCase") => Letters::PlainCaseless,
        "Bool" | "Null" => Letters::PlainCaseless,
        _ => Letters::Plain,
    }
}

/// The operator without what says how many values a key has, and whether it has to be there.
fn base(operator: &str) -> &str {
    let name = operator.strip_prefix("ForAllValues:").or_else(|| operator.strip_prefix("ForAnyValue:"));
    let name = name.unwrap_or(operator);
    name.strip_suffix("IfExists").unwrap_or(name)
}

/// In words, after a statement.
pub(super) fn write(conditions: &Conditions, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    for (index, ((operator, key), values)) in conditions.iter().enumerate() {
        let word = if index == 0 { "if" } else { "and" };
        let values: Vec<String> = values.iter().map(ToString::to_string).collect();
        write!(f, " {word} {key} {operator} {}", values.join(" | "))?;
    }
    Ok(())
}

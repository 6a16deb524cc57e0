//! Stack policies (AWS: *Prevent updates to stack resources*): once there is one, what it does not allow is denied. And in
//! which form AWS shows the resource policies that it was given.

use serde_json::Value as Json;

use super::world::World;
use crate::model::like;

impl World {
    /// Why the stack's policy forbids `action` on a resource, if it does.
    pub(super) fn policy_denies(&self, ix: usize, logical: &str, kind: &str, action: &str) -> Option<String> {
        let policy: Json = serde_json::from_str(self.data.stacks[ix].policy.as_ref()?).ok()?;
        let statements = policy.get("Statement").and_then(Json::as_array)?;
        let about = |statement: &&Json| concerns(statement, logical, kind, action);
        let effect = |statement: &&Json, effect: &str| statement.get("Effect").and_then(Json::as_str) == Some(effect);
        let denied = statements.iter().filter(about).any(|statement| effect(&statement, "Deny"));
        let allowed = statements.iter().filter(about).any(|statement| effect(&statement, "Allow"));
        (denied || !allowed).then(|| {
            format!("Action denied by stack policy: Statement does not allow [{action}] for resource [LogicalResourceId/{logical}];")
        })
    }
}

/// A resource policy as AWS shows it: a list of one is a text, an account is the ARN of its root.
pub(super) fn as_it_is_shown(body: &str) -> String {
    serde_json::from_str(body).map_or_else(|_| body.to_owned(), |policy| shown(policy).to_string())
}

fn shown(value: Json) -> Json {
    match value {
        Json::Array(mut items) if items.len() == 1 && !items[0].is_object() => shown(items.remove(0)),
        Json::Array(items) => Json::Array(items.into_iter().map(shown).collect()),
        Json::Object(fields) => Json::Object(fields.into_iter().map(|(name, value)| (name, shown(value))).collect()),
        Json::String(id) if id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit()) => {
            Json::String(format!("arn:aws:iam::{id}:root"))
        }
        other => other,
    }
}

fn texts<'a>(statement: &'a Json, field: &str) -> Option<Vec<&'a str>> {
    match statement.get(field)? {
        Json::String(one) => Some(vec![one]),
        Json::Array(many) => Some(many.iter().filter_map(Json::as_str).collect()),
        _ => None,
    }
}

fn concerns(statement: &Json, logical: &str, kind: &str, action: &str) -> bool {
    let resource = format!("LogicalResourceId/{logical}");
    let listed = |field: &str, text: &str| {
        texts(statement, field).map(|patterns| patterns.iter().any(|pattern| like(pattern, text)))
    };
    let either = |field: &str, text: &str| match (listed(field, text), listed(&format!("Not{field}"), text)) {
        (Some(yes), _) => yes,
        (None, Some(no)) => !no,
        (None, None) => true,
    };
    let condition = statement.get("Condition").is_none_or(|condition| {
        let kinds = ["StringEquals", "StringLike"].iter().filter_map(|operator| condition.get(*operator));
        kinds
            .filter_map(|test| texts(test, "ResourceType"))
            .any(|kinds| kinds.iter().any(|pattern| like(pattern, kind)))
    });
    either("Action", action) && either("Resource", &resource) && condition
}

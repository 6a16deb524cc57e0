//! One form for all ways of writing the same policy document.
//!
//! AWS gives a resource policy back in a form of its own: a list of one as a text, an account's id as the ARN of its root,
//! lists in another order (AWS: *IAM JSON policy elements*, *Grammar of the IAM JSON policy language*). That is the same
//! policy; taken for another one, it would be put there again at every look.
//!
//! The id of a principal that was deleted (`AROA…`, `AIDA…`) stays what it is: AWS shows it in the place of an ARN that no
//! longer means anybody, and the policy no longer says what its manifest says (AWS: *AWS JSON policy elements: Principal*).

use serde_json::{Map, Value};

use crate::model::Digest;
use crate::sabotage::{self, Bug};

/// The version that a document has which says none (AWS: *IAM JSON policy elements: Version*).
const VERSION: &str = "2008-10-17";

/// The digest of a policy document, the same for all ways of writing it. A text that is no JSON has that of the text.
#[must_use]
pub fn policy_digest(body: &str) -> Digest {
    match serde_json::from_str::<Value>(body) {
        Ok(policy) if sabotage::is(Bug::PolicyByText) => Digest::of(&policy),
        Ok(Value::Object(policy)) => Digest::of(&document(policy)),
        Ok(other) => Digest::of(&other),
        Err(_) => Digest::of(body),
    }
}

fn document(policy: Map<String, Value>) -> Value {
    let mut document = sorted(policy);
    document.entry("Version").or_insert_with(|| Value::from(VERSION));
    if let Some(statements) = document.remove("Statement") {
        let statements = listed(statements).into_iter().map(statement).collect();
        document.insert("Statement".to_owned(), set(statements));
    }
    Value::Object(sorted(document))
}

fn statement(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    let fields = fields.into_iter().filter(|(name, value)| !(name == "Sid" && value == ""));
    let fields = fields.map(|(name, value)| {
        let value = match name.as_str() {
            "Action" | "NotAction" => texts(value, str::to_ascii_lowercase),
            "Resource" | "NotResource" => texts(value, str::to_owned),
            "Principal" | "NotPrincipal" => principal(value),
            "Condition" => condition(value),
            _ => value,
        };
        (name, value)
    });
    Value::Object(sorted(fields.filter(|(_, value)| !is_empty(value)).collect()))
}

/// `"*"` is everybody, as `{"AWS": "*"}` is (AWS: *Principal*: "you can use" either).
fn principal(value: Value) -> Value {
    match value {
        Value::Object(sorts) => {
            let sorts = sorts.into_iter().filter(|(_, who)| !is_empty(who));
            let sorts = sorts.map(|(sort, who)| (sort, texts(who, account)));
            Value::Object(sorted(sorts.collect()))
        }
        everybody => Value::Object(Map::from_iter([("AWS".to_owned(), texts(everybody, account))])),
    }
}

/// An account is its id, which AWS shows as the ARN of its root.
fn account(principal: &str) -> String {
    let root = || {
        let rest = principal.strip_prefix("arn:")?;
        let (_, rest) = rest.split_once(":iam::")?;
        let id = rest.strip_suffix(":root")?;
        (id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit())).then(|| id.to_owned())
    };
    root().unwrap_or_else(|| principal.to_owned())
}

/// Operators, and in each of them keys, which have no case, with the values that are compared.
fn condition(value: Value) -> Value {
    let Value::Object(operators) = value else { return value };
    let operators = operators.into_iter().filter(|(_, keys)| !is_empty(keys)).map(|(operator, keys)| {
        let plain: fn(&str) -> String = if operator.contains("Bool") || operator.ends_with("Null") {
            |text: &str| text.to_ascii_lowercase()
        } else {
            str::to_owned
        };
        let keys = match keys {
            Value::Object(keys) => {
                let keys = keys.into_iter().map(|(key, values)| (key.to_ascii_lowercase(), texts(values, plain)));
                Value::Object(sorted(keys.collect()))
            }
            other => other,
        };
        (operator, keys)
    });
    Value::Object(sorted(operators.collect()))
}

/// Texts, of which neither number nor order counts; a number and a truth value are texts too.
fn texts(value: Value, plain: impl Fn(&str) -> String) -> Value {
    let texts = listed(value).into_iter().map(|value| match value {
        Value::String(text) => Value::from(plain(&text)),
        Value::Bool(_) | Value::Number(_) => Value::from(plain(&value.to_string())),
        other => other,
    });
    set(texts.collect())
}

fn listed(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        one => vec![one],
    }
}

fn set(mut items: Vec<Value>) -> Value {
    items.sort_by_key(Value::to_string);
    items.dedup();
    Value::Array(items)
}

fn sorted(fields: Map<String, Value>) -> Map<String, Value> {
    let mut fields: Vec<(String, Value)> = fields.into_iter().collect();
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    fields.into_iter().collect()
}

fn is_empty(value: &Value) -> bool {
    matches!(value, Value::Object(fields) if fields.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest(statement: &Value) -> Digest {
        policy_digest(&json!({ "Version": "2012-10-17", "Statement": statement }).to_string())
    }

    fn base() -> Value {
        json!({
            "Sid": "Read",
            "Effect": "Allow",
            "Principal": { "AWS": ["arn:aws:iam::111122223333:role/app", "444455556666"], "Service": "ecs.amazonaws.com" },
            "Action": ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
            "Resource": ["*"],
            "Condition": { "Bool": { "aws:SecureTransport": true }, "StringEquals": { "aws:PrincipalTag/team": ["a", "b"] } },
        })
    }

    fn with(field: &str, value: Value) -> Value {
        let mut statement = base();
        statement[field] = value;
        statement
    }

    #[test]
    fn all_ways_of_writing_a_policy_are_one() {
        let same = [
            json!([base()]),
            json!([base(), base()]),
            with("Resource", json!("*")),
            with("Action", json!(["secretsmanager:DescribeSecret", "secretsmanager:getsecretvalue"])),
            with(
                "Principal",
                json!({
                    "Service": ["ecs.amazonaws.com"],
                    "AWS": ["arn:aws:iam::444455556666:root", "arn:aws:iam::111122223333:role/app"],
                }),
            ),
            with(
                "Condition",
                json!({
                    "StringEquals": { "aws:principaltag/team": ["b", "a"] },
                    "Bool": { "aws:SecureTransport": ["true"] },
                }),
            ),
        ];
        for statement in same {
            assert_eq!(digest(&statement), digest(&base()), "{statement}");
        }
        let everybody = |principal: Value| digest(&with("Principal", principal));
        assert_eq!(everybody(json!("*")), everybody(json!({ "AWS": "*" })));
        assert_eq!(everybody(json!("*")), everybody(json!({ "AWS": ["*"] })));
        assert_eq!(digest(&with("Condition", json!({}))), digest(&with("Condition", json!({ "Bool": {} }))));
        let china = |root: &str| everybody(json!({ "AWS": root }));
        assert_eq!(china("111122223333"), china("arn:aws-cn:iam::111122223333:root"));
        assert_eq!(policy_digest(r#"{"Statement":[]}"#), policy_digest(r#"{"Statement":[],"Version":"2008-10-17"}"#));
    }

    #[test]
    fn whatever_says_something_else_is_another_policy() {
        let other = [
            with("Effect", json!("Deny")),
            with("Sid", json!("Write")),
            with("Resource", json!("arn:aws:secretsmanager:us-east-1:111122223333:secret:app")),
            with("Action", json!("secretsmanager:GetSecretValue")),
            with("Principal", json!({ "AWS": ["arn:aws:iam::111122223333:role/app"], "Service": "ecs.amazonaws.com" })),
            with(
                "Principal",
                json!({ "AWS": ["AROAEXAMPLE1234567890", "444455556666"], "Service": "ecs.amazonaws.com" }),
            ),
            with("Principal", json!("*")),
            with("Condition", json!({ "Bool": { "aws:SecureTransport": false } })),
            with("Condition", json!({ "StringLike": { "aws:PrincipalTag/team": ["a", "b"] } })),
            with("NotAction", json!("secretsmanager:DeleteSecret")),
            json!([base(), with("Sid", json!("More"))]),
            json!([]),
        ];
        let mut seen = std::collections::BTreeSet::from([digest(&base())]);
        for statement in other {
            assert!(seen.insert(digest(&statement)), "{statement}");
        }
        assert_ne!(policy_digest("no policy"), policy_digest("another"));
        let named = |version: &str| policy_digest(&json!({ "Version": version, "Statement": [base()] }).to_string());
        assert_ne!(named("2012-10-17"), named("2008-10-17"));
    }

    #[test]
    fn a_role_is_not_taken_for_its_account() {
        let of = |principal: &str| digest(&with("Principal", json!({ "AWS": principal })));
        assert_ne!(of("arn:aws:iam::111122223333:role/root"), of("111122223333"));
        assert_ne!(of("arn:aws:iam::111122223333:user/app"), of("arn:aws:iam::111122223333:role/app"));
    }
}

//! Custom resources: what a template says of them, and what stands in for the answer of the function or topic behind them (AWS:
//! *`AWS::CloudFormation::CustomResource`*).
//!
//! Nobody runs that function here. It is taken to answer with success, and what `Fn::GetAtt` reads of its answer is made up:
//! a text that says so, wherever it ends up.

use serde_json::Value as Json;

use crate::model::Scope;

/// Begins every made-up answer.
const ANSWER: &str = "simulated-answer-";

/// Letters of a type's name ("up to a maximum length of 60 characters").
const NAME: usize = 60;

/// Whether a type is one.
pub(super) fn is_custom(kind: &str) -> bool {
    kind.starts_with("Custom::") || kind == "AWS::CloudFormation::CustomResource"
}

/// What `CloudFormation` needs of a custom resource before anything is created. AWS publishes no words for this.
pub(super) fn check(name: &str, kind: &str, properties: &Json) -> Result<(), String> {
    if !is_custom(kind) {
        return Ok(());
    }
    let own = kind.strip_prefix("Custom::").unwrap_or("CustomResource");
    if own.is_empty()
        || kind.len() > NAME
        || !own.chars().all(|letter| letter.is_ascii_alphanumeric() || "_@-:".contains(letter))
    {
        return Err(format!("Template format error: Unrecognized resource types: [{kind}]"));
    }
    match properties.get("ServiceToken") {
        None | Some(Json::Null) => Err(format!(
            "Template format error: [/Resources/{name}/Properties] A custom resource must contain a ServiceToken property."
        )),
        Some(_) => Ok(()),
    }
}

/// Why a custom resource cannot be made or changed. Its service token is the ARN of a topic or a function in the same region, and
/// "updates are not supported".
pub(super) fn refused(scope: &Scope, kind: &str, wanted: &Json, now: Option<&Json>) -> Option<String> {
    if !is_custom(kind) {
        return None;
    }
    let token = |properties: &Json| properties.get("ServiceToken").and_then(Json::as_str).map(str::to_owned);
    let given = token(wanted).unwrap_or_default();
    if now.is_some_and(|now| token(now).as_deref() != Some(given.as_str())) {
        return Some("Modifying service token is not allowed.".to_owned());
    }
    let parts: Vec<&str> = given.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "lambda" | "sns", region, _, _, ..] if *region == scope.region.as_str() => None,
        ["arn", _, "lambda" | "sns", region, _, _, ..] => {
            Some(format!("Invalid service token: it is in {region}, and the stack in {}.", scope.region))
        }
        _ => Some("Invalid service token: it must be the ARN of a Lambda function or an SNS topic.".to_owned()),
    }
}

/// What `Fn::GetAtt` gives.
pub(super) fn answer(physical: &str, name: &str) -> String {
    format!("{ANSWER}{}-of-{physical}", name.replace('.', "-"))
}

/// Whether a value is made up, so that nobody knows whether it is a text or a list.
pub(super) fn is_made_up(value: &str) -> bool {
    value.starts_with(ANSWER)
}

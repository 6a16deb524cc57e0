//! The shape of a template's `Rules` (AWS: *CloudFormation template Rules syntax*, *Rule functions*). What they say of values is
//! in `assertions`.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

/// What a rule may use. One page lists `Fn::If` as well; CloudFormation refuses it in the words of [`check`] (users' reports:
/// aws-cloudformation/cloudformation-coverage-roadmap#921).
const FUNCTIONS: [&str; 11] = [
    "Fn::And",
    "Fn::Contains",
    "Fn::EachMemberEquals",
    "Fn::EachMemberIn",
    "Fn::Equals",
    "Fn::Not",
    "Fn::Or",
    "Fn::RefAll",
    "Fn::ValueOf",
    "Fn::ValueOfAll",
    "Ref",
];

/// Holds the shape of all rules against what they may be. AWS publishes no words for most of this.
pub(super) fn check(rules: &Map<String, Json>, is_parameter: impl Fn(&str) -> bool) -> Result<(), String> {
    let (mut unsupported, mut unresolved) = (BTreeSet::new(), BTreeSet::new());
    for (name, rule) in rules {
        let all = rule.get("Assertions").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        if all.is_empty() || all.iter().any(|one| one.get("Assert").is_none()) {
            return Err(format!(
                "Template format error: Rule {name} must contain Assertions, and each of them an Assert member."
            ));
        }
        let judged = rule.get("RuleCondition").into_iter().chain(all.iter().filter_map(|one| one.get("Assert")));
        for expression in judged {
            used(expression, &mut |function, argument| {
                if !FUNCTIONS.contains(&function) {
                    unsupported.insert(function.to_owned());
                }
                let of = match function {
                    "Ref" => argument.as_str(),
                    "Fn::ValueOf" => argument.get(0).and_then(Json::as_str),
                    _ => None,
                };
                unresolved.extend(of.filter(|of| !is_parameter(of) && !of.starts_with("AWS::")));
            });
        }
    }
    if !unsupported.is_empty() {
        let functions = unsupported.into_iter().collect::<Vec<String>>().join(", ");
        return Err(format!(
            "Template format error: Following functions are not supported in the Rules block of the template: [{functions}]"
        ));
    }
    if !unresolved.is_empty() {
        let names = unresolved.into_iter().collect::<Vec<&str>>().join(", ");
        return Err(format!(
            "Template format error: Unresolved dependencies [{names}]. Cannot reference resources in the Rules block of the template"
        ));
    }
    Ok(())
}

/// Calls `with` for every function in an expression.
fn used<'a>(expression: &'a Json, with: &mut impl FnMut(&'a str, &'a Json)) {
    match expression {
        Json::Array(items) => items.iter().for_each(|item| used(item, with)),
        Json::Object(map) => {
            for (key, value) in map {
                if key == "Ref" || key == "Condition" || key.starts_with("Fn::") {
                    with(key, value);
                }
                used(value, with);
            }
        }
        _ => {}
    }
}

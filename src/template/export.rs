//! Names of exports, as far as they are known without deploying.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::canonical::{intrinsic, shown};

/// Longer texts are not known. A name has at most 255 characters, and no output's value is worth more.
const LONGEST: usize = 65_536;

/// Renders an expression as text in which `${Parameter}` and `${AWS::Region}` stand for themselves. `None` if it
/// depends on anything else (a resource, a condition), or has a `${` that means itself.
pub(super) fn render(value: &Value, is_parameter: &dyn Fn(&str) -> bool) -> Option<String> {
    if let Some(text) = shown(value) {
        return (!text.contains("${")).then_some(text);
    }
    match intrinsic(value)? {
        ("Ref", name) => {
            let name = name.as_str()?;
            known(name, is_parameter).then(|| format!("${{{name}}}"))
        }
        ("Fn::Sub", argument) => substitute(argument, is_parameter),
        ("Fn::Join", argument) => {
            let [separator, Value::Array(items)] = argument.as_array()?.as_slice() else { return None };
            let items: Option<Vec<String>> = items.iter().map(|item| render(item, is_parameter)).collect();
            let (items, separator) = (items?, separator.as_str()?);
            let length =
                items.iter().map(String::len).fold(separator.len().saturating_mul(items.len()), usize::saturating_add);
            (length <= LONGEST).then(|| items.join(separator))
        }
        _ => None,
    }
}

fn known(name: &str, is_parameter: &dyn Fn(&str) -> bool) -> bool {
    is_parameter(name)
        || matches!(name, "AWS::Region" | "AWS::AccountId" | "AWS::StackName" | "AWS::Partition" | "AWS::URLSuffix")
}

fn substitute(argument: &Value, is_parameter: &dyn Fn(&str) -> bool) -> Option<String> {
    let (template, variables) = substitution(argument)?;
    let variables: BTreeMap<&str, Option<String>> =
        variables.into_iter().flatten().map(|(name, value)| (name.as_str(), render(value, is_parameter))).collect();
    let mut name = String::new();
    for piece in pieces(template) {
        match piece {
            Piece::Text(text) => name.push_str(text),
            Piece::Name(variable) if variable.starts_with('!') => return None,
            Piece::Name(variable) => match variables.get(variable) {
                Some(value) => name.push_str(value.as_deref()?),
                None if known(variable, is_parameter) => {
                    let _ = write!(name, "${{{variable}}}");
                }
                None => return None,
            },
        }
        // Each level may repeat the one below.
        if name.len() > LONGEST {
            return None;
        }
    }
    Some(name)
}

/// What `Fn::Sub` is given: a text, and variables of its own if it has any.
pub(super) fn substitution(argument: &Value) -> Option<(&str, Option<&Map<String, Value>>)> {
    match argument {
        Value::String(text) => Some((text, None)),
        Value::Array(parts) => match parts.as_slice() {
            [Value::String(text)] => Some((text, None)),
            [Value::String(text), Value::Object(variables)] => Some((text, Some(variables))),
            _ => None,
        },
        _ => None,
    }
}

/// A part of a text with placeholders.
pub(super) enum Piece<'t> {
    /// Stands for itself.
    Text(&'t str),
    /// The inside of `${…}`, trimmed.
    Name(&'t str),
}

/// The parts of a text with `${…}` in it. An unclosed one stands for itself.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some(inside) = rest.strip_prefix("${")
            && let Some(end) = inside.find('}')
        {
            rest = inside.get(end + 1..).unwrap_or_default();
            return Some(Piece::Name(inside.get(..end).unwrap_or_default().trim()));
        }
        // The first character may be the `$` of an unclosed placeholder: look for the next one after it.
        let skip = rest.chars().next().map_or(0, char::len_utf8);
        let end = match rest.get(skip..).and_then(|tail| tail.find("${")) {
            Some(at) if rest.get(skip..).is_some_and(|tail| tail.contains('}')) => skip + at,
            _ => rest.len(),
        };
        let (text, tail) = rest.split_at(end);
        rest = tail;
        Some(Piece::Text(text))
    })
}

/// The name that an expression (see [`crate::model::TemplateOutput::export`]) stands for, where `values` knows every
/// placeholder in it.
pub fn resolve_name(expression: &str, values: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut name = String::new();
    for piece in pieces(expression) {
        match piece {
            Piece::Text(text) => name.push_str(text),
            Piece::Name(placeholder) => name.push_str(&values(placeholder)?),
        }
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rendered(value: &Value) -> Option<String> {
        render(value, &|name| name == "Env")
    }

    #[test]
    fn names_of_exports_keep_parameters_and_the_region_as_placeholders() {
        assert_eq!(rendered(&json!("shared-vpc")).as_deref(), Some("shared-vpc"));
        assert_eq!(
            rendered(&json!({"Fn::Sub": "${Env}-VPC-${AWS::Region}"})).as_deref(),
            Some("${Env}-VPC-${AWS::Region}")
        );
        assert_eq!(rendered(&json!({"Fn::Join": ["-", [{"Ref": "Env"}, "VPC"]]})).as_deref(), Some("${Env}-VPC"));
        assert_eq!(rendered(&json!({"Fn::Sub": ["${A}-x", {"A": {"Ref": "Env"}}]})).as_deref(), Some("${Env}-x"));
    }

    #[test]
    fn names_that_depend_on_resources_or_conditions_are_not_known() {
        for value in [
            json!({"Ref": "Vpc"}),
            json!({"Fn::Sub": "${Vpc.Arn}"}),
            json!({"Fn::Sub": "${!Literal}"}),
            json!({"Fn::If": ["A", "b", "c"]}),
        ] {
            assert_eq!(rendered(&value), None, "{value}");
        }
    }

    #[test]
    fn a_name_is_resolved_when_every_placeholder_is_known() {
        let values = |name: &str| (name == "Env").then(|| "dev".to_owned());
        assert_eq!(resolve_name("${Env}-VPC", values).as_deref(), Some("dev-VPC"));
        assert_eq!(resolve_name("${Other}-VPC", values), None);
        assert_eq!(resolve_name("a${b", values).as_deref(), Some("a${b"));
        assert_eq!(resolve_name("${Env} ${b", values).as_deref(), Some("dev ${b"));
    }
}

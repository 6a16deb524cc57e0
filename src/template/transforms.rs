//! The macros that a template names, AWS's own among them: each takes a permission of its own.

use std::collections::BTreeSet;

use serde_json::Value;

/// The macros that are named in a template: for all of it (AWS: *Transform section*), or for a part of
/// it (AWS: *`Fn::Transform`*).
pub(super) fn named(written: &Value) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = match written.get("Transform") {
        Some(Value::Array(names)) => names.iter().filter_map(macro_name).collect(),
        one => one.and_then(macro_name).into_iter().collect(),
    };
    within(written, &mut names);
    names
}

/// A macro is named by a text, or by a mapping with its parameters.
fn macro_name(named: &Value) -> Option<String> {
    let name = named.as_str().or_else(|| named.get("Name")?.as_str());
    name.map(str::to_owned)
}

fn within(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| within(item, names)),
        Value::Object(entries) => {
            for (key, item) in entries {
                if key == "Fn::Transform" {
                    names.extend(macro_name(item));
                }
                within(item, names);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn macros_are_known_by_their_names() {
        for (body, names) in [
            ("Transform: AWS::Serverless-2016-10-31\nResources: {A: {Type: T}}", &["AWS::Serverless-2016-10-31"][..]),
            (
                "Transform: [AWS::LanguageExtensions, Own]\nResources: {A: {Type: T}}",
                &["AWS::LanguageExtensions", "Own"],
            ),
            (
                "Transform: {Name: AWS::Include, Parameters: {Location: s3://b/k}}\nResources: {A: {Type: T}}",
                &["AWS::Include"],
            ),
            ("Resources: {A: {Type: T, Properties: {X: !Transform {Name: Own, Parameters: {}}}}}", &["Own"]),
            ("Resources: {A: {Type: T}}", &[]),
        ] {
            let found = crate::template::parse(body).unwrap().transforms;
            assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), names, "{body}");
        }
    }
}

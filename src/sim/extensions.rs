//! `AWS::LanguageExtensions` (AWS: *`AWS::LanguageExtensions` transform*): `Fn::ForEach`, and policies that are computed.
//! `Fn::Length`, `Fn::ToJsonString` and the default of `Fn::FindInMap` are evaluated where every function is.

use serde_json::{Map, Value as Json};

use super::evaluate::{Frame, shown};

/// The sections in which a loop may stand.
const SECTIONS: [&str; 3] = ["Conditions", "Resources", "Outputs"];

/// Expands a template.
pub(super) fn expand(root: &mut Map<String, Json>, frame: &Frame<'_>) -> Result<(), String> {
    for name in SECTIONS {
        if let Some(section) = root.remove(name) {
            let section = unroll(section, root, frame)?;
            root.insert(name.to_owned(), section);
        }
    }
    settle_policies(root, frame)
}

/// Puts what a loop stands for in its place.
fn unroll(value: Json, root: &Map<String, Json>, frame: &Frame<'_>) -> Result<Json, String> {
    match value {
        Json::Array(items) => items.into_iter().map(|item| unroll(item, root, frame)).collect(),
        Json::Object(map) => {
            let mut done = Map::with_capacity(map.len());
            for (key, value) in map {
                if let Some(name) = key.strip_prefix("Fn::ForEach::") {
                    let turns = turns(name, &value, root, frame)?;
                    for (key, value) in turns {
                        put(&mut done, &key, unroll(value, root, frame)?)?;
                    }
                } else {
                    put(&mut done, &key, unroll(value, root, frame)?)?;
                }
            }
            Ok(Json::Object(done))
        }
        other => Ok(other),
    }
}

fn put(map: &mut Map<String, Json>, key: &str, value: Json) -> Result<(), String> {
    match map.insert(key.to_owned(), value) {
        None => Ok(()),
        Some(_) => Err(format!("Template format error: Fn::ForEach makes {key} twice")),
    }
}

/// What a loop makes, for each value of its collection.
fn turns(
    name: &str,
    argument: &Json,
    root: &Map<String, Json>,
    frame: &Frame<'_>,
) -> Result<Vec<(String, Json)>, String> {
    let wrong = || format!("Transform AWS::LanguageExtensions failed with: Fn::ForEach::{name} layout is incorrect");
    let [identifier, collection, fragment] = argument.as_array().map(Vec::as_slice).unwrap_or_default() else {
        return Err(wrong());
    };
    let identifier = identifier.as_str().ok_or_else(wrong)?;
    let values = frame.with(root, |env| env.eval(collection))?.unwrap_or_default();
    let values = values.as_array().ok_or_else(wrong)?;
    let fragment = fragment.as_object().ok_or_else(wrong)?;
    let mut made = Vec::new();
    for value in values.iter().map(shown) {
        for (key, template) in fragment {
            let inner = key.starts_with("Fn::ForEach::");
            if !inner && !key.contains(&format!("${{{identifier}}}")) && !key.contains(&format!("&{{{identifier}}}")) {
                return Err(wrong());
            }
            made.push((filled(key, identifier, &value), fill(template, identifier, &value)));
        }
    }
    // A loop within a loop is unrolled with what this one has filled in.
    let mut flat = Vec::new();
    for (key, value) in made {
        match key.strip_prefix("Fn::ForEach::") {
            Some(name) => flat.extend(turns(name, &value, root, frame)?),
            None => flat.push((key, value)),
        }
    }
    Ok(flat)
}

/// `&{Identifier}` takes letters and digits alone, so that any value can be in a logical id.
fn filled(text: &str, identifier: &str, value: &str) -> String {
    let alphanumeric: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
    text.replace(&format!("${{{identifier}}}"), value).replace(&format!("&{{{identifier}}}"), &alphanumeric)
}

fn fill(value: &Json, identifier: &str, with: &str) -> Json {
    match value {
        Json::String(text) => Json::String(filled(text, identifier, with)),
        Json::Array(items) => items.iter().map(|item| fill(item, identifier, with)).collect(),
        Json::Object(map) => {
            if map.len() == 1 && map.get("Ref").and_then(Json::as_str) == Some(identifier) {
                return Json::from(with);
            }
            map.iter().map(|(key, item)| (filled(key, identifier, with), fill(item, identifier, with))).collect()
        }
        other => other.clone(),
    }
}

/// With this macro, a `DeletionPolicy` may be computed from parameters.
fn settle_policies(root: &mut Map<String, Json>, frame: &Frame<'_>) -> Result<(), String> {
    let Some(Json::Object(mut resources)) = root.remove("Resources") else { return Ok(()) };
    for decl in resources.values_mut().filter_map(Json::as_object_mut) {
        for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
            if let Some(computed) = decl.get(policy).filter(|policy| policy.is_object()) {
                let text = frame.with(root, |env| env.text(computed))?;
                decl.insert(policy.to_owned(), Json::from(text));
            }
        }
    }
    root.insert("Resources".to_owned(), Json::Object(resources));
    Ok(())
}

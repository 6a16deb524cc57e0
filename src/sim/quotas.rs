//! How much a template may have of anything (AWS: *`CloudFormation` quotas*). What holds for a request alone, its size and the
//! values of its parameters, is in `validate`.

use serde_json::{Map, Value as Json};

/// What has a logical id, what one of it is called, and how many there may be.
const SECTIONS: [(&str, &str, usize); 4] = [
    ("Resources", "Resource", 500),
    ("Parameters", "Parameter", 200),
    ("Outputs", "Output", 200),
    ("Mappings", "Mapping", 200),
];

/// Attributes of one mapping.
const ATTRIBUTES: usize = 200;

/// Letters of any name.
const NAME: usize = 255;

/// Bytes of the description.
const DESCRIPTION: usize = 1_024;

/// Bytes of a parameter's value.
pub(super) const VALUE: usize = 4_096;

/// Dynamic references (AWS: *Get values stored in other services using dynamic references*).
const REFERENCES: usize = 60;

/// Says what a template has too much of, in AWS's words where they are known: those of the number of resources and of defaults.
pub(super) fn check(root: &Map<String, Json>) -> Result<(), String> {
    for (name, what, most) in SECTIONS {
        within(&name.to_ascii_lowercase(), section(root, name).count(), most)?;
        if let Some((long, _)) = section(root, name).find(|(key, _)| key.chars().count() > NAME) {
            return Err(format!("Template format error: {what} name {long} may not exceed {NAME} characters."));
        }
    }
    for (name, mapping) in section(root, "Mappings") {
        let attributes = mapping.as_object().into_iter().flat_map(Map::values).filter_map(Json::as_object);
        let most = mapping.as_object().map_or(0, Map::len).max(attributes.map(Map::len).max().unwrap_or_default());
        within(&format!("mapping attributes in {name}"), most, ATTRIBUTES)?;
    }
    for (name, decl) in section(root, "Parameters") {
        if let Some(default) = decl.get("Default").and_then(Json::as_str).filter(|default| default.len() > VALUE) {
            return Err(format!(
                "Template format error: Parameter '{name}' default value '{default}' length is greater than {VALUE}."
            ));
        }
    }
    if root.get("Description").and_then(Json::as_str).is_some_and(|text| text.len() > DESCRIPTION) {
        return Err(format!("Template format error: Template description may not exceed {DESCRIPTION} bytes."));
    }
    let resolved = root.values().map(references).sum();
    within("dynamic references", resolved, REFERENCES)
}

fn section<'a>(root: &'a Map<String, Json>, name: &str) -> impl Iterator<Item = (&'a String, &'a Json)> {
    root.get(name).and_then(Json::as_object).into_iter().flatten()
}

fn within(what: &str, count: usize, most: usize) -> Result<(), String> {
    if count <= most {
        return Ok(());
    }
    Err(format!("Template format error: Number of {what}, {count}, is greater than maximum allowed, {most}"))
}

fn references(value: &Json) -> usize {
    match value {
        Json::String(text) => text.matches("{{resolve:").count(),
        Json::Array(items) => items.iter().map(references).sum(),
        Json::Object(map) => map.values().map(references).sum(),
        _ => 0,
    }
}

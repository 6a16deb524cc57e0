//! The JSON Schema of the manifests, for editors and for our own check.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::kinds::ROWS;

/// The schemas by file name: one for each kind, and `landfast.json` for any of them.
#[must_use]
pub fn schemas() -> BTreeMap<&'static str, Value> {
    let name = |file: &'static str| file.strip_suffix(".json").unwrap_or(file);
    let kinds: Vec<(&str, &Value)> = ROWS.iter().map(|row| (name(row.schema_file), &**row.schema)).collect();
    let single = ROWS.iter().map(|row| (row.schema_file, (**row.schema).clone()));
    single.chain([("landfast.json", any_of(&kinds))]).collect()
}

/// One schema for several kinds, told apart by their `kind`. Each keeps its own definitions below `$defs/<kind>`.
fn any_of(kinds: &[(&str, &Value)]) -> Value {
    let mut definitions = serde_json::Map::new();
    for (name, schema) in kinds {
        let mut schema = (*schema).clone();
        if let Some(object) = schema.as_object_mut() {
            object.remove("$schema");
        }
        rebase(&mut schema, name);
        definitions.insert((*name).to_owned(), schema);
    }
    let one_of: Vec<Value> = kinds.iter().map(|(name, _)| json!({ "$ref": format!("#/$defs/{name}") })).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Landfast manifest",
        "description": "Any document of a Landfast manifest.",
        "oneOf": one_of,
        "$defs": definitions,
    })
}

fn rebase(schema: &mut Value, name: &str) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::String(target)) = object.get_mut("$ref")
                && let Some(rest) = target.strip_prefix("#/")
            {
                *target = format!("#/$defs/{name}/{rest}");
            }
            object.values_mut().for_each(|value| rebase(value, name));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rebase(item, name)),
        _ => {}
    }
}

//! The JSON Schema of the manifests, for editors and for our own check.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::document::{EnvironmentDocument, StackDocument};

/// The schema of an `Environment`.
pub(super) static ENVIRONMENT: LazyLock<Value> = LazyLock::new(of::<EnvironmentDocument>);
/// The schema of a `Stack`.
pub(super) static STACK: LazyLock<Value> = LazyLock::new(of::<StackDocument>);

fn of<T: schemars::JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}

/// The schemas by file name: one for each kind, and `landfast.json` for any of them.
#[must_use]
pub fn schemas() -> BTreeMap<&'static str, Value> {
    let (environment, stack) = (ENVIRONMENT.clone(), STACK.clone());
    let any = any_of(&[("environment", &environment), ("stack", &stack)]);
    BTreeMap::from([("environment.json", environment), ("stack.json", stack), ("landfast.json", any)])
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

//! The JSON Schemas, against what the loader takes and the documentation shows.

use super::*;

#[test]
fn the_schemas_accept_what_the_loader_accepts() {
    let schemas = schemas();
    let names: Vec<&str> = schemas.keys().copied().collect();
    let expected = ["backuppolicy", "dnsrecord", "environment", "landfast", "secret", "service", "stack"]
        .map(|kind| format!("{kind}.json"));
    assert_eq!(names, expected);
    let document = |text: &str| serde_yaml::from_str::<serde_json::Value>(text).unwrap();
    let valid = |schema: &str, text: &str| jsonschema::is_valid(&schemas[schema], &document(text));
    let full = web(&format!(
        "{GOOD}  terminationProtection: '${{values.protect}}'\n  timeout: 90m\n  onFailure: ${{values.x}}\n  deletionPolicy: retain\n"
    ));
    for text in [ENV, NETWORK, &full] {
        assert!(valid("landfast.json", text), "{text}");
    }
    assert!(valid("environment.json", ENV) && valid("stack.json", NETWORK) && !valid("stack.json", ENV));
    for wrong in [
        web(&format!("{GOOD}  tmeout: 5m\n")),
        web(&format!("{GOOD}  timeout: soon\n")),
        web(&format!("{GOOD}  onFailure: rolback\n")),
        ENV.replace("111122223333", "1"),
    ] {
        assert!(!valid("landfast.json", &wrong), "{wrong}");
    }
}

/// The pages of the documentation, which is not a part of the crate.
fn pages(directory: &std::path::Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts.extend(pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            texts.push(std::fs::read_to_string(path).unwrap());
        }
    }
    texts
}

#[test]
fn the_documents_that_the_documentation_shows_fit_their_schemas() {
    let schema = &schemas()["landfast.json"];
    let mut shown = 0;
    for page in pages(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/src")) {
        for block in page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
            let fragment = block.starts_with("  ready:");
            if !fragment && !block.starts_with("apiVersion:") {
                continue;
            }
            let text = if fragment { web(block) } else { block.to_owned() };
            for document in serde_yaml::Deserializer::from_str(&text) {
                let value = <serde_json::Value as serde::Deserialize>::deserialize(document).unwrap();
                let faults: Vec<String> = jsonschema::validator_for(schema)
                    .unwrap()
                    .iter_errors(&value)
                    .map(|error| format!("{}: {error}", error.instance_path()))
                    .collect();
                assert!(faults.is_empty(), "{faults:#?} in\n{text}");
                shown += 1;
            }
        }
    }
    assert_eq!(shown, 13);
}

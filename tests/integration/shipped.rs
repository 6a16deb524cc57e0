//! What is handed on with the program: its manifests, their schemas, and the documents that it prints.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs the program on `manifests`, on an emulated AWS that is kept in `state`.
fn landfast(manifests: &Path, state: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfast"));
    command.args(arguments).arg("--manifests").arg(manifests).arg("--state").arg(state);
    command.env("LANDFAST_CLOUD", "sim").env("NO_COLOR", "1").env_remove("LANDFAST_LOG").output().unwrap()
}

/// Runs the program, expects an exit code, and reads the document that it prints.
fn document(manifests: &Path, state: &Path, arguments: &[&str], code: i32) -> Value {
    let output = landfast(manifests, state, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?} printed no document: {error}"))
}

fn schema(name: &str) -> Value {
    let text = std::fs::read_to_string(root().join("manifests/schemas").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The document is as its schema says.
fn assert_described(document: &Value, kind: &str) {
    assert_eq!(document["apiVersion"], "landfast/v1");
    assert_eq!(document["kind"], kind);
    let schema = schema(&format!("report-{}.json", kind.to_lowercase()));
    let validator = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<String> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(faults.is_empty(), "{kind}: {faults:#?}");
}

#[test]
fn the_committed_schemas_are_those_of_the_program() {
    let written = tempfile::tempdir().unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_landfast")).args(["schema", "--out"]).arg(written.path()).output().unwrap();
    assert!(output.status.success());
    let files = |directory: &Path| {
        let mut files: Vec<(String, String)> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path: PathBuf| {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                (name, std::fs::read_to_string(path).unwrap())
            })
            .collect();
        files.sort();
        files
    };
    let names = |files: &[(String, String)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let (now, committed) = (files(written.path()), files(&root().join("manifests/schemas")));
    let advice = "out of date: landfast schema --out manifests/schemas";
    assert_eq!(names(&now), names(&committed), "{advice}");
    for ((name, now), (_, committed)) in now.iter().zip(&committed) {
        assert!(now == committed, "manifests/schemas/{name} is {advice}");
    }
}

#[test]
fn what_is_shipped_is_valid_without_a_warning() {
    let state = tempfile::tempdir().unwrap();
    for manifests in ["manifests", "examples/smallest"] {
        let report = document(&root().join(manifests), state.path(), &["validate", "-o", "json"], 0);
        assert_described(&report, "Validation");
        assert_eq!(report["valid"], true, "{manifests}");
        assert_eq!(report["diagnostics"], serde_json::json!([]), "{manifests}");
    }
}

#[test]
fn shipped_manifests_are_as_their_schema_says() {
    let validator = jsonschema::validator_for(&schema("landfast.json")).unwrap();
    let manifests = root().join("manifests");
    let environments = ["dev", "staging", "prod"].map(|name| format!("environments/{name}/environment.yaml"));
    let included = ["stacks", "app", "backups"].map(|name| format!("performance-mgmt/{name}.yaml"));
    for path in environments.iter().chain(&included) {
        let text = std::fs::read_to_string(manifests.join(path)).unwrap();
        for document in serde_yaml::Deserializer::from_str(&text) {
            let value = <Value as serde::Deserialize>::deserialize(document).unwrap();
            let faults: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
            assert!(faults.is_empty(), "{path}: {faults:#?}");
        }
    }
}

#[test]
fn every_document_is_as_its_schema_says() {
    let state = tempfile::tempdir().unwrap();
    let manifests = root().join("manifests");
    let print = |arguments: &[&str], code| document(&manifests, state.path(), arguments, code);

    // Before anything is deployed, and when everything is.
    assert_described(&print(&["plan", "-o", "json"], 2), "PlanList");
    assert_described(&print(&["plan", "dev", "-o", "json"], 2), "Plan");
    assert_described(&print(&["status", "-o", "json"], 2), "StatusList");
    assert_described(&print(&["apply", "dev", "--yes", "-o", "json"], 0), "Applied");
    assert_described(&print(&["plan", "dev", "-o", "json"], 0), "Plan");
    assert_described(&print(&["status", "dev", "-o", "json"], 0), "StatusList");
    assert_described(&print(&["outputs", "dev", "-o", "json"], 0), "OutputList");
    assert_described(&print(&["events", "dev/stack/kms", "-o", "json"], 0), "EventList");
}

#[test]
fn broken_manifests_are_reported_as_the_schema_says() {
    let place = tempfile::tempdir().unwrap();
    let text = "apiVersion: landfast/v1\nkind: Environment\nmetadata: { name: dev }\nspec: { sytem: x }\n";
    std::fs::write(place.path().join("environment.yaml"), text).unwrap();
    let report = document(place.path(), &place.path().join("state"), &["validate", "-o", "json"], 65);
    assert_described(&report, "Validation");
    assert_eq!(report["valid"], false);
    assert_eq!(report["diagnostics"][0]["line"], 4);
}

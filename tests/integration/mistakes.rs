//! What is said of the mistakes that people make. Each directory of `tests/golden/mistakes` is an environment with one of
//! them, and the golden file beside it is what `landfast validate` prints for it: one problem, with its place, its line, its
//! cause and what would help. `INSTA_UPDATE=always` writes the golden files again.

use std::path::Path;
use std::process::Command;

/// What is wrong with these is no error: it is a warning, or nothing at all.
const NO_ERROR: [&str; 4] =
    ["directory-too-deep", "file-with-another-ending", "manifest-that-nobody-includes", "region-unknown"];
/// Also kept as what programs read.
const AS_JSON: [&str; 3] = ["field-misspelt", "secret-in-the-clear", "template-missing"];
/// Values that stand in the mistakes and are secret.
const SECRETS: [&str; 1] = ["hunter2"];

fn place() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/mistakes"))
}

/// What a command prints, on both streams, and how it ends.
fn said(arguments: &[&str]) -> String {
    let ran = Command::new(env!("CARGO_BIN_EXE_landfast"))
        .args(arguments)
        .current_dir(place())
        .env_clear()
        .output()
        .expect("the program runs");
    let (notes, printed) = (String::from_utf8(ran.stderr).unwrap(), String::from_utf8(ran.stdout).unwrap());
    format!("{notes}{printed}# exit {}\n", ran.status.code().unwrap_or(-1))
}

fn golden(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(place());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn every_mistake_is_one_error_that_shows_its_line_and_helps() {
    let mut names: Vec<String> = std::fs::read_dir(place())
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    for name in &names {
        let text = said(&["validate", name]);
        golden(&format!("{name}.txt"), &text);
        let errors = usize::from(!NO_ERROR.contains(&name.as_str()));
        assert_eq!(text.matches("  × ").count(), errors, "{name}: {text}");
        assert!(SECRETS.iter().all(|secret| !text.contains(secret)), "{name}: {text}");
        if AS_JSON.contains(&name.as_str()) {
            golden(&format!("{name}.json"), &said(&["validate", name, "-o", "json"]));
        }
    }
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    for (name, path) in
        [("no-such-directory", "kind-mispelt"), ("a-file-for-a-directory", "kind-misspelt/environment.yaml")]
    {
        golden(&format!("{name}.txt"), &said(&["validate", path]));
    }
}

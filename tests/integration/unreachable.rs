//! Nothing seen is not nothing wrong: without credentials every command says so once, with the cause, and fails.

use std::path::Path;
use std::process::{Command, Stdio};

const COMMANDS: [&[&str]; 10] = [
    &["plan", "dev"],
    &["plan", "dev", "-o", "json"],
    &["status", "dev"],
    &["drift", "dev"],
    &["doctor", "dev"],
    &["preflight", "dev"],
    &["images", "dev"],
    &["events", "dev/stack/iam"],
    &["apply", "dev", "--yes"],
    &["destroy", "dev", "--plan", "00000000-00000000-00000000-00000000"],
];

#[test]
fn without_credentials_no_command_says_that_all_is_well() {
    let home = tempfile::tempdir().unwrap();
    for arguments in COMMANDS {
        let ran = Command::new(env!("CARGO_BIN_EXE_landfast"))
            .args(arguments)
            .arg("--manifests")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests"))
            .arg("--state")
            .arg(home.path().join("state"))
            .current_dir(home.path())
            .env_clear()
            .env("HOME", home.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert_eq!(ran.status.code(), Some(1), "{arguments:?}: {out}{err}");
        assert_eq!(out, "", "{arguments:?}");
        assert_eq!(err.matches("no usable credentials").count(), 1, "{arguments:?}: {err}");
        assert!(err.contains("nothing could be read") && err.contains("dev (111122223333/us-east-1"), "{err}");
    }
}

//! Repositories that Git itself has made, for tests.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A repository in a directory of its own.
pub(super) struct Made {
    directory: tempfile::TempDir,
}

impl Made {
    pub(super) fn new() -> Self {
        Self::of(&[])
    }

    /// With these options of `git init`.
    pub(super) fn of(options: &[&str]) -> Self {
        let made = Self { directory: tempfile::tempdir().unwrap() };
        std::fs::create_dir(made.path()).unwrap();
        made.git(&[&["init", "-q", "-b", "main"], options].concat());
        made
    }

    /// Its work tree.
    pub(super) fn path(&self) -> PathBuf {
        self.beside("work")
    }

    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(name)
    }

    pub(super) fn git(&self, arguments: &[&str]) -> String {
        git(&self.path(), arguments)
    }

    /// A commit on what is checked out, and its id.
    pub(super) fn commit(&self, message: &str) -> String {
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }
}

/// What Git prints, with nothing of this machine's configuration.
pub(super) fn git(directory: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(directory).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", directory);
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "somebody").env(format!("GIT_{role}_EMAIL"), "somebody@example.com");
        command.env(format!("GIT_{role}_DATE"), "2026-01-01T00:00:00Z");
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

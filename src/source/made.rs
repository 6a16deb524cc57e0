//! Repositories that Git itself has made, for tests.

use std::path::PathBuf;

#[path = "../../tests/git/mod.rs"]
mod run;

pub(super) use run::git;

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

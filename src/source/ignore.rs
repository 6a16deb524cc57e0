//! `.landfastignore`: what below the root is no manifest, written as `.gitignore` is.
//!
//! It is the one rule that people write themselves. Whatever it lists is theirs to answer for: that a manifest is listed
//! is the same as that it is removed, in a file that is reviewed like any other.

use std::io;
use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::SourceError;
use crate::model::Passed;

/// Its name, at the root and nowhere else.
pub(super) const FILE: &str = ".landfastignore";

/// What it lists.
pub(super) struct Ignored {
    text: String,
    patterns: Gitignore,
}

impl PartialEq for Ignored {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Ignored {
    /// A list of nothing.
    pub(super) fn nothing() -> Self {
        Self { text: String::new(), patterns: Gitignore::empty() }
    }

    /// What a text lists, or why it makes no sense.
    pub(super) fn of(text: String) -> Result<Self, String> {
        let mut builder = GitignoreBuilder::new("");
        for line in text.strip_prefix('\u{feff}').unwrap_or(&text).lines() {
            builder.add_line(None, line).map_err(|error| error.to_string())?;
        }
        let patterns = builder.build().map_err(|error| error.to_string())?;
        Ok(Self { text, patterns })
    }

    /// Why a path below the root is passed over for its name, if it is.
    pub(super) fn passes_over(&self, name: &str, relative: &str, is_directory: bool) -> Option<Passed> {
        if !self.text.is_empty() && self.patterns.matched(relative, is_directory).is_ignore() {
            return Some(Passed::Listed);
        }
        name.starts_with('.').then_some(Passed::Hidden)
    }
}

/// Whether a tool says in a directory that it has made it.
pub(super) fn is_made_by_tool(name: &str, has: impl Fn(&str) -> bool) -> bool {
    has("CACHEDIR.TAG")
        || name == "node_modules"
            && [".package-lock.json", ".yarn-integrity", ".yarn-state.yml", ".modules.yaml"].into_iter().any(has)
}

/// Reads it; there need not be one. One that cannot be read or understood is an error, because without it other files
/// would count.
pub(super) fn read(root: &cap_std::fs::Dir, shown: &Path) -> Result<Ignored, SourceError> {
    let failed = |why: String| SourceError::Ignore { path: shown.join(FILE), why };
    match root.symlink_metadata(FILE) {
        Ok(metadata) if !metadata.is_file() => return Err(failed("it is not a plain file".to_owned())),
        _ => {}
    }
    let text = match root.read_to_string(FILE) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed(error.to_string())),
    };
    Ignored::of(text).map_err(failed)
}

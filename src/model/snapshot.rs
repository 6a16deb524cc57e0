//! The files of one moment, held in memory: what a revision is made of.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::Digest;

/// Every file below the manifests' root, read once, so that everything derived from it is from one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Where the files were read, for messages; never opened again.
    pub root: String,
    /// Contents by path relative to the root, with `/` between the parts.
    pub files: BTreeMap<String, FileContent>,
    /// Files and directories that were passed over, and why. What is below such a directory is in `files` never.
    pub passed: BTreeMap<String, Passed>,
    /// Files that were passed over by name, and were looked at because they lie where manifests are read: they are no
    /// manifests, but what they describe is not gone either.
    pub aside: BTreeMap<String, FileContent>,
    /// Digest of all paths and contents.
    pub content: Digest,
    /// What Git calls it, where the root is in a work tree.
    pub commit: Option<String>,
}

/// A file, or why it was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileContent {
    /// Its bytes.
    Bytes(Arc<[u8]>),
    /// It has this many bytes, more than are read.
    TooLarge(u64),
    /// It could not be read.
    Unreadable(String),
    /// It is a directory, or may be one, and what is below it could not be read.
    NotListed(String),
}

/// Why a file or directory was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Passed {
    /// Its name begins with a dot.
    Hidden,
    /// A tool says in it that it has made it.
    Tool,
    /// `.landfastignore` names it.
    Listed,
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hidden => "hidden: its name begins with a dot",
            Self::Tool => "made by a tool: it has a CACHEDIR.TAG, or is what a package manager calls `node_modules`",
            Self::Listed => "listed in .landfastignore",
        })
    }
}

impl Snapshot {
    /// A snapshot of files given by hand.
    #[must_use]
    pub fn new(root: impl Into<String>, files: BTreeMap<String, FileContent>, commit: Option<String>) -> Self {
        Self::passing(root, files, commit, BTreeMap::new(), BTreeMap::new())
    }

    /// A snapshot in which some things were passed over.
    #[must_use]
    pub fn passing(
        root: impl Into<String>,
        files: BTreeMap<String, FileContent>,
        commit: Option<String>,
        passed: BTreeMap<String, Passed>,
        aside: BTreeMap<String, FileContent>,
    ) -> Self {
        let shape = shape(&files);
        // What was passed over counts only where it was looked at.
        let content = if aside.is_empty() { Digest::of(&shape) } else { Digest::of(&(shape, self::shape(&aside))) };
        Self { root: root.into(), files, passed, aside, content, commit }
    }
}

fn shape(files: &BTreeMap<String, FileContent>) -> Vec<(&String, Digest)> {
    files
        .iter()
        .map(|(path, content)| {
            let digest = match content {
                FileContent::Bytes(bytes) => Digest::of_bytes(bytes),
                FileContent::TooLarge(size) => Digest::of(&("too large", size)),
                FileContent::Unreadable(why) => Digest::of(&("unreadable", why)),
                FileContent::NotListed(why) => Digest::of(&("not listed", why)),
            };
            (path, digest)
        })
        .collect()
}

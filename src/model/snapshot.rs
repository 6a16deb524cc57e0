//! The files of one moment, held in memory: what a revision is made of.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Digest;

/// Every file below the manifests' root, read once, so that everything derived from it is from one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Where the files were read, for messages; never opened again.
    pub root: String,
    /// Contents by path relative to the root, with `/` between the parts.
    pub files: BTreeMap<String, FileContent>,
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
}

impl Snapshot {
    /// A snapshot of files given by hand.
    #[must_use]
    pub fn new(root: impl Into<String>, files: BTreeMap<String, FileContent>, commit: Option<String>) -> Self {
        let shape: Vec<(&String, Digest)> = files
            .iter()
            .map(|(path, content)| {
                let digest = match content {
                    FileContent::Bytes(bytes) => Digest::of_bytes(bytes),
                    FileContent::TooLarge(size) => Digest::of(&("too large", size)),
                    FileContent::Unreadable(why) => Digest::of(&("unreadable", why)),
                };
                (path, digest)
            })
            .collect();
        let content = Digest::of(&shape);
        Self { root: root.into(), files, content, commit }
    }
}

//! Snapshots of what is followed, kept in the state directory: by the time that somebody asks what the daemon runs, the files
//! themselves may be broken or gone.
//!
//! As many are kept as there are revisions that environments follow: one, in nearly every case. Nothing in manifests is
//! secret that is not sealed; only the owner may read them all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::files;
use crate::model::{Digest, FileContent, Passed, Snapshot};

/// Larger ones are not kept, in bytes: manifests have some megabytes at most.
const LARGEST: u64 = 64 << 20;

/// What the name of a file ends with.
const ENDING: &str = ".json";

/// The place in a state directory.
#[derive(Clone, Debug)]
pub struct Kept(PathBuf);

#[derive(Serialize, Deserialize)]
struct Saved {
    root: String,
    commit: Option<String>,
    files: BTreeMap<String, Content>,
    passed: BTreeMap<String, Passed>,
    aside: BTreeMap<String, Content>,
}

/// A file: nearly all are text.
#[derive(Serialize, Deserialize)]
enum Content {
    Text(String),
    Bytes(Vec<u8>),
    TooLarge(u64),
    Unreadable(String),
    NotListed(String),
}

impl Kept {
    /// In this state directory.
    #[must_use]
    pub fn within(state: &Path) -> Self {
        Self(state.join("followed"))
    }

    /// Keeps a snapshot if it is one of those that are followed, and none that is not.
    ///
    /// # Errors
    /// The file system refuses, or the snapshot is too large.
    pub fn keep(&self, snapshot: &Snapshot, followed: &BTreeSet<&Digest>) -> io::Result<()> {
        let path = self.path(&snapshot.content);
        if followed.contains(&snapshot.content) && !path.exists() {
            let text = serde_json::to_vec(&Saved::of(snapshot))?;
            if text.len() as u64 > LARGEST {
                return Err(io::Error::other(format!("they have {} bytes, more than {LARGEST}", text.len())));
            }
            files::make_directory(&self.0)?;
            files::replace(&path, &text, files::Access::Private)?;
        }
        self.forget(followed)
    }

    /// The snapshot with this content, if it was kept.
    #[must_use]
    pub fn read(&self, content: &Digest) -> Option<Snapshot> {
        let path = self.path(content);
        files::regular_or_nothing(&path).ok()?;
        let mut text = Vec::new();
        files::open_unfollowed(&path).ok()?.take(LARGEST).read_to_end(&mut text).ok()?;
        let snapshot = serde_json::from_slice::<Saved>(&text).ok()?.snapshot();
        // Of what was cut or changed, nobody runs anything.
        (snapshot.content == *content).then_some(snapshot)
    }

    fn forget(&self, followed: &BTreeSet<&Digest>) -> io::Result<()> {
        let entries = match self.0.read_dir() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let name = entry?.file_name();
            let Some(content) = name.to_str().and_then(|name| name.strip_suffix(ENDING)) else { continue };
            if !followed.iter().any(|digest| digest.as_str() == content) {
                std::fs::remove_file(self.0.join(&name))?;
            }
        }
        Ok(())
    }

    fn path(&self, content: &Digest) -> PathBuf {
        self.0.join(format!("{}{ENDING}", content.as_str()))
    }
}

impl Saved {
    fn of(snapshot: &Snapshot) -> Self {
        let saved = |files: &BTreeMap<String, FileContent>| {
            files.iter().map(|(path, content)| (path.clone(), Content::of(content))).collect()
        };
        Self {
            root: snapshot.root.clone(),
            commit: snapshot.commit.clone(),
            files: saved(&snapshot.files),
            passed: snapshot.passed.clone(),
            aside: saved(&snapshot.aside),
        }
    }

    fn snapshot(self) -> Snapshot {
        let read = |files: BTreeMap<String, Content>| {
            files.into_iter().map(|(path, content)| (path, FileContent::from(content))).collect()
        };
        Snapshot::passing(self.root, read(self.files), self.commit, self.passed, read(self.aside))
    }
}

impl Content {
    fn of(content: &FileContent) -> Self {
        match content {
            FileContent::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Self::Text(text.to_owned()),
                Err(_) => Self::Bytes(bytes.to_vec()),
            },
            FileContent::TooLarge(size) => Self::TooLarge(*size),
            FileContent::Unreadable(why) => Self::Unreadable(why.clone()),
            FileContent::NotListed(why) => Self::NotListed(why.clone()),
        }
    }
}

impl From<Content> for FileContent {
    fn from(content: Content) -> Self {
        match content {
            Content::Text(text) => Self::Bytes(text.into_bytes().into()),
            Content::Bytes(bytes) => Self::Bytes(bytes.into()),
            Content::TooLarge(size) => Self::TooLarge(size),
            Content::Unreadable(why) => Self::Unreadable(why),
            Content::NotListed(why) => Self::NotListed(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn snapshot(text: &str) -> Snapshot {
        let files = [
            ("a.yaml", FileContent::Bytes(text.as_bytes().into())),
            ("b.age", FileContent::Bytes([0xff, 0, 1].as_slice().into())),
            ("c", FileContent::TooLarge(7)),
            ("d", FileContent::Unreadable("denied".to_owned())),
        ];
        let files = files.map(|(path, content)| (path.to_owned(), content));
        let aside = [(".e".to_owned(), FileContent::NotListed("denied".to_owned()))];
        let passed = [(".e".to_owned(), Passed::Hidden)];
        Snapshot::passing("manifests", files.into(), Some("abc".to_owned()), passed.into(), aside.into())
    }

    #[test]
    fn what_is_followed_is_kept_as_it_was_and_nothing_else_is() {
        let state = tempfile::tempdir().unwrap();
        let kept = Kept::within(&state.path().join("state"));
        let (one, two) = (snapshot("one"), snapshot("two"));
        assert!(kept.read(&one.content).is_none());
        kept.keep(&one, &[&two.content].into()).unwrap();
        assert!(kept.read(&one.content).is_none(), "nobody follows it");
        kept.keep(&one, &[&one.content].into()).unwrap();
        kept.keep(&two, &[&one.content, &two.content].into()).unwrap();
        for whole in [&one, &two] {
            let read = kept.read(&whole.content).unwrap();
            assert_eq!((&read.files, &read.aside, &read.passed), (&whole.files, &whole.aside, &whole.passed));
            assert_eq!((&read.root, &read.commit), (&whole.root, &whole.commit));
        }
        let modes = [kept.0.clone(), kept.path(&one.content)].map(|path| path.metadata().unwrap().permissions().mode());
        assert_eq!(modes.map(|mode| mode & 0o777), [0o700, 0o600]);
        kept.keep(&two, &[&two.content].into()).unwrap();
        assert!(kept.read(&one.content).is_none() && kept.read(&two.content).is_some());
    }

    #[test]
    fn what_somebody_has_changed_or_put_there_is_not_read() {
        let state = tempfile::tempdir().unwrap();
        let kept = Kept::within(state.path());
        let (one, two) = (snapshot("one"), snapshot("two"));
        kept.keep(&one, &[&one.content].into()).unwrap();
        std::fs::copy(kept.path(&one.content), kept.path(&two.content)).unwrap();
        assert!(kept.read(&two.content).is_none());
        std::fs::remove_file(kept.path(&two.content)).unwrap();
        std::os::unix::fs::symlink(kept.path(&one.content), kept.path(&two.content)).unwrap();
        assert!(kept.read(&two.content).is_none());
        std::fs::write(kept.path(&one.content), "{").unwrap();
        assert!(kept.read(&one.content).is_none());
    }
}

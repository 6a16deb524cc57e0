//! Commits of the local repository by name: what they hold is read from the object database, whatever is checked out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gix::ObjectId;

use super::tree::{self, TreeError};
use super::{git, history};
use crate::model::{Ancestry, Snapshot, short_commit};

/// Why a commit of the local repository cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// There is no repository.
    #[error(
        "{path} is not in a Git repository: run in a checkout, or name a repository in the operator's configuration"
    )]
    NoRepository {
        /// Where one was looked for.
        path: PathBuf,
    },
    /// There is no such commit.
    #[error("the repository has no commit `{name}`: check the name; a shallow clone has only the newest commits")]
    NoCommit {
        /// The name.
        name: String,
    },
    /// Its files cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// A commit of the repository that a directory is in, and the directory's place in it.
#[derive(Clone, Debug)]
pub struct LocalCommit {
    repository: PathBuf,
    /// The directory within the work tree: it need not exist in what is checked out.
    path: String,
    /// Its id.
    pub commit: String,
}

impl LocalCommit {
    /// The commit that Git calls so (`gitrevisions(7)`: an id, a branch, a tag, `HEAD~1`), in the repository that `root`
    /// is in.
    ///
    /// # Errors
    /// There is no repository, or no such commit.
    pub fn find(root: &Path, name: &str) -> Result<Self, CommitError> {
        let absolute = root.canonicalize().or_else(|_| std::path::absolute(root)).unwrap_or_else(|_| root.to_owned());
        let nowhere = || CommitError::NoRepository { path: root.to_owned() };
        let work_tree = absolute.ancestors().find(|above| above.join(".git").exists()).ok_or_else(nowhere)?;
        let repository = git::open(work_tree).ok_or_else(nowhere)?;
        let missing = || CommitError::NoCommit { name: name.to_owned() };
        let commit = resolve(&repository, name).ok_or_else(missing)?.to_string();
        let inside = absolute.strip_prefix(work_tree).unwrap_or(Path::new(""));
        let parts: Vec<_> = inside.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
        Ok(Self { repository: work_tree.to_owned(), path: parts.join("/"), commit })
    }

    /// Its files. Of what is passed over by name, the files below those that are `opened` are read too, aside. This blocks
    /// while it reads.
    ///
    /// # Errors
    /// The directory is not in the commit, or there is too much in it.
    pub fn read(&self, opened: &BTreeSet<String>) -> Result<Snapshot, CommitError> {
        let nowhere = || CommitError::NoRepository { path: self.repository.clone() };
        let repository = git::open(&self.repository).ok_or_else(nowhere)?;
        let missing = || CommitError::NoCommit { name: self.commit.clone() };
        let id = ObjectId::from_hex(self.commit.as_bytes()).map_err(|_| missing())?;
        let shown = format!("{}@{}", self.repository.join(&self.path).display(), short_commit(&self.commit));
        Ok(tree::read(&repository, id, &self.path, &shown, opened)?)
    }

    /// How it stands to another commit. This blocks while it reads.
    #[must_use]
    pub fn ancestry(&self, to: &str) -> Ancestry {
        history::ancestry(&self.repository, &self.commit, to)
    }
}

/// The commit that Git calls so.
pub(super) fn resolve(repository: &gix::Repository, name: &str) -> Option<ObjectId> {
    if name.is_empty() || name.len() > 512 {
        return None;
    }
    let id = repository.rev_parse_single(name).ok()?;
    Some(id.object().ok()?.peel_to_kind(gix::objs::Kind::Commit).ok()?.id)
}

#[cfg(test)]
mod tests {
    use super::super::made::Made;
    use super::*;

    #[test]
    fn a_commit_is_read_by_its_name_whatever_is_checked_out() {
        let made = Made::new();
        std::fs::create_dir(made.path().join("m")).unwrap();
        std::fs::write(made.path().join("m/a.yaml"), "one").unwrap();
        made.git(&["add", "-A"]);
        let one = made.commit("one");
        std::fs::write(made.path().join("m/a.yaml"), "two").unwrap();
        made.git(&["add", "-A"]);
        let two = made.commit("two");
        made.git(&["tag", "-a", "-m", "tagged", "v1", &one]);
        made.git(&["branch", "topic/x", &one]);
        std::fs::remove_dir_all(made.path().join("m")).unwrap();
        let root = made.path().join("m");
        for (name, commit) in [
            ("HEAD", &two),
            ("main", &two),
            ("HEAD~1", &one),
            ("v1", &one),
            ("topic/x", &one),
            (&one[..], &one),
            (&two[..9], &two),
        ] {
            let found = LocalCommit::find(&root, name).unwrap();
            assert_eq!(&found.commit, commit, "{name}");
            let snapshot = found.read(&BTreeSet::new()).unwrap();
            assert_eq!(snapshot.files.keys().collect::<Vec<_>>(), ["a.yaml"]);
            assert_eq!(snapshot.commit.as_ref(), Some(commit));
        }
        assert_eq!(LocalCommit::find(&root, "HEAD").unwrap().ancestry(&one), Ancestry::Newer);
        for name in ["", "nowhere", "HEAD~9", "0123456", "HEAD:m/a.yaml", "-x"] {
            assert!(matches!(LocalCommit::find(&root, name), Err(CommitError::NoCommit { .. })), "{name}");
        }
        let elsewhere = tempfile::tempdir().unwrap();
        assert!(matches!(LocalCommit::find(elsewhere.path(), "HEAD"), Err(CommitError::NoRepository { .. })));
        let missing = LocalCommit::find(&made.path().join("n"), "HEAD").unwrap().read(&BTreeSet::new());
        assert!(matches!(missing, Err(CommitError::Tree(TreeError::NoDirectory { .. }))));
    }
}

//! The Git repository that the manifests are in, read in process.
//!
//! Whoever writes manifests may also write what is in `.git`. So nothing of its configuration is followed that could start
//! a program or lead to other files, and no `git` is called. A layout that is not understood (such as `reftable`) gives no
//! repository, and no error.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The largest file `.git` that is read: it holds one path.
const LARGEST: u64 = 64 << 10;

/// The id of the commit that is checked out in the work tree that `directory` is in, if it is in one.
pub(super) fn head(directory: &Path) -> Option<String> {
    Some(open(directory)?.head_id().ok()?.to_string())
}

/// The repository whose work tree a path is in.
///
/// Unlike `git`, which refuses a repository of another user (`safe.directory`), because its configuration can name programs:
/// here none is started, whoever owns it, and a daemon often reads a checkout that another user has made. So every
/// repository is trusted as little as one of a stranger.
pub(super) fn open(path: &Path) -> Option<gix::Repository> {
    let options = gix::open::Options::isolated().with(gix::sec::Trust::Reduced).open_path_as_is(true);
    options.open(directory(path)?).ok().map(Into::into)
}

/// The directory that Git keeps for the work tree that a path is in.
pub(super) fn directory(path: &Path) -> Option<PathBuf> {
    path.ancestors().find_map(git_directory)
}

/// `.git`, or where the file `.git` of a linked work tree or submodule says that it is.
fn git_directory(work_tree: &Path) -> Option<PathBuf> {
    let path = work_tree.join(".git");
    if path.is_dir() {
        return path.join("HEAD").exists().then_some(path);
    }
    let text = read(&path)?;
    let target = text.trim().strip_prefix("gitdir:")?.trim();
    Some(work_tree.join(target))
}

fn read(path: &Path) -> Option<String> {
    if !path.is_file() {
        return None;
    }
    let mut text = String::new();
    File::open(path).ok()?.take(LARGEST).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::super::made::Made;
    use super::*;

    #[test]
    fn the_commit_is_found_wherever_git_keeps_it() {
        let made = Made::new();
        assert_eq!(head(&made.path()), None, "nothing is committed yet");
        let one = made.commit("one");
        assert_eq!(head(&made.path()), Some(one.clone()));
        std::fs::create_dir_all(made.path().join("a/b")).unwrap();
        assert_eq!(head(&made.path().join("a/b")), Some(one.clone()));
        made.git(&["pack-refs", "--all"]);
        made.git(&["gc", "-q"]);
        assert_eq!(head(&made.path()), Some(one.clone()));
        let two = made.commit("two");
        assert_eq!(head(&made.path()), Some(two), "a loose reference is newer than a packed one");
        made.git(&["checkout", "-q", &one]);
        assert_eq!(head(&made.path()), Some(one));
    }

    #[test]
    fn a_linked_work_tree_has_its_own_head_and_the_main_ones_references() {
        let made = Made::new();
        let one = made.commit("one");
        let linked = made.beside("linked");
        made.git(&["worktree", "add", "-q", "-b", "topic", linked.to_str().unwrap()]);
        let two = made.commit("two");
        assert_eq!((head(&linked), head(&made.path())), (Some(one), Some(two)));
    }

    #[test]
    fn a_repository_with_other_digests_has_a_commit_too() {
        let made = Made::of(&["--object-format=sha256"]);
        let one = made.commit("one");
        assert_eq!((one.len(), head(&made.path())), (64, Some(one)));
    }

    #[test]
    fn what_is_not_understood_has_no_name() {
        for text in ["ref: refs/heads/unborn\n", "ref: refs/heads/../../../../etc/hostname\n", "ref: HEAD\n", "no id\n"]
        {
            let made = Made::new();
            made.commit("one");
            std::fs::write(made.path().join(".git/HEAD"), text).unwrap();
            assert_eq!(head(&made.path()), None, "{text}");
        }
        let made = Made::new();
        made.commit("one");
        std::fs::remove_dir_all(made.path().join(".git/objects")).unwrap();
        assert_eq!(head(&made.path()), None);
    }

    #[test]
    fn the_configuration_leads_to_no_other_file_and_starts_nothing() {
        let made = Made::new();
        let one = made.commit("one");
        let ran = made.beside("ran");
        let config = format!(
            "[include]\n  path = /dev/zero\n[core]\n  repositoryformatversion = 0\n  fsmonitor = touch {0}\n  sshCommand = touch {0}\n  \
             pager = touch {0}\n  hooksPath = /tmp\n[alias]\n  x = !touch {0}\n",
            ran.display()
        );
        std::fs::write(made.path().join(".git/config"), config).unwrap();
        assert_eq!(head(&made.path()), Some(one));
        assert!(!ran.exists());
    }
}

//! What Git calls the state of a work tree: the commit of `HEAD`, from Git's own files.
//!
//! It is a name for people, and nothing is decided by it: that files differ from the commit does not show. So a layout
//! that is not understood (such as `reftable`) gives no name, and no error.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// A reference to a reference to …: Git itself stops at five.
const MOST_LINKS: usize = 5;
/// The largest file that is read; `packed-refs` has some 70 bytes for each reference.
const LARGEST: u64 = 64 << 20;

/// The id of the commit that is checked out in the work tree that `directory` is in, if it is in one.
pub(super) fn head(directory: &Path) -> Option<String> {
    let own = self::directory(directory)?;
    // A linked work tree has its own HEAD, and shares the references with the main one.
    let common = match read(&own.join("commondir")) {
        Some(path) => own.join(path.trim()),
        None => own.clone(),
    };
    let mut text = read(&own.join("HEAD"))?;
    for _ in 0..MOST_LINKS {
        let Some(name) = text.trim().strip_prefix("ref:").map(|name| name.trim().to_owned()) else {
            return id(text.trim());
        };
        if !name.starts_with("refs/") || name.split('/').any(|part| part == "..") {
            return None;
        }
        let loose = read(&own.join(&name)).or_else(|| read(&common.join(&name)));
        text = match loose {
            Some(text) => text,
            None => return packed(&common, &name),
        };
    }
    None
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

fn packed(common: &Path, name: &str) -> Option<String> {
    let text = read(&common.join("packed-refs"))?;
    text.lines().find_map(|line| {
        let (commit, reference) = line.split_once(' ')?;
        if reference.trim() == name { id(commit) } else { None }
    })
}

/// A SHA-1 or SHA-256.
fn id(text: &str) -> Option<String> {
    let legal = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    legal.then(|| text.to_owned())
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
    use super::*;

    const ONE: &str = "1111111111111111111111111111111111111111";
    const TWO: &str = "2222222222222222222222222222222222222222";

    fn work_tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        directory
    }

    #[test]
    fn the_commit_is_found_wherever_git_keeps_it() {
        let branch = (".git/HEAD", "ref: refs/heads/main\n");
        let loose = work_tree(&[branch, (".git/refs/heads/main", &format!("{ONE}\n")), ("a/b/c.yaml", "")]);
        assert_eq!(head(loose.path()).as_deref(), Some(ONE));
        assert_eq!(head(&loose.path().join("a/b")).as_deref(), Some(ONE));

        let lines = format!(
            "# pack-refs with: peeled fully-peeled sorted\n{ONE} refs/heads/mai\n{TWO} refs/heads/main\n^{ONE}\n"
        );
        let packed = work_tree(&[branch, (".git/packed-refs", &lines)]);
        assert_eq!(head(packed.path()).as_deref(), Some(TWO));
        std::fs::create_dir_all(packed.path().join(".git/refs/heads")).unwrap();
        std::fs::write(packed.path().join(".git/refs/heads/main"), ONE).unwrap();
        assert_eq!(head(packed.path()).as_deref(), Some(ONE), "a loose reference is newer than a packed one");

        let detached = work_tree(&[(".git/HEAD", TWO)]);
        assert_eq!(head(detached.path()).as_deref(), Some(TWO));
    }

    #[test]
    fn a_linked_work_tree_has_its_own_head_and_the_main_ones_references() {
        let directory = work_tree(&[
            ("main/.git/HEAD", "ref: refs/heads/main\n"),
            ("main/.git/refs/heads/main", ONE),
            ("main/.git/refs/heads/topic", TWO),
            ("main/.git/worktrees/linked/HEAD", "ref: refs/heads/topic\n"),
            ("main/.git/worktrees/linked/commondir", "../..\n"),
            ("linked/.git", "gitdir: ../main/.git/worktrees/linked\n"),
        ]);
        assert_eq!(head(&directory.path().join("linked")).as_deref(), Some(TWO));
        assert_eq!(head(&directory.path().join("main")).as_deref(), Some(ONE));
    }

    #[test]
    fn what_is_not_understood_has_no_name() {
        for files in [
            &[(".git/HEAD", "ref: refs/heads/unborn\n")][..],
            &[(".git/HEAD", "ref: refs/heads/../../../../etc/hostname\n")],
            &[(".git/HEAD", "ref: refs/a\n"), (".git/refs/a", "ref: refs/a\n")],
            &[(".git/HEAD", "no id\n")],
        ] {
            assert_eq!(head(work_tree(files).path()), None, "{files:?}");
        }
    }
}

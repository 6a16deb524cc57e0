//! The files of a commit, read from the object database. Nothing is checked out.
//!
//! The same rules as for a [directory](super::read): what is passed over by name, how large files may be, which links
//! are followed. A directory has other ways to lie than a tree, and a tree has submodules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gix::objs::tree::EntryKind;
use gix::{ObjectId, Repository};

use super::ignore::{self, Ignored};
use super::read::{DEEPEST, LARGEST_FILE, MOST_BYTES, MOST_FILES};
use crate::model::{FileContent, Passed, Snapshot, beside};

/// So many links may lead to one another.
const MOST_LINKS: usize = 40;
/// A link's target is a path, and no path is longer.
const LONGEST_LINK: u64 = 4096;

/// Why a commit's files cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The directory is not in the commit.
    #[error("commit {commit} has no directory `{path}`: check `path`")]
    NoDirectory {
        /// The directory.
        path: String,
        /// The commit.
        commit: String,
    },
    /// Too much to be manifests.
    #[error("it contains more than {0}: set `path` to a directory that contains only the manifests")]
    TooMuch(&'static str),
    /// The list of what is no manifest makes no sense.
    #[error(".landfastignore cannot be read: {0}")]
    Ignore(String),
    /// Objects are missing or damaged.
    #[error("the repository cannot be read: {0}")]
    Objects(String),
}

/// What stands in a tree under a name.
#[derive(Clone, Copy, Debug)]
struct Node {
    kind: EntryKind,
    id: ObjectId,
}

/// Reads the files below `path` in a commit. Of what is passed over by name, the files below those that are `opened` are
/// read too, aside. `shown` is what messages call the place.
pub(super) fn read(
    repository: &Repository,
    commit: ObjectId,
    path: &str,
    shown: &str,
    opened: &BTreeSet<String>,
) -> Result<Snapshot, TreeError> {
    let tree = repository.find_commit(commit).map_err(broken)?.tree_id().map_err(broken)?.detach();
    let mut root = tree;
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let missing = || TreeError::NoDirectory { path: path.to_owned(), commit: commit.to_string() };
        let node = entries(repository, root)?.into_iter().find(|(name, _)| name.as_deref() == Ok(part));
        root = match node {
            Some((_, Node { kind: EntryKind::Tree, id })) => id,
            _ => return Err(missing()),
        };
    }
    let mut reader = Reader {
        repository,
        root,
        ignored: Ignored::nothing(),
        opened,
        files: BTreeMap::new(),
        passed: BTreeMap::new(),
        aside: BTreeMap::new(),
        trees: 0,
        bytes: 0,
    };
    reader.ignored = reader.ignored()?;
    reader.descend("", &mut vec![String::new()], root, Side::In)?;
    let Reader { files, passed, aside, .. } = reader;
    Ok(Snapshot::passing(shown, files, Some(commit.to_string()), passed, aside))
}

fn broken(error: impl std::fmt::Display) -> TreeError {
    TreeError::Objects(error.to_string())
}

/// A name, or what is left of it where it is no text.
type Name = Result<String, String>;

fn entries(repository: &Repository, tree: ObjectId) -> Result<Vec<(Name, Node)>, TreeError> {
    let tree = repository.find_tree(tree).map_err(broken)?;
    let mut found = Vec::new();
    for entry in tree.iter() {
        let entry = entry.map_err(broken)?;
        let name: &[u8] = entry.filename().as_ref();
        let name = match std::str::from_utf8(name) {
            Ok(name) => Ok(name.to_owned()),
            Err(_) => Err(String::from_utf8_lossy(name).into_owned()),
        };
        found.push((name, Node { kind: entry.mode().kind(), id: entry.object_id() }));
    }
    Ok(found)
}

/// Where what is found belongs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    In,
    Aside,
}

struct Reader<'r> {
    repository: &'r Repository,
    root: ObjectId,
    ignored: Ignored,
    opened: &'r BTreeSet<String>,
    files: BTreeMap<String, FileContent>,
    passed: BTreeMap<String, Passed>,
    aside: BTreeMap<String, FileContent>,
    trees: usize,
    bytes: u64,
}

/// What a path leads to, links followed.
enum Found {
    File(ObjectId),
    /// Its real path from the root, and its tree.
    Directory(String, ObjectId),
    NotListed(String),
}

impl Reader<'_> {
    fn ignored(&self) -> Result<Ignored, TreeError> {
        let found =
            entries(self.repository, self.root)?.into_iter().find(|(name, _)| name.as_deref() == Ok(ignore::FILE));
        let wrong = |why: &str| TreeError::Ignore(why.to_owned());
        let text = match found {
            None => String::new(),
            Some((_, Node { kind: EntryKind::Blob | EntryKind::BlobExecutable, id })) => match self.content(id)? {
                FileContent::Bytes(bytes) => {
                    std::str::from_utf8(&bytes).map_err(|_| wrong("it is not valid UTF-8"))?.to_owned()
                }
                _ => return Err(wrong("it is too large")),
            },
            Some(_) => return Err(wrong("it is not a plain file")),
        };
        Ignored::of(text).map_err(|why| wrong(&why))
    }

    /// Lists a tree. `above` are the real paths of the directories that lead to it, itself last.
    fn descend(&mut self, prefix: &str, above: &mut Vec<String>, tree: ObjectId, side: Side) -> Result<(), TreeError> {
        self.trees += 1;
        let here = above.last().cloned().unwrap_or_default();
        let listed = entries(self.repository, tree)?;
        for (name, node) in listed {
            let (shown, found) = match &name {
                Ok(name) => (name.as_str(), self.look(&join(&here, name), node)?),
                Err(lossy) => (lossy.as_str(), Found::NotListed("its name is not valid UTF-8".to_owned())),
            };
            let relative = format!("{prefix}{shown}");
            let passed = self.passed_over(shown, &relative, &found)?.filter(|_| side == Side::In);
            let side = match passed {
                None => side,
                Some(why) => {
                    self.passed.insert(relative.clone(), why);
                    if why == Passed::Listed || !self.opened.contains(&relative) {
                        continue;
                    }
                    Side::Aside
                }
            };
            self.take(relative, found, above, side)?;
            if self.files.len() + self.aside.len() + self.passed.len() + self.trees > MOST_FILES {
                return Err(TreeError::TooMuch("50,000 files and directories"));
            }
        }
        Ok(())
    }

    fn take(&mut self, relative: String, found: Found, above: &mut Vec<String>, side: Side) -> Result<(), TreeError> {
        let content = match found {
            Found::File(id) => self.content(id)?,
            Found::NotListed(why) => FileContent::NotListed(why),
            Found::Directory(real, _) if above.contains(&real) => {
                FileContent::NotListed("it is a link to one of its parent directories".to_owned())
            }
            Found::Directory(..) if above.len() >= DEEPEST => {
                FileContent::NotListed(format!("it is more than {DEEPEST} directories deep"))
            }
            Found::Directory(real, tree) => {
                above.push(real);
                let listed = self.descend(&format!("{relative}/"), above, tree, side);
                above.pop();
                return listed;
            }
        };
        if let FileContent::Bytes(bytes) = &content {
            self.bytes += bytes.len() as u64;
        }
        if self.bytes > MOST_BYTES {
            return Err(TreeError::TooMuch("256 MiB"));
        }
        let files = if side == Side::In { &mut self.files } else { &mut self.aside };
        files.insert(relative, content);
        Ok(())
    }

    fn content(&self, id: ObjectId) -> Result<FileContent, TreeError> {
        let size = self.repository.find_header(id).map_err(broken)?.size();
        if size > LARGEST_FILE {
            return Ok(FileContent::TooLarge(size));
        }
        let mut blob = self.repository.find_blob(id).map_err(broken)?;
        Ok(FileContent::Bytes(Arc::from(blob.take_data())))
    }

    fn passed_over(&self, name: &str, relative: &str, found: &Found) -> Result<Option<Passed>, TreeError> {
        let by_name = self.ignored.passes_over(name, relative, matches!(found, Found::Directory(..)));
        let (None, Found::Directory(_, tree)) = (by_name, found) else { return Ok(by_name) };
        let listed = entries(self.repository, *tree)?;
        let has = |file: &str| listed.iter().any(|(name, _)| name.as_deref() == Ok(file));
        Ok(ignore::is_made_by_tool(name, has).then_some(Passed::Tool))
    }

    /// What stands at a real path from the root.
    fn look(&self, path: &str, node: Node) -> Result<Found, TreeError> {
        match node.kind {
            EntryKind::Link => self.follow(path),
            _ => Ok(plain(path, node)),
        }
    }

    /// What a link leads to, within the root and to nothing hidden.
    fn follow(&self, path: &str) -> Result<Found, TreeError> {
        let not = |why: &str| Ok(Found::NotListed(why.to_owned()));
        let mut path = path.to_owned();
        for _ in 0..MOST_LINKS {
            let (at, link, rest) = match self.step(&path)? {
                // A mounted volume of Kubernetes swaps `..data`, which is no name of anybody's.
                Step::There(_) if path.split('/').any(|part| part.starts_with('.') && !part.starts_with("..")) => {
                    return not("it is a link to a hidden file");
                }
                Step::There(node) => return Ok(plain(&path, node)),
                Step::Missing => return not("it is a link that cannot be followed: nothing is there"),
                Step::Link { at, id, rest } => (at, id, rest),
            };
            if self.repository.find_header(link).map_err(broken)?.size() > LONGEST_LINK {
                return not("it is a link that cannot be followed: its target is too long");
            }
            let blob = self.repository.find_blob(link).map_err(broken)?;
            let target = std::str::from_utf8(&blob.data).ok().and_then(|target| beside(&at, target));
            let Some(target) = target else {
                return not("it is a link to a target outside the manifests' directory");
            };
            path = if rest.is_empty() { target } else { join(&target, &rest) };
        }
        not("it is a link that cannot be followed: too many links lead to one another")
    }

    /// Walks a path from the root, up to the first link.
    fn step(&self, path: &str) -> Result<Step, TreeError> {
        let (mut tree, mut walked) = (self.root, String::new());
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        for (index, part) in parts.iter().enumerate() {
            let found = entries(self.repository, tree)?.into_iter().find(|(name, _)| name.as_deref() == Ok(*part));
            let Some((_, node)) = found else { return Ok(Step::Missing) };
            walked = join(&walked, part);
            let rest = parts.get(index + 1..).unwrap_or_default().join("/");
            match node.kind {
                EntryKind::Link => return Ok(Step::Link { at: walked, id: node.id, rest }),
                _ if rest.is_empty() => return Ok(Step::There(node)),
                EntryKind::Tree => tree = node.id,
                _ => return Ok(Step::Missing),
            }
        }
        Ok(Step::There(Node { kind: EntryKind::Tree, id: tree }))
    }
}

enum Step {
    There(Node),
    Link { at: String, id: ObjectId, rest: String },
    Missing,
}

fn plain(path: &str, node: Node) -> Found {
    match node.kind {
        EntryKind::Blob | EntryKind::BlobExecutable => Found::File(node.id),
        EntryKind::Tree => Found::Directory(path.to_owned(), node.id),
        EntryKind::Commit => Found::NotListed("it is a Git submodule, and submodules are not read".to_owned()),
        EntryKind::Link => Found::NotListed("it is a link that cannot be followed".to_owned()),
    }
}

fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::super::made::Made;
    use super::*;

    fn made(files: &[(&str, &str)], links: &[(&str, &str)]) -> Made {
        let made = Made::new();
        for (name, text) in files {
            let path = made.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        for (name, target) in links {
            std::os::unix::fs::symlink(target, made.path().join(name)).unwrap();
        }
        made.git(&["add", "-A", "-f"]);
        made.commit("one");
        made
    }

    fn snapshot(made: &Made, path: &str, opened: &[&str]) -> Result<Snapshot, TreeError> {
        let repository = super::super::git::open(&made.path()).unwrap();
        let commit = repository.head_id().unwrap().detach();
        read(&repository, commit, path, "shown", &opened.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_commit_is_read_as_the_directory_that_it_was_made_from() {
        let made = made(
            &[
                ("a.yaml", "a"),
                ("deep/er/b.yaml", "b"),
                (".hidden/c.yaml", "c"),
                ("built/CACHEDIR.TAG", ""),
                ("built/d.yaml", "d"),
                ("node_modules/.package-lock.json", "{}"),
                ("node_modules/x/e.yaml", "e"),
                ("listed/f.yaml", "f"),
                (".landfastignore", "listed/\n"),
                ("large.bin", &"x".repeat((1 << 20) + 1)),
            ],
            &[("linked", "deep/er"), ("file", "a.yaml"), ("through", "linked/b.yaml"), ("up", ".."), ("self", "self")],
        );
        let opened = [".hidden".to_owned()].into();
        let directory = crate::source::read_with(&made.path(), &opened).unwrap();
        let commit = snapshot(&made, "", &[".hidden"]).unwrap();
        assert_eq!(commit.commit, directory.commit);
        let different: Vec<_> =
            directory.files.iter().filter(|(name, content)| commit.files.get(*name) != Some(content)).collect();
        let names: Vec<_> = different.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["self"], "only the operating system's words differ: {different:?}");
        assert_eq!(commit.files.keys().collect::<Vec<_>>(), directory.files.keys().collect::<Vec<_>>());
        assert_eq!(
            (commit.passed.len(), &commit.aside),
            (directory.passed.len() - 1, &directory.aside),
            "`.git` alone"
        );
    }

    #[test]
    fn nothing_outside_of_the_path_is_read() {
        let made = made(
            &[("secret", "canary"), ("m/a.yaml", "a"), ("m/in/b.yaml", "b"), ("m/.env", "canary")],
            &[
                ("m/out", "../secret"),
                ("m/absolute", "/etc/hostname"),
                ("m/hidden", ".env"),
                ("m/way", "in/../../secret"),
                ("m/dangling", "nowhere"),
                ("m/loop", "."),
                ("m/ok", "in"),
            ],
        );
        let snapshot = snapshot(&made, "m", &[]).unwrap();
        for name in ["out", "absolute", "hidden", "way", "dangling", "loop"] {
            assert!(matches!(snapshot.files[name], FileContent::NotListed(_)), "{name}: {:?}", snapshot.files[name]);
        }
        assert_eq!(snapshot.files["ok/b.yaml"], FileContent::Bytes(Arc::from(&b"b"[..])));
        assert!(!format!("{snapshot:?}").contains("canary"));
    }

    #[test]
    fn a_submodule_is_refused_and_a_missing_directory_is_no_empty_one() {
        let made = made(&[("a.yaml", "a")], &[]);
        let id = made.git(&["rev-parse", "HEAD"]);
        made.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{id},sub")]);
        made.git(&["commit", "-q", "-m", "two"]);
        let snapshot_of = snapshot(&made, "", &[]).unwrap();
        let FileContent::NotListed(why) = &snapshot_of.files["sub"] else { panic!("{snapshot_of:?}") };
        assert!(why.contains("submodule"));
        for wrong in ["nowhere", "a.yaml", "sub", "a.yaml/b"] {
            assert!(matches!(snapshot(&made, wrong, &[]), Err(TreeError::NoDirectory { .. })), "{wrong}");
        }
    }
}

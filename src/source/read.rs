//! A directory, as of one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt as _, OpenOptionsSyncExt as _};
use cap_std::fs::{Dir, Metadata, MetadataExt as _, OpenOptions};

use super::ignore::{self, Ignored};
use super::{SourceError, git};
use crate::model::{FileContent, Passed, Snapshot};

/// Larger files are only mentioned. The largest template that AWS takes has 1 MB.
pub(super) const LARGEST_FILE: u64 = 1 << 20;
/// More files and directories than this are not manifests, but a mistake in the path.
pub(super) const MOST_FILES: usize = 50_000;
/// Neither is more than this in all.
pub(super) const MOST_BYTES: u64 = 256 << 20;
/// Directories within directories. Links make deeper ones, of which nobody can make sense.
pub(super) const DEEPEST: usize = 64;
/// A directory that changed while it was read is read again this often.
const TRIES: usize = 8;

/// Reads all files below `root`, except what is passed over by name: hidden files, what tools say that they have made, and
/// what `.landfastignore` lists.
///
/// Links are followed as long as they stay below the root and lead to nothing hidden. If anything changes meanwhile it is
/// all read again: the result is of one moment, as far as the file system's times and sizes show changes. `commit` is the
/// work tree's `HEAD`, also when files differ from it: what was read is told by the digest `content` alone.
pub fn read(root: &Path) -> Result<Snapshot, SourceError> {
    read_with(root, &BTreeSet::new())
}

/// The same. Of what is passed over by name, the files below those that are `opened` are read too, aside.
pub fn read_with(root: &Path, opened: &BTreeSet<String>) -> Result<Snapshot, SourceError> {
    for _ in 0..TRIES {
        let before = Listing::of(root, opened)?;
        let commit = git::head(&before.place.real);
        let (files, aside) = before.read()?;
        if before == Listing::of(root, opened)? && commit == git::head(&before.place.real) {
            return Ok(Snapshot::passing(root.display().to_string(), files, commit, before.passed, aside));
        }
    }
    Err(SourceError::Unsettled { path: root.to_owned() })
}

type Contents = BTreeMap<String, FileContent>;

/// The directory, as a capability: nothing is opened but through it, and no path leads out of it.
struct Place {
    given: PathBuf,
    real: PathBuf,
    handle: Dir,
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.real == other.real
    }
}

/// What is there, without its content.
#[derive(PartialEq)]
struct Listing {
    place: Place,
    ignored: Ignored,
    /// By the path in the snapshot.
    entries: BTreeMap<String, Entry>,
    /// What was passed over.
    passed: BTreeMap<String, Passed>,
    /// Of what was passed over, what is looked at all the same.
    aside: BTreeMap<String, Entry>,
    /// Directories that were listed; by way of links, one can be listed many times.
    directories: usize,
}

#[derive(Debug, PartialEq)]
enum Entry {
    /// Its real path from the root, without links.
    File {
        path: PathBuf,
        shape: Shape,
    },
    Unreadable(String),
    NotListed(String),
}

/// What changes when a file does: also its device, its inode and the time of its last change, which nobody can set back.
#[derive(Debug, PartialEq)]
struct Shape {
    length: u64,
    inode: (u64, u64),
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Shape {
    fn of(metadata: &Metadata) -> Self {
        Self {
            length: metadata.len(),
            inode: (metadata.dev(), metadata.ino()),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

enum Found {
    File(Entry),
    /// Its real path from the root.
    Directory(PathBuf),
    Nothing,
}

/// Where what is found belongs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    /// Among the manifests.
    In,
    /// Below something that was passed over.
    Aside,
}

impl Listing {
    fn of(root: &Path, opened: &BTreeSet<String>) -> Result<Self, SourceError> {
        let failed = |source| SourceError::Directory { path: root.to_owned(), source };
        let real = root.canonicalize().map_err(failed)?;
        if !real.is_dir() {
            return Err(SourceError::NotADirectory { path: root.to_owned() });
        }
        let handle = Dir::open_ambient_dir(&real, cap_std::ambient_authority()).map_err(failed)?;
        let place = Place { given: root.to_owned(), real, handle };
        let ignored = ignore::read(&place.handle, root)?;
        let mut listing = Self {
            place,
            ignored,
            entries: BTreeMap::new(),
            passed: BTreeMap::new(),
            aside: BTreeMap::new(),
            directories: 0,
        };
        listing.descend("", &mut vec![PathBuf::from(".")], Side::In, opened)?.map_err(failed)?;
        Ok(listing)
    }

    /// Lists a directory. `above` are the real paths of the directories that lead to it, itself last. An error within is
    /// that of this directory.
    fn descend(
        &mut self,
        prefix: &str,
        above: &mut Vec<PathBuf>,
        side: Side,
        opened: &BTreeSet<String>,
    ) -> Result<io::Result<()>, SourceError> {
        let Some(directory) = above.last().cloned() else { return Ok(Ok(())) };
        self.directories += 1;
        let names: io::Result<Vec<_>> = self
            .place
            .handle
            .read_dir(&directory)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.file_name())).collect());
        let names = match names {
            Ok(names) => names,
            Err(error) => return Ok(Err(error)),
        };
        for name in names {
            let relative = format!("{prefix}{}", name.to_string_lossy());
            let found = match name.to_str() {
                Some(_) => self.look(&directory.join(&name), above),
                None => Found::File(Entry::NotListed("its name is not valid UTF-8".to_owned())),
            };
            let side = match self.passed_over(&name.to_string_lossy(), &relative, &found).filter(|_| side == Side::In) {
                None => side,
                Some(why) => {
                    self.passed.insert(relative.clone(), why);
                    if why == Passed::Listed || !opened.contains(&relative) {
                        continue;
                    }
                    Side::Aside
                }
            };
            self.take(relative, found, above, side, opened)?;
            if self.entries.len() + self.aside.len() + self.passed.len() + self.directories > MOST_FILES {
                let limit = "50,000 files and directories";
                return Err(SourceError::TooMuch { path: self.place.given.clone(), limit });
            }
        }
        Ok(Ok(()))
    }

    /// Keeps what was found, and what is below it.
    fn take(
        &mut self,
        relative: String,
        found: Found,
        above: &mut Vec<PathBuf>,
        side: Side,
        opened: &BTreeSet<String>,
    ) -> Result<(), SourceError> {
        let entry = match found {
            Found::File(entry) => entry,
            Found::Directory(path) => {
                above.push(path);
                let listed = self.descend(&format!("{relative}/"), above, side, opened)?;
                above.pop();
                match listed {
                    Ok(()) => return Ok(()),
                    Err(error) => Entry::NotListed(error.to_string()),
                }
            }
            Found::Nothing => return Ok(()),
        };
        let entries = if side == Side::In { &mut self.entries } else { &mut self.aside };
        entries.insert(relative, entry);
        Ok(())
    }

    /// Why something is passed over by its name.
    fn passed_over(&self, name: &str, relative: &str, found: &Found) -> Option<Passed> {
        let by_name = self.ignored.passes_over(name, relative, matches!(found, Found::Directory(_)));
        let (None, Found::Directory(path)) = (by_name, found) else { return by_name };
        let has = |file: &str| self.place.handle.symlink_metadata(path.join(file)).is_ok();
        ignore::is_made_by_tool(name, has).then_some(Passed::Tool)
    }

    /// What there is at a real path from the root, links followed.
    fn look(&self, path: &Path, above: &[PathBuf]) -> Found {
        let unreadable = |why: String| Found::File(Entry::Unreadable(why));
        let not_listed = |why: &str| Found::File(Entry::NotListed(why.to_owned()));
        let metadata = match self.place.handle.symlink_metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Found::Nothing,
            Err(error) => return unreadable(error.to_string()),
        };
        if !metadata.is_symlink() {
            return Self::kind(path.to_owned(), &metadata, above);
        }
        let real = match self.place.real.join(path).canonicalize() {
            Ok(real) => real,
            Err(error) => return not_listed(&format!("it is a link that cannot be followed: {error}")),
        };
        let Ok(inside) = real.strip_prefix(&self.place.real) else {
            return not_listed("it is a link to a target outside the manifests' directory");
        };
        // A mounted volume of Kubernetes swaps `..data`, which is no name of anybody's.
        let hidden = |part: Component<'_>| {
            matches!(part, Component::Normal(name) if name.to_str().is_none_or(|name| {
                name.starts_with('.') && !name.starts_with("..")
            }))
        };
        if inside.components().any(hidden) {
            return not_listed("it is a link to a hidden file");
        }
        let inside = if inside.as_os_str().is_empty() { Path::new(".") } else { inside };
        match self.place.handle.symlink_metadata(inside) {
            Ok(metadata) => Self::kind(Path::new(".").join(inside), &metadata, above),
            Err(error) => not_listed(&error.to_string()),
        }
    }

    fn kind(path: PathBuf, metadata: &Metadata, above: &[PathBuf]) -> Found {
        if metadata.is_dir() {
            let path = if path == Path::new("./.") { PathBuf::from(".") } else { path };
            let why = match above {
                above if above.contains(&path) => "it is a link to one of its parent directories".to_owned(),
                above if above.len() >= DEEPEST => format!("it is more than {DEEPEST} directories deep"),
                _ => return Found::Directory(path),
            };
            return Found::File(Entry::NotListed(why));
        }
        if metadata.is_file() {
            return Found::File(Entry::File { path, shape: Shape::of(metadata) });
        }
        // Opening it could wait for ever.
        Found::File(Entry::Unreadable("it is a socket, a pipe or a device".to_owned()))
    }

    fn read(&self) -> Result<(Contents, Contents), SourceError> {
        let mut total = 0;
        let files = self.contents(&self.entries, &mut total)?;
        let aside = self.contents(&self.aside, &mut total)?;
        Ok((files, aside))
    }

    fn contents(&self, entries: &BTreeMap<String, Entry>, total: &mut u64) -> Result<Contents, SourceError> {
        let mut files = Contents::new();
        for (name, entry) in entries {
            let content = match entry {
                Entry::Unreadable(why) => FileContent::Unreadable(why.clone()),
                Entry::NotListed(why) => FileContent::NotListed(why.clone()),
                Entry::File { shape, .. } if shape.length > LARGEST_FILE => FileContent::TooLarge(shape.length),
                Entry::File { path, shape } => self.content(path, shape),
            };
            if let FileContent::Bytes(bytes) = &content {
                *total += bytes.len() as u64;
            }
            if *total > MOST_BYTES {
                return Err(SourceError::TooMuch { path: self.place.given.clone(), limit: "256 MiB" });
            }
            files.insert(name.clone(), content);
        }
        Ok(files)
    }

    /// The content of what was listed, and of nothing that was put in its place since.
    fn content(&self, path: &Path, shape: &Shape) -> FileContent {
        let read = || -> io::Result<FileContent> {
            let mut options = OpenOptions::new();
            options.read(true).follow(FollowSymlinks::No).nonblock(true);
            let file = self.place.handle.open_with(path, &options)?;
            let metadata = file.metadata()?;
            if !metadata.is_file() || Shape::of(&metadata).inode != shape.inode {
                return Ok(FileContent::Unreadable("it was replaced during the read".to_owned()));
            }
            let mut bytes = Vec::new();
            // It may have grown since it was listed.
            let length = file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)? as u64;
            if length > LARGEST_FILE {
                return Ok(FileContent::TooLarge(length));
            }
            Ok(FileContent::Bytes(Arc::from(bytes)))
        };
        read().unwrap_or_else(|error| FileContent::Unreadable(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn directory(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        directory
    }

    fn names(snapshot: &Snapshot) -> Vec<&str> {
        snapshot.files.keys().map(String::as_str).collect()
    }

    #[test]
    fn all_files_are_read_but_hidden_ones_listed_ones_and_what_tools_leave() {
        let directory = directory(&[
            ("b.yaml", b"b"),
            ("a/x.yaml", b"x"),
            ("a-b.yaml", b""),
            (".hidden", b""),
            (".git/config", b""),
            ("target/CACHEDIR.TAG", b""),
            ("target/debug/x", b""),
            ("a/target/x", b""),
            ("a/node_modules/.package-lock.json", b""),
            ("b/node_modules/x", b""),
            (".landfastignore", b"# notes\n/notes/\n*.draft\n"),
            ("notes/n.yaml", b""),
            ("a/notes/n.yaml", b""),
            ("a/z.draft", b""),
        ]);
        let snapshot = read(directory.path()).unwrap();
        let all = ["a-b.yaml", "a/notes/n.yaml", "a/target/x", "a/x.yaml", "b.yaml", "b/node_modules/x"];
        assert_eq!(names(&snapshot), all);
        let passed: Vec<(&str, Passed)> = snapshot.passed.iter().map(|(path, why)| (path.as_str(), *why)).collect();
        let (hidden, tool, listed) = (Passed::Hidden, Passed::Tool, Passed::Listed);
        let expected = [
            (".git", hidden),
            (".hidden", hidden),
            (".landfastignore", hidden),
            ("a/node_modules", tool),
            ("a/z.draft", listed),
            ("notes", listed),
            ("target", tool),
        ];
        assert_eq!(passed, expected);
        assert_eq!(snapshot.files["a/x.yaml"], FileContent::Bytes(Arc::from(&b"x"[..])));
        assert_eq!(snapshot.commit, None);
        let again = read(directory.path()).unwrap();
        assert_eq!(snapshot.content, again.content);
        fs::write(directory.path().join("b.yaml"), "c").unwrap();
        assert_ne!(read(directory.path()).unwrap().content, again.content);
    }

    #[test]
    fn what_is_hidden_is_looked_at_aside_where_that_is_asked_for() {
        let directory = directory(&[("a/.old/b.yaml", b"b"), ("a/.old/.c.yaml", b"c"), ("a/.d", b"d"), ("a/e", b"e")]);
        let opened = BTreeSet::from(["a/.old".to_owned()]);
        let snapshot = read_with(directory.path(), &opened).unwrap();
        assert_eq!(names(&snapshot), ["a/e"]);
        assert_eq!(snapshot.aside.keys().collect::<Vec<_>>(), ["a/.old/.c.yaml", "a/.old/b.yaml"]);
        assert_ne!(snapshot.content, read(directory.path()).unwrap().content, "a change aside is a change");
    }

    #[test]
    fn a_list_that_cannot_be_understood_is_an_error() {
        let directory = directory(&[(".landfastignore", b"a{b\n"), ("a.yaml", b"")]);
        assert!(matches!(read(directory.path()), Err(SourceError::Ignore { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_that_cannot_be_listed_is_mentioned_and_the_others_are_read() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = directory(&[("a/b.yaml", b"b"), ("c.yaml", b"c")]);
        let closed = directory.path().join("a");
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
        // Root reads everything.
        let root = fs::read_dir(&closed).is_ok();
        let snapshot = read(directory.path()).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(root || matches!(snapshot.files["a"], FileContent::NotListed(_)), "{:?}", snapshot.files);
        assert!(snapshot.files.contains_key("c.yaml"));
    }

    #[test]
    fn a_directory_that_is_too_deep_is_mentioned() {
        let deep = "d/".repeat(70);
        let directory = directory(&[(&format!("{deep}b.yaml"), b"b"), ("c.yaml", b"c")]);
        let snapshot = read(directory.path()).unwrap();
        let found = snapshot.files.values().filter(|content| matches!(content, FileContent::NotListed(_))).count();
        assert_eq!((found, snapshot.files.len()), (1, 2));
    }

    #[test]
    fn a_file_that_is_too_large_is_mentioned_with_its_size() {
        let directory = directory(&[("large", &vec![0; 1_048_577]), ("just", &vec![0; 1_048_576])]);
        let snapshot = read(directory.path()).unwrap();
        assert_eq!(snapshot.files["large"], FileContent::TooLarge(1_048_577));
        assert!(matches!(snapshot.files["just"], FileContent::Bytes(_)));
    }

    #[test]
    fn what_is_no_directory_is_an_error_with_advice() {
        let directory = directory(&[("file", b"")]);
        let error = read(&directory.path().join("file")).unwrap_err();
        assert!(matches!(error, SourceError::NotADirectory { .. }), "{error}");
        let error = read(&directory.path().join("missing")).unwrap_err();
        assert!(matches!(error, SourceError::Directory { .. }), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_below_the_root_and_not_out_of_it_or_round_in_circles() {
        use std::os::unix::fs::symlink;
        let outside = directory(&[("secret", b"secret")]);
        let directory = directory(&[("real/a.yaml", b"a"), ("..data/b.yaml", b"b")]);
        let root = directory.path();
        symlink("real", root.join("linked")).unwrap();
        symlink("..", root.join("real/loop")).unwrap();
        symlink("..data/b.yaml", root.join("b.yaml")).unwrap();
        symlink("nowhere", root.join("dangling")).unwrap();
        symlink(".env", root.join("hidden")).unwrap();
        fs::write(root.join(".env"), "PASSWORD=canary").unwrap();
        symlink(outside.path().join("secret"), root.join("out")).unwrap();
        symlink(outside.path(), root.join("outdir")).unwrap();
        let snapshot = read(root).unwrap();
        let all = ["b.yaml", "dangling", "hidden", "linked/a.yaml", "linked/loop", "out", "outdir", "real/a.yaml"];
        assert_eq!(names(&snapshot), [&all[..], &["real/loop"]].concat());
        assert_eq!(snapshot.files["b.yaml"], FileContent::Bytes(Arc::from(&b"b"[..])));
        for name in ["dangling", "hidden", "linked/loop", "out", "outdir", "real/loop"] {
            assert!(matches!(&snapshot.files[name], FileContent::NotListed(_)), "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_neither_file_nor_directory_is_not_opened() {
        let directory = directory(&[("a.yaml", b"a")]);
        let path = directory.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(path).unwrap();
        let snapshot = read(directory.path()).unwrap();
        assert_eq!(names(&snapshot), ["a.yaml", "socket"]);
        assert!(matches!(snapshot.files["socket"], FileContent::Unreadable(_)));
    }

    #[test]
    fn a_snapshot_is_never_a_mixture_of_two_moments() {
        let directory = directory(&[("a.yaml", b"0"), ("b.yaml", b"0")]);
        let root = directory.path().to_owned();
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let writer = {
            let (root, stop) = (root.clone(), Arc::clone(&stop));
            std::thread::spawn(move || {
                for round in 1_u64.. {
                    if stop.load(std::sync::atomic::Ordering::Relaxed) {
                        return;
                    }
                    // `a` is always written before `b`: `b` must never be newer.
                    for name in ["a.yaml", "b.yaml"] {
                        let draft = root.join(".draft");
                        fs::write(&draft, round.to_string()).unwrap();
                        fs::rename(&draft, root.join(name)).unwrap();
                    }
                    if round % 4 == 0 {
                        std::thread::sleep(std::time::Duration::from_millis(2));
                    }
                }
            })
        };
        let mut seen = 0;
        for _ in 0..300 {
            let Ok(snapshot) = read(&root) else { continue };
            let number = |name: &str| match &snapshot.files[name] {
                FileContent::Bytes(bytes) => std::str::from_utf8(bytes).unwrap().parse::<u64>().unwrap(),
                other => panic!("{other:?}"),
            };
            let (a, b) = (number("a.yaml"), number("b.yaml"));
            assert!(a == b || a == b + 1, "{a} {b}");
            seen += 1;
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        writer.join().unwrap();
        assert!(seen > 0);
    }
}

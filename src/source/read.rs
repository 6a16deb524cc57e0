//! A directory, as of one moment.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::{SourceError, git};
use crate::model::{FileContent, Snapshot};

/// Larger files are only mentioned. The largest template that AWS takes has 1 MB.
const LARGEST_FILE: u64 = 1 << 20;
/// More files and directories than this are not manifests, but a mistake in the path.
const MOST_FILES: usize = 50_000;
/// Neither is more than this in all.
const MOST_BYTES: u64 = 256 << 20;
/// Directories within directories. Links make deeper ones, of which nobody can make sense.
const DEEPEST: usize = 64;
/// A directory that changed while it was read is read again this often.
const TRIES: usize = 8;

/// Reads all files below `root`, except hidden ones, `target` and `node_modules`.
///
/// Links are followed as long as they stay below the root. If anything changes meanwhile it is all read again: the
/// result is of one moment, as far as the file system's times and sizes show changes. `commit` is the work tree's
/// `HEAD`, also when files differ from it: what was read is told by the digest `content` alone.
pub fn read(root: &Path) -> Result<Snapshot, SourceError> {
    for _ in 0..TRIES {
        let before = Listing::of(root)?;
        let commit = git::head(&before.real_root);
        let files = before.read(root)?;
        if before == Listing::of(root)? && commit == git::head(&before.real_root) {
            return Ok(Snapshot::new(root.display().to_string(), files, commit));
        }
    }
    Err(SourceError::Unsettled { path: root.to_owned() })
}

/// Whether a name is none of ours to read.
fn is_skipped(name: &str) -> bool {
    name.starts_with('.') || name == "target" || name == "node_modules"
}

/// What is there, without its content.
#[derive(Debug, PartialEq)]
struct Listing {
    real_root: PathBuf,
    /// By the path in the snapshot.
    entries: BTreeMap<String, Entry>,
    /// Directories that were listed; by way of links, one can be listed many times.
    directories: usize,
}

#[derive(Debug, PartialEq)]
enum Entry {
    File { path: PathBuf, shape: Shape },
    Unreadable(String),
}

/// What changes when a file does.
#[derive(Debug, PartialEq)]
struct Shape {
    length: u64,
    modified: Option<SystemTime>,
    /// On Unix the device, the inode and the time of its last change, which nobody can set back.
    inode: (u64, u64, i64, i64),
}

impl Shape {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let inode = {
            use std::os::unix::fs::MetadataExt as _;
            (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
        };
        #[cfg(not(unix))]
        let inode = (0, 0, 0, 0);
        Self { length: metadata.len(), modified: metadata.modified().ok(), inode }
    }
}

impl Listing {
    fn of(root: &Path) -> Result<Self, SourceError> {
        let real_root =
            root.canonicalize().map_err(|source| SourceError::Directory { path: root.to_owned(), source })?;
        if !real_root.is_dir() {
            return Err(SourceError::NotADirectory { path: root.to_owned() });
        }
        let mut listing = Self { real_root: real_root.clone(), entries: BTreeMap::new(), directories: 0 };
        listing.descend(root, "", &mut vec![real_root])?;
        Ok(listing)
    }

    /// Lists a directory. `above` are the real paths of the directories that lead to it, itself last.
    fn descend(&mut self, root: &Path, prefix: &str, above: &mut Vec<PathBuf>) -> Result<(), SourceError> {
        let Some(directory) = above.last().cloned() else { return Ok(()) };
        self.directories += 1;
        let failed = |source: io::Error| SourceError::Directory { path: directory.clone(), source };
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let shown = name.to_string_lossy();
            if is_skipped(&shown) {
                continue;
            }
            let relative = format!("{prefix}{shown}");
            let found = match name.to_str() {
                Some(_) => self.look(&entry.path(), above),
                None => Found::File(Entry::Unreadable("its name is not valid UTF-8".to_owned())),
            };
            match found {
                Found::File(entry) => {
                    self.entries.insert(relative, entry);
                }
                Found::Directory(path) => {
                    above.push(path);
                    self.descend(root, &format!("{relative}/"), above)?;
                    above.pop();
                }
                Found::Nothing => {}
            }
            if self.entries.len() + self.directories > MOST_FILES {
                return Err(SourceError::TooMuch { path: root.to_owned(), limit: "50,000 files and directories" });
            }
        }
        Ok(())
    }

    /// What there is at a path, links followed.
    fn look(&self, path: &Path, above: &[PathBuf]) -> Found {
        let unreadable = |why: String| Found::File(Entry::Unreadable(why));
        let link = match fs::symlink_metadata(path) {
            Ok(metadata) => metadata.is_symlink(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Found::Nothing,
            Err(error) => return unreadable(error.to_string()),
        };
        let real = if link { path.canonicalize() } else { Ok(path.to_owned()) };
        let (real, metadata) = match real.and_then(|real| fs::metadata(&real).map(|metadata| (real, metadata))) {
            Ok(found) => found,
            Err(error) => return unreadable(error.to_string()),
        };
        if link && !real.starts_with(&self.real_root) {
            return unreadable("it is a link that leads out of the manifests' directory".to_owned());
        }
        if metadata.is_dir() {
            return match above {
                // A loop: everything below is listed already.
                above if above.contains(&real) => Found::Nothing,
                above if above.len() >= DEEPEST => unreadable(format!("it is more than {DEEPEST} directories deep")),
                _ => Found::Directory(real),
            };
        }
        if metadata.is_file() {
            return Found::File(Entry::File { path: real, shape: Shape::of(&metadata) });
        }
        // A socket, a pipe, a device: opening it could wait for ever.
        Found::Nothing
    }

    fn read(&self, root: &Path) -> Result<BTreeMap<String, FileContent>, SourceError> {
        let mut files = BTreeMap::new();
        let mut total = 0;
        for (name, entry) in &self.entries {
            let content = match entry {
                Entry::Unreadable(why) => FileContent::Unreadable(why.clone()),
                Entry::File { shape, .. } if shape.length > LARGEST_FILE => FileContent::TooLarge(shape.length),
                Entry::File { path, .. } => read_file(path),
            };
            if let FileContent::Bytes(bytes) = &content {
                total += bytes.len() as u64;
            }
            if total > MOST_BYTES {
                return Err(SourceError::TooMuch { path: root.to_owned(), limit: "256 MiB" });
            }
            files.insert(name.clone(), content);
        }
        Ok(files)
    }
}

enum Found {
    File(Entry),
    Directory(PathBuf),
    Nothing,
}

fn read_file(path: &Path) -> FileContent {
    let read = || -> io::Result<FileContent> {
        let file = File::open(path)?;
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

#[cfg(test)]
mod tests {
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
    fn all_files_are_read_but_hidden_ones_and_what_tools_leave() {
        let directory = directory(&[
            ("b.yaml", b"b"),
            ("a/x.yaml", b"x"),
            ("a-b.yaml", b""),
            (".hidden", b""),
            (".git/config", b""),
            ("target/debug/x", b""),
            ("a/node_modules/x", b""),
        ]);
        let snapshot = read(directory.path()).unwrap();
        assert_eq!(names(&snapshot), ["a-b.yaml", "a/x.yaml", "b.yaml"]);
        assert_eq!(snapshot.files["a/x.yaml"], FileContent::Bytes(Arc::from(&b"x"[..])));
        assert_eq!(snapshot.commit, None);
        let again = read(directory.path()).unwrap();
        assert_eq!(snapshot.content, again.content);
        fs::write(directory.path().join("b.yaml"), "c").unwrap();
        assert_ne!(read(directory.path()).unwrap().content, again.content);
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
        symlink(outside.path().join("secret"), root.join("out")).unwrap();
        symlink(outside.path(), root.join("outdir")).unwrap();
        let snapshot = read(root).unwrap();
        assert_eq!(names(&snapshot), ["b.yaml", "dangling", "linked/a.yaml", "out", "outdir", "real/a.yaml"]);
        assert_eq!(snapshot.files["b.yaml"], FileContent::Bytes(Arc::from(&b"b"[..])));
        for name in ["dangling", "out", "outdir"] {
            assert!(matches!(&snapshot.files[name], FileContent::Unreadable(_)), "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_neither_file_nor_directory_is_not_opened() {
        let directory = directory(&[("a.yaml", b"a")]);
        let path = directory.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(path).unwrap();
        assert_eq!(names(&read(directory.path()).unwrap()), ["a.yaml"]);
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

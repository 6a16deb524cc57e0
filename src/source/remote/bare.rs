//! The clone: a bare repository in the state directory that nobody works in.
//!
//! Packs are only ever added to it. When it has grown it is made anew beside itself and swapped in; collecting garbage in
//! place is what other processes would be in the middle of reading.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use gix::{ObjectId, Repository};

use super::RemoteError;
use crate::files;

/// The reference that the newest commit is kept under.
pub(super) const TIP: &str = "refs/landfast/tip";
/// The largest object that is read into memory: the pack of a stranger says how large it is.
const LARGEST_OBJECT: usize = 64 << 20;
/// A clone with more packs than this, or this much larger than when it was made, is made anew.
const MOST_PACKS: usize = 100;
const GROWN_BY: u64 = 256 << 20;

/// Where a clone is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) directory: PathBuf,
}

impl Place {
    pub(super) fn clone_at(&self) -> PathBuf {
        self.directory.join("clone")
    }

    pub(super) fn seen(&self) -> PathBuf {
        self.directory.join("seen.json")
    }

    pub(super) fn failed(&self, error: &dyn std::fmt::Display) -> RemoteError {
        RemoteError::Disk { path: self.directory.display().to_string(), why: error.to_string() }
    }

    /// Makes the directory. Only its owner may change a clone: root would leave files that a daemon cannot read.
    pub(super) fn prepare(&self) -> Result<(), RemoteError> {
        files::make_directory(&self.directory).map_err(|error| self.failed(&error))?;
        let owner = self.directory.metadata().map_err(|error| self.failed(&error))?.uid();
        if owner == files::user() {
            return Ok(());
        }
        Err(self.failed(&format!("it belongs to {}, who has to fetch it", files::account(owner))))
    }

    /// Held by whoever changes the clone, until it is dropped.
    pub(super) fn lock(&self) -> Result<fs::File, RemoteError> {
        let mut options = files::private();
        let options = options.write(true).create(true).truncate(false);
        let file = options.open(self.directory.join("lock")).map_err(|error| self.failed(&error))?;
        file.lock().map_err(|error| self.failed(&error))?;
        Ok(file)
    }

    /// The same, if nobody holds it.
    pub(super) fn try_lock(&self) -> Result<fs::File, RemoteError> {
        let file = fs::File::open(self.directory.join("lock")).map_err(|error| self.failed(&error))?;
        file.try_lock().map_err(|error| self.failed(&error))?;
        Ok(file)
    }

    /// The clone, if there is one.
    pub(super) fn open(&self) -> Result<Repository, RemoteError> {
        open(&self.clone_at())
    }

    /// Whether it has grown so far that it should be made anew.
    pub(super) fn has_grown(&self) -> bool {
        let packs = packs(&self.clone_at());
        let made =
            fs::read_to_string(self.directory.join("size")).ok().and_then(|text| text.trim().parse::<u64>().ok());
        packs.len() > 2 * MOST_PACKS || packs.iter().sum::<u64>() > made.unwrap_or_default().saturating_add(GROWN_BY)
    }

    /// Remembers how large the clone is that was made just now.
    pub(super) fn measure(&self) -> Result<(), RemoteError> {
        let size = packs(&self.clone_at()).iter().sum::<u64>().to_string();
        files::replace(&self.directory.join("size"), size.as_bytes(), files::Access::Private)
            .map_err(|error| self.failed(&error))
    }

    /// Puts a new clone in the place of the old one.
    pub(super) fn swap(&self, new: &Path) -> Result<(), RemoteError> {
        let old = self.directory.join("old");
        let moved = || -> std::io::Result<()> {
            remove(&old)?;
            if self.clone_at().exists() {
                fs::rename(self.clone_at(), &old)?;
            }
            fs::rename(new, self.clone_at())?;
            remove(&old)
        };
        moved().map_err(|error| self.failed(&error))?;
        self.measure()
    }
}

/// Removes a directory, if it is there.
pub(super) fn remove(directory: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The sizes of the packs and their indexes.
fn packs(clone: &Path) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(clone.join("objects/pack")) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len())).collect()
}

fn options() -> gix::open::Options {
    gix::open::Options::isolated().open_path_as_is(true).config_overrides([
        "user.name=landfast",
        "user.email=landfast@localhost",
        "core.logAllRefUpdates=false",
        "core.useReplaceRefs=false",
        &format!("gitoxide.objects.allocLimit={LARGEST_OBJECT}"),
    ])
}

/// Opens a clone.
pub(super) fn open(path: &Path) -> Result<Repository, RemoteError> {
    options().open(path).map(Into::into).map_err(|error| RemoteError::Objects(super::error::chain(&error)))
}

/// Begins an empty one, whose ids are digests of this kind.
pub(super) fn begin(path: &Path, ids: gix::hash::Kind) -> Result<Repository, RemoteError> {
    let failed = |why: String| RemoteError::Disk { path: path.display().to_string(), why };
    remove(path).map_err(|error| failed(error.to_string()))?;
    files::make_directory(path).map_err(|error| failed(error.to_string()))?;
    let options = gix::create::Options { object_hash: Some(ids), ..gix::create::Options::default() };
    gix::ThreadSafeRepository::init(path, gix::create::Kind::Bare, options)
        .map_err(|error| failed(super::error::chain(&error)))?;
    open(path)
}

/// What the newest fetch brought: the commit, and the annotated tag that names it, if one does.
pub(super) fn tip(repository: &Repository) -> Result<Option<(ObjectId, Option<ObjectId>)>, RemoteError> {
    let broken = |error: gix::Error| RemoteError::Objects(super::error::chain(&error));
    let Some(reference) = repository.try_find_reference(TIP).map_err(broken)? else { return Ok(None) };
    let Some(id) = reference.try_id().map(gix::Id::detach) else { return Ok(None) };
    let object = repository.find_object(id).map_err(broken)?;
    if object.kind == gix::objs::Kind::Commit {
        return Ok(Some((id, None)));
    }
    let commit = object.peel_to_kind(gix::objs::Kind::Commit).map_err(broken)?;
    Ok(Some((commit.id, Some(id))))
}

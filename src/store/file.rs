//! Rows in one locked, crash-safe file.
//!
//! Opening a file writes to it, even when it turns out not to be ours. So a file is first opened as a copy in memory,
//! with every checksum verified; only what passes there is opened for real. A new file is made beside its place and
//! moved there when it is whole, so that a crash leaves either none or a good one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{File, Metadata, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase as _, ReadableTable as _, StorageBackend as _, TableDefinition, TableError};

use super::StoreError;
use super::rows::{Batch, Order, Rows, Table, Visit, Write};
use crate::files;

/// How every file of the database begins.
const MAGIC: &[u8] = b"redb\x1A\x0A\xA9\x0D\x0A";

/// A store of 10,000 stacks and a full journal has some 50 MB; what is larger than this is not a store.
const LARGEST: u64 = 2 << 30;

/// Of the database's own page cache. Nearly everything is read from the mirror in memory, once the store is open.
const CACHE: usize = 16 << 20;

/// An open file. The database goes first when it is dropped, the lock last.
pub(super) struct FileRows {
    database: Database,
    held: Option<Held>,
}

/// What makes a file ours: the lock, and that both are still where others look for them.
struct Held {
    path: PathBuf,
    journal: (u64, u64),
    lock: File,
}

impl Held {
    /// A directory that was removed or replaced has taken the lock with it: the next process finds none.
    fn check(&self) -> Result<(), StoreError> {
        let is_there = |path: &Path, file| path.symlink_metadata().is_ok_and(|about| which(&about) == file);
        let lock = self.lock.metadata().map_err(failed("checking", &self.path))?;
        let ours = is_there(&self.path, self.journal) && is_there(&lock_of(&self.path), which(&lock));
        if ours { Ok(()) } else { Err(StoreError::Gone { path: self.path.clone() }) }
    }
}

/// Which file it is, whatever it is called.
fn which(about: &Metadata) -> (u64, u64) {
    (about.dev(), about.ino())
}

fn lock_of(path: &Path) -> PathBuf {
    beside(path, "lock")
}

/// A file whose lock we hold, and that nothing else was done with.
pub(super) struct Locked {
    path: PathBuf,
    lock: File,
}

fn definition(table: Table) -> TableDefinition<'static, &'static str, &'static [u8]> {
    TableDefinition::new(table.name())
}

fn failed<'a>(attempt: &'static str, path: &'a Path) -> impl Fn(io::Error) -> StoreError + use<'a> {
    move |source| StoreError::File { attempt, path: path.to_owned(), source }
}

/// `state` and `new` to `state.new`, whatever extension `state` has.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

impl Locked {
    /// Takes the lock of the file at `path`, making its directories.
    ///
    /// The lock is a file of its own because the store is replaced as a whole when it is made.
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        let directory = files::directory_of(path);
        files::make_directory(directory).map_err(failed("creating the directory", directory))?;
        let name = lock_of(path);
        files::regular_or_nothing(&name).map_err(failed("opening", &name))?;
        // Only its owner may read it: the fingerprint key is in what it is the lock of.
        let mut options = files::private();
        let lock = options.write(true).create(true).truncate(false).open(&name).map_err(failed("opening", &name))?;
        files::hand_over(&lock, directory);
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), lock }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(failed("locking", &name)(source)),
        }
    }

    /// Whether there is nothing yet. An empty file is nothing.
    pub(super) fn is_new(&self) -> Result<bool, StoreError> {
        files::regular_or_nothing(&self.path).map_err(failed("opening", &self.path))?;
        match self.path.symlink_metadata() {
            Ok(metadata) => Ok(metadata.len() == 0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(source) => Err(failed("checking", &self.path)(source)),
        }
    }

    /// Makes a file that has `batch` in it.
    pub(super) fn create(&self, batch: Batch<'_>) -> Result<(), StoreError> {
        let draft = beside(&self.path, "new");
        let directory = files::directory_of(&self.path);
        files::regular_or_nothing(&draft).map_err(failed("creating", &draft))?;
        // What an earlier attempt left; we hold the lock.
        let mut options = files::private();
        let made = options.write(true).create(true).truncate(true).open(&draft).map_err(failed("creating", &draft))?;
        files::hand_over(&made, directory);
        let rows = FileRows::open(&draft, None)?;
        rows.commit(batch)?;
        drop(rows);
        std::fs::rename(&draft, &self.path).map_err(failed("creating", &self.path))?;
        // Makes the new name durable. Not every system can open a directory, and there it needs no such thing.
        if let Ok(opened) = File::open(directory) {
            opened.sync_all().map_err(failed("syncing", directory))?;
        }
        Ok(())
    }

    /// A copy of the file in memory, once all its checksums were verified.
    pub(super) fn rehearse(&self) -> Result<FileRows, StoreError> {
        copy(&self.path)
    }

    /// Opens the file itself.
    pub(super) fn open(self) -> Result<FileRows, StoreError> {
        let owner = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&self.path, owner).map_err(failed("protecting", &self.path))?;
        let journal = which(&self.path.symlink_metadata().map_err(failed("checking", &self.path))?);
        let path = self.path.clone();
        FileRows::open(&self.path, Some(Held { path, journal, lock: self.lock }))
    }

    /// The file is not whole.
    pub(super) fn damaged(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), source: source.into() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// A copy of the file at `path` in memory, once all its checksums were verified. The file itself is only read.
pub(super) fn copy(path: &Path) -> Result<FileRows, StoreError> {
    files::regular_or_nothing(path).map_err(failed("opening", path))?;
    let mut file = files::open_unfollowed(path).map_err(failed("opening", path))?;
    let length = file.metadata().map_err(failed("checking", path))?.len();
    let mut start = [0; MAGIC.len()];
    match file.read_exact(&mut start) {
        Ok(()) if start == MAGIC && length <= LARGEST => {}
        Ok(()) => return Err(StoreError::Foreign { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(StoreError::Foreign { path: path.to_owned() });
        }
        Err(source) => return Err(failed("reading", path)(source)),
    }
    let mut bytes = start.to_vec();
    file.read_to_end(&mut bytes).map_err(failed("reading", path))?;
    let open = || -> Result<Database, redb::Error> {
        let memory = InMemoryBackend::new();
        memory.set_len(bytes.len() as u64)?;
        memory.write(0, &bytes)?;
        let mut builder = Database::builder();
        Ok(builder.set_cache_size(CACHE).set_check_integrity_on_open(true).create_with_backend(memory)?)
    };
    let database = open().map_err(|source| StoreError::Damaged { path: path.to_owned(), source: source.into() })?;
    Ok(FileRows { database, held: None })
}

impl FileRows {
    fn open(path: &Path, held: Option<Held>) -> Result<Self, StoreError> {
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE);
        // Only a draft is made; a file that is gone since it was rehearsed is an error.
        match if held.is_some() { builder.open(path) } else { builder.create(path) } {
            Ok(database) => Ok(Self { database, held }),
            Err(redb::DatabaseError::DatabaseAlreadyOpen) => Err(StoreError::Locked { path: path.to_owned() }),
            Err(error) => Err(StoreError::transaction("opening")(error.into())),
        }
    }

    /// Reads a table; true if it exists and was not read to its end.
    fn read(&self, table: Table, order: Order, visit: Visit<'_>) -> Result<Result<(), StoreError>, redb::Error> {
        let transaction = self.database.begin_read()?;
        let rows = match transaction.open_table(definition(table)) {
            Ok(rows) => rows,
            Err(TableError::TableDoesNotExist(_)) => return Ok(Ok(())),
            Err(error) => return Err(error.into()),
        };
        let mut rows = rows.iter()?;
        while let Some(row) = if order == Order::Up { rows.next() } else { rows.next_back() } {
            let (key, value) = row?;
            match visit(key.value(), value.value()) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(()))
    }

    fn write(&self, batch: Batch<'_>) -> Result<Result<(), StoreError>, redb::Error> {
        // `Durability::Immediate` is the default: it is on the disk when `commit` returns. Dropped before, it is undone.
        let transaction = self.database.begin_write()?;
        let mut tables = BTreeMap::new();
        for write in batch {
            let Write { table, key, value } = match write {
                Ok(write) => write,
                Err(error) => return Ok(Err(error)),
            };
            let rows = match tables.entry(table) {
                Entry::Occupied(rows) => rows.into_mut(),
                Entry::Vacant(rows) => rows.insert(transaction.open_table(definition(table))?),
            };
            match value {
                Some(value) => rows.insert(key.as_str(), value.as_slice())?,
                None => rows.remove(key.as_str())?,
            };
        }
        drop(tables);
        transaction.commit()?;
        Ok(Ok(()))
    }
}

impl Rows for FileRows {
    fn scan(&self, table: Table, order: Order, visit: Visit<'_>) -> Result<(), StoreError> {
        self.read(table, order, visit).map_err(StoreError::transaction("reading"))?
    }

    fn check(&self) -> Result<(), StoreError> {
        self.held.as_ref().map_or(Ok(()), Held::check)
    }

    fn commit(&self, batch: Batch<'_>) -> Result<(), StoreError> {
        self.check()?;
        self.write(batch).map_err(StoreError::transaction("writing"))?
    }
}

/// Who could open the file at `path`, without touching anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// There is none.
    Missing,
    /// We, for writing: it is ours, and nobody has it.
    Ours,
    /// It can be read, or not even that: it belongs to another user, or to a directory that cannot be written.
    Theirs,
    /// Another process has it.
    Held,
}

/// How a file could be opened. Makes nothing, and writes nothing.
pub(super) fn access(path: &Path) -> Access {
    let Ok(about) = path.symlink_metadata() else { return Access::Missing };
    let lock = files::open_unfollowed(&lock_of(path));
    if lock.as_ref().is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))) {
        return Access::Held;
    }
    let writable = |path: &Path| rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
    let ours = about.uid() == files::user() && writable(path) && writable(files::directory_of(path));
    if ours { Access::Ours } else { Access::Theirs }
}

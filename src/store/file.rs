//! Rows in one locked, crash-safe file.
//!
//! Opening a file writes to it, even when it turns out not to be ours. So a file is first opened as a copy in memory,
//! with every checksum verified; only what passes there is opened for real. A new file is made beside its place and
//! moved there when it is whole, so that a crash leaves either none or a good one.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase as _, ReadableTable as _, StorageBackend as _, TableDefinition, TableError};

use super::StoreError;
use super::rows::{Order, Rows, Table, Visit, Write};

/// How every file of the database begins.
const MAGIC: &[u8] = b"redb\x1A\x0A\xA9\x0D\x0A";

/// A store of 10,000 stacks and a full journal has some 50 MB; what is larger than this is not a store.
const LARGEST: u64 = 2 << 30;

/// Of the database's own page cache. Nearly everything is read from the mirror in memory, once the store is open.
const CACHE: usize = 16 << 20;

/// An open file. The database goes first when it is dropped, the lock last.
pub(super) struct FileRows {
    database: Database,
    _lock: Option<File>,
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

/// Options for files that only their owner may read: the fingerprint key is in them.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

impl Locked {
    /// Takes the lock of the file at `path`, making its directories.
    ///
    /// The lock is a file of its own because the store is replaced as a whole when it is made.
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            let mut builder = DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(directory).map_err(failed("creating the directory", directory))?;
        }
        let name = beside(path, "lock");
        let lock = private().write(true).create(true).truncate(false).open(&name).map_err(failed("creating", &name))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), lock }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(failed("locking", &name)(source)),
        }
    }

    /// Whether there is nothing yet. An empty file is nothing.
    pub(super) fn is_new(&self) -> Result<bool, StoreError> {
        match std::fs::metadata(&self.path) {
            Ok(metadata) => Ok(metadata.is_file() && metadata.len() == 0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(source) => Err(failed("looking at", &self.path)(source)),
        }
    }

    /// Makes a file that has `batch` in it.
    pub(super) fn create(&self, batch: &[Write]) -> Result<(), StoreError> {
        let draft = beside(&self.path, "new");
        // What an earlier attempt left; we hold the lock.
        private().write(true).create(true).truncate(true).open(&draft).map_err(failed("creating", &draft))?;
        let rows = FileRows::open(&draft, None)?;
        rows.commit(batch)?;
        drop(rows);
        std::fs::rename(&draft, &self.path).map_err(failed("creating", &self.path))?;
        let directory = self.path.parent().filter(|directory| !directory.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
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
        #[cfg(unix)]
        {
            let owner = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(&self.path, owner).map_err(failed("protecting", &self.path))?;
        }
        FileRows::open(&self.path, Some(self.lock))
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
    let mut file = File::open(path).map_err(failed("opening", path))?;
    let length = file.metadata().map_err(failed("looking at", path))?.len();
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
    Ok(FileRows { database, _lock: None })
}

impl FileRows {
    fn open(path: &Path, lock: Option<File>) -> Result<Self, StoreError> {
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE);
        // Only a draft is made; a file that is gone since it was rehearsed is an error.
        match if lock.is_some() { builder.open(path) } else { builder.create(path) } {
            Ok(database) => Ok(Self { database, _lock: lock }),
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

    fn write(&self, batch: &[Write]) -> Result<(), redb::Error> {
        // `Durability::Immediate` is the default: it is on the disk when `commit` returns.
        let transaction = self.database.begin_write()?;
        for table in Table::ALL {
            let mut writes = batch.iter().filter(|write| write.table == table).peekable();
            if writes.peek().is_none() {
                continue;
            }
            let mut rows = transaction.open_table(definition(table))?;
            for Write { key, value, .. } in writes {
                match value {
                    Some(value) => rows.insert(key.as_str(), value.as_slice())?,
                    None => rows.remove(key.as_str())?,
                };
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

impl Rows for FileRows {
    fn scan(&self, table: Table, order: Order, visit: Visit<'_>) -> Result<(), StoreError> {
        self.read(table, order, visit).map_err(StoreError::transaction("reading"))?
    }

    fn commit(&self, batch: &[Write]) -> Result<(), StoreError> {
        self.write(batch).map_err(StoreError::transaction("writing"))
    }
}

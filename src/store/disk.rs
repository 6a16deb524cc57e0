//! Rows in memory: what the simulation and `landfast demo` use in place of a file.
//!
//! A plain ordered map, not the database on its memory back end: opening that costs allocating and laying out a whole
//! file image, and the simulation opens thousands of stores a minute. With ten updates each, that was measured at 900
//! microseconds for the database and 12 for the map.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::StoreError;
use super::rows::{Batch, Order, Rows, Table, Visit, Write};

/// A disk in memory. It outlives the stores that are opened on it, as a disk outlives a crashed process; all clones
/// are one disk.
#[derive(Clone, Default)]
pub struct Disk {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    tables: Mutex<BTreeMap<Table, BTreeMap<String, Vec<u8>>>>,
    held: AtomicBool,
    full: AtomicBool,
}

impl Disk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is no space left: then nothing can be written.
    pub fn fill(&self, full: bool) {
        self.inner.full.store(full, Ordering::Release);
    }

    /// Takes the lock that a store holds until it and all its clones are dropped.
    pub(super) fn take(&self) -> Result<Held, StoreError> {
        if self.inner.held.swap(true, Ordering::AcqRel) {
            return Err(StoreError::Locked { path: PathBuf::from("memory") });
        }
        Ok(Held { inner: Arc::clone(&self.inner) })
    }
}

impl std::fmt::Debug for Disk {
    /// Without the rows: the fingerprint key is among them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}

/// A disk that a store has open.
pub(super) struct Held {
    inner: Arc<Inner>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.inner.held.store(false, Ordering::Release);
    }
}

impl Rows for Held {
    fn scan(&self, table: Table, order: Order, visit: Visit<'_>) -> Result<(), StoreError> {
        let tables = self.inner.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(rows) = tables.get(&table) else { return Ok(()) };
        let mut rows = rows.iter();
        while let Some((key, value)) = if order == Order::Up { rows.next() } else { rows.next_back() } {
            if !visit(key, value)? {
                break;
            }
        }
        Ok(())
    }

    fn commit(&self, batch: Batch<'_>) -> Result<(), StoreError> {
        let batch: Vec<Write> = batch.collect::<Result<_, _>>()?;
        if self.inner.full.load(Ordering::Acquire) {
            let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
            return Err(StoreError::transaction("writing")(redb::Error::Io(full)));
        }
        let mut tables = self.inner.tables.lock().unwrap_or_else(PoisonError::into_inner);
        for Write { table, key, value } in batch {
            let rows = tables.entry(table).or_default();
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
        Ok(())
    }
}

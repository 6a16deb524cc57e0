//! What the store asks of whatever keeps its bytes: eleven tables of texts to bytes, and atomic batches.
//!
//! Both back ends keep the same rows, so that what the simulation shows of the store is true of the file.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;

/// The tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    /// Layout, fingerprint key, epoch, revision.
    Meta,
    /// What is remembered of objects of one kind, by the object's key.
    Objects,
    /// What is remembered of objects of every kind, by the object's key.
    Common,
    /// Records, by sequence.
    Journal,
    /// What was spent of the budgets, by sequence.
    Spent,
    /// What was approved, by environment.
    Consent,
    /// The revision that was accepted last, by environment.
    Accepted,
    /// What people have frozen, by the freeze's ID.
    Freezes,
    /// What people have said of plans, by sequence.
    Reviews,
    /// What people were told of, by environment.
    Alerts,
    /// Messages that are on their way, by sequence.
    Outbox,
}

impl Table {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Objects => "objects",
            Self::Common => "common",
            Self::Journal => "journal",
            Self::Spent => "spent",
            Self::Consent => "consent",
            Self::Accepted => "accepted",
            Self::Freezes => "freezes",
            Self::Reviews => "reviews",
            Self::Alerts => "alerts",
            Self::Outbox => "outbox",
        }
    }
}

/// From which end a table is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Up,
    Down,
}

/// One change of a batch: a new value, or none.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) table: Table,
    pub(super) key: String,
    pub(super) value: Option<Vec<u8>>,
}

impl Write {
    pub(super) fn put<T: Serialize>(table: Table, key: impl Into<String>, value: &T) -> Result<Self, StoreError> {
        let key = key.into();
        match serde_json::to_vec(value) {
            Ok(value) => Ok(Self { table, key, value: Some(value) }),
            Err(source) => Err(StoreError::Value { table: table.name(), key, source }),
        }
    }

    pub(super) fn remove(table: Table, key: impl Into<String>) -> Self {
        Self { table, key: key.into(), value: None }
    }
}

/// Reads what [`Write::put`] wrote.
pub(super) fn decode<T: DeserializeOwned>(table: Table, key: &str, value: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(value).map_err(|source| StoreError::Value {
        table: table.name(),
        key: key.to_owned(),
        source,
    })
}

/// Numbers as keys that sort like numbers.
pub(super) fn number(sequence: u64) -> String {
    format!("{sequence:020}")
}

/// Called for each row; false ends the scan.
pub(super) type Visit<'a> = &'a mut dyn FnMut(&str, &[u8]) -> Result<bool, StoreError>;

/// Changes that are written together.
pub(super) type Batch<'a> = &'a mut dyn Iterator<Item = Result<Write, StoreError>>;

/// Keeps rows.
pub(super) trait Rows: Send + Sync {
    /// Reads a table in the order of its keys until `visit` has enough.
    fn scan(&self, table: Table, order: Order, visit: Visit<'_>) -> Result<(), StoreError>;

    /// Makes sure that what is kept is still what others would find.
    fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Writes all of a batch or nothing of it, durably. Rows are made one by one as they are written: there may be
    /// thousands. One that cannot be made ends it, and nothing is written.
    fn commit(&self, batch: Batch<'_>) -> Result<(), StoreError>;
}

//! What can go wrong with the store, and what to do about it.

use std::path::PathBuf;

/// The store could not be opened, read or written. The text ends with the next thing to do where there is one.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process, or another part of this one, has it open.
    #[error(
        "the state in {path} is in use by another Landfast: stop that one first, or choose another file with --state"
    )]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// Its file is another one than the one that was opened.
    #[error(
        "the state in {path} was removed or replaced while it was in use; another Landfast may have started a new one. \
        This process stops"
    )]
    Gone {
        /// The file.
        path: PathBuf,
    },
    /// It is not ours. Nothing was written to it.
    #[error("{path} is not a Landfast state file and was not changed: move it, or choose another file with --state")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It was ours, but is not whole. Nothing was written to it.
    #[error(
        "the state in {path} is damaged and was not changed: restore it from a backup, or move it and start again (a \
        lost state costs AWS calls and pending approvals, never correctness)"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It has a layout that this version does not know. Nothing was written to it.
    #[error(
        "the state in {path} was written by a newer Landfast (layout `{schema}`) and was not changed: use that \
        version, or choose another file with --state"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The layout it says it has.
        schema: String,
    },
    /// The key of its fingerprints is sealed, and no key file was named.
    #[error(
        "the fingerprint key in {path} is encrypted: specify the key file (`--fingerprint-key FILE` or \
        `LANDFAST_FINGERPRINT_KEY`)"
    )]
    KeyIsSealed {
        /// The file.
        path: PathBuf,
    },
    /// The key of its fingerprints was sealed with another key file.
    #[error("the fingerprint key in {path} cannot be decrypted with the given key file")]
    OtherKey {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: crate::ports::SealError,
    },
    /// The key of its fingerprints could not be sealed.
    #[error("the fingerprint key could not be encrypted")]
    Seal(#[source] crate::ports::SealError),
    /// The file system refused.
    #[error("{attempt} {path} failed")]
    File {
        /// What was attempted: `locking`.
        attempt: &'static str,
        /// On which file.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
    /// A transaction could not be read or written. What was committed before is safe.
    #[error("{attempt} the state failed: check the disk, then restart Landfast")]
    Transaction {
        /// What was attempted: `writing`.
        attempt: &'static str,
        /// The database's reason.
        #[source]
        source: Box<redb::Error>,
    },
    /// A value does not have the form that this version writes.
    #[error("the entry `{key}` in table {table} of the state is invalid")]
    Value {
        /// In which table.
        table: &'static str,
        /// Under which key.
        key: String,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
}

impl StoreError {
    /// It may pass by itself, as a full disk does: opened again, the state is as it was when it was last written.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Transaction { .. } | Self::File { .. })
    }

    pub(super) fn transaction(attempt: &'static str) -> impl Fn(redb::Error) -> Self {
        move |source| Self::Transaction { attempt, source: Box::new(source) }
    }
}

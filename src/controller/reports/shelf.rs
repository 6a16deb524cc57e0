//! Where the reports of some environments lie: a directory, or the part of a bucket under one prefix.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::{fmt, io};

use crate::files;
use crate::ports::{Closed, Gate, Objects, PortError, all};
use crate::store::StoreError;

/// A report was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// What was found is not known.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A document could not be made.
    #[error("the document could not be created: {0}")]
    Form(Box<dyn std::error::Error + Send + Sync>),
    /// The file system refuses.
    #[error(transparent)]
    File(#[from] io::Error),
    /// The bucket refuses.
    #[error(transparent)]
    Port(#[from] PortError),
    /// Nothing is sent any more.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Where they lie.
pub(super) enum Shelf {
    /// In a directory.
    Directory(PathBuf),
    /// In a bucket.
    Bucket {
        /// The door to it.
        objects: Arc<dyn Objects>,
        /// What every change passes.
        gate: Gate,
        /// On behalf of which revision.
        revision: u64,
        /// Its name.
        bucket: String,
        /// What all keys begin with, ending in `/`.
        prefix: String,
    },
}

impl Shelf {
    /// The names of what is there.
    pub(super) async fn names(&self) -> Result<BTreeSet<String>, Failed> {
        match self {
            Self::Directory(path) => match std::fs::read_dir(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
                Err(error) => Err(error.into()),
                Ok(entries) => Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()),
            },
            Self::Bucket { objects, bucket, prefix, .. } => {
                let keys = all("ListObjectsV2", |page| objects.keys(bucket, prefix, page)).await?;
                Ok(keys.iter().filter_map(|key| key.strip_prefix(prefix)).map(str::to_owned).collect())
            }
        }
    }

    /// Writes one, over what is there. Whoever reads it reads a whole one.
    pub(super) async fn put(&self, name: &str, media: &str, text: &str) -> Result<(), Failed> {
        match self {
            Self::Directory(path) => {
                files::make_directory(path)?;
                files::replace(&path.join(name), text.as_bytes(), files::Access::Private)?;
            }
            Self::Bucket { objects, gate, revision, bucket, prefix } => {
                let fence = gate.pass(*revision)?;
                objects.put(fence, bucket, &format!("{prefix}{name}"), media, text).await?;
            }
        }
        Ok(())
    }

    /// Removes one; none is removed.
    pub(super) async fn remove(&self, name: &str) -> Result<(), Failed> {
        match self {
            Self::Directory(path) => match std::fs::remove_file(path.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            },
            Self::Bucket { objects, gate, revision, bucket, prefix } => {
                let fence = gate.pass(*revision)?;
                objects.delete(fence, bucket, &format!("{prefix}{name}")).await?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "{}", path.display()),
            Self::Bucket { bucket, prefix, .. } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

//! Why there is no snapshot.

use std::path::PathBuf;

/// The manifests could not be read or watched as a whole. A single file that cannot be read is no error: the snapshot
/// says so in its place.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is no such directory, or it cannot be listed. What cannot be listed is not empty.
    #[error("the directory {path} cannot be read: check that it exists and that you have read permission")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
    /// It is something else.
    #[error("{path} is not a directory: use the directory that contains the manifests")]
    NotADirectory {
        /// What was given.
        path: PathBuf,
    },
    /// Too much to be manifests.
    #[error("{path} contains more than {limit}: use a directory that contains only the manifests")]
    TooMuch {
        /// The directory.
        path: PathBuf,
        /// What there may be at most: `256 MiB`.
        limit: &'static str,
    },
    /// It changed each time it was read.
    #[error("the files below {path} change while they are read: Landfast reads them again when they stop changing")]
    Unsettled {
        /// The directory.
        path: PathBuf,
    },
    /// The list of what is no manifest makes no sense.
    #[error("{path} cannot be read: {why}")]
    Ignore {
        /// The list.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// A repository on a host.
    #[error("the Git source {name} ({url}) cannot be read: {why}")]
    Remote {
        /// Its name.
        name: String,
        /// Its address.
        url: String,
        /// The reason.
        why: String,
    },
    /// A commit that was named.
    #[error("{0}")]
    Commit(super::CommitError),
    /// This program has no part for Git sources.
    #[error("this build does not support Git sources and webhooks: build with the feature `git`")]
    WithoutGit,
    /// The operating system does not tell of changes.
    #[error(
        "{path} cannot be watched for changes (on Linux, perhaps raise fs.inotify.max_user_watches or \
         fs.inotify.max_user_instances)"
    )]
    Watch {
        /// The directory.
        path: PathBuf,
        /// The reason.
        #[source]
        source: notify::Error,
    },
}

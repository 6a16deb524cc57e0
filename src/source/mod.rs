//! Where the manifests come from: a directory, read as of one moment, and the news that it changed; or a Git repository on
//! a host.
//!
//! Files become an immutable [`Snapshot`](crate::model::Snapshot) here and are never opened again, so that everything
//! derived from them is of one moment. Nothing here knows what is in a file. News say only *look now*: they may come
//! late, twice or for nothing, and the daemon's resync makes up for those that do not come at all.

mod checkout;
mod chosen;
mod commit;
mod error;
mod git;
mod history;
mod ignore;
mod kept;
#[cfg(test)]
mod made;
mod read;
#[cfg_attr(not(feature = "git"), path = "remote_without.rs")]
mod remote;
mod tree;
mod watch;

pub use checkout::{UnderWay, at_rest, under_way};
pub use chosen::Chosen;
pub use commit::{CommitError, LocalCommit};
pub use error::SourceError;
pub use history::ancestry;
pub use kept::Kept;
pub use read::{read, read_with};
#[cfg(feature = "git")]
pub use remote::secret;
pub use remote::{Remote, RemoteError, forget_others};
pub use tree::TreeError;
pub use watch::Watch;

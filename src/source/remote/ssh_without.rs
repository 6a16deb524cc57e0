//! A build without SSH: it says so where a repository is to be fetched over it.

use std::sync::Arc;

use gix::protocol::transport::client::blocking_io::Transport;

use super::RemoteError;
use super::bound::Bound;
use crate::model::{GitSource, SshAddress};

/// Never.
pub(super) fn open(_: &GitSource, _: &SshAddress, _: &Arc<Bound>) -> Result<Box<dyn Transport>, RemoteError> {
    Err(RemoteError::Fetch("this build does not support SSH: build with the feature `ssh`".to_owned()))
}

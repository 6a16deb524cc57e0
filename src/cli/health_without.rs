//! A build that serves nothing tells machines nothing.

use std::convert::Infallible;
use std::net::SocketAddr;

use super::beacon::Lamp;
use super::exit::Trouble;
use crate::context::Context;
use crate::controller::Board;

/// No listener.
pub(super) struct HealthPages;

impl HealthPages {
    /// There is none.
    #[expect(clippy::unused_async, reason = "the one that listens waits for its address")]
    pub(super) async fn listen(address: Option<SocketAddr>) -> Result<Option<Self>, Trouble> {
        match address {
            Some(_) => Err(Trouble::Source(crate::source::SourceError::WithoutGit)),
            None => Ok(None),
        }
    }

    /// Does nothing for ever.
    pub(super) async fn serve(_: &Context, _: Option<&Self>, _: &Lamp, _: &Board) -> Infallible {
        std::future::pending().await
    }
}

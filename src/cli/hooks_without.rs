//! A build that fetches nothing has nobody to listen to.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Notify;

use super::exit::Trouble;
use super::feedback::Feedback;
use super::session::Session;

/// No listener.
pub(super) struct Hooks;

impl Hooks {
    /// There is none.
    #[expect(clippy::unused_async, reason = "the one that listens waits for its address")]
    pub(super) async fn listen(
        session: &Session,
        named: Option<SocketAddr>,
        _: Arc<Notify>,
    ) -> Result<Option<Self>, Trouble> {
        match named.or(session.operator.listens_at()) {
            Some(_) => Err(Trouble::Source(crate::source::SourceError::WithoutGit)),
            None => Ok(None),
        }
    }

    /// Does nothing for ever.
    pub(super) async fn serve(_: &Session, _: Option<&Self>, _: &Feedback) -> Infallible {
        std::future::pending().await
    }
}

//! Where Git hosts call: the daemon's listener, if the operator has asked for one.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Notify;

use super::exit::Trouble;
use super::feedback::Feedback;
use super::session::Session;
use crate::server::{Calls, Hook, Listening, serve};
use crate::source;

/// A listener, and the calls that it takes.
pub(super) struct Hooks {
    listening: Listening,
    calls: Vec<Hook>,
    bell: Arc<Notify>,
}

impl Hooks {
    /// Takes the address, which is that of the options or of the operator's configuration; `None` if there is none.
    pub(super) async fn listen(
        session: &Session,
        named: Option<SocketAddr>,
        bell: Arc<Notify>,
    ) -> Result<Option<Self>, Trouble> {
        let Some(address) = named.or(session.operator.listens_at()) else { return Ok(None) };
        let listening = Listening::at(address, "webhooks")
            .await
            .map_err(|error| Trouble::machine(format!("webhooks cannot be received at {address}"), error))?;
        let hook = |source: &crate::model::GitSource| {
            let secret = source.webhook.clone()?.secret;
            let read = move || source::secret(&secret).map_err(|why| why.to_string());
            Some(Hook { name: source.name.to_string(), secret: Box::new(read) })
        };
        let calls = session.operator.sources().iter().filter_map(hook).collect();
        Ok(Some(Self { listening, calls, bell }))
    }

    /// Serves for ever; does nothing for ever, if there is nothing to serve.
    pub(super) async fn serve(session: &Session, hooks: Option<&Self>, feedback: &Feedback) -> Infallible {
        match hooks {
            Some(Self { listening, calls, bell }) => {
                let wake = || {
                    bell.notify_one();
                    feedback.ring();
                };
                serve(&session.cx, listening, &Calls::new(&session.cx, calls, &wake)).await
            }
            None => std::future::pending().await,
        }
    }
}

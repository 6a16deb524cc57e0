//! Web servers, asked whether they answer.

use async_trait::async_trait;

use crate::model::{HttpRequest, Reach};

/// The beginning of a body that is read: enough for any health endpoint.
pub const BODY_MAX: usize = 64 * 1024;

/// Makes requests to web servers that are not AWS's API. One method is one request: nothing is retried, redirects are
/// not followed, and no credentials are sent.
#[async_trait]
pub trait Probes: Send + Sync {
    /// Asks, within the request's timeout. `reach` says whom, and every address that the name in the URL resolves to is
    /// judged by it before it is connected to.
    async fn get(&self, request: &HttpRequest, reach: &Reach) -> Result<HttpAnswer, NoHttpAnswer>;
}

/// What a server answered. What is in the body may be anybody's secret: it is matched and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// Its status.
    pub status: u16,
    /// The first [`BODY_MAX`] bytes of its body.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for HttpAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpAnswer").field("status", &self.status).field("bytes", &self.body.len()).finish()
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoHttpAnswer {
    /// The server, or the way to it, is not as it should be: the check fails.
    #[error("{0}")]
    Server(String),
    /// The server may not be asked: the check fails, and nothing was sent.
    #[error("{0}")]
    Refused(String),
    /// Nobody wanted it to be asked.
    #[error("it was not checked")]
    NotAsked,
    /// Nothing was learned about the server, because the request could not be made from here.
    #[error("{0}")]
    Here(String),
}

/// Asks nothing: for a look that must not send anything to whom a manifest names.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unasked;

#[async_trait]
impl Probes for Unasked {
    async fn get(&self, _request: &HttpRequest, _reach: &Reach) -> Result<HttpAnswer, NoHttpAnswer> {
        Err(NoHttpAnswer::NotAsked)
    }
}

/// Where there is nobody to make requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProbes;

#[async_trait]
impl Probes for NoProbes {
    async fn get(&self, _request: &HttpRequest, _reach: &Reach) -> Result<HttpAnswer, NoHttpAnswer> {
        Err(NoHttpAnswer::Here("HTTP checks are not available here".to_owned()))
    }
}

//! One Git host's HTTP: who we are, at what pace, how much, and for how long.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::error::ForgeError;
use super::pace::{self, Said};
use crate::context::Context;
use crate::model::Redacted;

/// How long one request takes at most.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The largest answer: a page of a hundred long comments.
const LARGEST: usize = 16 << 20;
/// So much of an error is repeated.
const LONGEST_WHY: usize = 200;

/// What lets us in.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The token.
    pub token: Redacted,
    /// The GitHub App that it is of, by ID or client ID; `None`: it is a user's.
    pub app: Option<String>,
}

/// Asks for what lets us in: at each request, because tokens expire and are replaced.
pub type Lets = Arc<dyn Fn() -> BoxFuture<'static, Result<Identity, String>> + Send + Sync>;

/// A client of one API.
pub struct Client {
    http: reqwest::Client,
    api: String,
    lets: Lets,
    cx: Context,
    pace: Mutex<Pace>,
}

/// When it may be asked again, by [`Context::elapsed`].
#[derive(Default)]
struct Pace {
    anything: Duration,
    write: Duration,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("api", &self.api).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the API at this address. `authorities` are the certificates to trust, in PEM, instead of the system's.
    ///
    /// # Errors
    /// The certificates cannot be used.
    pub fn new(api: &str, authorities: Option<&[u8]>, lets: Lets, cx: &Context) -> Result<Self, ForgeError> {
        let wrong = |error: reqwest::Error| ForgeError::Credentials(format!("the authorities cannot be used: {error}"));
        let builder = reqwest::Client::builder()
            .https_only(true)
            .timeout(TIMEOUT)
            // Whoever redirects would be shown the token.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("landfast/", env!("CARGO_PKG_VERSION")));
        let builder = match authorities {
            Some(pem) => builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(pem).map_err(wrong)?),
            None => builder,
        };
        let http = builder.build().map_err(wrong)?;
        Ok(Self { http, api: api.to_owned(), lets, cx: cx.clone(), pace: Mutex::default() })
    }

    /// Who we are.
    pub(super) async fn identity(&self) -> Result<Identity, ForgeError> {
        (self.lets)().await.map_err(ForgeError::Credentials)
    }

    /// How long nothing should be asked.
    #[must_use]
    pub fn pause(&self) -> Duration {
        self.lock().anything.saturating_sub(self.cx.elapsed())
    }

    /// Sends one request, when it is its turn. `path` begins with a slash.
    ///
    /// # Errors
    /// It could not be sent, or was not accepted. Nobody knows whether what could not be reached has done it.
    pub(super) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ForgeError> {
        let is_write = method != Method::GET;
        let now = self.cx.elapsed();
        let (blocked, wait) = {
            let pace = self.lock();
            let wait = if is_write { pace.write.saturating_sub(now) } else { Duration::ZERO };
            (pace.anything.saturating_sub(now), wait)
        };
        if !blocked.is_zero() {
            return Err(ForgeError::Later(blocked));
        }
        if !wait.is_zero() {
            self.cx.sleep(wait).await;
        }
        let identity = self.identity().await?;
        let request = self.http.request(method, format!("{}{path}", self.api)).bearer_auth(identity.token.expose());
        let request = request.header("accept", "application/json").header("x-github-api-version", "2022-11-28");
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request,
        };
        let answer = request.send().await.map_err(|error| unreachable(&error));
        if is_write {
            self.lock().write = self.cx.elapsed() + pace::APART;
        }
        self.read(answer?).await
    }

    async fn read(&self, mut answer: reqwest::Response) -> Result<Value, ForgeError> {
        let status = answer.status();
        let headers = answer.headers().clone();
        let mut text = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| unreachable(&error))? {
            if text.len() + piece.len() > LARGEST {
                return Err(ForgeError::Answer("it is larger than 16 MiB".to_owned()));
            }
            text.extend_from_slice(&piece);
        }
        let value = serde_json::from_slice::<Value>(&text);
        if status.is_success() {
            return value.map_err(|_| ForgeError::Answer("it is not JSON".to_owned()));
        }
        let message = value.ok().and_then(|value| value.get("message").cloned()).unwrap_or_default();
        let message = message.as_str().map_or_else(|| message.to_string(), str::to_owned);
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let said = Said {
            status: status.as_u16(),
            retry_after: header("retry-after"),
            remaining: header("x-ratelimit-remaining").or_else(|| header("ratelimit-remaining")),
            reset: header("x-ratelimit-reset").or_else(|| header("ratelimit-reset")),
            is_about_limits: message.to_ascii_lowercase().contains("rate limit"),
        };
        if let Some(pause) = pace::pause(said, self.cx.now()) {
            self.lock().anything = self.cx.elapsed() + pause;
            return Err(ForgeError::Later(pause));
        }
        let why: String = message.chars().filter(|letter| !letter.is_control()).take(LONGEST_WHY).collect();
        Err(match status {
            status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
                ForgeError::Unreachable(format!("it answered {}", status.as_u16()))
            }
            status => ForgeError::Refused { status: status.as_u16(), why },
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The cause that says most; addresses hold no secret here.
fn unreachable(error: &reqwest::Error) -> ForgeError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let text: String = cause.to_string().chars().filter(|letter| !letter.is_control()).take(LONGEST_WHY).collect();
    ForgeError::Unreachable(text)
}

//! Accepting connections, with an end to everything that a stranger could draw out: how many there are, how long each
//! takes, and how much it sends. A connection has one request: a Git host calls once.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tracing::{debug, info, warn};

use super::webhook::{Call, Proof, Refused, Replays};
use crate::context::Context;
use crate::model::Redacted;

/// Connections at a time: calls are short.
const MOST: usize = 64;
/// How long a connection lasts, its answer included.
const LONGEST: Duration = Duration::from_secs(20);
/// The largest head of a request.
const HEAD: usize = 32 << 10;
/// How many headers it may have.
const HEADERS: usize = 100;
/// The largest body: GitHub sends up to 25 MB, says its documentation. It is not kept: strangers may call.
const BODY: usize = 25 << 20;
/// So much of a body is read at a time.
const PIECE: usize = 16 << 10;
/// How long it is waited after a connection could not be accepted: mostly too many files are open.
const PAUSE: Duration = Duration::from_secs(1);

/// Reads a secret, which may have been changed meanwhile; why it cannot be read.
type Secret = Box<dyn Fn() -> Result<Redacted, String> + Send + Sync>;

/// Where the calls of one source arrive, and how they prove themselves.
pub struct Hook {
    /// The last part of its path.
    pub name: String,
    /// Its secret.
    pub secret: Secret,
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hook").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A listener that has its address.
#[derive(Debug)]
pub struct Listening {
    listener: TcpListener,
}

impl Listening {
    /// Takes the address.
    ///
    /// # Errors
    /// Somebody else has it, or it is not this machine's.
    pub async fn at(address: SocketAddr) -> std::io::Result<Self> {
        let listening = Self { listener: TcpListener::bind(address).await? };
        info!(address = %listening.listener.local_addr()?, "listening for webhooks");
        Ok(listening)
    }
}

/// Serves for ever. `wake` is called for each call that proves itself.
pub async fn serve(cx: &Context, listening: &Listening, hooks: &[Hook], wake: impl Fn()) -> Infallible {
    let server = Server { cx, hooks, replays: Mutex::new(Replays::default()), wake: &wake };
    let mut open = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some(()) = open.next(), if !open.is_empty() => {}
            accepted = listening.listener.accept(), if open.len() < MOST => match accepted {
                Ok((stream, _)) => open.push(server.connection(stream)),
                Err(why) => {
                    warn!(%why, "a connection could not be accepted");
                    cx.sleep(PAUSE).await;
                }
            },
        }
    }
}

/// An answer: a status and a few words.
type Answer = (&'static str, String);

struct Server<'s> {
    cx: &'s Context,
    hooks: &'s [Hook],
    replays: Mutex<Replays>,
    wake: &'s dyn Fn(),
}

impl Server<'_> {
    async fn connection(&self, mut stream: TcpStream) {
        let served = async {
            let (status, text) = self.answer(&mut stream).await?;
            let length = text.len() + 1;
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}\n"
            );
            stream.write_all(answer.as_bytes()).await?;
            stream.shutdown().await
        };
        match self.cx.timeout(LONGEST, served).await {
            Some(Ok(())) => {}
            Some(Err(why)) => debug!(%why, "a connection has ended early"),
            None => debug!("a connection took too long"),
        }
    }

    async fn answer(&self, stream: &mut TcpStream) -> std::io::Result<Answer> {
        let bad = |why: &str| Ok(("400 Bad Request", why.to_owned()));
        let mut read = Vec::new();
        let (head, length) = loop {
            if stream.read_buf(&mut read).await? == 0 {
                return bad("the request is incomplete");
            }
            match Head::of(&read) {
                Ok(Some(found)) => break found,
                Ok(None) if read.len() <= HEAD => {}
                Ok(None) | Err(()) => return bad("the request is not understood"),
            }
        };
        let hook =
            head.path.strip_prefix("/webhooks/").and_then(|name| self.hooks.iter().find(|hook| hook.name == name));
        let Some(hook) = hook else { return Ok(("404 Not Found", "not found".to_owned())) };
        if head.method != "POST" {
            return Ok(("405 Method Not Allowed", "use POST".to_owned()));
        }
        // A body of unknown length is not read: no Git host sends one.
        let Some(size) = head.length else {
            return Ok(("411 Length Required", "Content-Length is missing".to_owned()));
        };
        if size > BODY {
            return Ok(("413 Content Too Large", "the body is too large".to_owned()));
        }
        let secret = match (hook.secret)() {
            Ok(secret) => secret,
            Err(why) => {
                warn!(source = hook.name, why, "the webhook's secret cannot be read; calls are refused");
                return Ok(("503 Service Unavailable", "the webhook is not available".to_owned()));
            }
        };
        let mut proof = Proof::begin(&head.call(), &secret);
        // All of it is read, also of a call that is refused: an answer before that may be lost on its way.
        let mut left = size;
        let mut piece = read.split_off(length);
        loop {
            piece.truncate(left);
            if let Ok(proof) = &mut proof {
                proof.update(&piece);
            }
            left -= piece.len();
            if left == 0 {
                break;
            }
            piece.clear();
            piece.reserve(PIECE);
            if stream.read_buf(&mut piece).await? == 0 {
                return bad("the body is incomplete");
            }
        }
        Ok(proof.map_or_else(|why| refused(hook, why), |proof| self.judge(hook, proof)))
    }

    fn judge(&self, hook: &Hook, proof: Proof) -> Answer {
        let proven = {
            let mut replays = self.replays.lock().unwrap_or_else(PoisonError::into_inner);
            proof.finish(self.cx.now(), &mut replays)
        };
        match proven {
            Ok(()) => {
                info!(source = hook.name, "webhook received: looking now");
                (self.wake)();
                ("202 Accepted", "accepted".to_owned())
            }
            Err(why) => refused(hook, why),
        }
    }
}

fn refused(hook: &Hook, why: Refused) -> Answer {
    if why == Refused::Replayed {
        return ("200 OK", why.to_string());
    }
    warn!(source = hook.name, %why, "a webhook call was refused");
    ("401 Unauthorized", why.to_string())
}

/// What is needed of a request's head.
struct Head {
    method: String,
    path: String,
    /// By its name in lower case.
    headers: Vec<(String, String)>,
    length: Option<usize>,
}

impl Head {
    /// The head that is at the beginning of what was read, and how long it is; `None`: it is not all there.
    fn of(read: &[u8]) -> Result<Option<(Self, usize)>, ()> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let length = match request.parse(read).map_err(|_| ())? {
            httparse::Status::Complete(length) => length,
            httparse::Status::Partial => return Ok(None),
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers: Vec<(String, String)> =
            request.headers.iter().map(|header| (header.name.to_ascii_lowercase(), text(header.value))).collect();
        let all = |name: &str| headers.iter().filter(|(known, _)| known == name).count();
        // What could be read in two ways is read in none.
        if all("transfer-encoding") > 0 || all("content-length") > 1 {
            return Err(());
        }
        let said = headers.iter().find(|(name, _)| name == "content-length").map(|(_, value)| value.parse::<usize>());
        let path = request.path.ok_or(())?.split('?').next().unwrap_or_default().to_owned();
        let method = request.method.ok_or(())?.to_owned();
        Ok(Some((Self { method, path, length: said.transpose().map_err(|_| ())?, headers }, length)))
    }

    fn call(&self) -> Call<'_> {
        let of = |name: &str| self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        Call {
            hub: of("x-hub-signature-256").or_else(|| of("x-hub-signature")),
            gitlab: of("x-gitlab-token"),
            id: of("webhook-id"),
            timestamp: of("webhook-timestamp"),
            signature: of("webhook-signature"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_in_one_way_or_in_none() {
        let (head, length) =
            Head::of(b"POST /webhooks/a?x=1 HTTP/1.1\r\nContent-Length: 2\r\nX-Gitlab-Token: t\r\n\r\nab")
                .unwrap()
                .unwrap();
        assert_eq!(
            (head.method.as_str(), head.path.as_str(), head.length, length),
            ("POST", "/webhooks/a", Some(2), 71)
        );
        assert_eq!(head.call().gitlab, Some("t"));
        assert!(Head::of(b"POST / HTTP/1.1\r\nHost: a\r\n").unwrap().is_none(), "not all of it");
        for wrong in [
            "nonsense\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        ] {
            assert!(Head::of(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}

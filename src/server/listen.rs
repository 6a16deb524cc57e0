//! Accepting connections, with an end to everything that a stranger could draw out: how many there are, how long each
//! takes, and how much it sends. A connection has one request: who calls, calls once.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tracing::{debug, info, warn};

use super::webhook::Call;
use crate::context::Context;

/// Connections at a time: calls are short.
const MOST: usize = 64;
/// How long a connection lasts, its answer included.
const LONGEST: Duration = Duration::from_secs(20);
/// The largest head of a request.
const HEAD: usize = 32 << 10;
/// How many headers it may have.
const HEADERS: usize = 100;
/// How long it is waited after a connection could not be accepted: mostly too many files are open.
const PAUSE: Duration = Duration::from_secs(1);

/// A listener that has its address.
#[derive(Debug)]
pub struct Listening {
    listener: TcpListener,
}

impl Listening {
    /// Takes the address. `what` it is for is said in the log.
    ///
    /// # Errors
    /// Somebody else has it, or it is not this machine's.
    pub async fn at(address: SocketAddr, what: &str) -> std::io::Result<Self> {
        let listening = Self { listener: TcpListener::bind(address).await? };
        info!(address = %listening.listener.local_addr()?, "listening for {what}");
        Ok(listening)
    }
}

/// What answers requests.
pub trait Handler {
    /// Answers one, the rest of which comes from the stream.
    ///
    /// # Errors
    /// The connection has failed.
    fn answer(&self, request: Request, stream: &mut TcpStream) -> impl Future<Output = std::io::Result<Answer>>;
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    status: &'static str,
    kind: &'static str,
    body: String,
}

impl Answer {
    /// A few words.
    pub(super) fn text(status: &'static str, words: &str) -> Self {
        Self { status, kind: "text/plain; charset=utf-8", body: format!("{words}\n") }
    }

    /// A document of this media type.
    pub(super) fn document(kind: &'static str, body: String) -> Self {
        Self { status: "200 OK", kind, body }
    }

    /// The request is wrong.
    pub(super) fn bad(why: &str) -> Self {
        Self::text("400 Bad Request", why)
    }
}

/// Serves for ever.
pub async fn serve(cx: &Context, listening: &Listening, handler: &impl Handler) -> Infallible {
    let mut open = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some(()) = open.next(), if !open.is_empty() => {}
            accepted = listening.listener.accept(), if open.len() < MOST => match accepted {
                Ok((stream, _)) => open.push(connection(cx, handler, stream)),
                Err(why) => {
                    warn!(%why, "a connection could not be accepted");
                    cx.sleep(PAUSE).await;
                }
            },
        }
    }
}

async fn connection(cx: &Context, handler: &impl Handler, mut stream: TcpStream) {
    let served = async {
        let Answer { status, kind, body } = match Request::read(&mut stream).await? {
            Ok(request) => handler.answer(request, &mut stream).await?,
            Err(why) => Answer::bad(why),
        };
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nCache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        stream.shutdown().await
    };
    match cx.timeout(LONGEST, served).await {
        Some(Ok(())) => {}
        Some(Err(why)) => debug!(%why, "a connection has ended early"),
        None => debug!("a connection took too long"),
    }
}

/// A request, as far as its head.
#[derive(Debug)]
pub struct Request {
    pub(super) method: String,
    pub(super) path: String,
    /// By its name in lower case.
    headers: Vec<(String, String)>,
    pub(super) length: Option<usize>,
    /// What came of its body with the head.
    pub(super) begun: Vec<u8>,
}

impl Request {
    async fn read(stream: &mut TcpStream) -> std::io::Result<Result<Self, &'static str>> {
        let mut read = Vec::new();
        loop {
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(Err("the request is incomplete"));
            }
            match Self::of(&read) {
                Ok(Some((request, length))) => return Ok(Ok(Self { begun: read.split_off(length), ..request })),
                Ok(None) if read.len() <= HEAD => {}
                Ok(None) | Err(()) => return Ok(Err("the request is not understood")),
            }
        }
    }

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
        Ok(Some((Self { method, path, length: said.transpose().map_err(|_| ())?, headers, begun: Vec::new() }, length)))
    }

    /// A header, by its name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What a webhook's proof is made from.
    pub(super) fn call(&self) -> Call<'_> {
        Call {
            hub: self.header("x-hub-signature-256").or_else(|| self.header("x-hub-signature")),
            gitlab: self.header("x-gitlab-token"),
            id: self.header("webhook-id"),
            timestamp: self.header("webhook-timestamp"),
            signature: self.header("webhook-signature"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_in_one_way_or_in_none() {
        let (head, length) =
            Request::of(b"POST /webhooks/a?x=1 HTTP/1.1\r\nContent-Length: 2\r\nX-Gitlab-Token: t\r\n\r\nab")
                .unwrap()
                .unwrap();
        assert_eq!(
            (head.method.as_str(), head.path.as_str(), head.length, length),
            ("POST", "/webhooks/a", Some(2), 71)
        );
        assert_eq!(head.call().gitlab, Some("t"));
        assert!(Request::of(b"POST / HTTP/1.1\r\nHost: a\r\n").unwrap().is_none(), "not all of it");
        for wrong in [
            "nonsense\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        ] {
            assert!(Request::of(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}

//! Asks web servers over the network: readiness probes.
//!
//! Every probe is a new connection, without proxies, cookies or credentials, and redirects are an answer like any other:
//! what is asked is whether this server answers so, and not whether somebody does in the end. So there is one address to
//! judge for a request, and it is judged before anything is sent: a literal one as the client reads it, a name by all that
//! it resolves to.

mod authority;
mod resolve;

use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use regex::bytes::Regex;
use reqwest::{Client, redirect};

use crate::model::{HttpRequest, Reach, Tls};
use crate::ports::{BODY_MAX, HttpAnswer, NoHttpAnswer, Probes};
use crate::sabotage::{self, Bug};
use resolve::{Judging, Refused};

/// Web servers, over the network.
#[derive(Debug, Default)]
pub struct Network {
    /// A client for each way of judging certificates and addresses: making one reads the machine's authorities.
    clients: Mutex<Vec<(Tls, Reach, Client)>>,
}

/// Clients that are kept: as many as there are ways of judging in a repository, and a few more.
const CLIENTS_MAX: usize = 64;

impl Network {
    fn client(&self, tls: &Tls, reach: &Reach) -> Result<Client, NoHttpAnswer> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((.., client)) = clients.iter().find(|(known, judged, _)| known == tls && judged == reach) {
            return Ok(client.clone());
        }
        let client = client(tls, reach)?;
        if clients.len() >= CLIENTS_MAX {
            clients.remove(0);
        }
        clients.push((tls.clone(), reach.clone(), client.clone()));
        Ok(client)
    }
}

fn client(tls: &Tls, reach: &Reach) -> Result<Client, NoHttpAnswer> {
    let here =
        |error: reqwest::Error| NoHttpAnswer::Here(format!("the request could not be created: {}", innermost(&error)));
    let builder = Client::builder()
        .user_agent("landfast")
        .redirect(redirect::Policy::none())
        .no_proxy()
        .dns_resolver(Judging(Arc::new(reach.clone())))
        // The next probe is to find out whether a connection can be made.
        .pool_max_idle_per_host(0);
    let builder = match tls {
        Tls::Verify => builder,
        Tls::Authority(pem) => builder.tls_backend_preconfigured(authority::trusting(pem).map_err(NoHttpAnswer::Here)?),
        Tls::Skip => builder.tls_danger_accept_invalid_certs(true),
    };
    builder.build().map_err(here)
}

#[async_trait]
impl Probes for Network {
    async fn get(&self, request: &HttpRequest, reach: &Reach) -> Result<HttpAnswer, NoHttpAnswer> {
        // The client resolves names alone; an address it connects to as it is.
        reach.server(&request.url).map_or_else(
            |why| if sabotage::is(Bug::ProbesAnywhere) { Ok(()) } else { Err(NoHttpAnswer::Refused(why)) },
            |_| Ok(()),
        )?;
        let client = self.client(&request.tls, reach)?;
        let sent = client.get(&request.url).timeout(request.timeout).send().await;
        let mut answer = sent.map_err(|error| explained(request, &error))?;
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        // A body may go on for ever (server-sent events): what is looked for is looked for in what has come, and that an
        // answer with another status fails is known without any of it.
        let pattern = request.body.as_deref().filter(|_| status == request.expect);
        let pattern = pattern.map(Regex::new).and_then(Result::ok);
        let found = |body: &[u8]| pattern.as_ref().is_none_or(|pattern| pattern.is_match(body));
        while body.len() < BODY_MAX && !found(&body) {
            match answer.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) if error.is_timeout() && !body.is_empty() => break,
                Err(error) => return Err(explained(request, &error)),
            }
        }
        body.truncate(BODY_MAX);
        Ok(HttpAnswer { status, body })
    }
}

/// What became of a request without an answer, in words that say where to look.
fn explained(request: &HttpRequest, error: &reqwest::Error) -> NoHttpAnswer {
    if error.is_builder() {
        return NoHttpAnswer::Here(format!("{} is not a valid address", request.url));
    }
    if error.is_timeout() {
        let timeout = humantime::format_duration(request.timeout);
        return NoHttpAnswer::Server(format!("no answer within {timeout}"));
    }
    if let Some(Refused(why)) = cause(error) {
        return NoHttpAnswer::Refused(why.clone());
    }
    let (kind, text) = (cause(error).map(std::io::Error::kind), innermost(error));
    if error.is_dns() || text.contains("failed to lookup address") || text.contains("name resolution") {
        // The resolver says the same of a name that does not exist and of itself being out of reach, but for this.
        return if text.contains("Temporary failure") {
            NoHttpAnswer::Here("DNS resolution is not available here".to_owned())
        } else {
            NoHttpAnswer::Server("its host name does not resolve".to_owned())
        };
    }
    match kind {
        Some(std::io::ErrorKind::ConnectionRefused) => NoHttpAnswer::Server("connection refused".to_owned()),
        Some(std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::ConnectionAborted) => {
            NoHttpAnswer::Server("connection reset".to_owned())
        }
        Some(std::io::ErrorKind::NetworkUnreachable | std::io::ErrorKind::NetworkDown) => {
            NoHttpAnswer::Here("the network is unreachable".to_owned())
        }
        Some(std::io::ErrorKind::HostUnreachable) => NoHttpAnswer::Server("the host is unreachable".to_owned()),
        _ => NoHttpAnswer::Server(certificate(&text).unwrap_or(text)),
    }
}

/// What is wrong with the certificate, if that is it.
fn certificate(text: &str) -> Option<String> {
    let rows = [
        ("xpired", "certificate expired"),
        ("NotValidYet", "certificate not valid yet"),
        ("not valid yet", "certificate not valid yet"),
        ("NotValidForName", "certificate is for another name"),
        ("not valid for name", "certificate is for another name"),
        ("UnknownIssuer", "certificate from an unknown authority"),
        ("Revoked", "certificate revoked"),
        (
            authority::AS_SERVER,
            "certificate is self-signed; it is accepted only if `tls.authority` is exactly this certificate",
        ),
    ];
    if let Some((_, words)) = rows.iter().find(|(phrase, _)| text.contains(phrase)) {
        return Some((*words).to_owned());
    }
    // What is left is a word of the library, and not of the server.
    let why = text.split_once("invalid peer certificate: ")?.1;
    Some(format!("certificate not accepted: {}", why.chars().take(100).collect::<String>()))
}

/// The innermost error of this kind behind it.
fn cause<E: std::error::Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    let mut source = error.source();
    let mut found = None;
    while let Some(error) = source {
        found = error.downcast_ref::<E>().or(found);
        source = error.source();
    }
    found
}

/// What the last of its causes says. The others repeat the address, with whatever stands in it.
fn innermost(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = error.to_string();
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::time::Duration;

    use super::*;

    fn request(url: String) -> HttpRequest {
        HttpRequest { url, expect: 200, body: Some("x".to_owned()), tls: Tls::Verify, timeout: Duration::from_secs(5) }
    }

    fn local() -> Reach {
        Reach { local: true, ..Reach::default() }
    }

    #[tokio::test]
    async fn nothing_is_sent_to_where_it_may_not_go() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "017700000001", "127.0.0.1.", "localhost"] {
            let asked = Network::default().get(&request(format!("http://{host}:{port}/")), &Reach::default()).await;
            let Err(NoHttpAnswer::Refused(why)) = asked else { panic!("{host}: {asked:?}") };
            assert!(why.contains("loopback"), "{host}: {why}");
        }
        for host in ["[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0", "0.0.0.0", "me@127.0.0.1", "10.0.0.1@127.0.0.1"] {
            let asked = Network::default().get(&request(format!("http://{host}:{port}/")), &local()).await;
            assert!(matches!(asked, Err(NoHttpAnswer::Refused(_))), "{host}: {asked:?}");
        }
        assert!(listener.accept().is_err(), "somebody connected");
    }

    /// A server that gives one answer to one request.
    fn server(answer: Vec<u8>) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = vec![0; 4096];
            let read = stream.read(&mut asked).unwrap();
            let _ = stream.write_all(&answer);
            String::from_utf8_lossy(&asked[..read]).into_owned()
        });
        (url, thread)
    }

    #[tokio::test]
    async fn an_answer_is_its_status_and_the_beginning_of_its_body() {
        let mut answer = b"HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n".to_vec();
        answer.extend(vec![b'x'; 200_000]);
        let (url, thread) = server(answer);
        let asked = HttpRequest { body: Some("y".to_owned()), ..request(format!("{url}/health?a=b")) };
        let answer = Network::default().get(&asked, &local()).await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, BODY_MAX));
        assert!(thread.join().unwrap().starts_with("GET /health?a=b HTTP/1.1\r\n"));
    }

    /// A server that sends this, and then nothing more, without an end.
    fn endless(pieces: Vec<&'static str>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            for piece in pieces {
                let _ = write!(stream, "{:x}\r\n{piece}\r\n", piece.len());
                let _ = stream.flush();
            }
            let _ = stream.read(&mut [0; 1]);
        });
        url
    }

    #[tokio::test]
    async fn a_body_without_an_end_is_read_until_it_matches() {
        let asked = |url: String, body: Option<&str>, expect| HttpRequest {
            expect,
            body: body.map(str::to_owned),
            timeout: Duration::from_secs(20),
            ..request(url)
        };
        let reach = local();
        let stream = || endless(vec!["data: {\"sta", "tus\":\"UP\"}\n\n"]);
        for (body, expect) in [(Some("\"status\":\"UP\""), 200), (None, 200), (Some("never"), 503)] {
            let (network, request) = (Network::default(), asked(stream(), body, expect));
            let asking = network.get(&request, &reach);
            let answer = tokio::time::timeout(Duration::from_secs(10), asking).await.unwrap().unwrap();
            assert_eq!(answer.status, 200, "{body:?}");
        }
        // What does not match in time has been read as far as it went.
        let short = HttpRequest { timeout: Duration::from_millis(300), ..asked(stream(), Some("DOWN"), 200) };
        let answer = Network::default().get(&short, &reach).await.unwrap();
        assert!(answer.body.ends_with(b"\"UP\"}\n\n"));
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_not_followed() {
        let (url, _thread) =
            server(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n".to_vec());
        assert_eq!(Network::default().get(&request(url), &local()).await.unwrap().status, 302);
    }

    #[tokio::test]
    async fn the_reason_of_a_missing_answer_is_clear() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let refused = Network::default().get(&request(format!("http://{closed}/")), &local()).await.unwrap_err();
        assert_eq!(refused, NoHttpAnswer::Server("connection refused".to_owned()));
        let quiet = TcpListener::bind("127.0.0.1:0").unwrap();
        let slow = HttpRequest {
            timeout: Duration::from_millis(50),
            ..request(format!("http://{}/", quiet.local_addr().unwrap()))
        };
        let late = Network::default().get(&slow, &local()).await.unwrap_err();
        assert_eq!(late, NoHttpAnswer::Server("no answer within 50ms".to_owned()));
        let wrong = Network::default().get(&request("not an address".to_owned()), &local()).await.unwrap_err();
        assert!(matches!(wrong, NoHttpAnswer::Refused(_)), "{wrong}");
        let pem = HttpRequest { tls: Tls::Authority("nonsense".into()), ..request(format!("http://{closed}/")) };
        assert!(matches!(Network::default().get(&pem, &local()).await.unwrap_err(), NoHttpAnswer::Here(_)));
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_said() {
        for (text, words) in [
            ("invalid peer certificate: Expired", "certificate expired"),
            ("invalid peer certificate: certificate expired: verification time 1", "certificate expired"),
            ("invalid peer certificate: UnknownIssuer", "certificate from an unknown authority"),
            ("invalid peer certificate: certificate not valid for name \"a\"", "certificate is for another name"),
            ("invalid peer certificate: BadEncoding", "certificate not accepted: BadEncoding"),
        ] {
            assert_eq!(certificate(text).as_deref(), Some(words));
        }
        assert_eq!(certificate("tls handshake eof"), None);
    }
}

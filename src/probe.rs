//! Asks web servers over the network: readiness probes.
//!
//! Every probe is a new connection, without proxies, cookies or credentials, and redirects are an answer like any other:
//! what is asked is whether this server answers so, and not whether somebody does in the end.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use reqwest::{Certificate, Client, redirect};

use crate::model::{HttpRequest, Tls};
use crate::ports::{BODY_MAX, HttpAnswer, NoHttpAnswer, Probes};

/// Web servers, over the network.
#[derive(Debug, Default)]
pub struct Network {
    /// A client for each way of judging certificates: making one reads the machine's authorities.
    clients: Mutex<BTreeMap<Tls, Client>>,
}

impl Network {
    fn client(&self, tls: &Tls) -> Result<Client, NoHttpAnswer> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(tls) {
            return Ok(client.clone());
        }
        let client = client(tls)?;
        clients.insert(tls.clone(), client.clone());
        Ok(client)
    }
}

fn client(tls: &Tls) -> Result<Client, NoHttpAnswer> {
    let here = |error: reqwest::Error| NoHttpAnswer::Here(format!("no request can be made: {}", innermost(&error)));
    let builder = Client::builder()
        .user_agent("landfast")
        .redirect(redirect::Policy::none())
        .no_proxy()
        // The next probe is to find out whether a connection can be made.
        .pool_max_idle_per_host(0);
    let builder = match tls {
        Tls::Verify => builder,
        Tls::Authority(pem) => {
            let authorities = Certificate::from_pem_bundle(pem.as_bytes()).map_err(here)?;
            if authorities.is_empty() {
                return Err(NoHttpAnswer::Here("there is no certificate in the authority's PEM".to_owned()));
            }
            builder.tls_certs_only(authorities)
        }
        Tls::Skip => builder.tls_danger_accept_invalid_certs(true),
    };
    builder.build().map_err(here)
}

#[async_trait]
impl Probes for Network {
    async fn get(&self, request: &HttpRequest) -> Result<HttpAnswer, NoHttpAnswer> {
        let client = self.client(&request.tls)?;
        let sent = client.get(&request.url).timeout(request.timeout).send().await;
        let mut answer = sent.map_err(|error| explained(request, &error))?;
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        while request.body.is_some() && body.len() < BODY_MAX {
            match answer.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
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
        return NoHttpAnswer::Here(format!("{} is no address that can be asked", request.url));
    }
    if error.is_timeout() {
        let timeout = humantime::format_duration(request.timeout);
        return NoHttpAnswer::Server(format!("no answer within {timeout}"));
    }
    let (kind, text) = (io_kind(error), innermost(error));
    if error.is_dns() || text.contains("failed to lookup address") || text.contains("name resolution") {
        // The resolver says the same of a name that does not exist and of itself being out of reach, but for this.
        return if text.contains("Temporary failure") {
            NoHttpAnswer::Here("names cannot be resolved from here".to_owned())
        } else {
            NoHttpAnswer::Server("its name does not resolve".to_owned())
        };
    }
    match kind {
        Some(std::io::ErrorKind::ConnectionRefused) => NoHttpAnswer::Server("connection refused".to_owned()),
        Some(std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::ConnectionAborted) => {
            NoHttpAnswer::Server("connection reset".to_owned())
        }
        Some(std::io::ErrorKind::NetworkUnreachable | std::io::ErrorKind::NetworkDown) => {
            NoHttpAnswer::Here("there is no network from here".to_owned())
        }
        Some(std::io::ErrorKind::HostUnreachable) => NoHttpAnswer::Server("there is no route to it".to_owned()),
        _ => NoHttpAnswer::Server(certificate(&text).map_or(text, str::to_owned)),
    }
}

/// What is wrong with the certificate, if that is it.
fn certificate(text: &str) -> Option<&'static str> {
    let rows = [
        ("xpired", "certificate expired"),
        ("NotValidYet", "certificate not valid yet"),
        ("not valid yet", "certificate not valid yet"),
        ("NotValidForName", "certificate is for another name"),
        ("not valid for name", "certificate is for another name"),
        ("UnknownIssuer", "certificate from an unknown authority"),
        ("Revoked", "certificate revoked"),
        ("invalid peer certificate", "certificate not accepted"),
    ];
    rows.iter().find(|(phrase, _)| text.contains(phrase)).map(|(_, words)| *words)
}

/// The error of the operating system behind it.
fn io_kind(error: &reqwest::Error) -> Option<std::io::ErrorKind> {
    let mut source = error.source();
    let mut found = None;
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            found = Some(io.kind());
        }
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
        let answer = Network::default().get(&request(format!("{url}/health?a=b"))).await.unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, BODY_MAX));
        assert!(thread.join().unwrap().starts_with("GET /health?a=b HTTP/1.1\r\n"));
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_not_followed() {
        let (url, _thread) =
            server(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n".to_vec());
        assert_eq!(Network::default().get(&request(url)).await.unwrap().status, 302);
    }

    #[tokio::test]
    async fn the_reason_of_a_missing_answer_is_clear() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let refused = Network::default().get(&request(format!("http://{closed}/"))).await.unwrap_err();
        assert_eq!(refused, NoHttpAnswer::Server("connection refused".to_owned()));
        let quiet = TcpListener::bind("127.0.0.1:0").unwrap();
        let slow = HttpRequest {
            timeout: Duration::from_millis(50),
            ..request(format!("http://{}/", quiet.local_addr().unwrap()))
        };
        let late = Network::default().get(&slow).await.unwrap_err();
        assert_eq!(late, NoHttpAnswer::Server("no answer within 50ms".to_owned()));
        let wrong = Network::default().get(&request("not an address".to_owned())).await.unwrap_err();
        assert!(matches!(wrong, NoHttpAnswer::Here(_)), "{wrong}");
        let pem = HttpRequest { tls: Tls::Authority("nonsense".into()), ..request(format!("http://{closed}/")) };
        assert!(matches!(Network::default().get(&pem).await.unwrap_err(), NoHttpAnswer::Here(_)));
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_said() {
        for (text, words) in [
            ("invalid peer certificate: Expired", "certificate expired"),
            ("invalid peer certificate: certificate expired: verification time 1", "certificate expired"),
            ("invalid peer certificate: UnknownIssuer", "certificate from an unknown authority"),
            ("invalid peer certificate: certificate not valid for name \"a\"", "certificate is for another name"),
            ("invalid peer certificate: BadEncoding", "certificate not accepted"),
        ] {
            assert_eq!(certificate(text), Some(words));
        }
        assert_eq!(certificate("tls handshake eof"), None);
    }
}

//! A proxy in front of the emulator that makes it as slow and as strict as AWS is: every call takes a while, reads of
//! `CloudFormation` may come so often and not more, and all of them are counted.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What it does to calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// Each call takes so much longer.
    pub(crate) delay: Duration,
    /// So many reads a second are answered, and as many at once. The others are throttled.
    pub(crate) reads: Option<f64>,
}

/// What has passed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Passed {
    pub(crate) calls: BTreeMap<String, usize>,
    pub(crate) throttled: usize,
}

#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) url: String,
    passed: Arc<Mutex<Passed>>,
}

impl Proxy {
    /// In front of `upstream`, for as long as the process lasts.
    pub(crate) fn before(upstream: &str, terms: Terms) -> Self {
        let upstream = upstream.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Self { url: format!("http://{}", listener.local_addr().unwrap()), passed: Arc::default() };
        let (passed, tokens) = (Arc::clone(&proxy.passed), Arc::new(Mutex::new(Tokens::full(terms.reads))));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (upstream, passed, tokens) = (upstream.clone(), Arc::clone(&passed), Arc::clone(&tokens));
                // A client that goes away ends its thread.
                std::thread::spawn(move || serve(client, &upstream, terms, &passed, &tokens));
            }
        });
        proxy
    }

    /// What has passed since this was asked last.
    pub(crate) fn take(&self) -> Passed {
        std::mem::take(&mut self.passed.lock().unwrap())
    }
}

impl Passed {
    pub(crate) fn total(&self) -> usize {
        self.calls.values().sum()
    }
}

struct Tokens {
    left: f64,
    at: Instant,
    rate: Option<f64>,
}

impl Tokens {
    fn full(rate: Option<f64>) -> Self {
        Self { left: rate.unwrap_or_default(), at: Instant::now(), rate }
    }

    fn take(&mut self) -> bool {
        let Some(rate) = self.rate else { return true };
        let now = Instant::now();
        self.left = (self.left + now.duration_since(self.at).as_secs_f64() * rate).min(rate);
        self.at = now;
        let enough = self.left >= 1.0;
        self.left -= f64::from(u8::from(enough));
        enough
    }
}

const THROTTLED: &str = "<ErrorResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><Error><Type>Sender\
    </Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error><RequestId>0</RequestId></ErrorResponse>";

fn serve(
    client: TcpStream,
    upstream: &str,
    terms: Terms,
    passed: &Mutex<Passed>,
    tokens: &Mutex<Tokens>,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut answer = client.try_clone()?;
    let mut requests = BufReader::new(client);
    let server = TcpStream::connect(upstream)?;
    server.set_nodelay(true)?;
    let mut server = BufReader::new(server);
    while let Some(request) = message(&mut requests)? {
        let operation = operation(&request);
        *passed.lock().unwrap().calls.entry(operation.clone()).or_default() += 1;
        std::thread::sleep(terms.delay);
        let reads = ["Describe", "List", "Get"].iter().any(|verb| operation.starts_with(verb));
        let limited = reads && operation != "GetCallerIdentity";
        if limited && !tokens.lock().unwrap().take() {
            passed.lock().unwrap().throttled += 1;
            let length = THROTTLED.len();
            let head =
                format!("HTTP/1.1 400 Bad Request\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\n\r\n");
            answer.write_all(format!("{head}{THROTTLED}").as_bytes())?;
            continue;
        }
        server.get_mut().write_all(&request)?;
        let Some(answered) = message(&mut server)? else { break };
        answer.write_all(&answered)?;
    }
    Ok(())
}

/// One request or answer, head and body; `None` at the end.
fn message(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let (mut bytes, mut length, mut chunked) = (Vec::new(), 0, false);
    loop {
        let from = bytes.len();
        if stream.read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&bytes[from..]).trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or_default();
        }
        chunked |= line.starts_with("transfer-encoding:") && line.contains("chunked");
        if line.is_empty() {
            break;
        }
    }
    while chunked {
        let from = bytes.len();
        stream.read_until(b'\n', &mut bytes)?;
        let size = usize::from_str_radix(String::from_utf8_lossy(&bytes[from..]).trim(), 16).unwrap_or_default();
        let from = bytes.len();
        bytes.resize(from + size + 2, 0);
        stream.read_exact(&mut bytes[from..])?;
        chunked = size > 0;
    }
    let from = bytes.len();
    bytes.resize(from + length, 0);
    stream.read_exact(&mut bytes[from..])?;
    Ok(Some(bytes))
}

/// The operation of `CloudFormation`'s and STS's protocol, which is a form; of others the first line.
fn operation(request: &[u8]) -> String {
    let text = String::from_utf8_lossy(request);
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    let named = body.split('&').find_map(|field| field.strip_prefix("Action="));
    named.unwrap_or_else(|| text.lines().next().unwrap_or_default()).to_owned()
}

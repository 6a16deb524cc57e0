//! Every call that a program makes, seen from the wire.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// A call.
#[derive(Clone, Debug)]
pub struct Call {
    /// When it was sent.
    pub at: Instant,
    /// The API operation; for S3, method and path.
    pub action: String,
    /// The stack it names, or its identifier; empty if none.
    pub stack: String,
    /// Its body, as it was sent.
    pub body: String,
}

impl Call {
    /// Whether it asks for a change.
    pub fn is_mutating(&self) -> bool {
        !["Describe", "List", "Get", "BatchGet", "AssumeRole"].iter().any(|prefix| self.action.starts_with(prefix))
    }
}

/// Passes everything on to the emulator, and remembers what it was.
#[derive(Clone, Debug)]
pub struct Recorder {
    /// Where it listens.
    pub url: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Recorder {
    /// A recorder in front of `upstream`. It lasts as long as the process.
    pub fn before(upstream: &str) -> Self {
        let upstream = upstream.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let recorder = Self { url: format!("http://{}", listener.local_addr().unwrap()), calls: Arc::default() };
        let calls = Arc::clone(&recorder.calls);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (upstream, calls) = (upstream.clone(), Arc::clone(&calls));
                std::thread::spawn(move || pass(client, &upstream, &calls));
            }
        });
        recorder
    }

    /// The calls so far, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The calls so far that asked for a change.
    pub fn mutations(&self) -> Vec<Call> {
        self.calls().into_iter().filter(Call::is_mutating).collect()
    }

    /// How often each operation was called.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in self.calls() {
            *counts.entry(call.action).or_insert(0) += 1;
        }
        counts
    }

    /// Forgets what was called so far.
    pub fn forget(&self) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// One connection, in both directions, until either side closes it.
fn pass(mut client: TcpStream, upstream: &str, calls: &Mutex<Vec<Call>>) {
    let Ok(mut server) = TcpStream::connect(upstream) else { return };
    let (Ok(mut answers), Ok(mut back)) = (server.try_clone(), client.try_clone()) else { return };
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut answers, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    let (mut seen, mut bytes) = (Vec::new(), [0; 16384]);
    while let Ok(count @ 1..) = client.read(&mut bytes) {
        seen.extend_from_slice(&bytes[..count]);
        while let Some((call, end)) = request(&seen) {
            calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
            seen.drain(..end);
        }
        if server.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Both);
}

/// The first request, if it is complete, and where it ends.
fn request(bytes: &[u8]) -> Option<(Call, usize)> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let length = text.lines().filter_map(|line| line.split_once(':'));
    let length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.map(|(_, value)| value.trim()).find_map(|value| value.parse().ok()).unwrap_or(0);
    let body = String::from_utf8_lossy(bytes.get(head..head + length)?).into_owned();
    let field = |name: &str| {
        let fields = body.split('&').filter_map(|field| field.split_once('='));
        let mut values = fields.filter(|(key, _)| *key == name).map(|(_, value)| value);
        values.next().map(|value| value.replace("%3A", ":").replace("%2F", "/"))
    };
    let header = |name: &str| {
        let mut fields = text.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    };
    // JSON protocols name the operation in a header: `AmazonEC2ContainerServiceV20141113.UpdateService`.
    let target = header("x-amz-target").and_then(|target| target.rsplit('.').next().map(str::to_owned));
    let line = || text.lines().next().unwrap_or_default().to_owned();
    let action = field("Action").or(target).unwrap_or_else(line);
    let stack = field("StackName").or_else(|| field("ChangeSetName")).unwrap_or_default();
    Some((Call { at: Instant::now(), action, stack, body }, head + length))
}

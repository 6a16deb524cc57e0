//! Git over SSH, in process: neither `ssh` nor an agent is started, and nothing below `~/.ssh` is read.
//!
//! One connection carries one fetch. It is made by a runtime of its own on the thread of that fetch, moves only while that
//! thread waits for it, and ends with it. How much the host sends and how long it takes is bounded as over HTTPS.

mod key;
mod known_hosts;

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use gix::protocol::transport::Protocol;
use gix::protocol::transport::client::blocking_io::Transport;
use gix::protocol::transport::client::git::ConnectMode;
use gix::protocol::transport::client::git::blocking_io::Connection;
use russh::client::{self, Handle, Msg};
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{AlgorithmKind, Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Preferred, SshId};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

use self::known_hosts::Known;
use super::RemoteError;
use super::bound::Bound;
use super::error::chain;
use crate::model::{GitSource, SshAddress};

/// How often a wait looks whether its time is over.
const MOMENT: Duration = Duration::from_millis(200);
/// How much is kept of what the host says beside the protocol.
const MOST_SAID: usize = 1 << 10;

/// Connects to the host of a source, and asks it for the repository.
pub(super) fn open(
    source: &GitSource,
    address: &SshAddress,
    bound: &Arc<Bound>,
) -> Result<Box<dyn Transport>, RemoteError> {
    let known = Known::read(source.known_hosts.as_ref(), address)?;
    let key = key::read(&source.credentials)?;
    let failed = |error: io::Error| RemoteError::Fetch(error.to_string());
    let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let connecting = within(bound, connect(address, known, key));
    let (handle, channel) = runtime.block_on(connecting).map_err(failed)??;
    let line = Arc::new(Line { runtime, bound: Arc::clone(bound), _handle: handle });
    let (read, write) = channel.split();
    let reader = Reader { line: Arc::clone(&line), channel: read, pending: Vec::new(), read: 0, end: End::default() };
    let writer = Writer { line, channel: write };
    let host = None::<(&str, Option<u16>)>;
    let connection =
        Connection::new(reader, writer, Protocol::V2, address.path.as_str(), host, ConnectMode::Process, false);
    Ok(Box::new(connection.custom_url(Some(source.url.as_str().into()))))
}

/// A channel on which the host serves the repository.
async fn connect(
    address: &SshAddress,
    known: Known,
    key: PrivateKeyWithHashAlg,
) -> Result<(Handle<Client>, Channel<Msg>), RemoteError> {
    let failed = |error: russh::Error| RemoteError::Fetch(chain(&error));
    let stream = TcpStream::connect((address.host.as_str(), address.port));
    let stream = stream.await.map_err(|error| RemoteError::Fetch(format!("{}: {error}", address.host)))?;
    // Only what is known of the host is asked for: a host that has keys of several types shows the one that is known.
    let preferred = Preferred { key: Cow::Owned(known.algorithms()), ..Preferred::default() };
    let config = client::Config {
        client_id: SshId::Standard(Cow::Borrowed(concat!("SSH-2.0-landfast_", env!("CARGO_PKG_VERSION")))),
        preferred,
        nodelay: true,
        ..client::Config::default()
    };
    let of_other_type = known.of_other_type();
    let connected = client::connect_stream(Arc::new(config), stream, Client { known }).await;
    let mut handle = connected.map_err(|why| match why {
        Ended::Refused(why) => RemoteError::HostKey(why),
        Ended::Ssh(russh::Error::NoCommonAlgo { kind: AlgorithmKind::Key, .. }) => RemoteError::HostKey(of_other_type),
        Ended::Ssh(error) => failed(error),
    })?;
    let shown = key.public_key().fingerprint(HashAlg::Sha256);
    let user = address.user.as_str();
    if !handle.authenticate_publickey(user, key).await.map_err(failed)?.success() {
        return Err(RemoteError::Denied(format!("the host does not accept the key {shown} for the user {user}")));
    }
    let channel = handle.channel_open_session().await.map_err(failed)?;
    // A host may ignore this, and then speaks an older version of the protocol.
    channel.set_env(false, "GIT_PROTOCOL", "version=2").await.map_err(failed)?;
    channel.exec(true, format!("git-upload-pack {}", quoted(&address.path))).await.map_err(failed)?;
    Ok((handle, channel))
}

/// A word for a shell, as Git quotes it (`quote.c`).
fn quoted(word: &str) -> String {
    let mut quoted = String::with_capacity(word.len() + 2);
    quoted.push('\'');
    for character in word.chars() {
        match character {
            '\'' | '!' => {
                quoted.push_str("'\\");
                quoted.push(character);
                quoted.push('\'');
            }
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted
}

/// Waits for what the host has to do, as long as there is time.
#[expect(clippy::disallowed_methods, reason = "a Git host lives in real time")]
async fn within<T>(bound: &Bound, work: impl Future<Output = T>) -> io::Result<T> {
    let mut work = pin!(work);
    loop {
        bound.check()?;
        if let Ok(done) = tokio::time::timeout(MOMENT, &mut work).await {
            return Ok(done);
        }
    }
}

/// Judges the host.
struct Client {
    known: Known,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Ssh(#[from] russh::Error),
}

impl client::Handler for Client {
    type Error = Ended;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Ended> {
        match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                self.known.judge(key).map(|()| true).map_err(Ended::Refused)
            }
            // None was asked for.
            PublicKeyOrCertificate::Certificate(_) => Ok(false),
        }
    }
}

/// The connection, which both of its ends hold.
struct Line {
    runtime: Runtime,
    bound: Arc<Bound>,
    _handle: Handle<Client>,
}

/// What is known of the end of a channel.
#[derive(Default)]
struct End {
    is_there: bool,
    status: Option<u32>,
    is_refused: bool,
    said: Vec<u8>,
}

impl End {
    /// What whoever reads on is told.
    fn told(&self) -> io::Result<usize> {
        let said = String::from_utf8_lossy(&self.said);
        let said = said.trim();
        if self.is_refused {
            return Err(io::Error::other("the host does not run git-upload-pack"));
        }
        if !said.is_empty() && self.status != Some(0) {
            return Err(io::Error::other(format!("the host says: {said}")));
        }
        match self.status {
            Some(0) => Ok(0),
            Some(status) => Err(io::Error::other(format!("git-upload-pack ended with status {status} at the host"))),
            None => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the host closed the connection")),
        }
    }
}

/// What the host sends.
struct Reader {
    line: Arc<Line>,
    channel: ChannelReadHalf,
    /// What has come and was not read, from `read` on.
    pending: Vec<u8>,
    read: usize,
    end: End,
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut rest = self.pending.get(self.read..).unwrap_or_default();
            if !rest.is_empty() {
                let taken = rest.read(into)?;
                self.read += taken;
                self.line.bound.take(taken);
                return Ok(taken);
            }
            if self.end.is_there {
                return self.end.told();
            }
            match self.line.runtime.block_on(within(&self.line.bound, self.channel.wait()))? {
                Some(ChannelMsg::Data { data }) => (self.pending, self.read) = (data.to_vec(), 0),
                Some(ChannelMsg::ExtendedData { data, .. }) => {
                    self.line.bound.take(data.len());
                    let room = MOST_SAID.saturating_sub(self.end.said.len());
                    self.end.said.extend(data.iter().take(room));
                }
                Some(ChannelMsg::ExitStatus { exit_status }) => self.end.status = Some(exit_status),
                Some(ChannelMsg::Failure) => (self.end.is_refused, self.end.is_there) = (true, true),
                Some(ChannelMsg::Close) | None => self.end.is_there = true,
                Some(_) => {}
            }
        }
    }
}

/// What is sent to the host.
struct Writer {
    line: Arc<Line>,
    channel: ChannelWriteHalf<Msg>,
}

impl Write for Writer {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let sending = within(&self.line.bound, self.channel.data_bytes(data.to_vec()));
        self.line.runtime.block_on(sending)?.map_err(io::Error::other)?;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_to_the_shell_of_the_host() {
        for path in ["/a/b.git", "a b", "it's", "a!b", "$(touch x)", "`x`; y", "a\\b", "'"] {
            let output = std::process::Command::new("sh").arg("-c").arg(format!("printf %s {}", quoted(path))).output();
            assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), path);
        }
    }

    #[test]
    fn what_the_host_says_at_the_end_is_told() {
        let end =
            |status, said: &str| End { is_there: true, status, said: said.as_bytes().to_vec(), is_refused: false };
        assert_eq!(end(Some(0), "motd").told().unwrap(), 0);
        for (end, words) in [
            (end(Some(1), "ERROR: Repository not found.\n"), "the host says: ERROR: Repository not found."),
            (end(Some(128), ""), "status 128"),
            (end(None, ""), "closed the connection"),
            (End { is_refused: true, ..End::default() }, "does not run git-upload-pack"),
        ] {
            let error = end.told().unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}

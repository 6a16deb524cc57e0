//! Fetching, in process: no `git`, no `ssh` and no credential helper is started.
//!
//! The first fetch brings the newest commit alone. Those after it are plain: a host that is told what we have sends what
//! came since, and so it is known what descends from what. (A fetch of depth 1 each time would make every ordinary push look
//! like a force-push.)

use std::any::Any;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use gix::hash::Kind;
use gix::protocol::transport::Protocol;
use gix::protocol::transport::client::TransportWithoutIO as _;
use gix::protocol::transport::client::blocking_io;
use gix::protocol::transport::client::blocking_io::http::{self, Transport};
use gix::remote::Direction;
use gix::remote::fetch::{Shallow, Tags};
use gix::sec::identity::Account;
use gix::{ObjectId, Repository};
use jiff::Timestamp;

use super::RemoteError;
use super::authority::authorities;
use super::bare::{self, Place, TIP};
use super::bound::{Bound, Bounded};
use super::credentials::{self, Tokens};
use super::error::chain;
use super::ssh;
use crate::model::GitSource;

/// What one fetch may bring.
const MOST: u64 = 512 << 20;
/// How far back the history is fetched where the newest commit alone does not tell whether it descends from an accepted one.
const DEEP: NonZeroU32 = NonZeroU32::new(1000).unwrap();

/// What a fetch is about.
pub(super) struct Wanted {
    pub(super) source: GitSource,
    pub(super) place: Place,
    /// The commits that environments follow.
    pub(super) accepted: Vec<String>,
    /// Nothing but the newest commit is needed: the clone may be made anew.
    pub(super) anew: bool,
    pub(super) tokens: Tokens,
    pub(super) now: Timestamp,
}

/// Fetches what is followed.
pub(super) fn fetch(wanted: Wanted) -> Result<(), RemoteError> {
    in_time(wanted.source.timeout, MOST, move |bound, interrupt| run(&wanted, bound, interrupt))
}

/// Fetches one name alone, with no more than `so_much` of its history, for a look at it: from `from` in the repository to `to`
/// in the clone at `place`.
pub(super) fn fetch_alone(wanted: Wanted, from: String, to: String, so_much: Shallow) -> Result<(), RemoteError> {
    in_time(wanted.source.timeout, MOST, move |bound, interrupt| {
        wanted.place.prepare()?;
        let _held = wanted.place.lock()?;
        let fetch = wanted.connect(bound, interrupt)?;
        let spec = format!("+{from}:{to}");
        let (known, is_new) = match wanted.place.open().ok().filter(|_| !wanted.anew) {
            Some(known) => (known, false),
            None => (fetch.begin(&wanted.place.clone_at(), &spec)?, true),
        };
        match so_much {
            Shallow::DepthAtRemote(NonZeroU32::MIN) if is_new => Ok(()),
            so_much => fetch.once(&known, so_much, &spec),
        }
    })
}

/// Does this on a thread of its own, so that no host can hold anybody up for longer than the source's timeout. What a thread
/// that was given up still does, it does under the lock of the clone, and it ends soon after.
fn in_time(
    timeout: Duration,
    most: u64,
    work: impl FnOnce(&Arc<Bound>, &AtomicBool) -> Result<(), RemoteError> + Send + 'static,
) -> Result<(), RemoteError> {
    let bound = Bound::of(most);
    let interrupt = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = mpsc::sync_channel(1);
    let work = {
        let (bound, interrupt) = (Arc::clone(&bound), Arc::clone(&interrupt));
        move || drop(sender.send(work(&bound, &interrupt)))
    };
    let failed = |error: std::io::Error| RemoteError::Fetch(error.to_string());
    std::thread::Builder::new().name("git-fetch".to_owned()).spawn(work).map_err(failed)?;
    match receiver.recv_timeout(timeout) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => {
            bound.is_late.store(true, Ordering::Relaxed);
            interrupt.store(true, Ordering::Relaxed);
            Err(late(timeout))
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            Err(RemoteError::Fetch("this is a bug, please report it".to_owned()))
        }
    }
}

fn late(timeout: Duration) -> RemoteError {
    RemoteError::Late(humantime::format_duration(timeout).to_string())
}

fn run(wanted: &Wanted, bound: &Arc<Bound>, interrupt: &AtomicBool) -> Result<(), RemoteError> {
    wanted.place.prepare()?;
    let _held = wanted.place.lock()?;
    let fetch = wanted.connect(bound, interrupt)?;
    let spec = format!("+{}:{TIP}", wanted.source.reference.full_name());
    let known = wanted.place.open().ok().filter(|repository| matches!(bare::tip(repository), Ok(Some(_))));
    match known {
        Some(repository) if !wanted.anew => fetch.once(&repository, Shallow::NoChange, &spec),
        _ => {
            let new = wanted.place.directory.join("new");
            let repository = fetch.begin(&new, &spec)?;
            if !fetch.tells(&repository) {
                fetch.once(&repository, Shallow::DepthAtRemote(DEEP), &spec)?;
            }
            drop(repository);
            wanted.place.swap(&new)
        }
    }
}

impl Wanted {
    fn connect<'w>(&'w self, bound: &'w Arc<Bound>, interrupt: &'w AtomicBool) -> Result<Fetch<'w>, RemoteError> {
        let account = credentials::account(&self.source, &self.tokens, self.now)?;
        let certificates = authorities(self.source.authorities.as_deref())?;
        Ok(Fetch { wanted: self, account, certificates, bound, interrupt })
    }
}

/// Why nothing was received.
enum Failed {
    /// What the library says.
    Git(gix::Error),
    /// What needs no explanation.
    Told(RemoteError),
}

impl<E: Into<gix::Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Git(error.into())
    }
}

struct Fetch<'w> {
    wanted: &'w Wanted,
    account: Option<Account>,
    certificates: Option<Vec<reqwest::Certificate>>,
    bound: &'w Arc<Bound>,
    interrupt: &'w AtomicBool,
}

impl Fetch<'_> {
    /// Whether the clone has all commits that environments follow.
    fn tells(&self, repository: &Repository) -> bool {
        let has = |commit: &String| ObjectId::from_hex(commit.as_bytes()).is_ok_and(|id| repository.has_object(id));
        self.wanted.accepted.iter().all(has)
    }

    /// Begins a clone with the newest commit. A host says by what kind of digest its objects are named when it is asked.
    fn begin(&self, at: &Path, spec: &str) -> Result<Repository, RemoteError> {
        let first = |ids: Kind| {
            let repository = bare::begin(at, ids)?;
            let fetched = self.receive(&repository, Shallow::DepthAtRemote(NonZeroU32::MIN), spec);
            Ok::<_, RemoteError>(fetched.map(|()| repository))
        };
        let fetched = match first(Kind::Sha1)? {
            Err(Failed::Git(error)) if chain(&error).contains("remote that uses sha256") => first(Kind::Sha256)?,
            fetched => fetched,
        };
        fetched.map_err(|why| self.told(why))
    }

    fn once(&self, repository: &Repository, shallow: Shallow, spec: &str) -> Result<(), RemoteError> {
        let fetched = self.receive(repository, shallow, spec);
        fetched.map_err(|why| self.told(why))
    }

    fn receive(&self, repository: &Repository, shallow: Shallow, spec: &str) -> Result<(), Failed> {
        let source = &self.wanted.source;
        if let Some(address) = source.ssh() {
            let transport = ssh::open(source, &address, self.bound).map_err(Failed::Told)?;
            return Ok(self.over(transport, Box::new(()), repository, shallow, spec)?);
        }
        let url = gix::url::parse(gix::bstr::BStr::new(source.url.as_str()))?;
        let mut transport = Transport::new_http(Bounded::new(self.bound), url, Protocol::V2, false);
        if let Some(account) = self.account.clone() {
            transport.set_identity(account).map_err(gix::Error::from_error)?;
        }
        Ok(self.over(transport, Box::new(self.options()), repository, shallow, spec)?)
    }

    fn over(
        &self,
        transport: impl blocking_io::Transport,
        options: Box<dyn Any>,
        repository: &Repository,
        shallow: Shallow,
        spec: &str,
    ) -> Result<(), gix::Error> {
        let url = self.wanted.source.url.as_str();
        let remote = repository.remote_at_without_url_rewrite(url)?.with_fetch_tags(Tags::None);
        let remote = remote.with_refspecs([spec], Direction::Fetch)?;
        let connection = remote.to_connection_with_transport(transport);
        // Nobody else is asked for credentials: that would start a program.
        let connection = connection.with_credentials(|_| Ok(None)).with_transport_options(options);
        let prepared = connection.prepare_fetch(gix::progress::Discard, gix::remote::ref_map::Options::default())?;
        prepared.with_shallow(shallow).receive(gix::progress::Discard, self.interrupt)?;
        Ok(())
    }

    fn options(&self) -> http::Options {
        let (timeout, certificates) = (self.wanted.source.timeout, self.certificates.clone());
        let configure = move |client: reqwest::blocking::ClientBuilder| {
            let client =
                client.https_only(true).timeout(timeout).user_agent(concat!("landfast/", env!("CARGO_PKG_VERSION")));
            Ok(match certificates.clone() {
                Some(certificates) => client.tls_certs_only(certificates),
                None => client,
            })
        };
        let backend = http::reqwest::Options { configure_client: Some(Box::new(configure)), configure_request: None };
        http::Options { backend: Some(Arc::new(Mutex::new(backend))), ..http::Options::default() }
    }

    /// What an error means to whoever has to do something about it.
    fn told(&self, why: Failed) -> RemoteError {
        if self.bound.is_over.load(Ordering::Relaxed) {
            return RemoteError::TooLarge("512 MiB");
        }
        if self.bound.is_late.load(Ordering::Relaxed) {
            return late(self.wanted.source.timeout);
        }
        let text = match why {
            Failed::Told(why) => return why,
            Failed::Git(error) => chain(&error),
        };
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if says(&["refspec"]) && says(&["matched", "match"]) {
            return RemoteError::NoReference(self.wanted.source.reference.to_string());
        }
        // GitHub says of a private repository that there is none.
        if says(&["status 401", "status 403", "status 404", "No credentials were returned", "Credentials provided for"])
        {
            return RemoteError::Denied(text);
        }
        let refusals = ["not found", "does not exist", "does not appear to be a git repository", "denied", "access"];
        if says(&["the host says"]) && says(&refusals) {
            return RemoteError::Denied(text);
        }
        RemoteError::Fetch(text)
    }
}

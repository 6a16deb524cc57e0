//! A fetch with an end: what a host sends is counted, and takes no longer than it may.

use std::any::Any;
use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use gix::protocol::transport::client::blocking_io::http::PostBodyDataKind;
use gix::protocol::transport::client::blocking_io::http::{GetResponse, Http, PostResponse, reqwest::Remote};

/// How much a host may still send, and whether it is time to end.
#[derive(Debug)]
pub(super) struct Bound {
    left: AtomicU64,
    pub(super) is_over: AtomicBool,
    pub(super) is_late: AtomicBool,
}

impl Bound {
    pub(super) fn of(bytes: u64) -> Arc<Self> {
        Arc::new(Self { left: AtomicU64::new(bytes), is_over: AtomicBool::new(false), is_late: AtomicBool::new(false) })
    }

    /// Whether it may go on.
    pub(super) fn check(&self) -> io::Result<()> {
        if self.is_late.load(Ordering::Relaxed) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the time is over"));
        }
        if self.is_over.load(Ordering::Relaxed) {
            return Err(io::Error::other("the host has sent too much"));
        }
        Ok(())
    }

    /// Counts what the host has sent.
    pub(super) fn take(&self, bytes: usize) {
        let bytes = bytes as u64;
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        if taken.is_err() {
            self.is_over.store(true, Ordering::Relaxed);
        }
    }
}

/// Another client's HTTP, within bounds.
pub(super) struct Bounded {
    http: Remote,
    bound: Arc<Bound>,
}

impl Bounded {
    pub(super) fn new(bound: &Arc<Bound>) -> Self {
        Self { http: Remote::default(), bound: Arc::clone(bound) }
    }
}

/// What a host sends.
pub(super) struct Body<B> {
    body: B,
    bound: Arc<Bound>,
}

impl<B: BufRead> Read for Body<B> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.bound.check()?;
        let read = self.body.read(into)?;
        self.bound.take(read);
        Ok(read)
    }
}

impl<B: BufRead> BufRead for Body<B> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.bound.check()?;
        self.body.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.bound.take(amount);
        self.body.consume(amount);
    }
}

impl Http for Bounded {
    type Headers = <Remote as Http>::Headers;
    type ResponseBody = Body<<Remote as Http>::ResponseBody>;
    type PostBody = <Remote as Http>::PostBody;

    fn get(
        &mut self,
        url: &str,
        base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<GetResponse<Self::Headers, Self::ResponseBody>, gix::Error> {
        let GetResponse { headers, body } = self.http.get(url, base_url, headers)?;
        Ok(GetResponse { headers, body: Body { body, bound: Arc::clone(&self.bound) } })
    }

    fn post(
        &mut self,
        url: &str,
        base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
        kind: PostBodyDataKind,
    ) -> Result<PostResponse<Self::Headers, Self::ResponseBody, Self::PostBody>, gix::Error> {
        let PostResponse { post_body, headers, body } = self.http.post(url, base_url, headers, kind)?;
        Ok(PostResponse { post_body, headers, body: Body { body, bound: Arc::clone(&self.bound) } })
    }

    fn configure(&mut self, config: &dyn Any) -> Result<(), gix::Error> {
        self.http.configure(config)
    }

    fn redirected_base_url(&self) -> Option<String> {
        self.http.redirected_base_url()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_sends_too_much_or_too_long_is_cut_off() {
        let bound = Bound::of(10);
        let mut body = Body { body: &b"0123456789abcdef"[..], bound: Arc::clone(&bound) };
        let mut ten = [0; 10];
        body.read_exact(&mut ten).unwrap();
        assert!(!bound.is_over.load(Ordering::Relaxed), "ten are allowed");
        let mut rest = Vec::new();
        assert!(body.read_to_end(&mut rest).is_err());
        assert!(bound.is_over.load(Ordering::Relaxed));
        let bound = Bound::of(10);
        let mut body = Body { body: &b"0123"[..], bound: Arc::clone(&bound) };
        bound.is_late.store(true, Ordering::Relaxed);
        assert_eq!(body.fill_buf().unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}

//! The one place a mutating call passes on its way out (invariants S6, S8, S19).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::{Class, PortError};

/// What every mutating call carries: who makes it, and for which revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fence {
    /// The fencing epoch of the lease: greater than that of every earlier holder.
    pub epoch: u64,
    /// The sequence of the manifests' revision.
    pub revision: u64,
}

/// Open while this process holds the lease and is not stopping. Cheap to clone; all clones are one gate.
#[derive(Clone, Debug)]
pub struct Gate {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    open: AtomicBool,
    epoch: u64,
    /// The newest revision that was loaded: older steps do not pass any more.
    revision: AtomicU64,
}

/// The gate is closed: nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// The daemon is stopping, or has lost its lease.
    #[error("no new change is started: the daemon is stopping or has lost its lease")]
    Stopping,
    /// A newer revision was loaded since the step was planned.
    #[error("a newer revision of the manifests was loaded since this step was planned")]
    Superseded,
}

impl Gate {
    /// An open gate for the holder of `epoch`.
    #[must_use]
    pub fn new(epoch: u64) -> Self {
        Self { inner: Arc::new(Inner { open: AtomicBool::new(true), epoch, revision: AtomicU64::new(0) }) }
    }

    /// Closes it for good: from here on no mutation starts.
    pub fn close(&self) {
        self.inner.open.store(false, Ordering::SeqCst);
    }

    /// Whether mutations may start.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.inner.open.load(Ordering::SeqCst)
    }

    /// Says that a revision was loaded: steps of older ones no longer pass.
    pub fn loaded(&self, revision: u64) {
        self.inner.revision.fetch_max(revision, Ordering::SeqCst);
    }

    /// Lets a mutation for `revision` pass.
    ///
    /// # Errors
    /// The gate is closed, or the revision is out of date.
    pub fn pass(&self, revision: u64) -> Result<Fence, Closed> {
        if !self.is_open() {
            return Err(Closed::Stopping);
        }
        if revision < self.inner.revision.load(Ordering::SeqCst) {
            return Err(Closed::Superseded);
        }
        Ok(Fence { epoch: self.inner.epoch, revision })
    }
}

impl Closed {
    /// As the error of the call that was not made.
    #[must_use]
    pub fn refusing(self, operation: &'static str) -> PortError {
        PortError::new(Class::Stopped, operation, self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_gate_lets_nothing_pass_and_an_open_one_nothing_old() {
        let gate = Gate::new(3);
        gate.loaded(5);
        assert_eq!(gate.pass(5), Ok(Fence { epoch: 3, revision: 5 }));
        assert_eq!(gate.pass(4), Err(Closed::Superseded));
        gate.close();
        assert_eq!(gate.pass(5), Err(Closed::Stopping));
    }
}

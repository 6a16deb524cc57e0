//! What was asked of the simulated AWS: for the invariants, which are checked at every mutating call, and for people.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::model::Scope;
use crate::ports::{Class, Fence};

/// One call that reached AWS, or was lost on the way.
#[derive(Clone, Debug)]
pub struct Call {
    /// Counted over all accounts and regions, from 0.
    pub index: u64,
    /// When it took effect, by AWS's clock.
    pub at: Timestamp,
    /// The API operation.
    pub operation: &'static str,
    /// Account and region.
    pub scope: Scope,
    /// Id or name of what it was about.
    pub target: String,
    /// It could change something.
    pub mutating: bool,
    /// Who made it.
    pub fence: Option<Fence>,
    /// Its idempotency token.
    pub token: Option<String>,
    /// It took effect, whatever the answer said.
    pub applied: bool,
    /// How it was answered; `None` if it succeeded.
    pub class: Option<Class>,
}

/// The calls so far.
pub(super) struct Audit {
    pub(super) calls: VecDeque<Call>,
    limit: usize,
    pub(super) next: u64,
}

impl Audit {
    pub(super) fn new(limit: usize) -> Self {
        Self { calls: VecDeque::new(), limit, next: 0 }
    }

    pub(super) fn push(&mut self, call: Call) {
        if self.limit == 0 {
            return;
        }
        if self.calls.len() >= self.limit {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
    }
}

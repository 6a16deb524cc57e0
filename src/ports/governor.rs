//! The governor stands in front of every back end.

use std::sync::Arc;

use super::{Cloud, Gate, Stacks};
use crate::context::Context;
use crate::model::{AssumeRole, Scope};

/// Who goes first when calls are scarce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Moving traffic out of a lost region.
    Failover,
    /// Changing something.
    Deploy,
    /// Following a change.
    Status,
    /// Looking for differences.
    Drift,
}

/// Calls made so far to one API of one account and region.
#[derive(Clone, Debug, PartialEq)]
pub struct Usage {
    /// Account and region.
    pub scope: Scope,
    /// API operation.
    pub operation: &'static str,
    /// Calls sent, retries included.
    pub calls: u64,
    /// Of these, answered with a throttling error.
    pub throttled: u64,
    /// Calls per second allowed now.
    pub rate: f64,
}

/// Rates, priorities, retries and deadlines, once for all back ends.
pub struct Governor;

impl Governor {
    /// A governor in front of `cloud`; mutating calls pass `gate`.
    #[must_use]
    pub fn new(_cx: Context, _cloud: Arc<dyn Cloud>, _gate: Gate) -> Self {
        Self
    }

    /// The governed door to an account and region. The account behind the credentials is verified before the first
    /// call of any other kind.
    #[must_use]
    pub fn stacks(&self, _scope: &Scope, _role: Option<&AssumeRole>, _priority: Priority) -> Arc<dyn Stacks> {
        unimplemented!()
    }

    /// What was used so far.
    #[must_use]
    pub fn usage(&self) -> Vec<Usage> {
        Vec::new()
    }
}

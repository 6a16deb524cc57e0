//! What goes wrong, as data: by call, by window of time, by resource.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::resource::ResourceOperation;
use crate::model::{Scope, StackName, like};

/// What goes wrong with one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// Refused for being one too many; not applied.
    Throttle,
    /// An internal error before anything happened.
    ErrorBefore,
    /// It took effect, and the answer was an internal error.
    ErrorAfter,
    /// The connection was lost before anything happened.
    TimeoutBefore,
    /// It took effect, and the connection was lost.
    TimeoutAfter,
    /// It never returns, and did not take effect.
    Hang,
    /// It took effect, and never returns.
    HangAfter,
    /// Refused for lack of permission.
    Denied,
    /// It takes this much longer to be sent.
    Slow(Duration),
    /// A read sees things as they were this long ago. Two of different age make reads go back in time.
    Stale(Duration),
    /// A page holds less than it could (AWS may always do that) and says where to read on.
    PartialPage,
}

/// The same fault for every call of a kind while a window is open: an outage of a region, a service that throttles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Opens this long after the simulation began.
    pub from: Duration,
    /// Closes this long after the simulation began.
    pub until: Duration,
    /// Only calls to this account and region.
    pub scope: Option<Scope>,
    /// Only these operations; all, if it is empty.
    pub operations: BTreeSet<String>,
    /// What happens to them.
    pub fault: Fault,
}

/// What goes wrong inside AWS while it works on a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceFault {
    /// The stack's name; `*` stands for any text.
    pub stack: String,
    /// The logical id; `*` stands for any text.
    pub resource: String,
    /// While it is created, updated or deleted.
    pub operation: ResourceOperation,
    /// What becomes of it.
    pub what: ResourceFailure,
    /// How often, before it works again.
    pub times: u32,
}

/// How an operation on a resource goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResourceFailure {
    /// It fails at the end of its time.
    Fails {
        /// The handler's message.
        reason: String,
        /// `HandlerErrorCode`: `AlreadyExists`, `NotStabilized`, `ServiceLimitExceeded`, …
        code: String,
    },
    /// It never ends, until [`super::Console::release`] lets it.
    Sticks,
}

/// Everything that goes wrong in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultPlan {
    /// By index of the call, counted over all accounts and regions.
    pub calls: BTreeMap<u64, Fault>,
    /// By time. The first open window that matches wins.
    pub windows: Vec<Window>,
    /// By resource. The first that matches and is not used up wins.
    pub resources: Vec<ResourceFault>,
}

impl FaultPlan {
    /// What happens to this call.
    pub(super) fn for_call(&self, index: u64, since_start: Duration, scope: &Scope, operation: &str) -> Option<Fault> {
        self.calls.get(&index).cloned().or_else(|| {
            let open = self.windows.iter().find(|window| {
                (window.from..window.until).contains(&since_start)
                    && window.scope.as_ref().is_none_or(|only| only == scope)
                    && (window.operations.is_empty() || window.operations.contains(operation))
            });
            open.map(|window| window.fault.clone())
        })
    }

    /// Whether nothing of an account and region answers then: what others need of it, they do not get either.
    pub(super) fn is_lost(&self, since_start: Duration, scope: &Scope) -> bool {
        let silent = |fault: &Fault| {
            matches!(
                fault,
                Fault::ErrorBefore
                    | Fault::ErrorAfter
                    | Fault::TimeoutBefore
                    | Fault::TimeoutAfter
                    | Fault::Hang
                    | Fault::HangAfter
            )
        };
        self.windows.iter().any(|window| {
            (window.from..window.until).contains(&since_start)
                && window.scope.as_ref() == Some(scope)
                && window.operations.is_empty()
                && silent(&window.fault)
        })
    }

    /// What happens to this resource; uses the fault up.
    pub(super) fn for_resource(
        &mut self,
        stack: &StackName,
        resource: &str,
        operation: ResourceOperation,
    ) -> Option<ResourceFailure> {
        let found = self.resources.iter_mut().find(|fault| {
            fault.times > 0
                && fault.operation == operation
                && like(&fault.stack, stack.as_str())
                && like(&fault.resource, resource)
        })?;
        found.times -= 1;
        Some(found.what.clone())
    }
}

//! The governor stands in front of every back end.
//!
//! Rates, priorities, retries, deadlines, the account check and the gate exist here, once, for AWS and the simulation
//! alike: a back end makes one attempt, and says what came of it. The governor never decides what to do; it decides
//! when a call is sent, whether it is sent again, and whether it may be sent at all.
//!
//! It needs no runtime: it waits by the clock of its [`Context`] alone, so that a simulated run can be repeated.

mod account;
mod api;
mod bucket;
mod containers;
mod door;
mod drift;
mod health;
mod lane;
mod metrics;
mod objects;
mod pass;
mod records;
mod secrets;
mod tables;
mod trail;
mod vaults;
mod window;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{
    Account, Cloud, Containers, Drift, Gate, Health, Hush, Metrics, Objects, PortError, Records, Secrets, Stacks,
    Tables, Trail, Vaults,
};
use crate::context::Context;
use crate::model::{AssumeRole, EnvName, Scope};
use crate::operator::Operator;
use api::Api;
use door::{Door, Identity};
use lane::Lane;
use window::Window;

/// The region that Route 53's calls are counted in: it has none, and this is where it is.
const HOME_OF_ROUTE53: &str = "us-east-1";

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

/// Rates, priorities, retries and deadlines, once for all back ends. Cheap to clone; all clones are one governor.
#[derive(Clone)]
pub struct Governor {
    shared: Arc<Shared>,
}

/// What all doors have in common.
struct Shared {
    cx: Context,
    cloud: Arc<dyn Cloud>,
    gate: Gate,
    hush: Hush,
    lanes: Mutex<BTreeMap<(Scope, &'static str), Arc<Lane>>>,
    identities: Mutex<BTreeMap<Entrance, Arc<Identity>>>,
    /// How many operations may run at once.
    windows: Mutex<BTreeMap<Scope, Window>>,
    /// How many run, of those who have said so.
    running: Mutex<BTreeMap<EnvName, BTreeMap<Scope, usize>>>,
    operator: Operator,
}

/// What a set of credentials is for.
type Entrance = (Scope, Option<AssumeRole>);

impl Governor {
    /// A governor in front of `cloud`; mutating calls pass `gate`.
    #[must_use]
    pub fn new(cx: Context, cloud: Arc<dyn Cloud>, gate: Gate) -> Self {
        Self::under(cx, cloud, gate, Operator::default())
    }

    /// The same, sending nothing to where the operator does not allow it (invariants S11, S26).
    #[must_use]
    pub fn under(cx: Context, cloud: Arc<dyn Cloud>, gate: Gate, operator: Operator) -> Self {
        let (lanes, identities) = (Mutex::default(), Mutex::default());
        let (windows, running) = (Mutex::default(), Mutex::default());
        let hush = Hush::default();
        Self { shared: Arc::new(Shared { cx, cloud, gate, hush, lanes, identities, windows, running, operator }) }
    }

    /// What is known here is in no text of AWS that comes through a door.
    #[must_use]
    pub fn hush(&self) -> &Hush {
        &self.shared.hush
    }

    /// The governed door to an account and region. The account behind the credentials is verified before the first
    /// call of any other kind.
    #[must_use]
    pub fn stacks(&self, scope: &Scope, role: Option<&AssumeRole>, priority: Priority) -> Arc<dyn Stacks> {
        Arc::new(self.door(self.shared.cloud.stacks(scope, role), scope, role, priority))
    }

    /// Whether calls to an account and region can be sent at all: the credentials are there, and are of that account
    /// (invariant S11).
    ///
    /// # Errors
    ///
    /// They are not, or nobody can say.
    pub async fn verify(&self, scope: &Scope, role: Option<&AssumeRole>) -> Result<(), PortError> {
        let stacks = self.shared.cloud.stacks(scope, role);
        self.door(stacks, scope, role, Priority::Status).verify(&api::CALLER).await
    }

    /// The same, to its services and images.
    #[must_use]
    pub fn containers(&self, scope: &Scope, role: Option<&AssumeRole>, priority: Priority) -> Arc<dyn Containers> {
        Arc::new(self.door(self.shared.cloud.containers(scope, role), scope, role, priority))
    }

    /// The same, to its secrets.
    #[must_use]
    pub fn secrets(&self, scope: &Scope, role: Option<&AssumeRole>, priority: Priority) -> Arc<dyn Secrets> {
        Arc::new(self.door(self.shared.cloud.secrets(scope, role), scope, role, priority))
    }

    /// The same, to its DNS records.
    #[must_use]
    pub fn records(&self, scope: &Scope, role: Option<&AssumeRole>, priority: Priority) -> Arc<dyn Records> {
        let door = self.door(self.shared.cloud.records(scope, role), scope, role, priority);
        // Route 53 counts an account's calls wherever they come from.
        let anywhere = HOME_OF_ROUTE53.parse().map(|region| Scope { region, ..scope.clone() });
        Arc::new(Door { scope: anywhere.unwrap_or_else(|_| scope.clone()), ..door })
    }

    /// The same, to what AWS says of the health of what runs.
    #[must_use]
    pub fn health(&self, scope: &Scope, role: Option<&AssumeRole>, priority: Priority) -> Arc<dyn Health> {
        Arc::new(self.door(self.shared.cloud.health(scope, role), scope, role, priority))
    }

    /// The same, to the metrics that move traffic: never after anything else.
    #[must_use]
    pub fn metrics(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Metrics> {
        Arc::new(self.door(self.shared.cloud.metrics(scope, role), scope, role, Priority::Failover))
    }

    /// The same, to what `CloudFormation` finds out about drift: never before anything else.
    #[must_use]
    pub fn drift(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Drift> {
        Arc::new(self.door(self.shared.cloud.drift(scope, role), scope, role, Priority::Drift))
    }

    /// The same, to who has changed what: as late as drift.
    #[must_use]
    pub fn trail(&self, scope: &Scope, role: Option<&AssumeRole>) -> Arc<dyn Trail> {
        Arc::new(self.door(self.shared.cloud.trail(scope, role), scope, role, Priority::Drift))
    }

    /// The same, to objects in buckets.
    #[must_use]
    pub fn objects(&self, scope: &Scope, role: Option<&AssumeRole>, priority: Priority) -> Arc<dyn Objects> {
        Arc::new(self.door(self.shared.cloud.objects(scope, role), scope, role, priority))
    }

    /// The same, to its tables and their on-demand backups.
    #[must_use]
    pub fn tables(&self, scope: &Scope, role: Option<&AssumeRole>, priority: Priority) -> Arc<dyn Tables> {
        Arc::new(self.door(self.shared.cloud.tables(scope, role), scope, role, priority))
    }

    /// The same, to its backup vaults.
    #[must_use]
    pub fn vaults(&self, scope: &Scope, role: Option<&AssumeRole>, priority: Priority) -> Arc<dyn Vaults> {
        Arc::new(self.door(self.shared.cloud.vaults(scope, role), scope, role, priority))
    }

    /// The same, to what the account allows.
    #[must_use]
    pub fn account(&self, scope: &Scope, role: Option<&AssumeRole>, priority: Priority) -> Arc<dyn Account> {
        Arc::new(self.door(self.shared.cloud.account(scope, role), scope, role, priority))
    }

    fn door<P: ?Sized>(&self, inner: Arc<P>, scope: &Scope, role: Option<&AssumeRole>, priority: Priority) -> Door<P> {
        let mut identities = self.shared.identities.lock().unwrap_or_else(PoisonError::into_inner);
        let identity = identities.entry((scope.clone(), role.cloned())).or_default();
        Door {
            shared: Arc::clone(&self.shared),
            inner,
            caller: self.shared.cloud.stacks(scope, role),
            scope: scope.clone(),
            priority,
            identity: Arc::clone(identity),
            forbidden: self.shared.operator.allows_call(scope, role).err().map(Arc::from),
        }
    }

    /// How many operations an environment may have running at once in an account and region: what that takes, less what
    /// others have running there.
    #[must_use]
    pub fn room(&self, environment: &EnvName, scope: &Scope) -> usize {
        let running = self.shared.running.lock().unwrap_or_else(PoisonError::into_inner);
        let others = running.iter().filter(|(other, _)| *other != environment);
        let others: usize = others.filter_map(|(_, running)| running.get(scope)).sum();
        drop(running);
        let windows = self.shared.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.get(scope).copied().unwrap_or_default().size().saturating_sub(others)
    }

    /// An environment has so many operations running.
    pub fn has_running(&self, environment: &EnvName, operations: BTreeMap<Scope, usize>) {
        let mut running = self.shared.running.lock().unwrap_or_else(PoisonError::into_inner);
        if operations.is_empty() {
            running.remove(environment);
        } else {
            running.insert(environment.clone(), operations);
        }
    }

    /// An operation has failed because `CloudFormation` itself was throttled there.
    pub fn crowded(&self, scope: &Scope) {
        self.shared.crowded(scope);
    }

    /// After what time `calls` reads of stacks can be sent again without standing in anybody's way: a fifth of the rate is
    /// left to others.
    #[must_use]
    pub fn pace(&self, scope: &Scope, calls: usize) -> Duration {
        const SHARE: f64 = 0.8;
        let rate = self.shared.lane(scope, &api::DESCRIBE_STACKS).rate();
        Duration::try_from_secs_f64(calls as f64 / (rate * SHARE)).unwrap_or(Duration::MAX)
    }

    /// What was used so far, by account, region and operation.
    #[must_use]
    pub fn usage(&self) -> Vec<Usage> {
        let lanes = self.shared.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.iter().map(|((scope, operation), lane)| lane.usage(scope.clone(), operation)).collect()
    }
}

impl Shared {
    /// A call that begins an operation was answered.
    fn begun(&self, scope: &Scope) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.entry(scope.clone()).or_default().begun();
    }

    fn crowded(&self, scope: &Scope) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.entry(scope.clone()).or_default().crowded(self.cx.elapsed());
    }

    /// The queue of one API in one account and region.
    fn lane(&self, scope: &Scope, api: &Api) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.entry((scope.clone(), api.operation)).or_insert_with(|| Arc::new(Lane::new(api)));
        Arc::clone(lane)
    }
}

#[cfg(test)]
mod tests;

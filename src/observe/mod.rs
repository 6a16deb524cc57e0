//! Asks the ports, in pages and batches, and never fails: what could not be read is part of what was seen.
//!
//! There are two questions. [`Observer::look`] lists accounts and regions, which costs one call per hundred stacks however
//! many of them changed; [`Observer::answer`] reads the details that `plan::needs` asks for, which is nothing when
//! nothing moved. Nothing is decided here: which details matter is the planner's business.

mod backups;
mod census;
mod checks;
mod details;
mod drift;
mod gone;
mod inside;
mod ledger;
mod listing;
mod preflight;
mod records;
mod restores;
mod secrets;
mod services;
mod survey;
mod traffic;
mod trail;

pub use ledger::Ledger;
pub use survey::survey;
pub use trail::{global_region, is_global};

use std::collections::BTreeSet;
use std::sync::OnceLock;

use crate::context::Context;
use crate::model::{AssumeRole, Desired, Environment, Scope, StackAddress, StackState};
use crate::plan::owner;
use crate::ports::{Governor, NoProbes, Probes};

/// Looks at what one environment touches.
#[derive(Clone, Copy)]
pub struct Observer<'a> {
    cx: &'a Context,
    governor: &'a Governor,
    desired: &'a Desired,
    environment: &'a Environment,
    probes: &'a dyn Probes,
    ledger: &'a Ledger,
}

impl<'a> Observer<'a> {
    /// An observer for `environment`, one of those of `desired`, that goes on with what `ledger` has of earlier looks.
    #[must_use]
    pub fn new(
        cx: &'a Context,
        governor: &'a Governor,
        ledger: &'a Ledger,
        desired: &'a Desired,
        environment: &'a Environment,
    ) -> Self {
        Self { cx, governor, desired, environment, probes: &NoProbes, ledger }
    }

    /// The same, asking web servers through `probes`.
    #[must_use]
    pub fn probing(mut self, probes: &'a dyn Probes) -> Self {
        self.probes = probes;
        self
    }

    /// How an account is entered: as the environment that it belongs to says.
    fn role(&self, scope: &Scope) -> Option<&AssumeRole> {
        if scope.account == self.environment.scope.account {
            return self.environment.role.as_ref();
        }
        let homes = self.desired.environments.values();
        homes.into_iter().find(|home| home.scope.account == scope.account).and_then(|home| home.role.as_ref())
    }

    /// Which of the listed stacks concern us.
    fn concern(&self) -> Concern<'_> {
        Concern { observer: self, prefix: format!("{}/", self.environment.name), addresses: OnceLock::new() }
    }

    /// Where the stacks are that it has or refers to.
    fn addresses(&self) -> BTreeSet<StackAddress> {
        let mut addresses = BTreeSet::new();
        for spec in self.environment.stacks.values() {
            addresses.insert(spec.address());
            for foreign in spec.depends_on.iter().filter(|key| key.environment != self.environment.name) {
                let home = self.desired.environments.get(&foreign.environment);
                if let Some(spec) = home.and_then(|home| home.stacks.get(foreign)) {
                    addresses.insert(spec.address());
                }
            }
        }
        addresses
    }
}

struct Concern<'a> {
    observer: &'a Observer<'a>,
    prefix: String,
    /// Asked for where a stack does not say that it is ours.
    addresses: OnceLock<BTreeSet<StackAddress>>,
}

impl Concern<'_> {
    fn includes(&self, address: &StackAddress, state: &StackState) -> bool {
        owner(state).is_some_and(|owner| owner.starts_with(&self.prefix))
            || self.addresses.get_or_init(|| self.observer.addresses()).contains(address)
    }
}

//! The loop: look, plan, act, and look again.
//!
//! Every environment has one [`Tender`], a future that owns everything it has started; dropping it is what a crash is.
//! Events (a changed file, a landed step, a timer) carry nothing and only say *look now*, so that every decision is
//! made from what is, and losing an event costs time at most.

mod backups;
mod board;
mod cadence;
mod daemon;
mod doctor;
mod drift;
mod flights;
mod freshness;
mod inspect;
mod look;
mod narrator;
mod news;
mod outage;
mod patrol;
mod preflight;
mod preview;
mod receiver;
mod reports;
mod requests;
mod signals;
mod tender;
mod texts;
mod traffic;

pub use board::Board;
pub use cadence::RESYNC;
pub use daemon::tend_all;
pub use doctor::Examined;
pub use look::Looked;
pub use narrator::{Listener, Narrator, PlanObserver};
pub use preview::{Preview, preview};
pub use receiver::receive;
pub use reports::{NoPlace, ReportPlace, Reports};
pub use requests::answer;
pub use signals::{Beat, SILENCE, Signals};
pub use tender::{Ended, Tender, Until};
pub use traffic::publish_traffic;

use std::sync::Arc;
use std::time::Duration;

use self::texts::Texts;
use crate::context::Context;
use crate::execute::Executor;
use crate::observe::Ledger;
use crate::operator::Operator;
use crate::ports::{Cloud, Gate, Governor, NoProbes, Probes, Unseal};
use crate::store::{Inbox, Store};

/// What all environments share.
pub struct Controller {
    cx: Context,
    store: Store,
    gate: Gate,
    governor: Arc<Governor>,
    executor: Executor,
    narrator: Narrator,
    texts: Texts,
    ledger: Ledger,
    /// What the manifests say now.
    pub board: Board,
    /// What events tell.
    pub signals: Signals,
    /// How often everything is looked at although nothing happened.
    resync: Duration,
    /// Where other processes leave approvals and requests.
    inbox: Option<Inbox>,
    /// Who asks web servers.
    probes: Arc<dyn Probes>,
}

impl Controller {
    /// A controller over `cloud` that remembers in `store` and tells `listener` what happens.
    #[must_use]
    pub fn new(cx: Context, cloud: Arc<dyn Cloud>, store: Store, listener: Listener) -> Self {
        Self::under(cx, cloud, store, listener, Operator::default())
    }

    /// The same, sending nothing to where the operator does not allow it.
    #[must_use]
    pub fn under(cx: Context, cloud: Arc<dyn Cloud>, store: Store, listener: Listener, operator: Operator) -> Self {
        let gate = Gate::new(store.epoch());
        let governor = Arc::new(Governor::under(cx.clone(), cloud, gate.clone(), operator));
        let executor = Executor::new(cx.clone(), Arc::clone(&governor), gate.clone(), store.clone());
        let narrator = Narrator::new(cx.clone(), listener);
        Self {
            cx,
            store,
            gate,
            governor,
            executor,
            narrator,
            texts: Texts::default(),
            ledger: Ledger::default(),
            board: Board::default(),
            signals: Signals::default(),
            resync: RESYNC,
            inbox: None,
            probes: Arc::new(NoProbes),
        }
    }

    /// The same, asking web servers through `probes` whether they answer.
    #[must_use]
    pub fn probing(mut self, probes: Arc<dyn Probes>) -> Self {
        self.probes = probes;
        self
    }

    /// The same, with another interval between looks at an environment in which nothing happens.
    #[must_use]
    pub fn resyncing_every(mut self, interval: Duration) -> Self {
        self.resync = interval;
        self
    }

    /// The same, giving every plan to `observer`.
    #[must_use]
    pub fn observed_by(mut self, observer: PlanObserver) -> Self {
        self.narrator = self.narrator.observed_by(observer);
        self
    }

    /// The same, acting on approvals and requests that other processes leave.
    #[must_use]
    pub fn with_inbox(mut self, inbox: Inbox) -> Self {
        self.inbox = Some(inbox.clone());
        self.obeying(inbox)
    }

    /// The same, obeying only the orders to freeze that other processes leave: for a command that changes AWS.
    #[must_use]
    pub fn obeying(mut self, inbox: Inbox) -> Self {
        self.executor = self.executor.obeying(inbox);
        self
    }

    /// The same, with identities to open sealed values with.
    #[must_use]
    pub fn unsealing_with(mut self, unseal: Arc<dyn Unseal>) -> Self {
        self.executor = self.executor.unsealing_with(unseal);
        self
    }

    /// Begins to stop: from here on no change starts (invariant S19), and every tender ends when what it has sent has
    /// been answered.
    pub fn stop(&self) {
        self.gate.close();
        self.board.wake();
    }

    /// The calls that were made so far.
    #[must_use]
    pub fn governor(&self) -> &Arc<Governor> {
        &self.governor
    }

    /// What is remembered.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The clock.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.cx
    }

    /// What happened so far.
    #[must_use]
    pub fn narrator(&self) -> &Narrator {
        &self.narrator
    }
}

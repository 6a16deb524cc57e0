//! Takes steps: what all kinds have in common.

use std::sync::Arc;

use tracing::{info, warn};

use super::Outcome;
use super::record::Sending;
use crate::context::Context;
use crate::model::{
    Act, Applied, AssumeRole, BackupMemory, Digest, Do, Environment, Key, Kind, Limits, RecordMemory, Remembered,
    ReviewVerdict, SecretMemory, ServiceMemory, Spent, StackMemory, Statement, Step, Windows,
};
use crate::plan;
use crate::ports::{Fence, Gate, Governor, Identities, Unseal};
use crate::sabotage::{self, Bug};
use crate::sshsig;
use crate::store::{Begun, Held, Inbox, PeoplesWord, Record, RecordOutcome, Store, StoreError, Taken};

/// What the steps of an environment are taken under.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// How its account is entered.
    pub role: Option<AssumeRole>,
    /// When changes may begin.
    pub windows: Arc<Windows>,
    /// What an approval needs.
    pub limits: Limits,
    /// The plan by whose approval they may begin, if it was made under one.
    pub approved: Option<Digest>,
}

impl Terms {
    /// Those of an environment.
    #[must_use]
    pub fn of(environment: &Environment) -> Self {
        Self {
            role: environment.role.clone(),
            windows: Arc::clone(&environment.windows),
            limits: environment.limits.clone(),
            approved: None,
        }
    }

    /// The same, for a plan that was made under the approval of this one.
    #[must_use]
    pub fn under(mut self, approved: Option<Digest>) -> Self {
        self.approved = approved;
        self
    }
}

/// Takes steps.
#[derive(Clone)]
pub struct Executor {
    pub(super) cx: Context,
    pub(super) governor: Arc<Governor>,
    gate: Gate,
    pub(super) store: Store,
    /// Opens sealed values.
    pub(super) unseal: Arc<dyn Unseal>,
    /// Where other processes leave orders to freeze.
    inbox: Option<Inbox>,
}

impl Executor {
    /// An executor that writes to `store` and calls through `governor`.
    #[must_use]
    pub fn new(cx: Context, governor: Arc<Governor>, gate: Gate, store: Store) -> Self {
        Self { cx, governor, gate, store, unseal: Arc::new(Identities::default()), inbox: None }
    }

    /// The same, with identities to open sealed values with.
    #[must_use]
    pub fn unsealing_with(mut self, unseal: Arc<dyn Unseal>) -> Self {
        self.unseal = unseal;
        self
    }

    /// The same, obeying the orders to freeze that other processes leave.
    #[must_use]
    pub fn obeying(mut self, inbox: Inbox) -> Self {
        self.inbox = Some(inbox);
        self
    }

    /// Takes one step.
    pub async fn take(&self, step: &Step, terms: &Terms) -> Outcome {
        if let Some(from) = &step.takes_over
            && let Err(error) = self.take_over(step, from)
        {
            return Outcome::NotJournaled(error);
        }
        match &step.action {
            Do::Stack(stack) => self.take_on_stack(step, stack, terms).await,
            Do::Service(service) => self.take_on_service(step, service, terms).await,
            Do::Secret(secret) => self.take_on_secret(step, secret, terms).await,
            Do::Backup(backup) => self.take_on_backup(step, backup, terms).await,
            Do::Record(record) => match Sending::of(step) {
                None => self.take_on_record(step, record),
                Some(one) => self.send_records(&[one], terms).await.pop().unwrap_or(Outcome::Done),
            },
        }
    }

    /// Takes steps that the plan says belong together ([`together`](crate::plan::together)); their outcomes, in their
    /// order.
    pub async fn take_together(&self, steps: &[Step], terms: &Terms) -> Vec<Outcome> {
        let sending: Vec<Sending<'_>> = steps.iter().filter_map(Sending::of).collect();
        if sending.len() == steps.len() {
            for step in steps {
                if let Some(from) = &step.takes_over
                    && let Err(error) = self.take_over(step, from)
                {
                    let rest =
                        steps.iter().skip(1).map(|_| Outcome::Moved("the journal could not be written".to_owned()));
                    return std::iter::once(Outcome::NotJournaled(error)).chain(rest).collect();
                }
            }
            return self.send_records(&sending, terms).await;
        }
        let mut outcomes = Vec::with_capacity(steps.len());
        for step in steps {
            outcomes.push(self.take(step, terms).await);
        }
        outcomes
    }

    /// What is remembered of an object goes over to the key that it has now: all of it, or nothing.
    fn take_over(&self, step: &Step, from: &Key) -> Result<(), StoreError> {
        let detail = format!("from {from}");
        let record = Record::new(step.key.clone(), step.revision, "take-over", RecordOutcome::Done).with_detail(detail);
        match step.key.kind {
            Kind::Stack => self.store.hand_over::<StackMemory>(from, &step.key, record),
            Kind::Service => self.store.hand_over::<ServiceMemory>(from, &step.key, record),
            Kind::Secret => self.store.hand_over::<SecretMemory>(from, &step.key, record),
            Kind::DnsRecord => self.store.hand_over::<RecordMemory>(from, &step.key, record),
            Kind::BackupPolicy => self.store.hand_over::<BackupMemory>(from, &step.key, record),
        }
    }

    /// Writes down that a step begins, unless a freeze or a window holds it, or the approval by which it was planned has ended:
    /// all are looked at in the transaction that begins it, and what people have just left is taken first (invariants S11 and
    /// S22).
    pub(super) fn begin_step<M: Remembered, A: Into<Applied>>(
        &self,
        step: &Step,
        terms: &Terms,
        (record, spent): (Record, Option<Spent>),
        change: impl FnOnce(&mut M) -> A,
    ) -> Result<(), Outcome> {
        let now = self.cx.now();
        if let Some(inbox) = &self.inbox {
            let done = self.store.take_freezes(inbox).map_err(Outcome::NotJournaled)?;
            done.iter().for_each(tell);
            take_reviews(&self.store, inbox).map_err(Outcome::NotJournaled)?;
        }
        let is_held = |word: &PeoplesWord<'_>| {
            let held = plan::hold(&step.key, plan::effect(&step.action), &terms.windows, word.freezes, now);
            let said = (word.consent, word.reviews);
            let approved = plan::may_begin(step, terms.approved.as_ref(), said, &terms.limits, now);
            !held.is_empty() && !sabotage::is(Bug::FreezeIsAdvice) || !approved && !sabotage::is(Bug::ApprovalIsAdvice)
        };
        match self.store.begin_step(&step.key, record, spent, is_held, change) {
            Ok(Begun::Begun) => Ok(()),
            Ok(Begun::Held) => Err(Outcome::Held),
            Err(error) => Err(Outcome::NotJournaled(error)),
        }
    }

    /// The permission to change something for the step's revision.
    pub(super) fn fence(&self, step: &Step) -> Result<Fence, Outcome> {
        self.gate.pass(step.revision).map_err(|closed| Outcome::Failed(closed.refusing(step.action.verb())))
    }
}

/// Takes what other processes have left to be said of plans, and says so in the log.
///
/// # Errors
/// The journal could not be written.
pub fn take_reviews(store: &Store, inbox: &Inbox) -> Result<(), StoreError> {
    for one in store.take_reviews(inbox, sshsig::signer)? {
        match one {
            Taken::Review(review) => {
                let Statement { environment, plan, verdict, until, .. } = review.statement();
                let (by, plan) = (&review.submission.by, plan.code());
                let key = review.key.as_ref().map(tracing::field::display);
                match verdict {
                    ReviewVerdict::Approve => info!(%environment, plan, by, key, %until, "approval received"),
                    ReviewVerdict::Reject { because } => {
                        info!(%environment, plan, by, key, because, "plan rejected");
                    }
                }
            }
            Taken::Forged { submission, why } => {
                let Statement { environment, plan, .. } = &submission.statement;
                warn!(%environment, plan = %plan.code(), by = submission.by, why, "approval ignored");
            }
        }
    }
    Ok(())
}

/// Says in the log what came of an order.
pub fn tell(held: &Held) {
    match held {
        Held::Frozen(freeze) => {
            let (until, because) = (freeze.until.map(tracing::field::display), &freeze.because);
            info!(scope = %freeze.scope, by = freeze.by, because, until, freeze = freeze.id, "frozen");
        }
        Held::Thawed(freeze) => {
            let by = freeze.thawed.as_ref().map(|thawed| thawed.by.as_str());
            info!(scope = %freeze.scope, by, freeze = freeze.id, "thawed");
        }
    }
}

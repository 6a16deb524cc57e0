//! Takes steps: what all kinds have in common.

use std::sync::Arc;

use super::Outcome;
use super::record::Sending;
use crate::context::Context;
use crate::model::{
    Act, AssumeRole, BackupMemory, Do, Key, Kind, RecordMemory, SecretMemory, ServiceMemory, StackMemory, Step,
};
use crate::ports::{Fence, Gate, Governor, Identities, Unseal};
use crate::store::{Record, RecordOutcome, Store, StoreError};

/// Takes steps.
#[derive(Clone)]
pub struct Executor {
    pub(super) cx: Context,
    pub(super) governor: Arc<Governor>,
    gate: Gate,
    pub(super) store: Store,
    /// Opens sealed values.
    pub(super) unseal: Arc<dyn Unseal>,
}

impl Executor {
    /// An executor that writes to `store` and calls through `governor`.
    #[must_use]
    pub fn new(cx: Context, governor: Arc<Governor>, gate: Gate, store: Store) -> Self {
        Self { cx, governor, gate, store, unseal: Arc::new(Identities::default()) }
    }

    /// The same, with identities to open sealed values with.
    #[must_use]
    pub fn unsealing_with(mut self, unseal: Arc<dyn Unseal>) -> Self {
        self.unseal = unseal;
        self
    }

    /// Takes one step. The account is entered by `role`.
    pub async fn take(&self, step: &Step, role: Option<&AssumeRole>) -> Outcome {
        if let Some(from) = &step.takes_over
            && let Err(error) = self.take_over(step, from)
        {
            return Outcome::NotJournaled(error);
        }
        match &step.action {
            Do::Stack(stack) => self.take_on_stack(step, stack, role).await,
            Do::Service(service) => self.take_on_service(step, service, role).await,
            Do::Secret(secret) => self.take_on_secret(step, secret, role).await,
            Do::Backup(backup) => self.take_on_backup(step, backup, role).await,
            Do::Record(record) => match Sending::of(step) {
                None => self.take_on_record(step, record),
                Some(one) => self.send_records(&[one], role).await.pop().unwrap_or(Outcome::Done),
            },
        }
    }

    /// Takes steps that the plan says belong together ([`together`](crate::plan::together)); their outcomes, in their
    /// order.
    pub async fn take_together(&self, steps: &[Step], role: Option<&AssumeRole>) -> Vec<Outcome> {
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
            return self.send_records(&sending, role).await;
        }
        let mut outcomes = Vec::with_capacity(steps.len());
        for step in steps {
            outcomes.push(self.take(step, role).await);
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

    /// The permission to change something for the step's revision.
    pub(super) fn fence(&self, step: &Step) -> Result<Fence, Outcome> {
        self.gate.pass(step.revision).map_err(|closed| Outcome::Failed(closed.refusing(step.action.verb())))
    }
}

//! Steps on DNS records.
//!
//! A batch has no idempotency token. What stands in for one: the record set and its marker are read again just before,
//! the batch deletes exactly what was read, and what was sent is written down first; after a lost answer, what is there
//! says whether it took effect.

use futures_util::future::join_all;
use tracing::warn;

use super::{Executor, Outcome, Terms};
use crate::model::{
    Applied, Attempts, ChangeId, Conclusion, Digest, Do, Failure, RecordBatch, RecordChange, RecordDo, RecordMemory,
    RecordOperation, RecordPlace, RecordSet, RecordStep, RecordsOf, Step, ZoneId,
};
use crate::ports::{Class, Fence, PortError, Priority, Records, RecordsFrom, endless};
use crate::store::{Record, RecordOutcome, StoreError};

/// Pages on which the sets of one name and type are: more than Route 53 allows of them.
const PAGES_MAX: usize = 100;

/// A step that sends something.
#[derive(Clone, Copy)]
pub(super) struct Sending<'a> {
    pub(super) step: &'a Step,
    pub(super) record: &'a RecordStep,
    pub(super) batch: &'a RecordBatch,
}

impl<'a> Sending<'a> {
    /// If it does.
    pub(super) fn of(step: &'a Step) -> Option<Self> {
        let Do::Record(record) = &step.action else { return None };
        let RecordDo::Send(batch) = &record.action else { return None };
        Some(Self { step, record, batch })
    }
}

impl Executor {
    /// Takes a step on a DNS record that changes only what is remembered.
    pub(super) fn take_on_record(&self, step: &Step, record: &RecordStep) -> Outcome {
        self.remember_record(step, record).map_or_else(Outcome::NotJournaled, |()| Outcome::Done)
    }

    /// Takes steps that change records of one zone: what they change is sent in one batch. If AWS refuses that, it has
    /// changed nothing; then each is sent by itself, so that none is kept from the others' changes by what is wrong with
    /// its own.
    pub(super) async fn send_records(&self, steps: &[Sending<'_>], terms: &Terms) -> Vec<Outcome> {
        let Some(first) = steps.first() else { return Vec::new() };
        let port = self.governor.records(&first.step.address.scope, terms.role.as_ref(), Priority::Deploy);
        // At most as many as a plan begins at once, and each goes through the governor.
        let mut asked = Vec::with_capacity(steps.len());
        for one in steps {
            asked.push(self.begin_sending(&*port, *one, terms));
        }
        let ready: Vec<Result<Fence, Outcome>> = join_all(asked).await;
        let begun: Vec<(&Sending<'_>, Fence)> =
            steps.iter().zip(&ready).filter_map(|(one, ready)| Some((one, *ready.as_ref().ok()?))).collect();
        let mut sent = self.send_begun(&*port, &begun).await.into_iter();
        let outcome = |ready: Result<Fence, Outcome>| match ready {
            Err(outcome) => Some(outcome),
            Ok(_) => sent.next(),
        };
        ready.into_iter().filter_map(outcome).collect()
    }

    /// Everything before the call: the fence, the precondition, the journal.
    async fn begin_sending(&self, port: &dyn Records, one: Sending<'_>, terms: &Terms) -> Result<Fence, Outcome> {
        let Sending { step, record, batch } = one;
        let fence = self.fence(step)?;
        let zone = &record.place.zone;
        for (of, id, expected) in
            [(&record.place.of, record.place.set.as_deref(), &batch.set), (&record.marker, None, &batch.marker)]
        {
            match read(port, zone, of, id).await {
                Err(error) => return Err(Outcome::Failed(error)),
                Ok(seen) if seen == *expected => {}
                Ok(_) => return Err(Outcome::Moved(format!("{} {} has changed", of.kind, of.name))),
            }
        }
        self.begin_record(step, record, batch, terms)?;
        Ok(fence)
    }

    /// The call, and what it says of each.
    async fn send_begun(&self, port: &dyn Records, begun: &[(&Sending<'_>, Fence)]) -> Vec<Outcome> {
        let Some(((first, fence), more)) = begun.split_first() else { return Vec::new() };
        let zone = &first.record.place.zone;
        let changes: Vec<RecordChange> = begun.iter().flat_map(|(one, _)| one.batch.changes.iter().cloned()).collect();
        let token = &first.batch.token;
        let comment = if more.is_empty() { token.clone() } else { format!("{token} and {} more", more.len()) };
        let answer = port.change(*fence, zone, &changes, &comment).await;
        let refused = matches!(&answer, Err(error) if matches!(error.class, Class::Invalid | Class::Conflict | Class::Limit | Class::NotFound));
        if !refused || more.is_empty() {
            return begun.iter().map(|(one, _)| self.answered(one, clone(&answer))).collect();
        }
        if let Err(error) = &answer {
            warn!(%zone, why = %error, "a batch was refused as a whole; sending its records one by one");
        }
        let mut outcomes = Vec::with_capacity(begun.len());
        for (one, _) in begun {
            let answer = match self.fence(one.step) {
                Ok(fence) => port.change(fence, zone, &one.batch.changes, &one.batch.token).await,
                Err(Outcome::Failed(error)) => Err(error),
                Err(outcome) => {
                    outcomes.push(outcome);
                    continue;
                }
            };
            outcomes.push(self.answered(one, answer));
        }
        outcomes
    }

    /// Writes down what AWS has answered.
    fn answered(&self, one: &Sending<'_>, answer: Result<ChangeId, PortError>) -> Outcome {
        let Sending { step, record, batch } = *one;
        let now = self.cx.now();
        let outcome = RecordOutcome::of(&answer);
        let line = Record::new(step.key.clone(), step.revision, verb(record), outcome);
        let written = self.store.update_with(&step.key, line, None, |memory: &mut RecordMemory| match &answer {
            Ok(change) => {
                if let Some(pending) = &mut memory.pending {
                    pending.change = Some(change.clone());
                }
            }
            Err(error) => refused(memory, &record.place, &batch.inputs, error, now),
        });
        match written {
            // The call was made; the journal says "begun", which is what a crash here would have left behind too.
            Err(error) => Outcome::NotJournaled(error),
            Ok(()) => answer.map_or_else(Outcome::from, |_| Outcome::Done),
        }
    }

    fn begin_record(
        &self,
        step: &Step,
        record: &RecordStep,
        batch: &RecordBatch,
        terms: &Terms,
    ) -> Result<(), Outcome> {
        let RecordBatch { token, inputs, removes, retain, .. } = batch;
        let now = self.cx.now();
        let line = Record::new(step.key.clone(), step.revision, verb(record), RecordOutcome::Begun).with_token(token);
        let begun = (line, super::journal::spends(step, now));
        self.begin_step(step, terms, begun, |memory: &mut RecordMemory| {
            if !removes {
                memory.settle(&record.place);
                memory.retain = *retain;
                memory.depends_on.clone_from(&step.depends_on);
            }
            memory.pending = Some(RecordOperation {
                removes: *removes,
                token: token.clone(),
                change: None,
                place: record.place.clone(),
                inputs: inputs.clone(),
                started: now,
                revision: step.revision,
            });
        })
    }

    /// Steps that change only what is remembered.
    fn remember_record(&self, step: &Step, record: &RecordStep) -> Result<(), StoreError> {
        let outcome = match &record.action {
            RecordDo::Conclude(conclusion) => RecordOutcome::Concluded(conclusion.clone()),
            _ => RecordOutcome::Done,
        };
        let line = Record::new(step.key.clone(), step.revision, verb(record), outcome);
        self.store.update_with(&step.key, line, None, |memory: &mut RecordMemory| {
            match &record.action {
                RecordDo::Conclude(conclusion) => return conclude(memory, conclusion),
                RecordDo::Forget => memory.leave(&record.place),
                RecordDo::Remember { retain } => {
                    memory.settle(&record.place);
                    memory.retain = *retain;
                    memory.depends_on.clone_from(&step.depends_on);
                }
                RecordDo::Send(_) => {}
            }
            Applied::default()
        })
    }
}

/// The same answer for each of those who asked together.
fn clone(answer: &Result<ChangeId, PortError>) -> Result<ChangeId, PortError> {
    match answer {
        Ok(change) => Ok(change.clone()),
        Err(error) => {
            let mut same = PortError::new(error.class, error.operation, error.message.clone());
            same.code.clone_from(&error.code);
            same.request_id.clone_from(&error.request_id);
            Err(same)
        }
    }
}

fn verb(record: &RecordStep) -> &'static str {
    crate::model::Act::verb(record)
}

/// Written when our batch has reached all servers, or is not known to AWS.
fn conclude(memory: &mut RecordMemory, conclusion: &Conclusion) -> Applied {
    let Some(operation) = memory.pending.take() else { return Applied::default() };
    match (conclusion, operation.removes) {
        (Conclusion::Succeeded, true) => memory.leave(&operation.place),
        (Conclusion::Succeeded, false) => {
            memory.attempts = None;
            return Applied(Some(operation.revision));
        }
        (Conclusion::Failed(_) | Conclusion::NotSeen | Conclusion::Running, _) => {}
    }
    Applied::default()
}

/// Written after AWS has refused the batch. What is ambiguous stays pending: the next look finds out. A conflict is,
/// because what is in the way may be what an earlier batch of ours has made.
fn refused(memory: &mut RecordMemory, place: &RecordPlace, inputs: &Digest, error: &PortError, now: jiff::Timestamp) {
    if !matches!(error.class, Class::Transient | Class::Conflict) {
        memory.pending = None;
    }
    if !matches!(error.class, Class::Invalid | Class::Denied | Class::Limit | Class::NotFound) {
        return;
    }
    let failure = Failure {
        resource: place.of.name.to_string(),
        kind: "AWS::Route53::RecordSet".to_owned(),
        reason: error.to_string(),
        transient: error.class != Class::Invalid,
    };
    memory.attempts = Some(Attempts::counted(memory.attempts.as_ref(), inputs.clone(), failure, now));
}

/// The record set as it is now, if there is one.
async fn read(
    port: &dyn Records,
    zone: &ZoneId,
    of: &RecordsOf,
    set: Option<&str>,
) -> Result<Option<RecordSet>, PortError> {
    let kind = Some(of.kind.clone());
    let mut next = Some(RecordsFrom { name: of.name.to_string(), kind, set: set.map(str::to_owned) });
    for _ in 0..PAGES_MAX {
        let page = port.record_sets(zone, next).await?;
        if let Some(found) = page.items.iter().find(|one| one.of == *of && one.set.as_deref() == set) {
            return Ok(Some(found.clone()));
        }
        next = page.next;
        if next.is_none() || page.items.iter().any(|one| one.of != *of) {
            return Ok(None);
        }
    }
    Err(endless("ListResourceRecordSets"))
}

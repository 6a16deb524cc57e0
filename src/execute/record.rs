//! Steps on DNS records.
//!
//! A batch has no idempotency token. What stands in for one: the record set and its marker are read again just before,
//! the batch deletes exactly what was read, and what was sent is written down first; after a lost answer, what is there
//! says whether it took effect.

use super::{Executor, Outcome};
use crate::model::{
    AssumeRole, Attempts, Conclusion, Digest, Failure, RecordBatch, RecordDo, RecordMemory, RecordOperation,
    RecordPlace, RecordSet, RecordStep, RecordsOf, Step, ZoneId,
};
use crate::ports::{Class, PortError, Priority, Records, RecordsFrom};
use crate::store::{Record, RecordOutcome, StoreError};

/// Pages on which the sets of one name and type are: more than Route 53 allows of them.
const PAGES_MAX: usize = 100;

impl Executor {
    /// Takes a step on a DNS record.
    pub(super) async fn take_on_record(&self, step: &Step, record: &RecordStep, role: Option<&AssumeRole>) -> Outcome {
        let RecordDo::Send(batch) = &record.action else {
            return self.remember_record(step, record).map_or_else(Outcome::NotJournaled, |()| Outcome::Done);
        };
        let fence = match self.fence(step) {
            Ok(fence) => fence,
            Err(outcome) => return outcome,
        };
        let port = self.governor.records(&step.address.scope, role, Priority::Deploy);
        let zone = &record.place.zone;
        for (of, id, expected) in
            [(&record.place.of, record.place.set.as_deref(), &batch.set), (&record.marker, None, &batch.marker)]
        {
            match read(&*port, zone, of, id).await {
                Err(error) => return Outcome::Failed(error),
                Ok(seen) if seen == *expected => {}
                Ok(_) => return Outcome::Moved(format!("{} {} has changed", of.kind, of.name)),
            }
        }
        if let Err(error) = self.begin_record(step, record, batch) {
            return Outcome::NotJournaled(error);
        }
        let answer = port.change(fence, zone, &batch.changes, &batch.token).await;
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

    fn begin_record(&self, step: &Step, record: &RecordStep, batch: &RecordBatch) -> Result<(), StoreError> {
        let RecordBatch { token, inputs, removes, retain, .. } = batch;
        let now = self.cx.now();
        let line = Record::new(step.key.clone(), step.revision, verb(record), RecordOutcome::Begun).with_token(token);
        self.store.update_with(&step.key, line, super::journal::spends(step, now), |memory: &mut RecordMemory| {
            memory.place = Some(record.place.clone());
            memory.retain = *retain;
            memory.depends_on.clone_from(&step.depends_on);
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
        self.store.update_with(&step.key, line, None, |memory: &mut RecordMemory| match &record.action {
            RecordDo::Conclude(conclusion) => conclude(memory, conclusion),
            RecordDo::Forget => *memory = RecordMemory::default(),
            RecordDo::Send(_) => {}
        })
    }
}

fn verb(record: &RecordStep) -> &'static str {
    crate::model::Act::verb(record)
}

/// Written when our batch has reached all servers, or is not known to AWS.
fn conclude(memory: &mut RecordMemory, conclusion: &Conclusion) {
    let Some(operation) = memory.pending.take() else { return };
    match (conclusion, operation.removes) {
        (Conclusion::Succeeded, true) => *memory = RecordMemory::default(),
        (Conclusion::Succeeded, false) => {
            memory.attempts = None;
            memory.applied = Some(memory.applied.unwrap_or(0).max(operation.revision));
        }
        (Conclusion::Failed(_) | Conclusion::NotSeen | Conclusion::Running, _) => {}
    }
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
    Err(PortError::new(Class::Transient, "ListResourceRecordSets", "its pages have no end"))
}

//! Requests of people: carried out at once by a command that has the journal, or by the daemon that finds a note.
//!
//! What a request changes and the line in the journal that names it are one transaction, so that a note which is found
//! again after a crash is known to have been taken.

use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use super::Controller;
use crate::execute::{take_reviews, tell};
use crate::model::{
    BackupMemory, Declined, Digest, EnvName, Environment, Granted, Key, Kind, RecordMemory, Request, ReviewVerdict,
    SecretMemory, ServiceMemory, StackMemory, Statement, Submission,
};
use crate::plan::{self, Tally};
use crate::ports::Class;
use crate::store::{Approval, Record, RecordOutcome, Rejected, Store, StoreError};

/// Of notes that are rejected at the same moment, so many have a line of their own in the log.
const TOLD_AT_ONCE: usize = 8;

/// Carries out what a person asks, and says so in the journal; what is declined is written down too.
///
/// # Errors
/// The journal could not be written: nothing was changed.
pub fn answer(
    store: &Store,
    environment: &Environment,
    request: &Request,
    now: jiff::Timestamp,
) -> Result<Result<Granted, Declined>, StoreError> {
    let memory = store.memory(&environment.name)?;
    let answer = plan::grant(request, environment, &memory, now);
    let (outcome, detail) = match &answer {
        Ok(granted) => (RecordOutcome::Done, granted.detail(&request.by)),
        Err(why) => {
            let message = format!("{} requested to {}, but {why}", request.by, request.wish);
            (RecordOutcome::Failed { class: Class::Invalid, message }, String::new())
        }
    };
    let revision = store.revision().map_or(0, |revision| revision.sequence);
    let key = &request.key;
    let record = Record::new(key.clone(), revision, request.wish.verb(), outcome);
    let record = record.with_token(&request.id).with_detail(detail);
    match key.kind {
        Kind::Stack => store.update_with(key, record, None, |memory: &mut StackMemory| {
            if let Ok(Granted::InStep(_)) = &answer {
                memory.skipped = None;
                memory.in_step = Some(now);
            }
            if let Ok(Granted::Revert(_)) = &answer {
                memory.drift.asked = Some(now);
            }
        })?,
        Kind::DnsRecord => store.update_with(key, record, None, |memory: &mut RecordMemory| {
            if let Ok(Granted::Send(order)) = &answer {
                memory.traffic = Some((**order).clone());
            }
        })?,
        Kind::BackupPolicy => store.update_with(key, record, None, |memory: &mut BackupMemory| match &answer {
            Ok(Granted::BackUp) => memory.asked = Some(now),
            Ok(Granted::Restore(to, restore)) => _ = memory.restores.insert(to.clone(), (**restore).clone()),
            Ok(Granted::Verify(Some(table))) => _ = memory.verify_asked.insert(table.clone(), now),
            Ok(Granted::Verify(None)) => memory.verify_all = Some(now),
            Ok(
                Granted::Rotate
                | Granted::Revert(_)
                | Granted::InStep(_)
                | Granted::Pin(_)
                | Granted::Release(_)
                | Granted::Send(_),
            )
            | Err(_) => {}
        })?,
        Kind::Secret => store.update_with(key, record, None, |memory: &mut SecretMemory| {
            if let Ok(Granted::Rotate) = &answer {
                memory.rotation_asked = Some(now);
            }
        })?,
        Kind::Service => store.update_with(key, record, None, |memory: &mut ServiceMemory| match &answer {
            Ok(Granted::Pin(pin)) => {
                // Whoever names an image says that it is good.
                memory.quarantine.retain(|digest, _| !pin.images.values().any(|image| image.digest == *digest));
                memory.pin = Some(pin.clone());
            }
            Ok(Granted::Release(digest)) => _ = memory.quarantine.remove(digest),
            Ok(
                Granted::Rotate
                | Granted::BackUp
                | Granted::InStep(_)
                | Granted::Revert(_)
                | Granted::Restore(..)
                | Granted::Verify(_)
                | Granted::Send(_),
            )
            | Err(_) => {}
        })?,
    }
    Ok(answer)
}

impl Controller {
    /// Takes the notes that other processes have left for an environment: but those for an object on which a step is
    /// under way, which would be overtaken by how that ends.
    pub(super) fn take_requests(
        &self,
        environment: &Environment,
        busy: impl Fn(&Key) -> bool,
    ) -> Result<(), StoreError> {
        let Some(inbox) = &self.inbox else { return Ok(()) };
        for request in inbox.requests(&environment.name, self.cx.now()) {
            if busy(&request.key) {
                continue;
            }
            if !self.was_taken(&request)? {
                let answer = answer(&self.store, environment, &request, self.cx.now())?;
                let (object, by, wish) = (&request.key, &request.by, &request.wish);
                match answer {
                    Ok(Granted::Send(_)) => {
                        info!(%object, by, %wish, "request granted");
                        // Whoever publishes it need not wait.
                        self.board.wake();
                    }
                    Ok(_) => info!(%object, by, %wish, "request granted"),
                    Err(why) => warn!(%object, by, %wish, %why, "request declined"),
                }
            }
            inbox.remove(&request, self.cx.now());
        }
        Ok(())
    }

    /// Takes the orders to freeze and to thaw that other processes have left. What is thawed is looked at at once.
    pub(super) fn take_orders(&self) -> Result<(), StoreError> {
        let Some(inbox) = &self.inbox else { return Ok(()) };
        let done = self.store.take_orders(inbox)?;
        done.iter().for_each(tell);
        if !done.is_empty() {
            self.board.wake();
        }
        Ok(())
    }

    /// Takes what other processes have left to be said of plans.
    pub(super) fn take_reviews(&self) -> Result<(), StoreError> {
        self.inbox.as_ref().map_or(Ok(()), |inbox| take_reviews(&self.store, inbox))
    }

    /// That enough people approve this plan; none if they do not, or if it is what was consented to already.
    pub(super) fn approval(&self, environment: &Environment, plan: &Digest) -> Result<Option<Tally>, StoreError> {
        let memory = self.store.memory(&environment.name)?;
        if memory.consent.is_some_and(|consent| consent.plan == *plan) {
            return Ok(None);
        }
        let tally = plan::tally(plan, &memory.reviews, &environment.limits, self.cx.now());
        Ok(Some(tally).filter(|tally| matches!(tally, Tally::Approved { .. })))
    }

    /// Takes the approval that another process has left of whatever plan has the code of this one: what `apply --plan` leaves
    /// beside a daemon, by the account whose note it is.
    pub(super) fn take_approval(&self, environment: &Environment, plan: &Digest) -> Result<(), StoreError> {
        let Some(inbox) = &self.inbox else { return Ok(()) };
        let Some(Approval { by, at, .. }) = inbox.take(&environment.name, plan, self.cx.now()) else { return Ok(()) };
        let signed = if environment.limits.approvals.needs_signatures() {
            Err("the operator requires signatures here: `landfast approve` signs".to_owned())
        } else {
            environment.limits.may_approve(&by)
        };
        if let Err(why) = signed {
            warn!(environment = %environment.name, plan = %plan.code(), by, why, "approval ignored");
            return Ok(());
        }
        let expires = SignedDuration::try_from(environment.limits.approvals.expires).unwrap_or(SignedDuration::MAX);
        let statement = Statement {
            environment: environment.name.clone(),
            plan: plan.clone(),
            verdict: ReviewVerdict::Approve,
            at,
            until: at.checked_add(expires).unwrap_or(Timestamp::MAX),
            id: Digest::of(&self.cx.random_bytes()).as_str().to_owned(),
        };
        self.store.review(Submission { statement, by, signature: None }, None).map(drop)
    }

    /// It was carried out, and the process died before its note was thrown away.
    fn was_taken(&self, request: &Request) -> Result<bool, StoreError> {
        let lines = self.store.history(Some(&request.key), usize::MAX)?;
        Ok(lines.iter().any(|line| line.token.as_deref() == Some(&request.id)))
    }

    /// There is a note that can be taken now.
    pub(super) fn is_asked(&self, environment: &EnvName, busy: impl Fn(&Key) -> bool) -> bool {
        let Some(inbox) = &self.inbox else { return false };
        inbox.requests(environment, self.cx.now()).iter().any(|request| !busy(&request.key))
    }

    /// Puts aside what lies in the inbox and is no note, and says so.
    pub(super) fn sweep_inbox(&self) {
        let Some(inbox) = &self.inbox else { return };
        let rejected = inbox.sweep(self.cx.now());
        for Rejected { name, why, .. } in rejected.iter().take(TOLD_AT_ONCE) {
            warn!(note = name, why, "a request was rejected; nothing was done");
        }
        let more = rejected.len().saturating_sub(TOLD_AT_ONCE);
        if more > 0 {
            warn!(more, "more requests were rejected; `landfast status` shows them");
        }
    }
}

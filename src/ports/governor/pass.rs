//! One call on its way: it waits for its turn, is let through or refused, sent, and perhaps sent again.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::api::Api;
use super::lane::Lesson;
use super::{Priority, Shared};
use crate::context::Context;
use crate::model::Scope;
use crate::ports::{Class, Fence, PortError};
use crate::sabotage::{self, Bug};

/// A throttled call is sent again for this long after it was first sent. The wait for the first turn does not count:
/// how long that is depends on how many others wait, which says nothing about this call.
const PATIENCE: Duration = Duration::from_mins(2);
/// A read that fails without an answer is sent this many times at most: against a region that does not answer at all
/// that is one minute.
const READ_ATTEMPTS: u32 = 4;
/// The first pause is up to this long, and each further one up to twice as long as the one before…
const PAUSE: Duration = Duration::from_millis(500);
/// …but never longer than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// What sort of call it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// It changes nothing.
    Read,
    /// It changes something, on whose behalf.
    Change(Fence),
}

/// One call.
pub(super) struct Pass<'a> {
    pub(super) shared: &'a Shared,
    pub(super) scope: &'a Scope,
    pub(super) priority: Priority,
    pub(super) api: &'static Api,
    pub(super) sort: Sort,
}

impl Pass<'_> {
    /// Sends the call, as often as it is safe and useful.
    pub(super) async fn send<'c, T>(
        &self,
        call: impl Fn() -> BoxFuture<'c, Result<T, PortError>> + Send,
    ) -> Result<T, PortError> {
        let cx = &self.shared.cx;
        let lane = self.shared.lane(self.scope, self.api);
        let place = lane.place(self.priority);
        let mut sent = None;
        for attempt in 1.. {
            // Before the wait too: what is refused anyway does not queue.
            self.allow()?;
            lane.turn(cx, place).await;
            self.allow()?;
            lane.sending();
            let began = cx.elapsed();
            let sent = *sent.get_or_insert(began);
            let deadline = if sabotage::is(Bug::NoDeadline) { Duration::MAX } else { self.api.deadline };
            let answer = match cx.timeout(deadline, call()).await {
                Some(answer) => answer,
                None => Err(self.no_answer()),
            };
            let now = cx.elapsed();
            let lesson = lesson(&answer);
            lane.learn(now, lesson);
            if self.api.begins {
                match (&answer, lesson) {
                    (Ok(_), _) => self.shared.begun(self.scope),
                    (_, Lesson::Throttled) => self.shared.crowded(self.scope),
                    _ => {}
                }
            }
            self.trace(attempt, now.saturating_sub(began), &answer);
            let error = match answer {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let pause = pause(cx, attempt);
            if !self.again(error.class, attempt) || now.saturating_sub(sent) + pause > PATIENCE {
                return Err(error);
            }
            cx.sleep(pause).await;
        }
        // Only after 2³² attempts.
        Err(self.no_answer())
    }

    /// Refuses a change that may not be made (any more).
    pub(super) fn allow(&self) -> Result<(), PortError> {
        let Sort::Change(fence) = self.sort else { return Ok(()) };
        let operation = self.api.operation;
        let now = self.shared.gate.pass(fence.revision).map_err(|closed| closed.refusing(operation))?;
        if now.epoch != fence.epoch {
            let message = format!(
                "request not sent: it belongs to epoch {}, but this process has epoch {}",
                fence.epoch, now.epoch
            );
            return Err(PortError::new(Class::Stopped, operation, message));
        }
        Ok(())
    }

    /// Whether a failed call may be sent again. A throttled one did not take effect. One without an answer may have
    /// taken effect: harmless for a read, but a change is never repeated blindly; its caller looks again.
    fn again(&self, class: Class, attempt: u32) -> bool {
        match class {
            Class::Throttled => true,
            Class::Transient => self.sort == Sort::Read && attempt < READ_ATTEMPTS,
            Class::Conflict | Class::Denied | Class::Invalid | Class::NotFound | Class::Limit | Class::Stopped => false,
        }
    }

    fn no_answer(&self) -> PortError {
        let message = format!("no answer within {} s", self.api.deadline.as_secs());
        PortError::new(Class::Transient, self.api.operation, message)
    }

    fn trace<T>(&self, attempt: u32, elapsed: Duration, answer: &Result<T, PortError>) {
        let (operation, scope) = (self.api.operation, self.scope);
        // Not the message: what AWS says in it may repeat what was in the request.
        match answer {
            Ok(_) => tracing::debug!(operation, %scope, attempt, ?elapsed, "answered"),
            Err(error) => {
                let (class, code) = (error.class, error.code.as_deref());
                tracing::debug!(operation, %scope, attempt, ?elapsed, ?class, code, "failed");
            }
        }
    }
}

/// Full jitter: callers that failed together come back apart.
fn pause(cx: &Context, attempt: u32) -> Duration {
    let longest = PAUSE.saturating_mul(1 << (attempt - 1).min(16)).min(LONGEST_PAUSE);
    longest.mul_f64(cx.random())
}

fn lesson<T>(answer: &Result<T, PortError>) -> Lesson {
    match answer.as_ref().map_err(|error| error.class) {
        Err(Class::Throttled) => Lesson::Throttled,
        Err(Class::Transient | Class::Stopped) => Lesson::None,
        Ok(_) | Err(Class::Conflict | Class::Denied | Class::Invalid | Class::NotFound | Class::Limit) => Lesson::Clean,
    }
}

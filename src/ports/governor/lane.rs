//! The queue in front of one API of one account and region.
//!
//! Whoever is first in it waits by the clock for the next token; everybody else waits to become first, and is woken
//! when that happens. Who is first: the highest priority, and within it whoever came first. But every eighth token
//! goes to whoever has waited longest, whatever its priority, so that nothing waits for ever, and a backlog of old
//! low-priority calls costs urgent ones an eighth of the rate and not more.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::api::Api;
use super::bucket::Bucket;
use super::{Priority, Usage};
use crate::context::Context;
use crate::model::Scope;

/// One token in this many goes to whoever has waited longest.
const OLDEST_EVERY: u64 = 8;
/// Whoever is not first looks this often whether whoever is first takes its tokens. A future that is kept but not
/// polled (its owner awaits something else, perhaps this very lane) would otherwise hold everybody up for ever.
const PATROL: Duration = Duration::from_secs(5);

pub(super) struct Lane {
    /// Short critical sections without an await.
    state: Mutex<State>,
}

struct State {
    bucket: Bucket,
    /// By who came first. Small: as many as there are calls under way.
    waiting: BTreeMap<u64, Place>,
    /// By who goes first.
    ranked: BTreeMap<Place, Waker>,
    arrived: u64,
    granted: u64,
    calls: u64,
    throttled: u64,
}

/// Where a call stands: the smallest goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    priority: Priority,
    arrived: u64,
}

/// What a call taught about the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lesson {
    /// It was answered.
    Clean,
    /// It was one too many.
    Throttled,
    /// There was no answer, or one that says nothing about rates.
    None,
}

impl Lane {
    pub(super) fn new(api: &Api) -> Self {
        Self {
            state: Mutex::new(State {
                bucket: Bucket::new(api.rate, api.burst, api.ceiling),
                waiting: BTreeMap::new(),
                ranked: BTreeMap::new(),
                arrived: 0,
                granted: 0,
                calls: 0,
                throttled: 0,
            }),
        }
    }

    /// A place in the queue, for one call. It keeps it when it has to be sent again: a throttled call does not go to
    /// the end of a long queue.
    pub(super) fn place(&self, priority: Priority) -> Place {
        let mut state = self.lock();
        state.arrived += 1;
        Place { priority, arrived: state.arrived }
    }

    /// Completes when the call may be sent. Dropping it leaves the queue.
    pub(super) fn turn<'a>(&'a self, cx: &'a Context, place: Place) -> Turn<'a> {
        Turn { lane: self, cx, place, queued: false, timer: Timer::Unset }
    }

    /// Counts a call that is being sent.
    pub(super) fn sending(&self) {
        self.lock().calls += 1;
    }

    /// Learns from what came of it.
    pub(super) fn learn(&self, now: Duration, lesson: Lesson) {
        let mut state = self.lock();
        match lesson {
            Lesson::Clean => state.bucket.succeeded(now),
            Lesson::Throttled => {
                state.throttled += 1;
                state.bucket.throttled(now);
            }
            Lesson::None => {}
        }
    }

    /// Calls per second that are allowed now.
    pub(super) fn rate(&self) -> f64 {
        self.lock().bucket.rate()
    }

    pub(super) fn usage(&self, scope: Scope, operation: &'static str) -> Usage {
        let state = self.lock();
        Usage { scope, operation, calls: state.calls, throttled: state.throttled, rate: state.bucket.rate() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Who gets the next token.
    fn first(&self) -> Option<Place> {
        if self.granted % OLDEST_EVERY == OLDEST_EVERY - 1 {
            return self.waiting.values().next().copied();
        }
        self.ranked.keys().next().copied()
    }

    /// With the state locked: a waker only puts a task into a queue, and polls nothing.
    fn wake_first(&self) {
        if let Some(waker) = self.first().and_then(|first| self.ranked.get(&first)) {
            waker.wake_by_ref();
        }
    }
}

/// The wait for a token.
pub(super) struct Turn<'a> {
    lane: &'a Lane,
    cx: &'a Context,
    place: Place,
    /// From when it is first polled until it has its token.
    queued: bool,
    timer: Timer,
}

/// What a turn waits for, beside being woken.
enum Timer {
    Unset,
    /// It is first: the next token.
    Token(BoxFuture<'static, ()>),
    /// It is not: to see whether things move on.
    Patrol(BoxFuture<'static, ()>),
    /// It is not, and that time has come.
    Suspicious,
}

impl Future for Turn<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<()> {
        let this = &mut *self;
        loop {
            let now = this.cx.elapsed();
            let mut state = this.lane.lock();
            this.queued = true;
            state.waiting.insert(this.place.arrived, this.place);
            // The waker may have changed.
            state.ranked.insert(this.place, task.waker().clone());
            let first = state.first() == Some(this.place);
            let stuck = !first && matches!(this.timer, Timer::Suspicious) && state.bucket.is_full(now);
            let timer = if first || stuck {
                let Err(wait) = state.bucket.take(now) else {
                    state.granted += 1;
                    drop(state);
                    // Leaves the queue, and wakes whoever is first now.
                    this.leave();
                    return Poll::Ready(());
                };
                // Set anew each time: the rate may have changed since.
                this.timer = Timer::Token(this.sleep(wait));
                &mut this.timer
            } else {
                // Whoever is first has to know it: it may have become so while this one waited for the token.
                if matches!(this.timer, Timer::Token(_)) {
                    state.wake_first();
                }
                if !matches!(this.timer, Timer::Patrol(_)) {
                    this.timer = Timer::Patrol(this.sleep(PATROL));
                }
                &mut this.timer
            };
            drop(state);
            let (Timer::Token(sleep) | Timer::Patrol(sleep)) = timer else { continue };
            if sleep.as_mut().poll(task).is_pending() {
                return Poll::Pending;
            }
            if matches!(timer, Timer::Patrol(_)) {
                *timer = Timer::Suspicious;
            }
        }
    }
}

impl Turn<'_> {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let cx = self.cx.clone();
        Box::pin(async move { cx.sleep(duration).await })
    }

    fn leave(&mut self) {
        self.timer = Timer::Unset;
        if !std::mem::take(&mut self.queued) {
            return;
        }
        let mut state = self.lane.lock();
        state.waiting.remove(&self.place.arrived);
        state.ranked.remove(&self.place);
        state.wake_first();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

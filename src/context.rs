//! The only door to time and randomness.
//!
//! Everything that needs the clock, a timer or a random number is handed a [`Context`]. There are two: the real one,
//! and the virtual one of the simulation, in which hours pass as soon as everybody waits ([`Virtual::drive`]). Because
//! timers come from here too, the whole daemon runs on either without noticing, on one thread and without a runtime
//! in the virtual case, and a simulated run can be repeated exactly.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// A clock with timers.
pub trait Clock: Send + Sync {
    /// The time of day.
    fn now(&self) -> Timestamp;
    /// Time since some fixed moment; never goes back.
    fn elapsed(&self) -> Duration;
    /// Completes after `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// Clock and randomness, cheap to clone.
#[derive(Clone)]
pub struct Context {
    clock: Arc<dyn Clock>,
    /// Short critical sections without an await: a plain mutex.
    entropy: Arc<Mutex<ChaCha8Rng>>,
    /// Secrets are made by the operating system's generator, and not from the seed.
    system: bool,
}

impl Context {
    /// The real clock, seeded from the operating system.
    ///
    /// # Errors
    /// The operating system has no randomness to give.
    #[expect(clippy::disallowed_methods, reason = "the door to randomness")]
    pub fn system() -> Result<Self, getrandom::Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let entropy = Arc::new(Mutex::new(ChaCha8Rng::from_seed(seed)));
        Ok(Self { clock: Arc::new(SystemClock::start()), entropy, system: true })
    }

    /// A virtual clock, seeded by hand.
    #[must_use]
    pub fn simulated(clock: &Virtual, seed: u64) -> Self {
        Self {
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(Mutex::new(ChaCha8Rng::seed_from_u64(seed))),
            system: false,
        }
    }

    /// The time of day.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Time since some fixed moment; never goes back.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// Completes after `duration`.
    pub async fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration).await;
    }

    /// `future`, or `None` if it takes longer than `limit`.
    pub async fn timeout<F: Future>(&self, limit: Duration, future: F) -> Option<F::Output> {
        let future = std::pin::pin!(future);
        let timer = self.clock.sleep(limit);
        match futures_util::future::select(future, timer).await {
            futures_util::future::Either::Left((output, _)) => Some(output),
            futures_util::future::Either::Right(_) => None,
        }
    }

    /// A number from 0 up to but not including 1.
    #[must_use]
    pub fn random(&self) -> f64 {
        self.rng().random::<f64>()
    }

    /// Random bytes for keys. Only as unpredictable as the context's seed: with [`Context::system`], as the operating system's.
    #[must_use]
    pub fn random_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.rng().fill_bytes(&mut bytes);
        bytes
    }

    /// Random bytes for a secret: from the operating system, except in virtual time.
    ///
    /// # Errors
    /// The operating system has no randomness to give.
    #[expect(clippy::disallowed_methods, reason = "the door to randomness")]
    pub fn fill_secret(&self, bytes: &mut [u8]) -> Result<(), getrandom::Error> {
        if self.system {
            return getrandom::fill(bytes);
        }
        self.rng().fill_bytes(bytes);
        Ok(())
    }

    fn rng(&self) -> MutexGuard<'_, ChaCha8Rng> {
        self.entropy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct SystemClock {
    start: std::time::Instant,
}

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the door to the clock")]
    fn start() -> Self {
        Self { start: std::time::Instant::now() }
    }
}

#[expect(clippy::disallowed_methods, reason = "the door to the clock")]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Virtual time: stands still while anything can run, and jumps to the next timer when nothing can.
#[derive(Clone)]
pub struct Virtual {
    state: Arc<Mutex<VirtualState>>,
}

struct VirtualState {
    /// What the time of day was at zero. A clock step moves it.
    epoch: Timestamp,
    elapsed: Duration,
    /// Timers by due time, then by the order in which they were asked for.
    timers: BTreeMap<(Duration, u64), Waker>,
    asked: u64,
}

impl Virtual {
    /// Virtual time that begins at `epoch`.
    #[must_use]
    pub fn starting_at(epoch: Timestamp) -> Self {
        let state = VirtualState { epoch, elapsed: Duration::ZERO, timers: BTreeMap::new(), asked: 0 };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Runs `future` to its end on this thread; whenever it can only wait, time jumps to the next timer.
    ///
    /// Returns `None` if it waits for something that is not a timer: in a simulation, a deadlock.
    pub fn drive<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = std::pin::pin!(future);
        let awake = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&awake));
        let mut task = TaskContext::from_waker(&waker);
        loop {
            while awake.0.swap(false, Ordering::AcqRel) {
                if let Poll::Ready(output) = future.as_mut().poll(&mut task) {
                    return Some(output);
                }
            }
            if !self.advance() {
                return None;
            }
        }
    }

    /// Jumps to the next timer. False if there is none.
    fn advance(&self) -> bool {
        let waker = {
            let mut state = self.lock();
            let Some(((due, _), waker)) = state.timers.pop_first() else { return false };
            state.elapsed = state.elapsed.max(due);
            waker
        };
        waker.wake();
        true
    }

    /// Moves the time of day by `seconds`, as an administrator or a time server would. Timers are not moved.
    pub fn step_clock(&self, seconds: i64) {
        let mut state = self.lock();
        state.epoch = state.epoch.saturating_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(state.epoch);
    }

    fn lock(&self) -> MutexGuard<'_, VirtualState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        let state = self.lock();
        state.epoch.saturating_add(state.elapsed).unwrap_or(Timestamp::MAX)
    }

    fn elapsed(&self) -> Duration {
        self.lock().elapsed
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let due = self.lock().elapsed.saturating_add(duration);
        Box::pin(VirtualSleep { clock: self.clone(), due, slot: Cell::new(None) })
    }
}

struct VirtualSleep {
    clock: Virtual,
    due: Duration,
    /// Where this timer stands in the queue, once it was polled.
    slot: Cell<Option<u64>>,
}

impl Future for VirtualSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<()> {
        let mut state = self.clock.lock();
        if state.elapsed >= self.due {
            return Poll::Ready(());
        }
        let slot = self.slot.get().unwrap_or_else(|| {
            state.asked += 1;
            state.asked
        });
        self.slot.set(Some(slot));
        state.timers.insert((self.due, slot), task.waker().clone());
        Poll::Pending
    }
}

impl Drop for VirtualSleep {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.get() {
            self.clock.lock().timers.remove(&(self.due, slot));
        }
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn virtual_time_jumps_when_everybody_waits() {
        let clock = Virtual::starting_at(epoch());
        let cx = Context::simulated(&clock, 1);
        let started = std::time::Instant::now();
        clock
            .drive(async {
                futures_util::future::join(cx.sleep(Duration::from_hours(5)), cx.sleep(Duration::from_hours(9))).await;
            })
            .unwrap();
        assert_eq!(cx.elapsed(), Duration::from_hours(9));
        assert_eq!(cx.now().to_string(), "2026-01-01T09:00:00Z");
        assert!(started.elapsed() < Duration::from_mins(1));
    }

    #[test]
    fn a_timeout_ends_a_call_that_never_returns() {
        let clock = Virtual::starting_at(epoch());
        let cx = Context::simulated(&clock, 1);
        let outcome = clock.drive(cx.timeout(Duration::from_secs(30), std::future::pending::<()>()));
        assert_eq!(outcome, Some(None));
        assert_eq!(cx.elapsed(), Duration::from_secs(30));
    }

    #[test]
    fn waiting_for_nothing_is_a_deadlock_and_not_a_hang() {
        assert_eq!(Virtual::starting_at(epoch()).drive(std::future::pending::<()>()), None);
    }

    #[test]
    fn equal_seeds_give_equal_numbers() {
        let clock = Virtual::starting_at(epoch());
        let (one, two) = (Context::simulated(&clock, 7), Context::simulated(&clock, 7));
        assert!((one.random() - two.random()).abs() < f64::EPSILON);
    }
}

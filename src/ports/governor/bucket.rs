//! A token bucket that learns its rate. It begins at what is published or reported, and doubles while nobody is throttled
//! (slow start); from the first throttled call on it is additive increase, multiplicative decrease, as TCP does it.
//!
//! Only a rate that somebody has waited for grows: calls that come more slowly than they may say nothing about the limit.
//!
//! Pure: time is handed in, as the time since some fixed moment.

use std::time::Duration;

/// Never fewer calls than one in five seconds: slow enough for any limit, fast enough to notice that it is over.
const FLOOR: f64 = 0.2;
/// The window in which the rate changes at most once. Calls that are under way together are throttled together, and
/// say one thing, not many.
const WINDOW: Duration = Duration::from_secs(1);
/// A clean second adds this share of the initial rate: a rate that was halved is back after ten clean seconds.
const INCREASE: f64 = 0.05;
/// As long as no call was throttled, a clean second in which calls had to wait multiplies the rate by this.
const GROWTH: f64 = 2.0;
/// What rounding may take from a token that was waited for.
const EPSILON: f64 = 1e-6;
/// Timers below this are not worth setting.
const SHORTEST: Duration = Duration::from_micros(10);

/// Tokens, and the rate at which they come.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    rate: f64,
    tokens: f64,
    filled: Duration,
    /// The most tokens it holds, at least one.
    burst: f64,
    initial: f64,
    ceiling: f64,
    /// Somebody had to wait for a token since the rate was last changed.
    limited: bool,
    /// When the rate was last changed.
    changed: Option<Duration>,
    /// When an answer last was "too many".
    throttled: Option<Duration>,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(rate: f64, burst: f64, ceiling: f64) -> Self {
        let burst = burst.max(1.0);
        let filled = Duration::ZERO;
        let (limited, changed, throttled) = (false, None, None);
        Self { rate, tokens: burst, filled, burst, initial: rate, ceiling, limited, changed, throttled }
    }

    /// Calls per second.
    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    /// Takes a token, or says after what time there will be one.
    pub(super) fn take(&mut self, now: Duration) -> Result<(), Duration> {
        self.fill(now);
        if self.tokens + EPSILON >= 1.0 {
            self.tokens = (self.tokens - 1.0).max(0.0);
            return Ok(());
        }
        self.limited = true;
        let wait = Duration::try_from_secs_f64((1.0 - self.tokens) / self.rate).unwrap_or(WINDOW);
        Err(wait.max(SHORTEST))
    }

    /// Whether tokens are left lying.
    pub(super) fn is_full(&mut self, now: Duration) -> bool {
        self.fill(now);
        self.tokens + EPSILON >= self.burst
    }

    /// Learns from a call that was let through.
    pub(super) fn succeeded(&mut self, now: Duration) {
        let within = |since: Option<Duration>| since.is_some_and(|since| now.saturating_sub(since) < WINDOW);
        if within(self.throttled) || within(self.changed) {
            return;
        }
        // What was lowered is raised again in any case: throttling may have been somebody else's doing.
        if self.rate >= self.initial && !self.limited {
            return;
        }
        self.fill(now);
        let raised = if self.throttled.is_none() { self.rate * GROWTH } else { self.rate + self.initial * INCREASE };
        self.rate = raised.min(self.ceiling);
        self.limited = false;
        self.changed = Some(now);
    }

    /// Learns from a call that was one too many. What is left of the burst was wrong, too.
    pub(super) fn throttled(&mut self, now: Duration) {
        self.fill(now);
        self.tokens = 0.0;
        let again = self.throttled.is_some_and(|since| now.saturating_sub(since) < WINDOW);
        if again {
            return;
        }
        self.rate = (self.rate / 2.0).max(FLOOR);
        self.throttled = Some(now);
        self.changed = Some(now);
        self.limited = false;
    }

    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.filled).as_secs_f64();
        self.tokens = (self.tokens + passed * self.rate).min(self.burst);
        self.filled = self.filled.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_burst_is_followed_by_the_rate() {
        let mut bucket = Bucket::new(5.0, 5.0, 10.0);
        for _ in 0..5 {
            assert_eq!(bucket.take(seconds(1.0)), Ok(()));
        }
        let wait = bucket.take(seconds(1.0)).unwrap_err();
        assert!((wait.as_secs_f64() - 0.2).abs() < 1e-6, "{wait:?}");
        assert_eq!(bucket.take(seconds(1.0) + wait), Ok(()));
        assert!(bucket.take(seconds(1.0) + wait).is_err());
    }

    #[test]
    fn the_rate_is_halved_at_most_once_a_second_and_never_below_the_floor() {
        let mut bucket = Bucket::new(5.0, 5.0, 10.0);
        for _ in 0..20 {
            bucket.throttled(seconds(1.0));
        }
        assert!((bucket.rate() - 2.5).abs() < 1e-9);
        for second in 2..60 {
            bucket.throttled(seconds(f64::from(second)));
        }
        assert!((bucket.rate() - FLOOR).abs() < 1e-9);
    }

    #[test]
    fn clean_seconds_raise_the_rate_to_the_ceiling_and_no_further() {
        let mut bucket = Bucket::new(5.0, 5.0, 10.0);
        bucket.throttled(seconds(1.0));
        bucket.succeeded(seconds(1.5));
        assert!((bucket.rate() - 2.5).abs() < 1e-9, "not in the second in which it was throttled");
        for second in 0..10 {
            bucket.succeeded(seconds(2.5 + f64::from(second)));
            bucket.succeeded(seconds(2.6 + f64::from(second)));
        }
        assert!((bucket.rate() - 5.0).abs() < 1e-9, "{}", bucket.rate());
        bucket.succeeded(seconds(20.0));
        assert!((bucket.rate() - 5.0).abs() < 1e-9, "nobody waits for more");
        for second in 0..100 {
            while bucket.take(seconds(20.0 + f64::from(second))).is_ok() {}
            bucket.succeeded(seconds(20.0 + f64::from(second)));
        }
        assert!((bucket.rate() - 10.0).abs() < 1e-9);
    }

    #[test]
    fn while_nothing_is_throttled_the_rate_doubles_for_those_who_wait() {
        let mut bucket = Bucket::new(4.0, 8.0, 40.0);
        let mut sent = 0;
        for millisecond in 0..5000 {
            let now = Duration::from_millis(millisecond);
            while bucket.take(now).is_ok() {
                sent += 1;
                bucket.succeeded(now);
            }
        }
        assert!(sent > 100, "{sent}");
        assert!((bucket.rate() - 40.0).abs() < 1e-9, "{}", bucket.rate());
    }
}

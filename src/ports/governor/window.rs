//! How many stack operations may run at once in an account and region: learned, as a sender learns how much a network
//! takes.
//!
//! AWS publishes no limit. What there is shows itself in two ways: the calls that begin operations are throttled, or what
//! the operations do inside `CloudFormation` is (AWS: *Troubleshooting `CloudFormation`*, "Rate exceeded"), which fails and
//! rolls back a stack. Each of them halves the number; every operation that is begun without a complaint adds one.

use std::time::Duration;

/// To begin with. AWS publishes nothing to begin with, and so this is a choice: it is left within a second or two, up or down.
const BEGIN: usize = 50;
/// Never fewer: waiting for one stack at a time would make a long incident of a short one.
const LEAST: usize = 4;
/// Never more: the stacks that an account may have in a region, unless that was raised (AWS: *`CloudFormation` quotas*).
const MOST: usize = 2_000;
/// Complaints that come together say one thing.
const TOGETHER: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    size: usize,
    crowded: Option<Duration>,
}

impl Default for Window {
    fn default() -> Self {
        Self { size: BEGIN, crowded: None }
    }
}

impl Window {
    pub(super) fn size(self) -> usize {
        self.size
    }

    /// An operation was begun.
    pub(super) fn begun(&mut self) {
        self.size = (self.size + 1).min(MOST);
    }

    /// Something was throttled.
    pub(super) fn crowded(&mut self, now: Duration) {
        if self.crowded.is_some_and(|since| now.saturating_sub(since) < TOGETHER) {
            return;
        }
        self.crowded = Some(now);
        self.size = (self.size / 2).max(LEAST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_with_what_is_begun_and_is_halved_once_for_complaints_that_come_together() {
        let mut window = Window::default();
        (0..50).for_each(|_| window.begun());
        assert_eq!(window.size(), 100);
        (0..3).for_each(|second| window.crowded(Duration::from_secs(second)));
        assert_eq!(window.size(), 50);
        (1..20).for_each(|minute| window.crowded(Duration::from_mins(minute)));
        assert_eq!(window.size(), LEAST);
    }
}

//! When maintenance windows are open.
//!
//! Windows of one sort add up: several `allow` never narrow each other. `deny` counts for more than `allow`. A recurring
//! window opens by its time zone's clock and stays open by a stopwatch: eight hours are eight hours in the night in which
//! the clocks change. It is open from its first moment until before its last.

use jiff::{SignedDuration, Timestamp};

use crate::model::{When, Window, Windows};

/// So many openings and closings are looked at before it is said that none comes: with the shortest windows, weeks.
const LOOKED_AT: usize = 4_096;

/// Whether changes may begin now.
#[must_use]
pub fn is_open_at(windows: &Windows, now: Timestamp) -> bool {
    is_allowed(windows, now) && denied(windows, now).is_none()
}

fn is_allowed(windows: &Windows, now: Timestamp) -> bool {
    windows.allow.is_empty() || windows.allow.iter().any(|window| is_open(window, now))
}

/// The window that denies changes now.
pub(super) fn denied(windows: &Windows, now: Timestamp) -> Option<&Window> {
    windows.deny.iter().find(|window| is_open(window, now))
}

/// The first moment from now on at which changes may begin; none if none is in sight.
#[must_use]
pub fn opens_at(windows: &Windows, now: Timestamp) -> Option<Timestamp> {
    let mut at = now;
    for _ in 0..LOOKED_AT {
        if let Some(window) = denied(windows, at) {
            at = closes(window, at)?;
        } else if is_allowed(windows, at) {
            return Some(at);
        } else {
            at = windows.allow.iter().filter_map(|window| begins(window, at)).min()?;
        }
    }
    None
}

/// How long a recurring window stays open.
fn span(lasts: std::time::Duration) -> SignedDuration {
    SignedDuration::try_from(lasts).unwrap_or(SignedDuration::MAX)
}

fn is_open(window: &Window, now: Timestamp) -> bool {
    match &window.when {
        // The newest opening is the one that closes last.
        When::Recurring(schedule, lasts) => {
            schedule.last(now).is_some_and(|opened| now.duration_since(opened) < span(*lasts))
        }
        When::Once(from, until) => from.is_none_or(|from| from <= now) && until.is_none_or(|until| now < until),
    }
}

/// When a window closes that is open now; none if it never does.
fn closes(window: &Window, now: Timestamp) -> Option<Timestamp> {
    match &window.when {
        When::Recurring(schedule, lasts) => schedule.last(now)?.checked_add(span(*lasts)).ok(),
        When::Once(_, until) => *until,
    }
}

/// When a window that is closed now opens next; none if it never does.
fn begins(window: &Window, now: Timestamp) -> Option<Timestamp> {
    match &window.when {
        When::Recurring(schedule, _) => schedule.after(now),
        When::Once(from, _) => from.filter(|from| now < *from),
    }
}

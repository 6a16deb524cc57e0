//! Maintenance windows: when changes may begin, and when not.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::Schedule;

/// The windows of an environment. Without any, changes may begin at all times.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Windows {
    /// Where there is one, changes begin only while one of them is open.
    pub allow: Vec<Window>,
    /// While one of them is open, no change begins, whatever is allowed.
    pub deny: Vec<Window>,
}

impl Windows {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty()
    }
}

/// One window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// When it is open.
    pub when: When,
    /// Why there is one.
    pub because: Option<String>,
}

/// When a window is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum When {
    /// At each of these times, for so long: by a stopwatch, and not by the clock on the wall.
    Recurring(Box<Schedule>, Duration),
    /// From a moment, or always before, until another, or for ever.
    Once(Option<Timestamp>, Option<Timestamp>),
}

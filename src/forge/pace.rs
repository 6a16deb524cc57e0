//! How fast a Git host is asked: writes one after the other, a second apart, and nothing while it asks for a pause.
//!
//! GitHub: *Best practices for using the REST API* (serial requests, a second between those that change something,
//! `retry-after`, `x-ratelimit-reset`, otherwise a minute). GitLab: *Rate limits* (`Retry-After`, `RateLimit-Reset`).

use std::time::Duration;

use jiff::Timestamp;

/// Between two writes.
pub(super) const APART: Duration = Duration::from_secs(1);
/// A pause that is asked for without saying how long.
const UNSAID: Duration = Duration::from_mins(1);
/// No pause is longer: limits are counted by the hour.
const LONGEST: Duration = Duration::from_mins(61);

/// What an answer says of the pace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Said<'a> {
    pub(super) status: u16,
    pub(super) retry_after: Option<&'a str>,
    pub(super) remaining: Option<&'a str>,
    pub(super) reset: Option<&'a str>,
    /// Its text speaks of a rate limit.
    pub(super) is_about_limits: bool,
}

/// The pause that an answer asks for.
pub(super) fn pause(said: Said<'_>, now: Timestamp) -> Option<Duration> {
    if !matches!(said.status, 403 | 429 | 503) {
        return None;
    }
    let seconds = |text: &str| text.trim().parse::<u64>().ok().map(Duration::from_secs);
    let after = said.retry_after.and_then(seconds);
    let until_reset = || {
        let reset = said.reset?.trim().parse::<i64>().ok()?;
        let reset = Timestamp::from_second(reset).ok()?;
        (said.remaining.map(str::trim) == Some("0")).then(|| {
            let left = reset.duration_since(now);
            // Its clock may be behind ours.
            Duration::try_from(left).unwrap_or_default() + APART
        })
    };
    let asked = after.or_else(until_reset);
    let unsaid = (said.status == 429 || said.is_about_limits).then_some(UNSAID);
    asked.or(unsaid).map(|pause| pause.clamp(APART, LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_left_alone_for_as_long_as_it_asks() {
        let now = Timestamp::from_second(1_000).unwrap();
        let seconds = |said: Said<'_>| pause(said, now).map(|pause| pause.as_secs());
        let said = Said { status: 429, ..Said::default() };
        assert_eq!(seconds(said), Some(60));
        assert_eq!(seconds(Said { retry_after: Some("7"), ..said }), Some(7));
        assert_eq!(seconds(Said { retry_after: Some("999999"), ..said }), Some(61 * 60));
        assert_eq!(seconds(Said { retry_after: Some("soon"), ..said }), Some(60));
        let said = Said { status: 403, ..Said::default() };
        assert_eq!(seconds(said), None, "it forbids this, and not for a while");
        assert_eq!(seconds(Said { is_about_limits: true, ..said }), Some(60));
        assert_eq!(seconds(Said { remaining: Some("0"), reset: Some("1030"), ..said }), Some(31));
        assert_eq!(seconds(Said { remaining: Some("0"), reset: Some("10"), ..said }), Some(1), "its clock is behind");
        assert_eq!(seconds(Said { remaining: Some("5"), reset: Some("1030"), ..said }), None);
        assert_eq!(seconds(Said { status: 200, retry_after: Some("7"), ..said }), None);
        assert_eq!(seconds(Said { status: 503, retry_after: Some("7"), ..said }), Some(7));
    }
}

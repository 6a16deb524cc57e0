//! From the windows of an environment's policy to when changes may begin.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::diagnostic::Problem;
use super::doc::{Doc, span};
use super::document::{TimesSpec, WindowSpec};
use super::policy::parse_duration;
use crate::model::{Schedule, When, Window, Windows, WrongSchedule};
use crate::yaml::Node;

/// The shortest time for which a recurring window may be open, and the longest.
const SHORTEST: Duration = Duration::from_mins(1);
const LONGEST: Duration = Duration::from_hours(31 * 24);

/// What an example of a recurring window looks like.
const RECURRING: &str = "weekdays from eight to six: `{ cron: \"0 8 * * Mon-Fri\", for: 10h }`";

/// One window, and where it is written.
struct Reader<'r, 's> {
    doc: &'r Doc<'s>,
    node: &'r Node,
    problems: &'r mut Vec<Problem>,
}

/// The windows that a policy has. What is wrong with them is added to the problems, where it stands.
pub(super) fn windows(doc: &Doc<'_>, given: &[WindowSpec], problems: &mut Vec<Problem>) -> Windows {
    let mut windows = Windows::default();
    for (spec, node) in given.iter().zip(doc.items(&["spec", "policy", "windows"])) {
        let mut reader = Reader { doc, node, problems };
        let (times, field, list) = match (&spec.allow, &spec.deny) {
            (Some(times), None) => (times, "allow", &mut windows.allow),
            (None, Some(times)) => (times, "deny", &mut windows.deny),
            (Some(_), Some(_)) => {
                reader.wrong("a window has `allow` or `deny`, not both: write two windows", &["deny"]);
                continue;
            }
            (None, None) => {
                reader.missing("a window needs `allow` or `deny`", &[]);
                continue;
            }
        };
        if let Some(when) = reader.when(spec, times, field) {
            list.push(Window { when, because: spec.because.clone() });
        }
    }
    windows
}

impl Reader<'_, '_> {
    fn when(&mut self, spec: &WindowSpec, times: &TimesSpec, field: &str) -> Option<When> {
        let name = spec.timezone.as_deref().unwrap_or("UTC");
        let zone = match Schedule::find_zone(name) {
            Ok(zone) => zone,
            Err(why) => {
                let problem = self.problem("invalid-value", why.to_string(), &["timezone"]);
                let problem = problem.help("use a time zone name of the IANA database: `Europe/Berlin`, `UTC`");
                self.problems.push(problem.suggest(name, Schedule::zones().iter().map(String::as_str)));
                return None;
            }
        };
        let once = times.from.is_some() || times.until.is_some();
        match (&times.cron, &times.lasts) {
            (Some(_), _) if once => {
                self.wrong("a window has `cron` and `for`, or `from` and `until`, not both", &[field, "cron"]);
                None
            }
            (Some(cron), Some(lasts)) => self.recurring(cron, lasts, name, field),
            (Some(_), None) => {
                self.missing("`cron` needs `for`: how long the window is open", &[field, "cron"]);
                None
            }
            (None, Some(_)) => {
                self.wrong("`for` needs `cron`: when the window opens", &[field, "for"]);
                None
            }
            (None, None) if once => self.once(times, &zone, field),
            (None, None) => {
                self.missing("a window needs `cron` and `for`, or `from` or `until`", &[field]);
                None
            }
        }
    }

    fn recurring(&mut self, cron: &str, lasts: &str, zone: &str, field: &str) -> Option<When> {
        let lasts = match parse_duration(lasts) {
            Ok(lasts) if (SHORTEST..=LONGEST).contains(&lasts) => Some(lasts),
            Ok(_) => {
                self.wrong("`for` must be from 1m to 31d", &[field, "for"]);
                None
            }
            Err(why) => {
                self.wrong(&why, &[field, "for"]);
                None
            }
        };
        match Schedule::new(cron, zone) {
            Ok(schedule) => Some(When::Recurring(Box::new(schedule), lasts?)),
            Err(why) => {
                let help = match why {
                    WrongSchedule::Times(..) => "for a window that is always open, leave `allow` out",
                    WrongSchedule::Pattern(..) | WrongSchedule::Zone(_) => RECURRING,
                };
                let problem = self.problem("invalid-value", why.to_string(), &[field, "cron"]).help(help);
                self.problems.push(problem);
                None
            }
        }
    }

    fn once(&mut self, times: &TimesSpec, zone: &TimeZone, field: &str) -> Option<When> {
        let from = self.moment(times.from.as_deref(), zone, &[field, "from"]);
        let until = self.moment(times.until.as_deref(), zone, &[field, "until"]);
        let (from, until) = (from?, until?);
        if let (Some(from), Some(until)) = (from, until)
            && until <= from
        {
            self.wrong("`until` must be after `from`", &[field, "until"]);
            return None;
        }
        Some(When::Once(from, until))
    }

    /// A moment: with an offset from UTC as it is, without one by the clock of the zone. Of an hour that comes twice it is
    /// the first, and of one that is left out as much later (jiff: `Disambiguation::Compatible`).
    #[expect(clippy::option_option, reason = "wrong, not given, and given")]
    fn moment(&mut self, text: Option<&str>, zone: &TimeZone, at: &[&str]) -> Option<Option<Timestamp>> {
        let Some(text) = text else { return Some(None) };
        if let Ok(moment) = text.parse::<Timestamp>() {
            return Some(Some(moment));
        }
        let local = text.parse::<DateTime>().ok();
        if let Some(moment) = local.and_then(|local| local.to_zoned(zone.clone()).ok()) {
            return Some(Some(moment.timestamp()));
        }
        let message = format!("`{text}` is not a time such as 2026-12-24T18:00 or 2026-12-24T17:00:00Z");
        self.wrong(&message, at);
        None
    }

    fn wrong(&mut self, why: &str, at: &[&str]) {
        let problem = self.problem("invalid-value", why.to_owned(), at);
        self.problems.push(problem);
    }

    fn missing(&mut self, what: &str, at: &[&str]) {
        let problem = self.problem("missing-field", what.to_owned(), at).help(RECURRING);
        self.problems.push(problem);
    }

    fn problem(&self, code: &'static str, message: String, at: &[&str]) -> Problem {
        Problem::error(code, message, &self.doc.file, span(self.node, at))
    }
}

//! When backups are made: a cron pattern in a time zone.
//!
//! Time zones come from the table that is compiled in, and not from the machine's: the same manifest means the same
//! everywhere.

use std::fmt;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};

/// No two slots are closer.
const CLOSEST: SignedDuration = SignedDuration::from_mins(15);

/// A cron pattern in a time zone.
#[derive(Clone, Debug)]
pub struct Schedule {
    pattern: String,
    name: String,
    cron: Cron,
    zone: TimeZone,
}

/// Why there is no such schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongSchedule {
    /// The pattern cannot be read.
    #[error("`{0}` is not a cron pattern of five fields: {1}")]
    Pattern(String, String),
    /// The time zone does not exist.
    #[error("there is no time zone `{0}`")]
    Zone(String),
    /// Its times come too often, or never.
    #[error("`{0}` {1}")]
    Times(String, &'static str),
}

impl Schedule {
    /// A schedule: `0 3 * * *` in `Europe/Berlin`.
    ///
    /// # Errors
    /// The pattern or the zone cannot be read; the pattern never comes, or more often than every fifteen minutes.
    pub fn new(pattern: &str, zone: &str) -> Result<Self, WrongSchedule> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(pattern).map_err(|why| WrongSchedule::Pattern(pattern.to_owned(), why.to_string()))?;
        let found = TimeZoneDatabase::bundled().get(zone).map_err(|_| WrongSchedule::Zone(zone.to_owned()))?;
        let schedule = Self { pattern: pattern.to_owned(), name: zone.to_owned(), cron, zone: found };
        schedule.is_sensible().map_err(|why| WrongSchedule::Times(pattern.to_owned(), why))?;
        Ok(schedule)
    }

    fn is_sensible(&self) -> Result<(), &'static str> {
        let mut at = Timestamp::UNIX_EPOCH;
        // A day has 96 quarters of an hour.
        for round in 0..97 {
            let Some(next) = self.after(at) else { return Err("never comes") };
            if round > 0 && next.duration_since(at) < CLOSEST {
                return Err("comes more often than every fifteen minutes");
            }
            at = next;
        }
        Ok(())
    }

    /// The newest slot that is not after `now`.
    #[must_use]
    pub fn last(&self, now: Timestamp) -> Option<Timestamp> {
        let zoned = now.to_zoned(self.zone.clone());
        self.cron.find_previous_occurrence(&zoned, true).ok().map(|zoned| zoned.timestamp())
    }

    /// The first slot after `now`.
    #[must_use]
    pub fn after(&self, now: Timestamp) -> Option<Timestamp> {
        let zoned = now.to_zoned(self.zone.clone());
        self.cron.find_next_occurrence(&zoned, false).ok().map(|zoned| zoned.timestamp())
    }

    /// Its time zone: days, weeks and months of retention are told by it too.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        (&self.pattern, &self.name) == (&other.pattern, &other.name)
    }
}

impl Eq for Schedule {}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.pattern, self.name)
    }
}

impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

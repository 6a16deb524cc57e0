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
    #[error("`{0}` is not a cron expression: {1}")]
    Pattern(String, String),
    /// The time zone does not exist.
    #[error("unknown time zone `{0}`")]
    Zone(String),
    /// Its times come too often, or never.
    #[error("`{0}` {1}")]
    Times(String, &'static str),
}

/// Which field of a pattern is missing, or has a number that it cannot have.
fn out_of_range(pattern: &str) -> Option<String> {
    const FIELDS: [(&str, u32, u32); 5] =
        [("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("day of the week", 0, 7)];
    let given: Vec<&str> = pattern.split_whitespace().collect();
    if given.len() != FIELDS.len() {
        let names = FIELDS.map(|(name, ..)| name).join(", ");
        return Some(format!("it has {} fields, and needs five: {names}", given.len()));
    }
    given.iter().zip(FIELDS).find_map(|(field, (name, least, most))| {
        let numbers = field.split(',').filter_map(|part| part.split('/').next()).flat_map(|part| part.split('-'));
        let wrong =
            numbers.filter_map(|number| number.parse::<u32>().ok()).find(|number| !(least..=most).contains(number))?;
        Some(format!("the {name} is {wrong}, and must be from {least} to {most}"))
    })
}

impl Schedule {
    /// A schedule: `0 3 * * *` in `Europe/Berlin`.
    ///
    /// # Errors
    /// The pattern or the zone cannot be read; the pattern never comes, or more often than every fifteen minutes.
    pub fn new(pattern: &str, zone: &str) -> Result<Self, WrongSchedule> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(pattern).map_err(|why| {
            let why = out_of_range(pattern).unwrap_or_else(|| why.to_string().trim_end_matches('.').to_owned());
            WrongSchedule::Pattern(pattern.to_owned(), why)
        })?;
        let found = Self::find_zone(zone)?;
        let schedule = Self { pattern: pattern.to_owned(), name: zone.to_owned(), cron, zone: found };
        schedule.is_sensible().map_err(|why| WrongSchedule::Times(pattern.to_owned(), why))?;
        Ok(schedule)
    }

    /// The time zone of a name.
    ///
    /// # Errors
    /// There is none.
    pub fn find_zone(name: &str) -> Result<TimeZone, WrongSchedule> {
        TimeZoneDatabase::bundled().get(name).map_err(|_| WrongSchedule::Zone(name.to_owned()))
    }

    /// The names of all time zones.
    #[must_use]
    pub fn zones() -> Vec<String> {
        TimeZoneDatabase::bundled().available().map(|zone| zone.as_str().to_owned()).collect()
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_schedule_follows_its_time_zone() {
        let berlin = Schedule::new("0 3 * * *", "Europe/Berlin").unwrap();
        assert_eq!(berlin.last(at("2026-01-02T01:59:59Z")), Some(at("2026-01-01T02:00:00Z")));
        assert_eq!(berlin.last(at("2026-01-02T02:00:00Z")), Some(at("2026-01-02T02:00:00Z")));
        assert_eq!(berlin.last(at("2026-07-02T02:00:00Z")), Some(at("2026-07-02T01:00:00Z")));
        assert_eq!(berlin.after(at("2026-01-02T02:00:00Z")), Some(at("2026-01-03T02:00:00Z")));
    }

    /// A year of every hour in zones that change their clocks at night: a nightly backup has one slot a day, and no
    /// slot moves with the moment at which it is asked for.
    #[test]
    fn a_nightly_slot_comes_once_a_day_whatever_the_clocks_do() {
        for zone in ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo"] {
            for pattern in ["0 3 * * *", "30 2 * * *", "15 0 * * *"] {
                let schedule = Schedule::new(pattern, zone).unwrap();
                let (mut slots, mut now) = (BTreeSet::new(), at("2026-01-02T00:00:00Z"));
                let end = at("2027-01-02T00:00:00Z");
                let mut before = schedule.last(now).unwrap();
                while now < end {
                    let slot = schedule.last(now).unwrap();
                    assert!(slot <= now && slot >= before, "{zone} {pattern}: a slot goes back");
                    assert!(
                        now.duration_since(slot) < SignedDuration::from_hours(26),
                        "{zone} {pattern}: none for {now}"
                    );
                    slots.insert(slot);
                    before = slot;
                    now += SignedDuration::from_hours(1);
                }
                assert!((365..=366).contains(&slots.len()), "{zone} {pattern}: {} slots", slots.len());
            }
        }
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for (pattern, zone) in
            [("0 3 * *", "UTC"), ("0 0 3 * * *", "UTC"), ("0 3 * * *", "Europe"), ("*/5 * * * *", "UTC")]
        {
            assert!(Schedule::new(pattern, zone).is_err(), "{pattern} {zone}");
        }
        assert!(matches!(Schedule::new("0 0 30 2 *", "UTC"), Err(WrongSchedule::Times(..))));
    }
}

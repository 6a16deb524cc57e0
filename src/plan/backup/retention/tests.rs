//! Retention over many policies, sets of points, clocks and time zones: what holds of all of them.

use std::time::Duration;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::*;

/// A small generator of numbers: the same ones every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn zone(name: &str) -> TimeZone {
    TimeZoneDatabase::bundled().get(name).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn retention(last: u16, daily: u16, weekly: u16, monthly: u16) -> Retention {
    Retention { last, daily, weekly, monthly, min_age: Duration::from_hours(24), keep_verified: 2 }
}

/// Points over a year and a half, most of them a day apart.
fn points(dice: &mut Dice) -> Vec<Kept> {
    let mut made = at("2025-01-01T02:00:00Z");
    (0..dice.roll(60))
        .map(|_| {
            made += SignedDuration::from_hours(i64::try_from(1 + dice.roll(72)).unwrap());
            Kept { made, counts: dice.roll(5) > 0, verified: dice.roll(6) == 0 }
        })
        .collect()
}

fn any(dice: &mut Dice) -> Retention {
    let mut number = |most| u16::try_from(dice.roll(most)).unwrap();
    let (last, daily, weekly, monthly) = (1 + number(5), number(10), number(6), number(14));
    let keep_verified = 1 + number(3);
    let min_age = Duration::from_hours(1 + dice.roll(96));
    Retention { last, daily, weekly, monthly, min_age, keep_verified }
}

#[test]
fn the_newest_of_days_weeks_and_months_stay_and_the_others_go() {
    let berlin = zone("Europe/Berlin");
    let daily: Vec<Kept> = (0..120)
        .map(|day| Kept {
            made: at("2026-01-01T02:00:00Z") + SignedDuration::from_hours(24 * day),
            counts: true,
            verified: false,
        })
        .collect();
    let now = daily.last().unwrap().made + SignedDuration::from_mins(5);
    let going = over(&daily, &retention(3, 7, 4, 3), &berlin, now);
    let stay: Vec<String> = daily
        .iter()
        .enumerate()
        .filter(|(index, _)| !going.contains(index))
        .map(|(_, point)| point.made.strftime("%m-%d").to_string())
        .collect();
    assert_eq!(
        stay,
        ["02-28", "03-31", "04-12", "04-19", "04-24", "04-25", "04-26", "04-27", "04-28", "04-29", "04-30"]
    );
}

#[test]
fn nothing_goes_that_is_young_proven_or_has_nothing_newer() {
    let mut dice = Dice(7);
    for _ in 0..3_000 {
        let (points, policy) = (points(&mut dice), any(&mut dice));
        let now = at("2025-01-01T00:00:00Z") + SignedDuration::from_hours(i64::try_from(dice.roll(24 * 500)).unwrap());
        let zones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"];
        let zone = zone(zones[usize::try_from(dice.roll(4)).unwrap()]);
        let going = over(&points, &policy, &zone, now);
        let newest = points.iter().filter(|point| point.counts).map(|point| point.made).max();
        let mut verified: Vec<Timestamp> = points.iter().filter(|p| p.verified).map(|point| point.made).collect();
        verified.sort_unstable();
        let floor = verified.iter().rev().take(usize::from(policy.keep_verified)).min().copied();
        for point in going.iter().map(|index| points[*index]) {
            assert!(newest.is_some_and(|newest| point.made < newest), "nothing newer counts (S15)");
            assert!(now.duration_since(point.made).unsigned_abs() >= policy.min_age, "too young (S15)");
            let by_aws = newest.unwrap().duration_since(point.made).unsigned_abs();
            assert!(by_aws >= policy.min_age, "too young by AWS's clock (S15)");
            assert!(!(point.verified && Some(point.made) >= floor), "one of the newest verified (S15)");
        }
    }
}

#[test]
fn a_retention_that_asks_for_more_keeps_at_least_as_much() {
    let mut dice = Dice(11);
    for _ in 0..2_000 {
        let (points, less) = (points(&mut dice), any(&mut dice));
        let mut more = less;
        match dice.roll(6) {
            0 => more.last += 1,
            1 => more.daily += 1,
            2 => more.weekly += 1,
            3 => more.monthly += 1,
            4 => more.keep_verified += 1,
            _ => more.min_age += Duration::from_hours(5),
        }
        let now = at("2026-08-01T00:00:00Z");
        let berlin = zone("Europe/Berlin");
        assert!(over(&points, &more, &berlin, now).is_subset(&over(&points, &less, &berlin, now)), "{less:?} {more:?}");
    }
}

#[test]
fn what_is_left_stays_at_the_same_moment() {
    let mut dice = Dice(13);
    for _ in 0..2_000 {
        let (points, policy) = (points(&mut dice), any(&mut dice));
        let (now, berlin) = (at("2026-08-01T00:00:00Z"), zone("Europe/Berlin"));
        let going = over(&points, &policy, &berlin, now);
        let left: Vec<Kept> =
            points.iter().enumerate().filter(|(index, _)| !going.contains(index)).map(|(_, point)| *point).collect();
        assert!(over(&left, &policy, &berlin, now).is_empty(), "{policy:?}");
    }
}

/// A clock that jumps by years finds the same places filled: they are counted in points, and not from now.
#[test]
fn a_clock_that_jumps_takes_nothing_but_the_minimum_age() {
    let mut dice = Dice(17);
    for _ in 0..1_000 {
        let (points, policy) = (points(&mut dice), any(&mut dice));
        let berlin = zone("Europe/Berlin");
        let soon = over(&points, &policy, &berlin, at("2026-12-01T00:00:00Z"));
        assert_eq!(soon, over(&points, &policy, &berlin, at("2096-12-01T00:00:00Z")));
        assert!(over(&points, &policy, &berlin, at("1996-12-01T00:00:00Z")).is_empty());
    }
}

/// Twice a year a day has 23 or 25 hours; there is still one of each.
#[test]
fn a_change_of_the_clocks_neither_joins_nor_parts_days() {
    for (name, around) in
        [("Europe/Berlin", "2026-03-29"), ("Europe/Berlin", "2026-10-25"), ("America/New_York", "2026-11-01")]
    {
        let zone = zone(name);
        let first: jiff::civil::Date = around.parse().unwrap();
        let days: Vec<Kept> = (-4..5)
            .map(|day| {
                let date = first.checked_add(jiff::Span::new().days(day)).unwrap();
                let made = date.at(0, 30, 0, 0).to_zoned(zone.clone()).unwrap().timestamp();
                Kept { made, counts: true, verified: false }
            })
            .collect();
        let now = days.last().unwrap().made + SignedDuration::from_hours(24 * 30);
        assert_eq!(over(&days, &retention(1, 9, 0, 0), &zone, now), BTreeSet::new(), "{name} {around}");
        assert_eq!(over(&days, &retention(1, 5, 0, 0), &zone, now), (0..4).collect(), "{name} {around}");
    }
}

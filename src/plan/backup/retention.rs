//! Which recovery points may go (invariant S15). Pure, and of one table's points in one place at a time.
//!
//! A point that counts is one that can be restored, is plausible and is everywhere it has to be. Only those fill the
//! places of a retention; one that does not count stays for as long as it would if it did, and takes nobody's place.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::model::Retention;
use crate::sabotage::{self, Bug};

/// A recovery point, as far as its retention goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// When AWS made it: its clock, and not ours.
    pub(super) made: Timestamp,
    /// It counts.
    pub(super) counts: bool,
    /// A restore test has proven it.
    pub(super) verified: bool,
}

/// The points that may go, by their places in the list.
pub(super) fn over(points: &[Kept], retention: &Retention, zone: &TimeZone, now: Timestamp) -> BTreeSet<usize> {
    let all = |of: &dyn Fn(&Kept) -> bool| -> BTreeSet<usize> {
        points.iter().enumerate().filter(|(_, point)| of(point)).map(|(index, _)| index).collect()
    };
    let counting = all(&|point| point.counts);
    // Nothing goes before something newer is there.
    let Some(newest) = counting.iter().filter_map(|index| points.get(*index)).map(|point| point.made).max() else {
        return BTreeSet::new();
    };
    let min_age = SignedDuration::try_from(retention.min_age).unwrap_or(SignedDuration::MAX);
    let keeping = kept(points, &counting, retention, zone);
    let proven = newest_of(points, &all(&|point| point.verified), usize::from(retention.keep_verified));
    // By our clock, which may be wrong, and by AWS's, which made both.
    let is_old = |point: &Kept| {
        let old = |than: Timestamp| than.duration_since(point.made) >= min_age;
        old(now) && old(newest) || sabotage::is(Bug::ExpiresYoung)
    };
    let goes = |(index, point): &(usize, &Kept)| {
        let stays = if point.counts {
            keeping.contains(index)
        } else {
            let with: BTreeSet<usize> = counting.iter().copied().chain([*index]).collect();
            kept(points, &with, retention, zone).contains(index)
        };
        !stays && !proven.contains(index) && point.made < newest && is_old(point)
    };
    points.iter().enumerate().filter(goes).map(|(index, _)| index).collect()
}

/// What the places of a retention keep, of those that fill them.
fn kept(points: &[Kept], of: &BTreeSet<usize>, retention: &Retention, zone: &TimeZone) -> BTreeSet<usize> {
    let mut kept = newest_of(points, of, usize::from(retention.last.max(1)));
    let day = |at: Timestamp| {
        let date = at.to_zoned(zone.clone()).date();
        (date.year(), i16::from(date.month()), i16::from(date.day()))
    };
    let week = |at: Timestamp| {
        let week = at.to_zoned(zone.clone()).date().iso_week_date();
        (week.year(), i16::from(week.week()), 0)
    };
    let month = |at: Timestamp| {
        let date = at.to_zoned(zone.clone()).date();
        (date.year(), i16::from(date.month()), 0)
    };
    kept.extend(newest_of_each(points, of, retention.daily, &day));
    kept.extend(newest_of_each(points, of, retention.weekly, &week));
    kept.extend(newest_of_each(points, of, retention.monthly, &month));
    kept
}

fn newest_of(points: &[Kept], of: &BTreeSet<usize>, number: usize) -> BTreeSet<usize> {
    let mut sorted: Vec<(Timestamp, usize)> =
        of.iter().filter_map(|index| Some((points.get(*index)?.made, *index))).collect();
    sorted.sort_unstable();
    sorted.into_iter().rev().take(number).map(|(_, index)| index).collect()
}

/// The newest of each of the last so many periods that have one: of periods that have one, and not of the last ones by a
/// clock, so that no clock and no downtime expires anything.
fn newest_of_each(
    points: &[Kept],
    of: &BTreeSet<usize>,
    number: u16,
    period: &dyn Fn(Timestamp) -> (i16, i16, i16),
) -> BTreeSet<usize> {
    let mut newest: BTreeMap<(i16, i16, i16), (Timestamp, usize)> = BTreeMap::new();
    for index in of {
        let Some(point) = points.get(*index) else { continue };
        let place = newest.entry(period(point.made)).or_insert((point.made, *index));
        *place = (*place).max((point.made, *index));
    }
    newest.into_values().rev().take(usize::from(number)).map(|(_, index)| index).collect()
}

#[cfg(test)]
mod tests;

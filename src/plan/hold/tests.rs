//! What is held and until when, in every night in which clocks change too.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use proptest::prelude::*;

use super::*;
use crate::model::{FreezeScope, Schedule, Thawed, When, Window};

const HOUR: Duration = Duration::from_hours(1);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn cron(pattern: &str, zone: &str, hours: u32) -> Window {
    Window { when: When::Recurring(Box::new(Schedule::new(pattern, zone).unwrap()), HOUR * hours), because: None }
}

fn once(from: &str, until: &str) -> Window {
    Window { when: When::Once(Some(at(from)), Some(at(until))), because: Some("year-end".to_owned()) }
}

fn freeze(scope: &str, until: Option<&str>) -> Freeze {
    Freeze {
        id: "f1".to_owned(),
        scope: scope.parse::<FreezeScope>().unwrap(),
        by: "ada".to_owned(),
        because: "an incident".to_owned(),
        at: at("2026-01-01T00:00:00Z"),
        until: until.map(at),
        after: 0,
        thawed: None,
    }
}

/// The table at the top of the module.
#[test]
fn what_a_freeze_and_a_closed_window_hold() {
    let key: Key = "prod/backuppolicy/tables".parse().unwrap();
    let now = at("2026-06-01T00:00:00Z");
    let closed = Windows { allow: Vec::new(), deny: vec![once("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")] };
    let open = Windows::default();
    for (effect, by_freeze, by_naming, by_window) in [
        (Effect::Begins, true, true, true),
        (Effect::Finishes, true, true, false),
        (Effect::Prepares, true, true, false),
        (Effect::Adds, false, true, false),
        (Effect::Notes, false, false, false),
    ] {
        let holds = |windows, freezes: &[Freeze]| !hold(&key, effect, windows, freezes, now).is_empty();
        assert_eq!(holds(&open, &[freeze("prod", None)]), by_freeze, "{effect:?}");
        assert_eq!(holds(&open, &[freeze("*/backuppolicy", None)]), by_naming, "{effect:?}");
        assert_eq!(holds(&closed, &[]), by_window, "{effect:?}");
        assert!(!holds(&open, &[freeze("dev", None)]), "{effect:?}");
    }
}

#[test]
fn every_hold_is_named_and_says_when_it_ends() {
    let key: Key = "prod/stack/network".parse().unwrap();
    let now = at("2026-06-01T00:00:00Z");
    let windows = Windows { allow: Vec::new(), deny: vec![once("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")] };
    let freezes = [
        freeze("*", Some("2026-06-02T00:00:00Z")),
        freeze("prod/stack", None),
        freeze("prod", Some("2026-06-01T00:00:00Z")),
        Freeze { thawed: Some(Thawed { by: "bob".to_owned(), at: now, after: 0 }), ..freeze("prod", None) },
    ];
    let held = hold(&key, Effect::Begins, &windows, &freezes, now);
    let [Waiting::Frozen { until: first, .. }, Waiting::Frozen { until: second, by, because, .. }, window] =
        held.as_slice()
    else {
        panic!("{held:?}")
    };
    assert_eq!((*first, *second), (Some(at("2026-06-02T00:00:00Z")), None));
    assert_eq!((by.as_str(), because.as_str()), ("ada", "an incident"));
    let opens = Some(at("2027-01-01T00:00:00Z"));
    assert_eq!(*window, Waiting::Window { opens, because: Some("year-end".to_owned()) });
}

#[test]
fn windows_that_allow_add_up_and_one_that_denies_counts_for_more() {
    let windows = Windows {
        allow: vec![cron("0 8 * * Mon-Fri", "UTC", 2), cron("0 9 * * *", "UTC", 3)],
        deny: vec![once("2026-01-05T11:00:00Z", "2026-01-06T08:30:00Z")],
    };
    // 2026-01-05 is a Monday.
    for (now, open) in [
        ("2026-01-05T07:59:59Z", false),
        ("2026-01-05T08:00:00Z", true),
        ("2026-01-05T10:59:59Z", true),
        ("2026-01-05T11:00:00Z", false),
        ("2026-01-06T08:29:59Z", false),
        ("2026-01-06T08:30:00Z", true),
        ("2026-01-06T12:00:00Z", false),
        ("2026-01-10T08:00:00Z", false),
        ("2026-01-10T09:00:00Z", true),
    ] {
        assert_eq!(is_open_at(&windows, at(now)), open, "{now}");
    }
    assert_eq!(opens_at(&windows, at("2026-01-05T11:00:00Z")), Some(at("2026-01-06T08:30:00Z")));
}

#[test]
fn windows_that_abut_are_one() {
    let days = [("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"), ("2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z")];
    let windows = || days.iter().map(|(from, until)| once(from, until)).collect();
    let deny = Windows { allow: Vec::new(), deny: windows() };
    assert_eq!(opens_at(&deny, at("2026-01-01T12:00:00Z")), Some(at("2026-01-03T00:00:00Z")));
    let allow = Windows { allow: windows(), deny: Vec::new() };
    assert!(is_open_at(&allow, at("2026-01-01T23:59:59Z")) && is_open_at(&allow, at("2026-01-02T00:00:00Z")));
}

#[test]
fn windows_that_never_open_again_say_so() {
    let never = [
        Windows { allow: vec![once("2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z")], deny: Vec::new() },
        Windows { allow: Vec::new(), deny: vec![Window { when: When::Once(None, None), because: None }] },
        Windows { allow: Vec::new(), deny: vec![cron("0 0 * * *", "UTC", 24)] },
        Windows { allow: vec![cron("0 8 * * *", "UTC", 2)], deny: vec![cron("0 7 * * *", "UTC", 4)] },
    ];
    for windows in never {
        assert_eq!(opens_at(&windows, at("2026-06-01T00:00:00Z")), None, "{windows:?}");
    }
}

/// The nights in which clocks change, in Berlin: a window is as long by a stopwatch as it says.
#[test]
fn a_window_is_as_long_as_it_says_in_the_night_in_which_clocks_change() {
    let windows = Windows { allow: vec![cron("0 22 * * *", "Europe/Berlin", 8)], deny: Vec::new() };
    for (opens, closes) in [
        ("2026-01-10T21:00:00Z", "2026-01-11T05:00:00Z"),
        // Two becomes three: it closes at seven by the clock on the wall.
        ("2026-03-28T21:00:00Z", "2026-03-29T05:00:00Z"),
        ("2026-10-24T20:00:00Z", "2026-10-25T04:00:00Z"),
    ] {
        let (opens, closes) = (at(opens), at(closes));
        let second = SignedDuration::from_secs(1);
        assert!(!is_open_at(&windows, opens - second) && is_open_at(&windows, opens), "{opens}");
        assert!(is_open_at(&windows, closes - second) && !is_open_at(&windows, closes), "{closes}");
    }
}

const ZONES: [&str; 6] =
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca"];

fn moments() -> impl Strategy<Value = Timestamp> {
    // Two years, to the minute: each has two nights in which clocks change.
    (0_i64..2 * 366 * 24 * 60).prop_map(|minute| at("2026-01-01T00:00:00Z") + SignedDuration::from_mins(minute))
}

fn any_window() -> impl Strategy<Value = Window> {
    let recurring = (0_u8..24, prop::sample::select(vec!["*", "Mon-Fri", "Sat,Sun", "Mon"]), 0..ZONES.len(), 1_u32..30)
        .prop_map(|(hour, days, zone, hours)| cron(&format!("30 {hour} * * {days}"), ZONES[zone], hours));
    let absolute = (moments(), 1_i64..5_000).prop_map(|(from, minutes)| Window {
        when: When::Once(Some(from), Some(from + SignedDuration::from_mins(minutes))),
        because: None,
    });
    prop_oneof![recurring, absolute]
}

fn any_windows() -> impl Strategy<Value = Windows> {
    (prop::collection::vec(any_window(), 0..3), prop::collection::vec(any_window(), 0..3))
        .prop_map(|(allow, deny)| Windows { allow, deny })
}

/// Whether a window that opens every day is open, counted on a calendar: days of its zone, and hours by a stopwatch.
fn is_open_by_calendar(zone: &TimeZone, hour: i8, lasts: SignedDuration, now: Timestamp) -> bool {
    let today = now.to_zoned(zone.clone()).date();
    (-3..=1).any(|day| {
        let opens = (today + day.days()).at(hour, 30, 0, 0).to_zoned(zone.clone()).unwrap().timestamp();
        opens <= now && now.duration_since(opens) < lasts
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Changes may begin at the moment that is named, and at none before: asked every ten minutes.
    #[test]
    fn the_next_opening_is_the_first(windows in any_windows(), now in moments()) {
        let step = SignedDuration::from_mins(10);
        let opens = opens_at(&windows, now);
        if let Some(opens) = opens {
            prop_assert!(opens >= now && is_open_at(&windows, opens));
            prop_assert!(opens == now || !is_open_at(&windows, opens - SignedDuration::from_secs(1)));
        }
        let until = opens.unwrap_or(Timestamp::MAX).min(now + SignedDuration::from_hours(10 * 24));
        let mut moment = now;
        while moment < until {
            prop_assert!(!is_open_at(&windows, moment), "{windows:?} is open at {moment}, before {opens:?}");
            moment += step;
        }
    }

    /// The same answer as a calendar gives, in every night in which clocks change too; but where the opening itself is at a
    /// time that there is twice or not at all.
    #[test]
    fn a_daily_window_is_open_as_on_a_calendar(
        hour in 0_i8..24, hours in 1_i64..24, zone in 0..ZONES.len(), now in moments(),
    ) {
        let lasts = SignedDuration::from_hours(hours);
        let windows = Windows {
            allow: vec![cron(&format!("30 {hour} * * *"), ZONES[zone], u32::try_from(hours).unwrap())],
            deny: Vec::new(),
        };
        let zone = Schedule::find_zone(ZONES[zone]).unwrap();
        let today = now.to_zoned(zone.clone()).date();
        let is_odd = (-3..=1).any(|day| {
            let local = (today + day.days()).at(hour, 30, 0, 0);
            zone.to_ambiguous_zoned(local).is_ambiguous()
        });
        if !is_odd {
            prop_assert_eq!(is_open_at(&windows, now), is_open_by_calendar(&zone, hour, lasts, now));
        }
    }
}

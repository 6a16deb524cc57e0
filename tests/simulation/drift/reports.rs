//! Reports that the daemon leaves in a bucket: one a day, so many of them, whole, and whatever is lost on the way.

use std::collections::BTreeSet;

use landfast::controller::{ReportPlace, Reports};
use landfast::ports::Cloud as _;

use super::*;
use crate::run::LOST;

const BUCKET: &str = "ops-reports";

fn reports() -> Reports {
    let place: ReportPlace = format!("s3://{BUCKET}/drift").parse().unwrap();
    Reports { places: vec![place], every: HOUR * 24, keep: 3 }
}

fn world() -> World {
    World::with(REPORT, SimConfig { buckets: Some([BUCKET.to_owned()].into()), ..SimConfig::default() })
}

impl World {
    /// The part of a daemon that leaves reports runs for so long, or until it has waited `dies_at` times. Says how often.
    fn report(&mut self, duration: Duration, dies_at: u64) -> u64 {
        let controller = self.begin(|_| {});
        let desired = self.desired(controller.store());
        controller.board.publish(desired, &BTreeSet::new());
        let reports = reports();
        self.lives_on(Box::pin(reports.keep_writing(&controller)), duration, dies_at)
    }

    /// What lies below the prefix.
    fn left(&self) -> Vec<String> {
        let objects = self.cloud.inventory().objects;
        objects.into_iter().filter_map(|(_, key)| key.strip_prefix("drift/dev/").map(str::to_owned)).collect()
    }

    /// Whole reports; whatever else is there is wrong.
    fn stamps(&self) -> Vec<String> {
        let mut left: BTreeSet<String> = self.left().into_iter().collect();
        assert!(left.remove("drift-latest.html") && left.remove("drift-latest.json"), "{left:?}");
        let stamps: Vec<String> =
            left.iter().filter_map(|name| name.strip_suffix(".html")).map(str::to_owned).collect();
        assert_eq!(left.len(), stamps.len() * 2, "{left:?}");
        assert!(stamps.iter().all(|stamp| left.contains(&format!("{stamp}.json"))), "{left:?}");
        stamps
    }
}

#[test]
fn a_bucket_gets_a_report_a_day_and_keeps_the_newest() {
    let mut world = world();
    world.run(HOUR);
    world.console().put_object(BUCKET, "drift/dev/notes.html", "mine");
    world.console().put_object(BUCKET, "drift/dev/drift-of-mine.html", "mine");
    world.report(HOUR * 24 * 5, FOREVER);
    // Restarts write no more of them.
    for _ in 0..10 {
        world.report(HOUR, FOREVER);
    }
    let left = world.left();
    assert!(left.contains(&"notes.html".to_owned()) && left.contains(&"drift-of-mine.html".to_owned()), "{left:?}");
    let of = |day: &str| left.iter().filter(|name| name.starts_with(&format!("drift-202601{day}T0101"))).count();
    assert_eq!((of("03"), of("04"), of("05")), (0, 2, 2), "{left:?}");
    assert_eq!(left.iter().filter(|name| name.starts_with("drift-2026")).count(), 6, "{left:?}");
    assert!(left.contains(&"drift-latest.html".to_owned()) && left.contains(&"drift-latest.json".to_owned()));
}

#[test]
fn a_report_of_the_daemon_has_what_was_changed_of_objects_themselves_too() {
    let mut world = world();
    world.run(HOUR);
    world.tamper("Queue", "/DelaySeconds", json!("9"));
    world.run(HOUR * 7);
    world.console().set_tag(&stack(), "Edition", "mine").unwrap();
    world.report(HOUR, FOREVER);
    let port = world.cloud.objects(&world.scope, None);
    let text = world.clock.drive(port.get(BUCKET, "drift/dev/drift-latest.json")).unwrap().unwrap().unwrap();
    let report: Json = serde_json::from_str(&text).unwrap();
    let findings = report["items"][0]["findings"].as_array().unwrap();
    let places: Vec<&str> = findings.iter().filter_map(|finding| finding["property"].as_str()).collect();
    assert_eq!((places.len(), report["summary"]["differences"].as_u64()), (2, Some(2)), "{text}");
}

#[test]
fn a_report_is_whole_wherever_the_daemon_dies_and_whatever_answer_is_lost() {
    let mut undisturbed = world();
    undisturbed.report(HOUR * 24 * 4, FOREVER);
    let expected = undisturbed.stamps().len();
    assert_eq!(expected, 3);
    for nth in 1..80 {
        let mut world = world();
        world.report(HOUR * 24 * 4, nth);
        world.report(HOUR * 24 * 5, FOREVER);
        assert_eq!(world.stamps().len(), expected, "dead at {nth}");
    }
    for nth in 0..40 {
        for fault in LOST {
            let mut world = world();
            world.cloud.set_faults(FaultPlan { calls: [(nth, fault.clone())].into(), ..FaultPlan::default() });
            world.report(HOUR * 24 * 5, FOREVER);
            assert_eq!(world.stamps().len(), expected, "{fault:?} at call {nth}");
        }
    }
}

#[test]
fn a_bucket_that_is_missing_is_asked_for_now_and_then() {
    let mut world = World::with(REPORT, SimConfig { buckets: Some(BTreeSet::new()), ..SimConfig::default() });
    world.report(HOUR * 24, FOREVER);
    let asked = world.cloud.calls();
    assert!((20..120).contains(&asked), "{asked} calls");
    assert_eq!(world.left(), Vec::<String>::new());
}

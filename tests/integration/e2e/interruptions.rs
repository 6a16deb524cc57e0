//! Killed, stopped, and not alone.

use std::time::{Duration, Instant};

use landfast::model::{ChangeSetStatus, StackStatus};

use super::place::{Place, until};
use crate::contract::{all, events};

/// A small generator: which moments are hit is printed, and can be repeated with `LANDFAST_SEED`.
struct Moments(u64);

impl Moments {
    fn new() -> Self {
        let seed = std::env::var("LANDFAST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
        eprintln!("LANDFAST_SEED={seed}");
        Self(seed)
    }

    /// Some milliseconds below `limit` (`SplitMix64`).
    fn below(&mut self, limit: u64) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Duration::from_millis((value ^ (value >> 31)) % limit)
    }
}

#[tokio::test]
async fn killed_again_and_again_it_ends_where_it_would_have_ended() {
    let Some(place) = Place::new(Duration::from_secs(1)) else { return };
    let mut moments = Moments::new();
    for round in 0..10 {
        let mut daemon = place.start(&["run"]);
        let moment = Duration::from_millis(100) + moments.below(2500);
        std::thread::sleep(moment);
        assert!(!daemon.has_ended(), "{}", daemon.log());
        daemon.kill();
        eprintln!("round {round}: killed after {moment:?}, {} stacks", place.list().await.len());
    }
    place.run(&["run", "--once"]).exits(0);
    let deployed = place.list().await;
    assert_eq!(deployed.len(), 12);
    let stacks = place.stacks().await;
    for (name, stack) in &deployed {
        assert_eq!(stack.status, StackStatus::CreateComplete, "{name}");
        let begun = events(&*stacks, &stack.id).await;
        let begun = begun.iter().filter(|event| event.resource == stack.name.as_str());
        assert_eq!(begun.filter(|event| event.status == "CREATE_IN_PROGRESS").count(), 1, "{name}");
    }
    place.run(&["plan", "dev"]).exits(0);

    // The same while it changes what there is.
    place.edit("environments/dev/dev-parameters.json", r#""LogRetentionDays": "7""#, r#""LogRetentionDays": "14""#);
    for round in 0..8 {
        let mut daemon = place.start(&["run"]);
        let moment = Duration::from_millis(100) + moments.below(2000);
        std::thread::sleep(moment);
        daemon.kill();
        eprintln!("round {round}: killed after {moment:?}");
    }
    place.run(&["run", "--once"]).exits(0);
    for (name, stack) in &place.list().await {
        let begun = events(&*stacks, &stack.id).await;
        let begun = begun.iter().filter(|event| event.resource == stack.name.as_str());
        let updates = begun.filter(|event| event.status == "UPDATE_IN_PROGRESS").count();
        assert_eq!(updates, usize::from(stack.parameters.contains_key("LogRetentionDays")), "{name}");
        assert!(
            all(|page| stacks.change_sets(&stack.id, page))
                .await
                .iter()
                .all(|left| left.status == ChangeSetStatus::Spent)
        );
    }
    place.run(&["plan", "dev"]).exits(0);
}

#[tokio::test]
async fn told_to_stop_it_ends_soon_and_begins_nothing_more() {
    let Some(place) = Place::new(Duration::from_secs(1)) else { return };
    let mut daemon = place.start(&["run"]);
    until("several stacks were begun", || place.recorder.mutations().len() >= 4);
    let told = Instant::now();
    let (code, took) = daemon.terminate();
    assert_eq!(code, Some(0), "{}", daemon.log());
    eprintln!("stopped after {took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    std::thread::sleep(Duration::from_secs(1));
    // The signal itself takes a moment to arrive.
    let late = place.recorder.mutations().into_iter().filter(|call| call.at > told + Duration::from_millis(300));
    assert_eq!(late.count(), 0);
    assert!(place.list().await.len() < 12);
    place.run(&["run", "--once"]).exits(0);
    assert_eq!(place.list().await.len(), 12);
    assert_eq!(place.recorder.counts().get("CreateStack"), Some(&12));
}

#[tokio::test]
async fn a_second_process_may_look_but_not_touch() {
    let Some(place) = Place::new(Duration::ZERO) else { return };
    let mut daemon = place.start(&["run"]);
    until("everything is ready", || daemon.log().contains("12 of 12 objects ready"));
    place.recorder.forget();
    let refused = place.run(&["apply", "dev", "--yes"]).exits(1);
    assert!(refused.err.contains("another"), "{}", refused.err);
    // The daemon goes on looking meanwhile.
    let looks = ["DetectStackDrift", "DetectStackResourceDrift", "LookupEvents"];
    assert!(place.recorder.mutations().iter().all(|call| looks.contains(&&*call.action)));
    let status = place.run(&["status", "dev"]).exits(0);
    assert!(status.err.contains("state is in use by another Landfast process"), "{}", status.err);
    assert!(status.out.contains("12 of 12 objects in sync"), "{}", status.out);
    assert_eq!(daemon.terminate().0, Some(0));
    place.run(&["apply", "dev", "--yes"]).exits(0);
}

//! The daemon, and what it makes of edits.

use std::time::{Duration, Instant};

use super::place::{Place, until};

const PARAMETERS: &str = "environments/dev/dev-parameters.json";

fn ready(place: &super::place::Running) -> bool {
    place.log().contains("12 of 12 objects ready")
}

#[tokio::test]
async fn the_daemon_updates_what_an_edit_concerns_and_nothing_else() {
    let Some(place) = Place::new(Duration::ZERO) else { return };
    place.run(&["apply", "dev", "--yes"]).exits(0);
    let before = place.list().await;
    place.recorder.forget();
    let mut daemon = place.start(&["run", "-vv"]);
    until("everything is ready", || ready(&daemon));
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(place.recorder.mutations().len(), 0);
    place.recorder.forget();

    let saved = Instant::now();
    place.edit(PARAMETERS, r#""LogRetentionDays": "7""#, r#""LogRetentionDays": "14""#);
    until("it has looked", || !place.recorder.calls().is_empty());
    let noticed = place.recorder.calls()[0].at - saved;
    let wanted = ["ecs-cluster", "ecs-service", "elasticache", "msk", "network", "security"];
    until("six stacks were changed", || {
        place.recorder.mutations().iter().filter(|call| call.action == "ExecuteChangeSet").count() == wanted.len()
    });
    until("everything is ready again", || daemon.log().matches("12 of 12 objects ready").count() == 2);
    eprintln!("from saving to the first call {noticed:?}, to the end {:?}", saved.elapsed());
    assert!(noticed < Duration::from_secs(3), "{noticed:?}");
    let after = place.list().await;
    let moved = after.iter().filter(|(name, stack)| stack.updated != before[*name].updated);
    assert_eq!(moved.map(|(name, _)| name.as_str()).collect::<Vec<_>>(), wanted);
    let unlike = after.iter().filter(|(name, stack)| **stack != before[*name]);
    assert_eq!(unlike.count(), wanted.len());

    // A comment is no difference: nobody is troubled with it.
    place.recorder.forget();
    let loaded = daemon.log().matches("revision loaded").count();
    place.append("performance-mgmt/templates/network.yaml", "\n# Only a remark.\n");
    until("it has read the comment", || daemon.log().matches("revision loaded").count() > loaded);
    until("it has looked", || !place.recorder.calls().is_empty());
    let idle = daemon.cpu();
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(place.recorder.mutations().len(), 0, "{:?}", place.recorder.mutations());
    assert_eq!(place.list().await, after);
    if let (Some(before), Some(after)) = (idle, daemon.cpu()) {
        let used = after.saturating_sub(before);
        eprintln!("processor time in four idle seconds: {used:?}");
        assert!(used < Duration::from_millis(400), "{used:?}");
    }
    let (code, took) = daemon.terminate();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn a_removed_manifest_deletes_only_with_consent_to_exactly_that() {
    let Some(place) = Place::new(Duration::ZERO) else { return };
    place.run(&["apply", "dev", "--yes"]).exits(0);
    place.remove("monitoring");
    let unasked = place.run(&["apply", "dev", "--yes"]).exits(3);
    assert!(unasked.out.contains("waits for approval"), "{}", unasked.out);
    assert!(place.list().await.contains_key("monitoring"));
    let planned = place.run(&["plan", "dev"]).exits(2);
    assert!(planned.out.contains("will be DELETED"), "{}", planned.out);
    // The world moves: that plan is not this plan any more.
    place.remove("security");
    let stale = place.run(&["apply", "dev", "--plan", &planned.digest()]).exits(3);
    assert!(stale.err.contains("the plan changed since"), "{}", stale.err);
    assert_eq!(place.list().await.len(), 12);
    let planned = place.run(&["plan", "dev"]).exits(2);
    place.run(&["apply", "dev", "--plan", &planned.digest()]).exits(0);
    let left = place.list().await;
    assert_eq!(left.len(), 10, "{:?}", left.keys());
    assert!(!left.contains_key("monitoring") && !left.contains_key("security"));
    place.run(&["plan", "dev"]).exits(0);
}

#[tokio::test]
async fn run_once_ends_when_everything_is_done() {
    let Some(place) = Place::new(Duration::ZERO) else { return };
    place.run(&["run", "--once"]).exits(0);
    assert_eq!(place.list().await.len(), 12);
    place.run(&["run", "--once"]).exits(0);
    assert_eq!(place.recorder.counts().get("CreateStack"), Some(&12));
}

#[tokio::test]
async fn a_daemon_deletes_what_another_process_has_approved_and_nothing_else() {
    let Some(place) = Place::new(Duration::ZERO) else { return };
    place.run(&["apply", "dev", "--yes"]).exits(0);
    let mut daemon = place.start(&["run", "-v"]);
    until("everything is ready", || ready(&daemon));
    place.remove("monitoring");
    until("it waits for a person", || daemon.log().contains("landfast apply dev --plan"));
    let refused = place.run(&["apply", "dev", "--yes"]).exits(1);
    assert!(refused.err.contains("in use by another Landfast"), "{}", refused.err);
    place.run(&["apply", "dev", "--plan", "000000000000"]).exits(0);
    let planned = place.run(&["plan", "dev"]).exits(2);
    std::thread::sleep(Duration::from_secs(3));
    assert!(place.list().await.contains_key("monitoring"), "another plan was approved");
    let left = place.run(&["apply", "dev", "--plan", &planned.digest()]).exits(0);
    assert!(left.err.contains("the approval was sent to it"), "{}", left.err);
    until("it has acted", || daemon.log().contains("deletion succeeded"));
    assert_eq!(place.list().await.len(), 11);
    assert_eq!(daemon.terminate().0, Some(0));
}

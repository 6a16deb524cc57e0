//! What a daemon says of itself: in its log, line by line, and in the state directory, for whoever looks beside it.

use std::fs;

use serde_json::Value;

use super::place::{Place, said, until};

#[test]
fn every_line_of_the_log_is_an_event_with_time_and_level() {
    let place = Place::new();
    let mut daemon = place.start(&["--log-format", "json"]);
    until("everything is ready", || daemon.log().contains("1 of 1 object ready"));
    place.write("app/stacks.yaml", "apiVersion: landfast/v1\nkind: Stak\n");
    until("an error is told", || daemon.log().contains("unknown-kind"));
    // Looked at again, and not told again.
    std::thread::sleep(std::time::Duration::from_secs(5));
    place.edit(2);
    assert_eq!(daemon.terminate().0, Some(0), "{}", daemon.log());
    let log = daemon.log();
    let events: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("no event ({error}): {line}")))
        .collect();
    for event in &events {
        assert!(event["timestamp"].is_string() && event["level"].is_string(), "{event}");
    }
    let messages: Vec<&str> = events.iter().filter_map(|event| event["message"].as_str()).collect();
    assert_eq!(messages.first(), Some(&"started"), "{messages:?}");
    assert_eq!(events[0]["pid"].as_u64(), Some(u64::from(daemon.child.id())));
    assert!(messages.last().is_some_and(|last| last.starts_with("stopped")), "{messages:?}");
    let wrong = events.iter().filter(|event| event["code"] == "unknown-kind");
    assert_eq!(wrong.clone().count(), 1, "{log}");
    assert!(wrong.clone().all(|event| event["level"] == "ERROR"), "{log}");
}

#[test]
fn what_the_daemon_saw_is_shown_beside_it_whatever_is_on_disk() {
    let place = Place::new();
    let mut daemon = place.start(&[]);
    until("everything is ready", || daemon.log().contains("1 of 1 object ready"));
    let shows = |arguments: &[&str], code: i32, parts: &[&str]| {
        until(&format!("{arguments:?} shows {parts:?}"), || {
            let output = place.run(arguments);
            let said = said(&output);
            output.status.code() == Some(code) && parts.iter().all(|part| said.contains(part))
        });
    };
    let pid = format!("daemon: pid {}, landfast ", daemon.child.id());
    shows(&["status", "--cached"], 0, &[&pid, "dev/stack/one  True   Synced  Healthy", "1 of 1 object in sync"]);
    shows(&["status", "dev"], 0, &[&pid, "1 of 1 object in sync"]);
    shows(&["status", "dev/stack/one", "-o", "json"], 0, &["\"sync\": \"Synced\""]);
    shows(&["status", "nowhere"], 64, &["no environment or object is named `nowhere`"]);

    let good = fs::read_to_string(place.manifests().join("environment.yaml")).unwrap();
    place.write("environment.yaml", "kind: [");
    let beside =
        ["this is what the daemon saw last", "1 of 1 object in sync", "the manifests on disk are not what it runs"];
    shows(&["status", "dev"], 65, &beside);
    shows(&["status", "--cached"], 0, &["the manifests on disk are not what it runs"]);
    place.write("environment.yaml", &good);
    until("it is well again", || !said(&place.run(&["status", "--cached"])).contains("are not what it runs"));

    assert_eq!(daemon.terminate().0, Some(0));
    let gone = place.run(&["status", "--cached"]);
    assert_eq!(gone.status.code(), Some(1), "{}", said(&gone));
}

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

#[test]
fn what_the_daemon_runs_is_explained_while_the_manifests_are_broken_and_outlives_it() {
    let place = Place::new();
    let mut daemon = place.start(&[]);
    until("everything is ready", || daemon.log().contains("1 of 1 object ready"));
    let commands = [&["why", "dev/stack/one"][..], &["events", "dev/stack/one"], &["drift", "dev"], &["doctor", "dev"]];
    let mut first = "note: the manifests have 1 error; this is what the daemon runs of dev: revision ";
    let shows = |arguments: &[&str], code: i32, first: &str, part: &str| {
        until(&format!("{arguments:?} ends with {code} and shows {part}"), || {
            let output = place.run(arguments);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            output.status.code() == Some(code) && said.starts_with(first) && said.contains(part)
        });
    };
    let wrong = [
        ("environment.yaml", "kind: [", "environment.yaml", 64),
        ("app/stacks.yaml", "apiVersion: landfast/v1\nkind: Stak\n", "unknown-kind", 65),
    ];
    for (file, text, part, planned) in wrong {
        let good = fs::read_to_string(place.manifests().join(file)).unwrap();
        place.write(file, text);
        for arguments in commands {
            shows(arguments, 65, first, part);
        }
        // What would be done is asked of the manifests as they are.
        shows(&["plan", "dev"], planned, "", part);
        place.write(file, &good);
        shows(&["why", "dev/stack/one"], 0, "", "");
    }
    let away = place.dir.path().join("away");
    fs::rename(place.manifests(), &away).unwrap();
    first = "note: the manifests could not be read (";
    for arguments in commands {
        shows(&[arguments, &["--manifests", "manifests"]].concat(), 65, first, "the daemon runs of dev: revision ");
    }
    fs::rename(&away, place.manifests()).unwrap();
    place.edit(2);
    until("it is followed", || daemon.log().matches("revision loaded").count() > 1);
    until("one copy is kept", || fs::read_dir(place.state().join("followed")).unwrap().count() == 1);
    let open: Vec<_> = super::place::modes(&place.state().join("followed"))
        .into_iter()
        .filter(|(_, mode)| mode & 0o077 != 0)
        .collect();
    assert!(open.is_empty(), "{open:?}");

    // Another daemon begins while they are broken.
    assert_eq!(daemon.terminate().0, Some(0));
    place.write("app/stacks.yaml", "apiVersion: landfast/v1\nkind: Stak\n");
    shows(&["why", "dev/stack/one"], 65, "", "unknown-kind");
    let daemon = place.start(&[]);
    until("it continues", || daemon.log().contains("1 of 1 object ready"));
    shows(&["why", "dev/stack/one"], 65, "note: the manifests have 1 error; this is what the daemon runs of dev", "");
}

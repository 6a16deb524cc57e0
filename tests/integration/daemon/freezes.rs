//! Freezes beside a daemon, and with a command of its own: what is said, what is done, and with which exit code.

use serde_json::Value;

use super::place::{Place, said, until};

fn list(place: &Place) -> Value {
    let output = place.run(&["queue", "-o", "json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(&output)))
}

#[test]
fn a_freeze_beside_a_daemon_holds_from_when_the_command_ends_until_it_is_thawed() {
    let place = Place::new();
    let mut daemon = place.start(&[]);
    until("everything is ready", || daemon.log().contains("1 of 1 object ready"));
    let frozen = place.run(&["freeze", "dev", "--because", "a release", "--until-thawed"]);
    let text = said(&frozen);
    assert!(frozen.status.success() && text.contains("dev is frozen until `landfast thaw "), "{text}");
    assert!(!text.contains("not confirmed"), "{text}");
    let before = place.concluded();
    place.edit(1);
    until("the queue has it", || list(&place)["items"][0]["object"] == "dev/stack/one");
    let queue = list(&place);
    assert_eq!(queue["items"][0]["waiting"][0]["for"], "frozen", "{queue}");
    assert_eq!(queue["freezes"][0]["because"], "a release", "{queue}");
    until("the status says so", || said(&place.run(&["status", "--cached"])).contains("because a release"));
    std::thread::sleep(std::time::Duration::from_secs(5));
    assert_eq!(place.concluded(), before, "nothing was begun");
    let thawed = place.run(&["thaw", "dev"]);
    assert!(thawed.status.success() && said(&thawed).contains("Thawed: dev (freeze "), "{}", said(&thawed));
    until("it is applied", || place.concluded() > before);
    assert_eq!(daemon.terminate().0, Some(0), "{}", daemon.log());
    assert!(daemon.log().contains("frozen") && daemon.log().contains("thawed"), "{}", daemon.log());
}

#[test]
fn an_apply_during_a_freeze_says_so_and_ends_with_the_code_of_waiting() {
    let place = Place::new();
    let run = |arguments: &[&str], code: i32, parts: &[&str]| {
        let output = place.run(arguments);
        let said = said(&output);
        assert!(
            output.status.code() == Some(code) && parts.iter().all(|part| said.contains(part)),
            "{arguments:?}: {said}"
        );
    };
    run(&["freeze", "--because", "an incident", "--for", "90d"], 0, &["* is frozen until 20"]);
    run(&["freeze", "dev/stack", "--because", "tests", "--until-thawed"], 0, &["dev/stack is frozen"]);
    run(&["apply", "dev", "--yes"], 3, &["* is frozen by", "because an incident, until 20", "dev/stack is frozen by"]);
    run(&["why", "dev/stack/one"], 0, &["because an incident"]);
    run(&["queue"], 0, &["an incident", "dev/stack/one  create"]);
    run(&["state", "check"], 0, &["freezes: 2"]);
    run(&["state", "export"], 0, &["\"freezes\"", "an incident"]);
    run(&["thaw"], 0, &["Thawed: *", "dev/stack is still frozen by"]);
    run(&["apply", "dev", "--yes"], 3, &["dev/stack is frozen by"]);
    run(&["thaw", "--all"], 0, &["Thawed: dev/stack"]);
    run(&["thaw", "--all"], 0, &["Nothing is frozen."]);
    run(&["apply", "dev", "--yes"], 0, &["dev is in sync"]);
    // What would hold nothing is refused, and so is what has no reason or no end.
    run(&["freeze", "prod", "--because", "a", "--for", "1h"], 64, &["no environment or object is named `prod`"]);
    run(&["freeze", "dev/pod", "--because", "a", "--for", "1h"], 64, &["kinds are stack"]);
    run(&["freeze", "dev", "--because", " ", "--for", "1h"], 64, &["--because needs a reason"]);
    run(&["freeze", "dev", "--for", "1h"], 64, &["--because"]);
    run(&["freeze", "dev", "--because", "a"], 64, &["--until-thawed"]);
    run(&["freeze", "dev", "--because", "a", "--until", "2020-01-01T00:00:00Z"], 64, &["is in the past"]);
    run(&["freeze", "dev", "--because", "a", "--until", "tomorrow"], 64, &["2026-12-24T18:00[Europe/Berlin]"]);
    run(&["thaw", "dev"], 64, &["no freeze has the ID or the scope `dev`"]);
}

#[test]
fn a_closed_window_is_said_and_apply_ends_with_the_code_of_waiting() {
    let place = Place::new();
    let text = std::fs::read_to_string(place.manifests().join("environment.yaml")).unwrap();
    let windows =
        "policy: { windows: [{ deny: { from: 2020-01-01T00:00, until: 2999-01-01T00:00 }, because: the audit }], ";
    place.write("environment.yaml", &text.replace("policy: { ", windows));
    let apply = place.run(&["apply", "dev", "--yes"]);
    let opens = "the maintenance window that opens at 2999-01-01T00:00:00Z (the audit)";
    assert!(apply.status.code() == Some(3) && said(&apply).contains(opens), "{}", said(&apply));
    let queue = said(&place.run(&["queue", "dev"]));
    assert!(queue.contains("The maintenance windows of dev open at 2999-01-01"), "{queue}");
    place.write("environment.yaml", &text);
    assert!(place.run(&["apply", "dev", "--yes"]).status.success());
}

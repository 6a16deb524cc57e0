//! The manifests of the event queue: that they deploy, and that their rules send what is read and little else.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use landfast::events;
use serde_json::Value;

use crate::e2e::place::Place;

/// AWS: *Amazon EventBridge quotas*, "Event pattern size".
const PATTERN_MAX: usize = 2048;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The patterns of the rules of an account, by name.
fn patterns() -> BTreeMap<String, Value> {
    let text = fs::read_to_string(root().join("manifests/ops/templates/event-rules.yaml")).unwrap();
    let template: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
    let resources = template["Resources"].as_mapping().unwrap();
    let patterns = resources.iter().filter_map(|(_, resource)| {
        let properties = resource.get("Properties")?;
        let pattern = serde_json::to_value(properties.get("EventPattern")?).unwrap();
        Some((properties["Name"].as_str().unwrap().to_owned(), pattern))
    });
    patterns.collect()
}

/// Whether an event matches a pattern, as far as these patterns go (AWS: *Comparison operators for use in event patterns*).
fn matches(pattern: &Value, event: &Value) -> bool {
    match pattern {
        Value::Object(fields) => fields.iter().all(|(name, pattern)| match name.as_str() {
            "$or" => pattern.as_array().unwrap().iter().any(|one| matches(one, event)),
            _ => matches(pattern, &event[name]),
        }),
        Value::Array(any) => any.iter().any(|one| accepts(one, event)),
        _ => panic!("not a pattern: {pattern}"),
    }
}

fn accepts(one: &Value, value: &Value) -> bool {
    if let Some(values) = value.as_array() {
        return values.iter().any(|value| accepts(one, value));
    }
    let text = value.as_str().unwrap_or_default();
    let Some(operator) = one.as_object() else { return one == value };
    match operator.iter().next().unwrap() {
        (name, argument) if name == "prefix" => text.starts_with(argument.as_str().unwrap()),
        (name, argument) if name == "suffix" => text.ends_with(argument.as_str().unwrap()),
        (name, argument) if name == "exists" => value.is_null() != argument.as_bool().unwrap(),
        (name, argument) if name == "anything-but" => !value.is_null() && !argument.as_array().unwrap().contains(value),
        (name, _) => panic!("an unknown operator: {name}"),
    }
}

#[test]
fn the_rules_send_what_is_read_and_little_else() {
    let patterns = patterns();
    assert_eq!(patterns.len(), 6, "{:?}", patterns.keys());
    for (name, pattern) in &patterns {
        let size = pattern.to_string().len();
        assert!(size <= PATTERN_MAX, "{name} has {size} characters");
        assert!(name.starts_with("landfast-"), "{name}: the policy of landfast-events-unsent allows landfast-* only");
    }
    // About other resources, or before AWS says of what: nothing of the event says so where a rule could see it.
    let in_vain = ["backup-job-of-a-volume", "backup-restore-begun"];
    // Sent by its schedule, and not by a pattern.
    let scheduled = ["heartbeat"];
    for entry in fs::read_dir(root().join("tests/fuzz/corpus/events")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let body = fs::read_to_string(&path).unwrap();
        let event: Value = serde_json::from_str(&body).unwrap();
        let sent: Vec<&String> =
            patterns.iter().filter(|(_, pattern)| matches(pattern, &event)).map(|(rule, _)| rule).collect();
        let is_read = !events::read(&body).unwrap().about.is_empty();
        let expected = is_read && !scheduled.contains(&name) || in_vain.contains(&name);
        assert_eq!(sent.len(), usize::from(expected), "{name} is sent by {sent:?}");
    }
}

#[test]
fn the_heartbeat_has_the_name_that_it_is_recognised_by() {
    let text = fs::read_to_string(root().join("manifests/ops/templates/event-rules.yaml")).unwrap();
    assert!(text.contains(&format!("Name: {}\n", events::HEARTBEAT_RULE)));
    assert!(text.contains("ScheduleExpression: rate(1 minute)"));
}

#[test]
fn they_deploy_on_the_simulation_and_are_no_part_of_the_other_manifests() {
    let state = tempfile::tempdir().unwrap();
    let run = |manifests: &str, arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfast"));
        command.args(arguments).arg("--manifests").arg(root().join(manifests)).arg("--state").arg(state.path());
        let output = command.env("LANDFAST_CLOUD", "sim").env("NO_COLOR", "1").output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code().unwrap(), text)
    };
    let (code, text) = run("manifests/ops", &["validate"]);
    assert!(code == 0 && text.contains("2 environments, 4 stacks, 0 errors, 0 warnings"), "{text}");
    for environment in ["ops", "prod-events"] {
        let (code, text) = run("manifests/ops", &["apply", environment, "--yes"]);
        assert!(code == 0 && text.contains(&format!("{environment} is in sync")), "{text}");
    }
    let (code, text) = run("manifests", &["validate"]);
    assert!(code == 0 && text.contains("listed in .landfastignore: ops") && !text.contains("event-queue"), "{text}");
}

#[tokio::test]
async fn they_deploy_on_the_emulator_and_preflight_knows_their_queue() {
    let ops = root().join("manifests/ops");
    let read = |file: &str| fs::read_to_string(ops.join(file)).unwrap();
    let files = ["queue/stacks.yaml", "templates/event-queue.yaml", "templates/event-rules.yaml"];
    let environment = read("environments/ops/environment.yaml").replace("999900001111", "ACCOUNT");
    let texts = files.map(|file| (file, read(file)));
    let mut all: Vec<(&str, &str)> = texts.iter().map(|(file, text)| (*file, text.as_str())).collect();
    all.push(("environments/ops/environment.yaml", &environment));
    let Some(place) = Place::of(&all) else { return };
    place.run(&["apply", "ops", "--yes"]).exits(0);

    let url = format!("{}/{}/landfast-events", place.recorder.url, place.account.id);
    let config = place.dir.path().join("landfast.toml");
    let text = format!("[events]\nqueue = '{url}'\nregion = 'us-east-1'\n[[environment]]\nname = ['*']\n");
    fs::write(&config, text).unwrap();
    let ran = place.run(&["preflight", "ops", "--config", config.to_str().unwrap(), "-o", "json"]);
    let events = &ran.json()["events"];
    assert_eq!((&events["queue"], &events["region"]), (&url.into(), &"us-east-1".into()), "{}", ran.text());
    let lines = events["prerequisites"].as_array().unwrap();
    assert_eq!(lines.len(), 6, "{lines:#?}");
    assert!(lines.iter().all(|line| line["met"] == "ok"), "{lines:#?}");
    assert!(lines[2]["found"].as_str().unwrap().contains("landfast-events-dead, after 5 receives"), "{lines:#?}");

    fs::write(&config, fs::read_to_string(&config).unwrap().replace("landfast-events", "missing")).unwrap();
    let ran = place.run(&["preflight", "ops", "--config", config.to_str().unwrap()]).exits(1);
    assert!(ran.out.contains("missing  queue missing: it does not exist"), "{}", ran.text());
}

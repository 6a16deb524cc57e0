//! What is read from events as AWS documents them, and from what is none.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::*;

/// The envelopes of AWS's documentation, one file each. Accounts of twelve digits and names of tables are put in where the
/// documentation's are placeholders.
fn corpus() -> Vec<(String, String)> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/events");
    let files = std::fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = files
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap()))
        .collect();
    found.sort();
    assert!(found.len() > 40);
    found
}

fn event(kind: &str, source: &str, detail: &Value) -> Value {
    json!({
        "version": "0", "id": "1", "detail-type": kind, "source": source, "account": "111122223333",
        "time": "2026-11-30T12:00:00Z", "region": "us-east-1", "resources": [], "detail": detail,
    })
}

fn call(service: &str, parameters: &Value) -> Signal {
    let detail = json!({ "eventSource": format!("{service}.amazonaws.com"), "requestParameters": parameters });
    read(&event("AWS API Call via CloudTrail", &format!("aws.{service}"), &detail).to_string()).unwrap()
}

#[test]
fn what_each_event_of_the_documentation_is_about() {
    let mut table = String::new();
    for (name, body) in corpus() {
        let signal = read(&body).unwrap_or_else(|error| panic!("{name}: {error}"));
        let _ = writeln!(table, "{name}: {} in {} at {}", signal.id, signal.scope, signal.at);
        for subject in &signal.about {
            let _ = writeln!(table, "    {subject}");
        }
        if let Some(Deed { id, at, actor, from, call, reads }) = &signal.deed {
            let from = from.as_deref().unwrap_or("?");
            let _ = writeln!(
                table,
                "    -- {call} by {actor} from {from} at {at}, {id}{}",
                if *reads { " reads" } else { "" }
            );
        }
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/events"));
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!("about", table));
}

#[test]
fn what_is_not_an_event_says_why() {
    let whole = event("ECR Image Action", "aws.ecr", &json!({}));
    let without = |field: &str, value: Value| {
        let mut event = whole.clone();
        event[field] = value;
        read(&event.to_string()).unwrap_err()
    };
    for field in ["id", "detail-type", "source", "account", "time", "region"] {
        for value in [Value::Null, json!(7), json!(""), json!(["x"])] {
            assert_eq!(without(field, value), NoEvent::Field(field));
        }
    }
    assert_eq!(without("account", json!("1112223333")), NoEvent::Field("account"));
    assert_eq!(without("account", json!("１１１１２２２２３３３３")), NoEvent::Field("account"));
    assert_eq!(without("region", json!("moon")), NoEvent::Field("region"));
    assert_eq!(without("region", json!(format!("us-east-{}", "1".repeat(9999)))), NoEvent::Field("region"));
    assert_eq!(without("time", json!("yesterday")), NoEvent::Field("time"));
    assert_eq!(without("time", json!("2026-13-30T12:00:00Z")), NoEvent::Field("time"));
    assert_eq!(without("id", json!("a\u{1b}[2J")), NoEvent::Field("id"));
    assert_eq!(without("id", json!("a".repeat(129))), NoEvent::Field("id"));
    for body in ["", "x", "{", "\u{feff}{}", "{}}", "\"{", "\u{0}"] {
        assert!(matches!(read(body), Err(NoEvent::NotJson(_))), "{body:?}");
    }
    for body in ["null", "7", "[]", "{}", "\"text\"", "{\"account\": {\"a\": 1}}"] {
        assert_eq!(read(body), Err(NoEvent::Field("id")), "{body:?}");
    }
    assert_eq!(read(&" ".repeat(LENGTH_MAX + 1)), Err(NoEvent::TooLong(LENGTH_MAX + 1)));
    let deep = format!("{{\"detail\":{}", "[".repeat(100_000));
    assert!(matches!(read(&deep), Err(NoEvent::NotJson(_))));
}

#[test]
fn every_part_of_an_event_may_be_missing_or_of_another_type() {
    for (name, body) in corpus() {
        let whole: Value = serde_json::from_str(&body).unwrap();
        let mut paths = Vec::new();
        all(&whole, &mut Vec::new(), &mut paths);
        for path in paths {
            for value in
                [Value::Null, json!(-1), json!("é\u{1f9ca}"), json!([[]]), json!({"name": {"name": []}}), json!(true)]
            {
                let mut changed = whole.clone();
                *path.iter().fold(&mut changed, |value, step| match step {
                    Step::Field(name) => &mut value[name.as_str()],
                    Step::Item(at) => &mut value[*at],
                }) = value;
                // Any answer, and no panic.
                let _ = (&name, read(&changed.to_string()));
            }
        }
        // Cut anywhere.
        let body = body.trim_end();
        for end in (0..body.len()).filter(|end| body.is_char_boundary(*end)).step_by(7) {
            assert!(read(&body[..end]).is_err());
        }
    }
}

#[derive(Clone)]
enum Step {
    Field(String),
    Item(usize),
}

fn all(value: &Value, path: &mut Vec<Step>, paths: &mut Vec<Vec<Step>>) {
    paths.push(path.clone());
    let mut below = |step: Step, value: &Value| {
        path.push(step);
        all(value, path, paths);
        path.pop();
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| below(Step::Field(name.clone()), value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, value)| below(Step::Item(at), value)),
        _ => {}
    }
}

#[test]
fn the_work_and_the_answer_have_bounds() {
    let names: Vec<String> = (0..9000).map(|number| format!("name-{number}")).collect();
    let many: Value = names.iter().map(|name| (name.clone(), json!(name))).collect::<serde_json::Map<_, _>>().into();
    for parameters in [json!({ "roleNames": names }), many.clone(), json!({ "a": { "b": { "c": many } } })] {
        let signal = call("iam", &parameters);
        assert!(signal.about.len() <= 64, "{}", signal.about.len());
    }
    // A document is not a name.
    let long = "x".repeat(2049);
    let texts = json!({ "roleName": long, "name": "a\nb", "policyName": "{\"Version\": \"2012-10-17\"}" });
    assert_eq!(call("iam", &texts).about, []);
    let (mut heartbeat, rule) = (event("Scheduled Event", "aws.events", &json!({})), "arn:aws:events:a:1:rule/x");
    heartbeat["resources"] = json!(vec![rule; 20_000]);
    assert_eq!(read(&heartbeat.to_string()).unwrap().about, []);
}

#[test]
fn nothing_that_is_named_like_a_secret_is_a_name() {
    let parameters = json!({
        "secretString": "hunter2", "password": "hunter2", "masterUserPassword": "hunter2", "clientRequestToken": "hunter2",
        "environment": { "variables": { "PASSWORD": "hunter2", "plain": "hunter2" } },
        "containerDefinitions": [{ "environment": [{ "name": "PASSWORD", "value": "hunter2" }] }],
    });
    let signal = call("ecs", &parameters);
    assert!(!format!("{signal:?}").contains("hunter2"), "{signal:?}");
}

#[test]
fn no_name_can_write_to_a_terminal() {
    for (_, body) in corpus() {
        // In each name, wherever one stands.
        let body =
            body.replace("/servicetest", "/x\\u001b[2J").replace("teststack", "x\\n").replace("Music", "x\\u0000y");
        let body =
            body.replace("alice", "a\\u001b[1m").replace("api", "a\\rb").replace("my-repository-name", "a\\u0007");
        let Ok(signal) = read(&body) else { continue };
        assert!(signal.about.iter().all(|subject| !subject.to_string().contains(char::is_control)), "{signal:?}");
        let deed = signal.deed.map(|deed| deed.actor + &deed.call + &deed.id + &deed.from.unwrap_or_default());
        assert!(deed.is_none_or(|deed| !deed.contains(char::is_control)));
    }
}

#[test]
fn the_last_of_two_fields_of_one_name_counts() {
    let body = event("ECR Image Action", "aws.ecr", &json!({ "repository-name": "one" })).to_string();
    let twice = body.replace("\"repository-name\":\"one\"", "\"repository-name\":\"one\",\"repository-name\":\"two\"");
    assert_eq!(read(&twice).unwrap().about, [Subject::Repository("two".to_owned())]);
}

#[test]
fn only_a_rule_of_ours_on_the_default_bus_sends_heartbeats() {
    let about = |source: &str, rule: &str| {
        let mut event = event("Scheduled Event", source, &json!({}));
        event["resources"] = json!([rule]);
        read(&event.to_string()).unwrap().about
    };
    let arn = "arn:aws:events:us-east-1:111122223333:rule/landfast-heartbeat";
    assert_eq!(about("aws.events", arn), [Subject::Heartbeat]);
    assert_eq!(about("aws.events", &format!("{arn}-eu")), [Subject::Heartbeat]);
    assert_eq!(about("my.app", arn), []);
    assert_eq!(about("aws.events", &arn.replace("landfast-", "")), []);
}

#[test]
fn a_batch_of_changes_names_its_record_sets_however_they_are_written() {
    let set =
        |name: &str, kind: &str| json!({ "action": "UPSERT", "resourceRecordSet": { "name": name, "type": kind } });
    let mut weighted = set("api.example.com", "cname");
    weighted["resourceRecordSet"]["setIdentifier"] = json!("blue");
    let changes = json!([
        set("\\052.Example.COM.", "A"),
        set("*.example.com", "A"),
        weighted,
        { "action": "DELETE" },
        { "resourceRecordSet": { "name": 7, "type": "A" } },
        set("a\nb", "A"),
    ]);
    let about =
        call("route53", &json!({ "hostedZoneId": "/hostedzone/Z1", "changeBatch": { "changes": changes } })).about;
    let records: Vec<String> =
        about.iter().filter(|about| matches!(about, Subject::Record { .. })).map(ToString::to_string).collect();
    assert_eq!(
        records,
        ["record A *.example.com in hosted zone Z1", "record CNAME api.example.com (blue) in hosted zone Z1"]
    );
    assert!(about.contains(&Subject::Zone("Z1".to_owned())));
    // A batch without a zone, or with another form, is about no record.
    let batch = json!({ "changeBatch": { "changes": [set("a.example.com", "A")] } });
    assert!(!call("route53", &batch).about.iter().any(|about| matches!(about, Subject::Record { .. })));
}

#[test]
fn the_caller_is_told_from_any_record() {
    let caller = |record: Value| {
        let caller = Caller::parse(&record.to_string());
        (caller.actor(Some("fallback".to_owned())), caller.from())
    };
    let (text, none) = (|text: &str| Some(text.to_owned()), "fallback".to_owned());
    let identity = json!({ "arn": "arn:aws:iam::111122223333:user/alice", "userName": "alice" });
    let record = json!({ "userIdentity": identity, "sourceIPAddress": "192.0.2.1" });
    assert_eq!(caller(record), ("arn:aws:iam::111122223333:user/alice".to_owned(), text("192.0.2.1")));
    let service =
        json!({ "userIdentity": { "invokedBy": "ecs.amazonaws.com" }, "sourceIPAddress": "ecs.amazonaws.com" });
    assert_eq!(caller(service), (none.clone(), text("ecs.amazonaws.com")));
    assert_eq!(caller(json!({ "userIdentity": { "arn": 7 }, "sourceIPAddress": "" })), (none.clone(), None));
    assert_eq!(caller(json!([])), (none, None));
    assert_eq!(Caller::parse("not JSON").actor(None), "an unknown caller");
}

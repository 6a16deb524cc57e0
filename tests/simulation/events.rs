//! Events in virtual time: they say where to look, so that little is polled and what happens is seen at once; and nothing
//! depends on them. Lost, late, repeated, forged or silent, they cost time or calls (L1 to L3 hold without them).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use landfast::controller::{Controller, Tender, Until, receive};
use landfast::model::{
    By, Desired, DnsName, Finding, RecordChange, RecordContent, RecordSet, RecordVerb, RecordsOf, SetRouting,
};
use landfast::plan::Goal;
use landfast::sabotage::{Bug, plant};
use landfast::sim::{EventPath, SimConfig};
use landfast::store::Store;
use serde_json::json;

use crate::stage::{self, HOUR, Stage};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const START: &str = "2026-01-01T00:00:00Z";

const ENVIRONMENT: &str = "apiVersion: landfast/v1\nkind: Environment\nmetadata: { name: dev }\nspec:\n  system: app\n  \
    account: \"111122223333\"\n  region: us-east-1\n  include: [app]\n  policy: { mode: apply, budget: { stacks: 1000 }, \
    driftEvery: 24h }\n";

const TEMPLATE: &str = r"
Resources:
  Log: { Type: AWS::Logs::LogGroup, Properties: { RetentionInDays: 7 } }
  Topic: { Type: AWS::SNS::Topic }
Outputs:
  Arn: { Value: !Ref Topic }
";

fn world(events: Option<EventPath>) -> Stage {
    Stage::new("us-east-1", START, SimConfig { events, ..SimConfig::default() })
}

fn wanted(store: &Store, objects: &str) -> Desired {
    let files = [("dev.yaml", ENVIRONMENT), ("app/objects.yaml", objects), ("app/app.tpl", TEMPLATE)];
    stage::loaded(store, files)
}

/// So many stacks, each after the one before it if they are a chain.
fn stacks(count: usize, chain: bool) -> String {
    let mut text = String::new();
    for index in 0..count {
        let after = if chain && index > 0 { format!(", dependsOn: [stack/s{}]", index - 1) } else { String::new() };
        let _ = writeln!(
            text,
            "---\napiVersion: landfast/v1\nkind: Stack\nmetadata: {{ name: s{index} }}\nspec: {{ template: app.tpl{after} }}"
        );
    }
    text
}

const SECRET: &str = "---\napiVersion: landfast/v1\nkind: Secret\nmetadata: { name: key }\nspec: { name: dev/key, external: \
    true, tags: { Team: people } }\n";

/// The daemon runs, and hears what arrives, until `script` is over.
fn during(stage: &Stage, controller: &Controller, desired: Desired, script: impl Future<Output = ()>) {
    controller.board.publish(desired, &std::collections::BTreeSet::new());
    let queue = stage.cloud.queue();
    let tender = Tender::new(controller, "dev".parse().unwrap(), Goal::Converge, Until::Stopped).run();
    let all = async {
        tokio::select! {
            biased;
            ended = tender => panic!("the daemon ended: {ended:?}"),
            never = receive(controller, &*queue) => match never {},
            () = script => {}
        }
    };
    stage.clock.drive(all).unwrap();
}

fn calls(stage: &Stage) -> BTreeMap<&'static str, usize> {
    let mut calls = BTreeMap::new();
    for call in stage.cloud.audit() {
        *calls.entry(call.operation).or_default() += 1;
    }
    calls
}

/// Calls since then, but for those by which drift is looked for in turn.
fn since(stage: &Stage, before: &BTreeMap<&'static str, usize>) -> BTreeMap<&'static str, usize> {
    let mut now = calls(stage);
    now.retain(|operation, count| {
        *count -= before.get(operation).copied().unwrap_or_default();
        *count > 0 && !operation.contains("Drift") && *operation != "ListStackResources"
    });
    now
}

fn total(calls: &BTreeMap<&'static str, usize>) -> usize {
    calls.values().sum()
}

fn findings(controller: &Controller) -> Vec<Finding> {
    let memory = controller.store().memory(&"dev".parse().unwrap()).unwrap();
    let looks = memory.objects.stacks.values().filter_map(|memory| memory.drift.seen.clone());
    looks.flat_map(|look| look.findings).filter(Finding::is_drift).collect()
}

/// When what is asked for is so, after at most an hour.
async fn until(controller: &Controller, so: impl Fn() -> bool) -> Duration {
    let cx = controller.context();
    let began = cx.elapsed();
    while !so() {
        assert!(cx.elapsed() - began < HOUR, "it never came to be");
        cx.sleep(Duration::from_millis(100)).await;
    }
    cx.elapsed() - began
}

#[test]
fn an_environment_at_rest_is_read_once_an_hour() {
    const STACKS: usize = 50;
    let mut at_rest = Vec::new();
    for events in [Some(EventPath::default()), None] {
        let mut stage = world(events);
        let daemon = stage.begin(|_| {});
        let desired = wanted(daemon.store(), &stacks(STACKS, false));
        during(&stage, &daemon, desired, async {
            daemon.context().sleep(HOUR).await;
            let before = calls(&stage);
            daemon.context().sleep(10 * HOUR).await;
            at_rest.push(since(&stage, &before));
        });
    }
    // Of a stack and hour.
    let of_one = |calls: &BTreeMap<&'static str, usize>| total(calls) as f64 / (10 * STACKS) as f64;
    println!("{:.3} calls of a stack and hour with events, {:.3} without", of_one(&at_rest[0]), of_one(&at_rest[1]));
    assert!(of_one(&at_rest[0]) <= 0.05, "{:?}", at_rest[0]);
    assert!(of_one(&at_rest[1]) >= 0.2, "{:?}", at_rest[1]);
}

#[test]
fn what_somebody_changes_of_a_resource_is_found_in_seconds_and_so_is_who() {
    let mut stage = world(Some(EventPath::default()));
    let daemon = stage.begin(|_| {});
    let desired = wanted(daemon.store(), &stacks(3, false));
    let stack = "dev-app-s1".parse().unwrap();
    during(&stage, &daemon, desired, async {
        daemon.context().sleep(2 * HOUR).await;
        assert_eq!(findings(&daemon), []);
        let before = calls(&stage);
        stage.console().change_resource(&stack, "Log", "/RetentionInDays", json!(30)).unwrap();
        let took = until(&daemon, || !findings(&daemon).is_empty()).await;
        assert!(took < 5 * SECOND, "{took:?}");
        let found = findings(&daemon).remove(0);
        let By::Somebody(deed) = &found.by else { panic!("{:?}", found.by) };
        assert!(deed.actor.ends_with(":user/console") && deed.from.as_deref() == Some("203.0.113.7"), "{deed:?}");
        assert!(total(&since(&stage, &before)) <= 6, "{:?}", since(&stage, &before));
        assert_eq!(calls(&stage).get("LookupEvents"), None, "the event says who it was");
        // And that it is as it was before.
        stage.console().change_resource(&stack, "Log", "/RetentionInDays", json!(7)).unwrap();
        let took = until(&daemon, || findings(&daemon).is_empty()).await;
        assert!(took < 10 * SECOND, "{took:?}");
    });
}

#[test]
fn a_stack_that_somebody_else_updates_or_deletes_is_seen_at_once() {
    let mut stage = world(Some(EventPath::default()));
    let daemon = stage.begin(|_| {});
    let desired = wanted(daemon.store(), &stacks(2, false));
    during(&stage, &daemon, desired, async {
        daemon.context().sleep(2 * HOUR).await;
        let before = calls(&stage);
        stage.console().delete_stack(&"dev-app-s1".parse().unwrap()).unwrap();
        until(&daemon, || since(&stage, &before).contains_key("DescribeStacks")).await;
        let read = until(&daemon, || since(&stage, &before).get("DescribeStacks") >= Some(&2)).await;
        assert!(read < 5 * MINUTE, "{read:?}");
    });
}

/// An hour in which a chain of stacks is deployed: calls, and how long it took.
fn deployment(events: Option<EventPath>) -> (BTreeMap<&'static str, usize>, Duration) {
    const STACKS: usize = 12;
    let mut stage = world(events);
    let daemon = stage.begin(|_| {});
    let nothing = wanted(daemon.store(), &stacks(1, true));
    let everything = wanted(daemon.store(), &stacks(STACKS, true));
    let mut seen = None;
    during(&stage, &daemon, nothing, async {
        daemon.context().sleep(HOUR).await;
        let before = calls(&stage);
        let began = daemon.context().elapsed();
        daemon.board.publish(everything, &std::collections::BTreeSet::new());
        let deployed = || {
            stage
                .cloud
                .inventory()
                .stacks
                .iter()
                .filter(|stack| stack.state.status.as_str() == "CREATE_COMPLETE")
                .count()
        };
        while deployed() < STACKS {
            daemon.context().sleep(SECOND).await;
        }
        let took = daemon.context().elapsed() - began;
        daemon.context().sleep(HOUR.saturating_sub(took)).await;
        seen = Some((since(&stage, &before), took));
    });
    seen.unwrap()
}

#[test]
fn operations_are_followed_by_their_events() {
    let (told, quick) = deployment(Some(EventPath::default()));
    let (polled, slow) = deployment(None);
    let lost = EventPath { lost: 100, ..EventPath::default() };
    let (unheard, as_slow) = deployment(Some(lost));
    println!("told: {} calls in {quick:?} {told:?}", total(&told));
    println!("polled: {} calls in {slow:?} {polled:?}", total(&polled));
    assert!(total(&told) * 3 <= total(&polled), "{told:?} {polled:?}");
    assert!(quick <= slow.mul_f64(1.1), "{quick:?} {slow:?}");
    assert_eq!((total(&unheard), as_slow), (total(&polled), slow), "all of them lost, it is as without");
}

/// Events arrive for two hours and never again, and a stack is deleted past the daemon: what is wrong then.
pub(crate) fn play_planted(bug: Option<Bug>) -> Vec<String> {
    plant(bug);
    let from: jiff::Timestamp = "2026-01-01T02:00:00Z".parse().unwrap();
    let path = EventPath { silent: Some((from, jiff::Timestamp::MAX)), ..EventPath::default() };
    let mut stage = world(Some(path));
    let daemon = stage.begin(|_| {});
    let desired = wanted(daemon.store(), &stacks(2, false));
    let mut wrong = Vec::new();
    during(&stage, &daemon, desired, async {
        let cx = daemon.context();
        cx.sleep(2 * HOUR + 10 * MINUTE).await;
        stage.console().delete_stack(&"dev-app-s1".parse().unwrap()).unwrap();
        let before = calls(&stage);
        cx.sleep(10 * MINUTE).await;
        if !since(&stage, &before).contains_key("DescribeStacks") {
            wrong.push(
                "L3 silence: a stack was deleted, no event said so, and nobody looked for ten minutes".to_owned(),
            );
        }
    });
    plant(None);
    wrong
}

#[test]
fn when_events_stop_everything_is_read_as_often_as_without_them() {
    let from: jiff::Timestamp = "2026-01-01T03:00:00Z".parse().unwrap();
    let until_then = "2026-01-01T05:00:00Z".parse().unwrap();
    let path = EventPath { silent: Some((from, until_then)), ..EventPath::default() };
    let mut stage = world(Some(path));
    let daemon = stage.begin(|_| {});
    let desired = wanted(daemon.store(), &stacks(5, false));
    during(&stage, &daemon, desired, async {
        let cx = daemon.context();
        cx.sleep(2 * HOUR).await;
        let mut counts = Vec::new();
        for _ in 0..4 {
            let before = calls(&stage);
            cx.sleep(HOUR).await;
            counts.push(since(&stage, &before).get("DescribeStacks").copied().unwrap_or_default());
        }
        // Heard, silent, silent, heard again.
        assert!(counts[0] <= 2 && counts[3] <= 4, "{counts:?}");
        assert!(counts[1] >= 9 && counts[2] >= 10, "{counts:?}");
    });
}

#[test]
fn what_is_no_event_or_of_somewhere_else_or_forged_changes_nothing() {
    let mut stage = world(Some(EventPath::default()));
    let daemon = stage.begin(|_| {});
    let desired = wanted(daemon.store(), &stacks(3, false));
    let long = format!("{{\"detail\": \"{}\"}}", "x".repeat(300_000));
    let nested = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    during(&stage, &daemon, desired, async {
        let cx = daemon.context();
        cx.sleep(2 * HOUR).await;
        let (before, mutations) = (calls(&stage), stage.mutations().len());
        let garbage = ["", "{}", "null", "[1]", "\u{feff}{}", "{\"detail-type\": 7}", &long, &nested];
        for text in garbage {
            stage.cloud.post(text);
        }
        for round in 0..50 {
            // Deleted, says somebody; far in the past, and in the future; of a stack of ours and of strangers.
            for (account, stack, time) in [
                ("111122223333", "dev-app-s1", "2026-01-01T02:00:00Z"),
                ("111122223333", "dev-app-s1", "1970-01-01T00:00:00Z"),
                ("111122223333", "dev-app-s1", "9998-12-31T00:00:00Z"),
                ("999999999999", "dev-app-s1", "2026-01-01T02:00:00Z"),
                ("111122223333", "somebody-elses", "2026-01-01T02:00:00Z"),
            ] {
                let id = format!(
                    "arn:aws:cloudformation:us-east-1:{account}:stack/{stack}/00000000-0000-0000-0000-000000000001"
                );
                let event = json!({
                    "version": "0", "id": format!("forged-{round}-{stack}-{account}-{time}"), "source": "aws.cloudformation",
                    "detail-type": "CloudFormation Stack Status Change", "account": account, "time": time, "region": "us-east-1",
                    "resources": [id], "detail": { "stack-id": id, "status-details": { "status": "DELETE_COMPLETE" } },
                });
                stage.cloud.post(&event.to_string());
            }
        }
        cx.sleep(20 * MINUTE).await;
        assert_eq!(stage.mutations().len(), mutations, "nothing is done because of what an event says");
        // Within the caps: the same stack is read every five seconds at most, and each event is known the second time.
        assert!(total(&since(&stage, &before)) <= 60, "{:?}", since(&stage, &before));
        assert_eq!(stage.cloud.dead_letters().len(), garbage.len(), "they are with the dead letters");
        cx.sleep(HOUR).await;
        assert_eq!(findings(&daemon), []);
    });
}

/// Many people change many roles of an account at once.
fn flood(stage: &Stage, account: &str, count: usize) {
    for number in 0..count {
        let call = json!({
            "version": "0", "id": format!("flood-{number}"), "source": "aws.iam", "account": account,
            "detail-type": "AWS API Call via CloudTrail", "time": "2026-01-01T02:00:00Z", "region": "us-east-1", "resources": [],
            "detail": {
                "eventID": format!("call-{number}"), "eventTime": "2026-01-01T02:00:00Z", "eventName": "PutRolePolicy",
                "eventSource": "iam.amazonaws.com", "readOnly": false, "sourceIPAddress": "203.0.113.7",
                "userIdentity": { "arn": format!("arn:aws:iam::{account}:user/somebody") },
                "requestParameters": { "roleName": format!("role-{number}"), "policyName": format!("policy-{number}") },
            },
        });
        stage.cloud.post(&call.to_string());
    }
}

/// The calls of ten minutes in which so many events of an account arrive.
fn flooded(account: &str, events: usize) -> BTreeMap<&'static str, usize> {
    let mut stage = world(Some(EventPath::default()));
    let daemon = stage.begin(|_| {});
    let desired = wanted(daemon.store(), &stacks(3, false));
    let mut cost = BTreeMap::new();
    during(&stage, &daemon, desired, async {
        let cx = daemon.context();
        cx.sleep(2 * HOUR).await;
        let before = calls(&stage);
        flood(&stage, account, events);
        cx.sleep(10 * MINUTE).await;
        cost = since(&stage, &before);
    });
    cost
}

#[test]
fn a_flood_of_events_costs_a_look_at_everything_a_minute() {
    let cost = flooded("111122223333", 10_000);
    assert!(total(&cost) <= 800, "{cost:?}");
}

#[test]
fn a_flood_of_events_of_another_account_costs_nothing() {
    assert_eq!(flooded("999999999999", 3_000), BTreeMap::new());
}

#[test]
fn a_secret_that_somebody_deletes_is_seen_at_once() {
    let mut stage = world(Some(EventPath::default()));
    let tags = BTreeMap::from([("Team".to_owned(), "people".to_owned())]);
    stage.console().create_secret("dev/key", "value", &tags).unwrap();
    let daemon = stage.begin(|_| {});
    let desired = wanted(daemon.store(), &format!("{}{SECRET}", stacks(1, false)));
    during(&stage, &daemon, desired, async {
        daemon.context().sleep(2 * HOUR).await;
        let before = calls(&stage);
        stage.console().delete_secret("dev/key", 7).unwrap();
        let took = until(&daemon, || since(&stage, &before).contains_key("DescribeSecret")).await;
        assert!(took < 5 * SECOND, "{took:?}");
        // A listing of before is not believed again.
        daemon.context().sleep(50 * MINUTE).await;
    });
    drop(daemon);
    let plan = stage.plan(|store| wanted(store, &format!("{}{SECRET}", stacks(1, false))));
    assert!(!plan.entries[&"dev/secret/key".parse().unwrap()].ready);
}

const RECORD: &str = "---\napiVersion: landfast/v1\nkind: DnsRecord\nmetadata: { name: api }\nspec: { zone: example.com, name: \
    '*.Example.com', type: A, values: [192.0.2.1], ttl: 60 }\n";

/// The same, only observed: what somebody changes stays as it is.
fn observed(store: &Store, objects: &str) -> Desired {
    let environment = ENVIRONMENT.replace("mode: apply", "mode: observe");
    stage::loaded(store, [("dev.yaml", environment.as_str()), ("app/objects.yaml", objects), ("app/app.tpl", TEMPLATE)])
}

#[test]
fn who_changes_a_record_at_the_console_is_in_the_finding() {
    let mut stage = world(Some(EventPath::default()));
    let zone = stage.console().create_zone("example.com", false).unwrap();
    let daemon = stage.begin(|_| {});
    let desired = wanted(daemon.store(), RECORD);
    let (key, name) = ("dev/dnsrecord/api".parse().unwrap(), "dev".parse().unwrap());
    let by = || {
        let memory = daemon.store().memory(&name).unwrap();
        memory.objects.of(&key).and_then(|memory| memory.by.clone())
    };
    let address = |value: &str| RecordSet {
        of: RecordsOf { name: DnsName::new("*.example.com"), kind: "A".to_owned() },
        set: None,
        content: RecordContent::Values { values: vec![value.to_owned()], ttl: 60 },
        routing: SetRouting::Simple,
        health_check: None,
    };
    let mut found = None;
    during(&stage, &daemon, desired, async {
        let cx = daemon.context();
        cx.sleep(HOUR).await;
        daemon.board.publish(observed(daemon.store(), RECORD), &std::collections::BTreeSet::new());
        cx.sleep(HOUR).await;
        assert_eq!(by(), None);
        let change = RecordChange { verb: RecordVerb::Upsert, set: address("192.0.2.66") };
        stage.console().change_records(&zone, &[change]).unwrap();
        let took = until(&daemon, || by().is_some()).await;
        assert!(took < 5 * SECOND, "{took:?}");
        let desired = daemon.board.desired();
        found = Some(daemon.drift(&desired, &desired.environments[&name], |of| *of == key).await.unwrap());
    });
    let finding = found.unwrap().remove(0).0.findings.remove(0);
    let By::Somebody(deed) = &finding.by else { panic!("{finding:?}") };
    assert_eq!(deed.call, "ChangeResourceRecordSets");
    assert!(deed.actor.ends_with(":user/console") && deed.from.as_deref() == Some("203.0.113.7"), "{deed:?}");
}

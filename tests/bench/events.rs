//! What events save, and how soon what happens is seen: the same with and without a queue of events.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use landfast::controller::{Controller, Until, receive, tend_all};
use landfast::model::{FileContent, Finding, Snapshot};
use landfast::sim::{EventPath, SimConfig};
use serde_json::json;

use crate::Row;
use crate::fleet::{Fleet, TEMPLATE, environment, shown};

/// Hours at rest.
const HOURS: usize = 10;

/// Resources that somebody changes, one after another.
const EDITS: usize = 100;

pub(crate) fn told(stacks: usize) -> Vec<Row> {
    let idle = [None, Some(EventPath::default())].map(|events| at_rest(events, stacks));
    let rate = |calls: usize| format!("{:.3}", calls as f64 / (HOURS * stacks) as f64);
    let shown_after = found(stacks.min(40));
    let deployments = [None, Some(EventPath::default())].map(deployment);
    let counts = deployments.each_ref().map(|(calls, _)| calls.values().sum::<usize>());
    let times = deployments.each_ref().map(|(_, took)| took.as_secs());
    vec![
        Row(
            format!("{stacks} stacks at rest: calls for a stack and hour, without events and with them"),
            format!(
                "{} and {}; beside them {} for drift checks every 6 h",
                rate(idle[0].0),
                rate(idle[1].0),
                rate(idle[1].1)
            ),
            "≤ 0.7 and ≤ 0.05".to_owned(),
        ),
        Row(
            format!("{EDITS} resources changed at the console: event in the queue to finding"),
            format!(
                "p50 {:.1} s, p99 {:.1} s, of which CloudFormation's comparison takes 1 s",
                shown_after.0, shown_after.1
            ),
            "p99 ≤ 2 s".to_owned(),
        ),
        Row(
            "an hour with a deployment of 12 stacks one after another: calls, without events and with them".to_owned(),
            format!(
                "{} in {} s, and {} in {} s ({})",
                counts[0],
                times[0],
                counts[1],
                times[1],
                shown(&deployments[1].0)
            ),
            "a fifth".to_owned(),
        ),
    ]
}

fn config(events: Option<EventPath>) -> SimConfig {
    SimConfig { events, ..SimConfig::default() }
}

/// The daemon runs, and hears what arrives, until `script` is over.
fn during(fleet: &Fleet, controller: &Controller, script: impl Future<Output = ()>) {
    let queue = fleet.cloud.queue();
    let all = async {
        tokio::select! {
            biased;
            _ = tend_all(controller, Until::Stopped) => panic!("the daemon ended"),
            never = receive(controller, &*queue) => match never {},
            () = script => {}
        }
    };
    fleet.clock.drive(all).unwrap();
}

fn is_of_drift(operation: &str) -> bool {
    operation.contains("Drift") || operation == "ListStackResources"
}

/// Calls within some hours: all but those of drift checks, and those.
fn at_rest(events: Option<EventPath>, stacks: usize) -> (usize, usize) {
    let fleet = Fleet::deployed_in(config(events), 1, stacks);
    let (controller, _) = fleet.start();
    let mut counted = (0, 0);
    during(&fleet, &controller, async {
        fleet.cx.sleep(Duration::from_hours(8)).await;
        let first = fleet.cloud.calls();
        fleet.cx.sleep(Duration::from_hours(HOURS as u64)).await;
        let calls = fleet.calls(first);
        let checks: usize = calls.iter().filter(|(operation, _)| is_of_drift(operation)).map(|(_, count)| count).sum();
        // A stack is read once more when it has been checked.
        let again = calls.get("DetectStackDrift").copied().unwrap_or_default();
        counted = (calls.values().sum::<usize>() - checks - again, checks + again);
    });
    counted
}

fn findings(controller: &Controller) -> Vec<Finding> {
    let memory = controller.store().memory(&"e0".parse().unwrap()).unwrap();
    let looks = memory.objects.stacks.values().filter_map(|memory| memory.drift.seen.clone());
    looks.flat_map(|look| look.findings).filter(Finding::is_drift).collect()
}

/// Seconds from an event in the queue to the finding: the median, and the 99th of a hundred.
fn found(stacks: usize) -> (f64, f64) {
    let late = Duration::from_millis(100);
    let fleet = Fleet::deployed_in(config(Some(EventPath { late, ..EventPath::default() })), 1, stacks);
    let (controller, desired) = fleet.start();
    let environment = desired.environments.values().next().unwrap().clone();
    let console = fleet.cloud.console(&environment.scope);
    let mut took = Vec::new();
    during(&fleet, &controller, async {
        fleet.cx.sleep(Duration::from_hours(8)).await;
        for edit in 0..EDITS {
            let name = environment.stacks.values().nth(edit % stacks).unwrap().stack_name.clone();
            let began = fleet.cx.elapsed();
            let live = console.live(&name, "Log", "/RetentionInDays");
            let drifts = live.is_none_or(|live| live.as_str() != Some("30") && live != json!(30));
            console.change_resource(&name, "Log", "/RetentionInDays", json!(if drifts { 30 } else { 7 })).unwrap();
            let before = findings(&controller).len();
            while findings(&controller).len() == before {
                fleet.cx.sleep(Duration::from_millis(50)).await;
            }
            took.push(fleet.cx.elapsed().saturating_sub(began + 2 * late).as_secs_f64());
            fleet.cx.sleep(Duration::from_secs(20)).await;
        }
    });
    took.sort_by(f64::total_cmp);
    (took[took.len() / 2], took[took.len() * 99 / 100])
}

/// The calls of an hour in which twelve stacks are made one after another, which takes AWS a quarter of it; and how long it
/// took.
fn deployment(events: Option<EventPath>) -> (BTreeMap<&'static str, usize>, Duration) {
    const STACKS: usize = 12;
    let stack = |index: usize| {
        let after = if index > 0 { format!(", dependsOn: [stack/s{}]", index - 1) } else { String::new() };
        format!(
            "---\napiVersion: landfast/v1\nkind: Stack\nmetadata: {{ name: s{index} }}\nspec: {{ template: small.yaml.template{after} }}\n"
        )
    };
    let of = |stacks: usize| {
        let text = |text: String| FileContent::Bytes(text.into_bytes().into());
        let files = [
            ("environments/e0.yaml".to_owned(), text(environment("e0", 100_000_000_000))),
            ("stacks/stacks.yaml".to_owned(), text((0..stacks).map(stack).collect())),
            ("stacks/small.yaml.template".to_owned(), text(TEMPLATE.to_owned())),
        ];
        Snapshot::new("manifests", files.into(), None)
    };
    let slow = SimConfig { speed: 0.1, latency: Duration::from_millis(5), ..config(events) };
    let fleet = Fleet::within(slow, of(1), STACKS, |_| {});
    let (controller, _) = fleet.start();
    let all = landfast::manifest::load(&of(STACKS), controller.store().revise(&of(STACKS).content, None).unwrap());
    let mut seen = None;
    during(&fleet, &controller, async {
        fleet.cx.sleep(Duration::from_hours(1)).await;
        let (first, began) = (fleet.cloud.calls(), fleet.cx.elapsed());
        controller.board.publish(all.desired.clone(), &BTreeSet::new());
        let done = || {
            let stacks = fleet.cloud.inventory().stacks;
            stacks.iter().filter(|stack| stack.state.status.as_str() == "CREATE_COMPLETE").count() == STACKS
        };
        while !done() {
            fleet.cx.sleep(Duration::from_secs(1)).await;
        }
        let took = fleet.cx.elapsed().saturating_sub(began);
        fleet.cx.sleep(Duration::from_hours(1).saturating_sub(took)).await;
        let mut calls = fleet.calls(first);
        calls.retain(|operation, _| !is_of_drift(operation));
        seen = Some((calls, took));
    });
    seen.unwrap()
}

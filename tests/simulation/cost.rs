//! What it costs to look: calls do not grow with what has not changed (L5).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use jiff::SignedDuration;
use landfast::model::{Conclusion, Desired};
use landfast::sim::{Fault, FaultPlan, NewTable, SimConfig, Window};
use landfast::store::{RecordOutcome, Store};

use crate::stage::{self, DAY, FOREVER, Stage};

const ENVIRONMENT: &str = "apiVersion: landfast/v1\nkind: Environment\nmetadata: { name: dev }\nspec:\n  system: app\n  \
    account: \"111122223333\"\n  region: us-east-1\n  include: [app]\n  policy: { mode: apply, budget: { stacks: 1000 } }\n";

/// These objects, and a template for the stacks among them.
fn wanted(store: &Store, objects: &str) -> Desired {
    let files = [
        ("dev.yaml", ENVIRONMENT),
        ("app/objects.yaml", objects),
        ("app/small.tpl", "Resources: { Topic: { Type: AWS::SNS::Topic } }\n"),
    ];
    stage::loaded(store, files)
}

fn calls(stage: &Stage) -> BTreeMap<&'static str, usize> {
    let mut calls = BTreeMap::new();
    for call in stage.cloud.audit() {
        *calls.entry(call.operation).or_default() += 1;
    }
    calls
}

#[test]
fn two_hundred_tables_are_protected_and_backed_up_within_the_hour_and_described_a_few_times_each() {
    const TABLES: usize = 200;
    let mut stage = Stage::new("us-east-1", "2026-01-01T00:00:00Z", SimConfig::default());
    for index in 0..TABLES {
        stage.console().create_table(&NewTable::keyed(format!("dev-{index:03}").parse().unwrap(), "id")).unwrap();
    }
    let daemon = stage.begin(|_| {});
    let policy = "apiVersion: landfast/v1\nkind: BackupPolicy\nmetadata: { name: tables }\nspec:\n  tables: { prefix: dev- }\n  \
        pointInTimeRecovery: { window: 7d }\n  deletionProtection: true\n  schedule: \"0 3 * * *\"\n  retention: { last: 3 }\n";
    let desired = wanted(daemon.store(), policy);
    stage.tend(&daemon, desired, Duration::from_hours(1), FOREVER);
    let calls = calls(&stage);
    for operation in ["UpdateContinuousBackups", "UpdateTable", "CreateBackup"] {
        assert_eq!(calls[operation], TABLES, "{operation}");
    }
    // Ten times while it is protected and backed up, and then a hundred in each look at everything.
    assert!(calls["DescribeTable"] < 10 * TABLES + 14 * 100, "{calls:?}");
    let slots: BTreeSet<_> = stage.console().table_backups().into_iter().map(|backup| backup.point.table).collect();
    assert_eq!(slots.len(), TABLES);
}

#[test]
fn stacks_are_not_listed_again_for_each_that_is_looked_at_for_drift() {
    const STACKS: usize = 40;
    let mut stage = Stage::new("us-east-1", "2026-01-01T00:00:00Z", SimConfig::default());
    let mut stacks = String::new();
    for index in 0..STACKS {
        let _ = writeln!(
            stacks,
            "---\napiVersion: landfast/v1\nkind: Stack\nmetadata: {{ name: s{index} }}\nspec: {{ template: small.tpl }}"
        );
    }
    let daemon = stage.begin(|_| {});
    let desired = wanted(daemon.store(), &stacks);
    stage.tend(&daemon, desired.clone(), DAY, FOREVER);
    let before = calls(&stage);
    stage.tend(&daemon, desired, DAY, FOREVER);
    let of_the_day = |operation: &str| calls(&stage)[operation] - before[operation];
    assert!(of_the_day("DetectStackDrift") >= 4 * STACKS, "each is looked at every six hours");
    // By name each is described once more when it has been looked at; the others are listings.
    let audit = stage.cloud.audit();
    let described = audit.iter().filter(|call| call.operation == "DescribeStacks").skip(before["DescribeStacks"]);
    let (listed, named): (Vec<_>, Vec<_>) = described.partition(|call| call.target.is_empty());
    assert!(named.len() <= of_the_day("DetectStackDrift"), "{} described by name", named.len());
    let resyncs = 24 * 12;
    assert!(listed.len() <= resyncs * 11 / 10, "{} listings in a day of {resyncs} looks", listed.len());
    let at: Vec<_> = listed.iter().map(|call| call.at).collect();
    let longest = at.windows(2).map(|two| two[1].duration_since(two[0])).max().unwrap();
    assert!(
        longest <= SignedDuration::from_mins(6),
        "{longest:#} between two listings, for all that the patrol is out"
    );
}

/// A stack for each of these, which need nothing of each other.
fn independent(stacks: usize, days: u32) -> String {
    let mut text = String::new();
    for index in 0..stacks {
        let _ = writeln!(
            text,
            "---\napiVersion: landfast/v1\nkind: Stack\nmetadata: {{ name: s{index} }}\nspec:\n  template: small.tpl\n  \
             tags: {{ Days: \"{days}\" }}"
        );
    }
    text
}

#[test]
fn a_wide_deployment_costs_little_more_than_its_creations() {
    const STACKS: usize = 100;
    let mut stage = Stage::new("us-east-1", "2026-01-01T00:00:00Z", SimConfig::default());
    let daemon = stage.begin(|_| {});
    let desired = wanted(daemon.store(), &independent(STACKS, 7));
    stage.tend(&daemon, desired, Duration::from_mins(5), FOREVER);
    let mut first = calls(&stage);
    // Whether they drift is asked afterwards, and of every stack now and then.
    first.retain(|operation, _| !operation.contains("Drift") && *operation != "ListStackResources");
    assert_eq!(first["CreateStack"], STACKS);
    assert_eq!(first.get("GetTemplate"), None, "what was sent is known: {first:?}");
    assert_eq!(first.get("DescribeStackEvents"), None, "the stacks say how it ended: {first:?}");
    // A creation each, and the pages that follow all of them together: as many as the operations take long.
    assert!(first.values().sum::<usize>() * 10 <= 25 * STACKS, "{first:?}");

    // The first update is read from events: AWS's list of operations does not show yet that it goes back further.
    for (days, events) in [(14, true), (30, false)] {
        let before = calls(&stage);
        let desired = wanted(daemon.store(), &independent(STACKS, days));
        stage.tend(&daemon, desired, Duration::from_mins(10), FOREVER);
        let after = calls(&stage);
        let made = |operation: &str| after.get(operation).unwrap_or(&0) - before.get(operation).unwrap_or(&0);
        assert_eq!(made("ExecuteChangeSet"), STACKS);
        assert_eq!(made("DescribeStackEvents") > 0, events, "{after:?}");
    }
    let left = daemon.store().memory(&"dev".parse().unwrap()).unwrap();
    assert_eq!(left.objects.pending_stacks().count(), 0);
}

/// AWS has answered that the update has begun, and every read is older than that answer.
#[test]
fn an_update_that_reads_do_not_show_yet_is_not_taken_for_lost() {
    let mut stage = Stage::new("us-east-1", "2026-01-01T00:00:00Z", SimConfig::default());
    let daemon = stage.begin(|_| {});
    let desired = wanted(daemon.store(), &independent(1, 7));
    stage.tend(&daemon, desired, Duration::from_mins(10), FOREVER);
    stage.cloud.set_faults(FaultPlan {
        windows: vec![Window {
            from: Duration::from_mins(10),
            until: Duration::from_mins(20),
            scope: None,
            operations: ["DescribeStacks", "DescribeStackEvents"].map(str::to_owned).into(),
            fault: Fault::Stale(Duration::from_secs(20)),
        }],
        ..FaultPlan::default()
    });
    let desired = wanted(daemon.store(), &independent(1, 14));
    stage.tend(&daemon, desired, Duration::from_mins(20), FOREVER);
    let history = daemon.store().history(None, 100).unwrap();
    let ended: Vec<_> = history.iter().filter(|line| matches!(line.outcome, RecordOutcome::Concluded(_))).collect();
    assert_eq!(ended.len(), 2, "{ended:?}");
    for line in ended {
        assert_eq!(line.outcome, RecordOutcome::Concluded(Conclusion::Succeeded), "{line:?}");
    }
}

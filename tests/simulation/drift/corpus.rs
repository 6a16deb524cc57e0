//! L3: how much of what was changed is found, and how much of what is found was changed, over a corpus made from what
//! people have reported (fresh stacks, order, defaults, write-only properties, tags, nested stacks, throttled reads, types
//! that are not supported).

use std::collections::{BTreeMap, BTreeSet};

use landfast::model::Finding;
use landfast::sim::SimConfig;
use serde_json::{Value as Json, json};

use super::{REPORT, World, stack};
use crate::stage::HOUR;

/// What becomes of one property, and whether somebody has changed what it means.
struct Case {
    about: &'static str,
    resource: &'static str,
    path: &'static str,
    live: Json,
    /// Somebody has; otherwise a service has written it its own way when it was deployed.
    changed: bool,
}

const TEMPLATE: &str = r#"
Resources:
  Log: { Type: AWS::Logs::LogGroup, Properties: { LogGroupName: app, RetentionInDays: "7" } }
  Queue:
    Type: AWS::SQS::Queue
    Properties: { DelaySeconds: 5, VisibilityTimeout: 30, KmsMasterKeyId: alias/app, Tags: [{ Key: Team, Value: people }] }
  Topic: { Type: AWS::SNS::Topic, Properties: { DisplayName: news } }
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: of the app
      SecurityGroupIngress: [{ IpProtocol: tcp, FromPort: 80 }, { IpProtocol: tcp, FromPort: 443 }]
  Alarm: { Type: AWS::CloudWatch::Alarm, Properties: { Threshold: 5, AlarmDescription: too many, Dimensions: [{ Name: a, Value: b }] } }
  Role: { Type: AWS::IAM::Role, Properties: { AssumeRolePolicyDocument: { Statement: [{ Action: [a, b] }] }, Description: runs } }
  Bucket: { Type: AWS::S3::Bucket, Properties: { VersioningConfiguration: { Status: Enabled } } }
  Database: { Type: AWS::RDS::DBInstance, Properties: { MasterUserPassword: a-password-of-a-test, BackupRetentionPeriod: 7 } }
  Cluster: { Type: AWS::ECS::Cluster, Properties: { ClusterSettings: [{ Name: containerInsights, Value: enabled }] } }
  Parameter: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: one, Description: of the app } }
  Handle: { Type: AWS::CloudFormation::WaitConditionHandle }
"#;

fn cases() -> Vec<Case> {
    let case = |about, resource, path, live, changed| Case { about, resource, path, live, changed };
    vec![
        case("a number as text", "Log", "/RetentionInDays", json!(7), false),
        case("a number as text, fresh", "Queue", "/VisibilityTimeout", json!("30"), false),
        case("5 and 5.0", "Alarm", "/Threshold", json!("5.0"), false),
        case(
            "another order, fresh",
            "Group",
            "/SecurityGroupIngress",
            json!([{ "IpProtocol": "tcp", "FromPort": 443 }, { "IpProtocol": "tcp", "FromPort": 80 }]),
            false,
        ),
        case(
            "a policy in another order",
            "Role",
            "/AssumeRolePolicyDocument/Statement/0/Action",
            json!(["b", "a"]),
            false,
        ),
        case("a default filled in", "Bucket", "/VersioningConfiguration/MFADelete", json!("Disabled"), false),
        case("an id in place of a name, as the service writes it", "Topic", "/DisplayName", json!("News"), false),
        case("a text that the service completes", "Parameter", "/Description", json!("of the app."), false),
        case(
            "AWS's own tag",
            "Queue",
            "/Tags/1",
            json!({ "Key": "aws:cloudformation:stack-name", "Value": "x" }),
            false,
        ),
        case("a count", "Queue", "/DelaySeconds", json!(900), true),
        case("a key", "Queue", "/KmsMasterKeyId", json!("alias/other"), true),
        case("a tag", "Queue", "/Tags/0/Value", json!("others"), true),
        case("a description", "Alarm", "/AlarmDescription", json!("ignore me"), true),
        case("who may do what", "Role", "/Description", json!("runs everything"), true),
        case("a rule more", "Group", "/SecurityGroupIngress/2", json!({ "IpProtocol": "tcp", "FromPort": 22 }), true),
        case("how long backups are kept", "Database", "/BackupRetentionPeriod", json!(0), true),
        case("a setting in a list", "Cluster", "/ClusterSettings/0/Value", json!("disabled"), true),
        case("a value", "Parameter", "/Value", json!("two"), true),
    ]
}

/// Services do it when it is deployed, people a day later.
#[test]
fn what_somebody_changed_is_found_and_nothing_else() {
    let mut quirks: BTreeMap<String, Vec<(String, Json)>> = BTreeMap::new();
    let kinds = BTreeMap::from([
        ("Log", "AWS::Logs::LogGroup"),
        ("Queue", "AWS::SQS::Queue"),
        ("Topic", "AWS::SNS::Topic"),
        ("Group", "AWS::EC2::SecurityGroup"),
        ("Alarm", "AWS::CloudWatch::Alarm"),
        ("Role", "AWS::IAM::Role"),
        ("Bucket", "AWS::S3::Bucket"),
        ("Parameter", "AWS::SSM::Parameter"),
    ]);
    for case in cases().iter().filter(|case| !case.changed) {
        quirks.entry(kinds[case.resource].to_owned()).or_default().push((case.path.to_owned(), case.live.clone()));
    }
    let mut world = World::with(REPORT, SimConfig { quirks, ..SimConfig::default() });
    world.template = TEMPLATE.to_owned();
    world.stack = "  capabilities: [CAPABILITY_IAM]\n".to_owned();
    world.run(HOUR * 2);
    let fresh = world.places();
    world.run(HOUR * 24);
    for case in cases().iter().filter(|case| case.changed) {
        world.tamper(case.resource, case.path, case.live.clone());
    }
    world.console().hide_resource(&stack(), "Database", None).unwrap();
    world.run(HOUR * 7);
    let found: BTreeSet<String> = world.places().into_iter().collect();
    let changed: BTreeSet<String> =
        cases().iter().filter(|case| case.changed).map(|case| format!("{}{}", case.resource, case.path)).collect();
    let both = found.intersection(&changed).count();
    let missed: Vec<&str> = cases()
        .iter()
        .filter(|case| case.changed && !found.contains(&format!("{}{}", case.resource, case.path)))
        .map(|case| case.about)
        .collect();
    let untrue: Vec<&String> = found.difference(&changed).collect();
    println!(
        "drift: precision {both}/{} and recall {both}/{} over {} cases; fresh: {} untrue",
        found.len(),
        changed.len(),
        cases().len(),
        fresh.len()
    );
    assert_eq!((fresh, untrue, missed), (Vec::<String>::new(), Vec::new(), Vec::<&str>::new()));
    let unknown = world
        .remembered()
        .seen
        .unwrap()
        .findings
        .iter()
        .filter(|finding| matches!(finding.verdict, landfast::model::Verdict::Unknown { .. }))
        .map(Finding::place)
        .collect::<Vec<_>>();
    assert_eq!(unknown, ["Handle"], "what was not compared is said");
}

/// What could not be read has not drifted, and is not in sync either; what was seen of the rest counts.
#[test]
fn what_cannot_be_read_is_unknown_beside_what_can() {
    let mut world = World::new(REPORT);
    world.run(HOUR);
    world.tamper("Log", "/RetentionInDays", json!(30));
    world.tamper("Queue", "/DelaySeconds", json!(900));
    world.console().hide_resource(&stack(), "Queue", Some("Rate exceeded")).unwrap();
    world.run(HOUR * 7);
    assert_eq!(world.places(), ["Log/RetentionInDays"]);
    let plan = world.plan();
    assert_eq!(plan.entries.values().next().unwrap().drift.as_ref().unwrap().unknown, 2);
    world.console().hide_resource(&stack(), "Queue", None).unwrap();
    world.run(HOUR * 7);
    assert_eq!(world.places(), ["Log/RetentionInDays", "Queue/DelaySeconds"]);
}

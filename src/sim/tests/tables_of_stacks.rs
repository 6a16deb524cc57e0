//! Tables that stacks own.

use std::time::Duration;

use serde_json::json;

use super::tables::{describe, name, tables};
use super::{FENCE, Rig};
use crate::model::{AlarmDefinition, TableState};
use crate::ports::{Cloud as _, TableChange};

const STACK: &str = "
Resources:
  People:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: dev-People
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
      DeletionProtectionEnabled: PROTECTED
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true }
      TimeToLiveSpecification: { AttributeName: until, Enabled: true }
      Tags: [{ Key: team, Value: hr }]
";

#[test]
fn a_stack_makes_changes_and_deletes_its_table() {
    let rig = Rig::new();
    let id = rig.deployed("people", &STACK.replace("PROTECTED", "true"));
    let table = rig.console.table(&name("dev-People")).unwrap();
    assert!(table.continuous.on && table.state.deletion_protected);
    assert_eq!(table.time_to_live.as_deref(), Some("until"));
    assert_eq!(table.tags["team"], "hr");
    assert_eq!(table.tags["aws:cloudformation:stack-name"], "people");
    rig.console.put_item(&name("dev-People"), &json!({ "id": { "S": "a" } })).unwrap();
    rig.console.delete_stack(&super::stack_name("people")).unwrap();
    rig.pass(Duration::from_mins(10));
    let refused = rig.state("people").status;
    assert_eq!(refused, crate::model::StackStatus::DeleteFailed, "the table is protected");
    rig.console.update_table(&name("dev-People"), &TableChange::DeletionProtection(false)).unwrap();
    rig.run(rig.stacks.delete(FENCE, &id, &std::collections::BTreeSet::new(), "again")).unwrap();
    rig.pass(Duration::from_mins(10));
    assert!(rig.console.table(&name("dev-People")).is_none());
    let left = rig.console.table_backups();
    assert_eq!(left.len(), 1);
    assert!(left[0].system && left[0].items.len() == 1);
}

#[test]
fn what_is_changed_past_a_stack_is_drift_and_is_the_table() {
    let rig = Rig::new();
    let id = rig.deployed("people", &STACK.replace("PROTECTED", "true"));
    let people = name("dev-People");
    rig.console.set_recovery(&people, None).unwrap();
    rig.console
        .change_resource(&super::stack_name("people"), "People", "/DeletionProtectionEnabled", json!(false))
        .unwrap();
    let table = rig.console.table(&people).unwrap();
    assert!(!table.continuous.on && !table.state.deletion_protected);
    let drift = rig.cloud.drift(&rig.scope, None);
    let found = rig.run(async {
        let detection = drift.detect(&id).await.unwrap();
        rig.cx.sleep(Duration::from_mins(5)).await;
        drift.detection(&detection).await.unwrap();
        drift.drifts(&id, None).await.unwrap().items
    });
    let paths: Vec<&str> = found[0].differences.iter().map(|difference| difference.path.as_str()).collect();
    assert_eq!(paths, ["/DeletionProtectionEnabled", "/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled"]);
    rig.console.delete_table(&people).unwrap();
    assert!(rig.console.table(&people).is_none());
}

#[test]
fn what_a_stack_scales_and_watches_of_its_table_is_told_with_it() {
    let rig = Rig::new();
    let more = "
  Target:
    Type: AWS::ApplicationAutoScaling::ScalableTarget
    Properties:
      ResourceId: !Sub table/${People}
      ScalableDimension: dynamodb:table:WriteCapacityUnits
      ServiceNamespace: dynamodb
      MinCapacity: 5
      MaxCapacity: 50
  Policy:
    Type: AWS::ApplicationAutoScaling::ScalingPolicy
    Properties:
      PolicyName: writes
      PolicyType: TargetTrackingScaling
      ScalingTargetId: !Ref Target
      TargetTrackingScalingPolicyConfiguration:
        TargetValue: 70
        PredefinedMetricSpecification: { PredefinedMetricType: DynamoDBWriteCapacityUtilization }
  Throttled:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: people-throttled
      Namespace: AWS/DynamoDB
      MetricName: WriteThrottleEvents
      Dimensions: [{ Name: TableName, Value: !Ref People }]
      Statistic: Sum
      Period: 60
      EvaluationPeriods: 1
      Threshold: 10
      ComparisonOperator: GreaterThanThreshold
";
    rig.deployed("people", &format!("{}{more}", STACK.replace("PROTECTED", "false").trim_end()));
    let state = describe(&rig, "dev-People").unwrap();
    let scaled = rig.run(tables(&rig).scaling(&state)).unwrap();
    assert_eq!((scaled.len(), scaled[0].min, scaled[0].max, scaled[0].writes), (1, 5, 50, true));
    assert_eq!(scaled[0].policies[0].target_milli, 70_000);
    let alarms = rig.run(tables(&rig).alarms(None)).unwrap().items;
    let (of_scaling, alarms): (Vec<_>, Vec<_>) = alarms.into_iter().partition(AlarmDefinition::is_of_scaling);
    assert_eq!((of_scaling.len(), alarms.len()), (2, 1), "a policy has two of its own");
    assert_eq!(
        (alarms[0].name.as_str(), alarms[0].dimensions["TableName"].as_str()),
        ("people-throttled", "dev-People")
    );
    let other = TableState { name: name("dev-Peop"), ..state };
    assert!(rig.run(tables(&rig).scaling(&other)).unwrap().is_empty(), "a name that only begins like it");
}

//! What cannot work is explained, and holds up nothing else.

use std::time::Duration;

use landfast::model::StackStatus;

use super::place::Place;

/// The name of the second table is taken by the first.
const CLASH: &str = "
  First: &table
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: taken
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
  Second:
    Type: AWS::DynamoDB::Table
    DependsOn: First
    Properties:
      TableName: taken
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]

Outputs:";

/// Makes a template fail when it is deployed.
pub fn break_template(place: &Place, name: &str) {
    let clash = CLASH.replace(" &table", "");
    place.edit(&format!("performance-mgmt/templates/{name}.yaml"), "\nOutputs:", &clash);
}

/// As it was shipped.
fn repair_template(place: &Place, name: &str) {
    let file = format!("performance-mgmt/templates/{name}.yaml");
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests").join(&file);
    std::fs::copy(shipped, place.manifests().join(file)).unwrap();
}

#[tokio::test]
async fn a_stack_that_fails_says_why_and_holds_up_only_what_needs_it() {
    let Some(place) = Place::new(Duration::ZERO) else { return };
    break_template(&place, "elasticache");
    let applied = place.run(&["apply", "dev", "--yes"]).exits(1);
    eprintln!("a failing apply took {:?}", applied.took);
    assert!(applied.text().contains("already exists"), "{}", applied.text());
    let why = place.run(&["why", "dev/stack/elasticache"]).exits(0);
    assert!(why.out.contains("Second") && why.out.contains("already exists"), "{}", why.out);
    let why = place.run(&["why", "dev/stack/ecs-service"]).exits(0);
    assert!(why.out.contains("dev/stack/elasticache"), "{}", why.out);
    let stacks = place.list().await;
    let done = stacks.iter().filter(|(_, stack)| stack.status == StackStatus::CreateComplete);
    let done: Vec<_> = done.map(|(name, _)| name.as_str()).collect();
    assert_eq!(done, ["alb", "dynamodb", "ecr", "ecs-cluster", "iam", "kms", "msk", "network", "security"]);
    assert!(!stacks.contains_key("ecs-service") && !stacks.contains_key("monitoring"));
    // What cannot succeed is not tried again and again.
    place.recorder.forget();
    place.run(&["apply", "dev", "--yes"]).exits(1);
    assert_eq!(place.recorder.mutations().len(), 0, "{:?}", place.recorder.mutations());
    // Repaired, it goes on from where it is.
    repair_template(&place, "elasticache");
    place.run(&["apply", "dev", "--yes"]).exits(0);
    assert_eq!(place.list().await.len(), 12);
}

#[tokio::test]
async fn an_update_that_fails_is_explained_and_tried_again_only_when_it_has_changed() {
    let Some(place) = Place::new(Duration::ZERO) else { return };
    place.run(&["apply", "dev", "--yes"]).exits(0);
    let before = place.list().await;
    break_template(&place, "ecr");
    let applied = place.run(&["apply", "dev", "--yes"]).exits(1);
    assert!(applied.text().contains("already exists"), "{}", applied.text());
    let why = place.run(&["why", "dev/stack/ecr"]).exits(0);
    assert!(why.out.contains("Second") && why.out.contains("already exists"), "{}", why.out);
    assert_eq!(place.list().await["ecr"].status, StackStatus::UpdateRollbackComplete);
    assert_eq!(place.list().await["iam"], before["iam"]);
    place.recorder.forget();
    place.run(&["apply", "dev", "--yes"]).exits(1);
    assert!(!place.recorder.counts().contains_key("ExecuteChangeSet"), "{:?}", place.recorder.counts());
    repair_template(&place, "ecr");
    place.run(&["apply", "dev", "--yes"]).exits(0);
    place.run(&["plan", "dev"]).exits(0);
}

#[tokio::test]
async fn everything_that_is_wrong_with_the_manifests_is_said_before_anything_is_called() {
    let Some(place) = Place::new(Duration::ZERO) else { return };
    let file = "performance-mgmt/stacks.yaml";
    place.edit(file, "timeout: 90m", "timeuot: 90m");
    place.edit("environments/dev/environment.yaml", "mode: apply", "mode: aply");
    refused(&place, &["timeuot", "aply"]);
    // What refers to what is checked in documents that can be read.
    place.edit(file, "timeuot: 90m", "timeout: 90m");
    place.edit("environments/dev/environment.yaml", "mode: aply", "mode: apply");
    place.edit(file, "stacks.ecr.outputs.RepositoryArn", "stacks.ecr.outputs.RepositryArn");
    place.edit(file, "dependsOn: [ecs-cluster]", "dependsOn: [ecs-clutser]");
    refused(&place, &["RepositryArn", "ecs-clutser"]);
    assert!(place.recorder.calls().is_empty(), "{:?}", place.recorder.counts());
}

/// Every command says all of it.
#[track_caller]
fn refused(place: &Place, wrongs: &[&str]) {
    for command in [&["validate"][..], &["plan", "dev"], &["apply", "dev", "--yes"], &["run", "--once"]] {
        let text = place.run(command).exits(65).text();
        for wrong in wrongs {
            assert!(text.contains(wrong), "{command:?} does not mention {wrong}:\n{text}");
        }
    }
}

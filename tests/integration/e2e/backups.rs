//! Backup policies through the program: tables of a stack are protected and backed up, on request too, and what covers
//! which table is told.

use super::place::Place;

const ENVIRONMENT: &str = r#"
apiVersion: landfast/v1
kind: Environment
metadata: { name: dev }
spec: { system: shop, account: "ACCOUNT", region: us-east-1, include: [shop], policy: { mode: apply } }
"#;

const SHOP: &str = r#"
apiVersion: landfast/v1
kind: Stack
metadata: { name: data }
spec: { template: data.tpl }
---
apiVersion: landfast/v1
kind: BackupPolicy
metadata: { name: tables }
spec:
  tables: { names: [shop-orders] }
  dependsOn: [data]
  pointInTimeRecovery: { window: 35d }
  schedule: "0 3 * * *"
  retention: { last: 3, daily: 7 }
"#;

const TEMPLATE: &str = r"
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: shop-orders
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
  Carts:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: shop-carts
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
";

/// How many recovery points are listed of each table.
fn points(place: &Place) -> Vec<(String, usize)> {
    let listed = place.run(&["backup", "list", "dev", "-o", "json"]).exits(0).json();
    let mut points = std::collections::BTreeMap::new();
    for item in listed["items"].as_array().unwrap() {
        *points.entry(item["table"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    points.into_iter().collect()
}

#[test]
fn tables_are_backed_up_on_request_too_and_what_nobody_backs_up_is_told() {
    let files = [("dev.yaml", ENVIRONMENT), ("shop/shop.yaml", SHOP), ("shop/data.tpl", TEMPLATE)];
    let Some(place) = Place::of(&files) else { return };
    place.run(&["plan", "dev"]).exits(2);
    let made = |operation: &str| place.recorder.mutations().iter().filter(|call| call.action == operation).count();
    assert_eq!(made("CreateBackup"), 0, "a plan makes nothing");
    place.run(&["apply", "dev", "--yes"]).exits(0);
    let clean = place.run(&["plan", "dev"]).exits(0);
    assert!(clean.out.contains("In sync: 2 objects."), "{}", clean.out);
    assert_eq!((made("UpdateContinuousBackups"), made("CreateBackup")), (1, 1));
    assert_eq!(points(&place), [("shop-orders".to_owned(), 1)]);

    place.run(&["backup", "now", "dev/backuppolicy/tables"]).exits(0);
    place.run(&["apply", "dev", "--yes"]).exits(0);
    assert_eq!(points(&place), [("shop-orders".to_owned(), 2)]);
    place.run(&["plan", "dev"]).exits(0);

    let told = place.run(&["backup", "coverage", "dev"]).exits(2);
    assert!(told.out.contains("shop-carts"), "{}", told.out);
    place.edit("shop/shop.yaml", "names: [shop-orders]", "stack: data");
    place.run(&["backup", "coverage", "dev"]).exits(0);
    place.run(&["apply", "dev", "--yes"]).exits(0);
    assert_eq!(points(&place), [("shop-carts".to_owned(), 1), ("shop-orders".to_owned(), 2)]);
    place.run(&["plan", "dev"]).exits(0);

    // Without its manifest nothing is made, and nothing goes.
    let (stack, _) = SHOP.split_once("---").unwrap();
    std::fs::write(place.manifests().join("shop/shop.yaml"), stack).unwrap();
    place.run(&["apply", "dev", "--yes"]);
    assert_eq!(points(&place), [("shop-carts".to_owned(), 1), ("shop-orders".to_owned(), 2)]);
    assert_eq!(made("DeleteBackup"), 0);
}

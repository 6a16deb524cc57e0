//! `DynamoDB`, Application Auto Scaling and AWS Backup on the wire.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::aws::wire::{Answer, FENCE, Wire, scope};
use crate::model::{
    Billing, ItemKey, JobState, KeyType, PointStatus, Redacted, StreamView, TableArn, TableClass, TableKey, TableName,
    TableState, TableStatus, VaultName,
};
use crate::ports::{Class, Cloud as _, StartBackup, StartCopy, StartRestore, TableChange, Tables, Vaults};

const ARN: &str = "arn:aws:dynamodb:eu-central-1:111122223333:table/people";
const BACKUP: &str = "arn:aws:dynamodb:eu-central-1:111122223333:table/people/backup/01700000000000-abcdef01";

async fn tables(wire: &Wire) -> Arc<dyn Tables> {
    wire.cloud(None).await.tables(&scope(), None)
}

async fn vaults(wire: &Wire) -> Arc<dyn Vaults> {
    wire.cloud(None).await.vaults(&scope(), None)
}

fn json(body: &str) -> Answer {
    Answer::Http(200, body.to_owned())
}

fn refusal(code: &str, message: &str) -> Answer {
    let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"{message}"}}"#);
    Answer::Http(400, body)
}

fn people() -> TableName {
    "people".parse().unwrap()
}

fn arn() -> TableArn {
    ARN.parse().unwrap()
}

fn described(more: &str) -> String {
    format!(
        r#"{{"TableName":"people","TableArn":"{ARN}","TableId":"id-1","TableStatus":"ACTIVE",
        "CreationDateTime":1700000000.5,"ItemCount":7,"TableSizeBytes":900,
        "AttributeDefinitions":[{{"AttributeName":"id","AttributeType":"S"}},{{"AttributeName":"no","AttributeType":"N"}}],
        "KeySchema":[{{"AttributeName":"no","KeyType":"RANGE"}},{{"AttributeName":"id","KeyType":"HASH"}}]
        {more}}}"#
    )
}

const PROVISIONED: &str = r#","ProvisionedThroughput":{"ReadCapacityUnits":5,"WriteCapacityUnits":6}"#;

async fn state() -> TableState {
    let wire = Wire::answering([json(&format!(r#"{{"Table":{}}}"#, described(PROVISIONED)))]);
    tables(&wire).await.describe(&people()).await.unwrap().unwrap()
}

#[tokio::test]
async fn everything_a_table_says_of_itself_is_read() {
    let found = state().await;
    let text = |name: &str, kind| (name.to_owned(), kind);
    assert_eq!(found.key, TableKey { partition: text("id", KeyType::Text), sort: Some(text("no", KeyType::Number)) });
    assert_eq!((found.billing, found.class), (Billing::Provisioned { read: 5, write: 6 }, TableClass::Standard));
    assert_eq!((found.items, found.bytes, found.status), (7, 900, TableStatus::Active));
    assert!(found.stream.is_none() && found.restored.is_none() && !found.deletion_protected);
    let more = format!(
        r#","BillingModeSummary":{{"BillingMode":"PAY_PER_REQUEST"}},
        "TableClassSummary":{{"TableClass":"STANDARD_INFREQUENT_ACCESS"}},"DeletionProtectionEnabled":true,
        "StreamSpecification":{{"StreamEnabled":true,"StreamViewType":"NEW_IMAGE"}},
        "SSEDescription":{{"Status":"ENABLED","SSEType":"KMS","KMSMasterKeyArn":"key"}},
        "Replicas":[{{"RegionName":"us-west-2","ReplicaStatus":"ACTIVE"}}],
        "RestoreSummary":{{"SourceBackupArn":"{BACKUP}","SourceTableArn":"{ARN}","RestoreDateTime":1700000000,
            "RestoreInProgress":true}},
        "GlobalSecondaryIndexes":[{{"IndexName":"ByNo","IndexStatus":"CREATING",
            "KeySchema":[{{"AttributeName":"no","KeyType":"HASH"}}],
            "Projection":{{"ProjectionType":"INCLUDE","NonKeyAttributes":["b","a"]}}}}],
        "LocalSecondaryIndexes":[{{"IndexName":"Local","KeySchema":[{{"AttributeName":"id","KeyType":"HASH"}}],
            "Projection":{{"ProjectionType":"ALL"}}}}]"#
    );
    let wire = Wire::answering([json(&format!(r#"{{"Table":{}}}"#, described(&more)))]);
    let found = tables(&wire).await.describe(&people()).await.unwrap().unwrap();
    assert_eq!((found.billing, found.class), (Billing::OnDemand, TableClass::InfrequentAccess));
    assert!(found.deletion_protected);
    assert_eq!((found.stream, found.kms_key.as_deref()), (Some(StreamView::NewImage), Some("key")));
    assert_eq!(found.replicas.iter().map(crate::model::Region::as_str).collect::<Vec<_>>(), ["us-west-2"]);
    let origin = found.restored.unwrap();
    assert_eq!((origin.point.unwrap().as_str(), origin.in_progress), (BACKUP, true));
    assert_eq!(found.indexes_busy.iter().map(String::as_str).collect::<Vec<_>>(), ["ByNo"]);
    assert_eq!(found.indexes["ByNo"].attributes.len(), 2);
    assert_eq!((found.indexes["ByNo"].local, found.indexes["Local"].local), (false, true));
    assert_eq!(found.indexes["ByNo"].key.partition.1, KeyType::Number);
}

#[tokio::test]
async fn a_table_that_is_not_there_is_none_and_a_status_of_the_future_is_unclear() {
    let gone = || refusal("ResourceNotFoundException", "Requested resource not found: Table: people not found");
    let wire = Wire::answering([gone(), refusal("TableNotFoundException", "Table not found: people"), gone()]);
    let door = tables(&wire).await;
    assert_eq!(door.describe(&people()).await.unwrap(), None);
    assert_eq!(door.continuous_backups(&people()).await.unwrap(), None);
    door.delete(FENCE, &people()).await.unwrap();
    let odd = described(PROVISIONED).replace("ACTIVE", "PONDERING");
    let wire = Wire::answering([json(&format!(r#"{{"Table":{odd}}}"#))]);
    let found = tables(&wire).await.describe(&people()).await.unwrap().unwrap();
    assert_eq!(found.status, TableStatus::Unclear);
}

#[tokio::test]
async fn tables_and_backups_are_read_page_by_page() {
    let backup = format!(
        r#"{{"TableName":"people","TableArn":"{ARN}","BackupArn":"{BACKUP}","BackupName":"landfast.x",
        "BackupCreationDateTime":1700000000,"BackupStatus":"AVAILABLE","BackupType":"USER","BackupSizeBytes":12}}"#
    );
    let wire = Wire::answering([
        json(r#"{"TableNames":["aaa","people"],"LastEvaluatedTableName":"people"}"#),
        json(r#"{"TableNames":[]}"#),
        json(&format!(r#"{{"BackupSummaries":[{backup}],"LastEvaluatedBackupArn":"{BACKUP}"}}"#)),
        json(r#"{"BackupSummaries":[]}"#),
    ]);
    let door = tables(&wire).await;
    let first = door.list(None).await.unwrap();
    assert_eq!((first.items.len(), first.next.as_deref()), (2, Some("people")));
    assert!(door.list(first.next).await.unwrap().next.is_none());
    let first = door.backups(None).await.unwrap();
    assert_eq!(first.items[0].name.as_deref(), Some("landfast.x"));
    assert_eq!((first.items[0].status, first.items[0].bytes), (PointStatus::Available, Some(12)));
    assert!(door.backups(first.next).await.unwrap().next.is_none());
    let bodies: Vec<String> = wire.sent().into_iter().map(|sent| sent.body).collect();
    insta::assert_snapshot!(bodies.join("\n"), @r#"
    {"Limit":100}
    {"ExclusiveStartTableName":"people","Limit":100}
    {"Limit":100,"BackupType":"ALL"}
    {"Limit":100,"ExclusiveStartBackupArn":"arn:aws:dynamodb:eu-central-1:111122223333:table/people/backup/01700000000000-abcdef01","BackupType":"ALL"}
    "#);
}

#[tokio::test]
async fn a_backup_says_what_it_keeps_of_its_table_and_no_more() {
    let wire = Wire::answering([json(&format!(
        r#"{{"BackupDescription":{{"BackupDetails":{{"BackupArn":"{BACKUP}","BackupName":"landfast.x",
        "BackupStatus":"CREATING","BackupType":"USER","BackupCreationDateTime":1700000000,"BackupSizeBytes":12}},
        "SourceTableDetails":{{"TableName":"people","TableId":"id-1","TableArn":"{ARN}","ItemCount":3,
            "KeySchema":[{{"AttributeName":"id","KeyType":"HASH"}}],"TableCreationDateTime":1700000000,
            "ProvisionedThroughput":{{"ReadCapacityUnits":1,"WriteCapacityUnits":2}},"BillingMode":"PROVISIONED"}},
        "SourceTableFeatureDetails":{{"TimeToLiveDescription":{{"TimeToLiveStatus":"ENABLED","AttributeName":"until"}},
            "StreamDescription":{{"StreamEnabled":true,"StreamViewType":"KEYS_ONLY"}}}}}}}}"#
    ))]);
    let (point, profile) = tables(&wire).await.backup(&BACKUP.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((point.status, point.items, point.table), (PointStatus::Creating, Some(3), people()));
    assert_eq!(profile.key.partition, ("id".to_owned(), KeyType::Unsaid));
    assert_eq!(profile.billing, Billing::Provisioned { read: 1, write: 2 });
    assert_eq!((profile.time_to_live.as_deref(), profile.stream), (Some("until"), Some(StreamView::KeysOnly)));
    let wire = Wire::answering([
        refusal("BackupNotFoundException", "Backup not found"),
        refusal("BackupNotFoundException", ""),
    ]);
    assert!(tables(&wire).await.backup(&BACKUP.parse().unwrap()).await.unwrap().is_none());
    tables(&wire).await.delete_backup(FENCE, &BACKUP.parse().unwrap()).await.unwrap();
}

#[tokio::test]
async fn the_window_of_recovery_is_read_and_set() {
    let recovery = |inner: &str| {
        json(&format!(
            r#"{{"ContinuousBackupsDescription":{{"ContinuousBackupsStatus":"ENABLED",
            "PointInTimeRecoveryDescription":{{{inner}}}}}}}"#
        ))
    };
    let wire = Wire::answering([
        recovery(
            r#""PointInTimeRecoveryStatus":"ENABLED","RecoveryPeriodInDays":7,
            "EarliestRestorableDateTime":1700000000,"LatestRestorableDateTime":1700600000"#,
        ),
        recovery(r#""PointInTimeRecoveryStatus":"DISABLED""#),
        recovery(r#""PointInTimeRecoveryStatus":"ENABLED""#),
        recovery(r#""PointInTimeRecoveryStatus":"DISABLED""#),
    ]);
    let door = tables(&wire).await;
    let on = door.continuous_backups(&people()).await.unwrap().unwrap();
    assert_eq!((on.on, on.window_days, on.latest.unwrap().as_second()), (true, 7, 1_700_600_000));
    let off = door.continuous_backups(&people()).await.unwrap().unwrap();
    assert_eq!((off.on, off.window_days, off.earliest), (false, 35, None));
    door.set_continuous_backups(FENCE, &people(), Some(14)).await.unwrap();
    door.set_continuous_backups(FENCE, &people(), None).await.unwrap();
    let bodies: Vec<String> = wire.sent().into_iter().skip(2).map(|sent| sent.body).collect();
    insta::assert_snapshot!(bodies.join("\n"), @r#"
    {"TableName":"people","PointInTimeRecoverySpecification":{"PointInTimeRecoveryEnabled":true,"RecoveryPeriodInDays":14}}
    {"TableName":"people","PointInTimeRecoverySpecification":{"PointInTimeRecoveryEnabled":false}}
    "#);
}

#[tokio::test]
async fn a_change_is_one_setting_and_a_restore_says_where_from_and_when() {
    let changed = || json(&format!(r#"{{"TableDescription":{}}}"#, described(PROVISIONED)));
    let wire = Wire::answering([changed(), changed(), changed(), changed(), changed(), changed(), changed()]);
    let door = tables(&wire).await;
    for change in [
        TableChange::DeletionProtection(true),
        TableChange::Class(TableClass::InfrequentAccess),
        TableChange::Billing(Billing::Provisioned { read: 1, write: 2 }),
        TableChange::Stream(None),
    ] {
        door.update(FENCE, &people(), &change).await.unwrap();
    }
    let to: TableName = "again".parse().unwrap();
    door.restore_backup(FENCE, &BACKUP.parse().unwrap(), &to).await.unwrap();
    door.restore_to(FENCE, &arn(), &to, Some("2026-01-01T00:00:00Z".parse().unwrap())).await.unwrap();
    door.restore_to(FENCE, &arn(), &to, None).await.unwrap();
    let bodies: Vec<String> = wire.sent().into_iter().map(|sent| sent.body).collect();
    insta::assert_snapshot!(bodies.join("\n"), @r#"
    {"TableName":"people","DeletionProtectionEnabled":true}
    {"TableName":"people","TableClass":"STANDARD_INFREQUENT_ACCESS"}
    {"TableName":"people","BillingMode":"PROVISIONED","ProvisionedThroughput":{"ReadCapacityUnits":1,"WriteCapacityUnits":2}}
    {"TableName":"people","StreamSpecification":{"StreamEnabled":false}}
    {"TargetTableName":"again","BackupArn":"arn:aws:dynamodb:eu-central-1:111122223333:table/people/backup/01700000000000-abcdef01"}
    {"SourceTableArn":"arn:aws:dynamodb:eu-central-1:111122223333:table/people","TargetTableName":"again","RestoreDateTime":1767225600}
    {"SourceTableArn":"arn:aws:dynamodb:eu-central-1:111122223333:table/people","TargetTableName":"again","UseLatestRestorableTime":true}
    "#);
}

#[tokio::test]
async fn a_refusal_says_what_to_do() {
    let door = |answer| async { tables(&Wire::answering([answer])).await };
    let to: TableName = "again".parse().unwrap();
    for (code, class) in [
        ("TableAlreadyExistsException", Class::Conflict),
        ("TableInUseException", Class::Conflict),
        ("LimitExceededException", Class::Limit),
        ("InvalidRestoreTimeException", Class::Invalid),
        ("PointInTimeRecoveryUnavailableException", Class::Invalid),
        ("TableNotFoundException", Class::NotFound),
    ] {
        let error = door(refusal(code, "")).await.restore_to(FENCE, &arn(), &to, None).await.unwrap_err();
        assert_eq!(error.class, class, "{error}");
    }
    let none = refusal("PolicyNotFoundException", "No resource-based policy found");
    assert_eq!(door(none).await.policy(&arn()).await.unwrap(), None);
    let gone = refusal("ResourceNotFoundException", "Requested resource not found");
    assert_eq!(door(gone).await.policy(&arn()).await.unwrap_err().class, Class::NotFound);
}

fn key(id: &str) -> ItemKey {
    ItemKey::new(BTreeMap::from([("id".to_owned(), Redacted::new(format!(r#"{{"S":"{id}"}}"#)))]))
}

#[tokio::test]
async fn items_are_told_apart_and_never_shown() {
    let wire = Wire::answering([
        json(
            r#"{"Items":[{"id":{"S":"canary-1"},"tags":{"SS":["y","x"]},"n":{"N":"1.0"}}],"Count":1,"ScannedCount":1}"#,
        ),
        json(
            r#"{"Responses":{"people":[{"n":{"N":"1"},"id":{"S":"canary-1"},"tags":{"SS":["x","y"]}}]},
            "UnprocessedKeys":{"people":{"Keys":[{"id":{"S":"canary-2"}}]}}}"#,
        ),
    ]);
    let door = tables(&wire).await;
    let by = TableKey { partition: ("id".to_owned(), KeyType::Text), sort: None };
    let scanned = door.sample(&people(), &by, 1, 4, 25).await.unwrap();
    let read = door.items(&people(), &[key("canary-1"), key("canary-2")]).await.unwrap();
    assert_eq!(read.items, scanned, "sets have no order, and 1.0 is 1");
    assert_eq!(read.unprocessed, [key("canary-2")]);
    assert!(!format!("{scanned:?} {read:?}").contains("canary"));
    let bodies: Vec<String> = wire.sent().into_iter().map(|sent| sent.body).collect();
    insta::assert_snapshot!(bodies.join("\n"), @r#"
    {"TableName":"people","Limit":25,"TotalSegments":4,"Segment":1,"ConsistentRead":true}
    {"RequestItems":{"people":{"Keys":[{"id":{"S":"canary-1"}},{"id":{"S":"canary-2"}}],"ConsistentRead":true}}}
    "#);
}

#[tokio::test]
async fn no_error_of_a_read_of_items_repeats_one() {
    let refused = || refusal("ValidationException", "The provided key canary-1 is wrong");
    let by = TableKey { partition: ("id".to_owned(), KeyType::Text), sort: None };
    for answer in
        [refused(), json(r#"{"Items":[{"id":{"S":"canary-1"}}"#), json(r#"{"Items":[{"other":{"S":"canary-1"}}]}"#)]
    {
        let wire = Wire::answering([answer]);
        let error = tables(&wire).await.sample(&people(), &by, 0, 1, 1).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    }
    for answer in [refused(), json(r#"{"Responses":{"people":[{"id":{"S":"canary-1"}}"#)] {
        let wire = Wire::answering([answer]);
        let error = tables(&wire).await.items(&people(), &[key("canary-1")]).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    }
}

#[tokio::test]
async fn what_is_scaled_is_read_with_its_policies_and_put_again() {
    let target = r#"{"ServiceNamespace":"dynamodb","ResourceId":"table/people",
        "ScalableDimension":"dynamodb:table:WriteCapacityUnits","MinCapacity":5,"MaxCapacity":50,"CreationTime":1700000000,
        "RoleARN":"arn:aws:iam::1:role/aws-service-role/dynamodb.application-autoscaling.amazonaws.com/x"}"#;
    let policy = r#"{"PolicyARN":"p","PolicyName":"writes","ServiceNamespace":"dynamodb","ResourceId":"table/people",
        "ScalableDimension":"dynamodb:table:WriteCapacityUnits","PolicyType":"TargetTrackingScaling",
        "CreationTime":1700000000,"TargetTrackingScalingPolicyConfiguration":{"TargetValue":70.5,"ScaleInCooldown":60,
        "PredefinedMetricSpecification":{"PredefinedMetricType":"DynamoDBWriteCapacityUtilization"}}}"#;
    let wire = Wire::answering([
        json(r#"{"ScalableTargets":[],"NextToken":"more"}"#),
        json(&format!(r#"{{"ScalableTargets":[{target}]}}"#)),
        json(&format!(r#"{{"ScalingPolicies":[{policy}]}}"#)),
        json(r#"{"ScalableTargetARN":"a"}"#),
        json(r#"{"PolicyARN":"p","Alarms":[]}"#),
    ]);
    let door = tables(&wire).await;
    let found = door.scaling(&state().await).await.unwrap();
    assert_eq!((found[0].min, found[0].max, found[0].writes, &found[0].role), (5, 50, true, &None));
    assert_eq!((found[0].policies[0].target_milli, found[0].policies[0].only_out), (70_500, false));
    door.put_scaling(FENCE, &"again".parse().unwrap(), &found[0]).await.unwrap();
    let bodies: Vec<String> = wire.sent().into_iter().map(|sent| sent.body).collect();
    insta::assert_snapshot!(bodies.join("\n"), @r#"
    {"ServiceNamespace":"dynamodb","ResourceIds":["table/people"]}
    {"ServiceNamespace":"dynamodb","ResourceIds":["table/people"],"NextToken":"more"}
    {"ServiceNamespace":"dynamodb","ResourceId":"table/people"}
    {"ServiceNamespace":"dynamodb","ResourceId":"table/again","ScalableDimension":"dynamodb:table:WriteCapacityUnits","MinCapacity":5,"MaxCapacity":50}
    {"PolicyName":"writes","ServiceNamespace":"dynamodb","ResourceId":"table/again","ScalableDimension":"dynamodb:table:WriteCapacityUnits","PolicyType":"TargetTrackingScaling","TargetTrackingScalingPolicyConfiguration":{"TargetValue":70.5,"PredefinedMetricSpecification":{"PredefinedMetricType":"DynamoDBWriteCapacityUtilization"},"ScaleInCooldown":60}}
    "#);
}

#[tokio::test]
async fn a_backup_job_carries_its_token_and_tags() {
    let vault: VaultName = "landfast".parse().unwrap();
    let role = "arn:aws:iam::111122223333:role/backup";
    let point = "arn:aws:backup:eu-central-1:111122223333:recovery-point:1EB3B5E7";
    let wire = Wire::answering([
        json(r#"{"BackupJobId":"job-1"}"#),
        json(r#"{"CopyJobId":"job-2"}"#),
        json(r#"{"RestoreJobId":"job-3"}"#),
        json(""),
    ]);
    let door = vaults(&wire).await;
    let tags = BTreeMap::from([("landfast/owner".to_owned(), "x".to_owned())]);
    let (table, role) = (arn(), role.parse::<crate::model::RoleArn>().unwrap());
    let backup = StartBackup { table, vault: vault.clone(), role: role.clone(), token: "t1".to_owned(), tags };
    assert_eq!(door.start_backup(FENCE, backup).await.unwrap().as_str(), "job-1");
    let to = "arn:aws:backup:us-west-2:111122223333:backup-vault:landfast".to_owned();
    let (from, token) = (vault.clone(), "t2".to_owned());
    let copy = StartCopy { point: point.parse().unwrap(), from, to, role: role.clone(), token };
    assert_eq!(door.start_copy(FENCE, copy).await.unwrap().as_str(), "job-2");
    let to = "again".parse().unwrap();
    let restore =
        StartRestore { point: point.parse().unwrap(), to, role, encryption: BTreeMap::new(), token: "t3".to_owned() };
    assert_eq!(door.start_restore(FENCE, restore).await.unwrap().as_str(), "job-3");
    door.delete_point(FENCE, &vault, &point.parse().unwrap()).await.unwrap();
    let sent: Vec<String> = wire.sent().into_iter().map(|sent| format!("{} {}", path(&sent.uri), sent.body)).collect();
    insta::assert_snapshot!(sent.join("\n"), @r#"
    /backup-jobs {"BackupVaultName":"landfast","IamRoleArn":"arn:aws:iam::111122223333:role/backup","IdempotencyToken":"t1","RecoveryPointTags":{"landfast/owner":"x"},"ResourceArn":"arn:aws:dynamodb:eu-central-1:111122223333:table/people"}
    /copy-jobs {"DestinationBackupVaultArn":"arn:aws:backup:us-west-2:111122223333:backup-vault:landfast","IamRoleArn":"arn:aws:iam::111122223333:role/backup","IdempotencyToken":"t2","RecoveryPointArn":"arn:aws:backup:eu-central-1:111122223333:recovery-point:1EB3B5E7","SourceBackupVaultName":"landfast"}
    /restore-jobs {"IamRoleArn":"arn:aws:iam::111122223333:role/backup","IdempotencyToken":"t3","Metadata":{"targetTableName":"again"},"RecoveryPointArn":"arn:aws:backup:eu-central-1:111122223333:recovery-point:1EB3B5E7","ResourceType":"DynamoDB"}
    /backup-vaults/landfast/recovery-points/arn%3Aaws%3Abackup%3Aeu-central-1%3A111122223333%3Arecovery-point%3A1EB3B5E7
    "#);
}

#[tokio::test]
async fn what_aws_backup_says_of_encryption_goes_back_with_the_restore() {
    let point: crate::model::PointId = "arn:aws:backup:eu-central-1:111122223333:recovery-point:1".parse().unwrap();
    let key = "arn:aws:kms:eu-central-1:111122223333:key/1";
    let said = format!(r#"{{"RestoreMetadata":{{"encryptionType":"KMS","kmsMasterKeyArn":"{key}"}}}}"#);
    let wire = Wire::answering([json(&said), json(r#"{"RestoreJobId":"job-1"}"#)]);
    let door = vaults(&wire).await;
    let vault: VaultName = "landfast".parse().unwrap();
    let encryption = door.restore_metadata(&vault, &point).await.unwrap().unwrap();
    let (to, token) = ("again".parse().unwrap(), "t1".to_owned());
    let role = "arn:aws:iam::111122223333:role/backup".parse().unwrap();
    door.start_restore(FENCE, StartRestore { point, to, role, encryption, token }).await.unwrap();
    let sent = wire.sent();
    assert!(path(&sent[0].uri).ends_with("/restore-metadata"), "{}", sent[0].uri);
    let body: serde_json::Value = serde_json::from_str(&sent[1].body).unwrap();
    let expected = serde_json::json!({"targetTableName": "again", "encryptionType": "KMS", "kmsMasterKeyArn": key});
    assert_eq!(body["Metadata"], expected);
}

/// AWS: *`Scan`*: only with `ConsistentRead` has it all that was written before it.
#[tokio::test]
async fn items_are_counted_with_a_consistent_scan() {
    let wire = Wire::answering([json(r#"{"Count":0,"ScannedCount":0}"#)]);
    assert_eq!(tables(&wire).await.count(&people(), None).await.unwrap(), (0, None));
    let sent: serde_json::Value = serde_json::from_str(&wire.sent()[0].body).unwrap();
    assert_eq!(sent, serde_json::json!({"TableName": "people", "Select": "COUNT", "ConsistentRead": true}));
}

fn path(uri: &str) -> &str {
    uri.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..])).unwrap_or(uri)
}

#[tokio::test]
async fn points_and_jobs_of_a_vault_are_read() {
    let point = format!(
        r#"{{"RecoveryPointArn":"arn:aws:backup:eu-central-1:111122223333:recovery-point:1","BackupVaultName":"landfast",
        "ResourceArn":"{ARN}","ResourceType":"DynamoDB","Status":"COMPLETED","CreationDate":1700000000,
        "CompletionDate":1700000100,"BackupSizeInBytes":9,"CalculatedLifecycle":{{"DeleteAt":1800000000}}}}"#
    );
    let missing = || {
        Answer::Http(
            400,
            r#"{"Type":"Client","Code":"ERROR_2601","Message":"none","__type":"ResourceNotFoundException"}"#.to_owned(),
        )
    };
    let wire = Wire::answering([
        json(&format!(r#"{{"NextToken":"more","RecoveryPoints":[{point}]}}"#)),
        json(r#"{"BackupJobId":"job-1","State":"RUNNING","CreationDate":1700000000}"#),
        json(
            r#"{"CopyJob":{"CopyJobId":"job-2","State":"FAILED","StatusMessage":"no key",
            "DestinationRecoveryPointArn":"arn:aws:backup:us-west-2:111122223333:recovery-point:2"}}"#,
        ),
        json(&format!(r#"{{"RestoreJobId":"job-3","Status":"COMPLETED","CreatedResourceArn":"{ARN}"}}"#)),
        missing(),
        missing(),
    ]);
    let door = vaults(&wire).await;
    let vault: VaultName = "landfast".parse().unwrap();
    let page = door.points(&vault, None).await.unwrap();
    assert_eq!(page.next.as_deref(), Some("more"));
    let found = &page.items[0];
    assert_eq!((found.status, &found.table, found.bytes), (PointStatus::Available, &people(), Some(9)));
    assert_eq!(found.expires.unwrap().as_second(), 1_800_000_000);
    let id = |id: &str| id.parse().unwrap();
    assert_eq!(door.backup_job(&id("job-1")).await.unwrap().unwrap().state, JobState::Running);
    let copy = door.copy_job(&id("job-2")).await.unwrap().unwrap();
    assert_eq!((copy.state, copy.message.as_deref()), (JobState::Failed, Some("no key")));
    assert!(copy.point.unwrap().as_str().contains("us-west-2"));
    let restore = door.restore_job(&id("job-3")).await.unwrap().unwrap();
    assert_eq!(restore.table, Some(arn()));
    assert_eq!(door.backup_job(&id("gone")).await.unwrap(), None);
    assert_eq!(door.points(&vault, None).await.unwrap_err().class, Class::NotFound);
}

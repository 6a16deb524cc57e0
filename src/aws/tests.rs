//! What goes over the wire and what is made of the answers.

mod access;
mod buckets;
mod containers;
mod nested;
mod queue;
mod records;
mod secrets;
mod stored;
mod stuck;
mod tables;
mod traffic;
mod trail;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::fmt::Write as _;
use std::time::Duration;

use super::wire::{Answer, FENCE, Wire, refusal, result};
use crate::model::{
    ChangeAction, ChangeContext, ChangeSetInputs, ChangeSetStatus, DeploymentMode, OnFailure, Redacted, Replacement,
    ResourceChange, SmallMap, StackId, StackOptions, StackStatus, Value, ValueChange,
};
use crate::ports::{Class, Cloud as _, CreateChangeSet, CreateStack, TemplateSource};

const STACK: &str = "arn:aws:cloudformation:eu-central-1:111122223333:stack/dev-network/1";
const CHANGE_SET: &str = "arn:aws:cloudformation:eu-central-1:111122223333:changeSet/landfast-1/2";
const SECRET: &str = "hunter2-canary";

fn id() -> StackId {
    STACK.parse().unwrap()
}

fn strings(items: &[&str]) -> BTreeSet<String> {
    items.iter().map(|&item| item.to_owned()).collect()
}

fn create() -> CreateStack {
    CreateStack {
        name: "dev-network".parse().unwrap(),
        template: TemplateSource::Body("Resources: {}".into()),
        options: StackOptions {
            parameters: SmallMap::from([
                ("Cidr".to_owned(), Value::Plain("10.0.0.0/16".to_owned())),
                ("Password".to_owned(), Value::NoEcho(Redacted::new(SECRET.to_owned()))),
            ]),
            capabilities: strings(&["CAPABILITY_NAMED_IAM"]),
            tags: SmallMap::from([("landfast:owner".to_owned(), "dev/stack/network".to_owned())]),
            role_arn: Some("arn:aws:iam::111122223333:role/service".to_owned()),
            notifications: strings(&["arn:aws:sns:eu-central-1:111122223333:events"]),
            rollback_alarms: strings(&["arn:aws:cloudwatch:eu-central-1:111122223333:alarm:high"]),
            monitoring_minutes: Some(5),
        },
        termination_protection: true,
        stack_policy: Some("{}".into()),
        on_failure: OnFailure::Nothing,
        timeout: Some(Duration::from_mins(90)),
        token: "token-1".to_owned(),
    }
}

fn change_set() -> CreateChangeSet {
    CreateChangeSet {
        stack: id(),
        name: "landfast-1".parse().unwrap(),
        template: TemplateSource::Url("https://bucket.s3.eu-central-1.amazonaws.com/key".to_owned()),
        options: StackOptions::default(),
        nested: true,
        mode: DeploymentMode::Ordinary,
    }
}

#[tokio::test]
async fn a_creation_carries_everything_that_protects_the_stack_in_one_request() {
    let wire = Wire::answering([result("CreateStack", &format!("<StackId>{STACK}</StackId>"))]);
    assert_eq!(wire.stacks().await.create(FENCE, create()).await.unwrap(), id());
    let sent = wire.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].uri, "https://cloudformation.eu-central-1.amazonaws.com/");
    insta::assert_snapshot!(sent[0].form(), @r"
    Action=CreateStack
    Version=2010-05-15
    StackName=dev-network
    TemplateBody=Resources: {}
    Parameters.member.1.ParameterKey=Cidr
    Parameters.member.1.ParameterValue=10.0.0.0/16
    Parameters.member.2.ParameterKey=Password
    Parameters.member.2.ParameterValue=hunter2-canary
    RollbackConfiguration.RollbackTriggers.member.1.Arn=arn:aws:cloudwatch:eu-central-1:111122223333:alarm:high
    RollbackConfiguration.RollbackTriggers.member.1.Type=AWS::CloudWatch::Alarm
    RollbackConfiguration.MonitoringTimeInMinutes=5
    TimeoutInMinutes=90
    NotificationARNs.member.1=arn:aws:sns:eu-central-1:111122223333:events
    Capabilities.member.1=CAPABILITY_NAMED_IAM
    RoleARN=arn:aws:iam::111122223333:role/service
    OnFailure=DO_NOTHING
    StackPolicyBody={}
    Tags.member.1.Key=landfast:owner
    Tags.member.1.Value=dev/stack/network
    ClientRequestToken=token-1
    EnableTerminationProtection=true
    ");
}

#[tokio::test]
async fn a_change_set_says_none_for_what_the_manifest_leaves_out() {
    let answer = format!("<Id>{CHANGE_SET}</Id><StackId>{STACK}</StackId>");
    let wire = Wire::answering([result("CreateChangeSet", &answer)]);
    let id = wire.stacks().await.create_change_set(FENCE, change_set()).await.unwrap();
    assert_eq!(id.as_str(), CHANGE_SET);
    insta::assert_snapshot!(wire.sent()[0].form(), @r"
    Action=CreateChangeSet
    Version=2010-05-15
    StackName=arn:aws:cloudformation:eu-central-1:111122223333:stack/dev-network/1
    TemplateURL=https://bucket.s3.eu-central-1.amazonaws.com/key
    Parameters=
    Capabilities=
    RollbackConfiguration.RollbackTriggers=
    RollbackConfiguration.MonitoringTimeInMinutes=0
    NotificationARNs=
    Tags=
    ChangeSetName=landfast-1
    ChangeSetType=UPDATE
    IncludeNestedStacks=true
    ");
}

#[tokio::test]
async fn the_calls_that_change_a_stack_carry_its_id_and_their_token() {
    let operations = ["ExecuteChangeSet", "DeleteStack", "CancelUpdateStack", "ContinueUpdateRollback"];
    let wire = Wire::answering(operations.map(|operation| result(operation, "")));
    let stacks = wire.stacks().await;
    stacks.execute_change_set(FENCE, &CHANGE_SET.parse().unwrap(), "token").await.unwrap();
    stacks.delete(FENCE, &id(), &std::collections::BTreeSet::new(), "token").await.unwrap();
    stacks.cancel_update(FENCE, &id(), "token").await.unwrap();
    stacks.continue_rollback(FENCE, &id(), &std::collections::BTreeSet::new(), "token").await.unwrap();
    for (sent, operation) in wire.sent().iter().zip(operations) {
        let object = if operation == "ExecuteChangeSet" {
            format!("ChangeSetName={CHANGE_SET}")
        } else {
            format!("StackName={STACK}")
        };
        for line in [format!("Action={operation}"), object, "ClientRequestToken=token".to_owned()] {
            assert!(sent.form().lines().any(|field| field == line), "{operation} lacks {line}:\n{}", sent.form());
        }
    }
}

#[tokio::test]
async fn what_is_gone_already_is_deleted() {
    let wire = Wire::answering([
        refusal(400, "ValidationError", "Stack [dev-network] does not exist"),
        refusal(404, "ChangeSetNotFound", "ChangeSet [landfast-1] does not exist"),
    ]);
    let stacks = wire.stacks().await;
    stacks.delete(FENCE, &id(), &std::collections::BTreeSet::new(), "token").await.unwrap();
    stacks.delete_change_set(FENCE, &id(), &"landfast-1".parse().unwrap()).await.unwrap();
}

fn member(name: &str, status: &str) -> String {
    let arn = format!("arn:aws:cloudformation:eu-central-1:111122223333:stack/{name}/1");
    format!(
        "<member><StackId>{arn}</StackId><StackName>{name}</StackName><StackStatus>{status}</StackStatus>\
         <CreationTime>2026-01-01T00:00:00.5Z</CreationTime></member>"
    )
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let wire = Wire::answering([
        result(
            "DescribeStacks",
            &format!("<Stacks>{}</Stacks><NextToken>more</NextToken>", member("one", "CREATE_COMPLETE")),
        ),
        result("DescribeStacks", &format!("<Stacks>{}</Stacks>", member("two", "DELETE_IN_PROGRESS"))),
    ]);
    let stacks = wire.stacks().await;
    let first = stacks.list(None).await.unwrap();
    assert_eq!(first.items[0].name.as_str(), "one");
    assert_eq!(first.items[0].created.to_string(), "2026-01-01T00:00:00.5Z");
    let second = stacks.list(first.next).await.unwrap();
    assert_eq!((second.items[0].status, second.next), (StackStatus::DeleteInProgress, None));
    let sent = wire.sent();
    assert!(!sent[0].form().contains("NextToken") && sent[1].form().contains("NextToken=more"));
}

#[tokio::test]
async fn a_stack_whose_status_is_unknown_makes_the_page_unreadable_and_not_shorter() {
    let stacks = format!("<Stacks>{}{}</Stacks>", member("one", "CREATE_COMPLETE"), member("two", "HIBERNATING"));
    let wire = Wire::answering([result("DescribeStacks", &stacks)]);
    let error = wire.stacks().await.list(None).await.unwrap_err();
    assert!(error.class == Class::Transient && error.message.contains("HIBERNATING"), "{error}");
}

#[tokio::test]
async fn everything_a_stack_says_of_itself_is_read() {
    let text = format!(
        "<Stacks><member><StackId>{STACK}</StackId><StackName>dev-network</StackName>\
         <ChangeSetId>{CHANGE_SET}</ChangeSetId><StackStatus>UPDATE_ROLLBACK_COMPLETE</StackStatus>\
         <StackStatusReason>because</StackStatusReason><CreationTime>2026-01-01T00:00:00Z</CreationTime>\
         <LastUpdatedTime>2026-01-02T00:00:00Z</LastUpdatedTime>\
         <Parameters><member><ParameterKey>Password</ParameterKey><ParameterValue>****</ParameterValue></member></Parameters>\
         <Tags><member><Key>a</Key><Value>b</Value></member></Tags>\
         <Outputs><member><OutputKey>VpcId</OutputKey><OutputValue>vpc-1</OutputValue><ExportName>dev-vpc</ExportName></member></Outputs>\
         <EnableTerminationProtection>true</EnableTerminationProtection><RoleARN>role</RoleARN>\
         <NotificationARNs><member>topic</member></NotificationARNs>\
         <RollbackConfiguration><RollbackTriggers><member><Arn>alarm</Arn><Type>AWS::CloudWatch::Alarm</Type></member></RollbackTriggers>\
         <MonitoringTimeInMinutes>0</MonitoringTimeInMinutes></RollbackConfiguration>\
         <ParentId>{STACK}</ParentId></member></Stacks>"
    );
    let wire = Wire::answering([result("DescribeStacks", &text)]);
    let stack = wire.stacks().await.describe(&"dev-network".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(stack.status, StackStatus::UpdateRollbackComplete);
    assert_eq!(stack.status_reason.as_deref(), Some("because"));
    assert_eq!(stack.version().moved.to_string(), "2026-01-02T00:00:00Z");
    assert_eq!(stack.parameters["Password"], "****");
    assert_eq!(stack.tags["a"], "b");
    assert_eq!(stack.outputs["VpcId"].export.as_deref(), Some("dev-vpc"));
    assert!(stack.termination_protection);
    assert_eq!(stack.notifications, strings(&["topic"]));
    assert_eq!(stack.rollback_alarms, strings(&["alarm"]));
    assert_eq!(stack.monitoring_minutes, None, "0 is how AWS says that nothing was asked for");
    assert_eq!(stack.change_set.unwrap().as_str(), CHANGE_SET);
    assert_eq!(stack.parent, Some(id()));
}

#[tokio::test]
async fn a_stack_that_does_not_exist_is_none_and_any_other_refusal_an_error() {
    let wire = Wire::answering([
        refusal(400, "ValidationError", "Stack with id dev-network does not exist"),
        refusal(403, "AccessDenied", "User: x is not authorized to perform: cloudformation:DescribeStacks"),
        result("DescribeStacks", "<Stacks/>"),
    ]);
    let stacks = wire.stacks().await;
    let name = "dev-network".parse().unwrap();
    assert_eq!(stacks.describe(&name).await.unwrap(), None);
    assert_eq!(stacks.describe(&name).await.unwrap_err().class, Class::Denied);
    // Nothing at all is not a way in which AWS says "none".
    assert_eq!(stacks.describe(&name).await.unwrap_err().class, Class::Transient);
}

#[tokio::test]
async fn both_statuses_of_a_change_set_make_one() {
    let empty =
        "The submitted information didn't contain changes. Submit different information to create a change set.";
    let rows = [
        ("CREATE_PENDING", "UNAVAILABLE", "", ChangeSetStatus::Creating),
        ("CREATE_IN_PROGRESS", "UNAVAILABLE", "", ChangeSetStatus::Creating),
        ("CREATE_COMPLETE", "UNAVAILABLE", "", ChangeSetStatus::Creating),
        ("CREATE_COMPLETE", "AVAILABLE", "", ChangeSetStatus::Available),
        ("CREATE_COMPLETE", "OBSOLETE", "", ChangeSetStatus::Spent),
        ("CREATE_COMPLETE", "EXECUTE_IN_PROGRESS", "", ChangeSetStatus::Spent),
        ("CREATE_COMPLETE", "EXECUTE_COMPLETE", "", ChangeSetStatus::Spent),
        ("CREATE_COMPLETE", "EXECUTE_FAILED", "", ChangeSetStatus::Spent),
        ("DELETE_PENDING", "UNAVAILABLE", "", ChangeSetStatus::Spent),
        ("DELETE_FAILED", "UNAVAILABLE", "", ChangeSetStatus::Spent),
        ("FAILED", "UNAVAILABLE", empty, ChangeSetStatus::Empty),
        ("FAILED", "UNAVAILABLE", "No updates are to be performed.", ChangeSetStatus::Empty),
        ("FAILED", "UNAVAILABLE", "Role is wrong", ChangeSetStatus::Failed("Role is wrong".to_owned())),
    ];
    for (status, execution, reason, expected) in rows {
        let line = format!(
            "<Summaries><member><ChangeSetId>{CHANGE_SET}</ChangeSetId><ChangeSetName>landfast-1</ChangeSetName>\
             <Status>{status}</Status><ExecutionStatus>{execution}</ExecutionStatus>\
             <StatusReason>{reason}</StatusReason></member></Summaries>"
        );
        let wire = Wire::answering([result("ListChangeSets", &line)]);
        let page = wire.stacks().await.change_sets(&id(), None).await.unwrap();
        assert_eq!(page.items[0].status, expected, "{status} {execution} {reason}");
    }
}

fn change(inner: &str) -> String {
    format!("<member><Type>Resource</Type><ResourceChange>{inner}</ResourceChange></member>")
}

#[tokio::test]
async fn a_change_set_names_every_change_and_where_to_read_on() {
    let changes = [
        change(
            "<Action>Modify</Action><LogicalResourceId>Table</LogicalResourceId><PhysicalResourceId>t</PhysicalResourceId>\
             <ResourceType>AWS::DynamoDB::Table</ResourceType><Replacement>True</Replacement>\
             <PolicyAction>ReplaceAndRetain</PolicyAction><Details><member><Target><Attribute>Properties</Attribute>\
             <Name>KeySchema</Name><Path>/Properties/KeySchema/0/AttributeName</Path><BeforeValue>a</BeforeValue>\
             <AfterValue>b</AfterValue></Target></member><member><Target><Attribute>Tags</Attribute></Target></member></Details>\
             <BeforeContext>{\"Properties\":{}}</BeforeContext><AfterContext>{}</AfterContext>",
        ),
        change(
            "<Action>Add</Action><LogicalResourceId>Topic</LogicalResourceId><ResourceType>AWS::SNS::Topic</ResourceType>",
        ),
        change(
            "<Action>Modify</Action><LogicalResourceId>Queue</LogicalResourceId><ResourceType>AWS::SQS::Queue</ResourceType>\
             <Scope><member>Tags</member><member>Properties</member></Scope>",
        ),
        change(
            "<Action>Modify</Action><LogicalResourceId>Data</LogicalResourceId>\
             <ResourceType>AWS::CloudFormation::Stack</ResourceType><Scope><member>Tags</member></Scope>",
        ),
        "<member><Type>Hook</Type></member>".to_owned(),
    ];
    let text = format!(
        "<ChangeSetName>landfast-1</ChangeSetName><ChangeSetId>{CHANGE_SET}</ChangeSetId><StackId>{STACK}</StackId>\
         <Status>CREATE_COMPLETE</Status><ExecutionStatus>AVAILABLE</ExecutionStatus><Changes>{}</Changes>\
         <Parameters><member><ParameterKey>Cidr</ParameterKey><ParameterValue>10.0.0.0/16</ParameterValue></member>\
         <member><ParameterKey>Image</ParameterKey><ParameterValue>/ami/web</ParameterValue>\
         <ResolvedValue>ami-1</ResolvedValue></member>\
         <member><ParameterKey>Password</ParameterKey><ParameterValue>****</ParameterValue></member></Parameters>\
         <NotificationARNs><member>arn:aws:sns:eu-central-1:111122223333:events</member></NotificationARNs>\
         <RollbackConfiguration><RollbackTriggers><member><Arn>arn:alarm</Arn><Type>AWS::CloudWatch::Alarm</Type></member>\
         </RollbackTriggers><MonitoringTimeInMinutes>0</MonitoringTimeInMinutes></RollbackConfiguration>\
         <Capabilities><member>CAPABILITY_NAMED_IAM</member></Capabilities>\
         <Tags><member><Key>landfast:owner</Key><Value>dev/stack/network</Value></member></Tags>\
         <NextToken>more</NextToken>",
        changes.concat()
    );
    let wire = Wire::answering([result("DescribeChangeSet", &text)]);
    let name = "landfast-1".parse().unwrap();
    let (state, next) = wire.stacks().await.describe_change_set(&id(), &name, None).await.unwrap().unwrap();
    assert_eq!((state.status, next.as_deref()), (ChangeSetStatus::Available, Some("more")));
    assert_eq!(
        state.inputs,
        ChangeSetInputs {
            template: None,
            stored: SmallMap::from([("Image".to_owned(), "ami-1".to_owned())]),
            parameters: [("Cidr", "10.0.0.0/16"), ("Image", "/ami/web"), ("Password", "****")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into(),
            capabilities: strings(&["CAPABILITY_NAMED_IAM"]),
            tags: [("landfast:owner".to_owned(), "dev/stack/network".to_owned())].into(),
            notifications: strings(&["arn:aws:sns:eu-central-1:111122223333:events"]),
            rollback_alarms: strings(&["arn:alarm"]),
            monitoring_minutes: None,
        }
    );
    assert_eq!(
        state.changes[0],
        ResourceChange {
            resource: "Table".to_owned(),
            kind: "AWS::DynamoDB::Table".to_owned(),
            physical_id: Some("t".to_owned()),
            action: ChangeAction::Modify,
            replacement: Replacement::Always,
            properties: strings(&["KeySchema", "Tags"]),
            values: vec![ValueChange {
                path: "/Properties/KeySchema/0/AttributeName".to_owned(),
                before: Some("a".to_owned()),
                after: Some("b".to_owned()),
            }],
            retained: true,
            nested: None,
            only_tags: false,
            unknown: None,
        }
    );
    assert_eq!((state.changes[1].action, state.changes[1].replacement), (ChangeAction::Add, Replacement::Never));
    assert_eq!(state.changes[2].replacement, Replacement::Conditional, "unsaid counts as possible");
    assert_eq!(state.changes.iter().map(|change| change.only_tags).collect::<Vec<_>>(), [false, false, false, true]);
    let context = ChangeContext { before: Some("{\"Properties\":{}}".to_owned()), after: Some("{}".to_owned()) };
    assert_eq!(state.contexts, BTreeMap::from([("Table".to_owned(), context)]));
    assert!(wire.sent()[0].form().contains("IncludePropertyValues=true"));
}

/// AWS: *Using drift-aware change sets*; *`DescribeChangeSet`*, `DeploymentMode`, `SyncWithActual`.
#[tokio::test]
async fn a_change_set_that_reverts_drift_is_asked_for_and_told_from_another() {
    let described = |mode: &str| {
        let same = change(
            "<Action>SyncWithActual</Action><LogicalResourceId>Log</LogicalResourceId>\
             <ResourceType>AWS::Logs::LogGroup</ResourceType><ResourceDriftStatus>MODIFIED</ResourceDriftStatus>",
        );
        let text = format!(
            "<ChangeSetName>landfast-1</ChangeSetName><ChangeSetId>{CHANGE_SET}</ChangeSetId><StackId>{STACK}</StackId>\
             <Status>CREATE_COMPLETE</Status><ExecutionStatus>AVAILABLE</ExecutionStatus>{mode}\
             <StackDriftStatus>DRIFTED</StackDriftStatus><Changes>{same}</Changes>"
        );
        result("DescribeChangeSet", &text)
    };
    let created = format!("<Id>{CHANGE_SET}</Id><StackId>{STACK}</StackId>");
    let wire = Wire::answering([
        result("CreateChangeSet", &created),
        described("<DeploymentMode>REVERT_DRIFT</DeploymentMode>"),
        described(""),
    ]);
    let stacks = wire.stacks().await;
    let request = CreateChangeSet { mode: DeploymentMode::RevertDrift, nested: false, ..change_set() };
    stacks.create_change_set(FENCE, request).await.unwrap();
    assert!(wire.sent()[0].form().contains("DeploymentMode=REVERT_DRIFT\n"), "{}", wire.sent()[0].form());
    let name = "landfast-1".parse().unwrap();
    for mode in [DeploymentMode::RevertDrift, DeploymentMode::Ordinary] {
        let (state, _) = stacks.describe_change_set(&id(), &name, None).await.unwrap().unwrap();
        assert_eq!((state.mode, state.changes[0].action), (mode, ChangeAction::Sync));
        assert!(!state.changes[0].is_destructive(), "nothing is done to the resource");
    }
}

#[tokio::test]
async fn a_missing_change_set_is_none() {
    let wire = Wire::answering([refusal(404, "ChangeSetNotFound", "ChangeSet [landfast-1] does not exist")]);
    let name = "landfast-1".parse().unwrap();
    assert_eq!(wire.stacks().await.describe_change_set(&id(), &name, None).await.unwrap(), None);
}

#[tokio::test]
async fn an_export_that_nobody_imports_is_an_empty_page() {
    let wire = Wire::answering([
        refusal(400, "ValidationError", "Export 'dev-vpc' is not imported by any stack."),
        result("ListImports", "<Imports><member>dev-alb</member></Imports>"),
    ]);
    let stacks = wire.stacks().await;
    assert!(stacks.importers("dev-vpc", None).await.unwrap().items.is_empty());
    assert_eq!(stacks.importers("dev-vpc", None).await.unwrap().items[0].as_str(), "dev-alb");
}

#[tokio::test]
async fn an_event_keeps_the_token_of_the_request_behind_it() {
    let event = format!(
        "<StackEvents><member><EventId>e1</EventId><StackId>{STACK}</StackId><LogicalResourceId>Vpc</LogicalResourceId>\
         <PhysicalResourceId></PhysicalResourceId><ResourceType>AWS::EC2::VPC</ResourceType>\
         <Timestamp>2026-01-01T00:00:00Z</Timestamp><ResourceStatus>CREATE_FAILED</ResourceStatus>\
         <ResourceStatusReason>no</ResourceStatusReason><ClientRequestToken>token</ClientRequestToken></member>\
         </StackEvents><NextToken>more</NextToken>"
    );
    let wire = Wire::answering([result("DescribeStackEvents", &event)]);
    let page = wire.stacks().await.events(&id(), None).await.unwrap();
    let event = &page.items[0];
    assert_eq!((event.token.as_deref(), event.physical_id.as_deref()), (Some("token"), None));
    assert_eq!((event.status.as_str(), event.reason.as_deref()), ("CREATE_FAILED", Some("no")));
    assert_eq!(page.next.as_deref(), Some("more"));
}

#[tokio::test]
async fn the_newest_completed_backup_is_looked_for_on_every_page() {
    let page = |status: &str, at: u32, more: &str| {
        Answer::Http(
            200,
            format!(
                r#"{{"BackupSummaries":[
                    {{"BackupStatus":"{status}","TableId":"1","BackupCreationDateTime":{at}}},
                    {{"BackupStatus":"AVAILABLE","TableId":"0","BackupCreationDateTime":900}}
                ]{more}}}"#
            ),
        )
    };
    let described = Answer::Http(200, r#"{"Table":{"TableName":"t","TableId":"1"}}"#.to_owned());
    let arn = "arn:aws:dynamodb:eu-central-1:111122223333:table/t/backup/1";
    let more = format!(r#","LastEvaluatedBackupArn":"{arn}""#);
    let wire = Wire::answering([
        described,
        page("AVAILABLE", 200, &more),
        page("AVAILABLE", 100, &more),
        page("CREATING", 300, ""),
    ]);
    let stacks = wire.stacks().await;
    let newest = stacks.newest_backup("AWS::DynamoDB::Table", "t").await.unwrap();
    assert_eq!(newest.map(jiff::Timestamp::as_second), Some(200), "the newest at 900 is of an earlier table");
    assert!(wire.sent()[2].body.contains(arn));
    assert_eq!(stacks.newest_backup("AWS::S3::Bucket", "b").await.unwrap(), None);
    assert_eq!(wire.sent().len(), 4, "only tables can be asked for");
}

#[tokio::test]
async fn a_failed_call_is_sent_once() {
    for answer in [Answer::Http(500, String::new()), Answer::Broken, refusal(400, "Throttling", "Rate exceeded")] {
        let wire = Wire::answering([answer]);
        let error = wire.stacks().await.list(None).await.unwrap_err();
        assert!(matches!(error.class, Class::Transient | Class::Throttled), "{error}");
        assert_eq!(wire.sent().len(), 1);
    }
}

#[tokio::test]
async fn an_error_keeps_its_cause_and_does_not_repeat_it() {
    let wire = Wire::answering([Answer::Broken]);
    let error = wire.stacks().await.list(None).await.unwrap_err();
    assert_eq!(error.to_string(), "DescribeStacks failed: the connection failed");
    let causes: Vec<String> =
        std::iter::successors(error.source(), |&error| error.source()).map(ToString::to_string).collect();
    assert!(causes.iter().any(|cause| cause.contains("connection reset by peer")), "{causes:?}");
}

#[tokio::test]
async fn an_answer_keeps_code_message_and_request_id() {
    let wire = Wire::answering([refusal(400, "AlreadyExistsException", "Stack [dev-network] already exists")]);
    let error = wire.stacks().await.create(FENCE, create()).await.unwrap_err();
    assert_eq!(error.class, Class::Conflict);
    assert_eq!(error.to_string(), "CreateStack failed: Stack [dev-network] already exists (AlreadyExistsException)");
    assert_eq!(error.request_id.as_deref(), Some("req-1"));
}

#[tokio::test]
async fn an_error_never_repeats_a_secret_parameter() {
    let message =
        format!("1 validation error detected: Value '{SECRET}' at 'parameters.1.member.parameterValue' failed");
    let wire = Wire::answering([refusal(400, "ValidationError", &message), Answer::Broken]);
    let stacks = wire.stacks().await;
    for _ in 0..2 {
        let error = stacks.create(FENCE, create()).await.unwrap_err();
        assert!(!format!("{error} {error:?} {error:#?}").contains(SECRET), "{error:?}");
    }
    assert!(wire.sent()[0].body.contains(SECRET));
}

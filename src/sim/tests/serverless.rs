//! Functions and APIs of AWS SAM, and what they become (AWS: *CloudFormation resources generated*).

use serde_json::{Value as Json, json};

use super::{Rig, request};
use crate::model::StackStatus;

impl Rig {
    /// Deploys a template of AWS SAM, and gives what the macro made of it.
    fn serverless(&self, name: &str, resources: &str) -> Json {
        let mut wanted = request(name, &format!("Transform: AWS::Serverless-2016-10-31\n{resources}"));
        wanted.options.capabilities = ["CAPABILITY_AUTO_EXPAND".to_owned(), "CAPABILITY_IAM".to_owned()].into();
        let id = self.create(wanted).unwrap();
        assert_eq!(self.status_after(name, 10), StackStatus::CreateComplete, "{:?}", self.events(&id));
        serde_json::from_str(&self.run(self.stacks.processed_template(&id)).unwrap()).unwrap()
    }

    fn not_serverless(&self, resources: &str) -> (String, String) {
        let refused = self.create(request("refused", &format!("Transform: AWS::Serverless-2016-10-31\n{resources}")));
        let refused = refused.unwrap_err();
        (refused.code.clone().unwrap_or_default(), refused.message)
    }
}

fn function(events: &str) -> String {
    format!(
        "
Resources:
  Queue: {{ Type: AWS::SQS::Queue }}
  Topic: {{ Type: AWS::SNS::Topic }}
  Bucket: {{ Type: AWS::S3::Bucket }}
  Work:
    Type: AWS::Serverless::Function
    Properties:
      Handler: main.run
      Runtime: python3.13
      InlineCode: x
      Events: {events}
"
    )
}

fn kinds(template: &Json, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| template["Resources"][name]["Type"].as_str().unwrap_or("missing").to_owned()).collect()
}

#[test]
fn rules_and_schedules_come_with_what_lets_them_call() {
    let rig = Rig::new();
    let made = rig.serverless(
        "one",
        &function(
            "
        Daily: { Type: Schedule, Properties: { Schedule: rate(1 day), Enabled: false, Input: '{}' } }
        Nightly: { Type: ScheduleV2, Properties: { ScheduleExpression: cron(0 3 * * ? *), ScheduleExpressionTimezone: Europe/Berlin } }
        Changed: { Type: EventBridgeRule, Properties: { Pattern: { source: [aws.ec2] }, InputPath: $.detail } }
        Seen: { Type: CloudWatchEvent, Properties: { Pattern: { source: [aws.ecs] }, EventBusName: other } }
",
        ),
    );
    assert_eq!(
        kinds(&made, &["WorkDaily", "WorkDailyPermission", "WorkNightly", "WorkNightlyRole", "WorkChangedPermission"]),
        [
            "AWS::Events::Rule",
            "AWS::Lambda::Permission",
            "AWS::Scheduler::Schedule",
            "AWS::IAM::Role",
            "AWS::Lambda::Permission"
        ]
    );
    let daily = &made["Resources"]["WorkDaily"]["Properties"];
    assert_eq!((&daily["ScheduleExpression"], &daily["State"]), (&json!("rate(1 day)"), &json!("DISABLED")));
    assert_eq!(
        daily["Targets"],
        json!([{ "Arn": { "Fn::GetAtt": ["Work", "Arn"] }, "Id": "WorkDailyLambdaTarget", "Input": "{}" }])
    );
    let permission = &made["Resources"]["WorkDailyPermission"]["Properties"];
    assert_eq!(permission["Principal"], "events.amazonaws.com");
    assert_eq!(permission["SourceArn"], json!({ "Fn::GetAtt": ["WorkDaily", "Arn"] }));
    assert_eq!(made["Resources"]["WorkSeen"]["Properties"]["EventBusName"], "other");
    let nightly = &made["Resources"]["WorkNightly"]["Properties"];
    assert_eq!(nightly["FlexibleTimeWindow"], json!({ "Mode": "OFF" }));
    assert!(made["Resources"].get("WorkNightlyPermission").is_none(), "a schedule calls in its role");
}

#[test]
fn queues_streams_topics_and_buckets_are_wired() {
    let rig = Rig::new();
    let made = rig.serverless(
        "one",
        &function(
            "
        Read: { Type: SQS, Properties: { Queue: !GetAtt Queue.Arn, BatchSize: 5 } }
        Follow: { Type: Kinesis, Properties: { Stream: 'arn:aws:kinesis:us-east-1:111122223333:stream/s', StartingPosition: LATEST } }
        Table: { Type: DynamoDB, Properties: { Stream: 'arn:aws:dynamodb:us-east-1:1:table/t/stream/1', StartingPosition: LATEST } }
        Kafka: { Type: MSK, Properties: { Stream: 'arn:aws:kafka:us-east-1:1:cluster/c/1', Topics: [t], ConsumerGroupId: g } }
        Told: { Type: SNS, Properties: { Topic: !Ref Topic } }
        Put: { Type: S3, Properties: { Bucket: !Ref Bucket, Events: s3:ObjectCreated:* } }
",
        ),
    );
    for event in ["Read", "Follow", "Table", "Kafka"] {
        assert_eq!(kinds(&made, &[&format!("Work{event}")]), ["AWS::Lambda::EventSourceMapping"], "{event}");
    }
    let policies = made["Resources"]["WorkRole"]["Properties"]["ManagedPolicyArns"].to_string();
    for service in ["SQSQueue", "Kinesis", "DynamoDB", "MSK"] {
        assert!(policies.contains(&format!("AWSLambda{service}ExecutionRole")), "{policies}");
    }
    assert_eq!(
        kinds(&made, &["WorkTold", "WorkToldPermission"]),
        ["AWS::SNS::Subscription", "AWS::Lambda::Permission"]
    );
    let bucket = &made["Resources"]["Bucket"];
    assert_eq!(bucket["DependsOn"], json!(["WorkPutPermission"]));
    assert_eq!(
        bucket["Properties"]["NotificationConfiguration"]["LambdaConfigurations"],
        json!([{ "Event": "s3:ObjectCreated:*", "Function": { "Fn::GetAtt": ["Work", "Arn"] } }])
    );
}

#[test]
fn functions_have_apis_without_naming_one() {
    let rig = Rig::new();
    let made = rig.serverless(
        "one",
        &format!(
            "{}  Front: {{ Type: AWS::Serverless::Api, Properties: {{ StageName: live }} }}\n",
            function(
                "
        List: { Type: Api, Properties: { Path: '/items/{id}', Method: GET } }
        Own: { Type: Api, Properties: { Path: /own, Method: any, RestApiId: !Ref Front } }
        Fast: { Type: HttpApi, Properties: { Path: /fast, Method: post } }
        Rest: { Type: HttpApi }
"
            )
        ),
    );
    assert_eq!(
        kinds(
            &made,
            &["ServerlessRestApi", "ServerlessRestApiProdStage", "WorkListPermissionProd", "WorkOwnPermissionlive"]
        ),
        ["AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage", "AWS::Lambda::Permission", "AWS::Lambda::Permission"]
    );
    assert_eq!(
        kinds(&made, &["ServerlessHttpApi", "ServerlessHttpApiApiGatewayDefaultStage", "WorkFastPermission"]),
        ["AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage", "AWS::Lambda::Permission"]
    );
    let source = made["Resources"]["WorkListPermissionProd"]["Properties"]["SourceArn"].to_string();
    assert!(source.contains("${__Stage__}/GET/items/*"), "{source}");
    let paths = &made["Resources"]["ServerlessHttpApi"]["Properties"]["Body"]["paths"];
    assert!(paths["/fast"]["post"].is_object() && paths["$default"]["x-amazon-apigateway-any-method"].is_object());
    assert!(made["Resources"]["Front"]["Properties"]["Body"]["paths"]["/own"].is_object());
    assert!(made["Resources"]["ServerlessRestApi"]["Properties"]["Body"]["paths"].get("/own").is_none());
}

#[test]
fn what_is_under_a_condition_is_so_with_all_that_belongs_to_it() {
    let rig = Rig::new();
    let template = "
Conditions: { Never: !Equals [a, b] }
Resources:
  Bucket: { Type: AWS::S3::Bucket }
  Other: { Type: AWS::S3::Bucket }
  Work:
    Type: AWS::Serverless::Function
    Condition: Never
    Properties:
      Handler: main.run
      Runtime: python3.13
      InlineCode: x
      AutoPublishAlias: live
      FunctionUrlConfig: { AuthType: NONE }
      Policies: [AmazonS3ReadOnlyAccess, { S3ReadPolicy: { BucketName: !Ref Other } }, { Statement: [] }]
      Events:
        Get: { Type: Api, Properties: { Path: /x, Method: get } }
        Put: { Type: S3, Properties: { Bucket: !Ref Bucket, Events: s3:ObjectCreated:* } }
";
    let made = rig.serverless("one", template);
    assert_eq!(rig.cloud.inventory().stack("one").unwrap().resources.keys().collect::<Vec<_>>(), ["Bucket", "Other"]);
    assert_eq!(made["Resources"]["ServerlessRestApi"]["Condition"], "Never");
    let always = rig.serverless("two", &template.replace("[a, b]", "[a, a]"));
    let made: Vec<String> = rig.cloud.inventory().stack("two").unwrap().resources.keys().cloned().collect();
    for name in ["WorkAliaslive", "WorkUrl", "WorkUrlPublicPermissions", "WorkPutPermission", "ServerlessRestApi"] {
        assert!(made.iter().any(|made| made == name), "{name}: {made:?}");
    }
    assert!(made.iter().any(|name| name.starts_with("WorkVersion")), "{made:?}");
    let role = &always["Resources"]["WorkRole"]["Properties"];
    assert_eq!(role["Policies"][0]["PolicyName"], "WorkRolePolicy1");
    assert_eq!(role["Policies"][0]["PolicyDocument"]["Statement"][0]["Resource"], json!([{ "Ref": "Other" }]));
}

#[test]
fn nothing_is_left_out_in_silence() {
    let rig = Rig::new();
    for (events, words) in [
        ("{ E: { Type: Cognito, Properties: { Trigger: PreSignUp } } }", "events of type Cognito are not among those"),
        ("{ E: { Type: IoTRule, Properties: { Sql: x } } }", "the event E of Work: events of type IoTRule"),
        (
            "{ E: { Type: Api, Properties: { Path: /x, Method: get, Auth: { ApiKeyRequired: true } } } }",
            "it does not know Auth of Api",
        ),
        (
            "{ E: { Type: Schedule, Properties: { Schedule: rate(1 day), DeadLetterConfig: { Type: SQS } } } }",
            "it does not make the queue of DeadLetterConfig",
        ),
    ] {
        let (code, told) = rig.not_serverless(&function(events));
        assert_eq!(code, "SimulationLimit", "{told}");
        assert!(told.contains(words), "{told}");
    }
    for (resource, words) in [
        ("Type: AWS::Serverless::StateMachine", "AWS::Serverless::StateMachine is not among the types"),
        (
            "Type: AWS::Serverless::Api, Properties: { StageName: a, Cors: x }",
            "it does not know Cors of AWS::Serverless::Api",
        ),
        (
            "Type: AWS::Serverless::Function, Properties: { InlineCode: x, DeploymentPreference: { Type: AllAtOnce } }",
            "it does not know DeploymentPreference of AWS::Serverless::Function",
        ),
    ] {
        let (code, told) = rig.not_serverless(&format!("Resources: {{ Work: {{ {resource} }} }}\n"));
        assert_eq!(code, "SimulationLimit", "{told}");
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn what_aws_sam_refuses_is_refused_in_its_words() {
    let rig = Rig::new();
    for (resources, words) in [
        (
            function("{ E: { Type: S3, Properties: { Bucket: elsewhere, Events: x } } }"),
            "S3 events must reference an S3 bucket in the same template.",
        ),
        (function("{ E: { Type: SQS, Properties: { BatchSize: 1 } } }"), "Missing required property 'Queue'."),
        (
            "Resources: { Work: { Type: AWS::Serverless::Function, Properties: { CodeUri: ./src } } }\n".to_owned(),
            "'CodeUri' is not a valid S3 Uri of the form",
        ),
        (
            "Resources: { Work: { Type: AWS::Serverless::Function, Properties: { InlineCode: x, Memory: 1 } } }\n"
                .to_owned(),
            "Resource with id [Work] is invalid. property Memory not defined for resource of type AWS::Serverless::Function",
        ),
    ] {
        let (code, told) = rig.not_serverless(&resources);
        assert_eq!(code, "ValidationError", "{told}");
        assert!(told.contains(words), "{told}");
    }
}

//! What macros make of templates (AWS: *Template macros*), and templates that AWS refuses.

use super::{Rig, change, request};
use crate::model::{ChangeAction, StackId, StackStatus};
use crate::ports::Class;

const LOOP: &str = r#"
Transform: AWS::LanguageExtensions
Parameters:
  Names: { Type: CommaDelimitedList, Default: "a,b" }
  Env: { Type: String, Default: dev }
Conditions: { IsProd: !Equals [!Ref Env, prod] }
Mappings: { Sizes: { dev: { Cpu: 256 } } }
Resources:
  Fn::ForEach::Topics:
    - Name
    - !Ref Names
    - "Topic${Name}":
        Type: AWS::SNS::Topic
        DeletionPolicy: !If [IsProd, Retain, Delete]
        Properties: { DisplayName: !Sub "of ${Name}", Count: !Length [1, 2, 3] }
  Fn::ForEach::Hosts:
    - Ip
    - ["10.0.0.1"]
    - "Queue&{Ip}": { Type: AWS::SQS::Queue, Properties: { Note: !Ref Ip } }
Outputs:
  Json: { Value: !ToJsonString { A: !Ref Topica } }
  Map: { Value: !FindInMap [Sizes, stage, Cpu, { DefaultValue: none }] }
"#;

impl Rig {
    fn expanded(&self, name: &str, template: &str) -> StackId {
        let mut wanted = request(name, template);
        wanted.options.capabilities = ["CAPABILITY_AUTO_EXPAND".to_owned(), "CAPABILITY_IAM".to_owned()].into();
        let id = self.create(wanted).unwrap();
        assert_eq!(self.status_after(name, 10), StackStatus::CreateComplete, "{:?}", self.events(&id));
        id
    }

    fn resources(&self, name: &str) -> Vec<String> {
        self.cloud.inventory().stack(name).unwrap().resources.keys().cloned().collect()
    }

    fn refusal(&self, template: &str) -> String {
        let refused = self.create(request("refused", template)).unwrap_err();
        assert_eq!(refused.class, Class::Invalid, "{refused}");
        refused.message
    }
}

#[test]
fn loops_are_unrolled_and_both_templates_can_be_read() {
    let rig = Rig::new();
    let refused = rig.create(request("one", LOOP)).unwrap_err();
    assert_eq!(refused.message, "Requires capabilities : [CAPABILITY_AUTO_EXPAND]");
    let id = rig.expanded("one", LOOP);
    assert_eq!(rig.resources("one"), ["Queue10001", "Topica", "Topicb"]);
    let state = rig.state("one");
    assert!(state.outputs["Json"].value.starts_with("{\"A\":\"arn:aws:sns:"), "{:?}", state.outputs);
    assert_eq!(state.outputs["Map"].value, "none");
    assert_eq!(rig.run(rig.stacks.template(&id)).unwrap(), LOOP);
    let processed = rig.run(rig.stacks.processed_template(&id)).unwrap();
    let processed = crate::template::parse(&processed).unwrap();
    assert_eq!(processed.resources["Topica"].deletion_policy.as_deref(), Some("Delete"));
    // A change set needs no capability: what the macro makes can be looked at first (AWS: *`CreateChangeSet`*).
    let (_, set) = rig.change_set(change(&id, "c1", &LOOP.replace("a,b", "a,c")));
    let done: Vec<_> = set.changes.iter().map(|change| (change.resource.as_str(), change.action)).collect();
    assert_eq!(done, [("Topicc", ChangeAction::Add), ("Topicb", ChangeAction::Remove)]);
}

#[test]
fn an_include_is_put_in_from_its_bucket() {
    let rig = Rig::new();
    rig.console.put_object("snippets", "more.yaml", "Queue: { Type: AWS::SQS::Queue }\n");
    let template = "
Resources:
  Topic: { Type: AWS::SNS::Topic }
  Fn::Transform: { Name: AWS::Include, Parameters: { Location: s3://snippets/more.yaml } }
";
    let id = rig.expanded("one", template);
    assert_eq!(rig.resources("one"), ["Queue", "Topic"]);
    // What is deployed is what the bucket had then.
    rig.console.put_object("snippets", "more.yaml", "Other: { Type: AWS::SQS::Queue }\n");
    assert!(rig.run(rig.stacks.processed_template(&id)).unwrap().contains("Queue"));
    let missing = rig.refusal(&template.replace("more.yaml", "less.yaml"));
    assert!(missing.contains("does not exist"), "{missing}");
    // What is in a bucket of somebody else is not there, which is nobody's fault.
    let theirs = rig.create(request("refused", &template.replace("snippets", "theirs"))).unwrap_err();
    assert_eq!(theirs.code.as_deref(), Some("SimulationLimit"), "{theirs}");
    assert!(theirs.message.contains("cannot include s3://theirs/more.yaml"), "{theirs}");
}

#[test]
fn serverless_types_become_what_they_stand_for() {
    let rig = Rig::new();
    let template = "
Transform: AWS::Serverless-2016-10-31
Globals: { Function: { Runtime: python3.13 } }
Resources:
  Users: { Type: AWS::Serverless::SimpleTable, DeletionPolicy: Retain, Properties: { PrimaryKey: { Name: k, Type: String } } }
  Work: { Type: AWS::Serverless::Function, Properties: { Handler: main.run, InlineCode: x } }
  Front: { Type: AWS::Serverless::Api, Properties: { StageName: prod } }
";
    let id = rig.expanded("one", template);
    let resources = rig.resources("one");
    for wanted in ["Users", "Work", "WorkRole", "Front", "FrontprodStage"] {
        assert!(resources.iter().any(|name| name == wanted), "{wanted}: {resources:?}");
    }
    let processed = rig.run(rig.stacks.processed_template(&id)).unwrap();
    let processed = crate::template::parse(&processed).unwrap();
    assert_eq!(processed.resources["Users"].kind, "AWS::DynamoDB::Table");
    assert_eq!(processed.resources["Users"].deletion_policy.as_deref(), Some("Retain"));
}

#[test]
fn what_aws_refuses_is_refused_in_its_words() {
    let rig = Rig::new();
    for (template, expected) in [
        (
            "Resorces: {}\nResources: { A: { Type: AWS::SNS::Topic } }",
            "Invalid template property or properties [Resorces]",
        ),
        (
            "Mappings: { M: { 123456789012: { A: b } } }\nResources: { A: { Type: AWS::SNS::Topic } }",
            "[/Mappings/M] map keys must be strings; received numeric [123456789012] instead",
        ),
        ("Resources: { My_Topic-1: { Type: AWS::SNS::Topic } }", "Resource name My_Topic-1 is non alphanumeric."),
        (
            "Resources: { A: { Type: AWS::SNS::Topic, Properties: { N: !Length [a] } } }",
            "Encountered unsupported function: Fn::Length",
        ),
        ("Resources: { 'Fn::ForEach::A': [N, [a], { 'T${N}': { Type: AWS::SNS::Topic } }] }", "is non alphanumeric"),
        (
            "Transform: Mine\nResources: { A: { Type: AWS::SNS::Topic } }",
            "the simulation cannot run the macro Mine (account 111122223333).",
        ),
    ] {
        let told = rig.refusal(template);
        assert!(told.contains(expected), "{told}");
    }
}

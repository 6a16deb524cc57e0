//! The `Rules` of templates (AWS: *CloudFormation template Rules syntax*, *Rule functions*).

use super::{Rig, change, parameters, request};
use crate::model::ChangeSetStatus;
use crate::ports::Class;

const TEMPLATE: &str = r#"
Parameters:
  Stage: { Type: String, Default: dev }
  Size: { Type: String, Default: small }
  Zones: { Type: CommaDelimitedList, Default: "a,b" }
Rules:
  Production:
    RuleCondition: !Equals [!Ref Stage, prod]
    Assertions:
      - Assert: !Contains [[large, huge], !Ref Size]
        AssertDescription: prod needs a large one
      - Assert: !Not [!EachMemberEquals [!Ref Zones, a]]
        AssertDescription: prod needs several zones
  Zones:
    Assertions:
      - Assert: !And [!EachMemberIn [!Ref Zones, [a, b, c]], !Or [!Equals [!Ref "AWS::Region", us-east-1], !Equals [x, y]]]
        AssertDescription: there is no such zone
Resources: { Q: { Type: AWS::SQS::Queue } }
"#;

#[test]
fn an_assertion_that_fails_refuses_creations_and_updates() {
    let rig = Rig::new();
    let refused = |given: &[(&str, &str)]| {
        let mut wanted = request("refused", TEMPLATE);
        wanted.options.parameters = parameters(given);
        let refused = rig.create(wanted).unwrap_err();
        assert_eq!((refused.class, refused.code.as_deref()), (Class::Invalid, Some("ValidationError")));
        refused.message
    };
    assert_eq!(refused(&[("Stage", "prod")]), "Template error: Rule Production failed: prod needs a large one");
    let zones = refused(&[("Stage", "prod"), ("Size", "huge"), ("Zones", "a, a")]);
    assert!(zones.ends_with("prod needs several zones"), "{zones}");
    assert!(refused(&[("Zones", "a,d")]).ends_with("Rule Zones failed: there is no such zone"));
    let id = rig.deployed("one", TEMPLATE);
    let mut update = change(&id, "c1", TEMPLATE);
    update.options.parameters = parameters(&[("Stage", "prod"), ("Size", "large")]);
    assert_eq!(rig.change_set(update.clone()).1.status, ChangeSetStatus::Empty);
    update.name = "c2".parse().unwrap();
    update.options.parameters = parameters(&[("Stage", "prod")]);
    let refused = rig.run(rig.stacks.create_change_set(super::FENCE, update)).unwrap_err();
    assert!(refused.message.ends_with("prod needs a large one"), "{refused}");
}

#[test]
fn a_rule_sees_what_stacks_have_made_and_says_what_it_cannot_see() {
    let rig = Rig::new();
    let network = "
Resources:
  Vpc: { Type: AWS::EC2::VPC, Properties: { CidrBlock: 10.0.0.0/16, Tags: [{ Key: Team, Value: people }] } }
  Other: { Type: AWS::EC2::VPC, Properties: { CidrBlock: 10.1.0.0/16 } }
  A: { Type: AWS::EC2::Subnet, Properties: { VpcId: !Ref Vpc, CidrBlock: 10.0.0.0/24 } }
  B: { Type: AWS::EC2::Subnet, Properties: { VpcId: !Ref Other, CidrBlock: 10.1.0.0/24 } }
";
    let template = "
Parameters:
  Vpc: { Type: AWS::EC2::VPC::Id }
  Subnets: { Type: List<AWS::EC2::Subnet::Id> }
Rules:
  SubnetsInVpc:
    Assertions:
      - Assert: !EachMemberIn [!ValueOf [Subnets, VpcId], !RefAll AWS::EC2::VPC::Id]
      - Assert: !EachMemberEquals [!ValueOf [Subnets, VpcId], !Ref Vpc]
        AssertDescription: All subnets must be in the VPC
      - Assert: !Contains [!ValueOfAll [AWS::EC2::VPC::Id, Tags.Team], !ValueOf [Vpc, Tags.Team]]
Resources: { Q: { Type: AWS::SQS::Queue } }
";
    let with = |name: &str, vpc: &str, subnets: &str| {
        let mut wanted = request(name, template);
        wanted.options.parameters = parameters(&[("Vpc", vpc), ("Subnets", subnets)]);
        rig.create(wanted)
    };
    let unseen = with("one", "vpc-1", "subnet-1").unwrap_err();
    assert_eq!(unseen.code.as_deref(), Some("SimulationLimit"), "{unseen}");
    assert!(unseen.message.contains("judge the rule SubnetsInVpc: it cannot look up VpcId of subnet-1"), "{unseen}");
    rig.deployed("net", network);
    let of = rig.cloud.inventory().stack("net").unwrap().resources.clone();
    let both = format!("{},{}", of["A"], of["B"]);
    let refused = with("one", &of["Vpc"], &both).unwrap_err();
    assert!(refused.message.ends_with("Rule SubnetsInVpc failed: All subnets must be in the VPC"), "{refused}");
    with("one", &of["Vpc"], &of["A"]).unwrap();
}

#[test]
fn what_is_no_rule_is_refused() {
    let rig = Rig::new();
    for (rule, words) in [
        (
            "{ Assertions: [{ Assert: !If [A, b, c] }] }",
            "Following functions are not supported in the Rules block of the template: [Fn::If]",
        ),
        ("{ RuleCondition: !Condition A, Assertions: [{ Assert: !Equals [a, b] }] }", "of the template: [Condition]"),
        ("{ Assertions: [{ Assert: !Equals [!Ref Q, b] }] }", "Unresolved dependencies [Q]"),
        ("{ RuleCondition: !Equals [a, b] }", "Rule R must contain Assertions"),
        (
            "{ Assertions: [{ Assert: !Equals [a] }] }",
            "every Fn::Equals object requires a list of 2 string parameters.",
        ),
        ("{ Assertions: [{ Assert: !And [!Equals [a, a]] }] }", "at least 2 and at most 10 boolean parameters"),
        ("{ Assertions: [{ Assert: true }] }", "requires a rule function"),
    ] {
        let template = format!("Rules: {{ R: {rule} }}\nResources: {{ Q: {{ Type: AWS::SQS::Queue }} }}\n");
        let refused = rig.create(request("one", &template)).unwrap_err();
        assert!(refused.message.contains(words), "{rule}: {refused}");
    }
    let early = "Rules: { R: { Assertions: [{ Assert: !Equals [!Ref 'AWS::StackName', b] }] } }\nResources: { Q: { Type: AWS::SQS::Queue } }";
    let refused = rig.create(request("one", early)).unwrap_err();
    assert_eq!(refused.code.as_deref(), Some("SimulationLimit"), "{refused}");
}

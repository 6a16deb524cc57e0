//! Templates and their functions (AWS: *Intrinsic function reference*).

use super::{Rig, request};
use crate::model::StackStatus;
use crate::ports::Class;

#[test]
fn every_function_gives_what_aws_says() {
    let rig = Rig::new();
    rig.console.put_parameter("/ami", "ami-0abc");
    let template = r#"
Parameters:
  Env: { Type: String, Default: dev }
  Zones: { Type: CommaDelimitedList, Default: "a, b,c" }
  Ami: { Type: "AWS::SSM::Parameter::Value<String>", Default: /ami }
Mappings: { Sizes: { dev: { Cpu: 256 }, prod: { Cpu: 1024 } } }
Conditions:
  IsProd: !Equals [!Ref Env, prod]
  Small: !And [!Not [!Condition IsProd], !Or [!Equals [a, b], !Equals [c, c]]]
Resources:
  Vpc: { Type: AWS::EC2::VPC, Properties: { CidrBlock: 10.0.0.0/16, Gone: !Ref "AWS::NoValue" } }
  Role: { Type: AWS::IAM::Role, Condition: Small }
  Never: { Type: AWS::SQS::Queue, Condition: IsProd }
  Lb: { Type: AWS::ElasticLoadBalancingV2::LoadBalancer, Properties: { Name: front } }
Outputs:
  Join: { Value: !Join ["-", [!Ref Env, !Select [1, !Ref Zones]]] }
  Split: { Value: !Select [2, !Split ["/", "a/b/c"]] }
  Sub: { Value: !Sub "${Env} ${AWS::AccountId} ${!Literal} ${Vpc}" }
  Sub2: { Value: !Sub ["${x}-${Env}", { x: !Ref "AWS::Region" }] }
  If: { Value: !If [IsProd, yes, no] }
  Map: { Value: !FindInMap [Sizes, !Ref Env, Cpu] }
  Azs: { Value: !Select [0, !GetAZs ""] }
  Cidr: { Value: !Select [1, !Cidr [10.0.0.0/16, 4, 8]] }
  Cidr6: { Value: !Select [1, !Cidr ["2001:db8:1:ff00::/56", 4, 64]] }
  Blocks: { Value: !Join [" ", !GetAtt Vpc.Ipv6CidrBlocks] }
  Block: { Value: !GetAtt Vpc.CidrBlock }
  Base64: { Value: !Base64 "hello" }
  Arn: { Value: !GetAtt Role.Arn }
  Dns: { Value: !GetAtt Lb.DNSName }
  Ami: { Value: !Ref Ami }
  Hidden: { Condition: IsProd, Value: x }
"#;
    let mut wanted = request("one", template);
    wanted.options.capabilities = ["CAPABILITY_IAM".to_owned()].into();
    rig.create(wanted).unwrap();
    assert_eq!(rig.status_after("one", 10), StackStatus::CreateComplete);
    let state = rig.state("one");
    let output = |key: &str| state.outputs[key].value.as_str();
    let vpc = rig.cloud.inventory().stack("one").unwrap().resources["Vpc"].clone();
    assert!(vpc.starts_with("vpc-0") && vpc.len() == 21, "{vpc}");
    assert_eq!(output("Join"), "dev-b");
    assert_eq!(output("Split"), "c");
    assert_eq!(output("Sub"), format!("dev 111122223333 ${{Literal}} {vpc}"));
    assert_eq!(output("Sub2"), "us-east-1-dev");
    assert_eq!(output("If"), "false", "YAML 1.1 reads `no` so");
    assert_eq!(output("Map"), "256");
    assert_eq!(output("Azs"), "us-east-1a");
    assert_eq!(output("Cidr"), "10.0.1.0/24");
    assert_eq!(output("Cidr6"), "2001:db8:1:ff01::/64");
    assert_eq!(output("Blocks").split(' ').filter(|block| block.ends_with("::/56")).count(), 4);
    assert_eq!(output("Block"), "10.0.0.0/16");
    assert_eq!(output("Base64"), "aGVsbG8=");
    assert!(output("Arn").starts_with("arn:aws:iam::111122223333:role/one-Role-"));
    assert!(output("Dns").starts_with("front-") && output("Dns").ends_with(".us-east-1.elb.amazonaws.com"));
    assert_eq!(output("Ami"), "ami-0abc");
    assert!(!state.outputs.contains_key("Hidden"));
    assert_eq!(state.parameters["Ami"], "/ami");
    assert!(!rig.cloud.inventory().stack("one").unwrap().resources.contains_key("Never"));
}

#[test]
fn templates_that_aws_refuses_are_refused_in_its_words() {
    let rig = Rig::new();
    for (template, words) in [
        ("Resources: {}", "At least one Resources member must be defined"),
        ("Resources: { A: { Properties: {} } }", "must contain a Type member"),
        ("Resources: { A: { Type: T, Properties: { x: !Ref B } } }", "Unresolved resource dependencies [B]"),
        (
            "Resources: { A: { Type: T, DependsOn: B }, B: { Type: T, DependsOn: A } }",
            "Circular dependency between resources: [A, B]",
        ),
        ("Resources: { A: { Type: T } }\nOutputs: { O: { Value: !Ref X } }", "Unresolved dependencies [X]"),
        (
            "Resources: { A: { Type: AWS::SNS::Topic, Properties: { N: !GetAtt B.Arnn } }, B: { Type: AWS::EC2::VPC } }",
            "Template error: resource B does not support attribute type Arnn in Fn::GetAtt",
        ),
        (
            "Resources: { B: { Type: AWS::EC2::VPC } }\nOutputs: { O: { Value: !Sub '${B.Arnn}' } }",
            "Template error: resource B does not support attribute type Arnn in Fn::GetAtt",
        ),
        ("a: [", "Template format error"),
    ] {
        let refused = rig.create(request("one", template)).unwrap_err();
        assert_eq!(refused.class, Class::Invalid, "{template}");
        assert!(refused.message.contains(words), "{template}: {}", refused.message);
    }
}

#[test]
fn json_is_a_template_too() {
    let rig = Rig::new();
    rig.deployed(
        "one",
        r#"{"Resources":{"Q":{"Type":"AWS::SQS::Queue"}},"Outputs":{"A":{"Value":{"Fn::GetAtt":["Q","Arn"]}}}}"#,
    );
    assert!(rig.state("one").outputs["A"].value.starts_with("arn:aws:sqs:us-east-1:111122223333:one-Q-"));
}

#[test]
fn a_stack_takes_as_long_as_its_critical_path() {
    let rig = Rig::new();
    let template = "
Resources:
  Kafka: { Type: AWS::MSK::Cluster }
  Cache: { Type: AWS::ElastiCache::ReplicationGroup }
  Table: { Type: AWS::DynamoDB::Table }
";
    rig.create(request("slow", template)).unwrap();
    assert_eq!(rig.status_after("slow", 24), StackStatus::CreateInProgress);
    assert_eq!(rig.status_after("slow", 2), StackStatus::CreateComplete);
}

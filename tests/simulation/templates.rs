//! Templates in the manner of public collections, deployed as a stranger would try them: what CloudFormation can do, the
//! simulation does, or says by name that it cannot.

use std::collections::BTreeMap;

use landfast::model::{Action, Key};
use landfast::sim::SimConfig;
use landfast::store::Store;

use crate::stage::{self, FOREVER, HOUR, Stage};

const ENVIRONMENT: &str = "apiVersion: landfast/v1\nkind: Environment\nmetadata: { name: dev }\nspec:\n  system: app\n  \
    account: \"111122223333\"\n  region: us-east-1\n  include: [app]\n  policy: { mode: apply, replace: allow, broaden: allow }\n";

/// Lists, numbers and truth values that `Fn::GetAtt` gives, and networks of the new kind.
const NETWORK: &str = r#"
Resources:
  Vpc: { Type: AWS::EC2::VPC, Properties: { CidrBlock: 10.7.0.0/16 } }
  Block6: { Type: AWS::EC2::VPCCidrBlock, Properties: { VpcId: !Ref Vpc, AmazonProvidedIpv6CidrBlock: true } }
  Subnet:
    Type: AWS::EC2::Subnet
    DependsOn: Block6
    Properties:
      VpcId: !Ref Vpc
      CidrBlock: !Select [2, !Cidr [!GetAtt Vpc.CidrBlock, 4, 8]]
      Ipv6CidrBlock: !Select [3, !Cidr [!Select [0, !GetAtt Vpc.Ipv6CidrBlocks], 8, 64]]
  Endpoint:
    Type: AWS::EC2::VPCEndpoint
    Properties: { VpcId: !Ref Vpc, VpcEndpointType: Interface, ServiceName: !Sub "com.amazonaws.${AWS::Region}.ssm" }
  Zone: { Type: AWS::Route53::HostedZone, Properties: { Name: example.org } }
  Record:
    Type: AWS::Route53::RecordSet
    Properties:
      HostedZoneId: !Ref Zone
      Name: ssm.example.org
      Type: CNAME
      TTL: "60"
      ResourceRecords: [!Select [1, !Split [":", !Select [0, !GetAtt Endpoint.DnsEntries]]]]
Outputs:
  Servers: { Value: !Join [",", !GetAtt Zone.NameServers] }
  Interface: { Value: !Select [0, !GetAtt Endpoint.NetworkInterfaceIds] }
  Subnet6: { Value: !GetAtt Subnet.Ipv6CidrBlock }
"#;

const DIRECTORY: &str = r#"
Parameters:
  Subnets: { Type: CommaDelimitedList, Default: "subnet-1,subnet-2" }
Resources:
  Directory:
    Type: AWS::DirectoryService::MicrosoftAD
    Properties: { Name: corp.example.org, Password: "{{resolve:secretsmanager:ad:SecretString:password}}", VpcSettings: { VpcId: vpc-1, SubnetIds: !Ref Subnets } }
  Options:
    Type: AWS::EC2::DHCPOptions
    Properties: { DomainName: corp.example.org, DomainNameServers: !GetAtt Directory.DnsIpAddresses }
Outputs:
  First: { Value: !Select [0, !GetAtt Directory.DnsIpAddresses] }
"#;

/// AWS's own parameters: an image, a document about one, images by references.
const IMAGES: &str = r#"
Parameters:
  Linux: { Type: "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", Default: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64 }
  Windows: { Type: "AWS::SSM::Parameter::Value<String>", Default: /aws/service/ami-windows-latest/Windows_Server-2022-English-Full-Base }
  Ecs: { Type: "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", Default: /aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id }
  Eks: { Type: "AWS::SSM::Parameter::Value<List<String>>", Default: /aws/service/eks/optimized-ami/1.31/amazon-linux-2023/x86_64/standard/recommended/image_id }
Resources:
  Linux: { Type: AWS::EC2::Instance, Properties: { ImageId: !Ref LinuxImage } }
  Bottlerocket: { Type: AWS::EC2::Instance, Properties: { ImageId: "{{resolve:ssm:/aws/service/bottlerocket/aws-k8s-1.31/x86_64/latest/image_id}}" } }
  Template: { Type: AWS::EC2::LaunchTemplate, Properties: { LaunchTemplateData: { ImageId: !Select [0, !Ref Eks] } } }
  Group: { Type: AWS::AutoScaling::AutoScalingGroup, Properties: { MinSize: "0", MaxSize: "1", LaunchTemplate: { LaunchTemplateId: !Ref Template, Version: !GetAtt Template.LatestVersionNumber } } }
Outputs:
  Linux: { Value: !Ref LinuxImage }
  Windows: { Value: !Ref Windows }
  Ecs: { Value: !Ref Ecs }
"#;

const LOOPS: &str = r#"
Transform: AWS::LanguageExtensions
Mappings: { Sizes: { us-east-1: { Cpu: "256" } } }
Resources:
  Fn::ForEach::Queues:
    - Name
    - [Orders, Bills]
    - "Queue${Name}": { Type: AWS::SQS::Queue, Properties: { QueueName: !Sub "app-${Name}" } }
Outputs:
  Cpu: { Value: !FindInMap [Sizes, !Ref "AWS::Region", Cpu, { DefaultValue: "512" }] }
  Fn::ForEach::Arns:
    - Name
    - [Orders, Bills]
    - "Arn${Name}": { Value: !GetAtt "Queue${Name}.Arn" }
"#;

fn files(templates: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut files = vec![("dev.yaml".to_owned(), ENVIRONMENT.to_owned())];
    for (name, template) in templates {
        let capabilities = "capabilities: [CAPABILITY_IAM, CAPABILITY_AUTO_EXPAND]";
        files.push((
            format!("app/{name}.yaml"),
            format!("apiVersion: landfast/v1\nkind: Stack\nmetadata: {{ name: {name} }}\nspec: {{ template: {name}.tpl, {capabilities} }}\n"),
        ));
        files.push((format!("app/{name}.tpl"), (*template).to_owned()));
    }
    files
}

/// Lets the daemon deploy these, and says what the plan says then of each.
fn deployed(stage: &mut Stage, templates: &[(&str, &str)]) -> BTreeMap<String, (Action, String)> {
    let desired = |store: &Store| stage::unbroken(store, files(templates));
    let daemon = stage.begin(|_| {});
    let wanted = desired(daemon.store());
    stage.tend(&daemon, wanted, HOUR, FOREVER);
    drop(daemon);
    let name = |key: &Key| key.to_string().rsplit('/').next().unwrap_or_default().to_owned();
    let plan = stage.plan(desired);
    plan.entries.iter().map(|(key, entry)| (name(key), (entry.action, format!("{entry:?}")))).collect()
}

fn output(stage: &Stage, stack: &str, name: &str) -> String {
    let inventory = stage.cloud.inventory();
    let found = inventory.stacks.iter().find(|found| found.state.name.as_str().contains(stack));
    found.unwrap_or_else(|| panic!("{stack}: {inventory:#?}")).state.outputs[name].value.clone()
}

#[test]
fn templates_of_public_collections_are_deployed() {
    let mut stage = Stage::new("us-east-1", "2026-01-01T00:00:00Z", SimConfig::default());
    let images = IMAGES.replace("  Linux: { Type: \"AWS::SSM", "  LinuxImage: { Type: \"AWS::SSM");
    let templates = [("network", NETWORK), ("directory", DIRECTORY), ("images", &images), ("loops", LOOPS)];
    for (name, (action, entry)) in deployed(&mut stage, &templates) {
        assert_eq!(action, Action::None, "{name}: {entry}");
    }
    assert_eq!(output(&stage, "network", "Servers").split(',').count(), 4);
    assert!(output(&stage, "network", "Interface").starts_with("eni-"));
    let subnet = output(&stage, "network", "Subnet6");
    assert!(subnet.starts_with("2001:db8:") && subnet.ends_with(":3::/64") || subnet.ends_with("03::/64"), "{subnet}");
    assert!(output(&stage, "directory", "First").starts_with("10."));
    for name in ["Linux", "Windows", "Ecs"] {
        assert!(output(&stage, "images", name).starts_with("ami-"), "{name}");
    }
    assert_eq!(output(&stage, "loops", "Cpu"), "256");
    // A change of what a list comes from is a change set with values that are not known yet.
    let changed = NETWORK.replace("Name: example.org }", "Name: example.net }").replace("10.7.0.0/16", "10.8.0.0/16");
    let templates = [("network", changed.as_str())];
    let (action, entry) = deployed(&mut stage, &templates)["network"].clone();
    assert_eq!(action, Action::None, "{entry}");
}

#[test]
fn what_the_simulation_cannot_do_is_said_by_name() {
    let queue = "Queue: { Type: AWS::SQS::Queue }";
    let cases = [
        (
            "include",
            format!("Resources:\n  {queue}\n  Fn::Transform: {{ Name: AWS::Include, Parameters: {{ Location: s3://theirs/more.yaml }} }}\n"),
            "include s3://theirs/more.yaml: it has no bucket theirs",
        ),
        ("mine", format!("Transform: Mine\nResources:\n  {queue}\n"), "run the macro Mine"),
        ("swap", format!("Transform: AWS::CodeDeployBlueGreen\nResources:\n  {queue}\n"), "run AWS's transform AWS::CodeDeployBlueGreen"),
        (
            "graph",
            "Transform: AWS::Serverless-2016-10-31\nResources:\n  Graph: { Type: AWS::Serverless::GraphQLApi }\n".to_owned(),
            "expand Graph: AWS::Serverless::GraphQLApi",
        ),
        ("module", "Resources:\n  Part: { Type: My::Own::Part::MODULE }\n".to_owned(), "expand Part: the module My::Own::Part::MODULE"),
        (
            "nested",
            "Resources:\n  Inner: { Type: AWS::CloudFormation::Stack, Properties: { TemplateURL: \"https://theirs.s3.amazonaws.com/inner.yaml\" } }\n".to_owned(),
            "read the template https://theirs.s3.amazonaws.com/inner.yaml: it has no bucket theirs",
        ),
    ];
    let mut stage = Stage::new("us-east-1", "2026-01-01T00:00:00Z", SimConfig::default());
    let templates: Vec<(&str, &str)> = cases.iter().map(|(name, template, _)| (*name, template.as_str())).collect();
    let found = deployed(&mut stage, &templates);
    for (name, _, expected) in &cases {
        let entry = &found[*name].1;
        assert!(entry.contains(&format!("the simulation cannot {expected}")), "{name}: {entry}");
    }
}

#[test]
fn an_import_that_nobody_exports_yet_says_who_would_have_to() {
    let importing = |name: &str| {
        format!("Resources: {{ T: {{ Type: AWS::SNS::Topic, Properties: {{ DisplayName: !ImportValue {name} }} }} }}\n")
    };
    let (theirs, ours) = (importing("theirs"), importing("shared"));
    let exporting =
        "Resources: { Q: { Type: AWS::SQS::Queue } }\nOutputs: { Q: { Value: !Ref Q, Export: { Name: shared } } }\n";
    let all = |store: &Store| {
        let mut files = files(&[("theirs", &theirs), ("ours", &ours)]);
        let other = ENVIRONMENT.replace("name: dev", "name: base").replace("include: [app]", "include: [base]");
        files.push(("base.yaml".to_owned(), other));
        let stack = "apiVersion: landfast/v1\nkind: Stack\nmetadata: { name: queue }\nspec: { template: queue.tpl }\n";
        files.push(("base/queue.yaml".to_owned(), stack.to_owned()));
        files.push(("base/queue.tpl".to_owned(), exporting.to_owned()));
        stage::unbroken(store, files)
    };
    let mut stage = Stage::new("us-east-1", "2026-01-01T00:00:00Z", SimConfig::default());
    let daemon = stage.begin(|_| {});
    let desired = all(daemon.store());
    stage.tend(&daemon, desired, HOUR, FOREVER);
    drop(daemon);
    let plan = stage.plan(all);
    let said = |name: &str| {
        let (_, entry) = plan.entries.iter().find(|(key, _)| key.to_string().ends_with(name)).unwrap();
        format!("{entry:?}")
    };
    let place = "some other stack of account 111122223333 in us-east-1 has to";
    assert!(
        said("theirs").contains(&format!("no stack of these manifests exports theirs: {place}")),
        "{}",
        said("theirs")
    );
    // It is not tried before: who exports it is a dependency, in whatever environment.
    assert!(said("ours").contains("Dependency { objects: {\"base/stack/queue\"} }"), "{}", said("ours"));
}

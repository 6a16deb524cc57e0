//! What is used of a quota is measured before more of it is asked for; what cannot be measured is never taken for enough.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use landfast::controller::{Controller, ReportPlace};
use landfast::model::{Desired, Met, Prerequisite};
use landfast::sim::{Fault, FaultPlan, SimConfig, Window};
use landfast::store::Store;

use crate::stage::{self, FOREVER, HOUR, Stage};

/// Three brokers, and tasks of one processor each.
const TEMPLATE: &str = "
Parameters: { Tasks: { Type: Number } }
Resources:
  Brokers:
    Type: AWS::MSK::Cluster
    Properties: { ClusterName: !Ref AWS::StackName, KafkaVersion: 3.6.0, NumberOfBrokerNodes: 3 }
  Cluster: { Type: AWS::ECS::Cluster }
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties: { Family: !Ref AWS::StackName, Cpu: '1024', ContainerDefinitions: [{ Name: app, Image: 'public.ecr.aws/app:1' }] }
  Service:
    Type: AWS::ECS::Service
    Properties: { Cluster: !Ref Cluster, TaskDefinition: !Ref Task, DesiredCount: !Ref Tasks, LaunchType: FARGATE }
";

struct World {
    stage: Stage,
    /// Stacks of the template, with the tasks of each.
    stacks: Vec<(&'static str, u32)>,
    /// The template names a macro of AWS, and the environment a bucket that a stack of somebody else has made.
    transform: bool,
}

impl World {
    fn new() -> Self {
        Self::of(SimConfig::default())
    }

    fn of(config: SimConfig) -> Self {
        Self { stage: Stage::new("us-east-1", "2026-01-01T00:00:00Z", config), stacks: Vec::new(), transform: false }
    }

    fn desired(&self, store: &Store) -> Desired {
        let environment = "apiVersion: landfast/v1\nkind: Environment\nmetadata: { name: dev }\nspec:\n  system: shop\n  \
                           account: \"111122223333\"\n  region: us-east-1\n  include: [app]\n  policy: { mode: apply }\n";
        let bucket = if self.transform { "  templateBucket: templates\n" } else { "" };
        let macros = if self.transform { "Transform: AWS::LanguageExtensions\n" } else { "" };
        let mut files = vec![
            ("dev.yaml".to_owned(), format!("{environment}{bucket}")),
            ("app/app.tpl".to_owned(), format!("{macros}{TEMPLATE}")),
        ];
        files.extend(self.stacks.iter().map(|(name, tasks)| {
            let spec = format!(
                "{{ template: app.tpl, capabilities: [CAPABILITY_AUTO_EXPAND], parameters: {{ Tasks: {tasks} }} }}"
            );
            let stack = format!("apiVersion: landfast/v1\nkind: Stack\nmetadata: {{ name: {name} }}\nspec: {spec}\n");
            (format!("app/{name}.yaml"), stack)
        }));
        stage::loaded(store, files)
    }

    fn deploy(&mut self) {
        let controller = self.stage.begin(|_| {});
        let desired = self.desired(controller.store());
        self.stage.tend(&controller, desired, 2 * HOUR, FOREVER);
    }

    /// What is said of all, where `run` is to leave reports of drift there.
    fn lines(&self, reports: &[&str]) -> Vec<Prerequisite> {
        let store = self.stage.store();
        let desired = self.desired(&store);
        let environment = Arc::clone(&desired.environments[&"dev".parse().unwrap()]);
        let cloud = Arc::new(self.stage.cloud.clone());
        let controller = Controller::new(self.stage.cx.clone(), cloud, store, Arc::new(|_, _| {}));
        let reports: Vec<ReportPlace> = reports.iter().map(|place| place.parse().unwrap()).collect();
        let items = self.stage.clock.drive(controller.preflight(&desired, &environment, &reports)).unwrap().unwrap();
        items.into_iter().flat_map(|item| item.prerequisites).collect()
    }

    /// What is said of the brokers, and of the processors.
    fn quotas(&self) -> [Prerequisite; 2] {
        let lines = self.lines(&[]);
        ["AWS::MSK::Cluster", "AWS::ECS::Service"].map(|kind| {
            lines.iter().find(|line| line.what.contains(kind)).unwrap_or_else(|| panic!("{kind}: {lines:#?}")).clone()
        })
    }

    /// For how many actions permission is asked.
    fn actions(&self, reports: &[&str]) -> usize {
        let lines = self.lines(reports);
        let mut words = lines.iter().filter_map(|line| line.what.strip_prefix("permission for "));
        words.next().unwrap().split(' ').next().unwrap().parse().unwrap()
    }
}

#[test]
fn a_bucket_for_drift_reports_asks_for_what_it_needs_and_a_directory_for_nothing() {
    let world = World::new();
    let without = world.actions(&[]);
    assert_eq!(world.actions(&["reports"]), without);
    assert_eq!(world.actions(&["reports", "s3://ops-reports/drift"]), without + 3);
}

/// A bucket as somebody's stack has made it.
const BUCKET: &str = "
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: templates
      VersioningConfiguration: { Status: Enabled }
      BucketEncryption:
        ServerSideEncryptionConfiguration:
          - ServerSideEncryptionByDefault: { SSEAlgorithm: aws:kms, KMSMasterKeyID: 1234abcd }
";

#[test]
fn a_transform_and_the_key_of_the_template_bucket_take_permissions_of_their_own() {
    let (transform, key) = (
        "arn:aws:cloudformation:us-east-1:aws:transform/LanguageExtensions",
        "arn:aws:kms:us-east-1:111122223333:key/1234abcd",
    );
    let refused = [("cloudformation:CreateChangeSet", transform), ("kms:Decrypt", key)];
    for denied in [&refused[..0], &refused] {
        let is_denied = !denied.is_empty();
        let denied = denied.iter().map(|(action, on)| ((*action).to_owned(), (*on).to_owned())).collect();
        let mut world = World::of(SimConfig { denied, ..SimConfig::default() });
        (world.stacks, world.transform) = (vec![("app", 1)], true);
        let (console, none) = (world.stage.cloud.console(&world.stage.scope), std::collections::BTreeMap::new());
        console.create_stack(&"buckets".parse().unwrap(), BUCKET, &none, &none).unwrap();
        world.stage.clock.drive(world.stage.cx.sleep(HOUR)).unwrap();
        let lines = world.lines(&[]);
        let of =
            |what: &str| lines.iter().find(|line| line.what.contains(what)).unwrap_or_else(|| panic!("{lines:#?}"));
        let (transforms, keys) = (of("on the transforms"), of("on the key of bucket templates"));
        if is_denied {
            assert_eq!((transforms.met, keys.met), (Met::Missing, Met::Unknown));
            assert!(transforms.found.contains(transform) && keys.found.contains("kms:Decrypt"), "{lines:#?}");
        } else {
            assert_eq!((transforms.met, keys.met), (Met::Ok, Met::Ok), "{lines:#?}");
        }
    }
    // Nothing is said where there is neither.
    let mut world = World::new();
    world.stacks = vec![("app", 1)];
    assert!(world.lines(&[]).iter().all(|line| !line.what.contains("transforms") && !line.what.contains("kms:")));
}

fn said(lines: &[Prerequisite; 2]) -> [(Met, &str); 2] {
    [(lines[0].met, lines[0].found.as_str()), (lines[1].met, lines[1].found.as_str())]
}

#[test]
fn what_exists_counts_against_a_quota_with_what_it_takes() {
    let mut world = World::new();
    world.stacks = vec![("old", 4)];
    assert_eq!(
        said(&world.quotas()),
        [(Met::Ok, "the plan needs 3; 0 of 90 are used"), (Met::Ok, "the plan needs 4; 0 of 6 are used"),]
    );
    world.deploy();
    world.stacks.push(("new", 2));
    assert_eq!(
        said(&world.quotas()),
        [(Met::Ok, "the plan needs 3; 3 of 90 are used"), (Met::Ok, "the plan needs 2; 4 of 6 are used"),]
    );
    world.stacks[1].1 = 3;
    let lines = world.quotas();
    assert_eq!(said(&lines)[1], (Met::Missing, "the plan needs 3; 4 of 6 are used"));
    assert!(lines[1].remedy.as_ref().unwrap().contains("L-3032A538"));
}

#[test]
fn what_could_not_be_measured_is_unknown_and_says_what_to_allow() {
    let mut world = World::new();
    world.stacks = vec![("old", 4)];
    world.deploy();
    world.stacks.push(("new", 1));
    let operations = BTreeSet::from(["GetResource".to_owned(), "GetMetricStatistics".to_owned()]);
    let window = Window { from: Duration::ZERO, until: Duration::MAX, scope: None, operations, fault: Fault::Denied };
    world.stage.cloud.set_faults(FaultPlan { windows: vec![window], ..FaultPlan::default() });
    for line in world.quotas() {
        assert_eq!(line.met, Met::Unknown, "{line:?}");
        assert!(line.found.contains("the usage of existing resources (1) is unknown"), "{line:?}");
        assert!(line.remedy.unwrap().contains("cloudwatch:GetMetricStatistics"));
    }
}

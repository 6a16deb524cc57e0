//! Tables that no template of a manifest names: in nested stacks, made by macros, behind types that nobody knows. None is
//! replaced or deleted without a word (S4, S24), and nothing more is read of what is at rest (L5).

use std::time::Duration;

use landfast::model::{Action, Desired, Entry, Guard, Key, Waiting};
use landfast::sabotage::{Bug, plant};
use landfast::sim::SimConfig;
use landfast::store::Store;

use crate::stage::{self, DAY, FOREVER, HOUR, Stage};

const DENY: &str = "mode: apply, prune: always, replace: deny, broaden: allow, drift: revert, driftEvery: 6h, \
    budget: { stacks: 50, replacements: 50, deletions: 50 }";

/// A stack with a table in it; `Size` is in the table's name, so that another one is another table.
const CHILD: &str = r#"
Parameters: { Size: { Type: String }, Note: { Type: String, Default: a } }
Resources:
  Table: { Type: AWS::DynamoDB::Table, Properties: { BillingMode: PAY_PER_REQUEST, TableName: !Sub "users-${Size}" } }
  Queue: { Type: AWS::SQS::Queue, Properties: { Note: !Ref Note } }
"#;

const HARMLESS: &str = "
Parameters: { Size: { Type: String }, Note: { Type: String, Default: a } }
Resources: { Inner: { Type: AWS::SNS::Topic, Properties: { DisplayName: !Ref Note } } }
";

const ROOT: &str = "
Parameters: { Size: { Type: String }, Note: { Type: String } }
Resources:
  Data:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: https://templates.s3.us-east-1.amazonaws.com/child.yaml
      Parameters: { Size: !Ref Size, Note: !Ref Note }
  Topic: { Type: AWS::SNS::Topic, Properties: { DisplayName: x } }
";

/// The same without the nested stack.
const BESIDE: &str = "
Parameters: { Size: { Type: String }, Note: { Type: String } }
Resources:
  Topic: { Type: AWS::SNS::Topic, Properties: { DisplayName: x } }
";

/// Two levels down.
const MIDDLE: &str = "
Parameters: { Size: { Type: String }, Note: { Type: String } }
Resources:
  Inner:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: https://templates.s3.us-east-1.amazonaws.com/inner.yaml
      Parameters: { Size: !Ref Size, Note: !Ref Note }
";

const SERVERLESS: &str = "
Transform: AWS::Serverless-2016-10-31
Parameters: { Size: { Type: String }, Note: { Type: String } }
Resources:
  Users: { Type: AWS::Serverless::SimpleTable, Properties: { PrimaryKey: { Name: !Ref Size, Type: String } } }
  Topic: { Type: AWS::SNS::Topic, Properties: { DisplayName: !Ref Note } }
";

const LOOP: &str = r#"
Transform: AWS::LanguageExtensions
Parameters: { Size: { Type: String }, Note: { Type: String } }
Resources:
  Fn::ForEach::Tables:
    - Name
    - [Users, Orders]
    - "${Name}":
        Type: AWS::DynamoDB::Table
        Properties: { BillingMode: PAY_PER_REQUEST, TableName: !Sub "${Name}-${Size}" }
  Topic: { Type: AWS::SNS::Topic, Properties: { DisplayName: !Ref Note } }
"#;

const CUSTOM: &str = "
Parameters: { Size: { Type: String }, Note: { Type: String } }
Resources:
  Store: { Type: Custom::Store, Properties: { ServiceToken: 'arn:aws:lambda:us-east-1:111122223333:function:store' } }
  Topic: { Type: AWS::SNS::Topic, Properties: { DisplayName: !Ref Note } }
";

struct World {
    stage: Stage,
    policy: String,
    template: String,
    values: (&'static str, &'static str),
    wanted: bool,
}

stage::set_on_a_stage!(World);

impl World {
    fn new(template: &str) -> Self {
        let stage = Stage::new("us-east-1", "2026-01-01T00:00:00Z", SimConfig::default());
        stage.console().put_object("templates", "child.yaml", CHILD);
        stage.console().put_object("templates", "inner.yaml", CHILD);
        let (policy, template) = (DENY.to_owned(), template.to_owned());
        Self { stage, policy, template, values: ("small", "a"), wanted: true }
    }

    /// Deployed.
    fn with(template: &str) -> Self {
        let mut world = Self::new(template);
        world.run(HOUR);
        assert_eq!(world.entry("app").action, Action::None, "{:#?}", world.entry("app"));
        world
    }

    fn desired(&self, store: &Store) -> Desired {
        let environment = format!(
            "apiVersion: landfast/v1\nkind: Environment\nmetadata: {{ name: dev }}\nspec:\n  system: shop\n  account: \
             \"111122223333\"\n  region: us-east-1\n  include: [app]\n  policy: {{ {} }}\n",
            self.policy
        );
        let (size, note) = self.values;
        let app = format!(
            "apiVersion: landfast/v1\nkind: Stack\nmetadata: {{ name: app }}\nspec:\n  template: app.tpl\n  capabilities: \
             [CAPABILITY_AUTO_EXPAND, CAPABILITY_IAM]\n  parameters: {{ Size: {size}, Note: {note} }}\n"
        );
        let other = "apiVersion: landfast/v1\nkind: Stack\nmetadata: { name: other }\nspec: { template: other.tpl }\n"
            .to_owned();
        let mut files = vec![
            ("dev.yaml", environment),
            ("app/other.yaml", other),
            ("app/other.tpl", "Resources: { Topic: { Type: AWS::SNS::Topic } }".to_owned()),
            ("app/app.tpl", self.template.clone()),
        ];
        if self.wanted {
            files.push(("app/app.yaml", app));
        }
        stage::loaded(store, files)
    }

    fn run(&mut self, duration: Duration) {
        let controller = self.begin(|_| {});
        let desired = self.desired(controller.store());
        self.tend(&controller, desired, duration, FOREVER);
    }

    fn entry(&self, name: &str) -> Entry {
        let key: Key = format!("dev/stack/{name}").parse().unwrap();
        self.stage.plan(|store| self.desired(store)).entries.remove(&key).unwrap()
    }

    /// Tables and custom resources that exist: how often each was made and removed.
    fn lost(&self) -> u32 {
        let inventory = self.cloud.inventory();
        let counts = inventory.stacks.iter().flat_map(|stack| &stack.counts);
        let of_state = counts.filter(|(name, _)| ["Table", "Users", "Orders", "Store"].contains(&name.as_str()));
        of_state.map(|(_, counts)| counts.deletes).sum()
    }

    fn exists(&self) -> bool {
        self.cloud.inventory().stack("dev-shop-app").is_some()
    }

    fn calls(&self, operation: &str) -> usize {
        self.cloud.audit().iter().filter(|call| call.operation == operation).count()
    }
}

/// The update is refused because of this resource, and stays so.
fn is_held(world: &mut World, resource: &str) {
    world.run(HOUR * 3);
    let entry = world.entry("app");
    let [refusal] = entry.refused.as_slice() else { panic!("{entry:#?}") };
    assert!(refusal.guard == Guard::Replace && refusal.reason.contains(resource), "{refusal:?}");
    assert_eq!(world.lost(), 0, "S4");
}

/// The deletion waits for a person, and does so for as long as it takes.
fn waits(world: &mut World, resource: &str) {
    world.wanted = false;
    world.run(HOUR * 3);
    let entry = world.entry("app");
    assert_eq!(entry.action, Action::Delete);
    assert!(entry.waiting.iter().any(|one| matches!(one, Waiting::Approval { .. })), "{entry:#?}");
    let named: Vec<_> = entry.changes.list().iter().map(|change| change.resource.as_str()).collect();
    assert!(named.contains(&resource), "{named:?}");
    assert!(world.exists() && world.lost() == 0, "S4");
    let reads = (world.calls("ListStackResources"), world.calls("GetTemplate"));
    world.run(DAY);
    // Each look of a day is one daemon's; drift is looked for four times.
    assert!(world.calls("ListStackResources") - reads.0 <= 60, "L5: what waits is not read again and again");
    assert_eq!(world.calls("GetTemplate"), reads.1, "L5");
}

#[test]
fn a_table_in_a_nested_stack_is_not_replaced_without_a_word() {
    let mut world = World::with(ROOT);
    world.values.0 = "large";
    is_held(&mut world, "Data/Table (AWS::DynamoDB::Table)");
    // The template that a nested stack is made from may change, and its address stay.
    let mut world = World::with(ROOT);
    world.console().put_object("templates", "child.yaml", &CHILD.replace("users-", "people-"));
    world.values.1 = "b";
    is_held(&mut world, "Data/Table (AWS::DynamoDB::Table)");
}

#[test]
fn a_table_two_levels_down_is_seen_too() {
    let mut world = World::new(ROOT);
    world.console().put_object("templates", "child.yaml", MIDDLE);
    world.run(HOUR);
    world.values.0 = "large";
    is_held(&mut world, "Data/Inner/Table (AWS::DynamoDB::Table)");
    let mut world = World::new(ROOT);
    world.console().put_object("templates", "child.yaml", MIDDLE);
    world.run(HOUR);
    waits(&mut world, "Data/Inner/Table");
}

#[test]
fn a_nested_stack_with_a_table_is_not_removed_without_a_word_and_one_without_state_is() {
    let mut world = World::with(ROOT);
    BESIDE.clone_into(&mut world.template);
    is_held(&mut world, "Data/Table (AWS::DynamoDB::Table)");
    let mut world = World::new(ROOT);
    world.console().put_object("templates", "child.yaml", HARMLESS);
    world.run(HOUR);
    BESIDE.clone_into(&mut world.template);
    world.run(HOUR);
    assert_eq!(world.entry("app").action, Action::None, "{:#?}", world.entry("app"));
    assert_eq!(world.cloud.inventory().leftovers(), Vec::<String>::new(), "S20");
}

#[test]
fn what_changes_nothing_that_holds_state_is_done() {
    for template in [ROOT, SERVERLESS, LOOP, CUSTOM] {
        let mut world = World::with(template);
        world.values.1 = "b";
        world.run(HOUR);
        let entry = world.entry("app");
        assert_eq!((entry.action, world.lost()), (Action::None, 0), "{template}: {entry:#?}");
        assert_eq!(world.cloud.inventory().leftovers(), Vec::<String>::new(), "S20");
    }
}

#[test]
fn tables_that_macros_make_are_not_replaced_without_a_word() {
    for (template, resource) in [(SERVERLESS, "Users (AWS::DynamoDB::Table)"), (LOOP, "Orders (AWS::DynamoDB::Table)")]
    {
        let mut world = World::with(template);
        world.values.0 = "large";
        is_held(&mut world, resource);
    }
}

#[test]
fn what_holds_state_is_not_pruned_without_a_word_however_it_was_made() {
    for (template, resource) in [(ROOT, "Data/Table"), (SERVERLESS, "Users"), (LOOP, "Orders"), (CUSTOM, "Store")] {
        waits(&mut World::with(template), resource);
    }
    let mut world = World::new(ROOT);
    world.console().put_object("templates", "child.yaml", HARMLESS);
    world.run(HOUR);
    world.wanted = false;
    world.run(HOUR);
    assert!(!world.exists(), "there is nothing to lose in it");
}

#[test]
fn what_a_processed_template_retains_stays_and_is_no_loss() {
    let keeps = SERVERLESS.replace("SimpleTable,", "SimpleTable, DeletionPolicy: Retain,");
    let mut world = World::with(&keeps);
    world.wanted = false;
    world.run(HOUR);
    assert!(!world.exists() && world.lost() == 0);
}

/// It has the tags of its root, and is not the root.
#[test]
fn a_nested_stack_that_was_retained_does_not_keep_its_root_from_being_made_again() {
    let mut world = World::new(
        &ROOT.replace("AWS::CloudFormation::Stack", "AWS::CloudFormation::Stack\n    DeletionPolicy: Retain"),
    );
    world.console().put_object("templates", "child.yaml", HARMLESS);
    world.run(HOUR);
    world.wanted = false;
    world.run(HOUR);
    let stacks = world.cloud.inventory().stacks;
    let left =
        stacks.iter().any(|stack| stack.state.parent.is_some() && stack.state.status.as_str() == "CREATE_COMPLETE");
    assert!(!world.exists() && left, "the nested stack was retained");
    world.wanted = true;
    world.run(HOUR);
    assert!(world.exists());
    assert_eq!(world.entry("app").action, Action::None);
}

#[test]
fn what_cannot_be_judged_counts_as_stateful_until_policy_says_otherwise() {
    let without = CUSTOM.replace("  Store: { Type: Custom::Store, Properties: { ServiceToken: 'arn:aws:lambda:us-east-1:111122223333:function:store' } }\n", "");
    let mut world = World::with(CUSTOM);
    world.template.clone_from(&without);
    is_held(&mut world, "Store (Custom::Store)");
    world.policy = DENY.replace("mode: apply", "mode: apply, statefulTypes: { remove: [\"Custom::Store\"] }");
    world.run(HOUR);
    assert_eq!((world.entry("app").action, world.lost()), (Action::None, 1));
}

/// AWS makes no change set that both reverts drift and includes nested stacks, so that nobody can tell what such a one does
/// in them.
#[test]
fn drift_beside_a_nested_stack_is_put_back_only_with_a_word() {
    let mut world = World::with(ROOT);
    let stack = "dev-shop-app".parse().unwrap();
    world.console().change_resource(&stack, "Topic", "/DisplayName", serde_json::json!("y")).unwrap();
    world.run(HOUR * 7);
    let entry = world.entry("app");
    assert_eq!(entry.action, Action::Revert, "{entry:#?}");
    let [refusal] = entry.refused.as_slice() else { panic!("{entry:#?}") };
    assert!(
        refusal.reason.contains("Data (AWS::CloudFormation::Stack: no change set shows its changes"),
        "{refusal:?}"
    );
    assert_eq!(world.lost(), 0);
}

/// A scenario in which a bug in what guards see loses a table; what is wrong after it.
pub(crate) fn play_planted(bug: Bug, planted: bool) -> Vec<String> {
    let template = if bug == Bug::UnknownIsHarmless { CUSTOM } else { ROOT };
    let mut world = World::with(template);
    plant(planted.then_some(bug));
    match bug {
        Bug::NestedLeftOut => world.values.0 = "large",
        Bug::JudgedAsWritten => world.wanted = false,
        _ => {
            world.template = CUSTOM.replace("  Store: { Type: Custom::Store, Properties: { ServiceToken: 'arn:aws:lambda:us-east-1:111122223333:function:store' } }\n", "");
        }
    }
    world.run(HOUR * 3);
    plant(None);
    match world.lost() {
        0 => Vec::new(),
        lost => vec![format!("S24 hidden: {lost} resources that hold state are gone, and nobody was asked")],
    }
}

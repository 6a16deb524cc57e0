//! What is renamed, or moves: an object to another name or environment, an environment to another region, an export to
//! another stack. Nothing is deleted because of it, and what cannot be done in one go says so (S25).

use std::collections::{BTreeMap, BTreeSet};

use landfast::controller::{Controller, Tender, Until};
use landfast::model::{Action, Ailment, Desired, Difference, Entry, Guard, Key, Plan, Waiting};
use landfast::plan::{self, Goal, Input, OWNER_TAG};
use landfast::sabotage::{Bug, plant};
use landfast::sim::SimConfig;
use landfast::store::Store;

use crate::stage::{self, HOUR, Stage};

const TOPIC: &str = "Resources:\n  T: { Type: AWS::SNS::Topic }\n";
const EXPORTS: &str =
    "Resources:\n  T: { Type: AWS::SNS::Topic }\nOutputs: { O: { Value: !Ref T, Export: { Name: shared } } }\n";
const IMPORTS: &str =
    "Resources:\n  P: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: !ImportValue shared } }\n";
const TABLE: &str = "Resources:\n  T:\n    Type: AWS::DynamoDB::Table\n    Properties:\n      BillingMode: PAY_PER_REQUEST\n      \
                     AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]\n      \
                     KeySchema: [{ AttributeName: id, KeyType: HASH }]\n";

struct World {
    stage: Stage,
    files: BTreeMap<String, String>,
}

stage::set_on_a_stage!(World);

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

impl World {
    fn new() -> Self {
        let stage = Stage::new("us-east-1", "2026-01-01T00:00:00Z", SimConfig::default());
        let mut world = Self { stage, files: BTreeMap::new() };
        for name in ["dev", "prod"] {
            world.environment(name, "us-east-1");
            world.stack(name, "keep", "keep", TOPIC);
        }
        world
    }

    fn environment(&mut self, name: &str, region: &str) {
        let text = format!(
            "apiVersion: landfast/v1\nkind: Environment\nmetadata: {{ name: {name} }}\nspec:\n  system: shop\n  account: \
             \"111122223333\"\n  region: {region}\n  include: [{name}]\n  policy: {{ mode: apply, prune: always, replace: \
             allow, budget: {{ stacks: 50, replacements: 5, deletions: 5, per: 1h }} }}\n"
        );
        self.files.insert(format!("{name}.yaml"), text);
    }

    fn stack(&mut self, environment: &str, name: &str, stack: &str, template: &str) {
        let text = format!(
            "apiVersion: landfast/v1\nkind: Stack\nmetadata: {{ name: {name} }}\nspec: {{ template: {name}.tpl, stackName: \
             {environment}-{stack} }}\n"
        );
        self.files.insert(format!("{environment}/{name}.yaml"), text);
        self.files.insert(format!("{environment}/{name}.tpl"), template.to_owned());
    }

    fn remove(&mut self, environment: &str, name: &str) {
        self.files.remove(&format!("{environment}/{name}.yaml")).unwrap();
        self.files.remove(&format!("{environment}/{name}.tpl")).unwrap();
    }

    fn desired(&self, store: &Store) -> Desired {
        stage::unbroken(store, &self.files)
    }

    /// Daemons of both environments, one after the other.
    fn run(&mut self) {
        let controller = self.begin(|_| {});
        let desired = self.desired(controller.store());
        controller.board.publish(desired, &BTreeSet::new());
        for name in ["dev", "prod", "dev", "prod"] {
            self.tended(&controller, name);
        }
    }

    fn tended(&self, controller: &Controller, name: &str) {
        let tender = Tender::new(controller, name.parse().unwrap(), Goal::Converge, Until::Stopped).run();
        assert!(self.clock.drive(Box::pin(self.cx.timeout(HOUR, tender))).unwrap().is_none(), "the daemon ended");
    }

    fn glance<T>(&mut self, name: &str, what: impl FnOnce(&Plan, &Input<'_>, &Store) -> T) -> T {
        let controller = self.begin(|_| {});
        let desired = self.desired(controller.store());
        let environment = desired.environments[&name.parse().unwrap()].clone();
        let looked = self.clock.drive(controller.glance(&desired, &environment)).unwrap().unwrap();
        let (observation, memory, now, busy) = (&looked.observation, &looked.memory, self.cx.now(), BTreeSet::new());
        let goal = Goal::Converge;
        let input = Input { desired: &desired, environment: &environment, observation, memory, now, goal, busy: &busy };
        what(&looked.plan, &input, controller.store())
    }

    fn plan(&mut self, name: &str) -> Plan {
        self.glance(name, |plan, _, _| plan.clone())
    }

    fn entry(&mut self, of: &str) -> Entry {
        let key = key(of);
        self.plan(key.environment.as_str()).entries[&key].clone()
    }

    fn approve(&mut self, name: &str) {
        let now = self.cx.now();
        self.glance(name, |plan, input, store| {
            let consent = plan::consent(plan, input, "ann".to_owned(), now, false);
            store.consent(&input.environment.name, Some(consent)).unwrap();
        });
    }

    /// Id and owner of a stack that is there.
    fn found(&self, stack: &str) -> Option<(String, String)> {
        let inventory = self.cloud.inventory();
        let state = &inventory.stack(stack)?.state;
        Some((state.id.to_string(), state.tags.get(OWNER_TAG).cloned().unwrap_or_default()))
    }

    fn called(&self, operation: &str) -> usize {
        self.cloud.audit().iter().filter(|call| call.operation == operation && call.applied).count()
    }
}

/// A rename, and what is wrong then.
pub(crate) fn play_renamed(planted: bool) -> Vec<String> {
    plant(planted.then_some(Bug::RenameDeletes));
    let mut world = World::new();
    world.stack("dev", "a", "fixed", TABLE);
    world.run();
    let before = world.found("dev-fixed").unwrap();
    world.remove("dev", "a");
    world.stack("dev", "b", "fixed", TABLE);
    world.approve("dev");
    world.run();
    plant(None);
    let after = world.found("dev-fixed");
    let mut wrong = Vec::new();
    if world.called("DeleteStack") > 0 || after.as_ref().is_none_or(|after| after.0 != before.0) {
        wrong.push("S25 present is not gone: a renamed stack was deleted".to_owned());
    }
    if after.is_none_or(|after| after.1 != "dev/stack/b") {
        wrong.push("L1: a renamed stack has no new owner".to_owned());
    }
    wrong
}

/// An export that moves, and what is wrong then.
pub(crate) fn play_exports(planted: bool) -> Vec<String> {
    plant(planted.then_some(Bug::ExportsAtOnce));
    let mut world = World::new();
    world.stack("dev", "b", "b", TOPIC);
    world.stack("dev", "z", "z", EXPORTS);
    world.run();
    world.stack("dev", "b", "b", EXPORTS);
    world.stack("dev", "z", "z", TOPIC);
    world.run();
    plant(None);
    let updates = world.called("ExecuteChangeSet");
    let mut wrong = Vec::new();
    if updates != 2 || !world.plan("dev").in_sync() {
        wrong.push(format!("L1 order: an export that moved was made before it was given up ({updates} updates)"));
    }
    wrong
}

#[test]
fn a_renamed_object_takes_its_stack_over_and_nothing_is_deleted() {
    assert_eq!(play_renamed(false), Vec::<String>::new());
    let mut world = World::new();
    world.stack("dev", "a", "fixed", TABLE);
    world.run();
    world.remove("dev", "a");
    world.stack("dev", "b", "fixed", TABLE);
    let plan = world.plan("dev");
    assert!(!plan.entries.contains_key(&key("dev/stack/a")), "the old key has no entry: {:#?}", plan.entries);
    let entry = &plan.entries[&key("dev/stack/b")];
    assert_eq!(entry.action, Action::Adopt, "{entry:#?}");
    let renamed = Difference::Renamed { from: "dev/stack/a".to_owned() };
    assert!(entry.differences.contains(&renamed) && entry.refused.is_empty(), "{entry:#?}");
    world.run();
    assert!(world.plan("dev").in_sync());
    let memory = world.memory();
    assert!(!memory.objects.stacks.contains_key(&key("dev/stack/a")), "what was remembered went over");
    assert!(memory.objects.stacks[&key("dev/stack/b")].healthy.is_some());
}

#[test]
fn an_object_that_moves_to_another_environment_takes_its_stack_over() {
    let mut world = World::new();
    world.stack("dev", "a", "fixed", TABLE);
    world.run();
    let before = world.found("dev-fixed").unwrap();
    world.remove("dev", "a");
    // The name of the stack is written out: it stays.
    let text = "apiVersion: landfast/v1\nkind: Stack\nmetadata: { name: a }\nspec: { template: a.tpl, stackName: dev-fixed }\n";
    world.files.insert("prod/a.yaml".to_owned(), text.to_owned());
    world.files.insert("prod/a.tpl".to_owned(), TABLE.to_owned());
    let left = world.entry("dev/stack/a");
    assert_eq!(left.action, Action::Retain, "{left:#?}");
    assert_eq!(left.differences, [Difference::HandedOver { to: "prod/stack/a".to_owned() }]);
    world.approve("dev");
    world.run();
    assert_eq!(world.found("dev-fixed"), Some((before.0, "prod/stack/a".to_owned())));
    assert!(world.plan("dev").in_sync() && world.plan("prod").in_sync());
    assert_eq!(world.called("DeleteStack"), 0);
}

#[test]
fn what_another_repository_owns_is_not_taken_over() {
    let mut world = World::new();
    let tags = BTreeMap::from([(OWNER_TAG.to_owned(), "theirs/stack/x".to_owned())]);
    world.console().create_stack(&"dev-x".parse().unwrap(), TOPIC, &BTreeMap::new(), &tags).unwrap();
    world.stack("dev", "x", "x", TOPIC);
    world.run();
    let entry = world.entry("dev/stack/x");
    assert!(entry.refused.iter().any(|refusal| refusal.guard == Guard::Ownership), "{entry:#?}");
}

#[test]
fn another_region_makes_a_second_stack_only_with_consent_where_the_first_holds_state_and_reports_the_first() {
    let mut world = World::new();
    world.stack("dev", "db", "db", TABLE);
    world.run();
    let first = world.found("dev-db").unwrap().0;
    world.environment("dev", "eu-west-1");
    world.run();
    let entry = world.entry("dev/stack/db");
    assert!(entry.waiting.iter().any(|one| matches!(one, Waiting::Approval { .. })), "{entry:#?}");
    assert!(
        entry
            .differences
            .iter()
            .any(|one| matches!(one, Difference::Elsewhere { region, .. } if region == "us-east-1"))
    );
    let there = |world: &World| {
        let inventory = world.cloud.inventory();
        let stacks =
            inventory.stacks.iter().filter(|record| record.state.name.as_str() == "dev-db" && !record.is_deleted());
        stacks.count()
    };
    assert_eq!(there(&world), 1);
    // What holds nothing has moved by itself.
    let topic = world.entry("dev/stack/keep");
    assert!(topic.action == Action::None && topic.ready, "{topic:#?}");

    world.approve("dev");
    world.run();
    assert_eq!(there(&world), 2);
    let entry = world.entry("dev/stack/db");
    assert_eq!(entry.action, Action::None, "{entry:#?}");
    let says = |entry: &Entry| entry.ailments.iter().any(|one| one.ailment == Ailment::LeftBehind);
    assert!(says(&entry), "{entry:#?}");
    assert!(
        entry.waiting.iter().any(|one| matches!(one, Waiting::Someone { what } if what.contains(&first))),
        "{entry:#?}"
    );

    // Deleted by hand, it is not spoken of any more.
    let old = stage::HOUR;
    for name in ["dev-db", "dev-keep"] {
        world.console().delete_stack(&name.parse().unwrap()).unwrap();
    }
    let (cx, clock) = (world.cx.clone(), world.clock.clone());
    clock.drive(cx.sleep(old)).unwrap();
    world.run();
    let entry = world.entry("dev/stack/db");
    assert!(!says(&entry) && entry.waiting.is_empty(), "{entry:#?}");
    assert!(world.memory().objects.stacks[&key("dev/stack/db")].left.is_empty());
}

#[test]
fn an_export_moves_to_another_stack_in_one_commit() {
    assert_eq!(play_exports(false), Vec::<String>::new());
}

#[test]
fn an_export_that_others_import_does_not_move_in_one_go_and_says_what_to_do() {
    let mut world = World::new();
    world.stack("dev", "b", "b", TOPIC);
    world.stack("dev", "z", "z", EXPORTS);
    world.stack("dev", "user", "user", IMPORTS);
    world.run();
    assert!(world.plan("dev").in_sync());
    world.stack("dev", "b", "b", EXPORTS);
    world.stack("dev", "z", "z", TOPIC);
    world.run();
    let entry = world.entry("dev/stack/z");
    let refusal = entry.refused.iter().find(|refusal| refusal.guard == Guard::ExportInUse);
    assert!(
        refusal.is_some_and(|refusal| refusal.release.contains("cannot move to dev/stack/b in one step")),
        "{entry:#?}"
    );
    let waits = world.entry("dev/stack/b");
    assert!(
        waits.step.is_none() && waits.waiting.iter().any(|one| matches!(one, Waiting::Dependency { .. })),
        "{waits:#?}"
    );
}

#[test]
fn an_export_that_another_stack_keeps_is_refused() {
    let mut world = World::new();
    world.stack("dev", "z", "z", EXPORTS);
    world.run();
    world.stack("dev", "b", "b", EXPORTS);
    world.run();
    let entry = world.entry("dev/stack/b");
    assert!(entry.refused.iter().any(|refusal| refusal.guard == Guard::ExportTaken), "{entry:#?}");
}

#[test]
fn a_stack_policy_that_left_the_manifest_is_lifted_once() {
    let mut world = World::new();
    let with = "apiVersion: landfast/v1\nkind: Stack\nmetadata: { name: keep }\nspec: { template: keep.tpl, stackName: dev-keep, stackPolicy: sp.json }\n";
    let without = world.files["dev/keep.yaml"].clone();
    world.files.insert("dev/keep.yaml".to_owned(), with.to_owned());
    let policy = r#"{"Statement":[{"Effect":"Deny","Action":"Update:*","Principal":"*","Resource":"*"}]}"#;
    world.files.insert("dev/sp.json".to_owned(), policy.to_owned());
    world.run();
    world.files.insert("dev/keep.yaml".to_owned(), without);
    world.files.remove("dev/sp.json");
    assert!(world.entry("dev/stack/keep").differences.contains(&Difference::StackPolicyLifted));
    world.run();
    assert!(world.plan("dev").in_sync());
    let set = world.cloud.inventory().stack("dev-keep").unwrap().policy.clone().unwrap();
    assert!(set.contains("Allow") && !set.contains("Deny"), "{set}");
}

#[test]
fn a_renamed_secret_keeps_its_value_and_is_not_deleted() {
    let mut world = World::new();
    let text = |name: &str| {
        format!(
            "apiVersion: landfast/v1\nkind: Secret\nmetadata: {{ name: {name} }}\nspec:\n  name: shop/app\n  generate: {{ token: \
             {{ length: 32 }} }}\n  deletionPolicy: delete\n"
        )
    };
    world.files.insert("dev/app.yaml".to_owned(), text("app"));
    world.run();
    let before = world.console().secret("shop/app").unwrap();
    world.files.insert("dev/app.yaml".to_owned(), text("web"));
    let plan = world.plan("dev");
    assert!(!plan.entries.contains_key(&key("dev/secret/app")), "{:#?}", plan.entries);
    assert_eq!(plan.entries[&key("dev/secret/web")].action, Action::Adopt);
    world.run();
    let after = world.console().secret("shop/app").unwrap();
    assert_eq!(after.tags.get(OWNER_TAG).map(String::as_str), Some("dev/secret/web"));
    assert_eq!((after.current(), after.deleted), (before.current(), None));
    assert!(world.plan("dev").in_sync());
    assert!(!world.memory().objects.secrets.contains_key(&key("dev/secret/app")));
}

#[test]
fn a_renamed_record_stays_and_its_marker_names_the_new_key() {
    let mut world = World::new();
    let zone = world.console().create_zone("example.com", false).unwrap();
    let text = |name: &str| {
        format!(
            "apiVersion: landfast/v1\nkind: DnsRecord\nmetadata: {{ name: {name} }}\nspec: {{ zone: example.com, name: \
             api.example.com, type: CNAME, target: lb.example.net, ttl: 60 }}\n"
        )
    };
    world.files.insert("dev/api.yaml".to_owned(), text("api"));
    world.run();
    let before = world.console().record_sets(&zone);
    world.files.insert("dev/api.yaml".to_owned(), text("web"));
    let plan = world.plan("dev");
    assert!(!plan.entries.contains_key(&key("dev/dnsrecord/api")), "{:#?}", plan.entries);
    assert_eq!(plan.entries[&key("dev/dnsrecord/web")].action, Action::Adopt);
    world.run();
    let after = world.console().record_sets(&zone);
    assert_eq!(before.len(), after.len());
    let says = |sets: &[landfast::model::RecordSet], key: &str| sets.iter().any(|set| format!("{set:?}").contains(key));
    assert!(says(&after, "owner=dev/dnsrecord/web") && !says(&after, "owner=dev/dnsrecord/api"), "{after:#?}");
    assert!(world.plan("dev").in_sync());
    assert!(!world.memory().objects.records.contains_key(&key("dev/dnsrecord/api")));
}

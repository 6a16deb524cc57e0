//! Somebody deletes a whole stack. What held state is not made again, empty, before a person agrees; what did not is, and
//! the plan says what happened. That it was there is remembered, and where the journal is lost, AWS says so (S4, S27).

use std::collections::BTreeSet;

use landfast::model::{Action, Ailment, Desired, Difference, Entry, Plan, Remedy, StackName, Waiting};
use landfast::plan::{self, Goal, Input};
use landfast::sabotage::{Bug, plant};
use landfast::sim::SimConfig;
use landfast::store::{Disk, Store};

use crate::stage::{self, FOREVER, HOUR, Stage};

const TABLE: &str = "Resources:\n  T:\n    Type: AWS::DynamoDB::Table\n    Properties:\n      TableName: orders\n      \
                     BillingMode: PAY_PER_REQUEST\n      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]\n      \
                     KeySchema: [{ AttributeName: id, KeyType: HASH }]\n";

const TOPIC: &str = "Resources:\n  T: { Type: AWS::SNS::Topic }\n";

struct World {
    stage: Stage,
    template: &'static str,
    /// Whether the manifest of the stack is there, beside that of another.
    wanted: bool,
}

stage::set_on_a_stage!(World);

fn name() -> StackName {
    "dev-shop-db".parse().unwrap()
}

impl World {
    fn new(template: &'static str) -> Self {
        let stage = Stage::new("us-east-1", "2026-01-01T00:00:00Z", SimConfig::default());
        Self { stage, template, wanted: true }
    }

    fn desired(&self, store: &Store) -> Desired {
        let environment = "apiVersion: landfast/v1\nkind: Environment\nmetadata: { name: dev }\nspec:\n  system: shop\n  \
                           account: \"111122223333\"\n  region: us-east-1\n  include: [stacks]\n  policy: { mode: apply, \
                           prune: always, replace: deny, budget: { stacks: 50, replacements: 0, deletions: 5, per: 1h } }\n";
        let stack = |name: &str, template: &str| {
            format!(
                "apiVersion: landfast/v1\nkind: Stack\nmetadata: {{ name: {name} }}\nspec: {{ template: {template} }}\n"
            )
        };
        let mut files = vec![
            ("env.yaml", environment.to_owned()),
            ("stacks/other.yaml", stack("other", "topic.tpl")),
            ("stacks/topic.tpl", TOPIC.to_owned()),
            ("stacks/db.tpl", self.template.to_owned()),
        ];
        if self.wanted {
            files.push(("stacks/db.yaml", stack("db", "db.tpl")));
        }
        stage::unbroken(store, files)
    }

    fn run(&mut self) {
        let controller = self.begin(|_| {});
        let desired = self.desired(controller.store());
        self.tend(&controller, desired, HOUR, FOREVER);
    }

    fn plan(&self) -> Plan {
        self.stage.plan(|store| self.desired(store))
    }

    fn entry(&self) -> Entry {
        self.plan().entries[&"dev/stack/db".parse().unwrap()].clone()
    }

    fn is_there(&self) -> bool {
        self.cloud.inventory().stack(name().as_str()).is_some()
    }

    /// Somebody deletes it, and nobody looks before it is gone.
    fn delete(&mut self) {
        self.console().delete_stack(&name()).unwrap();
        let (cx, clock) = (self.cx.clone(), self.clock.clone());
        clock.drive(cx.sleep(HOUR)).unwrap();
        assert!(!self.is_there());
    }

    /// A person approves what is shown.
    fn approve(&mut self) {
        let controller = self.begin(|_| {});
        let desired = self.desired(controller.store());
        let environment = desired.environments.values().next().unwrap().clone();
        let looked = self.clock.drive(controller.glance(&desired, &environment)).unwrap().unwrap();
        let busy = BTreeSet::new();
        let (observation, memory, now) = (&looked.observation, &looked.memory, self.cx.now());
        let goal = Goal::Converge;
        let input = Input { desired: &desired, environment: &environment, observation, memory, now, goal, busy: &busy };
        let consent = plan::consent(&looked.plan, &input, "ann".to_owned(), now, false);
        controller.store().consent(&environment.name, Some(consent)).unwrap();
    }
}

fn waits_for_approval(entry: &Entry) -> bool {
    entry.step.is_none() && entry.waiting.iter().any(|one| matches!(one, Waiting::Approval { .. }))
}

/// What is wrong when a stack with a table is deleted by somebody.
fn played(loses_journal: bool) -> Vec<String> {
    let mut world = World::new(TABLE);
    world.run();
    assert!(world.is_there());
    world.delete();
    if loses_journal {
        world.stage.disk = Disk::new();
    }
    world.run();
    if world.is_there() {
        return vec!["S4 state: a stack with a table was deleted by somebody, and is made again, empty".to_owned()];
    }
    Vec::new()
}

/// Whether it is found that what was deleted is taken for what never was.
pub(crate) fn play_planted(planted: bool) -> Vec<String> {
    plant(planted.then_some(Bug::GoneIsAbsent));
    let found = played(false);
    plant(None);
    found
}

#[test]
fn a_stack_with_a_table_that_somebody_deleted_waits_for_consent_and_says_what_brings_it_back() {
    assert_eq!(played(false), Vec::<String>::new());
    let mut world = World::new(TABLE);
    world.run();
    world.delete();
    let entry = world.entry();
    assert!(entry.action == Action::Create && waits_for_approval(&entry), "{entry:#?}");
    let gone = entry.differences.iter().find_map(|one| match one {
        Difference::Gone { at, lost, .. } => Some((*at, lost.clone())),
        _ => None,
    });
    let (at, lost) = gone.expect("it says that it is gone");
    assert!(at.is_some());
    assert_eq!(lost, Some(["orders (AWS::DynamoDB::Table)".to_owned()].into()));
    let told = entry.ailments.iter().find(|one| one.ailment == Ailment::StackGone).expect("the doctor says so");
    assert!(told.evidence.iter().any(|line| line.contains("user/console")), "{told:#?}");
    let Remedy::Decision { choices, .. } = &told.remedy else { panic!("{told:#?}") };
    let commands: Vec<&String> = choices.iter().flat_map(|choice| &choice.commands).collect();
    assert!(
        commands.iter().any(|one| one.contains("restore-table-from-backup") && one.contains("orders")),
        "{told:#?}"
    );
    assert!(commands.iter().any(|one| one.contains("apply dev --plan")), "{told:#?}");

    // Agreed to, it is made once; another time it is another decision.
    world.approve();
    world.run();
    assert!(world.is_there() && world.plan().in_sync());
    world.delete();
    world.run();
    assert!(!world.is_there() && waits_for_approval(&world.entry()));
}

#[test]
fn it_waits_also_where_nothing_is_remembered() {
    assert_eq!(played(true), Vec::<String>::new());
}

#[test]
fn a_stack_that_was_never_seen_to_be_made_was_there_all_the_same() {
    let mut world = World::new(TABLE);
    world.run();
    // The journal is lost while all is well: the next look remembers again.
    world.stage.disk = Disk::new();
    world.run();
    world.delete();
    world.run();
    assert!(!world.is_there());
    assert!(world.memory().objects.stacks[&"dev/stack/db".parse().unwrap()].healthy.is_some());
}

#[test]
fn what_held_nothing_is_made_again_and_the_plan_says_why() {
    let mut world = World::new(TOPIC);
    world.run();
    world.delete();
    let entry = world.entry();
    assert!(entry.step.is_some() && entry.waiting.is_empty(), "{entry:#?}");
    assert!(
        matches!(&entry.differences[..], [Difference::Gone { lost: Some(lost), .. }] if lost.is_empty()),
        "{entry:#?}"
    );
    assert!(entry.ailments.iter().any(|one| matches!(one.remedy, Remedy::Automatic { .. })));
    world.run();
    assert!(world.is_there() && world.plan().in_sync());
}

#[test]
fn what_we_deleted_ourselves_is_made_again_without_a_question() {
    for loses_journal in [false, true] {
        let mut world = World::new(TABLE);
        world.run();
        world.wanted = false;
        world.approve();
        world.run();
        assert!(!world.is_there());
        if loses_journal {
            world.stage.disk = Disk::new();
        }
        world.wanted = true;
        world.run();
        assert!(world.is_there(), "{loses_journal}: {:#?}", world.entry());
    }
}

#[test]
fn a_creation_asks_for_deleted_stacks_only_where_it_may_hold_state() {
    let asked = |template| {
        let mut world = World::new(template);
        world.run();
        world.cloud.audit().iter().filter(|call| call.operation == "ListStacks").count()
    };
    assert_eq!((asked(TOPIC), asked(TABLE)), (0, 1));
}

/// Types whose state is their author's.
const FOREIGN: &str = "Resources:\n  T: { Type: Third::Party::Store }\n";
const CUSTOM: &str = "Resources:\n  T: { Type: Custom::Store, Properties: { ServiceToken: 'arn:aws:lambda:us-east-1:111122223333:function:store' } }\n";

#[test]
fn what_nobody_can_judge_counts_as_state_when_a_stack_is_gone() {
    for template in [FOREIGN, CUSTOM] {
        for loses_journal in [false, true] {
            let mut world = World::new(template);
            world.run();
            assert!(world.is_there(), "{template}");
            world.delete();
            if loses_journal {
                world.stage.disk = Disk::new();
            }
            world.run();
            let entry = world.entry();
            assert!(!world.is_there() && waits_for_approval(&entry), "{template}: {entry:#?}");
        }
    }
}

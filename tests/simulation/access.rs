//! Access is not given to anybody before a person has agreed to just that (invariant S22; policy `broaden`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use landfast::controller::Controller;
use landfast::model::{Access, Action, Desired, Entry, Key, Waiting};
use landfast::plan::{self, Goal, Input};
use landfast::sabotage::{Bug, plant};
use landfast::sim::SimConfig;
use landfast::store::Store;

use crate::stage::{self, FOREVER, Stage, set_on_a_stage};

const ENVIRONMENT: &str = "apiVersion: landfast/v1\nkind: Environment\nmetadata: { name: dev }\nspec:\n  system: app\n  \
    account: \"111122223333\"\n  region: us-east-1\n  include: [app]\n  policy: { mode: apply, broaden: BROADEN }\n";
const STACK: &str = "apiVersion: landfast/v1\nkind: Stack\nmetadata: { name: app }\nspec:\n  template: app.tpl\n  parameters: { Who: \
    WHO }\n  capabilities: [CAPABILITY_IAM]\n";

/// A role, a queue with a policy, and a topic that is about something else.
#[derive(Clone)]
struct Wanted {
    action: &'static str,
    who: &'static str,
    topic: &'static str,
    broaden: &'static str,
}

const NARROW: Wanted = Wanted { action: "s3:GetObject", who: "111122223333", topic: "one", broaden: "approve" };

impl Wanted {
    fn template(&self) -> String {
        format!(
            "
Parameters: {{ Who: {{ Type: String }} }}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {{ Statement: [{{ Effect: Allow, Principal: {{ Service: a.amazonaws.com }}, Action: 'sts:AssumeRole' }}] }}
      Policies:
        - PolicyName: app
          PolicyDocument: {{ Statement: [{{ Effect: Allow, Action: '{}', Resource: '*' }}] }}
  Queue: {{ Type: AWS::SQS::Queue }}
  Door:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Queue]
      PolicyDocument: {{ Statement: [{{ Effect: Allow, Principal: {{ AWS: !Ref Who }}, Action: 'sqs:SendMessage', Resource: !GetAtt Queue.Arn }}] }}
  Topic: {{ Type: AWS::SNS::Topic, Properties: {{ DisplayName: {} }} }}
",
            self.action, self.topic
        )
    }

    fn desired(&self, store: &Store) -> Desired {
        let files = [
            ("dev.yaml", ENVIRONMENT.replace("BROADEN", self.broaden)),
            ("app/app.yaml", STACK.replace("WHO", &format!("\"{}\"", self.who))),
            ("app/app.tpl", self.template()),
        ];
        stage::loaded(store, files)
    }
}

struct World {
    stage: Stage,
}

set_on_a_stage!(World);

fn app() -> Key {
    "dev/stack/app".parse().unwrap()
}

impl World {
    fn new() -> Self {
        Self { stage: Stage::new("us-east-1", "2026-01-01T00:00:00Z", SimConfig::default()) }
    }

    fn run(&mut self, wanted: &Wanted) {
        let daemon = self.begin(|_| {});
        let desired = wanted.desired(daemon.store());
        self.tend(&daemon, desired, Duration::from_mins(30), FOREVER);
    }

    fn entry(&self, wanted: &Wanted) -> Entry {
        self.plan(|store| wanted.desired(store)).entries.remove(&app()).unwrap()
    }

    /// A person approves what the plan shows.
    fn approve(&mut self, wanted: &Wanted) {
        let store = self.store();
        let desired = wanted.desired(&store);
        let environment = Arc::clone(&desired.environments[&"dev".parse().unwrap()]);
        let controller = Controller::new(self.cx.clone(), Arc::new(self.cloud.clone()), store, Arc::new(|_, _| {}));
        let looked = self.clock.drive(controller.glance(&desired, &environment)).unwrap().unwrap();
        let input = Input {
            desired: &desired,
            environment: &environment,
            observation: &looked.observation,
            memory: &looked.memory,
            now: self.cx.now(),
            goal: Goal::Converge,
            busy: &BTreeSet::new(),
        };
        let consent = plan::consent(&looked.plan, &input, "somebody".to_owned(), self.cx.now(), false);
        controller.store().consent(&environment.name, Some(consent)).unwrap();
    }

    /// How often a stack was created or a change set executed.
    fn deployments(&self) -> usize {
        let mutations = self.mutations();
        mutations.iter().filter(|operation| ["CreateStack", "ExecuteChangeSet"].contains(operation)).count()
    }
}

fn waits(entry: &Entry) -> bool {
    entry.waiting.iter().any(|waiting| matches!(waiting, Waiting::Approval { .. }))
}

/// What went wrong when access was given step by step, and everybody was asked.
pub(crate) fn play_planted(bug: Option<Bug>) -> Vec<String> {
    plant(bug);
    let mut wrong = Vec::new();
    let mut world = World::new();
    let mut expect = |world: &World, deployments: usize, what: &str| {
        if world.deployments() != deployments {
            wrong
                .push(format!("S22 access: {what}: {} deployments in the place of {deployments}", world.deployments()));
        }
    };
    world.run(&NARROW);
    expect(&world, 0, "a new role without an approval");
    world.approve(&NARROW);
    world.run(&NARROW);
    expect(&world, 1, "a new role that was approved");
    let wider = Wanted { action: "s3:*", ..NARROW };
    world.run(&wider);
    expect(&world, 1, "a wider statement without an approval");
    plant(None);
    wrong
}

#[test]
fn access_is_given_when_just_that_was_approved_and_not_before() {
    assert_eq!(play_planted(None), Vec::<String>::new());
    let mut world = World::new();
    world.approve(&NARROW);
    world.run(&NARROW);
    assert_eq!(world.entry(&NARROW).action, Action::None);
    // What gives nothing needs nobody.
    let topic = Wanted { topic: "two", ..NARROW };
    world.run(&topic);
    assert_eq!((world.entry(&topic).action, world.deployments()), (Action::None, 2));
    // A wider statement waits, and says what it gives.
    let wider = Wanted { action: "s3:*", ..topic.clone() };
    world.run(&wider);
    let entry = world.entry(&wider);
    assert!(waits(&entry) && world.deployments() == 2, "{entry:?}");
    let shown: Vec<_> = entry.broadenings.iter().map(|one| (one.access, one.grants.as_str())).collect();
    assert_eq!(shown, [(Access::Identity, "Allow s3:* on *")]);
    let role = entry.changes.list().iter().find(|change| change.resource == "Role").unwrap();
    assert!(
        role.values.iter().any(|value| value.after.as_ref().is_some_and(|after| after.contains("s3:*"))),
        "{role:?}"
    );
    // An approval of something else is none of this.
    world.approve(&Wanted { action: "s3:Put*", ..topic.clone() });
    world.run(&wider);
    assert_eq!(world.deployments(), 2);
    world.approve(&wider);
    world.run(&wider);
    assert_eq!((world.entry(&wider).action, world.deployments()), (Action::None, 3));
    // Back again gives nothing.
    world.run(&topic);
    assert_eq!((world.entry(&topic).action, world.deployments()), (Action::None, 4));
}

#[test]
fn the_value_of_a_parameter_gives_access_as_the_template_does() {
    let mut world = World::new();
    world.approve(&NARROW);
    world.run(&NARROW);
    let everybody = Wanted { who: "*", ..NARROW };
    world.run(&everybody);
    let entry = world.entry(&everybody);
    assert!(waits(&entry), "{entry:?}");
    assert_eq!(entry.broadenings[0].grants, "Allow sqs:SendMessage on ${Queue.Arn} to everyone (*)");
    assert_eq!(world.deployments(), 1);
}

#[test]
fn what_policy_says_of_access_is_done() {
    let mut world = World::new();
    let allowed = Wanted { broaden: "allow", ..NARROW };
    world.run(&allowed);
    assert_eq!(world.deployments(), 1);
    let denied = Wanted { broaden: "deny", action: "s3:*", ..NARROW };
    world.run(&denied);
    world.approve(&denied);
    world.run(&denied);
    let entry = world.entry(&denied);
    assert_eq!(world.deployments(), 1);
    assert!(entry.refused.iter().any(|refusal| refusal.guard == landfast::model::Guard::Broaden), "{entry:?}");
}

#[test]
fn an_update_that_waits_for_an_approval_reads_the_deployed_template_once() {
    let mut world = World::new();
    world.approve(&NARROW);
    world.run(&NARROW);
    let before = reads(&world);
    let wider = Wanted { action: "s3:*", ..NARROW };
    world.run(&wider);
    let reads = reads(&world) - before;
    assert!(reads <= 2, "{reads} reads in half an hour");
}

/// Templates that were read, but for those of change sets, which are read whenever a change set is.
fn reads(world: &World) -> i64 {
    let mut calls: BTreeMap<&str, i64> = BTreeMap::new();
    for call in world.cloud.audit() {
        *calls.entry(call.operation).or_default() += 1;
    }
    let of = |operation: &str| calls.get(operation).copied().unwrap_or_default();
    of("GetTemplate") - of("DescribeChangeSet")
}

/// Loops over a list of names and over what is written.
const LOOPS: &str = "
Transform: AWS::LanguageExtensions
Parameters: { Names: { Type: CommaDelimitedList } }
Resources:
  Fn::ForEach::Topics: [N, !Ref Names, { 'Topic${N}': { Type: AWS::SNS::Topic } }]
  Fn::ForEach::Queues: [N, [A, B], { 'Queue${N}': { Type: AWS::SQS::Queue } }]
";

/// And policies, which open queues to whoever is named.
const DOORS: &str = "
  Fn::ForEach::Doors:
  - N
  - !Ref Names
  - 'Door${N}':
      Type: AWS::SQS::QueuePolicy
      Properties:
        Queues: [!Ref QueueA]
        PolicyDocument: { Statement: [{ Effect: Allow, Principal: { AWS: '*' }, Action: !Sub 'sqs:${N}', Resource: '*' }] }
";

fn looped(store: &Store, template: &str, names: &str) -> Desired {
    let stack = STACK.replace("Who: WHO", &format!("Names: \"{names}\"")).replace("_IAM]", "_AUTO_EXPAND]");
    let files = [
        ("dev.yaml", ENVIRONMENT.replace("BROADEN", "approve")),
        ("app/app.yaml", stack),
        ("app/app.tpl", template.to_owned()),
    ];
    stage::loaded(store, files)
}

#[test]
fn what_a_loop_makes_is_judged_as_if_it_were_written_out() {
    let mut world = World::new();
    let run = |world: &mut World, template: &str, names: &str| {
        let daemon = world.begin(|_| {});
        let desired = looped(daemon.store(), template, names);
        world.tend(&daemon, desired, Duration::from_mins(30), FOREVER);
        drop(daemon);
        let plan = world.plan(|store| looped(store, template, names));
        (plan.entries[&app()].clone(), world.deployments())
    };
    let (entry, deployments) = run(&mut world, LOOPS, "a,b");
    assert_eq!((entry.action, deployments), (Action::None, 1), "a new stack that gives nothing: {entry:#?}");
    let (entry, deployments) = run(&mut world, LOOPS, "a,b,c");
    assert_eq!((entry.action, deployments), (Action::None, 2), "one more topic: {entry:#?}");
    let doors = LOOPS.to_owned() + DOORS;
    let (entry, deployments) = run(&mut world, &doors, "SendMessage");
    assert!(waits(&entry) && deployments == 2, "{entry:#?}");
    let given: Vec<_> = entry.broadenings.iter().map(|one| (one.resource.as_str(), one.grants.as_str())).collect();
    assert_eq!(given, [("DoorSendMessage", "Allow sqs:SendMessage on * to everyone (*)")]);
}

//! Drift in virtual time: what is changed past a stack is found within its turn, put back where policy says so, never
//! fought over, and nothing is found that is not there (L3, S21).

mod corpus;
mod gone;
mod nested;
mod reports;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use landfast::model::{Action, By, Desired, DriftMemory, Finding, Guard, Plan, Request, StackMemory, StackName, Wish};
use landfast::sim::{Call, DriftAware, Fault, FaultPlan, SimConfig, Window};
use landfast::store::Store;
use serde_json::{Value as Json, json};

use crate::stage::{self, FOREVER, HOUR, Stage};

/// Detections and lookups are no changes.
const LOOKS: [&str; 1] = ["DetectStackDrift"];

const TEMPLATE: &str = r"
Resources:
  Log: { Type: AWS::Logs::LogGroup, Properties: { LogGroupName: app, RetentionInDays: 7 } }
  Queue: { Type: AWS::SQS::Queue, Properties: { DelaySeconds: 5, Tags: [{ Key: Team, Value: people }] } }
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: reviews
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true }
  Handle: { Type: AWS::CloudFormation::WaitConditionHandle }
";

fn stack() -> StackName {
    "dev-shop-app".parse().unwrap()
}

struct World {
    stage: Stage,
    policy: &'static str,
    stack: String,
    template: String,
}

stage::set_on_a_stage!(World);

impl World {
    fn new(policy: &'static str) -> Self {
        Self::with(policy, SimConfig::default())
    }

    fn with(policy: &'static str, config: SimConfig) -> Self {
        let stage = Stage::new("us-east-1", "2026-01-01T00:00:00Z", config);
        Self { stage, policy, stack: String::new(), template: TEMPLATE.to_owned() }
    }

    fn desired(&self, store: &Store) -> Desired {
        let environment = format!(
            "apiVersion: landfast/v1\nkind: Environment\nmetadata: {{ name: dev }}\nspec:\n  system: shop\n  account: \
             \"111122223333\"\n  region: us-east-1\n  include: [app.yaml]\n  policy: {{ broaden: allow, {} }}\n",
            self.policy
        );
        let app = format!(
            "apiVersion: landfast/v1\nkind: Stack\nmetadata: {{ name: app }}\nspec:\n  template: app.tpl\n{}",
            self.stack
        );
        let files = [("dev.yaml", environment), ("app.yaml", app), ("app.tpl", self.template.clone())];
        stage::loaded(store, files)
    }

    /// A daemon runs for so long, or until it has waited `dies_at` times. Says how often it has waited.
    fn run_mortal(&mut self, duration: Duration, dies_at: u64) -> u64 {
        let controller = self.begin(|_| {});
        let desired = self.desired(controller.store());
        self.tend(&controller, desired, duration, dies_at)
    }

    fn run(&mut self, duration: Duration) {
        self.run_mortal(duration, FOREVER);
    }

    /// What would be done now.
    fn plan(&self) -> Plan {
        self.stage.plan(|store| self.desired(store))
    }

    fn remembered(&self) -> DriftMemory {
        let stack = self.memory().objects.stacks.values().next().map(|memory| StackMemory::clone(memory));
        stack.unwrap_or_default().drift
    }

    fn drift(&self) -> Vec<Finding> {
        let found = self.remembered().seen.map(|look| look.findings).unwrap_or_default();
        found.into_iter().filter(Finding::is_drift).collect()
    }

    fn places(&self) -> Vec<String> {
        self.drift().iter().map(Finding::place).collect()
    }

    fn mutations(&self) -> Vec<&'static str> {
        self.stage.mutations().into_iter().filter(|operation| !LOOKS.contains(operation)).collect()
    }

    fn tamper(&self, resource: &str, path: &str, value: Json) {
        self.console().change_resource(&stack(), resource, path, value).unwrap();
    }

    /// As text: templates write numbers so.
    fn live(&self, resource: &str, path: &str) -> Option<String> {
        let live = self.console().live(&stack(), resource, path)?;
        Some(live.as_str().map_or_else(|| live.to_string(), str::to_owned))
    }
}

/// Deployed, and looked at once.
fn deployed(policy: &'static str, config: SimConfig) -> World {
    let mut world = World::with(policy, config);
    world.run(HOUR);
    assert_eq!((world.places(), world.mutations()), (vec![], vec!["CreateStack"]));
    world
}

const REPORT: &str = "driftEvery: 6h";
const REVERT: &str = "driftEvery: 6h, drift: revert";

#[test]
fn what_is_changed_at_the_console_is_found_in_its_turn_and_only_reported() {
    let mut world = deployed(REPORT, SimConfig::default());
    world.tamper("Log", "/RetentionInDays", json!(30));
    world.run(HOUR * 7);
    assert_eq!((world.places(), world.mutations()), (vec!["Log/RetentionInDays".to_owned()], vec!["CreateStack"]));
    let found = world.drift().remove(0);
    let By::Somebody(deed) = &found.by else { panic!("{:?}", found.by) };
    assert!(deed.actor.ends_with(":user/console") && deed.from.as_deref() == Some("203.0.113.7"), "{deed:?}");
    let plan = world.plan();
    let entry = plan.entries.values().next().unwrap();
    let standing = entry.drift.as_ref().unwrap();
    assert_eq!((entry.action, entry.ready, standing.differences), (Action::None, true, 1));
    // Looked at again it is the same difference.
    world.run(HOUR * 7);
    assert_eq!(world.drift()[0].since, found.since);
}

#[test]
fn what_is_changed_at_the_console_is_put_back_within_its_turn_and_looked_at_again() {
    let mut world = deployed(REVERT, SimConfig::default());
    world.tamper("Log", "/RetentionInDays", json!(30));
    world.tamper("Queue", "/DelaySeconds", json!(900));
    world.run(HOUR * 7);
    assert_eq!(world.live("Log", "/RetentionInDays").as_deref(), Some("7"));
    assert_eq!(world.live("Queue", "/DelaySeconds").as_deref(), Some("5"));
    assert_eq!(world.mutations(), ["CreateStack", "CreateChangeSet", "ExecuteChangeSet"]);
    let memory = world.remembered();
    assert_eq!((world.places(), memory.reverts.len()), (vec![], 1), "and it was looked at again");
    let calls = world.mutations().len();
    world.run(HOUR * 24);
    assert_eq!(world.mutations().len(), calls, "L2: then it is quiet");
    assert_eq!(world.cloud.inventory().leftovers(), Vec::<String>::new(), "S20");
}

/// What is changed of a stack itself is not inside it: it is told with the time at which it was first seen.
#[test]
fn what_is_changed_of_a_stack_itself_keeps_the_time_at_which_it_was_first_seen() {
    let mut world = deployed(REPORT, SimConfig::default());
    world.policy = "driftEvery: 6h, mode: approve";
    world.run(HOUR);
    world.console().set_termination_protection(&stack(), true).unwrap();
    world.run(HOUR);
    let differs = |world: &World| {
        world.memory().objects.common.values().next().map(|memory| memory.differs.clone()).unwrap_or_default()
    };
    let first = differs(&world);
    assert_eq!(first.keys().map(String::as_str).collect::<Vec<_>>(), ["termination protection"]);
    world.run(HOUR * 3);
    assert_eq!(differs(&world), first);
    world.console().set_termination_protection(&stack(), false).unwrap();
    world.run(HOUR);
    assert!(differs(&world).is_empty());
}

/// A person decides whether an empty table in its place is what is wanted.
#[test]
fn what_holds_state_and_is_gone_is_made_again_only_with_approval() {
    let mut world = deployed(REVERT, SimConfig::default());
    world.console().delete_resource(&stack(), "Table").unwrap();
    world.run(HOUR * 8);
    assert_eq!(world.mutations(), ["CreateStack", "CreateChangeSet"]);
    let plan = world.plan();
    let entry = plan.entries.values().next().unwrap();
    assert_eq!(entry.action, Action::Revert);
    assert!(entry.waiting.iter().any(|waiting| matches!(waiting, landfast::model::Waiting::Approval { .. })));
}

#[test]
fn somebody_who_changes_it_again_and_again_is_not_fought() {
    let mut world = deployed("driftEvery: 10m, drift: revert", SimConfig::default());
    for _ in 0..40 {
        world.tamper("Log", "/RetentionInDays", json!(30));
        world.run(HOUR / 4);
    }
    assert_eq!(world.mutations().iter().filter(|call| **call == "ExecuteChangeSet").count(), 3);
    let plan = world.plan();
    let entry = plan.entries.values().next().unwrap();
    assert_eq!(entry.refused.iter().map(|refusal| refusal.guard).collect::<Vec<_>>(), [Guard::Fight]);
    assert!(entry.refused[0].reason.contains("user/console"), "{:?}", entry.refused);
    assert!(entry.ready, "nobody waits for the end of it");
    // A person wants it back all the same, once.
    let store = world.store();
    let desired = world.desired(&store);
    let environment = &desired.environments[&"dev".parse().unwrap()];
    let request = Request {
        id: "1".to_owned(),
        key: "dev/stack/app".parse().unwrap(),
        wish: Wish::Revert,
        by: "me".to_owned(),
        at: world.cx.now(),
    };
    landfast::controller::answer(&store, environment, &request, world.cx.now()).unwrap().unwrap();
    drop(store);
    world.run(HOUR / 4);
    assert_eq!(world.live("Log", "/RetentionInDays").as_deref(), Some("7"));
}

#[test]
fn an_endpoint_that_cannot_put_back_is_said_to_be_one() {
    for drift_aware in [DriftAware::Ignored, DriftAware::Refused] {
        let mut world = deployed(REVERT, SimConfig { drift_aware, ..SimConfig::default() });
        world.tamper("Log", "/RetentionInDays", json!(30));
        world.run(HOUR * 24);
        assert_eq!(world.live("Log", "/RetentionInDays").as_deref(), Some("30"), "nothing was done");
        assert!(!world.mutations().contains(&"ExecuteChangeSet"));
        assert!(world.mutations().iter().filter(|call| **call == "CreateChangeSet").count() <= 1);
        let plan = world.plan();
        let refused = &plan.entries.values().next().unwrap().refused;
        assert_eq!(refused.iter().map(|refusal| refusal.guard).collect::<Vec<_>>(), [Guard::Revert], "{refused:?}");
        assert_eq!(world.cloud.inventory().leftovers(), Vec::<String>::new(), "S20");
    }
}

#[test]
fn what_cannot_be_put_back_is_said_to_be_so_and_tried_once() {
    let mut world = deployed(REVERT, SimConfig::default());
    // Another key is another table: CloudFormation reconciles no drift of what replaces a resource.
    world.tamper("Table", "/KeySchema/0/AttributeName", json!("other"));
    world.run(HOUR * 24);
    assert_eq!(world.mutations().iter().filter(|call| **call == "CreateChangeSet").count(), 1);
    assert!(!world.mutations().contains(&"ExecuteChangeSet"));
    let plan = world.plan();
    let refused = &plan.entries.values().next().unwrap().refused;
    assert_eq!(refused.iter().map(|refusal| refusal.guard).collect::<Vec<_>>(), [Guard::Revert], "{refused:?}");
}

#[test]
fn what_is_put_up_with_is_not_undone_along_with_the_rest() {
    let mut world = World::new(REVERT);
    world.stack = "  drift: { ignore: [{ resource: Queue, property: /DelaySeconds, reason: a sale }] }\n".to_owned();
    world.run(HOUR);
    world.tamper("Queue", "/DelaySeconds", json!(900));
    world.run(HOUR * 8);
    assert_eq!(world.mutations(), ["CreateStack"], "it is put up with");
    world.tamper("Log", "/RetentionInDays", json!(30));
    world.run(HOUR * 8);
    assert_eq!(world.live("Queue", "/DelaySeconds").as_deref(), Some("900"));
    assert!(!world.mutations().contains(&"ExecuteChangeSet"));
    let plan = world.plan();
    assert_eq!(plan.entries.values().next().unwrap().refused[0].guard, Guard::Revert);
}

#[test]
fn a_stack_may_say_otherwise_and_an_observed_environment_is_left_alone() {
    let mut world = World::new(REVERT);
    world.stack = "  drift: { action: report }\n".to_owned();
    world.run(HOUR);
    world.tamper("Log", "/RetentionInDays", json!(30));
    world.run(HOUR * 8);
    assert_eq!((world.places().len(), world.mutations()), (1, vec!["CreateStack"]));
    world.stack = String::new();
    world.policy = "mode: observe, driftEvery: 1h, drift: revert";
    world.run(HOUR * 4);
    assert_eq!((world.places().len(), world.mutations()), (1, vec!["CreateStack"]), "S11");
    assert_eq!(world.plan().entries.values().next().unwrap().action, Action::None);
}

#[test]
fn what_is_throttled_is_not_known_and_nothing_follows() {
    let mut world = deployed(REVERT, SimConfig::default());
    world.tamper("Log", "/RetentionInDays", json!(30));
    let since = world.cx.elapsed();
    let operations = ["DetectStackDrift", "DescribeStackResourceDrifts"].map(str::to_owned).into();
    let window = Window { from: since, until: since + HOUR * 24, scope: None, operations, fault: Fault::Throttle };
    world.cloud.set_faults(FaultPlan { windows: vec![window], ..FaultPlan::default() });
    world.run(HOUR * 20);
    assert_eq!(world.mutations(), ["CreateStack"]);
    let plan = world.plan();
    let standing = plan.entries.values().next().unwrap().drift.clone().unwrap();
    assert!(standing.failed.is_some(), "{standing:?}");
    let asked = world.cloud.audit().iter().filter(|call| LOOKS.contains(&call.operation)).count();
    assert!(asked < 200, "L5: {asked} calls");
    world.cloud.clear_faults();
    world.run(HOUR * 13);
    assert_eq!(world.live("Log", "/RetentionInDays").as_deref(), Some("7"), "L1");
}

#[test]
fn no_look_is_taken_where_policy_says_so_and_none_by_a_run_that_only_settles() {
    let mut world = World::new("driftEvery: off, drift: revert");
    world.run(HOUR * 24);
    assert!(!world.cloud.audit().iter().any(|call| LOOKS.contains(&call.operation)));
}

/// Killed at every point at which it waits, from the first look that finds something to the last that finds nothing.
#[test]
fn a_daemon_that_dies_anywhere_puts_back_once() {
    let prepared = || {
        let world = deployed("driftEvery: 10m, drift: revert", SimConfig::default());
        world.tamper("Log", "/RetentionInDays", json!(30));
        world
    };
    let mut calm = prepared();
    let polls = calm.run_mortal(HOUR / 2, FOREVER);
    assert_eq!(calm.remembered().reverts.len(), 1);
    for dies_at in 1..polls {
        let mut world = prepared();
        world.run_mortal(HOUR / 2, dies_at);
        world.run(HOUR);
        assert_eq!(world.live("Log", "/RetentionInDays").as_deref(), Some("7"), "died at {dies_at}");
        let done = world.mutations().iter().filter(|call| **call == "ExecuteChangeSet").count();
        assert_eq!((done, world.remembered().reverts.len()), (1, 1), "S9: died at {dies_at}");
        assert_eq!(world.cloud.inventory().leftovers(), Vec::<String>::new(), "S20: died at {dies_at}");
    }
}

/// Each call that changes something on the way of a revert, lost in every way.
#[test]
fn a_call_that_is_lost_is_put_back_all_the_same_and_once() {
    let prepared = || {
        let world = deployed("driftEvery: 10m, drift: revert", SimConfig::default());
        world.tamper("Log", "/RetentionInDays", json!(30));
        world
    };
    let story = |lost: Option<(u64, Fault)>| {
        let mut world = prepared();
        let calls = world.cloud.calls();
        let calls_lost = lost.into_iter().map(|(nth, fault)| (calls + nth, fault)).collect();
        world.cloud.set_faults(FaultPlan { calls: calls_lost, ..FaultPlan::default() });
        world.run(HOUR * 2);
        let audit = world.cloud.audit();
        let changing = audit.iter().filter(|call| call.mutating && call.index >= calls);
        let changing: Vec<u64> = changing.map(|call| call.index - calls).collect();
        (world, changing)
    };
    let (_, changing) = story(None);
    assert_eq!(changing.len(), 2, "a change set is made and executed");
    for nth in changing {
        for fault in crate::run::LOST {
            let (mut world, _) = story(Some((nth, fault.clone())));
            let done = |world: &World| world.mutations().iter().filter(|call| **call == "ExecuteChangeSet").count();
            assert_eq!(world.live("Log", "/RetentionInDays").as_deref(), Some("7"), "L1: {fault:?} at {nth}");
            assert_eq!((done(&world), world.remembered().reverts.len()), (1, 1), "S9: {fault:?} at {nth}");
            assert_eq!(world.cloud.inventory().leftovers(), Vec::<String>::new(), "S20: {fault:?} at {nth}");
            world.run(HOUR * 2);
            assert_eq!(done(&world), 1, "L2: {fault:?} at {nth}");
        }
    }
}

/// What a planted bug makes of these.
pub(crate) fn play_planted(bug: landfast::sabotage::Bug, planted: bool) -> Vec<String> {
    use landfast::sabotage::{Bug, plant};
    let mut wrong = Vec::new();
    plant(planted.then_some(bug));
    match bug {
        Bug::AllIsBaseline => {
            let mut world = World::new(REPORT);
            world.run(HOUR);
            world.tamper("Log", "/RetentionInDays", json!(30));
            world.run(HOUR * 7);
            if world.places().is_empty() {
                wrong.push("L3 drift: a change at the console is not reported".to_owned());
            }
        }
        Bug::FightsOn => {
            let mut world = World::new("driftEvery: 10m, drift: revert");
            world.run(HOUR);
            for _ in 0..12 {
                world.tamper("Log", "/RetentionInDays", json!(30));
                world.run(HOUR / 4);
            }
            let times = world.mutations().iter().filter(|call| **call == "ExecuteChangeSet").count();
            if times > 3 {
                wrong.push(format!("S21 fight: it was put back {times} times within three hours"));
            }
        }
        _ => {}
    }
    plant(None);
    wrong
}

/// At every execution of a change set: what it is to change is there and drifted, and no more than that is changed.
#[test]
fn a_revert_changes_only_what_has_drifted() {
    let mut world = deployed(REVERT, SimConfig::default());
    let wrong: Arc<Mutex<Vec<String>>> = Arc::default();
    let found = Arc::clone(&wrong);
    world.cloud.set_monitor(Box::new(move |view, call: &Call| {
        let Some(id) = (call.operation == "ExecuteChangeSet").then(|| call.target.parse().ok()).flatten() else {
            return;
        };
        let Some(set) = view.change_set(&id) else { return };
        let names: Vec<&str> = set.changes.iter().map(|change| change.resource.as_str()).collect();
        if names != ["Log"] {
            found.lock().unwrap().push(format!("it changes {names:?}"));
        }
    }));
    world.tamper("Log", "/RetentionInDays", json!(30));
    world.run(HOUR * 7);
    assert_eq!(*wrong.lock().unwrap(), Vec::<String>::new());
    assert_eq!(world.live("Log", "/RetentionInDays").as_deref(), Some("7"));
}

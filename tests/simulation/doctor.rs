//! Stacks that are stuck, and what brings them back: every status of the table, faults in between, and a person who
//! approves what is shown and nothing else.

mod census;
mod crash;
mod exports;
mod statuses;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use landfast::context::{Context, Virtual};
use landfast::controller::{Controller, Tender, Until};
use landfast::manifest;
use landfast::model::{
    Ailment, Diagnosis, Difference, Environment, FileContent, Key, Remedy, Snapshot, StackMemory, StackStatus, Waiting,
};
use landfast::plan::{self, Goal, Input};
use landfast::ports::Cloud as _;
use landfast::sim::{Console, FaultPlan, ResourceFailure, ResourceFault, ResourceOperation, SimCloud, SimConfig};
use landfast::store::{Disk, Store};

use crate::monitor::Truth;
use crate::rig::{Counted, scope};
use crate::spy::Spy;

const NAME: &str = "dev-shop-app";

const MINUTE: Duration = Duration::from_mins(1);

/// A stack of a queue, a table and a key. What is changed in one is changed in all.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) size: u8,
    /// Lines of further resources.
    pub(crate) more: &'static str,
    /// Its output.
    pub(crate) output: &'static str,
    /// Lines of the manifest.
    pub(crate) spec: &'static str,
    /// It is asked for at all.
    pub(crate) present: bool,
}

impl Wanted {
    pub(crate) fn sized(size: u8) -> Self {
        Self { size, more: "", output: "!Ref Size", spec: "", present: true }
    }

    fn snapshot(&self) -> Snapshot {
        let environment = "apiVersion: landfast/v1\nkind: Environment\nmetadata: { name: dev }\nspec:\n  system: shop\n  \
             account: \"111122223333\"\n  region: us-east-1\n  include: [app]\n  policy: { mode: apply, prune: always, \
             replace: allow, budget: { stacks: 1000, replacements: 1000, deletions: 1000, per: 1h } }\n";
        let app = format!(
            "apiVersion: landfast/v1\nkind: Stack\nmetadata: {{ name: app }}\nspec:\n  template: app.tpl\n  parameters: {{ Size: \
             \"{}\" }}\n{}",
            self.size, self.spec
        );
        let other = "apiVersion: landfast/v1\nkind: Stack\nmetadata: { name: other }\nspec: { template: other.tpl }\n";
        // The last takes longest, so that it is on its way when the queue fails.
        let template = format!(
            "Parameters: {{ Size: {{ Type: String }} }}\nResources:\n  \
             Queue: {{ Type: AWS::SQS::Queue, Properties: {{ Note: !Ref Size }} }}\n  \
             Alarm: {{ Type: AWS::CloudWatch::Alarm, Properties: {{ Note: !Ref Size }} }}\n  \
             Slow: {{ Type: AWS::KMS::Key, Properties: {{ Note: !Ref Size }} }}\n{}\
             Outputs: {{ Size: {{ Value: {} }} }}\n",
            self.more, self.output
        );
        let mut files = vec![
            ("dev.yaml", environment.to_owned()),
            ("app/other.yaml", other.to_owned()),
            ("app/other.tpl", "Resources: { Topic: { Type: AWS::SNS::Topic } }\n".to_owned()),
        ];
        if self.present {
            files.extend([("app/app.yaml", app), ("app/app.tpl", template)]);
        }
        let files = files
            .into_iter()
            .map(|(path, text)| (path.to_owned(), FileContent::Bytes(text.into_bytes().into())))
            .collect();
        Snapshot::new("manifests", files, None)
    }
}

/// One run: a clock, an AWS, a disk, and a daemon that may die and is started again at once.
pub(crate) struct Ward {
    clock: Virtual,
    pub(crate) cx: Context,
    pub(crate) cloud: SimCloud,
    pub(crate) truth: Arc<Truth>,
    disk: Disk,
    wanted: Wanted,
    lives: u64,
    pub(crate) polls: Arc<AtomicU64>,
    pub(crate) dies_at: Option<u64>,
}

/// One life of the daemon.
struct Life {
    controller: Arc<Controller>,
    environment: Arc<Environment>,
}

impl Ward {
    pub(crate) fn new(wanted: Wanted) -> Self {
        let clock = Virtual::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
        let cx = Context::simulated(&clock, 5);
        let cloud = SimCloud::new(cx.clone(), SimConfig { page_size: 3, ..SimConfig::default() });
        let truth = Arc::new(Truth::default());
        truth.watch(&cloud);
        let (disk, polls) = (Disk::new(), Arc::default());
        Self { clock, cx, cloud, truth, disk, wanted, lives: 0, polls, dies_at: None }
    }

    pub(crate) fn console(&self) -> Console {
        self.cloud.console(&scope())
    }

    pub(crate) fn commit(&mut self, wanted: Wanted) {
        self.wanted = wanted;
    }

    fn life(&mut self) -> Life {
        self.lives += 1;
        let cx = Context::simulated(&self.clock, self.lives);
        let store = Store::on(&self.disk, &cx).unwrap();
        let snapshot = self.wanted.snapshot();
        let revision = store.revise(&snapshot.content, None).unwrap();
        let loaded = manifest::load(&snapshot, revision);
        assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
        let (spy, _) = Spy::new(cx.clone(), self.cloud.clone(), Arc::clone(&self.truth), store.clone());
        let controller = Controller::new(cx, Arc::new(spy), store, Arc::new(|_, _| {}));
        let environment = Arc::clone(loaded.desired.environments.values().next().unwrap());
        controller.board.publish(loaded.desired, &BTreeSet::new());
        self.truth.published(&controller.board.desired(), None);
        Life { controller: Arc::new(controller), environment }
    }

    /// Lets the daemon run for so long, and begin again where it dies.
    pub(crate) fn run(&mut self, duration: Duration) {
        let until = self.cx.elapsed() + duration;
        while self.cx.elapsed() < until {
            let life = self.life();
            let controller = &life.controller;
            let (clock, cx, polls, dies_at) =
                (self.clock.clone(), self.cx.clone(), Arc::clone(&self.polls), self.dies_at);
            let left = until - self.cx.elapsed();
            let tender = Tender::new(controller, life.environment.name.clone(), Goal::Converge, Until::Stopped);
            let mut future: futures_util::future::BoxFuture<'_, Result<(), String>> =
                Box::pin(async { tender.run().await.map(drop).map_err(|error| error.to_string()) });
            let run = async {
                let counted = Counted { future: &mut future, polls: &polls, dies_at };
                tokio::select! {
                    biased;
                    ended = counted => ended.unwrap_or(Ok(())),
                    () = cx.sleep(left) => Ok(()),
                }
            };
            clock.drive(run).expect("something waits for nothing").unwrap();
            if self.dies_at.is_some_and(|at| self.polls.load(Ordering::Relaxed) >= at) {
                self.dies_at = None;
            }
        }
    }

    /// What the plan says now. Nobody dies of looking.
    fn looked(&mut self) -> (Life, landfast::controller::Looked) {
        let life = self.life();
        let desired = life.controller.board.desired();
        let looked = self.clock.drive(life.controller.glance(&desired, &life.environment)).unwrap().unwrap();
        (life, looked)
    }

    pub(crate) fn app() -> Key {
        "dev/stack/app".parse().unwrap()
    }

    pub(crate) fn ailments(&mut self) -> Vec<Diagnosis> {
        let (_, looked) = self.looked();
        looked.plan.entries.get(&Self::app()).map(|entry| entry.ailments.clone()).unwrap_or_default()
    }

    pub(crate) fn in_sync(&mut self) -> bool {
        self.looked().1.plan.in_sync()
    }

    /// A person approves what is shown, if there is anything to approve. What would be left out.
    pub(crate) fn approve(&mut self) -> Option<BTreeSet<String>> {
        let (life, looked) = self.looked();
        let entry = looked.plan.entries.get(&Self::app())?;
        entry.waiting.iter().find(|waiting| matches!(waiting, Waiting::Approval { .. }))?;
        let left = entry.differences.iter().find_map(|difference| match difference {
            Difference::Skip { resources } | Difference::Leave { resources } => Some(resources.clone()),
            _ => None,
        });
        let desired = life.controller.board.desired();
        let input = Input {
            desired: &desired,
            environment: &life.environment,
            observation: &looked.observation,
            memory: &looked.memory,
            now: self.cx.now(),
            goal: Goal::Converge,
            busy: &BTreeSet::new(),
        };
        let consent = plan::consent(&looked.plan, &input, "somebody".to_owned(), self.cx.now(), false);
        life.controller.store().consent(&life.environment.name, Some(consent)).unwrap();
        left
    }

    pub(crate) fn memory(&mut self) -> StackMemory {
        let life = self.life();
        let memory = life.controller.store().memory(&life.environment.name).unwrap();
        memory.objects.stacks.get(&Self::app()).map(|memory| (**memory).clone()).unwrap_or_default()
    }

    pub(crate) fn status(&self) -> Option<StackStatus> {
        self.cloud.inventory().stack(NAME).map(|stack| stack.state.status)
    }

    pub(crate) fn size(&self) -> Option<String> {
        self.cloud.inventory().stack(NAME)?.state.outputs.get("Size").map(|output| output.value.clone())
    }

    /// Calls that took effect.
    pub(crate) fn applied(&self, operation: &str) -> usize {
        self.cloud.audit().iter().filter(|call| call.operation == operation && call.applied).count()
    }

    pub(crate) fn fail(&self, faults: Vec<ResourceFault>) {
        self.cloud.set_faults(FaultPlan { resources: faults, ..FaultPlan::default() });
    }

    /// The statuses that the stack of that name has gone through, in all its incarnations.
    pub(crate) fn passed(&self) -> BTreeSet<String> {
        let port = self.cloud.stacks(&scope(), None);
        let mut passed = BTreeSet::new();
        for record in self.cloud.inventory().stacks.iter().filter(|record| record.state.name.as_str() == NAME) {
            let mut next = None;
            loop {
                let page = self.clock.drive(port.events(&record.state.id, next)).unwrap().unwrap();
                let own = page.items.iter().filter(|event| event.kind == "AWS::CloudFormation::Stack");
                passed.extend(own.map(|event| event.status.clone()));
                next = page.next;
                if next.is_none() {
                    break;
                }
            }
        }
        passed
    }
}

pub(crate) fn fails(resource: &str, operation: ResourceOperation, times: u32, code: &str) -> ResourceFault {
    let what = ResourceFailure::Fails { reason: format!("{resource} is broken"), code: code.into() };
    ResourceFault { stack: NAME.into(), resource: resource.into(), operation, what, times }
}

pub(crate) fn sticks(resource: &str, operation: ResourceOperation, times: u32) -> ResourceFault {
    let what = ResourceFailure::Sticks;
    ResourceFault { stack: NAME.into(), resource: resource.into(), operation, what, times }
}

/// A stack whose rollback fails on its queue however often it is continued: first by itself, then not at all without a
/// person.
pub(crate) fn stuck(code: &str) -> Ward {
    let mut ward = Ward::new(Wanted::sized(1));
    ward.run(5 * MINUTE);
    assert_eq!(ward.status(), Some(StackStatus::CreateComplete));
    ward.fail(vec![fails("Queue", ResourceOperation::Update, 3, code)]);
    ward.commit(Wanted::sized(2));
    ward
}

#[test]
fn a_rollback_is_continued_without_exactly_what_a_person_agreed_to_and_brought_into_step_before_anything_else() {
    let mut ward = stuck("NotStabilized");
    ward.run(10 * MINUTE);
    assert_eq!(ward.status(), Some(StackStatus::UpdateRollbackFailed));
    assert_eq!(ward.applied("ContinueUpdateRollback"), 1, "once by itself, and no more");
    let ailments = ward.ailments();
    assert_eq!(ailments[0].ailment, Ailment::RollbackFailed);
    let Remedy::Decision { choices, .. } = &ailments[0].remedy else { panic!("{ailments:?}") };
    let commands: Vec<&String> = choices.iter().flat_map(|choice| &choice.commands).collect();
    assert!(commands.iter().any(|command| command.starts_with("landfast apply dev --plan ")), "{commands:?}");
    assert!(ailments[0].evidence.iter().any(|line| line.contains("Queue is broken")), "{ailments:?}");

    ward.run(30 * MINUTE);
    assert_eq!(ward.applied("ContinueUpdateRollback"), 1, "nothing without a person");
    assert_eq!(ward.approve(), Some(["Queue".to_owned()].into()), "the one that caused it, and not what it cancelled");
    ward.run(10 * MINUTE);
    assert_eq!(ward.applied("ContinueUpdateRollback"), 2);
    assert_eq!(ward.memory().skipped, None, "{:?}", ward.ailments());
    assert!(ward.in_sync());
    assert_eq!((ward.status(), ward.size()), (Some(StackStatus::UpdateComplete), Some("2".to_owned())));
    assert_eq!(ward.truth.blames(), Vec::<String>::new());
}

#[test]
fn what_has_failed_for_good_is_not_tried_again_because_the_stack_was_brought_back() {
    let mut ward = stuck("InvalidRequest");
    ward.run(10 * MINUTE);
    ward.approve().unwrap();
    ward.run(10 * MINUTE);
    assert_eq!((ward.status(), ward.size()), (Some(StackStatus::UpdateComplete), Some("1".to_owned())), "brought back");
    assert_eq!(ward.memory().skipped, None);
    let before = ward.applied("ExecuteChangeSet");
    ward.run(60 * MINUTE);
    assert_eq!(ward.applied("ExecuteChangeSet"), before, "L7");
    ward.commit(Wanted::sized(3));
    ward.run(10 * MINUTE);
    assert_eq!(ward.size(), Some("3".to_owned()));
    assert_eq!(ward.truth.blames(), Vec::<String>::new());
}

#[test]
fn what_cannot_be_brought_into_step_holds_every_update_until_a_person_says_so() {
    let mut ward = stuck("InvalidRequest");
    ward.run(10 * MINUTE);
    ward.approve().unwrap();
    // What brings the queue into step fails too, and is rolled back.
    ward.fail(vec![fails("Queue", ResourceOperation::Update, 1, "InvalidRequest")]);
    ward.run(20 * MINUTE);
    ward.commit(Wanted::sized(3));
    ward.run(60 * MINUTE);
    assert_eq!(ward.size(), Some("1".to_owned()), "held");
    let ailments = ward.ailments();
    assert_eq!(ailments[0].ailment, Ailment::OutOfStep, "{ailments:?}");
    assert!(ailments[0].remedy.is_decision());
    ward.console().repair(&NAME.parse().unwrap(), "Queue").unwrap();
    ward.say_in_step();
    ward.run(20 * MINUTE);
    assert_eq!(ward.size(), Some("3".to_owned()));
    assert_eq!(ward.truth.blames(), Vec::<String>::new());
}

#[test]
fn what_a_person_left_out_of_a_rollback_is_found_and_brought_into_step_before_anything_else() {
    let mut ward = stuck("NotStabilized");
    ward.run(10 * MINUTE);
    assert_eq!(ward.status(), Some(StackStatus::UpdateRollbackFailed));
    ward.console().continue_rollback_without(&NAME.parse().unwrap(), &["Queue".to_owned()].into()).unwrap();
    ward.run(20 * MINUTE);
    assert!(ward.in_sync(), "{:?}", ward.ailments());
    assert_eq!((ward.status(), ward.size()), (Some(StackStatus::UpdateComplete), Some("2".to_owned())));
    assert_eq!(ward.memory().skipped, None);
    assert_eq!(ward.applied("ContinueUpdateRollback"), 1, "the other was the person's");
    assert_eq!(ward.truth.blames(), Vec::<String>::new(), "S7");
}

#[test]
fn a_person_who_left_something_out_and_says_that_it_is_in_step_is_believed() {
    let mut ward = stuck("InvalidRequest");
    ward.run(10 * MINUTE);
    // Bringing it into step fails for good: it is the person's.
    ward.fail(vec![fails("Queue", ResourceOperation::Update, 1, "InvalidRequest")]);
    ward.console().continue_rollback_without(&NAME.parse().unwrap(), &["Queue".to_owned()].into()).unwrap();
    ward.commit(Wanted::sized(3));
    ward.run(20 * MINUTE);
    assert_eq!(ward.ailments()[0].ailment, Ailment::OutOfStep, "{:?}", ward.ailments());
    assert_eq!(ward.size(), Some("1".to_owned()), "held");
    ward.console().repair(&NAME.parse().unwrap(), "Queue").unwrap();
    ward.say_in_step();
    ward.run(20 * MINUTE);
    assert_eq!(ward.size(), Some("3".to_owned()));
    assert_eq!(ward.truth.blames(), Vec::<String>::new());
}

impl Ward {
    fn say_in_step(&mut self) {
        use landfast::model::{Request, Wish};
        let life = self.life();
        let request = Request {
            id: "0123".to_owned(),
            key: Self::app(),
            wish: Wish::InStep,
            by: "somebody".to_owned(),
            at: self.cx.now(),
        };
        let store = life.controller.store();
        landfast::controller::answer(store, &life.environment, &request, self.cx.now()).unwrap().unwrap();
    }
}

#[test]
fn a_deletion_that_fails_goes_on_without_exactly_what_a_person_agreed_to() {
    let mut ward = Ward::new(Wanted::sized(1));
    ward.run(5 * MINUTE);
    let broken = |name| fails(name, ResourceOperation::Delete, 9, "InvalidRequest");
    ward.fail(vec![broken("Queue"), broken("Alarm")]);
    ward.commit(Wanted { present: false, ..Wanted::sized(1) });
    ward.run(10 * MINUTE);
    assert_eq!(ward.approve(), None, "it holds a key: a person has to agree, and nothing is left out so far");
    ward.run(20 * MINUTE);
    assert_eq!(ward.status(), Some(StackStatus::DeleteFailed));
    assert_eq!(ward.applied("DeleteStack"), 1);
    let ailments = ward.ailments();
    assert_eq!(ailments[0].ailment, Ailment::DeletionFailed);
    assert_eq!(ailments[0].evidence.len(), 2, "{ailments:?}");
    assert_eq!(ward.approve(), Some(["Queue".to_owned(), "Alarm".to_owned()].into()));
    ward.run(10 * MINUTE);
    assert_eq!(ward.status(), None);
    assert_eq!(ward.applied("DeleteStack"), 2);
    assert_eq!(ward.truth.blames(), Vec::<String>::new());
}

/// For the planted bugs: what a run finds wrong.
pub(crate) fn play_planted() -> Vec<String> {
    let mut ward = stuck("NotStabilized");
    ward.run(10 * MINUTE);
    ward.approve();
    ward.run(10 * MINUTE);
    ward.truth.blames()
}

/// By call: what a fault hits.
pub(crate) type Calls = BTreeMap<u64, landfast::sim::Fault>;

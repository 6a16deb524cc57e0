//! What is read of many services, in how many calls, and what follows from what cannot be read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use landfast::context::{Context, Virtual};
use landfast::controller::{Controller, Tender, Until};
use landfast::model::{Action, FileContent, Guard, Plan, Snapshot, Waiting};
use landfast::plan::Goal;
use landfast::sim::{Console, Fault, FaultPlan, SimCloud, SimConfig, Window};
use landfast::store::{Disk, Store};

use super::*;

const COUNT: usize = 23;

/// Services of two clusters that follow one repository, and a daemon that looks when it is asked to.
struct Many {
    clock: Virtual,
    cx: Context,
    cloud: SimCloud,
    controller: Controller,
}

fn name(number: usize) -> (String, String) {
    (if number == 0 { "other".to_owned() } else { "shop".to_owned() }, format!("api-{number}"))
}

impl Many {
    fn new(made: usize) -> Self {
        let clock = Virtual::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
        let cx = Context::simulated(&clock, 5);
        let cloud = SimCloud::new(cx.clone(), SimConfig { page_size: 3, ..SimConfig::default() });
        let console = cloud.console(&crate::rig::scope());
        let digest = images(&console);
        let image = format!("{REGISTRY}/{REPOSITORY}@{digest}");
        let definition = console.register_task_definition("api", &[("web", &image)]).unwrap();
        for number in 0..made {
            let (cluster, service) = name(number);
            let tags = BTreeMap::from([("landfast:owner".to_owned(), format!("dev/service/{service}"))]);
            let request = NewService { tags, ..NewService::new(&cluster, &service, definition.clone()) };
            console.create_service(&request).unwrap();
        }
        let store = Store::on(&Disk::new(), &cx).unwrap();
        let snapshot = manifests();
        let revision = store.revise(&snapshot.content, None).unwrap();
        let loaded = landfast::manifest::load(&snapshot, revision);
        assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
        let controller = Controller::new(cx.clone(), Arc::new(cloud.clone()), store, Arc::new(|_, _| {}));
        controller.board.publish(loaded.desired, &BTreeSet::new());
        Self { clock, cx, cloud, controller }
    }

    fn tend(&self, duration: Duration) {
        let tender = Tender::new(&self.controller, "dev".parse().unwrap(), Goal::Converge, Until::Stopped);
        assert!(self.clock.drive(self.cx.timeout(duration, tender.run())).unwrap().is_none());
    }

    /// One look, and how often each operation was called for it.
    fn look(&self) -> (Plan, BTreeMap<&'static str, usize>) {
        let desired = self.controller.board.desired();
        let environment = desired.environments.values().next().unwrap();
        let before = self.cloud.audit().len();
        let looked = self.clock.drive(self.controller.glance(&desired, environment)).unwrap().unwrap();
        let mut calls = BTreeMap::new();
        for call in self.cloud.audit().iter().skip(before) {
            *calls.entry(call.operation).or_default() += 1;
        }
        (looked.plan, calls)
    }

    fn break_reads(&self, operation: &str, fault: Fault) {
        let operations = BTreeSet::from([operation.to_owned()]);
        let window = Window { from: Duration::ZERO, until: Duration::MAX, scope: None, operations, fault };
        self.cloud.set_faults(FaultPlan { windows: vec![window], ..FaultPlan::default() });
    }
}

/// Twenty versions, on seven pages. The newest comes last.
fn images(console: &Console) -> ImageDigest {
    console.create_repository(REPOSITORY);
    let push = |number: usize| console.push_image(REPOSITORY, &number.to_string(), &[&format!("1.{number}.0")], None);
    let digests: Vec<_> = (0..20).filter_map(push).collect();
    digests[19].clone()
}

fn manifests() -> Snapshot {
    let mut text = String::from(
        "apiVersion: landfast/v1\nkind: Environment\nmetadata: { name: dev }\nspec:\n  system: shop\n  account: \"111122223333\"\n  \
         region: us-east-1\n  include: [shop]\n  policy: { mode: apply, prune: never, replace: deny, \
         budget: { stacks: 9, replacements: 0, deletions: 0, per: 1h } }\n",
    );
    let environment = std::mem::take(&mut text);
    for number in 0..COUNT {
        let (cluster, service) = name(number);
        let _ = write!(
            text,
            "---\napiVersion: landfast/v1\nkind: Service\nmetadata: {{ name: {service} }}\nspec:\n  cluster: {cluster}\n  \
             service: {service}\n  images: {{ web: {{ repository: {REPOSITORY}, semver: '1' }} }}\n"
        );
    }
    let files = [("dev.yaml", environment), ("shop/services.yaml", text.trim_start_matches("---\n").to_owned())];
    let files = files.map(|(file, text)| (file.to_owned(), FileContent::Bytes(text.into_bytes().into())));
    Snapshot::new("manifests", files.into(), None)
}

#[test]
fn services_are_described_ten_at_a_time_and_a_repository_is_listed_once_with_all_its_pages() {
    let many = Many::new(COUNT);
    many.tend(20 * MINUTE);
    let (plan, calls) = many.look();
    let unready: Vec<_> = plan.entries.values().filter(|entry| !entry.ready || entry.step.is_some()).collect();
    assert!(unready.is_empty(), "{unready:#?}");
    // Twenty-two of one cluster, one of the other. The task definition of all of them never changes, and has been read.
    let expected = BTreeMap::from([("DescribeImages", 7), ("DescribeServices", 4), ("DescribeStacks", 1)]);
    assert_eq!(calls, expected);
    // What runs already is not deployed: nothing but what AWS was asked.
    let mutations: Vec<_> = many.cloud.audit().into_iter().filter(|call| call.mutating).collect();
    assert!(mutations.is_empty(), "{mutations:?}");
}

#[test]
fn what_is_not_there_is_refused_and_what_cannot_be_read_is_unknown() {
    let many = Many::new(COUNT - 1);
    many.tend(20 * MINUTE);
    let absent = |plan: &Plan| {
        let refused =
            plan.entries.values().filter(|entry| entry.refused.iter().any(|found| found.guard == Guard::Missing));
        refused.map(|entry| entry.address.name.to_string()).collect::<Vec<_>>()
    };
    let unknown = |plan: &Plan| {
        let waits = |waiting: &Waiting| matches!(waiting, Waiting::Unknown { .. });
        let blind = plan.entries.values().filter(|entry| entry.waiting.iter().any(waits));
        for entry in blind.clone() {
            assert!(entry.action == Action::Unknown && entry.step.is_none(), "{entry:#?}");
        }
        blind.count()
    };
    let (plan, _) = many.look();
    assert_eq!((absent(&plan), unknown(&plan)), (vec!["shop/api-22".to_owned()], 0));
    for (operation, unseen) in [("DescribeServices", COUNT), ("DescribeImages", COUNT), ("DescribeTaskDefinition", 0)] {
        for fault in [Fault::Denied, Fault::ErrorBefore, Fault::TimeoutBefore] {
            many.break_reads(operation, fault.clone());
            let (plan, _) = many.look();
            assert_eq!(unknown(&plan), unseen, "{operation} {fault:?}");
            let expected = usize::from(operation != "DescribeServices");
            assert_eq!(absent(&plan).len(), expected, "{operation} {fault:?}");
        }
    }
    let mutations: Vec<_> = many.cloud.audit().into_iter().filter(|call| call.mutating).collect();
    assert!(mutations.is_empty(), "{mutations:?}");
}

#[test]
fn a_task_definition_that_was_never_read_is_unknown_until_it_is() {
    let many = Many::new(COUNT);
    many.break_reads("DescribeTaskDefinition", Fault::Denied);
    many.tend(20 * MINUTE);
    let (plan, _) = many.look();
    assert!(plan.entries.values().all(|entry| entry.action == Action::Unknown && entry.step.is_none()), "{plan:#?}");
    many.cloud.clear_faults();
    many.tend(20 * MINUTE);
    let (plan, _) = many.look();
    assert!(plan.entries.values().all(|entry| entry.ready), "{plan:#?}");
}

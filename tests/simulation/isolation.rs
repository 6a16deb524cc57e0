//! One object that hangs, fails or is previewed is nobody else's business (L4, L5, L6, S20).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use landfast::context::{Context, Virtual};
use landfast::controller::{Controller, Tender, Until, preview};
use landfast::manifest::{self, Loaded};
use landfast::plan::Goal;
use landfast::ports::Class;
use landfast::sim::{Fault, FaultPlan, ResourceFailure, ResourceFault, ResourceOperation, SimCloud, SimConfig, Window};
use landfast::store::{Disk, Store};

use crate::app::App;
use crate::fleet::{Fleet, Policy, Prune, Unit};
use crate::rig::Rig;

/// `s0` stands alone; `s2` depends on `s1`.
fn fleet() -> Fleet {
    let dependant = Unit { upstream: Some(1), ..Unit::plain() };
    let units = BTreeMap::from([(0, Unit::plain()), (1, Unit::plain()), (2, dependant)]);
    Fleet {
        units,
        policy: Policy { prune: Prune::Always, observe: false, deletions: 9, replace: false },
        web: None,
        app: App::default(),
        floored: false,
        windows: Vec::new(),
    }
}

fn is_created(rig: &Rig, stack: &str) -> bool {
    let stacks = rig.cloud.inventory().stacks;
    let live = stacks.iter().filter(|record| !record.is_deleted() && record.state.name.as_str().ends_with(stack));
    live.into_iter().any(|record| record.state.status.as_str() == "CREATE_COMPLETE")
}

/// How long it takes until a stack is created, with these faults.
fn time_to_create(stack: &str, faults: FaultPlan) -> (Duration, Rig) {
    let mut rig = Rig::new(11, fleet(), None);
    rig.cloud.set_faults(faults);
    rig.start();
    for _ in 0..3_600 {
        if is_created(&rig, stack) {
            return (rig.cx.elapsed(), rig);
        }
        rig.pass(Duration::from_secs(1)).unwrap();
    }
    panic!("{stack} was not created within an hour");
}

fn creation_of(rig: &Rig, stack: &str) -> u64 {
    let audit = rig.cloud.audit();
    let call = audit.iter().find(|call| call.operation == "CreateStack" && call.target.ends_with(stack));
    call.expect("the stack was created").index
}

/// What a bystander may lose: a look or two.
const SLACK: Duration = Duration::from_secs(8);

#[test]
fn a_call_that_never_returns_delays_no_other_stack_and_its_own_not_for_ever() {
    let (alone, calm) = time_to_create("s2", FaultPlan::default());
    for hang in [Fault::Hang, Fault::HangAfter] {
        let calls = BTreeMap::from([(creation_of(&calm, "s0"), hang.clone())]);
        let (beside, mut rig) = time_to_create("s2", FaultPlan { calls, ..FaultPlan::default() });
        assert!(beside <= alone + SLACK, "{hang:?}: {beside:?} instead of {alone:?}");
        rig.pass(Duration::from_mins(3)).unwrap();
        assert!(is_created(&rig, "s0"), "{hang:?}: still busy");
        assert_eq!(rig.truth.blames(), Vec::<String>::new());
    }
}

#[test]
fn a_stack_that_fails_for_good_delays_no_other_stack() {
    let (alone, _) = time_to_create("s2", FaultPlan::default());
    let what = ResourceFailure::Fails { reason: "no".into(), code: "InvalidRequest".into() };
    let resource = "Topic".into();
    let fails = ResourceFault { stack: "*-s0".into(), resource, operation: ResourceOperation::Create, what, times: 99 };
    let (beside, mut rig) = time_to_create("s2", FaultPlan { resources: vec![fails], ..FaultPlan::default() });
    assert!(beside <= alone + SLACK, "{beside:?} instead of {alone:?}");
    // Nor is it tried again and again (L7).
    rig.pass(Duration::from_hours(6)).unwrap();
    let creations = rig.cloud.audit().iter().filter(|call| call.operation == "CreateStack").count();
    assert_eq!(creations, 3, "one for each stack");
}

#[test]
fn after_an_outage_there_is_no_storm() {
    let mut rig = Rig::new(11, fleet(), None);
    let (from, until) = (Duration::from_mins(10), Duration::from_mins(40));
    let fault = Fault::ErrorBefore;
    let window = Window { from, until, scope: None, operations: BTreeSet::new(), fault };
    rig.cloud.set_faults(FaultPlan { windows: vec![window], ..FaultPlan::default() });
    rig.start();
    rig.pass(from).unwrap();
    let before = rig.cloud.calls();
    rig.pass(until.checked_sub(from).unwrap()).unwrap();
    let during = rig.cloud.calls() - before;
    rig.pass(Duration::from_mins(2)).unwrap();
    let after = rig.cloud.calls() - before - during;
    // One environment is looked at every ten seconds while it cannot be seen, and a read is tried four times.
    assert!(during <= 30 * 6 * 4, "{during} calls in half an hour of outage");
    assert!(after <= 20, "{after} calls in the two minutes after it");
    let failed = rig.cloud.audit().iter().filter(|call| call.class == Some(Class::Transient)).count();
    assert!(failed > 0, "the outage was noticed");
}

/// A future that is dropped when it has waited so often.
async fn killed_after<F: Future>(waits: u64, future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let waited = AtomicU64::new(0);
    std::future::poll_fn(|task: &mut TaskContext<'_>| match future.as_mut().poll(task) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if waited.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= waits => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

#[test]
fn a_preview_leaves_nothing_behind_wherever_it_is_killed() {
    let clock = Virtual::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
    let cx = Context::simulated(&clock, 5);
    let cloud = SimCloud::new(cx.clone(), SimConfig::default());
    let disk = Disk::new();
    let controller = || {
        let store = Store::on(&disk, &cx).unwrap();
        Controller::new(cx.clone(), Arc::new(cloud.clone()), store, Arc::new(|_, _| {}))
    };
    let load = |controller: &Controller, fleet: &Fleet| -> Loaded {
        let snapshot = fleet.snapshot(None);
        let revision = controller.store().revise(&snapshot.content, None).unwrap();
        manifest::load(&snapshot, revision)
    };
    let mut fleet = fleet();
    {
        let controller = controller();
        let loaded = load(&controller, &fleet);
        let name = loaded.desired.environments.keys().next().unwrap().clone();
        controller.board.publish(loaded.desired, &loaded.broken);
        clock.drive(Tender::new(&controller, name, Goal::Converge, Until::Settled).run()).unwrap().unwrap();
    }
    let changes = |cloud: &SimCloud| {
        let inventory = cloud.inventory();
        inventory.stacks.iter().map(|record| (record.state.name.clone(), record.state.version())).collect::<Vec<_>>()
    };
    let before = changes(&cloud);
    let mut killed = 0;
    for waits in 0.. {
        // Every time another edit, so that nothing is left to find from the last preview.
        fleet.units.values_mut().for_each(|unit| unit.size = unit.size.wrapping_add(1));
        let look_ahead = |controller: Controller, loaded: Loaded| async move {
            let environment = Arc::clone(loaded.desired.environments.values().next().unwrap());
            let seen = preview(&controller, &loaded.desired, &environment, Goal::Converge).await.unwrap();
            assert!(seen.clean(&controller, &environment).await.is_empty());
        };
        let whole = {
            let controller = controller();
            let loaded = load(&controller, &fleet);
            clock.drive(killed_after(waits, look_ahead(controller, loaded))).unwrap()
        };
        killed += u64::from(whole.is_none());
        // Whoever looks next cleans up.
        let controller = controller();
        let loaded = load(&controller, &fleet);
        clock.drive(look_ahead(controller, loaded)).unwrap();
        assert_eq!(cloud.inventory().leftovers(), Vec::<String>::new(), "killed after {waits} waits");
        if whole.is_some() {
            break;
        }
    }
    assert!(killed > 10, "killed at {killed} places only");
    assert_eq!(changes(&cloud), before, "a preview changes no stack");
}

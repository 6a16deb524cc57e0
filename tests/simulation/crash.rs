//! The daemon dies at every await of scenarios that matter, and every mutating call is lost in every way.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use landfast::sim::{Fault, ResourceFailure, ResourceFault, ResourceOperation};

use crate::app::App;
use crate::fleet::{Fleet, Policy, Prune, Unit};
use crate::run::{LOST, play, play_dying};
use crate::scenario::{Act, Edit, Event, Scenario};
use crate::seeds::{number, report};

fn scenario(units: &[Unit], events: Vec<(u64, Event)>, resources: Vec<ResourceFault>) -> Scenario {
    let units: BTreeMap<u8, Unit> = (0..).zip(units.iter().cloned()).collect();
    let policy = Policy { prune: Prune::Always, observe: false, deletions: 50, replace: true };
    let fleet = Fleet { units, policy, web: None, app: App::default(), floored: false, windows: Vec::new() };
    Scenario {
        seed: 7,
        fleet,
        events,
        calls: Vec::new(),
        windows: Vec::new(),
        resources,
        until: 1_200,
        restart: false,
        heals: false,
        hostile: false,
        told: None,
    }
}

fn chain() -> Vec<Unit> {
    let mut units = vec![Unit::plain(), Unit::plain(), Unit::plain()];
    units[1].upstream = Some(0);
    units[2].upstream = Some(1);
    units[2].imports = Some(0);
    units
}

fn edit(at: u64, edit: Edit) -> (u64, Event) {
    (at, Event::Edit { edit, told: true })
}

fn fails(resource: &str, operation: ResourceOperation, times: u32) -> ResourceFault {
    let what = ResourceFailure::Fails { reason: "no capacity".into(), code: "NotStabilized".into() };
    ResourceFault { stack: "*-s1".into(), resource: resource.into(), operation, what, times }
}

/// Name and scenario.
fn golden() -> Vec<(&'static str, Scenario)> {
    let mut table = Unit::plain();
    table.shape = 2;
    let mut adopted = Unit::plain();
    adopted.adopt = true;
    let update = || vec![edit(300, Edit::Size(1, 5))];
    vec![
        ("creation of three stacks", scenario(&chain(), vec![], vec![])),
        (
            "update that is rolled back",
            scenario(&chain(), update(), vec![fails("Topic", ResourceOperation::Update, 1)]),
        ),
        (
            "replacement of a table with a backup",
            scenario(
                &[table],
                vec![(280, Event::Console { stack: 0, act: Act::Backup }), edit(300, Edit::Shape(0, 5))],
                vec![],
            ),
        ),
        ("removal", scenario(&chain(), vec![edit(300, Edit::Remove(2)), edit(301, Edit::Remove(1))], vec![])),
        ("adoption", scenario(&[adopted], vec![(0, Event::Console { stack: 0, act: Act::Squat })], vec![])),
        ("creation that fails once", scenario(&chain(), vec![], vec![fails("Topic", ResourceOperation::Create, 1)])),
        (
            "rollback that is continued",
            scenario(&chain(), update(), vec![fails("Topic", ResourceOperation::Update, 2)]),
        ),
    ]
}

/// Runs every trial on two threads; returns what failed.
fn all(trials: &[(String, Scenario, Option<u64>)]) -> Vec<String> {
    let next = AtomicUsize::new(0);
    std::thread::scope(|threads| {
        let workers: Vec<_> = (0..2)
            .map(|_| {
                threads.spawn(|| {
                    let mut failed = Vec::new();
                    while let Some((name, scenario, dies_at)) = trials.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if let Err(failure) = play_dying(scenario, *dies_at) {
                            failed.push(format!("{name}: {}", report(scenario, &failure)));
                        }
                    }
                    failed
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

#[test]
fn a_daemon_that_dies_at_any_moment_comes_to_the_same_end() {
    // Every one of them, unless `SIM_CRASH_POINTS` asks for so many in each scenario, evenly spread.
    let points = number("SIM_CRASH_POINTS").unwrap_or(u64::MAX);
    let total = AtomicU64::new(0);
    let mut trials = Vec::new();
    for (name, scenario) in golden() {
        let worth = play(&scenario).unwrap_or_else(|failure| panic!("{name}: {}", report(&scenario, &failure)));
        let step = worth.polls.div_ceil(points).max(1);
        for point in (1..=worth.polls).step_by(usize::try_from(step).unwrap()) {
            total.fetch_add(1, Ordering::Relaxed);
            trials.push((format!("{name}, dead at {point} of {}", worth.polls), scenario.clone(), Some(point)));
        }
    }
    let failed = all(&trials);
    println!("{} crash points, {} failed", total.into_inner(), failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn a_mutation_whose_answer_is_lost_comes_to_the_same_end() {
    let mut trials = Vec::new();
    for (name, scenario) in golden() {
        let worth = play(&scenario).unwrap_or_else(|failure| panic!("{name}: {}", report(&scenario, &failure)));
        for index in &worth.mutating {
            for fault in LOST {
                let mut lossy = scenario.clone();
                lossy.calls.push((*index, fault.clone()));
                trials.push((format!("{name}, {fault:?} at call {index}"), lossy, None));
            }
        }
    }
    let count = trials.len();
    let failed = all(&trials);
    println!("{count} lost answers, {} failed", failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn a_golden_scenario_takes_the_path_it_is_named_for() {
    let scenarios: BTreeMap<&str, Scenario> = golden().into_iter().collect();
    let taken = |name: &str, what: &str| {
        let scenario = &scenarios[name];
        let worth = play(scenario).unwrap_or_else(|failure| panic!("{name}: {}", report(scenario, &failure)));
        *worth.sometimes.get(what).unwrap_or(&0)
    };
    assert_eq!(taken("rollback that is continued", "continued a rollback"), 1);
    assert_eq!(taken("removal", "deleted a stack"), 2);
    assert_eq!(taken("creation that fails once", "deleted a stack"), 1);
    assert_eq!(taken("creation of three stacks", "deleted a stack"), 0);
    let _ = Fault::Throttle;
}

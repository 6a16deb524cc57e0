//! The daemon dies at every await of a rollout, and every call that changes something is lost in every way.

use std::sync::atomic::{AtomicU64, Ordering};

use landfast::sim::{Fault, FaultPlan};

use super::*;

/// How a story ends, whatever goes wrong in it.
#[derive(Debug, PartialEq, Eq)]
struct End {
    runs: Option<String>,
    outcome: Option<RolloutOutcome>,
    quarantined: usize,
    deployments: usize,
}

/// A version is pushed, and this comes of it; and how often the daemon waited until then.
fn story(how: How, behaviour: ImageBehaviour, dies_at: Option<u64>, lost: Option<(u64, Fault)>) -> (End, u64, World) {
    let mut world = World::new(how);
    let digest = world.push("1.1.0", behaviour);
    let (polls, calls) = (world.rig.polls.load(Ordering::Relaxed), world.rig.cloud.calls());
    world.rig.dies_at = dies_at.map(|nth| polls + nth);
    if let Some((nth, fault)) = lost {
        let calls = BTreeMap::from([(calls + nth, fault)]);
        world.rig.cloud.set_faults(FaultPlan { calls, ..FaultPlan::default() });
    }
    // It ends within ten minutes if nothing goes wrong.
    world.until(30 * MINUTE, |world| world.last().is_some_and(|last| last.intended["web"] == digest));
    let polls = world.rig.polls.load(Ordering::Relaxed) - polls;
    world.run(6 * MINUTE);
    let memory = world.memory();
    let end = End {
        runs: world.runs().map(|digest| digest.to_string()),
        outcome: memory.last.map(|last| last.outcome),
        quarantined: memory.quarantine.len(),
        deployments: world.deployments(&digest).len(),
    };
    (end, polls, world)
}

/// At the awaits of a rollout, on two threads.
fn dies_everywhere(how: How, behaviour: ImageBehaviour) {
    let (expected, awaits, world) = story(how, behaviour, None, None);
    world.is_right();
    assert_eq!(expected.deployments, 1, "{expected:?}");
    // A rollout through a stack has hundreds: so many of them, evenly spread, unless `SIM_CRASH_POINTS` asks for more.
    let step = awaits.div_ceil(crate::seeds::number("SIM_CRASH_POINTS").unwrap_or(120)).max(1);
    let next = AtomicU64::new(0);
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                loop {
                    let nth = 1 + next.fetch_add(1, Ordering::Relaxed) * step;
                    if nth > awaits {
                        return;
                    }
                    let (end, _, world) = story(how, behaviour, Some(nth), None);
                    assert_eq!(end, expected, "{how:?} {behaviour:?}, dead at {nth}: {:#?}", world.memory());
                    assert_eq!(world.wrong(), Vec::<String>::new(), "{how:?} {behaviour:?}, dead at {nth}");
                    let digest = &world.versions["1.1.0"];
                    assert_eq!(world.definitions(digest), 1, "S9: {how:?} {behaviour:?}, dead at {nth}");
                }
            });
        }
    });
    println!("{how:?} {behaviour:?}: {awaits} crash points, one in {step} of them");
    assert!(awaits > 30, "{awaits}");
}

#[test]
fn a_daemon_that_dies_anywhere_in_a_rollout_through_ecs_finishes_it_once() {
    dies_everywhere(DIRECT, ImageBehaviour::Runs);
}

#[test]
fn a_daemon_that_dies_anywhere_in_a_rollout_through_ecs_that_fails_takes_it_back_once() {
    dies_everywhere(DIRECT, ImageBehaviour::CannotBePulled);
}

#[test]
fn a_daemon_that_dies_anywhere_in_a_rollout_through_a_stack_finishes_it_once() {
    dies_everywhere(STACK, ImageBehaviour::Runs);
}

#[test]
fn a_daemon_that_dies_anywhere_in_a_rollout_through_a_stack_that_fails_takes_it_back_once() {
    dies_everywhere(STACK, ImageBehaviour::CannotBePulled);
}

#[test]
fn a_call_that_is_lost_in_any_way_is_made_up_for_once() {
    for how in [DIRECT, STACK] {
        for behaviour in [ImageBehaviour::Runs, ImageBehaviour::CannotBePulled] {
            let (expected, _, calm) = story(how, behaviour, None, None);
            let audit = calm.rig.cloud.audit();
            let begun = audit.iter().position(|call| call.mutating && call.operation == "TagResource").unwrap_or(0);
            let first = {
                let world = World::new(how);
                world.rig.cloud.calls()
            };
            let mutating = audit.iter().skip(begun).filter(|call| call.mutating && call.index >= first);
            let mutating: Vec<_> = mutating.map(|call| (call.index - first, call.operation)).collect();
            assert!(mutating.len() >= 2, "{mutating:?}");
            for (nth, operation) in mutating {
                for fault in [
                    Fault::Throttle,
                    Fault::ErrorBefore,
                    Fault::ErrorAfter,
                    Fault::TimeoutAfter,
                    Fault::Hang,
                    Fault::HangAfter,
                ] {
                    let (end, _, world) = story(how, behaviour, None, Some((nth, fault.clone())));
                    assert_eq!(end, expected, "{how:?} {behaviour:?} {fault:?} of {operation}: {:#?}", world.memory());
                    assert_eq!(world.wrong(), Vec::<String>::new(), "{how:?} {behaviour:?} {fault:?} of {operation}");
                }
            }
        }
    }
}

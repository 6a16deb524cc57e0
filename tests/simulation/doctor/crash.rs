//! The daemon dies at every await between a rollback that fails and a stack that is well, and every call that changes
//! something is lost in every way.

use super::*;
use crate::run::LOST;

/// How it ends, whatever goes wrong on the way.
#[derive(Debug, PartialEq, Eq)]
struct End {
    status: Option<StackStatus>,
    size: Option<String>,
    continued: usize,
    skipped: Option<BTreeSet<String>>,
    out_of_step: bool,
    wrong: Vec<String>,
}

/// The whole story; how often the daemon waited in it, and which calls changed something.
fn story(dies_at: Option<u64>, lost: Option<(u64, landfast::sim::Fault)>) -> (End, u64, Vec<u64>) {
    let mut ward = stuck("NotStabilized");
    let (polls, calls) = (ward.polls.load(Ordering::Relaxed), ward.cloud.calls());
    ward.dies_at = dies_at.map(|nth| polls + nth);
    let resources = vec![fails("Queue", ResourceOperation::Update, 3, "NotStabilized")];
    let faults: Calls = lost.into_iter().map(|(nth, fault)| (calls + nth, fault)).collect();
    ward.cloud.set_faults(FaultPlan { calls: faults, resources, ..FaultPlan::default() });
    ward.run(8 * MINUTE);
    let mut skipped = ward.approve();
    if skipped.is_none() {
        // What was lost took its time to be found out.
        ward.run(8 * MINUTE);
        skipped = ward.approve();
    }
    ward.run(12 * MINUTE);
    let polls = ward.polls.load(Ordering::Relaxed) - polls;
    let mutating = ward.cloud.audit().into_iter().filter(|call| call.mutating && call.index >= calls);
    let mutating = mutating.map(|call| call.index - calls).collect();
    let end = End {
        status: ward.status(),
        size: ward.size(),
        continued: ward.applied("ContinueUpdateRollback"),
        skipped,
        out_of_step: ward.memory().skipped.is_some(),
        wrong: ward.truth.blames(),
    };
    (end, polls, mutating)
}

fn well() -> End {
    End {
        status: Some(StackStatus::UpdateComplete),
        size: Some("2".to_owned()),
        continued: 2,
        skipped: Some(["Queue".to_owned()].into()),
        out_of_step: false,
        wrong: Vec::new(),
    }
}

#[test]
fn a_daemon_that_dies_anywhere_between_skip_and_re_sync_comes_to_the_same_end() {
    let (expected, awaits, _) = story(None, None);
    assert_eq!(expected, well());
    let step = awaits.div_ceil(crate::seeds::number("SIM_CRASH_POINTS").unwrap_or(160)).max(1);
    let next = AtomicU64::new(0);
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                loop {
                    let nth = 1 + next.fetch_add(1, Ordering::Relaxed) * step;
                    if nth > awaits {
                        return;
                    }
                    let (end, ..) = story(Some(nth), None);
                    assert_eq!(end, expected, "dead at {nth} of {awaits}");
                }
            });
        }
    });
    println!("{awaits} awaits, every {step}. of them");
}

#[test]
fn a_call_that_is_lost_between_skip_and_re_sync_comes_to_the_same_end() {
    let (expected, _, mutating) = story(None, None);
    assert!(mutating.len() >= 6, "{mutating:?}");
    for nth in &mutating {
        for fault in LOST {
            let (end, ..) = story(None, Some((*nth, fault.clone())));
            assert_eq!(end, expected, "{fault:?} at call {nth}");
        }
    }
}

//! A harness that cannot fail is worse than none: every planted bug must be found.

use landfast::sabotage::{Bug, plant};

use crate::run::play;
use crate::scenario::Scenario;

/// Each bug, the seeds within which it must be found, and the rules that may find it.
const BUGS: [(Bug, u64, &[&str]); 9] = [
    (Bug::UnknownIsAbsent, 60, &["S5", "S10"]),
    (Bug::PruneOnEmpty, 30, &["S2"]),
    (Bug::NoSecondLook, 5, &["S5"]),
    (Bug::JournalAfter, 5, &["O3"]),
    (Bug::NoDeadline, 60, &["L1"]),
    (Bug::ConcludeByStatus, 80, &["L1", "L7", "O1"]),
    (Bug::EdgeTriggered, 20, &["L1"]),
    (Bug::RetryTerminal, 60, &["L7"]),
    (Bug::Unguarded, 80, &["S4"]),
];

#[test]
fn every_planted_bug_is_found() {
    let found: Vec<String> = std::thread::scope(|threads| {
        let halves: Vec<_> = (0..2)
            .map(|half| {
                threads.spawn(move || {
                    let mine = BUGS.iter().skip(half).step_by(2);
                    mine.filter_map(|(bug, seeds, rules)| missed(*bug, *seeds, rules)).collect::<Vec<_>>()
                })
            })
            .collect();
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    });
    assert!(found.is_empty(), "{found:?}");
}

/// Why a bug was not found; `None` if it was.
fn missed(bug: Bug, seeds: u64, rules: &[&str]) -> Option<String> {
    plant(Some(bug));
    let found = (0..seeds).find_map(|seed| {
        let failure = play(&Scenario::from_seed(seed)).err()?;
        Some((seed, failure))
    });
    plant(None);
    let Some((seed, failure)) = found else { return Some(format!("{bug:?} was not found within {seeds} seeds")) };
    println!("{bug:?}: found with seed {seed}: {}", failure.what[0]);
    let expected = rules.contains(&failure.rule().as_str());
    (!expected).then(|| format!("{bug:?} was found by {}, not by {rules:?}: {}", failure.rule(), failure.what[0]))
}

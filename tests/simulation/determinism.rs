//! A run can be repeated exactly, or no seed would be worth anything.

use crate::run::play;
use crate::scenario::Scenario;

#[test]
fn twenty_seeds_played_twice_make_the_same_calls() {
    std::thread::scope(|threads| {
        for half in 0..2_u64 {
            threads.spawn(move || {
                for seed in (half..20).step_by(2) {
                    let scenario = Scenario::from_seed(seed);
                    let trace = || match play(&scenario) {
                        Ok(worth) => worth.trace,
                        Err(failure) => failure.audit,
                    };
                    let (first, second) = (trace(), trace());
                    let differs = first.iter().zip(&second).find(|(one, other)| one != other);
                    assert!(first.len() == second.len() && differs.is_none(), "seed {seed}: {differs:?}");
                    assert!(!first.is_empty());
                }
            });
        }
    });
}

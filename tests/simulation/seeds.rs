//! Fresh seeds within a budget of time, and the replay of one.

use std::time::{Duration, Instant};

use crate::run::{Failure, Worth, play};
use crate::scenario::Scenario;

pub(crate) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

pub(crate) fn report(scenario: &Scenario, failure: &Failure) -> String {
    format!(
        "SIM_SEED={} cargo test --test simulation replay\n{}\n--- plan\n{}\n--- audit\n{}\n--- scenario ({} parts)\n{}",
        scenario.seed,
        failure.what.join("\n"),
        failure.plan.join("\n"),
        failure.audit.join("\n"),
        scenario.size(),
        serde_json::to_string(scenario).unwrap()
    )
}

#[test]
fn replay() {
    let Some(seed) = number("SIM_SEED") else { return };
    let scenario = Scenario::from_seed(seed);
    if let Err(failure) = play(&scenario) {
        let (scenario, failure) = crate::shrink::shrink(scenario, *failure, Duration::from_secs(60));
        panic!("{}", report(&scenario, &failure));
    }
}

#[test]
fn survey() {
    let Some(count) = number("SIM_SURVEY") else { return };
    let base = number("SIM_BASE").unwrap_or(0);
    let began = Instant::now();
    let mut rules: std::collections::BTreeMap<String, Vec<u64>> = std::collections::BTreeMap::new();
    let mut total = Worth::default();
    for seed in base..base + count {
        match play(&Scenario::from_seed(seed)) {
            Ok(worth) => {
                total.calls += worth.calls;
                total.seconds += worth.seconds;
            }
            Err(failure) => {
                println!(
                    "{seed}: {}",
                    failure.what.first().map(|text| text.chars().take(300).collect::<String>()).unwrap_or_default()
                );
                rules.entry(failure.rule()).or_default().push(seed);
            }
        }
    }
    println!("{count} seeds in {:?}, {} calls, {} h; {rules:?}", began.elapsed(), total.calls, total.seconds / 3600);
}

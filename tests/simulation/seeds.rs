//! Fresh seeds within a budget of time, the scenarios that once failed, and the replay of one.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use landfast::model::Digest;

use crate::run::{Failure, Worth, play};
use crate::scenario::Scenario;
use crate::shrink::shrink;

/// Seconds of fresh seeds, unless `SIM_SECONDS` says otherwise.
const SECONDS: u64 = 20;

/// How long a failing scenario is made smaller.
const SHRINKING: Duration = Duration::from_secs(60);

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

/// Plays one again: `SIM_SEED` names it by its seed, `SIM_FILE` by the file that it was kept in.
#[test]
fn replay() {
    let kept = std::env::var("SIM_FILE")
        .ok()
        .map(|file| serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap());
    let Some(scenario) = kept.or_else(|| number("SIM_SEED").map(Scenario::from_seed)) else { return };
    if let Err(failure) = play(&scenario) {
        let (scenario, failure) = shrink(scenario, *failure, SHRINKING);
        panic!("{}", report(&scenario, &failure));
    }
}

#[test]
fn what_once_failed_does_not_fail_again() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "json")) {
        let scenario: Scenario = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        if let Err(failure) = play(&scenario) {
            panic!("{}: {}", file.display(), report(&scenario, &failure));
        }
    }
}

/// Never the same seeds twice: from `SIM_BASE`, or else from the commit.
fn base() -> u64 {
    number("SIM_BASE").unwrap_or_else(|| {
        let commit = std::process::Command::new("git").args(["rev-parse", "HEAD"]).output();
        let commit = commit.map(|output| output.stdout).unwrap_or_default();
        let digest = Digest::of_bytes(&commit);
        u64::from_str_radix(digest.as_str().get(..8).unwrap_or_default(), 16).unwrap_or(1) << 20
    })
}

#[test]
fn fresh_seeds_break_no_rule() {
    let began = Instant::now();
    let budget = Duration::from_secs(number("SIM_SECONDS").unwrap_or(SECONDS));
    let most = number("SIM_SEEDS").unwrap_or(u64::MAX);
    let (base, next, total) = (base(), AtomicU64::new(0), Mutex::new(Worth::default()));
    let failures: Mutex<BTreeMap<String, Vec<(Scenario, Failure)>>> = Mutex::default();
    let jobs = number("SIM_JOBS").unwrap_or(2);
    std::thread::scope(|threads| {
        for _ in 0..jobs {
            threads.spawn(|| {
                while began.elapsed() < budget {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= most {
                        break;
                    }
                    let scenario = Scenario::from_seed(base.wrapping_add(nth));
                    match play(&scenario) {
                        Ok(worth) => total.lock().unwrap().add(&worth),
                        Err(failure) => {
                            println!("seed {}: {}", scenario.seed, failure.what[0]);
                            let mut failures = failures.lock().unwrap();
                            failures.entry(failure.rule()).or_default().push((scenario, *failure));
                        }
                    }
                }
            });
        }
    });
    let seeds = next.into_inner();
    table(base, seeds, began.elapsed(), &total.into_inner().unwrap());
    let failures = failures.into_inner().unwrap();
    // One of each rule, the smallest, made smaller still.
    let shown = failures.values().map(|of_rule| {
        let (scenario, failure) = of_rule.iter().min_by_key(|(scenario, _)| scenario.size()).unwrap();
        let (small, failure) = shrink(scenario.clone(), failure.clone(), SHRINKING);
        report(&small, &failure)
    });
    let shown: Vec<String> = shown.collect();
    assert!(shown.is_empty(), "{}", shown.join("\n\n"));
}

fn table(base: u64, seeds: u64, took: Duration, total: &Worth) {
    println!("seeds                          {seeds}, from {base}, in {:.1} s", took.as_secs_f64());
    println!("virtual hours                  {}", total.seconds / 3_600);
    println!("calls                          {} ({} mutating)", total.calls, total.mutations);
    println!("call faults reached            {}", total.faults);
    println!("calls answered with an error   {}", total.effective);
    for (what, times) in &total.sometimes {
        println!("sometimes: {what:<30} {times}{}", if *times == 0 { "  <- never reached" } else { "" });
    }
}

//! How fast, how large, how many calls: measured, next to what is aimed at.
//!
//! `cargo bench` prints a Markdown table; `cargo bench -- --quick` a smaller one in seconds. Every row is measured in a
//! process of its own, so that one's peak of memory is not another's. Nothing is asserted here: figures depend on the
//! machine, and `README.md` beside this file keeps what was measured where.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::allow_attributes
)]

mod apps;
mod deploy;
mod edits;
#[path = "../integration/emulator.rs"]
#[expect(dead_code, unreachable_pub, reason = "the tests use more of it")]
mod emulator;
mod events;
mod fleet;
mod follow;
#[path = "../git/mod.rs"]
mod git;
#[path = "../integration/daemon/host.rs"]
#[expect(dead_code, unreachable_pub, reason = "the tests use more of it")]
mod host;
mod idle;
#[path = "../integration/daemon/place.rs"]
#[expect(dead_code, unreachable_pub, reason = "the tests use more of it")]
mod place;
mod process;
mod proxy;
mod upkeep;
mod wire;

use std::process::Command;

/// One line of the table: what, measured, aimed at.
struct Row(String, String, String);

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let Some(at) = args.iter().position(|arg| arg == "--child") {
        let args: Vec<&str> = args[at + 1..].iter().map(String::as_str).collect();
        for Row(what, measured, aim) in child(&args) {
            println!("| {what} | {measured} | {aim} |");
        }
        return;
    }
    let quick = args.iter().any(|arg| arg == "--quick");
    println!("| what | measured | aim |\n|---|---|---|");
    let scenarios: &[&str] = if quick {
        &[
            "resync 1 1000",
            "apps 100",
            "deploy",
            "edits 10",
            "hour 1 400",
            "restart 500",
            "tables 100",
            "drift 40",
            "events 40",
            "wire-stacks 20",
            "follow 5",
        ]
    } else {
        &[
            "resync 1 1000",
            "resync 1 10000",
            "resync 100 100",
            "resync 1000 100",
            "apps 1000",
            "deploy",
            "edits 100",
            "hour 1 400",
            "restart 5000",
            "tables 1000",
            "drift 400",
            "events 400",
            "wire-graph",
            "wire-stacks 100",
            "wire-limited 100",
            "follow 100",
        ]
    };
    for scenario in scenarios {
        let child = Command::new(std::env::current_exe().unwrap()).arg("--child").args(scenario.split(' ')).output();
        let child = child.unwrap();
        print!("{}", String::from_utf8_lossy(&child.stdout));
        if !child.status.success() {
            eprintln!("{scenario}: {}", String::from_utf8_lossy(&child.stderr));
        }
    }
}

fn child(args: &[&str]) -> Vec<Row> {
    match args {
        ["resync", environments, stacks] => idle::resync(environments.parse().unwrap(), stacks.parse().unwrap()),
        ["hour", environments, stacks] => idle::hour(environments.parse().unwrap(), stacks.parse().unwrap()),
        ["restart", stacks] => idle::restart(stacks.parse().unwrap()),
        ["apps", count] => apps::resync(count.parse().unwrap()),
        ["tables", count] => upkeep::tables(count.parse().unwrap()),
        ["drift", stacks] => upkeep::drift(stacks.parse().unwrap()),
        ["events", stacks] => events::told(stacks.parse().unwrap()),
        ["wire-graph"] => wire::graph(),
        ["wire-stacks", count] => wire::stacks(count.parse().unwrap()),
        ["wire-limited", count] => wire::limited(count.parse().unwrap()),
        ["follow", commits] => follow::latency(commits.parse().unwrap()),
        ["deploy"] => deploy::makespan(),
        ["edits", count] => edits::latency(count.parse().unwrap()),
        other => panic!("no such scenario: {other:?}"),
    }
}

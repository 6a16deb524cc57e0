//! The end: what it took, and what it would have taken.

use std::collections::BTreeMap;
use std::time::Duration;

use super::screen::{Screen, span};
use super::stage::Stage;
use crate::cli::exit::Trouble;
use crate::report;

pub(super) fn show(stage: &Stage, screen: &Screen, number: usize, wall: Duration) -> Result<(), Trouble> {
    let calls = stage.calls_since(0);
    let mut by_operation: BTreeMap<(bool, &str), usize> = BTreeMap::new();
    for call in &calls {
        *by_operation.entry((call.mutating, call.operation)).or_default() += 1;
    }
    screen.heading(number, "What it took")?;
    screen.say(&format!(
        "{} of AWS time, simulated in {}. {} AWS calls in total: {} reads and {} writes:",
        report::duration(stage.worked()),
        span(wall),
        calls.len(),
        calls.iter().filter(|call| !call.mutating).count(),
        calls.iter().filter(|call| call.mutating).count(),
    ))?;
    for ((mutating, operation), count) in by_operation {
        let sort = if mutating { "changes" } else { "looks" };
        screen.line(&format!("  {count:>6}  {operation:<28} {sort}"))?;
    }
    screen.gap()?;
    let commands = ["landfast --cloud sim plan dev", "landfast --cloud sim run"];
    screen.say("Use the same simulation for your own manifests:")?;
    for command in commands {
        screen.line(&format!("  {}", screen.paint.command(command)))?;
    }
    Ok(())
}

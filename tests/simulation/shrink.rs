//! Makes a failing scenario small: parts are left out as long as the same rule is broken.

use std::time::{Duration, Instant};

use crate::run::{Failure, play};
use crate::scenario::Scenario;

pub(crate) fn shrink(mut scenario: Scenario, mut failure: Failure, within: Duration) -> (Scenario, Failure) {
    let deadline = Instant::now() + within;
    let rule = failure.rule();
    loop {
        let before = scenario.size();
        for part in 0..5 {
            let length = |scenario: &Scenario| match part {
                0 => scenario.calls.len(),
                1 => scenario.windows.len(),
                2 => scenario.resources.len(),
                3 => scenario.events.len(),
                _ => scenario.fleet.units.len(),
            };
            let mut chunk = length(&scenario).div_ceil(2).max(1);
            loop {
                let mut at = 0;
                while at < length(&scenario) && Instant::now() < deadline {
                    let mut smaller = scenario.clone();
                    let range = at..(at + chunk).min(length(&scenario));
                    match part {
                        0 => drop(smaller.calls.drain(range)),
                        1 => drop(smaller.windows.drain(range)),
                        2 => drop(smaller.resources.drain(range)),
                        3 => drop(smaller.events.drain(range)),
                        _ => remove_unit(&mut smaller, at),
                    }
                    match play(&smaller) {
                        Err(again) if again.rule() == rule => (scenario, failure) = (smaller, *again),
                        _ => at += chunk,
                    }
                }
                if chunk == 1 {
                    break;
                }
                chunk = chunk.div_ceil(2);
            }
        }
        if scenario.size() == before || Instant::now() >= deadline {
            return (scenario, failure);
        }
    }
}

fn remove_unit(scenario: &mut Scenario, at: usize) {
    let Some(number) = scenario.fleet.units.keys().nth(at).copied() else { return };
    scenario.fleet.units.remove(&number);
    for unit in scenario.fleet.units.values_mut() {
        unit.upstream = unit.upstream.filter(|other| *other != number);
        unit.imports = unit.imports.filter(|other| *other != number);
    }
}

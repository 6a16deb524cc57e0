//! Makes a failing scenario small: parts are left out as long as the same rule is broken.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::run::{Failure, play};
use crate::scenario::Scenario;

pub(crate) fn shrink(mut scenario: Scenario, mut failure: Failure, within: Duration) -> (Scenario, Failure) {
    let deadline = Instant::now() + within;
    let rule = failure.rule();
    loop {
        let before = scenario.size();
        for part in 0..8 {
            let length = |scenario: &Scenario| match part {
                0 => scenario.calls.len(),
                1 => scenario.windows.len(),
                2 => scenario.resources.len(),
                3 => scenario.events.len(),
                4 => scenario.fleet.units.len(),
                5 => scenario.fleet.app.secrets.len(),
                6 => scenario.fleet.app.records.len(),
                _ => usize::from(scenario.fleet.web.is_some()),
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
                        4 => remove_unit(&mut smaller, at),
                        5 => remove_nth(&mut smaller.fleet.app.secrets, at),
                        6 => remove_nth(&mut smaller.fleet.app.records, at),
                        _ => smaller.fleet.web = None,
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

fn remove_nth<T>(of: &mut BTreeMap<u8, T>, at: usize) {
    if let Some(number) = of.keys().nth(at).copied() {
        of.remove(&number);
    }
}

fn remove_unit(scenario: &mut Scenario, at: usize) {
    let Some(number) = scenario.fleet.units.keys().nth(at).copied() else { return };
    scenario.fleet.units.remove(&number);
    for unit in scenario.fleet.units.values_mut() {
        unit.upstream = unit.upstream.filter(|other| *other != number);
        unit.imports = unit.imports.filter(|other| *other != number);
    }
    for named in scenario.fleet.app.records.values_mut() {
        named.upstream = named.upstream.filter(|other| *other != number);
    }
}

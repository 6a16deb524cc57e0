//! What somebody changes past the stacks of a seeded scenario. Where the manifest says so it is put back, never more often
//! than it may be; where it does not, it stays (L3, S21). What is in the way of a revert goes wrong like everything else.

use std::time::Duration;

use landfast::model::StackName;
use landfast::plan::{Standing, row};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::fleet::{Fleet, stack_name};
use crate::run::Run;
use crate::scenario::{Act, Event, Scenario};

/// What is changed: a property that no edit of a fleet changes.
pub(crate) const RESOURCE: &str = "Topic";
pub(crate) const PROPERTY: &str = "/Tracing";

/// So soon after a creation what differs is taken for AWS's own doing: a person who is as quick is not told from it.
const SETTLED: jiff::SignedDuration = jiff::SignedDuration::from_mins(40);

/// What was changed so often before is not put back once more: somebody means it.
const OFTEN: usize = 3;

impl Scenario {
    /// Gives half of all seeds stacks that put drift back, and somebody who makes it.
    pub(crate) fn add_tampering(&mut self) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ 0xd21f7);
        if rng.random() {
            return;
        }
        for unit in self.fleet.units.values_mut() {
            unit.revert = rng.random_bool(0.7);
        }
        for _ in 0..rng.random_range(0..6) {
            let at = rng.random_range(0..self.until);
            let act = Act::Tamper(rng.random_range(1..4));
            self.events.push((at, Event::Console { stack: rng.random_range(0..8), act }));
        }
        self.events.sort_by_key(|(at, _)| *at);
    }
}

impl Run<'_> {
    /// Somebody sets a property by hand.
    pub(crate) fn tamper(&self, name: &StackName, value: u8) -> bool {
        self.rig.console().change_resource(name, RESOURCE, PROPERTY, json!(format!("by hand {value}"))).is_ok()
    }

    /// Whoever has changed something takes it back: what the daemon has seen of it is no longer so.
    pub(crate) fn take_back(&self) {
        for record in self.rig.cloud.inventory().stacks.iter().filter(|record| !record.is_deleted()) {
            let _ = self.rig.console().repair(&record.state.name, RESOURCE);
        }
    }

    /// A last change of every stack that is at rest, which nothing tells of.
    pub(crate) fn last_tampering(&mut self) {
        let now = self.rig.cx.now();
        let inventory = self.rig.cloud.inventory();
        let units = self.rig.repo.lock().unwrap().fleet.units.clone();
        for (number, unit) in units {
            let name = stack_name(number);
            let Some(record) = inventory.stack(&name) else { continue };
            let before = self.scenario.events.iter().filter(
                |(_, event)| matches!(event, Event::Console { stack, act: Act::Tamper(_) } if *stack == number),
            );
            if before.count() >= OFTEN {
                continue;
            }
            let settled = now.duration_since(record.state.created) > SETTLED;
            let name: StackName = name.parse().unwrap();
            if row(record.state.status).standing == Standing::Steady && settled && self.tamper(&name, 9) && unit.revert
            {
                self.tampered.insert(number);
            }
        }
    }

    /// L3: what was not put back.
    pub(crate) fn tampering_wrong(&self, fleet: &Fleet) -> Vec<String> {
        let reverting = self.tampered.iter().filter(|number| fleet.units.get(number).is_some_and(|unit| unit.revert));
        let left = reverting.filter(|number| {
            let name: StackName = stack_name(**number).parse().unwrap();
            let live = self.rig.console().live(&name, RESOURCE, PROPERTY);
            live.is_some_and(|live| live.as_str().is_some_and(|text| text.starts_with("by hand")))
        });
        left.map(|number| format!("what was changed of {} was not put back", stack_name(*number))).collect()
    }
}

/// Calls for looks at drift in two quiet resyncs: a third of the stacks, ten calls each.
pub(crate) fn calls(fleet: &Fleet) -> u64 {
    if fleet.units.values().any(|unit| unit.revert) { 60 } else { 0 }
}

/// How often everything is looked at, where drift is put back.
pub(crate) const EVERY: Duration = Duration::from_mins(30);

//! The same commits, with and without everything that goes wrong, come to the same end by the same deletions.

use std::collections::BTreeMap;

use landfast::plan::OWNER_TAG;
use landfast::sim::{Inventory, ResourceOperation};

use crate::run::play;
use crate::scenario::{Event, Scenario};
use crate::seeds::report;

/// An hour apart, so that each commit has been applied before the next, whatever goes wrong.
fn spaced(seed: u64) -> Scenario {
    let mut scenario = Scenario::from_seed(seed);
    scenario.events.retain(|(_, event)| {
        matches!(event, Event::Edit { .. } | Event::Crash { .. } | Event::Stop { .. } | Event::LoseStore)
    });
    let mut hour = 0;
    for (at, event) in &mut scenario.events {
        if let Event::Edit { told, .. } = event {
            hour += 1;
            *told = true;
            *at = hour * 7_200;
        }
    }
    scenario.events.sort_by_key(|(at, _)| *at);
    scenario.until = (hour + 1) * 7_200;
    // What cannot be deleted, or never ends, waits for a person.
    scenario.resources.retain(|fault| {
        fault.operation == ResourceOperation::Create
            && fault.times < 3
            && format!("{:?}", fault.what).contains("NotStabilized")
    });
    scenario.windows.clear();
    scenario.fleet.policy.deletions = 50;
    for unit in scenario.fleet.units.values_mut() {
        unit.timeout = None;
    }
    scenario
}

/// The end, without what differs from run to run.
fn masked(inventory: Option<&Inventory>) -> BTreeMap<String, String> {
    let live = inventory.into_iter().flat_map(|inventory| &inventory.stacks).filter(|record| !record.is_deleted());
    live.map(|record| {
        let state = &record.state;
        let resources: Vec<&String> = record.resources.keys().collect();
        let what = format!("{} {:?} {:?} {resources:?}", record.template, record.parameters, state.tags);
        // What AWS calls a nested stack is another name in each run, and it has the tags of its root.
        let name =
            if state.parent.is_some() { format!("in {:?}", state.tags.get(OWNER_TAG)) } else { state.name.to_string() };
        (name, what)
    })
    .collect()
}

#[test]
fn what_goes_wrong_changes_neither_the_end_nor_what_is_deleted() {
    let seeds = 12_u64;
    std::thread::scope(|threads| {
        for half in 0..2_u64 {
            threads.spawn(move || {
                for seed in (half..seeds).step_by(2) {
                    let faulty = spaced(seed);
                    let mut calm = faulty.clone();
                    calm.calls.clear();
                    calm.resources.clear();
                    calm.events.retain(|(_, event)| matches!(event, Event::Edit { .. }));
                    let run =
                        |scenario: &Scenario| play(scenario).unwrap_or_else(|why| panic!("{}", report(scenario, &why)));
                    let (faulty, calm) = (run(&faulty), run(&calm));
                    assert_eq!(masked(faulty.end.as_ref()), masked(calm.end.as_ref()), "seed {seed}");
                    assert_eq!(faulty.deleted, calm.deleted, "seed {seed}: deletions of healthy stacks");
                }
            });
        }
    });
}

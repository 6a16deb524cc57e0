//! What is within a stack of a stack: CloudFormation makes no change set that reverts drift and includes nested stacks, so
//! that it is told, and left to a person. What is remembered of them is written into the journal here: the simulation makes
//! none.

use landfast::model::{Ailment, Entry, Key, Severity, Skipped, StackMemory, Verdict};

use super::*;

fn app() -> Key {
    "dev/stack/app".parse().unwrap()
}

impl World {
    fn remember(&self, change: impl FnOnce(&mut StackMemory)) {
        let store = self.store();
        store.cache(&app(), change);
        store.flush().unwrap();
    }

    fn entry(&self) -> Entry {
        self.plan().entries.remove(&app()).unwrap()
    }
}

/// Nothing is to be done, for this reason.
fn held(entry: &Entry, guard: Guard) {
    let [refusal] = entry.refused.as_slice() else { panic!("{entry:#?}") };
    assert!(refusal.guard == guard && refusal.reason.contains("includes nested stacks"), "{refusal:?}");
    assert!(entry.step.is_none(), "{entry:#?}");
}

#[test]
fn drift_within_a_nested_stack_is_told_and_not_put_back() {
    let mut world = deployed(REVERT, SimConfig::default());
    world.remember(|memory| {
        let look = memory.drift.seen.as_mut().unwrap();
        let found = Finding::of(app(), look.at, Verdict::Drift(Severity::Medium));
        let (resource, property) = (Some("Network/Gateway".to_owned()), Some("/Mode".to_owned()));
        look.findings.push(Finding { resource, property, ..found });
    });
    let entry = world.entry();
    assert_eq!(entry.action, Action::Revert);
    held(&entry, Guard::Revert);
    let before = world.mutations();
    world.run(HOUR);
    assert_eq!(world.mutations(), before);
}

#[test]
fn what_a_rollback_left_out_within_a_nested_stack_is_brought_into_step_there_by_a_person() {
    let mut world = deployed(REVERT, SimConfig::default());
    world.remember(|memory| {
        let stack = memory.healthy.clone().unwrap();
        let resources = ["Network.Gateway".to_owned()].into();
        memory.skipped =
            Some(Box::new(Skipped { stack, resources, since: "2026-01-01T00:30:00Z".parse().unwrap(), failed: None }));
    });
    let entry = world.entry();
    held(&entry, Guard::OutOfStep);
    assert!(entry.ailments.iter().any(|one| one.ailment == Ailment::OutOfStep), "{:#?}", entry.ailments);
    let before = world.mutations();
    world.run(HOUR);
    assert_eq!(world.mutations(), before, "nor does anything else update the stack before");
}

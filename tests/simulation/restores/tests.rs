//! Restore tests: what they prove, what they measure, and that nothing of them is left whatever happens.

use landfast::sim::{Fault, FaultPlan, Window};

use super::*;

#[test]
fn a_restore_test_proves_a_good_point_measures_it_and_leaves_nothing_behind() {
    let mut world = World::new(spec(100));
    world.run(2 * HOUR, FOREVER);
    let memory = world.remembered();
    let proof = memory.proofs.get(&table(TABLE)).expect("it was tested");
    assert_eq!(proof.failed, None);
    let compared = proof.compared.as_ref().unwrap();
    assert!(compared.compared >= 20 && compared.equal == compared.compared, "{compared:?}");
    let count = compared.count.expect("its items are counted");
    assert_eq!((count.restored, count.source), (20, None), "its table is only counted where there seem to be too few");
    assert!((200..600).contains(&proof.took.unwrap()), "{proof:?}");
    assert!(proof.loss.unwrap() < 600, "{proof:?}");
    let point = proof.point.as_ref().unwrap();
    assert!(memory.tables[&table(TABLE)].points[point].verified.is_some());
    assert_eq!(memory.profiles.len(), 1);
    assert_eq!(world.test_tables(), Vec::<TableName>::new());
    world.hold();
}

#[test]
fn a_restore_test_fails_where_too_many_items_differ() {
    let world = tampered();
    let memory = world.remembered();
    let proof = &memory.proofs[&table(TABLE)];
    assert!(proof.failed.as_ref().unwrap().contains("differ"), "{proof:?}");
    let verified = memory.tables[&table(TABLE)].points.values().filter(|point| point.verified.is_some()).count();
    assert_eq!((verified, world.test_tables().len()), (0, 0));
    world.hold();
}

#[test]
fn whatever_answer_is_lost_there_is_one_test_table_and_it_goes_again() {
    for operation in ["RestoreTableFromBackup", "TagResource", "DeleteTable", "DescribeTable", "Scan", "BatchGetItem"] {
        for fault in [Fault::ErrorBefore, Fault::ErrorAfter, Fault::TimeoutAfter, Fault::HangAfter, Fault::Throttle] {
            let mut world = World::new(spec(100));
            let faults = FaultPlan {
                windows: vec![Window {
                    from: Duration::ZERO,
                    until: Duration::from_mins(12),
                    scope: None,
                    operations: BTreeSet::from([operation.to_owned()]),
                    fault: fault.clone(),
                }],
                ..FaultPlan::default()
            };
            world.cloud.set_faults(faults);
            world.run(4 * HOUR, FOREVER);
            let memory = world.remembered();
            let proof = memory.proofs.get(&table(TABLE)).unwrap_or_else(|| panic!("{operation} {fault:?}: {memory:?}"));
            assert_eq!(proof.failed, None, "{operation} {fault:?}");
            assert_eq!(world.test_tables().len(), 0, "{operation} {fault:?}");
            world.hold();
        }
    }
}

#[test]
fn killed_at_any_moment_a_test_comes_to_its_end() {
    let whole = World::new(spec(100)).run(HOUR, FOREVER);
    let step = (whole / 40).max(1);
    for dies_at in (1..whole).step_by(usize::try_from(step).unwrap()) {
        let mut world = World::new(spec(100));
        world.run(HOUR, dies_at);
        world.run(HOUR, dies_at / 2 + 7);
        world.run(3 * HOUR, FOREVER);
        let memory = world.remembered();
        assert_eq!(memory.proofs.get(&table(TABLE)).expect("it was tested").failed, None, "killed at {dies_at}");
        assert_eq!(world.test_tables().len(), 0, "killed at {dies_at}");
        world.hold();
    }
}

#[test]
fn a_foreign_table_of_the_name_of_a_test_is_never_deleted() {
    let mut world = World::new(spec(100));
    let name = world.run_until_tested();
    // Somebody deletes it once it is there, and makes his own of that name.
    world.clock.drive(world.cx.sleep(Duration::from_mins(4))).unwrap();
    world.console().delete_table(&name).unwrap();
    world.clock.drive(world.cx.sleep(Duration::from_mins(1))).unwrap();
    world.console().create_table(&NewTable::keyed(name.clone(), "id")).unwrap();
    world.run(2 * HOUR, FOREVER);
    assert_eq!(world.test_tables(), std::slice::from_ref(&name));
    assert!(world.remembered().proofs[&table(TABLE)].failed.as_ref().unwrap().contains("another table"));
    world.hold();
}

#[test]
fn over_its_objective_a_policy_is_not_ready_and_says_so() {
    let mut world = World::new(spec(100));
    let minutes = |rto, rpo| Objectives { rto: Some(Duration::from_mins(rto)), rpo: Some(Duration::from_mins(rpo)) };
    world.spec.objectives = minutes(60, 60);
    world.run(2 * HOUR, FOREVER);
    let within = world.entry();
    assert!(within.ready && within.refused.is_empty(), "{within:?}");
    let status = within.status.unwrap();
    assert!(status.contains("RTO") && status.contains("RPO"), "{status}");
    for (objectives, told) in [(minutes(1, 60), "the restore took"), (minutes(60, 1), "the data loss would be")] {
        world.spec.objectives = objectives;
        world.spec.digest = Digest::of(&told);
        world.run(HOUR, FOREVER);
        let over = world.entry();
        let [refused] = over.refused.as_slice() else { panic!("{:?}", over.refused) };
        assert!(!over.ready && refused.reason.contains(told), "{refused:?}");
        assert!(refused.release.contains("landfast backup verify dev/backuppolicy/tables"), "{refused:?}");
    }
    world.spec.objectives = minutes(60, 60);
    world.run(HOUR, FOREVER);
    assert!(world.entry().ready);
    world.hold();
}

#[test]
fn a_test_whose_table_never_becomes_active_fails_at_its_deadline_and_is_cleaned_up() {
    let mut world = World::new(spec(100));
    let name = world.run_until_tested();
    world.console().keep_table_creating(&name, true).unwrap();
    world.run(23 * HOUR, FOREVER);
    assert!(world.entry().refused.is_empty(), "it may take hours");
    world.run(2 * HOUR, FOREVER);
    let late = world.entry();
    assert!(!late.ready);
    assert!(
        late.refused.iter().any(|refused| refused.reason.contains("did not become available within a day")),
        "{late:?}"
    );
    // What is being made cannot be deleted; it goes once it can.
    assert_eq!(world.test_tables(), std::slice::from_ref(&name));
    world.console().keep_table_creating(&name, false).unwrap();
    world.run(HOUR, FOREVER);
    let memory = world.remembered();
    assert!(memory.proofs[&table(TABLE)].failed.as_ref().unwrap().contains("did not become available within a day"));
    assert!(memory.tables[&table(TABLE)].points.values().all(|point| point.verified.is_none()));
    assert_eq!(world.test_tables(), Vec::<TableName>::new());
    assert!(!world.entry().ready, "it is not proven");
    world.hold();
}

/// What a seed makes of a number: a number below it.
fn drawn(seed: u64, nth: u64, below: u64) -> u64 {
    let digest = Digest::of(&(seed, nth));
    u64::from_str_radix(&digest.as_str()[..12], 16).unwrap() % below
}

#[test]
fn whatever_reads_are_stale_and_whatever_calls_fail_a_test_is_made_once_and_goes_again() {
    const READS: [&str; 5] =
        ["DescribeTable", "ListTables", "ListBackups", "DescribeContinuousBackups", "ListTagsOfResource"];
    let faults = [Fault::ErrorBefore, Fault::ErrorAfter, Fault::TimeoutAfter, Fault::HangAfter, Fault::Throttle];
    for seed in 0..12_u64 {
        let mut world = World::new(spec(100));
        // Somebody else's table that has the name of nothing of ours is there all the time.
        world.console().create_table(&NewTable::keyed(table("landfast-tester"), "id")).unwrap();
        let windows = (0..6_u64).map(|nth| {
            let draw = |what: u64, below| drawn(seed, nth * 10 + what, below);
            let from = Duration::from_secs(draw(0, 1_200));
            Window {
                from,
                until: from + Duration::from_secs(draw(1, 900)),
                scope: None,
                operations: BTreeSet::from([READS[usize::try_from(draw(2, 5)).unwrap()].to_owned()]),
                fault: Fault::Stale(Duration::from_secs(1 + draw(3, 100))),
            }
        });
        let calls = (0..12_u64).map(|nth| {
            let which = usize::try_from(drawn(seed, 1_000 + nth, 5)).unwrap();
            (drawn(seed, 2_000 + nth, 300), faults[which].clone())
        });
        world.cloud.set_faults(FaultPlan {
            windows: windows.collect(),
            calls: calls.collect(),
            ..FaultPlan::default()
        });
        world.run(4 * HOUR, FOREVER);
        let memory = world.remembered();
        let proof = memory.proofs.get(&table(TABLE)).unwrap_or_else(|| panic!("seed {seed}: {memory:?}"));
        assert_eq!(proof.failed, None, "seed {seed}");
        assert_eq!(world.test_tables().len(), 0, "seed {seed}");
        assert!(world.console().table(&table("landfast-tester")).is_some(), "seed {seed}");
        world.hold();
    }
}

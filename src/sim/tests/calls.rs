//! Calls that go wrong, pages, other regions, what survives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{FENCE, Rig, TWO, map, request, stack_name};
use crate::model::{AssumeRole, Scope, StackStatus};
use crate::ports::{Class, Cloud};
use crate::sim::{Fault, FaultPlan, ReadRate, SimConfig, Window};

/// One fault for the next call.
fn next(rig: &Rig, fault: Fault) {
    let calls = [(rig.cloud.calls(), fault)].into();
    rig.cloud.set_faults(FaultPlan { calls, ..FaultPlan::default() });
}

#[test]
fn a_call_fails_before_or_after_it_took_effect() {
    let rig = Rig::new();
    for (fault, class, applied) in [
        (Fault::Throttle, Class::Throttled, false),
        (Fault::ErrorBefore, Class::Transient, false),
        (Fault::ErrorAfter, Class::Transient, true),
        (Fault::TimeoutBefore, Class::Transient, false),
        (Fault::TimeoutAfter, Class::Transient, true),
        (Fault::Denied, Class::Denied, false),
    ] {
        let name = format!("{fault:?}");
        next(&rig, fault);
        let failed = rig.create(request(&name, TWO)).unwrap_err();
        assert_eq!(failed.class, class, "{name}");
        assert_eq!(rig.cloud.inventory().stack(&name).is_some(), applied, "{name}");
        let audit = rig.cloud.audit();
        let call = audit.last().unwrap();
        assert_eq!(
            (call.applied, call.class, call.mutating, call.fence),
            (applied, Some(class), true, Some(FENCE)),
            "{name}"
        );
        rig.create(request(&name, TWO)).expect("the same token again");
    }
}

#[test]
fn a_call_that_hangs_never_returns_whether_it_took_effect_or_not() {
    let rig = Rig::new();
    for (name, fault, applied) in [("lost", Fault::Hang, false), ("silent", Fault::HangAfter, true)] {
        next(&rig, fault);
        let answer = rig.run(rig.cx.timeout(Duration::from_hours(5), rig.stacks.create(FENCE, request(name, TWO))));
        assert!(answer.is_none());
        assert_eq!(rig.cloud.inventory().stack(name).is_some(), applied);
    }
    next(&rig, Fault::Slow(Duration::from_mins(3)));
    let before = rig.cx.elapsed();
    rig.run(rig.stacks.caller()).unwrap();
    assert!(rig.cx.elapsed().checked_sub(before).unwrap() >= Duration::from_mins(3));
}

#[test]
fn a_stale_read_sees_the_past_and_the_next_read_may_not() {
    let rig = Rig::new();
    let id = rig.deployed("one", TWO);
    rig.run(rig.stacks.delete(FENCE, &id, &std::collections::BTreeSet::new(), "d")).unwrap();
    rig.pass(Duration::from_mins(5));
    next(&rig, Fault::Stale(Duration::from_mins(6)));
    let past = rig.run(rig.stacks.list(None)).unwrap().items;
    assert_eq!(past[0].status, StackStatus::CreateComplete);
    next(&rig, Fault::Stale(Duration::from_mins(6)));
    assert_eq!(rig.run(rig.stacks.describe(&stack_name("one"))).unwrap().unwrap().status, StackStatus::CreateComplete);
    assert!(rig.run(rig.stacks.describe(&stack_name("one"))).unwrap().is_none());
    rig.create(request("two", TWO)).unwrap();
    next(&rig, Fault::Stale(Duration::from_secs(10)));
    assert!(rig.run(rig.stacks.describe(&stack_name("two"))).unwrap().is_none(), "not there yet");
}

#[test]
fn pages_neither_repeat_nor_miss_a_stack_while_others_come_and_go() {
    let rig = Rig::with(SimConfig { page_size: 3, ..SimConfig::default() });
    for n in 0..8 {
        rig.deployed(&format!("s{n}"), TWO);
    }
    let first = rig.run(rig.stacks.list(None)).unwrap();
    assert_eq!(first.items.len(), 3);
    rig.console.delete_stack(&stack_name("s0")).unwrap();
    rig.console.delete_stack(&stack_name("s2")).unwrap();
    rig.console.create_stack(&stack_name("a"), TWO, &BTreeMap::new(), &BTreeMap::new()).unwrap();
    rig.pass(Duration::from_mins(5));
    let mut seen: Vec<String> = first.items.iter().map(|state| state.name.to_string()).collect();
    let mut page = first.next;
    while let Some(token) = page {
        next(&rig, Fault::PartialPage);
        let read = rig.run(rig.stacks.list(Some(token))).unwrap();
        seen.extend(read.items.iter().map(|state| state.name.to_string()));
        page = read.next;
    }
    assert_eq!(seen, ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"]);
}

#[test]
fn a_page_may_be_short_and_even_empty_and_still_not_be_the_last() {
    let rig = Rig::new();
    let id = rig.deployed("one", TWO);
    next(&rig, Fault::PartialPage);
    let page = rig.run(rig.stacks.list(None)).unwrap();
    assert_eq!((page.items.len(), page.next.is_some()), (0, true));
    assert_eq!(rig.run(rig.stacks.list(page.next)).unwrap().items.len(), 1);
    let all = rig.events(&id);
    next(&rig, Fault::PartialPage);
    let short = rig.run(rig.stacks.events(&id, None)).unwrap();
    assert!(short.items.len() < all.len());
    let rest = rig.run(rig.stacks.events(&id, short.next)).unwrap().items;
    assert_eq!([short.items, rest].concat(), all);
}

#[test]
fn accounts_and_regions_are_separate_and_a_role_decides_the_account() {
    let rig = Rig::new();
    rig.deployed("one", TWO);
    let west = Scope { region: "us-west-2".parse().unwrap(), ..rig.scope.clone() };
    assert!(rig.run(rig.cloud.stacks(&west, None).list(None)).unwrap().items.is_empty());
    let role = AssumeRole {
        arn: "arn:aws:iam::999988887777:role/landfast".parse().unwrap(),
        external_id: None,
        session_name: "landfast".into(),
    };
    let other = rig.cloud.stacks(&rig.scope, Some(&role));
    assert_eq!(rig.run(other.caller()).unwrap().as_str(), "999988887777");
    assert!(rig.run(other.list(None)).unwrap().items.is_empty(), "the call reaches the role's account");
    assert_eq!(rig.run(rig.stacks.caller()).unwrap(), rig.scope.account);
}

#[test]
fn a_region_that_is_out_answers_nobody_and_the_others_do() {
    let rig = Rig::new();
    let from = rig.cx.elapsed();
    rig.cloud.set_faults(FaultPlan {
        windows: vec![Window {
            from,
            until: from + Duration::from_mins(10),
            scope: Some(rig.scope.clone()),
            operations: BTreeSet::new(),
            fault: Fault::ErrorBefore,
        }],
        ..FaultPlan::default()
    });
    let west = Scope { region: "us-west-2".parse().unwrap(), ..rig.scope.clone() };
    assert_eq!(rig.run(rig.stacks.list(None)).unwrap_err().class, Class::Transient);
    rig.run(rig.cloud.stacks(&west, None).list(None)).unwrap();
    rig.pass(Duration::from_mins(10));
    rig.run(rig.stacks.list(None)).unwrap();
}

#[test]
fn reads_are_throttled_beyond_their_rate() {
    let reads = Some(ReadRate { per_second: 5.0, burst: 10.0 });
    let rig = Rig::with(SimConfig { reads, latency: Duration::ZERO, ..SimConfig::default() });
    let answered = |calls: usize| (0..calls).filter(|_| rig.run(rig.stacks.list(None)).is_ok()).count();
    assert_eq!(answered(30), 10);
    rig.pass(Duration::from_secs(1));
    assert_eq!(answered(30), 5);
}

#[test]
fn a_snapshot_goes_on_where_it_stopped_in_another_process() {
    let rig = Rig::new();
    rig.deployed("done", TWO);
    rig.create(request("half", TWO)).unwrap();
    rig.pass(Duration::from_secs(22));
    let text = rig.cloud.snapshot().unwrap().to_string();
    let later = Rig::new();
    later.clock.step_clock(24 * 3600);
    later.cloud.restore(serde_json::from_str(&text).unwrap()).unwrap();
    assert_eq!(later.state("half").status, StackStatus::CreateComplete, "it was done in the meantime");
    assert_eq!(later.cloud.inventory().stack("done"), rig.cloud.inventory().stack("done"));
    later.console.set_tag(&stack_name("done"), "a", "b").unwrap();
    assert_eq!(later.status_after("done", 5), StackStatus::UpdateComplete);
}

#[test]
fn a_monitor_sees_the_stack_as_it_is_just_before_a_mutation() {
    let rig = Rig::new();
    let id = rig.deployed("one", TWO);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    rig.cloud.set_monitor(Box::new(move |view, call| {
        let stack = call.target.parse().ok().and_then(|id| view.stack(&id).map(|state| state.status));
        log.lock().unwrap().push((call.operation, stack));
    }));
    rig.run(rig.stacks.delete(FENCE, &id, &std::collections::BTreeSet::new(), "d")).unwrap();
    rig.run(rig.stacks.list(None)).unwrap();
    assert_eq!(*seen.lock().unwrap(), [("DeleteStack", Some(StackStatus::CreateComplete))]);
}

#[test]
fn the_daemons_clock_is_not_the_clock_of_aws() {
    let rig = Rig::new();
    rig.clock.step_clock(-86_400);
    rig.deployed("one", TWO);
    assert!(rig.state("one").created.to_string().starts_with("2026-01-01"));
}

#[test]
fn backups_are_as_the_test_says() {
    let rig = Rig::new();
    let kind = "AWS::DynamoDB::Table";
    assert_eq!(rig.run(rig.stacks.newest_backup(kind, "people")).unwrap(), None);
    rig.console.set_newest_backup(kind, "people", Some(rig.cx.now()));
    assert!(rig.run(rig.stacks.newest_backup(kind, "people")).unwrap().is_some());
}

#[test]
fn equal_runs_give_equal_worlds() {
    let run = || {
        let rig = Rig::new();
        let id = rig.deployed("one", TWO);
        rig.console.set_tag(&stack_name("one"), "a", "b").unwrap();
        rig.pass(Duration::from_mins(5));
        (rig.events(&id), rig.cloud.snapshot().unwrap().to_string())
    };
    assert_eq!(run(), run());
}

#[test]
fn a_simulation_runs_faster_than_aws_if_asked_to() {
    let rig = Rig::with(SimConfig { speed: 60.0, ..SimConfig::default() });
    rig.create(request("one", TWO)).unwrap();
    rig.pass(Duration::from_secs(2));
    assert_eq!(rig.state("one").status, StackStatus::CreateComplete);
}

#[test]
fn ten_thousand_stacks_are_listed_quickly() {
    let rig = Rig::with(SimConfig { stack_quota: 20_000, latency: Duration::ZERO, ..SimConfig::default() });
    for n in 0..10_000 {
        let mut wanted = request(&format!("s{n}"), TWO);
        wanted.options.tags = map(&[("owner", "landfast"), ("env", "dev")]).into();
        rig.create(wanted).unwrap();
    }
    rig.pass(Duration::from_mins(5));
    rig.run(rig.stacks.caller()).unwrap();
    let started = std::time::Instant::now();
    let (mut page, mut seen) = (None, 0);
    loop {
        let read = rig.run(rig.stacks.list(page)).unwrap();
        seen += read.items.len();
        page = read.next;
        if page.is_none() {
            break;
        }
    }
    assert_eq!(seen, 10_000);
    // Milliseconds, in fact; the limit only says that it is not quadratic.
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

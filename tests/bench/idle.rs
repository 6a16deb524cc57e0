//! What it costs when there is nothing to do.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use landfast::controller::{Ended, Until, tend_all};

use crate::fleet::{Fleet, shown};
use crate::{Row, process};

/// One look at everything by a daemon that has seen it before.
pub(crate) fn resync(environments: usize, stacks: usize) -> Vec<Row> {
    let fleet = Fleet::deployed(environments, stacks);
    let (controller, _) = fleet.start();
    settle(&fleet, &controller);
    let first = fleet.cloud.calls();
    let (wall, cpu) = (Instant::now(), process::cpu());
    settle(&fleet, &controller);
    let (wall, cpu) = (wall.elapsed(), process::cpu().saturating_sub(cpu));
    let calls = fleet.calls(first);
    let peak = process::memory("VmHWM");
    let what = format!("resync of {} stacks ({environments} × {stacks}), nothing to do", environments * stacks);
    let pages = environments * stacks.div_ceil(100);
    let aim = |ten: &str, hundred: &str| match environments * stacks {
        0..10_000 => "–".to_owned(),
        10_000..100_000 => ten.to_owned(),
        _ => hundred.to_owned(),
    };
    vec![
        Row(format!("{what}: wall"), format!("{:.0} ms", wall.as_secs_f64() * 1e3), "–".to_owned()),
        Row(format!("{what}: CPU"), format!("{} ms", cpu.as_millis()), aim("≤ 100 ms", "≤ 2,000 ms")),
        Row(
            format!("{what}: peak memory"),
            format!("{:.0} MiB, and {:.0} MiB of the simulated AWS", peak - fleet.cloud_memory, fleet.cloud_memory),
            aim("≤ 80 MiB", "≤ 600 MiB"),
        ),
        Row(format!("{what}: calls"), shown(&calls), format!("≤ {pages} pages")),
    ]
}

/// An hour of the daemon in which nothing happens.
pub(crate) fn hour(environments: usize, stacks: usize) -> Vec<Row> {
    let fleet = Fleet::deployed(environments, stacks);
    let (controller, _) = fleet.start();
    settle(&fleet, &controller);
    let first = fleet.cloud.calls();
    during(&fleet, &controller, Duration::from_hours(1));
    let what = format!("an hour at rest with {} stacks: calls", environments * stacks);
    vec![Row(what, shown(&fleet.calls(first)), format!("≤ {} pages", 14 * environments * stacks.div_ceil(100)))]
}

/// The daemon is started again: with its journal, and without.
pub(crate) fn restart(stacks: usize) -> Vec<Row> {
    let fleet = Fleet::deployed(1, stacks);
    let mut rows = Vec::new();
    for with in ["without", "with"] {
        let (controller, _) = fleet.start();
        let (first, began) = (fleet.cloud.calls(), fleet.cx.now());
        settle(&fleet, &controller);
        let took = fleet.cx.now().duration_since(began);
        let mut seconds: BTreeMap<i64, usize> = BTreeMap::new();
        for call in fleet.cloud.audit().iter().filter(|call| call.index >= first) {
            *seconds.entry(call.at.duration_since(began).as_secs()).or_default() += 1;
        }
        rows.push(Row(
            format!("restart with {stacks} stacks, {with} the journal"),
            format!(
                "at most {} calls in a second, {}, over after {} s",
                seconds.values().max().copied().unwrap_or_default(),
                shown(&fleet.calls(first)),
                took.as_secs()
            ),
            "no burst beyond the governor's".to_owned(),
        ));
    }
    rows
}

pub(crate) fn settle(fleet: &Fleet, controller: &landfast::controller::Controller) {
    let ended = fleet.clock.drive(tend_all(controller, Until::Settled)).unwrap().unwrap();
    for ended in ended.values() {
        let Ended::Settled(plan) = ended else { panic!("stopped") };
        assert!(plan.in_sync(), "{:?}", plan.entries.values().find(|entry| !entry.ready));
    }
}

pub(crate) fn during(fleet: &Fleet, controller: &landfast::controller::Controller, time: Duration) {
    let tend = Box::pin(tend_all(controller, Until::Stopped));
    let over = fleet.clock.drive(select(tend, Box::pin(fleet.cx.sleep(time)))).unwrap();
    assert!(matches!(over, Either::Right(_)), "the daemon ended");
}

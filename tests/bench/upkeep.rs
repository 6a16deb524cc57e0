//! What backups and drift cost while nothing changes.

use std::collections::BTreeMap;
use std::time::Duration;

use landfast::model::{FileContent, Snapshot};
use landfast::sim::NewTable;

use crate::fleet::{Fleet, environment, shown};
use crate::idle::{during, settle};
use crate::{Row, process};

const DAY: Duration = Duration::from_hours(24);
const HOUR: Duration = Duration::from_hours(1);

/// So many tables under one policy: the first look, an hour with nothing to do, and the hour in which each is backed up.
pub(crate) fn tables(count: usize) -> Vec<Row> {
    let fleet = Fleet::with(policy(), 0, |fleet| {
        let desired = fleet.load().desired;
        let Some(environment) = desired.environments.values().next() else { return };
        let console = fleet.cloud.console(&environment.scope);
        for index in 0..count {
            console.create_table(&NewTable::keyed(format!("bench-{index:05}").parse().unwrap(), "id")).unwrap();
        }
    });
    let (controller, _) = fleet.start();
    let (mut first, began) = (fleet.cloud.calls(), fleet.cx.now());
    settle(&fleet, &controller);
    let took = fleet.cx.now().duration_since(began);
    let protected = fleet.calls(first);
    let mut hour = |wait: Duration| {
        fleet.clock.drive(fleet.cx.sleep(wait)).unwrap();
        settle(&fleet, &controller);
        first = fleet.cloud.calls();
        let cpu = process::cpu();
        during(&fleet, &controller, HOUR);
        (shown(&fleet.calls(first)), process::cpu().saturating_sub(cpu))
    };
    // It is noon; the backups are due at three at night.
    let (idle, cpu) = hour(HOUR);
    let (night, _) = hour(Duration::from_mins(810));
    let what = format!("{count} tables under one policy");
    let pages = count.div_ceil(100);
    vec![
        Row(
            format!("{what}: protected and backed up for the first time"),
            format!("{}, over after {} s", shown(&protected), took.as_secs()),
            format!("{count} of each that changes something"),
        ),
        Row(
            format!("{what}, an hour at rest: calls"),
            idle,
            format!("≤ 14 × {pages} pages of each listing; {count} DescribeTable as it begins, and 14 × 100"),
        ),
        Row(format!("{what}, an hour at rest: CPU"), format!("{} ms", cpu.as_millis()), "–".to_owned()),
        Row(format!("{what}, the hour of their backups: calls"), night, format!("{count} CreateBackup")),
    ]
}

/// A day in which the daemon looks for drift in so many stacks, each four times.
pub(crate) fn drift(stacks: usize) -> Vec<Row> {
    let fleet = Fleet::deployed(1, stacks);
    let (controller, _) = fleet.start();
    settle(&fleet, &controller);
    let first = fleet.cloud.calls();
    during(&fleet, &controller, DAY);
    let mut minutes: BTreeMap<i64, usize> = BTreeMap::new();
    for call in fleet.cloud.audit().iter().filter(|call| call.index >= first && call.operation == "DetectStackDrift") {
        *minutes.entry(call.at.as_second() / 60).or_default() += 1;
    }
    let most = minutes.values().max().copied().unwrap_or_default();
    vec![Row(
        format!("a day of looking for drift in {stacks} stacks: calls"),
        format!("{}; at most {most} DetectStackDrift in a minute", shown(&fleet.calls(first))),
        format!("{} DetectStackDrift, spread out", 4 * stacks),
    )]
}

fn policy() -> Snapshot {
    let policy = "apiVersion: landfast/v1\nkind: BackupPolicy\nmetadata: { name: tables }\nspec:\n  \
         tables: { prefix: bench- }\n  pointInTimeRecovery: { window: 35d }\n  deletionProtection: true\n  \
         schedule: \"0 3 * * *\"\n  retention: { last: 3, daily: 7 }\n";
    let files =
        [("environments/bench.yaml", environment("bench", 100_000_000_000)), ("stacks/tables.yaml", policy.to_owned())];
    let files = files.map(|(path, text)| (path.to_owned(), FileContent::Bytes(text.into_bytes().into())));
    Snapshot::new("manifests", files.into(), None)
}

//! The act in which a backup is tried: by restoring it.

use std::time::Duration;

use serde_json::json;

use super::acts::in_sync;
use super::screen::{Screen, paragraphs};
use super::stage::{Process, Stage, told, untold};
use crate::cli::exit::Trouble;
use crate::controller::answer;
use crate::model::{Key, Request, TEST_PREFIX, TableName, Wish};
use crate::ports::PortError;
use crate::report;

/// A table of 20 GB. It is not all written down: how large it is decides how long a restore takes.
const BYTES: u64 = 20_000_000_000;
const ITEMS: usize = 60;

pub(super) fn rehearse(stage: &mut Stage, screen: &Screen) -> Result<(), Trouble> {
    screen.say(
        "Landfast backs up the tables every night. `landfast backup verify dev/backuppolicy/tables --table \
        dev-ReviewCycles` tests a backup: it restores it to a new table, compares that with the original, measures the \
        time, and deletes it.",
    )?;
    let process = stage.start()?;
    let Ok(table) = "dev-ReviewCycles".parse::<TableName>() else { return Err(untold("the table has a name")) };
    fill(stage, &process, &table)?;
    stage.next_day()?;
    stage.settle(&process)?;
    // A backup of so large a table is ready after minutes, and listed a little later.
    stage.drive(stage.cx.sleep(Duration::from_mins(15)))?;
    let plan = stage.settle(&process)?;
    in_sync(&plan, "the tables are backed up")?;

    let Ok(key) = "dev/backuppolicy/tables".parse::<Key>() else { return Err(untold("the policy has an address")) };
    let (wish, by, at) = (Wish::Verify { table: Some(table.clone()) }, "you".to_owned(), stage.cx.now());
    let request = Request { id: "verify".to_owned(), key: key.clone(), wish, by, at };
    let asked = answer(process.controller.store(), &process.environment, &request, at)?;
    told(asked.is_ok(), || format!("a table can be tried: {asked:?}"))?;
    let plan = stage.settle(&process)?;
    in_sync(&plan, "a test ends in sync")?;

    let memory = process.controller.store().memory(&process.environment.name)?;
    let proof = memory.objects.backups.get(&key).and_then(|memory| memory.proofs.get(&table));
    let proof = proof.ok_or_else(|| untold("the test has ended"))?;
    let equal = proof.compared.as_ref().map(|compared| (compared.equal > 0, compared.changed, compared.missing));
    let proven = proof.failed.is_none() && proof.took.is_some() && equal == Some((true, 0, 0));
    told(proven, || format!("the backup is proven: {proof:?}"))?;
    let left: Vec<TableName> = stage.cloud.tables_of_all().into_iter().map(|table| table.state.name).collect();
    told(!left.iter().any(|name| name.as_str().starts_with(TEST_PREFIX)), || format!("none is left: {left:?}"))?;

    let why = report::why(&plan, &memory, &key, stage.cx.now(), [], screen.paint);
    let why = why.map_err(|error| untold(&error.to_string()))?;
    screen.show(&paragraphs(&why, &["Results of the latest restore tests"]))?;
    screen.say(
        "These are the measured RTO and RPO; `landfast status` shows them too. With `objectives` in its manifest, a \
        policy that exceeds them is not ready.",
    )
}

/// The application has written something.
fn fill(stage: &Stage, process: &Process, table: &TableName) -> Result<(), Trouble> {
    let console = stage.console(process);
    let refused = |error: PortError| untold(&format!("the console works: {error}"));
    for number in 0..ITEMS {
        let item = json!({
            "cycleId": { "S": format!("cycle-{number}") },
            "status": { "S": "OPEN" },
            "startDate": { "S": "2026-03-01" },
        });
        console.put_item(table, &item).map_err(refused)?;
    }
    console.weigh_table(table, BYTES).map_err(refused)?;
    stage.drive(stage.cx.sleep(Duration::from_mins(10)))
}

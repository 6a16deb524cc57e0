//! The act in which a table is changed past its stack: found, shown, put back.

use std::time::Duration;

use serde_json::json;

use super::screen::Screen;
use super::stage::{Process, Stage, told, untold};
use crate::cli::exit::Trouble;
use crate::controller::answer;
use crate::model::{Action, Request, Wish};
use crate::report::{DriftFinding, DriftReport};

const TABLE: &str = "ReviewCyclesTable";
const SETTING: &str = "/SSESpecification/SSEEnabled";

pub(super) fn table(stage: &mut Stage, screen: &Screen) -> Result<(), Trouble> {
    stage.next_day()?;
    screen.say(
        "Someone disables encryption with the team's KMS key for a table in the DynamoDB console. Neither the stack \
        nor a plan shows this. `landfast drift dev` runs CloudFormation drift detection, rates each difference, and \
        looks up the author in CloudTrail:",
    )?;
    let process = stage.start()?;
    let Ok(stack) = "dev-performance-mgmt-dynamodb".parse() else { return Err(untold("the stack has a name")) };
    let console = stage.console(&process);
    let refused = |error: crate::ports::PortError| untold(&format!("the console works: {error}"));
    console.change_resource(&stack, TABLE, SETTING, json!(false)).map_err(refused)?;
    // CloudTrail tells minutes later.
    stage.drive(stage.cx.sleep(Duration::from_mins(15)))?;
    let report = drift(stage, &process)?;
    let found: Vec<&DriftFinding> =
        report.items.iter().flat_map(|item| &item.findings).filter(|finding| finding.severity.is_some()).collect();
    let [finding] = found.as_slice() else { return Err(untold("one difference is found")) };
    let Some(by) = &finding.by else { return Err(untold("CloudTrail knows who it was")) };
    screen.line(&format!("  {TABLE} {}", screen.paint.danger(SETTING)))?;
    let side = |side: &Option<String>| side.clone().unwrap_or_default();
    screen.line(&format!("    deployed  {}", side(&finding.expected)))?;
    screen.line(&format!("    live      {}", side(&finding.live)))?;
    screen.line(&format!("    by        {}", by.actor))?;
    screen.line(&format!("    from      {}, with {}", side(&by.from), by.call))?;
    screen.gap()?;
    screen.say(&format!(
        "{} resources were compared, {} could not be compared. This environment only reports drift. `landfast drift \
        --revert dev/stack/dynamodb` requests a revert, and the next `apply` executes a drift-aware change set that \
        passed the same checks as any other.",
        report.summary.compared, report.summary.unknown
    ))?;
    let Ok(key) = "dev/stack/dynamodb".parse() else { return Err(untold("the stack has an address")) };
    let (wish, by, at) = (Wish::Revert, "you".to_owned(), stage.cx.now());
    let request = Request { id: "revert".to_owned(), key, wish, by, at };
    let asked = answer(process.controller.store(), &process.environment, &request, at)?;
    told(asked.is_ok(), || "the drift can be reverted".to_owned())?;
    let plan = stage.settle(&process)?;
    told(plan.entries.values().all(|entry| entry.action == Action::None), || "the drift is reverted".to_owned())?;
    let again = drift(stage, &process)?;
    told(!again.has_drift(), || "nothing differs any more".to_owned())?;
    screen.say("A second check finds no drift.")
}

fn drift(stage: &Stage, process: &Process) -> Result<DriftReport, Trouble> {
    let found = stage.drive(process.controller.drift(&process.desired, &process.environment, |_| true))??;
    Ok(DriftReport::of([(&*process.environment, found.as_slice())], stage.cx.now()))
}

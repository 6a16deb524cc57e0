//! A stack that was healthy and that somebody has deleted: who, when, what went with it, and the ways back.

use super::Patient;
use super::gone::{TABLES, by_hand, policy};
use crate::model::{Ailment, Choice, Diagnosis, Difference, GoneStack, Remedy, Seen, StackId, TableName};
use crate::plan::backup::{newest_point, restoring};
use crate::plan::gone::delete_by_id;
use crate::plan::guard::approval_command;

/// What stands in the way of a table that is restored: a stack imports it only if its template says what becomes of it.
const IMPORT: &str = "CloudFormation imports only resources with a `DeletionPolicy` in the template";

/// Of a desired stack that is gone.
pub(super) fn diagnosis(patient: &Patient<'_>) -> Option<Diagnosis> {
    let (stack, at, lost) = patient.entry.differences.iter().find_map(|difference| match difference {
        Difference::Gone { stack, at, lost } => Some((stack, at, lost)),
        _ => None,
    })?;
    let gone = stack.parse::<StackId>().ok().and_then(|id| told(patient, &id));
    let by = gone.and_then(|gone| gone.by.as_deref());
    let by = by.unwrap_or("unknown (CloudTrail may lag a few minutes)");
    let mut evidence = vec![format!("{stack} was healthy and no longer exists"), format!("deleted by: {by}")];
    let holding = lost.as_ref().is_none_or(|lost| !lost.is_empty());
    let of = |remedy| patient.of(Ailment::StackGone, remedy).since(*at);
    if !holding {
        let what = "creates it again: it contained no stateful resources".to_owned();
        return Some(of(Remedy::Automatic { what }).shown_by(evidence));
    }
    match lost {
        Some(lost) => evidence.push(format!("it contained: {}", lost.iter().cloned().collect::<Vec<_>>().join(", "))),
        None => evidence.push("its contents are unknown, so it is treated as stateful".to_owned()),
    }
    let mut choices: Vec<Choice> = gone.into_iter().flat_map(|gone| restores(patient, gone)).collect();
    if choices.is_empty() {
        let what = "first check what is left of it: snapshots, backups and retained resources";
        choices.push(Choice::new(what, [events(patient, stack)]));
    }
    let again = patient.approval().unwrap_or_else(|| approval_command(patient.planner.input));
    choices.push(Choice::new("create it again, empty", [again]));
    choices.push(Choice::new("do not recreate it: remove its manifest", []));
    let what = "what to do about it: nothing is created until this is decided".to_owned();
    Some(of(Remedy::Decision { what, choices }).shown_by(evidence))
}

fn told<'a>(patient: &'a Patient<'_>, id: &StackId) -> Option<&'a GoneStack> {
    let remembered = patient.memory.gone.as_deref().filter(|gone| gone.id == *id);
    remembered.or_else(|| patient.planner.input.observation.gone.get(id).and_then(Seen::present))
}

/// One for each table that went with it: restored under its own name, and then imported.
fn restores(patient: &Patient<'_>, gone: &GoneStack) -> Vec<Choice> {
    let tables = gone.resources.iter().filter(|one| TABLES.contains(&one.kind.as_str()) && !one.kept);
    let choices = tables.filter_map(|one| {
        let table: TableName = one.physical_id.as_deref()?.parse().ok()?;
        let mut commands = match policy(patient, &table) {
            Some(spec) => {
                let point = newest_point(patient.planner.input, spec, &table).map(|point| &point.id);
                restoring(&spec.key, &spec.scope, &table, point)
            }
            None => by_hand(&patient.address.scope.region, &table).into(),
        };
        commands.push(import(patient, &one.resource, &one.kind, &table));
        let what = format!(
            "restore {table} under its original name, and import it as {} into a new stack ({IMPORT}; then `adopt: \
            true`)",
            one.resource
        );
        Some(Choice::new(what, commands))
    });
    choices.collect()
}

fn import(patient: &Patient<'_>, resource: &str, kind: &str, table: &TableName) -> String {
    let import = format!(
        "--change-set-name import --change-set-type IMPORT --template-body file://TEMPLATE --resources-to-import \
         '[{{\"ResourceType\":\"{kind}\",\"LogicalResourceId\":\"{resource}\",\"ResourceIdentifier\":{{\"TableName\":\"{table}\"}}}}]'"
    );
    super::aws(&patient.address, "create-change-set", &import)
}

/// AWS tells by its id what became of each resource of a deleted stack.
fn events(patient: &Patient<'_>, stack: &str) -> String {
    let region = &patient.address.scope.region;
    format!("aws cloudformation describe-stack-events --region {region} --stack-name {stack}")
}

/// Stacks that a change of region has left where they were.
pub(super) fn left_behind(patient: &Patient<'_>) -> Vec<Diagnosis> {
    let found = patient.memory.left.iter().filter_map(|id| {
        let address = id.address()?;
        let Seen::Present(stack) = patient.planner.input.observation.stack(&address) else { return None };
        if stack.state.id != *id {
            return None;
        }
        let what = "delete it when nothing in it is needed any more".to_owned();
        let remedy = Remedy::Command { what, commands: vec![delete_by_id(&address, id)] };
        let evidence = format!("{} in {} is {}", address.name, address.scope.region, stack.state.status);
        Some(Diagnosis::of(&address, Ailment::LeftBehind, remedy).about(patient.key).shown_by([evidence]))
    });
    found.collect()
}

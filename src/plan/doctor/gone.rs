//! A table of a stack that somebody has deleted past it. No update of it can succeed while the table is not there, and a
//! rollback that meets it fails too (AWS: *Update rollback failed*): so it is told whatever status the stack is in.

use std::collections::BTreeMap;

use super::Patient;
use crate::model::{
    Ailment, BackupSpec, By, Choice, Diagnosis, ObservedStack, Region, Remedy, Seen, TableName, TableSelection, Verdict,
};
use crate::plan::backup::{newest_point, restoring};
use crate::plan::standing::{Standing, row};

pub(super) const TABLES: [&str; 2] = ["AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"];

/// What shows that it is gone, and since when that is known.
struct Loss {
    resource: String,
    shown: Vec<String>,
    since: Option<jiff::Timestamp>,
}

/// One for each table that is gone, by what the last look for drift has found or what a backup policy misses.
pub(super) fn diagnoses(patient: &Patient<'_>, stack: &ObservedStack) -> Vec<Diagnosis> {
    let input = patient.planner.input;
    let status = stack.state.status;
    // What is being made is not there yet, and what is being deleted goes.
    if !input.environment.stacks.contains_key(patient.key) || row(status).standing == Standing::NeverHealthy {
        return Vec::new();
    }
    let mut lost: BTreeMap<TableName, Loss> = BTreeMap::new();
    let look = patient.memory.drift.seen.as_ref().filter(|look| look.version == stack.state.version());
    for finding in look.into_iter().flat_map(|look| &look.findings) {
        let table = finding.kind.as_deref().is_some_and(|kind| TABLES.contains(&kind));
        let whole = finding.property.is_none() && matches!(finding.verdict, Verdict::Drift(_));
        let name = finding.physical_id.as_deref().and_then(|name| name.parse().ok()).filter(|_| table && whole);
        let (Some(name), Some(resource)) = (name, &finding.resource) else { continue };
        let who = match &finding.by {
            By::Somebody(deed) => vec![format!("{} by {} at {}", deed.call, deed.actor, deed.at)],
            By::NotAsked | By::NotKnown(_) => Vec::new(),
        };
        let shown = [vec!["CloudFormation drift detection reports DELETED".to_owned()], who].concat();
        lost.insert(name, Loss { resource: resource.clone(), shown, since: Some(finding.since) });
    }
    let seen = &input.observation.backups;
    let own = (patient.address.clone(), stack.state.id.clone());
    for (name, resource) in seen.of_stacks.get(&own).and_then(Seen::present).into_iter().flatten() {
        match seen.described.get(&(patient.address.scope.clone(), name.clone())) {
            Some(Seen::Absent) => {
                let new = || Loss { resource: resource.clone(), shown: Vec::new(), since: None };
                let shown = "DynamoDB has no table with this name".to_owned();
                lost.entry(name.clone()).or_insert_with(new).shown.insert(0, shown);
            }
            // It was restored since the look for drift.
            Some(Seen::Present(_)) => _ = lost.remove(name),
            Some(Seen::Unknown(_)) | None => {}
        }
    }
    lost.into_iter().map(|(table, loss)| told(patient, &table, loss)).collect()
}

/// The policy that covers a table of the stack, or did.
pub(super) fn policy<'a>(patient: &Patient<'a>, table: &TableName) -> Option<&'a BackupSpec> {
    let input = patient.planner.input;
    let covers = |spec: &&BackupSpec| match &spec.tables {
        TableSelection::Stack(stack) => stack == patient.key,
        _ => input.memory.objects.backups.get(&spec.key).is_some_and(|memory| memory.tables.contains_key(table)),
    };
    let mut policies = input.environment.backups.values().map(|spec| &**spec);
    policies.find(|spec| spec.scope == patient.address.scope && covers(spec))
}

/// Commands that restore a table without a policy.
pub(super) fn by_hand(region: &Region, table: &TableName) -> [String; 2] {
    [
        format!("aws dynamodb list-backups --region {region} --table-name {table} --backup-type ALL"),
        format!(
            "aws dynamodb restore-table-from-backup --region {region} --target-table-name {table} --backup-arn ARN"
        ),
    ]
}

fn told(patient: &Patient<'_>, table: &TableName, loss: Loss) -> Diagnosis {
    let input = patient.planner.input;
    let policy = policy(patient, table);
    let evidence = format!("{table} is its resource {}", loss.resource);
    let mut choices = Vec::new();
    let busy = policy.and_then(|spec| input.memory.objects.backups.get(&spec.key)?.restores.get(table));
    if let Some(restore) = busy.filter(|restore| restore.is_open()) {
        let what = format!("restores it as of {}, as requested", restore.from);
        return patient
            .by_itself(Ailment::TableGone, &what)
            .since(loss.since)
            .shown_by([evidence])
            .shown_by(loss.shown);
    }
    if let Some(spec) = policy {
        let newest = newest_point(input, spec, table);
        let as_of = newest.map(|point| format!(", as of {}", point.created)).unwrap_or_default();
        let commands = restoring(&spec.key, &spec.scope, table, newest.map(|point| &point.id));
        let what = format!("restore it under its original name{as_of}: the stack then uses it again");
        choices.push(Choice::new(what, commands));
    } else {
        let what = "restore it under its original name from a backup, if one exists: no policy covers it";
        choices.push(Choice::new(what, by_hand(&patient.address.scope.region, table)));
    }
    let again = patient.approval().unwrap_or_else(|| format!("landfast drift --revert {}", patient.key));
    choices.push(Choice::new("let the stack create it again, without its items", [again]));
    let what = format!("what to do about {table}: the stack's {} is not updated until this is decided", loss.resource);
    let remedy = Remedy::Decision { what, choices };
    patient.of(Ailment::TableGone, remedy).since(loss.since).shown_by([evidence]).shown_by(loss.shown)
}

//! Of each table that is backed up: what it could be restored to, whether that was tried, and what the try has measured.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::points::BackupPoint;
use super::{Paint, words};
use crate::model::{Environment, Memory, PointStatus};

/// How a table stands that a backup policy has made recovery points of, or has tried to restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackedTable {
    /// The table.
    pub table: String,
    /// The policy.
    pub policy: String,
    /// When the newest recovery point was made that can be restored.
    #[schemars(with = "Option<String>")]
    pub newest: Option<Timestamp>,
    /// A restore test verified that backup.
    pub verified: bool,
    /// When the last restore test ended.
    #[schemars(with = "Option<String>")]
    pub tested: Option<Timestamp>,
    /// Why it failed, if it did.
    pub failed: Option<String>,
    /// How long the restore took, in seconds: the measured RTO.
    pub rto_seconds: Option<u64>,
    /// How much data would have been lost, in seconds: the measured RPO.
    pub rpo_seconds: Option<u64>,
    /// The age of the restored data, in seconds.
    pub age_seconds: Option<u64>,
    /// The RTO objective, in seconds.
    pub rto_objective_seconds: Option<u64>,
    /// The RPO objective, in seconds.
    pub rpo_objective_seconds: Option<u64>,
}

/// The tables of an environment's policies, those of policies that are gone included.
pub(super) fn of(environment: &Environment, memory: &Memory, points: &[BackupPoint]) -> Vec<BackedTable> {
    let mut names: std::collections::BTreeSet<(String, String)> =
        points.iter().map(|point| (point.table.clone(), point.policy.clone())).collect();
    for (key, memory) in &memory.objects.backups {
        names.extend(memory.proofs.keys().map(|table| (table.to_string(), key.to_string())));
    }
    names.into_iter().map(|(table, policy)| stands(environment, memory, points, table, policy)).collect()
}

fn stands(
    environment: &Environment,
    memory: &Memory,
    points: &[BackupPoint],
    table: String,
    policy: String,
) -> BackedTable {
    let mine = points.iter().filter(|point| point.table == table && point.policy == policy);
    let available = PointStatus::Available.to_string();
    let newest = mine.filter(|point| point.status == available).max_by_key(|point| point.created);
    let key = policy.parse().ok();
    let memory = key.as_ref().and_then(|key| memory.objects.backups.get(key));
    let proof = memory.and_then(|memory| memory.proofs.get(&table.parse().ok()?));
    let spec = key.as_ref().and_then(|key| environment.backups.get(key));
    let objectives = spec.map(|spec| spec.objectives).unwrap_or_default();
    BackedTable {
        newest: newest.map(|point| point.created),
        verified: newest.is_some_and(|point| point.verified.is_some()),
        tested: proof.map(|proof| proof.at),
        failed: proof.and_then(|proof| proof.failed.clone()),
        rto_seconds: proof.and_then(|proof| proof.took),
        rpo_seconds: proof.and_then(|proof| proof.loss),
        age_seconds: proof.and_then(|proof| proof.age),
        rto_objective_seconds: objectives.rto.map(|rto| rto.as_secs()),
        rpo_objective_seconds: objectives.rpo.map(|rpo| rpo.as_secs()),
        table,
        policy,
    }
}

/// A table of them.
pub(super) fn text(tables: &[BackedTable], paint: Paint) -> String {
    let head = ["TABLE", "NEWEST POINT", "PROVEN", "RTO", "RPO", "TESTED", "POLICY"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(tables.iter().map(BackedTable::row));
    words::table(&rows, |y, x, cell| {
        let table = y.checked_sub(1).and_then(|y| tables.get(y));
        let is = |so: fn(&BackedTable) -> bool| table.is_some_and(so);
        match x {
            _ if y == 0 => paint.title(cell),
            3 if is(|table| over(table.rto_seconds, table.rto_objective_seconds)) => paint.danger(cell),
            4 if is(|table| over(table.rpo_seconds, table.rpo_objective_seconds)) => paint.danger(cell),
            5 if is(|table| table.failed.is_some()) => paint.danger(cell),
            _ => cell,
        }
    })
}

impl BackedTable {
    fn row(&self) -> Vec<String> {
        let tested = match (self.tested, &self.failed) {
            (None, _) => "never".to_owned(),
            (Some(at), None) => words::time(at),
            (Some(at), Some(_)) => format!("FAILED {}", words::time(at)),
        };
        vec![
            words::clean(&self.table),
            self.newest.map_or_else(|| "-".to_owned(), words::time),
            if self.verified { "yes" } else { "no" }.to_owned(),
            measured(self.rto_seconds, self.rto_objective_seconds),
            measured(self.rpo_seconds, self.rpo_objective_seconds),
            tested,
            words::clean(&self.policy),
        ]
    }
}

fn over(measured: Option<u64>, objective: Option<u64>) -> bool {
    measured.zip(objective).is_some_and(|(measured, objective)| measured > objective)
}

/// What was measured, of what is asked for.
fn measured(measured: Option<u64>, objective: Option<u64>) -> String {
    let span = |seconds| words::duration(std::time::Duration::from_secs(seconds));
    let figure = measured.map_or_else(|| "-".to_owned(), span);
    match objective {
        None => figure,
        Some(asked) if over(measured, objective) => format!("{figure}, OVER {}", span(asked)),
        Some(asked) => format!("{figure} of {}", span(asked)),
    }
}

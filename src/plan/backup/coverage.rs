//! Which tables no policy covers.

use std::collections::BTreeMap;

use super::select::{Blocked, covered};
use crate::model::{BackupMemory, Coverage, CoveredTable, Scope, Seen};
use crate::plan::Input;
use crate::plan::planner::Planner;

/// Every table of the accounts and regions of an environment and its policies, and what covers it.
#[must_use]
pub fn coverage(input: &Input<'_>) -> Coverage {
    let planner = Planner::new(input);
    let (mut found, mut unknown) = (Coverage::default(), Vec::new());
    let mut by_scope: BTreeMap<&Scope, BTreeMap<_, CoveredTable>> = BTreeMap::new();
    for spec in input.environment.backups.values() {
        let tables = by_scope.entry(&spec.scope).or_default();
        for table in &spec.except {
            tables.entry(table.clone()).or_default().excepted = Some(spec.key.clone());
        }
        match covered(&planner, spec) {
            Ok(selected) => {
                for table in selected.into_keys() {
                    tables.entry(table).or_default().by = Some(spec.key.clone());
                }
            }
            Err(Blocked::Unknown(why)) => unknown.push(format!("{}: {why}", spec.key)),
            Err(Blocked::Pending(on)) => unknown.push(format!("{}: {on} does not exist yet", spec.key)),
        }
        let memory: std::sync::Arc<BackupMemory> = planner.remembered(&spec.key);
        for table in memory.being_restored() {
            let covered = tables.entry(table.clone()).or_default();
            (covered.by, covered.restoring) = (Some(spec.key.clone()), true);
        }
    }
    for (scope, seen) in &input.observation.backups.tables {
        match seen {
            Seen::Present(all) => {
                let known = by_scope.get(scope);
                // While a table is restored in place, there is none of its name.
                let restored = by_scope.get(scope).into_iter().flatten().filter(|(_, covered)| covered.restoring);
                for table in all.iter().chain(restored.map(|(table, _)| table)) {
                    let known = known.and_then(|known| known.get(table)).cloned().unwrap_or_default();
                    found.tables.insert((scope.clone(), table.clone()), known);
                }
            }
            Seen::Absent => {}
            Seen::Unknown(why) => unknown.push(format!("the tables of {scope} could not be listed: {why}")),
        }
    }
    found.unknown = unknown;
    found
}

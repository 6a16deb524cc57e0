//! Which tables no policy covers.

use std::collections::BTreeMap;

use super::select::{Blocked, select};
use crate::model::{Coverage, CoveredTable, Scope, Seen};
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
        match select(&planner, spec) {
            Ok(selected) => {
                for table in selected.into_keys() {
                    tables.entry(table).or_default().by = Some(spec.key.clone());
                }
            }
            Err(Blocked::Unknown(why)) => unknown.push(format!("{}: {why}", spec.key)),
            Err(Blocked::Pending(on)) => unknown.push(format!("{}: {on} does not exist yet", spec.key)),
        }
    }
    for (scope, seen) in &input.observation.backups.tables {
        match seen {
            Seen::Present(all) => {
                let known = by_scope.get(scope);
                for table in all {
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

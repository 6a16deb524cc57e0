//! What a desired DNS record needs.

use super::planner::Planner;
use crate::model::{Action, Address, Entry, RecordSpec, Waiting};

/// Decides on one desired DNS record. Its dependencies have been decided before.
pub(super) fn decide(_planner: &Planner<'_>, spec: &RecordSpec) -> Entry {
    let address = Address { scope: spec.scope.clone(), name: spec.key.to_string() };
    let why = "DNS records are not looked at yet".to_owned();
    Entry {
        action: Action::Unknown,
        waiting: vec![Waiting::Unknown { why }],
        depends_on: spec.depends_on.clone(),
        ..Entry::new(address)
    }
}

//! What a desired service needs.

mod select;

use super::planner::Planner;
use crate::model::{Action, Address, Entry, ServiceSpec, Waiting};

/// Decides on one desired service. Its dependencies have been decided before.
pub(super) fn decide(_planner: &Planner<'_>, spec: &ServiceSpec) -> Entry {
    let address = Address { scope: spec.scope.clone(), name: spec.key.to_string() };
    let why = "services are not looked at yet".to_owned();
    Entry {
        action: Action::Unknown,
        waiting: vec![Waiting::Unknown { why }],
        depends_on: spec.depends_on.clone(),
        ..Entry::new(address)
    }
}

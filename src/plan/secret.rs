//! What a desired secret needs.

use super::planner::Planner;
use crate::model::{Action, Address, Entry, SecretSpec, Waiting};

/// Decides on one desired secret. Its dependencies have been decided before.
pub(super) fn decide(_planner: &Planner<'_>, spec: &SecretSpec) -> Entry {
    let address = Address { scope: spec.scope.clone(), name: spec.name.clone() };
    let why = "secrets are not looked at yet".to_owned();
    Entry {
        action: Action::Unknown,
        waiting: vec![Waiting::Unknown { why }],
        depends_on: spec.depends_on.clone(),
        ..Entry::new(address)
    }
}

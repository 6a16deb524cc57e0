//! What is read of readiness checks.

use std::collections::BTreeSet;

use super::Observer;
use crate::model::{CheckNeed, Observation};

impl Observer<'_> {
    /// Reads what the planner needs to know of readiness checks, and adds it to the observation.
    #[expect(clippy::unused_async, reason = "there is nothing to read yet")]
    pub(super) async fn answer_checks(&self, _observation: &mut Observation, _needs: BTreeSet<CheckNeed>) {}
}

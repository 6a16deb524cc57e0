//! What is read of services.

use std::collections::BTreeSet;

use super::Observer;
use crate::model::{Observation, ServiceNeed};

impl Observer<'_> {
    /// Reads what the planner needs to know of services, and adds it to the observation.
    #[expect(clippy::unused_async, reason = "there is nothing to read yet")]
    pub(super) async fn answer_services(&self, _observation: &mut Observation, _needs: BTreeSet<ServiceNeed>) {}
}

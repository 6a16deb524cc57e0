//! What is read of secrets.

use std::collections::BTreeSet;

use super::Observer;
use crate::model::{Observation, SecretNeed};

impl Observer<'_> {
    /// Reads what the planner needs to know of secrets, and adds it to the observation.
    #[expect(clippy::unused_async, reason = "there is nothing to read yet")]
    pub(super) async fn answer_secrets(&self, _observation: &mut Observation, _needs: BTreeSet<SecretNeed>) {}
}

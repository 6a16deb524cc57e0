//! What is read of DNS records.

use std::collections::BTreeSet;

use super::Observer;
use crate::model::{Observation, RecordNeed};

impl Observer<'_> {
    /// Reads what the planner needs to know of DNS records, and adds it to the observation.
    #[expect(clippy::unused_async, reason = "there is nothing to read yet")]
    pub(super) async fn answer_records(&self, _observation: &mut Observation, _needs: BTreeSet<RecordNeed>) {}
}

//! Steps on DNS records.

use super::{Executor, Outcome};
use crate::model::{AssumeRole, RecordStep, Step};

impl Executor {
    /// Takes a step on a DNS record.
    #[expect(clippy::unused_async, reason = "there is no step yet")]
    pub(super) async fn take_on_record(
        &self,
        _step: &Step,
        record: &RecordStep,
        _role: Option<&AssumeRole>,
    ) -> Outcome {
        match *record {}
    }
}

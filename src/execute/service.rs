//! Steps on services.

use super::{Executor, Outcome};
use crate::model::{AssumeRole, ServiceStep, Step};

impl Executor {
    /// Takes a step on a service.
    #[expect(clippy::unused_async, reason = "there is no step yet")]
    pub(super) async fn take_on_service(
        &self,
        _step: &Step,
        service: &ServiceStep,
        _role: Option<&AssumeRole>,
    ) -> Outcome {
        match *service {}
    }
}

//! Steps on secrets.

use super::{Executor, Outcome};
use crate::model::{AssumeRole, SecretStep, Step};

impl Executor {
    /// Takes a step on a secret.
    #[expect(clippy::unused_async, reason = "there is no step yet")]
    pub(super) async fn take_on_secret(
        &self,
        _step: &Step,
        secret: &SecretStep,
        _role: Option<&AssumeRole>,
    ) -> Outcome {
        match *secret {}
    }
}

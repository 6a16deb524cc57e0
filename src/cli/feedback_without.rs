//! A build that fetches nothing has nobody to give feedback to.

use std::convert::Infallible;

use super::exit::Trouble;
use super::session::Session;
use crate::controller::{Controller, PlanObserver};

/// No feedback.
#[derive(Default)]
pub(super) struct Feedback {}

impl Feedback {
    /// There is none.
    #[expect(clippy::unnecessary_wraps, reason = "the one that is given may not be possible")]
    pub(super) fn of(_: &Session) -> Result<Self, Trouble> {
        Ok(Self {})
    }

    /// The other observer alone.
    #[expect(clippy::unused_self, reason = "the one that is given sees plans")]
    pub(super) fn beside(&self, other: PlanObserver) -> PlanObserver {
        other
    }

    /// Does nothing for ever.
    pub(super) async fn keep_giving(&self, _: &Session, _: &Controller) -> Infallible {
        std::future::pending().await
    }
}

//! A build without Git hosts has no HTTP client of its own, and tells nobody.

use super::exit::Trouble;
use super::session::Session;
use crate::controller::{Controller, PlanObserver};
use crate::store::StoreError;

/// Nobody is told.
pub(super) struct Notifications;

impl Notifications {
    /// For nobody; says so, where the operator's configuration has destinations.
    pub(super) fn of(session: &Session) -> Self {
        if !session.operator.destinations().is_empty() {
            tracing::warn!("this build sends no notifications: build with the feature `git`");
        }
        Self
    }

    /// None at all.
    pub(super) const fn none() -> Self {
        Self
    }

    /// The other observer alone.
    #[expect(clippy::unused_self, reason = "the one that tells sees plans")]
    pub(super) fn beside(&self, other: PlanObserver) -> PlanObserver {
        other
    }

    /// Does nothing for ever.
    pub(super) async fn keep_telling(&self, _: &Controller) -> StoreError {
        std::future::pending().await
    }
}

/// A destination that was reached: there is none.
pub(super) type Tested = (String, Result<(), std::convert::Infallible>);

/// Nothing is sent.
///
/// # Errors
/// Always.
pub(super) fn test(_: &Session, _: Option<&str>) -> Result<Vec<Tested>, Trouble> {
    Err(Trouble::Source(crate::source::SourceError::WithoutGit))
}

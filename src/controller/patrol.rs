//! Looks for drift beside everything else: one stack at a time, and the next when it is due.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tracing::error;

use super::Controller;
use crate::model::{Desired, Environment};
use crate::plan::Due;

/// The look at one stack that is under way.
#[derive(Default)]
pub(super) struct Patrol<'a> {
    out: Option<BoxFuture<'a, ()>>,
}

impl<'a> Patrol<'a> {
    /// Goes out if it is time, and says how long there is until then if it is not.
    pub(super) fn set_out(
        &mut self,
        controller: &'a Controller,
        desired: &Arc<Desired>,
        environment: &Arc<Environment>,
        due: Option<Due>,
    ) -> Option<Duration> {
        let (Some(due), None) = (due, &self.out) else { return None };
        let left = due.at.duration_since(controller.context().now());
        if left.is_positive() {
            return Some(left.unsigned_abs());
        }
        let (desired, environment) = (Arc::clone(desired), Arc::clone(environment));
        self.out = Some(Box::pin(async move {
            if let Err(why) = controller.patrol(&desired, &environment, &due).await {
                error!(object = %due.key, %why, "the drift result could not be saved");
            }
        }));
        None
    }

    /// Completes when it has come back; never, if it is not out.
    pub(super) async fn back(&mut self) {
        match &mut self.out {
            Some(out) => out.await,
            None => return std::future::pending().await,
        }
        self.out = None;
    }
}

//! Looks for drift beside everything else: one stack at a time, and the next when it is due; and at once where an event says
//! that somebody has changed a resource.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, OptionFuture};
use tracing::error;

use super::Controller;
use crate::model::{Desired, Environment, Scope};
use crate::plan::Due;

/// The looks that are under way.
#[derive(Default)]
pub(super) struct Patrol<'a> {
    /// At one stack.
    out: Option<BoxFuture<'a, ()>>,
    /// At resources that somebody has changed.
    called: Option<BoxFuture<'a, ()>>,
    /// Resources that are to be looked at next.
    suspects: BTreeSet<(Scope, String)>,
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
        if self.called.is_none() && !self.suspects.is_empty() {
            let (desired, environment) = (Arc::clone(desired), Arc::clone(environment));
            let suspects = std::mem::take(&mut self.suspects);
            self.called = Some(Box::pin(async move {
                if let Err(why) = controller.inspect(&desired, &environment, suspects).await {
                    error!(environment = %environment.name, %why, "the drift result could not be saved");
                }
            }));
        }
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

    /// Looks at these resources as soon as it can.
    pub(super) fn suspect(&mut self, resources: BTreeSet<(Scope, String)>) {
        self.suspects.extend(resources);
    }

    /// Completes when it has come back; never, if it is not out.
    pub(super) async fn back(&mut self) {
        if self.out.is_none() && self.called.is_none() {
            return std::future::pending().await;
        }
        tokio::select! {
            biased;
            Some(()) = OptionFuture::from(self.out.as_mut()) => self.out = None,
            Some(()) = OptionFuture::from(self.called.as_mut()) => self.called = None,
        }
    }
}

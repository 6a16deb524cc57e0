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

/// Resources that wait to be looked at.
const SUSPECTS: usize = 1000;

/// Of these, so many are looked at together: an event names a few, and all but one of them are no resource of a stack.
const AT_ONCE: usize = 30;

/// How long the next ones wait for each that was looked at: a flood of events costs a call a second.
const EACH: Duration = Duration::from_secs(1);

/// The looks that are under way.
#[derive(Default)]
pub(super) struct Patrol<'a> {
    /// At one stack.
    out: Option<BoxFuture<'a, ()>>,
    /// At resources that somebody has changed.
    called: Option<BoxFuture<'a, ()>>,
    /// Resources that are to be looked at next.
    suspects: BTreeSet<(Scope, String)>,
    /// Until when none of them is looked at, since the process began.
    rests_until: Duration,
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
        let now = controller.context().elapsed();
        if self.called.is_none() && !self.suspects.is_empty() && self.rests_until <= now {
            let (desired, environment) = (Arc::clone(desired), Arc::clone(environment));
            let suspects: BTreeSet<_> = self.suspects.iter().take(AT_ONCE).cloned().collect();
            self.suspects.retain(|suspect| !suspects.contains(suspect));
            self.rests_until =
                now.saturating_add(EACH.saturating_mul(u32::try_from(suspects.len()).unwrap_or(u32::MAX)));
            self.called = Some(Box::pin(async move {
                if let Err(why) = controller.inspect(&desired, &environment, suspects).await {
                    error!(environment = %environment.name, %why, "the drift result could not be saved");
                }
            }));
        }
        let rests = (self.called.is_none() && !self.suspects.is_empty()).then(|| self.rests_until.saturating_sub(now));
        let (Some(due), None) = (due, &self.out) else { return rests };
        let left = due.at.duration_since(controller.context().now());
        if left.is_positive() {
            return rests.into_iter().chain([left.unsigned_abs()]).min();
        }
        let (desired, environment) = (Arc::clone(desired), Arc::clone(environment));
        self.out = Some(Box::pin(async move {
            if let Err(why) = controller.patrol(&desired, &environment, &due).await {
                error!(object = %due.key, %why, "the drift result could not be saved");
            }
        }));
        rests
    }

    /// Looks at these resources as soon as it can. Beyond so many, stacks are looked at in their turn only.
    pub(super) fn suspect(&mut self, resources: BTreeSet<(Scope, String)>) {
        let room = SUSPECTS.saturating_sub(self.suspects.len());
        self.suspects.extend(resources.into_iter().take(room));
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

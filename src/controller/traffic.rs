//! Publishes who is to serve, again and again.
//!
//! What was ordered is in the journal and holds until the next order. It is published at once, and once in each minute from
//! then on: whoever changes the metric besides has a minute. Where nobody has ordered anything, nothing is published: a
//! journal that was lost moves no traffic. When this ends, the health check stays as it is.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tracing::warn;

use super::Controller;
use crate::model::{
    AssumeRole, Desired, Environment, Key, Metric, Mode, RecordPlace, Scope, Serving, TrafficSeen, TrafficVerdict,
};
use crate::observe::Observer;
use crate::plan;
use crate::ports::{Class, PortError};
use crate::report::Progress;
use crate::sabotage::{self, Bug};
use crate::store::StoreError;

/// How often a value is published: once in each period of the alarm.
const EVERY: Duration = Duration::from_mins(1);

/// How soon it is tried again where it could not be.
const AGAIN: Duration = Duration::from_secs(10);

/// How often it is told again that it cannot be.
const REMIND: Duration = Duration::from_hours(1);

/// What is published of one record. Another order is another publication.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Publication {
    key: Key,
    /// Where the metric is.
    scope: Scope,
    role: Option<AssumeRole>,
    metric: Metric,
    to: Serving,
    /// When it was ordered.
    ordered: Timestamp,
}

/// Publishes what was ordered for as long as it is polled. Each publication goes its own way: a region that does not answer
/// delays no other.
pub async fn publish_traffic(controller: &Controller) -> Infallible {
    let mut running: BTreeMap<Publication, BoxFuture<'_, Infallible>> = BTreeMap::new();
    loop {
        let mut changed = std::pin::pin!(controller.board.changed());
        changed.as_mut().enable();
        match controller.ordered() {
            Ok(ordered) => {
                running.retain(|known, _| ordered.contains(known));
                for publication in ordered {
                    let begin = || Box::pin(controller.keep(publication.clone())) as BoxFuture<'_, Infallible>;
                    running.entry(publication.clone()).or_insert_with(begin);
                }
            }
            // What was ordered before goes on.
            Err(why) => warn!(%why, "the journal could not be read: traffic stays as it was ordered last"),
        }
        tokio::select! {
            biased;
            never = together(&mut running) => match never {},
            () = &mut changed => {}
            () = controller.cx.sleep(EVERY) => {}
        }
    }
}

/// Polls all of them, for ever.
async fn together(running: &mut BTreeMap<Publication, BoxFuture<'_, Infallible>>) -> Infallible {
    std::future::poll_fn(|cx| {
        for future in running.values_mut() {
            if let Poll::Ready(never) = future.as_mut().poll(cx) {
                match never {}
            }
        }
        Poll::Pending
    })
    .await
}

impl Controller {
    /// What is to be published: of each primary failover record of which somebody has said who is to serve.
    fn ordered(&self) -> Result<Vec<Publication>, StoreError> {
        let desired = self.board.desired();
        let mut all = Vec::new();
        for environment in desired.environments.values().filter(|one| one.policy.mode != Mode::Observe) {
            let memory = self.store.memory(&environment.name)?;
            for key in environment.records.keys() {
                let Some(known) = memory.objects.records.get(key) else { continue };
                let (Some(place), Some(order)) = (&known.place, &known.traffic) else { continue };
                all.push(Publication {
                    key: key.clone(),
                    scope: Scope { region: order.region.clone(), ..place.scope.clone() },
                    role: environment.role.clone(),
                    metric: Metric::of_traffic(&place.of.name),
                    to: order.to,
                    ordered: order.at,
                });
            }
        }
        Ok(all)
    }

    /// Publishes one value in every minute, and says when that begins to fail and when it works again.
    async fn keep(&self, publication: Publication) -> Infallible {
        let (key, to) = (publication.key.clone(), publication.to);
        let mut told: Option<Timestamp> = None;
        let mut failing: Option<Timestamp> = None;
        let mut is_new = true;
        loop {
            let outcome = self.publish(&publication).await;
            let now = self.cx.now();
            match &outcome {
                Ok(()) => {
                    let since = failing.take();
                    told = None;
                    if is_new || since.is_some() {
                        let failed_for = since.map(|since| now.duration_since(since).unsigned_abs());
                        self.narrator.tell(&Progress::Published { key: key.clone(), to, failed_for });
                    }
                    is_new = false;
                }
                // The daemon ends.
                Err(error) if error.class == Class::Stopped && !self.gate.is_open() => std::future::pending().await,
                Err(error) => {
                    let since = *failing.get_or_insert(now);
                    if told.is_none_or(|told| now.duration_since(told).unsigned_abs() >= REMIND) {
                        let since = told.replace(now).map(|_| since);
                        let why = error.to_string();
                        self.narrator.tell(&Progress::Unpublished { key: key.clone(), to, why, since });
                    }
                }
            }
            if sabotage::is(Bug::PublishesOnce) && outcome.is_ok() {
                std::future::pending::<()>().await;
            }
            self.cx.sleep(if outcome.is_ok() { EVERY } else { AGAIN }).await;
        }
    }

    async fn publish(&self, publication: &Publication) -> Result<(), PortError> {
        let Publication { scope, role, metric, to, .. } = publication;
        let revision = self.board.desired().revision.sequence;
        let fence = self.gate.pass(revision).map_err(|closed| closed.refusing("PutMetricData"))?;
        self.governor.metrics(scope, role.as_ref()).put(fence, metric, to.value()).await
    }

    /// Publishes once what was ordered for a record, if anything was: for a command that has the journal.
    ///
    /// # Errors
    ///
    /// The journal could not be read, or the value could not be published.
    pub async fn publish_once(&self, key: &Key) -> Result<Result<(), PortError>, StoreError> {
        match self.ordered()?.into_iter().find(|publication| publication.key == *key) {
            Some(publication) => Ok(self.publish(&publication).await),
            None => Ok(Ok(())),
        }
    }

    /// What was seen of the pair of failover records of which this is the primary's place, and whether the metric alone
    /// decides where its traffic goes.
    pub async fn look_at_traffic(
        &self,
        desired: &Desired,
        environment: &Environment,
        place: &RecordPlace,
    ) -> (TrafficSeen, TrafficVerdict) {
        let observer = Observer::new(&self.cx, &self.governor, &self.ledger, desired, environment);
        let seen = observer.traffic(place).await;
        let verdict = plan::judge_traffic(place, &place.scope.region, &seen);
        (seen, verdict)
    }
}

//! Notifications of the daemon: what plans show, told where the operator says.
//!
//! Nothing waits for it. What a plan shows has one place for each environment, where the newest replaces the one before. One
//! task says what of it is told, and writes that down together with the messages; one for each destination delivers them, the
//! oldest first, later and later while it cannot. What a restart interrupts is sent again, with the same ID.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::select_all;
use jiff::SignedDuration;
use tokio::sync::Notify;
use tracing::{info, warn};

use super::exit::Trouble;
use super::manifests::variable;
use super::session::Session;
use crate::context::Context;
use crate::controller::{Controller, PlanObserver};
use crate::courier::{Courier, CourierError};
use crate::model::{Destination, Digest, EnvName, Notice, NoticeForm, Parcel, Phase, SecretRef, Symptom, Urgency};
use crate::notice;
use crate::report;
use crate::source::secret;
use crate::store::StoreError;

/// The first pause after a destination could not be reached; doubles with each further one.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest such pause.
const PAUSE_MAX: Duration = Duration::from_mins(5);
/// Between two messages to one destination: Slack takes one a second (Slack: *Rate limits*, incoming webhooks).
const APART: Duration = Duration::from_secs(1);
/// A message that could not be delivered for so long is given up: what lasts is told again.
const GIVEN_UP: SignedDuration = SignedDuration::from_hours(24);

/// What the last plan of each environment shows.
#[derive(Debug, Default)]
struct Seen(Mutex<BTreeMap<EnvName, Vec<Symptom>>>);

impl Seen {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<EnvName, Vec<Symptom>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells people, where the operator says so.
pub(super) struct Notifications {
    destinations: Vec<Destination>,
    seen: Arc<Seen>,
    bell: Notify,
}

impl Notifications {
    /// For the destinations of the operator's configuration.
    pub(super) fn of(session: &Session) -> Self {
        Self { destinations: destinations(session), seen: Arc::default(), bell: Notify::new() }
    }

    /// None at all.
    pub(super) fn none() -> Self {
        Self { destinations: Vec::new(), seen: Arc::default(), bell: Notify::new() }
    }

    /// Sees every plan, and shows it to another observer.
    pub(super) fn beside(&self, other: PlanObserver) -> PlanObserver {
        if self.destinations.is_empty() {
            return other;
        }
        let seen = Arc::clone(&self.seen);
        Arc::new(move |plan, memory| {
            seen.lock().insert(plan.environment.clone(), report::symptoms(&plan, &memory));
            other(plan, memory);
        })
    }

    /// Tells for ever; ends if the journal cannot be written.
    pub(super) async fn keep_telling(&self, controller: &Controller) -> StoreError {
        if self.destinations.is_empty() {
            return std::future::pending().await;
        }
        let courier = match Courier::new() {
            Ok(courier) => courier,
            Err(why) => {
                warn!(%why, "notifications cannot be sent");
                return std::future::pending().await;
            }
        };
        let is_known = |name: &str| self.destinations.iter().any(|known| known.name == name);
        if let Err(why) = controller.store().forget_parcels(is_known) {
            return why;
        }
        let deliver = self.destinations.iter().map(|to| Box::pin(self.deliver(controller, &courier, to)));
        tokio::select! {
            biased;
            why = self.decide(controller) => why,
            (why, ..) = select_all(deliver) => why,
        }
    }

    /// Says what is told, for ever.
    async fn decide(&self, controller: &Controller) -> StoreError {
        loop {
            if let Err(why) = self.look(controller) {
                return why;
            }
            controller.context().sleep(notice::EVERY).await;
        }
    }

    fn look(&self, controller: &Controller) -> Result<(), StoreError> {
        let (store, now) = (controller.store(), controller.context().now());
        let desired = controller.board.desired();
        // Where nothing could be loaded yet, nothing is gone.
        let is_gone = |name: &EnvName| !desired.environments.is_empty() && !desired.environments.contains_key(name);
        for gone in store.alerted().into_iter().filter(is_gone) {
            self.seen.lock().remove(&gone);
            store.tell(&gone, Vec::new(), Vec::new())?;
        }
        let seen: Vec<(EnvName, Vec<Symptom>)> =
            self.seen.lock().iter().map(|(environment, seen)| (environment.clone(), seen.clone())).collect();
        for (environment, seen) in seen {
            let (alerts, notices) = notice::news(&environment, &seen, &store.alerts(&environment), now);
            let parcels = notices.iter().flat_map(|notice| {
                let meant = self.destinations.iter().filter(|to| notice::goes_to(notice, to));
                meant.map(|to| Parcel { to: to.name.clone(), notice: notice.clone() })
            });
            let parcels: Vec<Parcel> = parcels.collect();
            let any = !parcels.is_empty();
            let dropped = store.tell(&environment, alerts, parcels)?;
            if dropped > 0 {
                warn!(dropped, "notifications were dropped: too many wait for a destination that cannot be reached");
            }
            if any {
                self.bell.notify_waiters();
            }
        }
        Ok(())
    }

    /// Delivers what waits for a destination, for ever.
    async fn deliver(&self, controller: &Controller, courier: &Courier, to: &Destination) -> StoreError {
        let (store, cx) = (controller.store(), controller.context());
        let (mut attempts, mut complained) = (0_u32, false);
        loop {
            let Some((number, parcel)) = store.parcel(&to.name) else {
                let bell = self.bell.notified();
                tokio::select! {
                    biased;
                    () = bell => {}
                    () = cx.sleep(notice::EVERY) => {}
                }
                continue;
            };
            let age = cx.now().duration_since(parcel.notice.at);
            let sent =
                if age > GIVEN_UP { Ok(false) } else { send(courier, cx, to, &parcel.notice).await.map(|()| true) };
            let pause = match sent {
                Ok(delivered) => {
                    if !delivered {
                        warn!(
                            destination = to.name,
                            notice = parcel.notice.id,
                            "a notification was given up after 24 hours"
                        );
                    } else if std::mem::take(&mut complained) {
                        info!(destination = to.name, "notifications are delivered again");
                    }
                    attempts = 0;
                    APART
                }
                Err(why @ CourierError::Refused { .. }) => {
                    warn!(destination = to.name, notice = parcel.notice.id, %why, "a notification was refused");
                    APART
                }
                Err(why) => {
                    if !std::mem::replace(&mut complained, true) {
                        warn!(destination = to.name, %why, "notifications wait");
                    }
                    let pause = PAUSE.saturating_mul(2_u32.saturating_pow(attempts)).min(PAUSE_MAX);
                    attempts = attempts.saturating_add(1);
                    let pause = if let CourierError::Later(asked) = why { asked } else { pause };
                    cx.sleep(pause).await;
                    continue;
                }
            };
            if let Err(why) = store.delivered(number) {
                return why;
            }
            cx.sleep(pause).await;
        }
    }
}

/// The destinations of the operator's configuration, with what stands in environment variables.
fn destinations(session: &Session) -> Vec<Destination> {
    let mut destinations = session.operator.destinations().to_vec();
    for to in &mut destinations {
        for at in std::iter::once(&mut to.url).chain(&mut to.keys) {
            if let SecretRef::Value { name, value } = at {
                *value = variable(name);
            }
        }
    }
    destinations
}

/// A destination, and whether a test has reached it.
pub(super) type Tested = (String, Result<(), CourierError>);

/// Sends a test to each destination that is meant; what came of it.
///
/// # Errors
/// There is no such destination, or none at all.
pub(super) fn test(session: &Session, named: Option<&str>) -> Result<Vec<Tested>, Trouble> {
    let destinations = destinations(session);
    let known: Vec<String> = destinations.iter().map(|to| to.name.clone()).collect();
    let meant: Vec<&Destination> = destinations.iter().filter(|to| named.is_none_or(|name| name == to.name)).collect();
    if meant.is_empty() {
        return Err(Trouble::NoSuchDestination { name: named.map(str::to_owned), known });
    }
    let courier = Courier::new().map_err(|why| Trouble::machine("notifications cannot be sent", why))?;
    let now = session.cx.now();
    let notice = Notice {
        id: format!("msg_{}", Digest::of(&session.cx.random_bytes()).short()),
        environment: "test".parse().map_err(Trouble::Address)?,
        kind: None,
        urgency: Urgency::Info,
        phase: Phase::Test,
        objects: Vec::new(),
        count: 0,
        text: "If you can read this, notifications of Landfast arrive here.".to_owned(),
        occasion: String::new(),
        since: now,
        at: now,
    };
    let sending = async {
        let mut sent = Vec::new();
        for to in meant {
            sent.push((to.name.clone(), send(&courier, &session.cx, to, &notice).await));
        }
        sent
    };
    session.ask(sending)
}

/// Sends one message, in the words of its destination.
async fn send(courier: &Courier, cx: &Context, to: &Destination, notice: &Notice) -> Result<(), CourierError> {
    let read = |at| secret(at).map_err(|why| CourierError::Settings(why.to_string()));
    let url = read(&to.url)?;
    let keys = to.keys.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let body = match to.form {
        NoticeForm::Slack => report::slack(notice),
        NoticeForm::Teams => report::teams(notice),
        NoticeForm::Webhook => report::webhook(notice),
    };
    courier.send(&url, &keys, (&notice.id, cx.now()), &body).await
}

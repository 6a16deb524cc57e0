//! `landfast events source check`: whether events arrive, of each account and region, and how late.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::person::wall_clock;
use crate::cli::args::{Global, Output};
use crate::cli::beacon::{Beacon, Heard};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::terminal;
use crate::cli::view::{View, show};
use crate::events;
use crate::model::{Scope, Subject};
use crate::ports::{PortError, Queue};
use crate::report::{EventSource, Heartbeat, duration};

/// How often the daemon's status is read.
const EVERY: Duration = Duration::from_secs(2);

/// How long other messages are hidden from the daemon.
const HIDDEN: Duration = Duration::from_secs(10);

/// How long one call waits for a message.
const WAIT: Duration = Duration::from_secs(5);

pub(super) fn check(global: &Global, words: &[String], timeout: Duration, output: Output) -> Result<Exit, Trouble> {
    let daemon = Beacon::read(&global.state)?.filter(|beacon| wall_clock().is_ok_and(|now| beacon.is_fresh(now)));
    let open = if daemon.is_some() { View::watching_environments } else { View::of_environments };
    let view = open(global, words)?;
    let named = view.session.operator.events().map(|queue| queue.url.clone());
    let (Some(url), Some(queue)) = (named, view.session.queue()) else { return Err(Trouble::NoEventQueue) };
    let wanted: BTreeSet<Scope> = view.environments().iter().flat_map(|environment| environment.scopes()).collect();
    let cx = &view.session.cx;
    let began = cx.now();
    terminal::note(&format!("waiting for a heartbeat of each account and region, at most {}", duration(timeout)));
    let over = || cx.now().duration_since(began).unsigned_abs() >= timeout;
    let heard = view.drive(async {
        let mut heard = BTreeMap::new();
        while heard.len() < wanted.len() && !over() {
            if daemon.is_some() {
                // What it has received is not in the queue any more.
                cx.sleep(EVERY).await;
                let told = Beacon::read(&global.state)?.map(|beacon| beacon.events).unwrap_or_default();
                let told =
                    wanted.iter().filter_map(|scope| Some((scope.clone(), told.get(&scope.to_string())?.clone())));
                heard.extend(told.filter(|(_, heard)| heard.arrived >= began));
            } else {
                receive(&*queue, &wanted, began, &mut heard, || cx.now()).await.map_err(Trouble::Port)?;
            }
        }
        Ok(heard)
    })?;
    let items = wanted.iter().map(|scope| Heartbeat {
        account: scope.account.to_string(),
        region: scope.region.to_string(),
        arrived: heard.get(scope).map(|heard| heard.arrived),
        late: heard.get(scope).map(|heard| heard.late),
    });
    let by = daemon.map_or_else(|| "this command".to_owned(), |daemon| format!("the daemon (pid {})", daemon.pid));
    let report = EventSource::of(&url, &by, items.collect());
    show(output, &report, |report| report.text(view.paint()))?;
    Ok(view.exit(if report.arrives() { Exit::Done } else { Exit::Failed }))
}

/// Takes the heartbeats out of the queue, and leaves all other messages in it for the daemon.
async fn receive(
    queue: &dyn Queue,
    wanted: &BTreeSet<Scope>,
    began: Timestamp,
    heard: &mut BTreeMap<Scope, Heard>,
    now: impl Fn() -> Timestamp,
) -> Result<(), PortError> {
    let mut receipts = Vec::new();
    for message in queue.receive(WAIT, HIDDEN).await? {
        let Ok(signal) = events::read(&message.body) else { continue };
        if !signal.about.contains(&Subject::Heartbeat) {
            continue;
        }
        receipts.push(message.receipt);
        // One that was sent before has lain in the queue: how late it is says nothing of the way.
        if wanted.contains(&signal.scope) && signal.at >= began {
            let now = now();
            let late = now.duration_since(signal.at).unsigned_abs();
            let late = u64::try_from(late.as_millis()).unwrap_or(u64::MAX);
            heard.insert(signal.scope, Heard { arrived: now, late });
        }
    }
    if !receipts.is_empty() {
        queue.delete(&receipts).await?;
    }
    Ok(())
}

//! `landfast wait`: until objects are as somebody needs them.

use std::time::Duration;

use crate::cli::args::{Global, WaitFor};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::session::Pace;
use crate::cli::terminal;
use crate::cli::view::View;
use crate::report::{HealthStatus, Status, StatusList, SyncStatus};

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(5);

pub(super) fn run(global: &Global, words: &[String], what: WaitFor, timeout: Duration) -> Result<Exit, Trouble> {
    let view = View::at(Pace::Real(1.0), global, words)?;
    let end = view.session.cx.elapsed() + timeout;
    view.drive(async {
        view.reach().await?;
        let mut told = None;
        loop {
            let looks = view.glance().await?;
            let list = StatusList::of(looks.iter().map(|looked| (&looked.plan, &looked.memory)));
            let meant = |item: &&Status| item.object.parse().is_ok_and(|key| view.selection.includes(&key));
            let items: Vec<&Status> = list.items.iter().filter(meant).collect();
            if what != WaitFor::Deleted {
                view.selection.require(looks.iter().flat_map(|looked| looked.plan.entries.keys()))?;
            }
            let open: Vec<&str> =
                items.iter().filter(|item| !is(item, what)).map(|item| item.object.as_str()).collect();
            if open.is_empty() {
                return Ok(Exit::Done);
            }
            if told.as_ref() != Some(&open.len()) {
                told = Some(open.len());
                terminal::note(&format!("waiting for {} of {} objects: {}", open.len(), items.len(), open.join(", ")));
            }
            if view.controller.is_stopping() {
                return Err(Trouble::Interrupted);
            }
            if view.session.cx.elapsed() >= end {
                return Err(Trouble::NotInTime(open.join(", ")));
            }
            view.session.cx.sleep(EVERY).await;
        }
    })
}

fn is(item: &Status, what: WaitFor) -> bool {
    match what {
        WaitFor::Ready => item.is_ready() && item.health == HealthStatus::Healthy,
        WaitFor::Synced => item.sync == SyncStatus::Synced,
        WaitFor::Healthy => item.health == HealthStatus::Healthy,
        WaitFor::Deleted => item.status.is_none() && item.health != HealthStatus::Unknown,
    }
}

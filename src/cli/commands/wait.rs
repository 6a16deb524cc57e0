//! `landfast wait`: until objects are as somebody needs them.

use std::time::Duration;

use super::status::look;
use crate::cli::args::{Global, WaitFor};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::terminal;
use crate::cli::view::{EVERY, View};
use crate::report::{HealthStatus, Status, SyncStatus};

pub(super) fn run(global: &Global, words: &[String], what: WaitFor, timeout: Duration) -> Result<Exit, Trouble> {
    let mut view = View::watching(global, words)?;
    let end = view.session.cx.elapsed() + timeout;
    let mut told = None;
    loop {
        let items = match look(&view, words) {
            // What is deleted is in no plan any more.
            Err(Trouble::NoSuchObject { .. }) if what == WaitFor::Deleted => Vec::new(),
            looked => looked?.0.items,
        };
        let open: Vec<&str> = items.iter().filter(|item| !is(item, what)).map(|item| item.object.as_str()).collect();
        if open.is_empty() {
            return Ok(Exit::Done);
        }
        if told != Some(open.len()) {
            told = Some(open.len());
            terminal::note(&format!("waiting for {} of {} objects: {}", open.len(), items.len(), open.join(", ")));
        }
        let left = end.saturating_sub(view.session.cx.elapsed());
        if left.is_zero() {
            return Err(Trouble::NotInTime(open.join(", ")));
        }
        view.session.ask(view.session.cx.sleep(EVERY.min(left)))?;
        view = view.again(words)?;
    }
}

fn is(item: &Status, what: WaitFor) -> bool {
    match what {
        WaitFor::Ready => item.is_ready() && item.health == HealthStatus::Healthy,
        WaitFor::Synced => item.sync == SyncStatus::Synced,
        WaitFor::Healthy => item.health == HealthStatus::Healthy,
        WaitFor::Deleted => item.status.is_none() && item.health != HealthStatus::Unknown,
    }
}

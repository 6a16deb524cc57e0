//! What makes a daemon look at the manifests again: a changed file, an interval, somebody who asks, a call of a Git host.
//! All of it says only *look now*, and may come late, twice or never.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tracing::info;

use super::exit::Trouble;
use super::session::Session;
use crate::controller::Controller;
use crate::source::Watch;
use crate::store::Inbox;

/// How often it is looked whether somebody asks.
const ASKED: Duration = Duration::from_secs(1);

/// By how much an interval varies, so that many daemons do not ask at once.
const JITTER: f64 = 0.1;

/// Why it is time to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// Something may have changed.
    News,
    /// Somebody asks for a look.
    Asked,
}

/// Where news comes from.
pub(super) struct News {
    watch: Option<Watch>,
    interval: Duration,
    inbox: Inbox,
    called: Arc<Notify>,
}

impl News {
    /// Begins to listen.
    pub(super) fn of(
        session: &Session,
        controller: &Controller,
        inbox: Inbox,
        resync: Duration,
    ) -> Result<Self, Trouble> {
        let watch = match session.manifests.directory() {
            // The watcher needs the runtime of the session for its timers only while it is waited for.
            Some(root) => {
                Some(session.drive_unsaved(controller, async { Watch::new(root) })?.map_err(Trouble::Source)?)
            }
            None => None,
        };
        let interval = session.manifests.interval().unwrap_or(resync);
        Ok(Self { watch, interval, inbox, called: Arc::default() })
    }

    /// What wakes it from outside: a call of a Git host.
    pub(super) fn bell(&self) -> Arc<Notify> {
        Arc::clone(&self.called)
    }

    /// Completes when it is time to look.
    pub(super) async fn next(&mut self, session: &Session) -> Wake {
        let cx = &session.cx;
        let varied = self.interval.mul_f64(1.0 - JITTER + 2.0 * JITTER * cx.random());
        let (inbox, watch, called) = (&self.inbox, &mut self.watch, &self.called);
        let asked = async {
            loop {
                if let Some(sync) = inbox.take_syncs(cx.now()).pop() {
                    info!(by = sync.by, "a look was requested");
                    return;
                }
                cx.sleep(ASKED).await;
            }
        };
        let changed = async {
            match watch {
                Some(watch) => watch.changed(cx).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = asked => {
                session.manifests.hurry();
                Wake::Asked
            }
            () = called.notified() => {
                session.manifests.hurry();
                Wake::News
            }
            () = changed => Wake::News,
            () = cx.sleep(varied) => Wake::News,
        }
    }
}

//! `landfast run`: the daemon.

use std::path::Path;
use std::time::Duration;

use tracing::{error, info, warn};

use super::plan::severity;
use crate::cli::args::Global;
use crate::cli::exit::{Exit, Trouble};
use crate::cli::session::{self, Pace, Session};
use crate::cli::{progress, terminal};
use crate::controller::{Controller, Ended, Reports, Until, tend_all};
use crate::source::Watch;
use crate::store::Inbox;

pub(super) fn run(
    global: &Global,
    once: bool,
    resync: Duration,
    sim_speed: f64,
    reports: &Reports,
) -> Result<Exit, Trouble> {
    let session = Session::start(global, Pace::Real(sim_speed))?;
    let store = session.store()?;
    let root = session::root(global);
    let controller =
        session.controller(store, progress::plain()).resyncing_every(resync).with_inbox(Inbox::of(&global.state));
    let until = if once { Until::Settled } else { Until::Stopped };
    // Watching begins before the first read, so that no change falls between the two.
    let mut watch = if once { None } else { Some(watch(&session, &controller, &root)?) };
    let broken = publish(&session, &controller, &root, Missing::IsAnError)?;
    terminal::note(&format!("landfast {} tends {}", env!("CARGO_PKG_VERSION"), root.display()));
    let ended = session.drive(&controller, async {
        tokio::select! {
            biased;
            ended = tend_all(&controller, until) => ended,
            never = follow(&session, &controller, &root, watch.as_mut(), resync) => match never {},
            never = reports.keep_writing(&controller) => match never {},
        }
    })??;
    let settled = ended.values().filter_map(|ended| match ended {
        Ended::Settled(plan) => Some(Exit::of_settled(plan)),
        Ended::Stopped => None,
    });
    let worst = settled.max_by_key(|exit| severity(*exit)).unwrap_or(Exit::Done);
    Ok(if once && broken { Exit::Manifest } else { worst })
}

fn watch(session: &Session, controller: &Controller, root: &Path) -> Result<Watch, Trouble> {
    // The watcher needs the runtime of the session for its timers only while it is waited for.
    session.drive(controller, async { Watch::new(root) })?.map_err(Trouble::Source)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    IsAnError,
    KeepsTheLastGood,
}

/// Loads the manifests and pins them up. What is broken stays as it was.
fn publish(session: &Session, controller: &Controller, root: &Path, missing: Missing) -> Result<bool, Trouble> {
    let loaded = session::load(root, controller.store(), &session.operator)?;
    session::show_diagnostics(&loaded.diagnostics);
    let nothing = loaded.desired.environments.is_empty();
    if nothing && missing == Missing::IsAnError {
        return Err(Trouble::Manifest("no environment could be loaded".to_owned()));
    }
    if nothing {
        warn!("no environment could be loaded from this revision; everything stays as it was");
        return Ok(true);
    }
    let revision = loaded.desired.revision.clone();
    let broken = !loaded.broken.is_empty();
    info!(%revision, sequence = revision.sequence, environments = loaded.desired.environments.len(), broken, "revision loaded");
    controller.board.publish(loaded.desired, &loaded.broken);
    Ok(broken)
}

/// Loads again whenever a file changes, and now and then in case the news of it was lost.
async fn follow(
    session: &Session,
    controller: &Controller,
    root: &Path,
    mut watch: Option<&mut Watch>,
    resync: Duration,
) -> std::convert::Infallible {
    let mut known = controller.board.desired().revision.clone();
    loop {
        match &mut watch {
            Some(watch) => drop(session.cx.timeout(resync, watch.changed(&session.cx)).await),
            None => std::future::pending().await,
        }
        if controller.is_stopping() {
            std::future::pending::<()>().await;
        }
        match session::read(root) {
            Ok(snapshot) if snapshot.content == known.content => continue,
            Ok(_) => {}
            Err(why) => {
                error!(%why, "the manifests could not be read; everything stays as it was");
                continue;
            }
        }
        if let Err(why) = publish(session, controller, root, Missing::KeepsTheLastGood) {
            error!(%why, "the manifests could not be loaded; everything stays as it was");
        }
        known = controller.board.desired().revision.clone();
        if let Err(why) = session.save() {
            warn!(%why, "the simulation could not be saved");
        }
    }
}

//! `landfast run`: the daemon.

use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use tracing::{error, info, warn};

use super::plan::severity;
use crate::cli::args::Global;
use crate::cli::exit::{Exit, Trouble};
use crate::cli::session::{self, Pace, Session};
use crate::cli::{loading, progress, terminal};
use crate::controller::{Controller, Ended, Reports, Until, tend_all};
use crate::manifest::Loaded;
use crate::model::Digest;
use crate::source::{self, UnderWay, Watch};
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
    let mut known = Known::default();
    let loaded = session.drive(&controller, known.load(&session, &root))??;
    let nothing = || Trouble::Manifest("no environment could be loaded".to_owned());
    let broken = publish(&controller, loaded.ok_or_else(nothing)?, Missing::IsAnError)?;
    terminal::note(&format!("landfast {} tends {}", env!("CARGO_PKG_VERSION"), root.display()));
    let ended = session.drive(&controller, async {
        tokio::select! {
            biased;
            ended = tend_all(&controller, until) => ended,
            never = follow(&session, &controller, &root, watch.as_mut(), known, resync) => match never {},
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

/// What a daemon knows of the manifests.
#[derive(Default)]
struct Known {
    /// The files that were loaded last.
    content: Option<Digest>,
    /// What Git had not ended when they were read; it was waited for long enough.
    given_up: Option<UnderWay>,
}

impl Known {
    /// The manifests, as of a moment in which Git was in the middle of nothing; `None` if they are known. Loaded beside
    /// everything else, however long it takes.
    async fn load(&mut self, session: &Session, root: &Path) -> Result<Option<Loaded>, Trouble> {
        loop {
            let found = source::at_rest(&session.cx, root, self.given_up.as_ref()).await;
            let known = self.content.clone().filter(|_| found == self.given_up);
            let loaded = loading::changed_apart(root.to_owned(), known, session.operator.clone()).await?;
            if source::under_way(root) != found {
                continue;
            }
            self.given_up = found;
            let Some(mut loaded) = loaded else { return Ok(None) };
            self.content = Some(loaded.desired.revision.content.clone());
            if let Some(under_way) = &self.given_up {
                loading::hold(&mut loaded, under_way);
            }
            return Ok(Some(loaded));
        }
    }
}

/// Pins up what was loaded. What is broken stays as it was.
fn publish(controller: &Controller, mut loaded: Loaded, missing: Missing) -> Result<bool, Trouble> {
    session::record(&mut loaded, controller.store())?;
    session::show_diagnostics(&loaded.diagnostics);
    let nothing = loaded.desired.environments.is_empty();
    let mut kept = loaded.broken.clone();
    if loaded.obscure {
        // What describes it may be what was not understood.
        let known = controller.board.desired();
        kept.extend(known.environments.keys().filter(|name| !loaded.desired.environments.contains_key(*name)).cloned());
    }
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
    controller.board.publish(loaded.desired, &kept);
    Ok(broken)
}

/// Loads again whenever a file changes, and now and then in case the news of it was lost.
async fn follow(
    session: &Session,
    controller: &Controller,
    root: &Path,
    mut watch: Option<&mut Watch>,
    mut known: Known,
    resync: Duration,
) -> std::convert::Infallible {
    loop {
        match &mut watch {
            Some(watch) => drop(session.cx.timeout(resync, watch.changed(&session.cx)).await),
            None => std::future::pending().await,
        }
        if controller.is_stopping() {
            std::future::pending::<()>().await;
        }
        let loaded = match known.load(session, root).await {
            Ok(Some(loaded)) => loaded,
            Ok(None) => continue,
            Err(why) => {
                error!(%why, cause = why.source().map(tracing::field::display), "the manifests could not be loaded; everything stays as it was");
                continue;
            }
        };
        if let Err(why) = publish(controller, loaded, Missing::KeepsTheLastGood) {
            error!(%why, "the manifests could not be recorded; everything stays as it was");
            known.content = None;
        }
        if let Err(why) = session.save() {
            warn!(%why, "the simulation could not be saved");
        }
    }
}

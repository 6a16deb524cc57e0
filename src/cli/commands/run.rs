//! `landfast run`: the daemon.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tracing::{error, info, warn};

use super::plan::severity;
use crate::cli::args::{Global, RunArgs, VERSION};
use crate::cli::beacon::Lamp;
use crate::cli::exit::{Exit, Trouble};
use crate::cli::feedback::Feedback;
use crate::cli::health::HealthPages;
use crate::cli::history::History;
use crate::cli::hooks::Hooks;
use crate::cli::news::{News, Wake};
use crate::cli::notify::Notifications;
use crate::cli::session::{self, Pace, Session};
use crate::cli::{loading, logging, place, progress, stderr};
use crate::controller::{Controller, Ended, Reports, Until, publish_traffic, receive, tend_all};
use crate::manifest::{Diagnostic, Loaded, Severity};
use crate::model::{Desired, EnvName};
use crate::ports::Queue;
use crate::source::{self, SourceError, UnderWay};
use crate::store::{Inbox, Store, StoreError};

/// The first pause before the journal is opened again; doubles with each further one.
const REOPEN: Duration = Duration::from_secs(5);

/// The longest such pause.
const REOPEN_MAX: Duration = Duration::from_mins(5);

/// How often it is looked whether the journal is still where others look for it.
const CHECK: Duration = Duration::from_secs(5);

/// What is asked for.
struct Asked {
    /// Only until everything is settled.
    once: bool,
    /// And no longer than that.
    timeout: Option<Duration>,
    resync: Duration,
    reports: Reports,
    /// Where webhooks are received.
    listen: Option<SocketAddr>,
    /// Where health and metrics are served.
    health: Option<SocketAddr>,
}

pub(super) fn run(global: &Global, args: RunArgs) -> Result<Exit, Trouble> {
    stderr::detach()?;
    let session = Session::start(global, Pace::Real(args.sim_speed))?;
    if let Some(root) = session.manifests.directory() {
        place::outside_checkout(global, root)?;
    }
    session.manifests.forget_others(&global.state);
    session.accept_older(args.accept_older_commit.as_deref());
    info!(
        version = VERSION,
        pid = std::process::id(),
        manifests = %session.manifests,
        state = %global.state.display(),
        cloud = ?global.cloud,
        endpoint = global.endpoint_url.as_deref(),
        config = session.operator.file(),
        resync = ?args.resync,
        once = args.once,
        "started"
    );
    let reports = Reports { places: args.drift_reports, every: args.drift_report_every, keep: args.drift_reports_kept };
    let asked = &Asked {
        once: args.once,
        timeout: args.timeout,
        resync: args.resync,
        reports,
        listen: args.listen,
        health: args.health_listen,
    };
    // At the beginning somebody is there to see it; later nobody is.
    let mut store = session.store()?;
    let mut attempts: u32 = 0;
    let mut known = None;
    loop {
        let began = session.cx.elapsed();
        let why = match attend(&session, store, asked, &mut known) {
            Err(Trouble::Store(why)) if why.may_pass() && !asked.once => why,
            ended => return ended,
        };
        if session.cx.elapsed().saturating_sub(began) > REOPEN_MAX {
            attempts = 0;
        }
        store = match reopen(&session, why, &mut attempts)? {
            Some(store) => store,
            None => return Ok(Exit::Failed),
        };
    }
}

/// Opens the journal again, after a while, and again. `None` if the process is told to stop meanwhile.
fn reopen(session: &Session, mut why: StoreError, attempts: &mut u32) -> Result<Option<Store>, Trouble> {
    loop {
        let pause = REOPEN.saturating_mul(2_u32.saturating_pow(*attempts)).min(REOPEN_MAX);
        *attempts = attempts.saturating_add(1);
        let cause = std::error::Error::source(&why).map(ToString::to_string);
        error!(%why, cause, ?pause, "the journal is not available: reconciliation is paused and retried later");
        match session.ask(session.cx.sleep(pause)) {
            Err(Trouble::Interrupted) => return Ok(None),
            waited => waited?,
        }
        match session.store() {
            Ok(store) => {
                warn!("the journal is available again");
                return Ok(Some(store));
            }
            Err(Trouble::Store(again)) if again.may_pass() => why = again,
            Err(trouble) => return Err(trouble),
        }
    }
}

/// Everything that a daemon does with a journal, until it ends or the journal fails.
///
/// `known` is what the manifests said when it ended: it holds on where they are broken when it begins again.
fn attend(session: &Session, store: Store, asked: &Asked, known: &mut Option<Arc<Desired>>) -> Result<Exit, Trouble> {
    let inbox = Inbox::of(&session.global.state);
    if let Err(why) = inbox.prepare() {
        warn!(%why, "requests cannot be received");
    }
    let lamp = Lamp::new(&session.cx, &session.global.state, &session.manifests.to_string());
    let controller = session
        .controller(store, progress::logged(session.global.log_format))
        .resyncing_every(asked.resync)
        .with_inbox(inbox.clone());
    let feedback = if asked.once { Feedback::default() } else { Feedback::of(session)? };
    let notifications = if asked.once { Notifications::none() } else { Notifications::of(session) };
    let controller = controller.observed_by(notifications.beside(feedback.beside(lamp.observer())));
    let until = if asked.once { Until::Settled } else { Until::Stopped };
    // Watching begins before the first read, so that no change falls between the two.
    let mut news = if asked.once { None } else { Some(News::of(session, &controller, inbox, asked.resync)?) };
    let hooks = match &news {
        Some(news) => session.drive_unsaved(&controller, Hooks::listen(session, asked.listen, news.bell()))??,
        None => None,
    };
    let pages = session.drive_unsaved(&controller, HealthPages::listen(asked.health))??;
    let missing = if known.is_some() { Missing::KeepsTheLastGood } else { Missing::IsAnError };
    if let Some(known) = known.take() {
        controller.board.publish(Desired::clone(&known), &BTreeSet::new());
    }
    let mut files = Known::default();
    let broken = first(session, &controller, &lamp, &mut files, missing, asked.once)?;
    let ended = session.drive_unsaved(&controller, async {
        tokio::select! {
            biased;
            ended = tend_all(&controller, until) => ended.map(Some),
            () = over(session, asked.timeout) => Ok(None),
            gone = watch_journal(session, &controller) => Err(gone),
            failed = follow(session, &controller, news.as_mut(), files, &lamp) => Err(failed),
            never = lamp.burn(&controller.signals) => match never {},
            never = publish_traffic(&controller) => match never {},
            never = hear(&controller, session.queue()) => match never {},
            never = keep_simulation(session) => match never {},
            never = Hooks::serve(session, hooks.as_ref(), &feedback) => match never {},
            never = HealthPages::serve(&session.cx, pages.as_ref(), &lamp, &controller.board) => match never {},
            never = feedback.keep_giving(session, &controller) => match never {},
            gone = notifications.keep_telling(&controller) => Err(gone),
            never = asked.reports.keep_writing(&controller) => match never {},
            never = logging::tell_losses(&session.cx) => match never {},
        }
    })?;
    lamp.put_out();
    *known = Some(controller.board.desired());
    // What has failed is told before whatever fails for the same reason.
    let ended = ended?;
    session.save()?;
    let running = running(&controller)?;
    let Some(ended) = ended else {
        error!(timeout = ?asked.timeout, running, "not settled in time; AWS continues what was started");
        return Ok(Exit::Failed);
    };
    let stopped = ended.values().any(|ended| matches!(ended, Ended::Stopped));
    info!(running, "stopped{}", if running.is_empty() { "" } else { "; AWS continues what was started" });
    if stopped && asked.once {
        return Err(Trouble::LeftRunning(running));
    }
    let settled = ended.values().filter_map(|ended| match ended {
        Ended::Settled(plan) => Some(Exit::of_settled(plan)),
        Ended::Stopped => None,
    });
    let worst = settled.max_by_key(|exit| severity(*exit)).unwrap_or(Exit::Done);
    Ok(if asked.once && broken { Exit::Manifest } else { worst })
}

/// Receives events for ever; does nothing for ever, if the operator has named no queue.
async fn hear(controller: &Controller, queue: Option<Arc<dyn Queue>>) -> std::convert::Infallible {
    match queue {
        Some(queue) => receive(controller, &*queue).await,
        None => std::future::pending().await,
    }
}

/// Keeps the simulation now and then for those who look beside the daemon. Never ends.
async fn keep_simulation(session: &Session) -> std::convert::Infallible {
    loop {
        session.cx.sleep(CHECK).await;
        if let Err(why) = session.save() {
            warn!(%why, "the simulation could not be saved");
        }
    }
}

/// Ends when there is no more time.
async fn over(session: &Session, timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => session.cx.sleep(timeout).await,
        None => std::future::pending().await,
    }
}

/// The stacks whose operations of ours go on.
fn running(controller: &Controller) -> Result<String, Trouble> {
    let mut running = Vec::new();
    for name in controller.board.desired().environments.keys() {
        let memory = controller.store().memory(name)?;
        running.extend(memory.objects.pending_stacks().map(ToString::to_string));
    }
    Ok(running.join(", "))
}

/// Ends when the journal is not where others would look for it any more: they would begin another one, beside this.
async fn watch_journal(session: &Session, controller: &Controller) -> StoreError {
    loop {
        session.cx.sleep(CHECK).await;
        if let Err(gone) = controller.store().check() {
            return gone;
        }
    }
}

/// Loads the manifests for the first time. A Git host that cannot be asked then is asked again later; everything else is
/// said while somebody is there.
fn first(
    session: &Session,
    controller: &Controller,
    lamp: &Lamp,
    files: &mut Known,
    missing: Missing,
    once: bool,
) -> Result<bool, Trouble> {
    let loaded = match session.drive_unsaved(controller, files.load(session, controller.store()))? {
        Err(why @ Trouble::Source(SourceError::Remote { .. })) if !once => {
            files.fail(&why, lamp);
            return Ok(true);
        }
        loaded => loaded?,
    };
    let nothing = || Trouble::Manifest("no environment could be loaded".to_owned());
    let loaded = loaded.ok_or_else(nothing)?;
    // Nobody who ran before remembers how an environment was that is broken now, but the clone does.
    let earlier = match missing {
        Missing::IsAnError => session.manifests.last_good(&loaded.0.broken, &session.against(controller.store())),
        Missing::KeepsTheLastGood => None,
    };
    let missing = if earlier.is_some() { Missing::KeepsTheLastGood } else { missing };
    if let Some(earlier) = earlier {
        let names: Vec<String> = earlier.environments.keys().map(ToString::to_string).collect();
        warn!(environments = names.join(", "), "continuing with the last accepted commit of environments with errors");
        controller.board.publish(earlier, &BTreeSet::new());
    }
    let broken = publish(session, controller, lamp, loaded, missing);
    files.tell(session, lamp);
    session.drive_unsaved(controller, keep(session, controller.store()))?;
    broken
}

/// Keeps what is followed, on a thread of its own: writing may take a while.
async fn keep(session: &Session, store: &Store) {
    let (manifests, accepted) = (session.manifests.clone(), store.accepted());
    let kept = loading::apart(move || manifests.keep(&accepted).map_err(|error| error.to_string())).await;
    if let Err(why) = kept.map_err(|trouble| trouble.to_string()).flatten() {
        warn!(%why, "the manifests that are followed could not be kept: while others are broken, only `status` shows them");
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    IsAnError,
    KeepsTheLastGood,
}

/// What a daemon knows of the manifests.
#[derive(Default)]
struct Known {
    /// What was loaded last.
    read: Option<loading::Known>,
    /// What Git had not ended when they were read; it was waited for long enough.
    given_up: Option<UnderWay>,
    /// Why they could not be loaded, as it was said last.
    failed: Option<String>,
    /// What was said last of Git sources.
    told: Vec<String>,
}

impl Known {
    /// The manifests, as of a moment in which Git was in the middle of nothing; `None` if they are known. Loaded beside
    /// everything else, however long it takes.
    async fn load(&mut self, session: &Session, store: &Store) -> Result<Option<loading::Read>, Trouble> {
        let root = session.manifests.directory();
        loop {
            let found = match root {
                Some(root) => source::at_rest(&session.cx, root, self.given_up.as_ref()).await,
                None => None,
            };
            let known = self.read.clone().filter(|_| found == self.given_up);
            let loaded = loading::changed_apart(session.manifests.clone(), known, session.against(store)).await?;
            if root.and_then(source::under_way) != found {
                continue;
            }
            self.given_up = found;
            let Some((mut loaded, history)) = loaded else { return Ok(None) };
            let revision = &loaded.desired.revision;
            self.read = Some((revision.content.clone(), revision.commit.clone()));
            if let Some(under_way) = &self.given_up {
                loading::hold(&mut loaded, under_way);
            }
            return Ok(Some((loaded, history)));
        }
    }

    /// Says why they could not be loaded: it is the same at each look, and said once.
    fn fail(&mut self, why: &Trouble, lamp: &Lamp) {
        let cause = why.source().map(ToString::to_string);
        let text = Some(format!("{why}: {}", cause.as_deref().unwrap_or_default()));
        if self.failed != text {
            error!(%why, cause, "the manifests could not be loaded; nothing changes");
            lamp.loaded(None, text.clone(), &[]);
            self.failed = text;
        }
    }

    /// Says that they can be loaded again, and what there is to say of Git sources: once each.
    fn tell(&mut self, session: &Session, lamp: &Lamp) {
        let again = self.failed.take().is_some();
        let told = session.manifests.told();
        if again {
            info!("the manifests can be read again");
        }
        for text in told.iter().filter(|text| !self.told.contains(text)) {
            warn!("{text}");
        }
        if told.is_empty() && !self.told.is_empty() {
            info!("the newest commit is followed again");
        }
        if again || !told.is_empty() || told != self.told {
            lamp.loaded(None, (!told.is_empty()).then(|| told.join("; ")), &[]);
        }
        self.told = told;
    }
}

/// Pins up what was loaded. What is broken, or older than what was accepted, stays as it was.
fn publish(
    session: &Session,
    controller: &Controller,
    lamp: &Lamp,
    (mut loaded, history): loading::Read,
    missing: Missing,
) -> Result<bool, Trouble> {
    log_diagnostics(&loaded.diagnostics);
    let wrong = loaded.diagnostics.iter().find(|one| one.severity == Severity::Error).map(place_of);
    tell_history(&history);
    if keep_newer(&mut loaded, &history, &controller.board.desired()) {
        return Ok(!loaded.broken.is_empty());
    }
    session::record(&mut loaded, controller.store())?;
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
        warn!("no environment could be loaded from this revision; nothing changes");
        lamp.loaded(None, wrong, &[]);
        return Ok(true);
    }
    let revision = loaded.desired.revision.clone();
    let broken = !loaded.broken.is_empty();
    info!(%revision, sequence = revision.sequence, environments = loaded.desired.environments.len(), broken, "revision loaded");
    let refused: BTreeSet<&EnvName> = history.refused().map(|(name, _)| name).collect();
    let follow = loaded.desired.environments.keys().filter(|name| !refused.contains(name));
    session.accept(controller.store(), &history, follow, &revision)?;
    controller.board.publish(loaded.desired, &kept);
    lamp.loaded(Some(revision.to_string()), wrong, &controller.board.desired().environments.keys().collect::<Vec<_>>());
    Ok(broken)
}

/// What is wrong with the manifests, an event of the log for each.
fn log_diagnostics(diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        let (code, help) = (diagnostic.code, diagnostic.help.as_deref());
        let text = place_of(diagnostic);
        match diagnostic.severity {
            Severity::Error => error!(code, help, "{text}"),
            Severity::Warning => warn!(code, help, "{text}"),
        }
    }
}

/// Where it is wrong, and what.
fn place_of(diagnostic: &Diagnostic) -> String {
    let place = [diagnostic.file.clone(), diagnostic.line.map(|line| line.to_string())];
    let place: Vec<String> =
        place.into_iter().flatten().chain(diagnostic.column.map(|column| column.to_string())).collect();
    if place.is_empty() { diagnostic.message.clone() } else { format!("{}: {}", place.join(":"), diagnostic.message) }
}

/// Says once for each revision whether its commit is newer than those that were accepted.
fn tell_history(history: &History) {
    if let Some(refused) = history.refusal(|_| true) {
        warn!("{refused}");
    }
    for doubt in history.doubts(|_| true) {
        warn!("{doubt}");
    }
}

/// Where an older commit would take back what an environment follows, it goes on with that, as far as it is known. True if
/// that is so of all of them: then nothing is new.
fn keep_newer(loaded: &mut Loaded, history: &History, known: &Desired) -> bool {
    let newer = |name: &EnvName| known.environments.get(name).filter(|environment| environment.older_than.is_none());
    let kept: BTreeMap<_, _> =
        history.refused().filter_map(|(name, _)| Some((name.clone(), Arc::clone(newer(name)?)))).collect();
    let environments = &mut loaded.desired.environments;
    environments.extend(kept.clone());
    !kept.is_empty() && environments.len() == kept.len()
}

/// Loads again whenever there is news, and now and then in case the news was lost. Ends when the journal fails.
async fn follow(
    session: &Session,
    controller: &Controller,
    mut news: Option<&mut News>,
    mut known: Known,
    lamp: &Lamp,
) -> StoreError {
    loop {
        match &mut news {
            Some(news) => {
                if news.next(session).await == Wake::Asked {
                    // What is asked for is a look at everything, not at the manifests alone.
                    controller.board.wake();
                }
            }
            None => std::future::pending().await,
        }
        if controller.is_stopping() {
            std::future::pending::<()>().await;
        }
        let loaded = match known.load(session, controller.store()).await {
            Ok(loaded) => loaded,
            Err(why) => {
                known.fail(&why, lamp);
                continue;
            }
        };
        let Some(loaded) = loaded else {
            known.tell(session, lamp);
            continue;
        };
        match publish(session, controller, lamp, loaded, Missing::KeepsTheLastGood) {
            Err(Trouble::Store(why)) => return why,
            Err(why) => {
                error!(%why, "the manifests could not be loaded; nothing changes");
                known.read = None;
            }
            Ok(_) => {
                known.tell(session, lamp);
                keep(session, controller.store()).await;
            }
        }
        if let Err(why) = session.save() {
            warn!(%why, "the simulation could not be saved");
        }
    }
}

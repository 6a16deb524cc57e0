//! The composition root: which clock, which cloud, which manifests, which journal.

use std::cell::{Cell, RefCell};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::args::{CloudKind, Global};
use super::exit::Trouble;
use super::furnish::furnish;
use super::history::History;
use super::manifests::{Manifests, is_git};
use super::{loading, operator, place, terminal};
#[cfg(feature = "aws")]
use crate::aws::{AwsCloud, Settings};
use crate::context::{Context, Virtual};
use crate::controller::{Controller, Listener};
use crate::files;
use crate::manifest::{Diagnostic, Loaded, Severity};
use crate::model::{EnvName, Environment, Redacted, Revision};
use crate::operator::Operator;
use crate::ports::{Cloud, Gate, Governor, Identities, Probes, Queue, Unasked, Unseal};
#[cfg(feature = "aws")]
use crate::probe::Network;
use crate::sim::{EventPath, SimCloud, SimConfig};
use crate::source;
use crate::store::{Access, Store, StoreError};

/// How long a stopped command may take to end (the documentation promises ten seconds, process exit included).
const GRACE: Duration = Duration::from_secs(9);

/// How the time of the simulation passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Pace {
    /// As fast as everything is done: a deployment of an hour takes a moment.
    Virtual,
    /// As in the real world, so much faster.
    Real(f64),
}

/// Who has the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// This process.
    Us,
    /// Another one, which may be changing things.
    Another,
}

impl Holder {
    /// Says that a copy is shown.
    pub(super) fn mention(self) {
        if self == Self::Another {
            terminal::note("note: state is in use by another Landfast process; showing a snapshot");
        }
    }
}

enum Clockwork {
    Virtual(Virtual),
    Real(tokio::runtime::Runtime),
}

/// Everything a command needs, put together.
pub(super) struct Session {
    pub(super) global: Global,
    pub(super) cx: Context,
    /// What the operator allows.
    pub(super) operator: Operator,
    /// Where the manifests are.
    pub(super) manifests: Manifests,
    clockwork: Clockwork,
    cloud: Arc<dyn Cloud>,
    probes: Arc<dyn Probes>,
    /// The queue of events, if the operator names one. The simulation has one of its own then.
    queue: Option<Arc<dyn Queue>>,
    /// The simulation, if that is the cloud: saved when the command ends.
    simulation: Option<SimCloud>,
    /// Another process has the journal, and with it the simulation: it is not saved from here.
    only_looks: Cell<bool>,
    /// The older commit that a person accepts, until it is.
    older: RefCell<Option<String>>,
    /// What sealed secrets are opened with.
    identities: Arc<Identities>,
    /// What the key of fingerprints is sealed with in the journal, if it is.
    keys: Option<Arc<Identities>>,
}

/// What is saved of the simulation between two commands.
#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    now: Timestamp,
    world: serde_json::Value,
}

impl Session {
    /// Puts everything together. AWS always runs in real time.
    pub(super) fn start(global: &Global, pace: Pace) -> Result<Self, Trouble> {
        match global.cloud {
            CloudKind::Aws => Self::on_aws(global),
            CloudKind::Sim => Self::simulated(global, pace),
        }
    }

    #[cfg(not(feature = "aws"))]
    fn on_aws(_: &Global) -> Result<Self, Trouble> {
        Err(Trouble::WithoutAws)
    }

    #[cfg(feature = "aws")]
    fn on_aws(global: &Global) -> Result<Self, Trouble> {
        let (clockwork, cx) = real()?;
        let (operator, manifests) = whose(global)?;
        let Clockwork::Real(runtime) = &clockwork else { return Err(Trouble::Deadlock) };
        let settings = Settings {
            profile: global.profile.clone(),
            endpoint_url: global.endpoint_url.clone(),
            ..Settings::default()
        };
        let cloud = Arc::new(runtime.block_on(AwsCloud::connect(settings)));
        let queue = operator.events().map(|queue| cloud.queue(queue));
        Ok(Self {
            global: global.clone(),
            cx,
            operator,
            manifests,
            clockwork,
            cloud,
            probes: Arc::new(Network::default()),
            queue,
            simulation: None,
            only_looks: Cell::new(false),
            older: RefCell::new(None),
            identities: identities(global.identity.as_deref())?.unwrap_or_default(),
            keys: identities(global.fingerprint_key.as_deref())?,
        })
    }

    #[expect(clippy::disallowed_methods, reason = "this is where the clock is chosen: a new simulation begins now")]
    fn simulated(global: &Global, pace: Pace) -> Result<Self, Trouble> {
        let (operator, manifests) = whose(global)?;
        let saved = load_simulation(&global.state)?;
        let (clockwork, cx, speed) = match pace {
            Pace::Virtual => {
                let clock = Virtual::starting_at(saved.as_ref().map_or_else(Timestamp::now, |saved| saved.now));
                let cx = Context::simulated(&clock, 0);
                (Clockwork::Virtual(clock), cx, 1.0)
            }
            Pace::Real(speed) => {
                let (clockwork, cx) = real()?;
                (clockwork, cx, speed)
            }
        };
        let events = operator.events().map(|_| EventPath::default());
        let simulation = SimCloud::new(cx.clone(), SimConfig { speed, events, ..SimConfig::default() });
        let queue = operator.events().map(|_| simulation.queue());
        if let Some(saved) = saved {
            let restored = simulation.restore(saved.world);
            restored
                .map_err(|error| Trouble::machine("the saved simulation could not be read; delete sim.json", error))?;
        }
        // Manifests that cannot be read are the command's to report.
        if let Ok(loaded) = load_unrecorded(&manifests, &operator) {
            furnish(&simulation, &loaded.desired);
        }
        let cloud = Arc::new(simulation.clone());
        Ok(Self {
            global: global.clone(),
            cx,
            operator,
            manifests,
            clockwork,
            cloud,
            probes: Arc::new(simulation.clone()),
            queue,
            simulation: Some(simulation),
            only_looks: Cell::new(false),
            older: RefCell::new(None),
            identities: identities(global.identity.as_deref())?.unwrap_or_default(),
            keys: identities(global.fingerprint_key.as_deref())?,
        })
    }

    /// The journal, for this process alone.
    pub(super) fn store(&self) -> Result<Store, Trouble> {
        let store = Store::open_with(&self.journal(), &self.cx, self.keys.as_deref())?;
        place::ignore(&self.global.state)
            .map_err(|error| Trouble::machine("the state directory could not be written", error))?;
        Ok(store)
    }

    /// Where the journal is, and how it could be opened.
    pub(super) fn journal_access(&self) -> (Access, PathBuf) {
        let path = self.journal();
        (Store::access(&path), path)
    }

    /// The journal, for what only looks: the one there is, if it is ours and nobody has it; otherwise a copy. Where there
    /// is none, none is made: whoever looks first decides neither where the journal is nor whose.
    pub(super) fn store_for_looking(&self) -> Result<(Store, Holder), Trouble> {
        let journal = self.journal();
        let copy = || Store::peek_with(&journal, &self.cx, self.keys.as_deref());
        match Store::access(&journal) {
            Access::Missing => {
                self.only_looks.set(true);
                Ok((Store::in_memory(&self.cx)?, Holder::Us))
            }
            Access::Theirs => {
                self.only_looks.set(true);
                Ok((copy()?, Holder::Us))
            }
            Access::Held => {
                self.only_looks.set(true);
                Ok((copy()?, Holder::Another))
            }
            Access::Ours => match self.store() {
                // It was taken in this moment.
                Err(Trouble::Store(StoreError::Locked { .. })) => {
                    self.only_looks.set(true);
                    Ok((copy()?, Holder::Another))
                }
                store => Ok((store?, Holder::Us)),
            },
        }
    }

    /// A copy of the journal, for what looks for a long time: an `apply` beside it must not be refused.
    pub(super) fn store_for_watching(&self) -> Result<(Store, Holder), Trouble> {
        self.only_looks.set(true);
        let journal = self.journal();
        let copy = || Store::peek_with(&journal, &self.cx, self.keys.as_deref());
        Ok(match Store::access(&journal) {
            Access::Missing => (Store::in_memory(&self.cx)?, Holder::Us),
            Access::Held => (copy()?, Holder::Another),
            Access::Theirs | Access::Ours => (copy()?, Holder::Us),
        })
    }

    /// The journal to write into, or a copy of it where another process (the daemon) has it.
    pub(super) fn store_for_asking(&self) -> Result<(Store, Holder), Trouble> {
        match self.store() {
            Err(Trouble::Store(StoreError::Locked { .. })) => self.store_for_looking(),
            store => Ok((store?, Holder::Us)),
        }
    }

    /// From here on nothing is asked of web servers.
    pub(super) fn ask_no_web_servers(&mut self) {
        self.probes = Arc::new(Unasked);
    }

    /// Nobody has begun a journal there.
    pub(super) fn has_no_journal(&self) -> bool {
        Store::access(&self.journal()) == Access::Missing
    }

    fn journal(&self) -> PathBuf {
        self.global.state.join(match self.global.cloud {
            CloudKind::Aws => "journal.redb",
            CloudKind::Sim => "sim-journal.redb",
        })
    }

    /// The loop over this session's cloud.
    pub(super) fn controller(&self, store: Store, listener: Listener) -> Controller {
        let cloud = Arc::clone(&self.cloud);
        let controller = Controller::under(self.cx.clone(), cloud, store, listener, self.operator.clone());
        let controller = controller.probing(Arc::clone(&self.probes));
        controller.unsealing_with(Arc::clone(&self.identities) as Arc<dyn Unseal>)
    }

    /// The governed doors to this session's cloud, for what needs neither manifests nor a journal. Nothing is changed
    /// through them: their gate is closed.
    pub(super) fn governor(&self) -> Governor {
        let gate = Gate::new(0);
        gate.close();
        Governor::under(self.cx.clone(), Arc::clone(&self.cloud), gate, self.operator.clone())
    }

    /// The queue that events of AWS arrive in, where the operator names one.
    pub(super) fn queue(&self) -> Option<Arc<dyn Queue>> {
        self.queue.clone()
    }

    /// Copies the journal, on whatever thread.
    #[cfg(feature = "git")]
    pub(super) fn peeking(&self) -> impl FnOnce() -> Result<Store, Trouble> + Send + 'static {
        let (path, cx, keys) = (self.journal(), self.cx.clone(), self.keys.clone());
        move || Store::peek_with(&path, &cx, keys.as_deref()).map_err(Trouble::Store)
    }

    /// The loop over this session's cloud, for looks alone: its gate is closed, it opens nothing that is sealed, and it asks
    /// no web server.
    #[cfg(feature = "git")]
    pub(super) fn looker(&self, copy: Store) -> Controller {
        let (cx, cloud) = (self.cx.clone(), Arc::clone(&self.cloud));
        let controller = Controller::under(cx, cloud, copy, super::progress::silent(), self.operator.clone());
        let controller = controller.probing(Arc::new(Unasked));
        controller.stop();
        controller
    }

    /// Runs a future that only asks. It is dropped when the process is told to stop.
    pub(super) fn ask<F: Future>(&self, future: F) -> Result<F::Output, Trouble> {
        match &self.clockwork {
            Clockwork::Virtual(clock) => clock.drive(future).ok_or(Trouble::Deadlock),
            Clockwork::Real(runtime) => runtime.block_on(async {
                let future = std::pin::pin!(future);
                tokio::select! {
                    biased;
                    output = future => Ok(output),
                    signal = told_to_stop() => signal.and(Err(Trouble::Interrupted)),
                }
            }),
        }
    }

    /// Runs a future to its end. When the process is told to stop, `controller` is, and the future may finish what is
    /// safe.
    pub(super) fn drive<F: Future>(&self, controller: &Controller, future: F) -> Result<F::Output, Trouble> {
        let outcome = self.drive_unsaved(controller, future);
        self.save()?;
        outcome
    }

    /// The same, and the simulation is not kept: that is left to the caller.
    pub(super) fn drive_unsaved<F: Future>(&self, controller: &Controller, future: F) -> Result<F::Output, Trouble> {
        match &self.clockwork {
            Clockwork::Virtual(clock) => clock.drive(future).ok_or(Trouble::Deadlock),
            Clockwork::Real(runtime) => runtime.block_on(async {
                let mut future = std::pin::pin!(future);
                tokio::select! {
                    biased;
                    output = &mut future => return Ok(output),
                    signal = told_to_stop() => signal?,
                }
                controller.stop();
                self.cx.timeout(GRACE, future).await.ok_or(Trouble::Interrupted)
            }),
        }
    }

    /// Keeps the simulation for the next command.
    pub(super) fn save(&self) -> Result<(), Trouble> {
        let Some(simulation) = self.simulation.as_ref().filter(|_| !self.only_looks.get()) else { return Ok(()) };
        let doing = "the simulation could not be saved";
        let world = simulation.snapshot().map_err(|error| Trouble::machine(doing, error))?;
        let saved = Saved { version: 1, now: self.cx.now(), world };
        let text = serde_json::to_vec(&saved).map_err(|error| Trouble::machine(doing, error))?;
        let path = self.global.state.join("sim.json");
        files::make_directory(&self.global.state)
            .and_then(|()| files::replace(&path, &text, files::Access::Private))
            .map_err(|error| Trouble::machine(doing, error))
    }
}

/// What the operator says, and where the manifests are.
fn whose(global: &Global) -> Result<(Operator, Manifests), Trouble> {
    let operator = operator::find(global, &place::root(global));
    let directory = match &operator {
        Ok(operator) if is_git(global, operator) => None,
        _ => Some(place::root(global)),
    };
    if let Some(root) = directory {
        place::outside_manifests(global, &root)?;
    }
    let operator = operator?;
    let manifests = Manifests::of(global, &operator)?;
    Ok((operator, manifests))
}

/// The identities that were named; none, if none were.
fn identities(path: Option<&Path>) -> Result<Option<Arc<Identities>>, Trouble> {
    let Some(path) = path else { return Ok(None) };
    let doing = || format!("the identities in {} could not be read", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| Trouble::machine(doing(), error))?;
    let read = Identities::parse(&Redacted::new(text));
    Ok(Some(Arc::new(read.map_err(|error| Trouble::machine(doing(), error))?)))
}

fn real() -> Result<(Clockwork, Context), Trouble> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Trouble::machine("the runtime could not be started", error))?;
    let cx = Context::system()
        .map_err(|error| Trouble::machine("the operating system provides no random numbers", error.to_string()))?;
    Ok((Clockwork::Real(runtime), cx))
}

fn load_simulation(state: &Path) -> Result<Option<Saved>, Trouble> {
    let path = state.join("sim.json");
    let doing = || format!("the saved simulation {} could not be read; delete it to start again", path.display());
    let read = || {
        files::regular_or_nothing(&path)?;
        let mut text = Vec::new();
        files::open_unfollowed(&path)?.read_to_end(&mut text).map(|_| text)
    };
    match read() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Trouble::machine(doing(), error)),
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| Trouble::machine(doing(), error)),
    }
}

async fn told_to_stop() -> Result<(), Trouble> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |error| Trouble::machine("signals could not be listened to", error);
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    tokio::select! {
        biased;
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Reads the manifests without a journal: for commands that only look at files.
pub(super) fn load_unrecorded(manifests: &Manifests, operator: &Operator) -> Result<Loaded, Trouble> {
    let against = loading::Against { operator: operator.clone(), ..loading::Against::default() };
    loading::load(manifests, &against).map(|(loaded, _)| loaded)
}

impl Session {
    /// An older commit of this name is accepted.
    pub(super) fn accept_older(&self, commit: Option<&str>) {
        self.older.replace(commit.map(str::to_owned));
    }

    /// What manifests are held against.
    pub(super) fn against(&self, store: &Store) -> loading::Against {
        let (operator, named) = (self.operator.clone(), self.older.borrow().clone());
        loading::Against { operator, accepted: store.accepted(), named }
    }

    /// Reads the manifests and gives the revision its place in the journal. While Git writes files, nothing is gone.
    pub(super) fn load(&self, store: &Store) -> Result<loading::Read, Trouble> {
        let read = self.load_silently(store)?;
        self.tell(&read.0);
        Ok(read)
    }

    /// Shows what is wrong with manifests, and what there is to say of Git sources.
    pub(super) fn tell(&self, loaded: &Loaded) {
        for told in self.manifests.told() {
            terminal::note(&format!("note: {told}"));
        }
        show_diagnostics(&loaded.diagnostics);
    }

    /// The same, without showing what is wrong with them.
    pub(super) fn load_silently(&self, store: &Store) -> Result<loading::Read, Trouble> {
        let under_way = || self.manifests.directory().and_then(source::under_way);
        let before = under_way();
        let (mut loaded, history) = loading::load(&self.manifests, &self.against(store))?;
        if let Some(under_way) = before.or_else(under_way) {
            loading::hold(&mut loaded, &under_way);
        }
        record(&mut loaded, store)?;
        Ok((loaded, history))
    }

    /// These environments follow a revision from now on. A person's word for an older commit holds once.
    pub(super) fn accept<'n>(
        &self,
        store: &Store,
        history: &History,
        environments: impl IntoIterator<Item = &'n EnvName>,
        revision: &Revision,
    ) -> Result<(), Trouble> {
        let accepted = history.accepted(environments, revision, &store.accepted());
        let used = accepted.keys().any(|name| history.given_up(name).is_some());
        store.accept(accepted)?;
        if used {
            self.older.replace(None);
        }
        Ok(())
    }
}

/// Gives a revision its place in the journal.
pub(super) fn record(loaded: &mut Loaded, store: &Store) -> Result<(), Trouble> {
    let revision = &loaded.desired.revision;
    loaded.desired.revision = store.revise(&revision.content, revision.commit.as_deref())?;
    Ok(())
}

/// Shows what is wrong with the manifests, on standard error.
pub(super) fn show_diagnostics(diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        terminal::note(&render(diagnostic));
    }
}

/// A diagnostic with its snippet.
pub(super) fn render(diagnostic: &Diagnostic) -> String {
    let mut text = String::new();
    let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor());
    if handler.render_report(&mut text, diagnostic).is_err() {
        text = diagnostic.to_string();
    }
    text
}

/// How many errors.
pub(super) fn errors(diagnostics: &[Diagnostic]) -> usize {
    diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count()
}

/// The environments that a command is about. A broken one is an error if it was asked for by name; otherwise the
/// others go ahead.
pub(super) fn choose(loaded: &Loaded, name: Option<&str>) -> Result<Vec<Arc<Environment>>, Trouble> {
    let environments = &loaded.desired.environments;
    let Some(name) = name else {
        if environments.is_empty() {
            return Err(broken(loaded));
        }
        return Ok(environments.values().cloned().collect());
    };
    if loaded.broken.iter().any(|broken| broken.as_str() == name) {
        return Err(broken(loaded));
    }
    let found = environments.iter().find(|(known, _)| known.as_str() == name).map(|(_, environment)| environment);
    let known = || environments.keys().chain(&loaded.broken).map(ToString::to_string).collect();
    let missing = || Trouble::NoSuchEnvironment { name: name.to_owned(), known: known() };
    Ok(vec![Arc::clone(found.ok_or_else(missing)?)])
}

fn broken(loaded: &Loaded) -> Trouble {
    let count = errors(&loaded.diagnostics);
    Trouble::Manifest(format!("the manifests have {count} error{}", if count == 1 { "" } else { "s" }))
}

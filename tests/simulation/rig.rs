//! The daemon as `landfast run` puts it together, on a simulated cloud, disk, checkout and clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use landfast::context::{Context, Virtual};
use landfast::controller::{Controller, Until, receive, tend_all};

use landfast::manifest;
use landfast::model::{Scope, Snapshot};
use landfast::ports::Queue;
use landfast::sim::{Console, EventPath, SimCloud, SimConfig};
use landfast::store::{Disk, Store};
use tokio::sync::Notify;

use crate::fleet::{CANARY, Fleet, Glitch};
use crate::monitor::Truth;
use crate::spy::{Life, Spy};

/// How often the daemon looks although nothing happened.
pub(crate) const RESYNC: Duration = Duration::from_mins(5);

/// Where the manifests are checked out.
pub(crate) struct Repo {
    pub(crate) fleet: Fleet,
    pub(crate) history: Vec<Fleet>,
    pub(crate) glitch: Option<Glitch>,
}

impl Repo {
    fn snapshot(&self) -> Snapshot {
        self.fleet.snapshot(self.glitch)
    }
}

/// A daemon that runs.
struct Daemon {
    controller: Arc<Controller>,
    life: Arc<Life>,
    future: BoxFuture<'static, Result<(), String>>,
}

pub(crate) struct Rig {
    pub(crate) clock: Virtual,
    pub(crate) cx: Context,
    pub(crate) cloud: SimCloud,
    pub(crate) truth: Arc<Truth>,
    pub(crate) repo: Arc<Mutex<Repo>>,
    disk: Disk,
    told: Arc<Notify>,
    daemon: Option<Daemon>,
    lives: u64,
    seed: u64,
    /// There are events.
    events: bool,
    /// Polls of the daemon that ended in waiting.
    pub(crate) polls: Arc<AtomicU64>,
    /// The daemon dies when it waits for the how-manieth time.
    pub(crate) dies_at: Option<u64>,
    /// It did, and nobody has started it again.
    pub(crate) died: bool,
}

pub(crate) fn scope() -> Scope {
    Scope { account: "111122223333".parse().unwrap(), region: "us-east-1".parse().unwrap() }
}

impl Rig {
    pub(crate) fn new(seed: u64, fleet: Fleet, events: Option<EventPath>) -> Self {
        let clock = Virtual::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
        let cx = Context::simulated(&clock, seed);
        let told = events.is_some();
        let cloud = SimCloud::new(cx.clone(), SimConfig { page_size: 3, events, ..SimConfig::default() });
        let truth = Arc::new(Truth::default());
        truth.watch(&cloud);
        for (bucket, key, body) in crate::fleet::nested_templates() {
            cloud.console(&scope()).put_object(bucket, &key, &body);
        }
        let repo = Arc::new(Mutex::new(Repo { history: vec![fleet.clone()], fleet, glitch: None }));
        Self {
            clock,
            cx,
            cloud,
            truth,
            repo,
            disk: Disk::new(),
            told: Arc::new(Notify::new()),
            daemon: None,
            lives: 0,
            seed,
            events: told,
            polls: Arc::default(),
            dies_at: None,
            died: false,
        }
    }

    pub(crate) fn console(&self) -> Console {
        self.cloud.console(&scope())
    }

    pub(crate) fn is_running(&self) -> bool {
        self.daemon.is_some()
    }

    /// Starts the daemon, as it starts after a crash too.
    pub(crate) fn start(&mut self) {
        self.daemon = None;
        self.died = false;
        self.lives += 1;
        let cx = Context::simulated(&self.clock, self.seed.wrapping_mul(31).wrapping_add(self.lives));
        let store = Store::on(&self.disk, &cx).expect("the store opens");
        let (spy, life) = Spy::new(cx.clone(), self.cloud.clone(), Arc::clone(&self.truth), store.clone());
        let truth = Arc::clone(&self.truth);
        let listener = Arc::new(move |_, progress: &landfast::report::Progress| {
            if format!("{progress:?}").contains(CANARY) {
                truth.blame(format!("S12 secrets: {progress:?}"));
            }
        });
        let controller = Arc::new(Controller::new(cx, Arc::new(spy), store, listener).resyncing_every(RESYNC));
        let future = Box::pin(daemon(
            Arc::clone(&controller),
            Arc::clone(&self.repo),
            Arc::clone(&self.told),
            Arc::clone(&self.truth),
            self.events.then(|| self.cloud.queue()),
        ));
        self.daemon = Some(Daemon { controller, life, future });
    }

    /// The daemon is gone from one moment to the next.
    pub(crate) fn crash(&mut self) {
        self.daemon = None;
    }

    pub(crate) fn lose_store(&mut self) {
        self.daemon = None;
        self.disk = Disk::new();
        self.truth.store_lost();
    }

    /// The daemon is told to stop.
    pub(crate) fn stop(&mut self) {
        if let Some(daemon) = &self.daemon {
            daemon.life.stopped.store(true, Ordering::SeqCst);
            daemon.controller.stop();
        }
    }

    pub(crate) fn controller(&self) -> Option<Arc<Controller>> {
        self.daemon.as_ref().map(|daemon| Arc::clone(&daemon.controller))
    }

    /// The journal: the daemon's, or as another process has it.
    pub(crate) fn store(&self) -> Store {
        let opened = || Store::on(&self.disk, &self.cx).expect("the store opens");
        self.controller().map_or_else(opened, |controller| controller.store().clone())
    }

    /// A commit, or another state of the checkout.
    pub(crate) fn commit(&self, change: impl FnOnce(&mut Repo), told: bool) {
        let mut repo = self.repo.lock().unwrap();
        change(&mut repo);
        if repo.history.last() != Some(&repo.fleet) {
            let fleet = repo.fleet.clone();
            repo.history.push(fleet);
        }
        drop(repo);
        if told {
            self.told.notify_one();
        }
    }

    /// Lets time pass, while the daemon runs if there is one. Returns why the daemon ended, if it ended badly.
    pub(crate) fn pass(&mut self, duration: Duration) -> Result<(), String> {
        let (clock, cx) = (self.clock.clone(), self.cx.clone());
        let run = async {
            let mut over = std::pin::pin!(cx.sleep(duration));
            loop {
                let Some(daemon) = &mut self.daemon else {
                    over.await;
                    return Ok(());
                };
                let counted = Counted { future: &mut daemon.future, polls: &self.polls, dies_at: self.dies_at };
                tokio::select! {
                    biased;
                    ended = counted => {
                        self.daemon = None;
                        self.died = ended.is_none();
                        ended.unwrap_or(Ok(()))?;
                        if self.died {
                            return Ok(());
                        }
                    }
                    () = &mut over => return Ok(()),
                }
            }
        };
        clock
            .drive(run)
            .unwrap_or_else(|| Err("L6 deadlines: everything waits for something that is not a timer".to_owned()))
    }
}

/// Counts how often the daemon waits, and ends at one of these moments.
pub(crate) struct Counted<'a, 'f> {
    pub(crate) future: &'a mut BoxFuture<'f, Result<(), String>>,
    pub(crate) polls: &'a AtomicU64,
    pub(crate) dies_at: Option<u64>,
}

impl Future for Counted<'_, '_> {
    type Output = Option<Result<(), String>>;

    fn poll(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        match self.future.as_mut().poll(cx) {
            std::task::Poll::Ready(ended) => std::task::Poll::Ready(Some(ended)),
            std::task::Poll::Pending => {
                let polls = self.polls.fetch_add(1, Ordering::Relaxed) + 1;
                if self.dies_at == Some(polls) {
                    return std::task::Poll::Ready(None);
                }
                std::task::Poll::Pending
            }
        }
    }
}

/// What `landfast run` does.
async fn daemon(
    controller: Arc<Controller>,
    repo: Arc<Mutex<Repo>>,
    told: Arc<Notify>,
    truth: Arc<Truth>,
    queue: Option<Arc<dyn Queue>>,
) -> Result<(), String> {
    publish(&controller, &repo, &truth)?;
    let follow = async {
        let cx = controller.context();
        loop {
            let _ = cx.timeout(RESYNC, told.notified()).await;
            if controller.is_stopping() {
                std::future::pending::<()>().await;
            }
            if let Err(why) = publish(&controller, &repo, &truth) {
                return why;
            }
        }
    };
    let hear = async {
        match &queue {
            Some(queue) => receive(&controller, &**queue).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        ended = tend_all(&controller, Until::Stopped) => ended.map(drop).map_err(|error| error.to_string()),
        why = follow => Err(why),
        never = hear => match never {},
    }
}

/// Loads the manifests and pins them up, if they changed.
fn publish(controller: &Controller, repo: &Mutex<Repo>, truth: &Truth) -> Result<(), String> {
    let (snapshot, operator, floor) = {
        let repo = repo.lock().unwrap();
        let floor = repo.fleet.floored.then_some(repo.fleet.policy);
        (repo.snapshot(), repo.fleet.operator(), floor)
    };
    if controller.board.desired().revision.content == snapshot.content {
        return Ok(());
    }
    let revision = controller.store().revise(&snapshot.content, None).map_err(|error| error.to_string())?;
    let loaded = manifest::load_under(&snapshot, revision, &operator);
    if loaded.desired.environments.is_empty() {
        return Ok(());
    }
    controller.board.publish(loaded.desired, &loaded.broken);
    truth.published(&controller.board.desired(), floor);
    Ok(())
}

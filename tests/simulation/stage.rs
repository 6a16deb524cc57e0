//! One environment in virtual time: a simulated AWS, a disk, and daemons that come and go. What is in the environment, and
//! what must be true of it, is the scenario's; how a daemon lives, dies and is looked at is the same for all.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use landfast::context::{Context, Virtual};
use landfast::controller::{Controller, Tender, Until};
use landfast::manifest::{self, Loaded};
use landfast::model::{
    Broaden, Budget, Desired, Digest, DriftAction, EnvName, Environment, FileContent, Memory, Mode, Plan, Policy,
    Prune, Replace, Scope, Snapshot,
};
use landfast::plan::Goal;
use landfast::report::Progress;
use landfast::sim::{Console, SimCloud, SimConfig};
use landfast::store::{Disk, Store};

pub(crate) const HOUR: Duration = Duration::from_hours(1);
pub(crate) const DAY: Duration = Duration::from_hours(24);
/// A daemon that dies when it has waited so often does not die.
pub(crate) const FOREVER: u64 = u64::MAX;

fn name() -> EnvName {
    "dev".parse().unwrap()
}

/// The environment `dev` without an object. Whatever is asked for may be done, but no stack of it.
pub(crate) fn environment(scope: &Scope) -> Environment {
    let budget = Budget { stacks: 0, replacements: 0, deletions: 0, per: HOUR };
    Environment {
        name: name(),
        system: "app".to_owned(),
        scope: scope.clone(),
        role: None,
        tags: BTreeMap::new(),
        policy: Policy {
            mode: Mode::Apply,
            prune: Prune::Always,
            replace: Replace::Allow,
            broaden: Broaden::Allow,
            budget,
            stack_name: ".*".to_owned(),
            required_tags: BTreeSet::new(),
            stateful_types: BTreeSet::new(),
            stateless_types: BTreeSet::new(),
            backup_max_age: HOUR,
            drift: DriftAction::Report,
            drift_every: None,
        },
        windows: std::sync::Arc::default(),
        limits: landfast::model::Limits::default(),
        template_bucket: None,
        stacks: BTreeMap::new(),
        services: BTreeMap::new(),
        secrets: BTreeMap::new(),
        records: BTreeMap::new(),
        backups: BTreeMap::new(),
        ready: BTreeMap::new(),
        gaps: landfast::model::Gaps::default(),
        older_than: None,
    }
}

/// It alone is wanted: another revision whenever anything of it is another.
pub(crate) fn wanted(store: &Store, environment: Environment) -> Desired {
    let revision = store.revise(&Digest::of(&format!("{environment:?}")), None).unwrap();
    Desired { revision, environments: BTreeMap::from([(environment.name.clone(), Arc::new(environment))]) }
}

/// What these files say, and what is wrong with them.
pub(crate) fn load(store: &Store, files: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>) -> Loaded {
    let file = |text: String| FileContent::Bytes(text.into_bytes().into());
    let files = files.into_iter().map(|(path, text)| (path.into(), file(text.into())));
    let snapshot = Snapshot::new("manifests", files.collect(), None);
    manifest::load(&snapshot, store.revise(&snapshot.content, None).unwrap())
}

/// What these files say, which is without a fault.
pub(crate) fn loaded(
    store: &Store,
    files: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
) -> Desired {
    let loaded = load(store, files);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    loaded.desired
}

/// What these files say, of whose environments none is broken.
pub(crate) fn unbroken(
    store: &Store,
    files: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
) -> Desired {
    let loaded = load(store, files);
    assert!(loaded.broken.is_empty(), "{:?}", loaded.diagnostics);
    loaded.desired
}

/// A world with a field `stage` can do whatever its stage can.
macro_rules! set_on_a_stage {
    ($world:ty) => {
        impl std::ops::Deref for $world {
            type Target = $crate::stage::Stage;

            fn deref(&self) -> &Self::Target {
                &self.stage
            }
        }

        impl std::ops::DerefMut for $world {
            fn deref_mut(&mut self) -> &mut Self::Target {
                &mut self.stage
            }
        }
    };
}
pub(crate) use set_on_a_stage;

/// Plays a scenario in which a daemon is killed twice, for moments that are `stride` apart: after it has waited so often,
/// and started again, so often once more. `play` says how often each life has waited; a life that ended before it was to be
/// killed was the last of its kind. Says how many pairs there were.
pub(crate) fn killed_twice(stride: u64, mut play: impl FnMut(u64, u64) -> (u64, u64)) -> u64 {
    let (mut first, mut pairs) = (0, 0);
    loop {
        let mut second = 0;
        let polls = loop {
            let (polls, more) = play(first, second);
            pairs += 1;
            if more <= second {
                break polls;
            }
            second += stride;
        };
        if polls <= first {
            println!("{pairs} pairs of crash points");
            return pairs;
        }
        first += stride;
    }
}

pub(crate) struct Stage {
    pub(crate) clock: Virtual,
    pub(crate) cx: Context,
    pub(crate) cloud: SimCloud,
    pub(crate) disk: Disk,
    pub(crate) scope: Scope,
    lives: u64,
}

impl Stage {
    pub(crate) fn new(region: &str, starts: &str, config: SimConfig) -> Self {
        let clock = Virtual::starting_at(starts.parse().unwrap());
        let cx = Context::simulated(&clock, 5);
        let cloud = SimCloud::new(cx.clone(), config);
        let scope = Scope { account: "111122223333".parse().unwrap(), region: region.parse().unwrap() };
        Self { clock, cx, cloud, disk: Disk::new(), scope, lives: 0 }
    }

    pub(crate) fn console(&self) -> Console {
        self.cloud.console(&self.scope)
    }

    /// The journal, as another process has it.
    pub(crate) fn store(&self) -> Store {
        Store::on(&self.disk, &self.cx).unwrap()
    }

    pub(crate) fn memory(&self) -> Memory {
        self.store().memory(&name()).unwrap()
    }

    /// A daemon begins. Another life makes other random numbers: what is made twice is seen to be.
    pub(crate) fn begin(&mut self, listener: impl Fn(&Progress) + Send + Sync + 'static) -> Controller {
        self.lives += 1;
        let cx = Context::simulated(&self.clock, 100 + self.lives);
        let store = Store::on(&self.disk, &cx).unwrap();
        Controller::new(cx, Arc::new(self.cloud.clone()), store, Arc::new(move |_, progress| listener(progress)))
    }

    /// It runs for so long, or until it has waited `dies_at` times. Says how often it has waited.
    pub(crate) fn tend(&self, controller: &Controller, desired: Desired, duration: Duration, dies_at: u64) -> u64 {
        controller.board.publish(desired, &BTreeSet::new());
        let tender = Tender::new(controller, name(), Goal::Converge, Until::Stopped).run();
        self.lives_on(Box::pin(async { panic!("the daemon ended: {:?}", tender.await) }), duration, dies_at)
    }

    /// What has no end runs for so long, or until it has waited `dies_at` times. Says how often it has waited.
    pub(crate) fn lives_on(&self, mut part: BoxFuture<'_, Infallible>, duration: Duration, dies_at: u64) -> u64 {
        let polls = AtomicU64::new(0);
        let mortal = std::future::poll_fn(|task: &mut TaskContext<'_>| {
            if polls.fetch_add(1, Ordering::Relaxed) >= dies_at {
                return Poll::Ready(());
            }
            part.as_mut().poll(task).map(|never| match never {})
        });
        self.clock.drive(self.cx.timeout(duration, mortal)).unwrap();
        polls.into_inner()
    }

    /// What would be done now.
    pub(crate) fn plan(&self, desired: impl FnOnce(&Store) -> Desired) -> Plan {
        let store = self.store();
        let desired = desired(&store);
        let environment = Arc::clone(&desired.environments[&name()]);
        let controller = Controller::new(self.cx.clone(), Arc::new(self.cloud.clone()), store, Arc::new(|_, _| {}));
        self.clock.drive(controller.glance(&desired, &environment)).unwrap().unwrap().plan
    }

    /// What was changed, call by call.
    pub(crate) fn mutations(&self) -> Vec<&'static str> {
        let audit = self.cloud.audit();
        audit.iter().filter(|call| call.mutating && call.applied).map(|call| call.operation).collect()
    }
}

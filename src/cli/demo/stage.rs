//! The stage: one simulated AWS in virtual time, one disk, and a process that can be started and killed.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::manifests::Manifests;
use crate::cli::exit::Trouble;
use crate::cli::furnish::furnish;
use crate::context::{Context, Virtual};
use crate::controller::{Controller, Ended, Preview, Tender, Until, preview};
use crate::manifest;
use crate::model::{Consent, Desired, Environment, Plan};
use crate::plan::{Goal, Input, consent};
use crate::report::{Progress, Timeline};
use crate::sim::{Call, Console, SimCloud, SimConfig};
use crate::store::{Disk, Store};

/// A working day begins.
const EPOCH: &str = "2026-03-02T09:00:00Z";

pub(super) type News = Vec<(Timestamp, Progress)>;

pub(super) struct Stage {
    clock: Virtual,
    pub(super) cx: Context,
    pub(super) cloud: SimCloud,
    /// Outlives every process, as a disk does.
    disk: Disk,
    pub(super) manifests: Manifests,
    heard: Arc<Mutex<News>>,
    /// What AWS has worked for so far.
    worked: Cell<Duration>,
}

/// One run of the program: what is lost when it is killed.
pub(super) struct Process {
    pub(super) controller: Controller,
    pub(super) desired: Desired,
    pub(super) environment: Arc<Environment>,
}

impl Stage {
    pub(super) fn new() -> Self {
        let clock = Virtual::starting_at(EPOCH.parse().unwrap_or(Timestamp::UNIX_EPOCH));
        let cx = Context::simulated(&clock, 1);
        let cloud = SimCloud::new(cx.clone(), SimConfig::default());
        let (disk, manifests, heard) = (Disk::new(), Manifests::shipped(), Arc::default());
        Self { clock, cx, cloud, disk, manifests, heard, worked: Cell::new(Duration::ZERO) }
    }

    /// Starts the program on the manifests as they are now. There must be no other.
    pub(super) fn start(&self) -> Result<Process, Trouble> {
        let store = Store::on(&self.disk, &self.cx)?;
        let snapshot = self.manifests.snapshot();
        let revision = store.revise(&snapshot.content, None)?;
        let mut loaded = manifest::load(&snapshot, revision);
        // Drift has its own act: what the others cost is told without it.
        for environment in loaded.desired.environments.values_mut() {
            Arc::make_mut(environment).policy.drift_every = None;
        }
        let first = loaded.diagnostics.first();
        told(first.is_none(), || format!("the manifests are in order: {first:?}"))?;
        let mut environments = loaded.desired.environments.values();
        let Some(environment) = environments.next().cloned() else { return Err(untold("there is an environment")) };
        furnish(&self.cloud, &loaded.desired);
        let heard = Arc::clone(&self.heard);
        let listener = move |at: Timestamp, progress: &Progress| {
            heard.lock().unwrap_or_else(PoisonError::into_inner).push((at, progress.clone()));
        };
        let cloud = Arc::new(self.cloud.clone());
        let controller = Controller::new(self.cx.clone(), cloud, store, Arc::new(listener));
        let controller = controller.probing(Arc::new(self.cloud.clone()));
        controller.board.publish(loaded.desired.clone(), &BTreeSet::new());
        Ok(Process { controller, desired: loaded.desired, environment })
    }

    /// Lets time pass until `future` has an answer.
    pub(super) fn drive<F: Future>(&self, future: F) -> Result<F::Output, Trouble> {
        self.clock.drive(future).ok_or(Trouble::Deadlock)
    }

    /// The night passes.
    pub(super) fn next_day(&self) -> Result<(), Trouble> {
        self.drive(self.cx.sleep(Duration::from_hours(24)))
    }

    /// What would be done; nothing is left behind.
    pub(super) fn preview(&self, process: &Process) -> Result<Preview, Trouble> {
        let Process { controller, desired, environment } = process;
        self.drive(async {
            let preview = preview(controller, desired, environment, Goal::Converge).await?;
            preview.clean(controller, environment).await;
            Ok(preview)
        })?
    }

    /// A person approves what a preview has shown.
    pub(super) fn approve(&self, process: &Process, preview: &Preview) -> Result<(), Trouble> {
        let input = Input {
            desired: &process.desired,
            environment: &process.environment,
            observation: &preview.looked.observation,
            memory: &preview.looked.memory,
            now: self.cx.now(),
            goal: Goal::Converge,
            busy: &BTreeSet::new(),
        };
        let consent: Consent = consent(&preview.looked.plan, &input, "you".to_owned(), self.cx.now(), false);
        Ok(process.controller.store().consent(&process.environment.name, Some(consent))?)
    }

    /// Does what the plan says, and follows it to its end.
    pub(super) fn settle(&self, process: &Process) -> Result<Plan, Trouble> {
        let began = self.cx.elapsed();
        let ended = self.drive(process.tender(Until::Settled).run())??;
        self.worked_since(began);
        match ended {
            Ended::Settled(plan) => Ok(*plan),
            Ended::Stopped => Err(untold("nothing stops it")),
        }
    }

    /// AWS has worked since then.
    pub(super) fn worked_since(&self, began: Duration) {
        self.worked.set(self.worked.get() + self.cx.elapsed().saturating_sub(began));
    }

    /// How long AWS has worked.
    pub(super) fn worked(&self) -> Duration {
        self.worked.get()
    }

    /// What was told since this was last asked.
    pub(super) fn news(&self) -> News {
        std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was told so far, and stays to be told.
    pub(super) fn overhear(&self, what: impl Fn(&Progress) -> bool) -> usize {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.iter().filter(|(_, progress)| what(progress)).count()
    }

    /// Calls that AWS has received since the call with this number.
    pub(super) fn calls_since(&self, first: u64) -> Vec<Call> {
        self.cloud.audit().into_iter().filter(|call| call.index >= first).collect()
    }

    /// Somebody else in the environment's account.
    pub(super) fn console(&self, process: &Process) -> Console {
        self.cloud.console(&process.environment.scope)
    }
}

impl Process {
    pub(super) fn tender(&self, until: Until) -> Tender<'_> {
        Tender::new(&self.controller, self.environment.name.clone(), Goal::Converge, until)
    }

    /// What this process has done, as a chart.
    pub(super) fn timeline(&self) -> Timeline {
        let stacks = self.environment.stacks.iter();
        let needs: BTreeMap<_, _> = stacks.map(|(key, spec)| (key.clone(), spec.depends_on.clone())).collect();
        Timeline::of(&self.controller.narrator().spans(), &needs)
    }
}

/// Ends the demonstration unless what it tells is so.
pub(super) fn told(so: bool, what: impl FnOnce() -> String) -> Result<(), Trouble> {
    if so { Ok(()) } else { Err(Trouble::Demonstration(what())) }
}

pub(super) fn untold(what: &str) -> Trouble {
    Trouble::Demonstration(what.to_owned())
}

//! Tells what happens, as it happens: to whoever listens, and to the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tracing::{debug, info, warn};

use super::flights::Landed;
use super::outage::Outages;
use crate::context::Context;
use crate::execute::Outcome;
use crate::model::{
    Act, Ailment, Conclusion, Do, Entry, EnvName, Key, Memory, Operation, OperationKind, Plan, RolloutOutcome,
    ServiceDo, StackDo, StackStatus, Waiting,
};
use crate::report::{Progress, Span};

/// Is told what happens. Must not block.
pub type Listener = Arc<dyn Fn(Timestamp, &Progress) + Send + Sync>;

/// Is given every plan that stands until something happens, with what is remembered. Must not block.
pub type PlanObserver = Arc<dyn Fn(Plan, Memory) + Send + Sync>;

/// Compares what is with what was, and tells the difference once.
pub struct Narrator {
    cx: Context,
    listener: Listener,
    observer: Option<PlanObserver>,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    objects: BTreeMap<Key, ToldOfObject>,
    /// How many objects of each environment were ready.
    ready: BTreeMap<EnvName, usize>,
    outages: Outages,
    spans: Vec<Span>,
    failed_rollouts: BTreeSet<Key>,
}

#[derive(Default)]
struct ToldOfObject {
    ready: bool,
    /// Something was told of it since it was ready last.
    touched: bool,
    status: Option<StackStatus>,
    waiting: Vec<Waiting>,
    refused: Vec<crate::model::Refusal>,
    ailments: Vec<Ailment>,
}

impl Narrator {
    /// A narrator for `listener`.
    #[must_use]
    pub fn new(cx: Context, listener: Listener) -> Self {
        Self { cx, listener, observer: None, told: Mutex::default() }
    }

    /// The same, giving every plan to `observer`.
    #[must_use]
    pub fn observed_by(mut self, observer: PlanObserver) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Operations of ours that have ended, oldest first.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        self.lock().spans.clone()
    }

    /// Services of which a rollout has failed.
    #[must_use]
    pub fn failed_rollouts(&self) -> BTreeSet<Key> {
        self.lock().failed_rollouts.clone()
    }

    /// Tells what is new in a plan.
    pub(super) fn planned(&self, environment: &EnvName, plan: &Plan, memory: &Memory) {
        let mut news = Vec::new();
        {
            let mut told = self.lock();
            for (key, entry) in &plan.entries {
                let pending = memory.objects.stacks.get(key).and_then(|memory| memory.pending.as_deref());
                let before = told.objects.entry(key.clone()).or_default();
                self.compare(key, entry, pending, before, &mut news);
            }
        }
        let ready = plan.entries.values().filter(|entry| entry.ready).count();
        if self.lock().ready.insert(environment.clone(), ready) != Some(ready) {
            news.push(Progress::LookedAt { environment: environment.clone(), objects: plan.entries.len(), ready });
        }
        news.extend(self.lock().outages.news(environment, plan, self.cx.now()));
        for progress in news {
            self.tell(&progress);
        }
    }

    /// Gives away a plan by which nothing more is done before the next look.
    pub(super) fn stands(&self, plan: Plan, memory: Memory) {
        if let Some(observer) = &self.observer {
            observer(plan, memory);
        }
    }

    fn compare(
        &self,
        key: &Key,
        entry: &Entry,
        pending: Option<&Operation>,
        before: &mut ToldOfObject,
        news: &mut Vec<Progress>,
    ) {
        // Told of our own operations alone.
        let status = entry.status.as_ref().filter(|_| pending.is_some());
        let status = status.and_then(|status| status.parse::<StackStatus>().ok());
        if let (Some(status), Some(operation)) = (status, pending)
            && before.status != Some(status)
            && status.is_in_progress()
        {
            let elapsed = self.cx.now().duration_since(operation.started).unsigned_abs();
            news.push(Progress::Moved { key: key.clone(), status, elapsed });
        }
        for refusal in entry.refused.iter().filter(|refusal| !before.refused.contains(refusal)) {
            news.push(Progress::Refused { key: key.clone(), refusal: refusal.clone() });
        }
        for waiting in entry.waiting.iter().filter(|waiting| is_news(waiting) && !before.waiting.contains(waiting)) {
            news.push(Progress::Waits { key: key.clone(), waiting: waiting.clone() });
        }
        // A new revision has every object looked at again. Those that it does not touch are no news.
        if entry.ready && !before.ready && std::mem::take(&mut before.touched) {
            news.push(Progress::Ready { key: key.clone() });
        }
        let ailments: Vec<Ailment> = entry.ailments.iter().map(|one| one.ailment).collect();
        for diagnosis in entry.ailments.iter().filter(|one| !before.ailments.contains(&one.ailment)) {
            let evidence = diagnosis.evidence.join("; ");
            warn!(object = diagnosis.object, ailment = ?diagnosis.ailment, evidence, "`landfast doctor` shows the \
            remedy");
        }
        before.ailments = ailments;
        before.ready = entry.ready;
        before.status = status;
        before.waiting.clone_from(&entry.waiting);
        before.refused.clone_from(&entry.refused);
    }

    /// Tells how a step went. `pending` is the operation that was open when it landed.
    pub(super) fn landed(&self, landed: &Landed, pending: Option<&Operation>) {
        let Landed { step, outcome } = landed;
        let (object, verb) = (&step.key, step.action.verb());
        match outcome {
            Outcome::Done => debug!(%object, revision = step.revision, step = verb, "step executed"),
            Outcome::Held => info!(%object, revision = step.revision, step = verb, "held, or its approval has ended"),
            other => warn!(%object, revision = step.revision, step = verb, outcome = %other, "step not executed"),
        }
        if !outcome.is_done() {
            return;
        }
        let key = step.key.clone();
        self.tell(&Progress::Took { key: key.clone(), verb });
        let step = match &step.action {
            Do::Stack(step) => step,
            Do::Service(step) => return self.landed_on_service(key, &step.action),
            _ => return,
        };
        if let Some(kind) = begun(&step.action) {
            self.tell(&Progress::Began { key, name: step.address.name.to_string(), kind });
        } else if let (StackDo::Conclude { conclusion, .. }, Some(operation)) = (&step.action, pending) {
            self.concluded(key, operation, conclusion);
        }
    }

    fn landed_on_service(&self, key: Key, action: &ServiceDo) {
        match action {
            ServiceDo::Decide { decisions, .. } => {
                let why = decisions.iter().map(|(container, image)| (container.clone(), image.why.clone()));
                self.tell(&Progress::Decided { key, why: why.collect() });
            }
            ServiceDo::Conclude { ended, .. } => {
                // One that was taken back leaves everything in sync, and is no success.
                if matches!(ended.outcome, RolloutOutcome::RolledBack | RolloutOutcome::Failed) {
                    self.lock().failed_rollouts.insert(key.clone());
                }
                self.tell(&Progress::RolledOut { key, ended: ended.clone() });
            }
            _ => {}
        }
    }

    fn concluded(&self, key: Key, operation: &Operation, conclusion: &Conclusion) {
        let now = self.cx.now();
        let took = now.duration_since(operation.started).unsigned_abs();
        if !matches!(conclusion, Conclusion::Running | Conclusion::NotSeen) {
            self.lock().spans.push(Span {
                key: key.clone(),
                verb: verb(operation.kind).to_owned(),
                start: operation.started,
                end: now,
                ok: *conclusion == Conclusion::Succeeded,
            });
        }
        self.tell(&Progress::Concluded { key, kind: operation.kind, conclusion: conclusion.clone(), took });
    }

    pub(super) fn tell(&self, progress: &Progress) {
        // A change set that shows that nothing changes is no news.
        let is_idle = matches!(progress, Progress::Ready { .. } | Progress::Took { verb: "prepare" | "discard", .. });
        if let Some(key) = progress.key().filter(|_| !is_idle) {
            self.lock().objects.entry(key.clone()).or_default().touched = true;
        }
        (self.listener)(self.cx.now(), progress);
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waiting for each other, for a turn or for a change set is the normal course of things.
fn is_news(waiting: &Waiting) -> bool {
    matches!(
        waiting,
        Waiting::Backoff { .. }
            | Waiting::Approval { .. }
            | Waiting::Operation { ours: false, .. }
            | Waiting::Readiness { .. }
    )
}

fn begun(action: &StackDo) -> Option<OperationKind> {
    match action {
        StackDo::Create { .. } => Some(OperationKind::Create),
        StackDo::Execute { resyncs, .. } if resyncs.is_empty() => Some(OperationKind::Update),
        StackDo::Execute { .. } => Some(OperationKind::Resync),
        StackDo::Delete { kind, .. } => Some(*kind),
        StackDo::ContinueRollback { .. } => Some(OperationKind::ContinueRollback),
        StackDo::Cancel { .. } => Some(OperationKind::Cancel),
        _ => None,
    }
}

fn verb(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Create => "create",
        OperationKind::Update => "update",
        OperationKind::Clear => "clear",
        OperationKind::Delete => "delete",
        OperationKind::Cancel => "cancel",
        OperationKind::ContinueRollback => "continue rollback",
        OperationKind::Resync => "resync",
    }
}

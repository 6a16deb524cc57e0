//! Steps that have been sent and not been answered: at most one for each object.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

use crate::execute::Outcome;
use crate::model::{Act, Do, Key, StackDo, StackStep, Step};

/// The first pause after a step that did not go as planned; doubles with each further one.
const COOLDOWN: Duration = Duration::from_secs(2);

/// The longest such pause.
const COOLDOWN_MAX: Duration = Duration::from_mins(1);

/// A step that has been answered.
pub(super) struct Landed {
    pub(super) step: Step,
    pub(super) outcome: Outcome,
}

/// Of an object whose last step went wrong.
#[derive(Clone, Copy, Default)]
struct Cooling {
    /// Until when it rests.
    until: Duration,
    /// How often in a row it has gone wrong.
    times: u32,
    /// What went wrong changes nothing at AWS: then not even such a step is hurried. After one that changes something, it
    /// is what finds out how that ended.
    every: bool,
}

/// Steps in the air, and objects that have to cool down after one that went wrong.
#[derive(Default)]
pub(super) struct Flights<'a> {
    flying: FuturesUnordered<BoxFuture<'a, Vec<Landed>>>,
    busy: BTreeSet<Key>,
    landed: Vec<Landed>,
    /// Until when (on the clock that never goes back), and how often in a row.
    cooling: BTreeMap<Key, Cooling>,
    /// What was last done to each object. Done once more it is a sign that reads lag behind, and not to be hurried.
    last: BTreeMap<Key, String>,
}

impl Landed {
    /// Of what came of it the plan can be made again from what was seen before: it has changed nothing at AWS, or has begun
    /// what is followed by what is remembered of it.
    pub(super) fn leaves_what_was_seen(&self) -> bool {
        let Do::Stack(StackStep { action, .. }) = &self.step.action else { return false };
        let followed = action.begins_operation() || matches!(action, StackDo::Prepare { .. });
        self.outcome.is_done() && (followed || !action.mutates())
    }
}

impl<'a> Flights<'a> {
    /// Objects with a step in the air.
    pub(super) fn busy(&self) -> BTreeSet<Key> {
        self.busy.clone()
    }

    /// None is in the air, and none has landed without being looked at.
    pub(super) fn is_empty(&self) -> bool {
        self.busy.is_empty()
    }

    /// Some are still in the air.
    pub(super) fn are_more(&self) -> bool {
        !self.flying.is_empty()
    }

    /// Sends steps together. Left out are those whose object is busy or has to cool down.
    pub(super) fn launch(
        &mut self,
        steps: Vec<Step>,
        now: Duration,
        take: impl FnOnce(Vec<Step>) -> BoxFuture<'a, Vec<Landed>>,
    ) {
        let rests = |step: &Step| {
            let cooling = self.cooling.get(&step.key).filter(|cooling| now < cooling.until);
            cooling.is_some_and(|cooling| cooling.every || step.action.mutates()) || self.busy.contains(&step.key)
        };
        let steps: Vec<Step> = steps.into_iter().filter(|step| !rests(step)).collect();
        if steps.is_empty() {
            return;
        }
        self.busy.extend(steps.iter().map(|step| step.key.clone()));
        self.flying.push(take(steps));
    }

    /// When the first object has cooled down.
    pub(super) fn cooled(&self, now: Duration) -> Option<Duration> {
        self.cooling.values().map(|cooling| cooling.until.saturating_sub(now)).filter(|left| !left.is_zero()).min()
    }

    /// Runs `future` to its end while steps go on landing.
    pub(super) async fn during<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        loop {
            let landed = tokio::select! {
                biased;
                output = &mut future => return output,
                Some(landed) = self.flying.next() => landed,
            };
            self.landed.extend(landed);
        }
    }

    /// Completes when a step has landed; never, if none is in the air.
    pub(super) async fn landing(&mut self) {
        if !self.landed.is_empty() {
            return;
        }
        match self.flying.next().await {
            Some(landed) => self.landed.extend(landed),
            None => std::future::pending().await,
        }
    }

    /// Takes what has landed. Objects whose step did not go as planned cool down, and those to which the same was done
    /// again: AWS answered, and what it then showed was older than its answer.
    pub(super) fn take_landed(&mut self, now: Duration) -> Vec<Landed> {
        let landed = std::mem::take(&mut self.landed);
        for Landed { step, outcome } in &landed {
            self.busy.remove(&step.key);
            if !step.action.mutates() && outcome.is_done() {
                continue;
            }
            let what = step.action.identity();
            let repeated = self.last.insert(step.key.clone(), what.clone()).is_some_and(|last| last == what);
            if outcome.is_done() && !repeated {
                self.cooling.remove(&step.key);
            } else {
                let before = self.cooling.get(&step.key).copied().unwrap_or_default().times;
                let pause = COOLDOWN.saturating_mul(2_u32.saturating_pow(before)).min(COOLDOWN_MAX);
                let (until, every) = (now.saturating_add(pause), !step.action.mutates());
                self.cooling.insert(step.key.clone(), Cooling { until, times: before.saturating_add(1), every });
            }
        }
        landed
    }
}

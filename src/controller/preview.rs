//! A look ahead: what would be done, down to single resources, with nothing left behind (invariant S20).
//!
//! A preview takes only steps that change no stack: it has AWS compute change sets, reads them, and removes them again.
//! A stack that does not exist yet is previewed from its template, because a change set for it would leave a shell.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::iter;

use super::look::Looked;
use super::{Controller, cadence};
use crate::execute::{Outcome, Terms};
use crate::model::{Act, Desired, Do, Environment, Expect, Memory, Observation, StackDo, StackStep, Step, Waiting};
use crate::plan::Goal;
use crate::store::StoreError;

/// How long a preview waits for change sets; after it, the plan shows what it knows.
const WITHIN: Duration = Duration::from_mins(5);

/// Steps taken at the same time.
const AT_ONCE: usize = 16;

/// What would be done.
pub struct Preview {
    /// What was seen, and what follows.
    pub looked: Looked,
}

/// Previews an environment. Change sets stay until [`Preview::clean`]; a plan that is then applied uses them.
pub async fn preview(
    controller: &Controller,
    desired: &Desired,
    environment: &Environment,
    goal: Goal,
) -> Result<Preview, StoreError> {
    let began = controller.cx.elapsed();
    controller.gate.loaded(desired.revision.sequence);
    loop {
        let looked = controller
            .look(desired, environment, goal, &BTreeSet::new(), Observation::begun(controller.cx.now()))
            .await?;
        let steps: Vec<Step> = looked.plan.entries.values().filter_map(preparation).collect();
        let waits = looked.plan.entries.values().flat_map(|entry| &entry.waiting);
        let computing = waits.into_iter().any(|waiting| matches!(waiting, Waiting::ChangeSet { .. }));
        let late = controller.cx.elapsed().saturating_sub(began) > WITHIN;
        if late || (steps.is_empty() && !computing) || !controller.gate.is_open() {
            controller.store.flush()?;
            return Ok(Preview { looked });
        }
        let terms = Terms::of(environment);
        let outcomes: Vec<Outcome> =
            iter(&steps).map(|step| controller.executor.take(step, &terms)).buffered(AT_ONCE).collect().await;
        let failed = outcomes.iter().any(|outcome| !outcome.is_done());
        let unwritten = outcomes.into_iter().find_map(|outcome| match outcome {
            Outcome::NotJournaled(why) => Some(why),
            _ => None,
        });
        if let Some(why) = unwritten {
            return Err(why);
        }
        let pause = cadence::pause(&looked.plan, controller.cx.now(), Duration::from_secs(1), false);
        if failed || computing {
            controller.cx.sleep(pause).await;
        }
    }
}

impl Controller {
    /// One look, which takes no step: for commands that only show.
    pub async fn glance(&self, desired: &Desired, environment: &Environment) -> Result<Looked, StoreError> {
        self.look(desired, environment, Goal::Converge, &BTreeSet::new(), Observation::begun(self.cx.now())).await
    }

    /// Whether [`Controller::stop`] was called.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        !self.gate.is_open()
    }
}

/// The step of an entry, if it changes no stack.
fn preparation(entry: &crate::model::Entry) -> Option<Step> {
    entry.step.as_deref().filter(|step| step.action.is_preparation()).cloned()
}

impl Preview {
    /// Removes the change sets that were made for it, and those that an earlier one has left behind because it was
    /// killed: they were written down before they were made. What cannot be removed now is removed by whoever looks next.
    pub async fn clean(&self, controller: &Controller, environment: &Environment) -> Vec<Outcome> {
        let steps = match controller.store.memory(&environment.name) {
            Ok(memory) => self.leftovers(&memory),
            Err(error) => return vec![Outcome::NotJournaled(error)],
        };
        let terms = Terms::of(environment);
        let outcomes = iter(&steps).map(|step| controller.executor.take(step, &terms)).buffered(AT_ONCE);
        // What a freeze holds is removed by whoever looks after it.
        let failed = |outcome: &Outcome| !outcome.is_done() && !matches!(outcome, Outcome::Held);
        outcomes.filter(|outcome| std::future::ready(failed(outcome))).collect().await
    }

    fn leftovers(&self, memory: &Memory) -> Vec<Step> {
        let Looked { observation, plan, .. } = &self.looked;
        let left = memory.objects.stacks.iter().filter(|(_, memory)| !memory.prepared.is_empty());
        let steps = left.filter_map(|(key, memory)| {
            let place = plan.entries.get(key)?.address.clone();
            let address = place.as_stack()?;
            let state = &observation.stacks.get(&address)?.state;
            let expect = Expect::Stack(state.version(), state.status);
            let names = memory.prepared.iter().map(|(name, prepared)| (name.clone(), prepared.upload.clone()));
            let action = StackDo::Discard { names: names.collect() };
            Some(Step {
                key: key.clone(),
                address: place,
                revision: plan.revision.sequence,
                cost: (0, 0, 0),
                takes_over: None,
                depends_on: memory.depends_on.clone(),
                action: Do::Stack(StackStep { address, expect, action }),
            })
        });
        steps.collect()
    }
}

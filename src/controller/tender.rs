//! Tends one environment: the loop.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tracing::{Instrument as _, error, info_span};

use super::flights::{Flights, Landed};
use super::look::Looked;
use super::{Controller, cadence};
use crate::model::{
    Action, AssumeRole, EnvName, Environment, Key, Memory, Observation, Operation, Plan, StackAddress, Waiting,
};
use crate::plan::Goal;
use crate::store::StoreError;

/// How long a stopping tender waits for answers to what it has sent.
const LAST_ANSWERS: Duration = Duration::from_secs(8);

/// An interactive run waits for a failed operation to be tried again for so long; a longer pause ends it.
const PATIENCE: Duration = Duration::from_mins(3);

/// Looks in a row in which something was unknown, after which an interactive run gives up: over five minutes.
const UNKNOWN_MAX: u32 = 30;

/// When a tender ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// When everything is done, or nothing more will happen without a person.
    Settled,
    /// Only when it is stopped.
    Stopped,
}

/// Why a tender ended.
#[derive(Clone, Debug)]
pub enum Ended {
    /// Nothing more will happen by itself; the last plan says why.
    Settled(Box<Plan>),
    /// It was stopped, or its environment is in no manifest any more.
    Stopped,
}

/// Tends one environment.
pub struct Tender<'a> {
    controller: &'a Controller,
    name: EnvName,
    goal: Goal,
    until: Until,
    flights: Flights<'a>,
    /// What was seen by the last complete listing, brought up to date by what was followed since.
    earlier: Option<Observation>,
    /// When the last complete listing was made.
    listed: Option<Duration>,
    unknowns: u32,
    /// Operations that were open at the last look: what a landed conclusion concludes.
    open: BTreeMap<Key, Operation>,
}

impl<'a> Tender<'a> {
    /// A tender for the environment called `name`.
    #[must_use]
    pub fn new(controller: &'a Controller, name: EnvName, goal: Goal, until: Until) -> Self {
        let flights = Flights::default();
        Self { controller, name, goal, until, flights, earlier: None, listed: None, unknowns: 0, open: BTreeMap::new() }
    }

    /// Looks, plans, acts, and looks again, until it ends. Dropping it is safe at any moment.
    pub async fn run(mut self) -> Result<Ended, StoreError> {
        let controller = self.controller;
        let span = info_span!("tend", environment = %self.name);
        async {
            loop {
                // Asked before looking: what changes while we look is looked at right afterwards.
                let mut changed = std::pin::pin!(controller.board.changed());
                changed.as_mut().enable();
                if !controller.gate.is_open() {
                    self.last_answers().await;
                    return Ok(Ended::Stopped);
                }
                let desired = controller.board.desired();
                let Some(environment) = desired.environments.get(&self.name).cloned() else {
                    self.last_answers().await;
                    return Ok(Ended::Stopped);
                };
                controller.gate.loaded(desired.revision.sequence);
                let (plan, memory) = self.look(&desired, &environment).await?;
                controller.narrator.planned(&self.name, &plan, &memory);
                // Not held while nothing happens: with thousands of stacks it is large.
                drop(memory);
                let moving = self.act(&environment, &plan);
                if self.until == Until::Settled && !moving {
                    return Ok(Ended::Settled(Box::new(plan)));
                }
                let pause = self.pause(&plan);
                drop(plan);
                tokio::select! {
                    biased;
                    () = &mut changed => {}
                    () = self.flights.landing() => {}
                    () = controller.cx.sleep(pause) => {}
                }
            }
        }
        .instrument(span)
        .await
    }

    async fn look(
        &mut self,
        desired: &crate::model::Desired,
        environment: &Environment,
    ) -> Result<(Plan, Memory), StoreError> {
        let controller = self.controller;
        self.land();
        let busy = self.flights.busy();
        let now = controller.cx.elapsed();
        let fresh = self.listed.is_some_and(|listed| now.saturating_sub(listed) < controller.resync);
        let follow = if fresh { self.follow(environment)? } else { BTreeSet::new() };
        let earlier = self.earlier.take().filter(|_| !follow.is_empty()).map(|earlier| (earlier, follow));
        let lists = earlier.as_ref().is_none_or(|(earlier, follow)| follow.len() >= earlier.pages);
        let look = controller.look(desired, environment, self.goal, &busy, earlier);
        let Looked { observation, memory, plan } = self.flights.during(look).await?;
        // What has landed meanwhile concluded what was open before; its objects have no step in this plan.
        self.land();
        if lists {
            self.listed = Some(now);
        }
        self.earlier = Some(observation);
        let open = memory.stacks.iter();
        let open = open.filter_map(|(key, memory)| Some((key.clone(), memory.pending.clone()?)));
        self.open = open.collect();
        controller.store.flush()?;
        Ok((plan, memory))
    }

    /// Stacks that are moving or were touched since: all that has to be read again while the rest stands still.
    fn follow(&self, environment: &Environment) -> Result<BTreeSet<StackAddress>, StoreError> {
        let memory = self.controller.store.memory(&self.name)?;
        let moving =
            memory.stacks.iter().filter(|(_, memory)| memory.pending.is_some() || !memory.change_sets.is_empty());
        let specs = moving.filter_map(|(key, _)| environment.stacks.get(key));
        Ok(specs.map(|spec| spec.address()).collect())
    }

    /// Sends the steps of a plan. False if nothing is moving any more.
    fn act(&mut self, environment: &Environment, plan: &Plan) -> bool {
        let controller = self.controller;
        let now = controller.cx.elapsed();
        for step in plan.entries.values().filter_map(|entry| entry.step.clone()) {
            let role: Option<AssumeRole> = environment.role.clone();
            self.flights.launch(step, now, |step| {
                Box::pin(async move {
                    let outcome = controller.executor.take(&step, role.as_ref()).await;
                    Landed { step, outcome }
                })
            });
        }
        let unknown = |waiting: &Waiting| matches!(waiting, Waiting::Unknown { .. });
        let blind = plan.entries.values().any(|entry| entry.waiting.iter().any(unknown));
        self.unknowns = if blind { self.unknowns.saturating_add(1) } else { 0 };
        let moving = cadence::is_moving(plan, controller.cx.now(), PATIENCE);
        !self.flights.is_empty() || (moving && self.unknowns < UNKNOWN_MAX)
    }

    /// Writes off what has landed, and tells.
    fn land(&mut self) {
        let now = self.controller.cx.elapsed();
        let landed = self.flights.take_landed(now);
        for landed in &landed {
            self.controller.narrator.landed(landed, self.open.get(&landed.step.key));
            if let crate::execute::Outcome::NotJournaled(why) = &landed.outcome {
                error!(object = %landed.step.key, %why, "the journal could not be written");
            }
        }
    }

    fn pause(&self, plan: &Plan) -> Duration {
        let controller = self.controller;
        let now = controller.cx.now();
        // A tenth of jitter, so that many environments do not look at the same moment for ever.
        let resync = controller.resync.mul_f64(0.9 + 0.2 * controller.cx.random());
        let pause = cadence::pause(plan, now, resync);
        let cooled = self.flights.cooled(controller.cx.elapsed());
        let planned = plan.entries.values().any(|entry| entry.step.is_some() && entry.action != Action::Unknown);
        match cooled {
            Some(cooled) if planned => pause.min(cooled),
            _ => pause,
        }
    }

    /// What has been sent is waited for, a little; nothing new is sent.
    async fn last_answers(&mut self) {
        let controller = self.controller;
        let wait = async {
            while !self.flights.is_empty() {
                self.flights.landing().await;
                let _ = self.flights.take_landed(controller.cx.elapsed());
            }
        };
        let _ = controller.cx.timeout(LAST_ANSWERS, wait).await;
    }
}

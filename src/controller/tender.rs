//! Tends one environment: the loop.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::futures::Notified;
use tracing::{Instrument as _, error, info, info_span};

use super::flights::{Flights, Landed};
use super::freshness::{self, Again, Moving};
use super::look::Looked;
use super::news::{self, Ear, Heard};
use super::patrol::Patrol;
use super::{Controller, cadence};
use crate::execute::{Outcome, Terms};
use crate::model::{
    Act, Action, Conclusion, Consent, Desired, Digest, Do, Entry, EnvName, Environment, Key, Kind, Observation,
    Operation, Plan, StackDo, StackStep, Waiting,
};
use crate::plan::{self, Goal, Input, Tally};
use crate::sabotage::{self, Bug};
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

/// When a step has landed and others are on their way, those that land within this time are planned for together: a
/// hundred stacks that are begun together need not be planned for a hundred times.
const GATHER: Duration = Duration::from_millis(20);

/// How often an inbox is looked into.
const INBOX: Duration = Duration::from_secs(2);

/// Completes when another process has approved the plan with this digest, or asks for something that can be done now.
async fn note(controller: &Controller, environment: &Environment, plan: Option<Digest>, busy: BTreeSet<Key>) {
    let Some(inbox) = &controller.inbox else { return std::future::pending().await };
    let (name, now) = (&environment.name, || controller.cx.now());
    let approved = || {
        let is_counted = |plan| controller.approval(environment, plan).is_ok_and(|approval| approval.is_some());
        plan.as_ref().is_some_and(|plan| inbox.holds(name, plan, now()) || is_counted(plan))
    };
    loop {
        controller.sweep_inbox();
        let ordered = inbox.has_orders(now()) || inbox.has_reviews(now());
        if ordered || approved() || controller.is_asked(name, |key| busy.contains(key)) {
            return;
        }
        controller.cx.sleep(INBOX).await;
    }
}

const fn cause_of(heard: &Heard) -> Cause {
    match heard {
        Heard::Things(_) => Cause::Told,
        Heard::Touched => Cause::Patrol,
        Heard::Unsure => Cause::Unsure,
    }
}

/// Tends one environment.
pub struct Tender<'a> {
    controller: &'a Controller,
    name: EnvName,
    goal: Goal,
    until: Until,
    /// The only object that it acts on, if there is one.
    only: Option<Key>,
    flights: Flights<'a>,
    seen: Option<Earlier>,
    /// When everything was last looked at.
    swept: Duration,
    unknowns: u32,
    /// Operations that were open at the last look: what a landed conclusion concludes.
    open: BTreeMap<Key, Operation>,
    /// Who looks for drift.
    patrol: Patrol<'a>,
    /// What events have told.
    ear: Ear,
    /// What this look is for.
    cause: Cause,
    /// What has landed since the last look.
    landed: LandedSince,
    /// When something is to be read again, if nothing says so earlier.
    due: Duration,
}

/// What a look is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// Something may have changed, or it is time.
    News,
    /// Nothing but landed steps has happened since the last look, and what was seen then still stands.
    Landed,
    /// Nothing but the patrol: it has come back, or is to set out.
    Patrol,
    /// Events have told of something.
    Told,
    /// Nothing but readiness checks: events do not tell of them.
    Checks,
    /// More has happened than events have told, or may have.
    Unsure,
}

/// What was seen before.
struct Earlier {
    observation: Observation,
    /// What of it moves.
    moving: Moving,
    /// The revision that it was made for.
    revision: u64,
}

/// Steps that have landed since something was looked at.
#[derive(Default)]
struct LandedSince {
    about: Moving,
    /// One of them does not leave what was seen as it is.
    changes: bool,
}

impl<'a> Tender<'a> {
    /// A tender for the environment called `name`.
    #[must_use]
    pub fn new(controller: &'a Controller, name: EnvName, goal: Goal, until: Until) -> Self {
        let flights = Flights::default();
        Self {
            controller,
            name,
            goal,
            until,
            only: None,
            flights,
            seen: None,
            swept: Duration::ZERO,
            unknowns: 0,
            open: BTreeMap::new(),
            patrol: Patrol::default(),
            ear: Ear::new(controller),
            cause: Cause::News,
            landed: LandedSince::default(),
            due: Duration::ZERO,
        }
    }

    /// Acts on this object alone, and leaves all others as they are.
    #[must_use]
    pub fn only(self, key: Key) -> Self {
        Self { only: Some(key), ..self }
    }

    fn is_meant(&self, key: &Key) -> bool {
        self.only.as_ref().is_none_or(|only| only == key)
    }

    /// Looks, plans, acts, and looks again, until it ends. Dropping it is safe at any moment.
    pub async fn run(mut self) -> Result<Ended, StoreError> {
        let span = info_span!("reconcile", environment = %self.name);
        async {
            loop {
                if let Some(ended) = self.reconcile().await? {
                    return Ok(ended);
                }
            }
        }
        .instrument(span)
        .await
    }

    /// Once around: look, plan, act, and wait for what is next.
    async fn reconcile(&mut self) -> Result<Option<Ended>, StoreError> {
        let controller = self.controller;
        // Asked before looking: what changes while we look is looked at right afterwards.
        let mut changed = std::pin::pin!(controller.board.changed());
        changed.as_mut().enable();
        let desired = controller.board.desired();
        let environment = desired.environments.get(&self.name).filter(|_| controller.gate.is_open()).cloned();
        let Some(environment) = environment else {
            self.last_answers().await;
            return Ok(Some(Ended::Stopped));
        };
        controller.gate.loaded(desired.revision.sequence);
        self.land()?;
        controller.sweep_inbox();
        controller.take_orders()?;
        controller.take_reviews()?;
        let busy = self.flights.busy();
        controller.take_requests(&environment, |key| busy.contains(key))?;
        let (looked, again, outdated) = self.look(&desired, &environment).await?;
        controller.narrator.planned(&self.name, &looked.plan, &looked.memory);
        if self.is_approved(&desired, &environment, &looked)? {
            return Ok(None);
        }
        let moving = self.act(&environment, &looked) || outdated;
        if !moving && again == Again::Planned {
            // That nothing is left to do is said of what was just read, and not of what was seen before.
            self.cause = Cause::News;
            self.keep(looked.observation, &looked.plan);
            return Ok(None);
        }
        let held = looked.plan.entries.values().any(|entry| entry.waiting.iter().any(Waiting::is_hold));
        if !moving && !held && looked.memory.consent.is_some() {
            // Carried out, or as far as it goes: what happens later was not approved with it. What a freeze or a window holds
            // is still to come.
            controller.store.consent(&self.name, None)?;
        }
        if self.until == Until::Settled && !moving {
            return Ok(Some(Ended::Settled(Box::new(looked.plan))));
        }
        let told = news::is_heard(controller, &environment, &looked.observation);
        let pause = self.pause(&environment, &looked, again, told);
        let checks = told && looked.plan.entries.values().any(|entry| !entry.checks.is_empty());
        let checks = if checks { controller.resync } else { Duration::MAX };
        let left = self.watch(&desired, &environment, &looked).unwrap_or(Duration::MAX);
        let Looked { observation, plan, memory } = looked;
        self.keep(observation, &plan);
        let open = (!plan.in_sync()).then(|| plan.digest.clone());
        // Not held here while nothing happens: with thousands of stacks it is large.
        controller.narrator.stands(plan, memory);
        if outdated {
            self.cause = Cause::Landed;
            return Ok(None);
        }
        let timers = [(pause, Cause::News), (checks, Cause::Checks), (left, Cause::Patrol)];
        let timer = timers.into_iter().min_by_key(|(due, _)| *due).unwrap_or((pause, Cause::News));
        self.wait(&environment, changed, open, timer).await;
        if self.cause == Cause::Landed && self.flights.are_more() {
            self.flights.during(controller.cx.sleep(GATHER)).await;
        }
        Ok(None)
    }

    /// Waits for what is next: for something to happen, or for the time that something is due.
    async fn wait(
        &mut self,
        environment: &Environment,
        changed: Pin<&mut Notified<'_>>,
        open: Option<Digest>,
        (due, timed): (Duration, Cause),
    ) {
        let controller = self.controller;
        let busy = self.flights.busy();
        let Some(seen) = &self.seen else { return };
        let mut heard = None;
        self.cause = tokio::select! {
            biased;
            () = changed => Cause::News,
            () = self.flights.landing() => Cause::Landed,
            () = self.patrol.back() => Cause::Patrol,
            () = note(controller, environment, open, busy) => Cause::News,
            told = self.ear.hear(controller, environment, &seen.observation) => self::cause_of(heard.insert(told)),
            () = controller.cx.sleep(due) => timed,
        };
        self.take_in(environment, heard);
    }

    /// Takes in what events have told.
    fn take_in(&mut self, environment: &Environment, heard: Option<Heard>) {
        match heard {
            Some(Heard::Things(things)) => {
                if let Some(Earlier { observation, moving, .. }) = &mut self.seen {
                    moving.add_all(news::named(things, environment, observation));
                }
            }
            Some(Heard::Touched) => self.patrol.suspect(self.ear.touched()),
            Some(Heard::Unsure) | None => {}
        }
    }

    /// Sends for drift to be looked at, if it is time; otherwise says how long there is until then. Who only wants to see
    /// everything settled does not wait for it.
    fn watch(&mut self, desired: &Arc<Desired>, environment: &Arc<Environment>, looked: &Looked) -> Option<Duration> {
        if self.until == Until::Settled || self.goal == Goal::Destroy {
            return None;
        }
        let controller = self.controller;
        let busy = self.flights.busy();
        let due = plan::drift_due(&looked.plan, &self.input(desired, environment, looked, &busy));
        self.patrol.set_out(controller, desired, environment, due)
    }

    fn input<'i>(
        &self,
        desired: &'i Desired,
        environment: &'i Environment,
        looked: &'i Looked,
        busy: &'i BTreeSet<Key>,
    ) -> Input<'i> {
        Input {
            desired,
            environment,
            observation: &looked.observation,
            memory: &looked.memory,
            now: self.controller.cx.now(),
            goal: self.goal,
            busy,
        }
    }

    /// What is, what of it was read again, and whether it is outdated already: steps have landed while it was looked at, and
    /// nothing else will say so.
    async fn look(
        &mut self,
        desired: &Desired,
        environment: &Environment,
    ) -> Result<(Looked, Again, bool), StoreError> {
        let controller = self.controller;
        self.land()?;
        let busy = self.flights.busy();
        let (good, again) = self.still_good(environment, desired.revision.sequence);
        let look = Box::pin(controller.look(desired, environment, self.goal, &busy, good));
        let looked = self.flights.during(look).await?;
        // What has landed meanwhile concluded what was open before; its objects have no step in this plan.
        let outdated = self.land()?;
        let open = looked.memory.objects.stacks.iter();
        let open = open.filter_map(|(key, memory)| Some((key.clone(), memory.pending.as_deref()?.clone())));
        self.open = open.collect();
        controller.store.flush()?;
        Ok((looked, again, outdated))
    }

    /// What of the last look is still good for the next one, and what that is for.
    fn still_good(&mut self, environment: &Environment, revision: u64) -> (Observation, Again) {
        let (now, at) = (self.controller.cx.elapsed(), self.controller.cx.now());
        let landed = std::mem::take(&mut self.landed);
        let Some(Earlier { mut observation, moving, revision: earlier }) = self.seen.take() else {
            self.swept = now;
            return (Observation::begun(at), Again::Everything);
        };
        // A look that nothing but the time has caused is for everything; one that is for the patrol alone is not.
        let idle = moving.is_nothing() && !matches!(self.cause, Cause::Patrol | Cause::Told | Cause::Checks);
        let resync = self.resync(news::is_heard(self.controller, environment, &observation));
        let due = now.saturating_sub(self.swept) >= resync || self.cause == Cause::Unsure;
        let (again, moving) = if self.cause == Cause::Landed && now < self.due && earlier == revision && !landed.changes
        {
            (Again::Planned, landed.about)
        } else if idle || due || earlier != revision {
            self.swept = now;
            (Again::Everything, moving)
        } else {
            (Again::Followed, moving)
        };
        freshness::refresh(&mut observation, again, &moving, at);
        (observation, again)
    }

    /// Keeps what was seen for the next look.
    fn keep(&mut self, observation: Observation, plan: &Plan) {
        let moving = Moving::by(plan, &self.flights.busy(), observation.all_pages());
        self.seen = Some(Earlier { observation, moving, revision: plan.revision.sequence });
    }

    /// Enough people approve exactly this plan: it is looked at again with consent. What they have said is used with that,
    /// so that it is never acted on for another one.
    fn is_approved(&self, desired: &Desired, environment: &Environment, looked: &Looked) -> Result<bool, StoreError> {
        let (controller, plan) = (self.controller, &looked.plan);
        if self.until == Until::Settled || plan.in_sync() {
            return Ok(false);
        }
        controller.take_approval(environment, &plan.digest)?;
        let Some(Tally::Approved { by, until, reviews }) = controller.approval(environment, &plan.digest)? else {
            return Ok(false);
        };
        let by = by.join(", ");
        info!(environment = %self.name, plan = %plan.digest.code(), by, %until, "plan approved");
        let busy = self.flights.busy();
        let input = self.input(desired, environment, looked, &busy);
        let consent = plan::consent(plan, &input, by, controller.cx.now(), false);
        let consent = Consent { until: Some(until), reviews, ..consent };
        controller.store.consent(&self.name, Some(consent))?;
        Ok(true)
    }

    /// Sends the steps of a plan. False if nothing is moving any more.
    fn act(&mut self, environment: &Environment, looked: &Looked) -> bool {
        let controller = self.controller;
        let now = controller.cx.elapsed();
        let entries = looked.plan.entries.iter().filter(|(key, _)| self.is_meant(key)).map(|(_, entry)| entry);
        let entries: Vec<&Entry> = entries.collect();
        let steps = entries.iter().filter_map(|entry| entry.step.as_deref().cloned());
        // One that has ended already has no part in this plan.
        let consent = looked.memory.consent.as_ref();
        let stands = |consent: &&Consent| {
            plan::stands(consent, &looked.memory.reviews, &environment.limits, controller.cx.now()).is_ok()
        };
        let approved = consent.filter(stands).map(|consent| consent.plan.clone());
        for steps in plan::together(steps) {
            let terms = Terms::of(environment).under(approved.clone());
            self.flights.launch(steps, now, |steps| {
                // Every line that is logged on the way says what it is about.
                let (object, more) = (steps.first().map(|step| step.key.to_string()), steps.len().saturating_sub(1));
                let verb = steps.first().map(|step| step.action.verb());
                let span = info_span!("step", object, more, revision = looked.plan.revision.sequence, step = verb);
                let taking = async move {
                    let outcomes = controller.executor.take_together(&steps, &terms).await;
                    steps.into_iter().zip(outcomes).map(|(step, outcome)| Landed { step, outcome }).collect()
                };
                Box::pin(taking.instrument(span))
            });
        }
        let unknown = |waiting: &Waiting| matches!(waiting, Waiting::Unknown { .. });
        let blind = entries.iter().any(|entry| entry.waiting.iter().any(unknown));
        self.unknowns = if blind { self.unknowns.saturating_add(1) } else { 0 };
        let moving = cadence::is_moving(entries.iter().copied(), controller.cx.now(), PATIENCE);
        !self.flights.is_empty() || (moving && self.unknowns < UNKNOWN_MAX)
    }

    /// Writes off what has landed, and tells. False if nothing has.
    ///
    /// Where something could not be written down, this ends: nothing could be done without a journal, and looking again
    /// and again for what to do would be all that is left. Whoever runs this opens the journal again, or ends too.
    fn land(&mut self) -> Result<bool, StoreError> {
        let now = self.controller.cx.elapsed();
        let landed = self.flights.take_landed(now);
        let any = !landed.is_empty();
        let mut failed = None;
        for landed in landed {
            self.landed.about.add_landed(&landed.step);
            self.landed.changes |= !landed.leaves_what_was_seen();
            if let Do::Stack(StackStep { address, action: StackDo::Conclude { conclusion, .. }, .. }) =
                &landed.step.action
                && let Conclusion::Failed(failure) = conclusion
                && plan::is_throttling(&failure.reason)
            {
                self.controller.governor.crowded(&address.scope);
            }
            self.controller.narrator.landed(&landed, self.open.get(&landed.step.key));
            if let Outcome::NotJournaled(why) = landed.outcome {
                error!(object = %landed.step.key, %why, "the journal could not be written");
                if !sabotage::is(Bug::LivesOnWithoutJournal) {
                    failed = Some(why);
                }
            }
        }
        failed.map_or(Ok(any), Err)
    }

    /// How long to wait for something to happen, before it is looked again.
    fn pause(&mut self, environment: &Environment, looked: &Looked, again: Again, told: bool) -> Duration {
        let now = self.controller.cx.elapsed();
        let mut pause = self.planned_pause(&looked.plan, told);
        if matches!(self.cause, Cause::Patrol | Cause::Told | Cause::Checks) {
            // It has read nothing that rests: when that is due does not move.
            pause = pause.min(self.resync(told).saturating_sub(now.saturating_sub(self.swept)));
        }
        let next = now.saturating_add(pause.max(self.pace(environment, looked)));
        self.due = if again == Again::Planned { self.due.min(next) } else { next };
        self.due.saturating_sub(now)
    }

    /// How often everything is looked at although nothing happened.
    fn resync(&self, told: bool) -> Duration {
        if told { self.controller.resync.max(cadence::AUDIT) } else { self.controller.resync }
    }

    fn planned_pause(&self, plan: &Plan, told: bool) -> Duration {
        let controller = self.controller;
        let now = controller.cx.now();
        // A tenth of jitter, so that many environments do not look at the same moment for ever.
        let resync = self.resync(told).mul_f64(0.9 + 0.2 * controller.cx.random());
        let pause = cadence::pause(plan, now, resync, told);
        let pause = if sabotage::is(Bug::EdgeTriggered) && pause == resync { Duration::MAX } else { pause };
        let cooled = self.flights.cooled(controller.cx.elapsed());
        let planned = plan.entries.values().any(|entry| entry.step.is_some() && entry.action != Action::Unknown);
        match cooled {
            Some(cooled) if planned => pause.min(cooled),
            _ => pause,
        }
    }

    /// How soon the stacks can be read again without using up what the account allows.
    fn pace(&self, environment: &Environment, looked: &Looked) -> Duration {
        let moving = looked.plan.entries.iter().filter(|(key, entry)| key.kind == Kind::Stack && !entry.ready).count();
        let calls = moving.min(looked.observation.all_pages()).max(1);
        self.controller.governor.pace(&environment.scope, calls)
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

//! Tends one environment: the loop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tracing::{Instrument as _, error, info, info_span, warn};

use super::flights::{Flights, Landed};
use super::look::{Base, Looked, Rest};
use super::patrol::Patrol;
use super::{Controller, cadence};
use crate::execute::Outcome;
use crate::model::{
    Act, Action, AssumeRole, BackupsSeen, Conclusion, Desired, Digest, Do, Entry, EnvName, Environment, Key, Kind,
    Observation, ObservedStack, Operation, Plan, RecordsSeen, SecretsSeen, ServicesSeen, StackAddress, StackDo,
    StackStep, Waiting,
};
use crate::plan::{self, Goal, Input};
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

/// How old what a registry listed may be while a service is waited for: nobody's push is that urgent, and a first
/// deployment takes half an hour.
const IMAGES: Duration = Duration::from_secs(15);

/// When a step has landed and others are on their way, those that land within this time are planned for together: a
/// hundred stacks that are begun together need not be planned for a hundred times.
const GATHER: Duration = Duration::from_millis(20);

/// How often an inbox is looked into.
const INBOX: Duration = Duration::from_secs(2);

/// Completes when another process has approved the plan with this digest, or asks for something that can be done now.
async fn note(controller: &Controller, environment: &EnvName, plan: Option<Digest>, busy: BTreeSet<Key>) {
    let Some(inbox) = &controller.inbox else { return std::future::pending().await };
    let approved = || plan.as_ref().is_some_and(|plan| inbox.holds(environment, plan, controller.cx.now()));
    loop {
        controller.sweep_inbox();
        if approved() || controller.is_asked(environment, |key| busy.contains(key)) {
            return;
        }
        controller.cx.sleep(INBOX).await;
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
    earlier: Option<Earlier>,
    /// When the last complete listing was made.
    listed: Duration,
    /// When what does not move was last read again: services and records at rest.
    rested: Duration,
    /// When what registries have was last forgotten.
    images: Duration,
    unknowns: u32,
    /// Operations that were open at the last look: what a landed conclusion concludes.
    open: BTreeMap<Key, Operation>,
    /// Who looks for drift.
    patrol: Patrol<'a>,
    /// Nothing but the patrol is what this look is for: it has come back, or is to set out.
    errand: bool,
    /// What has landed since the last look.
    landed: LandedSince,
    /// When something is to be read again, if nothing says so earlier.
    due: Duration,
    /// Nothing but landed steps has happened since the last look, and what was seen then still stands.
    stands: bool,
}

/// What was seen before: the base of a look that reads only what moves.
struct Earlier {
    /// Seen by the last complete listing, brought up to date by what was followed since.
    observation: Observation,
    /// When the last complete listing was made.
    listed: Duration,
    /// The revision that it was made for.
    revision: u64,
    /// Stacks that were moving or touched: all that has to be read again while the rest stands still.
    moving: BTreeSet<StackAddress>,
    /// Whether a service moves, or something of a backup policy: what was seen of it is in `observation` no more.
    others_move: bool,
}

/// Steps that have landed since something was looked at.
struct LandedSince {
    keys: BTreeSet<Key>,
    places: BTreeSet<StackAddress>,
    /// All of them leave what was seen as it is.
    still: bool,
}

impl Default for LandedSince {
    fn default() -> Self {
        Self { keys: BTreeSet::new(), places: BTreeSet::new(), still: true }
    }
}

impl LandedSince {
    fn add(&mut self, landed: &Landed) {
        self.keys.insert(landed.step.key.clone());
        self.places.extend(landed.step.address.as_stack());
        self.still &= landed.leaves_what_was_seen();
    }
}

impl Earlier {
    fn is_at_rest(&self) -> bool {
        self.moving.is_empty() && !self.others_move
    }

    /// Reading what moves is enough, and cheaper than listing everything again.
    fn is_enough(&self, now: Duration, resync: Duration, revision: u64) -> bool {
        now.saturating_sub(self.listed) < resync
            && self.revision == revision
            && self.moving.len() < self.observation.pages
            && self.observation.listings.values().all(Result::is_ok)
    }
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
            earlier: None,
            listed: Duration::ZERO,
            rested: Duration::ZERO,
            images: Duration::ZERO,
            unknowns: 0,
            open: BTreeMap::new(),
            patrol: Patrol::default(),
            errand: false,
            landed: LandedSince::default(),
            due: Duration::ZERO,
            stands: false,
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
        let controller = self.controller;
        let span = info_span!("reconcile", environment = %self.name);
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
                self.land()?;
                controller.sweep_inbox();
                let busy = self.flights.busy();
                controller.take_requests(&environment, |key| busy.contains(key))?;
                let (looked, outdated, fresh) = self.look(&desired, &environment).await?;
                controller.narrator.planned(&self.name, &looked.plan, &looked.memory);
                if self.is_approved(&desired, &environment, &looked)? {
                    continue;
                }
                let moving = self.act(&environment, &looked) || outdated;
                if !moving && !fresh {
                    // That nothing is left to do is said of what was just read, and not of what was seen before.
                    self.stands = false;
                    self.keep(looked.observation, &looked.plan);
                    continue;
                }
                if !moving && looked.memory.consent.is_some() {
                    // Carried out, or as far as it goes: what happens later was not approved with it.
                    controller.store.consent(&self.name, None)?;
                }
                if self.until == Until::Settled && !moving {
                    return Ok(Ended::Settled(Box::new(looked.plan)));
                }
                let mut pause = self.pause(&looked.plan);
                let pace = self.pace(&environment, &looked);
                if self.errand {
                    // It has read nothing that rests: when that is due does not move.
                    pause = pause
                        .min(controller.resync.saturating_sub(controller.cx.elapsed().saturating_sub(self.rested)));
                }
                let now = controller.cx.elapsed();
                let next = now.saturating_add(pause.max(pace));
                self.due = if fresh { next } else { self.due.min(next) };
                let pause = self.due.saturating_sub(now);
                let left = self.watch(&desired, &environment, &looked).unwrap_or(Duration::MAX);
                let Looked { observation, plan, memory } = looked;
                self.keep(observation, &plan);
                let open = (!plan.in_sync()).then(|| plan.digest.clone());
                let busy = self.flights.busy();
                // Not held while nothing happens: with thousands of stacks it is large.
                drop((plan, memory));
                if outdated {
                    self.stands = true;
                    continue;
                }
                (self.errand, self.stands) = tokio::select! {
                    biased;
                    () = &mut changed => (false, false),
                    () = self.flights.landing() => (false, true),
                    () = self.patrol.back() => (true, false),
                    () = note(controller, &self.name, open, busy) => (false, false),
                    () = controller.cx.sleep(pause.min(left)) => (left < pause, false),
                };
                if self.stands && self.flights.are_more() {
                    self.flights.during(controller.cx.sleep(GATHER)).await;
                }
            }
        }
        .instrument(span)
        .await
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

    /// What is, and whether that is outdated already: steps have landed while it was looked at, and nothing else will
    /// say so.
    /// And whether it has read anything.
    async fn look(&mut self, desired: &Desired, environment: &Environment) -> Result<(Looked, bool, bool), StoreError> {
        let controller = self.controller;
        self.land()?;
        let busy = self.flights.busy();
        let now = controller.cx.elapsed();
        let revision = desired.revision.sequence;
        let base = self.base(now, revision);
        let fresh = !matches!(base, Base::Seen(_));
        let look = Box::pin(controller.look(desired, environment, self.goal, &busy, base));
        let looked = self.flights.during(look).await?;
        // What has landed meanwhile concluded what was open before; its objects have no step in this plan.
        let outdated = self.land()?;
        let open = looked.memory.objects.stacks.iter();
        let open = open.filter_map(|(key, memory)| Some((key.clone(), memory.pending.clone()?)));
        self.open = open.collect();
        controller.store.flush()?;
        Ok((looked, outdated, fresh))
    }

    /// What of the last look the next one can begin with.
    fn base(&mut self, now: Duration, revision: u64) -> Base {
        let resync = self.controller.resync;
        let landed = std::mem::take(&mut self.landed);
        let Some(mut earlier) = self.earlier.take() else {
            (self.listed, self.rested) = (now, now);
            return Base::Nothing;
        };
        if self.stands && now < self.due && earlier.revision == revision && landed.still {
            for key in &landed.keys {
                earlier.observation.conclusions.remove(key);
            }
            for address in &landed.places {
                if let Some(stack) = earlier.observation.stacks.get_mut(address) {
                    // What was asked beside was asked before the step.
                    *stack = ObservedStack::listed(stack.state.clone());
                }
            }
            return Base::Seen(Box::new(earlier.observation));
        }
        // Between two looks a few seconds apart it may rest, and so it may for one that is for the patrol alone; a look that
        // nothing but the time has caused reads everything.
        let everything = earlier.is_at_rest() && !self.errand;
        if everything || earlier.revision != revision || now.saturating_sub(self.rested) >= resync {
            self.rested = now;
            earlier.observation.services = ServicesSeen::default();
            earlier.observation.records = RecordsSeen::default();
            earlier.observation.secrets = SecretsSeen::default();
            let backups = std::mem::take(&mut earlier.observation.backups);
            earlier.observation.backups = backups.rested();
        }
        if !everything && earlier.is_enough(now, resync, revision) {
            self.listed = earlier.listed;
            return Base::Listing(Box::new(earlier.observation), earlier.moving);
        }
        self.listed = now;
        let Observation { services, records, secrets, backups, .. } = earlier.observation;
        Base::Rest(Box::new(Rest { services, records, secrets, backups }))
    }

    /// Keeps what was seen for the next look.
    fn keep(&mut self, mut observation: Observation, plan: &Plan) {
        let busy = self.flights.busy();
        let moves = |waiting: &Waiting| {
            matches!(
                waiting,
                Waiting::Operation { .. }
                    | Waiting::ChangeSet { .. }
                    | Waiting::Unknown { .. }
                    | Waiting::Readiness { .. }
                    | Waiting::Propagation { .. }
            )
        };
        let moving = plan
            .entries
            .iter()
            .filter(|(key, entry)| entry.step.is_some() || busy.contains(*key) || entry.waiting.iter().any(moves));
        let moving = moving.filter(|(key, _)| key.kind == Kind::Stack);
        let moving = moving.filter_map(|(_, entry)| entry.address.as_stack()).collect();
        // A service that waits for anything at all may have moved by the next look: its stack, or somebody's push.
        let restless = plan.entries.iter().filter(|(key, entry)| {
            let quiet = entry.step.is_none() && entry.waiting.is_empty() && !busy.contains(*key);
            key.kind == Kind::Service && !quiet
        });
        let restless: Vec<_> = restless.map(|(_, entry)| (&entry.address.scope, entry.address.name.as_str())).collect();
        let now = self.controller.cx.elapsed();
        let images = now.saturating_sub(self.images) >= IMAGES;
        if images {
            self.images = now;
        }
        observation.services.forget(&restless, images);
        let revision = plan.revision.sequence;
        let stays = |(key, entry): (&Key, &Entry)| {
            let quiet = entry.step.is_none() && !entry.waiting.iter().any(moves) && !busy.contains(key);
            key.kind != Kind::DnsRecord || quiet
        };
        if !plan.entries.iter().all(stays) {
            // Zones are few and their record sets come by the hundred: all of them are read again.
            observation.records = RecordsSeen::default();
        }
        observation.secrets.forget_named();
        let backups_move = forget_backups(&mut observation.backups, plan, &busy);
        let others_move = backups_move || !restless.is_empty();
        self.earlier = Some(Earlier { observation, listed: self.listed, revision, moving, others_move });
    }

    /// Another process has left an approval of exactly this plan: it is looked at again with consent.
    fn is_approved(&self, desired: &Desired, environment: &Environment, looked: &Looked) -> Result<bool, StoreError> {
        let controller = self.controller;
        let Some(inbox) = &controller.inbox else { return Ok(false) };
        let now = controller.cx.now();
        let Some(approval) = inbox.take(&self.name, &looked.plan.digest, now) else { return Ok(false) };
        if let Err(why) = environment.limits.may_approve(&approval.by) {
            warn!(environment = %self.name, plan = %looked.plan.digest, %why, "approval ignored");
            return Ok(false);
        }
        info!(environment = %self.name, plan = %looked.plan.digest.code(), by = approval.by, "plan approved");
        let busy = self.flights.busy();
        let input = self.input(desired, environment, looked, &busy);
        let consent = plan::consent(&looked.plan, &input, approval.by, approval.at, false);
        controller.store.consent(&self.name, Some(consent))?;
        Ok(true)
    }

    /// Sends the steps of a plan. False if nothing is moving any more.
    fn act(&mut self, environment: &Environment, looked: &Looked) -> bool {
        let controller = self.controller;
        let now = controller.cx.elapsed();
        let entries = looked.plan.entries.iter().filter(|(key, _)| self.is_meant(key)).map(|(_, entry)| entry);
        let entries: Vec<&Entry> = entries.collect();
        let steps = entries.iter().filter_map(|entry| entry.step.clone());
        for steps in plan::together(steps) {
            let role: Option<AssumeRole> = environment.role.clone();
            self.flights.launch(steps, now, |steps| {
                // Every line that is logged on the way says what it is about.
                let (object, more) = (steps.first().map(|step| step.key.to_string()), steps.len().saturating_sub(1));
                let verb = steps.first().map(|step| step.action.verb());
                let span = info_span!("step", object, more, revision = looked.plan.revision.sequence, step = verb);
                let taking = async move {
                    let outcomes = controller.executor.take_together(&steps, role.as_ref()).await;
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
            self.landed.add(&landed);
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

    fn pause(&self, plan: &Plan) -> Duration {
        let controller = self.controller;
        let now = controller.cx.now();
        // A tenth of jitter, so that many environments do not look at the same moment for ever.
        let resync = controller.resync.mul_f64(0.9 + 0.2 * controller.cx.random());
        let pause = cadence::pause(plan, now, resync);
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
        let calls = moving.min(looked.observation.pages).max(1);
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

/// Of backups, what may have moved by the next look. False if that is nothing.
fn forget_backups(seen: &mut BackupsSeen, plan: &Plan, busy: &BTreeSet<Key>) -> bool {
    let (mut moves, mut points_move, mut touched) = (false, false, BTreeSet::new());
    for (key, entry) in plan.entries.iter().filter(|(key, _)| key.kind == Kind::BackupPolicy) {
        moves |= busy.contains(key) || entry.step.is_some() || !entry.waiting.is_empty();
        points_move |=
            busy.contains(key) || entry.waiting.iter().any(|waiting| matches!(waiting, Waiting::Unknown { .. }));
        if let Some(Do::Backup(step)) = entry.step.as_ref().map(|step| &step.action) {
            points_move |= step.action.moves_points();
            touched.extend(step.action.tables().into_iter().cloned());
        }
    }
    seen.forget(points_move, &touched);
    moves
}

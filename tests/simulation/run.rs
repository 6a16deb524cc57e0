//! One run: everything that goes wrong, then the healing, then silence.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use landfast::model::{Act as _, Action, Digest, Guard, ImageDigest, Refusal, StackName, StackStatus, Waiting};
use landfast::plan::{OWNER_TAG, RETAIN_TAG, Standing, row};
use landfast::sim::{Call, Fault, Inventory};

use crate::app::AppEdit;
use crate::fleet::{CANARY, Fleet, Prune, environment, stack_name};
use crate::rig::{RESYNC, Rig};
use crate::scenario::{Act, Edit, Event, Scenario};

/// The stack of the service.
const WEB_STACK: &str = "dev-shop-web";

/// How long an environment may take to converge when nothing goes wrong any more: a chain of stacks, each of which may
/// have to be cleared and created again, after a pause of at most an hour for what failed before.
const CONVERGES_WITHIN: Duration = Duration::from_hours(4);

/// What a run was worth.
#[derive(Clone, Debug, Default)]
pub(crate) struct Worth {
    pub(crate) calls: u64,
    pub(crate) mutations: u64,
    pub(crate) seconds: u64,
    pub(crate) faults: u64,
    pub(crate) effective: u64,
    /// Rare paths, and how often they were taken.
    pub(crate) sometimes: BTreeMap<&'static str, u64>,
    /// Every call, for comparing two runs.
    pub(crate) trace: Vec<String>,
    pub(crate) end: Option<Inventory>,
    /// How often the daemon waited before the healing began.
    pub(crate) polls: u64,
    /// Indices of mutating calls.
    pub(crate) mutating: Vec<u64>,
    /// Healthy stacks that the daemon deleted, by name.
    pub(crate) deleted: BTreeMap<String, u64>,
}

impl Worth {
    pub(crate) fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.mutations += other.mutations;
        self.seconds += other.seconds;
        self.faults += other.faults;
        self.effective += other.effective;
        for (what, times) in &other.sometimes {
            *self.sometimes.entry(what).or_default() += times;
        }
    }
}

/// Why a run failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) what: Vec<String>,
    pub(crate) audit: Vec<String>,
    pub(crate) plan: Vec<String>,
}

impl Failure {
    /// The rule that is broken: the first word.
    pub(crate) fn rule(&self) -> String {
        self.what.first().and_then(|what| what.split_whitespace().next()).unwrap_or("?").to_owned()
    }
}

pub(crate) fn play(scenario: &Scenario) -> Result<Worth, Box<Failure>> {
    play_dying(scenario, None)
}

/// The same, with a daemon that dies when it waits for the how-manieth time, and is started again at once.
pub(crate) fn play_dying(scenario: &Scenario, dies_at: Option<u64>) -> Result<Worth, Box<Failure>> {
    let rig = Rig::new(scenario.seed, scenario.fleet.clone());
    let mut run = Run { rig, scenario, polls: 0, pushed: 0, newest: None, tampered: BTreeSet::new() };
    run.rig.dies_at = dies_at;
    let played = run.play();
    let mut blames = run.rig.truth.blames();
    if let Err(why) = played {
        blames.push(why);
    }
    if blames.is_empty() { Ok(run.worth()) } else { Err(Box::new(run.failure(blames))) }
}

pub(crate) struct Run<'a> {
    pub(crate) rig: Rig,
    pub(crate) scenario: &'a Scenario,
    /// How often the daemon had waited when the healing began.
    polls: u64,
    /// How many versions of the image there were.
    pub(crate) pushed: u32,
    /// The newest of them.
    pub(crate) newest: Option<ImageDigest>,
    /// Stacks of which something was changed last that is to be put back.
    pub(crate) tampered: BTreeSet<u8>,
}

impl Run<'_> {
    fn play(&mut self) -> Result<(), String> {
        self.furnish();
        self.rig.cloud.set_faults(self.scenario.fault_plan());
        self.rig.start();
        self.safety()?;
        self.polls = self.rig.polls.load(std::sync::atomic::Ordering::Relaxed);
        if self.scenario.heals {
            self.heal()?;
        }
        self.converge()?;
        self.quiet()
    }

    // ---- everything goes wrong ----

    fn safety(&mut self) -> Result<(), String> {
        let mut agenda: BTreeMap<(u64, usize), Option<Event>> = BTreeMap::new();
        for (order, (at, event)) in self.scenario.events.iter().enumerate() {
            agenda.insert((*at, order), Some(event.clone()));
        }
        let mut order = agenda.len();
        while let Some(((at, _), event)) = agenda.pop_first() {
            self.until(at)?;
            let Some(event) = event else {
                self.rig.start();
                continue;
            };
            if let Some(down) = self.happen(event) {
                order += 1;
                agenda.insert((at + down, order), None);
            }
        }
        self.until(self.scenario.until)
    }

    fn until(&mut self, second: u64) -> Result<(), String> {
        loop {
            let left = Duration::from_secs(second).saturating_sub(self.rig.cx.elapsed());
            self.rig.pass(left)?;
            if !self.rig.died {
                break;
            }
            self.rig.start();
        }
        if self.rig.truth.blames().is_empty() { Ok(()) } else { Err("stopped".to_owned()) }
    }

    /// What happens; and for how long the daemon is down then.
    fn happen(&mut self, event: Event) -> Option<u64> {
        match event {
            Event::Edit { edit, told } => {
                if matches!(edit, Edit::App(AppEdit::Select(_)) | Edit::Back(_)) {
                    self.rig.truth.images.may_go_back();
                }
                self.rig.commit(|repo| repo.fleet = edit.apply(&repo.fleet, &repo.history), told);
            }
            Event::Checkout { glitch, told } => self.rig.commit(|repo| repo.glitch = glitch, told),
            Event::Console { stack, act } => self.act(stack, &act),
            Event::App(act) => self.app_act(&act),
            Event::Crash { down } => {
                self.rig.crash();
                return Some(down);
            }
            Event::Stop { down } => {
                self.rig.stop();
                return Some(down);
            }
            Event::LoseStore => {
                self.rig.lose_store();
                return Some(20);
            }
            Event::Clock { by } => {
                self.rig.clock.step_clock(by);
                self.rig.truth.clock_was_set();
            }
        }
        None
    }

    fn act(&self, stack: u8, act: &Act) {
        let console = self.rig.console();
        let name: StackName = stack_name(stack).parse().unwrap();
        let with = |key: &str, value: u8| BTreeMap::from([(key.to_owned(), value.to_string())]);
        let mine = "Resources: { Mine: { Type: AWS::SNS::Topic } }";
        let _refused = match act {
            Act::Size(to) => console.update_parameters(&name, &with("Size", *to)),
            Act::Tag(to) => console.set_tag(&name, "Edition", &to.to_string()),
            Act::Delete => {
                let _ = console.set_termination_protection(&name, false);
                console.delete_stack(&name)
            }
            Act::Protect(on) => console.set_termination_protection(&name, *on),
            Act::Squat => console.create_stack(&name, mine, &BTreeMap::new(), &BTreeMap::new()).map(drop),
            Act::Review => console.review(&name, mine).map(drop),
            Act::Cancel => console.cancel_update(&name),
            Act::Backup => {
                let inventory = self.rig.cloud.inventory();
                let table = inventory.stack(name.as_str()).and_then(|stack| stack.resources.get("Table").cloned());
                if let Some(table) = table {
                    console.set_newest_backup("AWS::DynamoDB::Table", &table, Some(self.rig.cx.now()));
                }
                Ok(())
            }
            Act::Tamper(to) => {
                self.tamper(&name, *to);
                Ok(())
            }
            Act::Break => {
                let broken = "Resources: { Topic: { Type: AWS::SNS::Topic, Properties: { TopicName: taken } } }";
                console.update_template_without_rollback(&name, broken)
            }
        };
    }

    // ---- nothing goes wrong any more ----

    fn heal(&mut self) -> Result<(), String> {
        self.rig.cloud.clear_faults();
        self.rig.commit(|repo| repo.glitch = None, true);
        if self.scenario.restart || !self.rig.is_running() {
            self.rig.start();
        }
        for record in self.rig.cloud.inventory().stacks.iter().filter(|record| !record.is_deleted()) {
            let _ = self.rig.console().release(&record.state.name);
        }
        self.take_back();
        // One last edit, of every stack: what failed for good is tried again because its inputs change.
        self.rig.commit(
            |repo| {
                repo.fleet.policy.replace = true;
                repo.fleet.policy.deletions = 50;
                for unit in repo.fleet.units.values_mut() {
                    unit.size = 42;
                }
                Self::edited_app(&mut repo.fleet);
            },
            true,
        );
        self.last_edit_of_app();
        // A person does what only a person may, as often as it takes.
        for _ in 0..6 {
            self.rig.pass(Duration::from_mins(20))?;
            self.person();
        }
        // One last change that nobody tells of.
        self.rig.pass(RESYNC)?;
        self.last_tampering();
        let fleet = self.rig.repo.lock().unwrap().fleet.clone();
        for number in fleet.units.keys() {
            self.act(*number, &Act::Size(9));
        }
        self.drift_of_app();
        Ok(())
    }

    /// What the reports ask a person to do.
    fn person(&mut self) {
        let fleet = self.rig.repo.lock().unwrap().fleet.clone();
        let wanted = wanted(&fleet);
        self.person_of_app();
        let console = self.rig.console();
        for record in self.rig.cloud.inventory().stacks.iter().filter(|record| !record.is_deleted()) {
            let state = &record.state;
            let standing = row(state.status).standing;
            let ours = state.tags.contains_key(OWNER_TAG);
            let foreign_in_the_way = !ours && wanted.contains(&state.name.to_string());
            let _ = console.continue_rollback(&state.name);
            let stuck = standing == Standing::Human;
            let unwanted = ours
                && !wanted.contains(&state.name.to_string())
                && !state.tags.contains_key(RETAIN_TAG)
                && standing != Standing::Busy;
            let never = standing == Standing::NeverHealthy && !ours;
            if foreign_in_the_way || stuck || unwanted || never {
                let _ = console.set_termination_protection(&state.name, false);
                let _ = console.delete_stack(&state.name);
            }
            if let Some(table) = record.resources.get("Table") {
                console.set_newest_backup("AWS::DynamoDB::Table", table, Some(self.rig.cx.now()));
            }
        }
    }

    /// Ends a rollback of the service's stack that has no end: the image to go back to is not in the registry any more.
    fn person_of_web(&self) {
        let inventory = self.rig.cloud.inventory();
        if inventory.stack(WEB_STACK).is_some_and(|web| web.state.status == StackStatus::UpdateRollbackFailed) {
            let _ = self.rig.console().delete_stack(&WEB_STACK.parse().unwrap());
        }
    }

    /// L1.
    fn converge(&mut self) -> Result<(), String> {
        let began = self.rig.cx.elapsed();
        let mut last = Vec::new();
        while self.rig.cx.elapsed() - began < CONVERGES_WITHIN {
            self.rig.pass(Duration::from_mins(5))?;
            self.person_of_web();
            last = self.wrong();
            if last.is_empty() {
                return Ok(());
            }
        }
        Err(format!("L1 convergence: not within {} h: {}", CONVERGES_WITHIN.as_secs() / 3600, last.join("; ")))
    }

    /// How the world is not as desired.
    fn wrong(&self) -> Vec<String> {
        let fleet = self.rig.repo.lock().unwrap().fleet.clone();
        let inventory = self.rig.cloud.inventory();
        let mut wrong = Vec::new();
        for (number, unit) in &fleet.units {
            let name = stack_name(*number);
            let Some(record) = inventory.stack(&name) else {
                wrong.push(format!("{name} does not exist"));
                continue;
            };
            let state = &record.state;
            if row(state.status).standing != Standing::Steady {
                wrong.push(format!("{name} is {}", state.status));
                continue;
            }
            if record.template != Digest::of_bytes(unit.template(*number).as_bytes()) {
                wrong.push(format!("{name} has another template"));
            }
            let upstream = unit.upstream.map_or("none".to_owned(), |other| {
                let size = fleet.units.get(&other).map(|unit| unit.size).unwrap_or_default();
                size.to_string()
            });
            let secret = format!("{CANARY}-{}", unit.secret);
            for (parameter, value) in [("Size", unit.size.to_string()), ("Upstream", upstream), ("Secret", secret)] {
                if record.parameters.get(parameter) != Some(&Digest::of_bytes(value.as_bytes())) {
                    wrong.push(format!("{name} has another {parameter} than {value}"));
                }
            }
            let owner = format!("{}/stack/s{number}", environment(*number));
            let tags =
                [(OWNER_TAG, Some(owner)), ("Edition", Some(unit.tag.to_string())), ("Team", Some("core".to_owned()))];
            for (tag, value) in tags {
                if state.tags.get(tag) != value.as_ref() {
                    wrong.push(format!("{name} has another tag {tag}"));
                }
            }
            if state.termination_protection != unit.protected {
                wrong.push(format!("{name} has another termination protection"));
            }
        }
        if fleet.web.as_ref().is_some_and(|web| web.stack) {
            let standing = inventory.stack(WEB_STACK).map(|record| record.state.status);
            if standing.is_none_or(|status| row(status).standing != Standing::Steady) {
                wrong.push(format!("{WEB_STACK} is {standing:?}"));
            }
        }
        wrong.extend(self.app_wrong(&fleet));
        wrong.extend(self.tampering_wrong(&fleet));
        wrong.extend(Self::unwanted(&fleet, &inventory));
        wrong
    }

    fn unwanted(fleet: &Fleet, inventory: &Inventory) -> Vec<String> {
        let live = inventory.stacks.iter().filter(|record| !record.is_deleted());
        let ours = live.filter(|record| record.state.tags.contains_key(OWNER_TAG));
        let gone = ours.filter(|record| {
            !wanted(fleet).iter().any(|name| name == record.state.name.as_str())
                && !record.state.tags.contains_key(RETAIN_TAG)
                && fleet.policy.prune == Prune::Always
        });
        gone.map(|record| format!("{} is still there: {}", record.state.name, record.state.status)).collect()
    }

    /// L2, L5, S20, and that the daemon agrees.
    fn quiet(&mut self) -> Result<(), String> {
        // What was made for an update that turned out not to be needed is removed first.
        self.rig.pass(RESYNC * 2)?;
        let (before, calls) = (self.rig.truth.mutations(), self.rig.cloud.calls());
        self.rig.pass(RESYNC * 2)?;
        let made = self.rig.truth.mutations() - before;
        if made != 0 {
            return Err(format!("L2 silence: {made} mutating calls in two resyncs after convergence"));
        }
        let calls = self.rig.cloud.calls() - calls;
        let app = 12 * self.scenario.fleet.app.size() + if self.scenario.fleet.web.is_some() { 30 } else { 0 };
        let looks = crate::tampering::calls(&self.scenario.fleet);
        if calls > 60 + looks + u64::try_from(app).unwrap() {
            return Err(format!("L5 calls: {calls} calls in two quiet resyncs"));
        }
        let wrong = self.wrong();
        if !wrong.is_empty() {
            return Err(format!("L1 convergence: it did not stay: {}", wrong.join("; ")));
        }
        let leftovers: Vec<String> =
            self.rig.cloud.inventory().leftovers().into_iter().filter(|left| left.contains("landfast-")).collect();
        if !leftovers.is_empty() {
            return Err(format!("S20 no residue: {}", leftovers.join(", ")));
        }
        let kept = self.app_kept();
        if !kept.is_empty() {
            return Err(kept.join("; "));
        }
        let plan = self.plan();
        if !plan.is_empty() {
            return Err(format!("O1 ready: all is as desired, and the daemon says: {}", plan.join("; ")));
        }
        Ok(())
    }

    /// What the planner says of everything that is not in sync.
    pub(crate) fn plan(&self) -> Vec<String> {
        let Some(controller) = self.rig.controller() else { return vec!["the daemon is not running".to_owned()] };
        let desired = controller.board.desired();
        let mut lines = Vec::new();
        let cx = self.rig.cx.clone();
        for environment in desired.environments.values() {
            let looked = self
                .rig
                .clock
                .drive(async { cx.timeout(Duration::from_mins(10), controller.glance(&desired, environment)).await });
            let Some(Some(Ok(looked))) = looked else {
                lines.push(format!("{} could not be looked at", environment.name));
                continue;
            };
            for (key, entry) in &looked.plan.entries {
                let text = format!("{entry:?}");
                if text.contains(CANARY) {
                    lines.push(format!("S12 secrets: the plan of {key} shows one"));
                }
                // The old place of a record that was renamed stays like whatever else may not be pruned, or not yet.
                let pruned = |refusal: &Refusal| refusal.guard == Guard::Prune;
                let asked = |waiting: &Waiting| matches!(waiting, Waiting::Approval { .. });
                let held = !entry.refused.is_empty() || !entry.waiting.is_empty();
                let former = entry.ready && held && entry.refused.iter().all(pruned) && entry.waiting.iter().all(asked);
                let left = matches!(entry.action, Action::Retain | Action::Delete) || former;
                if entry.action == Action::None && entry.ready && entry.step.is_none() || left {
                    continue;
                }
                let memory = looked.memory.objects.stacks.get(key);
                lines.push(format!(
                    "{key}: {:?} {:?} differs {:?} waits {:?} refused {:?} step {:?} pending {:?} attempts {:?} change sets {:?}",
                    entry.action,
                    entry.status,
                    entry.differences,
                    entry.waiting,
                    entry.refused,
                    entry.step.as_ref().map(|step| step.action.verb()),
                    memory.and_then(|memory| memory.pending.as_ref()).map(|pending| (pending.kind, &pending.token)),
                    memory.and_then(|memory| memory.attempts.as_ref()),
                    memory.map(|memory| &memory.change_sets),
                ));
            }
        }
        lines
    }

    // ---- what came of it ----

    fn failure(&mut self, what: Vec<String>) -> Failure {
        let audit = self.rig.cloud.audit();
        let from = audit.len().saturating_sub(20);
        let told = |(index, call): &(usize, &Call)| call.mutating || *index >= from;
        let audit = audit.iter().enumerate().filter(told).map(|(_, call)| line(call)).collect();
        self.rig.cloud.clear_faults();
        let plan = self.plan();
        Failure { what, audit, plan }
    }

    fn worth(&self) -> Worth {
        let audit = self.rig.cloud.audit();
        let faults = self.scenario.calls.iter().filter(|(index, _)| *index < self.rig.cloud.calls()).count();
        let effective = audit.iter().filter(|call| call.class.is_some()).count();
        let inventory = self.rig.cloud.inventory();
        let mut worth = Worth {
            calls: self.rig.cloud.calls(),
            mutations: self.rig.truth.mutations(),
            seconds: self.rig.cx.elapsed().as_secs(),
            faults: faults as u64,
            effective: effective as u64,
            trace: audit.iter().map(line).collect(),
            polls: self.polls,
            mutating: audit.iter().filter(|call| call.mutating).map(|call| call.index).collect(),
            deleted: self.rig.truth.deleted(),
            ..Worth::default()
        };
        for (what, operation) in [
            ("continued a rollback", "ContinueUpdateRollback"),
            ("cancelled an update", "CancelUpdateStack"),
            ("switched protection", "UpdateTerminationProtection"),
            ("removed a change set", "DeleteChangeSet"),
            ("deleted a stack", "DeleteStack"),
        ] {
            let times = audit.iter().filter(|call| call.operation == operation && call.applied).count();
            worth.sometimes.insert(what, times as u64);
        }
        worth.sometimes.insert("put drift back", self.rig.truth.reverted());
        let lost = audit.iter().filter(|call| call.mutating && call.applied && call.class.is_some()).count();
        worth.sometimes.insert("lost the answer to a mutation", lost as u64);
        let incarnations = inventory.stacks.iter().filter(|stack| stack.state.status == StackStatus::DeleteComplete);
        worth.sometimes.insert("outlived an incarnation", incarnations.count() as u64);
        worth.sometimes.insert("read of a failure for good", self.rig.truth.terminal());
        let crashes = self.scenario.events.iter().filter(|(_, event)| matches!(event, Event::Crash { .. })).count();
        worth.sometimes.insert("crashed", crashes as u64);
        worth.end = Some(inventory);
        worth
    }
}

/// The names of all stacks that the manifests want.
fn wanted(fleet: &Fleet) -> Vec<String> {
    let web = fleet.web.iter().filter(|web| web.stack).map(|_| WEB_STACK.to_owned());
    fleet.units.keys().map(|number| stack_name(*number)).chain(web).collect()
}

fn line(call: &Call) -> String {
    let target = call.target.split('/').nth(1).unwrap_or(&call.target);
    let answer = call.class.map_or("ok".to_owned(), |class| format!("{class:?}"));
    let applied = if call.mutating && call.applied { " applied" } else { "" };
    let revision = call.fence.map_or(String::new(), |fence| format!(" e{} r{}", fence.epoch, fence.revision));
    format!(
        "{:>5} {} {} {target}{revision} {answer}{applied}",
        call.index,
        call.at.strftime("%H:%M:%S"),
        call.operation
    )
}

/// The faults that may be injected by index, one at a time, for mutating calls.
pub(crate) const LOST: [Fault; 3] = [Fault::ErrorAfter, Fault::HangAfter, Fault::ErrorBefore];

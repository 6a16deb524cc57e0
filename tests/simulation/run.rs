//! One run: everything that goes wrong, and what came of it. What follows in between is [`crate::healing`]'s.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use landfast::model::{ImageDigest, StackName, StackStatus};
use landfast::sim::{Call, Fault, Inventory};

use crate::app::AppEdit;
use crate::fleet::stack_name;
use crate::rig::Rig;
use crate::scenario::{Act, Edit, Event, Scenario};

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
    let rig = Rig::new(scenario.seed, scenario.fleet.clone(), scenario.told.clone());
    let mut run = Run { rig, scenario, polls: 0, pushed: 0, newest: None, tampered: BTreeSet::new() };
    run.rig.dies_at = dies_at;
    if scenario.hostile {
        run.rig.truth.intruder.appears(scenario.seed);
    }
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
        let windows = self.scenario.fleet.windows.as_slice();
        for wrong in crate::freezes::begun_while_held(&self.rig.store(), windows) {
            self.rig.truth.blame(wrong);
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
            Event::Freeze { scope, seconds } => {
                crate::freezes::freeze(&self.rig, &scope, seconds);
            }
            Event::Thaw => crate::freezes::thaw(&self.rig),
            Event::Clock { by } => {
                self.rig.clock.step_clock(by);
                self.rig.truth.clock_was_set();
            }
        }
        None
    }

    pub(crate) fn act(&self, stack: u8, act: &Act) {
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
            Act::Import => self.import(stack),
            Act::LetGo => self.let_go(stack),
            Act::Forge => self.forge(stack),
            Act::Break => {
                let broken = "Resources: { Topic: { Type: AWS::SNS::Topic, Properties: { TopicName: taken } } }";
                console.update_template_without_rollback(&name, broken)
            }
        };
    }

    // ---- what came of it ----

    fn failure(&mut self, what: Vec<String>) -> Failure {
        let audit = self.rig.cloud.audit();
        let from = audit.len().saturating_sub(20);
        // `SIM_ALL` shows every call.
        let all = std::env::var_os("SIM_ALL").is_some();
        let told = |(index, call): &(usize, &Call)| all || call.mutating || *index >= from;
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

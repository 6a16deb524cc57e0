//! A scenario: data made from a seed, so that it can be printed, replayed, shrunk and kept.

use std::collections::BTreeMap;
use std::time::Duration;

use landfast::sim::{EventPath, Fault, FaultPlan, ResourceFailure, ResourceFault, ResourceOperation, Window};
use rand::{Rng, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::app::{App, AppAct, AppEdit};
use crate::fleet::{Fleet, Glitch, Made, Policy, Prune, SECOND, Unit, environment};

/// Everything that happens in a run, before it is left to heal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) fleet: Fleet,
    /// By the second at which it happens.
    pub(crate) events: Vec<(u64, Event)>,
    /// By the index of the call.
    pub(crate) calls: Vec<(u64, Fault)>,
    pub(crate) windows: Vec<Window>,
    pub(crate) resources: Vec<ResourceFault>,
    /// When it is left to heal.
    pub(crate) until: u64,
    /// The daemon begins anew when it is left to heal.
    pub(crate) restart: bool,
    /// A last edit, a last drift and a person follow. Without, it must converge by itself.
    pub(crate) heals: bool,
    /// Somebody who may create change sets, and means no good, is there all the time.
    #[serde(default)]
    pub(crate) hostile: bool,
    /// Events tell the daemon what happens, by this path.
    #[serde(default)]
    pub(crate) told: Option<EventPath>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Event {
    /// A commit. The daemon may not be told.
    Edit { edit: Edit, told: bool },
    /// The checkout goes wrong, or is good again.
    Checkout { glitch: Option<Glitch>, told: bool },
    /// Somebody else in the account.
    Console { stack: u8, act: Act },
    /// The daemon dies, and comes back after as many seconds.
    Crash { down: u64 },
    /// The daemon is told to stop, and comes back after as many seconds.
    Stop { down: u64 },
    /// The daemon dies, and its store with it.
    LoseStore,
    /// The daemon's clock is set.
    Clock { by: i64 },
    /// Somebody else changes a secret, a record, or what is in the registry.
    App(AppAct),
    /// A person freezes something, for so many seconds or until it is thawed.
    Freeze { scope: String, seconds: Option<u64> },
    /// A person thaws everything.
    Thaw,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Edit {
    Size(u8, u8),
    Tag(u8, u8),
    Shape(u8, u8),
    Secret(u8, u8),
    Put(u8, Unit),
    Remove(u8),
    Retain(u8, bool),
    Protect(u8, bool),
    /// Its manifest gets its other name, or its own again.
    Rename(u8),
    /// Everything as it was this many commits ago.
    Back(usize),
    /// Of a secret, a record or the service.
    App(AppEdit),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Act {
    Size(u8),
    Tag(u8),
    Delete,
    Protect(bool),
    /// Creates a stack of that name by hand.
    Squat,
    /// Previews a stack of that name by hand, which leaves a shell.
    Review,
    Cancel,
    /// Takes a backup of its table.
    Backup,
    /// Updates it to something that fails, without rollback.
    Break,
    /// Changes a resource of it past it.
    Tamper(u8),
    /// Creates a stack of somebody else that imports what it exports.
    Import,
    /// Deletes that one.
    LetGo,
    /// Creates a stack of somebody else that carries our owner tag.
    Forge,
}

/// Classes of what may go wrong; each is off in some seeds, so that rare combinations occur.
struct Swarm(ChaCha8Rng);

impl Swarm {
    fn has(&mut self) -> bool {
        self.0.random_bool(0.6)
    }
}

impl Scenario {
    pub(crate) fn from_seed(seed: u64) -> Self {
        let mut scenario = Self::of_stacks(seed);
        scenario.add_app();
        scenario.add_tampering();
        scenario.add_outsiders();
        scenario.add_nested();
        scenario.add_intruder();
        scenario.add_renames();
        scenario.add_event_path();
        scenario.add_freezes();
        scenario.fleet.floored = seed % 6 == 1;
        scenario
    }

    /// In half of all seeds there are events. They come twice, minutes late and in another order, or not at all.
    fn add_event_path(&mut self) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ 0x00e7_e275);
        if rng.random_bool(0.5) {
            return;
        }
        let lost = if rng.random_bool(0.2) { 100 } else { 0 };
        let late = Duration::from_millis(rng.random_range(0..5_000));
        let (repeated, delayed) = (rng.random_range(0..30), rng.random_range(0..30));
        self.told = Some(EventPath { late, lost, repeated, delayed, silent: None });
    }

    /// In a third of all seeds people freeze and thaw, and in another part of them `dev` has maintenance windows.
    fn add_freezes(&mut self) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ 0x00f2_ee2e);
        if rng.random_bool(0.34) {
            let scopes =
                ["*", "dev", "ops", "dev/stack", "*/secret", "dev/stack/s*", "*/service", "dev/dnsrecord", "*/*/s1"];
            for _ in 0..rng.random_range(1..4) {
                let at = rng.random_range(0..self.until);
                let seconds = rng.random_bool(0.7).then(|| rng.random_range(30..3_000));
                let scope = scopes[rng.random_range(0..scopes.len())].to_owned();
                self.events.push((at, Event::Freeze { scope, seconds }));
                if rng.random() {
                    self.events.push((at + rng.random_range(1..2_000), Event::Thaw));
                }
            }
            self.events.sort_by_key(|(at, _)| *at);
        }
        // A clock that is set would end windows after the run is left to heal.
        let is_set = self.events.iter().any(|(_, event)| matches!(event, Event::Clock { .. }));
        if rng.random_bool(0.25) && !is_set {
            for _ in 0..rng.random_range(1..3) {
                let from = rng.random_range(0..self.until);
                self.fleet.windows.push((from, rng.random_range(from..self.until) + 1));
            }
        }
    }

    /// Renames objects in a quarter of all seeds: their stacks stay, whatever else happens.
    fn add_renames(&mut self) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ 0x2e4a);
        if !rng.random_bool(0.25) {
            return;
        }
        for _ in 0..rng.random_range(1..5) {
            let at = rng.random_range(0..self.until);
            let edit = Edit::Rename(rng.random_range(0..8));
            self.events.push((at, Event::Edit { edit, told: rng.random() }));
        }
        self.events.sort_by_key(|(at, _)| *at);
    }

    /// Stacks alone.
    pub(crate) fn of_stacks(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut swarm = Swarm(ChaCha8Rng::seed_from_u64(seed ^ 0x5eed));
        let until = rng.random_range(1_800..14_400);
        let fleet = fleet(&mut rng, &mut swarm);
        let mut scenario = Self {
            seed,
            fleet,
            events: Vec::new(),
            calls: Vec::new(),
            windows: Vec::new(),
            resources: Vec::new(),
            until,
            restart: seed % 2 == 1,
            heals: true,
            hostile: false,
            told: None,
        };
        scenario.edits(&mut rng, &mut swarm);
        scenario.people(&mut rng, &mut swarm);
        scenario.daemon(&mut rng, &mut swarm);
        scenario.faults(&mut rng, &mut swarm);
        scenario.events.sort_by_key(|(at, _)| *at);
        scenario
    }

    /// In a third of all seeds, tables are in nested stacks or made by macros. By numbers of its own, so that everything else
    /// stays as it was drawn.
    fn add_nested(&mut self) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ 0x004e_57ed);
        if !rng.random_bool(0.34) {
            return;
        }
        // Drift beside a nested stack is only put back with a person's consent, which a scenario does not give.
        for unit in self.fleet.units.values_mut() {
            let made = [Made::Plainly, Made::Nested, Made::Nested, Made::Expanded][rng.random_range(0..4)];
            unit.made = if unit.revert && made == Made::Nested { Made::Expanded } else { made };
        }
        for (_, event) in &mut self.events {
            if let Event::Edit { edit: Edit::Put(_, unit), .. } = event {
                unit.made = if unit.revert { Made::Expanded } else { Made::Nested };
            }
        }
    }

    fn add(&mut self, rng: &mut impl Rng, count: std::ops::Range<usize>, mut make: impl FnMut(&mut dyn Rng) -> Event) {
        for _ in 0..rng.random_range(count) {
            let at = rng.random_range(0..self.until);
            let event = make(rng);
            self.events.push((at, event));
        }
    }

    fn edits(&mut self, rng: &mut impl Rng, swarm: &mut Swarm) {
        let (lost, structure, back, glitches) = (swarm.has(), swarm.has(), swarm.has(), swarm.has());
        let units = self.fleet.units.clone();
        self.add(rng, 1..8, |rng| {
            let stack = rng.random_range(0..8_u8);
            let value = rng.random_range(1..4_u8);
            let edit = match rng.random_range(0..if structure { 9 } else { 4 }) {
                0 => Edit::Size(stack, value),
                1 => Edit::Tag(stack, value),
                2 => Edit::Shape(stack, value),
                3 => Edit::Secret(stack, value),
                4 | 5 => Edit::Remove(stack),
                6 => Edit::Retain(stack, rng.random()),
                7 => Edit::Protect(stack, rng.random()),
                _ => Edit::Put(stack, units.get(&stack).cloned().unwrap_or_else(Unit::plain)),
            };
            Event::Edit { edit, told: !lost || rng.random() }
        });
        if back {
            self.add(rng, 0..3, |rng| Event::Edit { edit: Edit::Back(rng.random_range(1..3)), told: rng.random() });
        }
        if glitches {
            for _ in 0..rng.random_range(0..3) {
                let at = rng.random_range(0..self.until);
                let kinds = [Glitch::Empty, Glitch::NoStacks, Glitch::Conflict, Glitch::Unreadable];
                let glitch = Some(kinds[rng.random_range(0..kinds.len())]);
                let told = rng.random();
                self.events.push((at, Event::Checkout { glitch, told }));
                let over = at + rng.random_range(30..1_200);
                self.events.push((over, Event::Checkout { glitch: None, told }));
            }
        }
    }

    fn people(&mut self, rng: &mut impl Rng, swarm: &mut Swarm) {
        let (drift, destroy, squat) = (swarm.has(), swarm.has(), swarm.has());
        if drift {
            self.add(rng, 0..6, |rng| {
                let act = match rng.random_range(0..5) {
                    0 => Act::Size(rng.random_range(7..9)),
                    1 => Act::Tag(rng.random_range(7..9)),
                    2 => Act::Protect(rng.random()),
                    3 => Act::Cancel,
                    _ => Act::Backup,
                };
                Event::Console { stack: rng.random_range(0..8), act }
            });
        }
        if destroy {
            self.add(rng, 0..3, |rng| {
                let act = if rng.random_bool(0.8) { Act::Delete } else { Act::Break };
                Event::Console { stack: rng.random_range(0..8), act }
            });
        }
        if squat {
            self.add(rng, 0..3, |rng| {
                let act = if rng.random() { Act::Squat } else { Act::Review };
                Event::Console { stack: rng.random_range(0..8), act }
            });
        }
    }

    fn daemon(&mut self, rng: &mut impl Rng, swarm: &mut Swarm) {
        if swarm.has() {
            self.add(rng, 0..6, |rng| Event::Crash { down: rng.random_range(1..400) });
        }
        if swarm.has() {
            self.add(rng, 0..3, |rng| Event::Stop { down: rng.random_range(10..400) });
        }
        if swarm.has() {
            self.add(rng, 0..2, |_| Event::LoseStore);
        }
        if swarm.has() {
            self.add(rng, 0..3, |rng| Event::Clock { by: rng.random_range(-4_000..4_000) });
        }
    }

    fn faults(&mut self, rng: &mut impl Rng, swarm: &mut Swarm) {
        let kinds: Vec<Fault> = [
            Fault::Throttle,
            Fault::ErrorBefore,
            Fault::ErrorAfter,
            Fault::TimeoutBefore,
            Fault::TimeoutAfter,
            Fault::Hang,
            Fault::HangAfter,
            Fault::Denied,
            Fault::Slow(Duration::from_secs(20)),
            Fault::Stale(Duration::from_secs(5)),
            Fault::Stale(Duration::from_mins(1)),
            Fault::Stale(Duration::from_secs(400)),
            Fault::PartialPage,
        ]
        .into_iter()
        .filter(|_| swarm.has())
        .collect();
        if !kinds.is_empty() && swarm.has() {
            let density = [30, 10, 4][rng.random_range(0..3)];
            for index in 0..2_000_u64 {
                if rng.random_range(0..density) == 0 {
                    self.calls.push((index, kinds[rng.random_range(0..kinds.len())].clone()));
                }
            }
        }
        if !kinds.is_empty() && swarm.has() {
            for _ in 0..rng.random_range(0..3) {
                let from = rng.random_range(0..self.until);
                let until = from + rng.random_range(10..1_200);
                let all =
                    ["DescribeStacks", "ExecuteChangeSet", "DescribeStackEvents", "CreateStack", "ListChangeSets"];
                let operations =
                    if rng.random() { Vec::new() } else { vec![all[rng.random_range(0..all.len())].to_owned()] };
                self.windows.push(Window {
                    from: Duration::from_secs(from),
                    until: Duration::from_secs(until),
                    scope: None,
                    operations: operations.into_iter().collect(),
                    fault: kinds[rng.random_range(0..kinds.len())].clone(),
                });
            }
        }
        let (fails, sticks, terminal) = (swarm.has(), swarm.has(), swarm.has());
        if fails {
            for _ in 0..rng.random_range(0..6) {
                let operations = [ResourceOperation::Create, ResourceOperation::Update, ResourceOperation::Delete];
                let operation = operations[rng.random_range(0..3)];
                let names = ["Topic", "Extra", "Table", "*"];
                let what = if sticks && rng.random_bool(0.25) {
                    ResourceFailure::Sticks
                } else if terminal && rng.random_bool(0.4) {
                    ResourceFailure::Fails { reason: "it is wrong".into(), code: "InvalidRequest".into() }
                } else {
                    ResourceFailure::Fails { reason: "no capacity".into(), code: "NotStabilized".into() }
                };
                self.resources.push(ResourceFault {
                    stack: if rng.random() { "*".into() } else { format!("*-s{}", rng.random_range(0..8)) },
                    resource: names[rng.random_range(0..names.len())].into(),
                    operation,
                    what,
                    times: if rng.random_bool(0.2) { 1_000 } else { rng.random_range(1..4) },
                });
            }
        }
    }

    pub(crate) fn fault_plan(&self) -> FaultPlan {
        FaultPlan {
            calls: self.calls.iter().cloned().collect(),
            windows: self.windows.clone(),
            resources: self.resources.clone(),
        }
    }

    /// The same without anything that goes wrong.
    pub(crate) fn size(&self) -> usize {
        self.events.len()
            + self.calls.len()
            + self.windows.len()
            + self.resources.len()
            + self.fleet.units.len()
            + self.fleet.app.size()
            + usize::from(self.fleet.web.is_some())
    }
}

fn fleet(rng: &mut impl Rng, swarm: &mut Swarm) -> Fleet {
    let (second, exports, secrets, stateful, adopt) = (swarm.has(), swarm.has(), swarm.has(), swarm.has(), swarm.has());
    let mut units: BTreeMap<u8, Unit> = BTreeMap::new();
    let count = rng.random_range(1..SECOND);
    let numbers = (0..count).chain(if second { SECOND..rng.random_range(SECOND + 1..SECOND + 3) } else { 0..0 });
    for number in numbers {
        let earlier: Vec<u8> = units.keys().copied().collect();
        let pick = |rng: &mut dyn Rng| {
            (!earlier.is_empty() && rng.random_bool(0.6)).then(|| earlier[rng.random_range(0..earlier.len())])
        };
        let upstream = pick(rng);
        let imports = pick(rng).filter(|other| exports && environment(*other) == environment(number));
        let shapes = if stateful { 3 } else { 2 };
        let unit = Unit {
            upstream,
            imports,
            shape: rng.random_range(0..shapes),
            secret: u8::from(secrets),
            protected: rng.random_bool(0.15),
            retained: rng.random_bool(0.1),
            adopt: adopt && rng.random_bool(0.4),
            timeout: rng.random_bool(0.4).then_some(5),
            ..Unit::plain()
        };
        units.insert(number, unit);
    }
    let prune = [Prune::Always, Prune::Always, Prune::Always, Prune::Confirm, Prune::Never][rng.random_range(0..5)];
    let policy =
        Policy { prune, observe: false, deletions: if rng.random_bool(0.7) { 50 } else { 1 }, replace: rng.random() };
    Fleet { units, policy, web: None, app: App::default(), floored: false, windows: Vec::new() }
}

impl Edit {
    /// What a commit makes of the manifests. An edit of what is not there changes nothing; nobody removes what others
    /// refer to.
    pub(crate) fn apply(&self, fleet: &Fleet, history: &[Fleet]) -> Fleet {
        let mut next = fleet.clone();
        let mut with = |number: &u8, change: &dyn Fn(&mut Unit)| {
            if let Some(unit) = next.units.get_mut(number) {
                change(unit);
            }
        };
        match self {
            Self::Size(number, to) => with(number, &|unit| unit.size = *to),
            Self::Tag(number, to) => with(number, &|unit| unit.tag = *to),
            Self::Shape(number, to) => with(number, &|unit| unit.shape = *to),
            Self::Secret(number, to) => with(number, &|unit| unit.secret = *to),
            Self::Retain(number, to) => with(number, &|unit| unit.retained = *to),
            Self::Rename(number) => with(number, &|unit| unit.renamed = !unit.renamed),
            Self::Protect(number, to) => with(number, &|unit| unit.protected = *to),
            Self::Put(number, unit) => {
                let known = |other: &Option<u8>| other.is_none_or(|other| fleet.units.contains_key(&other));
                if !fleet.units.contains_key(number) && known(&unit.upstream) && known(&unit.imports) {
                    next.units.insert(*number, unit.clone());
                }
            }
            Self::Remove(number) => {
                let used =
                    fleet.units.values().any(|unit| unit.upstream == Some(*number) || unit.imports == Some(*number));
                if !used && !fleet.app.uses(*number) {
                    next.units.remove(number);
                }
            }
            Self::App(edit) => edit.apply(&mut next),
            Self::Back(commits) => {
                if let Some(earlier) = history.len().checked_sub(commits + 1).and_then(|at| history.get(at)) {
                    next = earlier.clone();
                }
            }
        }
        next
    }
}

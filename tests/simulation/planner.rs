//! The planner on every state of a small universe: two stacks, one of which depends on the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use landfast::manifest;
use landfast::model::{
    Act, Action, Attempts, ChangeSets, Desired, Do, Entry, Environment, Expect, Failure, FingerprintKey, Key, Memory,
    Objects, Observation, ObservedStack, Operation, OperationKind, Output, Plan, Revision, Seen, SmallMap, StackDo,
    StackMemory, StackSpec, StackState, StackStatus, StackVersion, Unknown,
};
use landfast::plan::{self, Goal, Input, OWNER_TAG, ROWS, Standing, row};

use crate::app::App;
use crate::fleet::{CANARY, Fleet, Policy, Prune, Unit};

const SIZE: &str = "1";

fn now() -> Timestamp {
    "2026-01-02T00:00:00Z".parse().unwrap()
}

fn fingerprints() -> FingerprintKey {
    FingerprintKey::new([1; 32])
}

fn desired(policy: Policy) -> Desired {
    let dependant = Unit { upstream: Some(0), ..Unit::plain() };
    let fleet = Fleet {
        units: BTreeMap::from([(0, Unit::plain()), (1, dependant)]),
        policy,
        web: None,
        app: App::default(),
        floored: false,
        windows: Vec::new(),
    };
    let snapshot = fleet.snapshot(None);
    let revision = Revision { sequence: 3, content: snapshot.content.clone(), commit: None };
    let loaded = manifest::load(&snapshot, revision);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    loaded.desired
}

fn apply_all() -> Policy {
    Policy { prune: Prune::Always, observe: false, deletions: 9, replace: false }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Ours,
    Nobody,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remembered {
    Nothing,
    Pending(OperationKind),
    FailedForGood,
    Continued,
}

/// What is seen and remembered of one stack.
#[derive(Clone, Copy, Debug)]
enum Case {
    Absent,
    Unknown,
    Present { status: StackStatus, owner: Owner, same: bool, memory: Remembered },
}

fn version(spec: &StackSpec) -> StackVersion {
    let id = format!("arn:aws:cloudformation:us-east-1:111122223333:stack/{}/1", spec.stack_name);
    StackVersion { id: id.parse().unwrap(), moved: "2026-01-01T00:00:00Z".parse().unwrap() }
}

fn state(spec: &StackSpec, status: StackStatus, owner: Owner) -> StackState {
    let mut tags: BTreeMap<String, String> =
        [("Edition", "1"), ("Team", "core")].map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    match owner {
        Owner::Ours => _ = tags.insert(OWNER_TAG.to_owned(), spec.key.to_string()),
        Owner::Other => _ = tags.insert(OWNER_TAG.to_owned(), "prod/stack/other".to_owned()),
        Owner::Nobody => {}
    }
    let StackVersion { id, moved } = version(spec);
    let upstream = if spec.depends_on.is_empty() { "none" } else { SIZE };
    let parameters = [("Size", SIZE), ("Upstream", upstream), ("Secret", "****")];
    let echo = Output { value: SIZE.to_owned(), export: None };
    StackState {
        id,
        name: spec.stack_name.clone(),
        status,
        status_reason: None,
        created: moved,
        updated: None,
        stored: SmallMap::new(),
        parameters: parameters.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        tags: tags.into(),
        outputs: SmallMap::from([("Echo".to_owned(), echo)]),
        termination_protection: false,
        role_arn: None,
        notifications: BTreeSet::new(),
        rollback_alarms: BTreeSet::new(),
        monitoring_minutes: None,
        capabilities: BTreeSet::new(),
        timeout_minutes: None,
        change_set: None,
        parent: None,
        operations: Vec::new(),
    }
}

fn remembered(spec: &StackSpec, same: bool, memory: Remembered) -> StackMemory {
    let version = version(spec);
    let mut facts = spec.template.facts.clone();
    if !same {
        std::sync::Arc::make_mut(&mut facts).digest = landfast::model::Digest::of_bytes(b"another");
    }
    let secret = fingerprints().fingerprint(&format!("{CANARY}-0"));
    let mut known = StackMemory {
        template: Some((version.clone(), facts)),
        no_echo: Some((version.clone(), BTreeMap::from([("Secret".to_owned(), secret)]))),
        ..StackMemory::default()
    };
    let inputs = landfast::model::Digest::of_bytes(b"inputs");
    match memory {
        Remembered::Nothing => {}
        Remembered::Continued => known.continued = Some(version),
        Remembered::FailedForGood => {
            let failure = Failure { resource: "A".into(), kind: "B".into(), reason: "C".into(), transient: false };
            known.attempts = Some(Box::new(Attempts { inputs, count: 1, last: now(), failure }));
        }
        Remembered::Pending(kind) => {
            known.pending = Some(Box::new(Operation {
                kind,
                token: "token".to_owned(),
                stack: Some(version.id),
                change_set: None,
                inputs,
                no_echo: BTreeMap::new(),
                skip: std::collections::BTreeSet::new(),
                started: now(),
                revision: 3,
                writes: landfast::model::Writes::Nothing,
                from: None,
                answered: None,
            }));
        }
    }
    known
}

/// A world in which the two stacks are in these states.
struct Small {
    desired: Desired,
    observation: Observation,
    memory: Memory,
    busy: BTreeSet<Key>,
}

impl Small {
    fn new(desired: &Desired, cases: [Case; 2]) -> Self {
        let environment = &desired.environments[&"dev".parse().unwrap()];
        let listing = |case: &Case| matches!(case, Case::Unknown);
        let known = if cases.iter().any(listing) { Err(Unknown::because("no answer")) } else { Ok(()) };
        let mut observation =
            Observation { listings: BTreeMap::from([(environment.scope.clone(), known)]), ..Observation::begun(now()) };
        let mut stacks = BTreeMap::new();
        for (spec, case) in environment.stacks.values().zip(cases) {
            let Case::Present { status, owner, same, memory } = case else { continue };
            let mut seen = ObservedStack::listed(state(spec, status, owner));
            seen.change_sets = Some(Box::new(ChangeSets { all: Seen::Present(Vec::new()), described: None }));
            seen.contents.insert(seen.state.id.clone(), Seen::Present(Arc::new([])));
            if status == StackStatus::UpdateRollbackComplete {
                // Nobody has left anything out of it.
                seen.events.insert(seen.state.id.clone(), Seen::Present(Arc::new([])));
            }
            observation.stacks.insert(spec.address(), seen);
            stacks.insert(spec.key.clone(), Arc::new(remembered(spec, same, memory)));
        }
        let memory = Memory {
            fingerprint_key: fingerprints(),
            objects: Objects { stacks, ..Objects::default() }.into(),
            spent: Vec::new(),
            consent: None,
            freezes: std::sync::Arc::default(),
            reviews: std::sync::Arc::default(),
        };
        Self { desired: desired.clone(), observation, memory, busy: BTreeSet::new() }
    }

    fn environment(&self) -> &Environment {
        &self.desired.environments[&"dev".parse().unwrap()]
    }

    fn plan(&self) -> (Plan, Vec<plan::Fault>) {
        let input = Input {
            desired: &self.desired,
            environment: self.environment(),
            observation: &self.observation,
            memory: &self.memory,
            now: now(),
            goal: Goal::Converge,
            busy: &self.busy,
        };
        let plan = plan::plan(&input);
        let faults = plan::lint(&plan, &input);
        (plan, faults)
    }
}

fn universe() -> Vec<Case> {
    let mut cases = vec![Case::Absent, Case::Unknown];
    let memories = [
        Remembered::Nothing,
        Remembered::Pending(OperationKind::Update),
        Remembered::Pending(OperationKind::Delete),
        Remembered::FailedForGood,
        Remembered::Continued,
    ];
    for status in StackStatus::ALL {
        for owner in [Owner::Ours, Owner::Nobody, Owner::Other] {
            for same in [true, false] {
                cases.extend(memories.map(|memory| Case::Present { status, owner, same, memory }));
            }
        }
    }
    cases
}

fn steady(same: bool) -> Case {
    Case::Present { status: StackStatus::CreateComplete, owner: Owner::Ours, same, memory: Remembered::Nothing }
}

/// P4: whatever makes or changes an object finds what it depends on ready. What repairs or clears it needs nothing.
fn in_order(plan: &Plan) {
    for entry in plan.entries.values() {
        let begins = entry.step.as_ref().is_some_and(|step| match &step.action {
            Do::Stack(step) => matches!(step.action, StackDo::Create { .. } | StackDo::Execute { .. }),
            action => action.begins_operation(),
        });
        let ready = |key: &Key| plan.entries.get(key).is_none_or(|entry| entry.ready);
        assert!(!begins || entry.depends_on.iter().all(ready), "P4: {entry:?}");
    }
}

/// S1, S5, S7, S10, S11, for what the planner can know.
fn safe(entry: &Entry, case: Case, observed_only: bool) {
    let Some(step) = &entry.step else { return };
    if !step.action.mutates() {
        return;
    }
    assert!(!observed_only, "S11: {entry:?}");
    assert!(entry.refused.is_empty(), "{entry:?}");
    let Do::Stack(step) = &step.action else { return };
    match (case, &step.expect) {
        (Case::Unknown, _) => panic!("S10: {entry:?}"),
        (Case::Absent, expect) => assert_eq!(*expect, Expect::Absent, "S5: {entry:?}"),
        (Case::Present { status, owner, .. }, Expect::Stack(_, seen)) => {
            assert_eq!(status, *seen, "S5");
            assert_eq!(owner, Owner::Ours, "S1: {entry:?}");
            assert!(row(status).standing != Standing::Busy, "S7: {entry:?}");
        }
        (Case::Present { status: StackStatus::DeleteComplete, .. }, Expect::Absent) => {}
        (Case::Present { .. }, _) => panic!("S5: {entry:?}"),
    }
}

#[test]
fn every_state_of_a_small_universe_has_one_safe_plan() {
    let policies = [apply_all(), Policy { observe: true, ..apply_all() }];
    let others = [Case::Absent, steady(true), steady(false)];
    let mut plans = 0;
    for policy in policies {
        let desired = desired(policy);
        for case in universe() {
            for other in others {
                for cases in [[case, other], [other, case]] {
                    let small = Small::new(&desired, cases);
                    let (plan, faults) = small.plan();
                    plans += 1;
                    assert!(faults.is_empty(), "P5: {faults:?} for {cases:?}");
                    in_order(&plan);
                    let blind = cases.iter().any(|case| matches!(case, Case::Unknown));
                    for (entry, case) in plan.entries.values().zip(cases) {
                        safe(entry, if blind { Case::Unknown } else { case }, policy.observe);
                    }
                    // P1, on a sample: the same again, and nothing hashed or drawn in between.
                    if plans % 16 == 0 {
                        let again = Small::new(&desired, cases).plan().0;
                        assert_eq!(format!("{plan:?}"), format!("{again:?}"), "P1: {cases:?}");
                    }
                }
            }
        }
    }
    println!("{plans} plans");
}

#[test]
fn nothing_follows_from_two_stacks_that_are_as_desired() {
    let (plan, _) = Small::new(&desired(apply_all()), [steady(true), steady(true)]).plan();
    assert!(plan.in_sync() && plan.entries.values().all(|entry| entry.step.is_none() && entry.ready), "P2: {plan:#?}");
}

/// What follows for a stack of ours, of which nothing is remembered and whose template is another than desired.
fn follows(status: StackStatus) -> (Action, &'static str) {
    use StackStatus as S;
    match status {
        S::CreateInProgress
        | S::RollbackInProgress
        | S::DeleteInProgress
        | S::UpdateInProgress
        | S::UpdateCompleteCleanupInProgress
        | S::UpdateRollbackInProgress
        | S::UpdateRollbackCompleteCleanupInProgress
        | S::ImportInProgress
        | S::ImportRollbackInProgress => (Action::MayUpdate, "waits"),
        S::CreateComplete
        | S::UpdateComplete
        | S::UpdateRollbackComplete
        | S::ImportComplete
        | S::ImportRollbackComplete => (Action::Update, "prepare"),
        S::CreateFailed | S::RollbackFailed | S::RollbackComplete | S::ReviewInProgress => (Action::Recreate, "clear"),
        S::DeleteComplete => (Action::Create, "create"),
        S::UpdateRollbackFailed => (Action::Recover, "continue-rollback"),
        S::DeleteFailed | S::UpdateFailed | S::ImportRollbackFailed => (Action::Recover, "refused"),
    }
}

#[test]
fn every_row_of_the_status_table_has_its_consequence() {
    let desired = desired(apply_all());
    for known in &ROWS {
        let case = Case::Present { status: known.status, owner: Owner::Ours, same: false, memory: Remembered::Nothing };
        let (plan, _) = Small::new(&desired, [case, steady(true)]).plan();
        let entry = plan.entries.values().next().unwrap();
        let what = match &entry.step {
            Some(step) => step.action.verb(),
            None if entry.refused.is_empty() => "waits",
            None => "refused",
        };
        assert_eq!((entry.action, what), follows(known.status), "{}: {entry:#?}", known.status);
    }
}

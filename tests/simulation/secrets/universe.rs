//! The planner over a small universe of secrets, completely: every combination of what is wanted, seen, remembered and
//! answered. What it must never do is looked for in every plan (S1, S2, S5, S10–S13, P1, P5).

use jiff::{SignedDuration, Timestamp};
use landfast::model::{
    Act as _, AppliedValue, CheckAnswer, CheckNeed, CheckOutcome, ConsumerCheck, Desired, Do, Entry, Fingerprint,
    FingerprintKey, HttpProbe, HttpRequest, Make, Mode, OWNER_TAG, ObjectMemory, Objects, Observation, Plan,
    ReplicaState, ReplicaStatus, Revision, RotationMemory, SecretDo, SecretExpect, SecretState, SecretStep,
    SecretsSeen, Seen, Tls, Unknown, ValueFacts, VersionId,
};
use landfast::plan::{self, DELETION_TAG, Goal, Input};

use super::*;

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn ago(minutes: i64) -> Timestamp {
    now() - SignedDuration::from_mins(minutes)
}

fn by_hand(number: u8) -> VersionId {
    format!("{number:032x}").parse().unwrap()
}

/// A version of our rotation that was due an hour ago, and of one that was due before it.
fn rotated(hours: i64) -> VersionId {
    VersionId::of_rotation(&key(), ago(hours * 60), 0)
}

const FIELDS: [&str; 2] = ["password", "token"];

const FORMER: &str = "dev/secret/else";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Generated,
    Rotating,
    Checked,
    Sealed,
    External,
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Labels {
    Nothing,
    Current,
    PendingOurs,
    PendingTheirs,
    PendingIsCurrent,
    PendingIsOlder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Ours,
    Nobody,
    Other,
    /// A key that no manifest has any more: the secret was renamed.
    Former,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum There {
    Unknown,
    Absent,
    AbsentForSure,
    Present { labels: Labels, owner: Owner, deleted: bool, rotates: bool, failed_replica: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remembered {
    Nothing,
    Current,
    Another,
    WrittenLately,
    Promoted,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Unread,
    Whole,
    Partial,
    Unreadable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    None,
    Holds,
    Fails,
    FailsTooLong,
    Unknown,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    wanted: Wanted,
    there: There,
    remembered: Remembered,
    value: Value,
    answer: Answer,
    adopt: bool,
    observe: bool,
}

fn probe() -> HttpProbe {
    let url = Text::literal("http://app.example/{version}");
    HttpProbe { url, expect: 200, body: None, tls: Tls::Verify, timeout: Duration::from_secs(1) }
}

fn wanted(case: &Case) -> Option<SecretSpec> {
    let rotation = |check: Option<HttpProbe>| {
        let check = check.map(|probe| ConsumerCheck { probe, within: Duration::from_mins(5) });
        Some(RotationSpec { every: Duration::from_hours(24 * 30), restart: BTreeSet::new(), check })
    };
    let spec = match case.wanted {
        Wanted::Generated => spec(generated(&FIELDS)),
        Wanted::Rotating => SecretSpec { rotation: rotation(None), ..spec(generated(&FIELDS)) },
        Wanted::Checked => SecretSpec { rotation: rotation(Some(probe())), ..spec(generated(&FIELDS)) },
        Wanted::Sealed => spec(sealed("x")),
        Wanted::External => spec(SecretSource::External),
        Wanted::Gone => return None,
    };
    let replicas = Some(BTreeMap::from([("us-east-1".parse().unwrap(), None)]));
    Some(SecretSpec { adopt: case.adopt, replicas, ..spec })
}

fn state(case: &Case) -> Option<SecretState> {
    let There::Present { labels, owner, deleted, rotates, failed_replica } = case.there else { return None };
    let mut tags = BTreeMap::from([("Team".to_owned(), "people".to_owned())]);
    match owner {
        Owner::Ours => _ = tags.insert(OWNER_TAG.to_owned(), key().to_string()),
        Owner::Other => _ = tags.insert(OWNER_TAG.to_owned(), "prod/secret/else".to_owned()),
        Owner::Former => _ = tags.insert(OWNER_TAG.to_owned(), FORMER.to_owned()),
        Owner::Nobody => {}
    }
    if case.wanted == Wanted::Gone {
        tags.insert(DELETION_TAG.to_owned(), "7 days".to_owned());
    }
    let set = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect::<BTreeSet<String>>();
    let versions = match labels {
        Labels::Nothing => BTreeMap::new(),
        Labels::Current => BTreeMap::from([(by_hand(1), set(&[AWSCURRENT]))]),
        Labels::PendingOurs => BTreeMap::from([(by_hand(1), set(&[AWSCURRENT])), (rotated(1), set(&[AWSPENDING]))]),
        Labels::PendingTheirs => BTreeMap::from([(by_hand(1), set(&[AWSCURRENT])), (by_hand(2), set(&[AWSPENDING]))]),
        Labels::PendingIsCurrent => BTreeMap::from([(rotated(1), set(&[AWSCURRENT, AWSPENDING]))]),
        Labels::PendingIsOlder => BTreeMap::from([(rotated(1), set(&[AWSCURRENT])), (rotated(2), set(&[AWSPENDING]))]),
    };
    let status = if failed_replica { ReplicaStatus::Failed } else { ReplicaStatus::InSync };
    let replica = ReplicaState { status, message: None, kms_key: None };
    Some(SecretState {
        arn: "arn:aws:secretsmanager:eu-central-1:111122223333:secret:dev/app-secrets-AbCdEf".parse().unwrap(),
        name: NAME.to_owned(),
        description: Some("what the app needs".to_owned()),
        kms_key: None,
        tags,
        created: Some(ago(100_000)),
        changed: Some(ago(90)),
        accessed: None,
        deleted: deleted.then(|| ago(60)),
        versions,
        rotates,
        rotated: None,
        primary: Some(scope().region),
        owning_service: None,
        replicas: Some(BTreeMap::from([("us-east-1".parse().unwrap(), replica)])),
    })
}

fn fingerprints(names: &[&str], seed: u8) -> BTreeMap<String, Fingerprint> {
    let key = FingerprintKey::new([seed; 32]);
    names.iter().map(|name| ((*name).to_owned(), key.fingerprint(name))).collect()
}

fn remembered(case: &Case, current: Option<&VersionId>) -> SecretMemory {
    let applied = |version: &VersionId| AppliedValue {
        version: version.clone(),
        source: None,
        fields: fingerprints(&FIELDS, 1),
        made: Some(ago(60 * 24 * 40)),
    };
    let current = current.cloned().unwrap_or_else(|| by_hand(1));
    let rotation = |version: VersionId, promoted, failed| {
        let (due, attempt) = version.rotation_of(&key()).unwrap_or((ago(60), 0));
        Some(RotationMemory { due, attempt, version, promoted, failed })
    };
    let known = SecretMemory { applied: Some(applied(&current)), ..SecretMemory::default() };
    match case.remembered {
        Remembered::Nothing => SecretMemory::default(),
        Remembered::Current => known,
        Remembered::Another => SecretMemory { applied: Some(applied(&by_hand(9))), ..SecretMemory::default() },
        Remembered::WrittenLately => SecretMemory { written: Some(ago(5)), touched: Some(ago(5)), ..known },
        Remembered::Promoted => SecretMemory { rotation: rotation(rotated(1), true, false), ..known },
        Remembered::Failed => SecretMemory { rotation: rotation(rotated(1), false, true), ..known },
    }
}

struct Small {
    desired: Desired,
    observation: Observation,
    memory: Memory,
}

impl Small {
    fn new(case: &Case) -> Self {
        let (spec, state) = (wanted(case), state(case));
        let address = super::spec(SecretSource::External).address();
        let mut environment = environment(spec.into_iter().chain([other()]).collect(), Prune::Always);
        if case.observe {
            environment.policy.mode = Mode::Observe;
        }
        let mut observation = Observation::begun(now());
        observation.listings.insert(scope(), Ok(()));
        let mut seen = SecretsSeen::default();
        let unknown = || Unknown::because("no connection");
        seen.listings.insert(scope(), if case.there == There::Unknown { Err(unknown()) } else { Ok(()) });
        match &state {
            Some(state) => {
                seen.listed.insert(address.clone(), state.clone());
                seen.described.insert(address.clone(), Seen::Present(state.clone()));
            }
            None if case.there == There::AbsentForSure => _ = seen.described.insert(address.clone(), Seen::Absent),
            None => {}
        }
        for version in state.iter().flat_map(|state| state.versions.keys()) {
            let facts = |names: &[&str]| ValueFacts { fields: fingerprints(names, 2), made: Some(ago(70)) };
            let value = match case.value {
                Value::Unread => continue,
                Value::Whole => Seen::Present(facts(&FIELDS)),
                Value::Partial => Seen::Present(facts(&FIELDS[..1])),
                Value::Unreadable => Seen::Unknown(unknown()),
            };
            seen.values.insert((address.clone(), version.clone()), value);
        }
        observation.secrets = seen;
        let memory = remembered(case, state.as_ref().and_then(SecretState::current));
        let pending = state.as_ref().and_then(SecretState::pending).cloned().unwrap_or_else(|| rotated(1));
        let outcome = match case.answer {
            Answer::None => None,
            Answer::Holds => Some(CheckOutcome::Holds),
            Answer::Fails | Answer::FailsTooLong => Some(CheckOutcome::Fails("answered 500".to_owned())),
            Answer::Unknown => Some(CheckOutcome::Unknown(unknown())),
        };
        if let Some(outcome) = outcome {
            let HttpProbe { expect, body, tls, timeout, .. } = probe();
            let url = format!("http://app.example/{pending}");
            let need = CheckNeed::Consumer(HttpRequest { url, expect, body, tls, timeout }, pending.clone());
            observation.checks.answers.insert(need, CheckAnswer { at: now(), outcome });
        }
        let mut common = ObjectMemory::default();
        if case.answer == Answer::FailsTooLong {
            let check = ConsumerCheck { probe: probe(), within: Duration::from_mins(5) };
            common.ready.checks.insert(Digest::of(&(&pending, &check)), (ago(6), false));
        }
        let revision = Revision { sequence: 1, content: Digest::of("files"), commit: None };
        let environments = BTreeMap::from([(environment.name.clone(), Arc::new(environment))]);
        let secrets = BTreeMap::from([(key(), Arc::new(memory))]);
        let memory = Memory {
            fingerprint_key: FingerprintKey::new([1; 32]),
            objects: Objects { common: BTreeMap::from([(key(), Arc::new(common))]), secrets, ..Objects::default() }
                .into(),
            spent: Vec::new(),
            consent: None,
            freezes: std::sync::Arc::default(),
            reviews: std::sync::Arc::default(),
        };
        Self { desired: Desired { revision, environments }, observation, memory }
    }

    fn plan(&self) -> (Plan, Vec<plan::Fault>) {
        let busy = BTreeSet::new();
        let input = Input {
            desired: &self.desired,
            environment: self.desired.environments.values().next().unwrap(),
            observation: &self.observation,
            memory: &self.memory,
            now: now(),
            goal: Goal::Converge,
            busy: &busy,
        };
        let plan = plan::plan(&input);
        let faults = plan::lint(&plan, &input);
        (plan, faults)
    }
}

use Labels::{Current, Nothing, PendingIsCurrent, PendingIsOlder, PendingOurs, PendingTheirs};

fn universe() -> Vec<Case> {
    let mut there = vec![There::Unknown, There::Absent, There::AbsentForSure];
    for labels in [Nothing, Current, PendingOurs, PendingTheirs, PendingIsCurrent, PendingIsOlder] {
        for owner in [Owner::Ours, Owner::Nobody, Owner::Other, Owner::Former] {
            for bits in 0..8 {
                let (deleted, rotates, failed_replica) = (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0);
                there.push(There::Present { labels, owner, deleted, rotates, failed_replica });
            }
        }
    }
    let wants = [Wanted::Generated, Wanted::Rotating, Wanted::Checked, Wanted::Sealed, Wanted::External, Wanted::Gone];
    let memories = [
        Remembered::Nothing,
        Remembered::Current,
        Remembered::Another,
        Remembered::WrittenLately,
        Remembered::Promoted,
        Remembered::Failed,
    ];
    let mut cases = Vec::new();
    for wanted in wants {
        let answers: &[Answer] = match wanted {
            Wanted::Checked => &[Answer::None, Answer::Holds, Answer::Fails, Answer::FailsTooLong, Answer::Unknown],
            _ => &[Answer::None],
        };
        for there in &there {
            for remembered in memories {
                for value in [Value::Unread, Value::Whole, Value::Partial, Value::Unreadable] {
                    for answer in answers {
                        for (adopt, observe) in [(false, false), (true, false), (true, true)] {
                            let there = *there;
                            cases.push(Case { wanted, there, remembered, value, answer: *answer, adopt, observe });
                        }
                    }
                }
            }
        }
    }
    cases
}

fn step(entry: &Entry) -> Option<&SecretStep> {
    match &entry.step.as_ref()?.action {
        Do::Secret(step) => Some(step),
        other => panic!("{other:?}"),
    }
}

/// What must never be, whatever the case.
fn safe(case: &Case, entry: &Entry, state: Option<&SecretState>) {
    let Some(step) = step(entry).filter(|step| step.mutates()) else { return };
    assert!(!case.observe, "S11");
    assert!(entry.refused.is_empty());
    assert!(case.there != There::Unknown, "S10");
    match (&step.expect, state) {
        (SecretExpect::Absent, None) => {
            assert_eq!(case.there, There::AbsentForSure, "S9: it is asked for by name first");
        }
        (expect, Some(state)) => {
            assert_eq!(*expect, SecretExpect::unmoved(state, OWNER_TAG), "S5");
            let ours = state.tags.get(OWNER_TAG) == Some(&key().to_string());
            let adopts = case.adopt && !state.tags.contains_key(OWNER_TAG);
            let renamed = state.tags.get(OWNER_TAG).is_some_and(|owner| owner == FORMER);
            assert!(ours || adopts || renamed, "S1");
            // What is marked as deleted takes no tags (AWS).
            let proves = matches!(step.action, SecretDo::Tag { .. } | SecretDo::Restore);
            assert!(!renamed || proves, "S1: {:?} before it is ours", step.action);
        }
        (expect, None) => panic!("S5: {expect:?}"),
    }
    let lately = case.remembered == Remembered::WrittenLately;
    let rotates = state.is_some_and(|state| state.rotates);
    match &step.action {
        SecretDo::Delete { recovery_days } => {
            assert!(case.wanted == Wanted::Gone && (7..=30).contains(recovery_days), "S2");
        }
        SecretDo::RemoveReplicas { .. } => assert_eq!(case.wanted, Wanted::Gone, "S2"),
        SecretDo::Promote { to, from, fields, .. } => {
            let state = state.unwrap();
            assert!(
                to.rotation_of(&key()).is_some() && state.pending() == Some(to),
                "S13: only what is ours and pending"
            );
            assert_eq!(state.current(), Some(from), "S13");
            assert!(case.value == Value::Whole && FIELDS.iter().all(|name| fields.contains(*name)), "S13: not whole");
            assert!(case.wanted != Wanted::Checked || case.answer == Answer::Holds, "S13: not proven");
            assert!(!rotates && case.remembered != Remembered::Failed && case.remembered != Remembered::Promoted);
        }
        SecretDo::Stage { .. } => {
            assert!(state.unwrap().version(AWSPENDING).is_none() && !lately && !rotates, "S13: one at a time");
            assert!(matches!(case.wanted, Wanted::Rotating | Wanted::Checked));
        }
        SecretDo::Put { make, from, .. } => {
            assert!(!lately && !rotates, "S21");
            let state = state.unwrap();
            assert_eq!(state.current(), from.as_ref(), "S5");
            if let (Make::Fields(_), Some(_)) = (make, from) {
                // Nothing is made again because it was forgotten, and what is known has all fields.
                panic!("S13: what is there is made anew");
            }
        }
        SecretDo::Unlabel { version, failed } => {
            assert!(version.rotation_of(&key()).is_some(), "S1: the label is somebody else's");
            assert!(failed.is_none() || case.answer == Answer::FailsTooLong);
            assert!(state.unwrap().pending().is_none_or(|pending| pending == version));
        }
        SecretDo::Create { .. } => assert!(state.is_none() && case.wanted != Wanted::External, "S2"),
        _ => {}
    }
}

#[test]
fn every_state_of_a_small_universe_of_secrets_has_one_safe_plan() {
    let cases = universe();
    let mut taken: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let small = Small::new(case);
        let (plan, faults) = small.plan();
        let told = std::panic::catch_unwind(|| {
            assert!(faults.is_empty(), "P5: {faults:?}");
            if let Some(entry) = plan.entries.get(&key()) {
                safe(case, entry, state(case).as_ref());
            }
        });
        if told.is_err() {
            wrong.push(format!("{case:?}"));
        }
        if let Some(step) = plan.entries.get(&key()).and_then(|entry| entry.step.as_ref()) {
            *taken.entry(step.action.verb()).or_default() += 1;
        }
        // P1, on a sample.
        if number % 64 == 0 {
            assert_eq!(format!("{plan:?}"), format!("{:?}", small.plan().0), "P1: {case:?}");
        }
    }
    println!("{} plans: {taken:?}", cases.len());
    let shown = wrong.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of them break a rule:\n{shown}", wrong.len());
    // The universe reaches what it is about.
    for verb in ["create", "restore", "tag", "put-value", "stage", "promote", "unlabel", "settle"] {
        assert!(taken.contains_key(verb), "{verb}: {taken:?}");
    }
    assert!(taken.contains_key("delete") || taken.contains_key("remove-replicas"), "{taken:?}");
}

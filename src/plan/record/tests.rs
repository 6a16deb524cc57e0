//! The decision on every state of a small universe: one record, what is there, whose it is, what is remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::names::{marker, marker_of};
use crate::model::{
    Act, Action, Budget, DeletionPolicy, Desired, Digest, DnsName, Do, Entry, Environment, FingerprintKey, Guard,
    HostedZone, Key, Memory, Mode, ObjectMemory, Objects, Observation, Policy, Prune, RecordContent, RecordDo,
    RecordMemory, RecordOperation, RecordPlace, RecordSet, RecordSpec, RecordType, RecordValue, RecordVerb, RecordsOf,
    Replace, Revision, Routing, Scope, Seen, SetRouting, Text, Unknown, Waiting,
};
use crate::plan::{Goal, Input, lint, plan};

fn scope() -> Scope {
    Scope { account: "111122223333".parse().unwrap(), region: "us-east-1".parse().unwrap() }
}

fn key() -> Key {
    "dev/dnsrecord/api".parse().unwrap()
}

fn place() -> RecordPlace {
    let of = RecordsOf { name: DnsName::new("api.example.com"), kind: "CNAME".to_owned() };
    RecordPlace { scope: scope(), zone: "Z1".parse().unwrap(), of, set: None }
}

fn set(target: &str) -> RecordSet {
    RecordSet {
        of: place().of,
        set: None,
        content: RecordContent::Values { values: vec![target.to_owned()], ttl: 60 },
        routing: SetRouting::Simple,
        health_check: None,
    }
}

fn spec(adopt: bool) -> RecordSpec {
    RecordSpec {
        key: key(),
        scope: scope(),
        zone: Text::literal("example.com"),
        name: Text::literal("api.example.com"),
        kind: RecordType::Cname,
        value: RecordValue::Values { values: vec![Text::literal("right.example.net")], ttl: 60 },
        routing: Routing::Simple,
        health_check: None,
        deletion_policy: DeletionPolicy::Delete,
        adopt,
        depends_on: BTreeSet::new(),
        digest: Digest::of("spec"),
    }
}

fn environment(record: Option<RecordSpec>, mode: Mode) -> Environment {
    let policy = Policy {
        mode,
        prune: Prune::Always,
        replace: Replace::Deny,
        broaden: crate::model::Broaden::Approve,
        budget: Budget { stacks: 9, replacements: 0, deletions: 9, per: std::time::Duration::from_hours(1) },
        stack_name: ".*".to_owned(),
        required_tags: BTreeSet::new(),
        stateful_types: BTreeSet::new(),
        stateless_types: BTreeSet::new(),
        backup_max_age: std::time::Duration::from_hours(1),
        drift: crate::model::DriftAction::Report,
        drift_every: None,
    };
    // Another record, so that the environment describes something.
    let mut other = spec(false);
    other.key = "dev/dnsrecord/other".parse().unwrap();
    other.name = Text::literal("other.example.com");
    let records = record.into_iter().chain([other]).map(|spec| (spec.key.clone(), Arc::new(spec))).collect();
    Environment {
        name: "dev".parse().unwrap(),
        system: "shop".to_owned(),
        scope: scope(),
        role: None,
        tags: BTreeMap::new(),
        policy,
        windows: std::sync::Arc::default(),
        limits: crate::model::Limits::default(),
        template_bucket: None,
        stacks: BTreeMap::new(),
        services: BTreeMap::new(),
        secrets: BTreeMap::new(),
        records,
        backups: BTreeMap::new(),
        ready: BTreeMap::new(),
        gaps: crate::model::Gaps::default(),
        older_than: None,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum There {
    Absent,
    Same,
    Different,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Nobody,
    Ours,
    Other,
    Garbage,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remembered {
    Nothing,
    Deployed,
    LostAnswer,
}

fn observation(there: There, whose: Whose) -> Observation {
    let mut seen = Observation::begun(Timestamp::UNIX_EPOCH);
    seen.listings.insert(scope(), Ok(()));
    let zone = HostedZone { id: place().zone, name: DnsName::new("example.com"), private: false, records: 5 };
    seen.records.zones.insert((scope(), "example.com".to_owned()), Seen::Present(vec![zone]));
    let unknown = || Seen::Unknown(Unknown::because("no answer"));
    let sets = match there {
        There::Absent => Seen::Absent,
        There::Same => Seen::Present(vec![set("Right.example.net.")]),
        There::Different => Seen::Present(vec![set("wrong.example.net")]),
        There::Unknown => unknown(),
    };
    let of = marker_of(&place());
    let garbage = RecordContent::Values { values: vec!["\"v=spf1 -all\"".to_owned()], ttl: 1 };
    let markers = match whose {
        Whose::Nobody => Seen::Absent,
        Whose::Ours => Seen::Present(vec![marker(&of, &key())]),
        Whose::Other => Seen::Present(vec![marker(&of, &"prod/dnsrecord/api".parse().unwrap())]),
        Whose::Garbage => Seen::Present(vec![RecordSet { content: garbage, ..marker(&of, &key()) }]),
        Whose::Unknown => unknown(),
    };
    seen.records.sets.insert((scope(), place().zone, place().of), sets);
    seen.records.sets.insert((scope(), place().zone, of), markers);
    seen.records.claims.insert((scope(), place().zone), Seen::Absent);
    alone(&mut seen, "api.example.com");
    seen
}

/// Nothing else is at this name, nor gives it away.
fn alone(seen: &mut Observation, name: &str) {
    for kind in ["A", "AAAA", "MX", "TXT", "NS"] {
        let of = RecordsOf { name: DnsName::new(name), kind: kind.to_owned() };
        seen.records.sets.insert((scope(), place().zone, of), Seen::Absent);
    }
}

fn memory(remembered: Remembered) -> Memory {
    let mut known = RecordMemory::default();
    if remembered != Remembered::Nothing {
        known.place = Some(place());
    }
    if remembered == Remembered::LostAnswer {
        known.pending = Some(RecordOperation {
            removes: false,
            token: "token".to_owned(),
            change: None,
            place: place(),
            inputs: Digest::of("inputs"),
            started: Timestamp::UNIX_EPOCH,
            revision: 1,
        });
    }
    let applied = (remembered != Remembered::Nothing).then_some(1);
    let common = BTreeMap::from([(key(), Arc::new(ObjectMemory { applied, ..ObjectMemory::default() }))]);
    let records = BTreeMap::from([(key(), Arc::new(known))]);
    Memory {
        fingerprint_key: FingerprintKey::new([1; 32]),
        objects: Objects { common, records, ..Objects::default() }.into(),
        spent: Vec::new(),
        consent: None,
        freezes: std::sync::Arc::default(),
        reviews: std::sync::Arc::default(),
    }
}

/// The entry, and what is wrong with the plan.
fn decided(
    record: Option<RecordSpec>,
    mode: Mode,
    observation: &Observation,
    memory: &Memory,
) -> (Option<Entry>, Vec<&'static str>) {
    decided_beside(record, mode, observation, memory, &BTreeSet::new())
}

/// The same, while steps of other objects are being executed.
fn decided_beside(
    record: Option<RecordSpec>,
    mode: Mode,
    observation: &Observation,
    memory: &Memory,
    busy: &BTreeSet<Key>,
) -> (Option<Entry>, Vec<&'static str>) {
    decided_in(environment(record, mode), observation, memory, busy)
}

fn decided_in(
    environment: Environment,
    observation: &Observation,
    memory: &Memory,
    busy: &BTreeSet<Key>,
) -> (Option<Entry>, Vec<&'static str>) {
    let environment = Arc::new(environment);
    let revision =
        Revision { sequence: 3, content: Digest::of("content"), commit: Some("0123456789abcdef".to_owned()) };
    let environments = BTreeMap::from([(environment.name.clone(), Arc::clone(&environment))]);
    let desired = Desired { revision, environments };
    let (now, goal) = (Timestamp::UNIX_EPOCH, Goal::Converge);
    let input = Input { desired: &desired, environment: &environment, observation, memory, now, goal, busy };
    let plan = plan(&input);
    let faults = lint(&plan, &input).into_iter().map(|fault| fault.rule).collect();
    (plan.entries.get(&key()).cloned(), faults)
}

fn batch(entry: &Entry) -> Vec<(RecordVerb, String)> {
    let Some(Do::Record(step)) = entry.step.as_ref().map(|step| &step.action) else { return Vec::new() };
    let RecordDo::Send(batch) = &step.action else { return Vec::new() };
    batch.changes.iter().map(|change| (change.verb, change.set.of.kind.clone())).collect()
}

const THERE: [There; 4] = [There::Absent, There::Same, There::Different, There::Unknown];
const WHOSE: [Whose; 5] = [Whose::Nobody, Whose::Ours, Whose::Other, Whose::Garbage, Whose::Unknown];
const MEMORIES: [Remembered; 3] = [Remembered::Nothing, Remembered::Deployed, Remembered::LostAnswer];

#[test]
fn a_wanted_record_is_written_exactly_where_that_is_allowed() {
    use RecordVerb::{Create, Delete, Upsert};
    for (there, whose) in THERE.into_iter().flat_map(|there| WHOSE.map(|whose| (there, whose))) {
        for (adopt, remembered) in [false, true].into_iter().flat_map(|adopt| MEMORIES.map(|one| (adopt, one))) {
            let case = format!("{there:?}, {whose:?}, adopt: {adopt}, {remembered:?}");
            let seen = observation(there, whose);
            let (entry, faults) = decided(Some(spec(adopt)), Mode::Apply, &seen, &memory(remembered));
            let entry = entry.unwrap();
            assert!(faults.is_empty(), "{case}: {faults:?}");
            let sent: Vec<(RecordVerb, &str)> = match (there, whose) {
                (There::Absent, Whose::Nobody) => vec![(Create, "CNAME"), (Create, "TXT")],
                (There::Absent, Whose::Ours) => vec![(Create, "CNAME")],
                (There::Different, Whose::Ours) => vec![(Delete, "CNAME"), (Create, "CNAME")],
                (There::Same, Whose::Ours) if remembered == Remembered::LostAnswer => vec![(Upsert, "CNAME")],
                (There::Different, Whose::Nobody) if adopt => {
                    vec![(Delete, "CNAME"), (Create, "CNAME"), (Create, "TXT")]
                }
                (There::Same, Whose::Nobody) if adopt => vec![(Create, "TXT")],
                _ => Vec::new(),
            };
            let sent: Vec<_> = sent.into_iter().map(|(verb, kind)| (verb, kind.to_owned())).collect();
            assert_eq!(batch(&entry), sent, "{case}");
            let unknown = there == There::Unknown || whose == Whose::Unknown;
            assert_eq!(entry.action == Action::Unknown, unknown, "{case} (S10)");
            let in_sync = (there, whose) == (There::Same, Whose::Ours) && remembered != Remembered::LostAnswer;
            assert_eq!((entry.action == Action::None, entry.ready), (in_sync, in_sync), "{case}");
            let says_why = !entry.refused.is_empty() || !entry.waiting.is_empty();
            assert!(in_sync || !sent.is_empty() || says_why, "{case}: nothing is done, and nothing says why");

            let (observed, _) = decided(Some(spec(adopt)), Mode::Observe, &seen, &memory(remembered));
            assert!(batch(&observed.unwrap()).is_empty(), "{case}: an observed environment is changed (S11)");
        }
    }
}

#[test]
fn an_older_commit_changes_nothing_and_says_how_to_go_back() {
    for (there, whose) in THERE.into_iter().flat_map(|there| WHOSE.map(|whose| (there, whose))) {
        for (wanted, mode) in [(true, Mode::Apply), (true, Mode::Approve), (false, Mode::Apply), (false, Mode::Approve)]
        {
            let case = format!("{there:?}, {whose:?}, wanted: {wanted}, {mode:?}");
            let (seen, memory) = (observation(there, whose), memory(Remembered::Deployed));
            let newest = environment(wanted.then(|| spec(true)), mode);
            let older = Environment { older_than: Some("fedcba9876543210".to_owned()), ..newest.clone() };
            let (would, _) = decided_in(newest, &seen, &memory, &BTreeSet::new());
            let (entry, faults) = decided_in(older, &seen, &memory, &BTreeSet::new());
            assert!(faults.is_empty(), "{case}: {faults:?}");
            let (Some(would), Some(entry)) = (would, entry) else { continue };
            assert!(entry.step.as_ref().is_none_or(|step| !step.action.mutates()), "{case}");
            assert_eq!((entry.action, &entry.differences), (would.action, &would.differences), "{case}: it shows what");
            let asks = |entry: &Entry| entry.waiting.iter().any(|one| matches!(one, Waiting::Approval { .. }));
            assert!(!asks(&entry), "{case}: an approval would not help");
            let acts = would.step.as_ref().is_some_and(|step| step.action.mutates()) || asks(&would);
            let refused = entry.refused.iter().find(|refusal| refusal.guard == Guard::Revision);
            assert_eq!(refused.is_some(), acts, "{case}");
            if let Some(refusal) = refused {
                assert_eq!(refusal.reason, "commit 0123456789ab is older than fedcba987654, the last accepted commit");
                assert!(
                    refusal.release.contains("apply dev --accept-older-commit 0123456789ab`"),
                    "{}",
                    refusal.release
                );
            }
        }
    }
}

#[test]
fn a_record_that_nobody_wants_is_removed_only_if_it_is_ours() {
    use RecordVerb::Delete;
    for (there, whose) in THERE.into_iter().flat_map(|there| WHOSE.map(|whose| (there, whose))) {
        for remembered in [Remembered::Deployed, Remembered::LostAnswer] {
            let case = format!("{there:?}, {whose:?}, {remembered:?}");
            let (entry, faults) = decided(None, Mode::Apply, &observation(there, whose), &memory(remembered));
            let entry = entry.unwrap();
            assert!(faults.is_empty(), "{case}: {faults:?}");
            let sent: Vec<(RecordVerb, &str)> = match (there, whose) {
                (There::Absent, Whose::Ours) => vec![(Delete, "TXT")],
                (There::Same | There::Different, Whose::Ours) => vec![(Delete, "CNAME"), (Delete, "TXT")],
                _ => Vec::new(),
            };
            let sent: Vec<_> = sent.into_iter().map(|(verb, kind)| (verb, kind.to_owned())).collect();
            assert_eq!(batch(&entry), sent, "{case}");
            let unknown = there == There::Unknown || whose == Whose::Unknown;
            let forgets = !unknown && whose != Whose::Ours;
            let verb = entry.step.as_ref().map(|step| step.action.verb());
            assert_eq!(verb == Some("forget"), forgets, "{case}");
        }
        let seen = observation(there, whose);
        let (entry, _) = decided(None, Mode::Apply, &seen, &memory(Remembered::Nothing));
        assert!(entry.is_none(), "what was never ours is nobody's business here");
    }
}

#[test]
fn what_is_empty_or_in_no_zone_is_refused() {
    let refused = |spec: RecordSpec| {
        let (entry, _) =
            decided(Some(spec), Mode::Apply, &observation(There::Absent, Whose::Nobody), &memory(Remembered::Nothing));
        let entry = entry.unwrap();
        assert!(entry.step.is_none());
        entry.refused.first().map(|refusal| refusal.reason.clone()).unwrap_or_default()
    };
    let values = |values: &[&str]| RecordValue::Values {
        values: values.iter().map(|text| Text::literal(*text)).collect(),
        ttl: 60,
    };
    for empty in [values(&[]), values(&[""]), values(&["a.example.net", " "])] {
        assert!(refused(RecordSpec { value: empty, ..spec(false) }).contains("empty"));
    }
    let named = |name: &str| RecordSpec { name: Text::literal(name), ..spec(false) };
    assert!(refused(named("api.example.org")).contains("not in the hosted zone"));
    assert!(refused(named("Example.com.")).contains("zone apex"));
}

#[test]
fn what_another_program_keeps_is_not_taken_over() {
    let mut seen = observation(There::Different, Whose::Nobody);
    let claim = crate::model::Claim {
        by: "external-dns (owner prod)".to_owned(),
        said_by: DnsName::new("cname-api.example.com"),
    };
    let zone = (scope(), place().zone);
    seen.records.claims.insert(zone.clone(), Seen::Present([(place().of.name, claim)].into()));
    let decide = |seen: &Observation, adopt| {
        decided(Some(spec(adopt)), Mode::Apply, seen, &memory(Remembered::Nothing)).0.unwrap()
    };
    let entry = decide(&seen, true);
    assert!(batch(&entry).is_empty() && !entry.refused.is_empty());
    assert!(
        entry.refused[0].reason.contains("belongs to external-dns (owner prod) (TXT record cname-api.example.com)")
    );
    // Who else keeps it is asked before anything is done.
    seen.records.claims.remove(&zone);
    assert_eq!(decide(&seen, true).action, Action::Unknown);
    assert_eq!(decide(&seen, false).action, Action::Adopt, "it is not asked where nothing would be taken over");
}

#[test]
fn a_name_that_leaves_no_place_for_its_marker_is_refused() {
    // A zone that is as long as a name may be: there is no room below it.
    let long = format!("{}.{}.{}.{}", "a".repeat(60), "b".repeat(60), "c".repeat(60), "d".repeat(60));
    let mut seen = observation(There::Absent, Whose::Nobody);
    let zone = HostedZone { id: place().zone, name: DnsName::new(&long), private: false, records: 5 };
    seen.records.zones.insert((scope(), "example.com".to_owned()), Seen::Present(vec![zone]));
    let named = RecordSpec { name: Text::literal(format!("api.{long}")), ..spec(false) };
    let entry = decided(Some(named), Mode::Apply, &seen, &memory(Remembered::Nothing)).0.unwrap();
    assert!(entry.step.is_none() && entry.refused[0].reason.contains("247 characters"), "{:?}", entry.refused);
}

#[test]
fn what_route_53_would_refuse_or_nobody_would_see_is_not_sent() {
    let with = |name: &str, kind: &str| {
        let mut seen = observation(There::Absent, Whose::Nobody);
        let of = RecordsOf { name: DnsName::new(name), kind: kind.to_owned() };
        let there = RecordSet { of: of.clone(), ..set("x.example.net") };
        seen.records.sets.insert((scope(), place().zone, of), Seen::Present(vec![there]));
        decided(Some(spec(false)), Mode::Apply, &seen, &memory(Remembered::Nothing)).0.unwrap()
    };
    for kind in ["A", "AAAA", "MX", "TXT"] {
        let entry = with("api.example.com", kind);
        assert!(
            entry.step.is_none() && entry.refused[0].reason.contains(&format!("a record of type {kind};")),
            "{kind}"
        );
    }
    let entry = with("api.example.com", "NS");
    assert!(entry.step.is_none() && entry.refused[0].reason.contains("delegated"), "{:?}", entry.refused);
    // All of it is asked for at once, and nothing is sent before it is known.
    let mut seen = observation(There::Absent, Whose::Nobody);
    seen.records.sets.retain(|(.., of), _| !matches!(of.kind.as_str(), "MX" | "NS"));
    let entry = decided(Some(spec(false)), Mode::Apply, &seen, &memory(Remembered::Nothing)).0.unwrap();
    assert!(entry.action == Action::Unknown && entry.step.is_none());
    // What is there stays.
    let mut seen = observation(There::Same, Whose::Ours);
    seen.records.sets.retain(|(.., of), _| of.kind != "NS");
    let entry = decided(Some(spec(false)), Mode::Apply, &seen, &memory(Remembered::Deployed)).0.unwrap();
    assert_eq!(entry.action, Action::None);
}

#[test]
fn an_id_with_its_path_is_an_id() {
    let mut seen = observation(There::Absent, Whose::Nobody);
    let zones = seen.records.zones.remove(&(scope(), "example.com".to_owned())).unwrap();
    seen.records.zones.insert((scope(), place().zone.to_string()), zones);
    let zone = Text::literal(format!("/hostedzone/{}", place().zone));
    let entry = decided(Some(RecordSpec { zone, ..spec(false) }), Mode::Apply, &seen, &memory(Remembered::Nothing)).0;
    assert!(!batch(&entry.unwrap()).is_empty());
}

#[test]
fn a_name_in_another_script_is_sent_as_its_punycode() {
    let mut seen = observation(There::Absent, Whose::Nobody);
    let zone = HostedZone { id: place().zone, name: DnsName::new("bücher.example"), private: false, records: 5 };
    seen.records.zones.insert((scope(), "example.com".to_owned()), Seen::Present(vec![zone]));
    let of = |name: &str, kind: &str| RecordsOf { name: DnsName::new(name), kind: kind.to_owned() };
    for absent in [of("api.bücher.example", "CNAME"), of("_landfast-cname.api.bücher.example", "TXT")] {
        seen.records.sets.insert((scope(), place().zone, absent), Seen::Absent);
    }
    alone(&mut seen, "api.bücher.example");
    let value = RecordValue::Values { values: vec![Text::literal("Ziel.straße.example")], ttl: 60 };
    let named = RecordSpec { name: Text::literal("api.bücher.example"), value, ..spec(false) };
    let entry = decided(Some(named), Mode::Apply, &seen, &memory(Remembered::Nothing)).0.unwrap();
    let Some(Do::Record(step)) = entry.step.map(|step| step.action) else { panic!("nothing is sent") };
    let RecordDo::Send(batch) = step.action else { panic!("nothing is sent") };
    assert_eq!(batch.changes[0].set.of.name.as_str(), "api.xn--bcher-kva.example");
    let RecordContent::Values { values, .. } = &batch.changes[0].set.content else { panic!("it has no value") };
    assert_eq!(values, &["ziel.xn--strae-oqa.example"]);
}

#[test]
fn a_zone_takes_one_batch_at_a_time() {
    let other: Key = "dev/dnsrecord/other".parse().unwrap();
    let seen = observation(There::Absent, Whose::Nobody);
    for (zone, waits) in [(None, true), (Some("Z1"), true), (Some("Z2"), false)] {
        let mut memory = memory(Remembered::Nothing);
        // What is being sent has been written down, or is about to be.
        let beside = zone.map(|zone| {
            let mut known = RecordMemory::clone(&self::memory(Remembered::LostAnswer).objects.records[&key()]);
            known.pending.as_mut().unwrap().place.zone = zone.parse().unwrap();
            (other.clone(), Arc::new(known))
        });
        std::sync::Arc::make_mut(&mut memory.objects).records.extend(beside);
        let busy = BTreeSet::from([other.clone()]);
        let (entry, faults) = decided_beside(Some(spec(false)), Mode::Apply, &seen, &memory, &busy);
        let entry = entry.unwrap();
        assert!(faults.is_empty(), "{zone:?}: {faults:?}");
        assert_eq!((entry.step.is_none(), entry.waiting.contains(&Waiting::Turn)), (waits, waits), "{zone:?}");
    }
}

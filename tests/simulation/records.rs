//! DNS records on a simulated Route 53, in virtual time: made, changed, put back, removed, whatever is lost on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use landfast::context::{Context, Virtual};
use landfast::controller::{Controller, Until, tend_all};
use landfast::manifest;
use landfast::model::{
    DeletionPolicy, Desired, Digest, Environment, FileContent, Key, Plan, RecordChange, RecordContent, RecordSet,
    RecordSpec, RecordType, RecordValue, RecordVerb, RecordsOf, Revision, Routing, SetRouting, Snapshot, Text, ZoneId,
};
use landfast::sim::{Console, Fault, FaultPlan, SimCloud, SimConfig};
use landfast::store::{Disk, Store};

use crate::rig::{Counted, RESYNC, scope};
use crate::run::LOST;

const ENVIRONMENT: &str = "apiVersion: landfast/v1\nkind: Environment\nmetadata: { name: dev }\nspec:\n  system: shop\n  \
                           account: \"111122223333\"\n  region: us-east-1\n  policy: { prune: always, budget: { \
                           deletions: 9 } }\n";

/// What a person wants of DNS.
#[derive(Clone, Debug)]
struct Want {
    name: &'static str,
    target: &'static str,
    adopt: bool,
    weight: Option<(&'static str, u8)>,
    /// The first label of its name, where that is not the name of its manifest.
    label: Option<&'static str>,
    /// Its type.
    kind: RecordType,
}

fn want(name: &'static str, target: &'static str) -> Want {
    Want { name, target, adopt: false, weight: None, label: None, kind: RecordType::Cname }
}

fn spec(want: &Want) -> RecordSpec {
    let key: Key = format!("dev/dnsrecord/{}", want.name).parse().unwrap();
    let routing = want.weight.map_or(Routing::Simple, |(id, weight)| Routing::Weighted { id: id.to_owned(), weight });
    let label = want.label.unwrap_or_else(|| want.name.split("-set-").next().unwrap());
    RecordSpec {
        digest: Digest::of(&format!("{want:?}")),
        key,
        scope: scope(),
        zone: Text::literal("example.com"),
        name: Text::literal(format!("{label}.Example.com.")),
        kind: want.kind,
        value: RecordValue::Values { values: vec![Text::literal(want.target)], ttl: 60 },
        routing,
        health_check: None,
        deletion_policy: DeletionPolicy::Delete,
        adopt: want.adopt,
        depends_on: BTreeSet::new(),
    }
}

fn environment() -> Environment {
    let files = [("dev.yaml".to_owned(), FileContent::Bytes(ENVIRONMENT.as_bytes().into()))];
    let snapshot = Snapshot::new("manifests", files.into(), None);
    let revision = Revision { sequence: 1, content: snapshot.content.clone(), commit: None };
    let loaded = manifest::load(&snapshot, revision);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    loaded.desired.environments.values().next().unwrap().as_ref().clone()
}

fn desired(sequence: u64, wants: &[Want]) -> Desired {
    let mut environment = environment();
    environment.records = wants.iter().map(spec).map(|spec| (spec.key.clone(), Arc::new(spec))).collect();
    let revision = Revision { sequence, content: Digest::of(&format!("{sequence} {wants:?}")), commit: None };
    Desired { revision, environments: BTreeMap::from([("dev".parse().unwrap(), Arc::new(environment))]) }
}

fn of(name: &str, kind: &str) -> RecordsOf {
    RecordsOf { name: landfast::model::DnsName::new(name), kind: kind.to_owned() }
}

fn cname(name: &str, target: &str) -> RecordSet {
    RecordSet {
        of: of(name, "CNAME"),
        set: None,
        content: RecordContent::Values { values: vec![target.to_owned()], ttl: 60 },
        routing: SetRouting::Simple,
        health_check: None,
    }
}

fn change(verb: RecordVerb, set: RecordSet) -> RecordChange {
    RecordChange { verb, set }
}

/// A daemon, a cloud and a zone.
struct World {
    clock: Virtual,
    cx: Context,
    cloud: SimCloud,
    disk: Disk,
    zone: ZoneId,
    polls: std::sync::atomic::AtomicU64,
}

impl World {
    fn new() -> Self {
        let clock = Virtual::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
        let cx = Context::simulated(&clock, 3);
        let cloud = SimCloud::new(cx.clone(), SimConfig { page_size: 2, ..SimConfig::default() });
        let zone = cloud.console(&scope()).create_zone("example.com", false).unwrap();
        let other = cloud.console(&scope()).create_zone("example.org", false).unwrap();
        cloud
            .console(&scope())
            .change_records(&other, &[change(RecordVerb::Create, cname("a.example.org", "b"))])
            .unwrap();
        Self { clock, cx, cloud, disk: Disk::new(), zone, polls: 0.into() }
    }

    fn console(&self) -> Console {
        self.cloud.console(&scope())
    }

    /// The daemon runs for so long, or until it dies.
    fn run(&self, sequence: u64, wants: &[Want], duration: Duration, dies_at: Option<u64>) -> bool {
        let store = Store::on(&self.disk, &self.cx).unwrap();
        let controller = Controller::new(self.cx.clone(), Arc::new(self.cloud.clone()), store, Arc::new(|_, _| {}));
        let controller = controller.resyncing_every(RESYNC);
        controller.board.publish(desired(sequence, wants), &BTreeSet::new());
        let tending =
            async { tend_all(&controller, Until::Stopped).await.map(drop).map_err(|error| error.to_string()) };
        let mut tending: futures_util::future::BoxFuture<'_, Result<(), String>> = Box::pin(tending);
        let over = async {
            let counted = Counted { future: &mut tending, polls: &self.polls, dies_at };
            tokio::select! {
                biased;
                ended = counted => {
                    assert!(ended.is_none(), "{ended:?}");
                    true
                }
                () = self.cx.sleep(duration) => false,
            }
        };
        self.clock.drive(over).expect("a deadlock")
    }

    /// What is there, as text: `CNAME api.example.com = target`.
    fn there(&self) -> Vec<String> {
        let sets = self.console().record_sets(&self.zone);
        let line = |set: &RecordSet| {
            let RecordContent::Values { values, .. } = &set.content else { return format!("{} alias", set.of.name) };
            let id = set.set.as_ref().map(|id| format!(" ({id})")).unwrap_or_default();
            format!("{} {}{id} = {}", set.of.kind, set.of.name, values.join(" "))
        };
        sets.iter().map(line).collect()
    }

    fn sent(&self) -> usize {
        self.cloud.audit().iter().filter(|call| call.mutating && call.applied).count()
    }

    fn plan(&self, sequence: u64, wants: &[Want]) -> Plan {
        let store = Store::on(&self.disk, &self.cx).unwrap();
        let controller = Controller::new(self.cx.clone(), Arc::new(self.cloud.clone()), store, Arc::new(|_, _| {}));
        let desired = desired(sequence, wants);
        let environment = Arc::clone(&desired.environments[&"dev".parse().unwrap()]);
        self.clock.drive(controller.glance(&desired, &environment)).unwrap().unwrap().plan
    }
}

const LONG: Duration = Duration::from_mins(12);

fn ours(name: &str, target: &str) -> [String; 2] {
    [
        format!("CNAME {name}.example.com = {target}"),
        format!("TXT _landfast-cname.{name}.example.com = \"heritage=landfast,landfast/owner=dev/dnsrecord/{name}\""),
    ]
}

/// What is wrong when a manifest is to take over a record that external-dns keeps, under a name of the operator's choice.
pub(crate) fn play_planted(bug: Option<landfast::sabotage::Bug>) -> Vec<String> {
    landfast::sabotage::plant(bug);
    let world = World::new();
    let theirs = cname("api.example.com", "theirs.example.net");
    let heritage = "\"heritage=external-dns,external-dns/owner=prod,external-dns/resource=ingress/default/api\"";
    let text = RecordContent::Values { values: vec![heritage.to_owned()], ttl: 300 };
    let mark = RecordSet { of: of("extdns-cname-api.example.com", "TXT"), content: text, ..theirs.clone() };
    let there = [change(RecordVerb::Create, theirs), change(RecordVerb::Create, mark)];
    world.console().change_records(&world.zone, &there).unwrap();
    let before = world.there();
    let taken = [Want { adopt: true, ..want("api", "ours.example.net") }];
    world.run(1, &taken, LONG, None);
    let plan = world.plan(1, &taken);
    landfast::sabotage::plant(None);
    let mut wrong = Vec::new();
    if world.there() != before {
        wrong.push(format!("S1 ownership: what external-dns keeps was changed: {:?}", world.there()));
    }
    let told =
        |entry: &landfast::model::Entry| entry.refused.iter().any(|refusal| refusal.reason.contains("external-dns"));
    if !plan.entries.values().any(told) {
        wrong.push(format!("it is not said who keeps it: {:?}", plan.entries));
    }
    wrong
}

#[test]
fn a_record_of_the_longest_name_is_made_kept_and_removed_with_its_marker() {
    let world = World::new();
    let label = format!("{}.{}.{}.{}", "a".repeat(60), "b".repeat(60), "c".repeat(60), "d".repeat(55));
    let long = Want { label: Some(label.leak()), ..want("api", "one.example.net") };
    world.run(1, std::slice::from_ref(&long), LONG, None);
    let there = world.console().record_sets(&world.zone);
    assert_eq!(there.len(), 2, "{:?}", world.there());
    assert!(there.iter().all(|set| set.of.name.len() <= 253) && there.iter().any(|set| set.of.name.len() > 245));
    assert!(world.plan(1, &[long]).in_sync());
    // A revision without any record would be no instruction.
    world.run(2, &[want("web", "two.example.net")], LONG, None);
    assert_eq!(world.there(), ours("web", "two.example.net"));
}

#[test]
fn a_record_is_made_changed_put_back_and_removed() {
    let world = World::new();
    let both = [want("api", "one.example.net"), want("web", "two.example.net")];
    world.run(1, &both, LONG, None);
    assert_eq!(world.there(), [ours("api", "one.example.net"), ours("web", "two.example.net")].concat());
    assert_eq!(world.sent(), 1, "one batch for the zone");
    assert!(world.plan(1, &both).in_sync());

    // Silence (L2).
    world.run(1, &both, LONG, None);
    assert_eq!(world.sent(), 1);

    let changed = [want("api", "three.example.net"), want("web", "two.example.net")];
    world.run(2, &changed, LONG, None);
    assert_eq!(world.there(), [ours("api", "three.example.net"), ours("web", "two.example.net")].concat());

    // Somebody edits by hand: put back within a resync (L3).
    let by_hand = [change(RecordVerb::Upsert, cname("api.example.com", "evil.example.net"))];
    world.console().change_records(&world.zone, &by_hand).unwrap();
    world.run(2, &changed, LONG, None);
    assert_eq!(world.there(), [ours("api", "three.example.net"), ours("web", "two.example.net")].concat());

    // One manifest is gone: its record and marker go, in one batch.
    let before = world.sent();
    world.run(3, &changed[1..], LONG, None);
    assert_eq!(world.there(), ours("web", "two.example.net"));
    assert_eq!(world.sent(), before + 1);
    // All are gone: taken for a mistake (S2).
    world.run(4, &[], LONG, None);
    assert_eq!(world.there(), ours("web", "two.example.net"));
}

#[test]
fn a_change_is_followed_until_it_has_reached_all_servers() {
    let world = World::new();
    let api = [want("api", "one.example.net")];
    world.run(1, &api, Duration::from_secs(30), None);
    let plan = world.plan(1, &api);
    let entry = &plan.entries[&"dev/dnsrecord/api".parse().unwrap()];
    assert!(!entry.ready && entry.status.as_deref() == Some("PENDING"), "{entry:?}");
    world.run(1, &api, Duration::from_mins(2), None);
    let plan = world.plan(1, &api);
    assert!(plan.in_sync() && plan.entries.values().all(|entry| entry.ready));
}

#[test]
fn a_record_of_somebody_else_is_left_alone_until_its_manifest_says_to_take_it_over() {
    let world = World::new();
    let foreign = [change(RecordVerb::Create, cname("api.example.com", "theirs.example.net"))];
    world.console().change_records(&world.zone, &foreign).unwrap();
    let api = [want("api", "one.example.net")];
    world.run(1, &api, LONG, None);
    assert_eq!(world.there(), ["CNAME api.example.com = theirs.example.net"]);
    assert_eq!(world.sent(), 0);
    let taken = [Want { adopt: true, ..api[0].clone() }];
    world.run(2, &taken, LONG, None);
    assert_eq!(world.there(), ours("api", "one.example.net"));
    // Its marker is taken away: it is not ours any more, and not removed with its manifest.
    let marker = world.console().record_sets(&world.zone).into_iter().find(|set| set.of.kind == "TXT").unwrap();
    world.console().change_records(&world.zone, &[change(RecordVerb::Delete, marker)]).unwrap();
    world.run(3, &[want("web", "two.example.net")], LONG, None);
    assert!(world.there().contains(&"CNAME api.example.com = one.example.net".to_owned()));
}

#[test]
fn record_sets_of_one_name_belong_to_different_objects() {
    let world = World::new();
    let weighted = |name, id, weight| Want { weight: Some((id, weight)), ..want(name, "one.example.net") };
    let both = [weighted("api-set-blue", "blue", 10), weighted("api-set-green", "green", 90)];
    world.run(1, &both, LONG, None);
    assert_eq!(world.there().len(), 4, "{:?}", world.there());
    assert!(world.plan(1, &both).in_sync());
    world.run(2, &both[..1], LONG, None);
    assert_eq!(
        world.there(),
        [
            "CNAME api.example.com (blue) = one.example.net",
            "TXT _landfast-cname-blue.api.example.com = \"heritage=landfast,landfast/owner=dev/dnsrecord/api-set-blue\"",
        ]
    );
}

#[test]
fn two_zones_of_one_name_are_not_guessed_between() {
    let world = World::new();
    world.console().create_zone("example.com", true).unwrap();
    let api = [want("api", "one.example.net")];
    world.run(1, &api, LONG, None);
    assert_eq!(world.sent(), 0);
    let plan = world.plan(1, &api);
    let entry = &plan.entries[&"dev/dnsrecord/api".parse().unwrap()];
    assert!(entry.refused[0].reason.contains("(private)") && entry.refused[0].reason.contains("(public)"), "{entry:?}");
}

/// What may issue certificates for a name.
const ISSUER: &str = "0 issue \"ca.example.net\"";

#[test]
fn a_batch_that_aws_refuses_is_not_sent_again_before_its_manifest_changes() {
    let world = World::new();
    // A type that is not looked for beforehand.
    let authority = RecordSet { of: of("api.example.com", "CAA"), ..cname("api.example.com", ISSUER) };
    world.console().change_records(&world.zone, &[change(RecordVerb::Create, authority)]).unwrap();
    let calls = || world.cloud.audit().iter().filter(|call| call.mutating).count();
    let api = [want("api", "one.example.net")];
    world.run(1, &api, Duration::from_hours(3), None);
    assert_eq!(calls(), 1, "a CNAME beside another record is refused, once (L7)");
    assert_eq!(world.there(), [format!("CAA api.example.com = {ISSUER}")]);
}

#[test]
fn what_is_wrong_with_one_record_keeps_no_other_from_being_made() {
    let world = World::new();
    // A type that is not looked for beforehand.
    let authority = RecordSet { of: of("api.example.com", "CAA"), ..cname("api.example.com", ISSUER) };
    world.console().change_records(&world.zone, &[change(RecordVerb::Create, authority)]).unwrap();
    let wants = [want("api", "one.example.net"), want("web", "two.example.net"), want("zoo", "three.example.net")];
    world.run(1, &wants, Duration::from_hours(3), None);
    let there = [format!("CAA api.example.com = {ISSUER}")];
    let expected = [&there[..], &ours("web", "two.example.net"), &ours("zoo", "three.example.net")].concat();
    assert_eq!(world.there(), expected);
    let calls = world.cloud.audit().iter().filter(|call| call.mutating).count();
    assert_eq!(calls, 5, "all together, which is refused, each by itself (L7), and one again: the zone was busy");
    let plan = world.plan(1, &wants);
    assert!(plan.entries[&"dev/dnsrecord/web".parse().unwrap()].ready);
    let refused = &plan.entries[&"dev/dnsrecord/api".parse().unwrap()].refused;
    assert!(refused[0].reason.contains("conflicts with other records"), "{refused:?}");
}

fn renamed() -> Want {
    Want { label: Some("www"), ..want("api", "one.example.net") }
}

/// The record of `api` under another name.
fn ours_renamed() -> [String; 2] {
    ours("www", "one.example.net").map(|line| line.replace("dev/dnsrecord/www", "dev/dnsrecord/api"))
}

#[test]
fn a_renamed_record_is_made_anew_before_the_old_one_goes() {
    let world = World::new();
    world.run(1, &[want("api", "one.example.net")], LONG, None);
    // Made, and not everywhere yet: the old one is still there.
    world.run(2, &[renamed()], Duration::from_secs(30), None);
    assert_eq!(world.there(), [ours("api", "one.example.net"), ours_renamed()].concat());
    world.run(2, &[renamed()], LONG, None);
    assert_eq!(world.there(), ours_renamed());
    assert_eq!(world.sent(), 3);
    assert!(world.plan(2, &[renamed()]).in_sync());
    // It is the new one that goes with its manifest.
    world.run(3, &[want("web", "two.example.net")], LONG, None);
    assert_eq!(world.there(), ours("web", "two.example.net"));
}

#[test]
fn what_was_renamed_and_is_somebody_elses_by_now_is_left_to_them() {
    let world = World::new();
    world.run(1, &[want("api", "one.example.net")], LONG, None);
    let marker = world.console().record_sets(&world.zone).into_iter().find(|set| set.of.kind == "TXT").unwrap();
    world.console().change_records(&world.zone, &[change(RecordVerb::Delete, marker)]).unwrap();
    world.run(2, &[renamed()], LONG, None);
    let old = ["CNAME api.example.com = one.example.net".to_owned()];
    assert_eq!(world.there(), [&old[..], &ours_renamed()].concat());
    assert!(world.plan(2, &[renamed()]).in_sync());
}

#[test]
fn a_renamed_record_whose_manifest_then_goes_leaves_nothing_behind() {
    let world = World::new();
    world.run(1, &[want("api", "one.example.net")], LONG, None);
    world.run(2, &[renamed()], Duration::from_secs(30), None);
    world.run(3, &[want("web", "two.example.net")], LONG, None);
    assert_eq!(world.there(), ours("web", "two.example.net"));
}

#[test]
fn what_cannot_be_beside_the_old_record_changes_places_with_it_in_one_batch() {
    let world = World::new();
    world.run(1, &[want("api", "one.example.net")], LONG, None);
    let address = [Want { kind: RecordType::A, ..want("api", "192.0.2.1") }];
    world.run(2, &address, LONG, None);
    let marker = "TXT _landfast-a.api.example.com = \"heritage=landfast,landfast/owner=dev/dnsrecord/api\"";
    assert_eq!(world.there(), ["A api.example.com = 192.0.2.1", marker]);
    assert_eq!(world.sent(), 2);
    assert!(world.plan(2, &address).in_sync());
    // And so for one of several instead of a single one.
    let weighted = [Want { weight: Some(("blue", 10)), ..address[0].clone() }];
    world.run(3, &weighted, LONG, None);
    let marker = marker.replace("_landfast-a.", "_landfast-a-blue.");
    assert_eq!(world.there(), ["A api.example.com (blue) = 192.0.2.1", marker.as_str()]);
    assert_eq!(world.sent(), 3);
}

#[test]
fn a_daemon_that_dies_while_it_renames_leaves_one_record() {
    let renames = |dies: Option<u64>| {
        let world = World::new();
        world.run(1, &[want("api", "one.example.net")], LONG, None);
        let before = world.polls.load(std::sync::atomic::Ordering::Relaxed);
        let phase = Duration::from_mins(8);
        if world.run(2, &[renamed()], phase, dies.map(|point| before + point)) {
            world.run(2, &[renamed()], phase, None);
        }
        (world.polls.load(std::sync::atomic::Ordering::Relaxed) - before, world)
    };
    let (polls, _) = renames(None);
    let step = crate::seeds::number("SIM_CRASH_POINTS").map_or(1, |points| polls.div_ceil(points).max(1));
    for point in (1..=polls).step_by(usize::try_from(step).unwrap()) {
        let (_, world) = renames(Some(point));
        assert_eq!(world.there(), ours_renamed(), "dead at {point} of {polls}");
        assert!(world.plan(2, &[renamed()]).in_sync(), "dead at {point} of {polls}");
        assert!(world.sent() <= 5, "dead at {point}: {} batches instead of 3", world.sent());
    }
}

/// Made, changed, edited by hand, removed; the daemon dies once, or a call is lost.
fn life(dies: Option<u64>, fault: Option<(u64, Fault)>) -> (u64, World) {
    let world = World::new();
    if let Some((index, fault)) = fault {
        world.cloud.set_faults(FaultPlan { calls: BTreeMap::from([(index, fault)]), ..FaultPlan::default() });
    }
    let foreign = [change(RecordVerb::Create, cname("zzz.example.com", "theirs.example.net"))];
    world.console().change_records(&world.zone, &foreign).unwrap();
    let first = [want("api", "one.example.net"), want("web", "two.example.net")];
    let second = [want("api", "three.example.net"), want("web", "two.example.net")];
    let phase = Duration::from_mins(8);
    let play = |sequence, wants: &[Want]| {
        if world.run(sequence, wants, phase, dies) {
            world.run(sequence, wants, phase, None);
        }
    };
    play(1, &first);
    play(2, &second);
    let by_hand = [change(RecordVerb::Upsert, cname("api.example.com", "evil.example.net"))];
    world.console().change_records(&world.zone, &by_hand).unwrap();
    play(2, &second);
    play(3, &second[1..]);
    (world.polls.load(std::sync::atomic::Ordering::Relaxed), world)
}

fn ends_well(world: &World, how: &str) {
    let there = ["CNAME zzz.example.com = theirs.example.net".to_owned()];
    let expected = [&ours("web", "two.example.net")[..], &there].concat();
    assert_eq!(world.there(), expected, "{how}");
    let wants = [want("web", "two.example.net")];
    let plan = world.plan(3, &wants);
    assert!(plan.in_sync() && plan.entries.len() == 1, "{how}: {plan:?}");
}

#[test]
fn a_daemon_that_dies_at_any_moment_leaves_the_same_records() {
    let (polls, world) = life(None, None);
    ends_well(&world, "without a crash");
    let step = crate::seeds::number("SIM_CRASH_POINTS").map_or(1, |points| polls.div_ceil(points).max(1));
    for point in (1..=polls).step_by(usize::try_from(step).unwrap()) {
        let (_, world) = life(Some(point), None);
        ends_well(&world, &format!("dead at {point} of {polls}"));
        let sent = world.sent();
        assert!(sent <= 6, "dead at {point}: {sent} batches instead of 4");
    }
}

#[test]
fn a_call_that_is_lost_leaves_the_same_records() {
    let (_, world) = life(None, None);
    let mutating: Vec<u64> = world.cloud.audit().iter().filter(|call| call.mutating).map(|call| call.index).collect();
    assert_eq!(world.sent(), 4);
    for index in mutating {
        for fault in LOST {
            let how = format!("{fault:?} at call {index}");
            let (_, world) = life(None, Some((index, fault.clone())));
            ends_well(&world, &how);
        }
    }
}

//! Freezes and maintenance windows: what they hold does not begin, what has begun is finished, and what was held begins by
//! itself (S11).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use landfast::model::{Freeze, Kind, Waiting};
use landfast::report::QueueList;
use landfast::sabotage::{Bug, plant};
use landfast::sim::SimConfig;
use landfast::store::{HoldOrder, Inbox, Note, Record, RecordOutcome, Store};

use crate::app::App;
use crate::fleet::{Fleet, Policy, Prune, Unit};
use crate::rig::Rig;
use crate::stage::{FOREVER, Stage};

const MINUTE: Duration = Duration::from_mins(1);

/// Steps that a closed window does not hold: they change nothing that runs, finish what was begun, or only make backups.
const PAST_WINDOWS: [&str; 10] =
    ["prepare", "discard", "cancel", "stop", "promote", "unlabel", "back-up", "copy", "keep-settings", "restore"];

/// When the runs begin.
fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn second(of: u64) -> Timestamp {
    start() + SignedDuration::from_secs(i64::try_from(of).unwrap())
}

/// Windows of a fleet, as the manifest of its environment says them.
pub(crate) fn manifest(windows: &[(u64, u64)]) -> String {
    let mut text = String::new();
    for (nth, (from, until)) in windows.iter().enumerate() {
        let head = if nth == 0 { "    windows:\n" } else { "" };
        let (from, until) = (second(*from), second(*until));
        writeln!(text, "{head}    - {{ deny: {{ from: \"{from}\", until: \"{until}\" }}, because: release }}").unwrap();
    }
    text
}

/// What was begun although a freeze, or a window of `dev`, held it. Nothing of the product's own judgement is used.
pub(crate) fn begun_while_held(store: &Store, windows: &[(u64, u64)]) -> Vec<String> {
    let mut wrong = Vec::new();
    let freezes = store.freezes();
    let begun = store.history(None, 500).unwrap();
    for record in begun.iter().filter(|record| record.outcome == RecordOutcome::Begun) {
        let Record { key, step, at, sequence, .. } = record;
        let adds =
            key.kind == Kind::BackupPolicy && ["back-up", "copy", "keep-settings", "restore"].contains(&step.as_str());
        for freeze in freezes.iter().filter(|freeze| freeze.scope.includes(key)) {
            let thawed = freeze.thawed.as_ref().is_some_and(|thawed| *sequence > thawed.after);
            let over = thawed || freeze.until.is_some_and(|until| *at >= until);
            let named = freeze.scope.as_str().contains("backuppolicy");
            if *sequence > freeze.after && !over && (!adds || named) {
                wrong.push(format!(
                    "S11 frozen: {step} of {key} began at {at}, frozen since {} ({})",
                    freeze.at, freeze.scope
                ));
            }
        }
        let closed = windows.iter().any(|(from, until)| second(*from) <= *at && *at < second(*until));
        if closed && key.environment.as_str() == "dev" && !PAST_WINDOWS.contains(&step.as_str()) {
            wrong.push(format!("S11 window: {step} of {key} began at {at}, outside of the maintenance windows"));
        }
    }
    wrong
}

/// A person freezes something; until it is thawed, where nothing else is said. Says the freeze's ID.
pub(crate) fn freeze(rig: &Rig, scope: &str, seconds: Option<u64>) -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let id = format!("f{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let at = rig.cx.now();
    let until = seconds.map(|seconds| at + SignedDuration::from_secs(i64::try_from(seconds).unwrap()));
    order(rig, HoldOrder::Freeze(Box::new(frozen(&id, scope, at, until))));
    id
}

fn frozen(id: &str, scope: &str, at: Timestamp, until: Option<Timestamp>) -> Freeze {
    let (by, because) = ("ada".to_owned(), "an incident".to_owned());
    Freeze { id: id.to_owned(), scope: scope.parse().unwrap(), by, because, at, until, after: 0, thawed: None }
}

/// A person thaws everything.
pub(crate) fn thaw(rig: &Rig) {
    let freezes = rig.store().freezes().iter().map(|freeze| freeze.id.clone()).collect();
    order(rig, HoldOrder::Thaw { freezes, by: "bob".to_owned(), at: rig.cx.now() });
}

fn order(rig: &Rig, order: HoldOrder) {
    rig.store().order(order).unwrap();
    if let Some(controller) = rig.controller() {
        controller.board.wake();
    }
}

/// `s0` stands alone; `s2` depends on `s1`.
fn fleet(windows: Vec<(u64, u64)>) -> Fleet {
    let dependant = Unit { upstream: Some(1), ..Unit::plain() };
    let units = BTreeMap::from([(0, Unit::plain()), (1, Unit::plain()), (2, dependant)]);
    let policy = Policy { prune: Prune::Always, observe: false, deletions: 9, replace: false };
    Fleet { units, policy, web: None, app: App::default(), floored: false, windows }
}

/// Everything is created, and at rest.
fn at_rest(windows: Vec<(u64, u64)>) -> Rig {
    let mut rig = Rig::new(7, fleet(windows), None);
    rig.start();
    rig.pass(20 * MINUTE).unwrap();
    let created =
        rig.cloud.inventory().stacks.iter().filter(|stack| stack.state.status.as_str() == "CREATE_COMPLETE").count();
    assert_eq!(created, 3);
    rig
}

/// A commit that changes every stack.
fn edit(rig: &Rig, size: u8) {
    rig.commit(|repo| repo.fleet.units.values_mut().for_each(|unit| unit.size = size), true);
}

/// What was begun since a moment, in its order: the step and the object.
fn begun(rig: &Rig, since: Timestamp) -> Vec<(String, String, Timestamp)> {
    let mut records = rig.store().history(None, 1_000).unwrap();
    records.reverse();
    let begun = records.into_iter().filter(|record| record.outcome == RecordOutcome::Begun && record.at >= since);
    begun.map(|record| (record.step, record.key.to_string(), record.at)).collect()
}

fn mutations(rig: &Rig) -> usize {
    rig.cloud.audit().iter().filter(|call| call.mutating && call.applied).count()
}

/// The plan of `dev` as it is now, and what a queue says of it.
fn queue(rig: &Rig) -> QueueList {
    let controller = rig.controller().unwrap();
    let desired = controller.board.desired();
    let environment = std::sync::Arc::clone(&desired.environments[&"dev".parse().unwrap()]);
    let looked = rig.clock.drive(controller.glance(&desired, &environment)).unwrap().unwrap();
    let freezes = rig.store().freezes();
    let now = rig.cx.now();
    QueueList::of(freezes.iter().filter(|freeze| freeze.is_active(now)), Vec::new(), [&looked.plan], |_| true)
}

#[test]
fn what_is_frozen_is_observed_and_begins_by_itself_when_the_freeze_ends() {
    let mut rig = at_rest(Vec::new());
    let before = mutations(&rig);
    let frozen_at = rig.cx.now();
    freeze(&rig, "dev", Some(7_200));
    edit(&rig, 5);
    rig.pass(60 * MINUTE).unwrap();
    // A change past the stack is seen all the same.
    let reads = rig.cloud.calls();
    rig.pass(40 * MINUTE).unwrap();
    assert_eq!(mutations(&rig), before, "nothing is changed, not even for a preview");
    assert!(rig.cloud.calls() > reads, "it is still looked at");
    let list = queue(&rig);
    let held: Vec<&str> = list.items.iter().map(|item| item.object.as_str()).collect();
    assert_eq!(held, ["dev/stack/s0", "dev/stack/s1", "dev/stack/s2"]);
    let ends = frozen_at + SignedDuration::from_hours(2);
    let waits =
        |waiting: &Waiting| matches!(waiting, Waiting::Frozen { by, until, .. } if by == "ada" && *until == Some(ends));
    assert!(list.items[0].waiting.iter().any(waits), "{list:?}");
    // It survives a crash, and ends while nobody says anything.
    rig.crash();
    rig.start();
    rig.pass(40 * MINUTE).unwrap();
    let first = begun(&rig, frozen_at).into_iter().next().expect("it began by itself");
    let late = first.2.duration_since(ends);
    assert!(late >= SignedDuration::ZERO && late <= SignedDuration::from_secs(5), "{first:?} is {late} late");
    assert_eq!(queue(&rig).items, []);
    assert_eq!(rig.truth.blames(), Vec::<String>::new());
    assert_eq!(begun_while_held(&rig.store(), &[]), Vec::<String>::new());
}

#[test]
fn a_thaw_begins_what_was_held_in_the_order_of_the_queue() {
    let mut rig = at_rest(Vec::new());
    freeze(&rig, "dev/stack/s*", None);
    freeze(&rig, "*", Some(600));
    edit(&rig, 5);
    // One of the two has ended: the other one still holds.
    rig.pass(30 * MINUTE).unwrap();
    let list = queue(&rig);
    assert_eq!(list.freezes.len(), 1, "{list:?}");
    let order: Vec<String> = list.items.iter().map(|item| item.object.clone()).collect();
    assert_eq!(order.len(), 3);
    let thawed_at = rig.cx.now();
    thaw(&rig);
    rig.pass(30 * MINUTE).unwrap();
    let executed: Vec<String> = begun(&rig, thawed_at)
        .into_iter()
        .filter(|(step, ..)| step == "execute")
        .map(|(_, object, _)| object)
        .collect();
    let place = |name: &str| executed.iter().position(|object| object == name).unwrap();
    assert_eq!(executed.iter().collect::<BTreeSet<_>>(), order.iter().collect::<BTreeSet<_>>());
    // Those that stand alone begin together; what depends on another comes after it, in both.
    assert!(place("dev/stack/s1") < place("dev/stack/s2"));
    let listed = |name: &str| order.iter().position(|object| object == name).unwrap();
    assert!(listed("dev/stack/s1") < listed("dev/stack/s2"));
    assert!(
        begun(&rig, thawed_at)[0].2.duration_since(thawed_at) <= SignedDuration::from_secs(2),
        "a thaw is not waited for"
    );
    assert_eq!(rig.truth.blames(), Vec::<String>::new());
}

#[test]
fn what_is_not_frozen_goes_on() {
    let mut rig = at_rest(Vec::new());
    let since = rig.cx.now();
    freeze(&rig, "dev/stack/s0", None);
    freeze(&rig, "ops", None);
    freeze(&rig, "*/secret", None);
    edit(&rig, 5);
    rig.pass(30 * MINUTE).unwrap();
    let changed: BTreeSet<String> = begun(&rig, since).into_iter().map(|(_, object, _)| object).collect();
    assert_eq!(changed, BTreeSet::from(["dev/stack/s1".to_owned(), "dev/stack/s2".to_owned()]));
}

/// A freeze at every moment around a commit, until which everything was at rest: whatever is in the middle of beginning.
pub(crate) fn play_planted(bug: Option<Bug>) -> Vec<String> {
    let mut wrong = Vec::new();
    for offset in (0..4_000).step_by(45) {
        let mut rig = at_rest(Vec::new());
        plant(bug);
        edit(&rig, 5);
        rig.pass(Duration::from_millis(offset)).unwrap();
        freeze(&rig, "dev", None);
        rig.pass(30 * MINUTE).unwrap();
        plant(None);
        wrong.extend(rig.truth.blames());
        wrong.extend(begun_while_held(&rig.store(), &[]));
        // What had begun was followed to its end.
        let open = rig.store().memory(&"dev".parse().unwrap()).unwrap();
        let open: Vec<String> = open.objects.pending_stacks().map(ToString::to_string).collect();
        if !open.is_empty() {
            wrong.push(format!("L1 followed: {open:?} was not followed to its end ({offset} ms)"));
        }
        if !wrong.is_empty() {
            break;
        }
    }
    wrong
}

#[test]
fn a_window_that_ends_in_mid_run_lets_it_finish_and_begins_nothing_new() {
    // It denies from shortly after the commit, for an hour and then, abutting, for another one; a third overlaps.
    let windows = vec![(1_200 + 6, 4_800), (4_800, 8_400), (7_000, 9_000)];
    let mut rig = at_rest(windows.clone());
    let since = rig.cx.now();
    assert_eq!(since, second(1_200));
    edit(&rig, 5);
    rig.pass(60 * MINUTE).unwrap();
    let early: BTreeSet<String> =
        begun(&rig, since).into_iter().filter(|(step, ..)| step == "execute").map(|(_, object, _)| object).collect();
    assert_eq!(early, BTreeSet::from(["dev/stack/s0".to_owned(), "dev/stack/s1".to_owned()]), "before it closed");
    let memory = rig.store().memory(&"dev".parse().unwrap()).unwrap();
    assert_eq!(memory.objects.pending_stacks().count(), 0, "what ran was followed to its end");
    let list = queue(&rig);
    let [item] = list.items.as_slice() else { panic!("{list:?}") };
    let waits = Waiting::Window { opens: Some(second(9_000)), because: Some("release".to_owned()) };
    assert!(item.object == "dev/stack/s2" && item.waiting.contains(&waits), "{list:?}");
    rig.pass(90 * MINUTE).unwrap();
    let ended = begun(&rig, since).pop().unwrap();
    assert_eq!((ended.0.as_str(), ended.1.as_str()), ("execute", "dev/stack/s2"));
    let late = ended.2.duration_since(second(9_000));
    assert!(late >= SignedDuration::ZERO && late <= SignedDuration::from_secs(5), "{late} late");
    assert_eq!(begun_while_held(&rig.store(), &windows), Vec::<String>::new());
    assert_eq!(rig.truth.blames(), Vec::<String>::new());
}

/// Beside a daemon that has the journal: a note is obeyed before the next step begins, and survives the daemon.
#[test]
fn a_daemon_obeys_orders_that_others_leave() {
    const MANIFESTS: [(&str, &str); 3] = [
        (
            "environment.yaml",
            "apiVersion: landfast/v1\nkind: Environment\nmetadata: { name: dev }\nspec: { system: app, account: \"111122223333\", \
             region: us-east-1, include: [app] }\n",
        ),
        (
            "app/one.yaml",
            "apiVersion: landfast/v1\nkind: Stack\nmetadata: { name: one }\nspec: { template: one.json }\n",
        ),
        ("app/one.json", "{ \"Resources\": { \"Topic\": { \"Type\": \"AWS::SNS::Topic\" } } }"),
    ];
    let mut stage = Stage::new("us-east-1", "2026-01-01T00:00:00Z", SimConfig::default());
    let directory = tempfile::tempdir().unwrap();
    let inbox = Inbox::of(directory.path());
    let mut freeze = frozen("f", "dev", stage.cx.now(), Some(stage.cx.now() + SignedDuration::from_hours(9)));
    freeze.by = "somebody".to_owned();
    inbox.leave(&Note::Hold(HoldOrder::Freeze(Box::new(freeze)))).unwrap();
    let life = |stage: &mut Stage, minutes: u32| {
        let controller = stage.begin(|_| {}).with_inbox(inbox.clone());
        let desired = crate::stage::loaded(controller.store(), MANIFESTS);
        stage.tend(&controller, desired, minutes * MINUTE, FOREVER);
    };
    life(&mut stage, 30);
    life(&mut stage, 30);
    assert_eq!(stage.mutations(), Vec::<&str>::new());
    let freezes = stage.store().freezes();
    let [kept] = &*freezes else { panic!("{freezes:?}") };
    assert!(kept.by.contains("claims to be \"somebody\""), "{}", kept.by);
    assert!(!inbox.has_orders(stage.cx.now()), "it was taken");
    let order = HoldOrder::Thaw { freezes: vec!["f".to_owned()], by: "bob".to_owned(), at: stage.cx.now() };
    inbox.leave(&Note::Hold(order)).unwrap();
    life(&mut stage, 10);
    assert_eq!(stage.mutations(), ["CreateStack"]);
}

/// An order that is found a second time, after a crash, changes nothing.
#[test]
fn an_order_is_carried_out_once() {
    let rig = Rig::new(3, fleet(Vec::new()), None);
    let id = freeze(&rig, "*", None);
    let again = HoldOrder::Freeze(Box::new(frozen(&id, "*", rig.cx.now(), None)));
    thaw(&rig);
    assert_eq!(rig.store().order(again).unwrap(), []);
    let freezes = rig.store().freezes();
    assert!(freezes.len() == 1 && !freezes[0].is_active(rig.cx.now()), "a freeze that was thawed stays thawed");
    let export = serde_json::to_value(rig.store().export().unwrap()).unwrap();
    assert_eq!(export["freezes"][&id]["because"], "an incident");
}

//! Approvals that people sign: of one plan, by as many different people as are asked for, until they end, and once (S22).

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use landfast::controller::{Controller, Tender, Until};
use landfast::manifest;
use landfast::model::{
    Desired, Digest, FileContent, Freeze, FreezeScope, ReviewVerdict, Snapshot, SshKey, Statement, Submission, Waiting,
};
use landfast::operator;
use landfast::plan::Goal;
use landfast::sabotage::{Bug, plant};
use landfast::sim::SimConfig;
use landfast::store::{HoldOrder, Inbox, Note, RecordOutcome, Store};

use crate::stage::{FOREVER, Stage, set_on_a_stage};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

fn key(name: &str) -> String {
    format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKHEChAFvN1m1rI7C0Yv7cKYUZ3jC6pX3wZgLQ8{name}")
}

/// Two people, of whom one has two keys, and both have to sign.
fn operator() -> String {
    format!(
        "[[approver]]\nname = 'ada'\nkeys = ['{}', '{}']\n[[approver]]\nname = 'grace'\nkeys = ['{}']\n\
         [[environment]]\nname = ['*']\napprovals.required = 2\n",
        key("laptop"),
        key("phone"),
        key("desk")
    )
}

/// An environment with a stack of this size, if it has any.
fn desired(store: &Store, size: Option<&str>) -> Desired {
    let environment = "apiVersion: landfast/v1\nkind: Environment\nmetadata: { name: dev }\nspec:\n  system: app\n  \
         account: \"111122223333\"\n  region: us-east-1\n  include: [app]\n  policy: { mode: approve, prune: always }\n";
    let stack = |name: &str, size: &str| {
        format!(
            "apiVersion: landfast/v1\nkind: Stack\nmetadata: {{ name: {name} }}\nspec: {{ template: one.json, parameters: \
             {{ Size: {size} }} }}\n"
        )
    };
    let template = "{ \"Parameters\": { \"Size\": { \"Type\": \"String\" } }, \"Resources\": { \"Topic\": { \"Type\": \
         \"AWS::SNS::Topic\", \"Properties\": { \"DisplayName\": { \"Ref\": \"Size\" } } } } }";
    let text = |text: String| FileContent::Bytes(text.into_bytes().into());
    let mut files = vec![
        ("environment.yaml".into(), text(environment.to_owned())),
        ("app/one.json".into(), text(template.to_owned())),
        ("app/kept.yaml".into(), text(stack("kept", "small"))),
    ];
    files.extend(size.map(|size| ("app/one.yaml".into(), text(stack("one", size)))));
    let snapshot = Snapshot::new("manifests", files.into_iter().collect(), None);
    let revision = store.revise(&snapshot.content, None).unwrap();
    let loaded = manifest::load_under(&snapshot, revision, &operator::read("landfast.toml", &operator()).unwrap());
    assert!(loaded.broken.is_empty(), "{:?}", loaded.diagnostics);
    loaded.desired
}

struct World {
    stage: Stage,
    size: Option<&'static str>,
    number: u64,
}

set_on_a_stage!(World);

impl World {
    fn new() -> Self {
        let stage = Stage::new("us-east-1", "2026-01-01T00:00:00Z", SimConfig::default());
        Self { stage, size: Some("small"), number: 0 }
    }

    fn run(&mut self, duration: Duration) {
        let daemon = self.begin(|_| {});
        let desired = desired(daemon.store(), self.size);
        self.tend(&daemon, desired, duration, FOREVER);
    }

    /// The plan as a person sees it.
    fn digest(&self) -> Digest {
        let size = self.size;
        self.plan(|store| desired(store, size)).digest
    }

    fn statement(&mut self, plan: &Digest, verdict: ReviewVerdict, lasts: Duration) -> Statement {
        self.number += 1;
        let (at, id) = (self.cx.now(), format!("review-{}", self.number));
        let until = at + SignedDuration::try_from(lasts).unwrap();
        Statement { environment: "dev".parse().unwrap(), plan: plan.clone(), verdict, at, until, id }
    }

    /// Somebody signs an approval of a plan.
    fn approve(&mut self, plan: &Digest, by: &str, lasts: Duration) {
        let statement = self.statement(plan, ReviewVerdict::Approve, lasts);
        let signer: SshKey = key(by).parse().unwrap();
        self.store().review(Submission { statement, by: "root".to_owned(), signature: None }, Some(signer)).unwrap();
    }

    fn rejection(&mut self, plan: &Digest) -> Submission {
        let verdict = ReviewVerdict::Reject { because: "not today".to_owned() };
        Submission { statement: self.statement(plan, verdict, 24 * HOUR), by: "bob".to_owned(), signature: None }
    }

    /// Both sign.
    fn agree(&mut self, lasts: Duration) -> Digest {
        let plan = self.digest();
        self.approve(&plan, "laptop", lasts);
        self.approve(&plan, "desk", lasts);
        plan
    }

    fn freeze(&self, hours: i64) {
        let (at, id) = (self.cx.now(), format!("freeze-{}", self.cx.now()));
        let until = Some(at + SignedDuration::from_hours(hours));
        let (by, because) = ("ada".to_owned(), "an incident".to_owned());
        let freeze = Freeze { id, scope: FreezeScope::everything(), by, because, at, until, after: 0, thawed: None };
        self.store().order(HoldOrder::Freeze(Box::new(freeze))).unwrap();
    }

    /// How often a stack was created, updated or deleted.
    fn changes(&self) -> usize {
        let changes = ["CreateStack", "ExecuteChangeSet", "DeleteStack"];
        self.mutations().iter().filter(|operation| changes.contains(operation)).count()
    }
}

/// What is done although nobody has approved it so.
pub(crate) fn play_planted(bug: Option<Bug>) -> Vec<String> {
    plant(bug);
    let mut wrong = Vec::new();
    let mut world = World::new();
    let mut done = 0;
    let mut expect = |world: &World, more: usize, what: &str| {
        done += more;
        let changes = world.changes();
        if changes != done {
            wrong.push(format!("S22 approval: {what}: {changes} changes in the place of {done}"));
        }
        done = changes;
    };
    world.run(5 * MINUTE);
    expect(&world, 0, "a plan that nobody approved");
    let first = world.digest();
    world.approve(&first, "laptop", 24 * HOUR);
    world.approve(&first, "phone", 24 * HOUR);
    world.run(5 * MINUTE);
    expect(&world, 0, "a plan that one person approved twice");
    world.approve(&first, "desk", 24 * HOUR);
    world.run(10 * MINUTE);
    expect(&world, 2, "a plan that two people approved");
    // What is approved waits for the end of a freeze, and is void when it has ended before.
    world.size = Some("large");
    world.freeze(2);
    world.agree(HOUR);
    world.run(3 * HOUR);
    expect(&world, 0, "a plan whose approval ended during a freeze");
    let plan = world.agree(8 * HOUR);
    world.freeze(1);
    world.run(10 * MINUTE);
    let rejection = world.rejection(&plan);
    world.store().review(rejection, None).unwrap();
    world.run(2 * HOUR);
    expect(&world, 0, "a plan that was rejected during a freeze");
    // The same plan again, after it was carried out: what was said of it then is not said of it now.
    world.size = None;
    world.agree(8 * HOUR);
    world.run(HOUR);
    expect(&world, 1, "a deletion that two people approved");
    world.size = Some("small");
    let again = world.digest();
    world.agree(HOUR);
    world.run(10 * MINUTE);
    expect(&world, 1, "a creation that two people approved");
    world.size = None;
    world.agree(HOUR);
    world.run(10 * MINUTE);
    expect(&world, 1, "another deletion that two people approved");
    world.size = Some("small");
    if world.digest() != again {
        wrong.push(format!("the scenario: {} is another plan than {again}", world.digest()));
    }
    world.run(10 * MINUTE);
    let mut expect = |world: &World, more: usize, what: &str| {
        let changes = world.changes();
        if changes != done + more {
            wrong.push(format!("S22 approval: {what}: {changes} changes in the place of {}", done + more));
        }
    };
    expect(&world, 0, "a plan whose approval was used before");
    plant(None);
    wrong
}

/// A rejection at every moment around an approval: whatever is in the middle of beginning.
pub(crate) fn play_racing(bug: Option<Bug>) -> Vec<String> {
    let mut wrong = Vec::new();
    for offset in (0..3_000).step_by(45) {
        let mut world = World::new();
        world.agree(8 * HOUR);
        world.run(5 * MINUTE);
        // An update is read once more before it begins: there is a moment between the plan and the beginning.
        world.size = Some("large");
        world.run(MINUTE);
        let plan = world.agree(8 * HOUR);
        let rejection = world.rejection(&plan);
        plant(bug);
        let daemon = world.begin(|_| {});
        daemon.board.publish(desired(daemon.store(), world.size), &std::collections::BTreeSet::new());
        let sequence = Arc::new(std::sync::Mutex::new(0));
        let (cx, store, seen) = (world.cx.clone(), daemon.store().clone(), Arc::clone(&sequence));
        let reject = async move {
            cx.sleep(Duration::from_millis(offset)).await;
            *seen.lock().unwrap() = store.history(None, 1).unwrap().first().map_or(0, |record| record.sequence);
            store.review(rejection, None).unwrap();
            std::future::pending::<std::convert::Infallible>().await
        };
        let tender = Tender::new(&daemon, "dev".parse().unwrap(), Goal::Converge, Until::Stopped).run();
        let both = async {
            tokio::select! {
                biased;
                ended = tender => panic!("the daemon ended: {ended:?}"),
                never = reject => never,
            }
        };
        world.lives_on(Box::pin(both), 30 * MINUTE, FOREVER);
        plant(None);
        let rejected = *sequence.lock().unwrap();
        for record in daemon.store().history(None, 1_000).unwrap() {
            let begins = record.outcome == RecordOutcome::Begun && record.step == "execute";
            if begins && record.sequence > rejected {
                wrong.push(format!("S22 rejected: {} of {} began after it ({offset} ms)", record.step, record.key));
            }
        }
        if !wrong.is_empty() {
            break;
        }
    }
    wrong
}

#[test]
fn an_approval_outlives_a_freeze_and_is_used_when_it_ends() {
    let mut world = World::new();
    world.freeze(2);
    world.agree(8 * HOUR);
    world.run(HOUR);
    assert_eq!(world.changes(), 0);
    let size = world.size;
    let plan = world.plan(|store| desired(store, size));
    let waits = |waiting: &Waiting| matches!(waiting, Waiting::Frozen { .. });
    assert!(plan.entries.values().all(|entry| entry.waiting.iter().all(waits)), "nothing but the freeze is waited for");
    world.run(2 * HOUR);
    assert_eq!(world.changes(), 2);
    let reviews = world.store().reviews(&"dev".parse().unwrap());
    assert!(reviews.iter().all(|review| review.used.is_some()));
}

#[test]
fn an_approval_of_a_plan_that_moved_is_not_acted_on() {
    let mut world = World::new();
    world.agree(8 * HOUR);
    world.size = Some("large");
    world.run(30 * MINUTE);
    assert_eq!(world.changes(), 0, "one of the two objects is another one: the plan is another one");
    world.size = Some("small");
    world.run(30 * MINUTE);
    assert_eq!(world.changes(), 2, "it is the same again, and was not used");
}

/// Beside a daemon: what others leave in its inbox. A signature that is wrong is nobody's.
#[test]
fn a_daemon_takes_reviews_that_others_leave_and_believes_no_bad_signature() {
    let mut world = World::new();
    let directory = tempfile::tempdir().unwrap();
    let inbox = Inbox::of(directory.path());
    let plan = world.digest();
    let life = |world: &mut World, minutes: u32| {
        let daemon: Controller = world.begin(|_| {}).with_inbox(inbox.clone());
        let desired = desired(daemon.store(), world.size);
        world.tend(&daemon, desired, minutes * MINUTE, FOREVER);
    };
    let leave = |world: &mut World, verdict: ReviewVerdict, signature: Option<&str>| {
        let statement = world.statement(&plan, verdict, HOUR);
        let submission = Submission { statement, by: "ada".to_owned(), signature: signature.map(str::to_owned) };
        inbox.leave(&Note::Review(submission)).unwrap();
    };
    leave(
        &mut world,
        ReviewVerdict::Approve,
        Some("-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"),
    );
    leave(&mut world, ReviewVerdict::Approve, None);
    life(&mut world, 10);
    assert_eq!(world.changes(), 0);
    assert!(!inbox.has_reviews(world.cx.now()), "they were taken");
    let reviews = world.store().reviews(&"dev".parse().unwrap());
    let [unsigned] = &*reviews else { panic!("{reviews:?}") };
    assert!(unsigned.key.is_none() && unsigned.submission.by.contains("claims to be \"ada\""), "{unsigned:?}");
    world.approve(&plan, "laptop", HOUR);
    world.approve(&plan, "desk", HOUR);
    leave(&mut world, ReviewVerdict::Reject { because: "no".to_owned() }, None);
    life(&mut world, 10);
    assert_eq!(world.changes(), 0, "the rejection is taken before anything begins");
}

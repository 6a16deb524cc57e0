//! What the governor promises, in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::task::{Context as TaskContext, Waker};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{join, join_all};
use jiff::Timestamp;

use super::*;
use crate::context::Virtual;
use crate::model::{
    AccountId, ChangeSetId, ChangeSetName, ChangeSetState, ChangeSetSummary, DeletedStack, StackEvent, StackId,
    StackName, StackState,
};
use crate::ports::{
    Account, Class, Containers, CreateChangeSet, CreateStack, Drift, Fence, Health, Metrics, Objects, Page, PageToken,
    PortError, Records, Secrets, Tables, Trail, Uploaded, Vaults,
};

enum Reply {
    Fine,
    Fail(Class),
    FailLate(Class),
    Hang,
}

type Script = Box<dyn Fn(&str, usize, Duration) -> Reply + Send + Sync>;

/// A back end that answers as a test says, and writes down what reached it and when.
struct Fake {
    cx: Context,
    account: &'static str,
    /// From the call ("describe a"), how many reached it before, and the time.
    reply: Script,
    log: Mutex<Vec<(Duration, String)>>,
}

impl Fake {
    async fn answer(&self, operation: &'static str, call: String) -> Result<(), PortError> {
        let now = self.cx.elapsed();
        let before = {
            let mut log = self.log.lock().unwrap();
            log.push((now, call.clone()));
            log.iter().filter(|(_, earlier)| *earlier == call).count() - 1
        };
        match (self.reply)(&call, before, now) {
            Reply::Fine => Ok(()),
            Reply::Fail(class) => Err(PortError::new(class, operation, "as scripted")),
            Reply::FailLate(class) => {
                self.cx.sleep(Duration::from_secs(1)).await;
                Err(PortError::new(class, operation, "as scripted"))
            }
            Reply::Hang => std::future::pending().await,
        }
    }

    /// What reached it, the account check apart.
    fn calls(&self) -> Vec<String> {
        self.log.lock().unwrap().iter().map(|(_, call)| call.clone()).filter(|call| call != "caller").collect()
    }

    fn times(&self, call: &str) -> Vec<Duration> {
        self.log.lock().unwrap().iter().filter(|(_, logged)| logged == call).map(|(at, _)| *at).collect()
    }
}

#[async_trait]
#[rustfmt::skip]
impl Stacks for Fake {
    async fn caller(&self) -> Result<AccountId, PortError> {
        self.answer("GetCallerIdentity", "caller".to_owned()).await.map(|()| self.account.parse().unwrap())
    }
    async fn describe(&self, name: &StackName) -> Result<Option<StackState>, PortError> {
        self.answer("DescribeStacks", format!("describe {name}")).await.map(|()| None)
    }
    async fn cancel_update(&self, _: Fence, _: &StackId, token: &str) -> Result<(), PortError> {
        self.answer("CancelUpdateStack", format!("cancel {token}")).await
    }
    async fn template(&self, _: &StackId) -> Result<String, PortError> {
        self.answer("GetTemplate", "template".to_owned()).await.map(|()| String::new())
    }
    async fn list(&self, _: Option<PageToken>) -> Result<Page<StackState>, PortError> { unreachable!() }
    async fn processed_template(&self, _: &StackId) -> Result<String, PortError> { unreachable!() }
    async fn nested_change_set(&self, _: &ChangeSetId, _: Option<PageToken>) -> Result<Option<(ChangeSetState, Option<PageToken>)>, PortError> { unreachable!() }
    async fn deleted(&self, _: Option<PageToken>) -> Result<Page<DeletedStack>, PortError> { unreachable!() }
    async fn known(&self, _: &StackId) -> Result<Option<StackState>, PortError> { unreachable!() }
    async fn stack_policy(&self, _: &StackId) -> Result<Option<String>, PortError> { unreachable!() }
    async fn events(&self, _: &StackId, _: Option<PageToken>) -> Result<Page<StackEvent>, PortError> { unreachable!() }
    async fn change_sets(&self, _: &StackId, _: Option<PageToken>) -> Result<Page<ChangeSetSummary>, PortError> { unreachable!() }
    async fn describe_change_set(&self, _: &StackId, _: &ChangeSetName, _: Option<PageToken>) -> Result<Option<(ChangeSetState, Option<PageToken>)>, PortError> { unreachable!() }
    async fn change_set_template(&self, _: &StackId, _: &ChangeSetName) -> Result<Option<String>, PortError> { unreachable!() }
    async fn importers(&self, _: &str, _: Option<PageToken>) -> Result<Page<StackName>, PortError> { unreachable!() }
    async fn newest_backup(&self, _: &str, _: &str) -> Result<Option<Timestamp>, PortError> { unreachable!() }
    async fn create(&self, _: Fence, _: CreateStack) -> Result<StackId, PortError> { unreachable!() }
    async fn create_change_set(&self, _: Fence, _: CreateChangeSet) -> Result<ChangeSetId, PortError> { unreachable!() }
    async fn execute_change_set(&self, _: Fence, _: &ChangeSetId, _: &str) -> Result<(), PortError> { unreachable!() }
    async fn delete_change_set(&self, _: Fence, _: &StackId, _: &ChangeSetName) -> Result<(), PortError> { unreachable!() }
    async fn delete(&self, _: Fence, _: &StackId, _: &BTreeSet<String>, _: &str) -> Result<(), PortError> { unreachable!() }
    async fn continue_rollback(&self, _: Fence, _: &StackId, _: &BTreeSet<String>, _: &str) -> Result<(), PortError> { unreachable!() }
    async fn set_termination_protection(&self, _: Fence, _: &StackId, _: bool) -> Result<(), PortError> { unreachable!() }
    async fn set_stack_policy(&self, _: Fence, _: &StackId, _: &str) -> Result<(), PortError> { unreachable!() }
    async fn keeps_versions(&self, _: &str) -> Result<bool, PortError> { unreachable!() }
    async fn stored(&self, _: &[String]) -> Result<BTreeMap<String, String>, PortError> { unreachable!() }
    async fn upload_template(&self, _: Fence, _: &str, _: &str, _: &str) -> Result<Uploaded, PortError> { unreachable!() }
    async fn uploaded_template(&self, _: &str, _: &str, _: &str) -> Result<Option<String>, PortError> { unreachable!() }
    async fn newest_upload(&self, _: &str, _: &str) -> Result<Option<Uploaded>, PortError> { unreachable!() }
    async fn delete_upload(&self, _: Fence, _: &str, _: &str, _: Option<&str>) -> Result<(), PortError> { unreachable!() }
}

struct FakeCloud(Arc<Fake>);

impl Cloud for FakeCloud {
    fn stacks(&self, _: &Scope, _: Option<&AssumeRole>) -> Arc<dyn Stacks> {
        Arc::clone(&self.0) as Arc<dyn Stacks>
    }

    fn containers(&self, _: &Scope, _: Option<&AssumeRole>) -> Arc<dyn Containers> {
        unreachable!("only stacks are faked here")
    }

    fn secrets(&self, _: &Scope, _: Option<&AssumeRole>) -> Arc<dyn Secrets> {
        unreachable!("only stacks are faked here")
    }

    fn records(&self, _: &Scope, _: Option<&AssumeRole>) -> Arc<dyn Records> {
        unreachable!("only stacks are faked here")
    }

    fn tables(&self, _: &Scope, _: Option<&AssumeRole>) -> Arc<dyn Tables> {
        unreachable!("only stacks are faked here")
    }

    fn vaults(&self, _: &Scope, _: Option<&AssumeRole>) -> Arc<dyn Vaults> {
        unreachable!("only stacks are faked here")
    }

    fn account(&self, _: &Scope, _: Option<&AssumeRole>) -> Arc<dyn Account> {
        unreachable!("only stacks are faked here")
    }

    fn drift(&self, _: &Scope, _: Option<&AssumeRole>) -> Arc<dyn Drift> {
        unreachable!("only stacks are faked here")
    }

    fn trail(&self, _: &Scope, _: Option<&AssumeRole>) -> Arc<dyn Trail> {
        unreachable!("only stacks are faked here")
    }

    fn objects(&self, _: &Scope, _: Option<&AssumeRole>) -> Arc<dyn Objects> {
        unreachable!("only stacks are faked here")
    }

    fn health(&self, _: &Scope, _: Option<&AssumeRole>) -> Arc<dyn Health> {
        unreachable!("only stacks are faked here")
    }

    fn metrics(&self, _: &Scope, _: Option<&AssumeRole>) -> Arc<dyn Metrics> {
        unreachable!("only stacks are faked here")
    }
}

struct World {
    clock: Virtual,
    cx: Context,
    fake: Arc<Fake>,
    gate: Gate,
    governor: Governor,
}

const FENCE: Fence = Fence { epoch: 3, revision: 1 };

fn world(reply: impl Fn(&str, usize, Duration) -> Reply + Send + Sync + 'static) -> World {
    world_of("111122223333", reply)
}

fn world_of(account: &'static str, reply: impl Fn(&str, usize, Duration) -> Reply + Send + Sync + 'static) -> World {
    let clock = Virtual::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
    let cx = Context::simulated(&clock, 1);
    let fake = Arc::new(Fake { cx: cx.clone(), account, reply: Box::new(reply), log: Mutex::default() });
    let gate = Gate::new(FENCE.epoch);
    let governor = Governor::new(cx.clone(), Arc::new(FakeCloud(Arc::clone(&fake))), gate.clone());
    World { clock, cx, fake, gate, governor }
}

fn name(text: &str) -> StackName {
    text.parse().unwrap()
}

fn stack() -> StackId {
    "arn:aws:cloudformation:us-east-1:111122223333:stack/a/1".parse().unwrap()
}

impl World {
    fn door(&self, priority: Priority) -> Arc<dyn Stacks> {
        let scope = Scope { account: "111122223333".parse().unwrap(), region: "us-east-1".parse().unwrap() };
        self.governor.stacks(&scope, None, priority)
    }

    fn drive<T>(&self, future: impl Future<Output = T>) -> T {
        self.clock.drive(future).expect("a deadlock")
    }

    fn usage(&self, operation: &str) -> Usage {
        self.governor.usage().into_iter().find(|usage| usage.operation == operation).unwrap()
    }

    /// Uses up what the bucket of `DescribeStacks` has to begin with.
    async fn drain(&self) {
        let door = self.door(Priority::Deploy);
        for _ in 0..10 {
            door.describe(&name("drain")).await.unwrap();
        }
    }
}

fn fine(_: &str, _: usize, _: Duration) -> Reply {
    Reply::Fine
}

#[test]
fn calls_come_in_a_burst_and_then_at_the_rate() {
    let world = world(fine);
    let door = world.door(Priority::Drift);
    world.drive(join_all((0..50).map(|_| async {
        door.describe(&name("a")).await.unwrap();
    })));
    let times = world.fake.times("describe a");
    assert_eq!(times.len(), 50);
    assert_eq!(times[9], Duration::ZERO);
    // 40 more calls: 5 in the first second, and twice as many in each that passes without throttling, up to 20.
    assert!(times[49] > Duration::from_secs(2) && times[49] < Duration::from_secs(4), "{:?}", times[49]);
    assert_eq!(world.fake.times("caller").len(), 1, "the account is asked for once");
    assert_eq!(world.usage("DescribeStacks").calls, 50);
}

/// An API that takes `limit` calls in each second.
fn limited(limit: usize) -> impl Fn(&str, usize, Duration) -> Reply + Send + Sync {
    let seen = Mutex::new(BTreeMap::<u64, usize>::new());
    move |call, _, now| {
        let mut seen = seen.lock().unwrap();
        let count = seen.entry(now.as_secs()).or_default();
        *count += usize::from(call != "caller");
        if *count > limit { Reply::Fail(Class::Throttled) } else { Reply::Fine }
    }
}

#[test]
fn the_rate_is_learned_when_aws_gives_less_and_when_it_gives_more() {
    for (limit, least, most) in [(2, 1.0, 3.5), (100, 19.9, 20.0)] {
        let world = world(limited(limit));
        let door = world.door(Priority::Drift);
        let answers = world.drive(join_all((0..300).map(|_| async { door.describe(&name("a")).await })));
        let usage = world.usage("DescribeStacks");
        assert!(usage.rate >= least && usage.rate <= most, "{usage:?}");
        assert!(answers.iter().all(Result::is_ok), "limit {limit}");
        assert!(usage.throttled * 4 < usage.calls, "{usage:?}");
    }
}

#[test]
fn whoever_has_a_higher_priority_overtakes_those_who_wait() {
    let world = world(fine);
    world.drive(async {
        world.drain().await;
        let call = async |after: u64, priority, text: &str| {
            world.cx.sleep(Duration::from_millis(after)).await;
            world.door(priority).describe(&name(text)).await.unwrap();
        };
        let low = join_all((0..4).map(|_| call(0, Priority::Drift, "drift")));
        let late = join_all([call(50, Priority::Status, "status"), call(60, Priority::Failover, "failover")]);
        join(low, late).await;
    });
    let calls = world.fake.calls();
    assert_eq!(calls[10..12], ["describe failover", "describe status"], "{calls:?}");
}

#[test]
fn low_priorities_are_not_starved_by_an_endless_stream_of_high_ones() {
    let world = world(fine);
    let door = world.door(Priority::Deploy);
    world.drive(async {
        world.drain().await;
        let stream = join_all((0..20).map(|_| async {
            for _ in 0..20 {
                door.describe(&name("deploy")).await.unwrap();
            }
        }));
        let low = async {
            world.door(Priority::Drift).describe(&name("drift")).await.unwrap();
        };
        join(stream, low).await;
    });
    let at = world.fake.calls().iter().position(|call| call == "describe drift").unwrap();
    assert!(at < 40, "{at}");
}

#[test]
fn an_old_backlog_costs_urgent_calls_an_eighth_and_not_more() {
    let world = world(fine);
    world.drive(async {
        world.drain().await;
        let backlog = join_all((0..400).map(|_| async {
            world.door(Priority::Drift).describe(&name("drift")).await.unwrap();
        }));
        let urgent = async {
            world.cx.sleep(Duration::from_secs(30)).await;
            let began = world.cx.elapsed();
            let all = (0..20).map(|_| async {
                world.door(Priority::Failover).describe(&name("failover")).await.unwrap();
            });
            join_all(all).await;
            world.cx.elapsed().checked_sub(began).unwrap()
        };
        let (_, took) = join(backlog, urgent).await;
        assert!(took < Duration::from_secs(5), "{took:?}");
    });
}

#[test]
fn a_throttled_status_poll_does_not_fail() {
    let world = world(|call, _, now| match call {
        "describe a" if now < Duration::from_mins(1) => Reply::Fail(Class::Throttled),
        _ => Reply::Fine,
    });
    let answer = world.drive(async { world.door(Priority::Status).describe(&name("a")).await });
    assert!(answer.is_ok(), "{answer:?}");
    assert!(world.usage("DescribeStacks").calls < 40);
}

#[test]
fn throttling_without_end_is_given_up_after_two_minutes() {
    let world = world(|call, _, _| if call == "caller" { Reply::Fine } else { Reply::Fail(Class::Throttled) });
    let error = world.drive(async { world.door(Priority::Status).describe(&name("a")).await }).unwrap_err();
    assert_eq!(error.class, Class::Throttled);
    assert!(world.cx.elapsed() < Duration::from_mins(3), "{:?}", world.cx.elapsed());
}

#[test]
fn a_deadline_ends_a_call_that_hangs() {
    let world = world(|call, _, _| if call == "caller" { Reply::Fine } else { Reply::Hang });
    let error = world.drive(async { world.door(Priority::Drift).template(&stack()).await }).unwrap_err();
    assert_eq!((error.class, error.operation), (Class::Transient, "GetTemplate"));
    assert!(error.message.contains("no answer within 15 s"), "{error}");
    assert_eq!(world.fake.calls().len(), 4);
    assert!(world.cx.elapsed() < Duration::from_mins(2));
}

#[test]
fn a_read_is_tried_again_after_a_transient_failure() {
    let world = world(
        |call, before, _| {
            if call != "caller" && before < 2 { Reply::Fail(Class::Transient) } else { Reply::Fine }
        },
    );
    world.drive(async { world.door(Priority::Drift).describe(&name("a")).await }).unwrap();
    assert_eq!(world.fake.calls().len(), 3);
}

#[test]
fn a_change_that_may_have_been_made_is_not_sent_again_and_a_throttled_one_is() {
    let world = world(|call, before, _| match call {
        "cancel ambiguous" => Reply::Fail(Class::Transient),
        "cancel silent" => Reply::Hang,
        "cancel throttled" if before < 3 => Reply::Fail(Class::Throttled),
        _ => Reply::Fine,
    });
    let door = world.door(Priority::Deploy);
    world.drive(async {
        let error = door.cancel_update(FENCE, &stack(), "ambiguous").await.unwrap_err();
        assert_eq!(error.class, Class::Transient);
        let error = door.cancel_update(FENCE, &stack(), "silent").await.unwrap_err();
        assert!(error.message.contains("no answer within 30 s"), "{error}");
        door.cancel_update(FENCE, &stack(), "throttled").await.unwrap();
    });
    assert_eq!(world.fake.times("cancel ambiguous").len(), 1);
    assert_eq!(world.fake.times("cancel silent").len(), 1);
    assert_eq!(world.fake.times("cancel throttled").len(), 4);
}

#[test]
fn what_aws_says_for_good_is_not_asked_again() {
    for class in [Class::Denied, Class::Invalid, Class::Conflict, Class::NotFound, Class::Limit] {
        let world = world(move |call, _, _| if call == "caller" { Reply::Fine } else { Reply::Fail(class) });
        let error = world.drive(async { world.door(Priority::Drift).describe(&name("a")).await }).unwrap_err();
        assert_eq!((error.class, world.fake.calls().len()), (class, 1));
    }
}

#[test]
fn with_credentials_of_another_account_nothing_but_the_question_is_sent_s11() {
    let world = world_of("999999999999", fine);
    let door = world.door(Priority::Deploy);
    world.drive(async {
        let error = door.cancel_update(FENCE, &stack(), "a").await.unwrap_err();
        assert_eq!((error.class, error.operation), (Class::Denied, "CancelUpdateStack"));
        assert!(error.message.contains("999999999999"), "{error}");
        assert_eq!(door.describe(&name("a")).await.unwrap_err().class, Class::Denied);
    });
    assert_eq!(world.fake.calls(), Vec::<String>::new());
}

#[test]
fn the_account_is_asked_for_again_when_it_could_not_be_found_out() {
    let world = world(|call, before, _| match call {
        "caller" if before == 0 => Reply::FailLate(Class::Denied),
        _ => Reply::Fine,
    });
    let door = world.door(Priority::Deploy);
    world.drive(async {
        let (one, two) = join(door.describe(&name("a")), door.describe(&name("b"))).await;
        assert_eq!((one.unwrap_err().class, two.unwrap_err().class), (Class::Denied, Class::Denied));
        door.describe(&name("c")).await.unwrap();
    });
    assert_eq!(world.fake.times("caller").len(), 2);
    assert_eq!(world.fake.calls(), ["describe c"]);
}

#[test]
fn credentials_that_become_those_of_another_account_are_found_out() {
    let world = world(|call, before, _| match call {
        "caller" if before > 0 => Reply::Fail(Class::Denied),
        _ => Reply::Fine,
    });
    let door = world.door(Priority::Deploy);
    world.drive(async {
        door.describe(&name("a")).await.unwrap();
        world.cx.sleep(Duration::from_mins(10)).await;
        door.describe(&name("b")).await.unwrap();
        world.cx.sleep(Duration::from_mins(10)).await;
        assert_eq!(door.describe(&name("c")).await.unwrap_err().class, Class::Denied);
        assert_eq!(door.cancel_update(FENCE, &stack(), "a").await.unwrap_err().class, Class::Denied);
    });
    assert_eq!(world.fake.calls(), ["describe a", "describe b"]);
}

#[test]
fn an_account_that_cannot_be_found_out_now_is_no_ambiguous_change() {
    let world = world(|_, _, _| Reply::Hang);
    let door = world.door(Priority::Deploy);
    let error = world.drive(door.cancel_update(FENCE, &stack(), "a")).unwrap_err();
    assert_eq!(error.class, Class::Throttled, "Transient would say that it may have been made");
    assert_eq!(world.fake.calls(), Vec::<String>::new());
}

#[test]
fn a_governor_that_was_dropped_in_the_middle_of_a_call_is_gone() {
    let world = world(|_, _, _| Reply::Hang);
    let door = world.door(Priority::Deploy);
    {
        let (name, mut task) = (name("a"), TaskContext::from_waker(Waker::noop()));
        let mut call = pin!(door.describe(&name));
        assert!(call.as_mut().poll(&mut task).is_pending());
    }
    let shared = Arc::downgrade(&world.governor.shared);
    drop((door, world));
    assert!(shared.upgrade().is_none(), "it keeps itself alive");
}

#[test]
fn a_closed_gate_refuses_even_what_waited_in_the_queue_s19() {
    let world = world(fine);
    let door = world.door(Priority::Deploy);
    world.drive(async {
        let changes = join_all((0..16).map(|_| async { door.cancel_update(FENCE, &stack(), "a").await }));
        let close = async {
            world.cx.sleep(Duration::from_millis(600)).await;
            world.gate.close();
        };
        let (answers, ()) = join(changes, close).await;
        let refused = answers.iter().filter(|answer| matches!(answer, Err(error) if error.class == Class::Stopped));
        assert_eq!(refused.count(), 5);
    });
    assert_eq!(world.fake.calls().len(), 11);
}

#[test]
fn an_older_revision_and_another_epoch_are_refused_s6_s8() {
    let world = world(fine);
    world.gate.loaded(5);
    let door = world.door(Priority::Deploy);
    let attempt = |epoch, revision| {
        let answer = world.drive(door.cancel_update(Fence { epoch, revision }, &stack(), "a"));
        answer.map_err(|error| error.class)
    };
    assert_eq!(attempt(3, 4), Err(Class::Stopped));
    assert_eq!(attempt(2, 5), Err(Class::Stopped));
    assert_eq!(attempt(4, 5), Err(Class::Stopped));
    assert_eq!(world.fake.calls().len(), 0);
    assert_eq!(attempt(3, 5), Ok(()));
}

#[test]
fn no_call_is_lost_when_one_that_waits_is_dropped() {
    let world = world(fine);
    let answered = world.drive(async {
        world.drain().await;
        let calls = (0..30).map(|index| {
            let world = &world;
            async move {
                let priority = if index % 3 == 0 { Priority::Failover } else { Priority::Drift };
                let door = world.door(priority);
                let (name, limit) = (name("a"), Duration::from_millis(150 * index));
                // Every second one is dropped some time later.
                match index % 2 {
                    0 => world.cx.timeout(limit, door.describe(&name)).await.is_some(),
                    _ => door.describe(&name).await.is_ok(),
                }
            }
        });
        join_all(calls).await
    });
    assert!(answered.iter().skip(1).step_by(2).all(|answered| *answered), "{answered:?}");
    assert!(answered.iter().any(|answered| !answered));
}

#[test]
fn a_call_that_is_kept_but_not_polled_does_not_hold_the_others_up() {
    let world = world(fine);
    let door = world.door(Priority::Failover);
    world.drive(async {
        world.drain().await;
        let kept = name("kept");
        let mut kept = pin!(door.describe(&kept));
        assert!(kept.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())).is_pending());
        world.door(Priority::Drift).describe(&name("a")).await.unwrap();
    });
    assert!(world.cx.elapsed() < Duration::from_secs(11), "{:?}", world.cx.elapsed());
}

#[test]
fn equal_seeds_give_equal_runs() {
    let run = || {
        let world = world(limited(2));
        let door = world.door(Priority::Drift);
        world.drive(join_all((0..100).map(|_| async { door.describe(&name("a")).await.is_ok() })));
        world.fake.times("describe a")
    };
    assert_eq!(run(), run());
}

#[test]
fn a_call_costs_microseconds() {
    let world = world(fine);
    let began = std::time::Instant::now();
    let door = world.door(Priority::Drift);
    world.drive(join_all((0..2000).map(|_| async { door.describe(&name("a")).await.is_ok() })));
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn nothing_is_sent_to_where_the_operator_does_not_allow_it() {
    let text = "[[environment]]\nname = ['*']\naccounts = ['111122223333']\nregions = ['eu-*']\n";
    let operator = crate::operator::read("landfast.toml", text).unwrap();
    let world = world(fine);
    let cloud = Arc::new(FakeCloud(Arc::clone(&world.fake)));
    let governor = Governor::under(world.cx.clone(), cloud, world.gate.clone(), operator);
    let scope = |region: &str| Scope { account: "111122223333".parse().unwrap(), region: region.parse().unwrap() };
    let door = governor.stacks(&scope("us-east-1"), None, Priority::Deploy);
    let refused = world.drive(async { (door.caller().await, door.describe(&name("a")).await) });
    for error in [refused.0.unwrap_err(), refused.1.unwrap_err()] {
        assert_eq!(error.class, Class::Denied);
        assert!(error.to_string().contains("landfast.toml"), "{error}");
    }
    assert!(world.fake.log.lock().unwrap().is_empty(), "something was sent");
    let door = governor.stacks(&scope("eu-central-1"), None, Priority::Deploy);
    assert!(world.drive(door.describe(&name("a"))).is_ok());
}

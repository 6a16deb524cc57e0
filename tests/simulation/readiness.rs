//! Dependants wait for what they depend on to be ready, and not only for its status.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use landfast::context::{Context, Virtual};
use landfast::controller::{Controller, Ended, Looked, Tender, Until, tend_all};
use landfast::manifest;
use landfast::model::{Check, Desired, HttpProbe, Key, Readiness, Revision, Text, Tls, Waiting};
use landfast::plan::Goal;
use landfast::report::{ConditionStatus, ConditionType, StatusList};
use landfast::sabotage::{Bug, plant};
use landfast::sim::{SimCloud, SimConfig, Site};
use landfast::store::{Disk, Store};

use crate::app::App;
use crate::fleet::{Fleet, Policy, Prune, Unit};
use crate::rig::{RESYNC, scope};

const HOST: &str = "app.example.com";

struct World {
    clock: Virtual,
    cx: Context,
    cloud: SimCloud,
    disk: Disk,
    within: Duration,
    host: &'static str,
}

fn up() -> Site {
    Site::Answers { status: 200, body: "{\"status\":\"UP\"}".to_owned() }
}

impl World {
    fn new(within: Duration, site: Site) -> Self {
        Self::of(HOST, within, site)
    }

    fn of(host: &'static str, within: Duration, site: Site) -> Self {
        let clock = Virtual::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
        let cx = Context::simulated(&clock, 5);
        let cloud = SimCloud::new(cx.clone(), SimConfig::default());
        cloud.console(&scope()).set_site(host, Some(site));
        Self { clock, cx, cloud, disk: Disk::new(), within, host }
    }

    /// `s1` depends on `s0`, which is ready when its web server says so.
    fn desired(&self) -> Desired {
        let dependant = Unit { upstream: Some(0), ..Unit::plain() };
        let policy = Policy { prune: Prune::Always, observe: false, deletions: 9, replace: false };
        let snapshot = Fleet {
            units: BTreeMap::from([(0, Unit::plain()), (1, dependant)]),
            policy,
            web: None,
            app: App::default(),
            floored: false,
            windows: Vec::new(),
        }
        .snapshot(None);
        let revision = Revision { sequence: 1, content: snapshot.content.clone(), commit: None };
        let mut desired = manifest::load(&snapshot, revision).desired;
        let mut environment = desired.environments[&"dev".parse().unwrap()].as_ref().clone();
        let probe = HttpProbe {
            url: Text::literal(format!("https://{}/health", self.host)),
            expect: 200,
            body: Some("\"UP\"".to_owned()),
            tls: Tls::Verify,
            timeout: Duration::from_secs(2),
        };
        let readiness = Readiness { check: Check::Http(probe), within: self.within };
        environment.ready.insert(key("s0"), vec![readiness]);
        desired.environments = BTreeMap::from([(environment.name.clone(), Arc::new(environment))]);
        desired
    }

    fn controller(&self) -> Controller {
        let store = Store::on(&self.disk, &self.cx).unwrap();
        let controller = Controller::new(self.cx.clone(), Arc::new(self.cloud.clone()), store, Arc::new(|_, _| {}));
        let controller = controller.resyncing_every(RESYNC).probing(Arc::new(self.cloud.clone()));
        controller.board.publish(self.desired(), &BTreeSet::new());
        controller
    }

    /// The daemon starts, runs for so long, and is gone.
    fn run(&self, duration: Duration) {
        let controller = self.controller();
        let over = async {
            tokio::select! {
                biased;
                ended = tend_all(&controller, Until::Stopped) => panic!("{ended:?}"),
                () = self.cx.sleep(duration) => {}
            }
        };
        self.clock.drive(over).expect("a deadlock");
    }

    fn glance(&self) -> Looked {
        let controller = self.controller();
        let desired = self.desired();
        let environment = Arc::clone(&desired.environments[&"dev".parse().unwrap()]);
        self.clock.drive(controller.glance(&desired, &environment)).unwrap().unwrap()
    }

    fn has(&self, stack: &str) -> bool {
        self.cloud.inventory().stacks.iter().any(|record| record.state.name.as_str().ends_with(stack))
    }

    fn condition(&self, kind: ConditionType) -> (ConditionStatus, String) {
        let looked = self.glance();
        let list = StatusList::of([(&looked.plan, &looked.memory)]);
        let status = list.items.into_iter().find(|status| status.object == "dev/stack/s0").unwrap();
        let condition = status.conditions.into_iter().find(|condition| condition.kind == kind).unwrap();
        (condition.status, condition.reason)
    }
}

fn key(name: &str) -> Key {
    format!("dev/stack/{name}").parse().unwrap()
}

/// A check whose URL is the machine's metadata, which would answer. What is wrong with that, if it is asked.
pub(crate) fn play_planted(planted: bool) -> Vec<String> {
    plant(planted.then_some(Bug::ProbesAnywhere));
    let mut wrong = Vec::new();
    // A number is an address too.
    for host in ["169.254.169.254", "2852039166", "127.1"] {
        let world = World::of(host, Duration::from_mins(30), up());
        world.run(Duration::from_mins(10));
        if world.has("s1") {
            wrong.push(format!("S26 reach: {host} was asked"));
        }
    }
    plant(None);
    wrong
}

#[test]
fn a_dependant_begins_when_the_check_holds_and_not_before() {
    let world = World::new(Duration::from_mins(30), Site::Refuses);
    world.run(Duration::from_mins(10));
    assert!(world.has("s0") && !world.has("s1"));
    let looked = world.glance();
    let waiting = &looked.plan.entries[&key("s0")].waiting;
    let Waiting::Readiness { check, why, overdue: false, .. } = &waiting[0] else { panic!("{waiting:?}") };
    assert_eq!(
        (check.as_str(), why.as_str()),
        ("GET https://app.example.com/health answers 200 with /\"UP\"/", "connection refused")
    );
    assert_eq!(world.condition(ConditionType::Ready), (ConditionStatus::False, "WaitingForReadiness".to_owned()));
    assert_eq!(world.condition(ConditionType::Stalled).0, ConditionStatus::False);
    world.cloud.console(&scope()).set_site(HOST, Some(up()));
    world.run(Duration::from_secs(10));
    assert!(world.has("s1"), "not begun within ten seconds");
    world.run(Duration::from_mins(10));
    assert!(world.glance().plan.entries.values().all(|entry| entry.ready));
    // Then nothing more is done about it (L2), and it is asked on.
    let calls = world.cloud.audit().iter().filter(|call| call.mutating).count();
    world.cloud.console(&scope()).set_site(HOST, Some(Site::Silent));
    world.run(Duration::from_mins(12));
    assert_eq!(world.cloud.audit().iter().filter(|call| call.mutating).count(), calls);
    assert!(!world.glance().plan.entries[&key("s0")].ready);
}

#[test]
fn a_check_that_fails_for_too_long_stalls_its_object_also_over_a_restart() {
    let world = World::new(Duration::from_mins(5), Site::Answers { status: 503, body: String::new() });
    for _ in 0..4 {
        world.run(Duration::from_mins(2));
    }
    assert_eq!(world.condition(ConditionType::Stalled), (ConditionStatus::True, "NotReady".to_owned()));
    assert!(!world.has("s1"));
    // A person at the terminal does not wait for it for ever.
    let controller = world.controller();
    let tender = Tender::new(&controller, "dev".parse().unwrap(), Goal::Converge, Until::Settled);
    let ended = world.clock.drive(tender.run()).unwrap().unwrap();
    assert!(matches!(ended, Ended::Settled(_)));
    drop(controller);
    world.cloud.console(&scope()).set_site(HOST, Some(up()));
    world.run(Duration::from_mins(1));
    assert!(world.has("s1"));
    assert_eq!(world.condition(ConditionType::Stalled).0, ConditionStatus::False);
}

#[test]
fn a_check_that_cannot_be_made_has_not_failed_and_lets_nothing_begin() {
    let world = World::new(Duration::from_mins(1), Site::OutOfReach);
    world.run(Duration::from_mins(30));
    assert!(!world.has("s1"));
    assert_eq!(world.condition(ConditionType::Ready), (ConditionStatus::Unknown, "ReadFailed".to_owned()));
    assert_eq!(world.condition(ConditionType::Stalled).0, ConditionStatus::False);
}

//! Traffic between two regions: it goes where it was sent, and nothing else moves it (S16, S17).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use landfast::context::{Context, Virtual};
use landfast::controller::{Controller, Until, answer, publish_traffic, tend_all};
use landfast::manifest;
use landfast::model::{
    Declined, Desired, Digest, DnsName, FileContent, Freeze, Granted, HttpRequest, Key, Metric, Reach, Region, Request,
    Revision, Scope, Serving, Snapshot, Tls, TrafficProblem, Wish,
};
use landfast::ports::{Cloud as _, Fence, Probes};
use landfast::report::Progress;
use landfast::sabotage::{Bug, plant};
use landfast::sim::{Call, Fault, FaultPlan, SimCloud, SimConfig, Site, Window};
use landfast::store::{Disk, HoldOrder, Store};

use crate::rig::{RESYNC, scope};

const TEMPLATE: &str = include_str!("../../manifests/performance-mgmt/templates/traffic.yaml");
const EAST: &str = "east.example.net";
const WEST: &str = "west.example.net";
const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

fn environment(mode: &str) -> String {
    format!(
        "apiVersion: landfast/v1
kind: Environment
metadata: {{ name: prod }}
spec:
  system: shop
  account: \"111122223333\"
  region: us-east-1
  include: [app]
  policy: {{ mode: {mode} }}
"
    )
}

/// A pair of records under `name`, whose metric is in `region`.
fn pair(name: &str, region: &str) -> String {
    format!(
        "apiVersion: landfast/v1
kind: Stack
metadata: {{ name: traffic-{name} }}
spec:
  template: traffic-{name}.tpl
  region: {region}
  parameters: {{ Environment: prod, RecordName: {name}.example.com }}
---
apiVersion: landfast/v1
kind: DnsRecord
metadata: {{ name: {name} }}
spec:
  zone: example.com
  name: {name}.example.com
  type: CNAME
  target: {EAST}
  id: primary
  failover: primary
  healthCheck: \"${{stacks.traffic-{name}.outputs.HealthCheckId}}\"
---
apiVersion: landfast/v1
kind: DnsRecord
metadata: {{ name: {name}-standby }}
spec:
  zone: example.com
  name: {name}.example.com
  type: CNAME
  target: {WEST}
  id: standby
  failover: secondary
"
    )
}

/// The manifests of these pairs, with the template that each of them has.
fn desired(mode: &str, pairs: &[(&str, &str)], template: &str) -> Desired {
    let mut files = vec![("prod.yaml".to_owned(), environment(mode))];
    for (name, region) in pairs {
        files.push((format!("app/{name}.yaml"), pair(name, region)));
        let alarm = template.replace("performance-mgmt-traffic", &format!("shop-{name}"));
        files.push((format!("app/traffic-{name}.tpl"), alarm));
    }
    let content = |(path, text): (String, String)| (path, FileContent::Bytes(text.as_bytes().into()));
    let snapshot = Snapshot::new("manifests", files.into_iter().map(content).collect(), None);
    let revision = Revision { sequence: 1, content: Digest::of_bytes(mode.as_bytes()), commit: None };
    let loaded = manifest::load(&snapshot, revision);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    loaded.desired
}

/// Two regions, a zone and the journal of a daemon, which runs when it is told to.
struct World {
    clock: Virtual,
    cx: Context,
    cloud: SimCloud,
    disk: Disk,
    desired: Desired,
    told: Arc<Mutex<Vec<Progress>>>,
}

impl World {
    /// One pair, deployed.
    fn new() -> Self {
        Self::of(TEMPLATE)
    }

    fn of(template: &str) -> Self {
        Self::with(&[("api", "us-west-2")], template)
    }

    fn with(pairs: &[(&str, &str)], template: &str) -> Self {
        let clock = Virtual::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
        let cx = Context::simulated(&clock, 3);
        let cloud = SimCloud::new(cx.clone(), SimConfig::default());
        let console = cloud.console(&scope());
        console.create_zone("example.com", false).unwrap();
        for host in [EAST, WEST] {
            console.set_site(host, Some(Site::Answers { status: 200, body: host.to_owned() }));
        }
        let desired = desired("apply", pairs, template);
        let world = Self { clock, cx, cloud, disk: Disk::new(), desired, told: Arc::default() };
        world.run(20 * MINUTE);
        for (name, _) in pairs {
            assert_eq!(world.answers(name), EAST);
        }
        world
    }

    fn controller(&self) -> Controller {
        let store = Store::on(&self.disk, &self.cx).unwrap();
        let told = Arc::clone(&self.told);
        let listener = Arc::new(move |_, progress: &Progress| told.lock().unwrap().push(progress.clone()));
        let controller = Controller::new(self.cx.clone(), Arc::new(self.cloud.clone()), store, listener);
        let controller = controller.resyncing_every(RESYNC);
        controller.board.publish(self.desired.clone(), &BTreeSet::new());
        controller
    }

    /// The daemon runs for so long, and is gone.
    fn run(&self, duration: Duration) {
        let controller = self.controller();
        self.drive(&controller, duration);
    }

    fn drive(&self, controller: &Controller, duration: Duration) {
        let run = async {
            tokio::select! {
                biased;
                ended = tend_all(controller, Until::Stopped) => panic!("{ended:?}"),
                never = publish_traffic(controller) => match never {},
                () = self.cx.sleep(duration) => {}
            }
        };
        self.clock.drive(run).expect("a deadlock");
    }

    /// Nobody runs for so long.
    fn pass(&self, duration: Duration) {
        self.clock.drive(self.cx.sleep(duration)).expect("a deadlock");
    }

    /// A person sends the traffic of a name somewhere, beside a daemon or without one.
    fn ask(&self, store: &Store, name: &str, to: Serving) -> Result<Granted, Declined> {
        let environment = &self.desired.environments[&"prod".parse().unwrap()];
        let region: Region = if name == "web" { "eu-west-1" } else { "us-west-2" }.parse().unwrap();
        let wish = Wish::Send { to, region, because: "a drill".to_owned() };
        let id = format!("{name} {to} {}", self.cx.now());
        let request = Request { id, key: key(name), wish, by: "ada".to_owned(), at: self.cx.now() };
        answer(store, environment, &request, self.cx.now()).unwrap()
    }

    fn send(&self, name: &str, to: Serving) {
        self.ask(&Store::on(&self.disk, &self.cx).unwrap(), name, to).unwrap();
    }

    /// Which region answers at a public name, asked as a client would.
    fn answers(&self, name: &str) -> String {
        let request = HttpRequest {
            url: format!("https://{name}.example.com/"),
            expect: 200,
            body: None,
            tls: Tls::Verify,
            timeout: Duration::from_secs(5),
        };
        let answer = self.clock.drive(self.cloud.get(&request, &Reach::default())).unwrap().unwrap();
        String::from_utf8(answer.body).unwrap()
    }

    /// What else than the metric could move the traffic of a name.
    fn problems(&self, name: &str) -> Vec<TrafficProblem> {
        let controller = self.controller();
        let memory = controller.store().memory(&"prod".parse().unwrap()).unwrap();
        let place = memory.objects.records[&key(name)].place.clone().unwrap();
        let environment = &self.desired.environments[&"prod".parse().unwrap()];
        let look = controller.look_at_traffic(&self.desired, environment, &place);
        self.clock.drive(look).unwrap().1.problems
    }

    fn published(&self) -> Vec<Call> {
        let calls = self.cloud.audit().into_iter();
        calls.filter(|call| call.operation == "PutMetricData").collect()
    }
}

fn key(name: &str) -> Key {
    format!("prod/dnsrecord/{name}").parse().unwrap()
}

fn lost(region: &str) -> FaultPlan {
    let scope = Scope { account: "111122223333".parse().unwrap(), region: region.parse().unwrap() };
    let window = Window {
        from: Duration::ZERO,
        until: Duration::MAX,
        scope: Some(scope),
        operations: BTreeSet::new(),
        fault: Fault::Hang,
    };
    FaultPlan { windows: vec![window], ..FaultPlan::default() }
}

#[test]
fn traffic_goes_where_it_is_sent_and_comes_back_without_a_call_to_a_control_plane() {
    let world = World::new();
    assert_eq!(world.problems("api"), []);
    assert!(world.published().is_empty(), "nobody has sent traffic anywhere");
    // The primary's region is lost, and with it the control plane of Route 53.
    world.cloud.set_faults(lost("us-east-1"));
    for (to, serves) in [(Serving::Standby, WEST), (Serving::Primary, EAST), (Serving::Standby, WEST)] {
        let before = world.cloud.calls();
        world.send("api", to);
        world.run(3 * MINUTE);
        assert_eq!(world.answers("api"), serves);
        let applied = |call: &&Call| call.index >= before && call.applied;
        let calls: Vec<_> = world.cloud.audit().into_iter().filter(|call| applied(&call)).collect();
        let west = |call: &Call| call.scope.region.as_str() == "us-west-2";
        assert!(!calls.is_empty() && calls.iter().all(west), "{calls:#?}");
        assert!(calls.iter().filter(|call| call.mutating).all(|call| call.operation == "PutMetricData"), "{calls:#?}");
    }
}

#[test]
fn what_was_sent_is_published_at_once_and_once_a_minute_and_not_after_a_stop() {
    let world = World::new();
    let controller = world.controller();
    world.drive(&controller, 10 * MINUTE);
    let began = world.cx.now();
    let told = async {
        world.cx.sleep(Duration::from_secs(7)).await;
        world.ask(controller.store(), "api", Serving::Standby).unwrap();
        controller.board.wake();
        world.cx.sleep(10 * MINUTE).await;
        controller.stop();
        world.cx.sleep(10 * MINUTE).await;
    };
    let run = async {
        tokio::select! {
            biased;
            never = publish_traffic(&controller) => match never {},
            () = told => {}
        }
    };
    world.clock.drive(run).unwrap();
    let at: Vec<_> = world.published().iter().map(|call| call.at.duration_since(began).as_secs()).collect();
    assert_eq!(at.len(), 10, "{at:?}");
    assert!((7..9).contains(&at[0]) && at.windows(2).all(|two| (60..63).contains(&(two[1] - two[0]))), "{at:?}");
}

#[test]
fn an_operator_that_is_dead_for_a_day_moves_nothing() {
    for (to, serves) in [(Serving::Standby, WEST), (Serving::Primary, EAST)] {
        let world = World::new();
        world.send("api", to);
        world.run(3 * MINUTE);
        for _ in 0..24 {
            assert_eq!(world.answers("api"), serves);
            world.pass(Duration::from_hours(1));
        }
        world.run(3 * MINUTE);
        assert_eq!(world.answers("api"), serves);
    }
}

/// S17: whoever else publishes the metric moves traffic for minutes at most.
fn play_meddling(planted: bool) -> Vec<String> {
    let world = World::new();
    world.send("api", Serving::Standby);
    plant(planted.then_some(Bug::PublishesOnce));
    let controller = world.controller();
    let meddle = async {
        world.cx.sleep(3 * MINUTE).await;
        let west = Scope { region: "us-west-2".parse().unwrap(), ..scope() };
        let metric = Metric::of_traffic(&DnsName::new("api.example.com"));
        let fence = Fence { epoch: 0, revision: 0 };
        world.cloud.metrics(&west, None).put(fence, &metric, Serving::Primary.value()).await.unwrap();
        world.cx.sleep(3 * MINUTE).await;
    };
    let run = async {
        tokio::select! {
            biased;
            never = publish_traffic(&controller) => match never {},
            () = meddle => {}
        }
    };
    world.clock.drive(run).unwrap();
    plant(None);
    let moved = world.answers("api") != WEST;
    moved.then(|| "S17 moved: traffic stays where somebody else has sent it".to_owned()).into_iter().collect()
}

/// S17: of a pair that something else can move, it is not said that the metric decides alone.
fn play_lying(planted: bool) -> Vec<String> {
    let from = "InsufficientDataHealthStatus: LastKnownStatus";
    let template = TEMPLATE.replace(from, "InsufficientDataHealthStatus: Healthy");
    assert_ne!(template, TEMPLATE);
    let world = World::of(&template);
    plant(planted.then_some(Bug::TrustsAnyHealthCheck));
    let problems = world.problems("api");
    plant(None);
    world.send("api", Serving::Standby);
    world.run(3 * MINUTE);
    assert_eq!(world.answers("api"), WEST);
    world.pass(DAY);
    let moved = world.answers("api") != WEST;
    assert!(moved, "without data this check is healthy");
    problems
        .is_empty()
        .then(|| "S17 moved: traffic moved while nobody ran, and nothing said so".to_owned())
        .into_iter()
        .collect()
}

/// Where nobody is known to have sent traffic anywhere, it stays where it is.
#[test]
fn a_journal_that_is_lost_moves_nothing() {
    let mut world = World::new();
    world.send("api", Serving::Standby);
    world.run(3 * MINUTE);
    world.disk = Disk::new();
    world.run(20 * MINUTE);
    assert_eq!(world.answers("api"), WEST);
}

/// Plays one of them for [`crate::planted`], with the bug that it finds or without.
pub(crate) fn play_planted(bug: Bug, planted: bool) -> Vec<String> {
    match bug {
        Bug::PublishesOnce => play_meddling(planted),
        _ => play_lying(planted),
    }
}

#[test]
fn a_region_that_does_not_answer_delays_no_other_and_is_told_once_until_it_answers_again() {
    let world = World::with(&[("api", "us-west-2"), ("web", "eu-west-1")], TEMPLATE);
    world.cloud.set_faults(lost("us-west-2"));
    world.send("api", Serving::Standby);
    world.send("web", Serving::Standby);
    let controller = world.controller();
    world.told.lock().unwrap().clear();
    let script = async {
        world.cx.sleep(30 * MINUTE).await;
        world.cloud.clear_faults();
        world.cx.sleep(3 * MINUTE).await;
    };
    let run = async {
        tokio::select! {
            biased;
            never = publish_traffic(&controller) => match never {},
            () = script => {}
        }
    };
    world.clock.drive(run).unwrap();
    let told = |of: &str| -> Vec<String> {
        let told = world.told.lock().unwrap();
        let about = told.iter().filter(|progress| progress.key() == Some(&key(of)));
        about.map(|progress| progress.message().unwrap()).collect()
    };
    assert_eq!(told("web"), ["traffic goes to the standby: its metric is published"]);
    let [failing, recovered] = &told("api")[..] else { panic!("{:?}", told("api")) };
    assert!(failing.contains("cannot be published: PutMetricData failed"), "{failing}");
    assert!(recovered.contains("is published again after "), "{recovered}");
    let published = world.published();
    let others = published.iter().filter(|call| call.scope.region.as_str() == "eu-west-1" && call.applied);
    let at: Vec<_> = others.map(|call| call.at.as_second()).collect();
    assert!(at.len() > 30 && at.windows(2).all(|two| two[1] - two[0] < 63), "{at:?}");
    assert_eq!((world.answers("api").as_str(), world.answers("web").as_str()), (WEST, WEST));
}

#[test]
fn only_what_can_move_traffic_and_may_be_changed_is_sent() {
    let mut world = World::new();
    let store = || Store::on(&world.disk, &world.cx).unwrap();
    assert_eq!(world.ask(&store(), "api-standby", Serving::Standby), Err(Declined::NotPrimary));
    let freeze = Freeze {
        id: "f1".to_owned(),
        scope: "prod".parse().unwrap(),
        by: "bob".to_owned(),
        because: "an audit".to_owned(),
        at: world.cx.now(),
        until: None,
        after: 0,
        thawed: None,
    };
    store().order(HoldOrder::Freeze(Box::new(freeze))).unwrap();
    assert!(matches!(world.ask(&store(), "api", Serving::Standby), Err(Declined::Frozen { .. })));
    let thaw = HoldOrder::Thaw { freezes: vec!["f1".to_owned()], by: "bob".to_owned(), at: world.cx.now() };
    store().order(thaw).unwrap();
    world.ask(&store(), "api", Serving::Standby).unwrap();
    // An environment that is only observed gets no call that changes something (S11).
    world.desired = desired("observe", &[("api", "us-west-2")], TEMPLATE);
    world.run(10 * MINUTE);
    assert!(world.published().is_empty());
    let store = Store::on(&world.disk, &world.cx).unwrap();
    assert_eq!(world.ask(&store, "api", Serving::Standby), Err(Declined::OnlyObserved));
}

//! A service whose image follows a repository, in virtual time: through ECS itself, and through the stack that owns it.
//! What may never happen is watched by [`crate::images`] (S14, S21) and [`crate::monitor`].

mod crash;
mod creations;
mod incidents;
mod reads;
mod staged;
mod ways;

use std::collections::BTreeMap;
use std::time::Duration;

use landfast::model::{
    Deployed, DeploymentConfiguration, Ended, Entry, ImageDigest, Refusal, RolloutCause, RolloutOutcome,
    ServiceDeploymentStatus, ServiceMemory, TaskStatus,
};
use landfast::sabotage::{Bug, plant};
use landfast::sim::{ImageBehaviour, NewService};

use crate::fleet::{Fleet, REPOSITORY, Web};
use crate::images::{brings, web};
use crate::rig::{RESYNC, Rig};

const MINUTE: Duration = Duration::from_mins(1);
const REGISTRY: &str = "111122223333.dkr.ecr.us-east-1.amazonaws.com";

/// How images get into the service, and whether ECS gives a failing deployment up by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct How {
    stack: bool,
    breaker: bool,
}

const DIRECT: How = How { stack: false, breaker: false };
const STACK: How = How { stack: true, breaker: false };

/// How an image can be no good, and what is said of it then.
const NO_GOOD: [(ImageBehaviour, RolloutCause); 3] = [
    (ImageBehaviour::CannotBePulled, RolloutCause::Pull),
    (ImageBehaviour::Crashes, RolloutCause::Crash),
    (ImageBehaviour::NeverHealthy, RolloutCause::Health),
];

/// A cloud, a daemon, and the service `web` with version 1.0.0 of its image.
struct World {
    rig: Rig,
    first: ImageDigest,
    /// Digests by version.
    versions: BTreeMap<String, ImageDigest>,
}

impl World {
    /// Version 1.0.0 runs, and was proven to.
    fn new(how: How) -> Self {
        Self::with(how, "", |_| ())
    }

    /// The same, deployed in another way: as a template says it, and as ECS does.
    fn with(how: How, strategy: &str, configure: impl FnOnce(&mut DeploymentConfiguration)) -> Self {
        let web_of = Web {
            stack: how.stack,
            breaker: how.breaker,
            select: "semver: '1'".to_owned(),
            strategy: strategy.to_owned(),
            beside: String::new(),
        };
        let rig = Rig::new(11, Fleet::of_service(web_of), None);
        rig.console().create_repository(REPOSITORY);
        let mut world = Self { rig, first: format!("sha256:{:064}", 0).parse().unwrap(), versions: BTreeMap::new() };
        world.first = world.push("1.0.0", ImageBehaviour::Runs);
        if !how.stack {
            let image = format!("{REGISTRY}/{REPOSITORY}:1.0.0");
            let definition = world.rig.console().register_task_definition("web", &[("web", &image)]).unwrap();
            let request = NewService {
                desired: 3,
                circuit_breaker: how.breaker,
                rollback: how.breaker,
                ..NewService::new("shop", "web", definition)
            };
            world.rig.console().create_service(&request).unwrap();
        }
        world.rig.start();
        world.run(20 * MINUTE);
        world.scale(3);
        world.run(2 * MINUTE);
        assert_eq!(world.last().map(|last| last.outcome), Some(RolloutOutcome::Proven), "{:?}", world.memory());
        if !how.stack {
            world.rig.console().configure_service(&web(), configure);
        }
        world
    }

    /// Pushes a version, newer than all before.
    fn push(&mut self, version: &str, behaviour: ImageBehaviour) -> ImageDigest {
        let console = self.rig.console();
        let digest = console.push_image(REPOSITORY, version, &[version], None).unwrap();
        console.set_image_behaviour(&digest, behaviour);
        let bad = behaviour != ImageBehaviour::Runs;
        self.rig.truth.images.pushed(&digest, bad, self.rig.cx.now());
        self.versions.insert(version.to_owned(), digest.clone());
        digest
    }

    fn scale(&self, desired: u32) {
        self.rig.console().scale_service(&web(), desired);
        let service = self.rig.console().service(&web()).unwrap();
        self.rig.truth.images.scaled(&service, desired);
    }

    /// Lets time pass. A daemon that dies on the way is started again at once.
    fn run(&mut self, duration: Duration) {
        let end = self.rig.cx.elapsed() + duration;
        while self.rig.cx.elapsed() < end {
            self.rig.pass(end - self.rig.cx.elapsed()).unwrap();
            if self.rig.died {
                self.rig.start();
            }
        }
    }

    /// Lets time pass until something is so, and says how long that took.
    fn until(&mut self, most: Duration, so: impl Fn(&Self) -> bool) -> Duration {
        let began = self.rig.cx.elapsed();
        while !so(self) {
            assert!(self.rig.cx.elapsed() - began < most, "not within {most:?}: {:#?}", self.memory());
            self.run(Duration::from_secs(5));
        }
        self.rig.cx.elapsed() - began
    }

    fn memory(&self) -> ServiceMemory {
        let controller = self.rig.controller().expect("the daemon runs");
        let memory = controller.store().memory(&"dev".parse().unwrap()).unwrap();
        let key = "dev/service/web".parse().unwrap();
        memory.objects.services.get(&key).map(|memory| ServiceMemory::clone(memory)).unwrap_or_default()
    }

    /// What a person writes into the journal with `landfast rollback` and `landfast quarantine release`.
    fn person(&self, change: impl FnOnce(&mut ServiceMemory)) {
        let controller = self.rig.controller().expect("the daemon runs");
        let key: landfast::model::Key = "dev/service/web".parse().unwrap();
        let record = landfast::store::Record::new(key.clone(), 1, "person", landfast::store::RecordOutcome::Done);
        controller.store().update_with(&key, record, None, change).unwrap();
    }

    /// What a plan made now says of an object.
    fn entry(&self, object: &str) -> Entry {
        let controller = self.rig.controller().expect("the daemon runs");
        let desired = controller.board.desired();
        let environment = &desired.environments[&"dev".parse().unwrap()];
        let looked = self.rig.clock.drive(controller.glance(&desired, environment)).unwrap().unwrap();
        looked.plan.entries[&object.parse().unwrap()].clone()
    }

    /// What the plan refuses to do to it, and what would release it.
    fn refused(&self) -> Vec<Refusal> {
        self.entry("dev/service/web").refused
    }

    fn last(&self) -> Option<Ended> {
        self.memory().last
    }

    /// The digest that every running task has, if there is one.
    fn runs(&self) -> Option<ImageDigest> {
        let service = self.rig.console().service(&web())?;
        let tasks = self.rig.console().service_tasks(&web());
        let steady = tasks.len() == usize::try_from(service.desired).unwrap()
            && tasks.iter().all(|task| task.status == TaskStatus::Running);
        let first = tasks.first()?.containers[0].digest.clone();
        first.filter(|digest| steady && tasks.iter().all(|task| task.containers[0].digest.as_ref() == Some(digest)))
    }

    /// Deployments of a digest so far.
    fn deployments(&self, digest: &ImageDigest) -> Vec<Deployed> {
        let all = self.rig.console().service_deployments(&web());
        all.into_iter().filter(|deployed| brings(deployed, digest)).collect()
    }

    /// Task definitions that name a digest.
    fn definitions(&self, digest: &ImageDigest) -> usize {
        let console = self.rig.console();
        // Inactive ones too.
        let all = (1..).map_while(|revision: u32| console.task_definition(&format!("web:{revision}")));
        all.filter(|found| found.containers[0].image.ends_with(digest.as_str())).count()
    }

    /// Every rule that was broken so far.
    fn wrong(&self) -> Vec<String> {
        let mut wrong = self.rig.truth.blames();
        wrong.extend(self.rig.truth.images.wrong(&self.rig.console()));
        // What is called proven was brought by a deployment that succeeded.
        for release in &self.memory().releases {
            let digest = &release.images["web"].digest;
            let succeeded = |found: &Deployed| found.state.status == ServiceDeploymentStatus::Successful;
            if !self.deployments(digest).iter().any(succeeded) {
                wrong
                    .push(format!("S14 proof: {} is called proven, and no deployment of it succeeded", digest.short()));
            }
        }
        wrong
    }

    #[track_caller]
    fn is_right(&self) {
        assert_eq!(self.wrong(), Vec::<String>::new());
    }

    /// L2: two resyncs without a call that changes anything.
    #[track_caller]
    fn is_quiet(&mut self) {
        self.run(RESYNC * 2);
        let before = self.rig.truth.mutations();
        self.run(RESYNC * 2);
        assert_eq!(self.rig.truth.mutations(), before, "L2 silence: {:#?}", self.memory());
        self.is_right();
    }
}

/// What breaks when a bug is planted: the rules, by their first words. Nothing, without it.
pub(crate) fn play_planted(bug: Bug, planted: bool) -> Vec<String> {
    let mut world = match bug {
        Bug::BakeIsHopeless => staged::blue_green(DIRECT, 60),
        Bug::HookIsHopeless => staged::hooked(DIRECT, "POST_SCALE_UP", 40, true),
        _ => World::new(DIRECT),
    };
    plant(planted.then_some(bug));
    match bug {
        Bug::GoesBack => {
            let newer = world.push("1.1.0", ImageBehaviour::Runs);
            world.run(20 * MINUTE);
            world.rig.console().delete_image(REPOSITORY, &newer);
        }
        Bug::SteadyIsSuccess => {
            world.rig.console().configure_service(&web(), |configuration| {
                configuration.circuit_breaker = true;
                configuration.circuit_breaker_rollback = true;
            });
            world.push("1.1.0", ImageBehaviour::NeverHealthy);
        }
        Bug::BakeIsHopeless | Bug::HookIsHopeless => _ = world.push("1.1.0", ImageBehaviour::Runs),
        _ => _ = world.push("1.1.0", ImageBehaviour::CannotBePulled),
    }
    world.run(120 * MINUTE);
    let mut wrong = world.wrong();
    let good = matches!(bug, Bug::BakeIsHopeless | Bug::HookIsHopeless);
    if good && world.runs().as_ref() != world.versions.get("1.1.0") {
        wrong.push(format!("S14 watched: an image without a fault was taken back: {:?}", world.last()));
    }
    plant(None);
    wrong
}

fn failed(last: &Ended) -> (RolloutOutcome, Option<RolloutCause>) {
    (last.outcome, last.evidence.cause)
}

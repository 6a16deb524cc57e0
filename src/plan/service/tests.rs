//! Decisions on services, from observations made by hand. Each incident is named after where it happened.

mod collect;
mod direct;
mod platform;
mod restart;
mod stack;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::deliver::ROLLOUT_TAG;
use super::select::spec_digest;
use crate::model::*;
use crate::plan::{Goal, Input, OWNER_TAG, lint, needs, plan};

const KEY: &str = "dev/service/api";

fn at(minute: i64) -> Timestamp {
    "2026-01-01T12:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minute)
}

fn scope() -> Scope {
    Scope { account: "111122223333".parse().unwrap(), region: "us-east-1".parse().unwrap() }
}

fn digest(version: u8) -> ImageDigest {
    format!("sha256:{version:064x}").parse().unwrap()
}

fn uri(version: u8) -> String {
    format!("111122223333.dkr.ecr.us-east-1.amazonaws.com/app@{}", digest(version))
}

fn definition_arn(revision: u32) -> TaskDefinitionArn {
    format!("arn:aws:ecs:us-east-1:111122223333:task-definition/api:{revision}").parse().unwrap()
}

fn image_spec() -> ImageSpec {
    ImageSpec {
        registry: None,
        repository: "app".to_owned(),
        select: Select::Semver("1".to_owned()),
        prereleases: false,
        soak: Duration::ZERO,
        allow: Vec::new(),
        deny: Vec::new(),
        moved: MovedTag::Report,
        also_in: std::collections::BTreeSet::new(),
    }
}

fn decision(version: u8) -> Decision {
    Decision {
        registry: scope().account,
        repository: "app".to_owned(),
        tag: Some(format!("1.{version}.0")),
        digest: digest(version),
        pushed: at(-600 + i64::from(version)),
        why: "because".to_owned(),
        spec: spec_digest(&image_spec()),
        revision: 1,
        at: at(-60),
    }
}

fn intended(version: u8) -> BTreeMap<String, ImageDigest> {
    BTreeMap::from([("app".to_owned(), digest(version))])
}

fn decisions(version: u8) -> BTreeMap<String, Decision> {
    BTreeMap::from([("app".to_owned(), decision(version))])
}

fn release(version: u8, revision: u32) -> Release {
    Release { images: decisions(version), task_definition: definition_arn(revision), at: at(-50) }
}

/// One service that is deployed through ECS, and everything that can be seen of it.
struct World {
    spec: ServiceSpec,
    memory: ServiceMemory,
    images: Seen<Arc<[ImageState]>>,
    /// What the registry of `us-west-2` has, once that was read.
    standby: Option<Seen<Arc<[ImageState]>>>,
    /// What versions were built for; of the others that is not said.
    platforms: BTreeMap<u8, Seen<Option<Vec<Platform>>>>,
    /// Versions of which it has not been read what they were built for.
    unread: BTreeSet<u8>,
    /// Versions that are an index.
    indices: BTreeSet<u8>,
    runs_on: RuntimePlatform,
    /// Revisions of the task definition that carry our tag.
    ours: BTreeSet<u32>,
    service: ServiceState,
    definitions: BTreeMap<u32, u8>,
    deployments: Vec<Deployed>,
    tasks: TasksSeen,
    /// The stack that owns the service, where one does: its image parameter, its status, and what is remembered of it.
    stack: Option<(String, StackStatus, StackMemory)>,
    /// What is remembered of a secret, and whether the stack carries somebody else's tag.
    secret: Option<SecretMemory>,
    foreign_stack: bool,
    mode: Mode,
    now: Timestamp,
}

impl World {
    /// Version 1 runs in revision 1 of its task definition, and was proven to.
    fn new() -> Self {
        let spec = ServiceSpec {
            key: KEY.parse().unwrap(),
            scope: scope(),
            cluster: Text::literal("dev"),
            service: Text::literal("api"),
            images: BTreeMap::from([("app".to_owned(), image_spec())]),
            delivery: Delivery::Direct,
            rollout: RolloutSpec { timeout: Duration::from_mins(15), on_failure: RolloutFailure::Rollback },
            revisions_kept: 5,
            adopt: false,
            depends_on: BTreeSet::new(),
            digest: Digest::of("manifest"),
        };
        let memory =
            ServiceMemory { decisions: decisions(1), releases: vec![release(1, 1)], ..ServiceMemory::default() };
        let mut world = Self {
            spec,
            memory,
            images: Seen::Absent,
            standby: None,
            platforms: BTreeMap::new(),
            unread: BTreeSet::new(),
            indices: BTreeSet::new(),
            runs_on: RuntimePlatform::default(),
            ours: BTreeSet::new(),
            service: service(),
            definitions: BTreeMap::from([(1, 1)]),
            deployments: Vec::new(),
            tasks: TasksSeen::default(),
            stack: None,
            secret: None,
            foreign_stack: false,
            mode: Mode::Apply,
            now: at(0),
        };
        world.push(&[1]);
        world.deploy("ecs-svc/1", 1, 1, RolloutState::Completed);
        world.run(1, 1, 2);
        world
    }

    fn push(&mut self, versions: &[u8]) {
        let image = |version: &u8| ImageState {
            digest: digest(*version),
            tags: BTreeSet::from([format!("1.{version}.0")]),
            pushed: decision(*version).pushed,
            media_type: self.indices.contains(version).then(|| "application/vnd.oci.image.index.v1+json".to_owned()),
            bytes: None,
            archived: false,
        };
        self.images = Seen::Present(versions.iter().map(image).collect::<Vec<_>>().into());
    }

    /// The primary deployment brings this revision of the task definition, which has this version of the image.
    fn deploy(&mut self, id: &str, revision: u32, version: u8, rollout: RolloutState) {
        self.definitions.insert(revision, version);
        self.service.task_definition = Some(definition_arn(revision));
        self.service.deployments = vec![DeploymentState {
            id: id.to_owned(),
            status: DeploymentStatus::Primary,
            task_definition: definition_arn(revision),
            desired: 2,
            running: 2,
            pending: 0,
            failed_tasks: 0,
            rollout: Some(rollout),
            rollout_reason: None,
            created: Some(at(-30)),
            updated: None,
        }];
    }

    fn record(&mut self, id: u32, revision: u32, version: u8, status: ServiceDeploymentStatus, minute: i64) {
        let arn = |sort: &str| format!("arn:aws:ecs:us-east-1:111122223333:{sort}/dev/api/{id}");
        let target: ServiceRevisionArn = arn("service-revision").parse().unwrap();
        let state = ServiceDeploymentState {
            arn: arn("service-deployment").parse().unwrap(),
            service: service().arn,
            status,
            status_reason: None,
            stage: None,
            sources: Vec::new(),
            target: Some(target.clone()),
            circuit_breaker: None,
            alarms: None,
            rollback: None,
            created: at(minute),
            started: Some(at(minute)),
            finished: status.is_final().then(|| at(minute + 1)),
            stopped: None,
        };
        let image = ContainerImage { container: "app".to_owned(), image: uri(version), digest: Some(digest(version)) };
        let target = ServiceRevisionState {
            arn: target,
            service: service().arn,
            task_definition: Some(definition_arn(revision)),
            images: vec![image],
            created: None,
        };
        self.deployments.insert(0, Deployed { state, target: Some(target) });
    }

    fn run(&mut self, revision: u32, version: u8, count: u32) {
        self.tasks.running = (0..count).map(|index| task(index, revision, version)).collect();
    }

    fn stop(&mut self, revision: u32, version: u8, count: u32, code: &str, reason: &str) {
        let stopped = |index| TaskState {
            status: TaskStatus::Stopped,
            stop_code: Some(code.to_owned()),
            stopped_reason: Some(reason.to_owned()),
            stopped: Some(at(1)),
            ..task(100 + index, revision, version)
        };
        self.tasks.stopped = (0..count).map(stopped).collect();
    }

    /// The rollout of a version that was decided at `minute`, in a revision of the task definition that was registered
    /// for it.
    fn roll_out(&mut self, version: u8, revision: u32) {
        self.memory.decisions = decisions(version);
        let rollout = Rollout {
            token: Some("token".to_owned()),
            task_definition: Some(definition_arn(revision)),
            begun: Some(at(0)),
            replaces: Some("ecs-svc/1".to_owned()),
            ..Rollout::open(intended(version), 1, at(0))
        };
        self.memory.rollout = Some(rollout);
    }

    fn observation(&self) -> Observation {
        let mut seen = ServicesSeen::default();
        let reference = ServiceRef { cluster: "dev".to_owned(), service: "api".to_owned() };
        let here = (scope(), reference);
        seen.images.insert((scope(), image_spec().repository()), self.images.clone());
        if let Some(standby) = &self.standby {
            let there = Scope { region: "us-west-2".parse().unwrap(), ..scope() };
            seen.images.insert((there, image_spec().repository()), standby.clone());
        }
        for version in (0..=9).filter(|version| !self.unread.contains(version)) {
            let at = (scope(), image_spec().repository(), digest(version));
            let platforms = self.platforms.get(&version).cloned().unwrap_or(Seen::Present(None));
            seen.platforms.insert(at, platforms);
        }
        seen.services.insert(here.clone(), Seen::Present(self.service.clone()));
        seen.deployments.insert(here.clone(), Seen::Present(self.deployments.clone()));
        seen.tasks.insert(here, Seen::Present(self.tasks.clone()));
        for (revision, version) in &self.definitions {
            let definition = TaskDefinitionState {
                arn: definition_arn(*revision),
                status: TaskDefinitionStatus::Active,
                containers: vec![ContainerDefinition {
                    name: "app".to_owned(),
                    image: uri(*version),
                    essential: true,
                    log: None,
                }],
                platform: self.runs_on.clone(),
                tags: self.ours.get(revision).map(|_| (OWNER_TAG.to_owned(), KEY.to_owned())).into_iter().collect(),
                registered: None,
            };
            seen.task_definitions.insert((scope(), definition_arn(*revision)), Seen::Present(definition));
        }
        let mut observation = Observation { services: seen, ..Observation::begun(self.now) };
        observation.listings.insert(scope(), Ok(()));
        if let Some((image, status, _)) = &self.stack {
            let mut stack = ObservedStack::listed(stack_state(image, *status));
            if self.foreign_stack {
                stack.state.tags.clear();
            }
            let change_sets = ChangeSets { all: Seen::Present(Vec::new()), described: Some(Seen::Absent) };
            stack.change_sets = Some(Box::new(change_sets));
            stack.events.insert(stack.state.id.clone(), Seen::Present([].into()));
            observation.conclusions.insert(stack_key(), Seen::Present(Conclusion::Running));
            observation.stacks.insert(stack_spec().address(), stack);
        }
        observation
    }

    fn entry(&self) -> Entry {
        self.plan().entries[&self.spec.key].clone()
    }

    /// The plan, made from all that it needs.
    fn plan(&self) -> Plan {
        let (plan, needs) = self.planned();
        assert_eq!(needs, BTreeSet::new(), "everything that matters is in the observation");
        plan
    }

    fn planned(&self) -> (Plan, BTreeSet<Need>) {
        let policy = Policy {
            mode: self.mode,
            prune: Prune::Confirm,
            replace: Replace::Deny,
            broaden: crate::model::Broaden::Approve,
            budget: Budget { stacks: 9, replacements: 0, deletions: 0, per: Duration::from_hours(1) },
            stack_name: ".*".to_owned(),
            required_tags: BTreeSet::new(),
            stateful_types: BTreeSet::new(),
            stateless_types: BTreeSet::new(),
            backup_max_age: Duration::from_hours(24),
            drift: crate::model::DriftAction::Report,
            drift_every: None,
        };
        let environment = Environment {
            name: "dev".parse().unwrap(),
            system: "x".to_owned(),
            scope: scope(),
            role: None,
            tags: BTreeMap::new(),
            policy,
            windows: std::sync::Arc::default(),
            limits: crate::model::Limits::default(),
            template_bucket: None,
            stacks: self.stack.iter().map(|_| (stack_key(), Arc::new(stack_spec()))).collect(),
            services: BTreeMap::from([(self.spec.key.clone(), Arc::new(self.spec.clone()))]),
            secrets: BTreeMap::new(),
            records: BTreeMap::new(),
            backups: BTreeMap::new(),
            ready: BTreeMap::new(),
            gaps: crate::model::Gaps::default(),
            older_than: None,
        };
        let revision = Revision { sequence: 1, content: Digest::of("files"), commit: None };
        let environment = Arc::new(environment);
        let desired =
            Desired { revision, environments: BTreeMap::from([(environment.name.clone(), Arc::clone(&environment))]) };
        let services = BTreeMap::from([(self.spec.key.clone(), Arc::new(self.memory.clone()))]);
        let stacks = self.stack.iter().map(|(_, _, memory)| (stack_key(), Arc::new(memory.clone()))).collect();
        let secrets = self.secret.iter().map(|memory| (secret_key(), Arc::new(memory.clone()))).collect();
        let memory = Memory {
            fingerprint_key: FingerprintKey::new([1; 32]),
            objects: Objects { stacks, services, secrets, ..Objects::default() }.into(),
            spent: Vec::new(),
            consent: None,
            freezes: std::sync::Arc::default(),
            reviews: std::sync::Arc::default(),
        };
        let observation = self.observation();
        let busy = BTreeSet::new();
        let input = Input {
            desired: &desired,
            environment: &environment,
            observation: &observation,
            memory: &memory,
            now: self.now,
            goal: Goal::Converge,
            busy: &busy,
        };
        let plan = plan(&input);
        assert_eq!(lint(&plan, &input), []);
        (plan, needs(&input))
    }

    /// The same service, owned by a stack that was deployed with version 1.
    fn in_a_stack() -> Self {
        let mut world = Self::new();
        let parameters = BTreeMap::from([("app".to_owned(), "Image".to_owned())]);
        world.spec.delivery = Delivery::Stack { stack: stack_key(), parameters };
        world.spec.depends_on = BTreeSet::from([stack_key()]);
        // As in real manifests: what the service is called is an output of the stack that has it.
        world.spec.service = Text::new([Part::Output(OutputRef { stack: stack_key(), output: "Name".to_owned() })]);
        world.service.tags.clear();
        let state = stack_state(&uri(1), StackStatus::UpdateComplete);
        let template = Some((state.version(), stack_spec().template.facts.clone()));
        world.stack = Some((uri(1), StackStatus::UpdateComplete, StackMemory { template, ..StackMemory::default() }));
        world
    }

    /// The stack's entry.
    fn stack(&self) -> Entry {
        self.plan().entries[&stack_key()].clone()
    }

    /// The stack as it is while an update of ours brings a version, or afterwards.
    fn stack_is(&mut self, version: u8, status: StackStatus) {
        let Some((image, now, memory)) = &mut self.stack else { panic!() };
        (*image, *now) = (uri(version), status);
        memory.pending = status.is_in_progress().then(|| {
            Box::new(Operation {
                kind: OperationKind::Update,
                token: "token".to_owned(),
                stack: None,
                change_set: None,
                inputs: Digest::of("inputs"),
                no_echo: BTreeMap::new(),
                skip: std::collections::BTreeSet::new(),
                started: at(0),
                revision: 1,
                writes: crate::model::Writes::Nothing,
                from: None,
                answered: None,
            })
        });
    }

    fn step(&self) -> Option<ServiceDo> {
        match self.entry().step?.action {
            Do::Service(step) => Some(step.action),
            other => panic!("{other:?}"),
        }
    }

    fn ended(&self) -> (RolloutOutcome, Evidence, BTreeSet<ImageDigest>) {
        match self.step() {
            Some(ServiceDo::Conclude { ended, quarantine, .. }) => {
                (ended.outcome, ended.evidence, quarantine.into_keys().collect())
            }
            other => panic!("not concluded: {other:?}"),
        }
    }
}

fn secret_key() -> Key {
    "dev/secret/app".parse().unwrap()
}

fn stack_key() -> Key {
    "dev/stack/api".parse().unwrap()
}

fn stack_spec() -> StackSpec {
    let parameter = TemplateParameter {
        kind: "String".to_owned(),
        default: None,
        no_echo: false,
        allowed_values: Vec::new(),
        allowed_pattern: None,
    };
    let image = ImageParameter { service: KEY.parse().unwrap(), container: "app".to_owned() };
    let spec = fixtures::spec("api", &[]);
    let parameters = BTreeMap::from([("Image".to_owned(), parameter)]);
    StackSpec {
        digest: OnceDigest::default(),
        scope: scope(),
        stack_name: "dev-x-api".parse().unwrap(),
        template: Arc::new(Template { parameters, ..(*spec.template).clone() }),
        images: SmallMap::from([("Image".to_owned(), image)]),
        ..spec
    }
}

fn stack_state(image: &str, status: StackStatus) -> StackState {
    let output = Output { value: "api".to_owned(), export: None };
    StackState {
        id: "arn:aws:cloudformation:us-east-1:111122223333:stack/dev-x-api/1".parse().unwrap(),
        name: "dev-x-api".parse().unwrap(),
        status,
        status_reason: None,
        created: at(-900),
        updated: None,
        stored: SmallMap::new(),
        parameters: SmallMap::from([("Image".to_owned(), image.to_owned())]),
        tags: SmallMap::from([(OWNER_TAG.to_owned(), stack_key().to_string())]),
        outputs: SmallMap::from([("Name".to_owned(), output)]),
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

fn service() -> ServiceState {
    ServiceState {
        arn: "arn:aws:ecs:us-east-1:111122223333:service/dev/api".parse().unwrap(),
        name: "api".to_owned(),
        cluster: "arn:aws:ecs:us-east-1:111122223333:cluster/dev".parse().unwrap(),
        status: ServiceStatus::Active,
        created: Some(at(-1_000)),
        desired: 2,
        running: 2,
        pending: 0,
        task_definition: None,
        deployments: Vec::new(),
        current_deployment: None,
        configuration: DeploymentConfiguration::default(),
        controller: DeploymentController::Ecs,
        target_groups: BTreeSet::new(),
        tags: BTreeMap::from([(OWNER_TAG.to_owned(), KEY.to_owned())]),
        events: Vec::new(),
    }
}

fn task(index: u32, revision: u32, version: u8) -> TaskState {
    TaskState {
        arn: format!("arn:aws:ecs:us-east-1:111122223333:task/dev/{index:032x}").parse().unwrap(),
        task_definition: definition_arn(revision),
        status: TaskStatus::Running,
        health: TaskHealth::Unknown,
        stop_code: None,
        stopped_reason: None,
        started_by: None,
        created: Some(at(0)),
        started: Some(at(0)),
        stopped: None,
        containers: vec![ContainerState {
            name: "app".to_owned(),
            image: None,
            digest: Some(digest(version)),
            exit_code: None,
            reason: None,
            health: TaskHealth::Unknown,
            runtime_id: None,
        }],
    }
}

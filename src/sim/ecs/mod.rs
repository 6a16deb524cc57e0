//! ECS and ECR, simulated: what exists in one account and region.
//!
//! A service moves when something is due in it ([`Due::Service`]): a task has been pulled, has started, has become
//! healthy or has failed. Between two such moments nothing changes, and nothing is on the agenda of a service that is
//! steady. Times are what users report (a pull of 20 s, health after 30 s) and decide only how long a rollout is.

mod calls;
mod console;
mod lookup;
mod registry;
mod rollout;
mod scheduler;
mod stacks;
mod stages;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub(super) use calls::page;
pub use console::{ImageBehaviour, NewService};
pub(super) use registry::config_of;
pub(super) use stacks::Standing;
pub use stages::LifecycleHook;

use super::spelling::partition;
use crate::model::{
    AlarmSeen, DeploymentState, DeploymentStatus, DeploymentStrategy, ImageDigest, ImageState, LogLine, Platform,
    Scope, ServiceArn, ServiceDeploymentArn, ServiceDeploymentState, ServiceRevisionArn, ServiceRevisionState,
    ServiceState, TargetHealth, TaskDefinitionState, TaskState,
};
use crate::ports::{Class, PortError};

/// What one account has of it in one region.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Ecs {
    pub(super) clusters: BTreeSet<String>,
    /// By ARN. Deleted ones stay, as `INACTIVE`.
    pub(super) services: BTreeMap<ServiceArn, Service>,
    /// By family, in the order of their revisions.
    pub(super) definitions: BTreeMap<String, Vec<TaskDefinitionState>>,
    pub(super) repositories: BTreeMap<String, Repository>,
    /// Tags that a build pushes to a repository as soon as there is one.
    pub(super) builds: BTreeMap<String, BTreeSet<String>>,
    /// How containers of an image fare, where they do not simply run.
    pub(super) behaviours: BTreeMap<ImageDigest, ImageBehaviour>,
    /// By `group|stream`.
    pub(super) logs: BTreeMap<String, Vec<LogLine>>,
    pub(super) alarms: BTreeMap<String, AlarmSeen>,
    /// Target groups whose health was set by hand.
    pub(super) targets: BTreeMap<String, Vec<TargetHealth>>,
}

/// A repository of ECR.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Repository {
    /// Nobody cares what is in it: any image can be pulled. So are those that stacks make, until one is pushed:
    /// what the demo's templates name was never built.
    pub(super) lenient: bool,
    pub(super) images: BTreeMap<ImageDigest, Image>,
}

/// An image in it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Image {
    pub(super) state: ImageState,
    /// What its manifest names, where that is an index.
    pub(super) platforms: Option<Vec<Platform>>,
    /// What the configuration of a single image says.
    pub(super) built_for: Option<Platform>,
}

/// A service.
#[derive(Serialize, Deserialize)]
pub(super) struct Service {
    /// What AWS says of it, but for what follows from tasks and rollouts ([`Service::told`]).
    pub(super) state: ServiceState,
    pub(super) rollouts: Vec<Rollout>,
    /// Every change of it, the oldest first.
    pub(super) records: Vec<ServiceDeploymentState>,
    pub(super) revisions: Vec<ServiceRevisionState>,
    /// Running ones, and those that stopped within the last hour.
    pub(super) tasks: Vec<Task>,
    /// The last revision that was deployed completely: where a rollback leads.
    pub(super) completed: Option<ServiceRevisionArn>,
    /// Tells what is on the agenda from what was.
    pub(super) serial: u64,
    /// When a stack last asked for something of it.
    pub(super) asked: Timestamp,
    /// What decides on its deployments, by the name of the stage.
    #[serde(default)]
    pub(super) hooks: BTreeMap<String, LifecycleHook>,
    /// It has a listener for test traffic.
    #[serde(default)]
    pub(super) test_traffic: bool,
    #[serde(skip)]
    pub(super) history: VecDeque<(Timestamp, ServiceState)>,
}

/// A deployment, and what is behind it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Rollout {
    pub(super) deployment: DeploymentState,
    pub(super) revision: ServiceRevisionArn,
    /// The record of the change that it is part of.
    pub(super) record: ServiceDeploymentArn,
    /// It brings an older revision back after a failure.
    pub(super) going_back: bool,
    /// A task of it has reached `RUNNING`.
    pub(super) ran: bool,
    /// No task is started before.
    pub(super) not_before: Option<Timestamp>,
    /// No task is started any more.
    pub(super) given_up: bool,
    /// How far it is, where it is a second set of tasks; and when that stage ends by itself.
    #[serde(default)]
    pub(super) stage: Option<(Stage, Option<Timestamp>)>,
    /// It was stopped where it is; and when that is done.
    #[serde(default)]
    pub(super) stops: Option<Timestamp>,
}

/// How far a deployment with a second set of tasks is (AWS: *Deployment lifecycle stages*). Until the last one, the first
/// set is kept whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Stage {
    /// Asked for; nothing is started.
    PreScaleUp,
    /// Its tasks are started.
    ScaleUp,
    /// They run, and have no traffic.
    PostScaleUp,
    /// Test traffic moves to them.
    TestShift,
    /// They have it.
    PostTestShift,
    /// The traffic moves, at once or in steps.
    Shift,
    /// It has moved.
    PostShift,
    /// It has all traffic, and is watched.
    Bake,
    /// The first set is stopped.
    CleanUp,
    /// It is to be taken back: the traffic moves back.
    Back,
}

impl Stage {
    fn as_str(self) -> &'static str {
        match self {
            Self::PreScaleUp => "PRE_SCALE_UP",
            Self::ScaleUp => "SCALE_UP",
            Self::PostScaleUp => "POST_SCALE_UP",
            Self::TestShift => "TEST_TRAFFIC_SHIFT",
            Self::PostTestShift => "POST_TEST_TRAFFIC_SHIFT",
            Self::PostShift => "POST_PRODUCTION_TRAFFIC_SHIFT",
            Self::Shift | Self::Back => "PRODUCTION_TRAFFIC_SHIFT",
            Self::Bake => "BAKE_TIME",
            Self::CleanUp => "CLEAN_UP",
        }
    }
}

/// A task, and when something happens to it next.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) state: TaskState,
    pub(super) next: Option<(Timestamp, TaskEvent)>,
    /// It has run for as long as it takes to be called steady.
    pub(super) steady: bool,
}

/// What happens to a task next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum TaskEvent {
    /// Its images are pulled, or not.
    Pulled,
    /// It is healthy and counts.
    Steady,
    /// Its container exits.
    Exits,
    /// Its health check has failed often enough.
    Unhealthy,
}

impl Task {
    pub(super) fn is_alive(&self) -> bool {
        self.state.stopped.is_none()
    }

    pub(super) fn is_of(&self, rollout: &Rollout) -> bool {
        self.state.started_by.as_ref() == Some(&rollout.deployment.id)
    }
}

impl Service {
    /// What `DescribeServices` says.
    pub(super) fn told(&self) -> ServiceState {
        let mut state = self.state.clone();
        state.deployments = self.rollouts.iter().map(|rollout| rollout.deployment.clone()).collect();
        state.running = state.deployments.iter().map(|deployment| deployment.running).sum();
        state.pending = state.deployments.iter().map(|deployment| deployment.pending).sum();
        state.current_deployment = self.records.last().map(|record| record.arn.clone());
        // AWS keeps a hundred; twenty is what the port promises.
        state.events.truncate(20);
        state.configuration.hooks = self.hooks.keys().cloned().collect();
        state
    }

    /// It is deployed with a second set of tasks.
    pub(super) fn is_staged(&self) -> bool {
        !matches!(self.state.configuration.strategy, None | Some(DeploymentStrategy::Rolling))
    }

    pub(super) fn primary(&self) -> Option<usize> {
        self.rollouts.iter().position(|rollout| rollout.deployment.status == DeploymentStatus::Primary)
    }

    pub(super) fn revision(&self, arn: &ServiceRevisionArn) -> Option<&ServiceRevisionState> {
        self.revisions.iter().find(|revision| revision.arn == *arn)
    }
}

/// An ARN of ECS in this region.
pub(super) fn arn<T: std::str::FromStr<Err = crate::model::InvalidName>>(
    scope: &Scope,
    rest: &str,
) -> Result<T, PortError> {
    let (partition, _) = partition(scope.region.as_str());
    let text = format!("arn:{partition}:ecs:{}:{}:{rest}", scope.region, scope.account);
    text.parse().map_err(|error: crate::model::InvalidName| {
        PortError::new(Class::Invalid, "ECS", error.to_string()).with_code("InvalidParameterException")
    })
}

/// A name or ARN without what is before the last `/`.
pub(super) fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

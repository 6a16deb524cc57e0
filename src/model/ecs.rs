//! ECS as AWS describes it: services, their deployments and revisions.
//!
//! Two words are easily confused. A *deployment* (`ecs-svc/…`) is a line of a service: tasks of one revision that are
//! being started or stopped. A *service deployment* (an ARN) is the record of one change of a service, kept for 90
//! days: it alone says how that change ended.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::aws::{InvalidName, identifier};
use super::{ImageDigest, TaskDefinitionArn};

identifier! {
    /// The ARN of a cluster.
    ClusterArn, "the ARN of an ECS cluster",
    |text| is_arn(text, ":cluster/")
}

identifier! {
    /// The ARN of a service. A service that is deleted and created again under its name has the same one.
    ServiceArn, "the ARN of an ECS service",
    |text| is_arn(text, ":service/")
}

identifier! {
    /// The ARN of a service deployment: the record of one change of a service.
    ServiceDeploymentArn, "the ARN of a service deployment",
    |text| is_arn(text, ":service-deployment/")
}

identifier! {
    /// The ARN of a service revision: what was deployed, with every default and digest filled in.
    ServiceRevisionArn, "the ARN of a service revision",
    |text| is_arn(text, ":service-revision/")
}

pub(super) fn is_arn(text: &str, sort: &str) -> bool {
    text.starts_with("arn:") && text.contains(":ecs:") && text.contains(sort)
}

/// Which service: each part by name or by ARN.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServiceRef {
    /// Its cluster.
    pub cluster: String,
    /// The service.
    pub service: String,
}

impl ServiceRef {
    /// That of a service deployment: `arn:aws:ecs:REGION:ACCOUNT:service-deployment/CLUSTER/SERVICE/ID`.
    #[must_use]
    pub fn of_deployment(arn: &str) -> Option<Self> {
        let (cluster, rest) = arn.split_once(":service-deployment/")?.1.split_once('/')?;
        let (service, _) = rest.split_once('/')?;
        Some(Self { cluster: cluster.to_owned(), service: service.to_owned() })
    }
}

impl fmt::Display for ServiceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", last(&self.cluster), last(&self.service))
    }
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $rule:literal, { $($(#[$about:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$about])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// As AWS writes it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(InvalidName::new(text, $rule)),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(super) use words;

words! {
    /// Whether a service exists (AWS: *`Service`*, `status`).
    ServiceStatus, "a status of an ECS service", {
        /// It does.
        Active = "ACTIVE",
        /// It is being deleted, and its tasks are being stopped.
        Draining = "DRAINING",
        /// It was deleted. AWS still tells of it for a while.
        Inactive = "INACTIVE",
    }
}

words! {
    /// What a deployment is to its service (AWS: *`Deployment`*, `status`).
    DeploymentStatus, "a status of an ECS deployment", {
        /// The newest one.
        Primary = "PRIMARY",
        /// An older one with tasks that are being replaced.
        Active = "ACTIVE",
        /// Replaced completely.
        Inactive = "INACTIVE",
    }
}

words! {
    /// How far a rolling deployment is (AWS: *`Deployment`*, `rolloutState`).
    RolloutState, "a rollout state of an ECS deployment", {
        /// Under way. Without a circuit breaker it may stay so for ever.
        InProgress = "IN_PROGRESS",
        /// The service has reached a steady state with it.
        Completed = "COMPLETED",
        /// The circuit breaker or an alarm gave it up.
        Failed = "FAILED",
    }
}

words! {
    /// How a service is deployed (AWS: *`DeploymentConfiguration`*, `strategy`).
    DeploymentStrategy, "a deployment strategy of ECS", {
        /// Tasks are replaced few by few.
        Rolling = "ROLLING",
        /// A second set of tasks takes over all traffic at once.
        BlueGreen = "BLUE_GREEN",
        /// A second set of tasks takes over traffic in equal steps.
        Linear = "LINEAR",
        /// A second set of tasks takes over a little traffic, and then the rest.
        Canary = "CANARY",
    }
}

words! {
    /// Who deploys a service (AWS: *`DeploymentController`*, `type`).
    DeploymentController, "a deployment controller of ECS", {
        /// ECS itself.
        Ecs = "ECS",
        /// `CodeDeploy`: `UpdateService` may not change the task definition.
        CodeDeploy = "CODE_DEPLOY",
        /// Somebody else, with task sets.
        External = "EXTERNAL",
    }
}

words! {
    /// What became of a change of a service (AWS: *`ServiceDeployment`*, `status`).
    ServiceDeploymentStatus, "a status of an ECS service deployment", {
        /// Not begun.
        Pending = "PENDING",
        /// Under way.
        InProgress = "IN_PROGRESS",
        /// It succeeded.
        Successful = "SUCCESSFUL",
        /// It was stopped, or failed with nothing to go back to.
        Stopped = "STOPPED",
        /// It is being stopped.
        StopRequested = "STOP_REQUESTED",
        /// It will go back to the revision before.
        RollbackRequested = "ROLLBACK_REQUESTED",
        /// It goes back to the revision before.
        RollbackInProgress = "ROLLBACK_IN_PROGRESS",
        /// The revision before runs again.
        RollbackSuccessful = "ROLLBACK_SUCCESSFUL",
        /// Going back failed too.
        RollbackFailed = "ROLLBACK_FAILED",
    }
}

impl ServiceDeploymentStatus {
    /// Nothing more happens to it.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Successful | Self::Stopped | Self::RollbackSuccessful | Self::RollbackFailed)
    }
}

words! {
    /// What the circuit breaker or the alarms of a service deployment do.
    MonitorStatus, "a status of a deployment's circuit breaker or alarms", {
        /// They gave the deployment up.
        Triggered = "TRIGGERED",
        /// They watch.
        Monitoring = "MONITORING",
        /// The deployment ended without them.
        Complete = "MONITORING_COMPLETE",
        /// They are off.
        Disabled = "DISABLED",
    }
}

words! {
    /// How a service deployment is stopped (AWS: *`StopServiceDeployment`*, `stopType`).
    StopDeployment, "a way to stop an ECS service deployment", {
        /// Back to the revision before.
        Rollback = "ROLLBACK",
        /// As it is.
        Abort = "ABORT",
    }
}

/// What `DescribeServices` says of one service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceState {
    /// Its ARN.
    pub arn: ServiceArn,
    /// Its name.
    pub name: String,
    /// Its cluster.
    pub cluster: ClusterArn,
    /// Whether it exists.
    pub status: ServiceStatus,
    /// When it was created: tells one service from its successor of the same name.
    pub created: Option<Timestamp>,
    /// How many tasks are wanted now. Often an autoscaler's: read, never written.
    pub desired: u32,
    /// How many run.
    pub running: u32,
    /// How many are being started.
    pub pending: u32,
    /// What it is to run; `None` where task sets say so.
    pub task_definition: Option<TaskDefinitionArn>,
    /// Its deployments, as AWS orders them: the newest first.
    pub deployments: Vec<DeploymentState>,
    /// The service deployment that is under way, or the last one, where AWS names it.
    pub current_deployment: Option<ServiceDeploymentArn>,
    /// How it is deployed.
    pub configuration: DeploymentConfiguration,
    /// Who deploys it.
    pub controller: DeploymentController,
    /// ARNs of the target groups that its tasks are registered with.
    pub target_groups: BTreeSet<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The newest events, the newest first.
    pub events: Vec<ServiceEvent>,
}

impl ServiceState {
    /// The newest deployment.
    #[must_use]
    pub fn primary(&self) -> Option<&DeploymentState> {
        self.deployments.iter().find(|deployment| deployment.status == DeploymentStatus::Primary)
    }

    /// It, or a deployment of it, has this task definition.
    #[must_use]
    pub fn uses(&self, definition: &TaskDefinitionArn) -> bool {
        let deployed = self.deployments.iter().map(|deployment| &deployment.task_definition);
        deployed.chain(&self.task_definition).any(|used| used == definition)
    }
}

/// One deployment of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentState {
    /// Its id: `ecs-svc/1234567890123456789`. Its tasks carry it as who started them.
    pub id: String,
    /// What it is to the service.
    pub status: DeploymentStatus,
    /// What its tasks are made of.
    pub task_definition: TaskDefinitionArn,
    /// How many of its tasks are wanted.
    pub desired: u32,
    /// How many run.
    pub running: u32,
    /// How many are being started.
    pub pending: u32,
    /// How many failed in a row: those that stopped before they ran, and those that never became healthy.
    pub failed_tasks: u32,
    /// How far it is; `None` where ECS does not deploy the service.
    pub rollout: Option<RolloutState>,
    /// AWS's words for it.
    pub rollout_reason: Option<String>,
    /// When it started.
    pub created: Option<Timestamp>,
    /// When something was last said of it.
    pub updated: Option<Timestamp>,
}

/// How a service is deployed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentConfiguration {
    /// The strategy; `None` where AWS does not say, or says one that this version does not know.
    pub strategy: Option<DeploymentStrategy>,
    /// The circuit breaker gives a failing deployment up.
    pub circuit_breaker: bool,
    /// And goes back to the last one that was completed.
    pub circuit_breaker_rollback: bool,
    /// Alarms that give a deployment up; empty where they are switched off.
    pub alarms: BTreeSet<String>,
    /// And go back.
    pub alarm_rollback: bool,
    /// At least so many percent of the tasks stay healthy.
    pub minimum_healthy_percent: Option<u32>,
    /// At most so many percent of the tasks exist.
    pub maximum_percent: Option<u32>,
    /// Minutes for which both sets of tasks are kept after the traffic has moved.
    pub bake_minutes: Option<u32>,
    /// Minutes that a linear or canary deployment waits while the traffic moves: after each step, added up.
    pub shift_minutes: Option<u32>,
    /// Lifecycle stages in which hooks decide whether it goes on (AWS: *`DeploymentLifecycleHook`*).
    #[serde(default)]
    pub hooks: BTreeSet<String>,
}

impl DeploymentConfiguration {
    /// For how long a deployment only waits, because its strategy says so. That is no sign of anything.
    #[must_use]
    pub fn waits(&self) -> SignedDuration {
        if self.strategy == Some(DeploymentStrategy::Rolling) {
            return SignedDuration::ZERO;
        }
        let minutes = [self.shift_minutes, self.bake_minutes].into_iter().flatten().map(i64::from).sum();
        SignedDuration::from_mins(minutes)
    }
}

/// Minutes that a linear deployment waits while the traffic moves: after each of its steps of so many percent (AWS:
/// *`LinearConfiguration`*, of 3 percent or more).
#[must_use]
pub fn linear_minutes(percent: f64, minutes: u32) -> u32 {
    let (mut moved, mut waited) = (0.0, 0_u32);
    while moved < 99.95 {
        moved += percent.max(1.0);
        waited = waited.saturating_add(minutes);
    }
    waited
}

/// What a service says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceEvent {
    /// Its id.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// AWS's words.
    pub message: String,
}

/// A line of `ListServiceDeployments`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceDeploymentSummary {
    /// Its ARN.
    pub arn: ServiceDeploymentArn,
    /// What became of it.
    pub status: ServiceDeploymentStatus,
    /// Why, in AWS's words.
    pub status_reason: Option<String>,
    /// What it brings.
    pub target: Option<ServiceRevisionArn>,
    /// When it was asked for.
    pub created: Timestamp,
    /// When it started.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
}

/// A service deployment: one change of a service, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceDeploymentState {
    /// Its ARN.
    pub arn: ServiceDeploymentArn,
    /// The service.
    pub service: ServiceArn,
    /// What became of it.
    pub status: ServiceDeploymentStatus,
    /// Why, in AWS's words.
    pub status_reason: Option<String>,
    /// How far a deployment with a second set of tasks is, in AWS's words: `SCALE_UP`, `BAKE_TIME` and others.
    pub stage: Option<String>,
    /// The revisions that it replaces.
    pub sources: Vec<ServiceRevisionArn>,
    /// What it brings.
    pub target: Option<ServiceRevisionArn>,
    /// The circuit breaker.
    pub circuit_breaker: Option<CircuitBreakerState>,
    /// The alarms.
    pub alarms: Option<AlarmsState>,
    /// The way back, once it was taken.
    pub rollback: Option<RollbackState>,
    /// When it was asked for.
    pub created: Timestamp,
    /// When it started.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// When it was stopped: by somebody, or because it failed and there was no way back.
    pub stopped: Option<Timestamp>,
}

/// What the circuit breaker of a service deployment has counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CircuitBreakerState {
    /// What it does.
    pub status: MonitorStatus,
    /// Failures so far.
    pub failures: u32,
    /// Failures at which it gives up.
    pub threshold: u32,
}

/// What the alarms of a service deployment do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmsState {
    /// What they do.
    pub status: MonitorStatus,
    /// Those that went off.
    pub triggered: BTreeSet<String>,
}

/// How a service deployment went back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackState {
    /// Why.
    pub reason: Option<String>,
    /// Since when.
    pub started: Option<Timestamp>,
    /// To what.
    pub to: Option<ServiceRevisionArn>,
}

/// A service revision: what was deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRevisionState {
    /// Its ARN.
    pub arn: ServiceRevisionArn,
    /// The service.
    pub service: ServiceArn,
    /// The task definition.
    pub task_definition: Option<TaskDefinitionArn>,
    /// The images.
    pub images: Vec<ContainerImage>,
    /// When it was created.
    pub created: Option<Timestamp>,
}

/// The image of a container in a service revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerImage {
    /// The container.
    pub container: String,
    /// The image as the task definition names it.
    pub image: String,
    /// What that meant when it was deployed; `None` until AWS has resolved it, and where it does not.
    pub digest: Option<ImageDigest>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strategy_waits_for_as_long_as_its_steps_and_its_bake_time_say() {
        assert_eq!(linear_minutes(10.0, 6), 60);
        assert_eq!(linear_minutes(30.0, 5), 20);
        assert_eq!(linear_minutes(100.0, 5), 5);
        let of = |strategy| DeploymentConfiguration {
            strategy: Some(strategy),
            bake_minutes: Some(30),
            shift_minutes: Some(10),
            ..DeploymentConfiguration::default()
        };
        assert_eq!(of(DeploymentStrategy::Canary).waits(), SignedDuration::from_mins(40));
        assert_eq!(of(DeploymentStrategy::Rolling).waits(), SignedDuration::ZERO);
        assert_eq!(DeploymentConfiguration::default().waits(), SignedDuration::ZERO);
    }

    #[test]
    fn every_word_reads_back_and_nothing_else() {
        for status in ServiceDeploymentStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
        }
        assert_eq!(ServiceDeploymentStatus::ALL.iter().filter(|status| status.is_final()).count(), 4);
        assert!("SOMETHING_NEW".parse::<ServiceDeploymentStatus>().is_err());
        assert!("arn:aws:ecs:r:1:service-deployment/c/s/x".parse::<ServiceArn>().is_err());
        assert!("arn:aws-cn:ecs:r:1:service/c/s".parse::<ServiceArn>().is_ok());
    }
}

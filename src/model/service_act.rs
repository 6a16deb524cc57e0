//! What is seen of services, what has to be known of them, and what is done to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::{
    Act, Address, Attempts, Decision, Digest, Doom, Ended, ImageDigest, ImageState, Key, LogLine, LogStream, Platform,
    Quarantined, Release, Repository, Rollout, Scope, Seen, ServiceArn, ServiceDeploymentArn, ServiceDeploymentState,
    ServiceRef, ServiceRevisionState, ServiceState, StopDeployment, TargetHealth, TaskDefinitionArn,
    TaskDefinitionState, TaskState, VersionId,
};

/// An image, and where it is.
type ImageAt = (Scope, Repository, ImageDigest);

/// What was seen of services and images.
#[derive(Clone, Debug, Default)]
pub struct ServicesSeen {
    /// All images of a repository. Absent: there is no such repository.
    pub images: BTreeMap<(Scope, Repository), Seen<Arc<[ImageState]>>>,
    /// What images were built for, where that is said.
    pub platforms: BTreeMap<ImageAt, Seen<Option<Vec<Platform>>>>,
    /// Services.
    pub services: BTreeMap<(Scope, ServiceRef), Seen<ServiceState>>,
    /// Task definitions.
    pub task_definitions: BTreeMap<(Scope, TaskDefinitionArn), Seen<TaskDefinitionState>>,
    /// Service deployments of a service since some moment, the newest first.
    pub deployments: BTreeMap<(Scope, ServiceRef), Seen<Vec<Deployed>>>,
    /// Tasks of a service.
    pub tasks: BTreeMap<(Scope, ServiceRef), Seen<TasksSeen>>,
    /// Targets of a target group.
    pub targets: BTreeMap<(Scope, String), Seen<Vec<TargetHealth>>>,
    /// The last lines of a log.
    pub logs: BTreeMap<(Scope, LogStream), Seen<Vec<LogLine>>>,
}

impl ServicesSeen {
    /// The service at an address, if it was asked for.
    #[must_use]
    pub fn at(&self, address: &Address) -> Option<(&ServiceRef, &Seen<ServiceState>)> {
        let mut services = self.services.iter();
        let found =
            services.find(|((scope, service), _)| *scope == address.scope && service.to_string() == *address.name);
        found.map(|((_, service), seen)| (service, seen))
    }
}

/// A service deployment, and what it brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// The service deployment.
    pub state: ServiceDeploymentState,
    /// Its target revision, where AWS still tells of it.
    pub target: Option<ServiceRevisionState>,
}

/// Tasks of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TasksSeen {
    /// Those that are to run.
    pub running: Vec<TaskState>,
    /// Those that have stopped, within the last hour.
    pub stopped: Vec<TaskState>,
}

/// What must be known to decide on a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServiceNeed {
    /// All images of a repository.
    Images(Scope, Repository),
    /// What an image was built for.
    Platforms(Scope, Repository, ImageDigest),
    /// A service.
    Service(Scope, ServiceRef),
    /// A task definition.
    TaskDefinition(Scope, TaskDefinitionArn),
    /// Service deployments of a service that were asked for since then, and their target revisions.
    Deployments(Scope, ServiceRef, Timestamp),
    /// Tasks of a service, running and stopped.
    Tasks(Scope, ServiceRef),
    /// Targets of a target group.
    Targets(Scope, String),
    /// The last lines of a log.
    Log(Scope, LogStream),
}

impl From<ServiceNeed> for super::Need {
    fn from(need: ServiceNeed) -> Self {
        Self::Service(need)
    }
}

/// A step on a service.
#[derive(Clone, Debug)]
pub struct ServiceStep {
    /// The service, where it is known which.
    pub service: Option<ServiceRef>,
    /// What to do.
    pub action: ServiceDo,
}

/// The deployment that must still be the primary one, with this task definition (invariant S5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Primary {
    /// Its id.
    pub id: String,
    /// Its task definition.
    pub task_definition: TaskDefinitionArn,
}

/// What is done to a service.
#[derive(Clone, Debug)]
pub enum ServiceDo {
    /// Writes down which images it is to run.
    Decide {
        /// By container.
        decisions: BTreeMap<String, Decision>,
        /// What has to be brought there, if anything.
        rollout: Option<Box<Rollout>>,
        /// The pin no longer holds: Git has moved the manifest.
        unpin: bool,
    },
    /// Marks the service as ours.
    Own {
        /// The service.
        arn: ServiceArn,
        /// Our tags.
        tags: BTreeMap<String, String>,
    },
    /// Registers a copy of the live task definition with other images.
    Register {
        /// What must still be deployed.
        expect: Primary,
        /// The images that differ, by container.
        images: BTreeMap<String, String>,
        /// Our tags, the token among them by which the copy is found again.
        tags: BTreeMap<String, String>,
        /// Names the copy: the same for the same decision.
        token: String,
    },
    /// Deploys a task definition that we registered.
    Deploy {
        /// What must still be deployed.
        expect: Primary,
        /// What is deployed.
        task_definition: TaskDefinitionArn,
    },
    /// Replaces the tasks by their like: a new deployment of what is deployed.
    Restart {
        /// What must still be deployed.
        expect: Primary,
        /// What is written down of it.
        rollout: Box<Rollout>,
    },
    /// Writes down which versions of secrets the tasks have, and how the restart for them ended.
    Restarted {
        /// All that they are known to have.
        has: BTreeMap<Key, BTreeSet<VersionId>>,
        /// How the restart ended; none where others had replaced the tasks.
        ended: Option<Box<Ended>>,
        /// It has failed, so often.
        failed: Option<Box<Attempts>>,
    },
    /// Writes down that the rollout cannot succeed any more.
    Doom {
        /// Why.
        doom: Box<Doom>,
    },
    /// Stops a service deployment of ours.
    Stop {
        /// Which.
        deployment: ServiceDeploymentArn,
        /// How.
        how: StopDeployment,
    },
    /// Writes down how the rollout ended.
    Conclude {
        /// How.
        ended: Box<Ended>,
        /// Images that are not to be tried again.
        quarantine: BTreeMap<ImageDigest, Quarantined>,
        /// What was proven.
        release: Option<Box<Release>>,
        /// What it is to run from now on, where that is not what was decided.
        back_to: Option<BTreeMap<String, Decision>>,
    },
    /// Deregisters a task definition of ours that nothing can use any more.
    Collect {
        /// Which.
        task_definition: TaskDefinitionArn,
        /// It is inactive already or is not ours any more: it is only forgotten.
        gone: bool,
    },
    /// Writes down that the proven images run in another task definition.
    Renew {
        /// Which.
        task_definition: TaskDefinitionArn,
    },
}

impl Act for ServiceStep {
    fn verb(&self) -> &'static str {
        match self.action {
            ServiceDo::Decide { .. } => "decide",
            ServiceDo::Own { .. } => "own",
            ServiceDo::Register { .. } => "register",
            ServiceDo::Deploy { .. } => "deploy",
            ServiceDo::Restart { .. } => "restart",
            ServiceDo::Restarted { .. } => "restarted",
            ServiceDo::Doom { .. } => "give-up",
            ServiceDo::Stop { .. } => "stop",
            ServiceDo::Conclude { .. } => "conclude",
            ServiceDo::Collect { .. } => "collect",
            ServiceDo::Renew { .. } => "renew",
        }
    }

    fn identity(&self) -> String {
        let with = match &self.action {
            ServiceDo::Decide { decisions, .. } => Digest::of(decisions).to_string(),
            ServiceDo::Own { arn, .. } => arn.to_string(),
            ServiceDo::Register { token, .. } => token.clone(),
            ServiceDo::Deploy { task_definition, .. }
            | ServiceDo::Collect { task_definition, .. }
            | ServiceDo::Renew { task_definition } => task_definition.to_string(),
            ServiceDo::Restart { expect, .. } => expect.id.clone(),
            ServiceDo::Restarted { has, ended, .. } => Digest::of(&(has, ended)).to_string(),
            ServiceDo::Doom { doom } => Digest::of(&doom.evidence).to_string(),
            ServiceDo::Stop { deployment, .. } => deployment.to_string(),
            ServiceDo::Conclude { ended, .. } => Digest::of(ended).to_string(),
        };
        format!("{} {with}", self.verb())
    }

    fn mutates(&self) -> bool {
        match self.action {
            ServiceDo::Own { .. }
            | ServiceDo::Register { .. }
            | ServiceDo::Deploy { .. }
            | ServiceDo::Restart { .. }
            | ServiceDo::Stop { .. } => true,
            ServiceDo::Collect { gone, .. } => !gone,
            ServiceDo::Decide { .. }
            | ServiceDo::Restarted { .. }
            | ServiceDo::Doom { .. }
            | ServiceDo::Conclude { .. }
            | ServiceDo::Renew { .. } => false,
        }
    }

    fn begins_operation(&self) -> bool {
        matches!(self.action, ServiceDo::Deploy { .. } | ServiceDo::Restart { .. })
    }

    fn is_preparation(&self) -> bool {
        !self.mutates()
    }
}

//! What is remembered of a service: what was decided, what is on its way, what was proven, what has failed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AccountId, Attempts, Digest, ImageDigest, Key, Scope, ServiceDeploymentArn, TaskDefinitionArn, TaskDefinitionState,
    VersionId,
};

/// What is remembered of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceMemory {
    /// Which image each container is to run, by container.
    pub decisions: BTreeMap<String, Decision>,
    /// Images that have failed: not tried again until a person releases them.
    pub quarantine: BTreeMap<ImageDigest, Quarantined>,
    /// What was proven to run, newest first, at most [`RELEASES_KEPT`]: what can be gone back to.
    pub releases: Vec<Release>,
    /// Task definitions that we registered and have not deregistered, the oldest first.
    pub registered: Vec<TaskDefinitionArn>,
    /// What a person has gone back to.
    pub pin: Option<Pin>,
    /// What was decided and has not been seen to run, or to fail.
    pub rollout: Option<Rollout>,
    /// How the last rollout ended.
    pub last: Option<Ended>,
    /// Versions of secrets that its tasks are known to have, of those that a restart was asked for.
    pub has: BTreeMap<Key, BTreeSet<VersionId>>,
    /// How often a restart for the same versions has failed.
    pub restart_failed: Option<Attempts>,
    /// What was read of the task definition that runs. A revision never changes (AWS: *Amazon ECS task definitions*), so
    /// that it is good for as long as its ARN is the service's.
    pub definition: Option<TaskDefinitionState>,
}

/// Proven releases that are remembered.
pub const RELEASES_KEPT: usize = 10;

/// Which image a container is to run, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The account that holds the registry.
    pub registry: AccountId,
    /// The repository.
    pub repository: String,
    /// The tag by which it was found.
    pub tag: Option<String>,
    /// The image.
    pub digest: ImageDigest,
    /// When it was pushed.
    pub pushed: Timestamp,
    /// Why it is this one, for people.
    pub why: String,
    /// Digest of the manifest's side of the choice: where that has changed, older images may be chosen too.
    pub spec: Digest,
    /// The sequence of the revision that it was decided for.
    pub revision: u64,
    /// When it was selected.
    pub at: Timestamp,
}

impl Decision {
    /// The image as a task definition names it: by its digest, in the registry of `scope`'s region.
    #[must_use]
    pub fn uri(&self, scope: &Scope) -> String {
        let region = scope.region.as_str();
        let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
        format!("{}.dkr.ecr.{region}.amazonaws.com{suffix}/{}@{}", self.registry, self.repository, self.digest)
    }

    /// How people call it: its tag, or the first digits of its digest.
    #[must_use]
    pub fn name(&self) -> String {
        self.tag.clone().unwrap_or_else(|| self.digest.short().to_owned())
    }
}

/// An image that has failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// The tag by which it was found.
    pub tag: Option<String>,
    /// How it failed.
    pub why: String,
    /// When.
    pub at: Timestamp,
}

/// Images that were proven to run together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// By container.
    pub images: BTreeMap<String, Decision>,
    /// The task definition that they ran in.
    pub task_definition: TaskDefinitionArn,
    /// When it was proven.
    pub at: Timestamp,
}

impl Release {
    /// The digest of each container's image.
    #[must_use]
    pub fn digests(&self) -> BTreeMap<String, ImageDigest> {
        digests(&self.images)
    }
}

/// The digests of some decisions.
#[must_use]
pub fn digests(decisions: &BTreeMap<String, Decision>) -> BTreeMap<String, ImageDigest> {
    decisions.iter().map(|(container, decision)| (container.clone(), decision.digest.clone())).collect()
}

/// Images that a person has gone back to. They hold until Git moves the service's manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// By container.
    pub images: BTreeMap<String, Decision>,
    /// Digest of the service's manifest when it was pinned.
    pub spec: Digest,
    /// Who, as far as known.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Pin {
    /// How people call its images.
    #[must_use]
    pub fn names(&self) -> String {
        self.images.values().map(Decision::name).collect::<Vec<_>>().join(", ")
    }
}

/// Images on their way into a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// What each container is to run.
    pub intended: BTreeMap<String, ImageDigest>,
    /// When that was decided: what had ended by then is not of this rollout.
    pub opened: Timestamp,
    /// The sequence of the revision that it was decided for.
    pub revision: u64,
    /// The token that our task definition is found by again, written down before it is registered.
    pub token: Option<String>,
    /// The task definition that we registered for it.
    pub task_definition: Option<TaskDefinitionArn>,
    /// When the service was told to run it: written down before it is.
    pub begun: Option<Timestamp>,
    /// The deployment (`ecs-svc/…`) that was the primary one then.
    pub replaces: Option<String>,
    /// It cannot succeed any more, and is being stopped.
    pub doomed: Option<Doom>,
    /// It brings no other images: the tasks are replaced by their like, which get the current values of secrets.
    #[serde(default)]
    pub restart: Option<Restart>,
}

/// What a restart is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// The versions that the tasks get, by secret.
    pub versions: BTreeMap<Key, BTreeSet<VersionId>>,
    /// Service deployments that were there before it: none of them is it.
    pub before: BTreeSet<ServiceDeploymentArn>,
}

impl Restart {
    /// Names what is tried: other versions, or other images, are tried at once.
    #[must_use]
    pub fn trial(versions: &BTreeMap<Key, BTreeSet<VersionId>>, intended: &BTreeMap<String, ImageDigest>) -> Digest {
        Digest::of(&(versions, intended))
    }
}

impl Rollout {
    /// A rollout of which nothing was done yet.
    #[must_use]
    pub fn open(intended: BTreeMap<String, ImageDigest>, revision: u64, now: Timestamp) -> Self {
        Self {
            intended,
            opened: now,
            revision,
            token: None,
            task_definition: None,
            begun: None,
            replaces: None,
            doomed: None,
            restart: None,
        }
    }
}

/// Why a rollout cannot succeed any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doom {
    /// How it fails.
    pub cause: RolloutCause,
    /// The service deployment that brings it, where it is known.
    pub deployment: Option<ServiceDeploymentArn>,
    /// Evidence for it.
    pub evidence: Evidence,
    /// When it was recognised.
    pub at: Timestamp,
}

/// How a rollout fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RolloutCause {
    /// The image cannot be pulled.
    Pull,
    /// An essential container ends soon after its start.
    Crash,
    /// The tasks fail their health checks.
    Health,
    /// It takes longer than the manifest allows.
    Timeout,
    /// ECS ended it: the circuit breaker, an alarm, or somebody who stopped it.
    Stopped,
}

/// How a rollout ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// How.
    pub outcome: RolloutOutcome,
    /// What it should have brought.
    pub intended: BTreeMap<String, ImageDigest>,
    /// What people call that, by container.
    #[serde(default)]
    pub images: BTreeMap<String, String>,
    /// When it was selected.
    #[serde(default)]
    pub opened: Option<Timestamp>,
    /// Evidence for it.
    pub evidence: Evidence,
    /// When it was seen to have ended.
    pub at: Timestamp,
}

/// How a rollout ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RolloutOutcome {
    /// Landfast's deployment succeeded, and every running task has the intended digests.
    Proven,
    /// The service was rolled back.
    RolledBack,
    /// Another deployment replaced it.
    Superseded,
    /// No tasks are running, so it is unverified.
    Unproven,
    /// It failed and was not rolled back.
    Failed,
}

/// Evidence of a rollout, as reported by AWS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Evidence {
    /// How it failed.
    pub cause: Option<RolloutCause>,
    /// The service deployment.
    pub deployment: Option<String>,
    /// Its status, and why, in AWS's words.
    pub status: Option<String>,
    /// The task definition that it deployed.
    pub task_definition: Option<String>,
    /// Running tasks by what they run: the digests of their containers.
    pub running: BTreeMap<String, u32>,
    /// Stopped tasks by the reason that AWS gives.
    pub stopped: BTreeMap<String, u32>,
    /// Load balancer targets by their state, as far as it could be read.
    pub targets: BTreeMap<String, u32>,
    /// The last log lines of a stopped task, if readable.
    pub log: Vec<String>,
}

impl Evidence {
    /// How it failed, in a sentence, with the reason that AWS gave most often.
    #[must_use]
    pub fn why(&self) -> String {
        let how = match self.cause {
            Some(RolloutCause::Pull) => "its image could not be pulled",
            Some(RolloutCause::Crash) => "its tasks exited after they started",
            Some(RolloutCause::Health) => "its tasks failed their health checks",
            Some(RolloutCause::Timeout) => "it exceeded `rollout.timeout`",
            Some(RolloutCause::Stopped) | None => "ECS marked its deployment as failed",
        };
        let most = self.stopped.iter().max_by_key(|(reason, count)| (**count, std::cmp::Reverse(*reason)));
        match most {
            Some((reason, count)) => format!("{how} ({count} × {reason})"),
            None => how.to_owned(),
        }
    }
}

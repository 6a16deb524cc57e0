//! What ECS runs: task definitions, tasks, and where their output is.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::aws::{InvalidName, identifier};
use super::ecs::{is_arn, words};
use super::{ImageDigest, Platform};

identifier! {
    /// The ARN of one revision of a task definition.
    TaskDefinitionArn, "the ARN of a task definition (…:task-definition/family:revision)",
    |text| is_arn(text, ":task-definition/") && text.rsplit_once(':').is_some_and(|(_, revision)| revision.parse::<u32>().is_ok())
}

identifier! {
    /// The ARN of a task.
    TaskArn, "the ARN of an ECS task",
    |text| is_arn(text, ":task/")
}

impl TaskDefinitionArn {
    /// Its family.
    #[must_use]
    pub fn family(&self) -> &str {
        self.short().rsplit_once(':').map_or("", |(family, _)| family)
    }

    /// The number of the revision within its family.
    #[must_use]
    pub fn revision(&self) -> u32 {
        self.as_str().rsplit_once(':').and_then(|(_, revision)| revision.parse().ok()).unwrap_or(0)
    }

    /// `family:revision`.
    #[must_use]
    pub fn short(&self) -> &str {
        self.as_str().rsplit('/').next().unwrap_or_default()
    }
}

impl TaskArn {
    /// The task's id, the last part of its ARN: it is in the name of its log streams.
    #[must_use]
    pub fn id(&self) -> &str {
        self.as_str().rsplit('/').next().unwrap_or_default()
    }
}

words! {
    /// Whether a task definition can be used (AWS: *`TaskDefinition`*, `status`).
    TaskDefinitionStatus, "a status of a task definition", {
        /// It can.
        Active = "ACTIVE",
        /// No new service and no update can use it; services that do, keep it.
        Inactive = "INACTIVE",
        /// It is being removed for good.
        DeleteInProgress = "DELETE_IN_PROGRESS",
    }
}

words! {
    /// Where a task is on its way (AWS: *Task lifecycle*).
    TaskStatus, "a status of an ECS task", {
        /// Something is made ready before it can be placed: a network interface.
        Provisioning = "PROVISIONING",
        /// It waits for a place, or for its images.
        Pending = "PENDING",
        /// It runs and is being registered at load balancers.
        Activating = "ACTIVATING",
        /// It runs.
        Running = "RUNNING",
        /// It is being taken from the load balancers.
        Deactivating = "DEACTIVATING",
        /// Its containers are being stopped.
        Stopping = "STOPPING",
        /// What was made ready for it is taken away.
        Deprovisioning = "DEPROVISIONING",
        /// It has stopped. AWS tells of it for an hour.
        Stopped = "STOPPED",
        /// It is gone; never seen from outside.
        Deleted = "DELETED",
    }
}

words! {
    /// What the health check of a container or task says.
    TaskHealth, "a health status of an ECS task", {
        /// It passes.
        Healthy = "HEALTHY",
        /// It fails.
        Unhealthy = "UNHEALTHY",
        /// There is none, or no result yet.
        Unknown = "UNKNOWN",
    }
}

/// A task definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskDefinitionState {
    /// Its ARN.
    pub arn: TaskDefinitionArn,
    /// Whether it can be used.
    pub status: TaskDefinitionStatus,
    /// Its containers.
    pub containers: Vec<ContainerDefinition>,
    /// What its images must be built for.
    pub platform: RuntimePlatform,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// When it was registered.
    pub registered: Option<Timestamp>,
}

/// One container of a task definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerDefinition {
    /// Its name.
    pub name: String,
    /// Its image, as it is written: `registry/repository:tag` or `…@sha256:…`.
    pub image: String,
    /// The task stops when it does.
    pub essential: bool,
    /// Where `CloudWatch` keeps its output, if it does.
    pub log: Option<LogConfiguration>,
}

/// Where `CloudWatch` keeps a container's output (log driver `awslogs`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogConfiguration {
    /// The log group.
    pub group: String,
    /// The region, where it is said.
    pub region: Option<String>,
    /// The prefix of the streams' names; without one they are named after what only the host knows.
    pub prefix: Option<String>,
}

impl LogConfiguration {
    /// The stream of a container of a task (AWS: *Using the awslogs log driver*: `prefix/container/task-id`).
    #[must_use]
    pub fn stream(&self, container: &str, task: &TaskArn) -> Option<LogStream> {
        let prefix = self.prefix.as_deref()?;
        Some(LogStream { group: self.group.clone(), stream: format!("{prefix}/{container}/{}", task.id()) })
    }
}

/// A log stream of `CloudWatch`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LogStream {
    /// Its log group.
    pub group: String,
    /// Its name.
    pub stream: String,
}

/// One line of a log stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When it was written.
    pub at: Timestamp,
    /// What it says.
    pub message: String,
}

/// What images must be built for, in ECS's words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimePlatform {
    /// `LINUX`, `WINDOWS_SERVER_2022_CORE`, …; `LINUX` where nothing is said.
    pub os: Option<String>,
    /// `X86_64` or `ARM64`; on Fargate `X86_64` where nothing is said, elsewhere (`None`) whatever the host is.
    pub cpu: Option<String>,
}

impl RuntimePlatform {
    /// One of these is it.
    #[must_use]
    pub fn is_among(&self, platforms: &[Platform]) -> bool {
        let (os, architecture) = self.in_words_of_oci();
        let fits = |found: &&Platform| found.os == os && architecture.is_none_or(|wanted| found.architecture == wanted);
        platforms.iter().any(|found| fits(&found))
    }

    /// Operating system, and architecture where it is said, as images name them.
    fn in_words_of_oci(&self) -> (&'static str, Option<&str>) {
        let os = if self.os.as_deref().is_some_and(|os| os.starts_with("WINDOWS")) { "windows" } else { "linux" };
        let architecture = self.cpu.as_deref().map(|cpu| match cpu {
            "X86_64" => "amd64",
            "ARM64" => "arm64",
            other => other,
        });
        (os, architecture)
    }
}

impl std::fmt::Display for RuntimePlatform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.in_words_of_oci() {
            (os, Some(architecture)) => write!(f, "{os}/{architecture}"),
            (os, None) => f.write_str(os),
        }
    }
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskState {
    /// Its ARN.
    pub arn: TaskArn,
    /// What it is made of.
    pub task_definition: TaskDefinitionArn,
    /// Where it is on its way.
    pub status: TaskStatus,
    /// What its health check says.
    pub health: TaskHealth,
    /// Why it stopped, as a word: `TaskFailedToStart`, `EssentialContainerExited`.
    pub stop_code: Option<String>,
    /// Why it stopped, as a sentence: `CannotPullContainerError: …`.
    pub stopped_reason: Option<String>,
    /// Who started it: the id of a deployment.
    pub started_by: Option<String>,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// When it ran.
    pub started: Option<Timestamp>,
    /// When it had stopped.
    pub stopped: Option<Timestamp>,
    /// Its containers.
    pub containers: Vec<ContainerState>,
}

/// One container of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerState {
    /// Its name.
    pub name: String,
    /// Its image, as the task definition names it.
    pub image: Option<String>,
    /// The image that it runs; `None` until it was pulled.
    pub digest: Option<ImageDigest>,
    /// With what it exited.
    pub exit_code: Option<i32>,
    /// What went wrong, in AWS's words.
    pub reason: Option<String>,
    /// What its health check says.
    pub health: TaskHealth,
    /// What the container runtime calls it.
    pub runtime_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_are_told_apart_and_taken_apart() {
        let text = "arn:aws:ecs:eu-central-1:111122223333:task-definition/dev-api:17";
        let arn: TaskDefinitionArn = text.parse().unwrap();
        assert_eq!((arn.family(), arn.revision(), arn.short()), ("dev-api", 17, "dev-api:17"));
        for wrong in ["dev-api:17", "arn:aws:ecs:eu-central-1:111122223333:task-definition/dev-api"] {
            assert!(wrong.parse::<TaskDefinitionArn>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_log_stream_is_named_after_prefix_container_and_task() {
        let task: TaskArn = "arn:aws:ecs:eu-central-1:111122223333:task/dev/0123abcd".parse().unwrap();
        let log = LogConfiguration { group: "/dev/api".to_owned(), region: None, prefix: Some("api".to_owned()) };
        assert_eq!(log.stream("web", &task).unwrap().stream, "api/web/0123abcd");
        assert_eq!(LogConfiguration { prefix: None, ..log }.stream("web", &task), None);
    }
}

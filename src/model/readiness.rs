//! When an object is good enough for what depends on it: checks beside its own status.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Digest, Scope, Text, Unknown, VersionId};

/// One check. It is asked again at every look until it passes, and from then on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// The check.
    pub check: Check,
    /// How long it may take after the object itself is as desired, until it counts as failed and not as waiting.
    pub within: Duration,
}

/// The check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Check {
    /// A web server's answer.
    Http(HttpProbe),
    /// An ECS service runs what it should, with one deployment.
    ServiceSteady {
        /// The cluster's name or ARN.
        cluster: Text,
        /// The service's name or ARN.
        service: Text,
    },
    /// So many targets of a target group are healthy, and none of those that take traffic is not.
    Targets {
        /// The target group's ARN.
        group: Text,
        /// At least so many.
        healthy: u32,
    },
    /// A CloudWatch alarm is not in the state `ALARM`.
    Alarm {
        /// The alarm's name.
        name: Text,
    },
}

/// A request and the answer that is expected. Redirects are not followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpProbe {
    /// `http://…` or `https://…`.
    pub url: Text,
    /// The status that is expected: 100 to 599.
    pub expect: u16,
    /// A regular expression that must be found in the first 64 KiB of the body; checked when the manifests are loaded.
    pub body: Option<String>,
    /// How the server's certificate is judged.
    pub tls: Tls,
    /// How long one request may take.
    pub timeout: Duration,
}

/// How a server's certificate is judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Tls {
    /// By the machine's authorities, and for the name in the URL.
    #[default]
    Verify,
    /// By these authorities alone (PEM).
    Authority(Arc<str>),
    /// No verification: for a load balancer's own DNS name, which no certificate contains.
    Skip,
}

/// A check with its texts filled in: what is really asked, and of whom.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckNeed {
    /// A web server.
    Http(HttpRequest),
    /// A web server, about this version of a secret: what was answered before there was that version says nothing of it.
    Consumer(HttpRequest, VersionId),
    /// ECS.
    ServiceSteady {
        /// Account and region.
        scope: Scope,
        /// The cluster's name or ARN.
        cluster: String,
        /// The service's name or ARN.
        service: String,
    },
    /// Elastic Load Balancing.
    Targets {
        /// Account and region.
        scope: Scope,
        /// The target group's ARN.
        group: String,
        /// At least so many.
        healthy: u32,
    },
    /// CloudWatch.
    Alarm {
        /// Account and region.
        scope: Scope,
        /// The alarm's name.
        name: String,
    },
}

impl fmt::Display for CheckNeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(HttpRequest { url, expect, body, .. })
            | Self::Consumer(HttpRequest { url, expect, body, .. }, _) => {
                write!(f, "GET {url} answers {expect}")?;
                body.as_ref().map_or(Ok(()), |body| write!(f, " with /{body}/"))
            }
            Self::ServiceSteady { cluster, service, .. } => {
                write!(f, "service {service} in {cluster} is in a steady state")
            }
            Self::Targets { group, healthy, .. } => {
                // `arn:…:targetgroup/NAME/ID`: the name is what people know it by.
                let name = group.split('/').nth(1).unwrap_or(group);
                write!(f, "target group {name} has at least {healthy} healthy targets, and no other target in use")
            }
            Self::Alarm { name, .. } => write!(f, "alarm {name} is not in ALARM"),
        }
    }
}

/// A request, and the answer that is expected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HttpRequest {
    /// `http://…` or `https://…`.
    pub url: String,
    /// The status that is expected.
    pub expect: u16,
    /// A regular expression that must be found in the beginning of the body.
    pub body: Option<String>,
    /// How the server's certificate is judged.
    pub tls: Tls,
    /// How long it may take.
    pub timeout: Duration,
}

/// What was seen of checks.
#[derive(Clone, Debug, Default)]
pub struct ChecksSeen {
    /// By what was asked.
    pub answers: BTreeMap<CheckNeed, CheckAnswer>,
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckAnswer {
    /// When it was asked.
    pub at: Timestamp,
    /// What came of it.
    pub outcome: CheckOutcome,
}

/// What came of a check. One that could not be made has not failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckOutcome {
    /// It is as it should be.
    Holds,
    /// It is not, for this reason.
    Fails(String),
    /// Nobody wanted it to be made.
    NotAsked,
    /// It could not be made.
    Unknown(Unknown),
}

/// How one check of an object stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckStanding {
    /// Names the check in the manifest, whatever its references come to.
    pub check: Digest,
    /// Since when it holds, or fails; `None` where it could not be made.
    pub since: Option<(Timestamp, bool)>,
}

/// What is remembered of an object's checks: since when each of them holds or fails.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReadinessMemory {
    /// By the check in the manifest: since when, and whether it holds.
    pub checks: BTreeMap<Digest, (Timestamp, bool)>,
}

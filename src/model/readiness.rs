//! When an object is good enough for what depends on it: checks beside its own status.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::Text;

/// One check. It is asked again at every look until it passes, and from then on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// What is asked.
    pub check: Check,
    /// How long it may take after the object itself is as desired, until it counts as failed and not as waiting.
    pub within: Duration,
}

/// What is asked.
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Tls {
    /// By the machine's authorities, and for the name in the URL.
    #[default]
    Verify,
    /// By these authorities alone (PEM).
    Authority(Arc<str>),
    /// Not at all: for a load balancer's own name, which no certificate has.
    Skip,
}

/// What was seen of checks.
#[derive(Clone, Debug, Default)]
pub struct ChecksSeen {}

/// A check whose answer must be known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckNeed {}

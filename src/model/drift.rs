//! Drift: how what AWS runs differs from what was deployed.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::aws::{InvalidName, identifier};
use super::ecs::words;
use super::{Key, Unknown};

identifier! {
    /// The id of one detection of drift (AWS: *`DetectStackDrift`*). How many are kept, and for how long, AWS does not say.
    DetectionId, "the id of a drift detection",
    |text| !text.is_empty()
}

words! {
    /// How far a detection is (AWS: *`DescribeStackDriftDetectionStatus`*, `DetectionStatus`).
    DetectionStatus, "a status of a drift detection", {
        /// It is running.
        InProgress = "DETECTION_IN_PROGRESS",
        /// Everything that can be checked was.
        Complete = "DETECTION_COMPLETE",
        /// At least one resource could not be checked; the others were.
        Failed = "DETECTION_FAILED",
    }
}

words! {
    /// How a resource compares with its template (AWS: *`StackResourceDrift`*, `StackResourceDriftStatus`).
    ResourceDriftStatus, "a drift status of a resource", {
        /// What the template says of it is so.
        InSync = "IN_SYNC",
        /// Properties differ.
        Modified = "MODIFIED",
        /// It is gone.
        Deleted = "DELETED",
        /// It was not checked: its type cannot be, or it never was.
        NotChecked = "NOT_CHECKED",
        /// It could not be checked.
        Unknown = "UNKNOWN",
        /// Its type cannot be checked.
        Unsupported = "UNSUPPORTED",
    }
}

words! {
    /// How a property differs (AWS: *`PropertyDifference`*, `DifferenceType`).
    PropertyDifference, "a difference of a property", {
        /// It has something that the template does not.
        Add = "ADD",
        /// It lacks something that the template has.
        Remove = "REMOVE",
        /// It has another value.
        NotEqual = "NOT_EQUAL",
    }
}

/// A detection, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detection {
    /// How far it is.
    pub status: DetectionStatus,
    /// Why, where something went wrong.
    pub reason: Option<String>,
}

/// A resource of a stack, and what the last detection made of it (AWS: *`ListStackResources`*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceState {
    /// Its logical id.
    pub resource: String,
    /// What AWS calls it.
    pub physical_id: Option<String>,
    /// Its type.
    pub kind: String,
    /// How it compares with its template.
    pub drift: ResourceDriftStatus,
}

/// What a detection has found out about a resource (AWS: *`DescribeStackResourceDrifts`*).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceDrift {
    /// Its logical id.
    pub resource: String,
    /// What AWS calls it.
    pub physical_id: Option<String>,
    /// Its type.
    pub kind: String,
    /// How it compares with its template.
    pub status: ResourceDriftStatus,
    /// Why it could not be compared.
    pub reason: Option<String>,
    /// What differs, where it was changed.
    pub differences: Vec<PropertyDrift>,
}

/// One property that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PropertyDrift {
    /// Where it is in the resource's properties: `/Tags/0/Value`.
    pub path: String,
    /// How it differs.
    pub how: PropertyDifference,
    /// What the template says, as text or JSON.
    pub expected: String,
    /// What there is, as text or JSON.
    pub live: String,
}

/// What was found out about one stack, those nested in it included: their resources are called `Nested/Resource`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StackDrift {
    /// Its resources.
    pub resources: Vec<ResourceDrift>,
    /// What could not be looked at as a whole.
    pub incomplete: Vec<String>,
}

/// Differences that a manifest puts up with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tolerance {
    /// The logical id of the resource, `Nested/Resource` in a nested stack; `*` stands for any letters.
    pub resource: String,
    /// The property and all below it: `/Tags`; none: the whole resource.
    pub property: Option<String>,
    /// Why.
    pub reason: String,
    /// The last day on which it counts; none: for good.
    pub until: Option<Date>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// It says something, and does nothing: tags, descriptions.
    Low,
    /// It behaves differently.
    Medium,
    /// Who may do what, what is encrypted, or what is protected has changed; or it is gone.
    High,
}

/// What a difference is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Somebody or something has changed it.
    Drift(Severity),
    /// The manifest puts up with it.
    Tolerated {
        /// Why.
        reason: String,
        /// The last day.
        until: Option<Date>,
    },
    /// Something else is there to change it (invariant S21).
    Delegated {
        /// To what.
        to: String,
    },
    /// It means the same, or AWS makes it so by itself.
    Noise {
        /// Why it does not count.
        why: String,
    },
    /// It could not be compared.
    Unknown {
        /// Why.
        why: String,
    },
}

/// One difference, or one thing that could not be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The object.
    pub object: Key,
    /// The resource's logical id; none: the whole stack.
    pub resource: Option<String>,
    /// What AWS calls it.
    pub physical_id: Option<String>,
    /// Its type.
    pub kind: Option<String>,
    /// The property; none: the whole resource.
    pub property: Option<String>,
    /// What was deployed.
    pub expected: Option<String>,
    /// What there is.
    pub live: Option<String>,
    /// When it was first seen.
    pub since: Timestamp,
    /// What it is.
    pub verdict: Verdict,
}

impl Finding {
    /// It is drift.
    #[must_use]
    pub fn is_drift(&self) -> bool {
        matches!(self.verdict, Verdict::Drift(_))
    }

    /// What tells it from others of its object: resource and property.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}{}", self.resource.as_deref().unwrap_or_default(), self.property.as_deref().unwrap_or_default())
    }
}

/// What one detection of an object came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The object.
    pub object: Key,
    /// Resources that were compared.
    pub compared: usize,
    /// What was found, worst first.
    pub findings: Vec<Finding>,
}

/// What is remembered of an object's drift.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DriftMemory {
    /// Since when each difference is there, by its place.
    pub since: BTreeMap<String, Timestamp>,
    /// How many differences there were at the last detections, oldest first, at most [`DRIFT_HISTORY`].
    pub history: Vec<(Timestamp, u32)>,
}

/// Detections that are remembered.
pub const DRIFT_HISTORY: usize = 30;

impl DriftMemory {
    /// With one detection more.
    #[must_use]
    pub fn with(&self, findings: &[Finding], at: Timestamp) -> Self {
        let drift = findings.iter().filter(|finding| finding.is_drift());
        let count = u32::try_from(drift.clone().count()).unwrap_or(u32::MAX);
        let mut history = self.history.clone();
        history.push((at, count));
        history.drain(..history.len().saturating_sub(DRIFT_HISTORY));
        Self { since: drift.map(|finding| (finding.place(), finding.since)).collect(), history }
    }
}

/// What was found out about a stack, or why nothing was.
pub type DriftSeen = Result<StackDrift, Unknown>;

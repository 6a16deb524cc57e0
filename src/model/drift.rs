//! Drift: how what AWS runs differs from what was deployed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::aws::{InvalidName, identifier};
use super::ecs::words;
use super::{Attempts, ChangeAction, Fingerprint, GivenAt, Key, ResourceChange, StackVersion, Unknown};

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
    /// Its name in AWS.
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
    /// Its name in AWS.
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
    /// The logical ID of the resource, `Nested/Resource` in a nested stack; `*` matches any characters.
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
    /// Only descriptive: tags, descriptions.
    Low,
    /// The behavior changed.
    Medium,
    /// Permissions, encryption or protection changed, or the resource was deleted.
    High,
}

/// What happens when resources of a stack drift.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DriftAction {
    /// It is reported.
    #[default]
    Report,
    /// It is reported, and reverted by a drift-aware change set.
    Revert,
}

/// What a difference is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It was changed outside Landfast.
    Drift(Severity),
    /// The manifest tolerates it.
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

/// One difference, or one thing that could not be compared. Values that must not be shown are hidden in it already: it
/// lies in the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The object.
    pub object: Key,
    /// The resource's logical id; none: the whole stack.
    pub resource: Option<String>,
    /// Its name in AWS.
    pub physical_id: Option<String>,
    /// Its type.
    pub kind: Option<String>,
    /// The property; none: the whole resource.
    pub property: Option<String>,
    /// The deployed value.
    pub expected: Option<String>,
    /// The live value.
    pub live: Option<String>,
    /// When it was first seen.
    pub since: Timestamp,
    /// What it is.
    pub verdict: Verdict,
    /// Tells this difference from another one at the same place, values that are hidden included.
    #[serde(default)]
    pub print: Option<Fingerprint>,
    /// Who has made it.
    #[serde(default)]
    pub by: By,
    /// What would have to be changed in the template to accept it, as a unified diff. Made for a report, and not kept.
    #[serde(skip)]
    pub patch: Option<String>,
    /// The parameter that its value comes from, and where that is given. Made for a report, and not kept.
    #[serde(skip)]
    pub parameter: Option<FromParameter>,
    /// Commands by which a person puts it back, where no change set of the object does. Made for a report, and not kept.
    #[serde(skip)]
    pub by_hand: Vec<String>,
}

/// The parameter that the value of a property comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FromParameter {
    /// Its name.
    pub name: String,
    /// Where its value is given; none: the template's default is its value.
    pub given: Option<GivenAt>,
}

/// Who has made a difference, as far as the trail of the account tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum By {
    /// Nobody has asked.
    #[default]
    NotAsked,
    /// It is not known.
    NotKnown(String),
    /// This call, the last one that changed the resource before the difference was found.
    Somebody(Box<Deed>),
}

/// A call that changed something (AWS: *`LookupEvents`*; *CloudTrail record contents*).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// Tells it from others.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// Who: an ARN, or a user's name.
    pub actor: String,
    /// From which address, or which service of AWS.
    pub from: Option<String>,
    /// Which call: `UpdateTable`.
    pub call: String,
    /// It only read. Such calls change nothing, and are looked over.
    pub reads: bool,
}

impl Finding {
    /// What is so of an object as a whole.
    #[must_use]
    pub fn of(object: Key, since: Timestamp, verdict: Verdict) -> Self {
        Self {
            object,
            resource: None,
            physical_id: None,
            kind: None,
            property: None,
            expected: None,
            live: None,
            since,
            verdict,
            print: None,
            by: By::NotAsked,
            patch: None,
            parameter: None,
            by_hand: Vec::new(),
        }
    }

    /// It is drift.
    #[must_use]
    pub fn is_drift(&self) -> bool {
        matches!(self.verdict, Verdict::Drift(_))
    }

    /// It is in a stack within the object's.
    #[must_use]
    pub fn is_nested(&self) -> bool {
        self.resource.as_ref().is_some_and(|resource| resource.contains('/'))
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

/// What is remembered of a stack's drift.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DriftMemory {
    /// Since when each difference is there, by its place.
    pub since: BTreeMap<String, Timestamp>,
    /// How many differences there were at the last detections, oldest first, at most [`DRIFT_HISTORY`].
    pub history: Vec<(Timestamp, u32)>,
    /// What was seen last.
    pub seen: Option<DriftLook>,
    /// Detections that have said nothing since then.
    pub failed: Option<Box<FailedLook>>,
    /// What our own operations have written since the stack was last looked at.
    pub written: Option<Box<Written>>,
    /// Differences that AWS has made itself, when what differs was deployed: by place, and as they were then.
    pub baseline: BTreeMap<String, Fingerprint>,
    /// Times at which drift was put back, oldest first, at most [`REVERTS_KEPT`], and what was.
    pub reverts: Vec<(Timestamp, BTreeSet<String>)>,
    /// How putting back has failed when it was executed.
    pub in_vain: Option<Box<Attempts>>,
    /// A person has asked for what was seen then to be put back, whatever policy says.
    pub asked: Option<Timestamp>,
}

/// A detection that said something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftLook {
    /// When it was over.
    pub at: Timestamp,
    /// The stack as it was: an operation makes another one of it.
    pub version: StackVersion,
    /// Resources that were compared.
    pub compared: usize,
    /// What was found, worst first.
    pub findings: Vec<Finding>,
}

/// Detections in a row that said nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedLook {
    /// When the last of them was over.
    pub at: Timestamp,
    /// How many.
    pub count: u32,
    /// Why.
    pub why: String,
}

/// What an operation of ours has written, and when it was seen to have ended well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Writes,
}

/// What an operation writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Writes {
    /// Nothing that is known of.
    #[default]
    Nothing,
    /// Everything: it is a creation.
    All,
    /// These resources, and of each these properties; none: all of it.
    Parts(BTreeMap<String, BTreeSet<String>>),
    /// It puts back what differs at these places.
    Back(BTreeSet<String>),
}

impl Writes {
    /// What a change set writes.
    #[must_use]
    pub fn of(changes: &[ResourceChange]) -> Self {
        let written = changes.iter().filter(|change| change.action != ChangeAction::Sync);
        Self::Parts(
            written
                .map(|change| {
                    let whole = change.action != ChangeAction::Modify || change.is_destructive();
                    let parts = if whole { BTreeSet::new() } else { change.properties.clone() };
                    (change.resource.clone(), parts)
                })
                .collect(),
        )
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (Self::Parts(mut parts), Self::Parts(more)) => {
                for (resource, properties) in more {
                    let all = properties.is_empty() || parts.get(&resource).is_some_and(BTreeSet::is_empty);
                    let known = parts.entry(resource).or_default();
                    known.extend(properties);
                    if all {
                        known.clear();
                    }
                }
                Self::Parts(parts)
            }
            (parts @ Self::Parts(_), _) | (_, parts @ Self::Parts(_)) => parts,
            (_, last) => last,
        }
    }

    /// It writes what differs there: only then can AWS have made the difference in doing so.
    #[must_use]
    pub fn covers(&self, finding: &Finding) -> bool {
        let (Some(resource), Some(path)) = (&finding.resource, &finding.property) else { return false };
        match self {
            Self::Nothing | Self::Back(_) => false,
            Self::All => true,
            Self::Parts(parts) => parts.get(resource).is_some_and(|properties| {
                let property = path.split('/').nth(1).unwrap_or_default();
                properties.is_empty() || properties.contains(property)
            }),
        }
    }
}

/// Detections that are remembered.
pub const DRIFT_HISTORY: usize = 30;

/// Reverts that are remembered.
pub const REVERTS_KEPT: usize = 20;

/// How a stack stands towards what was deployed, as the last detection saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftStanding {
    /// When it was looked at; none: never since its last operation.
    pub at: Option<Timestamp>,
    /// Differences.
    pub differences: usize,
    /// The worst of them.
    pub worst: Option<Severity>,
    /// Resources that could not be compared.
    pub unknown: usize,
    /// Why the last check failed.
    pub failed: Option<String>,
}

/// What was found out about a stack, or why nothing was.
pub type DriftSeen = Result<StackDrift, Unknown>;

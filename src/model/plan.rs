//! What will be done, what it waits for, and what was refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::LazyLock;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Address, Broadening, CheckStanding, Cut, Diagnosis, Difference, Digest, DriftStanding, EnvName, Failure, Key,
    PassedOver, ResourceChange, Revision, StackId, StackStatus, StackVersion, Step,
};

/// The plan for one environment: for every object the whole change it needs, and the one step that can be taken now.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The environment.
    pub environment: EnvName,
    /// The revision it was made for.
    pub revision: Revision,
    /// Identifies what a person sees and approves: actions, changes and the versions they start from.
    pub digest: Digest,
    /// What a person types to approve it and have it done: `landfast apply dev --plan 0123456789ab`.
    pub command: String,
    /// By object: every desired one, and every one that is ours and no longer desired.
    pub entries: BTreeMap<Key, Entry>,
    /// What the operator's configuration reduced in the environment's policy.
    pub cuts: Vec<Cut>,
}

impl Entry {
    /// An object of which nothing is known yet but where it is.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            address,
            basis: Basis::absent(),
            status: None,
            action: Action::None,
            differences: Vec::new(),
            changes: Changes::None,
            broadenings: Vec::new(),
            waiting: Vec::new(),
            refused: Vec::new(),
            depends_on: BTreeSet::new(),
            checks: Vec::new(),
            ailments: Vec::new(),
            step: None,
            ready: false,
            drift: None,
            passed_over: BTreeMap::new(),
        }
    }
}

// There is one for each of thousands of objects, and most of them rest: what is rarely there is boxed.
const _: () = assert!(size_of::<Entry>() <= 640);

impl Plan {
    /// `NoEcho` parameters that are part of the digest. Their values take part as fingerprints under this state's key, so
    /// that the digest is this one with this state directory alone.
    #[must_use]
    pub fn keyed(&self) -> Vec<String> {
        let entries = self.entries.iter().filter(|(_, entry)| entry.action != Action::None);
        entries.flat_map(|(key, entry)| entry.basis.keyed.iter().map(move |name| format!("{key} {name}"))).collect()
    }

    /// Nothing to do, and nothing that could not be seen.
    #[must_use]
    pub fn in_sync(&self) -> bool {
        self.entries.values().all(|entry| entry.action == Action::None)
    }

    /// The same, and nothing is refused: only then everything is said to be in sync.
    #[must_use]
    pub fn is_as_asked(&self) -> bool {
        self.in_sync() && self.entries.values().all(|entry| entry.refused.is_empty())
    }
}

/// What the plan says of one object.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where it is, and what AWS calls it.
    pub address: Address,
    /// What it was decided from.
    pub basis: Basis,
    /// Its status when it was seen, in AWS's words.
    pub status: Option<String>,
    /// The whole change it needs.
    pub action: Action,
    /// Why.
    pub differences: Vec<Difference>,
    /// What that does to its resources.
    pub changes: Changes,
    /// Access that it gives to somebody who did not have it.
    pub broadenings: Vec<Broadening>,
    /// What it waits for.
    pub waiting: Vec<Waiting>,
    /// What forbids it, and what would release it.
    pub refused: Vec<Refusal>,
    /// What depends on it being ready.
    pub depends_on: BTreeSet<Key>,
    /// Problems, worst first.
    pub ailments: Vec<Diagnosis>,
    /// How its checks stand; empty as long as it is not as desired itself.
    pub checks: Vec<CheckStanding>,
    /// The step that can be taken now.
    pub step: Option<Box<Step>>,
    /// The object is as desired, or good enough for what depends on it.
    pub ready: bool,
    /// The drift of a stack's resources, if known.
    pub drift: Option<Box<DriftStanding>>,
    /// The newest tags that were not chosen for a service, by container.
    pub passed_over: BTreeMap<String, Vec<PassedOver>>,
}

/// What an entry was decided from. Consent covers it: an object whose basis has changed was not approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Basis {
    /// The manifest's side, references as written.
    pub manifest: Digest,
    /// The same with every reference resolved; `None` while a value is known only after apply, or may still change.
    pub inputs: Option<Digest>,
    /// The stack as it was seen.
    pub stack: Option<StackVersion>,
    /// `NoEcho` parameters. Their values take part as fingerprints, whose key never leaves the state: on another machine
    /// the same values have others.
    #[serde(skip)]
    pub keyed: BTreeSet<String>,
}

impl Basis {
    /// A manifest, of which nothing is resolved yet.
    #[must_use]
    pub fn of(manifest: Digest) -> Self {
        Self { manifest, inputs: None, stack: None, keyed: BTreeSet::new() }
    }

    /// There is no manifest.
    #[must_use]
    pub fn absent() -> Self {
        static NOTHING: LazyLock<Digest> = LazyLock::new(|| Digest::of_bytes(b""));
        Self::of(NOTHING.clone())
    }
}

/// The planned change of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// It is as desired.
    None,
    /// It does not exist.
    Create,
    /// It differs.
    Update,
    /// It may differ when the outputs it uses change.
    MayUpdate,
    /// It exists, has no owner, and the manifest has `adopt: true`.
    Adopt,
    /// Its last creation failed: it is deleted and created again.
    Recreate,
    /// It is stuck; Landfast tries to recover it.
    Recover,
    /// It drifted and is reverted.
    Revert,
    /// Its manifest was removed.
    Delete,
    /// Its manifest was removed, and it is kept.
    Retain,
    /// It could not be seen.
    Unknown,
}

/// What an action does to resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// AWS says so, in a change set.
    Known(Vec<ResourceChange>),
    /// We say so, from the templates.
    Predicted(Vec<ResourceChange>),
    /// Known only after something else was applied.
    AfterApply,
    /// None.
    None,
}

impl Changes {
    /// The list, as far as there is one.
    #[must_use]
    pub fn list(&self) -> &[ResourceChange] {
        match self {
            Self::Known(list) | Self::Predicted(list) => list,
            Self::AfterApply | Self::None => &[],
        }
    }
}

/// Why an object waits although no rule refuses it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "for", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Waiting {
    /// Other objects must be ready first (or, for a deletion, deleted first).
    Dependency {
        /// Which.
        objects: BTreeSet<String>,
    },
    /// An operation is running.
    Operation {
        /// The stack's status.
        status: StackStatus,
        /// Whether Landfast started it.
        ours: bool,
        /// When it began, as far as known.
        #[schemars(with = "Option<String>")]
        since: Option<Timestamp>,
    },
    /// AWS is computing a change set.
    ChangeSet {
        /// Its name.
        name: String,
    },
    /// A failed operation is retried later.
    Backoff {
        /// When.
        #[schemars(with = "String")]
        until: Timestamp,
        /// How often it has failed.
        attempt: u32,
        /// How.
        failure: Failure,
    },
    /// A read failed; nothing is planned until it succeeds.
    Unknown {
        /// What could not be read, and why.
        why: String,
    },
    /// The plan needs approval.
    Approval {
        /// The command that approves it.
        command: String,
    },
    /// The limit of concurrent operations is reached.
    Turn,
    /// A freeze holds it.
    Frozen {
        /// The ID of the freeze.
        freeze: String,
        /// What it freezes.
        scope: String,
        /// Who froze it.
        by: String,
        /// Why.
        because: String,
        /// When it ends by itself; `null`: when it is thawed.
        #[schemars(with = "Option<String>")]
        until: Option<Timestamp>,
    },
    /// The maintenance windows of its environment are closed.
    Window {
        /// When one opens; `null`: none is in sight.
        #[schemars(with = "Option<String>")]
        opens: Option<Timestamp>,
        /// Why changes are denied now, if a window says so.
        because: Option<String>,
    },
    /// It is in sync, but a readiness check fails.
    Readiness {
        /// The check.
        check: String,
        /// Why it fails.
        why: String,
        /// Since when it fails.
        #[schemars(with = "String")]
        since: Timestamp,
        /// It exceeds the timeout in its manifest.
        overdue: bool,
    },
    /// A change was accepted but has not propagated to all servers.
    Propagation {
        /// AWS's ID of the change, if known.
        change: Option<String>,
        /// When it was sent.
        #[schemars(with = "String")]
        since: Timestamp,
    },
    /// It waits until a point in time.
    Pause {
        /// Until when.
        #[schemars(with = "String")]
        until: Timestamp,
        /// For what.
        why: String,
    },
    /// It waits for an external change.
    Someone {
        /// What.
        what: String,
    },
    /// No image can be selected yet.
    Image {
        /// The container.
        container: String,
        /// Why not.
        why: String,
    },
    /// An AWS job is in progress: a backup, a copy.
    Job {
        /// What it does.
        what: String,
        /// How far it is.
        status: String,
        /// Since when.
        #[schemars(with = "Option<String>")]
        since: Option<Timestamp>,
    },
    /// A rollout is in progress.
    Rollout {
        /// How far it is.
        status: String,
        /// Since when.
        #[schemars(with = "Option<String>")]
        since: Option<Timestamp>,
    },
}

impl Waiting {
    /// Whether it is for a freeze or a window to end.
    #[must_use]
    pub fn is_hold(&self) -> bool {
        matches!(self, Self::Frozen { .. } | Self::Window { .. })
    }
}

/// A rule that forbids a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Guard {
    /// The environment is in observe mode.
    Mode,
    /// The stack is not owned by Landfast.
    Ownership,
    /// Pruning is off.
    Prune,
    /// A stateful resource would be replaced or deleted.
    Replace,
    /// It would grant new access.
    Broaden,
    /// A stateful resource has no fresh backup.
    Backup,
    /// The budget would be exceeded.
    Budget,
    /// Termination protection is on.
    TerminationProtection,
    /// The stack name breaks the naming convention.
    StackName,
    /// A required tag is missing.
    RequiredTags,
    /// An export in use would be removed or changed.
    ExportInUse,
    /// Something that is created outside Landfast does not exist.
    Missing,
    /// Another stack has an export of the same name.
    ExportTaken,
    /// AWS refused the change set.
    ChangeSet,
    /// The inputs failed and have not changed since.
    Stalled,
    /// The stack is in a state that needs manual recovery.
    Stuck,
    /// A rollback skipped resources, which must be synced with the stack first.
    OutOfStep,
    /// A newer revision has been applied, or a newer commit accepted.
    Revision,
    /// A file that may contain the manifest could not be read.
    Unread,
    /// The template is too large to send, and no bucket is set.
    TemplateSize,
    /// The template is too large to send, and the bucket cannot be used.
    TemplateBucket,
    /// The record set does not fit the hosted zone, or the zone is ambiguous.
    Zone,
    /// The new value would be empty.
    Empty,
    /// A parameter uses the previous value, but the stack does not exist.
    NoPreviousValue,
    /// Two writers would set the same value.
    TwoWriters,
    /// A backup policy matches no table.
    NoTable,
    /// A restore test has failed.
    Unproven,
    /// A measured value exceeds its objective.
    Objective,
    /// A recovery point is implausible.
    Implausible,
    /// A tag points to another image, and the manifest does not follow it.
    MovedTag,
    /// An image was not built for the platform of the tasks.
    Platform,
    /// The running image is no longer in its registry: no new task can start.
    ImageGone,
    /// The running image is missing in the registry of another region that should have it.
    ImageElsewhere,
    /// The same service was deployed outside Landfast.
    Superseded,
    /// Reverted drift keeps coming back.
    Fight,
    /// Drift cannot be reverted, or not without other changes.
    Revert,
}

/// A step that was refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Which rule.
    pub guard: Guard,
    /// What it found.
    pub reason: String,
    /// How to resolve it.
    pub release: String,
}

/// A person's approval of one plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// The plan that was shown.
    pub plan: Digest,
    /// Who approved it, as far as known.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Nothing else is done, whatever policy allows: somebody asked for this plan, and not for the environment to be
    /// reconciled.
    #[serde(default)]
    pub exclusive: bool,
    /// When it ends by itself: nothing begins by it from that moment on. `None`: an earlier version has written it down.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// The reviews that it was made of, by their IDs; none: whoever owns the state directory gave it directly.
    #[serde(default)]
    pub reviews: BTreeSet<String>,
    /// What exactly, by object.
    pub grants: BTreeMap<Key, Grant>,
}

/// What was approved for one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The action.
    pub action: Action,
    /// Digest of the manifest's side of it: void when the manifest changes.
    pub spec: Digest,
    /// Digest of the resolved inputs, where all were known: void when one of them changes.
    #[serde(default)]
    pub inputs: Option<Digest>,
    /// The changes that AWS had computed, where it had: void when it computes another.
    #[serde(default)]
    pub changes: Option<BTreeSet<Digest>>,
    /// The resources that it was shown to replace or remove.
    pub destructive: BTreeSet<String>,
    /// The access that it was shown to give ([`Broadening::approved`]).
    #[serde(default)]
    pub broadened: BTreeSet<String>,
    /// The incarnation of the stack that may be deleted.
    pub stack: Option<StackId>,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "in sync",
            Self::Create => "create",
            Self::Update => "update",
            Self::MayUpdate => "may update",
            Self::Adopt => "adopt",
            Self::Recreate => "recreate",
            Self::Recover => "recover",
            Self::Revert => "revert",
            Self::Delete => "delete",
            Self::Retain => "retain",
            Self::Unknown => "unknown",
        })
    }
}

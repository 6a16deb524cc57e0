//! What will be done, what it waits for, and what was refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    ChangeSetId, ChangeSetName, Conclusion, Digest, EnvName, Failure, Fingerprint, Key, OnFailure, OperationKind,
    Redacted, ResourceChange, Revision, StackAddress, StackId, StackStatus, StackVersion,
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
}

impl Plan {
    /// Nothing to do, and nothing that could not be seen.
    #[must_use]
    pub fn in_sync(&self) -> bool {
        self.entries.values().all(|entry| entry.action == Action::None)
    }
}

/// What the plan says of one object.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where the stack is.
    pub address: StackAddress,
    /// Its status when it was seen.
    pub status: Option<StackStatus>,
    /// The whole change it needs.
    pub action: Action,
    /// Why.
    pub differences: Vec<Difference>,
    /// What that does to its resources.
    pub changes: Changes,
    /// What it waits for.
    pub waiting: Vec<Waiting>,
    /// What forbids it, and what would release it.
    pub refused: Vec<Refusal>,
    /// What depends on it being ready.
    pub depends_on: BTreeSet<Key>,
    /// The step that can be taken now.
    pub step: Option<Step>,
    /// The object is as desired, or good enough for what depends on it.
    pub ready: bool,
}

/// The whole change an object needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// It is as desired.
    None,
    /// It does not exist.
    Create,
    /// It differs.
    Update,
    /// It may differ once something it refers to has changed.
    MayUpdate,
    /// It exists, is nobody's, and the manifest says to take it over.
    Adopt,
    /// Its last creation failed: cleared and created again.
    Recreate,
    /// It is stuck, and one planned operation may free it.
    Recover,
    /// Its manifest is gone.
    Delete,
    /// Its manifest is gone, and it stays.
    Retain,
    /// It could not be seen.
    Unknown,
}

/// One way in which a stack is not as desired.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "what", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Difference {
    /// It does not exist.
    Absent,
    /// It was deployed from another template.
    Template,
    /// A parameter has another value; `to: null` where it is known only after apply.
    Parameter {
        /// The parameter.
        name: String,
        /// The deployed value.
        from: Option<String>,
        /// The desired one.
        to: Option<String>,
    },
    /// A `NoEcho` parameter has another value, or it is not known which it has.
    NoEcho {
        /// The parameter.
        name: String,
    },
    /// A tag has another value.
    Tag {
        /// The tag's key.
        name: String,
        /// The deployed value.
        from: Option<String>,
        /// The desired one.
        to: Option<String>,
    },
    /// The service role differs.
    Role,
    /// The notification topics differ.
    Notifications,
    /// The rollback alarms differ.
    RollbackAlarms,
    /// Termination protection differs.
    TerminationProtection {
        /// The desired setting.
        to: bool,
    },
    /// The stack policy differs.
    StackPolicy,
    /// It is not marked as ours.
    Owner,
    /// The stack is in a status that has to be left first.
    Status {
        /// The status.
        status: StackStatus,
    },
    /// Its manifest is gone.
    NotDesired,
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

/// Why an object is not done although nothing forbids it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "for", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Waiting {
    /// Other objects must be ready first (or, for a deletion, gone first).
    Dependency {
        /// Which.
        objects: BTreeSet<String>,
    },
    /// An operation is running.
    Operation {
        /// The stack's status.
        status: StackStatus,
        /// Ours, or somebody else's.
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
    /// A failed operation is tried again later.
    Backoff {
        /// When.
        #[schemars(with = "String")]
        until: Timestamp,
        /// How often it has failed.
        attempt: u32,
        /// How.
        failure: Failure,
    },
    /// A read failed; nothing is decided until it succeeds.
    Unknown {
        /// What could not be read, and why.
        why: String,
    },
    /// A person must approve this plan.
    Approval {
        /// By this command.
        command: String,
    },
    /// Only so many operations run at once.
    Turn,
}

/// A rule that forbids a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Guard {
    /// The environment is only observed.
    Mode,
    /// The stack is not ours.
    Ownership,
    /// Pruning is switched off.
    Prune,
    /// A stateful resource would be replaced or removed.
    Replace,
    /// There is no fresh backup of a stateful resource.
    Backup,
    /// More would be destroyed than the budget allows.
    Budget,
    /// Termination protection is on.
    TerminationProtection,
    /// The stack name breaks the naming convention.
    StackName,
    /// A required tag is missing.
    RequiredTags,
    /// An export in use would be removed or changed.
    ExportInUse,
    /// AWS refused the change set.
    ChangeSet,
    /// The inputs failed and have not changed since.
    Stalled,
    /// The stack is in a state that only a person may leave.
    Stuck,
    /// A newer revision has been applied.
    Revision,
    /// The template is too large to send, and there is no bucket to upload it to.
    TemplateSize,
}

/// A step that was refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Which rule.
    pub guard: Guard,
    /// What it found.
    pub reason: String,
    /// What would release it.
    pub release: String,
}

/// What must still be true at the moment of acting. Read again just before; if it is not, the step is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// There is no such stack.
    Absent,
    /// It is this stack, as of this change, in this status.
    Stack(StackVersion, StackStatus),
    /// The step changes only what we remember.
    Nothing,
}

/// One step: names, tokens, order and preconditions are all decided.
#[derive(Clone, Debug)]
pub struct Step {
    /// The object.
    pub key: Key,
    /// Where it is.
    pub address: StackAddress,
    /// The precondition.
    pub expect: Expect,
    /// The revision it was made for.
    pub revision: u64,
    /// What it costs of the budget: stacks changed, resources replaced or removed, stacks deleted.
    pub cost: (u32, u32, u32),
    /// What the object depends on now: remembered, because deletions go in the reverse order.
    pub depends_on: BTreeSet<Key>,
    /// What to do.
    pub action: Do,
}

/// Inputs of a creation or a change set, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// The template's text.
    pub body: Arc<str>,
    /// Where it has to be uploaded first, because it is over 51,200 bytes: bucket and object key.
    pub upload: Option<(String, String)>,
    /// Parameter values.
    pub parameters: BTreeMap<String, Value>,
    /// Capabilities.
    pub capabilities: BTreeSet<String>,
    /// Tags, ours included.
    pub tags: BTreeMap<String, String>,
    /// The service role.
    pub role_arn: Option<String>,
    /// SNS topics.
    pub notifications: BTreeSet<String>,
    /// Rollback alarms.
    pub rollback_alarms: BTreeSet<String>,
    /// Minutes the alarms are watched.
    pub monitoring_minutes: Option<i32>,
    /// Digest of all of it, fingerprints in the place of secrets.
    pub digest: Digest,
    /// Fingerprints of `NoEcho` values.
    pub no_echo: BTreeMap<String, Fingerprint>,
}

/// A resolved parameter value.
#[derive(Clone, Debug)]
pub enum Value {
    /// May be shown.
    Plain(String),
    /// Must not.
    NoEcho(Redacted),
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Plain(a), Self::Plain(b)) => a == b,
            (Self::NoEcho(a), Self::NoEcho(b)) => a.expose() == b.expose(),
            _ => false,
        }
    }
}

impl Eq for Value {}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Do {
    /// Creates the stack, with its protections, in one call.
    Create {
        /// From this.
        inputs: Arc<Inputs>,
        /// Idempotency token.
        token: String,
        /// Termination protection from the first moment.
        termination_protection: bool,
        /// Stack policy from the first moment.
        stack_policy: Option<Arc<str>>,
        /// What AWS does when it fails.
        on_failure: OnFailure,
        /// After how long AWS gives up.
        timeout: Option<Duration>,
    },
    /// Creates a change set.
    Prepare {
        /// From this.
        inputs: Arc<Inputs>,
        /// Its name: derived from inputs and version, so that a crash finds it again.
        name: ChangeSetName,
    },
    /// Executes a change set.
    Execute {
        /// Which.
        change_set: ChangeSetId,
        /// Idempotency token.
        token: String,
        /// Digest of the inputs it was made from.
        inputs: Digest,
        /// Fingerprints of `NoEcho` values among them.
        no_echo: BTreeMap<String, Fingerprint>,
    },
    /// Deletes change sets of ours that are stale or empty.
    Discard {
        /// Which.
        names: BTreeSet<ChangeSetName>,
    },
    /// Deletes the stack.
    Delete {
        /// `Delete` or `Clear`.
        kind: OperationKind,
        /// Which incarnation.
        stack: StackId,
        /// Idempotency token.
        token: String,
        /// Digest that attempts are counted under.
        inputs: Digest,
    },
    /// Cancels a running update that is overdue.
    Cancel {
        /// Idempotency token.
        token: String,
    },
    /// Continues a rollback that failed.
    ContinueRollback {
        /// Idempotency token.
        token: String,
    },
    /// Switches termination protection.
    Protect {
        /// To this.
        on: bool,
    },
    /// Sets the stack policy.
    SetPolicy {
        /// The policy, as JSON.
        body: Arc<str>,
    },
    /// Writes down how our operation ended.
    Conclude {
        /// So.
        conclusion: Conclusion,
        /// The version the stack has now, where there is one.
        version: Option<StackVersion>,
    },
    /// Writes down that AWS found the inputs to change nothing.
    Settle {
        /// The stack as it is.
        version: StackVersion,
        /// Digest of the inputs.
        inputs: Digest,
        /// Fingerprints that are thereby proved to be the deployed ones.
        no_echo: BTreeMap<String, Fingerprint>,
    },
    /// Writes down that AWS refused the inputs.
    Reject {
        /// Digest of the inputs.
        inputs: Digest,
        /// How.
        failure: Failure,
    },
}

impl Do {
    /// The word for logs and reports.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Prepare { .. } => "prepare",
            Self::Execute { .. } => "execute",
            Self::Discard { .. } => "discard",
            Self::Delete { kind: OperationKind::Clear, .. } => "clear",
            Self::Delete { .. } => "delete",
            Self::Cancel { .. } => "cancel",
            Self::ContinueRollback { .. } => "continue-rollback",
            Self::Protect { .. } => "protect",
            Self::SetPolicy { .. } => "set-policy",
            Self::Conclude { .. } => "conclude",
            Self::Settle { .. } => "settle",
            Self::Reject { .. } => "reject",
        }
    }

    /// The verb and what it is done with: equal for the same step taken twice, different for any other.
    #[must_use]
    pub fn identity(&self) -> String {
        let with = match self {
            Self::Create { token, .. }
            | Self::Execute { token, .. }
            | Self::Delete { token, .. }
            | Self::Cancel { token }
            | Self::ContinueRollback { token } => token.clone(),
            Self::Prepare { name, .. } => name.to_string(),
            Self::Discard { names } => names.iter().map(ChangeSetName::as_str).collect::<Vec<_>>().join(","),
            Self::Protect { on } => on.to_string(),
            Self::SetPolicy { body } => Digest::of_bytes(body.as_bytes()).to_string(),
            Self::Conclude { .. } | Self::Settle { .. } | Self::Reject { .. } => String::new(),
        };
        format!("{} {with}", self.verb())
    }

    /// It calls AWS to change something.
    #[must_use]
    pub fn mutates(&self) -> bool {
        !matches!(self, Self::Conclude { .. } | Self::Settle { .. } | Self::Reject { .. })
    }
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
    /// The resources that it was shown to replace or remove.
    pub destructive: BTreeSet<String>,
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
            Self::Delete => "delete",
            Self::Retain => "retain",
            Self::Unknown => "unknown",
        })
    }
}

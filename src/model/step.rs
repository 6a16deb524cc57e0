//! One step of a plan: everything is decided, nothing is left to choose.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::{
    Address, BackupStep, ChangeSetId, ChangeSetName, Conclusion, DeploymentMode, Digest, Failure, Fingerprint, Key,
    OnFailure, OperationKind, RecordStep, Redacted, SecretStep, ServiceStep, SmallMap, StackAddress, StackId,
    StackStatus, StackVersion, TemplateFacts, Writes,
};

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
    pub address: Address,
    /// The revision it was made for.
    pub revision: u64,
    /// What it costs of the budget: stacks changed, resources replaced or deleted, stacks deleted.
    pub cost: (u32, u32, u32),
    /// The key that it had before its manifest was renamed or moved: what is remembered under that goes over first.
    pub takes_over: Option<Key>,
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
    /// The template that is deployed is used again, and `body` is empty.
    pub previous: bool,
    /// Where it has to be uploaded first, because it is over 51,200 bytes: bucket and object key.
    pub upload: Option<(String, String)>,
    /// Everything else that AWS is told.
    pub options: StackOptions,
    /// Digest of all of it, fingerprints in the place of secrets.
    pub digest: Digest,
    /// Fingerprints of `NoEcho` values.
    pub no_echo: BTreeMap<String, Fingerprint>,
    /// What stood in Parameter Store for the parameters that take it from there.
    pub stored: BTreeMap<String, String>,
}

/// What a stack is made from beside its template, in a creation and in a change set alike (AWS: *`CreateStack`*,
/// *`CreateChangeSet`*; *Configure stack options*).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StackOptions {
    /// Parameter values.
    pub parameters: SmallMap<Value>,
    /// Capabilities.
    pub capabilities: BTreeSet<String>,
    /// Tags, ours included.
    pub tags: SmallMap<String>,
    /// The service role.
    pub role_arn: Option<String>,
    /// SNS topics.
    pub notifications: BTreeSet<String>,
    /// Rollback alarms.
    pub rollback_alarms: BTreeSet<String>,
    /// Minutes the alarms are watched.
    pub monitoring_minutes: Option<i32>,
}

/// A resolved parameter value.
#[derive(Clone, Debug)]
pub enum Value {
    /// May be shown.
    Plain(String),
    /// Must not.
    NoEcho(Redacted),
    /// The one that is deployed.
    Previous,
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Plain(a), Self::Plain(b)) => a == b,
            (Self::NoEcho(a), Self::NoEcho(b)) => a.expose() == b.expose(),
            (Self::Previous, Self::Previous) => true,
            _ => false,
        }
    }
}

impl Eq for Value {}

/// What a step does, by kind of object.
#[derive(Clone, Debug)]
pub enum Do {
    /// To a stack.
    Stack(StackStep),
    /// To a service.
    Service(ServiceStep),
    /// To a secret.
    Secret(SecretStep),
    /// To a DNS record.
    Record(RecordStep),
    /// For a backup policy.
    Backup(BackupStep),
}

/// What is asked of every step, whatever it is done to.
pub trait Act {
    /// The word for logs and reports.
    fn verb(&self) -> &'static str;

    /// The verb and what it is done with: equal for the same step taken twice, different for any other.
    fn identity(&self) -> String;

    /// It calls AWS to change something.
    fn mutates(&self) -> bool;

    /// It starts an operation that runs on after the call and has to be followed.
    fn begins_operation(&self) -> bool;

    /// It only prepares or writes down: nothing that runs is changed by it.
    fn is_preparation(&self) -> bool;
}

impl Do {
    fn act(&self) -> &dyn Act {
        match self {
            Self::Stack(step) => &step.action,
            Self::Service(step) => step,
            Self::Secret(step) => step,
            Self::Record(step) => step,
            Self::Backup(step) => step,
        }
    }
}

impl Act for Do {
    fn verb(&self) -> &'static str {
        self.act().verb()
    }

    fn identity(&self) -> String {
        self.act().identity()
    }

    fn mutates(&self) -> bool {
        self.act().mutates()
    }

    fn begins_operation(&self) -> bool {
        self.act().begins_operation()
    }

    fn is_preparation(&self) -> bool {
        self.act().is_preparation()
    }
}

/// A step on a stack.
#[derive(Clone, Debug)]
pub struct StackStep {
    /// The stack's address.
    pub address: StackAddress,
    /// The precondition.
    pub expect: Expect,
    /// What to do.
    pub action: StackDo,
}

/// What is done to a stack.
#[derive(Clone, Debug)]
pub enum StackDo {
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
        /// The stack that it was until now, in another region, which stays.
        leaves: Option<StackId>,
    },
    /// Creates a change set.
    Prepare {
        /// From this.
        inputs: Arc<Inputs>,
        /// Its name: derived from inputs and version with a key, so that a crash finds it again and nobody else foresees it.
        name: ChangeSetName,
        /// What it is made for: the digest of inputs, version and mode.
        of: Digest,
        /// Which of several for the same.
        attempt: u32,
        /// What it does about drift.
        mode: DeploymentMode,
    },
    /// Executes a change set.
    Execute {
        /// Which: the ARN that our own `CreateChangeSet` has answered.
        change_set: ChangeSetId,
        /// Idempotency token.
        token: String,
        /// Digest of the inputs it was made from.
        inputs: Digest,
        /// Fingerprints of `NoEcho` values among them.
        no_echo: BTreeMap<String, Fingerprint>,
        /// What a rollback was continued without and this brings into step, if that is what it is for.
        resyncs: BTreeSet<String>,
        /// What it writes.
        writes: Writes,
    },
    /// Deletes change sets of ours that are stale or empty.
    Discard {
        /// Which, and where their templates were uploaded to: bucket and key.
        names: BTreeMap<ChangeSetName, Option<(String, String)>>,
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
        /// Resources that stay in the account: those that an earlier deletion failed on.
        retain: BTreeSet<String>,
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
        /// Resources that are left as they are.
        skip: BTreeSet<String>,
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
        /// What it has deployed, where that is known: it need not be read.
        template: Option<Arc<TemplateFacts>>,
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
    /// Writes down that somebody has continued a rollback without these resources.
    Notice {
        /// Their logical IDs.
        skipped: BTreeSet<String>,
    },
    /// Writes down that AWS refused the inputs.
    Reject {
        /// Digest of the inputs.
        inputs: Digest,
        /// How.
        failure: Failure,
        /// The change set that is therefore not used.
        spoiled: Option<ChangeSetName>,
    },
}

impl Act for StackDo {
    fn verb(&self) -> &'static str {
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
            Self::Notice { .. } => "notice",
            Self::Reject { .. } => "reject",
        }
    }

    fn identity(&self) -> String {
        let with = match self {
            Self::Create { token, .. }
            | Self::Execute { token, .. }
            | Self::Delete { token, .. }
            | Self::Cancel { token }
            | Self::ContinueRollback { token, .. } => token.clone(),
            Self::Prepare { name, .. } => name.to_string(),
            Self::Discard { names } => names.keys().map(ChangeSetName::as_str).collect::<Vec<_>>().join(","),
            Self::Protect { on } => on.to_string(),
            Self::SetPolicy { body } => Digest::of_bytes(body.as_bytes()).to_string(),
            Self::Notice { skipped } => skipped.iter().map(String::as_str).collect::<Vec<_>>().join(","),
            Self::Conclude { .. } | Self::Settle { .. } | Self::Reject { .. } => String::new(),
        };
        format!("{} {with}", self.verb())
    }

    fn mutates(&self) -> bool {
        !matches!(self, Self::Conclude { .. } | Self::Settle { .. } | Self::Notice { .. } | Self::Reject { .. })
    }

    fn begins_operation(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::Execute { .. } | Self::Delete { .. } | Self::ContinueRollback { .. })
    }

    fn is_preparation(&self) -> bool {
        matches!(self, Self::Prepare { .. } | Self::Discard { .. }) || !self.mutates()
    }
}

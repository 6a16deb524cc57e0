//! What the manifests ask for, validated and with every reference found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AssumeRole, BackupSpec, DriftAction, EnvName, Gaps, ImageParameter, Key, Limits, OnceDigest, Readiness, RecordSpec,
    Redacted, Revision, Scope, SecretSpec, ServiceSpec, SmallMap, StackAddress, StackName, Template, Text, Tolerance,
    Windows,
};

/// Everything one revision asks for.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The revision it was read from.
    pub revision: Revision,
    /// The environments that loaded without an error.
    pub environments: BTreeMap<EnvName, Arc<Environment>>,
}

/// One environment.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Its name.
    pub name: EnvName,
    /// The middle of `{env}-{system}-{name}`.
    pub system: String,
    /// Its account and its default region.
    pub scope: Scope,
    /// How the account is entered; none means with the credentials at hand.
    pub role: Option<AssumeRole>,
    /// Tags of every stack.
    pub tags: BTreeMap<String, String>,
    /// What Landfast may do here by itself: what the manifest asks for, as far as the operator allows it.
    pub policy: Policy,
    /// When changes may begin.
    pub windows: Arc<Windows>,
    /// What the operator's own configuration says of it.
    pub limits: Limits,
    /// The bucket that templates over 51,200 bytes are uploaded to.
    pub template_bucket: Option<String>,
    /// Its stacks.
    pub stacks: BTreeMap<Key, Arc<StackSpec>>,
    /// Its services.
    pub services: BTreeMap<Key, Arc<ServiceSpec>>,
    /// Its secrets.
    pub secrets: BTreeMap<Key, Arc<SecretSpec>>,
    /// Its DNS records.
    pub records: BTreeMap<Key, Arc<RecordSpec>>,
    /// Its backup policies.
    pub backups: BTreeMap<Key, Arc<BackupSpec>>,
    /// What must hold beside their own status before objects are ready.
    pub ready: BTreeMap<Key, Vec<Readiness>>,
    /// What was not read, or not understood, and may hold the manifest of something that is not desired here.
    pub gaps: Gaps,
    /// The commit that was accepted last, where the manifests' is an ancestor of it: nothing is changed then (invariant S8).
    pub older_than: Option<String>,
}

impl Environment {
    /// Accounts and regions in which it has or wants stacks.
    #[must_use]
    pub fn scopes(&self) -> BTreeSet<Scope> {
        // There are thousands of stacks in a few of them.
        let scopes: BTreeSet<&Scope> = self.stacks.values().map(|spec| &spec.scope).chain([&self.scope]).collect();
        scopes.into_iter().cloned().collect()
    }

    /// What every object waits for.
    pub fn dependencies(&self) -> impl Iterator<Item = (&Key, &BTreeSet<Key>)> {
        let stacks = self.stacks.iter().map(|(key, spec)| (key, &spec.depends_on));
        let services = self.services.iter().map(|(key, spec)| (key, &spec.depends_on));
        let secrets = self.secrets.iter().map(|(key, spec)| (key, &spec.depends_on));
        let records = self.records.iter().map(|(key, spec)| (key, &spec.depends_on));
        let backups = self.backups.iter().map(|(key, spec)| (key, &spec.depends_on));
        stacks.chain(services).chain(secrets).chain(records).chain(backups)
    }
}

/// Where something is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, relative to the manifests' root.
    pub file: Arc<str>,
    /// The line, from one.
    pub line: usize,
}

/// Where the value of a parameter is given, so that it can be changed there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenAt {
    /// The file and the line.
    pub place: Place,
    /// The field in it: `spec.parameters.Name`, `spec.values.size`, `Parameters.Name`.
    pub field: String,
}

/// One stack as its manifest wants it.
#[derive(Clone, Debug)]
pub struct StackSpec {
    /// Its address.
    pub key: Key,
    /// Account and region.
    pub scope: Scope,
    /// Its name in CloudFormation.
    pub stack_name: StackName,
    /// Its template.
    pub template: Arc<Template>,
    /// The template's file, relative to the manifests' root.
    pub template_file: String,
    /// Values for the template's parameters; those with a default may be missing.
    pub parameters: SmallMap<Parameter>,
    /// Where the values of those are given that no template's default gives.
    pub given: Box<[(String, GivenAt)]>,
    /// Parameters whose value is the image that was chosen for a service.
    pub images: SmallMap<ImageParameter>,
    /// Acknowledged capabilities.
    pub capabilities: BTreeSet<String>,
    /// Tags, the environment's included, Landfast's own not.
    pub tags: SmallMap<Text>,
    /// The service role.
    pub role_arn: Option<Text>,
    /// Termination protection.
    pub termination_protection: bool,
    /// The stack policy, as JSON text.
    pub stack_policy: Option<Arc<str>>,
    /// What CloudFormation does when a creation fails.
    pub on_failure: OnFailure,
    /// How long an operation may take before it is reported as overdue (and an update is cancelled).
    pub timeout: Option<Duration>,
    /// ARNs of rollback alarms.
    pub rollback_alarms: Vec<Text>,
    /// Minutes that the alarms are watched after a deployment.
    pub monitoring_minutes: Option<i32>,
    /// SNS topics for stack events.
    pub notifications: Vec<Text>,
    /// What happens to the stack when its manifest is removed.
    pub deletion_policy: DeletionPolicy,
    /// Adopt an existing stack of this name that has no owner.
    pub adopt: bool,
    /// Where its manifest is.
    pub manifest: Place,
    /// Drift that is put up with.
    pub tolerances: Vec<Tolerance>,
    /// What is done about the rest; none: what the environment's policy says.
    pub drift: Option<DriftAction>,
    /// Everything it waits for: references, imports of exports, `dependsOn`.
    pub depends_on: BTreeSet<Key>,
    /// What consent covers of all this: made when it is first asked for.
    pub digest: OnceDigest,
}

impl StackSpec {
    /// Where it is.
    #[must_use]
    pub fn address(&self) -> StackAddress {
        StackAddress { scope: self.scope.clone(), name: self.stack_name.clone() }
    }

    /// Whether it is there.
    #[must_use]
    pub fn is_at(&self, address: &StackAddress) -> bool {
        self.stack_name == address.name && self.scope == address.scope
    }
}

/// The value of a template parameter.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Parameter {
    /// May be shown.
    Plain(Text),
    /// Declared `NoEcho`: is never shown, and compared by fingerprint.
    NoEcho(Redacted),
    /// Whatever the stack has: nobody here knows it, and no update changes it.
    Previous,
}

/// What Landfast is allowed to do in an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// Whether it acts at all.
    pub mode: Mode,
    /// What follows from a manifest that is gone.
    pub prune: Prune,
    /// What happens when a change replaces or deletes a stateful resource.
    pub replace: Replace,
    /// What follows from a change that gives access to somebody who did not have it.
    pub broaden: Broaden,
    /// How much may be destroyed.
    pub budget: Budget,
    /// A regular expression that every stack name must match as a whole.
    pub stack_name: String,
    /// Tags that every stack must have.
    pub required_tags: BTreeSet<String>,
    /// Resource types that hold state: replaced or removed only with consent and a backup.
    pub stateful_types: BTreeSet<String>,
    /// Types outside of AWS's own that are known to hold none. Of any other nobody can tell, so that it counts as one that
    /// does.
    pub stateless_types: BTreeSet<String>,
    /// How old the newest completed backup of a stateful resource may be when it is replaced or removed.
    pub backup_max_age: Duration,
    /// What is done about drift inside stacks, where a stack does not say.
    pub drift: DriftAction,
    /// How often every stack is looked at for drift; none: only when somebody asks.
    pub drift_every: Option<Duration>,
}

/// Whether Landfast makes changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Read-only: no mutating call is made, not even for a preview.
    Observe,
    /// Applies plans that are approved by their digest.
    Approve,
    /// Applies changes automatically.
    #[default]
    Apply,
}

/// What happens when a manifest is removed in a valid revision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Prune {
    /// The stack is kept and reported.
    Never,
    /// The stack is deleted after the plan is approved.
    #[default]
    Confirm,
    /// The stack is deleted.
    Always,
}

/// What happens when a change replaces or deletes a stateful resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Replace {
    /// It is refused.
    #[default]
    Deny,
    /// It needs approval of the plan.
    Approve,
    /// It is done if a fresh backup exists.
    Allow,
}

/// What happens when a change grants new access. The strictest comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Broaden {
    /// It is refused.
    Deny,
    /// It needs approval of the plan.
    #[default]
    Approve,
    /// It is done.
    Allow,
}

/// How much may be changed and destroyed within a period, without a person's consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// Stacks changed.
    pub stacks: u32,
    /// Stateful resources replaced or deleted inside stacks. Others do not count: every deployment of an image
    /// replaces a task definition.
    pub replacements: u32,
    /// Stacks deleted.
    pub deletions: u32,
    /// The period.
    pub per: Duration,
}

/// What CloudFormation does when a creation fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OnFailure {
    /// Deletes what was created and keeps the stack as evidence.
    #[default]
    Rollback,
    /// Deletes the stack.
    Delete,
    /// Leaves everything as it is.
    Nothing,
}

/// What happens to the stack when its manifest is removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DeletionPolicy {
    /// It is deleted if the environment's `prune` policy allows it.
    #[default]
    Delete,
    /// It is kept, regardless of the policy.
    Retain,
}

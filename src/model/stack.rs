//! A CloudFormation stack as AWS describes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::aws::{InvalidName, identifier};
use super::{Digest, Scope, SmallMap, StackAddress, StackName};

identifier! {
    /// The id (ARN) of a stack. Unlike a name it is never used again after the stack is deleted.
    StackId, "the ARN of a stack",
    |text| text.starts_with("arn:") && text.contains(":cloudformation:") && text.contains(":stack/")
}

impl StackId {
    /// Whether the stack is in this account and region, as the ARN says.
    #[must_use]
    pub fn is_in(&self, scope: &Scope) -> bool {
        let rest = self.as_str().strip_prefix("arn:").and_then(|rest| rest.split_once(":cloudformation:"));
        let rest = rest.and_then(|(_, rest)| rest.strip_prefix(scope.region.as_str())?.strip_prefix(':'));
        rest.and_then(|rest| rest.strip_prefix(scope.account.as_str())).is_some_and(|rest| rest.starts_with(':'))
    }

    /// Account, region and name, as the ARN says: `arn:aws:cloudformation:REGION:ACCOUNT:stack/NAME/UUID`.
    #[must_use]
    pub fn address(&self) -> Option<StackAddress> {
        let mut parts = self.as_str().split(':').skip(3);
        let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        let name = resource.split('/').nth(1)?;
        let scope = Scope { account: account.parse().ok()?, region: region.parse().ok()? };
        Some(StackAddress { scope, name: name.parse().ok()? })
    }
}

identifier! {
    /// The id (ARN) of a change set.
    ChangeSetId, "the ARN of a change set",
    |text| text.starts_with("arn:") && text.contains(":changeSet/")
}

identifier! {
    /// A change set's name: letters, digits and hyphens, starting with a letter, at most 128.
    ChangeSetName, "a change set name (letters, digits and hyphens, starting with a letter, at most 128)",
    |text| {
        text.len() <= 128
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    }
}

macro_rules! statuses {
    ($($variant:ident = $text:literal),+ $(,)?) => {
        /// The 23 statuses of a stack (AWS: *Stack status codes*).
        #[expect(clippy::doc_markdown, reason = "the descriptions are AWS's names, and go into the schema as they are")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        pub enum StackStatus {
            $(#[doc = $text] #[serde(rename = $text)] $variant,)+
        }

        impl StackStatus {
            /// Every status, in the order of AWS's list.
            pub const ALL: [Self; 23] = [$(Self::$variant),+];

            /// The name that AWS uses.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::str::FromStr for StackStatus {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(InvalidName::new(text, "one of the stack statuses that AWS documents")),
                }
            }
        }
    };
}

statuses! {
    CreateInProgress = "CREATE_IN_PROGRESS",
    CreateFailed = "CREATE_FAILED",
    CreateComplete = "CREATE_COMPLETE",
    RollbackInProgress = "ROLLBACK_IN_PROGRESS",
    RollbackFailed = "ROLLBACK_FAILED",
    RollbackComplete = "ROLLBACK_COMPLETE",
    DeleteInProgress = "DELETE_IN_PROGRESS",
    DeleteFailed = "DELETE_FAILED",
    DeleteComplete = "DELETE_COMPLETE",
    UpdateInProgress = "UPDATE_IN_PROGRESS",
    UpdateCompleteCleanupInProgress = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    UpdateComplete = "UPDATE_COMPLETE",
    UpdateFailed = "UPDATE_FAILED",
    UpdateRollbackInProgress = "UPDATE_ROLLBACK_IN_PROGRESS",
    UpdateRollbackFailed = "UPDATE_ROLLBACK_FAILED",
    UpdateRollbackCompleteCleanupInProgress = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    UpdateRollbackComplete = "UPDATE_ROLLBACK_COMPLETE",
    ReviewInProgress = "REVIEW_IN_PROGRESS",
    ImportInProgress = "IMPORT_IN_PROGRESS",
    ImportComplete = "IMPORT_COMPLETE",
    ImportRollbackInProgress = "IMPORT_ROLLBACK_IN_PROGRESS",
    ImportRollbackFailed = "IMPORT_ROLLBACK_FAILED",
    ImportRollbackComplete = "IMPORT_ROLLBACK_COMPLETE",
}

impl fmt::Display for StackStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl StackStatus {
    /// An operation is running (`REVIEW_IN_PROGRESS` is not one: it is a shell that waits for its change set).
    #[must_use]
    pub fn is_in_progress(self) -> bool {
        self != Self::ReviewInProgress && self.as_str().ends_with("_IN_PROGRESS")
    }
}

/// Which stack, and as of which change: the fence of every step. Any operation moves it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StackVersion {
    /// The stack, this incarnation of it.
    pub id: StackId,
    /// `LastUpdatedTime`, or `CreationTime` where there was no update.
    pub moved: Timestamp,
}

/// One output of a deployed stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Its value.
    pub value: String,
    /// The name under which it is exported, if it is.
    pub export: Option<String>,
}

/// What `DescribeStacks` says of one stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackState {
    /// Its id.
    pub id: StackId,
    /// Its name.
    pub name: StackName,
    /// Its status.
    pub status: StackStatus,
    /// Why it has that status, as AWS says.
    pub status_reason: Option<String>,
    /// When it was created.
    pub created: Timestamp,
    /// When an update last began.
    pub updated: Option<Timestamp>,
    /// Parameter values; `NoEcho` ones read `****`.
    pub parameters: SmallMap<String>,
    /// What stood in Parameter Store for those that name a parameter there, when CloudFormation looked last (AWS:
    /// *Parameter*, `ResolvedValue`).
    #[serde(default)]
    pub stored: SmallMap<String>,
    /// Stack tags.
    pub tags: SmallMap<String>,
    /// Outputs by key.
    pub outputs: SmallMap<Output>,
    /// Termination protection.
    pub termination_protection: bool,
    /// The service role of the last operation.
    pub role_arn: Option<String>,
    /// SNS topics that get its events.
    pub notifications: BTreeSet<String>,
    /// ARNs of the rollback alarms.
    pub rollback_alarms: BTreeSet<String>,
    /// Minutes the alarms are watched after a deployment.
    pub monitoring_minutes: Option<i32>,
    /// Capabilities that the last operation acknowledged. Not a property of the stack, and never compared.
    #[serde(default)]
    pub capabilities: BTreeSet<String>,
    /// Minutes that its creation was given, if it was given a limit.
    #[serde(default)]
    pub timeout_minutes: Option<i32>,
    /// The change set that last changed it.
    pub change_set: Option<ChangeSetId>,
    /// The stack it is nested in.
    pub parent: Option<StackId>,
    /// Its most recent operations, where the endpoint names them.
    #[serde(default)]
    pub operations: Vec<LastOperation>,
}

/// One of the most recent operations on a stack (AWS: *`Stack`*, `LastOperations`; *`OperationEntry`*). AWS says neither how
/// many it names nor in which order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LastOperation {
    /// `CREATE_STACK`, `UPDATE_STACK`, …
    pub kind: String,
    /// Its id.
    pub id: String,
}

impl StackState {
    /// Which stack this is, as of which change.
    #[must_use]
    pub fn version(&self) -> StackVersion {
        StackVersion { id: self.id.clone(), moved: self.updated.unwrap_or(self.created) }
    }
}

/// What a change set is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangeSetStatus {
    /// AWS is still computing it.
    Creating,
    /// It can be executed.
    Available,
    /// It holds no change: AWS says there is nothing to do.
    Empty,
    /// It failed; the reason is AWS's.
    Failed(String),
    /// It can no longer be executed: executed already, obsolete because the stack moved, or being deleted.
    Spent,
}

/// What a change set does about drift (AWS: *`CreateChangeSet`*, `DeploymentMode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DeploymentMode {
    /// Nothing: what was deployed last is compared with what is to be deployed.
    #[default]
    Ordinary,
    /// It puts back what was changed past the stack: what there is, is compared with what is to be deployed (AWS: *Using
    /// drift-aware change sets*).
    RevertDrift,
}

/// A line of `ListChangeSets`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeSetSummary {
    /// Its id.
    pub id: ChangeSetId,
    /// Its name.
    pub name: ChangeSetName,
    /// Its status.
    pub status: ChangeSetStatus,
}

/// A change set with every change in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeSetState {
    /// Its id.
    pub id: ChangeSetId,
    /// Its name.
    pub name: ChangeSetName,
    /// The stack it belongs to.
    pub stack: StackId,
    /// Its status.
    pub status: ChangeSetStatus,
    /// What it does about drift, as AWS says: an endpoint that does not know of it makes an ordinary one.
    #[serde(default)]
    pub mode: DeploymentMode,
    /// The change set of the stack that its stack is nested in, if it belongs to one.
    #[serde(default)]
    pub parent: Option<ChangeSetId>,
    /// The changes, all pages.
    pub changes: Vec<ResourceChange>,
    /// What it was made from, as AWS says.
    #[serde(default)]
    pub inputs: ChangeSetInputs,
    /// The resources as a whole, by logical id, where AWS says. Read for what they give access to, and kept nowhere.
    #[serde(default)]
    pub contexts: BTreeMap<String, ChangeContext>,
}

/// What AWS says that a change set was made from (AWS: *`DescribeChangeSet`*; *`GetTemplate`*, `ChangeSetName`). The service
/// role is not among it: AWS does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeSetInputs {
    /// Digest of its template. `None`: was not read.
    pub template: Option<Digest>,
    /// Parameter values, those of the template's defaults included; `NoEcho` ones read `****`.
    pub parameters: SmallMap<String>,
    /// What stood in Parameter Store for those that name a parameter there, where AWS says it.
    #[serde(default)]
    pub stored: SmallMap<String>,
    /// Acknowledged capabilities.
    pub capabilities: BTreeSet<String>,
    /// Stack tags.
    pub tags: SmallMap<String>,
    /// SNS topics.
    pub notifications: BTreeSet<String>,
    /// Rollback alarms.
    pub rollback_alarms: BTreeSet<String>,
    /// Minutes the alarms are watched.
    pub monitoring_minutes: Option<i32>,
}

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ChangeAction {
    /// It is created.
    Add,
    /// It is changed, in place unless `replacement` says otherwise.
    Modify,
    /// It is deleted.
    Remove,
    /// It is imported into the stack.
    Import,
    /// It is determined during the update, by a macro or a nested stack.
    Dynamic,
    /// The resource does not change; only `CloudFormation`'s record of it does (`SyncWithActual`).
    Sync,
}

/// Whether a changed resource is replaced by a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Replacement {
    /// Changed in place.
    Never,
    /// Known only during the update. Guards treat it as a replacement.
    Conditional,
    /// A new one is created and the old one is deleted.
    Always,
}

/// The type of a stack within a stack.
pub const NESTED_STACK: &str = "AWS::CloudFormation::Stack";

/// One change of a change set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceChange {
    /// The logical id; of a resource in a nested stack `Stack/Resource`.
    pub resource: String,
    /// The resource type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The physical id, where the resource exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub physical_id: Option<String>,
    /// What happens to it.
    pub action: ChangeAction,
    /// Whether it is replaced.
    pub replacement: Replacement,
    /// The properties that change, if AWS reports them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub properties: BTreeSet<String>,
    /// Their values before and after, as far as they are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<ValueChange>,
    /// A removed or replaced resource stays in the account (its `DeletionPolicy` or `UpdateReplacePolicy` says so).
    #[serde(default)]
    pub retained: bool,
    /// The change set of the nested stack that it is, where AWS has made one.
    #[serde(skip)]
    pub nested: Option<ChangeSetId>,
    /// AWS says that nothing but its tags changes (AWS: *`ResourceChange`*, `Scope`).
    #[serde(skip)]
    pub only_tags: bool,
    /// Why the effect on the resource's data is unknown: guards assume the worst.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// The change of one value of a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValueChange {
    /// Where it is: `/Properties/Tags/0/Value`.
    pub path: String,
    /// The old value; `null`: absent or unknown.
    pub before: Option<String>,
    /// The new value; `null`: removed or unknown.
    pub after: Option<String>,
}

/// A resource of a change set as a whole: JSON of its properties and other attributes (AWS: *`ResourceChange`*,
/// `BeforeContext`, `AfterContext`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeContext {
    /// As it is.
    pub before: Option<String>,
    /// As it will be.
    pub after: Option<String>,
}

impl ResourceChange {
    /// The resource that exists now will not exist under this stack afterwards.
    #[must_use]
    pub fn is_destructive(&self) -> bool {
        self.action == ChangeAction::Remove
            || (self.action == ChangeAction::Modify && self.replacement != Replacement::Never)
    }

    /// The same, or nobody can tell.
    #[must_use]
    pub fn may_destroy(&self) -> bool {
        self.is_destructive() || self.unknown.is_some() || self.action == ChangeAction::Dynamic
    }
}

/// A resource that is in a stack, or in one nested in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contained {
    /// Its logical id; in a nested stack `Stack/Resource`.
    pub resource: String,
    /// Its type.
    pub kind: String,
    /// Its name in AWS.
    pub physical_id: Option<String>,
    /// It stays in the account, or leaves a snapshot, when the stack is deleted.
    pub retained: bool,
    /// Why nobody can tell what is in it.
    pub unknown: Option<String>,
}

impl Contained {
    /// It goes with its stack.
    #[must_use]
    pub fn removed(&self) -> ResourceChange {
        ResourceChange {
            resource: self.resource.clone(),
            kind: self.kind.clone(),
            physical_id: self.physical_id.clone(),
            action: ChangeAction::Remove,
            replacement: Replacement::Never,
            properties: BTreeSet::new(),
            values: Vec::new(),
            retained: self.retained,
            nested: None,
            only_tags: false,
            unknown: self.unknown.clone(),
        }
    }
}

/// One stack event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackEvent {
    /// Unique within the stack.
    pub id: String,
    /// When it happened.
    pub at: Timestamp,
    /// The logical id; the stack's own name for events of the stack itself.
    pub resource: String,
    /// The resource type.
    pub kind: String,
    /// The physical id; the stack's own id for events of the stack itself.
    pub physical_id: Option<String>,
    /// The resource's status, as AWS writes it: `CREATE_FAILED`.
    pub status: String,
    /// Why.
    pub reason: Option<String>,
    /// The token of the request that caused it.
    pub token: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_in_which_account_and_region_its_stack_is() {
        let id: StackId = "arn:aws:cloudformation:us-east-1:111122223333:stack/dev-db/0a1b".parse().unwrap();
        let scope = id.address().unwrap().scope;
        assert!(id.is_in(&scope));
        assert!(!id.is_in(&Scope { region: "us-east-2".parse().unwrap(), ..scope.clone() }));
        assert!(!id.is_in(&Scope { account: "111122223334".parse().unwrap(), ..scope }));
    }

    #[test]
    fn every_status_reads_back_and_only_operations_are_in_progress() {
        for status in StackStatus::ALL {
            assert_eq!(status.as_str().parse::<StackStatus>(), Ok(status));
        }
        assert!(!StackStatus::ReviewInProgress.is_in_progress());
        assert!(StackStatus::UpdateCompleteCleanupInProgress.is_in_progress());
        assert_eq!(StackStatus::ALL.iter().filter(|status| status.is_in_progress()).count(), 9);
    }
}

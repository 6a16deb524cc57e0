//! What ails a stack, how that is known, and what would cure it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use std::collections::BTreeMap;

use super::{ChangeSetSummary, Key, Seen, StackAddress, StackState};

/// A problem of a stack or an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Diagnosis {
    /// The address of the object, if the stack is managed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The stack's name.
    pub stack: String,
    /// Its account.
    pub account: String,
    /// Its region.
    pub region: String,
    /// What it is.
    pub ailment: Ailment,
    /// Since when, if known.
    #[schemars(with = "Option<String>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Evidence, one sentence each.
    pub evidence: Vec<String>,
    /// The remedy.
    pub remedy: Remedy,
}

impl Diagnosis {
    /// Of a stack, without evidence yet.
    #[must_use]
    pub fn of(address: &StackAddress, ailment: Ailment, remedy: Remedy) -> Self {
        Self {
            object: None,
            stack: address.name.to_string(),
            account: address.scope.account.to_string(),
            region: address.scope.region.to_string(),
            ailment,
            since: None,
            evidence: Vec::new(),
            remedy,
        }
    }

    /// The same, of this object.
    #[must_use]
    pub fn about(mut self, key: &Key) -> Self {
        self.object = Some(key.to_string());
        self
    }

    /// The same, shown by this.
    #[must_use]
    pub fn shown_by(mut self, evidence: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    /// The same, since then.
    #[must_use]
    pub fn since(mut self, since: Option<Timestamp>) -> Self {
        self.since = since;
        self
    }
}

/// Kinds of problems of a stack or an account, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Ailment {
    /// It was healthy and was deleted outside Landfast.
    StackGone,
    /// One of its tables was deleted outside CloudFormation.
    TableGone,
    /// The rollback of an update failed.
    RollbackFailed,
    /// A rollback skipped resources, which may not match the stack.
    OutOfStep,
    /// An update failed, and rollback was disabled.
    UpdateFailed,
    /// An import failed, and so did its rollback.
    ImportFailed,
    /// Its deletion failed.
    DeletionFailed,
    /// An operation makes no progress for longer than its resources normally take.
    Stalled,
    /// The stack waits for a service that does not reach a steady state.
    ServiceNotSteady,
    /// An export that another stack imports would be removed or changed.
    ExportInUse,
    /// Its region changed, and its former stack still exists.
    LeftBehind,
    /// Its creation failed, and its remains block a new creation.
    NeverHealthy,
    /// An empty stack whose change set was never executed.
    Shell,
    /// It has too many change sets.
    ChangeSets,
    /// It has change sets with names like Landfast's that Landfast did not create.
    ForeignChangeSet,
    /// It has Landfast's owner tag, but the journal has no record that Landfast created it.
    UnprovenOwner,
    /// Landfast manages it, but no manifest describes it.
    Orphaned,
    /// It has no owner and no manifest.
    Unmanaged,
}

/// The remedy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "camelCase")]
pub enum Remedy {
    /// Landfast does it automatically, if the policy allows it.
    Automatic {
        /// What.
        what: String,
    },
    /// A command for the operator; no decision is needed.
    Command {
        /// What it does.
        what: String,
        /// The exact commands.
        commands: Vec<String>,
    },
    /// The operator needs to decide.
    Decision {
        /// The question.
        what: String,
        /// The options.
        choices: Vec<Choice>,
    },
}

impl Remedy {
    /// The operator needs to decide.
    #[must_use]
    pub fn is_decision(&self) -> bool {
        matches!(self, Self::Decision { .. })
    }
}

/// One option.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Choice {
    /// What it does.
    pub what: String,
    /// The exact commands; may be empty.
    pub commands: Vec<String>,
}

impl Choice {
    /// This follows from these commands.
    pub fn new(what: impl Into<String>, commands: impl IntoIterator<Item = String>) -> Self {
        Self { what: what.into(), commands: commands.into_iter().collect() }
    }
}

/// Everything that was found in the accounts and regions of an environment.
#[derive(Clone, Debug, Default)]
pub struct Census {
    /// Every stack that is not deleted, ours or not.
    pub stacks: BTreeMap<StackAddress, StackState>,
    /// Change sets of the stacks that are asked for.
    pub change_sets: BTreeMap<StackAddress, Seen<Vec<ChangeSetSummary>>>,
    /// What could not be checked, and why.
    pub unknown: Vec<String>,
}

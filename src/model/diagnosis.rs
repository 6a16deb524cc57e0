//! What ails a stack, how that is known, and what would cure it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use std::collections::BTreeMap;

use super::{ChangeSetSummary, Key, Seen, StackAddress, StackState};

/// Something that keeps a stack, or an account, from being well.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Diagnosis {
    /// The address of the object, where the stack is one of ours.
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
    /// Since when, as far as known.
    #[schemars(with = "Option<String>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// What shows it, one sentence each.
    pub evidence: Vec<String>,
    /// What would cure it.
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

/// What a stack, or an account, can suffer from. The first are the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Ailment {
    /// It was healthy, and somebody has deleted it.
    StackGone,
    /// A table of it was deleted past it, and what was in it.
    TableGone,
    /// The rollback of an update failed.
    RollbackFailed,
    /// A rollback was continued without resources, which are not what the stack takes them for.
    OutOfStep,
    /// An update failed, and somebody had switched rollback off.
    UpdateFailed,
    /// An import failed, and so did its rollback.
    ImportFailed,
    /// Its deletion failed.
    DeletionFailed,
    /// An operation has not moved for longer than its resources take.
    Stalled,
    /// The stack waits for a service that does not become steady.
    ServiceNotSteady,
    /// An export that another stack imports would be removed or changed.
    ExportInUse,
    /// Its region has changed, and the stack that it was is still there.
    LeftBehind,
    /// Its creation failed, and what is left of it is in the way.
    NeverHealthy,
    /// The shell of a change set that was never executed.
    Shell,
    /// Change sets have piled up.
    ChangeSets,
    /// Somebody else has made change sets that carry names like ours.
    ForeignChangeSet,
    /// It carries our owner tag, and the journal does not say that we made it.
    UnprovenOwner,
    /// It is ours, and no manifest describes it.
    Orphaned,
    /// It is nobody's: no manifest describes it.
    Unmanaged,
}

/// What would cure it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "camelCase")]
pub enum Remedy {
    /// Landfast does it by itself, as far as policy lets it act.
    Automatic {
        /// What.
        what: String,
    },
    /// A person does it; there is nothing to decide.
    Command {
        /// What it does.
        what: String,
        /// Exactly this.
        commands: Vec<String>,
    },
    /// A person has to decide.
    Decision {
        /// What about.
        what: String,
        /// Between these.
        choices: Vec<Choice>,
    },
}

impl Remedy {
    /// A person has to decide.
    #[must_use]
    pub fn is_decision(&self) -> bool {
        matches!(self, Self::Decision { .. })
    }
}

/// One way out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Choice {
    /// What follows from it.
    pub what: String,
    /// Exactly this; empty where it is no command.
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
    /// What could not be looked at, and why.
    pub unknown: Vec<String>,
}

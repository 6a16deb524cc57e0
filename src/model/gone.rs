//! A stack that is not there any more, and what is still known of it.
//!
//! AWS describes a deleted stack by its id for 90 days (AWS: *`DescribeStacks`*, *`ListStacks`*). After that only our own
//! memory says that it was there.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{StackId, StackName};

/// A line of the list of deleted stacks (AWS: *`ListStacks`*, `DELETE_COMPLETE`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedStack {
    /// Its id.
    pub id: StackId,
    /// Its name, which may be used again since.
    pub name: StackName,
    /// When it was deleted.
    pub at: Option<Timestamp>,
}

/// What is known of one deleted stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoneStack {
    /// Its id.
    pub id: StackId,
    /// The value of its owner tag.
    pub owner: Option<String>,
    /// When its deletion was complete.
    pub at: Option<Timestamp>,
    /// Who deleted it, as far as the event history of the account says.
    pub by: Option<String>,
    /// The request that deleted it had a token like ours.
    pub ours: bool,
    /// What was in it.
    pub resources: Vec<GoneResource>,
}

/// A resource of a deleted stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoneResource {
    /// Its logical id.
    pub resource: String,
    /// Its type.
    pub kind: String,
    /// What the service calls it.
    pub physical_id: Option<String>,
    /// It is still in the account: its `DeletionPolicy` says so.
    pub kept: bool,
}

//! The nouns: what is wanted, what was seen, what is remembered, what will be done.
//!
//! Every other room speaks in these words, so this is the place to start reading. Nothing here does
//! I/O, reads a clock or decides anything; a type may only make an illegal state unsayable.

mod aws;
mod desired;
mod digest;
mod key;
mod memory;
mod observation;
mod plan;
mod redacted;
mod revision;
mod snapshot;
mod stack;
mod template;
mod text;

pub use aws::{AccountId, AssumeRole, InvalidName, Region, RoleArn, Scope, StackAddress, StackName};
pub use desired::{
    Budget, DeletionPolicy, Desired, Environment, Mode, OnFailure, Parameter, Policy, Prune, Replace, StackSpec,
};
pub use digest::{Digest, Fingerprint, FingerprintKey};
pub use key::{EnvName, Key, Kind, ObjectName};
pub use memory::{Attempts, Conclusion, Failure, Memory, Operation, OperationKind, Settled, Spent, StackMemory};
pub use observation::{ChangeSets, Need, Observation, ObservedStack, Seen, Unknown};
pub use plan::{
    Action, Changes, Consent, Difference, Do, Entry, Expect, Grant, Guard, Inputs, Plan, Refusal, Step, Value, Waiting,
};
pub use redacted::Redacted;
pub use revision::Revision;
pub use snapshot::{FileContent, Snapshot};
pub use stack::{
    ChangeAction, ChangeSetId, ChangeSetName, ChangeSetState, ChangeSetStatus, ChangeSetSummary, Output, Replacement,
    ResourceChange, StackEvent, StackId, StackState, StackStatus, StackVersion,
};
pub use template::{Template, TemplateFacts, TemplateOutput, TemplateParameter, TemplateResource};
pub use text::{OutputRef, Part, Text};

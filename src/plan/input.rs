//! All that a decision may depend on.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::model::{Desired, Environment, Key, Memory, Observation};

/// How many operations may run at once in an account and region of which nobody has said more
/// ([`Observation::room`](crate::model::Observation::room)).
pub const MAX_OPERATIONS: usize = 32;

/// What the plan is to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// What the manifests say.
    Converge,
    /// An environment without stacks.
    Destroy,
}

/// Everything that goes into a plan.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// All environments: references may cross from one to another.
    pub desired: &'a Desired,
    /// The one that is planned.
    pub environment: &'a Environment,
    /// What was seen.
    pub observation: &'a Observation,
    /// What is remembered.
    pub memory: &'a Memory,
    /// The time.
    pub now: Timestamp,
    /// What is to be reached.
    pub goal: Goal,
    /// Objects for which a step is being executed right now: they get none.
    pub busy: &'a BTreeSet<Key>,
}

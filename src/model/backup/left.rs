//! Tables that restore tests have left: no journal of ours knows them, and what they cost is paid until they go.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Remedy;

/// The table of a restore test that is no longer in a journal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeftTable {
    /// Its name.
    pub table: String,
    /// Its account.
    pub account: String,
    /// Its region.
    pub region: String,
    /// The table that it was restored from.
    pub of: Option<String>,
    /// The policy in its owner tag.
    pub policy: Option<String>,
    /// Since when it exists.
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// No test can still need it.
    pub over: bool,
    /// How to remove it.
    pub remedy: Remedy,
}

/// All of them in the accounts and regions of an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftTables {
    /// These.
    pub tables: Vec<LeftTable>,
    /// What could not be seen, and why.
    pub unknown: Vec<String>,
}

//! How the simulated AWS is set up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::AccountId;

/// The settings of a simulation.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// The account of the credentials at hand. None: whichever account is asked for.
    pub account: Option<AccountId>,
    /// How long a call takes, half of it before and half of it after it takes effect.
    pub latency: Duration,
    /// How much faster than AWS everything is.
    pub speed: f64,
    /// Items on a page of stacks, events, change sets, importers.
    pub page_size: usize,
    /// Changes on a page of a change set.
    pub change_page_size: usize,
    /// Stacks that an account may have in a region (AWS: 2,000 unless raised).
    pub stack_quota: usize,
    /// How many reads a second are answered. None: all.
    pub reads: Option<ReadRate>,
    /// The buckets that exist beside those made by stacks. None: every bucket exists.
    pub buckets: Option<BTreeSet<String>>,
    /// Buckets that are not as templates need them: every other one that exists keeps versions, unless a stack has made it
    /// without.
    pub flawed: BTreeMap<String, BucketFlaw>,
    /// What the caller may not do, and on which resource. Everything else is allowed.
    pub denied: BTreeSet<(String, String)>,
    /// How far listings of tables and recovery points lag behind.
    pub listing_lag: Duration,
    /// How often items of tables are counted (AWS: *`TableDescription`*: "approximately every six hours"). Zero: counts are
    /// always right, which they are not on AWS.
    pub table_counts: Duration,
    /// Versions of each stack kept for stale reads; 0 saves the work.
    pub history: usize,
    /// Calls kept in the audit; older ones are dropped.
    pub audit: usize,
    /// What services make of what is written, by type: property, as JSON pointer, and what it reads like afterwards. That
    /// is nobody's change.
    pub quirks: BTreeMap<String, Vec<(String, serde_json::Value)>>,
    /// The way of events to a queue. None: there is no queue, and nothing is sent.
    pub events: Option<super::events::EventPath>,
    /// What becomes of change sets that are to put back what was changed past their stack.
    pub drift_aware: DriftAware,
}

/// What is wrong with a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketFlaw {
    /// It keeps no versions.
    Unversioned,
    /// It is in another region.
    Elsewhere,
    /// It belongs to another account.
    Foreign,
}

/// What an endpoint makes of a change set that is to put back what was changed past its stack. AWS has known of it since
/// November 2025; what speaks its wire need not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DriftAware {
    /// What is asked for.
    #[default]
    Known,
    /// An ordinary change set.
    Ignored,
    /// An error.
    Refused,
}

/// A limit of reads in one account and region.
#[derive(Clone, Copy, Debug)]
pub struct ReadRate {
    /// Reads a second; users report 5 of `DescribeStacks`.
    pub per_second: f64,
    /// Reads that may come at once.
    pub burst: f64,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            account: None,
            latency: Duration::from_millis(50),
            speed: 1.0,
            page_size: 100,
            change_page_size: 100,
            stack_quota: 2000,
            reads: None,
            buckets: None,
            flawed: BTreeMap::new(),
            denied: BTreeSet::new(),
            listing_lag: Duration::from_secs(1),
            table_counts: Duration::from_hours(6),
            history: 32,
            audit: 100_000,
            quirks: BTreeMap::new(),
            events: None,
            drift_aware: DriftAware::Known,
        }
    }
}

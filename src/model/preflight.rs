//! What an account must have and allow before anything is deployed into it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AccountId;

/// Whose credentials these are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The account.
    pub account: AccountId,
    /// The user, role session or account root.
    pub arn: String,
}

/// What the registry of resource types says of one, in one region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeFacts {
    /// The permissions that creating such a resource needs; empty for old types that do not say.
    pub create: BTreeSet<String>,
}

/// A quota, as it is applied.
#[derive(Clone, Debug, PartialEq)]
pub struct QuotaState {
    /// How much is allowed.
    pub value: f64,
    /// By which metric AWS itself shows what is used of it; none where it does not.
    pub usage: Option<UsageMetric>,
}

/// A metric of `CloudWatch` that says what is used of a quota (AWS: *`MetricInfo`*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageMetric {
    /// `AWS/Usage`.
    pub namespace: String,
    /// `ResourceCount`.
    pub name: String,
    /// What it is of.
    pub dimensions: BTreeMap<String, String>,
    /// The statistic that AWS recommends: `Maximum`, `Sum`.
    pub statistic: String,
}

/// A certificate, as ACM describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The name it is for.
    pub domain: String,
    /// `ISSUED`, `PENDING_VALIDATION`, `EXPIRED`, …
    pub status: String,
    /// Until when it is good.
    pub not_after: Option<Timestamp>,
}

/// Whether a prerequisite is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Met {
    /// It is met.
    Ok,
    /// It could not be checked.
    Unknown,
    /// It is missing or insufficient.
    Missing,
}

/// One prerequisite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Prerequisite {
    /// What it is about: `credentials`, `permission`, `type`, `quota`, `certificate`, `image`.
    pub topic: String,
    /// What is needed.
    pub what: String,
    /// Whether it is met.
    pub met: Met,
    /// What was found.
    pub found: String,
    /// What to do, if something needs to be done.
    pub remedy: Option<String>,
}

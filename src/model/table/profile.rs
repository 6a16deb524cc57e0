//! The settings of a table that a restore does not bring (AWS: *Restoring a table from a backup*; *Point-in-time
//! recovery: how it works*), so that they can be given to a restored one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Billing, StreamView, TableClass, TableIndex, TableKey};

/// When items expire (AWS: *`DescribeTimeToLive`*).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TimeToLive {
    /// The attribute that says when an item expires; none: items do not.
    pub attribute: Option<String>,
    /// It is being switched. Within an hour of a switch there is no other (AWS: *`UpdateTimeToLive`*).
    pub switching: bool,
}

/// A dimension of a table, or of an index, that is scaled (AWS: *Application Auto Scaling, `ScalableTarget`*).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScalingTarget {
    /// The index; none: the table.
    pub index: Option<String>,
    /// Writes; otherwise reads.
    pub writes: bool,
    /// The least.
    pub min: u64,
    /// The most.
    pub max: u64,
    /// The role; AWS's service-linked one where AWS chooses.
    pub role: Option<String>,
    /// Its policies.
    pub policies: Vec<ScalingPolicy>,
}

/// A target tracking policy: the only sort that tables have (AWS: *Managing throughput capacity automatically*).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScalingPolicy {
    /// Its name.
    pub name: String,
    /// The metric: `DynamoDBReadCapacityUtilization`.
    pub metric: String,
    /// What it is held at, in thousandths: a percentage is a fraction in AWS's words.
    pub target_milli: u64,
    /// Seconds after a step down.
    pub scale_in_cooldown: Option<u32>,
    /// Seconds after a step up.
    pub scale_out_cooldown: Option<u32>,
    /// It only scales up.
    pub only_out: bool,
}

/// An alarm on a table's metrics (AWS: *`MetricAlarm`*), as it would be put again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlarmDefinition {
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
    /// The namespace, `AWS/DynamoDB`.
    pub namespace: String,
    /// The metric.
    pub metric: String,
    /// Its dimensions, `TableName` among them.
    pub dimensions: BTreeMap<String, String>,
    /// `Sum`, `Average`, …; or a percentile, `p99`.
    pub statistic: String,
    /// Seconds of one data point.
    pub period: u32,
    /// How many data points are looked at.
    pub evaluation_periods: u32,
    /// How many of them must be over the threshold.
    pub datapoints: Option<u32>,
    /// The threshold, as AWS writes the number.
    pub threshold: String,
    /// `GreaterThanThreshold`, …
    pub comparison: String,
    /// What missing data mean.
    pub missing: Option<String>,
    /// What is done when it goes off.
    pub alarm_actions: BTreeSet<String>,
    /// What is done when all is well again.
    pub ok_actions: BTreeSet<String>,
    /// What is done when there are not enough data.
    pub no_data_actions: BTreeSet<String>,
}

impl AlarmDefinition {
    /// Application Auto Scaling made it for a scaling policy, or it drives one (AWS: *Target tracking scaling policies*,
    /// "do not edit or delete" them; the names begin with `TargetTracking-`). Such an alarm is not copied: the copy would act
    /// on the policy of the original table, and the policies of the new table make alarms of their own.
    #[must_use]
    pub fn is_of_scaling(&self) -> bool {
        let actions = [&self.alarm_actions, &self.ok_actions, &self.no_data_actions];
        self.name.starts_with("TargetTracking-")
            || actions.into_iter().flatten().any(|arn| arn.contains(":autoscaling:") && arn.contains(":scalingPolicy:"))
    }
}

/// The most that an on-demand table may use (AWS: *`OnDemandThroughput`*).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnDemandLimits {
    /// Read request units a second.
    pub read: Option<u64>,
    /// Write request units a second.
    pub write: Option<u64>,
}

/// The settings of a table, kept with each of its recovery points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableProfile {
    /// Its key: what a restore does bring, and a restore test compares.
    pub key: TableKey,
    /// Its indexes: likewise.
    pub indexes: BTreeMap<String, TableIndex>,
    /// How it is paid for: a restore takes it from what the table has then, not from the backup.
    pub billing: Billing,
    /// Its class.
    pub class: TableClass,
    /// Deletion protection.
    pub deletion_protected: bool,
    /// Days that point-in-time recovery goes back; none: it is off.
    pub recovery_days: Option<u16>,
    /// What its stream tells, if it has one.
    pub stream: Option<StreamView>,
    /// The attribute that says when an item expires, if items do.
    pub time_to_live: Option<String>,
    /// Its tags, AWS's own (`aws:…`) not.
    pub tags: BTreeMap<String, String>,
    /// Its resource policy, as JSON.
    pub policy: Option<Arc<str>>,
    /// What of it is scaled.
    pub scaling: Vec<ScalingTarget>,
    /// The alarms on it.
    pub alarms: Vec<AlarmDefinition>,
    /// What could not be read, by name (`alarms`): it is empty above, whatever the table has.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unread: BTreeSet<String>,
    /// What the table has that no restore brings and Landfast does not set, in words: replicas, a Kinesis data stream.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub by_hand: BTreeSet<String>,
}

/// A part of a table's settings that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Why.
    pub why: String,
    /// It is refused, and will be again.
    pub denied: bool,
}

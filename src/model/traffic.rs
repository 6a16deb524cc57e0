//! Which region traffic goes to: the metric that says it, and what Route 53 makes of that metric.
//!
//! Of a pair of failover records the primary's health check watches an alarm, and the alarm watches a metric that Landfast
//! alone publishes: 1 while the primary is to serve, 0 while the standby is. Route 53 reads the data of the metric itself and
//! not the state of the alarm (AWS: *Health checks that monitor CloudWatch alarms*: `SetAlarmState` has no effect on them), so
//! that traffic moves without a call to a control plane.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AlarmSeen, DnsName, FailoverRole, InvalidName, RecordSet, Region, Seen};

/// The namespace of the metrics that move traffic. Permissions are given by it (AWS: *`cloudwatch:namespace`*).
pub const TRAFFIC_NAMESPACE: &str = "Landfast/Traffic";

/// Who is to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Serving {
    /// What the primary record leads to.
    Primary,
    /// What the secondary record leads to.
    Standby,
}

impl Serving {
    /// The value that is published.
    #[must_use]
    pub fn value(self) -> f64 {
        match self {
            Self::Primary => 1.0,
            Self::Standby => 0.0,
        }
    }
}

impl fmt::Display for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::Standby => "standby",
        })
    }
}

impl FromStr for Serving {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text {
            "primary" => Ok(Self::Primary),
            "standby" => Ok(Self::Standby),
            _ => Err(InvalidName::new(text, "where traffic can go: write primary or standby")),
        }
    }
}

/// A metric of CloudWatch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Metric {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What it is of.
    pub dimensions: BTreeMap<String, String>,
}

impl Metric {
    /// The metric that says who serves a name. It follows from the name, so that template, operator and health check need
    /// nothing else to agree on; records of several types under one name follow it together.
    #[must_use]
    pub fn of_traffic(name: &DnsName) -> Self {
        let dimensions = BTreeMap::from([("Record".to_owned(), name.as_str().to_owned())]);
        Self { namespace: TRAFFIC_NAMESPACE.to_owned(), name: "PrimaryServes".to_owned(), dimensions }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.namespace, self.name)?;
        self.dimensions.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

/// A person's word, or a plan's, on who is to serve. It holds until the next one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrafficOrder {
    /// Who is to serve.
    pub to: Serving,
    /// Where the metric is published: the region of the alarm.
    pub region: Region,
    /// By whose word, as far as known.
    pub by: String,
    /// Why.
    pub because: String,
    /// Since when.
    pub at: Timestamp,
}

/// A health check of Route 53.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthCheck {
    /// `CLOUDWATCH_METRIC`, `HTTPS`, `CALCULATED`, …
    pub kind: String,
    /// Healthy is taken for unhealthy.
    pub inverted: bool,
    /// It is not asked, and counts as healthy.
    pub disabled: bool,
    /// The alarm that it watches, if it watches one.
    pub alarm: Option<WatchedAlarm>,
    /// What it says without data: `LastKnownStatus`, `Healthy`, `Unhealthy`.
    pub without_data: Option<String>,
}

/// The alarm that a health check watches.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchedAlarm {
    /// Where it is.
    pub region: Region,
    /// Its name.
    pub name: String,
    /// What Route 53 evaluates. It is a copy: a change of the alarm takes effect when the health check is updated (AWS:
    /// *Updating health checks when you change CloudWatch alarm settings*).
    pub rule: Option<AlarmRule>,
}

/// How an alarm judges a metric (AWS: *`CloudWatchAlarmConfiguration`*).
#[derive(Clone, Debug, PartialEq)]
pub struct AlarmRule {
    /// What it watches.
    pub metric: Metric,
    /// `Minimum`, `Average`, …
    pub statistic: String,
    /// Seconds of one data point.
    pub period: u32,
    /// How many data points must be beyond the threshold.
    pub periods: u32,
    /// The threshold.
    pub threshold: f64,
    /// `LessThanThreshold`, …
    pub comparison: String,
}

impl AlarmRule {
    /// Whether a value is beyond the threshold; `None` for a comparison with a band of several metrics, which a health check
    /// cannot follow.
    #[must_use]
    pub fn is_breached_by(&self, value: f64) -> Option<bool> {
        match self.comparison.as_str() {
            "LessThanThreshold" => Some(value < self.threshold),
            "LessThanOrEqualToThreshold" => Some(value <= self.threshold),
            "GreaterThanThreshold" => Some(value > self.threshold),
            "GreaterThanOrEqualToThreshold" => Some(value >= self.threshold),
            _ => None,
        }
    }
}

/// What was seen of a pair of failover records.
#[derive(Clone, Debug)]
pub struct TrafficSeen {
    /// All record sets of the name and type.
    pub sets: Seen<Vec<RecordSet>>,
    /// The primary record's health check; absent also where it has none.
    pub check: Seen<HealthCheck>,
    /// The alarm that the check watches; absent also where it watches none.
    pub alarm: Seen<AlarmSeen>,
}

impl TrafficSeen {
    /// The record set with this role, where the records could be read.
    #[must_use]
    pub fn set(&self, role: FailoverRole) -> Option<&RecordSet> {
        let sets = self.sets.present()?;
        sets.iter().find(|set| set.routing == super::SetRouting::Failover(role))
    }
}

/// Why the metric alone does not decide where traffic goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrafficProblem {
    /// It could not be read.
    Unknown {
        /// What could not.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// There is no failover record with this role.
    NoRecord(FailoverRole),
    /// Another rule chooses among the records of this name.
    OtherRouting(String),
    /// A record of weight 0 is answered when all others are unhealthy.
    WeightZero,
    /// The primary record follows no health check: Route 53 takes it for healthy for ever.
    NoHealthCheck,
    /// The health check that the primary record names does not exist.
    HealthCheckMissing(String),
    /// The secondary record follows a health check of its own: while that is unhealthy, traffic goes to the primary.
    StandbyHealthCheck(String),
    /// The record follows the health of its target.
    FollowsTarget(FailoverRole),
    /// The health check does not watch an alarm.
    OtherCheck(String),
    /// The health check is inverted.
    Inverted,
    /// The health check is disabled.
    Disabled,
    /// Without data the health check does not stay as it was.
    WithoutData(String),
    /// The alarm is in the region that traffic is to leave.
    InPrimaryRegion(Region),
    /// The alarm does not exist.
    AlarmMissing {
        /// Where it should be.
        region: Region,
        /// Its name.
        name: String,
    },
    /// The alarm watches something else.
    OtherMetric {
        /// What is published.
        published: Metric,
        /// What is watched; none: an expression.
        watched: Option<Metric>,
    },
    /// Its statistic, comparison and threshold do not tell 0 from 1.
    OtherRule {
        /// What it says.
        rule: String,
    },
    /// Its data points are shorter than a minute, which health checks do not support.
    HighResolution(u32),
    /// Traffic would take longer than anybody should wait.
    Slow {
        /// Seconds until it has moved.
        seconds: u32,
    },
}

/// Whether the metric alone decides where traffic goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrafficVerdict {
    /// Why it does not; nothing: it does.
    pub problems: Vec<TrafficProblem>,
    /// Seconds until traffic has moved, at most: evaluation, and what resolvers may remember. Unknown where the records or
    /// the rule are.
    pub seconds: Option<u32>,
}

impl TrafficProblem {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "check AWS and the permissions in the guide *Permissions*, then look again",
            Self::NoRecord(_) => {
                "create two DnsRecord manifests of this name, with `failover: primary` and `failover: secondary`"
            }
            Self::OtherRouting(_) | Self::WeightZero => {
                "use `failover: primary` and `failover: secondary` for the records of this name"
            }
            Self::NoHealthCheck | Self::HealthCheckMissing(_) => {
                "set `healthCheck` of the primary record to the output of the traffic template"
            }
            Self::StandbyHealthCheck(_) => "remove `healthCheck` from the secondary record",
            Self::FollowsTarget(_) => "set `alias.evaluateHealth` to false",
            Self::OtherCheck(_) => "use the health check of the traffic template, of type CLOUDWATCH_METRIC",
            Self::Inverted => "set `Inverted` of the health check to false",
            Self::Disabled => "enable the health check",
            Self::WithoutData(_) => "set `InsufficientDataHealthStatus` to LastKnownStatus",
            Self::InPrimaryRegion(_) => "deploy the traffic template in the standby's or a third region",
            Self::AlarmMissing { .. } => "deploy the traffic template again",
            Self::OtherMetric { .. } => {
                "let the alarm watch the metric of this record name, then update the health check: it keeps a copy of the alarm"
            }
            Self::OtherRule { .. } => "use the statistic Minimum and LessThanThreshold 1, then update the health check",
            Self::HighResolution(_) | Self::Slow { .. } => {
                "use a period of 60 seconds, one evaluation period and a TTL of 60 seconds"
            }
        }
    }
}

impl fmt::Display for TrafficProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { what, why } => write!(f, "{what} could not be read: {why}"),
            Self::NoRecord(role) => write!(f, "there is no {role} failover record"),
            Self::OtherRouting(rule) => write!(f, "the records of this name use another routing policy ({rule})"),
            Self::WeightZero => f.write_str("a record of weight 0 is answered when all others are unhealthy"),
            Self::NoHealthCheck => {
                f.write_str("the primary record has no health check, so it always counts as healthy")
            }
            Self::HealthCheckMissing(id) => write!(f, "health check {id} of the primary record does not exist"),
            Self::StandbyHealthCheck(id) => {
                write!(
                    f,
                    "the secondary record has health check {id}: while it is unhealthy, traffic goes to the primary"
                )
            }
            Self::FollowsTarget(role) => {
                write!(f, "the {role} record evaluates its target's health, which moves traffic without Landfast")
            }
            Self::OtherCheck(kind) => {
                write!(f, "the health check is of type {kind}: something else than Landfast decides it")
            }
            Self::Inverted => f.write_str("the health check is inverted"),
            Self::Disabled => f.write_str("the health check is disabled, so it always counts as healthy"),
            Self::WithoutData(status) => {
                write!(f, "without data the health check is {status}: traffic moves when Landfast does not run")
            }
            Self::InPrimaryRegion(region) => {
                write!(
                    f,
                    "the alarm is in {region}, the primary's region: it cannot be reached when that region is lost"
                )
            }
            Self::AlarmMissing { region, name } => write!(f, "alarm {name} does not exist in {region}"),
            Self::OtherMetric { published, watched: Some(watched) } => {
                write!(f, "the health check follows {watched}; Landfast publishes {published}")
            }
            Self::OtherMetric { published, watched: None } => {
                write!(f, "the health check does not follow a single metric; Landfast publishes {published}")
            }
            Self::OtherRule { rule } => write!(f, "the health check's rule ({rule}) does not tell 0 from 1"),
            Self::HighResolution(seconds) => {
                write!(f, "a period of {seconds} s is not supported by Route 53 health checks")
            }
            Self::Slow { seconds } => write!(f, "traffic would take up to {seconds} s to move"),
        }
    }
}

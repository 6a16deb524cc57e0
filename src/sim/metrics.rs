//! CloudWatch's custom metrics, and how alarms judge them.
//!
//! Nothing happens at a time of its own: what an alarm says is worked out from the data when it is asked. A data point
//! counts once its period is over. How soon AWS reads it after that is documented nowhere, and adds nothing here.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::cloud::SimDoor;
use super::evaluate::shown;
use super::resource::Resource;
use super::world::World;
use crate::model::{AlarmRule, Metric};
use crate::ports::{Fence, Metrics, PortError};

/// Minutes that are kept of a metric: enough for the longest alarm that a health check can follow.
const KEPT: usize = 24 * 60;

/// The metrics that were published, by region.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Published(Vec<(usize, Metric, Series)>);

/// What is kept of a metric: a statistic set for each minute, by its first second.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Series(BTreeMap<i64, Samples>);

/// A statistic set (AWS: *`StatisticSet`*).
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Samples {
    min: f64,
    max: f64,
    sum: f64,
    count: f64,
}

impl Samples {
    fn of(value: f64) -> Self {
        Self { min: value, max: value, sum: value, count: 1.0 }
    }

    fn and(self, other: Self) -> Self {
        Self {
            min: self.min.min(other.min),
            max: self.max.max(other.max),
            sum: self.sum + other.sum,
            count: self.count + other.count,
        }
    }

    /// `None` for an extended statistic, which health checks do not follow.
    fn statistic(self, name: &str) -> Option<f64> {
        match name {
            "Minimum" => Some(self.min),
            "Maximum" => Some(self.max),
            "Sum" => Some(self.sum),
            "SampleCount" => Some(self.count),
            "Average" => Some(self.sum / self.count),
            _ => None,
        }
    }
}

/// What the data of a metric say of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    /// As of when there were data last: the alarm is in `ALARM`.
    pub(super) alarm: bool,
    /// There are data of the periods that are evaluated.
    pub(super) sufficient: bool,
}

impl Series {
    fn add(&mut self, second: i64, value: f64) {
        let minute = second - second.rem_euclid(60);
        let samples = self.0.get(&minute).map_or_else(|| Samples::of(value), |known| known.and(Samples::of(value)));
        self.0.insert(minute, samples);
        while self.0.len() > KEPT {
            self.0.pop_first();
        }
    }

    /// `None`: there were never data.
    fn judge(&self, rule: &AlarmRule, now: i64) -> Option<Judged> {
        let period = i64::from(rule.period.max(60));
        let begin = |second: i64| second - second.rem_euclid(period);
        let mut points = BTreeMap::new();
        for (&minute, &samples) in self.0.range(..begin(now)) {
            points
                .entry(begin(minute))
                .and_modify(|known: &mut Samples| *known = known.and(samples))
                .or_insert(samples);
        }
        let newest = *points.last_key_value()?.0;
        let breached = |samples: &Samples| {
            samples.statistic(&rule.statistic).and_then(|value| rule.is_breached_by(value)).unwrap_or(false)
        };
        // Of missing points the others decide (AWS: *Configuring how CloudWatch alarms treat missing data*, `missing`).
        let alarm = points.values().rev().take(rule.periods.max(1) as usize).all(breached);
        Some(Judged { alarm, sufficient: newest >= begin(now) - period * i64::from(rule.periods.max(1)) })
    }
}

impl World {
    fn put_metric(&mut self, region: usize, metric: &Metric, value: f64) {
        let now = self.data.now.as_second();
        let all = &mut self.data.metrics.0;
        if let Some((.., series)) = all.iter_mut().find(|(of, known, _)| *of == region && known == metric) {
            return series.add(now, value);
        }
        let mut series = Series::default();
        series.add(now, value);
        all.push((region, metric.clone(), series));
    }

    /// What the data say; `None`: there were never any.
    pub(super) fn judge_metric(&self, region: usize, rule: &AlarmRule) -> Option<Judged> {
        let known = self.data.metrics.0.iter().find(|(of, known, _)| *of == region && *known == rule.metric);
        known.and_then(|(.., series)| series.judge(rule, self.data.now.as_second()))
    }

    /// The alarm of a stack, by its name.
    pub(super) fn alarm(&self, region: usize, name: &str) -> Option<&Resource> {
        let stacks = self.data.stacks.iter().filter(|stack| stack.region == region);
        let mut resources = stacks.flat_map(|stack| stack.resources.values());
        resources.find(|found| found.kind == "AWS::CloudWatch::Alarm" && found.exists() && found.physical_id == name)
    }
}

/// How an alarm judges its metric; `None` for one of an expression.
pub(super) fn rule(alarm: &Resource) -> Option<AlarmRule> {
    let text = |name: &str| alarm.properties.get(name).map(shown);
    let pairs = alarm.properties.get("Dimensions").and_then(serde_json::Value::as_array).into_iter().flatten();
    let dimensions = pairs.filter_map(|pair| Some((shown(pair.get("Name")?), shown(pair.get("Value")?)))).collect();
    Some(AlarmRule {
        metric: Metric { namespace: text("Namespace")?, name: text("MetricName")?, dimensions },
        statistic: text("Statistic").or_else(|| text("ExtendedStatistic"))?,
        period: text("Period")?.parse().ok()?,
        periods: text("EvaluationPeriods")?.parse().ok()?,
        threshold: text("Threshold")?.parse().ok()?,
        comparison: text("ComparisonOperator")?,
    })
}

#[async_trait]
impl Metrics for SimDoor {
    async fn put(&self, fence: Fence, metric: &Metric, value: f64) -> Result<(), PortError> {
        self.write("PutMetricData", &metric.to_string(), fence, None, |world| {
            world.put_metric(self.region, metric, value);
            Ok(())
        })
        .await
    }
}

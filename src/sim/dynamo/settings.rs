//! Changes of a table's settings, each as it may be made: one at a time, and some not often.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use super::{CHANGING, invalid, refused};
use crate::model::{
    AlarmDefinition, Billing, ContinuousBackups, ScalingTarget, TableArn, TableName, TableStatus, TimeToLive,
};
use crate::ports::{Class, Page, PageToken, PortError, TableChange};
use crate::sim::ecs::page;
use crate::sim::reads::Lens;
use crate::sim::world::World;

/// How long point-in-time recovery is being switched.
const SWITCHING_RECOVERY: Duration = Duration::from_secs(3);
/// How long the expiry of items is being switched: "up to one hour" (AWS: *`UpdateTimeToLive`*), seldom more than minutes.
const SWITCHING_EXPIRY: SignedDuration = SignedDuration::from_mins(3);
/// There is no other switch of it within an hour (AWS: *`UpdateTimeToLive`*).
const EXPIRY_PAUSE: SignedDuration = SignedDuration::from_hours(1);
/// The class changes at most twice within these days (AWS: *Considerations when choosing a table class*).
const CLASS_PAUSE: SignedDuration = SignedDuration::from_hours(30 * 24);

impl World {
    pub(super) fn continuous_backups(&mut self, region: usize, name: &TableName) -> Option<ContinuousBackups> {
        let now = self.data.now;
        self.table(region, name).map(|table| table.continuous(now))
    }

    /// AWS: *`UpdateContinuousBackups`*. What is given up is gone: a window that grows again begins where it was.
    pub(super) fn set_continuous_backups(
        &mut self,
        region: usize,
        name: &TableName,
        days: Option<u16>,
    ) -> Result<(), PortError> {
        const OPERATION: &str = "UpdateContinuousBackups";
        let now = self.data.now;
        let until = self.after(SWITCHING_RECOVERY);
        if days.is_some_and(|days| !(1..=35).contains(&days)) {
            return Err(invalid(OPERATION, "RecoveryPeriodInDays has to be between 1 and 35"));
        }
        let table = self.table_mut(region, name, OPERATION).map_err(|error| match error.class {
            Class::NotFound => refused(Class::NotFound, OPERATION, "TableNotFoundException", &error.message),
            _ => error,
        })?;
        let moving = table.recovery_moves.is_some_and(|moves| moves > now);
        if moving || table.status(now) == TableStatus::Creating {
            let message = format!("Backups are being enabled for the table: {name}. Please retry later");
            return Err(refused(Class::Conflict, OPERATION, "ContinuousBackupsUnavailableException", &message));
        }
        table.recovery = days.map(|days| {
            // The reach of the smaller window is what there is from then on.
            let earliest = table.continuous(now).earliest.unwrap_or(now);
            let reach = now.saturating_sub(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(now);
            (days, earliest.max(reach))
        });
        table.recovery_moves = Some(until);
        let on = json!(days.is_some());
        self.table_drifts(region, name, Some(("/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled", on)));
        if let Some(days) = days {
            let path = "/PointInTimeRecoverySpecification/RecoveryPeriodInDays";
            self.table_drifts(region, name, Some((path, json!(days))));
        }
        Ok(())
    }

    /// AWS: *`UpdateTable`*: one change, while no other is made.
    pub(super) fn update_table(
        &mut self,
        region: usize,
        name: &TableName,
        change: &TableChange,
    ) -> Result<(), PortError> {
        const OPERATION: &str = "UpdateTable";
        let now = self.data.now;
        let until = self.after(CHANGING);
        let table = self.idle_table(region, name, OPERATION)?;
        let settings = &mut table.settings;
        let drift = match change {
            TableChange::DeletionProtection(on) => {
                settings.deletion_protected = *on;
                ("/DeletionProtectionEnabled", json!(on))
            }
            TableChange::Class(class) => {
                let since = now.saturating_sub(CLASS_PAUSE).unwrap_or(Timestamp::MIN);
                table.class_changes.retain(|at| *at > since);
                if table.class_changes.len() >= 2 {
                    let message = "The table class was changed twice in the last 30 days";
                    return Err(refused(Class::Limit, OPERATION, "LimitExceededException", message));
                }
                table.class_changes.push(now);
                settings.class = *class;
                ("/TableClass", json!(class.as_str()))
            }
            TableChange::Billing(billing) => {
                if settings.billing == *billing {
                    let message = "The provisioned throughput for the table will not change.";
                    return Err(invalid(OPERATION, message));
                }
                settings.billing = *billing;
                let mode = if *billing == Billing::OnDemand { "PAY_PER_REQUEST" } else { "PROVISIONED" };
                ("/BillingMode", json!(mode))
            }
            TableChange::Stream(view) => {
                match (settings.stream, view) {
                    (Some(_), Some(_)) => return Err(invalid(OPERATION, "Table already has an enabled stream")),
                    (None, None) => return Err(invalid(OPERATION, "Table has no stream to be disabled")),
                    _ => settings.stream = *view,
                }
                ("/StreamSpecification/StreamViewType", view.map_or(Json::Null, |view| json!(view.as_str())))
            }
        };
        table.busy = Some((TableStatus::Updating, until));
        self.table_moved(region, name);
        self.table_drifts(region, name, Some(drift));
        Ok(())
    }

    pub(super) fn time_to_live(&mut self, region: usize, name: &TableName) -> Result<TimeToLive, PortError> {
        let now = self.data.now;
        let table = self.table_mut(region, name, "DescribeTimeToLive")?;
        let over = |at: Timestamp| at.saturating_add(SWITCHING_EXPIRY).unwrap_or(Timestamp::MAX) <= now;
        let switching = table.expiry_switched.is_some_and(|at| !over(at));
        Ok(TimeToLive { attribute: table.expiry.clone(), switching })
    }

    /// AWS: *`UpdateTimeToLive`*.
    pub(super) fn set_time_to_live(
        &mut self,
        region: usize,
        name: &TableName,
        attribute: &str,
        on: bool,
    ) -> Result<(), PortError> {
        const OPERATION: &str = "UpdateTimeToLive";
        let now = self.data.now;
        let table = self.idle_table(region, name, OPERATION)?;
        if table.expiry_switched.is_some_and(|at| now.duration_since(at) < EXPIRY_PAUSE) {
            let message = "Time to live has been modified multiple times within a fixed interval";
            return Err(invalid(OPERATION, message));
        }
        match (&table.expiry, on) {
            (Some(_), true) => return Err(invalid(OPERATION, "TimeToLive is already enabled")),
            (None, false) => return Err(invalid(OPERATION, "TimeToLive is already disabled")),
            (Some(known), false) if known != attribute => {
                let message =
                    format!("TimeToLive is active on a different AttributeName: current AttributeName is {known}");
                return Err(invalid(OPERATION, &message));
            }
            (_, on) => table.expiry = on.then(|| attribute.to_owned()),
        }
        table.expiry_switched = Some(now);
        self.table_drifts(region, name, Some(("/TimeToLiveSpecification/Enabled", json!(on))));
        Ok(())
    }

    fn table_of_arn(&mut self, region: usize, arn: &TableArn, operation: &'static str) -> Result<TableName, PortError> {
        let name = arn.name().ok_or_else(|| invalid(operation, "Invalid ResourceArn"))?;
        let table = self.table_mut(region, &name, operation)?;
        if table.arn == *arn {
            return Ok(name);
        }
        let message = format!("Requested resource not found: ResourceArn: {arn} not found");
        Err(refused(Class::NotFound, operation, "ResourceNotFoundException", &message))
    }

    pub(super) fn table_tags(
        &mut self,
        region: usize,
        arn: &TableArn,
        lens: Lens,
        token: Option<&PageToken>,
    ) -> Result<Page<(String, String)>, PortError> {
        const OPERATION: &str = "ListTagsOfResource";
        let name = self.table_of_arn(region, arn, OPERATION)?;
        let tags: Vec<(String, String)> = self.table_mut(region, &name, OPERATION)?.tags.clone().into_iter().collect();
        page(OPERATION, &tags, 10, lens, token)
    }

    pub(super) fn tag_table(
        &mut self,
        region: usize,
        arn: &TableArn,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), PortError> {
        const OPERATION: &str = "TagResource";
        let name = self.table_of_arn(region, arn, OPERATION)?;
        if tags.keys().any(|key| key.starts_with("aws:")) {
            return Err(invalid(OPERATION, "aws: prefixed tag key names are not allowed for external use."));
        }
        let now = self.data.now;
        let table = self.table_mut(region, &name, OPERATION)?;
        if matches!(table.status(now), TableStatus::Creating | TableStatus::Deleting) {
            let message = format!("Attempt to change a resource which is still in use: {name}");
            return Err(refused(Class::Conflict, OPERATION, "ResourceInUseException", &message));
        }
        table.tags.extend(tags.clone());
        Ok(())
    }

    pub(super) fn table_policy(&mut self, region: usize, arn: &TableArn) -> Result<Option<String>, PortError> {
        const OPERATION: &str = "GetResourcePolicy";
        let name = self.table_of_arn(region, arn, OPERATION)?;
        Ok(self.table_mut(region, &name, OPERATION)?.policy.clone())
    }

    pub(super) fn put_table_policy(&mut self, region: usize, arn: &TableArn, body: &str) -> Result<(), PortError> {
        const OPERATION: &str = "PutResourcePolicy";
        if serde_json::from_str::<Json>(body).is_err() {
            return Err(invalid(OPERATION, "The policy is not valid JSON"));
        }
        let name = self.table_of_arn(region, arn, OPERATION)?;
        self.idle_table(region, &name, OPERATION)?.policy = Some(body.to_owned());
        Ok(())
    }

    pub(super) fn table_scaling(&self, region: usize, name: &TableName) -> Vec<ScalingTarget> {
        let mut all = self.table(region, name).map(|table| table.scaling.clone()).unwrap_or_default();
        for target in self.scaling_of_stacks(region, name) {
            if all.iter().all(|known| (&known.index, known.writes) != (&target.index, target.writes)) {
                all.push(target);
            }
        }
        all
    }

    /// AWS: *`RegisterScalableTarget`* and *`PutScalingPolicy`*.
    pub(super) fn put_scaling(
        &mut self,
        region: usize,
        name: &TableName,
        target: &ScalingTarget,
    ) -> Result<(), PortError> {
        const OPERATION: &str = "RegisterScalableTarget";
        let missing = format!("DynamoDB table does not exist: table/{name}");
        let table = self.table_mut(region, name, OPERATION).map_err(|_| invalid(OPERATION, &missing))?;
        if target.index.as_ref().is_some_and(|index| !table.settings.indexes.contains_key(index)) {
            return Err(invalid(OPERATION, "DynamoDB index does not exist"));
        }
        if target.min > target.max {
            return Err(invalid(OPERATION, "Minimum capacity cannot be greater than maximum capacity."));
        }
        let mut wanted = target.clone();
        let same = |known: &&mut ScalingTarget| known.index == target.index && known.writes == target.writes;
        if let Some(known) = table.scaling.iter_mut().find(same) {
            let others = known.policies.iter().filter(|old| target.policies.iter().all(|new| new.name != old.name));
            wanted.policies.extend(others.cloned().collect::<Vec<_>>());
            wanted.role = wanted.role.or(known.role.take());
            *known = wanted;
        } else {
            table.scaling.push(wanted);
        }
        Ok(())
    }

    /// AWS: *`DescribeAlarms`*: those on a table's metrics.
    pub(super) fn table_alarms(
        &self,
        region: usize,
        lens: Lens,
        token: Option<&PageToken>,
    ) -> Result<Page<AlarmDefinition>, PortError> {
        let all = self.data.dynamo.alarms.iter().filter(|(at, _)| *at == region);
        let mut all: Vec<AlarmDefinition> = all.map(|(_, alarm)| alarm.clone()).collect();
        all.extend(self.alarms_of_stacks(region));
        all.extend(self.alarms_of_scaling(region));
        let mut page = page("DescribeAlarms", &all, 100, lens, token)?;
        page.items.retain(|alarm| alarm.dimensions.contains_key("TableName"));
        Ok(page)
    }

    /// The alarms that Application Auto Scaling makes for its policies (AWS: *Target tracking scaling policies for
    /// Application Auto Scaling*; each goes off into its policy).
    fn alarms_of_scaling(&self, region: usize) -> Vec<AlarmDefinition> {
        let tables = self.data.dynamo.tables.iter().filter(|table| table.region == region && table.gone.is_none());
        let mut all = Vec::new();
        for table in tables {
            for target in self.table_scaling(region, &table.name) {
                let of = target.index.as_ref().map_or_else(String::new, |index| format!("/index/{index}"));
                let way = if target.writes { "Write" } else { "Read" };
                for policy in &target.policies {
                    for (edge, comparison) in [("High", "GreaterThanThreshold"), ("Low", "LessThanThreshold")] {
                        let id = super::uuid(&["alarm", table.name.as_str(), &of, way, &policy.name, edge]);
                        let action = format!(
                            "arn:aws:autoscaling:{}:{}:scalingPolicy:{id}:resource/dynamodb/table/{}{of}:policyName/{}",
                            self.data.regions[region].scope.region,
                            self.data.regions[region].scope.account,
                            table.name,
                            policy.name
                        );
                        all.push(AlarmDefinition {
                            name: format!("TargetTracking-table/{}{of}-Alarm{edge}-{id}", table.name),
                            description: Some("DO NOT EDIT OR DELETE.".to_owned()),
                            namespace: "AWS/DynamoDB".to_owned(),
                            metric: format!("Consumed{way}CapacityUnits"),
                            dimensions: BTreeMap::from([("TableName".to_owned(), table.name.to_string())]),
                            statistic: "Sum".to_owned(),
                            period: 60,
                            evaluation_periods: 2,
                            datapoints: None,
                            threshold: "42".to_owned(),
                            comparison: comparison.to_owned(),
                            missing: None,
                            alarm_actions: [action].into(),
                            ok_actions: std::collections::BTreeSet::new(),
                            no_data_actions: std::collections::BTreeSet::new(),
                        });
                    }
                }
            }
        }
        all
    }

    pub(super) fn put_alarm(&mut self, region: usize, alarm: &AlarmDefinition) -> Result<(), PortError> {
        if alarm.threshold.parse::<f64>().is_err() {
            return Err(invalid("PutMetricAlarm", "The threshold is no number"));
        }
        let alarms = &mut self.data.dynamo.alarms;
        alarms.retain(|(at, known)| *at != region || known.name != alarm.name);
        alarms.push((region, alarm.clone()));
        alarms.sort_by(|(_, one), (_, other)| one.name.cmp(&other.name));
        Ok(())
    }
}

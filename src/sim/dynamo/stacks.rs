//! What `AWS::DynamoDB::Table` of a stack is to `DynamoDB`: made, changed and deleted with it; and what somebody changes
//! past the stack is drift (AWS: *`AWS::DynamoDB::Table`*).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value as Json;

use super::NewTable;
use crate::model::{
    AlarmDefinition, Billing, KeyType, ScalingPolicy, ScalingTarget, TableIndex, TableKey, TableName, TableStatus,
};
use crate::ports::PortError;
use crate::sim::evaluate::shown;
use crate::sim::resource::Resource;
use crate::sim::world::World;

/// The resource type.
pub(in crate::sim) const TABLE: &str = "AWS::DynamoDB::Table";

fn text(value: &Json, path: &str) -> Option<String> {
    value.pointer(path).filter(|value| !value.is_null()).map(shown)
}

fn truth(value: &Json, path: &str) -> bool {
    text(value, path).is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

fn number(value: &Json, path: &str) -> Option<u64> {
    text(value, path)?.parse().ok()
}

fn list<'a>(value: &'a Json, name: &str) -> &'a [Json] {
    value.get(name).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A key; where the template has none, one text.
fn key(schema: &Json, properties: &Json) -> TableKey {
    let kind = |name: &str| {
        let mut all = list(properties, "AttributeDefinitions").iter();
        let found = all.find(|definition| text(definition, "/AttributeName").as_deref() == Some(name));
        found.and_then(|definition| text(definition, "/AttributeType")?.parse().ok()).unwrap_or(KeyType::Text)
    };
    let part = |sort: &str| {
        let mut all = list(schema, "KeySchema").iter();
        let found = all.find(|part| text(part, "/KeyType").as_deref() == Some(sort))?;
        let name = text(found, "/AttributeName")?;
        Some((name.clone(), kind(&name)))
    };
    TableKey { partition: part("HASH").unwrap_or_else(|| ("id".to_owned(), KeyType::Text)), sort: part("RANGE") }
}

fn indexes(properties: &Json) -> BTreeMap<String, TableIndex> {
    let sorts = [("GlobalSecondaryIndexes", false), ("LocalSecondaryIndexes", true)];
    let all = sorts.iter().flat_map(|(name, local)| list(properties, name).iter().map(move |index| (index, *local)));
    all.filter_map(|(index, local)| {
        let projected: BTreeSet<String> = index
            .pointer("/Projection/NonKeyAttributes")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .map(shown)
            .collect();
        let made = TableIndex {
            local,
            key: key(index, properties),
            projection: text(index, "/Projection/ProjectionType").unwrap_or_else(|| "ALL".to_owned()),
            attributes: projected,
        };
        Some((text(index, "/IndexName")?, made))
    })
    .collect()
}

/// A table as the template wants it.
fn wanted(made: &Resource, name: TableName) -> NewTable {
    let properties = &made.properties;
    let mut tags = made.tags.clone();
    let own = list(properties, "Tags").iter().filter_map(|tag| Some((text(tag, "/Key")?, text(tag, "/Value")?)));
    tags.extend(own);
    let on_demand = text(properties, "/BillingMode").as_deref() == Some("PAY_PER_REQUEST");
    let units = |name: &str| number(properties, &format!("/ProvisionedThroughput/{name}"));
    let recovery = properties.get("PointInTimeRecoverySpecification").unwrap_or(&Json::Null);
    let days = number(recovery, "/RecoveryPeriodInDays").and_then(|days| u16::try_from(days).ok()).unwrap_or(35);
    let expiry = properties.get("TimeToLiveSpecification").unwrap_or(&Json::Null);
    NewTable {
        key: key(properties, properties),
        indexes: indexes(properties),
        billing: if on_demand {
            Billing::OnDemand
        } else {
            Billing::Provisioned {
                read: units("ReadCapacityUnits").unwrap_or(5),
                write: units("WriteCapacityUnits").unwrap_or(5),
            }
        },
        class: text(properties, "/TableClass")
            .and_then(|class| class.parse().ok())
            .unwrap_or(crate::model::TableClass::Standard),
        deletion_protected: truth(properties, "/DeletionProtectionEnabled"),
        stream: text(properties, "/StreamSpecification/StreamViewType").and_then(|view| view.parse().ok()),
        time_to_live: truth(expiry, "/Enabled").then(|| text(expiry, "/AttributeName")).flatten(),
        recovery_days: truth(recovery, "/PointInTimeRecoveryEnabled").then_some(days),
        tags,
        ..NewTable::keyed(name, "id")
    }
}

/// The names and values of a list of dimensions.
fn dimensions(properties: &Json) -> BTreeMap<String, String> {
    let all = list(properties, "Dimensions").iter();
    all.filter_map(|dimension| Some((text(dimension, "/Name")?, text(dimension, "/Value")?))).collect()
}

/// An alarm as the template wants it (AWS: *`AWS::CloudWatch::Alarm`*); `None` if it is on an expression.
fn alarm(resource: &Resource) -> Option<AlarmDefinition> {
    let properties = &resource.properties;
    let whole = |name: &str| number(properties, name).and_then(|number| u32::try_from(number).ok());
    let actions = |name: &str| list(properties, name).iter().map(shown).collect();
    Some(AlarmDefinition {
        name: resource.physical_id.clone(),
        description: text(properties, "/AlarmDescription"),
        namespace: text(properties, "/Namespace")?,
        metric: text(properties, "/MetricName")?,
        dimensions: dimensions(properties),
        statistic: text(properties, "/Statistic").or_else(|| text(properties, "/ExtendedStatistic"))?,
        period: whole("/Period")?,
        evaluation_periods: whole("/EvaluationPeriods")?,
        datapoints: whole("/DatapointsToAlarm"),
        threshold: text(properties, "/Threshold")?,
        comparison: text(properties, "/ComparisonOperator")?,
        missing: text(properties, "/TreatMissingData"),
        alarm_actions: actions("AlarmActions"),
        ok_actions: actions("OKActions"),
        no_data_actions: actions("InsufficientDataActions"),
    })
}

/// What a template wants scaled, as it names it: the resource, and the dimension.
fn scaled(properties: &Json) -> Option<(String, String)> {
    Some((text(properties, "/ResourceId")?, text(properties, "/ScalableDimension")?))
}

/// A policy as the template wants it (AWS: *`AWS::ApplicationAutoScaling::ScalingPolicy`*).
fn policy(properties: &Json) -> Option<ScalingPolicy> {
    let tracking = properties.get("TargetTrackingScalingPolicyConfiguration")?;
    let seconds = |name: &str| number(tracking, name).and_then(|number| u32::try_from(number).ok());
    Some(ScalingPolicy {
        name: text(properties, "/PolicyName")?,
        metric: text(tracking, "/PredefinedMetricSpecification/PredefinedMetricType")?,
        target_milli: number(tracking, "/TargetValue")? * 1000,
        scale_in_cooldown: seconds("/ScaleInCooldown"),
        scale_out_cooldown: seconds("/ScaleOutCooldown"),
        only_out: truth(tracking, "/DisableScaleIn"),
    })
}

impl World {
    fn of_stacks(&self, region: usize, kind: &'static str) -> impl Iterator<Item = &Resource> {
        let stacks = self.data.stacks.iter().filter(move |stack| stack.region == region);
        let resources = stacks.flat_map(|stack| stack.resources.values());
        resources.filter(move |resource| resource.kind == kind && resource.exists())
    }

    /// The alarms that stacks have made.
    pub(super) fn alarms_of_stacks(&self, region: usize) -> impl Iterator<Item = AlarmDefinition> {
        self.of_stacks(region, "AWS::CloudWatch::Alarm").filter_map(alarm)
    }

    /// What stacks have scaled of a table.
    pub(super) fn scaling_of_stacks(&self, region: usize, table: &TableName) -> Vec<ScalingTarget> {
        let own = format!("table/{table}");
        let targets = self.of_stacks(region, "AWS::ApplicationAutoScaling::ScalableTarget");
        let targets = targets.filter_map(|target| {
            let properties = &target.properties;
            let (of, dimension) = scaled(properties)?;
            let index = of.strip_prefix(&own)?.strip_prefix("/index/").map(str::to_owned);
            if index.is_none() && of != own {
                return None;
            }
            let policies = self.of_stacks(region, "AWS::ApplicationAutoScaling::ScalingPolicy");
            let policies = policies.filter(|policy| {
                let names_it = text(&policy.properties, "/ScalingTargetId").as_ref() == Some(&target.physical_id);
                names_it || scaled(&policy.properties).as_ref() == Some(&(of.clone(), dimension.clone()))
            });
            Some(ScalingTarget {
                index,
                writes: dimension.ends_with("WriteCapacityUnits"),
                min: number(properties, "/MinCapacity")?,
                max: number(properties, "/MaxCapacity")?,
                role: text(properties, "/RoleARN"),
                policies: policies.filter_map(|found| policy(&found.properties)).collect(),
            })
        });
        targets.collect()
    }

    /// A stack has a table made.
    pub(in crate::sim) fn make_table_of_stack(&mut self, ix: usize, made: &Resource) -> Result<(), PortError> {
        let Ok(name) = made.physical_id.parse::<TableName>() else { return Ok(()) };
        let region = self.data.stacks[ix].region;
        let mut new = wanted(made, name);
        let state = self.state_of(ix);
        new.tags.extend([
            ("aws:cloudformation:stack-name".to_owned(), state.name.to_string()),
            ("aws:cloudformation:stack-id".to_owned(), state.id.to_string()),
        ]);
        self.make_new_table(region, new, Duration::from_secs(20)).map(|_| ())
    }

    /// A stack changes its table. What was changed past the stack and is still as it was in the template is left, and what
    /// neither its template nor the one before says. One that was deleted past it cannot be updated (AWS: *Update rollback
    /// failed*: `CloudFormation` "assumes that the DB instance still exists").
    pub(in crate::sim) fn update_table_of_stack(&mut self, ix: usize, resource: &Resource) -> Result<(), PortError> {
        let Ok(name) = resource.physical_id.parse::<TableName>() else { return Ok(()) };
        let region = self.data.stacks[ix].region;
        let new = wanted(resource, name.clone());
        let now = self.data.now;
        let mut before = self.data.stacks[ix].resources.values();
        let before =
            before.find(|other| other.physical_id == resource.physical_id).map(|other| other.properties.clone());
        let table = self.table_mut(region, &name, "UpdateTable")?;
        let named = |property: &str| {
            [Some(&resource.properties), before.as_ref()].into_iter().flatten().any(|said| said.get(property).is_some())
        };
        let free = |property: &str| named(property) && !resource.tampered.touches(property);
        let settings = &mut table.settings;
        settings.indexes = new.indexes;
        if free("BillingMode") {
            settings.billing = new.billing;
        }
        if free("TableClass") {
            settings.class = new.class;
        }
        if free("DeletionProtectionEnabled") {
            settings.deletion_protected = new.deletion_protected;
        }
        if free("StreamSpecification") {
            settings.stream = new.stream;
        }
        if free("TimeToLiveSpecification") {
            table.expiry = new.time_to_live;
        }
        if free("PointInTimeRecoverySpecification") {
            let since = table.continuous(now).earliest.unwrap_or(now);
            table.recovery = new.recovery_days.map(|days| (days, since));
        }
        table.tags.extend(new.tags);
        self.table_moved(region, &name);
        Ok(())
    }

    /// A table of the name was made past the stack whose table had gone: to `CloudFormation`, which knows it by its name, it
    /// is that table again. What it has not of what the template says is drift.
    pub(super) fn table_returns(&mut self, region: usize, name: &TableName) {
        let stacks = self.data.stacks.iter_mut().filter(|stack| stack.region == region);
        let mut resources = stacks.flat_map(|stack| stack.resources.values_mut());
        let found = resources.find(|resource| resource.kind == TABLE && resource.physical_id == name.as_str());
        let Some(resource) = found.filter(|resource| resource.tampered.is_gone()) else { return };
        resource.tampered.regain();
        let lacks = [
            ("/DeletionProtectionEnabled", Json::Bool(false)),
            ("/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled", Json::Bool(false)),
            ("/TimeToLiveSpecification/Enabled", Json::Bool(false)),
            ("/StreamSpecification/StreamViewType", Json::Null),
        ];
        for (path, value) in lacks {
            if resource.properties.pointer(path).is_some() {
                resource.tampered.set(path, value);
            }
        }
    }

    /// Why a stack cannot delete its table.
    pub(in crate::sim) fn keeps_table_of_stack(&self, ix: usize, resource: &Resource) -> Option<String> {
        let name = resource.physical_id.parse::<TableName>().ok().filter(|_| resource.kind == TABLE)?;
        let table = self.table(self.data.stacks[ix].region, &name)?;
        table.settings.deletion_protected.then(|| {
            format!("Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first: {name}")
        })
    }

    /// A stack has deleted its table.
    pub(in crate::sim) fn delete_table_of_stack(&mut self, ix: usize, resource: &Resource) {
        let Ok(name) = resource.physical_id.parse::<TableName>() else { return };
        let (region, now) = (self.data.stacks[ix].region, self.data.now);
        let Ok(table) = self.table_mut(region, &name, "DeleteTable") else { return };
        if table.status(now) != TableStatus::Deleting {
            self.keep_deleted_table(region, &name);
        }
        if let Ok(table) = self.table_mut(region, &name, "DeleteTable") {
            table.gone = Some(now);
        }
    }

    /// Somebody changed a table: where a stack has it, that is drift. `None`: it was deleted.
    pub(super) fn table_drifts(&mut self, region: usize, name: &TableName, change: Option<(&str, Json)>) {
        let stacks = self.data.stacks.iter_mut().filter(|stack| stack.region == region);
        let mut resources = stacks.flat_map(|stack| stack.resources.values_mut());
        let found = resources.find(|resource| resource.kind == TABLE && resource.physical_id == name.as_str());
        let Some(resource) = found else { return };
        match change {
            // What a template does not say is not compared.
            Some((path, _)) if resource.properties.pointer(path).is_none() => {}
            Some((path, value)) => resource.tampered.set(path, value),
            None => resource.tampered.lose(),
        }
    }

    /// Somebody changed or deleted the resource of a stack: so is its table.
    pub(in crate::sim) fn table_is_tampered(&mut self, ix: usize, logical: &str) {
        let found = self.data.stacks[ix].resources.get(logical);
        let Some(mut resource) = found.filter(|found| found.kind == TABLE).cloned() else { return };
        if resource.tampered.is_gone() {
            return self.delete_table_of_stack(ix, &resource);
        }
        let tampered = std::mem::take(&mut resource.tampered);
        for (path, value) in tampered.changes() {
            set(&mut resource.properties, path, value.clone());
        }
        // What is not there is changed by nobody.
        _ = self.update_table_of_stack(ix, &resource);
    }
}

/// Sets what a pointer leads to, as far as there is something that it leads through.
fn set(properties: &mut Json, path: &str, value: Json) {
    let Some((parent, last)) = path.rsplit_once('/') else { return };
    if let Some(Json::Object(map)) = properties.pointer_mut(parent) {
        map.insert(last.to_owned(), value);
    }
}

//! `ports::Drift`, simulated: what somebody has changed past `CloudFormation`, and when it is found.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value as Json;

use super::Console;
use super::cloud::SimDoor;
use super::ecs::page;
use super::resource::Resource;
use super::spelling::uuid;
use super::tampered::{Detected, Tampered};
use super::validate::invalid;
use super::world::World;
use crate::model::{
    Detection, DetectionId, DetectionStatus, PropertyDifference, PropertyDrift, ResourceDrift, ResourceDriftStatus,
    ResourceState, StackId, StackName, StackStatus,
};
use crate::ports::{Class, Drift, Page, PageToken, PortError};

/// How long a detection takes for each resource: "up to several minutes" (AWS: *Detect drift on an entire stack*).
const EACH: Duration = Duration::from_millis(1500);

/// Resources on a page.
const PAGE: usize = 100;

/// How long comparing one resource takes.
const COMPARED: Duration = Duration::from_secs(1);

/// In these, a detection can be begun (AWS: *Detect drift on an entire stack*).
const ALLOWED: [StackStatus; 6] = [
    StackStatus::CreateComplete,
    StackStatus::UpdateComplete,
    StackStatus::UpdateRollbackComplete,
    StackStatus::UpdateRollbackFailed,
    StackStatus::ImportComplete,
    StackStatus::ImportRollbackComplete,
];

/// AWS checks a type if its handlers can read it; these have none, or nothing to read.
fn is_supported(kind: &str) -> bool {
    !kind.starts_with("Custom::") && !kind.starts_with("AWS::CloudFormation::")
}

/// Of these, a drift-aware change set compares what was deployed, and not what there is (AWS: *Using drift-aware change
/// sets*, "Supported resource types"; those of them that manifests are likely to have).
const NOT_REVERTED: [&str; 4] =
    ["AWS::MSK::Cluster", "AWS::RDS::DBProxy", "AWS::IAM::OIDCProvider", "AWS::Redshift::ClusterParameterGroup"];

/// Somebody has to have these once to write them, and nobody can read them (AWS: the same page, "Write-only properties").
const WRITE_ONLY: [&str; 3] = ["MasterUserPassword", "AuthToken", "SecretString"];

impl World {
    /// The resources of a stack as a drift-aware change set compares them.
    pub(super) fn actual(&self, ix: usize) -> BTreeMap<String, Resource> {
        let scales = self.scales(ix);
        let resources = self.data.stacks[ix].resources.iter();
        resources.filter_map(|(name, resource)| Some((name.clone(), resource.actual(scales)?))).collect()
    }

    /// A resource as the operation that runs on its stack compares it; `None`: it is gone.
    pub(super) fn as_compared(&self, ix: usize, now: Option<&Resource>) -> Option<Resource> {
        let reverts = self.data.stacks[ix].operation.as_ref().is_some_and(|operation| operation.reverts);
        now.and_then(|now| if reverts { now.actual(self.scales(ix)) } else { Some(now.clone()) })
    }

    /// What its service makes of a resource when it is written.
    pub(super) fn quirks(&self, kind: &str) -> Tampered {
        let quirks = self.config.quirks.get(kind).into_iter().flatten().cloned();
        Tampered { properties: quirks.collect(), ..Tampered::default() }
    }

    /// Something scales what is in this region: what it changes is AWS's.
    fn scales(&self, ix: usize) -> bool {
        let region = self.data.stacks[ix].region;
        let resources = self.data.stacks.iter().filter(|stack| stack.region == region);
        let mut resources = resources.flat_map(|stack| stack.resources.values());
        resources.any(|resource| resource.exists() && resource.kind == "AWS::ApplicationAutoScaling::ScalableTarget")
    }

    fn detect(&mut self, region: usize, id: &StackId) -> Result<DetectionId, PortError> {
        const OPERATION: &str = "DetectStackDrift";
        let ix = self.any(region, id, OPERATION)?;
        let stack = &self.data.stacks[ix];
        if !ALLOWED.contains(&stack.state.status) {
            let message = format!(
                "Drift detection cannot be performed on stack [{id}] in {} state and cannot be",
                stack.state.status
            );
            return Err(PortError { class: Class::Conflict, ..invalid(OPERATION, &message) });
        }
        let count = u32::try_from(stack.resources.len()).unwrap_or(u32::MAX);
        let now = self.data.now;
        if self.data.detections.iter().any(|detected| detected.stack == *id && detected.until > now) {
            let message = format!("Drift detection is already in progress for stack [{id}]");
            return Err(PortError { class: Class::Conflict, ..invalid(OPERATION, &message) });
        }
        let until = now.saturating_add(EACH.saturating_mul(count.max(1))).unwrap_or(Timestamp::MAX);
        let name = uuid(&["drift", id.as_str(), &self.serial().to_string()]);
        let detection: DetectionId =
            name.parse().map_err(|_| PortError::new(Class::Transient, OPERATION, "no id could be made"))?;
        self.data.detections.retain(|detected| detected.stack != *id);
        self.data.detections.push(Detected { id: detection.clone(), stack: id.clone(), until, found: None });
        Ok(detection)
    }

    /// The stack that a resource belongs to, and its logical id there.
    fn stack_with(&self, region: usize, physical_id: &str) -> Option<(StackId, String)> {
        let stacks = self.data.stacks.iter().filter(|stack| stack.region == region);
        let mut resources = stacks.flat_map(|stack| stack.resources.iter().map(move |found| (stack, found)));
        let is_it = |resource: &Resource| resource.exists() && resource.physical_id == physical_id;
        let (stack, (name, _)) = resources.find(|(_, (_, resource))| is_it(resource))?;
        Some((stack.state.id.clone(), name.clone()))
    }

    /// One resource as it is now. A type that cannot be checked is refused (AWS: *`DetectStackResourceDrift`*).
    fn compare(&self, region: usize, id: &StackId, name: &str) -> Result<ResourceDrift, PortError> {
        const OPERATION: &str = "DetectStackResourceDrift";
        let ix = self.any(region, id, OPERATION)?;
        let found = self.data.stacks[ix].resources.get_key_value(name).filter(|(_, resource)| resource.exists());
        let missing = || invalid(OPERATION, format!("Resource {name} does not exist for stack {id}"));
        let found = found.ok_or_else(missing)?;
        compare(found)
            .ok_or_else(|| invalid(OPERATION, format!("Drift detection is not supported for {}", found.1.kind)))
    }

    /// A detection that is over has looked at things as they are when it is first asked for.
    fn detection(&mut self, id: &DetectionId) -> Result<Detection, PortError> {
        let now = self.data.now;
        let Some(at) = self.data.detections.iter().position(|detected| detected.id == *id) else {
            let message = format!("Drift detection id [{id}] does not exist");
            return Err(PortError { class: Class::NotFound, ..invalid("DescribeStackDriftDetectionStatus", &message) });
        };
        if self.data.detections[at].until > now {
            return Ok(Detection { status: DetectionStatus::InProgress, reason: None });
        }
        if self.data.detections[at].found.is_none() {
            let stack = self.data.detections[at].stack.clone();
            let found = self.anywhere(&stack).map(|stack| stack.resources.iter().filter_map(compare).collect());
            self.data.detections[at].found = Some(found.unwrap_or_default());
        }
        let found = self.data.detections[at].found.iter().flatten();
        let unread = found.filter(|drift| drift.status == ResourceDriftStatus::Unknown);
        let unread: Vec<&str> = unread.map(|drift| drift.resource.as_str()).collect();
        if unread.is_empty() {
            return Ok(Detection { status: DetectionStatus::Complete, reason: None });
        }
        let reason = format!("Failed to detect drift on resource(s) [{}]", unread.join(", "));
        Ok(Detection { status: DetectionStatus::Failed, reason: Some(reason) })
    }

    /// What an earlier detection made of a resource says nothing any more.
    pub(super) fn not_checked(&mut self, stack: &StackId, resource: &str) {
        for detected in self.data.detections.iter_mut().filter(|detected| detected.stack == *stack) {
            if let Some(found) = &mut detected.found {
                found.retain(|drift| drift.resource != resource);
            }
        }
    }

    fn found_of(&self, stack: &StackId) -> Vec<ResourceDrift> {
        let detected = self.data.detections.iter().find(|detected| detected.stack == *stack);
        detected.and_then(|detected| detected.found.clone()).unwrap_or_default()
    }

    fn stack_resources(&self, region: usize, id: &StackId) -> Result<Vec<ResourceState>, PortError> {
        let ix = self.any(region, id, "ListStackResources")?;
        let found = self.found_of(id);
        let status = |name: &String| {
            let drift = found.iter().find(|drift| drift.resource == *name);
            drift.map_or(ResourceDriftStatus::NotChecked, |drift| drift.status)
        };
        let resources = self.data.stacks[ix].resources.iter().filter(|(_, resource)| resource.exists());
        let listed = resources.map(|(name, resource)| ResourceState {
            resource: name.clone(),
            physical_id: Some(resource.physical_id.clone()),
            kind: resource.kind.clone(),
            drift: status(name),
        });
        Ok(listed.collect())
    }
}

impl Resource {
    /// As it is, and not as it was deployed, as far as a drift-aware change set compares that (AWS: *Using drift-aware
    /// change sets*): what the template names, in a type that can be read; neither what can only be written, nor what
    /// would replace the resource, nor what AWS changes itself, nor tags that the template does not have.
    fn actual(&self, scales: bool) -> Option<Self> {
        let can_be_read = is_supported(&self.kind) && !NOT_REVERTED.contains(&self.kind.as_str());
        if !can_be_read || self.tampered.unreadable.is_some() {
            return Some(self.clone());
        }
        if self.tampered.gone {
            return None;
        }
        let mut actual = self.clone();
        for (path, live) in &self.tampered.properties {
            let property = path.split('/').nth(1).unwrap_or_default();
            let managed = scales && (path == "/DesiredCount" || path.contains("Throughput"));
            let foreign_tag = property == "Tags" && self.properties.pointer(path).is_none();
            let kept = self.properties.get(property).is_none()
                || super::resource::replaces(&self.kind, property)
                || WRITE_ONLY.contains(&property);
            if !kept && !managed && !foreign_tag {
                set(&mut actual.properties, path, live);
            }
        }
        Some(actual)
    }
}

/// Sets what a JSON pointer points to, or takes it away.
fn set(properties: &mut Json, path: &str, value: &Json) {
    let Some((parent, name)) = path.rsplit_once('/') else { return };
    match properties.pointer_mut(parent) {
        Some(Json::Object(map)) if value.is_null() => _ = map.remove(name),
        Some(Json::Object(map)) => _ = map.insert(name.to_owned(), value.clone()),
        Some(Json::Array(items)) => match name.parse::<usize>() {
            Ok(at) if at < items.len() && value.is_null() => _ = items.remove(at),
            Ok(at) if at < items.len() => items[at] = value.clone(),
            _ => items.push(value.clone()),
        },
        _ => {}
    }
}

/// Only properties that the template names are compared.
fn compare((name, resource): (&String, &Resource)) -> Option<ResourceDrift> {
    if !resource.exists() || !is_supported(&resource.kind) {
        return None;
    }
    let tampered = &resource.tampered;
    let named = |path: &str| resource.properties.get(path.split('/').nth(1).unwrap_or_default()).is_some();
    let differences: Vec<PropertyDrift> = tampered
        .properties
        .iter()
        .filter(|(path, _)| named(path))
        .filter_map(|(path, live)| difference(path, resource.properties.pointer(path), live))
        .collect();
    let status = match (&tampered.unreadable, tampered.gone, differences.is_empty()) {
        (Some(_), ..) => ResourceDriftStatus::Unknown,
        (None, true, _) => ResourceDriftStatus::Deleted,
        (None, false, true) => ResourceDriftStatus::InSync,
        (None, false, false) => ResourceDriftStatus::Modified,
    };
    Some(ResourceDrift {
        resource: name.clone(),
        physical_id: Some(resource.physical_id.clone()),
        kind: resource.kind.clone(),
        status,
        reason: tampered.unreadable.clone(),
        differences: if status == ResourceDriftStatus::Modified { differences } else { Vec::new() },
    })
}

fn difference(path: &str, expected: Option<&Json>, live: &Json) -> Option<PropertyDrift> {
    let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (how, expected, live) = match (expected, live) {
        (Some(expected), live) if expected == live => return None,
        (None, Json::Null) => return None,
        (Some(expected), Json::Null) => (PropertyDifference::Remove, text(expected), "null".to_owned()),
        (None, live) => (PropertyDifference::Add, "null".to_owned(), text(live)),
        (Some(expected), live) => (PropertyDifference::NotEqual, text(expected), text(live)),
    };
    Some(PropertyDrift { path: path.to_owned(), how, expected, live })
}

#[async_trait]
impl Drift for SimDoor {
    async fn detect(&self, stack: &StackId) -> Result<DetectionId, PortError> {
        self.read("DetectStackDrift", stack.as_str(), |world, _| world.detect(self.region, stack)).await
    }

    async fn owner(&self, physical_id: &str) -> Result<Option<(StackId, String)>, PortError> {
        self.read("DescribeStackResources", physical_id, |world, _| Ok(world.stack_with(self.region, physical_id)))
            .await
    }

    async fn compare(&self, stack: &StackId, resource: &str) -> Result<ResourceDrift, PortError> {
        self.wait(COMPARED).await;
        let target = format!("{stack} {resource}");
        self.read("DetectStackResourceDrift", &target, |world, _| world.compare(self.region, stack, resource)).await
    }

    async fn detection(&self, id: &DetectionId) -> Result<Detection, PortError> {
        self.read("DescribeStackDriftDetectionStatus", id.as_str(), |world, _| world.detection(id)).await
    }

    async fn resources(&self, stack: &StackId, token: Option<PageToken>) -> Result<Page<ResourceState>, PortError> {
        const OPERATION: &str = "ListStackResources";
        self.read(OPERATION, stack.as_str(), |world, lens| {
            let all = world.stack_resources(self.region, stack)?;
            page(OPERATION, &all, PAGE, lens, token.as_ref())
        })
        .await
    }

    async fn drifts(&self, stack: &StackId, token: Option<PageToken>) -> Result<Page<ResourceDrift>, PortError> {
        const OPERATION: &str = "DescribeStackResourceDrifts";
        self.read(OPERATION, stack.as_str(), |world, lens| {
            world.any(self.region, stack, OPERATION)?;
            page(OPERATION, &world.found_of(stack), PAGE, lens, token.as_ref())
        })
        .await
    }
}

/// Resources, as somebody changes them past `CloudFormation`.
impl Console {
    /// Sets a property, by JSON pointer; `null` takes it away.
    pub fn change_resource(&self, stack: &StackName, resource: &str, path: &str, value: Json) -> Result<(), PortError> {
        self.tamper(stack, resource, |tampered| _ = tampered.properties.insert(path.to_owned(), value))
    }

    /// Deletes it.
    pub fn delete_resource(&self, stack: &StackName, resource: &str) -> Result<(), PortError> {
        self.tamper(stack, resource, |tampered| tampered.gone = true)
    }

    /// Lets nobody read it, or everybody again.
    pub fn hide_resource(&self, stack: &StackName, resource: &str, why: Option<&str>) -> Result<(), PortError> {
        self.tamper(stack, resource, |tampered| tampered.unreadable = why.map(str::to_owned))
    }

    /// What a property reads like; none: it is not there, nor may the resource be.
    #[must_use]
    pub fn live(&self, stack: &StackName, resource: &str, path: &str) -> Option<Json> {
        self.at(|world, region| {
            let ix = world.live(region, stack, "live").ok()?;
            let found = world.data.stacks[ix].resources.get(resource).filter(|found| found.exists())?;
            if found.tampered.gone {
                return None;
            }
            let deployed = found.properties.pointer(path);
            found.tampered.properties.get(path).or(deployed).filter(|value| !value.is_null()).cloned()
        })
    }

    fn tamper(&self, stack: &StackName, resource: &str, how: impl FnOnce(&mut Tampered)) -> Result<(), PortError> {
        self.with(|world, region, _| {
            let ix = world.live(region, stack, "tamper")?;
            let found = world.data.stacks[ix].resources.get_mut(resource);
            let missing = || PortError::new(Class::NotFound, "tamper", format!("{stack} has no resource {resource}"));
            let found = found.ok_or_else(missing)?;
            let unread = found.tampered.unreadable.clone();
            how(&mut found.tampered);
            let (id, kind) = (found.physical_id.clone(), found.kind.rsplit("::").next().unwrap_or_default().to_owned());
            let verb = if found.tampered.gone { "Delete" } else { "Update" };
            if unread == found.tampered.unreadable {
                world.tell(region, &id, format!("{verb}{kind}"));
            }
            world.table_is_tampered(ix, resource);
            Ok(())
        })
    }
}

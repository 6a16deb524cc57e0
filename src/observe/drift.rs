//! Detects the drift of stacks. Like every look it never fails: what could not be compared is in what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::iter;

use super::Observer;
use crate::model::{
    DetectionStatus, DriftSeen, NESTED_STACK, ResourceDrift, ResourceDriftStatus, ResourceState, Scope, StackAddress,
    StackDrift, StackId, Unknown,
};
use crate::ports::{Class, Drift, PortError, all};

/// Detections that run at the same time: each reads all resources of its stack through their services.
const AT_ONCE: usize = 8;

/// How long a detection may take: "up to several minutes, depending on the number of resources" (AWS: *Detect drift on an
/// entire stack*), and others may have one running.
const WITHIN: Duration = Duration::from_mins(15);

/// How long it may take to compare one resource.
const ONE: Duration = Duration::from_mins(1);

fn slow() -> Unknown {
    Unknown::because(format!("no answer within {}", humantime::format_duration(ONE)))
}

/// First it is asked soon, then ever less often.
const SOONEST: Duration = Duration::from_secs(2);
const LATEST: Duration = Duration::from_secs(20);

/// Stacks within stacks are followed so far down.
const DEPTH_MAX: usize = 5;

impl Observer<'_> {
    /// Compares every resource of these stacks with what was deployed.
    pub async fn drift(&self, stacks: BTreeMap<StackAddress, StackId>) -> BTreeMap<StackAddress, DriftSeen> {
        let detections = iter(stacks).map(async |(address, id)| {
            let port = self.governor.drift(&address.scope, self.role(&address.scope));
            let seen = self.detect(port, id, DEPTH_MAX).await;
            (address, seen)
        });
        detections.buffer_unordered(AT_ONCE).collect().await
    }

    /// The stack that a resource belongs to, and its logical id there.
    pub async fn owner(&self, scope: &Scope, physical_id: &str) -> Result<Option<(StackId, String)>, Unknown> {
        let port = self.governor.drift(scope, self.role(scope));
        let owner = self.cx.timeout(ONE, port.owner(physical_id)).await;
        owner.ok_or_else(slow)?.map_err(Unknown::because)
    }

    /// One resource, as it compares with what was deployed.
    pub async fn compared(&self, scope: &Scope, stack: &StackId, resource: &str) -> Result<ResourceDrift, Unknown> {
        let port = self.governor.drift(scope, self.role(scope));
        let compared = self.cx.timeout(ONE, port.compare(stack, resource)).await;
        compared.ok_or_else(slow)?.map_err(Unknown::because)
    }

    fn detect(&self, port: Arc<dyn Drift>, id: StackId, depth: usize) -> BoxFuture<'_, DriftSeen> {
        async move {
            let Some(found) = self.cx.timeout(WITHIN, self.detected(&*port, &id)).await else {
                let limit = humantime::format_duration(WITHIN);
                return Err(Unknown::because(format!("its drift detection did not finish within {limit}")));
            };
            let mut drift = found.map_err(Unknown::because)?;
            let nested: Vec<(String, Option<StackId>)> = drift
                .resources
                .iter()
                .filter(|resource| resource.kind == NESTED_STACK && resource.status != ResourceDriftStatus::Deleted)
                .map(|found| (found.resource.clone(), found.physical_id.as_ref().and_then(|id| id.parse().ok())))
                .collect();
            for (name, id) in nested {
                let within = match (id, depth.checked_sub(1)) {
                    (Some(id), Some(depth)) => self.detect(Arc::clone(&port), id, depth).await,
                    (None, _) => Err(Unknown::because("it has no ID")),
                    (_, None) => Err(Unknown::because("stacks are nested too deeply")),
                };
                // What is said of the stack itself is what is said of what is in it.
                drift.resources.retain(|resource| resource.resource != name);
                match within {
                    Ok(within) => drift.add(&name, within),
                    Err(why) => drift.incomplete.push(format!("{name}: {why}")),
                }
            }
            Ok(drift)
        }
        .boxed()
    }

    /// Begins a detection, waits for its end and reads what it found.
    async fn detected(&self, port: &dyn Drift, stack: &StackId) -> Result<StackDrift, PortError> {
        let mut pause = SOONEST;
        let mut id = None;
        let ended = loop {
            match &id {
                None => match port.detect(stack).await {
                    Ok(begun) => id = Some(begun),
                    // Somebody else's, which is over soon; or an operation on the stack.
                    Err(error) if error.class == Class::Conflict => {}
                    Err(error) => return Err(error),
                },
                Some(id) => {
                    let detection = port.detection(id).await?;
                    if detection.status != DetectionStatus::InProgress {
                        break detection;
                    }
                }
            }
            self.cx.sleep(pause).await;
            pause = pause.saturating_mul(2).min(LATEST);
        };
        let found = all("DescribeStackResourceDrifts", |page| port.drifts(stack, page)).await?;
        let known = all("ListStackResources", |page| port.resources(stack, page)).await?;
        let unread = found.iter().any(|resource| resource.status == ResourceDriftStatus::Unknown);
        // Its reason names the resources that could not be read; where they say so themselves, once is enough.
        let failed = (ended.status == DetectionStatus::Failed && !unread)
            .then(|| ended.reason.unwrap_or_else(|| "the detection failed, and AWS gives no reason".to_owned()));
        Ok(StackDrift { resources: with_unchecked(found, known), incomplete: failed.into_iter().collect() })
    }
}

/// What was found, and the resources of which nothing was.
fn with_unchecked(mut found: Vec<ResourceDrift>, known: Vec<ResourceState>) -> Vec<ResourceDrift> {
    let checked: BTreeSet<String> = found.iter().map(|resource| resource.resource.clone()).collect();
    let unchecked = known.into_iter().filter(|resource| !checked.contains(&resource.resource));
    found.extend(unchecked.map(|resource| ResourceDrift {
        resource: resource.resource,
        physical_id: resource.physical_id,
        kind: resource.kind,
        // What an earlier detection made of it says nothing of this one.
        status: ResourceDriftStatus::NotChecked,
        reason: None,
        differences: Vec::new(),
    }));
    found
}

impl StackDrift {
    /// Adds what was found in a nested stack.
    fn add(&mut self, name: &str, within: Self) {
        let inside = |text: &str| format!("{name}/{text}");
        self.incomplete.extend(within.incomplete.iter().map(|why| inside(why)));
        self.resources.extend(
            within.resources.into_iter().map(|found| ResourceDrift { resource: inside(&found.resource), ..found }),
        );
    }
}

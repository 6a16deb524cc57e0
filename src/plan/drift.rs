//! What becomes of the differences that a detection has found: drift, or something that only looks like it.
//!
//! CloudFormation's own verdict cannot be trusted in either direction: fresh stacks have drifted, because a service has
//! ordered a list or filled in a default, and what could not be read is in sync because nobody has said otherwise. So
//! values are compared again, by their meaning ([`same`]); what something else is there to change is its business
//! (invariant S21); and what was not compared is said to be unknown.

mod adopt;
mod baseline;
mod beside;
mod culprit;
mod due;
mod nested;
mod same;
mod shifting;
mod standing;
#[cfg(test)]
mod tests;

pub use self::adopt::{adopted, from_parameter};
pub use self::baseline::{looked, touched};
pub use self::beside::beside;
pub use self::culprit::culprit;
pub use self::due::{Due, due};
pub use self::nested::by_hand;
pub(super) use self::nested::reverting;
pub use self::standing::remembered;
pub(super) use self::standing::{current, standing};

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use regex::Regex;

use crate::model::{
    By, Compared, DriftMemory, DriftSeen, Environment, Finding, Fingerprint, FingerprintKey, Parameter, PropertyDrift,
    ResourceDrift, ResourceDriftStatus, Severity, StackSpec, Tolerance, Verdict, is_likely_secret,
};

/// Stands for a value that must not be shown.
pub(super) const HIDDEN: &str = "(hidden)";

/// Types that say who may do what, or how it is encrypted.
const GUARDING: [&str; 6] = [
    "AWS::IAM::",
    "AWS::KMS::",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::NetworkAcl",
    "AWS::S3::BucketPolicy",
    "AWS::SecretsManager::ResourcePolicy",
];

/// Parts of names of properties that guard what they belong to.
const GUARDS: [&str; 9] =
    ["policy", "protection", "encrypt", "sse", "kms", "public", "ingress", "pointintimerecovery", "backup"];

/// Names of properties that say something and do nothing.
const WORDS: [&str; 3] = ["tags", "description", "comment"];

/// The type by which something scales others.
const SCALABLE: &str = "AWS::ApplicationAutoScaling::ScalableTarget";

/// What a detection of a stack means.
#[must_use]
pub fn judge(
    environment: &Environment,
    spec: &StackSpec,
    seen: &DriftSeen,
    memory: &DriftMemory,
    key: &FingerprintKey,
    now: Timestamp,
) -> Compared {
    let resources = seen.as_ref().map_or(&[][..], |drift| &drift.resources);
    let judge = Judge { environment, spec, resources, memory, key, now };
    let mut findings = Vec::new();
    let mut compared = 0;
    match seen {
        Err(why) => findings.push(judge.of_the_stack(why.to_string())),
        Ok(drift) => {
            findings.extend(drift.incomplete.iter().map(|why| judge.of_the_stack(why.clone())));
            for resource in &drift.resources {
                compared += usize::from(is_compared(resource.status));
                judge.resource(resource, &mut findings);
            }
        }
    }
    findings.sort_by_cached_key(|finding| (rank(&finding.verdict), finding.place()));
    Compared { object: spec.key.clone(), compared, findings }
}

fn is_compared(status: ResourceDriftStatus) -> bool {
    matches!(status, ResourceDriftStatus::InSync | ResourceDriftStatus::Modified | ResourceDriftStatus::Deleted)
}

/// Worst first.
fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Drift(Severity::High) => 0,
        Verdict::Drift(Severity::Medium) => 1,
        Verdict::Drift(Severity::Low) => 2,
        Verdict::Unknown { .. } => 3,
        Verdict::Tolerated { .. } => 4,
        Verdict::Delegated { .. } => 5,
        Verdict::Noise { .. } => 6,
    }
}

struct Judge<'a> {
    environment: &'a Environment,
    spec: &'a StackSpec,
    /// All resources of the stack.
    resources: &'a [ResourceDrift],
    memory: &'a DriftMemory,
    key: &'a FingerprintKey,
    now: Timestamp,
}

impl Judge<'_> {
    fn of_the_stack(&self, why: String) -> Finding {
        Finding::of(self.spec.key.clone(), self.now, Verdict::Unknown { why })
    }

    fn resource(&self, resource: &ResourceDrift, findings: &mut Vec<Finding>) {
        let whole = |verdict| self.finding(resource, None, verdict);
        match resource.status {
            ResourceDriftStatus::InSync => {}
            ResourceDriftStatus::NotChecked | ResourceDriftStatus::Unsupported => {
                let why = format!("CloudFormation does not check resources of type {}", resource.kind);
                findings.push(whole(Verdict::Unknown { why }));
            }
            ResourceDriftStatus::Unknown => {
                let why = resource.reason.clone().unwrap_or_else(|| "AWS gives no reason".to_owned());
                findings.push(whole(Verdict::Unknown { why }));
            }
            ResourceDriftStatus::Deleted => {
                let drift = || Verdict::Drift(severity(&resource.kind, None));
                findings.push(whole(self.tolerated(&resource.resource, None).unwrap_or_else(drift)));
            }
            ResourceDriftStatus::Modified => {
                let reordered = same::reordered(&resource.differences);
                findings.extend(resource.differences.iter().enumerate().map(|(index, difference)| {
                    let verdict = self.verdict(resource, difference, reordered.contains(&index));
                    self.finding(resource, Some(difference), verdict)
                }));
            }
        }
    }

    fn verdict(&self, resource: &ResourceDrift, difference: &PropertyDrift, reordered: bool) -> Verdict {
        let noise = if reordered { Some("the same values in another order") } else { same::means_the_same(difference) };
        if let Some(why) = noise {
            return Verdict::Noise { why: why.to_owned() };
        }
        if let Some(to) = self.delegated(resource, &difference.path) {
            return Verdict::Delegated { to };
        }
        if let Some(tolerated) = self.tolerated(&resource.resource, Some(&difference.path)) {
            return tolerated;
        }
        let severity = severity(&resource.kind, Some(&difference.path));
        let place = format!("{}{}", resource.resource, difference.path);
        // What guards something is never taken for AWS's own doing.
        if severity < Severity::High && self.memory.baseline.get(&place) == Some(&self.print(resource, difference)) {
            return Verdict::Noise { why: "AWS set it during the deployment".to_owned() };
        }
        Verdict::Drift(severity)
    }

    fn tolerated(&self, resource: &str, path: Option<&str>) -> Option<Verdict> {
        tolerated(self.spec, resource, path, self.now)
    }

    /// Another resource, another value on either side: another print.
    fn print(&self, resource: &ResourceDrift, difference: &PropertyDrift) -> Fingerprint {
        let PropertyDrift { path, expected, live, .. } = difference;
        let id = resource.physical_id.as_deref().unwrap_or_default();
        self.key.fingerprint(&[id, path, expected, live].join("\u{0}"))
    }

    /// What something else is there to change.
    fn delegated(&self, resource: &ResourceDrift, path: &str) -> Option<String> {
        let scales = || {
            let templates = self.environment.stacks.values().map(|spec| &spec.template);
            templates.flat_map(|template| template.resources.values()).any(|resource| resource.kind == SCALABLE)
        };
        let delivered = || {
            let direct = self.environment.services.values().filter(|service| service.stack().is_none());
            direct.into_iter().any(|service| service.depends_on.contains(&self.spec.key))
        };
        match resource.kind.as_str() {
            "AWS::ECS::Service" if path == "/DesiredCount" && scales() => Some("autoscaling".to_owned()),
            "AWS::ECS::Service" if path == "/TaskDefinition" && delivered() => {
                Some("the image deployment of this service".to_owned())
            }
            "AWS::DynamoDB::Table" | "AWS::DynamoDB::GlobalTable" if path.contains("Throughput") && scales() => {
                Some("autoscaling".to_owned())
            }
            _ if self.is_shifted(resource, path) => Some("ECS, to shift traffic".to_owned()),
            _ => None,
        }
    }

    fn finding(&self, resource: &ResourceDrift, difference: Option<&PropertyDrift>, verdict: Verdict) -> Finding {
        let mut finding = Finding {
            resource: Some(resource.resource.clone()),
            physical_id: resource.physical_id.clone(),
            kind: Some(resource.kind.clone()),
            property: difference.map(|difference| difference.path.clone()),
            expected: difference
                .map(|difference| shown(self.spec, &resource.kind, &difference.path, &difference.expected)),
            live: difference.map(|difference| shown(self.spec, &resource.kind, &difference.path, &difference.live)),
            print: difference.map(|difference| self.print(resource, difference)),
            ..Finding::of(self.spec.key.clone(), self.now, verdict)
        };
        if finding.is_drift()
            && let Some(since) = self.memory.since.get(&finding.place())
        {
            finding.since = *since;
            let known = self.memory.seen.iter().flat_map(|look| &look.findings);
            let mut known = known.filter(|known| known.place() == finding.place() && known.print == finding.print);
            if let Some(By::Somebody(deed)) = known.next().map(|known| &known.by) {
                finding.by = By::Somebody(deed.clone());
            }
        }
        finding
    }
}

/// A value of a property, unless it may be secret by its name or its form, or has that of a `NoEcho` parameter in it.
pub(super) fn shown(spec: &StackSpec, kind: &str, path: &str, value: &str) -> String {
    let likely = is_likely_secret(path, value) || kind == "AWS::SecretsManager::Secret";
    let hides = |parameter: &Parameter| match parameter {
        Parameter::Plain(_) | Parameter::Previous => false,
        Parameter::NoEcho(secret) => !secret.expose().is_empty() && value.contains(secret.expose()),
    };
    let hidden = !matches!(value, "" | "null") && (likely || spec.parameters.values().any(hides));
    if hidden { HIDDEN.to_owned() } else { value.to_owned() }
}

/// The first of the manifest's rules that covers a place and still counts.
fn tolerated(spec: &StackSpec, resource: &str, path: Option<&str>, now: Timestamp) -> Option<Verdict> {
    let today = now.to_zoned(TimeZone::UTC).date();
    let rules = spec.tolerances.iter().filter(|rule| rule.until.is_none_or(|until| today <= until));
    let mut rules = rules.filter(|rule| covers(rule, resource, path));
    rules.next().map(|rule| Verdict::Tolerated { reason: rule.reason.clone(), until: rule.until })
}

fn covers(rule: &Tolerance, resource: &str, path: Option<&str>) -> bool {
    let pattern = regex::escape(&rule.resource).replace(r"\*", ".*");
    let is_meant = Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|pattern| pattern.is_match(resource));
    let within = match (&rule.property, path) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(property), Some(path)) => {
            path.strip_prefix(property.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
    };
    is_meant && within
}

fn has(text: &str, parts: &[&str]) -> bool {
    let text = text.to_ascii_lowercase().replace(['-', '_'], "");
    parts.iter().any(|part| text.contains(part))
}

/// What is gone is as bad as can be.
fn severity(kind: &str, path: Option<&str>) -> Severity {
    let Some(path) = path else { return Severity::High };
    let parts: BTreeSet<String> = path.split('/').map(str::to_ascii_lowercase).collect();
    if WORDS.iter().any(|word| parts.contains(*word)) {
        Severity::Low
    } else if GUARDING.iter().any(|guarding| kind.starts_with(guarding)) || has(path, &GUARDS) {
        Severity::High
    } else {
        Severity::Medium
    }
}

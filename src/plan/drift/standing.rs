//! What is known of a stack's drift now: the last look, judged by the manifest of today.

use jiff::Timestamp;

use super::{rank, severity, tolerated};
use crate::model::{Compared, DriftLook, DriftMemory, DriftStanding, Finding, StackSpec, StackVersion, Verdict};

/// What was found, by the rules of today: one may have expired since, another may be new.
pub(in crate::plan) fn current(spec: &StackSpec, look: &DriftLook, now: Timestamp) -> Vec<Finding> {
    let mut findings = look.findings.clone();
    for finding in &mut findings {
        let (Some(resource), Some(kind)) = (&finding.resource, &finding.kind) else { continue };
        if matches!(finding.verdict, Verdict::Drift(_) | Verdict::Tolerated { .. }) {
            let path = finding.property.as_deref();
            let drift = || Verdict::Drift(severity(kind, path));
            finding.verdict = tolerated(spec, resource, path, now).unwrap_or_else(drift);
        }
    }
    findings.sort_by_cached_key(|finding| (rank(&finding.verdict), finding.place()));
    findings
}

/// How a stack stands, as it is; what was seen of it before its last operation says nothing of it.
pub(in crate::plan) fn standing(
    spec: &StackSpec,
    memory: &DriftMemory,
    version: &StackVersion,
    now: Timestamp,
) -> Option<Box<DriftStanding>> {
    let look = memory.seen.as_ref().filter(|look| look.version == *version);
    let failed = memory.failed.as_ref().map(|failed| failed.why.clone());
    if look.is_none() && failed.is_none() {
        return None;
    }
    let findings = look.map(|look| current(spec, look, now)).unwrap_or_default();
    let severities = findings.iter().filter_map(|finding| match finding.verdict {
        Verdict::Drift(severity) => Some(severity),
        _ => None,
    });
    let unknown = findings.iter().filter(|finding| matches!(finding.verdict, Verdict::Unknown { .. })).count();
    Some(Box::new(DriftStanding {
        at: look.map(|look| look.at),
        differences: severities.clone().count(),
        worst: severities.max(),
        unknown,
        failed,
    }))
}

/// What is known of a stack without asking anybody.
#[must_use]
pub fn remembered(spec: &StackSpec, memory: &DriftMemory, now: Timestamp) -> Compared {
    let (object, look) = (spec.key.clone(), memory.seen.as_ref());
    let mut findings = look.map(|look| current(spec, look, now)).unwrap_or_default();
    let why = match (&memory.failed, look) {
        (Some(failed), _) => Some(format!("it could not be checked again: {}", failed.why)),
        (None, None) => Some("it has not been checked yet".to_owned()),
        (None, Some(_)) => None,
    };
    let since = memory.failed.as_ref().map_or(now, |failed| failed.at);
    findings.extend(why.map(|why| Finding::of(object.clone(), since, Verdict::Unknown { why })));
    Compared { object, compared: look.map_or(0, |look| look.compared), findings }
}

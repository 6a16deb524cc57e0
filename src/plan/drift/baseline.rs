//! What a look at a stack leaves behind: since when what differs, and what AWS itself has made different.
//!
//! A fresh stack has drifted: services order lists, fill in defaults and write texts their own way, and there is no
//! table of all of it. So what differs right after a deployment, and only where this deployment has written, is AWS's
//! own doing and no drift, for as long as it stays exactly so. What differed before the deployment, what it has put back,
//! and what guards something ([`Severity::High`]) is never taken for that.

use jiff::{SignedDuration, Timestamp};

use super::rank;
use crate::model::{
    Compared, DRIFT_HISTORY, DriftLook, DriftMemory, DriftSeen, FailedLook, Finding, Severity, StackVersion, Verdict,
};
use crate::sabotage::{self, Bug};

/// How long after a deployment a look may begin so that what it finds is still the deployment's doing. A person may be
/// as quick; then the trail says who it was.
const FRESH: SignedDuration = SignedDuration::from_mins(15);

/// What is remembered after one resource of a stack was compared, and nothing else of it; `None` if that says nothing by
/// itself: the stack was not looked at as it is now, or was deployed since.
#[must_use]
pub fn touched(memory: &DriftMemory, resource: &str, judged: Compared, version: &StackVersion) -> Option<DriftMemory> {
    let look = memory.seen.as_ref().filter(|look| look.version == *version && memory.written.is_none())?;
    let is_it = |place: &str| place.strip_prefix(resource).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let mut after = memory.clone();
    after.since.retain(|place, _| !is_it(place));
    let drift = judged.findings.iter().filter(|finding| finding.is_drift());
    after.since.extend(drift.map(|finding| (finding.place(), finding.since)));
    let others = look.findings.iter().filter(|finding| finding.resource.as_deref() != Some(resource));
    let mut findings: Vec<Finding> = others.cloned().chain(judged.findings).collect();
    findings.sort_by_cached_key(|finding| (rank(&finding.verdict), finding.place()));
    after.seen = Some(DriftLook { findings, ..look.clone() });
    Some(after)
}

/// What is remembered after a look at a stack, and what was found by it. The look began at `begun`.
#[must_use]
pub fn looked(
    memory: &DriftMemory,
    seen: &DriftSeen,
    judged: Compared,
    version: &StackVersion,
    (begun, now): (Timestamp, Timestamp),
) -> (DriftMemory, Compared) {
    let mut after = memory.clone();
    if let Err(why) = seen {
        let count = memory.failed.as_ref().map_or(0, |failed| failed.count).saturating_add(1);
        after.failed = Some(Box::new(FailedLook { at: now, count, why: why.to_string() }));
        return (after, judged);
    }
    let mut judged = judged;
    let fresh = memory.written.as_ref().filter(|written| begun.duration_since(written.at) <= FRESH);
    let is_own = |finding: &Finding| {
        let light = matches!(finding.verdict, Verdict::Drift(severity) if severity < Severity::High);
        let written = fresh.is_some_and(|written| written.what.covers(finding)) || sabotage::is(Bug::AllIsBaseline);
        light && written && !memory.since.contains_key(&finding.place())
    };
    // What is AWS's doing is so as long as it is seen: once it is another, that is somebody's.
    let known = |finding: &Finding| memory.baseline.get(&finding.place()).cloned() == finding.print;
    after.baseline = judged
        .findings
        .iter()
        .filter(|finding| is_own(finding) || (known(finding) && finding.print.is_some()))
        .filter_map(|finding| Some((finding.place(), finding.print.clone()?)))
        .collect();
    for finding in judged.findings.iter_mut().filter(|finding| is_own(finding)) {
        finding.verdict = Verdict::Noise { why: "AWS set it during the deployment".to_owned() };
    }
    let drift = judged.findings.iter().filter(|finding| finding.is_drift());
    after.since = drift.clone().map(|finding| (finding.place(), finding.since)).collect();
    after.history.push((now, u32::try_from(drift.count()).unwrap_or(u32::MAX)));
    let old = after.history.len().saturating_sub(DRIFT_HISTORY);
    after.history.drain(..old);
    after.written = None;
    after.failed = None;
    after.asked = None;
    after.seen = Some(DriftLook {
        at: now,
        version: version.clone(),
        compared: judged.compared,
        findings: judged.findings.clone(),
    });
    (after, judged)
}

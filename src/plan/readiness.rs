//! Whether an object is ready for what depends on it: by its own status, and by the checks that its manifest names.
//!
//! Checks are asked only of what is as desired itself, and then at every look. One that could not be made has not
//! failed: the object is then not known to be ready, and nothing else follows.

use jiff::{SignedDuration, Timestamp};

use super::planner::Planner;
use crate::model::{
    Check, CheckNeed, CheckOutcome, CheckStanding, Digest, Entry, HttpRequest, Key, Readiness, Scope, Waiting,
};

/// Takes readiness from an entry whose checks do not hold.
pub(super) fn check(planner: &Planner<'_>, key: &Key, entry: &mut Entry) {
    let Some(checks) = planner.input.environment.ready.get(key) else { return };
    if !entry.ready {
        return;
    }
    for readiness in checks {
        let standing = Asking { planner, key, readiness }.ask(entry);
        entry.ready &= matches!(standing.since, Some((_, true)));
        entry.checks.push(standing);
    }
}

struct Asking<'a> {
    planner: &'a Planner<'a>,
    key: &'a Key,
    readiness: &'a Readiness,
}

impl Asking<'_> {
    /// How the check stands; what is to be waited for is added to the entry.
    fn ask(&self, entry: &mut Entry) -> CheckStanding {
        let check = Digest::of(&self.readiness.check);
        let unknown = CheckStanding { check: check.clone(), since: None };
        let need = match self.need(&entry.address.scope) {
            Ok(need) => need,
            Err(stack) => {
                entry.waiting.push(Waiting::Dependency { objects: [stack.to_string()].into() });
                return unknown;
            }
        };
        let shown = need.to_string();
        let Some(answer) = self.planner.input.observation.checks.answers.get(&need) else {
            self.planner.need(need);
            entry.waiting.push(Waiting::Unknown { why: format!("its check \"{shown}\" has not run yet") });
            return unknown;
        };
        match &answer.outcome {
            CheckOutcome::Holds => CheckStanding { since: Some((self.since(&check, true), true)), check },
            CheckOutcome::Fails(why) => {
                let since = self.since(&check, false);
                let overdue = self.is_overdue(since);
                entry.waiting.push(Waiting::Readiness { check: shown, why: why.clone(), since, overdue });
                CheckStanding { check, since: Some((since, false)) }
            }
            CheckOutcome::NotAsked => unknown,
            CheckOutcome::Unknown(why) => {
                let why = format!("its check \"{shown}\" could not run: {why}");
                entry.waiting.push(Waiting::Unknown { why });
                unknown
            }
        }
    }

    /// Since when it holds, or fails: since now, if it was not so before.
    fn since(&self, check: &Digest, holds: bool) -> Timestamp {
        let input = self.planner.input;
        let before = input.memory.objects.of(self.key).and_then(|memory| memory.ready.checks.get(check));
        match before {
            // A clock that was set back must not make a check fail from tomorrow on.
            Some((since, held)) if *held == holds => (*since).min(input.now),
            _ => input.now,
        }
    }

    fn is_overdue(&self, since: Timestamp) -> bool {
        let within = SignedDuration::try_from(self.readiness.within).unwrap_or(SignedDuration::MAX);
        self.planner.input.now.duration_since(since) > within
    }

    /// What is to be asked, or the stack whose output is not known yet.
    fn need(&self, scope: &Scope) -> Result<CheckNeed, Key> {
        let text = |text| self.planner.text(text);
        Ok(match &self.readiness.check {
            Check::Http(probe) => CheckNeed::Http(HttpRequest {
                url: text(&probe.url)?,
                expect: probe.expect,
                body: probe.body.clone(),
                tls: probe.tls.clone(),
                timeout: probe.timeout,
            }),
            Check::ServiceSteady { cluster, service } => {
                CheckNeed::ServiceSteady { scope: scope.clone(), cluster: text(cluster)?, service: text(service)? }
            }
            Check::Targets { group, healthy } => {
                CheckNeed::Targets { scope: scope.clone(), group: text(group)?, healthy: *healthy }
            }
            Check::Alarm { name } => CheckNeed::Alarm { scope: scope.clone(), name: text(name)? },
        })
    }
}

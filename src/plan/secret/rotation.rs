//! When generated fields are made anew, and how far that is (invariant S13).
//!
//! A version is made under `AWSPENDING`, becomes current when it is whole, and the one before stays as `AWSPREVIOUS`. Where a
//! rotation stands is read from the labels; its versions say in their ids what they were made for, so that one that was
//! interrupted is taken up and not begun again.
//!
//! Where the manifest names a check, whoever uses the secret is asked about the pending version before it becomes
//! current. One that does not get along with it in time ends the rotation: the label is taken off, the value before stays
//! current, and another version is tried later.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::super::attempts;
use super::{Deciding, WRITE_EVERY, refused};
use crate::model::{
    AWSPENDING, Action, AppliedValue, CheckNeed, CheckOutcome, CheckStanding, ConsumerCheck, Difference, Digest, Entry,
    FailedRotation, Failure, Guard, HttpRequest, SecretDo, SecretSource, SecretState, VersionId, Waiting,
};

/// Stands for the id of the pending version in the URL of a check.
const VERSION: &str = "{version}";

/// A rotation that fails is tried again after ten minutes, twenty, forty, and in the end once a day.
const RETRY_MAX: SignedDuration = SignedDuration::from_hours(24);

/// More ids than these for one rotation are never tried.
const ATTEMPTS_MAX: u8 = 100;

impl Deciding<'_> {
    pub(super) fn rotation(&self, entry: &mut Entry, state: &SecretState) {
        let SecretSource::Generated(fields) = &self.spec.source else { return };
        if state.rotates {
            // AWS does, and what it makes is no drift (invariant S21).
            return;
        }
        let Some(applied) = self.applied(state) else { return };
        let pending = state.version(AWSPENDING);
        if let Some(pending) = pending {
            self.follow(entry, state, pending, applied);
            return;
        }
        let (Some(due), Some(())) = (self.due(applied), self.begins()) else { return };
        if self.now() < due {
            return;
        }
        entry.action = Action::Update;
        entry.differences.push(Difference::Rotation);
        if self.holds_off(entry, due) || self.is_too_early(entry) {
            return;
        }
        let Some(attempt) = self.attempt(due, state) else {
            return refused(entry, Guard::Stuck, "its rotation cannot create a version", "check its versions in AWS");
        };
        let action = SecretDo::Stage {
            token: VersionId::of_rotation(&self.spec.key, due, attempt),
            fields: fields.clone(),
            from: applied.version.clone(),
            due,
            attempt,
        };
        self.act(entry, state, action);
    }

    /// It rotates by itself, or a person asked for it.
    fn begins(&self) -> Option<()> {
        (self.spec.rotation.is_some() || self.memory.rotation_asked.is_some()).then_some(())
    }

    /// When the next rotation is due: to the second, because the id of its version says so.
    fn due(&self, applied: &AppliedValue) -> Option<Timestamp> {
        let promoted = self.memory.rotation.as_ref().filter(|rotation| rotation.promoted).map(|rotation| rotation.due);
        let asked = self.memory.rotation_asked.filter(|asked| promoted.is_none_or(|promoted| *asked > promoted));
        let regular = self.spec.rotation.as_ref().and_then(|rotation| {
            // What was made anew and taken back by a person is not made anew at once.
            let last = applied.made.max(promoted)?;
            last.saturating_add(SignedDuration::try_from(rotation.every).unwrap_or(SignedDuration::MAX)).ok()
        });
        let due = match (asked, regular) {
            (Some(asked), Some(regular)) => asked.min(regular),
            (asked, regular) => asked.or(regular)?,
        };
        Timestamp::from_second(due.as_second()).ok()
    }

    /// The attempt whose id can be used. One that was sent and is not to be seen after ten minutes was used up.
    fn attempt(&self, due: Timestamp, state: &SecretState) -> Option<u8> {
        let mut first = 0;
        if let Some(rotation) = self.memory.rotation.as_ref().filter(|rotation| rotation.due == due) {
            let sent = self.memory.written.is_some_and(|written| self.now().duration_since(written) >= WRITE_EVERY);
            first = if sent || rotation.failed { rotation.attempt.saturating_add(1) } else { rotation.attempt };
        }
        (first..ATTEMPTS_MAX)
            .find(|attempt| !state.versions.contains_key(&VersionId::of_rotation(&self.spec.key, due, *attempt)))
    }

    /// A version is pending: ours is taken up wherever it stands, and nobody else's is touched.
    fn follow(&self, entry: &mut Entry, state: &SecretState, pending: &VersionId, applied: &AppliedValue) {
        let Some((due, attempt)) = pending.rotation_of(&self.spec.key) else {
            if *pending != applied.version {
                let reason = format!("version {pending} is pending, but was not created by a Landfast rotation");
                refused(entry, Guard::TwoWriters, reason, format!("remove the label {AWSPENDING} from it"));
            }
            return;
        };
        let unlabel = SecretDo::Unlabel { version: pending.clone(), failed: None };
        // It was current, or was found not to work.
        let promoted = self
            .memory
            .rotation
            .as_ref()
            .is_some_and(|rotation| (rotation.promoted || rotation.failed) && rotation.version == *pending);
        let newer = applied.version.rotation_of(&self.spec.key).is_some_and(|(current, _)| current > due);
        // It is current already; or a person has gone back to what was before, and that is not undone.
        if promoted || newer || *pending == applied.version {
            return self.act(entry, state, unlabel);
        }
        entry.action = Action::Update;
        entry.differences.push(Difference::Rotation);
        match self.consumer(entry, pending) {
            Consumer::Content => {}
            Consumer::Waits => return,
            Consumer::Fails(why) => {
                let failed = Box::new(self.failed(due, attempt, &why));
                return self.act(entry, state, SecretDo::Unlabel { version: pending.clone(), failed: Some(failed) });
            }
        }
        let Some(facts) = self.facts(entry, state, pending) else { return };
        let needed = self.needed(applied);
        if needed.iter().any(|name| !facts.fields.contains_key(name)) {
            // It was made when other fields were asked for: it never becomes current, and another one is made.
            return self.act(entry, state, unlabel);
        }
        let restart = self.spec.rotation.as_ref().map(|rotation| rotation.restart.clone()).unwrap_or_default();
        let action = SecretDo::Promote {
            to: pending.clone(),
            from: applied.version.clone(),
            fields: needed,
            restart,
            due,
            attempt,
        };
        self.act(entry, state, action);
    }

    /// What a version must have to be whole: all that is asked for, and all that the current one has.
    fn needed(&self, applied: &AppliedValue) -> BTreeSet<String> {
        let mut needed: BTreeSet<String> = applied.fields.keys().cloned().collect();
        if let SecretSource::Generated(fields) = &self.spec.source {
            needed.extend(fields.keys().cloned());
        }
        needed
    }

    /// Asks whoever uses the secret about the pending version. What there is to wait for is added to the entry.
    fn consumer(&self, entry: &mut Entry, pending: &VersionId) -> Consumer {
        let check = self.spec.rotation.as_ref().and_then(|rotation| rotation.check.as_ref());
        let Some(check @ ConsumerCheck { probe, within }) = check else { return Consumer::Content };
        let url = match self.planner.text(&probe.url) {
            Ok(url) => url.replace(VERSION, pending.as_str()),
            Err(stack) => {
                entry.waiting.push(Waiting::Dependency { objects: [stack.to_string()].into() });
                return Consumer::Waits;
            }
        };
        let (expect, body, tls, timeout) = (probe.expect, probe.body.clone(), probe.tls.clone(), probe.timeout);
        let need = CheckNeed::Consumer(HttpRequest { url, expect, body, tls, timeout }, pending.clone());
        let shown = need.to_string();
        let Some(answer) = self.planner.input.observation.checks.answers.get(&need) else {
            self.planner.need(need);
            entry.waiting.push(Waiting::Unknown { why: format!("its check \"{shown}\" has not run yet") });
            return Consumer::Waits;
        };
        match &answer.outcome {
            CheckOutcome::Holds => Consumer::Content,
            CheckOutcome::NotAsked => Consumer::Waits,
            CheckOutcome::Unknown(why) => {
                let why = format!("its check \"{shown}\" could not run: {why}");
                entry.waiting.push(Waiting::Unknown { why });
                Consumer::Waits
            }
            CheckOutcome::Fails(why) => {
                let check = Digest::of(&(pending, check));
                let before = self.planner.input.memory.objects.of(&self.spec.key);
                let known = before.and_then(|memory| memory.ready.checks.get(&check)).map(|(since, _)| *since);
                // A clock that was set back must not make it fail from tomorrow on.
                let since = known.map_or(self.now(), |since| since.min(self.now()));
                entry.checks.push(CheckStanding { check, since: Some((since, false)) });
                if self.now().duration_since(since) > SignedDuration::try_from(*within).unwrap_or(SignedDuration::MAX) {
                    return Consumer::Fails(format!("{shown}: {why}"));
                }
                entry.waiting.push(Waiting::Readiness { check: shown, why: why.clone(), since, overdue: false });
                Consumer::Waits
            }
        }
    }

    /// Names what a rotation tries: another check, or another rotation, is tried at once.
    fn trial(&self, due: Timestamp) -> Digest {
        Digest::of(&(due, self.spec.rotation.as_ref().map(|rotation| &rotation.check)))
    }

    fn failed(&self, due: Timestamp, attempt: u8, reason: &str) -> FailedRotation {
        let failure = Failure {
            resource: self.spec.name.clone(),
            kind: "AWS::SecretsManager::Secret".to_owned(),
            reason: format!("its users fail with the new value ({reason}); the previous value stays current"),
            transient: true,
        };
        FailedRotation { due, attempt, inputs: self.trial(due), failure }
    }

    /// A rotation whose check has failed is tried again later, and at once when a person asks for it.
    fn holds_off(&self, entry: &mut Entry, due: Timestamp) -> bool {
        let inputs = self.trial(due);
        let Some(failed) = attempts::of(self.memory.rotation_failed.as_ref(), &inputs) else { return false };
        let factor = 2_i32.saturating_pow(failed.count.saturating_sub(1).min(16));
        let pause = WRITE_EVERY.saturating_mul(factor).min(RETRY_MAX);
        let until = failed.last.saturating_add(pause).unwrap_or(Timestamp::MAX);
        let asked = self.memory.rotation_asked.is_some_and(|asked| asked > failed.last);
        if asked || self.now() >= until || self.now() < failed.last {
            return false;
        }
        entry.waiting.push(Waiting::Backoff { until, attempt: failed.count, failure: failed.failure.clone() });
        true
    }
}

/// What those who use a secret make of its pending version.
enum Consumer {
    /// They get along with it, or nobody has to be asked.
    Content,
    /// It is not known yet.
    Waits,
    /// They have not got along with it for as long as they may.
    Fails(String),
}

//! When generated fields are made anew, and how far that is (invariant S13).
//!
//! A version is made under `AWSPENDING`, becomes current when it is whole, and the one before stays as `AWSPREVIOUS`. Where a
//! rotation stands is read from the labels; its versions say in their ids what they were made for, so that one that was
//! interrupted is taken up and not begun again.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{Deciding, WRITE_EVERY, refused};
use crate::model::{
    AWSPENDING, Action, AppliedValue, Difference, Entry, Guard, RotationSpec, SecretDo, SecretSource, SecretState,
    VersionId,
};

/// More ids than these for one rotation are never tried.
const ATTEMPTS_MAX: u8 = 100;

impl Deciding<'_> {
    pub(super) fn rotation(&self, entry: &mut Entry, state: &SecretState) {
        let SecretSource::Generated(fields) = &self.spec.source else { return };
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
        if self.has_check(entry) || self.is_too_early(entry) {
            return;
        }
        let Some(attempt) = self.attempt(due, state) else {
            return refused(entry, Guard::Stuck, "its rotation does not get a version", "look at its versions in AWS");
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
            first = if sent { rotation.attempt.saturating_add(1) } else { rotation.attempt };
        }
        (first..ATTEMPTS_MAX)
            .find(|attempt| !state.versions.contains_key(&VersionId::of_rotation(&self.spec.key, due, *attempt)))
    }

    /// A version is pending: ours is taken up wherever it stands, and nobody else's is touched.
    fn follow(&self, entry: &mut Entry, state: &SecretState, pending: &VersionId, applied: &AppliedValue) {
        let Some((due, attempt)) = pending.rotation_of(&self.spec.key) else {
            if *pending != applied.version {
                let reason = format!("version {pending} is pending, and no rotation of ours made it");
                refused(entry, Guard::TwoWriters, reason, format!("take the label {AWSPENDING} off it"));
            }
            return;
        };
        let unlabel = SecretDo::Unlabel { version: pending.clone() };
        let promoted =
            self.memory.rotation.as_ref().is_some_and(|rotation| rotation.promoted && rotation.version == *pending);
        let newer = applied.version.rotation_of(&self.spec.key).is_some_and(|(current, _)| current > due);
        // It is current already; or a person has gone back to what was before, and that is not undone.
        if promoted || newer || *pending == applied.version {
            return self.act(entry, state, unlabel);
        }
        entry.action = Action::Update;
        entry.differences.push(Difference::Rotation);
        let Some(facts) = self.facts(entry, state, pending) else { return };
        let needed = self.needed(applied);
        if needed.iter().any(|name| !facts.fields.contains_key(name)) {
            // It was made when other fields were asked for: it never becomes current, and another one is made.
            return self.act(entry, state, unlabel);
        }
        if self.has_check(entry) {
            return;
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

    /// A check that is declared and cannot be made holds the rotation back: unproved, nothing becomes current.
    fn has_check(&self, entry: &mut Entry) -> bool {
        let check = self.spec.rotation.as_ref().and_then(|RotationSpec { check, .. }| check.as_ref());
        if check.is_some() {
            let reason =
                "its rotation asks for a check of the pending value, and this version of Landfast cannot make it";
            refused(entry, Guard::Stuck, reason, "take `check` out of its `rotation`");
        }
        check.is_some()
    }
}

//! What is in it: by version ids first, by fingerprints where they moved.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{Deciding, WRITE_EVERY, refused, unknown};
use crate::model::{
    Action, AppliedValue, Difference, Digest, Entry, Fingerprint, GeneratedField, Guard, Make, SealedFile, SecretDo,
    SecretNeed, SecretSource, SecretState, Seen, ValueFacts, VersionId, Waiting,
};

/// Digest of a ciphertext: what a sealed value is compared by.
pub(super) fn source(file: &SealedFile) -> Digest {
    Digest::of_bytes(file.ciphertext.as_bytes())
}

impl Deciding<'_> {
    /// Decides on the value. True if that is all for now.
    pub(super) fn value(&self, entry: &mut Entry, state: &SecretState) -> bool {
        if self.spec.source == SecretSource::External {
            if state.current().is_none() {
                entry.waiting.push(Waiting::Someone { what: format!("a value of the secret {}", self.spec.name) });
            }
            return false;
        }
        if state.rotates {
            return self.rotated_by_aws(entry);
        }
        let Some(current) = state.current() else {
            // Created without a value, or its first version is gone: there is nothing to be kept.
            entry.differences.push(Difference::Absent);
            if let Some(make) = self.make() {
                self.put(entry, state, make, None);
            }
            return true;
        };
        match &self.spec.source {
            SecretSource::Sealed(file) => self.sealed(entry, state, current, file),
            SecretSource::Generated(fields) => self.generated(entry, state, current, fields),
            SecretSource::External => false,
        }
    }

    /// AWS makes the versions: what it made is no drift (invariant S21), and two writers are one too many.
    fn rotated_by_aws(&self, entry: &mut Entry) -> bool {
        let ours = matches!(self.spec.source, SecretSource::Sealed(_)) || self.spec.rotation.is_some();
        if ours {
            let reason = "AWS rotates this secret, but its manifest also sets its value";
            refused(
                entry,
                Guard::TwoWriters,
                reason,
                "disable one of the two: the rotation in AWS, or the value's source in the manifest",
            );
        }
        ours
    }

    /// Names and fingerprints of the fields of a version, or the need to know them.
    pub(super) fn facts(&self, entry: &mut Entry, state: &SecretState, version: &VersionId) -> Option<&ValueFacts> {
        let key = (self.spec.address(), version.clone());
        match self.planner.input.observation.secrets.values.get(&key) {
            Some(Seen::Present(facts)) => Some(facts),
            Some(Seen::Absent) => {
                let reason = format!("version {version} has no text value");
                refused(entry, Guard::Stuck, reason, "give it a value manually, or remove it from the manifest");
                None
            }
            Some(Seen::Unknown(why)) => {
                unknown(entry, &format!("its value could not be read: {why}"));
                None
            }
            None => {
                self.planner.need(SecretNeed::Value(key.0, state.arn.clone(), key.1));
                unknown(entry, "its value has not been read");
                None
            }
        }
    }

    fn sealed(&self, entry: &mut Entry, state: &SecretState, current: &VersionId, file: &SealedFile) -> bool {
        let wanted = source(file);
        if let Some(applied) = self.applied(state)
            && applied.source.as_ref() == Some(&wanted)
        {
            return false;
        }
        let known = if let Some(applied) = self.applied(state) {
            applied.fields.clone()
        } else {
            let Some(facts) = self.facts(entry, state, current) else { return true };
            // What we made from this file has an id that says so.
            let token = VersionId::made_of(&self.spec.key, "put", &(&wanted, state.version(crate::model::AWSPREVIOUS)));
            let before = self.memory.applied.as_ref().filter(|before| before.source.as_ref() == Some(&wanted));
            if token == *current || before.is_some_and(|before| before.fields == facts.fields) {
                self.settle(entry, state, current, Some(wanted), facts, (BTreeSet::new(), self.now()));
                return true;
            }
            if let Some(before) = before {
                let why = format!("differs in version {current}, which was created outside Landfast");
                entry.differences.push(Difference::Fields { names: differing(before, &facts.fields), why });
            }
            facts.fields.clone()
        };
        if entry.differences.is_empty() {
            let why = format!("{} changed, or its deployed value is unknown", file.file);
            entry.differences.push(Difference::Fields { names: known.keys().cloned().collect(), why });
        }
        self.put(entry, state, Make::Unseal(file.clone().into(), wanted), Some(known));
        true
    }

    fn generated(
        &self,
        entry: &mut Entry,
        state: &SecretState,
        current: &VersionId,
        fields: &BTreeMap<String, GeneratedField>,
    ) -> bool {
        let Some(applied) = self.applied(state) else {
            let Some(facts) = self.facts(entry, state, current) else { return true };
            self.take_as_it_is(entry, state, current, facts);
            return true;
        };
        let missing: BTreeMap<String, GeneratedField> = fields
            .iter()
            .filter(|(name, _)| !applied.fields.contains_key(*name))
            .map(|(name, field)| (name.clone(), *field))
            .collect();
        if missing.is_empty() {
            return false;
        }
        let names = missing.keys().cloned().collect();
        entry.differences.push(Difference::Fields { names, why: "missing".to_owned() });
        if applied.fields.contains_key("") {
            let reason = "its value is not a JSON object, so fields cannot be added";
            refused(entry, Guard::Stuck, reason, "make its value a JSON object, or use `external: true`");
            return true;
        }
        self.put(entry, state, Make::Fields(missing), None);
        true
    }

    /// What was made once stays, whoever made it: it is written down, and those who use it are told.
    fn take_as_it_is(&self, entry: &mut Entry, state: &SecretState, current: &VersionId, facts: &ValueFacts) {
        let mut restart = BTreeSet::new();
        let declared = || self.spec.rotation.as_ref().map(|rotation| rotation.restart.clone()).unwrap_or_default();
        let mut since = self.now();
        if self.memory.applied.is_none() && current.rotation_of(&self.spec.key).is_some() {
            // A rotation of ours, and nothing is known of whether its restart was made. Tasks that were made after the last
            // change of the secret need none.
            restart = declared();
            since = state.changed.unwrap_or(since);
        }
        if let Some(before) = &self.memory.applied {
            let names = differing(before, &facts.fields);
            let outside = current.rotation_of(&self.spec.key).is_none()
                && Some(current) != self.memory.rotation.as_ref().map(|rotation| &rotation.version);
            if !names.is_empty() {
                restart = declared();
                if outside {
                    let why = format!("differs in version {current}, which was created outside Landfast; it is kept");
                    entry.differences.push(Difference::Fields { names, why });
                }
            }
        }
        self.settle(entry, state, current, None, facts, (restart, since));
    }

    fn settle(
        &self,
        entry: &mut Entry,
        state: &SecretState,
        version: &VersionId,
        source: Option<Digest>,
        facts: &ValueFacts,
        (restart, since): (BTreeSet<crate::model::Key>, Timestamp),
    ) {
        let (arn, version) = (state.arn.clone(), version.clone());
        let (fields, made) = (facts.fields.clone(), facts.made);
        let action = SecretDo::Settle { arn, version, source, fields, made, restart, since };
        entry.step = Some(self.step(crate::model::SecretExpect::Nothing, action));
    }

    fn put(&self, entry: &mut Entry, state: &SecretState, make: Make, known: Option<BTreeMap<String, Fingerprint>>) {
        if entry.action == Action::None {
            entry.action = Action::Update;
        }
        if self.is_too_early(entry) {
            return;
        }
        let from = state.current().cloned();
        let what = match &make {
            Make::Unseal(_, source) => VersionId::made_of(&self.spec.key, "put", &(source, &from)),
            Make::Fields(fields) => VersionId::made_of(&self.spec.key, "fields", &(fields, &from)),
        };
        self.act(entry, state, SecretDo::Put { token: what, make, from, known });
    }

    /// At most one version in ten minutes.
    pub(super) fn is_too_early(&self, entry: &mut Entry) -> bool {
        let made = self.memory.applied.as_ref().and_then(|applied| applied.made);
        // The first version makes nobody wait.
        let made = made.filter(|_| self.memory.written.is_some());
        let Some(last) = self.memory.written.max(made) else { return false };
        let until = last.saturating_add(WRITE_EVERY).unwrap_or(Timestamp::MAX);
        if self.now() >= until || self.now().duration_since(last) < SignedDuration::ZERO {
            return false;
        }
        entry.waiting.push(Waiting::Pause { until, why: "at most one version in ten minutes".to_owned() });
        true
    }
}

/// Fields that one has and the other has not, or has with another value.
fn differing(before: &AppliedValue, now: &BTreeMap<String, Fingerprint>) -> BTreeSet<String> {
    let names: BTreeSet<&String> = before.fields.keys().chain(now.keys()).collect();
    names.into_iter().filter(|name| before.fields.get(*name) != now.get(*name)).cloned().collect()
}

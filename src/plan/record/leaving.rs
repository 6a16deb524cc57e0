//! Record sets that are ours and that no manifest asks for any more.
//!
//! Absence is not an instruction (invariant S2): a record set is deleted only where it was last deployed, only if the
//! marker beside it says that it is this object's, and only as far as the policy or a person says so.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::change;
use super::names::marker_of;
use super::{Blocked, follow, heir, is_ours, seen, step};
use crate::model::{
    Action, Address, Difference, Digest, Entry, Guard, Key, Mode, Prune, RecordBatch, RecordChange, RecordDo,
    RecordMemory, RecordPlace, RecordSet, RecordVerb, Refusal, Waiting,
};
use crate::plan::names::token;
use crate::plan::planner::{Planner, refuse};
use crate::plan::{Goal, attempts, consent, guard};

/// An entry for every record that is remembered and not desired.
pub(in crate::plan) fn leaving(planner: &Planner<'_>) -> BTreeMap<Key, Entry> {
    let input = planner.input;
    let remembered = input.memory.objects.records.iter();
    let left = remembered.filter(|(key, _)| !planner.entries.contains_key(*key));
    let entries = left.filter_map(|(key, memory)| {
        let pending = memory.pending.as_ref();
        let there = memory.former.first().or(memory.place.as_ref());
        let place = there.or(pending.map(|pending| &pending.place))?;
        if heir(planner, place, key).is_some() {
            return None;
        }
        Some((key.clone(), Leaving { planner, key, memory, place }.entry()))
    });
    entries.collect()
}

pub(super) struct Leaving<'a> {
    pub(super) planner: &'a Planner<'a>,
    pub(super) key: &'a Key,
    pub(super) memory: &'a RecordMemory,
    pub(super) place: &'a RecordPlace,
}

impl Leaving<'_> {
    fn entry(&self) -> Entry {
        let name = format!("{} {}", self.place.of.kind, self.place.of.name);
        let address = Address { scope: self.place.scope.clone(), name: name.into() };
        let depends_on = self.memory.depends_on.clone();
        let mut entry = Entry {
            action: Action::Delete,
            differences: vec![Difference::NotDesired],
            depends_on,
            ..Entry::new(address)
        };
        if let Some(pending) = &self.memory.pending
            && let Some(change) = &pending.change
        {
            follow(self.planner, self.key, &mut entry, pending, change);
            return entry;
        }
        if let Err(blocked) = self.decide(&mut entry) {
            match blocked {
                Blocked::Unknown(why) => {
                    entry.action = Action::Unknown;
                    entry.differences.clear();
                    entry.waiting.push(Waiting::Unknown { why });
                }
                Blocked::Refused(refusal) => refuse(&mut entry, refusal),
                Blocked::Pending(_) => {}
            }
        }
        entry
    }

    /// The record set, and its marker if that says that it is this object's.
    pub(super) fn seen(&self) -> Result<(Option<&RecordSet>, Option<&RecordSet>), Blocked> {
        let of = marker_of(self.place);
        let set = seen::set(self.planner, self.place);
        let marker = seen::one(self.planner, &self.place.scope, &self.place.zone, &of);
        let (set, marker) = (set?, marker?);
        Ok((set, marker.filter(|marker| is_ours(marker, self.key))))
    }

    fn decide(&self, entry: &mut Entry) -> Result<(), Blocked> {
        let (set, marker) = self.seen()?;
        entry.status = set.map(|_| "INSYNC".to_owned());
        if marker.is_none() {
            // Gone, or somebody else's by now: there is nothing left that is ours to delete.
            entry.step = Some(step(self.planner, self.key, &entry.depends_on, self.place, RecordDo::Forget));
            return Ok(());
        }
        if self.memory.retain && self.planner.input.goal == Goal::Converge {
            entry.action = Action::Retain;
            return Ok(());
        }
        self.permission(entry);
        if entry.refused.is_empty() && entry.waiting.is_empty() {
            self.delete(entry, set, marker);
        }
        Ok(())
    }

    /// Whether it may be deleted.
    pub(super) fn permission(&self, entry: &mut Entry) {
        let input = self.planner.input;
        let environment = input.environment;
        let policy = &environment.policy;
        let approved = consent::covers(input, self.key, entry);
        let asks = guard::asks_to_delete(input, self.key, entry);
        let describes_nothing = environment.dependencies().next().is_none();
        let mut no = |guard, reason: &str, release: &str| {
            refuse(entry, Refusal { guard, reason: reason.to_owned(), release: release.to_owned() });
        };
        if input.goal == Goal::Converge && describes_nothing {
            let release = "a revision without any objects is treated as a mistake: to delete an environment, use \
            `landfast destroy`";
            no(Guard::Prune, "no manifest of this environment describes any object", release);
        } else if policy.mode == Mode::Observe {
            no(Guard::Mode, "the environment is in observe mode", "set `policy.mode` to `approve` or `apply`");
        } else if !approved {
            match policy.prune {
                Prune::Never => {
                    let release = "set `policy.prune` to `confirm` or `always`, or restore the manifest";
                    no(Guard::Prune, "its manifest was removed, and pruning is off", release);
                }
                Prune::Always if !asks => {}
                Prune::Always | Prune::Confirm => entry.waiting.push(guard::approval(input)),
            }
        }
    }

    pub(super) fn delete(&self, entry: &mut Entry, set: Option<&RecordSet>, marker: Option<&RecordSet>) {
        let inputs: Digest = consent::absent();
        let failed = attempts::of(self.memory.attempts.as_ref(), &inputs);
        if attempts::hold(self.planner.input, failed, u32::MAX, entry) {
            return;
        }
        let gone = [set, marker].into_iter().flatten();
        let changes: Vec<RecordChange> = gone.map(|set| change(RecordVerb::Delete, set)).collect();
        let token = token(self.key, "delete", &(self.place, set, marker));
        let on: &BTreeSet<Key> = &entry.depends_on;
        let action = RecordDo::Send(Box::new(RecordBatch {
            verb: "delete",
            set: set.cloned(),
            marker: marker.cloned(),
            changes,
            token,
            inputs,
            removes: true,
            replaces: None,
            retain: false,
        }));
        let mut step = step(self.planner, self.key, on, self.place, action);
        step.cost = (0, 0, 1);
        entry.step = Some(step);
    }
}

//! What is there, whose it is, and what would make it as desired.

use super::{Blocked, Deciding, Wanted, names, renamed_from, seen};
use crate::model::{
    Action, Difference, Entry, Guard, Key, RecordChange, RecordContent, RecordSet, RecordVerb, Refusal, SetRouting,
    Waiting,
};
use crate::plan::planner::refuse;
use crate::sabotage::{self, Bug};

/// What the marker beside a record set says.
enum Marker<'a> {
    None,
    Ours(&'a RecordSet),
    /// Ours, under the key that it had before it was renamed or moved.
    Former(&'a RecordSet, Key),
    /// Another's, or no marker at all: what it says.
    Foreign(String),
}

impl Deciding<'_> {
    pub(super) fn compare(&self, entry: &mut Entry, wanted: &Wanted) -> Result<(), Blocked> {
        let place = &wanted.place;
        let sets = seen::sets(self.planner, &place.scope, &place.zone, &place.of);
        let marker = seen::one(self.planner, &place.scope, &place.zone, &wanted.marker);
        // Both are asked for before either is missed.
        let (sets, marker) = (sets?, marker?);
        let set = sets.iter().find(|set| set.set == place.set);
        entry.status = set.map(|_| "INSYNC".to_owned());
        let found = set.map_or_else(|| vec![Difference::Absent], |set| differences(set, &wanted.set));
        match (set, self.marker(marker)) {
            (set, Marker::Foreign(whose)) => {
                entry.action = if set.is_some() { Action::Adopt } else { Action::Create };
                entry.differences = found;
                Self::not_ours(
                    entry,
                    &format!("{place} belongs to {whose}"),
                    "choose another name, or remove it there",
                );
            }
            (Some(_), Marker::None) if !self.spec.adopt => {
                entry.action = Action::Adopt;
                entry.differences = found;
                let release = "set `adopt: true` in its manifest to adopt it";
                Self::not_ours(entry, &format!("{place} exists and was not created by Landfast"), release);
            }
            (Some(set), Marker::None) => match seen::claim(self.planner, place)? {
                Some(claim) if !sabotage::is(Bug::IgnoresClaims) => {
                    entry.action = Action::Adopt;
                    entry.differences = found;
                    let reason = format!("{place} belongs to {} (TXT record {})", claim.by, claim.said_by);
                    let release = "choose another name, or remove it from that tool together with its TXT record";
                    Self::not_ours(entry, &reason, release);
                }
                Some(_) | None => self.adopt(entry, wanted, set, found),
            },
            (Some(set), Marker::Former(marker, from)) => self.take_over(entry, wanted, (set, marker, &from), found),
            (Some(set), Marker::Ours(marker)) => return self.keep(entry, wanted, (set, marker), found),
            (None, marker) => return self.create(entry, wanted, sets, &marker),
        }
        Ok(())
    }

    fn marker<'b>(&self, marker: Option<&'b RecordSet>) -> Marker<'b> {
        let Some(marker) = marker else { return Marker::None };
        match names::owner(marker) {
            Some(owner) if owner == self.spec.key.to_string() => Marker::Ours(marker),
            Some(owner) => match renamed_from(self.planner, &self.spec.key, marker) {
                Some(from) => Marker::Former(marker, from),
                None => Marker::Foreign(owner.to_owned()),
            },
            None => Marker::Foreign(format!("the owner of TXT record {}", marker.of.name)),
        }
    }

    fn not_ours(entry: &mut Entry, reason: &str, release: &str) {
        let (reason, release) = (reason.to_owned(), release.to_owned());
        refuse(entry, Refusal { guard: Guard::Ownership, reason, release });
    }

    fn create(
        &self,
        entry: &mut Entry,
        wanted: &Wanted,
        sets: &[RecordSet],
        marker: &Marker<'_>,
    ) -> Result<(), Blocked> {
        entry.action = Action::Create;
        entry.differences.push(Difference::Absent);
        let in_the_way = self.in_the_way(wanted)?;
        let goes = |other: &RecordSet| in_the_way.as_ref().is_some_and(|goes| goes.set == other);
        let rule = std::mem::discriminant(&wanted.set.routing);
        let mut others = sets.iter().filter(|other| !goes(other));
        if let Some(other) = others.find(|other| std::mem::discriminant(&other.routing) != rule) {
            let reason = format!(
                "{} already has a record set that is {}; Route 53 does not allow both",
                wanted.place,
                routing(&other.routing)
            );
            Self::not_ours(entry, &reason, "choose another name, or remove the other record set");
            return Ok(());
        }
        self.is_free(wanted, in_the_way.as_ref().map(|goes| &goes.place.of))?;
        if self.waits(entry) {
            return Ok(());
        }
        let mut changes = Vec::new();
        if let Some(goes) = &in_the_way {
            let (from, to) = (Some(goes.place.to_string()), Some(wanted.place.to_string()));
            entry.differences.push(Difference::Value { name: "record set".to_owned(), from, to });
            changes.extend([goes.set, goes.marker].map(|set| change(RecordVerb::Delete, set)));
        }
        changes.push(change(RecordVerb::Create, &wanted.set));
        let marker = match marker {
            Marker::Ours(marker) => Some(*marker),
            Marker::Former(marker, _) => {
                changes.push(change(RecordVerb::Upsert, &names::marker(&wanted.marker, &self.spec.key)));
                Some(*marker)
            }
            Marker::None | Marker::Foreign(_) => {
                changes.push(change(RecordVerb::Create, &names::marker(&wanted.marker, &self.spec.key)));
                None
            }
        };
        let replaces = in_the_way.as_ref().map(|goes| goes.place);
        self.send_replacing(entry, wanted, ("create", replaces), (None, marker), changes);
        Ok(())
    }

    fn adopt(&self, entry: &mut Entry, wanted: &Wanted, set: &RecordSet, found: Vec<Difference>) {
        entry.action = Action::Adopt;
        let to = Some(self.spec.key.to_string());
        entry.differences.push(Difference::Value { name: "owner".to_owned(), from: None, to });
        entry.differences.extend(found);
        if Self::is_strange(entry, set) || self.waits(entry) {
            return;
        }
        let mut changes = replacement(set, &wanted.set);
        changes.push(change(RecordVerb::Create, &names::marker(&wanted.marker, &self.spec.key)));
        self.send(entry, wanted, "adopt", (Some(set), None), changes);
    }

    /// It is there and ours, under the key that it had: only the marker changes, and what differs anyway.
    fn take_over(
        &self,
        entry: &mut Entry,
        wanted: &Wanted,
        (set, marker, from): (&RecordSet, &RecordSet, &Key),
        found: Vec<Difference>,
    ) {
        entry.action = Action::Adopt;
        entry.differences.push(Difference::Renamed { from: from.to_string() });
        let mut changes = if found.is_empty() { Vec::new() } else { replacement(set, &wanted.set) };
        entry.differences.extend(found);
        if Self::is_strange(entry, set) || self.waits(entry) {
            return;
        }
        changes.push(change(RecordVerb::Upsert, &names::marker(&wanted.marker, &self.spec.key)));
        self.send(entry, wanted, "adopt", (Some(set), Some(marker)), changes);
        if let Some(step) = &mut entry.step {
            step.takes_over = Some(from.clone());
        }
    }

    /// It is there and ours.
    fn keep(
        &self,
        entry: &mut Entry,
        wanted: &Wanted,
        (set, marker): (&RecordSet, &RecordSet),
        found: Vec<Difference>,
    ) -> Result<(), Blocked> {
        let seen = (Some(set), Some(marker));
        if found.is_empty() && self.memory.pending.as_ref().is_some_and(|pending| pending.place == wanted.place) {
            // The answer to our batch was lost. It took effect, or somebody did the same; sent once more, it has an id
            // by which it can be followed, and changes nothing.
            entry.action = self.action();
            self.send(entry, wanted, "update", seen, vec![change(RecordVerb::Upsert, &wanted.set)]);
            return Ok(());
        }
        if found.is_empty() {
            let unready = self.planner.unready(&self.spec.key, &self.spec.depends_on);
            if !unready.is_empty() && !self.is_certain() {
                entry.action = Action::MayUpdate;
                entry.waiting.push(Waiting::Dependency { objects: unready.iter().map(ToString::to_string).collect() });
                return Ok(());
            }
            entry.ready = true;
            return self.tidy(entry, wanted);
        }
        entry.action = Action::Update;
        entry.differences = found;
        if !Self::is_strange(entry, set) && !self.waits(entry) {
            self.send(entry, wanted, "update", seen, replacement(set, &wanted.set));
        }
        Ok(())
    }

    /// It is chosen by a rule that we do not write, and so could not put back if we had to.
    fn is_strange(entry: &mut Entry, set: &RecordSet) -> bool {
        let SetRouting::Other(rule) = &set.routing else { return false };
        let reason = format!("it uses {rule}, which Landfast does not change");
        let release = "delete the record set manually, or change its routing to match the manifest".to_owned();
        refuse(entry, Refusal { guard: Guard::Stuck, reason, release });
        true
    }

    fn waits(&self, entry: &mut Entry) -> bool {
        let unready = self.planner.unready(&self.spec.key, &self.spec.depends_on);
        if unready.is_empty() {
            return false;
        }
        entry.waiting.push(Waiting::Dependency { objects: unready.iter().map(ToString::to_string).collect() });
        true
    }

    /// Nothing that it takes from stacks is about to change.
    fn is_certain(&self) -> bool {
        use crate::model::RecordValue::{Alias, Values};
        let mut texts = vec![&self.spec.zone, &self.spec.name];
        texts.extend(&self.spec.health_check);
        match &self.spec.value {
            Values { values, .. } => texts.extend(values),
            Alias { dns_name, zone, .. } => texts.extend([dns_name, zone]),
        }
        texts.into_iter().all(|text| self.planner.is_certain(text))
    }
}

pub(super) fn change(verb: RecordVerb, set: &RecordSet) -> RecordChange {
    RecordChange { verb, set: set.clone() }
}

/// Exactly what was seen goes, and what is wanted comes.
fn replacement(set: &RecordSet, wanted: &RecordSet) -> Vec<RecordChange> {
    if set.is_as(wanted) {
        return Vec::new();
    }
    vec![change(RecordVerb::Delete, set), change(RecordVerb::Create, wanted)]
}

/// How a record set differs from the one that is wanted.
fn differences(set: &RecordSet, wanted: &RecordSet) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut differ = |name: &str, from: Option<String>, to: Option<String>| {
        found.push(Difference::Value { name: name.to_owned(), from, to });
    };
    if !set.content.says_the_same(&wanted.content, &wanted.of.kind) {
        differ("value", Some(content(&set.content)), Some(content(&wanted.content)));
    }
    if set.routing != wanted.routing {
        differ("routing", Some(routing(&set.routing)), Some(routing(&wanted.routing)));
    }
    if set.health_check != wanted.health_check {
        differ("health check", set.health_check.clone(), wanted.health_check.clone());
    }
    found
}

fn content(content: &RecordContent) -> String {
    match content {
        RecordContent::Values { values, ttl } => format!("{} for {ttl} s", values.join(", ")),
        RecordContent::Alias { dns_name, evaluate_health, .. } => {
            let health = if *evaluate_health { ", evaluating target health" } else { "" };
            format!("alias of {dns_name}{health}")
        }
    }
}

fn routing(routing: &SetRouting) -> String {
    match routing {
        SetRouting::Simple => "simple".to_owned(),
        SetRouting::Weighted(weight) => format!("weighted ({weight})"),
        SetRouting::Failover(crate::model::FailoverRole::Primary) => "failover (primary)".to_owned(),
        SetRouting::Failover(crate::model::FailoverRole::Secondary) => "failover (secondary)".to_owned(),
        SetRouting::Other(rule) => format!("using {rule}"),
    }
}

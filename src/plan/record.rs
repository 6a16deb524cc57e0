//! What a desired DNS record needs.
//!
//! A record set is ours if the marker beside it says so. One that is not ours is never changed, unless its manifest says
//! to take it over. What is there is changed by deleting exactly what was seen and creating what is wanted, in one batch:
//! if anything has moved since, AWS refuses the batch as a whole.

mod beside;
mod compare;
mod former;
mod leaving;
mod names;
mod seen;
#[cfg(test)]
mod tests;

pub(super) use self::leaving::leaving;

use self::names::marker_of;
use super::names::token;
use super::planner::{Planner, refuse};
use super::{Input, attempts, guard, handover};
use crate::model::{
    Action, Address, Basis, Conclusion, DOMAIN_MAX, DeletionPolicy, Digest, DnsName, Do, Entry, Guard, HostedZone, Key,
    Kind, RecordBatch, RecordChange, RecordContent, RecordDo, RecordMemory, RecordNeed, RecordOperation, RecordPlace,
    RecordSet, RecordSpec, RecordStep, RecordType, RecordValue, RecordsOf, Refusal, Routing, Seen, SetRouting, Step,
    Waiting, bare_zone,
};

/// Decides on one desired DNS record. Its dependencies have been decided before.
pub(super) fn decide(planner: &Planner<'_>, spec: &RecordSpec) -> Entry {
    let memory = planner.remembered(&spec.key);
    let deciding = Deciding { planner, spec, memory: &memory };
    let name = planner.text(&spec.name).unwrap_or_else(|_| spec.name.to_string());
    let address =
        Address { scope: spec.scope.clone(), name: format!("{} {}", spec.kind.as_str(), DnsName::new(&name)).into() };
    let basis = Basis::of(spec.digest.clone());
    let mut entry = Entry { depends_on: spec.depends_on.clone(), basis, ..Entry::new(address) };
    deciding.entry(&mut entry);
    if entry.action != Action::None {
        guard::mode(planner.input, &spec.key, &mut entry);
        guard::never_older(planner.input, &spec.key, &mut entry);
    }
    entry
}

/// Whether a marker says that the record set beside it is this object's.
pub(super) fn is_ours(marker: &RecordSet, key: &Key) -> bool {
    names::owner(marker) == Some(key.to_string().as_str())
}

/// Whether a marker names the key from which this object takes over.
pub(super) fn is_former(marker: &RecordSet, key: &Key, from: Option<&Key>) -> bool {
    from.is_some_and(|from| from != key && is_ours(marker, from))
}

/// The key that a marker names, if the record goes over from it to `key`.
pub(super) fn renamed_from(planner: &Planner<'_>, key: &Key, marker: &RecordSet) -> Option<Key> {
    handover::former(planner.input, key, names::owner(marker), |home, key| home.records.contains_key(key))
}

/// Who takes over what was made at this place.
fn heir(planner: &Planner<'_>, place: &RecordPlace, owner: &Key) -> Option<Key> {
    let id = |spec: &RecordSpec| match &spec.routing {
        Routing::Simple => None,
        Routing::Weighted { id, .. } | Routing::Failover { id, .. } => Some(id.clone()),
    };
    let named = |spec: &RecordSpec| planner.text(&spec.name).is_ok_and(|name| DnsName::new(&name) == place.of.name);
    let claims = |spec: &&std::sync::Arc<RecordSpec>| {
        spec.key != *owner && spec.kind.as_str() == place.of.kind && id(spec) == place.set && named(spec)
    };
    handover::claimed(planner.input, |environment| {
        environment.records.values().find(claims).map(|spec| spec.key.clone())
    })
}

/// Whether a batch of this object may change a record set of this name and type: its own, its marker, or what it replaces.
pub(super) fn is_its_own(of: &RecordsOf, step: &RecordStep, replaces: Option<&RecordPlace>) -> bool {
    *of == step.place.of
        || *of == step.marker
        || replaces.is_some_and(|place| *of == place.of || *of == marker_of(place))
}

/// Whether a batch to the zone of this place is being sent, or may be. Route 53 takes one at a time for each zone (AWS:
/// *`ChangeResourceRecordSets`*, `PriorRequestNotComplete`).
pub(super) fn is_in_use(input: &Input<'_>, place: &RecordPlace) -> bool {
    let mut busy = input.busy.iter().filter(|key| key.kind == Kind::DnsRecord);
    busy.any(|key| {
        let pending = input.memory.objects.records.get(key).and_then(|memory| memory.pending.as_ref());
        pending.is_none_or(|pending| pending.place.zone == place.zone && pending.place.scope == place.scope)
    })
}

struct Deciding<'a> {
    planner: &'a Planner<'a>,
    spec: &'a RecordSpec,
    memory: &'a RecordMemory,
}

/// What keeps a decision from being made.
enum Blocked {
    /// Something could not be seen, or not yet.
    Unknown(String),
    /// A rule.
    Refused(Refusal),
    /// An output of this stack is not there yet.
    Pending(Key),
}

impl Blocked {
    fn refused(guard: Guard, reason: String, release: &str) -> Self {
        Self::Refused(Refusal { guard, reason, release: release.to_owned() })
    }
}

/// Everything that the decision is about.
struct Wanted {
    place: RecordPlace,
    set: RecordSet,
    marker: RecordsOf,
    inputs: Digest,
}

impl Deciding<'_> {
    fn entry(&self, entry: &mut Entry) {
        if let Some(pending) = &self.memory.pending
            && let Some(change) = &pending.change
        {
            return self.follow(entry, pending, change);
        }
        let wanted = match self.wanted() {
            Ok(wanted) => wanted,
            Err(blocked) => return self.blocked(entry, blocked),
        };
        entry.basis.inputs = Some(wanted.inputs.clone());
        if let Err(blocked) = self.compare(entry, &wanted) {
            self.blocked(entry, blocked);
        }
    }

    fn blocked(&self, entry: &mut Entry, blocked: Blocked) {
        match blocked {
            Blocked::Unknown(why) => {
                entry.action = Action::Unknown;
                entry.waiting.push(Waiting::Unknown { why });
            }
            Blocked::Refused(refusal) => {
                entry.action = self.action();
                refuse(entry, refusal);
            }
            Blocked::Pending(stack) => {
                entry.action = if self.memory.place.is_some() { Action::MayUpdate } else { Action::Create };
                entry.waiting.push(Waiting::Dependency { objects: [stack.to_string()].into() });
            }
        }
    }

    /// What is to be done in the end, where that cannot be told from what is there.
    fn action(&self) -> Action {
        let known = self.planner.input.memory.objects.of(&self.spec.key);
        if known.is_some_and(|memory| memory.applied.is_some()) { Action::Update } else { Action::Create }
    }

    /// A batch of ours that was accepted: it is done when it has reached all servers.
    fn follow(&self, entry: &mut Entry, pending: &RecordOperation, change: &crate::model::ChangeId) {
        let again = pending.removes && !self.memory.former.contains(&pending.place);
        entry.action = if again { Action::Recreate } else { self.action() };
        follow(self.planner, &self.spec.key, entry, pending, change);
    }

    // ---- what is wanted, and where ----

    fn wanted(&self) -> Result<Wanted, Blocked> {
        let name = DnsName::new(&self.text(&self.spec.name)?);
        let content = self.content()?;
        if content.is_empty() {
            let reason = "its target is empty; Landfast never writes an empty record set".to_owned();
            return Err(Blocked::refused(Guard::Empty, reason, "give it a value that is not empty"));
        }
        let (set, routing) = match &self.spec.routing {
            Routing::Simple => (None, SetRouting::Simple),
            Routing::Weighted { id, weight } => (Some(id.clone()), SetRouting::Weighted(*weight)),
            Routing::Failover { id, role } => (Some(id.clone()), SetRouting::Failover(*role)),
        };
        let health_check = self.spec.health_check.as_ref().map(|text| self.text(text)).transpose()?;
        let zone = self.zone(&name)?;
        let of = RecordsOf { name, kind: self.spec.kind.as_str().to_owned() };
        let place =
            RecordPlace { scope: self.spec.scope.clone(), zone: zone.id.clone(), of: of.clone(), set: set.clone() };
        let marker = marker_of(&place);
        if marker.name.len() > DOMAIN_MAX || !marker.name.is_within(&zone.name) {
            let (name, length) = (&place.of.name, place.of.name.len());
            let reason = format!(
                "{name} has {length} characters: the name of its owner record would be longer than {DOMAIN_MAX}, or \
                outside its zone"
            );
            return Err(Blocked::refused(Guard::Zone, reason, "choose a shorter name"));
        }
        let set = RecordSet { of, set, content, routing, health_check };
        let inputs = Digest::of(&(&place, &set));
        Ok(Wanted { place, set, marker, inputs })
    }

    fn text(&self, text: &crate::model::Text) -> Result<String, Blocked> {
        self.planner.text(text).map_err(Blocked::Pending)
    }

    /// A value, a name in another script as its punycode: an output may have one.
    fn host(&self, text: &crate::model::Text) -> Result<String, Blocked> {
        let text = self.text(text)?;
        Ok(if text.is_ascii() { text } else { DnsName::new(&text).wire() })
    }

    fn content(&self) -> Result<RecordContent, Blocked> {
        Ok(match &self.spec.value {
            RecordValue::Values { values, ttl } => {
                let values = values.iter().map(|text| self.host(text)).collect::<Result<_, _>>()?;
                RecordContent::Values { values, ttl: *ttl }
            }
            RecordValue::Alias { dns_name, zone, evaluate_health } => RecordContent::Alias {
                dns_name: self.host(dns_name)?,
                zone: bare_zone(&self.text(zone)?).to_owned(),
                evaluate_health: *evaluate_health,
            },
        })
    }

    /// The hosted zone: the one of that id, or of all at or below that domain the one that is closest to the name,
    /// because no other is asked for it.
    fn zone(&self, name: &DnsName) -> Result<&HostedZone, Blocked> {
        let asked = self.text(&self.spec.zone)?;
        let asked = bare_zone(&asked).to_owned();
        let zones = self.zones(&asked)?;
        let around = || zones.iter().filter(|zone| name.is_within(&zone.name));
        let longest = around().map(|zone| zone.name.as_str().len()).max();
        let closest: Vec<&HostedZone> = around().filter(|zone| Some(zone.name.as_str().len()) == longest).collect();
        let zone = match closest.as_slice() {
            [zone] => *zone,
            [] if zones.is_empty() => {
                let reason = format!("hosted zone {asked} does not exist in account {}", self.spec.scope.account);
                return Err(Blocked::refused(Guard::Zone, reason, "create it, or correct `zone`"));
            }
            [] => {
                let reason = format!("{name} is not in the hosted zone {asked}");
                return Err(Blocked::refused(Guard::Zone, reason, "change `name` or `zone` in its manifest"));
            }
            several => {
                let sort = |zone: &HostedZone| if zone.private { "private" } else { "public" };
                let ids: Vec<_> = several.iter().map(|zone| format!("{} ({})", zone.id, sort(zone))).collect();
                let reason = format!("several hosted zones are named {}: {}", several[0].name, ids.join(", "));
                return Err(Blocked::refused(Guard::Zone, reason, "set `zone` to the ID of one of them"));
            }
        };
        if self.spec.kind == RecordType::Cname && *name == zone.name {
            let reason = format!("{name} is the zone apex, where DNS does not allow a CNAME");
            return Err(Blocked::refused(Guard::Zone, reason, "use an alias of type A"));
        }
        Ok(zone)
    }

    // ---- what is done ----

    fn step(&self, wanted: &Wanted, action: RecordDo) -> Box<Step> {
        step(self.planner, &self.spec.key, &self.spec.depends_on, &wanted.place, action)
    }

    fn send(
        &self,
        entry: &mut Entry,
        wanted: &Wanted,
        verb: &'static str,
        seen: (Option<&RecordSet>, Option<&RecordSet>),
        changes: Vec<RecordChange>,
    ) {
        self.send_replacing(entry, wanted, (verb, None), seen, changes);
    }

    fn send_replacing(
        &self,
        entry: &mut Entry,
        wanted: &Wanted,
        (verb, replaces): (&'static str, Option<&RecordPlace>),
        seen: (Option<&RecordSet>, Option<&RecordSet>),
        changes: Vec<RecordChange>,
    ) {
        let failed = attempts::of(self.memory.attempts.as_ref(), &wanted.inputs);
        if attempts::hold(self.planner.input, failed, u32::MAX, entry) {
            return;
        }
        let life = (
            self.memory.attempts.as_ref().map(|attempts| attempts.count),
            self.planner.input.desired.revision.sequence,
        );
        let token = token(&self.spec.key, verb, &(&wanted.inputs, &seen, life));
        entry.step = Some(self.step(
            wanted,
            RecordDo::Send(Box::new(RecordBatch {
                verb,
                set: seen.0.cloned(),
                marker: seen.1.cloned(),
                changes,
                token,
                inputs: wanted.inputs.clone(),
                removes: false,
                replaces: replaces.cloned(),
                retain: self.spec.deletion_policy == DeletionPolicy::Retain,
            })),
        ));
    }
}

fn step(
    planner: &Planner<'_>,
    key: &Key,
    depends_on: &std::collections::BTreeSet<Key>,
    place: &RecordPlace,
    action: RecordDo,
) -> Box<Step> {
    Box::new(Step {
        key: key.clone(),
        address: Address { scope: place.scope.clone(), name: format!("{} {}", place.of.kind, place.of.name).into() },
        revision: planner.input.desired.revision.sequence,
        cost: (0, 0, 0),
        takes_over: None,
        depends_on: depends_on.clone(),
        action: Do::Record(RecordStep { place: place.clone(), marker: marker_of(place), action }),
    })
}

/// Waits for a batch of ours to reach all servers, or writes down that it has.
fn follow(
    planner: &Planner<'_>,
    key: &Key,
    entry: &mut Entry,
    pending: &RecordOperation,
    change: &crate::model::ChangeId,
) {
    let scope = &pending.place.scope;
    entry.address =
        Address { scope: scope.clone(), name: format!("{} {}", pending.place.of.kind, pending.place.of.name).into() };
    let conclusion = match planner.input.observation.records.changes.get(&(scope.clone(), change.clone())) {
        None => {
            planner.need(RecordNeed::Change(scope.clone(), change.clone()));
            entry.waiting.push(Waiting::Unknown { why: "its change has not been read yet".to_owned() });
            return;
        }
        Some(Seen::Unknown(why)) => {
            entry.waiting.push(Waiting::Unknown { why: format!("its change could not be read: {why}") });
            return;
        }
        Some(Seen::Present(false)) => {
            entry.status = Some("PENDING".to_owned());
            let change = Some(change.to_string());
            entry.waiting.push(Waiting::Propagation { change, since: pending.started });
            return;
        }
        Some(Seen::Present(true)) => Conclusion::Succeeded,
        // AWS accepted it and does not know it any more: what is there says how it ended.
        Some(Seen::Absent) => Conclusion::NotSeen,
    };
    entry.step = Some(step(planner, key, &entry.depends_on, &pending.place, RecordDo::Conclude(conclusion)));
}

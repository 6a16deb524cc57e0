//! Route 53, as the world and its console answer for it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::console::Console;
use super::reads::Lens;
use super::world::World;
use super::zone::{Zone, labels, rank};
use crate::model::{
    AccountId, ChangeId, Digest, DnsName, HostedZone, InvalidName, RecordChange, RecordContent, RecordSet, RecordVerb,
    RecordsOf, Scope, ZoneId,
};
use crate::ports::{Class, Page, PageToken, PortError, RecordPage, RecordsFrom};

/// "Typically within 60 seconds" (AWS: *`ChangeResourceRecordSets`*).
const PROPAGATION: Duration = Duration::from_mins(1);

/// How long a zone is busy with a batch, and takes no other.
const PROCESSING: Duration = Duration::from_millis(300);

/// AWS refuses a batch in which a set is changed twice, unless it is deleted and then created.
fn check_twice(changes: &[RecordChange]) -> Option<String> {
    let twice = changes.iter().enumerate().find(|(at, one)| {
        let earlier =
            changes.iter().take(*at).filter(|other| other.set.of == one.set.of && other.set.set == one.set.set);
        earlier.into_iter().any(|other| (other.verb, one.verb) != (RecordVerb::Delete, RecordVerb::Create))
    });
    twice.map(|(_, one)| {
        let RecordsOf { name, kind } = &one.set.of;
        format!("The request contains an invalid set of changes for a resource record set '{kind} {name}.'")
    })
}

fn no_zone(operation: &'static str, id: &ZoneId) -> PortError {
    PortError::new(Class::NotFound, operation, format!("No hosted zone found with ID: {id}"))
        .with_code("NoSuchHostedZone")
}

impl World {
    fn zone_of(&self, operation: &'static str, account: &AccountId, id: &ZoneId) -> Result<&Zone, PortError> {
        let zone = self.data.dns.zones.get(id).filter(|zone| zone.account == *account);
        zone.ok_or_else(|| no_zone(operation, id))
    }

    pub(super) fn hosted_zone(&self, account: &AccountId, id: &ZoneId) -> Option<HostedZone> {
        self.zone_of("GetHostedZone", account, id).ok().map(|zone| zone.hosted(id))
    }

    /// A token is how many of them were given.
    pub(super) fn hosted_zones(
        &self,
        account: &AccountId,
        from: &DnsName,
        lens: Lens,
        page: Option<&PageToken>,
    ) -> Page<HostedZone> {
        let mut all: Vec<HostedZone> = self
            .data
            .dns
            .zones
            .iter()
            .filter(|(_, zone)| zone.account == *account && labels(&zone.name) >= labels(from))
            .map(|(id, zone)| zone.hosted(id))
            .collect();
        all.sort_by_key(|zone| (labels(&zone.name), zone.id.clone()));
        let skip = page.and_then(|token| token.parse::<usize>().ok()).unwrap_or_default();
        let full = self.config.page_size.max(1);
        let size = if lens.partial { full.min(all.len()) / 2 } else { full };
        let items: Vec<HostedZone> = all.iter().skip(skip).take(size).cloned().collect();
        let read = skip + items.len();
        Page { items, next: (read < all.len()).then(|| read.to_string()) }
    }

    pub(super) fn record_sets(
        &self,
        account: &AccountId,
        id: &ZoneId,
        lens: Lens,
        from: Option<&RecordsFrom>,
    ) -> Result<RecordPage, PortError> {
        let zone = self.zone_of("ListResourceRecordSets", account, id)?;
        let first = from.map(|from| {
            let of = RecordsOf { name: DnsName::new(&from.name), kind: from.kind.clone().unwrap_or_default() };
            rank(&of, from.set.as_deref())
        });
        let mut rest = zone
            .sets
            .iter()
            .filter(|set| first.as_ref().is_none_or(|first| rank(&set.of, set.set.as_deref()) >= *first));
        let full = self.config.page_size.max(1);
        let size = if lens.partial { full.div_ceil(2) } else { full };
        let items: Vec<RecordSet> = rest.by_ref().take(size).cloned().collect();
        let next = rest.next().map(|set| RecordsFrom {
            name: format!("{}.", set.of.name),
            kind: Some(set.of.kind.clone()),
            set: set.set.clone(),
        });
        Ok(RecordPage { items, next })
    }

    pub(super) fn change_record_sets(
        &mut self,
        account: &AccountId,
        id: &ZoneId,
        changes: &[RecordChange],
    ) -> Result<ChangeId, PortError> {
        const OPERATION: &str = "ChangeResourceRecordSets";
        let refused = |messages: &[String]| {
            let class = match () {
                () if messages.iter().all(|message| is_conflict(message)) => Class::Conflict,
                () => Class::Invalid,
            };
            PortError::new(class, OPERATION, format!("[{}]", messages.join(", "))).with_code("InvalidChangeBatch")
        };
        let now = self.data.now;
        let zone = self.zone_of(OPERATION, account, id)?;
        if now < zone.busy_until {
            let message = "The request was rejected because Route 53 was still processing a prior request.";
            return Err(PortError::new(Class::Throttled, OPERATION, message).with_code("PriorRequestNotComplete"));
        }
        if changes.is_empty() || changes.iter().any(|change| change.set.content.is_empty()) {
            let message = "Invalid request: Missing field 'ResourceRecords' in ResourceRecordSet";
            return Err(PortError::new(Class::Invalid, OPERATION, message).with_code("InvalidInput"));
        }
        if let Some(message) = check_twice(changes) {
            return Err(refused(&[message]));
        }
        let mut after = Zone {
            account: zone.account.clone(),
            name: zone.name.clone(),
            private: zone.private,
            sets: zone.sets.clone(),
            busy_until: now.saturating_add(PROCESSING).unwrap_or(Timestamp::MAX),
        };
        let wrong: Vec<String> = changes.iter().filter_map(|change| after.apply(change).err()).collect();
        if !wrong.is_empty() {
            return Err(refused(&wrong));
        }
        self.data.dns.zones.insert(id.clone(), after);
        // Services without a region tell there what was done (AWS: *Global service events*).
        if let Ok(region) = "us-east-1".parse() {
            let told = self.region(&Scope { account: account.clone(), region });
            self.announce_call(told, "route53", OPERATION, &asked(id, changes));
        }
        let serial = self.serial().to_string();
        let change = format!("C{}", capitals(&[id.as_str(), &serial]));
        let wait = PROPAGATION.div_f64(self.config.speed.max(1e-6));
        let at = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        self.data.dns.changes.insert(change.clone(), (account.clone(), at));
        change.parse().map_err(|_| PortError::new(Class::Transient, OPERATION, "a change has no id"))
    }

    pub(super) fn change_in_sync(&self, account: &AccountId, id: &ChangeId) -> Option<bool> {
        let (owner, at) = self.data.dns.changes.get(id.as_str())?;
        (owner == account).then(|| self.data.now >= *at)
    }

    /// Where a name leads to, as a public resolver would say. `hops`: how many names may be followed to find out what is
    /// healthy.
    pub(super) fn resolve_name(&self, name: &str, hops: usize) -> Option<String> {
        let name = DnsName::new(name);
        let zones = self.data.dns.zones.values().filter(|zone| !zone.private && name.is_within(&zone.name));
        let zone = zones.max_by_key(|zone| zone.name.as_str().len())?;
        let kind = &zone.sets.iter().find(|set| set.of.name == name && set.of.kind != "TXT")?.of.kind;
        let sets: Vec<&RecordSet> =
            zone.sets.iter().filter(|set| set.of.name == name && set.of.kind == *kind).collect();
        let chosen = self.answered(&sets, hops)?;
        let target = match &chosen.content {
            RecordContent::Values { values, .. } => values.first()?.clone(),
            RecordContent::Alias { dns_name, .. } => dns_name.clone(),
        };
        let target = DnsName::new(&target);
        Some(target.as_str().strip_prefix("dualstack.").unwrap_or(target.as_str()).to_owned())
    }
}

/// The request, as CloudTrail records it (AWS: *Example: Route 53 log entries*).
fn asked(zone: &ZoneId, changes: &[RecordChange]) -> Json {
    let set = |RecordSet { of, set, content, .. }: &RecordSet| {
        let mut shown = json!({ "name": format!("{}.", of.name.wire()), "type": of.kind });
        match content {
            RecordContent::Values { values, ttl } => {
                shown["tTL"] = json!(ttl);
                shown["resourceRecords"] = values.iter().map(|value| json!({ "value": value })).collect();
            }
            RecordContent::Alias { dns_name, zone, evaluate_health } => {
                shown["aliasTarget"] =
                    json!({ "dNSName": dns_name, "hostedZoneId": zone, "evaluateTargetHealth": evaluate_health });
            }
        }
        if let Some(set) = set {
            shown["setIdentifier"] = json!(set);
        }
        shown
    };
    let verb = |verb| match verb {
        RecordVerb::Create => "CREATE",
        RecordVerb::Delete => "DELETE",
        RecordVerb::Upsert => "UPSERT",
    };
    let changes =
        changes.iter().map(|change| json!({ "action": verb(change.verb), "resourceRecordSet": set(&change.set) }));
    json!({ "hostedZoneId": zone.as_str(), "changeBatch": { "changes": changes.collect::<Vec<_>>() } })
}

/// Somebody else was faster, or there is something else than was thought.
fn is_conflict(message: &str) -> bool {
    message.starts_with("Tried to ")
}

/// Capitals and digits that follow from `parts`.
fn capitals(parts: &[&str]) -> String {
    Digest::of(parts).as_str().chars().take(20).collect::<String>().to_ascii_uppercase()
}

impl Console {
    /// Makes a hosted zone.
    pub fn create_zone(&self, name: &str, private: bool) -> Result<ZoneId, InvalidName> {
        let mut world = self.world();
        let serial = world.serial().to_string();
        let name = DnsName::new(name);
        let id: ZoneId = format!("Z{}", capitals(&[name.as_str(), &serial])).parse()?;
        let zone =
            Zone { account: self.scope().account.clone(), name, private, sets: Vec::new(), busy_until: Timestamp::MIN };
        world.data.dns.zones.insert(id.clone(), zone);
        Ok(id)
    }

    /// The public hosted zone of this name, which is made where there is none.
    pub fn zone(&self, name: &str) -> Result<ZoneId, InvalidName> {
        let (account, wanted) = (&self.scope().account, DnsName::new(name));
        let is_it = |zone: &Zone| zone.account == *account && zone.name == wanted && !zone.private;
        let found = self.world().data.dns.zones.iter().find(|(_, zone)| is_it(zone)).map(|(id, _)| id.clone());
        found.map_or_else(|| self.create_zone(name, false), Ok)
    }

    /// Changes record sets by hand.
    pub fn change_records(&self, zone: &ZoneId, changes: &[RecordChange]) -> Result<ChangeId, PortError> {
        let account = self.scope().account.clone();
        self.world().change_record_sets(&account, zone, changes)
    }

    /// The truth about a zone's record sets.
    #[must_use]
    pub fn record_sets(&self, zone: &ZoneId) -> Vec<RecordSet> {
        self.world().data.dns.zones.get(zone).map(|zone| zone.sets.clone()).unwrap_or_default()
    }
}

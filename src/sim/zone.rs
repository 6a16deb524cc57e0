//! Hosted zones and their record sets: what Route 53 keeps, and what it lets a batch do to it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{
    AccountId, DOMAIN_MAX, DnsName, HostedZone, RecordChange, RecordContent, RecordSet, RecordVerb, RecordsOf,
    SetRouting, ZoneId,
};

/// All of Route 53.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Dns {
    pub(super) zones: BTreeMap<ZoneId, Zone>,
    /// Health checks that somebody has disabled.
    #[serde(default)]
    pub(super) disabled: BTreeSet<String>,
    /// Whose a batch is, and when it has reached all servers.
    pub(super) changes: BTreeMap<String, (AccountId, Timestamp)>,
}

/// A hosted zone.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Zone {
    pub(super) account: AccountId,
    pub(super) name: DnsName,
    pub(super) private: bool,
    /// In Route 53's order.
    pub(super) sets: Vec<RecordSet>,
    pub(super) busy_until: Timestamp,
}

/// Route 53 orders by labels from the last to the first, then by type, then by set identifier.
pub(super) type Rank = (Vec<String>, String, String);

pub(super) fn labels(name: &DnsName) -> Vec<String> {
    name.as_str().rsplit('.').map(str::to_owned).collect()
}

pub(super) fn rank(of: &RecordsOf, set: Option<&str>) -> Rank {
    (labels(&of.name), of.kind.clone(), set.unwrap_or_default().to_owned())
}

impl Zone {
    pub(super) fn hosted(&self, id: &ZoneId) -> HostedZone {
        let (name, private, records) = (self.name.clone(), self.private, self.sets.len() as u64);
        HostedZone { id: id.clone(), name, private, records }
    }

    fn find(&self, of: &RecordsOf, set: Option<&str>) -> Option<usize> {
        self.sets.iter().position(|one| one.of == *of && one.set.as_deref() == set)
    }

    /// One change, or what is wrong with it.
    pub(super) fn apply(&mut self, change: &RecordChange) -> Result<(), String> {
        let RecordChange { verb, set } = change;
        let (name, kind) = (&set.of.name, &set.of.kind);
        let shown = match &set.set {
            Some(id) => format!("[name='{name}.', type='{kind}', set-identifier='{id}']"),
            None => format!("[name='{name}.', type='{kind}']"),
        };
        let there = self.find(&set.of, set.set.as_deref());
        match (verb, there) {
            (RecordVerb::Create, Some(_)) => {
                return Err(format!("Tried to create resource record set {shown} but it already exists"));
            }
            (RecordVerb::Delete, None) => {
                return Err(format!("Tried to delete resource record set {shown} but it was not found"));
            }
            (RecordVerb::Delete, Some(at)) => {
                if !self.sets[at].is_as(set) {
                    return Err(format!(
                        "Tried to delete resource record set {shown} but the values provided do not match the current values"
                    ));
                }
                self.sets.remove(at);
                return Ok(());
            }
            (RecordVerb::Upsert, Some(at)) => {
                self.check(set)?;
                self.sets[at] = set.clone();
                return Ok(());
            }
            (RecordVerb::Create | RecordVerb::Upsert, None) => self.check(set)?,
        }
        self.sets.push(set.clone());
        self.sets.sort_by_key(|one| rank(&one.of, one.set.as_deref()));
        Ok(())
    }

    fn check(&self, set: &RecordSet) -> Result<(), String> {
        let (name, kind, zone) = (&set.of.name, &set.of.kind, &self.name);
        let too_long = name.as_str().split('.').find(|label| label.len() > 63);
        if let Some(label) = too_long {
            return Err(format!(
                "FATAL problem: DomainLabelTooLong (Domain label is too long) encountered with '{label}'"
            ));
        }
        if name.len() > DOMAIN_MAX {
            return Err(format!("FATAL problem: DomainTooLong (Domain name is too long) encountered with '{name}'"));
        }
        if !name.is_within(zone) {
            return Err(format!("RRSet with DNS name {name}. is not permitted in zone {zone}."));
        }
        if kind == "CNAME" && name == zone {
            return Err(format!("RRSet of type CNAME with DNS name {name}. is not permitted at apex in zone {zone}."));
        }
        let others = || self.sets.iter().filter(|other| other.of.name == *name);
        if others().any(|other| other.of.kind != *kind && (kind == "CNAME" || other.of.kind == "CNAME")) {
            return Err(format!(
                "RRSet of type {kind} with DNS name {name}. is not permitted as it conflicts with other records with the same DNS name in zone {zone}."
            ));
        }
        let sort = |routing: &SetRouting| match routing {
            SetRouting::Simple => "simple",
            SetRouting::Weighted(_) => "weighted",
            SetRouting::Failover(_) => "failover",
            SetRouting::Other(_) => "other",
        };
        let same = |other: &&RecordSet| other.of.kind == *kind && other.set != set.set;
        if let Some(other) = others().filter(same).find(|other| sort(&other.routing) != sort(&set.routing)) {
            let id = set.set.as_ref().map(|id| format!(", SetIdentifier {id}")).unwrap_or_default();
            let there = sort(&other.routing);
            return Err(format!(
                "RRSet with DNS name {name}., type {kind}{id} cannot be created as a {there} set exists with the same name and type."
            ));
        }
        let RecordContent::Values { values, .. } = &set.content else { return Ok(()) };
        values.iter().try_for_each(|value| check_value(kind, value))
    }
}

fn check_value(kind: &str, value: &str) -> Result<(), String> {
    let fatal = |code: &str, rule: &str| {
        Err(format!("Invalid Resource Record: 'FATAL problem: {code} ({rule}) encountered with '{value}''"))
    };
    match kind {
        "A" if value.parse::<std::net::Ipv4Addr>().is_err() => {
            fatal("ARRDATAIllegalIPv4Address", "Value is not a valid IPv4 address")
        }
        "AAAA" if value.parse::<std::net::Ipv6Addr>().is_err() => {
            fatal("AAAARRDATAIllegalIPv6Address", "Value is not a valid IPv6 address")
        }
        "TXT" if !(value.len() > 1 && value.starts_with('"') && value.ends_with('"')) => {
            fatal("InvalidCharacterString", "Value should be enclosed in quotation marks")
        }
        _ => Ok(()),
    }
}

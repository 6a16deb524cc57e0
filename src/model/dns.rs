//! Route 53 in our nouns: zones, record sets, changes; what was seen, is remembered and will be done.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::aws::identifier;
use super::{Act, Attempts, Claims, Conclusion, Digest, DnsName, FailoverRole, RecordType, Scope, Seen, TrafficOrder};

identifier! {
    /// The id of a hosted zone, without `/hostedzone/`.
    ZoneId, "the id of a hosted zone (Z and capitals and digits)",
    |text| text.starts_with('Z') && text.len() <= 32 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

identifier! {
    /// The id of a batch of changes, without `/change/`.
    ChangeId, "the id of a batch of changes to record sets",
    |text| !text.is_empty() && text.len() <= 32 && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// The id of a hosted zone as Route 53 also writes it, with `/hostedzone/` in front; anything else as it is.
#[must_use]
pub fn bare_zone(text: &str) -> &str {
    text.trim().strip_prefix("/hostedzone/").unwrap_or(text)
}

/// A hosted zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostedZone {
    /// Its id.
    pub id: ZoneId,
    /// Its domain.
    pub name: DnsName,
    /// It answers inside VPCs only.
    pub private: bool,
    /// How many record sets it has: what reading all of them costs.
    pub records: u64,
}

/// All record sets of one name and type in a zone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordsOf {
    /// The name.
    pub name: DnsName,
    /// The type, as DNS writes it.
    pub kind: String,
}

/// One record set, as Route 53 tells them apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordPlace {
    /// Account, and the region that calls go to.
    pub scope: Scope,
    /// The zone.
    pub zone: ZoneId,
    /// Name and type.
    pub of: RecordsOf,
    /// Its set identifier, where there are several of this name and type.
    pub set: Option<String>,
}

impl fmt::Display for RecordPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.of.kind, self.of.name)?;
        self.set.as_ref().map_or(Ok(()), |set| write!(f, " ({set})"))?;
        write!(f, " in zone {}", self.zone)
    }
}

/// A record set, as it is or is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordSet {
    /// Name and type.
    pub of: RecordsOf,
    /// Its set identifier.
    pub set: Option<String>,
    /// What it says.
    pub content: RecordContent,
    /// When it is the one that is answered.
    pub routing: SetRouting,
    /// The health check that it follows.
    pub health_check: Option<String>,
}

/// What a record set says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordContent {
    /// These values, for so many seconds.
    Values {
        /// As Route 53 keeps them.
        values: Vec<String>,
        /// Seconds.
        ttl: u32,
    },
    /// The addresses of an AWS resource.
    Alias {
        /// Its DNS name.
        dns_name: String,
        /// The zone that it belongs to.
        zone: String,
        /// Whether the record follows its health.
        evaluate_health: bool,
    },
}

/// When a record set is the one that is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SetRouting {
    /// Always: it is the only one.
    Simple,
    /// As often as this.
    Weighted(u8),
    /// While it, or not the other, is healthy.
    Failover(FailoverRole),
    /// By a rule that Landfast does not write (latency, geography, several values, address ranges): such a set is
    /// seen, and never changed.
    Other(String),
}

/// One change of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordChange {
    /// What is done.
    pub verb: RecordVerb,
    /// To this, all of it.
    pub set: RecordSet,
}

/// What a change of a batch does (AWS: *`Change`*, `Action`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordVerb {
    /// Fails if it exists.
    Create,
    /// Fails if it is not exactly this.
    Delete,
    /// Whatever is there.
    Upsert,
}

/// What was seen of DNS records.
#[derive(Clone, Debug, Default)]
pub struct RecordsSeen {
    /// Hosted zones that a manifest may mean, by what it says.
    pub zones: BTreeMap<(Scope, String), Seen<Vec<HostedZone>>>,
    /// Record sets by zone, name and type. Absent: there is none.
    pub sets: BTreeMap<(Scope, ZoneId, RecordsOf), Seen<Vec<RecordSet>>>,
    /// Who else keeps record sets of a zone. Absent: nobody says so.
    pub claims: BTreeMap<(Scope, ZoneId), Seen<Claims>>,
    /// Whether batches of ours have reached all servers. Absent: there is no such batch.
    pub changes: BTreeMap<(Scope, ChangeId), Seen<bool>>,
}

/// What must be known to decide on a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordNeed {
    /// The zones that are meant by an id or a domain.
    Zones(Scope, String),
    /// All record sets of a name and type. The number is that of all in the zone, where it is known.
    Sets(Scope, ZoneId, RecordsOf),
    /// Who else keeps record sets of a zone: asked before one is taken over.
    Claims(Scope, ZoneId),
    /// Whether a batch has reached all servers.
    Change(Scope, ChangeId),
}

/// What is remembered of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecordMemory {
    /// Where the record set is that we made: so that it can be removed when nothing else says so any more.
    pub place: Option<RecordPlace>,
    /// Where record sets are that we made before its manifest named another one: removed once the new one is everywhere.
    pub former: BTreeSet<RecordPlace>,
    /// A batch that we sent and that has not been seen on all servers.
    pub pending: Option<RecordOperation>,
    /// Failures of the same inputs.
    pub attempts: Option<Attempts>,
    /// Who is to serve its name, where somebody has said so: of a primary failover record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic: Option<TrafficOrder>,
    /// It stays when its manifest is gone.
    pub retain: bool,
    /// What it depended on when it was last changed: deletions go in the reverse order.
    pub depends_on: BTreeSet<super::Key>,
}

impl RecordMemory {
    /// It is there now, and nowhere else by intention.
    pub fn settle(&mut self, place: &RecordPlace) {
        let before = self.place.replace(place.clone());
        self.former.extend(before);
        self.former.remove(place);
    }

    /// It is not there any more. With the last place goes everything that is remembered.
    pub fn leave(&mut self, place: &RecordPlace) {
        self.former.remove(place);
        self.place.take_if(|there| there == place);
        self.pending.take_if(|pending| pending.place == *place);
        if self.place.is_none() && self.former.is_empty() {
            *self = Self::default();
        }
    }
}

/// A batch of ours: written down before the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordOperation {
    /// It removes the record set; otherwise it puts it there.
    pub removes: bool,
    /// Our own name for it, also the batch's comment.
    pub token: String,
    /// Its id, once the call was answered.
    pub change: Option<ChangeId>,
    /// What it is about.
    pub place: RecordPlace,
    /// Digest of what is wanted.
    pub inputs: Digest,
    /// When it was sent.
    pub started: Timestamp,
    /// The sequence of the revision it was made for.
    pub revision: u64,
}

/// A step on a record.
#[derive(Clone, Debug)]
pub struct RecordStep {
    /// The record set.
    pub place: RecordPlace,
    /// Where its marker is: the TXT record beside it that says whose it is.
    pub marker: RecordsOf,
    /// What to do.
    pub action: RecordDo,
}

/// What is done to a record.
#[derive(Clone, Debug)]
pub enum RecordDo {
    /// Sends one batch: the record set and its marker change together or not at all.
    Send(Box<RecordBatch>),
    /// Writes down how our batch ended.
    Conclude(Conclusion),
    /// Writes down where the record set is, and whether it stays when its manifest is gone.
    Remember {
        /// It stays.
        retain: bool,
    },
    /// Forgets a record set that is gone, or is ours no more.
    Forget,
}

/// One batch of changes, and what must be so when it is sent.
#[derive(Clone, Debug)]
pub struct RecordBatch {
    /// The word for it: `create`, `update`, `adopt`, `delete`.
    pub verb: &'static str,
    /// The record set must be exactly this still.
    pub set: Option<RecordSet>,
    /// And its marker this.
    pub marker: Option<RecordSet>,
    /// What is sent.
    pub changes: Vec<RecordChange>,
    /// Our own name for the batch.
    pub token: String,
    /// Digest of what is wanted.
    pub inputs: Digest,
    /// It removes the record set.
    pub removes: bool,
    /// Another record set of the same object that it removes too, with its marker: Route 53 does not take both beside each
    /// other.
    pub replaces: Option<RecordPlace>,
    /// It stays when its manifest is gone: remembered.
    pub retain: bool,
}

impl Act for RecordStep {
    fn verb(&self) -> &'static str {
        match &self.action {
            RecordDo::Send(batch) => batch.verb,
            RecordDo::Conclude(_) => "conclude",
            RecordDo::Remember { .. } => "remember",
            RecordDo::Forget => "forget",
        }
    }

    fn identity(&self) -> String {
        match &self.action {
            RecordDo::Send(batch) => format!("{} {}", batch.verb, batch.token),
            RecordDo::Conclude(_) | RecordDo::Remember { .. } | RecordDo::Forget => self.verb().to_owned(),
        }
    }

    fn mutates(&self) -> bool {
        matches!(self.action, RecordDo::Send(_))
    }

    fn begins_operation(&self) -> bool {
        self.mutates()
    }

    fn is_preparation(&self) -> bool {
        !self.mutates()
    }
}

impl RecordContent {
    /// Whether both say the same, however it is written: names with or without the last dot, an alias to a load
    /// balancer with or without `dualstack.`, which the console puts in front.
    #[must_use]
    pub fn says_the_same(&self, other: &Self, kind: &str) -> bool {
        match (self, other) {
            (Self::Values { values, ttl }, Self::Values { values: others, ttl: other }) => {
                let plain =
                    |values: &[String]| values.iter().map(|value| canonical(value, kind)).collect::<BTreeSet<_>>();
                ttl == other && plain(values) == plain(others)
            }
            (
                Self::Alias { dns_name, zone, evaluate_health },
                Self::Alias { dns_name: name, zone: home, evaluate_health: follows },
            ) => zone == home && evaluate_health == follows && target(dns_name) == target(name),
            _ => false,
        }
    }

    /// Nothing would be answered: such a set is never written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Values { values, .. } => values.is_empty() || values.iter().any(|value| value.trim().is_empty()),
            Self::Alias { dns_name, zone, .. } => dns_name.trim().is_empty() || zone.trim().is_empty(),
        }
    }
}

/// A value in the one way of writing it.
fn canonical(value: &str, kind: &str) -> String {
    if kind == RecordType::Cname.as_str() {
        return DnsName::new(value).to_string();
    }
    value.trim().parse::<std::net::IpAddr>().map_or_else(|_| value.to_owned(), |address| address.to_string())
}

fn target(name: &str) -> DnsName {
    let name = DnsName::new(name);
    name.as_str().strip_prefix("dualstack.").map(DnsName::new).unwrap_or(name)
}

impl RecordSet {
    /// Whether both are the same record set saying the same.
    #[must_use]
    pub fn is_as(&self, wanted: &Self) -> bool {
        self.of == wanted.of
            && self.set == wanted.set
            && self.routing == wanted.routing
            && self.health_check == wanted.health_check
            && self.content.says_the_same(&wanted.content, &self.of.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_in_two_ways_says_the_same() {
        let alias = |name: &str| RecordContent::Alias {
            dns_name: name.to_owned(),
            zone: "Z35SXDOTRQ7X7K".to_owned(),
            evaluate_health: true,
        };
        assert!(
            alias("dualstack.Api-1.us-east-1.elb.amazonaws.com.")
                .says_the_same(&alias("api-1.us-east-1.elb.amazonaws.com"), "A")
        );
        assert!(!alias("api-2").says_the_same(&alias("api-1"), "A"));
        let values = |values: &[&str]| RecordContent::Values {
            values: values.iter().map(|value| (*value).to_owned()).collect(),
            ttl: 60,
        };
        assert!(values(&["Target.example.com."]).says_the_same(&values(&["target.example.com"]), "CNAME"));
        assert!(values(&["2001:db8::1"]).says_the_same(&values(&["2001:DB8:0::1"]), "AAAA"));
        assert!(values(&["192.0.2.2", "192.0.2.1"]).says_the_same(&values(&["192.0.2.1", "192.0.2.2"]), "A"));
        assert!(!values(&["192.0.2.1"]).says_the_same(&values(&["192.0.2.1", "192.0.2.2"]), "A"));
        assert!(values(&[]).is_empty() && values(&[" "]).is_empty() && !values(&["192.0.2.1"]).is_empty());
    }
}

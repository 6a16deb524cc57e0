//! A record set in Route 53: what is wanted of it.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DeletionPolicy, Digest, Key, Scope, Text};

/// A record set as its manifest wants it.
#[derive(Clone, Debug)]
pub struct RecordSpec {
    /// Its address.
    pub key: Key,
    /// The account; Route 53 has no regions, and calls go to the environment's.
    pub scope: Scope,
    /// The hosted zone: its id (`Z…`), or its domain name.
    pub zone: Text,
    /// The record's full name.
    pub name: Text,
    /// Its type.
    pub kind: RecordType,
    /// What it says.
    pub value: RecordValue,
    /// Which of several record sets of one name and type this is.
    pub routing: Routing,
    /// The health check that it follows, by id.
    pub health_check: Option<Text>,
    /// What happens when its manifest is gone.
    pub deletion_policy: DeletionPolicy,
    /// Adopt an existing record set that has no owner.
    pub adopt: bool,
    /// Everything it waits for.
    pub depends_on: BTreeSet<Key>,
    /// Digest of all that the manifest says of it.
    pub digest: Digest,
}

/// Types of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Another name.
    Cname,
}

impl RecordType {
    /// As DNS writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
        }
    }
}

/// What a record set says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum RecordValue {
    /// Values, for so many seconds.
    Values {
        /// One or more.
        values: Vec<Text>,
        /// Seconds that resolvers may remember them.
        ttl: u32,
    },
    /// The addresses of a load balancer or another AWS resource.
    Alias {
        /// Its DNS name.
        dns_name: Text,
        /// The hosted zone id that it belongs to (of an ALB: `CanonicalHostedZoneId`).
        zone: Text,
        /// Whether the record follows its health.
        evaluate_health: bool,
    },
}

/// Which of several record sets of one name and type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Routing {
    /// The only one.
    Simple,
    /// One of several, as often as its weight says.
    Weighted {
        /// Tells them apart.
        id: String,
        /// 0 to 255.
        weight: u8,
    },
    /// One of two.
    Failover {
        /// Tells them apart.
        id: String,
        /// Which.
        role: FailoverRole,
    },
}

/// Which of the two record sets of a failover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FailoverRole {
    /// While it is healthy.
    Primary,
    /// While the primary is not.
    Secondary,
}

impl fmt::Display for FailoverRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
        })
    }
}

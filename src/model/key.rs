//! How objects are addressed: `dev/stack/network`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::aws::{InvalidName, identifier};

identifier! {
    /// The name of an environment: `dev`.
    EnvName, "1 to 63 lower-case letters, digits and hyphens, starting with a letter", is_label
}

identifier! {
    /// The name of an object within its environment and kind: `network`.
    ObjectName, "1 to 63 lower-case letters, digits and hyphens, starting with a letter", is_label
}

/// What Kubernetes calls a DNS label, and what stays legal inside a CloudFormation stack name.
pub(super) fn is_label(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// What sort of object a key names. Further kinds are further variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A CloudFormation stack.
    Stack,
    /// The images of an ECS service.
    Service,
    /// A secret in Secrets Manager.
    Secret,
    /// A record set in Route 53.
    DnsRecord,
    /// How `DynamoDB` tables are backed up.
    BackupPolicy,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Stack, Self::Service, Self::Secret, Self::DnsRecord, Self::BackupPolicy];

    /// The word used in addresses: `stack`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stack => "stack",
            Self::Service => "service",
            Self::Secret => "secret",
            Self::DnsRecord => "dnsrecord",
            Self::BackupPolicy => "backuppolicy",
        }
    }

    /// The word used in sentences: `DNS record`.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::DnsRecord => "DNS record",
            Self::BackupPolicy => "backup policy",
            other => other.as_str(),
        }
    }
}

/// The address of one object: environment, kind and name, written `dev/stack/network`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key {
    /// The environment the object belongs to.
    pub environment: EnvName,
    /// The sort of object.
    pub kind: Kind,
    /// Its name, unique within environment and kind.
    pub name: ObjectName,
}

impl Key {
    /// The key of an object.
    #[must_use]
    pub fn new(environment: EnvName, kind: Kind, name: ObjectName) -> Self {
        Self { environment, kind, name }
    }

    /// Whether this is how it is written.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        let rest = text.strip_prefix(self.environment.as_str()).and_then(|rest| rest.strip_prefix('/'));
        let rest = rest.and_then(|rest| rest.strip_prefix(self.kind.as_str())).and_then(|rest| rest.strip_prefix('/'));
        rest == Some(self.name.as_str())
    }

    /// The key of a stack.
    #[must_use]
    pub fn stack(environment: EnvName, name: ObjectName) -> Self {
        Self::new(environment, Kind::Stack, name)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.environment, self.kind.as_str(), self.name)
    }
}

impl FromStr for Key {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let wrong = || InvalidName::new(text, "an address such as dev/stack/network");
        let mut parts = text.split('/');
        let (Some(environment), Some(kind), Some(name), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind).ok_or_else(wrong)?;
        Ok(Self::new(environment.parse()?, kind, name.parse()?))
    }
}

impl TryFrom<String> for Key {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_as_it_was_written() {
        let key: Key = "dev/stack/network".parse().unwrap();
        assert_eq!(key.to_string(), "dev/stack/network");
        assert!(key.is("dev/stack/network"));
        for other in ["dev/stack/networks", "dev/stack/net", "de/stack/network", "dev/secret/network", "dev", ""] {
            assert!(!key.is(other), "{other}");
        }
        let key: Key = "dev/dnsrecord/api".parse().unwrap();
        assert_eq!((key.kind, key.to_string().as_str()), (Kind::DnsRecord, "dev/dnsrecord/api"));
        for wrong in ["dev", "dev/stacks/a", "dev/stack", "dev/secret/a/b", "Dev/stack/a", "dev/stack/-a", "dev/stack/"]
        {
            assert!(wrong.parse::<Key>().is_err(), "{wrong} was accepted");
        }
    }
}

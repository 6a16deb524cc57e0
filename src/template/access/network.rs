//! What security groups and network ACLs let in.

use std::fmt;

use ipnet::IpNet;
use serde_json::Value;

use super::pattern::{Letters, Pattern};
use crate::template::canonical::shown;

/// From where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Network(IpNet),
    /// A security group, a prefix list, or a network that is not known.
    Other(Pattern),
}

/// One rule that lets something in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ingress {
    source: Source,
    /// `None`: all of them.
    protocol: Option<Pattern>,
    /// Ports, or ICMP types; `None`: all of them.
    ports: Option<(Pattern, Pattern)>,
}

/// Where a rule may come from, by the property that says so. The same letters after another prefix are another source.
const SOURCES: [&str; 6] = [
    "SourceSecurityGroupId",
    "SourceSecurityGroupName",
    "SourcePrefixListId",
    "SourceSecurityGroupOwnerId",
    "CidrIp",
    "CidrIpv6",
];

impl Ingress {
    /// The rules of one entry of `SecurityGroupIngress`, or of a resource of its own. An entry that is an expression is
    /// one rule that is only equal to itself.
    pub(super) fn of_group(rule: &Value) -> Vec<Self> {
        let protocol = protocol(rule.get("IpProtocol"));
        let ports = if protocol.is_none() { None } else { ports(rule.get("FromPort"), rule.get("ToPort")) };
        let named = SOURCES.iter().filter_map(|name| Some((*name, rule.get(name)?)));
        // The owner of a group says whose it is, and is no source of its own.
        let owner = rule.get("SourceSecurityGroupOwnerId").map(Value::to_string).unwrap_or_default();
        let sources = named.filter(|(name, _)| *name != "SourceSecurityGroupOwnerId").map(|(name, value)| match value
            .as_str()
            .and_then(network)
        {
            Some(network) => Source::Network(network),
            None if name.starts_with("Cidr") => Source::Other(Pattern::of(value, Letters::Plain)),
            None => Source::Other(Pattern::of(value, Letters::Plain).after(&format!("{name}{owner}:"))),
        });
        let rules: Vec<Self> =
            sources.map(|source| Self { source, protocol: protocol.clone(), ports: ports.clone() }).collect();
        if rules.is_empty() {
            return vec![Self {
                source: Source::Other(Pattern::of(rule, Letters::Plain)),
                protocol: None,
                ports: None,
            }];
        }
        rules
    }

    /// An entry of a network ACL, if it lets something in.
    pub(super) fn of_acl(entry: &Value) -> Vec<Self> {
        let is = |name: &str, text: &str| {
            entry.get(name).and_then(shown).is_some_and(|value| value.eq_ignore_ascii_case(text))
        };
        if is("Egress", "true") || is("RuleAction", "deny") {
            return Vec::new();
        }
        let range = entry.get("PortRange");
        let of = |name: &str| range.and_then(|range| range.get(name));
        let protocol = protocol(entry.get("Protocol"));
        let ports = if protocol.is_none() { None } else { ports(of("From"), of("To")) };
        let sources = ["CidrBlock", "Ipv6CidrBlock"].into_iter().filter_map(|name| entry.get(name));
        let source = |value: &Value| match value.as_str().and_then(network) {
            Some(network) => Source::Network(network),
            None => Source::Other(Pattern::of(value, Letters::Plain)),
        };
        sources.map(|value| Self { source: source(value), protocol: protocol.clone(), ports: ports.clone() }).collect()
    }

    /// Whether this one lets in everything that the other one does.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let source = match (&self.source, &other.source) {
            (Source::Network(whole), Source::Network(part)) => whole.contains(part),
            (mine, theirs) => mine == theirs,
        };
        let protocol = self.protocol.is_none() || self.protocol == other.protocol;
        source && protocol && self.covers_ports(other)
    }

    fn covers_ports(&self, other: &Self) -> bool {
        let number = |port: &Pattern| port.literal().and_then(|text| text.parse::<i64>().ok());
        match (&self.ports, &other.ports) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(mine), Some(theirs)) if mine == theirs => true,
            (Some(mine), Some(theirs)) => {
                let ends = (number(&mine.0), number(&mine.1), number(&theirs.0), number(&theirs.1));
                let (Some(from), Some(to), Some(first), Some(last)) = ends else { return false };
                from <= first && last <= to
            }
        }
    }

    /// It depends on a value that is known only after something else was applied.
    pub(super) fn is_pending(&self) -> bool {
        let source = matches!(&self.source, Source::Other(pattern) if pattern.is_pending());
        source
            || self.protocol.as_ref().is_some_and(Pattern::is_pending)
            || self.ports.as_ref().is_some_and(|(from, to)| from.is_pending() || to.is_pending())
    }
}

/// A network; AWS takes host bits for zero.
fn network(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>().ok().map(|network| network.trunc())
}

/// By name or by number (IANA); `-1` and `all` are all of them.
fn protocol(value: Option<&Value>) -> Option<Pattern> {
    let value = value?;
    let text = shown(value).map(|text| text.to_ascii_lowercase());
    let name = match text.as_deref() {
        Some("-1" | "all") => return None,
        Some("6") => "tcp",
        Some("17") => "udp",
        Some("1") => "icmp",
        Some("58") => "icmpv6",
        Some(other) => other,
        None => return Some(Pattern::of(value, Letters::Plain)),
    };
    Some(Pattern::text(name, Letters::Plain))
}

fn ports(from: Option<&Value>, to: Option<&Value>) -> Option<(Pattern, Pattern)> {
    let from = from?;
    let to = to.unwrap_or(from);
    let all = |value: &Value| shown(value).as_deref() == Some("-1");
    if all(from) {
        return None;
    }
    Some((Pattern::of(from, Letters::Plain), Pattern::of(to, Letters::Plain)))
}

impl fmt::Display for Ingress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.protocol, &self.ports) {
            (None, _) => f.write_str("everything")?,
            (Some(protocol), None) => write!(f, "{protocol}, all ports,")?,
            (Some(protocol), Some((from, to))) if from == to => write!(f, "{protocol} {from}")?,
            (Some(protocol), Some((from, to))) => write!(f, "{protocol} {from}-{to}")?,
        }
        match &self.source {
            Source::Network(network) if network.prefix_len() == 0 => write!(f, " from anywhere ({network})"),
            Source::Network(network) => write!(f, " from {network}"),
            Source::Other(pattern) => write!(f, " from {pattern}"),
        }
    }
}

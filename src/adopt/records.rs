//! DNS records that point at what adopted stacks made.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::names::Namer;
use super::references::References;
use super::scalar::{escaped, literal, quoted};
use super::survey::{FoundZone, Left};
use crate::model::{Claims, DnsName, FailoverRole, RecordContent, RecordSet, SetRouting, claims};

/// The documents, and what points at those stacks and cannot be kept.
pub(super) fn documents(
    zones: &[FoundZone],
    made: &BTreeSet<&str>,
    references: &References<'_>,
    left: &mut Vec<Left>,
) -> Vec<String> {
    let mut found: Vec<(&FoundZone, &RecordSet, String)> = Vec::new();
    for zone in zones {
        let claims = claims(&zone.sets);
        for set in &zone.sets {
            let Some(target) = target(set).and_then(|target| references.host(target)) else { continue };
            match strange(set, zone, zones, made).or_else(|| claimed(set, &claims)) {
                Some(why) => left.push(Left::aside(format!("DNS record {} {}", set.of.kind, set.of.name), why)),
                None => found.push((zone, set, target)),
            }
        }
    }
    found.sort_by_key(|(zone, set, _)| (set.of.clone(), set.set.clone(), zone.zone.id.clone()));
    let mut namer = Namer::new([]);
    let name = |set: &RecordSet| {
        let first = set.of.name.as_str().split('.').next().unwrap_or_default().to_owned();
        match &set.set {
            Some(id) => format!("{first}-{id}"),
            None => first,
        }
    };
    let each = found.into_iter().filter_map(|(zone, set, target)| {
        let name = namer.name(&name(set))?;
        Some(document(name.as_str(), zone, set, &target))
    });
    each.collect()
}

/// The one place that a record set points at.
fn target(set: &RecordSet) -> Option<&str> {
    match &set.content {
        RecordContent::Alias { dns_name, .. } => Some(dns_name),
        RecordContent::Values { values, .. } => match values.as_slice() {
            [one] => Some(one),
            _ => None,
        },
    }
}

/// Why a record set cannot be written as a manifest, or is not ours to write.
fn strange(set: &RecordSet, zone: &FoundZone, zones: &[FoundZone], made: &BTreeSet<&str>) -> Option<String> {
    let same = |other: &&FoundZone| other.zone.name == zone.zone.name && other.zone.id != zone.zone.id;
    if made.contains(set.of.name.as_str()) || made.contains(format!("{}.", set.of.name).as_str()) {
        return Some("a stack creates it".to_owned());
    }
    if !matches!(set.of.kind.as_str(), "A" | "AAAA" | "CNAME") {
        return Some(format!("Landfast does not manage records of type {}", set.of.kind));
    }
    if let SetRouting::Other(rule) = &set.routing {
        return Some(format!("it uses {rule}, which Landfast does not support"));
    }
    if let Err(why) = DnsName::parse(set.of.name.as_str()) {
        return Some(format!("its name {why}"));
    }
    if zone.zone.private && zones.iter().any(|other| same(&other)) {
        return Some("its zone is private, and another zone has the same domain".to_owned());
    }
    None
}

/// Who else keeps it: two writers would undo each other's work for ever.
fn claimed(set: &RecordSet, claims: &Claims) -> Option<String> {
    let claim = claims.get(&set.of.name)?;
    Some(format!("{} manages it (TXT record {})", claim.by, claim.said_by))
}

fn document(name: &str, zone: &FoundZone, set: &RecordSet, target: &str) -> String {
    let mut text = format!("apiVersion: landfast/v1\nkind: DnsRecord\nmetadata: {{ name: {name} }}\nspec:\n");
    let _ = writeln!(text, "  zone: {}", quoted(zone.zone.id.as_str()) + &format!("    # {}", zone.zone.name));
    let _ = writeln!(text, "  name: {}\n  type: {}", literal(set.of.name.as_str()), set.of.kind);
    match &set.content {
        RecordContent::Values { ttl, .. } => {
            let _ = writeln!(text, "  target: {}\n  ttl: {ttl}", quoted(target));
        }
        RecordContent::Alias { zone, evaluate_health, .. } => {
            let _ = writeln!(text, "  alias:\n    dnsName: {}\n    zone: {}", quoted(target), quoted(&escaped(zone)));
            let _ = writeln!(text, "    evaluateHealth: {evaluate_health}");
        }
    }
    if let Some(id) = &set.set {
        let _ = writeln!(text, "  id: {}", literal(id));
    }
    match &set.routing {
        SetRouting::Weighted(weight) => _ = writeln!(text, "  weight: {weight}"),
        SetRouting::Failover(FailoverRole::Primary) => text.push_str("  failover: primary\n"),
        SetRouting::Failover(FailoverRole::Secondary) => text.push_str("  failover: secondary\n"),
        SetRouting::Simple | SetRouting::Other(_) => {}
    }
    if let Some(check) = &set.health_check {
        let _ = writeln!(text, "  healthCheck: {}", literal(check));
    }
    text.push_str("  adopt: true\n");
    text
}

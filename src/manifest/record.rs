//! `DnsRecord`: its document, and the desired record set that it becomes in an environment.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use schemars::JsonSchema;
use serde::Deserialize;

use super::Severity;
use super::diagnostic::Problem;
use super::document::{ApiVersion, Metadata, Or, number_schema};
use super::graph::Origin;
use super::made::Made;
use super::maker::{At, Maker, Resource, word};
use super::readiness::CheckDocument;
use crate::model::{
    DeletionPolicy, Digest, DnsName, FailoverRole, Key, NO_DOMAIN, RecordSpec, RecordType, RecordValue, Routing, Text,
    bare_zone,
};

/// How long resolvers may remember a value, unless said otherwise: what is to follow a failover must be forgotten soon.
const TTL: u32 = 60;
/// The most that Route 53 takes (`ResourceRecordSet`, field `TTL`).
const MAX_TTL: i64 = 2_147_483_647;

/// Marks the document as a DNS record.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
enum RecordKind {
    /// A DNS record.
    DnsRecord,
}

/// A record set in Route 53, instantiated in every environment that includes this file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Landfast DNS record")]
pub(super) struct RecordDocument {
    /// The version of the manifest language.
    #[expect(dead_code, reason = "checked by its type")]
    api_version: ApiVersion,
    /// The kind of document.
    #[expect(dead_code, reason = "checked by its type")]
    kind: RecordKind,
    /// The object's metadata.
    #[expect(dead_code, reason = "read from the tree, so that it is known of broken documents too")]
    metadata: Metadata,
    /// The desired state.
    spec: RecordDocumentSpec,
}

/// The desired record set: exactly one of `target`, `values` and `alias`. Texts can contain `${env}`, `${system}`,
/// `${account}`, `${region}`, `${values.name}`, `${parameters.Name}` and, where stated, `${stacks.name.outputs.Key}`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "DnsRecordSpec")]
struct RecordDocumentSpec {
    /// The hosted zone: its domain, or its ID if several zones have that domain. Stack outputs can be used.
    zone: String,
    /// The record's full name: `api.dev.example.com`. Stack outputs can be used.
    name: String,
    /// `A`, `AAAA` or `CNAME`.
    #[serde(rename = "type")]
    kind: RecordType,
    /// The one value. Stack outputs can be used.
    #[serde(default)]
    target: Option<String>,
    /// The values. Stack outputs can be used.
    #[serde(default)]
    values: Option<Vec<String>>,
    /// Seconds that resolvers can cache the values; default 60.
    #[serde(default)]
    #[schemars(schema_with = "number_schema::<0, MAX_TTL>")]
    ttl: Option<Or<i64>>,
    /// A load balancer or another AWS resource to point to.
    #[serde(default)]
    alias: Option<AliasDocument>,
    /// Distinguishes this record set from others with the same name and type; required with `weight` and `failover`.
    #[serde(default)]
    id: Option<String>,
    /// The weight of this record set relative to the others: 0 to 255.
    #[serde(default)]
    #[schemars(schema_with = "number_schema::<0, 255>")]
    weight: Option<Or<i64>>,
    /// Whether this record set is used while it is healthy (`primary`), or otherwise (`secondary`).
    #[serde(default)]
    failover: Option<Or<FailoverRole>>,
    /// The ID of its Route 53 health check. Stack outputs can be used.
    #[serde(default)]
    health_check: Option<String>,
    /// What happens when this manifest is removed: `delete` (the default), if the environment's policy allows it, or
    /// `retain`.
    #[serde(default)]
    deletion_policy: Option<Or<DeletionPolicy>>,
    /// Adopt an existing record set that has no owner.
    #[serde(default)]
    adopt: Option<Or<bool>>,
    /// Checks that must pass before the record is ready for its dependents.
    #[serde(default)]
    #[expect(dead_code, reason = "read from the tree, as for every kind")]
    ready: Vec<CheckDocument>,
    /// Objects of this environment that must be ready first: a stack by its name, others as `service/name`. Needed only
    /// for dependencies that no reference shows.
    #[serde(default)]
    #[expect(dead_code, reason = "read from the tree, as for every kind")]
    depends_on: Vec<String>,
}

/// A load balancer or another AWS resource.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Alias")]
struct AliasDocument {
    /// Its DNS name. Stack outputs can be used.
    dns_name: String,
    /// The ID of the hosted zone that it belongs to; for a load balancer, its `CanonicalHostedZoneID`. Stack outputs
    /// can be used.
    zone: String,
    /// Whether to evaluate the target's health; default `false`.
    #[serde(default)]
    evaluate_health: Option<Or<bool>>,
}

impl Resource for RecordDocument {
    fn make(&self, maker: &mut Maker<'_>) -> Option<Made> {
        self.spec.record(maker).map(Made::Record)
    }
}

impl RecordDocumentSpec {
    fn record(&self, maker: &mut Maker<'_>) -> Option<RecordSpec> {
        let spec = maker.at(&["spec"]);
        let zone = maker.open(&self.zone, spec.key("zone")).map(folded);
        let name = maker.open(&self.name, spec.key("name"));
        if let Some(name) = name.as_ref().and_then(Text::as_literal).filter(|name| !name.is_ascii())
            && let Ok(ascii) = DnsName::parse(name)
        {
            let message = format!("plans and zones show `{name}` as `{ascii}` (punycode)");
            let problem = maker.error("internationalised-name", message, spec.key("name"));
            maker.add(Problem { severity: Severity::Warning, ..problem });
        }
        let name = name.map(folded);
        if let (Some(zone), Some(name)) = (&zone, &name) {
            self.named(maker, zone, name, spec);
        }
        let value = self.value(maker, spec);
        let routing = self.routing(maker, spec);
        let health_check = self.health_check.as_ref().map(|text| maker.open(text, spec.key("healthCheck")));
        let default = DeletionPolicy::default();
        let place = spec.key("deletionPolicy");
        let deletion_policy = maker.choice(self.deletion_policy.as_ref(), default, place, "deletionPolicy", &word);
        let adopt = maker.flag(self.adopt.as_ref(), spec.key("adopt"), "adopt");
        let health_check = health_check.map_or(Some(None), |id| id.map(Some));
        let (zone, name, value, routing, health_check) = (zone?, name?, value?, routing?, health_check?);
        if let Routing::Failover { role: FailoverRole::Primary, .. } = &routing
            && health_check.is_none()
            && !matches!(&value, RecordValue::Alias { evaluate_health: true, .. })
        {
            let message = "failover never happens: without `healthCheck`, or `evaluateHealth` of an alias, this \
            primary is always healthy";
            let problem = maker.error("never-fails-over", message, spec.key("failover"));
            maker.add(Problem { severity: Severity::Warning, ..problem });
        }
        let scope = maker.scope();
        let said = (&scope, &zone, &name, self.kind, &value, &routing, &health_check, deletion_policy, adopt);
        let digest = Digest::of(&said);
        Some(RecordSpec {
            key: maker.key.clone(),
            scope,
            zone,
            name,
            kind: self.kind,
            value,
            routing,
            health_check,
            deletion_policy,
            adopt,
            depends_on: BTreeSet::new(),
            digest,
        })
    }

    /// Holds zone and name against each other, as far as they are known.
    fn named(&self, maker: &mut Maker<'_>, zone: &Text, name: &Text, spec: At<'_>) {
        if let Some(zone) = zone.as_literal().filter(|zone| !is_zone_id(zone))
            && let Err(why) = DnsName::parse(zone)
        {
            let neither = format!("`{zone}` is neither a domain nor a hosted zone ID");
            let message = if why == NO_DOMAIN { neither } else { format!("`{zone}` {why}") };
            maker.wrong(message, spec.key("zone"));
            return;
        }
        let Some(name) = name.as_literal() else { return };
        if let Err(why) = DnsName::parse(name) {
            maker.wrong(format!("`{name}` {why}"), spec.key("name"));
            return;
        }
        let Some(zone) = zone.as_literal().filter(|zone| !is_zone_id(zone)) else { return };
        if name == zone && self.kind == RecordType::Cname {
            let problem = maker.error("invalid-value", "a CNAME is not allowed at the zone apex", spec.key("type"));
            maker.add(problem.help("use an `alias` of type A"));
        } else if name != zone && !name.strip_suffix(zone).is_some_and(|host| host.ends_with('.')) {
            maker.wrong(format!("`{name}` is not in the zone `{zone}`"), spec.key("name"));
        }
    }

    fn value(&self, maker: &mut Maker<'_>, spec: At<'_>) -> Option<RecordValue> {
        let known = ["target", "values", "alias"];
        if known.into_iter().filter(|field| spec.key(field).is_given()).count() != 1 {
            maker.wrong("a record set has exactly one of `target`, `values` and `alias`", spec);
            return None;
        }
        if let Some(alias) = &self.alias {
            if self.kind == RecordType::Cname {
                maker.wrong("an alias must be of type A or AAAA", spec.key("type"));
            }
            if spec.key("ttl").is_given() {
                maker.wrong("an alias must not set `ttl`: it has the TTL of its target", spec.key("ttl"));
            }
            return alias.alias(maker, spec.key("alias"));
        }
        let ttl = maker.number(self.ttl.as_ref(), TTL, 0..=MAX_TTL, spec.key("ttl"), "ttl");
        let mut values: Vec<Text> = Vec::new();
        let mut complete = true;
        let given: Vec<(&String, At<'_>)> = match (&self.target, &self.values) {
            (Some(target), _) => vec![(target, spec.key("target"))],
            (None, Some(list)) => list.iter().zip(spec.key("values").items()).collect(),
            (None, None) => Vec::new(),
        };
        for (text, at) in &given {
            let Some(value) = maker.open(text, *at) else {
                complete = false;
                continue;
            };
            if let Some(Err(why)) = value.as_literal().map(|text| self.is_value(text)) {
                maker.wrong(why, *at);
            }
            // As DNS has it; what is ASCII stays as it is written.
            let value = match value.as_literal().filter(|text| !text.is_ascii()) {
                Some(text) => Text::literal(DnsName::new(text).wire()),
                None => value,
            };
            if values.contains(&value) {
                maker.wrong(format!("`{value}` is listed twice"), *at);
            }
            values.push(value);
        }
        if given.is_empty() {
            maker.wrong("an empty record set would make the name unresolvable", spec.key("values"));
        }
        if self.kind == RecordType::Cname && given.len() > 1 {
            maker.wrong("a CNAME has exactly one value", spec.key("values"));
        }
        complete.then_some(RecordValue::Values { values, ttl })
    }

    fn is_value(&self, text: &str) -> Result<(), String> {
        let wrong = match self.kind {
            RecordType::A => text.parse::<Ipv4Addr>().err().map(|_| "is not an IPv4 address".to_owned()),
            RecordType::Aaaa => text.parse::<Ipv6Addr>().err().map(|_| "is not an IPv6 address".to_owned()),
            RecordType::Cname => DnsName::parse(text).err(),
        };
        wrong.map_or(Ok(()), |why| Err(format!("`{text}` {why}")))
    }

    fn routing(&self, maker: &mut Maker<'_>, spec: At<'_>) -> Option<Routing> {
        let id = self.id.as_ref().map(|text| maker.closed(text, spec.key("id")));
        if let Some(Some(id)) = &id
            && !(1..=128).contains(&id.chars().count())
        {
            maker.wrong("`id` must have 1 to 128 characters", spec.key("id"));
        }
        let weight = self.weight.as_ref();
        let weight = weight.map(|_| maker.number(weight, 0u8, 0..=255, spec.key("weight"), "weight"));
        let role = self.failover.as_ref();
        let default = FailoverRole::Primary;
        let role = role.map(|_| maker.choice(role, default, spec.key("failover"), "failover", &word));
        match (id, weight, role) {
            (_, Some(_), Some(_)) => {
                maker.wrong("set either `weight` or `failover`, not both", spec.key("failover"));
                None
            }
            (None, None, None) => Some(Routing::Simple),
            (Some(_), None, None) => {
                maker.wrong("`id` is only for record sets with `weight` or `failover`", spec.key("id"));
                None
            }
            (None, weight, _) => {
                let field = if weight.is_some() { "weight" } else { "failover" };
                let message = format!("`{field}` needs `id`, which distinguishes this record set from the others");
                let problem = maker.error("missing-field", message, spec.key(field));
                maker.add(problem);
                None
            }
            (Some(id), Some(weight), None) => Some(Routing::Weighted { id: id?, weight }),
            (Some(id), None, Some(role)) => Some(Routing::Failover { id: id?, role }),
        }
    }
}

impl AliasDocument {
    fn alias(&self, maker: &mut Maker<'_>, at: At<'_>) -> Option<RecordValue> {
        let dns_name = maker.open(&self.dns_name, at.key("dnsName")).map(folded);
        let wrong = |name: &str| DnsName::parse(name).err().map(|why| format!("`{name}` {why}"));
        if let Some(why) = dns_name.as_ref().and_then(Text::as_literal).and_then(wrong) {
            maker.wrong(why, at.key("dnsName"));
        }
        let zone = maker.open(&self.zone, at.key("zone")).map(folded);
        if let Some(zone) = zone.as_ref().and_then(Text::as_literal).filter(|zone| !is_zone_id(zone)) {
            let message = format!("`{zone}` is not a hosted zone ID");
            let problem = maker.error("invalid-value", message, at.key("zone"));
            maker.add(problem.help("for a load balancer, use its attribute `CanonicalHostedZoneID`"));
        }
        let evaluate_health = maker.flag(self.evaluate_health.as_ref(), at.key("evaluateHealth"), "evaluateHealth");
        Some(RecordValue::Alias { dns_name: dns_name?, zone: zone?, evaluate_health })
    }
}

/// A name as Route 53 compares it: in lower case and punycode, without the dot at its end. Ids of zones stay as they are.
fn folded(text: Text) -> Text {
    match text.as_literal() {
        Some(id) if is_zone_id(bare_zone(id)) => Text::literal(bare_zone(id)),
        Some(name) if !is_zone_id(name) => Text::literal(DnsName::new(name).to_string()),
        _ => text,
    }
}

/// `Z` and up to 31 capital letters and digits.
fn is_zone_id(text: &str) -> bool {
    (2..=32).contains(&text.len())
        && text.starts_with('Z')
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

/// Which record set it is: no two manifests may mean the same.
pub(super) fn identity(spec: &RecordSpec) -> String {
    let id = match &spec.routing {
        Routing::Simple => String::new(),
        Routing::Weighted { id, .. } | Routing::Failover { id, .. } => format!(" ({id})"),
    };
    format!("{} {} in zone {} of {}{id}", spec.kind.as_str(), spec.name, spec.zone, spec.scope.account)
}

/// Record sets that Route 53 does not take beside each other: of one name and type all are told apart in the same way,
/// and beside a CNAME there is nothing else.
pub(super) fn conflicts<'s>(records: impl Iterator<Item = (&'s RecordSpec, &'s Origin)>) -> Vec<(Problem, Key, Key)> {
    let mut first: BTreeMap<(String, &Text, &Text), Vec<&RecordSpec>> = BTreeMap::new();
    let mut problems = Vec::new();
    for (spec, origin) in records {
        let earlier = first.entry((spec.scope.account.to_string(), &spec.zone, &spec.name)).or_default();
        let conflict = earlier.iter().find_map(|other| {
            let cname = spec.kind == RecordType::Cname || other.kind == RecordType::Cname;
            let differ = std::mem::discriminant(&spec.routing) != std::mem::discriminant(&other.routing);
            match (spec.kind == other.kind, cname, differ) {
                (false, true, _) => Some((other, "a CNAME must be the only record of its name")),
                (true, _, true) => {
                    Some((other, "all record sets of the same name and type must have a `weight`, or all a `failover`"))
                }
                _ => None,
            }
        });
        if let Some((other, why)) = conflict {
            let message = format!("`{}` and `{}` conflict: {why}", spec.key, other.key);
            let problem = Problem::error("conflicting-records", message, &origin.file, origin.span);
            problems.push((problem, spec.key.clone(), other.key.clone()));
        }
        earlier.push(spec);
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_zones_are_told_from_domains() {
        assert!(is_zone_id("Z2FDTNDATAQYW2") && !is_zone_id("z2fdt") && !is_zone_id("Z"));
        assert_eq!(folded(Text::literal("API.Example.COM.")), Text::literal("api.example.com"));
        assert_eq!(folded(Text::literal("API.Bücher.example")), Text::literal("api.xn--bcher-kva.example"));
        assert_eq!(folded(Text::literal("Z2FDTNDATAQYW2")), Text::literal("Z2FDTNDATAQYW2"));
        assert_eq!(folded(Text::literal("/hostedzone/Z2FDTNDATAQYW2")), Text::literal("Z2FDTNDATAQYW2"));
    }
}

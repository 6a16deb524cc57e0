//! `DnsRecord`: what its documents become, and what is wrong with others.

use super::*;
use crate::model::{DeletionPolicy, FailoverRole, RecordSpec, RecordType, RecordValue, Routing};

const FULL: &str = "  \
  zone: Example.com.
  name: api.${env}.example.com
  type: CNAME
  target: '${stacks.network.outputs.VpcId}.example.com'
  ttl: 300
  weight: 10
  id: blue
  healthCheck: '${stacks.network.outputs.VpcId}'
  deletionPolicy: retain
  adopt: true
  dependsOn: [network]
";
const ALIAS: &str = "  \
  zone: example.com
  name: example.com
  type: A
  alias: { dnsName: lb-1.us-east-1.elb.amazonaws.com, zone: Z35SXDOTRQ7X7K, evaluateHealth: true }
  failover: primary
  id: east
";

/// A record `api` whose `spec` begins on line 5.
fn record(spec: &str) -> String {
    format!("apiVersion: landfast/v1\nkind: DnsRecord\nmetadata: {{ name: api }}\nspec:\n{spec}")
}

fn loaded(spec: &str, others: &[(&str, &str)]) -> Loaded {
    let record = record(spec);
    load_with(&[("stacks/api.yaml", record.as_str())].into_iter().chain(others.iter().copied()).collect::<Vec<_>>())
}

fn spec_of(loaded: &Loaded) -> RecordSpec {
    assert_eq!(said(loaded), [""; 0]);
    let environment = loaded.desired.environments.values().next().unwrap();
    environment.records.values().next().unwrap().as_ref().clone()
}

#[test]
fn a_record_says_all_that_it_can_say() {
    let spec = spec_of(&loaded(FULL, &[]));
    assert_eq!(spec.key.to_string(), "dev/dnsrecord/api");
    assert_eq!((spec.zone.as_literal(), spec.name.as_literal()), (Some("example.com"), Some("api.dev.example.com")));
    let RecordValue::Values { values, ttl } = &spec.value else { panic!("{:?}", spec.value) };
    assert_eq!((values[0].to_string().as_str(), *ttl), ("${stacks.network.outputs.VpcId}.example.com", 300));
    assert_eq!(
        (spec.kind, &spec.routing),
        (RecordType::Cname, &Routing::Weighted { id: "blue".to_owned(), weight: 10 })
    );
    assert!(spec.health_check.is_some() && spec.adopt);
    assert_eq!(spec.deletion_policy, DeletionPolicy::Retain);
    assert_eq!(spec.depends_on, BTreeSet::from(["dev/stack/network".parse().unwrap()]));
    assert_eq!(spec.scope.to_string(), "111122223333/us-east-1");
}

#[test]
fn an_alias_takes_part_in_a_failover_by_the_health_of_its_target() {
    let spec = spec_of(&loaded(ALIAS, &[]));
    assert!(matches!(&spec.value, RecordValue::Alias { evaluate_health: true, .. }));
    assert_eq!(spec.routing, Routing::Failover { id: "east".to_owned(), role: FailoverRole::Primary });
    let loaded = loaded(&ALIAS.replace(", evaluateHealth: true", ""), &[]);
    assert_eq!(said(&loaded), ["never-fails-over stacks/api.yaml:9:13 -"]);
    assert!(loaded.broken.is_empty());
}

#[test]
fn several_values_have_an_order_and_a_default_time_to_live() {
    let spec = spec_of(&loaded("  zone: Z2FDTNDATAQYW2\n  name: a.b\n  type: AAAA\n  values: ['::2', '::1']\n", &[]));
    assert_eq!(spec.zone.as_literal(), Some("Z2FDTNDATAQYW2"));
    let RecordValue::Values { values, ttl } = spec.value else { panic!() };
    assert_eq!((values.len(), values[0].as_literal(), ttl), (2, Some("::2"), 60));
    assert_eq!(spec.routing, Routing::Simple);
}

#[test]
fn wrong_records_are_told_what_is_wrong() {
    let target = "target: '${stacks.network.outputs.VpcId}.example.com'";
    let edits = [
        ("zone: Example.com.", "zone: example"),
        ("name: api.${env}.example.com", "name: api.example.org"),
        ("name: api.${env}.example.com", "name: 'a b.example.com'"),
        ("name: api.${env}.example.com", "name: example.com"),
        ("name: api.${env}.example.com", "name: badexample.com"),
        ("type: CNAME", "type: TXT"),
        (target, "values: [a.example.com, b.example.com]"),
        (target, "values: []"),
        (target, "values: ['']"),
        (target, "target: '1.2.3.4'\n  values: [a.b]"),
        (target, "value: a.example.com"),
        (target, "target: 'https://a.example.com'"),
        (target, "alias: { dnsName: a.example.com, zone: Z35SXDOTRQ7X7K }"),
        (
            "CNAME\n  target: '${stacks.network.outputs.VpcId}.example.com'",
            "A\n  values: [1.2.3.4, 1.2.3.256, 1.2.3.4, '::1']",
        ),
        ("CNAME\n  target: '${stacks.network.outputs.VpcId}.example.com'", "AAAA\n  target: 1.2.3.4"),
        (
            "CNAME\n  target: '${stacks.network.outputs.VpcId}.example.com'\n  ttl: 300",
            "A\n  alias: { dnsName: a, zone: example.com }",
        ),
        ("ttl: 300", "ttl: -1"),
        ("weight: 10", "weight: 256"),
        ("weight: 10", "weight: 1\n  failover: primary"),
        ("  id: blue\n", ""),
        ("  weight: 10\n", ""),
        ("weight: 10", "failover: first"),
        ("  adopt: true\n", "  region: us-east-1\n"),
    ];
    let variants: Vec<String> = edits
        .iter()
        .map(|(from, to)| {
            assert!(FULL.contains(from), "{from}");
            record(&FULL.replace(from, to))
        })
        .collect();
    insta::assert_snapshot!("wrong_records", table("stacks/api.yaml", &variants, &[]));
}

#[test]
fn records_that_cannot_be_beside_each_other_are_found() {
    let other = |from: &str, to: &str| record(FULL).replace("name: api }", "name: z }").replace(from, to);
    for (second, expected) in [
        (other("ttl", "ttl"), "duplicate-address stacks/z.yaml:6:9 -"),
        (other("  weight: 10\n  id: blue\n", ""), "conflicting-records stacks/z.yaml:6:9 -"),
        (
            other("CNAME\n  target: '${stacks.network.outputs.VpcId}.example.com'", "A\n  target: 1.2.3.4"),
            "conflicting-records stacks/z.yaml:6:9 -",
        ),
    ] {
        assert_eq!(said(&loaded(FULL, &[("stacks/z.yaml", &second)])), [expected]);
    }
    assert_eq!(said(&loaded(FULL, &[("stacks/z.yaml", &other("blue", "green"))])), [""; 0]);
}

fn told(loaded: &Loaded) -> Vec<String> {
    loaded.diagnostics.iter().map(ToString::to_string).collect()
}

#[test]
fn a_name_in_another_script_is_taken_as_its_punycode_and_said() {
    let spec = "  zone: bücher.example\n  name: '*.API.Bücher.example'\n  type: CNAME\n  target: straße.example\n";
    let loaded = loaded(spec, &[]);
    let problems = told(&loaded);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("*.api.xn--bcher-kva.example"), "{problems:?}");
    let environment = loaded.desired.environments.values().next().unwrap();
    let spec = environment.records.values().next().unwrap();
    assert_eq!(spec.zone.as_literal(), Some("xn--bcher-kva.example"));
    assert_eq!(spec.name.as_literal(), Some("*.api.xn--bcher-kva.example"));
    let RecordValue::Values { values, .. } = &spec.value else { panic!("{:?}", spec.value) };
    assert_eq!(values[0].as_literal(), Some("xn--strae-oqa.example"));
}

#[test]
fn a_name_that_dns_cannot_have_is_wrong_and_says_why() {
    let long = "ü".repeat(60);
    for (name, why) in [
        (format!("{long}.example.com"), "has a label of"),
        (format!("{}.example.com", "a".repeat(64)), "DNS allows at most 63"),
        (format!("{}example.com", format!("{}.", "a".repeat(61)).repeat(4)), "DNS allows at most 253"),
        ("https://api.example.com".to_owned(), "is not a domain name"),
    ] {
        let loaded = loaded(&format!("  zone: example.com\n  name: '{name}'\n  type: A\n  values: [192.0.2.1]\n"), &[]);
        let problems = told(&loaded);
        assert!(problems.iter().any(|problem| problem.contains(why)), "{name}: {problems:?}");
    }
}

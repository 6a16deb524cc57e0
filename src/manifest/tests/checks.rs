//! `ready:` of a stack: what its checks become, and what is wrong with others.

use std::time::Duration;

use super::*;
use crate::model::{Check, Readiness, Tls};

const PEM: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
const TEMPLATE: &str = "\
Parameters: { VpcId: { Type: String } }
Resources: { A: { Type: T } }
Outputs: { Url: { Value: a }, Group: { Value: b } }
";
const READY: &str = "  \
  ready:
    - { http: '${stacks.web.outputs.Url}/health', expect: 204, body: 'UP$', tls: { authority: ca.pem }, timeout: 2s, within: 90s }
    - { http: 'https://a/', tls: { skip: true } }
    - { service: { cluster: c, service: '${stacks.web.outputs.Url}' } }
    - { targets: { group: '${stacks.web.outputs.Group}', healthy: 2 } }
    - { alarm: '${env}-errors' }
";

fn ready(loaded: &Loaded) -> Vec<Readiness> {
    let environment = loaded.desired.environments.values().next().unwrap();
    environment.ready[&"dev/stack/web".parse().unwrap()].clone()
}

fn with(ready: &str) -> Vec<(&'static str, String)> {
    vec![
        ("stacks/web.tpl", TEMPLATE.to_owned()),
        ("stacks/ca.pem", PEM.to_owned()),
        ("stacks/key.pem", PEM.replace("CERTIFICATE", "PRIVATE KEY")),
        ("stacks/web.yaml", web(&format!("{GOOD}{ready}"))),
    ]
}

fn loaded(files: &[(&'static str, String)]) -> Loaded {
    load_with(&files.iter().map(|(path, text)| (*path, text.as_str())).collect::<Vec<_>>())
}

#[test]
fn a_stack_may_ask_for_anything_of_its_own_outputs_too() {
    let loaded = loaded(&with(READY));
    assert_eq!(said(&loaded), [""; 0]);
    let ready = ready(&loaded);
    let Check::Http(first) = &ready[0].check else { panic!("{ready:?}") };
    assert_eq!((first.url.to_string().as_str(), first.expect), ("${stacks.web.outputs.Url}/health", 204));
    assert_eq!((first.body.as_deref(), first.timeout), (Some("UP$"), Duration::from_secs(2)));
    assert_eq!((&first.tls, ready[0].within), (&Tls::Authority(PEM.into()), Duration::from_secs(90)));
    let Check::Http(second) = &ready[1].check else { panic!("{ready:?}") };
    assert_eq!((&second.tls, second.expect, ready[1].within), (&Tls::Skip, 200, Duration::from_mins(5)));
    assert!(matches!(&ready[2].check, Check::ServiceSteady { cluster, .. } if cluster.as_literal() == Some("c")));
    assert!(matches!(&ready[3].check, Check::Targets { healthy: 2, .. }));
    assert!(matches!(&ready[4].check, Check::Alarm { name } if name.as_literal() == Some("dev-errors")));
    assert_eq!(stack(&loaded, "dev/stack/web").depends_on, BTreeSet::from(["dev/stack/network".parse().unwrap()]));
}

#[test]
fn a_check_of_another_stack_waits_for_it_and_closes_circles() {
    let network =
        NETWORK.replace("network.tpl }", "network.tpl, ready: [{ http: 'http://${stacks.web.outputs.Url}' }] }");
    let files = with(READY).into_iter().chain([("stacks/network.yaml", network)]).collect::<Vec<_>>();
    assert_eq!(said(&loaded(&files)), ["cycle stacks/network.yaml:4:56 -"]);
    let files: Vec<_> = files
        .into_iter()
        .map(|(path, text)| (path, text.replace("'${stacks.network.outputs.VpcId}'", "vpc-1")))
        .collect();
    let loaded = loaded(&files);
    assert_eq!(said(&loaded), [""; 0]);
    assert_eq!(stack(&loaded, "dev/stack/network").depends_on, BTreeSet::from(["dev/stack/web".parse().unwrap()]));
}

#[test]
fn wrong_checks_are_told_what_is_wrong() {
    let checks = [
        "{}",
        "{ within: 5m }",
        "{ http: 'http://a', alarm: b }",
        "{ alarm: b, expect: 200, timeout: 1s }",
        "{ http: a.example.com }",
        "{ http: '' }",
        "{ http: 'http://a', expect: 99 }",
        "{ http: 'http://a', expect: ok }",
        "{ http: 'http://a', tls: { skip: true } }",
        "{ http: 'https://a', tls: { skip: true, authority: ca.pem } }",
        "{ http: 'https://a', tls: { authority: key.pem } }",
        "{ http: 'https://a', tls: { authority: web.tpl } }",
        "{ http: 'https://a', tls: { authority: none.pem } }",
        "{ http: 'https://a', body: '[' }",
        "{ http: 'https://a', timeout: 5m }",
        "{ http: 'https://a', within: 0s }",
        "{ http: 'https://${stacks.wep.outputs.Url}' }",
        "{ service: { cluster: c } }",
        "{ targets: { group: g, healthy: 0 } }",
        "{ alrm: x }",
        "http",
    ];
    let files = with("");
    let others: Vec<(&str, &str)> = files
        .iter()
        .filter(|(path, _)| *path != "stacks/web.yaml")
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    let variants: Vec<String> = checks.iter().map(|check| web(&format!("{GOOD}  ready: [{check}]\n"))).collect();
    insta::assert_snapshot!("wrong_checks", table("stacks/web.yaml", &variants, &others));
}

//! Consent covers content (invariant S22): whatever a manifest says is part of the digest that a person approves, or is
//! listed here as something that changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use landfast::manifest::{Severity, schemas};
use landfast::model::Digest;
use landfast::sabotage::{self, Bug};
use landfast::sim::SimConfig;
use serde_json::{Value, json};

use crate::stage::{self, Stage};

const TEMPLATE: &str = "Parameters: { Size: { Type: String, Default: small }, Key: { Type: String, NoEcho: true, Default: none }, \
    Image: { Type: String, Default: none }, Sidecar: { Type: String, Default: none } }\n\
    Resources: { Topic: { Type: AWS::SNS::Topic, Properties: { DisplayName: !Ref Size } } }\nOutputs: { Name: { Value: !Ref Topic } }\n";

/// The documents that are changed, one field at a time. Each says everything that can be said beside each other.
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn documents() -> BTreeMap<&'static str, Value> {
    let document = |kind: &str, name: &str, spec: Value| json!({ "apiVersion": "landfast/v1", "kind": kind, "metadata": { "name": name }, "spec": spec });
    let image = |service: &str, select: Value| {
        let mut image = json!({ "repository": "app", "soak": "5m", "allow": ["1.*"], "deny": ["0.*"] });
        image.as_object_mut().unwrap().extend(select.as_object().unwrap().clone());
        json!({ "cluster": "main", "service": service, "images": { "app": image } })
    };
    BTreeMap::from([
        (
            "environment",
            document(
                "Environment",
                "dev",
                json!({
                    "system": "app", "account": "111122223333", "region": "us-east-1", "include": ["app"],
                    "role": { "arn": "arn:aws:iam::111122223333:role/ops", "externalId": "one", "sessionName": "landfast" },
                    "values": { "size": "small" }, "tags": { "Team": "one" }, "templateBucket": "templates-one",
                    "policy": { "mode": "approve", "prune": "confirm", "replace": "deny" },
                }),
            ),
        ),
        (
            "stack",
            document(
                "Stack",
                "base",
                json!({
                    "stackName": "dev-base", "template": "base.tpl",
                    "parameters": { "Size": "${values.size}", "Key": "secret" }, "capabilities": ["CAPABILITY_IAM"],
                    "tags": { "Tier": "one" }, "roleArn": "arn:aws:iam::111122223333:role/one", "dependsOn": [],
                    "terminationProtection": true, "stackPolicy": "one.json",
                    "onFailure": "rollback", "timeout": "10m",
                    "rollbackAlarms": ["arn:aws:cloudwatch:us-east-1:111122223333:alarm:one"], "monitoringTime": "5m",
                    "notifications": ["arn:aws:sns:us-east-1:111122223333:one"], "deletionPolicy": "delete",
                    "adopt": false, "drift": { "action": "report" },
                }),
            ),
        ),
        ("second", document("Stack", "second", json!({ "template": "base.tpl" }))),
        (
            "service",
            document(
                "Service",
                "web",
                image("web", json!({ "registry": "111122223333", "semver": ">=1", "moved": "report" })),
            ),
        ),
        ("newest", document("Service", "new", image("new", json!({ "newest": { "pattern": "1.*", "by": "pushed" } })))),
        (
            "delivered",
            document(
                "Service",
                "of-stack",
                json!({
                    "cluster": "main", "service": "two",
                    "images": { "app": { "repository": "app", "tag": "one" } },
                    "deliver": { "stack": "base", "parameters": { "app": "Image" } },
                    "rollout": { "timeout": "15m", "onFailure": "rollback" }, "keepRevisions": 5, "adopt": false,
                    "dependsOn": [],
                }),
            ),
        ),
        (
            "secret",
            document(
                "Secret",
                "made",
                json!({
                    "name": "dev/made", "description": "one", "kmsKey": "alias/one",
                    "generate": { "password": { "length": 32, "charset": "hex" } }, "tags": { "Tier": "one" },
                    "resourcePolicy": "one.json",
                    "replicas": { "eu-west-1": { "kmsKey": "alias/one" } },
                    "rotate": { "every": "30d", "restart": ["web"] }, "deletionPolicy": "delete", "recoveryWindow": "7d",
                    "adopt": false, "dependsOn": [],
                }),
            ),
        ),
        ("external", document("Secret", "other", json!({ "name": "dev/other", "external": true }))),
        (
            "record",
            document(
                "DnsRecord",
                "web",
                json!({
                    "zone": "example.com", "name": "web.example.com", "type": "A", "values": ["192.0.2.1"], "ttl": 60,
                    "id": "one", "weight": 10, "healthCheck": "11111111-1111-1111-1111-111111111111",
                    "deletionPolicy": "delete", "adopt": false, "dependsOn": [],
                }),
            ),
        ),
        (
            "alias",
            document(
                "DnsRecord",
                "alias",
                json!({
                    "zone": "example.com", "name": "alias.example.com", "type": "A", "id": "one", "failover": "primary",
                    "alias": { "dnsName": "lb.example.com", "zone": "Z1", "evaluateHealth": false },
                }),
            ),
        ),
        (
            "backup",
            document(
                "BackupPolicy",
                "tables",
                json!({
                    "tables": { "names": ["one", "two"], "except": ["two"] }, "pointInTimeRecovery": { "window": "35d" },
                    "deletionProtection": true, "schedule": "0 3 * * *", "timezone": "Europe/Berlin",
                    "retention": { "last": 3, "daily": 7, "weekly": 4, "monthly": 12, "minAge": "2d", "keepVerified": 2 },
                    "vault": { "name": "one", "role": "arn:aws:iam::111122223333:role/one" }, "copyTo": { "eu-west-1": "one" },
                    "verify": { "every": "7d", "sample": 10, "point": "newest", "tolerance": 1 },
                    "objectives": { "rto": "1h", "rpo": "1d" }, "dependsOn": [],
                }),
            ),
        ),
    ])
}

/// One change of one field: the document, where in its `spec`, and what it says then (`null`: nothing).
type Change = (&'static str, &'static str, Value);

/// What moves the digest: a change for every field of every kind.
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn changes() -> Vec<Change> {
    let role = "arn:aws:iam::111122223333:role/two";
    vec![
        ("environment", "system", json!("other")),
        ("environment", "account", json!("444455556666")),
        ("environment", "region", json!("us-west-2")),
        ("environment", "values/size", json!("large")),
        ("environment", "tags/Team", json!("two")),
        ("stack", "stackName", json!("dev-other")),
        ("stack", "template", json!("other.tpl")),
        ("stack", "parameters/Size", json!("large")),
        ("stack", "parameters/Key", json!("other secret")),
        ("stack", "parameters/Key", json!({ "previous": true })),
        ("stack", "capabilities/0", json!("CAPABILITY_NAMED_IAM")),
        ("stack", "tags/Tier", json!("two")),
        ("second", "region", json!("us-west-2")),
        ("stack", "roleArn", json!(role)),
        ("stack", "dependsOn", json!(["secret/made"])),
        ("stack", "terminationProtection", json!(false)),
        ("stack", "stackPolicy", json!("two.json")),
        ("stack", "onFailure", json!("nothing")),
        ("stack", "timeout", json!("20m")),
        ("stack", "rollbackAlarms/0", json!("arn:aws:cloudwatch:us-east-1:111122223333:alarm:two")),
        ("stack", "monitoringTime", json!("6m")),
        ("stack", "notifications/0", json!("arn:aws:sns:us-east-1:111122223333:two")),
        ("stack", "deletionPolicy", json!("retain")),
        ("stack", "adopt", json!(true)),
        ("stack", "drift/action", json!("revert")),
        ("service", "cluster", json!("other")),
        ("service", "service", json!("other")),
        ("service", "region", json!("us-west-2")),
        ("service", "images/app/repository", json!("other")),
        ("service", "images/app/registry", json!("444455556666")),
        ("service", "images/app/semver", json!(">=2")),
        ("service", "images/app/soak", json!("6m")),
        ("service", "images/app/prereleases", json!(true)),
        ("service", "images/app/allow/0", json!("2.*")),
        ("service", "images/app/deny/0", json!("1.*")),
        ("service", "images/app/moved", json!("deploy")),
        ("newest", "images/app/newest/pattern", json!("2.*")),
        ("newest", "images/app/newest/by", json!("numerical")),
        ("delivered", "images/app/tag", json!("two")),
        ("delivered", "images/app", json!({ "repository": "app", "digest": format!("sha256:{}", "1".repeat(64)) })),
        ("delivered", "deliver/stack", json!("second")),
        ("delivered", "deliver/parameters/app", json!("Sidecar")),
        ("delivered", "rollout/timeout", json!("20m")),
        ("delivered", "rollout/onFailure", json!("report")),
        ("delivered", "keepRevisions", json!(6)),
        ("delivered", "adopt", json!(true)),
        ("delivered", "dependsOn", json!(["secret/made"])),
        ("secret", "name", json!("dev/renamed")),
        ("secret", "description", json!("two")),
        ("secret", "kmsKey", json!("alias/two")),
        ("secret", "generate/password/length", json!(33)),
        ("secret", "generate/password/charset", json!("digits")),
        ("secret", "tags/Tier", json!("two")),
        ("secret", "resourcePolicy", json!("two.json")),
        ("secret", "replicas/eu-west-1/kmsKey", json!("alias/two")),
        ("secret", "rotate/every", json!("31d")),
        ("secret", "rotate/restart", json!([])),
        ("secret", "rotate/check", json!({ "http": "https://example.com/" })),
        ("secret", "deletionPolicy", json!("retain")),
        ("secret", "recoveryWindow", json!("8d")),
        ("secret", "region", json!("us-west-2")),
        ("secret", "adopt", json!(true)),
        ("secret", "dependsOn", json!(["stack/base"])),
        ("external", "external", json!(null)),
        ("record", "zone", json!("web.example.com")),
        ("record", "name", json!("other.example.com")),
        ("record", "type", json!("CNAME")),
        ("record", "values/0", json!("192.0.2.2")),
        ("record", "target", json!("other.example.com")),
        ("record", "ttl", json!(61)),
        ("record", "id", json!("two")),
        ("record", "weight", json!(11)),
        ("record", "healthCheck", json!("21111111-1111-1111-1111-111111111111")),
        ("record", "deletionPolicy", json!("retain")),
        ("record", "adopt", json!(true)),
        ("record", "dependsOn", json!(["stack/base"])),
        ("alias", "failover", json!("secondary")),
        ("alias", "alias/dnsName", json!("other.example.com")),
        ("alias", "alias/zone", json!("Z2")),
        ("alias", "alias/evaluateHealth", json!(true)),
        ("backup", "tables/names/0", json!("three")),
        ("backup", "tables/except/0", json!("one")),
        ("backup", "tables", json!({ "prefix": "one" })),
        ("backup", "tables", json!({ "tagged": { "Tier": "one" } })),
        ("backup", "tables", json!({ "stack": "base" })),
        ("backup", "pointInTimeRecovery/window", json!("34d")),
        ("backup", "deletionProtection", json!(false)),
        ("backup", "schedule", json!("0 4 * * *")),
        ("backup", "timezone", json!("UTC")),
        ("backup", "retention/last", json!(4)),
        ("backup", "retention/daily", json!(8)),
        ("backup", "retention/weekly", json!(5)),
        ("backup", "retention/monthly", json!(13)),
        ("backup", "retention/minAge", json!("3d")),
        ("backup", "retention/keepVerified", json!(3)),
        ("backup", "vault/name", json!("two")),
        ("backup", "vault/role", json!(role)),
        ("backup", "copyTo/eu-west-1", json!("two")),
        ("backup", "verify/every", json!("8d")),
        ("backup", "verify/sample", json!(11)),
        ("backup", "verify/point", json!("random")),
        ("backup", "verify/tolerance", json!(2)),
        ("backup", "objectives/rto", json!("2h")),
        ("backup", "objectives/rpo", json!("2d")),
        ("backup", "region", json!("us-west-2")),
        ("backup", "dependsOn", json!(["stack/base"])),
    ]
}

/// Fields that are not part of the digest, each with the reason.
const NOTHING: &[(&str, &str)] = &[
    // How the account is entered, and not what is done there: another account is another address.
    ("environment", "role"),
    ("environment", "role/arn"),
    ("environment", "role/externalId"),
    ("environment", "role/sessionName"),
    // Which files are read: what they say is in the digest.
    ("environment", "include"),
    ("environment", "parameters"),
    // Where a template is put on its way; what is deployed from it is compared.
    ("environment", "templateBucket"),
    // What may be done without being asked. What was approved stays what it is.
    ("environment", "policy"),
    ("environment", "policy/mode"),
    ("environment", "policy/prune"),
    ("environment", "policy/replace"),
    // When dependants may go on. Nothing is written because of it.
    ("*", "ready"),
    ("service", "health"),
    // What is put up with is left alone; a revert names what it writes.
    ("stack", "drift/ignore"),
    // Which other registries are asked whether they have the image: it is reported, and changes no choice.
    ("service", "images/app/alsoIn"),
    // The sealed value has tests of its own: it needs a key (`sealed_secrets`).
    ("secret", "sealed"),
];

/// The digest of the plan for an account in which there is nothing.
fn digest(documents: &BTreeMap<&'static str, Value>, template: &str) -> Result<Digest, String> {
    let stage = Stage::new("us-east-1", "2026-01-01T00:00:00Z", SimConfig::default());
    let mut files: BTreeMap<String, String> = documents
        .iter()
        .map(|(name, document)| {
            let directory = if *name == "environment" { "" } else { "app/" };
            (format!("{directory}{name}.yaml"), document.to_string())
        })
        .collect();
    files.insert("app/base.tpl".to_owned(), template.to_owned());
    files.insert("app/other.tpl".to_owned(), TEMPLATE.replace("DisplayName", "TopicName"));
    for (name, effect) in [("one", "Allow"), ("two", "Deny")] {
        let statement = json!({ "Effect": effect, "Action": "Update:*", "Principal": "*", "Resource": "*" });
        files.insert(format!("app/{name}.json"), json!({ "Statement": [statement] }).to_string());
    }
    let loaded = stage::load(&stage.store(), files);
    let errors = loaded.diagnostics.iter().filter(|found| found.severity == Severity::Error);
    let errors: Vec<_> = errors.map(|found| found.message.clone()).collect();
    if errors.is_empty() { Ok(stage.plan(|_| loaded.desired).digest) } else { Err(errors.join("; ")) }
}

/// The documents with one field changed.
fn changed(documents: &BTreeMap<&'static str, Value>, (document, path, to): &Change) -> BTreeMap<&'static str, Value> {
    let mut documents = documents.clone();
    let (above, name) = path.rsplit_once('/').map_or(("", *path), |(above, name)| (above, name));
    let pointer = if above.is_empty() { "/spec".to_owned() } else { format!("/spec/{above}") };
    let parent = documents.get_mut(document).unwrap().pointer_mut(&pointer).unwrap_or_else(|| panic!("{path}"));
    match (parent, name.parse::<usize>()) {
        (Value::Array(items), Ok(at)) => items[at] = to.clone(),
        (Value::Object(fields), _) if to.is_null() => _ = fields.remove(name),
        (Value::Object(fields), _) => _ = fields.insert(name.to_owned(), to.clone()),
        (other, _) => panic!("{path}: {other}"),
    }
    // What cannot stand beside it goes.
    let also: &[&str] = match (*document, *path) {
        ("record", "type") => &["values", "ttl"],
        ("record", "target") => &["values"],
        _ => &[],
    };
    let spec = documents.get_mut(document).unwrap()["spec"].as_object_mut().unwrap();
    for field in also {
        spec.remove(*field);
    }
    match (*document, *path) {
        ("record", "type") => _ = spec.insert("target".to_owned(), json!("x.example.com")),
        ("record", "target") => _ = spec.insert("type".to_owned(), json!("CNAME")),
        ("external", "external") => _ = spec.insert("generate".to_owned(), json!({ "a": {} })),
        _ => {}
    }
    documents
}

#[test]
fn whatever_a_manifest_says_moves_the_digest_that_a_person_approves() {
    let documents = documents();
    let before = digest(&documents, TEMPLATE).unwrap();
    assert_eq!(before, digest(&documents, TEMPLATE).unwrap(), "the same revision and the same state have one digest");
    let mut wrong = Vec::new();
    for change in changes() {
        match digest(&changed(&documents, &change), TEMPLATE) {
            Err(why) => wrong.push(format!("{change:?} does not load: {why}")),
            Ok(after) if after == before => wrong.push(format!("{change:?} is not part of the digest")),
            Ok(_) => {}
        }
    }
    for (what, template) in [
        ("a resource", TEMPLATE.replace("DisplayName", "TopicName")),
        ("a comment: what is approved is what is sent", format!("# changed\n{TEMPLATE}")),
    ] {
        if digest(&documents, &template).unwrap() == before {
            wrong.push(format!("the template: {what} is not part of the digest"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_digest_of_names_alone_would_be_found() {
    let documents = documents();
    sabotage::plant(Some(Bug::ConsentToNames));
    let before = digest(&documents, TEMPLATE).unwrap();
    let same = |change: &&Change| digest(&changed(&documents, change), TEMPLATE).is_ok_and(|after| after == before);
    let missed = changes().iter().filter(same).count();
    sabotage::plant(None);
    assert!(missed > 10, "only {missed} changes go unseen");
}

/// A property of the schemas that no change above touches, and that is not excused, is one that nobody has thought about.
#[test]
fn every_field_of_every_kind_is_either_changed_or_excused() {
    let kinds = [
        ("environment.json", &["environment"][..]),
        ("stack.json", &["stack", "second"]),
        ("service.json", &["service", "newest", "delivered"]),
        ("secret.json", &["secret", "external"]),
        ("dnsrecord.json", &["record", "alias"]),
        ("backuppolicy.json", &["backup"]),
    ];
    let mut forgotten = Vec::new();
    for (file, documents) in kinds {
        let touched: BTreeSet<String> = changes()
            .iter()
            .filter(|(document, ..)| documents.contains(document))
            .flat_map(|(_, path, to)| {
                let inside = to.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect::<Vec<_>>();
                path.split('/').map(str::to_owned).chain(inside).collect::<Vec<_>>()
            })
            .collect();
        let excused = |name: &str| {
            NOTHING.iter().any(|(document, path)| {
                (*document == "*" || documents.contains(document)) && path.rsplit('/').next() == Some(name)
            })
        };
        let schema = &schemas()[file];
        let definitions = schema["$defs"].as_object().unwrap();
        // Those of checks, which decide when dependants go on, and of policy, which decides what needs no approval.
        let beside = ["Check", "Health", "Tls", "EcsService", "Targets", "Tolerance", "Metadata", "KeptValue"];
        let beside = |name: &str| beside.contains(&name) || name.starts_with("Policy") || name.ends_with("Budget");
        for (definition, properties) in definitions.iter().filter(|(name, _)| !beside(name)) {
            if ["BudgetSpec", "StatefulSpec", "WindowSpec", "TimesSpec", "ApprovalsSpec"].contains(&definition.as_str())
            {
                continue;
            }
            for name in properties["properties"].as_object().into_iter().flatten().map(|(name, _)| name) {
                if !touched.contains(name) && !excused(name) {
                    forgotten.push(format!("{file}: {definition}.{name}"));
                }
            }
        }
    }
    assert!(forgotten.is_empty(), "no change, and no reason: {forgotten:#?}");
}

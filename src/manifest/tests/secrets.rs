//! `Secret`: what its documents become, what is wrong with others, and that none of them shows a value.

use std::time::Duration;

use super::*;
use crate::model::{Charset, DeletionPolicy, GeneratedField, SecretSource, SecretSpec};

const POLICY: &str = r#"{"Version": "2012-10-17", "Statement": []}"#;
const FULL: &str = "  \
  name: ${env}/shop/app
  description: What the application signs with.
  kmsKey: '${stacks.network.outputs.VpcId}'
  generate: { jwt-secret: { length: 64, charset: base64url }, pin: { charset: digits }, db: {} }
  tags: { Team: '${stacks.network.outputs.VpcId}' }
  resourcePolicy: policy.json
  replicas: { us-west-2: { kmsKey: alias/app }, eu-west-1: {} }
  rotate: { every: 30d, restart: [api], check: { http: 'https://${values.domain}/login', expect: 401, body: '^no' } }
  deletionPolicy: delete
  recoveryWindow: 7d
  adopt: true
  dependsOn: [network]
";
const API: &str = "apiVersion: landfast/v1\nkind: Service\nmetadata: { name: api }\nspec: { cluster: c, service: s, images: { a: { repository: web, tag: x } }, dependsOn: [secret/app] }\n";

/// A secret `app` whose `spec` begins on line 5.
fn secret(spec: &str) -> String {
    format!("apiVersion: landfast/v1\nkind: Secret\nmetadata: {{ name: app }}\nspec:\n{spec}")
}

/// The text of a sealed file. Nobody kept the key.
fn sealed() -> String {
    let key = age::x25519::Identity::generate().to_public();
    age::encrypt_and_armor(&key, b"{}").unwrap()
}

fn files<'f>(secret: &'f str, others: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
    let base = [("stacks/policy.json", POLICY), ("stacks/api.yaml", API), ("stacks/app.yaml", secret)];
    base.into_iter().chain(others.iter().copied()).collect()
}

fn loaded(spec: &str, others: &[(&str, &str)]) -> Loaded {
    load_with(&files(&secret(spec), others))
}

fn spec_of(loaded: &Loaded) -> SecretSpec {
    let environment = loaded.desired.environments.values().next().unwrap();
    environment.secrets.values().next().unwrap().as_ref().clone()
}

#[test]
fn a_secret_says_all_that_it_can_say() {
    let loaded = loaded(FULL, &[]);
    assert_eq!(said(&loaded), [""; 0]);
    let spec = spec_of(&loaded);
    assert_eq!((spec.key.to_string().as_str(), spec.name.as_str()), ("dev/secret/app", "dev/shop/app"));
    assert_eq!(spec.description.as_deref(), Some("What the application signs with."));
    assert_eq!(spec.kms_key.unwrap().to_string(), "${stacks.network.outputs.VpcId}");
    let field = |length, charset| GeneratedField { length, charset };
    let fields = [
        ("jwt-secret", field(64, Charset::Base64url)),
        ("pin", field(32, Charset::Digits)),
        ("db", field(32, Charset::Alphanumeric)),
    ];
    assert_eq!(spec.source, SecretSource::Generated(fields.map(|(name, field)| (name.to_owned(), field)).into()));
    assert_eq!(spec.tags.len(), 2);
    assert_eq!(spec.resource_policy.as_deref(), Some(POLICY));
    let replicas: Vec<(String, Option<String>)> = spec
        .replicas
        .unwrap()
        .into_iter()
        .map(|(region, key)| (region.to_string(), key.map(|key| key.to_string())))
        .collect();
    assert_eq!(replicas, [("eu-west-1".to_owned(), None), ("us-west-2".to_owned(), Some("alias/app".to_owned()))]);
    let rotation = spec.rotation.unwrap();
    assert_eq!(rotation.every, Duration::from_hours(30 * 24));
    assert_eq!(rotation.restart, BTreeSet::from(["dev/service/api".parse().unwrap()]));
    let check = rotation.check.unwrap().probe;
    assert_eq!(
        (check.url.as_literal(), check.expect, check.body.as_deref()),
        (Some("https://dev.example.com/login"), 401, Some("^no"))
    );
    assert_eq!((spec.deletion_policy, spec.recovery_days, spec.adopt), (DeletionPolicy::Delete, 7, true));
    // The service that is restarted waits for the secret, and not the other way round.
    assert_eq!(spec.depends_on, BTreeSet::from(["dev/stack/network".parse().unwrap()]));
}

#[test]
fn a_secret_is_kept_unless_its_manifest_says_otherwise() {
    let sealed = sealed();
    let loaded = loaded("  sealed: app.age\n", &[("stacks/app.age", &sealed)]);
    assert_eq!(said(&loaded), [""; 0]);
    let spec = spec_of(&loaded);
    assert_eq!(
        (spec.name.as_str(), spec.deletion_policy, spec.recovery_days),
        ("dev/shop/app", DeletionPolicy::Retain, 30)
    );
    assert_eq!((&spec.description, &spec.resource_policy, &spec.replicas), (&None, &None, &None));
    let SecretSource::Sealed(file) = &spec.source else { panic!("{:?}", spec.source) };
    assert_eq!((&*file.file, &*file.ciphertext), ("stacks/app.age", sealed.as_str()));
    let other = super::secrets::sealed();
    let again = load_with(&files(&secret("  sealed: app.age\n"), &[("stacks/app.age", &other)]));
    assert_ne!(spec_of(&again).digest, spec.digest);
    let external = super::secrets::loaded("  external: true\n", &[]);
    assert_eq!(said(&external), [""; 0]);
    assert_eq!(spec_of(&external).source, SecretSource::External);
}

#[test]
fn what_a_rotation_asks_is_no_dependency_and_its_environment_is_loaded() {
    let stack = web(&format!("{GOOD}  dependsOn: [secret/app]\n"));
    let template = format!("{WEB_TEMPLATE}Outputs: {{ Url: {{ Value: x }} }}\n");
    let spec = FULL.replace("https://${values.domain}/", "${stacks.web.outputs.Url}/");
    let loaded = loaded(&spec, &[("stacks/web.yaml", &stack), ("stacks/web.tpl", &template)]);
    assert_eq!(said(&loaded), [""; 0]);
    let spec = FULL.replace("https://${values.domain}/", "${stacks.web.outputs.Uri}/");
    let loaded = super::secrets::loaded(&spec, &[("stacks/web.tpl", &template)]);
    assert_eq!(said(&loaded), ["unknown-output stacks/app.yaml:12:57 did you mean `Url`?"]);
}

#[test]
fn wrong_secrets_are_told_what_is_wrong() {
    let edits = [
        ("  name: ${env}/shop/app\n", "  name: 'a b'\n"),
        ("  generate:", "  sealed: app.age\n  generate:"),
        ("  generate: { jwt-secret: { length: 64, charset: base64url }, pin: { charset: digits }, db: {} }\n", ""),
        (
            "generate: { jwt-secret: { length: 64, charset: base64url }, pin: { charset: digits }, db: {} }",
            "external: true",
        ),
        (
            "generate: { jwt-secret: { length: 64, charset: base64url }, pin: { charset: digits }, db: {} }",
            "external: false",
        ),
        ("length: 64", "length: 0"),
        ("length: 64", "length: 1025"),
        ("jwt-secret:", "'jwt secret':"),
        ("charset: digits", "charset: digit"),
        ("policy.json", "polizy.json"),
        ("eu-west-1: {}", "us-east-1: {}"),
        ("{ us-west-2: { kmsKey: alias/app }, eu-west-1: {} }", "[us-west-2, us-west-2, west]"),
        ("every: 30d", "every: 5m"),
        ("every: 30d, ", ""),
        ("restart: [api]", "restart: [app]"),
        ("https://", "https://me:pass@"),
        ("https://", "ftp://"),
        ("body: '^no'", "body: '(no'"),
        ("body: '^no'", "tls: {}"),
        ("recoveryWindow: 7d", "recoveryWindow: 6d"),
        ("recoveryWindow: 7d", "recoveryWindow: 180h"),
        ("deletionPolicy: delete", "deletionPolicy: forget"),
        ("dependsOn: [network]", "dependsOn: [service/app]"),
    ];
    let variants: Vec<String> = edits
        .iter()
        .map(|(from, to)| {
            assert!(FULL.contains(from), "{from}");
            secret(&FULL.replace(from, to))
        })
        .collect();
    let others = [("stacks/policy.json", POLICY), ("stacks/api.yaml", API)];
    insta::assert_snapshot!("wrong_secrets", table("stacks/app.yaml", &variants, &others));
}

#[test]
fn a_file_that_is_not_sealed_is_refused() {
    let sealed = sealed();
    let cut = &sealed[..sealed.len() / 2];
    for (text, expected) in [("hunter2", "not encrypted"), (cut, "damaged")] {
        let loaded = loaded("  sealed: app.age\n", &[("stacks/app.age", text)]);
        assert_eq!(said(&loaded), ["not-sealed stacks/app.yaml:5:11 -"]);
        assert!(loaded.diagnostics[0].message.contains(expected), "{:?}", loaded.diagnostics);
        assert!(!rendered(&loaded).contains("hunter2"));
    }
}

#[test]
fn two_manifests_do_not_mean_one_secret() {
    let other = secret(FULL).replace("name: app }", "name: other }");
    let loaded = loaded(FULL, &[("stacks/other.yaml", &other)]);
    assert_eq!(said(&loaded), ["duplicate-address stacks/other.yaml:5:9 -"]);
}

/// Invariant S12.
#[test]
fn a_value_that_somebody_wrote_into_a_manifest_is_shown_nowhere() {
    let canary = "c4n4ry";
    let generated = "  generate: { a: {} }\n";
    let mut cases: Vec<String> = ["value", "values", "plain", "data", "stringData", "secretString", "walue", "pw"]
        .iter()
        .flat_map(|field| {
            [
                format!("  {field}: {canary}\n{generated}"),
                format!("{generated}  {field}: {{ password: {canary} }}\n"),
                format!("{generated}  {field}:\n    password: |\n      {canary}: {canary}\n      {canary}\n"),
                format!("{generated}  {field}: [{canary}, 'a: {canary}']\n"),
                format!("{generated}  {field}: a\n  {field}: {canary}\n"),
            ]
        })
        .map(|spec| secret(&spec))
        .collect();
    for field in
        ["sealed", "external", "generate", "rotate", "replicas", "recoveryWindow", "deletionPolicy", "tags", "adopt"]
    {
        cases.push(secret(&format!("  {field}: {canary}\n")));
        cases.push(secret(&format!("{generated}  {field}: {canary}\n")));
        cases.push(secret(&format!("  {field}: {canary}\n  {field}: {canary}\n")));
    }
    for field in ["length", "charset", "value"] {
        cases.push(secret(&format!("  generate: {{ a: {{ {field}: {canary} }} }}\n")));
    }
    let full = secret(&format!("  value: {canary}\n"));
    cases.extend([
        secret(&format!("{generated}  generate: {{ a: {canary} }}\n")),
        secret(&format!("  # {canary}\n  sealed: x # {canary}\n")),
        secret(&format!("  value: !secret {canary}\n")),
        secret(&format!("  value: '{canary}\n")),
        secret(&format!("  value: [{canary}\n  - {canary}: ]\n{canary}\n")),
        full.replace("spec:", &format!("stringData: {{ a: {canary} }}\nspec:")),
        full.replace("{ name: app }", &format!("{{ name: app, annotations: {{ last: {canary} }} }}")),
        full.replace("kind: Secret", "kind: Sercet"),
        full.replace("kind: Secret", "kind: Stack"),
        full.replace("landfast/v1", "landfast/v2"),
        format!("{NETWORK}---\n{}", full.replace("apiVersion: landfast/v1\n", "")),
        full.replace("kind: Secret\n", ""),
        full.replace("name: app", "name: App"),
        full.replace("  value", "<<<<<<< HEAD\n  value"),
        format!(
            "{{ apiVersion: landfast/v1, kind: Secret, metadata: {{ name: app }}, spec: {{ value: {canary} }} }}\n"
        ),
        format!("{NETWORK}---\n{{ apiVersion: landfast/v1, kind: Secret, spec: {{ value: {canary} }}\n"),
    ]);
    for case in &cases {
        for path in ["stacks/app.yaml", "nowhere/app.yaml"] {
            let loaded = load_with(&[(path, case)]);
            assert!(!loaded.diagnostics.is_empty(), "{case}");
            let json = serde_json::to_string(&loaded.diagnostics).unwrap();
            let shown = format!("{}{json}{:?}", rendered(&loaded), loaded.desired);
            assert!(!shown.contains(canary), "{case}\n{shown}");
        }
    }
    // Every one of those fields is called by its name.
    for field in ["value", "values", "plain", "data", "stringData", "secretString"] {
        let loaded = load_with(&[("stacks/app.yaml", &secret(&format!("{generated}  {field}: {canary}\n")))]);
        assert_eq!(said(&loaded), ["secret-in-plain-text stacks/app.yaml:6:3 -"]);
    }
}

/// Invariant S12: the same for a parameter that is there twice, and for a stack that nobody includes.
#[test]
fn a_parameter_that_no_template_knows_is_shown_nowhere() {
    let canary = "c4n4ry";
    let stack = "apiVersion: landfast/v1\nkind: Stack\nmetadata: { name: x }\nspec: { template: t, parameters: { P: c4n4ry } }\n";
    let twice = web(&format!("{GOOD}    Password: {canary}\n    Password: {canary}\n"));
    for (path, text) in [("nowhere/x.yaml", stack), ("stacks/web.yaml", &twice), ("nowhere/web.yaml", &twice)] {
        let shown = rendered(&load_with(&[(path, text)]));
        assert!(!shown.is_empty() && !shown.contains(canary), "{shown}");
    }
}

#[test]
fn the_snippet_of_a_secret_shows_its_fields_and_not_what_they_hold() {
    let loaded = loaded("  generate: { a: {} }\n  stringData:\n    password: hunter2\n", &[]);
    insta::assert_snapshot!("rendered_secret", rendered(&loaded));
}

#[test]
fn the_arn_of_a_secret_can_be_referred_to_and_is_waited_for() {
    let with = |service: &str| {
        let api = API.replace("service: s", &format!("service: '{service}'")).replace(", dependsOn: [secret/app]", "");
        load_with(&[("stacks/policy.json", POLICY), ("stacks/api.yaml", &api), ("stacks/app.yaml", &secret(FULL))])
    };
    let loaded = with("${secrets.app.arn}");
    assert_eq!(said(&loaded), [""; 0]);
    let spec = loaded.desired.environments.values().next().unwrap().services.values().next().unwrap().clone();
    assert_eq!(spec.service.to_string(), "${secrets.app.arn}");
    assert_eq!(spec.depends_on, [spec_of(&loaded).key].into());
    for (wrong, code) in [("${secrets.apq.arn}", "unknown-object"), ("${secrets.app.value}", "unknown-reference")] {
        let said = said(&with(wrong));
        assert!(said.len() == 1 && said[0].starts_with(code), "{wrong}: {said:?}");
    }
}

#[test]
fn a_sealed_file_is_held_against_the_recipients_that_policy_allows() {
    let key = age::x25519::Identity::generate().to_public();
    let sealed = age::encrypt_and_armor(&key, b"{}").unwrap();
    let record = crate::manifest::recipients_record(&sealed, &[key.to_string()]);
    let other = age::x25519::Identity::generate().to_public().to_string();
    let load = |allowed: &str, record: Option<&str>| {
        let environment = ENV.replace("spec:", &format!("spec:\n  policy: {{ sealRecipients: [{allowed}] }}"));
        let secret = secret("  sealed: app.age\n");
        let mut all = files(&secret, &[("stacks/app.age", &sealed)]);
        all.extend(record.map(|record| ("stacks/app.age.recipients", record)));
        all.push(("env.yaml", &environment));
        said(&load_with(&all))
    };
    assert_eq!(load(key.to_string().as_str(), Some(&record)), [""; 0]);
    for (allowed, record) in [(&other, Some(record.as_str())), (&other, None), (&key.to_string(), None)] {
        assert_eq!(load(allowed, record), ["recipients stacks/app.yaml:5:11 -"]);
    }
    assert!(load("hunter2", Some(&record)).iter().any(|said| said.starts_with("invalid-value")));
}

#[test]
fn a_secret_of_an_aws_service_can_be_named_as_somebody_elses_and_not_as_ours() {
    for name in ["rds!cluster-1fcd41b2-194a-4993-930a-423037e3d94b", "events!connection/orders/0a1b", "appflow!x"] {
        let document = secret(&format!("  name: '{name}'\n  external: true\n"));
        let loaded = load_with(&files(&document, &[]));
        assert_eq!(said(&loaded), [""; 0]);
        let environment = loaded.desired.environments.values().next().unwrap();
        assert_eq!(environment.secrets.values().next().unwrap().name, name);
        let document = secret(&format!("  name: '{name}'\n  generate: {{ token: {{}} }}\n"));
        let wrong = said(&load_with(&files(&document, &[])));
        assert!(wrong.iter().any(|problem| problem.contains("invalid-value")), "{wrong:?}");
    }
}

//! Whole loads: what is wrong is said where it stands, and what is right becomes a desired state.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use miette::{GraphicalReportHandler, GraphicalTheme};
use proptest::prelude::*;

use super::*;

mod backups;
mod checks;
mod floor;
mod inputs;
mod presence;
mod records;
mod references;
mod schemas;
mod secrets;
mod services;

use crate::model::{FileContent, Key, Parameter, Revision, Snapshot, StackSpec};

const ENV: &str = "\
apiVersion: landfast/v1
kind: Environment
metadata: { name: dev }
spec:
  system: shop
  account: \"111122223333\"
  region: us-east-1
  include: [stacks]
  parameters: dev.json
  values: { domain: dev.example.com, size: { web: 2 } }
  tags: { Environment: '${env}', Team: core }
";
const PARAMETERS: &str = r#"{"Parameters": {"Env": "dev"}}"#;
const NETWORK: &str = "\
apiVersion: landfast/v1
kind: Stack
metadata: { name: network }
spec: { template: network.tpl }
";
const NETWORK_TEMPLATE: &str = "\
Parameters: { Env: { Type: String } }
Resources: { Vpc: { Type: AWS::EC2::VPC } }
Outputs:
  VpcId: { Value: !Ref Vpc, Export: { Name: !Sub '${Env}-VpcId-${AWS::Region}' } }
";
const WEB_TEMPLATE: &str = "\
Parameters:
  VpcId: { Type: String }
  Count: { Type: Number, Default: 1, AllowedValues: [1, 2, 3] }
  Zones: { Type: CommaDelimitedList, Default: a }
  Name: { Type: String, Default: web, AllowedPattern: '[a-z]+' }
  Password: { Type: String, Default: none, NoEcho: true, AllowedPattern: '.{6,}' }
Resources: { Service: { Type: AWS::ECS::Service } }
";

fn web(spec: &str) -> String {
    format!("apiVersion: landfast/v1\nkind: Stack\nmetadata: {{ name: web }}\nspec:\n  template: web.tpl\n{spec}")
}

const GOOD: &str = "  parameters:\n    VpcId: '${stacks.network.outputs.VpcId}'\n";

fn snapshot(files: &[(&str, &str)]) -> Snapshot {
    let good = web(GOOD);
    let base = [
        ("env.yaml", ENV),
        ("dev.json", PARAMETERS),
        ("stacks/network.yaml", NETWORK),
        ("stacks/network.tpl", NETWORK_TEMPLATE),
        ("stacks/web.yaml", good.as_str()),
        ("stacks/web.tpl", WEB_TEMPLATE),
    ];
    let files: BTreeMap<String, FileContent> = base
        .iter()
        .chain(files)
        .map(|(path, content)| ((*path).to_owned(), FileContent::Bytes(content.as_bytes().into())))
        .collect();
    Snapshot::new("manifests", files, None)
}

fn load_snapshot(snapshot: &Snapshot) -> Loaded {
    load(snapshot, Revision { sequence: 1, content: snapshot.content.clone(), commit: None })
}

fn load_with(files: &[(&str, &str)]) -> Loaded {
    load_snapshot(&snapshot(files))
}

fn stack(loaded: &Loaded, key: &str) -> StackSpec {
    let key: Key = key.parse().unwrap();
    loaded.desired.environments[&key.environment].stacks[&key].as_ref().clone()
}

/// Code, file, line, column and help of every diagnostic.
fn said(loaded: &Loaded) -> Vec<String> {
    let one = |diagnostic: &Diagnostic| {
        let first = diagnostic.help.as_deref().and_then(|help| help.lines().next());
        let help = first.filter(|help| help.starts_with("did you")).unwrap_or("-");
        let place = (diagnostic.line.unwrap_or(0), diagnostic.column.unwrap_or(0));
        format!("{} {}:{}:{} {help}", diagnostic.code, diagnostic.file.as_deref().unwrap_or("-"), place.0, place.1)
    };
    loaded.diagnostics.iter().map(one).collect()
}

#[track_caller]
fn assert_said(files: &[(&str, &str)], expected: &[&str]) {
    let loaded = load_with(files);
    assert_eq!(said(&loaded), expected, "{:#?}", loaded.diagnostics);
}

/// Every diagnostic of each of these variants of one file, in full, for a golden file.
fn table(path: &str, variants: &[String], others: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for variant in variants {
        let files: Vec<(&str, &str)> = others.iter().copied().chain([(path, variant.as_str())]).collect();
        let loaded = load_with(&files);
        let spec = variant.lines().skip(4).collect::<Vec<_>>().join("\n");
        let _ = writeln!(text, "{spec}");
        for diagnostic in &loaded.diagnostics {
            let place = (diagnostic.line.unwrap_or(0), diagnostic.column.unwrap_or(0));
            let file = diagnostic.file.as_deref().filter(|file| *file != path).unwrap_or("");
            let _ = writeln!(text, "=> {} {file}:{}:{} {}", diagnostic.code, place.0, place.1, diagnostic.message);
            if let Some(help) = &diagnostic.help {
                let _ = writeln!(text, "   {help}");
            }
        }
        assert!(!loaded.diagnostics.is_empty(), "nothing is wrong with\n{variant}");
        let _ = writeln!(text);
    }
    text
}

/// The same for the `spec` of the stack `web`, whose fields begin on line 6.
#[track_caller]
fn assert_web(spec: &str, expected: &[&str]) {
    assert_said(&[("stacks/web.yaml", &web(spec))], expected);
}

fn rendered(loaded: &Loaded) -> String {
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(100);
    loaded.diagnostics.iter().fold(String::new(), |mut text, diagnostic| {
        handler.render_report(&mut text, diagnostic).unwrap();
        text
    })
}

#[test]
fn good_manifests_become_a_desired_state() {
    let loaded = load_with(&[(
        "stacks/web.yaml",
        &web(
            "  parameters:\n    VpcId: '${stacks.network.outputs.VpcId}'\n    Zones: [a, b]\n    Name: web\n    Count: ${values.size.web}\n  \
             tags: { Team: web, Note: '$${kept}', Version: 1.10 }\n  terminationProtection: true\n  timeout: 60m\n  monitoringTime: 5m\n  \
             onFailure: delete\n  deletionPolicy: retain\n  capabilities: [CAPABILITY_IAM]\n  adopt: true\n  region: eu-west-1\n",
        ),
    )]);
    assert_eq!(said(&loaded), [""; 0]);
    assert_eq!((loaded.found, loaded.broken.len()), (3, 0));
    let web = stack(&loaded, "dev/stack/web");
    assert_eq!(web.stack_name.as_str(), "dev-shop-web");
    assert_eq!(web.scope.to_string(), "111122223333/eu-west-1");
    let shown = |name: &str| match &web.parameters[name] {
        Parameter::Plain(text) => text.to_string(),
        Parameter::NoEcho(_) => "secret".to_owned(),
        Parameter::Previous => "previous".to_owned(),
    };
    assert_eq!(shown("VpcId"), "${stacks.network.outputs.VpcId}");
    assert_eq!((shown("Zones").as_str(), shown("Count").as_str()), ("a,b", "2"));
    let tags: BTreeMap<&str, String> = web.tags.iter().map(|(key, text)| (key.as_str(), text.to_string())).collect();
    assert_eq!(tags["Team"], "web");
    assert_eq!(tags["Environment"], "dev");
    assert_eq!(tags["Note"], "${kept}");
    assert_eq!(tags["Version"], "1.10");
    assert!(web.termination_protection && web.adopt);
    assert_eq!(web.timeout, Some(std::time::Duration::from_hours(1)));
    assert_eq!(web.monitoring_minutes, Some(5));
    assert_eq!(web.depends_on, BTreeSet::from(["dev/stack/network".parse().unwrap()]));
    let network = stack(&loaded, "dev/stack/network");
    assert!(matches!(&network.parameters["Env"], Parameter::Plain(text) if text.as_literal() == Some("dev")));
    let policy = &loaded.desired.environments.values().next().unwrap().policy;
    assert_eq!((policy.budget.stacks, policy.budget.replacements, policy.budget.deletions), (50, 0, 0));
    assert!(policy.stateful_types.contains("AWS::DynamoDB::Table"));
}

#[test]
fn unknown_fields_and_wrong_types_are_all_reported_with_suggestions() {
    assert_web(
        &format!("{GOOD}  capabilites: []\n  timeout: [1]\n  onFailure: rolback\n  tags: 3\n"),
        &[
            "unknown-field stacks/web.yaml:8:3 did you mean `capabilities`?",
            "wrong-type stacks/web.yaml:9:3 -",
            "invalid-value stacks/web.yaml:10:14 did you mean `rollback`?",
            "wrong-type stacks/web.yaml:11:9 -",
        ],
    );
    assert_said(
        &[("env.yaml", &ENV.replace("\"111122223333\"", "111122223333").replace("  system: shop\n", ""))],
        &["missing-field env.yaml:4:1 -", "wrong-type env.yaml:5:12 -"],
    );
    assert_said(
        &[("env.yaml", &format!("{ENV}  policy: {{ mode: aply, budget: {{ per: soon }} }}\n"))],
        &["invalid-value env.yaml:12:19 did you mean `apply`?"],
    );
    assert_said(
        &[("env.yaml", &format!("{ENV}  policy: {{ stackName: '(', budget: {{ per: soon }} }}\n"))],
        &["invalid-value env.yaml:12:24 -", "invalid-value env.yaml:12:44 -"],
    );
    assert_said(
        &[("env.yaml", &ENV.replace("us-east-1", "us-east"))],
        &["invalid-value env.yaml:7:11 did you mean `us-east-1`?"],
    );
    assert_web(&format!("{GOOD}  windows: []\n"), &["unknown-field stacks/web.yaml:8:3 -"]);
    assert_web(&format!("{GOOD}  timeout: 10s\n"), &["invalid-value stacks/web.yaml:8:12 -"]);
    assert_web(
        &format!("{GOOD}  capabilities: [CAPABILITY_NAMED_IMA]\n"),
        &["invalid-value stacks/web.yaml:8:18 did you mean `CAPABILITY_NAMED_IAM`?"],
    );
}

#[test]
fn versions_and_kinds_that_are_not_known_are_named_with_those_that_are() {
    for (from, to, expected) in [
        ("landfast/v1", "landfast/v2", "unknown-api-version stacks/network.yaml:1:13 -"),
        ("landfast/v1", "landfst/v1", "unknown-api-version stacks/network.yaml:1:13 -"),
        ("kind: Stack", "kind: Stak", "unknown-kind stacks/network.yaml:2:7 did you mean `Stack`?"),
        ("kind: Stack\n", "", "missing-field stacks/network.yaml:1:1 -"),
    ] {
        let loaded = load_with(&[("stacks/network.yaml", &NETWORK.replace(from, to))]);
        assert!(said(&loaded).contains(&expected.to_owned()), "{:?}", said(&loaded));
    }
    let other = "apiVersion: apps/v1\nkind: Deployment\n";
    assert_said(&[("stacks/other.yaml", other), ("values.yaml", "a: b")], &[]);
}

#[test]
fn keys_and_objects_that_are_there_twice_are_reported_at_the_second() {
    assert_web(&format!("{GOOD}  timeout: 5m\n  timeout: 6m\n"), &["duplicate-key stacks/web.yaml:9:3 -"]);
    assert_said(&[("stacks/z.yaml", NETWORK)], &["duplicate-object stacks/z.yaml:3:19 -"]);
    assert_said(&[("z.yaml", ENV)], &["duplicate-object z.yaml:3:19 -"]);
    assert_web(&format!("{GOOD}  stackName: dev-shop-network\n"), &["duplicate-stack-name stacks/web.yaml:5:13 -"]);
}

#[test]
fn parameters_are_held_against_the_template() {
    for (spec, expected) in [
        ("    Cuont: 2\n", "unknown-parameter stacks/web.yaml:8:5 did you mean `Count`?"),
        ("    Count: 5\n", "parameter-not-allowed stacks/web.yaml:8:12 -"),
        ("    Count: many\n", "parameter-not-allowed stacks/web.yaml:8:12 -"),
        ("    Name: Web1\n", "parameter-not-allowed stacks/web.yaml:8:11 -"),
        ("    Name: [a, b]\n", "wrong-type stacks/web.yaml:8:5 -"),
    ] {
        assert_web(&format!("{GOOD}{spec}"), &[expected]);
    }
    let neither = ["missing-field stacks/web.yaml:8:5 -", "unknown-field stacks/web.yaml:8:13 -"];
    assert_web(&format!("{GOOD}    Name: {{ a: b }}\n"), &neither);
    assert_web("", &["missing-parameter stacks/web.yaml:5:13 -"]);
    assert_said(
        &[("dev.json", r#"{"Parameters": {"Env": "dev", "Sise": "x"}}"#)],
        &["unused-parameter dev.json:1:31 -"],
    );
    assert_said(
        &[
            ("stacks/web.tpl", &WEB_TEMPLATE.replace("[a-z]+", "(?=w)[a-z]+")),
            ("stacks/web.yaml", &web(&format!("{GOOD}    Name: web\n"))),
        ],
        &["pattern-not-checked stacks/web.yaml:8:11 -"],
    );
}

#[test]
fn files_that_cannot_be_read_are_reported_to_those_who_need_them() {
    let mut files = snapshot(&[]).files;
    files.insert("stacks/big.yaml".to_owned(), FileContent::TooLarge(2_000_000));
    files.insert("elsewhere/big.yaml".to_owned(), FileContent::TooLarge(2_000_000));
    files.insert("stacks/latin.yaml".to_owned(), FileContent::Bytes(b"apiVersion: landfast/v1\nx: \xe9\n"[..].into()));
    let loaded = load_snapshot(&Snapshot::new("manifests", files, None));
    assert_eq!(
        said(&loaded),
        [
            "file-too-large elsewhere/big.yaml:1:1 -",
            "file-too-large stacks/big.yaml:1:1 -",
            "not-utf8 stacks/latin.yaml:2:4 -"
        ]
    );
    assert_eq!(loaded.diagnostics[0].severity, Severity::Warning);
    assert_eq!(loaded.broken.len(), 1);
}

#[test]
fn what_is_not_yaml_says_so_and_a_conflict_is_called_one() {
    assert_said(&[("stacks/z.yaml", "apiVersion: landfast/v1\nkind: [Stack\n")], &["syntax stacks/z.yaml:3:1 -"]);
    let conflict = NETWORK.replace("spec:", "<<<<<<< HEAD\nspec:") + "=======\nspec: {}\n>>>>>>> other\n";
    assert_said(&[("stacks/network.yaml", &conflict)], &["conflict-marker stacks/network.yaml:4:1 -"]);
    let bomb = (1..9).fold("a: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, level| {
        let alias = format!("*a{}", level - 1);
        format!("{text}b{level}: &a{level} [{}]\n", [alias.as_str(); 10].join(", "))
    });
    let loaded = load_with(&[("stacks/z.yaml", &format!("apiVersion: landfast/v1\n{bomb}"))]);
    assert!(said(&loaded)[0].starts_with("alias-expansion stacks/z.yaml:6:"), "{:?}", said(&loaded));
    let deep = format!("apiVersion: landfast/v1\nx: {}\n", "[".repeat(150));
    assert_eq!(said(&load_with(&[("stacks/z.yaml", &deep)])), ["nesting stacks/z.yaml:2:103 -"]);
}

#[test]
fn templates_and_parameter_files_are_reported_where_they_are_wrong() {
    assert_said(
        &[("stacks/web.yaml", &web(GOOD).replace("web.tpl", "wob.tpl"))],
        &["template-not-found stacks/web.yaml:5:13 did you mean `web.tpl`?"],
    );
    assert_said(&[("stacks/web.tpl", "Resources:\n  A: { Typ: x }\n")], &["template stacks/web.tpl:2:3 -"]);
    assert_said(
        &[("env.yaml", &ENV.replace("dev.json", "dex.json"))],
        &["file-not-found env.yaml:9:15 did you mean `dev.json`?"],
    );
    assert_said(&[("dev.json", "{\"Env\": \"dev\"}")], &["parameter-file dev.json:1:1 -"]);
    assert_said(
        &[("env.yaml", &ENV.replace("[stacks]", "[stakcs]"))],
        &["include-not-found env.yaml:8:13 did you mean `stacks`?"],
    );
    assert_said(&[("other/web.yaml", NETWORK)], &["unused-manifest other/web.yaml:3:19 -"]);
    assert_web(&format!("{GOOD}  stackPolicy: nothing.json\n"), &["file-not-found stacks/web.yaml:8:16 -"]);
}

#[test]
fn a_revision_without_an_environment_is_an_error() {
    let empty = Snapshot::new("manifests", BTreeMap::new(), None);
    let loaded = load_snapshot(&empty);
    assert_eq!(said(&loaded), ["no-environment -:0:0 -"]);
    assert_eq!((loaded.found, loaded.diagnostics[0].severity), (0, Severity::Error));
}

#[test]
fn both_shapes_of_parameter_files_give_the_same_stacks() {
    let list = r#"[{"ParameterKey": "Env", "ParameterValue": "dev"}]"#;
    let (one, two) = (load_with(&[]), load_with(&[("dev.json", list)]));
    assert_eq!(said(&two), [""; 0]);
    assert_eq!(format!("{:?}", one.desired.environments), format!("{:?}", two.desired.environments));
}

#[test]
fn the_same_problem_in_two_environments_is_said_once() {
    let prod = ENV.replace("name: dev", "name: prod");
    let loaded =
        load_with(&[("prod.yaml", &prod), ("stacks/web.yaml", &web("  parameters: { VpcId: '${values.x}' }\n"))]);
    assert_eq!(loaded.diagnostics.len(), 2);
    let loaded = load_with(&[("prod.yaml", &prod), ("stacks/web.yaml", &web("  tmeout: 5m\n"))]);
    assert_eq!(loaded.diagnostics.len(), 1);
    assert_eq!(loaded.diagnostics[0].environments.len(), 2);
}

#[test]
fn a_parameter_can_stay_what_it_is_and_that_is_no_value() {
    let with = |kept: &str| load_with(&[("stacks/web.yaml", &web(&format!("{GOOD}    Password: {kept}\n")))]);
    let loaded = with("{ previous: true }");
    assert_eq!(said(&loaded), [""; 0]);
    assert!(matches!(stack(&loaded, "dev/stack/web").parameters["Password"], Parameter::Previous));
    for wrong in ["{ previous: false }", "{ previous: yes }", "{ previuos: true }", "{ previous: true, a: b }", "{}"] {
        assert!(!with(wrong).broken.is_empty(), "{wrong} was taken");
    }
}

/// Invariant S12.
#[test]
fn the_value_of_a_no_echo_parameter_is_shown_nowhere() {
    let canary = "c4n4ry";
    let secret = format!("{GOOD}    Password: {canary}\n");
    let loaded = load_with(&[("stacks/web.yaml", &web(&secret))]);
    assert!(
        matches!(&stack(&loaded, "dev/stack/web").parameters["Password"], Parameter::NoEcho(value) if value.expose() == canary)
    );
    assert!(!format!("{loaded:?}").contains(canary));
    let strict = WEB_TEMPLATE.replace(".{6,}", "[0-9]{12}");
    let file = format!(r#"{{"Parameters": {{"Env": "dev", "Password": "{canary}", "Other": "{canary}"}}}}"#);
    let from_values = ENV.replace("domain: dev.example.com", &format!("domain: {canary}"));
    let files: Vec<Vec<(&str, String)>> = vec![
        // It is not allowed, from each place it can come from.
        vec![("stacks/web.yaml", web(&secret)), ("stacks/web.tpl", strict.clone())],
        vec![("dev.json", file.clone()), ("stacks/web.tpl", strict.clone())],
        vec![
            ("env.yaml", from_values.replace("Team: core", "Team: '${values.nope}'")),
            ("stacks/web.yaml", web(&format!("{GOOD}    Password: 'x${{values.domain}}'\n"))),
        ],
        // Something else is wrong beside it.
        vec![("stacks/web.yaml", web(&format!("{secret}    Nmae: x\n")))],
        vec![("stacks/web.yaml", web(&format!("{secret}    Name: {{ a: 1 }}\n")))],
        vec![("stacks/web.yaml", web(&secret)), ("stacks/web.tpl", "Resources: [".to_owned())],
        vec![("stacks/web.yaml", web(&secret.replace("Password", "Pasword")))],
        vec![("stacks/web.yaml", web(&format!("{secret}  timeout: [\n")))],
        vec![("stacks/web.yaml", web(&format!("  parameters: {{ Password: {canary}, VpcId: [ }}\n  timeout: ]\n")))],
        vec![("dev.json", format!("{file}]"))],
        vec![
            ("dev.json", file.clone()),
            ("stacks/network.tpl", NETWORK_TEMPLATE.replace("Env: {", "Password: { Type: Number }, Env: {")),
        ],
        // It would go where it is shown.
        vec![
            ("dev.json", file.clone()),
            ("stacks/web.yaml", web(&format!("{GOOD}  tags: {{ a: '${{parameters.Password}}' }}\n"))),
        ],
    ];
    for case in files {
        let borrowed: Vec<(&str, &str)> = case.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let loaded = load_with(&borrowed);
        assert!(!loaded.diagnostics.is_empty(), "{case:?}");
        let json = serde_json::to_string(&loaded.diagnostics).unwrap();
        let shown = format!("{}{json}", rendered(&loaded));
        assert!(!shown.contains(canary), "{shown}");
    }
    let loaded = load_with(&[
        ("dev.json", &file),
        ("stacks/web.yaml", &web(&format!("{GOOD}  tags: {{ a: 'x ${{parameters.Password}}' }}\n"))),
    ]);
    assert!(said(&loaded).contains(&"secret-in-plain-text stacks/web.yaml:8:17 -".to_owned()), "{:?}", said(&loaded));
}

#[test]
fn diagnostics_render_with_a_snippet_and_serialise_without_it() {
    let loaded = load_with(&[(
        "stacks/web.yaml",
        &web(
            "  parameters:\n    VpcId: 'a ${stacks.network.outputs.VpcID}'\n    Passwrd: hunter2\n  dependsOn: [web]\n",
        ),
    )]);
    insta::assert_snapshot!("rendered", rendered(&loaded));
    insta::assert_snapshot!("serialised", serde_json::to_string_pretty(&loaded.diagnostics).unwrap());
    let loaded = load_with(&[("stacks/web.yaml", &web("  tmeout: 5m\n  onFailure: rolback\n"))]);
    insta::assert_snapshot!("rendered_schema", rendered(&loaded));
}

#[test]
fn ten_thousand_stacks_load_quickly() {
    let mut text = String::new();
    let mut files = snapshot(&[]).files;
    for number in 0..10_000 {
        let _ = write!(
            text,
            "---\napiVersion: landfast/v1\nkind: Stack\nmetadata: {{ name: s{number} }}\n\
             spec: {{ template: web.tpl, parameters: {{ VpcId: '${{stacks.network.outputs.VpcId}}' }} }}\n"
        );
        if number % 100 == 99 {
            files.insert(
                format!("stacks/many{number}.yaml"),
                FileContent::Bytes(std::mem::take(&mut text).into_bytes().into()),
            );
        }
    }
    let snapshot = Snapshot::new("manifests", files, None);
    let started = std::time::Instant::now();
    let loaded = load_snapshot(&snapshot);
    assert_eq!(loaded.found, 10_003);
    assert_eq!(loaded.desired.environments.values().next().unwrap().stacks.len(), 10_002);
    assert!(started.elapsed() < std::time::Duration::from_secs(20));
}

#[test]
fn more_objects_than_can_be_looked_at_are_refused_before_they_are_made() {
    let stack = |number| {
        format!(
            "---\napiVersion: landfast/v1\nkind: Stack\nmetadata: {{ name: s{number} }}\nspec: {{ template: web.tpl }}\n"
        )
    };
    let file = |text: String| FileContent::Bytes(text.into_bytes().into());
    let mut files = BTreeMap::from([("stacks/many.yaml".to_owned(), file((0..1_000).map(stack).collect()))]);
    for number in 0..151 {
        let environment = format!(
            "apiVersion: landfast/v1\nkind: Environment\nmetadata: {{ name: e{number} }}\nspec:\n  system: shop\n  \
             account: \"111122223333\"\n  region: us-east-1\n  include: [../stacks]\n"
        );
        files.insert(format!("environments/e{number}.yaml"), file(environment));
    }
    let loaded = load_snapshot(&Snapshot::new("manifests", files, None));
    assert!(loaded.desired.environments.is_empty());
    let said = loaded.diagnostics.iter().find(|one| one.code == "too-many-objects").unwrap();
    assert!(said.message.contains("151000 objects; the limit is 150000"), "{}", said.message);
}

proptest! {
    #[test]
    fn no_edit_of_a_manifest_makes_the_loader_panic(which in 0usize..6, cut in 0usize..700, insert in "[\\PC\n\t]{0,8}", drop in 0usize..30) {
        let mut files = snapshot(&[]).files;
        let path = files.keys().nth(which).unwrap().clone();
        let FileContent::Bytes(bytes) = &files[&path] else { unreachable!() };
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let chars: Vec<char> = text.chars().collect();
        let at = cut % (chars.len() + 1);
        let rest = (at + drop).min(chars.len());
        let edited: String = chars[..at].iter().copied().chain(insert.chars()).chain(chars[rest..].iter().copied()).collect();
        files.insert(path, FileContent::Bytes(edited.into_bytes().into()));
        let snapshot = Snapshot::new("manifests", files, None);
        let (one, two) = (load_snapshot(&snapshot), load_snapshot(&snapshot));
        prop_assert_eq!(format!("{:?}", one.desired), format!("{:?}", two.desired));
        let _ = rendered(&one);
        prop_assert!(one.broken.is_empty() || one.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error));
    }
}

//! What the operator allows, held against what manifests ask for, with the place where they do.

use super::*;
use crate::model::{DriftAction, Mode, Prune, Replace};
use crate::operator;

/// What comes of the base files and these under this configuration.
fn load_under_with(files: &[(&str, &str)], configuration: &str) -> Loaded {
    let snapshot = snapshot(files);
    let operator = operator::read("landfast.toml", configuration).unwrap();
    load_under(&snapshot, Revision { sequence: 1, content: snapshot.content.clone(), commit: None }, &operator)
}

const ALL: &str = "[[environment]]\nname = ['*']\n";

fn env(policy: &str) -> String {
    format!("{ENV}  policy:\n{policy}")
}

#[test]
fn a_policy_is_cut_and_every_cut_is_said_where_it_was_asked_for() {
    let asks = env("    mode: apply\n    prune: always\n    replace: allow\n    budget: { deletions: 9 }\n    \
                    statefulTypes: { remove: [AWS::DynamoDB::Table] }\n");
    let configuration = format!(
        "{ALL}mode = 'approve'\nprune = 'confirm'\nreplace = 'approve'\nbudget = {{ deletions = 1 }}\nrequiredTags = ['Team']\n"
    );
    let loaded = load_under_with(&[("env.yaml", &asks)], &configuration);
    assert_eq!(
        said(&loaded),
        [
            "limited env.yaml:13:11 -",
            "limited env.yaml:14:12 -",
            "limited env.yaml:15:14 -",
            "limited env.yaml:16:26 -",
            "limited env.yaml:17:5 -"
        ],
        "{:#?}",
        loaded.diagnostics
    );
    assert!(loaded.diagnostics.iter().all(|diagnostic| diagnostic.severity == Severity::Warning));
    assert!(loaded.diagnostics[1].message.contains("landfast.toml:4"), "{}", loaded.diagnostics[1].message);
    let environment = loaded.desired.environments.values().next().unwrap();
    let policy = &environment.policy;
    assert_eq!((policy.mode, policy.prune, policy.replace), (Mode::Approve, Prune::Confirm, Replace::Approve));
    assert_eq!(policy.budget.deletions, 1);
    assert!(policy.stateful_types.contains("AWS::DynamoDB::Table") && policy.required_tags.contains("Team"));
    assert_eq!(environment.limits.cuts.len(), 5);
    // What asks for less is left alone.
    let less = env("    mode: observe\n    prune: never\n    replace: deny\n");
    let loaded = load_under_with(&[("env.yaml", &less)], &configuration);
    assert_eq!(said(&loaded), [""; 0]);
}

#[test]
fn what_is_not_allowed_is_an_error_where_it_is_named() {
    for (configuration, place) in [
        ("accounts = ['4444*']", "not-allowed env.yaml:6:12 -"),
        ("regions = ['eu-*']", "not-allowed env.yaml:7:11 -"),
        ("systems = ['people']", "not-allowed env.yaml:5:11 -"),
        ("roles = []", "not-allowed env.yaml:4:1 -"),
        ("manifests = ['stacks/*']", "not-allowed env.yaml:3:19 -"),
        ("manifests = ['env.yaml', 'stacks/web*']", "not-allowed env.yaml:8:3 -"),
        ("stackNames = ['prod-*', 'dev-shop-web']", "not-allowed stacks/network.yaml:4:1 -"),
    ] {
        let loaded = load_under_with(&[], &format!("{ALL}{configuration}\n"));
        assert_eq!(
            said(&loaded).first().map(String::as_str),
            Some(place),
            "{configuration}: {:#?}",
            loaded.diagnostics
        );
        assert!(loaded.desired.environments.is_empty(), "{configuration}");
    }
    let nobody = load_under_with(&[], "[[environment]]\nname = ['prod']\n");
    assert_eq!(said(&nobody), ["not-allowed env.yaml:3:19 -"]);
    assert!(nobody.desired.environments.is_empty());
}

#[test]
fn objects_stay_where_the_operator_lets_them_be() {
    let secret = |spec: &str| format!("apiVersion: landfast/v1\nkind: Secret\nmetadata: {{ name: s }}\nspec:\n{spec}");
    let replica = secret("  generate: { a: {} }\n  replicas: [us-west-2, eu-west-1]\n");
    let configuration = format!("{ALL}regions = ['us-*']\nroles = ['arn:aws:iam::111122223333:role/landfast']\n");
    let with_role =
        ENV.replace("  region: us-east-1\n", "  region: us-east-1\n  role: arn:aws:iam::111122223333:role/landfast\n");
    let load =
        |file: &str, text: &str| said(&load_under_with(&[("env.yaml", &with_role), (file, text)], &configuration));
    assert_eq!(load("stacks/s.yaml", &replica), ["not-allowed stacks/s.yaml:6:3 -"]);
    let away = web(&format!("  region: eu-west-1\n{GOOD}"));
    assert_eq!(load("stacks/web.yaml", &away)[0], "not-allowed stacks/web.yaml:6:11 -");
    // A stack's own role can do what Landfast's cannot.
    let admin = web(&format!("  roleArn: arn:aws:iam::111122223333:role/admin\n{GOOD}"));
    assert_eq!(load("stacks/web.yaml", &admin), ["not-allowed stacks/web.yaml:6:12 -"]);
    let computed = web(&format!("  roleArn: '${{stacks.network.outputs.VpcId}}'\n{GOOD}"));
    assert_eq!(load("stacks/web.yaml", &computed), ["not-allowed stacks/web.yaml:6:12 -"]);
    assert_eq!(load("stacks/web.yaml", &web(GOOD)), [""; 0]);
}

#[test]
fn a_stack_does_not_revert_drift_that_the_operator_wants_reported() {
    let reverts = web(&format!("  drift: {{ action: revert }}\n{GOOD}"));
    let loaded = load_under_with(&[("stacks/web.yaml", &reverts)], &format!("{ALL}drift = 'report'\n"));
    assert_eq!(said(&loaded), ["limited stacks/web.yaml:6:20 -"]);
    assert_eq!(stack(&loaded, "dev/stack/web").drift, Some(DriftAction::Report));
    let free = load_under_with(&[("stacks/web.yaml", &reverts)], ALL);
    assert_eq!(stack(&free, "dev/stack/web").drift, Some(DriftAction::Revert));
}

#[test]
fn a_sealed_file_for_nobody_in_particular_is_opened_where_it_can_come_from_nowhere_else() {
    let sealed = |files: &[(&str, &str)], configuration: Option<&str>| {
        let key = age::x25519::Identity::generate().to_public();
        let file = age::encrypt_and_armor(&key, b"x").unwrap();
        let secret = "apiVersion: landfast/v1\nkind: Secret\nmetadata: { name: s }\nspec: { sealed: s.age }\n";
        let all: Vec<(&str, &str)> =
            files.iter().copied().chain([("stacks/s.yaml", secret), ("stacks/s.age", file.as_str())]).collect();
        let loaded = configuration.map_or_else(|| load_with(&all), |text| load_under_with(&all, text));
        let secrets = loaded.desired.environments.values().flat_map(|environment| environment.secrets.values());
        let crate::model::SecretSource::Sealed(file) = secrets.into_iter().next().unwrap().source.clone() else {
            panic!("it is sealed");
        };
        file.unbound
    };
    let other = ENV.replace("name: dev", "name: prod").replace("include: [stacks]", "include: []");
    let broken = "apiVersion: landfast/v1\nkind: Environment\nmetadata: { name: prod }\nspec: { oops: 1 }\n";
    assert!(sealed(&[], None));
    assert!(!sealed(&[("prod.yaml", &other)], None));
    assert!(!sealed(&[("prod.yaml", broken)], None), "an environment with a mistake is one nevertheless");
    assert!(!sealed(&[], Some(ALL)));
    assert!(sealed(&[("prod.yaml", &other)], Some("[[environment]]\nname = ['*']\nunboundSeals = true\n")));
}

//! A small account, adopted: what comes out is read by people, so it is a golden file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use super::*;
use crate::manifest;
use crate::model::{
    DnsName, FileContent, HostedZone, Kind, Output, Parameter, RecordContent, RecordSet, RecordsOf,
    ResourceDriftStatus, ResourceState, Revision, SecretState, SetRouting, SmallMap, Snapshot, StackState, StackStatus,
    VaultCopy, VaultPlan, VaultRule, VaultSelection,
};

const NETWORK: &str = r"# The network, as it was written.
Parameters:
  Environment: { Type: String }
  Cidr: { Type: String, Default: 10.0.0.0/16 }
Resources:
  Vpc: { Type: AWS::EC2::VPC, Properties: { CidrBlock: !Ref Cidr } }
  Alb: { Type: AWS::ElasticLoadBalancingV2::LoadBalancer }
Outputs:
  VpcId: { Value: !Ref Vpc, Export: { Name: dev-vpc } }
  Cidr: { Value: !Ref Cidr }
  Dns: { Value: !GetAtt Alb.DNSName }
  SubnetA: { Value: subnet-0a1b2c3d }
  SubnetB: { Value: subnet-1a1b2c3d }
";

const API: &str = r"Parameters:
  Environment: { Type: String }
  VpcId: { Type: String }
  Subnets: { Type: CommaDelimitedList }
  Cidr: { Type: String }
  Password: { Type: String, NoEcho: true, Default: changeme }
  Secret: { Type: String }
  Note: { Type: String }
  Mode: { Type: String, Default: fast }
Resources:
  Role: { Type: AWS::IAM::Role }
";

fn stack(
    name: &str,
    parameters: &[(&str, &str)],
    outputs: &[(&str, &str)],
    resources: &[(&str, &str)],
    template: &str,
) -> FoundStack {
    let pairs =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let output = |(key, value): &(&str, &str)| ((*key).to_owned(), Output { value: (*value).to_owned(), export: None });
    let resource = |(kind, id): &(&str, &str)| ResourceState {
        resource: "R".to_owned(),
        physical_id: Some((*id).to_owned()),
        kind: (*kind).to_owned(),
        drift: ResourceDriftStatus::NotChecked,
    };
    let state = StackState {
        id: format!("arn:aws:cloudformation:us-east-1:111122223333:stack/{name}/1").parse().unwrap(),
        name: name.parse().unwrap(),
        status: StackStatus::CreateComplete,
        status_reason: None,
        created: "2026-01-01T00:00:00Z".parse().unwrap(),
        updated: None,
        stored: SmallMap::new(),
        parameters: pairs(parameters),
        tags: pairs(&[("CostCenter", "people-ops"), ("aws:x", "y")]),
        outputs: outputs.iter().map(output).collect(),
        termination_protection: false,
        role_arn: None,
        notifications: BTreeSet::new(),
        rollback_alarms: BTreeSet::new(),
        monitoring_minutes: None,
        capabilities: BTreeSet::new(),
        timeout_minutes: None,
        change_set: None,
        parent: None,
        operations: Vec::new(),
    };
    FoundStack {
        state,
        template: template.to_owned(),
        policy: None,
        resources: resources.iter().map(resource).collect(),
        tables: BTreeMap::new(),
    }
}

fn network() -> FoundStack {
    let mut stack = stack(
        "dev-shop-network",
        &[("Environment", "dev"), ("Cidr", "10.0.0.0/16")],
        &[
            ("VpcId", "vpc-0a1b2c3d4e5f60718"),
            ("Cidr", "10.0.0.0/16"),
            ("Dns", "Dev-1.us-east-1.elb.amazonaws.com"),
            ("SubnetA", "subnet-0a1b2c3d"),
            ("SubnetB", "subnet-1a1b2c3d"),
        ],
        &[("AWS::EC2::VPC", "vpc-0a1b2c3d4e5f60718")],
        NETWORK,
    );
    stack.state.termination_protection = true;
    stack.state.timeout_minutes = Some(30);
    stack.policy = Some("{\"Statement\":[]}".to_owned());
    stack
}

fn api() -> FoundStack {
    let mut stack = stack(
        "dev-shop-api",
        &[
            ("Environment", "dev"),
            ("VpcId", "vpc-0a1b2c3d4e5f60718"),
            ("Subnets", "subnet-0a1b2c3d,subnet-1a1b2c3d"),
            ("Cidr", "10.0.0.0/16"),
            ("Password", "****"),
            ("Secret", "arn:aws:secretsmanager:us-east-1:111122223333:secret:dev/shop/app-abcdef"),
            ("Note", "${this}: is \"text\""),
            ("Mode", "fast"),
        ],
        &[],
        &[],
        API,
    );
    stack.state.tags.insert("Team".to_owned(), "web".to_owned());
    stack
}

fn secret() -> SecretState {
    SecretState {
        arn: "arn:aws:secretsmanager:us-east-1:111122223333:secret:dev/shop/app-abcdef".parse().unwrap(),
        name: "dev/shop/app".to_owned(),
        description: None,
        kms_key: None,
        tags: BTreeMap::new(),
        created: None,
        changed: None,
        accessed: None,
        deleted: None,
        versions: BTreeMap::new(),
        rotates: false,
        rotated: None,
        primary: None,
        owning_service: None,
        replicas: None,
    }
}

fn zone() -> FoundZone {
    let set = |kind: &str, name: &str, value: &str| RecordSet {
        of: RecordsOf { name: DnsName::new(name), kind: kind.to_owned() },
        set: None,
        content: RecordContent::Values { values: vec![value.to_owned()], ttl: 300 },
        routing: SetRouting::Simple,
        health_check: None,
    };
    FoundZone {
        zone: HostedZone { id: "Z123".parse().unwrap(), name: DnsName::new("example.com"), private: false, records: 3 },
        sets: vec![
            set("CNAME", "api.example.com", "dev-1.us-east-1.elb.amazonaws.com"),
            set("CNAME", "www.example.com", "elsewhere.example.org"),
            set("NS", "example.com", "ns-1.awsdns-00.com"),
        ],
    }
}

fn survey() -> Survey {
    let stacks = [network(), api()].map(|stack| (stack.state.name.clone(), stack)).into();
    Survey { stacks, secrets: vec![secret()], zones: vec![zone()], ..Survey::default() }
}

fn ask() -> Ask {
    Ask {
        environment: "dev".parse().unwrap(),
        scope: Scope { account: "111122223333".parse().unwrap(), region: "us-east-1".parse().unwrap() },
        role: None,
        system: None,
        which: Which::All { prefix: "dev-".to_owned() },
    }
}

use crate::model::Scope;

/// What was written, loaded without an error.
fn manifest_of(written: &Written) -> manifest::Loaded {
    let loaded = loaded(written);
    let errors = loaded.diagnostics.iter().filter(|found| found.severity == manifest::Severity::Error);
    let errors: Vec<String> = errors.map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{:#?}", written.files);
    loaded
}

fn loaded(written: &Written) -> manifest::Loaded {
    let files = written.files.iter().map(|(path, text)| (path.clone(), FileContent::Bytes(Arc::from(text.as_bytes()))));
    let snapshot = Snapshot::new("adopted", files.collect(), None);
    let revision = Revision { sequence: 1, content: snapshot.content.clone(), commit: None };
    manifest::load(&snapshot, revision)
}

fn load(written: &Written) -> manifest::Loaded {
    let loaded = loaded(written);
    let problems: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "{problems:#?}\n{:#?}", written.files);
    loaded
}

#[test]
fn what_is_written_reads_well_and_says_what_runs() {
    let written = write(&survey(), &ask());
    assert!(!written.is_partial(), "{:?}", written.left);
    let mut text = String::new();
    for (file, content) in &written.files {
        let _ = write!(text, "==== {file}\n{content}");
    }
    text.push_str("==== on the terminal\n");
    text.push_str(&summary(&written, &ask(), "manifests/environments/dev", ""));
    golden("small.txt", &text);

    let loaded = load(&written);
    let dev = &loaded.desired.environments[&"dev".parse().unwrap()];
    assert_eq!((dev.stacks.len(), dev.secrets.len(), dev.records.len()), (2, 1, 1));
    let api = dev.stacks.values().find(|spec| spec.key.name.as_str() == "api").unwrap();
    assert!(matches!(api.parameters["Password"], Parameter::Previous), "a default would change it");
    let plain = |name: &str| match &api.parameters[name] {
        Parameter::Plain(text) => text.to_string(),
        Parameter::NoEcho(_) | Parameter::Previous => String::new(),
    };
    assert_eq!(plain("Note"), "${this}: is \"text\"");
    assert_eq!(plain("Subnets"), "${stacks.network.outputs.SubnetA},${stacks.network.outputs.SubnetB}");
    assert_eq!(plain("Secret"), "${secrets.app.arn}");
    assert_eq!(plain("Cidr"), "10.0.0.0/16", "equal by chance is not the same");
    assert!(api.depends_on.iter().any(|key| key.kind == Kind::Secret));
    let network = dev.stacks.values().find(|spec| spec.key.name.as_str() == "network").unwrap();
    assert_eq!(&*network.template.body, NETWORK, "byte for byte");
    assert!(network.termination_protection && network.adopt && network.timeout.is_none());
}

#[test]
fn recovery_is_asked_for_where_it_is_on_and_as_far_back_as_it_goes() {
    let tables = |days: &[(&str, Option<u16>)]| -> BTreeMap<_, _> {
        days.iter().map(|(name, days)| (name.parse().unwrap(), table(name, *days))).collect()
    };
    let mut survey = survey();
    survey.stacks.get_mut(&"dev-shop-api".parse().unwrap()).unwrap().tables =
        tables(&[("dev-A", Some(35)), ("dev-B", Some(35))]);
    survey.stacks.get_mut(&"dev-shop-network".parse().unwrap()).unwrap().tables =
        tables(&[("dev-C", Some(7)), ("dev-D", None), ("dev-E", Some(35)), ("dev-F", Some(7))]);
    let written = write(&survey, &ask());
    let policies = load(&written).desired.environments[&"dev".parse().unwrap()].backups.clone();
    let told = policies.values().map(|spec| format!("{} {} {:?}", spec.key.name, spec.tables, spec.recovery_days));
    let told: Vec<String> = told.collect();
    assert_eq!(told, ["api tables of stack api Some(35)", "network 2 tables Some(7)", "network-2 1 table Some(35)"]);
    let text = &written.files["shop/backups.yaml"];
    assert!(text.ends_with("so the policy is commented out: dev-D.\n"), "{text}");
    assert_eq!(written.counts["backups"], 3);

    // A policy of a stack covers the stacks within it, of whose tables nothing is known.
    let api = survey.stacks.get_mut(&"dev-shop-api".parse().unwrap()).unwrap();
    api.resources.push(ResourceState {
        resource: "Inner".to_owned(),
        physical_id: None,
        kind: "AWS::CloudFormation::Stack".to_owned(),
        drift: ResourceDriftStatus::NotChecked,
    });
    let text = &write(&survey, &ask()).files["shop/backups.yaml"];
    assert!(text.contains("names: [dev-A, dev-B]") && !text.contains("stack:"), "{text}");
}

/// Landfast would make backups beside those of a plan: so a plan is written down, and asks for nothing.
#[test]
fn what_aws_backup_keeps_is_written_where_a_policy_would_say_it() {
    let rule = |name: &str, schedule: &str, days, copies: Vec<VaultCopy>| VaultRule {
        name: name.to_owned(),
        vault: "Default".to_owned(),
        schedule: Some(schedule.to_owned()),
        zone: Some("Europe/Berlin".to_owned()),
        delete_after_days: Some(days),
        cold_after_days: None,
        copies,
    };
    let west = "arn:aws:backup:us-west-2:111122223333:backup-vault:Default".to_owned();
    let copies = vec![VaultCopy { to: west, delete_after_days: Some(35) }];
    let plan = VaultPlan {
        name: "nightly".to_owned(),
        rules: vec![
            rule("monthly", "cron(0 4 1 * ? *)", 365, Vec::new()),
            rule("daily", "cron(0 3 ? * * *)", 35, copies),
        ],
        selections: vec![VaultSelection {
            role: "arn:aws:iam::111122223333:role/backup".to_owned(),
            any_tag: vec![("backup".to_owned(), "daily".to_owned())],
            ..VaultSelection::default()
        }],
    };
    let mut survey = survey();
    survey.plans = vec![plan];
    let tagged =
        |found: FoundTable| FoundTable { tags: BTreeMap::from([("backup".to_owned(), "daily".to_owned())]), ..found };
    let api = survey.stacks.get_mut(&"dev-shop-api".parse().unwrap()).unwrap();
    let guarded = FoundTable { protected: true, ..table("dev-C", None) };
    let all = [tagged(table("dev-A", Some(35))), tagged(table("dev-B", None)), guarded];
    api.tables = all.into_iter().map(|found| (found.arn.name().unwrap(), found)).collect();
    let written = write(&survey, &ask());
    let text = written.files["shop/backups.yaml"].to_string();
    golden("backups.yaml", &text);
    let policies = load(&written).desired.environments[&"dev".parse().unwrap()].backups.clone();
    let told = policies.values().map(|spec| (spec.recovery_days, spec.deletion_protection, spec.schedule.is_some()));
    assert_eq!(told.collect::<Vec<_>>(), [(None, true, false), (Some(35), false, false)]);

    // Without the comments it is what the plan says.
    let fields = ["schedule", "timezone", "retention", "vault", "copyTo"];
    let uncommented = |line: &str| match line.strip_prefix("  # ") {
        Some(field) if fields.iter().any(|name| field.starts_with(&format!("{name}: "))) => format!("  {field}\n"),
        Some(_) => String::new(),
        None if line.starts_with('#') => String::new(),
        None => format!("{line}\n"),
    };
    let asked: String = text.lines().map(uncommented).collect();
    let mut taken = written.clone();
    taken.files.insert("shop/backups.yaml".to_owned(), asked.into());
    let policies = load(&taken).desired.environments[&"dev".parse().unwrap()].backups.clone();
    let kept = policies.values().find(|spec| spec.schedule.is_some()).unwrap();
    assert_eq!((kept.retention.unwrap().daily, kept.copy_to.len()), (35, 1));
    assert_eq!(kept.vault.as_ref().unwrap().name.as_str(), "Default");
}

fn table(name: &str, recovery: Option<u16>) -> FoundTable {
    let arn = format!("arn:aws:dynamodb:us-east-1:111122223333:table/{name}").parse().unwrap();
    FoundTable { arn, recovery, protected: false, tags: BTreeMap::new() }
}

fn golden(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/adopt"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn the_same_account_gives_the_same_files() {
    let (one, mut turned) = (write(&survey(), &ask()), survey());
    let other = "arn:aws:secretsmanager:us-east-1:111122223333:secret:other/x-abcdef".parse().unwrap();
    turned.secrets.insert(0, SecretState { name: "other/x".to_owned(), arn: other, ..secret() });
    turned.zones.reverse();
    let other = write(&turned, &ask());
    assert_eq!(one.files, other.files);
}

#[test]
fn a_value_that_two_stacks_have_is_not_guessed_and_no_circle_is_closed() {
    let mut survey = survey();
    let again = Output { value: "subnet-0a1b2c3d".to_owned(), export: None };
    let other = stack(
        "dev-shop-other",
        &[("Environment", "dev")],
        &[("A", "subnet-0a1b2c3d")],
        &[],
        "Parameters: { Environment: { Type: String } }\nResources: { T: { Type: AWS::SNS::Topic } }\nOutputs: { A: { Value: subnet-0a1b2c3d } }\n",
    );
    survey.stacks.insert(other.state.name.clone(), other);
    // And the network is given something of the api's, which already comes after it.
    let api = survey.stacks.get_mut(&"dev-shop-api".parse().unwrap()).unwrap();
    api.state
        .outputs
        .insert("Back".to_owned(), Output { value: "arn:aws:sns:us-east-1:111122223333:back".to_owned(), ..again });
    api.template.push_str("Outputs: { Back: { Value: x } }\n");
    let network = survey.stacks.get_mut(&"dev-shop-network".parse().unwrap()).unwrap();
    network.template = network
        .template
        .replace("  Environment: { Type: String }\n", "  Environment: { Type: String }\n  Back: { Type: String }\n");
    network.state.parameters.insert("Back".to_owned(), "arn:aws:sns:us-east-1:111122223333:back".to_owned());
    let written = write(&survey, &ask());
    let stacks = &written.files["shop/stacks.yaml"];
    assert!(stacks.contains("Subnets: \"subnet-0a1b2c3d,subnet-1a1b2c3d\""), "{stacks}");
    assert!(stacks.contains("would create a dependency cycle"), "{stacks}");
    load(&written);
}

#[test]
fn what_is_not_for_us_is_said_and_what_is_missing_is_partial() {
    let mut listed: Vec<StackState> = survey().stacks.into_values().map(|stack| stack.state).collect();
    let like = |name: &str, change: &dyn Fn(&mut StackState)| {
        let mut state = api().state;
        state.name = name.parse().unwrap();
        state.id = format!("arn:aws:cloudformation:us-east-1:111122223333:stack/{name}/1").parse().unwrap();
        change(&mut state);
        state
    };
    let parent = listed[0].id.clone();
    listed.push(like("dev-nested", &|state| state.parent = Some(parent.clone())));
    listed.push(like("dev-ours", &|state| _ = state.tags.insert("landfast:owner".to_owned(), "qa/stack/x".to_owned())));
    listed.push(like("dev-moving", &|state| state.status = StackStatus::UpdateInProgress));
    listed.push(like("dev-corpse", &|state| state.status = StackStatus::RollbackComplete));
    listed.push(like("prod-shop-api", &|_| ()));
    let choice = choose(&listed, &ask());
    let chosen: Vec<&str> = choice.stacks.iter().map(|state| state.name.as_str()).collect();
    assert_eq!(chosen, ["dev-shop-api", "dev-shop-network"]);
    let left: Vec<(&str, bool)> = choice.left.iter().map(|left| (left.what.as_str(), left.partial)).collect();
    assert_eq!(
        left,
        [
            ("stack dev-corpse", false),
            ("stack dev-moving", true),
            ("stack dev-nested", false),
            ("stack dev-ours", false)
        ]
    );
    let names = ["dev-ours", "dev-gone", "dev-nested"].map(|name| name.parse().unwrap()).into();
    let choice = choose(&listed, &Ask { which: Which::Named(names), ..ask() });
    assert!(choice.stacks.is_empty() && choice.left.len() == 3 && choice.left.iter().all(|left| left.partial));
    let nested = choice.left.iter().find(|left| left.what == "stack dev-nested").unwrap();
    assert!(nested.why.starts_with("it is nested in dev-shop-"), "{}", nested.why);
}

#[test]
fn a_template_that_a_tool_makes_is_adopted_only_by_name() {
    let mut survey = survey();
    let api = survey.stacks.get_mut(&"dev-shop-api".parse().unwrap()).unwrap();
    api.template.push_str("Metadata: { a: 'aws:cdk:path' }\n");
    let written = write(&survey, &ask());
    assert_eq!(written.counts["stacks"], 1);
    assert!(written.left.iter().any(|left| left.why.contains("the CDK")), "{:?}", written.left);
    let names = ["dev-shop-api", "dev-shop-network"].map(|name| name.parse().unwrap()).into();
    let written = write(&survey, &Ask { which: Which::Named(names), ..ask() });
    assert_eq!(written.counts["stacks"], 2);
    load(&written);
}

#[test]
fn a_canary_in_a_parameter_that_is_not_shown_is_nowhere() {
    let mut survey = survey();
    let api = survey.stacks.get_mut(&"dev-shop-api".parse().unwrap()).unwrap();
    // AWS says `****`. If it ever said more, it would not be ours to write.
    api.state.parameters.insert("Password".to_owned(), "canary-4f1d9c".to_owned());
    let written = write(&survey, &ask());
    assert!(written.files.values().all(|text| !text.contains("canary")));
}

#[test]
fn records_of_any_name_are_written_so_that_they_load_and_those_of_others_are_left() {
    let target = "dev-1.us-east-1.elb.amazonaws.com";
    let set = |kind: &str, name: &str, value: &str| {
        let content = RecordContent::Values { values: vec![value.to_owned()], ttl: 300 };
        RecordSet {
            of: RecordsOf { name: DnsName::new(name), kind: kind.to_owned() },
            content,
            ..zone().sets.swap_remove(0)
        }
    };
    let names = [
        "-odd_name.example.com",
        "x.*.example.com",
        "*.example.com",
        "a!b.example.com",
        "a\\040b.example.com",
        "0/25.example.com",
        "bücher.example.com",
        "a-.example.com",
        "a$b.example.com",
    ];
    let mut zone = zone();
    zone.sets = names.map(|name| set("CNAME", name, target)).into();
    // Kept by somebody else, or written in a way that a manifest takes for a mistake.
    zone.sets.push(set("CNAME", "ext.example.com", target));
    let heritage = "\"heritage=external-dns,external-dns/owner=prod\"";
    zone.sets.push(set("TXT", "extdns-cname-ext.example.com", heritage));
    zone.sets.push(set("CNAME", "a:80.example.com:443", target));
    let survey = Survey { zones: vec![zone], ..survey() };
    let written = write(&survey, &ask());
    let loaded = manifest_of(&written);
    let dev = &loaded.desired.environments[&"dev".parse().unwrap()];
    let found: BTreeSet<String> = dev.records.values().map(|spec| spec.name.to_string()).collect();
    assert_eq!(found, names.map(|name| DnsName::new(name).to_string()).into());
    let left: Vec<String> = written.left.iter().map(|left| format!("{}: {}", left.what, left.why)).collect();
    let why = |what: &str| left.iter().find(|line| line.contains(what)).cloned().unwrap_or_default();
    assert!(why("ext.example.com").contains("external-dns (owner prod) manages it"), "{left:?}");
    assert!(why("443").contains("is not a domain name"), "{left:?}");
}

#[test]
fn what_aws_does_not_show_of_a_template_is_said() {
    let mut survey = survey();
    let name: crate::model::StackName = "dev-shop-network".parse().unwrap();
    let stack = survey.stacks.get_mut(&name).unwrap();
    stack.template = stack.template.replace("Resources:", "Description: Gr??e\nResources:");
    let line = 1 + stack.template.lines().position(|line| line.contains("??")).unwrap();
    let written = write(&survey, &ask());
    let left: Vec<String> = written.left.iter().map(|left| format!("{}: {}", left.what, left.why)).collect();
    let place = format!("compare line {line} of templates/network.yaml with the original");
    assert!(left.iter().any(|left| left.contains("non-ASCII") && left.contains(&place)), "{left:?}");
    let stacks = written.files.iter().find(|(path, _)| path.ends_with("stacks.yaml")).unwrap().1;
    assert!(stacks.contains("# AWS shows a `?` for every non-ASCII character"), "{stacks}");
    assert!(!written.is_partial());
}

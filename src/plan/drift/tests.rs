//! A corpus of differences that CloudFormation reports, from threads of those who could not trust them, and what each is.

use std::collections::BTreeMap;

use super::*;
use crate::model::fixtures;
use crate::model::{PropertyDifference, Redacted, StackDrift, TemplateResource, Unknown, Writes, Written};

const NOW: &str = "2026-03-02T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

pub(super) fn property(path: &str, how: PropertyDifference, expected: &str, live: &str) -> PropertyDrift {
    PropertyDrift { path: path.to_owned(), how, expected: expected.to_owned(), live: live.to_owned() }
}

pub(super) fn changed(kind: &str, differences: Vec<PropertyDrift>) -> ResourceDrift {
    ResourceDrift {
        resource: "It".to_owned(),
        physical_id: Some("it-1".to_owned()),
        kind: kind.to_owned(),
        status: ResourceDriftStatus::Modified,
        reason: None,
        differences,
    }
}

fn print_key() -> FingerprintKey {
    FingerprintKey::new([7; 32])
}

fn environment() -> Environment {
    fixtures::environment(&[("app", &[])])
}

pub(super) fn judged(environment: &Environment, resources: Vec<ResourceDrift>) -> Vec<Finding> {
    let spec = environment.stacks.values().next().unwrap();
    let seen = Ok(StackDrift { resources, incomplete: Vec::new() });
    judge(environment, spec, &seen, &DriftMemory::default(), &print_key(), now()).findings
}

/// Why, of which type, what is reported, and whether it is drift.
type Case = (&'static str, &'static str, Vec<PropertyDrift>, bool);

fn corpus() -> Vec<Case> {
    [noise(), drift()].concat()
}

/// What nobody has changed: cloudformation-coverage-roadmap#2563, #1369, #901, #1222, #1087, #1235, #1310.
fn noise() -> Vec<Case> {
    use PropertyDifference::{Add, NotEqual, Remove};
    let one = |path, how, expected, live| vec![property(path, how, expected, live)];
    vec![
        ("a number as text", "AWS::SQS::Queue", one("/VisibilityTimeout", NotEqual, "\"30\"", "30"), false),
        ("a truth as text", "AWS::S3::Bucket", one("/BlockPublicAcls", NotEqual, "\"true\"", "true"), false),
        ("5 and 5.0", "AWS::CloudWatch::Alarm", one("/Threshold", NotEqual, "5", "5.0"), false),
        (
            "a list in another order",
            "AWS::EC2::VPCEndpoint",
            one("/SubnetIds", NotEqual, r#"["a","b"]"#, r#"["b","a"]"#),
            false,
        ),
        (
            "a policy in another order, as text and as JSON",
            "AWS::IAM::Role",
            one(
                "/AssumeRolePolicyDocument",
                NotEqual,
                r#"{"Statement":[{"Action":["a","b"],"Effect":"Allow"}],"Version":"2012-10-17"}"#,
                r#""{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"b\",\"a\"]}]}""#,
            ),
            false,
        ),
        (
            "rules of a security group, one by one, in another order",
            "AWS::EC2::SecurityGroup",
            vec![
                property("/SecurityGroupIngress/0/FromPort", NotEqual, "80", "443"),
                property("/SecurityGroupIngress/1/FromPort", NotEqual, "443", "80"),
            ],
            false,
        ),
        (
            "an element that has moved to the end",
            "AWS::DynamoDB::Table",
            vec![
                property("/Tags/0", Remove, r#"{"Key":"a","Value":"1"}"#, "null"),
                property("/Tags/3", Add, "null", r#"{"Value":"1","Key":"a"}"#),
            ],
            false,
        ),
        (
            "a tag of AWS's own",
            "AWS::EC2::Subnet",
            one("/Tags/2", Add, "null", r#"{"Key":"aws:cloudformation:stack-id","Value":"x"}"#),
            false,
        ),
        (
            "a default that is off",
            "AWS::DynamoDB::Table",
            one("/ContributorInsightsSpecification", Add, "null", r#"{"Enabled":false}"#),
            false,
        ),
        (
            "an empty list",
            "AWS::ECS::TaskDefinition",
            one("/ContainerDefinitions/0/MountPoints", Add, "null", "[]"),
            false,
        ),
        (
            "an empty list that was written",
            "AWS::EC2::SecurityGroup",
            one("/SecurityGroupEgress", Remove, "[]", "null"),
            false,
        ),
        (
            "an object with a default more",
            "AWS::S3::Bucket",
            one(
                "/VersioningConfiguration",
                NotEqual,
                r#"{"Status":"Enabled"}"#,
                r#"{"Status":"Enabled","MfaDelete":false}"#,
            ),
            false,
        ),
    ]
}

/// What somebody has changed.
fn drift() -> Vec<Case> {
    use PropertyDifference::{Add, NotEqual, Remove};
    let one = |path, how, expected, live| vec![property(path, how, expected, live)];
    vec![
        ("protection off", "AWS::DynamoDB::Table", one("/DeletionProtectionEnabled", NotEqual, "true", "false"), true),
        ("a number", "AWS::SQS::Queue", one("/VisibilityTimeout", NotEqual, "30", "60"), true),
        (
            "a rule more",
            "AWS::EC2::SecurityGroup",
            one("/SecurityGroupIngress/1", Add, "null", r#"{"CidrIp":"0.0.0.0/0"}"#),
            true,
        ),
        (
            "a rule less",
            "AWS::EC2::SecurityGroup",
            one("/SecurityGroupIngress/0", Remove, r#"{"CidrIp":"10.0.0.0/8"}"#, "null"),
            true,
        ),
        (
            "two rules changed, one of them to what the other was",
            "AWS::EC2::SecurityGroup",
            vec![
                property("/SecurityGroupIngress/0/FromPort", NotEqual, "80", "443"),
                property("/SecurityGroupIngress/1/FromPort", NotEqual, "443", "22"),
            ],
            true,
        ),
        ("a tag of a person", "AWS::S3::Bucket", one("/Tags/1", Add, "null", r#"{"Key":"owner","Value":"me"}"#), true),
        ("a tag's value", "AWS::S3::Bucket", one("/Tags/0/Value", NotEqual, "dev", "prod"), true),
        (
            "an object with a member switched on",
            "AWS::DynamoDB::Table",
            one(
                "/StreamSpecification",
                NotEqual,
                r#"{"StreamViewType":"KEYS_ONLY"}"#,
                r#"{"StreamViewType":"KEYS_ONLY","On":true}"#,
            ),
            true,
        ),
        (
            "something switched off that was on",
            "AWS::KMS::Key",
            one("/EnableKeyRotation", Remove, "true", "null"),
            true,
        ),
        (
            "a statement more",
            "AWS::IAM::Role",
            one("/Policies", NotEqual, r#"[{"Action":"a"}]"#, r#"[{"Action":"a"},{"Action":"*"}]"#),
            true,
        ),
        ("zero, where a number was", "AWS::SQS::Queue", one("/DelaySeconds", NotEqual, "10", "0"), true),
        ("empty, where a text was", "AWS::SNS::Topic", one("/DisplayName", NotEqual, "alarms", ""), true),
    ]
}

#[test]
fn what_a_person_has_changed_is_drift_and_what_means_the_same_is_not() {
    let environment = environment();
    let (mut right, mut missed, mut wrong) = (0, Vec::new(), Vec::new());
    for (what, kind, differences, is_drift) in corpus() {
        let found = judged(&environment, vec![changed(kind, differences)]).iter().any(Finding::is_drift);
        match (is_drift, found) {
            (true, true) | (false, false) => right += 1,
            (true, false) => missed.push(what),
            (false, true) => wrong.push(what),
        }
    }
    let drift = corpus().iter().filter(|(.., is_drift)| *is_drift).count();
    let (hits, false_alarms) = ((drift - missed.len()) as f64, wrong.len() as f64);
    println!(
        "{right} of {} judged right: precision {:.2}, recall {:.2}",
        corpus().len(),
        hits / (hits + false_alarms),
        hits / drift as f64
    );
    assert!(missed.is_empty() && wrong.is_empty(), "missed: {missed:?}; wrong: {wrong:?}");
}

#[test]
fn what_was_not_compared_is_said_to_be_unknown() {
    let environment = environment();
    let state = |name: &str, status, reason: Option<&str>| ResourceDrift {
        resource: name.to_owned(),
        status,
        reason: reason.map(str::to_owned),
        ..changed("AWS::MSK::Cluster", Vec::new())
    };
    let resources = vec![
        state("Fine", ResourceDriftStatus::InSync, None),
        state("Throttled", ResourceDriftStatus::Unknown, Some("Rate exceeded")),
        state("Never", ResourceDriftStatus::NotChecked, None),
        state("Gone", ResourceDriftStatus::Deleted, None),
    ];
    let spec = environment.stacks.values().next().unwrap();
    let seen = Ok(StackDrift { resources, incomplete: vec!["Inner: denied".to_owned()] });
    let compared = judge(&environment, spec, &seen, &DriftMemory::default(), &print_key(), now());
    assert_eq!(compared.compared, 2);
    let told: Vec<String> =
        compared.findings.iter().map(|found| format!("{} {:?}", found.place(), found.verdict)).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    Gone Drift(High)
     Unknown { why: "Inner: denied" }
    Never Unknown { why: "CloudFormation does not check resources of type AWS::MSK::Cluster" }
    Throttled Unknown { why: "Rate exceeded" }
    "#);
    let unseen =
        judge(&environment, spec, &Err(Unknown::because("no answer")), &DriftMemory::default(), &print_key(), now());
    assert_eq!((unseen.compared, unseen.findings.len()), (0, 1));
    assert!(!unseen.findings[0].is_drift());
}

/// Invariant S21.
#[test]
fn what_autoscaling_is_there_to_change_is_left_to_it() {
    let count =
        || vec![changed("AWS::ECS::Service", vec![property("/DesiredCount", PropertyDifference::NotEqual, "2", "5")])];
    let mut environment = environment();
    assert!(judged(&environment, count())[0].is_drift(), "nothing scales it: somebody has");
    let spec = environment.stacks.values_mut().next().unwrap();
    let spec = std::sync::Arc::make_mut(spec);
    let target = TemplateResource {
        kind: SCALABLE.to_owned(),
        condition: None,
        deletion_policy: None,
        depends_on: BTreeSet::new(),
        sizes: BTreeMap::new(),
    };
    std::sync::Arc::make_mut(&mut spec.template).resources.insert("Target".to_owned(), target);
    assert_eq!(judged(&environment, count())[0].verdict, Verdict::Delegated { to: "autoscaling".to_owned() });
    let image = property("/TaskDefinition", PropertyDifference::NotEqual, "a:1", "a:2");
    assert!(judged(&environment, vec![changed("AWS::ECS::Service", vec![image])])[0].is_drift());
}

#[test]
fn a_rule_counts_for_its_resource_and_property_until_its_last_day() {
    let mut environment = environment();
    let spec = std::sync::Arc::make_mut(environment.stacks.values_mut().next().unwrap());
    let rule = |resource: &str, property: Option<&str>, until: Option<&str>| Tolerance {
        resource: resource.to_owned(),
        property: property.map(str::to_owned),
        reason: "agreed".to_owned(),
        until: until.map(|day| day.parse().unwrap()),
    };
    let mut tried = |rule: Tolerance, path: &str| {
        spec.tolerances = vec![rule];
        let spec = spec.clone();
        let environment = fixtures::environment(&[("app", &[])]);
        let difference = property(path, PropertyDifference::NotEqual, "1", "2");
        let seen =
            Ok(StackDrift { resources: vec![changed("AWS::SQS::Queue", vec![difference])], ..StackDrift::default() });
        judge(&environment, &spec, &seen, &DriftMemory::default(), &print_key(), now()).findings[0].is_drift()
    };
    assert!(!tried(rule("It", Some("/Delay"), None), "/Delay"));
    assert!(!tried(rule("It", Some("/Tags"), Some("2026-03-02")), "/Tags/0/Value"));
    assert!(!tried(rule("I*", None, None), "/Delay"));
    assert!(tried(rule("It", Some("/Tags"), Some("2026-03-01")), "/Tags/0/Value"), "over since yesterday");
    assert!(tried(rule("It", Some("/Del"), None), "/Delay"), "another property");
    assert!(tried(rule("Other", None, None), "/Delay"));
}

#[test]
fn a_difference_keeps_the_time_at_which_it_was_first_seen() {
    let environment = environment();
    let spec = environment.stacks.values().next().unwrap();
    let seen = |live: &str| {
        let difference = property("/Delay", PropertyDifference::NotEqual, "1", live);
        Ok(StackDrift { resources: vec![changed("AWS::SQS::Queue", vec![difference])], ..StackDrift::default() })
    };
    let first = judge(&environment, spec, &seen("2"), &DriftMemory::default(), &print_key(), now());
    let remembered =
        |memory: &DriftMemory, found, at| looked(memory, &seen("2"), found, &fixtures::version("app"), (at, at)).0;
    let memory = remembered(&DriftMemory::default(), first, now());
    let later = now() + jiff::SignedDuration::from_hours(5);
    let second = judge(&environment, spec, &seen("3"), &memory, &print_key(), later);
    assert_eq!(second.findings[0].since, now());
    let healed = judge(&environment, spec, &seen("1"), &memory, &print_key(), later);
    let healed = remembered(&memory, healed, later);
    assert_eq!((healed.since, healed.history), (BTreeMap::new(), vec![(now(), 1), (later, 0)]));
}

#[test]
fn no_secret_is_in_a_finding() {
    let mut environment = environment();
    let spec = std::sync::Arc::make_mut(environment.stacks.values_mut().next().unwrap());
    let secret = Redacted::new("hunter2-canary".to_owned());
    spec.parameters.insert("Key".to_owned(), Parameter::NoEcho(secret));
    let differ = |path: &str, live: &str| property(path, PropertyDifference::NotEqual, "hunter2-canary", live);
    let found = judged(
        &environment,
        vec![changed(
            "AWS::Lambda::Function",
            vec![
                differ("/Environment/Variables/DB_PASSWORD", "swordfish"),
                differ("/Description", "hunter2-canary too"),
                property("/Configuration", PropertyDifference::NotEqual, "1", r#"{"authToken":"swordfish"}"#),
                property(
                    "/Environment/Variables/DATABASE_URL",
                    PropertyDifference::NotEqual,
                    "postgres://app:swordfish@db/app",
                    "postgres://app:swordfish-2@db/app",
                ),
                property(
                    "/ContainerDefinitions/0/Environment",
                    PropertyDifference::NotEqual,
                    "[]",
                    r#"[{"Name":"DATABASE_URL","Value":"postgres://app:swordfish@db/app"}]"#,
                ),
            ],
        )],
    );
    assert_eq!(found.len(), 5);
    let text = format!("{found:?}");
    assert!(!text.contains("hunter2") && !text.contains("swordfish"), "{text}");
}

fn written(at: Timestamp, what: Writes) -> DriftMemory {
    DriftMemory { written: Some(Box::new(Written { at, what })), ..DriftMemory::default() }
}

/// A look at two differences, half an hour after what `memory` remembers; what of it is drift.
fn seen_after(memory: &DriftMemory, begun: Timestamp) -> (DriftMemory, Vec<String>) {
    let environment = environment();
    let spec = environment.stacks.values().next().unwrap();
    let differences = vec![
        property("/Delay", PropertyDifference::NotEqual, "1", "2"),
        property("/Policy", PropertyDifference::NotEqual, "1", "2"),
    ];
    let seen = Ok(StackDrift { resources: vec![changed("AWS::SQS::Queue", differences)], ..StackDrift::default() });
    let judged = judge(&environment, spec, &seen, memory, &print_key(), begun);
    let (after, judged) = looked(memory, &seen, judged, &fixtures::version("app"), (begun, begun));
    let drift = judged.findings.iter().filter(|finding| finding.is_drift());
    (after, drift.map(Finding::place).collect())
}

#[test]
fn what_differs_right_after_a_deployment_is_aws_doing_where_it_has_written_and_guards_nothing() {
    let parts = |of: &[(&str, &[&str])]| {
        Writes::Parts(
            of.iter()
                .map(|(name, parts)| ((*name).to_owned(), parts.iter().map(|part| (*part).to_owned()).collect()))
                .collect(),
        )
    };
    let fresh = now() + jiff::SignedDuration::from_mins(2);
    for what in [Writes::All, parts(&[("It", &[])]), parts(&[("It", &["Delay"])])] {
        let (after, drift) = seen_after(&written(now(), what), fresh);
        assert_eq!(drift, ["It/Policy"], "what guards something is never taken for noise");
        assert_eq!(after.baseline.keys().collect::<Vec<_>>(), ["It/Delay"]);
        let (again, drift) = seen_after(&after, fresh + jiff::SignedDuration::from_hours(6));
        assert_eq!((again.baseline, drift), (after.baseline, vec!["It/Policy".to_owned()]), "it stays so");
    }
    let late = now() + jiff::SignedDuration::from_hours(1);
    let nothing = [
        (written(now(), Writes::All), late, "anybody may have done it by then"),
        (written(now(), parts(&[("It", &["Tags"])])), fresh, "the deployment has not written it"),
        (written(now(), Writes::Back(["It/Delay".to_owned()].into())), fresh, "putting it back has not helped"),
        (DriftMemory::default(), fresh, "nothing was deployed"),
        (
            DriftMemory { since: [("It/Delay".to_owned(), now())].into(), ..written(now(), Writes::All) },
            fresh,
            "it differed before",
        ),
    ];
    for (memory, begun, why) in nothing {
        assert_eq!(seen_after(&memory, begun).1, ["It/Policy", "It/Delay"], "{why}");
    }
}

#[test]
fn a_look_that_says_nothing_forgets_nothing() {
    let fresh = now() + jiff::SignedDuration::from_mins(2);
    let (before, _) = seen_after(&written(now(), Writes::All), fresh);
    let environment = environment();
    let spec = environment.stacks.values().next().unwrap();
    let seen = Err(Unknown::because("throttled"));
    let judged = judge(&environment, spec, &seen, &before, &print_key(), fresh);
    let (after, _) = looked(&before, &seen, judged, &fixtures::version("app"), (fresh, fresh));
    assert_eq!(after.failed.as_ref().map(|failed| failed.count), Some(1));
    assert_eq!(DriftMemory { failed: None, ..after.clone() }, before);
    let standing = standing(spec, &after, &fixtures::version("app"), fresh).unwrap();
    assert_eq!((standing.differences, standing.failed.as_deref()), (1, Some("throttled")));
}

//! Plans made by hand for the tests of this room: every action, difference, waiting and guard there is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::{
    Access, Action, Address, Attempts, Broadening, ChangeAction, Changes, Cut, Difference, Digest, Do, Ended, Entry,
    Evidence, Expect, Failure, FingerprintKey, Guard, ImageDigest, Inputs, Memory, Objects, OnFailure, Operation,
    OperationKind, Output, Plan, Redacted, Refusal, Replacement, ResourceChange, Revision, RolloutCause,
    RolloutOutcome, SmallMap, StackDo, StackMemory, StackOptions, StackState, StackStatus, StackStep, Step, Value,
    ValueChange, Waiting,
};

use crate::model::fixtures::{address, depends};
pub(crate) use crate::model::fixtures::{environment, key, scope};

/// The value that must never be shown.
pub(crate) const CANARY: &str = "canary-7f3a-sings";

pub(crate) fn at(text: &str) -> Timestamp {
    format!("2026-11-22T{text}Z").parse().unwrap()
}

fn entry(name: &str, action: Action) -> Entry {
    Entry {
        status: (action != Action::Create && action != Action::Unknown)
            .then(|| StackStatus::UpdateComplete.to_string()),
        action,
        ready: action == Action::None,
        ..Entry::new(Address::from(&address(name)))
    }
}

fn change(resource: &str, kind: &str, action: ChangeAction, replacement: Replacement) -> ResourceChange {
    ResourceChange {
        resource: resource.to_owned(),
        kind: kind.to_owned(),
        physical_id: (action != ChangeAction::Add).then(|| format!("dev-{}", resource.to_lowercase())),
        action,
        replacement,
        properties: BTreeSet::new(),
        values: Vec::new(),
        retained: false,
        nested: None,
        only_tags: false,
        unknown: None,
    }
}

fn touching(mut change: ResourceChange, properties: &[&str]) -> ResourceChange {
    change.properties = properties.iter().map(|name| (*name).to_owned()).collect();
    change
}

pub(crate) fn failure() -> Failure {
    Failure {
        resource: "MSKCluster".to_owned(),
        kind: "AWS::MSK::Cluster".to_owned(),
        reason: "Resource handler returned message: \"The subnets must be in 2 or 3 availability zones.\" \
                 (Service: Kafka, Status Code: 400)"
            .to_owned(),
        transient: false,
    }
}

fn refusal(guard: Guard, reason: &str, release: &str) -> Refusal {
    Refusal { guard, reason: reason.to_owned(), release: release.to_owned() }
}

fn parameter(name: &str, from: Option<&str>, to: Option<&str>) -> Difference {
    Difference::Parameter { name: name.to_owned(), from: from.map(str::to_owned), to: to.map(str::to_owned) }
}

/// A creation whose step carries a secret parameter.
fn creation() -> Entry {
    let parameters = [
        ("Environment".to_owned(), Value::Plain("dev".to_owned())),
        ("AuthToken".to_owned(), Value::NoEcho(Redacted::new(CANARY.to_owned()))),
    ];
    let inputs = Inputs {
        previous: false,
        body: "Resources: {}".into(),
        upload: None,
        options: StackOptions { parameters: parameters.into(), ..StackOptions::default() },
        digest: Digest::of("inputs"),
        stored: BTreeMap::new(),
        no_echo: [("AuthToken".to_owned(), FingerprintKey::new([7; 32]).fingerprint(CANARY))].into(),
    };
    let add = |name: &str, kind: &str| change(name, kind, ChangeAction::Add, Replacement::Never);
    Entry {
        differences: vec![Difference::Absent, Difference::NoEcho { name: "AuthToken".to_owned() }],
        changes: Changes::Predicted(vec![
            add("SubnetA", "AWS::EC2::Subnet"),
            add("SubnetB", "AWS::EC2::Subnet"),
            add("VPC", "AWS::EC2::VPC"),
        ]),
        step: Some(Box::new(Step {
            key: key("network"),
            address: Address::from(&address("network")),
            revision: 42,
            cost: (1, 0, 0),
            takes_over: None,
            depends_on: BTreeSet::new(),
            action: Do::Stack(StackStep {
                address: address("network"),
                expect: Expect::Absent,
                action: StackDo::Create {
                    inputs: Arc::new(inputs),
                    token: "landfast-1".to_owned(),
                    termination_protection: true,
                    stack_policy: None,
                    on_failure: OnFailure::Rollback,
                    timeout: None,
                    leaves: None,
                },
            }),
        })),
        ..entry("network", Action::Create)
    }
}

fn updates() -> Vec<(&'static str, Entry)> {
    let modify = |name: &str, kind: &str, replacement| change(name, kind, ChangeAction::Modify, replacement);
    let alb = Entry {
        differences: vec![
            Difference::Template,
            parameter("CertificateArn", Some("arn:aws:acm:us-east-1:111122223333:certificate/old"), None),
            parameter("IdleTimeout", Some("60"), Some("120")),
            parameter("AccessLogs", None, Some("on")),
            Difference::NoEcho { name: "HeaderSecret".to_owned() },
            Difference::Tag { name: "CostCenter".to_owned(), from: Some("people".to_owned()), to: None },
            Difference::Role,
            Difference::Notifications,
            Difference::RollbackAlarms,
            Difference::TerminationProtection { to: true },
            Difference::StackPolicy,
        ],
        changes: Changes::Known(vec![
            change("AlarmTopic", "AWS::SNS::Topic", ChangeAction::Add, Replacement::Never),
            ResourceChange {
                values: vec![ValueChange {
                    path: "/Properties/Certificates/0/CertificateArn".to_owned(),
                    before: Some("arn:old".to_owned()),
                    after: Some("arn:new".to_owned()),
                }],
                ..touching(
                    modify("Listener", "AWS::ElasticLoadBalancingV2::Listener", Replacement::Never),
                    &["Certificates"],
                )
            },
            touching(modify("TargetGroup", "AWS::ElasticLoadBalancingV2::TargetGroup", Replacement::Always), &["Port"]),
            change("Imported", "AWS::Logs::LogGroup", ChangeAction::Import, Replacement::Never),
            change("Nested", "AWS::CloudFormation::Stack", ChangeAction::Dynamic, Replacement::Never),
            ResourceChange {
                retained: true,
                nested: None,
                only_tags: false,
                unknown: None,
                ..change("LogBucket", "AWS::S3::Bucket", ChangeAction::Remove, Replacement::Never)
            },
        ]),
        broadenings: vec![
            Broadening {
                resource: "Group".to_owned(),
                kind: "AWS::EC2::SecurityGroup".to_owned(),
                access: Access::Network,
                property: "SecurityGroupIngress".to_owned(),
                grants: "tcp 443 from anywhere (0.0.0.0/0)".to_owned(),
                after_apply: false,
            },
            Broadening {
                resource: "Role".to_owned(),
                kind: "AWS::IAM::Role".to_owned(),
                access: Access::Identity,
                property: "Policies/app/PolicyDocument".to_owned(),
                grants: "Allow s3:GetObject on ${Bucket}/*".to_owned(),
                after_apply: true,
            },
        ],
        depends_on: depends(&["network"]),
        waiting: vec![
            Waiting::Approval { command: "landfast apply dev --plan DIGEST".to_owned() },
            Waiting::ChangeSet { name: "landfast-3f0b7c1d22aa".to_owned() },
        ],
        ..entry("alb", Action::Update)
    };
    let dynamodb = Entry {
        differences: vec![Difference::Template],
        changes: Changes::Predicted(vec![touching(
            modify("ReviewTable", "AWS::DynamoDB::Table", Replacement::Conditional),
            &["KeySchema"],
        )]),
        refused: vec![
            refusal(
                Guard::Replace,
                "ReviewTable (AWS::DynamoDB::Table) is stateful and may be replaced; `policy.replace` is `deny`",
                "set `policy.replace: approve` in Environment dev, then approve the plan that shows it",
            ),
            refusal(
                Guard::Backup,
                "the newest completed backup of dev-reviewtable is 3 days old; the policy allows 24h",
                "back up dev-reviewtable, then plan again",
            ),
        ],
        ..entry("dynamodb", Action::Update)
    };
    let ecs = Entry {
        differences: vec![
            parameter("TargetGroupArn", Some("arn:old"), None),
            Difference::Image { container: "app".to_owned(), from: Some("1.4.1".to_owned()), to: "1.4.2".to_owned() },
            Difference::MovedTag {
                container: "app".to_owned(),
                tag: "prod".to_owned(),
                from: "sha256:aaaa".to_owned(),
                to: "sha256:bbbb".to_owned(),
            },
            Difference::OtherPlatform { container: "app".to_owned(), image: "1.4.3".to_owned() },
            Difference::ImageGone { container: "app".to_owned(), image: "1.4.1".to_owned() },
        ],
        changes: Changes::AfterApply,
        depends_on: depends(&["alb", "network"]),
        waiting: vec![
            Waiting::Dependency { objects: ["dev/stack/alb".to_owned(), "dev/stack/network".to_owned()].into() },
            Waiting::Turn,
            Waiting::Image { container: "app".to_owned(), why: "app has no images".to_owned() },
            Waiting::Rollout { status: "IN_PROGRESS".to_owned(), since: Some(at("03:10:00")) },
        ],
        ..entry("ecs-service", Action::MayUpdate)
    };
    vec![("alb", alb), ("dynamodb", dynamodb), ("ecs-service", ecs)]
}

fn troubles() -> Vec<(&'static str, Entry)> {
    let status = |status| vec![Difference::Status { status }];
    let msk = Entry {
        status: Some(StackStatus::RollbackComplete.to_string()),
        differences: status(StackStatus::RollbackComplete),
        depends_on: depends(&["network"]),
        waiting: vec![Waiting::Backoff { until: at("03:20:00"), attempt: 2, failure: failure() }],
        ..entry("msk", Action::Recreate)
    };
    let redis = Entry {
        status: Some(StackStatus::UpdateRollbackFailed.to_string()),
        differences: status(StackStatus::UpdateRollbackFailed),
        waiting: vec![
            Waiting::Operation { status: StackStatus::UpdateInProgress, ours: false, since: Some(at("02:55:12")) },
            Waiting::Operation { status: StackStatus::UpdateInProgress, ours: true, since: None },
        ],
        ..entry("redis", Action::Recover)
    };
    let iam = Entry { differences: vec![Difference::Owner], ..entry("iam", Action::Adopt) };
    let kms = Entry {
        waiting: vec![Waiting::Unknown { why: "DescribeStacks failed: Rate exceeded (Throttling)".to_owned() }],
        ..entry("kms", Action::Unknown)
    };
    vec![("msk", msk), ("redis", redis), ("iam", iam), ("kms", kms)]
}

fn leavers() -> Vec<(&'static str, Entry)> {
    let gone = || vec![Difference::NotDesired];
    let remove = |name: &str, kind: &str| change(name, kind, ChangeAction::Remove, Replacement::Never);
    let legacy = Entry {
        differences: gone(),
        changes: Changes::Predicted(vec![remove("Queue", "AWS::SQS::Queue")]),
        ..entry("legacy", Action::Delete)
    };
    let consumer = Entry { differences: gone(), depends_on: depends(&["legacy"]), ..entry("consumer", Action::Delete) };
    let kept = Entry { differences: gone(), ..entry("kept", Action::Retain) };
    vec![("legacy", legacy), ("consumer", consumer), ("kept", kept)]
}

/// One object refused by every guard that the others do not show.
fn fortress() -> Entry {
    use Guard::{
        Broaden, Budget, ChangeSet, ExportInUse, ImageGone, Mode, MovedTag, Ownership, Platform, Prune, RequiredTags,
        Revision, StackName, Stalled, Stuck, Superseded, TemplateSize, TerminationProtection,
    };
    let guards = [
        (Mode, "environment dev is in observe mode", "set `policy.mode: apply`"),
        (Ownership, "the stack has no known owner", "set `adopt: true` in its manifest"),
        (Prune, "its manifest was removed, and pruning is off", "set `policy.prune: confirm`, or restore the manifest"),
        (Budget, "2 deletions in 1h; the budget allows 0", "approve the plan (`landfast apply dev --plan DIGEST`)"),
        (TerminationProtection, "termination protection is on", "switch it off in AWS"),
        (StackName, "`x` does not match `^dev-`", "rename it"),
        (RequiredTags, "tag CostCenter is missing", "add it to `spec.tags`"),
        (ExportInUse, "export dev-vpc is imported by other-stack", "remove the import first"),
        (ChangeSet, "AWS refused the change set: \u{1b}[2Jno updates\nare to be performed", "change the manifest"),
        (Stalled, "these inputs failed 3 times", "change the manifest, or `landfast retry dev/stack/fortress`"),
        (Stuck, "DELETE_FAILED", "check the stack in AWS"),
        (Revision, "revision 43 is already applied", "load a newer revision"),
        (MovedTag, "prod now points to sha256:bbbb", "set `moved: deploy`"),
        (Platform, "1.4.3 was built for linux/arm64, but the tasks run on linux/amd64", "build it for linux/amd64 too"),
        (ImageGone, "1.4.2 is no longer in app", "push that image again"),
        (Superseded, "dev/api was deployed outside Landfast", "commit the images that should run"),
        (Broaden, "it would grant new access: Role (AWS::IAM::Role)", "set `policy.broaden: approve`"),
        (TemplateSize, "the template has 60,000 bytes; the limit without a bucket is 51,200", "set `templateBucket`"),
    ];
    Entry {
        differences: vec![Difference::Template],
        refused: guards.into_iter().map(|(guard, reason, release)| refusal(guard, reason, release)).collect(),
        ..entry("fortress", Action::Update)
    }
}

fn planned(entries: impl IntoIterator<Item = (&'static str, Entry)>) -> Plan {
    let mut plan = Plan {
        environment: "dev".parse().unwrap(),
        command: "landfast apply dev --plan DIGEST".to_owned(),
        revision: Revision {
            sequence: 42,
            content: Digest::of("files"),
            commit: Some("8f3c2a1b9d0e7f6a5b4c3d2e1f0a9b8c7d6e5f4a".to_owned()),
        },
        digest: Digest::of("plan"),
        entries: entries.into_iter().map(|(name, entry)| (key(name), entry)).collect(),
        cuts: vec![Cut {
            field: "prune".to_owned(),
            asked: "always".to_owned(),
            holds: "approve".to_owned(),
            by: "/etc/landfast/landfast.toml:7".to_owned(),
        }],
    };
    crate::plan::name_commands(&mut plan);
    plan
}

/// A plan with everything in it.
pub(crate) fn everything() -> Plan {
    let mut entries = vec![("network", creation()), ("fortress", fortress())];
    entries.extend(updates());
    entries.extend(troubles());
    entries.extend(leavers());
    entries.push(("dashboards", entry("dashboards", Action::None)));
    entries.push(("ecr", entry("ecr", Action::None)));
    planned(entries)
}

/// A plan with nothing to do.
pub(crate) fn in_sync() -> Plan {
    planned([("dashboards", entry("dashboards", Action::None)), ("ecr", entry("ecr", Action::None))])
}

/// How a rollout of `1.2.0` ended.
pub(crate) fn ended(outcome: RolloutOutcome) -> Ended {
    let bad = outcome != RolloutOutcome::Proven;
    let digest: ImageDigest = format!("sha256:{}", "7d".repeat(32)).parse().unwrap();
    let evidence = Evidence {
        cause: bad.then_some(RolloutCause::Crash),
        deployment: Some("arn:aws:ecs:us-east-1:111122223333:service-deployment/dev/api/kQ1".to_owned()),
        status: Some(if bad { "ROLLBACK_SUCCESSFUL: it was stopped" } else { "SUCCESSFUL" }.to_owned()),
        task_definition: Some("arn:aws:ecs:us-east-1:111122223333:task-definition/dev:7".to_owned()),
        running: [(format!("app {}", digest.short()), 2)].into(),
        stopped: if bad {
            [("Essential container in task exited (app exited with 1)".to_owned(), 3)].into()
        } else {
            [].into()
        },
        targets: [("healthy".to_owned(), 2)].into(),
        log: if bad { vec!["no such table: ReviewCycles".to_owned()] } else { Vec::new() },
    };
    Ended {
        outcome,
        intended: [("app".to_owned(), digest)].into(),
        images: [("app".to_owned(), "1.2.0".to_owned())].into(),
        opened: Some(at("03:00:00")),
        evidence,
        at: at("03:04:20"),
    }
}

/// What is remembered beside [`everything`]: an operation that runs and one that failed.
pub(crate) fn memory() -> Memory {
    let redis = StackMemory {
        pending: Some(Box::new(Operation {
            kind: OperationKind::ContinueRollback,
            token: "landfast-2".to_owned(),
            stack: None,
            change_set: None,
            inputs: Digest::of("inputs"),
            no_echo: BTreeMap::new(),
            skip: std::collections::BTreeSet::new(),
            started: at("02:55:12"),
            revision: 42,
            writes: crate::model::Writes::Nothing,
            from: None,
            answered: None,
        })),
        ..StackMemory::default()
    };
    let attempts = Attempts { inputs: Digest::of("inputs"), count: 2, last: at("03:10:00"), failure: failure() };
    let msk = StackMemory { attempts: Some(Box::new(attempts)), ..StackMemory::default() };
    Memory {
        fingerprint_key: FingerprintKey::new([7; 32]),
        objects: Arc::new(Objects {
            stacks: [(key("redis"), Arc::new(redis)), (key("msk"), Arc::new(msk))].into(),
            ..Objects::default()
        }),
        spent: Vec::new(),
        consent: None,
        freezes: std::sync::Arc::default(),
        reviews: std::sync::Arc::default(),
    }
}

/// A deployed stack with these outputs: key, value, export.
pub(crate) fn stack(name: &str, outputs: &[(&str, &str, Option<&str>)]) -> StackState {
    let output =
        |value: &str, export: Option<&str>| Output { value: value.to_owned(), export: export.map(str::to_owned) };
    StackState {
        id: format!("arn:aws:cloudformation:us-east-1:111122223333:stack/{name}/1").parse().unwrap(),
        name: address(name).name,
        status: StackStatus::CreateComplete,
        status_reason: None,
        created: at("03:00:00"),
        updated: None,
        stored: SmallMap::new(),
        parameters: SmallMap::new(),
        tags: SmallMap::new(),
        outputs: outputs.iter().map(|(key, value, export)| ((*key).to_owned(), output(value, *export))).collect(),
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
    }
}

/// Compares with the golden file of that name. `INSTA_UPDATE=always` writes it anew.
pub(crate) fn golden(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/report"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// Holds a document against its schema, and reads it back.
pub(crate) fn check_contract<T>(kind: &str, document: &T)
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let value = serde_json::to_value(document).unwrap();
    assert_eq!(value["apiVersion"], super::API_VERSION);
    assert_eq!(value["kind"], kind);
    let schema = serde_json::to_value(&super::json::schemas()[kind]).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert_eq!(&serde_json::from_value::<T>(value).unwrap(), document);
}

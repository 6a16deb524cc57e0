//! A team that followed the guide by hand starts with Landfast: what was typed with the AWS CLI is adopted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use landfast::model::{Desired, Parameter, Revision, StackSpec, StackState, StackStatus};
use landfast::{manifest, source};
use serde_json::json;

use super::place::Place;
use crate::emulator;

/// What the guide calls its stacks, in its order, with those that its templates take a key and a repository from.
const TYPED: [&str; 9] = ["kms", "ecr", "network", "dynamodb", "msk", "elasticache", "iam", "alb", "ecs-cluster"];

/// A shell with the AWS CLI and nothing of this machine's configuration.
struct Shell<'p> {
    place: &'p Place,
    aws: PathBuf,
}

impl Shell<'_> {
    /// Types `aws …`; what it prints.
    #[track_caller]
    fn aws(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(&self.aws);
        command
            .args(arguments)
            .args(["--region", "us-east-1", "--endpoint-url", &self.place.account.url, "--output", "json"])
            .current_dir(self.place.dir.path())
            .env_clear()
            .env("HOME", self.place.dir.path())
            .env("AWS_ACCESS_KEY_ID", self.place.account.id.as_str())
            .env("AWS_SECRET_ACCESS_KEY", "none")
            .stdin(Stdio::null());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "aws {arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Step 4 of the guide, for one stack: its parameters in a file, its template as it is shipped.
    async fn create_stack(&self, spec: &StackSpec, desired: &Desired) {
        let (name, here) = (spec.stack_name.as_str(), self.place.dir.path());
        let deployed = self.place.list().await;
        let parameters = spec.parameters.iter().map(|(key, value)| {
            let Parameter::Plain(text) = value else { panic!("{key} of {name}") };
            let value = text.resolve(|reference| {
                let home =
                    desired.environments[&reference.stack.environment].stacks[&reference.stack].stack_name.clone();
                let found = deployed.values().find(|stack| stack.name == home)?;
                found.outputs.get(&reference.output).map(|output| output.value.clone())
            });
            json!({ "ParameterKey": key, "ParameterValue": value.unwrap() })
        });
        let parameters: Vec<_> = parameters.collect();
        fs::write(here.join("parameters.json"), serde_json::to_string(&parameters).unwrap()).unwrap();
        fs::write(here.join("template.yaml"), &*spec.template.body).unwrap();
        self.aws(&[
            "cloudformation",
            "create-stack",
            "--stack-name",
            name,
            "--template-body",
            "file://template.yaml",
            "--parameters",
            "file://parameters.json",
            "--capabilities",
            "CAPABILITY_NAMED_IAM",
            "--tags",
            "Key=CostCenter,Value=people-ops",
            &format!("Key=Component,Value={}", spec.key.name),
        ]);
        let deadline = Instant::now() + Duration::from_mins(2);
        loop {
            let stack = self.place.list().await.into_values().find(|stack| stack.name == spec.stack_name);
            match stack.map(|stack| stack.status) {
                Some(StackStatus::CreateComplete) => return,
                Some(StackStatus::CreateInProgress) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                other => panic!("{name} is {other:?}"),
            }
        }
    }

    /// Steps 5 and 6, and what comes after the deployment: an image, a service, a secret, a name.
    fn by_hand(&self, host: &str) {
        let (here, account) = (self.place.dir.path(), &self.place.account.id);
        let manifest = r#"{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json"}"#;
        self.aws(&["ecr", "create-repository", "--repository-name", "dev-tools"]);
        let pushed = ["ecr", "put-image", "--repository-name", "dev-tools", "--image-tag", "latest"];
        self.aws(&[&pushed[..], &["--image-manifest", manifest]].concat());
        let image = format!("{account}.dkr.ecr.us-east-1.amazonaws.com/dev-tools:latest");
        let containers = json!([{ "name": "app", "image": image, "memory": 128 }]).to_string();
        let family = ["ecs", "register-task-definition", "--family", "dev-performance-mgmt"];
        self.aws(&[&family[..], &["--container-definitions", &containers]].concat());
        let cluster = "dev-performance-mgmt-cluster";
        let service = ["ecs", "create-service", "--cluster", cluster, "--service-name", "dev-performance-mgmt-service"];
        self.aws(&[&service[..], &["--task-definition", "dev-performance-mgmt", "--desired-count", "1"]].concat());
        self.aws(&[
            "secretsmanager",
            "create-secret",
            "--name",
            "dev/performance-mgmt/app-secrets",
            "--secret-string",
            r#"{"jwt-secret":"canary-4f1d9c"}"#,
        ]);
        let zone = self.aws(&["route53", "create-hosted-zone", "--name", "yourdomain.com", "--caller-reference", "1"]);
        let zone: serde_json::Value = serde_json::from_str(&zone).unwrap();
        let change = json!({ "Changes": [{ "Action": "CREATE", "ResourceRecordSet": {
            "Name": "api.yourdomain.com", "Type": "CNAME", "TTL": 300, "ResourceRecords": [{ "Value": host }],
        } }] });
        fs::write(here.join("change.json"), change.to_string()).unwrap();
        let id = zone["HostedZone"]["Id"].as_str().unwrap();
        let changed = ["route53", "change-resource-record-sets", "--hosted-zone-id", id];
        self.aws(&[&changed[..], &["--change-batch", "file://change.json"]].concat());
    }
}

/// The commands that the documentation tells such a team to type.
fn told() -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/src/guide/import.md")).unwrap();
    let block = text.split("```sh\n").nth(1).expect("the page begins with its commands");
    let commands = block.lines().take_while(|line| *line != "```").filter_map(|line| line.strip_prefix("landfast "));
    commands.map(|line| line.split('#').next().unwrap().trim().to_owned()).collect()
}

fn untagged(stacks: BTreeMap<String, StackState>) -> BTreeMap<String, StackState> {
    let clean = |mut stack: StackState| {
        stack.tags.remove("landfast:owner");
        StackState { updated: None, status: StackStatus::CreateComplete, change_set: None, ..stack }
    };
    stacks.into_iter().map(|(name, stack)| (name, clean(stack))).collect()
}

#[tokio::test]
async fn what_was_typed_by_the_guide_is_adopted_and_then_there_is_nothing_to_do() {
    let (Some(place), Some(aws)) = (Place::of(&[]), emulator::aws_cli()) else { return };
    let shell = Shell { place: &place, aws };
    let snapshot = source::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests")).unwrap();
    let revision = Revision { sequence: 1, content: snapshot.content.clone(), commit: None };
    let desired = manifest::load(&snapshot, revision).desired;
    let dev = &desired.environments[&"dev".parse().unwrap()];
    for name in TYPED {
        let spec = dev.stacks.values().find(|spec| spec.key.name.as_str() == name).unwrap();
        shell.create_stack(spec, &desired).await;
    }
    let typed = place.list().await;
    shell.by_hand(&typed["alb"].outputs["LoadBalancerDNSName"].value);

    let commands = told();
    let [adopt, validate, plan, apply] = &commands[..] else { panic!("{commands:?}") };
    let words = |command: &str| -> Vec<String> {
        command.split_whitespace().map(|word| word.replace("111122223333", place.account.id.as_str())).collect()
    };
    let run = |words: &[String]| place.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
    fs::create_dir_all(place.manifests()).unwrap();

    place.recorder.forget();
    let adopted = run(&words(adopt)).exits(0);
    let changes = place.recorder.mutations().into_iter().filter(|call| !call.action.starts_with("GET "));
    assert_eq!(changes.map(|call| call.action).collect::<Vec<_>>(), [""; 0], "adopting only looks");
    assert!(adopted.out.contains("9 stacks, 1 secret, 1 DNS record, 1 backup policy"), "{}", adopted.out);
    assert!(adopted.out.contains("1 service is proposed"), "{}", adopted.out);
    let counts = place.recorder.counts();
    assert_eq!(counts.get("GetSecretValue"), None, "no value of a secret is read");
    let files = source::read(&place.manifests()).unwrap().files;
    assert!(files.values().all(|file| !format!("{file:?}").contains("canary")));
    for spec in dev.stacks.values().filter(|spec| TYPED.contains(&spec.key.name.as_str())) {
        let file = format!("environments/dev/performance-mgmt/templates/{}.yaml", spec.key.name);
        let written = fs::read_to_string(place.manifests().join(file)).unwrap();
        assert!(written == *spec.template.body, "{} is not what was submitted", spec.key);
    }
    let again = run(&words(adopt)).exits(64);
    assert!(again.err.contains("--force"), "nothing is written over: {}", again.err);

    run(&words(validate)).exits(0);
    let planned = run(&words(plan)).exits(2);
    assert!(
        planned.out.contains("0 to create, 0 to update, 0 to delete") || planned.out.contains("10 to adopt"),
        "{}",
        planned.out
    );
    let json = place.run(&["plan", "dev", "-o", "json"]).exits(2).json();
    // Everything that is adopted waits for a person.
    let (summary, all) = (&json["summary"], BTreeSet::from(["adopt", "inSync", "objects", "waiting"]));
    for (word, count) in summary.as_object().unwrap() {
        assert!(all.contains(word.as_str()) || *count == json!(0), "{word}: {summary}");
    }
    let counts = ["adopt", "waiting", "inSync"].map(|word| &summary[word]);
    assert_eq!(counts, [&json!(10), &json!(10), &json!(2)], "{summary}");

    let words = words(apply).into_iter().map(|word| if word == "DIGEST" { planned.digest() } else { word });
    run(&words.collect::<Vec<_>>()).exits(0);
    place.run(&["plan", "dev"]).exits(0);
    let now = place.list().await;
    assert!(now.values().all(|stack| stack.tags.contains_key("landfast:owner")));
    assert_eq!(untagged(now), untagged(typed), "taking ownership changed something else");
}

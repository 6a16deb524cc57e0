//! The operator's own configuration, and what else stands above the manifests, through the program as people run it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const ENVIRONMENT: &str = "apiVersion: landfast/v1\nkind: Environment\nmetadata: { name: dev }\nspec:\n  system: shop\n  \
    account: \"111122223333\"\n  region: us-east-1\n  include: [stacks]\n  policy: { mode: apply, prune: always, budget: { deletions: 9 } }\n";
const STACK: &str = "apiVersion: landfast/v1\nkind: Stack\nmetadata: { name: topic }\nspec:\n  template: topic.tpl\n";
const TEMPLATE: &str = "Resources: { Topic: { Type: AWS::SNS::Topic } }\n";

/// Manifests, and a directory beside them that their authors cannot write to.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(place.manifests().join("stacks")).unwrap();
        place.write("m/env.yaml", ENVIRONMENT);
        place.write("m/stacks/topic.yaml", STACK);
        place.write("m/stacks/topic.tpl", TEMPLATE);
        place
    }

    fn manifests(&self) -> PathBuf {
        self.dir.path().join("m")
    }

    fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(path);
        fs::write(&path, text).unwrap();
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfast"));
        command
            .args(arguments)
            .arg("--manifests")
            .arg(self.manifests())
            .arg("--state")
            .arg(self.dir.path().join("state"));
        command.current_dir(self.dir.path()).env("LANDFAST_CLOUD", "sim").env("NO_COLOR", "1").stdin(Stdio::null());
        for name in ["LANDFAST_LOG", "LANDFAST_CONFIG", "LANDFAST_IDENTITY", "CI", "AWS_ENDPOINT_URL"] {
            command.env_remove(name);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(arguments).output().unwrap())
    }
}

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    #[track_caller]
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }
}

fn seal(place: &Place, file: &Path, value: &str, recipient: &str, more: &[&str]) -> Ran {
    let mut command = place.command(&[&["seal", file.to_str().unwrap(), "-r", recipient], more].concat());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let _ = write!(child.stdin.take().unwrap(), "{value}");
    Ran::of(&child.wait_with_output().unwrap())
}

#[test]
fn what_the_operator_does_not_allow_is_cut_everywhere_and_said() {
    let place = Place::new();
    let strict = "[[environment]]\nname = ['*']\nmode = 'observe'\nprune = 'never'\n";
    let config = place.write("landfast.toml", strict);
    let config = config.to_str().unwrap();
    for command in ["validate", "plan", "status"] {
        let ran = place.run(&["--config", config, command]);
        assert!(
            ran.err.contains(&format!("but the operator's {config}:3 limits it to observe")),
            "{command}: {}",
            ran.err
        );
        assert!(ran.err.contains(":4 limits it to never"), "{command}: {}", ran.err);
    }
    let applied = place.run(&["--config", config, "apply", "dev", "--yes"]).exits(3);
    assert!(applied.out.contains("dev is in observe mode"), "{}", applied.out);
    assert!(applied.out.contains("manifests cannot override it"), "{}", applied.out);
    // In the working directory it is found by itself, and without it the manifests decide.
    assert!(place.run(&["validate"]).exits(0).err.contains("landfast.toml:3"));
    fs::remove_file(place.dir.path().join("landfast.toml")).unwrap();
    assert!(!place.run(&["validate"]).exits(0).err.contains("landfast.toml"));
    place.run(&["apply", "dev", "--yes"]).exits(0);
}

#[test]
fn an_account_that_is_not_allowed_is_an_error_at_its_place() {
    let place = Place::new();
    let config = place.write("landfast.toml", "[[environment]]\nname = ['dev']\naccounts = ['444455556666']\n");
    let ran = place.run(&["--config", config.to_str().unwrap(), "plan"]).exits(65);
    assert!(ran.err.contains("env.yaml:6") && ran.err.contains("landfast.toml:3 allows 444455556666"), "{}", ran.err);
    let other = place.write("landfast.toml", "[[environment]]\nname = ['prod']\n");
    let ran = place.run(&["--config", other.to_str().unwrap(), "validate"]).exits(65);
    assert!(ran.err.contains("allows the environment `dev`"), "{}", ran.err);
}

#[test]
fn it_is_never_read_from_the_repository_of_the_manifests_and_never_half() {
    let place = Place::new();
    let all = "[[environment]]\nname = ['*']\n";
    let inside = place.write("m/landfast.toml", all);
    let ran = place.run(&["--config", inside.to_str().unwrap(), "plan"]).exits(64);
    assert!(ran.err.contains("is in the directory of the manifests"), "{}", ran.err);
    fs::create_dir(place.dir.path().join(".git")).unwrap();
    place.write("landfast.toml", all);
    let ran = place.run(&["validate"]).exits(64);
    assert!(ran.err.contains("is in the Git work tree of the manifests"), "{}", ran.err);
    fs::remove_dir(place.dir.path().join(".git")).unwrap();
    let wrong = place.write("landfast.toml", "[[environment]]\nname = ['*']\nmodee = 'observe'\n");
    let ran = place.run(&["--config", wrong.to_str().unwrap(), "validate"]).exits(64);
    assert!(ran.err.contains("line 3") && ran.err.contains("unknown field `modee`"), "{}", ran.err);
    let ran = place.run(&["--config", "/nowhere/landfast.toml", "validate"]).exits(1);
    assert!(ran.err.contains("/nowhere/landfast.toml could not be read"), "{}", ran.err);
}

#[test]
fn a_plan_in_ci_says_once_and_beside_its_data_that_the_manifests_decide() {
    let place = Place::new();
    let ran = Ran::of(&place.command(&["plan", "-o", "json"]).env("CI", "true").output().unwrap()).exits(2);
    assert_eq!(ran.err.matches("only the manifests limit").count(), 1, "{}", ran.err);
    let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(document["kind"], "Plan");
    assert!(!place.run(&["plan"]).exits(2).err.contains("decide"));
    place.write("landfast.toml", "[[environment]]\nname = ['*']\n");
    let ran = Ran::of(&place.command(&["plan"]).env("CI", "true").output().unwrap()).exits(2);
    assert!(!ran.err.contains("decide"), "{}", ran.err);
}

#[test]
fn a_consent_counts_only_from_those_who_may_give_it() {
    let place = Place::new();
    let approvers = |names: &str| {
        let text = format!("[[environment]]\nname = ['*']\nmode = 'approve'\napprovers = [{names}]\n");
        place.write("landfast.toml", &text);
    };
    approvers("'ada', 'grace'");
    let plan = place.run(&["plan", "dev", "-o", "json"]).exits(2);
    let document: serde_json::Value = serde_json::from_str(&plan.out).unwrap();
    let digest = document["digest"].as_str().unwrap();
    let apply = |who: &str| {
        Ran::of(&place.command(&["apply", "dev", "--plan", digest]).env("LANDFAST_USER", who).output().unwrap())
    };
    // Whose process it is counts, and not what the process says.
    let ran = apply("ada").exits(3);
    assert!(ran.err.contains("is not listed as an approver in the operator's landfast.toml:4"), "{}", ran.err);
    let account = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    approvers(&format!("'{}'", account.trim()));
    apply("mallory").exits(0);
}

#[test]
fn a_plan_asks_no_web_server_unless_it_is_told_to() {
    let place = Place::new();
    // The simulation resolves no such name: a check that is asked fails.
    place.write("m/stacks/topic.yaml", &format!("{STACK}  ready: [{{ http: 'http://nowhere.example/' }}]\n"));
    place.run(&["apply", "dev", "--yes"]);
    let asked = "does not resolve";
    let ran = place.run(&["plan", "dev", "--probe"]);
    assert!(ran.out.contains(asked), "{}", ran.out);
    let ran = place.run(&["plan", "dev"]).exits(0);
    assert!(!ran.out.contains(asked) && ran.err.contains("HTTP checks were not run"), "{}\n{}", ran.out, ran.err);
    assert!(place.run(&["status", "dev"]).out.contains(asked));
}

#[test]
fn a_check_of_the_metadata_service_is_not_asked() {
    let place = Place::new();
    let check = "  ready: [{ http: 'http://169.254.169.254/latest/meta-data/', body: 'A' }]\n";
    place.write("m/stacks/topic.yaml", &format!("{STACK}{check}"));
    place.run(&["apply", "dev", "--yes"]);
    let ran = place.run(&["status", "dev"]);
    assert!(ran.out.contains("not checked: 169.254.169.254 is a link-local address"), "{}", ran.out);
}

#[test]
fn a_sealed_file_is_for_the_secret_whose_manifest_takes_it() {
    let place = Place::new();
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public().to_string();
    let key = {
        use age::secrecy::ExposeSecret as _;
        place.write("identity", identity.to_string().expose_secret())
    };
    let file = place.manifests().join("stacks/app.age");
    // Before there is a manifest.
    let ran = seal(&place, &file, "x", &recipient, &[]).exits(0);
    assert!(ran.err.contains("without the name of a secret"), "{}", ran.err);
    place.write(
        "m/stacks/secret.yaml",
        "apiVersion: landfast/v1\nkind: Secret\nmetadata: { name: app }\nspec: { sealed: app.age }\n",
    );
    fs::remove_file(&file).unwrap();
    let ran = seal(&place, &file, "x", &recipient, &[]).exits(0);
    assert!(ran.err.contains("for 111122223333/us-east-1/dev/shop/app of `dev`"), "{}", ran.err);
    seal(&place, &file, "x", &recipient, &["--for", "dev/secret/other"]).exits(64);
    seal(&place, &file, "x", &recipient, &["--for", "dev/secret/app"]).exits(0);
    let identity = ["--identity", key.to_str().unwrap()];
    place.run(&[&identity[..], &["apply", "dev", "--yes"]].concat()).exits(0);
    // Somebody has another environment make a secret of it.
    let other = ENVIRONMENT.replace("name: dev", "name: test").replace("include: [stacks]", "include: [copy]");
    place.write("m/test.yaml", &other);
    fs::create_dir(place.manifests().join("copy")).unwrap();
    for name in ["secret.yaml", "app.age"] {
        fs::copy(place.manifests().join("stacks").join(name), place.manifests().join("copy").join(name)).unwrap();
    }
    let ran = place.run(&[&identity[..], &["apply", "test", "--yes"]].concat()).exits(1);
    let said = format!("{}\n{}", ran.out, ran.err);
    assert!(said.contains("it was sealed for 111122223333/us-east-1/dev/shop/app of `dev`, not for"), "{said}");
}

/// Runs until it is dropped.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn whether_events_arrive_is_told_with_a_daemon_and_without_one() {
    let place = Place::new();
    let asked = |more: &[&str]| {
        let ran = place.run(&[&["events", "source", "check", "-o", "json"], more].concat());
        let report: Option<serde_json::Value> = serde_json::from_str(&ran.out).ok();
        (ran, report)
    };
    let (ran, _) = asked(&[]);
    assert!(ran.code == Some(64) && ran.err.contains("names no queue of events"), "{} {}", ran.out, ran.err);
    let config = place.write(
        "landfast.toml",
        "[events]\nqueue = 'https://sqs.us-east-1.amazonaws.com/111122223333/landfast-events'\n[[environment]]\nname = ['*']\n",
    );
    let config = ["--config", config.to_str().unwrap()];
    let (ran, report) = asked(&config);
    let report = report.unwrap();
    assert!(ran.code == Some(0) && report["receivedBy"] == "this command", "{} {}", ran.out, ran.err);
    let item = &report["items"][0];
    assert_eq!((&item["account"], &item["region"]), (&"111122223333".into(), &"us-east-1".into()));
    assert!(item["arrived"].is_string() && item["late"].as_u64().is_some_and(|late| late < 5_000), "{item}");
    // A daemon takes the heartbeats out of the queue: it is asked, and the next one is waited for.
    let mut daemon = place.command(&[&["run"], &config[..]].concat());
    let _daemon = Running(daemon.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let beacon = place.dir.path().join("state/daemon.json");
    while !beacon.exists() {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let (ran, report) = asked(&[&config[..], &["--timeout", "1s"]].concat());
    assert_eq!(ran.code, Some(1), "{} {}", ran.out, ran.err);
    assert!(report.unwrap()["items"][0]["arrived"].is_null());
    let (ran, report) = asked(&config);
    let report = report.unwrap();
    assert!(report["receivedBy"].as_str().unwrap().starts_with("the daemon"), "{report}");
    assert!(ran.code == Some(0) && report["items"][0]["arrived"].is_string(), "{report}");
}

//! How people name things on the command line, and what the commands do that are only about the machine at hand.

use std::path::Path;
use std::process::{Command, Stdio};

/// A copy of the manifests, and a simulated AWS of its own.
struct Place(tempfile::TempDir);

struct Ran {
    out: String,
    err: String,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        super::docs::session::copy(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests"),
            &directory.path().join("manifests"),
        );
        Self(directory)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfast"));
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        command.env("LANDFAST_CLOUD", "sim").env("NO_COLOR", "1");
        for name in ["LANDFAST_LOG", "LANDFAST_STATE", "LANDFAST_MANIFESTS", "LANDFAST_CONFIG", "LANDFAST_ENV", "CI"] {
            command.env_remove(name);
        }
        command
    }

    #[track_caller]
    fn run(&self, arguments: &[&str], code: i32) -> Ran {
        let output = self.command(arguments).output().unwrap();
        let ran = Ran {
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{}\n{}", ran.out, ran.err);
        ran
    }

    /// The objects that a plan shows.
    fn planned(&self, arguments: &[&str]) -> Vec<String> {
        let all = [&["plan"][..], arguments, &["-o", "json"]].concat();
        let document: serde_json::Value = serde_json::from_str(&self.run(&all, 2).out).unwrap();
        let plans = document["items"].as_array().cloned().unwrap_or_else(|| vec![document]);
        let steps = plans.iter().flat_map(|plan| plan["steps"].as_array().unwrap());
        let mut objects: Vec<_> = steps.map(|step| step["object"].as_str().unwrap().to_owned()).collect();
        objects.sort();
        objects
    }
}

#[test]
fn a_shell_completes_environments_and_objects_of_the_manifests() {
    let place = Place::new();
    let complete = |words: &[&str]| {
        let mut command = place.command(&[&["--", "landfast"], words].concat());
        let output = command.env("COMPLETE", "fish").output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(complete(&["status", "dev/stack/k"]), ["dev/stack/kms"]);
    assert_eq!(complete(&["why", "prod/service/"]), ["prod/service/api"]);
    assert_eq!(complete(&["apply", "st"]), ["staging"]);
    assert_eq!(complete(&["status", "--env", "p"]), ["prod"]);
    assert_eq!(complete(&["apply", "dev/"]), [""; 0], "apply takes whole environments");
    std::fs::write(place.0.path().join("manifests/broken.yaml"), "a: [").unwrap();
    assert_eq!(complete(&["wai"]), ["wait"]);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.run(&["completions", shell], 0).out;
        assert!(script.contains("COMPLETE"), "{script}");
    }
}

#[test]
fn logs_are_of_services() {
    let place = Place::new();
    place.run(&["apply", "dev", "--yes"], 0);
    let none = place.run(&["logs", "dev/service/api"], 0);
    assert_eq!((none.out.as_str(), none.err.contains("no log lines")), ("", true), "{}", none.err);
    let refused = place.run(&["logs", "dev/stack/kms"], 64);
    assert!(refused.err.contains("dev/stack/kms has no logs"), "{}", refused.err);
}

#[test]
fn an_apply_of_everything_has_to_be_asked_for() {
    let place = Place::new();
    let refused = place.run(&["apply", "--yes"], 64).err;
    let one = Place::new();
    for other in ["staging", "prod"] {
        std::fs::remove_dir_all(one.0.path().join("manifests/environments").join(other)).unwrap();
    }
    assert!(one.run(&["apply", "--yes"], 0).out.ends_with("dev is in sync.\n"), "nothing else can be meant");
    assert!(refused.contains("--all") && refused.contains("dev, prod, staging"), "{refused}");
    assert!(!place.0.path().join(".landfast").exists(), "nothing was begun");
    // The environment may be that of the whole shell.
    let shown = place.command(&["apply", "--dry-run"]).env("LANDFAST_ENV", "dev").output().unwrap();
    assert_eq!(shown.status.code(), Some(2));
    assert!(!String::from_utf8_lossy(&shown.stdout).contains("prod"));
}

#[test]
fn objects_have_the_names_that_people_type() {
    let place = Place::new();
    assert_eq!(place.planned(&["dev/stack/msk"]), ["dev/stack/msk"]);
    assert_eq!(place.planned(&["-e", "dev", "msk"]), ["dev/stack/msk"]);
    assert_eq!(place.planned(&["-e", "dev", "stacks/msk"]), ["dev/stack/msk"]);
    assert_eq!(place.planned(&["dev/svc"]), ["dev/service/api"]);
    assert_eq!(place.planned(&["dev/stack/ec*"]), ["dev/stack/ecr", "dev/stack/ecs-cluster", "dev/stack/ecs-service"]);
    assert_eq!(place.planned(&["msk"]).len(), 3, "one in each environment");
    assert!(place.planned(&["dev", "staging"]).len() > place.planned(&["dev"]).len());

    for (wrong, says) in [
        ("dev/stack/mssk", "did you mean `dev/stack/msk`?"),
        ("dev/stak/msk", "kinds are stack, service, secret, dnsrecord and backuppolicy"),
        ("nowhere", "no environment or object is named `nowhere`; available: dev, prod, staging"),
        ("dev/stack/nothing*", "no object is named `dev/stack/nothing*`"),
    ] {
        let refused = place.run(&["plan", wrong], 64).err;
        assert!(refused.contains(says), "{wrong}: {refused}");
    }
    let several = place.run(&["why", "msk"], 64).err;
    assert!(several.contains("dev/stack/msk, prod/stack/msk, staging/stack/msk"), "{several}");
    let partial = place.run(&["apply", "dev/stack/msk", "--yes"], 64).err;
    assert!(partial.contains("whole environments"), "{partial}");
}

#[test]
fn a_part_of_a_plan_is_not_offered_for_approval() {
    let place = Place::new();
    let shown = place.run(&["plan", "dev/stack/msk"], 2);
    assert!(shown.err.contains("1 of 16 objects are shown"), "{}", shown.err);
    assert!(!shown.out.contains("--plan"), "{}", shown.out);
}

#[test]
fn what_was_deployed_is_printed_as_programs_want_it() {
    let place = Place::new();
    place.run(&["apply", "dev", "--auto-approve"], 0);
    let names = place.run(&["ls", "dev/stack", "-o", "name"], 0).out;
    assert_eq!(names.lines().count(), 12);
    assert!(names.lines().all(|line| line.starts_with("dev/stack/")), "{names}");
    let wide = place.run(&["status", "dev/stack/kms", "-o", "wide"], 0).out;
    assert!(wide.starts_with("OBJECT         READY  SYNC    HEALTH   STATUS           FOR  NAME"), "{wide}");
    let yaml = place.run(&["status", "dev/stack/kms", "-o", "yaml"], 0).out;
    assert!(yaml.contains("kind: StatusList\n") && yaml.contains("  sync: Synced\n  health: Healthy\n"), "{yaml}");
    let raw = place.run(&["outputs", "dev/stack/network", "--key", "VpcCidrBlock", "--raw"], 0).out;
    assert_eq!(raw, "10.10.0.0/16\n");
    let missing = place.run(&["outputs", "dev/stack/network", "--key", "VpcCidr"], 64).err;
    assert!(missing.contains("VpcCidrBlock"), "{missing}");
    let events = place.run(&["events", "dev/stack/kms", "dev/service/api", "-n", "3"], 0).out;
    assert!(events.contains("dev/stack/kms\n") && events.contains("dev/service/api\n"), "{events}");
    place.run(&["wait", "dev", "--timeout", "1s"], 0);
    let late = place.run(&["wait", "staging/stack/kms", "--timeout", "1s"], 1).err;
    assert!(late.contains("not in time: staging/stack/kms"), "{late}");

    let checked = place.run(&["state", "check"], 0).out;
    assert!(checked.contains(": OK, not in use\n"), "{checked}");
    let export: serde_json::Value = serde_json::from_str(&place.run(&["state", "export"], 0).out).unwrap();
    assert!(export["journal"].as_array().unwrap().len() > 20);
    assert_eq!(export["accepted"].as_object().unwrap().len(), 1);
    assert!(!export.to_string().contains("fingerprintKey"));
    assert_eq!(std::fs::read_to_string(place.0.path().join(".landfast/.gitignore")).unwrap(), "*\n");
}

#[test]
fn the_state_says_that_it_is_not_there_and_that_it_is_damaged() {
    let place = Place::new();
    let missing = place.run(&["state", "check"], 64).err;
    assert!(missing.contains("no journal exists at"), "{missing}");
    let cached = place.run(&["status", "--cached"], 1).err;
    assert!(cached.contains("no daemon has written its status to"), "{cached}");
    place.run(&["apply", "dev", "--yes"], 0);
    let journal = place.0.path().join(".landfast/sim-journal.redb");
    let mut bytes = std::fs::read(&journal).unwrap();
    let half = bytes.len() / 2;
    bytes.truncate(half);
    std::fs::write(&journal, bytes).unwrap();
    place.run(&["state", "check"], 1);
}

#[test]
fn a_newcomer_has_an_environment_at_once() {
    let place = Place(tempfile::tempdir().unwrap());
    let wrote = place.run(&["init", "demo1", "--account", "123456789012", "--region", "eu-west-1"], 0).out;
    assert!(wrote.contains("wrote manifests/environments/demo1/environment.yaml"), "{wrote}");
    let valid = place.run(&["validate"], 0).out;
    assert!(valid.contains("1 environments, 2 stacks, 0 errors, 0 warnings"), "{valid}");
    let planned = place.run(&["plan", "demo1"], 2).out;
    let approve = planned.split("landfast apply demo1 --plan ").nth(1).unwrap().split_whitespace().next().unwrap();
    place.run(&["apply", "demo1", "--plan", approve], 0);
    let again = place.run(&["init", "demo1"], 64).err;
    assert!(again.contains("exists"), "{again}");

    let place = Place(tempfile::tempdir().unwrap());
    let asked = place.command(&["init", "demo1"]).env("LANDFAST_CLOUD", "aws").output().unwrap();
    assert_eq!(asked.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&asked.stderr).contains("--account is missing"));
    for wrong in [&["init", "Demo"][..], &["init", "x", "--account", "12"], &["init", "ok", "--system", "a b"]] {
        place.run(wrong, 64);
    }
    assert_eq!(std::fs::read_dir(place.0.path()).unwrap().count(), 0, "nothing is half written");
}

#[test]
fn manual_pages_and_the_version_are_those_of_the_program() {
    let place = Place(tempfile::tempdir().unwrap());
    place.run(&["man", "--out", "man"], 0);
    let page = std::fs::read_to_string(place.0.path().join("man/landfast-apply.1")).unwrap();
    assert!(page.contains("accept\\-older\\-commit"), "{page}");
    assert!(place.run(&["man"], 0).out.contains("landfast"));
    assert!(place.run(&["--version"], 0).out.starts_with(concat!("landfast ", env!("CARGO_PKG_VERSION"))));
    let help = place.run(&["--help"], 0).out;
    for group in ["Write manifests:", "Deploy:", "Inspect:", "Secrets and backups:", "Targets:", "Exit codes:"] {
        assert!(help.contains(group), "{help}");
    }
}

#[test]
fn whoever_watches_holds_nothing_and_sees_what_others_do() {
    let place = Place::new();
    let log = place.0.path().join("watched");
    let file = std::fs::File::create(&log).unwrap();
    let mut watching = place.command(&["status", "-w", "dev/stack/kms"]).stdout(file).spawn().unwrap();
    let shows = |text: &str| std::fs::read_to_string(&log).unwrap().contains(text);
    let until = |text: &str| {
        for _ in 0..600 {
            if shows(text) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("it never shows {text:?}: {}", std::fs::read_to_string(&log).unwrap());
    };
    until("Missing");
    place.run(&["apply", "dev", "--yes"], 0);
    watching.kill().unwrap();
    watching.wait().unwrap();
    place.run(&["wait", "dev/stack/kms", "--timeout", "1s"], 0);
}

#[test]
fn no_pattern_deletes_anything() {
    let place = Place::new();
    place.run(&["apply", "dev", "--yes"], 0);
    for wrong in ["d*", "dev/stack/kms", "dev/stack", "kms"] {
        let refused = place.run(&["destroy", wrong], 64).err;
        assert!(refused.contains("dev, prod, staging"), "{wrong}: {refused}");
    }
}

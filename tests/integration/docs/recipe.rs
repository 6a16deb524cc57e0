//! The CI workflows of the documentation, run step by step as a CI system runs them, against the simulation.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_yaml::Value as Yaml;

use super::markdown;
use super::session::Session;

/// A step that runs a command.
struct Step {
    script: String,
    env: Vec<(String, String)>,
}

/// What a CI system puts in the place of an expression.
fn expanded(text: &str, digest: &str) -> String {
    let known = [("github.token", "token"), ("github.event.number", "7"), ("inputs.digest", digest)];
    known.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{{ {name} }}}}"), value))
}

/// The steps of a workflow that run something; what it `uses` is not ours.
fn steps(workflow: &Yaml, digest: &str) -> Vec<Step> {
    let mut found = Vec::new();
    for (_, job) in workflow["jobs"].as_mapping().unwrap() {
        assert_eq!(job["defaults"]["run"]["shell"].as_str(), Some("bash"), "the shell that the page speaks of");
        for step in job["steps"].as_sequence().unwrap() {
            let Some(script) = step["run"].as_str() else { continue };
            let env = step.get("env").and_then(Yaml::as_mapping).into_iter().flatten();
            let env =
                env.map(|(name, value)| (name.as_str().unwrap().to_owned(), expanded(value.as_str().unwrap(), digest)));
            found.push(Step { script: expanded(script, digest), env: env.collect() });
        }
    }
    found
}

fn run(session: &Session, step: &Step) -> (Option<i32>, String) {
    let mut shell = session.shell(&["--noprofile", "--norc", "-eo", "pipefail"], &step.script);
    shell.env("GITHUB_STEP_SUMMARY", session.place.path().join("summary.md")).env("CI", "true");
    shell.envs(step.env.iter().map(|(name, value)| (name, value)));
    let ended = shell.output().unwrap();
    (ended.status.code(), String::from_utf8_lossy(&ended.stdout).into_owned())
}

#[test]
fn the_workflows_plan_and_apply_what_was_reviewed() {
    let page = markdown::page("docs/src/guide/ci.md");
    let yaml = markdown::blocks(&page.text).into_iter().filter(|block| block.language == "yaml");
    let workflows: Vec<Yaml> = yaml.map(|block| serde_yaml::from_str(&block.text()).unwrap()).collect();
    let [plan, apply] = &workflows[..] else { panic!("{workflows:?}") };

    let session = Session::new();
    let gh = session.place.path().join("bin/gh");
    fs::create_dir_all(gh.parent().unwrap()).unwrap();
    fs::write(&gh, "#!/bin/sh\necho \"$@\" > commented\ntest -s plan.md\n").unwrap();
    fs::set_permissions(&gh, fs::Permissions::from_mode(0o755)).unwrap();
    let read = |name: &str| fs::read_to_string(session.place.path().join(name)).unwrap();

    for step in steps(plan, "") {
        let (code, said) = run(&session, &step);
        assert_eq!(code, Some(0), "{}\n{said}", step.script);
    }
    assert!(read("commented").starts_with("pr comment 7 --body-file plan.md"), "{}", read("commented"));
    let shown = read("plan.md");
    assert_eq!(read("summary.md"), shown);

    // The reviewer copies the digest from the comment.
    let digest = regex::Regex::new("--plan ([0-9a-f-]{20,})").unwrap();
    let digest = digest.captures(&shown).expect("the plan shows its digest")[1].to_owned();
    let other = steps(apply, "00000000-00000000-00000000-00000000");
    let (code, said) = run(&session, &other[0]);
    assert!(code == Some(1) && said.contains("::error::"), "{code:?} {said}");
    let approved = steps(apply, &digest);
    let (code, said) = run(&session, &approved[0]);
    assert_eq!(code, Some(0), "{said}");

    // In sync: the first workflow goes on, too.
    for step in steps(plan, "") {
        let (code, said) = run(&session, &step);
        assert_eq!(code, Some(0), "{}\n{said}", step.script);
    }
    // Manifests that are wrong stop it.
    let file = "manifests/environments/prod/environment.yaml";
    fs::write(session.place.path().join(file), read(file).replace("  system:", "  sytem:")).unwrap();
    let stopped = steps(plan, "").iter().map(|step| run(&session, step).0).find(|code| *code != Some(0));
    assert_eq!(stopped, Some(Some(65)));
}

//! The wrong account, and secrets.

use std::time::Duration;

use super::failures::break_template;
use super::place::{Place, finish};

/// Nothing else in this repository is called like this.
const CANARY: &str = "Canary-Hush-7c1f0e";

#[tokio::test]
async fn credentials_of_another_account_are_refused_before_anything_is_sent() {
    let Some(place) = Place::new(Duration::ZERO) else { return };
    let role = format!("  role: arn:aws:iam::{}:role/landfast\n", place.account.id);
    place.edit("environments/dev/environment.yaml", &role, "");
    for arguments in [&["apply", "dev", "--yes"][..], &["plan", "dev"], &["destroy", "dev", "--plan", "000000000000"]] {
        let mut command = place.command(arguments);
        command.env("AWS_ACCESS_KEY_ID", "999988887777");
        let ran = finish(command).exits(1);
        assert!(
            ran.text().contains("999988887777") && ran.text().contains(place.account.id.as_str()),
            "{}",
            ran.text()
        );
        eprintln!("{arguments:?} took {:?}", ran.took);
    }
    let counts = place.recorder.counts();
    assert!(counts.keys().all(|action| action == "GetCallerIdentity"), "{counts:?}");
}

/// Everything that the program has said or written. A plan writes no state; what applies does.
fn search(place: &Place, said: &str) {
    assert!(!said.contains(CANARY), "it was said:\n{said}");
    let state = place.dir.path().join(".landfast");
    if !state.exists() {
        return;
    }
    for entry in std::fs::read_dir(state).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
        assert!(!found, "it is in {}", path.display());
    }
}

fn plant(place: &Place) {
    let value = format!("\"RedisAuthToken\": \"{CANARY}\",\n    \"CacheNodeCount\"");
    place.edit("environments/dev/dev-parameters.json", "\"CacheNodeCount\"", &value);
}

const COMMANDS: [&[&str]; 7] = [
    &["plan", "dev", "-vv"],
    &["plan", "dev", "-o", "json"],
    &["apply", "dev", "--yes", "-vv", "--log-format", "json"],
    &["status", "dev", "-o", "json"],
    &["why", "dev/stack/elasticache"],
    &["outputs", "dev", "-o", "json"],
    &["events", "dev/stack/elasticache", "-o", "json"],
];

#[tokio::test]
async fn a_secret_parameter_is_never_said_nor_written() {
    let Some(place) = Place::new(Duration::ZERO) else { return };
    plant(&place);
    for arguments in COMMANDS {
        let ran = place.run(arguments);
        search(&place, &ran.text());
    }
    assert!(place.dir.path().join(".landfast").exists());
    assert_eq!(place.list().await["elasticache"].parameters["RedisAuthToken"], "****");
    place.run(&["plan", "dev"]).exits(0);
    // It changes, which is known from its fingerprint.
    place.edit("environments/dev/dev-parameters.json", CANARY, &format!("{CANARY}-2"));
    let planned = place.run(&["plan", "dev", "-vv"]).exits(2);
    search(&place, &planned.text());
    assert!(planned.out.contains("RedisAuthToken"), "{}", planned.out);
}

#[tokio::test]
async fn not_even_when_its_stack_fails() {
    let Some(place) = Place::new(Duration::ZERO) else { return };
    plant(&place);
    break_template(&place, "elasticache");
    for arguments in COMMANDS {
        let ran = place.run(arguments);
        search(&place, &ran.text());
    }
    assert!(place.dir.path().join(".landfast").exists());
}

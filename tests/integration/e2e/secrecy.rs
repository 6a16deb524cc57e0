//! Secrets, and every command there is: no value is said, written or sent anywhere but to where it belongs (S12).

use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use landfast::model::Scope;
use landfast::ports::Cloud as _;

use super::place::{Place, Ran, finish, until};
use crate::contract::all;

/// Nothing else in this repository is called like this, and nothing else is so long.
const CANARY: &str = "Canary-Hush-51ed27";
/// No number that is made anew in each run can be this one: the groups of a UUID have 4, 8 or 12 digits (one version-4
/// UUID in 4,096 has any number of four digits that begins with a 4), and ports that the system gives away end at 60,999.
/// A secret has 65,536 bytes at most.
const LENGTH: usize = 64_937;

const SECRETS: &str = "\
apiVersion: landfast/v1
kind: Secret
metadata: { name: made }
spec:
  generate: { password: { length: 977 }, token: { charset: base64url, length: 61 } }
  rotate: { every: 30d }
---
apiVersion: landfast/v1
kind: Secret
metadata: { name: sealed }
spec: { sealed: app.age }
";

/// Every command, in every form of its output. Those that fail are as much to be looked at as those that do not.
const COMMANDS: &[&[&str]] = &[
    &["validate"],
    &["validate", "-o", "json"],
    &["graph", "dev"],
    &["graph", "dev", "--format", "mermaid"],
    &["graph", "dev", "--format", "dot"],
    &["plan", "dev"],
    &["plan", "dev", "-o", "json"],
    &["preflight", "dev"],
    &["preflight", "dev", "-o", "json"],
    &["apply", "dev", "--yes"],
    &["apply", "dev", "--yes", "-o", "json"],
    &["apply", "dev", "--plan", "000000000000"],
    &["secret", "status", "dev"],
    &["secret", "rotate", "dev/secret/made"],
    &["secret", "rotate", "dev/secret/sealed"],
    &["apply", "dev", "--yes", "--log-format", "json"],
    &["status", "dev"],
    &["status", "dev", "-o", "json"],
    &["why", "dev/secret/made"],
    &["why", "dev/secret/sealed"],
    &["outputs", "dev"],
    &["outputs", "dev", "-o", "json"],
    &["events", "dev/secret/made"],
    &["events", "dev/secret/sealed", "-o", "json"],
    &["images", "dev"],
    &["images", "dev", "-o", "json"],
    &["quarantine", "list"],
    &["quarantine", "release", "dev/service/api", "x"],
    &["rollback", "dev/service/api"],
    &["run", "--once"],
    &["destroy", "dev"],
    &["schema"],
    &["completions", "bash"],
    &["plan", "dev", "-o", "markdown"],
    &["render", "dev"],
    &["render", "dev", "-o", "json"],
];

/// What must be nowhere: values, and the beginnings of values.
struct Canaries(Vec<String>);

impl Canaries {
    /// What was planted, and what is in the secrets of the account now.
    async fn of(place: &Place) -> Self {
        let scope: Scope = place.account.scope("us-east-1");
        let secrets = place.account.cloud(None).await.secrets(&scope, None);
        let mut found = vec![CANARY.to_owned()];
        for secret in all(|page| secrets.list(page)).await {
            for version in secret.versions.keys() {
                let Ok(Some(version)) = secrets.value(&secret.arn, version).await else { continue };
                let text = version.value.map(|value| value.expose().to_owned()).unwrap_or_default();
                // The beginnings of the values of fields; names of fields are no secret.
                let values = text.split('"').filter(|part| part.len() >= 24);
                found.extend(values.map(|part| part.chars().take(12).collect::<String>()));
            }
        }
        Self(found)
    }

    fn search(&self, what: &str, text: &str) {
        for canary in &self.0 {
            assert!(!text.contains(canary.as_str()), "S12: in {what}");
        }
        // A length is one too: as a number of its own.
        let length = LENGTH.to_string();
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
        assert!(!words.any(|word| word == length), "S12: a length is in {what}");
    }

    /// All that was said, written and sent.
    fn search_all(&self, place: &Place, said: &[(String, Ran)]) {
        for (command, ran) in said {
            self.search(command, &ran.text());
        }
        let mut open = vec![place.dir.path().join(".landfast")];
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            for canary in &self.0 {
                let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
                assert!(!found, "S12: in {}", path.display());
            }
        }
        for call in place.recorder.calls() {
            if !["CreateSecret", "PutSecretValue"].contains(&call.action.as_str()) {
                for canary in &self.0 {
                    assert!(!call.body.contains(canary.as_str()), "S12: in the body of {}", call.action);
                }
            }
        }
    }
}

/// A place with a generated and a sealed secret.
fn place() -> Option<Place> {
    let place = Place::new(Duration::ZERO)?;
    let directory = place.manifests().join("performance-mgmt");
    fs::write(directory.join("secrets.yaml"), SECRETS).unwrap();
    let identity = age::x25519::Identity::generate();
    {
        use age::secrecy::ExposeSecret as _;
        fs::write(place.dir.path().join("identity"), identity.to_string().expose_secret()).unwrap();
    }
    let value = format!("{{\"key\":\"{CANARY}-{}\"}}", "x".repeat(LENGTH - CANARY.len() - 11));
    assert_eq!(value.len(), LENGTH);
    let file = directory.join("app.age");
    let mut command =
        place.command(&["seal", file.to_str().unwrap(), "--recipient", &identity.to_public().to_string()]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{value}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).contains(CANARY));
    Some(place)
}

/// At trace level, with everybody asked to speak.
fn run(place: &Place, arguments: &[&str]) -> (String, Ran) {
    let mut command = place.command(arguments);
    command.env("LANDFAST_LOG", "trace");
    command.env("LANDFAST_IDENTITY", place.dir.path().join("identity"));
    (arguments.join(" "), finish(command))
}

#[tokio::test]
async fn no_command_says_writes_or_sends_a_value() {
    let Some(place) = place() else { return };
    let said: Vec<(String, Ran)> = COMMANDS.iter().map(|arguments| run(&place, arguments)).collect();
    let canaries = Canaries::of(&place).await;
    assert!(canaries.0.len() > 3, "there have to be values: {}", said[9].1.text());
    assert!(
        said.iter().any(|(_, ran)| ran.err.contains("TRACE") || ran.err.contains("DEBUG")),
        "it was asked to speak"
    );
    canaries.search_all(&place, &said);
}

#[tokio::test]
async fn not_even_where_something_goes_wrong() {
    let Some(place) = place() else { return };
    let again = |place: &Place| -> Vec<(String, Ran)> {
        let commands: &[&[&str]] = &[
            &["validate"],
            &["validate", "-o", "json"],
            &["plan", "dev", "-o", "json"],
            &["apply", "dev", "--yes"],
            &["status", "dev", "-o", "json"],
            &["why", "dev/secret/sealed"],
            &["events", "dev/secret/sealed"],
        ];
        commands.iter().map(|arguments| run(place, arguments)).collect()
    };
    // Nobody can open it; then it is damaged; then its value stands in the manifest.
    let mut daemon = place.start(&["run", "-vv"]);
    until("it cannot be opened", || daemon.log().contains("no identity was given"));
    daemon.kill();
    let log = daemon.log();
    let mut said = Vec::new();
    let file = place.manifests().join("performance-mgmt/app.age");
    let whole = fs::read_to_string(&file).unwrap();
    fs::write(&file, whole.replace("-----END", "QUJD\n-----END")).unwrap();
    said.extend(again(&place));
    fs::write(&file, format!("{{\"key\": \"{CANARY}\"}}")).unwrap();
    said.extend(again(&place));
    fs::write(&file, whole).unwrap();
    place.edit("performance-mgmt/secrets.yaml", "spec: { sealed: app.age }", &format!("spec: {{ value: {CANARY} }}"));
    said.extend(again(&place));
    assert!(said.iter().any(|(_, ran)| ran.code != 0), "it fails");
    let canaries = Canaries::of(&place).await;
    canaries.search("the daemon's log", &log);
    canaries.search_all(&place, &said);
}

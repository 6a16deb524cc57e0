//! Where a test runs the program: manifests, state, account.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use landfast::model::StackState;
use landfast::ports::{Cloud as _, Stacks};

use super::recorder::Recorder;
use crate::contract::all;
use crate::emulator::{self, Account};

/// The account of the shipped manifests of `dev`.
const SHIPPED: &str = "111122223333";

/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// A copy of the shipped manifests with only the stacks of `dev` in it, and an account of its own.
///
/// What runs on the stacks is left to the simulation (`demo.rs`, `readme.rs`): the emulator says nothing of how a service
/// deployment went, resolves no names and answers no health check, so that the service would never be proven. The
/// image is the parameter that it was before there was a `Service`.
pub struct Place {
    /// Everything on disk.
    pub dir: tempfile::TempDir,
    /// The account.
    pub account: Account,
    /// What the program calls.
    pub recorder: Recorder,
}

/// How a run of the program went.
#[derive(Debug)]
pub struct Ran {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// How long it took.
    pub took: Duration,
}

impl Ran {
    /// Both outputs, for looking into.
    pub fn text(&self) -> String {
        format!("{}\n{}", self.out, self.err)
    }

    /// Asserts the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "standard output:\n{}\nstandard error:\n{}", self.out, self.err);
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }

    /// The digest that the plan offers for approval.
    #[track_caller]
    pub fn digest(&self) -> String {
        let (_, after) = self.text().split_once("--plan ").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        after.chars().take_while(|c| c.is_ascii_hexdigit() || *c == '-').collect()
    }
}

impl Place {
    /// A place before an emulator whose stack operations take `delay`.
    pub fn new(delay: Duration) -> Option<Self> {
        let account = emulator::account(delay)?;
        let dir = tempfile::tempdir().unwrap();
        let place = Self { recorder: Recorder::before(&account.url), dir, account };
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests"), &place.manifests());
        for other in ["staging", "prod"] {
            fs::remove_dir_all(place.manifests().join("environments").join(other)).unwrap();
        }
        place.edit("environments/dev/environment.yaml", SHIPPED, place.account.id.as_str());
        place.only_stacks();
        Some(place)
    }

    fn only_stacks(&self) {
        for other in ["app.yaml", "backups.yaml"] {
            fs::remove_file(self.manifests().join("performance-mgmt").join(other)).unwrap();
        }
        let stacks = "performance-mgmt/stacks.yaml";
        self.edit(stacks, "    AppSecretArn: \"${secrets.app-secrets.arn}\"\n", "");
        let image = "    ImageUri: \"${stacks.ecr.outputs.RepositoryUri}:latest\"\n";
        let roles = "    ExecutionRoleArn: \"";
        self.edit(stacks, roles, &format!("{image}{roles}"));
    }

    /// A place with these manifests and no others, of the account that stands as `ACCOUNT` in them.
    pub fn of(files: &[(&str, &str)]) -> Option<Self> {
        let account = emulator::account(Duration::ZERO)?;
        let dir = tempfile::tempdir().unwrap();
        let place = Self { recorder: Recorder::before(&account.url), dir, account };
        for (file, text) in files {
            let path = place.manifests().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text.replace("ACCOUNT", place.account.id.as_str())).unwrap();
        }
        Some(place)
    }

    /// The directory of the manifests.
    pub fn manifests(&self) -> PathBuf {
        self.dir.path().join("manifests")
    }

    /// Replaces a text in a manifest, wherever it stands.
    #[track_caller]
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.manifests().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from:?}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    /// Adds to the end of a manifest.
    pub fn append(&self, file: &str, more: &str) {
        let path = self.manifests().join(file);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text + more).unwrap();
    }

    /// Removes a stack from the manifests. Nothing may refer to it.
    pub fn remove(&self, name: &str) {
        let path = self.manifests().join("performance-mgmt/stacks.yaml");
        let text = fs::read_to_string(&path).unwrap();
        let documents = text.split("\n---\n").filter(|text| !text.contains(&format!("{{ name: {name} }}")));
        fs::write(path, documents.collect::<Vec<_>>().join("\n---\n")).unwrap();
    }

    /// The program, with these arguments, and of this machine's environment nothing.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.account.program(arguments, &self.recorder.url, self.dir.path())
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        finish(self.command(arguments))
    }

    /// Starts the program with what it says on standard error in a file.
    pub fn start(&self, arguments: &[&str]) -> Running {
        let log = self.dir.path().join("daemon.log");
        let file = fs::File::create(&log).unwrap();
        let child = self.command(arguments).stdout(Stdio::null()).stderr(file).spawn().unwrap();
        Running { child, log }
    }

    /// The region of `dev`.
    pub async fn stacks(&self) -> Arc<dyn Stacks> {
        self.account.cloud(None).await.stacks(&self.account.scope("us-east-1"), None)
    }

    /// Every stack there is, by the part of its name that the manifests say.
    pub async fn list(&self) -> BTreeMap<String, StackState> {
        let stacks = self.stacks().await;
        let listed = all(|page| stacks.list(page)).await;
        let count = listed.len();
        let by_name = listed.into_iter().map(|stack| (short(stack.name.as_str()), stack));
        let by_name: BTreeMap<_, _> = by_name.collect();
        assert_eq!(by_name.len(), count, "a stack is there twice");
        by_name
    }
}

/// The part of a stack's name that the manifests say.
pub fn short(name: &str) -> String {
    name.trim_start_matches("dev-performance-mgmt-").to_owned()
}

/// Runs a command to its end.
pub fn finish(mut command: Command) -> Ran {
    let began = Instant::now();
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
        took: began.elapsed(),
    }
}

/// A running program; killed when dropped.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("it said:\n{}", self.log());
        }
    }
}

impl Running {
    /// What it has said on standard error.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Kills it where it stands.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and waits until it has: its exit code, and how long that took.
    pub fn terminate(&mut self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
        let code = self.wait(PATIENCE);
        (code, began.elapsed())
    }

    /// Waits until it ends by itself: its exit code.
    pub fn wait(&mut self, limit: Duration) -> Option<i32> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Processor time that it has used, by the kernel's account.
    pub fn cpu(&self) -> Option<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        // After the name, which may contain anything; fields 14 and 15 of proc(5), in hundredths of a second.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        Some(Duration::from_millis(ticks * 10))
    }
}

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "it never is so that {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

//! Where the program runs: manifests, a state directory beside them, and nothing of this machine's environment.

use std::fs;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use landfast::context::Context;
use landfast::store::Store;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_mins(1);

/// A user that is not root, where the tests run as root.
pub const NOBODY: u32 = 65_534;

const FILES: [(&str, &str); 3] = [
    (
        "environment.yaml",
        "apiVersion: landfast/v1\nkind: Environment\nmetadata: { name: dev }\nspec:\n  system: app\n  include: [app]\n  account: '111122223333'\n  \
         region: eu-central-1\n  policy: { budget: { stacks: 9, replacements: 9, deletions: 9, per: 1h } }\n",
    ),
    (
        "app/stacks.yaml",
        "apiVersion: landfast/v1\nkind: Stack\nmetadata: { name: one }\nspec: { template: one.yaml }\n",
    ),
    ("app/one.yaml", "Resources: { Topic: { Type: AWS::SNS::Topic } }\n"),
];

/// A place of its own for every test.
pub struct Place {
    pub dir: tempfile::TempDir,
    /// Whom the program runs as: ourselves, if nothing is said.
    user: Option<u32>,
}

impl Place {
    pub fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap(), user: None };
        for (file, text) in FILES {
            place.write(file, text);
        }
        place
    }

    /// The same, for somebody else: only root can have that.
    pub fn of(user: u32) -> Option<Self> {
        let mut place = Self::new();
        std::os::unix::fs::chown(place.dir.path(), Some(user), Some(user)).ok()?;
        place.user = Some(user);
        // Where the binary is may be somebody's own.
        let can = place.command(&["--version"]).output().is_ok_and(|output| output.status.success());
        can.then_some(place)
    }

    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub fn inbox(&self, name: &str) -> PathBuf {
        self.state().join("inbox").join(name)
    }

    pub fn manifests(&self) -> PathBuf {
        self.dir.path().join("manifests")
    }

    /// Writes a file of the manifests.
    pub fn write(&self, file: &str, text: &str) {
        let path = self.manifests().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Another revision, that has something to do in it.
    pub fn edit(&self, number: usize) {
        self.write(
            "app/one.yaml",
            &format!(
                "Resources: {{ Topic: {{ Type: AWS::SNS::Topic }} }}\nOutputs: {{ N: {{ Value: '{number}' }} }}\n"
            ),
        );
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.as_ourselves(arguments);
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    /// As whoever runs the tests.
    pub fn as_ourselves(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfast"));
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env_clear()
            .env("HOME", self.dir.path())
            .env("LANDFAST_CLOUD", "sim")
            .env("LANDFAST_STATE", self.state())
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// A daemon, with what it says in a file.
    pub fn start(&self, arguments: &[&str]) -> Daemon {
        let log = self.dir.path().join("log");
        let file = fs::File::create(&log).unwrap();
        self.start_with(arguments, file.into(), Some(log))
    }

    /// A daemon that says things there.
    pub fn start_with(&self, arguments: &[&str], stderr: Stdio, log: Option<PathBuf>) -> Daemon {
        let mut command = self.command(&["run", "--resync", "2s", "--sim-speed", "3600"]);
        let child = command.args(arguments).stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
        Daemon { child, log }
    }

    /// How often an update has been concluded.
    pub fn concluded(&self) -> usize {
        let store = Store::peek(&self.state().join("sim-journal.redb"), &Context::system().unwrap());
        let lines = store.ok().and_then(|store| store.history(None, 10_000).ok()).unwrap_or_default();
        let ended = |line: &landfast::store::Record| format!("{:?}", line.outcome).contains("Concluded(Succeeded)");
        lines.iter().filter(|line| ended(line)).count()
    }

    /// An edit comes, and is applied.
    #[track_caller]
    pub fn applies(&self, daemon: &mut Daemon, number: usize) {
        let before = self.concluded();
        self.edit(number);
        until("an edit is applied", || {
            assert!(!daemon.has_ended(), "it ended:\n{}", daemon.log());
            self.concluded() > before
        });
    }
}

/// Both outputs of a command.
pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A running daemon; killed when dropped.
pub struct Daemon {
    pub child: Child,
    log: Option<PathBuf>,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("it said:\n{}", self.log());
        }
    }
}

impl Daemon {
    pub fn of(child: Child) -> Self {
        Self { child, log: None }
    }

    pub fn logging(child: Child, log: PathBuf) -> Self {
        Self { child, log: Some(log) }
    }

    /// Where it listens, as it has logged.
    pub fn address(&self) -> String {
        let log = self.log();
        log.split("address=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned()
    }

    pub fn log(&self) -> String {
        let mut text = String::new();
        if let Some(log) = &self.log {
            let _ = fs::File::open(log).and_then(|mut file| file.read_to_string(&mut text));
        }
        text
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it ends by itself: its exit code.
    pub fn ends(&mut self) -> Option<i32> {
        let mut code = None;
        until("it ends", || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        code.and_then(|status| status.code())
    }

    /// Asks it to end: its exit code, and how long that took.
    pub fn terminate(&mut self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
        (self.ends(), began.elapsed())
    }
}

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "it never is so that {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// All files below a directory, with their modes.
pub fn modes(directory: &Path) -> Vec<(PathBuf, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(path) = open.pop() {
        let about = path.symlink_metadata().unwrap();
        if about.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        found.push((path, about.mode() & 0o777));
    }
    found.sort();
    found
}

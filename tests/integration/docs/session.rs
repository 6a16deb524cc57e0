//! Every command that a page shows does what the page says.
//!
//! In `console` blocks, a line that begins with `$ ` is a command and what follows is what it prints, on either stream; `[…]`
//! stands for anything. `# exit 2` after a command is its exit code, 0 without it. A `bash` block is a script that runs under
//! `bash -eo pipefail`, as CI systems do. All blocks of a page are one session: they run in order, in a copy of the manifests
//! and on the simulation. `<!-- session: deployed -->` on the first line of a page begins where `landfast apply dev --yes` has
//! ended.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use tempfile::TempDir;

use super::markdown::{self, Block, Page};

/// A command, its exit code, and what the page shows of its output.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    line: usize,
    command: String,
    /// Whether the shell stops at the first failure, also within a pipe.
    strict: bool,
    code: i32,
    output: Vec<String>,
}

fn shown(block: &Block) -> Vec<Shown> {
    if block.language == "bash" {
        let script = Shown { line: block.line, command: block.text(), strict: true, code: 0, output: anything() };
        return vec![script];
    }
    let mut found: Vec<Shown> = Vec::new();
    for (at, line) in block.lines.iter().enumerate().filter(|_| block.language == "console") {
        if let Some(command) = line.strip_prefix("$ ") {
            let (command, code) = match command.split_once("# exit ") {
                Some((command, code)) => (command, code.trim().parse().unwrap()),
                None => (command, 0),
            };
            let (line, command) = (block.line + at, command.trim().to_owned());
            found.push(Shown { line, command, strict: false, code, output: Vec::new() });
        } else {
            found.last_mut().unwrap().output.push(line.clone());
        }
    }
    found
}

fn anything() -> Vec<String> {
    vec!["[…]".to_owned()]
}

/// Whether the output has these lines in this order, with nothing between those that are not parted by `[…]`.
fn has(output: &str, expected: &[String]) -> Result<(), String> {
    // Blank lines separate, on the page as on the screen.
    let lines: Vec<&str> = output.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let (mut at, mut may_skip) = (0, false);
    for wanted in expected.iter().map(|line| line.trim_end()).filter(|line| !line.is_empty()) {
        if wanted == "[…]" {
            may_skip = true;
            continue;
        }
        let end = if may_skip { lines.len() } else { lines.len().min(at + 1) };
        let found = lines[at..end].iter().position(|line| is_like(line, wanted)).map(|skipped| at + skipped);
        at = found.ok_or_else(|| format!("no line like {wanted:?}"))? + 1;
        may_skip = false;
    }
    Ok(())
}

/// `wanted` with `[…]` for anything.
fn is_like(line: &str, wanted: &str) -> bool {
    let parts: Vec<String> = wanted.split("[…]").map(regex::escape).collect();
    regex::Regex::new(&format!("^{}$", parts.join(".*"))).unwrap().is_match(line)
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, target) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// A directory with the manifests, in which commands see the simulation and nothing of whoever runs the tests.
pub struct Session {
    pub place: TempDir,
}

impl Session {
    pub fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        copy(&markdown::root().join("manifests"), &place.path().join("manifests"));
        copy(&markdown::root().join("examples"), &place.path().join("examples"));
        Self { place }
    }

    /// One that begins as this one stands.
    fn like(other: &Self) -> Self {
        let place = tempfile::tempdir().unwrap();
        copy(other.place.path(), place.path());
        Self { place }
    }

    /// A shell that finds the program, and before it what is in `bin`.
    pub fn shell(&self, options: &[&str], script: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_landfast")).parent().unwrap();
        let bin = self.place.path().join("bin");
        let path = format!("{}:{}:{}", bin.display(), program.display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("bash");
        shell.args(options).args(["-c", &format!("exec 2>&1; {script}")]).current_dir(self.place.path());
        shell.env("PATH", &path).env("LANDFAST_CLOUD", "sim").env("NO_COLOR", "1").stdin(std::process::Stdio::null());
        for name in [
            "LANDFAST_LOG",
            "LANDFAST_STATE",
            "LANDFAST_MANIFESTS",
            "LANDFAST_CONFIG",
            "LANDFAST_ENV",
            "CI",
            "AWS_ENDPOINT_URL",
        ] {
            shell.env_remove(name);
        }
        shell
    }

    fn run(&self, page: &Page, shown: &Shown) -> Result<(), String> {
        let strict = ["--noprofile", "--norc", "-eo", "pipefail"];
        let options: &[&str] = if shown.strict { &strict } else { &["-e"] };
        let ended = self.shell(options, &shown.command).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stdout);
        let at = format!("{}:{}: {}", page.path, shown.line, shown.command);
        if ended.status.code() != Some(shown.code) {
            return Err(format!("{at}\nended with {}:\n{said}", ended.status));
        }
        has(&said, &shown.output).map_err(|why| format!("{at}\n{why} in\n{said}"))
    }
}

/// A page's session. Each command has a shell of its own: whatever a page exports is said in [`Session::shell`] for good.
fn play(page: &Page, commands: &[Shown], deployed: &Session) -> Result<(), String> {
    let begins_deployed = page.text.starts_with("<!-- session: deployed -->\n");
    let session = if begins_deployed { Session::like(deployed) } else { Session::new() };
    commands.iter().try_for_each(|shown| session.run(page, shown))
}

#[test]
fn every_command_of_the_documentation_does_what_it_shows() {
    let mut sessions: Vec<(Page, Vec<Shown>)> = Vec::new();
    for page in markdown::pages() {
        let commands: Vec<Shown> = markdown::blocks(&page.text).iter().flat_map(shown).collect();
        if !commands.is_empty() {
            sessions.push((page, commands));
        }
    }
    assert!(sessions.len() > 8, "the documentation shows commands");
    let deployed = Session::new();
    let apply = deployed.shell(&["-e"], "landfast apply dev --yes").output().unwrap();
    assert!(apply.status.success(), "{}", String::from_utf8_lossy(&apply.stdout));

    let (left, failed) = (Mutex::new(sessions), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let Some((page, commands)) = left.lock().unwrap().pop() else { break };
                    if let Err(why) = play(&page, &commands, &deployed) {
                        failed.lock().unwrap().push(why);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn what_a_page_shows_is_compared() {
    let text = "```console\n$ landfast plan    # exit 2\na\n[…]\nc[…]e\n$ landfast status\n```\n$ not a command\n";
    let commands: Vec<Shown> = markdown::blocks(text).iter().flat_map(shown).collect();
    assert_eq!(commands.len(), 2);
    assert_eq!((commands[0].command.as_str(), commands[0].code), ("landfast plan", 2));
    assert_eq!(has("a\nb\ncde\n", &commands[0].output), Ok(()));
    assert!(has("b\ncde\n", &commands[0].output).is_err());
    assert!(has("a\nb\nd\n", &commands[0].output).is_err());
}

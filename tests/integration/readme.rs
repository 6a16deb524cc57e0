//! Every command that the README shows does what the README says.
//!
//! In its `console` blocks, a line that begins with `$ ` is a command and what follows is what it prints, on either stream;
//! `[…]` stands for anything. `# exit 2` after a command is the exit code it ends with, 0 without it. The blocks are one session:
//! they run in order, in a copy of the manifests.

use std::path::Path;
use std::process::Command;

/// A command, its exit code, and what the README shows of its output.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    line: usize,
    command: String,
    code: i32,
    output: Vec<String>,
}

fn shown(text: &str) -> Vec<Shown> {
    let mut found: Vec<Shown> = Vec::new();
    let mut inside = false;
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| inside) {
            let (command, code) = match command.split_once("# exit ") {
                Some((command, code)) => (command, code.trim().parse().unwrap()),
                None => (command, 0),
            };
            found.push(Shown { line: number + 1, command: command.trim().to_owned(), code, output: Vec::new() });
        } else if inside {
            found.last_mut().unwrap().output.push(line.to_owned());
        }
    }
    found
}

/// Whether the output has these lines in this order, with nothing between those that are not parted by `[…]`.
fn has(output: &str, expected: &[String]) -> Result<(), String> {
    // Blank lines separate, in the README as on the screen.
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

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, target) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn every_command_of_the_readme_does_what_it_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let place = tempfile::tempdir().unwrap();
    copy(&root.join("manifests"), &place.path().join("manifests"));
    let program = Path::new(env!("CARGO_BIN_EXE_landfast")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());

    let commands = shown(&std::fs::read_to_string(root.join("README.md")).unwrap());
    assert!(commands.len() > 10, "the README shows commands");
    for Shown { line, command, code, output } in commands {
        // Whatever is exported is said here for good: each command has a shell of its own.
        let mut shell = Command::new("bash");
        shell.args(["-ec", &format!("exec 2>&1; {command}")]).current_dir(place.path()).env("PATH", &path);
        shell.env("LANDFAST_CLOUD", "sim").env("NO_COLOR", "1").stdin(std::process::Stdio::null());
        for name in
            ["LANDFAST_LOG", "LANDFAST_STATE", "LANDFAST_MANIFESTS", "LANDFAST_CONFIG", "CI", "AWS_ENDPOINT_URL"]
        {
            shell.env_remove(name);
        }
        let ended = shell.output().unwrap();
        let said = String::from_utf8_lossy(&ended.stdout);
        assert_eq!(ended.status.code(), Some(code), "README.md:{line}: {command}\n{said}");
        has(&said, &output).unwrap_or_else(|why| panic!("README.md:{line}: {command}: {why} in\n{said}"));
    }
}

#[test]
fn what_the_readme_shows_is_compared() {
    let text = "```console\n$ landfast plan    # exit 2\na\n[…]\nc[…]e\n$ landfast status\n```\n$ not a command\n";
    let commands = shown(text);
    assert_eq!(commands.len(), 2);
    assert_eq!((commands[0].command.as_str(), commands[0].code), ("landfast plan", 2));
    assert_eq!(has("a\nb\ncde\n", &commands[0].output), Ok(()));
    assert!(has("b\ncde\n", &commands[0].output).is_err());
    assert!(has("a\nb\nd\n", &commands[0].output).is_err());
}

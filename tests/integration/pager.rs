//! Long reports on a terminal go through a pager; nothing else does.

use std::process::{Command, Stdio};

/// Runs a program on a terminal of its own, so high as `stty` makes it.
const TERMINAL: &str = "import os, pty, sys\nsys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";

/// What is printed on a terminal of so many rows.
fn printed(rows: usize, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new("python3");
    command.args(["-c", TERMINAL, "sh", "-c", "stty rows \"$0\" cols 100; exec \"$@\""]).arg(rows.to_string());
    command.arg(env!("CARGO_BIN_EXE_landfast")).args(arguments).current_dir(home.path());
    command.env_remove("LANDFAST_PAGER").env_remove("PAGER").env("TERM", "xterm").env("NO_COLOR", "1");
    let output = command.envs(variables.iter().copied()).stdin(Stdio::null()).output().unwrap();
    // In sync, or different.
    assert!(matches!(output.status.code(), Some(0 | 2)), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const MARKS: &str = "sed 's/^/paged: /'";

#[test]
fn a_long_report_on_a_terminal_goes_through_the_pager_that_is_named_first() {
    for arguments in [&["explain", "unknown-field"][..], &["--help"], &["plan", "--help"], &["help", "plan"]] {
        for variables in [&[("LANDFAST_PAGER", MARKS), ("PAGER", "false")][..], &[("PAGER", MARKS)]] {
            let text = printed(3, arguments, variables);
            assert!(!text.is_empty() && text.lines().all(|line| line.starts_with("paged: ")), "{arguments:?}: {text}");
        }
    }
}

#[test]
fn a_short_report_is_printed_at_once_and_so_is_one_for_which_no_pager_is_wanted_or_there() {
    let whole = printed(1000, &["explain", "unknown-field"], &[("PAGER", MARKS)]);
    assert!(whole.contains("Cause: ") && !whole.contains("paged: "), "{whole}");
    let unpaged: [&[(&str, &str)]; 5] = [
        &[("LANDFAST_PAGER", ""), ("PAGER", MARKS)],
        &[("LANDFAST_PAGER", "cat")],
        &[("LANDFAST_PAGER", "/nowhere/pager -x")],
        &[("LANDFAST_PAGER", "false")],
        &[("LANDFAST_PAGER", MARKS), ("TERM", "dumb")],
    ];
    for variables in unpaged {
        assert_eq!(printed(3, &["explain", "unknown-field"], variables), whole, "{variables:?}");
    }
    for arguments in [&["explain", "unknown-field", "--no-pager"][..], &["--no-pager", "--help"], &["--version"]] {
        let text = printed(1, arguments, &[("LANDFAST_PAGER", MARKS)]);
        assert!(!text.is_empty() && !text.contains("paged: "), "{arguments:?}: {text}");
    }
}

#[test]
fn what_programs_read_and_what_goes_elsewhere_is_never_paged() {
    let manifests = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests");
    let sim = [("LANDFAST_PAGER", MARKS), ("LANDFAST_CLOUD", "sim"), ("LANDFAST_MANIFESTS", manifests)];
    for (format, is_paged) in [("text", true), ("json", false)] {
        let text = printed(3, &["status", "dev", "-o", format], &sim);
        assert_eq!(text.contains("paged: "), is_paged, "{format}: {text}");
    }
    let output =
        Command::new(env!("CARGO_BIN_EXE_landfast")).arg("--help").env("LANDFAST_PAGER", MARKS).output().unwrap();
    assert!(output.status.success() && !String::from_utf8_lossy(&output.stdout).contains("paged: "));
}

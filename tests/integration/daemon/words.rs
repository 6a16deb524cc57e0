//! What others have written, in every output there is: nothing of it is a command to a terminal or to a CI system.

use std::process::Output;

use super::place::{Place, until};

/// A title for the terminal, a cleared screen, an eight-bit control, text from right to left, and nothing at all; then what
/// CI systems take for commands.
const HOSTILE: &str = r#""\e]0;owned\a\e[2J\x9B31m\u202Eevil\u2066\u200B\uFEFF\n::error::x\n  ::set-output name=a::b\r##vso[task.setvariable variable=a]b ##[error]c ##teamcity[x] \e[8mhidden""#;

fn hostile(place: &Place) {
    let stacks = format!(
        "apiVersion: landfast/v1\nkind: Stack\nmetadata: {{ name: one }}\nspec:\n  template: one.yaml\n  \
         parameters: {{ Evil: {HOSTILE} }}\n  tags: {{ evil: {HOSTILE} }}\n---\n\
         apiVersion: landfast/v1\nkind: Stack\nmetadata: {{ name: bad }}\nspec: {{ template: bad.yaml }}\n"
    );
    place.write("app/stacks.yaml", &stacks);
    place.write(
        "app/one.yaml",
        &format!(
            "Description: {HOSTILE}\nParameters: {{ Evil: {{ Type: String }} }}\n\
             Resources: {{ Topic: {{ Type: AWS::SNS::Topic, Properties: {{ DisplayName: !Ref Evil }} }} }}\n\
             Outputs: {{ Evil: {{ Value: !Ref Evil, Description: {HOSTILE} }} }}\n"
        ),
    );
    place.write("app/bad.yaml", "Resources: { Topic: { Type: AWS::SNS::Topic, Properties: { TopicName: 'a' } } }\n");
}

#[track_caller]
fn harmless(what: &str, text: &str) {
    for (number, line) in text.lines().enumerate() {
        let shown = || format!("{what}, line {}: {line:?}", number + 1);
        assert!(!line.trim_start().starts_with("::"), "{}", shown());
        for command in ["##vso[", "##[", "##teamcity["] {
            assert!(!line.contains(command), "{}", shown());
        }
        let raw = |c: char| c.is_control() || "\u{202e}\u{2066}\u{200b}\u{feff}".contains(c);
        assert!(!line.contains(raw), "{}", shown());
    }
}

fn both(what: &str, output: &Output) {
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).unwrap().to_owned();
    harmless(&format!("{what}: standard output"), &text(&output.stdout));
    harmless(&format!("{what}: standard error"), &text(&output.stderr));
}

const COMMANDS: &[&[&str]] = &[
    &["validate"],
    &["validate", "-o", "json"],
    &["graph", "dev"],
    &["graph", "dev", "--format", "mermaid"],
    &["graph", "dev", "--format", "dot"],
    &["plan", "dev"],
    &["plan", "dev", "-o", "json"],
    &["preflight", "dev"],
    &["apply", "dev", "--yes"],
    &["apply", "dev", "--yes", "-o", "json"],
    &["apply", "dev", "--yes", "--log-format", "json"],
    &["status", "dev"],
    &["status", "dev", "-o", "json"],
    &["why", "dev/stack/one"],
    &["outputs", "dev"],
    &["outputs", "dev", "-o", "json"],
    &["events", "dev/stack/one"],
    &["events", "dev/stack/one", "-o", "json"],
    &["drift", "dev"],
    &["drift", "dev", "-o", "json"],
    &["drift", "dev", "-o", "markdown"],
    &["drift", "dev", "-o", "html"],
    &["drift", "dev", "-o", "sarif"],
    &["drift", "dev", "-o", "junit"],
    &["doctor", "dev"],
    &["doctor", "dev", "-o", "json"],
    &["plan", "\u{1b}]0;x\u{7}\n::error::y"],
    &["\u{1b}]0;x\u{7}\n::error::y"],
];

#[test]
fn no_output_of_any_command_has_a_command_of_somebody_elses() {
    let place = Place::new();
    hostile(&place);
    let mut seen = String::new();
    for arguments in COMMANDS {
        let mut command = place.command(arguments);
        let output = command.env("LANDFAST_LOG", "trace").output().unwrap();
        both(&arguments.join(" "), &output);
        seen.push_str(&String::from_utf8_lossy(&output.stdout));
        seen.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    assert!(seen.contains("task.setvariable") && seen.contains("\\u{202e}"), "it was said, and escaped");
    // In colour there are escapes of ours, and of nobody else.
    let output = place.run(&["status", "dev", "--color", "always"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains('\u{1b}'), "{text}");
    let mut plain = text;
    for ours in ["0", "1", "2", "31", "32", "33", "36"] {
        plain = plain.replace(&format!("\u{1b}[{ours}m"), "");
    }
    harmless("status in colour", &plain);
}

#[test]
fn nor_has_what_is_wrong_with_manifests() {
    for (file, text) in [
        (
            "app/stacks.yaml",
            format!("apiVersion: landfast/v1\nkind: Stack\nmetadata: {{ name: {HOSTILE} }}\nspec: {{}}\n"),
        ),
        ("app/stacks.yaml", format!("apiVersion: landfast/v1\nkind: {HOSTILE}\nmetadata: {{ name: a }}\n")),
        ("app/stacks.yaml", format!("apiVersion: {HOSTILE}\nkind: Stack\n{HOSTILE}: 1\n")),
        (
            "app/stacks.yaml",
            "apiVersion: landfast/v1\nkind: Stack # \u{1b}[2J \u{202e} ##vso[x]\n::set-output: \u{9b}1\n".to_owned(),
        ),
        ("app/one.yaml", format!("Resources: {{ {HOSTILE}: {{ Type: {HOSTILE} }} }}\nOutputs: {{ {HOSTILE}: 1 }}\n")),
        ("app/one.yaml", "Resources: [\u{1b}[2J, ##vso[x]\n::error::y".to_owned()),
        (
            "environment.yaml",
            format!(
                "apiVersion: landfast/v1\nkind: Environment\nmetadata: {{ name: dev }}\nspec: {{ region: {HOSTILE} }}\n"
            ),
        ),
    ] {
        let place = Place::new();
        place.write(file, &text);
        for arguments in [&["validate"][..], &["validate", "-o", "json"], &["plan", "dev"], &["run", "--once", "-vv"]] {
            both(&arguments.join(" "), &place.run(arguments));
        }
    }
    let place = Place::new();
    let name = "a\u{1b}]0;x\u{7}\n::error::y\u{202e}.yaml";
    place.write(name, "kind: [");
    both("a hostile name of a file", &place.run(&["validate"]));
    both("a hostile name of a file", &place.run(&["validate", "-o", "json"]));
}

#[test]
fn nor_has_the_log_of_a_daemon() {
    for format in ["text", "json"] {
        let place = Place::new();
        hostile(&place);
        let mut daemon = place.start(&["-vv", "--log-format", format, "--drift-reports", "reports"]);
        until("it has begun", || place.concluded() > 1);
        place.write("app/stacks.yaml", &format!("{HOSTILE}: 1"));
        until("it has seen that", || daemon.log().contains("app/stacks.yaml"));
        daemon.terminate();
        harmless(format, &daemon.log());
    }
}

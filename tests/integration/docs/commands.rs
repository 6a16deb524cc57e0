//! Every command line that a page names is one that the program takes, also where it cannot be run here.

use std::collections::BTreeSet;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};
use landfast::cli::Cli;

use super::markdown;

/// The words of the `landfast` commands in a line of shell or of YAML.
fn commands(line: &str) -> Vec<Vec<String>> {
    let begins = regex::Regex::new(r"(?:^|[\s(;|&])landfast (.*)").unwrap();
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(begun) = begins.captures(rest) {
        let (words, end) = words(begun.get(1).unwrap().as_str());
        found.push(words);
        rest = &begun.get(1).unwrap().as_str()[end..];
    }
    found
}

/// The words of a command up to where the shell ends it, and where that is.
fn words(text: &str) -> (Vec<String>, usize) {
    let (mut words, mut word, mut quote, mut any) = (Vec::new(), String::new(), None, false);
    let mut end = text.len();
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => (quote, any) = (Some(c), true),
            (None, '|' | ';' | '&' | ')' | '>' | '<') => {
                // `2>` is a redirection, and no argument.
                if c == '>' && word == "2" {
                    word.clear();
                }
                end = at;
                break;
            }
            // The rest is a comment.
            (None, '#') if word.is_empty() => break,
            (None, ' ') => {
                if !word.is_empty() || any {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            _ => word.push(c),
        }
    }
    if !word.is_empty() || any {
        words.push(word);
    }
    (words, end)
}

fn parse(words: &[String]) -> Result<(), clap::Error> {
    let line = std::iter::once("landfast").chain(words.iter().map(String::as_str));
    match Cli::try_parse_from(line) {
        Err(error) if !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => Err(error),
        _ => Ok(()),
    }
}

#[test]
fn every_command_line_of_the_documentation_is_taken() {
    let mut seen = 0;
    for page in markdown::pages() {
        for block in markdown::blocks(&page.text) {
            // Usage and output are no commands.
            if block.language == "text" {
                continue;
            }
            // Of YAML, workflows have commands; manifests only have names.
            if block.language == "yaml" && !block.lines.iter().any(|line| line == "jobs:") {
                continue;
            }
            for (at, line) in block.lines.iter().enumerate() {
                // What a command prints is not a command.
                if block.language == "console" && !line.starts_with("$ ") {
                    continue;
                }
                for words in commands(line) {
                    let ok = parse(&words);
                    assert!(ok.is_ok(), "{}:{}: {line}\n{}", page.path, block.line + at, ok.unwrap_err());
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 80, "{seen}");
}

/// In a sentence a command may be only its beginning, `landfast doctor` or `landfast secret rotate`, and may name what has to
/// be put in, as `landfast why OBJECT`. What it names has to exist all the same.
#[test]
fn every_command_in_a_sentence_exists() {
    for page in markdown::pages() {
        for (line, code) in markdown::inline_code(&page.text) {
            if code.contains('…') || !code.starts_with("landfast ") {
                continue;
            }
            for words in commands(&code) {
                let words: Vec<String> = words.iter().map(|word| put_in(word).to_owned()).collect();
                let Err(error) = parse(&words) else { continue };
                let begun = matches!(
                    error.kind(),
                    ErrorKind::MissingRequiredArgument
                        | ErrorKind::MissingSubcommand
                        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                );
                assert!(begun, "{}:{line}: `{code}`\n{error}", page.path);
            }
        }
    }
}

fn put_in(word: &str) -> &str {
    match word {
        "OBJECT" => "dev/stack/network",
        "ENVIRONMENT" => "dev",
        "TIME" => "2026-01-01T00:00:00Z",
        _ => word,
    }
}

/// The long options of a command and of all below it.
fn options(command: &clap::Command, found: &mut BTreeSet<String>) {
    let long = command.get_arguments().flat_map(|argument| argument.get_long_and_visible_aliases().unwrap_or_default());
    found.extend(long.map(|name| format!("--{name}")));
    command.get_subcommands().for_each(|below| options(below, found));
}

#[test]
fn every_option_in_a_sentence_exists() {
    let mut known = BTreeSet::from(["--version".to_owned(), "--help".to_owned()]);
    options(&Cli::command(), &mut known);
    // Cargo's, and those of the guide that is replaced.
    let of_others = ["--no-default-features", "--template-body", "--parameters", "--capabilities", "--region"];
    for page in markdown::pages() {
        for (line, code) in markdown::inline_code(&page.text) {
            let Some(option) = code.split([' ', '=']).next().filter(|word| word.starts_with("--")) else { continue };
            let is_known = known.contains(option) || of_others.contains(&option);
            assert!(is_known, "{}:{line}: there is no option `{option}`", page.path);
        }
    }
}

#[test]
fn commands_are_found_in_a_line() {
    let of = |line: &str| commands(line).iter().map(|words| words.join("|")).collect::<Vec<_>>();
    assert_eq!(of("digest=$(landfast plan prod -o json 2>x | jq -r .digest)"), ["plan|prod|-o|json"]);
    assert_eq!(of("    - run: landfast plan \"a b\" && landfast apply # landfast x"), ["plan|a b", "apply"]);
    assert_eq!(of("echo landfast-x"), [""; 0]);
}

//! The page *Troubleshooting by message* names messages, codes and rules that exist, and leaves no code and no rule out.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex::Regex;
use serde_json::Value as Json;

use super::markdown;

const PAGE: &str = "docs/src/reference/troubleshooting.md";

/// All source, with the lines of a string joined as the compiler joins them.
fn sources(directory: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "tests" {
            text += &sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") && name != "tests.rs" {
            text += &fs::read_to_string(&path).unwrap();
        }
    }
    Regex::new(r"\\\n\s*").unwrap().replace_all(&text, "").into_owned()
}

fn section<'t>(text: &'t str, title: &str) -> &'t str {
    let begin = text.find(&format!("\n## {title}\n")).unwrap_or_else(|| panic!("{PAGE} has no section {title}"));
    let rest = &text[begin + 4..];
    &rest[..rest.find("\n## ").unwrap_or(rest.len())]
}

/// The code in the first column of a section's table.
fn first_column(text: &str) -> BTreeSet<String> {
    let code = Regex::new("`([^`]+)`").unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.map(|row| format!("`{}", row.split(" | ").next().unwrap()));
    cells.flat_map(|cell| code.captures_iter(&cell).map(|code| code[1].to_owned()).collect::<Vec<_>>()).collect()
}

#[test]
fn every_headline_is_a_message_of_the_program() {
    let (page, sources) = (markdown::page(PAGE), sources(&markdown::root().join("src")));
    let headline = Regex::new("(?m)^### `([^`]{3,})`$").unwrap();
    let mut seen = 0;
    for found in headline.captures_iter(&page.text) {
        for part in found[1].split('…').map(str::trim).filter(|part| part.len() > 3) {
            assert!(sources.contains(part), "{PAGE}: no message has {part:?}");
        }
        seen += 1;
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn every_code_of_a_diagnostic_is_explained() {
    let sources = sources(&markdown::root().join("src/manifest"));
    let made = Regex::new(
        r#"(?:error|warning|wrong)\(\s*"([a-z]+[a-z0-9-]*)",|Err\(\("([a-z][a-z0-9-]*)",|code: "([a-z-]+)"|FaultKind::\w+ => "([a-z-]+)"|let code = if .* \{ "([a-z-]+)" \} else \{ "([a-z-]+)" \}"#,
    );
    let made = made.unwrap();
    let codes = made
        .captures_iter(&sources)
        .flat_map(|found| found.iter().skip(1).flatten().map(|code| code.as_str().to_owned()).collect::<Vec<_>>());
    let codes: BTreeSet<String> = codes.collect();
    assert!(codes.len() > 40, "{codes:?}");
    let page = markdown::page(PAGE);
    let explained = first_column(section(&page.text, "Manifests"));
    let missing: Vec<&String> = codes.difference(&explained).collect();
    assert!(missing.is_empty(), "{PAGE} does not explain {missing:?}");
    let gone: Vec<&String> =
        explained.difference(&codes).filter(|code| !sources.contains(&format!("\"{code}\""))).collect();
    assert!(gone.is_empty(), "{PAGE} explains what no diagnostic has: {gone:?}");
}

#[test]
fn every_rule_that_refuses_a_step_is_explained() {
    let schema: Json =
        serde_json::from_str(&fs::read_to_string(markdown::root().join("manifests/schemas/report-plan.json")).unwrap())
            .unwrap();
    let rules = schema["$defs"]["Guard"]["oneOf"].as_array().unwrap();
    let rules: BTreeSet<String> = rules.iter().map(|rule| rule["const"].as_str().unwrap().to_owned()).collect();
    let page = markdown::page(PAGE);
    assert_eq!(first_column(section(&page.text, "Refused steps")), rules);
}

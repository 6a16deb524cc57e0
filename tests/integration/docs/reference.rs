//! The generated pages of the book: the commands from clap, the fields of manifests from their JSON schemas.
//!
//! `UPDATE_DOCS=1 cargo test --test integration docs::reference` writes them again.

use std::fmt::Write as _;
use std::fs;

use clap::CommandFactory as _;
use landfast::cli::Cli;
use serde_json::Value as Json;

use super::markdown;

const AGAIN: &str = "UPDATE_DOCS=1 cargo test --test integration docs::reference";

/// A text within a cell of a table: one line, and nothing that Markdown or HTML would take for its own.
fn cell(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (mut safe, mut code) = (String::new(), false);
    for c in text.chars() {
        code ^= c == '`';
        match c {
            '|' => safe.push_str("\\|"),
            '<' | '*' | '[' | ']' if !code => safe.extend(['\\', c]),
            _ => safe.push(c),
        }
    }
    safe
}

/// A sentence: clap takes the full stop off.
fn sentence(text: &str) -> String {
    let text = cell(text);
    if text.is_empty() || text.ends_with(['.', ':']) { text } else { text + "." }
}

fn begun(title: &str, from: &str) -> String {
    format!("# {title}\n\n<!-- Generated from {from}: do not edit. {AGAIN} -->\n")
}

mod commands {
    use clap::{Arg, Command};

    use super::*;

    pub(super) fn page() -> String {
        let mut program = Cli::command();
        program.build();
        let mut page = begun("Commands", "the program's own help");
        let _ = writeln!(page, "\n{}\n", about(&program));
        let after = program.get_after_help().map(ToString::to_string).unwrap_or_default();
        let _ = write!(page, "```text\n{}\n```\n\n", after.trim());
        page += "More about exit codes: [Exit codes](exit-codes.md). Every command prints its help with `--help`.\n";
        page += "\n## Global options\n\nOptions of every command.\n";
        page += &table(program.get_arguments().filter(|argument| argument.is_global_set()));
        for command in program.get_subcommands_mut() {
            describe(command, 2, &mut page);
        }
        page
    }

    fn about(command: &Command) -> String {
        let about = command.get_long_about().or_else(|| command.get_about());
        sentence(&about.map(ToString::to_string).unwrap_or_default())
    }

    fn describe(command: &mut Command, level: usize, page: &mut String) {
        if command.is_hide_set() || command.get_name() == "help" {
            return;
        }
        let usage = command.render_usage().to_string();
        let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned();
        let _ = writeln!(page, "\n{} {name}\n\n{}\n", "#".repeat(level), about(command));
        let lines = usage.trim_start_matches("Usage:").lines().map(str::trim).filter(|line| !line.is_empty());
        let _ = writeln!(page, "```text\n{}\n```", lines.collect::<Vec<_>>().join("\n"));
        let aliases: Vec<String> = command.get_visible_aliases().map(|alias| format!("`{alias}`")).collect();
        if !aliases.is_empty() {
            let _ = writeln!(page, "\nAlso: {}.", aliases.join(", "));
        }
        *page += &table(command.get_arguments().filter(|argument| !argument.is_global_set()));
        for below in command.get_subcommands_mut() {
            describe(below, level + 1, page);
        }
    }

    fn table<'a>(arguments: impl Iterator<Item = &'a Arg>) -> String {
        let shown =
            |argument: &&Arg| !argument.is_hide_set() && !matches!(argument.get_id().as_str(), "help" | "version");
        let rows: Vec<String> = arguments.filter(shown).map(row).collect();
        if rows.is_empty() {
            return String::new();
        }
        format!("\n| Argument | Default | Description |\n|---|---|---|\n{}", rows.concat())
    }

    fn row(argument: &Arg) -> String {
        let takes_value = argument.get_action().takes_values();
        let names = argument.get_value_names().unwrap_or_default().iter().map(|name| (*name).to_string());
        let value = if takes_value { names.collect::<Vec<_>>().join(" ") } else { String::new() };
        let short = argument.get_short().map(|short| format!("-{short}"));
        let long = argument.get_long().map(|long| format!("--{long}"));
        let flags: Vec<String> = short.into_iter().chain(long).collect();
        let name = match (flags.is_empty(), argument.is_required_set()) {
            (true, true) => format!("<{value}>"),
            (true, false) => format!("[{value}]"),
            (false, _) => format!("{} {value}", flags.join(", ")),
        };
        let defaults = argument.get_default_values().iter().map(|value| value.to_string_lossy());
        // The default of a switch says nothing.
        let default = if takes_value { defaults.collect::<Vec<_>>().join(" ") } else { String::new() };
        let default = match argument.is_required_set() {
            true => "required".to_owned(),
            false if default.is_empty() => String::new(),
            false => format!("`{default}`"),
        };
        let help = argument.get_long_help().or_else(|| argument.get_help());
        let mut help = sentence(&help.map(ToString::to_string).unwrap_or_default());
        if let Some(variable) = argument.get_env() {
            let _ = write!(help, " Environment variable: `{}`.", variable.to_string_lossy());
        }
        let values = if takes_value { argument.get_possible_values() } else { Vec::new() };
        let values: Vec<String> = values.iter().filter(|value| !value.is_hide_set()).map(value_of).collect();
        if !values.is_empty() {
            let _ = write!(help, " Values: {}.", values.join("; "));
        }
        format!("| `{}` | {default} | {help} |\n", name.trim().replace('|', "\\|"))
    }

    fn value_of(value: &clap::builder::PossibleValue) -> String {
        let help = value.get_help().map(|help| cell(help.to_string().trim_end_matches('.')));
        help.map_or_else(|| format!("`{}`", value.get_name()), |help| format!("`{}`: {help}", value.get_name()))
    }
}

mod fields {
    use super::*;

    const KINDS: [(&str, &str, &str); 7] = [
        ("environment.json", "Environment", "../kinds/environment.md"),
        ("stack.json", "Stack", "../kinds/stack.md"),
        ("service.json", "Service", "../kinds/service.md"),
        ("secret.json", "Secret", "../kinds/secret.md"),
        ("dnsrecord.json", "DnsRecord", "../kinds/dnsrecord.md"),
        ("backuppolicy.json", "BackupPolicy", "../kinds/backuppolicy.md"),
        ("operator.json", "Operator configuration", "../concepts/operator.md"),
    ];

    pub(super) fn page() -> String {
        let mut page = begun("Manifest fields", "`manifests/schemas/`");
        page += "\nAll fields of all kinds. `a.b` is the field `b` within `a`, `a[]` an item of a list, `a.*` a value under any key.\n";
        page += "Every manifest has `apiVersion: landfast/v1`, its `kind`, and `metadata.name`; the fields below are those of `spec`.\n";
        page += "A *scalar* is a string, a number or a boolean.\n";
        for (file, title, link) in KINDS {
            let text = fs::read_to_string(markdown::root().join("manifests/schemas").join(file)).unwrap();
            let schema: Json = serde_json::from_str(&text).unwrap();
            let about = cell(schema["description"].as_str().unwrap());
            let _ = write!(page, "\n## {title}\n\n{about} [More about it]({link}).\n\n");
            page += "| Field | Type | Default | Description |\n|---|---|---|---|\n";
            let spec = if file == "operator.json" { &schema } else { resolved(&schema, &schema["properties"]["spec"]) };
            let mut rows = Rows { schema: &schema, within: Vec::new(), text: String::new() };
            rows.fields("", spec);
            page += &rows.text;
        }
        page
    }

    fn resolved<'s>(schema: &'s Json, part: &'s Json) -> &'s Json {
        part["$ref"].as_str().map_or(part, |name| &schema["$defs"][name.trim_start_matches("#/$defs/")])
    }

    /// The alternatives of a part, each with the name of its definition; `null` left out, which is the same as leaving the field out.
    fn alternatives<'s>(schema: &'s Json, part: &'s Json) -> Vec<(Option<&'s str>, &'s Json)> {
        let name = part["$ref"].as_str();
        let part = resolved(schema, part);
        let list = part["anyOf"].as_array().or_else(|| part["oneOf"].as_array());
        match list {
            Some(list) if list.iter().all(|one| one["const"].is_null()) => {
                let of = |one| alternatives(schema, one).into_iter().map(|(inner, part)| (inner.or(name), part));
                list.iter().filter(|one| one["type"] != "null").flat_map(of).collect()
            }
            _ => vec![(name, part)],
        }
    }

    fn type_of(schema: &Json, part: &Json) -> String {
        // Their alternatives, spelled out wherever they are used, would hide what is said of the field.
        match part["$ref"].as_str().map(|name| name.trim_start_matches("#/$defs/")) {
            Some("Scalar") => return "scalar".to_owned(),
            Some("ValueTree") => return "scalar or mapping".to_owned(),
            _ => {}
        }
        let mut types: Vec<String> = Vec::new();
        for (_, one) in alternatives(schema, part) {
            let kinds = match &one["type"] {
                Json::Array(kinds) => kinds.iter().filter_map(Json::as_str).filter(|kind| *kind != "null").collect(),
                kind => kind.as_str().into_iter().collect::<Vec<_>>(),
            };
            let values = one["oneOf"].as_array().into_iter().flatten().map(|value| &value["const"]);
            let values = values.chain([&one["const"]].into_iter().filter(|value| !value.is_null()));
            let values: Vec<String> = values.filter_map(|value| Some(format!("`{}`", value.as_str()?))).collect();
            let text = match kinds.first().copied() {
                _ if !values.is_empty() => values.join(", "),
                Some("array") => format!("list of {}", type_of(schema, &one["items"])),
                Some("object") if one["additionalProperties"].is_object() => {
                    format!("mapping to {}", type_of(schema, &one["additionalProperties"]))
                }
                Some(kind) => kind.to_owned(),
                None => "any".to_owned(),
            };
            if !types.contains(&text) {
                types.push(text);
            }
        }
        types.join(" or ")
    }

    struct Rows<'s> {
        schema: &'s Json,
        within: Vec<&'s str>,
        text: String,
    }

    impl<'s> Rows<'s> {
        fn fields(&mut self, prefix: &str, part: &'s Json) {
            let required: Vec<&str> =
                part["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
            for (name, field) in part["properties"].as_object().into_iter().flatten() {
                let path = format!("{prefix}{name}");
                let default = match &field["default"] {
                    _ if required.contains(&name.as_str()) => "required".to_owned(),
                    Json::Null => String::new(),
                    Json::String(text) => format!("`{text}`"),
                    other => format!("`{other}`"),
                };
                let kind = type_of(self.schema, field);
                let mut about = field["description"].as_str().map(cell).unwrap_or_default();
                for (_, one) in alternatives(self.schema, field) {
                    for value in one["oneOf"].as_array().into_iter().flatten() {
                        let (Some(name), Some(says)) = (value["const"].as_str(), value["description"].as_str()) else {
                            continue;
                        };
                        let _ = write!(about, " `{name}`: {}", cell(says));
                    }
                }
                let _ = writeln!(self.text, "| `{path}` | {} | {default} | {about} |", kind.replace('|', "\\|"));
                self.below(&path, field);
            }
        }

        /// The fields of what is within a field.
        fn below(&mut self, path: &str, field: &'s Json) {
            for (name, one) in alternatives(self.schema, field) {
                if name.is_some_and(|name| self.within.contains(&name)) {
                    continue;
                }
                self.within.extend(name);
                if one["properties"].is_object() {
                    self.fields(&format!("{path}."), one);
                }
                if one["items"].is_object() {
                    self.below(&format!("{path}[]"), &one["items"]);
                }
                if one["additionalProperties"].is_object() {
                    self.below(&format!("{path}.*"), &one["additionalProperties"]);
                }
                self.within.truncate(self.within.len() - usize::from(name.is_some()));
            }
        }
    }
}

fn is_current(path: &str, generated: &str) {
    let file = markdown::root().join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, generated).unwrap();
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    let differs = generated.lines().zip(kept.lines()).find(|(now, then)| now != then);
    assert!(kept == generated, "{path} is out of date: {AGAIN}\nfirst difference: {differs:#?}");
}

#[test]
fn the_page_of_commands_is_generated_from_the_program() {
    is_current("docs/src/reference/commands.md", &commands::page());
}

#[test]
fn the_page_of_fields_is_generated_from_the_schemas() {
    is_current("docs/src/reference/manifests.md", &fields::page());
}

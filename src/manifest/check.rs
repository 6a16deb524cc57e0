//! Holds a document against the JSON Schema of its kind and reports everything that does not fit, not only the first.
//!
//! This is the part of JSON Schema that our own types make use of. Patterns are for editors: what they say is checked
//! again, with better words, where a value is given its meaning.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::diagnostic::{Problem, nearest};
use super::document::DURATION;
use crate::yaml::{Content, Entry, Node, Scalar, Span};

/// Everything in `node` that `schema` does not allow. The schema of a kind is its own root. `discreet`: no value is
/// repeated.
pub(super) fn check(node: &Node, schema: &Value, file: &Arc<str>, discreet: bool) -> Vec<Problem> {
    let mut checker = Checker { root: schema, file, discreet, problems: Vec::new() };
    checker.node(node, schema, Site { name: "the document", span: node.span });
    checker.problems
}

/// The pattern of a text with a reference in it.
const REFERENCE: &str = r"\$\{";

struct Checker<'s> {
    root: &'s Value,
    file: &'s Arc<str>,
    discreet: bool,
    problems: Vec<Problem>,
}

/// What a value is called, and where that stands.
#[derive(Clone, Copy)]
struct Site<'n> {
    name: &'n str,
    span: Span,
}

impl<'s> Checker<'s> {
    fn resolve(&self, schema: &'s Value) -> &'s Value {
        let pointer = schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
        pointer.and_then(|pointer| self.root.pointer(pointer)).map_or(schema, |target| self.resolve(target))
    }

    fn error(&mut self, code: &'static str, message: String, span: Span) -> &mut Problem {
        self.problems.push(Problem::error(code, message, self.file, span));
        let last = self.problems.len() - 1;
        &mut self.problems[last]
    }

    fn node(&mut self, node: &Node, schema: &'s Value, site: Site<'_>) {
        let schema = self.resolve(schema);
        if let Some(tag) = &node.tag {
            let message = format!("`!{tag}` is not allowed in a manifest; use it only in a template");
            self.error("unknown-tag", message, node.span);
            return;
        }
        let branches = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array);
        if let Some(branches) = branches {
            return self.any(node, branches, site);
        }
        if let Some(constant) = schema.get("const").and_then(Value::as_str) {
            if node.as_scalar().is_none_or(|scalar| scalar.text != constant) {
                self.choice(node, &[constant], site);
            }
            return;
        }
        if !fits(node, schema) {
            if is_empty(node) && types(schema).contains(&"object") {
                let message = format!("`{}` is empty", site.name);
                let help = "indent the lines below it that belong to it";
                self.error("wrong-type", message, place(node, site)).help = Some(help.to_owned());
                return;
            }
            let expected = wanted(schema);
            let help = self.hint(node, schema);
            let message = format!("`{}` is {}; it must be {expected}", site.name, node.described());
            self.error("wrong-type", message, place(node, site)).help = help;
            return;
        }
        match &node.content {
            Content::Mapping(entries) => self.mapping(node, entries, schema, site),
            Content::Sequence(items) => {
                if let Some(schema) = schema.get("items") {
                    for item in items {
                        self.node(item, schema, Site { span: item.span, ..site });
                    }
                }
            }
            Content::Scalar(_) => {}
        }
    }

    fn mapping(&mut self, node: &Node, entries: &[Entry], schema: &'s Value, site: Site<'_>) {
        let known = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        let mut misspelt: Vec<&str> = Vec::new();
        for entry in entries {
            let inner = Site { name: &entry.key, span: entry.key_span };
            let allowed = known.and_then(|known| known.get(&entry.key)).or(others.filter(|schema| schema.is_object()));
            if let Some(schema) = allowed {
                self.node(&entry.value, schema, inner);
                continue;
            }
            if self.is_outdented(&entry.key, entries, known) {
                continue;
            }
            let names: Vec<&str> = known.into_iter().flatten().map(|(key, _)| key.as_str()).collect();
            misspelt.extend(nearest(&entry.key, names.iter().copied()));
            let message = format!("unknown field `{}`", entry.key);
            let help = format!("known fields: {}", names.join(", "));
            let problem = Problem::error("unknown-field", message, self.file, entry.key_span).help(help);
            self.problems.push(problem.suggest(&entry.key, names));
        }
        let required = schema.get("required").and_then(Value::as_array);
        for key in required.into_iter().flatten().filter_map(Value::as_str) {
            if node.entry(key).is_none() && !misspelt.contains(&key) {
                self.error("missing-field", format!("`{key}` is missing in {}", quoted(site.name)), site.span);
            }
        }
    }

    /// An unknown field that belongs into the empty one above it.
    fn is_outdented(&self, key: &str, entries: &[Entry], known: Option<&'s Map<String, Value>>) -> bool {
        entries.iter().filter(|entry| is_empty(&entry.value)).any(|entry| {
            let schema = known.and_then(|known| known.get(&entry.key)).map(|schema| self.resolve(schema));
            schema.and_then(|schema| schema.get("properties")).is_some_and(|fields| fields.get(key).is_some())
        })
    }

    /// What would make a value of the right type of it.
    fn hint(&self, node: &Node, schema: &Value) -> Option<String> {
        let types = types(schema);
        let text = node.text().filter(|_| !self.discreet);
        let pattern = schema.get("pattern").and_then(Value::as_str).unwrap_or_default();
        if pattern.contains(DURATION) && node.as_scalar().is_some_and(|scalar| scalar.as_integer().is_some()) {
            return Some(text.map_or_else(
                || "a duration has a unit, such as `30m`, `12h` or `7d`".to_owned(),
                |number| format!("a duration has a unit: `{number}s`, `{number}m`, `{number}h` or `{number}d`"),
            ));
        }
        if pattern == REFERENCE {
            return None;
        }
        match &node.content {
            Content::Scalar(scalar) if types.contains(&"string") && !scalar.is_null() => {
                Some(text.map_or("put it in quotes".to_owned(), |text| format!("put it in quotes: `\"{text}\"`")))
            }
            Content::Scalar(scalar) if types.contains(&"array") && !scalar.is_null() => {
                text.map(|text| format!("write it as a list: `[{text}]`"))
            }
            Content::Scalar(_) if types.contains(&"object") => {
                let (key, value) = text?.split_once(':')?;
                let field = schema.get("properties")?.get(key)?;
                field.is_object().then(|| format!("put a space after the colon: `{key}: {value}`"))
            }
            Content::Scalar(_) if types.contains(&"integer") => {
                let number = text?.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c.is_whitespace());
                number.parse::<i64>().ok().map(|number| format!("write the number alone: `{number}`"))
            }
            Content::Sequence(items) if types.contains(&"string") => match items.as_slice() {
                [only] if !self.discreet => only.text().map(|text| format!("write it without the brackets: `{text}`")),
                _ => None,
            },
            _ => None,
        }
    }

    fn any(&mut self, node: &Node, branches: &'s [Value], site: Site<'_>) {
        let mut best: Option<Vec<Problem>> = None;
        let before = self.problems.len();
        for branch in branches {
            self.node(node, branch, site);
            let found = self.problems.split_off(before);
            if found.is_empty() {
                return;
            }
            // A branch of the right shape says best what is wrong inside.
            if fits(node, self.resolve(branch)) && !matches!(node.content, Content::Scalar(_)) {
                best = Some(found);
            }
        }
        if let Some(found) = best {
            self.problems.extend(found);
            return;
        }
        let (mut choices, mut wanted_types) = (Vec::new(), Vec::new());
        self.alternatives(branches, &mut choices, &mut wanted_types);
        if choices.is_empty() {
            let message = format!("`{}` is {}; it must be {}", site.name, node.described(), wanted_types.join(" or "));
            let help = branches.iter().find_map(|branch| self.hint(node, self.resolve(branch)));
            self.error("wrong-type", message, place(node, site)).help = help;
        } else {
            self.choice(node, &choices, site);
        }
    }

    fn alternatives(&self, branches: &'s [Value], choices: &mut Vec<&'s str>, types: &mut Vec<String>) {
        for branch in branches.iter().map(|branch| self.resolve(branch)) {
            if let Some(inner) = branch.get("anyOf").or_else(|| branch.get("oneOf")).and_then(Value::as_array) {
                self.alternatives(inner, choices, types);
            } else if let Some(constant) = branch.get("const").and_then(Value::as_str) {
                choices.push(constant);
            } else {
                let wanted = wanted(branch);
                if wanted != "nothing" && !types.contains(&wanted) {
                    types.push(wanted);
                }
            }
        }
    }

    fn choice(&mut self, node: &Node, choices: &[&str], site: Site<'_>) {
        let given = node.text().unwrap_or_else(|| node.described());
        let shown = if self.discreet { "that".to_owned() } else { format!("`{given}`") };
        let one = if choices.len() > 1 { "one of " } else { "" };
        let message = format!("`{}` cannot be {shown}; it must be {one}{}", site.name, choices.join(", "));
        let problem = Problem::error("invalid-value", message, self.file, place(node, site));
        self.problems.push(problem.suggest(given, choices.iter().copied()));
    }
}

fn is_empty(node: &Node) -> bool {
    node.as_scalar().is_some_and(Scalar::is_null)
}

fn quoted(name: &str) -> String {
    if name.contains(' ') { name.to_owned() } else { format!("`{name}`") }
}

/// Where to point: at the value, or at the key of one that covers nothing.
fn place(node: &Node, site: Site<'_>) -> Span {
    let many_lines = !matches!(node.content, Content::Scalar(_));
    if node.span.is_empty() || many_lines { site.span } else { node.span }
}

fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn fits(node: &Node, schema: &Value) -> bool {
    let types = types(schema);
    let shape = types.is_empty() || types.iter().any(|kind| is(node, kind));
    // The one pattern that decides between alternatives: a text with a reference in it.
    let reference = schema.get("pattern").and_then(Value::as_str) == Some(REFERENCE);
    shape && (!reference || node.text().is_some_and(|text| text.contains("${")))
}

fn is(node: &Node, kind: &str) -> bool {
    match (&node.content, kind) {
        (Content::Mapping(_), "object") | (Content::Sequence(_), "array") => true,
        (Content::Scalar(scalar), "string") => is_text(scalar),
        (Content::Scalar(scalar), "boolean") => scalar.as_bool().is_some(),
        (Content::Scalar(scalar), "integer") => scalar.as_integer().is_some(),
        (Content::Scalar(scalar), "number") => scalar.as_integer().is_some() || scalar.as_float().is_some(),
        (Content::Scalar(scalar), "null") => scalar.is_null(),
        _ => false,
    }
}

fn is_text(scalar: &Scalar) -> bool {
    !scalar.is_null() && scalar.as_bool().is_none() && scalar.as_integer().is_none() && scalar.as_float().is_none()
}

fn wanted(schema: &Value) -> String {
    let names =
        types(schema).into_iter().filter(|kind| *kind != "null" || schema.get("type").is_some_and(Value::is_string));
    let names: Vec<&str> = names
        .map(|kind| match kind {
            "object" => "a mapping",
            "array" => "a list",
            "boolean" => "`true` or `false`",
            "integer" => "a whole number",
            "number" => "a number",
            "null" => "nothing",
            _ if schema.get("pattern").and_then(Value::as_str) == Some(REFERENCE) => "a string with a reference",
            _ => "a string",
        })
        .collect();
    names.join(" or ")
}

//! CloudFormation parameter files, in the two shapes they come in.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::diagnostic::Problem;
use super::text::fault;
use crate::yaml::{self, Content, Entry, Node, Span};

/// One entry of a parameter file.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct FileEntry {
    /// Its value. May be a secret: never goes into a message. Empty, where it is kept.
    pub(super) value: String,
    /// It stays what the stack has (`UsePreviousValue`).
    pub(super) kept: bool,
    pub(super) key_span: Span,
    pub(super) value_span: Span,
}

/// Reads `{"Parameters": {"Key": "Value"}}` or `[{"ParameterKey": …, "ParameterValue": …}]`.
pub(super) fn read(file: &Arc<str>, source: &str) -> Result<BTreeMap<String, FileEntry>, Vec<Problem>> {
    let stream = yaml::parse(source);
    if let Some(reason) = &stream.fault {
        return Err(vec![fault(reason, file, source)]);
    }
    let Some(document) = stream.documents.first() else {
        return Err(vec![shape(file, Span::default())]);
    };
    let mut problems: Vec<Problem> = document.faults.iter().map(|reason| fault(reason, file, source)).collect();
    let mut entries = BTreeMap::new();
    match &document.root.content {
        Content::Sequence(items) => items.iter().for_each(|item| listed(item, file, &mut entries, &mut problems)),
        Content::Mapping(sections) => match document.root.get("Parameters") {
            Some(Node { content: Content::Mapping(inner), .. }) => {
                problems.extend(sections.iter().filter_map(|section| unused(section, file)));
                for entry in inner {
                    keep(&entry.key, entry.key_span, &entry.value, file, &mut entries, &mut problems);
                }
            }
            _ => problems.push(shape(file, document.root.span)),
        },
        Content::Scalar(_) => problems.push(shape(file, document.root.span)),
    }
    if problems.is_empty() { Ok(entries) } else { Err(problems) }
}

/// A section of which nothing would be used. `CodePipeline`'s template configuration files have two more than parameters
/// (AWS: *CloudFormation artifacts*, template configuration file).
fn unused(section: &Entry, file: &Arc<str>) -> Option<Problem> {
    let error = |code, message: String| Problem::error(code, message, file, section.key_span);
    let help = match section.key.as_str() {
        "Parameters" => return None,
        _ if section.value.entries().is_empty() && matches!(section.value.content, Content::Mapping(_)) => return None,
        "Tags" => "set them in `tags` of the environment or of the stack, and remove them here",
        "StackPolicy" => "move it to a JSON file of its own, and name that file in `stackPolicy` of the stack",
        other => {
            return Some(error("unknown-field", format!("unknown field `{other}`")).suggest(other, ["Parameters"]));
        }
    };
    Some(error("parameter-file", format!("`{}` of a parameter file is not used", section.key)).help(help))
}

/// A list that would become another one: CloudFormation has no way to write a comma inside of an item (AWS: *Parameters*,
/// `CommaDelimitedList`: "an array of literal strings that are separated by commas").
pub(super) fn torn(name: &str, value: &Node, file: &Arc<str>) -> Option<Problem> {
    let item = value.items().iter().find(|item| item.text().is_some_and(|text| text.contains(',')))?;
    let message = format!("an item of the list `{name}` contains a comma, at which CloudFormation would split it");
    let help = "write what is before and after the comma as separate items";
    Some(Problem::error("invalid-value", message, file, item.span).help(help))
}

fn shape(file: &Arc<str>, span: Span) -> Problem {
    let message = "this is not a CloudFormation parameter file";
    let help = r#"write {"Parameters": {"Key": "Value"}} or [{"ParameterKey": "Key", "ParameterValue": "Value"}]"#;
    Problem::error("parameter-file", message, file, span).help(help)
}

fn listed(item: &Node, file: &Arc<str>, entries: &mut BTreeMap<String, FileEntry>, problems: &mut Vec<Problem>) {
    const KNOWN: [&str; 4] = ["ParameterKey", "ParameterValue", "UsePreviousValue", "ResolvedValue"];
    for entry in item.entries() {
        if !KNOWN.contains(&entry.key.as_str()) {
            let problem =
                Problem::error("unknown-field", format!("unknown field `{}`", entry.key), file, entry.key_span);
            problems.push(problem.suggest(&entry.key, KNOWN));
        }
    }
    let Some(key) = item.get("ParameterKey") else {
        problems.push(shape(file, item.span));
        return;
    };
    let Some(name) = key.text() else {
        problems.push(shape(file, key.span));
        return;
    };
    let value = item.get("ParameterValue");
    if item
        .get("UsePreviousValue")
        .is_some_and(|flag| flag.text().is_some_and(|text| text.eq_ignore_ascii_case("true")))
    {
        // AWS: *`Parameter`*: "If you specify `true`, do not specify a parameter value"; the AWS CLI leaves an empty one.
        if let Some(given) = value.filter(|value| value.text() != Some("")) {
            let message = format!("`{name}` has both a value and `UsePreviousValue`");
            problems.push(Problem::error("parameter-file", message, file, given.span).help("remove one of the two"));
            return;
        }
        let kept = FileEntry { value: String::new(), kept: true, key_span: key.span, value_span: item.span };
        insert(name, kept, file, entries, problems);
        return;
    }
    let Some(value) = value else {
        problems.push(shape(file, item.span));
        return;
    };
    keep(name, key.span, value, file, entries, problems);
}

fn keep(
    name: &str,
    key_span: Span,
    value: &Node,
    file: &Arc<str>,
    entries: &mut BTreeMap<String, FileEntry>,
    problems: &mut Vec<Problem>,
) {
    let Some(text) = joined(value) else {
        let message =
            format!("the value of `{name}` is {}; it must be a string, a number or a boolean", value.described());
        problems.push(Problem::error("wrong-type", message, file, key_span));
        return;
    };
    if let Some(problem) = torn(name, value, file) {
        problems.push(problem);
        return;
    }
    let entry = FileEntry { value: text, kept: false, key_span, value_span: value.span };
    insert(name, entry, file, entries, problems);
}

fn insert(
    name: &str,
    entry: FileEntry,
    file: &Arc<str>,
    entries: &mut BTreeMap<String, FileEntry>,
    problems: &mut Vec<Problem>,
) {
    if entries.contains_key(name) {
        let message = format!("duplicate key `{name}`");
        problems.push(Problem::error("duplicate-key", message, file, entry.key_span));
        return;
    }
    entries.insert(name.to_owned(), entry);
}

/// A scalar as text; a list of them joined by commas.
pub(super) fn joined(node: &Node) -> Option<String> {
    match &node.content {
        Content::Scalar(scalar) if scalar.is_null() => None,
        Content::Scalar(scalar) => {
            Some(scalar.as_bool().map_or_else(|| scalar.text.clone(), |value| value.to_string()))
        }
        Content::Sequence(items) => {
            let items: Option<Vec<String>> =
                items.iter().map(|item| item.as_scalar().and_then(|_| joined(item))).collect();
            Some(items?.join(","))
        }
        Content::Mapping(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(source: &str) -> Vec<(String, String)> {
        let entries = read(&Arc::from("p.json"), source).unwrap_or_default();
        entries.into_iter().map(|(key, entry)| (key, entry.value)).collect()
    }

    #[test]
    fn both_shapes_of_parameter_files_say_the_same() {
        let guide = r#"{ "Parameters": { "A": "x", "B": 2, "C": true, "D": ["a", "b"] } }"#;
        let list = r#"[ {"ParameterKey": "A", "ParameterValue": "x"}, {"ParameterKey": "B", "ParameterValue": "2"},
                        {"ParameterKey": "C", "ParameterValue": "true"}, {"ParameterKey": "D", "ParameterValue": "a,b"} ]"#;
        assert_eq!(values(guide), values(list));
        assert_eq!(values(guide).len(), 4);
    }

    #[test]
    fn what_keeps_its_value_has_none_of_its_own() {
        for kept in [r#""UsePreviousValue": true"#, r#""ParameterValue": "", "UsePreviousValue": true"#] {
            let source = format!(r#"[{{"ParameterKey": "A", {kept}}}]"#);
            let entries = read(&Arc::from("p.json"), &source).unwrap_or_default();
            assert!(entries.get("A").is_some_and(|entry| entry.kept), "{source}");
        }
        let both = r#"[{"ParameterKey": "A", "ParameterValue": "x", "UsePreviousValue": true}]"#;
        assert!(read(&Arc::from("p.json"), both).is_err());
        let neither = r#"[{"ParameterKey": "A", "ParameterValue": "x", "UsePreviousValue": false}]"#;
        assert_eq!(values(neither), [("A".to_owned(), "x".to_owned())]);
    }

    #[test]
    fn nothing_in_the_file_is_passed_over() {
        for (source, code, said) in [
            (r#"{"Parameters": {"A": "x"}, "Tags": {"Team": "a"}}"#, "parameter-file", "`Tags` of a parameter file"),
            (r#"{"Parameters": {}, "StackPolicy": {"Statement": []}}"#, "parameter-file", "`StackPolicy` of a"),
            (r#"{"Parameters": {"A": "x"}, "Paramters": {"B": "y"}}"#, "unknown-field", "unknown field `Paramters`"),
            ("Parameters: {A: x}\nDescription: d\n", "unknown-field", "unknown field `Description`"),
            (r#"{"Parameters": {"A": ["a,b", "c"]}}"#, "invalid-value", "an item of the list `A` contains a comma"),
            (r#"[{"ParameterKey": "A", "ParameterValue": ["a", "b,"]}]"#, "invalid-value", "an item of the list `A`"),
        ] {
            let problems = read(&Arc::from("p.json"), source).err().unwrap_or_default();
            let found: Vec<_> = problems.iter().map(|problem| (problem.code, &*problem.message)).collect();
            assert!(matches!(found.as_slice(), [(was, text)] if *was == code && text.starts_with(said)), "{found:?}");
            assert!(problems[0].span.start.line > 0, "{source}");
        }
        assert_eq!(values(r#"{"Parameters": {"A": "a,b"}, "Tags": {}}"#), [("A".to_owned(), "a,b".to_owned())]);
    }

    #[test]
    fn a_file_with_tabs_is_as_exact_as_one_without() {
        let source = "{\n\t\"Parameters\": {\n\t\t\"A\": 12345678901234567890123,\n\t\t\"B\": 1.10,\n\t\t\"C\": \"\\ud83d\\ude00\"\n\t}\n}";
        let entries = read(&Arc::from("p.json"), source).unwrap_or_default();
        assert_eq!(entries["A"].value, "12345678901234567890123");
        assert_eq!(entries["B"].value, "1.10");
        assert_eq!(entries["B"].value_span.start.line, 4);
    }

    #[test]
    fn other_shapes_are_refused() {
        for source in
            [r#"{"A": "x"}"#, r#"[{"ParameterKey": "A"}]"#, "3", "", r#"{"Parameters": {"A": {"b": 1}}}"#, "["]
        {
            assert!(read(&Arc::from("p.json"), source).is_err(), "{source}");
        }
    }
}

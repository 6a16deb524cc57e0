//! What no snippet may show, found in the text itself: what is broken has no tree, and a key that is there twice is in
//! none.

use super::diagnostic::nearest;
use super::nouns::{CLEAR, NOUNS, Secrecy, words};
use crate::yaml::{Content, Node, Place, Span};

/// Words before a colon that a hidden document still shows, so that its snippet can be read.
const SHOWN: [&str; 33] = [
    "metadata",
    "spec",
    "generate",
    "length",
    "charset",
    "sealed",
    "external",
    "tags",
    "resourcePolicy",
    "replicas",
    "kmsKey",
    "rotate",
    "every",
    "restart",
    "check",
    "http",
    "expect",
    "timeout",
    "deletionPolicy",
    "recoveryWindow",
    "region",
    "adopt",
    "ready",
    "dependsOn",
    "name",
    "description",
    "value",
    "values",
    "plain",
    "data",
    "stringData",
    "secretString",
    "password",
];

/// A stretch from one byte to another, as a mask takes it.
fn stretch(start: usize, end: usize) -> Span {
    Span { start: Place { offset: start, line: 1, column: 1 }, end }
}

/// The documents of a text, as their byte offsets.
fn documents(source: &str) -> Vec<(usize, usize)> {
    let (mut found, mut start, mut at) = (Vec::new(), 0, 0);
    for line in source.split_inclusive('\n') {
        if line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace)) {
            found.push((start, at));
            start = at;
        }
        at += line.len();
    }
    found.push((start, at));
    found
}

/// Values that a hidden document shows after one of its fields: they are no secrets, whoever wrote them.
const WORDS: [&str; 7] = ["true", "false", "retain", "delete", "alphanumeric", "base64url", "hex"];

/// Hides what may be secret in the document at a byte offset. `fields`: where fields stand that the message names.
pub(super) fn document_at(source: &str, offset: usize, fields: &[Span]) -> Vec<Span> {
    let around = documents(source).into_iter().filter(|(start, end)| (*start..*end).contains(&offset));
    around.flat_map(|(start, end)| masks_of(source, start, end, fields)).collect()
}

/// Hides what may be secret in every document of a file that cannot be read.
pub(super) fn unreadable(source: &str) -> Vec<Span> {
    documents(source).into_iter().flat_map(|(start, end)| masks_of(source, start, end, &[])).collect()
}

/// What is hidden of a document depends on what it says that it is: of a secret, and of what may be one, everything but
/// the words of its fields and values that are harmless; of a stack, its parameters; of everything, what looks like a value
/// in the clear.
fn masks_of(source: &str, start: usize, end: usize, fields: &[Span]) -> Vec<Span> {
    let text = source.get(start..end).unwrap_or_default();
    let kinds: Vec<Option<Secrecy>> =
        text.lines().filter_map(|line| line.strip_prefix("kind:")).map(|kind| secrecy_of(kind.trim())).collect();
    let all =
        |wanted: &[Secrecy]| !kinds.is_empty() && kinds.iter().all(|kind| kind.is_some_and(|of| wanted.contains(&of)));
    if all(&[Secrecy::Public]) {
        return in_the_clear(source, start, end);
    }
    if all(&[Secrecy::Public, Secrecy::Parameters]) {
        let mut masks = in_the_clear(source, start, end);
        masks.extend(parameters(source).into_iter().filter(|mask| (start..end).contains(&mask.start.offset)));
        return masks;
    }
    hidden(source, start, end).into_iter().flat_map(|mask| without(mask, fields)).collect()
}

/// A mask without the fields that lie in it.
fn without(mask: Span, fields: &[Span]) -> Vec<Span> {
    let (mut parts, mut at) = (Vec::new(), mask.start.offset);
    let mut inside: Vec<&Span> =
        fields.iter().filter(|field| at <= field.start.offset && field.end <= mask.end).collect();
    inside.sort_by_key(|field| field.start.offset);
    for field in inside {
        parts.push(stretch(at, field.start.offset.max(at)));
        at = field.end.max(at);
    }
    parts.push(stretch(at, mask.end));
    parts
}

/// What documents of a kind may hide; of a misspelt kind, what those that were meant may.
fn secrecy_of(kind: &str) -> Option<Secrecy> {
    let word = words().find(|word| *word == kind).or_else(|| nearest(kind, words()))?;
    NOUNS.iter().find(|noun| noun.word == word).map(|noun| noun.secrecy)
}

/// Hides the values of fields that look like a secret in the clear, with everything below them.
fn in_the_clear(source: &str, start: usize, end: usize) -> Vec<Span> {
    let (mut masks, mut at, mut inside) = (Vec::new(), start, None);
    for line in source.get(start..end).unwrap_or_default().split_inclusive('\n') {
        let body = line.trim_start();
        let (indent, stop) = (line.len() - body.len(), at + line.trim_end().len());
        if inside.is_some_and(|outer| indent <= outer && !body.trim().is_empty()) {
            inside = None;
        }
        if inside.is_some() {
            masks.push(stretch((at + indent).min(stop), stop));
        } else if let Some(found) = first_clear(line) {
            masks.push(stretch((at + found).min(stop), stop));
            inside = Some(indent);
        }
        at += line.len();
    }
    masks
}

/// Where the value of the first such field of a line begins.
fn first_clear(line: &str) -> Option<usize> {
    let ends = |at: usize, word: &str| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        let after = line.get(at + word.len()..).unwrap_or_default();
        let colon = after.trim_start_matches(['"', '\'']);
        before.is_none_or(|c| !c.is_alphanumeric()) && colon.starts_with(':')
    };
    let found = CLEAR.iter().flat_map(|word| line.match_indices(*word));
    found.filter(|(at, word)| ends(*at, word)).map(|(at, word)| at + word.len() + 1).min()
}

/// Everything between two offsets, but the words of fields, harmless values, and what sort of document this is.
fn hidden(source: &str, start: usize, end: usize) -> Vec<Span> {
    let (mut masks, mut at, mut generated) = (in_the_clear(source, start, end), start, None);
    for line in source.get(start..end).unwrap_or_default().split_inclusive('\n') {
        let stop = line.trim_end().len();
        let body = line.trim();
        let of_document = ["kind:", "apiVersion:"].iter().find_map(|field| line.strip_prefix(field));
        let is_word = |text: &str| text.len() <= 32 && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '/');
        let indent = line.len() - line.trim_start().len();
        generated = if body == "generate:" { Some(indent) } else { generated.filter(|outer| indent > *outer) };
        if !body.is_empty() && body != "---" && of_document.is_none_or(|value| !is_word(value.trim())) {
            masks.extend(
                hidden_of(line, stop, generated.is_some()).into_iter().map(|(from, to)| stretch(at + from, at + to)),
            );
        }
        at += line.len();
    }
    masks
}

/// What is hidden of one line: from the first thing that may be a value to its end, and before that the words that are no
/// fields of ours. `generated`: the line is below `generate`, where fields have names of their own.
fn hidden_of(line: &str, stop: usize, generated: bool) -> Vec<(usize, usize)> {
    let (mut masks, mut at, mut field) = (Vec::new(), 0, None);
    let is_gap = |c: char| c.is_whitespace() || matches!(c, '{' | '}' | '[' | ']' | ',');
    while let Some(rest) = line.get(at..stop).filter(|rest| !rest.is_empty()) {
        let gap = rest.len() - rest.trim_start_matches(is_gap).len();
        let dash = rest.get(gap..).is_some_and(|rest| rest.starts_with("- ")) && masks.is_empty() && field.is_none();
        if gap > 0 || dash {
            at += if dash { gap + 2 } else { gap };
            continue;
        }
        let token = rest.split(is_gap).next().unwrap_or_default();
        let after = rest.get(token.len()..).unwrap_or_default().trim_start();
        match token.strip_suffix(':') {
            Some(word) if SHOWN.contains(&word) => field = Some(word),
            Some(word)
                if (generated || field == Some("generate"))
                    && (after.starts_with('{') || after.is_empty())
                    && !CLEAR.contains(&word) =>
            {
                field = Some(word);
            }
            // The first word of something else.
            Some(word) if at == 0 && after.is_empty() && word.chars().all(|c| c.is_ascii_alphabetic()) => {}
            Some(word) if after.starts_with('{') || is_near(word) && is_harmless(word, first_token(after)) => {
                masks.push((at, at + token.len() - 1));
                field = Some(word);
            }
            None if field.is_some_and(|field| is_harmless(field, token)) => field = None,
            _ => {
                masks.push((at, stop));
                return masks;
            }
        }
        at += token.len();
    }
    masks
}

fn first_token(text: &str) -> &str {
    text.split([' ', ',', '}', ']']).next().unwrap_or_default()
}

/// A slip of the pen away from a field whose values are no secrets.
fn is_near(word: &str) -> bool {
    nearest(word, SHOWN.into_iter().filter(|shown| !CLEAR.contains(shown))).is_some()
}

/// A value that cannot be a secret, because of its form.
fn is_harmless(field: &str, text: &str) -> bool {
    if CLEAR.contains(&field) {
        return false;
    }
    let bare = text.trim_matches(['"', '\'']);
    let digits = bare.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let unit = bare.get(digits.len()..).unwrap_or_default();
    let number = (1..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let named = field == "name" && bare.chars().all(|c| c.is_ascii_alphanumeric() || "/_-${}.".contains(c));
    WORDS.contains(&bare)
        || number && ["", "ms", "s", "m", "min", "h", "d", "w", "days", "hours"].contains(&unit)
        || named
        || is_reference(bare)
}

/// The whole value is `${…}`.
fn is_reference(text: &str) -> bool {
    let text = text.trim().trim_matches(['"', '\'']);
    text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).is_some_and(|inside| !inside.contains(['$', '}']))
}

/// Hides everything below `parameters:`: without the template it cannot be told which of them are `NoEcho`.
pub(super) fn parameters(source: &str) -> Vec<Span> {
    let mut masks = Vec::new();
    let mut offset = 0;
    // The indentation that ends the block; in flow style only the end of the document does.
    let mut inside: Option<Option<usize>> = None;
    for line in source.split_inclusive('\n') {
        let body = line.trim_start();
        let indent = line.len() - body.len();
        let ends = |outer: Option<usize>| outer.is_some_and(|outer| indent <= outer) && !body.is_empty();
        if line.starts_with("---") || inside.is_some_and(ends) {
            inside = None;
        }
        let mut skip = if inside.is_some() { line.find(':').map_or(0, |colon| colon + 1) } else { line.len() };
        if inside.is_none()
            && let Some(found) = line.find("parameters")
        {
            inside = Some(body.starts_with("parameters:").then_some(indent));
            skip = found + "parameters".len();
            skip += usize::from(line.get(skip..).is_some_and(|rest| rest.starts_with(':')));
        }
        let end = offset + line.trim_end().len();
        if !is_reference(source.get((offset + skip).min(end)..end).unwrap_or_default()) {
            masks.push(stretch((offset + skip).min(end), end));
        }
        offset += line.len();
    }
    masks
}

/// Hides the values of a JSON file whose values may all be secret.
pub(super) fn values_of_json(source: &str) -> Vec<Span> {
    let (mut masks, mut offset) = (Vec::new(), 0);
    for line in source.split_inclusive('\n') {
        let end = offset + line.trim_end().len();
        let end = if line.trim_end().ends_with(',') { end - 1 } else { end };
        let indent = line.len() - line.trim_start().len();
        // A key and one value; of anything else, all.
        let key = line.trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"'));
        let value = key.and_then(|(key, rest)| {
            let value = rest.trim_start().strip_prefix(':')?;
            let one = !value.trim_start_matches([' ', '"']).contains(':');
            (one && key.len() <= 128).then_some(line.len() - value.len())
        });
        let punctuation = line.trim().chars().all(|c| "{}[], ".contains(c));
        let start = offset + value.unwrap_or(indent);
        let opens = source.get(start.min(end)..end).is_some_and(|value| matches!(value.trim(), "{" | "["));
        if start < end && !punctuation && !opens {
            masks.push(stretch(start, end));
        }
        offset += line.len();
    }
    masks
}

/// Hides every scalar of a tree, but references.
pub(super) fn scalars(node: &Node) -> Vec<Span> {
    match &node.content {
        Content::Scalar(scalar) if is_reference(&scalar.text) => Vec::new(),
        Content::Scalar(_) => vec![node.span],
        Content::Sequence(items) => items.iter().flat_map(scalars).collect(),
        Content::Mapping(entries) => entries.iter().flat_map(|entry| scalars(&entry.value)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source: &str, masks: &[Span]) -> String {
        let mut bytes = source.as_bytes().to_vec();
        for mask in masks {
            bytes[mask.start.offset..mask.end].fill(b'*');
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_hidden_document_shows_its_fields_and_nothing_they_hold() {
        let source = "kind: Stack\n---\nkind: Secret\nspec:\n  value: a: b\n  # c\n  - name: d\n  e: |\n    f: g\n--- # h\ni: j\n";
        let offset = source.find("kind: Secret").unwrap();
        assert_eq!(
            shown(source, &document_at(source, offset, &[])),
            "kind: Stack\n---\nkind: Secret\nspec:\n  value:*****\n  ***\n  - name: d\n  ****\n    ****\n--- # h\ni: j\n"
        );
    }

    #[test]
    fn a_hidden_document_shows_values_that_cannot_be_secret() {
        let source = "kind: Sercet\nmetadata: { name: app }\nspec:\n  generate: { token: { lenght: 32, x: pw } }\n  rotate: { every: 30d }\n  \
                      password: 1234\n  tags: { a: b }\n";
        assert_eq!(
            shown(source, &unreadable(source)),
            "kind: Sercet\nmetadata: { name: app }\nspec:\n  generate: { token: { ******: 32, *********\n  rotate: { every: 30d }\n  \
             password:*****\n  tags: { ******\n"
        );
    }

    #[test]
    fn what_cannot_be_read_is_hidden_unless_it_says_that_it_is_no_secret() {
        let source = "kind: Stak\na: b\n---\nkind: Sercet\nc: d\n---\ne: f\n---\n{ kind: Stack, g: h }\n";
        assert_eq!(
            shown(source, &unreadable(source)),
            "kind: Stak\na: b\n---\nkind: Sercet\n****\n---\n****\n---\n{ *******************\n"
        );
        let source = "kind: Stack\nspec:\n  parameters:\n    A: b\n    C: '${values.c}'\n  data:\n    d: e\n  f: g\n";
        assert_eq!(
            shown(source, &unreadable(source)),
            "kind: Stack\nspec:\n  parameters:\n    A:**\n    C: '${values.c}'\n  data:\n    ****\n  f: g\n"
        );
    }

    #[test]
    fn a_parameter_file_shows_its_keys() {
        let source = "{ \"Parameters\": {\n  \"A\": \"b\",\n  \"C\": \"d\"\n  x\n} }\n";
        assert_eq!(
            shown(source, &values_of_json(source)),
            "{ \"Parameters\": {\n  \"A\":****,\n  \"C\":****\n  *\n} }\n"
                .replace("{ \"Parameters\": {", &"*".repeat(17))
        );
    }
}

//! JSON where the YAML reader gave up: the same tree, with every number as it was written.

use std::collections::BTreeSet;

use serde::de::IgnoredAny;

use super::node::MAX_DEPTH;
use super::{Content, Document, Entry, Fault, FaultKind, Node, Place, Span};

/// The document, if the text is JSON.
pub(super) fn parse(text: &str) -> Option<Document> {
    // Whether it is JSON says the library: what reads it below only has to find where things begin and end.
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let mut reader = Reader { text, here: Place { offset: 0, line: 1, column: 1 }, faults: Vec::new() };
    reader.blanks();
    let root = reader.value(0)?;
    Some(Document { root, faults: reader.faults, alias: None })
}

struct Reader<'t> {
    text: &'t str,
    here: Place,
    faults: Vec<Fault>,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.here.offset..).unwrap_or_default()
    }

    fn go(&mut self, bytes: usize) {
        let passed = self.rest().get(..bytes).unwrap_or_default();
        for c in passed.chars() {
            if c == '\n' {
                self.here.line += 1;
                self.here.column = 1;
            } else {
                self.here.column += 1;
            }
        }
        self.here.offset += passed.len();
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.go(rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len());
    }

    /// Passes this character, if it is next, and the blanks behind it.
    fn takes(&mut self, c: char) -> bool {
        let found = self.rest().starts_with(c);
        if found {
            self.go(c.len_utf8());
            self.blanks();
        }
        found
    }

    fn value(&mut self, depth: usize) -> Option<Node> {
        if depth > MAX_DEPTH {
            return None;
        }
        let start = self.here;
        let content = if self.takes('{') {
            self.mapping(depth)?
        } else if self.takes('[') {
            self.sequence(depth)?
        } else if self.rest().starts_with('"') {
            let (text, span) = self.string()?;
            return Some(Node::scalar(text, false, span));
        } else {
            let rest = self.rest();
            let length = rest.find([',', ']', '}', ' ', '\t', '\n', '\r']).unwrap_or(rest.len());
            self.go(length);
            return Some(Node::scalar(rest.get(..length)?, true, Span { start, end: self.here.offset }));
        };
        Some(Node { content, tag: None, span: Span { start, end: self.here.offset } })
    }

    fn string(&mut self) -> Option<(String, Span)> {
        let (start, rest) = (self.here, self.rest());
        let mut escaped = false;
        let close = rest.bytes().skip(1).position(|byte| {
            let closes = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            closes
        });
        let length = close? + 2;
        let text = serde_json::from_str(rest.get(..length)?).ok()?;
        self.go(length);
        Some((text, Span { start, end: self.here.offset }))
    }

    fn sequence(&mut self, depth: usize) -> Option<Content> {
        let mut items = Vec::new();
        while !self.rest().starts_with(']') {
            items.push(self.value(depth + 1)?);
            self.blanks();
            self.takes(',');
        }
        self.go(1);
        Some(Content::Sequence(items))
    }

    fn mapping(&mut self, depth: usize) -> Option<Content> {
        let (mut entries, mut keys) = (Vec::new(), BTreeSet::new());
        while !self.rest().starts_with('}') {
            let (key, key_span) = self.string()?;
            self.blanks();
            self.takes(':');
            let value = self.value(depth + 1)?;
            self.blanks();
            self.takes(',');
            if keys.insert(key.clone()) {
                entries.push(Entry { key, key_span, value });
            } else {
                let message = format!("duplicate key `{key}`");
                self.faults.push(Fault { kind: FaultKind::DuplicateKey, message, span: key_span });
            }
        }
        self.go(1);
        Some(Content::Mapping(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_has_its_place_and_its_digits() {
        let text = "{\n\t\"ä\": \"\\ud83d\\ude00\\\"\",\n\t\"n\": [12345678901234567890123, 1.10,\ttrue, null, -1e400],\n\t\"n\": {}\n}\n";
        let document = parse(text).unwrap();
        assert_eq!(document.root.get("ä").unwrap().text(), Some("😀\""));
        let items = document.root.get("n").unwrap().items();
        let texts: Vec<_> = items.iter().filter_map(Node::text).collect();
        assert_eq!(texts, ["12345678901234567890123", "1.10", "true", "null", "-1e400"]);
        for item in items {
            assert_eq!(&text[item.span.start.offset..item.span.end], item.text().unwrap());
        }
        assert_eq!((items[1].span.start.line, items[1].span.start.column), (3, 33));
        let again = &document.faults[0];
        assert_eq!((again.span.start.line, &text[again.span.start.offset..again.span.end]), (4, "\"n\""));
        assert!(parse("{\"a\": 1,}").is_none() && parse("{a: 1}").is_none());
        assert!(parse(&format!("{}{}", "[".repeat(200), "]".repeat(200))).is_none());
    }
}

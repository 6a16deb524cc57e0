//! Texts as YAML, so that they read back as they are and people can read them too.

use std::fmt::Write as _;

/// Words that YAML readers take for something else than a text.
const WORDS: [&str; 12] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf", "previous"];

/// A text that a manifest takes as it is: `${` does not begin a reference.
pub(super) fn literal(text: &str) -> String {
    quoted(&escaped(text))
}

/// `${` as what a manifest reads as `${`.
pub(super) fn escaped(text: &str) -> String {
    text.replace("${", "$${")
}

/// A YAML scalar that means this text, in quotes where it needs them.
pub(super) fn quoted(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}') => {
                _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// It is a text without quotes, to every YAML reader.
fn is_plain(text: &str) -> bool {
    let first = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '+');
    first && text.chars().all(legal) && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

/// A list in one line; `[]` is never written.
pub(super) fn list(items: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", items.into_iter().collect::<Vec<_>>().join(", "))
}

/// A comment of several lines, each begun at this depth and none longer than people like to read.
pub(super) fn comment(depth: usize, text: &str) -> String {
    const WIDTH: usize = 110;
    let start = format!("{}#", " ".repeat(depth));
    let mut out = String::new();
    let mut line = start.clone();
    // What others wrote cannot leave the comment: white space of every sort is one blank.
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if line.len() > start.len() && line.len() + 1 + word.len() > WIDTH {
            out.push_str(&line);
            out.push('\n');
            line.clone_from(&start);
        }
        line.push(' ');
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
    out
}

/// A file of documents below a comment.
pub(super) fn file(head: &str, documents: &[String]) -> String {
    format!("{}\n{}", comment(0, head), documents.join("---\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    #[test]
    fn every_text_reads_back_as_it_was() {
        for text in [
            "",
            " ",
            "a",
            "true",
            "No",
            "null",
            "~",
            "1",
            "1.0",
            "0x1f",
            "1e3",
            "-",
            "- a",
            "a: b",
            "#a",
            "a #b",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a",
            "'a'",
            "\"a\"",
            "a\nb",
            "a\tb",
            "\\",
            "{a}",
            "[a]",
            "a,b",
            "${a}",
            "$${a}",
            "é",
            "\u{85}",
            "\u{7f}",
            "\u{feff}x",
            "\u{2028}",
            "😀",
            "10.0.0.0/16",
            "arn:aws:s3:::b",
            "=",
            "<<",
            "2026-01-01",
            "12:30:45",
            ".5",
            "+1",
            "..",
            "/a/b",
            "a.b-c_d",
        ] {
            let stream = yaml::parse(&format!("k: {}\n", quoted(text)));
            assert!(stream.fault.is_none(), "{text:?}");
            let node = stream.documents[0].root.get("k").unwrap();
            let scalar = node.as_scalar().unwrap();
            assert_eq!(scalar.text, text, "{text:?}");
            assert!(!scalar.is_null() && scalar.as_bool().is_none(), "{text:?} is taken for something else");
        }
    }

    #[test]
    fn a_comment_stays_one() {
        let text = comment(2, "a\nkind: Secret\r\u{85}\u{2028}b");
        assert!(text.lines().all(|line| line.starts_with("  # ")), "{text}");
        assert_eq!(text.lines().count(), 1);
    }
}

//! Texts with wildcards, of which parts may not be known: whether one matches everything that another one does.

use std::fmt;

use serde_json::Value;

use crate::template::canonical::shown;
use crate::template::evaluate::{CHANGED, PENDING};

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Part {
    Letter(char),
    /// `*`: any letters, or none.
    Any,
    /// `?`: one letter.
    One,
    /// A value that is not known: an expression, as JSON.
    Unknown(String),
}

/// A text with wildcards.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    parts: Vec<Part>,
    /// As it is written, upper and lower case included. No part of what it is.
    text: String,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
    }
}

impl Eq for Pattern {}

impl PartialOrd for Pattern {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Pattern {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.parts.cmp(&other.parts)
    }
}

/// What letters mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letters {
    /// `*` and `?` are wildcards.
    Wild,
    /// The same, and upper and lower case are one.
    WildCaseless,
    /// They stand for themselves.
    Plain,
    /// The same, and upper and lower case are one.
    PlainCaseless,
}

impl Pattern {
    /// The pattern of an evaluated value.
    pub(super) fn of(value: &Value, letters: Letters) -> Self {
        let (mut parts, mut text) = (Vec::new(), String::new());
        add(value, letters, &mut parts);
        write_plain(value, &mut text);
        Self { parts, text }
    }

    pub(super) fn text(text: &str, letters: Letters) -> Self {
        Self::of(&Value::from(text), letters)
    }

    /// This one, after a text that stands for itself.
    pub(super) fn after(self, prefix: &str) -> Self {
        let parts = prefix.chars().map(Part::Letter).chain(self.parts).collect();
        Self { parts, text: format!("{prefix}{}", self.text) }
    }

    /// It matches everything.
    pub(super) fn is_everything(&self) -> bool {
        matches!(self.parts.as_slice(), [Part::Any])
    }

    /// It matches one text, which is known.
    pub(super) fn is_literal(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Letter(_)))
    }

    /// It has a part that is known only after something else was applied.
    pub(super) fn is_pending(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Unknown(text) if text.contains(PENDING)))
    }

    /// What it matches is the same for everybody and at all times: nothing in it is unknown, nor a policy variable.
    pub(super) fn is_fixed(&self) -> bool {
        let variable = |two: &[Part]| two == [Part::Letter('$'), Part::Letter('{')];
        !self.parts.iter().any(|part| matches!(part, Part::Unknown(_))) && !self.parts.windows(2).any(variable)
    }

    /// The text, if there is nothing in it but letters.
    pub(super) fn literal(&self) -> Option<String> {
        self.is_literal().then(|| self.text.clone())
    }

    /// Whether it matches everything that the other one matches. What is not known is only matched by itself and by a
    /// `*`, because there may be wildcards in it.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let (whole, part) = (&self.parts, &other.parts);
        let (mut at, mut of) = (0, 0);
        // Where the last `*` was, and how far it has taken the other one.
        let mut back: Option<(usize, usize)> = None;
        while of < part.len() {
            match (whole.get(at), part.get(of)) {
                (Some(Part::Any), _) => {
                    back = Some((at, of));
                    at += 1;
                }
                (Some(mine), Some(theirs)) if matches_one(mine, theirs) => {
                    at += 1;
                    of += 1;
                }
                _ => {
                    let Some((star, taken)) = back else { return false };
                    back = Some((star, taken + 1));
                    at = star + 1;
                    of = taken + 1;
                }
            }
        }
        whole.iter().skip(at).all(|part| *part == Part::Any)
    }
}

fn matches_one(mine: &Part, theirs: &Part) -> bool {
    match (mine, theirs) {
        (Part::One, Part::One | Part::Letter(_)) => true,
        // A `*` in the other one is longer than anything but a `*`.
        (Part::Any, _) | (_, Part::Any) => false,
        (mine, theirs) => mine == theirs,
    }
}

fn add(value: &Value, letters: Letters, parts: &mut Vec<Part>) {
    if let Some(text) = shown(value) {
        return add_text(&text, letters, parts);
    }
    if let Some([Value::String(separator), Value::Array(items)]) =
        value.get("Fn::Join").and_then(Value::as_array).map(Vec::as_slice)
        && separator.is_empty()
    {
        return items.iter().for_each(|item| add(item, letters, parts));
    }
    parts.push(Part::Unknown(value.to_string()));
}

fn add_text(text: &str, letters: Letters, parts: &mut Vec<Part>) {
    let wild = matches!(letters, Letters::Wild | Letters::WildCaseless);
    let caseless = matches!(letters, Letters::WildCaseless | Letters::PlainCaseless);
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        // `${*}`, `${?}` and `${$}` stand for the letters (AWS: *IAM policy elements: Variables and tags*).
        if let Some(escaped) = ['*', '?', '$'].into_iter().find(|letter| rest.starts_with(&format!("${{{letter}}}")))
            && wild
        {
            parts.push(Part::Letter(escaped));
            rest = rest.get(4..).unwrap_or_default();
            continue;
        }
        match letter {
            '*' if wild => {
                if parts.last() != Some(&Part::Any) {
                    parts.push(Part::Any);
                }
            }
            '?' if wild => parts.push(Part::One),
            letter if caseless => parts.extend(letter.to_lowercase().map(Part::Letter)),
            letter => parts.push(Part::Letter(letter)),
        }
        rest = rest.get(letter.len_utf8()..).unwrap_or_default();
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn write_plain(value: &Value, text: &mut String) {
    match value.get("Fn::Join").and_then(Value::as_array).map(Vec::as_slice) {
        _ if shown(value).is_some() => text.push_str(&shown(value).unwrap_or_default()),
        Some([Value::String(separator), Value::Array(items)]) if separator.is_empty() => {
            for item in items {
                write_plain(item, text);
            }
        }
        _ => text.push_str(&expression(value)),
    }
}

/// An expression, as `Fn::Sub` would have it where it can.
fn expression(value: &Value) -> String {
    let name = |key: &str| value.get(key).and_then(Value::as_str);
    if let Some(name) = name("Ref").or_else(|| name(PENDING)) {
        return format!("${{{name}}}");
    }
    if let Some(name) = name(CHANGED) {
        return format!("${{{name}}} (a new value)");
    }
    match value.get("Fn::GetAtt").and_then(Value::as_array).map(Vec::as_slice) {
        Some([Value::String(resource), Value::String(attribute)]) => format!("${{{resource}.{attribute}}}"),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn wild(text: &str) -> Pattern {
        Pattern::text(text, Letters::Wild)
    }

    #[test]
    fn a_pattern_covers_what_it_matches_and_narrower_patterns() {
        for (whole, part, covers) in [
            ("*", "", true),
            ("*", "a*b?", true),
            ("s3:*", "s3:Get*", true),
            ("s3:Get*", "s3:*", false),
            ("s3:Get*Object", "s3:GetObject", true),
            ("s3:Get*Object", "s3:Get*", false),
            ("a?c", "abc", true),
            ("a?c", "a?c", true),
            ("a?c", "a*c", false),
            ("a*c", "a?c", true),
            ("a*b*c", "axbyc", true),
            ("a*b*c", "acb", false),
            ("**", "*", true),
            ("", "", true),
            ("", "a", false),
            ("a${*}", "ab", false),
        ] {
            assert_eq!(wild(whole).covers(&wild(part)), covers, "{whole} {part}");
        }
        assert!(!Pattern::text("a*", Letters::Plain).covers(&wild("ab")));
        let caseless = |text| Pattern::text(text, Letters::WildCaseless);
        assert!(caseless("S3:get*").covers(&caseless("s3:GetObject")));
    }

    #[test]
    fn what_is_not_known_is_matched_by_itself_and_by_a_star_alone() {
        let of = |value: Value| Pattern::of(&value, Letters::Wild);
        let unknown = of(json!({"Fn::Join": ["", ["arn:", {"Ref": "Bucket"}, "/*"]]}));
        assert!(unknown.covers(&unknown) && wild("arn:*").covers(&unknown));
        assert!(!wild("arn:?/*").covers(&unknown) && !unknown.covers(&wild("arn:a/*")));
        assert!(unknown.covers(&of(json!({"Fn::Join": ["", ["arn:", {"Ref": "Bucket"}, "/a"]]}))));
        assert_eq!(unknown.to_string(), "arn:${Bucket}/*");
        assert!(of(json!({"Fn::Pending": "P"})).is_pending());
    }

    proptest! {
        #[test]
        fn what_a_covered_pattern_matches_its_cover_matches(
            whole in "[ab*?]{0,6}", part in "[ab*?]{0,6}", text in "[ab]{0,8}",
        ) {
            let text = Pattern::text(&text, Letters::Plain);
            if wild(&whole).covers(&wild(&part)) && wild(&part).covers(&text) {
                prop_assert!(wild(&whole).covers(&text));
            }
        }
    }
}

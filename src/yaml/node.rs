//! The tree.

/// How deep values may be nested. Real templates stay below 30.
pub(super) const MAX_DEPTH: usize = 100;

/// A point in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Bytes before it.
    pub offset: usize,
    /// Line, from 1; 0 where the position is not known.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// A stretch of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Its start.
    pub start: Place,
    /// The byte offset at which it ends.
    pub end: usize,
}

impl Span {
    /// Its length in bytes.
    #[must_use]
    pub fn len(self) -> usize {
        self.end.saturating_sub(self.start.offset)
    }

    /// It covers nothing.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// A value with its tag and its position.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it holds.
    pub content: Content,
    /// A local tag without its exclamation mark: `Sub` for `!Sub`.
    pub tag: Option<String>,
    /// Where it stands.
    pub span: Span,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A text, number, boolean or nothing.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// Entries in the order of the text. A repeated key is dropped here and reported as a fault.
    Mapping(Vec<Entry>),
}

/// One entry of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

/// A scalar as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// Its text, quotes and escapes undone.
    pub text: String,
    /// Written without quotes, so that it may mean a number, a boolean or nothing.
    pub plain: bool,
}

impl Scalar {
    /// Nothing (YAML 1.2 core schema).
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    /// A boolean (YAML 1.2 core schema: `yes` and `on` are texts).
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self.text.as_str() {
            "true" | "True" | "TRUE" if self.plain => Some(true),
            "false" | "False" | "FALSE" if self.plain => Some(false),
            _ => None,
        }
    }

    /// A whole number in decimal. A leading zero makes it a text: an account id must not lose it.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        let digits = self.text.strip_prefix('-').unwrap_or(&self.text);
        let legal = self.plain
            && !digits.is_empty()
            && digits.bytes().all(|b| b.is_ascii_digit())
            && (digits == "0" || !digits.starts_with('0'));
        if legal { self.text.parse().ok() } else { None }
    }

    /// A number that is not a whole one, or written in another way than decimal digits.
    #[must_use]
    pub fn as_float(&self) -> Option<f64> {
        let body = self.text.strip_prefix(['-', '+']).unwrap_or(&self.text);
        let legal = self.plain
            && body.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            && body.contains(|c: char| c.is_ascii_digit())
            && body.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
            && body.contains(['.', 'e', 'E']);
        if legal { self.text.parse().ok().filter(|number: &f64| number.is_finite()) } else { None }
    }
}

impl Node {
    /// A scalar node.
    #[must_use]
    pub fn scalar(text: impl Into<String>, plain: bool, span: Span) -> Self {
        Self { content: Content::Scalar(Scalar { text: text.into(), plain }), tag: None, span }
    }

    /// The entry of that key, where this is a mapping that has it.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The value of that key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entries; none where this is not a mapping.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        if let Content::Mapping(entries) = &self.content { entries } else { &[] }
    }

    /// The items; none where this is not a sequence.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        if let Content::Sequence(items) = &self.content { items } else { &[] }
    }

    /// The scalar, where this is one.
    #[must_use]
    pub fn as_scalar(&self) -> Option<&Scalar> {
        if let Content::Scalar(scalar) = &self.content { Some(scalar) } else { None }
    }

    /// The text of a scalar, whatever it means.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.as_scalar().map(|scalar| scalar.text.as_str())
    }

    /// What it is, for a message: "a list".
    #[must_use]
    pub fn described(&self) -> &'static str {
        match &self.content {
            Content::Sequence(_) => "a list",
            Content::Mapping(_) => "a mapping",
            Content::Scalar(scalar) if scalar.is_null() => "nothing",
            Content::Scalar(scalar) if scalar.as_bool().is_some() => "a boolean",
            Content::Scalar(scalar) if scalar.as_integer().is_some() || scalar.as_float().is_some() => "a number",
            Content::Scalar(_) => "a string",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Scalar {
        Scalar { text: text.to_owned(), plain: true }
    }

    #[test]
    fn scalars_mean_what_the_core_schema_says_except_numbers_with_a_leading_zero() {
        assert_eq!(plain("42").as_integer(), Some(42));
        assert_eq!(plain("-7").as_integer(), Some(-7));
        assert_eq!(plain("012345678901").as_integer(), None);
        assert_eq!(plain("1.5e3").as_float(), Some(1500.0));
        assert_eq!(plain("1.2.3").as_float(), None);
        assert_eq!(plain("2010-09-09").as_float(), None);
        assert_eq!(plain("yes").as_bool(), None);
        assert_eq!(plain("true").as_bool(), Some(true));
        assert_eq!(Scalar { text: "true".to_owned(), plain: false }.as_bool(), None);
        assert!(plain("~").is_null() && plain("").is_null());
    }
}

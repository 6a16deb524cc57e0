//! The value of a secret while it is in our hands: its fields, to be compared, added to and written.
//!
//! Nothing here can be shown or serialised, and what is held is wiped when it is dropped. The limit of that: copies that
//! the parser, the SDK and the operating system make on the way are not ours to wipe.
//!
//! What nobody changes stays as it was written, to the last digit of a number: a machine's number holds 17 of them, and an
//! order's id may have more.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Deserializer, Value};
use zeroize::{Zeroize as _, Zeroizing};

use crate::model::{Address, Fingerprint, FingerprintKey, Redacted};

/// The largest value (AWS: *Secrets Manager quotas*): 65,536 bytes.
pub const VALUE_MAX: usize = 65_536;

/// The fields of a value. A value that is no JSON object is one field without a name.
pub struct SecretFields(Content);

enum Content {
    Object {
        /// Each field as its JSON was written.
        fields: BTreeMap<String, Zeroizing<String>>,
        /// All of it: what is changed is changed in this text, so that the rest of it stays.
        whole: Redacted,
    },
    Text(Redacted),
}

impl SecretFields {
    /// No fields yet.
    #[must_use]
    pub fn none() -> Self {
        Self(Content::Object { fields: BTreeMap::new(), whole: Redacted::new("{}".to_owned()) })
    }

    /// The fields of a value.
    #[must_use]
    pub fn of(value: &Redacted) -> Self {
        // The parser's error quotes what it read: it is dropped here, unseen. It also knows how deep is too deep, which
        // whoever skips values does not.
        let is_object = match serde_json::from_str::<Value>(value.expose()) {
            Ok(mut parsed) => {
                wipe(&mut parsed);
                parsed.is_object()
            }
            Err(_) => false,
        };
        let members = is_object.then(|| members(value.expose())).flatten();
        let Some(members) = members else { return Self(Content::Text(value.clone())) };
        let fields = members.into_iter().map(|one| (one.name, Zeroizing::new(one.value.to_owned()))).collect();
        Self(Content::Object { fields, whole: value.clone() })
    }

    /// It is a JSON object, to which fields can be added.
    #[must_use]
    pub fn is_object(&self) -> bool {
        matches!(self.0, Content::Object { .. })
    }

    /// The names of its fields. A field that is `null` counts as missing.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        match &self.0 {
            Content::Object { fields, .. } => {
                fields.iter().filter(|(_, value)| !is_null(value)).map(|(name, _)| name.clone()).collect()
            }
            Content::Text(_) => BTreeSet::from([String::new()]),
        }
    }

    /// A fingerprint of each field, bound to the secret and the field: equal values elsewhere have others. The order of
    /// keys, blanks and the way a character is escaped do not count; the digits of a number do.
    #[must_use]
    pub fn fingerprints(&self, key: &FingerprintKey, address: &Address) -> BTreeMap<String, Fingerprint> {
        let secret = address.to_string();
        match &self.0 {
            Content::Object { fields, .. } => fields
                .iter()
                .filter(|(_, value)| !is_null(value))
                .map(|(name, value)| {
                    let text = canonical(value);
                    (name.clone(), key.fingerprint_of(&[&secret, name, &text]))
                })
                .collect(),
            Content::Text(text) => BTreeMap::from([(String::new(), key.fingerprint_of(&[&secret, "", text.expose()]))]),
        }
    }

    /// Sets a field, in the place that it has or after all others. Does nothing to a value that has no fields.
    pub fn set(&mut self, name: &str, value: &Redacted) {
        if let Content::Object { fields, whole } = &mut self.0 {
            let mut text = Buffer::new();
            text.json(&value.expose());
            if let Some(edited) = edited(whole.expose(), name, text.as_str()) {
                *whole = edited;
                fields.insert(name.to_owned(), Zeroizing::new(text.as_str().to_owned()));
            }
        }
    }

    /// The value as it is stored: as it was written, but for the fields that were set.
    #[must_use]
    pub fn write(&self) -> Redacted {
        match &self.0 {
            Content::Text(text) | Content::Object { whole: text, .. } => text.clone(),
        }
    }
}

impl fmt::Debug for SecretFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

fn is_null(value: &str) -> bool {
    value == "null"
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.iter_mut().for_each(|(_, value)| wipe(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Text that is wiped, with room enough that it is never moved while it grows.
struct Buffer(Zeroizing<Vec<u8>>);

impl Buffer {
    fn new() -> Self {
        // Escapes make a text at most six times as long.
        Self(Zeroizing::new(Vec::with_capacity(VALUE_MAX * 6)))
    }

    fn push(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn json(&mut self, value: &impl serde::Serialize) {
        // Writing strings to memory cannot fail.
        let _ = serde_json::to_writer(&mut *self.0, value);
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// A member of an object as it is written.
struct Member<'t> {
    name: String,
    value: &'t str,
    /// The bytes at which its key begins and ends, and its value begins and ends.
    key: (usize, usize),
    place: (usize, usize),
    /// Where what stands before its key begins: after the `{` or the comma.
    gap: usize,
}

/// The members of an object in their order. The text is known to be JSON.
fn members(text: &str) -> Option<Vec<Member<'_>>> {
    let at = |rest: &str| text.len() - rest.len();
    let mut rest = text.trim_start().strip_prefix('{')?;
    let mut gap = at(rest);
    rest = rest.trim_start();
    let mut members = Vec::new();
    while !rest.starts_with('}') {
        let from = at(rest);
        let (name, written) = next::<String>(&mut rest)?;
        let key = (from, from + written.len());
        rest = rest.strip_prefix(':')?.trim_start();
        let from = at(rest);
        let (_, value) = next::<IgnoredAny>(&mut rest)?;
        members.push(Member { name, value, key, place: (from, from + value.len()), gap });
        rest = rest.strip_prefix(',').unwrap_or(rest);
        gap = at(rest);
        rest = rest.trim_start();
    }
    Some(members)
}

/// The text of an object with one more field, or with another value of one: of two of the same name, the last counts.
/// Another field is written as the one before it is.
fn edited(text: &str, name: &str, value: &str) -> Option<Redacted> {
    let members = members(text)?;
    let mut edited = Buffer::new();
    let end = match (members.iter().rfind(|member| member.name == name), members.last()) {
        (Some(known), _) => {
            edited.push(text.get(..known.place.0)?);
            known.place.1
        }
        (None, Some(last)) => {
            edited.push(text.get(..last.place.1)?);
            edited.push(",");
            edited.push(text.get(last.gap..last.key.0)?);
            edited.json(&name);
            edited.push(text.get(last.key.1..last.place.0)?);
            last.place.1
        }
        (None, None) => {
            let after = text.find('{')? + 1;
            edited.push(text.get(..after)?);
            edited.json(&name);
            edited.push(":");
            after
        }
    };
    edited.push(value);
    edited.push(text.get(end..)?);
    Some(Redacted::new(edited.as_str().to_owned()))
}

/// The items of an array as they are written.
fn items(text: &str) -> Option<Vec<&str>> {
    let mut rest = text.trim().strip_prefix('[')?.trim_start();
    let mut items = Vec::new();
    while !rest.starts_with(']') {
        items.push(next::<IgnoredAny>(&mut rest)?.1);
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    Some(items)
}

/// The value that `rest` begins with, read and as it is written; what follows it, without blanks, is left.
fn next<'t, T: DeserializeOwned>(rest: &mut &'t str) -> Option<(T, &'t str)> {
    let mut values = Deserializer::from_str(rest).into_iter::<T>();
    let value = values.next()?.ok()?;
    let (written, left) = rest.split_at_checked(values.byte_offset())?;
    *rest = left.trim_start();
    Some((value, written.trim()))
}

/// JSON with the keys of every object in order and without blanks.
fn canonical(value: &str) -> Zeroizing<String> {
    let mut text = Buffer::new();
    write_value(value, &mut text);
    Zeroizing::new(text.as_str().to_owned())
}

fn write_value(value: &str, text: &mut Buffer) {
    match value.as_bytes().first() {
        Some(b'{') => {
            let members = members(value).unwrap_or_default();
            let fields: BTreeMap<&str, &str> = members.iter().map(|one| (one.name.as_str(), one.value)).collect();
            write_fields(fields.into_iter(), text);
        }
        Some(b'[') => {
            text.push("[");
            for (at, item) in items(value).unwrap_or_default().into_iter().enumerate() {
                if at > 0 {
                    text.push(",");
                }
                write_value(item, text);
            }
            text.push("]");
        }
        Some(b'"') => {
            let decoded: Zeroizing<String> = Zeroizing::new(serde_json::from_str(value).unwrap_or_default());
            text.json(&decoded.as_str());
        }
        // A number is what it is written as; `true`, `false` and `null` are written in one way.
        _ => text.push(value),
    }
}

fn write_fields<'f>(fields: impl Iterator<Item = (&'f str, &'f str)>, text: &mut Buffer) {
    text.push("{");
    for (at, (name, value)) in fields.enumerate() {
        if at > 0 {
            text.push(",");
        }
        text.json(&name);
        text.push(":");
        write_value(value, text);
    }
    text.push("}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(name: &str) -> Address {
        let scope =
            crate::model::Scope { account: "111122223333".parse().unwrap(), region: "eu-central-1".parse().unwrap() };
        Address { scope, name: name.into() }
    }

    fn fields(text: &str) -> SecretFields {
        SecretFields::of(&Redacted::new(text.to_owned()))
    }

    #[test]
    fn order_blanks_and_nulls_do_not_count() {
        let key = FingerprintKey::new([1; 32]);
        let one = fields(r#"{"b": {"y": 1, "x": [2]}, "a": "s", "none": null}"#);
        let two = fields(r#"{"a":"s","b":{"x":[2],"y":1}}"#);
        assert_eq!(one.fingerprints(&key, &address("s")), two.fingerprints(&key, &address("s")));
        assert_ne!(one.fingerprints(&key, &address("s")), two.fingerprints(&key, &address("other")));
        assert_eq!(two.write().expose(), r#"{"a":"s","b":{"x":[2],"y":1}}"#);
    }

    #[test]
    fn a_number_is_what_was_written() {
        let text = r#"{"zone":"b", "order_id":12345678901234567890123,"rate":0.1234567890123456789,"price":1.10}"#;
        let mut value = fields(text);
        assert_eq!(value.write().expose(), text);
        value.set("new", &Redacted::new("x\"y".to_owned()));
        let expected = text.replace("1.10}", "1.10,\"new\":\"x\\\"y\"}");
        assert_eq!(value.write().expose(), &expected);
        let key = FingerprintKey::new([1; 32]);
        let of = |text: &str| fields(text).fingerprints(&key, &address("s"));
        assert_ne!(of(r#"{"a":{"id":12345678901234567890123}}"#), of(r#"{"a":{"id":12345678901234567890124}}"#));
        assert_eq!(of(r#"{"a":["\u0041", {"y":1,"x":2}]}"#), of(r#"{"a":["A",{"x":2,"y":1}]}"#));
    }

    #[test]
    fn what_is_set_changes_nothing_else() {
        for (text, expected) in [
            ("{}", r#"{"k":"v"}"#),
            ("{ }\n", "{\"k\":\"v\" }\n"),
            (r#"{"z":1,"a":2}"#, r#"{"z":1,"a":2,"k":"v"}"#),
            (r#"{"k": "old", "a": 1e300}"#, r#"{"k": "v", "a": 1e300}"#),
            (r#"{"a": [1, 2.50], "k" : null }"#, r#"{"a": [1, 2.50], "k" : "v" }"#),
            (r#"{"k":1,"k":2}"#, r#"{"k":1,"k":"v"}"#),
            (r#"{"\u006b":"old"}"#, r#"{"\u006b":"v"}"#),
            (r#"{"url":"http:\/\/a","e":"\u00e9","n":-0.0}"#, r#"{"url":"http:\/\/a","e":"\u00e9","n":-0.0,"k":"v"}"#),
            (
                "{\n  \"b\": 1.10,\n  \"a\": {\"x\" : 2}\n}\n",
                "{\n  \"b\": 1.10,\n  \"a\": {\"x\" : 2},\n  \"k\": \"v\"\n}\n",
            ),
        ] {
            let mut value = fields(text);
            assert_eq!(value.write().expose(), text);
            value.set("k", &Redacted::new("v".to_owned()));
            assert_eq!(value.write().expose(), expected);
            assert!(value.names().contains("k"), "{text}");
        }
    }

    #[test]
    fn what_is_nested_too_deeply_is_a_text() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(30_000), "]".repeat(30_000));
        assert_eq!(fields(&deep).names(), BTreeSet::from([String::new()]));
    }

    #[test]
    fn what_is_no_object_is_one_field_without_a_name() {
        for text in ["plain", "7", r#"["a"]"#, "{broken"] {
            let fields = fields(text);
            assert_eq!(fields.names(), BTreeSet::from([String::new()]));
            assert_eq!(fields.write().expose(), text);
        }
    }

    #[test]
    fn a_value_shows_itself_nowhere() {
        let mut fields = fields(r#"{"password": "canary"}"#);
        fields.set("token", &Redacted::new("canary".to_owned()));
        let prints = fields.fingerprints(&FingerprintKey::new([1; 32]), &address("s"));
        assert!(!format!("{fields:?} {prints:?}").contains("canary"));
        assert_eq!(fields.names().len(), 2);
    }
}

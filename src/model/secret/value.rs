//! The value of a secret while it is in our hands: its fields, to be compared, added to and written.
//!
//! Nothing here can be shown or serialised, and what is held is wiped when it is dropped. The limit of that: copies that
//! the parser, the SDK and the operating system make on the way are not ours to wipe.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};
use zeroize::{Zeroize as _, Zeroizing};

use crate::model::{Address, Fingerprint, FingerprintKey, Redacted};

/// The largest value (AWS: *Secrets Manager quotas*): 65,536 bytes.
pub const VALUE_MAX: usize = 65_536;

/// The fields of a value. A value that is no JSON object is one field without a name.
pub struct SecretFields(Content);

enum Content {
    Object(Map<String, Value>),
    Text(Redacted),
}

impl SecretFields {
    /// No fields yet.
    #[must_use]
    pub fn none() -> Self {
        Self(Content::Object(Map::new()))
    }

    /// The fields of a value.
    #[must_use]
    pub fn of(value: &Redacted) -> Self {
        // The parser's error quotes what it read: it is dropped here, unseen.
        match serde_json::from_str::<Value>(value.expose()) {
            Ok(Value::Object(fields)) => Self(Content::Object(fields)),
            Ok(mut other) => {
                wipe(&mut other);
                Self(Content::Text(value.clone()))
            }
            Err(_) => Self(Content::Text(value.clone())),
        }
    }

    /// It is a JSON object, to which fields can be added.
    #[must_use]
    pub fn is_object(&self) -> bool {
        matches!(self.0, Content::Object(_))
    }

    /// The names of its fields. A field that is `null` counts as missing.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        match &self.0 {
            Content::Object(fields) => {
                fields.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name.clone()).collect()
            }
            Content::Text(_) => BTreeSet::from([String::new()]),
        }
    }

    /// A fingerprint of each field, bound to the secret and the field: equal values elsewhere have others.
    #[must_use]
    pub fn fingerprints(&self, key: &FingerprintKey, address: &Address) -> BTreeMap<String, Fingerprint> {
        let secret = address.to_string();
        match &self.0 {
            Content::Object(fields) => fields
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| {
                    let text = canonical(value);
                    (name.clone(), key.fingerprint_of(&[&secret, name, &text]))
                })
                .collect(),
            Content::Text(text) => BTreeMap::from([(String::new(), key.fingerprint_of(&[&secret, "", text.expose()]))]),
        }
    }

    /// Sets a field. Does nothing to a value that has no fields.
    pub fn set(&mut self, name: &str, value: &Redacted) {
        if let Content::Object(fields) = &mut self.0
            && let Some(mut before) = fields.insert(name.to_owned(), Value::String(value.expose().to_owned()))
        {
            wipe(&mut before);
        }
    }

    /// The value as it is stored: a JSON object with its keys in order, or the text.
    #[must_use]
    pub fn write(&self) -> Redacted {
        match &self.0 {
            Content::Text(text) => text.clone(),
            Content::Object(fields) => {
                let mut text = Buffer::new();
                write_object(fields, &mut text);
                text.into_redacted()
            }
        }
    }
}

impl fmt::Debug for SecretFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

impl Drop for SecretFields {
    fn drop(&mut self) {
        if let Content::Object(fields) = &mut self.0 {
            fields.iter_mut().for_each(|(_, value)| wipe(value));
        }
    }
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
        // Writing strings and numbers to memory cannot fail.
        let _ = serde_json::to_writer(&mut *self.0, value);
    }

    fn into_redacted(self) -> Redacted {
        Redacted::new(std::str::from_utf8(&self.0).unwrap_or_default().to_owned())
    }
}

/// JSON with the keys of every object in order.
fn canonical(value: &Value) -> Zeroizing<String> {
    let mut text = Buffer::new();
    write_value(value, &mut text);
    Zeroizing::new(std::str::from_utf8(&text.0).unwrap_or_default().to_owned())
}

fn write_value(value: &Value, text: &mut Buffer) {
    match value {
        Value::Object(fields) => write_object(fields, text),
        Value::Array(items) => {
            text.push("[");
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(",");
                }
                write_value(item, text);
            }
            text.push("]");
        }
        simple => text.json(simple),
    }
}

fn write_object(fields: &Map<String, Value>, text: &mut Buffer) {
    let sorted: BTreeMap<&String, &Value> = fields.iter().collect();
    text.push("{");
    for (at, (name, value)) in sorted.into_iter().enumerate() {
        if at > 0 {
            text.push(",");
        }
        text.json(name);
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
        Address { scope, name: name.to_owned() }
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

//! Items on the wire, and as little of them as can be told: a key that is sent back, and a digest.
//!
//! Nothing here ends up in an error or a log. Sets have no order and numbers many forms (`1.0` is `1`), so that both are
//! written in one before they are digested.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue as Value;
use aws_smithy_types::base64;
use serde_json::{Value as Json, json};

use crate::model::{Digest, Item, ItemKey, Redacted, TableKey};
use crate::ports::{Class, PortError};

/// An item's attributes.
pub(super) type Attributes = HashMap<String, Value>;

/// Why an item was not understood: never which, or what is in it.
pub(super) fn unreadable(operation: &'static str) -> PortError {
    PortError::new(Class::Transient, operation, "the response could not be read: an item does not match its table")
}

/// An item: its key, and a digest of all of it.
pub(super) fn item(key: &[&str], attributes: &Attributes) -> Option<Item> {
    let of_key = key.iter().map(|name| {
        let value = canonical(attributes.get(*name)?)?;
        Some(((*name).to_owned(), Redacted::new(value.to_string())))
    });
    let content: Option<BTreeMap<&String, Json>> =
        attributes.iter().map(|(name, value)| Some((name, canonical(value)?))).collect();
    Some(Item { key: ItemKey::new(of_key.collect::<Option<_>>()?), content: Digest::of(&content?) })
}

/// The names of a key's attributes.
pub(super) fn names(key: &TableKey) -> Vec<&str> {
    std::iter::once(&key.partition.0).chain(key.sort.as_ref().map(|(name, _)| name)).map(String::as_str).collect()
}

/// A key as a request carries it.
pub(super) fn sent(key: &ItemKey) -> Option<Attributes> {
    let each = key.expose().iter().map(|(name, value)| {
        let value: Json = serde_json::from_str(value.expose()).ok()?;
        let (kind, text) = value.as_object()?.iter().next()?;
        let text = text.as_str()?;
        let value = match kind.as_str() {
            "S" => Value::S(text.to_owned()),
            "N" => Value::N(text.to_owned()),
            "B" => Value::B(Blob::new(base64::decode(text).ok()?)),
            _ => return None,
        };
        Some((name.clone(), value))
    });
    each.collect()
}

/// A key as AWS sends it back.
pub(super) fn returned(attributes: &Attributes) -> Option<ItemKey> {
    let each = attributes.iter().map(|(name, value)| {
        let value = canonical(value)?;
        Some((name.clone(), Redacted::new(value.to_string())))
    });
    Some(ItemKey::new(each.collect::<Option<_>>()?))
}

/// A value in AWS's JSON, in one form of the many that are equal; `None` if it is of a type that we do not know.
fn canonical(value: &Value) -> Option<Json> {
    fn sorted(mut texts: Vec<String>) -> Vec<String> {
        texts.sort();
        texts
    }
    Some(match value {
        Value::S(text) => json!({ "S": text }),
        Value::N(number) => json!({ "N": number_of(number) }),
        Value::B(bytes) => json!({ "B": base64::encode(bytes) }),
        Value::Bool(truth) => json!({ "BOOL": truth }),
        Value::Null(_) => json!({ "NULL": true }),
        Value::Ss(texts) => json!({ "SS": sorted(texts.clone()) }),
        Value::Ns(numbers) => json!({ "NS": sorted(numbers.iter().map(|number| number_of(number)).collect()) }),
        Value::Bs(all) => json!({ "BS": sorted(all.iter().map(base64::encode).collect()) }),
        Value::L(values) => json!({ "L": values.iter().map(canonical).collect::<Option<Vec<_>>>()? }),
        Value::M(map) => {
            let map: BTreeMap<&String, Json> =
                map.iter().map(|(name, value)| Some((name, canonical(value)?))).collect::<Option<_>>()?;
            json!({ "M": map })
        }
        _ => return None,
    })
}

/// A decimal number in one form: its digits without noughts at either end, and the power of ten. `12.50` is `125e-1`. Numbers
/// have up to 38 digits (AWS: *Naming rules and data types*), more than any of the machine's.
fn number_of(text: &str) -> String {
    let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let Ok(power) = power.trim_start_matches('+').parse::<i64>() else { return text.to_owned() };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa.trim_start_matches('+')),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return text.to_owned();
    }
    let digits = digits.trim_start_matches('0');
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return "0".to_owned();
    }
    let length = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
    let power = power - length(fraction) + length(digits) - length(significant);
    if power == 0 { format!("{sign}{significant}") } else { format!("{sign}{significant}e{power}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: Value) -> Item {
        item(&["id"], &HashMap::from([("id".to_owned(), Value::S("a".to_owned())), ("v".to_owned(), value)])).unwrap()
    }

    #[test]
    fn equal_numbers_have_one_form() {
        for (same, form) in [
            (&["1", "1.0", "+1", "01", "1e0", "10e-1", "0.1E1"][..], "1"),
            (&["0", "-0", "0.000", "0e9"], "0"),
            (&["12.50", "1.25e1", "1250e-2"], "125e-1"),
            (&["-300", "-3E+2"], "-3e2"),
            (&["12345678901234567890123456789012345678"], "12345678901234567890123456789012345678"),
        ] {
            for text in same {
                assert_eq!(number_of(text), form, "{text}");
            }
        }
        assert_ne!(number_of("1"), number_of("10"));
    }

    #[test]
    fn what_is_equal_has_one_digest_and_what_is_not_another() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(of(Value::Ss(texts(&["x", "y"]))), of(Value::Ss(texts(&["y", "x"]))));
        assert_eq!(of(Value::Ns(texts(&["1.0", "2"]))), of(Value::Ns(texts(&["2", "1"]))));
        assert_eq!(of(Value::N("1.50".into())), of(Value::N("1.5".into())));
        assert_ne!(of(Value::S("1".into())), of(Value::N("1".into())));
        assert_ne!(of(Value::Ss(texts(&["x"]))), of(Value::L(vec![Value::S("x".into())])));
        let nested =
            |number: &str| Value::M(HashMap::from([("a".to_owned(), Value::L(vec![Value::N(number.to_owned())]))]));
        assert_eq!(of(nested("1.0")), of(nested("1")));
        assert_ne!(of(nested("1")), of(nested("2")));
    }

    #[test]
    fn a_key_is_sent_as_it_was_read() {
        let attributes: Attributes = HashMap::from([
            ("id".to_owned(), Value::S("a".to_owned())),
            ("no".to_owned(), Value::N("7".to_owned())),
            ("raw".to_owned(), Value::B(Blob::new([1, 2, 255]))),
        ]);
        let key = returned(&attributes).unwrap();
        assert_eq!(sent(&key), Some(attributes));
        assert_eq!(item(&["gone"], &HashMap::new()), None);
    }
}

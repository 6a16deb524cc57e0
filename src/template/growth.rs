//! How large a template may become when its values are filled in: a text within `Fn::Sub` that repeats its variables, whose
//! texts repeat theirs, doubles with every level. Counted before anything is filled in, and never less than what is made.

use std::collections::BTreeMap;

use serde_json::Value;

use super::canonical::intrinsic;
use super::export::{Piece, pieces, substitution};

/// What grows to more than this is not evaluated: 64 times the largest template that `CloudFormation` takes.
const MOST: usize = 67_108_864;

/// What an expression takes beside what is in it, and no pseudo parameter is longer than: a stack's name has at most 128
/// characters.
const FRAME: usize = 128;

/// Whether a template grows beyond reason, where the values of its parameters are of these lengths.
pub(super) fn bursts(root: &Value, lengths: &BTreeMap<&str, usize>) -> bool {
    let leaves = |maps: &Value| {
        let maps = maps.as_object().into_iter().flat_map(serde_json::Map::values);
        let keys = maps.filter_map(Value::as_object).flat_map(serde_json::Map::values).filter_map(Value::as_object);
        let plain = Growth { lengths, mapped: 0 };
        keys.flat_map(serde_json::Map::values).map(|leaf| plain.of(leaf)).max().unwrap_or_default()
    };
    let growth = Growth { lengths, mapped: root.get("Mappings").map(leaves).unwrap_or_default() };
    let sections = ["Conditions", "Resources"].into_iter().filter_map(|name| root.get(name));
    sections.fold(0, |sum: usize, section| sum.saturating_add(growth.of(section))) > MOST
}

struct Growth<'a> {
    /// How long the values of parameters are.
    lengths: &'a BTreeMap<&'a str, usize>,
    /// The largest value in a mapping.
    mapped: usize,
}

impl Growth<'_> {
    fn of(&self, value: &Value) -> usize {
        let whole = |items: &mut dyn Iterator<Item = usize>| items.fold(FRAME, usize::saturating_add);
        match intrinsic(value) {
            Some(("Ref", Value::String(name))) => return self.referred(name),
            // A computed name may be that of any parameter.
            Some(("Ref", computed)) => {
                let longest = self.lengths.values().copied().max().unwrap_or_default();
                return self.of(computed).saturating_add(longest);
            }
            Some(("Fn::Sub", argument)) => {
                if let Some(size) = self.substituted(argument) {
                    return size;
                }
            }
            Some(("Fn::Join", argument)) => return self.of(argument).saturating_add(self.separators(argument)),
            Some(("Fn::FindInMap", argument)) => return self.mapped.saturating_add(self.of(argument)),
            _ => {}
        }
        match value {
            Value::String(text) => text.len().saturating_add(FRAME),
            Value::Array(items) => whole(&mut items.iter().map(|item| self.of(item))),
            Value::Object(entries) => {
                whole(&mut entries.iter().map(|(key, item)| self.of(item).saturating_add(key.len())))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => FRAME,
        }
    }

    /// The value of a parameter, or an expression that names what it is not known of.
    fn referred(&self, name: &str) -> usize {
        self.lengths.get(name).copied().unwrap_or_default().max(name.len()).saturating_add(FRAME)
    }

    /// The separators of a list, which has at most as many items as it has bytes.
    fn separators(&self, argument: &Value) -> usize {
        let [separator, items] = argument.as_array().map(Vec::as_slice).unwrap_or_default() else { return 0 };
        let items = items.as_array().map_or_else(|| self.of(items), Vec::len);
        separator.as_str().map_or(0, str::len).saturating_mul(items)
    }

    fn substituted(&self, argument: &Value) -> Option<usize> {
        let (text, variables) = substitution(argument)?;
        let variables: BTreeMap<&str, usize> =
            variables.into_iter().flatten().map(|(name, value)| (name.as_str(), self.of(value))).collect();
        let of = |piece: Piece<'_>| match piece {
            Piece::Text(text) => text.len(),
            Piece::Name(name) => match variables.get(name) {
                Some(size) => *size,
                None => self.referred(name),
            },
        };
        // Each variable is evaluated once, whether it is used or not.
        let once = variables.values().fold(FRAME, |sum, size| sum.saturating_add(*size));
        Some(pieces(text).map(of).fold(once, usize::saturating_add))
    }
}

//! Items of a table: whose content is somebody's data, and nothing of ours to show.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::{Digest, Redacted};

/// The key of an item: its one or two attributes with their values, in AWS's JSON (`{"S":"…"}`). Told apart and sent
/// back, and never shown.
#[derive(Clone)]
pub struct ItemKey(BTreeMap<String, Redacted>);

impl ItemKey {
    /// These attributes, each with its value in AWS's JSON.
    #[must_use]
    pub fn new(attributes: BTreeMap<String, Redacted>) -> Self {
        Self(attributes)
    }

    /// The attributes: for the request that carries them, nowhere else.
    #[must_use]
    pub fn expose(&self) -> &BTreeMap<String, Redacted> {
        &self.0
    }

    fn compared(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.expose()))
    }
}

impl PartialEq for ItemKey {
    fn eq(&self, other: &Self) -> bool {
        self.compared().eq(other.compared())
    }
}

impl Eq for ItemKey {}

impl PartialOrd for ItemKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ItemKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.compared().cmp(other.compared())
    }
}

impl fmt::Debug for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<key>")
    }
}

/// One item: which, and a digest of what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its key.
    pub key: ItemKey,
    /// Of all its attributes: sets in order, numbers in one form.
    pub content: Digest,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_told_from_others_and_not_shown() {
        let key = |value: &str| {
            let value = Redacted::new(format!(r#"{{"S":"{value}"}}"#));
            ItemKey::new(BTreeMap::from([("id".to_owned(), value)]))
        };
        assert_eq!(key("canary"), key("canary"));
        assert_ne!(key("canary"), key("other"));
        let item = Item { key: key("canary"), content: Digest::of("x") };
        assert!(!format!("{item:?}").contains("canary"));
    }
}

//! A map with a few entries.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut, Index};

use litemap::LiteMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A map by name that mostly has one entry or none, as parameters, tags and outputs of a stack do. A [`BTreeMap`] sets aside
/// room for eleven with the first, half a kilobyte or more: with thousands of stacks, most of their memory. Like one, it is
/// in the order of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmallMap<V>(LiteMap<String, V>);

impl<V> SmallMap<V> {
    /// Without an entry.
    #[must_use]
    pub const fn new() -> Self {
        Self(LiteMap::new_vec())
    }
}

impl<V> Default for SmallMap<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> Deref for SmallMap<V> {
    type Target = LiteMap<String, V>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<V> DerefMut for SmallMap<V> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<V> FromIterator<(String, V)> for SmallMap<V> {
    /// Of a key that comes twice the last value stays, as with a [`BTreeMap`].
    fn from_iter<I: IntoIterator<Item = (String, V)>>(entries: I) -> Self {
        // No more room than they take.
        let entries: Vec<(String, V)> = entries.into_iter().collect();
        let mut map = LiteMap::with_capacity(entries.len());
        map.extend(entries);
        Self(map)
    }
}

impl<V, const N: usize> From<[(String, V); N]> for SmallMap<V> {
    fn from(entries: [(String, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<V> From<BTreeMap<String, V>> for SmallMap<V> {
    fn from(map: BTreeMap<String, V>) -> Self {
        map.into_iter().collect()
    }
}

impl<V> IntoIterator for SmallMap<V> {
    type Item = (String, V);
    type IntoIter = <LiteMap<String, V> as IntoIterator>::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, V> IntoIterator for &'a SmallMap<V> {
    type Item = (&'a String, &'a V);
    type IntoIter = <&'a LiteMap<String, V> as IntoIterator>::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        (&self.0).into_iter()
    }
}

impl<V> Index<&str> for SmallMap<V> {
    type Output = V;

    #[expect(clippy::panic, reason = "as with every map")]
    fn index(&self, key: &str) -> &V {
        self.0.get(key).unwrap_or_else(|| panic!("no entry found for key {key}"))
    }
}

/// Always as a map: a [`LiteMap`] without an entry would be written as a list.
impl<V: Serialize> Serialize for SmallMap<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for SmallMap<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_read_and_ordered_like_any_other_map() {
        let entries = [("b", 1), ("a", 2), ("b", 3)].map(|(key, value)| (key.to_owned(), value));
        let (small, tree) = (SmallMap::from(entries.clone()), BTreeMap::from(entries));
        assert!(small.iter().eq(tree.iter()));
        for (small, tree) in [(small, tree), (SmallMap::new(), BTreeMap::new())] {
            let text = serde_json::to_string(&small).unwrap();
            assert_eq!(text, serde_json::to_string(&tree).unwrap());
            assert_eq!(serde_json::from_str::<SmallMap<i32>>(&text).unwrap(), small);
        }
    }
}

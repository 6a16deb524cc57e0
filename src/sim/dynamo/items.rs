//! Items, each with what it was before: as long as any table can be restored to a moment.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::model::{Digest, Item, ItemKey, Redacted, TableKey};

/// An item: its attributes in AWS's JSON.
pub(in crate::sim) type Attributes = BTreeMap<String, Json>;

/// The longest that point-in-time recovery goes back.
const WINDOW: SignedDuration = SignedDuration::from_hours(35 * 24);

/// Items by key; each with its versions, oldest first. `None`: it was deleted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::sim) struct Items(BTreeMap<String, Vec<(Timestamp, Option<Attributes>)>>);

impl Items {
    /// Writes an item. False, if it lacks the table's key.
    pub(super) fn put(&mut self, key: &TableKey, attributes: Attributes, at: Timestamp) -> bool {
        let Some(id) = id_of(key, &attributes) else { return false };
        self.write(id, Some(attributes), at);
        true
    }

    /// Deletes an item.
    pub(super) fn delete(&mut self, key: &TableKey, attributes: &Attributes, at: Timestamp) -> bool {
        let Some(id) = id_of(key, attributes) else { return false };
        self.write(id, None, at);
        true
    }

    fn write(&mut self, id: String, value: Option<Attributes>, at: Timestamp) {
        let versions = self.0.entry(id).or_default();
        let forgotten = at.saturating_sub(WINDOW).unwrap_or(Timestamp::MIN);
        // The one that was there when the window opens is still asked for.
        let first = versions.iter().rposition(|(since, _)| *since <= forgotten).unwrap_or_default();
        versions.drain(..first);
        versions.push((at, value));
    }

    /// What there was then, by key.
    pub(super) fn at(&self, then: Timestamp) -> impl Iterator<Item = (&String, &Attributes)> {
        self.0.iter().filter_map(move |(id, versions)| {
            let (_, value) = versions.iter().rev().find(|(since, _)| *since <= then)?;
            Some((id, value.as_ref()?))
        })
    }

    /// What there was then.
    pub(in crate::sim) fn all(&self, then: Timestamp) -> Vec<Attributes> {
        self.at(then).map(|(_, attributes)| attributes.clone()).collect()
    }

    /// How many there were then, and their bytes.
    pub(super) fn size(&self, then: Timestamp) -> (u64, u64) {
        self.at(then).fold((0, 0), |(count, bytes), (_, attributes)| {
            let text = serde_json::to_string(attributes).unwrap_or_default();
            (count + 1, bytes + text.len() as u64)
        })
    }

    /// The item of that key, now.
    pub(super) fn get(&self, key: &ItemKey, now: Timestamp) -> Option<&Attributes> {
        let versions = self.0.get(&id_of_key(key))?;
        versions.iter().rev().find(|(since, _)| *since <= now)?.1.as_ref()
    }
}

/// A key, as text.
pub(super) fn id_of_key(key: &ItemKey) -> String {
    let plain: Attributes = key
        .expose()
        .iter()
        .map(|(name, value)| (name.clone(), serde_json::from_str(value.expose()).unwrap_or_default()))
        .collect();
    serde_json::to_string(&plain).unwrap_or_default()
}

/// The names of a key's attributes.
fn names(key: &TableKey) -> impl Iterator<Item = &String> {
    std::iter::once(&key.partition.0).chain(key.sort.as_ref().map(|(name, _)| name))
}

/// The key of an item, as text.
fn id_of(key: &TableKey, attributes: &Attributes) -> Option<String> {
    let mut found = Attributes::new();
    for name in names(key) {
        found.insert(name.clone(), attributes.get(name)?.clone());
    }
    serde_json::to_string(&found).ok()
}

/// As the port tells of it.
pub(super) fn told(key: &TableKey, attributes: &Attributes) -> Item {
    let of_key = names(key).filter_map(|name| {
        let value = attributes.get(name)?;
        Some((name.clone(), Redacted::new(value.to_string())))
    });
    let sorted: BTreeMap<&String, Json> = attributes.iter().map(|(name, value)| (name, ordered(value))).collect();
    Item { key: ItemKey::new(of_key.collect()), content: Digest::of(&sorted) }
}

/// The same with sets in order: they have none.
fn ordered(value: &Json) -> Json {
    match value {
        Json::Object(map) => Json::Object(
            map.iter()
                .map(|(sort, inner)| {
                    let mut inner = ordered(inner);
                    if let (true, Json::Array(values)) = (matches!(sort.as_str(), "SS" | "NS" | "BS"), &mut inner) {
                        values.sort_by_key(ToString::to_string);
                    }
                    (sort.clone(), inner)
                })
                .collect(),
        ),
        Json::Array(values) => Json::Array(values.iter().map(ordered).collect()),
        plain => plain.clone(),
    }
}

/// Which of so many segments an item is scanned in, and its place there: in an order that is no order of the keys.
pub(super) fn place(id: &str, of: u32) -> (u32, Digest) {
    let digest = Digest::of(id);
    let number = u32::from_str_radix(digest.as_str().get(..8).unwrap_or_default(), 16).unwrap_or_default();
    (number % of.max(1), digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::KeyType;

    fn key() -> TableKey {
        TableKey { partition: ("id".to_owned(), KeyType::Text), sort: None }
    }

    fn item(id: &str, value: &str) -> Attributes {
        serde_json::from_str(&format!(r#"{{"id":{{"S":"{id}"}},"v":{value}}}"#)).unwrap()
    }

    #[test]
    fn what_was_there_at_a_moment_is_known_for_as_long_as_it_can_be_restored() {
        let at = |days: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * days);
        let mut items = Items::default();
        items.put(&key(), item("a", r#"{"N":"1"}"#), at(0));
        items.put(&key(), item("a", r#"{"N":"2"}"#), at(10));
        items.delete(&key(), &item("a", "{}"), at(20));
        let value = |when| items.at(when).map(|(_, found)| found["v"]["N"].as_str().unwrap().to_owned()).next();
        assert_eq!(value(at(5)).as_deref(), Some("1"));
        assert_eq!(value(at(10)).as_deref(), Some("2"));
        assert_eq!(value(at(20)), None);
        let mut items = items.clone();
        items.put(&key(), item("a", r#"{"N":"3"}"#), at(50));
        assert_eq!(items.at(at(16)).count(), 1, "35 days before the last of them it is still what it was");
    }

    #[test]
    fn the_order_of_a_set_is_no_difference() {
        let one = told(&key(), &item("a", r#"{"SS":["x","y"]}"#));
        assert_eq!(one, told(&key(), &item("a", r#"{"SS":["y","x"]}"#)));
        assert_ne!(one, told(&key(), &item("a", r#"{"L":[{"S":"x"},{"S":"y"}]}"#)));
    }
}

//! Whether a restored table is what it should be. Pure.
//!
//! The table that it is compared with has gone on since, so that some items differ is expected: how many may for each day
//! since, the manifest says. Keys and indexes have to be the same.

use std::collections::BTreeMap;

use crate::model::{Comparison, Digest, Item, ItemKey, TableIndex, TableKey, TableState};

/// Compares items of one table with those of the same keys in the other.
#[must_use]
pub fn compare_items(items: &[Item], others: &BTreeMap<ItemKey, Digest>) -> Comparison {
    let mut found = Comparison::default();
    for item in items {
        found.compared += 1;
        match others.get(&item.key) {
            None => found.missing += 1,
            Some(content) if *content == item.content => found.equal += 1,
            Some(_) => found.changed += 1,
        }
    }
    found
}

/// In which ways a table has not the key and the indexes that it should have.
pub(super) fn shape(key: &TableKey, indexes: &BTreeMap<String, TableIndex>, has: &TableState) -> Vec<String> {
    let mut differences = Vec::new();
    if has.key != *key {
        differences.push(format!("its key is {}; expected {key}", has.key));
    }
    for (name, index) in indexes {
        match has.indexes.get(name) {
            None => differences.push(format!("index {name} is missing")),
            Some(found) if found != index => differences.push(format!("its index {name} differs")),
            Some(_) => {}
        }
    }
    differences
}

/// Why it proves nothing, if it does not. `days` have begun since what was restored was so.
pub(super) fn verdict(compared: &Comparison, tolerance_milli: u32, days: u32) -> Option<String> {
    if let Some(first) = compared.shape.first() {
        return Some(first.clone());
    }
    if let Some(count) = compared.count.filter(|count| count.is_short(tolerance_milli)) {
        let now = count.source.unwrap_or_default();
        return Some(format!(
            "it has {} items; the original table had {} at the time of the backup and has {now} now",
            count.restored, count.recorded
        ));
    }
    let (differing, may) = (compared.differing_milli(), u64::from(tolerance_milli) * u64::from(days.max(1)));
    (differing > may).then(|| {
        let percent = |milli: u64| format!("{}.{} %", milli / 10, milli % 10);
        let since = if days > 1 { format!(" in {days} days") } else { String::new() };
        format!("{compared}; {} differ; the tolerance is {}{since}", percent(differing), percent(may))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ItemCount, Redacted};

    fn item(id: u32, content: &str) -> Item {
        let id = Redacted::new(format!(r#"{{"N":"{id}"}}"#));
        Item { key: ItemKey::new(BTreeMap::from([("id".to_owned(), id)])), content: Digest::of(content) }
    }

    #[test]
    fn items_are_told_apart_as_equal_changed_and_missing() {
        let restored: Vec<Item> = (0..10).map(|id| item(id, "a")).collect();
        let mut source: BTreeMap<_, _> = restored.iter().map(|one| (one.key.clone(), one.content.clone())).collect();
        assert_eq!(compare_items(&restored, &source).equal, 10);
        source.insert(item(3, "").key, Digest::of("b"));
        source.remove(&item(4, "").key);
        let compared = compare_items(&restored, &source);
        assert_eq!((compared.compared, compared.equal, compared.changed, compared.missing), (10, 8, 1, 1));
        assert_eq!(verdict(&compared, 200, 1), None);
        assert!(verdict(&compared, 199, 1).unwrap().contains("20.0 %"));
        // Twice as old, it may differ twice as much; and what was deleted since came back.
        assert_eq!((verdict(&compared, 100, 2), verdict(&compared, 99, 2).is_some()), (None, true));
        assert_eq!(verdict(&Comparison { gone: 1, missing: 0, ..compared }, 100, 1), None);
    }

    #[test]
    fn too_few_items_are_told_only_if_the_backup_and_the_table_say_so() {
        let counted = |restored, recorded, source| Comparison {
            count: Some(ItemCount { restored, recorded, source }),
            ..Comparison::default()
        };
        for (restored, recorded, source, short) in [
            (50, 1_000, Some(1_000), true),
            // Within what may differ.
            (950, 1_000, Some(1_000), false),
            // AWS counts every six hours: it was before most of them were deleted, and they are not there now either.
            (50, 1_000, Some(50), false),
            // It has grown since.
            (50, 50, Some(1_000), false),
            // Its table is gone, or has more than are counted.
            (50, 1_000, None, false),
        ] {
            let verdict = verdict(&counted(restored, recorded, source), 100, 1);
            assert_eq!(verdict.is_some(), short, "{restored} {recorded} {source:?}: {verdict:?}");
        }
    }

    #[test]
    fn a_table_without_items_is_like_another_without_items_and_like_no_other() {
        assert_eq!(verdict(&compare_items(&[], &BTreeMap::new()), 0, 1), None);
        // The samples of both are looked for in the other: those of the source are missing.
        let source = [item(1, "a")];
        assert!(verdict(&compare_items(&source, &BTreeMap::new()), 999, 1).is_some());
    }
}

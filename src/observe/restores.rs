//! What is read for restores: all settings of a table, and how the items of two tables compare.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Observer;
use super::ledger::Alarms;
use crate::model::{
    AlarmDefinition, Comparison, Counted, Digest, Item, ItemKey, ProfileSeen, Scope, TableName, TableProfile,
    TableState, TableStatus, Unread,
};
use crate::plan::compare_items;
use crate::ports::{Class, PortError, Tables, all, found};

/// Segments that a sample is taken from: a table is scanned from its hashes' beginning, and its items lie anywhere.
const SEGMENTS: u32 = 16;

/// Keys of one request (AWS: *`BatchGetItem`*).
const BATCH: usize = 100;

/// Requests for keys that were not answered.
const TRIES: usize = 8;

/// Pages of a segment that are read, at most: a filter is none of ours, but pages are a megabyte.
const SEGMENT_MAX: u32 = 10_000;

/// Pages that are counted, at most: a page is a megabyte, and costs its table 256 units of reading. Twenty are a few seconds
/// of what the governor allows, and within the time that a detail may take.
const COUNT_PAGES: usize = 20;

/// Parts of a table's settings, each read by a request of its own.
#[derive(Default)]
struct Parts {
    unread: BTreeMap<String, Unread>,
}

impl Parts {
    /// What was read, or nothing and why. `None`: the table is gone.
    fn read<T: Default>(&mut self, part: &str, answer: Result<T, PortError>) -> Option<T> {
        match answer {
            Ok(value) => Some(value),
            Err(error) if error.class == Class::NotFound => None,
            Err(error) => {
                let denied = error.class == Class::Denied;
                self.unread.insert(part.to_owned(), Unread { why: error.to_string(), denied });
                Some(T::default())
            }
        }
    }
}

/// What a restored table does not have (AWS: *Backing up and restoring `DynamoDB` tables: How it works*; *Restoring a global
/// table*), and nobody but a person sets up.
fn by_hand(state: &TableState, scope: &Scope, streams: &BTreeSet<String>, insights: bool) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let regions: Vec<&str> =
        state.replicas.iter().filter(|region| **region != scope.region).map(crate::model::Region::as_str).collect();
    if !regions.is_empty() {
        all.insert(format!("replicas in {}", regions.join(", ")));
    }
    all.extend(streams.iter().map(|stream| format!("the Kinesis data stream {stream}")));
    if insights {
        all.insert("CloudWatch Contributor Insights".to_owned());
    }
    if let Some(limits) = &state.limits {
        let part = |word: &str, units: Option<u64>| units.map(|units| format!("{units} {word} per second"));
        let parts: Vec<String> =
            [part("reads", limits.read), part("writes", limits.write)].into_iter().flatten().collect();
        all.insert(format!("on-demand limits ({})", parts.join(", ")));
    }
    all
}

impl Observer<'_> {
    /// All settings of a table. What cannot be read is unknown by itself, and keeps nothing else from being known.
    pub(super) async fn read_profile(
        &self,
        scope: &Scope,
        table: &TableName,
        alarms: Option<Alarms<'_>>,
    ) -> Result<Option<ProfileSeen>, PortError> {
        let port = self.tables(scope);
        let Some(state) = port.describe(table).await? else { return Ok(None) };
        let mut parts = Parts::default();
        let recovery = async { port.continuous_backups(table).await.map(Option::unwrap_or_default) };
        let Some(recovery) = parts.read("point-in-time recovery", recovery.await) else { return Ok(None) };
        let Some(expiry) = parts.read("time to live", port.time_to_live(table).await) else { return Ok(None) };
        let tags = all("ListTagsOfResource", |page| port.tags(&state.arn, page)).await;
        let Some(tags) = parts.read("tags", tags) else { return Ok(None) };
        let Some(policy) = parts.read("resource policy", port.policy(&state.arn).await) else { return Ok(None) };
        let Some(scaling) = parts.read("scaling", port.scaling(&state).await) else { return Ok(None) };
        let Some(streams) = parts.read("Kinesis data streams", port.streams_to(table).await) else { return Ok(None) };
        let Some(insights) = parts.read("contributor insights", port.has_insights(table).await) else {
            return Ok(None);
        };
        let alarms = match alarms {
            Some(alarms) => alarms.await,
            None => Err(Unread { why: "they were not asked for".to_owned(), denied: false }),
        };
        let alarms = alarms.unwrap_or_else(|unread| {
            parts.unread.insert("alarms".to_owned(), unread);
            Arc::default()
        });
        let here = |alarm: &&AlarmDefinition| {
            alarm.dimensions.get("TableName").is_some_and(|name| name == table.as_str()) && !alarm.is_of_scaling()
        };
        let busy = state.status != TableStatus::Active || !state.indexes_busy.is_empty() || expiry.switching;
        let profile = TableProfile {
            by_hand: by_hand(&state, scope, &streams, insights),
            key: state.key,
            indexes: state.indexes,
            billing: state.billing,
            class: state.class,
            deletion_protected: state.deletion_protected,
            recovery_days: recovery.on.then_some(recovery.window_days),
            stream: state.stream,
            time_to_live: expiry.attribute,
            tags: tags.into_iter().filter(|(key, _)| !key.starts_with("aws:")).collect(),
            policy: policy.map(Into::into),
            scaling,
            alarms: alarms.iter().filter(here).cloned().collect(),
            unread: parts.unread.keys().cloned().collect(),
        };
        Ok(Some(ProfileSeen { id: state.id, busy, profile, unread: parts.unread }))
    }

    /// How items of two tables compare: a sample of each is looked for in the other. `None` if one of them is gone.
    pub(super) async fn compare_tables(
        &self,
        scope: &Scope,
        source: &TableName,
        restored: &TableName,
        sample: u32,
    ) -> Result<Option<Comparison>, PortError> {
        let port = self.tables(scope);
        let half = sample.div_ceil(2).max(1);
        let mut whole = Comparison::default();
        for (one, other) in [(restored, source), (source, restored)] {
            let Some(items) = found(sample_of(&*port, one, half).await)? else { return Ok(None) };
            let keys: Vec<ItemKey> = items.iter().map(|item| item.key.clone()).collect();
            let Some(others) = found(by_key(&*port, other, keys).await)? else { return Ok(None) };
            let within = compare_items(&items, &others);
            whole.compared += within.compared;
            whole.equal += within.equal;
            whole.changed += within.changed;
            // What the restored one has was there; what it has not is new, or is lost.
            let single = if one == restored { &mut whole.gone } else { &mut whole.missing };
            *single += within.missing;
        }
        Ok(Some(whole))
    }
}

/// How many items a table has, as far as they are counted. `None`: the table does not exist.
pub(super) async fn count_of(port: &dyn Tables, table: &TableName) -> Result<Option<Counted>, PortError> {
    let (mut items, mut from) = (0_u64, None);
    for _ in 0..COUNT_PAGES {
        let Some((count, next)) = found(port.count(table, from.as_ref()).await)? else { return Ok(None) };
        items = items.saturating_add(count);
        if next.is_none() {
            return Ok(Some(Counted { items, whole: true }));
        }
        from = next;
    }
    Ok(Some(Counted { items, whole: false }))
}

/// So many items from all over a table.
async fn sample_of(port: &dyn Tables, table: &TableName, most: u32) -> Result<Vec<Item>, PortError> {
    let Some(state) = port.describe(table).await? else {
        return Err(PortError::new(Class::NotFound, "DescribeTable", "the table does not exist"));
    };
    let key = state.key;
    let each = most.div_ceil(SEGMENTS).clamp(1, SEGMENT_MAX);
    let (mut items, most) = (Vec::new(), usize::try_from(most).unwrap_or(usize::MAX));
    for segment in 0..SEGMENTS {
        if items.len() >= most {
            break;
        }
        items.extend(port.sample(table, &key, segment, SEGMENTS, each).await?);
    }
    items.truncate(most);
    Ok(items)
}

async fn by_key(
    port: &dyn Tables,
    table: &TableName,
    keys: Vec<ItemKey>,
) -> Result<BTreeMap<ItemKey, Digest>, PortError> {
    let mut found = BTreeMap::new();
    // A key that is asked for twice in a request is refused.
    let keys: Vec<ItemKey> = keys.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    for batch in keys.chunks(BATCH) {
        let mut left = batch.to_vec();
        for _ in 0..TRIES {
            if left.is_empty() {
                break;
            }
            let read = port.items(table, &left).await?;
            found.extend(read.items.into_iter().map(|item| (item.key, item.content)));
            left = read.unprocessed;
        }
        if !left.is_empty() {
            return Err(PortError::new(Class::Throttled, "BatchGetItem", "AWS repeatedly leaves keys unprocessed"));
        }
    }
    Ok(found)
}

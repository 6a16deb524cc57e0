//! The rows, read: what the store keeps in memory so that a look costs no I/O.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::StoreError;
use super::key::{Keys, keep, kept};
use super::rows::{Order, Rows, Table, Write, decode};
use crate::context::Context;
use crate::model::{
    Alert, BackupMemory, Consent, EnvName, FingerprintKey, Freeze, Key, Kind, ObjectMemory, Objects, Parcel,
    RecordMemory, Remembered, Review, Revision, SecretMemory, ServiceMemory, Shared, Spent, StackMemory,
};

/// The name of the layout. A change that an older version would misread raises the number.
pub(super) const SCHEMA: &str = "landfast 4";

/// The layout without reviews. Who reads only that one would act on approvals that have ended.
const WITHOUT_REVIEWS: &str = "landfast 3";

/// The layout without freezes. Who reads only that one would act through them.
const WITHOUT_FREEZES: &str = "landfast 2";

/// The layout in which what is remembered of every object was part of what is remembered of its kind.
const BEFORE: &str = "landfast 1";

/// No budget looks further back.
const SPENT_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Everything but the journal.
pub(super) struct State {
    pub(super) fingerprint_key: FingerprintKey,
    /// The key was sealed when it was read.
    pub(super) is_sealed: bool,
    pub(super) epoch: u64,
    pub(super) revision: Option<Revision>,
    pub(super) objects: BTreeMap<EnvName, Arc<Objects>>,
    /// What of them many have alike.
    shared: Shared,
    /// Remembered in memory, but not yet in the rows.
    pub(super) dirty: BTreeSet<(Table, Key)>,
    pub(super) spent: VecDeque<(u64, Spent)>,
    pub(super) consent: BTreeMap<EnvName, Consent>,
    pub(super) accepted: BTreeMap<EnvName, Revision>,
    /// What people have frozen, the oldest first.
    pub(super) freezes: Arc<[Freeze]>,
    /// What people have said of plans, the oldest first.
    pub(super) reviews: BTreeMap<EnvName, Arc<[Review]>>,
    /// The number of the next review.
    pub(super) next_review: u64,
    /// What people were told of.
    pub(super) alerts: BTreeMap<EnvName, Vec<Alert>>,
    /// Messages that are on their way, by number.
    pub(super) outbox: BTreeMap<u64, Parcel>,
    /// The number of the next message.
    pub(super) next_parcel: u64,
    /// The sequence of the journal's next record.
    pub(super) next_record: u64,
}

/// The rows of a new store.
pub(super) fn initial(cx: &Context, keys: Keys<'_>) -> Result<Vec<Write>, StoreError> {
    Ok(vec![
        Write::put(Table::Meta, "schema", &SCHEMA)?,
        keep(&FingerprintKey::new(cx.random_bytes()), keys)?,
        Write::put(Table::Meta, "epoch", &0_u64)?,
    ])
}

impl State {
    /// Reads all rows; `None` if there are none at all. `path` is for errors.
    pub(super) fn read(rows: &dyn Rows, path: &Path, keys: Keys<'_>) -> Result<Option<Self>, StoreError> {
        let mut meta = BTreeMap::new();
        rows.scan(Table::Meta, Order::Up, &mut |key, value| {
            meta.insert(key.to_owned(), value.to_vec());
            Ok(true)
        })?;
        if meta.is_empty() {
            return Ok(None);
        }
        let schema = meta.get("schema").and_then(|value| decode::<String>(Table::Meta, "schema", value).ok());
        match schema.as_deref() {
            Some(SCHEMA | WITHOUT_REVIEWS | WITHOUT_FREEZES | BEFORE) => {}
            Some(schema) if schema.starts_with("landfast ") => {
                return Err(StoreError::Newer { path: path.to_owned(), schema: schema.to_owned() });
            }
            _ => return Err(StoreError::Foreign { path: path.to_owned() }),
        }
        let field = |name: &'static str| (name, meta.get(name).map_or(&b""[..], Vec::as_slice));
        let (name, value) = field("fingerprintKey");
        let (fingerprint_key, is_sealed) = kept(decode(Table::Meta, name, value)?, path, keys)?;
        let (name, value) = field("epoch");
        let epoch = decode(Table::Meta, name, value)?;
        let revision = meta.get("revision").map(|value| decode(Table::Meta, "revision", value)).transpose()?;
        let mut state = Self {
            fingerprint_key,
            is_sealed,
            epoch,
            revision,
            objects: BTreeMap::new(),
            shared: Shared::default(),
            dirty: BTreeSet::new(),
            spent: VecDeque::new(),
            consent: BTreeMap::new(),
            accepted: BTreeMap::new(),
            freezes: Arc::default(),
            reviews: BTreeMap::new(),
            next_review: 1,
            alerts: BTreeMap::new(),
            outbox: BTreeMap::new(),
            next_parcel: 1,
            next_record: 1,
        };
        state.read_tables(rows, schema.as_deref() == Some(BEFORE))?;
        Ok(Some(state))
    }

    /// Keeps what people have frozen, the oldest first.
    pub(super) fn keep_freezes(&mut self, mut freezes: Vec<Freeze>) {
        freezes.sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
        self.freezes = freezes.into();
    }

    fn read_tables(&mut self, rows: &dyn Rows, before: bool) -> Result<(), StoreError> {
        rows.scan(Table::Common, Order::Up, &mut |text, value| {
            let key = decode_key::<Key>(Table::Common, text)?;
            self.remember::<ObjectMemory>(&key, decode(Table::Common, text, value)?);
            Ok(true)
        })?;
        rows.scan(Table::Objects, Order::Up, &mut |text, value| {
            let key = decode_key::<Key>(Table::Objects, text)?;
            if before {
                self.remember(&key, earlier(value));
                self.dirty.insert((Table::Common, key.clone()));
            }
            match key.kind {
                Kind::Stack => self.remember::<StackMemory>(&key, decode(Table::Objects, text, value)?),
                Kind::Service => self.remember::<ServiceMemory>(&key, decode(Table::Objects, text, value)?),
                Kind::Secret => self.remember::<SecretMemory>(&key, decode(Table::Objects, text, value)?),
                Kind::DnsRecord => self.remember::<RecordMemory>(&key, decode(Table::Objects, text, value)?),
                Kind::BackupPolicy => self.remember::<BackupMemory>(&key, decode(Table::Objects, text, value)?),
            }
            Ok(true)
        })?;
        rows.scan(Table::Spent, Order::Up, &mut |key, value| {
            self.spent.push_back((decode_number(Table::Spent, key)?, decode(Table::Spent, key, value)?));
            Ok(true)
        })?;
        rows.scan(Table::Consent, Order::Up, &mut |key, value| {
            self.consent.insert(decode_key(Table::Consent, key)?, decode(Table::Consent, key, value)?);
            Ok(true)
        })?;
        rows.scan(Table::Accepted, Order::Up, &mut |key, value| {
            self.accepted.insert(decode_key(Table::Accepted, key)?, decode(Table::Accepted, key, value)?);
            Ok(true)
        })?;
        let mut freezes: Vec<Freeze> = Vec::new();
        rows.scan(Table::Freezes, Order::Up, &mut |key, value| {
            freezes.push(decode(Table::Freezes, key, value)?);
            Ok(true)
        })?;
        self.keep_freezes(freezes);
        let mut reviews: BTreeMap<EnvName, Vec<Review>> = BTreeMap::new();
        rows.scan(Table::Reviews, Order::Up, &mut |key, value| {
            let review: Review = decode(Table::Reviews, key, value)?;
            self.next_review = review.number + 1;
            reviews.entry(review.statement().environment.clone()).or_default().push(review);
            Ok(true)
        })?;
        self.reviews = reviews.into_iter().map(|(environment, reviews)| (environment, reviews.into())).collect();
        rows.scan(Table::Alerts, Order::Up, &mut |key, value| {
            self.alerts.insert(decode_key(Table::Alerts, key)?, decode(Table::Alerts, key, value)?);
            Ok(true)
        })?;
        rows.scan(Table::Outbox, Order::Up, &mut |key, value| {
            let sequence = decode_number(Table::Outbox, key)?;
            self.next_parcel = sequence + 1;
            self.outbox.insert(sequence, decode(Table::Outbox, key, value)?);
            Ok(true)
        })?;
        rows.scan(Table::Journal, Order::Down, &mut |key, _| {
            self.next_record = decode_number(Table::Journal, key)? + 1;
            Ok(false)
        })
    }

    /// What is remembered of an object.
    pub(super) fn of<M: Remembered>(&self, key: &Key) -> Option<&Arc<M>> {
        self.objects.get(&key.environment).and_then(|objects| M::all(objects).get(key))
    }

    /// Remembers it in memory alone. Whoever looks at what was remembered before goes on seeing that.
    pub(super) fn remember<M: Remembered>(&mut self, key: &Key, mut memory: M) {
        memory.share(&mut self.shared);
        let all = M::all_mut(Arc::make_mut(self.objects.entry(key.environment.clone()).or_default()));
        if memory == M::default() {
            all.remove(key);
        } else {
            all.insert(key.clone(), Arc::new(memory));
        }
    }

    /// The write that makes what is remembered of an object durable.
    pub(super) fn write<M: Remembered>(key: &Key, memory: &M) -> Result<Write, StoreError> {
        let table = table::<M>();
        if *memory == M::default() {
            return Ok(Write::remove(table, key.to_string()));
        }
        Write::put(table, key.to_string(), memory)
    }

    /// The writes that make all caches durable, except those of `but`.
    pub(super) fn caches(&self, but: &[(Table, Key)]) -> impl Iterator<Item = Result<Write, StoreError>> {
        let dirty = self.dirty.iter().filter(|row| !but.contains(row));
        dirty.map(|(table, key)| match key.kind {
            _ if *table == Table::Common => self.rewrite::<ObjectMemory>(key),
            Kind::Stack => self.rewrite::<StackMemory>(key),
            Kind::Service => self.rewrite::<ServiceMemory>(key),
            Kind::Secret => self.rewrite::<SecretMemory>(key),
            Kind::DnsRecord => self.rewrite::<RecordMemory>(key),
            Kind::BackupPolicy => self.rewrite::<BackupMemory>(key),
        })
    }

    fn rewrite<M: Remembered>(&self, key: &Key) -> Result<Write, StoreError> {
        self.of::<M>(key).map_or_else(|| Self::write(key, &M::default()), |memory| Self::write(key, &**memory))
    }

    /// The sequences of what was spent too long ago to matter.
    pub(super) fn outdated(&self, now: Timestamp) -> Vec<u64> {
        let old = |spent: &Spent| now.duration_since(spent.at) > SPENT_KEPT;
        self.spent.iter().filter(|(_, spent)| old(spent)).map(|(sequence, _)| *sequence).collect()
    }

    /// The sequence after the newest of what was spent.
    pub(super) fn next_spent(&self) -> u64 {
        self.spent.back().map_or(1, |(sequence, _)| sequence + 1)
    }
}

/// The table of what is remembered of this sort.
pub(super) fn table<M: Remembered>() -> Table {
    if M::COMMON { Table::Common } else { Table::Objects }
}

/// What a row of the layout before says of any object: the newest revision that was applied to it. The rest is found out
/// again.
fn earlier(value: &[u8]) -> ObjectMemory {
    let row: serde_json::Value = serde_json::from_slice(value).unwrap_or_default();
    let applied = ["applied", "revision"].iter().find_map(|name| row.get(name).and_then(serde_json::Value::as_u64));
    ObjectMemory { applied, ..ObjectMemory::default() }
}

/// A key that is itself a value of the model.
fn decode_key<T: serde::de::DeserializeOwned>(table: Table, key: &str) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::from(key)).map_err(|source| StoreError::Value {
        table: table.name(),
        key: key.to_owned(),
        source,
    })
}

/// Reads what [`number`](super::rows::number) wrote.
pub(super) fn decode_number(table: Table, key: &str) -> Result<u64, StoreError> {
    let digits = key.trim_start_matches('0');
    let parsed = if digits.is_empty() { Ok(0) } else { serde_json::from_str(digits) };
    parsed.map_err(|source| StoreError::Value { table: table.name(), key: key.to_owned(), source })
}

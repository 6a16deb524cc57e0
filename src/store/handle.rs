//! The store itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::file::{self, Access, Locked};
use super::key::{Keys, keep};
use super::rows::{Order, Rows, Table, Write, decode, number};
use super::state::{self, State, decode_number};
use super::{Disk, Export, Record, StoreError, reviews};
use crate::context::Context;
use crate::model::{
    Applied, Consent, Digest, EnvName, FingerprintKey, Key, Memory, ObjectMemory, Remembered, Revision, Spent,
};
use crate::ports::Identities;

/// The journal keeps this many of the newest records…
const RECORDS_KEPT: u64 = 10_000;
/// …that are not older than this.
const RECORDS_KEPT_FOR: SignedDuration = SignedDuration::from_hours(90 * 24);
/// The journal is pruned after as many new records: by then it is at most 2.5 per cent over.
const PRUNE_EVERY: u64 = 256;

/// An open store. Cheap to clone; all clones are one store, which is closed when the last is dropped.
///
/// Writing waits for the disk (some milliseconds), on the calling thread and with the store locked: writes are as
/// rare as changes to stacks, and are never made for a look.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    cx: Context,
    rows: Box<dyn Rows>,
    state: Mutex<State>,
}

/// How often a copy of a store that is being written is tried.
const PEEKS: u32 = 5;

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("epoch", &self.epoch()).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the file at `path`, or makes it, and holds its lock.
    pub fn open(path: &Path, cx: &Context) -> Result<Self, StoreError> {
        Self::open_with(path, cx, None)
    }

    /// The same. With a key file, the key of the fingerprints is sealed with it: from here on, if it was not before.
    pub fn open_with(path: &Path, cx: &Context, keys: Option<&Identities>) -> Result<Self, StoreError> {
        let locked = Locked::take(path)?;
        if locked.is_new()? {
            locked.create(&mut state::initial(cx, keys)?.into_iter().map(Ok))?;
        }
        let copy = locked.rehearse()?;
        let state = State::read(&copy, path, keys)
            .map_err(|error| match error {
                StoreError::Value { .. } | StoreError::Transaction { .. } => locked.damaged(error),
                other => other,
            })?
            .ok_or_else(|| StoreError::Foreign { path: locked.path().to_owned() })?;
        drop(copy);
        Self::begin(Box::new(locked.open()?), state, cx, keys)
    }

    /// A copy of the store at `path`, which another process may have open: for looking, and for nothing else. What is
    /// written to it is forgotten.
    pub fn peek(path: &Path, cx: &Context) -> Result<Self, StoreError> {
        Self::peek_with(path, cx, None)
    }

    /// The same, with the key file that the key of the fingerprints is sealed with.
    pub fn peek_with(path: &Path, cx: &Context, keys: Option<&Identities>) -> Result<Self, StoreError> {
        let read = || {
            let copy = file::copy(path)?;
            let state = State::read(&copy, path, keys)?.ok_or_else(|| StoreError::Foreign { path: path.to_owned() })?;
            Self::begin(Box::new(copy), state, cx, keys)
        };
        // A copy that was taken in the middle of a write is not whole; the next one is.
        (1..PEEKS).find_map(|_| read().ok()).map_or_else(read, Ok)
    }

    /// How the store at `path` could be opened, found out without making or writing anything.
    #[must_use]
    pub fn access(path: &Path) -> Access {
        file::access(path)
    }

    /// Makes sure that the store is still where others would look for it: a directory that was removed has taken its
    /// lock with it. Every write makes sure of it too.
    ///
    /// # Errors
    /// It is gone, and another process may have begun a new one.
    pub fn check(&self) -> Result<(), StoreError> {
        self.inner.rows.check()
    }

    /// Opens a new store in memory.
    pub fn in_memory(cx: &Context) -> Result<Self, StoreError> {
        Self::on(&Disk::new(), cx)
    }

    /// Opens the store on a disk in memory. As with a file, it is locked until the last clone of an earlier store on
    /// it was dropped.
    pub fn on(disk: &Disk, cx: &Context) -> Result<Self, StoreError> {
        let rows = disk.take()?;
        let path = Path::new("memory");
        let mut state = State::read(&rows, path, None)?;
        if state.is_none() {
            rows.commit(&mut state::initial(cx, None)?.into_iter().map(Ok))?;
            state = State::read(&rows, path, None)?;
        }
        let state = state.ok_or_else(|| StoreError::Foreign { path: path.to_owned() })?;
        Self::begin(Box::new(rows), state, cx, None)
    }

    /// Begins a new epoch.
    fn begin(rows: Box<dyn Rows>, mut state: State, cx: &Context, keys: Keys<'_>) -> Result<Self, StoreError> {
        state.epoch += 1;
        let mut batch =
            vec![Write::put(Table::Meta, "epoch", &state.epoch)?, Write::put(Table::Meta, "schema", &state::SCHEMA)?];
        if keys.is_some() && !state.is_sealed {
            batch.push(keep(&state.fingerprint_key, keys)?);
        }
        let outdated = state.outdated(cx.now());
        batch.extend(outdated.iter().map(|sequence| Write::remove(Table::Spent, number(*sequence))));
        rows.commit(&mut batch.into_iter().map(Ok).chain(state.caches(&[])))?;
        state.dirty.clear();
        state.spent.retain(|(sequence, _)| !outdated.contains(sequence));
        let store = Self { inner: Arc::new(Inner { cx: cx.clone(), rows, state: Mutex::new(state) }) };
        store.prune_history()?;
        Ok(store)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // What a panic interrupted was not committed, and memory is only changed after that.
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time, as the store's clock says.
    pub(super) fn now(&self) -> Timestamp {
        self.inner.cx.now()
    }

    /// The fencing epoch: greater than that of every earlier opening.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.state().epoch
    }

    /// The key of all fingerprints.
    #[must_use]
    pub fn fingerprint_key(&self) -> FingerprintKey {
        self.state().fingerprint_key.clone()
    }

    /// The revision that was loaded last.
    #[must_use]
    pub fn revision(&self) -> Option<Revision> {
        self.state().revision.clone()
    }

    /// The revision of this content: the same as the last one if the content is, else the next.
    pub fn revise(&self, content: &Digest, commit: Option<&str>) -> Result<Revision, StoreError> {
        let mut state = self.state();
        let commit = commit.map(str::to_owned);
        let newest = state.revision.as_ref();
        if let Some(newest) = newest.filter(|newest| newest.content == *content) {
            return Ok(Revision { commit, ..newest.clone() });
        }
        let sequence = newest.map_or(1, |newest| newest.sequence + 1);
        let revision = Revision { sequence, content: content.clone(), commit };
        self.commit(&mut state, &[], vec![Write::put(Table::Meta, "revision", &revision)?])?;
        state.revision = Some(revision.clone());
        Ok(revision)
    }

    /// The revision that each environment was told to follow last. One that was only looked at is none.
    #[must_use]
    pub fn accepted(&self) -> BTreeMap<EnvName, Revision> {
        self.state().accepted.clone()
    }

    /// These environments follow these revisions from now on.
    pub fn accept(&self, revisions: BTreeMap<EnvName, Revision>) -> Result<(), StoreError> {
        let mut state = self.state();
        let new: Vec<_> = revisions.into_iter().filter(|(env, new)| state.accepted.get(env) != Some(new)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let writes = new.iter().map(|(env, revision)| Write::put(Table::Accepted, env.as_str(), revision));
        self.commit(&mut state, &[], writes.collect::<Result<_, _>>()?)?;
        state.accepted.extend(new);
        Ok(())
    }

    /// All that is remembered of an environment. No I/O.
    pub fn memory(&self, env: &EnvName) -> Result<Memory, StoreError> {
        let state = self.state();
        let mut spent: Vec<Spent> =
            state.spent.iter().map(|(_, spent)| spent).filter(|spent| spent.key.environment == *env).cloned().collect();
        spent.sort_by_key(|spent| spent.at);
        Ok(Memory {
            fingerprint_key: state.fingerprint_key.clone(),
            objects: state.objects.get(env).cloned().unwrap_or_default(),
            spent,
            consent: state.consent.get(env).cloned(),
            freezes: Arc::clone(&state.freezes),
            reviews: state.reviews.get(env).cloned().unwrap_or_default(),
        })
    }

    /// Changes what is remembered of an object, durably; writes nothing if nothing changed.
    pub fn update<M: Remembered>(&self, key: &Key, change: impl FnOnce(&mut M)) -> Result<(), StoreError> {
        let mut state = self.state();
        let before = state.of::<M>(key).map(|memory| (**memory).clone()).unwrap_or_default();
        let mut after = before.clone();
        change(&mut after);
        if after == before {
            return Ok(());
        }
        let row = (state::table::<M>(), key.clone());
        self.commit(&mut state, &[row], vec![State::write(key, &after)?])?;
        state.remember(key, after);
        Ok(())
    }

    /// The same, and a record in the journal, what it spends of the budget, and the revision that it says was applied: all
    /// or nothing. What is remembered of every object goes with what is remembered of its kind.
    pub fn update_with<M: Remembered, A: Into<Applied>>(
        &self,
        key: &Key,
        record: Record,
        spent: Option<Spent>,
        change: impl FnOnce(&mut M) -> A,
    ) -> Result<(), StoreError> {
        self.write(&mut self.state(), key, record, spent, change)
    }

    /// The same, with the store locked already.
    pub(super) fn write<M: Remembered, A: Into<Applied>>(
        &self,
        state: &mut State,
        key: &Key,
        mut record: Record,
        spent: Option<Spent>,
        change: impl FnOnce(&mut M) -> A,
    ) -> Result<(), StoreError> {
        let before = state.of::<M>(key).map(|memory| (**memory).clone()).unwrap_or_default();
        let mut after = before.clone();
        let Applied(applied) = change(&mut after).into();
        let mut common = state.of::<ObjectMemory>(key).map(|memory| (**memory).clone()).unwrap_or_default();
        if after == M::default() && before != after {
            common = ObjectMemory::default();
        }
        if let Some(revision) = applied {
            common.apply(revision);
        }
        record.sequence = state.next_record;
        record.epoch = state.epoch;
        record.at = self.inner.cx.now();
        let mut batch = vec![
            State::write(key, &after)?,
            State::write(key, &common)?,
            Write::put(Table::Journal, number(record.sequence), &record)?,
        ];
        let sequence = state.next_spent();
        if let Some(spent) = &spent {
            batch.push(Write::put(Table::Spent, number(sequence), spent)?);
        }
        if record.sequence.is_multiple_of(PRUNE_EVERY) {
            batch.extend(self.outdated_records(state)?);
        }
        let rows = [(state::table::<M>(), key.clone()), (Table::Common, key.clone())];
        self.commit(state, &rows, batch)?;
        state.remember(key, after);
        state.remember(key, common);
        state.next_record += 1;
        state.spent.extend(spent.map(|spent| (sequence, spent)));
        Ok(())
    }

    /// What is remembered under `from` is remembered under `to` from now on, and no longer there; with a record in the
    /// journal, all or nothing. Writes nothing if nothing is remembered.
    pub fn hand_over<M: Remembered>(&self, from: &Key, to: &Key, mut record: Record) -> Result<(), StoreError> {
        let mut state = self.state();
        let Some(memory) = state.of::<M>(from).map(|memory| (**memory).clone()) else { return Ok(()) };
        let common = state.of::<ObjectMemory>(from).map(|memory| (**memory).clone()).unwrap_or_default();
        record.sequence = state.next_record;
        record.epoch = state.epoch;
        record.at = self.inner.cx.now();
        let batch = vec![
            State::write(to, &memory)?,
            State::write(from, &M::default())?,
            State::write(to, &common)?,
            State::write(from, &ObjectMemory::default())?,
            Write::put(Table::Journal, number(record.sequence), &record)?,
        ];
        // As caches, they would be written once more under their old key.
        let tables = [state::table::<M>(), Table::Common];
        let rows: Vec<_> = tables.into_iter().flat_map(|table| [(table, from.clone()), (table, to.clone())]).collect();
        self.commit(&mut state, &rows, batch)?;
        state.remember(from, M::default());
        state.remember(to, memory);
        state.remember(from, ObjectMemory::default());
        state.remember(to, common);
        state.next_record += 1;
        Ok(())
    }

    /// Changes a cache: what can be found out again. It is written together with the next durable change, or by
    /// [`Store::flush`].
    pub fn cache<M: Remembered>(&self, key: &Key, change: impl FnOnce(&mut M)) {
        let mut state = self.state();
        let before = state.of::<M>(key).map(|memory| (**memory).clone()).unwrap_or_default();
        let mut after = before.clone();
        change(&mut after);
        if after != before {
            state.remember(key, after);
            state.dirty.insert((state::table::<M>(), key.clone()));
        }
    }

    /// Writes the caches that were not written yet.
    pub fn flush(&self) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.dirty.is_empty() {
            return Ok(());
        }
        self.commit(&mut state, &[], Vec::new())
    }

    /// Says that something of the budget was spent. What was spent more than 30 days ago is dropped.
    pub fn spend(&self, spent: Spent) -> Result<(), StoreError> {
        let mut state = self.state();
        let sequence = state.next_spent();
        let outdated = state.outdated(self.inner.cx.now());
        let mut batch = vec![Write::put(Table::Spent, number(sequence), &spent)?];
        batch.extend(outdated.iter().map(|sequence| Write::remove(Table::Spent, number(*sequence))));
        self.commit(&mut state, &[], batch)?;
        state.spent.retain(|(sequence, _)| !outdated.contains(sequence));
        state.spent.push_back((sequence, spent));
        Ok(())
    }

    /// Remembers what a person approved in an environment, in place of what was approved before. The reviews of which it is
    /// made are used with it, all or nothing.
    pub fn consent(&self, env: &EnvName, consent: Option<Consent>) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.consent.get(env) == consent.as_ref() {
            return Ok(());
        }
        let mut writes = vec![match &consent {
            Some(consent) => Write::put(Table::Consent, env.as_str(), consent)?,
            None => Write::remove(Table::Consent, env.as_str()),
        }];
        let used = consent.as_ref().filter(|consent| !consent.reviews.is_empty());
        let used = used.map(|consent| reviews::used(&state, env, consent, self.now())).transpose()?;
        let used = used.map(|(reviews, more)| {
            writes.extend(more);
            reviews
        });
        self.commit(&mut state, &[], writes)?;
        if let Some(reviews) = used {
            state.reviews.insert(env.clone(), reviews);
        }
        match consent {
            Some(consent) => state.consent.insert(env.clone(), consent),
            None => state.consent.remove(env),
        };
        Ok(())
    }

    /// At most `limit` records, newest first; of one object, if `key` names it.
    pub fn history(&self, key: Option<&Key>, limit: usize) -> Result<Vec<Record>, StoreError> {
        let mut records = Vec::new();
        if limit == 0 {
            return Ok(records);
        }
        self.inner.rows.scan(Table::Journal, Order::Down, &mut |sequence, value| {
            let record: Record = decode(Table::Journal, sequence, value)?;
            if key.is_none_or(|key| record.key == *key) {
                records.push(record);
            }
            Ok(records.len() < limit)
        })?;
        Ok(records)
    }

    /// Everything in it but the key of the fingerprints.
    ///
    /// # Errors
    /// A row cannot be read.
    pub fn export(&self) -> Result<Export, StoreError> {
        Export::read(&*self.inner.rows)
    }

    /// Drops records beyond the newest 10,000, and those of more than 90 days ago. The store does so by itself when
    /// it is opened and every 256 records.
    pub fn prune_history(&self) -> Result<(), StoreError> {
        let mut state = self.state();
        let batch = self.outdated_records(&state)?;
        if batch.is_empty() {
            return Ok(());
        }
        self.commit(&mut state, &[], batch)
    }

    /// What removes the records that are too many or too old.
    fn outdated_records(&self, state: &State) -> Result<Vec<Write>, StoreError> {
        let now = self.inner.cx.now();
        let surplus = state.next_record.saturating_sub(RECORDS_KEPT);
        let mut batch = Vec::new();
        self.inner.rows.scan(Table::Journal, Order::Up, &mut |key, value| {
            let outdated = decode_number(Table::Journal, key)? < surplus || {
                let record: Record = decode(Table::Journal, key, value)?;
                now.duration_since(record.at) > RECORDS_KEPT_FOR
            };
            if outdated {
                batch.push(Write::remove(Table::Journal, key));
            }
            Ok(outdated)
        })?;
        Ok(batch)
    }

    /// Commits a batch together with all caches; `key` is the object that the batch writes anyway.
    pub(super) fn commit(&self, state: &mut State, rows: &[(Table, Key)], batch: Vec<Write>) -> Result<(), StoreError> {
        self.inner.rows.commit(&mut batch.into_iter().map(Ok).chain(state.caches(rows)))?;
        state.dirty.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests;

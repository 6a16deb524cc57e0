//! What one look has begun to list and the next one goes on with, and what need not be asked twice.
//!
//! Some lists are longer than a look may take: `ListBackups` has a hundred backups on a page and five pages a second. Such
//! a list is read across looks, page by page, and counts once it is whole. Kept by the process alone: a new process begins
//! again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, Shared};
use jiff::{SignedDuration, Timestamp};

use crate::context::Context;
use crate::model::{AlarmDefinition, AlarmsRead, EnvName, PointId, RecoveryPoint, Scope, TableName, VaultName};
use crate::ports::{Class, PAGES_MAX, Page, PageToken, PortError, endless};

/// How long one look reads one list. Less than a detail may take, so that it says itself how far it came.
pub(super) const LISTING: Duration = Duration::from_secs(25);

/// A list that was begun longer ago is begun again: what its first pages say is too old.
const STALE: SignedDuration = SignedDuration::from_mins(15);

/// One list of alarms for all tables whose settings are read.
pub(super) type Alarms<'a> = Shared<BoxFuture<'a, AlarmsRead>>;

/// Tags of a recovery point, if it has any of ours.
pub(super) type PointTags = Option<BTreeMap<String, String>>;

/// What looks leave to one another.
#[derive(Debug, Default)]
pub struct Ledger {
    pub(super) tables: Lists<TableName>,
    pub(super) points: Lists<RecoveryPoint>,
    pub(super) alarms: Lists<AlarmDefinition>,
    tags: Mutex<BTreeMap<(Scope, VaultName), BTreeMap<PointId, PointTags>>>,
}

impl Ledger {
    /// What is known of the tags of points in a vault.
    pub(super) fn tags(&self, place: &(Scope, VaultName)) -> BTreeMap<PointId, PointTags> {
        lock(&self.tags).get(place).cloned().unwrap_or_default()
    }

    /// Keeps the tags of points that are in the vault. Of those that are gone nothing is kept.
    pub(super) fn keep_tags(
        &self,
        place: (Scope, VaultName),
        listed: &BTreeSet<PointId>,
        read: BTreeMap<PointId, PointTags>,
    ) {
        let mut tags = lock(&self.tags);
        let known = tags.entry(place).or_default();
        known.extend(read);
        known.retain(|id, _| listed.contains(id));
    }
}

/// Which list: the environment that asks, where, and of what.
pub(super) type Place = (EnvName, Scope, String);

/// Lists that are being read.
#[derive(Debug)]
pub(super) struct Lists<T>(Mutex<BTreeMap<Place, Partial<T>>>);

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

#[derive(Debug)]
struct Partial<T> {
    begun: Timestamp,
    pages: usize,
    items: Vec<T>,
    next: Option<PageToken>,
}

impl<T> Lists<T> {
    /// Reads a list to its end, beginning where the look before had to stop; answers with when it was begun, too. Where time
    /// runs out, what was read stays for the next look, and this is an error: a part of a list is not taken for the whole.
    pub(super) async fn read<F>(
        &self,
        cx: &Context,
        place: &Place,
        operation: &'static str,
        read: impl Fn(Option<PageToken>) -> F,
    ) -> Result<(Timestamp, Vec<T>), PortError>
    where
        F: Future<Output = Result<Page<T>, PortError>>,
    {
        let (now, until) = (cx.now(), cx.elapsed() + LISTING);
        loop {
            let (next, pages) = {
                let mut all = lock(&self.0);
                all.retain(|_, partial| now.duration_since(partial.begun).abs() < STALE);
                let fresh = || Partial { begun: now, pages: 0, items: Vec::new(), next: None };
                let partial = all.entry(place.clone()).or_insert_with(fresh);
                (partial.next.clone(), partial.pages)
            };
            if pages >= PAGES_MAX {
                lock(&self.0).remove(place);
                return Err(endless(operation));
            }
            let Some(answer) = cx.timeout(until.saturating_sub(cx.elapsed()), read(next)).await else {
                let read = lock(&self.0).get(place).map_or(0, |partial| partial.items.len());
                let message = format!("{read} entries were read in time; the next look reads the rest");
                return Err(PortError::new(Class::Transient, operation, message));
            };
            let page = match answer {
                Ok(page) => page,
                Err(error) => {
                    // A place in a list that is refused is no place to go on from.
                    if matches!(error.class, Class::Invalid | Class::NotFound) {
                        lock(&self.0).remove(place);
                    }
                    return Err(error);
                }
            };
            let mut all = lock(&self.0);
            let Some(partial) = all.get_mut(place) else { continue };
            partial.pages += 1;
            partial.items.extend(page.items);
            partial.next = page.next;
            if partial.next.is_none()
                && let Some(whole) = all.remove(place)
            {
                return Ok((whole.begun, whole.items));
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Virtual;

    fn place() -> Place {
        let scope = Scope { account: "111122223333".parse().unwrap(), region: "us-east-1".parse().unwrap() };
        ("dev".parse().unwrap(), scope, String::new())
    }

    #[test]
    fn a_list_that_is_longer_than_a_look_goes_on_where_the_look_before_had_to_stop() {
        let clock = Virtual::starting_at(Timestamp::UNIX_EPOCH);
        let cx = &Context::simulated(&clock, 7);
        let lists: Lists<usize> = Lists::default();
        // A page takes ten seconds: two in a look.
        let read = async |token: Option<PageToken>| {
            cx.sleep(Duration::from_secs(10)).await;
            let page: usize = token.map_or(0, |token| token.parse().unwrap());
            Ok(Page { items: vec![page], next: (page < 4).then(|| (page + 1).to_string()) })
        };
        let begun = cx.now();
        let looks = clock.drive(async {
            let mut looks = Vec::new();
            for _ in 0..3 {
                looks.push(lists.read(cx, &place(), "ListBackups", read).await);
            }
            looks
        });
        let looks = looks.unwrap();
        let text = |index: usize| looks[index].as_ref().unwrap_err().to_string();
        assert!(text(0).contains("2 entries were read in time"), "{}", text(0));
        assert!(text(1).contains("4 entries were read in time"), "{}", text(1));
        assert_eq!(*looks[2].as_ref().unwrap(), (begun, vec![0, 1, 2, 3, 4]));
    }

    #[test]
    fn a_place_that_is_refused_is_no_place_to_go_on_from() {
        let clock = Virtual::starting_at(Timestamp::UNIX_EPOCH);
        let cx = Context::simulated(&clock, 7);
        let lists: Lists<usize> = Lists::default();
        let refuse = async |token: Option<PageToken>| match token {
            None => Ok(Page { items: vec![1], next: Some("gone".to_owned()) }),
            Some(_) => Err(PortError::new(Class::Invalid, "ListBackups", "no such token")),
        };
        let again = async |token: Option<PageToken>| {
            assert_eq!(token, None);
            Ok(Page { items: vec![2], next: None })
        };
        let run = async {
            assert!(lists.read(&cx, &place(), "ListBackups", refuse).await.is_err());
            assert_eq!(lists.read(&cx, &place(), "ListBackups", again).await.unwrap().1, [2]);
        };
        clock.drive(run).unwrap();
    }
}

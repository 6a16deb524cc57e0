//! What people were told of, and the messages that are still on their way. Both are written together: what is known to be told
//! is on its way, and what was delivered is not sent again.

use super::rows::{Table, Write, number};
use super::{Store, StoreError};
use crate::model::{Alert, EnvName, Parcel};

/// Messages that wait for one destination at most. The oldest go first: what lasts is told again.
const WAITING_MAX: usize = 200;

impl Store {
    /// What people were told of in an environment.
    #[must_use]
    pub fn alerts(&self, environment: &EnvName) -> Vec<Alert> {
        self.state().alerts.get(environment).cloned().unwrap_or_default()
    }

    /// The environments in which people were told of something.
    #[must_use]
    pub fn alerted(&self) -> Vec<EnvName> {
        self.state().alerts.keys().cloned().collect()
    }

    /// People are told of this from now on, by these messages: all or nothing. Says how many older messages were dropped
    /// because too many wait.
    ///
    /// # Errors
    /// The journal could not be written: nothing was changed.
    pub fn tell(&self, environment: &EnvName, alerts: Vec<Alert>, parcels: Vec<Parcel>) -> Result<usize, StoreError> {
        let mut state = self.state();
        if parcels.is_empty() && state.alerts.get(environment).map_or(alerts.is_empty(), |known| *known == alerts) {
            return Ok(0);
        }
        let mut writes = vec![if alerts.is_empty() {
            Write::remove(Table::Alerts, environment.as_str())
        } else {
            Write::put(Table::Alerts, environment.as_str(), &alerts)?
        }];
        let mut outbox = state.outbox.clone();
        let mut next = state.next_parcel;
        let mut dropped = 0;
        for parcel in parcels {
            let waiting: Vec<u64> =
                outbox.iter().filter(|(_, known)| known.to == parcel.to).map(|(number, _)| *number).collect();
            for oldest in waiting.iter().take((waiting.len() + 1).saturating_sub(WAITING_MAX)) {
                outbox.remove(oldest);
                writes.push(Write::remove(Table::Outbox, number(*oldest)));
                dropped += 1;
            }
            writes.push(Write::put(Table::Outbox, number(next), &parcel)?);
            outbox.insert(next, parcel);
            next += 1;
        }
        self.commit(&mut state, &[], writes)?;
        state.outbox = outbox;
        state.next_parcel = next;
        if alerts.is_empty() {
            state.alerts.remove(environment);
        } else {
            state.alerts.insert(environment.clone(), alerts);
        }
        Ok(dropped)
    }

    /// The oldest message for a destination, and its number.
    #[must_use]
    pub fn parcel(&self, to: &str) -> Option<(u64, Parcel)> {
        let state = self.state();
        state.outbox.iter().find(|(_, parcel)| parcel.to == to).map(|(number, parcel)| (*number, parcel.clone()))
    }

    /// It was delivered, or is given up.
    ///
    /// # Errors
    /// The journal could not be written: it will be sent again.
    pub fn delivered(&self, parcel: u64) -> Result<(), StoreError> {
        let mut state = self.state();
        if !state.outbox.contains_key(&parcel) {
            return Ok(());
        }
        self.commit(&mut state, &[], vec![Write::remove(Table::Outbox, number(parcel))])?;
        state.outbox.remove(&parcel);
        Ok(())
    }

    /// Messages for nobody that there is are dropped.
    ///
    /// # Errors
    /// The journal could not be written: nothing was changed.
    pub fn forget_parcels(&self, is_known: impl Fn(&str) -> bool) -> Result<(), StoreError> {
        let unknown: Vec<u64> = {
            let state = self.state();
            state.outbox.iter().filter(|(_, parcel)| !is_known(&parcel.to)).map(|(number, _)| *number).collect()
        };
        unknown.into_iter().try_for_each(|parcel| self.delivered(parcel))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{Context, Virtual};
    use crate::model::{Notice, NoticeKind, Phase};
    use crate::store::Disk;

    fn alert(cx: &Context) -> Alert {
        Alert {
            kind: NoticeKind::Failed,
            cause: "limit".to_owned(),
            occasion: "r1".to_owned(),
            objects: ["dev/stack/a".parse().unwrap()].into(),
            text: "limit".to_owned(),
            since: cx.now(),
            told: 1,
            last: Some(cx.now()),
            gone: None,
        }
    }

    fn parcel(to: &str, cx: &Context) -> Parcel {
        let notice = Notice::of(&"dev".parse().unwrap(), &alert(cx), Phase::Began, cx.now());
        Parcel { to: to.to_owned(), notice }
    }

    /// Over crashes: in memory and in a file.
    #[test]
    fn what_is_told_is_on_its_way_until_it_is_delivered() {
        let clock = Virtual::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
        let cx = Context::simulated(&clock, 1);
        let dev: EnvName = "dev".parse().unwrap();
        let (disk, directory) = (Disk::new(), tempfile::tempdir().unwrap());
        let open: [&dyn Fn() -> Store; 2] =
            [&|| Store::on(&disk, &cx).unwrap(), &|| Store::open(&directory.path().join("state"), &cx).unwrap()];
        for open in open {
            let store = open();
            store.tell(&dev, vec![alert(&cx)], vec![parcel("chat", &cx), parcel("pager", &cx)]).unwrap();
            drop(store);
            let store = open();
            assert_eq!(store.alerts(&dev), [alert(&cx)]);
            let (first, found) = store.parcel("chat").unwrap();
            assert_eq!(found, parcel("chat", &cx));
            store.delivered(first).unwrap();
            drop(store);
            let store = open();
            assert_eq!(store.parcel("chat"), None);
            assert!(store.parcel("pager").is_some());
            store.forget_parcels(|to| to == "chat").unwrap();
            assert_eq!(store.parcel("pager"), None);
            store.tell(&dev, Vec::new(), vec![parcel("chat", &cx)]).unwrap();
            assert!(store.parcel("chat").unwrap().0 > first, "numbers are not used again");
            assert_eq!(store.alerted(), Vec::<EnvName>::new());
            store.forget_parcels(|_| false).unwrap();
        }
    }

    #[test]
    fn no_more_wait_for_a_destination_than_may() {
        let clock = Virtual::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
        let cx = Context::simulated(&clock, 1);
        let store = Store::in_memory(&cx).unwrap();
        let dev = "dev".parse().unwrap();
        let mut dropped = 0;
        for _ in 0..WAITING_MAX + 3 {
            dropped += store.tell(&dev, vec![alert(&cx)], vec![parcel("chat", &cx)]).unwrap();
        }
        assert_eq!(dropped, 3);
        assert_eq!(store.parcel("chat").unwrap().0, 4, "the oldest have gone");
    }
}

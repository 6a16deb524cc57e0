//! What people have frozen: kept as rows, changed by orders, and asked in the transaction that a step begins with.

use jiff::SignedDuration;

use super::rows::{Table, Write};
use super::{Begun, HoldOrder, Inbox, Record, Store, StoreError};
use crate::model::{Applied, Consent, Freeze, Key, Remembered, Review, Spent, Thawed};

/// How long a freeze that has ended is kept: who froze what is asked later.
const ENDED_KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What came of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// This is frozen from now on.
    Frozen(Freeze),
    /// This is thawed.
    Thawed(Freeze),
}

/// What people have said by now that may hold a step.
#[derive(Clone, Copy, Debug)]
pub struct PeoplesWord<'s> {
    /// What is frozen, everywhere.
    pub freezes: &'s [Freeze],
    /// What was approved in the step's environment.
    pub consent: Option<&'s Consent>,
    /// What was said of its plans.
    pub reviews: &'s [Review],
}

impl Store {
    /// What is frozen, everywhere, the oldest first; what has ended is there too, for a while.
    #[must_use]
    pub fn freezes(&self) -> std::sync::Arc<[Freeze]> {
        std::sync::Arc::clone(&self.state().freezes)
    }

    /// Carries out an order. One that was carried out before changes nothing: it may be found again after a crash.
    ///
    /// # Errors
    /// The journal could not be written: nothing was changed.
    pub fn order(&self, order: HoldOrder) -> Result<Vec<Held>, StoreError> {
        let mut state = self.state();
        let now = self.now();
        let (mut kept, mut writes, mut done) = (state.freezes.to_vec(), Vec::new(), Vec::new());
        match order {
            HoldOrder::Freeze(freeze) => {
                if kept.iter().any(|known| known.id == freeze.id) {
                    return Ok(done);
                }
                let freeze = Freeze { after: state.next_record.saturating_sub(1), ..*freeze };
                writes.push(Write::put(Table::Freezes, &*freeze.id, &freeze)?);
                kept.push(freeze.clone());
                done.push(Held::Frozen(freeze));
            }
            HoldOrder::Thaw { freezes, by, at } => {
                let meant = |freeze: &&mut Freeze| freezes.contains(&freeze.id) && freeze.ended(now).is_none();
                for freeze in kept.iter_mut().filter(meant) {
                    freeze.thawed = Some(Thawed { by: by.clone(), at, after: state.next_record.saturating_sub(1) });
                    writes.push(Write::put(Table::Freezes, &*freeze.id, freeze)?);
                    done.push(Held::Thawed(freeze.clone()));
                }
            }
        }
        if writes.is_empty() {
            return Ok(done);
        }
        kept.retain(|freeze| {
            let old = freeze.ended(now).is_some_and(|ended| now.duration_since(ended) > ENDED_KEPT);
            if old {
                writes.push(Write::remove(Table::Freezes, &*freeze.id));
            }
            !old
        });
        self.commit(&mut state, &[], writes)?;
        state.keep_freezes(kept);
        Ok(done)
    }

    /// Takes the orders to freeze and to thaw that other processes have left, and says what came of them.
    ///
    /// # Errors
    /// The journal could not be written. The orders that were not carried out stay where they are.
    pub fn take_orders(&self, inbox: &Inbox) -> Result<Vec<Held>, StoreError> {
        self.take(inbox, |_| true)
    }

    /// The same of orders to freeze alone: for whoever cannot wake what is thawed.
    ///
    /// # Errors
    /// The journal could not be written. The orders that were not carried out stay where they are.
    pub fn take_freezes(&self, inbox: &Inbox) -> Result<Vec<Held>, StoreError> {
        self.take(inbox, |order| matches!(order, HoldOrder::Freeze(_)))
    }

    fn take(&self, inbox: &Inbox, wanted: impl Fn(&HoldOrder) -> bool) -> Result<Vec<Held>, StoreError> {
        let mut done = Vec::new();
        let orders = inbox.orders(self.now()).into_iter().filter(|(_, order)| wanted(order));
        for (path, order) in orders {
            done.extend(self.order(order)?);
            inbox.taken(&path);
        }
        Ok(done)
    }

    /// Writes down that a step begins, as [`Store::update_with`] does, unless something holds it: `holds` is asked with
    /// what people have said while nobody else can say or begin anything. What was said before holds the step, and what is
    /// said later finds it begun.
    ///
    /// # Errors
    /// The journal could not be written: nothing was changed.
    pub fn begin_step<M: Remembered, A: Into<Applied>>(
        &self,
        key: &Key,
        record: Record,
        spent: Option<Spent>,
        holds: impl FnOnce(&PeoplesWord<'_>) -> bool,
        change: impl FnOnce(&mut M) -> A,
    ) -> Result<Begun, StoreError> {
        let mut state = self.state();
        let word = PeoplesWord {
            freezes: &state.freezes,
            consent: state.consent.get(&key.environment),
            reviews: state.reviews.get(&key.environment).map(|reviews| &**reviews).unwrap_or_default(),
        };
        if holds(&word) {
            return Ok(Begun::Held);
        }
        self.write(&mut state, key, record, spent, change)?;
        Ok(Begun::Begun)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::context::{Context, Virtual};
    use crate::model::{FreezeScope, StackMemory};
    use crate::store::{Disk, RecordOutcome};

    fn frozen(id: &str, cx: &Context, hours: Option<i64>) -> HoldOrder {
        let (by, because) = ("ada".to_owned(), "an incident".to_owned());
        let until = hours.map(|hours| cx.now() + SignedDuration::from_hours(hours));
        let scope = FreezeScope::everything();
        let freeze = Freeze { id: id.to_owned(), scope, by, because, at: cx.now(), until, after: 0, thawed: None };
        HoldOrder::Freeze(Box::new(freeze))
    }

    fn begin(store: &Store, cx: &Context) -> Begun {
        let key: Key = "dev/stack/network".parse().unwrap();
        let record = Record::new(key.clone(), 1, "create", RecordOutcome::Begun);
        let now = cx.now();
        let holds = |word: &PeoplesWord<'_>| word.freezes.iter().any(|freeze| freeze.is_active(now));
        store.begin_step(&key, record, None, holds, |_: &mut StackMemory| {}).unwrap()
    }

    /// What is asked, and written, over crashes: in memory and in a file.
    #[test]
    fn a_freeze_holds_what_begins_after_it_survives_and_ends() {
        let clock = Virtual::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
        let cx = Context::simulated(&clock, 1);
        let (disk, directory) = (Disk::new(), tempfile::tempdir().unwrap());
        let open: [&dyn Fn() -> Store; 2] =
            [&|| Store::on(&disk, &cx).unwrap(), &|| Store::open(&directory.path().join("state"), &cx).unwrap()];
        for open in open {
            let store = open();
            assert_eq!(begin(&store, &cx), Begun::Begun);
            store.order(frozen("a", &cx, None)).unwrap();
            store.order(frozen("b", &cx, Some(0))).unwrap();
            assert_eq!(store.freezes()[0].after, 1, "what was begun before goes on");
            drop(store);
            let store = open();
            assert_eq!(begin(&store, &cx), Begun::Held);
            assert_eq!(store.history(None, 10).unwrap().len(), 1, "nothing was written down");
            let order = HoldOrder::Thaw { freezes: vec!["a".to_owned()], by: "bob".to_owned(), at: cx.now() };
            assert_eq!(store.order(order.clone()).unwrap().len(), 1);
            assert_eq!(store.order(order).unwrap(), [], "it is thawed once");
            drop(store);
            let store = open();
            assert_eq!(begin(&store, &cx), Begun::Begun);
            assert_eq!(Arc::clone(&store.freezes())[0].thawed.as_ref().unwrap().by, "bob");
            let memory = store.memory(&"dev".parse().unwrap()).unwrap();
            assert_eq!(memory.freezes.len(), 2, "what has ended is kept for a while");
        }
    }

    #[test]
    fn what_has_ended_long_ago_is_dropped() {
        let clock = Virtual::starting_at("2026-01-01T00:00:00Z".parse().unwrap());
        let cx = Context::simulated(&clock, 1);
        let store = Store::in_memory(&cx).unwrap();
        store.order(frozen("a", &cx, Some(1))).unwrap();
        clock.step_clock(91 * 86_400);
        store.order(frozen("b", &cx, Some(1))).unwrap();
        let ids: Vec<String> = store.freezes().iter().map(|freeze| freeze.id.clone()).collect();
        assert_eq!(ids, ["b"]);
    }
}
